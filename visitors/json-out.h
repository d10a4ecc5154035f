/*
 * json-out.h: saves to JSON.
 *
 * Structs and subsections are objects, arrays are arrays, integers are exact, octets are strings of hexadecimal digits,
 * bitmaps
 * {"bits": n, "set": "0-3,17"}. A float that is not finite is a string of its 64 bits.
 */
#ifndef VISITORS_JSON_OUT_H
#define VISITORS_JSON_OUT_H

#include "visitors/json-write.h"
#include "visitors/visitor.h"

/* Writes one member `key` (an element if NULL) to `json`, borrowed. */
Visitor *json_out_new(JsonWrite *json, const char *key);

#endif
