/* test-snapshot-table.c: octets of the snapshot table, by hand from the specification, and what is wrong with some. */
#include <criterion/criterion.h>
#include <string.h>

#include "qcow2/snapshot-table.h"
#include "tests/qcow2/support/octets.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

static const SnapshotPlace place = {
    .path = "disk.qcow2", .offset = 0x50000, .file_length = 0x200000, .cluster_size = 65536, .disk_size = 0x100000};

/* An entry as QEMU 7.2 writes it. */
#define QEMU_ENTRY                                                                                                     \
    "0000000000030000 00000002 0001 0008 6a1f0b09 1dcd6500 000000005bb9a580 00074e49 00000018"                         \
    "0000000000074e49 0000000000100000 ffffffffffffffff 31 736e61702d6f6e65 00000000000000"

/* And one of ours: with a UUID and its parent's, and something behind that nobody knows. */
#define OUR_ENTRY                                                                                                      \
    "0000000000040000 00000001 0002 0003 6a1f0b0a 00000001 0000000000000002 00000000 0000003b"                         \
    "0000000200000001 0000000000200000 0000000000000007"                                                               \
    "f81d4fae7dec11d0a76500a0c91e6bf6 000102030405060708090a0b0c0d0e0f abcdef"                                         \
    "3432 74776f"

/* As version 2 has it, before there was extra data. */
#define OLD_ENTRY                                                                                                      \
    "0000000000060000 00000001 0001 0001 00000003 00000004 0000000000000005 00000006 00000000 37 61 000000000000"

static GPtrArray *parse(const GByteArray *data, unsigned count, GError **error)
{
    g_autoptr(GPtrArray) list = snapshot_list_new();
    size_t at = 0;

    if (!snapshot_table_parse(&place, data->data, data->len, list, count, &at, error) ||
        !snapshot_table_judge(&place, list, error))
        return NULL;
    return g_steal_pointer(&list);
}

static GPtrArray *parsed(const char *hex, unsigned count)
{
    g_autoptr(GByteArray) data = octets_from(hex);
    g_autoptr(GError) error = NULL;
    GPtrArray *list = parse(data, count, &error);

    cr_assert_not_null(list, "%s", error ? error->message : "");
    cr_assert_eq(list->len, count);
    return list;
}

static void refused(GByteArray *data, unsigned count, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) list = parse(data, count, &error);

    cr_assert_null(list, "should be: %s", message);
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED));
    cr_assert_str_eq(error->message, message);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

Test(snapshot_table, an_entry_of_qemu_is_read)
{
    g_autoptr(GPtrArray) list = parsed(QEMU_ENTRY, 1);
    const Qcow2Snapshot *s = list->pdata[0];

    cr_assert_str_eq(s->id, "1");
    cr_assert_str_eq(s->name, "snap-one");
    cr_assert_eq(s->l1_offset, 0x30000);
    cr_assert_eq(s->l1_size, 2);
    cr_assert_eq(s->date_sec, 0x6a1f0b09);
    cr_assert_eq(s->date_nsec, 500000000);
    cr_assert_eq(s->vm_clock_ns, 0x5bb9a580);
    cr_assert_eq(s->vm_state_size, 478793);
    cr_assert_eq(s->disk_size, 0x100000);
    cr_assert_not(s->has_icount);
    cr_assert_not(s->has_uuid);
    cr_assert_eq(g_bytes_get_size(s->extra), 24);
}

Test(snapshot_table, an_entry_of_ours_has_a_uuid_and_a_parent_and_the_wide_size_wins)
{
    g_autoptr(GPtrArray) list = parsed(OUR_ENTRY, 1);
    const Qcow2Snapshot *s = list->pdata[0];
    g_autoptr(GByteArray) uuid = octets_from("f81d4fae7dec11d0a76500a0c91e6bf6");
    g_autoptr(GByteArray) parent = octets_from("000102030405060708090a0b0c0d0e0f");

    cr_assert_str_eq(s->id, "42");
    cr_assert_str_eq(s->name, "two");
    cr_assert_eq(s->vm_state_size, UINT64_C(0x200000001));
    cr_assert_eq(s->disk_size, 0x200000);
    cr_assert(s->has_icount);
    cr_assert_eq(s->icount, 7);
    cr_assert(s->has_uuid);
    cr_assert_arr_eq(s->uuid, uuid->data, 16);
    cr_assert_arr_eq(s->parent, parent->data, 16);
    cr_assert_eq(g_bytes_get_size(s->extra), 59);
}

Test(snapshot_table, an_entry_without_extra_data_has_the_size_of_the_disk)
{
    g_autoptr(GPtrArray) list = parsed(OLD_ENTRY, 1);
    const Qcow2Snapshot *s = list->pdata[0];

    cr_assert_str_eq(s->id, "7");
    cr_assert_str_eq(s->name, "a");
    cr_assert_eq(s->vm_state_size, 6);
    cr_assert_eq(s->disk_size, place.disk_size);
    cr_assert_not(s->has_icount);
    cr_assert_not(s->has_uuid);
    cr_assert_null(s->extra);
}

Test(snapshot_table, of_each_size_of_extra_data_what_is_whole_is_read)
{
    for (unsigned size = 0; size <= 64; size++) {
        uint8_t entry[SNAPSHOT_ENTRY + 64 + 2] = {0};
        memset(entry + SNAPSHOT_ENTRY, 1, size);
        store_be32(entry + 32, 9);
        store_be16(entry + 12, 1);
        store_be16(entry + 14, 1);
        store_be32(entry + 36, size);
        memcpy(entry + SNAPSHOT_ENTRY + size, "1n", 2);
        g_autoptr(GPtrArray) list = snapshot_list_new();
        size_t at = 0;
        cr_assert(snapshot_table_parse(&place, entry, SNAPSHOT_ENTRY + size + 2, list, 1, &at, NULL));
        cr_assert_eq(list->len, 1);
        cr_assert_eq(at, SNAPSHOT_ENTRY + size + 2);
        const Qcow2Snapshot *s = list->pdata[0];
        cr_assert_eq(s->vm_state_size, size >= 8 ? UINT64_C(0x0101010101010101) : 9);
        cr_assert_eq(s->disk_size, size >= 16 ? UINT64_C(0x0101010101010101) : place.disk_size);
        cr_assert_eq(s->has_icount, size >= 24);
        cr_assert_eq(s->has_uuid, size >= 40);
        cr_assert_eq(s->parent[0], size >= 56);
        cr_assert_str_eq(s->name, "n");
    }
}

Test(snapshot_table, a_table_can_be_read_bit_by_bit)
{
    g_autoptr(GByteArray) data = octets_from(QEMU_ENTRY OUR_ENTRY OLD_ENTRY);
    g_autoptr(GPtrArray) list = snapshot_list_new();
    size_t at = 0;

    for (size_t len = 0; len <= data->len; len++) {
        g_autofree uint8_t *piece = g_memdup2(data->data, len);
        cr_assert(snapshot_table_parse(&place, piece, len, list, 3, &at, NULL));
    }
    cr_assert_eq(list->len, 3);
    cr_assert_eq(at, data->len - 6, "the last entry need not be filled up");
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

Test(snapshot_table, what_was_read_is_written_as_it_was)
{
    g_autoptr(GByteArray) data = octets_from(QEMU_ENTRY OUR_ENTRY);
    g_autoptr(GPtrArray) list = parse(data, 2, NULL);
    g_autoptr(GPtrArray) copy = snapshot_list_copy(list);
    g_autoptr(GByteArray) back = snapshot_table_octets(copy, NULL);

    cr_assert_eq(back->len, data->len);
    cr_assert_arr_eq(back->data, data->data, data->len);
}

Test(snapshot_table, an_old_entry_gets_the_extra_data_that_version_3_wants)
{
    g_autoptr(GPtrArray) list = parsed(OLD_ENTRY, 1);
    g_autoptr(GByteArray) back = snapshot_table_octets(list, NULL);
    g_autoptr(GByteArray) wanted =
        octets_from("0000000000060000 00000001 0001 0001 00000003 00000004 0000000000000005 00000006 00000010"
                    "0000000000000006 0000000000100000 37 61 000000000000");

    cr_assert_eq(back->len, wanted->len);
    cr_assert_arr_eq(back->data, wanted->data, wanted->len);
}

Test(snapshot_table, a_state_of_4_gib_has_its_size_in_the_extra_data_only)
{
    g_autoptr(GPtrArray) list = parsed(OLD_ENTRY, 1);
    Qcow2Snapshot *s = list->pdata[0];

    s->vm_state_size = UINT64_C(1) << 32;
    g_autoptr(GByteArray) back = snapshot_table_octets(list, NULL);
    cr_assert_eq(load_be32(back->data + 32), 0);
    cr_assert_eq(load_be64(back->data + 40), UINT64_C(1) << 32);
    s->vm_state_size--;
    g_autoptr(GByteArray) less = snapshot_table_octets(list, NULL);
    cr_assert_eq(load_be32(less->data + 32), UINT32_MAX);
}

Test(snapshot_table, unknown_extra_data_stays_where_a_uuid_is_added_or_not)
{
    static const unsigned sizes[] = {17, 24, 30, 40, 56, 57, 100, SNAPSHOT_EXTRA_MAX};

    for (unsigned n = 0; n < G_N_ELEMENTS(sizes); n++) {
        g_autofree uint8_t *extra = g_malloc(sizes[n]);
        for (unsigned i = 0; i < sizes[n]; i++)
            extra[i] = (uint8_t)(i + 1);
        g_autoptr(GPtrArray) list = parsed(OLD_ENTRY, 1);
        Qcow2Snapshot *s = list->pdata[0];
        s->extra = g_bytes_new(extra, sizes[n]);
        g_autoptr(GByteArray) back = snapshot_table_octets(list, NULL);
        const uint8_t *got = back->data + SNAPSHOT_ENTRY;
        cr_assert_eq(load_be32(back->data + 36), sizes[n]);
        cr_assert_eq(memcmp(got + 16, extra + 16, MIN(sizes[n], 24) == 24 ? 0 : sizes[n] - 16), 0);
        if (sizes[n] > 56)
            cr_assert_arr_eq(got + 56, extra + 56, sizes[n] - 56);
        s->has_uuid = true;
        memset(s->uuid, 0xee, sizeof s->uuid);
        g_autoptr(GByteArray) more = snapshot_table_octets(list, NULL);
        cr_assert_geq(load_be32(more->data + 36), MAX(sizes[n], 40));
        if (sizes[n] > 56)
            cr_assert_arr_eq(more->data + SNAPSHOT_ENTRY + 56, extra + 56, sizes[n] - 56);
        cr_assert_eq(more->data[SNAPSHOT_ENTRY + 24], 0xee);
    }
}

Test(snapshot_table, more_than_the_format_takes_is_not_written)
{
    g_autoptr(GPtrArray) list = snapshot_list_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *name = g_strnfill(65535, 'n');

    for (unsigned i = 0; i < 1100; i++) {
        Qcow2Snapshot *s = g_new0(Qcow2Snapshot, 1);
        s->id = g_strdup_printf("%u", i);
        s->name = g_strdup(name);
        g_ptr_array_add(list, s);
    }
    cr_assert_null(snapshot_table_octets(list, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_LIMIT));
    g_ptr_array_set_size(list, 1000);
    g_autoptr(GByteArray) fits = snapshot_table_octets(list, NULL);
    cr_assert_not_null(fits);
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

static GByteArray *two(size_t at, unsigned width, uint64_t value)
{
    GByteArray *data = octets_from(QEMU_ENTRY OUR_ENTRY);

    for (unsigned i = 0; i < width; i++)
        data->data[at + i] = width - i > sizeof value ? 0 : (uint8_t)(value >> 8 * (width - 1 - i));
    return data;
}

/* offsets of the second entry */
enum { SECOND = 80 };

Test(snapshot_table, extra_data_of_more_than_1024_octets_is_refused)
{
    g_autoptr(GByteArray) data = two(SECOND + 36, 4, 1025);
    refused(data, 2, "disk.qcow2: snapshot table entry 1 @0x50050: it has 1025 octets of extra data, at most 1024");
    g_autoptr(GByteArray) most = two(36, 4, UINT32_MAX);
    refused(most, 2,
            "disk.qcow2: snapshot table entry 0 @0x50000: it has 4294967295 octets of extra data, at most 1024");
}

Test(snapshot_table, an_l1_table_out_of_the_file_is_refused)
{
    g_autoptr(GByteArray) data = two(SECOND, 8, 0x210000);
    refused(
        data, 2,
        "disk.qcow2: snapshot table entry 1 @0x50050: its L1 table is at 0x210000 and has 8 octets, but the file ends at 0x200000");
    g_autoptr(GByteArray) far = two(0, 8, UINT64_C(0xffffffffffff0000));
    refused(
        far, 2,
        "disk.qcow2: snapshot table entry 0 @0x50000: its L1 table is at 0xffffffffffff0000 and has 16 octets, but the file ends at 0x200000");
    g_autoptr(GByteArray) across = two(SECOND, 12, 0);
    store_be64(across->data + SECOND, 0x1f0000);
    store_be32(across->data + SECOND + 8, 8193);
    refused(
        across, 2,
        "disk.qcow2: snapshot table entry 1 @0x50050: its L1 table is at 0x1f0000 and has 65544 octets, but the file ends at 0x200000");
    store_be32(across->data + SECOND + 8, 8192);
    g_autoptr(GPtrArray) fits = parse(across, 2, NULL);
    cr_assert_not_null(fits);
}

/* CVE-2014-0143, CVE-2014-0145: the sizes of tables of snapshots */
Test(snapshot_table, an_l1_table_that_is_too_large_is_refused)
{
    g_autoptr(GByteArray) data = two(SECOND + 8, 4, 4194305);
    refused(data, 2, "disk.qcow2: snapshot table entry 1 @0x50050: its L1 table has 4194305 entries, at most 4194304");
    g_autoptr(GByteArray) most = two(SECOND + 8, 4, UINT32_MAX);
    refused(most, 2,
            "disk.qcow2: snapshot table entry 1 @0x50050: its L1 table has 4294967295 entries, at most 4194304");
}

Test(snapshot_table, an_l1_table_where_no_cluster_begins_is_refused)
{
    g_autoptr(GByteArray) data = two(SECOND, 8, 0x40200);
    refused(data, 2, "disk.qcow2: snapshot table entry 1 @0x50050: its L1 table is at 0x40200, no multiple of 65536");
    g_autoptr(GByteArray) header = two(SECOND, 8, 0);
    refused(header, 2, "disk.qcow2: snapshot table entry 1 @0x50050: its L1 table is at 0x0, where the header is");
}

Test(snapshot_table, two_entries_with_one_id_are_refused)
{
    g_autoptr(GByteArray) data = octets_from(QEMU_ENTRY OLD_ENTRY QEMU_ENTRY);
    refused(data, 3, "disk.qcow2: snapshot table @0x50000: entries 0 and 2 have the same id '1'");
}

Test(snapshot_table, a_name_and_an_id_with_a_zero_inside_are_refused)
{
    g_autoptr(GByteArray) id = two(40 + 24, 1, 0);
    refused(id, 2, "disk.qcow2: snapshot table entry 0 @0x50000: its id of 1 octets has a zero inside");
    g_autoptr(GByteArray) name = two(40 + 24 + 4, 1, 0);
    refused(name, 2, "disk.qcow2: snapshot table entry 0 @0x50000: its name of 8 octets has a zero inside");
}

Test(snapshot_table, a_disk_that_no_offset_reaches_is_refused)
{
    g_autoptr(GByteArray) data = two(40 + 8, 8, UINT64_C(0x8000000000000000));
    refused(
        data, 2,
        "disk.qcow2: snapshot table entry 0 @0x50000: its disk has 9223372036854775808 octets, at most 9223372036854775807");
}

Test(snapshot_table, no_octets_make_it_read_behind_their_end)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    for (unsigned round = 0; round < 20000; round++) {
        g_autoptr(GByteArray) data = octets_from(QEMU_ENTRY OUR_ENTRY OLD_ENTRY);
        for (int n = g_rand_int_range(random, 1, 6); n > 0; n--)
            data->data[g_rand_int_range(random, 0, (int)data->len)] = (uint8_t)g_rand_int(random);
        size_t len = (size_t)g_rand_int_range(random, 0, (int)data->len + 1);
        g_autofree uint8_t *piece = g_memdup2(data->data, len);
        g_autoptr(GPtrArray) list = snapshot_list_new();
        g_autoptr(GError) error = NULL;
        size_t at = 0;
        bool sound = snapshot_table_parse(&place, piece, len, list, 3, &at, &error);
        cr_assert_eq(sound, error == NULL);
        cr_assert_leq(at, len);
    }
}
