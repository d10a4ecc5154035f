/* multifd-save.c: multifd channels that leave, a thread each. Source: vmstate/FORMAT.md section 1.5, recordings g05 to
 * g07. */
#include "vmstate/multifd-save.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

typedef enum Work { WORK_NONE, WORK_GREETING, WORK_PAGES, WORK_SYNC, WORK_END } Work;

typedef struct Channel {
    MultifdSave *save;
    Chan *chan;
    GThread *thread;
    uint8_t id;
    Work work; /* with the lock: what it is at, or is to do next */
    MultifdPages pages;
    uint64_t number; /* of the packet */

    uint8_t *packed; /* NULL: nothing is packed */
    z_stream zlib;
    bool zlib_started;
    ZSTD_CCtx *zstd;
} Channel;

struct MultifdSave {
    MultifdSaveOptions options;
    uint8_t uuid[16];
    GMutex lock;
    GCond changed;
    Channel *channels;
    unsigned count, next; /* where the search for one that is idle begins */
    uint64_t packets, octets;
    bool stopping;
    GError *error; /* the first */
};

/* --- packing ---------------------------------------------------------------------------------------------------- */

static bool start_packing(Channel *c, GError **error)
{
    const MultifdSaveOptions *o = &c->save->options;

    if (o->method == MULTIFD_NONE || c->packed)
        return true;
    c->packed = g_malloc(MULTIFD_DATA_MAX);
    if (o->method == MULTIFD_ZLIB)
        c->zlib_started = deflateInit(&c->zlib, o->level) == Z_OK;
    else
        c->zstd = ZSTD_createCCtx();
    if (c->zlib_started ||
        (c->zstd && !ZSTD_isError(ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, o->level))))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s does not start with level %d",
                multifd_method_name(o->method), o->level);
    return false;
}

/* The guest may write to the page meanwhile, which zlib does not bear. */
static gssize pack_zlib(Channel *c, const MultifdPages *p)
{
    uint8_t page[RAM_PAGE];
    z_stream *z = &c->zlib;

    z->next_out = c->packed;
    z->avail_out = MULTIFD_DATA_MAX;
    for (uint32_t i = 0; i < p->count; i++) {
        memcpy(page, p->host + p->offsets[i], sizeof page);
        z->next_in = page;
        z->avail_in = sizeof page;
        if (deflate(z, i + 1 == p->count ? Z_SYNC_FLUSH : Z_NO_FLUSH) != Z_OK || z->avail_in || !z->avail_out)
            return -1;
    }
    return MULTIFD_DATA_MAX - z->avail_out;
}

/* Copies what it is given before it looks at it twice. */
static gssize pack_zstd(Channel *c, const MultifdPages *p)
{
    ZSTD_outBuffer out = {.dst = c->packed, .size = MULTIFD_DATA_MAX};

    for (uint32_t i = 0; i < p->count; i++) {
        ZSTD_inBuffer in = {.src = p->host + p->offsets[i], .size = RAM_PAGE};
        bool last = i + 1 == p->count;
        size_t left;
        do {
            left = ZSTD_compressStream2(c->zstd, &out, &in, last ? ZSTD_e_flush : ZSTD_e_continue);
        } while (!ZSTD_isError(left) && out.pos < out.size && (in.pos < in.size || (last && left)));
        if (ZSTD_isError(left) || in.pos < in.size || (last && left))
            return -1;
    }
    return (gssize)out.pos;
}

/* --- packets ---------------------------------------------------------------------------------------------------- */

static bool send_octets(Channel *c, struct iovec *iov, int count, GError **error)
{
    uint64_t octets = 0;

    for (int i = 0; i < count; i++)
        octets += iov[i].iov_len;
    if (!c->chan->ops->write(c->chan, iov, count, error))
        return false;
    __atomic_fetch_add(&c->save->octets, octets, __ATOMIC_RELAXED);
    return true;
}

static bool send_greeting(Channel *c, GError **error)
{
    uint8_t octets[STREAM_GREETING];
    StreamGreeting g = {.version = 1, .channel = c->id};
    struct iovec iov = {.iov_base = octets, .iov_len = sizeof octets};

    memcpy(g.uuid, c->save->uuid, sizeof g.uuid);
    multifd_greeting_write(&g, octets);
    return send_octets(c, &iov, 1, error);
}

/* The pages from where they are, those that follow each other together; how many pieces. */
static int gather(const MultifdPages *p, struct iovec *iov)
{
    int count = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        if (i && p->offsets[i] == p->offsets[i - 1] + RAM_PAGE)
            iov[count - 1].iov_len += RAM_PAGE;
        else
            iov[count++] = (struct iovec){.iov_base = (uint8_t *)p->host + p->offsets[i], .iov_len = RAM_PAGE};
    }
    return count;
}

static bool send_packet(Channel *c, StreamPacket *p, struct iovec *iov, int count, GError **error)
{
    uint8_t header[STREAM_PACKET_HEADER];

    p->allocated = STREAM_PACKET_PAGES;
    p->number = c->number;
    stream_packet_header(p, header);
    iov[0] = (struct iovec){.iov_base = header, .iov_len = sizeof header};
    return send_octets(c, iov, count + 1, error);
}

static bool send_pages(Channel *c, GError **error)
{
    static const uint32_t flags[] = {
        [MULTIFD_NONE] = 0, [MULTIFD_ZLIB] = STREAM_PACKET_ZLIB, [MULTIFD_ZSTD] = STREAM_PACKET_ZSTD};
    MultifdMethod method = c->save->options.method;
    struct iovec iov[STREAM_PACKET_PAGES + 1];
    StreamPacket p = {.flags = flags[method], .block = c->pages.block, .count = c->pages.count};

    memcpy(p.offsets, c->pages.offsets, p.count * sizeof *p.offsets);
    if (method == MULTIFD_NONE) {
        p.len = (size_t)p.count * RAM_PAGE;
        return send_packet(c, &p, iov, gather(&c->pages, iov + 1), error);
    }
    gssize len = !start_packing(c, error) ? -1
                 : method == MULTIFD_ZLIB ? pack_zlib(c, &c->pages)
                                          : pack_zstd(c, &c->pages);
    if (len < 0) {
        if (error && !*error)
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s fails on pages of \"%s\"",
                        multifd_method_name(method), p.block);
        return false;
    }
    p.len = (size_t)len;
    iov[1] = (struct iovec){.iov_base = c->packed, .iov_len = p.len};
    return send_packet(c, &p, iov, 1, error);
}

static bool send_sync(Channel *c, GError **error)
{
    StreamPacket p = {.flags = STREAM_PACKET_SYNC, .block = ""};
    struct iovec iov;

    return send_packet(c, &p, &iov, 0, error);
}

/* --- threads ---------------------------------------------------------------------------------------------------- */

static bool do_work(Channel *c, GError **error)
{
    switch (c->work) {
    case WORK_GREETING:
        return send_greeting(c, error);
    case WORK_PAGES:
        return send_pages(c, error);
    case WORK_SYNC:
        return send_sync(c, error);
    default:
        return !c->chan->ops->finish || c->chan->ops->finish(c->chan, error);
    }
}

/* Takes the error. */
static void fail(Channel *c, GError *error)
{
    MultifdSave *s = c->save;

    g_prefix_error(&error, "multifd channel %u: ", c->id);
    g_mutex_lock(&s->lock);
    bool first = !s->error && !s->stopping;
    if (first)
        s->error = g_steal_pointer(&error);
    g_cond_broadcast(&s->changed);
    g_mutex_unlock(&s->lock);
    g_clear_error(&error);
    if (first && s->options.failed)
        s->options.failed(s->options.opaque);
}

static void *write_channel(void *opaque)
{
    Channel *c = opaque;
    MultifdSave *s = c->save;
    GError *error = NULL;
    bool more = true;

    while (more) {
        g_mutex_lock(&s->lock);
        while (c->work == WORK_NONE && !s->stopping && !s->error)
            g_cond_wait(&s->changed, &s->lock);
        more = !s->stopping && !s->error;
        g_mutex_unlock(&s->lock);
        if (!more)
            break;
        more = c->work != WORK_END;
        if (!do_work(c, &error)) {
            fail(c, error);
            break;
        }
        g_mutex_lock(&s->lock);
        c->work = WORK_NONE;
        g_cond_broadcast(&s->changed);
        g_mutex_unlock(&s->lock);
    }
    return NULL;
}

/* With the lock: waits until it has nothing to do; false: something has failed. */
static bool wait_until_idle(MultifdSave *s, const Channel *c, GError **error)
{
    while (c->work != WORK_NONE && !s->error)
        g_cond_wait(&s->changed, &s->lock);
    if (s->error && error)
        *error = g_error_copy(s->error);
    return !s->error;
}

static bool give_to_all(MultifdSave *s, Work work, GError **error)
{
    bool ok = true;

    g_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->count && ok; i++) {
        Channel *c = &s->channels[i];
        ok = wait_until_idle(s, c, error);
        c->work = ok ? work : c->work;
        c->number = s->packets;
        g_cond_broadcast(&s->changed);
    }
    for (unsigned i = 0; i < s->count && ok; i++)
        ok = wait_until_idle(s, &s->channels[i], error);
    s->packets++;
    g_mutex_unlock(&s->lock);
    return ok;
}

/* With the lock. */
static Channel *find_idle(MultifdSave *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        Channel *c = &s->channels[(s->next + i) % s->count];
        if (c->work == WORK_NONE)
            return c;
    }
    return NULL;
}

bool multifd_save_pages(MultifdSave *s, const MultifdPages *pages, GError **error)
{
    Channel *c;

    g_mutex_lock(&s->lock);
    while (!(c = find_idle(s)) && !s->error)
        g_cond_wait(&s->changed, &s->lock);
    bool ok = !s->error;
    if (ok) {
        c->pages = *pages;
        c->number = s->packets++;
        c->work = WORK_PAGES;
        s->next = (c->id + 1u) % s->count;
        g_cond_broadcast(&s->changed);
    } else if (error) {
        *error = g_error_copy(s->error);
    }
    g_mutex_unlock(&s->lock);
    return ok;
}

bool multifd_save_sync(MultifdSave *s, GError **error)
{
    return give_to_all(s, WORK_SYNC, error);
}

bool multifd_save_finish(MultifdSave *s, GError **error)
{
    return give_to_all(s, WORK_END, error);
}

uint64_t multifd_save_octets(MultifdSave *s)
{
    return __atomic_load_n(&s->octets, __ATOMIC_RELAXED);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

MultifdSave *multifd_save_new(Chan *const *channels, unsigned count, const MultifdSaveOptions *options)
{
    MultifdSave *s = g_new0(MultifdSave, 1);

    s->options = *options;
    if (options->uuid)
        memcpy(s->uuid, options->uuid, sizeof s->uuid);
    g_mutex_init(&s->lock);
    g_cond_init(&s->changed);
    s->channels = g_new0(Channel, count);
    s->count = count;
    for (unsigned i = 0; i < count; i++)
        s->channels[i] = (Channel){.save = s, .chan = channels[i], .id = (uint8_t)i, .work = WORK_GREETING};
    for (unsigned i = 0; i < count; i++)
        s->channels[i].thread = g_thread_new("multifd", write_channel, &s->channels[i]);
    return s;
}

void multifd_save_free(MultifdSave *s)
{
    if (!s)
        return;
    g_mutex_lock(&s->lock);
    s->stopping = true;
    g_cond_broadcast(&s->changed);
    g_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->count; i++) {
        Channel *c = &s->channels[i];
        chan_shutdown(c->chan);
        g_thread_join(c->thread);
        chan_free(c->chan);
        if (c->zlib_started)
            deflateEnd(&c->zlib);
        ZSTD_freeCCtx(c->zstd);
        g_free(c->packed);
    }
    g_free(s->channels);
    g_clear_error(&s->error);
    g_cond_clear(&s->changed);
    g_mutex_clear(&s->lock);
    g_free(s);
}
