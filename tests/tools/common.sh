# shellcheck shell=sh
# common.sh: what the tests of the programs share. Source it behind tests/support/tap.sh, from the root of the project.
#
# What a command says is in $TMP/out and $TMP/err after works, refuses, misused and differs.
BIN=${BIN:-build/bin}
dump=$BIN/vmstate-dump
convert=$BIN/vmstate-convert
diff=$BIN/vmstate-diff
check=$BIN/vmstate-check
tool=$BIN/qcow2-tool
_program='(vmstate-[a-z]+|qcow2-tool( [a-z]+)*)'
python=$(python3 -c 'import sys; print(sys.executable)')
export dump convert diff check tool python TMP
unset NO_COLOR
LC_ALL=C
export LC_ALL

# raw NAME: unpacks the recording, and tells where it is then.
raw() {
    [ -f "$TMP/$1" ] || { xz -dc "traces/$1.xz" >"$TMP/$1.new" && mv "$TMP/$1.new" "$TMP/$1"; }
    echo "$TMP/$1"
}

# ber NAME: makes a BER stream of the recording, and tells where it is.
ber() {
    [ -f "$TMP/$1.ber" ] || "$convert" --to=ber "traces/$1.xz" "$TMP/$1.ber"
    echo "$TMP/$1.ber"
}

# status WANTED GOT COMMAND...
status() {
    [ "$1" -eq "$2" ] || {
        echo "exit status $2, expected $1: $3 $4 $5 $6 $7"
        cat "$TMP/err"
        return 1
    }
}

# works COMMAND...: exit status 0, and nothing on standard error.
works() {
    "$@" >"$TMP/out" 2>"$TMP/err"
    status 0 $? "$@" && has_none . "$TMP/err"
}

# differs COMMAND...: exit status 1, and nothing on standard error.
differs() {
    "$@" >"$TMP/out" 2>"$TMP/err"
    status 1 $? "$@" && has_none . "$TMP/err"
}

# refuses REGEX COMMAND...: exit status 3, and one line on standard error: the program's name, and what REGEX fits.
refuses() {
    _regex=$1
    shift
    "$@" >"$TMP/out" 2>"$TMP/err"
    status 3 $? "$@" && is_one_line "$TMP/err" && has "^$_program: $_regex\$" "$TMP/err"
}

# misused REGEX COMMAND...: exit status 2, what is wrong, where there is help, and nothing else.
misused() {
    _regex=$1
    shift
    "$@" >"$TMP/out" 2>"$TMP/err"
    status 2 $? "$@" && has "^$_program: $_regex\$" "$TMP/err" && has "^Try '$_program --help'\.\$" "$TMP/err" &&
        [ "$(wc -l <"$TMP/err")" -eq 2 ] && has_none . "$TMP/out"
}

is_one_line() {
    [ "$(wc -l <"$1")" -eq 1 ] || {
        echo "not one line:"
        cat "$1"
        return 1
    }
}

# has REGEX [FILE], has_none REGEX [FILE]: is there a line that it fits? FILE is what was put out, if not given.
has() {
    grep -qE -e "$1" "${2:-$TMP/out}" || {
        echo "nothing fits '$1' in:"
        head -20 "${2:-$TMP/out}"
        return 1
    }
}
has_none() {
    ! grep -E -m 5 -e "$1" "${2:-$TMP/out}" || {
        echo "(this should not be there)"
        return 1
    }
}

# put_out FILE: what was put out is what is in FILE ("-": standard input).
put_out() {
    command diff "$1" "$TMP/out"
}

# lines COUNT REGEX [FILE]: so many lines fit.
lines() {
    _count=$(grep -cE -e "$2" "${3:-$TMP/out}")
    [ "$_count" -eq "$1" ] || {
        echo "$_count lines fit '$2', expected $1"
        return 1
    }
}

# json EXPRESSION...: what was put out is JSON, and each expression of Python, where it is called j, is true.
json() {
    "$python" - "$TMP/out" "$@" <<'end'
import json, sys
j = json.load(open(sys.argv[1]))
def fields(name, instance=0):
    return next(e["fields"] for e in j["elements"] if (e.get("section"), e.get("instance")) == (name, instance))
def block(name):
    return next(b for b in j["ram"] if b["block"] == name)
wrong = [e for e in sys.argv[2:] if not eval(e, globals())]
sys.exit("not so: " + "; ".join(wrong) if wrong else 0)
end
}

# flip FILE OFFSET NEW: makes NEW of FILE, with one bit of one octet turned over.
flip() {
    _octet=$(od -An -tu1 -j "$2" -N1 "$1" | tr -d ' ')
    cp "$1" "$3"
    # shellcheck disable=SC2059
    printf "$(printf '\\%03o' $((_octet ^ 1)))" | dd of="$3" bs=1 seek="$2" conv=notrunc status=none
}

# size FILE
size() {
    wc -c <"$1" | tr -d ' '
}

# untouched FILE COMMAND...: the command fails with status 3, makes no FILE, leaves one that was there as it was, and
# leaves nothing beside it.
untouched() {
    _file=$1
    shift
    _dir=$(dirname "$_file")
    rm -f "$_file"
    _before=$(ls "$_dir")
    "$@" >"$TMP/out" 2>"$TMP/err"
    status 3 $? "$@" || return
    [ "$(ls "$_dir")" = "$_before" ] || {
        echo "left behind:"
        ls "$_dir"
        return 1
    }
    echo 'what was there' >"$_file"
    "$@" >"$TMP/out" 2>"$TMP/err"
    status 3 $? "$@" && [ "$(cat "$_file")" = 'what was there' ]
}

# on_terminal COMMAND: runs the line with all output on a terminal, and passes that on.
on_terminal() {
    script -qec "$1" /dev/null </dev/null
}
