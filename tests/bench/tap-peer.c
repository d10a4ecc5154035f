/*
 * tap-peer NAME SIZE: the other end of a network interface that a guest measures (tests/guest/bench.c): for each credit
 * that it is given it sends a frame of SIZE octets. Ends when the interface goes, or it is killed.
 */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CREDIT = 0x88b5, BATCH = 64, FRAME_MIN = 60, FRAME_MAX = 1514, MAC = 6, AT = 14 };

static int open_socket(const char *name)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(CREDIT)};
    int fd = socket(AF_PACKET, SOCK_RAW, htons(CREDIT)), one = 1;

    address.sll_ifindex = (int)if_nametoindex(name);
    if (fd < 0 || !address.sll_ifindex || bind(fd, (struct sockaddr *)&address, sizeof address) != 0)
        return -1;
    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    return fd;
}

/* What does not go is lost. */
static void send_frames(int fd, uint8_t *frame, size_t size, unsigned count)
{
    struct iovec iov = {frame, size};
    struct mmsghdr messages[BATCH];

    memset(messages, 0, sizeof messages);
    for (unsigned i = 0; i < BATCH; i++)
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
    for (unsigned n; count; count -= n) {
        n = count < BATCH ? count : BATCH;
        if (sendmmsg(fd, messages, n, 0) <= 0)
            return;
    }
}

int main(int argc, char **argv)
{
    uint8_t got[FRAME_MAX], frame[FRAME_MAX] = {0};
    size_t size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    int fd = argc == 3 ? open_socket(argv[1]) : -1;

    if (fd < 0 || size < FRAME_MIN || size > FRAME_MAX) {
        fprintf(stderr, "usage: tap-peer NAME SIZE, of an interface that is up and %d to %d octets\n", FRAME_MIN,
                FRAME_MAX);
        return 2;
    }
    for (ssize_t n; (n = recv(fd, got, sizeof got, 0)) > 0;) {
        if (n < AT + 2)
            continue;
        memcpy(frame, got + MAC, MAC);
        memcpy(frame + MAC, got, MAC);
        frame[2 * MAC] = CREDIT >> 8;
        frame[2 * MAC + 1] = CREDIT & 0xff;
        send_frames(fd, frame, size, (unsigned)(got[AT] << 8 | got[AT + 1]));
    }
    return 0;
}
