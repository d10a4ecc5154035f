#!/bin/sh
# qcow2-tool io: requests to a disk by hand, against qemu-io and qemu-img.
# shellcheck disable=SC2015,SC2016,SC2059,SC2086 # A && B || complain; texts with \n; options are several words
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
quiet() {
    works "$@" && has_none .
}
# clean IMAGE: qemu-img check finds nothing.
clean() {
    qemu-img check -q "$1" >"$TMP/err" 2>&1 || {
        cat "$TMP/err"
        return 1
    }
}
# writes PATTERN AT LEN IMAGE
writes() {
    qemu-io -f qcow2 -c "write -P $1 $2 $3" "$4" >/dev/null
}
reads() {
    qemu-io -f qcow2 -c "read -P $1 $2 $3" "$4" >"$TMP/io" && has_none failed "$TMP/io"
}

# io_says TEXT OPTION...: io works, and prints just that.
io_says() {
    _text=$1
    shift
    works "$tool" io "$@" image && printf "$_text" | cmp - out
}
io_requests() {
    rm -f image
    printf 'abc' >octets
    qemu-img create -q -f qcow2 image 4M &&
        io_says 'wrote 65536/65536 bytes at offset 1000\nread 10/10 bytes at offset 1000\n' -c 'write -P 0x11 1000 64k' -c 'read -P 17 1000 10' &&
        reads 0 0 1000 image && reads 17 1000 64k image && reads 0 66536 1k image &&
        io_says '' -c 'write -q -s octets 1M 10' -c 'writev -q -P 5 2M 512 1 7' -c 'write -q -f -P 7 3M 1k' &&
        io_says '00100000:  61 62 63 61 62 63 61 62 63 61 00 00  abcabcabca..\nread 12/12 bytes at offset 1048576\n' -c 'read -v 1M 12' &&
        reads 5 2M 520 image && reads 0 2097672 1k image && reads 7 3M 1k image &&
        io_says '' -c 'readv -q -P 5 2M 519 1' -c 'read -q -P 5 -s 10 -l 510 2097142 600' &&
        io_says '' -c 'write -q -c -P 9 3584k 128k' && reads 9 3584k 128k image && clean image &&
        qemu-img check --output=json image >out && json 'j["compressed-clusters"] == 2' &&
        io_says '4194304\n5242880\n' -c length -c 'truncate 5M' -c length && clean image && reads 0 4M 1M image &&
        quiet "$tool" resize -q --shrink image 4M && quiet "$tool" io -f raw -c 'read -q -P 0x51 0 1' image
}
io_zeros() {
    rm -f image base
    qemu-img create -q -f qcow2 base 1M && writes 3 0 1M base && qemu-img create -q -f qcow2 -b base -F qcow2 image &&
        io_says '' -c 'write -q -P 4 0 128k' -c 'write -q -z 0 64k' -c 'write -q -z -u 64k 64k' -c 'write -q -z 512k 100' -c flush &&
        reads 0 0 128k image && reads 3 128k 384k image && reads 0 512k 100 image && reads 3 524388 1k image && clean image &&
        works "$tool" io -r -c 'alloc 0 128k' -c 'alloc 128k' -c 'alloc 0 1M' -c map image &&
        printf '%s\n' '131072/131072 bytes allocated at offset 0' '0/512 bytes allocated at offset 131072' \
        '196608/1048576 bytes allocated at offset 0' '131072 bytes allocated at offset 0' '393216 bytes not allocated at offset 131072' \
        '65536 bytes allocated at offset 524288' '458752 bytes not allocated at offset 589824' | cmp - out &&
        io_says 'discard 131072/131072 bytes at offset 0\n' -c 'discard 0 128k' && reads 0 0 128k image && clean image &&
        qemu-img map --output=json image >out && json 'j[0]["length"] == 131072 and not j[0]["data"]'
}
io_many() {
    rm -f image
    qemu-img create -q -f qcow2 -o cluster_size=4k image 8M &&
        { for i in $(seq 1 50); do echo "aio_write -q -P $i $((i * 100000)) 5000"; done && echo aio_flush &&
            for i in $(seq 1 50); do echo "aio_read -q -P $i $((i * 100000)) 5000"; done && echo '# the end' && echo 'aio_write -z -q 0 9k'; } >commands &&
        works "$tool" io --l2-cache=16k --refcount-cache=16k image <commands && has_none . out && clean image &&
        reads 1 100000 5000 image && reads 50 5000000 5000 image
}
io_differs() {
    rm -f image
    qemu-img create -q -f qcow2 image 1M && differs "$tool" io -c 'write -q -P 1 0 1k' -c 'read -q -P 1 0 2k' -c 'read -q -P 1 0 1k' image &&
        has '^Pattern verification failed at offset 0, 2048 bytes$' && lines 1 . &&
        differs "$tool" io -c 'aio_read -q -P 1 0 2k' image
}
io_dies() {
    rm -f image
    qemu-img create -q -f qcow2 -o lazy_refcounts=on image 1M
    sh -c '"$tool" io -c "write -q -P 1 0 1k" -c flush -c "write -q -P 2 64k 1k" -c "sigraise 9" -c "write -P 3 0 1k" image >out; exit $?' 2>err
    [ $? -eq 137 ] && has_none . out && quiet "$tool" check -r all -q image && clean image && reads 1 0 1k image
}
io_writes_through() {
    for cache in writethrough directsync; do
        rm -f image
        qemu-img create -q -f qcow2 image 1M && sh -c '"$tool" io -t "$1" -c "write -q -P 1 0 1k" -c "write -q -z 4k 1k" -c "write -q -c -P 2 64k 64k" -c "sigraise 9" image; exit $?' sh $cache 2>err
        [ $? -eq 137 ] && clean image && reads 1 0 1k image && reads 2 64k 64k image && reads 0 4k 1k image || return 1
    done
}
io_errors() {
    rm -f image
    qemu-img create -q -f qcow2 image 1M && refuses 'image: write 1M 1: .*' "$tool" io -c 'write 1M 1' image &&
        refuses 'image: read 1048575 2: the disk ends at 1048576' "$tool" io -c 'read 1048575 2' image &&
        refuses 'image: alloc 1M 1: the disk ends at 1048576' "$tool" io -c 'alloc 1M 1' image &&
        refuses 'image: write 0 1: Read-only file system' "$tool" io -r -c 'write 0 1' image &&
        refuses 'image: disk offset 0x0: 100 octets: cannot write: Invalid argument' "$tool" io -c 'write -c 0 100' image &&
        refuses 'write -s nosuch 0 1: .*nosuch.*' "$tool" io -c 'write -s nosuch 0 1' image && refuses '.*nosuch.*' "$tool" io -c length nosuch &&
        for c in "write -P 300 0 1" "write -P 4k 0 1" "read -x 0 1" "read 0 -1" "read 0 9E" "read 0 3G" "write 0" "write 0 1 2" "flush 1" \
            "write -u 0 1" "write -z -P 1 0 1" "read -s 5 0 9" "read -P 1 -s 9 -l 1 0 9" "read -P" "frob" "'write" "write -c -z 0 64k"; do
            "$tool" io -c "$c" -c 'write -P 1 0 1' image >out 2>err
            [ $? -eq 2 ] && is_one_line err && has '^wrote 1/1 ' out || { echo "$c" && return 1; }
        done && clean image
}
case_ 'io reads and writes as qemu-io does' io_requests
case_ 'io: zeros, discard, and what the image has itself' io_zeros
case_ 'io: many requests at the same time, commands from standard input, little memory' io_many
case_ 'io says that something else was read' io_differs
case_ 'io dies when told to, and what was flushed is there' io_dies
case_ 'io -t writethrough: a write that has ended is there, whatever comes' io_writes_through
case_ 'io: a command that fails or makes no sense is told in one line, and the next is run' io_errors
cd "$here" || exit 1
plan
