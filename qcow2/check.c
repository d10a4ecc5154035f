/*
 * check.c: are the counts right, and the tables sound? See check-impl.h for how a pass goes.
 */
#include <inttypes.h>
#include <string.h>

#include "qcow2/check-impl.h"
#include "qcow2/data-impl.h"
#include "visitors/error.h"

/* --- what is found ------------------------------------------------------------------------------------------------ */

static void say(Check *c, const char *format, va_list arguments, uint64_t times)
{
    if (!c->loud || !c->result->found)
        return;
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    g_autofree char *often = times > 1 ? g_strdup_printf("%s (%" PRIu64 " times)", text, times) : NULL;
    c->result->found(c->result->opaque, often ? often : text);
}

void check_corrupt(Check *c, uint64_t times, const char *format, ...)
{
    va_list arguments;

    c->corruptions += times;
    va_start(arguments, format);
    say(c, format, arguments, times);
    va_end(arguments);
}

void check_leak(Check *c, const char *format, ...)
{
    va_list arguments;

    c->leaks++;
    va_start(arguments, format);
    say(c, format, arguments, 1);
    va_end(arguments);
}

static void error_found(Check *c, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void error_found(Check *c, const char *format, ...)
{
    va_list arguments;

    c->check_errors++;
    va_start(arguments, format);
    say(c, format, arguments, 1);
    va_end(arguments);
}

void check_unread(Check *c, const char *what, uint64_t offset, const char *cause)
{
    c->blind = true;
    error_found(c, "%s at 0x%" PRIx64 ": cannot be read: %s", what, offset, cause);
}

bool check_is_inside(const Check *c, uint64_t offset, uint64_t len)
{
    return offset <= UINT64_MAX - len && (offset + len <= c->length || offset + len - c->length < c->cluster_size);
}

bool check_refer(Check *c, uint64_t offset, uint64_t len, uint64_t times, unsigned kind)
{
    if (G_UNLIKELY(len == 0))
        return true;
    if (G_UNLIKELY(!check_is_inside(c, offset, len)))
        return false;
    uint64_t end = offset + len;
    for (uint64_t cluster = offset >> c->cluster_bits; cluster <= (end - 1) >> c->cluster_bits; cluster++)
        refs_add(&c->refs, cluster, times, kind);
    return true;
}

/* --- a pass ------------------------------------------------------------------------------------------------------- */

static void done(Check *c)
{
    refs_done(&c->refs);
    g_clear_pointer(&c->one, g_free);
    g_clear_pointer(&c->wrong, g_free);
    g_clear_pointer(&c->reftable, g_free);
    g_clear_pointer(&c->blocks, g_free);
    g_clear_pointer(&c->l1_ranges, g_array_unref);
    g_clear_pointer(&c->bitmap_ranges, g_array_unref);
    g_clear_pointer(&c->alone, g_array_unref);
    g_clear_pointer(&c->l2, g_array_unref);
    g_clear_pointer(&c->table, g_byte_array_unref);
}

static bool init(Check *c, GError **error)
{
    const Qcow2Header *h = c->header;

    done(c);
    c->cluster_bits = h->cluster_bits;
    c->cluster_size = qcow2_cluster_size(h);
    c->refblock_bits = h->cluster_bits + 3 - h->refcount_order;
    c->extended = h->incompatible & QCOW2_EXTENDED_L2;
    c->data_file = h->incompatible & QCOW2_DATA_FILE;
    c->l2_entry = c->extended ? 16 : 8;
    c->length = host_file_length(c->file);
    /* What begins in front of the end of the file may end behind it, by less than a cluster. */
    c->clusters = (c->length >> c->cluster_bits) + 2;
    c->whole = (c->length >> c->cluster_bits) + !!(c->length & (c->cluster_size - 1));
    c->l1_ranges = g_array_new(FALSE, FALSE, sizeof(Range));
    c->bitmap_ranges = g_array_new(FALSE, FALSE, sizeof(Range));
    c->alone = g_array_new(FALSE, FALSE, sizeof(Range));
    c->l2 = g_array_new(FALSE, FALSE, sizeof(L2Ref));
    c->table = g_byte_array_new();
    c->table_count = 0;
    c->blind = c->unsound = c->table_wrong = false;
    c->misaligned = 0;
    c->far_at = 0;
    c->corruptions = c->leaks = c->check_errors = c->image_end = 0;
    c->allocated = c->fragmented = c->compressed = c->copied_wrong = c->repairable = 0;
    if (!refs_init(&c->refs, c->clusters, c->file->path, error))
        return false;
    c->one = g_malloc0(c->clusters / 8 + 1);
    c->wrong = g_malloc0(c->clusters / 8 + 1);
    return true;
}

bool check_pass(Check *c, GError **error)
{
    if (!init(c, error) || !check_load_counts(c, error) || !check_areas(c, error) || !check_walk(c, error))
        return false;
    check_compare_counts(c);
    check_alone(c);
    return true;
}

static void report(const Check *c, Qcow2Check *result)
{
    result->corruptions = c->corruptions;
    result->leaks = c->leaks;
    result->check_errors = c->check_errors;
    result->image_end = c->image_end;
    result->clusters = (c->header->size >> c->cluster_bits) + !!(c->header->size & (c->cluster_size - 1));
    result->allocated = c->allocated;
    result->fragmented = c->fragmented;
    result->compressed = c->compressed;
}

bool qcow2_check_file(HostFile *file, Qcow2Header *header, unsigned repair, Qcow2Check *result, GError **error)
{
    Check c = {.file = file, .header = header, .result = result, .loud = true};

    result->corruptions_fixed = result->leaks_fixed = 0;
    bool ok = check_pass(&c, error);
    if (ok && repair)
        ok = check_repair(&c, repair, error);
    report(&c, result);
    done(&c);
    return ok;
}

bool qcow2_check(Image *image, unsigned repair, Qcow2Check *result, GError **error)
{
    Qcow2 *q = qcow2_of(image);

    image_drain(image);
    if (repair && q->broken && q->prepared) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "%s: cannot be repaired while it is open: what is in memory is not to be trusted",
                    image->file->path);
        return false;
    }
    if (!qcow2_settle(q, error))
        return false;
    bool ok = qcow2_check_file(image->file, &q->header, repair, result, error);
    if (!repair)
        return ok;
    /* Whatever it did, and even if it could not go on: the file is what counts. */
    cache_forget_all(&q->l2);
    cache_forget_all(&q->refblocks);
    q->compress_at = 0;
    q->broken = false;
    g_clear_pointer(&q->corruption, g_free);
    if (!qcow2_load(q, ok ? error : NULL)) {
        q->broken = true;
        return false;
    }
    if (q->header.incompatible & QCOW2_CORRUPT || !qcow2_load_snapshots(q, NULL))
        q->broken = true;
    return ok;
}
