/*
 * qom-view.c: the machine as a tree of objects.
 *
 * Source of paths, types and the board's order: what QEMU 7.2 answers to qom-list.
 */
#include "emu/qmp/qom-view-impl.h"

#include <jansson.h>
#include <string.h>

#include "emu/machine/inspect.h"
#include "emu/qmp/error.h"
#include "emu/virtio/virtio-devices.h"

#define UNATTACHED "/machine/unattached"
#define PCI_BUS    "/machine/i440fx/pci.0"

static void object_free(void *object)
{
    QomObject *o = object;

    g_free(o->path);
    g_free(o->type);
    g_ptr_array_unref(o->properties);
    g_free(o);
}

/* --- making objects ----------------------------------------------------------------------------------------------- */

static QomObject *find_exactly(const QomView *view, const char *path, size_t len)
{
    for (guint i = 0; i < view->objects->len; i++) {
        QomObject *o = view->objects->pdata[i];
        if (strlen(o->path) == len && strncmp(o->path, path, len) == 0)
            return o;
    }
    return NULL;
}

/* Below another, which has it as a child. Paths are absolute. */
QomObject *qom_add_object(QomView *view, const char *path, const char *type)
{
    const char *name = strrchr(path, '/') + 1;
    QomObject *parent = find_exactly(view, path, name - path > 1 ? (size_t)(name - path - 1) : 1);
    g_autofree char *child = g_strdup_printf("child<%s>", type);
    QomObject *o = g_new0(QomObject, 1);

    o->path = g_strdup(path);
    o->type = g_strdup(type);
    o->properties = qom_properties_new();
    qom_add(o->properties, "type", "string", json_string(type));
    g_ptr_array_add(view->objects, o);
    if (parent && *name)
        qom_add(parent->properties, name, child, json_string(path));
    return o;
}

static QomObject *add_device(QomView *view, const char *path, const char *type, const char *bus, Device *dev)
{
    QomObject *o = qom_add_object(view, path, type);

    o->dev = dev;
    qom_add(o->properties, "parent_bus", "link<bus>", json_string(bus ? bus : ""));
    qom_add(o->properties, "realized", "bool", json_true());
    qom_add(o->properties, "hotplugged", "bool", json_false());
    qom_add(o->properties, "hotpluggable", "bool", json_false());
    return o;
}

static void add_bus(QomView *view, const char *parent, const char *name, const char *type, char **path)
{
    g_autofree char *own = g_strdup_printf("%s/%s", parent, name);
    QomObject *o = qom_add_object(view, own, type);

    qom_add(o->properties, "realized", "bool", json_true());
    if (path)
        *path = g_steal_pointer(&own);
}

/* A card's place: as a number, and as people write it. */
static void add_place(QomObject *o, const PciDevice *pci)
{
    g_autofree char *text = g_strdup_printf("%02x.%x", pci->devfn >> 3, pci->devfn & 7);

    qom_add(o->properties, "addr", "int32", json_integer(pci->devfn))->option = true;
    qom_add(o->properties, "legacy-addr", "str", json_string(text));
    qom_add(o->properties, "multifunction", "bool",
            json_boolean(pci_state(pci)->config[PCI_HEADER] & PCI_HEADER_MULTIFUNCTION));
}

static void set_value(QomObject *o, const char *name, json_t *value)
{
    QomProperty *p = (QomProperty *)qom_object_find(o, name);

    if (p)
        json_decref(p->value);
    if (p)
        p->value = value;
    else
        json_decref(value);
}

/* --- what -device has made ---------------------------------------------------------------------------------------- */

static char *bus_path(const QomView *view, const char *bus)
{
    if (g_str_equal(bus, "pci.0"))
        return g_strdup(PCI_BUS);
    if (g_str_equal(bus, "isa.0"))
        return g_strdup(view->isa);
    return g_strdup_printf("%s/%s", view->ide, bus);
}

static const char *backend_type(const DeviceType *type)
{
    return type == &virtio_blk_type   ? "virtio-blk-device"
           : type == &virtio_net_type ? "virtio-net-device"
                                      : "virtio-rng-device";
}

/* The card, and the device of virtio on it. */
static void add_virtio_parts(QomView *view, const QomObject *o)
{
    g_autofree char *bus = g_strconcat(o->path, "/virtio-bus", NULL);
    g_autofree char *backend = g_strconcat(o->path, "/virtio-backend", NULL);

    add_bus(view, o->path, "virtio-bus", "virtio-pci-bus", NULL);
    QomObject *device = add_device(view, backend, backend_type(o->plugged->type), bus, o->dev);
    device->plugged = o->plugged;
    qom_add_options(device->properties, o->plugged->type, o->dev);
}

static void set_mac(QomObject *o)
{
    uint8_t mac[6];

    virtio_net_own_mac(o->dev, mac);
    set_value(o, "mac", json_sprintf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]));
}

static QomObject *add_plugged(QomView *view, const char *path, const VmDevice *d)
{
    g_autofree char *bus = bus_path(view, d->bus);
    bool card = g_str_equal(d->bus, "pci.0");
    QomObject *o = add_device(view, path, d->type->name, bus, d->dev);

    o->plugged = d;
    set_value(o, "hotplugged", json_boolean(d->late));
    set_value(o, "hotpluggable", json_boolean(card));
    if (card)
        add_place(o, (const PciDevice *)d->dev);
    if (d->dev)
        qom_add_options(o->properties, d->type, d->dev);
    if (g_str_has_prefix(d->bus, "ide.") && !qom_object_find(o, "unit"))
        qom_add(o->properties, "unit", "uint32", json_integer(d->unit));
    else if (g_str_has_prefix(d->bus, "ide."))
        set_value(o, "unit", json_integer(d->unit));
    if (d->drive && qom_object_find(o, "drive"))
        set_value(o, "drive", json_string(d->drive));
    if (d->netdev && qom_object_find(o, "netdev"))
        set_value(o, "netdev", json_string(d->netdev));
    if (d->type == &virtio_net_type)
        set_mac(o);
    if (card)
        add_virtio_parts(view, o);
    return o;
}

static void add_peripherals(QomView *view)
{
    const GPtrArray *devices = vm_devices(view->vm);

    for (guint i = 0; i < devices->len; i++) {
        const VmDevice *d = devices->pdata[i];
        g_autofree char *path = d->origin != VM_BY_DEVICE ? NULL
                                : d->id                   ? g_strdup_printf("/machine/peripheral/%s", d->id)
                                        : g_strdup_printf("/machine/peripheral-anon/device[%u]", view->anonymous++);
        if (path)
            add_plugged(view, path, d);
    }
}

/* --- the board ---------------------------------------------------------------------------------------------------- */

typedef enum Bus { BUS_NONE, BUS_SYSTEM, BUS_PCI, BUS_ISA, BUS_I2C } Bus;

typedef struct Row {
    const char *type; /* of the device, ours and QEMU's; NULL ends them */
    Bus bus;
} Row;

/* In the order in which QEMU counts them. */
static const Row before_cards[] = {
    {"kvmclock", BUS_SYSTEM}, {"i440FX", BUS_PCI},    {"PIIX3", BUS_PCI},     {"i8257", BUS_ISA},
    {"isa-i8259", BUS_ISA},   {"kvm-i8259", BUS_ISA}, {"hpet", BUS_SYSTEM},   {"mc146818rtc", BUS_ISA},
    {"isa-pit", BUS_ISA},     {"kvm-pit", BUS_ISA},   {"isa-pcspk", BUS_ISA}, {"isa-serial", BUS_ISA},
    {"isa-fdc", BUS_ISA},     {"i8042", BUS_ISA},     {"vmport", BUS_ISA},    {"vmmouse", BUS_ISA},
    {"port92", BUS_ISA},      {NULL, BUS_NONE},
};
static const Row ide[] = {{"piix3-ide", BUS_PCI}, {NULL, BUS_NONE}};
static const Row last[] = {{"PIIX4_PM", BUS_PCI}, {"smbus-eeprom", BUS_I2C}, {NULL, BUS_NONE}};

static char *next_path(QomView *view)
{
    return g_strdup_printf(UNATTACHED "/device[%u]", view->unattached++);
}

/* Parts that are objects of their own. */
static void add_parts(QomView *view, const QomObject *o)
{
    static const char *const parts[][4] = {
        {"PIIX3", "isa.0", "ISA"},
        {"piix3-ide", "ide.0", "IDE"},
        {"piix3-ide", "ide.1", "IDE"},
        {"PIIX4_PM", "i2c", "i2c-bus"},
        {"isa-fdc", "floppy-bus.0", "floppy-bus"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++)
        if (g_str_equal(o->type, parts[i][0]))
            add_bus(view, o->path, parts[i][1], parts[i][2], NULL);
    if (!g_str_equal(o->type, "i8042"))
        return;
    g_autofree char *keyboard = g_strconcat(o->path, "/ps2kbd", NULL), *mouse = g_strconcat(o->path, "/ps2mouse", NULL);
    add_device(view, keyboard, "ps2-kbd", UNATTACHED "/sysbus", NULL);
    add_device(view, mouse, "ps2-mouse", UNATTACHED "/sysbus", NULL);
}

static void remember(QomView *view, const QomObject *o)
{
    if (g_str_equal(o->type, "PIIX3"))
        view->isa = g_strconcat(o->path, "/isa.0", NULL);
    else if (g_str_equal(o->type, "piix3-ide"))
        view->ide = g_strdup(o->path);
    else if (g_str_equal(o->type, "PIIX4_PM")) {
        view->i2c = g_strconcat(o->path, "/i2c", NULL);
        view->pm = g_strdup(o->path);
    } else if (g_str_equal(o->type, "mc146818rtc"))
        view->rtc = g_strdup(o->path);
}

static void add_chip(QomView *view, const char *path, const Row *row, Device *dev)
{
    const char *buses[] = {NULL, UNATTACHED "/sysbus", PCI_BUS, view->isa, view->i2c};
    QomObject *o = add_device(view, path, row->type, buses[row->bus], dev);

    if (row->bus == BUS_PCI)
        add_place(o, (const PciDevice *)dev);
    qom_add_options(o->properties, dev->type, dev);
    remember(view, o);
    add_parts(view, o);
}

/* How many serial ports are not the board's, as -device has made them. */
static unsigned foreign_ports(const QomView *view)
{
    const GPtrArray *devices = vm_devices(view->vm);
    unsigned count = 0;

    for (guint i = 0; i < devices->len; i++)
        count += g_str_equal(((const VmDevice *)devices->pdata[i])->type->name, "isa-serial");
    return count;
}

static void add_rows(QomView *view, const Row *rows)
{
    const Machine *machine = pc_machine(vm_pc(view->vm));

    for (; rows->type; rows++) {
        unsigned left_out = g_str_equal(rows->type, "isa-serial") ? foreign_ports(view) * 2 : 0;
        if (g_str_equal(rows->type, "kvmclock") && !pc_kvm(vm_pc(view->vm)))
            continue;
        for (guint i = 0; i < machine->devices->len; i++) {
            Device *dev = machine->devices->pdata[i];
            if (strcmp(dev->type->name, rows->type) != 0 || (left_out && left_out--))
                continue;
            g_autofree char *path = next_path(view);
            add_chip(view, path, rows, dev);
        }
    }
}

/* Cards of -nic, or drives. */
static void add_board_devices(QomView *view, bool cards)
{
    const GPtrArray *devices = vm_devices(view->vm);

    for (guint i = 0; i < devices->len; i++) {
        const VmDevice *d = devices->pdata[i];
        if (d->origin != VM_BY_BOARD || g_str_equal(d->bus, "pci.0") != cards)
            continue;
        g_autofree char *path = next_path(view);
        add_plugged(view, path, d);
    }
}

/* --- processors --------------------------------------------------------------------------------------------------- */

/* Behind the first is kvmvapic. */
char *qom_cpu_path(unsigned index)
{
    return g_strdup_printf(UNATTACHED "/device[%u]", index ? index + 1 : 0);
}

char *qom_cpu_type(const Vm *vm)
{
    const char *model = vm_options(vm)->cpu.model;

    return g_strconcat(model ? model : "qemu64", "-x86_64-cpu", NULL);
}

static void tell_feature(void *opaque, const char *name, bool on)
{
    qom_add(opaque, name, "bool", json_boolean(on))->option = true;
}

static void add_missing(QomObject *o, const CpuModel *model)
{
    const GPtrArray *missing = cpu_model_missing(model);
    json_t *names = json_array();

    for (guint i = 0; i < missing->len; i++)
        json_array_append_new(names, json_string(missing->pdata[i]));
    qom_add(o->properties, "unavailable-features", "strList", names);
}

static void add_model(QomObject *o, const CpuModel *model)
{
    CpuNumbers n = cpu_model_numbers(model);

    qom_add(o->properties, "family", "int", json_integer(n.family));
    qom_add(o->properties, "model", "int", json_integer(n.model));
    qom_add(o->properties, "stepping", "int", json_integer(n.stepping));
    qom_add(o->properties, "level", "uint32", json_integer(n.level));
    qom_add(o->properties, "xlevel", "uint32", json_integer(n.xlevel));
    qom_add(o->properties, "vendor", "string", json_string(n.vendor));
    qom_add(o->properties, "model-id", "string", json_string(n.text));
    g_free(n.vendor);
    g_free(n.text);
    add_missing(o, model);
    cpu_model_tell(model, tell_feature, o->properties);
}

static void add_cpu(QomView *view, unsigned index)
{
    const Pc *pc = vm_pc(view->vm);
    CpuTopology t = pc_topology(pc);
    g_autofree char *path = next_path(view), *type = qom_cpu_type(view->vm), *lapic = g_strconcat(path, "/lapic", NULL);
    QomObject *o = add_device(view, path, type, NULL, NULL);

    set_value(o, "hotpluggable", json_true());
    qom_add(o->properties, "apic-id", "uint32", json_integer(index));
    qom_add(o->properties, "socket-id", "int32", json_integer(index / (t.threads * t.cores * t.dies)));
    qom_add(o->properties, "die-id", "int32", json_integer(index / (t.threads * t.cores) % t.dies));
    qom_add(o->properties, "core-id", "int32", json_integer(index / t.threads % t.cores));
    qom_add(o->properties, "thread-id", "int32", json_integer(index % t.threads));
    if (pc_kvm(pc) && pc_kvm(pc)->model)
        add_model(o, pc_kvm(pc)->model);
    add_device(view, lapic, pc_kvm(pc) && pc_chips(pc) != KVM_CHIPS_NONE ? "kvm-apic" : "apic", NULL, NULL);
}

static void add_cpus(QomView *view)
{
    for (unsigned i = 0; i < vm_options(view->vm)->smp.cpus; i++) {
        add_cpu(view, i);
        g_autofree char *path = i ? NULL : next_path(view);
        if (path)
            add_device(view, path, "kvmvapic", UNATTACHED "/sysbus", NULL);
    }
}

/* --- the machine itself ------------------------------------------------------------------------------------------- */

static void add_text(QomObject *o, const char *name, const char *text)
{
    qom_add(o->properties, name, "string", json_string(text ? text : ""));
}

static void add_machine(QomView *view)
{
    const Options *o = vm_options(view->vm);
    const OptionsMachine *m = &o->machine;
    bool none = g_strcmp0(m->type, "none") == 0;
    g_autofree char *type = g_strconcat(none ? "none" : pc_identity()->type, "-machine", NULL);
    g_autofree char *memory = g_strconcat("/objects/", m->memory_backend ? m->memory_backend : "pc.ram", NULL);
    QomObject *machine = qom_add_object(view, "/machine", type);
    GPtrArray *p = machine->properties;

    add_text(machine, "kernel", o->kernel);
    add_text(machine, "initrd", o->initrd);
    add_text(machine, "append", o->append);
    add_text(machine, "firmware", o->bios ? o->bios : "bios-256k.bin");
    qom_add(p, "memory", "MemorySizeConfiguration", json_pack("{s:I}", "size", (json_int_t)o->memory.size));
    qom_add(p, "memory-backend", "link<memory-backend>", json_string(memory));
    qom_add(p, "boot", "BootConfiguration", json_pack("{s:s}", "order", o->boot.order ? o->boot.order : "cad"));
    qom_add(p, "smp", "SMPConfiguration",
            json_pack("{s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "cpus", (int)o->smp.cpus, "maxcpus", (int)o->smp.maxcpus,
                      "threads", (int)o->smp.threads, "cores", (int)o->smp.cores, "dies", (int)o->smp.dies, "sockets",
                      (int)o->smp.sockets, "clusters", 1));
    qom_add(p, "graphics", "bool", json_boolean(m->graphics));
    qom_add(p, "usb", "bool", json_boolean(m->usb));
    qom_add(p, "mem-merge", "bool", json_boolean(m->mem_merge));
    qom_add(p, "dump-guest-core", "bool", json_boolean(m->dump_guest_core));
    qom_add(p, "hpet", "bool", json_boolean(m->hpet));
    qom_add(p, "i8042", "bool", json_boolean(m->i8042));
    qom_add(p, "suppress-vmdesc", "bool", json_false());
    qom_add(p, "smm", "OnOffAuto", json_string(qmp_OnOffAuto_name(m->smm)));
    qom_add(p, "acpi", "OnOffAuto", json_string(qmp_OnOffAuto_name(m->acpi)));
    qom_add(p, "vmport", "OnOffAuto", json_string(qmp_OnOffAuto_name(m->vmport ? m->vmport : QMP_ON_OFF_AUTO_ON)));
    qom_add(p, "max-ram-below-4g", "size",
            json_integer((json_int_t)(m->max_ram_below_4g ? m->max_ram_below_4g : UINT64_C(3584) << 20)));
}

static void add_board(QomView *view)
{
    add_machine(view);
    qom_add_object(view, UNATTACHED, "container");
    qom_add_object(view, "/machine/peripheral", "container");
    qom_add_object(view, "/machine/peripheral-anon", "container");
    add_bus(view, UNATTACHED, "sysbus", "System", NULL);
    add_device(view, "/machine/fw_cfg", "fw_cfg_io", UNATTACHED "/sysbus", NULL);
    add_device(view, "/machine/i440fx", "i440FX-pcihost", UNATTACHED "/sysbus", NULL);
    add_bus(view, "/machine/i440fx", "pci.0", "PCI", NULL);
    bool kernel = pc_kvm(vm_pc(view->vm)) && pc_chips(vm_pc(view->vm)) == KVM_CHIPS_ALL;
    add_device(view, "/machine/i440fx/ioapic", kernel ? "kvm-ioapic" : "ioapic", UNATTACHED "/sysbus", NULL);
    add_cpus(view);
    add_rows(view, before_cards);
    add_board_devices(view, true);
    add_rows(view, ide);
    add_board_devices(view, false);
    add_rows(view, last);
    add_peripherals(view);
    QomObject *machine = find_exactly(view, "/machine", strlen("/machine"));
    qom_add(machine->properties, "acpi-device", "link<hotplug-handler>", json_string(view->pm));
    qom_add(machine->properties, "rtc_state", "link<isa-device>", json_string(view->rtc));
}

/* --- the view ----------------------------------------------------------------------------------------------------- */

QomView *qom_view_new(Vm *vm)
{
    QomView *view = g_new0(QomView, 1);

    view->vm = vm;
    view->objects = g_ptr_array_new_with_free_func(object_free);
    qom_add_object(view, "/", "container");
    qom_add_object(view, "/objects", "container");
    qom_add_object(view, "/chardevs", "container");
    if (!vm)
        return view;
    machine_lock(pc_machine(vm_pc(vm)));
    add_board(view);
    qom_add_objects(view);
    qom_add_lines(view);
    machine_unlock(pc_machine(vm_pc(vm)));
    return view;
}

void qom_view_free(QomView *view)
{
    if (!view)
        return;
    g_ptr_array_unref(view->objects);
    g_free(view->isa);
    g_free(view->ide);
    g_free(view->i2c);
    g_free(view->pm);
    g_free(view->rtc);
    g_free(view);
}

const GPtrArray *qom_view_objects(const QomView *view)
{
    return view->objects;
}

/* Slashes count once, and at the end not at all. */
static char *tidy(const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    GString *text = g_string_new(NULL);

    for (char **part = parts; *part; part++)
        if (**part)
            g_string_append_printf(text, "%s%s", text->len || *path == '/' ? "/" : "", *part);
    if (!text->len && *path == '/')
        g_string_append_c(text, '/');
    return g_string_free(text, FALSE);
}

static bool fits(const QomObject *o, const char *path)
{
    size_t len = strlen(path), own = strlen(o->path);

    if (*path == '/')
        return strcmp(o->path, path) == 0;
    return own > len && o->path[own - len - 1] == '/' && strcmp(o->path + own - len, path) == 0;
}

const QomObject *qom_view_find(const QomView *view, const char *path, GError **error)
{
    g_autofree char *wanted = tidy(path);
    const QomObject *found = NULL;
    bool ambiguous = !*wanted;

    for (guint i = 0; *wanted && i < view->objects->len; i++) {
        const QomObject *o = view->objects->pdata[i];
        ambiguous |= found && fits(o, wanted);
        found = found ? found : fits(o, wanted) ? o : NULL;
    }
    if (ambiguous)
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "Path '%s' is ambiguous", path);
    else if (!found)
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", path);
    return ambiguous ? NULL : found;
}

const QomProperty *qom_object_find(const QomObject *object, const char *name)
{
    for (guint i = 0; i < object->properties->len; i++) {
        const QomProperty *p = object->properties->pdata[i];
        if (strcmp(p->name, name) == 0)
            return p;
    }
    return NULL;
}

char *qom_path_of(Vm *vm, const VmDevice *device)
{
    g_autoptr(QomView) view = qom_view_new(vm);

    for (guint i = 0; i < view->objects->len; i++) {
        const QomObject *o = view->objects->pdata[i];
        if (o->plugged == device)
            return g_strdup(o->path);
    }
    return NULL;
}
