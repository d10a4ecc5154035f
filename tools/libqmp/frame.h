/*
 * frame.h: cuts what a peer sends into JSON values, as long as they are no larger and no deeper than allowed.
 *
 * Values may be separated by white space, or by nothing: all of them are objects. A value is parsed when its last octet
 * is there; what can be said to be wrong before is said before.
 */
#ifndef TOOLS_LIBQMP_FRAME_H
#define TOOLS_LIBQMP_FRAME_H

#include <glib.h>
#include <stdbool.h>

struct json_t;

typedef struct Frame {
    char *data;
    size_t capacity;
    size_t start, end; /* of what has come and is not parsed */
    size_t taken;      /* octets of the value that ends at `start` */
    size_t scanned;    /* up to there it was looked at */
    size_t size_max;
    unsigned depth_max;

    /* Where the scan is. */
    unsigned depth;
    bool in_string, escaped;
    unsigned digits;  /* that follow each other */
    bool long_number; /* the value has a number that may be none of jansson's */
} Frame;

void frame_init(Frame *frame, size_t size_max, unsigned depth_max);
void frame_done(Frame *frame);

/* Where to put what comes next, and how much. */
void *frame_room(Frame *frame, size_t *size);
void frame_added(Frame *frame, size_t size);

/* The next value, new. NULL and no error: more must come. */
struct json_t *frame_next(Frame *frame, GError **error);

/* The text of the value that came last. Borrowed until there is to be room again. */
const char *frame_text(const Frame *frame, size_t *size);

/* How many octets of a value that is not complete have come. */
size_t frame_pending(const Frame *frame);

#endif
