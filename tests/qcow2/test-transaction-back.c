/* test-transaction-back.c: a disk is taken back to where it was, snapshots get other names; the power goes meanwhile.
 */
#include "tests/qcow2/transaction-rig.h"

static bool nothing(Image *image, GError **error)
{
    (void)image;
    (void)error;
    return true;
}

/* --- back again --------------------------------------------------------------------------------------------------- */

static bool gone_and_written(Image *image, GError **error)
{
    return go_to(image, error) && image_write(image, 1024, "gone", 4, 0, error) && image_flush(image, error);
}

static bool gone_and_back(Image *image, GError **error)
{
    Qcow2Pending *pending = qcow2_snapshot_prepare(image, error);

    if (!pending)
        return false;
    bool ok = some_state(pending, error) && gone_and_written(image, error) && qcow2_pending_goto(pending, error);
    qcow2_snapshot_abandon(pending);
    return ok;
}

Test(transaction_back, a_cut_way_back_ends_where_the_disk_was_or_where_it_had_gone)
{
    static Operation *const between[] = {go_to, gone_and_written, NULL};

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GByteArray) start = base(&kinds[i]);
        g_autofree char *old = text_after(start, nothing), *new = text_after(start, gone_and_back);
        cr_assert_str_eq(new, old);
        cut_everywhere(start, gone_and_back, between, false);
    }
}

/* Every event of the way back fails, with all that follow; then none does. */
Test(transaction_back, a_way_back_that_fails_changes_nothing_and_can_be_tried_again)
{
    g_autoptr(GByteArray) start = base(&kinds[0]);
    bool done = false;

    for (size_t n = 0; !done; n++) {
        HostFile *file = crash_file_new(start->data, start->len);
        Image *image = rig_open(file, false);
        g_autofree char *old = rig_text(image), *gone = text_after(start, gone_and_written);
        g_autoptr(GRand) random = g_rand_new_with_seed(7);
        g_autoptr(GError) failure = NULL;
        Qcow2Pending *pending;
        OK(pending = qcow2_snapshot_prepare(image, &error));
        OK(gone_and_written(image, &error));
        crash_file_fail(file, n);
        done = qcow2_pending_goto(pending, &failure);
        g_autofree char *now = rig_text(image);
        cr_assert_str_eq(now, done ? old : gone, "event %zu", n);
        cr_assert_eq(!failure, done);
        crash_file_fail(file, SIZE_MAX);
        /* Unless nobody knows what the file has. */
        bool again = !done && qcow2_pending_goto(pending, NULL);
        g_autofree char *at_last = rig_text(image);
        cr_assert_str_eq(at_last, done || again ? old : gone, "event %zu", n);
        cr_assert(done || again || !image_write(image, 0, "x", 1, 0, NULL));
        qcow2_snapshot_abandon(pending);
        g_autoptr(GByteArray) left = repaired(crash_file_left(file, crash_file_events(file), CRASH_KEEP, random));
        rig_judge(left, true, "after a failure");
        image_close(image);
    }
}

Test(transaction_back, the_way_back_takes_the_length_along_and_what_was_frozen_can_still_be_published)
{
    g_autoptr(GByteArray) start = base(&kinds[0]);
    HostFile *file = crash_file_new(start->data, start->len);
    Image *image = rig_open(file, false), *disk;
    g_autoptr(GString) before = g_string_new(NULL), after = g_string_new(NULL), frozen = g_string_new(NULL);
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    Qcow2Pending *pending;

    rig_disk(before, image);
    OK(pending = qcow2_snapshot_prepare(image, &error));
    OK(image_resize(image, image->length + 40960, &error));
    rig_scribble(image, random, 10);
    OK(qcow2_pending_goto(pending, &error));
    rig_disk(after, image);
    cr_assert_str_eq(after->str, before->str);
    rig_scribble(image, random, 10);
    OK(some_state(pending, &error));
    OK(qcow2_snapshot_publish(pending, &(Qcow2SnapshotNew){.name = "c", .icount = UINT64_MAX}, 43000, &error));
    OK(disk = qcow2_snapshot_image(image, rig_find(image, "c"), &error));
    rig_disk(frozen, disk);
    image_close(disk);
    cr_assert_str_eq(frozen->str, before->str);
    OK(image_set_active(image, false, &error));
    g_autoptr(GByteArray) left = crash_file_left(file, crash_file_events(file), CRASH_DROP, random);
    rig_judge(left, false, "what is left");
    image_close(image);
}

/* --- another name ------------------------------------------------------------------------------------------------- */

static bool rename_child(Image *image, GError **error)
{
    return qcow2_snapshot_rename(image, rig_find(image, "b"), "other", NULL, error);
}

static bool child_replaces_root(Image *image, GError **error)
{
    return qcow2_snapshot_rename(image, rig_find(image, "b"), "a", rig_find(image, "a"), error);
}

/* Which the disk comes from. */
static bool root_replaces_child(Image *image, GError **error)
{
    return qcow2_snapshot_rename(image, rig_find(image, "a"), "b", rig_find(image, "b"), error);
}

Test(transaction_back, a_cut_change_of_a_name_has_happened_or_not)
{
    all_kinds(rename_child, false);
    all_kinds(child_replaces_root, false);
    all_kinds(root_replaces_child, false);
}

/* What rig_text has of it, but for what it holds. */
static void is_called(Image *image, const char *name, const char *about)
{
    g_autofree char *text = rig_text(image);
    g_autofree char *wanted = g_strdup_printf("\n%s disk ", about);

    cr_assert(strstr(text, wanted), "'%s': %s", name, text);
    cr_assert(qcow2_snapshot_find(image, name, NULL));
}

Test(transaction_back, a_name_changes_alone_or_with_the_snapshot_that_had_it)
{
    g_autoptr(GByteArray) start = base(&kinds[7]);
    Image *image = rig_open_octets(start, false);
    g_autoptr(GError) refusal = NULL;
    unsigned count;

    OK(rename_child(image, &error));
    is_called(image, "other", "2 'other' bbbbbbbb of aaaaaaaa");
    g_autofree char *old = rig_text(image);
    cr_assert_not(qcow2_snapshot_rename(image, rig_find(image, "other"), "a", NULL, &refusal));
    cr_assert_str_eq(refusal->message, "snapshot: the name 'a' is there already (id 1)");
    cr_assert_not(qcow2_snapshot_rename(image, rig_find(image, "other"), "", NULL, NULL));
    g_autofree char *now = rig_text(image);
    cr_assert_str_eq(now, old);
    OK(qcow2_snapshot_rename(image, rig_find(image, "other"), "a", rig_find(image, "a"), &error));
    is_called(image, "a", "2 'a' bbbbbbbb of 00000000");
    qcow2_snapshots(image, &count);
    cr_assert_eq(count, 1);
    image_close(image);

    image = rig_open_octets(start, false);
    OK(root_replaces_child(image, &error));
    is_called(image, "b", "1 'b' aaaaaaaa of 00000000");
    uint8_t current[UUID_OCTETS];
    qcow2_current_uuid(image, current);
    cr_assert_eq(current[0], 0xaa, "the disk comes from what the deleted one came from");
    image_close(image);
}
