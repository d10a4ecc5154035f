/*
 * debugcon.c: the debug port of Bochs and QEMU, to which SeaBIOS writes what it does.
 *
 * Source: Bochs user manual, "port 0xe9 hack"; SeaBIOS documentation, "Debugging".
 * Ports: one. It reads 0xe9, by which a firmware knows that it is there. It has no state.
 */
#include "emu/dev/debugcon.h"

#include "emu/core/machine.h"

enum { DEBUGCON_ID = 0xe9 };

typedef struct Debugcon {
    Device dev;
    Chardev *chardev;
    uint16_t iobase;
    SpaceId port;
} Debugcon;

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    (void)opaque;
    (void)addr;
    (void)size;
    return DEBUGCON_ID;
}

/* What finds no room is lost: a firmware does not wait for who reads its messages. */
static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    uint8_t octet = (uint8_t)value;

    (void)addr;
    (void)size;
    chardev_write(((Debugcon *)opaque)->chardev, &octet, 1);
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 1};

/* It wants nothing of the other end. */
static const ChardevFront front = {.receive = NULL};

static bool realize(Device *dev, GError **error)
{
    Debugcon *d = (Debugcon *)dev;

    (void)error;
    chardev_set_front(d->chardev, &front, d);
    d->port = space_map(dev->machine->ports, &(SpaceMapping){.base = d->iobase, .size = 1, .ops = &ops, .opaque = d});
    return true;
}

static void unrealize(Device *dev)
{
    Debugcon *d = (Debugcon *)dev;

    space_unmap(dev->machine->ports, d->port);
    chardev_set_front(d->chardev, NULL, NULL);
}

static const DeviceType debugcon_type = {
    .name = "isa-debugcon",
    .about = "port for messages of the firmware",
    .size = sizeof(Debugcon),
    .realize = realize,
    .unrealize = unrealize,
};

Device *debugcon_new(Chardev *chardev, uint16_t iobase)
{
    Debugcon *d = (Debugcon *)device_new(&debugcon_type);

    d->chardev = chardev;
    d->iobase = iobase;
    return &d->dev;
}
