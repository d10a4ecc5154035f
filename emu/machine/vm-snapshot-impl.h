/* vm-snapshot-impl.h: what saving, loading and deleting share. Only included by them. */
#ifndef EMU_MACHINE_VM_SNAPSHOT_IMPL_H
#define EMU_MACHINE_VM_SNAPSHOT_IMPL_H

#include "emu/core/ram-fill.h"
#include "emu/machine/vm-snapshot.h"
#include "qcow2/qcow2.h"

/* A disk that takes part. */
typedef struct SnapshotDisk {
    VmDisk *disk;
    Image *image;
    const Qcow2Snapshot *snapshot; /* the one that is meant, until the list changes; NULL: there is none */
    char *why;                     /* what is wrong with it; NULL: nothing */
    Qcow2Pending *pending;         /* what the disk was at the moment; NULL: nothing */
    bool done;                     /* it has the new snapshot, or has become the old one */
} SnapshotDisk;

typedef struct SnapshotWork {
    Vm *vm;
    Job *job;         /* NULL: it is done on the thread of the Vm's context */
    const char *id;   /* of who is at work, for others */
    const char *verb; /* "saved" */
    const char *tag;
    bool begun;    /* the disks are its own */
    GArray *disks; /* of SnapshotDisk */
    unsigned main; /* the one with the machine's state */
} SnapshotWork;

#define SNAPSHOT_DISK(work, i) (&g_array_index((work)->disks, SnapshotDisk, (i)))

void snapshot_work_init(SnapshotWork *work, Vm *vm, const char *id, const char *verb, const char *tag);
void snapshot_work_done(SnapshotWork *work);

/* Has a step done on the context's thread. */
typedef bool SnapshotStep(void *opaque, GError **error);
bool snapshot_do(const SnapshotWork *work, SnapshotStep *step, void *opaque, GError **error);

/* The rest is for the context's thread. */

/*
 * Those disks (all that can have snapshots if `has` is false), which are the job's from then on, if each can have
 * snapshots now. `vmstate` NULL: the first.
 */
bool snapshot_choose(SnapshotWork *work, bool has, const QmpStrList *devices, const char *vmstate, GError **error);
void snapshot_let_go(SnapshotWork *work);

/* Where nothing is wrong (`why`) true; otherwise a table of all disks. */
bool snapshot_judge(const SnapshotWork *work, GError **error);

/*
 * Finds on each disk the snapshot that the tag means: it is resolved on the disk with the machine's state (`vmstate`
 * NULL: the first disk that has it with a state, or has it at all), on others it is the one with its UUID, or, if that
 * has none, its name. False: no disk has one; then the error says which there are.
 */
bool snapshot_find(SnapshotWork *work, const char *vmstate, GError **error);

/* Starts a job of that type; takes `opaque`, as job_new. It waits for job-dismiss at its end. */
bool snapshot_start(Vm *vm, const char *id, const JobType *type, void *opaque, GError **error);

/* Nothing is under way at any disk. */
void snapshot_drain(const SnapshotWork *work);

/* Forgets what the disks were. */
void snapshot_abandon(SnapshotWork *work);

/* --- vm-snapshot-lazy.c ------------------------------------------------------------------------------------------- */

/* What brings the pages of a state, `chan` (taken). NULL: the host cannot, or the state has no index of them. */
RamFill *snapshot_lazy_open(Vm *vm, Chan *chan, GError **error);
void snapshot_lazy_free(Vm *vm, RamFill *fill); /* on the context's thread */

/* Brings all of them, on the job's thread. False: the program ends. */
bool snapshot_lazy_fill(Job *job, RamFill *fill);

/* Nobody brings pages any more. Where some have not come, the machine does not go on. */
void snapshot_lazy_end(const SnapshotWork *work);

/* A load has begun; its guest runs; all its pages have come; it has ended. `eager` NULL: as it was asked for. */
void snapshot_report(const SnapshotWork *work, int64_t began_us);
void snapshot_report_runs(Vm *vm, int64_t stood_us, const char *eager);
void snapshot_report_filled(Vm *vm);
void snapshot_report_ended(const SnapshotWork *work, bool well);

#endif
