/*
 * board.h: a machine without processors, on which devices are tested: the clocks are turned by hand, lines are counted,
 * and a guest's accesses are function calls.
 *
 * What holds for every device is here, too: that recorded state of QEMU's loads into it and comes out again octet for
 * octet and under the same names, and that any state it can have survives every format.
 */
#ifndef TESTS_SUPPORT_BOARD_H
#define TESTS_SUPPORT_BOARD_H

#include "emu/core/isa.h"
#include "emu/core/machine.h"
#include "visitors/bytes.h"

enum { BOARD_PROBES = 64 };

typedef struct Board {
    Machine *machine;
    int64_t virtual_ns, host_ns;
    IsaBus isa;                   /* its lines lead to the probes 0 to 15 */
    bool level[BOARD_PROBES];     /* of each probe, now */
    unsigned rises[BOARD_PROBES]; /* how often it went up */
} Board;

Board *board_new(void);
void board_free(Board *board);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Board, board_free)

/* A line that leads to a probe. */
Irq board_probe(Board *board, unsigned n);

/* Realizes the device, which the machine then owns; fails the test if that fails. Returns it. */
Device *board_add(Board *board, Device *dev);

/* Lets the time pass on both clocks, stopping at each expiry on the way. */
void board_advance(Board *board, int64_t ns);

uint8_t board_in8(Board *board, uint16_t port);
uint16_t board_in16(Board *board, uint16_t port);
uint32_t board_in32(Board *board, uint16_t port);
void board_out8(Board *board, uint16_t port, uint8_t value);
void board_out16(Board *board, uint16_t port, uint16_t value);
void board_out32(Board *board, uint16_t port, uint32_t value);

/* A state, to be freed with vms_state_free, of which some fields are random. */
void *section_random_state(const Section *s, GRand *rand);

/* Does the walk bring it back in every format, without any device? */
void section_walk_there_and_back(const Section *s, const void *state);

/* The section of a device: what is saved of it on the legacy wire. */
void board_save(Board *board, Device *dev, ByteOut *octets);

/* Loads such octets, all or nothing, with all three hooks. `version`: the one that the stream has for it. */
bool board_load(Board *board, Device *dev, const void *octets, size_t len, int version, GError **error);

/*
 * Loads the section that a recording of QEMU has for the device, and fails the test unless what is then saved is the
 * same octets, and its JSON description the same text. If `loose`, octets may differ, for devices that count while they
 * are saved (then test the fields yourself).
 */
void board_load_recorded(Board *board, Device *dev, const char *recording, bool loose);

/*
 * Random states: all fields random, or some of them and the others as after reset. Any of them comes back the same from
 * QEMUFile, from BER and from BER by name. One that the description's check takes loads, and what is saved then is
 * saved again after it was loaded; one that it refuses changes nothing. At least a tenth must be taken.
 */
void board_try_states(Board *board, Device *dev, unsigned count);

/* Random accesses to these ports, time passing meanwhile. For the sanitizers; and what is left must save and load. */
void board_abuse_ports(Board *board, Device *dev, uint16_t first, uint16_t count, unsigned accesses);

#endif
