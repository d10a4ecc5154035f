/*
 * host-file.h: what an image lies in: a file, a block device, or memory; the small interface under all of qcow2/.
 *
 * Requests end some time later, in any order; `done` is called from host_file_poll, never from within host_file_submit.
 * Everything happens on one thread. A write that has ended is seen by reads submitted afterwards; it is on stable
 * storage when a sync submitted afterwards has ended. A single sector of 512 octets is written whole or not at all,
 * should the power go; of anything longer, any part may be there.
 */
#ifndef QCOW2_HOST_FILE_H
#define QCOW2_HOST_FILE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "qcow2/engine.h"

#define HOST_SECTOR 512u /* what is written whole */

typedef enum HostOp {
    HOST_READ,  /* beyond the end: zeros */
    HOST_WRITE, /* beyond the end: the file becomes longer */
    HOST_SYNC,
    HOST_ZERO,  /* reads as zeros afterwards, the room stays taken where that can be had; may make the file longer */
    HOST_PUNCH, /* reads as zeros afterwards, and the room is given back where that can be had; never longer */
} HostOp;

typedef struct HostFile HostFile;
typedef struct HostIo HostIo;

/* Whose it is stays with the caller until `done`. Fill the first part; the rest belongs to the file. */
struct HostIo {
    HostOp op;
    uint64_t offset, len; /* of READ and WRITE: what the iov sums up to */
    struct iovec *iov;    /* of READ and WRITE; used up on the way */
    int iov_count;
    void (*done)(HostIo *io, int error); /* 0, or an errno */

    HostFile *file;
    int error;
    Transfer transfer;
    GList link;
};

typedef struct HostFileOps {
    void (*submit)(HostFile *file, HostIo *io);
    void (*poll)(HostFile *file, bool wait); /* wait: until something has ended; something is under way then */
    uint64_t (*length)(HostFile *file);
    bool (*truncate)(HostFile *file, uint64_t length, GError **error); /* nothing is under way */
    bool (*set_active)(HostFile *file, bool active, GError **error);   /* locks; may be NULL */
    /* Is there nothing at `offset`, so that it reads as zeros? How far is that so? NULL: there is something everywhere.
     */
    bool (*is_hole)(HostFile *file, uint64_t offset, uint64_t len, uint64_t *extent);
    void (*close)(HostFile *file);
} HostFileOps;

struct HostFile {
    const HostFileOps *ops;
    char *path; /* for messages, and what backing files' names are relative to; owned */
    bool read_only;
    bool fresh_is_zero; /* what lies beyond the end reads as zeros once the file is longer: no device */
    bool in_memory;     /* a request is a copy, done by who polls */
    unsigned in_flight;
};

/* --- kinds ------------------------------------------------------------------------------------------------------ */

typedef enum HostCache {
    HOST_CACHE_WRITEBACK,    /* the host caches; what is synced is on stable storage */
    HOST_CACHE_WRITETHROUGH, /* a write ends when it is on stable storage */
    HOST_CACHE_NONE,         /* the host does not cache (O_DIRECT) */
    HOST_CACHE_DIRECTSYNC,   /* both */
    HOST_CACHE_UNSAFE,       /* a sync does nothing */
} HostCache;

typedef enum HostEngine {
    HOST_ENGINE_AUTO, /* io_uring, or threads where the kernel has none or forbids it; on a tmpfs neither */
    HOST_ENGINE_URING,
    HOST_ENGINE_THREADS,
} HostEngine;

typedef struct HostFilePosix {
    const char *path;
    bool read_only;
    bool create;   /* a new file; one that exists is made empty, unless somebody uses it */
    bool shared;   /* no lock */
    bool inactive; /* no lock until host_file_set_active */
    bool resizes;  /* the lock says so: for all images that are not raw */
    bool events;   /* `event` is signalled when there is something to poll */
    int event;     /* a borrowed eventfd; several files may have the same */
    HostCache cache;
    HostEngine engine;
} HostFilePosix;

/* A regular file or a block device. Messages name the path. */
HostFile *host_file_open(const HostFilePosix *options, GError **error);

/* Memory, which starts with a copy of these octets. Never fails. The array is borrowed. */
HostFile *host_file_memory(const void *data, size_t len);
GByteArray *host_file_memory_data(HostFile *file);

/* --- use -------------------------------------------------------------------------------------------------------- */

void host_file_submit(HostFile *file, HostIo *io);

/* Calls `done` of what has ended. wait: until at least one has, if any are under way. */
void host_file_poll(HostFile *file, bool wait);

uint64_t host_file_length(HostFile *file);
bool host_file_truncate(HostFile *file, uint64_t length, GError **error);
bool host_file_set_active(HostFile *file, bool active, GError **error);

/* Is there nothing at `offset`, so that it reads as zeros? *extent: for how many of the `len` octets that is so. */
bool host_file_is_hole(HostFile *file, uint64_t offset, uint64_t len, uint64_t *extent);

/* Nothing is under way. */
void host_file_close(HostFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HostFile, host_file_close)

/*
 * These wait, and call `done` of others meanwhile. Messages: "PATH: offset 0x10000: 512 octets: cannot read: cause".
 */
bool host_file_read(HostFile *file, uint64_t offset, void *data, size_t len, GError **error);
bool host_file_write(HostFile *file, uint64_t offset, const void *data, size_t len, GError **error);
bool host_file_sync(HostFile *file, GError **error);
bool host_file_zero(HostFile *file, uint64_t offset, uint64_t len, GError **error);
bool host_file_punch(HostFile *file, uint64_t offset, uint64_t len, GError **error);

#endif
