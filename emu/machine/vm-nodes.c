/*
 * vm-nodes.c: a Vm's disks as users put them together: -blockdev, blockdev-add.
 *
 * A node that another one uses is closed meanwhile, since that one opens its file itself, with all that is behind it.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emu/block/blk-qcow2.h"
#include "emu/machine/vm-impl.h"
#include "qapi/types.h"
#include "qcow2/qcow2.h"
#include "visitors/words.h"

typedef struct Place {
    VmDisk *above;  /* what uses it, and has made it; NULL: nobody */
    bool is_opened; /* later, by who uses it; otherwise now */
} Place;

static VmDisk *add(Vm *vm, const QmpBlockdevOptions *o, Place place, GError **error);

G_GNUC_PRINTF(3, 4) static bool refuse(GError **error, const char *name, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "node '%s': %s", name, why);
    return false;
}

static bool is_format(const VmDisk *d)
{
    return g_str_equal(d->about, "raw") || g_str_equal(d->about, "qcow2");
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

static bool check_kind(const VmDisk *d, const char *path, GError **error)
{
    bool device = g_str_equal(d->about, "host_device");
    struct stat status;

    /* That it is not there is better told by who opens it. */
    if (stat(path, &status) != 0 || (device ? S_ISBLK(status.st_mode) : S_ISREG(status.st_mode)))
        return true;
    return refuse(error, d->id, "'%s' is no %s", d->path,
                  device ? "block device (driver 'file'?)" : "regular file (driver 'host_device'?)");
}

/* What an image is opened with that is behind another; `all` owns them. */
static const ImagePath *path_of(const Vm *vm, const VmDisk *d, GPtrArray *all, GError **error)
{
    ImagePath *path = g_new0(ImagePath, 1);
    char *text = fd_sets_path(vm->fd_sets, d->path, O_RDONLY, error);

    g_ptr_array_add(all, path);
    if (!text)
        return NULL;
    g_ptr_array_add(all, text);
    path->path = text;
    path->format = g_str_equal(d->about, "qcow2") ? "qcow2" : "raw";
    path->no_backing = d->no_backing;
    if (!d->parts[VM_PART_BACKING])
        return path;
    path->backing = path_of(vm, d->parts[VM_PART_BACKING], all, error);
    return path->backing ? path : NULL;
}

static Block *open_qcow2(const Vm *vm, const VmDisk *d, const BlkRaw *options, GError **error)
{
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    const VmDisk *behind = d->parts[VM_PART_BACKING], *data = d->parts[VM_PART_DATA];
    const ImagePath *backing = behind ? path_of(vm, behind, paths, error) : NULL;
    g_autofree char *data_file = data && (backing || !behind) ? vm_disk_path(vm, data, error) : NULL;

    if ((behind && !backing) || (data && !data_file))
        return NULL;
    return blk_qcow2_open_with(options,
                               &(BlkQcow2Parts){.no_backing = d->no_backing,
                                                .backing = backing,
                                                .data_file = data_file,
                                                .l2_cache = d->l2_cache,
                                                .refcount_cache = d->refcount_cache},
                               error);
}

/* One that has that file open; NULL: nobody here. */
static const VmDisk *find_same_file(const Vm *vm, const VmDisk *d)
{
    for (unsigned i = 0; i < vm->disks->len; i++) {
        const VmDisk *other = vm->disks->pdata[i];
        if (other != d && other->block && other->id && g_str_equal(other->path, d->path))
            return other;
    }
    return NULL;
}

static bool open_node(const Vm *vm, VmDisk *d, GError **error)
{
    g_autofree char *path = vm_disk_path(vm, d, error);
    d->options.context = vm->context;
    d->options.inactive = vm->state == VM_INMIGRATE || (vm->options->incoming && !vm->made);
    if (!path) {
        g_prefix_error(error, "node '%s': ", d->id);
        return false;
    }
    if (!is_format(d) && !check_kind(d, path, error))
        return false;
    BlkRaw options = d->options;
    options.path = path;
    d->block = g_str_equal(d->about, "qcow2") ? open_qcow2(vm, d, &options, error) : blk_raw_open(&options, error);
    if (d->block)
        return true;
    const VmDisk *other = find_same_file(vm, d);
    if (other)
        g_prefix_error(error, "'%s' has the same file: ", other->id);
    g_prefix_error(error, "node '%s': ", d->id);
    return false;
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

static void forget(Vm *vm, VmDisk *d)
{
    g_ptr_array_remove(vm->disks, d);
}

/* Those that it has made go, others are opened again; false: one of these cannot be. It is gone, then. */
static bool drop_parts(Vm *vm, VmDisk *d, GError **error)
{
    bool ok = true;

    for (size_t i = 0; i < VM_PART_COUNT; i++) {
        VmDisk *part = g_steal_pointer(&d->parts[i]);
        if (!part)
            continue;
        part->above = NULL;
        if (part->is_private)
            drop_parts(vm, part, NULL);
        else if (open_node(vm, part, ok ? error : NULL))
            continue;
        else
            ok = false;
        forget(vm, part);
    }
    return ok;
}

static VmDisk *find_free(const Vm *vm, const char *for_whom, const char *name, GError **error)
{
    VmDisk *d = vm_find_disk(vm, name);
    g_autofree char *by = d ? vm_disk_user(d) : NULL;

    if (!d || !d->is_node)
        refuse(error, for_whom, "there is no node '%s'", name);
    else if (by)
        refuse(error, for_whom, "the node '%s' is used by %s", name, by);
    else
        return d;
    return NULL;
}

static bool add_part(Vm *vm, VmDisk *d, VmPart which, const QmpBlockdevRef *ref, GError **error)
{
    if (!ref)
        return true;
    bool made = ref->kind == QMP_BLOCKDEV_REF_KIND_DEFINITION;
    VmDisk *part =
        made ? add(vm, ref->u.definition, (Place){d, true}, error) : find_free(vm, d->id, ref->u.reference, error);
    if (!part)
        return false;
    d->parts[which] = part;
    part->above = d;
    g_clear_pointer(&part->block, block_free);
    if (which != VM_PART_BACKING && is_format(part))
        return refuse(error, d->id, "'%s' has driver '%s'; what a file is for has driver 'file' or 'host_device'",
                      part->id, part->about);
    return true;
}

static bool add_backing(Vm *vm, VmDisk *d, const QmpBlockdevRefOrNull *ref, GError **error)
{
    QmpBlockdevRef plain;

    if (!ref)
        return true;
    d->no_backing = ref->kind == QMP_BLOCKDEV_REF_OR_NULL_KIND_NULL ||
                    (ref->kind == QMP_BLOCKDEV_REF_OR_NULL_KIND_REFERENCE && !*ref->u.reference);
    if (d->no_backing)
        return true;
    if (ref->kind == QMP_BLOCKDEV_REF_OR_NULL_KIND_DEFINITION)
        plain = (QmpBlockdevRef){.kind = QMP_BLOCKDEV_REF_KIND_DEFINITION, .u.definition = ref->u.definition};
    else
        plain = (QmpBlockdevRef){.kind = QMP_BLOCKDEV_REF_KIND_REFERENCE, .u.reference = ref->u.reference};
    return add_part(vm, d, VM_PART_BACKING, &plain, error);
}

static bool add_parts(Vm *vm, VmDisk *d, const QmpBlockdevOptions *o, GError **error)
{
    const QmpBlockdevOptionsQcow2 *qcow2 = o->driver == QMP_BLOCKDEV_DRIVER_QCOW2 ? o->u.qcow2 : NULL;

    if (!add_part(vm, d, VM_PART_FILE, qcow2 ? qcow2->file : o->u.raw->file, error))
        return false;
    const VmDisk *file = d->parts[VM_PART_FILE];
    d->path = g_strdup(file->path);
    d->options.read_only |= file->options.read_only;
    d->options.discard |= file->options.discard;
    d->options.shared |= file->options.shared;
    d->options.engine = file->options.engine;
    if (d->options.cache == HOST_CACHE_WRITEBACK || file->options.cache == HOST_CACHE_UNSAFE)
        d->options.cache = file->options.cache;
    if (!qcow2)
        return true;
    if ((qcow2->has_l2_cache_size && qcow2->l2_cache_size < 1) ||
        (qcow2->has_refcount_cache_size && qcow2->refcount_cache_size < 1))
        return refuse(error, d->id, "a cache has at least 1 octet");
    d->l2_cache = (uint64_t)qcow2->l2_cache_size;
    d->refcount_cache = (uint64_t)qcow2->refcount_cache_size;
    return add_backing(vm, d, qcow2->backing, error) && add_part(vm, d, VM_PART_DATA, qcow2->data_file, error);
}

/* --- making ------------------------------------------------------------------------------------------------------- */

/* As QEMU's: a letter, then letters, digits and -._ */
static bool check_name(const Vm *vm, const char *name, GError **error)
{
    if (!words_is_identifier(name) || strlen(name) > 31)
        return refuse(error, name,
                      "this is no name (accepted: a letter, then letters, digits, '-', '.' and '_', 31 in all)");
    const VmDisk *other = vm_find_disk(vm, name);
    return !other || refuse(error, name, "there is %s of this name already", other->is_node ? "a node" : "a drive");
}

static void set_file(VmDisk *d, const QmpBlockdevOptions *o)
{
    const QmpBlockdevOptionsFile *file = o->u.file;

    d->path = g_strdup(file->filename);
    d->options.shared |= file->has_locking && file->locking == QMP_ON_OFF_AUTO_OFF;
    d->options.engine =
        file->has_aio && file->aio != QMP_BLOCKDEV_AIO_OPTIONS_THREADS ? HOST_ENGINE_URING : HOST_ENGINE_AUTO;
}

/* A file that cannot be written is only read. */
static void settle_read_only(const Vm *vm, VmDisk *d, const QmpBlockdevOptions *o)
{
    bool ours = d->path && g_str_has_prefix(d->path, "/dev/fdset/");

    if (o->auto_read_only && d->path && (ours ? fd_sets_only_read(vm->fd_sets, d->path) : access(d->path, W_OK) != 0))
        d->options.read_only = true;
}

static bool set_options(VmDisk *d, const QmpBlockdevOptions *o, GError **error)
{
    const QmpBlockdevCacheOptions *cache = o->cache;

    d->about = qmp_BlockdevDriver_name(o->driver);
    d->detect_zeroes = o->detect_zeroes;
    d->options = (BlkRaw){
        .read_only = o->read_only,
        .shared = o->force_share,
        .discard = o->discard == QMP_BLOCKDEV_DISCARD_OPTIONS_UNMAP,
        .cache = cache && cache->no_flush ? HOST_CACHE_UNSAFE
                 : cache && cache->direct ? HOST_CACHE_NONE
                                          : HOST_CACHE_WRITEBACK,
    };
    return !o->force_share || o->read_only || refuse(error, d->id, "with force-share it must be read-only, too");
}

/* New, and one of the disks; NULL: as if nothing had been. */
static VmDisk *add(Vm *vm, const QmpBlockdevOptions *o, Place place, GError **error)
{
    g_autofree char *name = o->node_name ? g_strdup(o->node_name) : vm_node_name(vm);

    if (!o->node_name && !place.above) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "node-name: a node that others are to find needs a name");
        return NULL;
    }
    if (o->node_name && !check_name(vm, name, error))
        return NULL;
    VmDisk *d = vm_disk_new(vm, name, NULL);
    bool format = o->driver == QMP_BLOCKDEV_DRIVER_RAW || o->driver == QMP_BLOCKDEV_DRIVER_QCOW2;
    d->is_node = true;
    d->is_private = place.above;
    if (set_options(d, o, error)) {
        if (!format)
            set_file(d, o);
        bool ok = !format || add_parts(vm, d, o, error);
        settle_read_only(vm, d, o);
        if (ok && (place.is_opened || open_node(vm, d, error)))
            return d;
    }
    drop_parts(vm, d, NULL);
    forget(vm, d);
    return NULL;
}

bool vm_add_node(Vm *vm, const QmpBlockdevOptions *options, GError **error)
{
    return add(vm, options, (Place){NULL, false}, error);
}

bool vm_remove_node(Vm *vm, const char *name, GError **error)
{
    VmDisk *d = vm_find_disk(vm, name);
    g_autofree char *by = d ? vm_disk_user(d) : NULL;

    if (!d || !d->is_node)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "there is no node '%s'", name);
    else if (by)
        refuse(error, name, "it is used by %s", by);
    else {
        g_clear_pointer(&d->block, block_free);
        bool ok = drop_parts(vm, d, error);
        forget(vm, d);
        return ok;
    }
    return false;
}

/* --- for jobs ----------------------------------------------------------------------------------------------------- */

VmDisk *vm_borrow_node(Vm *vm, const char *name, const char *job, GError **error)
{
    VmDisk *d = vm_find_disk(vm, name);
    g_autofree char *by = d ? vm_disk_user(d) : NULL;

    if (!d || !d->is_node)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "there is no node '%s'", name);
    else if (by)
        refuse(error, name, "it is used by %s", by);
    else if (is_format(d))
        refuse(error, name, "it has driver '%s'; an image is made in one of 'file' or 'host_device'", d->about);
    else if (d->options.read_only)
        refuse(error, name, "it is read-only");
    else {
        g_clear_pointer(&d->block, block_free);
        d->job = g_strdup(job);
        return d;
    }
    return NULL;
}

bool vm_return_node(Vm *vm, VmDisk *d, GError **error)
{
    g_clear_pointer(&d->job, g_free);
    if (open_node(vm, d, error))
        return true;
    forget(vm, d);
    return false;
}

/* --- -blockdev ---------------------------------------------------------------------------------------------------- */

static bool is_named(const QmpBlockdevRef *ref, const char *name)
{
    return ref && ref->kind == QMP_BLOCKDEV_REF_KIND_REFERENCE && g_str_equal(ref->u.reference, name);
}

/* Does another one of them use it? */
static bool is_used(const QmpBlockdevOptionsList *all, const char *name)
{
    for (size_t i = 0; i < all->count; i++) {
        const QmpBlockdevOptions *b = all->items[i];
        const QmpBlockdevOptionsQcow2 *q = b->driver == QMP_BLOCKDEV_DRIVER_QCOW2 ? b->u.qcow2 : NULL;
        const QmpBlockdevRefOrNull *backing = q ? q->backing : NULL;
        if (b->driver == QMP_BLOCKDEV_DRIVER_RAW && is_named(b->u.raw->file, name))
            return true;
        if (q && (is_named(q->file, name) || is_named(q->data_file, name)))
            return true;
        if (backing && backing->kind == QMP_BLOCKDEV_REF_OR_NULL_KIND_REFERENCE &&
            g_str_equal(backing->u.reference, name))
            return true;
    }
    return false;
}

/* One that another uses is opened by that one. */
bool vm_make_nodes(Vm *vm, GError **error)
{
    const QmpBlockdevOptionsList *all = &vm->options->said->blockdev;

    for (size_t i = 0; i < all->count; i++) {
        const QmpBlockdevOptions *b = all->items[i];
        if (add(vm, b, (Place){NULL, is_used(all, b->node_name)}, error))
            continue;
        g_prefix_error(error, "-blockdev: ");
        return false;
    }
    return true;
}
