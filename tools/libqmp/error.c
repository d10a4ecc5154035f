/* error.c: the classes of QMP's errors. */
#include "tools/libqmp/session-impl.h"

#include <jansson.h>
#include <string.h>

GQuark libqmp_error_quark(void)
{
    return g_quark_from_static_string("libqmp-error");
}

static const char *const classes[] = {
    [LIBQMP_ERROR_GENERIC_ERROR] = "GenericError",        [LIBQMP_ERROR_COMMAND_NOT_FOUND] = "CommandNotFound",
    [LIBQMP_ERROR_DEVICE_NOT_ACTIVE] = "DeviceNotActive", [LIBQMP_ERROR_DEVICE_NOT_FOUND] = "DeviceNotFound",
    [LIBQMP_ERROR_KVM_MISSING_CAP] = "KVMMissingCap",
};

const char *libqmp_error_class(const GError *error)
{
    if (!error || error->domain != LIBQMP_ERROR || error->code < 0 || (size_t)error->code >= G_N_ELEMENTS(classes))
        return NULL;
    return classes[error->code];
}

GError *session_server_error(const json_t *said)
{
    const char *class = json_string_value(json_object_get(said, "class"));
    const char *desc = json_string_value(json_object_get(said, "desc"));

    if (!class || !desc)
        return g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_PROTOCOL,
                           "the peer does not speak QMP: an error has no class or no desc");
    for (size_t i = 0; i < G_N_ELEMENTS(classes); i++)
        if (g_str_equal(class, classes[i]))
            return g_error_new_literal(LIBQMP_ERROR, (int)i, desc);
    return g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_OTHER_CLASS, "%s: %s", class, desc);
}
