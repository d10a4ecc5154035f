/* test-cpu-state.c: the sections of a processor, without a processor. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/emu/support/mock-cpu.h"
#include "vmstate/state.h"

static const char *const recordings[] = {"a-kvm-min",         "b3-kvm-pc-alldefaults", "c1-kvm-virtio",
                                         "f2-kvm-virtio-10s", "f3-kvm-pc-10s",         "j2-kvm-linux-virtio"};

Test(cpu_state, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *cpu = mock_add(board, &mock_cpu, 0), *apic = mock_add(board, &mock_apic, 0),
           *common = mock_add(board, &mock_common, 0);

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++) {
        board_load_recorded(board, cpu, recordings[i], false);
        board_load_recorded(board, apic, recordings[i], false);
        board_load_recorded(board, common, recordings[i], false);
    }
}

Test(cpu_state, a_second_processor_has_instance_1)
{
    g_autoptr(Board) board = board_new();
    Device *cpu = mock_add(board, &mock_cpu, 1), *apic = mock_add(board, &mock_apic, 1);

    board_load_recorded(board, cpu, "d-kvm-smp2", false);
    board_load_recorded(board, apic, "d-kvm-smp2", false);
    cr_assert_eq(((Mock *)cpu)->s.mp_state, 1, "it waits for INIT");
}

Test(cpu_state, a_state_of_an_emulated_processor_loads_too)
{
    g_autoptr(Board) board = board_new();
    Device *cpu = mock_add(board, &mock_cpu, 0);

    board_load_recorded(board, cpu, "e-tcg-min", false);
    board_load_recorded(board, cpu, "j1-tcg-linux-virtio", false);
}

Test(cpu_state, hflags_follow_from_the_other_registers)
{
    g_autoptr(Board) board = board_new();
    Device *dev = mock_add(board, &mock_cpu, 0);
    Mock *cpu = (Mock *)dev;

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++) {
        board_load_recorded(board, dev, recordings[i], false);
        uint32_t recorded = cpu->s.hflags;
        cpu->s.hflags = 0;
        cpu_state_set_hflags(&cpu->s);
        cr_assert_eq(cpu->s.hflags, recorded, "%s: 0x%x, QEMU has 0x%x", recordings[i], cpu->s.hflags, recorded);
    }
}

/* What a reset has is what QEMU records before the first instruction; but what KVM says of the host, and of the time.
 */
Test(cpu_state, a_reset_is_that_of_qemu)
{
    g_autoptr(Board) board = board_new();
    Device *dev = mock_add(board, &mock_cpu, 0);
    Mock *cpu = (Mock *)dev;
    CpuState reset;

    board_load_recorded(board, dev, "a-kvm-min", false);
    cpu_state_reset(&reset, true);
    reset.tsc = cpu->s.tsc;
    reset.tsc_khz = cpu->s.tsc_khz;
    reset.regs[2] = cpu->s.regs[2]; /* family and model */
    memcpy(reset.mtrr_var, cpu->s.mtrr_var, sizeof reset.mtrr_var);
    for (const VMStateField *f = cpu_state.fields; f->name; f++)
        cr_assert_arr_eq((char *)&reset + f->offset, (char *)&cpu->s + f->offset, f->size * f->count, "%s", f->name);
}

Test(cpu_state, any_state_survives)
{
    g_autoptr(Board) board = board_new();

    board_try_states(board, mock_add(board, &mock_cpu, 0), 60);
    board_try_states(board, mock_add(board, &mock_apic, 0), 100);
    board_try_states(board, mock_add(board, &mock_common, 0), 50);
}

Test(cpu_state, what_no_processor_can_have_is_refused)
{
    CpuState cpu;
    const struct {
        size_t offset;
        int32_t value;
        const char *message;
    } wrong[] = {
        {offsetof(CpuState, mp_state), 5, "env.mp_state is 5, it must be between 0 and 4"},
        {offsetof(CpuState, interrupt_injected), 256, "env.interrupt_injected is 256, it must be -1 or a vector"},
        {offsetof(CpuState, interrupt_injected), -2, "env.interrupt_injected is -2, it must be -1 or a vector"},
        {offsetof(CpuState, exception_nr), 32, "env.exception_nr is 32, it must be -1 or an exception"},
        {offsetof(CpuState, mcg_cap), 11, "env.mcg_cap is 11, there are at most 10 banks"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        cpu_state_reset(&cpu, true);
        cr_assert(cpu_state.check(&cpu, NULL));
        memcpy((char *)&cpu + wrong[i].offset, &wrong[i].value, 4);
        cr_assert_not(cpu_state.check(&cpu, &error));
        cr_assert_str_eq(error->message, wrong[i].message);
    }
}
