/*
 * options-device.c: -device.
 *
 * A device has keys of its own and those that all have. So its description is made here: the common fields, and behind
 * them the type's, of one block of memory that has both structs.
 */
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/words.h"
#include "vmstate/state.h"

static const VMStateField common_fields[] = {
    VMS_TEXT(OptionsDevice, driver, .flags = VMS_REQUIRED),
    VMS_TEXT(OptionsDevice, id),
    VMS_TEXT(OptionsDevice, bus),
    VMS_TEXT(OptionsDevice, addr),
    VMS_END,
};

static const VMStateDescription common = {
    .name = "device",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsDevice),
    .fields = common_fields,
};

enum { WIRING = (sizeof(OptionsDevice) + 15) / 16 * 16 }; /* where the wiring struct starts in the block */

/* Common fields that the type has not itself, then the type's. */
static GArray *fields_of(const DeviceType *type)
{
    static const VMStateField end = VMS_END;
    GArray *fields = g_array_new(FALSE, FALSE, sizeof(VMStateField));

    for (const VMStateField *f = common_fields; f->name; f++)
        if (!type->options || !vms_field_find(type->options, f->name, 0, NULL))
            g_array_append_vals(fields, f, 1);
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
static bool load_both(const DeviceType *type, OptionsDevice *device, void *wiring, const char *text, GError **error)
{
    g_autoptr(GArray) fields = fields_of(type);
    g_autofree char *root = g_strconcat("-device ", type->name, NULL);
    g_autofree char *block = g_malloc0(WIRING + type->size);
    const VMStateDescription both = {
        .name = type->name,
        .version = 1,
        .minimum = 1,
        .size = WIRING + type->size,
        .fields = (const VMStateField *)(const void *)fields->data,
        .check = check_both,
    };

    device->type = type;
    memcpy(block, device, sizeof *device);
    memcpy(block + WIRING, wiring, type->size);
    if (!options_load(&both, block, text, "driver", root, error))
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

static const DeviceType *find_type(const DeviceType *const *types, const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (size_t i = 0; types[i]; i++) {
        if (g_str_equal(types[i]->name, name))
            return types[i];
        g_ptr_array_add(names, (void *)types[i]->name);
    }
    g_ptr_array_add(names, NULL);
    g_autofree char *why = words_unknown("driver", name, (const char *const *)names->pdata);
    options_fail(error, "-device", "%s", why);
    return NULL;
}

OptionsDevice *options_device_new(const char *text, const DeviceType *const *types, GError **error)
{
    g_autofree char *driver = options_peek(text, "driver", "driver");

    if (!driver) {
        /* says what is wrong with the text, if anything else is */
        OptionsDevice nobody = {0};
        options_load(&common, &nobody, text, "driver", "-device", error);
        vms_state_done(&common, &nobody);
        if (error && !*error)
            options_fail(error, "-device", "the key 'driver' is missing");
        return NULL;
    }
    const DeviceType *type = find_type(types, driver, error);
    if (!type)
        return NULL;
    OptionsDevice *d = g_new0(OptionsDevice, 1);
    void *wiring = wiring_new(type);
    bool ok = load_both(type, d, wiring, text, error);
    wiring_free(type, wiring);
    d->text = g_strdup(text);
    if (ok && options_check_id(d->id, "-device.id", error))
        return d;
    options_device_free(d);
    return NULL;
}

void options_device_free(OptionsDevice *d)
{
    vms_state_done(&common, d);
    g_free(d->text);
    g_free(d);
}

bool options_device_apply(const OptionsDevice *d, Device *dev, GError **error)
{
    OptionsDevice again = {0};
    bool ok = load_both(d->type, &again, dev, d->text, error);

    vms_state_done(&common, &again);
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

    return g_strdup_printf("%s%s%s\n%s%s", type->name, type->about ? ": " : "", type->about ? type->about : "",
                           *own ? "" : "  (nothing can be set but what all devices have: id, bus, addr)\n", own);
}
