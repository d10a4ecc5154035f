/* commands-machine.c: the machine as a whole, its memory, and what is told to people only; schema/machine.json. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "emu/machine/inspect.h"
#include "emu/machine/vm.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "qapi/commands.h"

/* --- what machines there are -------------------------------------------------------------------------------------- */

QmpTargetInfo *qmp_query_target(QmpCall *call, GError **error)
{
    QmpTargetInfo *info = g_new0(QmpTargetInfo, 1);

    (void)call;
    (void)error;
    info->arch = QMP_SYS_EMU_TARGET_X86_64;
    return info;
}

bool qmp_query_machines(QmpCall *call, QmpMachineInfoList *result, GError **error)
{
    QmpMachineInfo *info = g_new0(QmpMachineInfo, 1);

    (void)call;
    (void)error;
    info->name = g_strdup(pc_identity()->type);
    info->alias = g_strdup("pc");
    info->has_is_default = info->is_default = true;
    info->cpu_max = PC_CPUS_MAX;
    info->default_cpu_type = g_strdup("qemu64-x86_64-cpu");
    info->default_ram_id = g_strdup("pc.ram");
    QmpMachineInfo *none = g_new0(QmpMachineInfo, 1);
    none->name = g_strdup("none");
    none->cpu_max = 1;
    result->items = g_new(QmpMachineInfo *, 2);
    result->items[result->count++] = info;
    result->items[result->count++] = none;
    return true;
}

QmpCurrentMachineParams *qmp_query_current_machine(QmpCall *call, GError **error)
{
    /* the guest's sleep is its power off: nobody can wake it */
    (void)call;
    (void)error;
    return g_new0(QmpCurrentMachineParams, 1);
}

bool qmp_inject_nmi(QmpCall *call, GError **error)
{
    return pc_inject_nmi(vm_pc(qmp_call_vm(call)), error);
}

/* --- how much memory ---------------------------------------------------------------------------------------------- */

QmpMemoryInfo *qmp_query_memory_size_summary(QmpCall *call, GError **error)
{
    QmpMemoryInfo *info = g_new0(QmpMemoryInfo, 1);

    (void)error;
    info->base_memory = pc_ram(vm_pc(qmp_call_vm(call)))->size;
    info->has_plugged_memory = true;
    return info;
}

static void add_memdev(QmpMemdevList *list, const OptionsObject *o)
{
    QmpMemdev *m = g_new0(QmpMemdev, 1);

    m->id = g_strdup(o->id);
    m->size = o->size;
    m->merge = o->merge;
    m->dump = o->dump;
    m->prealloc = o->prealloc;
    m->share = o->share;
    m->has_reserve = true;
    m->reserve = o->reserve;
    m->policy = QMP_HOST_MEM_POLICY_DEFAULT;
    list->items[list->count++] = m;
}

bool qmp_query_memdev(QmpCall *call, QmpMemdevList *result, GError **error)
{
    Vm *vm = qmp_call_vm(call);

    (void)error;
    if (!vm)
        return true;
    const Options *o = vm_options(vm);
    result->items = g_new(QmpMemdev *, o->objects->len + 1);
    for (guint i = 0; i < o->objects->len; i++) {
        const OptionsObject *object = o->objects->pdata[i];
        if (object->size)
            add_memdev(result, object);
    }
    const OptionsObject own = {.id = (char *)"pc.ram",
                               .size = o->memory.size,
                               .merge = o->machine.mem_merge,
                               .dump = o->machine.dump_guest_core,
                               .reserve = true};
    if (!o->machine.memory_backend)
        add_memdev(result, &own);
    return true;
}

bool qmp_query_iothreads(QmpCall *call, QmpIOThreadInfoList *result, GError **error)
{
    Vm *vm = qmp_call_vm(call);

    (void)error;
    if (!vm)
        return true;
    const GPtrArray *objects = vm_options(vm)->objects;
    result->items = g_new(QmpIOThreadInfo *, objects->len);
    for (guint i = 0; i < objects->len; i++) {
        const OptionsObject *object = objects->pdata[i];
        if (object->type != QMP_OBJECT_TYPE_IOTHREAD)
            continue;
        QmpIOThreadInfo *info = result->items[result->count++] = g_new0(QmpIOThreadInfo, 1);
        info->id = g_strdup(object->id);
        info->thread_id = getpid(); /* handlers are of the program's first thread */
    }
    return true;
}

/* There is no such device. */
static bool fail_balloon(GError **error)
{
    g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_ACTIVE, "No balloon device has been activated");
    return false;
}

bool qmp_balloon(QmpCall *call, const QmpBalloonArguments *arguments, GError **error)
{
    (void)call;
    (void)arguments;
    return fail_balloon(error);
}

QmpBalloonInfo *qmp_query_balloon(QmpCall *call, GError **error)
{
    (void)call;
    fail_balloon(error);
    return NULL;
}

/* --- memory into files -------------------------------------------------------------------------------------------- */

enum { PIECE = 64 << 10 };

/* Where no memory is it reads as ones; no register is touched. */
static void read_memory(Pc *pc, uint64_t addr, uint8_t *to, size_t len)
{
    Machine *machine = pc_machine(pc);

    machine_lock(machine);
    while (len) {
        size_t there = len;
        const void *host = space_map_octets(machine->memory, addr, &there, false);
        if (!host) {
            there = MIN(len, (size_t)(4096 - addr % 4096));
            memset(to, 0xff, there);
        } else {
            memcpy(to, host, there);
        }
        to += there;
        addr += there;
        len -= there;
    }
    machine_unlock(machine);
}

static bool write_all(int fd, const uint8_t *data, size_t len, const char *name, GError **error)
{
    while (len) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Could not write to '%s': %s", name, g_strerror(errno));
            return false;
        }
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* A part of memory; `state` NULL: by physical addresses. */
typedef struct Part {
    Pc *pc;
    const CpuState *state;
    uint64_t addr, len;
    const char *filename;
} Part;

static bool save_to(const Part *p, int fd, GError **error)
{
    g_autofree uint8_t *piece = g_malloc(PIECE);

    for (uint64_t done = 0, n; done < p->len; done += n) {
        uint64_t at = p->addr + done, page = PIECE;
        if (p->state && !pc_translate(p->pc, p->state, at, &at, &page)) {
            g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC,
                        "Invalid addr 0x%016" G_GINT64_MODIFIER "x/size %" G_GUINT64_FORMAT " specified", p->addr,
                        p->len);
            return false;
        }
        n = MIN(MIN(p->len - done, page), PIECE);
        read_memory(p->pc, at, piece, n);
        if (!write_all(fd, piece, n, p->filename, error))
            return false;
    }
    return true;
}

static bool save(const Part *p, GError **error)
{
    int fd = open(p->filename, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Could not open '%s': %s", p->filename, g_strerror(errno));
        return false;
    }
    bool ok = save_to(p, fd, error);
    if (close(fd) < 0 && ok) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Could not write to '%s': %s", p->filename, g_strerror(errno));
        ok = false;
    }
    return ok;
}

static bool check_size(int64_t size, GError **error)
{
    if (size >= 0)
        return true;
    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Parameter 'size' expects a number of octets, not %" PRId64, size);
    return false;
}

bool qmp_memsave(QmpCall *call, const QmpMemsaveArguments *arguments, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    g_autofree CpuState *state = g_new0(CpuState, 1);
    int64_t cpu = arguments->has_cpu_index ? arguments->cpu_index : 0;
    const Part part = {vm_pc(vm), state, (uint64_t)arguments->val, (uint64_t)arguments->size, arguments->filename};

    if (cpu < 0 || cpu >= vm_options(vm)->smp.cpus) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Parameter 'cpu-index' expects a CPU number");
        return false;
    }
    if (!check_size(arguments->size, error))
        return false;
    bool ran = pc_hold(part.pc);
    bool ok = pc_cpu_state(part.pc, (unsigned)cpu, state, error) && save(&part, error);
    pc_go_on(part.pc, ran);
    return ok;
}

bool qmp_pmemsave(QmpCall *call, const QmpPmemsaveArguments *arguments, GError **error)
{
    const Part part = {vm_pc(qmp_call_vm(call)), NULL, (uint64_t)arguments->val, (uint64_t)arguments->size,
                       arguments->filename};

    return check_size(arguments->size, error) && save(&part, error);
}

/* --- insides, for people ------------------------------------------------------------------------------------------ */

static QmpHumanReadableText *readable(char *text)
{
    QmpHumanReadableText *result = g_new0(QmpHumanReadableText, 1);

    result->human_readable_text = text;
    return result;
}

/* KVM's controllers count nothing, and neither do those that take their place: both are named, as QEMU names its. */
QmpHumanReadableText *qmp_x_query_irq(QmpCall *call, GError **error)
{
    const Pc *pc = vm_pc(qmp_call_vm(call));
    bool kernel = pc_kvm(pc) && pc_chips(pc) == KVM_CHIPS_ALL;

    (void)error;
    return readable(g_strdup_printf("IRQ statistics for %sioapic:\nIRQ statistics for %s-i8259:\n",
                                    kernel ? "kvm-" : "", kernel ? "kvm" : "isa"));
}

QmpHumanReadableText *qmp_x_query_numa(QmpCall *call, GError **error)
{
    (void)call;
    (void)error;
    return readable(g_strdup("0 nodes\n"));
}

QmpHumanReadableText *qmp_x_query_ramblock(QmpCall *call, GError **error)
{
    const Machine *machine = pc_machine(vm_pc(qmp_call_vm(call)));
    GString *text = g_string_new(NULL);
    uint64_t offset = 0;

    (void)error;
    g_string_append_printf(text, "%24s %8s  %18s %18s %18s\n", "Block Name", "PSize", "Offset", "Used", "Total");
    for (guint i = 0; i < machine->areas->len; i++) {
        const RamArea *area = machine->areas->pdata[i];
        g_string_append_printf(
            text, "%24s %8s  0x%016" G_GINT64_MODIFIER "x 0x%016" G_GINT64_MODIFIER "x 0x%016" G_GINT64_MODIFIER "x\n",
            area->name, "4 KiB", offset, area->size, area->maximum);
        offset += area->maximum;
    }
    return readable(g_string_free(text, FALSE));
}

/* Firmware at its place, then what the firmware is given. */
QmpHumanReadableText *qmp_x_query_roms(QmpCall *call, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    const Machine *machine = pc_machine(vm_pc(vm));
    const RamArea *bios = machine_find_ram(machine, "pc.bios");
    GString *text = g_string_new(NULL);

    (void)error;
    if (bios)
        g_string_append_printf(text,
                               "addr=%016" G_GINT64_MODIFIER "x size=0x%06" G_GINT64_MODIFIER "x mem=rom name=\"%s\"\n",
                               (UINT64_C(1) << 32) - bios->size, bios->size,
                               vm_options(vm)->bios ? vm_options(vm)->bios : "bios-256k.bin");
    for (guint i = 0; i < machine->areas->len; i++) {
        const RamArea *area = machine->areas->pdata[i];
        if (g_str_has_prefix(area->name, "/rom@"))
            g_string_append_printf(text, "%s size=0x%06" G_GINT64_MODIFIER "x name=\"%s\"\n", area->name, area->maximum,
                                   area->name + strlen("/rom@"));
    }
    return readable(g_string_free(text, FALSE));
}
