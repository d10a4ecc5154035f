/* pc-firmware.c: what the firmware of the PC is told about it. */
#include <string.h>

#include "emu/boot/acpi.h"
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

bool pc_fill_firmware(Pc *pc, GError **error)
{
    PcChips *c = &pc->chips;
    BootPc boot = {.cpus = pc->options.cpus, .max_cpus = pc->options.cpus, .boot_fail_wait = -1, .hpet = true};

    boot_split_memory(pc->options.ram, &boot.below_4g, &boot.above_4g);
    memcpy(boot.uuid, pc->options.uuid, sizeof boot.uuid);
    const AcpiPc acpi = {
        .pc = boot, .pm_base = ACPI_PM_BASE, .com1 = pc->options.serial[0], .com2 = pc->options.serial[1]};
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
