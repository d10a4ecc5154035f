/* berstream-ram.c: reads the records that hold RAM. Source: visitors/vmstate.asn1, vmstate/FORMAT.md section 2.4. */
#include <string.h>

#include "vmstate/berstream-load-impl.h"

static bool take_block(BerLoad *l, BerCursor *list, GError **error)
{
    g_autofree char *name = NULL;
    RamBlock block = {.address = -1};
    uint64_t address;
    bool sized, addressed;
    BerCursor c;

    if (!ber_cursor_enter(list, BER_UNIVERSAL, BER_SEQUENCE, &c) || !ber_cursor_text(&c, &name) ||
        !ber_cursor_number(&c, G_MAXINT64, &block.length) ||
        !ber_cursor_optional_number(&c, 0, G_MAXINT64, &block.page_size, &sized) ||
        !ber_cursor_optional_number(&c, 1, G_MAXINT64, &address, &addressed) || !ber_cursor_end(&c))
        return false;
    if (strlen(name) == 0 || strlen(name) > VMS_NAME_MAX)
        return ber_cursor_fail(&c, "a RAM block's name has no or more than 255 octets");
    if (l->blocks.listed && block.length == 0)
        return ber_cursor_fail(&c, "RAM block \"%s\" has no octets", name);
    block.name = name;
    if (addressed) {
        block.address = (int64_t)address;
        l->blocks.addressed = true;
    }
    return ram_blocks_add(&l->blocks, &block, error);
}

bool berload_ram_blocks(BerLoad *l, BerRecord *r, GError **error)
{
    size_t first = l->blocks.list->len;
    BerCursor *c = &r->members, list;
    uint64_t page_size;

    if (!ber_cursor_bool(c, &l->blocks.listed) || !ber_cursor_number(c, G_MAXINT64, &page_size))
        return false;
    if (page_size != RAM_PAGE)
        return ber_cursor_fail(c, "pages of %" G_GUINT64_FORMAT " octets, this program reads %d", page_size, RAM_PAGE);
    if (!ber_cursor_enter(c, BER_UNIVERSAL, BER_SEQUENCE, &list))
        return false;
    while (ber_cursor_more(&list))
        if (!take_block(l, &list, error))
            return false;
    return ber_cursor_end(c) && SINK(l->sink, ram_blocks, &l->blocks, first, error);
}

/* The block that pages are of, and a page of it. */
static bool take_place(BerLoad *l, BerCursor *c, uint32_t *block)
{
    uint64_t number;

    if (!ber_cursor_number(c, G_MAXUINT32, &number))
        return false;
    if (number >= l->blocks.list->len)
        return ber_cursor_fail(c, "RAM block number %" G_GUINT64_FORMAT ", there are %u", number, l->blocks.list->len);
    *block = (uint32_t)number;
    return true;
}

static bool check_place(BerLoad *l, const BerCursor *c, uint32_t block, uint64_t page)
{
    const RamBlock *b = ram_block(&l->blocks, block);

    return ram_block_has(b, page) ||
           ber_cursor_fail(
               c, "page 0x%" G_GINT64_MODIFIER "x of RAM block \"%s\", which has %s0x%" G_GINT64_MODIFIER "x octets",
               page, b->name, b->length ? "" : "at most ", ram_block_most(b));
}

/* Which pages of the run are zero; pages[i] becomes NULL for those, and anything else for the others. */
static bool take_which(BerCursor *c, RamRun *run, const uint8_t **pages)
{
    static const uint8_t there;
    uint64_t count;
    BerElement e;

    if (!ber_cursor_next(c, &e))
        return false;
    if (e.form == BER_CONTEXT && e.tag <= 1) {
        if (!ber_cursor_to_number(c, &e, RAM_RUN_PAGES, &count))
            return false;
        for (uint64_t i = 0; i < count; i++)
            pages[i] = e.tag ? &there : NULL;
        run->full = e.tag ? (uint32_t)count : 0;
    } else if (ber_is(&e, BER_CONTEXT, 2) && e.len > 1 && e.content[0] < 8 && e.len <= 1 + RAM_RUN_PAGES / 8) {
        count = (e.len - 1) * 8 - e.content[0];
        for (uint64_t i = 0; i < count; i++) {
            bool zero = e.content[1 + i / 8] & (0x80 >> (i % 8));
            pages[i] = zero ? NULL : &there;
            run->full += !zero;
        }
    } else {
        return ber_cursor_fail(c, "no proper account of which pages are zero");
    }
    run->count = (uint32_t)count;
    if (count == 0 || run->full > RAM_RUN_FULL)
        return ber_cursor_fail(c, "a run of %u pages, %u of them with content; there may be 1 to %d, and %d",
                               run->count, run->full, RAM_RUN_PAGES, RAM_RUN_FULL);
    return true;
}

/* The content of the pages, unpacked; the size is known, so a frame that says otherwise is wrong. */
static bool take_content(BerLoad *l, BerCursor *c, size_t len, const uint8_t **content)
{
    const uint8_t *data;
    BerElement e;
    size_t found;

    if (!ber_cursor_next(c, &e))
        return false;
    if (e.form != BER_CONTEXT || e.tag < 3 || e.tag > 4)
        return ber_cursor_fail(c, "pages in an encoding that is not known");
    if (!ber_cursor_to_opaque(c, &e, &data, &found))
        return false;
    if (e.tag == 3) {
        *content = data;
        return found == len || ber_cursor_fail(c, "pages of %zu octets, there should be %zu", found, len);
    }
    if (!l->pages)
        l->pages = g_malloc(RAM_RUN_FULL * RAM_PAGE);
    size_t got = ZSTD_decompressDCtx(l->zstd, l->pages, len, data, found);
    if (ZSTD_isError(got))
        return ber_cursor_fail(c, "pages in a zstd frame: %s", ZSTD_getErrorName(got));
    *content = l->pages;
    return got == len || ber_cursor_fail(c, "a zstd frame of %zu octets, there should be %zu", got, len);
}

bool berload_ram_pages(BerLoad *l, BerRecord *r, GError **error)
{
    const uint8_t *pages[RAM_RUN_PAGES], *content = NULL;
    RamRun run = {.pages = pages};
    BerCursor *c = &r->members;

    if (!take_place(l, c, &run.block) || !ber_cursor_number(c, G_MAXINT64 / RAM_PAGE, &run.first) ||
        !take_which(c, &run, pages) || !check_place(l, c, run.block, run.first) ||
        !check_place(l, c, run.block, run.first + run.count - 1))
        return false;
    if (run.full && !take_content(l, c, (size_t)run.full * RAM_PAGE, &content))
        return false;
    if (!ber_cursor_optional_true(c, 5, &run.named) || !ber_cursor_end(c))
        return false;
    for (uint32_t i = 0; i < run.count; i++) {
        if (!pages[i])
            continue;
        pages[i] = content;
        content += RAM_PAGE;
    }
    return SINK(l->sink, ram_run, &run, error);
}

static bool take_piece(BerLoad *l, BerCursor *list, RamPiece *piece, GError **error)
{
    uint64_t fill;
    BerElement e;
    BerCursor c;

    if (!ber_cursor_enter(list, BER_UNIVERSAL, BER_SEQUENCE, &c) ||
        !ber_cursor_number(&c, G_MAXINT64 / RAM_PAGE, &piece->page) || !check_place(l, &c, piece->block, piece->page) ||
        !ber_cursor_next(&c, &e))
        return false;
    piece->data = NULL;
    piece->len = 0;
    piece->fill = 0;
    if (ber_is(&e, BER_CONTEXT, 0)) {
        if (!ber_cursor_to_number(&c, &e, G_MAXUINT8, &fill))
            return false;
        piece->coding = RAM_FILL;
        piece->fill = (uint8_t)fill;
    } else if (e.form == BER_CONTEXT && e.tag <= 2) {
        piece->coding = e.tag == 1 ? RAM_XBZRLE : RAM_ZLIB;
        if (!ber_cursor_to_opaque(&c, &e, &piece->data, &piece->len))
            return false;
    } else {
        return ber_cursor_fail(&c, "a page in an encoding that is not known");
    }
    if (piece->len > (piece->coding == RAM_XBZRLE ? RAM_PAGE : RAM_PIECE_MAX))
        return ber_cursor_fail(&c, "an encoded page of %zu octets", piece->len);
    return ber_cursor_optional_true(&c, 5, &piece->named) && ber_cursor_end(&c) &&
           SINK(l->sink, ram_piece, piece, error);
}

bool berload_ram_pieces(BerLoad *l, BerRecord *r, GError **error)
{
    BerCursor *c = &r->members, list;
    RamPiece piece = {.block = 0};

    if (!take_place(l, c, &piece.block) || !ber_cursor_enter(c, BER_UNIVERSAL, BER_SEQUENCE, &list) ||
        !ber_cursor_end(c))
        return false;
    while (ber_cursor_more(&list))
        if (!take_piece(l, &list, &piece, error))
            return false;
    return true;
}
