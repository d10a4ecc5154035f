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
#include "emu/machine/state.h"

enum { PC_CPUS_MAX = 8, PC_SERIAL_PORTS = 4 };

typedef struct Pc Pc;

/* What happens to it that is not the machine's own business. Told on the loop's thread, with the lock. */
typedef struct PcEvents {
    void (*powered_off)(void *opaque);                 /* the guest has switched it off; it stands */
    void (*reset)(void *opaque);                       /* it was reset */
    void (*failed)(void *opaque, const char *failure); /* KVM cannot go on; it stands */
    void *opaque;
} PcEvents;

typedef struct PcOptions {
    uint64_t ram;                     /* octets, a multiple of a page */
    unsigned cpus;                    /* 1 to PC_CPUS_MAX */
    uint8_t uuid[16];                 /* highest octet first */
    const char *bios;                 /* path of the firmware: a multiple of 64 KiB, at most 16 MiB; NULL: none */
    bool kvm;                         /* processors run on KVM */
    Chardev *serial[PC_SERIAL_PORTS]; /* borrowed; NULL: the port is not there */
    Chardev *debug;                   /* what is written to port 0x402; borrowed; NULL: the port is not there */
    PcEvents events;
} PcOptions;

/* The context is the one of the loop. The machine stands, as after power on. */
Pc *pc_new(const PcOptions *options, GMainContext *context, GError **error);
void pc_free(Pc *pc); /* without the lock */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pc, pc_free)

Machine *pc_machine(Pc *pc);
Loop *pc_loop(Pc *pc);

/* Without the lock, on the loop's thread. */
void pc_start(Pc *pc);
void pc_stop(Pc *pc);
bool pc_is_running(const Pc *pc);

/* The button on the front, and the one beside it. From any thread. */
void pc_press_power(Pc *pc);
void pc_press_reset(Pc *pc);

/* What it is in a stream. Borrowed from the program. */
const MachineIdentity *pc_identity(void);

/* What a stream has for what the machine was doing: "running", "paused", ... Before a save, after a load. */
void pc_set_run_state(Pc *pc, const char *name);
const char *pc_run_state(Pc *pc);

#endif
