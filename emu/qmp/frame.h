/*
 * frame.h: values of JSON out of a stream of octets, as QMP's clients send them.
 *
 * Nothing need be between two values but what keeps two words apart. Strings may be in apostrophes. An octet 0xFF gives
 * up what was begun: a client that does not know where it stands sends it, and waits for the error that it causes.
 * What is wrong is told once, with the octet counted from the value's first, and as soon as that is known; what
 * follows it is read as if nothing had been.
 *
 * Source: QEMU's docs/interop/qmp-spec.txt; RFC 8259. Not done: strings that hold a character U+0000.
 */
#ifndef EMU_QMP_FRAME_H
#define EMU_QMP_FRAME_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;
typedef struct QmpFrame QmpFrame;

/* Of one value. */
typedef struct QmpFrameLimits {
    size_t octets, tokens;
    unsigned depth; /* at most QMP_FRAME_DEPTH_MAX */
} QmpFrameLimits;

enum { QMP_FRAME_DEPTH_MAX = 1024 };

/* What was found; one reference, a new string, a new error: qmp_input_clear. All NULL: nothing yet. */
typedef struct QmpInput {
    struct json_t *json;
    char *id;      /* of an object: its member "id" as JSON text in one line, spelled as it came; NULL: it has none */
    GError *error; /* what came was no value */
} QmpInput;

void qmp_input_clear(QmpInput *input);

/* NULL: QEMU's limits: 64 MiB, 2 Mi tokens, 1024 levels. */
QmpFrame *qmp_frame_new(const QmpFrameLimits *limits);
void qmp_frame_free(QmpFrame *f);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpFrame, qmp_frame_free)

/* Somebody else speaks now. */
void qmp_frame_reset(QmpFrame *f);

/*
 * Reads up to where a value ends, or something is wrong; returns how many octets that were (0: a word ended before).
 */
size_t qmp_frame_push(QmpFrame *f, const void *data, size_t len, QmpInput *found);

#endif
