/*
 * commands-dump.c: the guest's memory as a core file; schema/dump.json.
 *
 * Source: System V ABI, chapters 4 and 5 (ELF), with the AMD64 supplement; Linux's elf_prstatus.
 * Not done: other forms than ELF, addresses by page tables (`paging`). The dump is written before the answer,
 * also with `detach`.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/procfs.h>
#include <unistd.h>

#include "emu/core/fd-set.h"
#include "emu/core/machine.h"
#include "emu/machine/inspect.h"
#include "emu/machine/vm.h"
#include "emu/qmp/error.h"
#include "emu/qmp/rights.h"
#include "emu/qmp/server-impl.h"
#include "qapi/commands.h"
#include "qapi/events.h"
#include "visitors/fd-path.h"

/* --- which memory ------------------------------------------------------------------------------------------------- */

typedef struct Piece {
    uint64_t base, size;
    const uint8_t *host;
} Piece;

typedef struct Dump {
    Pc *pc;
    unsigned cpus;
    uint64_t begin, end; /* physical addresses; the last one */
    GArray *pieces;
    uint64_t total, done;
    int fd;
} Dump;

static void find_pieces(Dump *d)
{
    Machine *machine = pc_machine(d->pc);
    size_t count;

    machine_lock(machine);
    const SpaceRange *ranges = space_flat(machine->memory, &count);
    for (size_t i = 0; i < count; i++) {
        const SpaceRange *r = &ranges[i];
        uint64_t from = MAX(r->base, d->begin), to = MIN(r->base + (r->size - 1), d->end);
        if (!r->ram || from > to)
            continue;
        const Piece piece = {from, to - from + 1, r->ram->host + r->offset + (from - r->base)};
        g_array_append_val(d->pieces, piece);
        d->total += piece.size;
    }
    machine_unlock(machine);
}

/* --- ELF ---------------------------------------------------------------------------------------------------------- */

typedef struct CoreNote {
    Elf64_Nhdr header;
    char name[8];
    struct elf_prstatus status;
} __attribute__((packed)) CoreNote;

static void fill_note(CoreNote *note, unsigned cpu, const CpuState *s)
{
    enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
    struct user_regs_struct r = {.r15 = s->regs[15],
                                 .r14 = s->regs[14],
                                 .r13 = s->regs[13],
                                 .r12 = s->regs[12],
                                 .rbp = s->regs[RBP],
                                 .rbx = s->regs[RBX],
                                 .r11 = s->regs[11],
                                 .r10 = s->regs[10],
                                 .r9 = s->regs[9],
                                 .r8 = s->regs[8],
                                 .rax = s->regs[RAX],
                                 .rcx = s->regs[RCX],
                                 .rdx = s->regs[RDX],
                                 .rsi = s->regs[RSI],
                                 .rdi = s->regs[RDI],
                                 .orig_rax = s->regs[RAX],
                                 .rip = s->rip,
                                 .cs = s->segs[CPU_CS].selector,
                                 .eflags = s->rflags,
                                 .rsp = s->regs[RSP],
                                 .ss = s->segs[CPU_SS].selector,
                                 .fs_base = s->segs[CPU_FS].base,
                                 .gs_base = s->segs[CPU_GS].base,
                                 .ds = s->segs[CPU_DS].selector,
                                 .es = s->segs[CPU_ES].selector,
                                 .fs = s->segs[CPU_FS].selector,
                                 .gs = s->segs[CPU_GS].selector};

    note->header = (Elf64_Nhdr){.n_namesz = sizeof "CORE", .n_descsz = sizeof note->status, .n_type = NT_PRSTATUS};
    memcpy(note->name, "CORE", sizeof "CORE");
    note->status.pr_pid = (pid_t)cpu + 1;
    memcpy(&note->status.pr_reg, &r, sizeof r);
}

static bool put(Dump *d, const void *data, size_t len, GError **error)
{
    for (const char *at = data; len;) {
        ssize_t n = write(d->fd, at, MIN(len, (size_t)1 << 30));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "dump: failed to save memory: %s", g_strerror(errno));
            return false;
        }
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool put_headers(Dump *d, GError **error)
{
    enum { SEGMENTS_MAX = 0xfffe };
    guint count = d->pieces->len + 1;
    Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                         .e_type = ET_CORE,
                         .e_machine = EM_X86_64,
                         .e_version = EV_CURRENT,
                         .e_phoff = sizeof header,
                         .e_ehsize = sizeof header,
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = (Elf64_Half)MIN(count, SEGMENTS_MAX)};
    g_autofree Elf64_Phdr *segments = g_new0(Elf64_Phdr, count);
    uint64_t at = sizeof header + count * sizeof *segments;

    segments[0] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = at, .p_filesz = d->cpus * sizeof(CoreNote)};
    at += segments[0].p_filesz;
    for (guint i = 1; i < count; i++) {
        const Piece *p = &g_array_index(d->pieces, Piece, i - 1);
        segments[i] = (Elf64_Phdr){
            .p_type = PT_LOAD, .p_offset = at, .p_paddr = p->base, .p_filesz = p->size, .p_memsz = p->size};
        at += p->size;
    }
    return put(d, &header, sizeof header, error) && put(d, segments, count * sizeof *segments, error);
}

static bool put_notes(Dump *d, GError **error)
{
    g_autofree CpuState *state = g_new(CpuState, 1);

    for (unsigned i = 0; i < d->cpus; i++) {
        CoreNote note = {.name = {0}};
        if (!pc_cpu_state(d->pc, i, state, error))
            return false;
        fill_note(&note, i, state);
        if (!put(d, &note, sizeof note, error))
            return false;
    }
    return true;
}

static bool put_memory(Dump *d, GError **error)
{
    for (guint i = 0; i < d->pieces->len; i++) {
        const Piece *p = &g_array_index(d->pieces, Piece, i);
        if (!put(d, p->host, p->size, error))
            return false;
        d->done += p->size;
    }
    return true;
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static bool check(const QmpDumpGuestMemoryArguments *a, GError **error)
{
    const char *wrong = NULL;

    if (a->has_format && a->format != QMP_DUMP_GUEST_MEMORY_FORMAT_ELF)
        wrong = a->paging || a->has_begin || a->has_length
                    ? "kdump-compressed format doesn't support paging or filter"
                    : "dump-guest-memory.format: 'elf' is the only one that is here "
                      "(query-dump-guest-memory-capability)";
    else if (a->has_begin && !a->has_length)
        wrong = "Parameter 'length' is missing";
    else if (a->has_length && !a->has_begin)
        wrong = "Parameter 'begin' is missing";
    else if (a->paging)
        wrong = "dump-guest-memory.paging: true is not here; a debugger can walk the page tables itself";
    else if (!g_str_has_prefix(a->protocol, "file:") && !g_str_has_prefix(a->protocol, "fd:"))
        wrong = "Invalid parameter 'protocol'";
    if (wrong)
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "%s", wrong);
    return !wrong;
}

/* "file:PATH", "fd:NAME"; *d has the descriptor then. */
static bool open_target(const QmpCall *call, Dump *d, const char *protocol, GError **error)
{
    const char *name = strchr(protocol, ':') + 1;

    if (g_str_has_prefix(protocol, "fd:"))
        return (d->fd = qmp_call_find_fd(call, name, error)) >= 0;
    g_autofree char *path = fd_sets_path(call->server->fd_sets, name, O_WRONLY, error);
    d->fd = path ? fd_path_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
    return d->fd >= 0 || !path ||
           qmp_refuse(error, QMP_ERROR_GENERIC, "Could not open '%s': %s", name, g_strerror(errno));
}

static bool write_dump(const QmpCall *call, Dump *d, const char *protocol, GError **error)
{
    find_pieces(d);
    if (!d->pieces->len) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "dump: no guest memory to dump");
        return false;
    }
    if (!open_target(call, d, protocol, error))
        return false;
    bool ok = put_headers(d, error) && put_notes(d, error) && put_memory(d, error);
    if (close(d->fd) < 0 && ok) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "dump: failed to save memory: %s", g_strerror(errno));
        ok = false;
    }
    return ok;
}

bool qmp_dump_guest_memory(QmpCall *call, const QmpDumpGuestMemoryArguments *arguments, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
    Dump d = {.pc = vm_pc(vm), .cpus = vm_options(vm)->smp.cpus, .end = UINT64_MAX, .pieces = pieces};
    g_autoptr(GError) why = NULL;

    if (!check(arguments, error))
        return false;
    if (arguments->has_begin) {
        d.begin = (uint64_t)arguments->begin;
        uint64_t left = UINT64_MAX - d.begin;
        d.end = arguments->length > 0 ? d.begin + MIN((uint64_t)arguments->length - 1, left) : 0;
    }
    bool ran = pc_hold(d.pc);
    bool ok = write_dump(call, &d, arguments->protocol, &why);
    pc_go_on(d.pc, ran);
    call->server->dump = (QmpDumpQueryResult){ok ? QMP_DUMP_STATUS_COMPLETED : QMP_DUMP_STATUS_FAILED, (int64_t)d.done,
                                              (int64_t)d.total};
    const QmpDumpCompletedData data = {.result = &call->server->dump, .error = why ? why->message : NULL};
    if (d.total)
        qmp_event_dump_completed(call->server->events, &data);
    if (!ok)
        g_propagate_error(error, g_steal_pointer(&why));
    return ok;
}

QmpDumpQueryResult *qmp_query_dump(QmpCall *call, GError **error)
{
    QmpDumpQueryResult *result = g_new(QmpDumpQueryResult, 1);

    (void)error;
    *result = call->server->dump;
    return result;
}

QmpDumpGuestMemoryCapability *qmp_query_dump_guest_memory_capability(QmpCall *call, GError **error)
{
    QmpDumpGuestMemoryCapability *c = g_new0(QmpDumpGuestMemoryCapability, 1);

    (void)call;
    (void)error;
    c->formats.items = g_new0(QmpDumpGuestMemoryFormat, 1);
    c->formats.items[c->formats.count++] = QMP_DUMP_GUEST_MEMORY_FORMAT_ELF;
    return c;
}
