/* open.c: an image is opened, marked as written to, and closed. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "qcow2/compress.h"
#include "qcow2/data-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

static bool refuse(const Qcow2 *q, FerryError code, GError **error, const char *format, ...) G_GNUC_PRINTF(4, 5);
static bool refuse(const Qcow2 *q, FerryError code, GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, FERRY_ERROR, code, "%s: %s", q->image.file->path, text);
    return false;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static uint64_t end_of(const Qcow2 *q, const ImageRequest *r)
{
    if (r->flags & IMAGE_PRECOMPRESSED)
        return MIN(r->offset + q->cluster_size, q->image.length);
    return r->op == IMAGE_FLUSH ? r->offset : r->offset + r->len;
}

static void start(Qcow2 *q, ImageRequest *r, uint64_t end)
{
    DataRequest *d = g_new0(DataRequest, 1);

    d->q = q;
    d->tree = &q->active;
    d->request = r;
    d->op = r->op;
    d->flags = r->flags;
    d->start = r->offset;
    d->end = end;
    d->iov = r->iov;
    d->iov_count = r->iov_count;
    if (end > q->image.length) {
        d->end = MAX(q->image.length, r->offset);
        data_fill_zeros(d, d->end, end - d->end);
    }
    data_request_start(d);
}

/* Before the disk itself changes. An errno. */
static int prepare_disk(Qcow2 *q)
{
    int error = q->prepared ? 0 : qcow2_prepare(q);

    if (error || q->spoilt)
        return error;
    q->spoilt = qcow2_bitmaps_spoil(q, false, NULL);
    return q->spoilt ? 0 : EIO;
}

static void submit(Image *image, ImageRequest *r)
{
    Qcow2 *q = qcow2_of(image);
    uint64_t end = end_of(q, r);
    bool changes = r->op != IMAGE_READ && r->op != IMAGE_FLUSH;
    int error = 0;

    if (changes && (end > image->length || end < r->offset))
        error = ENOSPC;
    else if (changes && q->broken)
        error = EIO;
    else if (changes && !(q->prepared && q->spoilt))
        error = prepare_disk(q);
    if (error)
        image_end(image, r, error);
    else
        start(q, r, end);
}

void qcow2_poll_files(Qcow2 *q, bool wait)
{
    HostFile *file = q->image.file;
    Image *backing = q->image.backing;
    bool other = q->data_file != file;

    /* Whoever is waited for, the others are looked after, too. */
    host_file_poll(file, wait && file->in_flight);
    wait = wait && !file->in_flight;
    if (other)
        host_file_poll(q->data_file, wait && q->data_file->in_flight);
    if (backing)
        image_poll(backing, wait && backing->in_flight && !(other && q->data_file->in_flight));
}

static void poll(Image *image, bool wait)
{
    Qcow2 *q = qcow2_of(image);

    qcow2_poll_files(q, wait);
    reftable_grow_if_wanted(q);
}

static bool map(Image *image, uint64_t offset, uint64_t len, ImageExtent *extent, GError **error)
{
    return qcow2_map_tree(qcow2_of(image), &qcow2_of(image)->active, offset, len, extent, error);
}

bool qcow2_map_tree(Qcow2 *q, Tree *tree, uint64_t offset, uint64_t len, ImageExtent *extent, GError **error)
{
    static const ImageKind kinds[] = {
        [MAP_UNALLOCATED] = IMAGE_UNALLOCATED,
        [MAP_ZERO] = IMAGE_ZEROS,
        [MAP_DATA] = IMAGE_DATA,
        [MAP_COMPRESSED] = IMAGE_COMPRESSED_DATA,
    };
    Mapping m;
    int code = 0;

    for (;;) {
        Pause pause = pause_new();
        if (map_at(q, tree, offset, len, &pause.waiter, &m, &code))
            break;
        code = code ? code : pause_wait(q, &pause);
        if (code)
            return refuse(q, FERRY_ERROR_IO, error, "disk offset 0x%" PRIx64 ": cannot find its cluster: %s", offset,
                          g_strerror(code));
    }
    *extent = (ImageExtent){.offset = offset,
                            .len = m.len,
                            .kind = kinds[m.kind],
                            .has_host = m.kind == MAP_COMPRESSED || m.has_room,
                            .host = m.host,
                            .host_len = m.kind == MAP_COMPRESSED ? m.host_len : 0};
    return true;
}

/* --- the header --------------------------------------------------------------------------------------------------- */

bool qcow2_write_header(Qcow2 *q, GError **error)
{
    g_autoptr(GByteArray) octets = qcow2_header_octets(&q->header, error);

    return octets && host_file_write(q->image.file, 0, octets->data, octets->len, error);
}

int qcow2_prepare(Qcow2 *q)
{
    uint64_t known = QCOW2_BITMAPS | QCOW2_DATA_FILE_RAW;
    bool lazy = q->header.compatible & QCOW2_LAZY_REFCOUNTS;

    if (q->prepared)
        return 0;
    if (q->header.autoclear & ~known || (lazy && !(q->header.incompatible & QCOW2_DIRTY))) {
        q->header.autoclear &= known;
        if (lazy)
            q->header.incompatible |= QCOW2_DIRTY;
        if (!qcow2_write_header(q, NULL) || !host_file_sync(q->image.file, NULL))
            return EIO;
    }
    q->prepared = true;
    return 0;
}

void qcow2_mark_corrupt(Qcow2 *q, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (!q->corruption)
        q->corruption = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    if (q->broken)
        return;
    q->broken = true;
    if (q->image.read_only || q->header.version < 3)
        return;
    q->header.incompatible |= QCOW2_CORRUPT;
    if (qcow2_write_header(q, NULL))
        host_file_sync(q->image.file, NULL);
}

bool qcow2_may_allocate(Qcow2 *q, uint64_t cluster, uint64_t count)
{
    const char *what = qcow2_overlaps_metadata(q, cluster << q->cluster_bits, count << q->cluster_bits);

    if (what)
        qcow2_mark_corrupt(q, "the refcount of a cluster of %s is 0: one of %" PRIu64 " from cluster %" PRIu64, what,
                           count, cluster);
    return !what;
}

/* --- closing ------------------------------------------------------------------------------------------------------ */

bool qcow2_settle(Qcow2 *q, GError **error)
{
    if (q->image.read_only || !q->prepared || q->broken)
        return true;
    q->settles = true;
    bool ok = qcow2_commit_now(q, error);
    q->settles = false;
    if (ok && q->header.compatible & QCOW2_LAZY_REFCOUNTS && q->header.incompatible & QCOW2_DIRTY) {
        q->header.incompatible &= ~(uint64_t)QCOW2_DIRTY;
        ok = qcow2_write_header(q, error) && host_file_sync(q->image.file, error);
    }
    q->prepared = false;
    return ok;
}

static void close_image(Image *image)
{
    Qcow2 *q = qcow2_of(image);

    qcow2_settle(q, NULL);
    while (image->file->in_flight || q->commit)
        qcow2_poll_files(q, true);
    cache_done(&q->l2);
    cache_done(&q->refblocks);
    for (GList *link; (link = g_queue_pop_head_link(&q->freed));)
        g_free(link->data); /* the link is in it */
    if (q->data_file && q->data_file != image->file)
        host_file_close(q->data_file);
    if (q->codec)
        qcow2_codec_free(q->codec);
    g_clear_pointer(&q->busy, g_hash_table_unref);
    g_clear_pointer(&q->snapshots, g_ptr_array_unref);
    g_free(q->active.l1);
    g_free(q->active.dirty);
    g_free(q->vm_tree.l1);
    g_free(q->reftable);
    g_free(q->reftable_dirty);
    g_free(q->corruption);
    overlap_free(q->overlap);
    qcow2_header_clear(&q->header);
    g_free(q);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

bool qcow2_read_numbers(HostFile *file, uint64_t offset, uint64_t *numbers, uint64_t count, GError **error)
{
    if (!host_file_read(file, offset, numbers, count * 8, error))
        return false;
    for (uint64_t i = 0; i < count; i++)
        numbers[i] = GUINT64_FROM_BE(numbers[i]);
    return true;
}

/* What is left can be read. */
static void distrust(Qcow2 *q, const GError *why)
{
    q->broken = true;
    if (!q->corruption)
        q->corruption = g_strdup(why->message);
}

static bool load_tables(Qcow2 *q, GError **error)
{
    Qcow2Header *h = &q->header;
    g_autoptr(GError) why = NULL;

    q->active.size = h->l1_size;
    q->active.offset = h->l1_offset;
    q->active.disk_size = h->size;
    q->active.l1 = g_new0(uint64_t, (size_t)h->l1_size + 1); /* never NULL */
    q->active.dirty = g_malloc0((size_t)h->l1_size * 8 / HOST_SECTOR / 8 + 1);
    q->reftable_size = ((uint64_t)h->reftable_clusters << h->cluster_bits) / 8;
    if (!qcow2_header_judge_reftable(q->image.file, h, &why)) { /* who checks it comes so far */
        q->reftable_size = 0;
        distrust(q, why);
    }
    q->reftable = g_new0(uint64_t, q->reftable_size + 1);
    q->reftable_dirty = g_malloc0(q->reftable_size * 8 / HOST_SECTOR / 8 + 1);
    return qcow2_read_numbers(q->image.file, h->l1_offset, q->active.l1, h->l1_size, error) &&
           qcow2_read_numbers(q->image.file, h->reftable_offset, q->reftable, q->reftable_size, error);
}

/* Everything that the header's numbers say. */
static void measure(Qcow2 *q)
{
    const Qcow2Header *h = &q->header;

    q->cluster_bits = h->cluster_bits;
    q->cluster_size = qcow2_cluster_size(h);
    q->l2_bits = qcow2_l2_bits(h);
    q->extended = h->incompatible & QCOW2_EXTENDED_L2;
    q->l2_entry = q->extended ? 16 : 8;
    q->sub_bits = q->extended ? h->cluster_bits - 5 : h->cluster_bits;
    q->refcount_order = h->refcount_order;
    q->refblock_bits = h->cluster_bits + 3 - h->refcount_order;
    q->image.length = h->size;
    q->free_hint = 0;
    q->fresh_from = cluster_round_up(q, host_file_length(q->image.file)) >> h->cluster_bits;
}

static bool judge(const Qcow2 *q, const Qcow2Open *o, GError **error)
{
    const Qcow2Header *h = &q->header;

    if (h->incompatible & QCOW2_CORRUPT && !q->image.read_only && !o->repair)
        return refuse(q, FERRY_ERROR_DAMAGED, error,
                      "the image is marked as corrupt: it can only be read, or repaired by 'qcow2-tool check -r all'");
    if (!(h->incompatible & QCOW2_DATA_FILE) != !o->data_file && !o->repair)
        return refuse(q, FERRY_ERROR_MISMATCH, error, "the image has %s external data file, but %s given",
                      h->incompatible & QCOW2_DATA_FILE ? "an" : "no", o->data_file ? "one was" : "none was");
    if (h->incompatible & QCOW2_DATA_FILE && h->snapshot_count)
        return refuse(q, FERRY_ERROR_DAMAGED, error, "the image has %u snapshots and an external data file",
                      h->snapshot_count);
    return true;
}

static const ImageOps qcow2_ops = {
    .submit = submit,
    .poll = poll,
    .map = map,
    .resize = qcow2_resize,
    .set_active = qcow2_set_active,
    .close = close_image,
};

const char *qcow2_corruption(const Image *image)
{
    return image->ops == &qcow2_ops ? ((const Qcow2 *)image)->corruption : NULL;
}

bool qcow2_load(Qcow2 *q, GError **error)
{
    q->spoilt = false;
    qcow2_header_clear(&q->header);
    g_clear_pointer(&q->active.l1, g_free);
    g_clear_pointer(&q->active.dirty, g_free);
    g_clear_pointer(&q->reftable, g_free);
    g_clear_pointer(&q->reftable_dirty, g_free);
    if (!(q->to_check ? qcow2_header_read_to_check : qcow2_header_read)(q->image.file, &q->header, error))
        return false;
    measure(q);
    return load_tables(q, error);
}

bool qcow2_set_active(Image *image, bool active, GError **error)
{
    Qcow2 *q = qcow2_of(image);

    if (!active)
        return qcow2_settle(q, error) && host_file_set_active(image->file, false, error) &&
               (q->data_file == image->file || host_file_set_active(q->data_file, false, error));
    if (!host_file_set_active(image->file, true, error))
        return false;
    if (q->data_file != image->file && !host_file_set_active(q->data_file, true, error)) {
        host_file_set_active(image->file, false, NULL);
        return false;
    }
    cache_forget_all(&q->l2);
    cache_forget_all(&q->refblocks);
    return qcow2_load(q, error) && qcow2_load_snapshots(q, error);
}

static uint64_t l2_octets(const Qcow2 *q, const Qcow2Open *o)
{
    uint64_t all = ((q->image.length >> q->cluster_bits) + 1) * q->l2_entry;

    return o->l2_cache ? o->l2_cache : MIN(all + q->cluster_size, 32u << 20);
}

/* A snapshot that is damaged can be left out only while nothing is written: by the check, to which it is of no use. */
static bool load_snapshots(Qcow2 *q, bool repair, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (qcow2_load_snapshots(q, &why))
        return true;
    if (!repair || !why) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    distrust(q, why);
    return true;
}

static bool open_all(Qcow2 *q, const Qcow2Open *o, GError **error)
{
    if (!qcow2_load(q, error) || !judge(q, o, error))
        return false;
    cache_init(&q->l2, q, "L2 table", l2_octets(q, o));
    cache_init(&q->refblocks, q, "refcount block", o->refcount_cache ? o->refcount_cache : 8u << 20);
    q->codec = qcow2_codec_new((uint8_t)q->header.compression);
    if (!load_snapshots(q, o->repair, error))
        return false;
    if (!(q->header.incompatible & QCOW2_DIRTY) || o->repair || q->image.read_only || o->inactive)
        return true;
    /* Whoever wrote it last did not close it: its counts are not to be trusted. */
    Qcow2Check result = {0};
    if (!qcow2_check(&q->image, QCOW2_REPAIR_ALL, &result, error))
        return false;
    if (!result.corruptions && !result.check_errors)
        return true;
    return refuse(q, FERRY_ERROR_DAMAGED, error,
                  "the image was not closed by who wrote it last, and %" PRIu64
                  " corruptions cannot be repaired: see 'qcow2-tool check'; it can be read",
                  result.corruptions + result.check_errors);
}

Image *qcow2_open(HostFile *file, const Qcow2Open *o, GError **error)
{
    Qcow2 *q = g_new0(Qcow2, 1);

    q->image.ops = &qcow2_ops;
    q->image.format = "qcow2";
    q->image.file = file;
    q->image.backing = o->backing;
    q->image.read_only = o->read_only || file->read_only;
    q->to_check = o->repair;
    q->data_file = o->data_file ? o->data_file : file;
    q->busy = g_hash_table_new(g_int64_hash, g_int64_equal);
    if (open_all(q, o, error))
        return &q->image;
    q->prepared = false;
    image_close(&q->image);
    return NULL;
}

const Qcow2Header *qcow2_header(const Image *image)
{
    return image->ops == &qcow2_ops ? &((const Qcow2 *)image)->header : NULL;
}
