/* json-in-impl.h: the same visitor over a tree whose leaves are text. Only included in visitors/. */
#ifndef VISITORS_JSON_IN_IMPL_H
#define VISITORS_JSON_IN_IMPL_H

#include "visitors/json-in.h"

/*
 * Takes `object` (NULL: the visitor fails with `wrong`). Its leaves are strings, or arrays of them where a key was
 * given several times, or true where it was given without a value; arrays are objects with the keys "0", "1" and so on.
 */
Visitor *json_in_new_text(struct json_t *object, const char *root, const char *wrong);

#endif
