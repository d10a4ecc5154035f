/* pc-firmware.c: what the firmware of the PC is told about it. */
#include <string.h>

#include "emu/boot/smbios.h"
#include "emu/machine/pc-impl.h"

/* CPUID leaf 1 of the processors, as far as there are any: family and model, features. */
static void read_cpuid(const Pc *pc, SmbiosPc *smbios)
{
    for (unsigned i = 0; pc->kvm && i < pc->kvm->cpuid->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &pc->kvm->cpuid->entries[i];
        if (e->function != 1)
            continue;
        smbios->cpuid_version = e->eax;
        smbios->cpuid_features = e->edx;
    }
}

/* Does CPUID leaf 0 say so? AMD's addresses of HyperTransport are not memory then. */
static bool is_amd(const Pc *pc)
{
    static const char ebx[] = "Auth", edx[] = "enti", ecx[] = "cAMD";

    for (unsigned i = 0; pc->kvm && i < pc->kvm->cpuid->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &pc->kvm->cpuid->entries[i];
        if (e->function == 0)
            return memcmp(&e->ebx, ebx, 4) == 0 && memcmp(&e->edx, edx, 4) == 0 && memcmp(&e->ecx, ecx, 4) == 0;
    }
    return false;
}

BootPc pc_boot_info(const Pc *pc)
{
    BootPc boot = {.cpus = pc->options.cpus,
                   .max_cpus = pc->options.cpus,
                   .boot_order = pc->options.boot_order,
                   .boot_menu = pc->options.boot_menu,
                   .boot_fail_wait = -1,
                   .hypertransport = is_amd(pc),
                   .hpet = true};

    boot_split_memory(pc->options.ram, &boot.below_4g, &boot.above_4g);
    memcpy(boot.uuid, pc->options.uuid, sizeof boot.uuid);
    return boot;
}

AcpiPc pc_acpi_info(const Pc *pc)
{
    return (AcpiPc){
        .pc = pc_boot_info(pc), .pm_base = ACPI_PM_BASE, .com1 = pc->options.serial[0], .com2 = pc->options.serial[1]};
}

bool pc_fill_firmware(Pc *pc, GError **error)
{
    PcChips *c = &pc->chips;
    BootPc boot = pc_boot_info(pc);
    g_autoptr(GBytes) paths = NULL;
    const AcpiPc acpi = pc_acpi_info(pc);

    if (pc->options.boot_paths) {
        paths = g_bytes_new(pc->options.boot_paths, strlen(pc->options.boot_paths) + 1);
        boot.boot_paths = paths;
    }
    SmbiosPc smbios = {.pc = boot, .cores = 1, .threads = 1};
    smbios.system.product = "Standard PC (i440FX + PIIX, 1996)";
    smbios.system.version = pc_identity()->type;
    read_cpuid(pc, &smbios);
    if (!boot_fill_fw_cfg(&boot, c->fw_cfg, error) || !boot_fill_cmos(&boot, c->rtc, error) ||
        !smbios_install(&smbios, c->fw_cfg, error))
        return false;
    pc->acpi = acpi_install(&acpi, c->fw_cfg, c->acpi_build, error);
    return pc->acpi;
}
