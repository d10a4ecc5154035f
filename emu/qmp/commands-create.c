/* commands-create.c: blockdev-create, as a job; schema/blockdev.json. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "emu/machine/vm.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "qapi/commands.h"
#include "qcow2/qcow2.h"

enum { PIECE = 1 << 20 }; /* octets: how much is written between two checkpoints */

enum { FILE_, DATA, TARGETS };

typedef struct Create {
    Vm *vm;
    QmpBlockdevCreateOptions *options;
    char *paths[TARGETS];   /* what is written; NULL: nothing */
    VmDisk *nodes[TARGETS]; /* that are borrowed; NULL: none */
    bool was_there;         /* the file, before it was made */
} Create;

static void free_create(void *opaque)
{
    Create *c = opaque;

    for (size_t i = 0; i < TARGETS; i++)
        g_free(c->paths[i]);
    qmp_BlockdevCreateOptions_free(c->options);
    g_free(c);
}

static void give_back(Create *c)
{
    for (size_t i = 0; i < TARGETS; i++)
        if (c->nodes[i])
            vm_return_node(c->vm, g_steal_pointer(&c->nodes[i]), NULL);
}

static void commit(void *opaque)
{
    give_back(opaque);
}

static void undo(void *opaque)
{
    Create *c = opaque;

    if (c->options->driver == QMP_BLOCKDEV_CREATE_DRIVER_FILE && !c->was_there)
        unlink(c->paths[FILE_]);
    give_back(c);
}

/* --- the work, on the job's thread -------------------------------------------------------------------------------- */

static bool write_zeros(Job *job, HostFile *file, uint64_t size, GError **error)
{
    g_autofree uint8_t *zeros = g_malloc0(PIECE);

    for (uint64_t at = 0; at < size; at += PIECE) {
        if (!job_checkpoint(job) || !host_file_write(file, at, zeros, MIN(size - at, PIECE), error))
            return false;
        job_progress(job, MIN(at + PIECE, size), size);
    }
    return host_file_sync(file, error);
}

static bool make_file(Job *job, Create *c, GError **error)
{
    const QmpBlockdevCreateOptionsFile *o = c->options->u.file;
    g_autoptr(HostFile) file = host_file_open(&(HostFilePosix){.path = c->paths[FILE_], .create = true}, error);

    if (!file || !host_file_truncate(file, o->size, error))
        return false;
    switch (o->preallocation) {
    case QMP_PREALLOC_MODE_FULL:
        return write_zeros(job, file, o->size, error);
    case QMP_PREALLOC_MODE_FALLOC:
        return host_file_zero(file, 0, o->size, error) && host_file_sync(file, error);
    default:
        return true;
    }
}

static HostFile *open_target(const char *path, bool image, GError **error)
{
    return host_file_open(&(HostFilePosix){.path = path, .resizes = image}, error);
}

static bool make_raw(const Create *c, GError **error)
{
    g_autoptr(HostFile) file = open_target(c->paths[FILE_], false, error);

    return file && host_file_truncate(file, 0, error) && host_file_truncate(file, c->options->u.raw->size, error);
}

static Qcow2Create qcow2_options(const QmpBlockdevCreateOptionsQcow2 *o, const char *data)
{
    static const Qcow2Preallocation modes[] = {
        [QMP_PREALLOC_MODE_OFF] = QCOW2_PREALLOCATE_OFF,
        [QMP_PREALLOC_MODE_METADATA] = QCOW2_PREALLOCATE_METADATA,
        [QMP_PREALLOC_MODE_FALLOC] = QCOW2_PREALLOCATE_FALLOCATE,
        [QMP_PREALLOC_MODE_FULL] = QCOW2_PREALLOCATE_FULL,
    };

    return (Qcow2Create){
        .size = o->size,
        .version = o->has_version && o->version == QMP_BLOCKDEV_QCOW2_VERSION_V2 ? 2 : 3,
        .cluster_size = o->cluster_size,
        .refcount_bits = (unsigned)o->refcount_bits,
        .lazy_refcounts = o->lazy_refcounts,
        .extended_l2 = o->extended_l2,
        .zstd = o->has_compression_type && o->compression_type == QMP_QCOW2_COMPRESSION_METHOD_ZSTD,
        .backing = o->backing_file,
        .backing_format = o->has_backing_fmt ? qmp_BlockdevDriver_name(o->backing_fmt) : NULL,
        .data_file = data,
        .data_file_raw = o->data_file_raw,
        .preallocation = modes[o->preallocation],
    };
}

static bool make_qcow2(const Create *c, GError **error)
{
    const char *data_path = c->paths[DATA];
    const Qcow2Create options = qcow2_options(c->options->u.qcow2, data_path);
    g_autoptr(HostFile) file = open_target(c->paths[FILE_], true, error), data = NULL;

    if (file && data_path)
        data = open_target(data_path, false, error);
    return file && (data || !data_path) && qcow2_create(file, data, &options, error);
}

static bool run(Job *job, void *opaque, GError **error)
{
    Create *c = opaque;

    switch (c->options->driver) {
    case QMP_BLOCKDEV_CREATE_DRIVER_FILE:
        return make_file(job, c, error);
    case QMP_BLOCKDEV_CREATE_DRIVER_RAW:
        return make_raw(c, error);
    default:
        return make_qcow2(c, error);
    }
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static bool refuse(GError **error, const char *key, const char *why)
{
    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "blockdev-create.options.%s: %s", key, why);
    return false;
}

/* A set's descriptor is written to (fd-set.h). */
static bool set_path(Create *c, unsigned which, const char *path, GError **error)
{
    c->paths[which] = fd_sets_path(vm_fd_sets(c->vm), path, O_RDWR, error);
    return c->paths[which];
}

static bool take(Create *c, const char *job, const QmpBlockdevRef *ref, unsigned which, GError **error)
{
    if (!ref)
        return true;
    if (ref->kind == QMP_BLOCKDEV_REF_KIND_REFERENCE) {
        c->nodes[which] = vm_borrow_node(c->vm, ref->u.reference, job, error);
        return c->nodes[which] && set_path(c, which, c->nodes[which]->path, error);
    }
    const QmpBlockdevOptions *o = ref->u.definition;
    if (o->driver != QMP_BLOCKDEV_DRIVER_FILE && o->driver != QMP_BLOCKDEV_DRIVER_HOST_DEVICE)
        return refuse(error, "file", "it has driver 'file' or 'host_device'");
    return set_path(c, which, o->u.file->filename, error);
}

static bool take_targets(Create *c, const char *job, GError **error)
{
    const QmpBlockdevCreateOptions *o = c->options;
    const QmpBlockdevCreateOptionsQcow2 *qcow2 = o->u.qcow2;

    if (o->driver == QMP_BLOCKDEV_CREATE_DRIVER_FILE) {
        if (!set_path(c, FILE_, o->u.file->filename, error))
            return false;
        c->was_there = access(c->paths[FILE_], F_OK) == 0;
        return o->u.file->preallocation != QMP_PREALLOC_MODE_METADATA ||
               refuse(error, "preallocation", "a file has no metadata (accepted: off, falloc, full)");
    }
    if (o->driver == QMP_BLOCKDEV_CREATE_DRIVER_RAW)
        return take(c, job, o->u.raw->file, FILE_, error);
    if (qcow2->has_refcount_bits && (qcow2->refcount_bits < 1 || qcow2->refcount_bits > 64))
        return refuse(error, "refcount-bits", "a power of 2 from 1 to 64");
    return take(c, job, qcow2->file, FILE_, error) && take(c, job, qcow2->data_file, DATA, error);
}

bool qmp_blockdev_create(QmpCall *call, const QmpBlockdevCreateArguments *arguments, GError **error)
{
    static const JobType type = {.name = "create", .run = run, .commit = commit, .undo = undo, .free = free_create};
    Vm *vm = qmp_call_vm(call);

    Create *c = g_new0(Create, 1);
    c->vm = vm;
    c->options = qapi_copy(&qmp_type_BlockdevCreateOptions, arguments->options);
    if (!take_targets(c, arguments->job_id, error)) {
        give_back(c);
        free_create(c);
        return false;
    }
    /* Who gets no job has to give back what it was for. */
    VmDisk *nodes[TARGETS] = {c->nodes[FILE_], c->nodes[DATA]};
    Job *job = job_new(vm_jobs(vm), arguments->job_id, &type, JOB_MANUAL_DISMISS, c, error);
    for (size_t i = 0; !job && i < TARGETS; i++)
        if (nodes[i])
            vm_return_node(vm, nodes[i], NULL);
    if (job)
        job_start(job);
    return job;
}
