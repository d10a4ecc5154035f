/* test-block.c: disks: every engine and every cache mode against a shadow. The edges of raw files: test-block-raw.c. */
#include "tests/emu/support/disk-rig.h"

#define REQUESTS 3000
#define LENGTH   (5u * 1024 * 1024 - 4096)

static bool has_uring(void)
{
    g_auto(Folder) f = folder_new(SECTOR);
    g_autoptr(Block) block = blk_raw_open(&(BlkRaw){.path = f.image, .engine = HOST_ENGINE_URING}, NULL);

    return block != NULL;
}

/* Not every file system has O_DIRECT. */
static bool has_direct(void)
{
    g_auto(Folder) f = folder_new(4096);
    int fd = open(f.image, O_RDWR | O_DIRECT);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static void hold_against_shadow(BlkRaw options, size_t len)
{
    g_auto(Folder) f = folder_new(len);
    g_autofree uint8_t *before = NULL, *after = NULL;
    size_t len_before, len_after;
    DiskRig rig;

    cr_assert(g_file_get_contents(f.image, (char **)&before, &len_before, NULL));
    options.path = f.image;
    Block *block = disk_open(&options);
    cr_assert_eq(blk_raw_engine(block), options.engine);
    cr_assert_eq(block_length(block), len);
    rig_start(&rig, block, 1 + options.cache);
    cr_assert_arr_eq(rig.shadow, before, len);
    rig_run(&rig, REQUESTS);
    block_free(block);
    cr_assert(g_file_get_contents(f.image, (char **)&after, &len_after, NULL));
    cr_assert_eq(len_after, len);
    if (options.snapshot)
        cr_assert_arr_eq(after, before, len, "the snapshot's file has changed");
    else
        check_read(&rig, 0, after, len);
    rig_stop(&rig);
}

static void all_engines(BlkRaw options)
{
    if ((options.cache == HOST_CACHE_NONE || options.cache == HOST_CACHE_DIRECTSYNC) && !has_direct())
        cr_skip_test("no O_DIRECT here");
    options.engine = HOST_ENGINE_THREADS;
    hold_against_shadow(options, LENGTH);
    if (!has_uring())
        return;
    options.engine = HOST_ENGINE_URING;
    hold_against_shadow(options, LENGTH);
}

Test(block, a_disk_in_memory_is_what_was_written)
{
    Block *block = blk_memory_new(&(BlkMemory){.length = LENGTH, .discard = true}, NULL);
    DiskRig rig;

    rig_start(&rig, block, 1);
    rig_run(&rig, 3 * REQUESTS);
    cr_assert_eq(memcmp(blk_memory_data(block), rig.shadow, SECTOR) == 0 || rig.loose[0], true);
    block_free(block);
    rig_stop(&rig);
}

Test(block, a_file_with_writeback_is_what_was_written)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_WRITEBACK, .discard = true});
}

Test(block, a_file_whose_room_is_kept_is_what_was_written)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_WRITEBACK, .discard = false});
}

Test(block, a_file_with_writethrough_is_what_was_written)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_WRITETHROUGH, .discard = true});
}

Test(block, a_file_past_the_cache_is_what_was_written)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_NONE, .discard = true});
}

Test(block, a_file_past_the_cache_with_synchronous_writes_is_what_was_written)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_DIRECTSYNC, .discard = true});
}

Test(block, a_file_past_the_cache_with_large_blocks_is_what_was_written)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_NONE, .discard = true, .alignment = 4096});
}

Test(block, an_unsafe_file_is_what_was_written)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_UNSAFE, .discard = true});
}

Test(block, a_snapshot_is_what_was_written_and_its_file_is_as_before)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_WRITEBACK, .discard = true, .snapshot = true});
}

Test(block, a_snapshot_that_ignores_discards_is_what_was_written)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_WRITETHROUGH, .snapshot = true});
}

Test(block, a_snapshot_of_a_file_past_the_cache_is_what_was_written)
{
    all_engines((BlkRaw){.cache = HOST_CACHE_NONE, .discard = true, .snapshot = true, .alignment = 4096});
}

/* --- what holds for every disk ---------------------------------------------------------------------------------- */

typedef void OnDisk(Block *block);

static void on_every_disk(OnDisk *f, bool read_only)
{
    BlkRaw options = {.read_only = read_only, .engine = HOST_ENGINE_THREADS, .discard = true};
    g_auto(Folder) folder = folder_new(1024 * 1024);

    options.path = folder.image;
    for (int snapshot = 0; snapshot < 2; snapshot++)
        for (int engine = 0; engine < 2; engine++) {
            options.engine = engine ? HOST_ENGINE_AUTO : HOST_ENGINE_THREADS;
            options.snapshot = snapshot;
            f(disk_open(&options));
        }
    f(blk_memory_new(&(BlkMemory){.length = 1024 * 1024, .read_only = read_only, .discard = true}, NULL));
}

static void try_ends(Block *block)
{
    uint64_t end = block_length(block);
    uint8_t data[3 * SECTOR] = {0};

    for (BlockOp op = BLOCK_READ; op <= BLOCK_WRITE_ZEROES; op++) {
        if (op == BLOCK_FLUSH)
            continue;
        cr_assert_eq(disk_do(block, op, end - sizeof data, data, sizeof data), 0, "operation %d", (int)op);
        cr_assert_eq(disk_do(block, op, end - SECTOR, data, sizeof data), EIO, "operation %d", (int)op);
        cr_assert_eq(disk_do(block, op, end, data, SECTOR), EIO, "operation %d", (int)op);
        cr_assert_eq(disk_do(block, op, UINT64_MAX - SECTOR + 1, data, SECTOR), EIO, "operation %d", (int)op);
        cr_assert_eq(disk_do(block, op, end, data, 0), 0, "operation %d", (int)op);
        cr_assert_eq(disk_do(block, op, 1, data, SECTOR), EINVAL, "operation %d", (int)op);
        cr_assert_eq(disk_do(block, op, 0, data, SECTOR - 1), EINVAL, "operation %d", (int)op);
    }
    cr_assert_eq(disk_do(block, BLOCK_FLUSH, UINT64_MAX, NULL, 7), 0, "a flush has no range");
    cr_assert_eq(disk_do(block, (BlockOp)99, 0, data, SECTOR), EINVAL);
    block_free(block);
}

Test(block, what_lies_beyond_the_end_or_between_sectors_is_an_error)
{
    on_every_disk(try_ends, false);
}

static void try_read_only(Block *block)
{
    uint8_t data[SECTOR] = {0};

    cr_assert(block_read_only(block));
    cr_assert_not(block_can_discard(block));
    cr_assert_eq(disk_do(block, BLOCK_READ, 0, data, SECTOR), 0);
    cr_assert_eq(disk_do(block, BLOCK_FLUSH, 0, NULL, 0), 0);
    cr_assert_eq(disk_do(block, BLOCK_WRITE, 0, data, SECTOR), EROFS);
    cr_assert_eq(disk_do(block, BLOCK_WRITE_THROUGH, 0, data, SECTOR), EROFS);
    cr_assert_eq(disk_do(block, BLOCK_DISCARD, 0, NULL, SECTOR), EROFS);
    cr_assert_eq(disk_do(block, BLOCK_WRITE_ZEROES, 0, NULL, SECTOR), EROFS);
    block_free(block);
}

Test(block, a_disk_that_is_read_only_takes_no_writes)
{
    on_every_disk(try_read_only, true);
}

static void try_drain(Block *block)
{
    g_autofree uint8_t *data = g_malloc0(65536 * 64);
    Ending e = {0};

    block_drain(block);
    for (size_t i = 0; i < 1000; i++)
        block_submit(block, &(BlockRequest){.op = i % 3 ? BLOCK_WRITE : BLOCK_READ,
                                            .offset = i * SECTOR,
                                            .iov = &(struct iovec){data + i * SECTOR, SECTOR},
                                            .iov_count = 1,
                                            .done = ended,
                                            .opaque = &e});
    cr_assert_eq(e.calls, 0);
    block_drain(block);
    cr_assert_eq(e.calls, 1000);
    cr_assert_eq(e.error, 0);
    block_free(block);
    cr_assert_eq(e.calls, 1000);
}

Test(block, a_drained_disk_has_ended_all)
{
    on_every_disk(try_drain, false);
}

typedef struct Gathered {
    Ending e;
    unsigned settled;
} Gathered;

static void settle(void *opaque)
{
    Gathered *g = opaque;

    cr_assert_gt(g->e.calls, 0);
    g->settled++;
}

static void submit_gathered(Block *block, Gathered *g, uint8_t *data, unsigned count)
{
    unsigned before = g->e.calls;

    block_plug(block);
    block_plug(block);
    for (size_t i = 0; i < count; i++)
        block_submit(block, &(BlockRequest){.op = BLOCK_WRITE,
                                            .offset = i * SECTOR,
                                            .iov = &(struct iovec){data + i * SECTOR, SECTOR},
                                            .iov_count = 1,
                                            .done = ended,
                                            .opaque = &g->e});
    block_unplug(block);
    cr_assert_eq(g->e.calls, before);
    block_unplug(block);
}

static void try_gathered(Block *block)
{
    g_autofree uint8_t *data = g_malloc0(SECTOR * 64);
    GMainContext *context = g_main_context_default();
    Gathered g = {.settled = 0};

    block_set_settled(block, settle, &g);
    submit_gathered(block, &g, data, 64); /* not on its thread, as far as it knows */
    cr_assert_eq(g.e.calls, 0);
    while (g.e.calls < 64)
        g_main_context_iteration(context, TRUE);
    cr_assert(g.settled >= 1 && g.settled <= 64);
    cr_assert(g_main_context_acquire(context));
    submit_gathered(block, &g, data, 64);
    g_main_context_release(context);
    while (g.e.calls < 128)
        g_main_context_iteration(context, TRUE);
    cr_assert_eq(g.e.error, 0);
    block_plug(block);
    block_unplug(block);
    block_set_settled(block, NULL, NULL);
    block_free(block);
}

Test(block, requests_that_are_gathered_start_when_the_last_is_there_and_what_ends_is_settled)
{
    on_every_disk(try_gathered, false);
}

static void try_free(Block *block)
{
    static const BlockOp ops[] = {BLOCK_WRITE, BLOCK_READ, BLOCK_WRITE_ZEROES, BLOCK_FLUSH, BLOCK_DISCARD};
    g_autofree uint8_t *data = g_malloc0(65536);
    Ending e = {0};

    for (unsigned i = 0; i < 400; i++)
        block_submit(block, &(BlockRequest){.op = ops[i % 5],
                                            .offset = i % 16 * 65536 + 1024,
                                            .len = 32768,
                                            .iov = &(struct iovec){data, 32768},
                                            .iov_count = 1,
                                            .done = ended,
                                            .opaque = &e});
    block_free(block);
    cr_assert_eq(e.calls, 400, "%u of 400 have ended", e.calls);
    cr_assert_eq(e.error, 0);
}

Test(block, a_disk_that_is_freed_ends_what_is_in_flight)
{
    on_every_disk(try_free, false);
}

typedef struct Chain {
    Block *block;
    unsigned left, deep;
    uint8_t data[SECTOR];
    struct iovec iov;
} Chain;

static void chain_ended(void *opaque, int error)
{
    Chain *c = opaque;

    cr_assert_eq(error, 0);
    cr_assert_eq(c->deep++, 0, "done within done");
    if (c->left) {
        c->left--;
        block_submit(c->block, &(BlockRequest){.op = c->left % 2 ? BLOCK_READ : BLOCK_FLUSH,
                                               .iov = &c->iov,
                                               .iov_count = 1,
                                               .done = chain_ended,
                                               .opaque = c});
    }
    c->deep--;
}

static void try_chain(Block *block)
{
    Chain c = {.block = block, .left = 200};

    c.iov = (struct iovec){c.data, SECTOR};
    chain_ended(&c, 0);
    block_drain(block);
    cr_assert_eq(c.left, 0, "drain has left %u", c.left);
    block_free(block);
}

Test(block, who_is_done_may_ask_for_more_and_drain_waits_for_it)
{
    on_every_disk(try_chain, false);
}

static void drains(void *opaque, int error)
{
    cr_assert_eq(error, 0);
    block_drain(opaque);
}

static void try_drain_within(Block *block)
{
    g_autofree uint8_t *data = g_malloc0(SECTOR * 64);
    Ending e = {0};

    for (unsigned i = 0; i < 64; i++)
        block_submit(block, &(BlockRequest){.op = BLOCK_WRITE,
                                            .offset = i * SECTOR,
                                            .iov = &(struct iovec){data + i * SECTOR, SECTOR},
                                            .iov_count = 1,
                                            .done = i % 8 ? ended : drains,
                                            .opaque = i % 8 ? (void *)&e : block});
    while (e.calls < 56)
        g_main_context_iteration(NULL, TRUE);
    block_free(block);
}

Test(block, who_is_done_may_drain_the_disk)
{
    on_every_disk(try_drain_within, false);
}

typedef struct Submitter {
    Block *block;
    unsigned number;
    uint8_t data[100][SECTOR];
    Ending endings[100];
} Submitter;

static gpointer submit_many(gpointer opaque)
{
    Submitter *s = opaque;

    for (unsigned i = 0; i < 100; i++)
        block_submit(s->block, &(BlockRequest){.op = BLOCK_WRITE,
                                               .offset = (i * 4 + s->number) * SECTOR,
                                               .iov = &(struct iovec){s->data[i], SECTOR},
                                               .iov_count = 1,
                                               .done = ended,
                                               .opaque = &s->endings[i]});
    return NULL;
}

static void try_threads(Block *block)
{
    g_autofree Submitter *submitters = g_new0(Submitter, 4);
    GThread *threads[4];
    uint8_t back[SECTOR];

    for (unsigned n = 0; n < 4; n++) {
        submitters[n].block = block;
        submitters[n].number = n;
        memset(submitters[n].data, (int)n + 1, sizeof submitters[n].data);
        threads[n] = g_thread_new(NULL, submit_many, &submitters[n]);
    }
    for (unsigned n = 0; n < 4; n++)
        g_thread_join(threads[n]);
    block_drain(block);
    for (unsigned i = 0; i < 400; i++) {
        Submitter *s = &submitters[i % 4];
        cr_assert_eq(s->endings[i / 4].calls, 1);
        cr_assert_eq(s->endings[i / 4].thread, g_thread_self());
        cr_assert_eq(disk_read(block, i * SECTOR, back, SECTOR), 0);
        cr_assert_arr_eq(back, s->data[i / 4], SECTOR);
    }
    block_free(block);
}

Test(block, requests_come_from_any_thread_and_end_on_one)
{
    on_every_disk(try_threads, false);
}

/* More parts than the kernel takes at once (IOV_MAX is 1024), many of them empty. */
static void try_parts(Block *block)
{
    g_autofree uint8_t *data = g_malloc(3000 * 64), *back = g_malloc0(3000 * 64);
    g_autofree struct iovec *iov = g_new0(struct iovec, 6000);
    Ending e = {0};

    for (unsigned i = 0; i < 3000 * 64; i++)
        data[i] = (uint8_t)(i * 31 >> 3);
    for (unsigned i = 0; i < 3000; i++)
        iov[3000 + i] = (struct iovec){data + i * 64, 64};
    block_submit(block, &(BlockRequest){.op = BLOCK_WRITE, .iov = iov, .iov_count = 6000, .done = ended, .opaque = &e});
    block_drain(block);
    cr_assert_eq(e.error, 0);
    cr_assert_eq(disk_read(block, 0, back, 3000 * 64), 0);
    cr_assert_arr_eq(back, data, 3000 * 64);
    block_free(block);
}

Test(block, a_request_may_have_thousands_of_parts)
{
    on_every_disk(try_parts, false);
}
