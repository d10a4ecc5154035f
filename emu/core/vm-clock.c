/* vm-clock.c: the time that a guest has run. */
#include "emu/core/vm-clock.h"

#include <time.h>

#include "emu/core/clock.h"

static int64_t host_ns(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return t.tv_sec * (int64_t)NS_PER_SECOND + t.tv_nsec;
}

void vm_clock_init(VmClock *clock)
{
    *clock = (VmClock){.running = false};
    g_mutex_init(&clock->mutex);
}

void vm_clock_done(VmClock *clock)
{
    g_mutex_clear(&clock->mutex);
}

static int64_t shown(const VmClock *clock)
{
    return clock->running ? host_ns(CLOCK_MONOTONIC) + clock->at_ns : clock->at_ns;
}

int64_t vm_clock_virtual_time(void *opaque)
{
    VmClock *clock = opaque;

    g_mutex_lock(&clock->mutex);
    int64_t now = shown(clock);
    g_mutex_unlock(&clock->mutex);
    return now;
}

int64_t vm_clock_host_time(void *opaque)
{
    (void)opaque;
    return host_ns(CLOCK_REALTIME);
}

/* The same time, running or standing from now on. */
static void turn(VmClock *clock, bool running)
{
    g_mutex_lock(&clock->mutex);
    int64_t now = shown(clock);
    clock->running = running;
    clock->at_ns = running ? now - host_ns(CLOCK_MONOTONIC) : now;
    g_mutex_unlock(&clock->mutex);
}

void vm_clock_start(VmClock *clock)
{
    turn(clock, true);
}

void vm_clock_stop(VmClock *clock)
{
    turn(clock, false);
}

void vm_clock_set(VmClock *clock, int64_t ns)
{
    g_mutex_lock(&clock->mutex);
    clock->at_ns = clock->running ? ns - host_ns(CLOCK_MONOTONIC) : ns;
    g_mutex_unlock(&clock->mutex);
}
