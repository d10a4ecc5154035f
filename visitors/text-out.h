/*
 * text-out.h: saves to text that people read, one line a value:
 *
 *     PIIX3.PCIDevice.config(256)(1).[255] = (uint8) 0x0
 *
 * path, number of elements, octets of an element, index, kind, value. Octets nobody described come 32 to a line with
 * the index of the first; bitmaps as the numbers of the bits that are set.
 */
#ifndef VISITORS_TEXT_OUT_H
#define VISITORS_TEXT_OUT_H

#include "visitors/chan.h"
#include "visitors/visitor.h"

/* Writes to `out`, borrowed. Every path starts with `root`. */
Visitor *text_out_new(ChanOut *out, const char *root, bool colour);

/* The numbers of the bits that are set, as "0-3,17". New string. */
char *text_bit_ranges(const uint64_t *words, size_t bits);

#endif
