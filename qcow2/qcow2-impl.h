/*
 * qcow2-impl.h: an open qcow2 image, for the files of this folder.
 *
 * Everything happens on one thread, in steps that do not wait: a request that needs a table which is not in memory
 * queues behind it as a Waiter and is tried again from where it was. Only transactions (snapshots and the like) wait;
 * nothing else is under way then.
 */
#ifndef QCOW2_QCOW2_IMPL_H
#define QCOW2_QCOW2_IMPL_H

#include "qcow2/header.h"
#include "qcow2/qcow2.h"

/* L1 and L2 entries */
#define ENTRY_OFFSET     UINT64_C(0x00fffffffffffe00)
#define ENTRY_COPIED     (UINT64_C(1) << 63)
#define ENTRY_COMPRESSED (UINT64_C(1) << 62)
#define ENTRY_ZERO       UINT64_C(1)
#define L1_RESERVED      UINT64_C(0x7f000000000001ff)
#define L2_RESERVED      UINT64_C(0x3f000000000001fe)
#define REFTABLE_OFFSET  UINT64_C(0xfffffffffffffe00)
#define SUBCLUSTERS      32u

typedef struct Qcow2 Qcow2;

/* Somebody who waits. `resume` is called once, from image_poll, and may queue again. */
typedef struct Waiter Waiter;
struct Waiter {
    void (*resume)(Waiter *w, int error); /* error: the table could not be read, the commit failed */
    GList link;
};
void waiters_resume(GQueue *waiters, int error);

/* --- tables in memory: slices of L2 tables and of refcount blocks ------------------------------------------------ */

typedef struct Table {
    uint64_t offset; /* of the slice, in the file */
    uint8_t *data;   /* as in the file */
    unsigned pins;
    bool loading;
    bool dirty;  /* changed since it was last staged */
    bool staged; /* its copy is on the way to the file */
    GQueue waiters;
    HostIo io;
    struct iovec iov;
    struct TableCache *cache;
    GList lru;
} Table;

typedef struct TableCache {
    Qcow2 *q;
    const char *what; /* "L2 table", "refcount block" */
    uint32_t slice;   /* octets: a cluster, but at most CACHE_SLICE */
    unsigned capacity, dirty;
    GHashTable *tables; /* by offset */
    GQueue lru;         /* of Table: least lately used first */
} TableCache;

#define CACHE_SLICE 16384u

void cache_init(TableCache *cache, Qcow2 *q, const char *what, uint64_t octets);
void cache_done(TableCache *cache);

/*
 * The slice that is at this offset. NULL: it is not there yet; the waiter is resumed when it is, or *error is set (an
 * errno). It stays while nobody returns to image_poll, or while it is pinned.
 */
Table *cache_get(TableCache *cache, uint64_t offset, Waiter *waiter, int *error);

/* Waits for it. NULL: error is set. */
Table *cache_get_now(TableCache *cache, uint64_t offset, GError **error);

/* A slice of zeros (data NULL) or of these octets that is not read from the file; dirty. What was there is forgotten.
 */
Table *cache_put(TableCache *cache, uint64_t offset, const void *data);

void cache_dirty(Table *table);

/* Forgets what lies there; it is neither dirty nor staged, or does not matter any more. */
void cache_forget(TableCache *cache, uint64_t offset, uint64_t len);
void cache_forget_all(TableCache *cache);

/* --- the image --------------------------------------------------------------------------------------------------- */

/* An L1 table and what hangs on it: the active disk, or that of a snapshot. */
typedef struct Tree {
    uint64_t *l1;  /* host order */
    uint32_t size; /* entries */
    uint64_t offset;
    uint64_t disk_size; /* octets: what lies behind and is not allocated reads as zeros */
    uint8_t *dirty;     /* a bit a sector; NULL: it is never written by a commit */
    bool any_dirty;
} Tree;

struct Qcow2 {
    Image image;
    Qcow2Header header;
    HostFile *data_file; /* where the guest's clusters are: the image's own file, or the external one */
    unsigned cluster_bits, l2_bits, refcount_order, refblock_bits; /* refblock_bits: counts in a block, as power of 2 */
    uint32_t cluster_size, l2_entry;                               /* octets */
    bool extended;
    unsigned sub_bits; /* of a subcluster; cluster_bits where there are none */
    bool to_check;     /* opened by who repairs it: the header may lie about the refcount table and the snapshots */
    bool prepared;     /* the header says that we write */
    bool spoilt;       /* bitmaps that have to know of it are marked as out of date */
    bool settles;      /* all that is in memory is to reach the file now, lazy or not */
    bool broken;       /* metadata found overlapping, or a flush failed: nothing is written any more */

    Tree active;
    TableCache l2;

    TableCache refblocks;
    uint64_t *reftable;      /* host order */
    uint64_t reftable_size;  /* entries */
    uint8_t *reftable_dirty; /* a bit a sector */
    bool any_reftable_dirty;

    uint64_t free_hint;   /* cluster: none before it is free, as far as is known */
    uint64_t compress_at; /* octet in the file: behind the last compressed cluster; 0: none can follow */
    uint64_t fresh_from;  /* cluster: none from here on was ever in the file */

    bool wants_growth, growing; /* the refcount table is too short: */
    GQueue growth_waiters;
    struct Qcow2Codec *codec;

    struct Overlap *overlap; /* overlap.c: where metadata is; NULL: to be made */

    char *corruption;     /* the first that was found; NULL: none */
    GPtrArray *snapshots; /* of Qcow2Snapshot */
    Tree vm_tree;         /* of that whose VM state was read last */
    GSList *open_trees;   /* of Tree: of those whose disks are open */

    GHashTable *busy; /* guest cluster -> Busy: its mapping is being changed */
    GQueue requests;  /* of DataRequest that are under way, oldest first */
    uint64_t sequence;
    GQueue freed;          /* of Freed: clusters whose counts go down later */
    struct Commit *commit; /* NULL: none is under way */
    GQueue commit_waiters; /* for the end of the next one that starts */
};

static inline Qcow2 *qcow2_of(Image *image)
{
    return (Qcow2 *)image;
}

static inline uint64_t cluster_round_up(const Qcow2 *q, uint64_t offset)
{
    return (offset + q->cluster_size - 1) & ~(uint64_t)(q->cluster_size - 1);
}

#endif
