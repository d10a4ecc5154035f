/*
 * serial-impl.h: the state of a serial port, for the file that has its behaviour (serial.c) and the one that describes
 * it (serial-state.c).
 */
#ifndef EMU_DEV_SERIAL_IMPL_H
#define EMU_DEV_SERIAL_IMPL_H

#include "emu/core/machine.h"
#include "emu/dev/serial.h"

enum {
    PORTS = 8,
    FIFO_SIZE = 16,
    FIFO_TIMEOUT_CHARS = 4, /* section 8.11 */
    BAUD_BASE = 115200,     /* 1.8432 MHz / 16 */
    RETRIES = 4,            /* of a character that the Chardev does not take though it said it would */
};

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

enum {
    IER_RDI = 1 << 0,
    IER_THRI = 1 << 1,
    IER_RLSI = 1 << 2,
    IER_MSI = 1 << 3,
    IER_BITS = 0x0f,

    IIR_NONE = 0x01,
    IIR_MSI = 0x00,
    IIR_THRI = 0x02,
    IIR_RDI = 0x04,
    IIR_RLSI = 0x06,
    IIR_TIMEOUT = 0x0c,
    IIR_ID = 0x0f,
    IIR_FIFOS = 0xc0, /* the FIFOs are on */

    FCR_ENABLE = 1 << 0,
    FCR_RESET_RECEIVE = 1 << 1,
    FCR_RESET_TRANSMIT = 1 << 2,
    FCR_KEPT = 0xc9, /* DMA mode and trigger, too */

    LCR_BREAK = 1 << 6,
    LCR_DLAB = 1 << 7,

    MCR_LOOP = 1 << 4,
    MCR_OUT2 = 1 << 3,
    MCR_BITS = 0x1f,

    LSR_DR = 1 << 0,
    LSR_OE = 1 << 1,
    LSR_PE = 1 << 2,
    LSR_FE = 1 << 3,
    LSR_BI = 1 << 4,
    LSR_THRE = 1 << 5,
    LSR_TEMT = 1 << 6,
    LSR_ERRORS = LSR_OE | LSR_PE | LSR_FE | LSR_BI,

    MSR_TERI = 1 << 2,
    MSR_DELTAS = 0x0f,
    MSR_CTS = 1 << 4,
    MSR_DSR = 1 << 5,
    MSR_RI = 1 << 6,
    MSR_DCD = 1 << 7,
    MSR_LINES = 0xf0,
};

typedef struct Fifo8 {
    uint8_t data[FIFO_SIZE];
    uint32_t head, num;
} Fifo8;

typedef struct Uart {
    uint16_t divider;
    uint8_t rbr, ier, iir, lcr, mcr, lsr, msr, scr, fcr_vmstate;
    int32_t thr_ipending; /* THRE has not been told yet; -1: as IIR has it */
    uint32_t tsr_retry;   /* how often the character in tsr was tried; 0: there is none */
    uint8_t thr, tsr;
    Fifo8 recv_fifo, xmit_fifo;
    int64_t fifo_timeout_timer; /* of the virtual clock */
    int32_t timeout_ipending;
    int32_t poll_msl; /* of a host's port, whose modem lines are looked at; -1: none */
    int64_t modem_status_poll;
} Uart;

typedef struct SerialState {
    Uart state;
} SerialState;

typedef struct Serial {
    Device dev;
    IsaBus *isa;
    Chardev *chardev;
    uint16_t iobase;
    uint8_t irq;
    SpaceId ports;
    Timer fifo_timeout;
    Timer resume; /* after a reset, a load or a stop, when the machine runs: what waits on either side goes on */
    bool stands;  /* the machine has been stopped */
    ChardevLine line;
    bool breaking;
    SerialState s;
} Serial;

/* The interrupt that IIR tells is THRE's. */
static inline bool serial_iir_says_thr(const Uart *u)
{
    return (u->iir & IIR_ID) == IIR_THRI;
}

static inline bool serial_thr_pending(const Uart *u)
{
    return u->thr_ipending < 0 ? serial_iir_says_thr(u) : u->thr_ipending > 0;
}

/* Tells the bus what the registers say. */
void serial_update_irq(Serial *p);

/* The other end is told of LCR and the divisor, if it makes a difference. */
void serial_update_line(Serial *p);

/* The section. */
extern const VMStateDescription serial_state;

#endif
