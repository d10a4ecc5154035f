/* qmp.h: what the parts of the program share. */
#ifndef TOOLS_QMP_QMP_H
#define TOOLS_QMP_QMP_H

#include "tools/libqmp/libqmp.h"
#include "tools/qmp/live.h"

typedef struct Qmp {
    QmpSession *session;
    bool json;       /* results and events are JSON */
    bool terminal;   /* standard output is one */
    gint64 deadline; /* of what waits for events; G_MAXINT64: none */
    Live *live;      /* NULL: not asked for yet, or the peer has no schema */
    bool asked;
} Qmp;

/* The peer's schema; NULL: it has none. */
const Live *qmp_live(Qmp *qmp);

/* "qmp: CLASS: desc" on standard error. Frees the error; returns the exit status. */
int qmp_fail(GError *error);

/* One command: its name and arguments, to NULL. Shows its result. Returns the exit status. */
int qmp_run(Qmp *qmp, char *const *words);

/* Asks a server that masks events not to mask these. */
bool qmp_unmask(Qmp *qmp, char *const *names, GError **error);

/* How long to wait for events, but no longer than that. */
int qmp_patience_ms(const Qmp *qmp, int most_ms);

/* libvirt.c: to be called before there is a session through it. */
void qmp_start_libvirt(void);

/* job.c: waits for the job; `command` (NULL: none) starts it. Returns the exit status. */
int job_run(Qmp *qmp, const char *id, char *const *command);

/* help.c: what a command takes and gives, for these words. Returns the exit status. */
int help_show(Qmp *qmp, char *const *words);

#endif
