/*
 * test-smm.c: system management mode on KVM, with programs of a few octets. Most of it is skipped where KVM has none:
 * `tests/testbed/testbed build/release/tests/emu/test-smm` runs it where it has.
 *
 * Source: Intel SDM volume 3, chapter 34; AMD64 APM volume 2, chapter 10.
 */
#include "tests/emu/vcpu-rig.h"

enum { HANDLER = 0x38000, GO = 0x2000, SMRAM_SIZE = 0x20000 };

/* mov ax,0xa000; mov ds,ax; mov al,[2]; out 0x12,al; jmp $ */
static const uint8_t look[] = {0xb8, 0x00, 0xa0, 0x8e, 0xd8, 0xa0, 0x02, 0x00, 0xe6, 0x12, 0xeb, 0xfe};

/* mov esi,0xa0002; mov al,[esi]; out 0x10,al; wait: cmp byte [0x2000],0; je wait; rsm */
static const uint8_t handler[] = {0x66, 0xbe, 0x02, 0x00, 0x0a, 0x00, 0x67, 0x8a, 0x06, 0xe6,
                                  0x10, 0x80, 0x3e, 0x00, 0x20, 0x00, 0x74, 0xf9, 0x0f, 0xaa};

static uint64_t read_screen(void *opaque, uint64_t addr, unsigned size)
{
    (void)opaque;
    (void)size;
    return 0x50 + addr;
}

static const IoOps screen_ops = {.read = read_screen, .max = 1};

/* A processor and a screen, which is in front of memory with 0x77 at WINDOW + 2. */
static Rig *smm_rig(bool irqchip)
{
    Rig *rig = rig_new(irqchip, 1);

    if (!rig->kvm->smm)
        cr_skip_test("this KVM has no system management mode");
    space_map(rig->board->machine->memory,
              &(SpaceMapping){.base = WINDOW, .size = SMRAM_SIZE, .priority = 1, .ops = &screen_ops});
    memcpy(rig->ram->host + HANDLER, handler, sizeof handler);
    rig->ram->host[WINDOW + 2] = 0x77;
    return rig;
}

static void enable_smram(Rig *rig, bool on)
{
    machine_lock(rig->board->machine);
    kvm_set_smram(rig->kvm, &(KvmSmram){.ram = on ? rig->ram : NULL, .base = WINDOW, .size = SMRAM_SIZE});
    machine_unlock(rig->board->machine);
    cr_assert_null(rig->kvm->failure, "%s", rig->kvm->failure);
}

static CpuState state_of(Rig *rig, ApicState *apic)
{
    g_autoptr(GError) error = NULL;
    CpuState cpu;

    cpu_state_reset(&cpu, true);
    apic_state_reset(apic, 0, true);
    cr_assert(vcpu_get(rig->vcpus[0], &cpu, apic, &error), "%s", error ? error->message : "");
    return cpu;
}

static void smram_is_for_the_handler(bool irqchip)
{
    Rig *rig = smm_rig(irqchip);
    ApicState apic;

    rig->ram->host[GO] = 1;
    load_program(rig, look, sizeof look);
    vcpu_start(rig->vcpus[0]);
    expect(rig, "2/1=52 ");
    vcpu_smi(rig->vcpus[0]);
    expect(rig, "2/1=52 0/1=52 ");
    enable_smram(rig, true);
    vcpu_smi(rig->vcpus[0]);
    expect(rig, "0/1=52 0/1=77 ");
    enable_smram(rig, false);
    vcpu_smi(rig->vcpus[0]);
    expect(rig, "0/1=77 0/1=52 ");
    vcpu_stop(rig->vcpus[0]);
    cr_assert_eq(state_of(rig, &apic).smi_count, 3);
    rig_free(rig);
}

Test(smm, only_the_handler_sees_SMRAM)
{
    smram_is_for_the_handler(true);
}

Test(smm, so_it_is_without_a_LAPIC_in_the_kernel)
{
    smram_is_for_the_handler(false);
}

Test(smm, many_interrupts_from_another_thread_leave_the_processor_running)
{
    enum { MANY = 2000 };
    Rig *rig = smm_rig(true);

    rig->ram->host[GO] = 1;
    load_program(rig, look, sizeof look);
    vcpu_start(rig->vcpus[0]);
    expect(rig, "2/1=52 ");
    for (int i = 0; i < MANY; i++)
        vcpu_smi(rig->vcpus[0]);
    g_mutex_lock(&rig->mutex);
    g_string_truncate(rig->out, 0);
    g_mutex_unlock(&rig->mutex);
    enable_smram(rig, true);
    vcpu_smi(rig->vcpus[0]);
    expect(rig, "0/1=77 ");
    rig_free(rig);
}

Test(smm, a_processor_in_the_handler_moves_with_what_waits_for_it)
{
    Rig *from = smm_rig(true), *to = smm_rig(true);
    g_autoptr(GError) error = NULL;
    ApicState apic;
    CpuState cpu;

    enable_smram(from, true);
    load_program(from, look, sizeof look);
    vcpu_start(from->vcpus[0]);
    expect(from, "2/1=52 ");
    vcpu_smi(from->vcpus[0]);
    expect(from, "0/1=77 ");
    vcpu_smi(from->vcpus[0]);
    vcpu_stop(from->vcpus[0]);
    cpu = state_of(from, &apic);
    cr_assert(cpu.hflags & CPU_HFLAGS_SMM);
    cr_assert(cpu.smi_pending);
    cr_assert_eq(cpu.smbase, 0x30000);
    cr_assert_eq(cpu.smi_count, 1);

    memcpy(to->ram->host, from->ram->host, RAM);
    to->ram->host[GO] = 1;
    enable_smram(to, true);
    cr_assert(vcpu_rehearse(to->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
    cr_assert(vcpu_set(to->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
    vcpu_start(to->vcpus[0]);
    expect(to, "0/1=77 ");
    vcpu_stop(to->vcpus[0]);
    cpu = state_of(to, &apic);
    cr_assert_eq(cpu.smi_count, 2);
    cr_assert_not(cpu.smi_pending);
    rig_free(from);
    rig_free(to);
}

Test(smm, a_reset_ends_it)
{
    Rig *rig = smm_rig(true);
    ApicState apic;
    CpuState cpu;

    load_program(rig, look, sizeof look);
    vcpu_start(rig->vcpus[0]);
    expect(rig, "2/1=52 ");
    vcpu_smi(rig->vcpus[0]);
    expect(rig, "0/1=52 ");
    vcpu_smi(rig->vcpus[0]);
    vcpu_stop(rig->vcpus[0]);
    cr_assert(vcpu_reset(rig->vcpus[0], NULL));
    cpu = state_of(rig, &apic);
    cr_assert_not(cpu.hflags & CPU_HFLAGS_SMM);
    cr_assert_not(cpu.smi_pending);
    cr_assert_eq(cpu.smi_count, 0);
    rig_free(rig);
}

Test(smm, where_KVM_has_none_a_processor_that_is_in_it_is_refused_and_one_that_was_is_not)
{
    Rig *rig = rig_new(true, 1);
    g_autoptr(GError) error = NULL;
    ApicState apic;
    CpuState cpu;

    rig->kvm->smm = false;
    apic_state_reset(&apic, 0, true);
    ready(&cpu);
    cpu.smbase = 0xa0000;
    cpu.smi_count = 3;
    cr_assert(vcpu_set(rig->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
    vcpu_smi(rig->vcpus[0]);
    cr_assert(vcpu_get(rig->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
    cr_assert_eq(cpu.smbase, 0xa0000, "it goes on to whoever has a use for it");
    cr_assert_eq(cpu.smi_count, 3);
    cpu.smi_pending = true;
    cr_assert_not(vcpu_set(rig->vcpus[0], &cpu, &apic, &error));
    cr_assert_str_eq(error->message, "the state is of a processor that has an interrupt to system management mode, "
                                     "which this KVM does not have");
    g_clear_error(&error);
    cpu.hflags |= CPU_HFLAGS_SMM;
    cr_assert_not(vcpu_set(rig->vcpus[0], &cpu, &apic, &error));
    cr_assert_str_eq(error->message,
                     "the state is of a processor that is in system management mode, which this KVM does not have");
    rig_free(rig);
}

Test(smm, an_access_is_to_SMRAM_if_all_of_it_is)
{
    g_autoptr(RamArea) ram = ram_area_new("pc.ram", 1 << 20, 0, NULL);
    Kvm kvm = {.smram = {.ram = NULL}};

    cr_assert_null(kvm_find_smram(&kvm, WINDOW, 1));
    kvm.smram = (KvmSmram){.ram = ram, .base = WINDOW, .size = SMRAM_SIZE};
    cr_assert_eq(kvm_find_smram(&kvm, WINDOW, 8), ram->host + WINDOW);
    cr_assert_eq(kvm_find_smram(&kvm, 0xbfff8, 8), ram->host + 0xbfff8);
    cr_assert_null(kvm_find_smram(&kvm, 0xbfff9, 8));
    cr_assert_null(kvm_find_smram(&kvm, 0xc0000, 1));
    cr_assert_null(kvm_find_smram(&kvm, 0x9ffff, 1));
    cr_assert_null(kvm_find_smram(&kvm, UINT64_MAX, 8));
}
