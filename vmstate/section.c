/* section.c: named instances of (description, state), and a load that is all or nothing. */
#include "vmstate/section.h"

#include <string.h>

#include "vmstate/state.h"
#include "vmstate/walk.h"

struct SectionList {
    GArray *sections; /* of Section */
};

SectionList *section_list_new(void)
{
    SectionList *list = g_new0(SectionList, 1);

    list->sections = g_array_new(FALSE, FALSE, sizeof(Section));
    return list;
}

void section_list_free(SectionList *list)
{
    if (!list)
        return;
    g_array_unref(list->sections);
    g_free(list);
}

void section_list_add(SectionList *list, const Section *section)
{
    g_array_append_vals(list->sections, section, 1);
}

void section_list_remove(SectionList *list, const void *opaque)
{
    for (guint i = list->sections->len; i-- > 0;)
        if (section_list_get(list, i)->opaque == opaque)
            g_array_remove_index(list->sections, i);
}

size_t section_list_length(const SectionList *list)
{
    return list->sections->len;
}

const Section *section_list_get(const SectionList *list, size_t i)
{
    return &g_array_index(list->sections, Section, i);
}

const Section *section_list_find(const SectionList *list, const char *name, uint32_t instance)
{
    for (size_t i = 0; i < section_list_length(list); i++) {
        const Section *s = section_list_get(list, i);
        if ((s->instance == instance || s->alias_instance == (int64_t)instance) && strcmp(s->name, name) == 0)
            return s;
    }
    return NULL;
}

bool section_save(const Section *section, Visitor *visitor, GError **error)
{
    g_autoptr(Visitor) v = visitor;

    if (section->desc->pull && !section->desc->pull(section->opaque, error)) {
        g_prefix_error(error, "%s: ", section->name);
        return false;
    }
    vmstate_save(v, section->desc, section->state);
    return visit_finish(v, error);
}

/* --- load ------------------------------------------------------------------------------------------------------- */

struct SectionLoad {
    SectionList *list;
    void **copies; /* for each section, NULL until it comes */
};

SectionLoad *section_load_new(SectionList *list)
{
    SectionLoad *load = g_new0(SectionLoad, 1);

    load->list = list;
    load->copies = g_new0(void *, MAX(section_list_length(list), 1));
    return load;
}

void section_load_free(SectionLoad *load)
{
    if (!load)
        return;
    for (size_t i = 0; i < section_list_length(load->list); i++)
        vms_state_free(section_list_get(load->list, i)->desc, load->copies[i]);
    g_free(load->copies);
    g_free(load);
}

bool section_load_one(SectionLoad *load, const Section *section, Visitor *visitor, int version,
                      const VMStateDescription *stream, GError **error)
{
    g_autoptr(Visitor) v = visitor;
    size_t i = (size_t)(section - section_list_get(load->list, 0));
    void *copy = vms_state_new(section->desc);

    vms_state_copy(section->desc, copy, section->reset_state ? section->reset_state : section->state);
    vmstate_load(v, section->desc, copy, version, stream);
    if (!visit_finish(v, error)) {
        vms_state_free(section->desc, copy);
        return false;
    }
    vms_state_free(section->desc, load->copies[i]);
    load->copies[i] = copy;
    return true;
}

const void *section_load_state(const SectionLoad *load, const Section *section)
{
    return load->copies[section - section_list_get(load->list, 0)];
}

const Section **section_load_missing(const SectionLoad *load)
{
    GPtrArray *missing = g_ptr_array_new();

    for (size_t i = 0; i < section_list_length(load->list); i++)
        if (!load->copies[i])
            g_ptr_array_add(missing, (void *)section_list_get(load->list, i));
    g_ptr_array_add(missing, NULL);
    return (const Section **)g_ptr_array_free(missing, FALSE);
}

bool section_load_fill(SectionLoad *load, GError **error)
{
    g_autofree const Section **missing = section_load_missing(load);
    GString *names = g_string_new(NULL);

    for (size_t i = 0; missing[i]; i++) {
        const Section *s = missing[i];
        if (!s->desc->needed) {
            g_string_append_printf(names, s->instance ? "%s%s[%u]" : "%s%s", names->len ? ", " : "", s->name,
                                   s->instance);
        } else if (s->reset_state) {
            void **copy = &load->copies[s - section_list_get(load->list, 0)];
            *copy = vms_state_new(s->desc);
            vms_state_copy(s->desc, *copy, s->reset_state);
        }
    }
    g_autofree char *text = g_string_free(names, FALSE);
    if (*text)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "the stream lacks what this machine has: %s", text);
    return !*text;
}

bool section_load_check(SectionLoad *load, GError **error)
{
    for (size_t i = 0; i < section_list_length(load->list); i++) {
        const Section *s = section_list_get(load->list, i);
        if (load->copies[i] && s->desc->check && !s->desc->check(load->copies[i], error)) {
            g_prefix_error(error, "%s: ", s->name);
            return false;
        }
    }
    return true;
}

bool section_load_commit(SectionLoad *load, GError **error)
{
    size_t n = section_list_length(load->list);

    if (!section_load_check(load, error))
        return false;
    for (size_t i = 0; i < n; i++) {
        const Section *s = section_list_get(load->list, i);
        if (!load->copies[i])
            continue;
        vms_state_done(s->desc, s->state);
        memcpy(s->state, load->copies[i], s->desc->size); /* with all that the copy owned */
    }
    /* pushed when every state is in place: one may look at another */
    for (size_t i = 0; i < n; i++) {
        const Section *s = section_list_get(load->list, i);
        if (load->copies[i] && s->desc->push)
            s->desc->push(s->opaque);
        g_clear_pointer(&load->copies[i], g_free);
    }
    return true;
}
