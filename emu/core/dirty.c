/* dirty.c: which pages of guest memory were written since somebody last asked. */
#include "emu/core/dirty.h"

#include <string.h>

void dirty_start(const GPtrArray *areas)
{
    for (guint i = 0; i < areas->len; i++) {
        RamArea *area = g_ptr_array_index(areas, i);
        g_free(area->dirty);
        area->dirty = g_malloc0(dirty_octets(area));
    }
}

void dirty_stop(const GPtrArray *areas)
{
    for (guint i = 0; i < areas->len; i++)
        g_clear_pointer(&((RamArea *)g_ptr_array_index(areas, i))->dirty, g_free);
}

void dirty_mark_pages(RamArea *area, uint64_t offset, uint64_t len)
{
    if (len == 0 || offset >= area->maximum)
        return;
    uint64_t last = (offset + (MIN(len, area->maximum - offset) - 1)) / DIRTY_PAGE;
    for (uint64_t page = offset / DIRTY_PAGE; page <= last; page++)
        area->dirty[page / DIRTY_WORD] |= UINT64_C(1) << page % DIRTY_WORD;
}

void dirty_mark_host(const GPtrArray *areas, const void *host, size_t len)
{
    for (guint i = 0; i < areas->len; i++) {
        RamArea *area = g_ptr_array_index(areas, i);
        if (!area->dirty)
            return; /* it is on for all or none */
        uint64_t offset = (uintptr_t)host - (uintptr_t)area->host;
        if ((uintptr_t)host >= (uintptr_t)area->host && offset < area->maximum)
            dirty_mark_pages(area, offset, len);
    }
}

void dirty_take(RamArea *area, uint64_t *bits, uint64_t pages)
{
    if (!area->dirty)
        return;
    for (uint64_t i = 0; i * DIRTY_WORD < pages; i++)
        bits[i] |= area->dirty[i];
    memset(area->dirty, 0, dirty_octets(area));
}
