/*
 * ram.h: guest memory as it travels: blocks, runs of pages, and pages in odd encodings. RAM never passes through a
 * visitor.
 */
#ifndef VMSTATE_RAM_H
#define VMSTATE_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "visitors/error.h"

enum {
    RAM_PAGE = 4096,
    RAM_PAGE_BITS = 12,
    RAM_RUN_FULL = 128,   /* pages with content in a run */
    RAM_RUN_PAGES = 4096, /* pages in a run */
    RAM_PIECE_MAX = 4200, /* octets of an encoded page; zlib needs 4110 at most */
    RAM_BLOCKS_MAX = 65536,
    RAM_NAME_MAX = 255, /* octets of a block's name */
};

/* Octets of all blocks together: an x86 processor has no more addresses than that. */
#define RAM_TOTAL_MAX (UINT64_C(1) << 52)

typedef struct RamBlock {
    char *name;
    uint64_t length;    /* octets in use; 0 where no list tells */
    uint64_t page_size; /* of the host memory behind it, where that is not 4096; 0 otherwise */
    int64_t address;    /* guest-physical, or -1 where the stream does not tell */
} RamBlock;

/* The blocks of a stream, numbered in order of appearance. */
typedef struct RamBlocks {
    GArray *list;        /* of RamBlock */
    GHashTable *by_name; /* name -> number + 1 */
    uint64_t total;      /* octets */
    bool listed;         /* from a list; otherwise from use, on a channel that has none */
    bool addressed;      /* the list has addresses (capability x-ignore-shared) */
} RamBlocks;

void ram_blocks_init(RamBlocks *blocks);
void ram_blocks_done(RamBlocks *blocks);

static inline const RamBlock *ram_block(const RamBlocks *blocks, size_t i)
{
    return &g_array_index(blocks->list, RamBlock, i);
}

/* Appends one; block->name is copied. False beyond the limits, or if the name is there already. */
bool ram_blocks_add(RamBlocks *blocks, const RamBlock *block, GError **error);

/* The number of the block of that name (`len` octets, no terminator needed), or -1. */
int ram_blocks_find(const RamBlocks *blocks, const void *name, size_t len);

/* A length in words: "32 MiB", "18 B". New string. */
char *ram_length_text(uint64_t octets);

/* Octets of the block, or, where lengths are not known, what all RAM may have. */
uint64_t ram_block_most(const RamBlock *block);

/* Does the page lie in the block? */
bool ram_block_has(const RamBlock *block, uint64_t page);

/*
 * Where pages go that come beside a stream, once its blocks are known. On any thread, on several at once; of two that
 * write a page at the same time either may win.
 */
typedef struct RamPlace {
    int (*block)(void *opaque, const char *name); /* its number; -1: there is none */
    /* Notes that they have come; NULL: the block has not got them. */
    uint8_t *(*pages)(void *opaque, int block, uint64_t first, uint32_t count);
    void *opaque;
} RamPlace;

/* Consecutive pages of one block. */
typedef struct RamRun {
    uint32_t block;
    uint64_t first;              /* page number in the block */
    uint32_t count;              /* 1 .. RAM_RUN_PAGES */
    uint32_t full;               /* how many of them have content, 0 .. RAM_RUN_FULL */
    bool named;                  /* the legacy wire has the block's name where it could leave it out */
    const uint8_t *const *pages; /* for each its RAM_PAGE octets, NULL for a zero page; valid during the call */
} RamRun;

typedef enum RamCoding {
    RAM_FILL,   /* every octet is `fill` */
    RAM_XBZRLE, /* the difference to what the page held */
    RAM_ZLIB,
} RamCoding;

/* One page in an encoding that is kept. */
typedef struct RamPiece {
    uint32_t block;
    uint64_t page;
    bool named;
    RamCoding coding;
    uint8_t fill;
    const uint8_t *data; /* valid during the call */
    size_t len;
} RamPiece;

/* Changes the page's content to what the piece says. The message names neither block nor offset. */
bool ram_piece_apply(const RamPiece *piece, uint8_t page[RAM_PAGE], GError **error);

/* Applies an XBZRLE difference (vmstate/FORMAT.md section 1.2). */
bool ram_xbzrle_apply(const uint8_t *data, size_t len, uint8_t page[RAM_PAGE], GError **error);

#endif
