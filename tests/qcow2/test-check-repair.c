/*
 * test-check-repair.c: the repair of a qcow2 image, in memory, and cut anywhere. test-check.sh holds it against
 * qemu-img.
 */
#include "tests/qcow2/check-rig.h"

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

static void table_is_gone(GByteArray *o)
{
    store_be64(o->data + 48, 0);
    store_be32(o->data + 56, 0);
}

static void table_is_misaligned(GByteArray *o)
{
    o->data[48 + 7] |= 8;
}

static void table_is_outside(GByteArray *o)
{
    store_be64(o->data + 48, UINT64_C(1) << 40);
}

static void table_is_too_large(GByteArray *o)
{
    store_be32(o->data + 56, UINT32_MAX);
}

static void table_is_the_l1_table(GByteArray *o)
{
    store_be64(o->data + 48, l1_at(o));
}

static Damage *const damages[] = {counts_are_gone,  counts_are_high,    block_is_gone,        block_is_data,
                                  flags_are_wrong,  bits_are_reserved,  table_is_gone,        table_is_misaligned,
                                  table_is_outside, table_is_too_large, table_is_the_l1_table};

/* The first L2 entry that is compressed or not, has a cluster or not. */
static uint8_t *extended_entry(GByteArray *o, bool compressed, bool allocated)
{
    for (uint8_t *entry = o->data + l2_at(o);; entry += 16)
        if ((*entry & 0x40) == (compressed ? 0x40 : 0) && !!(load_be64(entry) & PLACE) == allocated)
            return entry;
}

static void subclusters_are_data_and_zeros(GByteArray *o)
{
    for (uint8_t *entry = o->data + l2_at(o);; entry += 16)
        if (!(*entry & 0x40) && load_be32(entry + 12)) {
            store_be32(entry + 8, load_be32(entry + 8) | load_be32(entry + 12));
            return;
        }
}

static void subclusters_are_data_of_no_cluster(GByteArray *o)
{
    store_be64(extended_entry(o, false, false) + 8, UINT64_C(3) << 32 | 1);
}

static void compressed_cluster_has_subclusters(GByteArray *o)
{
    store_be64(extended_entry(o, true, true) + 8, UINT64_C(1) << 32 | 0x80000000);
}

static Damage *const extended_damages[] = {subclusters_are_data_and_zeros, subclusters_are_data_of_no_cluster,
                                           compressed_cluster_has_subclusters};

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
static void cut_anywhere(const Qcow2Create *kind, Damage *damage, const char *name)
{
    static const CrashKeep keeps[] = {CRASH_DROP, CRASH_KEEP, CRASH_TEAR, CRASH_SOME};
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    g_autoptr(GByteArray) octets = base(kind);
    g_autofree char *text = rig_text_of(octets);

    damage(octets);
    HostFile *file = crash_file_new(octets->data, octets->len);
    Image *image = open_to_repair(file);
    OK(repair(image, &error));
    for (size_t cut = 0; cut <= crash_file_events(file); cut++)
        for (unsigned k = 0; k < 8; k++) {
            g_autoptr(GByteArray) left = crash_file_left(file, cut, keeps[k % 4], random);
            g_autofree char *what = g_strdup_printf("%s, before event %zu, kept %u", name, cut, k % 4);
            can_be_repaired(left, text, what);
        }
    image_close(image);
}

Test(check, a_repair_that_is_cut_leaves_an_image_that_is_no_worse)
{
    for (unsigned d = 0; d < G_N_ELEMENTS(damages) * 2; d++) {
        g_autofree char *name = g_strdup_printf("damage %u", d / 2);
        cut_anywhere(&kinds[d % 2 ? 2 : 0], damages[d / 2], name);
    }
}

/* Data of which nobody can say that it is none stays; the disk reads as before. */
Test(check, subclusters_that_are_two_things_become_one)
{
    for (unsigned d = 0; d < G_N_ELEMENTS(extended_damages); d++) {
        g_autofree char *name = g_strdup_printf("extended damage %u", d);
        g_autoptr(GByteArray) octets = base(&kinds[6]);
        extended_damages[d](octets);
        says(octets, 1, 0,
             d == 0   ? "are both data and zeros"
             : d == 1 ? "there is no cluster"
                      : "a compressed cluster");
        cut_anywhere(&kinds[6], extended_damages[d], name);
    }
}

Test(check, data_of_no_cluster_stays_an_error)
{
    g_autoptr(GByteArray) octets = base(&kinds[6]);
    Qcow2Check result = {0};

    store_be64(extended_entry(octets, false, false) + 8, UINT64_C(2) << 32 | 3);
    Image *image = open_to_repair(host_file_memory(octets->data, octets->len));
    OK(qcow2_check(image, QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL, &result, &error));
    cr_assert(result.corruptions == 1 && result.leaks == 0);
    image_close(image);
}

Test(check, an_image_without_a_refcount_table_is_opened_by_who_repairs_it_only)
{
    for (unsigned read_only = 0; read_only < 2; read_only++) {
        g_autoptr(GByteArray) octets = simple();
        g_autoptr(GError) error = NULL;
        table_is_gone(octets);
        Image *image =
            qcow2_open(host_file_memory(octets->data, octets->len), &(Qcow2Open){.read_only = read_only}, &error);
        cr_assert(!image && strstr(error->message, "header offset 56: there is no refcount table"), "%s",
                  error ? error->message : "");
    }
}

/* As qemu-img counts: what the table should count, and that the flags COPIED do not fit. */
Test(check, without_a_refcount_table_whatever_there_is_is_counted_as_wrong)
{
    g_autoptr(GByteArray) octets = simple(), other = simple();

    table_is_gone(octets);
    says(octets, 6 + 4, 0, "cluster 0 at offset 0x0: refcount 0, 1 reference: corrupt\n");
    table_is_misaligned(other);
    says(other, 1 + 6 + 4, 0, "header offset 48: the refcount table at 0x10008, which is no multiple");
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
