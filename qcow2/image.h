/*
 * image.h: a disk image, whatever its format: what the emulator's disks, the tools and backing files have in common.
 *
 * Requests end some time later, in any order; `done` is called from image_poll, never from within image_submit.
 * Everything happens on one thread. A request sees what others have written that ended before it was submitted; of two
 * that overlap and are under way together, either may win, sector by sector. A flush covers what ended before it was
 * submitted.
 */
#ifndef QCOW2_IMAGE_H
#define QCOW2_IMAGE_H

#include "qcow2/host-file.h"

typedef struct Image Image;
typedef struct ImageRequest ImageRequest;

typedef enum ImageOp {
    IMAGE_READ, /* beyond the end: zeros */
    IMAGE_WRITE,
    IMAGE_FLUSH,
    IMAGE_DISCARD, /* what is read there afterwards is what was there, or zeros: never what a backing file has */
    IMAGE_ZERO,
} ImageOp;

enum {
    IMAGE_FUA = 1 << 0,           /* of WRITE and ZERO: on stable storage when it ends */
    IMAGE_UNMAP = 1 << 1,         /* of ZERO: the room may be given back */
    IMAGE_COMPRESSED = 1 << 2,    /* of WRITE: one whole cluster, never written before; EINVAL otherwise */
    IMAGE_PRECOMPRESSED = 1 << 3, /* and the memory has what qcow2_compress made of the cluster at `offset` */
};

/* Stays with the caller until `done`. Fill the first part; the rest belongs to the image. */
struct ImageRequest {
    ImageOp op;
    unsigned flags;
    uint64_t offset, len; /* octets, any; of READ and WRITE: what the iov sums up to */
    const struct iovec *iov;
    int iov_count;
    void (*done)(ImageRequest *request, int error); /* 0, or an errno */

    Image *image;
    void *data;
    GList link;
};

typedef enum ImageKind {
    IMAGE_UNALLOCATED, /* nothing here; the backing file's, or zeros where there is none */
    IMAGE_DATA,
    IMAGE_ZEROS,
    IMAGE_COMPRESSED_DATA,
} ImageKind;

typedef struct ImageExtent {
    uint64_t offset, len; /* on the disk */
    ImageKind kind;
    bool has_host;     /* of DATA, and of ZEROS whose room is kept */
    uint64_t host;     /* offset in the file */
    uint64_t host_len; /* of COMPRESSED_DATA: octets in the file, at most */
} ImageExtent;

typedef struct ImageOps {
    void (*submit)(Image *image, ImageRequest *request);
    void (*poll)(Image *image, bool wait);
    /* The extent that starts at `offset`, at most `len` long. Waits. */
    bool (*map)(Image *image, uint64_t offset, uint64_t len, ImageExtent *extent, GError **error);
    bool (*resize)(Image *image, uint64_t length, GError **error);
    bool (*set_active)(Image *image, bool active, GError **error); /* nothing is under way */
    void (*close)(Image *image); /* nothing is under way. What could not be written is lost: flush first to know */
} ImageOps;

struct Image {
    const ImageOps *ops;
    const char *format; /* "raw", "qcow2" */
    HostFile *file;     /* owned */
    uint64_t length;    /* octets */
    bool read_only;
    Image *backing;     /* owned; NULL: none */
    GQueue ended;       /* of ImageRequest: `done` is to be called by the next poll */
    unsigned in_flight; /* requests whose `done` was not yet called */
};

/* Takes the file, also when it fails. A raw image: the file, octet by octet. */
Image *image_raw_new(HostFile *file);

/* What the file starts with: "qcow2", another format's name that is known (not opened here), or "raw". For people, who
 * are told; never for a disk that a guest has written, which says what the guest likes. NULL: it cannot be read. */
const char *image_probe(HostFile *file, GError **error);

void image_submit(Image *image, ImageRequest *request);

/* Calls `done` of what has ended. wait: until at least one has, if any are under way. */
void image_poll(Image *image, bool wait);

/* Until nothing is under way. */
void image_drain(Image *image);

void image_close(Image *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Image, image_close)

/* These wait. Messages name the path, the offset on the disk and the cause. */
bool image_read(Image *image, uint64_t offset, void *data, size_t len, GError **error);
bool image_write(Image *image, uint64_t offset, const void *data, size_t len, unsigned flags, GError **error);
bool image_zero(Image *image, uint64_t offset, uint64_t len, unsigned flags, GError **error);
bool image_discard(Image *image, uint64_t offset, uint64_t len, GError **error);
bool image_flush(Image *image, GError **error);
bool image_map(Image *image, uint64_t offset, uint64_t len, ImageExtent *extent, GError **error);
bool image_resize(Image *image, uint64_t length, GError **error);
bool image_set_active(Image *image, bool active, GError **error);

/* --- for kinds of images ---------------------------------------------------------------------------------------- */

/* The request ends at the next poll. */
void image_end(Image *image, ImageRequest *request, int error);

#endif
