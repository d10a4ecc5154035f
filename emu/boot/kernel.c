/*
 * kernel.c: what the ways to start a kernel have in common: room in memory, modules, the state of the processor.
 *
 * Source: AMD64 Architecture Programmer's Manual volume 2, 4.7 and 4.8 (descriptors), 14.6 (long mode).
 */
#include <inttypes.h>

#include "emu/boot/kernel-impl.h"

enum { PAGE = 4096 };

/* --- messages --------------------------------------------------------------------------------------------------- */

bool kernel_refuse(GError **error, const char *name, uint64_t offset, const char *what, uint64_t got, const char *is,
                   uint64_t limit)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: at 0x%" PRIx64 ": %s: 0x%" PRIx64 " is %s 0x%" PRIx64,
                name, offset, what, got, is, limit);
    return false;
}

KernelFile kernel_file(GBytes *octets)
{
    KernelFile file = {.name = "kernel"};
    gsize size;

    file.data = g_bytes_get_data(octets, &size);
    file.size = size;
    return file;
}

bool kernel_in_file(const KernelFile *file, uint64_t offset, uint64_t len, const char *what, GError **error)
{
    if (offset <= file->size && len <= file->size - offset)
        return true;
    return kernel_refuse(error, file->name, offset, what, len, "beyond the end of the file at", file->size);
}

bool kernel_in_memory(const BootKernel *boot, uint64_t offset, uint64_t addr, uint64_t size, GError **error)
{
    if (addr < BOOT_HIGH_FIRST)
        return kernel_refuse(error, "kernel", offset, "address", addr, "below", BOOT_HIGH_FIRST);
    if (addr > boot->size || size > boot->size - addr)
        return kernel_refuse(error, "kernel", offset, "end in memory", addr + size, "beyond its end at", boot->size);
    return true;
}

static bool check_text(const char *what, const char *text, GError **error)
{
    if (!text || strlen(text) < BOOT_TEXT_MAX)
        return true;
    return kernel_refuse(error, what, BOOT_TEXT_MAX, "octets", strlen(text), "not below", BOOT_TEXT_MAX);
}

bool kernel_check(const BootKernel *boot, GError **error)
{
    if (boot->size < BOOT_HIGH_FIRST || boot->size > UINT64_C(1) << 32)
        return kernel_refuse(error, "memory", 0, "octets", boot->size, "not from 0x100000 to", UINT64_C(1) << 32);
    if (boot->module_count > BOOT_MODULES_MAX)
        return kernel_refuse(error, "modules", 0, "number", boot->module_count, "more than", BOOT_MODULES_MAX);
    if (boot->map_count > E820_ENTRIES)
        return kernel_refuse(error, "memory map", 0, "number", boot->map_count, "more than", E820_ENTRIES);
    for (unsigned i = 0; i < boot->module_count; i++)
        if (!check_text("module's text", boot->modules[i].text, error))
            return false;
    return check_text("command line", boot->command_line, error);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

uint64_t kernel_low_room(KernelLow *low, uint64_t size, uint64_t alignment, GError **error)
{
    uint64_t at = (low->next + alignment - 1) & ~(alignment - 1);

    if (size > BOOT_LOW_END || at > BOOT_LOW_END - size) {
        kernel_refuse(error, "low memory", at, "octets to tell the kernel", size, "beyond", BOOT_LOW_END);
        return 0;
    }
    memset(low->boot->memory + at, 0, size);
    low->next = at + size;
    return at;
}

uint64_t kernel_low_text(KernelLow *low, const char *text, GError **error)
{
    size_t size = text ? strlen(text) + 1 : 1;
    uint64_t at = kernel_low_room(low, size, 1, error);

    if (at && text)
        memcpy(low->boot->memory + at, text, size);
    return at;
}

bool kernel_put_modules(const BootKernel *boot, uint64_t end, uint64_t *addresses, GError **error)
{
    for (unsigned i = 0; i < boot->module_count; i++) {
        gsize size;
        const void *data = g_bytes_get_data(boot->modules[i].octets, &size);
        uint64_t at = (end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
        if (at > boot->size || size > boot->size - at)
            return kernel_refuse(error, "module", i, "end in memory", at + size, "beyond its end at", boot->size);
        if (size)
            memcpy(boot->memory + at, data, size);
        addresses[i] = at;
        end = at + size;
    }
    return true;
}

/* --- the processor ---------------------------------------------------------------------------------------------- */

/* Selectors, as Linux has them (__BOOT_CS and so on), which is right for all. */
enum { CODE = 0x10, DATA = 0x18, TASK = 0x20 };

enum {
    CR0_PE = 1 << 0,
    CR0_ET = 1 << 4,
    CR0_PG = 1U << 31,
    CR4_PAE = 1 << 5,
    EFER_LME = 1 << 8,
    EFER_LMA = 1 << 10,
};

/* The second doubleword, without the limit. */
static const uint32_t flat = 1 << CPU_SEG_P_SHIFT | 1 << CPU_SEG_S_SHIFT | 1 << CPU_SEG_G_SHIFT;
static const uint32_t code_type = 0xb << CPU_SEG_TYPE_SHIFT, data_type = 0x3 << CPU_SEG_TYPE_SHIFT;
static const uint32_t task_flags = 0xb << CPU_SEG_TYPE_SHIFT | 1 << CPU_SEG_P_SHIFT;

static uint32_t code_flags(bool wide)
{
    return flat | code_type | (wide ? 1 << CPU_SEG_L_SHIFT : 1 << CPU_SEG_DB_SHIFT);
}

static uint32_t data_flags(void)
{
    return flat | data_type | 1 << CPU_SEG_DB_SHIFT;
}

/* Limits of 4 GiB. */
void kernel_put_gdt(uint8_t *gdt, bool wide)
{
    const uint32_t limit = 0xf << 16;

    memset(gdt, 0, KERNEL_GDT_SIZE);
    store_le(gdt + CODE, 0xffff, 4);
    store_le(gdt + CODE + 4, code_flags(wide) | limit, 4);
    store_le(gdt + DATA, 0xffff, 4);
    store_le(gdt + DATA + 4, data_flags() | limit, 4);
}

static void set_segments(CpuState *cpu, uint64_t gdt, bool wide)
{
    for (unsigned i = 0; i < CPU_SEGS; i++)
        cpu->segs[i] = (CpuSegment){.selector = DATA, .limit = UINT32_MAX, .flags = data_flags()};
    cpu->segs[CPU_CS] = (CpuSegment){.selector = CODE, .limit = UINT32_MAX, .flags = code_flags(wide)};
    cpu->tr = (CpuSegment){.selector = TASK, .limit = 0x67, .flags = task_flags};
    cpu->ldt = (CpuSegment){.selector = 0};
    cpu->gdt = (CpuSegment){.base = gdt, .limit = KERNEL_GDT_SIZE - 1};
    cpu->idt = (CpuSegment){.limit = 0};
}

void kernel_cpu_32(CpuState *cpu, uint64_t gdt, uint32_t entry)
{
    cpu_state_reset(cpu, true);
    memset(cpu->regs, 0, sizeof(cpu->regs));
    set_segments(cpu, gdt, false);
    cpu->cr0 = CR0_PE | CR0_ET;
    cpu->rip = entry;
    cpu_state_set_hflags(cpu);
}

void kernel_cpu_64(CpuState *cpu, uint64_t gdt, uint64_t pages, uint64_t entry)
{
    cpu_state_reset(cpu, true);
    memset(cpu->regs, 0, sizeof(cpu->regs));
    set_segments(cpu, gdt, true);
    cpu->cr0 = CR0_PE | CR0_ET | CR0_PG;
    cpu->cr3 = pages;
    cpu->cr4 = CR4_PAE;
    cpu->efer = EFER_LME | EFER_LMA;
    cpu->rip = entry;
    cpu_state_set_hflags(cpu);
}
