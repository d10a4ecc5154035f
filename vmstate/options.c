/* options.c: structs of options, given by people. */
#include "vmstate/options.h"

#include <string.h>

#include "visitors/enum.h"
#include "visitors/json-in.h"
#include "visitors/keyval-in.h"
#include "vmstate/match.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

/* --- loading ---------------------------------------------------------------------------------------------------- */

/* Takes the visitor. */
static bool load(Visitor *visitor, const VMStateDescription *desc, void *state, const char *root, GError **error)
{
    g_autoptr(Visitor) v = visitor;
    g_autofree void *copy = g_malloc(desc->size);

    vms_state_copy(desc, copy, state);
    vmstate_load(v, desc, copy, desc->version, NULL);
    bool ok = visit_finish(v, error);
    if (ok && desc->check && !desc->check(copy, error)) {
        g_prefix_error(error, "%s.", root);
        ok = false;
    }
    vms_state_done(desc, ok ? state : copy);
    if (ok)
        memcpy(state, copy, desc->size);
    return ok;
}

bool vms_options_from_text(const VMStateDescription *desc, void *state, const char *text, const char *implied,
                           const char *root, GError **error)
{
    return load(keyval_in_new(text, implied, root), desc, state, root, error);
}

bool vms_options_from_json(const VMStateDescription *desc, void *state, struct json_t *object, const char *root,
                           GError **error)
{
    return load(json_in_new(object, root), desc, state, root, error);
}

bool vms_options_from_tree(const VMStateDescription *desc, void *state, struct json_t *tree, const char *root,
                           GError **error)
{
    return load(keyval_in_new_tree(tree, root), desc, state, root, error);
}

/* --- shapes ----------------------------------------------------------------------------------------------------- */

static const char *label_of(const VMStateField *f)
{
    return f->label ? f->label : f->name;
}

static const char *const *choices_of(const VMStateField *f)
{
    return ((const VmsChoice *)(const void *)((const char *)f->shape - offsetof(VmsChoice, shape)))->names;
}

void vms_choice_visit(Visitor *v, const VMStateField *f, void *value, size_t count)
{
    (void)count;
    visit_enum(v, label_of(f), choices_of(f), value);
}

/* --- telling people --------------------------------------------------------------------------------------------- */

static char *takes(const VMStateField *f)
{
    if (f->shape && f->shape->visit == vms_choice_visit)
        return g_strjoinv("|", (char **)choices_of(f));
    if (f->kind == VMS_SCALAR && f->scalar == SCALAR_UINT64 && !f->array)
        return g_strdup("size");
    if (f->kind == VMS_SCALAR && f->scalar == SCALAR_BOOL && !f->array)
        return g_strdup("on|off");
    return f->kind == VMS_STRING ? g_strdup("str") : vms_field_describe(f);
}

static void tell_default(GString *text, const VMStateField *f, const void *defaults)
{
    const void *value = defaults ? (const char *)defaults + f->offset : NULL;

    if (!value || f->array || f->flags & VMS_REQUIRED)
        return;
    if (f->kind == VMS_STRING && *(char *const *)value)
        g_string_append_printf(text, " (default: %s)", *(char *const *)value);
    if (f->kind != VMS_SCALAR || f->scalar == SCALAR_FLOAT64)
        return;
    Integer n = scalar_get((Scalar)f->scalar, value);
    if (f->shape && f->shape->visit == vms_choice_visit)
        g_string_append_printf(text, " (default: %s)", choices_of(f)[n.bits]);
    else if (f->scalar == SCALAR_BOOL)
        g_string_append_printf(text, " (default: %s)", n.bits ? "on" : "off");
    else if (n.negative)
        g_string_append_printf(text, " (default: %" G_GINT64_FORMAT ")", (gint64)n.bits);
    else
        g_string_append_printf(text, " (default: %" G_GUINT64_FORMAT ")", n.bits);
}

static void tell(GString *text, const char *prefix, const VMStateDescription *desc, const char *defaults)
{
    for (const VMStateField *f = desc->fields; f->name; f++) {
        g_autofree char *key = g_strconcat(prefix, f->name, NULL);
        if (f->kind == VMS_STRUCT && !f->array) {
            g_autofree char *inner = g_strconcat(key, ".", NULL);
            tell(text, inner, f->desc, defaults ? defaults + f->offset : NULL);
            continue;
        }
        g_autofree char *type = takes(f);
        g_string_append_printf(text, "  %s=<%s>", key, type);
        if (f->flags & VMS_REQUIRED)
            g_string_append(text, " (required)");
        tell_default(text, f, defaults);
        g_string_append_c(text, '\n');
    }
}

char *vms_options_help(const VMStateDescription *desc, const void *defaults)
{
    GString *text = g_string_new(NULL);

    tell(text, "", desc, defaults);
    return g_string_free(text, FALSE);
}
