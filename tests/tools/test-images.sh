#!/bin/sh
# vmstate-dump --ram and --core: the memory image and the core file.
#
# Memory is held against pages.py, which reads the stream by itself.
# shellcheck disable=SC2015,SC2016 # A && B || complain; $ of gdb
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

image=$TMP/image
core=$TMP/core
xbzrle=traces/g08-xbzrle.mig.xz
h1=traces/h1-pc-i440fx-2.1.mig.xz
h4=traces/h4-pc-i440fx-2.1-vmdesc.mig.xz
four_gib=4294967296

# memory BELOW BLOCK STREAM [CHANNEL...]: the image has it.
memory() {
    "$python" tests/tools/pages.py "$image" "$@"
}
# is_sparse FILE SIZE: it has this size, and takes less than a MiB.
is_sparse() {
    [ "$(size "$1")" -eq "$2" ] && [ "$(du -k "$1" | cut -f1)" -lt 1024 ] || {
        ls -ls "$1"
        return 1
    }
}

whole_memory() {
    for name in g08-xbzrle g09-compress g12-background-snapshot i1-savevm g03-postcopy-run; do
        works "$dump" --ram="$image" "traces/$name.mig.xz" && is_sparse "$image" 16777216 &&
            memory 16777216 pc.ram "$(raw $name.mig)" && rm "$image" || {
            echo "$name"
            return 1
        }
    done
}
from_ber() {
    works "$dump" --ram="$image" "$(ber g08-xbzrle.mig)" && memory 16777216 pc.ram "$(raw g08-xbzrle.mig)" && mv "$image" "$TMP/other" &&
        works "$convert" --to=ber --compress=zstd traces/g09-compress.mig.xz "$TMP/z.ber" && works "$dump" --ram="$image" "$TMP/z.ber" &&
        memory 16777216 pc.ram "$(raw g09-compress.mig)"
}
text_is_there_too() {
    works "$dump" $xbzrle && mv "$TMP/out" "$TMP/there" && works "$dump" --ram="$image" $xbzrle && put_out "$TMP/there"
}
zeros_are_holes() {
    works "$dump" --ram="$image" traces/a-kvm-min.mig.xz && is_sparse "$image" 33554432 && head -c 33554432 /dev/zero | cmp - "$image"
}
above_four_gib() {
    works "$dump" --ram="$image" --ram-below=1M $xbzrle && is_sparse "$image" $((four_gib + 15728640)) && memory 1048576 pc.ram "$(raw g08-xbzrle.mig)" &&
        rm "$image" && works "$dump" --ram="$image" --ram-below=1072K $xbzrle && memory 1097728 pc.ram "$(raw g08-xbzrle.mig)" && rm "$image" &&
        works "$dump" --ram="$image" --ram-below=8388608 $xbzrle && [ "$(size "$image")" -eq $((four_gib + 8388608)) ]
}
# The processor starts in the BIOS, 16 octets before 4 GiB, which is its end, with a jump.
other_blocks() {
    works "$dump" --ram="$image" --ram-blocks=pc.bios $xbzrle && [ "$(size "$image")" -eq 65536 ] && memory 65536 pc.bios "$(raw g08-xbzrle.mig)" &&
        case $(od -An -tx1 -j 65520 -N 1 "$image") in *ea | *e9 | *eb) ;; *) return 1 ;; esac
    works "$dump" --ram="$image" --ram-blocks=pc.rom,pc.bios $xbzrle && [ "$(size "$image")" -eq 196608 ] &&
        works "$dump" --ram="$TMP/bios" --ram-blocks=pc.bios $xbzrle && tail -c 65536 "$image" | cmp - "$TMP/bios"
}
multifd() {
    works "$dump" --ram="$image" --channel="$(raw g05-multifd-none.chan1)" --channel=traces/g05-multifd-none.chan2.xz \
        --channel=traces/g05-multifd-none.chan3.xz traces/g05-multifd-none.mig.xz &&
        memory 16777216 pc.ram "$(raw g05-multifd-none.mig)" "$(raw g05-multifd-none.chan1)" "$(raw g05-multifd-none.chan2)" "$(raw g05-multifd-none.chan3)" &&
        works "$dump" --ram="$image" --channel=traces/g06-multifd-zlib.chan2.xz --channel=traces/g06-multifd-zlib.chan1.xz traces/g06-multifd-zlib.mig.xz &&
        memory 16777216 pc.ram "$(raw g06-multifd-zlib.mig)" "$(raw g06-multifd-zlib.chan1)" "$(raw g06-multifd-zlib.chan2)" &&
        works "$dump" --ram="$image" --channel=traces/g07-multifd-zstd.chan1.xz --channel=traces/g07-multifd-zstd.chan2.xz traces/g07-multifd-zstd.mig.xz &&
        is_sparse "$image" 16777216 && [ "$(tr -d '\0' <"$image" | wc -c)" -gt 100000 ]
}
pages_that_never_came() {
    untouched "$TMP/x" "$dump" --ram="$TMP/x" traces/g05-multifd-none.mig.xz && is_one_line "$TMP/err" &&
        has '64 of 4096 pages of memory never came, the first of them for 0x100000 of the image' "$TMP/err" || return
    "$dump" --ram="$image" --partial traces/g05-multifd-none.mig.xz >"$TMP/out" 2>"$TMP/err"
    status 0 $? --partial && is_one_line "$TMP/err" && has '64 of 4096 pages of memory never came.*: zeros stand for them$' "$TMP/err" &&
        [ "$(size "$image")" -eq 16777216 ] && untouched "$TMP/x" "$dump" --ram="$TMP/x" traces/g10-x-ignore-shared.mig.xz
}
postcopy() {
    works "$dump" --ram="$image" --channel=traces/g04-postcopy-preempt.chan1.xz traces/g04-postcopy-preempt.mig.xz && is_sparse "$image" 16777216 &&
        untouched "$TMP/x" "$dump" --ram="$TMP/x" traces/g04-postcopy-preempt.mig.xz && [ -n "$(sed -n '/never came/p' "$TMP/err")" ] || return
    # the link broke: the stream is cut, but with the other channel all pages are there
    untouched "$TMP/x" "$dump" --ram="$TMP/x" --channel=traces/g16-postcopy-recover.chan1.xz traces/g16-postcopy-recover.mig.xz &&
        rm -f "$image" && refuses '.*: the input ends at 0x6d895' "$dump" --ram="$image" --partial --channel=traces/g16-postcopy-recover.chan1.xz \
            traces/g16-postcopy-recover.mig.xz && is_sparse "$image" 16777216
}
cut_stream() {
    head -c 200000 "$(raw g08-xbzrle.mig)" >"$TMP/cut" && untouched "$TMP/x" "$dump" --ram="$TMP/x" "$TMP/cut" && is_one_line "$TMP/err" &&
        rm -f "$image" && "$dump" --ram="$image" --partial "$TMP/cut" >"$TMP/out" 2>"$TMP/err"
    status 3 $? --partial && has '/cut: .*the input ends at 0x30d40$' "$TMP/err" && is_sparse "$image" 16777216 && "$python" - "$TMP/cut" "$image" <<'py'
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "tests/tools")
import pages
data, image, count = open(sys.argv[1], "rb").read(), open(sys.argv[2], "rb").read(), 0
try:
    for block, offset, kind, at in pages.records(data):
        if block == "pc.ram" and kind == "normal" and at + 4096 <= len(data):
            count += image[offset:offset + 4096] == data[at:at + 4096]
except Exception:  # it is cut
    pass
sys.exit(count < 30 and f"only {count} pages")
py
}
wrong_channels() {
    for channel in traces/g03-postcopy-run.chan0.returnpath.xz traces/a-kvm-min.mig.xz "$(ber g05-multifd-none.chan1)" "$TMP/none" tests/support/tap.sh; do
        untouched "$TMP/x" "$dump" --ram="$TMP/x" --channel="$channel" $xbzrle && is_one_line "$TMP/err" || return
    done
    head -c 100000 "$(raw g05-multifd-none.chan1)" >"$TMP/chan" && untouched "$TMP/x" "$dump" --ram="$TMP/x" --channel="$TMP/chan" traces/g05-multifd-none.mig.xz
}
not_a_file() {
    refuses '-: a memory image must be a regular file' "$dump" --ram=- $xbzrle && has_none . &&
        refuses '/dev/null: a memory image must be a regular file' "$dump" --ram=/dev/null $xbzrle && mkfifo "$TMP/pipe" &&
        { timeout 60 cat "$TMP/pipe" >/dev/null & } && refuses '.*/pipe: a memory image must be a regular file' "$dump" --ram="$TMP/pipe" $xbzrle && wait &&
        refuses '.*/no/image: cannot create: .*' "$dump" --core="$TMP/no/image" $xbzrle &&
        untouched "$TMP/x" "$dump" --ram="$TMP/x" --ram-blocks=none $xbzrle && has 'no RAM block .none.$' "$TMP/err" &&
        untouched "$TMP/x" "$dump" --ram="$TMP/x" traces/g05-multifd-none.chan1.xz
}
# blocks FILE COUNT SIZE: a stream with so many blocks, of which one page each comes
blocks() {
    "$python" - "$@" <<'py'
import struct, sys
path, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
u32, u64 = struct.Struct(">I").pack, struct.Struct(">Q").pack
names = [b"\5m%04d" % i for i in range(count)]
blocks = b"".join(n + u64(size) for n in names)
pages = b"".join(u64(2) + n + b"\0" for n in names)
with open(path, "wb") as f:
    f.write(b"QEVM" + u32(3) + b"\7" + u32(13) + b"pc-i440fx-7.2" + b"\1" + u32(2) + b"\3ram" + u32(0) + u32(4) + u64(count * size | 4))
    f.write(blocks + pages + u64(16) + b"\x7e" + u32(2) + b"\0")
py
}
hostile_blocks() {
    blocks "$TMP/many" 5000 4096 && untouched "$TMP/x" "$dump" --ram="$TMP/x" "$TMP/many" &&
        has 'several RAM blocks may be guest memory .m0000, .*, m0015 and 4984 more.: --ram-blocks=NAME' "$TMP/err" &&
        blocks "$TMP/large" 1 4503599627370496 && untouched "$TMP/x" "$dump" --ram="$TMP/x" "$TMP/large" &&
        has 'the memory image cannot have 4503600701112320 octets: .' "$TMP/err"
}

# --- core -----------------------------------------------------------------------------------------------------------

# A recording with another value in each register: 1.. in the order of QEMU, RAX RCX RDX RBX RSP RBP RSI RDI R8.., and
# 1.. in the segments ES CS SS DS FS GS.
registers() {
    new=$("$python" -c 'print("".join(f"{0x1100000000000000 + n:016x}" for n in range(1, 17)), end="")')
    old=$(xz -dc $xbzrle | "$python" -c 'import sys
d = sys.stdin.buffer.read()
at = d.index(b"\3cpu" + bytes(4)) + 12
print(d[at:at + 128].hex(), *(d[at + 236 + 20 * n:at + 240 + 20 * n].hex() for n in range(6)))')
    # shellcheck disable=SC2086
    set -- $old
    "$python" tests/tools/edit.py $xbzrle "$TMP/registers" octets cpu 0 "$1" "$new" octets cpu 236 "$2" 00000001 octets cpu 256 "$3" 00000002 \
        octets cpu 276 "$4" 00000003 octets cpu 296 "$5" 00000004 octets cpu 316 "$6" 00000005 octets cpu 336 "$7" 00000006
}
in_gdb() {
    _file=$1
    shift
    for _command; do
        set -- "$@" -ex "$_command"
        shift
    done
    gdb -q -nx -batch -core "$_file" "$@" >"$TMP/out" 2>"$TMP/err"
}
gdb_registers() {
    registers && works "$dump" --core="$core" "$TMP/registers" && in_gdb "$core" 'info registers' 'p/x $fctrl' 'p/x $mxcsr' 'info threads' || return
    n=0
    for name in rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15; do
        n=$((n + 1))
        has "^$name +0x$(printf '11000000000000%02x' $n) " || return
    done
    n=0
    for name in es cs ss ds fs gs; do
        n=$((n + 1))
        has "^$name +0x$n " || return
    done
    "$dump" --section=cpu "$TMP/registers" >"$TMP/text" && eip=$(sed -n 's/^cpu\.env\.eip = (uint64) //p' "$TMP/text") &&
        eflags=$(sed -n 's/^cpu\.env\.eflags = (uint64) //p' "$TMP/text") && [ -n "$eip" ] && has "^rip +$eip " && has "^eflags +$eflags " &&
        has '^\$1 = 0x37f$' && has '^\$2 = 0x1f80$' && lines 1 '^[* ] +[0-9]+ +LWP'
}
gdb_memory() {
    works "$dump" --core="$core" $xbzrle && in_gdb "$core" 'dump binary memory '"$TMP"'/part 0x100000 0x120000' && works "$dump" --ram="$image" $xbzrle &&
        tail -c +1048577 "$image" | head -c 131072 | cmp - "$TMP/part" && [ "$(tr -d '\0' <"$TMP/part" | wc -c)" -gt 1000 ] &&
        works "$dump" --core="$core" --ram-below=1M $xbzrle && in_gdb "$core" "dump binary memory $TMP/part $four_gib $((four_gib + 131072))" &&
        tail -c +1048577 "$image" | head -c 131072 | cmp - "$TMP/part" && is_sparse "$core" "$(size "$core")"
}
gdb_threads() {
    works "$dump" --core="$core" traces/d-kvm-smp2.mig.xz && in_gdb "$core" 'info threads' 'thread apply all p/x $rip' && lines 2 '^[* ] +[12] .*LWP [12]' &&
        lines 2 '^\$[12] = 0xfff0$'
}
both_at_once() {
    works "$dump" --ram="$image" --core="$core" --channel=traces/g05-multifd-none.chan1.xz --channel=traces/g05-multifd-none.chan2.xz \
        --channel=traces/g05-multifd-none.chan3.xz traces/g05-multifd-none.mig.xz &&
        memory 16777216 pc.ram "$(raw g05-multifd-none.mig)" "$(raw g05-multifd-none.chan1)" "$(raw g05-multifd-none.chan2)" "$(raw g05-multifd-none.chan3)" &&
        "$python" - "$core" "$image" <<'py'
import struct, sys
core, image = (open(name, "rb").read() for name in sys.argv[1:])
assert core[:7] == b"\x7fELF\2\1\1" and struct.unpack_from("<HH", core, 16) == (4, 62)
start, count = struct.unpack_from("<Q", core, 32)[0], struct.unpack_from("<H", core, 56)[0]
loads = [h for h in (struct.unpack_from("<IIQQQQQQ", core, start + 56 * i) for i in range(count)) if h[0] == 1]
assert [(h[3], h[4], h[5]) for h in loads] == [(0, 0, len(image))], loads
assert core[loads[0][2]:loads[0][2] + len(image)] == image
assert b"QEMU\0" in core
py
}
no_registers() {
    untouched "$TMP/x" "$dump" --core="$TMP/x" $h1 && is_one_line "$TMP/err" && has 'does not describe its vCPUs' "$TMP/err" &&
        works "$dump" --core="$core" --schema-from=$h4 $h1 && [ "$(head -c 4 "$core" | tr -d '\177')" = ELF ]
}

case_ 'the image has the memory that is in the stream, in any encoding, and is sparse' whole_memory
case_ 'the image of BER is the same' from_ber
case_ 'the text is written as well' text_is_there_too
case_ 'zeros are holes' zeros_are_holes
case_ '--ram-below moves the rest to 4 GiB' above_four_gib
case_ '--ram-blocks chooses other blocks, in its order' other_blocks
case_ 'pages of multifd channels belong to the memory, with any compression, in any order of channels' multifd
case_ 'without pages that never came there is no image, but with --partial' pages_that_never_came
case_ 'channels of preempt and recovery make a postcopy image whole' postcopy
case_ 'of a cut stream there is no image, but with --partial one with the pages up to the cut' cut_stream
case_ 'other channels, and cut ones, are refused, and no image is left' wrong_channels
case_ 'what guest memory is of thousands of blocks is asked in one line, and what no file can hold is told' hostile_blocks
case_ 'the image must be a regular file, and what cannot be made is told' not_a_file
if command -v gdb >/dev/null; then
    case_ 'gdb finds every register in its place' gdb_registers
    case_ 'gdb finds the memory at its addresses' gdb_memory
    case_ 'gdb finds a thread for each vCPU' gdb_threads
else
    for name in 'every register in its place' 'the memory at its addresses' 'a thread for each vCPU'; do
        skip_ "gdb finds $name" 'no gdb'
    done
fi
case_ 'image and core are written at once, and have the same memory' both_at_once
case_ 'without registers there is no core, and a description from elsewhere helps' no_registers
plan
