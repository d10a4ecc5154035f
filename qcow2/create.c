/*
 * create.c: new qcow2 images.
 *
 * Source: the qcow2 specification. Everything a new image has lies in one row: header, refcount table, refcount blocks,
 * L1 table, L2 tables, data; so it is written from front to back, and the header last, when the rest is on stable
 * storage: until then the file is no image.
 */
#include <inttypes.h>
#include <string.h>

#include "qcow2/header.h"
#include "qcow2/qcow2-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

enum {
    CHUNK = 1 << 20,
    HEADER_LENGTH_2 = 72,
    HEADER_LENGTH_3 = 112,
    EXTENDED_CLUSTER_MIN = SUBCLUSTERS * HOST_SECTOR,
};

#define HOST_OFFSET_MAX (UINT64_C(1) << 56) /* what an entry can say */

/* The options with nothing left open, and how many clusters of which kind that makes, in this order in the file. */
typedef struct Plan {
    Qcow2Create o;
    unsigned cluster_bits, refcount_order, l2_bits;
    uint64_t size;
    uint64_t reftable, refblocks, l1, l2, data; /* clusters */
    uint64_t total;
    uint64_t l1_entries, guest_clusters;
    bool all_tables; /* every cluster of the disk has its L2 entry from the beginning */
} Plan;

static uint64_t divide_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

static bool refuse(GError **error, FerryError code, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool refuse(GError **error, FerryError code, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    if (error)
        *error = g_error_new_valist(FERRY_ERROR, (int)code, format, ap);
    va_end(ap);
    return false;
}

/* --- what is wanted --------------------------------------------------------------------------------------------- */

static bool is_power_of_2(uint64_t x, uint64_t min, uint64_t max)
{
    return x >= min && x <= max && (x & (x - 1)) == 0;
}

/* What version 3 brought. */
static bool judge_version(const Qcow2Create *o, GError **error)
{
    const struct {
        bool wanted;
        const char *what, *needs;
    } news[] = {
        {o->lazy_refcounts, "lazy refcounts", "they need"},
        {o->extended_l2, "extended L2 entries", "they need"},
        {o->zstd, "compression type zstd", "it needs"},
        {o->data_file, "data files", "they need"},
        {o->refcount_bits != 16, "refcounts of other than 16 bits", "they need"},
    };

    if (o->version != 2 && o->version != 3)
        return refuse(error, FERRY_ERROR_UNSUPPORTED, "version %u is not known, only 2 and 3", o->version);
    for (size_t i = 0; i < G_N_ELEMENTS(news) && o->version == 2; i++)
        if (news[i].wanted)
            return refuse(error, FERRY_ERROR_REFUSED, "version 2 (compat=0.10) has no %s: %s version 3", news[i].what,
                          news[i].needs);
    return true;
}

static bool judge_name(const char *name, const char *what, GError **error)
{
    size_t len = name ? strlen(name) : 1;

    if (len == 0)
        return refuse(error, FERRY_ERROR_REFUSED, "the name of the %s is empty", what);
    if (len > QCOW2_NAME_MAX)
        return refuse(error, FERRY_ERROR_LIMIT, "the name of the %s has %zu octets, at most %u", what, len,
                      QCOW2_NAME_MAX);
    return true;
}

static bool judge_files(const Qcow2Create *o, GError **error)
{
    if (!judge_name(o->backing, "backing file", error) || !judge_name(o->data_file, "data file", error))
        return false;
    if (o->backing_format && !o->backing)
        return refuse(error, FERRY_ERROR_REFUSED, "a backing format (%s) goes with a backing file", o->backing_format);
    if (o->backing_format && !judge_name(o->backing_format, "backing format", error))
        return false;
    if (o->data_file_raw && !o->data_file)
        return refuse(error, FERRY_ERROR_REFUSED, "data_file_raw goes with a data file");
    if (o->data_file_raw && o->backing)
        return refuse(error, FERRY_ERROR_REFUSED, "a data file that is raw has no place for what a backing file has");
    if (o->preallocation != QCOW2_PREALLOCATE_OFF && o->backing && !o->extended_l2)
        return refuse(error, FERRY_ERROR_REFUSED,
                      "preallocation would hide the backing file, but with extended L2 entries");
    return true;
}

static bool judge(const Qcow2Create *o, GError **error)
{
    if (!is_power_of_2(o->cluster_size, 512, QCOW2_CLUSTER_MAX))
        return refuse(error, FERRY_ERROR_UNSUPPORTED, "cluster size %" PRIu64 " is no power of 2 from 512 to %u",
                      o->cluster_size, QCOW2_CLUSTER_MAX);
    if (!is_power_of_2(o->refcount_bits, 1, 64))
        return refuse(error, FERRY_ERROR_UNSUPPORTED, "refcounts of %u bits: no power of 2 from 1 to 64",
                      o->refcount_bits);
    if (!judge_version(o, error))
        return false;
    if (o->extended_l2 && o->cluster_size < EXTENDED_CLUSTER_MIN)
        return refuse(error, FERRY_ERROR_REFUSED,
                      "extended L2 entries need a cluster size of at least %d, not %" PRIu64, EXTENDED_CLUSTER_MIN,
                      o->cluster_size);
    return judge_files(o, error);
}

/* --- how large that becomes ------------------------------------------------------------------------------------- */

/* Refcount blocks count themselves and their table, too. */
static void plan_refcounts(Plan *plan)
{
    uint64_t per_block = plan->o.cluster_size * 8 / plan->o.refcount_bits;
    uint64_t others = 1 + plan->l1 + plan->l2 + plan->data, before;

    plan->reftable = plan->refblocks = 0;
    do {
        before = plan->total;
        plan->total = others + plan->reftable + plan->refblocks;
        plan->refblocks = divide_up(plan->total, per_block);
        plan->reftable = divide_up(plan->refblocks * 8, plan->o.cluster_size);
    } while (plan->total != before);
}

static bool plan_size(Plan *plan, GError **error)
{
    uint64_t cluster = plan->o.cluster_size;
    unsigned bits = plan->cluster_bits + plan->l2_bits;
    uint64_t l1_max = QCOW2_L1_MAX / 8;

    if (plan->o.size > INT64_MAX - HOST_SECTOR)
        return refuse(error, FERRY_ERROR_LIMIT, "a size of %" PRIu64 " octets: at most %" PRIu64, plan->o.size,
                      (uint64_t)INT64_MAX / HOST_SECTOR * HOST_SECTOR);
    plan->size = (plan->o.size + HOST_SECTOR - 1) & ~(uint64_t)(HOST_SECTOR - 1);
    plan->guest_clusters = divide_up(plan->size, cluster);
    plan->l1_entries = divide_up(plan->guest_clusters, UINT64_C(1) << plan->l2_bits);
    if (plan->l1_entries > l1_max) {
        return refuse(error, FERRY_ERROR_LIMIT,
                      "a size of %" PRIu64 " octets needs an L1 table of %" PRIu64
                      " octets, at most %u: with a cluster size of %" PRIu64 " a disk has at most %" PRIu64 " octets",
                      plan->size, plan->l1_entries * 8, QCOW2_L1_MAX, cluster, l1_max << bits);
    }
    plan->l1 = divide_up(plan->l1_entries * 8, cluster);
    plan->l2 = plan->all_tables ? plan->l1_entries : 0;
    plan->data = plan->all_tables && !plan->o.data_file ? plan->guest_clusters : 0;
    plan_refcounts(plan);
    if (plan->reftable * cluster > QCOW2_REFTABLE_MAX)
        return refuse(error, FERRY_ERROR_LIMIT,
                      "a file of %" PRIu64 " octets needs a refcount table of %" PRIu64 " octets, at most %u",
                      plan->total * cluster, plan->reftable * cluster, QCOW2_REFTABLE_MAX);
    if (MAX(plan->total, plan->all_tables ? plan->guest_clusters : 0) > HOST_OFFSET_MAX / cluster)
        return refuse(error, FERRY_ERROR_LIMIT, "a size of %" PRIu64 " octets, all preallocated: at most %" PRIu64,
                      plan->size, HOST_OFFSET_MAX);
    return true;
}

static bool make_plan(Plan *plan, const Qcow2Create *options, GError **error)
{
    *plan = (Plan){.o = *options};
    Qcow2Create *o = &plan->o;
    o->version = o->version ? o->version : 3;
    o->cluster_size = o->cluster_size ? o->cluster_size : 64 << 10;
    o->refcount_bits = o->refcount_bits ? o->refcount_bits : 16;
    if (!judge(o, error))
        return false;
    plan->cluster_bits = (unsigned)g_bit_nth_lsf(o->cluster_size, -1);
    plan->refcount_order = (unsigned)g_bit_nth_lsf(o->refcount_bits, -1);
    plan->l2_bits = plan->cluster_bits - (o->extended_l2 ? 4 : 3);
    /* Who reads the data file without its image must see the same as who reads it through the tables. */
    plan->all_tables = o->preallocation != QCOW2_PREALLOCATE_OFF || o->data_file_raw;
    return plan_size(plan, error);
}

bool qcow2_measure(const Qcow2Create *options, uint64_t *required, uint64_t *fully_allocated, GError **error)
{
    Qcow2Create full = *options;
    Plan plan;

    /* a backing file has no say in how large tables are */
    full.backing = full.backing_format = NULL;
    full.preallocation = QCOW2_PREALLOCATE_METADATA;
    if (!make_plan(&plan, options, error) || !make_plan(&plan, &full, error))
        return false;
    *fully_allocated = plan.total * plan.o.cluster_size;
    *required = options->preallocation >= QCOW2_PREALLOCATE_FALLOCATE ? *fully_allocated
                                                                      : (plan.total - plan.data) * plan.o.cluster_size;
    return true;
}

/* --- writing it ------------------------------------------------------------------------------------------------- */

/* What is written from front to back, collected into large writes. */
typedef struct Row {
    HostFile *file;
    uint64_t offset; /* of the buffer */
    uint8_t *data;
    size_t len;
    GError **error;
    bool failed;
} Row;

/* In a file that was just made empty, zeros are there already. */
static void row_flush(Row *row)
{
    if (!row->failed && row->len && !(row->file->fresh_is_zero && bytes_are_zero(row->data, row->len)))
        row->failed = !host_file_write(row->file, row->offset, row->data, row->len, row->error);
    row->offset += row->len;
    row->len = 0;
}

/* Room for at most eight octets. */
static uint8_t *row_room(Row *row, size_t len)
{
    if (row->len + len > CHUNK)
        row_flush(row);
    row->len += len;
    return row->data + row->len - len;
}

static void row_number(Row *row, uint64_t x)
{
    store_be64(row_room(row, 8), x);
}

static void row_pad(Row *row, uint64_t cluster)
{
    while ((row->offset + row->len) % cluster)
        row_number(row, 0);
}

/* Every cluster there is has one reference. Counts of less than eight bits begin with the lowest bit of an octet. */
static void row_refcounts(Row *row, const Plan *plan)
{
    unsigned width = plan->o.refcount_bits;

    if (width >= 8) {
        for (uint64_t i = 0; i < plan->total && !row->failed; i++) {
            uint8_t *p = row_room(row, width / 8);
            memset(p, 0, width / 8);
            p[width / 8 - 1] = 1;
        }
    } else {
        unsigned per_octet = 8 / width;
        for (uint64_t left = plan->total; left && !row->failed; left -= MIN(left, per_octet)) {
            uint8_t octet = 0;
            for (unsigned i = 0; i < MIN(left, per_octet); i++)
                octet |= (uint8_t)(1u << (i * width));
            *row_room(row, 1) = octet;
        }
    }
    while ((row->offset + row->len) % 8)
        *row_room(row, 1) = 0;
    row_pad(row, plan->o.cluster_size);
}

static uint64_t l2_cluster(const Plan *plan)
{
    return 1 + plan->reftable + plan->refblocks + plan->l1;
}

/* In an external file, a cluster lies where it is on the disk. */
static void row_tables(Row *row, const Plan *plan)
{
    uint64_t cluster = plan->o.cluster_size, l2 = l2_cluster(plan);
    uint64_t host = plan->o.data_file ? 0 : (l2 + plan->l2) * cluster;

    for (uint64_t i = 0; i < plan->l1_entries; i++)
        row_number(row, plan->all_tables ? (l2 + i) * cluster | ENTRY_COPIED : 0);
    row_pad(row, cluster);
    if (!plan->all_tables)
        return;
    for (uint64_t i = 0; i < plan->guest_clusters && !row->failed; i++) {
        row_number(row, (host + i * cluster) | ENTRY_COPIED);
        /* over a backing file the room is there, and its contents are not ours yet */
        if (plan->o.extended_l2)
            row_number(row, plan->o.backing ? 0 : UINT32_MAX);
    }
    row_pad(row, cluster);
}

static bool write_metadata(HostFile *file, const Plan *plan, GError **error)
{
    uint64_t cluster = plan->o.cluster_size;
    g_autofree uint8_t *buffer = g_malloc(CHUNK);
    Row row = {.file = file, .offset = cluster, .data = buffer, .error = error};

    for (uint64_t i = 0; i < plan->refblocks; i++)
        row_number(&row, (1 + plan->reftable + i) * cluster);
    row_pad(&row, cluster);
    row_refcounts(&row, plan);
    row_tables(&row, plan);
    row_flush(&row);
    return !row.failed;
}

static bool write_zeros(HostFile *file, uint64_t offset, uint64_t len, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc0(CHUNK);

    for (uint64_t n; len; offset += n, len -= n) {
        n = MIN(len, CHUNK);
        if (!host_file_write(file, offset, buffer, n, error))
            return false;
    }
    return true;
}

/* Where the guest's data will be. What was on a device before must not show. */
static bool write_data(HostFile *file, const Plan *plan, uint64_t offset, uint64_t len, GError **error)
{
    if (file->fresh_is_zero && !host_file_truncate(file, offset + len, error))
        return false;
    if (plan->o.preallocation == QCOW2_PREALLOCATE_FULL)
        return write_zeros(file, offset, len, error);
    if (plan->o.preallocation == QCOW2_PREALLOCATE_FALLOCATE || (plan->all_tables && !file->fresh_is_zero))
        return host_file_zero(file, offset, len, error);
    return true;
}

static bool write_data_file(HostFile *file, const Plan *plan, GError **error)
{
    return (!file->fresh_is_zero || host_file_truncate(file, 0, error)) &&
           write_data(file, plan, 0, plan->size, error) && host_file_sync(file, error);
}

/* Makes it empty, or what is on a device no image. */
static bool forget_old(HostFile *file, GError **error)
{
    static const uint8_t nothing[HOST_SECTOR];

    if (file->fresh_is_zero)
        return host_file_truncate(file, 0, error);
    return host_file_write(file, 0, nothing, sizeof nothing, error) && host_file_sync(file, error);
}

static GByteArray *header_octets(const Plan *plan, bool names, GError **error)
{
    const Qcow2Create *o = &plan->o;
    Qcow2Header header = {
        .version = o->version,
        .cluster_bits = plan->cluster_bits,
        .size = plan->size,
        .l1_size = (uint32_t)plan->l1_entries,
        .l1_offset = plan->l1 ? (1 + plan->reftable + plan->refblocks) * o->cluster_size : 0,
        .reftable_offset = o->cluster_size,
        .reftable_clusters = (uint32_t)plan->reftable,
        .incompatible = (o->zstd ? QCOW2_COMPRESSION : 0) | (o->extended_l2 ? QCOW2_EXTENDED_L2 : 0) |
                        (o->data_file ? QCOW2_DATA_FILE : 0),
        .compatible = o->lazy_refcounts ? QCOW2_LAZY_REFCOUNTS : 0,
        .autoclear = o->data_file_raw ? QCOW2_DATA_FILE_RAW : 0,
        .refcount_order = plan->refcount_order,
        .header_length = o->version == 2 ? HEADER_LENGTH_2 : HEADER_LENGTH_3,
        .compression = o->zstd ? QCOW2_COMPRESSION_ZSTD : QCOW2_COMPRESSION_ZLIB,
        .backing = g_strdup(o->backing),
        .extensions = g_array_new(FALSE, FALSE, sizeof(Qcow2Extension)),
    };

    if (o->backing_format)
        qcow2_header_set_extension(&header, QCOW2_EXT_BACKING_FORMAT,
                                   g_bytes_new(o->backing_format, strlen(o->backing_format)));
    if (o->data_file)
        qcow2_header_set_extension(&header, QCOW2_EXT_DATA_FILE, g_bytes_new(o->data_file, strlen(o->data_file)));
    if (names)
        qcow2_header_set_extension(&header, QCOW2_EXT_FEATURE_NAMES, qcow2_header_feature_names());
    GByteArray *octets = qcow2_header_octets(&header, error);
    qcow2_header_clear(&header);
    return octets;
}

/* The names of features are left out where they have no room: in clusters of 512 octets, as QEMU does. */
static GByteArray *make_header(const Plan *plan, GError **error)
{
    GByteArray *octets = plan->o.version >= 3 ? header_octets(plan, true, NULL) : NULL;

    return octets ? octets : header_octets(plan, false, error);
}

static bool create(HostFile *file, HostFile *data_file, const Plan *plan, GError **error)
{
    g_autoptr(GByteArray) header = make_header(plan, error);
    uint64_t data = (l2_cluster(plan) + plan->l2) * plan->o.cluster_size;

    if (!header || !forget_old(file, error) || !write_metadata(file, plan, error))
        return false;
    if (data_file && !write_data_file(data_file, plan, error))
        return false;
    return write_data(file, plan, data, plan->data * plan->o.cluster_size, error) && host_file_sync(file, error) &&
           host_file_write(file, 0, header->data, header->len, error) && host_file_sync(file, error);
}

bool qcow2_create(HostFile *file, HostFile *data_file, const Qcow2Create *options, GError **error)
{
    Plan plan;

    if (!make_plan(&plan, options, error)) {
        g_prefix_error(error, "%s: ", file->path);
        return false;
    }
    if (!options->data_file != !data_file)
        return refuse(error, FERRY_ERROR_REFUSED, "%s: %s", file->path,
                      data_file ? "there is a data file, but no name for it" : "the data file is not open");
    return create(file, data_file, &plan, error);
}
