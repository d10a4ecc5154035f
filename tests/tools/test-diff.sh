#!/bin/sh
# vmstate-diff: the differences of streams that differ in known things.
# shellcheck disable=SC2015,SC2002,SC2094 # A && B || complain; pipes are tested
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

a=traces/a-kvm-min.mig.xz
c1=traces/c1-kvm-virtio.mig.xz
h1=traces/h1-pc-i440fx-2.1.mig.xz
h4=traces/h4-pc-i440fx-2.1-vmdesc.mig.xz

# changed FROM NAME ACTION...: a recording with these changes, in $TMP/NAME.
changed() {
    _from=$1 _name=$2
    shift 2
    "$python" tests/tools/edit.py "$_from" "$TMP/$_name" "$@"
}

# tells LINE... -- ARGUMENT...: these differences, and no other; the exit status, the last line and the JSON agree.
tells() {
    : >"$TMP/wanted"
    while [ "$1" != -- ]; do
        echo "$1" >>"$TMP/wanted"
        shift
    done
    shift
    _status=$(test ! -s "$TMP/wanted"; echo $?)
    "$diff" "$@" >"$TMP/pretty" 2>"$TMP/err"
    status "$_status" $? "$diff" "$@" && has_none . "$TMP/err" && sed '$d' "$TMP/pretty" | command diff "$TMP/wanted" - &&
        has "^# $(wc -l <"$TMP/wanted") differences(, [1-9][0-9]* ignored)?; RAM (not compared \\(--ram\\)|compared)\$" "$TMP/pretty" || return
    "$diff" --format=json "$@" >"$TMP/out" 2>"$TMP/err"
    status "$_status" $? "$diff" --format=json "$@" && has_none . "$TMP/err" && "$python" - "$TMP/out" "$TMP/wanted" <<'py' || return
import json, sys
signs, lines = {"only-a": "- ", "only-b": "+ ", "changed": "~ "}, []
for d in json.load(open(sys.argv[1])):
    assert set(d) == {"difference", "path"} | {"only-a": {"a"}, "only-b": {"b"}, "changed": {"a", "b"}}[d["difference"]]
    values = [d[k] for k in "ab" if k in d]
    lines.append(f"{signs[d['difference']]}{d['path']}: {' -> '.join(values)}")
wanted = open(sys.argv[2]).read().splitlines()
sys.exit(lines != wanted and f"JSON has {lines}")
py
    "$diff" --quiet "$@" >"$TMP/out" 2>"$TMP/err"
    status "$_status" $? "$diff" --quiet "$@" && has_none . && has_none . "$TMP/err"
}

same_is_same() {
    tells -- $a $a && tells -- "$(ber a-kvm-min.mig)" $a && tells -- --ram $a "$(ber a-kvm-min.mig)" &&
        works "$convert" --to=ber --compress=zstd traces/g09-compress.mig.xz "$TMP/g09" && tells -- --ram traces/g09-compress.mig.xz "$TMP/g09" &&
        tells -- $h1 $h1 && tells -- $c1 "$(ber c1-kvm-virtio.mig)"
}
values_differ() {
    changed $a values octets port92 0 00 02 octets kvmclock 40 01 00 octets pckbd 1 18 1c octets PCIBUS 16 00000000 fffffffe &&
        tells '~ kvmclock.kvmclock/clock_is_reliable.clock_is_reliable: true -> false' '~ PCIBUS.irq_count[3]: 0x0 -> -0x2' \
            '~ pckbd.pckbd.status: 0x18 -> 0x1c' '~ port92.outport: 0x0 -> 0x2' -- $a "$TMP/values" &&
        tells '~ kvmclock.kvmclock/clock_is_reliable.clock_is_reliable: false -> true' '~ PCIBUS.irq_count[3]: -0x2 -> 0x0' \
            '~ pckbd.pckbd.status: 0x1c -> 0x18' '~ port92.outport: 0x2 -> 0x0' -- "$TMP/values" "$(ber a-kvm-min.mig)"
}
array_of_structs() {
    # cpu: 16 registers, eip, eflags, hflags, 8 octets of x87, 8 registers of 10; then segments of 20
    changed $a segs octets cpu $((128 + 8 + 8 + 4 + 8 + 80 + 20 + 4)) 00000000ffff0000 00000000ffff0010 &&
        tells '~ cpu.env.segs[1].base: 0xffff0000 -> 0xffff0010' -- $a "$TMP/segs"
}
width_does_not_count() {
    changed $a wide text '"outport", "type": "uint8", "size": 1' '"outport", "type": "uint16", "size": 2' octets port92 0 00 0000 &&
        changed $a large text '"outport", "type": "uint8", "size": 1' '"outport", "type": "uint16", "size": 2' octets port92 0 00 0100 &&
        tells -- $a "$TMP/wide" && tells '~ port92.outport: 0x0 -> 0x100' -- $a "$TMP/large"
}
renamed_is_two() {
    changed $a renamed text '"outport"' '"gate"' && tells '- port92.outport: 0x0' '+ port92.gate: 0x0' -- $a "$TMP/renamed"
}
array_of_one_side() {
    changed $a renamed text '"queue", "array_len": 1024' '"queue", "array_len": 1023' octets vmmouse 4 00000000 '' &&
        tells '~ vmmouse.queue: uint32[1024] -> uint32[1023]' -- $a "$TMP/renamed" &&
        changed $a other text '"queue", "array_len": 1024' '"fifo", "array_len": 1024' &&
        tells '- vmmouse.queue: uint32[1024]' '+ vmmouse.fifo: uint32[1024]' -- $a "$TMP/other"
}
sections_differ() {
    changed $a dropped drop port92 1 && tells '- port92: section, version 1' -- $a "$TMP/dropped" &&
        tells '+ port92: section, version 1' -- "$TMP/dropped" $a && changed $a version version port92 2 &&
        tells '~ port92: version 1 -> version 2' -- $a "$TMP/version"
}
instances_differ() {
    differs "$diff" traces/d-kvm-smp2.mig.xz $a && has '^- cpu\[1\]: section, version 12$' && has_none '^. cpu: section' &&
        differs "$diff" $a traces/d-kvm-smp2.mig.xz && has '^\+ cpu\[1\]: section, version 12$'
}
subsection_differs() {
    changed $a nosub text ', "subsections": [{"vmsd_name": "kvmclock/clock_is_reliable", "version": 1, "fields": [{"name": "clock_is_reliable", "type": "bool", "size": 1}]}]' '' \
        octets kvmclock 8 051a6b766d636c6f636b2f636c6f636b5f69735f72656c6961626c650000000101 '' &&
        tells '- kvmclock.kvmclock/clock_is_reliable.clock_is_reliable: true' -- $a "$TMP/nosub"
}
machine_differs() {
    changed $a machine machine pc-i440fx-7.2 pc-i440fx-7.1 && differs "$diff" $a "$TMP/machine" &&
        has '^~ machine: pc-i440fx-7\.2 -> pc-i440fx-7\.1$' && has_none '^[-+~] [^mc]' && works "$diff" --section=cpu $a "$TMP/machine"
}
octets_differ() {
    changed $c1 octets octets slirp 5 000000 0102ff octets slirp 20 00 80 &&
        tells '~ slirp.[5-7]: 00 00 00 -> 01 02 ff' '~ slirp.[20]: 00 -> 80' -- $c1 "$TMP/octets" && tells -- --ignore='slirp.*' $c1 "$TMP/octets" &&
        changed $c1 virtio octets 0000:00:02.0/virtio-blk 200 0000 1234 &&
        tells '~ 0000:00:02.0/virtio-blk.virtio[200-201]: 00 00 -> 12 34' -- $c1 "$TMP/virtio" && tells -- --ignore='*.virtio*' $c1 "$TMP/virtio" &&
        zeros=$(printf '%040d' 0) && ones=$(printf '%040d' 0 | tr 0 1) && changed $c1 many octets slirp 5 "$zeros" "$ones" &&
        differs "$diff" $c1 "$TMP/many" && has '^~ slirp\.\[5-24\]: (00 ){16}\.\.\. .*-> (11 ){16}\.\.\. '
}
described_on_one_side() {
    differs "$diff" --section=port92 $h1 $h4 && has '^~ port92: not described -> described$' &&
        works "$diff" --section=port92 --schema-from=$h4 $h1 $h4 && works "$diff" --schema-from="$(ber h4-pc-i440fx-2.1-vmdesc.mig)" $h1 $h1
}

# --- RAM ------------------------------------------------------------------------------------------------------------

ram_blocks_differ() {
    changed $a ram ram pc.ram 33554432 67108864 && tells '~ ram.pc.ram: 0x2000000 octets -> 0x4000000 octets' -- $a "$TMP/ram" &&
        tells '~ ram.pc.ram: 0x2000000 octets -> 0x4000000 octets' -- --section=ram $a "$TMP/ram" && tells -- --section=cpu $a "$TMP/ram" &&
        differs "$diff" --section=ram $h4 traces/h3-pc-i440fx-2.3.mig.xz && has '^\+ ram\./rom@etc/acpi/rsdp: 0x1000 octets$'
}
# Single octets of pages that came as they are: pages are found in the stream by what is in them.
ram_pages_differ() {
    "$python" - "$(raw g08-xbzrle.mig)" "$TMP/pages" <<'py' || return
import struct, sys
sys.dont_write_bytecode = True
sys.path.insert(0, "tests/tools")
import pages
data = bytearray(open(sys.argv[1], "rb").read())
for block, offset, kind, at in pages.records(data):
    if block == "pc.ram" and kind == "normal" and offset in (0x100000, 0x101000, 0x104000):
        data[at + 4095] ^= 0xff
open(sys.argv[2], "wb").write(data)
py
    # those three are changed again by later pages (XBZRLE), but not this octet
    tells '~ ram.pc.ram[0x100000-0x101fff]: 2 pages -> other content' '~ ram.pc.ram[0x104000]: 1 pages -> other content' -- --ram traces/g08-xbzrle.mig.xz "$TMP/pages" &&
        tells -- traces/g08-xbzrle.mig.xz "$TMP/pages" && tells -- --ram --ignore='ram.pc.ram*' traces/g08-xbzrle.mig.xz "$TMP/pages"
}
pages_elsewhere_are_told() {
    "$diff" --ram traces/g05-multifd-none.mig.xz traces/g05-multifd-none.mig.xz >"$TMP/out" 2>"$TMP/err"
    status 0 $? multifd && has '^vmstate-diff: .*: [0-9]+ of [0-9]+ pages of memory are not in the stream, and count as zeros$' "$TMP/err"
}

# --- options --------------------------------------------------------------------------------------------------------

ignore_is_counted() {
    changed $a values octets port92 0 00 02 octets kvmclock 40 01 00 octets pckbd 1 18 1c octets PCIBUS 16 00000000 fffffffe &&
        tells '~ pckbd.pckbd.status: 0x18 -> 0x1c' -- --ignore='kvmclock*' --ignore='PCIBUS.irq_count[?]' --ignore=port92.outport $a "$TMP/values" &&
        has '^# 1 differences, 3 ignored; ' "$TMP/pretty" && tells -- --ignore='*' $a "$TMP/values" &&
        for glob in port92 'ort92.outport' 'port92.' 'PORT92.*' '[p]ort92.outport' 'port92.outport*?'; do
            "$diff" --quiet --section=port92 --ignore="$glob" $a "$TMP/values" && echo "$glob fits" && return 1
        done
    return 0
}
section_narrows() {
    changed $a values octets port92 0 00 02 octets kvmclock 40 01 00 octets pckbd 1 18 1c octets PCIBUS 16 00000000 fffffffe &&
        tells '~ port92.outport: 0x0 -> 0x2' -- --section=port92 $a "$TMP/values" && tells -- --section=timer $a "$TMP/values" &&
        tells '~ port92.outport: 0x0 -> 0x2' -- --section=pckbd --section='port??' $a "$TMP/values" && tells -- --section=piix4_pm $a "$TMP/values" &&
        misused 'no section of A or B fits --section=.nothing.' "$diff" --section=nothing $a "$TMP/values" &&
        misused 'no section of A or B fits --section=..' "$diff" --section= $a "$TMP/values" &&
        tells -- '--section=cpu[1]' traces/d-kvm-smp2.mig.xz traces/d-kvm-smp2.mig.xz
}
standard_input() {
    file=$(raw a-kvm-min.mig)
    works "$diff" - $a <"$file" && cat "$file" | works "$diff" --ram $a - && works "$diff" - $a <$a
}
refused() {
    head -c 280000 "$(raw a-kvm-min.mig)" >"$TMP/cut" && refuses '.*cut: .*: the input ends at 0x445c0' "$diff" "$TMP/cut" $a && has_none . &&
        refuses '.*cut: .*: the input ends at 0x445c0' "$diff" $a "$TMP/cut" && has_none . &&
        refuses '.*: this is no VM state: .*' "$diff" $a tests/support/tap.sh && refuses '.*none: cannot open: .*' "$diff" "$TMP/none" $a &&
        refuses '.*: .*' "$diff" --format=json "$TMP/cut" $a && json 'j == []' &&
        refuses '.*chan1\.xz: .*' "$diff" traces/g05-multifd-none.chan1.xz traces/g05-multifd-none.chan1.xz || return
    [ -e /dev/full ] || return 0
    "$diff" $a traces/e-tcg-min.mig.xz 2>"$TMP/err" >/dev/full
    status 3 $? full && has 'No space left on device$' "$TMP/err"
}
in_colour() {
    escape=$(printf '\033')
    differs "$diff" $a traces/e-tcg-min.mig.xz && has_none "$escape" && cp "$TMP/out" "$TMP/there" &&
        differs "$diff" --color=always $a traces/e-tcg-min.mig.xz && has "$escape\\[" && sed "s/$escape\\[[0-9;]*m//g" "$TMP/out" | command diff "$TMP/there" - &&
        differs "$diff" --color=always --format=json $a traces/e-tcg-min.mig.xz && has_none "$escape"
}
no_file_is_left() {
    mkdir "$TMP/temporary" && TMPDIR=$TMP/temporary works "$diff" --ram $a $a && [ -z "$(ls -A "$TMP/temporary")" ] &&
        TMPDIR=$TMP/not-there refuses '.*not-there.*' "$diff" --ram $a $a
}

case_ 'a state does not differ from itself, in either format, with RAM packed or not' same_is_same
case_ 'fields that differ are told with path and values, also across formats' values_differ
case_ 'elements of arrays of structs have their number in the path' array_of_structs
case_ 'the width of a number does not count' width_does_not_count
case_ 'a renamed field differs twice' renamed_is_two
case_ 'arrays of which one is longer, or only on one side, are told by kind and length' array_of_one_side
case_ 'sections of one side, and versions, are told' sections_differ
case_ 'instances are told apart' instances_differ
case_ 'a subsection of one side is told field by field' subsection_differs
case_ 'the machine type is compared, but not with --section' machine_differs
case_ 'stretches of undescribed octets are told' octets_differ
case_ 'what is described on one side only differs, and a description from elsewhere helps' described_on_one_side
case_ 'RAM blocks are compared' ram_blocks_differ
case_ 'with --ram pages that differ are told, in stretches' ram_pages_differ
case_ 'pages that are not in the stream are told' pages_elsewhere_are_told
case_ '--ignore counts what its globs fit, which is the whole path' ignore_is_counted
case_ '--section narrows the comparison, and must fit something' section_narrows
case_ 'either side may be standard input' standard_input
case_ 'cut, missing and other input is refused, and so is a full output' refused
case_ 'colour only adds colour' in_colour
case_ 'temporary files are in TMPDIR, and none is left' no_file_is_left
plan
