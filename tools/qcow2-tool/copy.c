/*
 * copy.c: copies disks into another.
 *
 * A slot is a chunk on its way: it is read, maybe compressed by one of the threads of a pool, and written without its
 * zeros. Whatever has ended queues its slot, and one loop takes the next step with each: nothing happens in callbacks.
 */
#include "tools/qcow2-tool/copy.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qcow2/compress.h"
#include "qcow2/header.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

enum {
    CHUNK = 1 << 20,
    CHUNK_IN_MEMORY = 256 << 10, /* all that are under way stay in a processor's cache, where nothing is waited for */
    ZERO_MAX = 1 << 30,          /* octets of zeros in one request */
    ALIGNMENT = 4096,
    WAIT_MS = 1000,
};

typedef enum Step {
    STEP_READ,  /* until `filled` is `len` */
    STEP_PACK,  /* a thread has it */
    STEP_WRITE, /* from `at` on */
    STEP_LAST,  /* what is under way is the last of it */
} Step;

typedef struct Copier Copier;

typedef struct Slot {
    ImageRequest request; /* first */
    Copier *c;
    Step step;
    uint64_t offset, len;
    uint64_t filled, at; /* octets of the chunk: that were read, that were written */
    struct iovec iov;
    uint8_t *data, *packed;
    size_t packed_len; /* 0: it did not become smaller */
    int error;
    GList link;
} Slot;

struct Copier {
    const Copy *copy;
    uint64_t length, position, chunk, cluster;
    ChainExtent extent; /* what the position is in */
    ChainHoles holes;
    GQueue idle, ready; /* of Slot */
    unsigned busy;
    GThreadPool *pool;
    GAsyncQueue *packed; /* of Slot */
    GAsyncQueue *codecs;
    GError *error;
};

/* --- what is where ---------------------------------------------------------------------------------------------- */

typedef enum Part {
    PART_SKIP, /* the target has it already */
    PART_ZEROS,
    PART_DATA,
} Part;

/* The source at this offset of all; *start: where it begins. NULL: none any more. */
static Image *source_at(const Copy *copy, uint64_t offset, uint64_t *start)
{
    *start = 0;
    for (unsigned i = 0; i < copy->source_count; *start += copy->sources[i++]->length)
        if (offset - *start < copy->sources[i]->length)
            return copy->sources[i];
    return NULL;
}

/* The extent at an offset of all, found anew where the last one ends. */
static bool find_extent(Copier *c, uint64_t offset)
{
    ChainExtent *e = &c->extent;
    uint64_t start;

    if (offset >= e->offset && offset - e->offset < e->len)
        return true;
    Image *source = source_at(c->copy, offset, &start);
    if (!source) {
        *e = (ChainExtent){.offset = offset, .len = UINT64_MAX - offset};
        return true;
    }
    if (!chain_map_holes(source, offset - start, source->length - (offset - start), e, &c->holes, &c->error))
        return false;
    e->offset = offset;
    return true;
}

static Part part_of(const Copy *copy, const ChainExtent *e)
{
    bool zeros = e->kind == IMAGE_ZEROS || e->kind == IMAGE_UNALLOCATED;

    if (copy->own_layer && (e->kind == IMAGE_UNALLOCATED || e->depth > 0))
        return PART_SKIP;
    if (!zeros || !copy->sparse)
        return PART_DATA;
    return copy->target_is_zero ? PART_SKIP : PART_ZEROS;
}

/* The part that the position is in, and its length: of a kind, and in units of clusters if those are compressed. */
static bool next_part(Copier *c, Part *part, uint64_t *len)
{
    uint64_t end = MIN(c->length, (c->position / c->chunk + 1) * c->chunk), at;

    if (!find_extent(c, c->position))
        return false;
    *part = part_of(c->copy, &c->extent);
    at = c->extent.offset + c->extent.len;
    if (*part != PART_DATA && !c->copy->compress) {
        *len = MIN(MIN(at, c->length) - c->position, ZERO_MAX);
        return true;
    }
    if (!c->copy->compress) {
        *len = MIN(at, end) - c->position;
        return true;
    }
    if (*part != PART_DATA && at - c->position >= c->cluster) { /* whole clusters of it */
        *len = MIN(MIN(at / c->cluster * c->cluster, c->length) - c->position, ZERO_MAX);
        return true;
    }
    for (; at < end; at = c->extent.offset + c->extent.len) {
        if (!find_extent(c, at))
            return false;
        *part = MAX(*part, part_of(c->copy, &c->extent));
    }
    *len = end - c->position;
    return true;
}

/* --- steps ------------------------------------------------------------------------------------------------------ */

static void ended(ImageRequest *request, int error)
{
    Slot *s = (Slot *)request;

    s->error = error;
    g_queue_push_tail_link(&s->c->ready, &s->link);
}

static void submit(Slot *s, Image *image, ImageOp op, uint64_t offset, uint64_t len)
{
    s->request = (ImageRequest){.op = op, .offset = offset, .len = len, .done = ended};
    if (op == IMAGE_READ || op == IMAGE_WRITE) {
        s->request.iov = &s->iov;
        s->request.iov_count = 1;
    } else {
        s->request.flags = IMAGE_UNMAP;
    }
    image_submit(image, &s->request);
}

static void free_slot(Copier *c, Slot *s)
{
    c->busy--;
    g_queue_push_tail(&c->idle, s);
}

static void pack(void *data, void *opaque)
{
    Slot *s = data;
    Copier *c = opaque;
    Qcow2Codec *codec = g_async_queue_pop(c->codecs);
    uint64_t one = 1;

    s->packed_len = qcow2_compress(codec, s->data, c->cluster, s->packed, c->cluster - 1);
    g_async_queue_push(c->codecs, codec);
    g_async_queue_push(c->packed, s);
    if (write(c->copy->event, &one, sizeof one) < 0)
        return; /* the counter is at its end: it is readable */
}

/* Reads what is missing, or says that nothing is. */
static bool read_more(Slot *s)
{
    const Copy *copy = s->c->copy;
    uint64_t start, offset = s->offset + s->filled;
    Image *source = s->filled < s->len ? source_at(copy, offset, &start) : NULL;

    if (!source) {
        memset(s->data + s->filled, 0, s->len - s->filled);
        s->filled = s->len;
        return false;
    }
    uint64_t len = MIN(s->len - s->filled, source->length - (offset - start));
    s->iov = (struct iovec){s->data + s->filled, len};
    s->filled += len;
    submit(s, source, IMAGE_READ, offset - start, len);
    return true;
}

static bool is_zero(const Slot *s, uint64_t at, uint64_t len)
{
    return s->c->copy->sparse && bytes_are_zero(s->data + at, len);
}

/* Where the run of zeros, or of something else, ends that begins at `at`. */
static uint64_t run_end(const Slot *s, uint64_t at, bool *zeros)
{
    uint64_t unit = s->c->copy->sparse ? s->c->copy->sparse : s->len, end = at;

    for (bool first = true; end < s->len; first = false) {
        uint64_t step = MIN(unit - (s->offset + end) % unit, s->len - end);
        bool zero = is_zero(s, end, step);
        if (first)
            *zeros = zero;
        else if (zero != *zeros)
            break;
        end += step;
    }
    return end;
}

/* Writes the next run, or says that there is none. */
static bool write_more(Slot *s)
{
    const Copy *copy = s->c->copy;
    bool zeros = false;

    while (s->at < s->len) {
        uint64_t from = s->at, to = run_end(s, from, &zeros);
        s->at = to;
        if (zeros && copy->target_is_zero)
            continue;
        s->iov = (struct iovec){s->data + from, to - from};
        submit(s, copy->target, zeros ? IMAGE_ZERO : IMAGE_WRITE, s->offset + from, to - from);
        return true;
    }
    return false;
}

static void write_packed(Slot *s)
{
    s->step = STEP_LAST;
    if (!s->packed_len) {
        s->iov = (struct iovec){s->data, s->len};
        submit(s, s->c->copy->target, IMAGE_WRITE, s->offset, s->len);
        return;
    }
    s->iov = (struct iovec){s->packed, s->packed_len};
    s->request = (ImageRequest){.op = IMAGE_WRITE,
                                .flags = IMAGE_COMPRESSED | IMAGE_PRECOMPRESSED,
                                .offset = s->offset,
                                .len = s->packed_len,
                                .iov = &s->iov,
                                .iov_count = 1,
                                .done = ended};
    image_submit(s->c->copy->target, &s->request);
}

/* A cluster that was read: the last one of a disk is filled up with zeros. */
static bool start_packing(Slot *s)
{
    Copier *c = s->c;

    if (is_zero(s, 0, s->len))
        return false;
    memset(s->data + s->len, 0, c->cluster - s->len);
    s->step = STEP_PACK;
    g_thread_pool_push(c->pool, s, NULL);
    return true;
}

static void fail(Copier *c, const Slot *s)
{
    static const char *const verbs[] = {[IMAGE_READ] = "read", [IMAGE_WRITE] = "write", [IMAGE_ZERO] = "write zeros"};
    uint64_t start = 0;
    const Image *image = s->request.op == IMAGE_READ ? source_at(c->copy, s->offset, &start) : c->copy->target;

    if (!c->error)
        g_set_error(&c->error, FERRY_ERROR, FERRY_ERROR_IO, "%s: disk offset 0x%" PRIx64 ": cannot %s: %s",
                    image ? image->file->path : "source", s->offset - start, verbs[s->request.op],
                    g_strerror(s->error));
}

static void step(Slot *s)
{
    Copier *c = s->c;

    if (s->error)
        fail(c, s);
    if (c->error || s->step == STEP_LAST) {
        free_slot(c, s);
        return;
    }
    if (s->step == STEP_READ) {
        if (read_more(s))
            return;
        s->step = STEP_WRITE;
        if (c->copy->compress && start_packing(s))
            return;
    }
    if (s->step == STEP_PACK)
        write_packed(s);
    else if (!write_more(s))
        free_slot(c, s);
}

/* --- the loop --------------------------------------------------------------------------------------------------- */

static void start(Copier *c, Part part, uint64_t len)
{
    Slot *s = g_queue_pop_head(&c->idle);

    c->busy++;
    s->offset = c->position;
    s->len = len;
    s->filled = s->at = 0;
    s->error = 0;
    s->step = part == PART_ZEROS ? STEP_LAST : STEP_READ;
    if (part == PART_DATA) {
        step(s);
        return;
    }
    submit(s, c->copy->target, IMAGE_ZERO, s->offset, len);
}

static void start_what_fits(Copier *c)
{
    Part part;
    uint64_t len;

    while (!c->error && c->position < c->length && !g_queue_is_empty(&c->idle)) {
        if (!next_part(c, &part, &len))
            return;
        if (part != PART_SKIP)
            start(c, part, len);
        c->position += len;
        tool_progress(c->position, c->length);
    }
}

static bool run_ready(Copier *c)
{
    Slot *s;
    bool any = false;

    for (unsigned i = 0; i < c->copy->source_count; i++)
        image_poll(c->copy->sources[i], false);
    image_poll(c->copy->target, false);
    while (c->packed && (s = g_async_queue_try_pop(c->packed)))
        g_queue_push_tail_link(&c->ready, &s->link);
    for (GList *link; (link = g_queue_pop_head_link(&c->ready)); any = true)
        step(link->data);
    return any;
}

static void wait_for_event(Copier *c)
{
    struct pollfd fd = {.fd = c->copy->event, .events = POLLIN};
    uint64_t count;

    if (poll(&fd, 1, WAIT_MS) > 0 && read(c->copy->event, &count, sizeof count) < 0)
        return; /* somebody else has read it */
}

static void loop(Copier *c)
{
    for (;;) {
        start_what_fits(c);
        if (!c->busy && (c->error || c->position >= c->length))
            return;
        if (!run_ready(c) && c->busy)
            wait_for_event(c);
    }
}

static Slot *new_slots(Copier *c, unsigned count)
{
    Slot *slots = g_new0(Slot, count);

    for (unsigned i = 0; i < count; i++) {
        Slot *s = &slots[i];
        s->c = c;
        s->link.data = s;
        s->data = aligned_alloc(ALIGNMENT, (c->chunk + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
        s->packed = c->copy->compress ? g_malloc(c->cluster) : NULL;
        g_queue_push_tail(&c->idle, s);
    }
    return slots;
}

static void start_pool(Copier *c, unsigned threads)
{
    uint8_t type = qcow2_header(c->copy->target)->compression;

    c->packed = g_async_queue_new();
    c->codecs = g_async_queue_new_full((GDestroyNotify)qcow2_codec_free);
    for (unsigned i = 0; i < threads; i++)
        g_async_queue_push(c->codecs, qcow2_codec_new(type));
    c->pool = g_thread_pool_new(pack, c, (int)threads, FALSE, NULL);
}

bool copy_run(const Copy *copy, GError **error)
{
    Copier c = {.copy = copy};
    unsigned threads = g_get_num_processors(), count = copy->parallel;
    const Qcow2Header *header = qcow2_header(copy->target);

    for (unsigned i = 0; i < copy->source_count; i++)
        c.length += copy->sources[i]->length;
    c.cluster = header ? qcow2_cluster_size(header) : 512;
    c.chunk = copy->compress ? c.cluster : MAX(copy->target->file->in_memory ? CHUNK_IN_MEMORY : CHUNK, c.cluster);
    if (copy->compress) {
        start_pool(&c, threads);
        count = MAX(count, threads * 4);
    }
    g_autofree Slot *slots = new_slots(&c, count);
    loop(&c);
    if (c.pool)
        g_thread_pool_free(c.pool, FALSE, TRUE);
    g_clear_pointer(&c.packed, g_async_queue_unref);
    g_clear_pointer(&c.codecs, g_async_queue_unref);
    g_queue_clear(&c.idle);
    for (unsigned i = 0; i < count; i++) {
        free(slots[i].data);
        g_free(slots[i].packed);
    }
    if (c.error)
        g_propagate_error(error, c.error);
    return !c.error;
}
