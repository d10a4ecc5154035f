/*
 * piix4-pm-impl.h: what the two files of the PIIX4's power management share.
 */
#ifndef EMU_PCI_PIIX4_PM_IMPL_H
#define EMU_PCI_PIIX4_PM_IMPL_H

#include "emu/pci/acpi.h"
#include "emu/pci/chipset.h"
#include "emu/pci/smbus.h"

enum { PORTS_PM1, PORTS_TIMER, PORTS_SMBUS, PORTS_APM, PORTS_GPE, PORTS_PCI, PORTS_CPU, PORTS };

typedef struct Apm {
    uint8_t apmc, apms;
} Apm;

typedef struct MemoryHotplug {
    uint32_t selector;
} MemoryHotplug;

typedef struct PmState {
    PciState parent_obj;
    AcpiRegisters ar;
    Apm apm;
    SmbusHostState smb;
    AcpiPciHotplug acpi_pci_hotplug;
    MemoryHotplug acpi_memory_hotplug;
    bool cpu_modern; /* the guest knows the newer way of processor hot plug */
    AcpiCpuHotplug cpuhp_state;
} PmState;

/* The state's description depends on how many processors there can be: so each device has its own. */
typedef struct PmDescription {
    AcpiCpuDescription cpus;
    VMStateField cpuhp_fields[2];
    VMStateDescription cpuhp, state;
    VMStateSubsection subsections[3];
    DeviceType type;
} PmDescription;

typedef struct Pm {
    PciDevice pci;
    Irq sci, smi, shutdown, suspend;
    bool smm, serial0, serial1, parallel; /* options */
    bool button;                          /* the power button, now */
    Smbus *smbus;
    Piix4Requests requests;
    AcpiCpuTable cpus;
    Acpi acpi;
    uint64_t bases[PORTS]; /* where they are mapped; 0: nowhere */
    SpaceId ids[PORTS];
    PmDescription own;
    PmState s;
} Pm;

/* Ports of piix4-hotplug.c; the opaque is the Pm. */
extern const IoOps piix4_pci_hotplug_ops, piix4_cpu_hotplug_ops;

#endif
