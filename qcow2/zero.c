/*
 * zero.c: zeros and discards: mostly changes to L2 entries, and no data.
 *
 * Parts of clusters are written as zeros, unless they read as such already; parts that are discarded stay. Version 2
 * knows no entry that hides the backing file: there zeros are written, and discards do nothing, where it has something.
 */
#include <errno.h>
#include <string.h>

#include "qcow2/data-impl.h"

#define ALL_ZERO (UINT64_C(0xffffffff) << 32)

/* --- zeros that are written --------------------------------------------------------------------------------------- */

typedef struct WrittenZeros {
    DataRequest *d;
    struct iovec iov;
} WrittenZeros;

static void zeros_written(void *opaque, int error)
{
    WrittenZeros *z = opaque;
    DataRequest *d = z->d;

    g_free(z->iov.iov_base);
    g_free(z);
    d->pieces--;
    if (error)
        data_request_fail(d, error);
    if (!d->waits)
        data_request_step(d);
}

static void write_zeros(DataRequest *d, uint64_t len)
{
    WrittenZeros *z = g_new0(WrittenZeros, 1);
    DataRequest *w = g_new0(DataRequest, 1);

    z->d = d;
    z->iov = (struct iovec){g_malloc0(len), len};
    w->q = d->q;
    w->tree = d->tree;
    w->op = IMAGE_WRITE;
    w->start = d->position;
    w->end = d->position + len;
    w->iov = &z->iov;
    w->iov_count = 1;
    w->done = zeros_written;
    w->opaque = z;
    d->pieces++;
    d->position += len;
    data_request_start(w);
}

/* --- whole clusters ----------------------------------------------------------------------------------------------- */

/* The entry of a cluster that reads as zeros. False: this version has none. */
static bool zero_entry(const DataRequest *d, uint64_t offset, uint64_t *entry, uint64_t *bitmap)
{
    const Qcow2 *q = d->q;
    bool room =
        *entry & ENTRY_COPIED && !(*entry & ENTRY_COMPRESSED) && !(d->flags & IMAGE_UNMAP) && d->op == IMAGE_ZERO;

    if (q->header.version < 3 && backing_shows(q, d->tree, offset))
        return false;
    if (!room)
        *entry = 0;
    *bitmap = 0;
    if (q->extended)
        *bitmap = ALL_ZERO;
    else if (q->header.version >= 3)
        *entry |= ENTRY_ZERO;
    else if (room)
        *entry = 0;
    if (!room && !backing_shows(q, d->tree, offset))
        *entry = *bitmap = 0;
    return true;
}

static void clear_cluster(DataRequest *d, Table *l2, uint64_t cluster)
{
    Qcow2 *q = d->q;
    uint32_t index = l2_index(q, cluster);
    uint64_t old_bitmap, old = l2_get(q, l2, index, &old_bitmap);
    uint64_t entry = old, bitmap = old_bitmap;

    if (!zero_entry(d, cluster << q->cluster_bits, &entry, &bitmap) || (entry == old && bitmap == old_bitmap))
        return;
    l2_set(q, l2, index, entry, bitmap);
    if (!(entry & ENTRY_OFFSET))
        free_entry_later(q, old, d->op == IMAGE_DISCARD || d->flags & IMAGE_UNMAP);
}

/* An external file has the zeros, too: other programs may read it alone. */
static void clear_data_file(DataRequest *d, uint64_t offset, uint64_t len)
{
    Qcow2 *q = d->q;

    if (q->header.incompatible & QCOW2_DATA_FILE)
        piece_submit(piece_new(d, sizeof(Piece), 0, 0, 0), q->data_file,
                     d->op == IMAGE_DISCARD || d->flags & IMAGE_UNMAP ? HOST_PUNCH : HOST_ZERO, offset, len);
}

/* From d->position on, at least one cluster; the last one of the disk counts as whole. */
static void clear_clusters(DataRequest *d)
{
    Qcow2 *q = d->q;
    uint64_t first = d->position >> q->cluster_bits, offset = d->position;
    uint32_t in_slice = q->l2.slice / q->l2_entry;
    int error = 0;

    if (busy_wait(q, d->tree, first, &d->waiter)) {
        d->waits = true;
        return;
    }
    Table *l2 = l2_writable(q, d->tree, first, &d->waiter, &error);
    if (!l2) {
        data_request_hold(d, error);
        return;
    }
    uint64_t end = d->end == d->tree->disk_size ? cluster_round_up(q, d->end) : d->end;
    for (uint32_t i = l2_index(q, first); i < in_slice; i++, first++) {
        if ((first + 1) << q->cluster_bits > end || is_busy(q, d->tree, first))
            break;
        clear_cluster(d, l2, first);
    }
    d->position = MIN(d->end, first << q->cluster_bits);
    clear_data_file(d, offset, d->position - offset);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

/* The octets from d->position on up to the next cluster, if it is not at the start of a whole one; otherwise 0. */
static uint64_t fragment(const DataRequest *d)
{
    const Qcow2 *q = d->q;
    uint64_t cluster_end = (d->position & ~(uint64_t)(q->cluster_size - 1)) + q->cluster_size;
    bool reaches = d->end >= cluster_end || d->end == d->tree->disk_size;

    if (d->position & (q->cluster_size - 1) || !reaches)
        return MIN(cluster_end, d->end) - d->position;
    return 0;
}

static bool map_here(DataRequest *d, uint64_t len, Mapping *m)
{
    int error;

    if (map_at(d->q, d->tree, d->position, len, &d->waiter, m, &error))
        return true;
    data_request_hold(d, error);
    return false;
}

void zero_step(DataRequest *d)
{
    Qcow2 *q = d->q;
    uint64_t part = fragment(d);
    Mapping m;

    if (!map_here(d, part ? part : d->end - d->position, &m))
        return;
    if (map_reads_zeros(q, d->tree, m.kind, d->position) && (part || !m.has_room || !(d->flags & IMAGE_UNMAP)) &&
        !(m.kind == MAP_UNALLOCATED && m.has_room)) {
        d->position += m.len;
    } else if (part) {
        write_zeros(d, MIN(part, m.len));
    } else if (q->header.version < 3 && backing_shows(q, d->tree, d->position)) {
        write_zeros(d, MIN(q->cluster_size, d->end - d->position));
    } else {
        clear_clusters(d);
    }
}

void discard_step(DataRequest *d)
{
    Qcow2 *q = d->q;
    uint64_t part = fragment(d);
    Mapping m;

    if (part) {
        d->position += part;
        return;
    }
    if (!map_here(d, d->end - d->position, &m))
        return;
    if ((m.kind == MAP_UNALLOCATED || m.kind == MAP_ZERO) && !m.has_room)
        d->position += m.len;
    else if (q->header.version < 3 && backing_shows(q, d->tree, d->position))
        d->position += m.len;
    else
        clear_clusters(d);
}
