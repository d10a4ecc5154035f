/*
 * test-check-snapshots.c: snapshot tables whose entries have extra data of a wrong size, or that are too large: found,
 * repaired, and repaired again after a crash anywhere.
 */
#include "tests/qcow2/check-rig.h"

enum { FEW = 3, ENTRY = 40, EXTRA_MOST = 1024, SNAPSHOTS_MOST = 65536, TABLE_MOST = 64 << 20 };

/* An entry as one writes it down. */
typedef struct Told {
    const char *id, *name;
    uint32_t extra; /* octets; the first are those of the VM state's and the disk's size */
    size_t text;    /* octets of the name; 0: as long as it is */
} Told;

static void put_told(GByteArray *o, const Told *t, uint64_t l1, uint32_t l1_size, uint64_t disk)
{
    size_t id = strlen(t->id), text = MAX(t->text, strlen(t->name)), start = o->len;

    g_byte_array_set_size(o, (guint)((start + ENTRY + t->extra + id + text + 7) & ~(size_t)7));
    uint8_t *entry = o->data + start;
    memset(entry, 0, o->len - start);
    store_be64(entry, l1);
    store_be32(entry + 8, l1_size);
    store_be16(entry + 12, (uint16_t)id);
    store_be16(entry + 14, (uint16_t)text);
    store_be32(entry + 36, t->extra);
    memset(entry + ENTRY, 0x6b, t->extra);
    if (t->extra >= 8)
        store_be64(entry + ENTRY, 0);
    if (t->extra >= 16)
        store_be64(entry + ENTRY + 8, disk);
    memcpy(entry + ENTRY + t->extra, t->id, id);
    memset(entry + ENTRY + t->extra + id, 'n', text);
    memcpy(entry + ENTRY + t->extra + id, t->name, strlen(t->name));
}

/* An image with a snapshot, whose table is another one now, behind all else: its first entry has that snapshot's
 * tables; if there are few others, these have empty disks, otherwise none. */
static GByteArray *with_table(unsigned version, const Told *told, unsigned count)
{
    g_autoptr(GByteArray) empty = rig_create(&(Qcow2Create){
        .size = 98304, .cluster_size = 4096, .refcount_bits = version > 2 ? 32 : 16, .version = version});
    HostFile *file = host_file_memory(empty->data, empty->len);
    Image *image = rig_open(file, false);
    g_autoptr(GRand) random = g_rand_new_with_seed(3);

    rig_scribble(image, random, 10);
    rig_snapshot_new(image, "a", 0xaa);
    rig_scribble(image, random, 5);
    OK(image_set_active(image, false, &error));
    GByteArray *o = rig_copy(host_file_memory_data(file));
    image_close(image);
    uint64_t entry = load_be64(o->data + 64), l1 = load_be64(o->data + entry);
    uint32_t l1_size = load_be32(o->data + entry + 8);
    guint tables = (o->len + 4095) & ~4095u, table = tables + (count > FEW ? 0 : count * 4096);
    g_byte_array_set_size(o, table);
    memset(o->data + tables, 0, table - tables);
    for (unsigned i = 0; i < count; i++)
        put_told(o, &told[i], !i ? l1 : count > FEW ? 0 : tables + i * 4096, i && count > FEW ? 0 : l1_size, 98304);
    store_be32(o->data + 60, count);
    store_be64(o->data + 64, table);
    return o;
}

static Qcow2Check repair(GByteArray **octets, unsigned how)
{
    HostFile *file = host_file_memory((*octets)->data, (*octets)->len);
    Image *image;
    Qcow2Check result = {0};

    OK(image = qcow2_open(file, &(Qcow2Open){.repair = true}, &error));
    OK(qcow2_check(image, how, &result, &error));
    g_byte_array_unref(*octets);
    *octets = rig_copy(host_file_memory_data(file));
    image_close(image);
    return result;
}

/* Repairs it; the text of what is there then. */
static char *text_after_repair(const GByteArray *octets, const char *what)
{
    g_autoptr(GByteArray) copy = rig_copy(octets);
    Qcow2Check result = repair(&copy, QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL);

    cr_assert(result.corruptions + result.leaks + result.check_errors == 0, "%s", what);
    rig_judge(copy, false, what);
    return rig_text_of(copy);
}

static void cut_anywhere(const GByteArray *octets)
{
    static const CrashKeep keeps[] = {CRASH_DROP, CRASH_KEEP, CRASH_TEAR, CRASH_SOME};
    g_autoptr(GRand) random = g_rand_new_with_seed(9);
    g_autofree char *text = text_after_repair(octets, "not cut");
    HostFile *file = crash_file_new(octets->data, octets->len);
    Qcow2Check result = {0};
    Image *image;

    OK(image = qcow2_open(file, &(Qcow2Open){.repair = true}, &error));
    OK(qcow2_check(image, QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL, &result, &error));
    for (size_t cut = 0; cut <= crash_file_events(file); cut++)
        for (unsigned k = 0; k < 8; k++) {
            g_autoptr(GByteArray) left = crash_file_left(file, cut, keeps[k % 4], random);
            g_autofree char *what = g_strdup_printf("before event %zu, kept %u", cut, k % 4);
            g_autofree char *now = text_after_repair(left, what);
            cr_assert_str_eq(now, text, "%s", what);
        }
    image_close(image);
}

static uint64_t found(const GByteArray *octets, const char *says)
{
    g_autoptr(GString) said = g_string_new(NULL);
    Image *image;
    Qcow2Check result = {.found = note, .opaque = said};

    OK(image = qcow2_open(host_file_memory(octets->data, octets->len), &(Qcow2Open){.repair = true}, &error));
    OK(qcow2_check(image, 0, &result, &error));
    cr_assert(strstr(said->str, says), "'%s' is not in: %.2000s", says, said->str);
    image_close(image);
    return result.corruptions;
}

/* The table is where nothing counts it: as many errors as it has clusters; and the snapshots' tables are shared. */
static uint64_t rest(unsigned version, unsigned count)
{
    static const Told sound[] = {{"1", "a", 16, 0}, {"2", "b", 16, 0}, {"3", "c", 16, 0}};
    g_autoptr(GByteArray) octets = with_table(version, sound, count);

    return found(octets, "refcount");
}

Test(check_snapshots, extra_data_that_is_too_short_for_version_3_is_filled_up)
{
    static const Told told[] = {{"1", "a", 0, 0}, {"2", "b", 50, 0}, {"3", "c", 8, 0}};
    g_autoptr(GByteArray) octets = with_table(3, told, 3), old = with_table(2, told, 3);
    unsigned count;

    cr_assert_eq(found(octets, ": 8 octets of extra data, at least 16"), rest(3, 3) + 2);
    cr_assert_eq(found(old, "refcount"), rest(2, 3), "version 2 wants none");
    cut_anywhere(octets);
    repair(&octets, QCOW2_REPAIR_ALL);
    Image *image = rig_open_octets(octets, true);
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
    cr_assert_eq(count, 3);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(all[i]->disk_size, 98304);
        cr_assert_eq(g_bytes_get_size(all[i]->extra), i == 1 ? 50 : 16);
        cr_assert_str_eq(all[i]->id, told[i].id);
        cr_assert_str_eq(all[i]->name, told[i].name);
    }
    cr_assert_eq(((const uint8_t *)g_bytes_get_data(all[1]->extra, NULL))[49], 0x6b, "what is unknown stays");
    image_close(image);
}

Test(check_snapshots, extra_data_that_is_too_long_is_cut_off)
{
    static const Told told[] = {{"1", "a", 16, 0}, {"2", "b", 9000, 0}, {"3", "c", EXTRA_MOST, 0}};
    g_autoptr(GByteArray) octets = with_table(3, told, 3);
    g_autoptr(GError) error = NULL;
    unsigned count;

    cr_assert_null(qcow2_open(host_file_memory(octets->data, octets->len), &(Qcow2Open){0}, &error));
    cr_assert_eq(found(octets, ": 9000 octets of extra data, at most 1024"), rest(3, 3) + 1 + 2);
    cut_anywhere(octets);
    repair(&octets, QCOW2_REPAIR_ALL);
    Image *image = rig_open_octets(octets, true);
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
    cr_assert_eq(count, 3);
    for (unsigned i = 1; i < count; i++)
        cr_assert_eq(g_bytes_get_size(all[i]->extra), EXTRA_MOST);
    cr_assert_str_eq(all[1]->name, "b");
    cr_assert_str_eq(all[2]->name, "c");
    image_close(image);
}

/* Nothing is freed that a snapshot has which is only to be lost by a repair of all. */
Test(check_snapshots, a_repair_of_leaks_does_not_touch_a_table_that_is_wrong)
{
    static const Told told[] = {{"1", "a", 0, 0}};
    g_autoptr(GByteArray) octets = with_table(3, told, 1);
    g_autoptr(GByteArray) before = rig_copy(octets);

    Qcow2Check result = repair(&octets, QCOW2_REPAIR_LEAKS);
    cr_assert(result.leaks > 0, "the old table leaks");
    cr_assert(octets->len == before->len && memcmp(octets->data, before->data, before->len) == 0);
}

Test(check_snapshots, snapshots_that_are_too_many_are_lost)
{
    enum { MORE = 100 };
    g_autofree Told *told = g_new0(Told, SNAPSHOTS_MOST + MORE);
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    unsigned count;

    for (unsigned i = 0; i < SNAPSHOTS_MOST + MORE; i++) {
        g_ptr_array_add(ids, g_strdup_printf("%u", i + 1));
        told[i] = (Told){ids->pdata[i], "n", 16, 0};
    }
    g_autoptr(GByteArray) octets = with_table(3, told, SNAPSHOTS_MOST + MORE);
    cr_assert_null(qcow2_open(host_file_memory(octets->data, octets->len), &(Qcow2Open){0}, &error));
    cr_assert(strstr(error->message, "65636 snapshots, at most 65536"), "%s", error->message);
    found(octets, "snapshot 65537 at 0x");
    Qcow2Check result = repair(&octets, QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL);
    cr_assert(result.corruptions + result.leaks == 0 && result.corruptions_fixed > MORE);
    Image *image = rig_open_octets(octets, true);
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
    cr_assert_eq(count, SNAPSHOTS_MOST);
    cr_assert_str_eq(all[SNAPSHOTS_MOST - 1]->id, "65536");
    image_close(image);
}

/* One that is cut makes room for another: only the last does not fit. */
Test(check_snapshots, snapshots_behind_the_largest_table_are_lost)
{
    enum { NAME = 65535, EACH = (ENTRY + EXTRA_MOST + 4 + NAME + 7) & ~7, FIT = TABLE_MOST / EACH };
    Told told[FIT + 1];
    char ids[FIT + 1][8];
    unsigned count;

    for (unsigned i = 0; i <= FIT; i++) {
        g_snprintf(ids[i], sizeof ids[i], "%04u", i);
        told[i] = (Told){ids[i], "n", i == 5 ? 5 * EXTRA_MOST : EXTRA_MOST, NAME};
    }
    g_autoptr(GByteArray) octets = with_table(3, told, FIT + 1);
    cr_assert_null(qcow2_open(host_file_memory(octets->data, octets->len), &(Qcow2Open){0}, NULL));
    found(octets, " and those behind it: at most");
    Qcow2Check result = repair(&octets, QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL);
    cr_assert(result.corruptions + result.leaks == 0);
    Image *image = rig_open_octets(octets, true);
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
    cr_assert_eq(count, FIT);
    cr_assert_str_eq(all[FIT - 1]->id, ids[FIT - 1]);
    image_close(image);
}
