/* commands-qdev.c: devices; schema/qdev.json. */
#include <jansson.h>
#include <string.h>

#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/qom-view.h"
#include "emu/qmp/run-state.h"
#include "qapi/commands.h"
#include "qapi/events.h"

/* --- types that can be made --------------------------------------------------------------------------------------- */

static GPtrArray *properties_of(const DeviceType *type)
{
    GPtrArray *properties = qom_properties_new();
    g_autofree void *zeros = type->defaults ? NULL : g_malloc0(type->size);

    qom_add_common(properties, type);
    qom_add_options(properties, type, type->defaults ? type->defaults : zeros);
    return properties;
}

bool qmp_device_list_properties(QmpCall *call, const QmpDeviceListPropertiesArguments *arguments,
                                QmpObjectPropertyInfoList *result, GError **error)
{
    const QomType *known = qom_type_find(arguments->typename);
    const DeviceType *type = qom_device_type(arguments->typename);

    (void)call;
    if (!known) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", arguments->typename);
        return false;
    }
    if (known->abstract || !qom_type_is(known, "device")) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Parameter 'typename' expects a non-abstract device type");
        return false;
    }
    if (!type) /* of the board: nothing can be set */
        return true;
    g_autoptr(GPtrArray) properties = properties_of(type);
    result->items = g_new(QmpObjectPropertyInfo *, properties->len);
    for (guint i = 0; i < properties->len; i++) {
        const QomProperty *p = properties->pdata[i];
        QmpObjectPropertyInfo *info = result->items[result->count++] = g_new0(QmpObjectPropertyInfo, 1);
        info->name = g_strdup(p->name);
        info->type = g_strdup(p->type);
        info->description = g_strdup(p->about);
        info->default_value = json_incref(p->value);
    }
    return true;
}

static const char *bus_of(const char *name)
{
    static const struct {
        const char *type, *bus;
    } buses[] = {{"pci-device", "PCI"}, {"isa-device", "ISA"}, {"ide-device", "IDE"}};

    for (size_t i = 0; i < G_N_ELEMENTS(buses); i++)
        if (qom_type_is(qom_type_find(name), buses[i].type))
            return buses[i].bus;
    return NULL;
}

static QmpQdmPropertyInfo *tell_property(const QomProperty *p)
{
    QmpQdmPropertyInfo *info = g_new0(QmpQdmPropertyInfo, 1);

    info->name = g_strdup(p->name);
    info->type = g_strdup(p->type);
    info->description = g_strdup(p->about);
    info->default_value = json_incref(p->value);
    info->has_values = p->values;
    if (p->values) {
        char **copy = g_strdupv((char **)p->values);
        info->values = (QmpStrList){.count = g_strv_length(copy), .items = copy};
    }
    return info;
}

static QmpQdmDeviceInfo *tell_type(const DeviceType *type)
{
    QmpQdmDeviceInfo *info = g_new0(QmpQdmDeviceInfo, 1);
    g_autoptr(GPtrArray) properties = properties_of(type);

    info->name = g_strdup(type->name);
    info->description = g_strdup(type->about);
    info->bus = g_strdup(bus_of(type->name));
    info->props.items = g_new(QmpQdmPropertyInfo *, properties->len);
    for (guint i = 0; i < properties->len; i++)
        info->props.items[info->props.count++] = tell_property(properties->pdata[i]);
    return info;
}

bool qmp_query_qdm(QmpCall *call, const QmpQueryQdmArguments *arguments, QmpQdmDeviceInfoList *result, GError **error)
{
    const DeviceType *const *types = vm_device_types();
    size_t count = 0;

    (void)call;
    if (arguments->name && !qom_device_type(arguments->name)) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", arguments->name);
        return false;
    }
    while (types[count])
        count++;
    result->items = g_new(QmpQdmDeviceInfo *, count);
    for (; *types; types++)
        if (!arguments->name || strcmp((*types)->name, arguments->name) == 0)
            result->items[result->count++] = tell_type(*types);
    return true;
}

/* --- devices ------------------------------------------------------------------------------------------------------ */

bool qmp_device_add(QmpCall *call, struct json_t *arguments, GError **error)
{
    const QmpConfiguration more = {.has_device = true, .device = {1, &arguments}};

    if (!qmp_call_vm(call))
        return qmp_call_configure(call, &more, error);
    return vm_add_device(qmp_call_vm(call), arguments, error);
}

/* By its id, or by the path of its object. */
static const VmDevice *find(Vm *vm, const char *id, GError **error)
{
    const VmDevice *device = vm_device_of_id(vm, id);

    if (device)
        return device;
    if (*id == '/') {
        g_autoptr(QomView) view = qom_view_new(vm);
        const QomObject *object = qom_view_find(view, id, error);
        if (object && !object->plugged)
            g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "%s: it belongs to the board, and stays", object->path);
        return object ? object->plugged : NULL;
    }
    g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", id);
    return NULL;
}

bool qmp_device_del(QmpCall *call, const QmpDeviceDelArguments *arguments, GError **error)
{
    const VmDevice *device = find(qmp_call_vm(call), arguments->id, error);

    return device && vm_remove_device(qmp_call_vm(call), device, error);
}

void qmp_tell_device_goes(QmpEvents *events, Vm *vm, const VmDevice *device)
{
    g_autofree char *path = qom_path_of(vm, device);
    const QmpDeviceDeletedData deleted = {.device = device->id, .path = path};

    qmp_event_device_deleted(events, &deleted);
}
