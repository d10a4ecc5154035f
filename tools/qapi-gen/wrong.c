/*
 * wrong.c: see wrong.h.
 */
#include "tools/qapi-gen/wrong.h"

bool wrong(GError **error, Where where, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, QAPI_GEN_ERROR, QAPI_GEN_WRONG, "%s:%u: %s", where.file, where.line, message);
    return false;
}
