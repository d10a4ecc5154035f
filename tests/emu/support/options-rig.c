/* options-rig.c: command lines for tests. */
#include "tests/emu/support/options-rig.h"

static bool check_gadget(const void *state, GError **error)
{
    const Gadget *g = state;

    if (g->vectors <= 2048)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "vectors: %u is above 2048", g->vectors);
    return false;
}

static const VMStateField gadget_fields[] = {
    VMS_TEXT(Gadget, drive),
    VMS_TEXT(Gadget, serial),
    VMS_FIELD(Gadget, vectors),
    VMS_FIELD(Gadget, size),
    VMS_FIELD(Gadget, fast),
    VMS_FIELD(Gadget, index, .presence = 1 + offsetof(Gadget, has_index)),
    VMS_END,
};

static const VMStateDescription gadget_options = {
    .name = "gadget",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Gadget),
    .fields = gadget_fields,
    .check = check_gadget,
};

static const Gadget gadget_defaults = {.vectors = 3, .fast = true};

const DeviceType gadget_type = {
    .name = "gadget",
    .about = "a gadget",
    .size = sizeof(Gadget),
    .defaults = &gadget_defaults,
    .options = &gadget_options,
};

const DeviceType lamp_type = {.name = "lamp", .size = sizeof(Lamp)};

static const DeviceType *const types[] = {&lamp_type, &gadget_type, NULL};

Options *options_rig_parse(const char *const *words)
{
    g_autoptr(GError) error = NULL;
    Options *o = options_parse(words, types, &error);

    cr_assert(o, "%s", error ? error->message : "no reason");
    return o;
}

void options_rig_refuse(const char *message, const char *const *words)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Options) o = options_parse(words, types, &error);

    cr_assert_null(o, "accepted: %s", message);
    cr_assert_str_eq(error->message, message, "said: %s", error->message);
}
