/*
 * keyval-in.h: loads from options as a command line has them: "key=value,key.sub=value,list.0=value".
 *
 * A comma in a value is written twice. The first part may be without a key, if there is one that it implies. A key
 * without a value is a truth value that is on, with "no" in front of it one that is off. All else is as in json-in.h:
 * what is not given keeps its value, what nobody knows is an error, a key given several times is a string visited
 * several times. Values: text-value.h.
 */
#ifndef VISITORS_KEYVAL_IN_H
#define VISITORS_KEYVAL_IN_H

#include "visitors/visitor.h"

enum { KEYVAL_DEPTH_MAX = 32 };

/* Nothing is borrowed. implied: the key of a first part without one; NULL: there is none. `root` starts the path. */
Visitor *keyval_in_new(const char *text, const char *implied, const char *root);

struct json_t;

/* The tree that the visitor walks. New; NULL: it is wrong, *wrong (new string) says why. */
struct json_t *keyval_tree(const char *text, const char *implied, char **wrong);

/* Takes a tree, in which numbers and truth values may also be as in JSON. */
Visitor *keyval_in_new_tree(struct json_t *tree, const char *root);

#endif
