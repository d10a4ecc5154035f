#!/bin/sh
# demo.sh BIN: the main job, on a stream that QEMU 7.2 wrote: look into it, make it describe itself, and back, compare,
# judge. What is run is shown.
PATH=$1:$PATH
export PATH
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
linux=traces/j2-kvm-linux-virtio.mig.xz
failed=0

title() {
    printf '\n\033[1m%s\033[0m\n' "$1" | if [ -t 1 ] && [ -z "$NO_COLOR" ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi
}

# run STATUS LINES COMMAND: shows the command and so many lines of what it writes; it must end with that status.
run() {
    printf '$ %s\n' "$3" | sed "s|$out/||g"
    sh -c "$3" >"$out/.said" 2>&1
    status=$?
    sed "s|$out/||g" "$out/.said" | head -n "$2"
    lines=$(wc -l <"$out/.said")
    [ "$lines" -le "$2" ] || echo "... ($((lines - $2)) more)"
    [ "$status" -eq 0 ] || echo "(status $status)"
    [ "$status" -eq "$1" ] || {
        echo "demo: status $status, expected $1" >&2
        failed=1
    }
}

title 'What is in it? A Linux guest with virtio devices, saved by QEMU 7.2.'
run 0 12 "vmstate-dump --format=summary $linux"
run 0 8 "vmstate-dump --section='mc146818rtc' $linux"

title 'Made to describe itself: a BER stream, with the schema in front and a check on every record. And back.'
run 0 3 "vmstate-convert --to=ber $linux $out/linux.ber"
run 0 6 "vmstate-dump --schema --section=port92 $out/linux.ber"
run 0 3 "vmstate-convert --to=qemufile $out/linux.ber $out/linux.mig"
run 0 3 "xz -dc $linux | cmp - $out/linux.mig && echo 'the same octets as before'"

title 'What differs? A machine under KVM, and the same under TCG.'
run 1 6 'vmstate-diff traces/a-kvm-min.mig.xz traces/e-tcg-min.mig.xz'

title 'Would it load there? Known before anything moves, and all of it at once.'
run 1 8 'vmstate-check traces/h3-pc-i440fx-2.3.mig.xz traces/b3-kvm-pc-alldefaults.mig.xz'
run 0 3 "vmstate-check $linux $out/linux.ber"

title 'And its memory and registers, in a debugger.'
run 0 3 "vmstate-dump --core=$out/linux.core $linux >$out/text"
run 0 3 "gdb -batch -nx -core $out/linux.core -ex 'info registers rip rsp' 2>&1 | grep '^r'"

title 'One bit is flipped on the way, in the real-time clock. QEMU would load it and say nothing.'
offset=$(vmstate-dump --format=summary "$out/linux.ber" | awk '$1 == "mc146818rtc" { print $5 }')
offset=$((offset + 200))
octet=$(od -An -tu1 -j "$offset" -N 1 "$out/linux.ber")
cp "$out/linux.ber" "$out/flipped.ber"
# shellcheck disable=SC2059 # an octal escape is meant
printf "$(printf '\\%03o' $((octet ^ 1)))" | dd of="$out/flipped.ber" bs=1 seek="$offset" conv=notrunc status=none
run 3 3 "vmstate-dump $out/flipped.ber >$out/text"

title 'And cut in the same place: what came before the cut is there, field by field.'
head -c "$offset" "$out/linux.ber" >"$out/cut.ber"
run 3 3 "vmstate-dump $out/cut.ber >$out/text"
run 0 3 "grep '^mc146818rtc' $out/text | tail -n 2"
exit "$failed"
