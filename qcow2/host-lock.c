/* host-lock.c: shared locks of single octets, by fcntl(2), F_OFD_SETLK. */
#include <fcntl.h>

#include "qcow2/host-lock.h"
#include "visitors/error.h"

enum { IMAGE_DOES = 100, IMAGE_FORBIDS = 200, IMAGE_END = 300, KINDS = 4 };

static struct flock octet(short type, int at)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};
}

/* Where locks cannot be asked for, it is said to nobody. */
static void say(int fd, int from, unsigned kinds)
{
    for (int n = 0; n < KINDS; n++) {
        struct flock l = octet(F_RDLCK, from + n);
        if (kinds >> n & 1)
            fcntl(fd, F_OFD_SETLK, &l);
    }
}

static bool is_said(int fd, int from, unsigned kinds)
{
    for (int n = 0; n < KINDS; n++) {
        struct flock l = octet(F_WRLCK, from + n);
        if ((kinds >> n & 1) && fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK)
            return true;
    }
    return false;
}

void host_lock_drop(int fd)
{
    struct flock l = octet(F_UNLCK, IMAGE_DOES);

    l.l_len = IMAGE_END - IMAGE_DOES;
    fcntl(fd, F_OFD_SETLK, &l);
}

bool host_lock_take(int fd, unsigned does, unsigned forbids, const char *path, GError **error)
{
    say(fd, IMAGE_DOES, does);
    say(fd, IMAGE_FORBIDS, forbids);
    if (!is_said(fd, IMAGE_DOES, forbids) && !is_said(fd, IMAGE_FORBIDS, does))
        return true;
    host_lock_drop(fd);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "disk %s: is in use by another program", path);
    return false;
}
