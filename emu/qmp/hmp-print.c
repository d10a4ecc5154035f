/* hmp-print.c: how answers look that people often ask for. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "emu/qmp/hmp-impl.h"

/* --- any value --------------------------------------------------------------------------------------------------- */

static bool is_group(const json_t *tree)
{
    return json_is_object(tree) || json_is_array(tree);
}

static void print_leaf(GString *out, const json_t *leaf)
{
    g_autofree char *text = json_is_string(leaf) ? NULL : json_dumps(leaf, JSON_ENCODE_ANY);

    g_string_append_printf(out, "%s\n", text ? text : json_string_value(leaf));
}

static void print_object(GString *out, json_t *object, unsigned indent)
{
    const char *key;
    json_t *value;

    json_object_foreach (object, key, value) {
        g_string_append_printf(out, "%*s%s:%s", (int)indent * 4, "", key, is_group(value) ? "\n" : " ");
        if (is_group(value))
            hmp_print_tree(out, value, indent + 1);
        else
            print_leaf(out, value);
    }
}

void hmp_print_tree(GString *out, const struct json_t *tree, unsigned indent)
{
    size_t i;
    json_t *value;

    if (json_is_object(tree)) {
        print_object(out, (json_t *)tree, indent);
    } else if (json_is_array(tree)) {
        json_array_foreach (tree, i, value) {
            if (is_group(value) && i)
                g_string_append_c(out, '\n');
            hmp_print_tree(out, value, indent);
        }
    } else if (tree) {
        g_string_append_printf(out, "%*s", (int)indent * 4, "");
        print_leaf(out, tree);
    }
}

/* --- what the machine is and does -------------------------------------------------------------------------------- */

void hmp_print_status(GString *out, const void *result)
{
    const QmpStatusInfo *info = *(QmpStatusInfo *const *)result;

    if (info->running || info->status == QMP_RUN_STATE_PAUSED)
        g_string_append_printf(out, "VM status: %s\n", info->running ? "running" : "paused");
    else
        g_string_append_printf(out, "VM status: paused (%s)\n", qmp_RunState_name(info->status));
}

void hmp_print_name(GString *out, const void *result)
{
    const QmpNameInfo *info = *(QmpNameInfo *const *)result;

    if (info->name)
        g_string_append_printf(out, "%s\n", info->name);
}

void hmp_print_uuid(GString *out, const void *result)
{
    g_string_append_printf(out, "%s\n", (*(QmpUuidInfo *const *)result)->UUID);
}

void hmp_print_version(GString *out, const void *result)
{
    const QmpVersionInfo *info = *(QmpVersionInfo *const *)result;

    g_string_append_printf(out, "%s, with the machine of QEMU %" PRId64 ".%" PRId64 "\n", info->package,
                           info->qemu->major, info->qemu->minor);
}

void hmp_print_kvm(GString *out, const void *result)
{
    static const char *const places[] = {[QMP_KVM_IRQCHIP_ON] = "in the kernel",
                                         [QMP_KVM_IRQCHIP_SPLIT] = "LAPICs in the kernel, the others in this program",
                                         [QMP_KVM_IRQCHIP_OFF] = "in this program"};
    const QmpKvmInfo *info = *(QmpKvmInfo *const *)result;

    g_string_append_printf(out, "kvm support: %s\n", info->enabled ? "enabled" : "disabled");
    if (info->has_smm)
        g_string_append_printf(out, "system management mode: %s\n", info->smm ? "yes" : "no");
    if (info->has_irqchip)
        g_string_append_printf(out, "interrupt controllers: %s\n", places[info->irqchip]);
}

void hmp_print_cpus(GString *out, const void *result)
{
    const QmpCpuInfoFastList *cpus = result;

    for (size_t i = 0; i < cpus->count; i++)
        g_string_append_printf(out, "  CPU #%" PRId64 ": thread_id=%" PRId64 "\n", cpus->items[i]->cpu_index,
                               cpus->items[i]->thread_id);
}

void hmp_print_text(GString *out, const void *result)
{
    g_string_append(out, (*(QmpHumanReadableText *const *)result)->human_readable_text);
}

void hmp_print_string(GString *out, const void *result)
{
    g_string_append_printf(out, "%s\n", *(char *const *)result);
}

/* --- its parts --------------------------------------------------------------------------------------------------- */

static void print_block(GString *out, const QmpBlockInfo *b)
{
    const QmpBlockDeviceInfo *medium = b->inserted;

    g_string_append_printf(out, "%s", *b->device ? b->device : b->qdev ? b->qdev : "?");
    if (!medium) {
        g_string_append(out, ": [not inserted]\n");
        return;
    }
    g_string_append_printf(out, " (%s): %s (%s%s)\n", medium->node_name ? medium->node_name : "", medium->file,
                           medium->drv, medium->ro ? ", read-only" : "");
    if (b->qdev)
        g_string_append_printf(out, "    Attached to:      %s\n", b->qdev);
    g_string_append_printf(out, "    Removable device: %sremovable, %slocked, tray %s\n", b->removable ? "" : "not ",
                           b->locked ? "" : "not ", b->has_tray_open && b->tray_open ? "open" : "closed");
    g_string_append_printf(out, "    Cache mode:       %s%s%s\n",
                           medium->cache->writeback ? "writeback" : "writethrough",
                           medium->cache->direct ? ", direct" : "", medium->cache->no_flush ? ", ignore flushes" : "");
    if (medium->backing_file)
        g_string_append_printf(out, "    Backing file:     %s (chain depth: %" PRId64 ")\n", medium->backing_file,
                               medium->backing_file_depth);
}

void hmp_print_block(GString *out, const void *result)
{
    const QmpBlockInfoList *disks = result;

    for (size_t i = 0; i < disks->count; i++) {
        if (i)
            g_string_append_c(out, '\n');
        print_block(out, disks->items[i]);
    }
}

void hmp_print_chardev(GString *out, const void *result)
{
    const QmpChardevInfoList *lines = result;

    for (size_t i = 0; i < lines->count; i++)
        g_string_append_printf(out, "%s: filename=%s\n", lines->items[i]->label, lines->items[i]->filename);
}

void hmp_print_network(GString *out, const void *result)
{
    const QmpNetdevInfoList *networks = result;
    json_t *all = qapi_to_json(&qmp_type_NetdevInfoList, networks);

    for (size_t i = 0; i < networks->count; i++) {
        const QmpNetdevInfo *n = networks->items[i];
        g_string_append_printf(out, "%s: type=%s, used by %s\n", n->device, qmp_NetClientDriver_name(n->type),
                               n->peer ? n->peer : "nothing");
        hmp_print_tree(out, json_object_get(json_array_get(all, i), "info"), 1);
    }
    json_decref(all);
}

static void print_region(GString *out, const QmpPciMemoryRegion *r)
{
    const char *kind = g_str_equal(r->type, "io")             ? "I/O"
                       : r->has_mem_type_64 && r->mem_type_64 ? "64 bit memory"
                                                              : "32 bit memory";

    if (r->address < 0) {
        g_string_append_printf(out, "      BAR%" PRId64 ": %s%s of 0x%" PRIx64 " octets, nowhere yet\n", r->bar, kind,
                               r->has_prefetch && r->prefetch ? " (prefetchable)" : "", (uint64_t)r->size);
        return;
    }
    g_string_append_printf(out, "      BAR%" PRId64 ": %s%s at 0x%08" PRIx64 " [0x%08" PRIx64 "].\n", r->bar, kind,
                           r->has_prefetch && r->prefetch ? " (prefetchable)" : "", (uint64_t)r->address,
                           (uint64_t)(r->address + r->size - 1));
}

static void print_function(GString *out, const QmpPciDeviceInfo *d)
{
    g_string_append_printf(out, "  Bus %2" PRId64 ", device %3" PRId64 ", function %" PRId64 ":\n", d->bus, d->slot,
                           d->function);
    if (d->class_info->desc)
        g_string_append_printf(out, "    %s: ", d->class_info->desc);
    else
        g_string_append_printf(out, "    Class %04" PRIx64 ": ", (uint64_t)d->class_info->class);
    g_string_append_printf(out, "PCI device %04" PRIx64 ":%04" PRIx64 "\n", (uint64_t)d->id->vendor,
                           (uint64_t)d->id->device);
    if (d->has_irq)
        g_string_append_printf(out, "      IRQ %" PRId64 ", pin %c\n", d->irq, (int)('A' + d->irq_pin - 1));
    for (size_t i = 0; i < d->regions.count; i++)
        print_region(out, d->regions.items[i]);
    g_string_append_printf(out, "      id \"%s\"\n", d->qdev_id);
}

void hmp_print_pci(GString *out, const void *result)
{
    const QmpPciInfoList *buses = result;

    for (size_t i = 0; i < buses->count; i++)
        for (size_t k = 0; k < buses->items[i]->devices.count; k++)
            print_function(out, buses->items[i]->devices.items[k]);
}

void hmp_print_qom_list(GString *out, const void *result)
{
    const QmpObjectPropertyInfoList *all = result;

    for (size_t i = 0; i < all->count; i++)
        g_string_append_printf(out, "%s (%s)\n", all->items[i]->name, all->items[i]->type);
}

void hmp_print_qdm(GString *out, const void *result)
{
    const QmpQdmDeviceInfoList *all = result;

    for (size_t i = 0; i < all->count; i++) {
        const QmpQdmDeviceInfo *d = all->items[i];
        g_string_append_printf(out, "name \"%s\", bus %s, desc \"%s\"%s\n", d->name, d->bus ? d->bus : "none",
                               d->description ? d->description : "", d->hotpluggable ? "" : ", no hotplug");
        for (size_t k = 0; all->count == 1 && k < d->props.count; k++)
            g_string_append_printf(out, "  %-24s %-8s %s\n", d->props.items[k]->name, d->props.items[k]->type,
                                   d->props.items[k]->description ? d->props.items[k]->description : "");
    }
}

/* --- what happens to it ------------------------------------------------------------------------------------------ */

static void print_ram(GString *out, const QmpMigrationStats *ram)
{
    g_string_append_printf(out,
                           "transferred ram: %" PRId64 " kbytes\nthroughput: %.2f mbps\nremaining ram: %" PRId64
                           " kbytes\ntotal ram: %" PRId64 " kbytes\nduplicate: %" PRId64 " pages\nnormal: %" PRId64
                           " pages\nnormal bytes: %" PRId64 " kbytes\ndirty sync count: %" PRId64 "\n",
                           ram->transferred >> 10, ram->mbps, ram->remaining >> 10, ram->total >> 10, ram->duplicate,
                           ram->normal, ram->normal_bytes >> 10, ram->dirty_sync_count);
    if (ram->dirty_pages_rate)
        g_string_append_printf(out, "dirty pages rate: %" PRId64 " pages\n", ram->dirty_pages_rate);
}

static void print_ms(GString *out, const char *what, bool known, int64_t ms)
{
    if (known)
        g_string_append_printf(out, "%s: %" PRId64 " ms\n", what, ms);
}

void hmp_print_migrate(GString *out, const void *result)
{
    const QmpMigrationInfo *info = *(QmpMigrationInfo *const *)result;

    if (info->has_status)
        g_string_append_printf(out, "Migration status: %s\n", qmp_MigrationStatus_name(info->status));
    if (info->error_desc)
        g_string_append_printf(out, "Error: %s\n", info->error_desc);
    print_ms(out, "total time", info->has_total_time, info->total_time);
    print_ms(out, "expected downtime", info->has_expected_downtime, info->expected_downtime);
    print_ms(out, "downtime", info->has_downtime, info->downtime);
    print_ms(out, "setup", info->has_setup_time, info->setup_time);
    if (info->ram)
        print_ram(out, info->ram);
    if (info->has_cpu_throttle_percentage)
        g_string_append_printf(out, "cpu throttle percentage: %" PRId64 "\n", info->cpu_throttle_percentage);
    if (info->prospect)
        g_string_append_printf(out, "prospect: %s\n", info->prospect);
}

void hmp_print_capabilities(GString *out, const void *result)
{
    const QmpMigrationCapabilityStatusList *all = result;

    for (size_t i = 0; i < all->count; i++)
        g_string_append_printf(out, "%s: %s\n", qmp_MigrationCapability_name(all->items[i]->capability),
                               all->items[i]->state ? "on" : "off");
}

/* In the order of their names. */
void hmp_print_parameters(GString *out, const void *result)
{
    json_t *all = qapi_to_json(&qmp_type_MigrationParameters, result);

    hmp_print_tree(out, all, 0);
    json_decref(all);
}

void hmp_print_jobs(GString *out, const void *result)
{
    const QmpJobInfoList *jobs = result;

    if (!jobs->count)
        g_string_append(out, "No active jobs\n");
    for (size_t i = 0; i < jobs->count; i++) {
        const QmpJobInfo *j = jobs->items[i];
        g_string_append_printf(out, "%s: %s, %s, %" PRId64 " of %" PRId64 "%s%s\n", j->id, qmp_JobType_name(j->type),
                               qmp_JobStatus_name(j->status), j->current_progress, j->total_progress,
                               j->error ? ": " : "", j->error ? j->error : "");
    }
}

/* "  1 clean-boot  12 MiB  2026-11-20 10:00:00  00:01:02.345  UUID  parent UUID" and what stands against it. */
static void print_snapshot(GString *out, const QmpVmSnapshotInfo *s)
{
    g_autoptr(GDateTime) taken = g_date_time_new_from_unix_local(s->date_sec);
    g_autofree char *date = taken ? g_date_time_format(taken, "%Y-%m-%d %H:%M:%S") : g_strdup("?");
    g_autofree char *size = g_format_size_full(s->vm_state_size, G_FORMAT_SIZE_IEC_UNITS);
    g_autofree char *clock =
        g_strdup_printf("%02" PRId64 ":%02" PRId64 ":%02" PRId64 ".%03" PRId64, s->vm_clock_sec / 3600,
                        s->vm_clock_sec / 60 % 60, s->vm_clock_sec % 60, s->vm_clock_nsec / 1000000);

    g_string_append_printf(out, "%-4s %-20s %10s  %s  %s  %-36s  %s\n", s->id, s->name, size, date, clock,
                           s->uuid ? s->uuid : "-", s->parent_uuid ? s->parent_uuid : "-");
    if (!s->loadable)
        g_string_append_printf(out, "     cannot be loaded: %s\n", s->reason ? s->reason : "?");
}

void hmp_print_snapshots(GString *out, const void *result)
{
    const QmpVmSnapshotInfoList *all = result;

    if (!all->count) {
        g_string_append(out, "There is no snapshot available.\n");
        return;
    }
    g_string_append_printf(out, "%-4s %-20s %10s  %-19s  %-12s  %-36s  %s\n", "ID", "TAG", "VM SIZE", "DATE",
                           "VM CLOCK", "UUID", "PARENT");
    for (size_t i = 0; i < all->count; i++)
        print_snapshot(out, all->items[i]);
}
