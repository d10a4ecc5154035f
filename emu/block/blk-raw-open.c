/* blk-raw-open.c: what there is behind a path, and how it wants to be treated. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "emu/block/raw-impl.h"
#include "qcow2/host-lock.h"
#include "visitors/error.h"
#include "visitors/fd-path.h"

#define SECTOR 512

static bool fail(const BlkRaw *options, int cause, GError **error)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "disk %s: %s", options->path, g_strerror(cause));
    return false;
}

static bool is_direct(const BlkRaw *options)
{
    return options->cache == HOST_CACHE_NONE || options->cache == HOST_CACHE_DIRECTSYNC;
}

/* --- length ----------------------------------------------------------------------------------------------------- */

static bool find_length(Raw *raw, const BlkRaw *options, GError **error)
{
    struct stat status;
    uint64_t octets = 0;

    if (fstat(raw->fd, &status) != 0)
        return fail(options, errno, error);
    if (S_ISREG(status.st_mode)) {
        raw->block.length = ((uint64_t)status.st_size + SECTOR - 1) / SECTOR * SECTOR;
        raw->discard_unit = SECTOR;
        return true;
    }
    if (!S_ISBLK(status.st_mode)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "disk %s: is neither a file nor a block device",
                    options->path);
        return false;
    }
    int unit = SECTOR;
    if (ioctl(raw->fd, BLKGETSIZE64, &octets) != 0 || ioctl(raw->fd, BLKSSZGET, &unit) != 0)
        return fail(options, errno, error);
    raw->block.length = octets / SECTOR * SECTOR;
    raw->discard_unit = (unsigned)unit;
    return true;
}

/* --- O_DIRECT --------------------------------------------------------------------------------------------------- */

/* What statx(2) says since Linux 6.1: for most, not for all file systems. 0: nothing. */
static unsigned told_alignment(int fd, unsigned *memory)
{
#ifdef STATX_DIOALIGN
    struct statx x;

    memset(&x, 0, sizeof x);
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &x) == 0 && (x.stx_mask & STATX_DIOALIGN) &&
        x.stx_dio_offset_align) {
        *memory = MAX(x.stx_dio_mem_align, 1);
        return x.stx_dio_offset_align;
    }
#endif
    (void)fd;
    (void)memory;
    return 0;
}

/* The smallest read that is not refused. It need not find anything: at the end of a file, it is refused as well. */
static unsigned tried_alignment(int fd)
{
    void *memory;
    unsigned unit = SECTOR;

    if (posix_memalign(&memory, RAW_CLUSTER, RAW_CLUSTER) != 0)
        return 4096;
    while (unit < 4096 && pread(fd, memory, unit, unit) < 0)
        unit *= 2;
    free(memory);
    return unit;
}

static bool find_alignment(Raw *raw, const BlkRaw *options, GError **error)
{
    raw->alignment = raw->memory_alignment = 1;
    if (!raw->direct)
        return true;
    raw->alignment = told_alignment(raw->fd, &raw->memory_alignment);
    if (!raw->alignment)
        raw->alignment = raw->memory_alignment = tried_alignment(raw->fd);
    raw->alignment = MAX(MAX(raw->alignment, SECTOR), options->alignment);
    raw->memory_alignment = MAX(raw->memory_alignment, MIN(options->alignment, 4096));
    if (raw->alignment > RAW_CLUSTER || (raw->alignment & (raw->alignment - 1))) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "disk %s: blocks of %u octets", options->path,
                    raw->alignment);
        return false;
    }
    /* Its last block cannot be written without making the file longer. */
    if (raw->block.length % raw->alignment && !options->read_only && !options->snapshot) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "disk %s: %" PRIu64
                    " octets are no multiple of %u, as it takes to write it without the host's cache",
                    options->path, raw->block.length, raw->alignment);
        return false;
    }
    return true;
}

/* --- locks ------------------------------------------------------------------------------------------------------ */

static bool lock(Raw *raw, GError **error)
{
    unsigned does = HOST_LOCK_READ | (raw->writes ? HOST_LOCK_WRITE : 0);
    unsigned forbids = HOST_LOCK_WRITE | (raw->snapshot ? HOST_LOCK_RESIZE : 0);

    return raw->shared || host_lock_take(raw->fd, does, forbids, raw->path, error);
}

bool raw_set_active(Block *block, bool active, GError **error)
{
    if (active)
        return lock((Raw *)block, error);
    host_lock_drop(((Raw *)block)->fd);
    return true;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static int open_unnamed(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    g_autofree char *path = g_build_filename(folder, "ferry-XXXXXX", NULL);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static bool open_overlay(Raw *raw, const BlkRaw *options, GError **error)
{
    const char *given = options->snapshot_dir ? options->snapshot_dir : g_getenv("TMPDIR");
    const char *folder = given && *given ? given : "/var/tmp";
    uint64_t clusters = (raw->block.length + RAW_CLUSTER - 1) / RAW_CLUSTER;

    raw->overlay = open_unnamed(folder);
    if (raw->overlay < 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "disk %s: its snapshot in %s: %s", options->path, folder,
                    g_strerror(errno));
        return false;
    }
    raw->written = g_new0(uint64_t, clusters / 64 + 1);
    return true;
}

static bool start_engine(Raw *raw, const BlkRaw *options, GError **error)
{
    if (options->engine != HOST_ENGINE_THREADS) {
        raw->engine = engine_new_uring(raw->block.event, false);
        raw->engine_kind = HOST_ENGINE_URING;
        if (!raw->engine && options->engine == HOST_ENGINE_URING) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "disk %s: io_uring: %s", options->path,
                        g_strerror(errno));
            return false;
        }
    }
    if (raw->engine)
        block_watch(&raw->block, raw->engine->fd);
    if (!raw->engine) {
        raw->engine = engine_new_threads(raw->block.event);
        raw->engine_kind = HOST_ENGINE_THREADS;
    }
    return true;
}

static bool open_file(Raw *raw, const BlkRaw *options, GError **error)
{
    int mode = options->read_only || options->snapshot ? O_RDONLY : O_RDWR;

    /* Not to wait for who opens the other end of a fifo, which is refused below. */
    mode |= O_CLOEXEC | O_NONBLOCK | (is_direct(options) ? O_DIRECT : 0);
    raw->fd = fd_path_open(options->path, mode, 0);
    if (raw->fd < 0 && errno == EINVAL && is_direct(options)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "disk %s: its file system knows no access without the host's cache (O_DIRECT)", options->path);
        return false;
    }
    if (raw->fd < 0 || fcntl(raw->fd, F_SETFL, mode & ~O_NONBLOCK) != 0)
        return fail(options, errno, error);
    raw->direct = is_direct(options);
    return find_length(raw, options, error) && find_alignment(raw, options, error) &&
           (options->inactive || lock(raw, error));
}

static void settle(Raw *raw, const BlkRaw *options)
{
    raw->block.read_only = options->read_only;
    raw->discard = options->discard;
    raw->block.can_discard = options->discard && !options->read_only;
    raw->granule = options->snapshot ? RAW_CLUSTER : raw->alignment;
    raw->discard_unit = MAX(raw->discard_unit, raw->granule);
    raw->sync = options->cache != HOST_CACHE_UNSAFE && !options->snapshot;
    raw->through = options->cache == HOST_CACHE_WRITETHROUGH || options->cache == HOST_CACHE_DIRECTSYNC;
    raw->zero_way = options->discard || options->snapshot ? 0 : 1;
}

Block *blk_raw_open(const BlkRaw *options, GError **error)
{
    Raw *raw = (Raw *)block_new(&raw_ops, options->context);

    if (!raw) {
        fail(options, errno, error);
        return NULL;
    }
    raw->fd = raw->overlay = -1;
    raw->path = g_strdup(options->path);
    raw->block.inactive = options->inactive;
    raw->shared = options->shared;
    raw->writes = !options->read_only && !options->snapshot;
    raw->snapshot = options->snapshot;
    g_queue_init(&raw->writers);
    if (!open_file(raw, options, error) || (options->snapshot && !open_overlay(raw, options, error)) ||
        !start_engine(raw, options, error)) {
        block_free(&raw->block);
        return NULL;
    }
    settle(raw, options);
    return &raw->block;
}

HostEngine blk_raw_engine(const Block *block)
{
    return ((const Raw *)block)->engine_kind;
}
