/* test-berstream.c: the BER stream's records, their checks, and what is refused behind right checks. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/berrecords.h"
#include "tests/support/recordings.h"
#include "visitors/chan.h"
#include "vmstate/berstream-load.h"
#include "vmstate/berstream.h"

enum { APPLICATION = BER_APPLICATION, PRIVATE = BER_PRIVATE };

static void make_ber(const char *name, ByteOut *ber)
{
    ByteOut original = {0};

    recording_read(name, &original);
    cr_assert(convert_to_ber(&original, recording_kind(name), false, ber, NULL));
    byte_out_done(&original);
}

static GArray *make_records(const char *name)
{
    ByteOut ber = {0};

    make_ber(name, &ber);
    GArray *records = berrecords_split(&ber);
    byte_out_done(&ber);
    return records;
}

static bool reads(const ByteOut *ber, GError **error)
{
    static const StreamSinkOps nobody = {.header = NULL};
    StreamSink sink = {.ops = &nobody};
    g_autoptr(ChanIn) in = chan_in_new(chan_mem_new(ber->data, ber->len), 0);

    return berstream_load(in, NULL, &sink, error);
}

/* The message of a stream put together from changed records; frees them. */
static char *message_of(GArray *records)
{
    GError *error = NULL;
    ByteOut ber = {0};

    berrecords_join(records, 0, &ber);
    cr_assert_not(reads(&ber, &error), "accepted");
    char *message = g_strdup(error->message);
    g_error_free(error);
    byte_out_done(&ber);
    g_array_unref(records);
    return message;
}

static void replace(GArray *records, guint i, size_t at, size_t old, const void *octets, size_t len)
{
    ByteOut *m = &berrecords_get(records, i)->members;
    ByteOut out = {0};

    byte_out_put(&out, m->data, at);
    byte_out_put(&out, octets, len);
    byte_out_put(&out, m->data + at + old, m->len - at - old);
    byte_out_done(m);
    *m = out;
}

/* --- forms ------------------------------------------------------------------------------------------------------ */

Test(berstream, put_together_again_it_is_what_it_was)
{
    ByteOut ber = {0}, again = {0};

    make_ber("h5-microvm.mig", &ber);
    g_autoptr(GArray) records = berrecords_split(&ber);
    berrecords_join(records, 0, &again);
    cr_assert(same_octets(&ber, &again));
    byte_out_done(&ber);
    byte_out_done(&again);
}

static void check_form(const char *name, unsigned how)
{
    ByteOut original = {0}, other = {0}, back = {0};
    g_autoptr(GArray) records = make_records(name);
    g_autoptr(GError) error = NULL;

    recording_read(name, &original);
    berrecords_join(records, how, &other);
    cr_assert(convert_to_qemufile(&other, &back, &error), "%s", error ? error->message : "");
    cr_assert(same_octets(&original, &back));
    byte_out_done(&original);
    byte_out_done(&other);
    byte_out_done(&back);
}

Test(berstream, is_read_in_definite_and_indefinite_form)
{
    check_form("h5-microvm.mig", BERRECORDS_DEFINITE_STREAM);
    check_form("h5-microvm.mig", BERRECORDS_INDEFINITE);
    check_form("h5-microvm.mig", BERRECORDS_INDEFINITE | BERRECORDS_DEFINITE_STREAM);
    check_form("g08-xbzrle.mig", BERRECORDS_INDEFINITE);
    check_form("g06-multifd-zlib.chan1", BERRECORDS_INDEFINITE);
}

/* --- checks ----------------------------------------------------------------------------------------------------- */

/* Every message names the octet, or the record, that was changed. */
Test(berstream, one_flipped_bit_is_refused_and_found)
{
    g_autoptr(GArray) records = make_records("h5-microvm.mig");
    ByteOut ber = {0};

    berrecords_join(records, 0, &ber);
    for (size_t bit = 0; bit < ber.len * 8; bit += 101) {
        g_autoptr(GError) error = NULL;
        ber.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        cr_assert_not(reads(&ber, &error), "bit %zu of octet 0x%zx", bit % 8, bit / 8);
        g_autofree char *exact = g_strdup_printf("bit %zu of the octet at 0x%zx is flipped", bit % 8, bit / 8);
        /* in the frame around records and in long records the place is only bounded */
        cr_assert(strstr(error->message, exact) || strstr(error->message, "its check is") || bit / 8 < 2 ||
                      bit / 8 >= ber.len - 2,
                  "octet 0x%zx: %s", bit / 8, error->message);
        ber.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    cr_assert(reads(&ber, NULL), "and in the end it is whole again");
    byte_out_done(&ber);
}

Test(berstream, a_flipped_bit_in_a_device_names_it)
{
    g_autoptr(GError) error = NULL;
    ByteOut ber = {0};

    make_ber("h5-microvm.mig", &ber);
    g_autoptr(GArray) records = berrecords_split(&ber);
    guint i = berrecords_find(records, APPLICATION, BERSTREAM_SECTION, 4);
    BerRecordOctets *r = berrecords_get(records, i);
    uint8_t *p = memmem(ber.data, ber.len, r->members.data, r->members.len);
    p[r->members.len / 2] ^= 0x10;
    cr_assert_not(reads(&ber, &error));
    cr_assert(g_str_has_prefix(error->message, "timer, record @0x"), "%s", error->message);
    cr_assert_not_null(strstr(error->message, "bit 4 of the octet at 0x"), "%s", error->message);
    byte_out_done(&ber);
}

/* Octets of record i in the stream. */
static void span(const ByteOut *ber, guint number, size_t *start, size_t *len)
{
    BerElement e;
    ByteIn in;

    byte_in_init(&in, ber->data + 2, ber->len - 4);
    for (guint i = 0; i <= number; i++)
        cr_assert_null(ber_next(&in, &e));
    *start = 2 + e.start;
    *len = in.pos - e.start;
}

static void check_moved(void (*move)(ByteOut *, size_t, size_t, size_t, size_t), const char *what)
{
    size_t start, len, next, next_len;
    g_autoptr(GError) error = NULL;
    ByteOut ber = {0};

    make_ber("h5-microvm.mig", &ber);
    span(&ber, 12, &start, &len);
    span(&ber, 13, &next, &next_len);
    move(&ber, start, len, next, next_len);
    cr_assert_not(reads(&ber, &error), "%s is not noticed", what);
    g_autofree char *where = g_strdup_printf("@0x%zx: its check is", start);
    g_autofree char *behind = g_strdup_printf("@0x%zx: its check is", start + len);
    cr_assert(strstr(error->message, where) || strstr(error->message, behind), "%s: %s", what, error->message);
    byte_out_done(&ber);
}

static void lose(ByteOut *b, size_t start, size_t len, size_t next, size_t next_len)
{
    (void)next_len;
    memmove(b->data + start, b->data + next, b->len - next);
    b->len -= len;
}

static void repeat(ByteOut *b, size_t start, size_t len, size_t next, size_t next_len)
{
    (void)next_len;
    g_autofree uint8_t *copy = g_memdup2(b->data + start, len);
    memcpy(byte_out_insert(b, next, len), copy, len);
}

static void exchange(ByteOut *b, size_t start, size_t len, size_t next, size_t next_len)
{
    g_autofree uint8_t *first = g_memdup2(b->data + start, len);
    memmove(b->data + start, b->data + next, next_len);
    memcpy(b->data + start + next_len, first, len);
}

Test(berstream, a_lost_repeated_or_exchanged_record_is_found_where_it_is)
{
    check_moved(lose, "a lost record");
    check_moved(repeat, "a repeated record");
    check_moved(exchange, "two exchanged records");
}

/* Two guests of one machine have records of the same number and length; with their checks they pass for each other. */
Test(berstream, records_of_another_stream_do_not_pass)
{
    ByteOut a = {0}, b = {0};
    g_autoptr(GError) error = NULL;
    bool exchanged = false;

    make_ber("g05-multifd-none.mig", &a);
    make_ber("g06-multifd-zlib.mig", &b);
    for (guint i = 10; i < 30 && !exchanged; i++) {
        size_t start, len, other_start, other_len;
        span(&a, i, &start, &len);
        span(&b, i, &other_start, &other_len);
        exchanged = len == other_len && memcmp(a.data + start, b.data + other_start, len) != 0;
        if (exchanged)
            memcpy(a.data + start, b.data + other_start, len);
    }
    cr_assert(exchanged, "these two recordings are no test of it");
    cr_assert_not(reads(&a, &error));
    cr_assert_not_null(strstr(error->message, "the digest is not that of the records that came"), "%s", error->message);
    byte_out_done(&a);
    byte_out_done(&b);
}

/* --- cuts ------------------------------------------------------------------------------------------------------- */

Test(berstream, a_stream_of_nothing_but_its_head_is_cut)
{
    static const char *const heads[] = {"\x60", "\x60\x80", "\x60\x05", "\x60\x82\x01"};

    for (size_t i = 0; i < G_N_ELEMENTS(heads); i++) {
        g_autoptr(GError) error = NULL;
        ByteOut ber = {0};
        byte_out_put(&ber, heads[i], MAX(strlen(heads[i]), 1));
        cr_assert_not(reads(&ber, &error));
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT), "case %zu: %s", i, error->message);
        byte_out_done(&ber);
    }
}

/* What a sink was told: whether a slice is open, and whether what a test waits for has come. */
typedef struct TestSink {
    StreamSink sink;
    bool in_slice, seen;
} TestSink;

static bool order_slice_start(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    (void)slice;
    (void)error;
    cr_assert_not(((TestSink *)sink)->in_slice);
    return ((TestSink *)sink)->in_slice = true;
}

static bool order_slice_end(StreamSink *sink, GError **error)
{
    (void)error;
    cr_assert(((TestSink *)sink)->in_slice);
    ((TestSink *)sink)->in_slice = false;
    return true;
}

static bool order_section(StreamSink *sink, const StreamSection *section, GError **error)
{
    (void)error;
    cr_assert_not(((TestSink *)sink)->in_slice, "section %s comes inside a slice", section->name);
    ((TestSink *)sink)->seen = section->cut;
    return true;
}

Test(berstream, a_slice_ends_in_front_of_a_section_that_is_cut)
{
    static const StreamSinkOps ops = {
        .slice_start = order_slice_start, .slice_end = order_slice_end, .section = order_section};
    TestSink sink = {.sink.ops = &ops};
    g_autoptr(GError) error = NULL;
    size_t start, len;
    ByteOut ber = {0};

    make_ber("h5-microvm.mig", &ber);
    g_autoptr(GArray) records = berrecords_split(&ber);
    guint ram = berrecords_find(records, APPLICATION, BERSTREAM_RAM_PAGES, 0);
    span(&ber, berrecords_find(records, APPLICATION, BERSTREAM_SECTION, ram), &start, &len);
    g_autoptr(ChanIn) in = chan_in_new_memory(ber.data, start + len / 2, 0);
    cr_assert_not(berstream_load(in, NULL, &sink.sink, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT), "%s", error->message);
    cr_assert(sink.seen && !sink.in_slice);
    byte_out_done(&ber);
}

/* --- records ---------------------------------------------------------------------------------------------------- */

Test(berstream, an_optional_record_nobody_knows_is_skipped_and_a_critical_one_is_not)
{
    g_autoptr(GArray) records = make_records("h5-microvm.mig");
    g_autoptr(GError) error = NULL;
    ByteOut ber = {0};

    ber_put_text(berrecords_insert(records, 5, PRIVATE, 29), "from the future");
    berrecords_join(records, 0, &ber);
    cr_assert(reads(&ber, &error), "%s", error ? error->message : "");
    berrecords_get(records, 5)->form = APPLICATION | BER_CONSTRUCTED;
    berrecords_join(records, 0, &ber);
    cr_assert_not(reads(&ber, &error));
    cr_assert_not_null(strstr(error->message, "a critical record of kind 29, which this program does not know"), "%s",
                       error->message);
    byte_out_done(&ber);
}

Test(berstream, a_later_format_is_refused_by_name_of_its_writer)
{
    GArray *records = make_records("h5-microvm.mig");
    ByteOut *m = &berrecords_get(records, 0)->members;

    m->data[2 + strlen(BERSTREAM_FORMAT) + 2] = 2;
    g_autofree char *message = message_of(records);
    cr_assert_str_eq(message, "header @0x2: the format has version 2, this program reads 1 (written by test 1)");
}

Test(berstream, names_that_a_terminal_would_obey_are_refused)
{
    GArray *records = make_records("h5-microvm.mig");

    /* the writer's name stands behind the format's name and the version */
    replace(records, 0, 2 + strlen(BERSTREAM_FORMAT) + 3 + 2, 1, "\033", 1);
    g_autofree char *message = message_of(records);
    cr_assert_not_null(strstr(message, "a text that is not UTF-8, or has control characters in it"), "%s", message);
}

static bool keep_machine(StreamSink *sink, const StreamHeader *header, GError **error)
{
    (void)error;
    cr_assert_str_eq(header->machine, "pc\\x1b");
    ((TestSink *)sink)->seen = true;
    return true;
}

/* QEMU's octets were made printable on the way into BER; that is not done a second time. */
Test(berstream, the_machine_s_name_comes_out_as_it_went_in)
{
    static const StreamSinkOps ops = {.header = keep_machine};
    TestSink sink = {.sink.ops = &ops};
    g_autoptr(GArray) records = make_records("a-kvm-min.mig");
    ByteOut *m = &berrecords_get(records, 0)->members, ber = {0};
    size_t old = strlen("pc-i440fx-7.2");

    const uint8_t *at = memmem(m->data, m->len, "pc-i440fx-7.2", old);
    replace(records, 0, (size_t)(at - m->data) - 1, 1 + old, "\6pc\\x1b", 7);
    berrecords_join(records, 0, &ber);
    g_autoptr(ChanIn) in = chan_in_new_memory(ber.data, ber.len, 0);
    cr_assert(berstream_load(in, NULL, &sink.sink, NULL));
    cr_assert(sink.seen);
    byte_out_done(&ber);
}

Test(berstream, the_schema_can_be_read_before_anything_moves)
{
    ByteOut ber = {0};
    size_t start, len;

    make_ber("h5-microvm.mig", &ber);
    span(&ber, 3, &start, &len);
    g_autoptr(ChanIn) in = chan_in_new_memory(ber.data, start + len, 0);
    g_autoptr(Schema) schema = berstream_load_schema(in, NULL);
    cr_assert_not_null(schema);
    cr_assert_gt(schema_section_count(schema), 14);
    cr_assert_not_null(schema_find(schema, "cpu", 0, 0)->desc);
    byte_out_done(&ber);
}

/* --- right checks around wrong content -------------------------------------------------------------------------- */

static char *changed(const char *name, unsigned form, uint32_t tag, guint from, size_t at, size_t old,
                     const char *octets, size_t len)
{
    GArray *records = make_records(name);
    guint i = berrecords_find(records, form, tag, from);

    replace(records, i, at, old, octets, len);
    return message_of(records);
}

static void check_changed(uint32_t tag, size_t at, size_t old, const char *octets, size_t len, const char *wanted)
{
    g_autofree char *message = changed("g08-xbzrle.mig", APPLICATION, tag, 0, at, old, octets, len);

    cr_assert_not_null(strstr(message, wanted), "wanted \"%s\", got: %s", wanted, message);
}

Test(berstream, content_outside_its_bounds_is_refused_though_the_check_is_right)
{
    /* RamPages: block INTEGER, first INTEGER, [0..2], content */
    check_changed(BERSTREAM_RAM_PAGES, 2, 1, "\x63", 1, "RAM block number 99, there are 6");
    check_changed(BERSTREAM_RAM_PAGES, 3, 3, "\x02\x02\x7f\xff", 4,
                  "page 0x7fff of RAM block \"pc.ram\", which has 0x1000000 octets");
    check_changed(BERSTREAM_RAM_PAGES, 3, 3, "\x02\x09\0\xff\xff\xff\xff\xff\xff\xff\xff", 11,
                  "a number that is not between 0 and");
    check_changed(BERSTREAM_RAM_PIECES, 2, 1, "\x63", 1, "RAM block number 99, there are 6");
    /* Section: number, id */
    check_changed(BERSTREAM_SECTION, 2, 1, "\x7f", 1, "section number 127, the schema has 33");
    /* Slice: kind, id */
    check_changed(BERSTREAM_SLICE, 2, 1, "\x09", 1, "a number that is not between 0 and 4");
    /* RamBlocks: listed, page size */
    check_changed(BERSTREAM_RAM_BLOCKS, 3, 4, "\x02\x02\x20\x00", 4, "pages of 8192 octets, this program reads 4096");
    /* End: number of records */
    check_changed(BERSTREAM_HEADER, 2, 1, "X", 1, "the format is \"Xmstate-ber\", not \"vmstate-ber\"");
}

Test(berstream, a_section_that_comes_twice_is_refused)
{
    GArray *records = make_records("h5-microvm.mig");
    guint i = berrecords_find(records, APPLICATION, BERSTREAM_SECTION, 0);
    BerRecordOctets *first = berrecords_get(records, i);
    ByteOut members = first->members; /* stays where it is */
    ByteOut *again = berrecords_insert(records, i + 3, APPLICATION, BERSTREAM_SECTION);

    byte_out_put(again, members.data, members.len);
    g_autofree char *message = message_of(records);
    cr_assert_not_null(strstr(message, "section number 0 comes twice"), "%s", message);
}

Test(berstream, ram_outside_a_slice_of_ram_is_refused)
{
    GArray *records = make_records("g08-xbzrle.mig");
    guint slice = berrecords_find(records, APPLICATION, BERSTREAM_SLICE, 0);

    g_array_remove_index(records, slice);
    g_autofree char *message = message_of(records);
    cr_assert_not_null(strstr(message, "RAM outside a slice of RAM"), "%s", message);
}

Test(berstream, a_slice_that_was_not_started_is_refused)
{
    GArray *records = make_records("g08-xbzrle.mig");
    guint start = berrecords_find(records, APPLICATION, BERSTREAM_SLICE, 0);
    guint part = berrecords_find(records, APPLICATION, BERSTREAM_SLICE, start + 1);

    replace(records, part, 5, 1, "\x4d", 1);
    g_autofree char *message = message_of(records);
    cr_assert_not_null(strstr(message, "a slice of section id 77, which was not started"), "%s", message);
}

Test(berstream, an_end_that_counts_wrong_is_refused)
{
    GArray *records = make_records("h5-microvm.mig");
    ByteOut ber = {0};
    g_autoptr(GError) error = NULL;
    guint end = berrecords_find(records, APPLICATION, BERSTREAM_END, 0);

    /* an END that is not the last record is made anew, too; so the record behind it is one too many */
    ber_put_text(berrecords_insert(records, end + 1, PRIVATE, 29), "behind the end");
    berrecords_join(records, 0, &ber);
    cr_assert_not(reads(&ber, &error));
    cr_assert_not_null(strstr(error->message, "end-of-contents octets should be here"), "%s", error->message);
    byte_out_done(&ber);
    g_array_unref(records);
}

Test(berstream, octets_behind_the_stream_are_told)
{
    ByteOut ber = {0};
    g_autoptr(GError) error = NULL;

    make_ber("h5-microvm.mig", &ber);
    byte_out_u8(&ber, 0);
    cr_assert_not(reads(&ber, &error));
    cr_assert_not_null(strstr(error->message, "there are octets behind the end of the stream"), "%s", error->message);
    byte_out_done(&ber);
}

/* --- schema records --------------------------------------------------------------------------------------------- */

/* A Schema record with one type of the given fields and one section of it, instead of the stream's first. */
static char *schema_message(const ByteOut *fields)
{
    GArray *records = make_records("h5-microvm.mig");
    guint i = berrecords_find(records, APPLICATION, BERSTREAM_SCHEMA, 0);
    ByteOut *m = &berrecords_get(records, i)->members;

    m->len = 0;
    size_t types = ber_start(m, BER_UNIVERSAL, BER_SEQUENCE), type = ber_start(m, BER_UNIVERSAL, BER_SEQUENCE);
    ber_put_text(m, "t");
    ber_put_uint(m, 1);
    ber_put_head(m, BER_UNIVERSAL | BER_CONSTRUCTED, BER_SEQUENCE, fields->len);
    byte_out_put(m, fields->data, fields->len);
    ber_end(m, type);
    ber_end(m, types);
    ber_end(m, ber_start(m, BER_UNIVERSAL, BER_SEQUENCE));
    return message_of(records);
}

static void full_field(ByteOut *out, const char *name, unsigned kind, const char *attributes, size_t len)
{
    size_t mark = ber_start(out, BER_CONTEXT, 16);

    ber_put_text(out, name);
    ber_put_integer_as(out, BER_UNIVERSAL, BER_ENUMERATED, (Integer){.bits = kind});
    byte_out_put(out, attributes, len);
    ber_end(out, mark);
}

static void check_schema(unsigned kind, const char *attributes, size_t len, const char *wanted)
{
    ByteOut fields = {0};

    full_field(&fields, "f", kind, attributes, len);
    g_autofree char *message = schema_message(&fields);
    cr_assert_not_null(strstr(message, wanted), "wanted \"%s\", got: %s", wanted, message);
    byte_out_done(&fields);
}

Test(berstream, a_schema_that_makes_no_sense_is_refused)
{
    check_schema(99, "", 0, "field \"f\" is of kind 99, which is none");
    check_schema(14, "", 0, "field \"f\": a struct, and only a struct, has a type");
    check_schema(14, "\x81\x01\x05", 3, "field \"f\" is of type 5, there are 0 so far");
    check_schema(7, "\x82\x01\x04", 3, "field \"f\": its kind has no size of its own");
    check_schema(7, "\x80\x04\x01\x00\x00\x01", 6, "a number that is not between 0 and 16777216");
    check_schema(10, "\x80\x03\x01\x00\x00\x82\x02\x04\x01", 9, "the struct is larger than 64 MiB");
    check_schema(7, "\x85\x01g", 3, "field \"f\": only an array is counted");
    check_schema(7, "\x80\x01\x02\x85\x01g", 6, "its counter is not an integer field in front of it");
    check_schema(12, "\x80\x01\x02", 3, "there are no arrays of strings or bitmaps");
    check_schema(7, "\x89\x01\x00", 3, "attribute [9] of field \"f\" is not known");
}
