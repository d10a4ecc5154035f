# common.sh: a QEMU without a machine, whose monitors are $TMP/qmp and, in the network, $port. Source it behind tap.sh.
qemu=$(command -v qemu-system-x86_64)

start_qemu() {
    rm -f "$TMP/qmp"
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$qemu" -M none -display none -nodefaults -qmp "unix:$TMP/qmp,server=on,wait=off" \
        -qmp "tcp:127.0.0.1:$port,server=on,wait=off" >"$TMP/qemu.log" 2>&1 &
    pid=$!
    for _ in $(seq 100); do
        [ -S "$TMP/qmp" ] && return 0
        sleep 0.1
    done
    cat "$TMP/qemu.log"
    return 1
}

end_qemu() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null
    [ -z "$pid" ] || wait "$pid" 2>/dev/null
    pid=
}
