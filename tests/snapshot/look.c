/*
 * look.c: all that can be seen of qcow2 images, but for where things are: a line for the disk, and one for each
 * snapshot, with sums of what they hold.
 *
 *   look IMAGE...
 */
#include <stdio.h>
#include <string.h>

#include "qcow2/qcow2.h"
#include "visitors/uuid.h"

enum { PIECE = 1 << 20 };

static int fail(const char *path, const GError *error)
{
    fprintf(stderr, "%s: %s\n", path, error->message);
    return 1;
}

static bool sum_disk(Image *image, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
    g_autofree uint8_t *data = g_malloc(PIECE);

    for (uint64_t at = 0; at < image->length; at += PIECE) {
        size_t len = (size_t)MIN(PIECE, image->length - at);
        if (!image_read(image, at, data, len, error))
            return false;
        g_checksum_update(sum, data, (gssize)len);
    }
    printf(" disk=%s", g_checksum_get_string(sum));
    return true;
}

static bool sum_state(Image *image, const Qcow2Snapshot *s, GError **error)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_MD5);
    g_autofree uint8_t *data = g_malloc(PIECE);

    for (uint64_t at = 0; at < s->vm_state_size; at += PIECE) {
        size_t len = (size_t)MIN(PIECE, s->vm_state_size - at);
        if (!qcow2_vm_state_read(image, s, at, data, len, error))
            return false;
        g_checksum_update(sum, data, (gssize)len);
    }
    printf(" state=%s\n", s->vm_state_size ? g_checksum_get_string(sum) : "none");
    return true;
}

static bool look_at_snapshot(Image *image, const Qcow2Snapshot *s, GError **error)
{
    g_autoptr(Image) disk = qcow2_snapshot_image(image, s, error);
    char uuid[UUID_TEXT], parent[UUID_TEXT];

    uuid_text(s->uuid, uuid);
    uuid_text(s->parent, parent);
    printf("snapshot name=%s uuid=%s parent=%s", s->name, uuid, parent);
    return disk && sum_disk(disk, error) && sum_state(image, s, error);
}

static bool look_at(Image *image, GError **error)
{
    uint8_t current[UUID_OCTETS];
    char text[UUID_TEXT];
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    qcow2_current_uuid(image, current);
    uuid_text(current, text);
    printf("image current=%s", text);
    if (!sum_disk(image, error))
        return false;
    printf("\n");
    for (unsigned i = 0; i < count; i++)
        if (!look_at_snapshot(image, all[i], error))
            return false;
    return true;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        g_autoptr(GError) error = NULL;
        const ImagePath path = {
            .path = argv[i], .format = "qcow2", .read_only = true, .shared = true, .no_backing = true};
        g_autoptr(Image) image = image_open(&path, &error);
        if (!image || !look_at(image, &error))
            return fail(argv[i], error);
    }
    return 0;
}
