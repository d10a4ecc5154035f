/*
 * chan.h: byte channels that can fail, and the buffers that make them pleasant.
 *
 * A Chan is a source or sink of octets: a file descriptor, memory, a decompressor over another channel. ChanIn and
 * ChanOut put a buffer before one; their errors stick, so that callers check once, where it matters.
 */
#ifndef VISITORS_CHAN_H
#define VISITORS_CHAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "visitors/bytes.h"
#include "visitors/error.h"

typedef struct Chan Chan;

/* What a kind of channel does. Entries that make no sense for a kind are NULL. */
typedef struct ChanOps {
    /* Reads at most len octets; returns how many, 0 at the end, -1 with an error. */
    gssize (*read)(Chan *chan, void *data, size_t len, GError **error);
    /* Writes all of it, or fails. May change iov. */
    bool (*write)(Chan *chan, struct iovec *iov, int count, GError **error);
    /* Moves the position of the next read. */
    bool (*seek)(Chan *chan, uint64_t pos, GError **error);
    /* Octets in all, or -1 if that is not known. */
    int64_t (*size)(Chan *chan);
    /* The last write was done: flushes what is held back. */
    bool (*finish)(Chan *chan, GError **error);
    /* Ends both directions: whoever waits in read or write, on any thread, finds the end, or fails. */
    void (*shutdown)(Chan *chan);
    /* From now on a read fails that finds nothing for so long. */
    void (*set_patience)(Chan *chan, int ms);
    void (*free)(Chan *chan);
} ChanOps;

struct Chan {
    const ChanOps *ops;
};

void chan_free(Chan *chan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Chan, chan_free)

static inline bool chan_can_seek(const Chan *chan)
{
    return chan->ops->seek != NULL;
}

/* Octets in all, or -1 if that is not known. */
int64_t chan_size(Chan *chan);

/* Moves the position of the next read; the channel must be able to. */
bool chan_seek(Chan *chan, uint64_t pos, GError **error);

/* Can the other side be answered? */
static inline bool chan_is_two_way(const Chan *chan)
{
    return chan->ops->read && chan->ops->write;
}

/* Ends both directions, from any thread, if the channel can; it is still to be freed. */
void chan_shutdown(Chan *chan);

/* From now on a read fails that finds nothing for so long, if the channel can. */
void chan_set_patience(Chan *chan, int ms);

/* Writes all of it, or fails. */
bool chan_write(Chan *chan, const void *data, size_t len, GError **error);

/* Reads until len octets are there or the input ends; returns how many, -1 with an error. */
gssize chan_read_full(Chan *chan, void *data, size_t len, GError **error);

/* --- kinds ------------------------------------------------------------------------------------------------------ */

/* A file descriptor, which is taken and closed. A regular file can seek. */
Chan *chan_fd_new(int fd);

/*
 * The same, to write to; a write that has to wait fails as soon as `stop`, a descriptor of the caller's, can be read.
 * At the end a socket's other side is told that there is no more, and asked whether it has read all: if it has gone
 * before, that is an error.
 */
Chan *chan_fd_new_until(int fd, int stop);

/* Opens a file for reading. */
Chan *chan_file_open(const char *path, GError **error);

/*
 * Copies what is left of `in` (taken, and standing at offset `start`) to an unnamed file in the directory for temporary
 * files, to the same offsets, and returns that, positioned at `start`. For input that must be read more than once but
 * cannot seek. tick, if not NULL, is called with the number of octets copied so far.
 */
Chan *chan_spool(Chan *in, uint64_t start, void (*tick)(uint64_t done, void *data), void *data, GError **error);

/* Memory to read from; borrowed. It can seek. */
Chan *chan_mem_new(const void *data, size_t len);

/* Memory to write to: appends to `out`, borrowed. */
Chan *chan_buf_new(ByteOut *out);

/* Reads `len` octets that were taken from `inner` too early (copied) once more, and then what it still has (taken). */
Chan *chan_unread_new(Chan *inner, const void *data, size_t len);

/* What the channel unpacks. */
typedef enum PackFormat { PACK_NONE, PACK_GZIP, PACK_BZIP2, PACK_XZ, PACK_ZSTD } PackFormat;

/* Which of them the first octets of a file announce; 6 octets are enough to tell. */
PackFormat chan_pack_format(const uint8_t *start, size_t len);

/* Reads what `in` (taken) holds in packed form. Decoder memory is bounded, see vmstate/FORMAT.md section 4. */
Chan *chan_unpack_new(Chan *in, PackFormat format);

/* Passes reads or writes on to `inner` (taken) and computes XXH3-128 over the octets that pass. */
Chan *chan_digest_new(Chan *inner);
void chan_digest_value(const Chan *chan, uint8_t digest[16]);
uint64_t chan_digest_length(const Chan *chan);

/* --- reading through a buffer ----------------------------------------------------------------------------------- */

typedef struct ChanIn ChanIn;

/* Reads from `chan`, taken; its first octet counts as offset `start`. */
ChanIn *chan_in_new(Chan *chan, uint64_t start);

/* Reads memory without copying it; borrowed. */
ChanIn *chan_in_new_memory(const void *data, size_t len, uint64_t start);

void chan_in_free(ChanIn *in);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ChanIn, chan_in_free)

/* The next n octets without consuming them, or NULL if there are fewer (or reading failed). Lives until the next call.
 */
const uint8_t *chan_in_need(ChanIn *in, size_t n);

/* As many of the next n octets as there are: sets *got and returns them. */
const uint8_t *chan_in_peek(ChanIn *in, size_t n, size_t *got);

/* chan_in_need, and consume them. */
const uint8_t *chan_in_take(ChanIn *in, size_t n);

/* Consumes n octets unseen; false if there are fewer. */
bool chan_in_skip(ChanIn *in, uint64_t n);

/* Numbers; 0 if there are too few octets, which chan_in_failed tells. */
uint8_t chan_in_u8(ChanIn *in);
uint16_t chan_in_be16(ChanIn *in);
uint32_t chan_in_be32(ChanIn *in);
uint64_t chan_in_be64(ChanIn *in);

/* Offset of the next octet. */
uint64_t chan_in_tell(const ChanIn *in);

/* From here on octets are kept, so that chan_in_at and chan_in_rewind reach them. Pins do not nest. */
void chan_in_pin(ChanIn *in);
void chan_in_pin_at(ChanIn *in, uint64_t offset); /* an octet that is still there */
void chan_in_unpin(ChanIn *in);
const uint8_t *chan_in_at(ChanIn *in, uint64_t offset);
void chan_in_rewind(ChanIn *in, uint64_t offset);

/* Did a read go past the end, or fail? chan_in_error makes the error of it; what was wanted,
 * and where it is, the caller says. */
bool chan_in_failed(const ChanIn *in);
void chan_in_error(ChanIn *in, GError **error, const char *wanted, ...) G_GNUC_PRINTF(3, 4);

/* Is nothing left? (Reads on to find out.) */
bool chan_in_at_end(ChanIn *in);

/* Forgets that a read went past the end; what is left can then be read. */
void chan_in_clear_cut(ChanIn *in);

/* --- writing through a buffer ----------------------------------------------------------------------------------- */

typedef struct ChanOut ChanOut;

/* Writes to `chan`, taken. */
ChanOut *chan_out_new(Chan *chan);
void chan_out_free(ChanOut *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ChanOut, chan_out_free)

void chan_out_put(ChanOut *out, const void *data, size_t len);
/* As chan_out_put for each, without copying long ones. */
void chan_out_putv(ChanOut *out, const struct iovec *iov, int count);
uint64_t chan_out_tell(const ChanOut *out);

/* Has all gone well so far? */
bool chan_out_check(const ChanOut *out, GError **error);

/* The channel behind, with nothing held back. */
Chan *chan_out_flush(ChanOut *out);

/* Writes what is held back and finishes the channel; false with the first error there was. */
bool chan_out_finish(ChanOut *out, GError **error);

#endif
