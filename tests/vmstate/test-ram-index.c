/* test-ram-index.c: where in a stream each page is. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <string.h>

#include "tests/support/ram-stream.h"
#include "vmstate/berstream-load.h"
#include "vmstate/stream-load.h"

typedef struct Form {
    bool ber, zstd;
} Form;

static Form forms[] = {{false, false}, {true, false}, {true, true}};

#define EACH_FORM(name)                                                                                                \
    ParameterizedTestParameters(ram_index, name)                                                                       \
    {                                                                                                                  \
        return cr_make_param_array(Form, forms, G_N_ELEMENTS(forms));                                                  \
    }                                                                                                                  \
    ParameterizedTest(Form *form, ram_index, name, .timeout = 120)

static Chan *chan_of(const RamStream *s)
{
    return chan_mem_new(s->octets.data, s->octets.len);
}

typedef struct Check {
    StreamSink sink;
    const RamStream *stream;
    const StreamGap *gap;
    unsigned pages;
    bool ended;
} Check;

static bool check_run(StreamSink *sink, const RamRun *run, GError **error)
{
    static const uint8_t zeros[RAM_PAGE];
    Check *c = (Check *)sink;

    (void)error;
    for (uint32_t i = 0; i < run->count; i++) {
        const uint8_t *has = c->stream->memory[run->block] + (run->first + i) * RAM_PAGE;
        cr_assert(memcmp(run->pages[i] ? run->pages[i] : zeros, has, RAM_PAGE) == 0, "block %u, page %lu", run->block,
                  run->first + i);
    }
    c->pages += run->count;
    return true;
}

static bool check_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    (void)error;
    ((Check *)sink)->ended = end->complete;
    return true;
}

static const StreamGap *gap_of(StreamSink *sink)
{
    return ((Check *)sink)->gap;
}

static const StreamSinkOps ops = {.ram_run = check_run, .ram_gap = gap_of, .end = check_end};

EACH_FORM(each_page_is_found_and_is_what_it_was)
{
    g_autoptr(GError) error = NULL;
    RamStream s;

    ram_stream_init(&s, form->ber, form->zstd);
    g_autoptr(Chan) chan = chan_of(&s);
    g_autoptr(RamIndex) x = ram_index_read(chan, &error);
    cr_assert(x, "%s", error ? error->message : "");
    for (uint32_t block = 0; block < 2; block++) {
        for (uint64_t page = 0; page < s.size[block] / RAM_PAGE; page++) {
            Check c = {.sink = {&ops}, .stream = &s};
            const RamIndexRun *run = ram_index_find(x, block, page);
            cr_assert(run && run->block == block && run->first <= page && page < run->first + run->count);
            if (page % 7)
                continue;
            cr_assert(ram_index_fetch(x, run, chan, &c.sink, &error), "%s", error ? error->message : "");
            cr_assert_eq(c.pages, run->count);
        }
        cr_assert_null(ram_index_find(x, block, s.size[block] / RAM_PAGE));
    }
    cr_assert_null(ram_index_find(x, 2, 0));
    ram_stream_done(&s);
}

static bool load(const Form *form, Chan *chan, Check *c, GError **error)
{
    const StreamSource source = {.kind = STREAM_MACHINE};
    g_autoptr(ChanIn) in = chan_in_new(chan, 0);

    return form->ber ? berstream_load(in, NULL, &c->sink, error) : stream_load(in, &source, &c->sink, error);
}

EACH_FORM(a_reader_stops_before_it_and_finds_all_pages_or_none_that_it_does_not_want)
{
    g_autoptr(GError) error = NULL;
    RamStream s;

    ram_stream_init(&s, form->ber, form->zstd);
    g_autoptr(Chan) chan = chan_of(&s);
    g_autoptr(RamIndex) x = ram_index_read(chan, &error);
    cr_assert_eq(ram_index_stream_length(chan, NULL), (int64_t)s.end);
    for (unsigned without = 0; without < 2; without++) {
        Check c = {.sink = {&ops}, .stream = &s, .gap = without ? &x->gap : NULL};
        cr_assert(load(form, ram_index_stream_chan(chan_of(&s), NULL), &c, &error), "%s", error ? error->message : "");
        cr_assert_eq(c.pages, without ? 0 : RAM_STREAM_PAGES + RAM_STREAM_ROM);
        cr_assert(c.ended);
    }
    ram_stream_done(&s);
}

EACH_FORM(an_index_that_has_changed_is_refused_whichever_octet_it_is)
{
    RamStream s;

    ram_stream_init(&s, form->ber, form->zstd);
    for (size_t i = s.end; i < s.octets.len; i++) {
        g_autoptr(GError) error = NULL;
        s.octets.data[i] ^= 0x10;
        g_autoptr(Chan) chan = chan_of(&s);
        g_autoptr(RamIndex) x = ram_index_read(chan, &error);
        cr_assert(!x && error, "octet 0x%zx", i);
        s.octets.data[i] ^= 0x10;
    }
    for (size_t len = 0; len < s.octets.len; len += len < s.end ? 4099 : 1) {
        g_autoptr(Chan) chan = chan_mem_new(s.octets.data, len);
        g_autoptr(RamIndex) x = ram_index_read(chan, NULL);
        cr_assert_null(x, "the first 0x%zx octets", len);
    }
    ram_stream_done(&s);
}

EACH_FORM(pages_that_have_changed_are_refused)
{
    RamStream s;

    ram_stream_init(&s, form->ber, form->zstd);
    g_autoptr(Chan) chan = chan_of(&s);
    g_autoptr(RamIndex) x = ram_index_read(chan, NULL);
    for (uint32_t i = 0; i < x->run_count; i++) {
        const RamIndexRun *run = &x->runs[i];
        for (uint32_t at = 0; run->full && at < run->len; at += 211) {
            g_autoptr(GError) error = NULL;
            Check c = {.sink = {&ops}, .stream = &s}; /* nothing wrong is told */
            s.octets.data[run->offset + at] ^= 1;
            cr_assert(!ram_index_fetch(x, run, chan, &c.sink, &error) && error, "run %u, octet 0x%x", i, at);
            s.octets.data[run->offset + at] ^= 1;
        }
    }
    ram_stream_done(&s);
}

Test(ram_index, one_of_another_ber_stream_is_noticed_without_a_page_being_read)
{
    g_autoptr(GError) error = NULL;
    const Form ber = {true, false};
    RamStream s;

    ram_stream_init(&s, true, false);
    g_autoptr(Chan) chan = chan_of(&s);
    g_autoptr(RamIndex) x = ram_index_read(chan, NULL);
    Check c = {.sink = {&ops}, .stream = &s, .gap = &x->gap};
    ((uint64_t *)x->gap.checks)[2] ^= 1;
    cr_assert(!load(&ber, ram_index_stream_chan(chan_of(&s), NULL), &c, &error));
    cr_assert(strstr(error->message, "the digest is not that of the records that came"), "%s", error->message);
    ram_stream_done(&s);
}
