/* snapshot-list.c: names, ids, UUIDs and parents. Nothing here touches an image. */
#include "qcow2/snapshot-list.h"

#include <inttypes.h>
#include <string.h>

#include "visitors/bytes.h"
#include "visitors/error.h"
#include "visitors/uuid.h"

#define NS_PER_S 1000000000

GPtrArray *snapshot_list_new(void)
{
    return g_ptr_array_new_with_free_func(snapshot_free);
}

void snapshot_free(void *data)
{
    Qcow2Snapshot *s = data;

    if (!s)
        return;
    g_free(s->id);
    g_free(s->name);
    g_clear_pointer(&s->extra, g_bytes_unref);
    g_free(s);
}

Qcow2Snapshot *snapshot_copy(const Qcow2Snapshot *snapshot)
{
    Qcow2Snapshot *copy = g_new(Qcow2Snapshot, 1);

    *copy = *snapshot;
    copy->id = g_strdup(snapshot->id);
    copy->name = g_strdup(snapshot->name);
    if (copy->extra)
        g_bytes_ref(copy->extra);
    return copy;
}

GPtrArray *snapshot_list_copy(const GPtrArray *list)
{
    GPtrArray *copy = snapshot_list_new();

    for (guint i = 0; i < list->len; i++)
        g_ptr_array_add(copy, snapshot_copy(list->pdata[i]));
    return copy;
}

/* --- which is meant --------------------------------------------------------------------------------------------- */

Qcow2Snapshot *snapshot_list_by_uuid(const GPtrArray *list, const uint8_t uuid[16])
{
    for (guint i = 0; i < list->len; i++) {
        Qcow2Snapshot *s = list->pdata[i];
        if (s->has_uuid && memcmp(s->uuid, uuid, UUID_OCTETS) == 0)
            return s;
    }
    return NULL;
}

static Qcow2Snapshot *by_name(const GPtrArray *list, const char *name)
{
    for (guint i = 0; i < list->len; i++)
        if (strcmp(((Qcow2Snapshot *)list->pdata[i])->name, name) == 0)
            return list->pdata[i];
    return NULL;
}

static Qcow2Snapshot *by_id(const GPtrArray *list, const char *id)
{
    for (guint i = 0; i < list->len; i++)
        if (strcmp(((Qcow2Snapshot *)list->pdata[i])->id, id) == 0)
            return list->pdata[i];
    return NULL;
}

Qcow2Snapshot *snapshot_list_find(const GPtrArray *list, const char *which)
{
    Qcow2Snapshot *found = by_name(list, which);
    uint8_t uuid[UUID_OCTETS];

    if (!found)
        found = by_id(list, which);
    return found || !uuid_parse(which, uuid) ? found : snapshot_list_by_uuid(list, uuid);
}

char *snapshot_list_text(const GPtrArray *list)
{
    enum { SHOWN = 20 };
    GString *text = g_string_new(list->len ? "" : "none");

    for (guint i = 0; i < MIN(list->len, SHOWN); i++) {
        const Qcow2Snapshot *s = list->pdata[i];
        g_autofree char *id = bytes_show(s->id, strlen(s->id)), *name = bytes_show(s->name, strlen(s->name));
        g_string_append_printf(text, "%s%s '%s'", i ? ", " : "", id, name);
    }
    if (list->len > SHOWN)
        g_string_append_printf(text, " and %u more", list->len - SHOWN);
    return g_string_free(text, FALSE);
}

/* --- the tree --------------------------------------------------------------------------------------------------- */

static guint uuid_hash(const void *uuid)
{
    return (guint)bytes_hash(uuid, UUID_OCTETS);
}

static gboolean uuid_equal(const void *a, const void *b)
{
    return memcmp(a, b, UUID_OCTETS) == 0;
}

static void find_parents(const GPtrArray *list, unsigned *parents)
{
    g_autoptr(GHashTable) index = g_hash_table_new(uuid_hash, uuid_equal);

    for (guint i = list->len; i-- > 0;) { /* of two with the same, the first */
        Qcow2Snapshot *s = list->pdata[i];
        if (s->has_uuid)
            g_hash_table_insert(index, s->uuid, GUINT_TO_POINTER(i));
    }
    for (guint i = 0; i < list->len; i++) {
        Qcow2Snapshot *s = list->pdata[i];
        void *at;
        bool found =
            s->has_uuid && !uuid_is_null(s->parent) && g_hash_table_lookup_extended(index, s->parent, NULL, &at);
        parents[i] = found ? GPOINTER_TO_UINT(at) : SNAPSHOT_NONE;
    }
}

unsigned *snapshot_list_parents(const GPtrArray *list)
{
    unsigned *parents = g_new(unsigned, list->len);
    g_autofree unsigned *walk = g_new0(unsigned, list->len); /* the walk that came by first, from 1 on */

    find_parents(list, parents);
    for (guint start = 0; start < list->len; start++) {
        guint at = start;
        while (at != SNAPSHOT_NONE && !walk[at]) {
            walk[at] = start + 1;
            at = parents[at];
        }
        if (at == SNAPSHOT_NONE || walk[at] != start + 1)
            continue;
        /* A circle: it is opened where the list comes to it first. */
        guint first = at;
        for (guint i = parents[at]; i != at; i = parents[i])
            first = MIN(first, i);
        parents[first] = SNAPSHOT_NONE;
    }
    return parents;
}

/* --- new ones --------------------------------------------------------------------------------------------------- */

/* The number that an id is; 0: it is none, or none that could be counted up. */
static uint64_t id_number(const char *id)
{
    uint64_t number;

    return g_ascii_string_to_unsigned(id, 10, 1, UINT64_MAX - 1, &number, NULL) ? number : 0;
}

char *snapshot_list_new_id(const GPtrArray *list)
{
    uint64_t greatest = 0;
    char text[24];

    for (guint i = 0; i < list->len; i++)
        greatest = MAX(greatest, id_number(((Qcow2Snapshot *)list->pdata[i])->id));
    g_snprintf(text, sizeof text, "%" PRIu64, greatest + 1);
    for (uint64_t n = 1; by_id(list, text); n++) /* "01" is a number, too; and there may be the greatest of all */
        g_snprintf(text, sizeof text, "%" PRIu64, n);
    return g_strdup(text);
}

G_GNUC_PRINTF(2, 3)
static bool refuse(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "snapshot: %s", text);
    return false;
}

static bool judge_text(const char *what, const char *text, unsigned most, GError **error)
{
    size_t len = strlen(text);
    g_autofree char *shown = bytes_show(text, MIN(len, most));

    if (len == 0)
        return refuse(error, "%s must not be empty", what);
    if (len > most)
        return refuse(error, "%s '%s...' has %zu octets, at most %u", what, shown, len, most);
    if (!bytes_are_printable(text, len))
        return refuse(error, "%s '%s' is not printable text", what, shown);
    return true;
}

bool snapshot_list_judge_name(const GPtrArray *list, const char *name, GError **error)
{
    const Qcow2Snapshot *other = by_name(list, name);

    if (!judge_text("a name", name, SNAPSHOT_NAME_MAX, error))
        return false;
    return !other || refuse(error, "the name '%s' is there already (id %s)", name, other->id);
}

static bool judge_new(const GPtrArray *list, const Qcow2SnapshotNew *options, GError **error)
{
    const Qcow2Snapshot *other;
    char text[UUID_TEXT];

    if (list->len >= QCOW2_SNAPSHOTS_MAX)
        return refuse(error, "there are %u, and the format takes no more", list->len);
    if ((options->id && !judge_text("an id", options->id, SNAPSHOT_ID_MAX, error)) ||
        !snapshot_list_judge_name(list, options->name, error))
        return false;
    if (options->id && (other = by_id(list, options->id)))
        return refuse(error, "the id '%s' is there already (name '%s')", options->id, other->name);
    if (!options->uuid)
        return true;
    if (uuid_is_null(options->uuid))
        return refuse(error, "a UUID of zeros only stands for none");
    if (!(other = snapshot_list_by_uuid(list, options->uuid)))
        return true;
    uuid_text(options->uuid, text);
    return refuse(error, "the UUID %s is there already (id %s, name '%s')", text, other->id, other->name);
}

Qcow2Snapshot *snapshot_list_make(const GPtrArray *list, const Qcow2SnapshotNew *options,
                                  const uint8_t default_parent[16], GError **error)
{
    if (!judge_new(list, options, error))
        return NULL;
    Qcow2Snapshot *s = g_new0(Qcow2Snapshot, 1);
    int64_t date = MAX(options->date_ns, 0);

    s->name = g_strdup(options->name);
    s->id = options->id ? g_strdup(options->id) : snapshot_list_new_id(list);
    s->date_sec = (uint32_t)MIN(date / NS_PER_S, UINT32_MAX);
    s->date_nsec = (uint32_t)(date % NS_PER_S);
    s->vm_clock_ns = options->vm_clock_ns;
    s->icount = options->icount;
    s->has_icount = options->icount != UINT64_MAX;
    s->has_uuid = true;
    if (options->uuid)
        memcpy(s->uuid, options->uuid, UUID_OCTETS);
    else
        uuid_random(s->uuid);
    s->extra = g_bytes_new_take(g_malloc0(SNAPSHOT_EXTRA_OURS), SNAPSHOT_EXTRA_OURS);
    memcpy(s->parent, options->parent ? options->parent : default_parent, UUID_OCTETS);
    return s;
}
