/* test-vm-state-chan.c: the VM state of a snapshot, read as a channel. */
#include <errno.h>

#include "tests/qcow2/snapshot-rig.h"
#include "tests/qcow2/support/shuffle-file.h"
#include "visitors/chan.h"

enum { SIZE = 70001 };

/* As rig_snapshot_vm makes it. */
static uint8_t octet(size_t at)
{
    return (uint8_t)(at * 7 + at / 256 + 0xbb);
}

static GByteArray *image_with_state(void)
{
    g_autoptr(GByteArray) empty = rig_create(&(Qcow2Create){.size = 98304, .cluster_size = 4096});
    HostFile *file = host_file_memory(empty->data, empty->len);
    Image *image = rig_open(file, false);

    rig_snapshot_new(image, "a", 0xaa);
    rig_snapshot_vm(image, "b", 0xbb, SIZE);
    OK(image_set_active(image, false, &error));
    GByteArray *octets = rig_copy(host_file_memory_data(file));
    image_close(image);
    return octets;
}

static Chan *open_state(HostFile *file, const char *name)
{
    Image *image = rig_open(file, true);

    return qcow2_vm_state_chan(image, rig_find(image, name));
}

static void reads(Chan *chan, uint64_t from, size_t len, size_t wanted)
{
    g_autofree uint8_t *data = g_malloc0(len + 1);
    gssize got;

    OK((got = chan_read_full(chan, data, len, &error)) >= 0);
    cr_assert_eq((size_t)got, wanted, "%zu octets at %zu: %zd", len, (size_t)from, got);
    for (size_t i = 0; i < wanted; i++)
        cr_assert_eq(data[i], octet(from + i), "octet %zu", (size_t)from + i);
}

Test(vm_state_chan, a_state_is_read_in_pieces_of_any_length_and_ends_where_it_ends)
{
    static const size_t pieces[] = {1, 511, 4096, 5000, SIZE - 1, SIZE, SIZE + 1};
    g_autoptr(GByteArray) octets = image_with_state();

    for (unsigned i = 0; i < G_N_ELEMENTS(pieces); i++) {
        g_autoptr(Chan) chan = open_state(host_file_memory(octets->data, octets->len), "b");
        cr_assert_eq(chan_size(chan), SIZE);
        for (uint64_t at = 0; at < SIZE; at += pieces[i])
            reads(chan, at, pieces[i], MIN(pieces[i], SIZE - at));
        reads(chan, SIZE, 100, 0);
    }
}

Test(vm_state_chan, one_can_seek_to_and_fro_and_beyond_the_end_there_is_nothing)
{
    g_autoptr(GByteArray) octets = image_with_state();
    g_autoptr(Chan) chan = open_state(host_file_memory(octets->data, octets->len), "b");

    cr_assert(chan_can_seek(chan));
    OK(chan_seek(chan, 60000, &error));
    reads(chan, 60000, 20000, SIZE - 60000);
    OK(chan_seek(chan, 3, &error));
    reads(chan, 3, 10000, 10000);
    OK(chan_seek(chan, UINT64_MAX, &error));
    reads(chan, SIZE, 10, 0);
    OK(chan_seek(chan, SIZE - 1, &error));
    reads(chan, SIZE - 1, 10, 1);
}

Test(vm_state_chan, a_snapshot_of_the_disk_alone_has_an_empty_state)
{
    g_autoptr(GByteArray) octets = image_with_state();
    g_autoptr(Chan) chan = open_state(host_file_memory(octets->data, octets->len), "a");

    cr_assert_eq(chan_size(chan), 0);
    reads(chan, 0, 10, 0);
}

Test(vm_state_chan, a_read_that_fails_says_where)
{
    g_autoptr(GByteArray) octets = image_with_state();
    HostFile *file = shuffle_file_new(host_file_memory(octets->data, octets->len), 1);
    g_autoptr(Chan) chan = open_state(file, "b");
    uint8_t data[100];

    reads(chan, 0, 8192, 8192);
    shuffle_file_fail(file, HOST_READ, 0, EIO);
    g_autoptr(GError) failure = NULL;
    cr_assert_eq(chan_read_full(chan, data, sizeof data, &failure), -1);
    cr_assert(strstr(failure->message, "0x2000") && strstr(failure->message, g_strerror(EIO)), "%s", failure->message);
}
