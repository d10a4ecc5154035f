/* ram.c: guest memory. */
#include "emu/core/ram.h"

#include <errno.h>
#include <sys/mman.h>

#include "visitors/error.h"

enum { RAM_AREA_PAGE = 4096 };

static uint64_t round_up(uint64_t size)
{
    return (size + RAM_AREA_PAGE - 1) / RAM_AREA_PAGE * RAM_AREA_PAGE;
}

RamArea *ram_area_new(const char *name, uint64_t size, uint64_t maximum, GError **error)
{
    uint64_t most = round_up(MAX(size, maximum));
    void *host = MAP_FAILED;

    /* rounding up past 2^64 gives 0 */
    if (most && most <= SIZE_MAX / 2)
        host = mmap(NULL, most, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    else
        errno = EINVAL;
    if (host == MAP_FAILED) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO,
                    "RAM block \"%s\": there is no room for %" G_GUINT64_FORMAT " octets: %s", name, MAX(size, maximum),
                    g_strerror(errno));
        return NULL;
    }
    RamArea *area = g_new0(RamArea, 1);
    area->name = g_strdup(name);
    area->host = host;
    area->size = round_up(size);
    area->maximum = most;
    return area;
}

void ram_area_free(RamArea *area)
{
    if (!area)
        return;
    munmap(area->host, area->maximum);
    g_free(area->dirty);
    g_free(area->name);
    g_free(area);
}

void ram_area_clear(RamArea *area)
{
    madvise(area->host, area->maximum, MADV_DONTNEED);
}
