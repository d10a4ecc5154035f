/*
 * devices.h: the devices that a Vm's options have plugged in, and what is plugged in later.
 */
#ifndef EMU_MACHINE_DEVICES_H
#define EMU_MACHINE_DEVICES_H

#include "emu/machine/vm.h"

struct json_t;

/* Who wanted it. */
typedef enum VmOrigin {
    VM_BY_DEVICE, /* -device, device_add; and -drive if=virtio, which stands for one */
    VM_BY_BOARD,  /* the board has it because of -drive, -nic or -serial, or by default */
} VmOrigin;

struct VmDevice {
    const DeviceType *type;
    Device *dev; /* borrowed; NULL: a drive of the board's, which is nothing but a part of the IDE controller */
    char *id;    /* NULL: it has none */
    char *bus;   /* "pci.0", "isa.0", "ide.1" */
    char *drive, *netdev, *object; /* what it uses, by its name; NULL: nothing */
    unsigned unit;                 /* on an IDE cable */
    VmOrigin origin;
    bool late; /* the machine was there already */
};

/* In the order in which they were plugged in. */
const GPtrArray *vm_devices(const Vm *vm);

/* NULL: it is not one of them. */
const VmDevice *vm_find_device(const Vm *vm, const Device *dev);
const VmDevice *vm_device_of_id(const Vm *vm, const char *id);

/*
 * As -device does, with the machine there already: a card on the PCI bus. Once the machine has run the guest is told of
 * it by ACPI.
 */
const VmDevice *vm_add_device(Vm *vm, struct json_t *options, GError **error);

/*
 * Before the machine runs the device, and `device`, are gone if it does not fail. Later the guest is asked, and it goes
 * when that lets it go, or with the next reset. VmEvents tell of it.
 */
bool vm_remove_device(Vm *vm, const VmDevice *device, GError **error);

/* Objects of the options come and go. */
bool vm_add_object(Vm *vm, const QmpObjectOptions *options, GError **error);
bool vm_remove_object(Vm *vm, const char *id, GError **error);
const OptionsObject *vm_find_object(const Vm *vm, const char *id);

#endif
