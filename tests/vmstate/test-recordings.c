/* test-recordings.c: every recorded stream, there and back, in every format; and cut. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "tests/support/recordings.h"
#include "visitors/chan.h"
#include "vmstate/berstream-load.h"

static char **names(size_t *count)
{
    char **list = recording_names(), **copy;

    *count = g_strv_length(list);
    copy = cr_malloc((*count + 1) * sizeof *copy);
    for (size_t i = 0; i < *count; i++) {
        copy[i] = cr_malloc(strlen(list[i]) + 1);
        strcpy(copy[i], list[i]);
    }
    g_strfreev(list);
    return copy;
}

static void free_names(struct criterion_test_params *params)
{
    char **list = params->params;

    for (size_t i = 0; i < params->length; i++)
        cr_free(list[i]);
    cr_free(list);
}

static struct criterion_test_params all_recordings(void)
{
    size_t count;
    char **list = names(&count);

    return cr_make_param_array(char *, list, count, free_names);
}

/* The link was cut while this one was recorded. */
static bool is_cut(const char *name)
{
    return strcmp(name, "g16-postcopy-recover.mig") == 0;
}

static void there_and_back(const char *name, bool zstd)
{
    ByteOut original = {0}, ber = {0}, back = {0};
    g_autoptr(GError) there = NULL;
    g_autoptr(GError) again = NULL;

    recording_read(name, &original);
    bool ok = convert_to_ber(&original, recording_kind(name), zstd, &ber, &there);
    cr_assert_eq(ok, !is_cut(name), "%s: %s", name, there ? there->message : "not cut");
    cr_assert(ok || g_error_matches(there, FERRY_ERROR, FERRY_ERROR_CUT), "%s", there->message);
    ok = convert_to_qemufile(&ber, &back, &again);
    cr_assert_eq(ok, !is_cut(name), "%s: %s", name, again ? again->message : "not cut");
    cr_assert(same_octets(&original, &back), "%s: %zu octets became %zu", name, original.len, back.len);
    byte_out_done(&original);
    byte_out_done(&ber);
    byte_out_done(&back);
}

ParameterizedTestParameters(recordings, come_back_from_ber_octet_for_octet)
{
    return all_recordings();
}

ParameterizedTest(char **name, recordings, come_back_from_ber_octet_for_octet)
{
    there_and_back(*name, false);
}

ParameterizedTestParameters(recordings, come_back_from_packed_ber_octet_for_octet)
{
    return all_recordings();
}

ParameterizedTest(char **name, recordings, come_back_from_packed_ber_octet_for_octet)
{
    there_and_back(*name, true);
}

/* --- what a reader says of them --------------------------------------------------------------------------------- */

typedef struct Counter {
    StreamSink sink;
    unsigned sections, described, notes, ends, cut_sections;
    bool complete;
    uint64_t covered; /* everything up to here belongs to something */
} Counter;

static bool count_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    Counter *c = (Counter *)sink;

    (void)error;
    c->sections++;
    c->described += s->desc != NULL && s->state != NULL;
    c->notes += s->note != NULL;
    c->cut_sections += s->cut;
    cr_assert(s->cut || s->state || s->octets, "%s has neither state nor octets", s->name);
    return true;
}

static bool count_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    Counter *c = (Counter *)sink;

    (void)error;
    c->ends++;
    c->complete = end->complete;
    c->covered = end->offset;
    return true;
}

static const StreamSinkOps counter_ops = {.section = count_section, .end = count_end};

ParameterizedTestParameters(recordings, are_described_or_say_why_not)
{
    return all_recordings();
}

ParameterizedTest(char **name, recordings, are_described_or_say_why_not)
{
    Counter c = {.sink.ops = &counter_ops};
    g_autoptr(GError) error = NULL;
    ByteOut original = {0};

    recording_read(*name, &original);
    bool ok = load_stream(&original, recording_kind(*name), &c.sink, &error);
    cr_assert_eq(ok, !is_cut(*name), "%s", error ? error->message : *name);
    cr_assert_eq(c.ends, 1);
    cr_assert_eq(c.complete, ok);
    cr_assert_eq(c.covered, original.len, "%s: %zu octets, %zu covered", *name, original.len, (size_t)c.covered);
    cr_assert_eq(c.sections, c.described + c.notes, "%s: %u sections, %u described, %u with a note", *name, c.sections,
                 c.described, c.notes);
    byte_out_done(&original);
}

/* --- cut -------------------------------------------------------------------------------------------------------- */

/* A stream cut at `len` is refused as cut, tells what came before, and converts to what is left of it. */
static void check_cut(const ByteOut *whole, size_t len, bool there)
{
    ByteOut part = {.data = whole->data, .len = len}, ber = {0}, back = {0};
    Counter c = {.sink.ops = &counter_ops};
    g_autoptr(GError) error = NULL;

    cr_assert_not(load_stream(&part, STREAM_MACHINE, &c.sink, &error), "cut at %zu of %zu, and taken for whole", len,
                  whole->len);
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT), "cut at %zu: %s", len, error->message);
    cr_assert_leq(c.ends, 1);
    cr_assert_not(c.complete);
    if (there && c.ends) {
        cr_assert_not(convert_to_ber(&part, STREAM_MACHINE, false, &ber, NULL));
        cr_assert_not(convert_to_qemufile(&ber, &back, NULL));
        cr_assert(same_octets(&part, &back), "cut at %zu: %zu octets came back", len, back.len);
    }
    byte_out_done(&ber);
    byte_out_done(&back);
}

/* Every octet of the devices; some of the RAM before them. */
static void check_cuts(const char *name, size_t from, size_t step)
{
    ByteOut whole = {0};

    recording_read(name, &whole);
    const char *end = memmem(whole.data, whole.len, "{\"page_size\"", 12);
    size_t stop = (size_t)(end - (const char *)whole.data) - 5; /* without the description the stream is complete */
    for (size_t len = 9; len < from; len += 997)
        check_cut(&whole, len, true);
    for (size_t len = from; len < stop; len += step)
        check_cut(&whole, len, len % 7 == 0);
    for (size_t len = stop + 1; len < whole.len; len += 31)
        check_cut(&whole, len, false);
    byte_out_done(&whole);
}

Test(recordings, cut_anywhere_in_a_qemufile_is_noticed_and_loses_nothing_before_it)
{
    check_cuts("h5-microvm.mig", 58000, 1);
}

Test(recordings, cut_anywhere_in_the_devices_of_a_pc_is_noticed)
{
    check_cuts("g01-return-path.mig", 57000, 3);
}

Test(recordings, cut_at_any_octet_of_a_ber_stream_is_noticed)
{
    ByteOut original = {0}, ber = {0};

    recording_read("h5-microvm.mig", &original);
    cr_assert(convert_to_ber(&original, STREAM_MACHINE, false, &ber, NULL));
    for (size_t len = 1; len < ber.len; len++) {
        ByteOut part = {.data = ber.data, .len = len};
        Counter c = {.sink.ops = &counter_ops};
        g_autoptr(GError) error = NULL;
        g_autoptr(ChanIn) in = chan_in_new(chan_mem_new(part.data, part.len), 0);
        cr_assert_not(berstream_load(in, NULL, &c.sink, &error), "cut at %zu of %zu, and taken for whole", len,
                      ber.len);
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT), "cut at %zu: %s", len, error->message);
    }
    byte_out_done(&original);
    byte_out_done(&ber);
}
