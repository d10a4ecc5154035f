/*
 * test-data-crash.c: the power goes before each single write and sync of a workload; what is left may be any of what
 * was not synced. The image must be sound then, but for leaks, and have all that a flush had acknowledged; of what came
 * later each sector is old or new.
 */
#include "tests/qcow2/snapshot-rig.h"

#define STEPS_MAX 64
#define SECTOR    512u

typedef struct Step {
    size_t begin, end; /* events: when it was submitted, when it had ended */
    bool flush;
    uint8_t *after; /* the disk, when it had ended; longer than the disk's length: zeros */
} Step;

typedef struct Tape {
    const char *name;
    HostFile *file;
    Image *image;
    uint8_t *base;
    uint64_t backing, room; /* octets: of the backing file; of each `after` */
    Step steps[STEPS_MAX];
    unsigned count;
} Tape;

static Image *backing_of(const Tape *t)
{
    return t->backing ? image_raw_new(host_file_memory(t->base, t->backing)) : NULL;
}

static void step_begin(Tape *t)
{
    t->steps[t->count] = (Step){.begin = crash_file_events(t->file), .after = g_malloc0(t->room)};
}

static void step_end(Tape *t, bool flush)
{
    Step *s = &t->steps[t->count++];

    s->end = crash_file_events(t->file);
    s->flush = flush;
    OK(image_read(t->image, 0, s->after, t->room, &error));
    cr_assert_lt(t->count, STEPS_MAX);
}

static void tape_start(Tape *t, const char *name, const Qcow2Create *create, uint64_t backing)
{
    Qcow2Create options = *create;

    *t = (Tape){.name = name, .backing = backing, .room = 2 * create->size};
    if (backing) {
        t->base = g_malloc(backing);
        memset(t->base, 0xbb, backing);
        options.backing = "base";
        options.backing_format = "raw";
    }
    g_autoptr(GByteArray) octets = rig_create(&options);
    t->file = crash_file_new(octets->data, octets->len);
    OK(t->image = qcow2_open(t->file, &(Qcow2Open){.backing = backing_of(t)}, &error));
    step_begin(t);
    step_end(t, true);
}

static void do_write(Tape *t, uint64_t offset, size_t len, uint8_t value)
{
    g_autofree uint8_t *data = g_malloc(len);

    memset(data, value, len);
    step_begin(t);
    OK(image_write(t->image, offset, data, len, 0, &error));
    step_end(t, false);
}

static void do_zero(Tape *t, uint64_t offset, uint64_t len, unsigned flags)
{
    step_begin(t);
    OK(image_zero(t->image, offset, len, flags, &error));
    step_end(t, false);
}

static void do_discard(Tape *t, uint64_t offset, uint64_t len)
{
    step_begin(t);
    OK(image_discard(t->image, offset, len, &error));
    step_end(t, false);
}

static void do_flush(Tape *t)
{
    step_begin(t);
    OK(image_flush(t->image, &error));
    step_end(t, true);
}

static void do_resize(Tape *t, uint64_t length)
{
    step_begin(t);
    OK(image_resize(t->image, length, &error));
    step_end(t, true);
}

/* --- what may be left --------------------------------------------------------------------------------------------- */

static void check_sectors(const Tape *t, size_t cut, const uint8_t *now, const char *keep)
{
    unsigned first = 0;

    for (unsigned i = 0; i < t->count; i++)
        if (t->steps[i].flush && t->steps[i].end <= cut)
            first = i;
    for (uint64_t at = 0; at < t->room; at += SECTOR) {
        bool known = false;
        for (unsigned i = first; i < t->count && !known && (i == first || t->steps[i].begin < cut); i++)
            known = memcmp(now + at, t->steps[i].after + at, SECTOR) == 0;
        cr_assert(known,
                  "%s: power lost before event %zu, %s: sector at 0x%" G_GINT64_MODIFIER
                  "x is neither old nor new: 0x%02x",
                  t->name, cut, keep, at, now[at]);
    }
}

static void check_one(Tape *t, size_t cut, CrashKeep keep, GRand *random)
{
    static const char *const names[] = {"nothing kept", "all kept", "torn", "some kept"};
    g_autoptr(GByteArray) left = crash_file_left(t->file, cut, keep, random);
    Judgement j = judge_image(left->data, left->len);
    bool dirty = left->data[7] == 3 && left->data[79] & QCOW2_DIRTY;

    cr_assert(dirty || !j.corruptions, "%s: power lost before event %zu, %s: %u corruptions: %s", t->name, cut,
              names[keep], j.corruptions, j.first);
    g_free(j.first);
    Image *image;
    OK(image = qcow2_open(host_file_memory(left->data, left->len),
                          &(Qcow2Open){.read_only = true, .backing = backing_of(t)}, &error));
    g_autofree uint8_t *now = g_malloc0(t->room);
    OK(image_read(image, 0, now, t->room, &error));
    image_close(image);
    check_sectors(t, cut, now, names[keep]);
}

static void tape_judge(Tape *t)
{
    GRand *random = g_rand_new_with_seed(4711);
    size_t events = crash_file_events(t->file);

    for (size_t cut = 0; cut <= events; cut++) {
        check_one(t, cut, CRASH_DROP, random);
        check_one(t, cut, CRASH_KEEP, random);
        for (unsigned i = 0; i < 6; i++) {
            check_one(t, cut, CRASH_TEAR, random);
            check_one(t, cut, CRASH_SOME, random);
        }
    }
    g_rand_free(random);
    for (unsigned i = 0; i < t->count; i++)
        g_free(t->steps[i].after);
    image_close(t->image);
    g_free(t->base);
}

/* --- workloads ---------------------------------------------------------------------------------------------------- */

/* Everything once, over everything that can be below it. */
static void play(const char *name, const Qcow2Create *create, uint64_t backing)
{
    Tape t;
    uint64_t c = create->cluster_size;

    tape_start(&t, name, create, backing);
    do_write(&t, c + SECTOR, SECTOR, 1); /* a new cluster, in part */
    do_flush(&t);
    do_write(&t, c, 2 * c, 2); /* one that is there, and a whole new one */
    do_write(&t, 5 * c - 100, c, 3);
    do_flush(&t);
    do_zero(&t, c, c, 0);
    do_write(&t, c + 2 * SECTOR, SECTOR, 4); /* in the zeros' room */
    do_zero(&t, 2 * c, c, IMAGE_UNMAP);
    do_flush(&t);
    do_write(&t, 2 * c + SECTOR, SECTOR, 5); /* in zeros without room */
    do_discard(&t, 4 * c, 2 * c);
    do_write(&t, 7 * c, c, 6); /* perhaps where the discarded one was */
    do_flush(&t);
    do_write(&t, 8 * c, c, 7);
    do_write(&t, 9 * c, 2 * c, 8);
    do_flush(&t);
    do_flush(&t);
    tape_judge(&t);
}

Test(data_crash, nothing_is_lost_in_any_kind_of_image)
{
    play("plain", &(Qcow2Create){.size = 65536, .cluster_size = 4096}, 0);
    play("version 2", &(Qcow2Create){.size = 65536, .cluster_size = 4096, .version = 2}, 0);
    play("the smallest clusters", &(Qcow2Create){.size = 16384, .cluster_size = 1024, .refcount_bits = 64}, 0);
    play("extended entries", &(Qcow2Create){.size = 12 * 16384, .cluster_size = 16384, .extended_l2 = true}, 0);
    play("narrow counts", &(Qcow2Create){.size = 65536, .cluster_size = 4096, .refcount_bits = 1}, 0);
}

Test(data_crash, nothing_is_lost_of_a_backing_file)
{
    play("backed", &(Qcow2Create){.size = 65536, .cluster_size = 4096}, 50000);
    play("backed, version 2", &(Qcow2Create){.size = 65536, .cluster_size = 4096, .version = 2}, 50000);
    play("backed, extended", &(Qcow2Create){.size = 12 * 16384, .cluster_size = 16384, .extended_l2 = true}, 100000);
}

Test(data_crash, nothing_is_lost_with_lazy_counts)
{
    play("lazy", &(Qcow2Create){.size = 65536, .cluster_size = 4096, .lazy_refcounts = true}, 0);
}

Test(data_crash, the_refcount_table_grows_or_does_not)
{
    Tape t;

    /* 64 counts to a block, 64 blocks to a table of one cluster: 2 MiB. */
    tape_start(&t, "growth", &(Qcow2Create){.size = 5u << 19, .cluster_size = 512, .refcount_bits = 64}, 0);
    step_begin(&t);
    g_autofree uint8_t *data = g_malloc(t.image->length);
    memset(data, 1, t.image->length);
    for (uint64_t at = 0; at < t.image->length; at += 65536)
        OK(image_write(t.image, at, data, 65536, 0, &error));
    step_end(&t, false);
    /* Most of its events are alike: around the growth and at the end is enough. */
    cr_assert_gt(qcow2_header(t.image)->reftable_clusters, 1);
    size_t events = crash_file_events(t.file);
    GRand *random = g_rand_new_with_seed(1);
    for (unsigned i = 0; i < 60; i++) {
        check_one(&t, g_rand_int(random) % (events + 1), CRASH_TEAR, random);
        check_one(&t, g_rand_int(random) % (events + 1), CRASH_SOME, random);
    }
    g_rand_free(random);
    for (unsigned i = 0; i < t.count; i++)
        g_free(t.steps[i].after);
    image_close(t.image);
}

Test(data_crash, a_disk_has_one_length_or_the_other)
{
    static const uint64_t backings[] = {0, 90000};

    for (unsigned b = 0; b < G_N_ELEMENTS(backings); b++) {
        Tape t;
        tape_start(&t, "resize", &(Qcow2Create){.size = 65536, .cluster_size = 512}, backings[b]);
        do_write(&t, 60000, 5000, 1);
        do_flush(&t);
        do_resize(&t, 61440);
        do_resize(&t, 30720);
        do_resize(&t, 65536 + 512);
        do_resize(&t, 120000 / SECTOR * SECTOR);
        tape_judge(&t);
    }
}
