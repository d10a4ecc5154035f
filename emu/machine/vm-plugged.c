/* vm-plugged.c: which devices a Vm has besides those of any PC, and which objects they use. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "emu/machine/devices.h"
#include "emu/machine/options-impl.h"
#include "emu/machine/vm-impl.h"
#include "emu/virtio/virtio-devices.h"

const GPtrArray *vm_devices(const Vm *vm)
{
    return vm->devices;
}

const VmDevice *vm_find_device(const Vm *vm, const Device *dev)
{
    for (guint i = 0; i < vm->devices->len; i++)
        if (((const VmDevice *)vm->devices->pdata[i])->dev == dev)
            return vm->devices->pdata[i];
    return NULL;
}

const VmDevice *vm_device_of_id(const Vm *vm, const char *id)
{
    for (guint i = 0; i < vm->devices->len; i++) {
        const VmDevice *d = vm->devices->pdata[i];
        if (d->id && strcmp(d->id, id) == 0)
            return d;
    }
    return NULL;
}

void vm_device_free(void *device)
{
    VmDevice *d = device;

    g_free(d->id);
    g_free(d->bus);
    g_free(d->drive);
    g_free(d->netdev);
    g_free(d->object);
    g_free(d);
}

VmDevice *vm_note_device(Vm *vm, const DeviceType *type, Device *dev, const OptionsDevice *o, const char *bus)
{
    VmDevice *d = g_new0(VmDevice, 1);

    d->type = type;
    d->dev = dev;
    d->id = o ? g_strdup(o->common.id) : NULL;
    d->bus = g_strdup(bus);
    d->origin = o ? VM_BY_DEVICE : VM_BY_BOARD;
    if (dev && type == &virtio_blk_type)
        d->drive = g_strdup(virtio_blk_drive(dev));
    if (dev && type == &virtio_net_type)
        d->netdev = g_strdup(virtio_net_netdev(dev));
    if (dev && type == &virtio_rng_type)
        d->object = g_strdup(virtio_rng_object(dev));
    g_ptr_array_add(vm->devices, d);
    return d;
}

/* --- objects ------------------------------------------------------------------------------------------------------ */

const OptionsObject *vm_find_object(const Vm *vm, const char *id)
{
    for (guint i = 0; i < vm->options->objects->len; i++) {
        const OptionsObject *o = vm->options->objects->pdata[i];
        if (strcmp(o->id, id) == 0)
            return o;
    }
    return NULL;
}

bool vm_refuse(GError **error, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED, text);
    return false;
}

/* A file that nobody could open is told of now, and not when somebody uses the object. One for memory may be made then.
 */
static bool check_file(const OptionsObject *o, GError **error)
{
    bool memory = o->type == QMP_OBJECT_TYPE_MEMORY_BACKEND_FILE;
    int mode = memory && !o->readonly ? R_OK | W_OK : R_OK;
    const char *path = o->path ? o->path : "/dev/urandom";

    if ((!memory && o->type != QMP_OBJECT_TYPE_RNG_RANDOM) || access(path, mode) == 0)
        return true;
    g_autofree char *folder = g_path_get_dirname(path);
    if (memory && errno == ENOENT && !o->readonly && access(folder, W_OK | X_OK) == 0)
        return true;
    return vm_refuse(error, "Could not open '%s': %s", path, g_strerror(errno));
}

bool vm_add_object(Vm *vm, const QmpObjectOptions *options, GError **error)
{
    if (!options_check_object(options, "object-add", error))
        return false;
    if (vm_find_object(vm, options->id) || g_str_equal(options->id, "pc.ram"))
        return vm_refuse(error, "attempt to add duplicate property '%s' to object (type 'container')", options->id);
    OptionsObject *object = options_object_new(options);
    if (!check_file(object, error)) {
        options_object_free(object);
        return false;
    }
    g_ptr_array_add(vm->options->objects, object);
    return true;
}

static bool is_used(const Vm *vm, const char *id)
{
    const char *memory = vm->options->machine.memory_backend;

    for (guint i = 0; i < vm->devices->len; i++) {
        const VmDevice *d = vm->devices->pdata[i];
        if (d->object && strcmp(d->object, id) == 0)
            return true;
    }
    return memory && strcmp(memory, id) == 0;
}

bool vm_remove_object(Vm *vm, const char *id, GError **error)
{
    const OptionsObject *object = vm_find_object(vm, id);

    if (!object)
        return vm_refuse(error, "object '%s' not found", id);
    if (is_used(vm, id))
        return vm_refuse(error, "object '%s' is in use, can not be deleted", id);
    g_ptr_array_remove(vm->options->objects, (gpointer)object);
    return true;
}
