/* block-info.c: a Vm's disks as the nodes that QMP tells of. */
#include "emu/qmp/block-info.h"

#include <string.h>
#include <sys/stat.h>

#include "emu/block/blk-qcow2.h"
#include "qcow2/header.h"
#include "visitors/uuid.h"

#define NS UINT64_C(1000000000)

/* --- nodes -------------------------------------------------------------------------------------------------------- */

static void node_free(void *data)
{
    BlockNode *n = data;

    g_free(n->name);
    g_free(n);
}

/* The open image of a disk, also of one that another uses as what is behind it. NULL: it is a raw one. */
static const Image *image_of(const VmDisk *d)
{
    if (d->block)
        return blk_qcow2_image(d->block);
    if (!d->above || d->above->parts[VM_PART_BACKING] != d)
        return NULL;
    const Image *front = image_of(d->above);
    return front ? front->backing : NULL;
}

static uint64_t file_length(const char *path, uint64_t otherwise)
{
    struct stat status;

    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return otherwise;
    return ((uint64_t)status.st_size + HOST_SECTOR - 1) / HOST_SECTOR * HOST_SECTOR;
}

/* As it is used now: what another node uses is opened as that says. */
static bool is_read_only(const VmDisk *d)
{
    const VmDisk *above = d->above;

    return d->options.read_only || (above && (above->parts[VM_PART_BACKING] == d || is_read_only(above)));
}

static BlockNode *add(GPtrArray *all, const VmDisk *d, const char *path, const char *driver, char *name)
{
    BlockNode *n = g_new0(BlockNode, 1);

    *n = (BlockNode){.disk = d, .path = path, .driver = driver, .name = name, .read_only = is_read_only(d)};
    g_ptr_array_add(all, n);
    return n;
}

static const char *file_driver(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISBLK(status.st_mode) ? "host_device" : "file";
}

static void add_file(GPtrArray *all, const VmDisk *d, const BlockNode *image, char *name)
{
    BlockNode *n = add(all, d, image->path, file_driver(image->path), name);

    n->length = file_length(n->path, image->length);
    n->read_only = image->read_only;
    n->depth = image->depth;
    n->is_file = true;
}

static BlockNode *add_image(GPtrArray *all, const VmDisk *d, const Image *image, char *name)
{
    BlockNode *n = add(all, d, image->file->path, image->format, name);

    n->image = image;
    n->length = image->length;
    n->read_only = image->read_only;
    return n;
}

/* Those that have no name of their own are called after the one in front. */
static void add_behind(GPtrArray *all, const VmDisk *d, const Image *image)
{
    const char *front = d->is_node ? d->id : d->node;

    for (unsigned depth = 1; (image = image->backing); depth++) {
        BlockNode *n = add_image(all, d, image, g_strdup_printf("#%s.%u", front + (*front == '#'), depth));
        n->depth = depth;
        add_file(all, d, n, g_strdup_printf("#%s.%u.file", front + (*front == '#'), depth));
    }
}

GPtrArray *block_nodes_new(const VmDisk *d)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(node_free);
    const Image *image = image_of(d);
    BlockNode *n;

    if (!d->path)
        return all;
    if (image) {
        n = add_image(all, d, image, g_strdup(d->is_node ? d->id : d->node));
    } else {
        n = add(all, d, d->path, d->about, g_strdup(d->is_node ? d->id : d->node));
        n->length = d->block ? block_length(d->block) : file_length(d->path, 0);
    }
    if (!d->is_node)
        add_file(all, d, n, g_strdup(d->file_node));
    if (image && !d->parts[VM_PART_BACKING])
        add_behind(all, d, image);
    return all;
}

/* --- images ------------------------------------------------------------------------------------------------------- */

static char *uuid_new(const uint8_t uuid[UUID_OCTETS])
{
    char *text = uuid_is_null(uuid) ? NULL : g_malloc(UUID_TEXT);

    if (text)
        uuid_text(uuid, text);
    return text;
}

static QmpSnapshotInfo *snapshot_new(const Qcow2Snapshot *s)
{
    QmpSnapshotInfo *info = g_new0(QmpSnapshotInfo, 1);

    info->id = g_strdup(s->id);
    info->name = g_strdup(s->name);
    info->vm_state_size = (int64_t)s->vm_state_size;
    info->date_sec = s->date_sec;
    info->date_nsec = s->date_nsec;
    info->vm_clock_sec = (int64_t)(s->vm_clock_ns / NS);
    info->vm_clock_nsec = (int64_t)(s->vm_clock_ns % NS);
    info->has_icount = s->has_icount;
    info->icount = (int64_t)s->icount;
    info->uuid = s->has_uuid ? uuid_new(s->uuid) : NULL;
    info->parent_uuid = s->has_uuid ? uuid_new(s->parent) : NULL;
    return info;
}

static void set_snapshots(QmpImageInfo *info, const Image *image)
{
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    info->has_snapshots = count > 0;
    info->snapshots.items = g_new0(QmpSnapshotInfo *, count);
    for (; info->snapshots.count < count; info->snapshots.count++)
        info->snapshots.items[info->snapshots.count] = snapshot_new(all[info->snapshots.count]);
}

static char *extension_text(const Qcow2Header *header, uint32_t type)
{
    GBytes *data = qcow2_header_extension(header, type);

    return data ? g_strndup(g_bytes_get_data(data, NULL), g_bytes_get_size(data)) : NULL;
}

static void set_specific(QmpImageInfo *info, const Qcow2Header *h)
{
    QmpImageInfoSpecificQCow2 *q = g_new0(QmpImageInfoSpecificQCow2, 1);
    bool new = h->version >= 3;

    q->compat = g_strdup(new ? "1.1" : "0.10");
    q->compression_type =
        h->compression == QCOW2_COMPRESSION_ZSTD ? QMP_QCOW2_COMPRESSION_TYPE_ZSTD : QMP_QCOW2_COMPRESSION_TYPE_ZLIB;
    q->refcount_bits = INT64_C(1) << h->refcount_order;
    q->data_file = extension_text(h, QCOW2_EXT_DATA_FILE);
    q->has_data_file_raw = q->data_file;
    q->data_file_raw = h->autoclear & QCOW2_DATA_FILE_RAW;
    q->has_lazy_refcounts = q->has_corrupt = q->has_extended_l2 = new;
    q->lazy_refcounts = h->compatible & QCOW2_LAZY_REFCOUNTS;
    q->corrupt = h->incompatible & QCOW2_CORRUPT;
    q->extended_l2 = h->incompatible & QCOW2_EXTENDED_L2;
    info->format_specific = g_new0(QmpImageInfoSpecific, 1);
    info->format_specific->type = QMP_IMAGE_INFO_SPECIFIC_KIND_QCOW2;
    info->format_specific->u.qcow2 = g_new0(QmpImageInfoSpecificQCow2Wrapper, 1);
    info->format_specific->u.qcow2->data = q;
}

static void set_qcow2(QmpImageInfo *info, const Image *image, const Qcow2Header *h)
{
    info->dirty_flag = h->incompatible & QCOW2_DIRTY;
    info->has_cluster_size = true;
    info->cluster_size = qcow2_cluster_size(h);
    info->backing_filename = g_strdup(h->backing);
    info->full_backing_filename = image->backing ? g_strdup(image->backing->file->path) : NULL;
    info->backing_filename_format = extension_text(h, QCOW2_EXT_BACKING_FORMAT);
    set_snapshots(info, image);
    set_specific(info, h);
}

static QmpImageInfo *image_new(const char *path, const char *format, uint64_t length, const Image *image, bool flat)
{
    const Qcow2Header *header = image ? qcow2_header(image) : NULL;
    QmpImageInfo *info = g_new0(QmpImageInfo, 1);
    struct stat status;

    info->filename = g_strdup(path);
    info->format = g_strdup(format);
    info->virtual_size = (int64_t)length;
    info->has_dirty_flag = true;
    info->has_actual_size = stat(path, &status) == 0;
    if (info->has_actual_size)
        info->actual_size = (int64_t)status.st_blocks * 512;
    if (header)
        set_qcow2(info, image, header);
    if (image && image->backing && !flat) {
        const Image *behind = image->backing;
        info->backing_image = image_new(behind->file->path, behind->format, behind->length, behind, false);
    }
    return info;
}

QmpBlockDeviceInfo *block_device_info_new(const BlockNode *n, bool flat)
{
    QmpBlockDeviceInfo *info = g_new0(QmpBlockDeviceInfo, 1);
    HostCache cache = (n->disk->above ? n->disk->above : n->disk)->options.cache;

    info->file = g_strdup(n->path);
    info->node_name = g_strdup(n->name);
    info->ro = n->read_only;
    info->drv = g_strdup(n->driver);
    info->backing_file = n->image && n->image->backing ? g_strdup(n->image->backing->file->path) : NULL;
    for (const Image *i = n->image; i && i->backing; i = i->backing)
        info->backing_file_depth++;
    info->detect_zeroes = (QmpBlockdevDetectZeroesOptions)(n->is_file || n->depth ? 0 : n->disk->detect_zeroes);
    info->image = image_new(n->path, n->driver, n->length, n->image, flat);
    info->cache = g_new0(QmpBlockdevCacheInfo, 1);
    info->cache->writeback = cache != HOST_CACHE_WRITETHROUGH && cache != HOST_CACHE_DIRECTSYNC;
    info->cache->direct = cache == HOST_CACHE_NONE || cache == HOST_CACHE_DIRECTSYNC;
    info->cache->no_flush = cache == HOST_CACHE_UNSAFE;
    return info;
}
