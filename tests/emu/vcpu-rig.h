/* vcpu-rig.h: a board with processors on KVM, for programs of a few octets. Tests are skipped where there is no KVM. */
#ifndef TESTS_EMU_VCPU_RIG_H
#define TESTS_EMU_VCPU_RIG_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "emu/kvm/vcpu.h"
#include "tests/emu/support/mock-cpu.h"
#include "vmstate/state.h"

enum { CODE = 0x1000, RAM = 1 << 20, PORT = 0x10, WINDOW = 0xa0000 };

/* A board with processors, a megabyte and a port that writes down what goes out. */
typedef struct Rig {
    Board *board;
    Kvm *kvm;
    Vcpu *vcpus[2];
    RamArea *ram;
    GMutex mutex; /* of what the guest says: */
    GCond said;
    GString *out;
    unsigned shutdowns;
    char *failure;
} Rig;

static inline uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    (void)opaque;
    (void)size;
    return 0x41 + addr;
}

static inline void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Rig *rig = opaque;

    g_mutex_lock(&rig->mutex);
    g_string_append_printf(rig->out, "%x/%u=%x ", (unsigned)addr, size, (unsigned)value);
    g_cond_broadcast(&rig->said);
    g_mutex_unlock(&rig->mutex);
}

static const IoOps port_ops = {.read = read_port, .write = write_port};

static inline void shut_down(void *opaque, Vcpu *vcpu)
{
    Rig *rig = opaque;

    (void)vcpu;
    g_mutex_lock(&rig->mutex);
    rig->shutdowns++;
    g_cond_broadcast(&rig->said);
    g_mutex_unlock(&rig->mutex);
}

static inline void fail(void *opaque, Vcpu *vcpu, const VcpuFailure *failure)
{
    Rig *rig = opaque;

    (void)vcpu;
    g_mutex_lock(&rig->mutex);
    rig->failure = g_strdup(failure->text);
    g_cond_broadcast(&rig->said);
    g_mutex_unlock(&rig->mutex);
}

static inline bool has_kvm(void)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

typedef enum RigKind { RIG_OUTSIDE, RIG_KVM, RIG_SPLIT } RigKind;

static inline Rig *rig_new_with(RigKind kind, unsigned processors)
{
    g_autoptr(GError) error = NULL;
    Rig *rig = g_new0(Rig, 1);
    const VcpuEvents events = {.shutdown = shut_down, .failed = fail, .opaque = rig};

    if (!has_kvm())
        cr_skip_test("no /dev/kvm");
    g_mutex_init(&rig->mutex);
    g_cond_init(&rig->said);
    rig->out = g_string_new(NULL);
    rig->board = board_new();
    Machine *m = rig->board->machine;
    rig->ram = ram_area_new("pc.ram", RAM, 0, NULL);
    machine_add_ram(m, rig->ram);
    space_map(m->memory, &(SpaceMapping){.base = 0, .size = RAM, .ram = rig->ram});
    space_map(m->ports, &(SpaceMapping){.base = PORT, .size = 4, .ops = &port_ops, .opaque = rig});
    rig->kvm = kvm_new(&error);
    cr_assert_not_null(rig->kvm, "%s", error ? error->message : "");
    bool ok = kind == RIG_SPLIT ? kvm_create_lapics(rig->kvm, 24, &error)
                                : kind == RIG_OUTSIDE || kvm_create_irqchip(rig->kvm, &error);
    cr_assert(ok, "%s", error ? error->message : "");
    cr_assert(kvm_attach(rig->kvm, m, &error), "%s", error ? error->message : "");
    for (unsigned i = 0; i < processors; i++) {
        rig->vcpus[i] = vcpu_new(rig->kvm, m, i, &events, &error);
        cr_assert_not_null(rig->vcpus[i], "%s", error ? error->message : "");
    }
    return rig;
}

static inline Rig *rig_new(bool irqchip, unsigned processors)
{
    return rig_new_with(irqchip ? RIG_KVM : RIG_OUTSIDE, processors);
}

static inline void rig_free(Rig *rig)
{
    for (unsigned i = 0; i < 2; i++)
        vcpu_free(rig->vcpus[i]);
    kvm_free(rig->kvm);
    board_free(rig->board);
    g_string_free(rig->out, TRUE);
    g_free(rig->failure);
    g_mutex_clear(&rig->mutex);
    g_cond_clear(&rig->said);
    g_free(rig);
}

/* A state in real mode that starts at CODE. */
static inline void ready(CpuState *cpu)
{
    cpu_state_reset(cpu, true);
    cpu->segs[CPU_CS].selector = 0;
    cpu->segs[CPU_CS].base = 0;
    cpu->rip = CODE;
    cpu->regs[4] = 0x8000;
}

static inline void load_program(Rig *rig, const void *code, size_t len)
{
    g_autoptr(GError) error = NULL;
    ApicState apic;
    CpuState cpu;

    memcpy(rig->ram->host + CODE, code, len);
    apic_state_reset(&apic, 0, true);
    ready(&cpu);
    cr_assert(vcpu_set(rig->vcpus[0], &cpu, &apic, &error), "%s", error ? error->message : "");
}

/* Waits until the guest has said that, or something has gone wrong; fails the test after ten seconds. */
static inline void expect(Rig *rig, const char *text)
{
    gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;

    g_mutex_lock(&rig->mutex);
    while (!strstr(rig->out->str, text) && !rig->failure && !rig->shutdowns)
        if (!g_cond_wait_until(&rig->said, &rig->mutex, end))
            break;
    bool ok = strstr(rig->out->str, text);
    g_autofree char *said = g_strdup(rig->out->str);
    g_mutex_unlock(&rig->mutex);
    cr_assert(ok, "the guest says \"%s\", not \"%s\"; %s", said, text, rig->failure ? rig->failure : "");
}

#endif
