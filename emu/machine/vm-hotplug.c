/*
 * vm-hotplug.c: cards that come and go while the machine is there.
 *
 * Before it runs they just do: the firmware has not looked yet. Later the guest is told by ACPI (pci/acpi-hotplug.c),
 * and what is to go stays until the guest lets it go, or is reset.
 */
#include <jansson.h>
#include <string.h>

#include "emu/machine/devices.h"
#include "emu/machine/inspect.h"
#include "emu/machine/options-impl.h"
#include "emu/machine/vm-impl.h"
#include "emu/pci/pci.h"

/* The guest knows what there is. */
static bool has_run(const Vm *vm)
{
    return vm->state != VM_PRELAUNCH && vm->state != VM_INMIGRATE;
}

static bool check_moment(const Vm *vm, const char *command, GError **error)
{
    if (vm->move || vm->migration.status == VM_MIGRATION_ACTIVE)
        return vm_refuse(error, "%s not allowed while migrating", command);
    if (vm->state == VM_POSTMIGRATE)
        return vm_refuse(error, "%s: the machine is somewhere else now", command);
    return !vm->snapshot_job || vm_refuse(error, "%s: '%s' is at work on snapshots", command, vm->snapshot_job);
}

static const DeviceType *type_named(const char *name)
{
    const DeviceType *const *types = vm_device_types();

    for (; *types; types++)
        if (strcmp((*types)->name, name) == 0)
            return *types;
    return NULL;
}

static bool is_card(const DeviceType *type)
{
    return g_str_has_prefix(type->name, "virtio-");
}

/* What QEMU says of them, in its words. */
static bool check_new(const Vm *vm, const json_t *options, GError **error)
{
    const char *driver = json_string_value(json_object_get(options, "driver"));
    const char *id = json_string_value(json_object_get(options, "id"));
    const char *bus = json_string_value(json_object_get(options, "bus"));
    const DeviceType *type = driver ? type_named(driver) : NULL;

    if (!driver)
        return vm_refuse(error, "Parameter 'driver' is missing");
    if (!type)
        return vm_refuse(error, "'%s' is not a valid device model name", driver);
    if (id && vm_device_of_id(vm, id))
        return vm_refuse(error, "Duplicate device ID '%s'", id);
    if (!is_card(type))
        return vm_refuse(error, "Bus '%s' does not support hotplugging",
                         g_str_has_prefix(type->name, "ide-") ? "ide.0" : "isa.0");
    if (bus && strcmp(bus, "pci.0") != 0)
        return vm_refuse(error, "Bus '%s' not found", bus);
    if (json_object_get(options, "bootindex"))
        return vm_refuse(error, "%s.bootindex: the firmware has got the boot order already; -device can say it",
                         driver);
    return check_moment(vm, "device_add", error);
}

/* A guest looks at function 0 first, and may have looked at the slot already. */
static bool check_place(const Vm *vm, const Device *dev, GError **error)
{
    unsigned devfn = ((const PciDevice *)dev)->devfn, slot = devfn / PCI_FUNCTIONS;

    if (!has_run(vm))
        return true;
    if (devfn % PCI_FUNCTIONS)
        return vm_refuse(error, "PCI: once the machine has run only function 0 of a slot can come, not %x.%x", slot,
                         devfn % PCI_FUNCTIONS);
    for (guint i = 0; i < vm->devices->len; i++) {
        const VmDevice *d = vm->devices->pdata[i];
        if (is_card(d->type) && d->dev != dev && ((const PciDevice *)d->dev)->devfn / PCI_FUNCTIONS == slot)
            return vm_refuse(error, "PCI: slot %x has a card already", slot);
    }
    return true;
}

static bool place(Vm *vm, const OptionsDevice *o, Device *dev, GError **error)
{
    if (!options_device_apply(o, dev, error) || !vm_plug(vm, o, dev, error))
        return false;
    if (check_place(vm, dev, error))
        return pc_realize_card(vm->pc, dev, error);
    pc_forget_card(vm->pc, dev);
    return false;
}

static const VmDevice *plug(Vm *vm, const OptionsDevice *o, GError **error)
{
    g_autoptr(Device) dev = device_new(o->type);
    Machine *machine = pc_machine(vm->pc);
    bool ran = pc_hold(vm->pc);

    machine_lock(machine);
    bool ok = place(vm, o, dev, error);
    if (ok && has_run(vm))
        pc_tell_card(vm->pc, dev);
    machine_unlock(machine);
    VmDevice *d = (VmDevice *)vm_find_device(vm, dev);
    if (!ok && d)
        vm_forget_device(vm, d);
    pc_go_on(vm->pc, ran);
    if (!ok)
        return NULL;
    g_steal_pointer(&dev);
    d->late = true;
    return d;
}

const VmDevice *vm_add_device(Vm *vm, json_t *options, GError **error)
{
    if (!check_new(vm, options, error))
        return NULL;
    OptionsDevice *o = options_device_new(options, vm_device_types(), "-device", error);
    if (!o)
        return NULL;
    const VmDevice *d = plug(vm, o, error);
    options_device_free(o);
    return d;
}

void vm_forget_device(Vm *vm, VmDevice *d)
{
    if (d->drive)
        vm_release_disk(vm, d->drive);
    if (d->netdev)
        vm_release_net(vm, d->netdev);
    g_ptr_array_remove(vm->devices, d);
}

/* With the lock. */
static void unplug(Vm *vm, VmDevice *d)
{
    if (vm->events.device_goes)
        vm->events.device_goes(vm->events.opaque, d);
    pc_remove_card(vm->pc, d->dev);
    vm_forget_device(vm, d);
}

bool vm_remove_device(Vm *vm, const VmDevice *d, GError **error)
{
    if (!is_card(d->type))
        return vm_refuse(error, "Bus '%s' does not support hotplugging", d->bus);
    if (!check_moment(vm, "device_del", error))
        return false;
    machine_lock(pc_machine(vm->pc));
    if (has_run(vm))
        pc_ask_for_card(vm->pc, d->dev);
    else
        unplug(vm, (VmDevice *)d);
    machine_unlock(pc_machine(vm->pc));
    return true;
}

void vm_slots_ejected(void *opaque, uint32_t slots)
{
    Vm *vm = opaque;

    for (guint i = vm->devices->len; i > 0; i--) {
        VmDevice *d = vm->devices->pdata[i - 1];
        if (is_card(d->type) && slots >> ((const PciDevice *)d->dev)->devfn / PCI_FUNCTIONS & 1)
            unplug(vm, d);
    }
}
