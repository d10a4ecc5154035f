/*
 * job.h: long work that is watched and steered: what it is at, how far it is, and verbs that end, stop or end it early.
 *
 * A job's work is done on a thread of its own; it says how far it is and comes by a checkpoint now and then, where it
 * is stopped if that was asked for. All else, the verbs too, belongs to the thread of the context. What a job has done
 * counts only when it is finalized: until then it can be undone.
 *
 *     created - running <-> paused           - waiting - pending - concluded - null
 *                  |                                        |          |
 *                ready <-> standby                          +- aborting +
 *
 * Names of states and verbs, and which of them go together: QMP's jobs.
 */
#ifndef EMU_CORE_JOB_H
#define EMU_CORE_JOB_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "visitors/error.h"

typedef enum JobStatus {
    JOB_UNDEFINED,
    JOB_CREATED,
    JOB_RUNNING,
    JOB_PAUSED,
    JOB_READY,    /* it could end now, and goes on until it is told to (job_complete) */
    JOB_STANDBY,  /* ready, and paused */
    JOB_WAITING,  /* its work is done */
    JOB_PENDING,  /* it waits for job_finalize */
    JOB_ABORTING, /* it has failed or was cancelled, and is undone */
    JOB_CONCLUDED,
    JOB_NULL, /* it is no more */
    JOB_STATUS_COUNT
} JobStatus;

typedef enum JobVerb { JOB_CANCEL, JOB_PAUSE, JOB_RESUME, JOB_COMPLETE, JOB_FINALIZE, JOB_DISMISS } JobVerb;

typedef struct Job Job;
typedef struct Jobs Jobs;

typedef struct JobType {
    const char *name; /* as QMP's JobType has it */

    /* The work, on its own thread. False: it has failed; a cancelled job may return what it likes. */
    bool (*run)(Job *job, void *opaque, GError **error);

    /* On the context's thread, one of the two: it counts, or it is undone. May be NULL. */
    void (*commit)(void *opaque);
    void (*undo)(void *opaque);

    void (*free)(void *opaque);
} JobType;

typedef struct JobInfo {
    const char *id, *error; /* error NULL: none; borrowed until the context's thread goes on */
    const JobType *type;
    JobStatus status;
    uint64_t done, total;
    int64_t started_us, left_us; /* of the monotonic clock; left: until it is done, as it goes now; -1: unknown */
} JobInfo;

/* Told of each new status in order, from any thread, with a lock held: it must not call anything here. */
typedef struct JobEvents {
    void (*status)(void *opaque, const char *id, JobStatus status);
    void (*progress)(void *opaque, const char *id, uint64_t done, uint64_t total); /* at most 10 times a second */
    void *opaque;
} JobEvents;

Jobs *jobs_new(GMainContext *context, const JobEvents *events);

/* Cancels what still works, and waits for it; what it has the context's thread do (job_call) is done meanwhile. */
void jobs_free(Jobs *jobs);

/* The names that QMP has for them. */
const char *job_status_name(JobStatus status);

enum { JOB_MANUAL_FINALIZE = 1 << 0, JOB_MANUAL_DISMISS = 1 << 1 };

/* A job, not started yet; takes `opaque`, also if it fails: a name that is taken or none. Borrowed, until it is null.
 */
Job *job_new(Jobs *jobs, const char *id, const JobType *type, unsigned flags, void *opaque, GError **error);
void job_start(Job *job);

/* NULL: there is none; the error then says which there are. */
Job *job_find(Jobs *jobs, const char *id, GError **error);

/* Does what the verb says, or why the job's status forbids it. */
bool job_do(Job *job, JobVerb verb, GError **error);

/* In the order in which they were made. */
size_t jobs_count(Jobs *jobs);
JobInfo jobs_info(Jobs *jobs, size_t index);

/* --- for the job's thread ---------------------------------------------------------------------------------------- */

/* Stops here as long as the job is paused. False: it was cancelled, and should end soon. */
bool job_checkpoint(Job *job);

/* From now on it cannot be cancelled, for others see what it does. False: it was before. On any thread. */
bool job_seal(Job *job);

/* A unit of its own; both may grow at any time. */
void job_progress(Job *job, uint64_t done, uint64_t total);

/* It could end now. Returns when it is told to go on or to end: see job_is_completing; false: it was cancelled. */
bool job_ready(Job *job);
bool job_is_completing(Job *job);

/* Has the context's thread do that, and waits for it. What is long, or waits itself, is not to be done so. */
typedef void JobCall(void *data);
void job_call(Job *job, JobCall *call, void *data);

#endif
