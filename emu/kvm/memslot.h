/* memslot.h: keeps the memory slots of KVM like the flat view of a machine's memory. */
#ifndef EMU_KVM_MEMSLOT_H
#define EMU_KVM_MEMSLOT_H

#include "emu/kvm/kvm.h"

typedef struct KvmSlot {
    uint64_t base, size; /* size 0: the slot is free */
    uint8_t *host;
    RamArea *ram; /* whose memory it is, and where in it; NULL: nobody's */
    uint64_t offset;
    bool read_only;
    bool own;           /* the memory is only there for this slot */
    struct KvmLog *log; /* what is written to it; NULL: nobody asks */
} KvmSlot;

/* Its number for KVM. */
static inline unsigned kvm_slot_number(unsigned space, unsigned i)
{
    return i | space << 16;
}

/* Tells KVM anew of a slot that is there: whether it is logged. False: errno says why. */
bool kvm_set_slot_flags(const Kvm *kvm, unsigned space, unsigned i);

/* dirty.c: is that slot to be logged? And what is to be kept for one that is. */
typedef struct KvmLog KvmLog;
bool kvm_slot_is_logged(const Kvm *kvm, const KvmSlot *slot);
void kvm_slot_comes(KvmSlot *slot);
void kvm_slot_goes(KvmSlot *slot);
void kvm_slot_end_log(KvmSlot *slot); /* whatever was in it */

/* For a virtual machine that has ended. */
void kvm_free_slots(Kvm *kvm);

#endif
