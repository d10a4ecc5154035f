/*
 * session.c: one client of QMP.
 *
 * The line's callbacks, which come with its lock, only take what came and wake a source of the context; that reads
 * requests and answers them. It works for a moment and lets others work then: who asks a lot waits for those who ask
 * little. What it has to say goes out once for all answers of that moment.
 */
#include "emu/qmp/session.h"

#include <string.h>

#include "emu/qmp/rights.h"
#include "emu/qmp/server-impl.h"
#include "qapi/types.h"

enum {
    MOMENT_US = 1000,
    TAKEN_MAX = 65536,                  /* octets that came and were not looked at */
    EVENTS_KEPT = 2 * QMP_SESSION_KEPT, /* what is to be said, events included */
    ROOM_KEPT = 64 << 10,
};

struct QmpServerSession {
    QmpServer *server;
    QmpLine line;
    GSource *work;

    bool open, negotiated, oob;
    bool newcomer;   /* somebody waits until what the last one asked for is done */
    bool stopped;    /* the line is not read */
    unsigned client; /* counts them */
    QmpFrame *frame;
    GByteArray *taken;     /* what came */
    size_t looked_at;      /* of that */
    uint64_t came, framed; /* octets of all clients: that came; of requests that are known */
    QmpRights *rights;
    GQueue requests, ahead; /* of QmpRequest: in their order; those out of band */
    GByteArray *out;
    size_t gone; /* of that */
    uint64_t events_lost;
    GHashTable *heard; /* QapiEvent to 1 + bool, where it is not as usual */
};

static void lock(const QmpServerSession *s)
{
    if (s->line.lock)
        g_rec_mutex_lock(s->line.lock);
}

static void unlock(const QmpServerSession *s)
{
    if (s->line.lock)
        g_rec_mutex_unlock(s->line.lock);
}

static void wake(const QmpServerSession *s)
{
    g_source_set_ready_time(s->work, 0);
}

/* --- out -------------------------------------------------------------------------------------------------------- */

static size_t to_say(const QmpServerSession *s)
{
    return s->out->len - s->gone;
}

static void say(QmpServerSession *s, const uint8_t *text, size_t len)
{
    if (s->open)
        g_byte_array_append(s->out, text, (guint)len);
}

static QmpText *text_of(const QmpServerSession *s)
{
    return s->line.pretty ? s->server->pretty : s->server->line;
}

/* What was written there. */
static void say_text(QmpServerSession *s)
{
    size_t len;
    const uint8_t *text = qmp_text_end(text_of(s), &len);

    say(s, text, len);
}

/* What has gone makes room, not each time. */
static void tidy(QmpServerSession *s)
{
    if (s->gone == s->out->len && s->out->len > ROOM_KEPT) {
        g_byte_array_unref(s->out);
        s->out = g_byte_array_new();
    } else if (s->gone == s->out->len) {
        g_byte_array_set_size(s->out, 0);
    } else if (s->gone >= s->out->len / 2) {
        g_byte_array_remove_range(s->out, 0, (guint)s->gone);
    } else {
        return;
    }
    s->gone = 0;
}

/* What the line does not take now goes when it is writable. */
static void flush(QmpServerSession *s)
{
    if (!to_say(s))
        return;
    lock(s); /* the line calls nobody while it is written to */
    s->gone += chardev_write(s->line.chardev, s->out->data + s->gone, to_say(s));
    unlock(s);
    tidy(s);
}

static bool reads_too_little(const QmpServerSession *s)
{
    return to_say(s) > QMP_SESSION_KEPT;
}

/* --- events ----------------------------------------------------------------------------------------------------- */

bool qmp_session_hears(const QmpServerSession *s, const QapiEvent *event)
{
    unsigned said = GPOINTER_TO_UINT(g_hash_table_lookup(s->heard, event));

    return said ? said - 1 : !qmp_event_is_masked(event);
}

void qmp_session_set_hears(QmpServerSession *s, const QapiEvent *event, bool hears)
{
    g_hash_table_insert(s->heard, (void *)event, GUINT_TO_POINTER(1u + hears));
}

/* It reads again, and learns what it has missed. */
static void tell_lost(QmpServerSession *s)
{
    const QapiEvent *event = qmp_server_find_event(s->server, "EVENTS_LOST");
    const QmpEventsLostData lost = {.count = (int64_t)s->events_lost};

    if (!s->events_lost || reads_too_little(s))
        return;
    s->events_lost = 0;
    if (!event || !qmp_session_hears(s, event))
        return;
    qmp_event_write(qmp_text_start(text_of(s)), event, &lost);
    say_text(s);
}

void qmp_session_tell(QmpServerSession *s, const QmpEventText *text)
{
    if (!s->open || !s->negotiated || !qmp_session_hears(s, text->event))
        return;
    size_t len = s->line.pretty ? text->pretty_len : text->line_len;
    if (s->events_lost || to_say(s) + len > EVENTS_KEPT) {
        s->events_lost++;
        return;
    }
    say(s, s->line.pretty ? text->pretty : text->line, len);
    flush(s);
}

/* --- requests --------------------------------------------------------------------------------------------------- */

static unsigned rules(const QmpServerSession *s)
{
    return (s->negotiated ? 0 : QMP_NEGOTIATES) | (s->oob ? QMP_HAS_OOB : 0) | qmp_rules_of(s->server->vm);
}

static bool is_blank(uint8_t octet)
{
    return octet == ' ' || octet == '\t' || octet == '\r' || octet == '\n';
}

/* With the line's end behind it, which comes along. */
static QmpExtent end_request(QmpServerSession *s)
{
    uint64_t begin = s->framed;

    while (s->looked_at < s->taken->len && is_blank(s->taken->data[s->looked_at]))
        s->looked_at++;
    s->framed = s->came - (s->taken->len - s->looked_at);
    return (QmpExtent){begin, s->framed};
}

/* So many of them are known before their turn; of those that overtake, too. */
static void look_ahead(QmpServerSession *s)
{
    while (s->looked_at < s->taken->len && s->requests.length < QMP_SESSION_QUEUE &&
           s->ahead.length < QMP_SESSION_QUEUE) {
        QmpInput found;
        s->looked_at += qmp_frame_push(s->frame, s->taken->data + s->looked_at, s->taken->len - s->looked_at, &found);
        if (!found.json && !found.error)
            continue;
        QmpRequest *r = qmp_request_new(&found);
        qmp_request_place(r, end_request(s));
        g_queue_push_tail(s->oob && qmp_request_is_oob(r) ? &s->ahead : &s->requests, r);
    }
    if (s->looked_at == s->taken->len) {
        g_byte_array_set_size(s->taken, 0);
        s->looked_at = 0;
    }
}

static uint64_t begin_of(GQueue *requests)
{
    return requests->length ? qmp_request_extent(requests->head->data).begin : UINT64_MAX;
}

/* Requests that go ahead leave others behind. */
static void drop_descriptors(QmpServerSession *s)
{
    qmp_rights_answered(s->rights, MIN(MIN(begin_of(&s->requests), begin_of(&s->ahead)), s->framed));
}

static void answer(QmpServerSession *s, QmpRequest *request)
{
    g_autoptr(QmpRequest) r = request;
    QmpCall call = {.server = s->server, .session = s};
    unsigned client = s->client;

    /* Its handler may let others work. */
    if (qmp_request_answer(r, &s->server->config.table, rules(s), &call, text_of(s)) && client == s->client)
        say_text(s);
    drop_descriptors(s);
}

static bool has_work(const QmpServerSession *s)
{
    return s->requests.length || s->ahead.length || s->looked_at < s->taken->len;
}

/* Does what there is to do, for a moment. */
static void work(QmpServerSession *s)
{
    int64_t until_us = g_get_monotonic_time() + MOMENT_US;

    while (has_work(s) && g_get_monotonic_time() < until_us) {
        if (reads_too_little(s))
            flush(s);
        if (reads_too_little(s))
            return;
        look_ahead(s);
        QmpRequest *r = g_queue_pop_head(&s->ahead);
        if (!r)
            r = g_queue_pop_head(&s->requests);
        if (r)
            answer(s, r);
    }
}

/* --- who is there ----------------------------------------------------------------------------------------------- */

static void forget(QmpServerSession *s)
{
    QmpRequest *r;

    s->open = s->negotiated = s->oob = s->newcomer = false;
    s->client++;
    s->events_lost = 0;
    qmp_frame_reset(s->frame);
    g_byte_array_set_size(s->taken, 0);
    g_byte_array_set_size(s->out, 0);
    s->looked_at = s->gone = 0;
    s->framed = s->came;
    qmp_rights_answered(s->rights, UINT64_MAX);
    while ((r = g_queue_pop_head(&s->requests)) || (r = g_queue_pop_head(&s->ahead)))
        qmp_request_free(r);
    g_hash_table_remove_all(s->heard);
}

static void write_greeting(JsonWrite *json)
{
    QmpQMPCapability all[] = {QMP_QMP_CAPABILITY_OOB};
    const QmpQMPCapabilityList capabilities = {.count = G_N_ELEMENTS(all), .items = all};
    g_autoptr(QmpVersionInfo) version = qmp_version_new();

    json_write_object_start(json, NULL);
    json_write_object_start(json, "QMP");
    qapi_write(json, "version", &qmp_type_VersionInfo, &version);
    qapi_write(json, "capabilities", &qmp_type_QMPCapabilityList, &capabilities);
    json_write_object_end(json);
    json_write_object_end(json);
}

static void greet(QmpServerSession *s)
{
    forget(s);
    s->open = true;
    write_greeting(qmp_text_start(text_of(s)));
    say_text(s);
    flush(s);
}

static gboolean do_work(void *opaque)
{
    QmpServerSession *s = opaque;

    g_source_set_ready_time(s->work, -1);
    work(s);
    flush(s);
    tell_lost(s);
    flush(s);
    if (has_work(s) && !reads_too_little(s))
        wake(s);
    if (s->newcomer && !has_work(s))
        greet(s);
    lock(s);
    if (s->stopped)
        chardev_accept_input(s->line.chardev);
    unlock(s);
    return G_SOURCE_CONTINUE;
}

/* --- the line --------------------------------------------------------------------------------------------------- */

static size_t can_receive(void *opaque)
{
    QmpServerSession *s = opaque;
    bool full = s->requests.length >= QMP_SESSION_QUEUE || s->ahead.length >= QMP_SESSION_QUEUE;

    s->stopped = full || s->newcomer || reads_too_little(s) || s->taken->len >= TAKEN_MAX;
    return s->stopped ? 0 : TAKEN_MAX - s->taken->len;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    QmpServerSession *s = opaque;

    g_byte_array_append(s->taken, data, (guint)len);
    s->came += len;
    qmp_rights_end(s->rights, s->came);
    wake(s);
}

static void take_descriptors(void *opaque, const int *fds, size_t count)
{
    QmpServerSession *s = opaque;

    qmp_rights_came(s->rights, fds, count, s->came);
}

/* What a client has asked for is done, even if it has gone and the next one is there. */
static void event(void *opaque, ChardevEvent what)
{
    QmpServerSession *s = opaque;

    if (what == CHARDEV_BREAK)
        return;
    s->open = false;
    s->newcomer = what == CHARDEV_OPENED;
    g_byte_array_set_size(s->out, 0);
    s->gone = 0;
    if (has_work(s))
        wake(s);
    else if (s->newcomer)
        greet(s);
    else
        forget(s);
}

static void writable(void *opaque)
{
    QmpServerSession *s = opaque;

    flush(s);
    wake(s);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static gboolean dispatch(GSource *source, GSourceFunc callback, void *opaque)
{
    (void)source;
    return callback(opaque);
}

QmpServerSession *qmp_session_new(QmpServer *server, const QmpLine *line)
{
    static const GSourceFuncs functions = {.dispatch = dispatch};
    static const ChardevFront front = {.can_receive = can_receive,
                                       .receive = receive,
                                       .event = event,
                                       .writable = writable,
                                       .descriptors = take_descriptors};
    QmpServerSession *s = g_new0(QmpServerSession, 1);

    *s = (QmpServerSession){.server = server, .line = *line};
    s->frame = qmp_frame_new(NULL);
    s->taken = g_byte_array_new();
    s->out = g_byte_array_new();
    g_queue_init(&s->requests);
    g_queue_init(&s->ahead);
    s->heard = g_hash_table_new(NULL, NULL);
    s->rights = qmp_rights_new();
    s->work = g_source_new((GSourceFuncs *)&functions, sizeof(GSource));
    g_source_set_callback(s->work, do_work, s, NULL);
    g_source_attach(s->work, server->config.context);
    lock(s);
    chardev_set_front(line->chardev, &front, s);
    unlock(s);
    return s;
}

void qmp_session_free(QmpServerSession *s)
{
    if (!s)
        return;
    flush(s);
    lock(s);
    chardev_set_front(s->line.chardev, NULL, NULL);
    unlock(s);
    g_source_destroy(s->work);
    g_source_unref(s->work);
    forget(s);
    qmp_frame_free(s->frame);
    g_byte_array_unref(s->taken);
    g_byte_array_unref(s->out);
    g_hash_table_unref(s->heard);
    qmp_rights_free(s->rights);
    g_free(s);
}

bool qmp_session_is_ready(const QmpServerSession *s)
{
    return s->open && s->negotiated;
}

void qmp_session_negotiated(QmpServerSession *s, bool oob)
{
    s->negotiated = true;
    s->oob = oob;
}

QmpRights *qmp_session_rights(QmpServerSession *s)
{
    return s->rights;
}
