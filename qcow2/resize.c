/*
 * resize.c: the disk becomes longer or shorter.
 *
 * The header's first sector switches, for it holds the disk's size and where the L1 table is. A longer L1 table is
 * written to a new place before. What a backing file has behind the old end must not come to light, and what was
 * written behind the new one must not come back: both become zeros, or go, before.
 */
#include <inttypes.h>
#include <string.h>

#include "qcow2/data-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

bool qcow2_alloc_now(Qcow2 *q, uint64_t count, uint64_t *host, GError **error)
{
    uint64_t first = 0, have = 0;

    while (have < count) {
        Pause pause = pause_new();
        uint64_t at, got;
        bool fresh;
        int code = 0;
        if (alloc_clusters(q, count - have, &pause.waiter, &at, &got, &fresh, &code)) {
            if (have && at != first + (have << q->cluster_bits)) {
                alloc_undo(q, first, have);
                have = 0;
            }
            first = have ? first : at;
            have += got;
            continue;
        }
        code = code ? code : pause_wait(q, &pause);
        if (code) {
            if (have)
                alloc_undo(q, first, have);
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: cannot find %" PRIu64 " free clusters: %s",
                        q->image.file->path, count, g_strerror(code));
            return false;
        }
    }
    *host = first;
    return true;
}

/* An L1 table of `size` entries, the first of which are those of the old one, at a new place. The header is not
 * written. */
static bool longer_l1(Qcow2 *q, uint32_t size, GError **error)
{
    uint64_t clusters = cluster_round_up(q, (uint64_t)size * 8) >> q->cluster_bits, host;
    g_autofree uint8_t *octets = g_malloc0(clusters << q->cluster_bits);

    if (!qcow2_alloc_now(q, clusters, &host, error) || !qcow2_commit_now(q, error))
        return false;
    for (uint32_t i = 0; i < q->active.size; i++)
        store_be64(octets + (size_t)i * 8, q->active.l1[i]);
    if (!host_file_write(q->image.file, host, octets, clusters << q->cluster_bits, error) ||
        !host_file_sync(q->image.file, error)) {
        alloc_undo(q, host, clusters);
        return false;
    }
    q->header.l1_offset = host;
    q->header.l1_size = size;
    return true;
}

static void take_l1(Qcow2 *q, const Qcow2Header *old)
{
    uint32_t size = q->header.l1_size;

    if (q->header.l1_offset == old->l1_offset)
        return;
    q->active.l1 = g_renew(uint64_t, q->active.l1, size);
    memset(q->active.l1 + q->active.size, 0, (size_t)(size - q->active.size) * 8);
    g_free(q->active.dirty);
    q->active.dirty = g_malloc0((size_t)size * 8 / HOST_SECTOR / 8 + 1);
    q->active.size = size;
    q->active.offset = q->header.l1_offset;
    if (old->l1_size)
        free_later(q, old->l1_offset, (uint64_t)old->l1_size * 8, false);
}

/* The header's own octets switch. Everything else is in the file already. */
static bool switch_header(Qcow2 *q, const Qcow2Header *old, GError **error)
{
    if (qcow2_write_header(q, error) && host_file_sync(q->image.file, error)) {
        take_l1(q, old);
        return true;
    }
    q->header.size = old->size;
    q->header.l1_size = old->l1_size;
    q->header.l1_offset = old->l1_offset;
    q->broken = true; /* which of the two the file has is not known */
    return false;
}

static bool make_l1_longer(Qcow2 *q, uint64_t length, GError **error)
{
    Qcow2Header old = q->header;
    uint64_t needed = qcow2_l1_needed(&q->header, length);

    if (needed * 8 > QCOW2_L1_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "%s: a disk of %" PRIu64 " octets needs an L1 table of %" PRIu64 " entries, at most %u",
                    q->image.file->path, length, needed, QCOW2_L1_MAX / 8);
        return false;
    }
    return needed <= q->active.size || (longer_l1(q, (uint32_t)needed, error) && switch_header(q, &old, error));
}

static bool set_size(Qcow2 *q, uint64_t length, GError **error)
{
    Qcow2Header old = q->header;

    if (!qcow2_commit_now(q, error))
        return false;
    q->header.size = length;
    if (!switch_header(q, &old, error))
        return false;
    q->image.length = q->active.disk_size = length;
    return true;
}

static bool clear(Qcow2 *q, ImageOp op, uint64_t start, uint64_t end, GError **error)
{
    struct iovec range = {NULL, end > start ? end - start : 0};
    int code = data_run(q, &q->active, op, start, &range);

    if (code)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: disk offset 0x%" PRIx64 ": cannot clear it: %s",
                    q->image.file->path, start, g_strerror(code));
    return !code;
}

/* The size first: a crash leaves clusters that nobody reads, not a disk that has lost its end. */
static bool shrink(Qcow2 *q, uint64_t length, GError **error)
{
    uint64_t old = q->image.length, rest = cluster_round_up(q, length);

    if (!set_size(q, length, error))
        return false;
    q->active.disk_size = old;
    bool ok = clear(q, IMAGE_ZERO, length, MIN(rest, old), error) && clear(q, IMAGE_DISCARD, rest, old, error);
    q->active.disk_size = length;
    return ok && qcow2_commit_now(q, error);
}

/*
 * The size last: by then the new end reads as zeros, whatever a backing file has there, or a disk that was once longer.
 * (It cannot be left to shrink alone: it may not have come to its end.)
 */
static bool grow(Qcow2 *q, uint64_t length, GError **error)
{
    uint64_t old = q->image.length, shown = q->image.backing ? MIN(q->image.backing->length, length) : 0;

    if (!make_l1_longer(q, length, error))
        return false;
    q->active.disk_size = length;
    /* Version 2 leaves clusters over a backing file when it shrinks: what lies in the last one behind that file's end,
     * too. */
    uint64_t written = MIN(cluster_round_up(q, MAX(shown, old)), length);
    bool ok = clear(q, IMAGE_ZERO, old, written, error) &&
              clear(q, IMAGE_DISCARD, MAX(cluster_round_up(q, old), cluster_round_up(q, shown)), length, error);
    q->active.disk_size = old;
    return ok && set_size(q, length, error) && qcow2_commit_now(q, error);
}

/* One that does not say how large its disk is has, for all readers, as large a one as the image. */
static bool snapshots_know_their_size(const Qcow2 *q, GError **error)
{
    enum { NEEDED = 16 }; /* octets of extra data */

    for (guint i = 0; q->snapshots && i < q->snapshots->len; i++) {
        const Qcow2Snapshot *s = q->snapshots->pdata[i];
        if (s->has_uuid || (s->extra && g_bytes_get_size(s->extra) >= NEEDED))
            continue;
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "%s: snapshot '%s' does not say how large its disk is, and would be taken for one of the new size",
                    q->image.file->path, s->name);
        return false;
    }
    return true;
}

bool qcow2_resize(Image *image, uint64_t length, GError **error)
{
    Qcow2 *q = qcow2_of(image);

    if (length > INT64_MAX - HOST_SECTOR) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%s: %" PRIu64 " octets are too many", image->file->path,
                    length);
        return false;
    }
    length = (length + HOST_SECTOR - 1) & ~(uint64_t)(HOST_SECTOR - 1);
    if (q->broken || qcow2_prepare(q) != 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: cannot be written", image->file->path);
        return false;
    }
    if (length == image->length)
        return true;
    if (!snapshots_know_their_size(q, error) || !qcow2_bitmaps_spoil(q, true, error))
        return false;
    return length < image->length ? shrink(q, length, error) : grow(q, length, error);
}
