/* test-cpu-model-kvm.c: processors of a model, on KVM. Skipped where there is none. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "emu/kvm/vcpu.h"
#include "tests/emu/support/board.h"

enum { ENTRIES = 256 };

static const CpuTopology pair = {1, 1, 2, 1};

static Kvm *kvm_or_skip(void)
{
    g_autoptr(GError) error = NULL;
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        cr_skip_test("no /dev/kvm");
    close(fd);
    Kvm *kvm = kvm_new(&error);
    cr_assert(kvm && kvm_create_irqchip(kvm, &error), "%s", error ? error->message : "");
    return kvm;
}

static void set_model(Kvm *kvm, const char *name)
{
    g_autoptr(GError) error = NULL;

    cr_assert(kvm_set_cpu_model(kvm, name, NULL, 0, &pair, &error), "%s: %s", name, error ? error->message : "");
}

static const struct kvm_cpuid_entry2 *find(const struct kvm_cpuid2 *table, uint32_t function)
{
    for (uint32_t i = 0; i < table->nent; i++)
        if (table->entries[i].function == function)
            return &table->entries[i];
    cr_assert_fail("no leaf %x", function);
    return NULL;
}

Test(cpu_model, kvm_takes_every_model_and_the_processor_starts)
{
    for (const char *const *name = cpu_model_names(); *name; name++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(Kvm) kvm = kvm_or_skip();
        g_autoptr(Board) board = board_new();
        const VcpuEvents events = {.opaque = NULL};
        Vcpu *vcpus[2];

        set_model(kvm, *name);
        for (unsigned i = 0; i < 2; i++) {
            vcpus[i] = vcpu_new(kvm, board->machine, i, &events, &error);
            cr_assert(vcpus[i], "%s: %s", *name, error ? error->message : "");
        }
        CpuState cpu;
        ApicState apic;
        cpu_state_reset(&cpu, false);
        apic_state_reset(&apic, 1, false);
        cr_assert(vcpu_get(vcpus[1], &cpu, &apic, &error), "%s", error ? error->message : "");
        cr_assert(vcpu_rehearse(vcpus[1], &cpu, &apic, &error), "%s: %s", *name, error ? error->message : "");
        for (unsigned i = 0; i < 2; i++)
            vcpu_free(vcpus[i]);
    }
}

Test(cpu_model, kvm_has_what_it_was_given)
{
    g_autoptr(Kvm) kvm = kvm_or_skip();
    g_autofree struct kvm_cpuid2 *table = g_malloc0(sizeof *table + ENTRIES * sizeof table->entries[0]);

    set_model(kvm, "qemu64");
    cr_assert_eq(kvm->physical_bits, 40);
    g_autofree struct kvm_cpuid2 *given = kvm_cpu_leaves(kvm, 1);
    int vcpu = kvm_create_vcpu(kvm, 1, given, NULL);
    cr_assert_geq(vcpu, 0);
    table->nent = ENTRIES;
    cr_assert_eq(ioctl(vcpu, KVM_GET_CPUID2, table), 0);
    cr_assert_eq(find(table, 1)->eax, 0x00060fb1);
    cr_assert_eq(find(table, 1)->ebx, 0x01020800);
    cr_assert_eq(find(table, 0x80000002)->eax, 0x554d4551); /* "QEMU" */
    cr_assert_geq(table->nent, given->nent);
    close(vcpu);
}

Test(cpu_model, the_hosts_own_is_the_hosts)
{
    g_autoptr(Kvm) kvm = kvm_or_skip();

    set_model(kvm, "host");
    g_autofree struct kvm_cpuid2 *given = kvm_cpu_leaves(kvm, 0);
    const struct kvm_cpuid_entry2 *ours = find(given, 0), *kvms = find(kvm->cpuid, 0);
    cr_assert(ours->ebx == kvms->ebx && ours->ecx == kvms->ecx && ours->edx == kvms->edx);
    cr_assert_eq(find(given, 1)->eax, find(kvm->cpuid, 1)->eax);
    cr_assert_eq(find(given, 1)->ecx & ~find(kvm->cpuid, 1)->ecx & ~(1U << 31 | 1U << 24), 0);
}

Test(cpu_model, what_is_refused_changes_nothing)
{
    g_autoptr(Kvm) kvm = kvm_or_skip();
    g_autofree struct kvm_cpuid2 *before = kvm_cpu_leaves(kvm, 0);
    g_autoptr(GError) error = NULL;

    cr_assert(!kvm_set_cpu_model(kvm, "nothing", NULL, 0, &pair, &error));
    cr_assert(!kvm_set_cpu_model(kvm, "qemu64", NULL, 0, &(CpuTopology){2, 1, 3, 1}, NULL));
    cr_assert_null(kvm->model);
    g_autofree struct kvm_cpuid2 *after = kvm_cpu_leaves(kvm, 0);
    cr_assert_eq(before->nent, after->nent);
    cr_assert_eq(memcmp(before->entries, after->entries, before->nent * sizeof before->entries[0]), 0);
}
