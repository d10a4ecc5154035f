/* ram-index.c: reads the index of a stream's pages, and by it some of them. Source: vmstate/FORMAT.md section 2.6. */
#include "vmstate/ram-index.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "visitors/xxh3.h"
#include "vmstate/berstream-load.h"
#include "vmstate/ram-index-impl.h"
#include "vmstate/ram-load.h"

enum { END_OF_RECORDS = 0x010 };

/* --- where it is -------------------------------------------------------------------------------------------------- */

/* Octets of the index at the end of the channel, 0: there is none, -1: the channel fails. */
static int64_t index_length(Chan *chan, GError **error)
{
    uint8_t tail[16];
    int64_t size = chan_size(chan);

    if (size < RAM_INDEX_HEAD + RAM_INDEX_TAIL)
        return 0;
    if (!chan_seek(chan, (uint64_t)size - sizeof tail, error) ||
        chan_read_full(chan, tail, sizeof tail, error) != (gssize)sizeof tail)
        return -1;
    uint64_t len = load_be64(tail);
    bool there = load_be64(tail + 8) == RAM_INDEX_MAGIC && len >= RAM_INDEX_HEAD + RAM_INDEX_TAIL &&
                 len <= RAM_INDEX_MAX && len <= (uint64_t)size;
    return there ? (int64_t)len : 0;
}

int64_t ram_index_stream_length(Chan *chan, GError **error)
{
    int64_t len = index_length(chan, error);

    return len < 0 ? -1 : chan_size(chan) - len;
}

/* --- a channel that ends before it -------------------------------------------------------------------------------- */

typedef struct Part {
    Chan chan;
    Chan *inner;
    uint64_t pos, end;
} Part;

static gssize read_part(Chan *chan, void *data, size_t len, GError **error)
{
    Part *p = (Part *)chan;
    gssize got = p->pos < p->end ? p->inner->ops->read(p->inner, data, MIN(len, p->end - p->pos), error) : 0;

    p->pos += (uint64_t)MAX(got, 0);
    return got;
}

static bool seek_part(Chan *chan, uint64_t pos, GError **error)
{
    Part *p = (Part *)chan;

    p->pos = pos;
    return chan_seek(p->inner, pos, error);
}

static int64_t size_of_part(Chan *chan)
{
    return (int64_t)((Part *)chan)->end;
}

static void free_part(Chan *chan)
{
    chan_free(((Part *)chan)->inner);
    g_free(chan);
}

Chan *ram_index_stream_chan(Chan *chan, GError **error)
{
    static const ChanOps ops = {.read = read_part, .seek = seek_part, .size = size_of_part, .free = free_part};
    int64_t end = ram_index_stream_length(chan, error);

    if (end < 0 || !chan_seek(chan, 0, error)) {
        chan_free(chan);
        return NULL;
    }
    Part *p = g_new0(Part, 1);
    *p = (Part){.chan = {&ops}, .inner = chan, .end = (uint64_t)end};
    return &p->chan;
}

/* --- what it says ------------------------------------------------------------------------------------------------- */

static bool unsound(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool unsound(GError **error, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "the index of its pages: %s", text);
    return false;
}

static bool take_blocks(RamIndex *x, ChanIn *in, uint32_t count, GError **error)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t len = chan_in_u8(in);
        const uint8_t *text = chan_in_take(in, len);
        g_autofree char *name = text ? g_strndup((const char *)text, len) : NULL;
        RamBlock block = {.name = name, .length = chan_in_be64(in), .address = -1};
        if (chan_in_failed(in))
            return unsound(error, "it ends in the list of blocks");
        if (len == 0 || !bytes_are_printable((const uint8_t *)name, len) || block.length == 0)
            return unsound(error, "block %u has no name, or no octets", i);
        if (!ram_blocks_add(&x->blocks, &block, error))
            return false;
    }
    return true;
}

static bool take_run(const RamIndex *x, ChanIn *in, RamIndexRun *run, GError **error)
{
    run->block = chan_in_be32(in);
    run->first = chan_in_be64(in);
    run->count = chan_in_be16(in);
    run->full = chan_in_be16(in);
    run->len = chan_in_be32(in);
    run->check = chan_in_be64(in);
    if (run->block >= x->blocks.list->len || run->count == 0 || run->count > RAM_RUN_PAGES || run->full > run->count ||
        run->full > RAM_RUN_FULL || run->len == 0 || run->len > RAM_INDEX_RUN_MAX)
        return unsound(error, "run %u has %u pages, %u of them with content, in %u octets, of block %u", run->number,
                       run->count, run->full, run->len, run->block);
    return true;
}

static int by_page(const void *a, const void *b)
{
    const RamIndexRun *x = a, *y = b;

    if (x->block != y->block)
        return x->block < y->block ? -1 : 1;
    return (x->first > y->first) - (x->first < y->first);
}

/* Each page of each block must be there, and once: in order there are no gaps. */
static bool check_pages(const RamIndex *x, GError **error)
{
    uint32_t block = 0;
    uint64_t page = 0;

    for (uint32_t i = 0; i < x->run_count; i++) {
        const RamIndexRun *run = &x->runs[i];
        if (run->block != block) {
            if (page * RAM_PAGE < ram_block(&x->blocks, block)->length || run->block != block + 1)
                break;
            block = run->block;
            page = 0;
        }
        if (run->first != page || (run->first + run->count - 1) * RAM_PAGE >= ram_block(&x->blocks, block)->length)
            return unsound(error, "block \"%s\": page 0x%" PRIx64 " comes next, but there is 0x%" PRIx64 " and %u more",
                           ram_block(&x->blocks, block)->name, page, run->first, run->count);
        page += run->count;
    }
    if (block + 1 != x->blocks.list->len || page * RAM_PAGE < ram_block(&x->blocks, block)->length)
        return unsound(error, "pages are not in it, from block \"%s\", page 0x%" PRIx64 " on",
                       ram_block(&x->blocks, block)->name, page);
    return true;
}

static bool take_runs(RamIndex *x, ChanIn *in, uint64_t stream_length, GError **error)
{
    uint64_t *checks = g_new(uint64_t, x->run_count);

    x->gap.checks = checks;
    x->gap.records = x->run_count;
    x->gap.to = x->gap.from;
    for (uint32_t i = 0; i < x->run_count; i++) {
        RamIndexRun *run = &x->runs[i];
        run->number = i;
        run->offset = x->gap.to;
        if (!take_run(x, in, run, error))
            return false;
        checks[i] = run->check;
        x->gap.to += run->len;
        x->content += run->full ? run->len : 0;
    }
    if (x->gap.from > stream_length || x->gap.to > stream_length)
        return unsound(error, "its pages end at 0x%" PRIx64 ", the stream at 0x%" PRIx64, x->gap.to, stream_length);
    qsort(x->runs, x->run_count, sizeof *x->runs, by_page);
    return check_pages(x, error);
}

/* `in`: the index without its tail. */
static bool take_all(RamIndex *x, ChanIn *in, size_t len, GError **error)
{
    uint64_t magic = chan_in_be64(in);
    uint32_t version = chan_in_be32(in), format = chan_in_be32(in);

    x->gap.from = chan_in_be64(in);
    x->ordinal = chan_in_be64(in);
    uint32_t blocks = chan_in_be32(in);
    x->run_count = chan_in_be32(in);
    if (magic != RAM_INDEX_MAGIC || version != RAM_INDEX_VERSION || format > RAM_INDEX_BER)
        return unsound(error, "it has version %u and is of format %u, which this program does not know", version,
                       format);
    if (blocks == 0 || blocks > RAM_BLOCKS_MAX || x->run_count == 0)
        return unsound(error, "it has %u blocks and %u runs", blocks, x->run_count);
    x->format = (RamIndexFormat)format;
    if (!take_blocks(x, in, blocks, error))
        return false;
    if (len - chan_in_tell(in) != (uint64_t)x->run_count * RAM_INDEX_RUN)
        return unsound(error, "%u runs do not take %" PRIu64 " octets", x->run_count, len - chan_in_tell(in));
    x->runs = g_new(RamIndexRun, x->run_count);
    return take_runs(x, in, x->stream_length, error);
}

RamIndex *ram_index_read(Chan *chan, GError **error)
{
    int64_t len = index_length(chan, error);
    uint64_t start = (uint64_t)(chan_size(chan) - len);

    if (len == 0)
        unsound(error, "there is none");
    if (len <= 0)
        return NULL;
    g_autofree uint8_t *data = g_malloc((size_t)len);
    if (!chan_seek(chan, start, error))
        return NULL;
    gssize got = chan_read_full(chan, data, (size_t)len, error);
    if (got != len) {
        if (got >= 0)
            unsound(error, "it is cut");
        return NULL;
    }
    size_t body = (size_t)len - RAM_INDEX_TAIL;
    XXH128_canonical_t digest;
    XXH128_canonicalFromHash(&digest, XXH3_128bits(data, body));
    if (memcmp(digest.digest, data + body, sizeof digest.digest) != 0) {
        unsound(error, "it has changed since it was written (its digest is another one)");
        return NULL;
    }
    g_autoptr(RamIndex) x = g_new0(RamIndex, 1);
    g_autoptr(ChanIn) in = chan_in_new_memory(data, body, 0);
    ram_blocks_init(&x->blocks);
    x->stream_length = start;
    return take_all(x, in, body, error) ? g_steal_pointer(&x) : NULL;
}

void ram_index_free(RamIndex *x)
{
    if (!x)
        return;
    ram_blocks_done(&x->blocks);
    g_free(x->runs);
    g_free((uint64_t *)x->gap.checks);
    g_free(x);
}

const RamIndexRun *ram_index_find(const RamIndex *x, uint32_t block, uint64_t page)
{
    uint32_t low = 0, high = x->run_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        const RamIndexRun *run = &x->runs[middle];
        if (run->block < block || (run->block == block && run->first <= page))
            low = middle;
        else
            high = middle;
    }
    const RamIndexRun *run = &x->runs[low];
    return run->block == block && page >= run->first && page - run->first < run->count ? run : NULL;
}

/* --- some of the pages -------------------------------------------------------------------------------------------- */

/* Passes on what is of the run. */
typedef struct Filter {
    StreamSink sink;
    StreamSink *inner;
    const RamIndexRun *run;
    XXH3_state_t *pages;
    uint64_t next; /* page */
    uint32_t full;
} Filter;

static bool judge_run(StreamSink *sink, const RamRun *run, GError **error)
{
    Filter *f = (Filter *)sink;

    if (run->block != f->run->block || run->first != f->next || run->first + run->count > f->run->first + f->run->count)
        return unsound(error, "at 0x%" PRIx64 " are pages 0x%" PRIx64 " and %u more of block %u, not those of run %u",
                       f->run->offset, run->first, run->count, run->block, f->run->number);
    f->next += run->count;
    f->full += run->full;
    for (uint32_t i = 0; f->pages && i < run->count; i++)
        if (run->pages[i])
            XXH3_64bits_update(f->pages, run->pages[i], RAM_PAGE);
    return !f->inner || SINK(f->inner, ram_run, run, error);
}

static bool judge_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    return unsound(error, "a page in an odd encoding is in run %u (page 0x%" PRIx64 ")", ((Filter *)sink)->run->number,
                   piece->page);
}

static bool check_filter(const Filter *f, GError **error)
{
    const RamIndexRun *run = f->run;

    if (f->next == run->first + run->count && f->full == run->full)
        return true;
    return unsound(error, "run %u at 0x%" PRIx64 " has %" PRIu64 " pages, %u with content, not %u and %u", run->number,
                   run->offset, f->next - run->first, f->full, run->count, run->full);
}

/* Records of QEMUFile, to which the record that ends them is put. */
static bool read_records(const RamIndex *x, const RamIndexRun *run, const uint8_t *data, Filter *filter, GError **error)
{
    g_autoptr(ChanIn) in = chan_in_new_memory(data, run->len + 8, run->offset);
    RamLoad *ram = g_new(RamLoad, 1);
    bool ok = true;

    ram_load_init(ram, in, &filter->sink, false);
    for (guint i = 0; ok && i < x->blocks.list->len; i++)
        ok = ram_blocks_add(&ram->blocks, ram_block(&x->blocks, i), error);
    ram->last = (int)run->block;
    ok = ok && ram_load_body(ram, error);
    ram_load_done(ram);
    g_free(ram);
    return ok;
}

/* First all of it is judged, then it is told. */
static bool tell_records(const RamIndex *x, const RamIndexRun *run, const uint8_t *data, StreamSink *sink,
                         GError **error)
{
    static const StreamSinkOps ops = {.ram_run = judge_run, .ram_piece = judge_piece};
    Filter f = {.sink = {&ops}, .run = run, .next = run->first, .pages = XXH3_createState()};

    XXH3_64bits_reset_withSeed(f.pages, run->number);
    bool ok = read_records(x, run, data, &f, error) && check_filter(&f, error);
    if (ok && XXH3_64bits_digest(f.pages) != run->check)
        ok = unsound(error,
                     "the pages of run %u at 0x%" PRIx64 " have changed since they were written (their check is "
                     "another one)",
                     run->number, run->offset);
    XXH3_freeState(g_steal_pointer(&f.pages));
    f.next = run->first;
    f.full = 0;
    f.inner = sink;
    return ok && read_records(x, run, data, &f, error);
}

static bool tell_record(const RamIndex *x, const RamIndexRun *run, const uint8_t *data, StreamSink *sink,
                        GError **error)
{
    static const StreamSinkOps ops = {.ram_run = judge_run, .ram_piece = judge_piece};
    Filter f = {.sink = {&ops}, .inner = sink, .run = run, .next = run->first};
    g_autoptr(ChanIn) in = chan_in_new_memory(data, run->len, run->offset);

    if (run->len < 8 || load_be64(data + run->len - 8) != run->check)
        return unsound(error, "the record at 0x%" PRIx64 " is not that of run %u (its check is another one)",
                       run->offset, run->number);
    /* one record, whose check is looked at before it is told: so it needs not be read twice */
    return berstream_load_run(in, x->ordinal + run->number, &x->blocks, &f.sink, error) && check_filter(&f, error);
}

bool ram_index_fetch(const RamIndex *x, const RamIndexRun *run, Chan *chan, StreamSink *sink, GError **error)
{
    g_autofree uint8_t *data = g_malloc(run->len + 8);

    if (!chan_seek(chan, run->offset, error))
        return false;
    gssize got = chan_read_full(chan, data, run->len, error);
    if (got < 0)
        return false;
    if (got != (gssize)run->len)
        return unsound(error, "the stream ends in run %u", run->number);
    store_be64(data + run->len, END_OF_RECORDS);
    return x->format == RAM_INDEX_BER ? tell_record(x, run, data, sink, error)
                                      : tell_records(x, run, data, sink, error);
}
