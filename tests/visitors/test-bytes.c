/* test-bytes.c: the cursor and its end, the growing buffer and its marks, swapping and showing. */
#include "tests/visitors/support.h"
#include "visitors/bytes.h"

/* --- numbers ---------------------------------------------------------------------------------------------------- */

Test(bytes, a_number_is_stored_with_its_most_significant_octet_first)
{
    uint8_t at[15];

    /* at odd places: nothing on a wire is aligned */
    memset(at, 0xee, sizeof at);
    store_be16(at + 1, 0x0123);
    store_be32(at + 3, 0x456789ab);
    store_be64(at + 7, UINT64_C(0xcdef001122334455));
    assert_octets(at, sizeof at, "ee 01 23 45 67 89 ab cd ef 00 11 22 33 44 55");
    cr_assert_eq(load_be16(at + 1), 0x0123);
    cr_assert_eq(load_be32(at + 3), 0x456789ab);
    cr_assert_eq(load_be64(at + 7), UINT64_C(0xcdef001122334455));
}

Test(bytes, what_is_written_is_read)
{
    g_auto(ByteOut) out = {0};
    ByteIn in;

    byte_out_u8(&out, 0xfe);
    byte_out_be16(&out, 0xfedc);
    byte_out_be32(&out, 0xfedcba98);
    byte_out_be64(&out, UINT64_C(0xfedcba9876543210));
    byte_out_put(&out, "end", 3);
    assert_written(&out, "fe fe dc fe dc ba 98 fe dc ba 98 76 54 32 10 65 6e 64");
    byte_in_init(&in, out.data, out.len);
    cr_assert_eq(byte_in_u8(&in), 0xfe);
    cr_assert_eq(byte_in_be16(&in), 0xfedc);
    cr_assert_eq(byte_in_be32(&in), 0xfedcba98);
    cr_assert_eq(byte_in_be64(&in), UINT64_C(0xfedcba9876543210));
    cr_assert_eq(byte_in_left(&in), 3);
    cr_assert_eq(byte_in_take(&in, 3), out.data + 15);
    cr_assert_eq(byte_in_left(&in), 0);
    cr_assert_not(in.cut);
}

/* --- the cursor's end ------------------------------------------------------------------------------------------- */

static uint64_t read_number(ByteIn *in, size_t width)
{
    switch (width) {
    case 1:
        return byte_in_u8(in);
    case 2:
        return byte_in_be16(in);
    case 4:
        return byte_in_be32(in);
    default:
        return byte_in_be64(in);
    }
}

Test(bytes, a_number_that_is_not_all_there_is_zero_and_cut)
{
    for (size_t width = 1; width <= 8; width *= 2) {
        for (size_t there = 0; there < width; there++) {
            /* from the heap and of exactly this size, for the address sanitizer */
            g_autofree uint8_t *data = g_malloc(there + 1);
            ByteIn in;
            memset(data, 0xff, there + 1);
            byte_in_init(&in, data, there);
            cr_assert_eq(read_number(&in, width), 0);
            cr_assert(in.cut);
            cr_assert_eq(in.pos, there);
            cr_assert_eq(byte_in_left(&in), 0);
        }
    }
}

Test(bytes, once_cut_there_is_nothing_more_to_read)
{
    static const uint8_t data[] = {1, 2, 3};
    ByteIn in;

    byte_in_init(&in, data, sizeof data);
    cr_assert_eq(byte_in_be32(&in), 0);
    cr_assert_eq(byte_in_u8(&in), 0);
    cr_assert_null(byte_in_take(&in, 1));
    cr_assert(in.cut);
    cr_assert_eq(in.pos, 3);
}

Test(bytes, taking_up_to_the_end_and_then_nothing_is_not_cut)
{
    static const uint8_t data[] = {1, 2, 3};
    ByteIn in;

    byte_in_init(&in, data, sizeof data);
    cr_assert_eq(byte_in_take(&in, 3), data);
    cr_assert_eq(byte_in_take(&in, 0), data + 3);
    cr_assert_not(in.cut);
    cr_assert_null(byte_in_take(&in, 1));
    cr_assert(in.cut);
}

Test(bytes, a_length_near_the_largest_number_does_not_wrap_around)
{
    static const uint8_t data[] = {1, 2, 3};

    for (size_t n = SIZE_MAX; n > SIZE_MAX - 8; n--) {
        ByteIn in;
        byte_in_init(&in, data, sizeof data);
        byte_in_u8(&in);
        cr_assert_null(byte_in_take(&in, n));
        cr_assert(in.cut);
        cr_assert_eq(in.pos, 3);
    }
}

/* --- the growing buffer ----------------------------------------------------------------------------------------- */

Test(bytes, a_buffer_keeps_its_content_while_it_grows)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autoptr(GByteArray) plain = g_byte_array_new();
    g_auto(ByteOut) out = {0};

    for (int i = 0; i < 300; i++) {
        size_t n = (size_t)g_rand_int_range(rand, 0, i % 10 == 9 ? 20000 : 300);
        g_autofree uint8_t *piece = pattern_new(n, (uint32_t)i);
        byte_out_put(&out, piece, n);
        g_byte_array_append(plain, piece, (unsigned)n);
    }
    assert_same_octets(out.data, out.len, plain->data, plain->len);
}

Test(bytes, one_grow_makes_room_for_any_number_of_octets)
{
    for (size_t n = 1; n < 100000; n = n * 3 + 1) {
        g_auto(ByteOut) out = {0};
        byte_out_u8(&out, 7);
        byte_out_grow(&out, n);
        const uint8_t *before = out.data;
        memset(byte_out_room(&out, n), 1, n);
        cr_assert_eq(out.data, before); /* the room was there */
        cr_assert_eq(out.data[0], 7);
        cr_assert_eq(out.len, n + 1);
    }
}

Test(bytes, done_leaves_an_empty_buffer_that_can_be_used_again)
{
    g_auto(ByteOut) out = {0};

    byte_out_be32(&out, 1);
    byte_out_done(&out);
    cr_assert_null(out.data);
    cr_assert_eq(out.len, 0);
    byte_out_u8(&out, 5);
    assert_written(&out, "05");
}

Test(bytes, a_short_text_has_its_length_in_front)
{
    g_autofree char *longest = g_strnfill(255, 'x');
    g_auto(ByteOut) out = {0};

    byte_out_str8(&out, "");
    byte_out_str8(&out, "abc");
    assert_written(&out, "00 03 61 62 63");
    byte_out_str8(&out, longest);
    cr_assert_eq(out.len, 5 + 256);
    cr_assert_eq(out.data[5], 255);
    cr_assert_arr_eq(out.data + 6, longest, 255);
}

Test(bytes, marks_are_filled_with_what_was_written_since_and_nest)
{
    g_auto(ByteOut) out = {0};

    byte_out_u8(&out, 0xaa);
    size_t outer = byte_out_mark32(&out);
    byte_out_be16(&out, 0x0102);
    size_t inner = byte_out_mark32(&out);
    byte_out_fill32(&out, inner);
    size_t last = byte_out_mark32(&out);
    byte_out_u8(&out, 0xbb);
    byte_out_fill32(&out, last);
    byte_out_fill32(&out, outer);
    assert_written(&out, "aa 00 00 00 0b 01 02 00 00 00 00 00 00 00 01 bb");
}

Test(bytes, a_mark_holds_while_the_buffer_moves)
{
    g_autofree uint8_t *data = pattern_new(100000, 2);
    g_auto(ByteOut) out = {0};
    size_t mark = byte_out_mark32(&out);

    byte_out_put(&out, data, 100000);
    byte_out_fill32(&out, mark);
    cr_assert_eq(load_be32(out.data), 100000);
    cr_assert_arr_eq(out.data + 4, data, 100000);
}

Test(bytes, octets_are_inserted_at_any_place)
{
    for (size_t at = 0; at <= 4; at++) {
        g_auto(ByteOut) out = octets_of("01 02 03 04");
        g_autoptr(GByteArray) plain = g_byte_array_new();
        g_byte_array_append(plain, out.data, (unsigned)at);
        g_byte_array_append(plain, (const uint8_t *)"xyz", 3);
        g_byte_array_append(plain, out.data + at, (unsigned)(4 - at));
        memcpy(byte_out_insert(&out, at, 3), "xyz", 3);
        assert_same_octets(out.data, out.len, plain->data, plain->len);
    }
}

Test(bytes, inserting_more_than_there_is_room_for_grows)
{
    g_autofree uint8_t *data = pattern_new(5000, 3);
    g_auto(ByteOut) out = {0};

    byte_out_put(&out, "<>", 2);
    memcpy(byte_out_insert(&out, 1, 5000), data, 5000);
    cr_assert_eq(out.len, 5002);
    cr_assert_eq(out.data[0], '<');
    cr_assert_arr_eq(out.data + 1, data, 5000);
    cr_assert_eq(out.data[5001], '>');
}

/* --- many octets ------------------------------------------------------------------------------------------------ */

enum { SWAPPED = 9 };

/* What bytes_swap_be is by its definition, one octet at a time. */
static void swap_plainly(uint8_t *dst, const uint8_t *src, unsigned width)
{
    for (size_t i = 0; i < SWAPPED; i++)
        for (unsigned j = 0; j < width; j++)
            dst[i * width + j] = src[i * width + (G_BYTE_ORDER == G_LITTLE_ENDIAN ? width - 1 - j : j)];
}

Test(bytes, numbers_are_swapped_from_any_place_to_any_other)
{
    g_autofree uint8_t *numbers = pattern_new(SWAPPED * 8, 4);

    for (unsigned width = 1; width <= 8; width *= 2) {
        uint8_t wanted[SWAPPED * 8];
        swap_plainly(wanted, numbers, width);
        for (size_t from = 0; from < 8; from++) {
            for (size_t to = 0; to < 8; to++) {
                uint8_t src[SWAPPED * 8 + 8], dst[SWAPPED * 8 + 9];
                memcpy(src + from, numbers, SWAPPED * width);
                memset(dst, 0xee, sizeof dst);
                bytes_swap_be(dst + to, src + from, width, SWAPPED);
                cr_assert_arr_eq(dst + to, wanted, SWAPPED * width);
                cr_assert_eq(dst[to + SWAPPED * width], 0xee);
                cr_assert(to == 0 || dst[to - 1] == 0xee);
            }
        }
    }
}

Test(bytes, swapping_in_place_twice_changes_nothing)
{
    g_autofree uint8_t *numbers = pattern_new(SWAPPED * 8, 5);

    for (unsigned width = 1; width <= 8; width *= 2) {
        for (size_t at = 0; at < 8; at++) {
            uint8_t data[SWAPPED * 8 + 8], wanted[SWAPPED * 8];
            memcpy(data + at, numbers, SWAPPED * width);
            swap_plainly(wanted, numbers, width);
            bytes_swap_be(data + at, data + at, width, SWAPPED);
            cr_assert_arr_eq(data + at, wanted, SWAPPED * width);
            bytes_swap_be(data + at, data + at, width, SWAPPED);
            cr_assert_arr_eq(data + at, numbers, SWAPPED * width);
        }
    }
}

Test(bytes, swapping_no_numbers_touches_nothing)
{
    for (unsigned width = 1; width <= 8; width *= 2) {
        uint8_t dst = 0xee, src = 0x11;
        bytes_swap_be(&dst, &src, width, 0);
        cr_assert_eq(dst, 0xee);
    }
}

Test(bytes, one_octet_that_is_not_zero_is_found_wherever_it_is)
{
    for (size_t len = 0; len < 70; len++) {
        g_autofree uint8_t *data = g_malloc0(len + 1);
        data[len] = 1; /* is no part of it */
        cr_assert(bytes_are_zero(data, len));
        for (size_t i = 0; i < len; i++) {
            data[i] = i % 2 ? 0x80 : 0x01;
            cr_assert_not(bytes_are_zero(data, len));
            data[i] = 0;
        }
    }
}

Test(bytes, equal_octets_other_than_zero_are_not_zero)
{
    uint8_t data[64];

    memset(data, 0x5a, sizeof data);
    for (size_t len = 1; len <= sizeof data; len++)
        cr_assert_not(bytes_are_zero(data, len));
}

Test(bytes, text_for_a_terminal_has_no_control_characters)
{
    static const char *const good[] = {"", "pc.ram", "a b\\~", "\303\244\342\202\254"};
    static const struct {
        const char *text;
        size_t len;
    } bad[] = {{"a\0b", 3},      {"\033[1m", 4},      {"\n", 1},   {"a\177", 2},
               {"\302\233m", 3}, {"\342\200\256", 3}, {"\377", 1}, {"\303", 1}};

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
        cr_assert(bytes_are_printable(good[i], strlen(good[i])), "case %zu", i);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        cr_assert_not(bytes_are_printable(bad[i].text, bad[i].len), "case %zu", i);
}

Test(bytes, printable_octets_are_shown_as_they_are_and_all_others_in_hexadecimal)
{
    g_autofree char *nothing = bytes_show("", 0);
    g_autofree char *mixed = bytes_show("a b~\0\t\x1f\x7f\x80\xff\\\"", 12);
    GString *all = g_string_new(NULL);

    cr_assert_str_eq(nothing, "");
    cr_assert_str_eq(mixed, "a b~\\x00\\x09\\x1f\\x7f\\x80\\xff\\x5c\"");
    for (int c = 0; c < 256; c++) {
        uint8_t octet = (uint8_t)c;
        g_autofree char *shown = bytes_show(&octet, 1);
        bool plain = c >= 0x20 && c <= 0x7e && c != '\\';
        cr_assert_eq(strlen(shown), plain ? 1 : 4);
        g_string_append(all, shown);
    }
    cr_assert(g_str_is_ascii(all->str));
    g_string_free(all, TRUE);
}

Test(bytes, texts_that_collide_for_glib_have_other_hashes)
{
    g_autoptr(GHashTable) hashes = g_hash_table_new(NULL, NULL);
    char text[29] = "";

    /* "Ab" and "BA" are the same to g_str_hash, and so is whatever is made of them */
    for (unsigned n = 0; n < 1 << 14; n++) {
        for (unsigned i = 0; i < 14; i++)
            memcpy(text + 2 * i, n >> i & 1 ? "Ab" : "BA", 2);
        cr_assert_eq(g_str_hash(text), g_str_hash("BABABABABABABABABABABABABABA"));
        g_hash_table_add(hashes, GUINT_TO_POINTER(bytes_hash_text(text)));
    }
    cr_assert_gt(g_hash_table_size(hashes), (1 << 14) - 10);
}

Test(bytes, equal_octets_have_equal_hashes)
{
    g_autoptr(GBytes) a = g_bytes_new("abcd", 4);
    g_autoptr(GBytes) b = g_bytes_new("xabcd", 5);
    g_autoptr(GBytes) same = g_bytes_new_from_bytes(b, 1, 4);

    cr_assert_eq(bytes_hash_octets(a), bytes_hash_octets(same));
    cr_assert_neq(bytes_hash_octets(a), bytes_hash_octets(b));
    cr_assert_eq(bytes_hash_octets(a), bytes_hash_text("abcd"));
}
