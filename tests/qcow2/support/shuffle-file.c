/* shuffle-file.c: requests wait until a poll, which does some of them, chosen by chance. */
#include <string.h>

#include "tests/qcow2/support/shuffle-file.h"

#define OPS 5

typedef struct Shuffle {
    HostFile file;
    HostFile *below;
    GPtrArray *waiting; /* of HostIo */
    GRand *random;
    unsigned count[OPS];
    HostOp fail_op;
    unsigned fail_in; /* 0: none; 1: the next one */
    int fail_error;
} Shuffle;

static void shuffle_submit(HostFile *file, HostIo *io)
{
    Shuffle *s = (Shuffle *)file;

    s->count[io->op]++;
    if (s->fail_in && io->op == s->fail_op && --s->fail_in == 0)
        io->error = s->fail_error;
    g_ptr_array_add(s->waiting, io);
}

typedef struct Below {
    HostIo io;
    int error;
    bool ended;
} Below;

static void below_ended(HostIo *io, int error)
{
    ((Below *)io)->error = error;
    ((Below *)io)->ended = true;
}

static void do_one(Shuffle *s)
{
    HostIo *io = g_ptr_array_remove_index_fast(s->waiting, g_rand_int(s->random) % s->waiting->len);
    Below b = {.io = {.op = io->op,
                      .offset = io->offset,
                      .len = io->len,
                      .iov = io->iov,
                      .iov_count = io->iov_count,
                      .done = below_ended},
               .error = io->error};

    if (!io->error) {
        host_file_submit(s->below, &b.io);
        host_file_poll(s->below, true);
    }
    s->file.in_flight--;
    io->done(io, b.error);
}

static void shuffle_poll(HostFile *file, bool wait)
{
    Shuffle *s = (Shuffle *)file;
    unsigned some = s->waiting->len ? g_rand_int(s->random) % (s->waiting->len + 1) : 0;

    for (some = MAX(some, wait ? 1 : 0); some && s->waiting->len; some--)
        do_one(s);
}

static uint64_t shuffle_length(HostFile *file)
{
    return host_file_length(((Shuffle *)file)->below);
}

static bool shuffle_truncate(HostFile *file, uint64_t length, GError **error)
{
    return host_file_truncate(((Shuffle *)file)->below, length, error);
}

static void shuffle_close(HostFile *file)
{
    Shuffle *s = (Shuffle *)file;

    host_file_close(s->below);
    g_ptr_array_unref(s->waiting);
    g_rand_free(s->random);
    g_free(s);
}

static const HostFileOps shuffle_ops = {
    .submit = shuffle_submit,
    .poll = shuffle_poll,
    .length = shuffle_length,
    .truncate = shuffle_truncate,
    .close = shuffle_close,
};

HostFile *shuffle_file_new(HostFile *file, uint32_t seed)
{
    Shuffle *s = g_new0(Shuffle, 1);

    s->file.ops = &shuffle_ops;
    s->file.path = g_strdup("shuffled");
    s->file.fresh_is_zero = file->fresh_is_zero;
    s->below = file;
    s->waiting = g_ptr_array_new();
    s->random = g_rand_new_with_seed(seed);
    return &s->file;
}

void shuffle_file_fail(HostFile *file, HostOp op, unsigned n, int error)
{
    Shuffle *s = (Shuffle *)file;

    s->fail_op = op;
    s->fail_in = n + 1;
    s->fail_error = error;
}

unsigned shuffle_file_count(const HostFile *file, HostOp op)
{
    return ((const Shuffle *)file)->count[op];
}
