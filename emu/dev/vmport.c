/*
 * vmport.c: VMware's backdoor.
 *
 * Source: open-vm-tools, lib/include/backdoor_def.h; https://wiki.osdev.org/VMware_tools.
 * Ports: 0x5658. An access of any size, in or out, runs the command in cx if eax has the magic number.
 * Not modelled: all commands but the version and the size of memory, and those that other devices take (vmmouse.c); the
 * port 0x5659 of high bandwidth.
 */
#include "emu/dev/vmport.h"

#include "emu/core/machine.h"
#include "emu/dev/dev.h"

enum { PORT = 0x5658, PORT_SIZE = 4 };
enum { MAGIC = 0x564d5868 };
enum { CMD_VERSION = 0x0a, CMD_MEMORY = 0x14 };
enum { VERSION = 6, PRODUCT_ESX = 2 };
enum { MEMORY_ANSWER = 0x1177 }; /* in ebx, as VMware has it */

typedef struct Vmport {
    Device dev;
    VmportCpu cpu;
    uint64_t memory;
    struct {
        VmportCommand *handler;
        void *opaque; /* borrowed */
    } commands[VMPORT_COMMANDS];
    SpaceId port;
} Vmport;

/* --- commands --------------------------------------------------------------------------------------------------- */

static void tell_version(void *opaque, VmportRegisters *r)
{
    (void)opaque;
    r->eax = VERSION;
    r->ebx = MAGIC;
    r->ecx = PRODUCT_ESX;
}

static void tell_memory(void *opaque, VmportRegisters *r)
{
    r->eax = (uint32_t)MIN(((Vmport *)opaque)->memory, UINT32_MAX);
    r->ebx = MEMORY_ANSWER;
}

/* Its result is eax. */
static uint32_t run(Vmport *p)
{
    VmportRegisters r;

    if (!p->cpu.get)
        return UINT32_MAX;
    p->cpu.get(p->cpu.opaque, &r);
    unsigned command = r.ecx & 0xffff;
    if (r.eax == MAGIC && command < VMPORT_COMMANDS && p->commands[command].handler)
        p->commands[command].handler(p->commands[command].opaque, &r);
    else
        r.eax = UINT32_MAX;
    p->cpu.set(p->cpu.opaque, &r);
    return r.eax;
}

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    (void)size;
    return addr == 0 ? run(opaque) : UINT32_MAX;
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    (void)value;
    (void)size;
    if (addr == 0)
        run(opaque);
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 4};

/* --- life ------------------------------------------------------------------------------------------------------- */

void vmport_set_cpu(Device *vmport, const VmportCpu *cpu)
{
    ((Vmport *)vmport)->cpu = *cpu;
}

void vmport_set_memory(Device *vmport, uint64_t size)
{
    ((Vmport *)vmport)->memory = size;
}

void vmport_register(Device *vmport, unsigned command, VmportCommand *handler, void *opaque)
{
    Vmport *p = (Vmport *)vmport;

    if (command >= VMPORT_COMMANDS)
        g_error("%s has no command %u", vmport->type->name, command);
    p->commands[command].handler = handler;
    p->commands[command].opaque = opaque;
}

static bool realize(Device *dev, GError **error)
{
    Vmport *p = (Vmport *)dev;

    (void)error;
    vmport_register(dev, CMD_VERSION, tell_version, p);
    vmport_register(dev, CMD_MEMORY, tell_memory, p);
    p->port =
        space_map(dev->machine->ports, &(SpaceMapping){.base = PORT, .size = PORT_SIZE, .ops = &ops, .opaque = p});
    return true;
}

static void unrealize(Device *dev)
{
    space_unmap(dev->machine->ports, ((Vmport *)dev)->port);
}

const DeviceType vmport_type = {
    .name = "vmport",
    .about = "VMware's backdoor",
    .size = sizeof(Vmport),
    .realize = realize,
    .unrealize = unrealize,
};
