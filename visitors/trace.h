/*
 * trace.h: passes every call on to one visitor and, when it has been done, shows it to a second: the witness.
 *
 * The witness is a saving visitor. With a load it sees each value as it arrives, so that what came before a failure can
 * be shown; with text-out as witness on either side, what was saved and what was loaded leave the same record, or are
 * not symmetrical.
 */
#ifndef VISITORS_TRACE_H
#define VISITORS_TRACE_H

#include "visitors/visitor.h"

/* Both are borrowed, and must not be used while the trace is. */
Visitor *trace_new(Visitor *inner, Visitor *witness);

#endif
