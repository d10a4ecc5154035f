/* test-chardev-socket.c: sockets of both kinds in both roles, with peers that are slow, dead, or come again. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/emu/support/front.h"
#include "visitors/error.h"

static void assert_file(const char *path, const char *text)
{
    g_autofree char *data = NULL;

    cr_assert(g_file_get_contents(path, &data, NULL, NULL));
    cr_assert_str_eq(data, text);
}

/* --- sockets ---------------------------------------------------------------------------------------------------- */

static int connect_unix(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(name.sun_path, path, sizeof name.sun_path);
    cr_assert_eq(connect(fd, (struct sockaddr *)&name, sizeof name), 0, "%s: %s", path, g_strerror(errno));
    return fd;
}

static int listen_unix(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(name.sun_path, path, sizeof name.sun_path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    cr_assert_eq(listen(fd, 1), 0);
    return fd;
}

Test(chardev, a_server_may_have_been_opened_by_somebody_else)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");
    int listener = listen_unix(path);

    front_attach(f,
                 chardev_new_socket(&f->home, &(ChardevSocket){.has_fd = true, .fd = listener, .server = true}, NULL));
    for (unsigned n = 1; n <= 2; n++) {
        int peer = connect_unix(path);
        FRONT_RUN_UNTIL(f, f->opened == n);
        front_talk(f, peer);
        close(peer);
        FRONT_RUN_UNTIL(f, f->closed == n);
    }
    unlink(path);
}

Test(chardev, a_connection_may_have_been_made_by_somebody_else)
{
    g_autoptr(Front) f = front_new();
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.has_fd = true, .fd = pair[0]}, NULL));
    cr_assert_eq(f->opened, 1);
    front_talk(f, pair[1]);
    close(pair[1]);
    FRONT_RUN_UNTIL(f, f->closed == 1);
}

Test(chardev, a_descriptor_of_another_kind_is_refused_and_stays_open)
{
    g_autoptr(Front) f = front_new();
    int pair[2], file = open("/dev/null", O_RDWR);

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cr_assert_null(chardev_new_socket(&f->home, &(ChardevSocket){.has_fd = true, .fd = pair[0], .server = true}, NULL));
    cr_assert_null(chardev_new_socket(&f->home, &(ChardevSocket){.has_fd = true, .fd = file}, NULL));
    cr_assert_null(chardev_new_socket(&f->home, &(ChardevSocket){.has_fd = true, .fd = 12345}, NULL));
    cr_assert(close(pair[0]) == 0 && close(pair[1]) == 0 && close(file) == 0);
}

Test(chardev, a_unix_server_has_one_peer_after_the_other)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, NULL));
    cr_assert_eq(chardev_write(f->c, "nobody", 6), 6);
    for (unsigned n = 1; n <= 3; n++) {
        int peer = connect_unix(path);
        FRONT_RUN_UNTIL(f, f->opened == n);
        front_talk(f, peer);
        close(peer);
        FRONT_RUN_UNTIL(f, f->closed == n);
        cr_assert_eq(chardev_write(f->c, "nobody", 6), 6);
    }
    g_clear_pointer(&f->c, chardev_free);
    cr_assert_not(g_file_test(path, G_FILE_TEST_EXISTS));
}

Test(chardev, who_comes_second_waits_until_the_first_has_gone)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, NULL));
    int first = connect_unix(path), second = connect_unix(path);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    front_talk(f, first);
    cr_assert_eq(f->opened, 1);
    close(first);
    FRONT_RUN_UNTIL(f, f->opened == 2);
    front_talk(f, second);
    close(second);
}

Test(chardev, what_a_socket_does_not_take_goes_later)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, NULL));
    int peer = connect_unix(path);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    front_assert_back_pressure(f, peer);
    close(peer);
}

Test(chardev, a_peer_that_never_reads_and_goes_frees_who_waits)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");
    g_autofree char *much = g_malloc0(LARGE);

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, NULL));
    int peer = connect_unix(path);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    cr_assert_lt(chardev_write(f->c, much, LARGE), LARGE);
    close(peer);
    FRONT_RUN_UNTIL(f, f->writable == 1 && f->closed == 1);
    cr_assert_eq(chardev_write(f->c, much, LARGE), LARGE);
}

Test(chardev, what_the_front_does_not_take_stays_with_the_peer)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");
    g_autofree uint8_t *much = g_malloc(LARGE);
    size_t sent = 0;

    for (size_t i = 0; i < LARGE; i++)
        much[i] = front_pattern(i);
    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, NULL));
    f->room = 0;
    int peer = connect_unix(path);
    fcntl(peer, F_SETFL, O_NONBLOCK);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    sent += (size_t)write(peer, much, LARGE);
    cr_assert_lt(sent, LARGE);
    front_run(f, QUIET_MS);
    cr_assert_eq(f->got->len, 0);
    f->room = 1000;
    chardev_accept_input(f->c);
    while (f->got->len < LARGE) {
        ssize_t n = sent < LARGE ? write(peer, much + sent, LARGE - sent) : 0;
        sent += n > 0 ? (size_t)n : 0;
        front_run(f, 1);
    }
    cr_assert_leq(f->most, 1000);
    cr_assert_arr_eq(f->got->data, much, LARGE);
    close(peer);
}

Test(chardev, a_peer_s_last_words_come_before_its_end)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, NULL));
    f->room = 0;
    int peer = connect_unix(path);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    cr_assert_eq(write(peer, "farewell", 8), 8);
    close(peer);
    front_run(f, QUIET_MS);
    cr_assert_eq(f->closed, 0);
    f->room = 3;
    chardev_accept_input(f->c);
    FRONT_RUN_UNTIL(f, f->closed == 1);
    front_assert_got(f, "farewell");
}

Test(chardev, a_stuck_front_does_not_keep_the_next_peer_out)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, NULL));
    f->room = 0;
    int peer = connect_unix(path);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    cr_assert_eq(write(peer, "unread", 6), 6);
    close(peer);
    peer = connect_unix(path);
    FRONT_RUN_UNTIL(f, f->opened == 2);
    f->room = 100;
    chardev_accept_input(f->c);
    front_talk(f, peer);
    close(peer);
}

Test(chardev, without_descriptors_a_server_tries_later)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");
    struct rlimit before, none;

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, NULL));
    int peer = connect_unix(path);
    getrlimit(RLIMIT_NOFILE, &before);
    none = before;
    none.rlim_cur = (rlim_t)peer + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    front_run(f, QUIET_MS);
    setrlimit(RLIMIT_NOFILE, &before);
    cr_assert_eq(f->opened, 0);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    front_talk(f, peer);
    close(peer);
}

static void *connect_later(void *path)
{
    g_usleep(50000);
    while (!g_file_test(path, G_FILE_TEST_EXISTS))
        g_usleep(1000);
    g_usleep(1000);
    return GINT_TO_POINTER(connect_unix(path));
}

Test(chardev, a_server_waits_for_the_first_if_it_shall)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");
    GThread *thread = g_thread_new("peer", connect_later, path);

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true, .wait = true}, NULL));
    int peer = GPOINTER_TO_INT(g_thread_join(thread));
    cr_assert(chardev_is_open(f->c));
    cr_assert_eq(f->opened, 1);
    front_talk(f, peer);
    close(peer);
}

Test(chardev, a_socket_file_without_a_listener_is_replaced_and_others_are_not)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket"), *file = front_path(f, "file");
    g_autoptr(GError) error = NULL, second = NULL;

    close(listen_unix(path));
    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, &error));
    cr_assert_null(chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .server = true}, &error));
    cr_assert(strstr(error->message, path) && strstr(error->message, g_strerror(EADDRINUSE)), "%s", error->message);
    close(connect_unix(path));
    cr_assert(g_file_set_contents(file, "precious", -1, NULL));
    cr_assert_null(chardev_new_socket(&f->home, &(ChardevSocket){.path = file, .server = true}, &second));
    assert_file(file, "precious");
}

Test(chardev, a_client_talks_and_is_not_repeated)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");
    int listener = listen_unix(path);

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path}, NULL));
    int peer = accept(listener, NULL, NULL);
    front_talk(f, peer);
    close(peer);
    FRONT_RUN_UNTIL(f, f->closed == 1);
    front_run(f, 1200);
    cr_assert_eq(f->opened, 1);
    close(listener);
}

Test(chardev, a_client_without_a_server_says_so)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "nobody"), *endless = g_strnfill(200, 'x');
    g_autoptr(GError) error = NULL, second = NULL;

    cr_assert_null(chardev_new_socket(&f->home, &(ChardevSocket){.path = path}, &error));
    cr_assert(strstr(error->message, path) && strstr(error->message, g_strerror(ENOENT)), "%s", error->message);
    cr_assert_null(chardev_new_socket(&f->home, &(ChardevSocket){.path = endless}, &second));
    cr_assert(strstr(second->message, g_strerror(ENAMETOOLONG)), "%s", second->message);
}

Test(chardev, a_client_connects_again_and_again)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "socket");

    /* At first there is no server at all. */
    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.path = path, .reconnect_s = 1}, NULL));
    cr_assert_not(chardev_is_open(f->c));
    cr_assert_eq(chardev_write(f->c, "nobody", 6), 6);
    int listener = listen_unix(path);
    for (unsigned n = 1; n <= 2; n++) {
        FRONT_RUN_UNTIL(f, f->opened == n);
        int peer = accept(listener, NULL, NULL);
        front_talk(f, peer);
        close(peer);
        FRONT_RUN_UNTIL(f, f->closed == n);
    }
    close(listener);
}

static int connect_tcp(const char *address, const char *to)
{
    const char *port = strrchr(address, ':') + 1;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_gt(atoi(port), 0, "%s", address);
    inet_pton(AF_INET, to, &name.sin_addr);
    cr_assert_eq(connect(fd, (struct sockaddr *)&name, sizeof name), 0, "%s: %s", address, g_strerror(errno));
    return fd;
}

Test(chardev, tcp_talks_in_both_roles)
{
    g_autoptr(Front) server = front_new(), client = front_new();
    const ChardevSocket to_any = {.host = "127.0.0.1", .port = "0", .server = true};

    front_attach(server, chardev_new_socket(&server->home, &to_any, NULL));
    const char *port = strrchr(chardev_address(server->c), ':') + 1;
    for (unsigned n = 1; n <= 2; n++) {
        front_attach(client,
                     chardev_new_socket(&client->home, &(ChardevSocket){.host = "localhost", .port = port}, NULL));
        FRONT_RUN_UNTIL(server, server->opened == n);
        g_byte_array_set_size(server->got, 0);
        g_byte_array_set_size(client->got, 0);
        chardev_write(client->c, "up", 2);
        FRONT_RUN_UNTIL(server, server->got->len == 2);
        chardev_write(server->c, "down", 4);
        FRONT_RUN_UNTIL(client, client->got->len == 4);
        front_assert_got(client, "down");
        g_clear_pointer(&client->c, chardev_free);
        FRONT_RUN_UNTIL(server, server->closed == n);
    }
}

Test(chardev, tcp_takes_no_more_than_its_peer_reads)
{
    g_autoptr(Front) f = front_new();

    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.host = NULL, .port = "0", .server = true}, NULL));
    int peer = connect_tcp(chardev_address(f->c), "127.0.0.1"), small = 65536;
    setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    setsockopt(peer, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    g_autofree uint8_t *sent = g_malloc(LARGE * 4), *got = g_malloc(LARGE * 4);
    size_t gone = 0, came = 0;
    for (size_t i = 0; i < LARGE * 4; i++)
        sent[i] = front_pattern(i);
    gone = chardev_write(f->c, sent, LARGE * 4);
    cr_assert_lt(gone, LARGE * 4);
    while (came < LARGE * 4) {
        size_t piece = MIN(gone - came, 65536);
        front_read(f, peer, got + came, piece);
        came += piece;
        if (f->writable > 0)
            gone += chardev_write(f->c, sent + gone, LARGE * 4 - gone);
        else
            front_run(f, 1);
    }
    cr_assert_arr_eq(got, sent, LARGE * 4);
    close(peer);
}

Test(chardev, a_tcp_client_comes_back_after_a_reset)
{
    g_autoptr(Front) f = front_new();
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct linger abort_it = {.l_onoff = 1};
    socklen_t len = sizeof name;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(bind(listener, (struct sockaddr *)&name, len), 0);
    cr_assert_eq(listen(listener, 1), 0);
    getsockname(listener, (struct sockaddr *)&name, &len);
    g_autofree char *port = g_strdup_printf("%u", ntohs(name.sin_port));
    const ChardevSocket options = {.host = "127.0.0.1", .port = port, .reconnect_s = 1};
    front_attach(f, chardev_new_socket(&f->home, &options, NULL));
    for (unsigned n = 1; n <= 2; n++) {
        FRONT_RUN_UNTIL(f, f->opened == n);
        int peer = accept(listener, NULL, NULL);
        front_talk(f, peer);
        setsockopt(peer, SOL_SOCKET, SO_LINGER, &abort_it, sizeof abort_it);
        close(peer);
        FRONT_RUN_UNTIL(f, f->closed == n);
    }
    close(listener);
}

Test(chardev, a_host_that_there_is_not_is_named)
{
    g_autoptr(Front) f = front_new();
    g_autoptr(GError) error = NULL, second = NULL;

    cr_assert_null(chardev_new_socket(&f->home, &(ChardevSocket){.host = "300.1.1.1.invalid", .port = "1"}, &error));
    cr_assert(strstr(error->message, "300.1.1.1.invalid"), "%s", error->message);
    cr_assert_null(chardev_new_socket(&f->home, &(ChardevSocket){.host = "127.0.0.1", .port = "1"}, &second));
    cr_assert(strstr(second->message, g_strerror(ECONNREFUSED)), "%s", second->message);
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */

static void send_with(int peer, const char *text, const int *fds, unsigned count)
{
    union {
        char octets[CMSG_SPACE(32 * sizeof(int))];
        struct cmsghdr align;
    } control = {.octets = {0}};
    struct iovec iov = {(void *)text, strlen(text)};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    cr_assert_eq(sendmsg(peer, &message, 0), (ssize_t)strlen(text));
}

/* The other end of a pipe says whether somebody still has this one. */
static bool is_held(int reads)
{
    char c;

    return read(reads, &c, 1) < 0 && errno == EAGAIN;
}

Test(chardev, descriptors_come_with_their_characters)
{
    g_autoptr(Front) f = front_new();
    int pair[2], ends[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    f->wants_descriptors = true;
    front_attach(f, chardev_switch_new(
                        &f->home, chardev_new_socket(&f->home, &(ChardevSocket){.has_fd = true, .fd = pair[0]}, NULL)));
    send_with(pair[1], "abc", (int[]){ends[1], ends[1]}, 2);
    close(ends[1]);
    FRONT_RUN_UNTIL(f, f->got->len == 3);
    cr_assert_eq(f->descriptors->len, 2);
    cr_expect_eq(f->descriptors_at, 0, "they come before their characters");
    for (guint i = 0; i < 2; i++) {
        int fd = g_array_index(f->descriptors, int, i);
        cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        cr_expect(is_held(ends[0]));
        close(fd);
    }
    cr_expect_not(is_held(ends[0]));
    close(ends[0]);
    close(pair[1]);
}

Test(chardev, descriptors_that_nobody_wants_are_closed)
{
    g_autoptr(Front) f = front_new();
    int pair[2], ends[2], many[20];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    cr_assert_eq(pipe2(ends, O_NONBLOCK), 0);
    front_attach(f, chardev_new_socket(&f->home, &(ChardevSocket){.has_fd = true, .fd = pair[0]}, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(many); i++)
        many[i] = ends[1];
    send_with(pair[1], "abc", many, G_N_ELEMENTS(many)); /* more than come at once */
    close(ends[1]);
    FRONT_RUN_UNTIL(f, f->got->len == 3);
    cr_expect_not(is_held(ends[0]));
    close(ends[0]);
    close(pair[1]);
}
