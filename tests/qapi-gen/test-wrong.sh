#!/bin/sh
# Schemas that are wrong: what qapi-gen says of each, to the letter. They are in wrong.cases:
#
#   === a name that is a sentence
#   text of schema.json; a line "+++ NAME" begins another file
#   --- what is said, without the directory
#
# Documentation is not required, by a pragma in line 1 of schema.json that is not shown; with "==!" it is, and line 1 is
# the first that is shown.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh

awk -v dir="$TMP" '
    /^===|^==!/ {
        number++
        folder = sprintf("%s/case-%03d", dir, number)
        system("mkdir -p " folder)
        file = folder "/schema.json"
        print substr($0, 5) >(folder "/name")
        printf "%s", /^===/ ? "{ \047pragma\047: { \047doc-required\047: false } }\n" : "" >file
        next
    }
    /^[+][+][+] / { file = folder "/" $2; printf "" >file; next }
    /^--- / { print substr($0, 5) >(folder "/said"); next }
    number { print >file }' tests/qapi-gen/wrong.cases

# It says that, ends with status 1, and has written nothing.
is_said() {
    (cd "$1" && expect 1 "$OLDPWD/$BIN/qapi-gen" --output=out schema.json) >"$TMP/out" 2>"$TMP/err" || {
        cat "$TMP/out" "$TMP/err"
        return 1
    }
    diff "$1/said" "$TMP/err" && [ ! -s "$TMP/out" ] && [ ! -e "$1/out" ]
}

for folder in "$TMP"/case-*; do
    case_ "$(cat "$folder/name")" is_said "$folder"
done

a_file_that_is_not_there() {
    expect 1 "$BIN/qapi-gen" --check "$TMP/none.json" 2>"$TMP/err"
    grep -q "^cannot read '.*none.json': No such file" "$TMP/err"
}
octets_that_are_no_text() {
    printf '# fine\n# \377\n' >"$TMP/octets.json"
    expect 1 "$BIN/qapi-gen" --check "$TMP/octets.json" 2>"$TMP/err"
    grep -q "octets.json:2: octet 0xff is not UTF-8" "$TMP/err"
}
usage() { # words...
    expect 2 "$BIN/qapi-gen" "$@" 2>"$TMP/err" && grep -q "^Try 'qapi-gen --help'" "$TMP/err"
}
case_ 'a schema that is not there is told' a_file_that_is_not_there
case_ 'octets that are no UTF-8 are told with their line' octets_that_are_no_text
case_ 'without a schema it is used wrongly' usage --check
case_ 'with two schemas it is used wrongly' usage --check a b
case_ 'with nowhere to write to it is used wrongly' usage a
case_ 'it does not both check and write' usage --check --output="$TMP/o" a
plan
