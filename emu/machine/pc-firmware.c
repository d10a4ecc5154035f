/* pc-firmware.c: what the firmware of the PC is told about it. */
#include <string.h>

#include "emu/machine/pc-impl.h"

/* A leaf of the first processor, as far as there is one: zeros. */
static struct kvm_cpuid_entry2 read_leaf(const Pc *pc, uint32_t function)
{
    g_autofree struct kvm_cpuid2 *leaves = pc->kvm ? kvm_cpu_leaves(pc->kvm, 0) : NULL;

    for (unsigned i = 0; leaves && i < leaves->nent; i++)
        if (leaves->entries[i].function == function)
            return leaves->entries[i];
    return (struct kvm_cpuid_entry2){.function = function};
}

/* AMD's addresses of HyperTransport are not memory. */
static bool is_amd(const Pc *pc)
{
    struct kvm_cpuid_entry2 vendor = read_leaf(pc, 0);

    return memcmp(&vendor.ebx, "Auth", 4) == 0 && memcmp(&vendor.edx, "enti", 4) == 0 &&
           memcmp(&vendor.ecx, "cAMD", 4) == 0;
}

BootPc pc_boot_info(const Pc *pc)
{
    BootPc boot = {.cpus = pc->options.cpus,
                   .max_cpus = pc->options.cpus,
                   .boot_order = pc->options.boot_once ? pc->options.boot_once : pc->options.boot_order,
                   .boot_menu = pc->options.boot_menu,
                   .has_menu_wait = pc->options.has_menu_wait,
                   .menu_wait = pc->options.menu_wait,
                   .boot_fail_wait = pc->options.has_fail_wait ? pc->options.fail_wait : -1,
                   .hypertransport = is_amd(pc),
                   .hpet = true};

    boot_split_memory(pc->options.ram, &boot.below_4g, &boot.above_4g);
    memcpy(boot.uuid, pc->options.uuid, sizeof boot.uuid);
    return boot;
}

AcpiPc pc_acpi_info(const Pc *pc)
{
    return (AcpiPc){.pc = pc_boot_info(pc),
                    .pm_base = ACPI_PM_BASE,
                    .smm = pc->smm,
                    .com1 = pc->options.serial[0],
                    .com2 = pc->options.serial[1],
                    .floppies = true};
}

SmbiosPc pc_smbios_info(const Pc *pc)
{
    const CpuTopology *topology = &pc->options.cpu.topology;
    struct kvm_cpuid_entry2 version = read_leaf(pc, 1);
    SmbiosPc smbios = {.pc = pc_boot_info(pc),
                       .cores = topology->sockets ? topology->dies * topology->cores : 1,
                       .threads = topology->sockets ? topology->threads : 1,
                       .cpuid_version = version.eax,
                       .cpuid_features = version.edx};

    smbios.system.product = SMBIOS_PRODUCT;
    smbios.system.version = pc_identity()->type;
    return smbios;
}

bool pc_fill_firmware(Pc *pc, GError **error)
{
    PcChips *c = &pc->chips;
    BootPc boot = pc_boot_info(pc);
    g_autoptr(GBytes) paths = NULL, rom = NULL;
    const AcpiPc acpi = pc_acpi_info(pc);

    if (pc->options.vapic_rom) {
        rom = pc_read_file(pc->options.vapic_rom, error);
        boot.vapic_rom = rom;
        if (!rom)
            return false;
    }
    if (pc->options.boot_paths) {
        paths = g_bytes_new(pc->options.boot_paths, strlen(pc->options.boot_paths) + 1);
        boot.boot_paths = paths;
    }
    const SmbiosPc smbios = pc_smbios_info(pc);

    if (!boot_fill_fw_cfg(&boot, c->fw_cfg, error) || !boot_fill_cmos(&boot, c->rtc, error) ||
        !smbios_install(&smbios, c->fw_cfg, error))
        return false;
    pc->acpi = acpi_install(&acpi, c->fw_cfg, c->acpi_build, error);
    return pc->acpi;
}

void pc_boot_as_always(Pc *pc)
{
    if (!pc->options.boot_once)
        return;
    pc->options.boot_once = NULL;
    boot_set_order(pc->chips.rtc, pc->options.boot_order);
}
