/* server-impl.h: what a server and its sessions share. Only for this folder. */
#ifndef EMU_QMP_SERVER_IMPL_H
#define EMU_QMP_SERVER_IMPL_H

#include "emu/qmp/server.h"
#include "emu/qmp/text.h"
#include "qapi/types.h"

struct QmpServer {
    QmpServerConfig config;
    QmpEvents *events;
    GPtrArray *sessions;    /* of QmpServerSession, owned */
    QmpText *line, *pretty; /* for answers, one at a time */
    struct json_t *schema;  /* parsed when it was first asked for */
    Vm *vm;
    FdSets *fd_sets;
    bool preconfig;
    QmpDumpQueryResult dump; /* the last dump of memory; zeros: there was none */
};

/* Which program this is. New. */
QmpVersionInfo *qmp_version_new(void);

#endif
