/*
 * ioapic.h: the I/O APIC of a PC, and what KVM's has in common with it: state and description.
 */
#ifndef EMU_DEV_IOAPIC_H
#define EMU_DEV_IOAPIC_H

#include "emu/core/device.h"

enum { IOAPIC_PINS = 24, IOAPIC_SIZE = 0x1000 };

#define IOAPIC_BASE UINT64_C(0xfec00000)

typedef struct IoapicState {
    uint8_t id;
    uint8_t ioregsel;
    uint32_t irr; /* of pins that look at levels: the level; of others: an edge that has not gone out */
    uint64_t ioredtbl[IOAPIC_PINS];
} IoapicState;

/* The section "ioapic", versions 1 to 3; who has other hooks makes a description of these. */
extern const VMStateField ioapic_fields[];
bool ioapic_check(const void *state, GError **error);

/*
 * Where interrupts go, as messages: what a write of `data` to `address` would be (Intel SDM volume 3, "Message
 * Signalled Interrupts"). Bits 63:48 of an entry are bits 19:4 of the address. A message whose delivery mode is ExtINT
 * is for the receiver to get a vector for from the 8259A.
 */
typedef struct IoapicOutput {
    void (*send)(void *opaque, uint64_t address, uint32_t data); /* NULL: nowhere */
    void *opaque;                                                /* borrowed */
    void (*changed)(void *opaque); /* what pins that look at levels send; NULL: as above */
} IoapicOutput;

/* For an ioapic_type; before it is realized. */
void ioapic_set_output(Device *dev, IoapicOutput output);

/* What a pin sends. Does it look at levels? */
bool ioapic_message(const Device *dev, unsigned pin, uint64_t *address, uint32_t *data);

/* A local APIC has ended a level interrupt of that vector. Pins whose line is still up send again before it returns. */
void ioapic_eoi(Device *dev, uint8_t vector);

#endif
