/*
 * pc.h: the PC that QEMU 7.2 calls pc-i440fx-7.2: all its chips, wired.
 *
 * With KVM it has processors, and the kernel's interrupt controllers and timer; without, it is all there but that
 * nobody runs it: so streams can be loaded into it, looked at and saved again on any machine.
 */
#ifndef EMU_MACHINE_PC_H
#define EMU_MACHINE_PC_H

#include "emu/chardev/chardev.h"
#include "emu/core/loop.h"
#include "emu/dev/ide.h"
#include "emu/kvm/kvm.h"
#include "emu/machine/state.h"

enum { PC_CPUS_MAX = 8, PC_SERIAL_PORTS = 4, PC_SLOT_ANY = -1 };

typedef struct Pc Pc;

/* What happens to it that is not the machine's own business. Told on the loop's thread, with the lock. */
typedef struct PcEvents {
    void (*powered_off)(void *opaque);                 /* the guest has switched it off; it stands */
    void (*reset)(void *opaque);                       /* it was reset */
    void (*failed)(void *opaque, const char *failure); /* KVM cannot go on; it stands */
    void (*ejected)(void *opaque, uint32_t slots); /* of the PCI bus, a bit each: their cards go; processors stand */
    void *opaque;
} PcEvents;

/* A kernel that is started without firmware: Linux, or an ELF file with a note of PVH or a header of multiboot. */
typedef struct PcKernel {
    const char *path;         /* NULL: the firmware starts */
    const char *initrd;       /* NULL: none; of multiboot, modules with their arguments, with commas between them */
    const char *command_line; /* NULL: empty */
} PcKernel;

/* What its processors are, as cpu-model.h has it. */
typedef struct PcCpu {
    const char *model;          /* NULL: all that KVM supports */
    const CpuSetting *settings; /* borrowed until pc_begin returns */
    size_t setting_count;
    CpuTopology topology; /* zeros: a socket for each */
} PcCpu;

/* System management mode. */
typedef enum PcSmm {
    PC_SMM_AUTO, /* if KVM has it */
    PC_SMM_ON,   /* fails if it has not */
    PC_SMM_OFF,
} PcSmm;

typedef struct PcOptions {
    uint64_t ram;  /* octets, a multiple of a page */
    unsigned cpus; /* 1 to PC_CPUS_MAX */
    PcCpu cpu;
    uint8_t uuid[16];      /* highest octet first */
    const char *bios;      /* path of the firmware: a multiple of 64 KiB, at most 16 MiB; NULL: none */
    const char *vapic_rom; /* path of kvmvapic.bin, which the firmware runs; NULL: none */
    PcKernel kernel;
    bool kvm;       /* processors run on KVM */
    KvmChips chips; /* where interrupt controllers are, then; one that KVM has not at all is here */
    PcSmm smm;
    GRecMutex *lock; /* the machine's; NULL: one of its own */
    PcEvents events;

    /* Can be set until pc_complete; what they point to is borrowed. */
    Chardev *serial[PC_SERIAL_PORTS]; /* NULL: the port is not there */
    Chardev *debug;                   /* what is written to port 0x402; NULL: the port is not there */
    IdeUnit ide[IDE_BUSES][IDE_UNITS];
    const char *boot_order; /* letters a, c, d, n; NULL: "cad" */
    const char *boot_once;  /* the same, until the first reset; NULL: boot_order */
    bool boot_menu, has_menu_wait, has_fail_wait;
    uint16_t menu_wait;     /* ms that the menu stays */
    int32_t fail_wait;      /* ms until the firmware tries again; -1, as if nothing is said: never */
    const char *boot_paths; /* Open Firmware paths of devices, a line each; NULL: none */
    int64_t rtc_offset;     /* seconds that its clock is ahead of the host's */
} PcOptions;

/*
 * A PC is made in two steps. After the first it has memory, processors and a lock, with which backends can be made;
 * then devices are plugged in, and the second step makes the chips and puts all in place. The context is the one of the
 * loop. The machine stands, as after power on. pc_new does both.
 */
Pc *pc_begin(const PcOptions *options, GMainContext *context, GError **error);
PcOptions *pc_options(Pc *pc);
bool pc_complete(Pc *pc, GError **error);
Pc *pc_new(const PcOptions *options, GMainContext *context, GError **error);

/*
 * Takes a device that is not realized: pc_complete does that. A PCI device gets the slot and function, or the first
 * slot that is free; fails if that is taken or there is none, and then the device is still the caller's.
 */
bool pc_plug_pci(Pc *pc, Device *dev, int slot, unsigned function, GError **error);
void pc_plug(Pc *pc, Device *dev);

/*
 * After pc_complete: realizes a card that pc_plug_pci took, and takes it out again. With the lock, and with processors
 * that stand (pc_hold). If it fails the card is the caller's, and its place free.
 */
bool pc_realize_card(Pc *pc, Device *dev, GError **error);
void pc_remove_card(Pc *pc, Device *dev);
void pc_forget_card(Pc *pc, Device *dev); /* in place of pc_realize_card */

/* Tells the guest of a card that has come; asks it to let one go (`ejected`). With the lock. */
void pc_tell_card(Pc *pc, const Device *dev);
void pc_ask_for_card(Pc *pc, const Device *dev);
bool pc_has_plugged(const Pc *pc, const Device *dev);

void pc_free(Pc *pc); /* without the lock */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pc, pc_free)

Machine *pc_machine(Pc *pc);
Loop *pc_loop(Pc *pc);

/* Without the lock, on the loop's thread. */
void pc_start(Pc *pc);
void pc_stop(Pc *pc);

/*
 * Stops it, but not a processor whose thread (gettid(2)) waits for memory: it may do so in the kernel, which holds
 * there what others need to stop, and executes nothing. False: there is one; the others are about to stop, and time
 * goes on.
 */
typedef bool PcWaits(void *opaque, int thread);
bool pc_stop_around(Pc *pc, PcWaits *waits, void *opaque);

/*
 * Of a machine that stands, whose state was saved so many ns ago: its clocks are as QEMU has them then (the RTC tells
 * the host's time, what counts the time that the guest runs goes on where it was), or none has noticed, or kvmclock
 * has, too.
 */
typedef enum PcClocks { PC_CLOCKS_AS_QEMU, PC_CLOCKS_KEEP, PC_CLOCKS_ADVANCE } PcClocks;
void pc_adjust_clocks(Pc *pc, PcClocks policy, int64_t ns);

/* Its processors are about to stop. */
void pc_ask_to_stop(Pc *pc);
bool pc_is_running(const Pc *pc);

/* For this time the processors that run do nothing for the guest. From any thread. */
void pc_rest(Pc *pc, int64_t us);

/* The button on the front, and the one beside it. From any thread. */
void pc_press_power(Pc *pc);
void pc_press_reset(Pc *pc);

/* A CD drive's tray. */
typedef struct PcTray {
    bool open, locked;
} PcTray;

PcTray pc_tray(Pc *pc, unsigned bus, unsigned unit);

/* Where its interrupt controllers are. */
KvmChips pc_chips(const Pc *pc);

/* Has it system management mode? */
bool pc_has_smm(const Pc *pc);

/* What the processors lack that was asked for, a line each; empty: nothing. New string. */
char *pc_cpu_warnings(const Pc *pc);

/* The processors' registers, for people; they stand for a moment. New string. */
char *pc_tell_registers(Pc *pc);

/* What it is in a stream. Borrowed from the program. */
const MachineIdentity *pc_identity(void);

/* What a stream has for what the machine was doing: "running", "paused", ... Before a save, after a load. */
void pc_set_run_state(Pc *pc, const char *name);
const char *pc_run_state(Pc *pc);

#endif
