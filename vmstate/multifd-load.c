/* multifd-load.c: multifd channels that come, a thread each. Source: vmstate/FORMAT.md section 1.5. */
#include "vmstate/multifd-load.h"

#include <string.h>

enum {
    PATIENCE_MS = 5000, /* for channels that were opened before what was just read */
    STRANGERS = 8,      /* connections more than there are to be, before nobody listens to more of them */
    DIRECT = 4,         /* runs of pages up to which each is read to its place, and not copied there */
};

typedef struct Channel {
    MultifdLoad *load;
    Chan *chan;
    GThread *thread;
    int id;         /* -1: it has not said */
    uint64_t syncs; /* that it has sent; with the lock */
    bool ended;     /* with the lock */

    uint64_t offset; /* of what is being read */
    MultifdUnpack *unpack;
    uint8_t *data;   /* of a packet; NULL: none was packed yet */
    char block[256]; /* that was looked up last, and its number */
    int block_number;
} Channel;

struct MultifdLoad {
    MultifdLoadOptions options;
    GMutex lock;
    GCond changed;
    GPtrArray *channels; /* of Channel, greeted or not */
    Channel *greeted[MULTIFD_CHANNELS_MAX];
    unsigned count;  /* that have greeted */
    uint64_t passes; /* that the main channel has been through */
    bool stopping;
    GError *error; /* the first */
};

/* --- failure ---------------------------------------------------------------------------------------------------- */

/* Takes the error, and ends everything with it if it is the first. */
static void fail(Channel *c, GError *error)
{
    MultifdLoad *l = c->load;

    g_mutex_lock(&l->lock);
    bool first = !l->error && !l->stopping;
    if (first)
        l->error = g_steal_pointer(&error);
    g_cond_broadcast(&l->changed);
    g_mutex_unlock(&l->lock);
    g_clear_error(&error);
    if (first && l->options.failed)
        l->options.failed(l->options.opaque);
}

static bool refuse(const Channel *c, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool refuse(const Channel *c, GError **error, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    if (c->id < 0)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "multifd: %s", text);
    else
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "multifd channel %d: %s", c->id, text);
    return false;
}

/* --- octets ----------------------------------------------------------------------------------------------------- */

/* All of them, or an error; *ended, if that may be: there are none at all. */
static bool read_octets(Channel *c, void *to, size_t len, bool *ended, GError **error)
{
    gssize got = chan_read_full(c->chan, to, len, error);

    if (got == 0 && ended) {
        *ended = true;
        return true;
    }
    if (got >= 0 && (size_t)got < len)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT,
                    "multifd packet @0x%" G_GINT64_MODIFIER "x: the input ends after %zd octets of %zu", c->offset, got,
                    len);
    return got >= 0 && (size_t)got == len;
}

/* --- the greeting ----------------------------------------------------------------------------------------------- */

static bool check_greeting(Channel *c, const StreamGreeting *g, GError **error)
{
    const MultifdLoadOptions *o = &c->load->options;

    if (o->channels == 0)
        return refuse(c, error, "the source has it on and opens channels; the capability multifd is off here");
    if (g->channel >= o->channels)
        return refuse(c, error, "the source has at least %u channels, multifd-channels is %u here", g->channel + 1u,
                      o->channels);
    if (o->uuid && memcmp(o->uuid, g->uuid, sizeof g->uuid) != 0)
        return refuse(c, error, "channel %u is of a machine with another UUID", g->channel);
    return true;
}

/* The thread's, until it has a number nobody else sees it. */
static bool enter(Channel *c, unsigned id, GError **error)
{
    MultifdLoad *l = c->load;

    g_mutex_lock(&l->lock);
    bool free = !l->greeted[id];
    if (free) {
        c->id = (int)id;
        l->greeted[id] = c;
        l->count++;
        g_cond_broadcast(&l->changed);
    }
    g_mutex_unlock(&l->lock);
    return free || refuse(c, error, "two connections say that they are channel %u", id);
}

/* *ended: it has said nothing at all, and does not count. */
static bool read_greeting(Channel *c, bool *ended, GError **error)
{
    uint8_t octets[STREAM_GREETING];
    StreamGreeting g;

    if (!read_octets(c, octets, MULTIFD_MAGIC_OCTETS, ended, error) || *ended)
        return *ended;
    if (!multifd_check_magic(octets, "multifd greeting", 0, error) ||
        !read_octets(c, octets + MULTIFD_MAGIC_OCTETS, sizeof octets - MULTIFD_MAGIC_OCTETS, NULL, error))
        return false;
    multifd_greeting_parse(octets, &g);
    c->offset = sizeof octets;
    return check_greeting(c, &g, error) && enter(c, g.channel, error);
}

/* --- packets ---------------------------------------------------------------------------------------------------- */

static bool find_block(Channel *c, const char *name, GError **error)
{
    const RamPlace *place = &c->load->options.place;

    if (c->block_number >= 0 && strcmp(c->block, name) == 0)
        return true;
    c->block_number = place->block(place->opaque, name);
    g_strlcpy(c->block, name, sizeof c->block);
    if (c->block_number >= 0)
        return true;
    g_autofree char *shown = bytes_show((const uint8_t *)name, strlen(name));
    return refuse(c, error, "packet @0x%" G_GINT64_MODIFIER "x: this machine has no RAM block \"%s\"", c->offset,
                  shown);
}

/* Where the packet's pages go, consecutive ones together; how many places, or -1 with an error. */
static int find_places(Channel *c, const StreamPacket *p, struct iovec to[STREAM_PACKET_PAGES], GError **error)
{
    const RamPlace *place = &c->load->options.place;
    int count = 0;

    for (uint32_t i = 0, n; i < p->count; i += n) {
        n = 1;
        while (i + n < p->count && p->offsets[i + n] == p->offsets[i] + (uint64_t)n * RAM_PAGE)
            n++;
        uint8_t *pages =
            p->offsets[i] % RAM_PAGE ? NULL : place->pages(place->opaque, c->block_number, p->offsets[i] / RAM_PAGE, n);
        if (!pages) {
            refuse(c, error,
                   "packet @0x%" G_GINT64_MODIFIER "x: %u pages at 0x%" G_GINT64_MODIFIER
                   "x are not in RAM block \"%s\"",
                   c->offset, n, p->offsets[i], c->block);
            return -1;
        }
        to[count++] = (struct iovec){.iov_base = pages, .iov_len = (size_t)n * RAM_PAGE};
    }
    return count;
}

static bool check_packet(Channel *c, const StreamPacket *p, GError **error)
{
    MultifdMethod method = multifd_packet_method(p);

    if (c->syncs == 0)
        return refuse(c, error, "it has pages before RAM blocks were listed");
    if (method == c->load->options.method)
        return true;
    return refuse(c, error, "the source packs with %s, multifd-compression is %s here", multifd_method_name(method),
                  multifd_method_name(c->load->options.method));
}

static bool read_pages(Channel *c, StreamPacket *p, GError **error)
{
    struct iovec to[STREAM_PACKET_PAGES];

    if (!check_packet(c, p, error) || !find_block(c, p->block, error))
        return false;
    int count = find_places(c, p, to, error);
    if (count < 0)
        return false;
    if (c->load->options.method == MULTIFD_NONE && p->len == (size_t)p->count * RAM_PAGE && count <= DIRECT) {
        for (int i = 0; i < count; i++)
            if (!read_octets(c, to[i].iov_base, to[i].iov_len, NULL, error))
                return false;
        return true;
    }
    if (!c->data)
        c->data = g_malloc(MULTIFD_DATA_MAX);
    p->data = c->data;
    return read_octets(c, c->data, p->len, NULL, error) && multifd_unpack_to(c->unpack, p, to, count, error);
}

/* What was sent until here is in its place; waits until the main channel is there, too. False: it is to end. */
static bool sync_with_main(Channel *c)
{
    MultifdLoad *l = c->load;

    g_mutex_lock(&l->lock);
    c->syncs++;
    g_cond_broadcast(&l->changed);
    while (l->passes < c->syncs && !l->stopping && !l->error)
        g_cond_wait(&l->changed, &l->lock);
    bool go_on = !l->stopping && !l->error;
    g_mutex_unlock(&l->lock);
    return go_on;
}

static bool read_packet(Channel *c, bool *ended, GError **error)
{
    uint8_t header[STREAM_PACKET_HEADER];
    StreamPacket p = {.offset = c->offset};
    char block[256];

    if (!read_octets(c, header, MULTIFD_MAGIC_OCTETS, ended, error) || *ended)
        return *ended;
    if (!multifd_check_magic(header, "multifd packet", c->offset, error) ||
        !read_octets(c, header + MULTIFD_MAGIC_OCTETS, sizeof header - MULTIFD_MAGIC_OCTETS, NULL, error) ||
        !multifd_packet_parse(header, &p, block, error))
        return false;
    if (p.count && !read_pages(c, &p, error))
        return false;
    c->offset += sizeof header + p.len;
    if (p.flags & STREAM_PACKET_SYNC)
        *ended = !sync_with_main(c);
    return true;
}

static void *read_channel(void *opaque)
{
    Channel *c = opaque;
    GError *error = NULL;
    bool ended = false, ok = read_greeting(c, &ended, &error);
    bool stranger = c->id < 0 && c->load->options.channels == 0;

    while (ok && !ended)
        ok = read_packet(c, &ended, &error);
    if (!ok && stranger && !g_error_matches(error, FERRY_ERROR, FERRY_ERROR_MISMATCH))
        g_clear_error(&error); /* he is none of ours */
    else if (!ok)
        fail(c, g_steal_pointer(&error));
    g_mutex_lock(&c->load->lock);
    c->ended = true;
    g_cond_broadcast(&c->load->changed);
    g_mutex_unlock(&c->load->lock);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void free_channel(void *data)
{
    Channel *c = data;

    if (c->thread)
        g_thread_join(c->thread);
    chan_free(c->chan);
    multifd_unpack_free(c->unpack);
    g_free(c->data);
    g_free(c);
}

MultifdLoad *multifd_load_new(const MultifdLoadOptions *options)
{
    MultifdLoad *l = g_new0(MultifdLoad, 1);

    l->options = *options;
    g_mutex_init(&l->lock);
    g_cond_init(&l->changed);
    l->channels = g_ptr_array_new_with_free_func(free_channel);
    return l;
}

void multifd_load_free(MultifdLoad *l)
{
    if (!l)
        return;
    g_mutex_lock(&l->lock);
    l->stopping = true;
    g_cond_broadcast(&l->changed);
    for (guint i = 0; i < l->channels->len; i++)
        chan_shutdown(((Channel *)l->channels->pdata[i])->chan);
    g_mutex_unlock(&l->lock);
    g_ptr_array_unref(l->channels);
    g_clear_error(&l->error);
    g_cond_clear(&l->changed);
    g_mutex_clear(&l->lock);
    g_free(l);
}

void multifd_load_add(MultifdLoad *l, Chan *chan)
{
    Channel *c = g_new0(Channel, 1);

    *c = (Channel){.load = l, .chan = chan, .id = -1, .block_number = -1, .unpack = multifd_unpack_new()};
    g_mutex_lock(&l->lock);
    bool welcome = !l->stopping && l->channels->len < l->options.channels + STRANGERS;
    if (welcome) {
        g_ptr_array_add(l->channels, c);
        c->thread = g_thread_new("multifd", read_channel, c);
    }
    g_mutex_unlock(&l->lock);
    if (!welcome)
        free_channel(c);
}

/* --- passes ----------------------------------------------------------------------------------------------------- */

/* With the lock: have all come that are to come? */
static bool wait_for_channels(MultifdLoad *l, GError **error)
{
    unsigned ms = l->options.patience_ms ? l->options.patience_ms : PATIENCE_MS;
    int64_t end = g_get_monotonic_time() + ms * G_TIME_SPAN_MILLISECOND;

    while (l->count < l->options.channels && !l->error)
        if (!g_cond_wait_until(&l->changed, &l->lock, end)) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
                        "multifd: the source has opened %u channels in %g s, multifd-channels is %u here%s", l->count,
                        ms / 1000.0, l->options.channels, l->count ? "" : ": is the capability off there?");
            return false;
        }
    return !l->error;
}

/* With the lock. */
static bool wait_for_syncs(MultifdLoad *l, GError **error)
{
    for (unsigned i = 0; i < l->options.channels; i++) {
        const Channel *c = l->greeted[i];
        while (c->syncs <= l->passes && !c->ended && !l->error)
            g_cond_wait(&l->changed, &l->lock);
        if (l->error)
            return false;
        if (c->syncs <= l->passes) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT,
                        "multifd channel %u: it has ended @0x%" G_GINT64_MODIFIER "x, before the main channel has", i,
                        c->offset);
            return false;
        }
    }
    return true;
}

bool multifd_load_pass(MultifdLoad *l, GError **error)
{
    g_mutex_lock(&l->lock);
    bool ok = wait_for_channels(l, error) && wait_for_syncs(l, error);
    if (ok) {
        l->passes++;
        g_cond_broadcast(&l->changed);
    }
    if (!ok && error && !*error)
        *error = g_error_copy(l->error);
    g_mutex_unlock(&l->lock);
    return ok;
}

void multifd_load_explain(MultifdLoad *l, GError **error)
{
    g_mutex_lock(&l->lock);
    if (l->error && error) {
        g_clear_error(error);
        *error = g_error_copy(l->error);
    }
    g_mutex_unlock(&l->lock);
}
