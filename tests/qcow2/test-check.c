/*
 * test-check.c: the check of a qcow2 image and its repair, in memory. test-check.sh holds both against qemu-img.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "qcow2/check.h"
#include "tests/qcow2/check-rig.h"

/* --- what is found ------------------------------------------------------------------------------------------------ */

Test(check, a_sound_image_has_no_errors_whatever_its_kind)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GByteArray) octets = base(&kinds[i]);
        says(octets, 0, 0, "");
    }
}

Test(check, a_count_is_named_with_its_cluster_and_what_it_should_be)
{
    g_autoptr(GByteArray) octets = simple();
    g_autofree char *leak = NULL, *missing = NULL;
    uint64_t data = load_be64(octets->data + l2_at(octets)) & PLACE;

    leak = g_strdup_printf("cluster %u at offset 0x%x: refcount 9, 1 reference: leaked\n", (unsigned)(data >> 16) + 1,
                           (unsigned)data + 0x10000);
    missing = g_strdup_printf("cluster %u at offset 0x%x: refcount 0, 1 reference: corrupt\n", (unsigned)(data >> 16),
                              (unsigned)data);
    put_count(octets, (unsigned)(data >> 16), 0);
    put_count(octets, (unsigned)(data >> 16) + 1, 9);
    says(octets, 3, 1, leak); /* and two flags */
    says(octets, 3, 1, missing);
}

Test(check, an_entry_is_named_with_its_place_and_what_it_says)
{
    g_autoptr(GByteArray) octets = simple();
    uint64_t l1 = l1_at(octets), l2 = l2_at(octets);
    g_autofree char *far =
        g_strdup_printf("L2 entry at 0x%x: data at 0x100000000 is outside of the file, which ends at "
                        "0x%x\n",
                        (unsigned)l2 + 8 * 9, octets->len);
    g_autofree char *bits = g_strdup_printf("L1 entry 0 at 0x%x: 0x%" G_GINT64_MODIFIER "x has reserved bits\n",
                                            (unsigned)l1, COPIED | l2 | 4);
    g_autofree char *low =
        g_strdup_printf("L2 entry at 0x%x: data at 0x50200 is not aligned to 0x10000\n", (unsigned)l2 + 8 * 10);

    store_be64(octets->data + l1, COPIED | l2 | 4);
    store_be64(octets->data + l2 + 8 * 9, UINT64_C(1) << 32);
    store_be64(octets->data + l2 + 8 * 10, 0x50200);
    g_autoptr(GString) said = g_string_new(NULL);
    check(octets, said);
    cr_assert(strstr(said->str, far) && strstr(said->str, bits) && strstr(said->str, low), "%s", said->str);
}

Test(check, data_on_metadata_is_found_even_if_the_counts_are_right)
{
    g_autoptr(GByteArray) octets = simple();
    uint64_t l2 = l2_at(octets), data = load_be64(octets->data + l2) & PLACE;

    store_be64(octets->data + l2, l1_at(octets));
    put_count(octets, (unsigned)(l1_at(octets) >> 16), 2);
    put_count(octets, (unsigned)(data >> 16), 0);
    says(octets, 1, 0, "2 references, some as data, some as metadata: corrupt\n");
}

/* More than a count in memory has room for: each of so many compressed clusters lies in the same cluster. */
Test(check, very_many_references_to_one_cluster_are_counted)
{
    enum { REFERENCES = 40000 };
    g_autoptr(GByteArray) octets =
        rig_create(&(Qcow2Create){.size = UINT64_C(1) << 36, .cluster_size = 2 << 20, .refcount_bits = 32});
    uint64_t l2 = (octets->len + (2 << 20) - 1) & ~UINT64_C(0x1fffff), data = l2 + (2 << 20);

    g_byte_array_set_size(octets, (guint)data + (2 << 20));
    memset(octets->data + l2, 0, 4 << 20);
    store_be64(octets->data + l1_at(octets), COPIED | l2);
    for (unsigned i = 0; i < REFERENCES; i++)
        store_be64(octets->data + l2 + 8 * i, UINT64_C(1) << 62 | (data + 512 * (i % 4096)));
    store_be32(octets->data + block_at(octets) + 4 * (l2 >> 21), 1);
    store_be32(octets->data + block_at(octets) + 4 * (data >> 21), REFERENCES);
    says(octets, 0, 0, "");
    store_be32(octets->data + block_at(octets) + 4 * (data >> 21), REFERENCES + 1);
    says(octets, 0, 1, "refcount 40001, 40000 references: leaked\n");
}

/* A table is read once, however many snapshots have it; otherwise this would take hours. */
Test(check, snapshots_that_all_have_the_same_large_table_take_no_longer, .timeout = 30)
{
    enum { SNAPSHOTS = 65536, L1 = 32 << 20, CLUSTER = 65536 };
    g_autoptr(GByteArray) octets = simple();
    uint64_t l1 = octets->len, table = l1 + L1, l2 = l2_at(octets);

    g_byte_array_set_size(octets, (guint)table + SNAPSHOTS * 40);
    memset(octets->data + l1, 0, octets->len - l1);
    for (unsigned i = 0; i < L1 / 8; i++)
        store_be64(octets->data + l1 + 8 * (uint64_t)i, l2);
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        store_be64(octets->data + table + 40 * (uint64_t)i, l1);
        store_be32(octets->data + table + 40 * (uint64_t)i + 8, L1 / 8);
    }
    store_be32(octets->data + 60, SNAPSHOTS);
    store_be64(octets->data + 64, table);
    HostFile *file = host_file_memory(octets->data, octets->len);
    Qcow2Header header;
    Qcow2Check result = {0};
    OK(qcow2_header_read(file, &header, &error));
    OK(qcow2_check_file(file, &header, 0, &result, &error));
    /* the L2 table, its data, the L1 table, the snapshot table, that no entry has extra data; and nothing else */
    cr_assert_eq(result.corruptions, 1 + 3 + L1 / CLUSTER + SNAPSHOTS * 40 / CLUSTER + SNAPSHOTS);
    cr_assert_eq(result.leaks, 0);
    qcow2_header_clear(&header);
    host_file_close(file);
}

Test(check, tables_that_overlap_at_all_offsets_take_no_longer, .timeout = 30)
{
    enum { ENTRIES = 4 << 20, CLUSTER = 2 << 20 };
    g_autoptr(GByteArray) octets = rig_create(&(Qcow2Create){.size = 1 << 20, .cluster_size = CLUSTER});
    uint64_t l1 = octets->len & ~(uint64_t)(CLUSTER - 1), l2 = l1 + ENTRIES * 8;
    Qcow2Header header;
    Qcow2Check result = {0};

    g_byte_array_set_size(octets, (guint)l2 + 16 * CLUSTER);
    memset(octets->data + l1, 0, octets->len - l1);
    for (unsigned i = 0; i < ENTRIES; i++)
        store_be64(octets->data + l1 + 8 * (uint64_t)i, l2 + (uint64_t)i % 60000 * 512);
    store_be32(octets->data + 36, ENTRIES);
    store_be64(octets->data + 40, l1);
    HostFile *file = host_file_memory(octets->data, octets->len);
    OK(qcow2_header_read(file, &header, &error));
    OK(qcow2_check_file(file, &header, 0, &result, &error));
    cr_assert(result.corruptions > ENTRIES / 2);
    qcow2_header_clear(&header);
    host_file_close(file);
}

/* A million entries, in a table as large as there may be, all of the same block; each pass goes through them. */
Test(check, a_refcount_table_as_large_as_there_may_be_takes_no_longer, .timeout = 30)
{
    enum { CLUSTER = 512, ENTRIES = (8 << 20) / 8 };
    g_autoptr(GByteArray) octets = rig_create(&(Qcow2Create){.size = 1 << 20, .cluster_size = CLUSTER});
    uint64_t table = (octets->len + CLUSTER - 1) & ~(uint64_t)(CLUSTER - 1), block = block_at(octets);
    Qcow2Check result = {0};

    g_byte_array_set_size(octets, (guint)table + ENTRIES * 8);
    for (unsigned i = 0; i < ENTRIES; i++)
        store_be64(octets->data + table + 8 * (uint64_t)i, block);
    store_be64(octets->data + 48, table);
    store_be32(octets->data + 56, ENTRIES * 8 / CLUSTER);
    Image *image = open_to_repair(host_file_memory(octets->data, octets->len));
    OK(qcow2_check(image, 0, &result, &error));
    cr_assert(result.corruptions > ENTRIES, "%" G_GUINT64_FORMAT, result.corruptions);
    OK(qcow2_check(image, QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL, &result, &error));
    cr_assert(result.corruptions + result.leaks == 0);
    image_close(image);
}

/* 65 million clusters that nobody refers to. */
Test(check, a_file_that_is_one_long_hole_takes_no_memory)
{
    g_autoptr(GByteArray) octets = simple();
    g_autofree char *path = NULL;
    struct rusage usage;
    int fd = g_file_open_tmp("ferry-check-XXXXXX", &path, NULL);
    Qcow2Check result = {0};
    Image *image;

    cr_assert(fd >= 0 && write(fd, octets->data, octets->len) == (ssize_t)octets->len);
    if (ftruncate(fd, INT64_C(4) << 40) != 0) {
        unlink(path);
        cr_skip_test("the file system has no files of 4 TiB");
    }
    close(fd);
    OK(image = image_open(&(ImagePath){.path = path, .format = "qcow2", .read_only = true}, &error));
    OK(qcow2_check(image, 0, &result, &error));
    image_close(image);
    unlink(path);
    getrusage(RUSAGE_SELF, &usage);
    cr_assert(result.corruptions == 0 && result.leaks == 0);
#ifndef __SANITIZE_ADDRESS__
    cr_assert(usage.ru_maxrss < 100 << 10, "%ld KiB", usage.ru_maxrss);
#endif
}

Test(check, a_dirty_image_that_cannot_be_repaired_is_not_opened_to_be_written)
{
    g_autoptr(GByteArray) octets = simple();
    g_autoptr(GError) error = NULL;

    store_be64(octets->data + 72, QCOW2_DIRTY);
    put_count(octets, 0, 0);
    Image *image = rig_open_octets(octets, false); /* it is repaired */
    image_close(image);
    store_be64(octets->data + l2_at(octets) + 8 * 9, COPIED | UINT64_C(1) << 40);
    image = qcow2_open(host_file_memory(octets->data, octets->len), &(Qcow2Open){0}, &error);
    cr_assert(!image && strstr(error->message, "1 corruptions cannot be repaired"), "%s", error ? error->message : "");
    image_close(rig_open_octets(octets, true));
}

static bool stop(void *opaque, double fraction)
{
    cr_assert(fraction >= 0 && fraction <= 1);
    ++*(unsigned *)opaque;
    return false;
}

Test(check, it_stops_when_it_is_told_to)
{
    g_autoptr(GByteArray) empty =
        rig_create(&(Qcow2Create){.size = 64 << 20, .cluster_size = 512, .preallocation = QCOW2_PREALLOCATE_METADATA});
    Image *image = rig_open_octets(empty, true);
    unsigned calls = 0;
    Qcow2Check result = {.progress = stop, .opaque = &calls};
    g_autoptr(GError) error = NULL;

    cr_assert_not(qcow2_check(image, 0, &result, &error));
    cr_assert(calls == 1 && strstr(error->message, "stopped"), "%u %s", calls, error->message);
    image_close(image);
}

/* The judge counts by brute force: tests/qcow2/support/judge.h. */
Test(check, it_agrees_with_a_plain_judge_on_flipped_bits)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    unsigned wrong = 0;

    for (unsigned i = 0; i < 4; i++) {
        g_autoptr(GByteArray) good = base(&kinds[i]);
        for (unsigned n = 0; n < 1500; n++) {
            g_autoptr(GByteArray) octets = rig_copy(good);
            unsigned at = (unsigned)g_rand_int_range(random, 512, (gint32)octets->len);
            octets->data[at] ^= (uint8_t)(1u << g_rand_int_range(random, 0, 8));
            Judgement j = judge_image(octets->data, octets->len);
            HostFile *file = host_file_memory(octets->data, octets->len);
            Qcow2Header header;
            Qcow2Check result = {0};
            g_autoptr(GString) said = g_string_new(NULL);
            result.found = note;
            result.opaque = said;
            OK(qcow2_header_read(file, &header, &error));
            bool sound = qcow2_check_file(file, &header, 0, &result, NULL) && !result.corruptions;
            if (strstr(said->str, "has reserved bits")) /* which the judge does not look at */
                sound = !j.corruptions;
            if (sound != !j.corruptions || (sound && result.leaks != j.leaks)) {
                wrong++;
                cr_log_warn("kind %u, bit at 0x%x: judge: %u corruptions, %u leaks: %s; check: %s", i, at,
                            j.corruptions, j.leaks, j.first, said->str);
            }
            g_free(j.first);
            qcow2_header_clear(&header);
            host_file_close(file);
        }
    }
    cr_assert_eq(wrong, 0);
}
