/*
 * make-stream.c: makes a stream of a guest with much RAM out of a recorded one.
 *
 * make-stream RECORDING MIB OUT: the recording with pc.ram made MIB MiB long, and all of its pages sent once more: a
 * quarter zero, a quarter noise, the rest words, as a guest's memory is. The same octets every time.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/recordings.h"
#include "visitors/chan.h"
#include "vmstate/stream-save.h"

enum { PAGES = 64 };

typedef struct Grow {
    StreamSink sink;
    StreamSink *to;
    uint64_t length;
    int block; /* number of pc.ram, -1: not yet seen */
    bool grown;
    unsigned slices;
} Grow;

static Grow *grow_of(StreamSink *sink)
{
    return (Grow *)sink;
}

static bool grow_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    Grow *g = grow_of(sink);

    g->block = ram_blocks_find(blocks, "pc.ram", 6);
    if (g->block < 0)
        g_error("the recording has no block pc.ram");
    g_array_index(blocks->list, RamBlock, g->block).length = g->length;
    return SINK(g->to, ram_blocks, blocks, first, error);
}

static uint64_t next_random(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    return *x ^= *x << 17;
}

static void fill_page(uint8_t page[RAM_PAGE], uint64_t number, uint64_t *seed)
{
    static const char *const words[] = {"struct page ", "0x00000000 ", "inode ", "kworker/0:1 ", "\0\0\0\0\0\0\0\0"};

    if (number % 4 == 1) {
        for (size_t i = 0; i < RAM_PAGE; i += 8)
            store_be64(page + i, next_random(seed));
        return;
    }
    for (size_t i = 0; i < RAM_PAGE;) {
        const char *word = words[next_random(seed) % G_N_ELEMENTS(words)];
        size_t len = *word ? strlen(word) : 8;
        memcpy(page + i, word, MIN(len, RAM_PAGE - i));
        i += len;
    }
}

static bool send_all(Grow *g, GError **error)
{
    static uint8_t pages[PAGES][RAM_PAGE];
    const uint8_t *list[PAGES];
    uint64_t seed = 88172645463325252u;

    for (uint64_t first = 0; first < g->length / RAM_PAGE; first += PAGES) {
        RamRun run = {.block = (uint32_t)g->block, .first = first, .count = PAGES, .pages = list};
        for (size_t i = 0; i < PAGES; i++) {
            bool zero = (first + i) % 4 == 0;
            list[i] = zero ? NULL : pages[i];
            if (!zero)
                fill_page(pages[i], first + i, &seed);
            run.full += !zero;
        }
        if (!SINK(g->to, ram_run, &run, error))
            return false;
    }
    return true;
}

static bool grow_slice_start(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    Grow *g = grow_of(sink);

    g->slices += strcmp(slice->name, "ram") == 0;
    return SINK(g->to, slice_start, slice, error);
}

static bool grow_slice_end(StreamSink *sink, GError **error)
{
    Grow *g = grow_of(sink);

    if (g->slices == 2 && !g->grown) {
        g->grown = true;
        if (!send_all(g, error))
            return false;
    }
    return SINK(g->to, slice_end, error);
}

/* The other entries go straight to the writer, which is not this struct. */
#define PASS_ON(entry, ...) return SINK(grow_of(sink)->to, entry, __VA_ARGS__)
static bool pass_header(StreamSink *sink, const StreamHeader *header, GError **error)
{
    PASS_ON(header, header, error);
}
static bool pass_schema(StreamSink *sink, Schema *schema, size_t first, GError **error)
{
    PASS_ON(schema, schema, first, error);
}
static bool pass_run(StreamSink *sink, const RamRun *run, GError **error)
{
    PASS_ON(ram_run, run, error);
}
static bool pass_section(StreamSink *sink, const StreamSection *section, GError **error)
{
    PASS_ON(section, section, error);
}
static bool pass_eof(StreamSink *sink, const StreamTrailer *trailer, GError **error)
{
    PASS_ON(eof, trailer, error);
}
static bool pass_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    PASS_ON(end, end, error);
}

static const StreamSinkOps ops = {
    .header = pass_header,
    .schema = pass_schema,
    .slice_start = grow_slice_start,
    .ram_blocks = grow_blocks,
    .ram_run = pass_run,
    .slice_end = grow_slice_end,
    .section = pass_section,
    .eof = pass_eof,
    .end = pass_end,
};

int main(int argc, char **argv)
{
    GError *error = NULL;
    ByteOut recording = {0};

    if (argc != 4)
        g_error("usage: make-stream RECORDING MIB OUT");
    int fd = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        g_error("%s cannot be written", argv[3]);
    g_autoptr(ChanOut) out = chan_out_new(chan_fd_new(fd));
    Grow g = {.sink.ops = &ops, .to = stream_save_new(out, NULL), .length = strtoull(argv[2], NULL, 10) << 20};
    recording_read(argv[1], &recording);
    if (!load_stream(&recording, STREAM_MACHINE, &g.sink, &error) || !chan_out_finish(out, &error))
        g_error("%s", error->message);
    stream_save_free(g.to);
    byte_out_done(&recording);
    return EXIT_SUCCESS;
}
