/*
 * kvmvapic.h: the port by which the option ROM kvmvapic.bin says where it is.
 *
 * It does so by where its instruction is. Who has vCPUs gives the means to know; so the chip knows nothing of KVM.
 */
#ifndef EMU_DEV_KVMVAPIC_H
#define EMU_DEV_KVMVAPIC_H

#include "emu/core/device.h"

/* The linear address of the instruction whose access to a port is being handled; false: nobody knows. */
typedef bool KvmvapicWhere(void *opaque, uint64_t *address);

/* Before it is realized; `opaque` is borrowed. Without, what is written to the port is ignored. */
void kvmvapic_set_cpu(Device *dev, KvmvapicWhere *where, void *opaque);

#endif
