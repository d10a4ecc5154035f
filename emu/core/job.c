/* job.c: long work that is watched and steered. Which verb goes with which status: QMP's documentation of jobs. */
#include "emu/core/job.h"

#include <string.h>

#include "visitors/words.h"

enum { PROGRESS_US = 100000 };

struct Job {
    Jobs *jobs;
    char *id;
    const JobType *type;
    void *opaque;
    unsigned flags;

    /* With the lock. */
    JobStatus status;
    bool cancelled, pausing, completing, sealed;
    uint64_t done, total;
    int64_t started_us, told_us;
    GCond wake;
    GError *error;

    JobCall *call; /* what the context's thread is to do; NULL: nothing */
    void *call_data;
    GCond called;
    bool ended; /* the work has */

    GThread *thread;
    GSource *source; /* will notice that the work has ended */
};

struct Jobs {
    GMainContext *context;
    JobEvents events;
    GMutex lock;
    GPtrArray *all; /* of Job */
};

const char *job_status_name(JobStatus status)
{
    static const char *const names[] = {"undefined", "created", "running",  "paused",    "ready", "standby",
                                        "waiting",   "pending", "aborting", "concluded", "null"};

    return names[status];
}

static const char *job_verb_name(JobVerb verb)
{
    static const char *const names[] = {"cancel", "pause", "resume", "complete", "finalize", "dismiss"};

    return names[verb];
}

/* Where each verb is allowed: a bit for each status. */
static const unsigned allowed[] = {
    [JOB_CANCEL] = 1 << JOB_CREATED | 1 << JOB_RUNNING | 1 << JOB_PAUSED | 1 << JOB_READY | 1 << JOB_STANDBY |
                   1 << JOB_WAITING | 1 << JOB_PENDING,
    [JOB_PAUSE] = 1 << JOB_CREATED | 1 << JOB_RUNNING | 1 << JOB_PAUSED | 1 << JOB_READY | 1 << JOB_STANDBY,
    [JOB_RESUME] = 1 << JOB_CREATED | 1 << JOB_RUNNING | 1 << JOB_PAUSED | 1 << JOB_READY | 1 << JOB_STANDBY,
    [JOB_COMPLETE] = 1 << JOB_READY,
    [JOB_FINALIZE] = 1 << JOB_PENDING,
    [JOB_DISMISS] = 1 << JOB_CONCLUDED,
};

/* --- with the lock ----------------------------------------------------------------------------------------------- */

static void set_status(Job *job, JobStatus status)
{
    const JobEvents *events = &job->jobs->events;

    job->status = status;
    if (events->status)
        events->status(events->opaque, job->id, status);
}

static void tell_progress(Job *job)
{
    const JobEvents *events = &job->jobs->events;
    int64_t now = g_get_monotonic_time();

    if (!events->progress || (now - job->told_us < PROGRESS_US && job->done < job->total))
        return;
    job->told_us = now;
    events->progress(events->opaque, job->id, job->done, job->total);
}

/* Stands still as long as that is asked for. */
static bool stand_by(Job *job)
{
    JobStatus before = job->status;

    if (job->pausing && !job->cancelled) {
        set_status(job, before == JOB_READY ? JOB_STANDBY : JOB_PAUSED);
        while (job->pausing && !job->cancelled)
            g_cond_wait(&job->wake, &job->jobs->lock);
        if (!job->cancelled)
            set_status(job, before);
    }
    return !job->cancelled;
}

/* --- for the job's thread ---------------------------------------------------------------------------------------- */

bool job_checkpoint(Job *job)
{
    g_mutex_lock(&job->jobs->lock);
    bool goes_on = stand_by(job);
    g_mutex_unlock(&job->jobs->lock);
    return goes_on;
}

void job_progress(Job *job, uint64_t done, uint64_t total)
{
    g_mutex_lock(&job->jobs->lock);
    job->done = MAX(job->done, done);
    job->total = MAX(total, job->done);
    tell_progress(job);
    g_mutex_unlock(&job->jobs->lock);
}

bool job_ready(Job *job)
{
    g_mutex_lock(&job->jobs->lock);
    if (job->status == JOB_RUNNING && !job->cancelled)
        set_status(job, JOB_READY);
    bool goes_on = stand_by(job);
    g_mutex_unlock(&job->jobs->lock);
    return goes_on;
}

/* On the context's thread, with the lock, which is free meanwhile. */
static void do_call(Job *job)
{
    JobCall *call = job->call;

    if (!call)
        return;
    g_mutex_unlock(&job->jobs->lock);
    call(job->call_data);
    g_mutex_lock(&job->jobs->lock);
    job->call = NULL;
    g_cond_broadcast(&job->called);
}

static gboolean on_call(void *opaque)
{
    Job *job = opaque;

    g_mutex_lock(&job->jobs->lock);
    do_call(job);
    g_mutex_unlock(&job->jobs->lock);
    return G_SOURCE_REMOVE;
}

void job_call(Job *job, JobCall *call, void *data)
{
    GSource *source = g_idle_source_new();

    g_mutex_lock(&job->jobs->lock);
    job->call = call;
    job->call_data = data;
    g_cond_broadcast(&job->wake); /* the context's thread may wait for the job itself */
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, on_call, job, NULL);
    g_source_attach(source, job->jobs->context);
    while (job->call)
        g_cond_wait(&job->called, &job->jobs->lock);
    g_mutex_unlock(&job->jobs->lock);
    g_source_destroy(source);
    g_source_unref(source);
}

bool job_seal(Job *job)
{
    g_mutex_lock(&job->jobs->lock);
    job->sealed = !job->cancelled;
    bool ok = job->sealed;
    g_mutex_unlock(&job->jobs->lock);
    return ok;
}

static bool flag(Job *job, const bool *which)
{
    g_mutex_lock(&job->jobs->lock);
    bool set = *which;
    g_mutex_unlock(&job->jobs->lock);
    return set;
}

bool job_is_completing(Job *job)
{
    return flag(job, &job->completing);
}

/* --- the end of a job, on the context's thread ------------------------------------------------------------------- */

static void free_job(Job *job)
{
    if (job->type->free)
        job->type->free(job->opaque);
    g_clear_error(&job->error);
    g_cond_clear(&job->wake);
    g_cond_clear(&job->called);
    g_free(job->id);
    g_free(job);
}

static void change(Job *job, JobStatus status)
{
    g_mutex_lock(&job->jobs->lock);
    set_status(job, status);
    g_mutex_unlock(&job->jobs->lock);
}

static void forget(Job *job)
{
    Jobs *jobs = job->jobs;

    change(job, JOB_NULL);
    g_mutex_lock(&jobs->lock);
    g_ptr_array_remove(jobs->all, job);
    g_mutex_unlock(&jobs->lock);
    free_job(job);
}

static void conclude(Job *job)
{
    change(job, JOB_CONCLUDED);
    if (!(job->flags & JOB_MANUAL_DISMISS))
        forget(job);
}

static void undo(Job *job)
{
    if (!job->error)
        g_set_error(&job->error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the job '%s' was cancelled", job->id);
    change(job, JOB_ABORTING);
    if (job->type->undo)
        job->type->undo(job->opaque);
    conclude(job);
}

static void finalize(Job *job)
{
    if (job->type->commit)
        job->type->commit(job->opaque);
    conclude(job);
}

/* Waits for the work; from then on the job is the context's alone. */
static void join(Job *job)
{
    g_thread_join(g_steal_pointer(&job->thread));
    g_source_destroy(job->source);
    g_clear_pointer(&job->source, g_source_unref);
}

/* The work has ended, well or not. */
static gboolean on_done(void *opaque)
{
    Job *job = opaque;

    join(job);
    if (job->error || job->cancelled) {
        undo(job);
        return G_SOURCE_REMOVE;
    }
    change(job, JOB_WAITING);
    change(job, JOB_PENDING);
    if (!(job->flags & JOB_MANUAL_FINALIZE))
        finalize(job);
    return G_SOURCE_REMOVE;
}

/* --- its beginning ----------------------------------------------------------------------------------------------- */

static void *work(void *opaque)
{
    Job *job = opaque;
    GError *error = NULL;

    bool well = job_checkpoint(job) && job->type->run(job, job->opaque, &error);
    g_mutex_lock(&job->jobs->lock);
    if (job->cancelled)
        g_clear_error(&error);
    else if (!well && !error)
        g_set_error(&error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the job '%s' has failed without saying why", job->id);
    job->error = error;
    if (!error && !job->cancelled)
        job->done = job->total = MAX(job->done, job->total);
    job->ended = true;
    g_cond_broadcast(&job->wake);
    g_mutex_unlock(&job->jobs->lock);
    g_source_attach(job->source, job->jobs->context);
    return NULL;
}

static Job *find(Jobs *jobs, const char *id)
{
    for (guint i = 0; i < jobs->all->len; i++) {
        Job *job = g_ptr_array_index(jobs->all, i);
        if (g_str_equal(job->id, id))
            return job;
    }
    return NULL;
}

Job *job_new(Jobs *jobs, const char *id, const JobType *type, unsigned flags, void *opaque, GError **error)
{
    if (!words_is_identifier(id))
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "job-id: '%s' is no name (accepted: a letter, then letters, digits, '-', '.' and '_')", id);
    else if (find(jobs, id))
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "job-id: there is a job '%s' already (it is %s)", id,
                    job_status_name(find(jobs, id)->status));
    else {
        Job *job = g_new0(Job, 1);
        *job = (Job){.jobs = jobs, .id = g_strdup(id), .type = type, .opaque = opaque, .flags = flags};
        g_cond_init(&job->wake);
        g_cond_init(&job->called);
        job->started_us = g_get_monotonic_time();
        g_mutex_lock(&jobs->lock);
        g_ptr_array_add(jobs->all, job);
        set_status(job, JOB_CREATED);
        g_mutex_unlock(&jobs->lock);
        return job;
    }
    if (type->free)
        type->free(opaque);
    return NULL;
}

void job_start(Job *job)
{
    change(job, JOB_RUNNING);
    job->source = g_idle_source_new();
    g_source_set_priority(job->source, G_PRIORITY_DEFAULT);
    g_source_set_callback(job->source, on_done, job, NULL);
    job->thread = g_thread_new("job", work, job);
}

/* --- verbs ------------------------------------------------------------------------------------------------------- */

Job *job_find(Jobs *jobs, const char *id, GError **error)
{
    Job *job = find(jobs, id);

    if (job)
        return job;
    GString *all = g_string_new(NULL);
    for (guint i = 0; i < jobs->all->len; i++)
        g_string_append_printf(all, "%s%s", i ? ", " : "", ((Job *)g_ptr_array_index(jobs->all, i))->id);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "there is no job '%s' (jobs: %s)", id,
                all->len ? all->str : "none");
    g_string_free(all, TRUE);
    return NULL;
}

/* A pause that is asked for while one is, and the like. */
static bool is_sensible(const Job *job, JobVerb verb, GError **error)
{
    if (verb == JOB_PAUSE && job->pausing)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the job '%s' is paused already", job->id);
    else if (verb == JOB_CANCEL && job->sealed)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "the job '%s' cannot be cancelled any more: the machine is what it makes of it", job->id);
    else if (verb == JOB_RESUME && !job->pausing)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the job '%s' is not paused (it is %s)", job->id,
                    job_status_name(job->status));
    else
        return true;
    return false;
}

/* With the lock. */
static bool may(const Job *job, JobVerb verb, GError **error)
{
    if (allowed[verb] & 1U << job->status)
        return is_sensible(job, verb, error);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the job '%s' is %s and cannot be asked to %s", job->id,
                job_status_name(job->status), job_verb_name(verb));
    return false;
}

bool job_do(Job *job, JobVerb verb, GError **error)
{
    g_mutex_lock(&job->jobs->lock);
    bool ok = may(job, verb, error);
    bool works = job->thread;
    if (ok) {
        job->cancelled |= verb == JOB_CANCEL;
        job->completing |= verb == JOB_COMPLETE;
        if (verb == JOB_PAUSE || verb == JOB_RESUME)
            job->pausing = verb == JOB_PAUSE;
        g_cond_broadcast(&job->wake);
    }
    g_mutex_unlock(&job->jobs->lock);
    if (!ok)
        return false;
    if (verb == JOB_CANCEL && !works)
        undo(job);
    else if (verb == JOB_FINALIZE)
        finalize(job);
    else if (verb == JOB_DISMISS)
        forget(job);
    return true;
}

/* --- all of them ------------------------------------------------------------------------------------------------- */

size_t jobs_count(Jobs *jobs)
{
    return jobs->all->len;
}

JobInfo jobs_info(Jobs *jobs, size_t index)
{
    const Job *job = g_ptr_array_index(jobs->all, index);
    int64_t spent = g_get_monotonic_time() - job->started_us;

    g_mutex_lock(&jobs->lock);
    JobInfo info = {.id = job->id,
                    .error = job->error && !job->thread ? job->error->message : NULL,
                    .type = job->type,
                    .status = job->status,
                    .done = job->done,
                    .total = job->total,
                    .started_us = job->started_us,
                    .left_us = -1};
    if (job->done && job->total >= job->done)
        info.left_us = (int64_t)((double)spent * (double)(job->total - job->done) / (double)job->done);
    g_mutex_unlock(&jobs->lock);
    return info;
}

Jobs *jobs_new(GMainContext *context, const JobEvents *events)
{
    Jobs *jobs = g_new0(Jobs, 1);

    jobs->context = context;
    jobs->events = *events;
    g_mutex_init(&jobs->lock);
    jobs->all = g_ptr_array_new();
    return jobs;
}

/* Does it still work, or wait to be noticed? Then it is waited for, and undone. */
static void end_job(Job *job)
{
    g_mutex_lock(&job->jobs->lock);
    job->cancelled = true;
    g_cond_broadcast(&job->wake);
    while (job->thread && !job->ended) {
        do_call(job);
        if (!job->call && !job->ended)
            g_cond_wait(&job->wake, &job->jobs->lock);
    }
    g_mutex_unlock(&job->jobs->lock);
    if (job->thread)
        join(job);
    if (job->status != JOB_CONCLUDED)
        undo(job);
    else
        forget(job);
}

void jobs_free(Jobs *jobs)
{
    if (!jobs)
        return;
    while (jobs->all->len) {
        Job *job = g_ptr_array_index(jobs->all, jobs->all->len - 1);
        job->flags = 0;
        end_job(job);
    }
    g_ptr_array_unref(jobs->all);
    g_mutex_clear(&jobs->lock);
    g_free(jobs);
}
