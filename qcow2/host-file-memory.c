/* host-file-memory.c: an image in memory, for tests and for what is made before it has a place. */
#include <errno.h>
#include <string.h>

#include "qcow2/host-file.h"
#include "visitors/error.h"

#define LENGTH_MAX (UINT64_C(1) << 31)

typedef struct Memory {
    HostFile file;
    GByteArray *data;
    GQueue ended; /* of HostIo */
} Memory;

static void grow(Memory *m, uint64_t length)
{
    size_t old = m->data->len;

    if (length <= old)
        return;
    g_byte_array_set_size(m->data, (guint)length);
    memset(m->data->data + old, 0, length - old);
}

static void copy(Memory *m, const HostIo *io)
{
    uint64_t at = io->offset;

    for (int i = 0; i < io->iov_count; i++) {
        uint8_t *memory = io->iov[i].iov_base;
        size_t len = io->iov[i].iov_len;
        if (io->op == HOST_WRITE) {
            memcpy(m->data->data + at, memory, len);
        } else {
            size_t there = at < m->data->len ? MIN(len, m->data->len - at) : 0;
            memcpy(memory, m->data->data + MIN(at, m->data->len), there);
            memset(memory + there, 0, len - there);
        }
        at += len;
    }
}

static void memory_submit(HostFile *file, HostIo *io)
{
    Memory *m = (Memory *)file;
    bool writes = io->op == HOST_WRITE || io->op == HOST_ZERO;

    if (io->op != HOST_READ && io->op != HOST_SYNC && file->read_only)
        io->error = EROFS;
    else if (writes && (io->offset > LENGTH_MAX || io->len > LENGTH_MAX - io->offset))
        io->error = EFBIG;
    else {
        if (writes)
            grow(m, io->offset + io->len);
        if (io->op == HOST_READ || io->op == HOST_WRITE)
            copy(m, io);
        else if (io->op != HOST_SYNC && io->offset < m->data->len)
            memset(m->data->data + io->offset, 0, MIN(io->len, m->data->len - io->offset));
    }
    g_queue_push_tail_link(&m->ended, &io->link);
}

static void memory_poll(HostFile *file, bool wait)
{
    Memory *m = (Memory *)file;

    (void)wait;
    for (GList *link; (link = g_queue_pop_head_link(&m->ended));) {
        HostIo *io = link->data;
        file->in_flight--;
        io->done(io, io->error);
    }
}

static uint64_t memory_length(HostFile *file)
{
    return ((Memory *)file)->data->len;
}

static bool memory_truncate(HostFile *file, uint64_t length, GError **error)
{
    Memory *m = (Memory *)file;

    if (length > LENGTH_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%s: cannot be made so long", file->path);
        return false;
    }
    grow(m, length);
    g_byte_array_set_size(m->data, (guint)length);
    return true;
}

static void memory_close(HostFile *file)
{
    Memory *m = (Memory *)file;

    g_byte_array_unref(m->data);
    g_free(m);
}

static const HostFileOps memory_ops = {
    .submit = memory_submit,
    .poll = memory_poll,
    .length = memory_length,
    .truncate = memory_truncate,
    .close = memory_close,
};

HostFile *host_file_memory(const void *data, size_t len)
{
    Memory *m = g_new0(Memory, 1);

    m->file.ops = &memory_ops;
    m->file.path = g_strdup("memory");
    m->file.fresh_is_zero = true;
    m->file.in_memory = true;
    m->data = g_byte_array_new();
    if (len)
        g_byte_array_append(m->data, data, (guint)len);
    g_queue_init(&m->ended);
    return &m->file;
}

GByteArray *host_file_memory_data(HostFile *file)
{
    return ((Memory *)file)->data;
}
