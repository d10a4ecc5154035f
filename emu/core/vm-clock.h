/*
 * vm-clock.h: the time that a guest has run, and the host's wall clock, as sources for a machine's clocks.
 *
 * A VmClock stands when it is made, and counts while it runs. It may be asked from any thread.
 */
#ifndef EMU_CORE_VM_CLOCK_H
#define EMU_CORE_VM_CLOCK_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct VmClock {
    GMutex mutex; /* of these: */
    bool running;
    int64_t at_ns; /* what it shows while it stands; running: what it is ahead of the host's monotonic clock */
} VmClock;

void vm_clock_init(VmClock *clock);
void vm_clock_done(VmClock *clock);

/* ClockTime functions; the opaque is the VmClock. */
int64_t vm_clock_virtual_time(void *opaque);
int64_t vm_clock_host_time(void *opaque);

void vm_clock_start(VmClock *clock);
void vm_clock_stop(VmClock *clock);

/* Makes it show that time, and go on from there if it runs. */
void vm_clock_set(VmClock *clock, int64_t ns);

#endif
