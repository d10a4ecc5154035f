/* events.c: events on their way to all who listen. */
#include "emu/qmp/events.h"

#include <string.h>

#include "emu/qmp/text.h"

enum { LIMIT_US = G_USEC_PER_SEC, WAITING_MAX = 4096 /* from other threads */ };

/* An event that was written down. */
typedef struct Note {
    const QapiEvent *event;
    uint8_t *text[2]; /* a line, pretty */
    size_t len[2];
} Note;

/* A kind of event that was handed on a moment ago. */
typedef struct Brake {
    int64_t until_us; /* monotonic */
    Note *last;       /* what came since; NULL: nothing */
} Brake;

struct QmpEvents {
    GMainContext *context;
    GSource *source; /* hands on what waits: other threads' events, and what a brake holds back */
    QmpEventSink *sink;
    void *opaque;

    GMutex lock;
    GQueue waiting;     /* of Note */
    GHashTable *brakes; /* of Brake, by kind and object */
    QmpText *texts[2];
};

/* --- which are held back ---------------------------------------------------------------------------------------- */

static const struct {
    const char *event, *key; /* key: a member of its data; NULL: all are alike */
} limited[] = {
    {"BALLOON_CHANGE", NULL}, {"MEMORY_DEVICE_SIZE_CHANGE", "qom-path"},
    {"QUORUM_FAILURE", NULL}, {"QUORUM_REPORT_BAD", "node-name"},
    {"RTC_CHANGE", NULL},     {"VSERPORT_CHANGE", "id"},
    {"WATCHDOG", NULL},
};

static const char *text_member(const QapiType *type, const void *data, const char *name)
{
    for (const QapiMember *m = type ? type->members : NULL; m && m->name && data; m++)
        if (m->type->kind == QAPI_STRING && strcmp(m->name, name) == 0)
            return *(char *const *)((const char *)data + m->offset);
    return NULL;
}

/* What an event has in common with those that it takes the place of; NULL: each is for itself. New string. */
static char *brake_key(const QapiEvent *event, const void *data)
{
    for (size_t i = 0; i < G_N_ELEMENTS(limited); i++)
        if (strcmp(limited[i].event, event->name) == 0) {
            const char *object = limited[i].key ? text_member(event->data, data, limited[i].key) : NULL;
            return g_strconcat(event->name, ".", object ? object : "", NULL);
        }
    return NULL;
}

/* --- notes ------------------------------------------------------------------------------------------------------ */

static void note_free(void *data)
{
    Note *n = data;

    if (!n)
        return;
    g_free(n->text[0]);
    g_free(n->text[1]);
    g_free(n);
}

static void brake_free(void *data)
{
    note_free(((Brake *)data)->last);
    g_free(data);
}

bool qmp_event_is_masked(const QapiEvent *event)
{
    for (const char *const *f = event->features; f && *f; f++)
        if (strcmp(*f, "masked") == 0)
            return true;
    return false;
}

void qmp_event_write(JsonWrite *json, const QapiEvent *event, const void *data)
{
    int64_t now_us = g_get_real_time();

    json_write_object_start(json, NULL);
    json_write_object_start(json, "timestamp");
    json_write_int(json, "seconds", now_us / G_USEC_PER_SEC);
    json_write_int(json, "microseconds", now_us % G_USEC_PER_SEC);
    json_write_object_end(json);
    json_write_string(json, "event", event->name);
    if (event->data && data)
        qapi_write(json, "data", event->data, &data);
    json_write_object_end(json);
}

static Note *note_new(QmpEvents *e, const QapiEvent *event, const void *data)
{
    Note *n = g_new0(Note, 1);

    n->event = event;
    for (size_t i = 0; i < G_N_ELEMENTS(e->texts); i++) {
        qmp_event_write(qmp_text_start(e->texts[i]), event, data);
        const uint8_t *text = qmp_text_end(e->texts[i], &n->len[i]);
        n->text[i] = g_memdup2(text, n->len[i]);
    }
    return n;
}

/* --- handing on ------------------------------------------------------------------------------------------------- */

/* With the lock. */
static void wait(QmpEvents *e, Note *n)
{
    if (e->waiting.length == WAITING_MAX)
        note_free(g_queue_pop_head(&e->waiting)); /* nobody runs the context: nobody listens */
    g_queue_push_tail(&e->waiting, n);
}

/* What a brake held back long enough waits. With the lock; returns when the next of them has. */
static int64_t release_brakes(QmpEvents *e, int64_t now_us)
{
    GHashTableIter i;
    void *value;
    int64_t next_us = -1;

    g_hash_table_iter_init(&i, e->brakes);
    while (g_hash_table_iter_next(&i, NULL, &value)) {
        Brake *b = value;
        if (b->until_us <= now_us && !b->last) {
            g_hash_table_iter_remove(&i);
            continue;
        }
        if (b->until_us <= now_us) {
            wait(e, g_steal_pointer(&b->last));
            b->until_us = now_us + LIMIT_US;
        }
        next_us = next_us < 0 ? b->until_us : MIN(next_us, b->until_us);
    }
    return next_us;
}

/* On the context's thread. The sink is called without the lock. */
static void hand_on(QmpEvents *e)
{
    for (;;) {
        g_mutex_lock(&e->lock);
        Note *n = g_queue_pop_head(&e->waiting);
        g_mutex_unlock(&e->lock);
        if (!n)
            return;
        const QmpEventText text = {.event = n->event,
                                   .line = n->text[0],
                                   .line_len = n->len[0],
                                   .pretty = n->text[1],
                                   .pretty_len = n->len[1]};
        e->sink(e->opaque, &text);
        note_free(n);
    }
}

static gboolean on_time(void *opaque)
{
    QmpEvents *e = opaque;

    g_mutex_lock(&e->lock);
    g_source_set_ready_time(e->source, release_brakes(e, g_get_monotonic_time()));
    g_mutex_unlock(&e->lock);
    hand_on(e);
    return G_SOURCE_CONTINUE;
}

/* Is it held back? With the lock; takes the note if so. */
static bool hold_back(QmpEvents *e, char *key, Note *n)
{
    Brake *b = g_hash_table_lookup(e->brakes, key);
    int64_t now_us = g_get_monotonic_time();

    if (b && b->until_us > now_us) {
        note_free(b->last);
        b->last = n;
        g_free(key);
        return true;
    }
    if (b && b->last)
        wait(e, g_steal_pointer(&b->last)); /* its time has come just now */
    if (b) {
        b->until_us = now_us + LIMIT_US;
        g_free(key);
        return false;
    }
    b = g_new0(Brake, 1);
    b->until_us = now_us + LIMIT_US;
    g_hash_table_insert(e->brakes, key, b);
    return false;
}

void qmp_events_emit(QmpEvents *e, const QapiEvent *event, const void *data)
{
    if (!e)
        return;
    bool ours = g_main_context_is_owner(e->context);
    char *key = brake_key(event, data);

    g_mutex_lock(&e->lock);
    Note *n = note_new(e, event, data);
    if (!key || !hold_back(e, key, n))
        wait(e, n);
    /* The earliest of what there may be to do; it looks itself what that is. */
    int64_t at = ours && !key ? -1 : ours ? g_get_monotonic_time() + LIMIT_US : 0;
    int64_t before = g_source_get_ready_time(e->source);
    if (at >= 0 && (before < 0 || at < before))
        g_source_set_ready_time(e->source, at);
    g_mutex_unlock(&e->lock);
    if (ours)
        hand_on(e);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    (void)source;
    return callback(opaque);
}

QmpEvents *qmp_events_new(GMainContext *context, QmpEventSink *sink, void *opaque)
{
    static const GSourceFuncs functions = {.dispatch = dispatch};
    QmpEvents *e = g_new0(QmpEvents, 1);

    e->context = context ? context : g_main_context_default();
    e->sink = sink;
    e->opaque = opaque;
    g_mutex_init(&e->lock);
    g_queue_init(&e->waiting);
    e->brakes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, brake_free);
    e->texts[0] = qmp_text_new(false);
    e->texts[1] = qmp_text_new(true);
    e->source = g_source_new((GSourceFuncs *)&functions, sizeof(GSource));
    g_source_set_callback(e->source, on_time, e, NULL);
    g_source_attach(e->source, e->context);
    return e;
}

void qmp_events_free(QmpEvents *e)
{
    if (!e)
        return;
    g_source_destroy(e->source);
    g_source_unref(e->source);
    g_queue_clear_full(&e->waiting, note_free);
    g_hash_table_unref(e->brakes);
    qmp_text_free(e->texts[0]);
    qmp_text_free(e->texts[1]);
    g_mutex_clear(&e->lock);
    g_free(e);
}
