/* engine.c: transfers that the kernel does in part. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "qcow2/engine.h"

#define SECTOR 512

/* So often it may say that it cannot now, before it is believed. */
#define TRIES 1000

bool transfer_advance(Transfer *t, uint64_t count)
{
    t->offset += count;
    t->len -= MIN(count, t->len);
    while (t->iov_count && count >= t->iov->iov_len) {
        count -= t->iov->iov_len;
        t->iov++;
        t->iov_count--;
    }
    if (t->iov_count) {
        t->iov->iov_base = (char *)t->iov->iov_base + count;
        t->iov->iov_len -= count;
    }
    return t->len == 0;
}

void transfer_fill_zeros(Transfer *t)
{
    for (int i = 0; i < t->iov_count; i++)
        memset(t->iov[i].iov_base, 0, t->iov[i].iov_len);
    t->len = 0;
}

bool transfer_step(Transfer *t, int64_t result)
{
    if (result == -EINTR || result == -EAGAIN || result == -ECANCELED) {
        t->error = (int)-result;
        return ++t->again > TRIES;
    }
    if (result < 0 || t->kind == TRANSFER_SYNC || t->kind == TRANSFER_ALLOCATE) {
        t->error = result < 0 ? (int)-result : 0;
        return true;
    }
    t->error = 0;
    t->again = 0;
    if (transfer_advance(t, (uint64_t)result))
        return true;
    if (t->kind == TRANSFER_READ && (result == 0 || (t->direct && t->offset % SECTOR))) {
        /* Where a direct read ends within a sector, the file ends: it could not even be continued there. */
        transfer_fill_zeros(t);
        return true;
    }
    if (t->kind == TRANSFER_WRITE && result == 0) {
        t->error = ENOSPC;
        return true;
    }
    return false;
}

int64_t transfer_call(const Transfer *t)
{
    int count = MIN(t->iov_count, IOV_MAX);
    ssize_t result;

    switch (t->kind) {
    case TRANSFER_READ:
        if (count == 1) /* the kernel has less to look at */
            result = pread(t->fd, t->iov->iov_base, t->iov->iov_len, (off_t)t->offset);
        else
            result = preadv(t->fd, t->iov, count, (off_t)t->offset);
        break;
    case TRANSFER_WRITE:
        if (count == 1 && !t->flags)
            result = pwrite(t->fd, t->iov->iov_base, t->iov->iov_len, (off_t)t->offset);
        else
            result = pwritev2(t->fd, t->iov, count, (off_t)t->offset, t->flags);
        break;
    case TRANSFER_SYNC:
        result = fdatasync(t->fd);
        break;
    default:
        result = fallocate(t->fd, t->flags, (off_t)t->offset, (off_t)t->len);
        break;
    }
    return result < 0 ? -errno : result;
}
