/* snapshot-info.c: lists of snapshots, as text and JSON. */
#include "tools/qcow2-tool/info.h"
#include "visitors/uuid.h"

#define NS_PER_SEC G_GUINT64_CONSTANT(1000000000)

char *info_date(uint32_t seconds)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_local(seconds);

    return date ? g_date_time_format(date, "%Y-%m-%d %H:%M:%S") : g_strdup("-");
}

static void put_line(ChanOut *out, const Qcow2Snapshot *s)
{
    g_autofree char *size = tool_size_text(s->vm_state_size), *date = info_date(s->date_sec);
    uint64_t seconds = s->vm_clock_ns / NS_PER_SEC;
    g_autofree char *clock =
        g_strdup_printf("%02" G_GUINT64_FORMAT ":%02u:%02u.%03u", seconds / 3600, (unsigned)(seconds / 60 % 60),
                        (unsigned)(seconds % 60), (unsigned)(s->vm_clock_ns / 1000000 % 1000));
    g_autofree char *icount = s->has_icount ? g_strdup_printf("%" G_GUINT64_FORMAT, s->icount) : g_strdup("");
    char uuid[UUID_TEXT] = "";

    if (s->has_uuid)
        uuid_text(s->uuid, uuid);
    tool_print(out, "%-9s %-16s %8s %19s %12s %10s%s%s\n", s->id, s->name, size, date, clock, icount,
               s->has_uuid ? " " : "", uuid);
}

void info_snapshots_text(ChanOut *out, const Image *image)
{
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    tool_print(out, "Snapshot list:\n%-9s %-16s %8s %19s %12s %10s %s\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK",
               "ICOUNT", "UUID");
    for (unsigned i = 0; i < count; i++)
        put_line(out, all[i]);
}

static void put_uuid(JsonWrite *json, const char *key, const uint8_t uuid[16])
{
    char text[UUID_TEXT];

    uuid_text(uuid, text);
    if (uuid_is_null(uuid))
        json_write_null(json, key);
    else
        json_write_string(json, key, text);
}

void info_snapshots_json(JsonWrite *json, const char *key, const Image *image)
{
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    json_write_array_start(json, key);
    for (unsigned i = 0; i < count; i++) {
        const Qcow2Snapshot *s = all[i];
        json_write_object_start(json, NULL);
        json_write_string(json, "id", s->id);
        json_write_string(json, "name", s->name);
        json_write_uint(json, "vm-state-size", s->vm_state_size);
        json_write_uint(json, "date-sec", s->date_sec);
        json_write_uint(json, "date-nsec", s->date_nsec);
        json_write_uint(json, "vm-clock-sec", s->vm_clock_ns / NS_PER_SEC);
        json_write_uint(json, "vm-clock-nsec", s->vm_clock_ns % NS_PER_SEC);
        if (s->has_icount)
            json_write_uint(json, "icount", s->icount);
        json_write_uint(json, "disk-size", s->disk_size);
        if (s->has_uuid) {
            put_uuid(json, "uuid", s->uuid);
            put_uuid(json, "parent-uuid", s->parent);
        }
        json_write_object_end(json);
    }
    json_write_array_end(json);
}
