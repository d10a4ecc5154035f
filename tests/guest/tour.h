/* tour.h: the stops of the tour that have files of their own. */
#ifndef TESTS_GUEST_TOUR_H
#define TESTS_GUEST_TOUR_H

#include "tests/guest/guest.h"

/* Masks all interrupts of the chips. */
void tour_quiet(void);

void tour_processor(void);
void tour_nested(void);
void tour_priority(void);
void tour_virtio(void);
void tour_virtio_lines(void);
void tour_virtio_broken(void);
void tour_virtio_off(void);
void tour_late(void);

#endif
