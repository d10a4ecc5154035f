/* test-trace.c: a visitor and its witness, saving and loading. */
#include "tests/visitors/sample.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "visitors/text-out.h"
#include "visitors/trace.h"

/* A witness that writes text. */
typedef struct Record {
    ByteOut text;
    ChanOut *out;
    Visitor *witness;
} Record;

static void record_init(Record *r)
{
    r->text = (ByteOut){0};
    r->out = chan_out_new(chan_buf_new(&r->text));
    r->witness = text_out_new(r->out, "sample", false);
}

static void record_done(Record *r)
{
    visit_free(r->witness);
    chan_out_free(r->out);
    byte_out_done(&r->text);
}

static const char *record_text(Record *r)
{
    chan_out_flush(r->out);
    byte_out_u8(&r->text, 0);
    r->text.len--;
    return (char *)r->text.data;
}

static void visit_traced(Visitor *inner, Record *record, Sample *s, GError **error)
{
    g_autoptr(Visitor) trace = trace_new(inner, record->witness);

    sample_visit(trace, s);
    visit_finish(trace, error);
}

/* --- the same record on both sides ------------------------------------------------------------------------------ */

static void assert_symmetrical(uint32_t seed, bool ber)
{
    g_auto(Sample) saved = {0}, loaded = {0};
    g_auto(ByteOut) data = {0}, untraced = {0};
    g_autoptr(GError) error = NULL;
    Record saving, loading;

    sample_fill(&saved, seed);
    record_init(&saving);
    record_init(&loading);
    g_autoptr(Visitor) save = ber ? ber_out_new(&data, "sample", BER_CONTEXT, 0) : qemufile_out_new(&data, "sample");
    visit_traced(save, &saving, &saved, &error);
    cr_assert_null(error);
    /* the trace adds nothing and takes nothing */
    g_autoptr(Visitor) plain =
        ber ? ber_out_new(&untraced, "sample", BER_CONTEXT, 0) : qemufile_out_new(&untraced, "sample");
    sample_visit(plain, &saved);
    assert_same_octets(data.data, data.len, untraced.data, untraced.len);
    g_autoptr(ChanIn) in = chan_in_new_memory(data.data, data.len, 0);
    g_autoptr(Visitor) load =
        ber ? ber_in_new(data.data, data.len, 0, "sample", BER_CONTEXT, 0) : qemufile_in_new(in, "sample");
    visit_traced(load, &loading, &loaded, &error);
    cr_assert_null(error);
    assert_same_sample(&loaded, &saved);
    cr_assert_gt(strlen(record_text(&saving)), 1000);
    cr_assert_str_eq(record_text(&loading), record_text(&saving));
    record_done(&saving);
    record_done(&loading);
}

Test(trace, what_is_saved_and_loaded_leaves_the_same_record_through_qemufile)
{
    for (uint32_t seed = 0; seed < 16; seed++)
        assert_symmetrical(seed, false);
}

Test(trace, what_is_saved_and_loaded_leaves_the_same_record_through_ber)
{
    for (uint32_t seed = 0; seed < 16; seed++)
        assert_symmetrical(seed, true);
}

Test(trace, the_record_is_the_one_that_the_witness_makes_alone)
{
    g_auto(Sample) s = {0};
    g_auto(ByteOut) data = {0};
    g_autoptr(GError) error = NULL;
    Record traced, alone;

    sample_fill(&s, 3);
    record_init(&traced);
    record_init(&alone);
    g_autoptr(Visitor) save = qemufile_out_new(&data, "sample");
    visit_traced(save, &traced, &s, &error);
    sample_visit(alone.witness, &s);
    cr_assert_str_eq(record_text(&traced), record_text(&alone));
    record_done(&traced);
    record_done(&alone);
}

/* --- what the trace is ------------------------------------------------------------------------------------------ */

Test(trace, direction_offset_path_and_selection_are_those_of_the_inner_visitor)
{
    g_auto(ByteOut) out = {0}, data = octets_of("30 06 02 01 05 02 01 06");
    g_autoptr(Visitor) save = qemufile_out_new(&out, "outer");
    g_autoptr(Visitor) load = ber_in_new(data.data, data.len, 0x100, "inner", BER_UNIVERSAL, BER_SEQUENCE);
    uint8_t x = 0;
    Record a, b;

    record_init(&a);
    record_init(&b);
    g_autoptr(Visitor) saving = trace_new(save, a.witness), loading = trace_new(load, b.witness);
    cr_assert_not(visit_is_load(saving));
    cr_assert(visit_is_load(loading));
    cr_assert_not(visit_can_select(saving));
    cr_assert(visit_can_select(loading));
    visit_uint8(saving, "x", &x);
    cr_assert_eq(visit_offset(saving), 1);
    visit_struct_start(loading, NULL);
    visit_select(loading, 1);
    visit_uint8(loading, "x", &x);
    cr_assert_eq(x, 6);
    cr_assert_eq(visit_offset(loading), 0x105);
    g_autofree char *path = visit_path(loading, "x");
    cr_assert_str_eq(path, "inner.x");
    visit_skip_fields(loading);
    visit_struct_end(loading);
    cr_assert_not(visit_failed(loading));
    cr_assert_str_eq(record_text(&b), "sample.x = (uint8) 0x6\n");
    record_done(&a);
    record_done(&b);
}

Test(trace, a_subsection_is_found_through_the_trace)
{
    g_auto(ByteOut) data = octets_of("05 07 64 65 76 2f 73 75 62 00 00 00 07 09");
    g_autoptr(ChanIn) in = chan_in_new_memory(data.data, data.len, 0);
    g_autoptr(Visitor) load = qemufile_in_new(in, "dev");
    g_autoptr(GError) error = NULL;
    VisitSubsection found;
    uint8_t x = 0;
    Record r;

    record_init(&r);
    g_autoptr(Visitor) trace = trace_new(load, r.witness);
    visit_struct_start(trace, NULL);
    cr_assert(visit_subsection_next(trace, "dev", &found));
    cr_assert_str_eq(found.name, "dev/sub");
    cr_assert_eq(found.version, 7);
    visit_subsection_start(trace, 0, "dev/sub", 7);
    visit_uint8(trace, "x", &x);
    visit_subsection_end(trace);
    cr_assert_not(visit_subsection_next(trace, "dev", &found));
    visit_struct_end(trace);
    assert_no_error(visit_finish(trace, &error), error);
    cr_assert_str_eq(record_text(&r), "sample.dev/sub.x = (uint8) 0x9\n");
    record_done(&r);
}

/* --- errors ----------------------------------------------------------------------------------------------------- */

Test(trace, the_first_error_of_the_inner_visitor_stops_the_witness)
{
    g_auto(Sample) saved = {0};
    g_auto(ByteOut) data = {0};
    g_autoptr(GError) none = NULL;
    Record whole;

    sample_fill(&saved, 1);
    record_init(&whole);
    g_autoptr(Visitor) save = qemufile_out_new(&data, "sample");
    visit_traced(save, &whole, &saved, &none);
    for (size_t len = 0; len < data.len; len++) {
        g_auto(Sample) loaded = {0};
        g_autoptr(GError) error = NULL;
        Record r;
        record_init(&r);
        g_autoptr(ChanIn) in = chan_in_new_memory(data.data, len, 0);
        g_autoptr(Visitor) load = qemufile_in_new(in, "sample");
        visit_traced(load, &r, &loaded, &error);
        /* what came before the failure was shown, in whole lines, and nothing else */
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT));
        const char *text = record_text(&r);
        cr_assert(g_str_has_prefix(record_text(&whole), text));
        cr_assert(*text == '\0' || g_str_has_suffix(text, "\n"));
        cr_assert_lt(strlen(text), strlen(record_text(&whole)));
        cr_assert(len < 2 || g_str_has_prefix(text, "sample.on = (bool) true\nsample.i8 = (int8) "));
        record_done(&r);
    }
    record_done(&whole);
}

Test(trace, the_error_is_the_inner_visitors_own)
{
    g_autoptr(ChanIn) in = chan_in_new_memory("\1\2", 2, 0x100), other = chan_in_new_memory("\1\2", 2, 0x100);
    g_autoptr(Visitor) alone = qemufile_in_new(in, "dev"), load = qemufile_in_new(other, "dev");
    g_autoptr(GError) error = NULL, wanted = NULL;
    uint32_t x;
    Record r;

    record_init(&r);
    g_autoptr(Visitor) trace = trace_new(load, r.witness);
    Visitor *visitors[] = {alone, trace};
    for (int i = 0; i < 2; i++) {
        visit_struct_start(visitors[i], NULL);
        visit_list_start(visitors[i], "list", 2, 4);
        visit_struct_start(visitors[i], NULL);
        visit_uint32(visitors[i], "x", &x);
        cr_assert(visit_failed(visitors[i]));
    }
    cr_assert_not(visit_finish(alone, &wanted));
    cr_assert_not(visit_finish(trace, &error));
    assert_error(error, FERRY_ERROR_CUT, wanted->message);
    cr_assert_str_eq(error->message, "dev.list[0].x @0x100: the input ends at 0x102");
    cr_assert_str_eq(record_text(&r), "");
    record_done(&r);
}

Test(trace, an_error_that_the_caller_finds_stops_both)
{
    g_auto(ByteOut) data = octets_of("01 02 03");
    g_autoptr(ChanIn) in = chan_in_new_memory(data.data, data.len, 0);
    g_autoptr(Visitor) load = qemufile_in_new(in, "dev");
    g_autoptr(GError) error = NULL;
    uint8_t x = 0, y = 0;
    Record r;

    record_init(&r);
    g_autoptr(Visitor) trace = trace_new(load, r.witness);
    visit_struct_start(trace, NULL);
    visit_uint8(trace, "x", &x);
    visit_fail(trace, FERRY_ERROR_REFUSED, "x", "no");
    visit_uint8(trace, "y", &y);
    visit_struct_end(trace);
    cr_assert_not(visit_finish(trace, &error));
    assert_error(error, FERRY_ERROR_REFUSED, "dev.x @0x0: no");
    cr_assert_eq(y, 0);
    cr_assert_eq(chan_in_tell(in), 1);
    cr_assert_str_eq(record_text(&r), "sample.x = (uint8) 0x1\n");
    record_done(&r);
}

Test(trace, an_error_of_the_witness_comes_out_at_the_end)
{
    g_autofree char *text = g_strnfill(300, 'x');
    g_auto(ByteOut) data = {0}, seen = {0};
    g_autoptr(Visitor) save = ber_out_new(&data, "dev", BER_CONTEXT, 0), witness = qemufile_out_new(&seen, "witness");
    g_autoptr(Visitor) trace = trace_new(save, witness);
    g_autoptr(GError) error = NULL;
    uint8_t x = 1;

    visit_struct_start(trace, NULL);
    visit_string(trace, "text", &text); /* more than the witness's wire takes */
    visit_uint8(trace, "x", &x);
    visit_struct_end(trace);
    cr_assert_not(visit_finish(trace, &error));
    assert_error(error, FERRY_ERROR_LIMIT, "witness.text @0x0: the string has 300 octets, the wire takes 255");
    cr_assert_eq(data.len, 4 + 304 + 3);
    cr_assert_eq(seen.len, 0);
}
