/*
 * fuzz-qmp-client.c: what a QMP server says to libqmp, in whatever pieces.
 *
 * An input has three parts, with a NUL between: the greeting; what is said when qmp_capabilities waits, whose id is 1;
 * and what is said when calls with the ids 2 to 8 wait: two of JSON, one of them out of band, and five of commands that
 * the input's length chooses, whose results are loaded as C values.
 *
 * Every call ends, with a result or an error, and if there is a session it is the same whatever pieces the octets come
 * in.
 */
#include <jansson.h>
#include <string.h>

#include "qapi/client.h"
#include "tests/fuzz/support/fuzz.h"
#include "tools/libqmp/libqmp.h"

enum { BY_NAME = 2, TYPED = 5, RESULT_MAX = 64 };

typedef struct FuzzPeer {
    const uint8_t *data;
    size_t len, at;
    size_t piece;
    int asked; /* so many NULs may be passed */
} FuzzPeer;

static ssize_t peer_read(void *data, void *to, size_t size)
{
    FuzzPeer *peer = data;

    if (peer->at < peer->len && !peer->data[peer->at] && peer->asked) {
        peer->asked--;
        peer->at++;
    }
    const uint8_t *from = peer->data + peer->at;
    size_t left = peer->len - peer->at;
    const uint8_t *nul = left ? memchr(from, 0, left) : NULL;
    size_t n = MIN(MIN(size, peer->piece), nul ? (size_t)(nul - from) : left);
    memcpy(to, from, n);
    peer->at += n;
    return (ssize_t)n;
}

static ssize_t peer_write(void *data, const void *from, size_t size)
{
    FuzzPeer *peer = data;

    fuzz_touch(from, size);
    peer->asked++;
    return (ssize_t)size;
}

static int peer_wait(void *data, short events, int wake, int timeout_ms)
{
    (void)data;
    (void)wake;
    (void)timeout_ms;
    return events;
}

static void peer_close(void *data)
{
    (void)data;
}

static const QmpTransport transport = {
    .size = sizeof(QmpTransport),
    .read = peer_read,
    .write = peer_write,
    .wait = peer_wait,
    .close = peer_close,
};

/* --- what comes of it --------------------------------------------------------------------------------------------- */

static void note(GString *log, bool ok, GError *error)
{
    fuzz_check(ok == !error, "the result is %d, and the error: %s", ok, fuzz_message(error));
    fuzz_check(ok || error->domain == LIBQMP_ERROR, "an error of another domain: %s", fuzz_message(error));
    g_string_append_printf(log, "%d ", ok ? -1 : error->code);
    g_clear_error(&error);
}

static void on_event(QmpSession *session, const LibqmpEvent *event, void *data)
{
    (void)session;
    fuzz_touch(event->name, strlen(event->name));
    for (size_t i = 0; i < libqmp_event_count; i++) {
        void *value = NULL;
        GError *error = NULL;
        if (strcmp(libqmp_events[i].name, event->name) != 0)
            continue;
        note(data, libqmp_event_value(event, &libqmp_events[i], &value, &error), error);
        if (libqmp_events[i].data)
            qapi_free(libqmp_events[i].data, value);
    }
}

static void finish_json(GString *log, LibqmpCall *call)
{
    GError *error = NULL;
    json_t *result = libqmp_execute_finish(call, &error);
    g_autofree char *text = result ? json_dumps(result, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;

    if (text)
        g_string_append(log, text);
    note(log, result, error);
    json_decref(result);
}

static void finish_typed(GString *log, LibqmpCall *call, const QapiCommand *command)
{
    uint8_t result[RESULT_MAX] __attribute__((aligned(16))) = {0};
    GError *error = NULL;
    bool ok = libqmp_call_finish(call, result, &error);

    if (ok && command->result) {
        json_t *again = qapi_to_json(command->result, result);
        g_autofree char *text = json_dumps(again, JSON_ENCODE_ANY | JSON_COMPACT);
        g_string_append(log, text ? text : "?");
        json_decref(again);
        qapi_clear(command->result, result);
    }
    note(log, ok, error);
}

static void ask(QmpSession *session, FuzzPeer *peer, GString *log)
{
    LibqmpCall *calls[BY_NAME + TYPED];
    const QapiCommand *commands[TYPED];
    GError *error = NULL;

    /* What is said too early must not be taken for what is said later. */
    while (peer->at < peer->len && peer->data[peer->at] && libqmp_session_pump(session, 0, NULL) >= 0)
        ;
    error = libqmp_session_error(session);
    if (error) {
        note(log, false, error);
        return;
    }
    libqmp_event_subscribe(session, NULL, on_event, log);
    calls[0] = libqmp_execute_start(session, "a", NULL, 0, NULL);
    calls[1] = libqmp_execute_start(session, "b", NULL, libqmp_session_has_oob(session) ? LIBQMP_OOB : 0, NULL);
    for (size_t i = 0; i < TYPED; i++) {
        commands[i] = &libqmp_commands[(peer->len * TYPED + i) % libqmp_command_count];
        calls[BY_NAME + i] = libqmp_call_start(session, commands[i], NULL, NULL);
    }
    for (size_t i = 0; i < BY_NAME; i++)
        finish_json(log, calls[i]);
    for (size_t i = 0; i < TYPED; i++)
        finish_typed(log, calls[BY_NAME + i], commands[i]);
    while (libqmp_session_pump(session, -1, &error) >= 0)
        ;
    note(log, false, error);
}

/* Says it in such pieces; what has become of everything, new. NULL: there is no session. */
static char *run(const uint8_t *data, size_t len, size_t piece)
{
    FuzzPeer peer = {.data = data, .len = len, .piece = piece};
    GString *log = g_string_new(NULL);
    GError *error = NULL;
    QmpSession *session = libqmp_session_new(
        &transport, &peer, LIBQMP_SESSION_OPTIONS(.reply_max = 4096, .depth_max = 40, .event_max = 1000000), &error);

    note(log, session, error);
    if (!session) {
        g_string_free(log, TRUE);
        return NULL;
    }
    ask(session, &peer, log);
    libqmp_session_free(session);
    return g_string_free(log, FALSE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autofree char *whole = run(data, len, SIZE_MAX), *pieces = run(data, len, 1 + fuzz_choice(data, len) % 13);

    fuzz_check(!whole || !pieces || strcmp(whole, pieces) == 0, "in pieces it is otherwise:\n%s\n%s", whole, pieces);
    return 0;
}
