/*
 * test-check.c: the check of a qcow2 image and its repair, in memory. test-check.sh holds both against qemu-img.
 */
#include <sys/resource.h>
#include <unistd.h>

#include "qcow2/check.h"
#include "tests/qcow2/check-rig.h"

static const Qcow2Create kinds[] = {
    {.size = 98304, .cluster_size = 512},
    {.size = 98304, .cluster_size = 512, .refcount_bits = 64},
    {.size = 98304, .cluster_size = 512, .refcount_bits = 4},
    {.size = 98304, .cluster_size = 512, .version = 2},
    {.size = 300000, .cluster_size = 4096, .refcount_bits = 32},
    {.size = 600064, .cluster_size = 65536},
    {.size = 600064, .cluster_size = 16384, .extended_l2 = true},
};

/* A disk with a snapshot, and something written since. */
static GByteArray *base(const Qcow2Create *kind)
{
    g_autoptr(GByteArray) empty = rig_create(kind);
    HostFile *file = host_file_memory(empty->data, empty->len);
    Image *image = rig_open(file, false);
    g_autoptr(GRand) random = g_rand_new_with_seed(3);

    rig_scribble(image, random, 20);
    rig_snapshot_new(image, "a", 0xaa);
    rig_scribble(image, random, 10);
    OK(image_set_active(image, false, &error)); /* what was freed is free then */
    GByteArray *octets = rig_copy(host_file_memory_data(file));
    image_close(image);
    return octets;
}

static Image *open_to_repair(HostFile *file)
{
    Image *image;

    OK(image = qcow2_open(file, &(Qcow2Open){.repair = true}, &error));
    return image;
}

static void note(void *opaque, const char *message)
{
    g_string_append_printf(opaque, "%s\n", message);
}

/* What the check says, in the order of the file's tables. */
static Qcow2Check check(const GByteArray *octets, GString *said)
{
    Image *image = open_to_repair(host_file_memory(octets->data, octets->len));
    Qcow2Check result = {.found = said ? note : NULL, .opaque = said};

    OK(qcow2_check(image, 0, &result, &error));
    cr_assert(octets->len == host_file_memory_data(image->file)->len &&
                  memcmp(octets->data, host_file_memory_data(image->file)->data, octets->len) == 0,
              "a check has written");
    image_close(image);
    return result;
}

static void says(const GByteArray *octets, uint64_t corruptions, uint64_t leaks, const char *what)
{
    g_autoptr(GString) said = g_string_new(NULL);
    Qcow2Check found = check(octets, said);

    cr_assert(found.corruptions == corruptions && found.leaks == leaks,
              "%" G_GUINT64_FORMAT " corruptions, %" G_GUINT64_FORMAT " leaks:\n%s", found.corruptions, found.leaks,
              said->str);
    cr_assert(strstr(said->str, what), "'%s' is not in:\n%s", what, said->str);
}

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
    /* the L2 table, its data, the L1 table, the snapshot table, that all ids are the same; and nothing else */
    cr_assert_eq(result.corruptions, 1 + 3 + 1 + L1 / CLUSTER + SNAPSHOTS * 40 / CLUSTER);
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

/* --- repair ------------------------------------------------------------------------------------------------------- */

typedef void Damage(GByteArray *octets);

static void counts_are_gone(GByteArray *o)
{
    memset(o->data + block_at(o), 0, 64);
}

static void counts_are_high(GByteArray *o)
{
    memset(o->data + block_at(o), 0x77, 64);
}

static void block_is_gone(GByteArray *o)
{
    store_be64(o->data + table_at(o), 0);
}

static void block_is_data(GByteArray *o)
{
    for (uint64_t at = l2_at(o);; at += 8)
        if ((load_be64(o->data + at) & COPIED) && (load_be64(o->data + at) & PLACE)) {
            store_be64(o->data + table_at(o), load_be64(o->data + at) & PLACE);
            return;
        }
}

static void flags_are_wrong(GByteArray *o)
{
    o->data[l1_at(o)] ^= 0x80;
    for (unsigned i = 0; i < 4; i++) {
        uint64_t at = l2_at(o) + 16 * i;
        if ((load_be64(o->data + at) & PLACE) && !(o->data[at] & 0x40))
            o->data[at] ^= 0x80;
    }
}

static void bits_are_reserved(GByteArray *o)
{
    o->data[l1_at(o)] |= 0x02;
    o->data[l2_at(o)] |= 0x04;
}

static Damage *const damages[] = {counts_are_gone, counts_are_high, block_is_gone,
                                  block_is_data,   flags_are_wrong, bits_are_reserved};

static bool repair(Image *image, GError **error)
{
    Qcow2Check result = {0};

    return qcow2_check(image, QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL, &result, error);
}

/* The image is repaired; then it is sound, and the disk and the snapshot are what they were. */
static void can_be_repaired(const GByteArray *octets, const char *text, const char *what)
{
    HostFile *file = host_file_memory(octets->data, octets->len);
    Image *image = open_to_repair(file);
    Qcow2Check result = {0};

    OK(qcow2_check(image, QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL, &result, &error));
    cr_assert(result.corruptions + result.leaks + result.check_errors == 0, "%s", what);
    g_autofree char *now = rig_text(image);
    cr_assert_str_eq(now, text, "%s", what);
    rig_judge(host_file_memory_data(file), false, what);
    image_close(image);
}

Test(check, a_repair_makes_an_image_sound_and_changes_nothing_on_its_disk)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        for (unsigned d = 0; d < G_N_ELEMENTS(damages); d++) {
            g_autoptr(GByteArray) octets = base(&kinds[i]);
            g_autofree char *text = rig_text_of(octets);
            g_autofree char *what = g_strdup_printf("kind %u, damage %u", i, d);
            damages[d](octets);
            can_be_repaired(octets, text, what);
        }
}

/* Every event of a repair is the last that is heard of the machine. */
Test(check, a_repair_that_is_cut_leaves_an_image_that_is_no_worse)
{
    static const CrashKeep keeps[] = {CRASH_DROP, CRASH_KEEP, CRASH_TEAR, CRASH_SOME};
    g_autoptr(GRand) random = g_rand_new_with_seed(7);

    for (unsigned d = 0; d < G_N_ELEMENTS(damages) * 2; d++) {
        g_autoptr(GByteArray) octets = base(&kinds[d % 2 ? 2 : 0]);
        g_autofree char *text = rig_text_of(octets);
        damages[d / 2](octets);
        HostFile *file = crash_file_new(octets->data, octets->len);
        Image *image = open_to_repair(file);
        OK(repair(image, &error));
        for (size_t cut = 0; cut <= crash_file_events(file); cut++)
            for (unsigned k = 0; k < 8; k++) {
                g_autoptr(GByteArray) left = crash_file_left(file, cut, keeps[k % 4], random);
                g_autofree char *what = g_strdup_printf("damage %u, before event %zu, kept %u", d / 2, cut, k % 4);
                can_be_repaired(left, text, what);
            }
        image_close(image);
    }
}

Test(check, a_repair_that_fails_can_be_done_again)
{
    for (unsigned d = 0; d < G_N_ELEMENTS(damages); d++) {
        bool done = false;
        for (size_t n = 0; !done; n++) {
            g_autoptr(GByteArray) octets = base(&kinds[0]);
            g_autofree char *text = rig_text_of(octets);
            g_autoptr(GError) error = NULL;
            damages[d](octets);
            HostFile *file = crash_file_new(octets->data, octets->len);
            Image *image = open_to_repair(file);
            crash_file_fail(file, n);
            done = repair(image, &error);
            cr_assert(done || error);
            g_autoptr(GByteArray) left = crash_file_left(file, crash_file_events(file), CRASH_KEEP, NULL);
            image_close(image);
            can_be_repaired(left, text, "after a failure");
        }
    }
}

Test(check, a_repair_of_leaks_leaves_what_is_missing)
{
    g_autoptr(GByteArray) octets = simple();
    uint64_t data = load_be64(octets->data + l2_at(octets)) & PLACE;

    put_count(octets, (unsigned)(data >> 16), 0);
    put_count(octets, (unsigned)(data >> 16) + 1, 9);
    Image *image = open_to_repair(host_file_memory(octets->data, octets->len));
    Qcow2Check result = {0};
    OK(qcow2_check(image, QCOW2_REPAIR_LEAKS, &result, &error));
    cr_assert(result.leaks == 0 && result.leaks_fixed == 1);
    cr_assert(result.corruptions == 1 && result.corruptions_fixed == 2); /* flags follow the counts */
    image_close(image);
}

Test(check, the_marks_of_a_dirty_and_corrupt_image_go_when_it_is_sound)
{
    g_autoptr(GByteArray) octets = simple();

    store_be64(octets->data + 72, QCOW2_DIRTY | QCOW2_CORRUPT);
    put_count(octets, 0, 0);
    Image *image = open_to_repair(host_file_memory(octets->data, octets->len));
    OK(repair(image, &error));
    cr_assert_eq(load_be64(host_file_memory_data(image->file)->data + 72), 0);
    cr_assert_eq(qcow2_header(image)->incompatible, 0);
    image_close(image);
}

Test(check, what_cannot_be_repaired_stays_marked)
{
    g_autoptr(GByteArray) octets = simple();

    store_be64(octets->data + 72, QCOW2_CORRUPT);
    store_be64(octets->data + l2_at(octets) + 8 * 9, COPIED | UINT64_C(1) << 40);
    Image *image = open_to_repair(host_file_memory(octets->data, octets->len));
    Qcow2Check result = {0};
    OK(qcow2_check(image, QCOW2_REPAIR_ALL, &result, &error));
    cr_assert(result.corruptions == 1 && result.corruptions_fixed == 1); /* its flag */
    cr_assert_eq(load_be64(host_file_memory_data(image->file)->data + 72), QCOW2_CORRUPT);
    image_close(image);
}

Test(check, an_image_that_is_only_read_is_not_repaired)
{
    g_autoptr(GByteArray) octets = simple();
    HostFile *file;
    Qcow2Check result = {0};
    g_autoptr(GError) error = NULL;

    put_count(octets, 0, 0);
    file = host_file_memory(octets->data, octets->len);
    file->read_only = true;
    Image *image = open_to_repair(file);
    cr_assert_not(qcow2_check(image, QCOW2_REPAIR_ALL, &result, &error));
    cr_assert(result.corruptions == 1 && strstr(error->message, "reading only"), "%s", error->message);
    image_close(image);
}

Test(check, an_image_is_written_to_after_its_repair)
{
    g_autoptr(GByteArray) octets = simple();
    uint8_t data[512];

    block_is_gone(octets);
    HostFile *file = host_file_memory(octets->data, octets->len);
    Image *image = open_to_repair(file);
    OK(repair(image, &error));
    memset(data, 0x77, sizeof data);
    OK(image_write(image, 700000, data, sizeof data, 0, &error));
    OK(image_set_active(image, false, &error));
    rig_judge(host_file_memory_data(file), false, "written");
    image_close(image);
}
