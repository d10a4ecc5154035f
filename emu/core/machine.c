/* machine.c: what any machine has. */
#include "emu/core/machine.h"

#include <string.h>

#include "emu/core/bell.h"

enum { PORTS = 65536 };

typedef struct Runner {
    MachineRuns *runs;
    void *opaque;
} Runner;

static void free_area(void *area)
{
    ram_area_free(area);
}

Machine *machine_new(const MachineClocks *clocks)
{
    Machine *m = g_new0(Machine, 1);

    g_rec_mutex_init(&m->own_lock);
    m->lock = &m->own_lock;
    m->virtual_clock = clock_new(clocks->virtual_time, clocks->opaque);
    m->host_clock = clock_new(clocks->host_time, clocks->opaque);
    m->memory = space_new(0);
    m->ports = space_new(PORTS);
    m->sections = section_list_new();
    m->areas = g_ptr_array_new_with_free_func(free_area);
    m->devices = g_ptr_array_new();
    m->names = g_ptr_array_new_with_free_func(g_free);
    m->runners = g_array_new(FALSE, FALSE, sizeof(Runner));
    return m;
}

void machine_share_lock(Machine *m, GRecMutex *lock)
{
    m->lock = lock;
}

void machine_free(Machine *m)
{
    if (!m)
        return;
    while (m->devices->len)
        device_free(g_ptr_array_steal_index(m->devices, m->devices->len - 1));
    g_ptr_array_unref(m->devices);
    bells_free(m->bells);
    g_array_unref(m->runners);
    section_list_free(m->sections);
    g_ptr_array_unref(m->names);
    space_free(m->memory);
    space_free(m->ports);
    g_ptr_array_unref(m->areas);
    clock_free(m->virtual_clock);
    clock_free(m->host_clock);
    g_rec_mutex_clear(&m->own_lock);
    g_free(m);
}

void machine_add_device(Machine *m, Device *dev)
{
    g_ptr_array_add(m->devices, dev);
}

void machine_remove_device(Machine *m, Device *dev)
{
    section_list_remove(m->sections, dev);
    g_ptr_array_remove(m->devices, dev);
    device_free(dev);
}

void machine_add_section(Machine *m, const Section *section)
{
    Section copy = *section;

    copy.name = g_strdup(section->name);
    g_ptr_array_add(m->names, (void *)copy.name);
    section_list_add(m->sections, &copy);
}

void machine_add_ram(Machine *m, RamArea *area)
{
    g_ptr_array_add(m->areas, area);
}

void machine_remove_ram(Machine *m, RamArea *area)
{
    g_ptr_array_remove(m->areas, area);
}

RamArea *machine_find_ram(const Machine *m, const char *name)
{
    for (guint i = 0; i < m->areas->len; i++) {
        RamArea *area = g_ptr_array_index(m->areas, i);
        if (strcmp(area->name, name) == 0)
            return area;
    }
    return NULL;
}

void machine_add_runner(Machine *m, MachineRuns *runs, void *opaque)
{
    Runner runner = {.runs = runs, .opaque = opaque};

    g_array_append_val(m->runners, runner);
}

void machine_remove_runner(Machine *m, void *opaque)
{
    for (guint i = m->runners->len; i-- > 0;)
        if (g_array_index(m->runners, Runner, i).opaque == opaque)
            g_array_remove_index(m->runners, i);
}

void machine_set_running(Machine *m, bool runs)
{
    guint n = m->runners->len;

    if (m->running == runs)
        return;
    m->running = runs;
    for (guint i = 0; i < n; i++) {
        const Runner *r = &g_array_index(m->runners, Runner, runs ? i : n - 1 - i);
        r->runs(r->opaque, runs);
    }
}

void machine_reset(Machine *m)
{
    for (guint i = 0; i < m->devices->len; i++)
        device_reset(g_ptr_array_index(m->devices, i));
}
