/*
 * json-in.h: loads from a JSON object, by name.
 *
 * What the object lacks keeps the value it has in memory, so that what was there before are the defaults; only what
 * visit_require asks for must be there. What it has and nobody visits is an error, with the names that were visited.
 *
 * Numbers are numbers, truth values are true and false, arrays are arrays of as many elements; what JSON has no number
 * for (integers of 64 bits, floats) may be a string (text-value.h). Octets are a string of hexadecimal digits, a bitmap
 * is "0-3,17" or, as json-out.h writes it, an object with the members "bits" and "set".
 *
 * A string may be visited several times: the elements of an array of strings in turn. visit_optional tells whether
 * there is one more.
 */
#ifndef VISITORS_JSON_IN_H
#define VISITORS_JSON_IN_H

#include "visitors/visitor.h"

struct json_t;

/* `object` is borrowed for the visitor's life; it is what is visited first. `root` starts the path. */
Visitor *json_in_new(struct json_t *object, const char *root);

/* From now on what nobody knows is no error: what is loaded may be of a later version than those who load it. */
void json_in_allow_unknown(Visitor *v);

#endif
