/* ram-index-impl.h: how an index of RAM is written; vmstate/FORMAT.md section 2.6. */
#ifndef VMSTATE_RAM_INDEX_IMPL_H
#define VMSTATE_RAM_INDEX_IMPL_H

#define RAM_INDEX_MAGIC UINT64_C(0x46525259524d4158) /* "FRRYRMAX" */

enum {
    RAM_INDEX_VERSION = 1,
    RAM_INDEX_HEAD = 40,        /* octets before the blocks */
    RAM_INDEX_RUN = 28,         /* octets of a run */
    RAM_INDEX_TAIL = 32,        /* digest, length, magic */
    RAM_INDEX_MAX = 64 << 20,   /* octets of an index */
    RAM_INDEX_RUN_MAX = 1 << 20 /* octets of the records of a run: 128 pages and 4096 words with a name each are less */
};

#endif
