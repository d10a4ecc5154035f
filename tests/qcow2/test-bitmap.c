/* test-bitmap.c: the bitmaps that QEMU makes are listed, and out of date once we have written to the disk. */
#include "qcow2/qcow2.h"
#include "tests/qcow2/snapshot-rig.h"

#include "tests/qcow2/qemu.h"

static Image *open_path(const char *path, bool read_only)
{
    Image *image;

    OK(image = image_open(&(ImagePath){.path = path, .format = "qcow2", .read_only = read_only}, &error));
    return image;
}

static GPtrArray *bitmaps_of(Image *image)
{
    GPtrArray *all;

    OK(all = qcow2_bitmaps(image, &error));
    return all;
}

/* What qemu-img says of the flags of a bitmap: "auto,in-use". */
static char *flags(const char *name)
{
    json_t *info = qemu_json("qemu-img info --output=json d.qcow2");
    json_t *all = member(info, "format-specific.data.bitmaps"), *b, *flag;
    GString *text = g_string_new(NULL);
    size_t i, k;

    json_array_foreach (all, i, b)
        if (strcmp(json_string_value(json_object_get(b, "name")), name) == 0)
            json_array_foreach (json_object_get(b, "flags"), k, flag)
                g_string_append_printf(text, "%s%s", k ? "," : "", json_string_value(flag));
    json_decref(info);
    return g_string_free(text, FALSE);
}

static void flags_are(const char *name, const char *wanted)
{
    g_autofree char *got = flags(name);

    cr_assert_str_eq(got, wanted, "%s: %s", name, got);
}

static void make(void)
{
    g_free(qemu("qemu-img create -q -f qcow2 d.qcow2 4M"));
    g_free(qemu("qemu-img bitmap --add -g 128k d.qcow2 first"));
    g_free(qemu("qemu-img bitmap --add --disable d.qcow2 second"));
}

Test(bitmap, bitmaps_of_qemu_are_listed)
{
    Place place = place_new();

    make();
    Image *image = open_path("d.qcow2", true);
    g_autoptr(GPtrArray) all = bitmaps_of(image);
    cr_assert_eq(all->len, 2);
    const Qcow2Bitmap *a = all->pdata[0], *b = all->pdata[1];
    cr_assert_str_eq(a->name, "first");
    cr_assert_eq(a->granularity_bits, 17);
    cr_assert_eq(a->flags, 2);
    cr_assert_str_eq(b->name, "second");
    cr_assert_eq(b->granularity_bits, 16);
    cr_assert_eq(b->flags, 0);
    image_close(image);
    place_done(&place);
}

Test(bitmap, what_is_written_makes_only_those_out_of_date_that_follow_the_disk)
{
    Place place = place_new();

    make();
    Image *image = open_path("d.qcow2", false);
    rig_snapshot_new(image, "s", 0x11);
    image_close(image);
    flags_are("first", "auto");
    image = open_path("d.qcow2", false);
    OK(image_write(image, 0, "x", 1, 0, &error));
    image_close(image);
    flags_are("first", "in-use,auto");
    flags_are("second", "");
    g_free(qemu("qemu-img check -q d.qcow2"));
    image = open_path("d.qcow2", true);
    g_autoptr(GPtrArray) all = bitmaps_of(image);
    cr_assert_eq(((Qcow2Bitmap *)all->pdata[0])->flags, 3);
    image_close(image);
    place_done(&place);
}

Test(bitmap, going_to_a_snapshot_is_a_change_of_the_disk)
{
    Place place = place_new();

    make();
    g_free(qemu("qemu-img snapshot -c s d.qcow2"));
    flags_are("first", "auto");
    Image *image = open_path("d.qcow2", false);
    OK(qcow2_snapshot_goto(image, rig_find(image, "s"), &error));
    image_close(image);
    flags_are("first", "in-use,auto");
    flags_are("second", "");
    g_free(qemu("qemu-img check -q d.qcow2"));
    place_done(&place);
}

Test(bitmap, where_the_size_changes_all_are_out_of_date_and_qemu_opens_the_image)
{
    Place place = place_new();

    make();
    Image *image = open_path("d.qcow2", false);
    OK(image_resize(image, UINT64_C(64) << 30, &error));
    image_close(image);
    flags_are("first", "in-use,auto");
    flags_are("second", "in-use");
    g_free(qemu("qemu-img check -q d.qcow2"));
    g_free(qemu("qemu-io -f qcow2 -c 'write 8G 64k' d.qcow2"));
    place_done(&place);
}

Test(bitmap, an_unsound_directory_is_refused_and_nothing_is_written_then)
{
    Place place = place_new();

    make();
    g_autofree char *data = NULL;
    gsize len;
    cr_assert(g_file_get_contents("d.qcow2", &data, &len, NULL));
    char *name = memmem(data, len, "second", 6);
    cr_assert(name);
    uint8_t *entry = (uint8_t *)name - 24;
    static const struct {
        unsigned at;
        uint8_t octet;
    } wrong[] = {{17, 64}, {18, 0xff}, {8, 0xff}, {20, 1}};
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        uint8_t was = entry[wrong[i].at];
        entry[wrong[i].at] = wrong[i].octet;
        HostFile *file = host_file_memory(data, len);
        Image *image = rig_open(file, false);
        g_autoptr(GError) refusal = NULL;
        cr_assert_null(qcow2_bitmaps(image, &refusal));
        cr_assert(strstr(refusal->message, "bitmaps: entry 1 @0x"), "%s", refusal->message);
        cr_assert_not(image_write(image, 0, "x", 1, 0, NULL));
        image_close(image);
        entry[wrong[i].at] = was;
    }
    place_done(&place);
}
