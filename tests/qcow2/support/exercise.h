/*
 * exercise.h: all that can be done with an image of which nothing is known, in memory: what must hold, whatever it is.
 */
#ifndef TESTS_QCOW2_SUPPORT_EXERCISE_H
#define TESTS_QCOW2_SUPPORT_EXERCISE_H

#include <string.h>

#include "qcow2/header.h"
#include "qcow2/qcow2.h"

enum { EXERCISE_EXTENTS = 500, EXERCISE_READS = 24, EXERCISE_SNAPSHOTS = 6, EXERCISE_STEP = 4096 };

/* Says what does not hold; does not return. */
typedef void ExerciseBroken(const char *format, ...) G_GNUC_PRINTF(1, 2);

typedef struct Exercise {
    ExerciseBroken *broken;
    uint8_t data[EXERCISE_STEP];
    char first[256];                /* the first that a check has found after writing */
    bool opened, repaired, written; /* how far it came */
} Exercise;

#define EXERCISE_MUST(x, holds, ...)                                                                                   \
    do {                                                                                                               \
        if (!(holds))                                                                                                  \
            (x)->broken(__VA_ARGS__);                                                                                  \
    } while (0)

static inline Image *exercise_open(Exercise *x, const void *octets, size_t len, bool read_only, bool repair)
{
    g_autoptr(GError) error = NULL;
    Image *image = qcow2_open(host_file_memory(octets, len),
                              &(Qcow2Open){.read_only = read_only, .repair = repair, .l2_cache = 1 << 20}, &error);

    EXERCISE_MUST(x, !image != !error, "an image and an error, or neither");
    return image;
}

static inline void exercise_read(Exercise *x, Image *image, uint64_t offset)
{
    g_autoptr(GError) error = NULL;
    bool ok = image_read(image, offset, x->data, sizeof x->data, &error);

    EXERCISE_MUST(x, ok == !error, "a read that fails says why");
}

/* Every extent is where the last one ended, and not empty. */
static inline void exercise_map(Exercise *x, Image *image)
{
    uint64_t at = 0;

    for (unsigned i = 0; i < EXERCISE_EXTENTS && at < image->length; i++) {
        ImageExtent e;
        if (!image_map(image, at, image->length - at, &e, NULL))
            break;
        EXERCISE_MUST(x, e.offset == at && e.len && e.len <= image->length - at,
                      "an extent of %" G_GUINT64_FORMAT " octets at %" G_GUINT64_FORMAT, e.len, at);
        if (i < EXERCISE_READS)
            exercise_read(x, image, at);
        at += e.len;
    }
    exercise_read(x, image, image->length / 3);
    exercise_read(x, image, image->length > 100 ? image->length - 100 : 0);
}

static inline void exercise_snapshots(Exercise *x, Image *image)
{
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    for (unsigned i = 0; i < count && i < EXERCISE_SNAPSHOTS; i++) {
        const Qcow2Snapshot *s = all[i];
        g_autoptr(GError) error = NULL;
        g_autoptr(Image) disk = qcow2_snapshot_image(image, s, &error);
        EXERCISE_MUST(x, s->id && s->name, "a snapshot without a name");
        EXERCISE_MUST(x, !disk != !error, "a snapshot's disk and an error, or neither");
        if (disk)
            exercise_map(x, disk);
        qcow2_vm_state_read(image, s, 0, x->data, sizeof x->data, NULL);
        qcow2_vm_state_read(image, s, s->vm_state_size / 2, x->data, sizeof x->data, NULL);
        qcow2_vm_state_read(image, s, UINT64_MAX - 10, x->data, sizeof x->data, NULL);
    }
}

static inline bool exercise_check(Exercise *x, Image *image, unsigned repair, Qcow2Check *result)
{
    g_autoptr(GError) error = NULL;
    bool ok = qcow2_check(image, repair, result, &error);

    EXERCISE_MUST(x, ok == !error, "a check that fails says why");
    return ok;
}

/*
 * A leak does no harm. Nor does it to be without COPIED: an image may have a cluster twice on its disk, and when one of
 * them is written to, the other is alone and does not know it.
 */
static inline void exercise_found(void *opaque, const char *message)
{
    Exercise *x = opaque;

    if (!x->first[0] && !strstr(message, ": leaked") && !strstr(message, "has not COPIED"))
        g_strlcpy(x->first, message, sizeof x->first);
}

/* What is sound stays so when it is written to. */
static inline void exercise_write(Exercise *x, Image *image)
{
    uint64_t half = image->length / 2;
    size_t len = MIN(sizeof x->data, image->length);
    Qcow2Check result = {.found = exercise_found, .opaque = x};

    x->first[0] = 0;
    memset(x->data, 0x55, sizeof x->data);
    bool ok = image_write(image, 0, x->data, len, 0, NULL) &&
              image_write(image, half, x->data, MIN(len, image->length - half), 0, NULL);
    ok = ok && image_zero(image, 0, MIN(image->length, 1u << 17), IMAGE_UNMAP, NULL);
    ok = ok && image_discard(image, 0, MIN(image->length, 1u << 17), NULL) && image_flush(image, NULL);
    ok = ok && qcow2_snapshot_create(image, &(Qcow2SnapshotNew){.name = "exercise", .icount = UINT64_MAX}, NULL);
    ok = ok && image_write(image, half, x->data, MIN(len, image->length - half), 0, NULL) && image_flush(image, NULL);
    x->written = ok;
    if (!exercise_check(x, image, 0, &result))
        return;
    EXERCISE_MUST(x, !x->first[0] || !ok, "after writing to a sound image: %s", x->first);
}

static inline void exercise_repair(Exercise *x, const void *octets, size_t len)
{
    Qcow2Check first = {0}, again = {0};
    Image *image = exercise_open(x, octets, len, false, true);

    if (!image)
        return;
    x->repaired = exercise_check(x, image, QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL, &first);
    if (x->repaired && exercise_check(x, image, 0, &again)) {
        EXERCISE_MUST(x, first.corruptions == again.corruptions && first.leaks == again.leaks,
                      "a repair leaves %" G_GUINT64_FORMAT " corruptions, %" G_GUINT64_FORMAT
                      " leaks; a check finds %" G_GUINT64_FORMAT ", %" G_GUINT64_FORMAT,
                      first.corruptions, first.leaks, again.corruptions, again.leaks);
        EXERCISE_MUST(x, first.corruptions || first.check_errors || first.leaks == 0, "leaks are left");
    }
    GByteArray *left = host_file_memory_data(image->file);
    g_autofree uint8_t *copy = g_memdup2(left->data, left->len);
    size_t left_len = left->len;
    image_close(image);
    if (!x->repaired || first.corruptions || !(image = exercise_open(x, copy, left_len, false, false)))
        return;
    exercise_write(x, image);
    image_close(image);
}

static inline void exercise_image(Exercise *x, const void *octets, size_t len)
{
    Image *image = exercise_open(x, octets, len, true, false);
    Qcow2Check result = {0};

    x->opened = x->repaired = x->written = false;
    if (image) {
        x->opened = true;
        exercise_map(x, image);
        exercise_snapshots(x, image);
        GPtrArray *bitmaps = qcow2_bitmaps(image, NULL);
        g_clear_pointer(&bitmaps, g_ptr_array_unref);
        exercise_check(x, image, 0, &result);
        image_close(image);
    }
    exercise_repair(x, octets, len);
}

#endif
