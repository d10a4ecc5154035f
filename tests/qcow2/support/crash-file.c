/* crash-file.c: a log of writes, and the files that could be left of it. */
#include "tests/qcow2/support/crash-file.h"

#include <errno.h>
#include <string.h>

typedef struct Event {
    HostOp op;
    bool truncates;
    uint64_t offset, len;
    uint8_t *data; /* of a write */
    size_t ended;  /* the events there were when it had ended; SIZE_MAX: it has not */
} Event;

typedef struct CrashFile {
    HostFile file;
    GByteArray *start, *now;
    GPtrArray *events;
    GQueue done;           /* of HostIo */
    GHashTable *under_way; /* HostIo -> Event */
    size_t fails;
} CrashFile;

static void event_free(void *data)
{
    Event *e = data;

    g_free(e->data);
    g_free(e);
}

static void reach(GByteArray *array, uint64_t length)
{
    guint old = array->len;

    if (length <= old)
        return;
    g_byte_array_set_size(array, (guint)length);
    memset(array->data + old, 0, length - old);
}

/* The part of an event that lies in [from, from + len) of its range. */
static void apply(GByteArray *array, const Event *e, uint64_t from, uint64_t len)
{
    if (e->op == HOST_WRITE || e->op == HOST_ZERO) {
        reach(array, e->offset + from + len);
        if (e->data)
            memcpy(array->data + e->offset + from, e->data + from, len);
        else
            memset(array->data + e->offset + from, 0, len);
    } else if (e->offset + from < array->len) {
        memset(array->data + e->offset + from, 0, MIN(len, array->len - e->offset - from));
    }
}

static Event *event_new(CrashFile *c, HostOp op, uint64_t offset, uint64_t len)
{
    Event *e = g_new0(Event, 1);

    e->op = op;
    e->offset = offset;
    e->len = len;
    e->ended = SIZE_MAX;
    g_ptr_array_add(c->events, e);
    return e;
}

static uint8_t *gather(const HostIo *io)
{
    uint8_t *data = g_malloc(io->len), *at = data;

    for (int i = 0; i < io->iov_count; i++) {
        memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
        at += io->iov[i].iov_len;
    }
    return data;
}

static void read_into(const CrashFile *c, const HostIo *io)
{
    uint64_t at = io->offset;

    for (int i = 0; i < io->iov_count; i++) {
        uint8_t *memory = io->iov[i].iov_base;
        size_t len = io->iov[i].iov_len, there = at < c->now->len ? MIN(len, c->now->len - at) : 0;
        if (there)
            memcpy(memory, c->now->data + at, there);
        memset(memory + there, 0, len - there);
        at += len;
    }
}

static void submit(HostFile *file, HostIo *io)
{
    CrashFile *c = (CrashFile *)file;

    if (io->op == HOST_READ) {
        read_into(c, io);
    } else if (c->events->len >= c->fails) {
        io->error = EIO;
    } else {
        Event *e = event_new(c, io->op, io->offset, io->len);
        if (io->op == HOST_WRITE)
            e->data = gather(io);
        if (io->op != HOST_SYNC)
            apply(c->now, e, 0, e->len);
        g_hash_table_insert(c->under_way, io, e);
    }
    g_queue_push_tail_link(&c->done, &io->link);
}

static void poll(HostFile *file, bool wait)
{
    CrashFile *c = (CrashFile *)file;

    (void)wait;
    for (GList *link; (link = g_queue_pop_head_link(&c->done));) {
        HostIo *io = link->data;
        Event *e = g_hash_table_lookup(c->under_way, io);
        if (e)
            e->ended = c->events->len;
        g_hash_table_remove(c->under_way, io);
        file->in_flight--;
        io->done(io, io->error);
    }
}

static uint64_t length(HostFile *file)
{
    return ((CrashFile *)file)->now->len;
}

static bool truncate_file(HostFile *file, uint64_t len, GError **error)
{
    CrashFile *c = (CrashFile *)file;

    (void)error;
    event_new(c, HOST_PUNCH, len, 0)->truncates = true;
    reach(c->now, len);
    g_byte_array_set_size(c->now, (guint)len);
    return true;
}

static void close_file(HostFile *file)
{
    CrashFile *c = (CrashFile *)file;

    g_byte_array_unref(c->start);
    g_byte_array_unref(c->now);
    g_ptr_array_unref(c->events);
    g_hash_table_unref(c->under_way);
    g_free(c);
}

HostFile *crash_file_new(const void *data, size_t len)
{
    static const HostFileOps ops = {
        .submit = submit, .poll = poll, .length = length, .truncate = truncate_file, .close = close_file};
    CrashFile *c = g_new0(CrashFile, 1);

    c->file.ops = &ops;
    c->file.path = g_strdup("crash.qcow2");
    c->file.fresh_is_zero = true;
    c->start = g_byte_array_new();
    c->now = g_byte_array_new();
    g_byte_array_append(c->start, data, (guint)len);
    g_byte_array_append(c->now, data, (guint)len);
    c->events = g_ptr_array_new_with_free_func(event_free);
    c->under_way = g_hash_table_new(NULL, NULL);
    c->fails = SIZE_MAX;
    return &c->file;
}

size_t crash_file_events(HostFile *file)
{
    return ((CrashFile *)file)->events->len;
}

void crash_file_fail(HostFile *file, size_t n)
{
    CrashFile *c = (CrashFile *)file;

    c->fails = n == SIZE_MAX ? n : c->events->len + n;
}

/* ---------------------------------------------------------------------------------------------------------------- */

/* Was it under a sync that had ended when there were `before` events? */
static bool is_certain(const CrashFile *c, size_t index, size_t before)
{
    const Event *e = c->events->pdata[index];

    for (size_t i = index + 1; i < before; i++) {
        const Event *sync = c->events->pdata[i];
        if (sync->op == HOST_SYNC && e->ended <= i && sync->ended <= before)
            return true;
    }
    return false;
}

static void leave(GByteArray *left, const Event *e, CrashKeep keep, GRand *random)
{
    if (keep == CRASH_KEEP || (keep == CRASH_SOME && g_rand_boolean(random))) {
        apply(left, e, 0, e->len);
    } else if (keep == CRASH_TEAR) {
        for (uint64_t at = 0, len; at < e->len; at += len) {
            len = MIN(e->len - at, HOST_SECTOR - (e->offset + at) % HOST_SECTOR);
            if (g_rand_boolean(random))
                apply(left, e, at, len);
        }
    }
}

GByteArray *crash_file_left(HostFile *file, size_t before, CrashKeep keep, GRand *random)
{
    const CrashFile *c = (const CrashFile *)file;
    GByteArray *left = g_byte_array_new();

    g_byte_array_append(left, c->start->data, c->start->len);
    for (size_t i = 0; i < before; i++) {
        const Event *e = c->events->pdata[i];
        if (e->op == HOST_SYNC)
            continue;
        if (e->truncates) {
            reach(left, e->offset);
            g_byte_array_set_size(left, (guint)e->offset);
        } else {
            leave(left, e, is_certain(c, i, before) ? CRASH_KEEP : keep, random);
        }
    }
    return left;
}
