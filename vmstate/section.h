/*
 * section.h: named instances of (description, state), and a load that is all or nothing.
 *
 * A SectionLoad fills a copy of each section's state. Only when the whole stream has been read, and every copy has
 * passed its description's check, does section_load_commit put the copies in place and push them. Until then nothing
 * has changed, and section_load_free forgets the copies.
 */
#ifndef VMSTATE_SECTION_H
#define VMSTATE_SECTION_H

#include "visitors/visitor.h"
#include "vmstate/desc.h"

typedef struct Section {
    const char *name; /* the idstr, as "0000:00:01.3/piix4_pm" */
    uint32_t instance;
    int64_t alias_instance;         /* another instance number it answers to; -1: none */
    const VMStateDescription *desc; /* borrowed, as is all of this */
    void *state;
    const void *reset_state; /* what a field has that the stream lacks; NULL: what it has in `state` */
    void *opaque;            /* for the hooks */
} Section;

/* Registered in the order in which they are saved. */
typedef struct SectionList SectionList;

SectionList *section_list_new(void);
void section_list_free(SectionList *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SectionList, section_list_free)

/* Copies *section (not what it points to). */
void section_list_add(SectionList *list, const Section *section);

/* Takes out those that were registered with that opaque. No SectionLoad of the list may be there. */
void section_list_remove(SectionList *list, const void *opaque);
size_t section_list_length(const SectionList *list);
const Section *section_list_get(const SectionList *list, size_t i);

/* The section of that name and instance (or alias instance), or NULL. */
const Section *section_list_find(const SectionList *list, const char *name, uint32_t instance);

/* Saves one: pull, then the walk. `visitor` is taken. */
bool section_save(const Section *section, Visitor *visitor, GError **error);

typedef struct SectionLoad SectionLoad;

SectionLoad *section_load_new(SectionList *list);
void section_load_free(SectionLoad *load);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SectionLoad, section_load_free)

/*
 * Loads one section into its copy. `visitor` is taken; version and stream are as in vmstate_load. A section that comes
 * again replaces what came before.
 */
bool section_load_one(SectionLoad *load, const Section *section, Visitor *visitor, int version,
                      const VMStateDescription *stream, GError **error);

/* What has come for the section, to be looked at before it is committed; NULL: nothing. Borrowed. */
const void *section_load_state(const SectionLoad *load, const Section *section);

/* The sections of the list that have not come. New array of borrowed pointers, NULL at the end. */
const Section **section_load_missing(const SectionLoad *load);

/*
 * For a stream that should have all of the machine: a section that has not come gets its reset state, if its
 * description has `needed`, so that it may be left out; any other is an error, which names all that are missing.
 */
bool section_load_fill(SectionLoad *load, GError **error);

/* Is every copy sound? Changes nothing. */
bool section_load_check(SectionLoad *load, GError **error);

/* Checks every copy; if all are sound, puts them in place and pushes those that came, in the order of the list. */
bool section_load_commit(SectionLoad *load, GError **error);

#endif
