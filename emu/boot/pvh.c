/*
 * pvh.c: the PVH boot protocol: an ELF file with a note of Xen's that says where it begins, in 32 bits.
 *
 * Sources: Xen's public document "x86/HVM direct boot ABI" and xen/include/public/arch-x86/hvm/start_info.h (its
 * layout); elfnote.h (the note's number).
 */
#include "emu/boot/kernel-impl.h"

enum {
    NOTE_PHYS32_ENTRY = 18,
    MAGIC = 0x336ec578,
    VERSION = 1, /* which has the map */
    INFO_SIZE = 56,
    MODULE_SIZE = 32,
    MAP_SIZE = 24,
    EBX = 3, /* in CpuState.regs */
};

/* Where the note has its contents, and how many octets: 4 or 8. */
static uint64_t find_entry(const KernelFile *file, uint64_t *len)
{
    uint64_t at = elf_is(file) ? elf_find_note(file, "Xen", NOTE_PHYS32_ENTRY, len) : 0;

    return at && (*len == 4 || *len == 8) ? at : 0;
}

bool kernel_is_pvh(GBytes *kernel)
{
    KernelFile file = kernel_file(kernel);
    uint64_t len;

    return find_entry(&file, &len) != 0;
}

/* Each with address, size, address of a text. */
static uint64_t put_modules(KernelLow *low, const uint64_t *addresses, GError **error)
{
    const BootKernel *boot = low->boot;
    uint64_t list = kernel_low_room(low, (uint64_t)boot->module_count * MODULE_SIZE, 8, error);

    for (unsigned i = 0; list && i < boot->module_count; i++) {
        uint8_t *m = boot->memory + list + (uint64_t)i * MODULE_SIZE;
        uint64_t text = kernel_low_text(low, boot->modules[i].text, error);
        if (!text)
            return 0;
        store_le(m, addresses[i], 8);
        store_le(m + 8, g_bytes_get_size(boot->modules[i].octets), 8);
        store_le(m + 16, text, 8);
    }
    return list;
}

static uint64_t put_map(KernelLow *low, GError **error)
{
    const BootKernel *boot = low->boot;
    uint64_t map = kernel_low_room(low, (uint64_t)boot->map_count * MAP_SIZE, 8, error);

    for (unsigned i = 0; map && i < boot->map_count; i++) {
        uint8_t *m = boot->memory + map + (uint64_t)i * MAP_SIZE;
        store_le(m, boot->map[i].base, 8);
        store_le(m + 8, boot->map[i].size, 8);
        store_le(m + 16, boot->map[i].type, 4);
    }
    return map;
}

static uint64_t put_info(KernelLow *low, const uint64_t *addresses, GError **error)
{
    const BootKernel *boot = low->boot;
    uint64_t info = kernel_low_room(low, INFO_SIZE, 8, error);
    uint64_t modules = info ? put_modules(low, addresses, error) : 0;
    uint64_t map = modules ? put_map(low, error) : 0, text = map ? kernel_low_text(low, boot->command_line, error) : 0;
    uint8_t *i = boot->memory + info;

    if (!text)
        return 0;
    store_le(i, MAGIC, 4);
    store_le(i + 4, VERSION, 4);
    store_le(i + 12, boot->module_count, 4);
    store_le(i + 16, boot->module_count ? modules : 0, 8);
    store_le(i + 24, text, 8);
    store_le(i + 32, boot->rsdp, 8);
    store_le(i + 40, map, 8);
    store_le(i + 48, boot->map_count, 4);
    return info;
}

bool kernel_boot_pvh(const BootKernel *boot, CpuState *cpu, GError **error)
{
    KernelFile file = kernel_file(boot->kernel);
    KernelLow low = {.boot = boot, .next = BOOT_LOW_FIRST};
    uint64_t modules[BOOT_MODULES_MAX], len = 0, at = find_entry(&file, &len), entry, gdt, info;
    KernelElf elf;

    if (!at)
        return kernel_refuse(error, file.name, 0, "octets of a PVH entry in the notes", len, "neither 0x4 nor", 8);
    if (!kernel_check(boot, error) || !elf_load(boot, &elf, error))
        return false;
    entry = load_le(file.data + at, (unsigned)len);
    if (!kernel_in_memory(boot, at, entry, 1, error) || !kernel_put_modules(boot, elf.end, modules, error))
        return false;
    gdt = kernel_low_room(&low, KERNEL_GDT_SIZE, 8, error);
    info = gdt ? put_info(&low, modules, error) : 0;
    if (!info)
        return false;
    kernel_put_gdt(boot->memory + gdt, false);
    kernel_cpu_32(cpu, gdt, (uint32_t)entry);
    cpu->regs[EBX] = info;
    return true;
}
