#!/bin/sh
# Do the programs, their --help and their manual pages agree?
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

programs='vmstate-dump vmstate-convert vmstate-diff vmstate-check'
page() {
    echo "tools/$1/$1.1"
}

# The options of the page: those of the list, one a line; with "=" if they have an argument.
page_options() {
    sed -n '/^\.Sh OPTIONS/,/^\.Sh OUTPUT/p' "$(page "$1")" |
        sed -nE 's/^\.It Fl (h , )?-([a-z-]+)( Ns = Ns Ar .*)?$/\2\3/p' | sed 's/ Ns = Ns Ar .*/=/' | sort
}
synopsis_options() {
    sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' "$(page "$1")" | tr '|' '\n' | sed 's/ *$//' |
        sed -nE 's/^(\.Op Fl|\.Fl)? *-([a-z-]+)( Ns = Ns (Ar|Cm) .*)?$/\2\3/p' | sed -E 's/ Ns = Ns .*/=/' | sort -u
}
help_options() {
    "$BIN/$1" --help | sed -nE 's/^  (-h, )?--([a-z-]+=?).*/\2/p' | sort
}

page_has_help() {
    help_options "$1" >"$TMP/help"
    page_options "$1" >"$TMP/page"
    [ -s "$TMP/help" ] && command diff "$TMP/help" "$TMP/page"
}
synopsis_has_page() {
    page_options "$1" >"$TMP/page"
    synopsis_options "$1" >"$TMP/synopsis"
    [ -s "$TMP/page" ] && command diff "$TMP/page" "$TMP/synopsis"
}

# Each option is taken as the page says: with an argument or without.
takes_page() {
    for option in $(page_options "$1"); do
        case $option in
        help | version) works "$BIN/$1" "--$option" || return ;;
        *=) misused 'Missing argument for --.*' "$BIN/$1" "--${option%=}" || return ;;
        *) misused "--$option takes no argument" "$BIN/$1" "--$option=x" a b || return ;;
        esac
    done
}

help_is_short() {
    works "$BIN/$1" --help && has '^Usage:' && has "^  $1 " && has "^See $1\\(1\\)\.\$" && has_none '.{101}' &&
        cp "$TMP/out" "$TMP/long" && works "$BIN/$1" -h && put_out "$TMP/long"
}
version_is_told() {
    works "$BIN/$1" --version && is_one_line "$TMP/out" && has "^$1 \(ferry\) [0-9]+\.[0-9]+\$"
}
# --help shows the exit statuses of the page, and no other.
statuses_agree() {
    sed -n '/^\.Sh EXIT STATUS/,/^\.El/s/^\.It \([0-9]\)$/\1/p' "$(page "$1")" >"$TMP/page"
    "$BIN/$1" --help | sed -n '/^Exit status:/p' | grep -oE '[0-9]' >"$TMP/help"
    [ -s "$TMP/page" ] && command diff "$TMP/page" "$TMP/help"
}
knows_no_other() {
    misused 'Unknown option --no-such-option' "$BIN/$1" --no-such-option a b &&
        misused 'Unknown option -x' "$BIN/$1" -x a b &&
        misused 'too few arguments: .*' "$BIN/$1" && misused 'too many arguments: .*' "$BIN/$1" a b c
}
# What stands behind "--" is no option.
ends_options() {
    case $1 in
    vmstate-dump) refuses '--help: cannot open: .*' "$BIN/$1" -- --help ;;
    vmstate-convert) refuses '--help: cannot open: .*' "$BIN/$1" --to=ber -- --help x ;;
    *) refuses '--help: cannot open: .*' "$BIN/$1" -- --help --version ;;
    esac
}

# takes OPTION WORDS COMMAND...: each of the words works.
takes() {
    _option=$1 _words=$2
    shift 2
    for _word in $_words; do
        works "$@" "$_option=$_word" || return
    done
}
# The words that the page lists are taken, and no other.
words_are_those() {
    a=traces/e-tcg-min.mig.xz
    case $1 in
    vmstate-dump)
        set -- "$dump" --section=timer
        takes --format 'pretty json summary' "$@" $a && takes --color 'always never auto' "$@" $a &&
            takes --channel-kind machine "$@" $a || return
        for kind in multifd preempt recovery return-path; do
            # it is not that, but the word is known
            refuses '.*' "$@" --channel-kind=$kind $a || return
        done
        misused "--format takes pretty, json or summary, not 'xml'" "$@" --format=xml $a &&
            misused "--channel-kind takes .*, not 'ram'" "$@" --channel-kind=ram $a &&
            misused "--color takes auto, always or never, not 'yes'" "$@" --color=yes $a &&
            misused "'1X' is no size: .*" "$@" --ram=x --ram-below=1X $a &&
            misused '--ram-below=5000: not a multiple .*' "$@" --ram=x --ram-below=5000 $a &&
            misused '--channel goes with --ram or --core' "$@" --channel=x $a &&
            misused '--partial goes with --ram or --core' "$@" --partial $a
        ;;
    vmstate-convert)
        set -- "$convert" $a "$TMP/y"
        misused "--to takes ber or qemufile, not 'json'" "$@" --to=json &&
            misused '--to takes ber or qemufile, not .*' "$@" &&
            misused "--compress takes none or zstd, not 'lzma'" "$@" --to=ber --compress=lzma &&
            misused '--level takes 1 to 19, not 20' "$@" --to=ber --level=20 &&
            misused '--level takes 1 to 19, not -1' "$@" --to=ber --level=-1 &&
            misused '--level takes 1 to 19, not 0' "$@" --to=ber --level=0 &&
            misused '--compress and --level go with --to=ber' "$@" --to=qemufile --compress=zstd &&
            misused '--compress and --level go with --to=ber' "$@" --to=qemufile --level=1 &&
            misused '--verify goes with --to=ber' "$@" --to=qemufile --verify &&
            misused '--verify needs a regular file to write to' "$convert" --to=ber --verify $a - &&
            [ ! -e "$TMP/y" ] && takes --to 'ber qemufile' "$@" && set -- "$@" --to=ber &&
            takes --compress 'none zstd' "$@" && takes --level '1 19' "$@" --compress=zstd
        ;;
    *)
        set -- "$BIN/$1" $a $a
        takes --format 'pretty json' "$@" && takes --color 'always never auto' "$@" &&
            misused "--format takes pretty or json, not 'summary'" "$@" --format=summary &&
            misused "--color takes auto, always or never, not ''" "$@" --color= || return
        case $1 in
        *check) takes --loader 'name position' "$@" && misused "--loader takes .*, not 'x'" "$@" --loader=x ;;
        esac
        ;;
    esac
}

# In a directory of their own, where the programs are found, and the recordings.
examples_work() {
    here=$PWD
    mkdir "$TMP/examples" && cd "$TMP/examples" && ln -s "$here/traces" traces &&
        PATH=$(cd "$here" && cd "$BIN" && pwd):$PATH "$python" "$here/tests/tools/examples.py" "$here/$1"
    status=$?
    rm -rf "$TMP/examples"
    return "$status"
}

for p in $programs; do
    case_ "$p: --help and the manual page have the same options, with and without argument" page_has_help "$p"
    case_ "$p: the synopsis of the manual page has all options" synopsis_has_page "$p"
    case_ "$p: options take an argument if the page says so" takes_page "$p"
    case_ "$p: options take the words that the page lists, and refuse others" words_are_those "$p"
    case_ "$p: --help tells how to call it, in lines that fit, and -h is the same" help_is_short "$p"
    case_ "$p: --version is one line" version_is_told "$p"
    case_ "$p: --help and the manual page tell the same exit statuses" statuses_agree "$p"
    case_ "$p: other options, and too few or too many arguments, are refused" knows_no_other "$p"
    case_ "$p: a file may have the name of an option, behind --" ends_options "$p"
    if command -v gdb >/dev/null || ! grep -q '^\$ gdb' "$(page "$p")"; then
        case_ "$p: the examples of the manual page do what it says" examples_work "$(page "$p")"
    else
        skip_ "$p: the examples of the manual page do what it says" 'no gdb'
    fi
done
if command -v gdb >/dev/null; then
    case_ 'the examples of README.md do what it says' examples_work README.md
else
    skip_ 'the examples of README.md do what it says' 'no gdb'
fi
plan
