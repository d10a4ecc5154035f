/*
 * pc-kernel.c: a kernel started without firmware, and before it what the firmware would have done: the chips' ports
 * and interrupts, addresses for PCI devices, ACPI tables.
 *
 * The places of chips and lines are those that SeaBIOS gives them on this board; addresses are given to devices in
 * their order, where SeaBIOS goes by size. Where the firmware is, there is memory with the SMBIOS tables.
 */
#include <string.h>

#include "emu/boot/kernel.h"
#include "emu/core/dirty.h"
#include "emu/machine/pc-impl.h"

enum {
    CONFIG_ADDRESS = 0xcf8,
    CONFIG_DATA = 0xcfc,
    CONFIG_ENABLE = 1u << 31,
    NOBODY = 0xffff, /* as vendor */
    PORTS_FIRST = 0xc000,
    MEMORY_END = 0xfec00000,
    LEVEL_LOW = 0x4d0, /* ELCR: which lines are level-triggered */
    LEVEL_HIGH = 0x4d1,
    PCI_LINES_LEVEL = 0x0c, /* 10 and 11 */
    PIRQ_ROUTES = 0x60,     /* of the PIIX3 */
    PM_BASE = 0x40,         /* of the PIIX4's function 3, Intel 290562-001, chapter 7.2 */
    PM_ENABLE = 0x80,
    SMBUS_BASE = 0x90,
    SMBUS_PORTS = 0x700,
    SMBUS_CONFIG = 0xd2,
    SMBUS_BY_IRQ = 0x09, /* enabled, IRQ 9 */
    SCI_LINE = 9,
    IDE_TIMING = 0x40, /* of function 1, a word for each cable */
    IDE_DECODE = 0x8000,
    PAM_FIRMWARE = 0x59, /* of the 82441FX: what is at 0xf0000 */
    PAM_FIRMWARE_READ = 0x10,
    FIRMWARE = 0xf0000,
    FIRMWARE_SIZE = 0x10000,
    MTRR_ENABLED_WRITE_BACK = 0xc06, /* both kinds; Intel SDM volume 3, chapter 12.11 */
    MTRR_VALID = 0x800,
    MTRR_FIXED_640K = 2, /* the first two are of 64 KiB and 16 KiB, and end there */
    MTRR_FIXED_ROMS = 3, /* the next is the VGA adapter's: not cached */
    MTRR_FIXED = 11,
    KEYBOARD_DATA = 0x60,
    KEYBOARD_COMMAND = 0x64,
    KEYBOARD_WRITE_MODE = 0x60,
    KEYBOARD_MODE = 0x61, /* interrupts, translated codes, no mouse */
};

/* All octets of a fixed MTRR. */
static const uint64_t write_back = UINT64_C(0x0606060606060606), write_protected = UINT64_C(0x0505050505050505);
static const uint64_t mtrr_mask_end = (UINT64_C(1) << 52) - 1;

static const uint8_t pirq_lines[PCI_PINS] = {10, 10, 11, 11};

/* --- configuration space, through the ports ----------------------------------------------------------------------- */

static void select_register(Pc *pc, unsigned devfn, unsigned addr)
{
    space_write(pc->machine->ports, CONFIG_ADDRESS, CONFIG_ENABLE | devfn << 8 | (addr & 0xfc), 4);
}

static uint32_t config_get(Pc *pc, unsigned devfn, unsigned addr, unsigned size)
{
    select_register(pc, devfn, addr);
    return (uint32_t)space_read(pc->machine->ports, CONFIG_DATA + (addr & 3), size);
}

static void config_put(Pc *pc, unsigned devfn, unsigned addr, uint32_t value, unsigned size)
{
    select_register(pc, devfn, addr);
    space_write(pc->machine->ports, CONFIG_DATA + (addr & 3), value, size);
}

/* --- addresses -------------------------------------------------------------------------------------------------- */

/* Ports go up, memory goes down. */
typedef struct Free {
    uint32_t ports, memory;
} Free;

/* Returns how many registers it takes. What finds no room stays without an address. */
static unsigned place_bar(Pc *pc, unsigned devfn, unsigned bar, Free *room)
{
    unsigned addr = PCI_BAR + 4 * bar;

    config_put(pc, devfn, addr, UINT32_MAX, 4);
    uint32_t mask = config_get(pc, devfn, addr, 4);
    bool wide = !(mask & PCI_BAR_PORTS) && (mask & PCI_BAR_64_BIT);
    uint32_t size = mask & PCI_BAR_PORTS ? (~(mask & ~3u) + 1) & 0xffff : ~(mask & ~0xfu) + 1;
    uint32_t base = 0;

    if (mask == 0 || size == 0)
        return 1;
    if (mask & PCI_BAR_PORTS) {
        base = (room->ports + size - 1) & ~(size - 1);
        room->ports = base + size;
    } else if (size < room->memory) {
        base = (room->memory - size) & ~(size - 1);
        room->memory = base;
    }
    config_put(pc, devfn, addr, base, 4);
    if (wide)
        config_put(pc, devfn, addr + 4, 0, 4);
    return wide ? 2 : 1;
}

static void place_device(Pc *pc, unsigned devfn, Free *room)
{
    unsigned pin = config_get(pc, devfn, PCI_INTERRUPT_PIN, 1);

    for (unsigned bar = 0; bar < PCI_BARS;)
        bar += place_bar(pc, devfn, bar, room);
    if (pin)
        config_put(pc, devfn, PCI_INTERRUPT_LINE, pirq_lines[(pin - 1 + (devfn >> 3) - 1) % PCI_PINS], 1);
    uint32_t command = config_get(pc, devfn, PCI_COMMAND, 2);
    config_put(pc, devfn, PCI_COMMAND, command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_SERR, 2);
}

static void set_up_pci(Pc *pc)
{
    Free room = {PORTS_FIRST, MEMORY_END};

    for (unsigned devfn = 0; devfn < PCI_SLOTS * PCI_FUNCTIONS; devfn++)
        if (config_get(pc, devfn, PCI_VENDOR, 2) != NOBODY)
            place_device(pc, devfn, &room);
}

static void set_up_chips(Pc *pc)
{
    const unsigned piix3 = PCI_DEVFN(PC_PIIX_SLOT, 0), ide = piix3 + 1, pm = piix3 + 3;

    for (unsigned n = 0; n < PCI_PINS; n++)
        config_put(pc, piix3, PIRQ_ROUTES + n, pirq_lines[n], 1);
    space_write(pc->machine->ports, LEVEL_LOW, 0, 1);
    space_write(pc->machine->ports, LEVEL_HIGH, PCI_LINES_LEVEL, 1);
    config_put(pc, ide, IDE_TIMING, IDE_DECODE, 2);
    config_put(pc, ide, IDE_TIMING + 2, IDE_DECODE, 2);
    config_put(pc, pm, PM_BASE, ACPI_PM_BASE | 1, 4);
    config_put(pc, pm, PM_ENABLE, 1, 1);
    config_put(pc, pm, SMBUS_BASE, SMBUS_PORTS | 1, 4);
    config_put(pc, pm, SMBUS_CONFIG, SMBUS_BY_IRQ, 1);
    config_put(pc, pm, PCI_INTERRUPT_LINE, SCI_LINE, 1); /* wired to it, whatever its pin says */
    space_write(pc->machine->ports, KEYBOARD_COMMAND, KEYBOARD_WRITE_MODE, 1);
    space_write(pc->machine->ports, KEYBOARD_DATA, KEYBOARD_MODE, 1);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

GBytes *pc_read_file(const char *path, GError **error)
{
    g_autofree char *octets = NULL;
    gsize len;

    return g_file_get_contents(path, &octets, &len, error) ? g_bytes_new_take(g_steal_pointer(&octets), len) : NULL;
}

typedef struct Modules {
    BootModule modules[BOOT_MODULES_MAX];
    unsigned count;
    char **texts; /* "PATH arguments" */
} Modules;

static void modules_done(Modules *m)
{
    for (unsigned i = 0; i < m->count; i++)
        g_bytes_unref(m->modules[i].octets);
    g_strfreev(m->texts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Modules, modules_done)

static bool read_modules(Modules *m, const char *list, bool many, GError **error)
{
    m->texts = list ? g_strsplit(list, many ? "," : "\n", -1) : NULL;
    for (unsigned i = 0; m->texts && m->texts[i]; i++) {
        g_autofree char *path = many ? g_strndup(m->texts[i], strcspn(m->texts[i], " ")) : g_strdup(m->texts[i]);
        if (m->count == BOOT_MODULES_MAX) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "more than %d modules", BOOT_MODULES_MAX);
            return false;
        }
        GBytes *octets = pc_read_file(path, error);
        if (!octets)
            return false;
        m->modules[m->count++] = (BootModule){.octets = octets, .text = m->texts[i]};
    }
    return true;
}

/* --- the kernel ------------------------------------------------------------------------------------------------- */

static bool place_kernel(BootKernel *boot, CpuState *cpu, const char *path, GError **error)
{
    if (kernel_is_linux(boot->kernel))
        return kernel_boot_linux(boot, cpu, error);
    if (kernel_is_pvh(boot->kernel))
        return kernel_boot_pvh(boot, cpu, error);
    if (kernel_is_multiboot(boot->kernel))
        return kernel_boot_multiboot(boot, cpu, error);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                "%s: neither Linux (bzImage) nor an ELF file with a note of PVH or a header of multiboot", path);
    return false;
}

/* The firmware's place shows memory from now on, which cannot be written. */
static bool place_smbios(Pc *pc, GError **error)
{
    const SmbiosPc smbios = pc_smbios_info(pc);

    if (!smbios_place(&smbios, (uint8_t *)pc->ram->host + FIRMWARE, FIRMWARE, FIRMWARE_SIZE, error))
        return false;
    config_put(pc, 0, PAM_FIRMWARE, PAM_FIRMWARE_READ, 1);
    return true;
}

/* Memory is cached, ROMs are not written, and what is between the memory and 4 GiB are devices. */
static void set_up_mtrrs(CpuState *cpu, uint64_t below_4g)
{
    const uint64_t four_gib = UINT64_C(1) << 32, half = UINT64_C(1) << 31;
    uint64_t size = half;

    while (four_gib - size < below_4g)
        size /= 2;
    for (unsigned i = 0; i < MTRR_FIXED; i++)
        cpu->mtrr_fixed[i] = i < MTRR_FIXED_640K ? write_back : i < MTRR_FIXED_ROMS ? 0 : write_protected;
    cpu->mtrr_var[0] = (CpuMtrr){.base = four_gib - size, .mask = (mtrr_mask_end & ~(size - 1)) | MTRR_VALID};
    cpu->mtrr_deftype = MTRR_ENABLED_WRITE_BACK;
}

/* Everything but the registers' way into the processor. */
static bool load_kernel(Pc *pc, CpuState *cpu, GError **error)
{
    const PcKernel *k = &pc->options.kernel;
    const AcpiPc acpi = pc_acpi_info(pc);
    E820Entry map[E820_ENTRIES];
    AcpiTables tables = {.tables = NULL};
    g_auto(Modules) modules = {.count = 0};
    g_autoptr(GBytes) kernel = pc_read_file(k->path, error);

    if (!kernel || !read_modules(&modules, k->initrd, kernel_is_multiboot(kernel) && !kernel_is_pvh(kernel), error) ||
        !acpi_make(&acpi, &tables, error))
        return false;
    BootKernel boot = {
        .kernel = kernel,
        .command_line = k->command_line,
        .modules = modules.modules,
        .module_count = modules.count,
        .map = map,
        .map_count = e820_for_kernel(&acpi.pc, ACPI_TABLES_SIZE, map),
        .memory = pc->ram->host,
        .size = acpi.pc.below_4g - ACPI_TABLES_SIZE,
    };
    boot.rsdp = acpi_place(&tables, pc->ram->host, acpi.pc.below_4g, error);
    acpi_tables_done(&tables);
    if (!boot.rsdp)
        return false;
    if (place_kernel(&boot, cpu, k->path, error))
        return place_smbios(pc, error);
    g_prefix_error(error, "%s: ", k->path);
    return false;
}

/* The others wait for the first, and have the same MTRRs. */
static bool set_up_processor(Pc *pc, unsigned index, GError **error)
{
    const AcpiPc acpi = pc_acpi_info(pc);
    CpuState cpu;
    ApicState apic;

    if (!vcpu_get(pc->vcpus[index], &cpu, &apic, error) || (index == 0 && !load_kernel(pc, &cpu, error)))
        return false;
    set_up_mtrrs(&cpu, acpi.pc.below_4g);
    return vcpu_set(pc->vcpus[index], &cpu, &apic, error);
}

bool pc_boot_kernel(Pc *pc, GError **error)
{
    if (!pc->options.kernel.path)
        return true;
    set_up_pci(pc);
    set_up_chips(pc);
    dirty_mark(pc->ram, 0, pc->ram->size); /* what is loaded goes past the space */
    if (!pc->kvm)
        return load_kernel(pc, device_state(pc->chips.boot_cpu), error);
    for (unsigned i = 0; i < pc->options.cpus; i++)
        if (!set_up_processor(pc, i, error))
            return false;
    return true;
}
