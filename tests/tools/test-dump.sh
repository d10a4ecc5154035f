#!/bin/sh
# vmstate-dump: what it shows of recordings, in all forms.
#
# test-dump.sh --record writes the expected dumps, traces/*.dump.xz, anew; look at what changed before you keep it.
# shellcheck disable=SC2015,SC2002 # A && B || complain
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

edit() {
    "$python" tests/tools/edit.py "$@"
}
dumps() {
    "$python" tests/tools/dumps.py "$@"
}
recordings() {
    for _file in traces/*.mig.xz; do
        _file=${_file#traces/}
        echo "${_file%.xz}"
    done
}

# --- values ---------------------------------------------------------------------------------------------------------

# Each recording that has a description, read by the oracle.
agrees_with_oracle() {
    count=0
    for name in $(recordings); do
        case $name in g03-* | g04-* | g16-postcopy* | h1-*) continue ;; esac # have no description
        works "$dump" --format=json "$(raw "$name")" && dumps oracle "$TMP/$name" "$TMP/out" || {
            echo "in $name"
            return 1
        }
        count=$((count + 1))
        rm "$TMP/$name"
    done
    [ "$count" -ge 29 ]
}
json_is_exact() {
    works "$dump" --format=json traces/a-kvm-min.mig.xz &&
        json 'fields("cpu")["env.mcg_ctl"] == 0xffffffffffffffff' 'fields("cpu")["env.a20_mask"] == -1' \
            'fields("cpu")["env.pat"] == 0x7040600070406' 'fields("cpu")["env.eip"] == 0xfff0' \
            'fields("cpu")["env.segs"][1] == {"selector": 0xf000, "base": 0xffff0000, "limit": 0xffff, "flags": 0x9b00}' \
            'fields("dma", 1)["command"] == 0' 'j["stream"]["machine"] == "pc-i440fx-7.2"' \
            'j["stream"]["format"] == "qemufile"' 'j["stream"]["kind"] == "machine"' 'j["stream"]["start"] == 0' \
            'j["end"] == {"complete": True, "offset": 388402}' 'bytes(fields("configuration")["name"]) == b"pc-i440fx-7.2"'
}
text_has_what_json_has() {
    for name in "$@"; do
        file=$(raw "$name") && works "$dump" --format=json "$file" && mv "$TMP/out" "$TMP/json" && works "$dump" "$file" &&
            dumps pretty "$TMP/json" "$TMP/out" && works "$dump" --format=summary "$file" &&
            dumps summary "$TMP/json" "$TMP/out" "$(size "$file")" || {
            echo "in $name"
            return 1
        }
    done
}

# The grammar of the manual page: a comment, or a value of a kind.
is_in_grammar() {
    path='[^ =]+( [^ =]+)*'
    integer='\(u?int(8|16|32|64)\) -?0x(0|[1-9a-f][0-9a-f]*)'
    other='\(bool\) (true|false)|\(float64\) [-+.0-9einfa]+ \[0x[0-9a-f]{16}\]|\(string\) ".*"|\(bitmap\) \{[-0-9,]*\}'
    octets='\(octets of [^()]+\)( [0-9a-f]{2}){1,32}|\(octets of (RAM|block|dirty-bitmap)\) .+'
    for name in "$@"; do
        works "$dump" "traces/$name" && has_none '^$' && ! grep -vE "^(# .+|$path = ($integer|$other|$octets))\$" "$TMP/out" || return
    done
}
array_has_line_for_each() {
    works "$dump" --section=PIIX3 traces/a-kvm-min.mig.xz &&
        lines 256 '^0000:00:01.0/PIIX3\.PCIDevice\.config\(256\)\(1\)\.\[[0-9]+\] = \(uint8\) 0x[0-9a-f]+$' &&
        has '^0000:00:01.0/PIIX3\.PCIDevice\.config\(256\)\(1\)\.\[0\] = \(uint8\) 0x86$' &&
        has '^0000:00:01.0/PIIX3\.PCIDevice\.config\(256\)\(1\)\.\[3\] = \(uint8\) 0x70$' &&
        has '^0000:00:01.0/PIIX3\.PCIDevice\.config\(256\)\(1\)\.\[255\] = \(uint8\) 0x0$' &&
        has '^# 0000:00:01.0/PIIX3, version 3, id 15, @0x[0-9a-f]+, 292 octets$'
}
kinds_are_shown() {
    works "$dump" --section=configuration traces/g10-x-ignore-shared.mig.xz &&
        has '^configuration\.configuration/capabilities\.capabilities\(1\)\([0-9]+\)\.\[0\]\.name = \(string\) "x-ignore-shared"$' &&
        works "$dump" --section=cpu traces/a-kvm-min.mig.xz && has '^cpu\.env\.a20_mask = \(int32\) -0x1$' &&
        has '^cpu\.env\.segs\(6\)\([0-9]+\)\.\[1\]\.base = \(uint64\) 0xffff0000$' &&
        works "$dump" --section=mc146818rtc traces/a-kvm-min.mig.xz && has '^mc146818rtc\.[a-z_]+ = \(int64\) '
}
# A bool of 2 would be another stream if it were taken for true.
odd_bool_is_octets() {
    edit traces/a-kvm-min.mig.xz "$TMP/odd" octets kvmclock 40 01 02 && works "$dump" --section=kvmclock "$TMP/odd" &&
        has '^# kvmclock, .*, 41 octets: not decoded: .*clock_is_reliable @0x43ef2: a bool is 0x02, not 0 or 1$' &&
        has '^kvmclock\(41\)\(1\)\.\[32\] = \(octets of kvmclock\) 61 62 6c 65 00 00 00 01 02$' &&
        works "$convert" --to=ber "$TMP/odd" "$TMP/odd.ber" && works "$dump" --section=kvmclock "$TMP/odd.ber" &&
        has '^kvmclock\(41\)\(1\)\.\[32\] = \(octets of kvmclock\) 61 62 6c 65 00 00 00 01 02$' &&
        works "$convert" --to=qemufile "$TMP/odd.ber" "$TMP/back" && cmp "$TMP/odd" "$TMP/back" &&
        works "$dump" "$TMP/odd" && lines 1 'not decoded'
}

undescribed_is_octets() {
    works "$dump" traces/h1-pc-i440fx-2.1.mig.xz &&
        has '^# port92, version 1, id 29, @0x[0-9a-f]+, 1 octets: the stream has no description of it$' &&
        has '^port92\(1\)\(1\)\.\[0\] = \(octets of port92\) 00$' &&
        has '^cpu\(1817\)\(1\)\.\[128\] = \(octets of cpu\) 00 00 00 00 00 00 ff f0 00 00 00 00 00 00 00 02 ' &&
        lines 30 ': the stream has no description of it$' && has '^# no JSON description$' &&
        works "$dump" --section=slirp traces/c1-kvm-virtio.mig.xz &&
        has '^# slirp, .*, 131 octets: the stream.s description does not cover it$' &&
        has '^slirp\(131\)\(1\)\.\[128\] = \(octets of slirp\) 00 00 00$' &&
        works "$dump" --format=json --section=port92 traces/h1-pc-i440fx-2.1.mig.xz &&
        json '[e["octets"] for e in j["elements"]] == ["00"]' 'j["elements"][0]["note"]' 'not "fields" in j["elements"][0]'
}
virtio_is_octets() {
    works "$dump" --section=virtio-blk traces/c1-kvm-virtio.mig.xz &&
        has '^0000:00:02.0/virtio-blk\.virtio\(45584\)\(1\)\.\[0\] = \(octets of virtio\) 00 00 00 02 f4 1a 01 10 ' &&
        works "$dump" --format=json --section=virtio-blk traces/c1-kvm-virtio.mig.xz &&
        json 'j["elements"][0]["fields"]["virtio"]["octets-of"] == "virtio"' \
            'j["elements"][0]["fields"]["virtio"]["hex"][:16] == "00000002f41a0110"' \
            'len(j["elements"][0]["fields"]["virtio"]["hex"]) == 2 * 45584'
}

# --- summary, RAM, other things -------------------------------------------------------------------------------------

summary_has_it() {
    works "$dump" --format=summary traces/g08-xbzrle.mig.xz && has '^format +QEMU migration stream, version 3$' &&
        has '^writer +the format does not tell$' && has '^machine +pc-i440fx-7\.2$' &&
        has '^cpu +0 +12 +5 +0x6e7ab +1842$' && has '^33 sections, 0 of them not described$' &&
        has '^live section ram +6 slices, the first at 0x1a$' && has '^pc\.ram +16 MiB +4032 +96 +0 +32 +0$' &&
        works "$dump" --format=summary "$(ber g08-xbzrle.mig)" &&
        has '^format +BER stream, version 1, converted from QEMUFile$' && has '^writer +ferry vmstate-convert 0\.1$' &&
        has '^cpu +0 +12 +5 +0x[0-9a-f]+ +1842$' && has '^pc\.ram +16 MiB +4032 +96 +0 +32 +0$'
}
uuid_is_told() {
    uuid=$(grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' traces/g11-validate-uuid.cmd | head -1)
    [ -n "$uuid" ] && works "$dump" --format=json --section=timer traces/g11-validate-uuid.mig.xz &&
        json "j['stream']['uuid'] == '$uuid'" && works "$dump" traces/g11-validate-uuid.mig.xz && has "^# uuid $uuid\$" &&
        works "$dump" --format=summary traces/g11-validate-uuid.mig.xz && has "^uuid +$uuid\$"
}
live_is_told() {
    works "$dump" traces/g14-block-migration.mig.xz && lines 3 '^block = \(octets of block\) drive hd0, sector 0x[0-9a-f]+: 1 MiB$' &&
        has '^block = .* progress 100 %$' && works "$dump" traces/g15-dirty-bitmaps.mig.xz &&
        has '^dirty-bitmap = .* node disk0, bitmap bmp0, start: granularity 65536, ' &&
        works "$dump" traces/g03-postcopy-run.mig.xz && has '^# command @0x1f: PING: 00000001$' &&
        has '^# command @0x[0-9a-f]+: POSTCOPY_RAM_DISCARD: block pc\.ram, 0x100000\+0x20000' &&
        works "$dump" --format=json traces/g03-postcopy-run.mig.xz &&
        json '[int(e["payload"], 16) for e in j["elements"] if e.get("command") == "PING"] == [1, 2, 3, 4]'
}
# The numbers of pages in the three channels are those that the oracle's way of counting gives: read here by hand.
channels_are_told() {
    for n in 1 2 3; do
        file=$(raw g05-multifd-none.chan$n)
        works "$dump" --format=json "$file" && "$python" - "$file" "$TMP/out" <<'py' || return
import json, struct, sys
data, j = open(sys.argv[1], "rb").read(), json.load(open(sys.argv[2]))
packets, at = [], 64
while at < len(data):
    magic, _, flags, _, n, size, number = struct.unpack_from(">IIIIIIQ", data, at)
    assert magic == 0x11223344
    offsets = struct.unpack_from(f">{n}Q", data, at + 320)
    packets.append((number, at, flags, [hex(o) for o in offsets]))
    at += 1344 + (size if n else 0)
shown = [(e["number"], e["offset"], e["flags"], e.get("pages", [])) for e in j["elements"] if e["multifd"] == "packet"]
assert j["elements"][0]["multifd"] == "greeting" and j["elements"][0]["channel"] == data[24]
shown = [(a, b, c, [hex(int(p, 16)) if isinstance(p, str) else hex(p) for p in d]) for a, b, c, d in shown]
sys.exit(shown != packets and f"{packets}\n{shown}")
py
    done
    works "$dump" traces/g04-postcopy-preempt.chan1.xz && has 'channel of a QEMU migration: preempt$' &&
        has '^ram\.pc\.ram\(0\)\(1\) = .*: 0 zero, 11 normal$' &&
        works "$dump" traces/g16-postcopy-recover.chan1.xz && has 'channel of a QEMU migration: recovery$' &&
        has '^# command @0x72: POSTCOPY_RESUME$' && works "$dump" traces/g16-postcopy-recover.chan1.returnpath.xz &&
        has '^# message @0x0: RECV_BITMAP: block pc\.ram, 512 octets of bits$' && has '^# message @0x2fc: SHUT: 00000000$'
}

# --- sections -------------------------------------------------------------------------------------------------------

# fits GLOB RECORDING NAME...: the sections that it fits.
fits() {
    works "$dump" --section="$1" "traces/$2" || return
    shift 2
    printf '%s\n' "$@" >"$TMP/wanted"
    sed -nE 's/^# ([^,]+), version .*/\1/p' "$TMP/out" | command diff "$TMP/wanted" -
}
globs_fit() {
    d='d-kvm-smp2.mig.xz'
    fits cpu $d cpu 'cpu[1]' && fits 'cpu[1]' $d 'cpu[1]' && fits 'cpu?1?' $d 'cpu[1]' && fits 'cpu*' $d cpu_common cpu 'cpu_common[1]' 'cpu[1]' &&
        fits piix4_pm $d 0000:00:01.3/piix4_pm && fits '0000:00:01.3/*' $d 0000:00:01.3/piix4_pm &&
        fits '*01.3*' $d 0000:00:01.3/piix4_pm && fits 'd?a' $d dma 'dma[1]' && fits '????' $d apic 'apic[1]' hpet
}
no_glob_fits() {
    for glob in cp 'PU*' CPU '[c]pu' 'cpu[1]' piix4 '' 'cpu_comm?'; do
        for format in pretty json summary; do
            "$dump" --format=$format --section="$glob" traces/a-kvm-min.mig.xz >"$TMP/out" 2>"$TMP/err"
            status 2 $? "$glob" && has "^vmstate-dump: no section of the stream fits --section='" "$TMP/err" || return
        done
    done
}
last_glob_counts() {
    works "$dump" --section=cpu --section=timer traces/a-kvm-min.mig.xz && has '^# timer, ' && has_none '^(# )?cpu'
}
ram_is_a_section() {
    works "$dump" --section=ram traces/g03-postcopy-run.mig.xz && has '^ram\.pc\.ram\(16777216\)\(1\) = ' &&
        has_none 'command|timer|^cpu' && works "$dump" --section=timer traces/g03-postcopy-run.mig.xz &&
        has_none 'ram|command' && works "$dump" --format=json --section=timer traces/g03-postcopy-run.mig.xz &&
        json '"ram" not in j' 'len(j["elements"]) == 1' && works "$dump" --format=json --section=ram traces/a-kvm-min.mig.xz &&
        json 'block("pc.ram") == {"block": "pc.ram", "length": 33554432, "zero": 8192, "normal": 0, "compressed": 0, "xbzrle": 0, "filled": 0}'
}

# --- descriptions ---------------------------------------------------------------------------------------------------

schema_is_complete() {
    for name in "$@"; do
        file=$(raw "$name") && works "$dump" --schema --format=json "$file" && mv "$TMP/out" "$TMP/json" && works "$dump" --schema "$file" &&
            dumps schema "$TMP/json" "$TMP/out" || return
    done
}
schema_is_same_in_ber() {
    works "$dump" --schema traces/a-kvm-min.mig.xz && mv "$TMP/out" "$TMP/there" &&
        works "$dump" --schema "$(ber a-kvm-min.mig)" && put_out "$TMP/there" &&
        works "$dump" --schema --format=json traces/a-kvm-min.mig.xz && mv "$TMP/out" "$TMP/there" &&
        works "$dump" --schema --format=json "$(ber a-kvm-min.mig)" && put_out "$TMP/there"
}
schema_of_section() {
    works "$dump" --schema --section=pckbd traces/a-kvm-min.mig.xz && lines 1 '^section ' && has '^section pckbd +version 3, type 2$' &&
        has '^    migration_flags +uint32$' && misused 'no section of .*' "$dump" --schema --section=nothing traces/a-kvm-min.mig.xz
}
schema_tells_what_is_not_described() {
    works "$dump" --schema traces/h1-pc-i440fx-2.1.mig.xz && lines 30 '^section .* not described$' && has_none '^type'
}
borrowed_schema_describes() {
    h1=traces/h1-pc-i440fx-2.1.mig.xz
    for other in traces/h4-pc-i440fx-2.1-vmdesc.mig.xz "$(ber h4-pc-i440fx-2.1-vmdesc.mig)"; do
        works "$dump" --schema-from="$other" $h1 && has_none 'no description of it|octets of [^R]' &&
            has '^cpu\.env\.eip = \(uint64\) 0xfff0$' && works "$dump" --schema-from="$other" --format=summary $h1 &&
            has '^30 sections, 0 of them not described$' && works "$dump" --schema-from="$other" --format=json $h1 &&
            dumps oracle "$(raw h1-pc-i440fx-2.1.mig)" "$TMP/out" "$(raw h4-pc-i440fx-2.1-vmdesc.mig)" || return
    done
    # what the stream describes itself stays so
    works "$dump" --section=pckbd traces/a-kvm-min.mig.xz && mv "$TMP/out" "$TMP/there" &&
        works "$dump" --section=pckbd --schema-from=traces/h4-pc-i440fx-2.1-vmdesc.mig.xz traces/a-kvm-min.mig.xz && put_out "$TMP/there"
}
borrowed_schema_must_fit() {
    h1=traces/h1-pc-i440fx-2.1.mig.xz
    works "$dump" --schema-from=traces/a-kvm-min.mig.xz --section=piix4_pm $h1 &&
        has '^# 0000:00:01.3/piix4_pm, .*, 2380 octets: not decoded: ' && has '^0000:00:01.3/piix4_pm\(2380\)\(1\)\.\[0\] = \(octets of ' &&
        refuses 'traces/h1[^:]*: the stream has no description' "$dump" --schema-from=$h1 $h1 && has_none . &&
        refuses 'traces/none: cannot open: .*' "$dump" --schema-from=traces/none $h1
}

# --- both formats, standard input, colour, exit status --------------------------------------------------------------

# What depends on the format, not on the state: where things stand, and the text at the end.
without_places() {
    sed -E '1d;/^# (written by|JSON description|no JSON)/d;s/ (@|at )0x[0-9a-f]+//;s/: the stream(.s)? (has no )?description.*//' "$1"
}
ber_gives_same() {
    for name in "$@"; do
        works "$dump" "traces/$name.xz" && without_places "$TMP/out" >"$TMP/there" && works "$dump" "$(ber "$name")" &&
            without_places "$TMP/out" >"$TMP/here" && [ "$(wc -l <"$TMP/here")" -ge 4 ] && command diff "$TMP/there" "$TMP/here" ||
            return
    done
}
standard_input() {
    file=$(raw a-kvm-min.mig)
    works "$dump" "$file" && sed 1d "$TMP/out" >"$TMP/there"
    for way in file pipe name packed; do
        case $way in
        file) "$dump" - <"$file" ;;
        pipe) cat "$file" | "$dump" - ;;
        name) cat "$file" | "$dump" /dev/stdin ;;
        packed) "$dump" - <traces/a-kvm-min.mig.xz ;;
        esac >"$TMP/out" 2>"$TMP/err" && has_none . "$TMP/err" && sed 1d "$TMP/out" | command diff "$TMP/there" - || return
    done
    "$dump" - <"$file" | sed -n 1p >"$TMP/out" && has '^# standard input: QEMU migration stream, version 3$'
}

escape=$(printf '\033')
# coloured|plain COMMAND: on a terminal.
coloured() {
    on_terminal "$1" >"$TMP/out" && has "$escape\\["
}
plain() {
    on_terminal "$1" >"$TMP/out" && has timer && has_none "$escape"
}
colour_on_terminals() {
    line="$dump --section=timer traces/h6-isapc.mig.xz"
    TERM=xterm NO_COLOR='' coloured "$line" && NO_COLOR=1 TERM=xterm plain "$line" && TERM=dumb plain "$line" &&
        TERM=xterm plain "$line --color=never" && NO_COLOR=1 coloured "$line --color=always" && TERM=xterm plain "$line | cat" &&
        TERM=xterm plain "unset TERM; $line"
}
no_colour_in_files() {
    for format in pretty json summary; do
        TERM=xterm works "$dump" --format=$format --section=timer traces/h6-isapc.mig.xz && has_none "$escape" || return
    done
    TERM=xterm works "$dump" --schema --section=timer traces/h6-isapc.mig.xz && has_none "$escape"
}
colour_is_all() {
    for more in --format=pretty --format=summary --schema; do
        works "$dump" $more traces/h6-isapc.mig.xz && mv "$TMP/out" "$TMP/there" && works "$dump" $more --color=always traces/h6-isapc.mig.xz &&
            sed "s/$escape\\[[0-9;]*m//g" "$TMP/out" | command diff "$TMP/there" - || return
    done
    works "$dump" --color=always --format=json traces/h6-isapc.mig.xz && has_none "$escape"
}
statuses() {
    refuses 'traces/none: cannot open: .*' "$dump" traces/none &&
        refuses 'tests/support/tap.sh: this is no VM state: .*' "$dump" tests/support/tap.sh || return
    [ -e /dev/full ] || return 0
    for format in pretty json summary; do
        "$dump" --format=$format traces/h6-isapc.mig.xz 2>"$TMP/err" >/dev/full
        status 3 $? "$format" && has '^vmstate-dump: writing failed: ' "$TMP/err" && is_one_line "$TMP/err" || return
    done
}

# --- expected dumps -------------------------------------------------------------------------------------------------

expected='a-kvm-min b3-kvm-pc-alldefaults c1-kvm-virtio h1-pc-i440fx-2.1 h2-pc-q35-7.2 g05-multifd-none'
# Devices only: sections and their values.
devices() {
    "$dump" --format=pretty "traces/$1.mig.xz" | awk '/^# .* @0x[0-9a-f]+, [0-9]+ octets/ || !/^(#|ram\.)/'
}
dumps_as_expected() {
    xz -dc "traces/$1.dump.xz" >"$TMP/there" && devices "$1" >"$TMP/here" && cmp -s "$TMP/there" "$TMP/here" || {
        command diff "$TMP/there" "$TMP/here" | head -20
        return 1
    }
}

if [ "${1:-}" = --record ]; then
    for name in $expected; do
        devices "$name" | xz -9e >"traces/$name.dump.xz"
    done
    exit
fi

case_ 'every value of every recording is what an independent reader finds' agrees_with_oracle
case_ 'JSON has exact integers, of 64 bits and negative ones, too' json_is_exact
case_ 'text, JSON and summary tell the same' text_has_what_json_has a-kvm-min.mig d-kvm-smp2.mig h2-pc-q35-7.2.mig \
    g10-x-ignore-shared.mig g14-block-migration.mig h1-pc-i440fx-2.1.mig j1-tcg-linux-virtio.mig g09-compress.mig
case_ 'every line of text is in the grammar of the manual page' is_in_grammar a-kvm-min.mig.xz c1-kvm-virtio.mig.xz \
    g10-x-ignore-shared.mig.xz g14-block-migration.mig.xz h1-pc-i440fx-2.1.mig.xz h2-pc-q35-7.2.mig.xz
case_ 'an array has a line for each element, with the dimensions' array_has_line_for_each
case_ 'values are shown by their kind' kinds_are_shown
case_ 'a section whose octets its description cannot say is shown as octets, and survives' odd_bool_is_octets
case_ 'what nobody described is shown as octets, and said to be so' undescribed_is_octets
case_ 'the undescribed part of a virtio device is shown as octets under its name' virtio_is_octets
case_ 'the summary has head, sections, live sections and RAM, also of BER' summary_has_it
case_ 'the UUID of the machine is told' uuid_is_told
case_ 'block migration, dirty bitmaps and commands are told in words' live_is_told
case_ 'channels recorded on their own are told' channels_are_told
case_ 'a glob fits names, names with instance, and what is behind the last slash' globs_fit
case_ 'a glob that fits nothing is a wrong call' no_glob_fits
case_ 'of several globs the last one counts' last_glob_counts
case_ 'RAM is shown if the glob fits it, and commands are not shown then' ram_is_a_section
case_ 'the description has all sections and types, in text and in JSON' schema_is_complete a-kvm-min.mig c1-kvm-virtio.mig \
    h2-pc-q35-7.2.mig h6-isapc.mig
case_ 'the description is the same in BER' schema_is_same_in_ber
case_ 'the description of one section is shown alone' schema_of_section
case_ 'the description tells of sections that have none' schema_tells_what_is_not_described
case_ 'a description from another stream, also from BER, describes what has none' borrowed_schema_describes
case_ 'a description that does not fit is not used, and one that is not there is refused' borrowed_schema_must_fit
case_ 'BER gives the same dump' ber_gives_same a-kvm-min.mig c1-kvm-virtio.mig h1-pc-i440fx-2.1.mig g03-postcopy-run.mig \
    g08-xbzrle.mig g14-block-migration.mig g15-dirty-bitmaps.mig g10-x-ignore-shared.mig g05-multifd-none.chan1 \
    g04-postcopy-preempt.chan1 g16-postcopy-recover.chan1 g03-postcopy-run.chan0.returnpath
case_ 'standard input gives the same dump, from a file and from a pipe' standard_input
if command -v script >/dev/null; then
    case_ 'colour is for terminals, and NO_COLOR, TERM=dumb and --color are honoured' colour_on_terminals
else
    skip_ 'colour is for terminals, and NO_COLOR, TERM=dumb and --color are honoured' 'no script(1)'
fi
case_ 'files get no colour' no_colour_in_files
case_ 'without its colours the text is the same, and JSON has none' colour_is_all
case_ 'what cannot be read or written is status 3, with one line' statuses
for name in $expected; do
    case_ "$name dumps as expected" dumps_as_expected "$name"
done
plan
