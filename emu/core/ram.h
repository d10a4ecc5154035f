/*
 * ram.h: pieces of guest memory, by name, as they are in a stream's list of RAM blocks.
 */
#ifndef EMU_CORE_RAM_H
#define EMU_CORE_RAM_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct RamArea {
    char *name;       /* "pc.ram", "/rom@etc/acpi/tables" */
    uint8_t *host;    /* page-aligned; memory is taken from the host when it is touched */
    uint64_t size;    /* in use, a multiple of the page size */
    uint64_t maximum; /* what it may grow to when a stream comes in */
    uint64_t *dirty;  /* dirty.h: a bit for each page that was written; NULL: nobody asks */
} RamArea;

/* New, of zeros. NULL with an error if the host has no room for it. size and maximum are rounded up to pages. */
RamArea *ram_area_new(const char *name, uint64_t size, uint64_t maximum, GError **error);
void ram_area_free(RamArea *area);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RamArea, ram_area_free)

/* Gives back all memory: zeros again. */
void ram_area_clear(RamArea *area);

#endif
