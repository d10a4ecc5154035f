/* error.c: errors that QMP's clients can tell apart. */
#include "emu/qmp/error.h"

GQuark qmp_error_quark(void)
{
    return g_quark_from_static_string("qmp-error");
}

const char *qmp_error_class(const GError *error)
{
    static const char *const names[] = {"GenericError", "CommandNotFound", "DeviceNotActive", "DeviceNotFound",
                                        "KVMMissingCap"};
    bool ours = error->domain == QMP_ERROR && error->code >= 0 && (size_t)error->code < G_N_ELEMENTS(names);

    return names[ours ? error->code : QMP_ERROR_GENERIC];
}
