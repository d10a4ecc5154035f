/* copy.h: copies disks into another, with many requests under way, keeping holes. */
#ifndef TOOLS_QCOW2_TOOL_COPY_H
#define TOOLS_QCOW2_TOOL_COPY_H

#include "tools/qcow2-tool/chain.h"

enum { COPY_PARALLEL = 8, COPY_SPARSE = 4096 };

typedef struct Copy {
    Image *const *sources; /* one behind the other */
    unsigned source_count;
    Image *target;       /* at least as long as they are together */
    int event;           /* an eventfd: the `event` of all their files */
    bool target_is_zero; /* all of it reads as zeros now */
    bool own_layer;      /* only what the (one) source has itself: the target has the same backing file */
    bool compress;       /* the target is a qcow2 image in which nothing is allocated */
    uint64_t sparse;     /* so many octets of zeros, aligned, need not be written; 0: all is written */
    unsigned parallel;   /* chunks under way */
} Copy;

bool copy_run(const Copy *copy, GError **error);

#endif
