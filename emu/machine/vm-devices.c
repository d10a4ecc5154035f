/*
 * vm-devices.c: what -device plugs in, and the drives that need no -device; and in which order the firmware tries them.
 *
 * Drives on the IDE cables and serial ports are parts of chips that the PC has anyway: their types here exist for their
 * options only.
 */
#include <stdlib.h>
#include <string.h>

#include "emu/dev/dev.h"
#include "emu/machine/vm-impl.h"
#include "emu/pci/pci.h"
#include "emu/virtio/virtio-devices.h"
#include "vmstate/options.h"

/* --- types that are options only -------------------------------------------------------------------------------- */

typedef struct IdePlug {
    Device dev;
    char *drive, *serial, *model;
    uint32_t unit;
    bool has_unit;
    int32_t bootindex;
} IdePlug;

static const VMStateField ide_fields[] = {
    VMS_TEXT(IdePlug, drive),      VMS_TEXT(IdePlug, serial),
    VMS_TEXT(IdePlug, model),      VMS_FIELD(IdePlug, unit, .presence = 1 + offsetof(IdePlug, has_unit)),
    VMS_FIELD(IdePlug, bootindex), VMS_END,
};

static const VMStateDescription ide_options = {
    .name = "ide", .version = 1, .minimum = 1, .size = sizeof(IdePlug), .fields = ide_fields};
static const IdePlug ide_defaults = {.bootindex = -1};

static const DeviceType ide_hd_type = {.name = "ide-hd",
                                       .about = "a hard disk on an IDE cable",
                                       .size = sizeof(IdePlug),
                                       .defaults = &ide_defaults,
                                       .options = &ide_options};
static const DeviceType ide_cd_type = {.name = "ide-cd",
                                       .about = "a CD drive on an IDE cable",
                                       .size = sizeof(IdePlug),
                                       .defaults = &ide_defaults,
                                       .options = &ide_options};

typedef struct LinePlug {
    Device dev;
    char *chardev;
    uint32_t index;
    bool has_index;
} LinePlug;

static const VMStateField serial_fields[] = {
    VMS_TEXT(LinePlug, chardev, .flags = VMS_REQUIRED),
    VMS_FIELD(LinePlug, index, .presence = 1 + offsetof(LinePlug, has_index)),
    VMS_END,
};
static const VMStateField debugcon_fields[] = {VMS_TEXT(LinePlug, chardev, .flags = VMS_REQUIRED), VMS_END};
static const VMStateDescription serial_options = {
    .name = "isa-serial", .version = 1, .minimum = 1, .size = sizeof(LinePlug), .fields = serial_fields};
static const VMStateDescription debugcon_options = {
    .name = "isa-debugcon", .version = 1, .minimum = 1, .size = sizeof(LinePlug), .fields = debugcon_fields};

static const DeviceType serial_plug_type = {
    .name = "isa-serial", .about = "a serial port, 16550A", .size = sizeof(LinePlug), .options = &serial_options};
static const DeviceType debugcon_plug_type = {.name = "isa-debugcon",
                                              .about = "port 0x402, to which the firmware tells what it does",
                                              .size = sizeof(LinePlug),
                                              .options = &debugcon_options};

const DeviceType *const *vm_device_types(void)
{
    static const DeviceType *const types[] = {
        &ide_cd_type,     &ide_hd_type,     &debugcon_plug_type, &serial_plug_type,
        &virtio_blk_type, &virtio_net_type, &virtio_rng_type,    NULL,
    };

    return types;
}

/* --- the boot order --------------------------------------------------------------------------------------------- */

void vm_boot_done(void *boot)
{
    g_free(((VmBoot *)boot)->path);
}

/* Takes the path. Less than 0: the firmware is told nothing. */
static bool add_boot(Vm *vm, int32_t index, char *path, GError **error)
{
    const VmBoot boot = {index, path};

    for (unsigned i = 0; index >= 0 && i < vm->boots->len; i++)
        if (g_array_index(vm->boots, VmBoot, i).index == index) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "bootindex %d is given to two devices", index);
            g_free(path);
            return false;
        }
    if (index >= 0)
        g_array_append_val(vm->boots, boot);
    else
        g_free(path);
    return true;
}

static int by_index(const void *a, const void *b)
{
    const VmBoot *x = a, *y = b;

    return (x->index > y->index) - (x->index < y->index);
}

/* Strictly: what is not in the list is not started; the list being empty, all is. */
static void tell_boot_order(Vm *vm)
{
    const QmpBootOptions *boot = &vm->options->boot;
    PcOptions *pc = pc_options(vm->pc);
    GString *text = g_string_new(NULL);

    g_array_sort(vm->boots, by_index);
    for (unsigned i = 0; i < vm->boots->len; i++)
        g_string_append_printf(text, "%s%s", i ? "\n" : "", g_array_index(vm->boots, VmBoot, i).path);
    if (boot->strict && vm->boots->len)
        g_string_append(text, "\nHALT");
    vm->boot_paths = g_string_free(text, FALSE);
    if (vm->boots->len)
        pc->boot_paths = vm->boot_paths;
    pc->boot_order = boot->order;
    pc->boot_once = boot->once;
    pc->boot_menu = boot->menu;
    pc->has_menu_wait = boot->has_splash_time;
    pc->menu_wait = boot->splash_time;
    pc->has_fail_wait = boot->has_reboot_timeout;
    pc->fail_wait = (int32_t)boot->reboot_timeout;
}

/* --- places ----------------------------------------------------------------------------------------------------- */

static bool refuse(const OptionsDevice *o, GError **error, const char *key, const char *value, const char *right)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "-device %s.%s: '%s'; %s", o->common.driver, key, value,
                right);
    return false;
}

/* "4" or "4.1", in hexadecimal digits. */
static bool read_address(const OptionsDevice *o, int *slot, unsigned *function, GError **error)
{
    char *end;

    *slot = PC_SLOT_ANY;
    *function = 0;
    if (o->common.bus && !g_str_equal(o->common.bus, "pci.0"))
        return refuse(o, error, "bus", o->common.bus, "the only PCI bus is 'pci.0'");
    if (!o->common.addr)
        return true;
    unsigned long n = strtoul(o->common.addr, &end, 16), f = 0;
    if (end != o->common.addr && *end == '.') {
        const char *behind = end + 1;
        f = strtoul(behind, &end, 16);
        end = end == behind ? (char *)"?" : end;
    }
    if (end == o->common.addr || *end || n >= PCI_SLOTS || f >= PCI_FUNCTIONS)
        return refuse(o, error, "addr", o->common.addr,
                      "a slot, 0 to 1f, and with a dot a function, 0 to 7, in hexadecimal");
    *slot = (int)n;
    *function = (unsigned)f;
    return true;
}

static bool plug_card(Vm *vm, const OptionsDevice *o, Device *dev, GError **error)
{
    unsigned function;
    int slot;

    if (!read_address(o, &slot, &function, error))
        return false;
    if (pc_plug_pci(vm->pc, dev, slot, function, error)) {
        vm_note_device(vm, dev->type, dev, o, "pci.0");
        return true;
    }
    g_prefix_error(error, "-device %s: ", o->common.driver);
    return false;
}

/* --- disks ------------------------------------------------------------------------------------------------------ */

/* What query-block calls a device: its id, or where it is among the objects; those without an id have a number. New. */
static char *name_device(const Vm *vm, const OptionsDevice *o, const char *within)
{
    unsigned n = 0;

    if (o->common.id)
        return *within ? g_strdup_printf("/machine/peripheral/%s%s", o->common.id, within) : g_strdup(o->common.id);
    for (unsigned i = 0; i < vm->options->devices->len && vm->options->devices->pdata[i] != o; i++)
        n += !((const OptionsDevice *)vm->options->devices->pdata[i])->common.id;
    return g_strdup_printf("/machine/peripheral-anon/device[%u]%s", n, within);
}

static unsigned anonymous(const Vm *vm)
{
    unsigned n = 0;

    for (unsigned i = 0; i < vm->options->devices->len; i++)
        n += !((const OptionsDevice *)vm->options->devices->pdata[i])->common.id;
    return n;
}

/* The same of a drive that the board has. */
static char *name_place(unsigned bus, unsigned unit)
{
    return g_strdup_printf("/machine/unattached/ide.%u[%u]", bus, unit);
}

/* Takes the user's name. */
static void settle_ide(VmDisk *disk, unsigned bus, unsigned unit, bool cd, char *user)
{
    disk->used = true;
    disk->cd = disk->has_tray = cd;
    disk->bus = (uint8_t)bus;
    disk->unit = (uint8_t)unit;
    disk->user = user;
}

/* `o` NULL: it is the board's own. */
static void note_ide(Vm *vm, const OptionsDevice *o, Device *dev, unsigned bus, unsigned unit)
{
    const IdeUnit *what = &pc_options(vm->pc)->ide[bus][unit];
    const char *cables[IDE_BUSES] = {"ide.0", "ide.1"};
    VmDevice *d = vm_note_device(vm, what->kind == IDE_CD ? &ide_cd_type : &ide_hd_type, dev, o, cables[bus]);

    d->unit = unit;
    d->drive = dev ? g_strdup(((IdePlug *)dev)->drive) : NULL;
}

static bool attach_ide(Vm *vm, unsigned bus, unsigned unit, const IdeUnit *what, int32_t bootindex, GError **error)
{
    IdeUnit *place = &pc_options(vm->pc)->ide[bus][unit];

    if (place->kind != IDE_NONE) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the place of unit %u on cable ide.%u is taken", unit,
                    bus);
        return false;
    }
    *place = *what;
    return add_boot(vm, bootindex, g_strdup_printf("/pci@i0cf8/ide@1,1/drive@%u/disk@%u", bus, unit), error);
}

/* Without a bus or unit: the first that is free. */
static bool find_ide_place(Vm *vm, const OptionsDevice *o, const IdePlug *p, unsigned *bus, unsigned *unit,
                           GError **error)
{
    if (o->common.bus && !g_str_equal(o->common.bus, "ide.0") && !g_str_equal(o->common.bus, "ide.1"))
        return refuse(o, error, "bus", o->common.bus, "cables are 'ide.0' and 'ide.1'");
    if (p->has_unit && p->unit >= IDE_UNITS)
        return refuse(o, error, "unit", p->unit == 2 ? "2" : "more than 2", "a cable has units 0 and 1");
    for (*bus = 0; *bus < IDE_BUSES; ++*bus)
        for (*unit = 0; *unit < IDE_UNITS; ++*unit)
            if ((!o->common.bus || (unsigned)(o->common.bus[4] - '0') == *bus) && (!p->has_unit || p->unit == *unit) &&
                ((o->common.bus && p->has_unit) || pc_options(vm->pc)->ide[*bus][*unit].kind == IDE_NONE))
                return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "-device %s: no place on an IDE cable is free",
                o->common.driver);
    return false;
}

static bool plug_ide(Vm *vm, const OptionsDevice *o, Device *dev, GError **error)
{
    IdePlug *p = (IdePlug *)dev;
    VmDisk *disk = p->drive ? vm_take_disk(vm, p->drive, error) : NULL;
    bool cd = dev->type == &ide_cd_type;
    unsigned bus, unit;

    if (p->drive && !disk)
        return false;
    if (!cd && !(disk && disk->block))
        return refuse(o, error, "drive", p->drive ? p->drive : "", "a hard disk needs a disk (-drive, -blockdev)");
    if (!find_ide_place(vm, o, p, &bus, &unit, error))
        return false;
    VmDisk *drive = disk ? disk : vm_disk_new(vm, NULL, NULL);
    settle_ide(drive, bus, unit, cd, name_device(vm, o, ""));
    const IdeUnit what = {
        .kind = cd ? IDE_CD : IDE_DISK, .block = disk ? disk->block : NULL, .serial = p->serial, .model = p->model};
    pc_plug(vm->pc, dev); /* which has the strings */
    if (!attach_ide(vm, bus, unit, &what, p->bootindex, error))
        return false;
    note_ide(vm, o, dev, bus, unit);
    return true;
}

static bool plug_virtio_blk(Vm *vm, const OptionsDevice *o, Device *dev, GError **error)
{
    const char *id = virtio_blk_drive(dev);
    VmDisk *disk = id ? vm_take_disk(vm, id, error) : NULL;

    if (id && !disk)
        return false;
    if (!disk || !disk->block)
        return refuse(o, error, "drive", id ? id : "", "it needs a disk (-drive if=none, -blockdev)");
    virtio_blk_set_block(dev, disk->block, virtio_blk_serial(dev));
    virtio_blk_set_queues(dev, pc_options(vm->pc)->cpus);
    if (!plug_card(vm, o, dev, error))
        return false;
    disk->user = name_device(vm, o, "/virtio-backend");
    unsigned devfn = ((PciDevice *)dev)->devfn;
    g_autofree char *function = devfn & 7 ? g_strdup_printf(",%x", devfn & 7) : g_strdup("");
    return add_boot(vm, virtio_blk_bootindex(dev),
                    g_strdup_printf("/pci@i0cf8/scsi@%x%s/disk@0,0", devfn >> 3, function), error);
}

/* A -drive that says where it belongs. */
static bool plug_drive(Vm *vm, const QmpDriveOptions *o, const char *id, GError **error)
{
    static const OptionsDevice nobody = {.common.driver = (char *)"virtio-blk-pci"};

    if (o->q_if == QMP_DRIVE_INTERFACE_NONE)
        return true;
    VmDisk *disk = vm_take_disk(vm, id, error);
    if (!disk)
        return false;
    if (o->q_if == QMP_DRIVE_INTERFACE_IDE && o->bus < IDE_BUSES && o->unit < IDE_UNITS) {
        const IdeUnit what = {.kind = disk->cd ? IDE_CD : IDE_DISK, .block = disk->block};
        settle_ide(disk, o->bus, o->unit, disk->cd, name_place(o->bus, o->unit));
        if ((disk->cd || disk->block) && !attach_ide(vm, o->bus, o->unit, &what, -1, error))
            return false;
        if (disk->cd || disk->block) {
            note_ide(vm, NULL, NULL, o->bus, o->unit);
            return true;
        }
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "-drive.file: a hard disk needs one");
        return false;
    }
    if (o->q_if != QMP_DRIVE_INTERFACE_VIRTIO || !disk->block) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "-drive.if: a drive %s; this version has 'ide' (4 drives), 'virtio' and 'none'",
                    disk->block ? "of this kind, or in this place, does not exist" : "without a file");
        return false;
    }
    Device *dev = device_new(&virtio_blk_type);
    virtio_blk_set_block(dev, disk->block, NULL);
    virtio_blk_set_queues(dev, pc_options(vm->pc)->cpus);
    g_autofree char *within = g_strdup_printf("device[%u]/virtio-backend", anonymous(vm) + vm->drive_cards++);
    disk->user = g_build_filename("/machine/peripheral-anon", within, NULL);
    if (plug_card(vm, &nobody, dev, error)) {
        ((VmDevice *)vm->devices->pdata[vm->devices->len - 1])->drive = g_strdup(id);
        return true;
    }
    device_free(dev);
    return false;
}

/* --- network cards ---------------------------------------------------------------------------------------------- */

/* QEMU's own default; a machine that has none of it does without. */
static bool load_rom(const OptionsDevice *o, Device *dev, GError **error)
{
    const char *name = virtio_net_romfile(dev);
    static const char *const folders[] = {"qemu", "../lib/ipxe/qemu", NULL}; /* Debian's package is ipxe-qemu */
    g_autofree char *path = vm_find_file(name ? name : "efi-virtio.rom", folders), *octets = NULL;
    gsize len;

    if (name && !*name)
        return true;
    if (!path)
        return !name || refuse(o, error, "romfile", name, "there is no such file where ROMs are");
    if (!g_file_get_contents(path, &octets, &len, error))
        return false;
    virtio_net_set_rom(dev, octets, len);
    return true;
}

/* 52:54:00:12:34:56, and on, as with QEMU. */
static void choose_mac(Vm *vm, const char *text, uint8_t mac[6])
{
    const uint8_t first[6] = {0x52, 0x54, 0x00, 0x12, 0x34, (uint8_t)(0x56 + vm->cards)};

    if (text && net_read_mac(text, mac))
        return;
    memcpy(mac, first, sizeof first);
    vm->cards++;
}

static bool plug_net(Vm *vm, const OptionsDevice *o, Device *dev, NetBackend *net, const char *mac_text, GError **error)
{
    uint8_t mac[6];

    choose_mac(vm, mac_text, mac);
    virtio_net_set_backend(dev, net, mac);
    if (!load_rom(o, dev, error) || !plug_card(vm, o, dev, error))
        return false;
    return add_boot(vm, virtio_net_bootindex(dev),
                    g_strdup_printf("/pci@i0cf8/ethernet@%x/ethernet-phy@0", ((PciDevice *)dev)->devfn >> 3), error);
}

static bool plug_virtio_net(Vm *vm, const OptionsDevice *o, Device *dev, GError **error)
{
    const char *id = virtio_net_netdev(dev);
    VmNet *n = id ? vm_take_net(vm, id, error) : NULL;

    return (n || !id) && plug_net(vm, o, dev, n ? n->net : NULL, virtio_net_mac(dev), error);
}

/* A network and a card at once. */
static bool plug_nic(Vm *vm, const OptionsNic *o, GError **error)
{
    static const OptionsDevice nobody = {.common.driver = (char *)"virtio-net-pci"};

    if (!o->net)
        return true;
    VmNet *n = vm_net_new(vm, o->net, error);
    Device *dev = n ? device_new(&virtio_net_type) : NULL;
    if (!dev)
        return false;
    n->used = true;
    if (plug_net(vm, &nobody, dev, n->net, o->mac, error)) {
        VmDevice *d = vm->devices->pdata[vm->devices->len - 1];
        d->origin = VM_BY_BOARD;
        d->netdev = g_strdup(o->net->id);
        return true;
    }
    if (!pc_has_plugged(vm->pc, dev))
        device_free(dev);
    return false;
}

/* --- random octets ---------------------------------------------------------------------------------------------- */

/* The host kernel's, which is what /dev/urandom and /dev/random are. */
static bool plug_virtio_rng(Vm *vm, const OptionsDevice *o, Device *dev, GError **error)
{
    const char *id = virtio_rng_object(dev);
    const OptionsObject *object = id ? vm_find_object(vm, id) : NULL;

    if (id && (!object || (object->type != QMP_OBJECT_TYPE_RNG_RANDOM && object->type != QMP_OBJECT_TYPE_RNG_BUILTIN)))
        return refuse(o, error, "rng", id, "there is no -object rng-random or rng-builtin of that id");
    if (object && object->path && !g_str_equal(object->path, "/dev/urandom") &&
        !g_str_equal(object->path, "/dev/random"))
        return refuse(o, error, "rng", object->path, "the only source is the kernel's, urandom");
    return plug_card(vm, o, dev, error);
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

static bool plug_line(Vm *vm, const OptionsDevice *o, Device *dev, GError **error)
{
    LinePlug *p = (LinePlug *)dev;
    Chardev *line = vm_chardev(vm, p->chardev);

    if (!line)
        return refuse(o, error, "chardev", p->chardev, "there is no such -chardev");
    if (dev->type == &debugcon_plug_type)
        pc_options(vm->pc)->debug = line;
    else if (p->has_index && p->index >= PC_SERIAL_PORTS)
        return refuse(o, error, "index", "too large", "serial ports are 0 to 3");
    else if (p->has_index && !pc_options(vm->pc)->serial[p->index])
        pc_options(vm->pc)->serial[p->index] = line;
    else if (!vm_add_serial(vm, line, error))
        return false;
    vm_note_device(vm, dev->type, dev, o, "isa.0");
    pc_plug(vm->pc, dev);
    return true;
}

/* --- all -------------------------------------------------------------------------------------------------------- */

typedef bool Plug(Vm *vm, const OptionsDevice *o, Device *dev, GError **error);

/* Gives the device to the PC. */
static Plug *plug_of(const DeviceType *type)
{
    static const struct {
        const DeviceType *type;
        Plug *plug;
    } plugs[] = {
        {&ide_hd_type, plug_ide},
        {&ide_cd_type, plug_ide},
        {&serial_plug_type, plug_line},
        {&debugcon_plug_type, plug_line},
        {&virtio_blk_type, plug_virtio_blk},
        {&virtio_net_type, plug_virtio_net},
        {&virtio_rng_type, plug_virtio_rng},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(plugs); i++)
        if (plugs[i].type == type)
            return plugs[i].plug;
    return plug_card;
}

bool vm_plug(Vm *vm, const OptionsDevice *o, Device *dev, GError **error)
{
    return plug_of(o->type)(vm, o, dev, error);
}

/* Those that take a place on the PCI bus come after all that -device has plugged in, as with QEMU. */
static bool plug_drives(Vm *vm, bool cards, GError **error)
{
    const GPtrArray *drives = vm->options->drives;

    for (unsigned i = 0; i < drives->len; i++) {
        const VmDisk *disk = vm->disks->pdata[vm->first_drive + i];
        const QmpDriveOptions *o = drives->pdata[i];
        if ((o->q_if == QMP_DRIVE_INTERFACE_VIRTIO) == cards && !plug_drive(vm, o, disk->id, error))
            return false;
    }
    return true;
}

bool vm_make_devices(Vm *vm, GError **error)
{
    const Options *o = vm->options;

    if (!plug_drives(vm, false, error))
        return false;
    for (unsigned i = 0; i < o->nics->len; i++)
        if (!plug_nic(vm, o->nics->pdata[i], error))
            return false;
    for (unsigned i = 0; i < o->devices->len; i++) {
        const OptionsDevice *d = o->devices->pdata[i];
        Device *dev = device_new(d->type);
        bool ok = options_device_apply(d, dev, error) && vm_plug(vm, d, dev, error);
        if (!ok && !pc_has_plugged(vm->pc, dev))
            device_free(dev);
        if (!ok)
            return false;
    }
    if (!plug_drives(vm, true, error))
        return false;
    if (!o->no_defaults && pc_options(vm->pc)->ide[1][0].kind == IDE_NONE) {
        pc_options(vm->pc)->ide[1][0] = (IdeUnit){.kind = IDE_CD};
        settle_ide(vm_disk_new(vm, "ide1-cd0", NULL), 1, 0, true, name_place(1, 0));
        note_ide(vm, NULL, NULL, 1, 0);
    }
    tell_boot_order(vm);
    return true;
}
