/*
 * job.c: waits for a job, and ends as it does.
 *
 * A job that dismisses itself is gone when it is over; then events tell what became of it: JOB_STATUS_CHANGE, and of
 * jobs of block devices BLOCK_JOB_COMPLETED and BLOCK_JOB_CANCELLED.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/qmp/qmp.h"

enum { LOOK_MS = 250 };

typedef struct Job {
    const char *id;
    bool known; /* it was there */
    bool aborted, over;
    char *error; /* why it failed */
    bool shown;  /* its progress */
} Job;

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void note_status(Job *job, const json_t *data)
{
    if (strcmp(text_of(data, "id"), job->id) != 0)
        return;
    job->known = true;
    job->aborted |= strcmp(text_of(data, "status"), "aborting") == 0;
    job->over |= strcmp(text_of(data, "status"), "null") == 0;
}

static void note_event(QmpSession *session, const LibqmpEvent *event, void *data)
{
    Job *job = data;

    (void)session;
    if (strcmp(event->name, "JOB_STATUS_CHANGE") == 0) {
        note_status(job, event->data);
        return;
    }
    if (strcmp(text_of(event->data, "device"), job->id) != 0)
        return;
    job->known = true;
    job->aborted |= strcmp(event->name, "BLOCK_JOB_CANCELLED") == 0;
    if (*text_of(event->data, "error") && !job->error)
        job->error = g_strdup(text_of(event->data, "error"));
}

/* --- progress ----------------------------------------------------------------------------------------------------- */

static void show_progress(Job *job, const json_t *now)
{
    double done = json_number_value(json_object_get(now, "current-progress"));
    double all = json_number_value(json_object_get(now, "total-progress"));

    if (!isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%s: %s %.0f %%", job->id, text_of(now, "status"), all > 0 ? 100 * done / all : 0);
    job->shown = true;
}

static void end_progress(Job *job)
{
    if (job->shown)
        fputs("\r\033[K", stderr);
    job->shown = false;
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

static json_t *find(const json_t *jobs, const char *id)
{
    for (size_t i = 0; i < json_array_size(jobs); i++)
        if (strcmp(text_of(json_array_get(jobs, i), "id"), id) == 0)
            return json_array_get(jobs, i);
    return NULL;
}

/* It waits for somebody to take note. */
static bool dismiss(Qmp *qmp, const char *id, GError **error)
{
    json_t *arguments = json_pack("{s:s}", "id", id);
    json_t *result = libqmp_execute(qmp->session, "job-dismiss", arguments, 0, error);

    json_decref(arguments);
    json_decref(result);
    return result != NULL;
}

static bool look(Qmp *qmp, Job *job, GError **error)
{
    json_t *jobs = libqmp_execute(qmp->session, "query-jobs", NULL, 0, error);
    const json_t *now = find(jobs, job->id);
    bool ok = jobs != NULL;

    if (now) {
        job->known = true;
        job->over = false;
        show_progress(job, now);
        if (strcmp(text_of(now, "status"), "concluded") == 0) {
            if (json_object_get(now, "error") && !job->error)
                job->error = g_strdup(text_of(now, "error"));
            job->over = true;
            ok = dismiss(qmp, job->id, error);
        }
    } else if (ok && job->known) {
        job->over = true;
    } else if (ok) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_DEVICE_NOT_FOUND, "there is no job '%s'", job->id);
        ok = false;
    }
    json_decref(jobs);
    return ok;
}

static bool await(Qmp *qmp, Job *job, GError **error)
{
    for (;;) {
        if (!look(qmp, job, error))
            return false;
        if (job->over)
            break;
        if (g_get_monotonic_time() >= qmp->deadline) {
            g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_TIMEOUT, "the job '%s' is not over in time", job->id);
            return false;
        }
        if (libqmp_session_pump(qmp->session, qmp_patience_ms(qmp, LOOK_MS), error) < 0)
            return false;
    }
    /* Its last events are here already, but may not have been delivered. */
    while (libqmp_session_pump(qmp->session, 0, NULL) > 0)
        ;
    if (job->error || job->aborted) {
        g_set_error_literal(error, LIBQMP_ERROR, LIBQMP_ERROR_GENERIC_ERROR,
                            job->error ? job->error : "the job was cancelled, or failed without a word");
        return false;
    }
    return true;
}

int job_run(Qmp *qmp, const char *id, char *const *command)
{
    static const char *const events[] = {"JOB_STATUS_CHANGE", "BLOCK_JOB_COMPLETED", "BLOCK_JOB_CANCELLED"};
    Job job = {.id = id};
    GError *error = NULL;
    unsigned subscriptions[G_N_ELEMENTS(events)];

    for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
        subscriptions[i] = libqmp_event_subscribe(qmp->session, events[i], note_event, &job);
    int status = command ? qmp_run(qmp, command) : 0;
    /* What it has started may be over: then only events tell of it. */
    while (status == 0 && libqmp_session_pump(qmp->session, 0, NULL) > 0)
        ;
    bool ok = status == 0 && await(qmp, &job, &error);
    end_progress(&job);
    for (size_t i = 0; i < G_N_ELEMENTS(events); i++)
        libqmp_event_unsubscribe(qmp->session, subscriptions[i]);
    g_free(job.error);
    if (status == 0 && !ok)
        status = qmp_fail(error);
    return status;
}
