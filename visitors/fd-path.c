/* fd-path.c: "/dev/fd/N" as BSD has it. Source: fd(4) of FreeBSD. */
#include "visitors/fd-path.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

static const char prefix[] = "/dev/fd/";

int fd_path_number(const char *path)
{
    guint64 fd;

    if (!g_str_has_prefix(path, prefix) ||
        !g_ascii_string_to_unsigned(path + strlen(prefix), 10, 0, G_MAXINT, &fd, NULL))
        return -1;
    return (int)fd;
}

bool fd_path_allows(int fd, int access)
{
    int has = fcntl(fd, F_GETFL);

    if (has < 0)
        return false;
    errno = EACCES;
    return (has & O_ACCMODE) == O_RDWR || (has & O_ACCMODE) == access;
}

/* What open(2) does to a file that is there. */
static bool settle(int fd, int flags)
{
    int wanted = flags & (O_APPEND | O_NONBLOCK), has = fcntl(fd, F_GETFL);

    if (has < 0 || ((has & wanted) != wanted && fcntl(fd, F_SETFL, has | wanted) != 0))
        return false;
    return !(flags & O_TRUNC) || ftruncate(fd, 0) == 0 || errno == EINVAL; /* a pipe has no length */
}

int fd_path_open(const char *path, int flags, mode_t mode)
{
    int fd = fd_path_number(path), copy, cause;

    if (fd < 0)
        return open(path, flags, mode);
    if (!fd_path_allows(fd, flags & O_ACCMODE))
        return -1;
    if (flags & O_DIRECT && !(fcntl(fd, F_GETFL) & O_DIRECT))
        return open(path, flags & ~O_CREAT);
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0 || settle(copy, flags))
        return copy;
    cause = errno;
    close(copy);
    errno = cause;
    return -1;
}
