/*
 * i8259.h: the interrupt controllers of a PC, and what KVM's have in common with them: state and description.
 */
#ifndef EMU_DEV_I8259_H
#define EMU_DEV_I8259_H

#include "emu/core/device.h"

/* One of the two. Flags are 0 or another number, as on the wire. */
typedef struct I8259State {
    uint8_t last_irr; /* levels of the lines */
    uint8_t irr;      /* requests: latched edges, levels */
    uint8_t imr;
    uint8_t isr;
    uint8_t priority_add; /* the input of highest priority */
    uint8_t irq_base;     /* vector of input 0 */
    uint8_t read_reg_select;
    uint8_t poll; /* the next read is an acknowledge */
    uint8_t special_mask;
    uint8_t init_state; /* I8259InitState */
    uint8_t auto_eoi;
    uint8_t rotate_on_auto_eoi;
    uint8_t special_fully_nested_mode;
    uint8_t init4; /* ICW4 will come */
    uint8_t single_mode;
    uint8_t elcr; /* inputs that look at levels */
} I8259State;

typedef enum I8259InitState {
    I8259_READY,
    I8259_WANTS_ICW2,
    I8259_WANTS_ICW3,
    I8259_WANTS_ICW4,
} I8259InitState;

enum { I8259_IRQS = 8, I8259_CASCADE = 2 /* the master's input at which the slave is */ };

/* The section "i8259", version 1; who has other hooks makes a description of these. */
extern const VMStateField i8259_fields[];
bool i8259_check(const void *state, GError **error);

/* The section's instance: 0 or 1; answers to 0x20 or 0xa0 also. For realize. */
void i8259_number(Device *dev, bool master);

/* A new i8259_type with the options of a PC's master or slave. Connect the slave's "int" to the master's input 2. */
Device *i8259_new(bool master);

/*
 * The processor's acknowledge, both INTA cycles: the vector, that of input 7 if no request is left. What it changes
 * goes out by "int" before it returns. slave: NULL if there is none.
 */
uint8_t i8259_acknowledge(Device *master, Device *slave);

#endif
