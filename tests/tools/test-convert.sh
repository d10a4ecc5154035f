#!/bin/sh
# vmstate-convert: there and back, cut and damaged input, what is left behind.
# shellcheck disable=SC2015,SC2086 # A && B || complain; an option may be nothing
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

# there_and_back RECORDING...: the same octets come back, whether RAM is packed or not.
there_and_back() {
    for name; do
        file=$(raw "$name") && status=0 partial=''
        case $name in g16-postcopy-recover.mig) status=3 partial=--partial ;; esac # its link broke
        for method in none zstd; do
            "$convert" --to=ber --compress=$method $partial "$file" "$TMP/there" 2>"$TMP/err"
            status $status $? "$convert" to "$name" $method && "$convert" --to=qemufile $partial "$TMP/there" "$TMP/back" 2>"$TMP/err"
            status $status $? "$convert" from "$name" $method && cmp "$file" "$TMP/back" || return
        done
        rm "$file"
    done
}
packing_is_smaller() {
    for method in none zstd; do
        works "$convert" --to=ber --compress=$method traces/i1-savevm.mig.xz "$TMP/$method" || return
    done
    works "$convert" --to=ber --compress=zstd --level=1 traces/i1-savevm.mig.xz "$TMP/fast" &&
        works "$convert" --to=ber --compress=zstd --level=19 traces/i1-savevm.mig.xz "$TMP/hard" &&
        works "$convert" --to=ber --compress=zstd --level=3 traces/i1-savevm.mig.xz "$TMP/three" && cmp "$TMP/zstd" "$TMP/three" &&
        works "$convert" --to=ber --compress=none --level=19 traces/i1-savevm.mig.xz "$TMP/same" && cmp "$TMP/none" "$TMP/same" &&
        [ "$(size "$TMP/zstd")" -lt "$(size "$TMP/none")" ] && [ "$(size "$TMP/hard")" -lt "$(size "$TMP/fast")" ]
}
ber_anew() {
    works "$convert" --to=ber --compress=zstd "$(ber g08-xbzrle.mig)" "$TMP/packed.ber" &&
        works "$convert" --to=ber "$TMP/packed.ber" "$TMP/plain.ber" &&
        works "$convert" --to=qemufile "$TMP/plain.ber" "$TMP/back" && cmp "$(raw g08-xbzrle.mig)" "$TMP/back" &&
        works "$convert" --to=qemufile "$TMP/packed.ber" "$TMP/back" && cmp "$(raw g08-xbzrle.mig)" "$TMP/back" &&
        works "$diff" --ram "$TMP/packed.ber" "$TMP/plain.ber"
}
qemufile_anew() {
    works "$convert" --to=qemufile traces/g08-xbzrle.mig.xz "$TMP/anew" && cmp "$(raw g08-xbzrle.mig)" "$TMP/anew" &&
        works "$convert" --to=qemufile traces/g05-multifd-none.chan1.xz "$TMP/anew" && cmp "$(raw g05-multifd-none.chan1)" "$TMP/anew"
}
octets_behind_the_end() {
    { cat "$(raw a-kvm-min.mig)" && printf 'behind\0the end'; } >"$TMP/more"
    works "$convert" --to=ber "$TMP/more" "$TMP/more.ber" && works "$convert" --to=qemufile "$TMP/more.ber" "$TMP/back" && cmp "$TMP/more" "$TMP/back"
}
borrowed_description() {
    works "$convert" --to=ber --schema-from=traces/h4-pc-i440fx-2.1-vmdesc.mig.xz traces/h1-pc-i440fx-2.1.mig.xz "$TMP/h1.ber" &&
        works "$dump" --section=cpu "$TMP/h1.ber" && has '^cpu\.env\.eip = \(uint64\) 0xfff0$' &&
        works "$convert" --to=qemufile "$TMP/h1.ber" "$TMP/back" && cmp "$(raw h1-pc-i440fx-2.1.mig)" "$TMP/back" &&
        works "$convert" --to=ber --schema-from="$(ber h4-pc-i440fx-2.1-vmdesc.mig)" traces/h1-pc-i440fx-2.1.mig.xz "$TMP/h1b.ber" &&
        works "$dump" --format=summary "$TMP/h1b.ber" && has '^30 sections, 0 of them not described$' &&
        refuses 'traces/h1[^:]*: the stream has no description' "$convert" --to=ber --schema-from=traces/h1-pc-i440fx-2.1.mig.xz \
            traces/h1-pc-i440fx-2.1.mig.xz "$TMP/none.ber" && [ ! -e "$TMP/none.ber" ]
}
channel_kind_is_taken() {
    works "$convert" --to=ber --channel-kind=preempt traces/g04-postcopy-preempt.chan1.xz "$TMP/kind.ber" &&
        works "$convert" --to=qemufile "$TMP/kind.ber" "$TMP/back" && cmp "$(raw g04-postcopy-preempt.chan1)" "$TMP/back" &&
        refuses '.*' "$convert" --to=ber --channel-kind=multifd traces/a-kvm-min.mig.xz "$TMP/wrong.ber" && [ ! -e "$TMP/wrong.ber" ]
}

# --- verify ---------------------------------------------------------------------------------------------------------

verify_works() {
    for name in a-kvm-min.mig h1-pc-i440fx-2.1.mig g08-xbzrle.mig g06-multifd-zlib.chan1 g03-postcopy-run.chan0.returnpath; do
        works "$convert" --to=ber --verify --compress=zstd "traces/$name.xz" "$TMP/verified" &&
            works "$convert" --to=qemufile "$TMP/verified" "$TMP/back" && cmp "$(raw "$name")" "$TMP/back" || return
    done
    works "$convert" --to=ber --verify "$(ber a-kvm-min.mig)" "$TMP/verified" && works "$dump" "$TMP/verified"
}
# A BER stream that says that it was made of other octets. Its last record ends in its check, an XXH3-64, which is made
# right again.
other_digest_is_found() {
    "$python" - "$(ber a-kvm-min.mig)" "$TMP/lies.ber" <<'py' || return
import ctypes, ctypes.util, sys
xxh3 = ctypes.CDLL(ctypes.util.find_library("xxhash")).XXH3_64bits_withSeed
xxh3.restype = ctypes.c_uint64
data = bytearray(open(sys.argv[1], "rb").read())
at = data.rindex(b"\x6f")
while at + 2 + data[at + 1] != len(data) - 2:
    at = data.rindex(b"\x6f", 0, at)
end = len(data) - 13  # the check is [15] of 9 octets, the first of them 0
def check(seed):
    return xxh3(bytes(data[at:end]), ctypes.c_size_t(end - at), ctypes.c_uint64(seed)).to_bytes(8, "big")
seed = next(n for n in range(100000) if check(n) == data[end + 3:end + 11])
data[end - 1] ^= 1  # in the digest of the origin
data[end + 3:end + 11] = check(seed)
open(sys.argv[2], "wb").write(data)
py
    mkdir -p "$TMP/dir" && untouched "$TMP/dir/x" "$convert" --to=qemufile "$TMP/lies.ber" "$TMP/dir/x" &&
        has 'lies\.ber: what was written .* is not what the stream was converted from' "$TMP/err" && is_one_line "$TMP/err" && cp "$TMP/lies.ber" "$TMP/in.ber" &&
        untouched "$TMP/dir/x" "$convert" --to=ber --verify "$TMP/in.ber" "$TMP/dir/x" && is_one_line "$TMP/err"
}
has_xxhash() {
    "$python" -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library("xxhash"))'
}

# --- cut ------------------------------------------------------------------------------------------------------------

# cut RECORDING OFFSET...: what there is comes back.
cut_with_partial() {
    name=$1 && file=$(raw "$1") && shift
    for at; do
        head -c "$at" "$file" >"$TMP/cut"
        refuses '.*cut: .*@0x[0-9a-f]+: the input ends at 0x[0-9a-f]+.*' "$convert" --to=ber --partial "$TMP/cut" "$TMP/cut.ber" &&
            has "$(printf 'ends at 0x%x' "$at")" "$TMP/err" &&
            refuses '.*cut\.ber: what the stream was converted from was cut' "$convert" --to=qemufile --partial "$TMP/cut.ber" "$TMP/back" &&
            cmp "$TMP/cut" "$TMP/back" || {
            echo "$name at $at"
            return 1
        }
    done
}
cut_too_early() {
    for at in 4 7 9 12 25; do
        head -c $at "$(raw g08-xbzrle.mig)" >"$TMP/cut" && mkdir -p "$TMP/dir" &&
            untouched "$TMP/dir/x" "$convert" --to=ber --partial "$TMP/cut" "$TMP/dir/x" && is_one_line "$TMP/err" &&
            has "^vmstate-convert: nothing was written: .*: the input ends at $(printf 0x%x $at)\$" "$TMP/err" || return
    done
}
cut_without_partial() {
    head -c 300000 "$(raw a-kvm-min.mig)" >"$TMP/cut" && mkdir -p "$TMP/dir" &&
        untouched "$TMP/dir/x" "$convert" --to=ber "$TMP/cut" "$TMP/dir/x" &&
        refuses 'nothing was written \(--partial would keep what there is\): .*' "$convert" --to=ber "$TMP/cut" "$TMP/dir/x" &&
        works "$convert" --to=qemufile "$(ber a-kvm-min.mig)" "$TMP/whole" &&
        refuses '.*' "$convert" --to=ber --partial "$TMP/cut" "$TMP/cut.ber" &&
        untouched "$TMP/dir/x" "$convert" --to=qemufile "$TMP/cut.ber" "$TMP/dir/x"
}
cut_ber() {
    file=$(ber g08-xbzrle.mig)
    for part in 3 6 8; do
        head -c $(($(size "$file") * part / 9)) "$file" >"$TMP/cutber"
        refuses 'nothing was written .*cutber: .*the input ends at 0x[0-9a-f]+.*' "$convert" --to=qemufile "$TMP/cutber" "$TMP/not-made" &&
            [ ! -e "$TMP/not-made" ] &&
            refuses '.*cutber: .*the input ends at 0x[0-9a-f]+.*' "$convert" --to=qemufile --partial "$TMP/cutber" "$TMP/start" &&
            head -c "$(size "$TMP/start")" "$(raw g08-xbzrle.mig)" | cmp - "$TMP/start" || return
    done
    # RAM comes in large records, but by now there is some
    [ "$(size "$TMP/start")" -gt 300000 ]
}
cut_is_not_verified_but_kept() {
    head -c 300000 "$(raw a-kvm-min.mig)" >"$TMP/cut"
    refuses '.*cut: .*: the input ends at .*' "$convert" --to=ber --verify --partial "$TMP/cut" "$TMP/cut.ber" &&
        works_or_cut "$dump" --format=summary "$TMP/cut.ber" && has '^pc\.ram '
}
works_or_cut() {
    "$@" >"$TMP/out" 2>"$TMP/err"
    case $? in 0 | 3) ;; *) return 1 ;; esac
}

# --- refused, and what is left behind ------------------------------------------------------------------------------

damage_is_refused() {
    mkdir -p "$TMP/dir"
    "$python" tests/tools/edit.py traces/a-kvm-min.mig.xz "$TMP/footer" octets port92 1 7e 7f
    flip "$(ber a-kvm-min.mig)" 100000 "$TMP/flipped"
    for partial in '' --partial; do
        untouched "$TMP/dir/x" "$convert" --to=qemufile $partial "$TMP/flipped" "$TMP/dir/x" && is_one_line "$TMP/err" &&
            has 'flipped: .*@0x[0-9a-f]+: ' "$TMP/err" && has_none 'would keep' "$TMP/err" &&
            untouched "$TMP/dir/x" "$convert" --to=ber $partial tests/support/tap.sh "$TMP/dir/x" &&
            untouched "$TMP/dir/x" "$convert" --to=ber $partial "$TMP/nothing" "$TMP/dir/x" || return
    done
    untouched "$TMP/dir/x" "$convert" --to=ber "$TMP/footer" "$TMP/dir/x" && has 'footer: .*@0x[0-9a-f]+' "$TMP/err"
}
output_cannot_be_made() {
    refuses '.*/no/x: cannot create: .*' "$convert" --to=ber traces/a-kvm-min.mig.xz "$TMP/no/x" &&
        refuses '.*: cannot create: .*' "$convert" --to=ber traces/a-kvm-min.mig.xz "$TMP" && [ -d "$TMP" ]
}
output_is_full() {
    refuses '.*No space left on device' "$convert" --to=ber traces/a-kvm-min.mig.xz /dev/full && [ -c /dev/full ] || return
    "$convert" --to=ber traces/a-kvm-min.mig.xz - >/dev/full 2>"$TMP/err"
    status 3 $? "$convert" - && has 'No space left on device$' "$TMP/err" && is_one_line "$TMP/err"
}
output_replaces() {
    mkdir -p "$TMP/dir" && echo old >"$TMP/dir/x" && ln "$TMP/dir/x" "$TMP/dir/other" &&
        works "$convert" --to=ber traces/a-kvm-min.mig.xz "$TMP/dir/x" && works "$dump" "$TMP/dir/x" && [ "$(cat "$TMP/dir/other")" = old ] &&
        [ "$(find "$TMP/dir" -type f | wc -l)" -eq 2 ] && rm "$TMP/dir/other" &&
        (umask 027 && works "$convert" --to=ber traces/a-kvm-min.mig.xz "$TMP/dir/mode") &&
        [ "$(find "$TMP/dir/mode" -perm 640)" = "$TMP/dir/mode" ]
}
output_is_input() {
    cp "$(raw a-kvm-min.mig)" "$TMP/same" && works "$convert" --to=ber "$TMP/same" "$TMP/same" &&
        works "$convert" --to=qemufile "$TMP/same" "$TMP/same" && cmp "$(raw a-kvm-min.mig)" "$TMP/same"
}
output_is_a_pipe() {
    file=$(raw a-kvm-min.mig)
    "$convert" --to=ber "$file" - 2>"$TMP/err" | "$convert" --to=ber --compress=zstd - - 2>>"$TMP/err" |
        "$convert" --to=qemufile - - 2>>"$TMP/err" | cmp - "$file" && has_none . "$TMP/err" &&
        "$convert" --to=ber - - <"$file" >"$TMP/one" && "$convert" --to=ber - - <traces/a-kvm-min.mig.xz | cmp - "$(ber a-kvm-min.mig)" &&
        cmp "$TMP/one" "$(ber a-kvm-min.mig)" && mkfifo "$TMP/pipe" || return
    cat "$TMP/pipe" >"$TMP/through" &
    works "$convert" --to=ber "$file" "$TMP/pipe" && wait $! && cmp "$TMP/through" "$(ber a-kvm-min.mig)" && [ -p "$TMP/pipe" ]
}
# A reader that goes away is no reason to go on, nor to die of a signal that nobody expects.
reader_goes_away() {
    { "$convert" --to=ber traces/g08-xbzrle.mig.xz - 2>"$TMP/err"; echo $? >"$TMP/status"; } | head -c 1 >"$TMP/out"
    case $(cat "$TMP/status") in 3) is_one_line "$TMP/err" ;; 141) ;; *) return 1 ;; esac
}
packed_input() {
    file=$(raw a-kvm-min.mig)
    for pack in gzip bzip2 xz zstd; do
        command -v $pack >/dev/null || continue
        $pack -c <"$file" >"$TMP/packed" && works "$convert" --to=ber --verify "$TMP/packed" "$TMP/x.ber" &&
            works "$convert" --to=qemufile "$TMP/x.ber" "$TMP/back" && cmp "$file" "$TMP/back" &&
            $pack -c <"$TMP/x.ber" >"$TMP/packed" && works "$convert" --to=qemufile "$TMP/packed" "$TMP/back" && cmp "$file" "$TMP/back" || return
    done
}

names=$(cd traces && for file in *.mig.xz *.chan*.xz; do echo "${file%.xz}"; done)
for letter in a b c d e f g h i j k l m n; do
    # shellcheck disable=SC2046
    case_ "recordings $letter*, all channels, come back from BER with the same octets, with and without zstd" \
        there_and_back $(echo "$names" | grep "^$letter")
done
case_ 'every recording is in one of these groups' [ "$(echo "$names" | grep -c '^[a-n]')" = "$(echo "$names" | wc -l)" ]
case_ 'RAM that is packed is smaller, the more so at a higher level, and 3 is the default' packing_is_smaller
case_ 'BER is written anew as BER, and still gives back the same octets' ber_anew
case_ 'a QEMU stream is written anew as the same octets' qemufile_anew
case_ 'octets behind the end come back' octets_behind_the_end
case_ 'descriptions from another stream are used, and the same octets come back' borrowed_description
case_ 'the kind of a channel can be told, and a wrong one is refused' channel_kind_is_taken
case_ '--verify finds what was converted in order' verify_works
if has_xxhash; then
    case_ 'a BER stream that gives other octets than it was made of is refused, and --verify finds it' other_digest_is_found
else
    skip_ 'a BER stream that gives other octets than it was made of is refused, and --verify finds it' 'no libxxhash'
fi
case_ 'a stream cut in its frame or its RAM is kept with --partial, and comes back' cut_with_partial g08-xbzrle.mig 8 26 27 40 200 5000 200001 452000
case_ 'a stream cut in a device is kept with --partial, and comes back' cut_with_partial a-kvm-min.mig 275870 276000 277777 278000 288000 288810
case_ 'a stream cut in its description is kept with --partial, and comes back' cut_with_partial a-kvm-min.mig 288830 300000 388401
case_ 'a channel that is cut is kept with --partial, and comes back' cut_with_partial g05-multifd-none.chan1 70 2000 100000
case_ 'of a stream cut in its header nothing is kept, and no empty file made' cut_too_early
case_ 'without --partial nothing is written of a cut stream' cut_without_partial
case_ 'a cut BER stream gives the octets up to the cut' cut_ber
case_ 'a cut stream is not verified, but kept' cut_is_not_verified_but_kept
case_ 'damaged, unknown and missing input leaves nothing, and an output that was there as it was' damage_is_refused
case_ 'an output that cannot be created is told' output_cannot_be_made
if [ -e /dev/full ]; then
    case_ 'a full output is told' output_is_full
else
    skip_ 'a full output is told' 'no /dev/full'
fi
case_ 'the output replaces a file of its name as a whole, with the usual permissions' output_replaces
case_ 'the output may be the input' output_is_input
case_ 'pipes and standard input and output will do' output_is_a_pipe
case_ 'a reader that goes away ends the program' reader_goes_away
case_ 'packed input gives the stream alone' packed_input
plan
