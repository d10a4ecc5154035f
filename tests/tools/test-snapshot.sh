#!/bin/sh
# VM states in snapshots of qcow2 images: found, read, and told apart, also while a QEMU has the image open.
# shellcheck disable=SC2015,SC2002 # A && B || complain
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

image=$TMP/i1.qcow2
xz -dc traces/i1-savevm.qcow2.xz >"$image"

# The recording was taken out of this image, by other means.
octets_are_those() {
    for option in '' --snapshot=snap-one --snapshot=1; do
        # shellcheck disable=SC2086
        works "$convert" --to=ber --verify --compress=zstd $option "$image" "$TMP/there" &&
            works "$convert" --to=qemufile "$TMP/there" "$TMP/back" && cmp "$(raw i1-savevm.mig)" "$TMP/back" || return
    done
}
all_programs_read_it() {
    works "$dump" --format=summary "$image" && has "^file     .*/i1\.qcow2 \(snapshot 'snap-one'\)\$" && has '^machine  pc-i440fx-7\.2$' &&
        works "$dump" --section=port92 --snapshot=snap-one "$image" && has '^port92\.outport = \(uint8\) 0x0$' &&
        works "$diff" --ram "$image" traces/i1-savevm.mig.xz && works "$diff" --ram --snapshot=1 traces/i1-savevm.mig.xz "$image" &&
        works "$check" --strict "$image" traces/i1-savevm.mig.xz && works "$check" --strict --snapshot=snap-one "$image" "$image" &&
        works "$dump" --schema-from="$image" --section=port92 traces/i1-savevm.mig.xz &&
        works "$dump" --ram="$TMP/memory" "$image" && works "$dump" --ram="$TMP/memory2" traces/i1-savevm.mig.xz && cmp "$TMP/memory" "$TMP/memory2"
}
image_is_untouched() {
    xz -dc traces/i1-savevm.qcow2.xz | cmp - "$image"
}
what_is_not_there_is_refused() {
    refuses ".*/i1\.qcow2: no snapshot 'x'; there are: 1 'snap-one'" "$dump" --snapshot=x "$image" &&
        refuses ".*/i1\.qcow2: no snapshot ''; there are: .*" "$dump" --snapshot= "$image" &&
        refuses 'traces/a[^:]*: is no qcow2 image: it has no snapshot .x.' "$dump" --snapshot=x traces/a-kvm-min.mig.xz &&
        refuses ".*/none: is no qcow2 image.*" "$dump" --snapshot=x "$TMP/none" &&
        misused "--snapshot goes with a qcow2 image, and neither .* is one" "$diff" --snapshot=x traces/a-kvm-min.mig.xz traces/a-kvm-min.mig.xz &&
        misused '--snapshot is there 3 times, but there are two files' "$check" --snapshot=1 --snapshot=1 --snapshot=1 "$image" "$image" &&
        refuses '.*: this is a qcow2 image: it can be read only from a file, and not packed' "$dump" traces/i1-savevm.qcow2.xz
}

encrypted() {
    cp "$image" "$TMP/luks.qcow2" && printf '\0\0\0\002' | dd of="$TMP/luks.qcow2" bs=1 seek=32 conv=notrunc status=none &&
        refuses '.*/luks\.qcow2: header offset 32: the image is encrypted \(LUKS\).*' "$dump" "$TMP/luks.qcow2"
}

# --- with qemu-img --------------------------------------------------------------------------------------------------

several() {
    cp "$image" "$TMP/more.qcow2" && qemu-img snapshot -c disk "$TMP/more.qcow2" && qemu-img snapshot -c snap-two "$TMP/more.qcow2" &&
        works "$dump" --section=port92 "$TMP/more.qcow2" && has '0x0$' && # the only one with VM state
        refuses ".*/more\.qcow2: snapshot 'disk' is of the disk only: it has no VM state" "$dump" --snapshot=disk "$TMP/more.qcow2" &&
        qemu-img snapshot -d snap-one "$TMP/more.qcow2" &&
        refuses ".*/more\.qcow2: no snapshot of this image has VM state; there are: 2 'disk', 3 'snap-two'" "$dump" "$TMP/more.qcow2"
}
# --- with QEMU ------------------------------------------------------------------------------------------------------

# A machine that has not started, with a disk; what comes on standard input goes to its monitor.
machine() {
    qemu-system-x86_64 -M pc,accel=tcg -nodefaults -display none -S -m 16 -device VGA,vgamem_mb=1 -monitor stdio \
        -drive "file=$1,format=qcow2,if=none,id=d" -device virtio-blk-pci,drive=d >"$TMP/monitor" 2>&1
}
in_use() {
    qemu-img create -q -f qcow2 "$TMP/live.qcow2" 8M && mkfifo "$TMP/commands" || return
    machine "$TMP/live.qcow2" <"$TMP/commands" &
    exec 9>"$TMP/commands"
    printf 'savevm first\nsavevm second\ninfo snapshots\n' >&9
    for _ in $(seq 100); do
        grep -q 'VM CLOCK' "$TMP/monitor" && break
        sleep 0.1
    done
    sleep 0.2
    ! qemu-img snapshot -l "$TMP/live.qcow2" >"$TMP/locked" 2>&1 && grep -q lock "$TMP/locked" || {
        echo 'the image is not in use:'
        cat "$TMP/locked" "$TMP/monitor"
        return 1
    }
    read_it
    _status=$?
    printf 'quit\n' >&9
    exec 9>&-
    wait $!
    return $_status
}
read_it() {
    refuses ".*/live\.qcow2: 2 snapshots have VM state, and --snapshot must say which: 1 'first', 2 'second'" "$dump" "$TMP/live.qcow2" &&
        works "$dump" --snapshot=first --section=port92 "$TMP/live.qcow2" && has '^port92\.outport' &&
        works "$diff" --ram --snapshot=first --snapshot=second --ignore='*rtc*' --ignore='*.base_rtc*' "$TMP/live.qcow2" "$TMP/live.qcow2" &&
        works "$check" --snapshot=first --snapshot=2 "$TMP/live.qcow2" "$TMP/live.qcow2" &&
        works "$convert" --to=ber --verify --snapshot=second "$TMP/live.qcow2" "$TMP/live.ber"
}

case_ 'the octets are those that were taken out of it by other means' octets_are_those
case_ 'all programs read it' all_programs_read_it
case_ 'the image is as it was' image_is_untouched
case_ 'what is not there is refused, with what there is' what_is_not_there_is_refused
case_ 'an encrypted image is refused, and says so' encrypted
if command -v qemu-img >"$TMP/where"; then
    case_ 'without --snapshot there must be one with VM state' several
else
    skip_ 'images of qemu-img' 'there is no qemu-img'
fi
if command -v qemu-system-x86_64 >"$TMP/where"; then
    case_ 'snapshots are read while a QEMU has the image open' in_use
else
    skip_ 'snapshots are read while a QEMU has the image open' 'there is no qemu-system-x86_64'
fi
plan
