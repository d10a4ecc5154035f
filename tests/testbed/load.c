/* load.c: a program for a Linux guest that works and checks itself: computes on every processor, sleeps, writes a disk
 * and reads it again, asks its network, and looks at the clocks and at the kernel's messages meanwhile.
 *
 *     load [disk=FILE] [net=PORT] [rng]
 *
 * disk: the second half of its first 8 MiB is written. net: the gateway's ping, TFTP (the file "small") and an echo on
 * UDP's PORT. Every half second a line `load N NAME=NUMBER... end`: counters of what has been done, and the kernel's
 * interrupts by their names. What is wrong is a line `wrong: ...`; a message of the kernel, from warnings up, a line
 * `kernel: ...`. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NSEC        1000000000ull
#define NAP         (10 * 1000 * 1000) /* ns */
#define MAX_CPUS    8
#define PAGES       512 /* of each processor's memory */
#define PAGE        4096
#define DISK_BEGIN  (4u << 20)
#define DISK_PIECE  (64u << 10)
#define DISK_PIECES 8
#define GATEWAY     0x0a000202 /* 10.0.2.2 */
#define ANSWER_WAIT 1000       /* ms */
#define TFTP_BLOCK  512
#define SMALL_SIZE  20000 /* octets of the file "small": n * 7 & 0xff at n */

static pthread_mutex_t out_lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic uint64_t latest; /* what any processor has seen of CLOCK_MONOTONIC */
static _Atomic unsigned long computed[MAX_CPUS], naps, longest, disk, ping, tftp, udp, lost, rng, wrongs;

static void wrong(const char *format, ...)
{
    va_list values;

    wrongs++;
    pthread_mutex_lock(&out_lock);
    printf("wrong: ");
    va_start(values, format);
    vprintf(format, values);
    va_end(values);
    printf("\n");
    fflush(stdout);
    pthread_mutex_unlock(&out_lock);
}

/* The clock, which must not be behind what another processor has seen before. */
static uint64_t now(void)
{
    struct timespec time;
    uint64_t before = latest, value;

    clock_gettime(CLOCK_MONOTONIC, &time);
    value = (uint64_t)time.tv_sec * NSEC + (uint64_t)time.tv_nsec;
    if (value < before)
        wrong("the clock went back by %llu ns", (unsigned long long)(before - value));
    while (before < value && !atomic_compare_exchange_weak(&latest, &before, value))
        ;
    return value;
}

static void nap(long ns)
{
    struct timespec time = {.tv_nsec = ns};

    nanosleep(&time, NULL);
}

/* --- processors ------------------------------------------------------------------------------------------------- */

/* Integers, doubles and x87; always the same. */
static uint64_t compute(void)
{
    uint64_t mixed = 1;
    double series = 0;
    long double root = 2;

    for (unsigned i = 1; i < 20000; i++) {
        mixed = mixed * 6364136223846793005ull + 1442695040888963407ull;
        mixed ^= mixed >> 29;
        series += 1.0 / ((double)i * i);
    }
    for (unsigned i = 0; i < 40; i++)
        root = (root + 2 / root) / 2 + (long double)i / 1024;
    uint64_t bits, low;
    memcpy(&bits, &series, sizeof bits);
    memcpy(&low, &root, sizeof low);
    return mixed ^ bits ^ low;
}

/* Every page tells its number, its processor and the pass that wrote it. */
static void pass(uint64_t *memory, uint64_t number, uint64_t cpu)
{
    for (uint64_t page = 0; page < PAGES; page++) {
        uint64_t *words = memory + page * (PAGE / sizeof *words);
        uint64_t is = number << 32 | cpu << 16 | page;
        if (number > 1 && (words[0] != is - (1ull << 32) || words[511] != ~words[0]))
            wrong("page %llu of processor %llu holds %llx", (unsigned long long)page, (unsigned long long)cpu,
                  (unsigned long long)words[0]);
        words[0] = is;
        words[511] = ~is;
    }
}

static void *on_cpu(void *which)
{
    unsigned cpu = (unsigned)(uintptr_t)which;
    uint64_t expected = compute(), *memory = calloc(PAGES, PAGE);
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0 || !memory)
        wrong("processor %u: %s", cpu, strerror(errno));
    for (uint64_t number = 1;; number++) {
        uint64_t got = compute();
        if (got != expected)
            wrong("processor %u computed %llx, not %llx", cpu, (unsigned long long)got, (unsigned long long)expected);
        pass(memory, number, cpu);
        now();
        computed[cpu]++;
        if (number % 4 == 0)
            nap(NAP);
    }
    return NULL;
}

static void *on_clock(void *unused)
{
    (void)unused;
    for (;;) {
        uint64_t begin = now();
        nap(NAP);
        uint64_t taken = now() - begin;
        if (taken < NAP)
            wrong("a sleep of 10 ms took %llu ns", (unsigned long long)taken);
        if (taken > longest)
            longest = taken;
        naps++;
    }
    return NULL;
}

/* --- devices ---------------------------------------------------------------------------------------------------- */

static void fill(uint8_t *buffer, unsigned long round, unsigned piece)
{
    uint64_t value = (round << 16 | piece) * 0x9e3779b97f4a7c15ull + 1;

    for (unsigned i = 0; i < DISK_PIECE; i += 8, value = value * 6364136223846793005ull + 1)
        memcpy(buffer + i, &value, 8);
}

static void compare(const uint8_t *got, uint8_t *scratch, unsigned long round, unsigned piece)
{
    fill(scratch, round, piece);
    if (memcmp(got, scratch, DISK_PIECE) != 0)
        wrong("disk: piece %u is not what was written in round %lu", piece, round);
}

static void *on_disk(void *path)
{
    uint8_t *buffer = aligned_alloc(PAGE, DISK_PIECE), *scratch = malloc(DISK_PIECE);
    int file = open(path, O_RDWR | O_DIRECT);

    if (file < 0 || !buffer || !scratch)
        return wrong("%s: %s", (char *)path, strerror(errno)), NULL;
    for (unsigned long round = 1;; round++) {
        for (unsigned piece = 0; piece < DISK_PIECES; piece++) {
            off_t at = DISK_BEGIN + (off_t)piece * DISK_PIECE;
            if (round > 1 && pread(file, buffer, DISK_PIECE, at) != DISK_PIECE)
                wrong("disk: read: %s", strerror(errno));
            else if (round > 1)
                compare(buffer, scratch, round - 1, piece);
            fill(buffer, round, piece);
            if (pwrite(file, buffer, DISK_PIECE, at) != DISK_PIECE || fsync(file) < 0)
                wrong("disk: write: %s", strerror(errno));
            if (pread(file, buffer, DISK_PIECE, at) != DISK_PIECE)
                wrong("disk: read: %s", strerror(errno));
            compare(buffer, scratch, round, piece);
            disk++;
        }
        nap(5 * NAP);
    }
    return NULL;
}

static void *on_rng(void *unused)
{
    uint8_t got[16], before[16] = {0};
    int file = open("/dev/hwrng", O_RDONLY);

    (void)unused;
    for (;; memcpy(before, got, sizeof before)) {
        if (read(file, got, sizeof got) != (ssize_t)sizeof got || memcmp(got, before, sizeof got) == 0)
            return wrong("/dev/hwrng: %s", strerror(errno)), NULL;
        rng++;
        nap(10 * NAP);
    }
}

/* --- network ---------------------------------------------------------------------------------------------------- */

static struct sockaddr_in gateway(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(GATEWAY)};
}

static int open_socket(int type, int protocol)
{
    int number = socket(AF_INET, type, protocol);

    if (number < 0)
        wrong("socket: %s", strerror(errno));
    return number;
}

/* The next datagram within the time of an answer; 0: none. */
static size_t receive(int link, void *data, size_t size, struct sockaddr_in *from)
{
    struct pollfd wait = {.fd = link, .events = POLLIN};
    socklen_t length = sizeof *from;

    if (poll(&wait, 1, ANSWER_WAIT) != 1)
        return 0;
    ssize_t got = recvfrom(link, data, size, 0, (struct sockaddr *)from, &length);
    return got > 0 ? (size_t)got : 0;
}

static uint16_t checksum(const void *data, size_t size)
{
    const uint8_t *octets = data;
    uint32_t sum = 0;

    for (size_t i = 0; i < size; i += 2)
        sum += (uint32_t)octets[i] << 8 | octets[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static void ping_once(int link, unsigned round)
{
    struct {
        struct icmphdr head;
        uint8_t data[200];
    } out = {.head = {.type = ICMP_ECHO, .un.echo = {htons(7), htons((uint16_t)round)}}};
    uint8_t in[512];
    struct sockaddr_in to = gateway(0), from;

    memset(out.data, (int)round, sizeof out.data);
    out.head.checksum = checksum(&out, sizeof out);
    sendto(link, &out, sizeof out, 0, (struct sockaddr *)&to, sizeof to);
    for (size_t got; (got = receive(link, in, sizeof in, &from));) {
        const uint8_t *reply = in + (in[0] & 15) * 4;
        if (got < sizeof(struct iphdr) + sizeof out.head || reply[0] != ICMP_ECHOREPLY ||
            memcmp(reply + 4, &out.head.un, 4))
            continue; /* of an earlier one */
        if (got != sizeof(struct iphdr) + sizeof out || memcmp(reply + 8, out.data, sizeof out.data) != 0)
            wrong("ping: the answer differs");
        ping++;
        return;
    }
    lost++;
}

static void echo_once(int link, unsigned round, unsigned port)
{
    uint8_t out[1000], in[1500];
    struct sockaddr_in to = gateway(port), from;
    size_t size = 8 + round * 37 % 992;

    memset(out, (int)round, sizeof out);
    memcpy(out, &round, sizeof round);
    sendto(link, out, size, 0, (struct sockaddr *)&to, sizeof to);
    for (size_t got; (got = receive(link, in, sizeof in, &from));) {
        if (memcmp(in, out, sizeof round) != 0)
            continue;
        if (got != size || memcmp(in, out, size) != 0)
            wrong("UDP: the answer differs");
        udp++;
        return;
    }
    lost++;
}

/* TFTP (RFC 1350): one block after the other; a lost one is asked for again by its acknowledgement. */
static bool tftp_blocks(int link)
{
    static const char request[] = "\0\1small\0octet";
    uint8_t in[4 + TFTP_BLOCK + 1], acknowledgement[4] = {0, 4};
    struct sockaddr_in to = gateway(69), from;
    unsigned wanted = 1, failures = 0;

    sendto(link, request, sizeof request, 0, (struct sockaddr *)&to, sizeof to);
    while (failures < 5) {
        size_t got = receive(link, in, sizeof in, &from);
        if (got < 4 || in[1] != 3 || (unsigned)(in[2] << 8 | in[3]) != wanted) {
            if (got)
                continue;
            failures++;
            lost++;
            if (wanted == 1)
                return false;
            sendto(link, acknowledgement, 4, 0, (struct sockaddr *)&to, sizeof to);
            continue;
        }
        for (size_t i = 4; i < got; i++)
            if (in[i] != (uint8_t)(((wanted - 1) * TFTP_BLOCK + i - 4) * 7))
                return wrong("TFTP: block %u differs", wanted), false;
        acknowledgement[2] = (uint8_t)(wanted >> 8);
        acknowledgement[3] = (uint8_t)wanted;
        to = from;
        sendto(link, acknowledgement, 4, 0, (struct sockaddr *)&to, sizeof to);
        if (got < 4 + TFTP_BLOCK) {
            if ((wanted - 1) * TFTP_BLOCK + got - 4 != SMALL_SIZE)
                wrong("TFTP: the file is not whole");
            return true;
        }
        wanted++;
    }
    return false;
}

static void *on_net(void *port)
{
    int icmp = open_socket(SOCK_RAW, IPPROTO_ICMP), echo = open_socket(SOCK_DGRAM, 0);

    for (unsigned round = 1;; round++) {
        ping_once(icmp, round);
        echo_once(echo, round, (unsigned)(uintptr_t)port);
        if (round % 8 == 0) {
            int link = open_socket(SOCK_DGRAM, 0);
            if (tftp_blocks(link))
                tftp++;
            close(link);
        }
        nap(3 * NAP);
    }
    return NULL;
}

/* --- what is told ----------------------------------------------------------------------------------------------- */

/* The rows of /proc/interrupts: NAME=COUNT, the counts of all processors together. */
static void tell_interrupts(void)
{
    FILE *file = fopen("/proc/interrupts", "r");
    char line[1024];

    while (file && fgets(line, sizeof line, file)) {
        char *rest = strchr(line, ':'), *name = line, *end;
        unsigned long long sum = 0;
        if (!rest)
            continue; /* the heading */
        *rest++ = '\0';
        for (;;) {
            unsigned long long value = strtoull(rest, &end, 10);
            if (end == rest || (*end != ' ' && *end != '\n'))
                break;
            sum += value;
            rest = end;
        }
        name += strspn(name, " ");
        rest[strcspn(rest, "\n")] = '\0';
        char *last = strrchr(rest, ' ');
        if (sum)
            printf("%s=%llu ", name[0] >= '0' && name[0] <= '9' && last ? last + 1 : name, sum);
    }
    if (file)
        fclose(file);
}

static void tell_messages(int messages)
{
    char record[4096];
    ssize_t got;

    while ((got = read(messages, record, sizeof record - 1)) > 0 || (got < 0 && errno == EPIPE)) {
        record[got > 0 ? got : 0] = '\0';
        char *text = strchr(record, ';');
        if (text && (atoi(record) & 7) <= 4)
            printf("kernel: %.*s\n", (int)strcspn(text + 1, "\n"), text + 1);
    }
}

static void tell(unsigned long number, long cpus, int messages)
{
    pthread_mutex_lock(&out_lock);
    tell_messages(messages);
    printf("load %lu ms=%llu ", number, (unsigned long long)(now() / 1000000));
    for (long i = 0; i < cpus; i++)
        printf("cpu%ld=%lu ", i, computed[i]);
    printf("naps=%lu longest_ms=%lu disk=%lu ping=%lu tftp=%lu udp=%lu lost=%lu rng=%lu wrongs=%lu ", naps,
           atomic_exchange(&longest, 0) / 1000000, disk, ping, tftp, udp, lost, rng, wrongs);
    tell_interrupts();
    printf("end\n");
    fflush(stdout);
    pthread_mutex_unlock(&out_lock);
}

static void begin(void *(*work)(void *), void *value)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, work, value) != 0)
        wrong("no thread");
}

int main(int count, char **words)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int messages = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

    lseek(messages, 0, SEEK_END);
    cpus = cpus > MAX_CPUS ? MAX_CPUS : cpus;
    for (long i = 0; i < cpus; i++)
        begin(on_cpu, (void *)(uintptr_t)i);
    begin(on_clock, NULL);
    for (int i = 1; i < count; i++) {
        if (strncmp(words[i], "disk=", 5) == 0)
            begin(on_disk, words[i] + 5);
        else if (strncmp(words[i], "net=", 4) == 0)
            begin(on_net, (void *)(uintptr_t)atoi(words[i] + 4));
        else if (strcmp(words[i], "rng") == 0)
            begin(on_rng, NULL);
        else
            wrong("what is '%s'?", words[i]);
    }
    for (unsigned long number = 1;; number++) {
        tell(number, cpus, messages);
        nap(NSEC / 2);
    }
}
