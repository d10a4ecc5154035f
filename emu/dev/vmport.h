/*
 * vmport.h: the port by which a guest talks to its hypervisor as if that was VMware's.
 *
 * It is the vCPU's registers that carry a command and its answer, not the port. Who has vCPUs gives the means to get at
 * them; so this knows nothing of KVM.
 */
#ifndef EMU_DEV_VMPORT_H
#define EMU_DEV_VMPORT_H

#include "emu/core/device.h"

typedef struct VmportRegisters {
    uint32_t eax, ebx, ecx, edx, esi, edi;
} VmportRegisters;

/* The registers of the vCPU whose access to the port is being handled. An `in` gets eax as its value, too. */
typedef struct VmportCpu {
    void (*get)(void *opaque, VmportRegisters *registers);
    void (*set)(void *opaque, const VmportRegisters *registers);
    void *opaque; /* borrowed */
} VmportCpu;

/* What a command does; it changes the registers. */
typedef void VmportCommand(void *opaque, VmportRegisters *registers);

enum { VMPORT_COMMANDS = 64 };

/* Both before it is realized. Without a vCPU the port is as if it was not there. */
void vmport_set_cpu(Device *vmport, const VmportCpu *cpu);
void vmport_set_memory(Device *vmport, uint64_t size); /* of the guest, in octets */

/* Another device takes a command, below VMPORT_COMMANDS; NULL gives it back. */
void vmport_register(Device *vmport, unsigned command, VmportCommand *handler, void *opaque);

#endif
