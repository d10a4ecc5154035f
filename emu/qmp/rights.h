/*
 * rights.h: descriptors of a client: those that come along with what it sends (SCM_RIGHTS), and those that it keeps
 * under names (the command getfd).
 *
 * A descriptor comes with some octets, and is for the commands that these octets are part of: the first of them that
 * wants one gets it. What no command has taken when all of them are answered is closed.
 */
#ifndef EMU_QMP_RIGHTS_H
#define EMU_QMP_RIGHTS_H

#include "emu/qmp/call.h"

enum { QMP_RIGHTS_WAITING = 64 /* what comes while so many wait is closed */ };

typedef struct QmpRights QmpRights;

QmpRights *qmp_rights_new(void);
void qmp_rights_free(QmpRights *r); /* closes all */

/* These came (taken), with the octets from `first` on; then how far the octets go that came. */
void qmp_rights_came(QmpRights *r, const int *fds, size_t count, uint64_t first);
void qmp_rights_end(QmpRights *r, uint64_t end);

/* The first one for a command that is these octets; the caller's now. -1: none. */
int qmp_rights_take(QmpRights *r, const QmpExtent *command);

/* All commands before that octet are answered. UINT64_MAX: the client has gone. */
void qmp_rights_answered(QmpRights *r, uint64_t end);

/* Keeps it (taken) in place of what had that name before. */
void qmp_rights_keep(QmpRights *r, const char *name, int fd);

/* What is kept there; it is not any more, but the caller's. -1: nothing. */
int qmp_rights_find(QmpRights *r, const char *name);

/* --- for handlers ----------------------------------------------------------------------------------------------- */

/* The one that came along with the command. -1: the error says that there is none. */
int qmp_call_take_fd(const QmpCall *call, GError **error);

/* What is kept under that name; or, if it is a number, that one of the program's. The caller's now. -1: none. */
int qmp_call_find_fd(const QmpCall *call, const char *text, GError **error);

/*
 * The same in a text, which begins with `prefix`: the name becomes the number. Other texts, and numbers, are left as
 * they are. *fd: the caller's, to be closed if nobody takes it; -1: there is no name. New string; NULL: it fails.
 */
char *qmp_call_find_fd_in(const QmpCall *call, const char *prefix, const char *text, int *fd, GError **error);

#endif
