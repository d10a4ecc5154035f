/*
 * state.h: a machine's state out to a stream, and in from one: all of it or nothing.
 *
 * For a machine that stands. What a stream must look like for QEMU 7.2 to take it is in vmstate/FORMAT.md part 1.
 */
#ifndef EMU_MACHINE_STATE_H
#define EMU_MACHINE_STATE_H

#include "emu/core/machine.h"
#include "emu/core/ram-fill.h"
#include "vmstate/stream.h"

/* What a stream says of the whole machine. Borrowed. */
typedef struct MachineIdentity {
    const char *type;   /* "pc-i440fx-7.2" */
    const char *writer; /* the program, and its version, for formats that tell */
    const char *writer_version;
    const uint8_t *uuid; /* 16 octets, highest first: a stream that has another one is refused; NULL: any will do */
} MachineIdentity;

/*
 * Tells `sink` (stream-save.h, berstream-save.h) the machine's state. Everything is pulled before the sink hears of
 * anything, so a device that cannot be saved leaves nothing behind.
 */
bool machine_save(Machine *machine, const MachineIdentity *identity, StreamSink *sink, GError **error);

/*
 * The same in two steps. What the devices are is copied, with the lock; the machine can go on then, and the state be
 * told later, on any thread, as of that moment. NULL: a device cannot be saved.
 */
typedef struct MachineCapture MachineCapture;
MachineCapture *machine_capture(Machine *machine, GError **error);
void machine_capture_free(MachineCapture *capture);
const RamBlocks *machine_capture_blocks(const MachineCapture *capture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MachineCapture, machine_capture_free)

/* Tells the pages of all areas, whose number in the stream is that in machine->areas, each page at least once. */
typedef bool MachineTellPages(void *opaque, Machine *machine, StreamSink *sink, GError **error);

/* Those that are there now; `opaque` is not looked at. */
MachineTellPages machine_tell_pages;

/* Memory's pages are told by `pages`, of whom they are to be as of that moment, too. */
bool machine_capture_tell(const MachineCapture *capture, const MachineIdentity *identity, StreamSink *sink,
                          MachineTellPages *pages, void *opaque, GError **error);

/*
 * The same of a machine that runs while its memory is told: what comes before memory, with sections as they would be
 * now, which are added to `schema`; and what comes behind it, of a capture. The blocks of memory are numbered as in
 * machine->areas, and a capture in which they are not the same any more is no continuation. With the lock, the first.
 */
bool machine_list_memory(const Machine *machine, RamBlocks *blocks, GError **error);
bool machine_tell_head(const Machine *machine, const MachineIdentity *identity, StreamSink *sink, Schema *schema,
                       GError **error);
bool machine_capture_tell_tail(const MachineCapture *capture, const RamBlocks *blocks, StreamSink *sink, Schema *schema,
                               GError **error);

/*
 * Loads what a reader (stream-load.h, berstream-load.h) tells. Memory and sections are collected apart, also for a
 * machine that is new: nothing of it changes before machine_load_commit, and nothing if that is not called, or fails.
 * So while a stream is read there must be room for the guest's memory twice, as far as it is not zeros.
 */
typedef struct MachineLoad MachineLoad;

/* `identity` is copied. */
MachineLoad *machine_load_new(Machine *machine, const MachineIdentity *identity);
void machine_load_free(MachineLoad *load);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MachineLoad, machine_load_free)

/* Who sends the stream, if he waits for answers, and pages come on other ways, too. */
typedef struct MachineLoadPeer {
    /* All that came of memory up to here must be in its place before what is still to come. */
    bool (*memory_passed)(void *opaque, GError **error);
    bool (*command)(void *opaque, const StreamCommand *command, GError **error);
    void *opaque;
} MachineLoadPeer;

/* Borrowed; without one, commands for it are passed over. */
void machine_load_set_peer(MachineLoad *load, const MachineLoadPeer *peer);

/* To be used from the first `memory_passed` on, until that of the stream's last; it borrows the load. */
RamPlace machine_load_place(MachineLoad *load);

/*
 * Before the reader begins: memory is not read with the stream, but by `fill` (borrowed), which begins when all is put
 * in place.
 */
void machine_load_lazily(MachineLoad *load, RamFill *fill);

/* To be given to the reader. */
StreamSink *machine_load_sink(MachineLoad *load);

/* The machine's own descriptions, for a reader of QEMUFile to read sections by; borrowed from the load. */
const Schema *machine_load_schema(MachineLoad *load);

/* What has come for a section, or, if nothing has, what the machine has. NULL: there is no such section. Borrowed. */
const void *machine_load_state(const MachineLoad *load, const char *name, uint32_t instance);

/*
 * Would a commit succeed? Not if the stream was not complete, if it lacked a page of memory or a section that the
 * machine has, or if a device judges its state unsound. Changes nothing but the load: sections that a stream may lack
 * (their descriptions have `needed`) and that did not come get their reset states.
 */
bool machine_load_check(MachineLoad *load, GError **error);

/* Checks, and then puts everything in place: memory, then states, which are pushed. */
bool machine_load_commit(MachineLoad *load, GError **error);

#endif
