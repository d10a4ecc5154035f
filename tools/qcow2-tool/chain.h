/* chain.h: what lies where in an image together with its backing files. */
#ifndef TOOLS_QCOW2_TOOL_CHAIN_H
#define TOOLS_QCOW2_TOOL_CHAIN_H

#include <inttypes.h>

#include "tools/qcow2-tool/tool.h"

typedef struct ChainExtent {
    uint64_t offset, len; /* on the disk */
    ImageKind kind;       /* UNALLOCATED: nobody has anything, so it reads as zeros */
    unsigned depth;       /* whose it is: 0 is the image itself */
    bool has_host;        /* not of what is compressed */
    uint64_t host;
    const char *file; /* of the image whose it is; borrowed from it */
} ChainExtent;

/* The extent that starts at `offset`, at most `len` long. Waits. */
bool chain_map(Image *image, uint64_t offset, uint64_t len, ChainExtent *extent, GError **error);

/* What is known of a file: to find a hole may take long where there is none (tmpfs looks at every page). */
typedef struct ChainHoles {
    const HostFile *file; /* NULL: nothing is known */
    uint64_t from, to;    /* offsets in it */
    bool hole;
} ChainHoles;

/* The same for who only wants to know what reads as zeros: holes of the file are such, too. */
bool chain_map_holes(Image *image, uint64_t offset, uint64_t len, ChainExtent *extent, ChainHoles *known,
                     GError **error);

#endif
