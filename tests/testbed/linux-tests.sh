#!/bin/sh
# linux-tests.sh: GRUB and Debian's unmodified kernel on ferry, in the test bed (`make testbed`): a menu, a shell on the
# serial port, a root on either disk, network, ACPI, reset and power, and moves to another ferry and to QEMU and back.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
BIN=${BIN:-build/bin} BUILD=${BUILD:-build/release}
LC_ALL=C
export LC_ALL TMP
testbed=tests/testbed/testbed

# guest TIMEOUT COMMAND...: runs linux-guest.py in the bed; what it kept in /srv/kept is in $TMP/kept. A bed that dies
# itself (125: TCG's SVM with several processors is not sound) is no finding: it is tried again.
guest() {
    for _try in 1 2 3; do
        guest_once "$@"
        _status=$?
        [ "$_status" -eq 125 ] || break
    done
    return "$_status"
}
guest_once() {
    _timeout=$1
    shift
    "$testbed" --timeout "$_timeout" --smp 2 --mem 3072M --put tests/testbed/linux-guest.py=/srv/guest.py \
        --put "$TMP/initrd=/srv/initrd" --put "$TMP/disk=/srv/v.img" --put "$TMP/disk=/srv/i.img" \
        --put "$TMP/tftp=/srv/tftp" --get "/srv/kept.tar=$TMP/kept.tar" -- \
        sh -c 'mkdir -p /srv/kept; python3 -B /srv/guest.py "$@"; s=$?; tar -cf /srv/kept.tar -C /srv kept; exit $s' \
        sh "$@" && rm -rf "$TMP/kept" && tar -xf "$TMP/kept.tar" -C "$TMP"
}

# runs PROCESSORS: all that is looked at, on ferry and on QEMU.
runs() {
    guest 600 compare "$BIN/ferry" "$1" /srv/kept
}
from_a_disk() {
    guest 900 debian "$BIN/ferry" /srv/kept
}
acpi_is_clean() {
    [ -e "$TMP/kept/vda/DSDT.dat" ] || return 1
    for table in "$TMP"/kept/vda/*.dat; do
        iasl -d "$table" >"$TMP/iasl" 2>&1 && ! grep -iE 'error|warning' "$TMP/iasl" || {
            cat "$TMP/iasl"
            return 1
        }
    done
}
same_tables() {
    (cd "$TMP/kept/vda" && ls -- *.dat) >"$TMP/here"
    (cd "$TMP/kept/vda-qemu" && ls -- *.dat) | diff - "$TMP/here"
}
grub() {
    reason=$(python3 -B tests/emu/grub.py "$TMP/grub" 2>&1) || {
        echo "$reason"
        return 1
    }
    "$testbed" --timeout 400 --with tests/emu --with "$BUILD/guest/witness.elf" --put "$TMP/grub=/srv/grub" \
        --env GRUB_IMAGES=/srv/grub -- python3 -B tests/emu/ferry.py "$BIN" "$BUILD/guest/witness.elf" GRUB >"$TMP/said"
    _status=$?
    cat "$TMP/said"
    [ "$_status" -eq 0 ] && [ "$(grep -c '^ok [0-9] - GRUB[^#]*$' "$TMP/said")" -eq 3 ]
}
works_and_moves() {
    TIMEOUT=900 tests/testbed/trips 2 "$@" >"$TMP/said" 2>&1
    _status=$?
    tail -n 12 "$TMP/said"
    return "$_status"
}
# places WHERE: with two processors and interrupt controllers elsewhere.
places() {
    guest 900 checks "$BIN/ferry:$1" 2 /srv/kept
}
comes_and_goes() {
    guest 600 hotplug "$1"
}
restarts() {
    guest 400 reboot "$BIN/ferry"
}
moves() {
    guest 400 move "$@"
}

all='Linux in the test bed'
if ! "$testbed" --prepare 2>"$TMP/reason" && grep -q 'there is no test bed' "$TMP/reason"; then
    skip_ "$all" "$(cat "$TMP/reason")"
    plan
    exit
fi
mkdir -p "$TMP/tftp" "$TMP/grub" && seq 0 99999 >"$TMP/tftp/numbers" &&
    tests/testbed/linux-image.py "$TMP/initrd" "$TMP/disk" || exit
if lacking=$(python3 -B tests/emu/grub.py --missing); then
    case_ 'GRUB shows its menu from an IDE disk, a virtio disk and a CD, takes keys, starts again and switches off' grub
else
    skip_ 'GRUB shows its menu from an IDE disk, a virtio disk and a CD' "$lacking"
fi
case_ 'Debian has its root on either disk, and tells of the same PC, interrupts and resources as on QEMU' from_a_disk
case_ 'it has the ACPI tables that it has on QEMU' same_tables
if command -v iasl >/dev/null; then
    case_ 'they are disassembled without a complaint' acpi_is_clean
else
    skip_ 'they are disassembled without a complaint' 'no iasl: it is in the package acpica-tools'
fi
case_ 'with one processor it comes to a shell, uses disks, network and clocks, and switches off, as on QEMU' runs 1
case_ 'the same with two' runs 2
case_ 'the same with four' runs 4
case_ 'and with the LAPICs only in KVM' places split
case_ 'and with no interrupt controllers in KVM' places off
case_ 'it starts again however it is reset, and sees the power button' restarts
case_ 'disks, network cards and random numbers come and go while it runs' comes_and_goes "$BIN/ferry"
case_ 'while it counts it moves from one ferry to another' moves "$BIN/ferry" "$BIN/ferry"
case_ 'while it counts it moves between places of its interrupt controllers' moves "$BIN/ferry:off" "$BIN/ferry:split"
case_ 'while it counts it moves from QEMU to ferry and back' moves qemu-system-x86_64 "$BIN/ferry" qemu-system-x86_64
case_ 'while it works on an IDE disk it goes from QEMU to ferry and back, and again, without a mistake' works_and_moves ide
case_ 'the same with a virtio disk, network and random numbers' works_and_moves virtio
plan
