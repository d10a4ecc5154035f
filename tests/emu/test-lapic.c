/* test-lapic.c: the LAPIC, as chapter 10 of Intel's SDM, volume 3, has it; its timer is in test-lapic-timer.c. */
#include "tests/emu/lapic-rig.h"

Test(lapic, after_a_reset_it_is_on_but_the_guest_has_not_switched_it_on)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    cr_expect_eq(lapic_vcpu.base(rig.lapics[0]), 0xfee00900);
    cr_expect_eq(lapic_vcpu.base(rig.lapics[1]), 0xfee00800, "not the boot processor's");
    cr_expect_eq(peek(&rig, 0, ID), 0);
    cr_expect_eq(peek(&rig, 2, ID), 2U << 24);
    cr_expect_eq(peek(&rig, 0, VERSION), 0x50014, "six local vectors");
    cr_expect_eq(peek(&rig, 0, SVR), 0xff);
    cr_expect_eq(peek(&rig, 0, DFR), 0xffffffff);
    cr_expect_eq(peek(&rig, 0, LDR), 0);
    for (unsigned reg = TIMER; reg <= ERROR; reg += 0x10)
        cr_expect_eq(peek(&rig, 0, reg), MASKED, "0x%x", reg);
    for (unsigned reg = ISR; reg <= ESR; reg += 0x10)
        cr_expect_eq(peek(&rig, 0, reg), 0, "0x%x", reg);
    cr_expect_eq(peek(&rig, 0, CURRENT), 0);
    cr_expect_not(lapic_vcpu.waits(rig.lapics[0]));
    cr_expect(lapic_vcpu.waits(rig.lapics[1]), "the others wait for a SIPI");
}

Test(lapic, registers_keep_what_can_be_written)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    poke(&rig, 0, SVR, 0xffffffff);
    cr_expect_eq(peek(&rig, 0, SVR), 0x3ff);
    poke(&rig, 0, TPR, 0xffffffa5);
    cr_expect_eq(peek(&rig, 0, TPR), 0xa5);
    cr_expect_eq(lapic_vcpu.priority(rig.lapics[0]), 0xa, "CR8");
    cr_expect_eq(peek(&rig, 0, PPR), 0xa5);
    poke(&rig, 0, LDR, 0xffffffff);
    cr_expect_eq(peek(&rig, 0, LDR), 0xff000000);
    poke(&rig, 0, DFR, 0);
    cr_expect_eq(peek(&rig, 0, DFR), 0x0fffffff);
    poke(&rig, 0, TIMER, 0xffffffff);
    cr_expect_eq(peek(&rig, 0, TIMER), 0x300ff);
    poke(&rig, 0, THERMAL, 0xffffffff);
    cr_expect_eq(peek(&rig, 0, THERMAL), 0x107ff);
    poke(&rig, 0, PERFORMANCE, 0xffffffff);
    cr_expect_eq(peek(&rig, 0, PERFORMANCE), 0x107ff);
    poke(&rig, 0, LINT1, 0xffffffff);
    cr_expect_eq(peek(&rig, 0, LINT1), 0x1a7ff);
    poke(&rig, 0, ERROR, 0xffffffff);
    cr_expect_eq(peek(&rig, 0, ERROR), 0x100ff);
    poke(&rig, 0, DIVIDE, 0xffffffff);
    cr_expect_eq(peek(&rig, 0, DIVIDE), 0xb);
    poke(&rig, 0, ICR_HIGH, 0x12345678);
    cr_expect_eq(peek(&rig, 0, ICR_HIGH), 0x12000000);
    poke(&rig, 0, VERSION, 0);
    poke(&rig, 0, PPR, 0);
    cr_expect_eq(peek(&rig, 0, VERSION), 0x50014, "read-only");
    cr_expect_eq(peek(&rig, 0, PPR), 0xa5, "read-only");
}

Test(lapic, a_part_of_a_register_can_be_read_but_only_a_whole_one_written)
{
    g_autoptr(Board) board = board_new();
    uint64_t value = 0;
    Rig rig;

    rig_init(&rig, board);
    cr_expect(lapic_vcpu.read(rig.lapics[0], BASE + VERSION + 2, 1, &value));
    cr_expect_eq(value, 5);
    cr_expect(lapic_vcpu.read(rig.lapics[0], BASE + VERSION + 4, 4, &value));
    cr_expect_eq(value, 0);
    cr_expect(lapic_vcpu.write(rig.lapics[0], BASE + TPR, 1, 0x20));
    cr_expect(lapic_vcpu.write(rig.lapics[0], BASE + TPR + 4, 4, 0x20));
    cr_expect_eq(peek(&rig, 0, TPR), 0);
    cr_expect_not(lapic_vcpu.read(rig.lapics[0], BASE + 0x1000, 4, &value), "behind its page");
}

Test(lapic, a_message_is_taken_served_and_ended)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    lapic_send(&rig.bus, MESSAGE, 0x41);
    cr_expect_not(lapic_pending(rig.lapics[0]), "it is not switched on");
    switch_on(&rig);
    lapic_send(&rig.bus, MESSAGE, 0x41);
    cr_expect_eq(rig.kicks[0], 1);
    cr_expect_eq(vector_in(&rig, 0, IRR), 0x41);
    cr_expect_eq(vector_in(&rig, 0, TMR), LAPIC_NONE, "an edge");
    cr_expect(lapic_pending(rig.lapics[0]));
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x41);
    cr_expect_eq(vector_in(&rig, 0, IRR), LAPIC_NONE);
    cr_expect_eq(vector_in(&rig, 0, ISR), 0x41);
    cr_expect_eq(peek(&rig, 0, PPR), 0x40);
    cr_expect_eq(lapic_take(rig.lapics[0]), LAPIC_NONE);
    poke(&rig, 0, EOI, 0);
    cr_expect_eq(vector_in(&rig, 0, ISR), LAPIC_NONE);
    cr_expect_eq(peek(&rig, 0, PPR), 0);
    cr_expect_eq(rig.ended, LAPIC_NONE, "the I/O APIC need not know of an edge");
    poke(&rig, 0, EOI, 0);
}

Test(lapic, the_end_of_a_level_is_told_to_the_io_apic)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    lapic_send(&rig.bus, MESSAGE, 0x52 | MESSAGE_LEVEL);
    cr_expect_eq(vector_in(&rig, 0, TMR), 0x52);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x52);
    poke(&rig, 0, EOI, 0);
    cr_expect_eq(rig.ended, 0x52);
    lapic_send(&rig.bus, MESSAGE, 0x52);
    cr_expect_eq(vector_in(&rig, 0, TMR), LAPIC_NONE, "the next was an edge");
}

Test(lapic, priorities_decide_what_interrupts)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, TPR, 0x40);
    lapic_send(&rig.bus, MESSAGE, 0x4f);
    cr_expect_not(lapic_pending(rig.lapics[0]), "not above the task's class");
    lapic_send(&rig.bus, MESSAGE, 0x51);
    lapic_send(&rig.bus, MESSAGE, 0x53);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x53, "the highest first");
    cr_expect_eq(lapic_take(rig.lapics[0]), LAPIC_NONE, "not within the class in service");
    lapic_send(&rig.bus, MESSAGE, 0x61);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x61, "a higher class interrupts");
    poke(&rig, 0, EOI, 0);
    cr_expect_eq(peek(&rig, 0, PPR), 0x50);
    poke(&rig, 0, EOI, 0);
    cr_expect_eq(peek(&rig, 0, PPR), 0x40);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x51);
    poke(&rig, 0, EOI, 0);
    lapic_vcpu.set_priority(rig.lapics[0], 3);
    cr_expect_eq(peek(&rig, 0, TPR), 0x30, "by CR8");
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x4f);
}

Test(lapic, destinations_are_ids_or_logical)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    lapic_send(&rig.bus, MESSAGE | 1 << 12, 0x41);
    cr_expect_eq(lapic_take(rig.lapics[1]), 0x41);
    cr_expect_eq(lapic_take(rig.lapics[0]), LAPIC_NONE);
    lapic_send(&rig.bus, MESSAGE | 0x6 << 12 | 1 << 2, 0x62);
    cr_expect_eq(lapic_take(rig.lapics[0]), LAPIC_NONE, "flat: bits");
    cr_expect_eq(lapic_take(rig.lapics[1]), 0x62);
    cr_expect_eq(lapic_take(rig.lapics[2]), 0x62);
    for (unsigned i = 0; i < CPUS; i++) {
        poke(&rig, i, DFR, 0x0fffffff);
        poke(&rig, i, LDR, (i < 2 ? 0x10U : 0x20U) << 24 | 1U << (24 + i % 2));
    }
    lapic_send(&rig.bus, MESSAGE | 0x13 << 12 | 1 << 2, 0x73);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x73, "clusters: number and bits");
    cr_expect_eq(lapic_take(rig.lapics[1]), 0x73);
    cr_expect_eq(lapic_take(rig.lapics[2]), LAPIC_NONE);
    lapic_send(&rig.bus, MESSAGE | 0xff << 12, 0x84);
    for (unsigned i = 0; i < CPUS; i++)
        cr_expect_eq(lapic_take(rig.lapics[i]), 0x84, "everybody");
}

Test(lapic, of_several_the_one_with_the_lowest_priority_takes_it)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, TPR, 0x20);
    poke(&rig, 1, TPR, 0x10);
    poke(&rig, 2, TPR, 0x30);
    lapic_send(&rig.bus, MESSAGE | 0x7 << 12 | 1 << 2, 0x141);
    cr_expect_eq(lapic_take(rig.lapics[0]), LAPIC_NONE);
    cr_expect_eq(lapic_take(rig.lapics[1]), 0x41);
    cr_expect_eq(lapic_take(rig.lapics[2]), LAPIC_NONE);
    lapic_send(&rig.bus, MESSAGE | 0x7 << 12 | 1 << 2, 0x142);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x42, "what is in service counts, too");
}

Test(lapic, commands_go_to_one_to_oneself_to_all_or_to_the_others)
{
    static const struct {
        uint32_t command;
        bool gets[CPUS];
    } rows[] = {{0x41, {false, false, true}},
                {0x40041, {false, true, false}},
                {0x80041, {true, true, true}},
                {0xc0041, {true, false, true}}};
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 1, ICR_HIGH, 2U << 24);
    for (size_t r = 0; r < G_N_ELEMENTS(rows); r++) {
        poke(&rig, 1, ICR, rows[r].command);
        cr_expect_eq(peek(&rig, 1, ICR), rows[r].command, "no delivery is pending");
        for (unsigned i = 0; i < CPUS; i++) {
            cr_expect_eq(lapic_take(rig.lapics[i]), rows[r].gets[i] ? 0x41 : LAPIC_NONE, "0x%x, %u", rows[r].command,
                         i);
            if (rows[r].gets[i])
                poke(&rig, i, EOI, 0);
        }
    }
}

Test(lapic, init_and_sipi_start_a_processor)
{
    g_autoptr(Board) board = board_new();
    uint8_t page = 0;
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 1, TPR, 0x55);
    poke(&rig, 0, ICR_HIGH, 1U << 24);
    poke(&rig, 0, ICR, 0x4500);
    cr_expect(lapic_vcpu.waits(rig.lapics[1]));
    cr_expect_eq(peek(&rig, 1, TPR), 0);
    cr_expect_eq(peek(&rig, 1, SVR), 0xff);
    cr_expect_eq(peek(&rig, 1, ID), 1U << 24);
    cr_expect_eq(lapic_vcpu.base(rig.lapics[1]), 0xfee00800);
    poke(&rig, 0, ICR, 0x8500);
    poke(&rig, 0, ICR, 0x4612);
    cr_expect_not(lapic_vcpu.waits(rig.lapics[1]));
    cr_expect_eq(signals(&rig, 1, &page), VCPU_SIGNAL_INIT | VCPU_SIGNAL_SIPI);
    cr_expect_eq(page, 0x12);
    poke(&rig, 0, ICR, 0x4613);
    cr_expect_eq(signals(&rig, 1, &page), 0, "only one that waits takes a SIPI");
    poke(&rig, 1, ICR_HIGH, 0);
    poke(&rig, 1, ICR, 0x4500);
    cr_expect_eq(signals(&rig, 0, &page), VCPU_SIGNAL_INIT);
    cr_expect_not(lapic_vcpu.waits(rig.lapics[0]), "the boot processor starts at once");
    cr_expect_eq(signals(&rig, 2, &page), 0);
}

Test(lapic, an_nmi_needs_nothing_to_be_switched_on)
{
    g_autoptr(Board) board = board_new();
    uint8_t page;
    Rig rig;

    rig_init(&rig, board);
    poke(&rig, 0, ICR, 0xc0400);
    cr_expect_eq(signals(&rig, 0, &page), 0);
    cr_expect_eq(signals(&rig, 1, &page), VCPU_SIGNAL_NMI);
    cr_expect_eq(signals(&rig, 2, &page), VCPU_SIGNAL_NMI);
    cr_expect_eq(rig.kicks[1], 1);
}

Test(lapic, lint1_is_the_nmi_pin)
{
    g_autoptr(Board) board = board_new();
    uint8_t page;
    Rig rig;

    rig_init(&rig, board);
    Irq pin = device_input(rig.lapics[0], "lint1", 0);
    irq_pulse(&pin);
    cr_expect_eq(signals(&rig, 0, &page), 0, "masked");
    switch_on(&rig);
    poke(&rig, 0, LINT1, 0x400);
    irq_pulse(&pin);
    cr_expect_eq(signals(&rig, 0, &page), VCPU_SIGNAL_NMI);
    poke(&rig, 0, LINT1, 0x44);
    irq_set(&pin, true);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x44);
    irq_set(&pin, true);
    cr_expect_not(lapic_pending(rig.lapics[0]), "an edge");
}

Test(lapic, the_8259as_interrupt_the_processor_that_lets_them)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    lapic_set_intr(&rig.bus, true);
    cr_expect_not(lapic_pending(rig.lapics[0]), "masked");
    poke(&rig, 0, LINT0, 0x700);
    cr_expect_eq(rig.kicks[0], 1);
    cr_expect(lapic_pending(rig.lapics[0]));
    cr_expect_not(lapic_pending(rig.lapics[1]));
    poke(&rig, 0, TPR, 0xff);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x33, "whatever its priority");
    cr_expect_eq(vector_in(&rig, 0, ISR), LAPIC_NONE, "it needs no EOI here");
    lapic_set_intr(&rig.bus, false);
    cr_expect_not(lapic_pending(rig.lapics[0]));
    lapic_set_intr(&rig.bus, true);
    cr_expect_eq(rig.kicks[0], 2);
}

Test(lapic, lint0_may_be_a_vector_by_edge_or_by_level)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, LINT0, 0x31);
    lapic_set_intr(&rig.bus, true);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x31);
    poke(&rig, 0, EOI, 0);
    cr_expect_not(lapic_pending(rig.lapics[0]));
    lapic_set_intr(&rig.bus, false);
    poke(&rig, 0, LINT0, 0x8032);
    lapic_set_intr(&rig.bus, true);
    cr_expect_eq(peek(&rig, 0, LINT0), 0xc032, "remote IRR");
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x32);
    poke(&rig, 0, EOI, 0);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x32, "the line is up still");
    lapic_set_intr(&rig.bus, false);
    poke(&rig, 0, EOI, 0);
    cr_expect_eq(peek(&rig, 0, LINT0), 0x8032);
    cr_expect_not(lapic_pending(rig.lapics[0]));
}

Test(lapic, one_that_is_off_leaves_the_pins_to_the_processor)
{
    g_autoptr(Board) board = board_new();
    uint64_t value;
    uint8_t page;
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, TPR, 0x20);
    lapic_vcpu.set_base(rig.lapics[0], 0xfee00100);
    cr_expect_not(lapic_vcpu.read(rig.lapics[0], BASE + TPR, 4, &value), "its registers are gone");
    lapic_send(&rig.bus, MESSAGE, 0x41);
    cr_expect_not(lapic_pending(rig.lapics[0]));
    lapic_set_intr(&rig.bus, true);
    cr_expect(lapic_pending(rig.lapics[0]));
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x33);
    Irq pin = device_input(rig.lapics[0], "lint1", 0);
    irq_pulse(&pin);
    cr_expect_eq(signals(&rig, 0, &page), VCPU_SIGNAL_NMI);
    lapic_vcpu.set_base(rig.lapics[0], 0xfed00900);
    cr_expect(lapic_vcpu.read(rig.lapics[0], 0xfed00000 + TPR, 4, &value), "they can be elsewhere");
    cr_expect_eq(value, 0, "as after a reset");
}

Test(lapic, switched_off_by_software_all_local_vectors_are_masked)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, TIMER, 0x41);
    poke(&rig, 0, SVR, 0xff);
    cr_expect_eq(peek(&rig, 0, TIMER), MASKED | 0x41);
    poke(&rig, 0, TIMER, 0x42);
    cr_expect_eq(peek(&rig, 0, TIMER), MASKED | 0x42, "and stay so");
    poke(&rig, 0, SVR, ENABLED);
    cr_expect_eq(peek(&rig, 0, TIMER), MASKED | 0x42, "until they are written");
    poke(&rig, 0, TIMER, 0x42);
    cr_expect_eq(peek(&rig, 0, TIMER), 0x42);
}

Test(lapic, errors_are_told_when_esr_is_written)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, ERROR, 0xfe);
    lapic_send(&rig.bus, MESSAGE, 0x0f);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0xfe, "an illegal vector came");
    poke(&rig, 0, EOI, 0);
    cr_expect_eq(peek(&rig, 0, ESR), 0, "not yet");
    poke(&rig, 0, ESR, 0);
    cr_expect_eq(peek(&rig, 0, ESR), 0x40);
    poke(&rig, 0, ESR, 0);
    cr_expect_eq(peek(&rig, 0, ESR), 0);
    poke(&rig, 0, ICR, 0x40005);
    poke(&rig, 0, 0x040, 1);
    poke(&rig, 0, ESR, 0);
    cr_expect_eq(peek(&rig, 0, ESR), 0xa0, "an illegal vector went, an illegal register was written");
    cr_expect_eq(vector_in(&rig, 0, IRR), 0xfe);
}
