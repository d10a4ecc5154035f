/*
 * state-out.h: a channel that writes the VM state of a snapshot.
 *
 * An image belongs to the thread of its disk. A job's thread writes in large pieces, some of which are under way while
 * the next is filled.
 */
#ifndef EMU_MACHINE_STATE_OUT_H
#define EMU_MACHINE_STATE_OUT_H

#include "emu/block/block.h"
#include "emu/core/job.h"
#include "visitors/chan.h"

struct Qcow2Pending;

typedef struct StateOut StateOut;

/* job NULL: the disk's thread is the one that writes. All is borrowed. */
StateOut *state_out_new(Job *job, Block *block, struct Qcow2Pending *pending);

/* New; of one StateOut there is one. When it ends well (chan_out_finish), all of it was written. */
Chan *state_out_chan(StateOut *out);

/* Octets written. */
uint64_t state_out_length(const StateOut *out);

/* On the disk's thread, where the image has nothing under way any more. */
void state_out_free(StateOut *out);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StateOut, state_out_free)

#endif
