/*
 * faults.c: a library that is loaded before all others (LD_PRELOAD) and has one operation on a program's images fail.
 *
 * Who steers it shares a page with it, the file that $FAULTS names: struct Faults. Once it is armed, operations on
 * files whose names end in ".qcow2" are counted, and that with the number `at` fails as `mode` says. io_uring is not
 * there, so that all of them go by the functions below.
 */
#undef _FILE_OFFSET_BITS
#define _LARGEFILE64_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { IO_ERROR, GONE, NO_SPACE, FULL, SHORT, TORN, KILL, TORN_KILL }; /* as in faults.py */
enum { READ, WRITE, SYNC, ALLOCATE, TRUNCATE };

typedef struct Faults {
    uint32_t armed, mode;
    uint64_t at;            /* the first is 1; 0: none */
    _Atomic uint64_t count; /* so far */
    uint32_t hit, op;       /* hit: it has happened, to an operation of this kind */
} Faults;

static Faults *shared;

__attribute__((constructor)) static void begin(void)
{
    int fd = open(getenv("FAULTS"), O_RDWR | O_CLOEXEC);

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd < 0 || shared == MAP_FAILED)
        abort();
    close(fd);
}

static bool is_image(int fd)
{
    char link[32], path[4096];
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path);
    return len > 6 && memcmp(path + len - 6, ".qcow2", 6) == 0;
}

/* Does this one fail? *half: it is done in part before that; *error: 0: then the part is all that is told. */
static bool fails(int fd, uint32_t op, bool *half, int *error)
{
    *half = false;
    if (!shared || !shared->armed || !is_image(fd))
        return false;
    uint64_t number = atomic_fetch_add(&shared->count, 1) + 1;
    bool lasts = shared->mode == GONE || (shared->mode == FULL && op != READ);
    bool follows = shared->mode == TORN && number == shared->at + 1;
    if (!shared->at || number < shared->at || (number > shared->at && !lasts && !follows))
        return false;
    bool transfers = op == READ || op == WRITE;
    if (number == shared->at) {
        /* Space does not lack who reads, and what has no length is not done in part. */
        if (((shared->mode == NO_SPACE || shared->mode == FULL) && op == READ) ||
            ((shared->mode == SHORT || shared->mode == TORN || shared->mode == TORN_KILL) && !transfers))
            return false;
        shared->op = op;
        shared->hit = 1;
        *half = shared->mode == SHORT || shared->mode == TORN || shared->mode == TORN_KILL;
    } else if (!shared->hit) {
        return false;
    }
    *error = *half ? 0 : shared->mode == NO_SPACE || shared->mode == FULL ? ENOSPC : EIO;
    if (shared->mode == KILL)
        kill(getpid(), SIGKILL);
    return true;
}

static int fail_with(int error)
{
    errno = error;
    return -1;
}

/* Half of it: a vector of its own. */
static ssize_t half_of(const struct iovec *iov, int count, struct iovec *part, int *part_count)
{
    size_t len = 0, half;

    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    half = len / 2;
    *part_count = 0;
    for (int i = 0; i < count && half; i++) {
        part[i] = iov[i];
        part[i].iov_len = half < iov[i].iov_len ? half : iov[i].iov_len;
        half -= part[i].iov_len;
        *part_count = i + 1;
    }
    return (ssize_t)(len / 2);
}

static ssize_t ended_half(ssize_t done)
{
    if (shared->mode == TORN_KILL)
        kill(getpid(), SIGKILL);
    return done;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t preadv64(int fd, const struct iovec *iov, int count, off64_t offset)
{
    struct iovec part[IOV_MAX];
    int error, part_count;
    bool half;

    if (!fails(fd, READ, &half, &error))
        return REAL(preadv64)(fd, iov, count, offset);
    if (!half)
        return fail_with(error);
    if (half_of(iov, count, part, &part_count) == 0)
        return REAL(preadv64)(fd, iov, count, offset);
    return ended_half(REAL(preadv64)(fd, part, part_count, offset));
}

ssize_t pread64(int fd, void *data, size_t len, off64_t offset)
{
    struct iovec iov = {data, len};

    return preadv64(fd, &iov, 1, offset);
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off64_t offset, int flags)
{
    struct iovec part[IOV_MAX];
    int error, part_count;
    bool half;

    if (!fails(fd, WRITE, &half, &error))
        return REAL(pwritev64v2)(fd, iov, count, offset, flags);
    if (!half)
        return fail_with(error);
    if (half_of(iov, count, part, &part_count) == 0)
        return REAL(pwritev64v2)(fd, iov, count, offset, flags);
    return ended_half(REAL(pwritev64v2)(fd, part, part_count, offset, flags));
}

int fdatasync(int fd)
{
    int error;
    bool half;

    return fails(fd, SYNC, &half, &error) ? fail_with(error) : REAL(fdatasync)(fd);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t len)
{
    int error;
    bool half;

    return fails(fd, ALLOCATE, &half, &error) ? fail_with(error) : REAL(fallocate64)(fd, mode, offset, len);
}

int ftruncate64(int fd, off64_t len)
{
    int error;
    bool half;

    return fails(fd, TRUNCATE, &half, &error) ? fail_with(error) : REAL(ftruncate64)(fd, len);
}

/* The kernel has none. */
struct io_uring;
int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags);
int io_uring_queue_init(unsigned entries, struct io_uring *ring, unsigned flags)
{
    (void)entries;
    (void)ring;
    (void)flags;
    return -ENOSYS;
}
