/* physmap.c: where in guest-physical memory RAM blocks are. */
#include "tools/common/physmap.h"

#include <stdio.h>
#include <string.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/* RAM of this size or more is split, and then so much is below 4 GiB. */
typedef struct Split {
    uint64_t threshold, below;
} Split;

static const Split split_i440fx = {3584 * MIB, 3 * GIB};
static const Split split_i440fx_old = {3584 * MIB + 1,
                                       3584 * MIB}; /* up to 1.7, and isapc: below may be 3.5 GiB in full */
static const Split split_q35 = {2816 * MIB, 2 * GIB};
static const Split split_microvm = {3 * GIB + 1, 3 * GIB};

/* "pc-i440fx-2.1" -> 2, 1 */
static bool version_of(const char *machine, unsigned *major, unsigned *minor)
{
    const char *dash = strrchr(machine, '-');

    return dash && sscanf(dash, "-%u.%u", major, minor) == 2;
}

static const Split *split_of(const char *machine)
{
    unsigned major, minor;

    if (!machine)
        return NULL;
    if (g_str_has_prefix(machine, "pc-q35-"))
        return &split_q35;
    if (g_str_has_prefix(machine, "pc-i440fx-") || g_str_has_prefix(machine, "pc-1.") ||
        g_str_has_prefix(machine, "pc-0."))
        return version_of(machine, &major, &minor) && major < 2 ? &split_i440fx_old : &split_i440fx;
    if (strcmp(machine, "microvm") == 0)
        return &split_microvm;
    return strcmp(machine, "isapc") == 0 ? &split_i440fx_old : NULL;
}

/* RAM is what is no ROM, and belongs to no device (those have a path in their names). */
static bool looks_like_ram(const char *name)
{
    static const char *const others[] = {"pc.bios",       "pc.rom",        "vga.vram", "vga.rom",
                                         "system.flash0", "system.flash1", "isa-bios"};

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (strcmp(name, others[i]) == 0)
            return false;
    return !strchr(name, '/') && !g_str_has_suffix(name, ".rom");
}

enum { NAMES_TOLD = 16 };

/* The numbers of the blocks of RAM, in order of address. */
static GArray *choose_blocks(const RamBlocks *blocks, const PhysWish *wish, GError **error)
{
    g_autoptr(GArray) chosen = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GString) names = g_string_new(NULL);

    for (size_t i = 0; wish->blocks && wish->blocks[i]; i++) {
        int found = ram_blocks_find(blocks, wish->blocks[i], strlen(wish->blocks[i]));
        uint32_t number = (uint32_t)found;
        if (found < 0) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "the stream has no RAM block \"%s\"",
                        wish->blocks[i]);
            return NULL;
        }
        g_array_append_val(chosen, number);
    }
    for (uint32_t i = 0; !wish->blocks && i < blocks->list->len; i++) {
        if (!looks_like_ram(ram_block(blocks, i)->name))
            continue;
        if (chosen->len < NAMES_TOLD)
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", ram_block(blocks, i)->name);
        g_array_append_val(chosen, i);
    }
    if (chosen->len > 1 && !wish->blocks) {
        if (chosen->len > NAMES_TOLD)
            g_string_append_printf(names, " and %u more", chosen->len - NAMES_TOLD);
        g_set_error(
            error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
            "several RAM blocks may be guest memory (%s): --ram-blocks=NAME,... tells which, in order of address",
            names->str);
        return NULL;
    }
    if (chosen->len == 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
                    "no RAM block looks like guest memory: --ram-blocks=NAME,... tells which is");
        return NULL;
    }
    return g_steal_pointer(&chosen);
}

/* How much of `total` is below 4 GiB. */
static bool choose_below(const PhysWish *wish, uint64_t total, uint64_t *below, GError **error)
{
    const Split *split = split_of(wish->machine);

    *below = total;
    if (wish->below) {
        *below = MIN(total, wish->below);
    } else if (split) {
        *below = total >= split->threshold ? split->below : total;
    } else if (total >= 2 * GIB) {
        g_set_error(
            error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
            "how RAM is split around the PCI hole is not known for machine type %s: --ram-below=SIZE tells how much is below 4 GiB",
            wish->machine ? wish->machine : "(not told by the stream)");
        return false;
    }
    return true;
}

static int by_address(const void *a, const void *b)
{
    const PhysRange *x = a, *y = b;

    return x->address < y->address ? -1 : x->address > y->address;
}

/* Blocks one after the other, as if they were one; cut in two at the hole. */
static void lay_out(const RamBlocks *blocks, const GArray *chosen, uint64_t below, GArray *ranges)
{
    uint64_t position = 0;

    for (guint i = 0; i < chosen->len; i++) {
        uint32_t number = g_array_index(chosen, uint32_t, i);
        const RamBlock *b = ram_block(blocks, number);
        uint64_t low = position < below ? MIN(b->length, below - position) : 0;
        PhysRange range = {.block = number, .length = low, .address = position};
        if (low)
            g_array_append_val(ranges, range);
        range = (PhysRange){
            .block = number, .start = low, .length = b->length - low, .address = 4 * GIB + position + low - below};
        if (range.length)
            g_array_append_val(ranges, range);
        position += b->length;
    }
}

GArray *physmap_make(const RamBlocks *blocks, const PhysWish *wish, GError **error)
{
    g_autoptr(GArray) ranges = g_array_new(FALSE, TRUE, sizeof(PhysRange));
    g_autoptr(GArray) chosen = choose_blocks(blocks, wish, error);
    uint64_t total = 0, below;

    if (!chosen)
        return NULL;
    for (guint i = 0; i < chosen->len; i++)
        total += ram_block(blocks, g_array_index(chosen, uint32_t, i))->length;
    if (!choose_below(wish, total, &below, error))
        return NULL;
    lay_out(blocks, chosen, below, ranges);
    g_array_sort(ranges, by_address);
    return g_steal_pointer(&ranges);
}
