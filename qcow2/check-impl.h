/*
 * check-impl.h: what the files of the check share.
 *
 * A pass reads the file itself, not the caches: the refcount blocks (which clusters have a count of one?), then all L1
 * tables, then each L2 table once, however many refer to it, in the order of the file; every reference is counted, and
 * the counts are compared with the blocks. A repair is a sequence of passes with changes in between: check-repair.c.
 */
#ifndef QCOW2_CHECK_IMPL_H
#define QCOW2_CHECK_IMPL_H

#include "qcow2/check.h"
#include "qcow2/qcow2-impl.h"

/* --- check-refs.c: references that were counted, two octets a cluster --------------------------------------------- */

enum { REF_DATA = 0x8000, REF_METADATA = 0x4000, REF_COUNT = 0x3fff };

typedef struct Refs {
    uint16_t *counts; /* count in the low bits, all ones: see `more` */
    uint64_t size;    /* clusters */
    GHashTable *more; /* cluster -> count */
} Refs;

bool refs_init(Refs *refs, uint64_t size, const char *path, GError **error);
void refs_done(Refs *refs);
void refs_add_slowly(Refs *refs, uint64_t cluster, uint64_t times);
uint64_t refs_get_slowly(const Refs *refs, uint64_t cluster);
void refs_drop(Refs *refs, uint64_t cluster); /* one reference less, if there is one */

static inline void refs_add(Refs *refs, uint64_t cluster, uint64_t times, unsigned kind)
{
    uint16_t *count = &refs->counts[cluster];

    *count = (uint16_t)(*count | kind);
    if (G_LIKELY(times < REF_COUNT - (*count & REF_COUNT)))
        *count = (uint16_t)(*count + times);
    else
        refs_add_slowly(refs, cluster, times);
}

static inline uint64_t refs_get(const Refs *refs, uint64_t cluster)
{
    unsigned count = refs->counts[cluster] & REF_COUNT;

    return G_LIKELY(count != REF_COUNT) ? count : refs_get_slowly(refs, cluster);
}

/* --- check-read.c: many parts of a file, some of them under way at a time ----------------------------------------- */

typedef struct ReadMany ReadMany;
struct ReadMany {
    HostFile *file;
    size_t count; /* parts, by offset ascending */
    uint32_t len; /* octets of each */
    uint64_t (*where)(ReadMany *many, size_t i);
    bool (*got)(ReadMany *many, size_t i, uint8_t *data, int error); /* in any order; false: stop */
    void *opaque;
};

/* False: it was stopped. */
bool read_many(ReadMany *many);

/* --- the check ---------------------------------------------------------------------------------------------------- */

/* A part of the file that is an L1 table, or one of a bitmap, so many times. */
typedef struct Range {
    uint64_t start, end;
    uint32_t times, active;
} Range;

/* An L2 table: so many L1 entries refer to it, so many of them of the active table. */
typedef struct L2Ref {
    uint64_t offset;
    uint32_t times, active;
} L2Ref;

typedef struct Check {
    HostFile *file;
    Qcow2Header *header;
    Qcow2Check *result;
    bool loud;        /* what is found is said */
    bool blind;       /* something could not be read: there may be more references than were counted */
    bool unsound;     /* the refcount table and its blocks must be made anew */
    bool table_wrong; /* the snapshot table, too */
    bool stopped;     /* by `progress` */

    uint64_t length;   /* octets of the file */
    uint64_t whole;    /* clusters of it */
    uint64_t clusters; /* that are counted: two more, since what begins in the file may end a little behind it */
    unsigned cluster_bits, refblock_bits;
    uint32_t cluster_size, l2_entry;
    bool extended, data_file;

    Refs refs;
    uint8_t *one;   /* a bit a cluster: its count in the file is 1 */
    uint8_t *wrong; /* its count is not the number of references */
    uint64_t *reftable;
    uint64_t reftable_size; /* entries up to the last that is not 0 */
    bool has_table;         /* where the header says */
    uint64_t *blocks;       /* index of each block that can be read and counts what is in the file, by offset */
    size_t block_count;
    uint64_t far_at; /* what check_count has read last; 0: nothing */
    uint8_t far[HOST_SECTOR];

    GArray *l1_ranges, *bitmap_ranges; /* of Range */
    GArray *alone; /* of Range, in clusters: tables that are written in place, so that nothing else may refer to them */
    GArray *l2;    /* of L2Ref, by offset */
    GByteArray *table; /* what the snapshot table should be */
    unsigned table_count;
    uint64_t table_octets; /* of that in the file */
    size_t l2_done;
    unsigned misaligned; /* of them */

    /* what the pass has found, as in Qcow2Check */
    uint64_t corruptions, leaks, check_errors, image_end;
    uint64_t allocated, fragmented, compressed;
    uint64_t copied_wrong, repairable; /* of the corruptions: flags; entries that lose what nobody reads */
} Check;

static inline bool bit_get(const uint8_t *bits, uint64_t i)
{
    return bits[i >> 3] >> (i & 7) & 1;
}

static inline void bit_set(uint8_t *bits, uint64_t i)
{
    bits[i >> 3] = (uint8_t)(bits[i >> 3] | 1u << (i & 7));
}

/* check.c */
bool check_pass(Check *c, GError **error);
void check_corrupt(Check *c, uint64_t times, const char *format, ...) G_GNUC_PRINTF(3, 4);
void check_leak(Check *c, const char *format, ...) G_GNUC_PRINTF(2, 3);
void check_unread(Check *c, const char *what, uint64_t offset, const char *cause);
/* Counts references to what lies there. False: it ends a cluster or more behind the end of the file. */
bool check_refer(Check *c, uint64_t offset, uint64_t len, uint64_t times, unsigned kind);
bool check_is_inside(const Check *c, uint64_t offset, uint64_t len);

/* check-counts.c: the refcount table and its blocks */
bool check_load_counts(Check *c, GError **error);
uint64_t check_count(Check *c, uint64_t cluster); /* that the file has for any cluster; slow */
void check_compare_counts(Check *c);
bool check_is_block(const Check *c, uint64_t index);     /* Can the block be read? */
bool check_counts_block(const Check *c, uint64_t index); /* Does its entry count as a reference? */

/* check-areas.c: the header's and bitmaps' own places */
bool check_areas(Check *c, GError **error);
void check_alone(Check *c); /* when all is counted and compared */
/* Sets the error; always false. */
bool check_damaged(const Check *c, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Counts a table that is written in place; false: it is outside of the file. check_area: that is corrupt. */
bool check_refer_alone(Check *c, uint64_t offset, uint64_t len);
void check_area(Check *c, const char *what, uint64_t offset, uint64_t len);
void check_add_range(GArray *ranges, const Check *c, uint64_t offset, uint64_t len, bool active);

/* check-snapshots.c */
bool check_snapshots(Check *c, GError **error);

/* check-walk.c: L1 and L2 tables */
bool check_walk(Check *c, GError **error);
GArray *check_disjoint(const GArray *ranges); /* new: parts, ascending, each with the sums of those that have it */

/* check-entry.c: a single entry */
typedef struct Entry {
    uint64_t entry, bitmap; /* as in the table, host order; bitmap: 0 where entries are not extended */
    uint64_t offset;        /* in the file */
    uint64_t len;
    enum { ENTRY_NOTHING, ENTRY_IS_DATA, ENTRY_IS_COMPRESSED } kind;
    bool zeros; /* nothing is read from what it refers to */
} Entry;

void check_entry(const Check *c, uint64_t entry, uint64_t bitmap, Entry *out);

/* Subclusters that are data and zeros, which none can be: a bit for each. */
static inline uint64_t check_both(const Entry *e)
{
    return e->bitmap & e->bitmap >> SUBCLUSTERS & UINT32_MAX;
}

/* check-repair.c */
bool check_repair(Check *c, unsigned repair, GError **error);

/* check-rebuild.c: a refcount table, blocks and, where it is wrong, a snapshot table in free clusters, to all of which
 * one write of the header switches. */
bool check_rebuild(Check *c, GError **error);
/* Writes what the header says about these tables, and the feature bits, into the file: one sector. */
bool check_write_header(Check *c, GError **error);

/* Writes the sectors of the new octets that are not as in the old ones; all of one cluster. */
bool check_write_changes(Check *c, uint64_t offset, const uint8_t *old, const uint8_t *new, size_t len, GError **error);

#endif
