/*
 * qom-types.c: which types of objects there are, and what their properties are.
 *
 * Source: what QEMU 7.2 answers to qom-list-types.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "emu/machine/vm.h"
#include "emu/qmp/qom-view.h"
#include "vmstate/options.h"

const QomType qom_types[] = {
    {"IDE", "bus", false},
    {"ISA", "bus", false},
    {"PCI", "bus", false},
    {"PIIX3", "pci-piix3", false},
    {"PIIX4_PM", "pci-device", false},
    {"System", "bus", false},
    {"apic", "apic-common", false},
    {"apic-common", "device", true},
    {"base-x86_64-cpu", "x86_64-cpu", false},
    {"bus", "object", true},
    {"chardev", "object", true},
    {"chardev-fd", "chardev", true},
    {"chardev-file", "chardev-fd", false},
    {"chardev-null", "chardev", false},
    {"chardev-pty", "chardev", false},
    {"chardev-ringbuf", "chardev", false},
    {"chardev-socket", "chardev", false},
    {"chardev-stdio", "chardev-fd", false},
    {"container", "object", false},
    {"cpu", "device", true},
    {"device", "object", true},
    {"event-loop-base", "object", true},
    {"floppy-bus", "bus", false},
    {"fw_cfg", "sys-bus-device", true},
    {"fw_cfg_io", "fw_cfg", false},
    {"generic-pc-machine", "x86-machine", true},
    {"host-x86_64-cpu", "max-x86_64-cpu", false},
    {"hpet", "sys-bus-device", false},
    {"i2c-bus", "bus", false},
    {"i2c-slave", "device", true},
    {"i440FX", "pci-device", false},
    {"i440FX-pcihost", "pci-host-bridge", false},
    {"i8042", "isa-device", false},
    {"i8257", "isa-device", false},
    {"ide-cd", "ide-device", false},
    {"ide-device", "device", true},
    {"ide-hd", "ide-device", false},
    {"ioapic", "ioapic-common", false},
    {"ioapic-common", "sys-bus-device", true},
    {"iothread", "event-loop-base", false},
    {"isa-debugcon", "isa-device", false},
    {"isa-device", "device", true},
    {"isa-fdc", "isa-device", false},
    {"isa-i8259", "pic-common", false},
    {"isa-pcspk", "isa-device", false},
    {"isa-pit", "pit-common", false},
    {"isa-serial", "isa-device", false},
    {"kvm-apic", "apic-common", false},
    {"kvm-i8259", "pic-common", false},
    {"kvm-ioapic", "ioapic-common", false},
    {"kvm-pit", "pit-common", false},
    {"kvm64-x86_64-cpu", "x86_64-cpu", false},
    {"kvmclock", "sys-bus-device", false},
    {"kvmvapic", "sys-bus-device", false},
    {"machine", "object", true},
    {"max-x86_64-cpu", "x86_64-cpu", false},
    {"mc146818rtc", "isa-device", false},
    {"memory-backend", "object", true},
    {"memory-backend-file", "memory-backend", false},
    {"memory-backend-memfd", "memory-backend", false},
    {"memory-backend-ram", "memory-backend", false},
    {"none-machine", "machine", false},
    {"object", NULL, true},
    {"pc-i440fx-7.2-machine", "generic-pc-machine", false},
    {"pci-device", "device", true},
    {"pci-host-bridge", "sys-bus-device", true},
    {"pci-ide", "pci-device", true},
    {"pci-piix3", "pci-device", true},
    {"pic-common", "isa-device", true},
    {"piix3-ide", "pci-ide", false},
    {"pit-common", "isa-device", true},
    {"port92", "isa-device", false},
    {"ps2-device", "sys-bus-device", true},
    {"ps2-kbd", "ps2-device", false},
    {"ps2-mouse", "ps2-device", false},
    {"qemu64-x86_64-cpu", "x86_64-cpu", false},
    {"rng-backend", "object", true},
    {"rng-builtin", "rng-backend", false},
    {"rng-random", "rng-backend", false},
    {"secret", "secret_common", false},
    {"secret_common", "object", true},
    {"smbus-device", "i2c-slave", true},
    {"smbus-eeprom", "smbus-device", false},
    {"sys-bus-device", "device", true},
    {"virtio-blk-device", "virtio-device", false},
    {"virtio-blk-pci", "virtio-blk-pci-base", false},
    {"virtio-blk-pci-base", "virtio-pci", true},
    {"virtio-bus", "bus", true},
    {"virtio-device", "device", true},
    {"virtio-net-device", "virtio-device", false},
    {"virtio-net-pci", "virtio-net-pci-base", false},
    {"virtio-net-pci-base", "virtio-pci", true},
    {"virtio-pci", "pci-device", true},
    {"virtio-pci-bus", "virtio-bus", false},
    {"virtio-rng-device", "virtio-device", false},
    {"virtio-rng-pci", "virtio-rng-pci-base", false},
    {"virtio-rng-pci-base", "virtio-pci", true},
    {"vmmouse", "isa-device", false},
    {"vmport", "isa-device", false},
    {"x86-machine", "machine", true},
    {"x86_64-cpu", "cpu", true},
    {NULL, NULL, false},
};

static int by_name(const void *key, const void *type)
{
    return strcmp(key, ((const QomType *)type)->name);
}

const QomType *qom_type_find(const char *name)
{
    return bsearch(name, qom_types, G_N_ELEMENTS(qom_types) - 1, sizeof qom_types[0], by_name);
}

bool qom_type_is(const QomType *type, const char *ancestor)
{
    for (; type; type = type->parent ? qom_type_find(type->parent) : NULL)
        if (strcmp(type->name, ancestor) == 0)
            return true;
    return false;
}

const DeviceType *qom_device_type(const char *name)
{
    for (const DeviceType *const *types = vm_device_types(); *types; types++)
        if (strcmp((*types)->name, name) == 0)
            return *types;
    return NULL;
}

/* --- properties --------------------------------------------------------------------------------------------------- */

static void property_free(void *property)
{
    QomProperty *p = property;

    g_free(p->name);
    g_free(p->type);
    json_decref(p->value);
    g_free(p);
}

GPtrArray *qom_properties_new(void)
{
    return g_ptr_array_new_with_free_func(property_free);
}

QomProperty *qom_add(GPtrArray *properties, const char *name, const char *type, json_t *value)
{
    QomProperty *p = g_new0(QomProperty, 1);

    p->name = g_strdup(name);
    p->type = g_strdup(type);
    p->value = value;
    g_ptr_array_add(properties, p);
    return p;
}

static json_t *scalar_value(const VMStateField *f, const void *at)
{
    Integer i = scalar_get((Scalar)f->scalar, at);

    return f->scalar == SCALAR_BOOL ? json_boolean(i.bits) : json_integer((json_int_t)i.bits);
}

static const VmsChoice *choice_of(const VMStateField *f)
{
    return f->shape && f->shape->visit == vms_choice_visit ? (const VmsChoice *)(const void *)f->shape : NULL;
}

/* NULL: nothing was given, and there is no default. */
static json_t *value_of(const VMStateField *f, const void *state)
{
    const void *at = (const char *)state + f->offset;
    const VmsChoice *choice = choice_of(f);

    if (f->presence && !*((const bool *)state + f->presence - 1))
        return NULL;
    if (f->kind == VMS_STRING)
        return *(char *const *)at ? json_string(*(char *const *)at) : NULL;
    if (choice)
        return json_string(choice->names[*(const uint8_t *)at]);
    return f->scalar == SCALAR_FLOAT64 ? json_real(*(const double *)at) : scalar_value(f, at);
}

void qom_add_options(GPtrArray *properties, const DeviceType *type, const void *state)
{
    for (const VMStateField *f = type->options ? type->options->fields : NULL; f && f->name; f++) {
        bool text = f->kind == VMS_STRING || choice_of(f);
        if (f->kind != VMS_SCALAR && !text)
            continue;
        const char *name = f->shape && !text ? "size" : text ? "str" : scalar_name((Scalar)f->scalar);
        QomProperty *p = qom_add(properties, f->name, name, state ? value_of(f, state) : NULL);
        p->values = choice_of(f) ? choice_of(f)->names : NULL;
        p->option = true;
    }
}

void qom_add_object_options(GPtrArray *properties, const char *type)
{
    int found = qapi_enum_find(&qmp_type_ObjectType, type);
    const QapiType *variant = found < 0 ? NULL : qmp_type_ObjectOptions.variants[found];

    for (const QapiMember *m = variant ? variant->members : NULL; m && m->name; m++) {
        bool text = m->type->kind != QAPI_SCALAR;
        const char *name = text ? "str" : m->type->octets ? "size" : scalar_name((Scalar)m->type->scalar);
        QomProperty *p = qom_add(properties, m->name, name, NULL);
        p->values = m->type->names;
        p->option = true;
    }
}

void qom_add_common(GPtrArray *properties, const DeviceType *type)
{
    if (!qom_type_is(qom_type_find(type->name), "pci-device"))
        return;
    QomProperty *p = qom_add(properties, "addr", "int32", json_integer(-1));
    p->about = "Slot and optional function number, example: 06.0 or 06";
    p->option = true;
}
