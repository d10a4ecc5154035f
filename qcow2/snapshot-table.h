/*
 * snapshot-table.h: the snapshot table of a qcow2 image, as octets and as a list.
 *
 * Source: the qcow2 specification, "Snapshots"; FORMAT.md says what we add. Nothing here touches a file but
 * snapshot_table_read.
 */
#ifndef QCOW2_SNAPSHOT_TABLE_H
#define QCOW2_SNAPSHOT_TABLE_H

#include "qcow2/header.h"
#include "qcow2/snapshot-list.h"

enum {
    SNAPSHOT_ENTRY = 40,       /* octets of an entry before its extra data */
    SNAPSHOT_EXTRA_MAX = 1024, /* as QEMU */
};

/* What a table is judged against, and how messages name it. */
typedef struct SnapshotPlace {
    const char *path;
    uint64_t offset;       /* of the table, in the file */
    uint64_t file_length;  /* octets */
    uint32_t cluster_size; /* octets */
    uint64_t disk_size;    /* of a snapshot that does not tell its own */
} SnapshotPlace;

/*
 * Appends to `list` (of Qcow2Snapshot, which it frees) what lies whole in the first `len` octets of the table, from
 * *at on, until it has `count`; *at: where the next begins. False: an entry is unsound.
 */
bool snapshot_table_parse(const SnapshotPlace *place, const uint8_t *data, size_t len, GPtrArray *list, unsigned count,
                          size_t *at, GError **error);

/* No id is there twice. */
bool snapshot_table_judge(const SnapshotPlace *place, const GPtrArray *list, GError **error);

/* The octets of the table. What is unknown in the extra data of an entry is as it was. NULL: it is too large. */
GByteArray *snapshot_table_octets(const GPtrArray *list, GError **error);

/* The table that the header tells of, a new list. octets (may be NULL): how many it takes in the file. */
GPtrArray *snapshot_table_read(HostFile *file, const Qcow2Header *header, uint64_t *octets, GError **error);

#endif
