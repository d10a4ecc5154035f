/* common.c: what the forms of a dump share. */
#include <string.h>

#include "tools/common/model.h"
#include "tools/vmstate-dump/dump.h"
#include "visitors/trace.h"
#include "vmstate/state.h"
#include "vmstate/stream-load.h"
#include "vmstate/walk.h"

bool dump_wants(DumpWish *wish, const char *name, uint32_t instance)
{
    if (wish->section && !stream_section_fits(wish->section, name, instance))
        return false;
    return wish->fitted = true;
}

/* --- RAM -------------------------------------------------------------------------------------------------------- */

static void clear_count(void *count)
{
    g_free(((BlockCount *)count)->name);
}

void ram_count_init(RamCount *c)
{
    *c = (RamCount){.blocks = g_array_new(FALSE, TRUE, sizeof(BlockCount))};
    g_array_set_clear_func(c->blocks, clear_count);
}

void ram_count_done(RamCount *c)
{
    g_clear_pointer(&c->blocks, g_array_unref);
}

void ram_count_blocks(RamCount *c, const RamBlocks *blocks, size_t first)
{
    for (size_t i = first; i < blocks->list->len; i++) {
        BlockCount count = {.name = g_strdup(ram_block(blocks, i)->name), .length = ram_block(blocks, i)->length};
        g_array_append_val(c->blocks, count);
    }
}

BlockCount *ram_count_block(const RamCount *c, size_t i)
{
    return &g_array_index(c->blocks, BlockCount, i);
}

void ram_count_run(RamCount *c, const RamRun *run)
{
    BlockCount *b = ram_count_block(c, run->block);

    b->normal += run->full;
    b->zero += run->count - run->full;
}

void ram_count_piece(RamCount *c, const RamPiece *piece)
{
    BlockCount *b = ram_count_block(c, piece->block);

    switch (piece->coding) {
    case RAM_FILL:
        b->fill++;
        break;
    case RAM_XBZRLE:
        b->xbzrle++;
        break;
    default:
        b->zlib++;
    }
}

/* --- words ------------------------------------------------------------------------------------------------------ */

char *dump_format(const StreamHeader *h)
{
    const char *origin = h->from_qemufile && strcmp(h->format, "ber") == 0 ? ", converted from QEMUFile" : "";

    if (strcmp(h->format, "ber") == 0)
        return g_strdup_printf("BER stream, version 1%s%s%s", h->kind == STREAM_MACHINE ? "" : ", channel of kind ",
                               h->kind == STREAM_MACHINE ? "" : stream_kind_name(h->kind), origin);
    if (h->kind == STREAM_MACHINE)
        return g_strdup("QEMU migration stream, version 3");
    return g_strdup_printf("channel of a QEMU migration: %s", stream_kind_name(h->kind));
}

static void append_hex(GString *s, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        g_string_append_printf(s, "%02x", data[i]);
}

static void append_discard(GString *s, const uint8_t *p, size_t len)
{
    ByteIn in;

    byte_in_init(&in, p, len);
    byte_in_u8(&in);
    size_t n = byte_in_u8(&in);
    const uint8_t *name = byte_in_take(&in, n);
    byte_in_u8(&in);
    if (in.cut)
        return;
    g_autofree char *shown = bytes_show(name, n);
    g_string_append_printf(s, ": block %s", shown);
    while (byte_in_left(&in) >= 16) {
        uint64_t start = byte_in_be64(&in), size = byte_in_be64(&in);
        g_string_append_printf(s, ", 0x%" G_GINT64_MODIFIER "x+0x%" G_GINT64_MODIFIER "x", start, size);
    }
}

char *dump_command(const StreamCommand *c)
{
    const char *name = stream_command_name(c->id);
    GString *s = g_string_new(name ? name : "unknown");

    if (c->id == STREAM_POSTCOPY_RAM_DISCARD) {
        append_discard(s, c->payload, c->len);
    } else if (c->id == STREAM_PACKAGED && c->len == 4) {
        g_string_append_printf(s, ": the next %u octets", load_be32(c->payload));
    } else if (c->id == STREAM_RECV_BITMAP && c->len) {
        g_autofree char *block = bytes_show(c->payload + 1, c->len - 1);
        g_string_append_printf(s, ": block %s", block);
    } else if (c->len) {
        g_string_append(s, ": ");
        append_hex(s, c->payload, c->len);
    }
    return g_string_free(s, FALSE);
}

char *dump_message(const StreamMessage *m)
{
    const char *name = stream_message_name(m->type);
    GString *s = g_string_new(name ? name : "unknown");

    if ((m->type == 3 || m->type == 4) && m->len >= 12)
        g_string_append_printf(s, ": 0x%" G_GINT64_MODIFIER "x, %u octets", load_be64(m->payload),
                               load_be32(m->payload + 8));
    else if (m->len)
        g_string_append(s, ": ");
    if (m->type == 3 && m->len > 13) {
        g_autofree char *block = bytes_show(m->payload + 13, m->len - 13);
        g_string_append_printf(s, " of block %s", block);
    } else if (m->type == 5 && m->len) {
        g_autofree char *block = bytes_show(m->payload + 1, m->len - 1);
        g_string_append_printf(s, "block %s, %zu octets of bits", block, m->bitmap_len);
    } else if (m->type != 3 && m->type != 4) {
        append_hex(s, m->payload, m->len);
    }
    return g_string_free(s, FALSE);
}

void dump_partial(const StreamSection *section, Visitor *witness)
{
    void *state = vms_state_new(section->desc);
    g_autoptr(Visitor) trace = trace_new(section->partial, witness);

    vmstate_load(trace, section->desc, state, section->version, NULL);
    visit_finish(trace, NULL);
    vms_state_free(section->desc, state);
}
