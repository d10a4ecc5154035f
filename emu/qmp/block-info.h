/* block-info.h: a Vm's disks as the nodes that QMP tells of: each image, and the file below it. Only for this folder.
 */
#ifndef EMU_QMP_BLOCK_INFO_H
#define EMU_QMP_BLOCK_INFO_H

#include "emu/machine/vm.h"
#include "qapi/types.h"
#include "qcow2/qcow2.h"

typedef struct BlockNode {
    const VmDisk *disk; /* that it belongs to */
    const Image *image; /* of an image that is not raw, or is behind another one; otherwise NULL */
    const char *path, *driver;
    char *name;
    uint64_t length; /* octets */
    bool read_only;
    unsigned depth; /* how many images are in front of it */
    bool is_file;   /* what an image lies in */
} BlockNode;

/* The disk's image and its file, and so on for all images behind it that are no disks of their own. New, of BlockNode.
 */
GPtrArray *block_nodes_new(const VmDisk *disk);

QmpBlockDeviceInfo *block_device_info_new(const BlockNode *node, bool flat);

#endif
