/*
 * ram-load.c: reads RAM records of the legacy wire.
 *
 * Consecutive pages are gathered to runs. Where a run ends depends on the records alone, not on how the input arrives,
 * so that the same stream always converts to the same octets. The pages stay in the input's buffer, which is pinned
 * meanwhile.
 */
#include "vmstate/ram-load.h"

#include <string.h>
#include <zlib.h>

enum {
    FLAG_ZERO = 0x002,
    FLAG_MEM_SIZE = 0x004,
    FLAG_PAGE = 0x008,
    FLAG_EOS = 0x010,
    FLAG_CONTINUE = 0x020,
    FLAG_XBZRLE = 0x040,
    FLAG_HOOK = 0x080,
    FLAG_COMPRESS = 0x100,
    FLAG_MULTIFD_FLUSH = 0x200,
    FLAG_PAGES = FLAG_ZERO | FLAG_PAGE | FLAG_XBZRLE | FLAG_COMPRESS, /* what CONTINUE may be added to */
};

void ram_load_init(RamLoad *ram, ChanIn *in, StreamSink *sink, bool addressed)
{
    *ram = (RamLoad){.in = in, .sink = sink, .last = -1};
    ram_blocks_init(&ram->blocks);
    ram->blocks.addressed = addressed;
}

void ram_load_done(RamLoad *ram)
{
    ram_blocks_done(&ram->blocks);
}

static bool fail(const RamLoad *ram, GError **error, FerryError code, const char *format, ...) G_GNUC_PRINTF(4, 5);
static bool fail(const RamLoad *ram, GError **error, FerryError code, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *what = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, (int)code, "ram @0x%" G_GINT64_MODIFIER "x: %s", ram->record, what);
    return false;
}

static bool fail_cut(const RamLoad *ram, GError **error)
{
    chan_in_error(ram->in, error, "ram, record @0x%" G_GINT64_MODIFIER "x", ram->record);
    return false;
}

/* --- runs ------------------------------------------------------------------------------------------------------- */

static bool flush_run(RamLoad *ram, GError **error)
{
    const uint8_t *pages[RAM_RUN_PAGES];
    RamRun run = ram->run;

    if (run.count == 0)
        return true;
    for (uint32_t i = 0; i < run.count; i++)
        pages[i] = ram->at[i] ? chan_in_at(ram->in, ram->at[i]) : NULL;
    run.pages = pages;
    ram->run.count = 0;
    return SINK(ram->sink, ram_run, &run, error);
}

/* Appends a page to the run, or starts a new one with it. at: where its content is, 0 for a zero page. */
static bool add_page(RamLoad *ram, uint32_t block, uint64_t page, bool named, uint64_t at, GError **error)
{
    RamRun *run = &ram->run;

    if (run->count && (run->block != block || page != run->first + run->count || named || run->count == RAM_RUN_PAGES ||
                       (at && run->full == RAM_RUN_FULL))) {
        if (!flush_run(ram, error))
            return false;
    }
    if (run->count == 0) {
        *run = (RamRun){.block = block, .first = page, .named = named};
        chan_in_pin_at(ram->in, ram->record);
    }
    ram->at[run->count++] = at;
    run->full += at != 0;
    return true;
}

/* --- records ---------------------------------------------------------------------------------------------------- */

/* A str8 that names a block: its number, -1 if it is new (then *name is a new string), -2 with an error. */
static int take_block_name(RamLoad *ram, char **name, GError **error)
{
    size_t len = chan_in_u8(ram->in);
    const uint8_t *text = chan_in_take(ram->in, len);

    if (chan_in_failed(ram->in)) {
        fail_cut(ram, error);
        return -2;
    }
    if (len == 0 || !bytes_are_printable(text, len)) {
        g_autofree char *shown = bytes_show(text, len);
        fail(ram, error, FERRY_ERROR_DAMAGED, "\"%s\" is no name of a block", shown);
        return -2;
    }
    int block = ram_blocks_find(&ram->blocks, text, len);
    if (block == -1)
        *name = g_strndup((const char *)text, len);
    return block;
}

/* The page size of a block stands in front of the next name, whose first octet is never 0. */
static bool take_page_size(RamLoad *ram, RamBlock *block)
{
    size_t got;
    const uint8_t *p = chan_in_peek(ram->in, 8, &got);

    if (got < 8 || (ram->page_sizes & ~(uint64_t)RAM_PAGE) == 0)
        return true;
    uint64_t size = load_be64(p);
    if (size <= RAM_PAGE || (size & (size - 1)) || !(ram->page_sizes & size))
        return true;
    block->page_size = size;
    return chan_in_take(ram->in, 8);
}

static bool read_block_list(RamLoad *ram, uint64_t total, GError **error)
{
    size_t first = ram->blocks.list->len;
    uint64_t sum = 0;

    ram->blocks.listed = true;
    while (sum < total) {
        g_autofree char *name = NULL;
        int known = take_block_name(ram, &name, error);
        RamBlock block = {.name = name, .address = -1};
        if (known == -2)
            return false;
        if (known >= 0)
            return fail(ram, error, FERRY_ERROR_DAMAGED, "the list has block \"%s\" twice",
                        ram_block(&ram->blocks, (size_t)known)->name);
        block.length = chan_in_be64(ram->in);
        take_page_size(ram, &block);
        if (ram->blocks.addressed)
            block.address = (int64_t)chan_in_be64(ram->in);
        if (chan_in_failed(ram->in))
            return fail_cut(ram, error);
        if (ram->blocks.addressed && block.address < 0)
            return fail(ram, error, FERRY_ERROR_LIMIT,
                        "block \"%s\" has the address 0x%" G_GINT64_MODIFIER "x, it must be below 2^63", name,
                        (uint64_t)block.address);
        if (block.length == 0 || block.length > total - sum)
            return fail(ram, error, FERRY_ERROR_DAMAGED,
                        "block \"%s\" has 0x%" G_GINT64_MODIFIER "x octets, 0x%" G_GINT64_MODIFIER
                        "x are left of the total",
                        name, block.length, total - sum);
        sum += block.length;
        if (!ram_blocks_add(&ram->blocks, &block, error))
            return false;
    }
    return SINK(ram->sink, ram_blocks, &ram->blocks, first, error);
}

/* Which block a page record is about; -1 with an error. *named: the name is repeated without need. */
static int take_block(RamLoad *ram, unsigned flags, bool *named, GError **error)
{
    g_autofree char *name = NULL;
    int block;

    *named = false;
    if (flags & FLAG_CONTINUE) {
        if (ram->last < 0)
            fail(ram, error, FERRY_ERROR_DAMAGED, "the first page continues a block, but none was named");
        return ram->last;
    }
    block = take_block_name(ram, &name, error);
    if (block == -2)
        return -1;
    if (block == -1) {
        if (ram->blocks.listed) {
            fail(ram, error, FERRY_ERROR_DAMAGED, "a page names block \"%s\", which the list does not have", name);
            return -1;
        }
        size_t first = ram->blocks.list->len;
        if (!ram_blocks_add(&ram->blocks, &(RamBlock){.name = name, .address = -1}, error) || !flush_run(ram, error) ||
            !SINK(ram->sink, ram_blocks, &ram->blocks, first, error))
            return -1;
        block = (int)first;
    }
    *named = block == ram->last;
    ram->last = block;
    return block;
}

static bool read_page(RamLoad *ram, unsigned kind, uint32_t block, uint64_t page, bool named, GError **error)
{
    RamPiece piece = {.block = block, .page = page, .named = named};
    uint64_t at;

    switch (kind) {
    case FLAG_PAGE:
        at = chan_in_tell(ram->in);
        if (!chan_in_take(ram->in, RAM_PAGE))
            return fail_cut(ram, error);
        return add_page(ram, block, page, named, at, error);
    case FLAG_ZERO:
        piece.coding = RAM_FILL;
        piece.fill = chan_in_u8(ram->in);
        if (!piece.fill && !chan_in_failed(ram->in))
            return add_page(ram, block, page, named, 0, error);
        break;
    case FLAG_XBZRLE:
        piece.coding = RAM_XBZRLE;
        if (chan_in_u8(ram->in) != 1 && !chan_in_failed(ram->in))
            return fail(ram, error, FERRY_ERROR_DAMAGED, "an XBZRLE page is not in encoding 1");
        piece.len = chan_in_be16(ram->in);
        if (piece.len > RAM_PAGE)
            return fail(ram, error, FERRY_ERROR_DAMAGED, "an XBZRLE page has %zu octets, at most %d make sense",
                        piece.len, RAM_PAGE);
        break;
    default:
        piece.coding = RAM_ZLIB;
        piece.len = chan_in_be32(ram->in);
        if (piece.len > compressBound(RAM_PAGE))
            return fail(ram, error, FERRY_ERROR_DAMAGED, "a compressed page has %zu octets, at most %lu make sense",
                        piece.len, compressBound(RAM_PAGE));
    }
    /* what was gathered goes first, while its pages are still in the buffer */
    if (chan_in_failed(ram->in) || !chan_in_need(ram->in, piece.len))
        return fail_cut(ram, error);
    if (!flush_run(ram, error))
        return false;
    piece.data = chan_in_take(ram->in, piece.len);
    return SINK(ram->sink, ram_piece, &piece, error);
}

/* One record; *end: it was EOS. */
static bool read_record(RamLoad *ram, bool *end, GError **error)
{
    uint64_t word = chan_in_be64(ram->in), offset = word & ~(uint64_t)(RAM_PAGE - 1);
    unsigned flags = word & (RAM_PAGE - 1), kind = flags & FLAG_PAGES ? flags & ~(unsigned)FLAG_CONTINUE : flags;
    bool named;

    if (chan_in_failed(ram->in))
        return fail_cut(ram, error);
    switch (kind) {
    case FLAG_EOS:
        if (offset)
            return fail(ram, error, FERRY_ERROR_DAMAGED, "an EOS record has offset 0x%" G_GINT64_MODIFIER "x, not 0",
                        offset);
        *end = true;
        return flush_run(ram, error);
    case FLAG_MEM_SIZE:
        return flush_run(ram, error) && read_block_list(ram, offset, error);
    case FLAG_ZERO:
    case FLAG_PAGE:
    case FLAG_XBZRLE:
    case FLAG_COMPRESS:
        break;
    case FLAG_HOOK:
        return fail(ram, error, FERRY_ERROR_UNSUPPORTED, "an RDMA hook record outside RDMA");
    case FLAG_MULTIFD_FLUSH:
        return fail(ram, error, FERRY_ERROR_UNSUPPORTED,
                    "flags 0x%x: a multifd flush record, which QEMU writes from version 8.1 on", flags);
    default:
        return fail(ram, error, FERRY_ERROR_DAMAGED, "flags 0x%x are no record of QEMU 7.2", flags);
    }
    int block = take_block(ram, flags, &named, error);
    if (block < 0)
        return false;
    if (!ram_block_has(ram_block(&ram->blocks, (size_t)block), offset / RAM_PAGE)) {
        const RamBlock *b = ram_block(&ram->blocks, (size_t)block);
        return fail(ram, error, FERRY_ERROR_DAMAGED,
                    "a page at 0x%" G_GINT64_MODIFIER "x of block \"%s\", which has %s0x%" G_GINT64_MODIFIER "x octets",
                    offset, b->name, b->length ? "" : "at most ", ram_block_most(b));
    }
    return read_page(ram, kind, (uint32_t)block, offset / RAM_PAGE, named, error);
}

/* What the sink does not want. Behind it, the block that CONTINUE means is not known. */
static void skip_gap(RamLoad *ram)
{
    const StreamGap *gap = ram->sink->ops->ram_gap ? ram->sink->ops->ram_gap(ram->sink) : NULL;

    if (!gap || ram->record != gap->from || gap->to <= gap->from)
        return;
    chan_in_unpin(ram->in);
    chan_in_skip(ram->in, gap->to - gap->from);
    ram->record = chan_in_tell(ram->in);
    ram->last = -1;
}

bool ram_load_body(RamLoad *ram, GError **error)
{
    bool end = false, ok = true;

    while (ok && !end) {
        ram->record = chan_in_tell(ram->in);
        skip_gap(ram);
        if (ram->run.count == 0)
            chan_in_pin(ram->in);
        ok = read_record(ram, &end, error);
    }
    if (ok)
        return true;
    if (error && g_error_matches(*error, FERRY_ERROR, FERRY_ERROR_CUT)) {
        GError *later = NULL;
        if (!flush_run(ram, &later)) {
            g_clear_error(error);
            g_propagate_error(error, later);
        }
    }
    return false;
}
