/*
 * qcow2.h: qcow2 images, versions 2 and 3: opened, made, snapshotted, checked.
 *
 * Source: the qcow2 specification (QEMU's docs/interop/qcow2.txt); FORMAT.md says what we add to it and in which order
 * things are written. Reading and writing the disk: image.h. What is here waits for what is under way and lasts until
 * it is done; nothing may be submitted meanwhile.
 */
#ifndef QCOW2_QCOW2_H
#define QCOW2_QCOW2_H

#include "qcow2/image.h"

typedef struct Qcow2Open {
    bool read_only;
    bool inactive;       /* somebody else writes it until image_set_active: nothing is written before */
    bool repair;         /* an image that is dirty, or without a sound refcount table or list of snapshots, is opened
                            as it is, by who repairs it; otherwise dirty ones are repaired first, others refused */
    HostFile *data_file; /* taken, also on failure; NULL: the image must have none */
    Image *backing;      /* taken, also on failure; NULL: what the image does not have reads as zeros */
    uint64_t l2_cache;   /* octets; 0: enough for the whole disk, but at most 32 MiB */
    uint64_t refcount_cache; /* octets; 0: 8 MiB */
} Qcow2Open;

/* Takes the file, also when it fails. */
Image *qcow2_open(HostFile *file, const Qcow2Open *options, GError **error);

/* NULL: it is of another format. */
struct Qcow2Header;
const struct Qcow2Header *qcow2_header(const Image *image);

/* What was found wrong with the metadata while it was used; NULL: nothing. Nothing is written any more then. */
const char *qcow2_corruption(const Image *image);

/* --- opening by path -------------------------------------------------------------------------------------------- */

typedef struct ImagePath ImagePath;
struct ImagePath {
    const char *path;
    const char *format; /* "raw", "qcow2"; NULL: what the file looks like, which only people may ask for */
    bool read_only, shared, inactive;
    bool events; /* as of HostFilePosix, of all files of the chain */
    int event;
    bool no_backing;    /* the chain is not opened: only metadata matters */
    bool probe_backing; /* a backing file whose format the image does not tell is probed; otherwise it is refused */
    const ImagePath *backing; /* in place of the one that the image names: its path, format and what is behind it */
    const char *data_file;    /* the same; from where the program is */
    bool repair;              /* as of Qcow2Open */
    HostCache cache;
    HostEngine engine;
    uint64_t l2_cache, refcount_cache;
};

/*
 * Opens an image and its chain, relative names being relative to the image that has them; backing files read-only.
 * Refused: a cycle, more than 200 images, a name with a protocol ("nbd:...", "json:...").
 */
Image *image_open(const ImagePath *options, GError **error);

/* The path that a name in the image at path `image` stands for. New string; NULL: it has a protocol. */
char *image_relative(const char *image, const char *name, GError **error);

/* --- making ----------------------------------------------------------------------------------------------------- */

typedef enum Qcow2Preallocation {
    QCOW2_PREALLOCATE_OFF,
    QCOW2_PREALLOCATE_METADATA,  /* all tables; the file is sparse */
    QCOW2_PREALLOCATE_FALLOCATE, /* and the room is taken */
    QCOW2_PREALLOCATE_FULL,      /* and zeros are written */
} Qcow2Preallocation;

typedef struct Qcow2Create {
    uint64_t size;          /* of the disk, octets; rounded up to a sector */
    unsigned version;       /* 2, 3; 0: 3 */
    uint64_t cluster_size;  /* 512 to 2 MiB, a power of 2; 0: 64 KiB */
    unsigned refcount_bits; /* 1, 2, 4, ... 64; 0: 16 */
    bool lazy_refcounts, extended_l2, zstd;
    const char *backing, *backing_format; /* as stored; the file is not looked at */
    const char *data_file;                /* as stored: the name */
    bool data_file_raw;
    Qcow2Preallocation preallocation;
} Qcow2Create;

/* Writes a new image into the file, which stays the caller's and whose old contents are gone, and syncs it. data_file:
 * as `data_file` names it; NULL: there is none. */
bool qcow2_create(HostFile *file, HostFile *data_file, const Qcow2Create *options, GError **error);

/* Octets that such an image takes at least, and when all of the disk is written. */
bool qcow2_measure(const Qcow2Create *options, uint64_t *required, uint64_t *fully_allocated, GError **error);

/* --- snapshots -------------------------------------------------------------------------------------------------- */

typedef struct Qcow2Snapshot {
    char *id, *name;
    uint64_t l1_offset;
    uint32_t l1_size;             /* entries */
    uint32_t date_sec, date_nsec; /* since the Epoch */
    uint64_t vm_clock_ns;         /* how long the guest had run */
    uint64_t vm_state_size;       /* octets; 0: none */
    uint64_t disk_size;           /* octets */
    bool has_icount, has_uuid;
    uint64_t icount;
    uint8_t uuid[16], parent[16]; /* all zeros: none, a root */
    GBytes *extra;                /* all extra data as it was read; written back with what changed in it; NULL: none */
} Qcow2Snapshot;

/* In the order of the table. Borrowed, until the next change to snapshots. */
const Qcow2Snapshot *const *qcow2_snapshots(const Image *image, unsigned *count);

/* A name, else an id, else a UUID in text form: the first that is there. NULL: none; the message lists what there is.
 */
const Qcow2Snapshot *qcow2_snapshot_find(const Image *image, const char *which, GError **error);

/*
 * The tree that UUIDs and parents make; a snapshot whose parent is not there is a root. New arrays of Qcow2Snapshot,
 * borrowed, in the order of the table.
 */
GPtrArray *qcow2_snapshot_children(const Image *image, const Qcow2Snapshot *snapshot); /* NULL: the roots */
GPtrArray *qcow2_snapshot_path(const Image *image, const Qcow2Snapshot *snapshot);     /* from its root to itself */

/* The snapshot that the disk was last saved to or loaded from; 16 octets, all zeros: none. */
void qcow2_current_uuid(const Image *image, uint8_t uuid[16]);

typedef struct Qcow2SnapshotNew {
    const char *name;             /* not empty, at most 255 octets of printable UTF-8; must not be there */
    const char *id;               /* NULL: one more than the greatest number there is */
    const uint8_t *uuid;          /* 16 octets; NULL: a random one */
    const uint8_t *parent;        /* 16 octets; NULL: qcow2_current_uuid */
    int64_t date_ns;              /* since the Epoch */
    uint64_t vm_clock_ns, icount; /* icount: UINT64_MAX: none */
} Qcow2SnapshotNew;

/*
 * In two steps: what the disk is now is frozen, unseen; the guest may go on writing, and the VM state is written; then
 * it is published. Either everything is there afterwards, even should the power go, or the image is as before but for
 * clusters that leak.
 */
typedef struct Qcow2Pending Qcow2Pending;
Qcow2Pending *qcow2_snapshot_prepare(Image *image, GError **error);
bool qcow2_pending_write(Qcow2Pending *pending, uint64_t offset, const void *data, size_t len, GError **error);
/* The same, asynchronously: a WRITE at request->offset of the VM state; it ends like the image's own requests. */
void qcow2_pending_submit(Qcow2Pending *pending, ImageRequest *request);
/* Both end the Pending, publish also when it fails. vm_state_size: what of the VM state counts. */
bool qcow2_snapshot_publish(Qcow2Pending *pending, const Qcow2SnapshotNew *snapshot, uint64_t vm_state_size,
                            GError **error);
void qcow2_snapshot_abandon(Qcow2Pending *pending);

/* The disk becomes again what it was when the Pending was prepared, which it still is afterwards. */
bool qcow2_pending_goto(Qcow2Pending *pending, GError **error);

/*
 * The same for a disk that is not this image's, of which nothing is there at first: a snapshot that comes from
 * elsewhere. It is published without becoming the one that the disk comes from. Everything is written, in whole
 * clusters: data NULL: zeros.
 */
Qcow2Pending *qcow2_snapshot_prepare_other(Image *image, uint64_t disk_size, GError **error);
bool qcow2_pending_write_disk(Qcow2Pending *pending, uint64_t offset, const void *data, uint64_t len, GError **error);

/* Both steps at once, without VM state. */
bool qcow2_snapshot_create(Image *image, const Qcow2SnapshotNew *snapshot, GError **error);

/* The disk becomes what it was then, its length too. */
bool qcow2_snapshot_goto(Image *image, const Qcow2Snapshot *snapshot, GError **error);

typedef enum Qcow2Orphans {
    QCOW2_ORPHANS_REFUSE,   /* a snapshot with children is not deleted */
    QCOW2_ORPHANS_REPARENT, /* its children become its parent's */
} Qcow2Orphans;
bool qcow2_snapshot_delete(Image *image, const Qcow2Snapshot *snapshot, Qcow2Orphans orphans, GError **error);

/*
 * Gives it another name. By the same step the one that it replaces is deleted, which may have had that name, and whose
 * children become its parent's; NULL: none.
 */
bool qcow2_snapshot_rename(Image *image, const Qcow2Snapshot *snapshot, const char *name, const Qcow2Snapshot *replaces,
                           GError **error);

/* Octets `offset` and on of a snapshot's VM state. */
bool qcow2_vm_state_read(Image *image, const Qcow2Snapshot *snapshot, uint64_t offset, void *data, size_t len,
                         GError **error);

/* The same, from its start, as a channel that can seek (visitors/chan.h). Takes the image. */
struct Chan;
struct Chan *qcow2_vm_state_chan(Image *image, const Qcow2Snapshot *snapshot);

/* The disk as it was then, read-only; the image stays open longer than it, and the snapshot is not deleted meanwhile.
 */
Image *qcow2_snapshot_image(Image *image, const Qcow2Snapshot *snapshot, GError **error);

/* --- check ------------------------------------------------------------------------------------------------------ */

typedef enum Qcow2Repair {
    QCOW2_REPAIR_LEAKS = 1 << 0,
    QCOW2_REPAIR_ALL = 1 << 1,
} Qcow2Repair;

typedef struct Qcow2Check {
    uint64_t corruptions, leaks;                          /* that are there now */
    uint64_t corruptions_fixed, leaks_fixed;              /* that were */
    uint64_t check_errors;                                /* what could not be looked at */
    uint64_t image_end;                                   /* octets: behind the last cluster in use */
    uint64_t clusters, allocated, fragmented, compressed; /* of the disk */
    void (*found)(void *opaque, const char *message);     /* each corruption and leak, by offset; may be NULL */
    bool (*progress)(void *opaque, double fraction);      /* may be NULL; false: stop */
    void *opaque;
} Qcow2Check;

/* repair: a set of Qcow2Repair. False: it could not be done at all; what is wrong with the image is in the result. */
bool qcow2_check(Image *image, unsigned repair, Qcow2Check *result, GError **error);

/* --- bitmaps ---------------------------------------------------------------------------------------------------- */

typedef struct Qcow2Bitmap {
    char *name;
    uint32_t granularity_bits, flags; /* as the specification has them */
    uint64_t table_offset;
    uint32_t table_size;
} Qcow2Bitmap;

/* New array of Qcow2Bitmap, which frees its elements; empty: there are none. */
GPtrArray *qcow2_bitmaps(Image *image, GError **error);

#endif
