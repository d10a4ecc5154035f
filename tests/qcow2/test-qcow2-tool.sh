#!/bin/sh
# qcow2-tool: what it makes, and says, is what qemu-img reads, and says.
# shellcheck disable=SC2015,SC2086 # A && B || complain; options are several words
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

if ! command -v qemu-img >/dev/null; then
    skip_ 'all of it' 'no qemu-img'
    plan
    exit
fi

here=$PWD
cd "$TMP" || exit 1
case $tool in
/*) ;;
*) tool=$here/$tool ;;
esac
export tool
facts() {
    "$python" "$here/tests/qcow2/facts.py" "$@"
}
# quiet COMMAND...: works, and says nothing.
quiet() {
    works "$@" && has_none .
}
# clean IMAGE...: qemu-img check finds nothing.
clean() {
    for _image in "$@"; do
        qemu-img check -q "$_image" >"$TMP/err" 2>&1 || {
            echo "qemu-img check $_image:"
            cat "$TMP/err"
            return 1
        }
    done
}
same() {
    qemu-img compare "$@" >"$TMP/err" 2>&1 || {
        cat "$TMP/err"
        return 1
    }
}

# A disk of noise, text, zeros and holes, that ends within a cluster.
"$python" - <<'end'
import random
random.seed(1)
with open("data", "wb") as f:
    f.write(random.randbytes(700000))
    f.seek(1 << 20)
    f.write(b"".join(b"line %d of some text\n" % i for i in range(40000)))
    f.seek(3 << 20)
    f.write(bytes(300000) + b"x" + bytes(200000))
    f.seek(5 << 20)
    f.write(b"the end" * 100)
    f.truncate((6 << 20) + 1536)
end

# all options in many combinations
combinations='
compat=0.10
compat=0.10,cluster_size=512
compat=v2,cluster_size=2M
compat=1.1,cluster_size=512
cluster_size=1k,refcount_bits=1
cluster_size=4k,refcount_bits=2,lazy_refcounts=on
cluster_size=16k,extended_l2=on,refcount_bits=4
cluster_size=64k,refcount_bits=8
cluster_size=128k,refcount_bits=32,extended_l2=on
cluster_size=2M,refcount_bits=64
cluster_size=2M,extended_l2=on,lazy_refcounts=on
compression_type=zstd
preallocation=metadata
preallocation=metadata,extended_l2=on
preallocation=falloc,cluster_size=4k
preallocation=full,compat=0.10
'

qemu_reads_ours() {
    for o in $combinations; do
        rm -f image
        quiet "$tool" convert -f raw -o "$o" data image && clean image && same -f raw -F qcow2 data image || {
            echo "($o)"
            return 1
        }
    done
}
we_read_qemus() {
    for o in $combinations; do
        rm -f image
        qemu-img convert -f raw -O qcow2 -o "$o" data image && quiet "$tool" convert -O raw image back &&
            cmp data back && facts info image && facts map image || {
            echo "($o)"
            return 1
        }
    done
}
made_as_told() {
    for o in $combinations; do
        rm -f image theirs
        quiet "$tool" create -q -o "$o" image 12345678 && clean image && facts info image && facts map image &&
            qemu-img create -q -f qcow2 -o "$o" theirs 12345678 || return 1
        # but for the names and what files take
        qemu-img info --output=json image | grep -vE 'filename|actual-size' >a
        qemu-img info --output=json theirs | grep -vE 'filename|actual-size' >b
        cmp a b || {
            echo "($o)"
            return 1
        }
    done
}
qemu_writes_into_ours() {
    for o in $combinations; do
        rm -f image
        quiet "$tool" create -q -o "$o" image 6292992 && qemu-img convert -n -f raw -O qcow2 data image && clean image &&
            same -f raw -F qcow2 data image && quiet "$tool" convert -O raw image back && cmp data back || {
            echo "($o)"
            return 1
        }
    done
}
we_write_into_qemus() {
    for o in $combinations; do
        rm -f image
        qemu-img create -q -f qcow2 -o "$o" image 7M && quiet "$tool" convert -n -f raw -O qcow2 data image &&
            clean image && same -f raw -F qcow2 data image || {
            echo "($o)"
            return 1
        }
    done
}
compressed() {
    for o in compression_type=zlib compression_type=zstd compat=0.10 cluster_size=512 cluster_size=2M \
        cluster_size=32k,extended_l2=on,compression_type=zstd lazy_refcounts=on; do
        rm -f image theirs
        quiet "$tool" convert -c -f raw -o "$o" data image && clean image && same -f raw -F qcow2 data image &&
            quiet "$tool" convert -O raw image back && cmp data back &&
            qemu-img convert -c -f raw -O qcow2 -o "$o" data theirs && quiet "$tool" convert -O raw theirs back &&
            cmp data back && facts map theirs && facts map image || {
            echo "($o)"
            return 1
        }
        # as small as qemu-img's, but for a few sectors
        [ "$(size image)" -le $(($(size theirs) + 65536)) ] || return 1
    done
}
case_ 'images that convert makes, with all options, are read by qemu-img' qemu_reads_ours
case_ 'images that qemu-img makes, with all options, are read, and info and map say the same' we_read_qemus
case_ 'create makes what was asked for, as qemu-img create does' made_as_told
case_ 'qemu-img writes into images that we have made' qemu_writes_into_ours
case_ 'we write into images that qemu-img has made' we_write_into_qemus
case_ 'compressed images are read both ways, and are as small as those of qemu-img' compressed

# --- create

create_backing() {
    rm -rf sub && mkdir sub && qemu-img convert -f raw -O qcow2 data sub/base &&
        quiet "$tool" create -q -b base -F qcow2 sub/top && clean sub/top && facts info sub/top &&
        same -f qcow2 -F raw sub/top data && facts map sub/top &&
        works "$tool" info --format=json sub/top &&
        json 'j["backing-filename"] == "base"' 'j["full-backing-filename"] == "sub/base"' \
            'j["backing-filename-format"] == "qcow2"' 'j["virtual-size"] == 6292992' &&
        quiet "$tool" create -q -o backing_file=base,backing_fmt=qcow2 sub/other 3M &&
        facts info sub/other && works "$tool" info sub/top && has '^backing file: base \(actual path: sub/base\)$'
}
create_data_file() {
    rm -f image theirs d e
    quiet "$tool" create -q -o data_file=d,data_file_raw=on image 6292992 && clean image && [ "$(size d)" -eq 6292992 ] &&
        facts info image && quiet "$tool" convert -n -f raw data image && cmp data d && clean image &&
        same -f qcow2 -F raw image data &&
        quiet "$tool" convert -o data_file=e -f raw data image && clean image && same -f qcow2 -F raw image data &&
        facts info image && facts map image &&
        qemu-img convert -O qcow2 -o data_file=e data theirs && quiet "$tool" convert -O raw theirs back && cmp data back
}
create_says() {
    rm -f image raw
    works "$tool" create image 1G && has '^image: qcow2, a disk of 1 GiB$' && quiet "$tool" create -f raw -q raw 1000 &&
        [ "$(size raw)" -eq 1024 ] && quiet "$tool" create -q -f raw -o preallocation=full raw 1M &&
        [ "$(du -k raw | cut -f1)" -ge 1024 ] && works "$tool" create -o help image && has '^  cluster_size=SIZE +' &&
        works "$tool" create -f raw -o help image && has_none cluster_size
}
sizes_are_read() {
    for s in 512=512 1k=1024 1K=1024 1.5M=1572864 2G=2147483648 0=0 1b=512 3T=3298534883328; do
        quiet "$tool" create -q image "${s%=*}" && works "$tool" info --format=json image &&
            json "j['virtual-size'] == ${s#*=}" || return 1
    done
    for s in x 1Q 1kk -5 '' 1e 0x; do
        [ "$s" = 1e ] || misused "(SIZE: '.*' is no size: .*|Unknown option .*)" "$tool" create image "$s" || return 1
    done
    misused "SIZE: '9E' is too large" "$tool" create image 9E
}
backing_names() {
    rm -f base new top nbd:x
    qemu-img create -q -f qcow2 base 1M && cp base nbd:x &&
        works "$tool" create -b file:base -F qcow2 top && works "$tool" map top && works "$tool" info --backing-chain top && lines 2 '^image: ' &&
        works "$tool" create -b ./nbd:x -F qcow2 new && works "$tool" map new && rm new &&
        refuses "disk new: refers to 'nbd:x', which is no file name" "$tool" create -b nbd:x -F qcow2 new && [ ! -e new ] &&
        refuses "disk new: refers to 'nbd:y', which is no file name" "$tool" create -o data_file=nbd:y new 1M && [ ! -e new ] && [ ! -e nbd:y ] &&
        works "$tool" create -u -b nbd:x -F qcow2 new 1M && works "$tool" info new && has '^backing file: nbd:x$' &&
        refuses "disk new: refers to 'nbd:x', which is no file name" "$tool" info --backing-chain --format=json new
}
create_errors() {
    rm -f new
    misused 'too few arguments: FILE \[SIZE\]' "$tool" create &&
        misused 'the size of the disk must be given' "$tool" create new &&
        misused 'the size of the disk is given twice' "$tool" create -o size=1M new 1M &&
        misused "the format of a new image is raw or qcow2, not 'vmdk'" "$tool" create -f vmdk new 1M &&
        misused '-o colour: there is no such option \(-o help lists them\)' "$tool" create -o colour=red new 1M &&
        misused '-o encryption: encryption is not supported' "$tool" create -o encryption=on new 1M &&
        misused '-o cluster_size: raw images have no such option' "$tool" create -f raw -o cluster_size=4k new 1M &&
        misused "-o preallocation takes off, falloc or full, not 'metadata'" "$tool" create -f raw -o preallocation=metadata new 1M &&
        misused "-o compat takes 0.10 \\(v2\\) or 1.1 \\(v3\\), not '2'" "$tool" create -o compat=2 new 1M &&
        misused "-o lazy_refcounts takes on or off, not 'maybe'" "$tool" create -o lazy_refcounts=maybe new 1M &&
        misused "-o cluster_size needs a value" "$tool" create -o cluster_size new 1M &&
        misused "refcount_bits takes 1 to 64, not '65'" "$tool" create -o refcount_bits=65 new 1M &&
        misused 'the format of the backing file must be given \(-F\): .*' "$tool" create -b data new &&
        misused 'a backing format goes with a backing file' "$tool" create -F raw new 1M &&
        misused 'the backing file, or its format, is given twice' "$tool" create -b a -F raw -o backing_file=b new &&
        misused 'raw images have no backing file' "$tool" create -f raw -b a -F raw new &&
        refuses 'disk nosuch: No such file or directory' "$tool" create -b nosuch -F raw new &&
        refuses 'new: cluster size 1000 is no power of 2 from 512 to 2097152' "$tool" create -o cluster_size=1000 new 1M &&
        refuses 'new: version 2 .* has no lazy refcounts: they need version 3' "$tool" create -o compat=0.10,lazy_refcounts=on new 1M &&
        refuses 'new: extended L2 entries need a cluster size of at least 16384, not 4096' "$tool" create -o extended_l2=on,cluster_size=4k new 1M &&
        refuses 'new: a size of .* octets needs an L1 table of .* octets, at most 33554432: .*' "$tool" create new 3P &&
        refuses 'new: a data file that is raw has no place .*' "$tool" create -u -b x -F raw -o data_file=d,data_file_raw=on new 1M &&
        refuses '/nosuch/new: cannot create: No such file or directory' "$tool" create /nosuch/new 1M && [ ! -e new ]
}
create_unsafe() {
    rm -f new
    misused 'the size of the disk must be given' "$tool" create -u -b nosuch -F qcow2 new &&
        quiet "$tool" create -q -u -b nosuch -F qcow2 new 1M && works "$tool" info new && has '^backing file: nosuch$' &&
        refuses 'backing file of new: disk nosuch: .*' "$tool" map new
}
# Options are judged before anything is touched, and a new file gets its name at the end.
old_stays() {
    echo 'what was there' >old
    refuses 'old: cluster size .*' "$tool" create -o cluster_size=3k old 1M && [ "$(cat old)" = 'what was there' ] &&
        cp data cut && qemu-img convert -O qcow2 data bad &&
        "$python" -c 'f = open("bad", "r+b"); f.seek(0x40000); f.write(b"\xff" * 65536)' &&
        ! "$tool" convert -O raw bad old 2>err && [ "$(cat old)" = 'what was there' ] && is_one_line err &&
        [ -z "$(find . -name 'old.*')" ]
}
case_ 'create: a backing file is found beside the image' create_backing
case_ 'a name with a protocol is no file name, for whoever makes, opens or tells' backing_names
case_ 'create: a data file has the data, raw if wanted' create_data_file
case_ 'create says what it has made, or nothing, and what options there are' create_says
case_ 'sizes have suffixes and fractions' sizes_are_read
case_ 'create: what cannot be is refused in one line' create_errors
case_ 'create: with -u nobody looks at the backing file' create_unsafe
case_ 'a file that is there stays as it is when something goes wrong' old_stays

# --- info, map

chain() {
    rm -f base mid top
    qemu-img convert -f raw -O qcow2 data base && qemu-img create -q -f qcow2 -b base -F qcow2 mid 7M &&
        qemu-io -c 'write -P 3 64k 128k' -c 'write -z 2M 64k' -c 'write -P 4 6400k 64k' mid >/dev/null &&
        qemu-img create -q -f qcow2 -b mid -F qcow2 top 8M && qemu-io -c 'write -P 5 100k 1k' top >/dev/null
}
info_chain() {
    chain && facts info top --backing-chain && works "$tool" info --backing-chain top && lines 3 '^image: ' &&
        lines 2 '^$' && facts map top && facts map mid
}
map_text() {
    chain && works "$tool" map top && cp out ours && qemu-img map top >theirs && sed 's/ *$//' theirs |
        sed 1d | awk '{print $1 + 0, $4}' >a && sed 1d ours | awk '{print $1 + 0, $4}' | sort -un >b && [ -s a ] &&
        has '^0 +0x10000 +0x[0-9a-f]+ +base$' ours
}
map_compressed() {
    qemu-img convert -c -O qcow2 data image && "$tool" map image >out 2>err && has '^qcow2-tool map: [0-9]+ octets are compressed, and not shown: .*' err &&
        works "$tool" map --format=json image && json 'any(e["compressed"] for e in j)'
}
info_of_others() {
    qemu-img create -q -f vmdk other 1M && refuses '.*other.*vmdk.*' "$tool" info other &&
        refuses 'disk nosuch: No such file or directory' "$tool" info nosuch && works "$tool" info data &&
        has '^file format: raw$' && facts info data && facts map data &&
        refuses '.*' "$tool" info -f qcow2 data && refuses '.*' "$tool" info . &&
        misused "--format takes text or json, not 'xml'" "$tool" info --format=xml data &&
        misused "--image-format takes raw or qcow2, not 'vdi'" "$tool" info -f vdi data &&
        works "$tool" info --output=json data && json 'j["format"] == "raw"'
}
info_cycle() {
    qemu-img create -q -f qcow2 one 1M && qemu-img create -q -f qcow2 -b one -F qcow2 two &&
        qemu-img rebase -u -b two -F qcow2 one &&
        refuses 'one: the image is its own backing file' "$tool" info --backing-chain --format=text one &&
        refuses '.*is its own backing file.*' "$tool" map one && works "$tool" info one
}
no_backing_format() {
    quiet "$tool" create -q -u -b data -F raw image 6292992 &&
        "$python" -c '
b = bytearray(open("image", "rb").read())
i = b.index(bytes.fromhex("e2792aca"))
b[i:i + 4] = b"none"
open("image", "wb").write(b)' && works "$tool" info image &&
        refuses 'disk image: does not say which format its backing file .* has; .*' "$tool" map image &&
        refuses 'data: the image above does not tell its format .*' "$tool" info --backing-chain image &&
        works "$tool" map --probe-backing image && works "$tool" info --backing-chain --probe-backing image
}
case_ 'info and map follow the chain, and say what qemu-img says' info_chain
case_ 'map: the text has what holds data' map_text
case_ 'map: what is compressed is counted, and in the JSON' map_compressed
case_ 'info: raw images are told, others named, and what is no image is refused' info_of_others
case_ 'info and map: a chain that is a ring is refused' info_cycle
case_ 'a backing file whose format nobody tells is probed only where that is wanted' no_backing_format

# --- convert

convert_holes() {
    quiet "$tool" convert -f raw -O raw data out1 && cmp data out1 && [ "$(du -k out1 | cut -f1)" -le "$(($(du -k data | cut -f1)))" ] &&
        quiet "$tool" convert -S 0 -f raw -O raw data out2 && cmp data out2 && [ "$(du -k out2 | cut -f1)" -ge 6000 ] &&
        quiet "$tool" convert -S 64k -f raw data image && same -f raw -F qcow2 data image && clean image
}
convert_flattens() {
    chain && quiet "$tool" convert top flat && clean flat && same top flat && works "$tool" info flat &&
        has_none '^backing' && quiet "$tool" convert -c top flat && same top flat && clean flat
}
convert_layer() {
    chain && quiet "$tool" convert -B mid -F qcow2 top new && clean new && same top new && works "$tool" info new &&
        has '^backing file: mid$' && [ "$(size new)" -lt 600000 ] &&
        quiet "$tool" convert -c -o backing_file=mid,backing_fmt=qcow2 top new && clean new && same top new
}
# What is written over a backing file is copied from it first: nobody waits for an event that does not come.
convert_soon() {
    head -c 16M /dev/urandom >large && "$python" -c '
f = open("parts", "wb")
f.truncate(16 << 20)
for i in range(256):
    f.seek(i << 16)
    f.write(b"x" * 4096)' &&
        for m in 1 8; do quiet timeout 60 "$tool" convert -m $m -B large -F raw -f raw parts new && clean new || return; done
}
convert_many() {
    head -c 100000 data >a && head -c 3000000 data | tail -c 1000000 >b && cat a b >ab && truncate -s %512 ab &&
        quiet "$tool" convert -f raw -O raw a b two && cmp ab two && quiet "$tool" convert -c -f raw a b image &&
        same -f raw -F qcow2 ab image && clean image
}
convert_parallel() {
    for m in 1 2 16; do
        quiet "$tool" convert -m $m -f raw data image && clean image && same -f raw -F qcow2 data image &&
            quiet "$tool" convert -m $m -c -f raw data image && clean image && same -f raw -F qcow2 data image || return 1
    done
}
convert_caches() {
    for t in unsafe writeback writethrough directsync none; do
        for T in writeback none; do
            quiet "$tool" convert -t $t -T $T -f raw data image && clean image && same -f raw -F qcow2 data image || {
                grep -q 'O_DIRECT' err && continue # on tmpfs
                return 1
            }
        done
    done
}
convert_existing() {
    rm -f image
    qemu-img create -q -f qcow2 image 8M && qemu-io -c 'write -P 9 0 8M' image >/dev/null &&
        quiet "$tool" convert -n -f raw data image && clean image && same -f raw -F qcow2 data image 2>/dev/null ||
        { quiet "$tool" convert -O raw image back && head -c 6292992 back | cmp - data; }
}
convert_progress() {
    "$tool" convert -p -f raw data image >out 2>err && tr '\r' '\n' <err | grep -q '^    (100.00/100%)' && has_none .
}
convert_errors() {
    rm -f new
    misused 'too few arguments: IN\.\.\. OUT' "$tool" convert data &&
        misused '--compress goes with qcow2 images that have their data themselves' "$tool" convert -c -O raw data new &&
        misused '--compress does not go with preallocation' "$tool" convert -c -o preallocation=full data new &&
        misused '--no-create does not go with --options, .*' "$tool" convert -n -o compat=v3 data new &&
        misused '--target-is-zero goes with --no-create' "$tool" convert --target-is-zero data new &&
        misused '--backing goes with one image' "$tool" convert -B data -F raw data data new &&
        misused '--snapshot goes with one image' "$tool" convert -l x data data new &&
        misused "--sparse takes multiples of 512, not '100'" "$tool" convert -S 100 data new &&
        misused "--parallel takes 1 to 16, not '17'" "$tool" convert -m 17 data new &&
        misused "--cache takes .*, not 'no'" "$tool" convert -t no data new &&
        misused 'a disk of 1048576 octets has no room for 6292992' "$tool" convert -o size=1M data new &&
        refuses 'disk nosuch: No such file or directory' "$tool" convert nosuch new &&
        refuses 'data: raw images have no snapshots' "$tool" convert -f raw -l x data new &&
        refuses 'disk nosuch: .*' "$tool" convert -n data nosuch && qemu-img create -q -f qcow2 small 1M &&
        refuses 'small: a disk of 1048576 octets has no room for 6292992' "$tool" convert -n -f raw data small &&
        [ ! -e new ]
}
case_ 'convert keeps holes, and with -S 0 makes none' convert_holes
case_ 'convert makes one image of a chain' convert_flattens
case_ 'convert -B leaves out what the backing file has' convert_layer
case_ 'convert -B of parts of clusters takes no long time' convert_soon
case_ 'convert puts several images behind each other' convert_many
case_ 'convert does the same with any number of chunks at a time' convert_parallel
case_ 'convert does the same through all caches' convert_caches
case_ 'convert -n writes over what is there, zeros too' convert_existing
case_ 'convert -p shows how far it is' convert_progress
case_ 'convert: what cannot be is refused in one line' convert_errors

# --- resize

resize_both_ways() {
    rm -f image
    qemu-img convert -f raw -O qcow2 data image && works "$tool" resize image 20M && has '^image: a disk of 20971520 octets$' &&
        clean image && facts info image && works "$tool" resize image +1G && clean image &&
        works "$tool" resize --shrink image -1G && clean image && works "$tool" resize --shrink image 6292992 &&
        clean image && same -f raw -F qcow2 data image && quiet "$tool" resize -q --shrink image 1M && clean image &&
        quiet "$tool" resize -q image 6292992 && clean image && quiet "$tool" convert -O raw image back &&
        head -c 1048576 data | cmp - "$TMP/first" 2>/dev/null || { head -c 1048576 back >x && head -c 1048576 data | cmp - x; }
}
resize_zeros() {
    works "$tool" info --format=json image && json 'j["virtual-size"] == 6292992' && qemu-io -c 'read -P 0 1M 5M' image >out &&
        has_none 'Pattern verification failed'
}
resize_preallocates() {
    for mode in off metadata falloc full; do
        rm -f image
        qemu-img create -q -f qcow2 image 1M && works "$tool" resize --preallocation=$mode image 9M && clean image &&
            works "$tool" map --format=json image || return 1
        case $mode in
        off) json 'not any(e["data"] for e in j)' || return 1 ;;
        *) json 'sum(e["length"] for e in j if e["data"]) == 8 << 20' || return 1 ;;
        esac
    done
    cp data raw && works "$tool" resize -f raw raw +1M && [ "$(size raw)" -eq $((6292992 + 1048576)) ] &&
        works "$tool" resize -f raw --preallocation=full raw +1M && works "$tool" resize -f raw --shrink raw 6292992 && cmp data raw
}
resize_errors() {
    qemu-img create -q -f qcow2 image 2M &&
        refuses 'image: the disk has 2097152 octets, and would lose 1048576: --shrink permits it' "$tool" resize image 1M &&
        refuses 'image: the disk has 2097152 octets, and would lose 1048576: --shrink permits it' "$tool" resize image -1M &&
        refuses 'image: --preallocation goes with a larger disk' "$tool" resize --shrink --preallocation=full image 1M &&
        refuses '.*' "$tool" resize image 7E && misused "--preallocation takes .*, not 'some'" "$tool" resize --preallocation=some image 3M &&
        misused "SIZE: 'x' is no size: .*" "$tool" resize image x && misused 'too few arguments: .*' "$tool" resize image &&
        refuses '.*a raw image has no metadata' "$tool" resize -f raw --preallocation=metadata data +1M &&
        refuses 'disk nosuch: No such .*' "$tool" resize nosuch 1M && clean image
}
case_ 'resize makes disks larger and smaller' resize_both_ways
case_ 'resize: what was lost does not come back' resize_zeros
case_ 'resize --preallocation takes room for what is new' resize_preallocates
case_ 'resize: what cannot be is refused in one line' resize_errors

# --- bench

bench_runs() {
    rm -f image
    qemu-img convert -f raw -O qcow2 data image && works "$tool" bench -c 500 image &&
        has '^Sending 500 read requests, 4096 bytes each, 64 in parallel \(starting at offset 0, step size 4096\)$' &&
        has '^Run completed in [0-9]+\.[0-9]{3} seconds\.$' && works "$tool" bench -c 300 -d 7 -s 1000 -S 70000 -o 512 image &&
        has '^Sending 300 read requests, 1000 bytes each, 7 in parallel \(starting at offset 512, step size 70000\)$' &&
        works "$tool" bench -w -c 300 -d 4 --pattern=90 --flush-interval=50 image && has '^Sending flush every 50 requests$' &&
        clean image && qemu-io -c 'read -P 90 0 1200k' image >out && has_none failed &&
        works "$tool" bench -w -c 300 --flush-interval=100 --no-drain image && clean image &&
        for engine in io_uring threads; do works "$tool" bench -c 100 -i $engine image || return; done &&
        works "$tool" bench --format=json -c 100 image && json 'j["requests"] == 100' 'j["latency-us"]["p50"] <= j["latency-us"]["max"]'
}
bench_errors() {
    misused '--flush-interval, .* go with --write' "$tool" bench --flush-interval=3 image &&
        misused "--count takes 1 to .*, not '0'" "$tool" bench -c 0 image && misused "--aio takes io_uring or threads, not 'x'" "$tool" bench -i x image &&
        misused "--buffer-size takes 1 to 64M, not '65M'" "$tool" bench -s 65M image &&
        misused '--force-share goes with reading only' "$tool" bench -w -U image &&
        refuses 'image: requests are larger than the disk' "$tool" bench -s 60M image
}
case_ 'bench runs, and says so as qemu-img bench does' bench_runs
case_ 'bench: what cannot be is refused in one line' bench_errors

# --- locks

locks() {
    rm -f image
    qemu-img create -q -f qcow2 image 4M && mkfifo pipe && { qemu-io image <pipe >/dev/null 2>&1 & } && exec 9>pipe &&
        echo 'write 0 64k' >&9 && sleep 0.5 && refuses '.*image.*' "$tool" info image &&
        works "$tool" info -U image && works "$tool" map -U image && refuses '.*' "$tool" resize image 8M &&
        refuses '.*' "$tool" create image 1M && refuses '.*' "$tool" convert -f raw data image
    locked=$?
    exec 9>&-
    wait
    return $locked
}
case_ 'an image that another program writes is left alone, and read with -U' locks

# --- snapshots

# writes PATTERN AT LEN IMAGE
writes() {
    qemu-io -f qcow2 -c "write -P $1 $2 $3" "$4" >/dev/null
}
reads() {
    qemu-io -f qcow2 -c "read -P $1 $2 $3" "$4" >"$TMP/io" && has_none failed "$TMP/io"
}
uuid='[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
snapshot_life() {
    rm -f image
    qemu-img create -q -f qcow2 image 4M && writes 1 0 1M image &&
        works "$tool" snapshot create image one && has "^image: snapshot 'one', $uuid\$" && clean image &&
        writes 2 0 1M image && quiet "$tool" snapshot create -q image two && clean image && writes 3 0 1M image &&
        facts snapshots image && facts info image && works "$tool" snapshot list image && lines 2 "^[12] .*$uuid\$" &&
        quiet "$tool" snapshot apply -q image one && clean image && reads 1 0 1M image &&
        works "$tool" snapshot apply image 2 && clean image && reads 2 0 1M image &&
        quiet "$tool" convert -l one -O raw image back && qemu-img convert -l one -O raw image theirs && cmp back theirs &&
        quiet "$tool" convert -l snapshot.id=2 -O raw image back && qemu-img convert -l two -O raw image theirs && cmp back theirs &&
        refuses "image: snapshot 'one' has children: .*" "$tool" snapshot delete image one && clean image &&
        works "$tool" snapshot delete --reparent image one && clean image && lines 1 "^image: snapshot 'one' is deleted\$" &&
        quiet "$tool" snapshot delete -q image two && clean image && quiet "$tool" snapshot list --format=json image 2>/dev/null ||
        json 'j == []'
}
snapshot_tree() {
    rm -f image
    qemu-img create -q -f qcow2 image 1M && for t in a b c; do quiet "$tool" snapshot create -q image $t || return; done &&
        quiet "$tool" snapshot apply -q image a && quiet "$tool" snapshot create -q image d &&
        quiet "$tool" snapshot create -q --parent=none image e && qemu-img snapshot -c theirs image &&
        works "$tool" snapshot tree image && sed 's/  (.*//' out >shape && printf '%s\n' '  a' '  |- b' '  |  `- c' '  `- d' '* e' '  theirs' | cmp - shape &&
        works "$tool" snapshot tree --format=json image &&
        json '[x["name"] for x in j] == ["a", "e", "theirs"]' '[x["name"] for x in j[0]["children"]] == ["b", "d"]' 'j[1]["current"]' &&
        works "$tool" snapshot list --format=json image && json 'j[1]["parent-uuid"] == j[0]["uuid"]' 'j[4]["parent-uuid"] is None' &&
        clean image
}
snapshot_uuids() {
    rm -f image
    u=01234567-89ab-cdef-0123-456789abcdef
    qemu-img create -q -f qcow2 image 1M && works "$tool" snapshot create --uuid=$u --id=77 image one &&
        works "$tool" snapshot create --parent=$u image two && qemu-img snapshot -c three image &&
        works "$tool" snapshot list --format=json image &&
        json "j[0]['uuid'] == '$u'" 'j[0]["id"] == "77"' "j[1]['parent-uuid'] == '$u'" '"uuid" not in j[2]' 'len(j) == 3' &&
        works "$tool" snapshot apply image $u && works "$tool" info image && has "^    current snapshot: $u\$" && clean image
}
snapshot_errors() {
    rm -f image
    qemu-img create -q -f qcow2 image 1M && quiet "$tool" snapshot create -q image one &&
        refuses '.*one.*' "$tool" snapshot create image one && refuses '.*' "$tool" snapshot create image '' &&
        refuses "image: no snapshot 'two'; there are: 1 'one'" "$tool" snapshot apply image two &&
        refuses "image: no snapshot 'two'; there are: 1 'one'" "$tool" snapshot delete image two &&
        refuses 'data: raw images have no snapshots' "$tool" snapshot list data &&
        misused "--uuid: 'x' is no UUID" "$tool" snapshot create --uuid=x image two &&
        misused "--parent: 'y' is no UUID" "$tool" snapshot create --parent=y image two &&
        misused "'frob' is no verb: .*" "$tool" snapshot frob image && misused 'too few arguments: VERB \.\.\.' "$tool" snapshot &&
        misused 'too few arguments: IMAGE TAG' "$tool" snapshot create image &&
        misused '--force-share goes with reading only' "$tool" snapshot list -U image 2>/dev/null || clean image
}
# A QEMU saves its state into an image.
save_vm() {
    printf '%s\n' 'savevm state' quit | timeout 60 qemu-system-x86_64 -machine pc,accel=tcg -m 16 -display none -nodefaults \
        -S -monitor stdio -drive file="$1",format=qcow2,if=ide >/dev/null 2>"$TMP/err"
}
# The VM state of a snapshot, as octets; it lies behind the disk.
vm_state() {
    qemu-img convert -q -O raw -l "$2" "$1" /dev/null
    "$tool" snapshot list --format=json "$1" | "$python" -c '
import json, sys
print(*next((s["vm-state-size"], s["date-sec"], s["vm-clock-nsec"], s.get("uuid")) for s in json.load(sys.stdin) if s["name"] == sys.argv[1]))' "$2"
}
export_import() {
    rm -f image file
    for c in '' -c; do
        rm -f image file other
        qemu-img create -q -f qcow2 image 4M && writes 1 64k 1M image && save_vm image && clean image &&
            facts snapshots image && quiet "$tool" snapshot create -q image more && writes 2 0 2M image &&
            works "$tool" snapshot export $c image state file && has "^file: snapshot 'state' of image\$" && clean file &&
            facts snapshots file && facts info file && vm_state image state >a && vm_state file state >b &&
            cut -d' ' -f1-3 a >a1 && cut -d' ' -f1-3 b >b1 && cmp a1 b1 && [ "$(cut -d' ' -f1 a)" -gt 10000 ] &&
            qemu-img convert -l state -O raw image x && qemu-img convert -O raw file y && cmp x y &&
            qemu-img create -q -f qcow2 other 4M && writes 7 0 4M other && works "$tool" snapshot import other file && clean other &&
            facts snapshots other && reads 7 0 4M other && qemu-img convert -l state -O raw other y && cmp x y &&
            vm_state other state >c && cmp b c && loads other && loads file || return 1
    done
}
# A QEMU loads its state from an image.
loads() {
    cp "$1" try && printf '%s\n' 'info status' quit | timeout 60 qemu-system-x86_64 -machine pc,accel=tcg -m 16 -display none -nodefaults \
        -S -monitor stdio -drive file=try,format=qcow2,if=ide -loadvm state >"$TMP/load" 2>&1 && has 'VM status' "$TMP/load" &&
        has_none 'Error|rror:|failed' "$TMP/load"
}
import_with_backing() {
    rm -f base top file
    qemu-img create -q -f qcow2 image 4M && writes 1 1M 1M image && quiet "$tool" snapshot create -q image one &&
        works "$tool" snapshot export image one file && qemu-img create -q -f qcow2 base 4M && writes 9 0 4M base &&
        for o in compat=1.1 compat=0.10 compat=1.1,extended_l2=on cluster_size=512; do
            qemu-img create -q -f qcow2 -b base -F qcow2 -o $o top && works "$tool" snapshot import top file && clean top &&
                qemu-img convert -l one -O raw top x && qemu-img convert -l one -O raw image y && cmp x y && reads 9 0 4M top || return
        done
}
transport_errors() {
    rm -f image file other
    qemu-img create -q -f qcow2 image 4M && quiet "$tool" snapshot create -q image one && quiet "$tool" snapshot create -q image two &&
        refuses "image: no snapshot 'x'; there are: .*" "$tool" snapshot export image x file && [ ! -e file ] &&
        quiet "$tool" snapshot export -q image one file && refuses 'disk image: is in use .*' "$tool" snapshot import image image &&
        cp image copy && refuses 'copy: has 2 snapshots: .*' "$tool" snapshot import image copy &&
        { qemu-img create -q -f qcow2 other 5M && refuses 'file: is of a disk of 4194304 octets, and the one in other has 5242880' "$tool" snapshot import other file &&
            clean other && refuses '.*one.*' "$tool" snapshot import image file && clean image &&
            refuses '.*the UUID .* is there already .*' "$tool" snapshot import -q --name=again image file && clean image &&
            qemu-img create -q -f qcow2 other 4M && quiet "$tool" snapshot import -q --name=again other file && clean other &&
            works "$tool" snapshot list other && lines 1 "^1 +again .*$uuid" &&
            refuses 'data: raw images have no snapshots' "$tool" snapshot export data one file &&
            refuses '.*' "$tool" snapshot import image data; }
}
case_ 'snapshots are made, listed, gone to and deleted, and qemu-img agrees' snapshot_life
case_ 'snapshot tree shows which was made of which' snapshot_tree
case_ 'snapshots have the UUIDs that were wanted, and QEMU keeps them' snapshot_uuids
case_ 'snapshot: what cannot be is refused in one line' snapshot_errors
if command -v qemu-system-x86_64 >/dev/null; then
    case_ 'a snapshot with its VM state goes to a file of its own and into another image; QEMU loads it' export_import
else
    skip_ 'a snapshot with its VM state goes to a file of its own and into another image; QEMU loads it' 'no QEMU'
fi
case_ 'import says what is zero where the image has a backing file' import_with_backing
case_ 'export and import: what cannot be is refused in one line' transport_errors

# --- check

# put FILE OFFSET OCTETS (as of printf)
put() {
    # shellcheck disable=SC2059
    printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
check_clean() {
    rm -f image
    qemu-img convert -c -f raw -O qcow2 data image && works "$tool" check image && has '^No errors were found on the image\.$' &&
        qemu-img check image >theirs && put_out theirs && facts check image && quiet "$tool" check -q image &&
        works "$tool" check --format=json image && json 'j["findings"] == []' && "$tool" check -p image >out 2>err &&
        tr '\r' '\n' <err | grep -q '(100.00/100%)'
}
check_leaks() {
    rm -f image
    qemu-img create -q -f qcow2 image 4M && writes 1 0 1M image && truncate -s +640k image && put image $((0x20000 + 50)) '\0\1' &&
        differs "$tool" check image && has '^1 leaked clusters were found on the image\.$' && facts check image &&
        differs "$tool" check --format=json image && json 'j["leaks"] == 1' 'len(j["findings"]) == 1' &&
        works "$tool" check -r leaks image && has '^    1 leaked clusters$' && clean image && works "$tool" check image && reads 1 0 1M image
}
check_damage() {
    rm -f image
    qemu-img create -q -f qcow2 image 4M && writes 1 0 1M image && put image $((0x20000 + 12)) '\0\0' &&
        expect 3 "$tool" check image >out && has '^[0-9]+ errors were found on the image\.$' && facts check image &&
        expect 3 "$tool" check -r leaks image >out && works "$tool" check -r all image && clean image && reads 1 0 1M image
}
# without_extra IMAGE: its one snapshot has no extra data, as in images of version 2 long ago.
without_extra() {
    "$python" - "$1" <<'end'
import struct, sys
with open(sys.argv[1], "r+b") as f:
    data = bytearray(f.read())
    at, = struct.unpack(">Q", data[64:72])
    extra, = struct.unpack(">I", data[at + 36:at + 40])
    data[at + 36:at + 200] = bytes(4) + data[at + 40 + extra:at + 200 + extra]
    f.seek(0)
    f.write(data)
end
}
resize_old_snapshot() {
    rm -f image
    qemu-img create -q -f qcow2 -o compat=0.10 image 2M && writes 3 1M 1M image && qemu-img snapshot -c old image && without_extra image &&
        clean image && refuses "image: snapshot 'old' does not say how large its disk is, .*" "$tool" resize --shrink image 1M &&
        refuses "image: snapshot 'old' does not say how large its disk is, .*" "$tool" resize image 3M &&
        quiet "$tool" snapshot create -q image new && quiet "$tool" resize -q --shrink image 1M && clean image &&
        quiet "$tool" snapshot apply -q image old && clean image && reads 3 1M 1M image
}
check_snapshot_table() {
    rm -f image
    qemu-img create -q -f qcow2 image 1M && qemu-img snapshot -c one image &&
        at=$("$python" -c 'import struct; f = open("image", "rb"); f.seek(64); print(struct.unpack(">Q", f.read(8))[0])') &&
        put image $((at + 36)) '\0\0\10\0' && refuses 'image: .* has 2048 octets of extra data, at most 1024' "$tool" info image &&
        expect 3 "$tool" check image >out && has '^1 errors were found on the image\.$' && has '2048 octets of extra data, at most 1024' &&
        expect 3 "$tool" check -r all image >out && has '^1 errors were found on the image\.$'
}
check_lost_table() {
    rm -f image
    qemu-img create -q -f qcow2 image 4M && writes 1 0 1M image && put image 48 '\0\0\0\0\0\0\0\0\0\0\0\0' &&
        refuses 'image: header offset 56: there is no refcount table' "$tool" info image &&
        expect 3 "$tool" check image >out && has '^cluster 0 at offset 0x0: refcount 0, 1 reference: corrupt$' && facts check image &&
        works "$tool" check -r all image && clean image && works "$tool" check image && reads 1 0 1M image
}
check_errors() {
    refuses 'data: raw images have nothing to check' "$tool" check -f raw data && refuses 'disk nosuch: .*' "$tool" check nosuch &&
        misused "--repair takes leaks or all, not 'some'" "$tool" check -r some image && misused '--force-share goes with reading only' "$tool" check -U -r all image
}
case_ 'check: an image that is clean is told so, as qemu-img does' check_clean
case_ 'check: leaks are counted, and repaired' check_leaks
case_ 'check: damage is told, and repaired' check_damage
case_ 'resize: a snapshot that does not say how large it is keeps its size' resize_old_snapshot
case_ 'check: a snapshot whose name is lost is an error, also after a repair of the rest' check_snapshot_table
case_ 'check: a refcount table that is lost is made anew' check_lost_table
case_ 'check: what cannot be is refused in one line' check_errors

# --- the manual page

# The page has each option: a letter in the synopsis of its command, or its long name.
page_has_options() {
    "$python" - "$here/tools/qcow2-tool/qcow2-tool.1" <<'end'
import os, re, subprocess, sys
page = open(sys.argv[1]).read()
synopsis = page[page.index(".Sh SYNOPSIS"):page.index(".Sh DESCRIPTION")]
parts = {}
for part in synopsis.split("\n.Nm\n")[1:]:
    words = " ".join(re.sub(r"^\.", "", l) for l in part.splitlines())
    for command in ("snapshot list", "snapshot create", "snapshot apply", "snapshot delete", "snapshot export",
                    "snapshot import", "create", "info", "check", "map", "convert", "resize", "bench", "io"):
        if words.replace("Cm ", "").startswith(command):
            parts.setdefault(command, "")
            parts[command] += words
wrong = 0
for command, words in parts.items():
    letters = set("".join(re.findall(r"Fl ([a-zA-Z]+)", words)))
    longs = set(re.findall(r"Fl -([a-z-]+)", words))
    help = subprocess.run([os.environ["tool"], *command.split(), "--help"], stdout=subprocess.PIPE, text=True).stdout
    has = re.findall(r"^  (?:-([a-zA-Z]), )?--([a-z-]+)", help, re.M)
    for letter, name in has:
        if name in ("help", "version") or command.startswith("snapshot") and letter == "f":
            continue
        if not (letter in letters if letter else name in longs):
            if name != "probe-backing":
                wrong += 1
                print(f"{command}: the page has no --{name}")
    for letter in letters - {l for l, _ in has}:
        wrong += 1
        print(f"{command}: -{letter} is no option")
    for name in longs - {n for _, n in has}:
        wrong += 1
        print(f"{command}: --{name} is no option")
sys.exit(wrong or len(parts) < 14)
end
}
examples_work() {
    mkdir examples && cd examples && PATH=$(dirname "$tool"):$PATH "$python" "$here/tests/tools/examples.py" "$here/tools/qcow2-tool/qcow2-tool.1"
}
case_ 'the manual page has the options of all commands' page_has_options
case_ 'the examples of the manual page do what it says' examples_work

# --- the program itself

program_usage() {
    misused 'too few arguments: COMMAND \.\.\.' "$tool" && misused "'frob' is no command: .*" "$tool" frob &&
        misused 'Unknown option --frob' "$tool" info --frob x && works "$tool" --version && has '^qcow2-tool \(ferry\) ' &&
        works "$tool" --help && for c in create info check map snapshot convert resize bench io; do
            works "$tool" $c --help && has "^  qcow2-tool $c " && has '^See qcow2-tool\(1\)\.$' && has_none '.{101}' || return
        done
}
case_ 'every command has help, and what is no command is refused' program_usage
cd "$here" || exit 1
plan
