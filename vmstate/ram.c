/* ram.c: the table of blocks. */
#include "vmstate/ram.h"

#include <string.h>

static void clear_block(void *block)
{
    g_free(((RamBlock *)block)->name);
}

void ram_blocks_init(RamBlocks *blocks)
{
    *blocks = (RamBlocks){.list = g_array_new(FALSE, FALSE, sizeof(RamBlock))};
    g_array_set_clear_func(blocks->list, clear_block);
}

void ram_blocks_done(RamBlocks *blocks)
{
    g_clear_pointer(&blocks->list, g_array_unref);
}

bool ram_blocks_add(RamBlocks *blocks, const RamBlock *block, GError **error)
{
    RamBlock copy = *block;

    if (blocks->list->len == RAM_BLOCKS_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "more than %d RAM blocks", RAM_BLOCKS_MAX);
        return false;
    }
    if (ram_blocks_find(blocks, block->name, strlen(block->name)) >= 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "RAM block \"%s\" is there twice", block->name);
        return false;
    }
    copy.name = g_strdup(block->name);
    g_array_append_val(blocks->list, copy);
    return true;
}

int ram_blocks_find(const RamBlocks *blocks, const void *name, size_t len)
{
    for (guint i = 0; i < blocks->list->len; i++) {
        const RamBlock *b = ram_block(blocks, i);
        if (strlen(b->name) == len && memcmp(b->name, name, len) == 0)
            return (int)i;
    }
    return -1;
}

bool ram_block_has(const RamBlock *block, uint64_t page)
{
    return block->length == 0 || page < (block->length + RAM_PAGE - 1) / RAM_PAGE;
}

char *ram_length_text(uint64_t octets)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    unsigned unit = 0;

    while (octets && octets % 1024 == 0 && unit + 1 < G_N_ELEMENTS(units)) {
        octets /= 1024;
        unit++;
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT " %s", octets, units[unit]);
}
