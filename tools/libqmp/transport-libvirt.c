/*
 * transport-libvirt.c: commands go through libvirt's monitor pass-through, virDomainQemuMonitorCommand().
 *
 * That function waits, and takes one command at a time. So a thread of the session's own calls it; requests are lines
 * that wait for it, replies octets that an eventfd tells of. libvirt numbers requests itself: ours are taken out of the
 * request and put into the reply.
 */
#include "tools/libqmp/frame.h"
#include "tools/libqmp/transport-impl.h"

#ifdef LIBQMP_LIBVIRT

#include <errno.h>
#include <jansson.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

typedef struct Passage {
    gatomicrefcount references; /* the session, the thread, libvirt's events */
    virDomainPtr domain;
    int ready; /* an eventfd: there is something to be read */
    GMutex lock;
    GByteArray *said; /* by the domain, not read yet */
    bool gone;        /* it says no more */
    GAsyncQueue *requests;
    int events;    /* number of the callback; -1: there is none */
    int lifecycle; /* the same */

    GByteArray *line; /* of a request, so far; the session's alone */
} Passage;

static void passage_unref(void *data)
{
    Passage *passage = data;

    if (!g_atomic_ref_count_dec(&passage->references))
        return;
    virDomainFree(passage->domain);
    close(passage->ready);
    g_byte_array_unref(passage->said);
    g_byte_array_unref(passage->line);
    g_async_queue_unref(passage->requests);
    g_mutex_clear(&passage->lock);
    g_free(passage);
}

/* --- what the domain says ----------------------------------------------------------------------------------------- */

static void tell(Passage *passage)
{
    const uint64_t one = 1;

    if (write(passage->ready, &one, sizeof one) < 0)
        return;
}

static void say(Passage *passage, json_t *message)
{
    g_autofree char *text = json_dumps(message, JSON_COMPACT);

    g_mutex_lock(&passage->lock);
    if (text)
        g_byte_array_append(passage->said, (const guint8 *)text, (guint)strlen(text));
    g_mutex_unlock(&passage->lock);
    tell(passage);
    json_decref(message);
}

static void say_gone(Passage *passage)
{
    g_mutex_lock(&passage->lock);
    passage->gone = true;
    g_mutex_unlock(&passage->lock);
    tell(passage);
}

/* As what comes from a peer itself, of whose numbers some are too large for jansson. NULL: it is no JSON. */
static json_t *parse(const char *text)
{
    Frame frame;
    size_t room, size = strlen(text);

    frame_init(&frame, SIZE_MAX, G_MAXUINT);
    for (size_t done = 0, n; done < size; done += n) {
        void *to = frame_room(&frame, &room);
        n = MIN(room, size - done);
        memcpy(to, text + done, n);
        frame_added(&frame, n);
    }
    json_t *value = frame_next(&frame, NULL);
    frame_done(&frame);
    return value;
}

static json_t *error_reply(const char *desc)
{
    g_autofree char *valid = g_utf8_make_valid(desc ? desc : "libvirt fails and does not say why", -1);

    return json_pack("{s:{s:s,s:s}}", "error", "class", "GenericError", "desc", valid);
}

/* One request, there and back. False: the domain does not run any more. */
static bool pass(Passage *passage, const char *line)
{
    const char *tail = g_strrstr(line, ",\"id\":"); /* as call.c writes requests */
    g_autofree char *text = g_strdup_printf("%.*s}", (int)(tail - line), line);
    json_t *id = json_integer((json_int_t)g_ascii_strtoull(tail + strlen(",\"id\":"), NULL, 10));
    char *answer = NULL;

    int result = virDomainQemuMonitorCommand(passage->domain, text, &answer, 0);
    /* the next call forgets what was wrong */
    g_autofree char *why = result < 0 ? g_strdup(virGetLastErrorMessage()) : NULL;
    if (result < 0 && virDomainIsActive(passage->domain) != 1) {
        json_decref(id);
        return false;
    }
    json_t *reply = result < 0 ? error_reply(why) : parse(answer);
    free(answer);
    if (!reply)
        reply = error_reply("libvirt's answer is no JSON");
    json_object_set_new(reply, "id", id);
    say(passage, reply);
    return true;
}

static void *run(void *data)
{
    Passage *passage = data;
    bool goes_on = true;

    while (goes_on) {
        g_autofree char *line = g_async_queue_pop(passage->requests);
        goes_on = *line && pass(passage, line);
    }
    say_gone(passage);
    passage_unref(passage);
    return NULL;
}

static void on_event(virConnectPtr connection, virDomainPtr domain, const char *event, long long seconds,
                     unsigned microseconds, const char *details, void *data)
{
    json_t *about = details ? parse(details) : NULL;

    (void)connection;
    (void)domain;
    say(data, json_pack("{s:s,s:o*,s:{s:I,s:I}}", "event", event, "data", about, "timestamp", "seconds",
                        (json_int_t)seconds, "microseconds", (json_int_t)microseconds));
}

/* It may end while nothing is asked. */
static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail, void *data)
{
    (void)connection;
    (void)domain;
    (void)detail;
    if (event == VIR_DOMAIN_EVENT_STOPPED || event == VIR_DOMAIN_EVENT_CRASHED)
        say_gone(data);
    return 0;
}

/* A program without libvirt's event loop gets no events. */
static void register_events(Passage *passage)
{
    virConnectPtr connection = virDomainGetConnect(passage->domain);

    g_atomic_ref_count_inc(&passage->references);
    passage->events = virConnectDomainQemuMonitorEventRegister(connection, passage->domain, NULL, on_event, passage,
                                                               passage_unref, 0);
    g_atomic_ref_count_inc(&passage->references);
    passage->lifecycle =
        virConnectDomainEventRegisterAny(connection, passage->domain, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), passage, passage_unref);
    if (passage->events < 0)
        passage_unref(passage);
    if (passage->lifecycle < 0)
        passage_unref(passage);
}

/* --- the transport ------------------------------------------------------------------------------------------------ */

static ssize_t libvirt_read(void *peer, void *data, size_t size)
{
    Passage *passage = peer;
    ssize_t got = -1;
    uint64_t count;

    if (read(passage->ready, &count, sizeof count) < 0)
        count = 0;
    g_mutex_lock(&passage->lock);
    if (passage->said->len) {
        got = (ssize_t)MIN(size, passage->said->len);
        memcpy(data, passage->said->data, (size_t)got);
        g_byte_array_remove_range(passage->said, 0, (guint)got);
    } else if (passage->gone) {
        got = 0;
    }
    bool more = passage->said->len || passage->gone;
    g_mutex_unlock(&passage->lock);
    if (more)
        tell(passage);
    errno = EAGAIN;
    return got;
}

static ssize_t libvirt_write(void *peer, const void *data, size_t size)
{
    Passage *passage = peer;
    const char *text = data, *end;
    size_t left = size;

    while ((end = memchr(text, '\n', left))) {
        g_byte_array_append(passage->line, (const guint8 *)text, (guint)(end - text));
        g_async_queue_push(passage->requests, g_strndup((char *)passage->line->data, passage->line->len));
        g_byte_array_set_size(passage->line, 0);
        left -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    g_byte_array_append(passage->line, (const guint8 *)text, (guint)left);
    return (ssize_t)size;
}

static int libvirt_wait(void *peer, short events, int wake, int timeout_ms)
{
    return libqmp_transport_poll(((Passage *)peer)->ready, events & POLLIN, wake, timeout_ms);
}

/* The thread may be with libvirt: it ends when it comes back. */
static void libvirt_close(void *peer)
{
    Passage *passage = peer;

    if (passage->events >= 0)
        virConnectDomainQemuMonitorEventDeregister(virDomainGetConnect(passage->domain), passage->events);
    if (passage->lifecycle >= 0)
        virConnectDomainEventDeregisterAny(virDomainGetConnect(passage->domain), passage->lifecycle);
    g_async_queue_push(passage->requests, g_strdup(""));
    passage_unref(passage);
}

static int libvirt_descriptor(void *peer)
{
    return ((Passage *)peer)->ready;
}

static const QmpTransport transport = {
    .size = sizeof(QmpTransport),
    .read = libvirt_read,
    .write = libvirt_write,
    .wait = libvirt_wait,
    .close = libvirt_close,
    .descriptor = libvirt_descriptor,
    .negotiated = true,
};

QmpSession *libqmp_session_new_libvirt(struct _virDomain *domain, const LibqmpSessionOptions *options, GError **error)
{
    int ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (ready < 0 || virDomainRef(domain) < 0) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_CONNECT, "libvirt: %s",
                    ready < 0 ? g_strerror(errno) : virGetLastErrorMessage());
        if (ready >= 0)
            close(ready);
        return NULL;
    }
    Passage *passage = g_new0(Passage, 1);
    g_atomic_ref_count_init(&passage->references);
    passage->domain = domain;
    passage->ready = ready;
    g_mutex_init(&passage->lock);
    passage->said = g_byte_array_new();
    passage->line = g_byte_array_new();
    passage->requests = g_async_queue_new_full(g_free);
    g_atomic_ref_count_inc(&passage->references);
    g_thread_unref(g_thread_new("libqmp-libvirt", run, passage));
    register_events(passage);
    return libqmp_session_new(&transport, passage, options, error);
}

static virDomainPtr find(virConnectPtr connection, const char *domain)
{
    guint64 id;
    virDomainPtr found = virDomainLookupByName(connection, domain);

    if (!found)
        found = virDomainLookupByUUIDString(connection, domain);
    if (!found && g_ascii_string_to_unsigned(domain, 10, 0, G_MAXINT, &id, NULL))
        found = virDomainLookupByID(connection, (int)id);
    return found;
}

QmpSession *transport_libvirt_open(const char *domain, const LibqmpSessionOptions *options, GError **error)
{
    virConnectPtr connection = virConnectOpen(NULL);
    virDomainPtr found = connection ? find(connection, domain) : NULL;
    QmpSession *session = NULL;

    if (!found)
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_CONNECT, "libvirt:%s: %s", domain,
                    connection ? "there is no such domain" : virGetLastErrorMessage());
    else
        session = libqmp_session_new_libvirt(found, options, error);
    if (found)
        virDomainFree(found);
    if (connection)
        virConnectClose(connection);
    return session;
}

#else

static QmpSession *fail(GError **error)
{
    g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_UNSUPPORTED, "this libqmp was built without libvirt");
    return NULL;
}

QmpSession *libqmp_session_new_libvirt(struct _virDomain *domain, const LibqmpSessionOptions *options, GError **error)
{
    (void)domain;
    (void)options;
    return fail(error);
}

QmpSession *transport_libvirt_open(const char *domain, const LibqmpSessionOptions *options, GError **error)
{
    (void)domain;
    (void)options;
    return fail(error);
}

#endif
