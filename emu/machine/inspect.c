/*
 * inspect.c: a PC from outside.
 *
 * Source of the page tables' form: AMD64 Architecture Programmer's Manual, volume 2, sections 5.1 to 5.4.
 */
#include "emu/machine/inspect.h"

#include <string.h>
#include <unistd.h>

#include "emu/machine/pc-impl.h"

const PciBus *pc_bus(const Pc *pc)
{
    return (const PciBus *)pc->chips.bus;
}

Device *pc_keyboard(const Pc *pc)
{
    return pc->chips.keyboard;
}

const RamArea *pc_ram(const Pc *pc)
{
    return pc->ram;
}

const Kvm *pc_kvm(const Pc *pc)
{
    return pc->kvm;
}

int pc_thread_id(const Pc *pc, unsigned cpu)
{
    return pc->vcpus[cpu] ? vcpu_thread_id(pc->vcpus[cpu]) : (int)getpid();
}

/* --- processors -------------------------------------------------------------------------------------------------- */

static Device *find_cpu_part(const Pc *pc, const char *type, unsigned cpu)
{
    for (guint i = 0; i < pc->machine->devices->len; i++) {
        Device *dev = pc->machine->devices->pdata[i];
        if (dev->instance == cpu && strcmp(dev->type->name, type) == 0)
            return dev;
    }
    return NULL;
}

static bool pull(Pc *pc, const char *type, unsigned cpu, void *state, GError **error)
{
    Device *dev = find_cpu_part(pc, type, cpu);

    machine_lock(pc->machine);
    const VMStateDescription *desc = dev->type->state;
    bool ok = !desc->pull || desc->pull(dev, error);
    if (ok)
        memcpy(state, device_state(dev), desc->size);
    machine_unlock(pc->machine);
    return ok;
}

bool pc_cpu_state(Pc *pc, unsigned cpu, CpuState *state, GError **error)
{
    return pull(pc, "cpu", cpu, state, error);
}

/* A LAPIC lets it through if LINT1 is not masked and is to be one. */
static bool inject(Pc *pc, unsigned cpu, GError **error)
{
    enum { LINT1 = 4, MASKED = 1 << 16, MODE = 7 << 8, MODE_NMI = 4 << 8 };
    ApicState apic;

    if (!pull(pc, "apic", cpu, &apic, error))
        return false;
    if ((apic.lvt[LINT1] & MASKED) || (apic.lvt[LINT1] & MODE) != MODE_NMI)
        return true;
    if (pc->chip_place != KVM_CHIPS_NONE)
        return vcpu_nmi(pc->vcpus[cpu], error);
    machine_lock(pc->machine);
    Irq pin = device_input(find_cpu_part(pc, "apic", cpu), "lint1", 0);
    irq_pulse(&pin);
    machine_unlock(pc->machine);
    return true;
}

bool pc_inject_nmi(Pc *pc, GError **error)
{
    bool ran = pc_hold(pc), ok = true;

    for (unsigned i = 0; i < pc->options.cpus && pc->kvm && ok; i++)
        ok = inject(pc, i, error);
    pc_go_on(pc, ran);
    return ok;
}

/* --- page tables -------------------------------------------------------------------------------------------------- */

enum {
    ENTRY_PRESENT = 1 << 0,
    ENTRY_LARGE = 1 << 7,
    PAGE_SHIFT = 12,
    CR4_PSE = 1 << 4,
    CR4_PAE = 1 << 5,
    CR4_LA57 = 1 << 12,
    EFER_LMA = 1 << 10,
};
#define CR0_PG     (UINT64_C(1) << 31)
#define ENTRY_ADDR UINT64_C(0x000ffffffffff000)

static uint64_t read_entry(Pc *pc, uint64_t addr, unsigned size)
{
    machine_lock(pc->machine);
    uint64_t entry = space_read(pc->machine->memory, addr, size);
    machine_unlock(pc->machine);
    return entry;
}

/* Two levels of entries with 32 bits. */
static bool walk_32(Pc *pc, const CpuState *s, uint64_t linear, uint64_t *base, unsigned *shift)
{
    uint64_t entry = read_entry(pc, (s->cr3 & 0xfffff000) + (linear >> 22 & 0x3ff) * 4, 4);

    *shift = 22;
    if (!(entry & ENTRY_PRESENT))
        return false;
    if ((entry & ENTRY_LARGE) && (s->cr4 & CR4_PSE)) {
        *base = (entry & 0xffc00000) | (entry & 0x1fe000) << 19; /* PSE-36 */
        return true;
    }
    entry = read_entry(pc, (entry & 0xfffff000) + (linear >> PAGE_SHIFT & 0x3ff) * 4, 4);
    *shift = PAGE_SHIFT;
    *base = entry & 0xfffff000;
    return entry & ENTRY_PRESENT;
}

/* Three to five levels of entries with 64 bits. */
static bool walk_64(Pc *pc, const CpuState *s, uint64_t linear, uint64_t *base, unsigned *shift)
{
    bool lma = s->efer & EFER_LMA;
    int levels = !lma ? 3 : s->cr4 & CR4_LA57 ? 5 : 4;
    uint64_t table = lma ? s->cr3 & ENTRY_ADDR : s->cr3 & 0xffffffe0, entry = 0;

    for (int level = levels - 1; level >= 0; level--) {
        *shift = PAGE_SHIFT + 9 * (unsigned)level;
        entry = read_entry(pc, table + (linear >> *shift & 0x1ff) * 8, 8);
        if (!(entry & ENTRY_PRESENT))
            return false;
        table = entry & ENTRY_ADDR;
        if (level && level < 3 && (lma || level == 1) && (entry & ENTRY_LARGE))
            break;
    }
    *base = table >> *shift << *shift;
    return true;
}

bool pc_translate(Pc *pc, const CpuState *s, uint64_t linear, uint64_t *physical, uint64_t *size)
{
    bool found = true;
    uint64_t base;
    unsigned shift = PAGE_SHIFT;

    if (!(s->efer & EFER_LMA))
        linear &= UINT32_MAX;
    if (!(s->cr0 & CR0_PG))
        base = linear >> shift << shift;
    else
        found = (s->cr4 & CR4_PAE ? walk_64 : walk_32)(pc, s, linear, &base, &shift);
    *size = (UINT64_C(1) << shift) - (linear & ((UINT64_C(1) << shift) - 1));
    if (found)
        *physical = base + (linear & ((UINT64_C(1) << shift) - 1));
    return found;
}
