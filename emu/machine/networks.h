/* networks.h: the networks that a Vm has, and those that come and go while it is there. */
#ifndef EMU_MACHINE_NETWORKS_H
#define EMU_MACHINE_NETWORKS_H

#include "emu/machine/vm.h"

typedef struct VmNetwork {
    const QmpNetdev *options; /* what it was made of; borrowed */
    bool used;                /* it has a card */
} VmNetwork;

size_t vm_network_count(const Vm *vm);
VmNetwork vm_network(const Vm *vm, size_t index);

/* Opens it. */
bool vm_add_network(Vm *vm, const QmpNetdev *options, GError **error);

/* It must not have a card. */
bool vm_remove_network(Vm *vm, const char *id, GError **error);

#endif
