/* fan.h: one stream, several sinks. */
#ifndef TOOLS_COMMON_FAN_H
#define TOOLS_COMMON_FAN_H

#include "vmstate/stream.h"

enum { FAN_MAX = 8 };

/* A sink that passes everything on to others, in order, until one fails. */
typedef struct Fan {
    StreamSink sink;
    StreamSink *to[FAN_MAX]; /* borrowed */
    size_t count;
} Fan;

void fan_init(Fan *fan);
void fan_add(Fan *fan, StreamSink *sink);

#endif
