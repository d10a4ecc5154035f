/* error.c: errors that QMP's clients can tell apart. */
#include "emu/qmp/error.h"

GQuark qmp_error_quark(void)
{
    return g_quark_from_static_string("qmp-error");
}

bool qmp_refuse(GError **error, QmpError code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, QMP_ERROR, (int)code, text);
    return false;
}

const char *qmp_error_class(const GError *error)
{
    static const char *const names[] = {"GenericError", "CommandNotFound", "DeviceNotActive", "DeviceNotFound",
                                        "KVMMissingCap"};
    bool ours = error->domain == QMP_ERROR && error->code >= 0 && (size_t)error->code < G_N_ELEMENTS(names);

    return names[ours ? error->code : QMP_ERROR_GENERIC];
}
