/*
 * pcspk.h: how the speaker's port gets its PIT.
 */
#ifndef EMU_DEV_PCSPK_H
#define EMU_DEV_PCSPK_H

#include "emu/dev/i8254.h"

/* Before it is realized. Borrows both; the PIT stays as long as the speaker does. */
void pcspk_set_pit(Device *pcspk, const PitOps *ops, Device *pit);

#endif
