/*
 * test-asn1.c: what the writer writes is what the ASN.1 module says, as libtasn1 reads it.
 */
#include <criterion/criterion.h>
#include <libtasn1.h>
#include <string.h>

#include "tests/support/berrecords.h"
#include "tests/support/recordings.h"
#include "vmstate/berstream.h"

extern const asn1_static_node vmstate_asn1[];

/* Every kind of record there is comes in one of these. */
static const char *const recordings[] = {
    "a-kvm-min.mig",
    "c1-kvm-virtio.mig",
    "g03-postcopy-run.mig",
    "g05-multifd-none.chan1",
    "g07-multifd-zstd.chan1",
    "g08-xbzrle.mig",
    "g09-compress.mig",
    "g10-x-ignore-shared.mig",
    "g15-dirty-bitmaps.mig",
    "g16-postcopy-recover.mig",
    "g16-postcopy-recover.chan1.returnpath",
    "h1-pc-i440fx-2.1.mig",
};

static asn1_node definitions_new(void)
{
    asn1_node definitions = NULL;
    char why[ASN1_MAX_ERROR_DESCRIPTION_SIZE] = "";

    cr_assert_eq(asn1_array2tree(vmstate_asn1, &definitions, why), ASN1_SUCCESS, "%s", why);
    return definitions;
}

/* Decodes and encodes again; the octets must be the same. Returns the decoded element. */
static asn1_node there_and_back(asn1_node definitions, const char *type, const uint8_t *data, size_t len)
{
    char why[ASN1_MAX_ERROR_DESCRIPTION_SIZE] = "";
    asn1_node element = NULL;
    int again_len = (int)len + 64;
    g_autofree uint8_t *again = g_malloc((size_t)again_len);

    cr_assert_eq(asn1_create_element(definitions, type, &element), ASN1_SUCCESS);
    cr_assert_eq(asn1_der_decoding(&element, data, (int)len, why), ASN1_SUCCESS, "%s", why);
    cr_assert_eq(asn1_der_coding(element, "", again, &again_len, why), ASN1_SUCCESS, "%s", why);
    cr_assert_eq((size_t)again_len, len, "%zu octets became %d", len, again_len);
    cr_assert_eq(memcmp(again, data, len), 0);
    return element;
}

/* A record as it stands in the stream: identifier, length, members, check. */
static void make_record(const BerRecordOctets *record, uint64_t ordinal, ByteOut *out)
{
    uint8_t check[8];
    size_t mark = ber_start(out, record->form & ~(unsigned)BER_CONSTRUCTED, record->tag);

    byte_out_put(out, record->members.data, record->members.len);
    store_be64(check, ordinal);
    ber_put_opaque(out, BERSTREAM_CHECK_TAG, check, sizeof check);
    ber_end(out, mark);
}

static uint32_t records_agree(asn1_node definitions, const char *name, bool zstd)
{
    ByteOut original = {0}, ber = {0};
    uint32_t seen = 0;

    recording_read(name, &original);
    convert_to_ber(&original, recording_kind(name), zstd, &ber, NULL);
    g_autoptr(GArray) records = berrecords_split(&ber);
    for (guint i = 0; i < records->len; i++) {
        const BerRecordOctets *record = berrecords_get(records, i);
        ByteOut out = {0};
        make_record(record, i, &out);
        asn1_node element = there_and_back(definitions, "VMSTATE.Record", out.data, out.len);
        asn1_delete_structure(&element);
        byte_out_done(&out);
        seen |= 1u << ((record->form & BER_PRIVATE) == BER_PRIVATE ? 16 + record->tag : record->tag);
    }
    byte_out_done(&original);
    byte_out_done(&ber);
    return seen;
}

Test(asn1, every_record_of_recorded_streams_is_one_of_the_module)
{
    asn1_node definitions = definitions_new();
    uint32_t seen = 0, all = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++)
        for (int zstd = 0; zstd < 2; zstd++)
            seen |= records_agree(definitions, recordings[i], zstd);
    for (unsigned tag = BERSTREAM_HEADER; tag <= BERSTREAM_MESSAGE; tag++)
        all |= 1u << tag;
    all |= 1u << BERSTREAM_END | 1u << (16 + BERSTREAM_ORIGIN) | 1u << (16 + BERSTREAM_TAIL) |
           1u << (16 + BERSTREAM_RESIDUE);
    cr_assert_eq(seen, all, "kinds of record that did not come: %x", all & ~seen);
    asn1_delete_structure(&definitions);
}

Test(asn1, a_whole_stream_is_one_element)
{
    asn1_node definitions = definitions_new(), element = NULL;
    char why[ASN1_MAX_ERROR_DESCRIPTION_SIZE] = "";
    ByteOut original = {0}, ber = {0};
    int records = 0;

    recording_read("a-kvm-min.mig", &original);
    convert_to_ber(&original, STREAM_MACHINE, false, &ber, NULL);
    g_autoptr(GArray) split = berrecords_split(&ber);
    cr_assert_eq(asn1_create_element(definitions, "VMSTATE.Stream", &element), ASN1_SUCCESS);
    cr_assert_eq(asn1_der_decoding(&element, ber.data, (int)ber.len, why), ASN1_SUCCESS, "%s", why);
    cr_assert_eq(asn1_number_of_elements(element, "", &records), ASN1_SUCCESS);
    cr_assert_eq((guint)records, split->len);
    asn1_delete_structure(&element);
    asn1_delete_structure(&definitions);
    byte_out_done(&original);
    byte_out_done(&ber);
}

/* What stands at that place, as libtasn1 sees it. */
static char *value_at(asn1_node element, const char *path)
{
    char value[1024] = "";
    int len = sizeof value - 1;

    cr_assert_eq(asn1_read_value(element, path, value, &len), ASN1_SUCCESS, "%s", path);
    value[len] = '\0';
    return g_strdup(value);
}

Test(asn1, the_header_says_in_the_module_s_words_what_it_should)
{
    asn1_node definitions = definitions_new();
    ByteOut original = {0}, ber = {0}, out = {0};

    recording_read("a-kvm-min.mig", &original);
    convert_to_ber(&original, STREAM_MACHINE, false, &ber, NULL);
    g_autoptr(GArray) records = berrecords_split(&ber);
    make_record(berrecords_get(records, 0), 0, &out);
    asn1_node element = there_and_back(definitions, "VMSTATE.Record", out.data, out.len);
    g_autofree char *choice = value_at(element, "");
    g_autofree char *format = value_at(element, "header.format");
    g_autofree char *version = value_at(element, "header.version");
    g_autofree char *machine = value_at(element, "header.machine");
    cr_assert_str_eq(choice, "header");
    cr_assert_str_eq(format, "vmstate-ber");
    cr_assert_str_eq(version, "\x01");
    cr_assert_str_eq(machine, "pc-i440fx-7.2");
    asn1_delete_structure(&element);
    asn1_delete_structure(&definitions);
    byte_out_done(&original);
    byte_out_done(&ber);
    byte_out_done(&out);
}

Test(asn1, what_is_no_record_of_the_module_is_refused_by_it)
{
    asn1_node definitions = definitions_new(), element = NULL;
    ByteOut original = {0}, ber = {0}, out = {0};

    recording_read("a-kvm-min.mig", &original);
    convert_to_ber(&original, STREAM_MACHINE, false, &ber, NULL);
    g_autoptr(GArray) records = berrecords_split(&ber);
    berrecords_get(records, 0)->members.data[0] ^= 1; /* another tag for the format's name */
    make_record(berrecords_get(records, 0), 0, &out);
    cr_assert_eq(asn1_create_element(definitions, "VMSTATE.Record", &element), ASN1_SUCCESS);
    cr_assert_neq(asn1_der_decoding(&element, out.data, (int)out.len, NULL), ASN1_SUCCESS);
    asn1_delete_structure(&element);
    asn1_delete_structure(&definitions);
    byte_out_done(&original);
    byte_out_done(&ber);
    byte_out_done(&out);
}
