/*
 * guest-board.h: a PC without processors, for a guest that means no good: all chips, wired as in a PC, clocks that are
 * turned by hand, and means to save and load.
 */
#ifndef TESTS_FUZZ_SUPPORT_GUEST_BOARD_H
#define TESTS_FUZZ_SUPPORT_GUEST_BOARD_H

#include "emu/block/block.h"
#include "emu/chardev/chardev.h"
#include "emu/core/isa.h"
#include "emu/core/machine.h"
#include "emu/dev/lapic.h"
#include "emu/dev/vmport.h"
#include "visitors/bytes.h"

enum {
    GUEST_RAM = 2 << 20,
    GUEST_DMA = 4096,
    GUEST_PCI_SLOTS = 5, /* 2 is a device that has some of everything, 3 the IDE controller, 4 power management */
    GUEST_CD_BUS = 1,
    GUEST_CPUS = 2,
    GUEST_DISK = 256 * 512,
};

typedef enum GuestChip {
    CHIP_BUS,
    CHIP_HOST,
    CHIP_I440FX,
    CHIP_PIIX3,
    CHIP_GADGET,
    CHIP_IDE,
    CHIP_PIC_MASTER,
    CHIP_PIC_SLAVE,
    CHIP_IOAPIC,
    CHIP_DMA_FIRST,
    CHIP_DMA_SECOND,
    CHIP_PIT,
    CHIP_PCSPK,
    CHIP_HPET,
    CHIP_RTC,
    CHIP_ACPI_BUILD,
    CHIP_FW_CFG,
    CHIP_SERIAL,
    CHIP_FDC,
    CHIP_KEYBOARD,
    CHIP_MOUSE,
    CHIP_PCKBD,
    CHIP_VMPORT,
    CHIP_VMMOUSE,
    CHIP_PORT92,
    CHIP_GLOBALSTATE,
    CHIP_LAPIC, /* of each processor */
    CHIP_LAPIC_LAST = CHIP_LAPIC + GUEST_CPUS - 1,
    CHIP_PIIX4_PM,
    CHIP_SMBUS,
    CHIP_MODULE,
    CHIPS,
} GuestChip;

typedef struct GuestBoard {
    Machine *machine;
    int64_t virtual_ns, host_ns;
    GMainContext *context; /* of the serial line */
    Chardev *chardev;
    RamArea *ram;
    IsaBus *isa;
    Device *chips[CHIPS];
    VmportRegisters registers;
    uint8_t dma[GUEST_DMA];
    Block *disk, *cd;  /* master of the primary cable, medium of the secondary one's */
    bool cd_out;       /* it is not in the drive */
    size_t dma_supply; /* octets that the client has or takes; then it drops its request */
    size_t dma_step;   /* in one call */
    uint8_t dma_lines; /* DREQ, one bit a channel */
    LapicBus lapics;
    uint8_t cpus; /* that are plugged, one bit each */
    bool reset_wanted;

    /* Its chips do not go together, as one was loaded that others know nothing of, or a line was driven by nobody. */
    bool patched;
    bool lossy; /* it is a copy, and lacks what no stream has a place for: its guest may see that */
} GuestBoard;

/* With clocks that show that. */
GuestBoard *guest_board_new(int64_t virtual_ns, int64_t host_ns);
void guest_board_free(GuestBoard *board);

/* Resets the machine if a line or the guest wants that. */
void guest_board_obey(GuestBoard *board);

/* Requests that are in flight end. Then something may happen to the disks: another medium, the button, an error. */
void guest_board_disk_event(GuestBoard *board, unsigned event);

/* What a processor's LAPIC would make it do now: signals, the page of a SIPI, the vector of an interrupt. */
uint64_t guest_board_take(GuestBoard *board, unsigned cpu);

/* The power button; a slot or a processor (number n, of how many there are) that comes or is to go; a wake-up. */
void guest_board_power_event(GuestBoard *board, unsigned event, unsigned n);
void guest_board_set_cpu(GuestBoard *board, unsigned cpu, bool present);

/* Lets the time pass in one jump, as when the host was busy; or stopping at the next `steps` expiries first. */
void guest_board_jump(GuestBoard *board, int64_t ns);
void guest_board_step(GuestBoard *board, int64_t ns, unsigned steps);

/* The client of a DMA channel raises its line, or lowers it; it has, or takes, so much. */
void guest_board_request(GuestBoard *board, unsigned channel, bool level);

typedef enum GuestFormat { GUEST_QEMUFILE, GUEST_BER, GUEST_BER_BY_NAME } GuestFormat;

/* The chip's section, or NULL if it has none. */
const Section *guest_board_section(const GuestBoard *board, GuestChip chip);
void guest_board_save(GuestBoard *board, GuestChip chip, GuestFormat format, ByteOut *octets);

/* All or nothing; aborts if it was refused and has changed something. */
bool guest_board_load(GuestBoard *board, GuestChip chip, GuestFormat format, int version, const ByteOut *octets,
                      GError **error);

/* What is saved must load, and be the same when it is saved then. */
void guest_board_save_and_load(GuestBoard *board, GuestChip chip, GuestFormat format);

/*
 * Another board that has all of this one's state, and the same peers, which go on where they were; what it saves must
 * be the same unless it is patched.
 */
GuestBoard *guest_board_copy(GuestBoard *board);

/* guest-gadget.c */
extern const DeviceType guest_gadget_type;
void guest_gadget_event(Device *gadget, unsigned event);

#endif
