/*
 * i8257-transfer.c: how a DMA controller moves data, and what devices see of it. What the chip is: i8257.c.
 */
#include <string.h>

#include "emu/dev/i8257-impl.h"

enum {
    NS_PER_OCTET = 1000, /* about what the ISA bus has */
    ROUNDS = 8,          /* of devices that make requests while they transfer */
};

/* --- channels --------------------------------------------------------------------------------------------------- */

static int32_t direction(const DmaChannel *c)
{
    return c->mode & DMA_DECREMENT ? -1 : 1;
}

size_t dma_block_size(const I8257 *p, const DmaChannel *c)
{
    return ((size_t)c->base[DMA_COUNT] + 1) << p->second;
}

int32_t dma_current_address(const DmaChannel *c)
{
    return (int32_t)((uint32_t)c->now[DMA_ADDRESS] + (uint32_t)(direction(c) * c->now[DMA_COUNT]));
}

void dma_set_current_address(DmaChannel *c, int32_t address)
{
    c->now[DMA_ADDRESS] = (int32_t)((uint32_t)address - (uint32_t)(direction(c) * c->now[DMA_COUNT]));
}

static void start_over(const I8257 *p, DmaChannel *c)
{
    c->now[DMA_ADDRESS] = c->base[DMA_ADDRESS] << p->second;
    c->now[DMA_COUNT] = 0;
}

/* Where an octet of the block is in memory: addresses wrap in the page. */
static uint64_t octet_address(const I8257 *p, const DmaChannel *c, size_t pos)
{
    uint32_t in_page = p->second ? 0x1ffff : 0xffff;
    uint32_t page = (uint32_t)c->pageh << 24 | (uint32_t)(p->second ? c->page & 0xfe : c->page) << 16;
    uint32_t at = (uint32_t)pos;

    if (c->mode & DMA_DECREMENT) /* words go down, the octets of a word do not */
        at = p->second ? (at & 1) - (at & ~UINT32_C(1)) : -at;
    return page | (((uint32_t)c->now[DMA_ADDRESS] + at) & in_page);
}

/* How many octets from there on have addresses in a row, at most len. */
static size_t run_length(const I8257 *p, const DmaChannel *c, size_t pos, size_t len)
{
    size_t in_page = p->second ? 0x20000 : 0x10000;

    if (c->mode & DMA_DECREMENT)
        return 1;
    return MIN(len, in_page - (octet_address(p, c, pos) & (in_page - 1)));
}

static size_t left_of_block(const I8257 *p, const DmaChannel *c, size_t pos, size_t len)
{
    size_t size = dma_block_size(p, c);

    return pos < size ? MIN(len, size - pos) : 0;
}

/* --- transfers -------------------------------------------------------------------------------------------------- */

/* "Software requests are non-maskable". Channels of other controllers pass through a channel in cascade mode. */
static bool is_served(const I8257 *p, unsigned n)
{
    return !(p->s.command & DMA_DISABLE) && p->clients[n].transfer &&
           (p->s.regs[n].mode & DMA_SERVICE) != DMA_CASCADE &&
           (size_t)p->s.regs[n].now[DMA_COUNT] < dma_block_size(p, &p->s.regs[n]);
}

static bool is_requested(const I8257 *p, unsigned n)
{
    return ((p->dreq & ~p->s.mask) | p->software) & 1U << n;
}

/* The block has ended: "Autoinitialize", "TC". */
static void end_block(I8257 *p, unsigned n)
{
    DmaChannel *c = &p->s.regs[n];
    int64_t octets = (int64_t)dma_block_size(p, c);

    c->eop = 1;
    p->software &= ~(1U << n);
    if (!(c->mode & DMA_AUTOINIT)) {
        p->s.mask |= 1U << n;
        return;
    }
    start_over(p, c);
    if (is_requested(p, n) && !timer_armed(&p->again)) /* later, lest a device that never ends be served for ever */
        timer_arm(&p->again, clock_now(p->dev.machine->virtual_clock) + octets * NS_PER_OCTET);
}

static void serve(I8257 *p, unsigned n)
{
    DmaChannel *c = &p->s.regs[n];
    bool started = false;

    while (is_served(p, n) && (is_requested(p, n) || (started && (c->mode & DMA_SERVICE) == DMA_BLOCK))) {
        size_t size = dma_block_size(p, c), pos = (size_t)c->now[DMA_COUNT];
        size_t gone = p->clients[n].transfer(p->clients[n].opaque, n + (p->second ? DMA_CHANNELS : 0), pos, size);
        if (gone <= pos)
            return;
        started = true;
        c->now[DMA_COUNT] = (int32_t)MIN(gone, size);
        if (gone >= size) {
            end_block(p, n);
            return;
        }
    }
}

/* Serves all channels; a device that changes its request meanwhile comes here again. */
void dma_run(I8257 *p)
{
    p->rerun = true;
    if (p->running)
        return;
    p->running = true;
    for (unsigned round = 0; p->rerun && round < ROUNDS; round++) {
        p->rerun = false;
        for (unsigned n = 0; n < DMA_CHANNELS; n++)
            serve(p, n);
    }
    p->running = false;
    if (p->rerun && !timer_armed(&p->again)) /* the devices would go on for ever: others first */
        timer_arm(&p->again, clock_now(p->dev.machine->virtual_clock) + NS_PER_OCTET);
    p->rerun = false;
}

/* --- what devices see ------------------------------------------------------------------------------------------- */

/* The controller of a channel, and its number there; NULL if there is no such channel. */
static I8257 *controller(void *opaque, unsigned channel, unsigned *n)
{
    I8257 *first = opaque;

    *n = channel % DMA_CHANNELS;
    if (channel >= ISA_DMA_CHANNELS)
        return NULL;
    return channel < DMA_CHANNELS ? first : first->other;
}

static void attach(void *opaque, unsigned channel, IsaDmaClient client)
{
    unsigned n;
    I8257 *p = controller(opaque, channel, &n);

    if (p)
        p->clients[n] = client;
}

static void request(void *opaque, unsigned channel, bool level)
{
    unsigned n;
    I8257 *p = controller(opaque, channel, &n);

    if (!p)
        return;
    p->dreq = (uint8_t)(level ? p->dreq | 1U << n : p->dreq & ~(1U << n));
    if (level)
        dma_run(p);
}

/* Memory to the device. To verify, the bus is not driven: ones. */
static size_t read_memory(void *opaque, unsigned channel, size_t pos, void *data, size_t len)
{
    unsigned n;
    I8257 *p = controller(opaque, channel, &n);
    DmaChannel *c = p ? &p->s.regs[n] : NULL;

    if (!c || !((c->mode & DMA_TYPE) == DMA_READ || (c->mode & DMA_TYPE) == DMA_VERIFY))
        return 0;
    len = left_of_block(p, c, pos, len);
    if ((c->mode & DMA_TYPE) == DMA_VERIFY) {
        memset(data, 0xff, len);
        return len;
    }
    for (size_t done = 0, some; done < len; done += some) {
        some = run_length(p, c, pos + done, len - done);
        space_read_octets(p->dev.machine->memory, octet_address(p, c, pos + done), (char *)data + done, some);
    }
    return len;
}

static size_t write_memory(void *opaque, unsigned channel, size_t pos, const void *data, size_t len)
{
    unsigned n;
    I8257 *p = controller(opaque, channel, &n);
    DmaChannel *c = p ? &p->s.regs[n] : NULL;

    if (!c || !((c->mode & DMA_TYPE) == DMA_WRITE || (c->mode & DMA_TYPE) == DMA_VERIFY))
        return 0;
    len = left_of_block(p, c, pos, len);
    if ((c->mode & DMA_TYPE) == DMA_VERIFY)
        return len;
    for (size_t done = 0, some; done < len; done += some) {
        some = run_length(p, c, pos + done, len - done);
        space_write_octets(p->dev.machine->memory, octet_address(p, c, pos + done), (const char *)data + done, some);
    }
    return len;
}

static bool reads_memory(void *opaque, unsigned channel)
{
    unsigned n;
    I8257 *p = controller(opaque, channel, &n);

    return p && (p->s.regs[n].mode & DMA_TYPE) == DMA_READ;
}

static const IsaDmaOps dma_ops = {
    .attach = attach,
    .request = request,
    .read = read_memory,
    .write = write_memory,
    .reads_memory = reads_memory,
};

void i8257_connect(Device *first, Device *second, IsaBus *bus)
{
    ((I8257 *)first)->other = (I8257 *)second;
    bus->dma = &dma_ops;
    bus->dma_opaque = first;
}
