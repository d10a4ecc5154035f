/*
 * core.c: writes guest memory and registers as an ELF core file.
 *
 * Source: the ELF specification; System V ABI, AMD64 supplement (core notes as Linux writes them: elf_prstatus,
 * user_fpregs_struct); the note of name QEMU that QEMU's dump-guest-memory writes (version 1), from which crash takes
 * control and segment registers. Program headers give guest-physical addresses, in p_paddr and p_vaddr alike.
 */
#include "tools/vmstate-dump/core.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#include "vmstate/state.h"

enum { HEAD = 4096 };

/* The payload of the QEMU note. */
typedef struct QemuSegment {
    uint32_t selector, limit, flags, pad;
    uint64_t base;
} QemuSegment;

typedef struct QemuCpu {
    uint32_t version, size;
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, rflags;
    QemuSegment cs, ds, es, fs, gs, ss, ldt, tr, gdt, idt;
    uint64_t cr[5];
    uint64_t kernel_gs_base;
} QemuCpu;

typedef struct Cpu {
    struct elf_prstatus status;
    struct user_fpregs_struct fp;
    QemuCpu qemu;
} Cpu;

struct Core {
    StreamSink sink;
    GArray *cpus; /* of Cpu */
    bool undescribed;
};

/* --- registers -------------------------------------------------------------------------------------------------- */

/* The order of env.regs. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { ES, CS, SS, DS, FS, GS };

/* A struct under the walker's feet. */
typedef struct Place {
    const VMStateDescription *desc;
    const void *state;
} Place;

static uint64_t number(const Place *p, const char *name, size_t element)
{
    Integer value;

    vms_state_get(p->desc, p->state, name, element, &value);
    return value.bits;
}

static Place part(const Place *p, const char *name, size_t element)
{
    Place inner = {.desc = NULL};

    inner.state = vms_state_struct(p->desc, p->state, name, element, &inner.desc);
    return inner;
}

static QemuSegment segment(const Place *cpu, const char *name, size_t element)
{
    Place s = part(cpu, name, element);
    QemuSegment out = {.selector = 0};

    if (s.state) {
        out.selector = (uint32_t)number(&s, "selector", 0);
        out.limit = (uint32_t)number(&s, "limit", 0);
        out.flags = (uint32_t)number(&s, "flags", 0);
        out.base = number(&s, "base", 0);
    }
    return out;
}

static void fill_qemu(const Place *cpu, QemuCpu *q)
{
    uint64_t *const regs[] = {&q->rax, &q->rcx, &q->rdx, &q->rbx, &q->rsp, &q->rbp, &q->rsi, &q->rdi,
                              &q->r8,  &q->r9,  &q->r10, &q->r11, &q->r12, &q->r13, &q->r14, &q->r15};
    QemuSegment *const segs[] = {
        [ES] = &q->es, [CS] = &q->cs, [SS] = &q->ss, [DS] = &q->ds, [FS] = &q->fs, [GS] = &q->gs};

    *q = (QemuCpu){.version = 1, .size = sizeof *q};
    for (size_t i = 0; i < G_N_ELEMENTS(regs); i++)
        *regs[i] = number(cpu, "env.regs", i);
    for (size_t i = 0; i < G_N_ELEMENTS(segs); i++)
        *segs[i] = segment(cpu, "env.segs", i);
    q->rip = number(cpu, "env.eip", 0);
    q->rflags = number(cpu, "env.eflags", 0);
    q->ldt = segment(cpu, "env.ldt", 0);
    q->tr = segment(cpu, "env.tr", 0);
    q->gdt = segment(cpu, "env.gdt", 0);
    q->idt = segment(cpu, "env.idt", 0);
    q->cr[0] = number(cpu, "env.cr[0]", 0);
    q->cr[2] = number(cpu, "env.cr[2]", 0);
    q->cr[3] = number(cpu, "env.cr[3]", 0);
    q->cr[4] = number(cpu, "env.cr[4]", 0);
    q->kernel_gs_base = number(cpu, "env.kernelgsbase", 0);
}

static void fill_status(const QemuCpu *q, unsigned index, struct elf_prstatus *status)
{
    struct user_regs_struct regs = {
        .r15 = q->r15,
        .r14 = q->r14,
        .r13 = q->r13,
        .r12 = q->r12,
        .rbp = q->rbp,
        .rbx = q->rbx,
        .r11 = q->r11,
        .r10 = q->r10,
        .r9 = q->r9,
        .r8 = q->r8,
        .rax = q->rax,
        .rcx = q->rcx,
        .rdx = q->rdx,
        .rsi = q->rsi,
        .rdi = q->rdi,
        .orig_rax = UINT64_MAX,
        .rip = q->rip,
        .cs = q->cs.selector,
        .eflags = q->rflags,
        .rsp = q->rsp,
        .ss = q->ss.selector,
        .fs_base = q->fs.base,
        .gs_base = q->gs.base,
        .ds = q->ds.selector,
        .es = q->es.selector,
        .fs = q->fs.selector,
        .gs = q->gs.selector,
    };

    memset(status, 0, sizeof *status);
    status->pr_pid = (pid_t)(index + 1);
    G_STATIC_ASSERT(sizeof regs == sizeof status->pr_reg);
    memcpy(&status->pr_reg, &regs, sizeof regs);
}

static void fill_fp(const Place *cpu, struct user_fpregs_struct *fp)
{
    memset(fp, 0, sizeof *fp);
    fp->cwd = (unsigned short)number(cpu, "env.fpuc", 0);
    fp->swd = (unsigned short)number(cpu, "env.fpus_vmstate", 0);
    fp->ftw = (unsigned short)number(cpu, "env.fptag_vmstate", 0);
    fp->mxcsr = (unsigned)number(cpu, "env.mxcsr", 0);
    fp->mxcr_mask = 0xffff;
    for (size_t i = 0; i < 8; i++) {
        Place outer = part(cpu, "env.fpregs", i), st = outer.state ? part(&outer, "tmp", 0) : outer;
        if (!st.state)
            continue;
        uint64_t mantissa = number(&st, "tmp_mant", 0);
        uint16_t exponent = (uint16_t)number(&st, "tmp_exp", 0);
        memcpy((char *)fp->st_space + 16 * i, &mantissa, 8);
        memcpy((char *)fp->st_space + 16 * i + 8, &exponent, 2);
    }
    for (size_t i = 0; i < 16; i++) {
        Place xmm = part(cpu, "env.xmm_regs[0]", i);
        uint64_t low = xmm.state ? number(&xmm, "_q_ZMMReg[0]", 0) : 0,
                 high = xmm.state ? number(&xmm, "_q_ZMMReg[1]", 0) : 0;
        memcpy((char *)fp->xmm_space + 16 * i, &low, 8);
        memcpy((char *)fp->xmm_space + 16 * i + 8, &high, 8);
    }
}

static bool core_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    Core *core = (Core *)sink;
    Place place = {.desc = s->desc, .state = s->state};
    Cpu cpu;

    (void)error;
    if (strcmp(s->name, "cpu") != 0 || s->cut)
        return true;
    if (!s->desc || !s->state) {
        core->undescribed = true;
        return true;
    }
    memset(&cpu, 0, sizeof cpu);
    fill_qemu(&place, &cpu.qemu);
    fill_status(&cpu.qemu, core->cpus->len, &cpu.status);
    fill_fp(&place, &cpu.fp);
    g_array_append_val(core->cpus, cpu);
    return true;
}

/* --- the file --------------------------------------------------------------------------------------------------- */

GArray *core_map(const RamBlocks *blocks, const char *machine, void *data, GError **error)
{
    GArray *ranges = ramfile_map_physical(blocks, machine, data, error);
    uint64_t at = HEAD;

    for (guint i = 0; ranges && i < ranges->len; i++) {
        PhysRange *r = &g_array_index(ranges, PhysRange, i);
        r->file = at;
        at += r->length;
    }
    return ranges;
}

static void put_padded(GByteArray *out, const void *data, size_t len)
{
    static const guint8 zeros[4];

    g_byte_array_append(out, data, (guint)len);
    g_byte_array_append(out, zeros, (guint)(-len & 3));
}

static void put_note(GByteArray *out, const char *name, uint32_t type, const void *data, size_t len)
{
    Elf64_Nhdr head = {.n_namesz = (Elf64_Word)strlen(name) + 1, .n_descsz = (Elf64_Word)len, .n_type = type};

    g_byte_array_append(out, (const guint8 *)&head, sizeof head);
    put_padded(out, name, head.n_namesz);
    put_padded(out, data, len);
}

static GByteArray *make_notes(const Core *core)
{
    GByteArray *notes = g_byte_array_new();

    for (guint i = 0; i < core->cpus->len; i++) {
        const Cpu *cpu = &g_array_index(core->cpus, Cpu, i);
        put_note(notes, "CORE", NT_PRSTATUS, &cpu->status, sizeof cpu->status);
        put_note(notes, "CORE", NT_FPREGSET, &cpu->fp, sizeof cpu->fp);
    }
    for (guint i = 0; i < core->cpus->len; i++) {
        const Cpu *cpu = &g_array_index(core->cpus, Cpu, i);
        put_note(notes, "QEMU", 0, &cpu->qemu, sizeof cpu->qemu);
    }
    return notes;
}

static GByteArray *make_head(const GArray *ranges, uint64_t notes_at, size_t notes_len)
{
    GByteArray *head = g_byte_array_new();
    Elf64_Ehdr e = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = (Elf64_Half)(1 + ranges->len),
    };
    Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes_len};

    g_byte_array_append(head, (const guint8 *)&e, sizeof e);
    g_byte_array_append(head, (const guint8 *)&note, sizeof note);
    for (guint i = 0; i < ranges->len; i++) {
        const PhysRange *r = &g_array_index(ranges, PhysRange, i);
        Elf64_Phdr load = {
            .p_type = PT_LOAD,
            .p_flags = PF_R | PF_W | PF_X,
            .p_offset = r->file,
            .p_vaddr = r->address,
            .p_paddr = r->address,
            .p_filesz = r->length,
            .p_memsz = r->length,
            .p_align = 4096,
        };
        g_byte_array_append(head, (const guint8 *)&load, sizeof load);
    }
    return head;
}

static bool write_at(int fd, const GByteArray *data, uint64_t at, GError **error)
{
    if (pwrite(fd, data->data, data->len, (off_t)at) == (ssize_t)data->len)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "writing the core file failed: %s", g_strerror(errno));
    return false;
}

bool core_finish(Core *core, int fd, const GArray *ranges, GError **error)
{
    uint64_t end = HEAD;

    if (core->cpus->len == 0) {
        g_set_error(
            error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
            core->undescribed
                ? "the stream does not describe its vCPUs, so there are no registers for a core file (--schema-from=OTHER may help)"
                : "the stream has no vCPU, so there are no registers for a core file");
        return false;
    }
    if (!ranges || sizeof(Elf64_Ehdr) + (1 + ranges->len) * sizeof(Elf64_Phdr) > HEAD) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
                    ranges ? "too many ranges of memory for a core file" : "the stream lists no RAM");
        return false;
    }
    for (guint i = 0; i < ranges->len; i++)
        end += g_array_index(ranges, PhysRange, i).length;
    g_autoptr(GByteArray) notes = make_notes(core);
    g_autoptr(GByteArray) head = make_head(ranges, end, notes->len);
    return write_at(fd, notes, end, error) && write_at(fd, head, 0, error);
}

static const StreamSinkOps ops = {
    .section = core_section,
};

Core *core_new(void)
{
    Core *core = g_new0(Core, 1);

    core->sink.ops = &ops;
    core->cpus = g_array_new(FALSE, TRUE, sizeof(Cpu));
    return core;
}

void core_free(Core *core)
{
    if (!core)
        return;
    g_array_unref(core->cpus);
    g_free(core);
}

StreamSink *core_sink(Core *core)
{
    return &core->sink;
}
