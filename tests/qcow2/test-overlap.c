/*
 * test-overlap.c: a table whose count is 0 is not given out for data: the image is marked as corrupt instead.
 */
#include "qcow2/data-impl.h"
#include "tests/qcow2/check-rig.h"

/* A cluster that has a count of 0 is given out, unless it is known for metadata. */
static void is_not_overwritten(GByteArray *octets, uint64_t offset, const char *what)
{
    g_autoptr(GByteArray) table = g_byte_array_new();
    uint8_t data[512] = {1};
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < offset >> 16; i++) /* it is the first that is free */
        if (!load_be16(octets->data + block_at(octets) + 2 * i))
            put_count(octets, i, 1);
    put_count(octets, (unsigned)(offset >> 16), 0);
    g_byte_array_append(table, octets->data + offset, 512);
    HostFile *file = host_file_memory(octets->data, octets->len);
    Image *image = rig_open(file, false);
    cr_assert_not(image_write(image, 900000, data, sizeof data, 0, &error) && image_flush(image, &error), "%s", what);
    cr_assert(qcow2_corruption(image) && strstr(qcow2_corruption(image), what), "%s", qcow2_corruption(image));
    if (offset)
        cr_assert_arr_eq(host_file_memory_data(file)->data + offset, table->data, 512);
    cr_assert_eq(load_be64(host_file_memory_data(file)->data + 72), QCOW2_CORRUPT);
    image_close(image);
}

Test(overlap, a_table_whose_count_is_0_is_not_overwritten)
{
    static const struct {
        const char *what;
        uint64_t (*at)(const GByteArray *);
    } tables[] = {{"the L1 table", l1_at},
                  {"an L2 table", l2_at},
                  {"the refcount table", table_at},
                  {"a refcount block", block_at}};

    for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
        g_autoptr(GByteArray) octets = simple();
        is_not_overwritten(octets, tables[i].at(octets), tables[i].what);
    }
    g_autoptr(GByteArray) octets = simple();
    is_not_overwritten(octets, 0, "the header");
}

Test(overlap, a_snapshots_tables_are_not_overwritten)
{
    for (unsigned i = 0; i < 2; i++) {
        g_autoptr(GByteArray) plain = simple();
        HostFile *file = host_file_memory(plain->data, plain->len);
        Image *image = rig_open(file, false);
        rig_snapshot_new(image, "a", 0xaa);
        OK(image_set_active(image, false, &error));
        g_autoptr(GByteArray) octets = rig_copy(host_file_memory_data(file));
        image_close(image);
        uint64_t table = load_be64(octets->data + 64), l1 = load_be64(octets->data + table);
        is_not_overwritten(octets, i ? l1 : table, i ? "the L1 table of a snapshot" : "the snapshot table");
    }
}

Test(overlap, only_what_is_metadata_is_known_as_such)
{
    g_autoptr(GByteArray) octets = simple();
    Image *image = rig_open_octets(octets, true);
    Qcow2 *q = qcow2_of(image);
    uint64_t data = load_be64(octets->data + l2_at(octets)) & PLACE;

    cr_assert_str_eq(qcow2_overlaps_metadata(q, 5, 1), "the header");
    cr_assert_str_eq(qcow2_overlaps_metadata(q, l2_at(octets) + 65535, 1), "an L2 table");
    cr_assert_str_eq(qcow2_overlaps_metadata(q, data, UINT64_C(1) << 40) ? "something" : "nothing", "nothing");
    cr_assert_str_eq(qcow2_overlaps_metadata(q, 0, data + 1), "the header");
    image_close(image);
}
