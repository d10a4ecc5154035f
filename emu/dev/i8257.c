/*
 * i8257.c: 8237A DMA controller, one of a PC's pair, with the page registers of its channels.
 *
 * Sources: Intel 8237A data sheet (order number 231466); Intel 82371SB (PIIX3) data sheet (290550), section "DMA
 * Controller Registers".
 * Ports: 0x00-0x0f and 0x81-0x83, 0x87; of the second 0xc0-0xdf (each register twice) and 0x89-0x8b, 0x8f; if there are
 * high pages, those 0x400 above the pages. Devices talk to it through IsaDmaOps.
 * Options: second, base, page_base, high_pages (QEMU's pc-i440fx has none, like the PIIX3).
 * Not modelled: memory to memory (PIIX3: reserved), so that the temporary register is 0; rotating priority, as a device
 * moves all it has at once; timing; senses of DREQ and DACK; that channels 0 to 3 pass through channel 4; a software
 * request for a channel that no device has stays pending; a block that has ended does not go on when its channel is
 * opened again without a new count.
 *
 * On the wire TC of a channel is its `eop`, which QEMU leaves 0, so that TC is lost there. Requests are not on it: they
 * are lines, and those of software do not survive; a channel that starts over is served at once. QEMU neither masks a
 * channel at TC nor starts it over; such a state (all of a block gone, the channel open) loads, and waits for a new
 * count.
 */
#include "emu/dev/dev.h"
#include "emu/dev/i8257-impl.h"

enum {
    REGISTERS = 16,

    REG_STATUS = 0x8,  /* read */
    REG_COMMAND = 0x8, /* write */
    REG_REQUEST = 0x9,
    REG_SINGLE_MASK = 0xa,
    REG_MODE = 0xb,
    REG_CLEAR_FLIP_FLOP = 0xc,
    REG_MASTER_CLEAR = 0xd,
    REG_CLEAR_MASK = 0xe,
    REG_ALL_MASK = 0xf,

    CHANNEL = 3, /* of request, single mask and mode */
    SET = 1 << 2,
    ALL_CHANNELS = 0x0f,
    MASK_RESET = 0xff, /* as QEMU's stream has it */
};

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool check(const void *state, GError **error)
{
    const DmaState *s = state;

    if (s->dshift != 0 && s->dshift != 1) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "dshift: is %d, must be 0 or 1", s->dshift);
        return false;
    }
    for (unsigned n = 0; n < DMA_CHANNELS; n++) {
        int32_t most = (s->regs[n].base[DMA_COUNT] + 1) << s->dshift;
        if (s->regs[n].now[DMA_COUNT] >= 0 && s->regs[n].now[DMA_COUNT] <= most)
            continue;
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "regs[%u].now[1]: is %d, must be between 0 and %d", n,
                    s->regs[n].now[DMA_COUNT], most);
        return false;
    }
    return true;
}

/* The width of a controller is how it was made. Devices are not asked before all of them are loaded. */
static void push(void *opaque)
{
    I8257 *p = opaque;

    p->s.dshift = p->second;
    p->software = 0;
    for (unsigned n = 0; n < DMA_CHANNELS; n++)
        p->s.regs[n].now[DMA_COUNT] = MIN(p->s.regs[n].now[DMA_COUNT], (int32_t)dma_block_size(p, &p->s.regs[n]));
    timer_arm(&p->again, clock_now(p->dev.machine->virtual_clock));
}

static const VMStateField channel_fields[] = {
    VMS_ARRAY(DmaChannel, now),   VMS_ARRAY(DmaChannel, base), VMS_FIELD(DmaChannel, mode), VMS_FIELD(DmaChannel, page),
    VMS_FIELD(DmaChannel, pageh), VMS_FIELD(DmaChannel, dack), VMS_FIELD(DmaChannel, eop),  VMS_END,
};

static const VMStateDescription channel_state = {
    .name = "dma_regs",
    .version = 1,
    .minimum = 1,
    .size = sizeof(DmaChannel),
    .fields = channel_fields,
};

static const VMStateField fields[] = {
    VMS_FIELD(DmaState, command),
    VMS_FIELD(DmaState, mask),
    VMS_FIELD(DmaState, flip_flop),
    VMS_FIELD(DmaState, dshift),
    VMS_SUB_ARRAY(DmaState, regs, &channel_state),
    VMS_END,
};

static const VMStateDescription dma_state = {
    .name = "dma",
    .version = 1,
    .minimum = 1,
    .size = sizeof(DmaState),
    .fields = fields,
    .check = check,
    .push = push,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

/* Which octet of a 16-bit register it is: true for the high one. */
static bool flip(I8257 *p)
{
    bool high = p->s.flip_flop;

    p->s.flip_flop = !high;
    return high;
}

static uint8_t read_channel(I8257 *p, unsigned reg)
{
    const DmaChannel *c = &p->s.regs[reg / 2];
    uint32_t value;

    if (reg % 2 == DMA_ADDRESS)
        value = (uint32_t)dma_current_address(c) >> p->second;
    else
        value = c->base[DMA_COUNT] - ((uint32_t)c->now[DMA_COUNT] >> p->second); /* 0xffff when the block has ended */
    return (uint8_t)(flip(p) ? value >> 8 : value);
}

/* Goes to the base register and the current one. */
static void write_channel(I8257 *p, unsigned reg, uint8_t value)
{
    DmaChannel *c = &p->s.regs[reg / 2];
    uint16_t *base = &c->base[reg % 2];

    *base = (uint16_t)(flip(p) ? (*base & 0x00ff) | value << 8 : (*base & 0xff00) | value);
    if (reg % 2 == DMA_ADDRESS) {
        dma_set_current_address(c, c->base[DMA_ADDRESS] << p->second);
    } else {
        c->now[DMA_ADDRESS] = dma_current_address(c);
        c->now[DMA_COUNT] = 0;
    }
}

/* "Status Register": reading it clears the lower half. */
static uint8_t read_status(I8257 *p)
{
    uint8_t value = (uint8_t)((p->dreq | p->software) << DMA_CHANNELS);

    for (unsigned n = 0; n < DMA_CHANNELS; n++) {
        value |= p->s.regs[n].eop ? 1U << n : 0;
        p->s.regs[n].eop = 0;
    }
    return value;
}

static void master_clear(I8257 *p)
{
    p->s.command = 0;
    p->s.flip_flop = 0;
    p->s.mask = MASK_RESET;
    p->software = 0;
    for (unsigned n = 0; n < DMA_CHANNELS; n++)
        p->s.regs[n].eop = 0;
}

static void write_mode(I8257 *p, uint8_t value)
{
    DmaChannel *c = &p->s.regs[value & CHANNEL];
    int32_t address = dma_current_address(c);

    c->mode = value;
    dma_set_current_address(c, address);
}

static void write_control(I8257 *p, unsigned reg, uint8_t value)
{
    uint8_t bit = (uint8_t)(1U << (value & CHANNEL));

    switch (reg) {
    case REG_COMMAND:
        p->s.command = value;
        break;
    case REG_REQUEST:
        p->software = value & SET ? p->software | bit : p->software & ~bit;
        break;
    case REG_SINGLE_MASK:
        p->s.mask = value & SET ? p->s.mask | bit : p->s.mask & ~bit;
        break;
    case REG_MODE:
        write_mode(p, value);
        break;
    case REG_CLEAR_FLIP_FLOP:
        p->s.flip_flop = 0;
        break;
    case REG_MASTER_CLEAR:
        master_clear(p);
        break;
    case REG_CLEAR_MASK:
        p->s.mask = 0;
        break;
    default:               /* REG_ALL_MASK */
        p->s.mask = value; /* four bits have no meaning, but are on the wire */
        break;
    }
}

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    I8257 *p = opaque;
    unsigned reg = (unsigned)(addr >> p->second) % REGISTERS;

    (void)size;
    if (reg < 2 * DMA_CHANNELS)
        return read_channel(p, reg);
    if (reg == REG_STATUS)
        return read_status(p);
    return reg == REG_ALL_MASK ? p->s.mask & ALL_CHANNELS : 0;
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    I8257 *p = opaque;
    unsigned reg = (unsigned)(addr >> p->second) % REGISTERS;

    (void)size;
    if (reg < 2 * DMA_CHANNELS)
        write_channel(p, reg, (uint8_t)value);
    else
        write_control(p, reg, (uint8_t)value);
    if (reg != REG_CLEAR_FLIP_FLOP) /* which a guest writes to read a count, and which changes nothing for a channel */
        dma_run(p);
}

/* The page registers are in no order: which channel's is at that place. */
static unsigned channel_of_page(uint64_t addr)
{
    static const uint8_t channels[8] = {[1] = 2, [2] = 3, [3] = 1, [7] = 0};

    return channels[addr % 8];
}

static uint64_t read_page(void *opaque, uint64_t addr, unsigned size)
{
    (void)size;
    return ((I8257 *)opaque)->s.regs[channel_of_page(addr)].page;
}

/* As EISA has it: clears the high page, so that a program that does not know of it need not. */
static void write_page(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    DmaChannel *c = &((I8257 *)opaque)->s.regs[channel_of_page(addr)];

    (void)size;
    c->page = (uint8_t)value;
    c->pageh = 0;
}

static uint64_t read_high_page(void *opaque, uint64_t addr, unsigned size)
{
    (void)size;
    return ((I8257 *)opaque)->s.regs[channel_of_page(addr)].pageh;
}

static void write_high_page(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    (void)size;
    ((I8257 *)opaque)->s.regs[channel_of_page(addr)].pageh = (uint8_t)value;
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 1};
static const IoOps page_ops = {.read = read_page, .write = write_page, .max = 1};
static const IoOps high_page_ops = {.read = read_high_page, .write = write_high_page, .max = 1};

static void run_again(void *opaque)
{
    dma_run(opaque);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    I8257 *p = (I8257 *)dev;

    p->s = (DmaState){.mask = MASK_RESET, .dshift = p->second};
    p->software = 0;
    timer_disarm(&p->again);
}

static SpaceId map(I8257 *p, uint16_t base, uint64_t offset, uint64_t size, const IoOps *registers)
{
    return space_map(
        p->dev.machine->ports,
        &(SpaceMapping){
            .base = (uint64_t)base + offset, .size = size, .offset = offset, .ops = registers, .opaque = p});
}

static bool realize(Device *dev, GError **error)
{
    I8257 *p = (I8257 *)dev;

    (void)error;
    timer_init(&p->again, dev->machine->virtual_clock, run_again, p);
    p->spaces[0] = map(p, p->base, 0, (uint64_t)REGISTERS << p->second, &ops);
    p->spaces[1] = map(p, p->page_base, 1, 3, &page_ops);
    p->spaces[2] = map(p, p->page_base, 7, 1, &page_ops);
    if (p->high_pages) {
        p->spaces[3] = map(p, p->page_base + 0x400, 1, 3, &high_page_ops);
        p->spaces[4] = map(p, p->page_base + 0x400, 7, 1, &high_page_ops);
    }
    return true;
}

static void unrealize(Device *dev)
{
    I8257 *p = (I8257 *)dev;

    for (size_t i = 0; i < G_N_ELEMENTS(p->spaces); i++)
        if (p->spaces[i])
            space_unmap(dev->machine->ports, p->spaces[i]);
    timer_done(&p->again);
}

static const I8257 defaults = {.base = 0x00, .page_base = 0x80};

Device *i8257_new(bool second)
{
    I8257 *p = (I8257 *)device_new(&i8257_type);

    if (second) {
        p->second = true;
        p->base = 0xc0;
        p->page_base = 0x88;
    }
    return &p->dev;
}

static const VMStateField option_fields[] = {
    VMS_FIELD(I8257, second),
    VMS_FIELD(I8257, high_pages),
    VMS_FIELD(I8257, base),
    VMS_FIELD(I8257, page_base),
    VMS_END,
};

static const VMStateDescription options = {
    .name = "options",
    .version = 1,
    .minimum = 1,
    .size = sizeof(I8257),
    .fields = option_fields,
};

const DeviceType i8257_type = {
    .name = "i8257",
    .about = "8237A DMA controller, one of a pair",
    .size = sizeof(I8257),
    .defaults = &defaults,
    .options = &options,
    .state = &dma_state,
    .state_offset = offsetof(I8257, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
