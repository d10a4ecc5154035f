#!/bin/sh
# vmstate-check: the verdict over streams that differ in one known thing.
#
# What is expected follows from the tables of levels and kinds in vmstate-check(1), not from what the program says.
# shellcheck disable=SC2015,SC2086,SC2002 # A && B || complain; lists of words; pipes are tested
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

a=traces/a-kvm-min.mig.xz
h1=traces/h1-pc-i440fx-2.1.mig.xz
h3=traces/h3-pc-i440fx-2.3.mig.xz
h4=traces/h4-pc-i440fx-2.1-vmdesc.mig.xz
pcspk_one='{"name": "data_on", "type": "uint8", "size": 1}'
pcspk_two='{"name": "dummy_refresh_clock", "type": "uint8", "size": 1}'

# changed NAME ACTION...: the recording with these changes, in $TMP/NAME.
changed() {
    _name=$1
    shift
    "$python" tests/tools/edit.py $a "$TMP/$_name" "$@"
}

# findings VERDICT 'LEVEL KIND PATH'... -- ARGUMENT...: vmstate-check says this verdict, and these findings, no more and
# no fewer, in both forms; the exit status is that of the verdict. See findings.py.
findings() {
    _verdict=$1 _status=0
    shift
    : >"$TMP/wanted"
    while [ "$1" != -- ]; do
        echo "$1" >>"$TMP/wanted"
        shift
    done
    shift
    [ "$_verdict" = incompatible ] && _status=1
    for _form in pretty json; do
        "$check" --format=$_form "$@" >"$TMP/out" 2>"$TMP/err"
        status $_status $? "$check" "$@" && has_none . "$TMP/err" || return
        [ $_form = json ] || mv "$TMP/out" "$TMP/pretty"
    done
    "$python" tests/tools/findings.py "$TMP" "$_verdict" || {
        echo "($*)"
        return 1
    }
}
i() {
    echo "incompatible $*"
}
c() {
    echo "convertible $*"
}

# --- fields ---------------------------------------------------------------------------------------------------------

same_is_identical() {
    findings identical -- $a $a && findings identical -- --loader=position $a $a &&
        findings identical -- "$(ber a-kvm-min.mig)" $a && findings identical -- --strict $a "$(ber a-kvm-min.mig)" &&
        json 'j["loader"] == "name"' 'j["ignored"] == 0' "j['a'] == '$a'" &&
        has '^A: .*\(qemufile, machine type pc-i440fx-7\.2\)$' "$TMP/pretty" &&
        has '^B: .*\(ber, machine type pc-i440fx-7\.2, written by ferry vmstate-convert.*\)$' "$TMP/pretty"
}
values_of_the_destination() {
    changed values octets port92 0 00 02 octets kvmclock 0 00 ff octets pckbd 1 18 00 &&
        findings identical -- $a "$TMP/values" && findings identical -- "$TMP/values" $a
}
renamed() {
    changed renamed text '"outport"' '"gate"' &&
        findings incompatible "$(i unknown port92.outport)" "$(i missing port92.gate)" -- $a "$TMP/renamed" &&
        findings convertible "$(c renamed 'port92.*')" -- --loader=position $a "$TMP/renamed"
}
# A port92 whose field has two octets.
wide() {
    changed "$1" text '"outport", "type": "uint8", "size": 1' '"outport", "type": "uint16", "size": 2' \
        octets port92 0 00 "$2"
}
widened() {
    wide wide 0000 && findings convertible "$(c widened port92.outport)" -- $a "$TMP/wide" &&
        findings incompatible "$(i kind port92.outport)" -- --loader=position $a "$TMP/wide"
}
narrowed() {
    wide wide 0000 && wide fits 00ff && wide large 0100 &&
        findings convertible "$(c narrowed port92.outport)" -- "$TMP/wide" $a &&
        findings convertible "$(c narrowed port92.outport)" -- "$TMP/fits" $a &&
        findings incompatible "$(i narrowed port92.outport)" -- "$TMP/large" $a && has ' 256 does not fit' "$TMP/pretty" &&
        findings incompatible "$(i kind port92.outport)" -- --loader=position "$TMP/wide" $a
}
sign() {
    unsigned='"status", "type": "uint8", "size": 1}, {"name": "mode"' signed='"status", "type": "int8", "size": 1}, {"name": "mode"'
    changed signed text "$unsigned" "$signed" && changed positive octets pckbd 1 18 7f && changed large octets pckbd 1 18 80 &&
        changed negative text "$unsigned" "$signed" octets pckbd 1 18 ff &&
        findings convertible "$(c sign_changed pckbd.pckbd.status)" -- "$TMP/positive" "$TMP/signed" &&
        findings incompatible "$(i sign_changed pckbd.pckbd.status)" -- "$TMP/large" "$TMP/signed" &&
        findings convertible "$(c sign_changed pckbd.pckbd.status)" -- "$TMP/signed" $a &&
        findings incompatible "$(i sign_changed pckbd.pckbd.status)" -- "$TMP/negative" $a && has ' -1 does not fit' "$TMP/pretty" &&
        findings convertible "$(c sign_changed pckbd.pckbd.status)" -- --loader=position "$TMP/large" "$TMP/signed"
}
other_kind() {
    path=kvmclock.kvmclock/clock_is_reliable.clock_is_reliable
    changed integer text '"clock_is_reliable", "type": "bool"' '"clock_is_reliable", "type": "uint8"' &&
        findings incompatible "$(i kind $path)" -- $a "$TMP/integer" && findings incompatible "$(i kind $path)" -- "$TMP/integer" $a &&
        findings incompatible "$(i kind $path)" -- --loader=position $a "$TMP/integer"
}
other_count() {
    changed three text '"irq_count", "array_len": 4' '"irq_count", "array_len": 3' octets PCIBUS 16 00000000 '' &&
        findings incompatible "$(i count PCIBUS.irq_count)" -- $a "$TMP/three" &&
        findings incompatible "$(i count PCIBUS.irq_count)" -- "$TMP/three" $a &&
        findings incompatible "$(i count PCIBUS.irq_count)" -- --loader=position $a "$TMP/three"
}
other_order() {
    changed order text "$pcspk_one, $pcspk_two" "$pcspk_two, $pcspk_one" &&
        findings convertible "$(c reordered 'pcspk.*')" -- $a "$TMP/order" &&
        findings convertible "$(c reordered 'pcspk.*')" -- "$TMP/order" $a &&
        findings incompatible "$(i reordered pcspk.data_on)" "$(i reordered pcspk.dummy_refresh_clock)" -- --loader=position $a "$TMP/order"
}
new_field() {
    changed more text "$pcspk_two" "$pcspk_two, {\"name\": \"extra\", \"type\": \"uint32\", \"size\": 4}" octets pcspk 2 '' 00000000 &&
        findings incompatible "$(i missing pcspk.extra)" -- $a "$TMP/more" &&
        findings incompatible "$(i unknown pcspk.extra)" -- "$TMP/more" $a &&
        findings incompatible "$(i missing pcspk.extra)" -- --loader=position $a "$TMP/more" &&
        findings incompatible "$(i unknown pcspk.extra)" -- --loader=position "$TMP/more" $a
}
other_type_name() {
    changed type text '"struct": {"vmsd_name": "APM State"' '"struct": {"vmsd_name": "APM"' &&
        findings convertible "$(c type_name 0000:00:01.3/piix4_pm.apm)" -- $a "$TMP/type" &&
        findings convertible "$(c type_name 0000:00:01.3/piix4_pm.apm)" -- "$TMP/type" $a &&
        findings identical -- --loader=position $a "$TMP/type"
}
pads() {
    changed pad text '"unused", "type": "unused_buffer", "size": 8}, {"name": "cpu_clock_offset"' \
        '"unused", "type": "unused_buffer", "size": 4}, {"name": "cpu_clock_offset"' octets timer 8 00000000 '' &&
        findings convertible "$(c skipped timer.unused)" -- $a "$TMP/pad" &&
        findings convertible "$(c skipped timer.unused)" -- "$TMP/pad" $a
}

# --- sections, subsections, the machine -----------------------------------------------------------------------------

dropped_section() {
    changed dropped drop port92 1 && findings incompatible "$(i unknown port92)" -- $a "$TMP/dropped" &&
        findings convertible "$(c defaulted port92)" -- "$TMP/dropped" $a &&
        findings incompatible "$(i unknown port92)" -- --loader=position $a "$TMP/dropped"
}
other_instance() {
    d=traces/d-kvm-smp2.mig.xz
    findings incompatible "$(i unknown 'cpu_common[1]')" "$(i unknown 'cpu[1]')" "$(i unknown 'apic[1]')" -- $d $a &&
        findings convertible "$(c defaulted 'cpu_common[1]')" "$(c defaulted 'cpu[1]')" "$(c defaulted 'apic[1]')" -- $a $d
}
other_place() {
    changed moved name port92 "$(printf port93 | od -An -tx1 | tr -d ' ')" &&
        findings incompatible "$(i unknown port93)" "$(c defaulted port92)" -- "$TMP/moved" $a
}
other_version() {
    changed version version port92 2 && findings incompatible "$(i version port92)" -- "$TMP/version" $a &&
        findings convertible "$(c version port92)" -- $a "$TMP/version" &&
        findings incompatible "$(i version port92)" -- --loader=position "$TMP/version" $a
}
# The octets of the head of kvmclock's only subsection, without its version.
head=051a6b766d636c6f636b2f636c6f636b5f69735f72656c6961626c65
missing_subsection() {
    path=kvmclock.kvmclock/clock_is_reliable
    subsection='{"vmsd_name": "kvmclock/clock_is_reliable", "version": 1, "fields": [{"name": "clock_is_reliable", "type": "bool", "size": 1}]}'
    changed nosub text ", \"subsections\": [$subsection]" '' octets kvmclock 8 ${head}0000000101 '' &&
        findings convertible "$(c defaulted $path)" -- "$TMP/nosub" $a &&
        findings incompatible "$(i unknown $path)" -- $a "$TMP/nosub" &&
        findings convertible "$(c defaulted $path)" -- --loader=position "$TMP/nosub" $a
}
subsection_version() {
    path=kvmclock.kvmclock/clock_is_reliable
    changed sub2 text '"kvmclock/clock_is_reliable", "version": 1' '"kvmclock/clock_is_reliable", "version": 2' \
        octets kvmclock 8 ${head}00000001 ${head}00000002 &&
        findings incompatible "$(i version $path)" -- "$TMP/sub2" $a && findings convertible "$(c version $path)" -- $a "$TMP/sub2"
}
other_machine() {
    changed machine machine pc-i440fx-7.2 pc-i440fx-7.1 && findings incompatible "$(i machine machine)" -- $a "$TMP/machine" &&
        has 'pc-i440fx-7\.2, .*pc-i440fx-7\.1' "$TMP/pretty" &&
        findings incompatible "$(i machine machine)" -- --loader=position $a "$TMP/machine"
}
other_ram() {
    changed ram ram pc.ram 33554432 67108864 && changed rom ram /rom@etc/acpi/tables 131072 262144 &&
        findings incompatible "$(i ram ram.pc.ram)" -- $a "$TMP/ram" && has '32 MiB.*64 MiB' "$TMP/pretty" &&
        findings incompatible "$(i ram ram.pc.ram)" -- "$TMP/ram" $a &&
        findings convertible "$(c ram ram./rom@etc/acpi/tables)" -- $a "$TMP/rom" &&
        findings convertible "$(c ram ram./rom@etc/acpi/tables)" -- "$TMP/rom" $a &&
        findings convertible "$(c ram ram./rom@etc/acpi/rsdp)" -- --loader=position $h4 $h3 &&
        findings incompatible "$(i ram ram./rom@etc/acpi/rsdp)" -- --loader=position $h3 $h4
}
other_capability() {
    for pair in "$a traces/g10-x-ignore-shared.mig.xz" "traces/g10-x-ignore-shared.mig.xz $a"; do
        differs "$check" --format=json $pair &&
            json '[f["level"] for f in j["findings"] if f["kind"] == "capability" and "x-ignore-shared" in f["text"]] == ["incompatible"]' || return
    done
}
several() {
    changed several text '"outport"' '"gate"' machine pc-i440fx-7.2 pc-i440fx-7.1 drop i2c_bus 1 version pcspk 2
}
several_at_once() {
    several && works "$convert" --to=ber "$TMP/several" "$TMP/several.ber" || return
    for pair in "$a $TMP/several" "$(ber a-kvm-min.mig) $TMP/several" "$(ber a-kvm-min.mig) $TMP/several.ber"; do
        findings incompatible "$(i unknown port92.outport)" "$(i missing port92.gate)" "$(i machine machine)" "$(i unknown i2c_bus)" \
            "$(c version pcspk)" -- $pair || return
    done
    for pair in "$TMP/several $a" "$TMP/several.ber $a" "$TMP/several.ber $(ber a-kvm-min.mig)"; do
        findings incompatible "$(i unknown port92.gate)" "$(i missing port92.outport)" "$(i machine machine)" "$(c defaulted i2c_bus)" \
            "$(i version pcspk)" -- $pair || return
    done
}
not_judged() {
    works "$check" --format=json $h1 $h1 && json 'j["verdict"] == "convertible"' 'len(j["findings"]) == 30' \
        '{(f["level"], f["kind"]) for f in j["findings"]} == {("convertible", "not judged")}' &&
        findings identical -- --strict --schema-from=$h4 $h1 $h1 && differs "$check" --strict $h1 $h1 || return
    # octets within a device that is described otherwise: a virtio device with more of them on one side
    for order in 'c1 f2' 'f2 c1'; do
        set -- $order
        "$check" --format=json traces/$1-*.mig.xz traces/$2-*.mig.xz >"$TMP/out" 2>"$TMP/err"
        json '["convertible"] == [f["level"] for f in j["findings"] if (f["kind"], f["path"]) == ("not judged", "0000:00:02.0/virtio-blk.virtio")]' || return
    done
}

# --- options --------------------------------------------------------------------------------------------------------

ignore_leaves_out() {
    several && findings convertible "$(c version pcspk)" -- --ignore='port92.*' --ignore=machine --ignore='i?c_bus' $a "$TMP/several" &&
        json 'j["ignored"] == 4' && has '^verdict: convertible \(0 incompatible, 1 convertible, 4 ignored\)$' "$TMP/pretty" &&
        findings identical -- --ignore='*' --strict $a "$TMP/several" && json 'j["ignored"] == 5' &&
        findings incompatible "$(i unknown port92.outport)" "$(i missing port92.gate)" -- --ignore=machine --ignore='*c*' \
            --ignore=port92 --ignore=ort92.gate --ignore='[p]*' $a "$TMP/several"
}
strict_fails() {
    changed dropped drop port92 1 && works "$check" "$TMP/dropped" $a && differs "$check" --strict "$TMP/dropped" $a &&
        has '^verdict: convertible ' && works "$check" --strict --ignore=port92 "$TMP/dropped" $a && works "$check" --strict $a $a
}
standard_input() {
    file=$(raw a-kvm-min.mig)
    works "$check" --strict - $a <"$file" && has '^A: standard input ' && cat "$file" | works "$check" --strict $a - &&
        has '^B: standard input ' "$TMP/out"
}
cut_is_not_judged() {
    head -c 280000 "$(raw a-kvm-min.mig)" >"$TMP/cut" && refuses '.*cut: .*: the input ends at 0x445c0' "$check" "$TMP/cut" $a &&
        has_none . && refuses '.*cut: .*: the input ends at 0x445c0' "$check" $a "$TMP/cut" && has_none . &&
        refuses '.*none: cannot open: .*' "$check" $a "$TMP/none" && refuses '.*: this is no VM state: .*' "$check" tests/support/tap.sh $a &&
        refuses '.*: the stream has no description' "$check" --schema-from=$h1 $a $a
}
in_colour() {
    escape=$(printf '\033')
    several && differs "$check" $a "$TMP/several" && has_none "$escape" && cp "$TMP/out" "$TMP/there" &&
        differs "$check" --color=always $a "$TMP/several" && has "$escape\\[" &&
        sed "s/$escape\\[[0-9;]*m//g" "$TMP/out" | command diff "$TMP/there" - &&
        differs "$check" --color=always --format=json $a "$TMP/several" && has_none "$escape"
}

case_ 'a stream fits itself, in either format' same_is_identical
case_ 'values of the destination do not matter' values_of_the_destination
case_ 'a renamed field is missing and unknown by name, and renamed by position' renamed
case_ 'a wider destination is convertible by name, and not by position' widened
case_ 'of a narrower destination the value decides' narrowed
case_ 'of another sign the value decides, but not by position' sign
case_ 'another kind is incompatible' other_kind
case_ 'another number of elements is incompatible' other_count
case_ 'another order is convertible by name, and incompatible by position' other_order
case_ 'a field that only one side has is incompatible' new_field
case_ 'another name of a type is convertible' other_type_name
case_ 'a pad of another size is skipped' pads
case_ 'a section that the destination lacks is incompatible, one that the stream lacks is not' dropped_section
case_ 'instances of a section are told apart' other_instance
case_ 'a section of another name is another section' other_place
case_ 'a newer version is incompatible, an older one is not' other_version
case_ 'a subsection that the stream lacks keeps its reset value, one that the destination lacks is incompatible' missing_subsection
case_ 'a newer version of a subsection is incompatible, an older one is not' subsection_version
case_ 'another machine type is incompatible' other_machine
case_ 'RAM of another size is incompatible, but of a ROM that QEMU can resize; a block that is only there keeps its content' other_ram
case_ 'x-ignore-shared on one side is incompatible' other_capability
case_ 'all findings are told at once, and are the same in BER' several_at_once
case_ 'what nobody described is not judged, and a description from elsewhere helps' not_judged
case_ '--ignore leaves out findings by their whole path, and the verdict follows from the rest' ignore_leaves_out
case_ '--strict fails unless identical' strict_fails
case_ 'either side may be standard input' standard_input
case_ 'a cut, missing or other input is refused' cut_is_not_judged
case_ 'colour only adds colour' in_colour
plan
