/* host-file.c: what all kinds of files have in common, and a file's requests for those who wait. */
#include <inttypes.h>

#include "qcow2/host-file.h"
#include "visitors/error.h"

typedef struct Wait {
    HostIo io;
    bool ended;
    int error;
} Wait;

void host_file_submit(HostFile *file, HostIo *io)
{
    io->file = file;
    io->error = 0;
    io->link = (GList){.data = io};
    file->in_flight++;
    file->ops->submit(file, io);
}

void host_file_poll(HostFile *file, bool wait)
{
    file->ops->poll(file, wait && file->in_flight);
}

uint64_t host_file_length(HostFile *file)
{
    return file->ops->length(file);
}

bool host_file_truncate(HostFile *file, uint64_t length, GError **error)
{
    return file->ops->truncate(file, length, error);
}

bool host_file_set_active(HostFile *file, bool active, GError **error)
{
    return !file->ops->set_active || file->ops->set_active(file, active, error);
}

bool host_file_is_hole(HostFile *file, uint64_t offset, uint64_t len, uint64_t *extent)
{
    *extent = len;
    return file->ops->is_hole && file->ops->is_hole(file, offset, len, extent);
}

void host_file_close(HostFile *file)
{
    char *path = file->path;

    file->ops->close(file);
    g_free(path);
}

static void waited(HostIo *io, int error)
{
    Wait *wait = (Wait *)io;

    wait->ended = true;
    wait->error = error;
}

static bool run(HostFile *file, Wait *wait, const char *what, GError **error)
{
    uint64_t offset = wait->io.offset, len = wait->io.len;

    wait->io.done = waited;
    host_file_submit(file, &wait->io);
    while (!wait->ended)
        host_file_poll(file, true);
    if (!wait->error)
        return true;
    if (wait->io.op == HOST_SYNC)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: cannot sync: %s", file->path, g_strerror(wait->error));
    else
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: offset 0x%" PRIx64 ": %" PRIu64 " octets: cannot %s: %s",
                    file->path, offset, len, what, g_strerror(wait->error));
    return false;
}

static bool transfer(HostFile *file, HostOp op, uint64_t offset, void *data, size_t len, GError **error)
{
    struct iovec iov = {data, len};
    Wait wait = {.io = {.op = op, .offset = offset, .len = len, .iov = &iov, .iov_count = 1}};

    return len == 0 || run(file, &wait, op == HOST_READ ? "read" : "write", error);
}

bool host_file_read(HostFile *file, uint64_t offset, void *data, size_t len, GError **error)
{
    return transfer(file, HOST_READ, offset, data, len, error);
}

bool host_file_write(HostFile *file, uint64_t offset, const void *data, size_t len, GError **error)
{
    return transfer(file, HOST_WRITE, offset, (void *)data, len, error);
}

bool host_file_sync(HostFile *file, GError **error)
{
    Wait wait = {.io = {.op = HOST_SYNC}};

    return run(file, &wait, "sync", error);
}

bool host_file_zero(HostFile *file, uint64_t offset, uint64_t len, GError **error)
{
    Wait wait = {.io = {.op = HOST_ZERO, .offset = offset, .len = len}};

    return len == 0 || run(file, &wait, "write zeros", error);
}

bool host_file_punch(HostFile *file, uint64_t offset, uint64_t len, GError **error)
{
    Wait wait = {.io = {.op = HOST_PUNCH, .offset = offset, .len = len}};

    return len == 0 || run(file, &wait, "discard", error);
}
