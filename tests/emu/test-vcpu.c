/* test-vcpu.c: processors on KVM, with programs of a few octets. Skipped where there is no KVM. */
#include "tests/emu/vcpu-rig.h"

/* in al,0x11; out 0x10,al; mov ax,0x1234; out 0x12,ax; jmp $ */
static const uint8_t talk[] = {0xe4, 0x11, 0xe6, 0x10, 0xb8, 0x34, 0x12, 0xe7, 0x12, 0xeb, 0xfe};

Test(vcpu, ports_are_the_machines)
{
    Rig *rig = rig_new(true, 1);

    load_program(rig, talk, sizeof talk);
    vcpu_start(rig->vcpus[0]);
    expect(rig, "0/1=42 2/2=1234 ");
    vcpu_stop(rig->vcpus[0]);
    rig_free(rig);
}

Test(vcpu, it_runs_without_interrupt_controllers_in_the_kernel)
{
    Rig *rig = rig_new(false, 1);

    load_program(rig, talk, sizeof talk);
    vcpu_start(rig->vcpus[0]);
    expect(rig, "0/1=42 2/2=1234 ");
    rig_free(rig);
}

/* mov ax,0xa000; mov ds,ax; mov ax,[2]; out 0x10,ax; mov byte [3],0x77; jmp $ */
static const uint8_t touch[] = {0xb8, 0x00, 0xa0, 0x8e, 0xd8, 0xa1, 0x02, 0x00, 0xe7, 0x10,
                                0xc6, 0x06, 0x03, 0x00, 0x77, 0xe6, 0x12, 0xeb, 0xfe};

static uint64_t read_window(void *opaque, uint64_t addr, unsigned size)
{
    (void)opaque;
    return addr == 2 && size == 2 ? 0xbeef : 0;
}

static const IoOps window_ops = {.read = read_window, .write = write_port};

Test(vcpu, registers_in_memory_are_the_machines_and_hide_ram)
{
    Rig *rig = rig_new(true, 1);

    space_map(rig->board->machine->memory,
              &(SpaceMapping){.base = WINDOW, .size = 0x1000, .priority = 1, .ops = &window_ops, .opaque = rig});
    load_program(rig, touch, sizeof touch);
    vcpu_start(rig->vcpus[0]);
    expect(rig, "0/2=beef 3/1=77 2/1=ef ");
    vcpu_stop(rig->vcpus[0]);
    rig_free(rig);
}

Test(vcpu, memory_that_appears_is_there_at_once)
{
    Rig *rig = rig_new(true, 1);
    g_autoptr(RamArea) rom = ram_area_new("rom", 0x1000, 0, NULL);
    Space *memory = rig->board->machine->memory;

    rom->host[2] = 0xef;
    rom->host[3] = 0xbe;
    SpaceId id = space_map(memory, &(SpaceMapping){.base = WINDOW,
                                                   .size = 0x1000,
                                                   .priority = 1,
                                                   .ram = rom,
                                                   .read_only = true,
                                                   .ops = &window_ops,
                                                   .opaque = rig});
    load_program(rig, touch, sizeof touch);
    vcpu_start(rig->vcpus[0]);
    expect(rig, "0/2=beef 3/1=77 2/1=ef ");
    vcpu_stop(rig->vcpus[0]);
    cr_assert_eq(rom->host[3], 0xbe, "a ROM is not written");
    space_unmap(memory, id);
    cr_assert_null(rig->kvm->failure, "%s", rig->kvm->failure);
    rig_free(rig);
}

/* inc dword [0x2000]; jmp -> a counter in memory */
static const uint8_t count[] = {0x66, 0xff, 0x06, 0x00, 0x20, 0xeb, 0xf9};

static uint32_t counter(const Rig *rig)
{
    return g_atomic_int_get((gint *)(void *)(rig->ram->host + 0x2000));
}

static void wait_for_count(const Rig *rig, uint32_t more)
{
    uint32_t from = counter(rig);
    gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;

    while (counter(rig) - from < more) {
        cr_assert_lt(g_get_monotonic_time(), end, "the guest does not count");
        g_usleep(100);
    }
}

Test(vcpu, stopped_it_stands_and_started_it_goes_on)
{
    Rig *rig = rig_new(true, 1);

    load_program(rig, count, sizeof count);
    for (int i = 0; i < 50; i++) {
        vcpu_start(rig->vcpus[0]);
        wait_for_count(rig, 10);
        vcpu_stop(rig->vcpus[0]);
        cr_assert_not(vcpu_is_running(rig->vcpus[0]));
        uint32_t stands_at = counter(rig);
        g_usleep(1000);
        cr_assert_eq(counter(rig), stands_at);
    }
    rig_free(rig);
}

Test(vcpu, a_guest_that_waits_for_nothing_can_be_stopped)
{
    static const uint8_t halt[] = {0xfa, 0xe6, 0x10, 0xf4, 0xeb, 0xfd}; /* cli; out; hlt; jmp */
    Rig *rig = rig_new(true, 1);

    load_program(rig, halt, sizeof halt);
    vcpu_start(rig->vcpus[0]);
    expect(rig, "0/1=");
    vcpu_stop(rig->vcpus[0]);
    rig_free(rig);
}

/* What a stopped processor has, another one goes on with. */
Test(vcpu, its_state_moves_to_another_machine_between_two_instructions)
{
    Rig *from = rig_new(true, 1), *to = rig_new(true, 1);
    g_autoptr(GError) error = NULL;

    load_program(from, count, sizeof count);
    vcpu_start(from->vcpus[0]);
    wait_for_count(from, 100);
    for (int i = 0; i < 20; i++) {
        CpuState cpu, again;
        ApicState apic, apic_again;
        vcpu_stop(from->vcpus[0]);
        cpu_state_reset(&cpu, true);
        cpu_state_reset(&again, true);
        apic_state_reset(&apic, 0, true);
        apic_state_reset(&apic_again, 0, true);
        cr_assert(vcpu_get(from->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
        memcpy(to->ram->host, from->ram->host, RAM);
        cr_assert(vcpu_rehearse(to->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
        cr_assert(vcpu_set(to->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
        cr_assert(vcpu_get(to->vcpus[0], &again, &apic_again, &error), "%s", error ? error->message : "");
        again.tsc = cpu.tsc; /* it runs on */
        cr_assert(vms_state_equal(&cpu_state, &cpu, &again));
        cr_assert(vms_state_equal(&apic_state, &apic, &apic_again));
        uint32_t at = counter(to);
        vcpu_start(to->vcpus[0]);
        wait_for_count(to, 10);
        cr_assert_geq(counter(to) - at, 10);
        Rig *swapped = from;
        from = to;
        to = swapped;
    }
    rig_free(from);
    rig_free(to);
}

Test(vcpu, a_state_that_qemu_recorded_is_taken)
{
    static const char *const recordings[] = {"a-kvm-min", "f2-kvm-virtio-10s", "j2-kvm-linux-virtio"};
    Rig *rig = rig_new(true, 1);
    Device *cpu = mock_add(rig->board, &mock_cpu, 0), *apic = mock_add(rig->board, &mock_apic, 0);

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++) {
        g_autoptr(GError) error = NULL;
        CpuState back;
        ApicState apic_back;
        board_load_recorded(rig->board, cpu, recordings[i], false);
        board_load_recorded(rig->board, apic, recordings[i], false);
        const CpuState *wanted = device_state(cpu);
        const ApicState *apic_wanted = device_state(apic);
        cr_assert(vcpu_rehearse(rig->vcpus[0], wanted, apic_wanted, &error), "%s: %s", recordings[i],
                  error ? error->message : "");
        cr_assert(vcpu_set(rig->vcpus[0], wanted, apic_wanted, &error), "%s: %s", recordings[i],
                  error ? error->message : "");
        back = *wanted;
        apic_back = *apic_wanted;
        cr_assert(vcpu_get(rig->vcpus[0], &back, &apic_back, &error));
        back.tsc = wanted->tsc;       /* it runs on */
        for (int n = 0; n < 8; n++) { /* ones beyond the length of addresses, which is another one here */
            back.mtrr_var[n].mask &= (UINT64_C(1) << 36) - 1;
            back.mtrr_var[n].mask |= wanted->mtrr_var[n].mask & ~((UINT64_C(1) << 36) - 1);
        }
        for (const VMStateField *f = cpu_state.fields; f->name; f++) {
            const VMStateField fields[] = {*f, VMS_END};
            const VMStateDescription one = {
                .name = f->name, .version = 1, .minimum = 1, .size = sizeof(CpuState), .fields = fields};
            cr_assert(vms_state_equal(&one, wanted, &back), "%s: %s", recordings[i], f->name);
        }
        cr_assert(vms_state_equal(&apic_state, apic_wanted, &apic_back), "%s", recordings[i]);
    }
    rig_free(rig);
}

Test(vcpu, what_kvm_refuses_is_named_and_changes_nothing)
{
    Rig *rig = rig_new(true, 1);
    g_autoptr(GError) error = NULL;
    CpuState cpu, before, after;
    ApicState apic;

    cpu_state_reset(&before, true);
    cpu_state_reset(&after, true);
    cr_assert(vcpu_get(rig->vcpus[0], &before, &apic, NULL));
    apic_state_reset(&apic, 0, true);
    ready(&cpu);
    cpu.cr4 = UINT64_C(1) << 40;
    cr_assert_not(vcpu_rehearse(rig->vcpus[0], &cpu, &apic, &error));
    cr_assert_not_null(strstr(error->message, "CR4 0x10000000000"), "%s", error->message);
    g_clear_error(&error);
    ready(&cpu);
    cpu.lstar = UINT64_C(1) << 63; /* not canonical */
    cr_assert_not(vcpu_rehearse(rig->vcpus[0], &cpu, &apic, &error));
    cr_assert_str_eq(error->message, "KVM refuses MSR 0xc0000082 (LSTAR): the state has 0x8000000000000000");
    cr_assert(vcpu_get(rig->vcpus[0], &after, &apic, NULL));
    after.tsc = before.tsc;
    cr_assert(vms_state_equal(&cpu_state, &before, &after));
    rig_free(rig);
}

/* Linux, Documentation/virt/kvm/x86/msr.rst: bit 0 is "enabled", the rest is the address. */
Test(vcpu, a_guest_that_shares_memory_with_kvm_is_taken_if_the_memory_is_there)
{
    Rig *rig = rig_new(true, 1);
    g_autoptr(GError) error = NULL;
    ApicState apic;
    CpuState cpu;

    apic_state_reset(&apic, 0, true);
    ready(&cpu);
    cpu.pv_eoi_en_msr = 0x8041;
    cpu.async_pf_en_msr = 0x8081;
    cr_expect(vcpu_rehearse(rig->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
    cr_expect(vcpu_set(rig->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
    cpu.pv_eoi_en_msr = 0x40000041;
    cr_expect_not(vcpu_rehearse(rig->vcpus[0], &cpu, &apic, &error));
    rig_free(rig);
}

/* The same, and cpuid.rst: flags are octet 29 of the structure, bit 1 is "the host has stopped the guest". */
Test(vcpu, a_guest_with_kvmclock_is_told_that_it_stood)
{
    enum { CLOCK = 0x8000, FLAGS = CLOCK + 29, STOOD = 1 << 1 };
    Rig *rig = rig_new(true, 1);
    g_autoptr(GError) error = NULL;
    ApicState apic;
    CpuState cpu;

    load_program(rig, count, sizeof count);
    apic_state_reset(&apic, 0, true);
    ready(&cpu);
    cpu.system_time_msr = CLOCK | 1;
    cr_assert(vcpu_set(rig->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
    for (int i = 0; i < 3; i++) {
        vcpu_start(rig->vcpus[0]);
        wait_for_count(rig, 10);
        vcpu_stop(rig->vcpus[0]);
        cr_assert(rig->ram->host[FLAGS] & STOOD);
        rig->ram->host[FLAGS] &= (uint8_t)~STOOD;
    }
    rig_free(rig);
}

Test(vcpu, a_triple_fault_is_told_and_the_processor_stands)
{
    Rig *rig = rig_new(true, 1);
    ApicState apic;
    CpuState cpu;

    /* paging without page tables, and no interrupt table either */
    apic_state_reset(&apic, 0, true);
    ready(&cpu);
    cpu.cr0 = 0x80000011;
    cpu.idt.limit = 0;
    cr_assert(vcpu_set(rig->vcpus[0], &cpu, &apic, NULL));
    vcpu_start(rig->vcpus[0]);
    gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    g_mutex_lock(&rig->mutex);
    while (!rig->shutdowns && !rig->failure && g_cond_wait_until(&rig->said, &rig->mutex, end))
        ;
    g_mutex_unlock(&rig->mutex);
    cr_assert_eq(rig->shutdowns, 1, "%s", rig->failure ? rig->failure : "nothing");
    cr_assert_not(vcpu_is_running(rig->vcpus[0]));
    /* and after a reset it goes on */
    cr_assert(vcpu_reset(rig->vcpus[0], NULL));
    rig->shutdowns = 0;
    load_program(rig, talk, sizeof talk);
    vcpu_start(rig->vcpus[0]);
    expect(rig, "2/2=1234 ");
    rig_free(rig);
}

Test(vcpu, a_failure_of_kvm_is_told_with_registers_and_code)
{
    /* fld1; jmp 0xa000:0x1234, where nothing is: some kernels cannot emulate the one, none can the other */
    static const uint8_t astray[] = {0xd9, 0xe8, 0xea, 0x34, 0x12, 0x00, 0xa0};
    Rig *rig = rig_new(true, 1);

    load_program(rig, astray, sizeof astray);
    vcpu_start(rig->vcpus[0]);
    gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    g_mutex_lock(&rig->mutex);
    while (!rig->failure && g_cond_wait_until(&rig->said, &rig->mutex, end))
        ;
    g_mutex_unlock(&rig->mutex);
    cr_assert_not_null(rig->failure);
    cr_assert_not(vcpu_is_running(rig->vcpus[0]));
    cr_assert(g_str_has_prefix(rig->failure, "KVM cannot go on with processor 0: it cannot emulate an instruction"),
              "%s", rig->failure);
    bool first = strstr(rig->failure, "RIP=0000000000001000");
    cr_assert(first || strstr(rig->failure, "RIP=0000000000001234"), "%s", rig->failure);
    cr_assert_not_null(
        strstr(rig->failure, first ? "CS=0000 0000000000000000 0000ffff" : "CS=a000 00000000000a0000 0000ffff"), "%s",
        rig->failure);
    cr_assert_not_null(strstr(rig->failure, first ? "Code: d9 e8 ea 34 12 00 a0 00" : "Code: ff ff"), "%s",
                       rig->failure);
    rig_free(rig);
}

Test(vcpu, a_processor_that_is_stopped_as_soon_as_it_is_started_stands)
{
    Rig *rig = rig_new(true, 1);

    load_program(rig, count, sizeof count);
    for (int i = 0; i < 2000; i++) {
        vcpu_start(rig->vcpus[0]);
        vcpu_stop(rig->vcpus[0]);
        cr_assert(!vcpu_is_running(rig->vcpus[0]));
    }
    rig_free(rig);
}

Test(vcpu, two_processors_share_memory_and_the_second_waits_for_the_first)
{
    Rig *rig = rig_new(true, 2);
    g_autoptr(GError) error = NULL;
    ApicState apic;
    CpuState cpu;

    load_program(rig, count, sizeof count);
    cpu_state_reset(&cpu, false);
    cr_assert(vcpu_get(rig->vcpus[1], &cpu, &apic, &error));
    cr_assert_eq(cpu.mp_state, 1, "it waits for INIT");
    vcpu_start(rig->vcpus[0]);
    vcpu_start(rig->vcpus[1]);
    wait_for_count(rig, 100);
    vcpu_stop(rig->vcpus[1]);
    vcpu_stop(rig->vcpus[0]);
    rig_free(rig);
}
