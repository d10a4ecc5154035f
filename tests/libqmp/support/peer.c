/* peer.c: the other side of a session. */
#include "tests/libqmp/support/peer.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <sys/socket.h>
#include <unistd.h>

struct Peer {
    int fd;
    PeerScript *script;
    void *data;
    GString *heard;
    GArray *fds; /* of int, that came and were not taken */
    json_t *request;
};

static void *run(void *data)
{
    Peer *peer = data;

    peer->script(peer, peer->data);
    close(peer->fd);
    g_string_free(peer->heard, TRUE);
    while (peer->fds->len)
        close(peer_take_fd(peer));
    g_array_unref(peer->fds);
    json_decref(peer->request);
    g_free(peer);
    return NULL;
}

int peer_start(PeerScript *script, void *data)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    Peer *peer = g_new0(Peer, 1);
    peer->fd = fds[1];
    peer->script = script;
    peer->data = data;
    peer->heard = g_string_new(NULL);
    peer->fds = g_array_new(FALSE, FALSE, sizeof(int));
    g_thread_unref(g_thread_new("peer", run, peer));
    return fds[0];
}

void peer_say_octets(Peer *peer, const void *data, size_t size)
{
    const char *next = data;

    while (size) {
        ssize_t put = send(peer->fd, next, size, MSG_NOSIGNAL);
        if (put < 0)
            return;
        next += put;
        size -= (size_t)put;
    }
}

void peer_say(Peer *peer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    peer_say_octets(peer, text, strlen(text));
}

static ssize_t receive(Peer *peer, char *data, size_t size)
{
    union {
        char octets[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {data, size};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(peer->fd, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    int fd;

    if (header && header->cmsg_type == SCM_RIGHTS) {
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
        g_array_append_val(peer->fds, fd);
    }
    return got;
}

int peer_take_fd(Peer *peer)
{
    int fd = peer->fds->len ? g_array_index(peer->fds, int, 0) : -1;

    if (fd >= 0)
        g_array_remove_index(peer->fds, 0);
    return fd;
}

const struct json_t *peer_hear(Peer *peer, int64_t *id)
{
    char *end, chunk[4096];

    while (!(end = strchr(peer->heard->str, '\n'))) {
        ssize_t got = receive(peer, chunk, sizeof chunk);
        if (got <= 0)
            return NULL;
        g_string_append_len(peer->heard, chunk, got);
    }
    json_decref(peer->request);
    peer->request = json_loadb(peer->heard->str, (size_t)(end - peer->heard->str), 0, NULL);
    g_string_erase(peer->heard, 0, end - peer->heard->str + 1);
    if (id)
        *id = json_integer_value(json_object_get(peer->request, "id"));
    return peer->request;
}

const char *peer_command(const Peer *peer)
{
    const char *name = json_string_value(json_object_get(peer->request, "execute"));

    return name ? name : json_string_value(json_object_get(peer->request, "exec-oob"));
}

void peer_greet(Peer *peer, bool oob)
{
    int64_t id;

    peer_say(peer,
             "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, "
             "\"capabilities\": [%s]}}\r\n",
             oob ? "\"oob\"" : "");
    if (peer_hear(peer, &id))
        peer_say(peer, "{\"return\": {}, \"id\": %" G_GINT64_FORMAT "}\r\n", id);
}

void peer_answer_all(Peer *peer)
{
    int64_t id;

    while (peer_hear(peer, &id))
        peer_say(peer, "{\"return\": {}, \"id\": %" G_GINT64_FORMAT "}\r\n", id);
}

QmpSession *peer_session(PeerScript *script, void *data, const LibqmpSessionOptions *options)
{
    GError *error = NULL;
    QmpSession *session = libqmp_session_new_fd(peer_start(script, data), options, &error);

    cr_assert(session, "%s", error ? error->message : "no session, and no error");
    cr_assert_null(error);
    return session;
}

void peer_expect_error(GError *error, int code, const char *message)
{
    cr_assert(error, "an error is expected");
    cr_expect(error->domain == LIBQMP_ERROR, "the domain is %s", g_quark_to_string(error->domain));
    cr_expect_eq(error->code, code, "the code is %d, not %d: %s", error->code, code, error->message);
    if (message)
        cr_expect_str_eq(error->message, message);
    g_error_free(error);
}
