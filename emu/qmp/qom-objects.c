/* qom-objects.c: what users have made: objects, and lines. */
#include <jansson.h>

#include "emu/qmp/qom-view-impl.h"

/* --- objects of users, and lines ---------------------------------------------------------------------------------- */

static void add_memory(QomView *view, const char *type, const OptionsObject *o)
{
    g_autofree char *path = g_strconcat("/objects/", o->id, NULL);
    QomObject *object = qom_add_object(view, path, type);

    qom_add(object->properties, "size", "int", json_integer((json_int_t)o->size));
    qom_add(object->properties, "share", "bool", json_boolean(o->share));
    qom_add(object->properties, "dump", "bool", json_boolean(o->dump));
    qom_add(object->properties, "merge", "bool", json_boolean(o->merge));
    qom_add(object->properties, "prealloc", "bool", json_boolean(o->prealloc));
    qom_add(object->properties, "reserve", "bool", json_boolean(o->reserve));
    qom_add(object->properties, "policy", "HostMemPolicy", json_string("default"));
    if (o->type == QMP_OBJECT_TYPE_MEMORY_BACKEND_FILE)
        qom_add(object->properties, "mem-path", "string", json_string(o->path));
}

void qom_add_objects(QomView *view)
{
    const Options *o = vm_options(view->vm);

    for (guint i = 0; i < o->objects->len; i++) {
        const OptionsObject *object = o->objects->pdata[i];
        g_autofree char *path = g_strconcat("/objects/", object->id, NULL);
        if (object->size) {
            add_memory(view, qmp_ObjectType_name(object->type), object);
            continue;
        }
        QomObject *made = qom_add_object(view, path, qmp_ObjectType_name(object->type));
        if (object->type == QMP_OBJECT_TYPE_RNG_RANDOM)
            qom_add(made->properties, "filename", "string", json_string(object->path ? object->path : "/dev/urandom"));
    }
    const OptionsObject own = {.type = QMP_OBJECT_TYPE_MEMORY_BACKEND_RAM,
                               .id = (char *)"pc.ram",
                               .size = o->memory.size,
                               .merge = o->machine.mem_merge,
                               .dump = o->machine.dump_guest_core,
                               .reserve = true};
    if (!o->machine.memory_backend)
        add_memory(view, "memory-backend-ram", &own);
}

static void add_line(QomView *view, const OptionsChar *line, const char *id)
{
    g_autofree char *path = g_strconcat("/chardevs/", id, NULL);

    if (line->type >= QMP_CHARDEV_BACKEND_KIND__MAX)
        return;
    g_autofree char *type = g_strconcat("chardev-", qmp_ChardevBackendKind_name(line->type), NULL);
    qom_add_object(view, path, type);
}

void qom_add_lines(QomView *view)
{
    const Options *o = vm_options(view->vm);

    for (guint i = 0; i < o->chardevs->len; i++) {
        const OptionsChar *line = o->chardevs->pdata[i];
        add_line(view, line, line->id);
    }
    for (guint i = 0; i < o->serials->len; i++) {
        g_autofree char *id = g_strdup_printf("serial%u", i);
        add_line(view, o->serials->pdata[i], id);
    }
    for (guint i = 0; i < o->monitors->len; i++) {
        g_autofree char *id = g_strdup_printf("compat_monitor%u", i);
        add_line(view, &((const OptionsMonitor *)o->monitors->pdata[i])->line, id);
    }
}
