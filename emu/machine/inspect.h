/*
 * inspect.h: a PC from outside: what a monitor asks, of the machine and not of the guest.
 *
 * On the loop's thread, without the lock; what is borrowed is the machine's.
 */
#ifndef EMU_MACHINE_INSPECT_H
#define EMU_MACHINE_INSPECT_H

#include "emu/kvm/vcpu.h"
#include "emu/machine/pc.h"
#include "emu/pci/pci-bus.h"

const PciBus *pc_bus(const Pc *pc);
Device *pc_keyboard(const Pc *pc);

/* Its main memory. */
const RamArea *pc_ram(const Pc *pc);

/* Sockets and so on; all of them there. */
CpuTopology pc_topology(const Pc *pc);

/* NULL: nobody runs it. */
const Kvm *pc_kvm(const Pc *pc);

/* The thread of the host's that a processor runs on; where nobody runs it, the program's first. */
int pc_thread_id(const Pc *pc, unsigned cpu);

/* For a moment its processors stand; true: they ran, and pc_go_on lets them. The state of the machine is as it was. */
bool pc_hold(Pc *pc);
void pc_go_on(Pc *pc, bool ran);

/* A processor's registers. While they stand. */
bool pc_cpu_state(Pc *pc, unsigned cpu, CpuState *state, GError **error);

/* A non-maskable interrupt at the pin LINT1 of each processor, which may be masked there. */
bool pc_inject_nmi(Pc *pc, GError **error);

/* Where a linear address is, by a processor's page tables. False: nowhere. `size`: octets up to the page's end. */
bool pc_translate(Pc *pc, const CpuState *state, uint64_t linear, uint64_t *physical, uint64_t *size);

#endif
