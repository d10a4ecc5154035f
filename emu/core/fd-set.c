/* fd-set.c: sets of open descriptors. */
#include "emu/core/fd-set.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "visitors/error.h"
#include "visitors/fd-path.h"

struct FdSets {
    GPtrArray *all; /* of FdSet, by their numbers */
};

static const char prefix[] = "/dev/fdset/";

static void free_member(void *data)
{
    FdSetMember *m = data;

    close(m->fd);
    g_free(m->opaque);
    g_free(m);
}

static void free_set(void *data)
{
    FdSet *set = data;

    g_ptr_array_unref(set->members);
    g_free(set);
}

FdSets *fd_sets_new(void)
{
    FdSets *sets = g_new0(FdSets, 1);

    sets->all = g_ptr_array_new_with_free_func(free_set);
    return sets;
}

void fd_sets_free(FdSets *sets)
{
    if (!sets)
        return;
    g_ptr_array_unref(sets->all);
    g_free(sets);
}

const GPtrArray *fd_sets_all(const FdSets *sets)
{
    return sets->all;
}

/* Where it is among them, or would be. */
static guint place_of(const FdSets *sets, int64_t id)
{
    guint i = 0;

    while (i < sets->all->len && ((const FdSet *)sets->all->pdata[i])->id < id)
        i++;
    return i;
}

static FdSet *find(const FdSets *sets, int64_t id)
{
    guint i = place_of(sets, id);
    FdSet *set = i < sets->all->len ? sets->all->pdata[i] : NULL;

    return set && set->id == id ? set : NULL;
}

static int64_t first_free(const FdSets *sets)
{
    int64_t id = 0;

    while (find(sets, id))
        id++;
    return id;
}

int64_t fd_sets_add(FdSets *sets, int64_t id, int fd, const char *opaque)
{
    int64_t number = id == FD_SET_NEW ? first_free(sets) : id;
    FdSetMember *member = g_new0(FdSetMember, 1);
    FdSet *set = find(sets, number);

    if (!set) {
        set = g_new0(FdSet, 1);
        set->id = number;
        set->members = g_ptr_array_new_with_free_func(free_member);
        g_ptr_array_insert(sets->all, (gint)place_of(sets, number), set);
    }
    *member = (FdSetMember){.fd = fd, .opaque = g_strdup(opaque)};
    g_ptr_array_add(set->members, member);
    return number;
}

bool fd_sets_remove(FdSets *sets, int64_t id, int64_t fd)
{
    FdSet *set = find(sets, id);
    bool found = set && fd == FD_SET_ALL;

    if (!set)
        return false;
    for (guint i = set->members->len; i > 0 && fd != FD_SET_ALL; i--)
        if (((const FdSetMember *)set->members->pdata[i - 1])->fd == fd) {
            g_ptr_array_remove_index(set->members, i - 1);
            found = true;
        }
    if (fd == FD_SET_ALL || !set->members->len)
        g_ptr_array_remove(sets->all, set);
    return found;
}

/* -1 with errno. */
static int pick(const FdSets *sets, const char *number, int access)
{
    guint64 id;
    const FdSet *set =
        g_ascii_string_to_unsigned(number, 10, 0, G_MAXINT64, &id, NULL) ? find(sets, (int64_t)id) : NULL;

    errno = ENOENT;
    for (guint i = 0; set && i < set->members->len; i++) {
        int fd = ((const FdSetMember *)set->members->pdata[i])->fd;
        if (fd_path_allows(fd, access))
            return fd;
    }
    return -1;
}

char *fd_sets_path(const FdSets *sets, const char *path, int access, GError **error)
{
    if (!g_str_has_prefix(path, prefix))
        return g_strdup(path);
    int fd = pick(sets, path + strlen(prefix), access);
    if (fd >= 0)
        return g_strdup_printf("/dev/fd/%d", fd);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: %s", path,
                errno == ENOENT ? "there is no such set of descriptors"
                                : "none of its descriptors was opened for what is asked");
    return NULL;
}

bool fd_sets_only_read(const FdSets *sets, const char *path)
{
    return g_str_has_prefix(path, prefix) && pick(sets, path + strlen(prefix), O_RDWR) < 0;
}
