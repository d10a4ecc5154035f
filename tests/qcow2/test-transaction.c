/* test-transaction.c: the power goes at any moment of each operation on snapshots: what is left is old or new. */
#include "tests/qcow2/transaction-rig.h"

/* --- one step --------------------------------------------------------------------------------------------------- */

static bool create(Image *image, GError **error)
{
    static const uint8_t uuid[UUID_OCTETS] = {0xcc};

    return qcow2_snapshot_create(image, &(Qcow2SnapshotNew){.name = "c", .uuid = uuid, .icount = 7}, error);
}

Test(transaction, a_cut_snapshot_is_there_or_not)
{
    all_kinds(create, false);
}

/* An image whose refcount table is full but for some clusters. */
static GByteArray *filled(uint64_t octets)
{
    g_autoptr(GByteArray) empty = rig_create(&(Qcow2Create){.size = 2 << 20, .cluster_size = 512, .refcount_bits = 64});
    HostFile *file = host_file_memory(empty->data, empty->len);
    Image *image = rig_open(file, false);
    g_autofree uint8_t *data = g_malloc(octets);

    memset(data, 0x77, octets);
    OK(image_write(image, 0, data, octets, 0, &error));
    OK(image_set_active(image, false, &error));
    GByteArray *full = rig_copy(host_file_memory_data(file));
    image_close(image);
    return full;
}

static uint32_t table_clusters(const GByteArray *octets)
{
    Image *image = rig_open_octets(octets, true);
    uint32_t clusters = qcow2_header(image)->reftable_clusters;

    image_close(image);
    return clusters;
}

Test(transaction, a_snapshot_that_needs_a_longer_refcount_table_is_there_or_not)
{
    unsigned grown = 0;

    /* One block counts 64 clusters, and one cluster of the table has 64 blocks: that is 2 MiB in all. */
    for (uint64_t octets = 1945 << 10; octets > 1800 << 10 && grown < 2; octets -= 5 << 10) {
        g_autoptr(GByteArray) start = filled(octets);
        if (table_clusters(start) != 1)
            continue;
        Image *image = rig_open_octets(start, false);
        OK(create(image, &error));
        uint32_t clusters = qcow2_header(image)->reftable_clusters;
        image_close(image);
        if (clusters == 1)
            continue;
        grown++;
        cut_everywhere(start, create, NULL, false);
    }
    cr_assert_eq(grown, 2);
}

Test(transaction, a_cut_return_to_a_snapshot_has_happened_or_not)
{
    all_kinds(go_to, false);
}

static bool delete_child(Image *image, GError **error)
{
    return qcow2_snapshot_delete(image, rig_find(image, "b"), QCOW2_ORPHANS_REFUSE, error);
}

static bool delete_root(Image *image, GError **error)
{
    return qcow2_snapshot_delete(image, rig_find(image, "a"), QCOW2_ORPHANS_REPARENT, error);
}

Test(transaction, a_cut_deletion_has_happened_or_not)
{
    all_kinds(delete_child, false);
    all_kinds(delete_root, false);
}

/* --- two steps -------------------------------------------------------------------------------------------------- */

static bool in_two_steps(Image *image, GError **error)
{
    static const uint8_t uuid[UUID_OCTETS] = {0xcc};
    Qcow2Pending *pending = qcow2_snapshot_prepare(image, error);

    if (!pending)
        return false;
    if (some_state(pending, error))
        return qcow2_snapshot_publish(
            pending, &(Qcow2SnapshotNew){.name = "c", .uuid = uuid, .icount = UINT64_MAX, .vm_clock_ns = 1}, 43000,
            error);
    qcow2_snapshot_abandon(pending);
    return false;
}

Test(transaction, a_cut_snapshot_in_two_steps_is_there_or_not)
{
    all_kinds(in_two_steps, false);
}

static bool abandoned(Image *image, GError **error)
{
    Qcow2Pending *pending = qcow2_snapshot_prepare(image, error);

    if (!pending)
        return false;
    bool ok = some_state(pending, error);
    qcow2_snapshot_abandon(pending);
    return ok && image_flush(image, error);
}

Test(transaction, a_snapshot_that_is_given_up_leaves_nothing)
{
    all_kinds(abandoned, false);
}

static void one_ended(ImageRequest *request, int error)
{
    cr_assert_eq(error, 0);
    cr_assert_eq(request->len, 700);
    request->len = 0;
}

Test(transaction, a_vm_state_can_be_written_by_many_requests_at_a_time_in_any_order)
{
    enum { COUNT = 300, PIECE = 700 };
    static uint8_t state[COUNT * PIECE], back[COUNT * PIECE];
    static struct iovec iov[COUNT];
    static ImageRequest requests[COUNT];
    g_autoptr(GByteArray) start = base(&kinds[0]);
    Image *image = rig_open_octets(start, false);
    Qcow2Pending *pending;

    for (unsigned i = 0; i < sizeof state; i++)
        state[i] = (uint8_t)(i * 31 + i / 700);
    OK(pending = qcow2_snapshot_prepare(image, &error));
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned at = i * 7 % COUNT;
        iov[i] = (struct iovec){state + at * PIECE, PIECE};
        requests[i] = (ImageRequest){
            .op = IMAGE_WRITE, .offset = at * PIECE, .len = PIECE, .iov = &iov[i], .iov_count = 1, .done = one_ended};
        qcow2_pending_submit(pending, &requests[i]);
    }
    OK(image_write(image, 5000, state, 1000, 0, &error)); /* the guest, too */
    OK(qcow2_snapshot_publish(pending, &(Qcow2SnapshotNew){.name = "c", .icount = UINT64_MAX}, sizeof state, &error));
    for (unsigned i = 0; i < COUNT; i++)
        cr_assert_eq(requests[i].len, 0, "request %u has not ended", i);
    OK(qcow2_vm_state_read(image, rig_find(image, "c"), 0, back, sizeof back, &error));
    cr_assert_arr_eq(back, state, sizeof state);
    image_close(image);
}

/* The guest goes on meanwhile; what it writes is not in the snapshot. */
Test(transaction, what_is_written_between_the_two_steps_is_of_the_disk_only)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_autoptr(GByteArray) start = base(&kinds[i]);
        HostFile *file = crash_file_new(start->data, start->len);
        Image *image = rig_open(file, false);
        g_autoptr(GRand) random = g_rand_new_with_seed(3);
        g_autoptr(GString) before = g_string_new(NULL), after = g_string_new(NULL), frozen = g_string_new(NULL);
        Qcow2Pending *pending;
        Image *disk;

        rig_disk(before, image);
        OK(pending = qcow2_snapshot_prepare(image, &error));
        rig_scribble(image, random, 10);
        OK(some_state(pending, &error));
        rig_scribble(image, random, 10);
        rig_disk(after, image);
        OK(qcow2_snapshot_publish(pending, &(Qcow2SnapshotNew){.name = "c", .icount = UINT64_MAX}, 43000, &error));
        OK(disk = qcow2_snapshot_image(image, rig_find(image, "c"), &error));
        rig_disk(frozen, disk);
        image_close(disk);
        cr_assert_str_eq(frozen->str, before->str);
        cr_assert_str_neq(after->str, before->str);
        g_string_truncate(before, 0);
        rig_disk(before, image);
        cr_assert_str_eq(before->str, after->str);
        OK(image_set_active(image, false, &error));
        g_autoptr(GByteArray) left = crash_file_left(file, crash_file_events(file), CRASH_DROP, random);
        rig_judge(left, false, "what is left");
        image_close(image);
    }
}

/* --- refused ---------------------------------------------------------------------------------------------------- */

/* Refcounts of 1 bit cannot say that two have it; of 2 bits, that four have. */
static void one_too_many(unsigned bits, unsigned fit, const char *message)
{
    g_autoptr(GByteArray) empty = rig_create(&(Qcow2Create){.size = 98304, .cluster_size = 512, .refcount_bits = bits});
    HostFile *file = crash_file_new(empty->data, empty->len);
    Image *image = rig_open(file, false);
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    g_autoptr(GError) refusal = NULL;

    OK(image_write(image, 0, "some", 4, 0, &error));
    for (unsigned i = 0; i < fit; i++)
        rig_snapshot_new(image, (const char[]){(char)('a' + i), 0}, (uint8_t)(i + 1));
    OK(image_flush(image, &error));
    size_t events = crash_file_events(file);
    g_autofree char *old = rig_text(image);
    cr_assert_not(qcow2_snapshot_create(image, &(Qcow2SnapshotNew){.name = "z", .icount = UINT64_MAX}, &refusal));
    cr_assert(strstr(refusal->message, message), "%s", refusal->message);
    cr_assert_eq(crash_file_events(file), events, "nothing was written");
    g_autofree char *now = rig_text(image);
    cr_assert_str_eq(now, old);
    OK(image_write(image, 0, "more", 4, 0, &error));
    OK(image_set_active(image, false, &error));
    g_autoptr(GByteArray) left = crash_file_left(file, crash_file_events(file), CRASH_DROP, random);
    rig_judge(left, false, "what is left");
    image_close(image);
}

Test(transaction, a_count_that_cannot_become_more_is_told_before_anything_is_written)
{
    one_too_many(1, 0, "a refcount of 1 cannot become more: refcounts of this image have 1 bits");
    one_too_many(2, 2, "a refcount of 3 cannot become more: refcounts of this image have 2 bits");
}

Test(transaction, a_snapshot_whose_name_is_there_is_given_up_and_leaves_nothing)
{
    g_autoptr(GByteArray) start = base(&kinds[0]);
    HostFile *file = crash_file_new(start->data, start->len);
    Image *image = rig_open(file, false);
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    g_autofree char *old = rig_text(image);
    g_autoptr(GError) refusal = NULL;
    Qcow2Pending *pending;

    OK(pending = qcow2_snapshot_prepare(image, &error));
    OK(some_state(pending, &error));
    cr_assert_not(
        qcow2_snapshot_publish(pending, &(Qcow2SnapshotNew){.name = "a", .icount = UINT64_MAX}, 3000, &refusal));
    cr_assert_str_eq(refusal->message, "snapshot: the name 'a' is there already (id 1)");
    OK(pending = qcow2_snapshot_prepare(image, &error));
    g_clear_error(&refusal);
    cr_assert_not(qcow2_snapshot_publish(pending, &(Qcow2SnapshotNew){.name = "z", .icount = UINT64_MAX},
                                         UINT64_C(1) << 62, &refusal));
    cr_assert(strstr(refusal->message, "is too large"), "%s", refusal->message);
    g_autofree char *now = rig_text(image);
    cr_assert_str_eq(now, old);
    OK(image_set_active(image, false, &error));
    g_autoptr(GByteArray) left = crash_file_left(file, crash_file_events(file), CRASH_DROP, random);
    rig_judge(left, false, "what is left");
    image_close(image);
}

/* --- while it is read ------------------------------------------------------------------------------------------- */

static void read_has_ended(ImageRequest *request, int error)
{
    cr_assert_eq(error, 0);
    request->flags = 1;
}

Test(transaction, a_snapshot_that_is_being_read_is_not_deleted_and_all_else_goes_on)
{
    g_autoptr(GByteArray) start = base(&kinds[0]);
    Image *image = rig_open_octets(start, false), *disk, *other;
    g_autofree uint8_t *data = g_malloc(98304);
    g_autoptr(GString) before = g_string_new(NULL), after = g_string_new(NULL);
    g_autoptr(GError) refusal = NULL;
    struct iovec iov = {data, 98304};
    ImageRequest request = {.op = IMAGE_READ, .len = 98304, .iov = &iov, .iov_count = 1, .done = read_has_ended};

    OK(disk = qcow2_snapshot_image(image, rig_find(image, "a"), &error));
    OK(other = qcow2_snapshot_image(image, rig_find(image, "a"), &error));
    rig_disk(before, disk);
    cr_assert_not(delete_root(image, &refusal));
    cr_assert(strstr(refusal->message, "snapshot 'a' is being read"), "%s", refusal->message);
    image_submit(disk, &request);
    OK(create(image, &error));
    OK(delete_child(image, &error));
    OK(go_to(image, &error));
    image_drain(disk);
    cr_assert_eq(request.flags, 1);
    rig_sum(after, "disk", data, 98304);
    cr_assert_str_eq(after->str, before->str);
    image_close(disk);
    cr_assert_not(delete_root(image, NULL));
    image_close(other);
    OK(delete_root(image, &error));
    image_close(image);
}
