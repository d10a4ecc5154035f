/*
 * acpi.h: the registers of ACPI's fixed hardware, and those by which QEMU's firmware tables learn of PCI devices and
 * processors that come and go.
 *
 * Parts of a chip, which has their state in its own and maps their ports. After each change the chip is told to look at
 * its interrupt line again: acpi_update does it.
 *
 * Source: ACPI Specification 1.0b, section 4.7; for hot plug QEMU's public documents docs/specs/acpi_pci_hotplug and
 * acpi_cpu_hotplug.
 */
#ifndef EMU_PCI_ACPI_H
#define EMU_PCI_ACPI_H

#include "emu/core/clock.h"
#include "emu/core/irq.h"
#include "emu/pci/pci-bus.h"

enum { ACPI_TIMER_HZ = 3579545 };

/* --- fixed hardware --------------------------------------------------------------------------------------------- */

/* Bits of PM1 status and, the lower ones, of PM1 enable. */
enum {
    ACPI_TIMER = 1 << 0,
    ACPI_GLOBAL = 1 << 5,
    ACPI_POWER_BUTTON = 1 << 8,
    ACPI_RTC = 1 << 10,
    ACPI_WAKE = 1 << 15, /* status only */
};

enum { ACPI_SCI_ENABLE = 1 << 0, ACPI_SLEEP_TYPE_SHIFT = 10, ACPI_SLEEP_TYPE = 7, ACPI_SLEEP_ENABLE = 1 << 13 };

typedef struct AcpiGpe {
    uint16_t sts, en;
} AcpiGpe;

typedef struct AcpiRegisters {
    struct {
        struct {
            uint16_t sts, en;
        } evt;
        struct {
            uint16_t cnt;
        } cnt;
    } pm1;
    struct {
        int64_t timer;         /* when the next overflow is told, virtual ns */
        int64_t overflow_time; /* ticks at which the status bit comes */
    } tmr;
    AcpiGpe gpe;
} AcpiRegisters;

extern const VMStateDescription acpi_gpe_state;

typedef struct Acpi {
    AcpiRegisters *regs; /* borrowed: the chip's state */
    Clock *clock;
    const Irq *sci;
    Timer timer;
} Acpi;

void acpi_init(Acpi *acpi, AcpiRegisters *regs, Clock *clock, const Irq *sci);
void acpi_done(Acpi *acpi);

/* All registers are 0. */
void acpi_reset(Acpi *acpi);

/* The timer's status bit and its expiry as they are now, for a save; and the other way, after a load. */
void acpi_pull(Acpi *acpi);
void acpi_push(Acpi *acpi);

/* Drives the line, and arms the timer. */
void acpi_update(Acpi *acpi);

/* 24 bits. */
uint32_t acpi_timer_value(const Acpi *acpi);

uint16_t acpi_status(Acpi *acpi);
void acpi_clear_status(Acpi *acpi, uint16_t bits);

/* An event of PM1: its status bit comes if it is enabled. */
void acpi_event(Acpi *acpi, uint16_t bit);

/* General purpose event 0 to 15. Its registers are octets: two of status, two of enable. */
void acpi_gpe_event(Acpi *acpi, unsigned n);
uint8_t acpi_gpe_read(const Acpi *acpi, unsigned reg);
void acpi_gpe_write(Acpi *acpi, unsigned reg, uint8_t value);

/* --- hot plug of PCI devices ------------------------------------------------------------------------------------ */

enum { ACPI_PCI_BUSES = 256, ACPI_PCI_PORTS = 24, ACPI_GPE_PCI = 1, ACPI_GPE_CPU = 2 };

typedef struct AcpiPciBus {
    uint32_t up, down; /* a bit for each slot */
} AcpiPciBus;

typedef struct AcpiPciHotplug {
    uint32_t hotplug_select;
    AcpiPciBus acpi_pcihp_pci_status[ACPI_PCI_BUSES];
    uint32_t acpi_index;
} AcpiPciHotplug;

extern const VMStateDescription acpi_pci_bus_state;

/* Asks for a slot to be emptied. */
typedef void AcpiEjectSlot(void *opaque, unsigned slot);

uint32_t acpi_pci_read(AcpiPciHotplug *s, const PciBus *bus, unsigned reg);

/* Returns the slot to be emptied, or -1. */
int acpi_pci_write(AcpiPciHotplug *s, const PciBus *bus, unsigned reg, uint32_t value);

/* --- hot plug of processors ------------------------------------------------------------------------------------- */

enum { ACPI_CPUS = 288, ACPI_CPU_PORTS = 32 };

typedef struct AcpiCpu {
    bool is_inserting, is_removing;
    uint32_t ost_event, ost_status;
} AcpiCpu;

typedef struct AcpiCpuHotplug {
    uint32_t selector;
    uint8_t command;
    AcpiCpu devs[ACPI_CPUS]; /* as many as there can be */
} AcpiCpuHotplug;

/* How many there are is not on the wire: both sides must have the same machine. So each has its own description. */
typedef struct AcpiCpuDescription {
    VMStateField fields[4];
    VMStateDescription desc;
} AcpiCpuDescription;

void acpi_cpu_hotplug_describe(AcpiCpuDescription *own, unsigned count);

/* What the machine knows of its processors. */
typedef struct AcpiCpuTable {
    unsigned count; /* possible ones */
    struct {
        uint64_t arch_id; /* APIC id */
        bool present;
        bool by_firmware; /* the firmware is to remove it; in no stream */
    } cpus[ACPI_CPUS];
} AcpiCpuTable;

uint8_t acpi_cpu_read(const AcpiCpuHotplug *s, const AcpiCpuTable *table, bool modern, unsigned reg);

/* What a write asks the machine for. */
typedef struct AcpiCpuRequest {
    enum { ACPI_CPU_NOTHING, ACPI_CPU_MODERN, ACPI_CPU_EJECT, ACPI_CPU_OST } what;
    unsigned cpu;
} AcpiCpuRequest;

/* `size` is 1, 2 or 4. */
AcpiCpuRequest acpi_cpu_write(AcpiCpuHotplug *s, AcpiCpuTable *table, unsigned reg, uint32_t value);

#endif
