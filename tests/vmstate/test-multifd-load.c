/* test-multifd-load.c: multifd channels of a source that does as it should, and of one that does not. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmstate/multifd-load.h"

enum { PAGES = 64, CHANNELS = 2 };

typedef struct Rig {
    uint8_t *ram; /* of block "ram" */
    MultifdLoad *load;
    Chan *ends[CHANNELS + 2]; /* the source's */
    int failures;
} Rig;

static int find_block(void *opaque, const char *name)
{
    (void)opaque;
    return strcmp(name, "ram") == 0 ? 7 : -1;
}

static uint8_t *find_pages(void *opaque, int block, uint64_t first, uint32_t count)
{
    const Rig *r = opaque;

    cr_assert_eq(block, 7);
    return first < PAGES && count <= PAGES - first ? r->ram + first * RAM_PAGE : NULL;
}

static void failed(void *opaque)
{
    g_atomic_int_inc(&((Rig *)opaque)->failures);
}

static void set_up(Rig *r, unsigned channels, MultifdMethod method)
{
    signal(SIGPIPE, SIG_IGN);
    *r = (Rig){.ram = g_malloc0(PAGES * RAM_PAGE)};
    r->load = multifd_load_new(&(MultifdLoadOptions){
        .channels = channels, .method = method, .place = {find_block, find_pages, r}, .failed = failed, .opaque = r});
}

static void tear_down(Rig *r)
{
    multifd_load_free(r->load);
    for (size_t i = 0; i < G_N_ELEMENTS(r->ends); i++)
        chan_free(r->ends[i]);
    g_free(r->ram);
}

static void connect_one(Rig *r, unsigned end)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    r->ends[end] = chan_fd_new(fds[0]);
    multifd_load_add(r->load, chan_fd_new(fds[1]));
}

static void greet(Rig *r, unsigned end, uint8_t id)
{
    uint8_t octets[STREAM_GREETING];

    connect_one(r, end);
    multifd_greeting_write(&(StreamGreeting){.version = 1, .channel = id}, octets);
    chan_write(r->ends[end], octets, sizeof octets, NULL);
}

static void send_packet(Rig *r, unsigned end, const StreamPacket *p)
{
    uint8_t header[STREAM_PACKET_HEADER];

    stream_packet_header(p, header);
    chan_write(r->ends[end], header, sizeof header, NULL);
    if (p->len)
        chan_write(r->ends[end], p->data, p->len, NULL);
}

static void send_page(Rig *r, unsigned end, uint64_t page, uint8_t fill)
{
    uint8_t octets[RAM_PAGE];

    memset(octets, fill, sizeof octets);
    send_packet(r, end,
                &(StreamPacket){.allocated = STREAM_PACKET_PAGES,
                                .count = 1,
                                .offsets = {page * RAM_PAGE},
                                .block = "ram",
                                .data = octets,
                                .len = sizeof octets});
}

static void send_sync(Rig *r, unsigned end)
{
    send_packet(r, end, &(StreamPacket){.flags = STREAM_PACKET_SYNC, .allocated = STREAM_PACKET_PAGES, .block = ""});
}

/* Both channels are there, and the blocks are known. */
static void begin(Rig *r)
{
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < CHANNELS; i++) {
        greet(r, i, (uint8_t)i);
        send_sync(r, i);
    }
    cr_assert(multifd_load_pass(r->load, &error), "%s", error ? error->message : "");
}

/* The next pass fails, and says this; so does whoever asks later. */
static void check_fails(Rig *r, const char *said)
{
    g_autoptr(GError) error = NULL, later = NULL;

    cr_assert_not(multifd_load_pass(r->load, &error), "%s: it was taken", said);
    cr_assert(strstr(error->message, said), "\"%s\" instead of \"%s\"", error->message, said);
    g_set_error(&later, FERRY_ERROR, FERRY_ERROR_CUT, "%s", error->message);
    multifd_load_explain(r->load, &later);
    cr_assert_str_eq(later->message, error->message);
}

Test(multifd_load, pages_of_all_channels_are_in_their_places_after_a_pass)
{
    g_autoptr(GError) error = NULL;
    Rig r;

    set_up(&r, CHANNELS, MULTIFD_NONE);
    begin(&r);
    for (unsigned page = 0; page < PAGES; page++)
        send_page(&r, page % CHANNELS, page, (uint8_t)(page + 1));
    for (unsigned i = 0; i < CHANNELS; i++)
        send_sync(&r, i);
    cr_assert(multifd_load_pass(r.load, &error), "%s", error ? error->message : "");
    for (unsigned page = 0; page < PAGES; page++)
        cr_assert_eq(r.ram[page * RAM_PAGE + 4095], page + 1);
    tear_down(&r);
}

Test(multifd_load, what_comes_after_a_sync_waits_for_the_main_channel)
{
    Rig r;

    set_up(&r, CHANNELS, MULTIFD_NONE);
    begin(&r);
    send_page(&r, 0, 3, 1);
    send_sync(&r, 0);
    send_page(&r, 0, 3, 2);
    send_sync(&r, 0);
    g_usleep(100000);
    cr_assert_eq(r.ram[3 * RAM_PAGE], 1);
    send_sync(&r, 1);
    cr_assert(multifd_load_pass(r.load, NULL));
    send_sync(&r, 1);
    cr_assert(multifd_load_pass(r.load, NULL));
    cr_assert_eq(r.ram[3 * RAM_PAGE], 2);
    tear_down(&r);
}

Test(multifd_load, scattered_pages_of_a_packet_go_each_to_its_place)
{
    uint8_t octets[6 * RAM_PAGE];
    StreamPacket p = {
        .allocated = STREAM_PACKET_PAGES, .count = 6, .block = "ram", .data = octets, .len = sizeof octets};
    static const uint8_t places[] = {9, 3, 40, 41, 63, 0};
    Rig r;

    set_up(&r, CHANNELS, MULTIFD_NONE);
    begin(&r);
    for (unsigned i = 0; i < 6; i++) {
        memset(octets + i * RAM_PAGE, places[i] + 1, RAM_PAGE);
        p.offsets[i] = places[i] * RAM_PAGE;
    }
    send_packet(&r, 1, &p);
    send_sync(&r, 0);
    send_sync(&r, 1);
    cr_assert(multifd_load_pass(r.load, NULL));
    for (unsigned i = 0; i < 6; i++)
        cr_assert_eq(r.ram[places[i] * RAM_PAGE], places[i] + 1);
    cr_assert_eq(r.ram[1 * RAM_PAGE], 0);
    tear_down(&r);
}

Test(multifd_load, pages_before_the_blocks_are_known_are_refused)
{
    Rig r;

    set_up(&r, CHANNELS, MULTIFD_NONE);
    greet(&r, 0, 0);
    greet(&r, 1, 1);
    send_page(&r, 0, 0, 1);
    check_fails(&r, "multifd channel 0: it has pages before RAM blocks were listed");
    while (!g_atomic_int_get(&r.failures))
        g_usleep(1000); /* who asks may know before the other is told */
    cr_assert_eq(r.failures, 1);
    tear_down(&r);
}

static void check_packet(const StreamPacket *p, MultifdMethod method, const char *said)
{
    Rig r;

    set_up(&r, CHANNELS, method);
    begin(&r);
    send_packet(&r, 1, p);
    send_sync(&r, 0);
    check_fails(&r, said);
    cr_assert_eq(r.ram[0], 0);
    tear_down(&r);
}

Test(multifd_load, what_is_no_packet_for_this_machine_is_refused)
{
    static uint8_t octets[2 * RAM_PAGE] = {1};
    const StreamPacket good = {.allocated = STREAM_PACKET_PAGES,
                               .count = 2,
                               .offsets = {0, RAM_PAGE},
                               .block = "ram",
                               .data = octets,
                               .len = sizeof octets};
    StreamPacket p = good;

    p.block = "rom";
    check_packet(&p, MULTIFD_NONE, "this machine has no RAM block \"rom\"");
    p = good;
    p.offsets[1] = PAGES * RAM_PAGE;
    check_packet(&p, MULTIFD_NONE, "1 pages at 0x40000 are not in RAM block \"ram\"");
    p.offsets[1] = UINT64_MAX - RAM_PAGE + 1;
    check_packet(&p, MULTIFD_NONE, "are not in RAM block");
    p.offsets[1] = RAM_PAGE + 1;
    check_packet(&p, MULTIFD_NONE, "1 pages at 0x1001 are not in RAM block");
    p = good;
    p.len = RAM_PAGE;
    check_packet(&p, MULTIFD_NONE, "it has not the octets of its pages");
    p = good;
    p.allocated = 129;
    check_packet(&p, MULTIFD_NONE, "2 pages of 129 allocated, at most 128 are allowed");
    p = good;
    p.flags = STREAM_PACKET_ZLIB;
    check_packet(&p, MULTIFD_NONE, "the source packs with zlib, multifd-compression is none here");
    check_packet(&p, MULTIFD_ZLIB, "incorrect header check");
    p.flags = STREAM_PACKET_ZSTD;
    check_packet(&p, MULTIFD_ZSTD, "multifd packet @0x580: Unknown frame descriptor");
    check_packet(&good, MULTIFD_ZSTD, "the source packs with none, multifd-compression is zstd here");
}

Test(multifd_load, a_packet_that_is_cut_is_refused)
{
    Rig r;

    set_up(&r, CHANNELS, MULTIFD_NONE);
    begin(&r);
    send_page(&r, 0, 0, 1);
    chan_write(r.ends[0], "\x11\x22\x33\x44\0\0\0\1\0", 9, NULL);
    g_clear_pointer(&r.ends[0], chan_free);
    check_fails(&r, "the input ends after 1 octets of 1336");
    tear_down(&r);
}

Test(multifd_load, a_channel_that_ends_before_the_main_channel_is_missed)
{
    Rig r;

    set_up(&r, CHANNELS, MULTIFD_NONE);
    begin(&r);
    g_clear_pointer(&r.ends[1], chan_free);
    send_sync(&r, 0);
    g_autoptr(GError) error = NULL;
    cr_assert_not(multifd_load_pass(r.load, &error));
    cr_assert(g_str_has_prefix(error->message, "multifd channel 1: it has ended @0x"), "%s", error->message);
    tear_down(&r);
}

static void check_greeting(uint8_t first, uint8_t second, const char *said)
{
    Rig r;

    set_up(&r, CHANNELS, MULTIFD_NONE);
    greet(&r, 0, first);
    greet(&r, 1, second);
    check_fails(&r, said);
    tear_down(&r);
}

Test(multifd_load, channels_beyond_their_number_are_refused)
{
    check_greeting(0, 2, "the source has at least 3 channels, multifd-channels is 2 here");
    check_greeting(1, 1, "two connections say that they are channel 1");
}

Test(multifd_load, without_multifd_a_channel_is_refused_and_a_stranger_is_not_heard)
{
    Rig r;

    set_up(&r, 0, MULTIFD_NONE);
    connect_one(&r, 0);
    chan_write(r.ends[0], "GET / HTTP/1.0\r\n\r\n", 18, NULL);
    connect_one(&r, 1);
    g_clear_pointer(&r.ends[1], chan_free);
    g_usleep(50000);
    cr_assert(multifd_load_pass(r.load, NULL));
    greet(&r, 2, 0);
    while (!g_atomic_int_get(&r.failures))
        g_usleep(1000);
    check_fails(&r, "the capability multifd is off here");
    tear_down(&r);
}

Test(multifd_load, channels_that_wait_can_be_ended)
{
    Rig r;

    set_up(&r, CHANNELS, MULTIFD_NONE);
    begin(&r);
    send_sync(&r, 0);          /* waits for the main channel */
    greet(&r, CHANNELS, 0x55); /* has failed, or not yet */
    tear_down(&r);
}
