/* chain.c: what lies where in an image together with its backing files. */
#include "tools/qcow2-tool/chain.h"

#include "qcow2/header.h"

bool chain_map(Image *image, uint64_t offset, uint64_t len, ChainExtent *extent, GError **error)
{
    ImageExtent e = {.len = len};

    *extent = (ChainExtent){.offset = offset, .len = len, .file = image->file->path};
    for (unsigned depth = 0; image && offset < image->length; depth++, image = image->backing) {
        if (!image_map(image, offset, MIN(len, image->length - offset), &e, error))
            return false;
        extent->kind = e.kind;
        extent->len = len = e.len;
        extent->depth = depth;
        extent->has_host = e.has_host && e.kind != IMAGE_COMPRESSED_DATA;
        extent->host = e.host;
        extent->file = image->file->path;
        if (e.kind != IMAGE_UNALLOCATED)
            break;
    }
    return true;
}

static void look_for_hole(HostFile *file, uint64_t offset, ChainHoles *known)
{
    uint64_t length = host_file_length(file), extent = 0;

    if (known->file == file && offset >= known->from && offset < known->to)
        return;
    *known = (ChainHoles){.file = file, .from = offset, .to = UINT64_MAX, .hole = true};
    if (offset >= length)
        return;
    known->hole = host_file_is_hole(file, offset, length - offset, &extent);
    known->to = offset + extent;
}

/* Metadata may be allocated for what was never written. */
bool chain_map_holes(Image *image, uint64_t offset, uint64_t len, ChainExtent *extent, ChainHoles *known,
                     GError **error)
{
    if (!chain_map(image, offset, len, extent, error))
        return false;
    for (unsigned depth = 0; depth < extent->depth; depth++)
        image = image->backing;
    const Qcow2Header *header = qcow2_header(image);
    if (extent->kind != IMAGE_DATA || !extent->has_host || !header || header->incompatible & QCOW2_DATA_FILE)
        return true;
    look_for_hole(image->file, extent->host, known);
    extent->len = MIN(extent->len, known->to - extent->host);
    if (known->hole)
        extent->kind = IMAGE_ZEROS;
    return true;
}
