/* rights.c: descriptors of a client. Source: unix(7), SCM_RIGHTS; QEMU's docs/interop, getfd and add-fd. */
#include "emu/qmp/rights.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emu/qmp/error.h"
#include "emu/qmp/session.h"

typedef struct Right {
    int fd;
    uint64_t first, end; /* the octets that it came with; 0: it is not known yet how far they go */
} Right;

struct QmpRights {
    GArray *waiting;   /* of Right, as they came */
    GHashTable *named; /* to descriptor + 1 */
};

static void close_right(void *right)
{
    int fd = ((Right *)right)->fd;

    if (fd >= 0)
        close(fd);
}

static void close_named(void *fd)
{
    close(GPOINTER_TO_INT(fd) - 1);
}

QmpRights *qmp_rights_new(void)
{
    QmpRights *r = g_new0(QmpRights, 1);

    r->waiting = g_array_new(FALSE, FALSE, sizeof(Right));
    g_array_set_clear_func(r->waiting, close_right);
    r->named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, close_named);
    return r;
}

void qmp_rights_free(QmpRights *r)
{
    g_array_unref(r->waiting);
    g_hash_table_unref(r->named);
    g_free(r);
}

void qmp_rights_came(QmpRights *r, const int *fds, size_t count, uint64_t first)
{
    for (size_t i = 0; i < count; i++) {
        Right right = {.fd = fds[i], .first = first};
        if (r->waiting->len < QMP_RIGHTS_WAITING)
            g_array_append_val(r->waiting, right);
        else
            close(fds[i]);
    }
}

void qmp_rights_end(QmpRights *r, uint64_t end)
{
    for (guint i = r->waiting->len; i > 0 && !g_array_index(r->waiting, Right, i - 1).end; i--)
        g_array_index(r->waiting, Right, i - 1).end = end;
}

int qmp_rights_take(QmpRights *r, const QmpExtent *command)
{
    for (guint i = 0; i < r->waiting->len; i++) {
        Right *right = &g_array_index(r->waiting, Right, i);
        if (right->first >= command->end || right->end <= command->begin)
            continue;
        int fd = right->fd;
        right->fd = -1; /* not to be closed */
        g_array_remove_index(r->waiting, i);
        return fd;
    }
    return -1;
}

void qmp_rights_answered(QmpRights *r, uint64_t end)
{
    for (guint i = r->waiting->len; i > 0; i--)
        if (g_array_index(r->waiting, Right, i - 1).end <= end)
            g_array_remove_index(r->waiting, i - 1);
}

void qmp_rights_keep(QmpRights *r, const char *name, int fd)
{
    g_hash_table_replace(r->named, g_strdup(name), GINT_TO_POINTER(fd + 1));
}

int qmp_rights_find(QmpRights *r, const char *name)
{
    void *key, *fd;

    if (!g_hash_table_steal_extended(r->named, name, &key, &fd))
        return -1;
    g_free(key);
    return GPOINTER_TO_INT(fd) - 1;
}

/* --- for handlers ----------------------------------------------------------------------------------------------- */

/* NULL: who asks is no client of QMP. */
static QmpRights *rights_of(const QmpCall *call)
{
    return call->session ? qmp_session_rights(call->session) : NULL;
}

int qmp_call_take_fd(const QmpCall *call, GError **error)
{
    QmpRights *r = rights_of(call);
    int fd = r ? qmp_rights_take(r, &call->extent) : -1;

    if (fd < 0)
        qmp_refuse(error, QMP_ERROR_GENERIC, "No file descriptor supplied via SCM_RIGHTS");
    return fd;
}

int qmp_call_find_fd(const QmpCall *call, const char *text, GError **error)
{
    QmpRights *r = rights_of(call);
    guint64 number;

    if (g_ascii_string_to_unsigned(text, 10, 3, G_MAXINT, &number, NULL))
        return (int)number;
    int fd = r ? qmp_rights_find(r, text) : -1;
    if (fd < 0)
        qmp_refuse(error, QMP_ERROR_GENERIC, "File descriptor named '%s' has not been found", text);
    return fd;
}

char *qmp_call_find_fd_in(const QmpCall *call, const char *prefix, const char *text, int *fd, GError **error)
{
    *fd = -1;
    if (!g_str_has_prefix(text, prefix) || g_ascii_isdigit(text[strlen(prefix)]))
        return g_strdup(text);
    *fd = qmp_call_find_fd(call, text + strlen(prefix), error);
    return *fd < 0 ? NULL : g_strdup_printf("%s%d", prefix, *fd);
}
