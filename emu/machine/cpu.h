/*
 * cpu.h: a processor as devices of a machine: its three sections, and between them and KVM the processor itself.
 */
#ifndef EMU_MACHINE_CPU_H
#define EMU_MACHINE_CPU_H

#include "emu/dev/lapic.h"
#include "emu/kvm/vcpu.h"

/* A processor's devices, to be realized in the order in which a stream has their sections; all of them or none. */
typedef struct CpuDevices {
    Device *common, *cpu, *apic;
} CpuDevices;

/*
 * vcpu: borrowed, outlives them; NULL: nobody runs it, and the sections are all there is of it. bus: where its LAPIC
 * is, NULL: that is KVM's.
 */
CpuDevices cpu_devices_new(unsigned index, Vcpu *vcpu, LapicBus *bus);

#endif
