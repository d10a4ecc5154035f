/* snapshot.c: which snapshots an image has. What changes them: snapshot-change.c. */
#include <string.h>

#include "qcow2/data-impl.h"
#include "qcow2/snapshot-table.h"
#include "visitors/bytes.h"
#include "visitors/error.h"
#include "visitors/uuid.h"

bool qcow2_load_snapshots(Qcow2 *q, GError **error)
{
    GPtrArray *list = snapshot_table_read(q->image.file, &q->header, NULL, error);

    g_clear_pointer(&q->snapshots, g_ptr_array_unref);
    g_clear_pointer(&q->vm_tree.l1, g_free);
    q->snapshots = list ? list : snapshot_list_new();
    return list;
}

const Qcow2Snapshot *const *qcow2_snapshots(const Image *image, unsigned *count)
{
    const GPtrArray *list = ((const Qcow2 *)image)->snapshots;

    *count = list->len;
    return (const Qcow2Snapshot *const *)list->pdata;
}

const Qcow2Snapshot *qcow2_snapshot_find(const Image *image, const char *which, GError **error)
{
    const GPtrArray *list = ((const Qcow2 *)image)->snapshots;
    const Qcow2Snapshot *found = snapshot_list_find(list, which);

    if (!found) {
        g_autofree char *shown = bytes_show(which, strlen(which)), *all = snapshot_list_text(list);
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: no snapshot '%s'; there are: %s", image->file->path,
                    shown, all);
    }
    return found;
}

static unsigned index_of(const GPtrArray *list, const Qcow2Snapshot *snapshot)
{
    guint index;

    return g_ptr_array_find((GPtrArray *)list, snapshot, &index) ? index : SNAPSHOT_NONE;
}

GPtrArray *qcow2_snapshot_children(const Image *image, const Qcow2Snapshot *snapshot)
{
    const GPtrArray *list = ((const Qcow2 *)image)->snapshots;
    g_autofree unsigned *parents = snapshot_list_parents(list);
    unsigned of = snapshot ? index_of(list, snapshot) : SNAPSHOT_NONE;
    GPtrArray *children = g_ptr_array_new();

    for (guint i = 0; i < list->len; i++)
        if (parents[i] == of)
            g_ptr_array_add(children, list->pdata[i]);
    return children;
}

GPtrArray *qcow2_snapshot_path(const Image *image, const Qcow2Snapshot *snapshot)
{
    const GPtrArray *list = ((const Qcow2 *)image)->snapshots;
    g_autofree unsigned *parents = snapshot_list_parents(list);
    GPtrArray *path = g_ptr_array_new();

    for (unsigned i = index_of(list, snapshot); i != SNAPSHOT_NONE; i = parents[i])
        g_ptr_array_insert(path, 0, list->pdata[i]);
    return path;
}

void qcow2_current_uuid(const Image *image, uint8_t uuid[16])
{
    GBytes *extension = qcow2_header_extension(&((const Qcow2 *)image)->header, QCOW2_EXT_CURRENT);

    memset(uuid, 0, UUID_OCTETS);
    if (extension && g_bytes_get_size(extension) >= UUID_OCTETS)
        memcpy(uuid, g_bytes_get_data(extension, NULL), UUID_OCTETS);
}
