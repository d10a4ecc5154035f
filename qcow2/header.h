/*
 * header.h: the header of a qcow2 image and its extensions, as octets and as a struct.
 *
 * Source: the qcow2 specification (QEMU's docs/interop/qcow2.txt), "Header", "Header extensions". FORMAT.md says what
 * we add.
 */
#ifndef QCOW2_HEADER_H
#define QCOW2_HEADER_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "qcow2/host-file.h"

#define QCOW2_MAGIC              0x514649fbu
#define QCOW2_HEADER_LENGTH      112u /* of those that we make, version 3: up to and with the compression type */
#define QCOW2_CLUSTER_MAX        (2u << 20)
#define QCOW2_L1_MAX             (32u << 20) /* octets, as QEMU */
#define QCOW2_REFTABLE_MAX       (8u << 20)  /* octets, as QEMU */
#define QCOW2_NAME_MAX           1023u       /* of a backing or data file */
#define QCOW2_SNAPSHOTS_MAX      65536u
#define QCOW2_SNAPSHOT_TABLE_MAX (64u << 20) /* octets */
#define QCOW2_BITMAPS_MAX        65535u

enum { /* incompatible features */
       QCOW2_DIRTY = 1 << 0,
       QCOW2_CORRUPT = 1 << 1,
       QCOW2_DATA_FILE = 1 << 2,
       QCOW2_COMPRESSION = 1 << 3,
       QCOW2_EXTENDED_L2 = 1 << 4,
       QCOW2_INCOMPATIBLE_KNOWN = (1 << 5) - 1,
};
enum { QCOW2_LAZY_REFCOUNTS = 1 << 0 };                        /* compatible features */
enum { QCOW2_BITMAPS = 1 << 0, QCOW2_DATA_FILE_RAW = 1 << 1 }; /* autoclear features */
enum { QCOW2_COMPRESSION_ZLIB, QCOW2_COMPRESSION_ZSTD };

typedef enum Qcow2ExtensionType {
    QCOW2_EXT_END = 0,
    QCOW2_EXT_BACKING_FORMAT = 0xe2792aca,
    QCOW2_EXT_FEATURE_NAMES = 0x6803f857,
    QCOW2_EXT_BITMAPS = 0x23852875,
    QCOW2_EXT_ENCRYPTION = 0x0537be77,
    QCOW2_EXT_DATA_FILE = 0x44415441,
    QCOW2_EXT_PAD = 0x46525250,     /* "FRRP": nothing; it covers what is being moved: FORMAT.md */
    QCOW2_EXT_CURRENT = 0x46525259, /* "FRRY": the UUID of the snapshot that the disk comes from: FORMAT.md */
} Qcow2ExtensionType;

typedef struct Qcow2Extension {
    uint32_t type;
    GBytes *data; /* as it was, unknown or not */
} Qcow2Extension;

typedef struct Qcow2Header {
    uint32_t version; /* 2, 3 */
    uint32_t cluster_bits;
    uint64_t size;
    uint32_t crypt_method;
    uint32_t l1_size; /* entries */
    uint64_t l1_offset;
    uint64_t reftable_offset;
    uint32_t reftable_clusters;
    uint32_t snapshot_count;
    uint64_t snapshots_offset;
    uint64_t incompatible, compatible, autoclear;
    uint32_t refcount_order;
    uint32_t header_length;
    uint8_t compression;
    GBytes *more;       /* what the header has behind the fields we know, up to header_length; NULL: nothing */
    char *backing;      /* name as stored; NULL: none */
    GArray *extensions; /* of Qcow2Extension, in their order, without the end mark */
} Qcow2Header;

/*
 * Reads and judges the header: magic, version, every number against what the format allows and against the file's
 * length, features nobody here knows (named from the image's own table), encryption (refused). Zeroed first; clear it
 * also after a failure. Messages: "PATH: header offset 20: cluster_bits is 30, at most 21".
 */
bool qcow2_header_read(HostFile *file, Qcow2Header *header, GError **error);

/* The same for a check, which can make a refcount table anew and leave out snapshots: there may be too many of these,
 * and the table may be anywhere. */
bool qcow2_header_read_to_check(HostFile *file, Qcow2Header *header, GError **error);

/* Is there a refcount table, where one can be? */
bool qcow2_header_judge_reftable(HostFile *file, const Qcow2Header *header, GError **error);

/*
 * The octets of the header, its extensions and the backing file's name, padded to whole sectors. NULL: they do not fit
 * into a cluster.
 */
GByteArray *qcow2_header_octets(const Qcow2Header *header, GError **error);

void qcow2_header_clear(Qcow2Header *header);

/* NULL: there is none. Borrowed. */
GBytes *qcow2_header_extension(const Qcow2Header *header, uint32_t type);

/* Replaces or adds one; data NULL: removes it. Takes the data. */
void qcow2_header_set_extension(Qcow2Header *header, uint32_t type, GBytes *data);

/* The name of a feature: of ours or from the image's table, otherwise its number. kind: 0 incompatible, 1 compatible,
 * 2 autoclear. New string. */
char *qcow2_header_feature(const Qcow2Header *header, unsigned kind, unsigned bit);

/* The table of the names of all features known here, as an extension has it. New. */
GBytes *qcow2_header_feature_names(void);

static inline uint32_t qcow2_cluster_size(const Qcow2Header *h)
{
    return 1u << h->cluster_bits;
}

/* Entries of an L2 table, as a power of 2. */
static inline unsigned qcow2_l2_bits(const Qcow2Header *h)
{
    return h->cluster_bits - (h->incompatible & QCOW2_EXTENDED_L2 ? 4 : 3);
}

/* L1 entries that the disk itself needs; the VM state comes behind them. */
static inline uint64_t qcow2_l1_needed(const Qcow2Header *h, uint64_t size)
{
    unsigned bits = h->cluster_bits + qcow2_l2_bits(h);
    return (size >> bits) + ((size & ((UINT64_C(1) << bits) - 1)) != 0);
}

/* Where the VM state begins, in the address space of the disk. */
static inline uint64_t qcow2_vm_state_offset(const Qcow2Header *h, uint64_t size)
{
    return qcow2_l1_needed(h, size) << (h->cluster_bits + qcow2_l2_bits(h));
}

#endif
