/*
 * linux.c: Linux by its 64-bit boot protocol: bzImage, boot_params, page tables, and the first instruction.
 *
 * Source: Linux's document "The Linux/x86 Boot Protocol" (x86/boot), 2.12 and later, and "Zero Page" (x86/zero-page).
 * Not done: the 16-bit and 32-bit entries (older kernels are refused; with firmware they are a disk's business),
 * setup_data, an initial RAM disk beyond 4 GiB.
 */
#include "emu/boot/kernel-impl.h"

/* The setup header, and boot_params. */
enum {
    BOOT_RSDP = 0x070, /* from 2.14 on */
    BOOT_ALT_MEMORY = 0x1e0,
    BOOT_MAP_COUNT = 0x1e8,
    SETUP_FIRST = 0x1f1, /* how many sectors of real mode: 0 stands for 4 */
    SETUP_SYSSIZE = 0x1f4,
    SETUP_FLAG = 0x1fe,
    SETUP_JUMP = 0x201, /* how far from 0x202: so long is the header */
    SETUP_MAGIC = 0x202,
    SETUP_VERSION = 0x206,
    SETUP_LOADER = 0x210,
    SETUP_LOAD_FLAGS = 0x211,
    SETUP_CODE32 = 0x214,
    SETUP_INITRD = 0x218,
    SETUP_INITRD_SIZE = 0x21c,
    SETUP_COMMAND_LINE = 0x228,
    SETUP_INITRD_MAX = 0x22c,
    SETUP_ALIGNMENT = 0x230,
    SETUP_RELOCATABLE = 0x234,
    SETUP_XLOAD_FLAGS = 0x236,
    SETUP_COMMAND_LINE_SIZE = 0x238,
    SETUP_PREFERRED = 0x258,
    SETUP_INIT_SIZE = 0x260,
    SETUP_END = 0x264, /* what is needed of it */
    BOOT_SETUP_MAX = 0x290,
    BOOT_MAP = 0x2d0,
    BOOT_SIZE = 4096,

    FLAG = 0xaa55,
    VERSION = 0x020c,
    VERSION_RSDP = 0x020e,
    LOADER_OTHER = 0xff,
    LOADED_HIGH = 1 << 0,
    KERNEL_64 = 1 << 0, /* of the xload flags */
    ENTRY_64 = 0x200,
    SECTOR = 512,
    PAGE = 4096,
    RSI = 6, /* in CpuState.regs */
};

typedef struct Linux {
    KernelFile file;
    uint64_t setup, size; /* octets of real mode, and behind them */
    uint64_t load, end;   /* where it is put, and where it has ended when it has unpacked itself */
    uint64_t initrd, initrd_size;
} Linux;

static uint64_t field(const Linux *l, unsigned offset, unsigned octets)
{
    return load_le(l->file.data + offset, octets);
}

bool kernel_is_linux(GBytes *kernel)
{
    KernelFile file = kernel_file(kernel);

    return file.size >= SETUP_END && memcmp(file.data + SETUP_MAGIC, "HdrS", 4) == 0 &&
           load_le(file.data + SETUP_FLAG, 2) == FLAG;
}

/* --- the file --------------------------------------------------------------------------------------------------- */

static bool refuse(const Linux *l, unsigned offset, unsigned octets, const char *is, GError **error)
{
    const char *what = offset == SETUP_VERSION      ? "boot protocol"
                       : offset == SETUP_LOAD_FLAGS ? "loadflags"
                                                    : "xloadflags";

    return kernel_refuse(error, l->file.name, offset, what, field(l, offset, octets), is,
                         offset == SETUP_VERSION ? VERSION : 1);
}

static bool read_setup(Linux *l, GError **error)
{
    uint64_t sectors, header_end;

    if (!kernel_in_file(&l->file, 0, SETUP_END, "setup header", error))
        return false;
    if (field(l, SETUP_FLAG, 2) != FLAG)
        return kernel_refuse(error, l->file.name, SETUP_FLAG, "boot_flag", field(l, SETUP_FLAG, 2), "not", FLAG);
    if (memcmp(l->file.data + SETUP_MAGIC, "HdrS", 4) != 0)
        return kernel_refuse(error, l->file.name, SETUP_MAGIC, "header", field(l, SETUP_MAGIC, 4), "not", 0x53726448);
    if (field(l, SETUP_VERSION, 2) < VERSION)
        return refuse(l, SETUP_VERSION, 2, "older than", error);
    if (!(field(l, SETUP_LOAD_FLAGS, 1) & LOADED_HIGH))
        return refuse(l, SETUP_LOAD_FLAGS, 1, "without", error);
    if (!(field(l, SETUP_XLOAD_FLAGS, 2) & KERNEL_64))
        return refuse(l, SETUP_XLOAD_FLAGS, 2, "without", error);
    header_end = SETUP_MAGIC + field(l, SETUP_JUMP, 1);
    if (header_end < SETUP_END || header_end > BOOT_SETUP_MAX)
        return kernel_refuse(error, l->file.name, SETUP_JUMP, "end of the setup header", header_end,
                             "not from 0x264 to", BOOT_SETUP_MAX);
    sectors = field(l, SETUP_FIRST, 1);
    l->setup = ((sectors ? sectors : 4) + 1) * SECTOR;
    if (!kernel_in_file(&l->file, l->setup, ENTRY_64 + 1, "kernel behind its setup", error))
        return false;
    l->size = field(l, SETUP_SYSSIZE, 4) * 16;
    if (l->size <= ENTRY_64)
        return kernel_refuse(error, l->file.name, SETUP_SYSSIZE, "octets of syssize", l->size, "not above", ENTRY_64);
    return kernel_in_file(&l->file, l->setup, l->size - 15, "octets of syssize", error); /* the last may be missing */
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

/* Where it likes to be, or if there is no memory and it may be moved, at 1 MiB, aligned. */
static bool place_kernel(const BootKernel *boot, Linux *l, GError **error)
{
    uint64_t alignment = field(l, SETUP_ALIGNMENT, 4), preferred = field(l, SETUP_PREFERRED, 8);
    uint64_t need;

    l->size = MIN(l->size, l->file.size - l->setup);
    need = MAX(field(l, SETUP_INIT_SIZE, 4), l->size);
    l->load = preferred;
    if (field(l, SETUP_RELOCATABLE, 1) && (preferred > boot->size || need > boot->size - preferred)) {
        if (alignment == 0 || alignment & (alignment - 1) || alignment > UINT64_C(1) << 30)
            return kernel_refuse(error, l->file.name, SETUP_ALIGNMENT, "kernel_alignment", alignment,
                                 "no power of two up to", UINT64_C(1) << 30);
        l->load = MAX(alignment, (uint64_t)BOOT_HIGH_FIRST);
    }
    if (!kernel_in_memory(boot, SETUP_INIT_SIZE, l->load, need, error))
        return false;
    l->end = l->load + need;
    memcpy(boot->memory + l->load, l->file.data + l->setup, l->size);
    return true;
}

/* As high as it may be, on a page. */
static bool place_initrd(const BootKernel *boot, Linux *l, GError **error)
{
    uint64_t most = MIN(field(l, SETUP_INITRD_MAX, 4) + 1, boot->size);
    gsize size = 0;
    const void *data = boot->module_count ? g_bytes_get_data(boot->modules[0].octets, &size) : NULL;

    if (!size)
        return true;
    if (size > most || ((most - size) & ~(uint64_t)(PAGE - 1)) < l->end)
        return kernel_refuse(error, "initrd", 0, "octets", size, "more than there are below", most);
    l->initrd = (most - size) & ~(uint64_t)(PAGE - 1);
    l->initrd_size = size;
    memcpy(boot->memory + l->initrd, data, size);
    return true;
}

/* --- what is told ----------------------------------------------------------------------------------------------- */

static void put_params(const BootKernel *boot, const Linux *l, uint8_t *params, uint64_t text)
{
    uint64_t header_end = SETUP_MAGIC + field(l, SETUP_JUMP, 1);

    memcpy(params + SETUP_FIRST, l->file.data + SETUP_FIRST, header_end - SETUP_FIRST);
    if (field(l, SETUP_VERSION, 2) >= VERSION_RSDP)
        store_le(params + BOOT_RSDP, boot->rsdp, 8);
    store_le(params + BOOT_ALT_MEMORY, (boot->size - BOOT_HIGH_FIRST) / 1024, 4);
    params[BOOT_MAP_COUNT] = (uint8_t)boot->map_count;
    for (unsigned i = 0; i < boot->map_count; i++) {
        uint8_t *entry = params + BOOT_MAP + (size_t)i * E820_ENTRY_SIZE;
        store_le(entry, boot->map[i].base, 8);
        store_le(entry + 8, boot->map[i].size, 8);
        store_le(entry + 16, boot->map[i].type, 4);
    }
    params[SETUP_LOADER] = LOADER_OTHER;
    store_le(params + SETUP_CODE32, l->load, 4);
    store_le(params + SETUP_INITRD, l->initrd, 4);
    store_le(params + SETUP_INITRD_SIZE, l->initrd_size, 4);
    store_le(params + SETUP_COMMAND_LINE, text, 4);
}

/* The lowest 4 GiB as they are, in pages of 2 MiB: PML4, page directory pointers, four directories. */
static void put_pages(uint8_t *memory, uint64_t pages)
{
    enum { PRESENT = 1 << 0, WRITE = 1 << 1, LARGE = 1 << 7, DIRECTORIES = 4, ENTRIES = 512 };
    uint64_t pointers = pages + PAGE, directories = pages + 2 * PAGE;

    store_le(memory + pages, pointers | PRESENT | WRITE, 8);
    for (uint64_t i = 0; i < DIRECTORIES; i++)
        store_le(memory + pointers + i * 8, (directories + i * PAGE) | PRESENT | WRITE, 8);
    for (uint64_t i = 0; i < (uint64_t)DIRECTORIES * ENTRIES; i++)
        store_le(memory + directories + i * 8, i << 21 | PRESENT | WRITE | LARGE, 8);
}

static bool check_command_line(const BootKernel *boot, const Linux *l, GError **error)
{
    uint64_t most = field(l, SETUP_COMMAND_LINE_SIZE, 4), len = boot->command_line ? strlen(boot->command_line) : 0;

    return len <= most ||
           kernel_refuse(error, l->file.name, SETUP_COMMAND_LINE_SIZE, "command line's length", len, "more than", most);
}

bool kernel_boot_linux(const BootKernel *boot, CpuState *cpu, GError **error)
{
    enum { TABLES = 6 };
    KernelLow low = {.boot = boot, .next = BOOT_LOW_FIRST};
    Linux l = {.file = kernel_file(boot->kernel)};
    uint64_t params, pages, gdt, text;

    if (!kernel_check(boot, error) || !read_setup(&l, error) || !check_command_line(boot, &l, error))
        return false;
    if (boot->module_count > 1)
        return kernel_refuse(error, "initrd", 0, "number", boot->module_count, "more than", 1);
    if (!place_kernel(boot, &l, error) || !place_initrd(boot, &l, error))
        return false;
    params = kernel_low_room(&low, BOOT_SIZE, PAGE, error);
    pages = params ? kernel_low_room(&low, TABLES * PAGE, PAGE, error) : 0;
    gdt = pages ? kernel_low_room(&low, KERNEL_GDT_SIZE, 8, error) : 0;
    text = gdt ? kernel_low_text(&low, boot->command_line, error) : 0;
    if (!text)
        return false;
    put_params(boot, &l, boot->memory + params, text);
    put_pages(boot->memory, pages);
    kernel_put_gdt(boot->memory + gdt, true);
    kernel_cpu_64(cpu, gdt, pages, l.load + ENTRY_64);
    cpu->regs[RSI] = params;
    return true;
}
