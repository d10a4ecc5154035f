/*
 * berstream-save-ram.c: writes the records that hold RAM. Source: visitors/vmstate.asn1, vmstate/FORMAT.md section 2.4.
 *
 * Pages are not copied: they are written, and summed, from where they are.
 */
#include <string.h>

#include "vmstate/berstream-save-impl.h"

enum {
    PIECES_MAX = 128,
    PIECES_OCTETS = 256 << 10,
};

/* --- RAM -------------------------------------------------------------------------------------------------------- */

bool bersave_ram_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    BerstreamSave *s = bersave_of(sink);

    (void)error;
    bersave_flush_pieces(s);
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_RAM_BLOCKS);
    ber_put_bool(b, blocks->listed);
    ber_put_uint(b, RAM_PAGE);
    size_t list = ber_start(b, BER_UNIVERSAL, BER_SEQUENCE);
    for (size_t i = first; i < blocks->list->len; i++) {
        const RamBlock *block = ram_block(blocks, i);
        size_t item = ber_start(b, BER_UNIVERSAL, BER_SEQUENCE);
        ber_put_text(b, block->name);
        ber_put_uint(b, block->length);
        if (block->page_size)
            bersave_put_number(b, 0, block->page_size);
        if (block->address >= 0)
            bersave_put_number(b, 1, (uint64_t)block->address);
        ber_end(b, item);
    }
    ber_end(b, list);
    bersave_end(s);
    return true;
}

static void put_which_pages(ByteOut *b, const RamRun *run)
{
    if (run->full == 0) {
        bersave_put_number(b, 0, run->count);
    } else if (run->full == run->count) {
        bersave_put_number(b, 1, run->count);
    } else {
        size_t octets = (run->count + 7) / 8;
        ber_put_head(b, BER_CONTEXT, 2, 1 + octets);
        byte_out_u8(b, (uint8_t)(octets * 8 - run->count));
        uint8_t *bits = byte_out_room(b, octets);
        memset(bits, 0, octets);
        for (uint32_t i = 0; i < run->count; i++)
            if (!run->pages[i])
                bits[i / 8] |= (uint8_t)(0x80 >> (i % 8));
    }
}

/* Packs the pages of a run to one frame; returns its size, 0 if it would not be smaller. */
static size_t pack(BerstreamSave *s, const RamRun *run)
{
    size_t len = 0;

    for (uint32_t i = 0; i < run->count; i++) {
        if (run->pages[i]) {
            memcpy(s->pages + len, run->pages[i], RAM_PAGE);
            len += RAM_PAGE;
        }
    }
    size_t packed = ZSTD_compress2(s->zstd, s->packed, ZSTD_compressBound(RAM_RUN_FULL * RAM_PAGE), s->pages, len);
    return ZSTD_isError(packed) || packed >= len ? 0 : packed;
}

/*
 * A record around content that is not in the buffer. The lengths of the record and the content are known, and so the
 * octets in front of the content can be made first; the check is summed over all three parts.
 */
static void put_run_record(BerstreamSave *s, const RamRun *run, const ByteOut *members, uint32_t tag,
                           const struct iovec *content, int count, size_t len)
{
    ByteOut tail = {0}, head = {0}, content_head = {0};
    uint8_t check[8];
    struct iovec iov[RAM_RUN_FULL + 2];

    if (len)
        ber_put_opaque_head(&content_head, tag, len);
    bersave_put_true(&tail, 5, run->named);
    ber_put_head(&head, BER_APPLICATION | BER_CONSTRUCTED, BERSTREAM_RAM_PAGES,
                 members->len + content_head.len + len + tail.len + BERSTREAM_CHECK);
    byte_out_put(&head, members->data, members->len);
    byte_out_put(&head, content_head.data, content_head.len);
    XXH3_64bits_reset_withSeed(s->record, s->ordinal++);
    XXH3_64bits_update(s->record, head.data, head.len);
    iov[0] = (struct iovec){.iov_base = head.data, .iov_len = head.len};
    for (int i = 0; i < count; i++) {
        XXH3_64bits_update(s->record, content[i].iov_base, content[i].iov_len);
        iov[1 + i] = content[i];
    }
    if (tail.len)
        XXH3_64bits_update(s->record, tail.data, tail.len);
    s->check = XXH3_64bits_digest(s->record);
    store_be64(check, s->check);
    ber_put_opaque(&tail, BERSTREAM_CHECK_TAG, check, sizeof check);
    iov[1 + count] = (struct iovec){.iov_base = tail.data, .iov_len = tail.len};
    XXH3_128bits_update(s->checks, check, sizeof check);
    chan_out_putv(s->out, iov, count + 2);
    byte_out_done(&tail);
    byte_out_done(&head);
    byte_out_done(&content_head);
}

bool bersave_ram_run(StreamSink *sink, const RamRun *run, GError **error)
{
    BerstreamSave *s = bersave_of(sink);
    struct iovec content[RAM_RUN_FULL];
    int count = 0;
    size_t packed = 0;

    (void)error;
    bersave_flush_pieces(s);
    s->buf.len = 0;
    ber_put_uint(&s->buf, run->block);
    ber_put_uint(&s->buf, run->first);
    put_which_pages(&s->buf, run);
    if (s->options.zstd && run->full)
        packed = pack(s, run);
    if (packed) {
        content[0] = (struct iovec){.iov_base = s->packed, .iov_len = packed};
        put_run_record(s, run, &s->buf, 4, content, 1, packed);
        return true;
    }
    for (uint32_t i = 0; i < run->count; i++) {
        if (!run->pages[i])
            continue;
        /* pages that lie behind one another are one piece */
        struct iovec *last = count ? &content[count - 1] : NULL;
        if (last && (const uint8_t *)last->iov_base + last->iov_len == run->pages[i])
            last->iov_len += RAM_PAGE;
        else
            content[count++] = (struct iovec){.iov_base = (void *)run->pages[i], .iov_len = RAM_PAGE};
    }
    put_run_record(s, run, &s->buf, 3, content, count, (size_t)run->full * RAM_PAGE);
    return true;
}

/* --- odd pages -------------------------------------------------------------------------------------------------- */

bool bersave_flush_pieces(BerstreamSave *s)
{
    if (s->pieces.count == 0)
        return true;
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_RAM_PIECES);
    ber_put_uint(b, s->pieces.block);
    ber_put_head(b, BER_UNIVERSAL | BER_CONSTRUCTED, BER_SEQUENCE, s->pieces.octets.len);
    byte_out_put(b, s->pieces.octets.data, s->pieces.octets.len);
    s->pieces.count = 0;
    s->pieces.octets.len = 0;
    bersave_end(s);
    return true;
}

bool bersave_ram_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    BerstreamSave *s = bersave_of(sink);
    ByteOut *b = &s->pieces.octets;

    (void)error;
    if (s->pieces.count && (s->pieces.block != piece->block || s->pieces.count == PIECES_MAX || b->len > PIECES_OCTETS))
        bersave_flush_pieces(s);
    s->pieces.block = piece->block;
    s->pieces.count++;
    size_t mark = ber_start(b, BER_UNIVERSAL, BER_SEQUENCE);
    ber_put_uint(b, piece->page);
    if (piece->coding == RAM_FILL)
        bersave_put_number(b, 0, piece->fill);
    else
        ber_put_opaque(b, piece->coding == RAM_XBZRLE ? 1 : 2, piece->data, piece->len);
    bersave_put_true(b, 5, piece->named);
    ber_end(b, mark);
    return true;
}
