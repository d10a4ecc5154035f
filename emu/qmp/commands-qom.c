/* commands-qom.c: objects; schema/qom.json. */
#include <jansson.h>
#include <string.h>

#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/qom-view.h"
#include "qapi/commands.h"

/* --- properties of objects ---------------------------------------------------------------------------------------- */

bool qmp_qom_list(QmpCall *call, const QmpQomListArguments *arguments, QmpObjectPropertyInfoList *result,
                  GError **error)
{
    g_autoptr(QomView) view = qom_view_new(qmp_call_vm(call));
    const QomObject *object = qom_view_find(view, arguments->path, error);

    if (!object)
        return false;
    result->items = g_new(QmpObjectPropertyInfo *, object->properties->len);
    for (guint i = 0; i < object->properties->len; i++) {
        const QomProperty *p = object->properties->pdata[i];
        QmpObjectPropertyInfo *info = result->items[result->count++] = g_new0(QmpObjectPropertyInfo, 1);
        info->name = g_strdup(p->name);
        info->type = g_strdup(p->type);
    }
    return true;
}

static const QomProperty *find_property(const QomView *view, const char *path, const char *name,
                                        const QomObject **object, GError **error)
{
    *object = qom_view_find(view, path, error);
    const QomProperty *p = *object ? qom_object_find(*object, name) : NULL;

    if (*object && !p)
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Property '%s.%s' not found", (*object)->type, name);
    return p;
}

bool qmp_qom_get(QmpCall *call, const QmpQomGetArguments *arguments, struct json_t **result, GError **error)
{
    g_autoptr(QomView) view = qom_view_new(qmp_call_vm(call));
    const QomObject *object;
    const QomProperty *p = find_property(view, arguments->path, arguments->property, &object, error);

    if (!p)
        return false;
    *result = p->value ? json_incref(p->value) : json_string("");
    return true;
}

/* What can be set is set before an object is there, or has a command of its own. */
bool qmp_qom_set(QmpCall *call, const QmpQomSetArguments *arguments, GError **error)
{
    g_autoptr(QomView) view = qom_view_new(qmp_call_vm(call));
    const QomObject *object;
    const QomProperty *p = find_property(view, arguments->path, arguments->property, &object, error);

    if (!p)
        return false;
    if (!p->option)
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Property '%s.%s' is not writable", object->type, p->name);
    else if (object->plugged && object->plugged->id)
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC,
                    "Attempt to set property '%s' on device '%s' (type '%s') after it was realized", p->name,
                    object->plugged->id, object->type);
    else
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC,
                    "Attempt to set property '%s' on anonymous device (type '%s') after it was realized", p->name,
                    object->type);
    return false;
}

/* --- types -------------------------------------------------------------------------------------------------------- */

bool qmp_qom_list_types(QmpCall *call, const QmpQomListTypesArguments *arguments, QmpObjectTypeInfoList *result,
                        GError **error)
{
    size_t count = 0;

    (void)call;
    (void)error;
    while (qom_types[count].name)
        count++;
    result->items = g_new(QmpObjectTypeInfo *, count);
    for (const QomType *t = qom_types; t->name; t++) {
        bool abstract = arguments->has_abstract && arguments->abstract;
        if ((t->abstract && !abstract) || (arguments->implements && !qom_type_is(t, arguments->implements)))
            continue;
        QmpObjectTypeInfo *info = result->items[result->count++] = g_new0(QmpObjectTypeInfo, 1);
        info->name = g_strdup(t->name);
        info->has_abstract = info->abstract = t->abstract;
        info->parent = g_strdup(t->parent);
    }
    return true;
}

static void tell(QmpObjectPropertyInfoList *list, const QomProperty *p)
{
    QmpObjectPropertyInfo *info = list->items[list->count++] = g_new0(QmpObjectPropertyInfo, 1);

    info->name = g_strdup(p->name);
    info->type = g_strdup(p->type);
    info->description = g_strdup(p->about);
}

bool qmp_qom_list_properties(QmpCall *call, const QmpQomListPropertiesArguments *arguments,
                             QmpObjectPropertyInfoList *result, GError **error)
{
    const QomType *type = qom_type_find(arguments->typename);
    const DeviceType *device = qom_device_type(arguments->typename);
    g_autoptr(GPtrArray) properties = qom_properties_new();

    (void)call;
    if (!type) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Class '%s' not found", arguments->typename);
        return false;
    }
    qom_add(properties, "type", "string", NULL);
    if (qom_type_is(type, "device")) {
        qom_add(properties, "parent_bus", "link<bus>", NULL);
        qom_add(properties, "realized", "bool", NULL);
        qom_add(properties, "hotplugged", "bool", NULL);
        qom_add(properties, "hotpluggable", "bool", NULL);
    }
    if (device) {
        qom_add_common(properties, device);
        qom_add_options(properties, device, NULL);
    }
    qom_add_object_options(properties, type->name);
    result->items = g_new(QmpObjectPropertyInfo *, properties->len);
    for (guint i = 0; i < properties->len; i++)
        tell(result, properties->pdata[i]);
    return true;
}

/* --- objects that users make -------------------------------------------------------------------------------------- */

bool qmp_object_add(QmpCall *call, const QmpObjectOptions *arguments, GError **error)
{
    QmpObjectOptions *one = (QmpObjectOptions *)arguments;
    const QmpConfiguration more = {.has_object = true, .object = {1, &one}};

    return qmp_call_vm(call) ? vm_add_object(qmp_call_vm(call), arguments, error)
                             : qmp_call_configure(call, &more, error);
}

bool qmp_object_del(QmpCall *call, const QmpObjectDelArguments *arguments, GError **error)
{
    return vm_remove_object(qmp_call_vm(call), arguments->id, error);
}
