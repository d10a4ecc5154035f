/* bench.c: qcow2-tool bench. */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tools/qcow2-tool/tool.h"
#include "visitors/error.h"

static struct {
    char *count, *depth, *size, *step, *offset, *pattern, *flush;
    gboolean write, no_drain;
} opt;

static const GOptionEntry entries[] = {
    TOOL_IMAGE_FORMAT,
    {"count", 'c', 0, G_OPTION_ARG_STRING, &opt.count, "How many requests; by default 75000", "N"},
    {"depth", 'd', 0, G_OPTION_ARG_STRING, &opt.depth, "How many at the same time; by default 64", "N"},
    {"buffer-size", 's', 0, G_OPTION_ARG_STRING, &opt.size, "Octets of each; by default 4k", "SIZE"},
    {"step-size", 'S', 0, G_OPTION_ARG_STRING, &opt.step, "From one to the next; by default as large as they are",
     "SIZE"},
    {"offset", 'o', 0, G_OPTION_ARG_STRING, &opt.offset, "Where the first is", "SIZE"},
    {"write", 'w', 0, G_OPTION_ARG_NONE, &opt.write, "Write; by default they read", NULL},
    {"pattern", 0, 0, G_OPTION_ARG_STRING, &opt.pattern, "The octet that is written; by default 0", "N"},
    {"flush-interval", 0, 0, G_OPTION_ARG_STRING, &opt.flush, "Flush after so many requests", "N"},
    {"no-drain", 0, 0, G_OPTION_ARG_NONE, &opt.no_drain, "Flush while others are under way", NULL},
    {"cache", 't', 0, G_OPTION_ARG_STRING, &tool.cache, "writeback (default), writethrough, none, directsync or unsafe",
     "MODE"},
    {"aio", 'i', 0, G_OPTION_ARG_STRING, &tool.engine, "io_uring or threads; by default what there is", "ENGINE"},
    TOOL_FORMAT,
    TOOL_SHARE,
    TOOL_PROBE,
    TOOL_QUIET,
    TOOL_END,
};

static const char summary[] = "Measures how fast requests to the disk in IMAGE are.";
static const char more[] = "Exit status: 0 done, 2 wrong usage, 3 a request has failed.\nSee qcow2-tool(1).\n";

typedef struct Bench Bench;

typedef struct Slot {
    ImageRequest request; /* first */
    Bench *bench;
    struct iovec iov;
    gint64 started;
} Slot;

struct Bench {
    Image *image;
    uint64_t count, size, step, offset;
    unsigned depth;
    uint64_t flush_interval;
    bool drain, through;     /* through: a write ends when it is on stable storage, its metadata, too */
    uint64_t started, ended; /* requests */
    bool flushing;           /* and nothing else is started until it has ended */
    uint64_t last_flush;
    ImageRequest flush;
    GQueue idle; /* of Slot */
    int error;
    uint32_t *times; /* us, of each that has ended; NULL: nobody wants to know, and the clock costs */
};

static void flush_ended(ImageRequest *request, int error)
{
    Bench *b = (Bench *)((char *)request - offsetof(Bench, flush));

    b->flushing = false;
    b->error = b->error ? b->error : error;
}

static void slot_ended(ImageRequest *request, int error)
{
    Slot *s = (Slot *)request;
    Bench *b = s->bench;

    b->error = b->error ? b->error : error;
    if (b->times)
        b->times[b->ended] = (uint32_t)MIN(g_get_monotonic_time() - s->started, (gint64)UINT32_MAX);
    b->ended++;
    g_queue_push_tail(&b->idle, s);
}

static void start(Bench *b, Slot *s)
{
    b->offset %= b->image->length;
    if (b->size > b->image->length - b->offset)
        b->offset = 0;
    s->request.op = opt.write ? IMAGE_WRITE : IMAGE_READ;
    s->request.flags = b->through && opt.write ? IMAGE_FUA : 0;
    s->request.offset = b->offset;
    s->request.len = b->size;
    s->request.iov = &s->iov;
    s->request.iov_count = 1;
    s->request.done = slot_ended;
    if (b->times)
        s->started = g_get_monotonic_time();
    b->offset += b->step;
    b->started++;
    image_submit(b->image, &s->request);
}

static bool flush_is_due(const Bench *b)
{
    return b->flush_interval && b->started - b->last_flush >= b->flush_interval;
}

static void run(Bench *b)
{
    while (!b->error && (b->ended < b->count || b->flushing)) {
        while (!(b->flushing && b->drain) && b->started < b->count && !g_queue_is_empty(&b->idle) && !flush_is_due(b))
            start(b, g_queue_pop_head(&b->idle));
        if (!b->flushing && flush_is_due(b) && (!b->drain || b->started == b->ended)) {
            b->last_flush = b->started;
            b->flush = (ImageRequest){.op = IMAGE_FLUSH, .done = flush_ended};
            b->flushing = true;
            image_submit(b->image, &b->flush);
        }
        image_poll(b->image, true);
    }
    image_drain(b->image);
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void report(ChanOut *out, const Bench *b, double seconds, JsonWrite *json)
{
    static const unsigned percentiles[] = {50, 90, 99};

    if (!json) {
        tool_print(out, "Run completed in %.3f seconds.\n", seconds);
        return;
    }
    qsort(b->times, b->count, sizeof *b->times, by_value);
    json_write_object_start(json, NULL);
    json_write_uint(json, "requests", b->count);
    json_write_uint(json, "octets", b->count * b->size);
    g_autofree char *text = g_strdup_printf("%.6f", seconds);
    json_write_number(json, "seconds", text);
    json_write_uint(json, "requests-per-second", (uint64_t)((double)b->count / seconds));
    json_write_uint(json, "octets-per-second", (uint64_t)((double)(b->count * b->size) / seconds));
    json_write_object_start(json, "latency-us");
    for (size_t i = 0; i < G_N_ELEMENTS(percentiles); i++) {
        g_autofree char *name = g_strdup_printf("p%u", percentiles[i]);
        json_write_uint(json, name, b->times[(b->count - 1) * percentiles[i] / 100]);
    }
    json_write_uint(json, "max", b->times[b->count - 1]);
    json_write_object_end(json);
    json_write_object_end(json);
}

/* The buffers are aligned for images without the host's cache. */
static bool bench(Bench *b, ChanOut *out, JsonWrite *json, GError **error)
{
    enum { ALIGNMENT = 4096 };
    size_t room = (b->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    uint8_t *memory = aligned_alloc(ALIGNMENT, room * b->depth);
    g_autofree Slot *slots = g_new0(Slot, b->depth);
    unsigned pattern = opt.pattern ? (unsigned)tool_count(opt.pattern, 0, 255, "--pattern") : 0;

    memset(memory, (int)pattern, room * b->depth);
    for (unsigned i = 0; i < b->depth; i++) {
        slots[i].bench = b;
        slots[i].iov = (struct iovec){memory + room * i, b->size};
        g_queue_push_tail(&b->idle, &slots[i]);
    }
    if (!json && !tool.quiet)
        tool_print(out,
                   "Sending %" PRIu64 " %s requests, %" PRIu64
                   " bytes each, %u in parallel (starting at offset %" PRIu64 ", step size %" PRIu64 ")\n",
                   b->count, opt.write ? "write" : "read", b->size, b->depth, b->offset, b->step);
    if (!json && !tool.quiet && b->flush_interval)
        tool_print(out, "Sending flush every %" PRIu64 " %srequests\n", b->flush_interval,
                   b->drain ? "" : "in-flight ");
    chan_out_flush(out);
    gint64 before = g_get_monotonic_time();
    run(b);
    double seconds = (double)(g_get_monotonic_time() - before) / G_USEC_PER_SEC;
    g_queue_clear(&b->idle);
    free(memory);
    if (b->error)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: a request has failed: %s", b->image->file->path,
                    g_strerror(b->error));
    else
        report(out, b, seconds > 0 ? seconds : 1e-6, json);
    return !b->error;
}

static void read_options(Bench *b)
{
    b->count = opt.count ? tool_count(opt.count, 1, 1 << 28, "--count") : 75000;
    b->depth = opt.depth ? (unsigned)tool_count(opt.depth, 1, 4096, "--depth") : 64;
    b->size = opt.size ? tool_size(opt.size, "--buffer-size") : 4096;
    if (b->size == 0 || b->size > 64 << 20)
        cli_usage("--buffer-size takes 1 to 64M, not '%s'", opt.size);
    b->step = opt.step ? tool_size(opt.step, "--step-size") : b->size;
    b->offset = opt.offset ? tool_size(opt.offset, "--offset") : 0;
    b->flush_interval = opt.flush ? tool_count(opt.flush, 1, 1 << 28, "--flush-interval") : 0;
    b->drain = !opt.no_drain;
    if (!opt.write && (opt.flush || opt.pattern || opt.no_drain))
        cli_usage("--flush-interval, --no-drain and --pattern go with --write");
    if (opt.no_drain && !opt.flush)
        cli_usage("--no-drain goes with --flush-interval");
}

int bench_main(int argc, char **argv)
{
    char **rest = cli_parse_some(&argc, &argv, entries, "IMAGE", 1, 1, summary, more);
    bool as_json = tool_json();
    Bench b = {0};
    GError *error = NULL;

    read_options(&b);
    ImagePath options = {.read_only = !opt.write,
                         .cache = tool_cache(tool.cache, HOST_CACHE_WRITEBACK),
                         .engine = tool_engine(tool.engine)};
    b.through = options.cache == HOST_CACHE_WRITETHROUGH || options.cache == HOST_CACHE_DIRECTSYNC;
    ChanOut *out = tool_out();
    g_autoptr(JsonWrite) json = json_write_new(out, 2);
    g_autoptr(Image) image = b.image = tool_open(rest[0], &options, &error);
    if (image && b.size > image->length)
        g_set_error(&error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%s: requests are larger than the disk", rest[0]);
    if (!error) {
        b.times = as_json ? g_new(uint32_t, b.count) : NULL;
        bench(&b, out, as_json ? json : NULL, &error);
        g_free(b.times);
    }
    json_write_close_to(json, 0);
    return tool_finish(out, EXIT_FINE, error);
}
