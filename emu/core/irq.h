/*
 * irq.h: a line between two chips.
 *
 * The chip that drives a line has an Irq, and whoever builds the machine says what is at the other end. A line that is
 * not connected goes nowhere. Lines carry levels, not events: driving one with the level that it has changes nothing,
 * and the chip at the other end may be told of it again.
 */
#ifndef EMU_CORE_IRQ_H
#define EMU_CORE_IRQ_H

#include <stdbool.h>

typedef void IrqHandler(void *opaque, unsigned n, bool level);

typedef struct Irq {
    IrqHandler *handler; /* NULL: not connected */
    void *opaque;        /* borrowed */
    unsigned n;          /* which input of the chip at the other end */
} Irq;

static inline void irq_set(const Irq *irq, bool level)
{
    if (irq->handler)
        irq->handler(irq->opaque, irq->n, level);
}

/* Up and down again, for inputs that look at edges. */
static inline void irq_pulse(const Irq *irq)
{
    irq_set(irq, true);
    irq_set(irq, false);
}

#endif
