/* test-chan-mem.c: memory as a channel, to read from and to write to. */
#include "tests/visitors/support.h"

Test(chan_mem, memory_is_read_in_pieces_up_to_its_end)
{
    g_autoptr(Chan) chan = chan_mem_new("abcdef", 6);
    char data[10] = "";

    cr_assert_eq(chan->ops->read(chan, data, 4, NULL), 4);
    cr_assert_arr_eq(data, "abcd", 4);
    cr_assert_eq(chan->ops->read(chan, data, sizeof data, NULL), 2);
    cr_assert_arr_eq(data, "ef", 2);
    cr_assert_eq(chan->ops->read(chan, data, sizeof data, NULL), 0);
}

Test(chan_mem, memory_can_seek_and_knows_its_size)
{
    g_autoptr(Chan) chan = chan_mem_new("abcdef", 6);
    g_autoptr(GError) error = NULL;
    char data[10] = "";

    cr_assert(chan_can_seek(chan));
    cr_assert_eq(chan_size(chan), 6);
    cr_assert_eq(chan->ops->read(chan, data, 6, NULL), 6);
    assert_no_error(chan_seek(chan, 2, &error), error);
    cr_assert_eq(chan->ops->read(chan, data, 3, NULL), 3);
    cr_assert_arr_eq(data, "cde", 3);
    assert_no_error(chan_seek(chan, 6, &error), error);
    cr_assert_eq(chan->ops->read(chan, data, 3, NULL), 0);
}

Test(chan_mem, behind_the_end_there_is_nothing)
{
    g_autoptr(Chan) chan = chan_mem_new("abcdef", 6);
    char data[10];

    cr_assert(chan_seek(chan, UINT64_MAX, NULL));
    cr_assert_eq(chan->ops->read(chan, data, 3, NULL), 0);
}

Test(chan_mem, nothing_is_memory_without_octets)
{
    g_autoptr(Chan) chan = chan_mem_new(NULL, 0);
    char data[10];

    cr_assert_eq(chan_size(chan), 0);
    cr_assert_eq(chan->ops->read(chan, data, sizeof data, NULL), 0);
}

Test(chan_mem, what_is_written_is_appended)
{
    g_auto(ByteOut) out = octets_of("00");
    g_autoptr(Chan) chan = chan_buf_new(&out);
    struct iovec iov[] = {{.iov_base = (char[]){"ab"}, .iov_len = 2},
                          {.iov_base = NULL, .iov_len = 0},
                          {.iov_base = (char[]){"c"}, .iov_len = 1}};
    g_autoptr(GError) error = NULL;

    assert_no_error(chan->ops->write(chan, iov, 3, &error), error);
    assert_written(&out, "00 61 62 63");
    cr_assert_not(chan_can_seek(chan));
    cr_assert_eq(chan_size(chan), -1);
}
