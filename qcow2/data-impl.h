/*
 * data-impl.h: the data path: requests, allocation, commits. For the files of this folder.
 *
 * A DataRequest goes through its range from `position` on, in steps; a step starts transfers (Piece) and moves the
 * position, or queues the request behind what it needs. It ends when the position is at the end and no piece is left.
 */
#ifndef QCOW2_DATA_IMPL_H
#define QCOW2_DATA_IMPL_H

#include "qcow2/qcow2-impl.h"
#include "visitors/bytes.h"

void waiter_queue(GQueue *waiters, Waiter *waiter);

/* Somebody who waits, and has nothing else to do. */
typedef struct Pause {
    Waiter waiter; /* first */
    bool ended;
    int error;
} Pause;
Pause pause_new(void);
void pause_ended(void *pause, int error);
int pause_wait(Qcow2 *q, Pause *pause); /* until pause_ended, or its waiter is resumed: the error */

/* --- requests ---------------------------------------------------------------------------------------------------- */

typedef struct DataRequest DataRequest;
struct DataRequest {
    Waiter waiter; /* first */
    Qcow2 *q;
    Tree *tree;
    ImageRequest *request; /* NULL: of our own, and `done` is called */
    ImageOp op;
    unsigned flags;
    uint64_t start, position, end; /* on the tree's address space */
    const struct iovec *iov;       /* from `start` on; NULL: zeros are written */
    int iov_count;
    unsigned pieces; /* under way */
    bool waits, in_step, allocated;
    int error;
    uint64_t sequence;
    GList link;
    void (*done)(void *opaque, int error);
    void *opaque;
};

/* Starts it; `d` is filled down to iov_count, or zeroed; it is freed when it has ended. */
void data_request_start(DataRequest *d);

/* From a Waiter's resume, and when a piece has ended. */
void data_request_step(DataRequest *d);

/* The request fails with this errno, once its pieces have ended. */
void data_request_fail(DataRequest *d, int error);

/* What it needs is not there: it is queued behind it (0), or fails with this errno. */
void data_request_hold(DataRequest *d, int error);

/* A new request that reads `len` octets of a tree into memory, for ourselves. */
void data_read(Qcow2 *q, Tree *tree, uint64_t offset, struct iovec *iov, void (*done)(void *opaque, int error),
               void *opaque);

/*
 * Does a request of our own and waits for it: an errno. iov: where it reads to, or what it writes; of ZERO and DISCARD
 * only the length counts, and the room may be given back. It may lie behind the disk's end.
 */
int data_run(Qcow2 *q, Tree *tree, ImageOp op, uint64_t offset, struct iovec *iov);

/* One transfer for a request. */
typedef struct Piece Piece;
struct Piece {
    HostIo io;
    DataRequest *d;
    void (*ended)(Piece *p, int error); /* NULL: nothing more than that */
    struct iovec *iov, few[4];
};

/* A piece with room for a part of the request's memory and `more` entries before and behind it. */
Piece *piece_new(DataRequest *d, size_t size, uint64_t offset, uint64_t len, unsigned more);
void piece_submit(Piece *p, HostFile *file, HostOp op, uint64_t host, uint64_t len);
void piece_free(Piece *p);

/* Fills [offset, offset + len) of the tree's address space in the request's memory. */
void data_fill_zeros(DataRequest *d, uint64_t offset, uint64_t len);
void data_copy_in(DataRequest *d, uint64_t offset, const uint8_t *data, uint64_t len);

/* One step of a kind of request, from d->position. */
void read_step(DataRequest *d);
void write_step(DataRequest *d);
void zero_step(DataRequest *d);
void discard_step(DataRequest *d);

/* --- where things are -------------------------------------------------------------------------------------------- */

typedef enum MapKind {
    MAP_UNALLOCATED,
    MAP_ZERO,
    MAP_DATA,
    MAP_COMPRESSED,
} MapKind;

typedef struct Mapping {
    MapKind kind;
    uint64_t len;      /* as far as it is alike, and contiguous in the file */
    uint64_t host;     /* of DATA, and ZERO with room: where `offset` is; of COMPRESSED: where the cluster begins */
    uint32_t host_len; /* of COMPRESSED: octets there, at most */
    bool has_room;     /* there is a host cluster: always of DATA, sometimes otherwise */
    bool in_place;     /* that belongs to nobody else */
} Mapping;

/* False: the request waits, or has failed. */
bool map_at(Qcow2 *q, Tree *tree, uint64_t offset, uint64_t len, Waiter *waiter, Mapping *m, int *error);

/* What an L2 entry says of one cluster, or of its subclusters from `sub` on. EIO: nonsense. */
int map_entry(const Qcow2 *q, uint64_t entry, uint64_t bitmap, unsigned sub, Mapping *m);

/* Has the backing file something to show at this offset, where nothing is allocated? */
bool backing_shows(const Qcow2 *q, const Tree *tree, uint64_t offset);

/* Does what is mapped so read as zeros, from this offset on? */
bool map_reads_zeros(const Qcow2 *q, const Tree *tree, MapKind kind, uint64_t offset);

/* The slice of the L2 table that has this cluster, to be changed: the table exists and is nobody else's. NULL: the
 * waiter is resumed later, or *error is set. */
Table *l2_writable(Qcow2 *q, Tree *tree, uint64_t guest_cluster, Waiter *waiter, int *error);

/* Index of a guest cluster's entry within its slice. */
static inline uint32_t l2_index(const Qcow2 *q, uint64_t guest_cluster)
{
    return (uint32_t)(guest_cluster & (q->l2.slice / q->l2_entry - 1));
}

uint64_t l2_get(const Qcow2 *q, const Table *t, uint32_t index, uint64_t *bitmap);
void l2_set(const Qcow2 *q, Table *t, uint32_t index, uint64_t entry, uint64_t bitmap);

/* --- guest clusters whose mapping is being changed ---------------------------------------------------------------- */

bool busy_wait(Qcow2 *q, Tree *tree, uint64_t guest_cluster,
               Waiter *waiter); /* true: it is, and the waiter is queued */
bool is_busy(Qcow2 *q, Tree *tree, uint64_t guest_cluster);
void busy_begin(Qcow2 *q, Tree *tree, uint64_t guest_cluster, uint64_t count);
void busy_end(Qcow2 *q, Tree *tree, uint64_t guest_cluster, uint64_t count);

/* --- counts ------------------------------------------------------------------------------------------------------- */

/* A count in the octets of a refcount block or a slice of it. Loops go over all of them. */
static inline uint64_t refcount_load(const void *block, unsigned order, uint64_t index)
{
    const uint8_t *p = block;

    switch (order) {
    case 3:
        return p[index];
    case 4:
        return load_be16(p + index * 2);
    case 5:
        return load_be32(p + index * 4);
    case 6:
        return load_be64(p + index * 8);
    default: /* several to an octet, the first in its lowest bits */
        return p[index << order >> 3] >> ((index << order) & 7) & ((1u << (1u << order)) - 1);
    }
}

void refcount_store(void *block, unsigned order, uint64_t index, uint64_t value);
uint64_t refcount_max(unsigned order);

/*
 * At most `want` free clusters in a row, whose counts are 1 afterwards. *fresh: they were never in the file, and read
 * as zeros. False: the waiter is resumed later, or *error is set.
 */
bool alloc_clusters(Qcow2 *q, uint64_t want, Waiter *waiter, uint64_t *host, uint64_t *got, bool *fresh, int *error);

/* Octets in a row for a compressed cluster, aligned to sectors as the format wants; its clusters' counts go up. */
bool alloc_octets(Qcow2 *q, uint32_t octets, Waiter *waiter, uint64_t *host, int *error);

/* These clusters were allocated and nobody refers to them. */
void alloc_undo(Qcow2 *q, uint64_t host, uint64_t count);

/* These clusters lose a reference: their counts go down when that is safe. punch: the room is given back. */
void free_later(Qcow2 *q, uint64_t host, uint64_t len, bool punch);

/* What an entry that is gone referred to. */
void free_entry_later(Qcow2 *q, uint64_t entry, bool punch);

/* Counts go down of what was freed before this sequence number and is not referred to by the file any more. */
void freed_apply(Qcow2 *q);

/* Is there anything that is freed (of which the reference is gone in memory only)? */
bool freed_any(const Qcow2 *q, bool fresh_only);
void freed_stage(Qcow2 *q);             /* what is freed now: its references go with the commit that starts */
void freed_staged(Qcow2 *q, bool gone); /* that has ended */

/* Nothing of the image's own lies there, as far as is known: counts that are 0 may lie. Otherwise it is marked corrupt.
 */
bool qcow2_may_allocate(Qcow2 *q, uint64_t cluster, uint64_t count);

/* overlap.c: what of the metadata lies there: "an L2 table"; NULL: nothing. Quick enough for every allocation. */
const char *qcow2_overlaps_metadata(Qcow2 *q, uint64_t offset, uint64_t len);
void overlap_free(struct Overlap *overlap);

/* The table is too short: those who wait for it are resumed. From the top of a poll. */
void reftable_grow_if_wanted(Qcow2 *q);

/* --- commits ------------------------------------------------------------------------------------------------------ */

bool is_dirty(const Qcow2 *q);
void commit_start(Qcow2 *q);                /* unless one is under way */
void commit_wait(Qcow2 *q, Waiter *waiter); /* until one has ended that starts from now on */

/* Waits for all requests' effects to be in the file, and for what was freed to be free: commits until nothing is dirty.
 */
bool qcow2_commit_now(Qcow2 *q, GError **error);

/* --- the image ---------------------------------------------------------------------------------------------------- */

void qcow2_poll_files(Qcow2 *q, bool wait);

/* For those who wait: clusters in a row, whose counts are 1 in memory. */
bool qcow2_alloc_now(Qcow2 *q, uint64_t count, uint64_t *host, GError **error);
bool qcow2_map_tree(Qcow2 *q, Tree *tree, uint64_t offset, uint64_t len, ImageExtent *extent, GError **error);
bool qcow2_read_numbers(HostFile *file, uint64_t offset, uint64_t *numbers, uint64_t count, GError **error);
bool qcow2_resize(Image *image, uint64_t length, GError **error);
bool qcow2_set_active(Image *image, bool active, GError **error);

/* All that is in memory is in the file, and the image is as if nobody had it. */
bool qcow2_settle(Qcow2 *q, GError **error);

/* What the header and the tables say, read anew; nothing is in the caches. Not the snapshots. */
bool qcow2_load(Qcow2 *q, GError **error);

/* Reads q->snapshots anew. */
bool qcow2_load_snapshots(Qcow2 *q, GError **error);

/* Before the first change: marks in the header what must be. Waits. An errno. */
int qcow2_prepare(Qcow2 *q);

/* Before the disk changes: bitmaps that have to know of it are marked as out of date; all of them, if it has another
 * size afterwards. Waits until that is in the file. */
bool qcow2_bitmaps_spoil(Qcow2 *q, bool size_changes, GError **error);

/* Writes the header, its extensions and the backing file's name. Waits. No sync. */
bool qcow2_write_header(Qcow2 *q, GError **error);

/* Metadata makes no sense: says so in the image, and writes no more. */
void qcow2_mark_corrupt(Qcow2 *q, const char *format, ...) G_GNUC_PRINTF(2, 3);

#endif
