/* test-header.c: headers of qcow2 images: what is read, what is refused, what is written. Expected octets: the qcow2
 * specification. */
#include <criterion/criterion.h>
#include <string.h>

#include "qcow2/header.h"
#include "qcow2/qcow2.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

#define CLUSTER 65536u

/* A header of version 3 in a file of 8 clusters. */
static uint8_t *octets(void)
{
    uint8_t *o = g_malloc0(8 * CLUSTER);

    store_be32(o, 0x514649fb);
    store_be32(o + 4, 3);
    store_be32(o + 20, 16);
    store_be64(o + 24, 1 << 30);
    store_be32(o + 36, 2);
    store_be64(o + 40, 3 * CLUSTER);
    store_be64(o + 48, CLUSTER);
    store_be32(o + 56, 1);
    store_be32(o + 96, 4);
    store_be32(o + 100, 104);
    return o;
}

static HostFile *file_of(uint8_t *o)
{
    HostFile *file = host_file_memory(o, 8 * CLUSTER);

    g_free(o);
    return file;
}

static void refused(uint8_t *o, FerryError code, const char *says)
{
    g_autoptr(HostFile) file = file_of(o);
    g_autoptr(GError) error = NULL;
    Qcow2Header h;

    cr_assert_not(qcow2_header_read(file, &h, &error), "%s", says);
    qcow2_header_clear(&h);
    cr_assert_not_null(strstr(error->message, says), "'%s' is not in: %s", says, error->message);
    cr_assert(g_error_matches(error, FERRY_ERROR, code), "%d: %s", error->code, error->message);
}

static uint8_t *with32(size_t at, uint32_t value)
{
    uint8_t *o = octets();

    store_be32(o + at, value);
    return o;
}

static uint8_t *with64(size_t at, uint64_t value)
{
    uint8_t *o = octets();

    store_be64(o + at, value);
    return o;
}

/* An extension at the end of the header. */
static void put_extension(uint8_t *o, size_t at, uint32_t type, const char *text)
{
    store_be32(o + at, type);
    store_be32(o + at + 4, (uint32_t)strlen(text));
    memcpy(o + at + 8, text, strlen(text));
}

Test(header, all_fields_are_read)
{
    uint8_t *o = octets();

    store_be32(o + 60, 3);
    store_be64(o + 64, 4 * CLUSTER);
    store_be64(o + 80, 1);
    store_be64(o + 8, 4096);
    store_be32(o + 16, 7);
    memcpy(o + 4096, "b.qcow2", 7);
    put_extension(o, 104, QCOW2_EXT_BACKING_FORMAT, "raw");
    put_extension(o, 120, 0x12345678, "unknown!");
    g_autoptr(HostFile) file = file_of(o);
    g_autoptr(GError) error = NULL;
    Qcow2Header h;
    cr_assert(qcow2_header_read(file, &h, &error), "%s", error ? error->message : "");
    cr_assert(h.version == 3 && h.cluster_bits == 16 && h.size == 1 << 30 && h.l1_size == 2);
    cr_assert(h.l1_offset == 3 * CLUSTER && h.reftable_offset == CLUSTER && h.reftable_clusters == 1);
    cr_assert(h.snapshot_count == 3 && h.snapshots_offset == 4 * CLUSTER && h.compatible == QCOW2_LAZY_REFCOUNTS);
    cr_assert_str_eq(h.backing, "b.qcow2");
    cr_assert_eq(h.extensions->len, 2);
    GBytes *unknown = qcow2_header_extension(&h, 0x12345678);
    cr_assert_arr_eq(g_bytes_get_data(unknown, NULL), "unknown!", 8);
    qcow2_header_clear(&h);
}

Test(header, a_version_2_header_ends_after_72_octets)
{
    uint8_t *o = with32(4, 2);
    Qcow2Header h;

    memset(o + 72, 0, 64);
    put_extension(o, 72, QCOW2_EXT_BACKING_FORMAT, "qcow2");
    g_autoptr(HostFile) file = file_of(o);
    cr_assert(qcow2_header_read(file, &h, NULL));
    cr_assert(h.header_length == 72 && h.refcount_order == 4 && !h.incompatible);
    cr_assert_not_null(qcow2_header_extension(&h, QCOW2_EXT_BACKING_FORMAT));
    qcow2_header_clear(&h);
}

Test(header, what_is_read_is_written_as_it_was)
{
    uint8_t *o = octets();
    Qcow2Header h;

    store_be32(o + 100, 112);
    store_be64(o + 72, QCOW2_COMPRESSION);
    o[104] = QCOW2_COMPRESSION_ZSTD;
    o[110] = 0x77; /* of a field to come */
    put_extension(o, 112, QCOW2_EXT_CURRENT, "0123456789abcdef");
    put_extension(o, 136, 0xabcdef01, "odd");
    g_autofree uint8_t *before = g_memdup2(o, CLUSTER);
    g_autoptr(HostFile) file = file_of(o);
    cr_assert(qcow2_header_read(file, &h, NULL));
    g_autoptr(GByteArray) out = qcow2_header_octets(&h, NULL);
    cr_assert_eq(out->len % HOST_SECTOR, 0);
    cr_assert_arr_eq(out->data, before, out->len);
    qcow2_header_clear(&h);
}

Test(header, extensions_are_added_changed_and_removed)
{
    g_autoptr(HostFile) file = file_of(octets());
    Qcow2Header h;

    cr_assert(qcow2_header_read(file, &h, NULL));
    cr_assert_null(qcow2_header_extension(&h, QCOW2_EXT_CURRENT));
    qcow2_header_set_extension(&h, QCOW2_EXT_CURRENT, g_bytes_new("a", 1));
    qcow2_header_set_extension(&h, QCOW2_EXT_CURRENT, g_bytes_new("bc", 2));
    cr_assert_eq(g_bytes_get_size(qcow2_header_extension(&h, QCOW2_EXT_CURRENT)), 2);
    g_autoptr(GByteArray) out = qcow2_header_octets(&h, NULL);
    cr_assert_eq(load_be32(out->data + 104), QCOW2_EXT_CURRENT);
    cr_assert_arr_eq(out->data + 112, "bc", 3);
    qcow2_header_set_extension(&h, QCOW2_EXT_CURRENT, NULL);
    cr_assert_eq(h.extensions->len, 0);
    qcow2_header_clear(&h);
}

Test(header, what_does_not_fit_into_the_first_cluster_is_refused)
{
    g_autoptr(HostFile) file = file_of(octets());
    g_autoptr(GError) error = NULL;
    Qcow2Header h;

    cr_assert(qcow2_header_read(file, &h, NULL));
    qcow2_header_set_extension(&h, 0x1111, g_bytes_new_take(g_malloc0(CLUSTER), CLUSTER));
    cr_assert_null(qcow2_header_octets(&h, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_LIMIT), "%s", error->message);
    qcow2_header_clear(&h);
}

Test(header, numbers_that_cannot_be_are_refused_with_their_place)
{
    refused(with32(0, 0x514649fc), FERRY_ERROR_UNSUPPORTED, "header offset 0: no qcow2 image");
    refused(with32(4, 1), FERRY_ERROR_UNSUPPORTED, "header offset 4: version 1, known are 2 and 3");
    refused(with32(4, 4), FERRY_ERROR_UNSUPPORTED, "version 4");
    refused(with32(20, 8), FERRY_ERROR_LIMIT, "header offset 20: cluster_bits is 8, must be 9 to 21");
    refused(with32(20, 22), FERRY_ERROR_LIMIT, "cluster_bits is 22");
    refused(with64(24, UINT64_C(1) << 63), FERRY_ERROR_LIMIT, "header offset 24: a disk of 9223372036854775808");
    refused(with32(36, (32 << 20) / 8 + 1), FERRY_ERROR_LIMIT, "an L1 table of 4194305 entries, at most 4194304");
    refused(with32(36, 1), FERRY_ERROR_DAMAGED, "an L1 table of 1 entries, but the disk needs 2");
    refused(with64(40, CLUSTER + 512), FERRY_ERROR_DAMAGED, "header offset 40: the L1 table at 0x10200, which is no");
    refused(with64(40, 8 * CLUSTER), FERRY_ERROR_DAMAGED, "the L1 table at 0x80000, but the file ends at 0x80000");
    refused(with64(40, 0), FERRY_ERROR_DAMAGED, "the L1 table at 0x0, where it cannot be");
    refused(with64(48, 1), FERRY_ERROR_DAMAGED, "header offset 48: the refcount table at 0x1");
    refused(with32(56, 0), FERRY_ERROR_DAMAGED, "header offset 56: there is no refcount table");
    refused(with32(56, 129), FERRY_ERROR_LIMIT, "a refcount table of 129 clusters, at most 128");
    refused(with32(56, UINT32_MAX), FERRY_ERROR_LIMIT, "a refcount table of 4294967295 clusters");
    refused(with32(60, 65537), FERRY_ERROR_LIMIT, "header offset 60: 65537 snapshots, at most 65536");
    refused(with32(60, 1), FERRY_ERROR_DAMAGED, "header offset 64: the snapshot table at 0x0");
    refused(with32(96, 7), FERRY_ERROR_LIMIT, "header offset 96: refcount_order is 7, at most 6");
    refused(with32(100, 96), FERRY_ERROR_DAMAGED, "header offset 100: the header has 96 octets");
    refused(with32(100, 108), FERRY_ERROR_DAMAGED, "the header has 108 octets");
    refused(with32(100, UINT32_MAX & ~7u), FERRY_ERROR_DAMAGED, "the header has 4294967288 octets");
}

Test(header, names_of_backing_files_must_be_text_in_the_first_cluster)
{
    uint8_t *o = with64(8, CLUSTER - 3);

    store_be32(o + 16, 4);
    refused(o, FERRY_ERROR_DAMAGED, "header offset 8: the backing file's name at 0xfffd, not in the first cluster");
    o = with64(8, 512);
    store_be32(o + 16, 1024);
    refused(o, FERRY_ERROR_LIMIT, "header offset 16: the backing file's name has 1024 octets, must be 1 to 1023");
    o = with64(8, 512);
    store_be32(o + 16, 3);
    memcpy(o + 512, "a\0b", 3);
    refused(o, FERRY_ERROR_DAMAGED, "the backing file's name is no text");
    o = with64(8, UINT64_MAX);
    store_be32(o + 16, 3);
    refused(o, FERRY_ERROR_DAMAGED, "the backing file's name at 0xffffffffffffffff");
}

Test(header, unknown_incompatible_features_are_refused_by_their_names)
{
    uint8_t *o = with64(72, UINT64_C(1) << 40 | UINT64_C(1) << 41);

    store_be32(o + 104, QCOW2_EXT_FEATURE_NAMES);
    store_be32(o + 108, 48);
    o[113] = 40;
    strcpy((char *)o + 114, "time travel");
    refused(o, FERRY_ERROR_UNSUPPORTED, "does not know: time travel, incompatible feature bit 41");
}

Test(header, compatible_and_autoclear_features_that_are_unknown_do_not_matter)
{
    uint8_t *o = with64(80, UINT64_C(1) << 50);
    Qcow2Header h;

    store_be64(o + 88, UINT64_C(1) << 60);
    g_autoptr(HostFile) file = file_of(o);
    cr_assert(qcow2_header_read(file, &h, NULL));
    qcow2_header_clear(&h);
}

Test(header, features_that_contradict_each_other_are_refused)
{
    uint8_t *o;

    refused(with64(72, QCOW2_COMPRESSION), FERRY_ERROR_DAMAGED,
            "compression type 0, but the feature bit for it is set");
    o = with32(100, 112);
    o[104] = 1;
    refused(o, FERRY_ERROR_DAMAGED, "compression type 1, but the feature bit for it is clear");
    o = with32(100, 112);
    store_be64(o + 72, QCOW2_COMPRESSION);
    o[104] = 2;
    refused(o, FERRY_ERROR_UNSUPPORTED, "compression type 2, known are 0 (zlib) and 1 (zstd)");
    o = with64(72, QCOW2_EXTENDED_L2);
    store_be32(o + 20, 13);
    refused(o, FERRY_ERROR_DAMAGED, "extended L2 entries with clusters of 8192 octets, at least 16384");
    refused(with64(88, QCOW2_DATA_FILE_RAW), FERRY_ERROR_DAMAGED,
            "a raw external data file, but no external data file");
}

Test(header, encryption_is_refused_by_name)
{
    refused(with32(32, 1), FERRY_ERROR_UNSUPPORTED, "the image is encrypted (AES)");
    refused(with32(32, 2), FERRY_ERROR_UNSUPPORTED, "the image is encrypted (LUKS)");
    refused(with32(32, 3), FERRY_ERROR_UNSUPPORTED, "encryption method 3");
}

Test(header, extensions_must_lie_in_the_first_cluster_and_be_there_once)
{
    uint8_t *o = octets();

    store_be32(o + 104, 1);
    store_be32(o + 108, CLUSTER - 111);
    refused(o, FERRY_ERROR_DAMAGED, "header offset 104: extension 0x00000001 of 65425 octets, but 65424 are left");
    o = octets();
    put_extension(o, 104, 5, "one");
    put_extension(o, 120, 5, "two");
    refused(o, FERRY_ERROR_DAMAGED, "header offset 120: extension 0x00000005 is there twice");
}

Test(header, a_file_that_ends_within_the_header_is_refused)
{
    g_autofree uint8_t *o = octets();

    for (size_t len = 0; len < 72; len++) {
        g_autoptr(HostFile) file = host_file_memory(o, len);
        g_autoptr(GError) error = NULL;
        Qcow2Header h;
        cr_assert_not(qcow2_header_read(file, &h, &error));
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT), "%s", error->message);
        qcow2_header_clear(&h);
    }
}
