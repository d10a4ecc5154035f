/* ram-save.c: writes RAM records of the legacy wire. Source: vmstate/FORMAT.md section 1.2. */
#include "vmstate/ram-save.h"

#include <string.h>

enum {
    FLAG_ZERO = 0x002,
    FLAG_MEM_SIZE = 0x004,
    FLAG_PAGE = 0x008,
    FLAG_EOS = 0x010,
    FLAG_CONTINUE = 0x020,
    FLAG_XBZRLE = 0x040,
    FLAG_COMPRESS = 0x100,
};

enum {
    HEAD_MAX = 8 + 1 + 255 + 1, /* of a page's record, fill octet included */
    BATCH = 128,                /* records that are written with one call */
};

void ram_save_init(RamSave *ram, ChanOut *out)
{
    *ram = (RamSave){.out = out, .names = g_ptr_array_new_with_free_func(g_free), .last = -1};
}

void ram_save_done(RamSave *ram)
{
    g_clear_pointer(&ram->names, g_ptr_array_unref);
}

void ram_save_blocks(RamSave *ram, const RamBlocks *blocks, size_t first)
{
    uint8_t head[HEAD_MAX];
    uint64_t total = 0;

    for (size_t i = first; i < blocks->list->len; i++) {
        g_ptr_array_add(ram->names, g_strdup(ram_block(blocks, i)->name));
        total += ram_block(blocks, i)->length;
    }
    if (!blocks->listed)
        return;
    store_be64(head, total | FLAG_MEM_SIZE);
    chan_out_put(ram->out, head, 8);
    for (size_t i = first; i < blocks->list->len; i++) {
        const RamBlock *b = ram_block(blocks, i);
        ByteOut out = {0};
        byte_out_str8(&out, b->name);
        byte_out_be64(&out, b->length);
        if (b->page_size)
            byte_out_be64(&out, b->page_size);
        if (blocks->addressed)
            byte_out_be64(&out, (uint64_t)b->address);
        chan_out_put(ram->out, out.data, out.len);
        byte_out_done(&out);
    }
}

/* The word and the name of a page's record, at `head`; returns how many octets. */
static size_t put_head(RamSave *ram, uint8_t *head, uint32_t block, uint64_t page, unsigned kind, bool named)
{
    size_t n = 8;

    if ((int)block == ram->last && !named) {
        store_be64(head, page << RAM_PAGE_BITS | kind | FLAG_CONTINUE);
        return n;
    }
    const char *name = g_ptr_array_index(ram->names, block);
    size_t len = strlen(name);
    store_be64(head, page << RAM_PAGE_BITS | kind);
    head[n++] = (uint8_t)len;
    memcpy(head + n, name, len);
    ram->last = (int)block;
    return n + len;
}

void ram_save_run(RamSave *ram, const RamRun *run)
{
    uint8_t heads[BATCH][HEAD_MAX];
    struct iovec iov[2 * BATCH];

    for (uint32_t i = 0; i < run->count;) {
        int n = 0;
        for (uint32_t j = 0; j < BATCH && i < run->count; i++, j++) {
            const uint8_t *page = run->pages[i];
            size_t len =
                put_head(ram, heads[j], run->block, run->first + i, page ? FLAG_PAGE : FLAG_ZERO, run->named && i == 0);
            if (!page)
                heads[j][len++] = 0;
            iov[n++] = (struct iovec){.iov_base = heads[j], .iov_len = len};
            if (page)
                iov[n++] = (struct iovec){.iov_base = (void *)page, .iov_len = RAM_PAGE};
        }
        chan_out_putv(ram->out, iov, n);
    }
}

void ram_save_piece(RamSave *ram, const RamPiece *piece)
{
    static const unsigned kinds[] = {[RAM_FILL] = FLAG_ZERO, [RAM_XBZRLE] = FLAG_XBZRLE, [RAM_ZLIB] = FLAG_COMPRESS};
    uint8_t head[HEAD_MAX + 4];
    size_t n = put_head(ram, head, piece->block, piece->page, kinds[piece->coding], piece->named);

    switch (piece->coding) {
    case RAM_FILL:
        head[n++] = piece->fill;
        break;
    case RAM_XBZRLE:
        head[n++] = 1;
        store_be16(head + n, (uint16_t)piece->len);
        n += 2;
        break;
    default:
        store_be32(head + n, (uint32_t)piece->len);
        n += 4;
    }
    chan_out_put(ram->out, head, n);
    chan_out_put(ram->out, piece->data, piece->len);
}

void ram_save_eos(RamSave *ram)
{
    uint8_t word[8];

    store_be64(word, FLAG_EOS);
    chan_out_put(ram->out, word, sizeof word);
}
