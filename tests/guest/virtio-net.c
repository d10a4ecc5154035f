/*
 * virtio-net.c: the gateway of the user back end, 10.0.2.2, is asked for its address (ARP) and then for echoes (ICMP),
 * whose contents are verified. Frames may be lost while the machine is moved: then the question is asked again.
 *
 * Sources: Virtual I/O Device 1.1, 5.1; RFC 826, 791, 792.
 */
#include "tests/guest/virtio.h"

#define AGAIN_NS UINT64_C(1000000000)

enum {
    KIND = 1,
    RECEIVE = 0,
    SEND = 1,
    MAC_FEATURE = 5,
    BUFFERS = 16,
    FRAME = 1600,
    HEADER_OLD = 10,
    HEADER_NEW = 12,
    LOST_MAX = 20, /* one after the other */

    ETHERNET = 14,
    ARP_SIZE = 28,
    IP_SIZE = 20,
    ICMP_SIZE = 8,
    ECHO_MAX = 1200,
    ARP = 0x0806,
    IPV4 = 0x0800,
};

static const uint8_t own_ip[4] = {10, 0, 2, 15}, gateway_ip[4] = {10, 0, 2, 2};

static struct {
    Virtio v;
    uint8_t mac[6], gateway[6];
    bool knows, asked, sending;
    unsigned header, echo_size, lost;
    uint16_t sequence;
    uint64_t since, echoes, arps, lost_all;
    uint64_t sending_since;
} net;

static uint8_t received[BUFFERS][2048] __attribute__((aligned(4096)));
static uint8_t sent[2048] __attribute__((aligned(4096)));

/* --- octets of frames --------------------------------------------------------------------------------------------- */

static uint16_t get16(const uint8_t *at)
{
    return at[0] << 8 | at[1];
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = value >> 8;
    at[1] = value;
}

static uint16_t internet_sum(const uint8_t *at, unsigned size)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i + 1 < size; i += 2)
        sum += get16(at + i);
    if (size & 1)
        sum += at[size - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return ~sum;
}

static void put_ethernet(uint8_t *frame, const uint8_t *to, uint16_t kind)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, net.mac, 6);
    put16(frame + 12, kind);
}

static void send_frame(unsigned size)
{
    Piece pieces[] = {{sent, net.header, false}, {sent + net.header, size, false}};

    virtio_add(&net.v, SEND, 0, pieces, 2);
    virtio_notify(&net.v, SEND);
    net.sending = true;
    net.sending_since = now_ns();
}

static uint8_t *new_frame(void)
{
    memset(sent, 0, sizeof(sent));
    return sent + net.header;
}

static void send_arp(unsigned operation, const uint8_t *to_mac, const uint8_t *to_ip)
{
    static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t *frame = new_frame(), *arp = frame + ETHERNET;

    put_ethernet(frame, to_mac ? to_mac : everybody, ARP);
    put16(arp, 1);
    put16(arp + 2, IPV4);
    arp[4] = 6, arp[5] = 4;
    put16(arp + 6, operation);
    memcpy(arp + 8, net.mac, 6);
    memcpy(arp + 14, own_ip, 4);
    if (to_mac)
        memcpy(arp + 18, to_mac, 6);
    memcpy(arp + 24, to_ip, 4);
    send_frame(60);
}

static uint8_t echo_octet(uint16_t sequence, unsigned i)
{
    uint64_t state = (uint64_t)sequence * 65536 + i + 1;

    return xorshift(&state) >> 13;
}

static void send_echo(void)
{
    uint8_t *frame = new_frame(), *ip = frame + ETHERNET, *icmp = ip + IP_SIZE;

    net.echo_size = 16 + net.sequence * 37 % (ECHO_MAX - 16);
    put_ethernet(frame, net.gateway, IPV4);
    ip[0] = 0x45;
    put16(ip + 2, IP_SIZE + ICMP_SIZE + net.echo_size);
    put16(ip + 4, net.sequence);
    ip[8] = 64, ip[9] = 1;
    memcpy(ip + 12, own_ip, 4);
    memcpy(ip + 16, gateway_ip, 4);
    put16(ip + 10, internet_sum(ip, IP_SIZE));
    icmp[0] = 8;
    put16(icmp + 4, 0x4657);
    put16(icmp + 6, net.sequence);
    for (unsigned i = 0; i < net.echo_size; i++)
        icmp[ICMP_SIZE + i] = echo_octet(net.sequence, i);
    put16(icmp + 2, internet_sum(icmp, ICMP_SIZE + net.echo_size));
    unsigned size = ETHERNET + IP_SIZE + ICMP_SIZE + net.echo_size;
    send_frame(size < 60 ? 60 : size);
}

/* --- what comes --------------------------------------------------------------------------------------------------- */

static void receive_arp(const uint8_t *arp)
{
    if (memcmp(arp + 24, own_ip, 4) || memcmp(arp + 14, gateway_ip, 4))
        return;
    net.arps++;
    if (get16(arp + 6) == 2) {
        memcpy(net.gateway, arp + 8, 6);
        net.knows = true;
        net.asked = false;
    } else if (get16(arp + 6) == 1 && !net.sending) {
        send_arp(2, arp + 8, gateway_ip);
    }
}

static void receive_echo(const uint8_t *ip, unsigned size)
{
    const uint8_t *icmp = ip + IP_SIZE;

    if (ip[9] != 1 || icmp[0] != 0 || get16(icmp + 4) != 0x4657 || get16(icmp + 6) != net.sequence || !net.asked)
        return; /* not ours, or one that was given up */
    expect("net.ip-sum", 0, internet_sum(ip, IP_SIZE));
    expect("net.ip-size", IP_SIZE + ICMP_SIZE + net.echo_size, get16(ip + 2));
    if (size < IP_SIZE + ICMP_SIZE + net.echo_size)
        fail("net.size", IP_SIZE + ICMP_SIZE + net.echo_size, size);
    expect("net.icmp-sum", 0, internet_sum(icmp, ICMP_SIZE + net.echo_size));
    for (unsigned i = 0; i < net.echo_size; i++)
        expect("net.echo", echo_octet(net.sequence, i), icmp[ICMP_SIZE + i]);
    net.echoes++;
    net.sequence++;
    net.asked = false;
    net.lost = 0;
}

static void offer(unsigned n)
{
    Piece piece = {received[n], FRAME, true};

    virtio_add(&net.v, RECEIVE, n, &piece, 1);
}

static void receive(void)
{
    unsigned n;
    uint32_t size;
    bool any = false;

    while (virtio_take(&net.v, RECEIVE, &n, &size)) {
        if (n >= BUFFERS || size < net.header + ETHERNET || size > FRAME)
            fail("net.used", net.header + ETHERNET, n < BUFFERS ? size : n);
        const uint8_t *frame = received[n] + net.header;
        if (!memcmp(frame, net.mac, 6) || frame[0] == 0xff) {
            if (get16(frame + 12) == ARP && size >= net.header + ETHERNET + ARP_SIZE)
                receive_arp(frame + ETHERNET);
            else if (get16(frame + 12) == IPV4 && size >= net.header + ETHERNET + IP_SIZE + ICMP_SIZE)
                receive_echo(frame + ETHERNET, size - net.header - ETHERNET);
        }
        offer(n);
        any = true;
    }
    if (any)
        virtio_notify(&net.v, RECEIVE);
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

void net_init(void)
{
    bool modern = option_number("modern", 0);

    if (!option_has("parts", "net") ||
        !virtio_init(&net.v, "virtio-net", KIND, 1 << MAC_FEATURE, 2, modern, option_number("msix", 1))) {
        put_word("virtio-net", "absent");
        return;
    }
    net.header = net.v.modern ? HEADER_NEW : HEADER_OLD;
    for (unsigned i = 0; i < 6; i++)
        net.mac[i] = virtio_config8(&net.v, i);
    virtio_go(&net.v);
    for (unsigned n = 0; n < BUFFERS; n++)
        offer(n);
    virtio_notify(&net.v, RECEIVE);
    net.sequence = 1;
}

void net_round(void)
{
    unsigned first;
    uint32_t size;

    if (!net.v.there)
        return;
    while (virtio_take(&net.v, SEND, &first, &size))
        net.sending = false;
    if (net.sending && now_ns() > net.sending_since + 20 * AGAIN_NS)
        fail("net.send.lost-ms", 0, (now_ns() - net.sending_since) / 1000000);
    receive();
    if (net.sending || (net.asked && now_ns() < net.since + AGAIN_NS))
        return;
    if (net.asked) {
        net.lost_all++;
        if (++net.lost > LOST_MAX)
            fail(net.knows ? "net.echo.lost" : "net.arp.lost", 0, net.lost);
    }
    if (!net.knows || (net.echoes % 64 == 63 && !net.asked && net.arps % 2)) {
        net.knows = false;
        send_arp(1, NULL, gateway_ip);
    } else {
        send_echo();
    }
    net.asked = true;
    net.since = now_ns();
}

void net_report(void)
{
    if (net.v.there) {
        put_item("net", net.echoes);
        put_item("arp", net.arps);
        put_item("net_lost", net.lost_all);
        put_item("net_irq", virtio_interrupts(&net.v, RECEIVE));
    }
}
