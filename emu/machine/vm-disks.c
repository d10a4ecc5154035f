/* vm-disks.c: a Vm's disks: -drive, -blockdev. */
#include <fcntl.h>
#include <string.h>

#include "emu/block/blk-qcow2.h"
#include "emu/machine/vm-impl.h"

void vm_disk_free(void *data)
{
    VmDisk *d = data;

    block_free(d->block);
    g_free(d->id);
    g_free(d->path);
    g_free(d->user);
    g_free(d->job);
    g_free(d->node);
    g_free(d->file_node);
    g_free(d);
}

VmDisk *vm_find_disk(const Vm *vm, const char *id)
{
    for (unsigned i = 0; i < vm->disks->len; i++) {
        VmDisk *d = vm->disks->pdata[i];
        if (d->id && g_str_equal(d->id, id))
            return d;
    }
    return NULL;
}

/*
 * What a file looks like decides only where nobody says its format, and only as long as it names no other files: what
 * is raw to one guest's owner may have been written by the guest.
 */
static bool looks_like_qcow2(const char *path, bool *is, GError **error)
{
    bool names;

    *is = blk_qcow2_probe(path, &names);
    if (!*is || !names)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "disk %s: looks like a qcow2 image that names other files; say format=qcow2 (or raw) if that is meant",
                path);
    return false;
}

char *vm_disk_path(const Vm *vm, const VmDisk *d, GError **error)
{
    bool writes = !d->options.read_only && !d->options.snapshot;

    return fd_sets_path(vm->fd_sets, d->path, writes ? O_RDWR : O_RDONLY, error);
}

static bool open_disk(Vm *vm, VmDisk *d, QmpDriveFormat format, GError **error)
{
    bool qcow2 = format == QMP_DRIVE_FORMAT_QCOW2;

    g_autofree char *path = vm_disk_path(vm, d, error);
    d->options.context = vm->context;
    d->options.inactive = vm->options->incoming;
    if (!path || (format == QMP_DRIVE_FORMAT_AUTO && !looks_like_qcow2(path, &qcow2, error)))
        return false;
    d->about = qcow2 ? "qcow2" : "raw";
    BlkRaw options = d->options;
    options.path = path;
    d->block = qcow2 ? blk_qcow2_open(&options, error) : blk_raw_open(&options, error);
    d->node = vm_node_name(vm);
    d->file_node = vm_node_name(vm);
    return d->block;
}

static HostEngine engine_of(QmpBlockdevAioOptions aio)
{
    return aio == QMP_BLOCKDEV_AIO_OPTIONS_THREADS ? HOST_ENGINE_AUTO
                                                   : HOST_ENGINE_URING; /* the default is whatever is fastest here */
}

VmDisk *vm_disk_new(Vm *vm, const char *id, const char *path)
{
    VmDisk *d = g_new0(VmDisk, 1);

    d->id = g_strdup(id);
    d->path = g_strdup(path);
    g_ptr_array_add(vm->disks, d);
    return d;
}

static bool check_id(const Vm *vm, const char *id, GError **error)
{
    if (!id || !vm_find_disk(vm, id))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "-drive: there are two disks called '%s'", id);
    return false;
}

/* As QEMU calls it: "ide0-hd0", "virtio1". New. */
static char *drive_name(const Vm *vm, const QmpDriveOptions *o, unsigned n)
{
    unsigned before = 0;

    if (o->id)
        return g_strdup(o->id);
    if (o->q_if == QMP_DRIVE_INTERFACE_IDE)
        return g_strdup_printf("ide%u-%s%u", o->bus, o->media ? "cd" : "hd", o->unit);
    for (unsigned i = 0; i < n; i++)
        before += ((const QmpDriveOptions *)vm->options->drives->pdata[i])->q_if == o->q_if;
    return g_strdup_printf("%s%u", qmp_DriveInterface_name(o->q_if), before);
}

static bool is_shared(const QmpDriveFile *file)
{
    return file->kind == QMP_DRIVE_FILE_KIND_OPTIONS && file->u.options->locking == QMP_ON_OFF_AUTO_OFF;
}

static bool make_drive(Vm *vm, const QmpDriveOptions *o, unsigned n, GError **error)
{
    static const HostCache caches[] = {[QMP_DRIVE_CACHE_WRITEBACK] = HOST_CACHE_WRITEBACK,
                                       [QMP_DRIVE_CACHE_NONE] = HOST_CACHE_NONE,
                                       [QMP_DRIVE_CACHE_WRITETHROUGH] = HOST_CACHE_WRITETHROUGH,
                                       [QMP_DRIVE_CACHE_DIRECTSYNC] = HOST_CACHE_DIRECTSYNC,
                                       [QMP_DRIVE_CACHE_UNSAFE] = HOST_CACHE_UNSAFE};
    g_autofree char *id = drive_name(vm, o, n);

    if (!check_id(vm, id, error))
        return false;
    VmDisk *d = vm_disk_new(vm, id, options_drive_file(o));
    d->cd = o->media;
    if (!o->file)
        return true; /* no medium */
    d->detect_zeroes = o->detect_zeroes;
    d->options = (BlkRaw){.read_only = o->readonly,
                          .snapshot = o->snapshot,
                          .shared = is_shared(o->file),
                          .cache = caches[o->cache],
                          .discard = o->discard == QMP_DRIVE_DISCARD_UNMAP,
                          .engine = engine_of(o->aio)};
    if (open_disk(vm, d, o->format, error))
        return true;
    g_prefix_error(error, "-drive: ");
    return false;
}

/* --- all -------------------------------------------------------------------------------------------------------- */

bool vm_make_disks(Vm *vm, GError **error)
{
    const Options *o = vm->options;

    if (!vm_make_nodes(vm, error))
        return false;
    vm->first_drive = vm->disks->len;
    for (unsigned i = 0; i < o->drives->len; i++)
        if (!make_drive(vm, o->drives->pdata[i], i, error))
            return false;
    return true;
}

unsigned vm_disk_count(const Vm *vm)
{
    return vm->disks->len;
}

VmDisk *vm_disk(const Vm *vm, unsigned n)
{
    return vm->disks->pdata[n];
}

char *vm_disk_user(const VmDisk *d)
{
    if (d->above)
        return g_strdup_printf("the node '%s'", d->above->id);
    if (d->job)
        return g_strdup_printf("the job '%s'", d->job);
    if (d->user)
        return g_strdup_printf("the device '%s'", d->user);
    return d->used ? g_strdup("another device") : NULL;
}

char *vm_node_name(Vm *vm)
{
    for (;;) {
        g_autofree char *name = g_strdup_printf("#block%03u", vm->node_names++);
        if (!vm_find_disk(vm, name))
            return g_steal_pointer(&name);
    }
}

VmDisk *vm_take_disk(Vm *vm, const char *id, GError **error)
{
    VmDisk *d = vm_find_disk(vm, id);

    if (!d) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "there is no disk '%s' (-drive id=, -blockdev)", id);
        return NULL;
    }
    g_autofree char *by = vm_disk_user(d);
    if (by) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the disk '%s' is used by %s", id, by);
        return NULL;
    }
    d->used = true;
    return d;
}

void vm_release_disk(Vm *vm, const char *id)
{
    VmDisk *d = vm_find_disk(vm, id);

    if (!d)
        return;
    d->used = false;
    g_clear_pointer(&d->user, g_free);
}

bool vm_set_disks_active(Vm *vm, bool active, GError **error)
{
    for (unsigned i = 0; i < vm->disks->len; i++) {
        const VmDisk *d = vm->disks->pdata[i];
        if (!d->block || block_set_active(d->block, active, error))
            continue;
        while (i-- > 0) {
            d = vm->disks->pdata[i];
            if (d->block)
                block_set_active(d->block, !active, NULL);
        }
        return false;
    }
    return true;
}
