/*
 * live-source.h: sends a machine's state while the machine runs (precopy), in either format.
 *
 *     all of memory; what was written meanwhile; what was written meanwhile ...; the machine stands; the rest; devices
 *
 * It stands when what is left can be sent in the time that it may stand, as far as the bandwidth that was measured
 * tells. Of the machine it needs no more than a table of functions; the thread that runs it may be any.
 */
#ifndef VMSTATE_LIVE_SOURCE_H
#define VMSTATE_LIVE_SOURCE_H

#include "visitors/chan.h"
#include "vmstate/live-limit.h"
#include "vmstate/stream.h"

/* All are called on the engine's thread. */
typedef struct LiveOps {
    /* From now on it is noted which pages are written. */
    bool (*dirty_start)(void *opaque, GError **error);
    void (*dirty_stop)(void *opaque);

    /*
     * Sets the bits of pages that were written, of each block; a page may come again until dirty_clear. That says that
     * pages of a block are about to be read: what is written to them from then on is to be noted anew.
     */
    bool (*dirty_sync)(void *opaque, uint64_t *const *bits, GError **error);
    void (*dirty_clear)(void *opaque, uint32_t block, uint64_t first, uint64_t count);

    /* The stream's beginning: what comes before memory. */
    bool (*head)(void *opaque, StreamSink *sink, GError **error);

    /* When it returns nobody writes memory any more. False: it cannot, or is not to be. */
    bool (*stop)(void *opaque, GError **error);

    /* Behind memory: devices, and the stream's end. */
    bool (*tail)(void *opaque, StreamSink *sink, GError **error);

    /* The guest is to lose that percentage of its time. NULL: it cannot be slowed down. */
    void (*throttle)(void *opaque, unsigned percent);

    /* Memory is looked at for this time. NULL: nobody cares. */
    void (*pass)(void *opaque, uint64_t number);
} LiveOps;

/* Where a block is; it may be written while it is read. */
typedef struct LiveMemory {
    const uint8_t *host;
    uint64_t pages;
} LiveMemory;

typedef struct LiveStream {
    StreamSink *sink; /* of `out`; both borrowed */
    ChanOut *out;     /* it is finished when all is written */
    bool steady;      /* the sink looks at pages more than once, so they must not change meanwhile */
} LiveStream;

/* Octets and pages of memory; times in microseconds of g_get_monotonic_time, 0: not yet. */
typedef struct LiveProgress {
    int64_t start_us, send_us, stop_us, end_us; /* it began, began to send, the machine stood, all was written */
    uint64_t total, remaining;
    uint64_t sent, sent_running; /* octets of the stream; while the machine ran */
    uint64_t full, zero;         /* pages */
    uint64_t passes;
    uint64_t bandwidth, page_rate, dirty_rate; /* a second: octets, pages, pages */
    int64_t downtime_ms;                       /* expected; -1: not known */
    bool grows;                                /* at these rates it will not end */
    unsigned throttle;                         /* percentage */
} LiveProgress;

typedef struct LiveSource LiveSource;

/* `memory`: of each block in the list. All is borrowed. */
LiveSource *live_source_new(const LiveOps *ops, void *opaque, const RamBlocks *blocks, const LiveMemory *memory);
void live_source_free(LiveSource *source);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LiveSource, live_source_free)

/*
 * Does it all. True: all was written, and the channel says that it has arrived; the machine must not go on here. False:
 * whoever reads cannot have got all of it, and the machine may go on.
 */
bool live_source_run(LiveSource *source, const LiveStream *stream, GError **error);

/* From any thread. What waits in the channel does so on. */
void live_source_cancel(LiveSource *source);
void live_source_limit(LiveSource *source, const LiveLimits *limits); /* counts at once */
LiveProgress live_source_progress(LiveSource *source);

#endif
