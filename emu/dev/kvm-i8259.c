/*
 * kvm-i8259.c: one of the two 8259A in KVM. Not modelled here: anything, the kernel does it all; it has no ICW1's SNGL.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "emu/core/machine.h"
#include "emu/dev/dev.h"
#include "emu/dev/i8259.h"
#include "emu/dev/kvm-chips.h"

typedef struct KvmI8259 {
    Device dev;
    Kvm *kvm;
    bool master;
    I8259State s;
} KvmI8259;

enum { MASTER_ELCR_MASK = 0xf8, SLAVE_ELCR_MASK = 0xde };

static bool pull(void *opaque, GError **error)
{
    KvmI8259 *p = opaque;
    struct kvm_irqchip chip = {.chip_id = p->master ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE};
    const struct kvm_pic_state *k = &chip.chip.pic;

    if (ioctl(p->kvm->vm, KVM_GET_IRQCHIP, &chip) < 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "KVM does not tell the state of the %s: %s",
                    p->master ? "master" : "slave", g_strerror(errno));
        return false;
    }
    p->s = (I8259State){.last_irr = k->last_irr,
                        .irr = k->irr,
                        .imr = k->imr,
                        .isr = k->isr,
                        .priority_add = k->priority_add,
                        .irq_base = k->irq_base,
                        .read_reg_select = k->read_reg_select,
                        .poll = k->poll,
                        .special_mask = k->special_mask,
                        .init_state = k->init_state,
                        .auto_eoi = k->auto_eoi,
                        .rotate_on_auto_eoi = k->rotate_on_auto_eoi,
                        .special_fully_nested_mode = k->special_fully_nested_mode,
                        .init4 = k->init4,
                        .elcr = k->elcr};
    return true;
}

static void push(void *opaque)
{
    KvmI8259 *p = opaque;
    const I8259State *s = &p->s;
    struct kvm_irqchip chip = {.chip_id = p->master ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE};

    chip.chip.pic = (struct kvm_pic_state){.last_irr = s->last_irr,
                                           .irr = s->irr,
                                           .imr = s->imr,
                                           .isr = s->isr,
                                           .priority_add = s->priority_add,
                                           .irq_base = s->irq_base,
                                           .read_reg_select = s->read_reg_select,
                                           .poll = s->poll,
                                           .special_mask = s->special_mask,
                                           .init_state = s->init_state,
                                           .auto_eoi = s->auto_eoi,
                                           .rotate_on_auto_eoi = s->rotate_on_auto_eoi,
                                           .special_fully_nested_mode = s->special_fully_nested_mode,
                                           .init4 = s->init4,
                                           .elcr = s->elcr,
                                           .elcr_mask = p->master ? MASTER_ELCR_MASK : SLAVE_ELCR_MASK};
    if (ioctl(p->kvm->vm, KVM_SET_IRQCHIP, &chip) < 0)
        kvm_keep_failure(p->kvm, p->master ? "setting the master" : "setting the slave");
}

static const VMStateDescription kvm_i8259_state = {
    .name = "i8259",
    .version = 1,
    .minimum = 1,
    .size = sizeof(I8259State),
    .fields = i8259_fields,
    .check = i8259_check,
    .pull = pull,
    .push = push,
};

static void reset(Device *dev)
{
    KvmI8259 *p = (KvmI8259 *)dev;

    p->s = (I8259State){.init_state = I8259_READY};
    push(p);
}

static bool realize(Device *dev, GError **error)
{
    (void)error;
    i8259_number(dev, ((KvmI8259 *)dev)->master);
    return true;
}

static const DeviceType kvm_i8259_type = {
    .name = "kvm-i8259",
    .about = "8259A interrupt controller in KVM, one of a pair",
    .size = sizeof(KvmI8259),
    .state = &kvm_i8259_state,
    .state_offset = offsetof(KvmI8259, s),
    .realize = realize,
    .reset = reset,
};

Device *kvm_i8259_new(Kvm *kvm, bool master)
{
    KvmI8259 *p = (KvmI8259 *)device_new(&kvm_i8259_type);

    p->kvm = kvm;
    p->master = master;
    return &p->dev;
}
