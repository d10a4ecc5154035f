/*
 * write.c: writing: in place, or to clusters that are allocated for it.
 *
 * What was not written of a new cluster is copied from where it was before, and the L2 entry refers to the cluster when
 * all of it is there. Meanwhile the guest cluster is busy: who wants to change its mapping, too, waits; others do not.
 * Where the disk reads as zeros and the cluster was never in the file, so that it does as well, the entry refers to it
 * at once: nobody waits for anybody.
 *
 * With extended L2 entries, "cluster" is a subcluster here, where the cluster is not shared.
 */
#include <errno.h>
#include <string.h>

#include "qcow2/compress.h"
#include "qcow2/data-impl.h"

#define RUN_MAX    (4u << 20) /* octets that are allocated at once */
#define ZERO_FIRST 65536u     /* from so many octets of zeros on the file is asked for them */

typedef struct Cow {
    DataRequest *d;
    Table *l2;
    uint64_t first, count; /* guest clusters */
    uint64_t host;         /* where the first cluster is */
    bool is_new;           /* it was allocated for this */
    bool whole;            /* all subclusters are there afterwards, not only those that are written */
    uint64_t begin, end;   /* what is written, with what is copied */
    uint64_t from, to;     /* of it: the request's */
    uint8_t *head, *tail;  /* memory for what is copied */
    struct iovec head_iov, tail_iov;
    unsigned reads;
    bool zero_first;
    int error;
} Cow;

/* --- linking ------------------------------------------------------------------------------------------------------ */

static uint64_t touched(const Qcow2 *q, const Cow *c, uint64_t cluster)
{
    uint64_t start = cluster << q->cluster_bits, end = start + q->cluster_size, mask = 0;

    if (c->whole)
        return UINT32_MAX;
    for (uint64_t at = MAX(start, c->begin); at < MIN(end, c->end); at = (at | ((UINT64_C(1) << q->sub_bits) - 1)) + 1)
        mask |= UINT64_C(1) << ((at >> q->sub_bits) & (SUBCLUSTERS - 1));
    return mask;
}

static void link_clusters(Qcow2 *q, const Cow *c)
{
    for (uint64_t i = 0; i < c->count; i++) {
        uint32_t index = l2_index(q, c->first + i);
        uint64_t bitmap, old = l2_get(q, c->l2, index, &bitmap);
        uint64_t bits = q->extended ? touched(q, c, c->first + i) : 0;

        if (c->is_new && (old & ENTRY_COMPRESSED || c->whole))
            bitmap = 0;
        l2_set(q, c->l2, index, (c->host + (i << q->cluster_bits)) | ENTRY_COPIED, (bitmap & ~(bits << 32)) | bits);
        if (c->is_new)
            free_entry_later(q, old, false);
    }
}

static void cow_free(Cow *c)
{
    Qcow2 *q = c->d->q;

    c->l2->pins--;
    g_free(c->head);
    g_free(c->tail);
    busy_end(q, c->d->tree, c->first, c->count);
    g_free(c);
}

/* --- copying ------------------------------------------------------------------------------------------------------ */

typedef struct CowPiece {
    Piece piece;
    Cow *c;
} CowPiece;

static void written(Piece *p, int error)
{
    Cow *c = ((CowPiece *)p)->c;
    Qcow2 *q = c->d->q;

    if (!error)
        link_clusters(q, c);
    else if (c->is_new)
        alloc_undo(q, c->host, c->count);
    cow_free(c);
}

static void write_all(Cow *c)
{
    DataRequest *d = c->d;
    CowPiece *p = (CowPiece *)piece_new(d, sizeof(CowPiece), c->from, c->to - c->from, 1);
    bool head = c->head && !c->zero_first, tail = c->tail && !c->zero_first;
    uint64_t begin = head ? c->begin : c->from, end = tail ? c->end : c->to;

    p->c = c;
    p->piece.ended = written;
    if (head) {
        *--p->piece.io.iov = (struct iovec){c->head, c->from - c->begin};
        p->piece.io.iov_count++;
    }
    if (tail)
        p->piece.io.iov[p->piece.io.iov_count++] = (struct iovec){c->tail, c->end - c->to};
    piece_submit(&p->piece, d->q->data_file, HOST_WRITE, c->host + (begin - (c->first << d->q->cluster_bits)),
                 end - begin);
}

static void zeroed(Piece *p, int error)
{
    Cow *c = ((CowPiece *)p)->c;

    if (error)
        written(p, error);
    else
        write_all(c);
}

static void failed(Cow *c)
{
    DataRequest *d = c->d;

    data_request_fail(d, c->error);
    if (c->is_new)
        alloc_undo(d->q, c->host, c->count);
    cow_free(c);
    d->pieces--;
    if (!d->waits)
        data_request_step(d);
}

/* All that is copied is in memory. The Cow itself counts as a piece until now. */
static void copied(Cow *c)
{
    DataRequest *d = c->d;

    if (c->error) {
        failed(c);
        return;
    }
    if (c->zero_first) {
        CowPiece *p = (CowPiece *)piece_new(d, sizeof(CowPiece), 0, 0, 0);
        p->c = c;
        p->piece.ended = zeroed;
        piece_submit(&p->piece, d->q->data_file, HOST_ZERO, c->host + (c->begin - (c->first << d->q->cluster_bits)),
                     c->end - c->begin);
    } else {
        write_all(c);
    }
    d->pieces--;
}

static void part_read(void *opaque, int error)
{
    Cow *c = opaque;

    if (error)
        c->error = error;
    if (--c->reads == 0)
        copied(c);
}

/* A part that is copied, in memory: zeroed, unless it is read. */
static uint8_t *part(Cow *c, uint64_t offset, uint64_t len, bool zero, struct iovec *iov)
{
    uint8_t *memory = len ? (zero ? g_malloc0(len) : g_malloc(len)) : NULL;

    *iov = (struct iovec){memory, len};
    if (!len || zero)
        return memory;
    c->reads++;
    data_read(c->d->q, c->d->tree, offset, iov, part_read, c);
    return memory;
}

static void cow_start(Cow *c, bool head_zero, bool tail_zero)
{
    DataRequest *d = c->d;
    uint64_t head = c->from - c->begin, tail = c->end - c->to;

    busy_begin(d->q, d->tree, c->first, c->count);
    c->l2->pins++;
    d->pieces++;
    d->position = c->to;
    c->reads = 1;
    c->zero_first = (!head || head_zero) && (!tail || tail_zero) && head + tail >= ZERO_FIRST;
    if (!c->zero_first) {
        c->head = part(c, c->begin, head, head_zero, &c->head_iov);
        c->tail = part(c, c->to, tail, tail_zero, &c->tail_iov);
    }
    part_read(c, 0);
}

/* --- where to ----------------------------------------------------------------------------------------------------- */

/* How many guest clusters from `first` on, which needs one, need new ones, too; whether all of them read as zeros. */
static uint64_t run_length(DataRequest *d, const Table *l2, uint64_t first, uint64_t end, bool *zeros)
{
    Qcow2 *q = d->q;
    uint64_t count = 0, most = MAX(RUN_MAX >> q->cluster_bits, 1);
    uint32_t in_slice = q->l2.slice / q->l2_entry;

    *zeros = true;
    for (uint32_t i = l2_index(q, first); i < in_slice && count < most && (first + count) << q->cluster_bits < end;
         i++, count++) {
        uint64_t bitmap, entry = l2_get(q, l2, i, &bitmap);
        Mapping m = {0};
        if (map_entry(q, entry, bitmap, 0, &m) != 0)
            break;
        if (count && ((m.kind != MAP_COMPRESSED && m.has_room && m.in_place) || is_busy(q, d->tree, first + count)))
            break;
        bool untouched = !q->extended || (bitmap >> 32) == 0 || (bitmap >> 32) == UINT32_MAX;
        *zeros = *zeros && untouched && !m.has_room &&
                 map_reads_zeros(q, d->tree, m.kind, (first + count) << q->cluster_bits);
    }
    return count;
}

/* Does the (sub)cluster at this offset read as zeros? Its table is at hand. */
static bool zeros_at(const DataRequest *d, const Table *l2, uint64_t offset)
{
    const Qcow2 *q = d->q;
    uint64_t bitmap, entry = l2_get(q, l2, l2_index(q, offset >> q->cluster_bits), &bitmap);
    Mapping m = {0};

    return map_entry(q, entry, bitmap, (offset >> q->sub_bits) & (SUBCLUSTERS - 1), &m) == 0 &&
           map_reads_zeros(q, d->tree, m.kind, offset);
}

/* Nothing of the old cluster has to be copied but what lies in the same subclusters. */
static bool can_add_subclusters(const Qcow2 *q, const Table *l2, uint64_t cluster)
{
    uint64_t bitmap, entry = l2_get(q, l2, l2_index(q, cluster), &bitmap);

    return q->extended && !(entry & ENTRY_COMPRESSED) && !(entry & ENTRY_OFFSET);
}

static void start(DataRequest *d, Cow cow, bool at_once)
{
    Qcow2 *q = d->q;
    uint64_t unit = UINT64_C(1) << (cow.whole ? q->cluster_bits : q->sub_bits);

    cow.begin = cow.from & ~(unit - 1);
    cow.end = (cow.to + unit - 1) & ~(unit - 1);
    if (at_once) {
        link_clusters(q, &cow);
        d->position = cow.to;
        piece_submit(piece_new(d, sizeof(Piece), cow.from, cow.to - cow.from, 0), q->data_file, HOST_WRITE,
                     cow.host + (cow.from & (q->cluster_size - 1)), cow.to - cow.from);
        return;
    }
    /* Where all subclusters are copied, they may be of any kinds. */
    bool mixed = q->extended && cow.whole;
    bool head_zero = !mixed && zeros_at(d, cow.l2, cow.begin),
         tail_zero = !mixed && cow.to < cow.end && zeros_at(d, cow.l2, cow.to);
    cow_start(g_memdup2(&cow, sizeof cow), head_zero, tail_zero);
}

/* Room that is there: zeros with a host cluster, subclusters of a cluster that is ours. */
static void use_room(DataRequest *d, Table *l2, const Mapping *m)
{
    Qcow2 *q = d->q;
    uint64_t first = d->position >> q->cluster_bits, cluster_end = (first + 1) << q->cluster_bits;

    start(d,
          (Cow){.d = d,
                .l2 = l2,
                .first = first,
                .count = 1,
                .host = (m->host - (d->position & (q->cluster_size - 1))) & ~(uint64_t)(q->cluster_size - 1),
                .whole = !q->extended,
                .from = d->position,
                .to = MIN(MIN(d->end, cluster_end), d->position + m->len)},
          false);
}

static void use_new(DataRequest *d, Table *l2)
{
    Qcow2 *q = d->q;
    uint64_t first = d->position >> q->cluster_bits, host = first << q->cluster_bits, got;
    bool fresh = false, zeros;
    int error = 0;

    got = run_length(d, l2, first, d->end, &zeros);
    l2->pins++;
    if (!(q->header.incompatible & QCOW2_DATA_FILE) &&
        !alloc_clusters(q, got, &d->waiter, &host, &got, &fresh, &error)) {
        l2->pins--;
        data_request_hold(d, error);
        return;
    }
    l2->pins--;
    /* A mixture of clusters whose subclusters stay and such that are copied goes one by one. */
    bool whole = !can_add_subclusters(q, l2, first);
    if (q->extended && got > 1 && !zeros) {
        alloc_undo(q, host + q->cluster_size, got - 1);
        got = 1;
    }
    start(d,
          (Cow){.d = d,
                .l2 = l2,
                .first = first,
                .count = got,
                .host = host,
                .is_new = true,
                .whole = whole,
                .from = d->position,
                .to = MIN(d->end, (first + got) << q->cluster_bits)},
          fresh && zeros);
}

/* --- compressed --------------------------------------------------------------------------------------------------- */

typedef struct PackedPiece {
    CowPiece cow;
    uint32_t len;
} PackedPiece;

static void packed_written(Piece *p, int error)
{
    PackedPiece *packed = (PackedPiece *)p;
    Cow *c = packed->cow.c;
    Qcow2 *q = c->d->q;
    unsigned bits = 62 - (q->cluster_bits - 8);
    uint64_t sectors = (c->host + packed->len - 1) / HOST_SECTOR - c->host / HOST_SECTOR;

    if (!error)
        l2_set(q, c->l2, l2_index(q, c->first), ENTRY_COMPRESSED | sectors << bits | c->host, 0);
    else
        free_later(q, c->host, packed->len, false);
    cow_free(c);
}

/* What is compressed, in c->head; the position is behind the cluster. */
static void write_packed(DataRequest *d, Table *l2, uint8_t *data, uint32_t len, uint64_t host)
{
    Cow *c = g_memdup2(&(Cow){.d = d, .l2 = l2, .count = 1, .host = host, .head = data}, sizeof(Cow));
    PackedPiece *p = (PackedPiece *)piece_new(d, sizeof(PackedPiece), 0, 0, 0);

    c->first = d->position >> d->q->cluster_bits;
    p->cow.c = c;
    p->cow.piece.ended = packed_written;
    p->len = len;
    p->cow.piece.few[0] = (struct iovec){data, len};
    p->cow.piece.io.iov = p->cow.piece.few;
    p->cow.piece.io.iov_count = 1;
    busy_begin(d->q, d->tree, c->first, 1);
    l2->pins++;
    d->position = d->end;
    piece_submit(&p->cow.piece, d->q->image.file, HOST_WRITE, host, len);
}

static uint8_t *flat(const DataRequest *d, size_t room)
{
    uint8_t *memory = g_malloc0(room), *at = memory;

    for (int i = 0; i < d->iov_count; at += d->iov[i++].iov_len)
        memcpy(at, d->iov[i].iov_base, d->iov[i].iov_len);
    return memory;
}

/* NULL: it is not worth it. */
static uint8_t *pack(const DataRequest *d, uint32_t *len)
{
    Qcow2 *q = d->q;

    if (d->flags & IMAGE_PRECOMPRESSED) {
        *len = (uint32_t)d->request->len;
        return flat(d, *len);
    }
    g_autofree uint8_t *plain = flat(d, q->cluster_size);
    uint8_t *packed = g_malloc(q->cluster_size);
    *len = (uint32_t)qcow2_compress(q->codec, plain, q->cluster_size, packed, q->cluster_size - 1);
    if (!*len)
        g_clear_pointer(&packed, g_free);
    return packed;
}

static void write_compressed(DataRequest *d, Table *l2, const Mapping *m)
{
    Qcow2 *q = d->q;
    bool last = d->end == d->tree->disk_size;
    uint64_t host;
    uint32_t len;
    int error;

    if (m->kind != MAP_UNALLOCATED || m->has_room || d->start & (q->cluster_size - 1) ||
        (d->end - d->start != q->cluster_size && !(last && d->end - d->start < q->cluster_size)) ||
        q->header.incompatible & QCOW2_DATA_FILE) {
        data_request_fail(d, EINVAL);
        return;
    }
    uint8_t *data = pack(d, &len);
    if (!data) {
        d->flags &= ~(unsigned)IMAGE_COMPRESSED;
        return;
    }
    l2->pins++;
    bool there = alloc_octets(q, len, &d->waiter, &host, &error);
    l2->pins--;
    if (there) {
        write_packed(d, l2, data, len, host);
        return;
    }
    g_free(data);
    data_request_hold(d, error);
}

/* ------------------------------------------------------------------------------------------------------------------ */

void write_step(DataRequest *d)
{
    Qcow2 *q = d->q;
    uint64_t cluster = d->position >> q->cluster_bits;
    Mapping m;
    int error = 0;

    if (map_at(q, d->tree, d->position, d->end - d->position, &d->waiter, &m, &error)) {
        if (m.kind == MAP_DATA && m.in_place && !(d->flags & (IMAGE_COMPRESSED | IMAGE_PRECOMPRESSED))) {
            piece_submit(piece_new(d, sizeof(Piece), d->position, m.len, 0), q->data_file, HOST_WRITE, m.host, m.len);
            d->position += m.len;
            return;
        }
        if (busy_wait(q, d->tree, cluster, &d->waiter)) {
            d->waits = true;
            return;
        }
        Table *l2 = l2_writable(q, d->tree, cluster, &d->waiter, &error);
        if (l2 && d->flags & (IMAGE_COMPRESSED | IMAGE_PRECOMPRESSED))
            write_compressed(d, l2, &m);
        else if (l2 && m.kind != MAP_COMPRESSED && m.has_room && m.in_place)
            use_room(d, l2, &m);
        else if (l2)
            use_new(d, l2);
        if (l2)
            return;
    }
    data_request_hold(d, error);
}
