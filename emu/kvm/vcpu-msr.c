/*
 * vcpu-msr.c: the model-specific registers that a stream carries.
 *
 * Source: AMD64 APM volume 2, appendix A; Intel SDM volume 4; Linux, Documentation/virt/kvm/x86/msr.rst.
 */
#include "emu/kvm/vcpu-msr.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "visitors/error.h"

enum {
    MSR_TSC = 0x10,
    MSR_TSC_ADJUST = 0x3b,
    MSR_FEATURE_CONTROL = 0x3a,
    MSR_SPEC_CTRL = 0x48,
    MSR_SMBASE = 0x9e,
    MSR_SMI_COUNT = 0x34,
    MSR_UMWAIT = 0xe1,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_MCG_CTL = 0x17b,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_XFD = 0x1c4,
    MSR_XFD_ERR = 0x1c5,
    MSR_MTRR_VAR = 0x200, /* base and mask of each */
    MSR_PAT = 0x277,
    MSR_MTRR_DEFTYPE = 0x2ff,
    MSR_MC0_CTL = 0x400,
    MSR_MCG_EXT_CTL = 0x4d0,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_XSS = 0xda0,
    MSR_KVM_WALL_CLOCK = 0x11,
    MSR_KVM_SYSTEM_TIME = 0x12,
    MSR_KVM_ASYNC_PF_EN = 0x4b564d02,
    MSR_KVM_STEAL_TIME = 0x4b564d03,
    MSR_KVM_PV_EOI_EN = 0x4b564d04,
    MSR_KVM_POLL_CONTROL = 0x4b564d05,
    MSR_KVM_ASYNC_PF_INT = 0x4b564d06,
};

#define MSR_STAR           0xc0000081U
#define MSR_LSTAR          0xc0000082U
#define MSR_CSTAR          0xc0000083U
#define MSR_FMASK          0xc0000084U
#define MSR_KERNEL_GS_BASE 0xc0000102U
#define MSR_TSC_AUX        0xc0000103U
#define MSR_TSC_RATIO      0xc0000104U
#define MSR_VM_HSAVE       0xc0010117U
#define MSR_VIRT_SSBD      0xc001011fU

/* One register, or several whose numbers and members follow each other. */
typedef struct Row {
    const char *name;
    uint32_t index;
    size_t offset;
    unsigned width, count; /* octets of a member, registers */
    uint64_t reset;
    bool idle; /* without system management mode it does nothing: it is kept for whoever has that */
} Row;

#define ROW(msr, member, ...)                                                                                          \
    {                                                                                                                  \
        .name = #msr, .index = MSR_##msr, .offset = offsetof(CpuState, member),                                        \
        .width = sizeof(VMS_MEMBER(CpuState, member)), .count = 1, ##__VA_ARGS__                                       \
    }
#define ROWS(msr, member, n, ...) ROW(msr, member, .width = 8, .count = (n), ##__VA_ARGS__)

static const Row rows[] = {
    ROW(SYSENTER_CS, sysenter_cs),
    ROW(SYSENTER_ESP, sysenter_esp),
    ROW(SYSENTER_EIP, sysenter_eip),
    ROW(PAT, pat),
    ROW(STAR, star),
    ROW(CSTAR, cstar),
    ROW(LSTAR, lstar),
    ROW(FMASK, fmask),
    ROW(KERNEL_GS_BASE, kernel_gs_base),
    ROW(VM_HSAVE, vm_hsave),
    ROW(TSC_AUX, tsc_aux),
    ROW(TSC, tsc),
    ROW(TSC_ADJUST, tsc_adjust),
    ROW(MISC_ENABLE, misc_enable, .reset = 1),
    ROW(FEATURE_CONTROL, feature_control),
    ROW(SMBASE, smbase, .reset = 0x30000, .idle = true),
    ROW(SMI_COUNT, smi_count, .idle = true),
    ROW(UMWAIT, umwait),
    ROW(SPEC_CTRL, spec_ctrl),
    ROW(XSS, xss),
    ROW(XFD, xfd),
    ROW(XFD_ERR, xfd_err),
    ROW(TSC_RATIO, amd_tsc_scale),
    ROW(VIRT_SSBD, virt_ssbd),
    ROW(MTRR_DEFTYPE, mtrr_deftype),
    {"MTRR_FIX64K", 0x250, offsetof(CpuState, mtrr_fixed), 8, 1, 0, false},
    {"MTRR_FIX16K", 0x258, offsetof(CpuState, mtrr_fixed) + 8, 8, 2, 0, false},
    {"MTRR_FIX4K", 0x268, offsetof(CpuState, mtrr_fixed) + 24, 8, 8, 0, false},
    ROWS(MTRR_VAR, mtrr_var, 16),
    ROW(MCG_STATUS, mcg_status),
    ROW(MCG_CTL, mcg_ctl),
    ROW(MCG_EXT_CTL, mcg_ext_ctl),
    ROWS(MC0_CTL, mce_banks, 4 * CPU_MCE_BANKS),
    ROW(KVM_SYSTEM_TIME, system_time_msr),
    ROW(KVM_WALL_CLOCK, wall_clock_msr),
    ROW(KVM_ASYNC_PF_EN, async_pf_en_msr),
    ROW(KVM_ASYNC_PF_INT, async_pf_int_msr),
    ROW(KVM_STEAL_TIME, steal_time_msr),
    ROW(KVM_PV_EOI_EN, pv_eoi_en_msr),
    ROW(KVM_POLL_CONTROL, poll_control_msr, .reset = 1),
    ROW(TSC_DEADLINE, tsc_deadline),
};

static uint64_t get_member(const CpuState *c, const Row *row, unsigned i)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)c + row->offset + (size_t)i * row->width, row->width);
    return value;
}

static void set_member(CpuState *c, const Row *row, unsigned i, uint64_t value)
{
    memcpy((char *)c + row->offset + (size_t)i * row->width, &value, row->width);
}

/* One register in a call: KVM stops at the first that it refuses, and says no more than which. */
typedef union OneMsr {
    struct kvm_msrs call;
    uint8_t octets[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
} OneMsr;

static bool transfer(int vcpu, unsigned long request, uint32_t index, uint64_t *value)
{
    OneMsr one = {.octets = {0}};

    one.call.nmsrs = 1;
    one.call.entries[0] = (struct kvm_msr_entry){.index = index, .data = *value};
    bool ok = ioctl(vcpu, request, &one) == 1;
    *value = one.call.entries[0].data;
    return ok;
}

static bool is_mtrr(const Row *row)
{
    return row->offset >= offsetof(CpuState, mtrr_fixed) &&
           row->offset < offsetof(CpuState, mtrr_var) + sizeof(VMS_MEMBER(CpuState, mtrr_var));
}

/* The banks of machine checks, and their MSRs, come with the processor's MCG_CAP, the MTRRs always. */
static bool is_listed(const Kvm *kvm, const Row *row, const CpuState *c, unsigned i)
{
    if (row->index == MSR_MC0_CTL)
        return i / 4 < (c->mcg_cap & 0xff);
    if (row->index == MSR_MCG_CTL)
        return c->mcg_cap & 0x100;
    return is_mtrr(row) || kvm_has_msr(kvm, row->index + i);
}

/*
 * The wire has the bits of an MTRR's mask that stand for addresses beyond the processor's as ones, up to bit 51, so
 * that the size comes out right on a processor with longer addresses; the processor has them as zeros.
 */
static uint64_t mask_beyond(const Kvm *kvm, const Row *row, unsigned i)
{
    const uint64_t all = (UINT64_C(1) << 52) - 1;

    return row->index == MSR_MTRR_VAR && i % 2 == 1 ? all & ~((UINT64_C(1) << kvm->physical_bits) - 1) : 0;
}

void vcpu_msr_read(const Kvm *kvm, int vcpu, CpuState *cpu)
{
    /* how many banks there are decides what is read */
    transfer(vcpu, KVM_GET_MSRS, MSR_MCG_CAP, &cpu->mcg_cap);
    for (size_t r = 0; r < G_N_ELEMENTS(rows); r++) {
        for (unsigned i = 0; i < rows[r].count; i++) {
            uint64_t value = 0;
            /* one that is listed may not be there for this CPUID: then it has no value to lose */
            if (is_listed(kvm, &rows[r], cpu, i) && transfer(vcpu, KVM_GET_MSRS, rows[r].index + i, &value))
                set_member(cpu, &rows[r], i, value | mask_beyond(kvm, &rows[r], i));
        }
    }
}

/* Is it the value that the register has anyway? */
static bool has_value(int vcpu, uint32_t index, uint64_t value)
{
    uint64_t now = 0;

    return transfer(vcpu, KVM_GET_MSRS, index, &now) && now == value;
}

static bool write_one(const Kvm *kvm, int vcpu, const CpuState *c, const Row *row, unsigned i, GError **error)
{
    uint64_t value = get_member(c, row, i) & ~mask_beyond(kvm, row, i), wanted = value;

    if (!is_listed(kvm, row, c, i) && (value == row->reset || (row->idle && !kvm->smm)))
        return true;
    /* to set one to what it is has no effect, but takes KVM its time: it makes its page tables anew */
    if (is_mtrr(row) && has_value(vcpu, row->index + i, wanted))
        return true;
    if (transfer(vcpu, KVM_SET_MSRS, row->index + i, &value) || has_value(vcpu, row->index + i, wanted))
        return true;
    /* nor is one lost that this processor does not have, and that says nothing */
    if (wanted == row->reset)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "KVM refuses MSR 0x%x (%s): the state has 0x%" G_GINT64_MODIFIER "x", row->index + i, row->name,
                wanted);
    return false;
}

bool vcpu_msr_write(const Kvm *kvm, int vcpu, const CpuState *cpu, GError **error)
{
    for (size_t r = 0; r < G_N_ELEMENTS(rows); r++)
        for (unsigned i = 0; i < rows[r].count && rows[r].index != MSR_TSC_DEADLINE; i++)
            if (!write_one(kvm, vcpu, cpu, &rows[r], i, error))
                return false;
    return true;
}

bool vcpu_msr_write_deadline(const Kvm *kvm, int vcpu, const CpuState *cpu, GError **error)
{
    const Row row = ROW(TSC_DEADLINE, tsc_deadline);

    return write_one(kvm, vcpu, cpu, &row, 0, error);
}
