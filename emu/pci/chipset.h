/*
 * chipset.h: the 440FX host bridge and the functions of the PIIX3 and PIIX4, as the machine sees them.
 *
 * All are made with device_new; those on the PCI bus need `bus` and `devfn` of their PciDevice, and what stands here,
 * before they are realized.
 */
#ifndef EMU_PCI_CHIPSET_H
#define EMU_PCI_CHIPSET_H

#include "emu/core/isa.h"
#include "emu/pci/pci-bus.h"

/* i440fx.c: the host bridge, function 0 of slot 0. Outputs: "smram", as long as that is in front of what lies there for
 * processors in system management mode. */
extern const DeviceType i440fx_type;
enum { I440FX_SMRAM = 0xa0000, I440FX_SMRAM_SIZE = 0x20000 };

/* The guest's memory, borrowed. What is beyond the option below_4g lies at 4 GiB. */
void i440fx_set_ram(Device *dev, RamArea *ram);

/*
 * piix3.c: the bridge to the ISA bus. Inputs: "pirq" 0 to 3 (of the PCI bus), "isa" 0 to 15. Outputs: "irq" 0 to 15,
 * which lead to the interrupt controllers, and "reset".
 */
extern const DeviceType piix3_type;

/* The bus that it owns, whose lines lead to "isa". */
IsaBus *piix3_isa(Device *dev);

/*
 * piix4-pm.c: power management and the SMBus, function 3 beside the ISA bridge. Inputs: "power-button" (going up).
 * Outputs: "sci" (IRQ 9), "smi", "shutdown" and "suspend" (pulses). Options: smm (false: there is no system management
 * mode, and ACPI is always on), serial0, serial1, parallel (which the firmware's tables ask for).
 */
extern const DeviceType piix4_pm_type;

/* What it asks the machine for. Any may be NULL. */
typedef struct Piix4Requests {
    void (*eject_slot)(void *opaque, unsigned slot); /* take the devices out of it */
    void (*eject_cpu)(void *opaque, unsigned cpu);   /* the machine takes it out, then calls piix4_pm_set_cpu */
    void (*cpu_status)(void *opaque, unsigned cpu, uint32_t event, uint32_t status); /* of _OST */
    void *opaque;
} Piix4Requests;

void piix4_pm_set_requests(Device *dev, const Piix4Requests *requests);

/* The SMBus that its host controller drives. Before it is realized. */
void piix4_pm_set_smbus(Device *dev, Device *bus);

/* How many processors there can be, at most 288. Before it is realized. */
void piix4_pm_set_cpus(Device *dev, unsigned count);
void piix4_pm_set_cpu(Device *dev, unsigned cpu, uint64_t apic_id, bool present);

/* Tells the guest of a processor that has come, or asks it to let one go. */
void piix4_pm_cpu_plugged(Device *dev, unsigned cpu);
void piix4_pm_cpu_unplug(Device *dev, unsigned cpu);

/* The same of a slot of the PCI bus. */
void piix4_pm_slot_plugged(Device *dev, unsigned slot);
void piix4_pm_slot_unplug(Device *dev, unsigned slot);

/* The slots that it was asked to empty, and has not yet: a bit each. */
uint32_t piix4_pm_slots_leaving(const Device *dev);

/* After the reset that ends a suspend: what has woken it, as bits of the PM1 status (ACPI_RTC, ...) or 0. */
void piix4_pm_wake(Device *dev, uint16_t reason);

#endif
