#!/bin/sh
# libqmp as others see it: what it shows, what it needs, and a program that is compiled against what is installed.
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/libqmp/common.sh
. tests/libqmp/common.sh
config=$(basename "$BUILD")
case $config in
release) lib=build/lib ;;
*) lib=$BUILD/lib ;;
esac
make -s --no-print-directory CONFIG="$config" install-libqmp DESTDIR="$TMP/there" PREFIX=/opt/ferry >"$TMP/make.log" 2>&1 || {
    cat "$TMP/make.log"
    exit 1
}
inside=$TMP/there/opt/ferry
flags() { # option...
    PKG_CONFIG_PATH=$inside/lib/pkgconfig pkg-config "$@" libqmp | sed "s|/opt/ferry|$inside|g"
}

# Names that one can link to.
shown() {
    nm -D --defined-only "$lib/libqmp.so.0" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort
}
shows_its_headers() {
    shown >"$TMP/shown"
    grep -q libqmp_session_new_libvirt "$TMP/shown" && ! grep -vE '^(libqmp|qmp|qapi)_' "$TMP/shown" &&
        find "$inside/include" -name '*.h' -exec cat {} + | grep -oE '\b(libqmp|qmp|qapi)_[A-Za-z0-9_]+' | sort -u >"$TMP/declared" &&
        [ -z "$(comm -23 "$TMP/shown" "$TMP/declared")" ]
}
# Each function that libqmp.h declares can be linked to.
has_its_headers() {
    shown >"$TMP/shown"
    sed -nE 's/^[a-zA-Z].*[ *](libqmp_[a-z_]+)\(.*/\1/p' "$inside/include/ferry/libqmp.h" | sort -u >"$TMP/declared"
    [ "$(wc -l <"$TMP/declared")" -gt 30 ] && [ -z "$(comm -13 "$TMP/shown" "$TMP/declared")" ]
}
static_shows_the_same() {
    shown >"$TMP/shown"
    nm --defined-only -g "$lib/libqmp.a" | awk 'NF == 3 { print $3 }' | grep -v '^__\|^$' | sort | diff "$TMP/shown" -
}
changes_nothing() {
    objdump -t "$lib/libqmp.a" | awk '$3 == "O" && $4 ~ /^\.(data|bss|tdata|tbss)/ && $4 !~ /^\.data\.rel\.ro/ { print; bad = 1 }
        END { exit bad }'
}
needs_little() {
    objdump -p "$lib/libqmp.so.0" | sed -n 's/^ *NEEDED *//p' >"$TMP/needs"
    grep -q libjansson "$TMP/needs" && ! grep -vE '^lib(c|m|pthread|glib-2.0|jansson|xxhash|virt|virt-qemu|asan|ubsan|tsan)\.so' "$TMP/needs"
}
strict='-std=c11 -Wall -Wextra -Wpedantic -Wno-overlength-strings -Werror'
compiles() {
    # shellcheck disable=SC2046,SC2086 # words
    (cd "$TMP" && ${CC:-cc} $strict $SANITIZE "$OLDPWD/tests/libqmp/outside.c" -o outside $(flags --cflags --libs))
}
compiles_statically() {
    # shellcheck disable=SC2046,SC2086
    (cd "$TMP" && ${CC:-cc} $strict $SANITIZE "$OLDPWD/tests/libqmp/outside.c" -o outside-static $(flags --cflags) \
        "$inside/lib/libqmp.a" $(flags --static --libs | sed 's/-lqmp//'))
}
# Each header stands on its own, and in C++.
headers_stand_alone() {
    (cd "$inside/include/ferry" && find . -name '*.h') | while read -r header; do
        # shellcheck disable=SC2046,SC2086
        echo "#include \"$header\"" | ${CC:-cc} $strict -x c -fsyntax-only - $(flags --cflags) || return 1
    done
}
runs() { # program
    start_qemu || return
    LD_LIBRARY_PATH=$inside/lib "$1" "$TMP/qmp" >"$TMP/out"
    status=$?
    end_qemu
    printf 'running running 7\nSTOP\n' | diff - "$TMP/out" && return $status
}

case_ 'the shared library shows what its headers have' shows_its_headers
case_ 'what libqmp.h declares is there' has_its_headers
if [ "$config" = release ] || [ "$config" = debug ]; then
    case_ 'the static library shows the same' static_shows_the_same
    case_ 'it has no variable that changes' changes_nothing
else
    skip_ 'the static library shows the same' "CONFIG=$config adds names"
fi
case_ 'it needs GLib, jansson and what it talks to' needs_little
case $config in
asan) SANITIZE=-fsanitize=address,undefined ;;
tsan) SANITIZE=-fsanitize=thread ;;
coverage) SANITIZE=--coverage ;;
esac
case_ 'each header stands alone' headers_stand_alone
case_ 'a program outside the tree compiles' compiles
case_ 'one that has it in itself, too' compiles_statically
if [ -n "$qemu" ]; then
    case_ 'it runs' runs "$TMP/outside"
    case_ 'the other runs' runs "$TMP/outside-static"
else
    skip_ 'they run' 'qemu-system-x86_64 is not installed'
fi
plan
