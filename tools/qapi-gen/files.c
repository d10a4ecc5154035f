/*
 * files.c: which files are made of a schema, and by what.
 */
#include "tools/qapi-gen/emit.h"

const GeneratedFile generated_files[] = {
    {"types.h", generate_types_h},
    {"types.c", generate_types_c},
    {"commands.h", generate_commands_h},
    {"commands.c", generate_commands_c},
    {"events.h", generate_events_h},
    {"events.c", generate_events_c},
    {"client.h", generate_client_h},
    {"client.c", generate_client_c},
    {"introspect.h", generate_introspect_h},
    {"introspect.c", generate_introspect_c},
    {"qmp-reference.7", generate_manual},
    {"qmp-reference.html", generate_html},
    {"completion.json", generate_completion},
    {.name = NULL},
};
