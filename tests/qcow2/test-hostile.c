/*
 * test-hostile.c: qcow2 images that were made to do harm.
 *
 * The classes of 2014 (CVE-2014-0142 to 0147, 0222, 0223), by their public descriptions, and those that lie near.
 * Every image is either refused, with a message, or can be read, checked, repaired and written to without doing harm:
 * see support/exercise.h.
 */
#include <criterion/criterion.h>
#include <sys/resource.h>

#include "tests/qcow2/support/exercise.h"
#include "visitors/bytes.h"

/* header, refcount table, a block, L1, L2, data, a snapshot table, its L1 */
enum { BITS = 12, CLUSTER = 1 << BITS, TABLE = 1, BLOCK, L1, L2, DATA, SNAPSHOTS, OTHER_L1, CLUSTERS };

#define COPIED (UINT64_C(1) << 63)

static void broken(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void broken(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    cr_assert_fail("%s", text);
}

static void put32(uint8_t *o, size_t at, uint32_t x)
{
    store_be32(o + at, x);
}

static void put64(uint8_t *o, size_t at, uint64_t x)
{
    store_be64(o + at, x);
}

static size_t at(unsigned cluster, size_t offset)
{
    return (size_t)cluster * CLUSTER + offset;
}

/* A sound image of 1 MiB with a cluster of data, and a snapshot of an empty disk that has a VM state of 100 octets. */
static uint8_t *sound(void)
{
    uint8_t *o = g_malloc0((size_t)CLUSTERS * CLUSTER);

    put32(o, 0, 0x514649fb);
    put32(o, 4, 3);
    put32(o, 20, BITS);
    put64(o, 24, 1 << 20);
    put32(o, 36, 1);
    put64(o, 40, at(L1, 0));
    put64(o, 48, at(TABLE, 0));
    put32(o, 56, 1);
    put32(o, 60, 1);
    put64(o, 64, at(SNAPSHOTS, 0));
    put32(o, 96, 4);
    put32(o, 100, 104);
    put64(o, at(TABLE, 0), at(BLOCK, 0));
    for (unsigned i = 0; i < CLUSTERS; i++)
        store_be16(o + at(BLOCK, 2 * i), 1);
    put64(o, at(L1, 0), COPIED | at(L2, 0));
    put64(o, at(L2, 0), COPIED | at(DATA, 0));
    memset(o + at(DATA, 0), 0xda, CLUSTER);
    put64(o, at(SNAPSHOTS, 0), at(OTHER_L1, 0));
    put32(o, at(SNAPSHOTS, 8), 2);
    put32(o, at(SNAPSHOTS, 12), 1 << 16 | 1);
    put32(o, at(SNAPSHOTS, 32), 100);
    put32(o, at(SNAPSHOTS, 36), 16);
    put64(o, at(SNAPSHOTS, 40), 100);
    put64(o, at(SNAPSHOTS, 48), 1 << 20);
    memcpy(o + at(SNAPSHOTS, 56), "1s", 2);
    return o;
}

/* Whatever the numbers in an image are, nobody asks for much memory because of them. */
static void is_modest(void)
{
#ifndef __SANITIZE_ADDRESS__
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    cr_assert(usage.ru_maxrss < 200 << 10, "%ld KiB", usage.ru_maxrss);
#endif
}

static Exercise survives_len(uint8_t *octets, size_t len)
{
    Exercise x = {.broken = broken};

    exercise_image(&x, octets, len);
    g_free(octets);
    is_modest();
    return x;
}

static Exercise survives(uint8_t *octets)
{
    return survives_len(octets, (size_t)CLUSTERS * CLUSTER);
}

static void refused(uint8_t *octets)
{
    cr_assert_not(survives(octets).opened);
}

static void refused32(size_t place, uint32_t x)
{
    uint8_t *o = sound();

    put32(o, place, x);
    refused(o);
}

static void refused64(size_t place, uint64_t x)
{
    uint8_t *o = sound();

    put64(o, place, x);
    refused(o);
}

Test(hostile, the_image_that_all_others_are_made_of_is_sound)
{
    Exercise x = survives(sound());

    cr_assert(x.opened && x.repaired && x.written);
}

/* --- by number ---------------------------------------------------------------------------------------------------- */

/* CVE-2014-0142: a size of zero in a header is divided by. */
Test(hostile, cve_2014_0142_a_unit_of_zero)
{
    refused32(20, 0); /* cluster_bits */
    refused32(36, 0); /* L1 entries */
    refused32(56, 0); /* refcount table */
    refused32(100, 0);
    uint8_t *o = sound();
    put64(o, 24, 0); /* a disk of no octets is fine */
    cr_assert(survives(o).opened);
    o = sound();
    put32(o, at(SNAPSHOTS, 8), 0);
    put64(o, at(SNAPSHOTS, 48), 0);
    survives(o);
}

/* CVE-2014-0143: integer overflows: L1 sizes, sizes of requests, indices into the refcount table. */
Test(hostile, cve_2014_0143_numbers_that_overflow_when_multiplied)
{
    static const uint32_t entries[] = {0x20000000, 0x20000001, 0x7fffffff, 0x80000000, 0xffffffff, (32 << 20) / 8 + 1};
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1, UINT64_C(1) << 62};

    for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++) {
        refused32(36, entries[i]);
        uint8_t *o = sound();
        put32(o, at(SNAPSHOTS, 8), entries[i]);
        refused(o);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        refused64(24, sizes[i]);
        uint8_t *o = sound();
        put64(o, at(SNAPSHOTS, 48), sizes[i]);
        survives(o);
    }
    for (unsigned bit = 9; bit < 56; bit++) { /* clusters whose counts are anywhere */
        uint8_t *o = sound();
        put64(o, at(L2, 0), COPIED | UINT64_C(1) << bit);
        survives(o);
        o = sound();
        put64(o, at(L1, 0), COPIED | UINT64_C(1) << bit);
        survives(o);
    }
}

/* CVE-2014-0144: numbers that nobody looked at. */
Test(hostile, cve_2014_0144_header_extensions_and_names_that_run_past_the_cluster)
{
    static const uint32_t lengths[] = {CLUSTER, CLUSTER - 112, CLUSTER - 111, 0x7ffffff8, 0xfffffff9, 0xffffffff};

    for (unsigned i = 0; i < G_N_ELEMENTS(lengths); i++) {
        uint8_t *o = sound();
        put32(o, 104, 0x6803f857);
        put32(o, 108, lengths[i]);
        if (lengths[i] == CLUSTER - 112)
            survives(o); /* just fits */
        else
            refused(o);
        refused32(100, lengths[i]);
        o = sound();
        put64(o, 8, CLUSTER - 10);
        put32(o, 16, lengths[i]);
        refused(o);
    }
    refused32(20, 8);
    refused32(20, 22);
    refused32(20, 31);
    refused32(20, 32);
    refused32(20, 64);
    refused32(20, 0xffffffff);
    refused32(96, 7);
    refused32(96, 0xffffffff);
}

Test(hostile, cve_2014_0144_a_refcount_table_of_any_size_anywhere)
{
    static const uint32_t clusters[] = {(8 << 20) / CLUSTER + 1, 0x7fffffff, 0x80000000, 0xfffff, 0x100000, 0xffffffff};
    static const uint64_t places[] = {
        1,         513, CLUSTER / 2, CLUSTERS * CLUSTER, UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX - CLUSTER + 1,
        UINT64_MAX};

    for (unsigned i = 0; i < G_N_ELEMENTS(clusters); i++)
        refused32(56, clusters[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        refused64(48, places[i]);
        refused64(40, places[i]);
        refused64(64, places[i]);
    }
    refused64(40, 0);
    refused64(48, 0);
    uint8_t *o = sound();
    put32(o, 56, (8 << 20) / CLUSTER); /* much of it behind the end of the file */
    survives(o);
}

Test(hostile, cve_2014_0144_more_snapshots_than_there_can_be)
{
    static const uint32_t counts[] = {65536, 65537, 0x07ffffff, 0x7fffffff, 0xffffffff};

    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++)
        refused32(60, counts[i]);
    uint8_t *o = sound();
    put32(o, 60, 2); /* one of zeros */
    survives(o);
}

/* CVE-2014-0145: an L1 table of a snapshot that is larger than the active one overflows its buffer. */
Test(hostile, cve_2014_0145_a_snapshot_with_a_larger_table_than_the_disk)
{
    static const uint32_t entries[] = {3, CLUSTER / 8, CLUSTER / 8 + 1, 100000, (32 << 20) / 8};

    for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++) {
        uint8_t *o = sound();
        put32(o, at(SNAPSHOTS, 8), entries[i]);
        put64(o, at(SNAPSHOTS, 48), UINT64_C(1) << 40);
        survives(o);
    }
    uint8_t *o = sound();
    put64(o, at(SNAPSHOTS, 48), UINT64_C(1) << 40); /* and one that is smaller than its disk */
    survives(o);
}

/* CVE-2014-0146: an error while an image is opened; what was not yet read is freed. */
Test(hostile, cve_2014_0146_an_image_that_ends_anywhere)
{
    for (size_t len = 0; len < (size_t)CLUSTERS * CLUSTER; len += len < 1024 ? 1 : 509)
        survives_len(sound(), len);
}

/* CVE-2014-0147: refcount blocks that cannot be, while clusters are allocated. */
Test(hostile, cve_2014_0147_refcount_blocks_that_are_no_such)
{
    static const uint64_t entries[] = {0,
                                       1,
                                       CLUSTER / 2 | 1,
                                       CLUSTER + 512,
                                       CLUSTER * TABLE,
                                       CLUSTER * L1,
                                       CLUSTER * L2,
                                       CLUSTER * DATA,
                                       CLUSTER * CLUSTERS,
                                       UINT64_C(1) << 55,
                                       UINT64_C(1) << 63,
                                       UINT64_MAX,
                                       UINT64_MAX & ~(uint64_t)(CLUSTER - 1)};

    for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++)
        for (unsigned k = 0; k < 2; k++) {
            uint8_t *o = sound();
            put64(o, at(TABLE, 8 * k), entries[i]);
            survives(o);
        }
    uint8_t *o = sound(); /* all of the table is the same block */
    for (unsigned i = 0; i < CLUSTER / 8; i++)
        put64(o, at(TABLE, 8 * i), at(BLOCK, 0));
    survives(o);
    o = sound(); /* nothing is in use, all is in use */
    memset(o + at(BLOCK, 0), 0, CLUSTER);
    survives(o);
    o = sound();
    memset(o + at(BLOCK, 0), 0xff, CLUSTER);
    survives(o);
}

/* CVE-2014-0222, 0223: qcow version 1, where the size of L2 tables and of the disk are not bounded. */
Test(hostile, cve_2014_0222_0223_version_1)
{
    for (uint32_t l2_bits = 0; l2_bits < 256; l2_bits += 5) {
        uint8_t *o = sound();
        put32(o, 4, 1);
        put64(o, 24, UINT64_MAX >> l2_bits % 64);
        put32(o, 32, 12u << 24 | l2_bits << 16);
        refused(o);
    }
    refused32(4, 0);
    refused32(4, 4);
    refused32(4, 0xffffffff);
}

/* --- tables that are each other ----------------------------------------------------------------------------------- */

Test(hostile, tables_in_circles)
{
    static const unsigned places[] = {0, TABLE, BLOCK, L1, L2, DATA, SNAPSHOTS, OTHER_L1};

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        uint8_t *o = sound();
        put64(o, at(L1, 0), COPIED | at(places[i], 0));
        survives(o);
        o = sound();
        put64(o, at(L2, 0), COPIED | at(places[i], 0));
        survives(o);
        o = sound();
        put64(o, at(OTHER_L1, 0), at(places[i], 0));
        put64(o, at(OTHER_L1, 8), at(places[i], 0));
        survives(o);
        o = sound();
        put64(o, at(SNAPSHOTS, 0), at(places[i], 0));
        survives(o);
        for (unsigned place = 40; place <= 64; place += place == 48 ? 16 : 8) {
            o = sound();
            put64(o, place, at(places[i], 0));
            survives(o);
        }
    }
}

/* --- snapshots ---------------------------------------------------------------------------------------------------- */

Test(hostile, sizes_in_a_snapshot)
{
    static const uint64_t sizes[] = {CLUSTER, UINT32_MAX, UINT64_C(1) << 40, INT64_MAX, UINT64_MAX - 4095, UINT64_MAX};
    static const uint32_t extras[] = {0, 1, 8, 15, 24, 56, 1024, 1025, CLUSTER, 0x7fffffff, 0xffffffff};

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        uint8_t *o = sound();
        put64(o, at(SNAPSHOTS, 40), sizes[i]); /* of the VM state */
        put32(o, at(SNAPSHOTS, 32), (uint32_t)sizes[i]);
        survives(o);
        o = sound();
        put64(o, at(SNAPSHOTS, 0), sizes[i]);
        survives(o);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(extras); i++) {
        uint8_t *o = sound();
        put32(o, at(SNAPSHOTS, 36), extras[i]);
        survives(o);
    }
    uint8_t *o = sound();
    put32(o, at(SNAPSHOTS, 12), 0xffffffff); /* id and name */
    refused(o);
}

/* --- compressed clusters ------------------------------------------------------------------------------------------ */

Test(hostile, compressed_clusters_of_noise)
{
    const uint64_t compressed = UINT64_C(1) << 62;
    const uint64_t entries[] = {
        compressed,
        compressed | at(DATA, 0),
        compressed | at(DATA, 511) | UINT64_C(15) << 58,
        compressed | (at(CLUSTERS, 0) - 1),
        compressed | at(CLUSTERS, 0),
        compressed | at(L2, 0),
        compressed | ((UINT64_C(1) << 58) - 1),
        compressed | COPIED | at(DATA, 0),
        UINT64_MAX,
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++)
        for (unsigned zstd = 0; zstd < 2; zstd++) {
            uint8_t *o = sound();
            put64(o, at(L2, 0), entries[i]);
            if (zstd) {
                put64(o, 72, 1 << 3);
                put32(o, 100, 112);
                o[104] = 1;
            }
            survives(o);
        }
}

/* --- bitmaps ------------------------------------------------------------------------------------------------------ */

static uint8_t *with_bitmaps(uint32_t count, uint64_t size, uint64_t offset)
{
    uint8_t *o = sound();

    put64(o, 88, 1);
    put32(o, 104, 0x23852875);
    put32(o, 108, 24);
    put32(o, 112, count);
    put64(o, 120, size);
    put64(o, 128, offset);
    return o;
}

Test(hostile, bitmap_directories)
{
    static const uint64_t numbers[] = {
        0, 1, 24, CLUSTER, CLUSTER * DATA, 1 << 20, UINT32_MAX, UINT64_C(1) << 63, UINT64_MAX};
    static const uint32_t counts[] = {0, 1, 2, 65535, 65536, UINT32_MAX};

    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(numbers); k++)
            for (unsigned l = 0; l < G_N_ELEMENTS(numbers); l++)
                survives(with_bitmaps(counts[i], numbers[k], numbers[l]));
    for (unsigned i = 0; i < G_N_ELEMENTS(numbers); i++) {
        uint8_t *o = with_bitmaps(1, 32, at(DATA, 0));
        put64(o, at(DATA, 0), numbers[i]);
        put32(o, at(DATA, 8), UINT32_MAX);
        survives(o);
        o = with_bitmaps(1, 32, at(DATA, 0));
        put64(o, at(DATA, 0), at(L1, 0));
        put32(o, at(DATA, 8), 1);
        put32(o, at(DATA, 20), (uint32_t)numbers[i]);
        survives(o);
    }
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

Test(hostile, every_octet_of_the_header_and_of_each_table_may_be_anything, .timeout = 120)
{
    static const uint8_t octets[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    static const unsigned tables[] = {0, TABLE, BLOCK, L1, L2, SNAPSHOTS, OTHER_L1};

    for (unsigned t = 0; t < G_N_ELEMENTS(tables); t++)
        for (unsigned i = 0; i < 112; i++)
            for (unsigned k = 0; k < G_N_ELEMENTS(octets); k++) {
                uint8_t *o = sound();
                o[at(tables[t], i)] = octets[k];
                survives(o);
            }
}

Test(hostile, extended_entries_of_all_kinds)
{
    static const uint64_t bitmaps[] = {0, 1, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX, UINT64_C(0xffffffff00000000)};
    static const uint64_t entries[] = {
        0, 1, COPIED, UINT64_C(1) << 62, 0x4000, COPIED | 0x4000, 0x4200, UINT64_C(1) << 50};

    for (unsigned i = 0; i < G_N_ELEMENTS(bitmaps); i++)
        for (unsigned k = 0; k < G_N_ELEMENTS(entries); k++) {
            uint8_t *o = g_malloc0(8 << 14);
            put32(o, 0, 0x514649fb);
            put32(o, 4, 3);
            put32(o, 20, 14);
            put64(o, 24, 1 << 20);
            put32(o, 36, 1);
            put64(o, 40, 3 << 14);
            put64(o, 48, 1 << 14);
            put32(o, 56, 1);
            put64(o, 72, 1 << 4);
            put32(o, 96, 4);
            put32(o, 100, 104);
            put64(o, 1 << 14, 2 << 14);
            for (unsigned n = 0; n < 6; n++)
                store_be16(o + (2 << 14) + 2 * n, 1);
            put64(o, 3 << 14, COPIED | 4 << 14);
            put64(o, 4 << 14, entries[k]);
            put64(o, (4 << 14) + 8, bitmaps[i]);
            survives_len(o, 8 << 14);
        }
}
