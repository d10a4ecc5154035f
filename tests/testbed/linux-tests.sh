#!/bin/sh
# linux-tests.sh: Debian's unmodified kernel on ferry, in the test bed (`make testbed`): a shell on its serial port, its
# disks and network, ACPI, reset and power, and moves to another ferry and to QEMU and back.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
BIN=${BIN:-build/bin}
LC_ALL=C
export LC_ALL TMP
testbed=tests/testbed/testbed

# guest TIMEOUT COMMAND...: runs linux-guest.py in the bed; what it kept in /srv/kept is in $TMP/kept.
guest() {
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
acpi_is_clean() {
    [ -e "$TMP/kept/DSDT.dat" ] || return 1
    for table in "$TMP"/kept/*.dat; do
        iasl -d "$table" >"$TMP/iasl" 2>&1 && ! grep -iE 'error|warning' "$TMP/iasl" || {
            cat "$TMP/iasl"
            return 1
        }
    done
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
mkdir -p "$TMP/tftp" && seq 0 99999 >"$TMP/tftp/numbers" &&
    tests/testbed/linux-image.py "$TMP/initrd" "$TMP/disk" || exit
case_ 'with one processor it comes to a shell, uses disks, network and clocks, and switches off, as on QEMU' runs 1
if command -v iasl >/dev/null; then
    case_ 'its ACPI tables are disassembled without a complaint' acpi_is_clean
else
    skip_ 'its ACPI tables are disassembled without a complaint' 'no iasl: it is in the package acpica-tools'
fi
case_ 'the same with two' runs 2
case_ 'the same with four' runs 4
case_ 'it starts again however it is reset, and sees the power button' restarts
case_ 'while it counts it moves from one ferry to another' moves "$BIN/ferry" "$BIN/ferry"
case_ 'while it counts it moves from QEMU to ferry and back' moves qemu-system-x86_64 "$BIN/ferry" qemu-system-x86_64
plan
