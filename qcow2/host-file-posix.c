/*
 * host-file-posix.c: a regular file or a block device.
 *
 * Without the host's cache (O_DIRECT), offsets, lengths and memory must be aligned. What is not goes through a second
 * descriptor that is cached: the kernel writes back what it has of a page before it reads the page directly, and drops
 * it when the page is written directly. Metadata and the guest's sectors on a host of larger ones are all that goes
 * that way.
 *
 * A direct write that makes the file longer waits for all others, in the kernel. So the file is made longer ahead of
 * them, without taking room, and cut again when it is closed; after a crash it stays longer, which harms no image.
 *
 * Zeros: fallocate(2) where the file system can; written otherwise, which is remembered.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "qcow2/host-file.h"
#include "qcow2/host-lock.h"
#include "visitors/error.h"
#include "visitors/fd-path.h"

#define DIRECT_UNIT 4096u /* of offsets, lengths and memory: no device of today wants more */
#define ZEROS       65536u
#define ZEROS_IOV   16
#define AHEAD_MIN   (UINT64_C(1) << 20)
#define AHEAD_MAX   (UINT64_C(64) << 20)

typedef struct Posix {
    HostFile file;
    int fd, direct_fd; /* direct_fd: -1: none */
    Engine *engine;
    bool shared, resizes, device, through, sync;
    bool no_zero, no_punch; /* the file system cannot */
    uint64_t device_length;
    bool ahead;         /* the file is made longer ahead of writes: */
    uint64_t end, size; /* how long it is meant to be, and how long it is */
    int sync_error;     /* what was not written then may be lost, whatever a later sync says (fsync(2), errors) */
    uint8_t *zeros;
} Posix;

/* Zeros that are written: one piece after the other. */
typedef struct Zeros {
    HostIo *io;
    uint64_t left;
    struct iovec iov[ZEROS_IOV];
} Zeros;

static inline HostIo *io_of(Transfer *t)
{
    return (HostIo *)((char *)t - offsetof(HostIo, transfer));
}

static void finish(HostIo *io, int error)
{
    io->file->in_flight--;
    io->done(io, error);
}

/* --- requests --------------------------------------------------------------------------------------------------- */

static void ended(Transfer *t, int error)
{
    HostIo *io = io_of(t);
    Posix *p = (Posix *)io->file;

    if (io->op == HOST_SYNC && error)
        p->sync_error = error;
    finish(io, error);
}

static void zeros_step(Posix *p, Zeros *z);

static void zeros_ended(Transfer *t, int error)
{
    HostIo *io = io_of(t);
    Zeros *z = (Zeros *)io->iov;

    if (!error && z->left) {
        zeros_step((Posix *)io->file, z);
        return;
    }
    io->iov = NULL;
    g_free(z);
    finish(io, error);
}

static void zeros_step(Posix *p, Zeros *z)
{
    Transfer *t = &z->io->transfer;
    uint64_t now = MIN(z->left, (uint64_t)ZEROS * ZEROS_IOV);
    int count = 0;

    t->len = now;
    for (uint64_t left = now; left; left -= MIN(left, ZEROS))
        z->iov[count++] = (struct iovec){p->zeros, (size_t)MIN(left, ZEROS)};
    t->iov = z->iov;
    t->iov_count = count;
    z->left -= now;
    p->engine->ops->submit(p->engine, t);
}

static void write_zeros(Posix *p, HostIo *io)
{
    Zeros *z = g_new0(Zeros, 1);

    if (!p->zeros)
        p->zeros = g_malloc0(ZEROS);
    z->io = io;
    z->left = io->len;
    io->iov = (struct iovec *)z;
    io->transfer = (Transfer){.kind = TRANSFER_WRITE,
                              .fd = p->fd,
                              .flags = p->through ? RWF_DSYNC : 0,
                              .offset = io->offset,
                              .ended = zeros_ended};
    zeros_step(p, z);
}

static bool is_unsupported(int error)
{
    return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL || error == ENODEV;
}

static void allocate_ended(Transfer *t, int error)
{
    HostIo *io = io_of(t);
    Posix *p = (Posix *)io->file;

    if (!is_unsupported(error)) {
        finish(io, error);
        return;
    }
    if (io->op == HOST_PUNCH)
        p->no_punch = true;
    else
        p->no_zero = true;
    write_zeros(p, io);
}

static void allocate(Posix *p, HostIo *io)
{
    /* A device is never longer than it is, and is not asked to be. */
    int keep = p->device || io->op == HOST_PUNCH ? FALLOC_FL_KEEP_SIZE : 0;

    io->transfer = (Transfer){.kind = TRANSFER_ALLOCATE,
                              .fd = p->fd,
                              .flags = keep | (io->op == HOST_PUNCH ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE),
                              .offset = io->offset,
                              .len = io->len,
                              .ended = allocate_ended};
    if (io->op == HOST_PUNCH ? p->no_punch : p->no_zero)
        write_zeros(p, io);
    else
        p->engine->ops->submit(p->engine, &io->transfer);
}

static bool is_aligned(const HostIo *io)
{
    if ((io->offset | io->len) % DIRECT_UNIT)
        return false;
    for (int i = 0; i < io->iov_count; i++)
        if (((uintptr_t)io->iov[i].iov_base | io->iov[i].iov_len) % HOST_SECTOR)
            return false;
    return true;
}

/* Something is written up to `end`. If the file cannot be made longer now, the write says so, or does it. */
static void reach(Posix *p, uint64_t end)
{
    uint64_t size = end + CLAMP(end / 4, AHEAD_MIN, AHEAD_MAX);

    if (!p->ahead || end <= p->end)
        return;
    p->end = end;
    if (end > p->size)
        p->size = size <= INT64_MAX && ftruncate(p->fd, (off_t)size) == 0 ? size : end;
}

/* Nothing is under way. Where it cannot be cut it stays longer. */
static bool cut_what_is_ahead(Posix *p)
{
    bool ahead = p->ahead && p->size > p->end;

    p->ahead = false;
    return !ahead || ftruncate(p->fd, (off_t)p->end) == 0;
}

static void transfer(Posix *p, HostIo *io)
{
    bool direct = p->direct_fd >= 0 && is_aligned(io);

    io->transfer = (Transfer){.kind = io->op == HOST_READ ? TRANSFER_READ : TRANSFER_WRITE,
                              .fd = direct ? p->direct_fd : p->fd,
                              .flags = io->op == HOST_WRITE && p->through ? RWF_DSYNC : 0,
                              .direct = direct,
                              .offset = io->offset,
                              .len = io->len,
                              .iov = io->iov,
                              .iov_count = io->iov_count,
                              .ended = ended};
    p->engine->ops->submit(p->engine, &io->transfer);
}

/* Fails, or has nothing to do: as a transfer of nothing, so that it ends with the others. */
static void nothing_ended(Transfer *t, int error)
{
    (void)error;
    finish(io_of(t), io_of(t)->error);
}

static void nothing(Posix *p, HostIo *io, int error)
{
    io->error = error;
    io->transfer = (Transfer){.kind = TRANSFER_READ, .fd = p->fd, .ended = nothing_ended};
    p->engine->ops->submit(p->engine, &io->transfer);
}

static void posix_submit(HostFile *file, HostIo *io)
{
    Posix *p = (Posix *)file;

    if (io->op == HOST_SYNC && (!p->sync || p->sync_error || file->read_only)) {
        nothing(p, io, p->sync ? p->sync_error : 0);
    } else if (io->op == HOST_SYNC) {
        io->transfer = (Transfer){.kind = TRANSFER_SYNC, .fd = p->fd, .ended = ended};
        p->engine->ops->submit(p->engine, &io->transfer);
    } else if (io->op != HOST_READ && file->read_only) {
        nothing(p, io, EROFS);
    } else if (p->device && io->op != HOST_READ &&
               (io->offset > p->device_length || io->len > p->device_length - io->offset)) {
        nothing(p, io, ENOSPC);
    } else if (!io->len) {
        nothing(p, io, 0);
    } else {
        if (io->op == HOST_WRITE || io->op == HOST_ZERO)
            reach(p, io->offset + io->len);
        if (io->op == HOST_READ || io->op == HOST_WRITE)
            transfer(p, io);
        else
            allocate(p, io);
    }
}

static void posix_poll(HostFile *file, bool wait)
{
    Posix *p = (Posix *)file;

    if (wait)
        p->engine->ops->wait(p->engine);
    p->engine->ops->poll(p->engine);
}

/* --- the file --------------------------------------------------------------------------------------------------- */

static bool failed(const char *path, GError **error)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "disk %s: %s", path, g_strerror(errno));
    return false;
}

static uint64_t posix_length(HostFile *file)
{
    Posix *p = (Posix *)file;
    struct stat status;

    if (p->device)
        return p->device_length;
    if (p->ahead)
        return p->end;
    return fstat(p->fd, &status) == 0 ? (uint64_t)status.st_size : 0;
}

/* Whoever had the file before may have changed it. */
static void look_at_length(Posix *p)
{
    p->ahead = false;
    p->end = p->size = posix_length(&p->file);
    p->ahead = p->direct_fd >= 0 && !p->device && !p->file.read_only;
}

static bool posix_truncate(HostFile *file, uint64_t length, GError **error)
{
    Posix *p = (Posix *)file;

    if (p->device && length <= p->device_length)
        return true;
    if (p->device || length > INT64_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "disk %s: cannot be made %" PRIu64 " octets long",
                    file->path, length);
        return false;
    }
    if (ftruncate(p->fd, (off_t)length) != 0)
        return failed(file->path, error);
    p->end = p->size = length;
    return true;
}

static bool posix_set_active(HostFile *file, bool active, GError **error)
{
    Posix *p = (Posix *)file;
    unsigned resize = p->resizes ? HOST_LOCK_RESIZE : 0;

    if (!active)
        cut_what_is_ahead(p);
    if (!active && !p->shared)
        host_lock_drop(p->fd);
    if (!active)
        return true;
    bool ours = p->shared || host_lock_take(p->fd, HOST_LOCK_READ | (file->read_only ? 0 : HOST_LOCK_WRITE | resize),
                                            HOST_LOCK_WRITE | resize, file->path, error);
    if (ours)
        look_at_length(p);
    return ours;
}

static bool posix_is_hole(HostFile *file, uint64_t offset, uint64_t len, uint64_t *extent)
{
    Posix *p = (Posix *)file;
    uint64_t end = offset + len;
    off_t data = lseek(p->fd, (off_t)offset, SEEK_DATA);

    if (data < 0)
        return errno == ENXIO; /* nothing any more until the end */
    if ((uint64_t)data > offset) {
        *extent = MIN((uint64_t)data, end) - offset;
        return true;
    }
    off_t hole = lseek(p->fd, (off_t)offset, SEEK_HOLE);
    if (hole >= 0 && (uint64_t)hole > offset)
        *extent = MIN((uint64_t)hole, end) - offset;
    return false;
}

static void posix_close(HostFile *file)
{
    Posix *p = (Posix *)file;

    cut_what_is_ahead(p);
    if (p->engine)
        p->engine->ops->free(p->engine);
    if (p->fd >= 0 && !p->shared)
        host_lock_drop(p->fd); /* the open file may go on under other descriptors (fd-path.h) */
    if (p->fd >= 0)
        close(p->fd);
    if (p->direct_fd >= 0)
        close(p->direct_fd);
    g_free(p->zeros);
    g_free(p);
}

static const HostFileOps posix_ops = {
    .submit = posix_submit,
    .poll = posix_poll,
    .length = posix_length,
    .truncate = posix_truncate,
    .set_active = posix_set_active,
    .is_hole = posix_is_hole,
    .close = posix_close,
};

static bool open_descriptors(Posix *p, const HostFilePosix *o, GError **error)
{
    int mode = (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | (o->create ? O_CREAT : 0);
    bool direct = o->cache == HOST_CACHE_NONE || o->cache == HOST_CACHE_DIRECTSYNC;
    struct stat status;

    /* Not to wait for who opens the other end of a fifo, which is refused below. */
    p->fd = fd_path_open(o->path, mode | O_NONBLOCK, 0644);
    if (p->fd < 0 || fcntl(p->fd, F_SETFL, mode) != 0 || fstat(p->fd, &status) != 0)
        return failed(o->path, error);
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "disk %s: is neither a file nor a block device",
                    o->path);
        return false;
    }
    p->device = S_ISBLK(status.st_mode);
    if (p->device && ioctl(p->fd, BLKGETSIZE64, &p->device_length) != 0)
        return failed(o->path, error);
    if (!direct)
        return true;
    p->direct_fd = fd_path_open(o->path, (mode & ~O_CREAT) | O_DIRECT, 0);
    if (p->direct_fd < 0 && errno == EINVAL)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "disk %s: its file system knows no access without the host's cache (O_DIRECT)", o->path);
    else if (p->direct_fd < 0)
        failed(o->path, error);
    return p->direct_fd >= 0;
}

static bool start_engine(Posix *p, const HostFilePosix *o, GError **error)
{
    int event = o->events ? o->event : -1;
    struct statfs system;

    /* What lies in memory is copied sooner than handed on to somebody. */
    if (o->engine == HOST_ENGINE_AUTO && fstatfs(p->fd, &system) == 0 && system.f_type == TMPFS_MAGIC) {
        p->engine = engine_new_inline(event);
        p->file.in_memory = true;
        return true;
    }
    if (o->engine != HOST_ENGINE_THREADS)
        p->engine = engine_new_uring(event, event >= 0);
    if (!p->engine && o->engine == HOST_ENGINE_URING) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "disk %s: io_uring: %s", o->path, g_strerror(errno));
        return false;
    }
    if (!p->engine)
        p->engine = engine_new_threads(event);
    return true;
}

/* Not what is empty already: of a file that was cut to nothing, ext4 writes all to the disk when it is closed. */
static bool make_empty(Posix *p, GError **error)
{
    return (!p->device && posix_length(&p->file) == 0) || posix_truncate(&p->file, 0, error);
}

HostFile *host_file_open(const HostFilePosix *o, GError **error)
{
    Posix *p = g_new0(Posix, 1);

    p->file.ops = &posix_ops;
    p->file.path = g_strdup(o->path);
    p->file.read_only = o->read_only;
    p->fd = p->direct_fd = -1;
    p->shared = o->shared;
    p->resizes = o->resizes;
    p->through = o->cache == HOST_CACHE_WRITETHROUGH || o->cache == HOST_CACHE_DIRECTSYNC;
    p->sync = o->cache != HOST_CACHE_UNSAFE;
    if (!open_descriptors(p, o, error) || !start_engine(p, o, error) ||
        (!o->inactive && !posix_set_active(&p->file, true, error)) || (o->create && !make_empty(p, error))) {
        host_file_close(&p->file);
        return NULL;
    }
    p->file.fresh_is_zero = !p->device;
    return &p->file;
}
