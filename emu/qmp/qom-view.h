/*
 * qom-view.h: the machine as a tree of objects with properties, as QEMU's users know it (QOM).
 *
 * A view only: it is made of what there is when somebody asks, and freed when he has his answer. Paths and types are
 * QEMU's for the same devices; properties are those that our devices have options for, and what any device has.
 */
#ifndef EMU_QMP_QOM_VIEW_H
#define EMU_QMP_QOM_VIEW_H

#include "emu/machine/devices.h"

struct json_t;

/* --- types -------------------------------------------------------------------------------------------------------- */

typedef struct QomType {
    const char *name; /* NULL ends them; they are in the order of strcmp */
    const char *parent;
    bool abstract;
} QomType;

extern const QomType qom_types[];
const QomType *qom_type_find(const char *name);
bool qom_type_is(const QomType *type, const char *ancestor); /* or that itself */

/* The type that -device knows; NULL: it knows none of that name. */
const DeviceType *qom_device_type(const char *name);

/* --- properties --------------------------------------------------------------------------------------------------- */

typedef struct QomProperty {
    char *name, *type;
    const char *about;         /* NULL: nothing is said */
    struct json_t *value;      /* NULL: it has none */
    const char *const *values; /* the words that it takes; NULL: it takes something else */
    bool option;               /* it can be set before the device is realized */
} QomProperty;

/* Adds those that the type's options describe, with their values in `state`. */
void qom_add_options(GPtrArray *properties, const DeviceType *type, const void *state);

/* Adds what -object takes of that type, if it makes such. */
void qom_add_object_options(GPtrArray *properties, const char *type);

/* Adds what all devices have that -device makes, with values of before they are plugged in. */
void qom_add_common(GPtrArray *properties, const DeviceType *type);

/* Takes the value. */
QomProperty *qom_add(GPtrArray *properties, const char *name, const char *type, struct json_t *value);
GPtrArray *qom_properties_new(void);

/* --- objects ------------------------------------------------------------------------------------------------------ */

typedef struct QomObject {
    char *path, *type;
    Device *dev;             /* NULL: it is none; borrowed */
    const VmDevice *plugged; /* NULL: it belongs to any such machine; borrowed */
    GPtrArray *properties;   /* of QomProperty, those of children last */
} QomObject;

typedef struct QomView QomView;

/* Without a machine (NULL) there are but the folders. */
QomView *qom_view_new(Vm *vm);
void qom_view_free(QomView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QomView, qom_view_free)

const GPtrArray *qom_view_objects(const QomView *view);

/* By its path, or the end of one that fits no other object. */
const QomObject *qom_view_find(const QomView *view, const char *path, GError **error);
const QomProperty *qom_object_find(const QomObject *object, const char *name);

/* Where a device of -device is. New; NULL: nowhere. */
char *qom_path_of(Vm *vm, const VmDevice *device);

/* Of processors. New strings. */
char *qom_cpu_path(unsigned index);
char *qom_cpu_type(const Vm *vm);

#endif
