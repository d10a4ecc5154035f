/* test-snapshot.c: lists of snapshots by themselves: which is meant, the tree, what a new one may be called. */
#include <criterion/criterion.h>
#include <string.h>

#include "qcow2/snapshot-list.h"
#include "visitors/error.h"
#include "visitors/uuid.h"

/* A snapshot whose UUID consists of one octet sixteen times over, and so its parent's. */
static void add(GPtrArray *list, const char *id, const char *name, uint8_t uuid, uint8_t parent)
{
    Qcow2Snapshot *s = g_new0(Qcow2Snapshot, 1);

    s->id = g_strdup(id);
    s->name = g_strdup(name);
    s->has_uuid = uuid != 0;
    memset(s->uuid, uuid, sizeof s->uuid);
    memset(s->parent, parent, sizeof s->parent);
    g_ptr_array_add(list, s);
}

static GPtrArray *some(void)
{
    GPtrArray *list = snapshot_list_new();

    add(list, "1", "first", 0x11, 0);
    add(list, "2", "5", 0x22, 0x11); /* a name that looks like the id of another */
    add(list, "5", "third", 0x33, 0x22);
    add(list, "7", "of qemu", 0, 0);
    add(list, "8", "33333333-3333-3333-3333-333333333333", 0x44, 0x11); /* or like its UUID */
    return list;
}

static const char *name_of(const GPtrArray *list, const char *which)
{
    const Qcow2Snapshot *found = snapshot_list_find(list, which);

    return found ? found->name : "(none)";
}

Test(snapshot, a_name_comes_before_an_id_and_an_id_before_a_uuid)
{
    g_autoptr(GPtrArray) list = some();

    cr_assert_str_eq(name_of(list, "first"), "first");
    cr_assert_str_eq(name_of(list, "1"), "first");
    cr_assert_str_eq(name_of(list, "5"), "5");
    cr_assert_str_eq(name_of(list, "33333333-3333-3333-3333-333333333333"), "33333333-3333-3333-3333-333333333333");
    cr_assert_str_eq(name_of(list, "22222222-2222-2222-2222-222222222222"), "5");
    cr_assert_str_eq(name_of(list, "8"), "33333333-3333-3333-3333-333333333333");
    cr_assert_str_eq(name_of(list, "44444444-4444-4444-4444-444444444444"), "33333333-3333-3333-3333-333333333333");
    cr_assert_str_eq(name_of(list, "7"), "of qemu");
    cr_assert_str_eq(name_of(list, "00000000-0000-0000-0000-000000000000"), "(none)");
    cr_assert_str_eq(name_of(list, ""), "(none)");
    cr_assert_str_eq(name_of(list, "9"), "(none)");
}

Test(snapshot, the_text_for_messages_lists_what_there_is)
{
    g_autoptr(GPtrArray) list = some();
    g_autoptr(GPtrArray) none = snapshot_list_new();

    g_ptr_array_set_size(list, 2);
    g_autofree char *text = snapshot_list_text(list), *nothing = snapshot_list_text(none);
    cr_assert_str_eq(text, "1 'first', 2 '5'");
    cr_assert_str_eq(nothing, "none");
    for (int i = 0; i < 19; i++)
        add(none, "i", "\033n", 0, 0);
    add(none, "j", "last", 0, 0);
    add(none, "k", "more", 0, 0);
    g_autofree char *most = snapshot_list_text(none);
    cr_assert(g_str_has_suffix(most, "i '\\x1bn', j 'last' and 1 more"), "%s", most);
}

Test(snapshot, a_parent_that_is_not_there_makes_a_root)
{
    g_autoptr(GPtrArray) list = some();

    add(list, "9", "orphan", 0x55, 0x66);
    g_autofree unsigned *parents = snapshot_list_parents(list);
    static const unsigned wanted[] = {SNAPSHOT_NONE, 0, 1, SNAPSHOT_NONE, 0, SNAPSHOT_NONE};
    cr_assert_arr_eq(parents, wanted, sizeof wanted);
}

Test(snapshot, a_circle_of_parents_is_opened_at_its_first)
{
    g_autoptr(GPtrArray) list = snapshot_list_new();

    add(list, "1", "leads into it", 0x11, 0x22);
    add(list, "2", "b", 0x22, 0x33);
    add(list, "3", "c", 0x33, 0x44);
    add(list, "4", "d", 0x44, 0x22);
    add(list, "5", "its own parent", 0x55, 0x55);
    add(list, "6", "also c", 0x33, 0x11);
    g_autofree unsigned *parents = snapshot_list_parents(list);
    static const unsigned wanted[] = {1, SNAPSHOT_NONE, 3, 1, SNAPSHOT_NONE, 0};
    cr_assert_arr_eq(parents, wanted, sizeof wanted);
}

Test(snapshot, a_long_chain_of_parents_is_no_work)
{
    g_autoptr(GPtrArray) list = snapshot_list_new();

    for (unsigned i = 0; i < 65536; i++) {
        Qcow2Snapshot *s = g_new0(Qcow2Snapshot, 1);
        s->has_uuid = true;
        memcpy(s->uuid, &(unsigned){i + 1}, sizeof i);
        memcpy(s->parent, &(unsigned){(i + 1) % 65536 + 1}, sizeof i);
        g_ptr_array_add(list, s);
    }
    g_autofree unsigned *parents = snapshot_list_parents(list);
    cr_assert_eq(parents[0], SNAPSHOT_NONE);
    for (unsigned i = 1; i < 65536; i++)
        cr_assert_eq(parents[i], (i + 1) % 65536);
}

static void new_id_is(const char *wanted, const char *const *ids)
{
    g_autoptr(GPtrArray) list = snapshot_list_new();

    for (; *ids; ids++)
        add(list, *ids, "n", 0, 0);
    g_autofree char *id = snapshot_list_new_id(list);
    cr_assert_str_eq(id, wanted);
}

Test(snapshot, a_new_id_is_one_more_than_the_greatest_number)
{
    new_id_is("1", (const char *const[]){NULL});
    new_id_is("8", (const char *const[]){"7", "2", NULL});
    new_id_is("10", (const char *const[]){"9", "abc", "", "1000x", "-5", NULL});
    new_id_is("6", (const char *const[]){"005", NULL});
    new_id_is("18446744073709551615", (const char *const[]){"18446744073709551614", NULL});
    new_id_is("3", (const char *const[]){"18446744073709551614", "18446744073709551615", "1", "2", NULL});
}

static void refused(const GPtrArray *list, Qcow2SnapshotNew options, const char *message)
{
    g_autoptr(GError) error = NULL;
    static const uint8_t none[16];

    cr_assert_null(snapshot_list_make(list, &options, none, &error), "%s", message);
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert_str_eq(error->message, message);
}

Test(snapshot, names_ids_and_uuids_that_are_there_or_are_none_are_refused)
{
    g_autoptr(GPtrArray) list = some();
    static const uint8_t none[16];
    uint8_t second[16];
    g_autofree char *name = g_strnfill(256, 'n'), *longest = g_strnfill(255, 'n');
    g_autofree char *too_long = g_strdup_printf("snapshot: a name '%s...' has 256 octets, at most 255", longest);

    memset(second, 0x22, sizeof second);
    refused(list, (Qcow2SnapshotNew){.name = ""}, "snapshot: a name must not be empty");
    refused(list, (Qcow2SnapshotNew){.name = "n", .id = ""}, "snapshot: an id must not be empty");
    refused(list, (Qcow2SnapshotNew){.name = name}, too_long);
    refused(list, (Qcow2SnapshotNew){.name = "a\nb"}, "snapshot: a name 'a\\x0ab' is not printable text");
    refused(list, (Qcow2SnapshotNew){.name = "\xff"}, "snapshot: a name '\\xff' is not printable text");
    refused(list, (Qcow2SnapshotNew){.name = "5"}, "snapshot: the name '5' is there already (id 2)");
    refused(list, (Qcow2SnapshotNew){.name = "n", .id = "7"}, "snapshot: the id '7' is there already (name 'of qemu')");
    refused(list, (Qcow2SnapshotNew){.name = "n", .uuid = none}, "snapshot: a UUID of zeros only stands for none");
    refused(list, (Qcow2SnapshotNew){.name = "n", .uuid = second},
            "snapshot: the UUID 22222222-2222-2222-2222-222222222222 is there already (id 2, name '5')");
}

Test(snapshot, a_new_one_has_what_was_asked_for_and_a_uuid)
{
    g_autoptr(GPtrArray) list = some();
    uint8_t parent[16];
    Qcow2SnapshotNew options = {
        .name = "7", .date_ns = INT64_C(1700000000123456789), .vm_clock_ns = 42, .icount = UINT64_MAX};

    memset(parent, 0x22, sizeof parent);
    Qcow2Snapshot *s = snapshot_list_make(list, &options, parent, NULL);
    cr_assert_not_null(s);
    cr_assert_str_eq(s->name, "7", "a name may look like another's id");
    cr_assert_str_eq(s->id, "9");
    cr_assert_eq(s->date_sec, 1700000000);
    cr_assert_eq(s->date_nsec, 123456789);
    cr_assert_eq(s->vm_clock_ns, 42);
    cr_assert_not(s->has_icount);
    cr_assert(s->has_uuid);
    cr_assert_not(uuid_is_null(s->uuid));
    cr_assert_arr_eq(s->parent, parent, 16);
    snapshot_free(s);
}
