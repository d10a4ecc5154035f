/*
 * commit.c: what changed in memory reaches the file, in an order that is safe at any moment.
 *
 * All that is dirty is copied when a commit starts; what changes later is for the next one. The stages are those of
 * FORMAT.md, "The order of writes"; each is written at once, and a sync lies between those that have anything.
 */
#include <errno.h>
#include <string.h>

#include "qcow2/data-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

typedef enum Stage { STAGE_REFBLOCKS, STAGE_REFTABLE, STAGE_L2, STAGE_L1, STAGES } Stage;

/* One table on its way. */
typedef struct Staged {
    HostIo io;
    struct Commit *commit;
    Table *table;    /* NULL: a part of the L1 or refcount table, */
    uint8_t *bits;   /* whose dirty bits these are, */
    uint64_t sector; /* from this one on */
    struct iovec iov;
    uint8_t data[];
} Staged;

typedef struct Commit {
    Qcow2 *q;
    GPtrArray *stages[STAGES]; /* of Staged */
    unsigned stage;
    bool syncs; /* the sync behind the stage is under way */
    unsigned under_way;
    int error;
    GQueue waiters;
    HostIo sync;
} Commit;

static void next_stage(Commit *c);

bool is_dirty(const Qcow2 *q)
{
    return q->l2.dirty || q->refblocks.dirty || q->any_reftable_dirty || q->active.any_dirty || freed_any(q, true);
}

/* --- what is dirty ------------------------------------------------------------------------------------------------ */

static Staged *stage(Commit *c, Stage stage, uint64_t offset, const void *data, size_t len)
{
    Staged *s = g_malloc(sizeof *s + len);

    memset(s, 0, sizeof *s);
    s->commit = c;
    memcpy(s->data, data, len);
    s->iov = (struct iovec){s->data, len};
    s->io = (HostIo){.op = HOST_WRITE, .offset = offset, .len = len, .iov = &s->iov, .iov_count = 1};
    g_ptr_array_add(c->stages[stage], s);
    return s;
}

static void stage_tables(Commit *c, Stage which, TableCache *cache)
{
    for (GList *l = cache->lru.head; l && cache->dirty; l = l->next) {
        Table *t = l->data;
        if (!t->dirty)
            continue;
        stage(c, which, t->offset, t->data, cache->slice)->table = t;
        t->dirty = false;
        t->staged = true;
        cache->dirty--;
    }
}

/* Sectors of a table of numbers in host order whose bits are set. */
static void stage_numbers(Commit *c, Stage which, uint64_t offset, const uint64_t *numbers, uint64_t count,
                          uint8_t *bits)
{
    const uint64_t per = HOST_SECTOR / 8;
    uint8_t octets[HOST_SECTOR];

    for (uint64_t sector = 0; sector * per < count; sector++) {
        if (!(bits[sector / 8] >> sector % 8 & 1))
            continue;
        memset(octets, 0, sizeof octets);
        for (uint64_t i = 0; i < MIN(per, count - sector * per); i++)
            store_be64(octets + i * 8, numbers[sector * per + i]);
        Staged *s = stage(c, which, offset + sector * HOST_SECTOR, octets, sizeof octets);
        s->bits = bits;
        s->sector = sector;
        bits[sector / 8] &= (uint8_t) ~(1 << sector % 8);
    }
}

/* It did not reach the file: it is dirty again. */
static void unstage(Staged *s)
{
    if (s->table) {
        cache_dirty(s->table);
    } else {
        s->bits[s->sector / 8] |= (uint8_t)(1 << s->sector % 8);
        if (s->bits == s->commit->q->reftable_dirty)
            s->commit->q->any_reftable_dirty = true;
        else
            s->commit->q->active.any_dirty = true;
    }
}

/* --- stages ------------------------------------------------------------------------------------------------------- */

static void end(Commit *c)
{
    Qcow2 *q = c->q;
    GQueue waiters = c->waiters;
    int error = c->error;

    for (unsigned i = 0; i < STAGES; i++) {
        for (guint k = 0; k < c->stages[i]->len; k++) {
            Staged *s = c->stages[i]->pdata[k];
            if (s->table)
                s->table->staged = false;
            if (error)
                unstage(s);
        }
        g_ptr_array_unref(c->stages[i]);
    }
    q->commit = NULL;
    g_free(c);
    freed_staged(q, !error);
    freed_apply(q);
    if (!g_queue_is_empty(&q->commit_waiters))
        commit_start(q);
    waiters_resume(&waiters, error);
}

static void synced(HostIo *io, int error)
{
    Commit *c = (Commit *)((char *)io - offsetof(Commit, sync));

    c->syncs = false;
    if (error && !c->error)
        c->error = error;
    c->stage++;
    next_stage(c);
}

static void staged_written(HostIo *io, int error)
{
    Commit *c = ((Staged *)io)->commit;

    if (error && !c->error)
        c->error = error;
    if (--c->under_way)
        return;
    if (c->error) {
        end(c);
        return;
    }
    c->sync = (HostIo){.op = HOST_SYNC, .done = synced};
    c->syncs = true;
    host_file_submit(c->q->image.file, &c->sync);
}

static void next_stage(Commit *c)
{
    /* Data that was written before must be there before what refers to it, whatever else there is to sync. */
    bool data_first = c->stage == STAGE_REFBLOCKS && !c->stages[STAGE_REFBLOCKS]->len;

    while (c->stage < STAGES && !c->stages[c->stage]->len && !data_first)
        c->stage++;
    if (c->error || c->stage == STAGES) {
        end(c);
        return;
    }
    GPtrArray *all = c->stages[c->stage];
    c->under_way = all->len + 1;
    for (guint i = 0; i < all->len; i++) {
        Staged *s = all->pdata[i];
        s->io.done = staged_written;
        host_file_submit(c->q->image.file, &s->io);
    }
    /* Of no stage: only so that an empty one ends, too. */
    staged_written(&(Staged){.commit = c}.io, 0);
}

/* With lazy refcounts blocks stay in memory, as long as the image says that it is dirty. */
static bool keeps_counts(const Qcow2 *q)
{
    return q->header.compatible & QCOW2_LAZY_REFCOUNTS && q->header.incompatible & QCOW2_DIRTY && !q->settles &&
           q->refblocks.dirty < q->refblocks.capacity / 2 && !q->any_reftable_dirty;
}

void commit_start(Qcow2 *q)
{
    if (q->commit)
        return;
    Commit *c = g_new0(Commit, 1);
    q->commit = c;
    c->q = q;
    c->waiters = q->commit_waiters;
    g_queue_init(&q->commit_waiters);
    for (unsigned i = 0; i < STAGES; i++)
        c->stages[i] = g_ptr_array_new_with_free_func(g_free);
    if (!keeps_counts(q))
        stage_tables(c, STAGE_REFBLOCKS, &q->refblocks);
    if (q->any_reftable_dirty)
        stage_numbers(c, STAGE_REFTABLE, q->header.reftable_offset, q->reftable, q->reftable_size, q->reftable_dirty);
    q->any_reftable_dirty = false;
    stage_tables(c, STAGE_L2, &q->l2);
    if (q->active.any_dirty)
        stage_numbers(c, STAGE_L1, q->active.offset, q->active.l1, q->active.size, q->active.dirty);
    q->active.any_dirty = false;
    freed_stage(q);
    next_stage(c);
}

void commit_wait(Qcow2 *q, Waiter *waiter)
{
    waiter_queue(&q->commit_waiters, waiter);
    commit_start(q);
}

/* --- for those who wait ------------------------------------------------------------------------------------------- */

static int pause_commit(Qcow2 *q)
{
    Pause pause = pause_new();

    commit_wait(q, &pause.waiter);
    return pause_wait(q, &pause);
}

bool qcow2_commit_now(Qcow2 *q, GError **error)
{
    int code = 0;

    /* The first makes references go, then counts go down, the second has them. */
    for (unsigned round = 0; !code && (is_dirty(q) || q->commit || freed_any(q, false)) && round < 16; round++) {
        code = pause_commit(q);
        while (!code && freed_any(q, false) && !freed_any(q, true) && !q->requests.head && q->image.file->in_flight)
            qcow2_poll_files(q, true);
    }
    if (code)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: cannot write metadata: %s", q->image.file->path,
                    g_strerror(code));
    return !code;
}
