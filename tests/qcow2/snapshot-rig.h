/*
 * snapshot-rig.h: small images with something in them, and all that one can see of an image as text. Include it last.
 */
#ifndef TESTS_QCOW2_SNAPSHOT_RIG_H
#define TESTS_QCOW2_SNAPSHOT_RIG_H

#include <criterion/criterion.h>
#include <string.h>

#include "qcow2/header.h"
#include "qcow2/qcow2.h"
#include "tests/qcow2/support/crash-file.h"
#include "tests/qcow2/support/judge.h"
#include "visitors/uuid.h"

#define OK(call)                                                                                                       \
    do {                                                                                                               \
        g_autoptr(GError) error = NULL;                                                                                \
        cr_assert(call, "%s", error ? error->message : "no error told");                                               \
    } while (0)

static inline Image *rig_open(HostFile *file, bool read_only)
{
    Image *image;

    /* the least there can be of tables in memory */
    OK(image = qcow2_open(file, &(Qcow2Open){.read_only = read_only, .l2_cache = 1, .refcount_cache = 1}, &error));
    return image;
}

static inline Image *rig_open_octets(const GByteArray *octets, bool read_only)
{
    return rig_open(host_file_memory(octets->data, octets->len), read_only);
}

static inline GByteArray *rig_copy(const GByteArray *octets)
{
    return g_byte_array_append(g_byte_array_new(), octets->data, octets->len);
}

/* An empty image. */
static inline GByteArray *rig_create(const Qcow2Create *options)
{
    HostFile *file = host_file_memory(NULL, 0);

    OK(qcow2_create(file, NULL, options, &error));
    GByteArray *octets = rig_copy(host_file_memory_data(file));
    host_file_close(file);
    return octets;
}

/* Writes, zeros and discards here and there, some clusters compressed. */
static inline void rig_scribble(Image *image, GRand *random, unsigned writes)
{
    uint32_t cluster = qcow2_cluster_size(qcow2_header(image));
    g_autofree uint8_t *data = g_malloc(3 * cluster);

    for (unsigned i = 0; i < writes; i++) {
        uint64_t offset = (uint64_t)g_rand_double_range(random, 0, (double)image->length);
        uint64_t len = (uint64_t)g_rand_int_range(random, 1, (gint32)(3 * cluster));
        int op = g_rand_int_range(random, 0, 8);
        len = MIN(len, image->length - offset);
        memset(data, g_rand_int_range(random, 1, 256), 3 * cluster);
        if (op == 0) {
            OK(image_zero(image, offset, len, i % 2 ? IMAGE_UNMAP : 0, &error));
        } else if (op == 1) {
            OK(image_discard(image, offset, len, &error));
        } else if (op == 2) {
            ImageExtent extent;
            offset &= ~(uint64_t)(cluster - 1);
            OK(image_map(image, offset, cluster, &extent, &error));
            if (extent.kind == IMAGE_UNALLOCATED && extent.len == cluster)
                OK(image_write(image, offset, data, cluster, IMAGE_COMPRESSED, &error));
        } else {
            OK(image_write(image, offset, data, (size_t)len, 0, &error));
        }
    }
    OK(image_flush(image, &error));
}

/* --- what one can see ------------------------------------------------------------------------------------------- */

static inline void rig_sum(GString *text, const char *what, const void *data, size_t len)
{
    g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_MD5, data, len);

    g_string_append_printf(text, " %s %zu:%.8s", what, len, sum);
}

static inline void rig_disk(GString *text, Image *image)
{
    g_autofree uint8_t *data = g_malloc(image->length + 1);

    OK(image_read(image, 0, data, image->length, &error));
    rig_sum(text, "disk", data, image->length);
}

static inline void rig_snapshot(GString *text, Image *image, const Qcow2Snapshot *s)
{
    char uuid[UUID_TEXT], parent[UUID_TEXT];
    g_autoptr(Image) disk = NULL;
    g_autofree uint8_t *state = g_malloc(s->vm_state_size + 1);

    OK(disk = qcow2_snapshot_image(image, s, &error));
    uuid_text(s->uuid, uuid);
    uuid_text(s->parent, parent);
    g_string_append_printf(text, "\n%s '%s' %.8s of %.8s", s->id, s->name, uuid, parent);
    rig_disk(text, disk);
    OK(qcow2_vm_state_read(image, s, 0, state, s->vm_state_size, &error));
    rig_sum(text, "state", state, s->vm_state_size);
}

/* All that the format says of the image, but for where things are. New string. */
static inline char *rig_text(Image *image)
{
    GString *text = g_string_new(NULL);
    uint8_t current[UUID_OCTETS];
    char shown[UUID_TEXT];
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    qcow2_current_uuid(image, current);
    uuid_text(current, shown);
    g_string_append_printf(text, "current %.8s", shown);
    rig_disk(text, image);
    for (unsigned i = 0; i < count; i++)
        rig_snapshot(text, image, all[i]);
    return g_string_free(text, FALSE);
}

static inline char *rig_text_of(const GByteArray *octets)
{
    Image *image = rig_open_octets(octets, true);
    char *text = rig_text(image);

    image_close(image);
    return text;
}

/* Our own check finds nothing, either. */
static inline void rig_check(const GByteArray *octets, const char *what)
{
    Image *image = rig_open_octets(octets, true);
    Qcow2Check result = {0};

    OK(qcow2_check(image, 0, &result, &error));
    cr_assert_eq(result.corruptions + result.leaks + result.check_errors, 0, "%s: our check finds something", what);
    image_close(image);
}

/* It is sound; leaks: may there be some? */
static inline void rig_judge(const GByteArray *octets, bool leaks, const char *what)
{
    Judgement j = judge_image(octets->data, octets->len);

    if (j.corruptions && g_getenv("RIG_KEEP"))
        g_file_set_contents(g_getenv("RIG_KEEP"), (const char *)octets->data, octets->len, NULL);
    cr_assert_eq(j.corruptions, 0, "%s: %u corruptions: %s", what, j.corruptions, j.first);
    cr_assert(leaks || j.leaks == 0, "%s: %u leaks", what, j.leaks);
    if (!leaks)
        rig_check(octets, what);
}

static inline const Qcow2Snapshot *rig_find(Image *image, const char *which)
{
    const Qcow2Snapshot *found;

    OK(found = qcow2_snapshot_find(image, which, &error));
    return found;
}

static inline void rig_snapshot_new(Image *image, const char *name, uint8_t uuid)
{
    uint8_t octets[UUID_OCTETS];

    memset(octets, uuid, sizeof octets);
    OK(qcow2_snapshot_create(image, &(Qcow2SnapshotNew){.name = name, .uuid = octets, .icount = UINT64_MAX}, &error));
}

/* With a VM state of so many octets, of which each says where it is. */
static inline void rig_snapshot_vm(Image *image, const char *name, uint8_t uuid, size_t size)
{
    uint8_t octets[UUID_OCTETS];
    g_autofree uint8_t *state = g_malloc(size + 1);
    Qcow2Pending *pending;

    memset(octets, uuid, sizeof octets);
    for (size_t i = 0; i < size; i++)
        state[i] = (uint8_t)(i * 7 + i / 256 + uuid);
    OK(pending = qcow2_snapshot_prepare(image, &error));
    OK(qcow2_pending_write(pending, 0, state, size, &error));
    OK(qcow2_snapshot_publish(pending, &(Qcow2SnapshotNew){.name = name, .uuid = octets, .icount = UINT64_MAX}, size,
                              &error));
}

#endif
