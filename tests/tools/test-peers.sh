#!/bin/sh
# Other people's ASN.1 tools on BER streams: none has a complaint.
# shellcheck disable=SC2015 # A && B || complain
# shellcheck source=tests/support/tap.sh
. tests/support/tap.sh
# shellcheck source=tests/tools/common.sh
. tests/tools/common.sh

# All of them, and all channels; the link of one broke, so it cannot be converted as a whole.
recordings=$(cd traces && for file in *.mig.xz *.chan*.xz; do echo "${file%.xz}"; done | grep -v '^g16-postcopy-recover\.mig$')

# each FUNCTION: calls it with every BER stream: of recordings, with RAM packed, and of one that was cut.
each() {
    for _name in $recordings; do
        "$1" "$(ber "$_name")" || {
            echo "(in the BER stream of $_name)"
            return 1
        }
    done
    [ -f "$TMP/zstd.ber" ] || "$convert" --to=ber --compress=zstd traces/g08-xbzrle.mig.xz "$TMP/zstd.ber"
    [ -f "$TMP/cut.ber" ] || {
        head -c 277000 "$(raw a-kvm-min.mig)" >"$TMP/cut"
        "$convert" --to=ber --partial "$TMP/cut" "$TMP/cut.ber" 2>"$TMP/err"
        [ -s "$TMP/cut.ber" ]
    } && "$1" "$TMP/zstd.ber" && "$1" "$TMP/cut.ber"
}

dumpasn1_is_content() {
    dumpasn1 "$1" >"$TMP/out" 2>"$TMP/err"
    _status=$?
    ! grep -anE -B2 ': +(Error|Warning)' "$TMP/out" && status 0 $_status dumpasn1 "$1" && has '^0 warnings, 0 errors\.$' "$TMP/err"
}
# The elements of depth 1 are the records: as many as the stream itself says came before its end, and that one.
openssl_reads() {
    openssl asn1parse -inform DER -in "$1" >"$TMP/out" 2>"$TMP/err"
    status 0 $? openssl asn1parse "$1" && has_none . "$TMP/err" && has '^ +0:d=0 +hl=2 l=inf +cons: appl \[ 0 \]' || return
    told=$(sed -n '/:d=1 .*cons: appl \[ 15 \]/,$s/.*:d=2 .*prim: INTEGER *:\([0-9A-F]*\)$/\1/p' "$TMP/out" | head -1)
    records=$(grep -cE ':d=1 +hl=[0-9] l= *[0-9]+ cons: (appl|priv) ' "$TMP/out")
    [ "$((0x$told + 1))" -eq "$records" ] || {
        echo "$records records, but the last says that $((0x$told)) came before"
        return 1
    }
}
# What is decoded stands behind the template, where records have numbers. They are as many as the last one says.
module_fits() {
    asn1Decoding visitors/vmstate.asn1 "$1" VMSTATE.Stream >"$TMP/out" 2>"$TMP/err"
    status 0 $? asn1Decoding "$1" && cat "$TMP/err" >>"$TMP/out" && has '^Decoding: SUCCESS$' && has ' name:format .*value:vmstate-ber$' || return
    told=$(sed -n 's/^      name:records  type:INTEGER  value:0x//p' "$TMP/out")
    lines "$((0x$told + 1))" '^  name:\?[0-9]+  type:CHOICE$'
}
# Otherwise the cases above could not fail.
damage_is_found() {
    file=$(ber a-kvm-min.mig)
    "$python" - "$file" "$TMP/tag" "$TMP/module" "$TMP/integer" <<'py' || return
import sys
data = open(sys.argv[1], "rb").read()
def put(name, at, octets):
    with open(name, "wb") as file:
        file.write(data[:at] + octets + data[at + len(octets):])
put(sys.argv[2], 3, b"\x7f")  # the length of the header, too long
put(sys.argv[3], 2, b"\x70")  # a record that the module does not have
at = data.index(b"\x0cvmstate-ber" if b"\x0cvmstate-ber" in data else b"vmstate-ber") + len(b"vmstate-ber")
put(sys.argv[4], at, b"\x02\x00") if data[at] == 2 else sys.exit("no INTEGER behind the format")
py
    ! ($1 "$TMP/$2") >"$TMP/said" 2>&1
}

for peer in 'dumpasn1 dumpasn1_is_content integer' 'openssl openssl_reads tag' 'asn1Decoding module_fits module'; do
    # shellcheck disable=SC2086
    set -- $peer
    case $1 in
    asn1Decoding) name='asn1Decoding decodes every BER stream with the ASN.1 module' ;;
    openssl) name='openssl reads every BER stream, and counts the records' ;;
    *) name='dumpasn1 has no complaint about any BER stream' ;;
    esac
    if command -v "$1" >/dev/null; then
        case_ "$name" each "$2"
        case_ "$1 would find damage" damage_is_found "$2" "$3"
    else
        skip_ "$name" "no $1"
        skip_ "$1 would find damage" "no $1"
    fi
done
plan
