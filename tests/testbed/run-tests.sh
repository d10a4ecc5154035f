#!/bin/sh
# run-tests.sh: the tests of the test bed itself (`make testbed`). It is not named test-*.sh, so `make check` does not
# run it: each run of a bed takes some seconds.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
BIN=${BIN:-build/bin}
LC_ALL=C
export LC_ALL TMP
testbed=tests/testbed/testbed

# bed STATUS ARGUMENT...: runs a bed that ends with this status; what it says is in $TMP/out and $TMP/err.
bed() {
    _status=$1
    shift
    "$testbed" "$@" >"$TMP/out" 2>"$TMP/err"
    _got=$?
    [ "$_got" -eq "$_status" ] || {
        echo "exit status $_got, expected $_status: $*"
        cat "$TMP/out" "$TMP/err"
        return 1
    }
}
# says TEXT: that, and no more, is on standard output.
says() {
    printf '%s\n' "$1" | diff - "$TMP/out"
}
# complains REGEX: one line on standard error fits, and there is no other.
complains() {
    if [ "$(wc -l <"$TMP/err")" -ne 1 ] || ! grep -qE "^testbed: $1\$" "$TMP/err"; then
        echo "not one line that fits '$1':"
        cat "$TMP/err"
        return 1
    fi
}

exit_status() {
    bed 7 -- sh -c 'echo out; echo err >&2; exit 7' && says out && echo err | diff - "$TMP/err"
}
killed_by_signal() {
    bed 139 sh -c 'kill -SEGV $$'
}
streams_are_exact() {
    head -c 8388609 /dev/urandom >"$TMP/big" && head -c 3000001 /dev/urandom >"$TMP/other" &&
        bed 0 --stdin --put "$TMP/other=/mnt/other" -- sh -c 'cat; cat /mnt/other >&2' <"$TMP/big" &&
        cmp "$TMP/big" "$TMP/out" && cmp "$TMP/other" "$TMP/err"
}
no_stdin() {
    echo text | bed 0 -- sh -c 'cat; echo end' && says end
}
files_go_in_and_out() {
    mkdir -p "$TMP/folder/sub" && head -c 100000 /dev/urandom >"$TMP/folder/sub/a" && : >"$TMP/empty" &&
        bed 0 --put "$TMP/folder=/srv" --put "$TMP/empty=/bin/empty" \
            --get "/srv/b=$TMP/b" --get "/bin/empty=$TMP/c" -- sh -c \
            'cat /srv/sub/a /srv/sub/a >/srv/b; echo new >/srv/sub/a; test ! -s /usr/bin/empty' &&
        cat "$TMP/folder/sub/a" "$TMP/folder/sub/a" | cmp - "$TMP/b" && cmp "$TMP/empty" "$TMP/c"
}
surroundings() {
    bed 0 --env "FOO=a b=c" --env EMPTY= -- sh -c 'echo "$FOO|${EMPTY-none}|$PWD|$HOME|$*"' sh '1 "2"' '*' &&
        says "a b=c||$(pwd -P)|/root|1 \"2\" *"
}
built_programs_run() {
    recording=traces/a-kvm-min.mig.xz
    "$BIN/vmstate-dump" "$recording" >"$TMP/here" &&
        bed 0 --with "$recording" --smp 2 -- "$BIN/vmstate-dump" "$recording" && cmp "$TMP/here" "$TMP/out"
}
not_found() {
    bed 127 -- no-such-program && complains 'cannot run no-such-program: No such file or directory'
}
timeout_of_command() {
    bed 124 --timeout 10 -- sleep 1000 && complains 'timeout: the command of host 1 had not ended after 10 s'
}
timeout_of_start() {
    bed 124 --timeout 0.2 -- true && complains 'timeout: host 1 had not started its command after 0.2 s: .*'
}
dead_kernel() {
    bed 125 -- sh -c 'echo c >/proc/sysrq-trigger; sleep 100' && complains 'host 1 died before .*Kernel panic.*'
}
missing_files() {
    bed 125 --get "/srv/none=$TMP/none" -- true &&
        complains 'cannot get /srv/none from host 1: No such file or directory' &&
        bed 125 --put "$TMP/none=/x" -- true && complains '.*/none: no such file, or no regular one' &&
        [ ! -e "$TMP/none" ]
}
misuse() {
    bed 125 && complains 'no command .*' && bed 125 --env x -- true && complains ".*'x' is not NAME=VALUE.*" &&
        bed 125 --no-such -- true && complains '.*--no-such.*'
}
nothing_stays() {
    [ -z "$(find build/testbed -maxdepth 1 -name 'run-*')" ]
}

kvm_works() {
    ${CC:-cc} -O2 -Wall -o "$TMP/kvm-probe" tests/testbed/kvm-probe.c && bed 0 -- "$TMP/kvm-probe" &&
        says 'KVM API 12
irqchip 1, SMM 1
exit: out of 1 octet to port 0xe9: 0x2a
exit: write of 1 octet at 0xf0000: 0x5a
exit: out of 1 octet to port 0xe9: 0x69
exit: hlt
rip 0x1021, al 0x69, cx 0xe0d2'
}
linux_boots_under_kvm() {
    bed 0 -- qemu-system-x86_64 -nodefaults -M pc -accel kvm -cpu host -m 256 -display none -no-reboot -serial stdio \
        -kernel /boot/vmlinuz -initrd /boot/initrd \
        -append 'console=ttyS0 quiet panic=-1 run="dmesg | grep Hypervisor.detected"' &&
        grep 'guest: a shell, on Linux [0-9]' "$TMP/out" && grep 'Hypervisor detected: KVM' "$TMP/out" &&
        grep 'guest: off' "$TMP/out"
}

# exchange.py ADDRESS MINE THEIRS: listens, or connects to the address, if it is not empty; sends one file and writes
# what comes to the other, both at the same time.
exchange='import socket, sys, threading, time
address, mine, theirs = sys.argv[1:]
if address:
    while True:
        try:
            link = socket.create_connection((address, 99), 5)
            break
        except OSError:
            time.sleep(0.1)
else:
    link = socket.create_server(("", 99)).accept()[0]
link.settimeout(None)
def send():
    link.sendall(open(mine, "rb").read())
    link.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
with open(theirs, "wb") as out:
    while data := link.recv(65536):
        out.write(data)'
two_hosts_exchange_data() {
    echo "$exchange" >"$TMP/exchange.py" && head -c 3000000 /dev/urandom >"$TMP/first" &&
        head -c 2000000 /dev/urandom >"$TMP/second" &&
        bed 0 --put "$TMP/exchange.py=/srv/x.py" --put "$TMP/first=/srv/1" --put "$TMP/second=/srv/2" \
            --out "$TMP/pair" --get "/srv/got=$TMP/from2" --get "2:/srv/got=$TMP/from1" \
            --pair 'python3 /srv/x.py bed1 /srv/2 /srv/got && ping -c 1 bed1 >/dev/null && hostname' -- \
            sh -c 'python3 /srv/x.py "" /srv/1 /srv/got && ping -c 1 192.168.77.2 >/dev/null && echo a >&2' &&
        cmp "$TMP/first" "$TMP/from1" && cmp "$TMP/second" "$TMP/from2" && echo bed2 | diff - "$TMP/pair/2.out" &&
        echo a | diff - "$TMP/pair/1.err" && printf '0\n0\n' >"$TMP/zeros" &&
        cat "$TMP/pair/1.status" "$TMP/pair/2.status" | diff - "$TMP/zeros"
}
# migrate.sh source|destination: a stock guest that counts. The source moves it when it has begun; the destination ends
# when it has gone on counting there.
migrate='qemu() {
    qemu-system-x86_64 -nodefaults -M pc -accel kvm -cpu qemu64 -m 96 -display none -serial file:/srv/serial \
        -monitor stdio -kernel /boot/vmlinuz -initrd /boot/initrd \
        -append "console=ttyS0 quiet run=\"i=0; while sleep 0.1; do i=\$((i+1)); echo tick \$i; done\"" "$@"
}
ticks() {
    until [ "$(grep -c tick /srv/serial)" -ge 3 ]; do sleep 0.1; done
}
: >/srv/serial
case $1 in
source) { ticks; echo migrate_set_parameter max-bandwidth 1G; echo migrate tcp:bed2:4444; echo quit; } | qemu ;;
*) { ticks; echo quit; } | qemu -incoming tcp:0:4444 ;;
esac'
a_guest_moves() {
    echo "$migrate" >"$TMP/migrate.sh" &&
        bed 0 --put "$TMP/migrate.sh=/srv/migrate.sh" \
            --get "/srv/serial=$TMP/serial1" --get "2:/srv/serial=$TMP/serial2" --pair 'sh /srv/migrate.sh destination' -- sh /srv/migrate.sh source &&
        cat "$TMP/serial1" "$TMP/serial2" | tr -d '\r' | awk '
            /^tick [0-9]+$/ && $2 != ++last { print "after tick " last - 1 ": " $0; wrong = 1 }
            END { exit wrong || last < 6 }'
}
pairs_are_prefixed() {
    bed 5 --pair 'echo two; echo err >&2; exit 5' -- sh -c 'echo one; printf rest' &&
        sort "$TMP/out" >"$TMP/sorted" && printf '1: one\n1: rest\n2: two\n' | diff - "$TMP/sorted" &&
        echo '2: err' | diff - "$TMP/err"
}

all='the test bed'
if ! "$testbed" --prepare 2>"$TMP/reason" && grep -q 'there is no test bed' "$TMP/reason"; then
    skip_ "$all" "$(cat "$TMP/reason")"
    plan
    exit
fi
case_ "a command's exit status and its two outputs come back" exit_status
case_ 'a signal that ends a command is told as 128 and its number' killed_by_signal
case_ 'megabytes of any octets pass standard input, output and error unchanged' streams_are_exact
case_ 'standard input is empty unless it is asked for' no_stdin
case_ 'files and folders go in, files come back, and what was put in stays as it is here' files_go_in_and_out
case_ 'arguments, variables and the current folder are those that were given' surroundings
case_ 'a built program does there what it does here' built_programs_run
case_ 'a command that is not there is told, with status 127' not_found
case_ 'a command that takes too long is ended, and told' timeout_of_command
case_ 'a host that takes too long to start is ended, and told' timeout_of_start
case_ 'a kernel that dies is told' dead_kernel
case_ 'a file that is not there is told' missing_files
case_ 'options that are none are told' misuse
case_ 'real mode, interrupts and SSE run under /dev/kvm, and every exit is what it should be' kvm_works
case_ "Debian's kernel boots under KVM there to a shell" linux_boots_under_kvm
case_ 'two hosts reach each other, and megabytes pass both ways over TCP' two_hosts_exchange_data
case_ "QEMU moves a running guest from one host to the other: it counts on" a_guest_moves
case_ 'lines of two hosts have their number in front, and the second status counts if the first is 0' pairs_are_prefixed
case_ 'nothing stays of a run' nothing_stays
plan
