/* chan-digest.c: computes XXH3-128 over the octets that pass through. */
#include "visitors/chan.h"
#include "visitors/xxh3.h"

typedef struct ChanDigest {
    Chan chan;
    Chan *inner;
    XXH3_state_t *state;
    uint64_t length;
} ChanDigest;

static gssize digest_read(Chan *chan, void *data, size_t len, GError **error)
{
    ChanDigest *c = (ChanDigest *)chan;
    gssize n = c->inner->ops->read(c->inner, data, len, error);

    if (n > 0) {
        XXH3_128bits_update(c->state, data, (size_t)n);
        c->length += (uint64_t)n;
    }
    return n;
}

static bool digest_write(Chan *chan, struct iovec *iov, int count, GError **error)
{
    ChanDigest *c = (ChanDigest *)chan;

    for (int i = 0; i < count; i++) {
        XXH3_128bits_update(c->state, iov[i].iov_base, iov[i].iov_len);
        c->length += iov[i].iov_len;
    }
    return c->inner->ops->write(c->inner, iov, count, error);
}

static int64_t digest_size(Chan *chan)
{
    return chan_size(((ChanDigest *)chan)->inner);
}

static bool digest_finish(Chan *chan, GError **error)
{
    Chan *inner = ((ChanDigest *)chan)->inner;

    return inner->ops->finish ? inner->ops->finish(inner, error) : true;
}

static void digest_free(Chan *chan)
{
    ChanDigest *c = (ChanDigest *)chan;

    chan_free(c->inner);
    XXH3_freeState(c->state);
    g_free(c);
}

static const ChanOps digest_ops = {
    .read = digest_read,
    .write = digest_write,
    .size = digest_size,
    .finish = digest_finish,
    .free = digest_free,
};

Chan *chan_digest_new(Chan *inner)
{
    ChanDigest *c = g_new0(ChanDigest, 1);

    c->chan.ops = &digest_ops;
    c->inner = inner;
    c->state = XXH3_createState();
    XXH3_128bits_reset(c->state);
    return &c->chan;
}

void chan_digest_value(const Chan *chan, uint8_t digest[16])
{
    XXH128_canonical_t canonical;

    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(((const ChanDigest *)chan)->state));
    memcpy(digest, canonical.digest, 16);
}

uint64_t chan_digest_length(const Chan *chan)
{
    return ((const ChanDigest *)chan)->length;
}
