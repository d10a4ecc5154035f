/* pc-impl.h: what the files of the PC share. Only included by them. */
#ifndef EMU_MACHINE_PC_IMPL_H
#define EMU_MACHINE_PC_IMPL_H

#include "emu/boot/acpi.h"
#include "emu/boot/smbios.h"
#include "emu/core/isa.h"
#include "emu/core/vm-clock.h"
#include "emu/dev/lapic.h"
#include "emu/kvm/vcpu.h"
#include "emu/machine/pc.h"
#include "emu/pci/pci.h"

enum { PC_PIIX_SLOT = 1 };

/* The chips that others know of; the machine owns them. */
typedef struct PcChips {
    Device *pic[2], *ioapic, *pit, *hpet, *rtc, *kvm_clock, *fw_cfg, *host, *bus, *i440fx, *piix3, *piix4_pm, *smbus,
        *dma[2];
    Device *pcspk, *ide, *fdc, *keyboard, *mouse, *pckbd, *vmport, *vmmouse, *port92, *acpi_build, *globalstate,
        *boot_cpu;
} PcChips;

struct Pc {
    PcOptions options;
    VmClock time;
    Machine *machine;
    Loop *loop;
    GSource *request_source;
    Kvm *kvm;            /* NULL: nobody runs it */
    KvmChips chip_place; /* where interrupt controllers and the PIT are, if somebody does */
    bool smm;            /* writes to the APM control port lead to system management mode */
    LapicBus lapics;     /* those that are not KVM's, and the 8259As' line to any */
    Vcpu *vcpus[PC_CPUS_MAX];
    RamArea *ram, *bios, *rom;
    IsaBus *isa;
    PcChips chips;
    GPtrArray *plugged, *cards; /* of Device, until they are realized: without a bus, and on the PCI bus */
    uint8_t slots[PCI_SLOTS];   /* functions that are taken, a bit each */
    Irq lines[KVM_IRQS];        /* of the interrupt controllers: 0 to 15 are ISA's, 16 to 23 the I/O APIC's only */
    GMutex requests_mutex;
    unsigned requests; /* PcRequest, of the loop's thread */
    uint32_t ejected;  /* with PC_REQUEST_EJECT: slots, a bit each */
    struct AcpiInstall *acpi;
    char *failure; /* of a processor */
    bool wanted;   /* it was started, and is to be again after a reset */
};

/* Lines that go up call for something that only the loop's thread can do. */
typedef enum PcRequest {
    PC_REQUEST_RESET = 1 << 0,
    PC_REQUEST_POWER_OFF = 1 << 1,
    PC_REQUEST_FAILURE = 1 << 2,
    PC_REQUEST_EJECT = 1 << 3,
} PcRequest;

static inline bool pc_has_kvm_chips(const Pc *pc)
{
    return pc->kvm && pc->chip_place == KVM_CHIPS_ALL;
}

/* From any thread. */
void pc_request(Pc *pc, PcRequest request);
void pc_request_eject(Pc *pc, unsigned slot);

/* pc-memory.c: memory and firmware, what is mapped where. */
bool pc_build_memory(Pc *pc, GError **error);

/* pc-kernel.c: what a file has. New; NULL with an error. */
GBytes *pc_read_file(const char *path, GError **error);

/* pc-board.c: all chips, wired, in the order in which QEMU's stream has them. */
bool pc_build_board(Pc *pc, GError **error);

/* pc-kernel.c: puts the kernel of the options into memory and starts the first processor there, as after a reset. */
bool pc_boot_kernel(Pc *pc, GError **error);

/* What the firmware, ACPI tables and kernels are told. */
BootPc pc_boot_info(const Pc *pc);
AcpiPc pc_acpi_info(const Pc *pc);
SmbiosPc pc_smbios_info(const Pc *pc);

/* pc-firmware.c: fw_cfg, CMOS memory, ACPI and SMBIOS tables. Behind the board. */
bool pc_fill_firmware(Pc *pc, GError **error);

/* The order that was for once is over. */
void pc_boot_as_always(Pc *pc);

#endif
