/* options-make.c: what a configuration means, with all defaults. */
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/uuid.h"

#define MEMORY_DEFAULT (128ULL << 20)

/* --- what is there once ------------------------------------------------------------------------------------------- */

static bool make_machine(Options *o, GError **error)
{
    static const QmpMachineOptions nothing;
    const QmpMachineOptions *m = o->said->machine ? o->said->machine : &nothing;
    const QmpAccelOptions *a = o->said->accel;

    o->machine = (OptionsMachine){.type = m->type,
                                  .accel = a ? a->accel : m->accel,
                                  .usb = m->usb,
                                  .graphics = !m->has_graphics || m->graphics,
                                  .hpet = !m->has_hpet || m->hpet,
                                  .i8042 = !m->has_i8042 || m->i8042,
                                  .mem_merge = !m->has_mem_merge || m->mem_merge,
                                  .dump_guest_core = !m->has_dump_guest_core || m->dump_guest_core,
                                  .acpi = m->acpi,
                                  .smm = m->smm,
                                  .vmport = m->vmport,
                                  .irqchip = a && a->has_kernel_irqchip ? a->kernel_irqchip : m->kernel_irqchip,
                                  .max_ram_below_4g = m->max_ram_below_4g,
                                  .memory_backend = m->memory_backend};
    if (a && m->accel)
        return options_fail(error, "-accel", "-machine accel=%s has already said which", m->accel);
    return !o->machine.accel || options_accel(o->machine.accel, &o->accel, "-accel", error);
}

static bool make_rtc(Options *o, GError **error)
{
    const QmpRtcOptions *r = o->said->rtc;

    if (!r)
        return true;
    o->rtc = (OptionsRtc){.clock = r->clock, .driftfix = r->driftfix};
    return !r->base || options_rtc_base(r->base, &o->rtc, error);
}

static void make_names(Options *o)
{
    const QmpConfiguration *c = o->said;

    o->kernel = c->kernel;
    o->initrd = c->initrd;
    o->append = c->append;
    o->bios = c->bios;
    o->incoming = c->incoming;
    o->loadvm = c->loadvm;
    o->pidfile = c->pidfile;
    o->stopped = c->stopped;
    o->preconfig = c->preconfig;
    o->no_defaults = c->nodefaults;
    o->no_graphic = c->nographic;
    o->no_reboot = c->no_reboot;
    o->no_shutdown = c->no_shutdown;
    o->daemonize = c->daemonize;
    o->mem_lock = c->overcommit && c->overcommit->mem_lock;
    o->message_time = c->msg && c->msg->timestamp;
    o->message_name = c->msg && c->msg->guest_name;
    o->has_uuid = c->uuid && uuid_parse(c->uuid, o->uuid);
}

static bool make_single(Options *o, GError **error)
{
    static const QmpSmpOptions no_count;
    const QmpConfiguration *c = o->said;

    make_names(o);
    if (c->boot)
        o->boot = *c->boot;
    if (c->name)
        o->name = *c->name;
    o->memory.size = c->memory && c->memory->size ? c->memory->size : MEMORY_DEFAULT;
    o->memory.maxmem = c->memory ? c->memory->maxmem : 0;
    o->memory.slots = c->memory ? c->memory->slots : 0;
    return make_machine(o, error) && make_rtc(o, error) && (!c->cpu || options_cpu(&o->cpu, c->cpu, error)) &&
           options_smp(&o->smp, c->smp ? c->smp : &no_count, error);
}

/* --- what is there several times ---------------------------------------------------------------------------------- */

const char *options_drive_file(const QmpDriveOptions *d)
{
    return !d->file                                       ? NULL
           : d->file->kind == QMP_DRIVE_FILE_KIND_OPTIONS ? d->file->u.options->filename
                                                          : d->file->u.name;
}

static bool make_drives(Options *o, GError **error)
{
    for (size_t i = 0; i < o->said->drive.count; i++) {
        QmpDriveOptions *d = g_memdup2(o->said->drive.items[i], sizeof *d);
        d->readonly |= d->read_only || d->media == QMP_DRIVE_MEDIA_CDROM;
        if (d->discard == QMP_DRIVE_DISCARD_ON || d->discard == QMP_DRIVE_DISCARD_OFF)
            d->discard = d->discard == QMP_DRIVE_DISCARD_ON ? QMP_DRIVE_DISCARD_UNMAP : QMP_DRIVE_DISCARD_IGNORE;
        bool ok = options_drive_place(o->drives, d, error);
        g_ptr_array_add(o->drives, d);
        if (!ok)
            return false;
    }
    return true;
}

static bool make_devices(Options *o, const DeviceType *const *types, GError **error)
{
    for (size_t i = 0; i < o->said->device.count; i++) {
        OptionsDevice *d = options_device_new(o->said->device.items[i], types, "-device", error);
        if (!d)
            return false;
        g_ptr_array_add(o->devices, d);
    }
    return true;
}

G_STATIC_ASSERT(offsetof(QmpMemoryBackendFileProperties, size) == offsetof(QmpMemoryBackendProperties, size));
G_STATIC_ASSERT(offsetof(QmpMemoryBackendMemfdProperties, size) == offsetof(QmpMemoryBackendProperties, size));

/* What all memory has: the first members of any. NULL: it is no memory. */
static const QmpMemoryBackendProperties *memory_of(const QmpObjectOptions *o, OptionsObject *to)
{
    const QmpMemoryBackendMemfdProperties *memfd = o->u.memory_backend_memfd;
    const QmpMemoryBackendFileProperties *file = o->u.memory_backend_file;

    if (o->qom_type == QMP_OBJECT_TYPE_MEMORY_BACKEND_MEMFD) {
        to->hugetlb = memfd->hugetlb;
        to->hugetlbsize = memfd->hugetlbsize;
    } else if (o->qom_type == QMP_OBJECT_TYPE_MEMORY_BACKEND_FILE) {
        to->path = g_strdup(file->mem_path);
        to->readonly = file->readonly;
    } else if (o->qom_type != QMP_OBJECT_TYPE_MEMORY_BACKEND_RAM) {
        return NULL;
    }
    return (const QmpMemoryBackendProperties *)(const void *)o->u.memory_backend_ram;
}

OptionsObject *options_object_new(const QmpObjectOptions *o)
{
    OptionsObject *object = g_new0(OptionsObject, 1);
    const QmpMemoryBackendProperties *m = memory_of(o, object);

    object->type = o->qom_type;
    object->id = g_strdup(o->id);
    if (o->qom_type == QMP_OBJECT_TYPE_RNG_RANDOM)
        object->path = g_strdup(o->u.rng_random->filename);
    if (!m)
        return object;
    object->size = m->size;
    object->share = m->share;
    object->prealloc = m->prealloc;
    object->merge = !m->has_merge || m->merge;
    object->dump = !m->has_dump || m->dump;
    object->reserve = !m->has_reserve || m->reserve;
    return object;
}

void options_object_free(OptionsObject *object)
{
    g_free(object->id);
    g_free(object->path);
    g_free(object);
}

/* The same network as -netdev would have it. */
static QmpNetdev *net_of(const QmpNicOptions *n, size_t number)
{
    QmpNetdev *net = g_new0(QmpNetdev, 1);

    net->id = n->id ? g_strdup(n->id) : g_strdup_printf("nic%zu", number);
    net->type = n->type;
    net->u.user = qapi_copy(qmp_type_NicOptions.variants[n->type], n->u.user);
    return net;
}

static void make_nics(Options *o)
{
    for (size_t i = 0; i < o->said->nic.count; i++) {
        const QmpNicOptions *n = o->said->nic.items[i];
        const OptionsNic nic = {
            .model = n->model, .mac = n->mac, .net = n->type == QMP_NET_CLIENT_DRIVER_NONE ? NULL : net_of(n, i)};
        g_ptr_array_add(o->nics, g_memdup2(&nic, sizeof nic));
    }
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static bool make_line(Options *o, OptionsChar *c, const char *text, GError **error)
{
    QmpChardevOptions *own;

    if (!options_line(c, text, "-serial", &own, error))
        return false;
    if (own)
        g_ptr_array_add(o->lines, own);
    return true;
}

static void add_line(GPtrArray *lines, const OptionsChar *c)
{
    g_ptr_array_add(lines, g_memdup2(c, sizeof *c));
}

static bool make_monitors(Options *o, GError **error)
{
    for (size_t i = 0; i < o->said->mon.count; i++) {
        const QmpMonitorOptions *said = o->said->mon.items[i];
        OptionsMonitor m = {.id = said->id,
                            .line = {.type = OPTIONS_CHAR_REFERENCE, .id = said->chardev},
                            .mode = said->mode,
                            .pretty = said->pretty};
        if (said->line && !make_line(o, &m.line, said->line, error))
            return false;
        g_ptr_array_add(o->monitors, g_memdup2(&m, sizeof m));
    }
    return true;
}

static bool make_lines(Options *o, GError **error)
{
    const QmpConfiguration *c = o->said;
    OptionsChar line;

    for (size_t i = 0; i < c->chardev.count; i++) {
        line = options_char_of(c->chardev.items[i]);
        add_line(o->chardevs, &line);
    }
    for (size_t i = 0; i < c->serial.count; i++) {
        if (!make_line(o, &line, c->serial.items[i], error))
            return false;
        add_line(o->serials, &line);
    }
    return make_monitors(o, error);
}

static bool has_device(const Options *o, const char *name)
{
    for (guint i = 0; i < o->devices->len; i++)
        if (g_str_equal(((OptionsDevice *)g_ptr_array_index(o->devices, i))->type->name, name))
            return true;
    return false;
}

/* The first serial port, where none was asked for and it was not said that there is none; it may be the terminal's. */
static void add_default_lines(Options *o)
{
    const OptionsChar terminal = {.type = OPTIONS_CHAR_STDIO, .signal = true}, nobody = {.type = OPTIONS_CHAR_NULL};
    bool serial = !o->no_defaults && !o->serials->len && !has_device(o, "isa-serial");
    bool monitor = !o->no_defaults && !o->monitors->len && o->no_graphic;

    if (serial)
        add_line(o->serials, o->no_graphic ? &terminal : &nobody);
    if (serial && monitor)
        ((OptionsChar *)o->serials->pdata[0])->mux = true;
    else if (monitor)
        g_ptr_array_add(o->monitors, g_memdup2(&(OptionsMonitor){.line = terminal}, sizeof(OptionsMonitor)));
}

/* --- lives -------------------------------------------------------------------------------------------------------- */

static void nic_free(void *nic)
{
    qmp_Netdev_free(((OptionsNic *)nic)->net);
    g_free(nic);
}

static void line_free(void *line)
{
    qmp_ChardevOptions_free(line);
}

static void device_free_it(void *device)
{
    options_device_free(device);
}

static void object_free(void *object)
{
    options_object_free(object);
}

static Options *options_new(QmpConfiguration *said)
{
    Options *o = g_new0(Options, 1);

    o->said = said;
    o->cpu.features = g_ptr_array_new_with_free_func(options_feature_free);
    o->drives = g_ptr_array_new_with_free_func(g_free);
    o->devices = g_ptr_array_new_with_free_func(device_free_it);
    o->objects = g_ptr_array_new_with_free_func(object_free);
    o->nics = g_ptr_array_new_with_free_func(nic_free);
    o->chardevs = g_ptr_array_new_with_free_func(g_free);
    o->serials = g_ptr_array_new_with_free_func(g_free);
    o->monitors = g_ptr_array_new_with_free_func(g_free);
    o->lines = g_ptr_array_new_with_free_func(line_free);
    return o;
}

void options_free(Options *o)
{
    if (!o)
        return;
    GPtrArray *lists[] = {o->drives,  o->devices,  o->objects, o->nics,        o->chardevs,
                          o->serials, o->monitors, o->lines,   o->cpu.features};

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        g_clear_pointer(&lists[i], g_ptr_array_unref);
    g_free(o->help);
    g_free(o->cpu.model);
    qmp_Configuration_free(o->said);
    g_free(o);
}

Options *options_make(QmpConfiguration *said, const DeviceType *const *types, GError **error)
{
    g_autoptr(Options) o = options_new(said);

    for (size_t i = 0; i < said->object.count; i++)
        g_ptr_array_add(o->objects, options_object_new(said->object.items[i]));
    make_nics(o);
    if (!make_single(o, error) || !make_drives(o, error) || !make_devices(o, types, error) || !make_lines(o, error))
        return NULL;
    if (!o->preconfig) /* more may be said */
        add_default_lines(o);
    return options_check(o, error) ? g_steal_pointer(&o) : NULL;
}
