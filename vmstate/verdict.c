/* verdict.c: would the state of one machine load where another's schema is? Source: vmstate/FORMAT.md part 3. */
#include "vmstate/verdict.h"

#include <string.h>

#include "visitors/bytes.h"
#include "vmstate/match.h"
#include "vmstate/state.h"
#include "vmstate/verdict-impl.h"

const char *verdict_level_name(VerdictLevel level)
{
    static const char *const names[] = {"identical", "convertible", "incompatible"};

    return names[level];
}

static void free_finding(void *data)
{
    VerdictFinding *f = data;

    g_free(f->path);
    g_free(f->text);
    g_free(f);
}

void verdict_find(Judge *j, VerdictLevel level, const char *kind, const char *path, const char *format, ...)
{
    Verdict *v = j->verdict;
    va_list ap;

    v->level = MAX(v->level, level);
    if (v->findings->len == VERDICT_FINDINGS_MAX) {
        v->unlisted++;
        v->unlisted_level = MAX(v->unlisted_level, level);
        return;
    }
    VerdictFinding *f = g_new0(VerdictFinding, 1);
    va_start(ap, format);
    f->level = level;
    f->kind = kind;
    f->path = g_strdup(path);
    f->text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_ptr_array_add(v->findings, f);
}

char *verdict_join(const char *path, const VMStateDescription *desc, const VMStateField *f)
{
    return g_strdup_printf("%s.%s", path, vms_field_label(desc, f));
}

void verdict_version(Judge *j, const char *path, int to, int minimum, int from)
{
    if (from > to)
        verdict_find(j, VERDICT_INCOMPATIBLE, "version", path,
                     "the stream has version %d, the destination only knows up to %d", from, to);
    else if (from < minimum)
        verdict_find(j, VERDICT_INCOMPATIBLE, "version", path,
                     "the stream has version %d, the destination needs at least %d", from, minimum);
    else if (from < to)
        verdict_find(j, VERDICT_CONVERTIBLE, "version", path, "the stream has version %d, the destination %d", from,
                     to);
}

/* The states in which the subsection is there. */
GPtrArray *verdict_states_with(const VMStateSubsection *sub, const GPtrArray *states)
{
    GPtrArray *with = g_ptr_array_new();

    for (guint i = 0; states && i < states->len; i++)
        if (vms_subsection_needed(sub, g_ptr_array_index(states, i)))
            g_ptr_array_add(with, g_ptr_array_index(states, i));
    return with;
}

/* The structs behind a field, of all states. */
GPtrArray *verdict_inner_states(const VMStateField *from, const GPtrArray *states, int version)
{
    GPtrArray *inner = g_ptr_array_new();

    for (guint i = 0; states && i < states->len; i++) {
        const void *state = g_ptr_array_index(states, i);
        if (!vms_field_present(from, state, version))
            continue;
        const char *data = vms_field_data(from, state);
        for (size_t k = 0; k < vms_field_count_used(from, state); k++)
            g_ptr_array_add(inner, (void *)(data + k * from->size));
    }
    return inner;
}

void verdict_missing_subsections(Judge *j, const char *path, const VMStateDescription *to,
                                 const VMStateDescription *from, const GPtrArray *states)
{
    for (const VMStateSubsection *sub = vms_subsections(to); sub->desc; sub++) {
        const char *name = sub->desc->name;
        int k = vms_subsection_find(from, name);
        g_autoptr(GPtrArray) with = k != VMS_NO_FIELD ? verdict_states_with(&from->subsections[k], states) : NULL;
        g_autofree char *inner = g_strdup_printf("%s.%s", path, name);
        if (k == VMS_NO_FIELD || (states && with->len == 0))
            verdict_find(j, VERDICT_CONVERTIBLE, "defaulted", inner,
                         "the stream does not have this subsection; its fields keep their reset values");
    }
}

/* --- sections --------------------------------------------------------------------------------------------------- */

static char *title_of(const VerdictSection *s)
{
    return s->instance ? g_strdup_printf("%s[%u]", s->name, s->instance) : g_strdup(s->name);
}

/* The sections of a side. */
typedef struct SideIndex {
    const VerdictSide *side;
    GPtrArray *keys;       /* of each section: what tells it from the others */
    GHashTable *by_key;    /* key -> section, as are these: */
    GHashTable *by_device; /* "virtio-blk" of "0000:00:02.0/virtio-blk": the first of them */
    GHashTable *by_place;  /* "0000:00:02.0" */
} SideIndex;

static void index_name(SideIndex *index, const VerdictSection *s)
{
    const char *slash = strrchr(s->name, '/');

    if (!slash)
        return;
    char *place = g_strndup(s->name, (size_t)(slash - s->name));
    if (g_hash_table_contains(index->by_place, place))
        g_free(place);
    else
        g_hash_table_insert(index->by_place, place, (void *)s);
    if (!g_hash_table_contains(index->by_device, slash + 1))
        g_hash_table_insert(index->by_device, (void *)(slash + 1), (void *)s);
}

/* Some old machines have two devices that do not tell their sections apart: then the order does. */
static void index_init(SideIndex *index, const VerdictSide *side)
{
    g_autoptr(GHashTable) counts = g_hash_table_new_full(bytes_hash_text, g_str_equal, g_free, NULL);

    index->side = side;
    index->keys = g_ptr_array_new_with_free_func(g_free);
    index->by_key = g_hash_table_new(bytes_hash_text, g_str_equal);
    index->by_device = g_hash_table_new(bytes_hash_text, g_str_equal);
    index->by_place = g_hash_table_new_full(bytes_hash_text, g_str_equal, g_free, NULL);
    for (size_t i = 0; i < side->section_count; i++) {
        const VerdictSection *s = &side->sections[i];
        char *title = g_strdup_printf("%u/%s", s->instance, s->name);
        unsigned before = GPOINTER_TO_UINT(g_hash_table_lookup(counts, title));
        char *key = g_strdup_printf("%u/%s", before, title);
        g_ptr_array_add(index->keys, key);
        g_hash_table_insert(index->by_key, key, (void *)s);
        g_hash_table_replace(counts, title, GUINT_TO_POINTER(before + 1));
        index_name(index, s);
    }
}

static void index_done(SideIndex *index)
{
    g_hash_table_unref(index->by_key);
    g_hash_table_unref(index->by_device);
    g_hash_table_unref(index->by_place);
    g_ptr_array_unref(index->keys);
}

/* The section of a side that is the same as number i of the other. */
static const VerdictSection *find_section(const SideIndex *index, const SideIndex *other, size_t i)
{
    return g_hash_table_lookup(index->by_key, g_ptr_array_index(other->keys, i));
}

/* What the destination has of the same kind in another place: "virtio-blk" for "0000:00:02.0/virtio-blk", or in the
 * same place; the first of them. */
static char *hint(const SideIndex *to, const VerdictSection *from)
{
    const char *slash = strrchr(from->name, '/');

    if (!slash)
        return g_strdup("");
    g_autofree char *place = g_strndup(from->name, (size_t)(slash - from->name));
    const VerdictSection *like = g_hash_table_lookup(to->by_device, slash + 1);
    const VerdictSection *there = g_hash_table_lookup(to->by_place, place);
    if (like && (!there || like <= there))
        return g_strdup_printf(" (it has a %s at %.*s)", slash + 1, (int)(strrchr(like->name, '/') - like->name),
                               like->name);
    return there ? g_strdup_printf(" (it has a %s at %s)", strrchr(there->name, '/') + 1, place) : g_strdup("");
}

static void judge_section(Judge *j, const VerdictSection *to, const VerdictSection *from)
{
    g_autofree char *title = title_of(from);

    verdict_version(j, title, to->version, to->desc ? to->desc->minimum : -1, from->version);
    if (to->desc && from->desc) {
        g_autoptr(GPtrArray) states = g_ptr_array_new();
        g_ptr_array_add(states, (void *)from->state);
        if (j->loader == VERDICT_BY_NAME)
            verdict_by_name(j, title, to->desc, from->desc, from->version, from->state ? states : NULL);
        else
            verdict_by_position(j, title, to->desc, from->desc, from->state ? states : NULL);
    } else if (to->desc || from->desc) {
        verdict_find(j, VERDICT_CONVERTIBLE, "not judged", title, "%s does not describe it",
                     from->desc ? "the destination" : "the stream");
    } else {
        verdict_find(j, VERDICT_CONVERTIBLE, "not judged", title,
                     "neither side describes it (%zu octets in the stream)", from->octets);
    }
}

/* QEMU's configuration section says what machine it is, which is judged as such; its subsections are all optional. */
static bool is_configuration(const VerdictSection *s)
{
    return strcmp(s->name, "configuration") == 0;
}

static void judge_indexed(Judge *j, const SideIndex *to, const SideIndex *from)
{
    for (size_t i = 0; i < from->side->section_count; i++) {
        const VerdictSection *s = &from->side->sections[i], *there = find_section(to, from, i);
        g_autofree char *title = title_of(s);
        if (is_configuration(s))
            continue;
        if (there) {
            judge_section(j, there, s);
        } else {
            g_autofree char *elsewhere = hint(to, s);
            verdict_find(j, VERDICT_INCOMPATIBLE, "unknown", title,
                         "the stream has this section, the destination does not%s", elsewhere);
        }
    }
    for (size_t i = 0; i < to->side->section_count; i++) {
        const VerdictSection *s = &to->side->sections[i];
        g_autofree char *title = title_of(s);
        if (!find_section(from, to, i) && !is_configuration(s))
            verdict_find(j, VERDICT_CONVERTIBLE, "defaulted", title,
                         "the stream does not have this section; the device keeps its reset state");
    }
}

static void judge_sections(Judge *j, const VerdictSide *to, const VerdictSide *from)
{
    SideIndex to_index, from_index;

    index_init(&to_index, to);
    index_init(&from_index, from);
    judge_indexed(j, &to_index, &from_index);
    index_done(&to_index);
    index_done(&from_index);
}

/* --- the machine ------------------------------------------------------------------------------------------------ */

static void judge_blocks(Judge *j, const RamBlocks *to, const RamBlocks *from)
{
    for (guint i = 0; i < from->list->len; i++) {
        const RamBlock *b = ram_block(from, i);
        g_autofree char *path = g_strdup_printf("ram.%s", b->name);
        int k = ram_blocks_find(to, b->name, strlen(b->name));
        g_autofree char *here = ram_length_text(b->length);
        if (k < 0) {
            verdict_find(j, VERDICT_INCOMPATIBLE, "ram", path,
                         "the stream has this block (%s), the destination does not", here);
            continue;
        }
        g_autofree char *there = ram_length_text(ram_block(to, (size_t)k)->length);
        if (b->length == ram_block(to, (size_t)k)->length)
            continue;
        /* QEMU makes the blobs of fw_cfg anew, and can resize them */
        bool resizable = g_str_has_prefix(b->name, "/rom@");
        verdict_find(j, resizable ? VERDICT_CONVERTIBLE : VERDICT_INCOMPATIBLE, "ram", path,
                     "the stream has %s, the destination %s%s", here, there, resizable ? "; it can be resized" : "");
    }
    for (guint i = 0; i < to->list->len; i++) {
        const RamBlock *b = ram_block(to, i);
        g_autofree char *path = g_strdup_printf("ram.%s", b->name);
        if (ram_blocks_find(from, b->name, strlen(b->name)) < 0)
            verdict_find(j, VERDICT_CONVERTIBLE, "ram", path,
                         "the stream does not have this block; it keeps its content");
    }
}

static void judge_machine(Judge *j, const VerdictSide *to, const VerdictSide *from)
{
    if (from->machine && to->machine && strcmp(from->machine, to->machine) != 0)
        verdict_find(j, VERDICT_INCOMPATIBLE, "machine", "machine",
                     "the stream is of machine type %s, the destination %s", from->machine, to->machine);
    if (from->shared != to->shared)
        verdict_find(j, VERDICT_INCOMPATIBLE, "capability", "configuration",
                     "capability x-ignore-shared is %s in the stream, %s at the destination",
                     from->shared ? "on" : "off", to->shared ? "on" : "off");
    if (from->blocks && to->blocks)
        judge_blocks(j, to->blocks, from->blocks);
}

Verdict *verdict_new(const VerdictSide *from, const VerdictSide *to, VerdictLoader loader)
{
    Verdict *v = g_new0(Verdict, 1);
    Judge j = {.verdict = v, .loader = loader};

    v->findings = g_ptr_array_new_with_free_func(free_finding);
    judge_machine(&j, to, from);
    judge_sections(&j, to, from);
    return v;
}

void verdict_free(Verdict *v)
{
    if (!v)
        return;
    g_ptr_array_unref(v->findings);
    g_free(v);
}
