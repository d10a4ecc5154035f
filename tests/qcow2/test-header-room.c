/* test-header-room.c: the UUID of the current snapshot comes into headers of QEMU, whenever the power goes. */
#include "tests/qcow2/snapshot-rig.h"
#include "visitors/bytes.h"

#include "tests/qcow2/qemu.h"

static GByteArray *made_by(const char *command)
{
    Place place = place_new();
    char *data;
    gsize len;

    g_free(qemu("qemu-img create -q -f raw base 1M && %s", command));
    cr_assert(g_file_get_contents("d.qcow2", &data, &len, NULL));
    place_done(&place);
    return g_byte_array_new_take((guint8 *)data, len);
}

/* Extensions in their order, and the name behind: "e2792aca:5 ... 'base'". */
static char *header_text(const GByteArray *octets)
{
    HostFile *file = host_file_memory(octets->data, octets->len);
    GString *text = g_string_new(NULL);
    Qcow2Header header;

    OK(qcow2_header_read(file, &header, &error));
    for (guint i = 0; i < header.extensions->len; i++) {
        const Qcow2Extension *e = &g_array_index(header.extensions, Qcow2Extension, i);
        gsize len;
        const void *data = g_bytes_get_data(e->data, &len);
        g_autofree char *sum = g_compute_checksum_for_data(G_CHECKSUM_MD5, data, len);
        if (e->type != QCOW2_EXT_PAD && e->type != QCOW2_EXT_CURRENT)
            g_string_append_printf(text, "%08x:%.8s ", e->type, sum);
    }
    g_string_append_printf(text, "'%s' %" G_GUINT64_FORMAT, header.backing ? header.backing : "", header.size);
    qcow2_header_clear(&header);
    host_file_close(file);
    return g_string_free(text, FALSE);
}

/* Wherever it stopped, it goes on from there. */
static void comes_in_then(const GByteArray *left, const char *old)
{
    HostFile *file = host_file_memory(left->data, left->len);
    Image *image = rig_open(file, false);
    uint8_t current[UUID_OCTETS];

    rig_snapshot_new(image, "then", 0x22);
    g_autoptr(GByteArray) end = rig_copy(host_file_memory_data(file));
    image_close(image);
    g_autofree char *text = header_text(end);
    cr_assert_str_eq(text, old);
    image = rig_open_octets(end, true);
    qcow2_current_uuid(image, current);
    cr_assert_eq(current[0], 0x22);
    cr_assert_null(qcow2_header_extension(qcow2_header(image), QCOW2_EXT_PAD));
    image_close(image);
}

static void comes_in(const char *command, bool kept)
{
    g_autoptr(GByteArray) start = made_by(command);
    g_autofree char *old = header_text(start);
    HostFile *file = crash_file_new(start->data, start->len);
    Image *image = rig_open(file, false);
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    uint8_t current[UUID_OCTETS];

    rig_snapshot_new(image, "s", 0x11);
    image_close(rig_open_octets(start, true));
    size_t events = crash_file_events(file);
    for (size_t cut = 0; cut <= events; cut++)
        for (int i = 0; i < 20; i++) {
            g_autoptr(GByteArray) left = crash_file_left(file, cut,
                                                         i == 0   ? CRASH_DROP
                                                         : i == 1 ? CRASH_KEEP
                                                                  : CRASH_TEAR,
                                                         random);
            g_autofree char *text = header_text(left);
            cr_assert_str_eq(text, old, "before event %zu: %s, not %s", cut, text, old);
            rig_judge(left, true, command);
            if (kept && i < 4)
                comes_in_then(left, old);
        }
    g_autoptr(GByteArray) end = crash_file_left(file, events, CRASH_DROP, random);
    image_close(image);
    image = rig_open_octets(end, true);
    qcow2_current_uuid(image, current);
    cr_assert_eq(current[0], kept ? 0x11 : 0, "%s", command);
    image_close(image);
}

Test(header_room, the_uuid_comes_into_any_header_that_has_room)
{
    comes_in("qemu-img create -q -f qcow2 d.qcow2 1M", true);
    comes_in("qemu-img create -q -f qcow2 -o compat=0.10 d.qcow2 1M", true);
    comes_in("qemu-img create -q -f qcow2 -b base -F raw d.qcow2", true);
    comes_in("qemu-img create -q -f qcow2 -b base -F raw -o cluster_size=2k d.qcow2", true);
    comes_in("qemu-img create -q -f qcow2 -o cluster_size=1k d.qcow2 1M", true);
    comes_in("qemu-img create -q -f qcow2 -o cluster_size=512 d.qcow2 1M", true);
    comes_in("qemu-img create -q -f qcow2 d.qcow2 1M && qemu-img bitmap --add d.qcow2 b", true);
    comes_in("qemu-img create -q -f qcow2 -b base -F raw -o cluster_size=1k,compat=0.10 d.qcow2", true);
}

Test(header_room, where_there_is_none_all_goes_on_without)
{
    comes_in("name=base && for i in $(seq 350); do name=./$name; done && "
             "qemu-img create -q -f qcow2 -o cluster_size=1k -F raw -b $name d.qcow2",
             false);
}

/* QEMU puts what it does not know behind everything else, when it writes the header; then it comes to the front again.
 */
Test(header_room, what_qemu_has_moved_is_moved_back_and_still_there)
{
    Place place = place_new();
    Image *image;
    uint8_t current[UUID_OCTETS];
    char *data;
    gsize len;

    g_free(qemu("qemu-img create -q -f qcow2 d.qcow2 1M"));
    OK(image = image_open(&(ImagePath){.path = "d.qcow2", .format = "qcow2"}, &error));
    rig_snapshot_new(image, "s", 0x11);
    image_close(image);
    g_free(qemu("qemu-img bitmap --add d.qcow2 b")); /* writes the header */
    OK(image = image_open(&(ImagePath){.path = "d.qcow2", .format = "qcow2"}, &error));
    qcow2_current_uuid(image, current);
    cr_assert_eq(current[0], 0x11);
    rig_snapshot_new(image, "t", 0x22);
    image_close(image);
    cr_assert(g_file_get_contents("d.qcow2", &data, &len, NULL));
    cr_assert_eq(load_be32((uint8_t *)data + 112), QCOW2_EXT_CURRENT);
    cr_assert_eq(data[120], 0x22);
    g_free(data);
    g_free(qemu("qemu-img check -q d.qcow2"));
    place_done(&place);
}
