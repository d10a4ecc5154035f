/*
 * transaction-rig.h: an operation on snapshots that is cut at every write and every sync, or fails there. Include it
 * last.
 */
#ifndef TESTS_QCOW2_TRANSACTION_RIG_H
#define TESTS_QCOW2_TRANSACTION_RIG_H

#include "tests/qcow2/snapshot-rig.h"
#include "visitors/bytes.h"

enum { VM_STATE = 5000 };

typedef bool Operation(Image *image, GError **error);

static const Qcow2Create kinds[] = {
    {.size = 98304, .cluster_size = 512},
    {.size = 98304, .cluster_size = 512, .refcount_bits = 64},
    {.size = 98304, .cluster_size = 512, .refcount_bits = 8},
    {.size = 98304, .cluster_size = 512, .refcount_bits = 4},
    {.size = 98304, .cluster_size = 512, .version = 2},
    {.size = 300000, .cluster_size = 4096, .refcount_bits = 32},
    {.size = 300032, .cluster_size = 4096, .zstd = true},
    {.size = 600064, .cluster_size = 65536},
    {.size = 600064, .cluster_size = 16384, .extended_l2 = true},
    {.size = 98304, .cluster_size = 512, .lazy_refcounts = true},
};

/* A disk with two snapshots, "a" and its child "b" with VM state, and something written since. */
static inline GByteArray *base(const Qcow2Create *kind)
{
    g_autoptr(GByteArray) empty = rig_create(kind);
    HostFile *file = host_file_memory(empty->data, empty->len);
    Image *image = rig_open(file, false);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    rig_scribble(image, random, 20);
    rig_snapshot_new(image, "a", 0xaa);
    rig_scribble(image, random, 10);
    rig_snapshot_vm(image, "b", 0xbb, VM_STATE);
    rig_scribble(image, random, 10);
    OK(image_set_active(image, false, &error)); /* what was freed is free then */
    GByteArray *octets = rig_copy(host_file_memory_data(file));
    image_close(image);
    rig_judge(octets, false, "the base");
    return octets;
}

/* Where counts are lazy, and the image was not closed: as it is after it was opened. */
static inline GByteArray *repaired(GByteArray *octets)
{
    if (!(octets->data[79] & QCOW2_DIRTY))
        return octets;
    HostFile *file = host_file_memory(octets->data, octets->len);
    Image *image = rig_open(file, false);

    OK(image_set_active(image, false, &error));
    g_byte_array_unref(octets);
    octets = rig_copy(host_file_memory_data(file));
    image_close(image);
    return octets;
}

/* known: what may be seen then. */
static inline void left_is(HostFile *file, size_t before, CrashKeep keep, GRand *random, const char *const *known)
{
    g_autoptr(GByteArray) left = repaired(crash_file_left(file, before, keep, random));
    g_autofree char *what = g_strdup_printf("before event %zu, kept %d", before, keep);

    rig_judge(left, true, what);
    g_autofree char *text = rig_text_of(left);
    g_autofree char *all = g_strjoinv("\nor\n", (char **)known);
    cr_assert(g_strv_contains(known, text), "%s: there is\n%s\nnot\n%s", what, text, all);
}

/* What is seen after it. */
static inline char *text_after(const GByteArray *start, Operation *operation)
{
    Image *image = rig_open_octets(start, false);

    OK(operation(image, &error));
    char *text = rig_text(image);
    image_close(image);
    return text;
}

/* What may be seen when the operation is cut. New. */
static inline char **known_texts(const GByteArray *start, const char *old, const char *new, Operation *const *between)
{
    GStrvBuilder *known = g_strv_builder_new();

    g_strv_builder_add_many(known, old, new, NULL);
    for (; between && *between; between++) {
        g_autofree char *text = text_after(start, *between);
        g_strv_builder_add(known, text);
    }
    char **all = g_strv_builder_end(known);
    g_strv_builder_unref(known);
    return all;
}

/* Every event of the operation is the last that is heard of the machine. between: what comes first; NULL: nothing. */
static inline void cut_everywhere(const GByteArray *start, Operation *operation, Operation *const *between, bool leaks)
{
    HostFile *file = crash_file_new(start->data, start->len);
    Image *image = rig_open(file, false);
    g_autofree char *old = rig_text(image);
    g_autoptr(GRand) random = g_rand_new_with_seed(7);

    OK(operation(image, &error));
    size_t events = crash_file_events(file);
    g_autofree char *new = rig_text(image);
    const char *const at_the_end[] = {new, NULL};
    g_auto(GStrv) known = known_texts(start, old, new, between);
    g_autoptr(GByteArray) end = repaired(crash_file_left(file, events, CRASH_DROP, random));
    rig_judge(end, leaks, "the end");
    for (size_t cut = 0; cut <= events; cut += MAX(1, events / 100)) {
        left_is(file, cut, CRASH_DROP, random, (const char *const *)known);
        left_is(file, cut, CRASH_KEEP, random, (const char *const *)known);
        for (int i = 0; i < 3; i++) {
            left_is(file, cut, CRASH_TEAR, random, (const char *const *)known);
            left_is(file, cut, CRASH_SOME, random, (const char *const *)known);
        }
    }
    left_is(file, events, CRASH_DROP, random, at_the_end);
    for (size_t cut = events - MIN(events, 8); cut < events; cut++) /* where it switches */
        left_is(file, cut, CRASH_TEAR, random, (const char *const *)known);
    image_close(image);
}

/* What was written for nothing does not come to light in clusters that are new. */
static inline void new_clusters_are_empty(Image *image)
{
    uint32_t cluster = qcow2_cluster_size(qcow2_header(image));
    g_autofree uint8_t *data = g_malloc(cluster);
    ImageExtent extent;

    for (uint64_t at = 0; at + cluster <= image->length; at += cluster) {
        OK(image_map(image, at, cluster, &extent, &error));
        if (extent.kind != IMAGE_UNALLOCATED || extent.len < cluster)
            continue;
        OK(image_write(image, at, "x", 1, 0, &error));
        OK(image_read(image, at, data, cluster, &error));
        cr_assert(bytes_are_zero(data + 1, cluster - 1), "offset %zu", (size_t)at);
    }
}

/* Every write and sync of the operation fails, with all that follow: nothing has happened, or the image is broken. */
static inline void fail_everywhere(const GByteArray *start, Operation *operation)
{
    for (size_t n = 0;; n++) {
        HostFile *file = crash_file_new(start->data, start->len);
        Image *image = rig_open(file, false);
        g_autofree char *old = rig_text(image);
        g_autoptr(GError) error = NULL;
        g_autoptr(GRand) random = g_rand_new_with_seed(7);
        crash_file_fail(file, n);
        bool done = operation(image, &error);
        if (!done) {
            g_autofree char *now = rig_text(image);
            cr_assert_str_eq(now, old, "event %zu fails", n);
            cr_assert(error);
            crash_file_fail(file, SIZE_MAX);
            if (image_write(image, 0, "x", 1, 0, NULL)) /* unless it is broken */
                new_clusters_are_empty(image);
        }
        g_autoptr(GByteArray) left = repaired(crash_file_left(file, crash_file_events(file), CRASH_KEEP, random));
        rig_judge(left, true, "after a failure");
        image_close(image);
        if (done)
            return;
    }
}

static inline void all_kinds(Operation *operation, bool leaks)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GByteArray) start = base(&kinds[i]);
        cut_everywhere(start, operation, NULL, leaks);
        fail_everywhere(start, operation);
    }
}

static inline bool some_state(Qcow2Pending *pending, GError **error)
{
    uint8_t state[3000];

    memset(state, 0x5a, sizeof state);
    return qcow2_pending_write(pending, 2000, state, sizeof state, error) &&
           qcow2_pending_write(pending, 0, state, 100, error) &&
           qcow2_pending_write(pending, 40000, state, sizeof state, error);
}

static inline bool go_to(Image *image, GError **error)
{
    return qcow2_snapshot_goto(image, rig_find(image, "a"), error);
}

#endif
