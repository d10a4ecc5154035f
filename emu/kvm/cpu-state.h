/*
 * cpu-state.h: what is saved of a processor: the sections "cpu_common", "cpu" and "apic" of QEMU 7.2.
 *
 * These are plain structs in the order of the wire. vcpu-state.h fills them from KVM and writes them back; a tool or a
 * test can do without.
 */
#ifndef EMU_KVM_CPU_STATE_H
#define EMU_KVM_CPU_STATE_H

#include "vmstate/desc.h"

enum {
    CPU_REGS = 16,
    CPU_MCE_BANKS = 10,
    CPU_MCG_CAP = 0x1000100 | CPU_MCE_BANKS, /* MCG_CTL is there, and software recovery */
    CPU_PMU_FIXED = 3,
    CPU_PMU_COUNTERS = 18,
    CPU_EXCEPTION_NONE = -1,
    CPU_INTERRUPT_NONE = -1,
};

/* The order of CpuState.segs, which is that of the instruction encoding. */
enum { CPU_ES, CPU_CS, CPU_SS, CPU_DS, CPU_FS, CPU_GS, CPU_SEGS };

/* CpuSegment.flags: the second doubleword of a descriptor (AMD64 APM volume 2, section 4.7). */
enum {
    CPU_SEG_TYPE_SHIFT = 8,
    CPU_SEG_S_SHIFT = 12,
    CPU_SEG_DPL_SHIFT = 13,
    CPU_SEG_P_SHIFT = 15, /* clear: the segment is unusable */
    CPU_SEG_AVL_SHIFT = 20,
    CPU_SEG_L_SHIFT = 21,
    CPU_SEG_DB_SHIFT = 22,
    CPU_SEG_G_SHIFT = 23,
};

/* CpuState.hflags: what QEMU keeps of other registers, in its own numbering (all but CPL and SMM follow from them). */
enum {
    CPU_HFLAGS_CPL = 3,
    CPU_HFLAGS_INTERRUPT_SHADOW = 1 << 3,
    CPU_HFLAGS_CS32 = 1 << 4,
    CPU_HFLAGS_SS32 = 1 << 5,
    CPU_HFLAGS_ADDSEG = 1 << 6,
    CPU_HFLAGS_PE = 1 << 7,
    CPU_HFLAGS_TF = 1 << 8,
    CPU_HFLAGS_MP_SHIFT = 9, /* MP, EM, TS: bits 1 to 3 of CR0 */
    CPU_HFLAGS_IOPL = 3 << 12,
    CPU_HFLAGS_LMA = 1 << 14,
    CPU_HFLAGS_CS64 = 1 << 15,
    CPU_HFLAGS_RF = 1 << 16,
    CPU_HFLAGS_VM = 1 << 17,
    CPU_HFLAGS_SMM = 1 << 19,
    CPU_HFLAGS_SVME = 1 << 20,
    CPU_HFLAGS_OSFXSR = 1 << 22,
    CPU_HFLAGS_UMIP = 1 << 27,
    CPU_HFLAGS_AVX = 1 << 28,

    CPU_HFLAGS2_GIF = 1 << 0,
    CPU_HFLAGS2_NMI = 1 << 2,
    CPU_HFLAGS2_SMM_INSIDE_NMI = 1 << 4,
    CPU_HFLAGS2_VGIF = 1 << 8,
};

typedef struct CpuSegment {
    uint32_t selector;
    uint64_t base;
    uint32_t limit; /* in octets */
    uint32_t flags;
} CpuSegment;

typedef struct CpuFpReg {
    uint64_t mantissa;
    uint16_t exponent; /* with the sign */
} CpuFpReg;

typedef struct CpuFpSlot {
    CpuFpReg reg; /* the wire has a struct around it */
} CpuFpSlot;

typedef struct CpuXmm {
    uint64_t q[2]; /* the low half first */
} CpuXmm;

typedef struct CpuMtrr {
    uint64_t base, mask;
} CpuMtrr;

typedef struct CpuPmu {
    uint64_t fixed_ctr_ctrl, global_ctrl, global_status, global_ovf_ctrl;
    uint64_t fixed_counters[CPU_PMU_FIXED], counters[CPU_PMU_COUNTERS], evtsel[CPU_PMU_COUNTERS];
} CpuPmu;

typedef struct CpuState {
    uint64_t regs[CPU_REGS]; /* RAX RCX RDX RBX RSP RBP RSI RDI R8..R15 */
    uint64_t rip, rflags;
    uint32_t hflags;
    uint16_t fpu_control, fpu_status;
    uint16_t fpu_tags; /* a bit for each register in use */
    uint16_t fpu_format;
    CpuFpSlot fpregs[8];
    CpuSegment segs[CPU_SEGS], ldt, tr, gdt, idt;
    uint32_t sysenter_cs;
    uint64_t sysenter_esp, sysenter_eip;
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t dr[8];
    int32_t a20_mask;
    uint32_t mxcsr;
    CpuXmm xmm[CPU_REGS];
    uint64_t efer, star, lstar, cstar, fmask, kernel_gs_base;
    uint32_t smbase;
    uint64_t pat;
    uint32_t hflags2;
    uint64_t vm_hsave, vm_vmcb, tsc_offset, intercept;
    uint16_t intercept_cr_read, intercept_cr_write, intercept_dr_read, intercept_dr_write;
    uint32_t intercept_exceptions;
    uint8_t v_tpr;
    uint64_t mtrr_fixed[11], mtrr_deftype;
    CpuMtrr mtrr_var[8];
    int32_t interrupt_injected; /* the vector, CPU_INTERRUPT_NONE */
    uint32_t mp_state;          /* KVM_MP_STATE_* */
    uint64_t tsc;
    int32_t exception_nr; /* the vector, CPU_EXCEPTION_NONE */
    uint8_t soft_interrupt, nmi_injected, nmi_pending, has_error_code;
    uint32_t sipi_vector;
    uint64_t mcg_cap, mcg_status, mcg_ctl;
    uint64_t mce_banks[4 * CPU_MCE_BANKS]; /* CTL STATUS ADDR MISC of each */
    uint64_t tsc_aux, system_time_msr, wall_clock_msr;
    uint64_t xcr0, xstate_bv;
    CpuXmm ymm_high[CPU_REGS];

    /* Subsections. */
    uint64_t async_pf_en_msr, async_pf_int_msr, pv_eoi_en_msr, steal_time_msr, poll_control_msr;
    uint16_t fpu_opcode;
    uint64_t fpu_ip, fpu_dp;
    uint64_t tsc_adjust, tsc_deadline, misc_enable, feature_control;
    CpuPmu pmu;
    uint64_t opmask[8];
    uint64_t zmm_high[CPU_REGS][4], zmm_upper[CPU_REGS][8]; /* bits 256-511 of 0 to 15; 16 to 31 */
    uint64_t xss;
    uint32_t umwait;
    int64_t tsc_khz; /* 0: not known */
    uint64_t smi_count;
    uint32_t pkru;
    uint64_t spec_ctrl, amd_tsc_scale, mcg_ext_ctl, virt_ssbd;
    bool pdptrs_valid;
    uint64_t pdptrs[4];
    uint64_t xfd, xfd_err;
    uint8_t triple_fault_pending;

    /* What cpu_common has for it. */
    bool smi_pending, init_latched; /* a processor in system management mode takes them when it leaves it */
} CpuState;

/* CpuCommonState.interrupt_request, in QEMU's numbering. */
enum { CPU_REQUEST_HARD = 1 << 1, CPU_REQUEST_SMI = 1 << 6, CPU_REQUEST_INIT = 1 << 10 };

typedef struct CpuCommonState {
    uint32_t halted;
    uint32_t interrupt_request;
} CpuCommonState;

typedef struct ApicState {
    uint32_t apicbase;
    uint8_t id, arb_id, tpr;
    uint32_t spurious_vec;
    uint8_t log_dest, dest_mode;
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t lvt[6]; /* timer, thermal, performance, LINT0, LINT1, error */
    uint32_t esr, icr[2];
    uint32_t divide_conf;
    int32_t count_shift;
    uint32_t initial_count;
    int64_t initial_count_load_time; /* virtual ns */
    int64_t next_time, timer_expiry;
    int32_t sipi_vector, wait_for_sipi; /* subsection */
    uint32_t current_count;             /* of a LAPIC of KVM's: what the timer still counts; not saved as such */
} ApicState;

/* Without pull and push: of a processor that nobody runs. */
extern const VMStateDescription cpu_state, cpu_common_state, apic_state;

/* Whoever has the processor makes descriptions with those hooks. */
#define CPU_STATE_DESCRIPTION(...)                                                                                     \
    {                                                                                                                  \
        .name = "cpu", .version = 12, .minimum = 11, .size = sizeof(CpuState), .fields = cpu_state_fields,             \
        .subsections = cpu_state_subsections, .check = cpu_state_check, ##__VA_ARGS__                                  \
    }
#define CPU_COMMON_STATE_DESCRIPTION(...)                                                                              \
    {                                                                                                                  \
        .name = "cpu_common", .version = 1, .minimum = 1, .size = sizeof(CpuCommonState),                              \
        .fields = cpu_common_state_fields, ##__VA_ARGS__                                                               \
    }
#define APIC_STATE_DESCRIPTION(...)                                                                                    \
    {                                                                                                                  \
        .name = "apic", .version = 3, .minimum = 3, .size = sizeof(ApicState), .fields = apic_state_fields,            \
        .subsections = apic_state_subsections, .check = apic_state_check, ##__VA_ARGS__                                \
    }

extern const VMStateField cpu_state_fields[], cpu_common_state_fields[], apic_state_fields[];
extern const VMStateSubsection cpu_state_subsections[], apic_state_subsections[];
bool cpu_state_check(const void *state, GError **error);
bool apic_state_check(const void *state, GError **error);

/* As after a power-on reset (AMD64 APM volume 2, section 14.1.3). The boot processor runs, others wait for INIT. */
void cpu_state_reset(CpuState *cpu, bool boot);
void apic_state_reset(ApicState *apic, uint8_t id, bool boot);

/* Makes hflags what the other registers say; the interrupt shadow and SMM are those that it had. */
void cpu_state_set_hflags(CpuState *cpu);

#endif
