/*
 * cpu-state.c: the sections of a processor, as descriptions.
 *
 * Source: streams of QEMU 7.2. Not described, and so refused by name if a stream has them: Hyper-V's MSRs, nested
 * virtualisation, SGX, Intel PT, LBR, MPX and AMX. No guest of the models that Ferry offers has them.
 */
#include "emu/kvm/cpu-state.h"

#include <string.h>

#include "visitors/bytes.h"

/* --- parts ------------------------------------------------------------------------------------------------------ */

static const VMStateField segment_fields[] = {
    VMS_FIELD(CpuSegment, selector),
    VMS_FIELD(CpuSegment, base),
    VMS_FIELD(CpuSegment, limit),
    VMS_FIELD(CpuSegment, flags),
    VMS_END,
};
static const VMStateDescription segment = {
    .name = "segment", .version = 1, .minimum = 1, .size = sizeof(CpuSegment), .fields = segment_fields};

static const VMStateField fp_reg_fields[] = {
    VMS_FIELD(CpuFpReg, mantissa, .name = "tmp_mant"),
    VMS_FIELD(CpuFpReg, exponent, .name = "tmp_exp"),
    VMS_END,
};
static const VMStateDescription fp_reg = {.name = "fpreg_tmp", .size = sizeof(CpuFpReg), .fields = fp_reg_fields};

static const VMStateField fp_slot_fields[] = {
    VMS_SUB(CpuFpSlot, reg, &fp_reg, .name = "tmp", .type = "tmp", .flags = VMS_INLINE),
    VMS_END,
};
static const VMStateDescription fp_slot = {.name = "fpreg", .size = sizeof(CpuFpSlot), .fields = fp_slot_fields};

static const VMStateField xmm_fields[] = {
    {.name = "_q_ZMMReg[0]", .scalar = SCALAR_UINT64, .offset = 0, .size = 8, .count = 1},
    {.name = "_q_ZMMReg[1]", .scalar = SCALAR_UINT64, .offset = 8, .size = 8, .count = 1},
    VMS_END,
};
static const VMStateDescription xmm = {
    .name = "xmm_reg", .version = 1, .minimum = 1, .size = sizeof(CpuXmm), .fields = xmm_fields};

static const VMStateField ymm_high_fields[] = {
    {.name = "_q_ZMMReg[2]", .scalar = SCALAR_UINT64, .offset = 0, .size = 8, .count = 1},
    {.name = "_q_ZMMReg[3]", .scalar = SCALAR_UINT64, .offset = 8, .size = 8, .count = 1},
    VMS_END,
};
static const VMStateDescription ymm_high = {
    .name = "ymmh_reg", .version = 1, .minimum = 1, .size = sizeof(CpuXmm), .fields = ymm_high_fields};

static const VMStateField mtrr_fields[] = {
    VMS_FIELD(CpuMtrr, base),
    VMS_FIELD(CpuMtrr, mask),
    VMS_END,
};
static const VMStateDescription mtrr = {
    .name = "mtrr_var", .version = 1, .minimum = 1, .size = sizeof(CpuMtrr), .fields = mtrr_fields};

/* --- subsections ------------------------------------------------------------------------------------------------ */

/* A subsection with its fields, which goes out when `condition` holds for the CpuState c. */
#define SUBSECTION(symbol, wire_name, condition, ...)                                                                  \
    static const VMStateField symbol##_fields[] = {__VA_ARGS__, VMS_END};                                              \
    static const VMStateDescription symbol##_state = {                                                                 \
        .name = "cpu/" wire_name, .version = 1, .minimum = 1, .fields = symbol##_fields};                              \
    static bool symbol##_needed(const void *state)                                                                     \
    {                                                                                                                  \
        const CpuState *c = state;                                                                                     \
        return condition;                                                                                              \
    }

#define ENV(member, ...)                VMS_FIELD(CpuState, member, .name = "env." #member, ##__VA_ARGS__)
#define ENV_AS(member, wire_name)       VMS_FIELD(CpuState, member, .name = "env." wire_name)
#define ENV_ARRAY_AS(member, wire_name) VMS_ARRAY(CpuState, member, .name = "env." wire_name)

static bool any_set(const void *data, size_t len)
{
    return !bytes_are_zero(data, len);
}

SUBSECTION(async_pf, "async_pf_msr", c->async_pf_en_msr, ENV(async_pf_en_msr))
SUBSECTION(async_pf_int, "async_pf_int_msr", c->async_pf_int_msr, ENV(async_pf_int_msr))
SUBSECTION(pv_eoi, "async_pv_eoi_msr", c->pv_eoi_en_msr, ENV(pv_eoi_en_msr))
SUBSECTION(steal_time, "steal_time_msr", c->steal_time_msr, ENV(steal_time_msr))
SUBSECTION(poll_control, "poll_control_msr", c->poll_control_msr != 1, ENV(poll_control_msr))
SUBSECTION(fpu_last, "fpop_ip_dp", c->fpu_opcode || c->fpu_ip || c->fpu_dp, ENV_AS(fpu_opcode, "fpop"),
           ENV_AS(fpu_ip, "fpip"), ENV_AS(fpu_dp, "fpdp"))
SUBSECTION(adjust, "msr_tsc_adjust", c->tsc_adjust, ENV(tsc_adjust))
SUBSECTION(deadline, "msr_tscdeadline", c->tsc_deadline, ENV(tsc_deadline))
SUBSECTION(misc, "msr_ia32_misc_enable", c->misc_enable != 1, ENV_AS(misc_enable, "msr_ia32_misc_enable"))
SUBSECTION(feature, "msr_ia32_feature_control", c->feature_control, ENV_AS(feature_control, "msr_ia32_feature_control"))
SUBSECTION(pmu, "msr_architectural_pmu", any_set(&c->pmu, sizeof c->pmu),
           ENV_AS(pmu.fixed_ctr_ctrl, "msr_fixed_ctr_ctrl"), ENV_AS(pmu.global_ctrl, "msr_global_ctrl"),
           ENV_AS(pmu.global_status, "msr_global_status"), ENV_AS(pmu.global_ovf_ctrl, "msr_global_ovf_ctrl"),
           ENV_ARRAY_AS(pmu.fixed_counters, "msr_fixed_counters"), ENV_ARRAY_AS(pmu.counters, "msr_gp_counters"),
           ENV_ARRAY_AS(pmu.evtsel, "msr_gp_evtsel"))
SUBSECTION(xss, "xss", c->xss, ENV(xss))
SUBSECTION(umwait, "umwait", c->umwait, ENV(umwait))
SUBSECTION(tsc_khz, "tsc_khz", c->tsc_khz, ENV(tsc_khz))
SUBSECTION(smi_count, "msr_smi_count", c->smi_count, ENV_AS(smi_count, "msr_smi_count"))
SUBSECTION(pkru, "pkru", c->pkru, ENV(pkru))
SUBSECTION(spec_ctrl, "spec_ctrl", c->spec_ctrl, ENV(spec_ctrl))
SUBSECTION(tsc_scale, "amd_tsc_scale_msr", c->amd_tsc_scale, ENV_AS(amd_tsc_scale, "amd_tsc_scale_msr"))
SUBSECTION(mcg_ext, "mcg_ext_ctl", c->mcg_ext_ctl, ENV(mcg_ext_ctl))
SUBSECTION(ssbd, "virt_ssbd", c->virt_ssbd, ENV(virt_ssbd))
SUBSECTION(pdptrs, "pdptrs", c->pdptrs_valid, ENV_ARRAY_AS(pdptrs, "pdptrs"))
SUBSECTION(xfd, "msr_xfd", c->xfd || c->xfd_err, ENV_AS(xfd, "msr_xfd"), ENV_AS(xfd_err, "msr_xfd_err"))
SUBSECTION(triple_fault, "triple_fault", c->triple_fault_pending, ENV(triple_fault_pending))

/* 16 registers of 4 and of 8 numbers: the wire has them one after the other, as this does. */
SUBSECTION(avx512, "avx512",
           any_set(c->opmask, sizeof c->opmask) || any_set(c->zmm_high, sizeof c->zmm_high) ||
               any_set(c->zmm_upper, sizeof c->zmm_upper),
           ENV_ARRAY_AS(opmask, "opmask_regs"),
           {.name = "env.zmm_high",
            .scalar = SCALAR_UINT64,
            .array = true,
            .offset = offsetof(CpuState, zmm_high),
            .size = 8,
            .count = 4 * CPU_REGS},
           {.name = "env.zmm_upper",
            .scalar = SCALAR_UINT64,
            .array = true,
            .offset = offsetof(CpuState, zmm_upper),
            .size = 8,
            .count = 8 * CPU_REGS})

#define ROW(symbol)                                                                                                    \
    {                                                                                                                  \
        .desc = &symbol##_state, .needed = symbol##_needed                                                             \
    }

const VMStateSubsection cpu_state_subsections[] = {
    ROW(async_pf), ROW(async_pf_int), ROW(pv_eoi),       ROW(steal_time), ROW(poll_control), ROW(fpu_last), ROW(adjust),
    ROW(deadline), ROW(misc),         ROW(feature),      ROW(pmu),        ROW(avx512),       ROW(xss),      ROW(umwait),
    ROW(tsc_khz),  ROW(smi_count),    ROW(pkru),         ROW(spec_ctrl),  ROW(tsc_scale),    ROW(mcg_ext),  ROW(ssbd),
    ROW(pdptrs),   ROW(xfd),          ROW(triple_fault), {.desc = NULL},
};

/* --- cpu -------------------------------------------------------------------------------------------------------- */

static bool refuse(GError **error, const char *field, int64_t value, const char *wanted)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s is %" G_GINT64_FORMAT ", %s", field, value, wanted);
    return false;
}

/* KVM_MP_STATE_RUNNABLE .. SIPI_RECEIVED (Linux, Documentation/virt/kvm/api.rst, 4.38); the rest is not of this
 * architecture. */
enum { MP_STATES = 5, VECTORS = 256, EXCEPTIONS = 32 };

bool cpu_state_check(const void *state, GError **error)
{
    const CpuState *c = state;

    if (c->fpu_format != 0)
        return refuse(error, "env.fpregs_format_vmstate", c->fpu_format, "only 0 is known");
    if (c->mp_state >= MP_STATES)
        return refuse(error, "env.mp_state", c->mp_state, "it must be between 0 and 4");
    if (c->interrupt_injected < CPU_INTERRUPT_NONE || c->interrupt_injected >= VECTORS)
        return refuse(error, "env.interrupt_injected", c->interrupt_injected, "it must be -1 or a vector");
    if (c->exception_nr < CPU_EXCEPTION_NONE || c->exception_nr >= EXCEPTIONS)
        return refuse(error, "env.exception_nr", c->exception_nr, "it must be -1 or an exception");
    if ((c->mcg_cap & 0xff) > CPU_MCE_BANKS)
        return refuse(error, "env.mcg_cap", (int64_t)(c->mcg_cap & 0xff), "there are at most 10 banks");
    return true;
}

const VMStateField cpu_state_fields[] = {
    ENV_ARRAY_AS(regs, "regs"),
    ENV_AS(rip, "eip"),
    ENV_AS(rflags, "eflags"),
    ENV(hflags),
    ENV_AS(fpu_control, "fpuc"),
    ENV_AS(fpu_status, "fpus_vmstate"),
    ENV_AS(fpu_tags, "fptag_vmstate"),
    ENV_AS(fpu_format, "fpregs_format_vmstate"),
    VMS_SUB_ARRAY(CpuState, fpregs, &fp_slot, .name = "env.fpregs"),
    VMS_SUB_ARRAY(CpuState, segs, &segment, .name = "env.segs"),
    VMS_SUB(CpuState, ldt, &segment, .name = "env.ldt"),
    VMS_SUB(CpuState, tr, &segment, .name = "env.tr"),
    VMS_SUB(CpuState, gdt, &segment, .name = "env.gdt"),
    VMS_SUB(CpuState, idt, &segment, .name = "env.idt"),
    ENV(sysenter_cs),
    ENV(sysenter_esp),
    ENV(sysenter_eip),
    ENV_AS(cr0, "cr[0]"),
    ENV_AS(cr2, "cr[2]"),
    ENV_AS(cr3, "cr[3]"),
    ENV_AS(cr4, "cr[4]"),
    ENV_ARRAY_AS(dr, "dr"),
    ENV(a20_mask),
    ENV(mxcsr),
    VMS_SUB_ARRAY(CpuState, xmm, &xmm, .name = "env.xmm_regs[0]"),
    ENV(efer),
    ENV(star),
    ENV(lstar),
    ENV(cstar),
    ENV(fmask),
    ENV_AS(kernel_gs_base, "kernelgsbase"),
    ENV(smbase),
    ENV(pat),
    ENV(hflags2),
    ENV(vm_hsave),
    ENV(vm_vmcb),
    ENV(tsc_offset),
    ENV(intercept),
    ENV(intercept_cr_read),
    ENV(intercept_cr_write),
    ENV(intercept_dr_read),
    ENV(intercept_dr_write),
    ENV(intercept_exceptions),
    ENV(v_tpr),
    ENV_ARRAY_AS(mtrr_fixed, "mtrr_fixed"),
    ENV(mtrr_deftype),
    VMS_SUB_ARRAY(CpuState, mtrr_var, &mtrr, .name = "env.mtrr_var"),
    ENV(interrupt_injected),
    ENV(mp_state),
    ENV(tsc),
    ENV(exception_nr),
    ENV(soft_interrupt),
    ENV(nmi_injected),
    ENV(nmi_pending),
    ENV(has_error_code),
    ENV(sipi_vector),
    ENV(mcg_cap),
    ENV(mcg_status),
    ENV(mcg_ctl),
    ENV_ARRAY_AS(mce_banks, "mce_banks"),
    ENV(tsc_aux),
    ENV(system_time_msr),
    ENV(wall_clock_msr),
    ENV(xcr0, .since = 12),
    ENV(xstate_bv, .since = 12),
    VMS_SUB_ARRAY(CpuState, ymm_high, &ymm_high, .name = "env.xmm_regs[1]", .since = 12),
    VMS_END,
};

const VMStateDescription cpu_state = CPU_STATE_DESCRIPTION();

/* --- cpu_common ------------------------------------------------------------------------------------------------- */

const VMStateField cpu_common_state_fields[] = {
    VMS_FIELD(CpuCommonState, halted),
    VMS_FIELD(CpuCommonState, interrupt_request),
    VMS_END,
};

const VMStateDescription cpu_common_state = CPU_COMMON_STATE_DESCRIPTION();

/* --- apic ------------------------------------------------------------------------------------------------------- */

static const VMStateField sipi_fields[] = {
    VMS_FIELD(ApicState, sipi_vector),
    VMS_FIELD(ApicState, wait_for_sipi),
    VMS_END,
};
static const VMStateDescription sipi = {.name = "apic_sipi", .version = 1, .minimum = 1, .fields = sipi_fields};

static bool sipi_needed(const void *state)
{
    return ((const ApicState *)state)->wait_for_sipi;
}

const VMStateSubsection apic_state_subsections[] = {{.desc = &sipi, .needed = sipi_needed}, {.desc = NULL}};

const VMStateField apic_state_fields[] = {
    VMS_FIELD(ApicState, apicbase),
    VMS_FIELD(ApicState, id),
    VMS_FIELD(ApicState, arb_id),
    VMS_FIELD(ApicState, tpr),
    VMS_FIELD(ApicState, spurious_vec),
    VMS_FIELD(ApicState, log_dest),
    VMS_FIELD(ApicState, dest_mode),
    VMS_ARRAY(ApicState, isr),
    VMS_ARRAY(ApicState, tmr),
    VMS_ARRAY(ApicState, irr),
    VMS_ARRAY(ApicState, lvt),
    VMS_FIELD(ApicState, esr),
    VMS_ARRAY(ApicState, icr),
    VMS_FIELD(ApicState, divide_conf),
    VMS_FIELD(ApicState, count_shift),
    VMS_FIELD(ApicState, initial_count),
    VMS_FIELD(ApicState, initial_count_load_time),
    VMS_FIELD(ApicState, next_time),
    VMS_FIELD(ApicState, timer_expiry),
    VMS_END,
};

bool apic_state_check(const void *state, GError **error)
{
    const ApicState *a = state;

    if (a->dest_mode > 15)
        return refuse(error, "dest_mode", a->dest_mode, "it has four bits");
    return true;
}

const VMStateDescription apic_state = APIC_STATE_DESCRIPTION();

/* --- reset ------------------------------------------------------------------------------------------------------ */

enum {
    SEG_DATA = 0x93 << CPU_SEG_TYPE_SHIFT, /* present, writable, accessed */
    SEG_CODE = 0x9b << CPU_SEG_TYPE_SHIFT,
    SEG_LDT = 0x82 << CPU_SEG_TYPE_SHIFT,
    SEG_TSS = 0x8b << CPU_SEG_TYPE_SHIFT,
    CR0_RESET = 0x60000010,
    FAMILY_6 = 0x600, /* in RDX */
    MP_RUNNABLE = 0,
    MP_UNINITIALIZED = 1,
};

static void reset_segments(CpuState *c)
{
    for (int i = 0; i < CPU_SEGS; i++)
        c->segs[i] = (CpuSegment){.limit = 0xffff, .flags = SEG_DATA};
    c->segs[CPU_CS] = (CpuSegment){.selector = 0xf000, .base = 0xffff0000, .limit = 0xffff, .flags = SEG_CODE};
    c->ldt = (CpuSegment){.limit = 0xffff, .flags = SEG_LDT};
    c->tr = (CpuSegment){.limit = 0xffff, .flags = SEG_TSS};
    c->gdt = c->idt = (CpuSegment){.limit = 0xffff};
}

void cpu_state_reset(CpuState *c, bool boot)
{
    *c = (CpuState){
        .rip = 0xfff0,
        .rflags = 2,
        .fpu_control = 0x37f,
        .cr0 = CR0_RESET,
        .a20_mask = -1,
        .mxcsr = 0x1f80,
        .smbase = 0x30000,
        .pat = UINT64_C(0x0007040600070406),
        .hflags2 = CPU_HFLAGS2_GIF | CPU_HFLAGS2_VGIF,
        .interrupt_injected = CPU_INTERRUPT_NONE,
        .exception_nr = CPU_EXCEPTION_NONE,
        .mp_state = boot ? MP_RUNNABLE : MP_UNINITIALIZED,
        .mcg_cap = CPU_MCG_CAP,
        .mcg_ctl = UINT64_MAX,
        .xcr0 = 1,
        .poll_control_msr = 1,
        .misc_enable = 1,
    };
    c->regs[2] = FAMILY_6;
    c->dr[4] = c->dr[6] = 0xffff0ff0; /* DR4 and DR5 are other names of DR6 and DR7 */
    c->dr[5] = c->dr[7] = 0x400;
    for (int i = 0; i < CPU_MCE_BANKS; i++)
        c->mce_banks[4 * i] = UINT64_MAX; /* every error is reported */
    reset_segments(c);
    cpu_state_set_hflags(c);
}

void apic_state_reset(ApicState *a, uint8_t id, bool boot)
{
    *a = (ApicState){
        .apicbase = 0xfee00800 | (boot ? 0x100 : 0),
        .id = id,
        .spurious_vec = 0xff,
        .dest_mode = 0xf,
        .timer_expiry = -1,
        .count_shift = 1,
    };
    for (int i = 0; i < 6; i++)
        a->lvt[i] = 0x10000; /* masked */
}

static uint32_t bit_if(bool condition, uint32_t bit)
{
    return condition ? bit : 0;
}

static uint32_t mode_hflags(const CpuState *c)
{
    const CpuSegment *cs = &c->segs[CPU_CS], *ss = &c->segs[CPU_SS];
    bool lma = c->efer & UINT64_C(0x400), long_mode = cs->flags & 1U << CPU_SEG_L_SHIFT;

    if (lma && long_mode)
        return CPU_HFLAGS_LMA | CPU_HFLAGS_CS32 | CPU_HFLAGS_SS32 | CPU_HFLAGS_CS64;
    uint32_t flags = bit_if(lma, CPU_HFLAGS_LMA) | bit_if(cs->flags & 1U << CPU_SEG_DB_SHIFT, CPU_HFLAGS_CS32) |
                     bit_if(ss->flags & 1U << CPU_SEG_DB_SHIFT, CPU_HFLAGS_SS32);
    bool flat = (c->cr0 & 1) && !(c->rflags & CPU_HFLAGS_VM) && (flags & CPU_HFLAGS_CS32);
    bool bases = c->segs[CPU_DS].base || c->segs[CPU_ES].base || ss->base;
    return flags | bit_if(!flat || bases, CPU_HFLAGS_ADDSEG);
}

void cpu_state_set_hflags(CpuState *c)
{
    uint32_t kept = c->hflags & (CPU_HFLAGS_INTERRUPT_SHADOW | CPU_HFLAGS_SMM);

    c->hflags = kept | (c->segs[CPU_SS].flags >> CPU_SEG_DPL_SHIFT & CPU_HFLAGS_CPL) | mode_hflags(c) |
                bit_if(c->cr0 & 1, CPU_HFLAGS_PE) | (uint32_t)(c->cr0 >> 1 & 7) << CPU_HFLAGS_MP_SHIFT |
                /* TF, IOPL, RF, VM have their bits of RFLAGS */
                ((uint32_t)c->rflags & (CPU_HFLAGS_TF | CPU_HFLAGS_IOPL | CPU_HFLAGS_RF | CPU_HFLAGS_VM)) |
                bit_if(c->efer & 0x1000, CPU_HFLAGS_SVME) | bit_if(c->cr4 & 0x200, CPU_HFLAGS_OSFXSR) |
                bit_if(c->cr4 & 0x800, CPU_HFLAGS_UMIP) |
                bit_if((c->cr4 & 0x40000) && (c->xcr0 & 6) == 6, CPU_HFLAGS_AVX);
}
