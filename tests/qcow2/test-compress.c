/* test-compress.c: compressed clusters, there and back, and octets that are none. */
#include <criterion/criterion.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "qcow2/compress.h"
#include "qcow2/header.h"

static const uint8_t types[] = {QCOW2_COMPRESSION_ZLIB, QCOW2_COMPRESSION_ZSTD};

/* Something between zeros (0) and noise (100). */
static void fill(uint8_t *data, size_t len, unsigned noise, GRand *rand)
{
    for (size_t i = 0; i < len; i++)
        data[i] = (unsigned)g_rand_int_range(rand, 0, 100) < noise ? (uint8_t)g_rand_int(rand) : (uint8_t)(i / 64);
}

Test(qcow2_compress, a_cluster_comes_back_whatever_lies_behind_it)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (size_t t = 0; t < G_N_ELEMENTS(types); t++) {
        g_autoptr(Qcow2Codec) codec = qcow2_codec_new(types[t]);
        for (size_t size = 512; size <= QCOW2_CLUSTER_MAX; size *= 2) {
            g_autofree uint8_t *cluster = g_malloc(size), *packed = g_malloc(size + 511), *back = g_malloc(size);
            for (unsigned noise = 0; noise <= 40; noise += 20) {
                fill(cluster, size, noise, rand);
                size_t len = qcow2_compress(codec, cluster, size, packed, size - 1);
                cr_assert(len > 0 && len < size, "%zu of noise %u", size, noise);
                for (size_t i = len; i < size + 511; i++)
                    packed[i] = (uint8_t)g_rand_int(rand);
                memset(back, 0xaa, size);
                cr_assert(qcow2_decompress(codec, packed, len, back, size));
                cr_assert_arr_eq(back, cluster, size);
                memset(back, 0xaa, size);
                cr_assert(qcow2_decompress(codec, packed, (len + 511) / 512 * 512, back, size));
                cr_assert_arr_eq(back, cluster, size);
            }
        }
    }
}

Test(qcow2_compress, noise_is_stored_as_it_is)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    uint8_t cluster[4096], packed[4096];

    fill(cluster, sizeof cluster, 100, rand);
    for (size_t t = 0; t < G_N_ELEMENTS(types); t++) {
        g_autoptr(Qcow2Codec) codec = qcow2_codec_new(types[t]);
        cr_assert_eq(qcow2_compress(codec, cluster, sizeof cluster, packed, sizeof cluster - 1), 0);
    }
}

Test(qcow2_compress, what_is_cut_short_is_no_cluster)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    uint8_t cluster[8192], packed[8192], back[8192];

    fill(cluster, sizeof cluster, 30, rand);
    for (size_t t = 0; t < G_N_ELEMENTS(types); t++) {
        g_autoptr(Qcow2Codec) codec = qcow2_codec_new(types[t]);
        size_t len = qcow2_compress(codec, cluster, sizeof cluster, packed, sizeof packed);
        for (size_t cut = 0; cut + 8 < len; cut += 7)
            cr_assert_not(qcow2_decompress(codec, packed, cut, back, sizeof back));
        cr_assert(qcow2_decompress(codec, packed, len, back, sizeof back), "it works again afterwards");
    }
}

Test(qcow2_compress, what_makes_less_than_a_cluster_is_none)
{
    uint8_t cluster[4096] = {1}, packed[8192], back[8192];

    for (size_t t = 0; t < G_N_ELEMENTS(types); t++) {
        g_autoptr(Qcow2Codec) codec = qcow2_codec_new(types[t]);
        size_t len = qcow2_compress(codec, cluster, sizeof cluster, packed, sizeof packed);
        cr_assert_not(qcow2_decompress(codec, packed, len, back, sizeof back));
    }
}

Test(qcow2_compress, a_window_of_32_kib_is_read)
{
    g_autoptr(Qcow2Codec) codec = qcow2_codec_new(QCOW2_COMPRESSION_ZLIB);
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    uint8_t cluster[65536], packed[65536], back[65536];
    z_stream z = {.next_in = cluster, .avail_in = sizeof cluster, .next_out = packed, .avail_out = sizeof packed};

    fill(cluster, 32000, 100, rand);
    memcpy(cluster + 32000, cluster, 32000);
    memset(cluster + 64000, 0, 1536);
    cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    cr_assert_lt(z.total_out, 40000);
    cr_assert(qcow2_decompress(codec, packed, z.total_out, back, sizeof back));
    cr_assert_arr_eq(back, cluster, sizeof back);
    deflateEnd(&z);
}

/* A frame may say that its window is 2 GiB: there is no such allocation. And several frames make one cluster, too. */
Test(qcow2_compress, zstd_frames_of_others_are_read)
{
    g_autoptr(Qcow2Codec) codec = qcow2_codec_new(QCOW2_COMPRESSION_ZSTD);
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    uint8_t cluster[65536], packed[65536], back[65536];
    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_outBuffer out = {packed, sizeof packed, 0};

    fill(cluster, sizeof cluster, 20, rand);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
    for (size_t at = 0; at < sizeof cluster; at += 8192) {
        ZSTD_inBuffer in = {cluster + at, 8192, 0};
        size_t left = 1;
        while (in.pos < in.size)
            ZSTD_compressStream2(context, &out, &in, ZSTD_e_continue);
        while (at % 16384 == 8192 && left)
            left = ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
    }
    ZSTD_freeCCtx(context);
    cr_assert(qcow2_decompress(codec, packed, out.pos, back, sizeof back));
    cr_assert_arr_eq(back, cluster, sizeof back);
    packed[5] = 0xaf; /* the window descriptor: 2^31 and more */
    qcow2_decompress(codec, packed, out.pos, back, sizeof back);
}

Test(qcow2_compress, damaged_octets_never_write_outside)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(6);
    uint8_t cluster[4096], packed[4096];

    fill(cluster, sizeof cluster, 30, rand);
    for (size_t t = 0; t < G_N_ELEMENTS(types); t++) {
        g_autoptr(Qcow2Codec) codec = qcow2_codec_new(types[t]);
        size_t len = qcow2_compress(codec, cluster, sizeof cluster, packed, sizeof packed);
        for (unsigned round = 0; round < 5000; round++) {
            g_autofree uint8_t *broken = g_memdup2(packed, len), *back = g_malloc(sizeof cluster);
            for (unsigned i = 0; i < 3; i++)
                broken[g_rand_int_range(rand, 0, (gint32)len)] ^= (uint8_t)(1 << g_rand_int_range(rand, 0, 8));
            qcow2_decompress(codec, broken, len, back, sizeof cluster);
        }
    }
}
