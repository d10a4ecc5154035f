/* ram-index-out.c: notes where in a stream pages are, and writes that behind it. Source: vmstate/FORMAT.md 2.6. */
#include "visitors/xxh3.h"
#include "vmstate/berstream-save.h"
#include "vmstate/ram-index-impl.h"
#include "vmstate/ram-index.h"

struct RamIndexer {
    StreamSink sink;
    RamIndexFormat format;
    StreamSink *inner;
    const ChanOut *out;
    uint64_t from, ordinal; /* of the first run */
    uint32_t runs;
    ByteOut list; /* the runs as they will be written */
    XXH3_state_t *pages;
};

/* Of the pages with content; `number` is the seed, so that runs that are exchanged are noticed. */
static uint64_t check_of(const RamIndexer *x, const RamRun *run)
{
    XXH3_64bits_reset_withSeed(x->pages, x->runs);
    for (uint32_t i = 0; i < run->count; i++)
        if (run->pages[i])
            XXH3_64bits_update(x->pages, run->pages[i], RAM_PAGE);
    return XXH3_64bits_digest(x->pages);
}

static bool note_run(StreamSink *sink, const RamRun *run, GError **error)
{
    RamIndexer *x = (RamIndexer *)sink;
    uint64_t at = chan_out_tell(x->out), check, ordinal;

    if (!SINK(x->inner, ram_run, run, error))
        return false;
    if (x->format == RAM_INDEX_BER)
        check = berstream_save_last(x->inner, &ordinal);
    else
        check = check_of(x, run);
    if (x->runs == 0) {
        x->from = at;
        x->ordinal = x->format == RAM_INDEX_BER ? ordinal : 0;
    }
    x->runs++;
    byte_out_be32(&x->list, run->block);
    byte_out_be64(&x->list, run->first);
    byte_out_be16(&x->list, (uint16_t)run->count);
    byte_out_be16(&x->list, (uint16_t)run->full);
    byte_out_be32(&x->list, (uint32_t)(chan_out_tell(x->out) - at));
    byte_out_be64(&x->list, check);
    return true;
}

RamIndexer *ram_indexer_new(RamIndexFormat format, StreamSink *sink, const ChanOut *out)
{
    static const StreamSinkOps ops = {.ram_run = note_run};
    RamIndexer *x = g_new0(RamIndexer, 1);

    *x = (RamIndexer){.sink = {&ops}, .format = format, .inner = sink, .out = out, .pages = XXH3_createState()};
    return x;
}

void ram_indexer_free(RamIndexer *x)
{
    if (!x)
        return;
    byte_out_done(&x->list);
    XXH3_freeState(x->pages);
    g_free(x);
}

StreamSink *ram_indexer_sink(RamIndexer *x)
{
    return &x->sink;
}

void ram_indexer_put(const RamIndexer *x, const RamBlocks *blocks, ChanOut *out)
{
    XXH128_canonical_t digest;
    ByteOut b = {0};

    byte_out_be64(&b, RAM_INDEX_MAGIC);
    byte_out_be32(&b, RAM_INDEX_VERSION);
    byte_out_be32(&b, x->format);
    byte_out_be64(&b, x->from);
    byte_out_be64(&b, x->ordinal);
    byte_out_be32(&b, blocks->list->len);
    byte_out_be32(&b, x->runs);
    for (guint i = 0; i < blocks->list->len; i++) {
        byte_out_str8(&b, ram_block(blocks, i)->name);
        byte_out_be64(&b, ram_block(blocks, i)->length);
    }
    byte_out_put(&b, x->list.data, x->list.len);
    XXH128_canonicalFromHash(&digest, XXH3_128bits(b.data, b.len));
    byte_out_put(&b, digest.digest, sizeof digest.digest);
    byte_out_be64(&b, b.len + 16);
    byte_out_be64(&b, RAM_INDEX_MAGIC);
    if (b.len <= RAM_INDEX_MAX)
        chan_out_put(out, b.data, b.len);
    byte_out_done(&b);
}
