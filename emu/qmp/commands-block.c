/* commands-block.c: disks, and what has happened at them; schema/block-core.json, blockdev.json. */
#include <string.h>

#include "emu/qmp/block-info.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "qapi/commands.h"

static unsigned disk_count(const QmpCall *call)
{
    return qmp_call_vm(call) ? vm_disk_count(qmp_call_vm(call)) : 0;
}

bool qmp_blockdev_add(QmpCall *call, const QmpBlockdevOptions *arguments, GError **error)
{
    QmpBlockdevOptions *one = (QmpBlockdevOptions *)arguments;
    const QmpConfiguration more = {.has_blockdev = true, .blockdev = {1, &one}};

    return qmp_call_vm(call) ? vm_add_node(qmp_call_vm(call), arguments, error)
                             : qmp_call_configure(call, &more, error);
}

bool qmp_blockdev_del(QmpCall *call, const QmpBlockdevDelArguments *arguments, GError **error)
{
    return vm_remove_node(qmp_call_vm(call), arguments->node_name, error);
}

/* --- what there is ------------------------------------------------------------------------------------------------ */

/* A node that nothing uses is no drive. */
static bool is_drive(const VmDisk *d)
{
    return !d->is_node || d->used;
}

static QmpBlockInfo *block_info_new(Vm *vm, const VmDisk *d)
{
    QmpBlockInfo *info = g_new0(QmpBlockInfo, 1);
    g_autoptr(GPtrArray) nodes = block_nodes_new(d);

    info->device = g_strdup(d->is_node || !d->id ? "" : d->id);
    info->qdev = g_strdup(d->user);
    info->type = g_strdup("unknown");
    info->removable = d->cd || !d->used;
    info->has_tray_open = d->has_tray;
    if (d->has_tray) {
        const PcTray tray = pc_tray(vm_pc(vm), d->bus, d->unit);
        info->tray_open = tray.open;
        info->locked = tray.locked;
    }
    info->has_io_status = d->used;
    if (nodes->len > 0)
        info->inserted = block_device_info_new(nodes->pdata[0], false);
    return info;
}

bool qmp_query_block(QmpCall *call, QmpBlockInfoList *result, GError **error)
{
    unsigned count = disk_count(call);

    (void)error;
    result->items = g_new0(QmpBlockInfo *, count);
    for (unsigned i = 0; i < count; i++) {
        const VmDisk *d = vm_disk(qmp_call_vm(call), i);
        if (is_drive(d))
            result->items[result->count++] = block_info_new(qmp_call_vm(call), d);
    }
    return true;
}

bool qmp_query_named_block_nodes(QmpCall *call, const QmpQueryNamedBlockNodesArguments *arguments,
                                 QmpBlockDeviceInfoList *result, GError **error)
{
    g_autoptr(GPtrArray) infos = g_ptr_array_new();

    (void)error;
    for (unsigned i = 0; i < disk_count(call); i++) {
        g_autoptr(GPtrArray) nodes = block_nodes_new(vm_disk(qmp_call_vm(call), i));
        for (unsigned n = 0; n < nodes->len; n++)
            g_ptr_array_add(infos, block_device_info_new(nodes->pdata[n], arguments->flat));
    }
    result->count = infos->len;
    result->items = (QmpBlockDeviceInfo **)g_ptr_array_free(g_steal_pointer(&infos), FALSE);
    return true;
}

/* --- what has happened -------------------------------------------------------------------------------------------- */

static void set_counts(QmpBlockDeviceStats *to, const BlockStats *from)
{
    const BlockCounts *read = &from->sorts[BLOCK_SORT_READ], *write = &from->sorts[BLOCK_SORT_WRITE];
    const BlockCounts *flush = &from->sorts[BLOCK_SORT_FLUSH], *unmap = &from->sorts[BLOCK_SORT_UNMAP];

    to->rd_bytes = (int64_t)read->octets;
    to->wr_bytes = (int64_t)write->octets;
    to->unmap_bytes = (int64_t)unmap->octets;
    to->rd_operations = (int64_t)read->operations;
    to->wr_operations = (int64_t)write->operations;
    to->flush_operations = (int64_t)flush->operations;
    to->unmap_operations = (int64_t)unmap->operations;
    to->rd_total_time_ns = (int64_t)read->ns;
    to->wr_total_time_ns = (int64_t)write->ns;
    to->flush_total_time_ns = (int64_t)flush->ns;
    to->unmap_total_time_ns = (int64_t)unmap->ns;
    to->failed_rd_operations = (int64_t)read->failed;
    to->failed_wr_operations = (int64_t)write->failed;
    to->failed_flush_operations = (int64_t)flush->failed;
    to->failed_unmap_operations = (int64_t)unmap->failed;
    to->invalid_rd_operations = (int64_t)read->invalid;
    to->invalid_wr_operations = (int64_t)write->invalid;
    to->invalid_flush_operations = (int64_t)flush->invalid;
    to->invalid_unmap_operations = (int64_t)unmap->invalid;
    to->has_idle_time_ns = from->last_ns;
    to->idle_time_ns = g_get_monotonic_time() * 1000 - from->last_ns;
    to->account_invalid = to->account_failed = true;
}

static QmpBlockStats *stats_new(const BlockNode *n)
{
    QmpBlockStats *s = g_new0(QmpBlockStats, 1);
    const Block *block = n ? n->disk->block : NULL;

    s->stats = g_new0(QmpBlockDeviceStats, 1);
    s->node_name = n ? g_strdup(n->name) : NULL;
    if (block && !n->depth && !n->is_file)
        set_counts(s->stats, block_stats(block));
    if (block && !n->depth && (!n->is_file || g_str_equal(n->disk->about, "raw")))
        s->stats->wr_highest_offset = (int64_t)block_stats(block)->written_end;
    return s;
}

/* That of nodes[at], with what is below and behind it. */
static QmpBlockStats *stats_with(const GPtrArray *nodes, unsigned at)
{
    const BlockNode *n = at < nodes->len ? nodes->pdata[at] : NULL;
    const BlockNode *next = at + 1 < nodes->len ? nodes->pdata[at + 1] : NULL;
    QmpBlockStats *s = stats_new(n);

    if (!n || n->is_file)
        return s;
    if (next && next->is_file) {
        s->parent = stats_new(next);
        at++;
    }
    if (n->image && n->image->backing && at + 1 < nodes->len)
        s->backing = stats_with(nodes, at + 1);
    return s;
}

/* A node's own parts are disks, too. */
static void add_parts(QmpBlockStats *s, const VmDisk *d)
{
    if (!d->is_node)
        return;
    if (d->parts[VM_PART_FILE]) {
        g_autoptr(GPtrArray) below = block_nodes_new(d->parts[VM_PART_FILE]);
        s->parent = stats_with(below, 0);
        if (d->block && g_str_equal(d->about, "raw"))
            s->parent->stats->wr_highest_offset = s->stats->wr_highest_offset;
    }
    if (d->parts[VM_PART_BACKING]) {
        g_autoptr(GPtrArray) behind = block_nodes_new(d->parts[VM_PART_BACKING]);
        s->backing = stats_with(behind, 0);
        add_parts(s->backing, d->parts[VM_PART_BACKING]);
    }
}

bool qmp_query_blockstats(QmpCall *call, const QmpQueryBlockstatsArguments *arguments, QmpBlockStatsList *result,
                          GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new();

    (void)error;
    for (unsigned i = 0; i < disk_count(call); i++) {
        const VmDisk *d = vm_disk(qmp_call_vm(call), i);
        g_autoptr(GPtrArray) nodes = block_nodes_new(d);
        if (!arguments->query_nodes && !is_drive(d))
            continue;
        for (unsigned n = 0; n < (arguments->query_nodes ? nodes->len : 1); n++) {
            QmpBlockStats *s = stats_with(nodes, n);
            if (n == 0)
                add_parts(s, d);
            if (!arguments->query_nodes) {
                s->device = g_strdup(d->is_node || !d->id ? "" : d->id);
                s->qdev = g_strdup(d->user);
            } else { /* what is behind a node is a node of its own */
                qmp_BlockStats_free(g_steal_pointer(&s->backing));
            }
            g_ptr_array_add(all, s);
        }
    }
    result->count = all->len;
    result->items = (QmpBlockStats **)g_ptr_array_free(g_steal_pointer(&all), FALSE);
    return true;
}
