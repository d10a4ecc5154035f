/*
 * wrong.h: where something is in the schema, and what is wrong with it.
 */
#ifndef TOOLS_QAPI_GEN_WRONG_H
#define TOOLS_QAPI_GEN_WRONG_H

#include <glib.h>
#include <stdbool.h>

typedef struct Where {
    const char *file;
    unsigned line;
} Where;

#define QAPI_GEN_ERROR (g_quark_from_static_string("qapi-gen"))

typedef enum QapiGenError { QAPI_GEN_WRONG } QapiGenError;

/* Makes the error "file:line: message"; always false. */
bool wrong(GError **error, Where where, const char *format, ...) G_GNUC_PRINTF(3, 4);

#endif
