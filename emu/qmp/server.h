/*
 * server.h: QMP, the monitor for programs: all its sessions, with one table of commands and one source of events.
 */
#ifndef EMU_QMP_SERVER_H
#define EMU_QMP_SERVER_H

#include "emu/qmp/dispatch.h"
#include "emu/qmp/events.h"
#include "emu/qmp/session.h"

typedef struct FdSets FdSets;
typedef struct QmpConfiguration QmpConfiguration;

typedef struct QmpServerConfig {
    QmpTable table;
    const QapiEvent *events; /* that there are */
    size_t event_count;
    const char *schema;         /* what query-qmp-schema tells, as JSON */
    GMainContext *context;      /* where all happens; NULL: the default one */
    void (*quit)(void *opaque); /* the command "quit": the program ends soon */

    /* Before there is a machine: more is said of it; it is to be made. NULL: nothing of that can be done. */
    bool (*configure)(void *opaque, const QmpConfiguration *more, GError **error);
    bool (*make)(void *opaque, GError **error);
    void *opaque;
} QmpServerConfig;

/* All commands and events of the schema, in the default context: tables.c, for the program, which has all handlers. */
QmpServerConfig qmp_server_config(void);

/* What the configuration points to is borrowed. */
QmpServer *qmp_server_new(const QmpServerConfig *config);

/* Before the lines are closed that it was given. */
void qmp_server_free(QmpServer *server);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpServer, qmp_server_free)

/* Talks to whoever comes on that line. */
void qmp_server_add(QmpServer *server, const QmpLine *line);

/* The machine, once it is there; borrowed. Until then only commands are done that are allowed in preconfig. */
void qmp_server_set_vm(QmpServer *server, Vm *vm);

/* Sets of descriptors, which are there before the machine; borrowed. NULL of a server that was given none. */
void qmp_server_set_fd_sets(QmpServer *server, FdSets *sets);

/* Lives as long as the server. From any thread. NULL of NULL, which nobody listens to. */
QmpEvents *qmp_server_events(QmpServer *server);

/* The event of that name; NULL: there is none. */
const QapiEvent *qmp_server_find_event(const QmpServer *server, const char *name);

const QmpServerConfig *qmp_server_get_config(const QmpServer *server);

/* What query-qmp-schema tells. Borrowed. */
struct json_t *qmp_server_schema(QmpServer *server);

/* How many clients are there. */
unsigned qmp_server_clients(const QmpServer *server);

#endif
