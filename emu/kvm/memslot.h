/* memslot.h: keeps the memory slots of KVM like the flat view of a machine's memory. */
#ifndef EMU_KVM_MEMSLOT_H
#define EMU_KVM_MEMSLOT_H

#include "emu/kvm/kvm.h"

typedef struct KvmSlot {
    uint64_t base, size; /* size 0: the slot is free */
    uint8_t *host;
    bool read_only;
    bool own; /* the memory is only there for this slot */
} KvmSlot;

/* For a virtual machine that has ended. */
void kvm_free_slots(Kvm *kvm);

#endif
