/*
 * device.h: what all devices have in common.
 *
 * A chip is a DeviceType, the only name its file gives away, and a wiring struct whose first member is a Device. In the
 * wiring struct lies the state struct: plain, without pointers, all that the guest can observe, and what is saved.
 *
 *     typedef struct PortState { uint8_t outport; } PortState;
 *     typedef struct Port { Device dev; Irq a20; uint16_t iobase; PortState s; } Port;
 *
 * A device comes to life in three steps: device_new makes it with the type's defaults; options are set and its lines
 * connected; device_realize starts it, maps its registers and registers its state as a section of the machine. Then it
 * is reset. Realizing may fail, and then has changed nothing.
 */
#ifndef EMU_CORE_DEVICE_H
#define EMU_CORE_DEVICE_H

#include "emu/core/irq.h"
#include "vmstate/desc.h"

typedef struct Device Device;
typedef struct DeviceType DeviceType;
typedef struct Machine Machine;

/* Lines that others drive: `count` of them, of one name. */
typedef struct DeviceInput {
    const char *name; /* NULL ends a list */
    unsigned count;
    IrqHandler *set; /* its opaque is the Device */
} DeviceInput;

/* Lines that it drives: an Irq or an array of them in the wiring struct. */
typedef struct DeviceOutput {
    const char *name; /* NULL ends a list */
    unsigned count;
    size_t offset;
} DeviceOutput;

#define DEVICE_OUTPUT(Struct, member, name_)                                                                           \
    {                                                                                                                  \
        .name = (name_), .count = sizeof(VMS_MEMBER(Struct, member)) / sizeof(Irq), .offset = offsetof(Struct, member) \
    }

struct DeviceType {
    const char *name;  /* what -device calls it: "isa-serial" */
    const char *about; /* what it is, in some words */

    size_t size;          /* of the wiring struct */
    const void *defaults; /* a wiring struct to start from; NULL: zeros */

    /* What can be set before it is realized, as a description of the wiring struct; NULL: nothing. */
    const VMStateDescription *options;

    /* What is saved, its description's name being the section's; NULL: nothing. The hooks get the Device. */
    const VMStateDescription *state;
    size_t state_offset; /* of the state struct in the wiring struct */

    const DeviceInput *inputs; /* NULL: none */
    const DeviceOutput *outputs;

    /* Any may be NULL. realize fails without having changed anything but the device itself; unrealize undoes it. */
    bool (*realize)(Device *dev, GError **error);
    void (*unrealize)(Device *dev);
    void (*reset)(Device *dev);
};

struct Device {
    const DeviceType *type;
    Machine *machine;       /* NULL until it is realized; borrowed */
    char *path;             /* of a device on a bus that has paths: "0000:00:01.3", in front of the section's name */
    uint32_t instance;      /* of the section; given when it is realized, unless it was set before */
    bool has_instance;      /* it was */
    int64_t alias_instance; /* -1: none */
    void *reset_state;      /* what a field has that a stream lacks */
};

/* New, with the type's defaults. */
Device *device_new(const DeviceType *type);

/* Unrealizes it if that must be. NULL is nothing. */
void device_free(Device *dev);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Device, device_free)

/*
 * Makes output number n of that name drive the input number m. Where there is no such line it is an error of the
 * program, and ends it.
 */
void device_connect(Device *dev, const char *output, unsigned n, Device *to, const char *input, unsigned m);

/* The same with any handler at the end. */
void device_connect_irq(Device *dev, const char *output, unsigned n, Irq irq);

/* An input, for others to drive. */
Irq device_input(Device *dev, const char *input, unsigned m);

/*
 * Sets one of the type's options that is a number or a truth value. Before it is realized. Where there is no such
 * option, or it has no room for the value, it is an error of the program, and ends it.
 */
void device_set(Device *dev, const char *option, uint64_t value);

/* Gives it to the machine: then the machine owns it. If that fails the caller still does. */
bool device_realize(Device *dev, Machine *machine, GError **error);

void device_reset(Device *dev);

/* Its state struct. */
static inline void *device_state(const Device *dev)
{
    return (char *)dev + dev->type->state_offset;
}

#endif
