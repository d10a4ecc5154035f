/* transaction.c: the beginning and the end of transactions: FORMAT.md, "Transactions". */
#include "qcow2/transaction-impl.h"

#include <inttypes.h>
#include <string.h>

#include "qcow2/snapshot-list.h"
#include "qcow2/snapshot-table.h"
#include "visitors/error.h"

#define WRITES_MAX 32u /* under way */

/* --- writes ----------------------------------------------------------------------------------------------------- */

typedef struct Writes {
    unsigned under_way;
    int error;
} Writes;

typedef struct Write {
    HostIo io;
    struct iovec iov;
    void *data;
    Writes *writes;
} Write;

static void written(HostIo *io, int error)
{
    Write *w = (Write *)io;

    w->writes->under_way--;
    if (error && !w->writes->error)
        w->writes->error = error;
    g_free(w->data);
    g_free(w);
}

void transaction_write(Transaction *t, uint64_t host, void *data, size_t len)
{
    Write *w = g_new0(Write, 1);

    while (t->writes->under_way >= WRITES_MAX)
        qcow2_poll_files(t->q, true);
    w->data = data;
    w->writes = t->writes;
    w->iov = (struct iovec){data, len};
    w->io = (HostIo){.op = HOST_WRITE, .offset = host, .len = len, .iov = &w->iov, .iov_count = 1, .done = written};
    t->writes->under_way++;
    host_file_submit(t->q->image.file, &w->io);
}

bool transaction_wait(Transaction *t, GError **error)
{
    while (t->writes->under_way)
        qcow2_poll_files(t->q, true);
    if (t->writes->error)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: cannot write tables: %s", t->q->image.file->path,
                    g_strerror(t->writes->error));
    return !t->writes->error;
}

/* --- begin ------------------------------------------------------------------------------------------------------ */

static bool may_change(Qcow2 *q, GError **error)
{
    if (q->image.read_only || q->broken) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: %s", q->image.file->path,
                    q->broken ? "is broken; nothing is written any more" : "is open for reading only");
        return false;
    }
    image_drain(&q->image);
    while (q->requests.head) /* of snapshots that are read: their tables may move, too */
        qcow2_poll_files(q, true);
    int code = qcow2_prepare(q);
    if (code)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: cannot be changed: %s", q->image.file->path,
                    g_strerror(code));
    /* Counts that are only in memory, too, where they are lazy. */
    q->settles = true;
    bool ok = !code && qcow2_commit_now(q, error);
    q->settles = false;
    return ok;
}

Transaction *transaction_begin(Qcow2 *q, GError **error)
{
    if (!may_change(q, error))
        return NULL;
    Transaction *t = g_new0(Transaction, 1);
    t->q = q;
    t->header = q->header;
    qcow2_current_uuid(&q->image, t->current);
    t->blocks = g_ptr_array_new();
    t->moved = g_array_new(FALSE, FALSE, sizeof(Range));
    t->released = g_array_new(FALSE, FALSE, sizeof(Range));
    t->stale = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    t->writes = g_new0(Writes, 1);
    t->cursor = q->free_hint;
    t->lowest = UINT64_MAX;
    return t;
}

void transaction_abandon(Transaction *t)
{
    /* What was written on the way is still there. */
    t->q->fresh_from = MAX(t->q->fresh_from, t->cursor);
    transaction_wait(t, NULL);
    /* Whatever became of it, something may be there now. */
    t->q->fresh_from = MAX(t->q->fresh_from, t->cursor);
    g_free(t->writes);
    g_free(t->l1);
    g_clear_pointer(&t->snapshots, g_ptr_array_unref);
    transaction_counts_done(t);
    g_free(t);
}

/* --- what is new in the file ------------------------------------------------------------------------------------ */

static uint64_t clusters_of(const Qcow2 *q, uint64_t octets)
{
    return cluster_round_up(q, octets) >> q->cluster_bits;
}

static bool put_l1(Transaction *t, GError **error)
{
    const Qcow2 *q = t->q;

    return transaction_ref(t, q->header.l1_offset >> q->cluster_bits, clusters_of(q, (uint64_t)q->header.l1_size * 8),
                           -1, error) &&
           tree_l1_write(t, t->l1, t->header.l1_size, &t->header.l1_offset, error);
}

static bool put_snapshots(Transaction *t, GError **error)
{
    Qcow2 *q = t->q;
    uint64_t old = 0, host = 0;

    if (q->header.snapshot_count) {
        g_autoptr(GPtrArray) list = snapshot_table_read(q->image.file, &q->header, &old, error);
        if (!list || !transaction_ref(t, q->header.snapshots_offset >> q->cluster_bits, clusters_of(q, old), -1, error))
            return false;
    }
    g_autoptr(GByteArray) table = snapshot_table_octets(t->snapshots, error);
    if (!table || (table->len && !transaction_alloc(t, clusters_of(q, table->len), &host, error)))
        return false;
    if (table->len)
        transaction_write(t, host, g_memdup2(table->data, table->len), table->len);
    t->header.snapshots_offset = host;
    t->header.snapshot_count = t->snapshots->len;
    return true;
}

static bool put_tables(Transaction *t, GError **error)
{
    return (!t->l1 || put_l1(t, error)) && (!t->snapshots || put_snapshots(t, error)) && transaction_settle(t, error) &&
           transaction_wait(t, error);
}

static bool sync_or_break(Qcow2 *q, GError **error)
{
    if (host_file_sync(q->image.file, error))
        return true;
    q->broken = true;
    return false;
}

/* Nothing unsound was found on the way. */
static bool is_whole(const Qcow2 *q, GError **error)
{
    if (q->broken)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s: %s", q->image.file->path,
                    q->corruption ? q->corruption : "is broken");
    return !q->broken;
}

/* --- what is new in memory -------------------------------------------------------------------------------------- */

static uint8_t *sector_bits(uint64_t octets)
{
    return g_malloc0(octets / HOST_SECTOR / 8 + 1);
}

static void take_l1(Transaction *t)
{
    Tree *active = &t->q->active;

    g_free(active->l1);
    g_free(active->dirty);
    active->l1 = g_steal_pointer(&t->l1);
    active->size = t->header.l1_size;
    active->offset = t->header.l1_offset;
    active->dirty = sector_bits((uint64_t)active->size * 8);
    active->any_dirty = false;
}

static void take_counts(Transaction *t)
{
    Qcow2 *q = t->q;
    uint64_t size = ((uint64_t)t->header.reftable_clusters << q->cluster_bits) / 8;

    q->reftable = g_renew(uint64_t, q->reftable, size);
    if (size > q->reftable_size)
        memset(q->reftable + q->reftable_size, 0, (size - q->reftable_size) * 8);
    q->reftable_size = size;
    for (guint i = 0; i < t->blocks->len; i++) {
        const Block *b = t->blocks->pdata[i];
        if (!b)
            continue;
        if (b->from)
            cache_forget(&q->refblocks, b->from, q->cluster_size);
        cache_forget(&q->refblocks, b->to, q->cluster_size);
        q->reftable[i] = b->to;
    }
    q->free_hint = MIN(q->free_hint, t->lowest);
    q->compress_at = 0;
    g_free(q->reftable_dirty);
    q->reftable_dirty = sector_bits(size * 8);
    q->any_reftable_dirty = false;
}

static void take(Transaction *t)
{
    Qcow2 *q = t->q;

    if (t->l1)
        take_l1(t);
    if (t->blocks->len)
        take_counts(t);
    for (guint i = 0; i < t->stale->len; i++)
        cache_forget(&q->l2, g_array_index(t->stale, uint64_t, i), q->cluster_size);
    if (t->snapshots) {
        g_clear_pointer(&q->vm_tree.l1, g_free);
        g_ptr_array_unref(q->snapshots);
        q->snapshots = g_steal_pointer(&t->snapshots);
    }
    GArray *extensions = q->header.extensions;
    q->header = t->header;
    q->header.extensions = extensions;
    if (qcow2_header_extension(&q->header, QCOW2_EXT_CURRENT))
        qcow2_header_set_extension(&q->header, QCOW2_EXT_CURRENT, g_bytes_new(t->current, sizeof t->current));
    q->image.length = q->active.disk_size = q->header.size;
}

/* Room in the host's file that nobody needs any more is given back. Should that fail, it is not. */
static void punch(Transaction *t)
{
    Qcow2 *q = t->q;

    for (guint i = 0; i < t->released->len; i++) {
        Range r = g_array_index(t->released, Range, i);
        uint64_t run = 0;
        for (uint64_t at = r.first; at <= r.first + r.count; at++) {
            uint64_t count = 1;
            if (at < r.first + r.count && !transaction_count(t, at, &count, NULL))
                return;
            if (count == 0) {
                run++;
                continue;
            }
            if (run && !host_file_punch(q->image.file, (at - run) << q->cluster_bits, run << q->cluster_bits, NULL))
                return;
            run = 0;
        }
    }
}

/* --- end -------------------------------------------------------------------------------------------------------- */

bool transaction_end(Transaction *t, GError **error)
{
    Qcow2 *q = t->q;
    bool done = put_tables(t, error) && is_whole(q, error) && sync_or_break(q, error);

    if (done) {
        /* Once it has begun, nobody knows which of the two it is until it has ended. */
        done = header_switch(q, &t->header, t->current, error) && sync_or_break(q, error);
        if (done) {
            punch(t);
            take(t);
        }
        q->broken |= !done;
    }
    transaction_abandon(t);
    return done;
}
