/* kvm.c: a virtual machine of the kernel's. */
#include "emu/kvm/kvm.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "emu/kvm/cpu-state.h"
#include "emu/kvm/memslot.h"
#include "visitors/error.h"

#define LEAF_ADDRESSES 0x80000008U

enum {
    LEAST_PHYSICAL_BITS = 36,
    CPUID_ENTRIES = 256,
    LEAF_CACHES = 4,
    CACHE_PARTS = 8,
    MSR_ENTRIES = 1024,
    XSAVE_SIZE = 4096, /* of struct kvm_xsave, where KVM does not know more */
    /* Intel wants four pages below 4 GiB that the guest does not see: under the firmware, like everybody's. */
    IDENTITY_MAP = 0xfeffc000,
    TSS = IDENTITY_MAP + 0x1000,
};

static bool fail(GError **error, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "KVM: %s: %s", what, g_strerror(errno));
    return false;
}

/* --- what there is ---------------------------------------------------------------------------------------------- */

static bool read_cpuid(Kvm *kvm, GError **error)
{
    kvm->cpuid = g_malloc0(sizeof *kvm->cpuid + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2));
    kvm->cpuid->nent = CPUID_ENTRIES;
    if (ioctl(kvm->fd, KVM_GET_SUPPORTED_CPUID, kvm->cpuid) < 0)
        return fail(error, "reading the supported CPUID");
    kvm->physical_bits = LEAST_PHYSICAL_BITS;
    for (unsigned i = 0; i < kvm->cpuid->nent; i++)
        if (kvm->cpuid->entries[i].function == LEAF_ADDRESSES)
            kvm->physical_bits = kvm->cpuid->entries[i].eax & 0xff;
    return true;
}

static bool read_msrs(Kvm *kvm, GError **error)
{
    kvm->msrs = g_malloc0(sizeof *kvm->msrs + MSR_ENTRIES * sizeof kvm->msrs->indices[0]);
    kvm->msrs->nmsrs = MSR_ENTRIES;
    return ioctl(kvm->fd, KVM_GET_MSR_INDEX_LIST, kvm->msrs) == 0 || fail(error, "reading the list of MSRs");
}

/* Where a component is, by CPUID leaf 0xd; 0 if it is not, or not within what KVM hands out. */
static size_t xsave_offset(const Kvm *kvm, unsigned component, size_t size)
{
    unsigned length = 0, offset = 0, ecx = 0, edx = 0;

    if (!__get_cpuid_count(0xd, component, &length, &offset, &ecx, &edx) || length < size ||
        offset + size > kvm->xsave.size)
        return 0;
    return offset;
}

static void lay_out_xsave(Kvm *kvm)
{
    int size = kvm_capability(kvm, KVM_CAP_XSAVE2);

    kvm->xsave.size = MAX((size_t)MAX(size, 0), XSAVE_SIZE);
    kvm->xsave.avx = xsave_offset(kvm, 2, 256);
    kvm->xsave.opmask = xsave_offset(kvm, 5, 64);
    kvm->xsave.zmm_high = xsave_offset(kvm, 6, 512);
    kvm->xsave.zmm_upper = xsave_offset(kvm, 7, 1024);
    kvm->xsave.pkru = xsave_offset(kvm, 9, 4);
}

static void set_line(void *opaque, unsigned n, bool level)
{
    struct kvm_irq_level line = {.irq = n, .level = level};

    if (ioctl(((Kvm *)opaque)->vm, KVM_IRQ_LINE, &line) < 0)
        kvm_keep_failure(opaque, "setting an interrupt line");
}

Irq kvm_irq(Kvm *kvm, unsigned n)
{
    return (Irq){.handler = set_line, .opaque = kvm, .n = n};
}

void kvm_send_message(Kvm *kvm, uint64_t address, uint32_t data)
{
    struct kvm_msi msi = {.address_lo = (uint32_t)address, .address_hi = (uint32_t)(address >> 32), .data = data};

    if (ioctl(kvm->vm, KVM_SIGNAL_MSI, &msi) < 0)
        kvm_keep_failure(kvm, "sending an interrupt message");
}

/* A write of any size is one of two octets where the kernel does not know that. */
bool kvm_wire_bell(void *opaque, const BellPlace *place, uint64_t addr, int event, bool on)
{
    const Kvm *kvm = opaque;
    unsigned size = place->size || kvm->any_length ? place->size : sizeof(uint16_t);
    struct kvm_ioeventfd bell = {.datamatch = place->value,
                                 .addr = addr,
                                 .len = size,
                                 .fd = event,
                                 .flags = (place->only ? 1U << kvm_ioeventfd_flag_nr_datamatch : 0) |
                                          (place->ports ? 1U << kvm_ioeventfd_flag_nr_pio : 0) |
                                          (on ? 0 : 1U << kvm_ioeventfd_flag_nr_deassign)};

    return ioctl(kvm->vm, KVM_IOEVENTFD, &bell) == 0;
}

void kvm_keep_failure(Kvm *kvm, const char *what)
{
    if (!kvm->failure)
        kvm->failure = g_strdup_printf("KVM: %s: %s", what, g_strerror(errno));
}

int kvm_capability(const Kvm *kvm, int capability)
{
    int value = ioctl(kvm->vm, KVM_CHECK_EXTENSION, capability);

    return MAX(value, 0);
}

bool kvm_has_msr(const Kvm *kvm, uint32_t index)
{
    for (unsigned i = 0; i < kvm->msrs->nmsrs; i++)
        if (kvm->msrs->indices[i] == index)
            return true;
    return false;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static bool create_vm(Kvm *kvm, GError **error)
{
    uint64_t identity_map = IDENTITY_MAP;
    int version = ioctl(kvm->fd, KVM_GET_API_VERSION, 0);

    if (version != KVM_API_VERSION) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "KVM: the API has version %d, this program needs %d",
                    version, KVM_API_VERSION);
        return false;
    }
    kvm->vm = ioctl(kvm->fd, KVM_CREATE_VM, 0);
    if (kvm->vm < 0)
        return fail(error, "making a virtual machine");
    int run_size = ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (run_size < (int)sizeof(struct kvm_run))
        return fail(error, "asking for the size of kvm_run");
    kvm->run_size = (size_t)run_size;
    return (ioctl(kvm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map) == 0 &&
            ioctl(kvm->vm, KVM_SET_TSS_ADDR, TSS) == 0) ||
           fail(error, "placing the TSS");
}

Kvm *kvm_new(GError **error)
{
    g_autoptr(Kvm) kvm = g_new0(Kvm, 1);

    kvm->vm = -1;
    for (int i = 0; i < KVM_SPACES; i++)
        kvm->slots[i] = g_array_new(FALSE, FALSE, sizeof(KvmSlot));
    kvm->fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm->fd < 0) {
        fail(error, "/dev/kvm cannot be opened");
        return NULL;
    }
    if (!create_vm(kvm, error) || !read_cpuid(kvm, error) || !read_msrs(kvm, error))
        return NULL;
    lay_out_xsave(kvm);
    kvm->any_length = kvm_capability(kvm, KVM_CAP_IOEVENTFD_ANY_LENGTH);
    kvm->smm = kvm_capability(kvm, KVM_CAP_X86_SMM) && kvm_capability(kvm, KVM_CAP_MULTI_ADDRESS_SPACE) >= KVM_SPACES;
    return g_steal_pointer(&kvm);
}

void kvm_free(Kvm *kvm)
{
    if (!kvm)
        return;
    kvm_detach(kvm);
    if (kvm->vm >= 0)
        close(kvm->vm);
    if (kvm->fd >= 0)
        close(kvm->fd);
    kvm_free_slots(kvm);
    g_free(kvm->cpuid);
    cpu_model_free(kvm->model);
    g_free(kvm->msrs);
    g_free(kvm->failure);
    g_free(kvm);
}

/* --- processors ------------------------------------------------------------------------------------------------- */

enum { LEAF_FEATURES = 1, LEAF_TOPOLOGY = 0xb, APIC_ID_SHIFT = 24, LEAF_KVM = 0x40000001 };

/* Of the tables, every leaf and every part of one, as the instruction has it. */
static struct kvm_cpuid2 *read_instruction(const Kvm *kvm)
{
    struct kvm_cpuid2 *own = g_malloc0(sizeof *own + (CPUID_ENTRIES + CACHE_PARTS) * sizeof own->entries[0]);

    for (unsigned i = 0; i < kvm->cpuid->nent; i++) {
        struct kvm_cpuid_entry2 e = kvm->cpuid->entries[i];
        if (e.function >> 16 != 0 && e.function >> 16 != 0x8000)
            continue; /* a hypervisor's */
        __cpuid_count(e.function, e.index, e.eax, e.ebx, e.ecx, e.edx);
        if (e.function != LEAF_CACHES)
            own->entries[own->nent++] = e;
    }
    for (unsigned i = 0; i < CACHE_PARTS && __get_cpuid_max(0, NULL) >= LEAF_CACHES; i++) {
        struct kvm_cpuid_entry2 e = {.function = LEAF_CACHES, .index = i, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX};
        __cpuid_count(e.function, e.index, e.eax, e.ebx, e.ecx, e.edx);
        own->entries[own->nent++] = e;
    }
    return own;
}

/* How fast the TSC is, as a processor of it says. */
static uint32_t tsc_khz(const Kvm *kvm)
{
    int khz = ioctl(kvm->vm, KVM_GET_TSC_KHZ, 0);

    return (uint32_t)MAX(khz, 0);
}

CpuModel *kvm_make_cpu_model(const Kvm *kvm, const char *name, const CpuSetting *settings, size_t count, GError **error)
{
    g_autofree struct kvm_cpuid2 *own = read_instruction(kvm);
    CpuHost host = {
        .supported = kvm->cpuid,
        .own = own,
        .tsc_deadline = kvm->irqchip && kvm_capability(kvm, KVM_CAP_TSC_DEADLINE_TIMER),
        .no_lapic = !kvm->irqchip,
        .split = kvm->split,
        .tsc_khz = tsc_khz(kvm),
    };

    return cpu_model_new(name, settings, count, &host, error);
}

bool kvm_set_cpu_model(Kvm *kvm, const char *name, const CpuSetting *settings, size_t count,
                       const CpuTopology *topology, GError **error)
{
    if (!cpu_topology_check(topology, error))
        return false;
    CpuModel *model = kvm_make_cpu_model(kvm, name, settings, count, error);
    if (!model)
        return false;
    cpu_model_free(kvm->model);
    kvm->model = model;
    kvm->topology = *topology;
    kvm->physical_bits = cpu_model_physical_bits(model);
    return true;
}

/* What KVM supports, with the processor's own APIC id in it. */
static struct kvm_cpuid2 *supported_leaves(const Kvm *kvm, unsigned index)
{
    size_t size = sizeof *kvm->cpuid + kvm->cpuid->nent * sizeof kvm->cpuid->entries[0];
    struct kvm_cpuid2 *cpuid = g_memdup2(kvm->cpuid, size);

    for (unsigned i = 0; i < cpuid->nent; i++) {
        struct kvm_cpuid_entry2 *e = &cpuid->entries[i];
        if (e->function == LEAF_FEATURES)
            e->ebx = (e->ebx & ~(0xffU << APIC_ID_SHIFT)) | index << APIC_ID_SHIFT;
        if (!kvm->irqchip && e->function == LEAF_FEATURES)
            e->ecx &= ~CPU_1_ECX_LAPIC;
        if (!kvm->irqchip && e->function == LEAF_KVM)
            e->eax &= ~CPU_KVM_LAPIC;
        if (e->function == LEAF_TOPOLOGY)
            e->edx = index;
    }
    return cpuid;
}

struct kvm_cpuid2 *kvm_cpu_leaves(const Kvm *kvm, unsigned index)
{
    return kvm->model ? cpu_model_leaves(kvm->model, &kvm->topology, index) : supported_leaves(kvm, index);
}

/* Two entries for each line at most, and none for the cascade. */
static bool route_lines(Kvm *kvm, GError **error)
{
    g_autofree struct kvm_irq_routing *routing =
        g_malloc0(sizeof *routing + 2 * KVM_IRQS * sizeof(struct kvm_irq_routing_entry));

    for (unsigned n = 0; n < KVM_IRQS; n++) {
        if (n < 16 && n != 2)
            routing->entries[routing->nr++] = (struct kvm_irq_routing_entry){
                .gsi = n,
                .type = KVM_IRQ_ROUTING_IRQCHIP,
                .u.irqchip = {.irqchip = n < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, .pin = n % 8}};
        routing->entries[routing->nr++] =
            (struct kvm_irq_routing_entry){.gsi = n,
                                           .type = KVM_IRQ_ROUTING_IRQCHIP,
                                           .u.irqchip = {.irqchip = KVM_IRQCHIP_IOAPIC, .pin = n == 0 ? 2 : n}};
    }
    return ioctl(kvm->vm, KVM_SET_GSI_ROUTING, routing) == 0 || fail(error, "routing the interrupt lines");
}

bool kvm_create_irqchip(Kvm *kvm, GError **error)
{
    /* port 0x61 stays ours: the speaker is a device of its own */
    struct kvm_pit_config pit = {.flags = KVM_PIT_SPEAKER_DUMMY};

    if (ioctl(kvm->vm, KVM_CREATE_IRQCHIP, 0) < 0)
        return fail(error, "making the interrupt controllers");
    kvm->irqchip = true;
    return route_lines(kvm, error) && (ioctl(kvm->vm, KVM_CREATE_PIT2, &pit) == 0 || fail(error, "making the PIT"));
}

bool kvm_create_lapics(Kvm *kvm, unsigned pins, GError **error)
{
    struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {pins}};

    if (ioctl(kvm->vm, KVM_ENABLE_CAP, &split) < 0)
        return fail(error, "leaving the interrupt controllers but the LAPICs to this program");
    kvm->irqchip = kvm->split = true;
    kvm->pins = pins;
    return true;
}

void kvm_watch_pins(Kvm *kvm, const KvmPin *pins)
{
    g_autofree struct kvm_irq_routing *routing =
        g_malloc0(sizeof *routing + kvm->pins * sizeof(struct kvm_irq_routing_entry));

    for (unsigned n = 0; n < kvm->pins; n++)
        if (pins[n].level)
            routing->entries[routing->nr++] =
                (struct kvm_irq_routing_entry){.gsi = n,
                                               .type = KVM_IRQ_ROUTING_MSI,
                                               .u.msi = {.address_lo = (uint32_t)pins[n].address,
                                                         .address_hi = (uint32_t)(pins[n].address >> 32),
                                                         .data = pins[n].data}};
    if (ioctl(kvm->vm, KVM_SET_GSI_ROUTING, routing) < 0)
        kvm_keep_failure(kvm, "telling KVM of the I/O APIC's pins");
}

bool kvm_can_have(const Kvm *kvm, KvmChips chips)
{
    switch (chips) {
    case KVM_CHIPS_ALL:
        return kvm_capability(kvm, KVM_CAP_IRQCHIP) && kvm_capability(kvm, KVM_CAP_PIT2);
    case KVM_CHIPS_LAPICS:
        return kvm_capability(kvm, KVM_CAP_SPLIT_IRQCHIP);
    default:
        return true;
    }
}

/* As many banks as QEMU gives its processors, where the kernel has them. */
static bool set_up_mce(const Kvm *kvm, int vcpu)
{
    uint64_t supported, cap = CPU_MCG_CAP;

    if (kvm_capability(kvm, KVM_CAP_MCE) < CPU_MCE_BANKS)
        return true;
    if (ioctl(kvm->fd, KVM_X86_GET_MCE_CAP_SUPPORTED, &supported) < 0)
        return false;
    cap &= supported | 0xff;
    return ioctl(vcpu, KVM_X86_SETUP_MCE, &cap) == 0;
}

int kvm_create_vcpu(const Kvm *kvm, unsigned id, const struct kvm_cpuid2 *cpuid, GError **error)
{
    int vcpu = ioctl(kvm->vm, KVM_CREATE_VCPU, (unsigned long)id);

    if (vcpu < 0) {
        fail(error, "making a processor");
        return -1;
    }
    if (ioctl(vcpu, KVM_SET_CPUID2, cpuid) < 0 || !set_up_mce(kvm, vcpu)) {
        fail(error, "setting up its CPUID and machine checks");
        close(vcpu);
        return -1;
    }
    return vcpu;
}
