/* test-snapshot-hostile.c: images made to harm: tables of snapshots that lie about where, how long and how many. */
#include "tests/qcow2/snapshot-rig.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

enum { CLUSTER = 512 };

static GByteArray *some_image(void)
{
    g_autoptr(GByteArray) empty = rig_create(&(Qcow2Create){.size = 98304, .cluster_size = CLUSTER});
    HostFile *file = host_file_memory(empty->data, empty->len);
    Image *image = rig_open(file, false);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    rig_scribble(image, random, 20);
    rig_snapshot_new(image, "a", 0xaa);
    rig_scribble(image, random, 10);
    rig_snapshot_vm(image, "b", 0xbb, 2000);
    OK(image_set_active(image, false, &error));
    GByteArray *octets = rig_copy(host_file_memory_data(file));
    image_close(image);
    return octets;
}

static uint8_t *snapshot_table(GByteArray *octets)
{
    return octets->data + load_be64(octets->data + 64);
}

static void open_refused(const GByteArray *octets, const char *message)
{
    g_autoptr(GError) refusal = NULL;

    cr_assert_null(qcow2_open(host_file_memory(octets->data, octets->len), &(Qcow2Open){0}, &refusal), "%s", message);
    cr_assert(strstr(refusal->message, message), "%s", refusal->message);
}

/* CVE-2014-0147 */
Test(snapshot_hostile, more_snapshots_than_the_format_takes_are_refused)
{
    g_autoptr(GByteArray) octets = some_image();

    store_be32(octets->data + 60, 65537);
    open_refused(octets, "65537 snapshots, at most 65536");
    store_be32(octets->data + 60, 65536);
    open_refused(octets, "snapshot table");
}

/* CVE-2014-0146, CVE-2014-0142: a table that is not where it should be */
Test(snapshot_hostile, a_snapshot_table_out_of_the_file_is_refused)
{
    g_autoptr(GByteArray) octets = some_image();

    store_be64(octets->data + 64, UINT64_C(0x7ffffffffffffe00));
    open_refused(octets, "the snapshot table at 0x7ffffffffffffe00");
    store_be64(octets->data + 64, 100 * CLUSTER + 8);
    open_refused(octets, "the snapshot table at 0xc808");
    store_be64(octets->data + 64, octets->len & ~(guint)(CLUSTER - 1));
    open_refused(octets, "snapshot table");
}

/* CVE-2014-0143, CVE-2014-0145: L1 tables of snapshots */
Test(snapshot_hostile, the_l1_table_of_a_snapshot_is_bounded)
{
    g_autoptr(GByteArray) octets = some_image();

    store_be32(snapshot_table(octets) + 8, 0x20000000);
    open_refused(octets, "snapshot table entry 0 @0x");
    store_be32(snapshot_table(octets) + 8, 4194304);
    open_refused(octets, "its L1 table is at 0x");
}

static void refused_with(bool done, GError **refusal, const char *message)
{
    cr_assert_not(done, "%s", message);
    cr_assert(strstr((*refusal)->message, message), "%s", (*refusal)->message);
    g_clear_error(refusal);
}

Test(snapshot_hostile, a_disk_or_vm_state_larger_than_its_l1_table_is_refused_when_it_is_wanted)
{
    g_autoptr(GByteArray) octets = some_image();
    uint8_t *entry = snapshot_table(octets), *second;
    uint8_t data[16];

    second = entry + ((40 + load_be32(entry + 36) + load_be16(entry + 12) + load_be16(entry + 14) + 7) & ~7u);
    store_be64(entry + 48, INT64_MAX);
    store_be64(second + 40, UINT64_C(1) << 40);
    Image *image = rig_open_octets(octets, false);
    GError *refusal = NULL;
    refused_with(qcow2_snapshot_goto(image, rig_find(image, "a"), &refusal), &refusal,
                 "a disk of 9223372036854775807 octets needs");
    refused_with(qcow2_vm_state_read(image, rig_find(image, "b"), 0, data, sizeof data, &refusal), &refusal,
                 "a VM state of 1099511627776 octets, but its L1 table ends behind");
    refused_with(qcow2_vm_state_read(image, rig_find(image, "a"), 0, data, sizeof data, &refusal), &refusal,
                 "16 octets wanted, but it has 0");
    OK(image_write(image, 0, "x", 1, 0, &error));
    image_close(image);
}

/* All L1 entries lead to one L2 table, in a file that is as long as it can claim to be. */
Test(snapshot_hostile, an_l1_table_with_more_tables_than_the_file_has_clusters_ends)
{
    g_autoptr(GByteArray) octets = some_image();
    uint64_t l1 = octets->len;
    uint8_t *entry = snapshot_table(octets);
    uint64_t l2 = load_be64(octets->data + load_be64(entry)) & UINT64_C(0x00fffffffffffe00);

    g_byte_array_set_size(octets, (guint)l1 + 4096 * 8);
    for (unsigned i = 0; i < 4096; i++)
        store_be64(octets->data + l1 + i * 8, l2);
    entry = snapshot_table(octets);
    store_be64(entry, l1);
    store_be32(entry + 8, 4096);
    Image *image = rig_open_octets(octets, false);
    GError *refusal = NULL;
    refused_with(qcow2_snapshot_delete(image, rig_find(image, "a"), QCOW2_ORPHANS_REPARENT, &refusal), &refusal,
                 "4096 L2 tables in a file of");
    image_close(image);
}

/* --- whatever there is ------------------------------------------------------------------------------------------ */

static void look(Image *image, const Qcow2Snapshot *s)
{
    uint8_t data[4096];
    Image *disk = qcow2_snapshot_image(image, s, NULL);

    qcow2_vm_state_read(image, s, 0, data, MIN(sizeof data, s->vm_state_size), NULL);
    qcow2_vm_state_read(image, s, s->vm_state_size - MIN(s->vm_state_size, 5), data, MIN(s->vm_state_size, 5), NULL);
    if (!disk)
        return;
    image_read(disk, 0, data, sizeof data, NULL);
    image_read(disk, 90000, data, sizeof data, NULL);
    image_close(disk);
}

static void change(Image *image, unsigned op, const Qcow2Snapshot *any)
{
    switch (op % 5) {
    case 0:
        qcow2_snapshot_create(image, &(Qcow2SnapshotNew){.name = "new", .icount = UINT64_MAX}, NULL);
        break;
    case 1:
        if (any)
            qcow2_snapshot_goto(image, any, NULL);
        break;
    case 2:
        if (any)
            qcow2_snapshot_delete(image, any, QCOW2_ORPHANS_REPARENT, NULL);
        break;
    case 3: {
        Qcow2Pending *p = qcow2_snapshot_prepare(image, NULL);
        if (!p)
            break;
        qcow2_pending_write(p, 3000, "state", 5, NULL);
        qcow2_snapshot_publish(p, &(Qcow2SnapshotNew){.name = "new", .icount = UINT64_MAX}, 3005, NULL);
        break;
    }
    default: {
        Qcow2Pending *p = qcow2_snapshot_prepare(image, NULL);
        if (p)
            qcow2_snapshot_abandon(p);
    }
    }
}

static void try_all(const GByteArray *octets, unsigned op)
{
    Image *image = qcow2_open(host_file_memory(octets->data, octets->len), &(Qcow2Open){0}, NULL);
    unsigned count;

    if (!image)
        return;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
    for (unsigned i = 0; i < MIN(count, 4); i++)
        look(image, all[i]);
    g_autoptr(GPtrArray) bitmaps = qcow2_bitmaps(image, NULL);
    change(image, op, count ? all[op / 5 % count] : NULL);
    image_write(image, 5000, "some", 4, 0, NULL);
    image_close(image);
    if (bitmaps)
        g_clear_pointer(&bitmaps, g_ptr_array_unref);
}

static void turn(GByteArray *octets, GRand *random, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        /* mostly where there is something: heads of clusters, and the header */
        gint32 first = g_rand_int_range(random, 0, 30) ? 1 : 0;
        guint cluster = (guint)g_rand_int_range(random, first, (gint32)(octets->len / CLUSTER));
        guint at = cluster * CLUSTER + (guint)g_rand_int_range(random, 0, i % 2 ? 64 : CLUSTER);
        octets->data[at] = g_rand_boolean(random) ? (guint8)g_rand_int(random)
                                                  : octets->data[at] ^ (guint8)(1 << g_rand_int_range(random, 0, 8));
    }
}

Test(snapshot_hostile, whatever_is_turned_over_in_an_image_harms_nobody)
{
    g_autoptr(GByteArray) start = some_image();
    g_autoptr(GRand) random = g_rand_new_with_seed(11);
    const char *rounds = g_getenv("ROUNDS");

    for (unsigned round = 0; round < (rounds ? (unsigned)atoi(rounds) : 3000); round++) {
        g_autoptr(GByteArray) octets = rig_copy(start);
        turn(octets, random, (unsigned)g_rand_int_range(random, 1, 20));
        store_be32(octets->data, 0x514649fb);
        try_all(octets, round);
    }
}
