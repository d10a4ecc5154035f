/* commands-job.c: what takes its time; schema/job.json. */
#include "emu/machine/vm.h"
#include "emu/qmp/call.h"
#include "emu/qmp/job-events.h"
#include "qapi/commands.h"
#include "qapi/events.h"

/* --- events ----------------------------------------------------------------------------------------------------- */

/* The schema has them in the same order. */
G_STATIC_ASSERT((int)QMP_JOB_STATUS_CREATED == JOB_CREATED && (int)QMP_JOB_STATUS_STANDBY == JOB_STANDBY &&
                (int)QMP_JOB_STATUS_ABORTING == JOB_ABORTING && (int)QMP_JOB_STATUS__MAX == JOB_STATUS_COUNT);

static void tell_status(void *opaque, const char *id, JobStatus status)
{
    const QmpJobStatusChangeData data = {.id = (char *)id, .status = (QmpJobStatus)status};

    qmp_event_job_status_change(opaque, &data);
}

static void tell_progress(void *opaque, const char *id, uint64_t done, uint64_t total)
{
    const QmpJobProgressData data = {
        .id = (char *)id, .current_progress = (int64_t)done, .total_progress = (int64_t)total};

    qmp_event_job_progress(opaque, &data);
}

JobEvents qmp_job_events(QmpEvents *events)
{
    return (JobEvents){.status = tell_status, .progress = tell_progress, .opaque = events};
}

/* --- which there are --------------------------------------------------------------------------------------------- */

static QmpJobInfo *info_new(const JobInfo *job)
{
    QmpJobInfo *info = g_new0(QmpJobInfo, 1);

    info->id = g_strdup(job->id);
    info->type = (QmpJobType)qapi_enum_find(&qmp_type_JobType, job->type->name);
    info->status = (QmpJobStatus)job->status;
    info->current_progress = (int64_t)job->done;
    info->total_progress = (int64_t)job->total;
    info->error = g_strdup(job->error);
    info->has_eta_ms = job->left_us >= 0 && (job->status == JOB_RUNNING || job->status == JOB_READY);
    info->eta_ms = info->has_eta_ms ? job->left_us / 1000 : 0;
    return info;
}

bool qmp_query_jobs(QmpCall *call, QmpJobInfoList *result, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    size_t count = vm ? jobs_count(vm_jobs(vm)) : 0;

    (void)error;
    result->items = g_new0(QmpJobInfo *, count);
    for (; result->count < count; result->count++) {
        const JobInfo job = jobs_info(vm_jobs(vm), result->count);
        result->items[result->count] = info_new(&job);
    }
    return true;
}

/* --- what they are to do ----------------------------------------------------------------------------------------- */

static bool tell_job(QmpCall *call, const char *id, JobVerb verb, GError **error)
{
    Job *job = job_find(vm_jobs(qmp_call_vm(call)), id, error);

    return job && job_do(job, verb, error);
}

bool qmp_job_pause(QmpCall *call, const QmpJobPauseArguments *arguments, GError **error)
{
    return tell_job(call, arguments->id, JOB_PAUSE, error);
}

bool qmp_job_resume(QmpCall *call, const QmpJobResumeArguments *arguments, GError **error)
{
    return tell_job(call, arguments->id, JOB_RESUME, error);
}

bool qmp_job_cancel(QmpCall *call, const QmpJobCancelArguments *arguments, GError **error)
{
    return tell_job(call, arguments->id, JOB_CANCEL, error);
}

bool qmp_job_complete(QmpCall *call, const QmpJobCompleteArguments *arguments, GError **error)
{
    return tell_job(call, arguments->id, JOB_COMPLETE, error);
}

bool qmp_job_finalize(QmpCall *call, const QmpJobFinalizeArguments *arguments, GError **error)
{
    return tell_job(call, arguments->id, JOB_FINALIZE, error);
}

bool qmp_job_dismiss(QmpCall *call, const QmpJobDismissArguments *arguments, GError **error)
{
    return tell_job(call, arguments->id, JOB_DISMISS, error);
}
