#!/bin/sh
# smm-tests.sh: system management mode of ferry beside QEMU's, in the test bed (`make testbed`): this machine's KVM may
# not have it, the bed's does.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
BIN=${BIN:-build/bin} BUILD=${BUILD:-build/release}
LC_ALL=C
export LC_ALL TMP
testbed=tests/testbed/testbed
qemu='qemu-system-x86_64'

bed() {
    _timeout=$1
    shift
    "$testbed" --timeout "$_timeout" --put tests/testbed/smm-guest.py=/srv/guest.py \
        --put "$TMP/smm-probe.bin=/srv/smm-probe.bin" -- "$@"
}
# smm COMMAND ARGUMENT...; NEXT...: smm-guest.py's commands, separated by arguments ";", in one bed.
smm() {
    # shellcheck disable=SC2016 # the bed's shell expands it
    bed 600 sh -c 'line="python3 -B /srv/guest.py"; set -e
        for word; do
            if [ "$word" = ";" ]; then $line; line="python3 -B /srv/guest.py"; else line="$line $word"; fi
        done; $line' sh "$@"
}

units() {
    bed 200 "$BUILD/tests/emu/test-smm" --verbose >"$TMP/said" 2>&1
    _status=$?
    cat "$TMP/said"
    [ "$_status" -eq 0 ] && ! grep -q '\[SKIP\]' "$TMP/said"
}
behaves() {
    smm compare "$qemu" "$BIN/ferry" 1 ';' compare "$qemu" "$BIN/ferry" 2 ';' \
        compare "$qemu:split" "$BIN/ferry:split" 1 ';' compare "$qemu:off" "$BIN/ferry:off" 1
}
without() {
    smm without "$BIN/ferry"
}
firmware() {
    smm firmware "$qemu" "$BIN/ferry"
}
moves() {
    smm move "$qemu" "$BIN/ferry" ';' move "$BIN/ferry" "$qemu" ';' move "$BIN/ferry" "$BIN/ferry" off ';' \
        move "$BIN/ferry:off" "$BIN/ferry:split"
}
moves_without_lapics() {
    smm move "$qemu:off" "$BIN/ferry:off" ';' move "$BIN/ferry:off" "$qemu:off"
}

all='system management mode in the test bed'
if ! "$testbed" --prepare 2>"$TMP/reason" && grep -q 'there is no test bed' "$TMP/reason"; then
    skip_ "$all" "$(cat "$TMP/reason")"
    plan
    exit
fi
as --32 -o "$TMP/smm-probe.o" tests/testbed/smm-probe.S &&
    ld -m elf_i386 --oformat binary -T tests/testbed/smm-probe.ld -o "$TMP/smm-probe.bin" "$TMP/smm-probe.o" || exit
case_ 'a processor on KVM goes there and back, and moves while it is there' units
case_ 'SMRAM, the APM ports, SMIs, INIT and reset are what they are on QEMU, wherever interrupt controllers are' behaves
case_ 'with smm=off nothing leads there' without
case_ 'SeaBIOS sets it up as on QEMU' firmware
case_ 'a guest in the handler moves from QEMU to ferry and back, and what waits for it is taken' moves
case_ 'the same without LAPICs in KVM' moves_without_lapics
plan
