/* test-ram.c: pages in every encoding, and what is refused of them. */
#include <criterion/criterion.h>
#include <string.h>
#include <zlib.h>

#include "visitors/chan.h"
#include "vmstate/ram-load.h"
#include "vmstate/ram-save.h"

/* --- XBZRLE ----------------------------------------------------------------------------------------------------- */

static bool apply(const char *octets, size_t len, uint8_t page[RAM_PAGE], GError **error)
{
    memset(page, 'o', RAM_PAGE);
    return ram_xbzrle_apply((const uint8_t *)octets, len, page, error);
}

Test(xbzrle, runs_of_old_and_new_octets_alternate)
{
    uint8_t page[RAM_PAGE];

    /* from a recording: skip 64, one new, skip 1983, one new */
    cr_assert(apply("\x40\x01x\xbf\x0f\x01y", 7, page, NULL));
    for (int i = 0; i < RAM_PAGE; i++)
        cr_assert_eq(page[i], i == 64 ? 'x' : i == 64 + 1 + 1983 ? 'y' : 'o', "octet %d", i);
}

Test(xbzrle, a_page_may_start_with_new_octets_and_be_all_new)
{
    uint8_t page[RAM_PAGE];
    char whole[3 + RAM_PAGE] = {0, '\x80', '\x20'};

    memset(whole + 3, 'n', RAM_PAGE);
    cr_assert(apply("\x00\x02nn", 4, page, NULL));
    cr_assert(page[0] == 'n' && page[1] == 'n' && page[2] == 'o');
    cr_assert(apply(whole, sizeof whole, page, NULL));
    cr_assert_eq(page[RAM_PAGE - 1], 'n');
}

Test(xbzrle, what_breaks_the_rules_is_refused)
{
    static const struct {
        const char *octets;
        size_t len;
        const char *wanted;
    } cases[] = {
        {"\x01", 1, "XBZRLE: the length of a new run is cut"},
        {"\x80", 1, "XBZRLE: the length of an unchanged run is cut"},
        {"\x01\x01", 2, "XBZRLE: a new run is cut"},
        {"\x01\x00", 2, "XBZRLE: a new run is empty"},
        {"\x01\x01x\x00\x01x", 6, "XBZRLE: an unchanged run is empty"},
        {"\x81\x20\x01x", 4, "XBZRLE: an unchanged run goes past the page"},
        {"\xff\x1f\x02xx", 5, "XBZRLE: a new run goes past the page"},
        {"\x80\x80\x01", 3, "XBZRLE: the length of an unchanged run is cut"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        uint8_t page[RAM_PAGE];
        cr_assert_not(apply(cases[i].octets, cases[i].len, page, &error), "case %zu", i);
        cr_assert_str_eq(error->message, cases[i].wanted);
    }
}

Test(page, each_encoding_gives_the_page_it_was_made_of)
{
    uint8_t page[RAM_PAGE], packed[RAM_PIECE_MAX], wanted[RAM_PAGE];
    uLongf len = sizeof packed;

    for (int i = 0; i < RAM_PAGE; i++)
        wanted[i] = (uint8_t)(i * 7);
    cr_assert_eq(compress2(packed, &len, wanted, RAM_PAGE, 6), Z_OK);
    RamPiece piece = {.coding = RAM_ZLIB, .data = packed, .len = len};
    cr_assert(ram_piece_apply(&piece, page, NULL));
    cr_assert_arr_eq(page, wanted, RAM_PAGE);
    piece.len--;
    cr_assert_not(ram_piece_apply(&piece, page, NULL));
    piece = (RamPiece){.coding = RAM_FILL, .fill = 0x41};
    cr_assert(ram_piece_apply(&piece, page, NULL));
    cr_assert(page[0] == 0x41 && page[RAM_PAGE - 1] == 0x41);
}

/* --- records ---------------------------------------------------------------------------------------------------- */

/* Writes down what it is told, in words. */
typedef struct Log {
    StreamSink sink;
    GString *text;
} Log;

static bool log_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    (void)error;
    for (size_t i = first; i < blocks->list->len; i++)
        g_string_append_printf(((Log *)sink)->text, "block %s %zu %zu %d; ", ram_block(blocks, i)->name,
                               (size_t)ram_block(blocks, i)->length, (size_t)ram_block(blocks, i)->page_size,
                               (int)ram_block(blocks, i)->address);
    return true;
}

static bool log_run(StreamSink *sink, const RamRun *run, GError **error)
{
    GString *s = ((Log *)sink)->text;

    (void)error;
    g_string_append_printf(s, "%u:%zu%s ", run->block, (size_t)run->first, run->named ? "n" : "");
    for (uint32_t i = 0; i < run->count && i < 8; i++)
        g_string_append_c(s, run->pages[i] ? (char)run->pages[i][RAM_PAGE - 1] : '0');
    g_string_append_printf(s, "x%u; ", run->count);
    return true;
}

static bool log_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    (void)error;
    g_string_append_printf(((Log *)sink)->text, "piece %u:%zu coding %d fill %u len %zu; ", piece->block,
                           (size_t)piece->page, piece->coding, piece->fill, piece->len);
    return true;
}

static const StreamSinkOps log_ops = {.ram_blocks = log_blocks, .ram_run = log_run, .ram_piece = log_piece};

static void word(ByteOut *out, uint64_t page, unsigned flags)
{
    byte_out_be64(out, page << RAM_PAGE_BITS | flags);
}

static void named(ByteOut *out, uint64_t page, unsigned flags, const char *name)
{
    word(out, page, flags);
    byte_out_str8(out, name);
}

static void content(ByteOut *out, char octet)
{
    memset(byte_out_room(out, RAM_PAGE), octet, RAM_PAGE);
}

static void list(ByteOut *out)
{
    byte_out_be64(out, (20 * RAM_PAGE) | 0x004);
    byte_out_str8(out, "pc.ram");
    byte_out_be64(out, 16 * RAM_PAGE);
    byte_out_str8(out, "rom");
    byte_out_be64(out, 4 * RAM_PAGE);
}

#define LISTED "block pc.ram 65536 0 -1; block rom 16384 0 -1; "

/* Reads the records; checks what was told, or the message. */
static void check(ByteOut *out, uint64_t page_sizes, bool addressed, const char *told, const char *wrong)
{
    Log log = {.sink.ops = &log_ops, .text = g_string_new(NULL)};
    g_autoptr(ChanIn) in = chan_in_new(chan_mem_new(out->data, out->len), 0);
    g_autoptr(GError) error = NULL;
    RamLoad *ram = g_new(RamLoad, 1);

    ram_load_init(ram, in, &log.sink, addressed);
    ram->page_sizes = page_sizes;
    bool ok = ram_load_body(ram, &error);
    cr_assert_eq(ok, !wrong, "%s", error ? error->message : "accepted");
    if (told)
        cr_assert_str_eq(log.text->str, told);
    if (wrong)
        cr_assert_str_eq(error->message, wrong);
    ram_load_done(ram);
    g_free(ram);
    g_string_free(log.text, TRUE);
    byte_out_done(out);
}

Test(ram, consecutive_pages_are_gathered_and_others_start_a_new_run)
{
    ByteOut o = {0};

    list(&o);
    named(&o, 0, 0x008, "pc.ram");
    content(&o, 'a');
    word(&o, 1, 0x022);
    byte_out_u8(&o, 0);
    word(&o, 2, 0x028);
    content(&o, 'c');
    word(&o, 7, 0x022);
    byte_out_u8(&o, 0);
    named(&o, 8, 0x008, "pc.ram"); /* could have been left out */
    content(&o, 'n');
    named(&o, 1, 0x002, "rom");
    byte_out_u8(&o, 0);
    word(&o, 0, 0x010);
    check(&o, 0, false, LISTED "0:0 a0cx3; 0:7 0x1; 0:8n nx1; 1:1 0x1; ", NULL);
}

Test(ram, odd_encodings_are_pieces_in_their_place)
{
    ByteOut o = {0};

    list(&o);
    named(&o, 0, 0x008, "pc.ram");
    content(&o, 'a');
    word(&o, 1, 0x022);
    byte_out_u8(&o, 0x41);
    word(&o, 2, 0x060);
    byte_out_u8(&o, 1);
    byte_out_be16(&o, 3);
    byte_out_put(&o, "\x01\x01x", 3);
    word(&o, 3, 0x120);
    byte_out_be32(&o, 5);
    byte_out_put(&o, "zlib!", 5);
    word(&o, 4, 0x022);
    byte_out_u8(&o, 0);
    word(&o, 0, 0x010);
    check(
        &o, 0, false,
        LISTED
        "0:0 ax1; piece 0:1 coding 0 fill 65 len 0; piece 0:2 coding 1 fill 0 len 3; piece 0:3 coding 2 fill 0 len 5; 0:4 0x1; ",
        NULL);
}

Test(ram, a_long_run_is_cut_where_the_format_says)
{
    ByteOut o = {0};
    g_autofree char *told =
        g_strdup_printf("block big %d 0 -1; 0:0 aaaaaaaax%d; 0:%d aax2; ", 200 * RAM_PAGE, RAM_RUN_FULL, RAM_RUN_FULL);

    byte_out_be64(&o, (200 * RAM_PAGE) | 0x004);
    byte_out_str8(&o, "big");
    byte_out_be64(&o, 200 * RAM_PAGE);
    for (uint64_t i = 0; i < RAM_RUN_FULL + 2; i++) {
        if (i == 0)
            named(&o, i, 0x008, "big");
        else
            word(&o, i, 0x028);
        content(&o, 'a');
    }
    word(&o, 0, 0x010);
    check(&o, 0, false, told, NULL);
}

Test(ram, the_page_size_of_a_block_is_told_by_its_first_octet)
{
    ByteOut o = {0};

    byte_out_be64(&o, ((2 << 20) + RAM_PAGE) | 0x004);
    byte_out_str8(&o, "huge");
    byte_out_be64(&o, 2 << 20);
    byte_out_be64(&o, 2 << 20); /* its page size */
    byte_out_str8(&o, "rom");
    byte_out_be64(&o, RAM_PAGE);
    word(&o, 0, 0x010);
    check(&o, 0x201000, false, "block huge 2097152 2097152 -1; block rom 4096 0 -1; ", NULL);
}

Test(ram, addresses_are_read_where_the_configuration_says_so)
{
    ByteOut o = {0};

    byte_out_be64(&o, RAM_PAGE | 0x004);
    byte_out_str8(&o, "m0");
    byte_out_be64(&o, RAM_PAGE);
    byte_out_be64(&o, 0x100000);
    word(&o, 0, 0x010);
    check(&o, 0, true, "block m0 4096 0 1048576; ", NULL);
}

Test(ram, a_channel_without_a_list_learns_names_from_use)
{
    ByteOut o = {0};

    named(&o, 99, 0x002, "pc.ram");
    byte_out_u8(&o, 0);
    word(&o, 0, 0x010);
    check(&o, 0, false, "block pc.ram 0 0 -1; 0:99 0x1; ", NULL);
}

Test(ram, where_lengths_are_not_known_a_page_lies_within_4_pebibytes)
{
    ByteOut o = {0};

    named(&o, (UINT64_C(1) << 40) - 1, 0x002, "pc.ram");
    byte_out_u8(&o, 0);
    word(&o, 0, 0x010);
    check(&o, 0, false, "block pc.ram 0 0 -1; 0:1099511627775 0x1; ", NULL);
    named(&o, UINT64_C(1) << 40, 0x002, "pc.ram");
    check(&o, 0, false, NULL,
          "ram @0x0: a page at 0x10000000000000 of block \"pc.ram\", which has at most 0x10000000000000 octets");
}

Test(ram, an_address_beyond_2_to_the_63_is_refused)
{
    ByteOut o = {0};

    byte_out_be64(&o, RAM_PAGE | 0x004);
    byte_out_str8(&o, "m0");
    byte_out_be64(&o, RAM_PAGE);
    byte_out_be64(&o, UINT64_C(1) << 63);
    check(&o, 0, true, NULL, "ram @0x0: block \"m0\" has the address 0x8000000000000000, it must be below 2^63");
}

/* --- the table of blocks ---------------------------------------------------------------------------------------- */

Test(ram, a_block_is_found_by_its_whole_name)
{
    RamBlocks blocks;
    char name[16];

    ram_blocks_init(&blocks);
    for (int i = 0; i < RAM_BLOCKS_MAX; i++) {
        g_snprintf(name, sizeof name, "b%d", i);
        cr_assert(ram_blocks_add(&blocks, &(RamBlock){.name = name, .length = 1}, NULL));
    }
    for (int i = 0; i < RAM_BLOCKS_MAX; i++) {
        g_snprintf(name, sizeof name, "b%dx", i);
        cr_assert_eq(ram_blocks_find(&blocks, name, strlen(name) - 1), i);
    }
    cr_assert_eq(ram_blocks_find(&blocks, "b", 1), -1);
    cr_assert_eq(ram_blocks_find(&blocks, "b1\0", 3), -1);
    cr_assert_eq(ram_blocks_find(&blocks, "", 0), -1);
    ram_blocks_done(&blocks);
}

static void check_block_refused(const char *name, uint64_t length, const char *wrong)
{
    RamBlocks blocks;
    g_autoptr(GError) error = NULL;

    ram_blocks_init(&blocks);
    cr_assert(ram_blocks_add(&blocks, &(RamBlock){.name = (char *)"a", .length = RAM_TOTAL_MAX - RAM_PAGE}, NULL));
    cr_assert(ram_blocks_add(&blocks, &(RamBlock){.name = (char *)"b", .length = RAM_PAGE}, NULL));
    cr_assert_not(ram_blocks_add(&blocks, &(RamBlock){.name = (char *)name, .length = length}, &error));
    cr_assert_str_eq(error->message, wrong);
    cr_assert_eq(blocks.list->len, 2);
    ram_blocks_done(&blocks);
}

Test(ram, blocks_beyond_the_limits_are_refused)
{
    g_autofree char *long_name = g_strnfill(256, 'n');

    check_block_refused("a", 0, "RAM block \"a\" is there twice");
    check_block_refused(long_name, 0, "a RAM block's name has more than 255 octets");
    check_block_refused(
        "c", 1,
        "RAM block \"c\" has 0x1 octets: together with 0x10000000000000 of others that is more than the "
        "4 PiB that are allowed");
    check_block_refused("c", UINT64_MAX,
                        "RAM block \"c\" has 0xffffffffffffffff octets: together with 0x10000000000000 of others that "
                        "is more than the 4 PiB that are allowed");
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

static void refused(void (*make)(ByteOut *), const char *wrong)
{
    ByteOut o = {0};

    list(&o);
    make(&o);
    word(&o, 0, 0x010);
    check(&o, 0, false, NULL, wrong);
}

static void unknown_block(ByteOut *o)
{
    named(o, 0, 0x002, "pc.rXm");
    byte_out_u8(o, 0);
}

static void past_the_end(ByteOut *o)
{
    named(o, 16, 0x002, "pc.ram");
    byte_out_u8(o, 0);
}

static void nothing_to_continue(ByteOut *o)
{
    word(o, 0, 0x022);
}

static void undefined_flag(ByteOut *o)
{
    word(o, 0, 0x400);
}

static void flush_of_newer_qemu(ByteOut *o)
{
    word(o, 0, 0x200);
}

static void rdma_hook(ByteOut *o)
{
    word(o, 0, 0x080);
}

static void list_that_continues(ByteOut *o)
{
    byte_out_be64(o, RAM_PAGE | 0x024);
    byte_out_str8(o, "more");
    byte_out_be64(o, RAM_PAGE);
}

static void end_that_continues(ByteOut *o)
{
    word(o, 0, 0x030);
}

static void end_with_offset(ByteOut *o)
{
    word(o, 7, 0x010);
}

static void nameless(ByteOut *o)
{
    named(o, 0, 0x002, "");
}

static void terminal_control(ByteOut *o)
{
    named(o, 0, 0x002, "\033[1m");
}

static void second_list(ByteOut *o)
{
    list(o);
}

static void zlib_too_long(ByteOut *o)
{
    named(o, 0, 0x100, "pc.ram");
    byte_out_be32(o, 5000);
}

Test(ram, what_is_wrong_is_named)
{
    /* the list has 8 + 7 + 8 + 4 + 8 = 35 octets */
    refused(unknown_block, "ram @0x23: a page names block \"pc.rXm\", which the list does not have");
    refused(past_the_end, "ram @0x23: a page at 0x10000 of block \"pc.ram\", which has 0x10000 octets");
    refused(nothing_to_continue, "ram @0x23: the first page continues a block, but none was named");
    refused(undefined_flag, "ram @0x23: flags 0x400 are no record of QEMU 7.2");
    refused(flush_of_newer_qemu,
            "ram @0x23: flags 0x200: a multifd flush record, which QEMU writes from version 8.1 on");
    refused(rdma_hook, "ram @0x23: an RDMA hook record outside RDMA");
    refused(list_that_continues, "ram @0x23: flags 0x24 are no record of QEMU 7.2");
    refused(end_that_continues, "ram @0x23: flags 0x30 are no record of QEMU 7.2");
    refused(end_with_offset, "ram @0x23: an EOS record has offset 0x7000, not 0");
    refused(nameless, "ram @0x23: \"\" is no name of a block");
    refused(terminal_control, "ram @0x23: \"\\x1b[1m\" is no name of a block");
    refused(second_list, "ram @0x23: the list has block \"pc.ram\" twice");
    refused(zlib_too_long, "ram @0x23: a compressed page has 5000 octets, at most 4110 make sense");
}

Test(ram, a_list_whose_lengths_do_not_add_up_is_refused)
{
    ByteOut o = {0};

    byte_out_be64(&o, RAM_PAGE | 0x004);
    byte_out_str8(&o, "pc.ram");
    byte_out_be64(&o, 2 * RAM_PAGE);
    check(&o, 0, false, NULL, "ram @0x0: block \"pc.ram\" has 0x2000 octets, 0x1000 are left of the total");
}

Test(ram, a_cut_tells_where_the_record_started_and_the_input_ended)
{
    ByteOut o = {0};

    list(&o);
    named(&o, 0, 0x008, "pc.ram");
    byte_out_put(&o, "only the start of a page", 24);
    check(&o, 0, false, LISTED, "ram, record @0x23: the input ends at 0x4a");
}
