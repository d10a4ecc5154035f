/*
 * pc-memory.c: the PC's memory and its firmware.
 *
 * The names, sizes and order of the areas are QEMU's. What lies below 4 GiB and what above follows pc-i440fx-7.2.
 */
#include <string.h>

#include "emu/machine/pc-impl.h"
#include "emu/pci/chipset.h"

enum {
    FIRMWARE_UNIT = 64 << 10,
    FIRMWARE_MAX = 16 << 20,
    LEGACY_FIRMWARE = 128 << 10, /* so much of its end is below 1 MiB, too */
    OPTION_ROMS = 0xc0000,
    OPTION_ROMS_SIZE = 128 << 10,
};

#define FOUR_GIB (UINT64_C(1) << 32)

static bool add_area(Pc *pc, const char *name, uint64_t size, RamArea **area, GError **error)
{
    *area = ram_area_new(name, size, 0, error);
    if (!*area)
        return false;
    machine_add_ram(pc->machine, *area);
    return true;
}

static void map_rom(Pc *pc, RamArea *area, uint64_t base, uint64_t offset, uint64_t size)
{
    space_map(pc->machine->memory, &(SpaceMapping){.base = base,
                                                   .size = size,
                                                   .priority = PCI_PRIORITY_MEMORY,
                                                   .ram = area,
                                                   .offset = offset,
                                                   .read_only = true});
}

/* At the end of the first 4 GiB, where the processor starts, and at that of the first MiB. */
static bool load_firmware(Pc *pc, GError **error)
{
    g_autofree char *octets = NULL;
    gsize size;

    if (!g_file_get_contents(pc->options.bios, &octets, &size, error))
        return false;
    if (size == 0 || size % FIRMWARE_UNIT || size > FIRMWARE_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "%s: a firmware of %zu octets; it must be a multiple of %d, and at most %d", pc->options.bios,
                    (size_t)size, FIRMWARE_UNIT, FIRMWARE_MAX);
        return false;
    }
    if (!add_area(pc, "pc.bios", size, &pc->bios, error))
        return false;
    memcpy(pc->bios->host, octets, size);
    uint64_t legacy = MIN(size, LEGACY_FIRMWARE);
    map_rom(pc, pc->bios, FOUR_GIB - size, 0, size);
    map_rom(pc, pc->bios, (1 << 20) - legacy, size - legacy, legacy);
    return true;
}

bool pc_build_memory(Pc *pc, GError **error)
{
    if (!add_area(pc, "pc.ram", pc->options.ram, &pc->ram, error))
        return false;
    if (pc->options.bios && !load_firmware(pc, error))
        return false;
    if (!add_area(pc, "pc.rom", OPTION_ROMS_SIZE, &pc->rom, error))
        return false;
    space_map(pc->machine->memory,
              &(SpaceMapping){
                  .base = OPTION_ROMS, .size = OPTION_ROMS_SIZE, .priority = PCI_PRIORITY_MEMORY - 1, .ram = pc->rom});
    return true;
}
