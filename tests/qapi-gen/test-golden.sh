#!/bin/sh
# What qapi-gen makes of a schema that has everything, held against golden/; and that it is good C, mdoc, HTML and JSON.
# "tests/qapi-gen/test-golden.sh --update" writes the goldens anew (then look at the difference).
BIN=${BIN:-build/bin}
here=tests/qapi-gen
if [ "$1" = --update ]; then
    made=$(mktemp -d) && "$BIN/qapi-gen" --output="$made" $here/schema/everything.json || exit 1
    mkdir -p $here/golden
    for file in "$made"/*; do
        cp "$file" "$here/golden/${file##*/}.golden"
    done
    rm -rf "$made"
    exit
fi
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh

generate() { # folder
    "$BIN/qapi-gen" --output="$1" $here/schema/everything.json
}
is_golden() {
    for file in "$TMP"/made/qapi/*; do
        diff -u "$here/golden/${file##*/}.golden" "$file" || return
    done
    [ "$(ls "$TMP/made/qapi" | wc -l)" -eq "$(ls $here/golden | wc -l)" ]
}
touches_nothing() {
    touch -d '1 hour ago' "$TMP"/made/qapi/* && touch -d '30 minutes ago' "$TMP/then" && generate "$TMP/made/qapi" &&
        [ -z "$(find "$TMP/made/qapi" -type f -newer "$TMP/then")" ]
}
writes_what_changed() {
    echo '/* changed */' >>"$TMP/made/qapi/types.h" && touch -d '1 hour ago' "$TMP"/made/qapi/* &&
        generate "$TMP/made/qapi" && [ "$(find "$TMP/made/qapi" -type f -newer "$TMP/then")" = "$TMP/made/qapi/types.h" ] &&
        is_golden
}
# From another directory, too, all is the same: no path and no time is in it.
is_the_same_elsewhere() {
    cp -r $here/schema "$TMP/elsewhere" && (cd "$TMP/elsewhere" && "$OLDPWD/$BIN/qapi-gen" --output=../there everything.json) &&
        diff -r "$TMP/there" "$TMP/made/qapi"
}
compiles() { # compiler flags...
    for file in "$TMP"/made/qapi/*.c; do
        "$@" -std=gnu11 -fsyntax-only -I. -I"$TMP/made" -Wall -Wextra -Werror -Wshadow -Wundef -Wstrict-prototypes \
            -Wmissing-prototypes -Wold-style-definition -Wwrite-strings $(pkg-config --cflags glib-2.0) "$file" || return
    done
}
is_clean_mdoc() {
    mandoc -T lint "$TMP/made/qapi/qmp-reference.7" | grep -v 'unknown manual section'
    [ $? -eq 1 ] && mandoc -T utf8 "$TMP/made/qapi/qmp-reference.7" | col -b >"$TMP/page" &&
        grep -q 'CrateInfo (struct)' "$TMP/page" && grep -q 'old-name (str, optional, deprecated, unstable)' "$TMP/page"
}
only_glib() {
    readelf -d "$BIN/qapi-gen" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p' | grep -vE '^lib(glib-2\.0|c)\.so' && return 1
    [ -z "$(objdump -t "$BUILD"/tools/qapi-gen/*.o |
        awk '$3 == "O" && $4 ~ /^\.(data|bss|tdata|tbss)/ && $4 !~ /^\.data\.rel\.ro/')" ]
}
the_control_plane_is_fine() {
    "$BIN/qapi-gen" --check emu/qmp/schema/ferry.json
}

mkdir "$TMP/made"
case_ 'a schema that has everything is taken' generate "$TMP/made/qapi"
case_ 'what is made of it is as it was' is_golden
case_ 'made again, nothing is touched' touches_nothing
case_ 'a file that has changed is written again, and it alone' writes_what_changed
case_ 'it is the same from another directory' is_the_same_elsewhere
for compiler in gcc clang; do
    case_ "$compiler finds nothing in it" compiles $compiler
    case_ "$compiler finds nothing in it with CONFIG_SECRETS" compiles $compiler -DCONFIG_SECRETS
    case_ "$compiler finds nothing in it with other conditions" compiles $compiler -DCONFIG_SECRETS -DCONFIG_OPEN
done
case_ 'mandoc finds nothing in the manual' is_clean_mdoc
case_ 'the page is well-formed, and its links lead to something' python3 $here/page.py "$TMP/made/qapi/qmp-reference.html"
case_ 'what shells complete is there' python3 $here/completion.py "$TMP/made/qapi/completion.json"
case "$BIN" in
build/bin) case_ 'the program needs GLib only, and has no state' only_glib ;;
*) skip_ 'the program needs GLib only, and has no state' 'it has sanitizers' ;;
esac
case_ 'the schema of the control plane is taken' the_control_plane_is_fine
plan
