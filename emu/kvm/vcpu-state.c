/*
 * vcpu-state.c: a processor's state, between KVM's structs and ours.
 *
 * One function for each group of registers in each direction, side by side. Where KVM takes fewer registers than the
 * stream has (no AVX-512, say) the others must be as after reset: what cannot be kept is an error, not lost.
 */
#include "emu/kvm/vcpu-state.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "emu/kvm/vcpu-msr.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

typedef struct Access {
    const Kvm *kvm;
    int vcpu;
    GError **error;
} Access;

static bool refused(const Access *a, const char *what)
{
    g_set_error(a->error, FERRY_ERROR, FERRY_ERROR_REFUSED, "KVM refuses %s: %s", what, g_strerror(errno));
    return false;
}

static bool call(const Access *a, unsigned long request, void *argument, const char *what)
{
    return ioctl(a->vcpu, request, argument) >= 0 || refused(a, what);
}

/* --- general registers ------------------------------------------------------------------------------------------ */

enum { RFLAGS_VM = 1 << 17, CR0_PE = 1 };

/* Members of kvm_regs in the order of ours. */
static const size_t reg_offsets[CPU_REGS] = {
    offsetof(struct kvm_regs, rax), offsetof(struct kvm_regs, rcx), offsetof(struct kvm_regs, rdx),
    offsetof(struct kvm_regs, rbx), offsetof(struct kvm_regs, rsp), offsetof(struct kvm_regs, rbp),
    offsetof(struct kvm_regs, rsi), offsetof(struct kvm_regs, rdi), offsetof(struct kvm_regs, r8),
    offsetof(struct kvm_regs, r9),  offsetof(struct kvm_regs, r10), offsetof(struct kvm_regs, r11),
    offsetof(struct kvm_regs, r12), offsetof(struct kvm_regs, r13), offsetof(struct kvm_regs, r14),
    offsetof(struct kvm_regs, r15),
};

static bool read_regs(const Access *a, CpuState *c)
{
    struct kvm_regs regs;

    if (!call(a, KVM_GET_REGS, &regs, "to tell the general registers"))
        return false;
    for (int i = 0; i < CPU_REGS; i++)
        memcpy(&c->regs[i], (char *)&regs + reg_offsets[i], 8);
    c->rip = regs.rip;
    c->rflags = regs.rflags;
    return true;
}

static bool write_regs(const Access *a, const CpuState *c)
{
    struct kvm_regs regs = {.rip = c->rip, .rflags = c->rflags};

    for (int i = 0; i < CPU_REGS; i++)
        memcpy((char *)&regs + reg_offsets[i], &c->regs[i], 8);
    return call(a, KVM_SET_REGS, &regs, "the general registers");
}

/* --- segments and control registers ------------------------------------------------------------------------------ */

static CpuSegment segment_from(const struct kvm_segment *s)
{
    CpuSegment ours = {.selector = s->selector, .base = s->base, .limit = s->limit};

    if (!s->unusable)
        ours.flags = (uint32_t)s->type << CPU_SEG_TYPE_SHIFT | (uint32_t)s->s << CPU_SEG_S_SHIFT |
                     (uint32_t)s->dpl << CPU_SEG_DPL_SHIFT | (uint32_t)s->present << CPU_SEG_P_SHIFT |
                     (uint32_t)s->avl << CPU_SEG_AVL_SHIFT | (uint32_t)s->l << CPU_SEG_L_SHIFT |
                     (uint32_t)s->db << CPU_SEG_DB_SHIFT | (uint32_t)s->g << CPU_SEG_G_SHIFT;
    return ours;
}

static struct kvm_segment segment_to(const CpuSegment *s)
{
    return (struct kvm_segment){
        .selector = (uint16_t)s->selector,
        .base = s->base,
        .limit = s->limit,
        .type = s->flags >> CPU_SEG_TYPE_SHIFT & 15,
        .s = s->flags >> CPU_SEG_S_SHIFT & 1,
        .dpl = s->flags >> CPU_SEG_DPL_SHIFT & 3,
        .present = s->flags >> CPU_SEG_P_SHIFT & 1,
        .avl = s->flags >> CPU_SEG_AVL_SHIFT & 1,
        .l = s->flags >> CPU_SEG_L_SHIFT & 1,
        .db = s->flags >> CPU_SEG_DB_SHIFT & 1,
        .g = s->flags >> CPU_SEG_G_SHIFT & 1,
        .unusable = !(s->flags >> CPU_SEG_P_SHIFT & 1),
    };
}

static struct kvm_dtable table_to(const CpuSegment *s)
{
    return (struct kvm_dtable){.base = s->base, .limit = (uint16_t)s->limit};
}

/* Outside protected mode nobody has privileges, but a processor that left it may keep old ones in its segments. */
static void clear_stale_privileges(CpuState *c)
{
    const uint32_t dpl = 3U << CPU_SEG_DPL_SHIFT;

    if (!(c->cr0 & CR0_PE) && (c->segs[CPU_CS].flags & dpl))
        for (int i = 0; i < CPU_SEGS; i++)
            c->segs[i].flags &= ~dpl;
}

static bool read_sregs(const Access *a, CpuState *c, ApicState *apic)
{
    struct kvm_sregs s;

    if (!call(a, KVM_GET_SREGS, &s, "to tell the segment registers"))
        return false;
    const struct kvm_segment *segs[CPU_SEGS] = {&s.es, &s.cs, &s.ss, &s.ds, &s.fs, &s.gs};
    for (int i = 0; i < CPU_SEGS; i++)
        c->segs[i] = segment_from(segs[i]);
    c->ldt = segment_from(&s.ldt);
    c->tr = segment_from(&s.tr);
    c->gdt = (CpuSegment){.base = s.gdt.base, .limit = s.gdt.limit};
    c->idt = (CpuSegment){.base = s.idt.base, .limit = s.idt.limit};
    c->cr0 = s.cr0;
    c->cr2 = s.cr2;
    c->cr3 = s.cr3;
    c->cr4 = s.cr4;
    c->efer = s.efer;
    if (apic)
        apic->apicbase = (uint32_t)s.apic_base;
    clear_stale_privileges(c);
    return true;
}

static bool write_sregs(const Access *a, const CpuState *c, const ApicState *apic)
{
    CpuState fixed = *c;
    struct kvm_sregs s;

    /* the interrupt bitmap and, without a LAPIC of ours, the APIC base stay */
    if (!call(a, KVM_GET_SREGS, &s, "to tell the segment registers"))
        return false;
    clear_stale_privileges(&fixed);
    struct kvm_segment *segs[CPU_SEGS] = {&s.es, &s.cs, &s.ss, &s.ds, &s.fs, &s.gs};
    for (int i = 0; i < CPU_SEGS; i++)
        *segs[i] = segment_to(&fixed.segs[i]);
    s.ldt = segment_to(&fixed.ldt);
    s.tr = segment_to(&fixed.tr);
    s.gdt = table_to(&fixed.gdt);
    s.idt = table_to(&fixed.idt);
    s.cr0 = c->cr0;
    s.cr2 = c->cr2;
    s.cr3 = c->cr3;
    s.cr4 = c->cr4;
    s.efer = c->efer;
    s.cr8 = apic ? apic->tpr >> 4 : s.cr8;
    s.apic_base = apic ? apic->apicbase : s.apic_base;
    /* an interrupt that is on its way travels with the events */
    memset(s.interrupt_bitmap, 0, sizeof s.interrupt_bitmap);
    g_autofree char *what =
        g_strdup_printf("CR0 0x%" G_GINT64_MODIFIER "x, CR3 0x%" G_GINT64_MODIFIER "x, CR4 0x%" G_GINT64_MODIFIER
                        "x, EFER 0x%" G_GINT64_MODIFIER "x, APIC base 0x%llx and the segments with them",
                        c->cr0, c->cr3, c->cr4, c->efer, s.apic_base);
    return call(a, KVM_SET_SREGS, &s, what);
}

/* --- XSAVE ------------------------------------------------------------------------------------------------------ */

/* The legacy region and the header (SDM volume 1, table 13-1). */
enum {
    XSAVE_FCW = 0,
    XSAVE_FSW = 2,
    XSAVE_FTW = 4,
    XSAVE_FOP = 6,
    XSAVE_FIP = 8,
    XSAVE_FDP = 16,
    XSAVE_MXCSR = 24,
    XSAVE_ST = 32,
    XSAVE_XMM = 160,
    XSAVE_BV = 512,
};

/* A part of the area and where it is in ours. `at` is 0 if KVM does not have it. */
typedef struct XsavePart {
    const char *name;
    size_t at, offset, size;
} XsavePart;

enum { XSAVE_PARTS = 13 };

static void list_parts(const KvmXsave *x, XsavePart parts[XSAVE_PARTS])
{
    const XsavePart all[XSAVE_PARTS] = {
        {"FOP", XSAVE_FOP, offsetof(CpuState, fpu_opcode), 2},
        {"FSW", XSAVE_FSW, offsetof(CpuState, fpu_status), 2},
        {"FTW", XSAVE_FTW, offsetof(CpuState, fpu_tags), 1},
        {"FIP", XSAVE_FIP, offsetof(CpuState, fpu_ip), 8},
        {"FDP", XSAVE_FDP, offsetof(CpuState, fpu_dp), 8},
        {"MXCSR", XSAVE_MXCSR, offsetof(CpuState, mxcsr), 4},
        {"XMM", XSAVE_XMM, offsetof(CpuState, xmm), sizeof((CpuState *)0)->xmm},
        {"XSTATE_BV", XSAVE_BV, offsetof(CpuState, xstate_bv), 8},
        {"YMM", x->avx, offsetof(CpuState, ymm_high), sizeof((CpuState *)0)->ymm_high},
        {"opmask", x->opmask, offsetof(CpuState, opmask), sizeof((CpuState *)0)->opmask},
        {"ZMM0-15", x->zmm_high, offsetof(CpuState, zmm_high), sizeof((CpuState *)0)->zmm_high},
        {"ZMM16-31", x->zmm_upper, offsetof(CpuState, zmm_upper), sizeof((CpuState *)0)->zmm_upper},
        {"PKRU", x->pkru, offsetof(CpuState, pkru), 4},
    };

    memcpy(parts, all, sizeof all);
}

static bool read_xsave(const Access *a, CpuState *c)
{
    const KvmXsave *x = &a->kvm->xsave;
    g_autofree uint8_t *area = g_malloc0(x->size);
    XsavePart parts[XSAVE_PARTS];

    list_parts(x, parts);
    if (!call(a, x->size > sizeof(struct kvm_xsave) ? KVM_GET_XSAVE2 : KVM_GET_XSAVE, area, "to tell the XSAVE area"))
        return false;
    memcpy(&c->fpu_control, area + XSAVE_FCW, 2);
    for (int i = 0; i < XSAVE_PARTS; i++)
        if (parts[i].at)
            memcpy((char *)c + parts[i].offset, area + parts[i].at, parts[i].size);
    c->fpu_tags &= 0xff;
    for (int i = 0; i < 8; i++) {
        memcpy(&c->fpregs[i].reg.mantissa, area + XSAVE_ST + 16 * i, 8);
        memcpy(&c->fpregs[i].reg.exponent, area + XSAVE_ST + 16 * i + 8, 2);
    }
    return true;
}

static bool write_xsave(const Access *a, const CpuState *c)
{
    const KvmXsave *x = &a->kvm->xsave;
    g_autofree uint8_t *area = g_malloc0(x->size);
    XsavePart parts[XSAVE_PARTS];

    list_parts(x, parts);
    memcpy(area + XSAVE_FCW, &c->fpu_control, 2);
    for (int i = 0; i < XSAVE_PARTS; i++) {
        if (parts[i].at) {
            memcpy(area + parts[i].at, (const char *)c + parts[i].offset, parts[i].size);
        } else if (!bytes_are_zero((const uint8_t *)c + parts[i].offset, parts[i].size)) {
            g_set_error(a->error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the state has %s, this processor has none",
                        parts[i].name);
            return false;
        }
    }
    for (int i = 0; i < 8; i++) {
        memcpy(area + XSAVE_ST + 16 * i, &c->fpregs[i].reg.mantissa, 8);
        memcpy(area + XSAVE_ST + 16 * i + 8, &c->fpregs[i].reg.exponent, 2);
    }
    g_autofree char *what = g_strdup_printf("the XSAVE area with XSTATE_BV 0x%" G_GINT64_MODIFIER "x and MXCSR 0x%x",
                                            c->xstate_bv, c->mxcsr);
    return call(a, KVM_SET_XSAVE, area, what);
}

static bool read_xcrs(const Access *a, CpuState *c)
{
    struct kvm_xcrs xcrs;

    if (!kvm_capability(a->kvm, KVM_CAP_XCRS))
        return true;
    if (!call(a, KVM_GET_XCRS, &xcrs, "to tell XCR0"))
        return false;
    for (unsigned i = 0; i < xcrs.nr_xcrs; i++)
        if (xcrs.xcrs[i].xcr == 0)
            c->xcr0 = xcrs.xcrs[i].value;
    return true;
}

static bool write_xcrs(const Access *a, const CpuState *c)
{
    struct kvm_xcrs xcrs = {.nr_xcrs = 1, .xcrs[0].value = c->xcr0};
    g_autofree char *what = g_strdup_printf("XCR0 0x%" G_GINT64_MODIFIER "x", c->xcr0);

    return !kvm_capability(a->kvm, KVM_CAP_XCRS) || call(a, KVM_SET_XCRS, &xcrs, what);
}

/* --- events ----------------------------------------------------------------------------------------------------- */

enum { NO_ERROR_CODE = 0 }; /* the wire says whether there is one, not which */

static bool read_events(const Access *a, CpuState *c)
{
    struct kvm_vcpu_events e;

    if (!call(a, KVM_GET_VCPU_EVENTS, &e, "to tell the pending events"))
        return false;
    c->exception_nr = e.exception.injected || e.exception.pending ? e.exception.nr : CPU_EXCEPTION_NONE;
    c->has_error_code = e.exception.has_error_code;
    c->interrupt_injected = e.interrupt.injected ? e.interrupt.nr : CPU_INTERRUPT_NONE;
    c->soft_interrupt = e.interrupt.soft;
    c->nmi_injected = e.nmi.injected;
    c->nmi_pending = e.nmi.pending;
    c->sipi_vector = e.sipi_vector;
    c->hflags = e.interrupt.shadow ? CPU_HFLAGS_INTERRUPT_SHADOW : 0;
    if (!(e.flags & KVM_VCPUEVENT_VALID_SMM))
        memset(&e.smi, 0, sizeof e.smi);
    c->hflags |= e.smi.smm ? CPU_HFLAGS_SMM : 0;
    c->smi_pending = e.smi.pending;
    c->init_latched = e.smi.latched_init;
    c->hflags2 &= ~(uint32_t)(CPU_HFLAGS2_NMI | CPU_HFLAGS2_SMM_INSIDE_NMI);
    c->hflags2 |= (e.nmi.masked ? CPU_HFLAGS2_NMI : 0) | (e.smi.smm_inside_nmi ? CPU_HFLAGS2_SMM_INSIDE_NMI : 0);
    if (e.flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
        c->triple_fault_pending = e.triple_fault.pending;
    return true;
}

/* Where there is no system management mode nobody can be in it, or be about to get there. */
static bool check_smm(const Access *a, const CpuState *c)
{
    if (a->kvm->smm || !(c->smi_pending || (c->hflags & CPU_HFLAGS_SMM)))
        return true;
    g_set_error(a->error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "the state is of a processor that %s system management mode, which this KVM does not have",
                c->hflags & CPU_HFLAGS_SMM ? "is in" : "has an interrupt to");
    return false;
}

static bool add_smm(const Access *a, const CpuState *c, struct kvm_vcpu_events *e)
{
    struct kvm_mp_state runs = {.mp_state = KVM_MP_STATE_RUNNABLE};
    struct kvm_vcpu_events before;

    /* an SMI that the processor has not seen yet becomes a pending one by being asked for, and only that can go */
    if (!call(a, KVM_GET_VCPU_EVENTS, &before, "to tell the pending events"))
        return false;
    e->flags |= KVM_VCPUEVENT_VALID_SMM;
    e->smi.smm = (c->hflags & CPU_HFLAGS_SMM) != 0;
    e->smi.pending = c->smi_pending;
    e->smi.smm_inside_nmi = (c->hflags2 & CPU_HFLAGS2_SMM_INSIDE_NMI) != 0;
    e->smi.latched_init = c->init_latched;
    /* nor may it wait for a SIPI then, as it may have done so far */
    return !(e->smi.smm || e->smi.pending) || !a->kvm->irqchip || call(a, KVM_SET_MP_STATE, &runs, "to run");
}

static bool write_events(const Access *a, const CpuState *c)
{
    struct kvm_vcpu_events e = {
        .exception.injected = c->exception_nr >= 0,
        .exception.nr = (uint8_t)MAX(c->exception_nr, 0),
        .exception.has_error_code = c->has_error_code,
        .exception.error_code = NO_ERROR_CODE,
        .interrupt.injected = c->interrupt_injected >= 0,
        .interrupt.nr = (uint8_t)MAX(c->interrupt_injected, 0),
        .interrupt.soft = c->soft_interrupt,
        .interrupt.shadow = c->hflags & CPU_HFLAGS_INTERRUPT_SHADOW ? KVM_X86_SHADOW_INT_STI : 0,
        .nmi.injected = c->nmi_injected,
        .nmi.pending = c->nmi_pending,
        .nmi.masked = (c->hflags2 & CPU_HFLAGS2_NMI) != 0,
        .sipi_vector = c->sipi_vector,
        .flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
    };

    /* a waiting processor's vector counts, of any other it must not be touched */
    if (c->mp_state == KVM_MP_STATE_SIPI_RECEIVED)
        e.flags |= KVM_VCPUEVENT_VALID_SIPI_VECTOR;
    if (c->triple_fault_pending) {
        e.flags |= KVM_VCPUEVENT_VALID_TRIPLE_FAULT;
        e.triple_fault.pending = 1;
    }
    return (!a->kvm->smm || add_smm(a, c, &e)) && call(a, KVM_SET_VCPU_EVENTS, &e, "the pending events");
}

static bool read_mp_state(const Access *a, CpuState *c)
{
    struct kvm_mp_state state;

    if (!call(a, KVM_GET_MP_STATE, &state, "to tell whether it waits"))
        return false;
    c->mp_state = state.mp_state;
    return true;
}

static bool write_mp_state(const Access *a, const CpuState *c)
{
    struct kvm_mp_state state = {.mp_state = c->mp_state};
    g_autofree char *what = g_strdup_printf("MP state %u", c->mp_state);

    /* without a LAPIC in the kernel nobody waits there */
    return !a->kvm->irqchip || call(a, KVM_SET_MP_STATE, &state, what);
}

static bool read_debug(const Access *a, CpuState *c)
{
    struct kvm_debugregs d;

    if (!call(a, KVM_GET_DEBUGREGS, &d, "to tell the debug registers"))
        return false;
    memcpy(c->dr, d.db, sizeof d.db);
    c->dr[4] = c->dr[6] = d.dr6;
    c->dr[5] = c->dr[7] = d.dr7;
    return true;
}

static bool write_debug(const Access *a, const CpuState *c)
{
    struct kvm_debugregs d = {.dr6 = c->dr[6], .dr7 = c->dr[7]};
    g_autofree char *what =
        g_strdup_printf("DR6 0x%" G_GINT64_MODIFIER "x and DR7 0x%" G_GINT64_MODIFIER "x", c->dr[6], c->dr[7]);

    memcpy(d.db, c->dr, sizeof d.db);
    return call(a, KVM_SET_DEBUGREGS, &d, what);
}

/* --- LAPIC ------------------------------------------------------------------------------------------------------ */

/* Registers (APM volume 2, table 16-2). */
enum {
    APIC_ID = 0x20,
    APIC_TPR = 0x80,
    APIC_ARB = 0x90,
    APIC_LDR = 0xd0,
    APIC_DFR = 0xe0,
    APIC_SVR = 0xf0,
    APIC_ISR = 0x100,
    APIC_TMR = 0x180,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR = 0x300,
    APIC_LVT = 0x320,
    APIC_INITIAL_COUNT = 0x380,
    APIC_CURRENT_COUNT = 0x390,
    APIC_DIVIDE = 0x3e0,
    APIC_STEP = 0x10,
};

static uint32_t get_apic(const struct kvm_lapic_state *k, unsigned reg)
{
    uint32_t value;

    memcpy(&value, k->regs + reg, 4);
    return value;
}

static void set_apic(struct kvm_lapic_state *k, unsigned reg, uint32_t value)
{
    memcpy(k->regs + reg, &value, 4);
}

/* Bits 0, 1 and 3 of the divide configuration: 0 divides by 2, and so on; 7 by 1. */
static int count_shift(uint32_t divide)
{
    return (int)(((divide & 3) | (divide >> 1 & 4)) + 1) & 7;
}

static bool read_apic(const Access *a, ApicState *s)
{
    struct kvm_lapic_state k;

    if (!call(a, KVM_GET_LAPIC, &k, "to tell the LAPIC"))
        return false;
    s->id = (uint8_t)(get_apic(&k, APIC_ID) >> 24);
    s->arb_id = (uint8_t)(get_apic(&k, APIC_ARB) >> 24);
    s->tpr = (uint8_t)get_apic(&k, APIC_TPR);
    s->spurious_vec = get_apic(&k, APIC_SVR);
    s->log_dest = (uint8_t)(get_apic(&k, APIC_LDR) >> 24);
    s->dest_mode = (uint8_t)(get_apic(&k, APIC_DFR) >> 28);
    for (unsigned i = 0; i < 8; i++) {
        s->isr[i] = get_apic(&k, APIC_ISR + i * APIC_STEP);
        s->tmr[i] = get_apic(&k, APIC_TMR + i * APIC_STEP);
        s->irr[i] = get_apic(&k, APIC_IRR + i * APIC_STEP);
    }
    for (unsigned i = 0; i < 6; i++)
        s->lvt[i] = get_apic(&k, APIC_LVT + i * APIC_STEP);
    s->esr = get_apic(&k, APIC_ESR);
    s->icr[0] = get_apic(&k, APIC_ICR);
    s->icr[1] = get_apic(&k, APIC_ICR + APIC_STEP);
    s->divide_conf = get_apic(&k, APIC_DIVIDE);
    s->count_shift = count_shift(s->divide_conf);
    s->initial_count = get_apic(&k, APIC_INITIAL_COUNT);
    s->current_count = get_apic(&k, APIC_CURRENT_COUNT);
    s->timer_expiry = -1; /* the kernel's business */
    return true;
}

static bool write_apic(const Access *a, const ApicState *s)
{
    struct kvm_lapic_state k = {.regs = {0}};

    set_apic(&k, APIC_ID, (uint32_t)s->id << 24);
    set_apic(&k, APIC_ARB, (uint32_t)s->arb_id << 24);
    set_apic(&k, APIC_TPR, s->tpr);
    set_apic(&k, APIC_SVR, s->spurious_vec);
    set_apic(&k, APIC_LDR, (uint32_t)s->log_dest << 24);
    set_apic(&k, APIC_DFR, (uint32_t)s->dest_mode << 28 | 0x0fffffff);
    for (unsigned i = 0; i < 8; i++) {
        set_apic(&k, APIC_ISR + i * APIC_STEP, s->isr[i]);
        set_apic(&k, APIC_TMR + i * APIC_STEP, s->tmr[i]);
        set_apic(&k, APIC_IRR + i * APIC_STEP, s->irr[i]);
    }
    for (unsigned i = 0; i < 6; i++)
        set_apic(&k, APIC_LVT + i * APIC_STEP, s->lvt[i]);
    set_apic(&k, APIC_ESR, s->esr);
    set_apic(&k, APIC_ICR, s->icr[0]);
    set_apic(&k, APIC_ICR + APIC_STEP, s->icr[1]);
    set_apic(&k, APIC_DIVIDE, s->divide_conf);
    set_apic(&k, APIC_INITIAL_COUNT, s->initial_count);
    set_apic(&k, APIC_CURRENT_COUNT, s->current_count);
    g_autofree char *what = g_strdup_printf("the LAPIC of id %u", s->id);
    return call(a, KVM_SET_LAPIC, &k, what);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

bool vcpu_state_read(const Kvm *kvm, int vcpu, CpuState *cpu, ApicState *apic, GError **error)
{
    const Access a = {.kvm = kvm, .vcpu = vcpu, .error = error};

    if (!read_events(&a, cpu) || !read_mp_state(&a, cpu) || !read_regs(&a, cpu) || !read_xsave(&a, cpu) ||
        !read_xcrs(&a, cpu) || !read_sregs(&a, cpu, apic) || (apic && !read_apic(&a, apic)) || !read_debug(&a, cpu))
        return false;
    vcpu_msr_read(kvm, vcpu, cpu);
    cpu_state_set_hflags(cpu);
    return true;
}

bool vcpu_state_write(const Kvm *kvm, int vcpu, const CpuState *cpu, const ApicState *apic, GError **error)
{
    const Access a = {.kvm = kvm, .vcpu = vcpu, .error = error};

    /* the LAPIC behind its base, the timer's deadline behind the LAPIC, the events when the mode is the right one */
    return check_smm(&a, cpu) && write_sregs(&a, cpu, apic) && write_regs(&a, cpu) && write_xcrs(&a, cpu) &&
           write_xsave(&a, cpu) && vcpu_msr_write(kvm, vcpu, cpu, error) &&
           (!apic || !kvm->irqchip || write_apic(&a, apic)) && write_events(&a, cpu) && write_mp_state(&a, cpu) &&
           vcpu_msr_write_deadline(kvm, vcpu, cpu, error) && write_debug(&a, cpu);
}

/* --- signals ---------------------------------------------------------------------------------------------------- */

enum { CR0_CACHES = 0x60000000 }; /* CD and NW */

bool vcpu_state_init(const Kvm *kvm, int vcpu, GError **error)
{
    const Access a = {.kvm = kvm, .vcpu = vcpu, .error = error};
    CpuState before, after;

    cpu_state_reset(&before, true);
    cpu_state_reset(&after, true);
    if (!read_sregs(&a, &before, NULL) || !read_events(&a, &before))
        return false;
    after.cr0 = (after.cr0 & ~(uint64_t)CR0_CACHES) | (before.cr0 & CR0_CACHES);
    after.smi_pending = before.smi_pending;
    return write_sregs(&a, &after, NULL) && write_regs(&a, &after) && write_events(&a, &after) &&
           write_debug(&a, &after);
}

bool vcpu_state_start(const Kvm *kvm, int vcpu, uint8_t page, GError **error)
{
    const Access a = {.kvm = kvm, .vcpu = vcpu, .error = error};
    CpuState c;

    cpu_state_reset(&c, true);
    if (!read_sregs(&a, &c, NULL) || !read_regs(&a, &c))
        return false;
    c.segs[CPU_CS].selector = (uint32_t)page << 8;
    c.segs[CPU_CS].base = (uint64_t)page << 12;
    c.rip = 0;
    return write_sregs(&a, &c, NULL) && write_regs(&a, &c);
}
