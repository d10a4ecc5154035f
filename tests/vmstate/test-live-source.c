/* test-live-source.c: a state is sent while a guest writes; the guest is a thread, its KVM a bitmap with a lock. */
#include <criterion/criterion.h>
#include <string.h>

#include "vmstate/berstream-load.h"
#include "vmstate/berstream-save.h"
#include "vmstate/live-source.h"
#include "vmstate/stream-load.h"
#include "vmstate/stream-save.h"

enum { BLOCKS = 2, MOST = 5000, WORD = 64 };

static const uint64_t sizes[BLOCKS] = {MOST, 70}; /* pages */

/* What goes wrong. */
typedef enum Trouble { NONE, STOP_FAILS, TAIL_FAILS, NO_LOG, CANCEL_IN_STOP, CANCEL_AT_ONCE } Trouble;

typedef struct Guest {
    RamBlocks blocks;
    LiveMemory memory[BLOCKS];
    uint8_t *ram[BLOCKS], *there[BLOCKS]; /* here, and at the other end */
    uint64_t log[BLOCKS][MOST / WORD + 1], told[BLOCKS][MOST / WORD + 1];
    GMutex lock; /* of the log, and of writes */
    GThread *thread;
    int runs, writes; /* atomic: it is to; how often it did */
    unsigned hot;     /* it writes to so many pages only */
    bool busy;        /* it has written whenever somebody looks, however busy the host is with others */
    int seen;         /* writes when somebody looked */
    LiveSource *source;
    Trouble trouble;
    bool logs, stopped;
    unsigned percent, passes, clears;
    ByteOut stream;
    uint64_t came, complete;
} Guest;

/* As with KVM: what is written after dirty_clear is in the next report; what is reported stays until it is cleared. */
static void guest_write(Guest *g, unsigned block, uint64_t page, uint64_t value)
{
    g_mutex_lock(&g->lock);
    for (unsigned i = 0; i < RAM_PAGE / 8; i++)
        ((uint64_t *)(void *)(g->ram[block] + page * RAM_PAGE))[i] = value;
    if (g->logs)
        g->log[block][page / WORD] |= UINT64_C(1) << page % WORD;
    g_mutex_unlock(&g->lock);
}

static void *run_guest(void *opaque)
{
    Guest *g = opaque;
    GRand *rand = g_rand_new_with_seed(1);

    while (g_atomic_int_get(&g->runs)) {
        unsigned block = g_rand_int(rand) % 8 == 0;
        guest_write(g, block, g_rand_int(rand) % MIN(g->hot, sizes[block]),
                    g_rand_int(rand) % 3 ? g_rand_int(rand) : 0);
        g_atomic_int_inc(&g->writes);
        if (g_atomic_int_get(&g->writes) % 16 == 0)
            g_usleep(50);
    }
    g_rand_free(rand);
    return NULL;
}

static void let_stand(Guest *g)
{
    if (!g->thread)
        return;
    g_atomic_int_set(&g->runs, false);
    g_thread_join(g_steal_pointer(&g->thread));
}

/* --- what the engine asks for ------------------------------------------------------------------------------------- */

static bool refuse(GError **error, const char *why)
{
    g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED, why);
    return false;
}

static bool dirty_start(void *opaque, GError **error)
{
    Guest *g = opaque;

    if (g->trouble == NO_LOG)
        return refuse(error, "there is no log");
    g_mutex_lock(&g->lock);
    g->logs = true;
    g_mutex_unlock(&g->lock);
    return true;
}

static void dirty_stop(void *opaque)
{
    Guest *g = opaque;

    g->logs = false;
}

static bool dirty_sync(void *opaque, uint64_t *const *bits, GError **error)
{
    Guest *g = opaque;

    (void)error;
    while (g->busy && g->thread && g_atomic_int_get(&g->writes) == g->seen)
        g_usleep(50);
    g->seen = g_atomic_int_get(&g->writes);
    g_mutex_lock(&g->lock);
    memcpy(g->told, g->log, sizeof g->log);
    for (unsigned b = 0; b < BLOCKS; b++)
        for (uint64_t i = 0; i * WORD < sizes[b]; i++)
            bits[b][i] |= g->told[b][i];
    g_mutex_unlock(&g->lock);
    return true;
}

static void dirty_clear(void *opaque, uint32_t block, uint64_t first, uint64_t count)
{
    Guest *g = opaque;

    g_mutex_lock(&g->lock);
    for (uint64_t page = first; page < first + count; page++)
        g->log[block][page / WORD] &= ~(g->told[block][page / WORD] & UINT64_C(1) << page % WORD);
    g->clears++;
    g_mutex_unlock(&g->lock);
}

static bool head(void *opaque, StreamSink *sink, GError **error)
{
    const StreamHeader header = {
        .kind = STREAM_MACHINE, .writer = "test", .writer_version = "1", .machine = "fake", .footers = true};
    g_autoptr(Schema) schema = schema_new();

    (void)opaque;
    return SINK(sink, header, &header, error) && SINK(sink, schema, schema, 0, error);
}

static bool stop(void *opaque, GError **error)
{
    Guest *g = opaque;

    if (g->trouble == STOP_FAILS)
        return refuse(error, "it does not stop");
    let_stand(g);
    g->stopped = true;
    if (g->trouble == CANCEL_IN_STOP)
        live_source_cancel(g->source);
    return true;
}

static bool tail(void *opaque, StreamSink *sink, GError **error)
{
    const Guest *g = opaque;
    const StreamTrailer trailer = {.present = false};
    const StreamEnd end = {.complete = true};

    if (g->trouble == TAIL_FAILS)
        return refuse(error, "there is no tail");
    return SINK(sink, eof, &trailer, error) && SINK(sink, end, &end, error);
}

static void throttle(void *opaque, unsigned percent)
{
    ((Guest *)opaque)->percent = percent;
}

static void pass(void *opaque, uint64_t number)
{
    Guest *g = opaque;

    cr_assert_eq(number, ++g->passes);
}

/* --- the other end ------------------------------------------------------------------------------------------------ */

typedef struct There {
    StreamSink sink;
    Guest *guest;
} There;

static bool take_run(StreamSink *sink, const RamRun *run, GError **error)
{
    Guest *g = ((There *)sink)->guest;

    (void)error;
    for (uint32_t i = 0; i < run->count; i++, g->came++) {
        uint8_t *page = g->there[run->block] + (run->first + i) * RAM_PAGE;
        if (run->pages[i])
            memcpy(page, run->pages[i], RAM_PAGE);
        else
            memset(page, 0, RAM_PAGE);
    }
    return true;
}

static bool take_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    (void)error;
    ((There *)sink)->guest->complete = end->complete;
    return true;
}

static void load(Guest *g, bool ber)
{
    static const StreamSinkOps ops = {.ram_run = take_run, .end = take_end};
    There there = {.sink = {&ops}, .guest = g};
    g_autoptr(ChanIn) in = chan_in_new_memory(g->stream.data, g->stream.len, 0);
    const StreamSource source = {.kind = STREAM_MACHINE};
    g_autoptr(GError) error = NULL;

    bool ok = ber ? berstream_load(in, NULL, &there.sink, &error) : stream_load(in, &source, &there.sink, &error);
    cr_assert(ok, "%s", error ? error->message : "");
    cr_assert(g->complete);
    for (unsigned b = 0; b < BLOCKS; b++)
        for (uint64_t page = 0; page < sizes[b]; page++)
            cr_assert_eq(memcmp(g->ram[b] + page * RAM_PAGE, g->there[b] + page * RAM_PAGE, RAM_PAGE), 0,
                         "block %u, page %lu", b, page);
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

static void setup(Guest *g, unsigned hot)
{
    static const LiveOps ops = {dirty_start, dirty_stop, dirty_sync, dirty_clear, head, stop, tail, throttle, pass};

    memset(g, 0, sizeof *g);
    ram_blocks_init(&g->blocks);
    g->blocks.listed = true;
    for (unsigned b = 0; b < BLOCKS; b++) {
        g_autofree char *name = g_strdup_printf("block%u", b);
        ram_blocks_add(&g->blocks, &(RamBlock){.name = name, .length = sizes[b] * RAM_PAGE, .address = -1}, NULL);
        g->ram[b] = g_malloc0(sizes[b] * RAM_PAGE);
        g->there[b] = g_malloc(sizes[b] * RAM_PAGE);
        memset(g->there[b], 0xee, sizes[b] * RAM_PAGE);
        g->memory[b] = (LiveMemory){g->ram[b], sizes[b]};
        for (uint64_t page = 0; page < sizes[b]; page += 2)
            guest_write(g, b, page, page + 1);
    }
    g->hot = hot;
    g->source = live_source_new(&ops, g, &g->blocks, g->memory);
    g->runs = true;
    g->thread = g_thread_new("guest", run_guest, g);
}

static bool run(Guest *g, bool ber, const LiveLimits *limits, GError **error)
{
    g_autoptr(ChanOut) out = chan_out_new(chan_buf_new(&g->stream));
    const BerstreamOptions options = {.writer = "test", .writer_version = "1"};
    StreamSink *sink = ber ? berstream_save_new(out, &options) : stream_save_new(out, NULL);
    const LiveStream stream = {.sink = sink, .out = out, .steady = ber};

    live_source_limit(g->source, limits);
    if (g->trouble == CANCEL_AT_ONCE)
        live_source_cancel(g->source);
    bool ok = live_source_run(g->source, &stream, error);
    (ber ? berstream_save_free : stream_save_free)(sink);
    cr_assert_not(g->logs, "the log is off again");
    return ok;
}

static void teardown(Guest *g)
{
    let_stand(g);
    live_source_free(g->source);
    for (unsigned b = 0; b < BLOCKS; b++) {
        g_free(g->ram[b]);
        g_free(g->there[b]);
    }
    ram_blocks_done(&g->blocks);
    byte_out_done(&g->stream);
}

static void arrives(bool ber, unsigned hot, const LiveLimits *limits)
{
    g_autoptr(GError) error = NULL;
    Guest g;

    setup(&g, hot);
    cr_assert(run(&g, ber, limits, &error), "%s", error ? error->message : "");
    cr_assert(g.stopped);
    load(&g, ber);
    LiveProgress p = live_source_progress(g.source);
    cr_assert_eq(p.total, (sizes[0] + sizes[1]) * RAM_PAGE);
    cr_assert_eq(p.full + p.zero, g.came);
    cr_assert_geq(g.came, sizes[0] + sizes[1]);
    cr_assert_eq(p.sent, g.stream.len);
    cr_assert_leq(p.sent_running, p.sent);
    cr_assert_eq(p.remaining, 0);
    cr_assert_eq(p.passes, g.passes);
    cr_assert(p.start_us <= p.send_us && p.send_us < p.stop_us && p.stop_us <= p.end_us);
    teardown(&g);
}

Test(live_source, memory_that_is_written_meanwhile_arrives_as_it_is_in_the_end)
{
    arrives(false, 1000, &(LiveLimits){.downtime_ms = 50});
}

Test(live_source, a_format_that_has_sums_of_its_pages_gets_pages_that_stand_still)
{
    arrives(true, 1000, &(LiveLimits){.downtime_ms = 50});
}

Test(live_source, a_limit_is_kept_and_can_be_lifted)
{
    const LiveLimits slow = {.bandwidth = 20 << 20, .downtime_ms = 300};

    int64_t begin = g_get_monotonic_time();
    arrives(false, 100, &slow); /* 10 MiB of content, of which 6 may be left for the end */
    cr_assert_gt(g_get_monotonic_time() - begin, 150000);
}

static void *lift(void *opaque)
{
    const LiveLimits fast = {.downtime_ms = 300};

    g_usleep(100000);
    live_source_limit(opaque, &fast);
    return NULL;
}

Test(live_source, a_crawl_ends_when_its_limit_is_lifted, .timeout = 30)
{
    const LiveLimits crawl = {.bandwidth = 1000, .downtime_ms = 0};
    Guest g;

    setup(&g, 1);
    GThread *thread = g_thread_new("lift", lift, g.source);
    cr_assert(run(&g, false, &crawl, NULL));
    g_thread_join(thread);
    load(&g, false);
    teardown(&g);
}

/* Looks on until it is said that it will not end and the guest is as slow as it can be, and cancels it then. */
static void *look_on(void *opaque)
{
    LiveProgress *seen = opaque;
    LiveSource *source = *(LiveSource **)opaque;

    for (;;) {
        LiveProgress p = live_source_progress(source);
        if (p.grows && p.throttle == 40) {
            *seen = p;
            live_source_cancel(source);
            return NULL;
        }
        g_usleep(2000);
    }
}

Test(live_source, a_guest_that_writes_faster_than_it_is_sent_is_slowed_down_and_told_of, .timeout = 60)
{
    const LiveLimits limits = {
        .bandwidth = 32 << 20, .downtime_ms = 0, .throttles = true, .trigger = 50, .first = 20, .step = 10, .most = 40};
    g_autoptr(GError) error = NULL;
    union {
        LiveSource *source;
        LiveProgress seen;
    } watched;
    Guest g;

    setup(&g, MOST);
    g.busy = true;
    watched.source = g.source;
    GThread *thread = g_thread_new("watch", look_on, &watched);
    bool ok = run(&g, false, &limits, &error);
    LiveProgress p = live_source_progress(g.source);
    cr_assert_not(ok, "after %lu looks, at %lu pages a second written, %lu sent, %d writes", p.passes, p.dirty_rate,
                  p.page_rate, g.writes);
    g_thread_join(thread);
    cr_assert_str_eq(error->message, "it was cancelled");
    cr_assert_not(g.stopped);
    cr_assert_gt(watched.seen.dirty_rate, watched.seen.page_rate);
    cr_assert_gt(watched.seen.downtime_ms, 0);
    cr_assert_eq(g.percent, 0, "it is let go in the end");
    teardown(&g);
}

static void fails(Trouble trouble, const char *why, bool stopped)
{
    const LiveLimits limits = {.downtime_ms = 1000};
    g_autoptr(GError) error = NULL;
    Guest g;

    setup(&g, MOST);
    g.trouble = trouble;
    cr_assert_not(run(&g, false, &limits, &error));
    cr_assert_str_eq(error->message, why);
    cr_assert_eq(g.stopped, stopped);
    teardown(&g);
}

Test(live_source, whatever_fails_is_told_and_ends_it)
{
    fails(NO_LOG, "there is no log", false);
    fails(STOP_FAILS, "it does not stop", false);
    fails(TAIL_FAILS, "there is no tail", true);
}

Test(live_source, it_can_be_cancelled_at_its_beginning_and_when_the_guest_stands)
{
    fails(CANCEL_AT_ONCE, "it was cancelled", false);
    fails(CANCEL_IN_STOP, "it was cancelled", true);
}
