/*
 * options.h: structs of options, given by people: on a command line, or as JSON.
 *
 * The same descriptions, and the same walker (walk.h). What is not given keeps the value it has in the struct, unless
 * the field is VMS_REQUIRED; a field with `.presence` also tells whether it was. Every error has the path of the key
 * and what would have been accepted. A description's `check` judges the whole; its message starts with a key.
 */
#ifndef VMSTATE_OPTIONS_H
#define VMSTATE_OPTIONS_H

#include "vmstate/desc.h"

struct json_t;

/* Loads into `state`; if it fails, that is as it was. `implied`: keyval-in.h; `root` starts the path: "-drive". */
bool vms_options_from_text(const VMStateDescription *desc, void *state, const char *text, const char *implied,
                           const char *root, GError **error);
bool vms_options_from_json(const VMStateDescription *desc, void *state, struct json_t *object, const char *root,
                           GError **error);

/* From the tree that keyval_tree has made of the text, or from such a one of JSON (keyval-in.h); takes it. */
bool vms_options_from_tree(const VMStateDescription *desc, void *state, struct json_t *tree, const char *root,
                           GError **error);

/* --- fields that only options have ------------------------------------------------------------------------------ */

/* A uint8_t whose values have names; in descriptions VMS_CHOICE(Drive, format, &format_choice). */
typedef struct VmsChoice {
    VMStateShape shape;
    const char *const *names; /* NULL ends them */
} VmsChoice;

void vms_choice_visit(Visitor *v, const VMStateField *f, void *value, size_t count);

#define VMS_CHOICE_OF(names_)                                                                                          \
    {                                                                                                                  \
        .shape = {.name = "choice", .visit = vms_choice_visit}, .names = (names_)                                      \
    }
#define VMS_CHOICE(Struct, member, choice, ...)                                                                        \
    VMS_FIELD(Struct, member, .type = "choice", .shape = &(choice)->shape, ##__VA_ARGS__)

/* --- telling people --------------------------------------------------------------------------------------------- */

/* One line for each option: its key, what it takes, and what it is in `defaults` (NULL: not told). New string. */
char *vms_options_help(const VMStateDescription *desc, const void *defaults);

#endif
