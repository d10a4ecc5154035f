/*
 * leaf-out.h: saves to a callback that is told where each value is, so that two states can be compared value by value.
 */
#ifndef VISITORS_LEAF_OUT_H
#define VISITORS_LEAF_OUT_H

#include "visitors/visitor.h"

typedef enum LeafKind { LEAF_SCALARS, LEAF_OCTETS, LEAF_BITMAP, LEAF_STRING } LeafKind;

typedef struct Leaf {
    const char *path; /* short form, without the root; borrowed for the call */
    LeafKind kind;
    Scalar scalar;    /* of LEAF_SCALARS */
    bool array;       /* of them, be it one */
    const void *data; /* in the state that was saved; borrowed from it */
    size_t count;     /* scalars, octets, bits */
} Leaf;

typedef void LeafFn(void *data, const Leaf *leaf);

Visitor *leaf_out_new(LeafFn *fn, void *data);

#endif
