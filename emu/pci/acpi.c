/*
 * acpi.c: ACPI's fixed hardware: PM1 events, the power management timer, general purpose events.
 *
 * Source: ACPI Specification 1.0b, sections 4.7.2 (timer), 4.7.3 (PM1) and 4.7.4 (GPE).
 * Not modelled: bus master status, the global lock's bits (they are kept), the sleep button.
 */
#include "emu/pci/acpi.h"

enum {
    TIMER_HALF = 0x800000, /* the status bit comes when the highest of 24 bits changes */
    TIMER_MASK = 0xffffff,
    SCI_EVENTS = ACPI_TIMER | ACPI_GLOBAL | ACPI_POWER_BUTTON | ACPI_RTC,
};

static const VMStateField gpe_fields[] = {
    VMS_FIELD(AcpiGpe, sts),
    VMS_FIELD(AcpiGpe, en),
    VMS_END,
};

const VMStateDescription acpi_gpe_state = {
    .name = "gpe",
    .version = 1,
    .minimum = 1,
    .size = sizeof(AcpiGpe),
    .fields = gpe_fields,
};

/* --- time ------------------------------------------------------------------------------------------------------- */

static int64_t ticks(const Acpi *a)
{
    return (int64_t)clock_scale((uint64_t)clock_now(a->clock), ACPI_TIMER_HZ, NS_PER_SECOND);
}

uint32_t acpi_timer_value(const Acpi *a)
{
    return (uint32_t)ticks(a) & TIMER_MASK;
}

/* When the overflow comes: the first ns that has so many ticks. Far away is never. */
static int64_t overflow_ns(const Acpi *a)
{
    int64_t at = a->regs->tmr.overflow_time;

    if (at <= 0)
        return 0;
    if (at > INT64_MAX / 280) /* 279.4 ns a tick */
        return TIMER_NEVER;
    return (int64_t)clock_scale((uint64_t)at, NS_PER_SECOND, ACPI_TIMER_HZ) + 1;
}

static void look_at_timer(Acpi *a)
{
    if (ticks(a) >= a->regs->tmr.overflow_time)
        a->regs->pm1.evt.sts |= ACPI_TIMER;
}

/* --- events ----------------------------------------------------------------------------------------------------- */

static void drive(const Acpi *a)
{
    const AcpiRegisters *r = a->regs;

    irq_set(a->sci, (r->pm1.evt.sts & r->pm1.evt.en & SCI_EVENTS) || (r->gpe.sts & r->gpe.en));
}

void acpi_update(Acpi *a)
{
    AcpiRegisters *r = a->regs;

    look_at_timer(a);
    drive(a);
    if (r->pm1.evt.en & ACPI_TIMER && !(r->pm1.evt.sts & ACPI_TIMER))
        timer_arm(&a->timer, overflow_ns(a));
    else
        timer_disarm(&a->timer);
    r->tmr.timer = timer_expiry(&a->timer);
}

static void expired(void *opaque)
{
    acpi_update(opaque);
}

uint16_t acpi_status(Acpi *a)
{
    look_at_timer(a);
    return a->regs->pm1.evt.sts;
}

void acpi_clear_status(Acpi *a, uint16_t bits)
{
    look_at_timer(a);
    if (a->regs->pm1.evt.sts & bits & ACPI_TIMER)
        a->regs->tmr.overflow_time = (ticks(a) + TIMER_HALF) & ~(int64_t)(TIMER_HALF - 1);
    a->regs->pm1.evt.sts &= (uint16_t)~bits;
    acpi_update(a);
}

void acpi_event(Acpi *a, uint16_t bit)
{
    if (a->regs->pm1.evt.en & bit)
        a->regs->pm1.evt.sts |= bit;
    acpi_update(a);
}

void acpi_gpe_event(Acpi *a, unsigned n)
{
    a->regs->gpe.sts |= (uint16_t)(1U << n);
    acpi_update(a);
}

uint8_t acpi_gpe_read(const Acpi *a, unsigned reg)
{
    return (uint8_t)((reg < 2 ? a->regs->gpe.sts : a->regs->gpe.en) >> reg % 2 * 8);
}

void acpi_gpe_write(Acpi *a, unsigned reg, uint8_t value)
{
    unsigned shift = reg % 2 * 8;
    AcpiGpe *gpe = &a->regs->gpe;

    if (reg < 2)
        gpe->sts &= (uint16_t) ~(value << shift);
    else
        gpe->en = (uint16_t)((gpe->en & ~(0xff << shift)) | value << shift);
    acpi_update(a);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

void acpi_init(Acpi *a, AcpiRegisters *regs, Clock *clock, const Irq *sci)
{
    a->regs = regs;
    a->clock = clock;
    a->sci = sci;
    timer_init(&a->timer, clock, expired, a);
}

void acpi_done(Acpi *a)
{
    timer_done(&a->timer);
}

void acpi_reset(Acpi *a)
{
    timer_disarm(&a->timer);
    *a->regs = (AcpiRegisters){.tmr.timer = TIMER_NEVER};
    drive(a);
}

void acpi_pull(Acpi *a)
{
    look_at_timer(a);
    a->regs->tmr.timer = timer_expiry(&a->timer);
}

/* What has passed meanwhile is seen when somebody asks, or the timer expires. */
void acpi_push(Acpi *a)
{
    timer_arm(&a->timer, a->regs->tmr.timer);
    a->regs->tmr.timer = timer_expiry(&a->timer);
    drive(a);
}
