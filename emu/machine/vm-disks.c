/* vm-disks.c: a Vm's disks: -drive, -blockdev. */
#include <string.h>

#include "emu/block/blk-qcow2.h"
#include "emu/machine/vm-impl.h"

void vm_disk_free(void *data)
{
    VmDisk *d = data;

    g_free(d->id);
    g_free(d->path);
    block_free(d->block);
    g_free(d);
}

static VmDisk *find(const Vm *vm, const char *id)
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

static Block *open_disk(Vm *vm, BlkRaw raw, OptionsFormat format, GError **error)
{
    bool qcow2 = format == OPTIONS_FORMAT_QCOW2;

    raw.context = vm->context;
    raw.inactive = vm->options->incoming;
    if (format == OPTIONS_FORMAT_PROBE && !looks_like_qcow2(raw.path, &qcow2, error))
        return NULL;
    return qcow2 ? blk_qcow2_open(&raw, error) : blk_raw_open(&raw, error);
}

static HostEngine engine_of(uint8_t aio)
{
    enum { THREADS, NATIVE, URING };

    return aio == THREADS ? HOST_ENGINE_AUTO : HOST_ENGINE_URING; /* the default is whatever is fastest here */
}

static VmDisk *add_disk(Vm *vm, const char *id, const char *path)
{
    VmDisk *d = g_new0(VmDisk, 1);

    d->id = g_strdup(id);
    d->path = g_strdup(path);
    g_ptr_array_add(vm->disks, d);
    return d;
}

static bool check_id(const Vm *vm, const char *id, GError **error)
{
    if (!id || !find(vm, id))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "-drive: there are two disks called '%s'", id);
    return false;
}

static bool make_drive(Vm *vm, const OptionsDrive *o, unsigned n, GError **error)
{
    static const char *const names[] = {"ide", "floppy", "virtio", "pflash", "none"};
    static const HostCache caches[] = {HOST_CACHE_WRITEBACK, HOST_CACHE_NONE, HOST_CACHE_WRITETHROUGH,
                                       HOST_CACHE_DIRECTSYNC, HOST_CACHE_UNSAFE};
    enum { DISCARD_UNMAP = 1, DISCARD_ON = 3 };
    g_autofree char *id = o->id ? g_strdup(o->id) : g_strdup_printf("%s%u", names[o->interface], n);

    if (!check_id(vm, id, error))
        return false;
    VmDisk *d = add_disk(vm, id, o->file);
    d->cd = o->media;
    if (!o->file)
        return true; /* no medium */
    const BlkRaw raw = {.path = o->file,
                        .read_only = o->readonly || o->media,
                        .snapshot = o->snapshot,
                        .cache = caches[o->cache],
                        .discard = o->discard == DISCARD_UNMAP || o->discard == DISCARD_ON,
                        .engine = engine_of(o->aio)};
    d->block = open_disk(vm, raw, o->format, error);
    if (!d->block)
        g_prefix_error(error, "-drive: ");
    return d->block;
}

/* --- -blockdev -------------------------------------------------------------------------------------------------- */

static const OptionsBlockdev *find_node(const Vm *vm, const char *name)
{
    for (unsigned i = 0; i < vm->options->blockdevs->len; i++) {
        const OptionsBlockdev *b = vm->options->blockdevs->pdata[i];
        if (b->node_name && g_str_equal(b->node_name, name))
            return b;
    }
    return NULL;
}

static bool refuse(GError **error, const OptionsBlockdev *b, const char *why)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "-blockdev %s: %s", b->node_name ? b->node_name : "", why);
    return false;
}

/* A node that is a file is opened with the node above it, if there is one. */
static bool is_below(const Vm *vm, const OptionsBlockdev *node)
{
    for (unsigned i = 0; i < vm->options->blockdevs->len; i++) {
        const OptionsBlockdev *b = vm->options->blockdevs->pdata[i];
        if (b->file_node && node->node_name && g_str_equal(b->file_node, node->node_name))
            return true;
    }
    return false;
}

static bool make_node(Vm *vm, const OptionsBlockdev *b, GError **error)
{
    enum { QCOW2 = 1, DISCARD_UNMAP = 1, DISCARD_ON = 3, LOCKING_OFF = 2 };
    const OptionsBlockdev *below = b->file_node ? find_node(vm, b->file_node) : NULL;
    const char *path = b->driver > QCOW2 ? b->filename : below ? below->filename : b->file.filename;

    if (!b->node_name)
        return refuse(error, b, "the key 'node-name' is missing");
    if (b->backing)
        return refuse(error, b, "'backing' cannot be given here; it is the one that the image names");
    if (b->file_node && !below)
        return refuse(error, b, "there is no node of the name that 'file' has");
    if (!path)
        return refuse(error, b, "the key 'filename' is missing");
    if (is_below(vm, b))
        return true;
    if (!check_id(vm, b->node_name, error))
        return false;
    bool direct = b->direct || b->file.direct || (below && below->direct);
    bool no_flush = b->no_flush || b->file.no_flush || (below && below->no_flush);
    uint8_t discard = MAX(b->discard, below ? below->discard : b->file.discard);
    const BlkRaw raw = {.path = path,
                        .read_only = b->read_only || b->file.read_only || (below && below->read_only),
                        .cache = no_flush ? HOST_CACHE_UNSAFE
                                 : direct ? HOST_CACHE_NONE
                                          : HOST_CACHE_WRITEBACK,
                        .discard = discard == DISCARD_UNMAP || discard == DISCARD_ON,
                        .shared = (below ? below->locking : b->file.locking) == LOCKING_OFF,
                        .engine = engine_of(below ? below->aio : b->file.aio)};
    VmDisk *d = add_disk(vm, b->node_name, path);
    d->block = open_disk(vm, raw, b->driver == QCOW2 ? OPTIONS_FORMAT_QCOW2 : OPTIONS_FORMAT_RAW, error);
    if (!d->block)
        g_prefix_error(error, "-blockdev %s: ", b->node_name);
    return d->block;
}

/* --- all -------------------------------------------------------------------------------------------------------- */

bool vm_make_disks(Vm *vm, GError **error)
{
    const Options *o = vm->options;

    for (unsigned i = 0; i < o->blockdevs->len; i++)
        if (!make_node(vm, o->blockdevs->pdata[i], error))
            return false;
    for (unsigned i = 0; i < o->drives->len; i++)
        if (!make_drive(vm, o->drives->pdata[i], i, error))
            return false;
    return true;
}

VmDisk *vm_take_disk(Vm *vm, const char *id, GError **error)
{
    VmDisk *d = find(vm, id);

    if (!d || d->used) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    d ? "the disk '%s' is used by another device" : "there is no disk '%s' (-drive id=, -blockdev)",
                    id);
        return NULL;
    }
    d->used = true;
    return d;
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

char *vm_tell_block(const Vm *vm)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < vm->disks->len; i++) {
        const VmDisk *d = vm->disks->pdata[i];
        if (d->block)
            g_string_append_printf(text, "%s: %s, %" G_GUINT64_FORMAT " octets%s%s\n", d->id, d->path,
                                   block_length(d->block), block_read_only(d->block) ? ", read-only" : "",
                                   d->used ? "" : ", not in use");
        else
            g_string_append_printf(text, "%s: no medium\n", d->id);
    }
    return g_string_free(text, FALSE);
}
