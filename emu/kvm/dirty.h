/*
 * dirty.h: which pages processors have written, and the kernel for them: KVM's log of each memory slot.
 *
 * KVM write-protects pages to notice. Where it can (KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2) that is done in pieces, not
 * when the log is read but just before pages are sent, so no guest waits long for it; everywhere else reading the log
 * protects all. Slots may come and go meanwhile: what a slot had that goes counts as written.
 *
 * All of it belongs to the machine's lock, and adds to the marks of emu/core/dirty.h, which must be on.
 */
#ifndef EMU_KVM_DIRTY_H
#define EMU_KVM_DIRTY_H

#include "emu/kvm/kvm.h"

/* False: KVM cannot, and nothing has changed. */
bool kvm_dirty_start(Kvm *kvm, GError **error);
void kvm_dirty_stop(Kvm *kvm);

/* Marks what was written. Until kvm_dirty_clear a page may come again. */
bool kvm_dirty_sync(Kvm *kvm, GError **error);

/* These pages of the area are about to be read: what is written to them from now on is noted anew. */
void kvm_dirty_clear(Kvm *kvm, const RamArea *area, uint64_t first, uint64_t count);

#endif
