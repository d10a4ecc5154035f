/*
 * disk-rig.h: a disk and what should be on it.
 *
 * Random requests, many in flight, are held against a shadow. What is in flight never overlaps, but lies side by side
 * in one block or cluster.
 */
#ifndef TESTS_EMU_DISK_RIG_H
#define TESTS_EMU_DISK_RIG_H

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "emu/block/blk-memory.h"
#include "emu/block/blk-raw.h"

#define SECTOR      512u
#define IN_FLIGHT   32
#define MAX_SECTORS 300u /* of a request: more than two clusters */
#define MAX_PARTS   6

/* --- one request, and its end ----------------------------------------------------------------------------------- */

typedef struct Ending {
    unsigned calls;
    int error;
    GThread *thread;
} Ending;

static inline void ended(void *opaque, int error)
{
    Ending *e = opaque;

    e->calls++;
    e->error = error;
    e->thread = g_thread_self();
}

/* Does it, on the default context, and gives its errno. */
static inline int disk_do(Block *block, BlockOp op, uint64_t offset, void *data, size_t len)
{
    struct iovec v = {data, len};
    Ending e = {0};
    BlockRequest r = {.op = op, .offset = offset, .len = len, .done = ended, .opaque = &e};

    if (data) {
        r.iov = &v;
        r.iov_count = 1;
    }
    block_submit(block, &r);
    cr_assert_eq(e.calls, 0, "done was called from within submit");
    while (!e.calls)
        g_main_context_iteration(NULL, TRUE);
    return e.error;
}

static inline int disk_read(Block *block, uint64_t offset, void *data, size_t len)
{
    return disk_do(block, BLOCK_READ, offset, data, len);
}

static inline int disk_write(Block *block, uint64_t offset, const void *data, size_t len)
{
    return disk_do(block, BLOCK_WRITE, offset, (void *)data, len);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

typedef struct Folder {
    char *path, *image;
} Folder;

/* With an image of so many octets, which are never zero. */
static inline Folder folder_new(size_t len)
{
    Folder f = {.path = g_dir_make_tmp("disk-XXXXXX", NULL)};
    g_autofree char *data = g_malloc(len + 1);

    cr_assert_not_null(f.path);
    f.image = g_build_filename(f.path, "image", NULL);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(1 + (i / SECTOR * 7 + i) % 255);
    cr_assert(g_file_set_contents(f.image, data, (gssize)len, NULL));
    return f;
}

static inline void folder_free(Folder *f)
{
    g_unlink(f->image);
    g_rmdir(f->path);
    g_free(f->image);
    g_free(f->path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Folder, folder_free)

static inline Block *disk_open(const BlkRaw *options)
{
    g_autoptr(GError) error = NULL;
    Block *block = blk_raw_open(options, &error);

    cr_assert_not_null(block, "%s", error ? error->message : "no message");
    return block;
}

/* --- random requests -------------------------------------------------------------------------------------------- */

typedef struct DiskRig DiskRig;

typedef struct Flight {
    DiskRig *rig;
    BlockRequest r;
    struct iovec iov[MAX_PARTS];
    uint8_t *memory, *data; /* data: what is written, flat */
    uint64_t len;
    bool busy;
} Flight;

struct DiskRig {
    Block *block;
    uint8_t *shadow;
    bool *loose; /* a sector that was discarded: what was there, or zeros */
    GRand *random;
    Flight flights[IN_FLIGHT];
    unsigned in_flight, most, ended;
};

static inline uint32_t below(DiskRig *rig, uint32_t n)
{
    return g_rand_int(rig->random) % n;
}

static inline void check_read(DiskRig *rig, uint64_t offset, const uint8_t *data, uint64_t len)
{
    static const uint8_t zeros[SECTOR];

    for (uint64_t at = 0; at < len; at += SECTOR) {
        bool same = !memcmp(data + at, rig->shadow + offset + at, SECTOR);
        bool zero = rig->loose[(offset + at) / SECTOR] && !memcmp(data + at, zeros, SECTOR);
        cr_assert(same || zero, "sector %" PRIu64 " is not what was written", (offset + at) / SECTOR);
    }
}

static inline void flight_ended(void *opaque, int error)
{
    Flight *f = opaque;
    DiskRig *rig = f->rig;
    uint64_t at = f->r.offset;

    cr_assert_eq(error, 0, "operation %d: %s", (int)f->r.op, strerror(error));
    switch (f->r.op) {
    case BLOCK_READ:
        for (int i = 0, from = 0; i < f->r.iov_count; from += (int)f->iov[i++].iov_len)
            memcpy(f->data + from, f->iov[i].iov_base, f->iov[i].iov_len);
        check_read(rig, at, f->data, f->len);
        break;
    case BLOCK_WRITE:
    case BLOCK_WRITE_THROUGH:
        memcpy(rig->shadow + at, f->data, f->len);
        memset(rig->loose + at / SECTOR, false, f->len / SECTOR);
        break;
    case BLOCK_WRITE_ZEROES:
        memset(rig->shadow + at, 0, f->len);
        memset(rig->loose + at / SECTOR, false, f->len / SECTOR);
        break;
    case BLOCK_DISCARD:
        memset(rig->loose + at / SECTOR, true, f->len / SECTOR);
        break;
    case BLOCK_FLUSH:
        break;
    }
    g_clear_pointer(&f->memory, g_free);
    g_clear_pointer(&f->data, g_free);
    f->busy = false;
    rig->in_flight--;
    rig->ended++;
}

static inline bool overlaps(const DiskRig *rig, uint64_t offset, uint64_t len)
{
    for (int i = 0; i < IN_FLIGHT; i++) {
        const Flight *f = &rig->flights[i];
        if (f->busy && offset < f->r.offset + f->len && f->r.offset < offset + len)
            return true;
    }
    return false;
}

/* Small ones are more frequent, and the first 16 clusters. */
static inline bool choose_range(DiskRig *rig, Flight *f)
{
    uint32_t sectors = (uint32_t)(block_length(rig->block) / SECTOR);
    uint32_t most = below(rig, 3) ? 12 : MAX_SECTORS;
    uint32_t first = below(rig, below(rig, 2) ? MIN(2048, sectors) : sectors);
    uint32_t count = 1 + below(rig, MIN(most, sectors - first));

    f->r.offset = (uint64_t)first * SECTOR;
    f->len = (uint64_t)count * SECTOR;
    return !overlaps(rig, f->r.offset, f->len);
}

/* The memory is at odd addresses half of the time, in parts of which only the sum is in sectors. */
static inline void make_memory(DiskRig *rig, Flight *f)
{
    bool odd = below(rig, 2);
    uint64_t left = f->len, at = 0;
    size_t base;

    f->memory = g_malloc(f->len + 8192 + MAX_PARTS * 64);
    base = (4096 - (uintptr_t)f->memory % 4096) + (odd ? below(rig, 4000) : 0);
    f->data = g_malloc(f->len);
    for (uint64_t i = 0; i < f->len; i++)
        f->data[i] = (uint8_t)g_rand_int(rig->random);
    f->r.iov = f->iov;
    f->r.iov_count = 0;
    while (left) {
        uint64_t n = f->r.iov_count == MAX_PARTS - 1 ? left : 1 + below(rig, (uint32_t)left);
        if (!odd)
            n = MIN(left, (n + SECTOR - 1) / SECTOR * SECTOR);
        f->iov[f->r.iov_count] = (struct iovec){f->memory + base + at, n};
        if (f->r.op != BLOCK_READ)
            memcpy(f->iov[f->r.iov_count].iov_base, f->data + at, n);
        f->r.iov_count++;
        at += n;
        left -= n;
    }
}

static inline void submit_one(DiskRig *rig)
{
    static const BlockOp ops[] = {BLOCK_READ,          BLOCK_READ,         BLOCK_READ,    BLOCK_READ,
                                  BLOCK_WRITE,         BLOCK_WRITE,        BLOCK_WRITE,   BLOCK_WRITE,
                                  BLOCK_WRITE_THROUGH, BLOCK_WRITE_ZEROES, BLOCK_DISCARD, BLOCK_WRITE};
    Flight *f = rig->flights;

    while (f->busy)
        f++;
    memset(f, 0, sizeof *f);
    f->rig = rig;
    f->r.done = flight_ended;
    f->r.opaque = f;
    f->r.op = below(rig, 60) ? ops[below(rig, G_N_ELEMENTS(ops))] : BLOCK_FLUSH;
    if (f->r.op != BLOCK_FLUSH) {
        if (!choose_range(rig, f))
            return;
        if (f->r.op == BLOCK_WRITE_ZEROES || f->r.op == BLOCK_DISCARD)
            f->r.len = f->len;
        else
            make_memory(rig, f);
    }
    f->busy = true;
    rig->in_flight++;
    rig->most = MAX(rig->most, rig->in_flight);
    block_submit(rig->block, &f->r);
}

static inline void rig_start(DiskRig *rig, Block *block, uint32_t seed)
{
    size_t len = block_length(block);

    memset(rig, 0, sizeof *rig);
    rig->block = block;
    rig->random = g_rand_new_with_seed(seed);
    rig->shadow = g_malloc(len);
    rig->loose = g_new0(bool, len / SECTOR);
    cr_assert_eq(disk_read(block, 0, rig->shadow, len), 0);
}

/* All that was there at the start, and all that was done, is there. */
static inline void rig_run(DiskRig *rig, unsigned requests)
{
    size_t len = block_length(rig->block);
    g_autofree uint8_t *all = g_malloc(len);

    while (rig->ended < requests) {
        for (uint32_t tries = 1 + below(rig, 24); tries && rig->in_flight < IN_FLIGHT; tries--)
            submit_one(rig);
        g_main_context_iteration(NULL, below(rig, 4) == 0 && rig->in_flight > 0);
        if (below(rig, 500) == 0) {
            block_drain(rig->block);
            cr_assert_eq(rig->in_flight, 0);
        }
    }
    block_drain(rig->block);
    cr_assert_gt(rig->most, IN_FLIGHT / 4, "only %u were in flight", rig->most);
    cr_assert_eq(disk_read(rig->block, 0, all, len), 0);
    check_read(rig, 0, all, len);
}

static inline void rig_stop(DiskRig *rig)
{
    g_rand_free(rig->random);
    g_free(rig->shadow);
    g_free(rig->loose);
}

#endif
