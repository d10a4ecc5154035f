/*
 * serial.c: a serial port, the UART 16550A on the ISA bus.
 *
 * Source: National Semiconductor PC16550D data sheet (section 8: registers).
 * Ports: eight from iobase. Lines: the bus's interrupt `irq`. Made by serial_new (serial.h). Its
 * section is in serial-state.c.
 *
 * Not modelled: the time that a character takes on the line. It goes to the Chardev at once and waits only for that
 * (as QEMU's does: its stream has no place for a character on its way), and characters come as fast as they are
 * taken; only the timeout of the receive FIFO, four characters long, is measured. Word length and parity change no
 * character. Errors of framing and parity do not happen; a break is told when it comes and not when its character is at
 * the head of the FIFO, so that bit 7 of LSR is always 0. OUT2 does not gate the interrupt. Modem inputs do not change
 * but in loopback: CTS, DSR and DCD are there, RI is not. Characters that come while in loopback wait.
 */
#include "emu/dev/serial-impl.h"

#include "emu/dev/dev.h"

/* --- FIFOs ------------------------------------------------------------------------------------------------------ */

static bool fifos_on(const Uart *u)
{
    return u->fcr_vmstate & FCR_ENABLE;
}

static void fifo_push(Fifo8 *fifo, uint8_t value)
{
    fifo->data[(fifo->head + fifo->num) % FIFO_SIZE] = value;
    fifo->num++;
}

static uint8_t fifo_pop(Fifo8 *fifo)
{
    uint8_t value = fifo->data[fifo->head % FIFO_SIZE];

    fifo->head = (fifo->head + 1) % FIFO_SIZE;
    fifo->num--;
    return value;
}

static void fifo_empty(Fifo8 *fifo)
{
    fifo->head = fifo->num = 0;
}

/* How many characters in the receive FIFO interrupt (FCR bits 6 and 7). */
static unsigned trigger(const Uart *u)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    return levels[u->fcr_vmstate >> 6];
}

/* --- interrupts ------------------------------------------------------------------------------------------------- */

/* Section 8.6, table IV: the one of the highest priority. */
static uint8_t interrupt(const Uart *u)
{
    if ((u->ier & IER_RLSI) && (u->lsr & LSR_ERRORS))
        return IIR_RLSI;
    if ((u->ier & IER_RDI) && u->timeout_ipending)
        return IIR_TIMEOUT;
    if ((u->ier & IER_RDI) && (u->lsr & LSR_DR) && (!fifos_on(u) || u->recv_fifo.num >= trigger(u)))
        return IIR_RDI;
    if ((u->ier & IER_THRI) && serial_thr_pending(u))
        return IIR_THRI;
    if ((u->ier & IER_MSI) && (u->msr & MSR_DELTAS))
        return IIR_MSI;
    return IIR_NONE;
}

void serial_update_irq(Serial *p)
{
    Uart *u = &p->s.state;
    uint8_t what;

    u->thr_ipending = serial_thr_pending(u);
    what = interrupt(u);
    u->iir = (uint8_t)((u->iir & ~IIR_ID) | what);
    if (p->isa)
        irq_set(&p->isa->irq[p->irq], what != IIR_NONE);
}

/* --- the line --------------------------------------------------------------------------------------------------- */

/* A divisor of 0, of which the data sheet says nothing, counts as 1. */
static unsigned divisor(const Uart *u)
{
    return u->divider > 0 ? u->divider : 1;
}

static ChardevLine line_of(const Uart *u)
{
    return (ChardevLine){
        .speed = BAUD_BASE / divisor(u),
        .data_bits = 5 + (u->lcr & 3),
        .stop_bits = u->lcr & 0x04 ? 2 : 1,
        .parity = u->lcr & 0x08 ? "OEMS"[u->lcr >> 4 & 3] : 'N',
    };
}

/* A character with all its bits: start, data, parity, stop. */
static int64_t char_time_ns(const Uart *u)
{
    ChardevLine l = line_of(u);
    unsigned bits = 1 + l.data_bits + (l.parity != 'N') + l.stop_bits;

    return (int64_t)clock_scale((uint64_t)bits * divisor(u), NS_PER_SECOND, BAUD_BASE);
}

void serial_update_line(Serial *p)
{
    ChardevLine l = line_of(&p->s.state);
    bool breaking = p->s.state.lcr & LCR_BREAK;

    if (p->chardev && (l.speed != p->line.speed || l.data_bits != p->line.data_bits ||
                       l.stop_bits != p->line.stop_bits || l.parity != p->line.parity))
        chardev_set_line(p->chardev, &l);
    if (p->chardev && breaking != p->breaking)
        chardev_set_break(p->chardev, breaking);
    p->line = l;
    p->breaking = breaking;
}

static void set_fifo_timeout(Serial *p, bool on)
{
    Uart *u = &p->s.state;

    u->fifo_timeout_timer =
        on ? clock_now(p->dev.machine->virtual_clock) + FIFO_TIMEOUT_CHARS * char_time_ns(u) : TIMER_NEVER;
    timer_arm(&p->fifo_timeout, u->fifo_timeout_timer);
}

static void fifo_timed_out(void *opaque)
{
    Serial *p = opaque;
    Uart *u = &p->s.state;

    u->fifo_timeout_timer = TIMER_NEVER;
    if (u->recv_fifo.num == 0)
        return;
    u->timeout_ipending = 1;
    serial_update_irq(p);
}

/* --- receiver --------------------------------------------------------------------------------------------------- */

/* Section 8.4, bit 1: in a full FIFO what has come last is lost; without FIFOs what had come before. */
static void take_character(Serial *p, uint8_t value)
{
    Uart *u = &p->s.state;

    if (!fifos_on(u)) {
        if (u->lsr & LSR_DR)
            u->lsr |= LSR_OE;
        u->rbr = value;
    } else if (u->recv_fifo.num < FIFO_SIZE) {
        fifo_push(&u->recv_fifo, value);
        set_fifo_timeout(p, true);
    } else {
        u->lsr |= LSR_OE;
    }
    u->lsr |= LSR_DR;
}

/*
 * Up to the trigger: then the guest is told, and takes what there is before more comes. What is above (the guest has
 * lowered the trigger, or it was in loopback) may become more one by one.
 */
static size_t can_receive(void *opaque)
{
    const Uart *u = &((Serial *)opaque)->s.state;

    if (u->mcr & MCR_LOOP)
        return 0;
    if (!fifos_on(u))
        return !(u->lsr & LSR_DR);
    if (u->recv_fifo.num <= trigger(u))
        return trigger(u) - u->recv_fifo.num;
    return u->recv_fifo.num < FIFO_SIZE;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    Serial *p = opaque;

    for (size_t i = 0; i < len; i++)
        take_character(p, data[i]);
    serial_update_irq(p);
}

static void event(void *opaque, ChardevEvent what)
{
    Serial *p = opaque;

    if (what != CHARDEV_BREAK || (p->s.state.mcr & MCR_LOOP))
        return;
    take_character(p, 0);
    p->s.state.lsr |= LSR_BI;
    serial_update_irq(p);
}

static void accept_input(Serial *p)
{
    if (p->chardev)
        chardev_accept_input(p->chardev);
}

static uint8_t read_rbr(Serial *p)
{
    Uart *u = &p->s.state;
    uint8_t value = u->rbr;

    if (fifos_on(u)) {
        value = u->recv_fifo.num > 0 ? fifo_pop(&u->recv_fifo) : 0;
        u->timeout_ipending = 0;
        set_fifo_timeout(p, u->recv_fifo.num > 0);
    }
    if (!fifos_on(u) || u->recv_fifo.num == 0)
        u->lsr &= (uint8_t)~LSR_DR;
    serial_update_irq(p);
    accept_input(p);
    return value;
}

/* --- transmitter ------------------------------------------------------------------------------------------------ */

/* The next character goes from THR or the FIFO into TSR. */
static void shift(Uart *u)
{
    bool more = fifos_on(u) && u->xmit_fifo.num > 0;

    u->tsr = more ? fifo_pop(&u->xmit_fifo) : u->thr;
    u->lsr &= (uint8_t)~LSR_TEMT;
    if (more && u->xmit_fifo.num > 0)
        return;
    u->lsr |= LSR_THRE;
    u->thr_ipending = 1;
}

/* Does TSR go? If it was tried too often it goes nowhere. */
static bool send(Serial *p)
{
    Uart *u = &p->s.state;

    if (u->mcr & MCR_LOOP) {
        take_character(p, u->tsr);
        return true;
    }
    return !p->chardev || chardev_write(p->chardev, &u->tsr, 1) == 1 || ++u->tsr_retry > RETRIES;
}

/* As many characters as go; at most what is in TSR, THR and the FIFO. */
static void transmit(Serial *p)
{
    Uart *u = &p->s.state;

    while (u->tsr_retry > 0 || !(u->lsr & LSR_THRE)) {
        if (u->tsr_retry == 0)
            shift(u);
        if (!send(p))
            break;
        u->tsr_retry = 0;
        u->lsr |= LSR_TEMT;
    }
    serial_update_irq(p);
}

/* While the machine stands nothing leaves: its state may have been sent to where the same characters leave again. */
static void writable(void *opaque)
{
    Serial *p = opaque;

    if (p->s.state.tsr_retry > 0 && !p->stands)
        transmit(p);
}

static void machine_runs(void *opaque, bool runs)
{
    Serial *p = opaque;

    p->stands = !runs;
    if (runs)
        timer_arm(&p->resume, clock_now(p->dev.machine->virtual_clock));
}

/* Nobody has said that the line takes more: a character that does not go yet has not lost one of its tries. */
static void resume(void *opaque)
{
    Serial *p = opaque;
    Uart *u = &p->s.state;
    const uint32_t tries = u->tsr_retry;

    if (tries > 0) {
        u->tsr_retry = 1;
        transmit(p);
        if (u->tsr_retry > 1)
            u->tsr_retry = tries;
    }
    accept_input(p);
}

/* A full FIFO loses its oldest. */
static void write_thr(Serial *p, uint8_t value)
{
    Uart *u = &p->s.state;

    u->thr = value;
    if (fifos_on(u)) {
        if (u->xmit_fifo.num == FIFO_SIZE)
            fifo_pop(&u->xmit_fifo);
        fifo_push(&u->xmit_fifo, value);
    }
    u->lsr &= (uint8_t) ~(LSR_THRE | LSR_TEMT);
    u->thr_ipending = 0;
    /* The line goes down before it goes up: inputs of the interrupt controller look at edges. */
    serial_update_irq(p);
    if (u->tsr_retry == 0)
        transmit(p);
}

static const ChardevFront front = {
    .can_receive = can_receive,
    .receive = receive,
    .event = event,
    .writable = writable,
};

/* --- modem ------------------------------------------------------------------------------------------------------ */

/* The inputs: in loopback they are the outputs (section 8.8, bit 4). */
static uint8_t modem_lines(const Uart *u)
{
    if (!(u->mcr & MCR_LOOP))
        return u->msr & MSR_LINES;
    /* DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD */
    return (uint8_t)((u->mcr & 0x0c) << 4 | (u->mcr & 0x02) << 3 | (u->mcr & 0x01) << 5);
}

static void write_mcr(Serial *p, uint8_t value)
{
    Uart *u = &p->s.state;
    uint8_t before = modem_lines(u), changed;

    u->mcr = value & MCR_BITS;
    changed = before ^ modem_lines(u);
    u->msr |= (uint8_t)((changed & (MSR_LINES & ~MSR_RI)) >> 4);
    if (changed & before & MSR_RI)
        u->msr |= MSR_TERI;
    if ((u->mcr & MCR_LOOP) && u->tsr_retry > 0) /* what could not go out comes back */
        transmit(p);
    serial_update_irq(p);
    accept_input(p);
}

static uint8_t read_msr(Serial *p)
{
    Uart *u = &p->s.state;
    uint8_t value = modem_lines(u) | (u->msr & MSR_DELTAS);

    u->msr &= MSR_LINES;
    serial_update_irq(p);
    return value;
}

/* --- registers -------------------------------------------------------------------------------------------------- */

static void write_ier(Serial *p, uint8_t value)
{
    Uart *u = &p->s.state;
    uint8_t changed = u->ier ^ value;

    u->ier = value & IER_BITS;
    /* Section 8.7, bit 1: THRE is told as soon as that is wanted. */
    if (changed & IER_THRI)
        u->thr_ipending = (u->ier & IER_THRI) && (u->lsr & LSR_THRE);
    serial_update_irq(p);
}

static void write_fcr(Serial *p, uint8_t value)
{
    Uart *u = &p->s.state;

    /* Section 8.5, bit 0: what is in the FIFOs is lost when they are turned on or off. */
    if ((u->fcr_vmstate ^ value) & FCR_ENABLE)
        value |= FCR_RESET_RECEIVE | FCR_RESET_TRANSMIT;
    if (value & FCR_RESET_RECEIVE) {
        fifo_empty(&u->recv_fifo);
        u->lsr &= (uint8_t) ~(LSR_DR | LSR_BI);
        u->timeout_ipending = 0;
        set_fifo_timeout(p, false);
    }
    if (value & FCR_RESET_TRANSMIT) {
        fifo_empty(&u->xmit_fifo);
        u->lsr |= LSR_THRE;
        u->thr_ipending = 1;
    }
    u->fcr_vmstate = value & FCR_KEPT;
    u->iir = (uint8_t)((u->iir & IIR_ID) | (value & FCR_ENABLE ? IIR_FIFOS : 0));
    serial_update_irq(p);
    accept_input(p);
}

static uint8_t read_iir(Serial *p)
{
    Uart *u = &p->s.state;
    uint8_t value = u->iir;

    if (serial_iir_says_thr(u))
        u->thr_ipending = 0;
    serial_update_irq(p);
    return value;
}

static uint8_t read_lsr(Serial *p)
{
    Uart *u = &p->s.state;
    uint8_t value = u->lsr;

    u->lsr &= (uint8_t)~LSR_ERRORS;
    serial_update_irq(p);
    return value;
}

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    Serial *p = opaque;
    Uart *u = &p->s.state;
    bool dlab = u->lcr & LCR_DLAB;

    (void)size;
    switch (addr) {
    case REG_DATA:
        return dlab ? u->divider & 0xff : read_rbr(p);
    case REG_IER:
        return dlab ? u->divider >> 8 : u->ier;
    case REG_IIR_FCR:
        return read_iir(p);
    case REG_LCR:
        return u->lcr;
    case REG_MCR:
        return u->mcr;
    case REG_LSR:
        return read_lsr(p);
    case REG_MSR:
        return read_msr(p);
    default:
        return u->scr;
    }
}

static void write_divisor(Serial *p, unsigned shift_by, uint8_t value)
{
    Uart *u = &p->s.state;

    u->divider = (uint16_t)((u->divider & 0xff00 >> shift_by) | value << shift_by);
    serial_update_line(p);
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Serial *p = opaque;
    Uart *u = &p->s.state;
    bool dlab = u->lcr & LCR_DLAB;
    uint8_t octet = (uint8_t)value;

    (void)size;
    if (dlab && addr <= REG_IER)
        write_divisor(p, addr == REG_IER ? 8 : 0, octet);
    else if (addr == REG_DATA)
        write_thr(p, octet);
    else if (addr == REG_IER)
        write_ier(p, octet);
    else if (addr == REG_IIR_FCR)
        write_fcr(p, octet);
    else if (addr == REG_MCR)
        write_mcr(p, octet);
    else if (addr == REG_SCR)
        u->scr = octet;
    else if (addr == REG_LCR) {
        u->lcr = octet;
        serial_update_line(p);
    }
    /* LSR and MSR are for reading: what the data sheet has writes to them for is a factory's test. */
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 1};

/* --- life ------------------------------------------------------------------------------------------------------- */

/* Table I; the divisor, which it leaves alone, is 9600 baud's. */
static void reset(Device *dev)
{
    Serial *p = (Serial *)dev;

    p->s = (SerialState){
        .state =
            {
                .divider = BAUD_BASE / 9600,
                .iir = IIR_NONE,
                .mcr = MCR_OUT2,
                .lsr = LSR_THRE | LSR_TEMT,
                .msr = MSR_CTS | MSR_DSR | MSR_DCD,
                .thr_ipending = -1,
                .fifo_timeout_timer = TIMER_NEVER,
                .poll_msl = -1,
                .modem_status_poll = TIMER_NEVER,
            },
    };
    timer_disarm(&p->fifo_timeout);
    timer_arm(&p->resume, clock_now(dev->machine->virtual_clock));
    serial_update_line(p);
    if (p->isa)
        irq_set(&p->isa->irq[p->irq], false);
}

static bool realize(Device *dev, GError **error)
{
    Serial *p = (Serial *)dev;
    Clock *clock = dev->machine->virtual_clock;

    if (p->irq >= ISA_IRQS || p->iobase > 0x10000 - PORTS) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "isa-serial: there is no interrupt %u, or there are no %d ports from 0x%x on", p->irq, PORTS,
                    p->iobase);
        return false;
    }
    timer_init(&p->fifo_timeout, clock, fifo_timed_out, p);
    timer_init(&p->resume, clock, resume, p);
    p->ports =
        space_map(dev->machine->ports, &(SpaceMapping){.base = p->iobase, .size = PORTS, .ops = &ops, .opaque = p});
    /* Nothing is taken before the reset. */
    p->s.state.lsr = LSR_DR;
    if (p->chardev)
        chardev_set_front(p->chardev, &front, p);
    machine_add_runner(dev->machine, machine_runs, p);
    return true;
}

static void unrealize(Device *dev)
{
    Serial *p = (Serial *)dev;

    machine_remove_runner(dev->machine, p);
    if (p->chardev)
        chardev_set_front(p->chardev, NULL, NULL);
    timer_done(&p->fifo_timeout);
    timer_done(&p->resume);
    space_unmap(dev->machine->ports, p->ports);
    if (p->isa)
        irq_set(&p->isa->irq[p->irq], false);
}

static const VMStateField option_fields[] = {
    VMS_FIELD(Serial, iobase),
    VMS_FIELD(Serial, irq),
    VMS_END,
};

static const VMStateDescription options = {
    .name = "isa-serial",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Serial),
    .fields = option_fields,
};

static const Serial defaults = {.iobase = 0x3f8, .irq = 4};

const DeviceType isa_serial_type = {
    .name = "isa-serial",
    .about = "serial port (16550A)",
    .size = sizeof(Serial),
    .defaults = &defaults,
    .options = &options,
    .state = &serial_state,
    .state_offset = offsetof(Serial, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};

Device *serial_new(const SerialOptions *wanted)
{
    Serial *p = (Serial *)device_new(&isa_serial_type);

    p->isa = wanted->isa;
    p->chardev = wanted->chardev;
    p->iobase = wanted->iobase;
    p->irq = wanted->irq;
    return &p->dev;
}
