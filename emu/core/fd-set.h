/*
 * fd-set.h: sets of open descriptors, by numbers: where a path is asked for, "/dev/fdset/SET" is one out of a set, the
 * first that was opened for what is wanted (-add-fd, the command add-fd).
 */
#ifndef EMU_CORE_FD_SET_H
#define EMU_CORE_FD_SET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct FdSetMember {
    int fd;
    char *opaque; /* its owner's text; NULL: none */
} FdSetMember;

typedef struct FdSet {
    int64_t id;
    GPtrArray *members; /* of FdSetMember, as they came; never empty */
} FdSet;

typedef struct FdSets FdSets;

FdSets *fd_sets_new(void);
void fd_sets_free(FdSets *sets); /* closes all; NULL is nothing */

/* All of them, by their numbers. Of FdSet, borrowed. */
const GPtrArray *fd_sets_all(const FdSets *sets);

enum { FD_SET_NEW = -1, FD_SET_ALL = -1 };

/* Takes the descriptor. Returns the set's number: FD_SET_NEW: the first that is free. */
int64_t fd_sets_add(FdSets *sets, int64_t set, int fd, const char *opaque);

/* Closes one of a set's, or FD_SET_ALL; what was opened out of it stays open. False: there is none. */
bool fd_sets_remove(FdSets *sets, int64_t set, int64_t fd);

/*
 * The path to open: that one itself, or "/dev/fd/N" (visitors/fd-path.h) if it is a set's. `access` is O_RDONLY,
 * O_WRONLY or O_RDWR. New string; NULL: the set has none of that kind.
 */
char *fd_sets_path(const FdSets *sets, const char *path, int access, GError **error);

/* Is it a set's path, and has that no descriptor that can be read and written? */
bool fd_sets_only_read(const FdSets *sets, const char *path);

#endif
