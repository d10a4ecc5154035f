/* test-net.c: frames over the host's sockets, a tap and a VDE. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/emu/support/net-rig.h"

static const NetHome home = {.id = "n0"};

static void make_frame(uint8_t *frame, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        frame[i] = (uint8_t)(i * 7 + seed);
}

static void exchange(Card *a, Card *b, size_t len)
{
    g_autofree uint8_t *frame = g_malloc(len);

    make_frame(frame, len, (unsigned)len);
    cr_assert(card_send(a, frame, len));
    card_expects(b, frame, len);
    frame[0]++;
    cr_assert(card_send(b, frame, len));
    card_expects(a, frame, len);
}

/* --- streams ---------------------------------------------------------------------------------------------------- */

static void listen_here(Card *c)
{
    g_autoptr(GError) error = NULL;
    const NetSocket o = {.mode = NET_SOCKET_LISTEN, .host = "127.0.0.1", .port = "0"};
    NetBackend *net = net_socket_new(&home, &o, &error);

    card_attach(c, net, error);
}

static void connect_to(Card *c, const Card *server)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) parts = g_strsplit(net_socket_address(server->net), ":", 2);
    const NetSocket o = {.mode = NET_SOCKET_CONNECT, .host = parts[0], .port = parts[1]};
    NetBackend *net = net_socket_new(&home, &o, &error);

    card_attach(c, net, error);
    settle();
}

/* One end of a pair of sockets; the other is the test's. */
static int stream_pair(Card *c, int type)
{
    g_autoptr(GError) error = NULL;
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, type, 0, fds), 0);
    NetBackend *net = net_socket_new(&home, &(NetSocket){.mode = NET_SOCKET_FD, .fd = fds[0]}, &error);
    card_attach(c, net, error);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    return fds[1];
}

Test(net_stream, frames_of_all_lengths_go_both_ways)
{
    g_auto(Card) server, client;

    listen_here(&server);
    connect_to(&client, &server);
    exchange(&server, &client, 14);
    exchange(&server, &client, 1514);
    exchange(&client, &server, NET_FRAME_MAX);
}

Test(net_stream, a_frame_has_its_length_in_front)
{
    g_auto(Card) card;
    int fd = stream_pair(&card, SOCK_STREAM);
    uint8_t octets[64];

    cr_assert(card_send(&card, "Ethernet", 8));
    cr_assert_eq(read(fd, octets, sizeof octets), 12);
    cr_assert_arr_eq(octets, "\0\0\0\10Ethernet", 12);
    cr_assert_eq(write(fd, "\0\0\0\3one\0\0\0\0\0\0\0\5t", 16), 16);
    card_expects(&card, "one", 3);
    settle();
    cr_assert(g_queue_is_empty(&card.frames), "half a frame is none");
    cr_assert_eq(write(fd, "hree", 4), 4);
    card_expects(&card, "three", 5);
    close(fd);
}

Test(net_stream, a_peer_that_talks_nonsense_is_dropped)
{
    g_auto(Card) card;
    int fd = stream_pair(&card, SOCK_STREAM);
    char octet;

    cr_assert_eq(write(fd, "\x7f\0\0\0xx", 6), 6);
    settle();
    cr_assert_eq(read(fd, &octet, 1), 0, "it is not closed");
    cr_assert(card_send(&card, "lost", 4), "without a peer frames are lost");
    close(fd);
}

Test(net_stream, a_card_without_room_gets_its_frames_later_and_in_order)
{
    g_auto(Card) card;
    int fd = stream_pair(&card, SOCK_STREAM);

    card.room = 1;
    cr_assert_eq(write(fd, "\0\0\0\1a\0\0\0\1b\0\0\0\1c", 15), 15);
    settle();
    cr_assert_eq(g_queue_get_length(&card.frames), 1);
    card.room = 10;
    net_flush(card.net);
    card_expects(&card, "a", 1);
    card_expects(&card, "b", 1);
    card_expects(&card, "c", 1);
    close(fd);
}

Test(net_stream, a_card_that_sends_too_much_is_told_when_to_go_on)
{
    g_auto(Card) card;
    int fd = stream_pair(&card, SOCK_STREAM);
    uint8_t frame[4096] = {0};
    size_t went = 0, came = 0;

    while (card_send(&card, frame, sizeof frame))
        cr_assert_lt(went++, 10000, "it never blocks");
    cr_assert_eq(card.sent, 0);
    while (card.sent == 0) {
        ssize_t n = read(fd, frame, sizeof frame);
        came += n > 0 ? (size_t)n : 0;
        g_main_context_iteration(NULL, FALSE);
        cr_assert_leq(came, went * 4100);
    }
    for (ssize_t n; came < went * 4100; came += (size_t)n) {
        n = read(fd, frame, sizeof frame);
        cr_assert_gt(n, 0);
    }
    close(fd);
}

Test(net_stream, a_server_whose_peer_has_gone_takes_another)
{
    g_auto(Card) server;

    listen_here(&server);
    for (unsigned i = 0; i < 3; i++) {
        g_auto(Card) client;
        connect_to(&client, &server);
        exchange(&client, &server, 60 + i);
    }
    settle();
    cr_assert(card_send(&server, "nobody is there", 15));
}

Test(net_stream, where_nobody_listens_frames_are_lost_without_an_error)
{
    g_autoptr(GError) error = NULL;
    g_auto(Card) card;
    g_autofree char *port = NULL;
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* bound, but it does not listen */
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;

    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    port = g_strdup_printf("%u", ntohs(addr.sin_port));
    NetBackend *net =
        net_socket_new(&home, &(NetSocket){.mode = NET_SOCKET_CONNECT, .host = "127.0.0.1", .port = port}, &error);
    if (net) {
        card_attach(&card, net, error);
        card_send(&card, "x", 1);
        settle();
        cr_assert(card_send(&card, "lost", 4));
    } else {
        card = (Card){.net = NULL};
    }
    close(fd);
}

Test(net_stream, a_server_without_descriptors_takes_its_peer_when_there_are_some)
{
    g_auto(Card) server;
    struct rlimit limit, few;

    listen_here(&server);
    int peer = socket(AF_INET, SOCK_STREAM, 0), next = dup(0); /* all below are taken */
    close(next);
    g_auto(GStrv) parts = g_strsplit(net_socket_address(server.net), ":", 2);
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(parts[1]))};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    cr_assert_eq(connect(peer, (struct sockaddr *)&addr, sizeof addr), 0);
    cr_assert_eq(write(peer, "\0\0\0\4late", 8), 8);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = limit.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    settle();
    cr_assert(g_queue_is_empty(&server.frames));
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    card_expects(&server, "late", 4);
    close(peer);
}

/* --- datagrams -------------------------------------------------------------------------------------------------- */

Test(net_socket, a_datagram_is_a_frame)
{
    g_auto(Card) card;
    int fd = stream_pair(&card, SOCK_DGRAM);
    uint8_t octets[64];

    cr_assert(card_send(&card, "Ethernet", 8));
    cr_assert_eq(read(fd, octets, sizeof octets), 8);
    cr_assert_arr_eq(octets, "Ethernet", 8);
    cr_assert_eq(send(fd, "", 0, 0), 0);
    cr_assert_eq(send(fd, "one", 3, 0), 3);
    cr_assert_eq(send(fd, "two", 3, 0), 3);
    card_expects(&card, "one", 3);
    card_expects(&card, "two", 3);
    cr_assert(card.settled >= 1 && card.settled <= 2);
    cr_assert_eq(card.open, 0, "nobody has said that these were all");
    cr_assert_not(card.net->more);
    card.room = 0;
    cr_assert_eq(send(fd, "three", 5, 0), 5);
    settle();
    cr_assert(g_queue_is_empty(&card.frames));
    card.room = 1;
    net_flush(card.net);
    card_expects(&card, "three", 5);
    close(fd);
}

Test(net_socket, two_that_send_to_each_other_by_udp)
{
    g_autoptr(GError) error = NULL;
    g_auto(Card) a, b;
    NetSocket o = {.mode = NET_SOCKET_UDP, .host = "127.0.0.1", .port = "9", .local_host = "127.0.0.1"};
    NetBackend *net = net_socket_new(&home, &o, &error);

    /* a's port is not known before it is there: so b sends to a, and a to c's place, which is b's port. */
    cr_assert_not_null(net, "%s", error ? error->message : "");
    g_auto(GStrv) first = g_strsplit(net_socket_address(net), ":", 2);
    net_free(net);
    o.port = first[1];
    net = net_socket_new(&home, &o, &error);
    card_attach(&b, net, error);
    g_auto(GStrv) second = g_strsplit(net_socket_address(net), ":", 2);
    o.local_port = first[1];
    o.port = second[1];
    net = net_socket_new(&home, &o, &error);
    card_attach(&a, net, error);
    exchange(&a, &b, 60);
    exchange(&b, &a, 1514);
}

Test(net_socket, members_of_a_group_hear_each_other)
{
    g_autoptr(GError) error = NULL;
    g_auto(Card) a, b;
    const NetSocket o = {.mode = NET_SOCKET_MCAST, .host = "230.0.0.77", .port = "17733", .local_host = "127.0.0.1"};
    NetBackend *net = net_socket_new(&home, &o, &error);

    if (!net)
        cr_skip_test("%s", error->message);
    card_attach(&a, net, error);
    net = net_socket_new(&home, &o, &error);
    card_attach(&b, net, error);
    cr_assert(card_send(&a, "to all", 6));
    card_expects(&b, "to all", 6);
    card_expects(&a, "to all", 6);
}

Test(net_socket, what_cannot_be_is_an_error_that_names_it)
{
    static const NetSocket wrong[] = {
        {.mode = NET_SOCKET_MCAST, .host = "127.0.0.1", .port = "1000"},
        {.mode = NET_SOCKET_LISTEN, .host = "192.0.2.1", .port = "1000"},
        {.mode = NET_SOCKET_CONNECT, .host = "no.such.host.invalid", .port = "1000"},
        {.mode = NET_SOCKET_FD, .fd = -1},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        cr_assert_null(net_socket_new(&home, &wrong[i], &error));
        cr_assert(g_str_has_prefix(error->message, "n0: "), "%s", error->message);
        cr_assert(!wrong[i].host || strstr(error->message, wrong[i].host), "%s", error->message);
    }
}

/* libvdeplug loads its parts in a way that AddressSanitizer does not stand. */
#if defined(__SANITIZE_ADDRESS__)
#define WITHOUT_VDE true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITHOUT_VDE true
#endif
#endif
#ifndef WITHOUT_VDE
#define WITHOUT_VDE false
#endif

/* --- VDE -------------------------------------------------------------------------------------------------------- */

Test(net_vde, two_ends_of_a_link)
{
    g_autoptr(GError) error = NULL;

    if (WITHOUT_VDE)
        cr_skip_test("not with AddressSanitizer");
    g_autofree char *folder = g_dir_make_tmp("vde-XXXXXX", NULL), *url = g_strdup_printf("ptp://%s/link", folder);
    {
        g_auto(Card) a, b;
        NetBackend *net = net_vde_new(&home, &(NetVde){.sock = url}, &error);
        card_attach(&a, net, error);
        net = net_vde_new(&home, &(NetVde){.sock = url}, &error);
        card_attach(&b, net, error);
        exchange(&a, &b, 60);
        exchange(&b, &a, 1514);
    }
    g_autofree char *link = g_build_filename(folder, "link", NULL), *other = g_strconcat(link, "+", NULL);
    g_unlink(link);
    g_unlink(other);
    g_rmdir(folder);
}

Test(net_vde, a_switch_that_is_not_there_is_an_error)
{
    g_autoptr(GError) error = NULL;

    if (WITHOUT_VDE)
        cr_skip_test("not with AddressSanitizer");
    cr_assert_null(net_vde_new(&home, &(NetVde){.sock = "/nowhere/switch"}, &error));
    cr_assert(g_str_has_prefix(error->message, "n0: /nowhere/switch: "), "%s", error->message);
}

/* --- tap -------------------------------------------------------------------------------------------------------- */

/* Up, with a raw socket bound to it, which is the host's end. */
static int host_end(const char *name)
{
    struct ifreq request = {.ifr_flags = 0};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(0x88b5));
    struct sockaddr_ll { /* linux/if_packet.h and net/if.h do not go together everywhere */
        uint16_t family, protocol;
        int ifindex;
        uint16_t hatype;
        uint8_t pkttype, halen, addr[8];
    } addr = {.family = AF_PACKET, .protocol = htons(0x88b5)};

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    cr_assert_eq(ioctl(fd, SIOCGIFFLAGS, &request), 0);
    request.ifr_flags |= IFF_UP;
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
    addr.ifindex = (int)if_nametoindex(name);
    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static bool start_tap(Card *c, const NetTap *o)
{
    g_autoptr(GError) error = NULL;
    NetBackend *net = net_tap_new(&home, o, &error);

    *c = (Card){.net = NULL};
    if (!net && g_error_matches(error, FERRY_ERROR, FERRY_ERROR_IO))
        return false; /* it needs privilege */
    card_attach(c, net, error);
    return true;
}

/* Frames of others (the host speaks IPv6 as soon as it is up) are passed over. */
static void expect_on_tap(Card *c, const uint8_t *frame, size_t len, size_t skip)
{
    for (;;) {
        g_autoptr(GBytes) got = card_wait(c);
        cr_assert_not_null(got);
        size_t size;
        const uint8_t *data = g_bytes_get_data(got, &size);
        if (size != skip + len || memcmp(data + skip, frame, len) != 0)
            continue;
        for (size_t i = 0; i < skip; i++)
            cr_assert_eq(data[i], 0);
        return;
    }
}

static void make_experimental(uint8_t *frame, size_t len)
{
    make_frame(frame, len, 3);
    memset(frame, 0xff, 12); /* to all, and from nobody in particular */
    frame[6] = 0x52;
    frame[12] = 0x88;
    frame[13] = 0xb5;
}

static void try_tap(const NetTap *o, unsigned header)
{
    g_auto(Card) card;
    uint8_t frame[NET_HEADER_MAX + 100] = {0}, octets[200];
    ssize_t n;

    if (!start_tap(&card, o))
        cr_skip_test("no tap for this user");
    int fd = host_end(net_tap_name(card.net));
    if (header) {
        cr_assert(net_has_header(card.net));
        card.net->ops->set_header(card.net, header);
        card.net->ops->set_offloads(card.net, 0);
    }
    make_experimental(frame + header, 100);
    cr_assert(card_send(&card, frame, header + 100));
    settle();
    n = recv(fd, octets, sizeof octets, 0);
    cr_assert_eq(n, 100);
    cr_assert_arr_eq(octets, frame + header, 100);
    cr_assert_eq(send(fd, frame + header, 100, 0), 100);
    expect_on_tap(&card, frame + header, 100, header);
    close(fd);
}

Test(net_tap, frames_reach_the_host_and_come_back)
{
    try_tap(&(NetTap){.no_header = true}, 0);
}

Test(net_tap, a_card_that_knows_no_headers_sees_none)
{
    try_tap(&(NetTap){.ifname = "ferrytest0"}, 0);
}

Test(net_tap, a_card_that_wants_headers_gets_them)
{
    try_tap(&(NetTap){.ifname = NULL}, 10);
    try_tap(&(NetTap){.ifname = NULL}, 12);
}

Test(net_tap, scripts_are_run_with_the_name)
{
    g_autofree char *folder = g_dir_make_tmp("tap-XXXXXX", NULL), *script = g_build_filename(folder, "script", NULL),
                    *said = g_build_filename(folder, "said", NULL), *text = NULL;
    g_autofree char *program = g_strdup_printf("#!/bin/sh\necho $1 >>%s\n", said);
    {
        g_auto(Card) card;
        cr_assert(g_file_set_contents(script, program, -1, NULL));
        g_chmod(script, 0755);
        if (start_tap(&card, &(NetTap){.ifname = "ferrytest1", .script = script, .downscript = script})) {
            cr_assert(g_file_get_contents(said, &text, NULL, NULL));
            cr_assert_str_eq(text, "ferrytest1\n");
        }
    }
    if (text) {
        g_autofree char *both = NULL;
        cr_assert(g_file_get_contents(said, &both, NULL, NULL));
        cr_assert_str_eq(both, "ferrytest1\nferrytest1\n");
    }
    g_unlink(script);
    g_unlink(said);
    g_rmdir(folder);
    if (!text)
        cr_skip_test("no tap for this user");
}

Test(net_tap, a_descriptor_that_is_no_taps_is_an_error)
{
    g_autoptr(GError) error = NULL;
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    cr_assert_null(net_tap_new(&home, &(NetTap){.use_fd = true, .fd = fds[0]}, &error));
    cr_assert(g_str_has_prefix(error->message, "n0: the descriptor is no tap's"), "%s", error->message);
    close(fds[1]);
}
