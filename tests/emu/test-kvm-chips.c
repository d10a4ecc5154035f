/* test-kvm-chips.c: chips that the kernel owns. Skipped where there is no KVM. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "emu/core/vm-clock.h"
#include "emu/dev/i8259.h"
#include "emu/dev/ioapic.h"
#include "emu/dev/kvm-chips.h"
#include "tests/emu/support/board.h"

static const char *const recordings[] = {"a-kvm-min", "b3-kvm-pc-alldefaults", "f2-kvm-virtio-10s", "f3-kvm-pc-10s",
                                         "j2-kvm-linux-virtio"};

typedef struct Rig {
    Board *board;
    Kvm *kvm;
} Rig;

static Rig rig_new(void)
{
    g_autoptr(GError) error = NULL;
    Rig rig = {.board = board_new()};
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        cr_skip_test("no /dev/kvm");
    close(fd);
    rig.kvm = kvm_new(&error);
    cr_assert(rig.kvm && kvm_create_irqchip(rig.kvm, &error), "%s", error ? error->message : "");
    return rig;
}

static void rig_free(Rig *rig)
{
    cr_assert_null(rig->kvm->failure, "%s", rig->kvm->failure);
    board_free(rig->board);
    kvm_free(rig->kvm);
}

static void check_recorded(Rig *rig, Device *dev)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++)
        board_load_recorded(rig->board, dev, recordings[i], false);
}

Test(kvm_chips, the_interrupt_controllers_keep_what_qemu_recorded)
{
    Rig rig = rig_new();

    check_recorded(&rig, board_add(rig.board, kvm_i8259_new(rig.kvm, true)));
    check_recorded(&rig, board_add(rig.board, kvm_i8259_new(rig.kvm, false)));
    check_recorded(&rig, board_add(rig.board, kvm_ioapic_new(rig.kvm)));
    rig_free(&rig);
}

Test(kvm_chips, the_timer_and_the_clock_keep_what_qemu_recorded)
{
    Rig rig = rig_new();

    check_recorded(&rig, board_add(rig.board, kvm_i8254_new(rig.kvm)));
    check_recorded(&rig, board_add(rig.board, kvm_clock_new(rig.kvm)));
    rig_free(&rig);
}

Test(kvm_chips, any_state_of_the_interrupt_controllers_survives)
{
    Rig rig = rig_new();

    board_try_states(rig.board, board_add(rig.board, kvm_i8259_new(rig.kvm, true)), 100);
    board_try_states(rig.board, board_add(rig.board, kvm_i8259_new(rig.kvm, false)), 100);
    board_try_states(rig.board, board_add(rig.board, kvm_ioapic_new(rig.kvm)), 100);
    rig_free(&rig);
}

Test(kvm_chips, a_line_reaches_both_controllers_and_pin_2_is_that_of_line_0)
{
    Rig rig = rig_new();
    Device *master = board_add(rig.board, kvm_i8259_new(rig.kvm, true));
    Device *slave = board_add(rig.board, kvm_i8259_new(rig.kvm, false));
    Device *ioapic = board_add(rig.board, kvm_ioapic_new(rig.kvm));
    const I8259State *m = device_state(master), *s = device_state(slave);
    const IoapicState *io = device_state(ioapic);
    Irq lines[] = {kvm_irq(rig.kvm, 3), kvm_irq(rig.kvm, 12)};
    ByteOut octets = {0};

    irq_set(&lines[0], true);
    irq_set(&lines[1], true);
    board_save(rig.board, master, &octets);
    board_save(rig.board, slave, &octets);
    board_save(rig.board, ioapic, &octets);
    cr_assert_eq(m->irr & 1 << 3, 1 << 3);
    cr_assert_eq(m->last_irr & 1 << 3, 1 << 3);
    cr_assert_eq(s->irr & 1 << 4, 1 << 4);
    (void)io;
    irq_set(&lines[0], false);
    irq_set(&lines[1], false);
    board_save(rig.board, master, &octets);
    cr_assert_eq(m->last_irr & 1 << 3, 0);
    byte_out_done(&octets);
    rig_free(&rig);
}

Test(kvm_chips, the_timers_count_goes_on_where_it_stood)
{
    Rig rig = rig_new();
    Device *dev = board_add(rig.board, kvm_i8254_new(rig.kvm));
    const PitState *pit = device_state(dev);
    ByteOut octets = {0};

    /* the virtual clock stands at 5 s; meanwhile the host's goes on */
    rig.board->virtual_ns = 5 * (int64_t)NS_PER_SECOND;
    device_reset(dev);
    int64_t loaded = pit->channels[1].count_load_time;
    cr_assert_eq(loaded, rig.board->virtual_ns);
    for (int i = 0; i < 3; i++) {
        machine_set_running(rig.board->machine, true);
        g_usleep(2000);
        machine_set_running(rig.board->machine, false);
        g_usleep(2000);
    }
    /* since the board's clock did not move, the state's may have by no more than the kernel's rounding and our delay */
    board_save(rig.board, dev, &octets);
    cr_assert_leq(pit->channels[1].count_load_time, loaded);
    cr_assert_geq(pit->channels[1].count_load_time, loaded - (int64_t)NS_PER_SECOND);
    cr_assert_eq(pit->channels[1].count, PIT_COUNT_MAX);
    byte_out_done(&octets);
    rig_free(&rig);
}

/* In the mode of the reset it fires 18 times a second. */
Test(kvm_chips, a_timer_of_a_machine_that_stands_interrupts_nobody)
{
    Rig rig = rig_new();
    Device *master = board_add(rig.board, kvm_i8259_new(rig.kvm, true));
    const I8259State *pic = device_state(master);
    ByteOut octets = {0};

    board_add(rig.board, kvm_i8254_new(rig.kvm));
    g_usleep(150000);
    board_save(rig.board, master, &octets);
    cr_assert_eq(pic->irr & 1, 0);
    machine_set_running(rig.board->machine, true);
    for (int i = 0; i < 100 && !(pic->irr & 1); i++) {
        g_usleep(20000);
        board_save(rig.board, master, &octets);
    }
    cr_assert_eq(pic->irr & 1, 1, "it does not fire at all");
    machine_set_running(rig.board->machine, false);
    byte_out_done(&octets);
    rig_free(&rig);
}

Test(kvm_chips, the_speaker_has_its_end_of_the_timer)
{
    Rig rig = rig_new();
    Device *dev = board_add(rig.board, kvm_i8254_new(rig.kvm));

    cr_assert_not(kvm_i8254_ops.gate(dev, 2));
    cr_assert(kvm_i8254_ops.gate(dev, 0));
    kvm_i8254_ops.set_gate(dev, 2, true);
    cr_assert(kvm_i8254_ops.gate(dev, 2));
    machine_set_running(rig.board->machine, true);
    cr_assert(kvm_i8254_ops.gate(dev, 2));
    kvm_i8254_ops.set_gate(dev, 2, false);
    machine_set_running(rig.board->machine, false);
    cr_assert_not(kvm_i8254_ops.gate(dev, 2));
    rig_free(&rig);
}

Test(kvm_chips, the_hpet_takes_interrupt_0_from_the_timer)
{
    Rig rig = rig_new();
    Device *dev = board_add(rig.board, kvm_i8254_new(rig.kvm));
    Irq legacy = device_input(dev, "hpet legacy", 0);

    irq_set(&legacy, true);
    machine_set_running(rig.board->machine, true);
    machine_set_running(rig.board->machine, false);
    cr_assert_eq(((const PitState *)device_state(dev))->irq_disabled, 1);
    irq_set(&legacy, false);
    cr_assert_eq(((const PitState *)device_state(dev))->irq_disabled, 0);
    rig_free(&rig);
}
