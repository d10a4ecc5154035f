/*
 * enum.h: a number that has names, as one visit: of a string, in every format.
 */
#ifndef VISITORS_ENUM_H
#define VISITORS_ENUM_H

#include "visitors/visitor.h"

/*
 * `names` ends with NULL; the value is the number of its name. A name that is none of them makes the load fail, with
 * all that would be accepted. A format that lacks the value leaves it as it was.
 */
void visit_enum(Visitor *v, const char *name, const char *const *names, uint8_t *value);

#endif
