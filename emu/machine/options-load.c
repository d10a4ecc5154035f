/* options-load.c: one option's text into its struct, and the structs' lives. */
#include <jansson.h>
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/keyval-in.h"
#include "visitors/words.h"
#include "vmstate/state.h"

bool options_fail(GError **error, const char *root, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *what = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "%s: %s", root, what);
    return false;
}

static bool is_json(const char *text)
{
    return *text == '{';
}

static json_t *read_json(const char *text, const char *root, GError **error)
{
    json_error_t why;
    json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, &why);

    if (!tree)
        options_fail(error, root, "no JSON: %s at character %d", why.text, why.position);
    return tree;
}

bool options_load(const VMStateDescription *desc, void *state, const char *text, const char *implied, const char *root,
                  GError **error)
{
    if (!is_json(text))
        return vms_options_from_text(desc, state, text, implied, root, error);
    json_t *tree = read_json(text, root, error);
    bool ok = tree && vms_options_from_json(desc, state, tree, root, error);
    json_decref(tree);
    return ok;
}

char *options_peek(const char *text, const char *key, const char *implied)
{
    g_autofree char *wrong = NULL;
    json_t *tree = is_json(text) ? json_loads(text, 0, NULL) : keyval_tree(text, implied, &wrong);
    char *value = g_strdup(json_string_value(json_object_get(tree, key)));

    json_decref(tree);
    return value;
}

bool options_load_variant(const OptionsVariant *variants, void *state, const char *text, const char *key,
                          const char *root, GError **error)
{
    g_autofree char *name = options_peek(text, key, key);
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const OptionsVariant *variant = variants; variant->name; variant++) {
        if (name && g_str_equal(variant->name, name))
            return options_load(variant->desc, state, text, key, root, error);
        g_ptr_array_add(names, (void *)variant->name);
    }
    g_ptr_array_add(names, NULL);
    const char *const *accepted = (const char *const *)names->pdata;
    g_autofree char *all = g_strjoinv(", ", (char **)names->pdata);
    g_autofree char *why =
        name ? words_unknown(key, name, accepted) : g_strdup_printf("the key '%s' is missing (accepted: %s)", key, all);
    return options_fail(error, root, "%s", why);
}

/* --- lives ------------------------------------------------------------------------------------------------------ */

static void feature_free(gpointer data)
{
    OptionsFeature *f = data;

    g_free(f->name);
    g_free(f->value);
    g_free(f);
}

static void monitor_free(gpointer data)
{
    OptionsMonitor *m = data;

    g_free(m->id);
    options_char_done(&m->line);
    g_free(m);
}

#define LIST(free_) g_ptr_array_new_with_free_func((GDestroyNotify)(free_))

Options *options_new(void)
{
    Options *o = g_new0(Options, 1);

    o->machine = (OptionsMachine)OPTIONS_MACHINE_DEFAULTS;
    o->memory.size = OPTIONS_MEMORY_DEFAULT;
    o->cpu.features = g_ptr_array_new_with_free_func(feature_free);
    o->drives = LIST(options_drive_free);
    o->blockdevs = LIST(options_blockdev_free);
    o->devices = LIST(options_device_free);
    o->objects = LIST(options_object_free);
    o->netdevs = LIST(options_net_free);
    o->nics = LIST(options_net_free);
    o->chardevs = LIST(options_char_free);
    o->serials = LIST(options_char_free);
    o->monitors = g_ptr_array_new_with_free_func(monitor_free);
    return o;
}

void options_free(Options *o)
{
    if (!o)
        return;
    GPtrArray *lists[] = {o->drives, o->blockdevs, o->devices, o->objects,  o->netdevs,
                          o->nics,   o->chardevs,  o->serials, o->monitors, o->cpu.features};
    char *texts[] = {o->help, o->cpu.model, o->kernel, o->initrd, o->append,
                     o->bios, o->incoming,  o->loadvm, o->pidfile};

    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        g_ptr_array_unref(lists[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    vms_state_done(&options_machine, &o->machine);
    vms_state_done(&options_boot, &o->boot);
    vms_state_done(&options_rtc, &o->rtc);
    vms_state_done(&options_name, &o->name);
    g_free(o);
}
