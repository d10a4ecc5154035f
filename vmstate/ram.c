/* ram.c: the table of blocks. */
#include "vmstate/ram.h"

#include <string.h>

#include "visitors/bytes.h"

static void clear_block(void *block)
{
    g_free(((RamBlock *)block)->name);
}

void ram_blocks_init(RamBlocks *blocks)
{
    *blocks = (RamBlocks){
        .list = g_array_new(FALSE, FALSE, sizeof(RamBlock)),
        .by_name = g_hash_table_new(bytes_hash_text, g_str_equal),
    };
    g_array_set_clear_func(blocks->list, clear_block);
}

void ram_blocks_done(RamBlocks *blocks)
{
    g_clear_pointer(&blocks->by_name, g_hash_table_unref);
    g_clear_pointer(&blocks->list, g_array_unref);
}

bool ram_blocks_add(RamBlocks *blocks, const RamBlock *block, GError **error)
{
    RamBlock copy = *block;

    if (blocks->list->len == RAM_BLOCKS_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "more than %d RAM blocks", RAM_BLOCKS_MAX);
        return false;
    }
    if (strlen(block->name) > RAM_NAME_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "a RAM block's name has more than %d octets", RAM_NAME_MAX);
        return false;
    }
    if (ram_blocks_find(blocks, block->name, strlen(block->name)) >= 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "RAM block \"%s\" is there twice", block->name);
        return false;
    }
    if (block->length > RAM_TOTAL_MAX - blocks->total) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "RAM block \"%s\" has 0x%" G_GINT64_MODIFIER "x octets: together with 0x%" G_GINT64_MODIFIER
                    "x of others that is more than the 4 PiB that are allowed",
                    block->name, block->length, blocks->total);
        return false;
    }
    blocks->total += block->length;
    copy.name = g_strdup(block->name);
    g_array_append_val(blocks->list, copy);
    g_hash_table_insert(blocks->by_name, copy.name, GUINT_TO_POINTER(blocks->list->len));
    return true;
}

int ram_blocks_find(const RamBlocks *blocks, const void *name, size_t len)
{
    char key[RAM_NAME_MAX + 1];

    if (len > RAM_NAME_MAX || memchr(name, 0, len))
        return -1;
    memcpy(key, name, len);
    key[len] = '\0';
    return GPOINTER_TO_INT(g_hash_table_lookup(blocks->by_name, key)) - 1;
}

uint64_t ram_block_most(const RamBlock *block)
{
    return block->length ? block->length : RAM_TOTAL_MAX;
}

bool ram_block_has(const RamBlock *block, uint64_t page)
{
    return page < (ram_block_most(block) + RAM_PAGE - 1) / RAM_PAGE;
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
