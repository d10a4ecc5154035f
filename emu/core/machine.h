/*
 * machine.h: owns everything of one machine, and is passed as an argument. Two of them live in one process.
 *
 * Here is what any machine has; emu/machine/ builds a PC of it. The lock is held by whoever touches a device, a space
 * or a clock; memory is read and written without it.
 */
#ifndef EMU_CORE_MACHINE_H
#define EMU_CORE_MACHINE_H

#include "emu/core/clock.h"
#include "emu/core/device.h"
#include "emu/core/space.h"
#include "vmstate/section.h"

struct Machine {
    GRecMutex *lock; /* its own, or one that it shares */
    GRecMutex own_lock;
    Clock *virtual_clock; /* ns the guest has run: stands while the machine does */
    Clock *host_clock;    /* ns since 1970 by the host */
    Space *memory, *ports;
    SectionList *sections; /* in the order in which they are saved */
    GPtrArray *areas;      /* of RamArea, owned; in the order in which a stream lists them */
    GPtrArray *devices;    /* of Device, owned; freed in reverse order */
    GPtrArray *names;      /* of sections */
    bool running;
    GArray *runners;     /* who is told when it starts and stops */
    struct Bells *bells; /* bell.h: who lets a guest ring without leaving it; owned; NULL: nobody */
};

/* Told with the lock. */
typedef void MachineRuns(void *opaque, bool runs);

/* Where the time of its clocks comes from: borrowed functions, called with `opaque`. */
typedef struct MachineClocks {
    ClockTime *virtual_time, *host_time;
    void *opaque;
} MachineClocks;

Machine *machine_new(const MachineClocks *clocks);

/* Before anybody has its lock: from now on it is this one (borrowed), of what was there before the machine. */
void machine_share_lock(Machine *machine, GRecMutex *lock);
void machine_free(Machine *machine);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Machine, machine_free)

/* Takes a realized device; see device_realize, which calls it. */
void machine_add_device(Machine *machine, Device *dev);

/* Takes it out, unrealizes and frees it. No line may lead to it any more. */
void machine_remove_device(Machine *machine, Device *dev);

/* Copies *section and its name. */
void machine_add_section(Machine *machine, const Section *section);

/* Takes an area of guest memory; its name must be new. */
void machine_add_ram(Machine *machine, RamArea *area);
RamArea *machine_find_ram(const Machine *machine, const char *name);

/* Takes it out and frees it. It is mapped nowhere. */
void machine_remove_ram(Machine *machine, RamArea *area);

/*
 * What is outside the machine's clocks (the kernel's timers, a backend) goes along with the machine: it is told when
 * the machine starts, in the order of registration, and when it stops, in reverse order. A device takes itself out when
 * it is unrealized.
 */
void machine_add_runner(Machine *machine, MachineRuns *runs, void *opaque);
void machine_remove_runner(Machine *machine, void *opaque);
void machine_set_running(Machine *machine, bool runs);

/* Resets all devices, in the order in which they were realized. */
void machine_reset(Machine *machine);

static inline void machine_lock(Machine *machine)
{
    g_rec_mutex_lock(machine->lock);
}

static inline void machine_unlock(Machine *machine)
{
    g_rec_mutex_unlock(machine->lock);
}

#endif
