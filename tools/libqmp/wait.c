/* wait.c: who waits for something reads from the peer meanwhile, for all who wait. */
#include "tools/libqmp/session-impl.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <unistd.h>

enum { READS_AT_ONCE = 16 };

gint64 session_time_after(int timeout_ms)
{
    return timeout_ms < 0 ? G_MAXINT64 : g_get_monotonic_time() + (gint64)timeout_ms * 1000;
}

void session_wake(QmpSession *session)
{
    const uint64_t one = 1;

    if (session->leading && !session->woken)
        session->woken = write(session->wake, &one, sizeof one) == sizeof one;
}

void session_wake_loop(QmpSession *session)
{
    if (session->context)
        g_main_context_wakeup(session->context);
}

/* --- octets ------------------------------------------------------------------------------------------------------- */

static GError *closed_error(const QmpSession *session)
{
    if (!session->greeting && !session->transport->negotiated)
        return g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_CLOSED, "the peer has closed the connection before its greeting");
    if (frame_pending(&session->in))
        return g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_CLOSED,
                           "the peer has closed the connection within a message, of which %zu octets have come",
                           frame_pending(&session->in));
    return g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_CLOSED, "the peer has closed the connection");
}

static bool is_of_closed(int number)
{
    return number == ECONNRESET || number == EPIPE;
}

/* All messages that are complete. */
static void take_messages(QmpSession *session)
{
    GError *error = NULL;

    for (json_t *message; !session->end && (message = frame_next(&session->in, &error));) {
        size_t size;
        const char *text = frame_text(&session->in, &size);
        if (session->trace)
            session->trace(false, text, size, session->trace_data);
        session_receive(session, message);
    }
    if (error)
        session_end(session, error);
}

typedef enum Got { GOT_NOTHING, GOT_SOME, GOT_ALL_THERE_WAS_ROOM_FOR } Got;

static Got read_once(QmpSession *session)
{
    size_t room;
    void *to = frame_room(&session->in, &room);
    ssize_t got = session->transport->read(session->peer, to, room);

    if (got > 0) {
        frame_added(&session->in, (size_t)got);
        take_messages(session);
        return (size_t)got == room ? GOT_ALL_THERE_WAS_ROOM_FOR : GOT_SOME;
    }
    if (got == 0 || is_of_closed(errno))
        session_end(session, closed_error(session));
    else if (errno != EAGAIN && errno != EINTR)
        session_end(session,
                    g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_IO, "reading from the peer: %s", g_strerror(errno)));
    return GOT_NOTHING;
}

void session_read(QmpSession *session)
{
    for (int i = 0; i < READS_AT_ONCE && !session->end; i++)
        if (read_once(session) != GOT_ALL_THERE_WAS_ROOM_FOR)
            break;
}

/* The peer takes nothing any more; what it has said before may still be read. */
static void end_of_writing(QmpSession *session)
{
    while (!session->end && read_once(session) != GOT_NOTHING)
        ;
    if (!session->end)
        session_end(session, closed_error(session));
}

void session_flush(QmpSession *session)
{
    while (!session->end && session->written < session->out->len) {
        ssize_t put = session_write(session);
        if (put >= 0) {
            session->written += (size_t)put;
        } else if (is_of_closed(errno)) {
            end_of_writing(session);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            session_end(session,
                        g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_IO, "writing to the peer: %s", g_strerror(errno)));
        }
    }
    if (session->written == session->out->len) {
        g_byte_array_set_size(session->out, 0);
        session->written = 0;
    }
}

/* --- waiting ------------------------------------------------------------------------------------------------------ */

/* Until then in milliseconds, not too short. */
static int milliseconds_until(gint64 until)
{
    gint64 left = until - g_get_monotonic_time();

    if (until == G_MAXINT64)
        return SESSION_FOREVER_MS;
    return left <= 0 ? 0 : (int)MIN((left + 999) / 1000, G_MAXINT);
}

/* Waits in the transport, and handles what comes. */
static void lead(QmpSession *session, gint64 until)
{
    int timeout_ms = milliseconds_until(MIN(until, session->earliest));
    short events = session->out->len ? POLLIN | POLLOUT : POLLIN;
    uint64_t count;

    session->leading = true;
    g_mutex_unlock(&session->lock);
    int possible = session->transport->wait(session->peer, events, session->wake, timeout_ms);
    int number = errno;
    g_mutex_lock(&session->lock);
    session->leading = false;

    if (session->woken && read(session->wake, &count, sizeof count) == sizeof count)
        session->woken = false;
    if (possible < 0 && number != EINTR)
        session_end(session,
                    g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_IO, "waiting for the peer: %s", g_strerror(number)));
    if (possible > 0 && possible & POLLOUT)
        session_flush(session);
    if (possible > 0 && possible & POLLIN)
        session_read(session);
    session_expire(session);
}

/* Somebody else leads. */
static void follow(QmpSession *session, gint64 until)
{
    session->followers++;
    if (MIN(until, session->earliest) == G_MAXINT64)
        g_cond_wait(&session->changed, &session->lock);
    else
        g_cond_wait_until(&session->changed, &session->lock, MIN(until, session->earliest));
    session->followers--;
    session_expire(session);
}

bool session_wait(QmpSession *session, SessionReady *ready, const void *what, gint64 until)
{
    bool is_ready = ready(session, what), in_time = true;

    while (!is_ready && in_time) {
        if (session->leading || session->end)
            follow(session, until);
        else
            lead(session, until);
        is_ready = ready(session, what);
        in_time = g_get_monotonic_time() < until;
    }
    if (session->followers)
        g_cond_broadcast(&session->changed);
    session_wake_loop(session);
    return is_ready;
}
