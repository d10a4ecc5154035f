#!/bin/sh
# demo-pc.sh BIN GUEST: a PC under KVM, whose guest checks itself, is saved, looked into, and goes on in another process,
# and in QEMU if there is one. What is run is shown.
PATH=$1:$PATH
export PATH
guest=$2
out=$(mktemp -d) || exit 1
pids=
# shellcheck disable=SC2086 # several
trap 'for pid in $pids; do kill $pid 2>/dev/null; done; rm -rf "$out"' EXIT

title() {
    printf '\n\033[1m%s\033[0m\n' "$1" | if [ -t 1 ] && [ -z "$NO_COLOR" ]; then cat; else sed 's/\x1b\[[0-9]*m//g'; fi
}

give_up() {
    echo "demo: $1" >&2
    tail -n 5 "$out"/*.said >&2
    exit 1
}

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
    left=$(($1 * 20))
    shift
    until "$@" >/dev/null 2>&1; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || give_up "waited in vain for: $*"
        sleep 0.05
    done
}

# start NAME COMMAND: in the background, its monitor at a pipe, its serial port in NAME.serial
start() {
    mkfifo "$out/$1.in"
    printf '$ %s\n' "$2" | sed "s|$out/||g; s|$guest|guest.elf|g"
    sh -c "exec $2 -nodefaults -display none -serial file:$out/$1.serial -monitor stdio" <>"$out/$1.in" >"$out/$1.said" 2>&1 &
    pids="$pids $!"
    eval "pid_$1=$!"
}

say() { # NAME COMMAND
    printf '(ferry) %s\n' "$2" | sed "s|$out/||g"
    printf '%s\n' "$2" >"$out/$1.in"
}

# A line of the guest's, without most of what it counts.
show() {
    sed 's/ \(sum\|lost_us\|longest_us\|rtc\|alarm\|hpet_shot\|hpet_irq\|lapic_shot\|kbd\|cmos\|fw_cfg\|lapic1\|net_lost\|arp\|disk\|dma\)=[^ ]*//g' |
        sed 's/^/    /'
}

run() {
    printf '$ %s\n' "$2" | sed "s|$out/||g"
    sh -c "$2" >"$out/.text" 2>&1
    sed "s|$out/||g" "$out/.text" | head -n "$1"
    [ "$(wc -l <"$out/.text")" -le "$1" ] || echo "... ($(($(wc -l <"$out/.text") - $1)) more)"
}

options="-accel kvm -m 64 -smp 2 -drive file=$out/disk.img,format=raw"
truncate -s 4M "$out/disk.img"

title 'A PC under KVM. Its guest computes, counts interrupts, reads and writes a disk, and checks all of it.'
start first "ferry $options -kernel $guest -append 'iopl=3 timers=pit,hpet,lapic clocks=hpet,kvm'"
wait_for 60 grep -q 'round=20 .* ok' "$out/first.serial"
grep '^witness round=[12]0 ' "$out/first.serial" | show

title 'Saved twice, while it runs, as a stream that describes itself.'
say first "migrate -b file:$out/one.ber"
wait_for 30 test -s "$out/one.ber"
say first cont
wait_for 60 grep -q 'round=40 .* ok' "$out/first.serial"
say first "migrate -b file:$out/two.ber"
wait_for 30 test -s "$out/two.ber"
run 14 "vmstate-dump --format=summary $out/two.ber"
run 4 "vmstate-dump --section='0000:00:01.1/ide' $out/two.ber"
run 6 "vmstate-diff $out/one.ber $out/two.ber"

title 'In another process it goes on where it was: nothing in it has noticed more than that clocks stood.'
say first quit
# shellcheck disable=SC2154 # set by start
wait "$pid_first"
start second "ferry $options -incoming file:$out/two.ber"
wait_for 60 grep -q 'round=.* ok' "$out/second.serial"
grep 'round=.* ok' "$out/second.serial" | tail -n 1 | show

title 'A state with a flipped bit is refused, in one line, before anything has changed.'
size=$(stat -c %s "$out/two.ber")
cp "$out/two.ber" "$out/flipped.ber"
printf '\377' | dd of="$out/flipped.ber" bs=1 seek=$((size / 2)) conv=notrunc status=none
run 3 "ferry -accel kvm -m 64 -smp 2 -nodefaults -display none -drive file=$out/disk.img,format=raw -incoming file:$out/flipped.ber"

if command -v qemu-system-x86_64 >/dev/null; then
    title 'And QEMU 7.2 goes on with it, as if the state were its own.'
    say second "migrate file:$out/three.mig"
    wait_for 30 test -s "$out/three.mig"
    say second quit
    # shellcheck disable=SC2154
    wait "$pid_second"
    start third "qemu-system-x86_64 -machine pc-i440fx-7.2 $options -incoming 'exec:cat $out/three.mig'"
    wait_for 60 grep -q 'round=.* ok' "$out/third.serial"
    grep 'round=.* ok' "$out/third.serial" | tail -n 1 | show
    printf 'quit\n' >"$out/third.in"
fi
if grep -l FAILED "$out"/*.serial >/dev/null; then give_up 'the guest has found a mistake'; fi
