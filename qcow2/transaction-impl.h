/*
 * transaction-impl.h: changes that are there all at once, or not at all: FORMAT.md, "Transactions". For the files of
 * this folder.
 *
 * What changes is written to clusters that are free before and after it, and one write of the header's first sector
 * leads to all of it. Until transaction_end nothing of the open image changes, in memory or in the file, but for
 * clusters that nobody refers to.
 */
#ifndef QCOW2_TRANSACTION_IMPL_H
#define QCOW2_TRANSACTION_IMPL_H

#include "qcow2/data-impl.h"

/* A refcount block at its new place. */
typedef struct Block {
    uint64_t index;    /* in the refcount table */
    uint64_t from, to; /* offsets; from 0: there was none */
    uint8_t *data;     /* a cluster; NULL: written early, and only there */
    bool dirty;        /* it is not yet there */
    GList lru;
} Block;

typedef struct Range {
    uint64_t first, count; /* clusters */
} Range;

typedef struct Transaction {
    Qcow2 *q;
    Qcow2Header header;  /* as it will be: offsets of the tables are filled in by the end; its pointers are q's */
    uint8_t current[16]; /* UUID of the snapshot that the disk comes from */

    uint64_t *l1;         /* the new active table, header.l1_size entries; NULL: as it was */
    GPtrArray *snapshots; /* the new list; NULL: as it was */

    GPtrArray *blocks; /* of Block, by their index; NULL: as it was */
    unsigned loaded;
    GQueue lru;       /* of Block with data: least lately used first */
    GArray *moved;    /* of Range, with a sign in `count`: places of blocks whose own counts are to follow */
    uint64_t cursor;  /* cluster: nothing behind it was given out */
    GArray *released; /* of Range: counts that became 0 on the way */
    uint64_t lowest;  /* of these clusters */
    GArray *stale;    /* of uint64_t: places of L2 tables that the cache may know otherwise */
    struct Writes *writes;
} Transaction;

/*
 * Begins: what is under way ends, and all that is dirty is written. Ends by transaction_end or transaction_abandon.
 * NULL: it cannot.
 */
Transaction *transaction_begin(Qcow2 *q, GError **error);

/* Everything or, when it fails, nothing. Should it not be known which, the image is broken. Frees it. */
bool transaction_end(Transaction *t, GError **error);
void transaction_abandon(Transaction *t);

/* --- counts (transaction-count.c) --------------------------------------------------------------------------------- */

/* These clusters are referred to once more, or once less. Refused: more than a count can say; a count of 0 where there
 * is a reference. */
bool transaction_ref(Transaction *t, uint64_t cluster, uint64_t count, int delta, GError **error);

/* The count that a cluster will have. */
bool transaction_count(Transaction *t, uint64_t cluster, uint64_t *count, GError **error);

/* Clusters in a row that are free before and after; their counts become 1. *host: the offset. */
bool transaction_alloc(Transaction *t, uint64_t count, uint64_t *host, GError **error);

/* Puts the counts of places of blocks in order, and makes a new refcount table, if there are new blocks. */
bool transaction_settle(Transaction *t, GError **error);
void transaction_counts_done(Transaction *t);

/* --- writes ---------------------------------------------------------------------------------------------------------
 */

/* Starts a write of octets, taken (g_free), to a place of ours. A failure is told by transaction_wait. */
void transaction_write(Transaction *t, uint64_t host, void *data, size_t len);
bool transaction_wait(Transaction *t, GError **error);

/* --- trees (transaction-tree.c) -------------------------------------------------------------------------------------
 */

typedef enum TreeShare {
    TREE_SHARE_ACTIVE, /* the tree is the active one: where its L2 tables must change, both get the new ones */
    TREE_SHARE_OTHER,  /* it stays as it is, and the copy gets its own */
} TreeShare;

/* One more reference to all of it; `l1` (changed in place) has the entries of the copy. */
bool tree_share(Transaction *t, uint64_t *l1, uint64_t size, TreeShare share, GError **error);

/* One reference less. */
bool tree_drop(Transaction *t, const uint64_t *l1, uint64_t size, GError **error);

/* An active table: the COPIED flags say what the counts are now. */
bool tree_set_copied(Transaction *t, uint64_t *l1, uint64_t size, GError **error);

/* Reads an L1 table; new, host order. */
uint64_t *tree_l1_read(Qcow2 *q, uint64_t offset, uint64_t size, GError **error);

/* Writes an L1 table to a new place. */
bool tree_l1_write(Transaction *t, const uint64_t *l1, uint64_t size, uint64_t *host, GError **error);

/* --- the header (header-room.c) -------------------------------------------------------------------------------------
 */

/*
 * Sees to it that the UUID of the current snapshot lies in the header's first sector, in steps of which each leaves a
 * header that says the same. Where there is no room, nothing is done: the UUID is not kept then.
 */
bool header_make_room(Qcow2 *q, GError **error);

/* One write of the first sector: the numbers of `to`, and the UUID where there is room. No sync. */
bool header_switch(Qcow2 *q, const Qcow2Header *to, const uint8_t current[16], GError **error);

#endif
