/*
 * test-net-qemu.c: frames to and from QEMU: there a hub joins its -netdev socket with a network of its own, whose
 * gateway answers who asks where it is.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/emu/support/net-rig.h"

enum { ATTEMPTS = 200 }; /* of 50 ms */

static const NetHome home = {.id = "n0"};

/* A port of the loopback that nobody has. */
static char *free_port(int type)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, type, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    close(fd);
    return g_strdup_printf("%u", ntohs(addr.sin_port));
}

static GPid start_qemu(const char *socket_options)
{
    g_autofree char *netdev = g_strconcat("socket,id=s,", socket_options, NULL);
    const char *argv[] = {"qemu-system-x86_64",
                          "-M",
                          "none",
                          "-nodefaults",
                          "-display",
                          "none",
                          "-netdev",
                          "user,id=u,ipv6=off",
                          "-netdev",
                          netdev,
                          "-netdev",
                          "hubport,id=a,hubid=0,netdev=u",
                          "-netdev",
                          "hubport,id=b,hubid=0,netdev=s",
                          NULL};
    g_autoptr(GError) error = NULL;
    GPid pid;

    if (!g_spawn_async(NULL, (char **)argv, NULL,
                       G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &pid,
                       &error))
        cr_skip_test("%s", error->message);
    return pid;
}

/* It takes a while before QEMU is there, and until then frames are lost. Is there an answer in the end? */
static bool gateway_answers(Card *c, unsigned attempts)
{
    static const uint8_t request[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0,    1,    2,  3, 8, 6,
                                        0,    1,    8,    0,    6,    4,    0,    1,    0x52, 0x54, 0,  1, 2, 3,
                                        10,   0,    2,    15,   0,    0,    0,    0,    0,    0,    10, 0, 2, 2};

    for (unsigned i = 0; i < attempts; i++) {
        card_send(c, request, sizeof request);
        settle();
        while (!g_queue_is_empty(&c->frames)) {
            g_autoptr(GBytes) got = g_queue_pop_head(&c->frames);
            gsize len;
            const uint8_t *frame = g_bytes_get_data(got, &len);
            if (len >= 42 && frame[12] == 8 && frame[13] == 6 && frame[21] == 2 &&
                memcmp(frame + 28, "\x0a\x00\x02\x02", 4) == 0)
                return true;
        }
    }
    return false;
}

static void talk(const NetSocket *options, const char *qemu_options)
{
    g_autoptr(GError) error = NULL;
    g_auto(Card) card;
    NetBackend *net = net_socket_new(&home, options, &error);

    card_attach(&card, net, error);
    GPid pid = start_qemu(qemu_options);
    bool answers = gateway_answers(&card, ATTEMPTS);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_assert(answers, "the gateway behind %s is silent", qemu_options);
}

Test(net_qemu, qemu_connects)
{
    g_autofree char *port = free_port(SOCK_STREAM), *to = g_strdup_printf("connect=127.0.0.1:%s", port);

    talk(&(NetSocket){.mode = NET_SOCKET_LISTEN, .host = "127.0.0.1", .port = port}, to);
}

Test(net_qemu, qemu_listens)
{
    g_autofree char *port = free_port(SOCK_STREAM), *at = g_strdup_printf("listen=127.0.0.1:%s", port);
    GPid pid = start_qemu(at);
    bool answers = false;

    for (unsigned i = 0; i < ATTEMPTS && !answers; i++) {
        g_auto(Card) card = {.net = NULL};
        NetBackend *net =
            net_socket_new(&home, &(NetSocket){.mode = NET_SOCKET_CONNECT, .host = "127.0.0.1", .port = port}, NULL);
        if (net)
            card_attach(&card, net, NULL);
        answers = gateway_answers(&card, 4);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    cr_assert(answers);
}

Test(net_qemu, qemu_by_datagrams)
{
    g_autofree char *own = free_port(SOCK_DGRAM), *its = free_port(SOCK_DGRAM),
                    *options = g_strdup_printf("udp=127.0.0.1:%s,localaddr=127.0.0.1:%s", own, its);

    talk(
        &(NetSocket){
            .mode = NET_SOCKET_UDP, .host = "127.0.0.1", .port = its, .local_host = "127.0.0.1", .local_port = own},
        options);
}

Test(net_qemu, qemu_in_a_group)
{
    talk(&(NetSocket){.mode = NET_SOCKET_MCAST, .host = "230.0.0.78", .port = "17834", .local_host = "127.0.0.1"},
         "mcast=230.0.0.78:17834,localaddr=127.0.0.1");
}
