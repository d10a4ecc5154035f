/*
 * engine.h: who talks to the kernel: io_uring, a pool of threads, or who asks.
 *
 * A transfer ends whole or with an error: what the kernel does only in part is continued. All functions, and `ended`,
 * are called on one thread, that of who made the engine. Raw disks of the emulator use it, too.
 */
#ifndef QCOW2_ENGINE_H
#define QCOW2_ENGINE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

typedef enum TransferKind {
    TRANSFER_READ, /* beyond the end of the file: zeros */
    TRANSFER_WRITE,
    TRANSFER_SYNC,     /* fdatasync(2) */
    TRANSFER_ALLOCATE, /* fallocate(2) */
} TransferKind;

typedef struct Transfer Transfer;
struct Transfer {
    TransferKind kind;
    int fd;
    int flags;            /* of WRITE: RWF_*; of ALLOCATE: FALLOC_FL_* */
    bool direct;          /* the descriptor is O_DIRECT */
    uint64_t offset, len; /* changed on the way, as are the next two */
    struct iovec *iov;
    int iov_count;
    void (*ended)(Transfer *t, int error); /* may submit it again */
    /* the engine's */
    unsigned again;
    int error;
    GList link;
};

typedef struct Engine Engine;

typedef struct EngineOps {
    void (*submit)(Engine *e, Transfer *t); /* may need a poll to go to the kernel */
    void (*poll)(Engine *e);                /* calls `ended` */
    void (*wait)(Engine *e);                /* something is under way: until something has ended. `poll` comes next */
    void (*free)(Engine *e);                /* nothing is under way */
} EngineOps;

struct Engine {
    const EngineOps *ops;
    int event; /* borrowed eventfd: signalled when there is something to poll; -1: only `wait` tells; */
    int fd;    /* that this can be read tells so, too; -1: there is none */
};

/* NULL: errno says why. signals: the event comes up when transfers end; otherwise whoever wants to know looks at `fd`,
 * which is cheaper, and the event is only for what the kernel would not take. */
Engine *engine_new_uring(int event, bool signals);
Engine *engine_new_threads(int event);

/* At once, when it is polled: for files that are memory (tmpfs), where the others take longer to hand it on. */
Engine *engine_new_inline(int event);

/* One system call for it, which waits. What it gave, or, negative, its errno. */
int64_t transfer_call(const Transfer *t);

/* The kernel has done `count` octets. True: that was all. Otherwise the rest is in the transfer. */
bool transfer_advance(Transfer *t, uint64_t count);

/* A read that has come to the end of the file: the rest is zeros. */
void transfer_fill_zeros(Transfer *t);

/* What read(2), write(2) and the like gave (or, negative, their errno): true: it has ended, with t->error. */
bool transfer_step(Transfer *t, int64_t result);

#endif
