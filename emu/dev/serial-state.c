/*
 * serial-state.c: what is saved of a serial port, under QEMU's names.
 */
#include "emu/dev/serial-impl.h"

static const VMStateField fifo8_fields[] = {
    VMS_BYTES(Fifo8, data),
    VMS_FIELD(Fifo8, head),
    VMS_FIELD(Fifo8, num),
    VMS_END,
};

static const VMStateDescription fifo8 = {
    .name = "Fifo8",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Fifo8),
    .fields = fifo8_fields,
};

/* QEMU has it on the wire only where it is not what IIR tells. */
static bool thr_ipending_needed(const void *state)
{
    const Uart *u = state;

    return (u->ier & IER_THRI) && serial_thr_pending(u) != serial_iir_says_thr(u);
}

static bool tsr_needed(const void *state)
{
    return ((const Uart *)state)->tsr_retry > 0;
}

static bool recv_fifo_needed(const void *state)
{
    return ((const Uart *)state)->recv_fifo.num > 0;
}

static bool xmit_fifo_needed(const void *state)
{
    return ((const Uart *)state)->xmit_fifo.num > 0;
}

static bool fifo_timeout_timer_needed(const void *state)
{
    return ((const Uart *)state)->fifo_timeout_timer >= 0;
}

static bool timeout_ipending_needed(const void *state)
{
    return ((const Uart *)state)->timeout_ipending != 0;
}

static bool poll_needed(const void *state)
{
    return ((const Uart *)state)->poll_msl >= 0;
}

#define SUBSECTION(variable, name_, ...)                                                                               \
    static const VMStateField variable##_fields[] = {__VA_ARGS__, VMS_END};                                            \
    static const VMStateDescription variable##_state = {                                                               \
        .name = (name_), .version = 1, .minimum = 1, .fields = variable##_fields}

SUBSECTION(thr_ipending, "serial/thr_ipending", VMS_FIELD(Uart, thr_ipending));
SUBSECTION(tsr, "serial/tsr", VMS_FIELD(Uart, tsr_retry), VMS_FIELD(Uart, thr), VMS_FIELD(Uart, tsr));
SUBSECTION(recv_fifo, "serial/recv_fifo", VMS_SUB(Uart, recv_fifo, &fifo8));
SUBSECTION(xmit_fifo, "serial/xmit_fifo", VMS_SUB(Uart, xmit_fifo, &fifo8));
SUBSECTION(fifo_timeout_timer, "serial/fifo_timeout_timer", VMS_FIELD(Uart, fifo_timeout_timer, .type = "timer"));
SUBSECTION(timeout_ipending, "serial/timeout_ipending", VMS_FIELD(Uart, timeout_ipending));
SUBSECTION(poll, "serial/poll", VMS_FIELD(Uart, poll_msl), VMS_FIELD(Uart, modem_status_poll, .type = "timer"));

static const VMStateSubsection subsections[] = {
    {.desc = &thr_ipending_state, .needed = thr_ipending_needed},
    {.desc = &tsr_state, .needed = tsr_needed},
    {.desc = &recv_fifo_state, .needed = recv_fifo_needed},
    {.desc = &xmit_fifo_state, .needed = xmit_fifo_needed},
    {.desc = &fifo_timeout_timer_state, .needed = fifo_timeout_timer_needed},
    {.desc = &timeout_ipending_state, .needed = timeout_ipending_needed},
    {.desc = &poll_state, .needed = poll_needed},
    {.desc = NULL},
};

static const VMStateField uart_fields[] = {
    VMS_FIELD(Uart, divider, .since = 2),
    VMS_FIELD(Uart, rbr),
    VMS_FIELD(Uart, ier),
    VMS_FIELD(Uart, iir),
    VMS_FIELD(Uart, lcr),
    VMS_FIELD(Uart, mcr),
    VMS_FIELD(Uart, lsr),
    VMS_FIELD(Uart, msr),
    VMS_FIELD(Uart, scr),
    VMS_FIELD(Uart, fcr_vmstate, .since = 3),
    VMS_END,
};

static const VMStateDescription uart_state = {
    .name = "serial",
    .version = 3,
    .minimum = 2,
    .size = sizeof(Uart),
    .fields = uart_fields,
    .subsections = subsections,
};

static bool check_fifo(const char *name, const Fifo8 *fifo, GError **error)
{
    if (fifo->head < FIFO_SIZE && fifo->num <= FIFO_SIZE)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "serial/state.%s: head is %u and num is %u; below %d and at most %d is what there can be", name,
                fifo->head, fifo->num, FIFO_SIZE, FIFO_SIZE);
    return false;
}

static bool check(const void *state, GError **error)
{
    const Uart *u = &((const SerialState *)state)->state;

    if (!check_fifo("recv_fifo", &u->recv_fifo, error) || !check_fifo("xmit_fifo", &u->xmit_fifo, error))
        return false;
    if ((u->tsr_retry == 0) == !!(u->lsr & LSR_TEMT))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "serial/state.lsr: bit 6 of 0x%02x says that there is %s character on its way, and tsr_retry %u that "
                "there is %s",
                u->lsr, u->lsr & LSR_TEMT ? "no" : "a", u->tsr_retry, u->tsr_retry > 0 ? "one" : "none");
    return false;
}

static void push(void *opaque)
{
    Serial *p = opaque;
    Uart *u = &p->s.state;

    u->timeout_ipending = u->timeout_ipending != 0;
    u->tsr_retry = MIN(u->tsr_retry, RETRIES);
    u->poll_msl = -1;
    u->modem_status_poll = TIMER_NEVER;
    u->fifo_timeout_timer = MAX(u->fifo_timeout_timer, TIMER_NEVER);
    timer_arm(&p->fifo_timeout, u->fifo_timeout_timer);
    timer_arm(&p->resume, clock_now(p->dev.machine->virtual_clock));
    serial_update_line(p);
    serial_update_irq(p);
}

static const VMStateField fields[] = {
    VMS_SUB(SerialState, state, &uart_state),
    VMS_END,
};

const VMStateDescription serial_state = {
    .name = "serial",
    .version = 3,
    .minimum = 2,
    .size = sizeof(SerialState),
    .fields = fields,
    .check = check,
    .push = push,
};
