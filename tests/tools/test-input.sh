#!/bin/sh
# What the programs make of their input: packed, in a libvirt file, cut, damaged, hostile, or not a stream at all.
# shellcheck disable=SC2015,SC2002 # A && B || complain; pipes are tested
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

a=traces/a-kvm-min.mig.xz

libvirt() {
    "$python" tests/tools/libvirt.py "$@"
}
damage() {
    "$python" tests/tools/damage.py "$@"
}
# same FILE: it dumps as the recording, but for the comments at the head.
same() {
    [ -f "$TMP/there" ] || "$dump" $a | grep -v '^#' >"$TMP/there"
    works "$dump" "$1" && grep -v '^#' "$TMP/out" | command diff "$TMP/there" - | head -5 >"$TMP/difference" && has_none . "$TMP/difference"
}

# --- packed ---------------------------------------------------------------------------------------------------------

packed() {
    $1 -c <"$(raw a-kvm-min.mig)" >"$TMP/packed" && same "$TMP/packed" && works "$diff" --ram "$TMP/packed" $a &&
        works "$check" --strict "$TMP/packed" $a && $1 -c <"$(ber a-kvm-min.mig)" >"$TMP/packed.ber" && same "$TMP/packed.ber" &&
        works "$dump" - <"$TMP/packed" && cat "$TMP/packed" | works "$dump" --section=timer -
}
packed_and_cut() {
    $1 -c <"$(raw a-kvm-min.mig)" >"$TMP/packed"
    for part in 1 2 3; do
        head -c $(($(size "$TMP/packed") * part / 4)) "$TMP/packed" >"$TMP/cut"
        refuses '.*/cut: .*' "$dump" "$TMP/cut" && untouched "$TMP/x.ber" "$convert" --to=ber "$TMP/cut" "$TMP/x.ber" || return
    done
}
packed_twice() {
    gzip -c <$a >"$TMP/twice" && same "$TMP/twice" && cp "$(raw a-kvm-min.mig)" "$TMP/many" || return
    for _ in 1 2 3 4 5 6; do
        gzip -c <"$TMP/many" >"$TMP/more" && mv "$TMP/more" "$TMP/many"
    done
    refuses '.*/many: the file is packed more than 4 times over' "$dump" "$TMP/many"
}
packed_otherwise() {
    printf 'hello, world\n' | gzip -c >"$TMP/text.gz" && refuses '.*text\.gz: this is no VM state: it starts with "hello, world.*' "$dump" "$TMP/text.gz" &&
        : | gzip -c >"$TMP/empty.gz" && refuses '.*empty\.gz: the file is empty' "$dump" "$TMP/empty.gz"
}
pipes() {
    file=$(raw a-kvm-min.mig) && mkfifo "$TMP/pipe" || return
    cat "$file" >"$TMP/pipe" &
    same "$TMP/pipe" && wait $! || return
    # in small pieces, as a socket has them
    "$python" -c 'import os, sys
data = open(sys.argv[1], "rb").read()
for i in range(0, len(data), 997): os.write(1, data[i:i + 997])' "$file" | works "$dump" - && grep -v '^#' "$TMP/out" | cmp - "$TMP/there" &&
        mkdir "$TMP/temporary" && cat "$file" | TMPDIR=$TMP/temporary works "$dump" - && [ -z "$(ls -A "$TMP/temporary")" ] &&
        cat "$file" | TMPDIR=$TMP/nowhere refuses '.*nowhere.*' "$dump" - && TMPDIR=$TMP/nowhere works "$dump" "$file"
}
# Who opens it, looks at it and opens it again has lost its writer, if that was quick; then this would wait for ever.
pipe_once() {
    file=$(raw a-kvm-min.mig) && mkfifo "$TMP/once" || return
    for i in $(seq 40); do
        cat "$file" >"$TMP/once" 2>/dev/null &
        timeout 20 "$dump" "$TMP/once" >/dev/null 2>"$TMP/err" && wait $! || {
            kill $! 2>/dev/null
            echo "time $i: $(cat "$TMP/err")"
            return 1
        }
    done
}

# --- no stream ------------------------------------------------------------------------------------------------------

# each_refuses REGEX FILE: all programs do.
each_refuses() {
    refuses "$1" "$dump" "$2" && has_none . && refuses "$1" "$diff" "$2" $a && refuses "$1" "$diff" $a "$2" && refuses "$1" "$check" "$2" $a &&
        refuses "$1" "$check" $a "$2" && refuses "$1" "$convert" --to=ber "$2" "$TMP/never" && refuses "$1" "$dump" --schema-from="$2" $a &&
        refuses "$1" "$dump" --ram="$TMP/never" "$2" && [ ! -e "$TMP/never" ]
}
not_a_stream() {
    : >"$TMP/empty" && each_refuses '.*/empty: the file is empty' "$TMP/empty" && printf 'Hello, \033[31mworld\n' >"$TMP/text" &&
        each_refuses '.*/text: this is no VM state: it starts with "Hello, .x1b.31mwo.*' "$TMP/text" &&
        each_refuses '.*: .*[Ii]s a directory' "$TMP" && each_refuses '.*/not-there: cannot open: No such file or directory' "$TMP/not-there" &&
        printf 'QFI\373\0\0\0\3' >"$TMP/qcow2" && each_refuses '.*/qcow2: header offset 0: the file has 8 octets, a header has at least 72' "$TMP/qcow2" &&
        refuses 'standard input: this is a qcow2 image: it can be read only from a file, and not packed' "$dump" - <"$TMP/qcow2" &&
        head -c 100000 /dev/zero >"$TMP/zeros" && each_refuses '.*/zeros: .*' "$TMP/zeros" &&
        printf 'QEVM\0\0\0\2' >"$TMP/old" && refuses '.*/old: .*version 2, this program reads 3' "$dump" "$TMP/old"
}
no_permission() {
    cp $a "$TMP/secret" && chmod 0 "$TMP/secret" && each_refuses '.*/secret: cannot open: Permission denied' "$TMP/secret"
}

# --- libvirt --------------------------------------------------------------------------------------------------------

libvirt_plain() {
    for more in magic=Save magic=Part order='>' version=1 'xml=' "xml=$(printf '%070000d' 0)"; do
        libvirt "$(raw a-kvm-min.mig)" "$TMP/save" "$more" && same "$TMP/save" && works "$dump" - <"$TMP/save" && cat "$TMP/save" | works "$dump" - || {
            echo "$more" | cut -c1-30
            return 1
        }
    done
    libvirt "$(raw a-kvm-min.mig)" "$TMP/save" running=1 magic=Part && works "$dump" --format=json "$TMP/save" &&
        json 'j["stream"]["libvirt"] == {"version": 2, "packed": "raw", "was-running": True, "partial": True}' \
            "j['stream']['start'] == 92 + 47" && works "$dump" "$TMP/save" && has '^# in a libvirt save file, stream at 0x8b, packed: raw$' &&
        libvirt "$(raw a-kvm-min.mig)" "$TMP/save" running=0 && works "$dump" --format=json "$TMP/save" &&
        json 'j["stream"]["libvirt"] == {"version": 2, "packed": "raw", "was-running": False, "partial": False}' &&
        works "$diff" --ram "$TMP/save" $a && works "$check" --strict $a "$TMP/save" && works "$convert" --to=ber --verify "$TMP/save" "$TMP/x.ber" &&
        works "$convert" --to=qemufile "$TMP/x.ber" "$TMP/back" && cmp "$(raw a-kvm-min.mig)" "$TMP/back"
}
libvirt_packed() {
    number=1
    for pack in gzip bzip2 xz lzop zstd; do
        if [ $pack != lzop ] && command -v $pack >/dev/null; then
            $pack -c <"$(raw a-kvm-min.mig)" >"$TMP/packed" && libvirt "$TMP/packed" "$TMP/save" packed=$number && same "$TMP/save" &&
                works "$dump" --format=json "$TMP/save" && json "j['stream']['libvirt']['packed'] == '$pack'" && same "$TMP/save" &&
                cat "$TMP/save" | works "$dump" --section=timer - || return
        fi
        number=$((number + 1))
    done
}
libvirt_refused() {
    file=$(raw a-kvm-min.mig)
    libvirt "$file" "$TMP/lzop" packed=4 && each_refuses '.*/lzop: the stream is packed with lzop: unpack it first \(tail -c \+140 FILE \| lzop -d\)' "$TMP/lzop" &&
        libvirt "$file" "$TMP/way" packed=9 && each_refuses '.*/way: libvirt header @0x1c: .*9, which is not known' "$TMP/way" &&
        libvirt "$file" "$TMP/version" version=3 && each_refuses '.*/version: libvirt header @0x10: version 3, .*' "$TMP/version" &&
        libvirt "$file" "$TMP/long" xml-length=4294967295 && each_refuses '.*/long: .*' "$TMP/long" &&
        libvirt "$TMP/version" "$TMP/nested" && each_refuses '.*/nested: .*' "$TMP/nested" || return
    for at in 15 16 40 91 92 100; do
        head -c $at "$TMP/lzop" >"$TMP/short" && each_refuses '.*/short: .*' "$TMP/short" || return
    done
}

# --- damaged --------------------------------------------------------------------------------------------------------

cuts() {
    TMP=$TMP damage cut "$dump" "$@"
}
flips() {
    TMP=$TMP damage flip "$dump" "$@"
}
cut_section_is_shown() {
    head -c 277000 "$(raw a-kvm-min.mig)" >"$TMP/cut"
    refuses '.*/cut: cpu\.env\..* @0x43[0-9a-f]*: the input ends at 0x43a08' "$dump" --schema-from=$a "$TMP/cut" &&
        has '^# cpu, version 12, id 5, @0x435f2, 1029 octets: cut here$' && has '^cpu\.env\.eip = \(uint64\) 0xfff0$' && has '^# cut at 0x43a08$' &&
        refuses '.*/cut: .*: the input ends at 0x43a08' "$dump" --format=json --schema-from=$a "$TMP/cut" &&
        json 'j["end"] == {"complete": False, "offset": 277000}' 'fields("cpu")["env.eip"] == 0xfff0' 'j["elements"][-1]["cut"] is True' \
            'j["elements"][-1]["section"] == "cpu"' &&
        refuses '.*/cut: .*: the input ends at 0x43a08' "$dump" --format=summary "$TMP/cut" && has ' in all, then the stream is cut$' && has '^timer '
}

# --- hostile --------------------------------------------------------------------------------------------------------

# hostile ACTION...: neither text nor a message has what a terminal obeys, and no file is made.
hostile() {
    "$python" tests/tools/edit.py $a "$TMP/hostile" "$@" && OTHER=$PWD/$a damage clean "$dump" "$TMP/hostile" || {
        echo "($*)" | od -c | head -5
        return 1
    }
}
bad_octets='1b5b33316d58 610a4556494c 9b33316d 0d 787f c29b6d e280ae616263 0961 2e2e2f2e2e2f78 2f6574632f706173737764 2573256e 6122625c 00'
hostile_sections() {
    for octets in $bad_octets; do
        hostile name port92 "$octets" || return
    done
}
hostile_blocks() {
    for octets in $bad_octets; do
        hostile block pc.bios "$octets" || return
    done
}
hostile_machines() {
    for octets in '\033[2J\033[31mX' 'pc\nEVIL' '\r' '\302\233m' '../../x' '%s%n'; do
        # shellcheck disable=SC2059
        hostile machine pc-i440fx-7.2 "$(printf "$octets")" || return
    done
}
hostile_description() {
    for text in '\u001b[31mX' 'a\nEVIL' '\u0007' '\u009b31m' '\u202eabc' '\r' '\u007f' '../../x' '%s%n' '\"' '\u0000' '\ud800'; do
        new=$("$python" -c 'import sys; print(sys.argv[1].replace("NAME", sys.argv[2]))' "$2" "$text")
        hostile text "$1" "$new" || return
    done
}
# ../../x is the name of a RAM block: no file gets it.
hostile_image() {
    mkdir -p "$TMP/d/e/f" && "$python" tests/tools/edit.py $a "$TMP/hostile" block pc.ram 2e2e2f2e2e2f78 &&
        (cd "$TMP/d/e/f" && works "$(realpath_of "$dump")" --ram=image --ram-blocks=../../x "$TMP/hostile") && [ "$(find "$TMP/d" -type f)" = "$TMP/d/e/f/image" ]
}
realpath_of() {
    "$python" -c 'import os, sys; print(os.path.abspath(os.path.join(sys.argv[1], sys.argv[2])))' "$OLDPWD" "$1"
}

for pack in gzip bzip2 xz zstd; do
    if command -v $pack >/dev/null; then
        case_ "what $pack has packed is read by all, from files and pipes" packed $pack
        case_ "what $pack has packed, and is cut, is refused" packed_and_cut $pack
    else
        skip_ "what $pack has packed is read by all, from files and pipes" "no $pack"
    fi
done
case_ 'what is packed in packed is read, but not for ever' packed_twice
case_ 'packed text is refused as text' packed_otherwise
case_ 'pipes are read, over a temporary file in TMPDIR that is not left' pipes
case_ 'a pipe is opened once' pipe_once
case_ 'empty, text, a directory, a missing file and other formats are refused by all, with one line' not_a_stream
if [ "$(id -u)" -ne 0 ]; then
    case_ 'a file that may not be read is refused by all' no_permission
else
    skip_ 'a file that may not be read is refused by all' 'root may read all'
fi
case_ 'libvirt save files are read, of either byte order, finished or not' libvirt_plain
case_ 'libvirt save files are read however they are packed' libvirt_packed
case_ 'other libvirt save files are refused, with a reason' libvirt_refused
case_ 'cut anywhere, all before the cut is shown, and it is told where' cuts "$(raw a-kvm-min.mig)"
case_ 'cut anywhere, with descriptions from elsewhere values are those before the cut' cuts "$(raw a-kvm-min.mig)" --schema-from=$a
case_ 'BER cut anywhere, values are those before the cut, and it is told where' cuts "$(ber a-kvm-min.mig)"
case_ 'the section that is cut is shown as far as it goes' cut_section_is_shown
case_ 'a bit of BER that is flipped is told, with section and offset' flips "$(ber a-kvm-min.mig)"
case_ 'a hostile name of a section never reaches the terminal' hostile_sections
case_ 'a hostile name of a RAM block never reaches the terminal' hostile_blocks
case_ 'a hostile machine type never reaches the terminal' hostile_machines
case_ 'a hostile name of a field never reaches the terminal' hostile_description '"outport"' '"NAME"'
case_ 'a hostile name of a type never reaches the terminal' hostile_description '"struct": {"vmsd_name": "APM State"' '"struct": {"vmsd_name": "NAME"'
case_ 'a hostile name of a kind never reaches the terminal' hostile_description '"outport", "type": "uint8"' '"outport", "type": "NAME"'
case_ 'a RAM block with the name of a path makes no file' hostile_image
plan
