/* kvm-ioapic.c: the I/O APIC in KVM. Not modelled here: anything, the kernel does it all. */
#include <errno.h>
#include <sys/ioctl.h>

#include "emu/core/machine.h"
#include "emu/dev/dev.h"
#include "emu/dev/ioapic.h"
#include "emu/dev/kvm-chips.h"

typedef struct KvmIoapic {
    Device dev;
    Kvm *kvm;
    IoapicState s;
} KvmIoapic;

static bool pull(void *opaque, GError **error)
{
    KvmIoapic *p = opaque;
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    const struct kvm_ioapic_state *k = &chip.chip.ioapic;

    if (ioctl(p->kvm->vm, KVM_GET_IRQCHIP, &chip) < 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "KVM does not tell the state of the I/O APIC: %s",
                    g_strerror(errno));
        return false;
    }
    p->s = (IoapicState){.id = (uint8_t)k->id, .ioregsel = (uint8_t)k->ioregsel, .irr = k->irr};
    for (int i = 0; i < IOAPIC_PINS; i++)
        p->s.ioredtbl[i] = k->redirtbl[i].bits;
    return true;
}

static void push(void *opaque)
{
    KvmIoapic *p = opaque;
    struct kvm_irqchip chip = {.chip_id = KVM_IRQCHIP_IOAPIC};
    struct kvm_ioapic_state *k = &chip.chip.ioapic;

    *k = (struct kvm_ioapic_state){
        .base_address = IOAPIC_BASE, .id = p->s.id, .ioregsel = p->s.ioregsel, .irr = p->s.irr};
    for (int i = 0; i < IOAPIC_PINS; i++)
        k->redirtbl[i].bits = p->s.ioredtbl[i];
    if (ioctl(p->kvm->vm, KVM_SET_IRQCHIP, &chip) < 0)
        kvm_keep_failure(p->kvm, "setting the I/O APIC");
}

static const VMStateDescription kvm_ioapic_state = {
    .name = "ioapic",
    .version = 3,
    .minimum = 1,
    .size = sizeof(IoapicState),
    .fields = ioapic_fields,
    .check = ioapic_check,
    .pull = pull,
    .push = push,
};

enum { MASKED = 0x10000 };

static void reset(Device *dev)
{
    KvmIoapic *p = (KvmIoapic *)dev;

    p->s = (IoapicState){.id = 0};
    for (int i = 0; i < IOAPIC_PINS; i++)
        p->s.ioredtbl[i] = MASKED;
    push(p);
}

static const DeviceType kvm_ioapic_type = {
    .name = "kvm-ioapic",
    .about = "I/O APIC in KVM",
    .size = sizeof(KvmIoapic),
    .state = &kvm_ioapic_state,
    .state_offset = offsetof(KvmIoapic, s),
    .reset = reset,
};

Device *kvm_ioapic_new(Kvm *kvm)
{
    KvmIoapic *p = (KvmIoapic *)device_new(&kvm_ioapic_type);

    p->kvm = kvm;
    return &p->dev;
}
