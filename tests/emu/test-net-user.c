/* test-net-user.c: a network of its own: what a guest finds there, ways in and out, and what is saved of it. */
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/emu/support/net-rig.h"
#include "tests/support/recordings.h"

enum {
    ETH = 14,
    IP = 20,
    UDP = 8,
    TCP = 20,
    PAYLOAD = ETH + IP + UDP,
    PROTOCOL_ICMP = 1,
    PROTOCOL_TCP = 6,
    PROTOCOL_UDP = 17,
    SYN = 2,
    ACK = 16,
};

static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
static const char guest_ip[] = "10.0.2.15", host_ip[] = "10.0.2.2";

typedef struct Rig {
    Board *board;
    Card card;
    uint8_t gateway[6]; /* MAC */
} Rig;

static Rig *rig_new(const NetUser *options)
{
    g_autoptr(GError) error = NULL;
    Rig *r = g_new0(Rig, 1);

    r->board = board_new();
    NetBackend *net = net_user_new(&(NetHome){.id = "n0", .machine = r->board->machine}, options, &error);
    card_attach(&r->card, net, error);
    return r;
}

static void rig_free(Rig *r)
{
    card_done(&r->card);
    board_free(r->board);
    g_free(r);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)

/* What has the section. */
static Device *rig_device(const Rig *r)
{
    return g_ptr_array_index(r->board->machine->devices, 0);
}

/* --- frames ----------------------------------------------------------------------------------------------------- */

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static void put_ip(uint8_t *at, const char *text)
{
    cr_assert_eq(inet_pton(AF_INET, text, at), 1);
}

static unsigned checksum(const uint8_t *data, size_t len, uint32_t sum)
{
    for (size_t i = 0; i < len; i++)
        sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

/* An IPv4 packet of the guest's around what is behind it in `frame`; sent. */
static void send_ip(Rig *r, uint8_t *frame, uint8_t protocol, const char *to, size_t len)
{
    uint8_t *ip = frame + ETH;

    memcpy(frame, r->gateway, 6);
    memcpy(frame + 6, guest_mac, 6);
    put16(frame + 12, 0x0800);
    memset(ip, 0, IP);
    ip[0] = 0x45;
    put16(ip + 2, (unsigned)(IP + len));
    ip[8] = 64;
    ip[9] = protocol;
    put_ip(ip + 12, guest_ip);
    put_ip(ip + 16, to);
    put16(ip + 10, checksum(ip, IP, 0));
    if (protocol == PROTOCOL_TCP) {
        put16(ip + IP + 16, 0);
        put16(ip + IP + 16, checksum(ip + 12, 8 + len, PROTOCOL_TCP + (uint32_t)len));
    }
    cr_assert(card_send(&r->card, frame, ETH + IP + len));
}

static void send_udp(Rig *r, const char *to, unsigned from_port, unsigned to_port, const void *data, size_t len)
{
    uint8_t frame[1514];

    put16(frame + ETH + IP, from_port);
    put16(frame + ETH + IP + 2, to_port);
    put16(frame + ETH + IP + 4, (unsigned)(UDP + len));
    put16(frame + ETH + IP + 6, 0); /* no checksum */
    memcpy(frame + PAYLOAD, data, len);
    send_ip(r, frame, PROTOCOL_UDP, to, UDP + len);
}

static void send_arp(Rig *r, unsigned operation, const char *target)
{
    uint8_t arp[60] = {[12] = 0x08, 0x06, 0, 1, 8, 0, 6, 4};

    memset(arp, 0xff, 6);
    memcpy(arp + 6, guest_mac, 6);
    put16(arp + 20, operation);
    memcpy(arp + 22, guest_mac, 6);
    put_ip(arp + 28, guest_ip);
    put_ip(arp + 38, target);
    cr_assert(card_send(&r->card, arp, sizeof arp));
}

/* The next frame of IPv4 with that protocol; requests for the guest's MAC in between are answered. To be freed. */
static GBytes *wait_ip(Rig *r, uint8_t protocol)
{
    for (;;) {
        GBytes *got = card_wait(&r->card);
        cr_assert_not_null(got, "no packet of protocol %u came", protocol);
        size_t len;
        const uint8_t *frame = g_bytes_get_data(got, &len);
        if (len >= ETH + IP && get16(frame + 12) == 0x0800 && frame[ETH + 9] == protocol)
            return got;
        if (len >= 42 && get16(frame + 12) == 0x0806 && get16(frame + 20) == 1)
            send_arp(r, 2, host_ip);
        g_bytes_unref(got);
    }
}

static void expect_udp(Rig *r, unsigned from_port, const char *text)
{
    g_autoptr(GBytes) got = wait_ip(r, PROTOCOL_UDP);
    const uint8_t *frame = g_bytes_get_data(got, NULL);

    cr_assert_eq(get16(frame + ETH + IP), from_port);
    cr_assert_eq(get16(frame + ETH + IP + 4), UDP + strlen(text));
    cr_assert_arr_eq(frame + PAYLOAD, text, strlen(text));
}

/* The guest learns where the gateway is, and that where it is. */
static void greet(Rig *r)
{
    send_arp(r, 1, host_ip);
    for (;;) {
        g_autoptr(GBytes) got = card_wait(&r->card);
        cr_assert_not_null(got);
        const uint8_t *frame = g_bytes_get_data(got, NULL);
        if (get16(frame + 12) != 0x0806 || get16(frame + 20) != 2)
            continue;
        memcpy(r->gateway, frame + 22, 6);
        return;
    }
}

/* --- what a guest finds ------------------------------------------------------------------------------------------ */

Test(net_user, the_gateway_says_where_it_is_and_answers_a_ping)
{
    g_autoptr(Rig) r = rig_new(&(NetUser){.net = NULL});
    uint8_t frame[ETH + IP + 16] = {0}, *icmp = frame + ETH + IP;

    greet(r);
    cr_assert_arr_eq(r->gateway, "\x52\x55\x0a\x00\x02\x02", 6);
    icmp[0] = 8;
    memcpy(icmp + 8, "are you?", 8);
    put16(icmp + 2, checksum(icmp, 16, 0));
    send_ip(r, frame, PROTOCOL_ICMP, host_ip, 16);
    g_autoptr(GBytes) got = wait_ip(r, PROTOCOL_ICMP);
    const uint8_t *reply = g_bytes_get_data(got, NULL);
    cr_assert_eq(reply[ETH + IP], 0);
    cr_assert_arr_eq(reply + ETH + IP + 8, "are you?", 8);
}

/* DISCOVER, or if `wanted` is given REQUEST; the address that is offered or given. */
static uint32_t dhcp(Rig *r, uint8_t last_of_mac, uint8_t type)
{
    uint8_t m[300] = {1, 1, 6, 0, 1, 2, 3, 4};
    uint32_t address;

    memcpy(m + 28, guest_mac, 6);
    m[33] = last_of_mac;
    memcpy(m + 236, "\x63\x82\x53\x63\x35\x01", 6);
    m[242] = type;
    m[243] = 0xff;
    if (type == 3) {
        memcpy(m + 243, "\x32\x04\x0a\x00\x02", 5);
        m[248] = 15;
        m[249] = 0xff;
    }
    memset(r->gateway, 0xff, 6);
    send_udp(r, "255.255.255.255", 68, 67, m, sizeof m);
    g_autoptr(GBytes) got = wait_ip(r, PROTOCOL_UDP);
    const uint8_t *frame = g_bytes_get_data(got, NULL);
    cr_assert_eq(get16(frame + ETH + IP), 67);
    memcpy(&address, frame + PAYLOAD + 16, 4);
    return ntohl(address);
}

Test(net_user, dhcp_gives_the_addresses_of_qemus_network_one_after_the_other)
{
    g_autoptr(Rig) r = rig_new(&(NetUser){.net = NULL});

    cr_assert_eq(dhcp(r, 0x56, 1), 0x0a00020f);
    cr_assert_eq(dhcp(r, 0x57, 1), 0x0a000210);
    cr_assert_eq(dhcp(r, 0x56, 1), 0x0a00020f);
}

Test(net_user, the_network_is_another_if_that_is_said)
{
    g_autoptr(Rig) r = rig_new(&(NetUser){.net = "192.168.7.0/255.255.255.0", .dhcp_start = "192.168.7.77"});

    cr_assert_eq(dhcp(r, 0x56, 1), 0xc0a8074d);
}

Test(net_user, files_are_there_by_tftp)
{
    g_autofree char *folder = g_dir_make_tmp("tftp-XXXXXX", NULL), *file = g_build_filename(folder, "boot", NULL);
    g_autoptr(Rig) r = rig_new(&(NetUser){.tftp = folder, .bootfile = "boot"});

    cr_assert(g_file_set_contents(file, "a kernel", -1, NULL));
    greet(r);
    send_udp(r, host_ip, 2000, 69, "\0\1boot\0octet\0", 13);
    g_autoptr(GBytes) got = wait_ip(r, PROTOCOL_UDP);
    const uint8_t *frame = g_bytes_get_data(got, NULL);
    cr_assert_arr_eq(frame + PAYLOAD, "\0\3\0\1a kernel", 12);
    g_unlink(file);
    g_rmdir(folder);
}

/* --- ways out and in -------------------------------------------------------------------------------------------- */

/* A socket on the loopback, and its port. */
static int host_socket(unsigned *port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&addr, len), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    *port = ntohs(addr.sin_port);
    return fd;
}

Test(net_user, the_guest_reaches_the_host_as_its_gateway)
{
    for (unsigned restricted = 0; restricted < 2; restricted++) {
        g_autoptr(Rig) r = rig_new(&(NetUser){.restricted = restricted});
        struct sockaddr_in from;
        socklen_t len = sizeof from;
        unsigned port;
        char text[16] = "";
        int fd = host_socket(&port);
        greet(r);
        send_udp(r, host_ip, 3000, port, "from the guest", 14);
        settle();
        ssize_t n = recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &len);
        if (restricted) {
            cr_assert_eq(n, -1, "it is out though that is forbidden");
        } else {
            cr_assert_eq(n, 14);
            cr_assert_str_eq(text, "from the guest");
            cr_assert_eq(sendto(fd, "thanks", 6, 0, (struct sockaddr *)&from, len), 6);
            expect_udp(r, port, "thanks");
        }
        close(fd);
    }
}

Test(net_user, a_port_of_the_host_leads_to_the_guest)
{
    unsigned own, port;
    int probe = host_socket(&port), fd = host_socket(&own);
    const NetForward forward = {.udp = true, .host = "127.0.0.1", .host_port = (uint16_t)port, .guest_port = 53};
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[16] = "";

    close(probe); /* the port is free again */
    g_autoptr(Rig) r = rig_new(&(NetUser){.forwards = &forward, .forward_count = 1});
    greet(r);
    cr_assert_eq(sendto(fd, "question", 8, 0, (struct sockaddr *)&to, sizeof to), 8);
    g_autoptr(GBytes) got = wait_ip(r, PROTOCOL_UDP);
    const uint8_t *frame = g_bytes_get_data(got, NULL);
    cr_assert_eq(get16(frame + ETH + IP + 2), 53);
    cr_assert_arr_eq(frame + PAYLOAD, "question", 8);
    cr_assert_arr_eq(frame, guest_mac, 6);
    send_udp(r, host_ip, 53, get16(frame + ETH + IP), "answer", 6);
    settle();
    cr_assert_eq(recv(fd, text, sizeof text, 0), 6);
    cr_assert_str_eq(text, "answer");
    close(fd);
}

static void send_tcp(Rig *r, const char *to, uint32_t seq, uint32_t ack, uint8_t flags)
{
    uint8_t frame[ETH + IP + TCP] = {0}, *tcp = frame + ETH + IP;

    put16(tcp, 4000);
    put16(tcp + 2, 1234);
    put16(tcp + 4, seq >> 16);
    put16(tcp + 6, seq & 0xffff);
    put16(tcp + 8, ack >> 16);
    put16(tcp + 10, ack & 0xffff);
    tcp[12] = 0x50;
    tcp[13] = flags;
    put16(tcp + 14, 8192);
    send_ip(r, frame, PROTOCOL_TCP, to, TCP);
}

Test(net_user, behind_an_address_there_is_a_program)
{
    const NetService service = {.address = "10.0.2.100", .port = 1234, .command = "echo that is it"};
    g_autoptr(Rig) r = rig_new(&(NetUser){.restricted = true, .services = &service, .service_count = 1});

    greet(r);
    send_tcp(r, "10.0.2.100", 1000, 0, SYN);
    g_autoptr(GBytes) first = wait_ip(r, PROTOCOL_TCP);
    const uint8_t *tcp = (const uint8_t *)g_bytes_get_data(first, NULL) + ETH + IP;
    cr_assert_eq(tcp[13], SYN | ACK);
    cr_assert_eq(get16(tcp + 10), 1001);
    send_tcp(r, "10.0.2.100", 1001, (uint32_t)get16(tcp + 4) << 16 | (get16(tcp + 6) + 1), ACK);
    for (;;) {
        g_autoptr(GBytes) got = wait_ip(r, PROTOCOL_TCP);
        size_t len;
        const uint8_t *frame = g_bytes_get_data(got, &len);
        if (memmem(frame, len, "that is it\n", 11))
            return;
    }
}

Test(net_user, a_card_without_room_gets_its_frames_later)
{
    g_autoptr(Rig) r = rig_new(&(NetUser){.net = NULL});

    r->card.room = 0;
    send_arp(r, 1, host_ip);
    settle();
    cr_assert(g_queue_is_empty(&r->card.frames));
    r->card.room = 8;
    net_flush(r->card.net);
    cr_assert(!g_queue_is_empty(&r->card.frames));
}

/* --- options ---------------------------------------------------------------------------------------------------- */

Test(net_user, options_that_cannot_be_are_told)
{
    static const NetService nowhere = {.address = "192.0.2.1", .port = 80, .command = "true"};
    static const NetForward odd = {.host = "here", .host_port = 80, .guest_port = 80};
    static const struct {
        NetUser options;
        const char *word;
    } wrong[] = {
        {{.net = "10.0.2"}, "10.0.2"},
        {{.net = "10.0.2.0/31"}, "10.0.2.0/31"},
        {{.net = "10.0.2.0/255.0.255.0"}, "255.0.255.0"},
        {{.host = "10.0.3.2"}, "10.0.3.2"},
        {{.dns = "10.0.2.2"}, "10.0.2.2"},
        {{.dhcp_start = "10.0.2.3"}, "10.0.2.3"},
        {{.ipv6_prefix = "fec0"}, "fec0"},
        {{.ipv6_prefix = "fec0::/127"}, "fec0::/127"},
        {{.ipv6_host = "fec1::2"}, "fec1::2"},
        {{.no_ipv4 = true, .no_ipv6 = true}, "both off"},
        {{.hostname = "a-name-that-is-longer-than-a-name-may-be"}, "hostname"},
        {{.services = &nowhere, .service_count = 1}, "192.0.2.1"},
        {{.forwards = &odd, .forward_count = 1}, "here"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(Board) board = board_new();
        g_autoptr(GError) error = NULL;
        cr_assert_null(net_user_new(&(NetHome){.id = "n0", .machine = board->machine}, &wrong[i].options, &error), "%s",
                       wrong[i].word);
        cr_assert(g_str_has_prefix(error->message, "n0: ") && strstr(error->message, wrong[i].word), "%s: %s",
                  wrong[i].word, error->message);
        cr_assert_eq(section_list_length(board->machine->sections), 0);
    }
}

typedef struct SlirpCatch {
    StreamSink sink;
    ByteOut *octets;
} SlirpCatch;

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool catch_slirp(StreamSink *sink, const StreamSection *section, GError **error)
{
    SlirpCatch *c = (SlirpCatch *)sink;

    (void)error;
    if (!section->configuration && strcmp(section->name, "slirp") == 0 && section->octets)
        byte_out_put(c->octets, section->octets, section->len);
    return true;
}

static void read_recorded(const char *recording, ByteOut *octets)
{
    static const StreamSinkOps ops = {.section = catch_slirp};
    g_autofree char *file = g_strconcat(recording, ".mig", NULL);
    SlirpCatch c = {.sink.ops = &ops, .octets = octets};
    g_autoptr(GError) error = NULL;
    ByteOut stream = {0};

    recording_read(file, &stream);
    cr_assert(load_stream(&stream, STREAM_MACHINE, &c.sink, &error), "%s: %s", recording, error->message);
    cr_assert_eq(octets->len, 131, "%s has no slirp", recording);
    byte_out_done(&stream);
}

Test(net_user, recordings_of_qemus_come_back_octet_for_octet)
{
    static const char *const recordings[] = {"b3-kvm-pc-alldefaults", "c1-kvm-virtio", "f3-kvm-pc-10s",
                                             "j1-tcg-linux-virtio"};

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++) {
        g_autoptr(Rig) r = rig_new(&(NetUser){.net = NULL});
        g_autoptr(GError) error = NULL;
        ByteOut octets = {0}, saved = {0};
        read_recorded(recordings[i], &octets);
        cr_assert(board_load(r->board, rig_device(r), octets.data, octets.len, 4, &error), "%s: %s", recordings[i],
                  error ? error->message : "");
        board_save(r->board, rig_device(r), &saved);
        cr_assert_eq(saved.len, octets.len);
        cr_assert_arr_eq(saved.data, octets.data, saved.len);
        byte_out_done(&octets);
        byte_out_done(&saved);
    }
}

Test(net_user, any_state_comes_back)
{
    g_autoptr(Rig) r = rig_new(&(NetUser){.net = NULL});

    board_try_states(r->board, rig_device(r), 300);
}

Test(net_user, who_has_an_address_keeps_it_after_a_move)
{
    g_autoptr(Rig) here = rig_new(&(NetUser){.net = NULL}), there = rig_new(&(NetUser){.net = NULL});
    ByteOut octets = {0};

    dhcp(here, 0x55, 1);
    cr_assert_eq(dhcp(here, 0x56, 1), 0x0a000210);
    dhcp(here, 0x55, 3);
    board_save(here->board, rig_device(here), &octets);
    cr_assert_eq(octets.len, 131);
    cr_assert(board_load(there->board, rig_device(there), octets.data, octets.len, 4, NULL));
    cr_assert_eq(dhcp(there, 0x57, 1), 0x0a000211, "another's address is given away");
    cr_assert_eq(dhcp(there, 0x56, 1), 0x0a000210);
    cr_assert_eq(dhcp(there, 0x55, 1), 0x0a00020f);
    byte_out_done(&octets);
}

Test(net_user, connections_of_services_are_refused)
{
    g_autoptr(Rig) r = rig_new(&(NetUser){.net = NULL});
    g_autoptr(GError) error = NULL;
    uint8_t octets[131] = {42};

    cr_assert(!board_load(r->board, rig_device(r), octets, sizeof octets, 4, &error));
    cr_assert_str_eq(error->message,
                     "slirp: sockets: the stream has connections of guestfwd, the destination takes none");
}

Test(net_user, the_machine_may_go_first)
{
    g_autoptr(GError) error = NULL;
    Board *board = board_new();
    NetBackend *net = net_user_new(&(NetHome){.id = "n0", .machine = board->machine}, &(NetUser){.net = NULL}, &error);

    cr_assert_not_null(net);
    board_free(board);
    settle();
    net_free(net);
}
