/* tree.c: which snapshot was made of which, as text and JSON. */
#include <string.h>

#include "tools/qcow2-tool/info.h"
#include "visitors/uuid.h"

typedef struct Tree {
    const Qcow2Snapshot *const *all;
    unsigned count;
    unsigned *parent;              /* of each; `count`: a root */
    unsigned *first, *next, *last; /* children, by index; `count`: none. first[count]: the roots */
    uint8_t current[UUID_OCTETS];
} Tree;

/* What has no parent here is a root, and what is its own ancestor is made one where that is noticed. */
static void find_parents(Tree *t)
{
    g_autoptr(GHashTable) by_uuid = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree unsigned *seen = g_new0(unsigned, t->count + 1);

    for (unsigned i = 0; i < t->count; i++) {
        char text[UUID_TEXT];
        uuid_text(t->all[i]->uuid, text);
        if (t->all[i]->has_uuid && !uuid_is_null(t->all[i]->uuid) && !g_hash_table_contains(by_uuid, text))
            g_hash_table_insert(by_uuid, g_strdup(text), GUINT_TO_POINTER(i + 1));
    }
    for (unsigned i = 0; i < t->count; i++) {
        char text[UUID_TEXT];
        uuid_text(t->all[i]->parent, text);
        unsigned found = t->all[i]->has_uuid ? GPOINTER_TO_UINT(g_hash_table_lookup(by_uuid, text)) : 0;
        t->parent[i] = found && found - 1 != i ? found - 1 : t->count;
    }
    /* each is walked over once: seen has the number of the walk */
    for (unsigned i = 0; i < t->count; i++) {
        unsigned at = i;
        for (; at != t->count && !seen[at]; at = t->parent[at]) {
            seen[at] = i + 1;
            if (t->parent[at] != t->count && seen[t->parent[at]] == i + 1)
                t->parent[at] = t->count;
        }
    }
}

static void find_children(Tree *t)
{
    for (unsigned i = 0; i <= t->count; i++)
        t->first[i] = t->last[i] = t->next[i] = t->count;
    for (unsigned i = 0; i < t->count; i++) {
        unsigned p = t->parent[i];
        if (t->first[p] == t->count)
            t->first[p] = i;
        else
            t->next[t->last[p]] = i;
        t->last[p] = i;
    }
}

static void put_text(const Tree *t, unsigned i, const GString *lines, ChanOut *out)
{
    const Qcow2Snapshot *s = t->all[i];
    g_autofree char *date = info_date(s->date_sec), *size = tool_size_text(s->vm_state_size);
    bool here = s->has_uuid && !uuid_is_null(s->uuid) && memcmp(s->uuid, t->current, UUID_OCTETS) == 0;
    char uuid[UUID_TEXT] = "";

    if (s->has_uuid)
        uuid_text(s->uuid, uuid);
    tool_print(out, "%c %s%s  (%s)  %s  %s%s%s\n", here ? '*' : ' ', lines->str, s->name, s->id, date, size,
               *uuid ? "  " : "", uuid);
}

static void start_json(const Tree *t, unsigned i, JsonWrite *json)
{
    const Qcow2Snapshot *s = t->all[i];
    char uuid[UUID_TEXT];

    json_write_object_start(json, NULL);
    json_write_string(json, "id", s->id);
    json_write_string(json, "name", s->name);
    uuid_text(s->uuid, uuid);
    if (s->has_uuid)
        json_write_string(json, "uuid", uuid);
    json_write_bool(json, "current",
                    s->has_uuid && !uuid_is_null(s->uuid) && memcmp(s->uuid, t->current, UUID_OCTETS) == 0);
    json_write_array_start(json, "children");
}

/* Depth first, without recursion: an image may have 65536 of them below each other. */
static void walk(const Tree *t, ChanOut *out, JsonWrite *json)
{
    g_autoptr(GString) lines = g_string_new(NULL); /* two or three characters a level */
    unsigned at = t->first[t->count];

    while (at != t->count) {
        bool root = t->parent[at] == t->count, final = t->next[at] == t->count;
        gsize before = lines->len;
        if (!root)
            g_string_append(lines, final ? "`- " : "|- ");
        if (json)
            start_json(t, at, json);
        else
            put_text(t, at, lines, out);
        g_string_truncate(lines, before);
        if (t->first[at] != t->count) {
            if (!root)
                g_string_append(lines, final ? "   " : "|  ");
            at = t->first[at];
            continue;
        }
        for (;; at = t->parent[at]) { /* to the next one that was not told */
            if (json) {
                json_write_array_end(json);
                json_write_object_end(json);
            }
            if (t->next[at] != t->count || t->parent[at] == t->count)
                break;
            g_string_truncate(lines, lines->len - (t->parent[t->parent[at]] == t->count ? 0 : 3));
        }
        at = t->next[at];
    }
}

void tree_put(const Image *image, ChanOut *out, JsonWrite *json)
{
    Tree t = {0};

    t.all = qcow2_snapshots(image, &t.count);
    t.parent = g_new(unsigned, t.count + 1);
    t.first = g_new(unsigned, t.count + 1);
    t.next = g_new(unsigned, t.count + 1);
    t.last = g_new(unsigned, t.count + 1);
    t.parent[t.count] = t.count;
    qcow2_current_uuid(image, t.current);
    find_parents(&t);
    find_children(&t);
    if (json)
        json_write_array_start(json, NULL);
    walk(&t, out, json);
    if (json)
        json_write_array_end(json);
    g_free(t.parent);
    g_free(t.first);
    g_free(t.next);
    g_free(t.last);
}
