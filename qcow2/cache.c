/*
 * cache.c: slices of L2 tables and refcount blocks in memory.
 *
 * What is dirty leaves only by a commit. When too much is, one is started; what comes meanwhile makes the cache larger
 * than it should be, up to twice; then it waits.
 */
#include <errno.h>
#include <string.h>

#include "qcow2/data-impl.h"
#include "visitors/error.h"

void waiters_resume(GQueue *waiters, int error)
{
    GQueue now = *waiters;

    g_queue_init(waiters);
    for (GList *link; (link = g_queue_pop_head_link(&now));)
        ((Waiter *)link->data)->resume(link->data, error);
}

static void pause_resumed(Waiter *w, int error)
{
    pause_ended(w, error);
}

Pause pause_new(void)
{
    return (Pause){.waiter.resume = pause_resumed};
}

void pause_ended(void *pause, int error)
{
    ((Pause *)pause)->ended = true;
    ((Pause *)pause)->error = error;
}

int pause_wait(Qcow2 *q, Pause *pause)
{
    while (!pause->ended) {
        reftable_grow_if_wanted(q);
        if (!pause->ended)
            qcow2_poll_files(q, true);
    }
    return pause->error;
}

void waiter_queue(GQueue *waiters, Waiter *waiter)
{
    waiter->link = (GList){.data = waiter};
    g_queue_push_tail_link(waiters, &waiter->link);
}

static void drop(Table *t)
{
    g_queue_unlink(&t->cache->lru, &t->lru);
    g_hash_table_remove(t->cache->tables, &t->offset);
    if (t->dirty)
        t->cache->dirty--;
    g_free(t->data);
    g_free(t);
}

void cache_init(TableCache *cache, Qcow2 *q, const char *what, uint64_t octets)
{
    cache->q = q;
    cache->what = what;
    cache->slice = MIN(q->cluster_size, CACHE_SLICE);
    cache->capacity = (unsigned)MAX(octets / cache->slice, 16);
    cache->tables = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_queue_init(&cache->lru);
}

void cache_forget_all(TableCache *cache)
{
    while (cache->lru.head)
        drop(cache->lru.head->data);
}

void cache_done(TableCache *cache)
{
    if (!cache->tables)
        return;
    cache_forget_all(cache);
    g_hash_table_unref(cache->tables);
    cache->tables = NULL;
}

void cache_forget(TableCache *cache, uint64_t offset, uint64_t len)
{
    for (uint64_t at = offset; at < offset + len; at += cache->slice) {
        Table *t = g_hash_table_lookup(cache->tables, &at);
        if (t)
            drop(t);
    }
}

void cache_dirty(Table *t)
{
    if (!t->dirty)
        t->cache->dirty++;
    t->dirty = true;
}

static bool is_idle(const Table *t)
{
    return !t->pins && !t->loading && !t->dirty && !t->staged;
}

/* Makes room for one more. False: the waiter comes back when there is. */
static bool make_room(TableCache *cache, Waiter *waiter)
{
    unsigned count = g_hash_table_size(cache->tables), looked = 0;

    if (count < cache->capacity)
        return true;
    for (GList *l = cache->lru.head; l && looked < 64; l = l->next, looked++) {
        if (!is_idle(l->data))
            continue;
        drop(l->data);
        return true;
    }
    if (!cache->dirty)
        return true;
    if (count < 2 * cache->capacity || !waiter) {
        commit_start(cache->q);
        return true;
    }
    commit_wait(cache->q, waiter);
    return false;
}

static Table *add(TableCache *cache, uint64_t offset)
{
    Table *t = g_new0(Table, 1);

    t->cache = cache;
    t->offset = offset;
    t->data = g_malloc(cache->slice);
    g_queue_init(&t->waiters);
    t->lru.data = t;
    g_queue_push_tail_link(&cache->lru, &t->lru);
    g_hash_table_insert(cache->tables, &t->offset, t);
    return t;
}

static void loaded(HostIo *io, int error)
{
    Table *t = (Table *)((char *)io - offsetof(Table, io));
    GQueue waiters = t->waiters;

    t->loading = false;
    g_queue_init(&t->waiters);
    if (error)
        drop(t);
    waiters_resume(&waiters, error);
}

Table *cache_get(TableCache *cache, uint64_t offset, Waiter *waiter, int *error)
{
    Table *t = g_hash_table_lookup(cache->tables, &offset);

    *error = 0;
    if (t && !t->loading) {
        if (cache->lru.tail != &t->lru) {
            g_queue_unlink(&cache->lru, &t->lru);
            g_queue_push_tail_link(&cache->lru, &t->lru);
        }
        return t;
    }
    if (!t) {
        if (!make_room(cache, waiter))
            return NULL;
        t = add(cache, offset);
        t->loading = true;
        t->iov = (struct iovec){t->data, cache->slice};
        t->io = (HostIo){
            .op = HOST_READ, .offset = offset, .len = cache->slice, .iov = &t->iov, .iov_count = 1, .done = loaded};
        host_file_submit(cache->q->image.file, &t->io);
    }
    waiter_queue(&t->waiters, waiter);
    return NULL;
}

Table *cache_get_now(TableCache *cache, uint64_t offset, GError **error)
{
    for (;;) {
        Pause pause = pause_new();
        int code = 0;
        Table *t = cache_get(cache, offset, &pause.waiter, &code);
        if (t)
            return t;
        code = pause_wait(cache->q, &pause);
        if (code) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: %s at 0x%" G_GINT64_MODIFIER "x: %s",
                        cache->q->image.file->path, cache->what, offset, g_strerror(code));
            return NULL;
        }
    }
}

Table *cache_put(TableCache *cache, uint64_t offset, const void *data)
{
    Table *t = g_hash_table_lookup(cache->tables, &offset);

    if (!t) {
        make_room(cache, NULL);
        t = add(cache, offset);
    }
    if (data)
        memcpy(t->data, data, cache->slice);
    else
        memset(t->data, 0, cache->slice);
    cache_dirty(t);
    return t;
}
