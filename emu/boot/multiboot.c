/*
 * multiboot.c: kernels with a header of multiboot 1: addresses in the header, or an ELF file.
 *
 * Source: Multiboot Specification 0.6.96, chapters 3.1 to 3.3.
 * Not done: what needs a firmware: video modes (a kernel that cannot do without is refused), drives, the APM table; and
 * symbols of the kernel.
 */
#include "emu/boot/kernel-impl.h"

enum {
    SEARCH = 8192,
    HEADER_MAGIC = 0x1badb002,
    LOADED_MAGIC = 0x2badb002,

    /* Flags of the header: the lower half must be known. */
    WANTS_PAGES = 1 << 0,
    WANTS_MEMORY = 1 << 1,
    HAS_ADDRESSES = 1 << 16,
    MUST_KNOW = 0xffff,

    /* Of what is told. */
    HAS_MEMORY = 1 << 0,
    HAS_COMMAND_LINE = 1 << 2,
    HAS_MODULES = 1 << 3,
    HAS_MAP = 1 << 6,
    HAS_LOADER_NAME = 1 << 9,

    INFO_SIZE = 88,
    MODULE_SIZE = 16,
    MAP_SIZE = 24,
    LOWER_KIB = 639, /* below the extended BIOS data area */
    EAX = 0,         /* in CpuState.regs */
    EBX = 3,
};

/* Where the header is: three numbers that make 0. The file's size if there is none. */
static uint64_t find_header(const KernelFile *file)
{
    uint64_t end = MIN(file->size, SEARCH);

    for (uint64_t at = 0; at + 12 <= end; at += 4) {
        const uint8_t *d = file->data + at;
        uint32_t sum = (uint32_t)(load_le(d, 4) + load_le(d + 4, 4) + load_le(d + 8, 4));
        if (load_le(d, 4) == HEADER_MAGIC && sum == 0)
            return at;
    }
    return file->size;
}

bool kernel_is_multiboot(GBytes *kernel)
{
    KernelFile file = kernel_file(kernel);

    return find_header(&file) != file.size;
}

/* --- loading ---------------------------------------------------------------------------------------------------- */

/* 3.1.3: addresses of the header, of the first octet to load, of the ends of data and of zeros; the entry. */
static bool load_by_header(const BootKernel *boot, const KernelFile *file, uint64_t header, KernelElf *kernel,
                           GError **error)
{
    uint64_t header_addr, load, data_end, end, offset, len;

    if (!kernel_in_file(file, header + 12, 20, "multiboot addresses", error))
        return false;
    header_addr = load_le(file->data + header + 12, 4);
    load = load_le(file->data + header + 16, 4);
    data_end = load_le(file->data + header + 20, 4);
    end = load_le(file->data + header + 24, 4);
    if (load > header_addr || header_addr - load > header)
        return kernel_refuse(error, file->name, header + 16, "multiboot load_addr", load,
                             "not in the file before its header at", header_addr);
    offset = header - (header_addr - load);
    if (data_end && data_end < load)
        return kernel_refuse(error, file->name, header + 20, "multiboot load_end_addr", data_end, "below", load);
    len = data_end ? data_end - load : file->size - offset;
    if (end && end < load + len)
        return kernel_refuse(error, file->name, header + 24, "multiboot bss_end_addr", end, "below", load + len);
    end = end ? end : load + len;
    if (!kernel_in_file(file, offset, len, "multiboot data", error) ||
        !kernel_in_memory(boot, header + 16, load, end - load, error))
        return false;
    memcpy(boot->memory + load, file->data + offset, len);
    memset(boot->memory + load + len, 0, end - load - len);
    *kernel = (KernelElf){.entry = load_le(file->data + header + 28, 4), .end = end};
    return true;
}

static bool load(const BootKernel *boot, uint64_t header, KernelElf *kernel, GError **error)
{
    KernelFile file = kernel_file(boot->kernel);
    uint32_t flags;

    if (header == file.size)
        return kernel_refuse(error, file.name, 0, "multiboot header", MIN(file.size, SEARCH), "not before", SEARCH);
    flags = (uint32_t)load_le(file.data + header + 4, 4);
    if (flags & MUST_KNOW & ~(WANTS_PAGES | WANTS_MEMORY))
        return kernel_refuse(error, file.name, header + 4, "multiboot flags", flags & MUST_KNOW, "more than",
                             WANTS_PAGES | WANTS_MEMORY);
    if (flags & HAS_ADDRESSES ? !load_by_header(boot, &file, header, kernel, error) : !elf_load(boot, kernel, error))
        return false;
    return kernel_in_memory(boot, header, kernel->entry, 1, error);
}

/* --- what is told ----------------------------------------------------------------------------------------------- */

static uint64_t put_modules(KernelLow *low, const uint64_t *addresses, GError **error)
{
    const BootKernel *boot = low->boot;
    uint64_t list = kernel_low_room(low, (uint64_t)boot->module_count * MODULE_SIZE, 4, error);

    for (unsigned i = 0; list && i < boot->module_count; i++) {
        uint8_t *m = boot->memory + list + (uint64_t)i * MODULE_SIZE;
        uint64_t text = kernel_low_text(low, boot->modules[i].text, error);
        if (!text)
            return 0;
        store_le(m, addresses[i], 4);
        store_le(m + 4, addresses[i] + g_bytes_get_size(boot->modules[i].octets), 4);
        store_le(m + 8, text, 4);
    }
    return list;
}

/* An entry's own size comes first, and is not counted. */
static uint64_t put_map(KernelLow *low, GError **error)
{
    const BootKernel *boot = low->boot;
    uint64_t map = kernel_low_room(low, (uint64_t)boot->map_count * MAP_SIZE, 4, error);

    for (unsigned i = 0; map && i < boot->map_count; i++) {
        uint8_t *m = boot->memory + map + (uint64_t)i * MAP_SIZE;
        store_le(m, MAP_SIZE - 4, 4);
        store_le(m + 4, boot->map[i].base, 8);
        store_le(m + 12, boot->map[i].size, 8);
        store_le(m + 20, boot->map[i].type, 4);
    }
    return map;
}

static uint64_t put_info(KernelLow *low, const uint64_t *addresses, GError **error)
{
    const BootKernel *boot = low->boot;
    uint64_t info = kernel_low_room(low, INFO_SIZE, 4, error);
    uint64_t modules = info ? put_modules(low, addresses, error) : 0, map = modules ? put_map(low, error) : 0;
    uint64_t text = map ? kernel_low_text(low, boot->command_line, error) : 0;
    uint64_t name = text ? kernel_low_text(low, "ferry", error) : 0;
    uint8_t *i = boot->memory + info;

    if (!name)
        return 0;
    store_le(i, HAS_MEMORY | HAS_COMMAND_LINE | HAS_MODULES | HAS_MAP | HAS_LOADER_NAME, 4);
    store_le(i + 4, LOWER_KIB, 4);
    store_le(i + 8, (boot->size - BOOT_HIGH_FIRST) / 1024, 4);
    store_le(i + 16, text, 4);
    store_le(i + 20, boot->module_count, 4);
    store_le(i + 24, modules, 4);
    store_le(i + 44, (uint64_t)boot->map_count * MAP_SIZE, 4);
    store_le(i + 48, map, 4);
    store_le(i + 64, name, 4);
    return info;
}

bool kernel_boot_multiboot(const BootKernel *boot, CpuState *cpu, GError **error)
{
    KernelFile file = kernel_file(boot->kernel);
    KernelLow low = {.boot = boot, .next = BOOT_LOW_FIRST};
    uint64_t modules[BOOT_MODULES_MAX], gdt, info;
    KernelElf kernel;

    if (!kernel_check(boot, error) || !load(boot, find_header(&file), &kernel, error) ||
        !kernel_put_modules(boot, kernel.end, modules, error))
        return false;
    gdt = kernel_low_room(&low, KERNEL_GDT_SIZE, 8, error);
    info = gdt ? put_info(&low, modules, error) : 0;
    if (!info)
        return false;
    kernel_put_gdt(boot->memory + gdt, false);
    kernel_cpu_32(cpu, gdt, (uint32_t)kernel.entry);
    cpu->regs[EAX] = LOADED_MAGIC;
    cpu->regs[EBX] = info;
    return true;
}
