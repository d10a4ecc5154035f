#!/bin/sh
# The program qmp, against the QEMU that is installed.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/libqmp/common.sh
. tests/libqmp/common.sh
qmp=$BIN/qmp

# QEMU listens to one at a time on each monitor: who watches has the other one.

# says TEXT COMMAND...: it works, and standard output is that.
says() {
    _text=$1
    shift
    "$@" >"$TMP/out" || return
    printf '%s\n' "$_text" | diff - "$TMP/out"
}
# has TEXT COMMAND...: it works, and a line of standard output is that.
has() {
    _text=$1
    shift
    "$@" >"$TMP/out" && { grep -qxF -- "$_text" "$TMP/out" || { cat "$TMP/out" && false; }; }
}
# refuses MESSAGE COMMAND...: status 1, nothing on standard output, and that on standard error.
refuses() {
    _text=$1
    shift
    expect 1 "$@" >"$TMP/out" 2>"$TMP/err"
    printf '%s\n' "$_text" | diff - "$TMP/err" && [ ! -s "$TMP/out" ]
}
misused() {
    expect 2 "$@" >"$TMP/out" 2>"$TMP/err" && [ ! -s "$TMP/out" ] && grep -q '^qmp: ' "$TMP/err"
}

options_agree() {
    sed -n '/^\.Sh OPTIONS/,/^\.Sh OUTPUT/p' tools/qmp/qmp.1 |
        sed -nE 's/^\.It Fl (h , )?-([a-z-]+)( Ns = Ns Ar .*)?$/\2\3/p' | sed 's/ Ns = Ns Ar .*/=/' | sort >"$TMP/page"
    "$qmp" --help | sed -nE 's/^  (-h, )?--([a-z-]+=?).*/\2/p' | sort | diff - "$TMP/page"
}
usage() {
    misused "$qmp" && misused "$qmp" --no-such-option x && misused "$qmp" --json --text /x y &&
        misused "$qmp" --events --wait-job=x /x && misused "$qmp" --count=1 /x y && misused "$qmp" --timeout=-1 /x y &&
        misused "$qmp" --events --count=-1 /x
}
nobody() {
    refuses "qmp: $TMP/nothing: No such file or directory" "$qmp" "$TMP/nothing" query-status &&
        refuses 'qmp: x: this is none of unix:PATH, the path of a socket, tcp:HOST:PORT, fd:N, libvirt:DOMAIN' "$qmp" x y
}

case_ '--help and the manual page agree' options_agree
case_ 'who calls it wrongly is told so' usage
case_ 'without a machine there is an error' nobody
if [ -z "$qemu" ]; then
    skip_ 'what it says to QEMU' 'qemu-system-x86_64 is not installed'
    plan
    exit
fi
start_qemu || exit 1
tcp=tcp:127.0.0.1:$port
trap 'end_qemu; rm -rf "$TMP"' EXIT

connects() {
    for socket in "$TMP/qmp" "unix:$TMP/qmp" "tcp:127.0.0.1:$port"; do
        says '{"status": "running", "singlestep": false, "running": true}' "$qmp" "$socket" query-status || return
    done
}
connects_by_descriptor() {
    python3 - "$qmp" "$TMP/qmp" <<'END' | grep -q running
import socket, subprocess, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[2])
subprocess.run([sys.argv[1], "fd:%d" % s.fileno(), "query-status"], pass_fds=[s.fileno()], check=True)
END
}
shows_text() {
    has 'status: running' "$qmp" --text "$TMP/qmp" query-status && has '  minor: 2' "$qmp" --text "$TMP/qmp" query-version &&
        "$qmp" --text "$TMP/qmp" stop >"$TMP/out" && [ ! -s "$TMP/out" ] && says '{}' "$qmp" --json "$TMP/qmp" cont
}
tells_errors() {
    refuses 'qmp: CommandNotFound: The command no-such has not been found' "$qmp" "$TMP/qmp" no-such &&
        refuses "qmp: GenericError: Parameter 'id' is missing" "$qmp" "$TMP/qmp" device_del &&
        refuses "qmp: DeviceNotFound: Device 'x' not found" "$qmp" "$TMP/qmp" device_del id=x
}
converts_by_schema() {
    "$qmp" "$TMP/qmp" blockdev-add driver=raw node-name=n7 file.driver=null-co file.size=4M read-only=on >/dev/null &&
        "$qmp" "$TMP/qmp" query-named-block-nodes flat=yes >"$TMP/out" &&
        python3 - "$TMP/out" <<'END' && "$qmp" "$TMP/qmp" blockdev-del node-name=n7
import json, sys
node = [n for n in json.load(open(sys.argv[1])) if n["node-name"] == "n7"][0]
assert node["ro"] is True and node["image"]["virtual-size"] == 4 << 20, node
END
}
takes_lists() {
    set_() {
        "$qmp" "$TMP/qmp" migrate-set-capabilities "$@" >/dev/null && "$qmp" "$TMP/qmp" query-migrate-capabilities |
            python3 -c 'import json, sys; print(*[c["capability"] for c in json.load(sys.stdin) if c["state"]])'
    }
    says 'events return-path' set_ capabilities.0.capability=events capabilities.0.state=on \
        capabilities.1.capability=return-path capabilities.1.state=true &&
        says 'return-path' set_ 'capabilities:=[{"capability": "events", "state": false}]' &&
        says '' set_ '{"capabilities": [{"capability": "return-path", "state": false}]}'
}
refuses_keys() {
    refuses "qmp: read-only: 'maybe' is not what is wanted here: boolean" "$qmp" "$TMP/qmp" blockdev-add read-only=maybe &&
        refuses "qmp: file.size: '4X' is not what is wanted here: integer" \
            "$qmp" "$TMP/qmp" blockdev-add driver=raw file.driver=null-co file.size=4X &&
        refuses 'qmp: x: this is not key=value' "$qmp" "$TMP/qmp" stop x &&
        refuses 'qmp: a: the key is given twice' "$qmp" "$TMP/qmp" stop a=1 a=2 &&
        refuses 'qmp: a: this has a value, and keys below it' "$qmp" "$TMP/qmp" stop a=1 a.b=2 &&
        refuses "qmp: 'a..b': a part of the key is empty" "$qmp" "$TMP/qmp" stop a..b=2 &&
        refuses 'qmp: capabilities: element 0 of the list is missing' \
            "$qmp" "$TMP/qmp" migrate-set-capabilities capabilities.1.state=on &&
        refuses "qmp: GenericError: Parameter 'a' is unexpected" "$qmp" "$TMP/qmp" stop a.b=2
}
helps() {
    has 'query-status' "$qmp" "$TMP/qmp" help && has '    up                       boolean' "$qmp" "$TMP/qmp" help set_link || return
    "$qmp" "$TMP/qmp" help blockdev-add | grep -q 'help ... driver=VALUE' &&
        "$qmp" "$TMP/qmp" help blockdev-add driver=qcow2 | grep -q 'lazy-refcounts.*boolean' &&
        refuses 'qmp: CommandNotFound: The command x has not been found' "$qmp" "$TMP/qmp" help x
}
case_ 'every kind of address leads to it' connects
case_ 'a descriptor, too' connects_by_descriptor
case_ 'results are text or JSON' shows_text
case_ 'what is refused has its class and its words' tells_errors
case_ 'values are what the schema says' converts_by_schema
case_ 'lists are given by numbers, as JSON, or all arguments as JSON' takes_lists
case_ 'what cannot be converted is refused, with its key' refuses_keys
case_ 'help is what the schema says' helps

shows_events() {
    "$qmp" --timeout=20 --events --count=3 "$tcp" STOP RESUME >"$TMP/events" &
    watcher=$!
    sleep 0.5
    "$qmp" "$TMP/qmp" stop >/dev/null && "$qmp" "$TMP/qmp" cont >/dev/null && "$qmp" "$TMP/qmp" stop >/dev/null
    wait "$watcher" && "$qmp" "$TMP/qmp" cont >/dev/null &&
        says 'STOP RESUME STOP' python3 -c 'import json, sys; print(*[json.loads(l)["event"] for l in sys.stdin])' <"$TMP/events"
}
ends_in_time() {
    expect 0 "$qmp" --timeout=0.2 --events "$TMP/qmp" &&
        refuses 'qmp: 1 of 1 events have not come in time' "$qmp" --timeout=0.2 --events --count=1 "$TMP/qmp" NONE
}
waits_for_jobs() {
    says '{}' "$qmp" --wait-job=a "$TMP/qmp" blockdev-create job-id=a options.driver=file "options.filename=$TMP/a" \
        options.size=1M && [ -s "$TMP/a" ] && says '[]' "$qmp" "$TMP/qmp" query-jobs || return
    expect 1 "$qmp" --text --wait-job=b "$TMP/qmp" blockdev-create job-id=b options.driver=file \
        options.filename=/nonexistent/b options.size=1M 2>"$TMP/err" &&
        grep -qx "qmp: GenericError: Could not create '/nonexistent/b': No such file or directory" "$TMP/err" &&
        refuses "qmp: DeviceNotFound: there is no job 'c'" "$qmp" --wait-job=c "$TMP/qmp"
}
# A job that dismisses itself; alone, and cancelled.
waits_for_passing_jobs() {
    "$qmp" "$TMP/qmp" blockdev-add driver=null-co node-name=from size=64M read-zeroes=on &&
        "$qmp" "$TMP/qmp" blockdev-add driver=null-co node-name=to size=64M &&
        says '{}' "$qmp" --wait-job=d "$TMP/qmp" blockdev-backup job-id=d device=from target=to sync=full &&
        "$qmp" "$TMP/qmp" blockdev-backup job-id=e device=from target=to sync=full speed=1 || return
    (sleep 0.5 && "$qmp" "$tcp" job-cancel id=e >/dev/null) &
    refuses 'qmp: GenericError: the job was cancelled, or failed without a word' "$qmp" --wait-job=e "$TMP/qmp" &&
        "$qmp" "$TMP/qmp" blockdev-backup job-id=f device=from target=to sync=full speed=1 &&
        refuses "qmp: the job 'f' is not over in time" "$qmp" --timeout=0.3 --wait-job=f "$TMP/qmp" &&
        "$qmp" "$TMP/qmp" job-cancel id=f
}
reads_lines() {
    printf '%s\n' '# a comment' '' 'query-name' 'query-status {}' "qom-get path='/machine' property=type" >"$TMP/in"
    "$qmp" "$TMP/qmp" <"$TMP/in" >"$TMP/out" || return
    printf '%s\n' '{}' '{"status": "running", "singlestep": false, "running": true}' '"none-machine"' | diff - "$TMP/out" &&
        printf '%s\n' 'query-name' 'no-such' 'query-name "' 'query-name' 'exit' 'no-such' >"$TMP/in" &&
        expect 1 "$qmp" "$TMP/qmp" <"$TMP/in" >"$TMP/out" 2>"$TMP/err" && [ "$(wc -l <"$TMP/out")" -eq 2 ] &&
        [ "$(wc -l <"$TMP/err")" -eq 2 ]
}
on_a_terminal() {
    python3 tests/libqmp/terminal.py "$qmp" "$TMP/qmp" <tests/libqmp/shell.txt
}
sees_the_end() {
    printf '%s\n' 'see (qmp) ' 'type events\r' 'see (qmp) ' 'type quit\r' 'see SHUTDOWN' 'end 0' |
        python3 tests/libqmp/terminal.py "$qmp" "$TMP/qmp"
}
case_ 'events are shown' shows_events
case_ 'events are waited for no longer than allowed' ends_in_time
case_ 'a job is waited for, and ends as it ends' waits_for_jobs
case_ 'a job that is gone when it is over, too' waits_for_passing_jobs
case_ 'commands come from standard input' reads_lines
case_ 'a line is completed by the schema' on_a_terminal
case_ 'the shell ends when the machine does' sees_the_end
end_qemu
start_qemu >/dev/null
peer_dies() {
    "$qmp" --timeout=30 --events "$TMP/qmp" NONE 2>"$TMP/err" &
    watcher=$!
    sleep 0.5
    kill -9 "$pid"
    wait "$watcher" && return 1
    grep -qx 'qmp: the peer has closed the connection' "$TMP/err"
}
case_ 'a machine that is killed ends what waits' peer_dies
plan
