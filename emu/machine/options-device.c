/*
 * options-device.c: -device.
 *
 * A device has keys of its own, which its model describes, and those that all have, which the schema does. So its
 * description is made here: the common members as fields, and behind them the type's, of one block of memory that has
 * both structs.
 */
#include <jansson.h>
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/words.h"
#include "vmstate/options.h"
#include "vmstate/state.h"

enum { WIRING = (sizeof(OptionsDevice) + 15) / 16 * 16 }; /* where the wiring struct starts in the block */

/* A member of QmpDeviceOptions, all of which are text. */
static VMStateField field_of(const QapiMember *m)
{
    VMStateField f = VMS_TEXT(OptionsDevice, common.driver);

    f.name = m->name;
    f.offset = offsetof(OptionsDevice, common) + m->offset;
    f.flags = m->optional ? 0 : VMS_REQUIRED;
    return f;
}

/* Common fields that the type has not itself, then the type's. */
static GArray *fields_of(const DeviceType *type)
{
    static const VMStateField end = VMS_END;
    GArray *fields = g_array_new(FALSE, FALSE, sizeof(VMStateField));

    for (const QapiMember *m = qmp_type_DeviceOptions.members; m->name; m++) {
        const VMStateField f = field_of(m);
        if (!type->options || !vms_field_find(type->options, m->name, 0, NULL))
            g_array_append_val(fields, f);
    }
    for (const VMStateField *f = type->options ? type->options->fields : &end; f->name; f++) {
        VMStateField moved = *f;
        moved.offset += WIRING;
        moved.counter += WIRING;
        moved.presence += f->presence ? WIRING : 0;
        g_array_append_val(fields, moved);
    }
    g_array_append_val(fields, end);
    return fields;
}

static bool check_both(const void *state, GError **error)
{
    const VMStateDescription *own = ((const OptionsDevice *)state)->type->options;

    return !own || !own->check || own->check((const char *)state + WIRING, error);
}

/* Loads into both; `wiring` has the values that are not given, and stays as it is if it fails. */
static bool load_both(OptionsDevice *device, void *wiring, const char *root, GError **error)
{
    const DeviceType *type = device->type;
    g_autoptr(GArray) fields = fields_of(type);
    g_autofree char *path = g_strdup_printf("%s %s", root, type->name);
    g_autofree char *block = g_malloc0(WIRING + type->size);
    const VMStateDescription both = {
        .name = type->name,
        .version = 1,
        .minimum = 1,
        .size = WIRING + type->size,
        .fields = (const VMStateField *)(const void *)fields->data,
        .check = check_both,
    };

    memcpy(block, device, sizeof *device);
    memcpy(block + WIRING, wiring, type->size);
    if (!vms_options_from_tree(&both, block, json_incref(device->all), path, error))
        return false;
    memcpy(device, block, sizeof *device);
    memcpy(wiring, block + WIRING, type->size);
    return true;
}

/* A wiring struct with the defaults, and strings of its own. New. */
static void *wiring_new(const DeviceType *type)
{
    void *wiring = g_malloc0(type->size);

    if (type->defaults && type->options)
        vms_state_copy(type->options, wiring, type->defaults);
    return wiring;
}

static void wiring_free(const DeviceType *type, void *wiring)
{
    if (type->options)
        vms_state_done(type->options, wiring);
    g_free(wiring);
}

static const DeviceType *find_type(const DeviceType *const *types, const char *name, const char *root, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (size_t i = 0; types[i]; i++) {
        if (g_str_equal(types[i]->name, name))
            return types[i];
        g_ptr_array_add(names, (void *)types[i]->name);
    }
    g_ptr_array_add(names, NULL);
    g_autofree char *why = words_unknown("driver", name, (const char *const *)names->pdata);
    options_fail(error, root, "%s", why);
    return NULL;
}

/* What has no type cannot be looked at any closer, but for its being there. */
static const DeviceType *type_of(const json_t *all, const DeviceType *const *types, const char *root, GError **error)
{
    const json_t *driver = json_object_get(all, "driver");

    if (json_is_string(driver))
        return find_type(types, json_string_value(driver), root, error);
    if (!json_is_object(all))
        options_fail(error, root, "an object is wanted here");
    else
        options_fail(error, root,
                     driver ? "the key 'driver' is given twice, or is no text" : "the key 'driver' is missing");
    return NULL;
}

OptionsDevice *options_device_new(json_t *all, const DeviceType *const *types, const char *root, GError **error)
{
    const DeviceType *type = type_of(all, types, root, error);
    if (!type)
        return NULL;
    OptionsDevice *d = g_new0(OptionsDevice, 1);
    *d = (OptionsDevice){.type = type, .all = json_incref(all)};
    void *wiring = wiring_new(type);
    bool ok = load_both(d, wiring, root, error);
    wiring_free(type, wiring);
    g_autofree char *path = g_strconcat(root, ".id", NULL);
    if (ok && options_check_id(d->common.id, path, error))
        return d;
    options_device_free(d);
    return NULL;
}

static void free_common(QmpDeviceOptions *common)
{
    QmpDeviceOptions *all = g_memdup2(common, sizeof *common);

    qmp_DeviceOptions_free(all);
}

void options_device_free(OptionsDevice *d)
{
    if (!d)
        return;
    free_common(&d->common);
    json_decref(d->all);
    g_free(d);
}

bool options_device_apply(const OptionsDevice *d, Device *dev, GError **error)
{
    OptionsDevice again = {.type = d->type, .all = d->all};
    bool ok = load_both(&again, dev, "-device", error);

    free_common(&again.common);
    return ok;
}

/* --- help ------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const DeviceType *const *)a)->name, (*(const DeviceType *const *)b)->name);
}

char *options_devices_help(const DeviceType *const *types)
{
    GString *text = g_string_new("Devices (-device NAME,help says what can be set):\n");
    size_t count = 0;

    while (types[count])
        count++;
    g_autofree const DeviceType **sorted = g_memdup2(types, (count + 1) * sizeof *types);
    qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; i < count; i++)
        g_string_append_printf(text, "  %-20s %s\n", sorted[i]->name, sorted[i]->about ? sorted[i]->about : "");
    return g_string_free(text, FALSE);
}

char *options_device_help(const DeviceType *type)
{
    g_autofree char *own = type->options ? vms_options_help(type->options, type->defaults) : g_strdup("");
    g_autofree char *common = qapi_help(&qmp_type_DeviceOptions, -1);

    return g_strdup_printf("%s%s%s\n%sWhat all devices have:\n%s", type->name, type->about ? ": " : "",
                           type->about ? type->about : "", own, common);
}
