/* test-chan-unpack.c: gzip, bzip2, xz and zstd: whole, in members, cut, damaged, and too hungry. */
#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "tests/visitors/support.h"

static const PackFormat formats[] = {PACK_GZIP, PACK_BZIP2, PACK_XZ, PACK_ZSTD};
static const char *const names[] = {
    [PACK_GZIP] = "gzip", [PACK_BZIP2] = "bzip2", [PACK_XZ] = "xz", [PACK_ZSTD] = "zstd"};

/* --- packing, by the libraries themselves ----------------------------------------------------------------------- */

static size_t gzip(uint8_t *room, size_t cap, const void *data, size_t len)
{
    z_stream z = {.next_in = (uint8_t *)data, .avail_in = (uInt)len, .next_out = room, .avail_out = (uInt)cap};

    cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static size_t bzip2(uint8_t *room, size_t cap, const void *data, size_t len)
{
    unsigned n = (unsigned)cap;

    cr_assert_eq(BZ2_bzBuffToBuffCompress((char *)room, &n, (char *)data, (unsigned)len, 1, 0, 0), BZ_OK);
    return n;
}

static size_t xz(uint8_t *room, size_t cap, const void *data, size_t len)
{
    size_t n = 0;

    cr_assert_eq(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC64, NULL, data, len, room, &n, cap), LZMA_OK);
    return n;
}

/* As the program zstd does it from a pipe: with a checksum, and without the size of the content in front. */
static size_t zstd(uint8_t *room, size_t cap, const void *data, size_t len)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_inBuffer in = {.src = data, .size = len};
    ZSTD_outBuffer out = {.dst = room, .size = cap};

    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 20);
    ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
    cr_assert_eq(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0);
    ZSTD_freeCCtx(context);
    return out.pos;
}

static void pack(ByteOut *out, PackFormat format, const void *data, size_t len)
{
    size_t cap = len + len / 8 + 4096, n = 0;

    byte_out_grow(out, cap);
    uint8_t *room = out->data + out->len;
    switch (format) {
    case PACK_GZIP:
        n = gzip(room, cap, data, len);
        break;
    case PACK_BZIP2:
        n = bzip2(room, cap, data, len);
        break;
    case PACK_XZ:
        n = xz(room, cap, data, len);
        break;
    case PACK_ZSTD:
        n = zstd(room, cap, data, len);
        break;
    case PACK_NONE:
        break;
    }
    byte_out_room(out, n);
}

/* --- unpacking -------------------------------------------------------------------------------------------------- */

/* Reads all of it, so many octets at a time; what was there before an error stays in *out. */
static bool unpack(ByteOut *out, Chan *packed, PackFormat format, size_t step, GError **error)
{
    g_autoptr(Chan) chan = chan_unpack_new(packed, format);

    for (;;) {
        gssize n = chan->ops->read(chan, byte_out_room(out, step), step, error);
        out->len -= step - (size_t)MAX(n, 0);
        if (n <= 0)
            return n == 0;
        cr_assert_leq((size_t)n, step);
    }
}

/* Half of it has repetitions, half has none. */
static uint8_t *content_new(size_t len)
{
    uint8_t *data = pattern_new(len, 1);

    for (size_t i = 0; i < len / 2; i++)
        data[i] = (uint8_t)(i / 100);
    return data;
}

Test(chan_unpack, what_was_packed_comes_out_whatever_the_pieces)
{
    static const size_t sizes[] = {0, 1, 100, 65536, 400000};
    static const size_t steps[] = {1, 777, 1 << 20};

    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        for (size_t s = 0; s < G_N_ELEMENTS(sizes); s++) {
            g_autofree uint8_t *content = content_new(sizes[s]);
            g_auto(ByteOut) packed = {0};
            pack(&packed, formats[f], content, sizes[s]);
            for (size_t i = 0; i < G_N_ELEMENTS(steps) * G_N_ELEMENTS(steps); i++) {
                g_auto(ByteOut) out = {0};
                g_autoptr(GError) error = NULL;
                TestChan *c = dribble_new(packed.data, packed.len, steps[i % 3], NULL);
                assert_no_error(unpack(&out, &c->chan, formats[f], steps[i / 3], &error), error);
                assert_same_octets(out.data, out.len, content, sizes[s]);
            }
        }
    }
}

Test(chan_unpack, members_one_after_the_other_are_read_as_one)
{
    g_autofree uint8_t *content = content_new(200000);

    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        g_auto(ByteOut) packed = {0}, out = {0};
        g_autoptr(GError) error = NULL;
        pack(&packed, formats[f], content, 70000);
        pack(&packed, formats[f], "", 0);
        pack(&packed, formats[f], content + 70000, 1);
        pack(&packed, formats[f], content + 70001, 129999);
        assert_no_error(unpack(&out, &dribble_new(packed.data, packed.len, 1000, NULL)->chan, formats[f], 5000, &error),
                        error);
        assert_same_octets(out.data, out.len, content, 200000);
    }
}

Test(chan_unpack, input_that_is_cut_anywhere_is_cut_and_gives_a_true_start)
{
    g_autofree uint8_t *content = content_new(600);

    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        g_auto(ByteOut) packed = {0};
        pack(&packed, formats[f], content, 600);
        g_autofree char *message = g_strdup_printf("unpacking %s: the packed data is cut", names[formats[f]]);
        for (size_t len = 0; len < packed.len; len++) {
            g_auto(ByteOut) out = {0};
            g_autoptr(GError) error = NULL;
            cr_assert_not(unpack(&out, &dribble_new(packed.data, len, 50, NULL)->chan, formats[f], 100, &error));
            assert_error(error, FERRY_ERROR_CUT, message);
            cr_assert_leq(out.len, 600);
            cr_assert_arr_eq(out.data, content, out.len);
        }
    }
}

Test(chan_unpack, a_second_member_that_is_cut_is_cut)
{
    g_autofree uint8_t *content = content_new(600);

    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        g_auto(ByteOut) packed = {0};
        pack(&packed, formats[f], content, 600);
        size_t first = packed.len;
        pack(&packed, formats[f], content, 600);
        for (size_t len = first + 1; len < packed.len; len += 7) {
            g_auto(ByteOut) out = {0};
            g_autoptr(GError) error = NULL;
            cr_assert_not(unpack(&out, &dribble_new(packed.data, len, 50, NULL)->chan, formats[f], 100, &error));
            cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT), "%s", error->message);
            cr_assert_geq(out.len, 600);
        }
    }
}

Test(chan_unpack, a_flipped_bit_in_the_content_is_damage)
{
    g_autofree uint8_t *content = content_new(20000);

    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        g_auto(ByteOut) packed = {0};
        g_autofree char *start = g_strdup_printf("unpacking %s: ", names[formats[f]]);
        pack(&packed, formats[f], content, 20000);
        for (size_t at = packed.len / 2; at < packed.len / 2 + 200; at++) {
            g_auto(ByteOut) out = {0};
            g_autoptr(GError) error = NULL;
            packed.data[at] ^= 0x10;
            cr_assert_not(unpack(&out, chan_mem_new(packed.data, packed.len), formats[f], 5000, &error));
            cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED), "%s", error->message);
            cr_assert(g_str_has_prefix(error->message, start));
            packed.data[at] ^= 0x10;
        }
    }
}

Test(chan_unpack, a_flipped_bit_anywhere_never_gives_other_content)
{
    g_autofree uint8_t *content = content_new(300);

    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        g_auto(ByteOut) packed = {0};
        size_t noticed = 0;
        pack(&packed, formats[f], content, 300);
        for (size_t bit = 0; bit < packed.len * 8; bit++) {
            g_auto(ByteOut) out = {0};
            packed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            if (unpack(&out, chan_mem_new(packed.data, packed.len), formats[f], 5000, NULL))
                assert_same_octets(out.data, out.len, content, 300);
            else
                noticed++;
            packed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        /* the rest is the likes of a time in gzip's head */
        cr_assert_gt(noticed, packed.len * 8 * 3 / 4);
    }
}

Test(chan_unpack, what_is_not_of_the_format_is_damage)
{
    static const char text[] = "This is not packed in any way that anybody would know of.";

    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        g_auto(ByteOut) out = {0};
        g_autoptr(GError) error = NULL;
        cr_assert_not(unpack(&out, chan_mem_new(text, sizeof text), formats[f], 100, &error));
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED));
        cr_assert_eq(out.len, 0);
    }
}

Test(chan_unpack, what_follows_the_last_member_and_is_none_is_damage)
{
    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        g_auto(ByteOut) packed = {0}, out = {0};
        g_autoptr(GError) error = NULL;
        pack(&packed, formats[f], "abc", 3);
        byte_out_put(&packed, "Something else altogether.", 26);
        cr_assert_not(unpack(&out, chan_mem_new(packed.data, packed.len), formats[f], 100, &error));
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED), "%s", error->message);
        assert_written(&out, "61 62 63");
    }
}

Test(chan_unpack, an_error_of_the_channel_behind_comes_through_and_both_are_freed)
{
    g_autofree uint8_t *content = content_new(20000);

    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        g_auto(ByteOut) packed = {0}, out = {0};
        g_auto(TestLog) log = {0};
        g_autoptr(GError) error = NULL;
        pack(&packed, formats[f], content, 20000);
        TestChan *c = dribble_new(packed.data, packed.len, 100, &log);
        c->fail_at = 3000;
        cr_assert_not(unpack(&out, &c->chan, formats[f], 5000, &error));
        assert_error(error, FERRY_ERROR_IO, "the line is dead");
        cr_assert_eq(log.freed, 1);
    }
}

/* --- memory that a hostile file would like to have -------------------------------------------------------------- */

/* Writes another dictionary size, 2^log, to the head of the first xz block. */
static void set_xz_dictionary(ByteOut *packed, unsigned log)
{
    uint8_t *head = packed->data + 12;
    size_t len = ((size_t)head[0] + 1) * 4;
    uint8_t *filter = memmem(head, len, "\x21\x01", 2); /* LZMA2, one octet of properties */

    cr_assert_not_null(filter);
    filter[2] = (uint8_t)((log - 12) * 2);
    uint32_t crc = GUINT32_TO_LE(lzma_crc32(head, len - 4, 0));
    memcpy(head + len - 4, &crc, 4);
}

Test(chan_unpack, an_xz_dictionary_has_at_most_64_mib)
{
    g_auto(ByteOut) packed = {0}, out = {0};
    g_autoptr(GError) error = NULL;

    pack(&packed, PACK_XZ, "abc", 3);
    set_xz_dictionary(&packed, 26);
    assert_no_error(unpack(&out, chan_mem_new(packed.data, packed.len), PACK_XZ, 100, &error), error);
    assert_written(&out, "61 62 63");
    set_xz_dictionary(&packed, 27);
    cr_assert_not(unpack(&out, chan_mem_new(packed.data, packed.len), PACK_XZ, 100, &error));
    assert_error(error, FERRY_ERROR_DAMAGED, "unpacking xz: the xz dictionary is larger than 64 MiB");
}

Test(chan_unpack, a_zstd_window_has_at_most_64_mib)
{
    g_auto(ByteOut) packed = {0}, out = {0};
    g_autoptr(GError) error = NULL;

    pack(&packed, PACK_ZSTD, "abc", 3);
    cr_assert_eq(packed.data[5], (20 - 10) << 3); /* the window descriptor, RFC 8878 3.1.1.1.2 */
    packed.data[5] = (26 - 10) << 3;
    assert_no_error(unpack(&out, chan_mem_new(packed.data, packed.len), PACK_ZSTD, 100, &error), error);
    assert_written(&out, "61 62 63");
    packed.data[5] = (27 - 10) << 3;
    cr_assert_not(unpack(&out, chan_mem_new(packed.data, packed.len), PACK_ZSTD, 100, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED));
    cr_assert(g_str_has_prefix(error->message, "unpacking zstd: "));
}

/* --- telling them apart ----------------------------------------------------------------------------------------- */

Test(chan_unpack, six_octets_tell_the_format)
{
    for (size_t f = 0; f < G_N_ELEMENTS(formats); f++) {
        g_auto(ByteOut) packed = {0};
        pack(&packed, formats[f], "abc", 3);
        cr_assert_eq(chan_pack_format(packed.data, packed.len), formats[f]);
        cr_assert_eq(chan_pack_format(packed.data, 6), formats[f]);
        cr_assert_eq(chan_pack_format(packed.data, 1), PACK_NONE);
        for (size_t len = 0; len < 6; len++) {
            /* from the heap and of exactly this size, for the address sanitizer */
            g_autofree uint8_t *start = g_memdup2(packed.data, MAX(len, 1));
            PackFormat format = chan_pack_format(start, len);
            cr_assert(format == PACK_NONE || format == formats[f]);
        }
    }
}

Test(chan_unpack, what_is_not_packed_has_no_format)
{
    static const char *const starts[] = {
        "QEVM\0\0\0\3", "\x60\x80\x61\x20....", "PACKED..", "\x1f\x8a......", "BZ..1AY&", "7zXZ....", "........"};

    cr_assert_eq(chan_pack_format((const uint8_t *)"", 0), PACK_NONE);
    for (size_t i = 0; i < G_N_ELEMENTS(starts); i++)
        cr_assert_eq(chan_pack_format((const uint8_t *)starts[i], 8), PACK_NONE);
}
