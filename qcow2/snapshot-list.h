/*
 * snapshot-list.h: a list of snapshots by itself: which is meant, whose children they are, what a new one may be
 * called.
 */
#ifndef QCOW2_SNAPSHOT_LIST_H
#define QCOW2_SNAPSHOT_LIST_H

#include "qcow2/header.h"
#include "qcow2/qcow2.h"

#define SNAPSHOT_NAME_MAX 255u /* octets of a new name, and */
#define SNAPSHOT_ID_MAX   127u /* of a new id, as QEMU */
#define SNAPSHOT_NONE     UINT_MAX

enum { SNAPSHOT_EXTRA_OURS = 56 }; /* octets of extra data in an entry of ours */

/* An empty list of Qcow2Snapshot, which it frees. */
GPtrArray *snapshot_list_new(void);
GPtrArray *snapshot_list_copy(const GPtrArray *list);
Qcow2Snapshot *snapshot_copy(const Qcow2Snapshot *snapshot);
void snapshot_free(void *snapshot);

/* A name, else an id, else a UUID in text form: the first that there is. NULL: none. */
Qcow2Snapshot *snapshot_list_find(const GPtrArray *list, const char *which);

/* NULL: none has this UUID. */
Qcow2Snapshot *snapshot_list_by_uuid(const GPtrArray *list, const uint8_t uuid[16]);

/* For messages: "1 'first', 2 'second'", or "none". New string. */
char *snapshot_list_text(const GPtrArray *list);

/*
 * Of each snapshot the index of its parent; SNAPSHOT_NONE: it is a root, for it has no UUID for a parent, or nobody has
 * that one. What claims to be its own ancestor is a root, too, where the list comes to it first. New.
 */
unsigned *snapshot_list_parents(const GPtrArray *list);

/* One more than the greatest number that is an id; where there is none such, the least that is free. New string. */
char *snapshot_list_new_id(const GPtrArray *list);

/* May it be the name of one more? */
bool snapshot_list_judge_name(const GPtrArray *list, const char *name, GError **error);

/* Entry of a new snapshot, with what QEMU and we want of it (see Qcow2SnapshotNew); NULL: it may not be. */
Qcow2Snapshot *snapshot_list_make(const GPtrArray *list, const Qcow2SnapshotNew *options,
                                  const uint8_t default_parent[16], GError **error);

#endif
