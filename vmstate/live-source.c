/*
 * live-source.c: sends a machine's state while the machine runs.
 *
 * A page that is to be sent has a bit. Bits come from dirty_sync, all at once, and go one by one as pages are read; who
 * writes a page after dirty_clear sets its bit at the next dirty_sync. So a page whose bit goes while it is written is
 * sent again.
 */
#include "vmstate/live-source.h"

#include <string.h>

enum {
    RAM_ID = 2, /* as QEMU numbers it */
    RAM_VERSION = 4,
    WORD = 64,        /* pages */
    CHUNK = 4096,     /* pages that are cleared together; a run is in one of them */
    SLICE_US = 50000, /* of memory, while the machine runs */
    LOOK_US = 20000,  /* between two looks at what was written, unless all was sent */
};

struct LiveSource {
    const LiveOps *ops;
    void *opaque;
    const RamBlocks *blocks;
    const LiveMemory *memory;
    LiveStream stream;
    uint64_t **bits; /* of each block, */
    bool **cleared;  /* and of each of its chunks: since the last look */
    uint32_t block;  /* where it goes on */
    uint64_t page;
    uint64_t left;  /* bits */
    uint8_t *aside; /* RAM_RUN_FULL pages that do not change */
    LiveMeter meter;
    LiveProgress now;

    GMutex lock; /* of these */
    GCond wake;
    bool cancelled;
    LiveLimits limits;
    LiveProgress told;
};

/* --- what others see ---------------------------------------------------------------------------------------------- */

void live_source_cancel(LiveSource *s)
{
    g_mutex_lock(&s->lock);
    s->cancelled = true;
    g_cond_broadcast(&s->wake);
    g_mutex_unlock(&s->lock);
}

void live_source_limit(LiveSource *s, const LiveLimits *limits)
{
    g_mutex_lock(&s->lock);
    s->limits = *limits;
    g_cond_broadcast(&s->wake);
    g_mutex_unlock(&s->lock);
}

LiveProgress live_source_progress(LiveSource *s)
{
    g_mutex_lock(&s->lock);
    LiveProgress told = s->told;
    g_mutex_unlock(&s->lock);
    return told;
}

/* Tells how far it is; returns what limits there are. */
static LiveLimits tell(LiveSource *s)
{
    s->now.remaining = s->left * RAM_PAGE;
    s->now.sent = s->stream.out ? chan_out_tell(s->stream.out) : 0;
    s->now.bandwidth = s->meter.bandwidth;
    s->now.page_rate = s->meter.pages_rate;
    s->now.dirty_rate = s->meter.dirty_rate;
    s->now.throttle = s->meter.throttle;
    g_mutex_lock(&s->lock);
    s->told = s->now;
    LiveLimits limits = s->limits;
    g_mutex_unlock(&s->lock);
    return limits;
}

static bool goes_on(LiveSource *s, GError **error)
{
    g_mutex_lock(&s->lock);
    bool cancelled = s->cancelled;
    g_mutex_unlock(&s->lock);
    if (cancelled)
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "it was cancelled");
    return !cancelled && chan_out_check(s->stream.out, error);
}

/* Until more may be sent, or there are other limits. */
static void keep_pace(LiveSource *s, LiveLimits limits)
{
    int64_t now_us = g_get_monotonic_time();
    uint64_t sent = chan_out_tell(s->stream.out);
    int64_t pause = live_meter_pause(&s->meter, &limits, now_us, sent);

    if (pause) {
        g_mutex_lock(&s->lock);
        if (!s->cancelled && limits.bandwidth == s->limits.bandwidth)
            g_cond_wait_until(&s->wake, &s->lock, now_us + pause);
        g_mutex_unlock(&s->lock);
        now_us = g_get_monotonic_time();
    }
    live_meter_sent(&s->meter, now_us, sent, s->now.full + s->now.zero);
}

/* --- pages -------------------------------------------------------------------------------------------------------- */

static bool has_bit(const LiveSource *s, uint32_t block, uint64_t page)
{
    return s->bits[block][page / WORD] >> page % WORD & 1;
}

/* Goes to the next page that has a bit; there is one. */
static void find_page(LiveSource *s)
{
    for (;;) {
        uint64_t pages = s->memory[s->block].pages;
        while (s->page < pages && !has_bit(s, s->block, s->page))
            s->page += s->bits[s->block][s->page / WORD] >> s->page % WORD ? 1 : WORD - s->page % WORD;
        if (s->page < pages)
            return;
        s->block = (s->block + 1) % s->blocks->list->len;
        s->page = 0;
    }
}

static void clear_chunk(LiveSource *s)
{
    uint64_t chunk = s->page / CHUNK, first = chunk * CHUNK;

    if (s->cleared[s->block][chunk])
        return;
    s->cleared[s->block][chunk] = true;
    s->ops->dirty_clear(s->opaque, s->block, first, MIN(CHUNK, s->memory[s->block].pages - first));
}

/* The page where it is, or aside, or NULL: of zeros. */
static const uint8_t *take_page(LiveSource *s, const uint8_t *page, uint32_t full)
{
    if (bytes_are_zero(page, RAM_PAGE))
        return NULL;
    if (!s->stream.steady)
        return page;
    return memcpy(s->aside + (size_t)full * RAM_PAGE, page, RAM_PAGE);
}

static bool send_run(LiveSource *s, GError **error)
{
    const uint8_t *pages[RAM_RUN_PAGES];
    RamRun run = {.pages = pages};

    find_page(s);
    clear_chunk(s);
    run.block = s->block;
    run.first = s->page;
    uint64_t end = MIN((s->page / CHUNK + 1) * CHUNK, s->memory[s->block].pages);
    for (; s->page < end && run.full < RAM_RUN_FULL && has_bit(s, s->block, s->page); s->page++) {
        const uint8_t *page = take_page(s, s->memory[s->block].host + s->page * RAM_PAGE, run.full);
        pages[run.count++] = page;
        run.full += page != NULL;
        s->bits[s->block][s->page / WORD] &= ~(UINT64_C(1) << s->page % WORD);
    }
    s->left -= run.count;
    s->now.full += run.full;
    s->now.zero += run.count - run.full;
    return SINK(s->stream.sink, ram_run, &run, error);
}

static uint64_t count_bits(const LiveSource *s)
{
    uint64_t count = 0;

    for (guint i = 0; i < s->blocks->list->len; i++)
        for (uint64_t word = 0; word * WORD < s->memory[i].pages; word++)
            count += (uint64_t)__builtin_popcountll(s->bits[i][word]);
    return count;
}

/* --- what was written --------------------------------------------------------------------------------------------- */

static uint64_t chunks_of(const LiveMemory *m)
{
    return (m->pages + CHUNK - 1) / CHUNK;
}

static bool look(LiveSource *s, GError **error)
{
    uint64_t before = s->left;

    if (!s->ops->dirty_sync(s->opaque, s->bits, error))
        return false;
    for (guint i = 0; i < s->blocks->list->len; i++) {
        const LiveMemory *m = &s->memory[i];
        memset(s->cleared[i], 0, chunks_of(m) * sizeof(bool));
        if (m->pages % WORD) /* whoever sets bits may set those of pages that are not there */
            s->bits[i][m->pages / WORD] &= (UINT64_C(1) << m->pages % WORD) - 1;
    }
    s->left = count_bits(s);
    s->now.passes++;
    if (s->now.passes > 1) {
        LiveLimits limits = tell(s);
        bool slower = live_meter_looked(&s->meter, &limits, g_get_monotonic_time(), s->left - before, s->now.sent);
        if (slower && s->ops->throttle)
            s->ops->throttle(s->opaque, s->meter.throttle);
    }
    if (s->ops->pass)
        s->ops->pass(s->opaque, s->now.passes);
    tell(s);
    return true;
}

/* Octets that can be sent in the time that the machine may stand. */
static uint64_t affordable(LiveSource *s)
{
    LiveLimits limits = tell(s);
    uint64_t bandwidth = live_meter_bandwidth(&s->meter, &limits, g_get_monotonic_time(), s->now.sent);

    s->now.downtime_ms = live_time_ms(s->left * RAM_PAGE, bandwidth);
    return (uint64_t)((double)bandwidth * (double)limits.downtime_ms / 1000);
}

/* Of what is left after a look: can the machine stand until it is sent? */
static bool is_near(LiveSource *s)
{
    bool near = s->left * RAM_PAGE <= affordable(s);
    uint64_t all = s->now.full + s->now.zero;

    s->now.grows = !near && all * RAM_PAGE >= s->now.total && s->meter.dirty_rate >= s->meter.pages_rate;
    tell(s);
    return near;
}

/* --- in the order of the stream ----------------------------------------------------------------------------------- */

static bool start_slice(LiveSource *s, SliceKind kind, GError **error)
{
    return SINK(s->stream.sink, slice_start,
                &((StreamSlice){.kind = kind, .id = RAM_ID, .name = "ram", .version = RAM_VERSION}), error);
}

static bool send_start(LiveSource *s, GError **error)
{
    return s->ops->head(s->opaque, s->stream.sink, error) && start_slice(s, SLICE_START, error) &&
           SINK(s->stream.sink, ram_blocks, s->blocks, 0, error) && SINK(s->stream.sink, slice_end, error);
}

/* For a while, or until it is time to look. */
static bool send_slice(LiveSource *s, GError **error)
{
    int64_t begin_us = g_get_monotonic_time();
    bool more = true;

    if (!start_slice(s, SLICE_PART, error))
        return false;
    while (more) {
        if (!send_run(s, error))
            return false;
        keep_pace(s, tell(s));
        if (!goes_on(s, error))
            return false;
        more = s->left && g_get_monotonic_time() - begin_us < SLICE_US;
    }
    return SINK(s->stream.sink, slice_end, error);
}

/* Until little is left. */
static bool send_while_it_runs(LiveSource *s, GError **error)
{
    for (;;) {
        if (s->left && !send_slice(s, error))
            return false;
        bool due = g_get_monotonic_time() - s->meter.round_us >= LOOK_US;
        if (s->left && (!due || s->left * RAM_PAGE > affordable(s)))
            continue;
        if (!look(s, error))
            return false;
        if (is_near(s))
            return true;
        if (!goes_on(s, error))
            return false;
    }
}

static bool send_rest(LiveSource *s, GError **error)
{
    if (!s->ops->dirty_sync(s->opaque, s->bits, error) || !start_slice(s, SLICE_END, error))
        return false;
    s->left = count_bits(s);
    s->stream.steady = false; /* nobody writes any more */
    while (s->left)
        if (!send_run(s, error) || !goes_on(s, error))
            return false;
    tell(s);
    return SINK(s->stream.sink, slice_end, error) && s->ops->tail(s->opaque, s->stream.sink, error) &&
           goes_on(s, error);
}

static bool send_all(LiveSource *s, GError **error)
{
    if (!look(s, error) || !send_start(s, error))
        return false;
    s->now.send_us = g_get_monotonic_time();
    live_meter_start(&s->meter, s->now.send_us);
    tell(s);
    if (!send_while_it_runs(s, error))
        return false;
    s->now.sent_running = chan_out_tell(s->stream.out);
    s->now.stop_us = g_get_monotonic_time();
    if (!s->ops->stop(s->opaque, error) || !send_rest(s, error))
        return false;
    chan_out_flush(s->stream.out);
    s->now.end_us = g_get_monotonic_time();
    tell(s);
    return chan_out_finish(s->stream.out, error);
}

bool live_source_run(LiveSource *s, const LiveStream *stream, GError **error)
{
    s->stream = *stream;
    if (stream->steady)
        s->aside = g_malloc((size_t)RAM_RUN_FULL * RAM_PAGE);
    if (!s->ops->dirty_start(s->opaque, error))
        return false;
    bool ok = send_all(s, error);
    s->ops->dirty_stop(s->opaque);
    if (s->meter.throttle && s->ops->throttle)
        s->ops->throttle(s->opaque, 0);
    return ok;
}

/* --- life --------------------------------------------------------------------------------------------------------- */

LiveSource *live_source_new(const LiveOps *ops, void *opaque, const RamBlocks *blocks, const LiveMemory *memory)
{
    LiveSource *s = g_new0(LiveSource, 1);
    guint count = blocks->list->len;

    *s = (LiveSource){.ops = ops, .opaque = opaque, .blocks = blocks, .memory = memory};
    g_mutex_init(&s->lock);
    g_cond_init(&s->wake);
    s->now.start_us = g_get_monotonic_time();
    s->now.downtime_ms = -1;
    s->bits = g_new0(uint64_t *, count);
    s->cleared = g_new0(bool *, count);
    for (guint i = 0; i < count; i++) {
        s->bits[i] = g_new0(uint64_t, memory[i].pages / WORD + 1);
        s->cleared[i] = g_new0(bool, chunks_of(&memory[i]));
        for (uint64_t page = 0; page < memory[i].pages; page++)
            s->bits[i][page / WORD] |= UINT64_C(1) << page % WORD;
        s->now.total += memory[i].pages * RAM_PAGE;
        s->left += memory[i].pages;
    }
    tell(s);
    return s;
}

void live_source_free(LiveSource *s)
{
    if (!s)
        return;
    for (guint i = 0; i < s->blocks->list->len; i++) {
        g_free(s->bits[i]);
        g_free(s->cleared[i]);
    }
    g_free(s->bits);
    g_free(s->cleared);
    g_free(s->aside);
    g_mutex_clear(&s->lock);
    g_cond_clear(&s->wake);
    g_free(s);
}
