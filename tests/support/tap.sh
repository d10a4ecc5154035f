# tap.sh: for test scripts in sh. Source it, call `case_` for each case, and `plan` at the end.
#
#   case_ "a name that is a sentence" command...     passes if the command does
#   skip_ "name" "reason"
#
# $BIN has the programs; $TMP is a directory of the test's own, which is removed.
TMP=$(mktemp -d) || exit 1
trap 'rm -rf "$TMP"' EXIT
_number=0
_failed=0

case_() {
    _number=$((_number + 1))
    _name=$1
    shift
    if ("$@") >"$TMP/.out" 2>&1; then
        echo "ok $_number - $_name"
    else
        _failed=$((_failed + 1))
        echo "not ok $_number - $_name"
        sed 's/^/# /' "$TMP/.out" | head -40
    fi
}

skip_() {
    _number=$((_number + 1))
    echo "ok $_number - $1 # SKIP $2"
}

plan() {
    echo "1..$_number"
    [ "$_failed" -eq 0 ]
}

# expect STATUS command...: succeeds if the command's exit status is that.
expect() {
    _want=$1
    shift
    "$@"
    _got=$?
    [ "$_got" -eq "$_want" ] || {
        echo "exit status $_got, expected $_want: $*"
        return 1
    }
}
