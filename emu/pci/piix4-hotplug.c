/*
 * piix4-hotplug.c: the ports that QEMU adds to the PIIX4 for hot plug, and the machine's side of it.
 *
 * Source: QEMU's public documents docs/specs/acpi_pci_hotplug and docs/specs/acpi_cpu_hotplug.
 * Not modelled: see acpi-hotplug.c.
 */
#include "emu/core/machine.h"
#include "emu/pci/piix4-pm-impl.h"

/* --- ports ------------------------------------------------------------------------------------------------------ */

static uint64_t read_pci(void *opaque, uint64_t addr, unsigned size)
{
    Pm *p = opaque;

    (void)size;
    return acpi_pci_read(&p->s.acpi_pci_hotplug, p->pci.bus, (unsigned)addr);
}

static void write_pci(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Pm *p = opaque;
    int slot = acpi_pci_write(&p->s.acpi_pci_hotplug, p->pci.bus, (unsigned)addr, (uint32_t)value);

    (void)size;
    if (slot >= 0 && p->requests.eject_slot)
        p->requests.eject_slot(p->requests.opaque, (unsigned)slot);
}

const IoOps piix4_pci_hotplug_ops = {.read = read_pci, .write = write_pci, .min = 4};

/* An octet is read as an octet, whatever it is part of; writes are as wide as they come. */
static uint64_t read_cpus(void *opaque, uint64_t addr, unsigned size)
{
    Pm *p = opaque;
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)acpi_cpu_read(&p->s.cpuhp_state, &p->cpus, p->s.cpu_modern, (unsigned)addr + i) << i * 8;
    return value;
}

static void write_cpus(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Pm *p = opaque;
    AcpiCpuHotplug *s = &p->s.cpuhp_state;
    AcpiCpuRequest request;

    (void)size;
    if (!p->s.cpu_modern) { /* the bitmap cannot be written: 0 at its start asks for the newer way */
        p->s.cpu_modern = addr == 0 && value == 0;
        return;
    }
    request = acpi_cpu_write(s, &p->cpus, (unsigned)addr, (uint32_t)value);
    if (request.what == ACPI_CPU_EJECT && p->requests.eject_cpu)
        p->requests.eject_cpu(p->requests.opaque, request.cpu);
    if (request.what == ACPI_CPU_OST && p->requests.cpu_status)
        p->requests.cpu_status(p->requests.opaque, request.cpu, s->devs[request.cpu].ost_event,
                               s->devs[request.cpu].ost_status);
}

const IoOps piix4_cpu_hotplug_ops = {.read = read_cpus, .write = write_cpus};

/* --- for the machine -------------------------------------------------------------------------------------------- */

void piix4_pm_set_requests(Device *dev, const Piix4Requests *requests)
{
    ((Pm *)dev)->requests = *requests;
}

void piix4_pm_set_cpus(Device *dev, unsigned count)
{
    ((Pm *)dev)->cpus.count = CLAMP(count, 1, (unsigned)ACPI_CPUS);
}

void piix4_pm_set_cpu(Device *dev, unsigned cpu, uint64_t apic_id, bool present)
{
    Pm *p = (Pm *)dev;

    if (cpu >= p->cpus.count)
        return;
    p->cpus.cpus[cpu].arch_id = apic_id;
    p->cpus.cpus[cpu].present = present;
    p->cpus.cpus[cpu].by_firmware &= present;
}

void piix4_pm_cpu_plugged(Device *dev, unsigned cpu)
{
    Pm *p = (Pm *)dev;

    if (cpu >= p->cpus.count)
        return;
    if (p->s.cpu_modern)
        p->s.cpuhp_state.devs[cpu].is_inserting = true;
    acpi_gpe_event(&p->acpi, ACPI_GPE_CPU);
}

void piix4_pm_cpu_unplug(Device *dev, unsigned cpu)
{
    Pm *p = (Pm *)dev;

    if (cpu >= p->cpus.count || !p->s.cpu_modern) /* the older way cannot tell it */
        return;
    p->s.cpuhp_state.devs[cpu].is_removing = true;
    acpi_gpe_event(&p->acpi, ACPI_GPE_CPU);
}

void piix4_pm_slot_plugged(Device *dev, unsigned slot)
{
    Pm *p = (Pm *)dev;

    p->s.acpi_pci_hotplug.acpi_pcihp_pci_status[0].up |= 1U << slot % PCI_SLOTS;
    acpi_gpe_event(&p->acpi, ACPI_GPE_PCI);
}

uint32_t piix4_pm_slots_leaving(const Device *dev)
{
    return ((const Pm *)dev)->s.acpi_pci_hotplug.acpi_pcihp_pci_status[0].down;
}

void piix4_pm_slot_unplug(Device *dev, unsigned slot)
{
    Pm *p = (Pm *)dev;

    p->s.acpi_pci_hotplug.acpi_pcihp_pci_status[0].down |= 1U << slot % PCI_SLOTS;
    acpi_gpe_event(&p->acpi, ACPI_GPE_PCI);
}
