/* test-serial-state.c: what is saved of a serial port, and what becomes of it where it is loaded. */
#include "tests/emu/support/serial-line.h"
#include "visitors/error.h"
#include "vmstate/trailer.h"

/* --- state ------------------------------------------------------------------------------------------------------ */

/*
 * What QEMU 7.2.22 wrote of a port whose peer did not read, with three characters in the receive FIFO and five in the
 * other one, 0x16 on its way, and a timeout ahead; and how it described that.
 */
static const char full[] = "\xff\xff\x00\x03\xc1\x0b\x08\x01\xb0\x00\x81"
                           "\x05\x0aserial/tsr\0\0\0\x01\0\0\0\x01\x65\x16"
                           "\x05\x10serial/recv_fifo\0\0\0\x01"
                           "heyV\x05\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03"
                           "\x05\x10serial/xmit_fifo\0\0\0\x01"
                           "\x10\x11\x12\x13\x14\x15\x16"
                           "abcde\x0c\x0d\x0e\x0f\0\0\0\x07\0\0\0\x05"
                           "\x05\x19serial/fifo_timeout_timer\0\0\0\x01\0\0\0\x05\xd4\xff\xea\x19";

static const char full_description[] =
    "{\"name\": \"serial\", \"instance_id\": 0, \"vmsd_name\": \"serial\", \"version\": 3, \"fields\": [{\"name\": "
    "\"state\", \"type\": \"struct\", \"struct\": {\"vmsd_name\": \"serial\", \"version\": 3, \"fields\": [{\"name\": "
    "\"divider\", \"type\": \"uint16\", \"size\": 2}, {\"name\": \"rbr\", \"type\": \"uint8\", \"size\": 1}, "
    "{\"name\": \"ier\", \"type\": \"uint8\", \"size\": 1}, {\"name\": \"iir\", \"type\": \"uint8\", \"size\": 1}, "
    "{\"name\": \"lcr\", \"type\": \"uint8\", \"size\": 1}, {\"name\": \"mcr\", \"type\": \"uint8\", \"size\": 1}, "
    "{\"name\": \"lsr\", \"type\": \"uint8\", \"size\": 1}, {\"name\": \"msr\", \"type\": \"uint8\", \"size\": 1}, "
    "{\"name\": \"scr\", \"type\": \"uint8\", \"size\": 1}, {\"name\": \"fcr_vmstate\", \"type\": \"uint8\", "
    "\"size\": 1}], \"subsections\": [{\"vmsd_name\": \"serial/tsr\", \"version\": 1, \"fields\": [{\"name\": "
    "\"tsr_retry\", \"type\": \"uint32\", \"size\": 4}, {\"name\": \"thr\", \"type\": \"uint8\", \"size\": 1}, "
    "{\"name\": \"tsr\", \"type\": \"uint8\", \"size\": 1}]}, {\"vmsd_name\": \"serial/recv_fifo\", \"version\": 1, "
    "\"fields\": [{\"name\": \"recv_fifo\", \"type\": \"struct\", \"struct\": {\"vmsd_name\": \"Fifo8\", \"version\": "
    "1, \"fields\": [{\"name\": \"data\", \"type\": \"buffer\", \"size\": 16}, {\"name\": \"head\", \"type\": "
    "\"uint32\", \"size\": 4}, {\"name\": \"num\", \"type\": \"uint32\", \"size\": 4}]}, \"size\": 24}]}, "
    "{\"vmsd_name\": \"serial/xmit_fifo\", \"version\": 1, \"fields\": [{\"name\": \"xmit_fifo\", \"type\": "
    "\"struct\", \"struct\": {\"vmsd_name\": \"Fifo8\", \"version\": 1, \"fields\": [{\"name\": \"data\", \"type\": "
    "\"buffer\", \"size\": 16}, {\"name\": \"head\", \"type\": \"uint32\", \"size\": 4}, {\"name\": \"num\", "
    "\"type\": \"uint32\", \"size\": 4}]}, \"size\": 24}]}, {\"vmsd_name\": \"serial/fifo_timeout_timer\", "
    "\"version\": 1, \"fields\": [{\"name\": \"fifo_timeout_timer\", \"type\": \"timer\", \"size\": 8}]}]}, "
    "\"size\": 164}]}";

Test(serial, it_is_the_one_that_qemu_records)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    board_load_recorded(l.board, l.dev, "a-kvm-min", false);
    board_load_recorded(l.board, l.dev, "b3-kvm-pc-alldefaults", false);
    board_load_recorded(l.board, l.dev, "c1-kvm-virtio", false);
    board_load_recorded(l.board, l.dev, "j2-kvm-linux-virtio", false);
    board_load_recorded(l.board, l.dev, "h6-isapc", false);
}

Test(serial, a_full_one_comes_back_as_qemu_has_it)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});
    const Section *s = section_list_find(l.board->machine->sections, "serial", 0);
    g_autoptr(TrailerWriter) description = trailer_writer_new();
    g_autoptr(GError) error = NULL;
    ByteOut saved = {0};

    cr_assert(board_load(l.board, l.dev, full, sizeof full - 1, 3, &error), "%s", error->message);
    board_save(l.board, l.dev, &saved);
    cr_assert_eq(saved.len, sizeof full - 1);
    cr_assert_arr_eq(saved.data, full, saved.len);
    trailer_writer_add(description, "serial", 0, s->desc, s->state, saved.len);
    const char *text = trailer_writer_end(description)->str;
    cr_assert(strstr(text, full_description), "%s", text);
    byte_out_done(&saved);
}

Test(serial, a_full_one_goes_on_when_the_machine_runs)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});
    ByteOut saved = {0};

    l.board->virtual_ns = INT64_C(0x5d4ffea19) - 1000;
    cr_assert(board_load(l.board, l.dev, full, sizeof full - 1, 3, NULL));
    assert_sent(&l, "");
    board_advance(l.board, 10);
    assert_sent(&l, "\x16"
                    "abcde");
    cr_assert_eq(in(&l, LSR), 0x61);
    cr_assert_eq(in(&l, IIR), 0xc0 | EMPTY);
    cr_assert_eq(in(&l, IIR), 0xc0 | NOTHING);
    board_advance(l.board, 1000);
    cr_assert_eq(in(&l, IIR), 0xc0 | TIMEOUT);
    for (const char *c = "hey"; *c; c++)
        cr_assert_eq(in(&l, RBR), *c);
    cr_assert_eq(in(&l, LSR), 0x60);
    /* Nothing is left but the registers, no timer either. */
    board_save(l.board, l.dev, &saved);
    cr_assert_eq(saved.len, 11);
    byte_out_done(&saved);
}

Test(serial, a_character_that_waits_loses_no_try_by_moving)
{
    g_auto(Line) l = line_new(&(ChardevMemory){.size = 1, .patient = true});

    for (const char *c = "abc"; *c; c++)
        out(&l, THR, (uint8_t)*c);
    for (int i = 0; i < 10; i++) {
        ByteOut saved = {0};
        board_save(l.board, l.dev, &saved);
        cr_assert_eq(saved.data[30], 1, "tsr_retry");
        cr_assert(board_load(l.board, l.dev, saved.data, saved.len, 3, NULL));
        byte_out_done(&saved);
        board_advance(l.board, 10);
        cr_assert_eq(in(&l, LSR), 0x00);
    }
    assert_sent(&l, "a");
    assert_sent(&l, "b");
    assert_sent(&l, "c");
}

Test(serial, while_the_machine_stands_nothing_leaves_that_its_state_has)
{
    g_auto(Line) l = line_new(&(ChardevMemory){.size = 1, .patient = true});
    ByteOut before = {0}, after = {0};

    machine_set_running(l.board->machine, true);
    for (const char *c = "abc"; *c; c++)
        out(&l, THR, (uint8_t)*c);
    machine_set_running(l.board->machine, false);
    board_save(l.board, l.dev, &before);
    assert_sent(&l, "a");
    assert_sent(&l, "");
    board_save(l.board, l.dev, &after);
    cr_assert_eq(after.len, before.len);
    cr_assert_arr_eq(after.data, before.data, before.len);
    machine_set_running(l.board->machine, true);
    board_advance(l.board, 10);
    assert_sent(&l, "b");
    assert_sent(&l, "c");
    assert_sent(&l, "");
    byte_out_done(&before);
    byte_out_done(&after);
}

/* Loads the registers alone: IER and IIR and what is given. */
static void load_registers(const Line *l, uint8_t ier, uint8_t iir)
{
    const uint8_t octets[] = {0, 12, 0, ier, iir, 3, 8, 0x60, 0xb0, 0x77, 0x01};

    cr_assert(board_load(l->board, l->dev, octets, sizeof octets, 3, NULL));
}

Test(serial, whether_thre_is_pending_is_in_iir_where_the_stream_does_not_say)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    load_registers(&l, 0x02, 0xc2);
    cr_assert(irq(&l));
    cr_assert_eq(in(&l, IIR), 0xc0 | EMPTY);
    load_registers(&l, 0x02, 0xc1);
    cr_assert_not(irq(&l));
    cr_assert_eq(in(&l, IIR), 0xc0 | NOTHING);
}

Test(serial, thre_that_waits_behind_data_is_in_a_subsection)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});
    static const char name[] = "\x05\x13serial/thr_ipending\0\0\0\x01\0\0\0\x01";
    ByteOut saved = {0};

    out(&l, IER, 0x03);
    feed(&l, "x");
    board_save(l.board, l.dev, &saved);
    cr_assert_eq(saved.len, 11 + sizeof name - 1);
    cr_assert_arr_eq(saved.data + 11, name, sizeof name - 1);
    machine_reset(l.board->machine);
    cr_assert(board_load(l.board, l.dev, saved.data, saved.len, 3, NULL));
    cr_assert_eq(in(&l, RBR), 'x');
    cr_assert_eq(in(&l, IIR), EMPTY);
    byte_out_done(&saved);
}

static void assert_refused(const Line *l, size_t at, uint8_t value, const char *about)
{
    g_autofree uint8_t *octets = g_memdup2(full, sizeof full - 1);
    g_autoptr(GError) error = NULL;

    octets[at] = value;
    cr_assert_not(board_load(l->board, l->dev, octets, sizeof full - 1, 3, &error), "%s", about);
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert(strstr(error->message, about), "%s", error->message);
    cr_assert_eq(in(l, IIR), NOTHING, "it has changed though it was refused");
}

static size_t after(const char *text)
{
    return (size_t)((const char *)memmem(full, sizeof full, text, strlen(text)) - full) + strlen(text);
}

Test(serial, an_index_beyond_a_fifo_and_a_lost_character_are_refused)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});
    size_t recv = after("recv_fifo") + 4 + 16, xmit = after("xmit_fifo") + 4 + 16;

    assert_refused(&l, recv + 3, 16, "recv_fifo");
    assert_refused(&l, recv + 4, 1, "recv_fifo");
    assert_refused(&l, recv + 7, 17, "recv_fifo");
    assert_refused(&l, xmit + 3, 16, "xmit_fifo");
    assert_refused(&l, xmit + 7, 17, "xmit_fifo");
    /* TEMT with a character on its way; that QEMU refuses, too, and so it does none without TEMT. */
    assert_refused(&l, 7, 0x41, "lsr");
    const uint8_t octets[] = {0, 12, 0, 0, 1, 3, 8, 0x20, 0xb0, 0, 0};
    g_autoptr(GError) error = NULL;
    cr_assert_not(board_load(l.board, l.dev, octets, sizeof octets, 3, &error));
    cr_assert(strstr(error->message, "lsr"), "%s", error->message);
}

Test(serial, any_state_survives)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    board_try_states(l.board, l.dev, 500);
}

Test(serial, no_access_harms_it)
{
    g_auto(Line) fast = line_new(&(ChardevMemory){0});
    g_auto(Line) slow = line_new(&(ChardevMemory){.size = 3, .patient = true});
    char data[2];

    for (int i = 0; i < 50; i++) {
        feed(&fast, "some input");
        board_abuse_ports(fast.board, fast.dev, BASE - 2, 12, 200);
        feed(&slow, "more input");
        board_abuse_ports(slow.board, slow.dev, BASE, 8, 200);
        chardev_memory_read(slow.chardev, data, sizeof data);
        chardev_send_break(slow.chardev);
    }
}
