/* test-multifd-save.c: what goes out by several channels comes in by them. */
#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmstate/channel-load.h"
#include "vmstate/multifd-load.h"
#include "vmstate/multifd-save.h"

enum { PAGES = 3000, PASSES = 4 };

typedef struct Rig {
    uint8_t *from, *to;
    MultifdSave *save;
    MultifdLoad *load;
} Rig;

static int find_block(void *opaque, const char *name)
{
    (void)opaque;
    return strcmp(name, "pc.ram") == 0 ? 0 : -1;
}

static uint8_t *find_pages(void *opaque, int block, uint64_t first, uint32_t count)
{
    (void)block;
    return first < PAGES && count <= PAGES - first ? ((Rig *)opaque)->to + first * RAM_PAGE : NULL;
}

static void set_up(Rig *r, unsigned channels, MultifdMethod method)
{
    Chan *ends[8];

    signal(SIGPIPE, SIG_IGN);
    *r = (Rig){.from = g_malloc0(PAGES * RAM_PAGE), .to = g_malloc0(PAGES * RAM_PAGE)};
    r->load = multifd_load_new(
        &(MultifdLoadOptions){.channels = channels, .method = method, .place = {find_block, find_pages, r}});
    for (unsigned i = 0; i < channels; i++) {
        int fds[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ends[i] = chan_fd_new(fds[0]);
        multifd_load_add(r->load, chan_fd_new(fds[1]));
    }
    r->save = multifd_save_new(ends, channels, &(MultifdSaveOptions){.method = method, .level = 1});
}

static void tear_down(Rig *r)
{
    multifd_save_free(r->save);
    multifd_load_free(r->load);
    g_free(r->from);
    g_free(r->to);
}

static void pass(Rig *r)
{
    g_autoptr(GError) error = NULL;

    cr_assert(multifd_save_sync(r->save, &error), "%s", error ? error->message : "");
    cr_assert(multifd_load_pass(r->load, &error), "%s", error ? error->message : "");
}

/* Some pages are noise, some are text, and some lie apart. */
static void write_pages(Rig *r, GRand *rand)
{
    for (unsigned page = 0; page < PAGES; page++)
        for (unsigned i = 0; i < RAM_PAGE; i += 4) {
            uint32_t word = page % 3 ? g_rand_int(rand) : page + i / 64;
            memcpy(r->from + page * RAM_PAGE + i, &word, 4);
        }
}

static void send_pages(Rig *r, GRand *rand, unsigned skip)
{
    MultifdPages pages = {.block = "pc.ram", .host = r->from};
    g_autoptr(GError) error = NULL;

    for (uint64_t page = 0; page < PAGES; page++) {
        if (skip && g_rand_int(rand) % skip == 0) {
            memcpy(r->to + page * RAM_PAGE, r->from + page * RAM_PAGE, RAM_PAGE); /* it is there in another way */
            continue;
        }
        pages.offsets[pages.count++] = page * RAM_PAGE;
        if (pages.count == STREAM_PACKET_PAGES || page + 1 == PAGES) {
            cr_assert(multifd_save_pages(r->save, &pages, &error), "%s", error ? error->message : "");
            pages.count = 0;
        }
    }
    if (pages.count)
        cr_assert(multifd_save_pages(r->save, &pages, &error));
}

static void check_way(unsigned channels, MultifdMethod method)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(channels + method);
    g_autoptr(GError) error = NULL;
    Rig r;

    set_up(&r, channels, method);
    pass(&r);
    for (unsigned i = 0; i < PASSES; i++) {
        write_pages(&r, rand);
        send_pages(&r, rand, i);
        pass(&r);
        cr_assert(memcmp(r.from, r.to, PAGES * RAM_PAGE) == 0, "%u channels, %s, pass %u", channels,
                  multifd_method_name(method), i);
    }
    cr_assert(multifd_save_finish(r.save, &error), "%s", error ? error->message : "");
    cr_assert_gt(multifd_save_octets(r.save), PAGES * RAM_PAGE);
    tear_down(&r);
}

Test(multifd_save, what_goes_out_comes_in, .timeout = 120)
{
    for (unsigned channels = 1; channels <= 4; channels++)
        for (MultifdMethod method = MULTIFD_NONE; method < MULTIFD_METHODS; method++)
            check_way(channels, method);
}

Test(multifd_save, pages_that_change_meanwhile_keep_the_stream_whole, .timeout = 60)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    Rig r;

    for (MultifdMethod method = MULTIFD_NONE; method < MULTIFD_METHODS; method++) {
        set_up(&r, 2, method);
        pass(&r);
        for (unsigned i = 0; i < PASSES; i++) {
            send_pages(&r, rand, 0);
            write_pages(&r, rand); /* while they are on their way */
            pass(&r);
        }
        send_pages(&r, rand, 0);
        pass(&r);
        cr_assert(memcmp(r.from, r.to, PAGES * RAM_PAGE) == 0, "%s", multifd_method_name(method));
        tear_down(&r);
    }
}

/* --- the wire --------------------------------------------------------------------------------------------------- */

typedef struct Seen {
    StreamSink sink;
    GString *text;
} Seen;

static bool see_greeting(StreamSink *sink, const StreamGreeting *g, GError **error)
{
    (void)error;
    g_string_append_printf(((Seen *)sink)->text, "greeting %u %02x%02x\n", g->channel, g->uuid[0], g->uuid[15]);
    return true;
}

static bool see_packet(StreamSink *sink, const StreamPacket *p, GError **error)
{
    (void)error;
    g_string_append_printf(((Seen *)sink)->text, "packet %u flags %u of %u pages %u octets %zu \"%s\"%s\n",
                           (unsigned)p->number, p->flags, p->allocated, p->count, p->len, p->block,
                           p->header ? ", more in the header" : "");
    return true;
}

Test(multifd_save, the_wire_is_that_of_the_format)
{
    static const StreamSinkOps ops = {.greeting = see_greeting, .packet = see_packet};
    static const uint8_t uuid[16] = {[0] = 0xab, [15] = 0xcd};
    g_autofree uint8_t *ram = g_malloc0(3 * RAM_PAGE);
    const MultifdPages pages = {.block = "pc.ram", .host = ram, .offsets = {0, 2 * RAM_PAGE}, .count = 2};
    Seen seen = {.sink.ops = &ops, .text = g_string_new(NULL)};
    ByteOut octets = {0};
    Chan *chan = chan_buf_new(&octets);

    MultifdSave *save = multifd_save_new(&chan, 1, &(MultifdSaveOptions){.method = MULTIFD_NONE, .uuid = uuid});
    cr_assert(multifd_save_sync(save, NULL) && multifd_save_pages(save, &pages, NULL) &&
              multifd_save_sync(save, NULL) && multifd_save_finish(save, NULL));
    cr_assert_eq(multifd_save_octets(save), octets.len);
    multifd_save_free(save);
    g_autoptr(ChanIn) in = chan_in_new_memory(octets.data, octets.len, 0);
    cr_assert(channel_load(in, STREAM_MULTIFD, &seen.sink, NULL));
    cr_assert_str_eq(seen.text->str, "greeting 0 abcd\n"
                                     "packet 0 flags 1 of 128 pages 0 octets 0 \"\"\n"
                                     "packet 1 flags 0 of 128 pages 2 octets 8192 \"pc.ram\"\n"
                                     "packet 2 flags 1 of 128 pages 0 octets 0 \"\"\n");
    g_string_free(seen.text, TRUE);
    byte_out_done(&octets);
}

Test(multifd_save, a_channel_that_breaks_is_told_of, .timeout = 30)
{
    g_autoptr(GError) error = NULL;
    Rig r;

    set_up(&r, 2, MULTIFD_NONE);
    pass(&r);
    g_clear_pointer(&r.load, multifd_load_free);
    MultifdPages pages = {.block = "pc.ram", .host = r.from, .count = 1};
    while (multifd_save_pages(r.save, &pages, &error))
        ;
    cr_assert(g_str_has_prefix(error->message, "multifd channel "), "%s", error->message);
    cr_assert_not(multifd_save_sync(r.save, NULL));
    cr_assert_not(multifd_save_finish(r.save, NULL));
    tear_down(&r);
}
