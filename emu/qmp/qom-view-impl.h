/* qom-view-impl.h: a view while it is made. Only for qom-*.c. */
#ifndef EMU_QMP_QOM_VIEW_IMPL_H
#define EMU_QMP_QOM_VIEW_IMPL_H

#include "emu/qmp/qom-view.h"

struct QomView {
    GPtrArray *objects; /* of QomObject */
    Vm *vm;
    unsigned unattached;              /* the next number there */
    unsigned anonymous;               /* likewise among what -device has made without an id */
    char *isa, *ide, *i2c, *pm, *rtc; /* paths, once they are there */
};

/* Below another, which has it as a child. Paths are absolute. */
QomObject *qom_add_object(QomView *view, const char *path, const char *type);

/* qom-objects.c */
void qom_add_objects(QomView *view);
void qom_add_lines(QomView *view);

#endif
