/* test-snapshot-qemu.c: snapshots of ours in QEMU's hands, and of QEMU's in ours. */
#include "tests/qcow2/snapshot-rig.h"

#include "tests/qcow2/qemu.h"

static Image *open_path(bool read_only)
{
    Image *image;

    OK(image = image_open(&(ImagePath){.path = "d.qcow2", .format = "qcow2", .read_only = read_only}, &error));
    return image;
}

static void create(const Qcow2Create *options)
{
    HostFile *file = open_host("d.qcow2", true);

    OK(qcow2_create(file, NULL, options, &error));
    host_file_close(file);
}

/* The disk, or the disk of a snapshot, as qemu-img reads it. */
static void disk_by_qemu(GString *text, const char *snapshot)
{
    g_autofree char *option = snapshot ? g_strdup_printf("-l snapshot.name=%s", snapshot) : g_strdup("");
    g_autofree char *data = NULL;
    gsize len;

    g_free(qemu("qemu-img convert -f qcow2 %s -O raw d.qcow2 out.raw", option));
    cr_assert(g_file_get_contents("out.raw", &data, &len, NULL));
    rig_sum(text, "disk", data, len);
}

static void same_disk(Image *image, const char *snapshot)
{
    g_autoptr(GString) ours = g_string_new(NULL), theirs = g_string_new(NULL);

    rig_disk(ours, image);
    disk_by_qemu(theirs, snapshot);
    cr_assert_str_eq(ours->str, theirs->str, "%s", snapshot ? snapshot : "the disk");
}

/* Both see the same everywhere, and QEMU has nothing to complain of. */
static void both_agree(void)
{
    Image *image = open_path(true), *disk;
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    g_free(qemu("qemu-img check d.qcow2"));
    same_disk(image, NULL);
    for (unsigned i = 0; i < count; i++) {
        if (all[i]->disk_size != image->length) /* QEMU reads them as long as the disk is now */
            continue;
        OK(disk = qcow2_snapshot_image(image, all[i], &error));
        same_disk(disk, all[i]->name);
        image_close(disk);
    }
    image_close(image);
}

Test(snapshot_qemu, what_we_make_is_listed_applied_and_deleted_by_qemu)
{
    Place place = place_new();
    g_autoptr(GRand) random = g_rand_new_with_seed(5);

    create(&(Qcow2Create){.size = 1 << 20, .cluster_size = 4096});
    Image *image = open_path(false);
    rig_scribble(image, random, 20);
    rig_snapshot_new(image, "one", 0x11);
    rig_scribble(image, random, 20);
    rig_snapshot_vm(image, "two", 0x22, 100000);
    rig_scribble(image, random, 20);
    image_close(image);
    both_agree();

    json_t *info = qemu_json("qemu-img info --output=json d.qcow2");
    json_t *list = json_object_get(info, "snapshots"), *two = json_array_get(list, 1);
    cr_assert_eq(json_array_size(list), 2);
    cr_assert_str_eq(json_string_value(json_object_get(two, "name")), "two");
    cr_assert_str_eq(json_string_value(json_object_get(two, "id")), "2");
    cr_assert_eq(json_integer_value(json_object_get(two, "vm-state-size")), 100000);
    json_decref(info);

    g_free(qemu("qemu-img snapshot -a one d.qcow2"));
    both_agree();
    g_free(qemu("qemu-img snapshot -d two d.qcow2"));
    both_agree();
    g_free(qemu("qemu-img snapshot -d one d.qcow2"));
    both_agree();
    place_done(&place);
}

Test(snapshot_qemu, qemu_keeps_our_uuids_when_it_makes_and_deletes_its_own)
{
    Place place = place_new();

    create(&(Qcow2Create){.size = 1 << 20});
    Image *image = open_path(false);
    rig_snapshot_new(image, "one", 0x11);
    rig_snapshot_new(image, "two", 0x22);
    image_close(image);
    g_free(qemu("qemu-img snapshot -c theirs d.qcow2 && qemu-img snapshot -c more d.qcow2 && "
                "qemu-img snapshot -d theirs d.qcow2"));
    image = open_path(false);
    const Qcow2Snapshot *one = rig_find(image, "11111111-1111-1111-1111-111111111111"), *two = rig_find(image, "two");
    cr_assert_str_eq(one->name, "one");
    cr_assert_eq(two->uuid[15], 0x22);
    cr_assert_eq(two->parent[15], 0x11);
    cr_assert_not(rig_find(image, "more")->has_uuid);
    rig_snapshot_new(image, "three", 0x33);
    cr_assert_eq(rig_find(image, "three")->parent[0], 0x22, "the disk is still that of the second");
    cr_assert_str_eq(rig_find(image, "three")->id, "5");
    image_close(image);
    both_agree();
    place_done(&place);
}

Test(snapshot_qemu, the_tree_is_that_of_what_was_saved_and_gone_to)
{
    Place place = place_new();

    create(&(Qcow2Create){.size = 1 << 20});
    Image *image = open_path(false);
    rig_snapshot_new(image, "root", 0x11);
    rig_snapshot_new(image, "left", 0x22);
    OK(qcow2_snapshot_goto(image, rig_find(image, "root"), &error));
    image_close(image); /* it survives */
    image = open_path(false);
    rig_snapshot_new(image, "right", 0x33);
    rig_snapshot_new(image, "leaf", 0x44);
    g_autoptr(GPtrArray) children = qcow2_snapshot_children(image, rig_find(image, "root"));
    cr_assert_eq(children->len, 2);
    cr_assert_eq(children->pdata[1], rig_find(image, "right"));
    g_autoptr(GPtrArray) path = qcow2_snapshot_path(image, rig_find(image, "leaf"));
    cr_assert_eq(path->len, 3);
    cr_assert_eq(path->pdata[0], rig_find(image, "root"));
    cr_assert_eq(path->pdata[2], rig_find(image, "leaf"));
    g_autoptr(GPtrArray) roots = qcow2_snapshot_children(image, NULL);
    cr_assert_eq(roots->len, 1);

    g_autoptr(GError) refusal = NULL;
    cr_assert_not(qcow2_snapshot_delete(image, rig_find(image, "right"), QCOW2_ORPHANS_REFUSE, &refusal));
    cr_assert(g_str_has_suffix(refusal->message, "snapshot 'right' has children: 4 'leaf'"), "%s", refusal->message);
    OK(qcow2_snapshot_delete(image, rig_find(image, "right"), QCOW2_ORPHANS_REPARENT, &error));
    cr_assert_eq(rig_find(image, "leaf")->parent[0], 0x11);
    OK(qcow2_snapshot_delete(image, rig_find(image, "leaf"), QCOW2_ORPHANS_REFUSE, &error));
    uint8_t current[UUID_OCTETS];
    qcow2_current_uuid(image, current);
    cr_assert_eq(current[0], 0x11, "the disk is a child of what is left");
    OK(qcow2_snapshot_delete(image, rig_find(image, "root"), QCOW2_ORPHANS_REPARENT, &error));
    qcow2_current_uuid(image, current);
    cr_assert_eq(current[0], 0);
    image_close(image);
    both_agree();
    place_done(&place);
}

Test(snapshot_qemu, the_length_of_the_disk_goes_with_it)
{
    Place place = place_new();
    g_autoptr(GRand) random = g_rand_new_with_seed(5);

    create(&(Qcow2Create){.size = 1 << 20, .cluster_size = 512});
    Image *image = open_path(false);
    rig_scribble(image, random, 20);
    rig_snapshot_vm(image, "short", 0x11, 3000);
    OK(image_resize(image, 3 << 20, &error));
    rig_scribble(image, random, 50);
    rig_snapshot_vm(image, "long", 0x22, 3000);
    OK(image_resize(image, 70001 * 512, &error));
    image_close(image);
    both_agree();
    image = open_path(false);
    OK(qcow2_snapshot_goto(image, rig_find(image, "short"), &error));
    cr_assert_eq(image->length, 1 << 20);
    rig_scribble(image, random, 20);
    image_close(image);
    both_agree();
    image = open_path(false);
    OK(qcow2_snapshot_goto(image, rig_find(image, "long"), &error));
    cr_assert_eq(image->length, 3 << 20);
    image_close(image);
    both_agree();
    g_free(qemu("qemu-img snapshot -a short d.qcow2"));
    both_agree();
    place_done(&place);
}

/* --- VM state --------------------------------------------------------------------------------------------------- */

#define MACHINE                                                                                                        \
    "timeout 60 qemu-system-x86_64 -M pc,accel=tcg -nodefaults -display none -S -m 16 -monitor stdio "                 \
    "-drive file=d.qcow2,format=qcow2,if=none,id=d -device virtio-blk-pci,drive=d "

static GByteArray *vm_state(Image *image, const char *which)
{
    const Qcow2Snapshot *s = rig_find(image, which);
    GByteArray *state = g_byte_array_new();

    g_byte_array_set_size(state, (guint)s->vm_state_size);
    for (guint at = 0; at < state->len; at += 4099) /* by pieces that fit nothing */
        OK(qcow2_vm_state_read(image, s, at, state->data + at, MIN(4099, state->len - at), &error));
    return state;
}

Test(snapshot_qemu, a_vm_state_that_we_have_written_is_loaded_by_qemu_and_the_other_way_round)
{
    Place place = place_new();
    Qcow2Pending *pending;

    if (run_line("command -v qemu-system-x86_64 >where", NULL))
        cr_skip_test("there is no qemu-system-x86_64");
    create(&(Qcow2Create){.size = 1 << 20});
    g_free(qemu("echo 'savevm theirs\nquit' | " MACHINE));
    Image *image = open_path(false);
    g_autoptr(GByteArray) state = vm_state(image, "theirs");
    cr_assert_eq(memcmp(state->data, "QEVM", 4), 0);
    OK(pending = qcow2_snapshot_prepare(image, &error));
    OK(qcow2_pending_write(pending, 0, state->data, state->len, &error));
    OK(qcow2_snapshot_publish(pending, &(Qcow2SnapshotNew){.name = "ours", .icount = UINT64_MAX}, state->len, &error));
    image_close(image);
    g_free(qemu("qemu-img check -q d.qcow2"));
    g_autofree char *said = qemu("printf 'info status\nsavevm again\nquit\n' | " MACHINE "-loadvm ours");
    cr_assert(strstr(said, "VM status: paused") && !strstr(said, "rror"), "%s", said);
    g_free(qemu("qemu-img check -q d.qcow2"));
    image = open_path(false);
    g_autoptr(GByteArray) again = vm_state(image, "again");
    cr_assert_eq(again->len, state->len, "%u octets, not %u", again->len, state->len);
    OK(qcow2_snapshot_delete(image, rig_find(image, "theirs"), QCOW2_ORPHANS_REFUSE, &error));
    OK(qcow2_snapshot_goto(image, rig_find(image, "ours"), &error));
    image_close(image);
    both_agree();
    place_done(&place);
}

Test(snapshot_qemu, a_vm_state_of_more_than_4_gib_has_its_size_in_64_bits)
{
    Place place = place_new();
    const uint64_t at = UINT64_C(5) << 30;
    Qcow2Pending *pending;
    char back[8] = "";

    create(&(Qcow2Create){.size = 1 << 20, .version = 2});
    Image *image = open_path(false);
    OK(pending = qcow2_snapshot_prepare(image, &error));
    OK(qcow2_pending_write(pending, at, "the end", 8, &error));
    OK(qcow2_pending_write(pending, 0, "start", 6, &error));
    OK(qcow2_snapshot_publish(pending, &(Qcow2SnapshotNew){.name = "large", .icount = UINT64_MAX}, at + 8, &error));
    image_close(image);
    both_agree();
    json_t *info = qemu_json("qemu-img info --output=json d.qcow2");
    json_t *first = json_array_get(json_object_get(info, "snapshots"), 0);
    cr_assert_eq(json_integer_value(json_object_get(first, "vm-state-size")), at + 8);
    json_decref(info);
    image = open_path(true);
    OK(qcow2_vm_state_read(image, rig_find(image, "large"), at, back, 8, &error));
    cr_assert_str_eq(back, "the end");
    OK(qcow2_vm_state_read(image, rig_find(image, "large"), UINT64_C(3) << 30, back, 8, &error));
    cr_assert_eq(memcmp(back, "\0\0\0\0\0\0\0\0", 8), 0);
    image_close(image);
    place_done(&place);
}

/* --- turn by turn ----------------------------------------------------------------------------------------------- */

static void ours(Image *image, GRand *random, unsigned step)
{
    g_autofree char *name = g_strdup_printf("f%u", step);
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
    const Qcow2Snapshot *any = count ? all[g_rand_int_range(random, 0, (int)count)] : NULL;

    switch (g_rand_int_range(random, 0, count > 5 ? 5 : 4)) {
    case 0:
        OK(qcow2_snapshot_create(image, &(Qcow2SnapshotNew){.name = name, .icount = UINT64_MAX}, &error));
        break;
    case 1:
        rig_snapshot_vm(image, name, (uint8_t)(step + 1), (size_t)g_rand_int_range(random, 1, 50000));
        break;
    case 2:
        if (any)
            OK(qcow2_snapshot_goto(image, any, &error));
        break;
    default:
        if (any)
            OK(qcow2_snapshot_delete(image, any, QCOW2_ORPHANS_REPARENT, &error));
    }
    rig_scribble(image, random, 10);
}

static void theirs(const char *any, GRand *random, unsigned step)
{
    int op = any ? g_rand_int_range(random, 0, 3) : 0;
    unsigned at = (unsigned)g_rand_int_range(random, 0, 200);

    if (op == 0)
        g_free(qemu("qemu-img snapshot -c q%u d.qcow2", step));
    else
        g_free(qemu("qemu-img snapshot -%c %s d.qcow2", op == 1 ? 'a' : 'd', any));
    g_free(qemu("qemu-io -f qcow2 -c 'write -P %u %uk 9k' -c 'discard %uk 7k' -c 'write -z %uk 3k' d.qcow2", step + 1,
                at, at + 20, at + 30));
}

static void turn_by_turn(const Qcow2Create *options, unsigned steps)
{
    Place place = place_new();
    g_autoptr(GRand) random = g_rand_new_with_seed(9);

    create(options);
    for (unsigned step = 0; step < steps; step++) {
        Image *image = open_path(false);
        unsigned count;
        ours(image, random, step);
        const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
        g_autofree char *any = count ? g_strdup(all[g_rand_int_range(random, 0, (int)count)]->name) : NULL;
        image_close(image);
        both_agree();
        theirs(any, random, step);
        both_agree();
    }
    place_done(&place);
}

Test(snapshot_qemu, turn_by_turn_nothing_is_lost_with_small_clusters)
{
    turn_by_turn(&(Qcow2Create){.size = 262144, .cluster_size = 512}, 12);
}

Test(snapshot_qemu, turn_by_turn_nothing_is_lost_with_large_clusters)
{
    turn_by_turn(&(Qcow2Create){.size = 5 << 20, .refcount_bits = 64, .zstd = true}, 10);
}

Test(snapshot_qemu, turn_by_turn_nothing_is_lost_with_subclusters)
{
    turn_by_turn(&(Qcow2Create){.size = 2 << 20, .cluster_size = 16384, .extended_l2 = true}, 10);
}

Test(snapshot_qemu, turn_by_turn_nothing_is_lost_in_version_2)
{
    turn_by_turn(&(Qcow2Create){.size = 1 << 20, .cluster_size = 4096, .version = 2}, 10);
}

Test(snapshot_qemu, turn_by_turn_nothing_is_lost_with_lazy_refcounts)
{
    turn_by_turn(&(Qcow2Create){.size = 1 << 20, .cluster_size = 4096, .lazy_refcounts = true}, 10);
}
