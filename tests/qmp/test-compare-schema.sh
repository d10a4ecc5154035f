#!/bin/sh
# compare-schema.py: what it sees of two schemas that differ in one known thing.
# shellcheck disable=SC2015 # A && B || complain
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh

compare=tests/qmp/compare-schema.py
: >"$TMP/nothing"

# One of each kind; a drive may have another behind it. An entry a line, so that sed can change one.
cat >"$TMP/base" <<'END'
{"return": [
{"name": "drive", "meta-type": "command", "arg-type": "0", "ret-type": "7", "features": ["unstable"]},
{"name": "GONE", "meta-type": "event", "arg-type": "1"},
{"name": "0", "meta-type": "object", "members": [{"name": "node", "type": "5"}, {"name": "deep", "type": "2"}]},
{"name": "1", "meta-type": "object", "members": []},
{"name": "2", "meta-type": "object", "tag": "driver", "variants": [{"case": "raw", "type": "1"}, {"case": "cow", "type": "3"}],
 "members": [{"name": "driver", "type": "4"}, {"name": "behind", "type": "2", "default": null}]},
{"name": "3", "meta-type": "object", "members": [{"name": "size", "type": "int", "default": null}]},
{"name": "4", "meta-type": "enum", "members": [{"name": "raw"}, {"name": "cow"}], "values": ["raw", "cow"]},
{"name": "5", "meta-type": "alternate", "members": [{"type": "2"}, {"type": "str"}]},
{"name": "7", "meta-type": "array", "element-type": "3"},
{"name": "int", "meta-type": "builtin", "json-type": "int"},
{"name": "str", "meta-type": "builtin", "json-type": "string"}
]}
END

# says STATUS 'LINE'... -- PROGRAM...: the status, and what is printed but for the summary, in any order.
says() {
    _status=$1
    shift
    : >"$TMP/wanted"
    while [ "$1" != -- ]; do
        echo "$1" >>"$TMP/wanted"
        shift
    done
    shift
    "$@" >"$TMP/out" 2>&1
    _got=$?
    grep -v '^#' "$TMP/out" | sort >"$TMP/said"
    sort "$TMP/wanted" | diff - "$TMP/said" && [ $_got -eq "$_status" ] || {
        echo "exit status $_got, expected $_status"
        return 1
    }
}

# sees SED 'LINE'...: the program's own schema, changed so, has these differences.
sees() {
    sed "$1" "$TMP/base" >"$TMP/changed"
    cmp -s "$TMP/base" "$TMP/changed" && echo "sed has changed nothing" && return 1
    shift
    says 1 "$@" -- $compare "$TMP/changed" "$TMP/base" "$TMP/nothing"
}

# Numbers of types differ from program to program.
renumbered() {
    sed 's/"\([0-7]\)"/"1\1"/g' "$TMP/base" >"$TMP/renumbered"
    says 0 -- $compare "$TMP/renumbered" "$TMP/base" "$TMP/nothing"
}

# allowed STATUS 'LINE' PRINTED...: with this line in the list, for one member that is missing.
allowed() {
    _wanted=$1
    sed 's/{"name": "size".*}\]/]/' "$TMP/base" >"$TMP/changed"
    echo "$2" >"$TMP/list"
    shift 2
    says "$_wanted" "$@" -- $compare "$TMP/changed" "$TMP/base" "$TMP/list"
}

case_ 'schemas that are the same but for the names of types do not differ' renumbered
case_ 'a member that is missing is seen in all places, but in a list of itself' \
    sees '/"name": "3"/s/{"name": "size".*}\]/]/' \
    'drive return[].size: only in QEMU' 'drive args.deep(driver=cow).size: only in QEMU'
case_ 'a member more is seen' \
    sees '/"name": "3"/s/\[{/[{"name": "more", "type": "int"}, {/' \
    'drive return[].more: only in Ferry' 'drive args.deep(driver=cow).more: only in Ferry'
case_ 'a member that must be there and need not be differ' \
    sees '/"name": "3"/s/, "default": null//' \
    'drive return[].size: optional only in QEMU' 'drive args.deep(driver=cow).size: optional only in QEMU'
case_ 'another type is seen' \
    sees '/"name": "7"/s/"3"/"str"/' 'drive return[]: string in Ferry, object in QEMU'
case_ 'a word of an enumeration is seen, and its branch is no second difference' \
    sees 's/{"name": "cow"}/{"name": "cat"}/; s/"case": "cow"/"case": "cat"/' \
    "drive args.deep.driver='cow': only in QEMU" "drive args.deep.driver='cat': only in Ferry"
case_ 'a branch without members and one with some differ by these' \
    sees 's/"case": "cow", "type": "3"/"case": "cow", "type": "1"/' \
    'drive args.deep(driver=cow).size: only in QEMU'
case_ 'another tag is seen' \
    sees 's/"tag": "driver"/"tag": "kind"/; s/{"name": "driver"/{"name": "kind"/' \
    'drive args.deep.driver: only in QEMU' 'drive args.deep.kind: only in Ferry' \
    'drive args.deep: the tag is kind in Ferry, driver in QEMU'
case_ 'what an alternate may not be is seen' \
    sees '/alternate/s/, {"type": "str"}//' 'drive args.node|string: only in QEMU'
case_ 'features are seen' sees 's/"unstable"/"deprecated"/' \
    'drive!unstable: only in QEMU' 'drive!deprecated: only in Ferry'
case_ 'a command that goes out of band is seen' \
    sees 's/"ret-type": "7"/"ret-type": "7", "allow-oob": true/' 'drive: out of band only in Ferry'
case_ "an event's data are seen" sees '/GONE/s/"1"/"3"/' 'GONE data.size: only in Ferry'
case_ 'commands that only one side has do not matter' \
    says 0 -- sh -c "sed '/GONE/d' '$TMP/base' >'$TMP/less'; $compare '$TMP/less' '$TMP/base' '$TMP/nothing'"
case_ 'a difference with a reason is allowed' allowed 0 'drive *.size: only in QEMU  # no sizes'
case_ 'the reasons can be printed' \
    says 0 'drive args.deep(driver=cow).size: only in QEMU  # no sizes' \
    'drive return[].size: only in QEMU  # no sizes' -- $compare --all "$TMP/changed" "$TMP/base" "$TMP/list"
case_ 'what a reason is not for is still told' \
    allowed 1 'drive return[].size: only in QEMU  # no sizes' 'drive args.deep(driver=cow).size: only in QEMU'
case_ 'a reason without a difference is told' \
    allowed 1 'drive *.size: only in Ferry  # sizes' \
    'drive return[].size: only in QEMU' 'drive args.deep(driver=cow).size: only in QEMU' \
    "$TMP/list:1: there is no such difference: drive *.size: only in Ferry"
case_ 'a line without a reason is refused' \
    allowed 1 'drive *.size: only in QEMU' "$TMP/list:1: no reason is given"
plan
