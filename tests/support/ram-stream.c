/* ram-stream.c: a stream with two blocks of memory in it. */
#include "tests/support/ram-stream.h"

#include <string.h>

#include "vmstate/berstream-save.h"
#include "vmstate/stream-save.h"

static void fill(uint8_t *page, uint64_t number)
{
    uint64_t seed = number * 2654435761U + 1;

    if (number % 3 == 1)
        return;
    for (unsigned i = 0; i < RAM_PAGE; i++) {
        seed = seed * 6364136223846793005U + 1442695040888963407U;
        page[i] = number % 2 ? (uint8_t)(seed >> 56) : (uint8_t)(number + i / 64); /* some can be packed */
    }
}

static void tell(const RamStream *s, StreamSink *sink, uint32_t block, uint64_t first, uint64_t end)
{
    const uint8_t *pages[RAM_RUN_PAGES];

    while (first < end) {
        RamRun run = {.block = block, .first = first, .pages = pages};
        while (first + run.count < end && run.full < RAM_RUN_FULL) {
            const uint8_t *page = s->memory[block] + (first + run.count) * RAM_PAGE;
            bool zero = bytes_are_zero(page, RAM_PAGE);
            pages[run.count++] = zero ? NULL : page;
            run.full += !zero;
        }
        g_assert(SINK(sink, ram_run, &run, NULL));
        first += run.count;
    }
}

static void slice(StreamSink *sink, SliceKind kind)
{
    g_assert(SINK(sink, slice_start, &((StreamSlice){.kind = kind, .id = 2, .name = "ram", .version = 4}), NULL));
}

static void write_all(RamStream *s, StreamSink *sink, bool ber, ChanOut *out)
{
    g_autoptr(RamIndexer) indexer = ram_indexer_new(ber ? RAM_INDEX_BER : RAM_INDEX_QEMUFILE, sink, out);
    g_autoptr(Schema) schema = schema_new();
    RamBlocks blocks;

    ram_blocks_init(&blocks);
    blocks.listed = true;
    for (unsigned i = 0; i < 2; i++)
        g_assert(ram_blocks_add(
            &blocks, &(RamBlock){.name = (char *)(i ? "rom" : "ram"), .length = s->size[i], .address = -1}, NULL));
    g_assert(SINK(sink, header, &((StreamHeader){.kind = STREAM_MACHINE, .footers = true}), NULL));
    g_assert(SINK(sink, schema, schema, 0, NULL));
    slice(sink, SLICE_START);
    g_assert(SINK(sink, ram_blocks, &blocks, 0, NULL) && SINK(sink, slice_end, NULL));
    slice(sink, SLICE_END);
    tell(s, ram_indexer_sink(indexer), 0, 600, 700);
    tell(s, ram_indexer_sink(indexer), 1, 0, RAM_STREAM_ROM);
    tell(s, ram_indexer_sink(indexer), 0, 0, 600);
    tell(s, ram_indexer_sink(indexer), 0, 700, RAM_STREAM_PAGES);
    g_assert(SINK(sink, slice_end, NULL) && SINK(sink, eof, &((StreamTrailer){.present = true}), NULL));
    g_assert(SINK(sink, end, &((StreamEnd){.complete = true}), NULL));
    s->end = chan_out_tell(out);
    ram_indexer_put(indexer, &blocks, out);
    ram_blocks_done(&blocks);
}

void ram_stream_init(RamStream *s, bool ber, bool zstd)
{
    const BerstreamOptions options = {.writer = "test", .writer_version = "1", .zstd = zstd};

    *s = (RamStream){.size = {(uint64_t)RAM_STREAM_PAGES * RAM_PAGE, (uint64_t)RAM_STREAM_ROM * RAM_PAGE}};
    for (unsigned i = 0; i < 2; i++) {
        s->memory[i] = g_malloc0(s->size[i]);
        for (uint64_t page = 0; page < s->size[i] / RAM_PAGE; page++)
            if (page < 300 || page >= 400) /* some in a row are of zeros, too */
                fill(s->memory[i] + page * RAM_PAGE, page + i);
    }
    g_autoptr(ChanOut) out = chan_out_new(chan_buf_new(&s->octets));
    StreamSink *sink = ber ? berstream_save_new(out, &options) : stream_save_new(out, NULL);
    write_all(s, sink, ber, out);
    g_assert(chan_out_finish(out, NULL));
    ber ? berstream_save_free(sink) : stream_save_free(sink);
}

void ram_stream_done(RamStream *s)
{
    g_free(s->memory[0]);
    g_free(s->memory[1]);
    byte_out_done(&s->octets);
}
