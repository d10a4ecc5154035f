/*
 * snapshot-change.c: snapshots are made, gone to and deleted. FORMAT.md, "Transactions".
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "qcow2/snapshot-table.h"
#include "qcow2/transaction-impl.h"
#include "visitors/error.h"
#include "visitors/uuid.h"

static bool may_have_snapshots(const Qcow2 *q, GError **error)
{
    if (!(q->header.incompatible & QCOW2_DATA_FILE))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: an image with an external data file has no snapshots",
                q->image.file->path);
    return false;
}

/* A transaction that changes the list of snapshots, and whose snapshot the disk comes from. */
static Transaction *begin(Qcow2 *q, bool current_changes, GError **error)
{
    Transaction *t = may_have_snapshots(q, error) ? transaction_begin(q, error) : NULL;

    if (t && current_changes && !header_make_room(q, error)) {
        transaction_abandon(t);
        return NULL;
    }
    if (t)
        t->snapshots = snapshot_list_copy(q->snapshots);
    return t;
}

/* Ends it, or gives it up, if what came before has failed. */
static bool end(Transaction *t, bool ok, GError **error)
{
    if (ok)
        return transaction_end(t, error);
    transaction_abandon(t);
    return false;
}

static uint64_t *active_copy(const Qcow2 *q)
{
    uint64_t *l1 = g_new0(uint64_t, (size_t)q->active.size + 1);

    memcpy(l1, q->active.l1, (size_t)q->active.size * 8);
    return l1;
}

/* The disk, without what QEMU has left behind it: the active table of the transaction shares it with another. */
static bool freeze(Transaction *t, uint64_t *size, GError **error)
{
    const Qcow2 *q = t->q;

    *size = MIN(qcow2_l1_needed(&q->header, q->header.size), q->active.size);
    t->l1 = active_copy(q);
    return tree_share(t, t->l1, *size, TREE_SHARE_ACTIVE, error);
}

/* Adds a snapshot, taken, whose tree this is. */
static bool add(Transaction *t, Qcow2Snapshot *s, const uint64_t *l1, uint64_t size, GError **error)
{
    g_ptr_array_add(t->snapshots, s);
    s->disk_size = t->q->header.size;
    s->l1_size = (uint32_t)size;
    memcpy(t->current, s->uuid, UUID_OCTETS);
    return tree_l1_write(t, l1, size, &s->l1_offset, error);
}

bool qcow2_snapshot_create(Image *image, const Qcow2SnapshotNew *options, GError **error)
{
    Qcow2 *q = qcow2_of(image);
    uint8_t current[UUID_OCTETS];
    uint64_t size;

    qcow2_current_uuid(image, current);
    Qcow2Snapshot *s = snapshot_list_make(q->snapshots, options, current, error);
    if (!s)
        return false;
    Transaction *t = begin(q, true, error);
    if (!t) {
        snapshot_free(s);
        return false;
    }
    bool ok = freeze(t, &size, error);
    if (!ok)
        snapshot_free(s);
    return end(t, ok && add(t, s, t->l1, size, error), error);
}

/* --- going to one ----------------------------------------------------------------------------------------------- */

/* What the disk is to be. */
typedef struct Target {
    const char *name;
    uint64_t disk_size;
    const uint8_t *uuid;
    uint64_t l1_offset; /* where its table is, */
    const uint64_t *l1; /* or this is it */
    uint32_t l1_size;
} Target;

/* The entries of the disk, without those of the VM state. */
static bool disk_of(Transaction *t, const Target *to, uint64_t needed, GError **error)
{
    const Qcow2 *q = t->q;
    uint64_t count = MIN(needed, to->l1_size);

    if (needed > QCOW2_L1_MAX / 8) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                    "%s: snapshot '%s': a disk of %" PRIu64 " octets needs %" PRIu64 " L1 entries, at most %u",
                    q->image.file->path, to->name, to->disk_size, needed, QCOW2_L1_MAX / 8);
        return false;
    }
    t->header.size = to->disk_size;
    t->header.l1_size = (uint32_t)MAX(needed, 1); /* some do not like a table of none */
    t->l1 = g_new0(uint64_t, t->header.l1_size);
    if (!to->l1)
        return qcow2_read_numbers(q->image.file, to->l1_offset, t->l1, count, error);
    memcpy(t->l1, to->l1, count * 8);
    return true;
}

static bool replace_active(Transaction *t, const Target *to, GError **error)
{
    const Qcow2 *q = t->q;

    return tree_drop(t, q->active.l1, q->active.size, error) &&
           disk_of(t, to, qcow2_l1_needed(&q->header, to->disk_size), error) &&
           tree_share(t, t->l1, t->header.l1_size, TREE_SHARE_OTHER, error);
}

static bool go_to(Qcow2 *q, const Target *to, GError **error)
{
    uint8_t current[UUID_OCTETS];

    qcow2_current_uuid(&q->image, current);
    Transaction *t = begin(q, memcmp(current, to->uuid, UUID_OCTETS) != 0, error);
    if (!t)
        return false;
    g_clear_pointer(&t->snapshots, g_ptr_array_unref);
    bool ok = qcow2_bitmaps_spoil(q, to->disk_size != q->header.size, error) && replace_active(t, to, error);
    memcpy(t->current, to->uuid, UUID_OCTETS);
    return end(t, ok, error);
}

bool qcow2_snapshot_goto(Image *image, const Qcow2Snapshot *s, GError **error)
{
    const Target to = {
        .name = s->name, .disk_size = s->disk_size, .uuid = s->uuid, .l1_offset = s->l1_offset, .l1_size = s->l1_size};

    return go_to(qcow2_of(image), &to, error);
}

/* --- deleting --------------------------------------------------------------------------------------------------- */

static bool judge_children(Image *image, const Qcow2Snapshot *snapshot, Qcow2Orphans orphans, GError **error)
{
    g_autoptr(GPtrArray) children = qcow2_snapshot_children(image, snapshot);

    if (orphans == QCOW2_ORPHANS_REPARENT || children->len == 0)
        return true;
    g_autofree char *text = snapshot_list_text(children);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: snapshot '%s' has children: %s", image->file->path,
                snapshot->name, text);
    return false;
}

static bool judge_open(const Qcow2 *q, const Qcow2Snapshot *snapshot, GError **error)
{
    for (const GSList *l = q->open_trees; l; l = l->next) {
        if (((const Tree *)l->data)->offset != snapshot->l1_offset)
            continue;
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: snapshot '%s' is being read", q->image.file->path,
                    snapshot->name);
        return false;
    }
    return true;
}

/* What was its child is its parent's afterwards, the disk, too. */
static void take_out(Transaction *t, const Qcow2Snapshot *snapshot)
{
    guint index = 0;

    for (guint i = 0; i < t->q->snapshots->len; i++) {
        Qcow2Snapshot *s = t->snapshots->pdata[i];
        if (t->q->snapshots->pdata[i] == snapshot)
            index = i;
        else if (snapshot->has_uuid && s->has_uuid && memcmp(s->parent, snapshot->uuid, UUID_OCTETS) == 0)
            memcpy(s->parent, snapshot->parent, UUID_OCTETS);
    }
    if (snapshot->has_uuid && memcmp(t->current, snapshot->uuid, UUID_OCTETS) == 0)
        memcpy(t->current, snapshot->parent, UUID_OCTETS);
    g_ptr_array_remove_index(t->snapshots, index);
}

/* Nobody refers to this tree any more; what belongs to the disk alone then is marked so. */
static bool drop_tree(Transaction *t, const uint64_t *l1, uint64_t size, GError **error)
{
    t->l1 = active_copy(t->q);
    return tree_drop(t, l1, size, error) && tree_set_copied(t, t->l1, t->q->active.size, error);
}

/* It is in the list no more, and nothing refers to its tree. */
static bool remove_one(Transaction *t, const Qcow2Snapshot *snapshot, GError **error)
{
    Qcow2 *q = t->q;
    g_autofree uint64_t *l1 = tree_l1_read(q, snapshot->l1_offset, snapshot->l1_size, error);
    uint64_t octets = (uint64_t)snapshot->l1_size * 8;
    bool ok = l1 && drop_tree(t, l1, snapshot->l1_size, error) &&
              transaction_ref(t, snapshot->l1_offset >> q->cluster_bits, cluster_round_up(q, octets) >> q->cluster_bits,
                              -1, error);

    take_out(t, snapshot);
    return ok;
}

bool qcow2_snapshot_delete(Image *image, const Qcow2Snapshot *snapshot, Qcow2Orphans orphans, GError **error)
{
    Qcow2 *q = qcow2_of(image);
    uint8_t current[UUID_OCTETS];

    qcow2_current_uuid(image, current);
    if (!judge_children(image, snapshot, orphans, error) || !judge_open(q, snapshot, error))
        return false;
    Transaction *t = begin(q, snapshot->has_uuid && memcmp(current, snapshot->uuid, UUID_OCTETS) == 0, error);
    return t && end(t, remove_one(t, snapshot, error), error);
}

bool qcow2_snapshot_rename(Image *image, const Qcow2Snapshot *snapshot, const char *name, const Qcow2Snapshot *replaces,
                           GError **error)
{
    Qcow2 *q = qcow2_of(image);
    uint8_t current[UUID_OCTETS];
    guint index;

    qcow2_current_uuid(image, current);
    bool changes = replaces && replaces->has_uuid && memcmp(current, replaces->uuid, UUID_OCTETS) == 0;
    if (replaces && !judge_open(q, replaces, error))
        return false;
    Transaction *t = begin(q, changes, error);
    if (!t)
        return false;
    g_ptr_array_find(q->snapshots, snapshot, &index);
    Qcow2Snapshot *renamed = t->snapshots->pdata[index];
    bool ok = !replaces || remove_one(t, replaces, error);
    ok = ok && (g_str_equal(renamed->name, name) || snapshot_list_judge_name(t->snapshots, name, error));
    if (ok) {
        g_free(renamed->name);
        renamed->name = g_strdup(name);
    }
    return end(t, ok, error);
}

/* --- in two steps ----------------------------------------------------------------------------------------------- */

struct Qcow2Pending {
    Qcow2 *q;
    Tree tree; /* what is frozen, and the VM state behind it */
    uint64_t disk_size;
    uint64_t vm_state;            /* where that begins */
    uint8_t current[UUID_OCTETS]; /* the snapshot that the disk came from */
    bool other;                   /* it is not what the disk was */
};

Qcow2Pending *qcow2_snapshot_prepare(Image *image, GError **error)
{
    Qcow2 *q = qcow2_of(image);
    uint64_t size;
    Transaction *t = begin(q, true, error);

    if (!t)
        return NULL;
    g_clear_pointer(&t->snapshots, g_ptr_array_unref);
    bool ok = freeze(t, &size, error);
    g_autofree uint64_t *frozen = ok ? g_memdup2(t->l1, (size + 1) * 8) : NULL;
    if (!end(t, ok, error))
        return NULL;
    Qcow2Pending *p = g_new0(Qcow2Pending, 1);
    p->q = q;
    p->tree.l1 = g_steal_pointer(&frozen);
    p->tree.size = (uint32_t)size;
    p->tree.disk_size = p->disk_size = q->header.size;
    p->vm_state = qcow2_vm_state_offset(&q->header, p->disk_size);
    qcow2_current_uuid(image, p->current);
    return p;
}

Qcow2Pending *qcow2_snapshot_prepare_other(Image *image, uint64_t disk_size, GError **error)
{
    Qcow2 *q = qcow2_of(image);
    uint64_t needed = qcow2_l1_needed(&q->header, disk_size);
    Transaction *t = begin(q, false, error);

    if (!t)
        return NULL;
    transaction_abandon(t);
    if (needed > QCOW2_L1_MAX / 8 || qcow2_prepare(q) != 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%s: a disk of %" PRIu64 " octets has no place in it",
                    image->file->path, disk_size);
        return NULL;
    }
    Qcow2Pending *p = g_new0(Qcow2Pending, 1);
    p->q = q;
    p->other = true;
    p->tree.l1 = g_new0(uint64_t, needed + 1);
    p->tree.size = (uint32_t)needed;
    p->tree.disk_size = p->disk_size = disk_size;
    p->vm_state = qcow2_vm_state_offset(&q->header, disk_size);
    return p;
}

static void pending_free(Qcow2Pending *p)
{
    g_free(p->tree.l1);
    g_free(p);
}

/* Makes the tree's table long enough for this much of the VM state. An errno. */
static int reach(Qcow2Pending *p, uint64_t end)
{
    const Qcow2 *q = p->q;
    unsigned bits = q->cluster_bits + q->l2_bits;

    if (end > INT64_MAX - p->vm_state)
        return EFBIG;
    uint64_t needed = ((p->vm_state + end - 1) >> bits) + 1;
    if (needed > QCOW2_L1_MAX / 8)
        return EFBIG;
    if (end == 0 || needed <= p->tree.size)
        return 0;
    p->tree.l1 = g_renew(uint64_t, p->tree.l1, needed);
    memset(p->tree.l1 + p->tree.size, 0, (needed - p->tree.size) * 8);
    p->tree.size = (uint32_t)needed;
    return 0;
}

/* Can these octets of the VM state be written? An errno. */
static int may_write(Qcow2Pending *p, uint64_t offset, uint64_t len)
{
    return offset > INT64_MAX - len ? EFBIG : p->q->broken ? EIO : reach(p, offset + len);
}

void qcow2_pending_submit(Qcow2Pending *p, ImageRequest *request)
{
    Qcow2 *q = p->q;
    bool sound = request->op == IMAGE_WRITE && !request->flags;
    int error = sound ? may_write(p, request->offset, request->len) : EINVAL;

    request->image = &q->image;
    request->data = NULL;
    request->link = (GList){.data = request};
    q->image.in_flight++;
    if (error) {
        image_end(&q->image, request, error);
        return;
    }
    DataRequest *d = g_new0(DataRequest, 1);
    d->q = q;
    d->tree = &p->tree;
    d->request = request;
    d->op = IMAGE_WRITE;
    d->start = p->vm_state + request->offset;
    d->end = d->start + request->len;
    d->iov = request->iov;
    d->iov_count = request->iov_count;
    data_request_start(d);
}

bool qcow2_pending_write(Qcow2Pending *p, uint64_t offset, const void *data, size_t len, GError **error)
{
    Qcow2 *q = p->q;
    struct iovec iov = {(void *)data, len};
    int code = may_write(p, offset, len);

    if (!code)
        code = data_run(q, &p->tree, IMAGE_WRITE, p->vm_state + offset, &iov);
    if (code)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO,
                    "%s: VM state offset 0x%" PRIx64 ": %zu octets: cannot write: %s", q->image.file->path, offset, len,
                    g_strerror(code));
    return !code;
}

bool qcow2_pending_write_disk(Qcow2Pending *p, uint64_t offset, const void *data, uint64_t len, GError **error)
{
    Qcow2 *q = p->q;
    struct iovec iov = {(void *)data, MIN(offset + len, p->disk_size) - offset};
    int code = data_run(q, &p->tree, data ? IMAGE_WRITE : IMAGE_ZERO, offset, &iov);

    if (code)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: disk offset 0x%" PRIx64 ": cannot write: %s",
                    q->image.file->path, offset, g_strerror(code));
    return !code;
}

/* The flags in its tables are not ours to leave. */
static void clear_flags(Tree *tree)
{
    for (uint32_t i = 0; i < tree->size; i++)
        tree->l1[i] &= ENTRY_OFFSET;
}

static bool publish(Qcow2Pending *p, const Qcow2SnapshotNew *options, uint64_t vm_state_size, GError **error)
{
    Qcow2 *q = p->q;
    uint8_t current[UUID_OCTETS];

    qcow2_current_uuid(&q->image, current);
    Qcow2Snapshot *s = snapshot_list_make(q->snapshots, options, current, error);
    if (!s)
        return false;
    if (reach(p, vm_state_size)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%s: a VM state of %" PRIu64 " octets is too large",
                    q->image.file->path, vm_state_size);
        snapshot_free(s);
        return false;
    }
    Transaction *t = begin(q, true, error);
    if (!t) {
        snapshot_free(s);
        return false;
    }
    clear_flags(&p->tree);
    s->vm_state_size = vm_state_size;
    bool ok = add(t, s, p->tree.l1, p->tree.size, error);
    s->disk_size = p->disk_size;
    if (p->other)
        memcpy(t->current, current, UUID_OCTETS);
    return end(t, ok, error);
}

bool qcow2_snapshot_publish(Qcow2Pending *p, const Qcow2SnapshotNew *options, uint64_t vm_state_size, GError **error)
{
    image_drain(&p->q->image);
    if (!publish(p, options, vm_state_size, error)) {
        qcow2_snapshot_abandon(p);
        return false;
    }
    pending_free(p);
    return true;
}

void qcow2_snapshot_abandon(Qcow2Pending *p)
{
    Transaction *t = transaction_begin(p->q, NULL);

    /* Should it fail, the clusters leak; nobody is worse off. */
    if (t)
        end(t, drop_tree(t, p->tree.l1, p->tree.size, NULL), NULL);
    pending_free(p);
}

bool qcow2_pending_goto(Qcow2Pending *p, GError **error)
{
    const Target to = {
        .name = "(pending)", .disk_size = p->disk_size, .uuid = p->current, .l1 = p->tree.l1, .l1_size = p->tree.size};

    clear_flags(&p->tree);
    return go_to(p->q, &to, error);
}
