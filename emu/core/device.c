/* device.c: the life of a device, and the lines between them. */
#include "emu/core/device.h"

#include <string.h>

#include "emu/core/machine.h"
#include "vmstate/state.h"

Device *device_new(const DeviceType *type)
{
    Device *dev = g_malloc0(type->size);

    if (type->defaults)
        memcpy(dev, type->defaults, type->size);
    dev->type = type;
    dev->alias_instance = -1;
    return dev;
}

void device_free(Device *dev)
{
    if (!dev)
        return;
    if (dev->machine && dev->type->unrealize)
        dev->type->unrealize(dev);
    if (dev->type->options)
        vms_state_done(dev->type->options, dev);
    if (dev->type->state)
        vms_state_done(dev->type->state, device_state(dev));
    if (dev->reset_state)
        vms_state_free(dev->type->state, dev->reset_state);
    g_free(dev->path);
    g_free(dev);
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

Irq device_input(Device *dev, const char *name, unsigned m)
{
    const DeviceInput *input = dev->type->inputs;

    while (input && input->name && strcmp(input->name, name) != 0)
        input++;
    if (!input || !input->name || m >= input->count)
        g_error("%s has no input %s[%u]", dev->type->name, name, m);
    return (Irq){.handler = input->set, .opaque = dev, .n = m};
}

void device_connect_irq(Device *dev, const char *name, unsigned n, Irq irq)
{
    const DeviceOutput *output = dev->type->outputs;

    while (output && output->name && strcmp(output->name, name) != 0)
        output++;
    if (!output || !output->name || n >= output->count)
        g_error("%s has no output %s[%u]", dev->type->name, name, n);
    ((Irq *)(void *)((char *)dev + output->offset))[n] = irq;
}

void device_connect(Device *dev, const char *output, unsigned n, Device *to, const char *input, unsigned m)
{
    device_connect_irq(dev, output, n, device_input(to, input, m));
}

void device_set(Device *dev, const char *option, uint64_t value)
{
    const VMStateDescription *options = dev->type->options;
    const VMStateField *f = options ? vms_field_find(options, option, 0, NULL) : NULL;

    if (!f || f->kind != VMS_SCALAR || f->array || f->size > sizeof value ||
        (f->size < sizeof value && value >> f->size * 8))
        g_error("%s has no option %s that could be %" G_GUINT64_FORMAT, dev->type->name, option, value);
    memcpy((char *)dev + f->offset, &value, f->size); /* little-endian */
}

/* --- life ------------------------------------------------------------------------------------------------------- */

/* Not copied with what the struct owns: a state struct has no pointers. */
static void keep_reset_state(Device *dev)
{
    const VMStateDescription *state = dev->type->state;

    if (!state)
        return;
    dev->reset_state = vms_state_new(state);
    vms_state_copy(state, dev->reset_state, device_state(dev));
}

static void add_section(Device *dev)
{
    const VMStateDescription *state = dev->type->state;
    g_autofree char *name = NULL;

    if (!state)
        return;
    name = dev->path ? g_strdup_printf("%s/%s", dev->path, state->name) : g_strdup(state->name);
    if (!dev->has_instance)
        while (section_list_find(dev->machine->sections, name, dev->instance))
            dev->instance++;
    machine_add_section(dev->machine, &(Section){
                                          .name = name,
                                          .instance = dev->instance,
                                          .alias_instance = dev->alias_instance,
                                          .desc = state,
                                          .state = device_state(dev),
                                          .reset_state = dev->reset_state,
                                          .opaque = dev,
                                      });
}

bool device_realize(Device *dev, Machine *machine, GError **error)
{
    dev->machine = machine;
    if (dev->type->realize && !dev->type->realize(dev, error)) {
        dev->machine = NULL;
        return false;
    }
    device_reset(dev);
    keep_reset_state(dev);
    add_section(dev);
    machine_add_device(machine, dev);
    return true;
}

void device_reset(Device *dev)
{
    if (dev->type->reset)
        dev->type->reset(dev);
}
