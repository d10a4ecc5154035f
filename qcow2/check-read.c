/*
 * check-read.c: reads many parts of a file, several at a time; neighbours together.
 */
#include <errno.h>
#include <string.h>

#include "qcow2/check-impl.h"

#define READ_MOST  (1u << 20)  /* octets of parts that are read together */
#define READS_MOST 32u         /* that are under way: 8 MiB in all */
#define HOLE_LEAST (64u << 10) /* octets for which it is worth asking */

typedef struct Read {
    HostIo io;
    struct iovec iov;
    uint8_t *data;
    uint64_t offset;
    size_t first, count; /* parts */
    enum { IDLE, BUSY, ENDED } state;
    int error;
} Read;

static void read_ended(HostIo *io, int error)
{
    Read *r = (Read *)io;

    r->state = ENDED;
    r->error = error;
}

static void start(ReadMany *many, Read *r, size_t *next)
{
    size_t most = MAX(1, READ_MOST / many->len);
    uint64_t hole;

    r->first = *next;
    r->offset = many->where(many, r->first);
    for (r->count = 1; r->count < most && r->first + r->count < many->count; r->count++)
        if (many->where(many, r->first + r->count) != r->offset + r->count * many->len)
            break;
    *next += r->count;
    r->iov = (struct iovec){.iov_len = r->count * many->len};
    r->data = r->iov.iov_base = g_realloc(r->data, r->iov.iov_len);
    r->io = (HostIo){.op = HOST_READ,
                     .offset = r->offset,
                     .len = r->iov.iov_len,
                     .iov = &r->iov,
                     .iov_count = 1,
                     .done = read_ended};
    if (r->iov.iov_len >= HOLE_LEAST && host_file_is_hole(many->file, r->offset, r->iov.iov_len, &hole) &&
        hole == r->iov.iov_len) {
        memset(r->data, 0, r->iov.iov_len);
        r->error = 0;
        r->state = ENDED;
        return;
    }
    r->state = BUSY;
    host_file_submit(many->file, &r->io);
}

/* A part of what could not be read together may be readable alone. */
static int again(ReadMany *many, Read *r, size_t i, uint8_t *data)
{
    g_autoptr(GError) error = NULL;

    if (r->count == 1)
        return r->error;
    return host_file_read(many->file, r->offset + i * many->len, data, many->len, &error) ? 0 : EIO;
}

static bool finish(ReadMany *many, Read *r)
{
    bool go_on = true;

    r->state = IDLE;
    for (size_t i = 0; i < r->count && go_on; i++) {
        uint8_t *data = r->data + i * many->len;
        int error = r->error ? again(many, r, i, data) : 0;
        go_on = many->got(many, r->first + i, data, error);
    }
    return go_on;
}

bool read_many(ReadMany *many)
{
    Read reads[READS_MOST] = {0};
    size_t next = 0;
    unsigned busy = 0, most = (unsigned)MIN(READS_MOST, (READS_MOST * READ_MOST) / MAX(many->len, READ_MOST));
    bool go_on = true;

    while (busy || (go_on && next < many->count)) {
        for (unsigned i = 0; i < most && go_on && next < many->count; i++)
            if (reads[i].state == IDLE) {
                start(many, &reads[i], &next);
                busy++;
            }
        host_file_poll(many->file, true);
        for (unsigned i = 0; i < READS_MOST; i++)
            if (reads[i].state == ENDED) {
                busy--;
                if (go_on)
                    go_on = finish(many, &reads[i]);
                reads[i].state = IDLE;
            }
    }
    for (unsigned i = 0; i < READS_MOST; i++)
        g_free(reads[i].data);
    return go_on;
}
