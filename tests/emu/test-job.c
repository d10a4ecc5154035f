/* test-job.c: what jobs go through, which verbs they take, and how they end. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/core/job.h"

typedef struct Bench {
    GMainContext *context;
    Jobs *jobs;
    GMutex lock;
    GString *said; /* "id:status " for each change */
    unsigned progress;
} Bench;

typedef struct Work {
    Bench *bench;
    bool fails, waits, readies; /* waits: until it is cancelled or told to go */
    gint go, steps, commits, aborts, freed;
} Work;

static void on_status(void *opaque, const char *id, JobStatus status)
{
    Bench *b = opaque;

    g_mutex_lock(&b->lock);
    g_string_append_printf(b->said, "%s:%s ", id, job_status_name(status));
    g_mutex_unlock(&b->lock);
}

static void on_progress(void *opaque, const char *id, uint64_t done, uint64_t total)
{
    Bench *b = opaque;

    (void)id;
    cr_assert_leq(done, total);
    g_mutex_lock(&b->lock);
    b->progress++;
    g_mutex_unlock(&b->lock);
}

static bool run(Job *job, void *opaque, GError **error)
{
    Work *w = opaque;

    while (w->waits && !g_atomic_int_get(&w->go)) {
        g_atomic_int_inc(&w->steps);
        if (!job_checkpoint(job))
            return true;
        g_usleep(500);
    }
    while (w->readies && !job_is_completing(job)) {
        if (!job_ready(job))
            return true;
        g_usleep(500);
    }
    for (unsigned i = 1; i <= 1000; i++)
        job_progress(job, i, 1000);
    if (w->fails)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "disk0: it is full");
    return !w->fails;
}

static void commit(void *opaque)
{
    ((Work *)opaque)->commits++;
}

static void undo(void *opaque)
{
    ((Work *)opaque)->aborts++;
}

static void let_go(void *opaque)
{
    ((Work *)opaque)->freed++;
}

static const JobType type = {.name = "create", .run = run, .commit = commit, .undo = undo, .free = let_go};

static void setup(Bench *b)
{
    const JobEvents events = {.status = on_status, .progress = on_progress, .opaque = b};

    *b = (Bench){.context = g_main_context_new(), .said = g_string_new(NULL)};
    g_mutex_init(&b->lock);
    b->jobs = jobs_new(b->context, &events);
}

static void done(Bench *b)
{
    jobs_free(b->jobs);
    g_main_context_unref(b->context);
    g_string_free(b->said, TRUE);
    g_mutex_clear(&b->lock);
}

static bool has_said(Bench *b, const char *text)
{
    g_mutex_lock(&b->lock);
    bool found = strstr(b->said->str, text);
    g_mutex_unlock(&b->lock);
    return found;
}

static void until(Bench *b, const char *text)
{
    int64_t end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;

    while (!has_said(b, text)) {
        g_main_context_iteration(b->context, FALSE);
        g_usleep(200);
        cr_assert(g_get_monotonic_time() < end, "waited for '%s', got '%s'", text, b->said->str);
    }
}

static Job *start(Bench *b, Work *w, const char *id, unsigned flags)
{
    GError *error = NULL;
    Job *job = job_new(b->jobs, id, &type, flags, w, &error);

    cr_assert(job, "%s", error ? error->message : "");
    w->bench = b;
    job_start(job);
    return job;
}

static void expect_refused(Job *job, JobVerb verb, const char *message)
{
    g_autoptr(GError) error = NULL;

    cr_assert_not(job_do(job, verb, &error));
    cr_assert_str_eq(error->message, message);
}

Test(job, one_that_goes_well_is_committed_and_forgotten)
{
    Bench b;
    Work w = {0};

    setup(&b);
    start(&b, &w, "j1", 0);
    until(&b, "j1:null");
    cr_assert_str_eq(b.said->str, "j1:created j1:running j1:waiting j1:pending j1:concluded j1:null ");
    cr_assert(w.commits == 1 && w.aborts == 0 && w.freed == 1);
    cr_assert(b.progress >= 1 && b.progress < 1000);
    cr_assert_eq(jobs_count(b.jobs), 0);
    done(&b);
}

Test(job, one_that_fails_is_undone_and_says_why_until_it_is_dismissed)
{
    Bench b;
    Work w = {.fails = true};

    setup(&b);
    Job *job = start(&b, &w, "j1", JOB_MANUAL_DISMISS);
    until(&b, "j1:concluded");
    cr_assert_str_eq(b.said->str, "j1:created j1:running j1:aborting j1:concluded ");
    cr_assert(w.commits == 0 && w.aborts == 1 && w.freed == 0);
    JobInfo info = jobs_info(b.jobs, 0);
    cr_assert_str_eq(info.error, "disk0: it is full");
    cr_assert_eq(info.status, JOB_CONCLUDED);
    expect_refused(job, JOB_CANCEL, "the job 'j1' is concluded and cannot be asked to cancel");
    cr_assert(job_do(job, JOB_DISMISS, NULL));
    cr_assert_eq(w.freed, 1);
    done(&b);
}

Test(job, a_paused_one_does_nothing_until_it_is_resumed)
{
    Bench b;
    Work w = {.waits = true};

    setup(&b);
    Job *job = start(&b, &w, "j1", 0);
    expect_refused(job, JOB_RESUME, "the job 'j1' is not paused (it is running)");
    cr_assert(job_do(job, JOB_PAUSE, NULL));
    expect_refused(job, JOB_PAUSE, "the job 'j1' is paused already");
    until(&b, "j1:paused");
    int steps = g_atomic_int_get(&w.steps);
    g_usleep(20000);
    cr_assert_leq(g_atomic_int_get(&w.steps), steps);
    g_atomic_int_set(&w.go, 1);
    cr_assert(job_do(job, JOB_RESUME, NULL));
    until(&b, "j1:null");
    cr_assert_str_eq(b.said->str,
                     "j1:created j1:running j1:paused j1:running j1:waiting j1:pending j1:concluded j1:null ");
    done(&b);
}

Test(job, one_can_be_cancelled_while_it_works_and_while_it_is_paused)
{
    for (int paused = 0; paused < 2; paused++) {
        Bench b;
        Work w = {.waits = true};
        setup(&b);
        Job *job = start(&b, &w, "j1", JOB_MANUAL_DISMISS);
        if (paused) {
            cr_assert(job_do(job, JOB_PAUSE, NULL));
            until(&b, "j1:paused");
        }
        cr_assert(job_do(job, JOB_CANCEL, NULL));
        until(&b, "j1:concluded");
        cr_assert(w.commits == 0 && w.aborts == 1);
        cr_assert_str_eq(jobs_info(b.jobs, 0).error, "the job 'j1' was cancelled");
        done(&b);
    }
}

Test(job, what_waits_for_its_end_can_be_finalized_or_cancelled)
{
    for (int cancel = 0; cancel < 2; cancel++) {
        Bench b;
        Work w = {0};
        setup(&b);
        Job *job = start(&b, &w, "j1", JOB_MANUAL_FINALIZE | JOB_MANUAL_DISMISS);
        expect_refused(job, JOB_DISMISS, "the job 'j1' is running and cannot be asked to dismiss");
        until(&b, "j1:pending");
        expect_refused(job, JOB_PAUSE, "the job 'j1' is pending and cannot be asked to pause");
        cr_assert_eq(w.commits, 0);
        cr_assert(job_do(job, cancel ? JOB_CANCEL : JOB_FINALIZE, NULL));
        cr_assert(w.commits == !cancel && w.aborts == cancel);
        cr_assert(has_said(&b, cancel ? "j1:pending j1:aborting j1:concluded" : "j1:pending j1:concluded"));
        done(&b);
    }
}

Test(job, a_ready_one_goes_on_until_it_is_told_to_complete)
{
    Bench b;
    Work w = {.readies = true};

    setup(&b);
    Job *job = start(&b, &w, "j1", 0);
    until(&b, "j1:ready");
    cr_assert(job_do(job, JOB_PAUSE, NULL));
    until(&b, "j1:standby");
    expect_refused(job, JOB_COMPLETE, "the job 'j1' is standby and cannot be asked to complete");
    cr_assert(job_do(job, JOB_RESUME, NULL));
    until(&b, "j1:standby j1:ready");
    cr_assert(job_do(job, JOB_COMPLETE, NULL));
    until(&b, "j1:null");
    cr_assert_eq(w.commits, 1);
    done(&b);
}

Test(job, names_are_names_and_only_once)
{
    static const char *const wrong[] = {"", "1a", "a b", "ä", "-a"};
    Bench b;
    Work w = {.waits = true}, other = {0};
    g_autoptr(GError) error = NULL;

    setup(&b);
    start(&b, &w, "j1", 0);
    cr_assert_null(job_new(b.jobs, "j1", &type, 0, &other, &error));
    cr_assert_str_eq(error->message, "job-id: there is a job 'j1' already (it is running)");
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
        cr_assert_null(job_new(b.jobs, wrong[i], &type, 0, &other, NULL), "%s", wrong[i]);
    cr_assert_eq(other.freed, 1 + G_N_ELEMENTS(wrong));
    g_clear_error(&error);
    cr_assert_null(job_find(b.jobs, "j2", &error));
    cr_assert_str_eq(error->message, "there is no job 'j2' (jobs: j1)");
    done(&b);
}

Test(job, whoever_goes_takes_all_jobs_along)
{
    Bench b;
    Work works[6] = {{.waits = true}, {.readies = true}, {0}, {.fails = true}, {.waits = true}, {0}};

    setup(&b);
    for (unsigned i = 0; i < 6; i++) {
        g_autofree char *id = g_strdup_printf("j%u", i);
        Job *job = start(&b, &works[i], id, JOB_MANUAL_DISMISS | JOB_MANUAL_FINALIZE);
        if (i == 4)
            cr_assert(job_do(job, JOB_PAUSE, NULL));
    }
    until(&b, "j3:concluded");
    done(&b);
    for (unsigned i = 0; i < 6; i++)
        cr_assert(works[i].freed == 1 && works[i].commits == 0 && works[i].aborts == 1, "%u", i);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

typedef struct Caller {
    Bench bench;
    GThread *main; /* the thread that is to do it */
    int calls, wrong;
    int begun;
} Caller;

static void be_called(void *data)
{
    Caller *c = data;

    c->calls++;
    c->wrong += g_thread_self() != c->main;
}

static bool call_often(Job *job, void *opaque, GError **error)
{
    Caller *c = opaque;

    (void)error;
    g_atomic_int_set(&c->begun, 1);
    for (int i = 0; i < 100 && job_checkpoint(job); i++)
        job_call(job, be_called, c);
    return true;
}

static const JobType calling = {.name = "create", .run = call_often};

Test(job, the_context_s_thread_does_what_a_job_has_it_do)
{
    Caller c = {.main = g_thread_self()};

    setup(&c.bench);
    job_start(job_new(c.bench.jobs, "j1", &calling, 0, &c, NULL));
    until(&c.bench, "j1:null");
    cr_assert_eq(c.calls, 100);
    cr_assert_eq(c.wrong, 0);
    done(&c.bench);
}

/* Its context does nothing else then. */
Test(job, also_while_it_waits_for_the_job_s_end, .timeout = 60)
{
    Caller c = {.main = g_thread_self()};

    setup(&c.bench);
    job_start(job_new(c.bench.jobs, "j1", &calling, 0, &c, NULL));
    while (!g_atomic_int_get(&c.begun))
        g_usleep(100);
    g_usleep(20000); /* it waits for an answer now */
    done(&c.bench);
    cr_assert_geq(c.calls, 1);
    cr_assert_eq(c.wrong, 0);
}

static bool seal(Job *job, void *opaque, GError **error)
{
    Caller *c = opaque;

    (void)error;
    cr_assert(job_seal(job));
    g_atomic_int_set(&c->begun, 1);
    while (job_checkpoint(job) && !g_atomic_int_get(&c->wrong))
        g_usleep(100);
    return true;
}

Test(job, what_others_see_already_cannot_be_cancelled, .timeout = 60)
{
    static const JobType sealing = {.name = "create", .run = seal};
    g_autoptr(GError) error = NULL;
    Caller c = {0};

    setup(&c.bench);
    Job *job = job_new(c.bench.jobs, "j1", &sealing, 0, &c, NULL);
    job_start(job);
    while (!g_atomic_int_get(&c.begun))
        g_usleep(100);
    cr_assert(!job_do(job, JOB_CANCEL, &error));
    cr_assert_str_eq(error->message, "the job 'j1' cannot be cancelled any more: the machine is what it makes of it");
    g_atomic_int_set(&c.wrong, 1);
    until(&c.bench, "j1:null");
    done(&c.bench);
}
