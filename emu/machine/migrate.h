/*
 * migrate.h: a PC's state to another place, when the PC stands (else: migrate-live.h), and from there.
 *
 * Called on the loop's thread, without the lock unless it is said. What fails leaves the machine as it was, running or
 * standing.
 */
#ifndef EMU_MACHINE_MIGRATE_H
#define EMU_MACHINE_MIGRATE_H

#include "emu/machine/pc.h"
#include "visitors/chan.h"

typedef enum MigrateFormat {
    MIGRATE_QEMUFILE, /* what QEMU 7.2 reads */
    MIGRATE_BER,      /* what says what it is */
    MIGRATE_BER_ZSTD,
} MigrateFormat;

/* Writes the state of a machine that stands to `out`, taken; nothing else changes. With the lock. */
bool migrate_save(Pc *pc, Chan *out, MigrateFormat format, GError **error);

/* Who tells the pages of a state that was captured. */
typedef struct MigratePages {
    MachineTellPages *tell;
    void *opaque;
    bool indexed; /* where they are comes behind the state (vmstate/ram-index.h) */
} MigratePages;

/* Writes a state that was captured to `out`, taken. On any thread. */
bool migrate_tell(const MachineCapture *capture, Chan *out, MigrateFormat format, const MigratePages *pages,
                  GError **error);

/*
 * A state that has come, in either format, from `in`, taken: all of it is there, every device finds it sound, and KVM
 * has taken the processors' state in a rehearsal. On any thread; the machine may run meanwhile, and has not changed.
 */
typedef struct MachineLoad MigrateState;
MigrateState *migrate_read(Pc *pc, Chan *in, GError **error);

/*
 * The same for somebody who has something else to do with the state while it comes: one that is empty, and what comes
 * from `in`. live: who sends it may wait for answers, so nothing is read ahead.
 */
MigrateState *migrate_state_new(Pc *pc);
bool migrate_read_state(Pc *pc, MigrateState *state, ChanIn *in, bool live, GError **error);

/* 16 octets that whoever sends a state must have; NULL: any will do. Borrowed. */
const uint8_t *migrate_uuid(const Pc *pc);

/* The same, but that memory comes by `fill` (borrowed) when the state is put in place. */
MigrateState *migrate_read_lazily(Pc *pc, Chan *in, RamFill *fill, GError **error);

/* Puts it in place, in a machine that stands. */
bool migrate_commit(Pc *pc, MigrateState *state, GError **error);

/*
 * Reads a state in either format from `in`, taken, and puts it in place when all of it has come, every device finds it
 * sound and KVM has taken the processors' state in a rehearsal. The machine must stand, and does so afterwards;
 * pc_run_state says what it did where it comes from.
 */
bool migrate_in(Pc *pc, Chan *in, GError **error);

#endif
