/*
 * emit.h: what generators of C have in common.
 */
#ifndef TOOLS_QAPI_GEN_EMIT_H
#define TOOLS_QAPI_GEN_EMIT_H

#include "tools/qapi-gen/schema.h"

/* The text of one file. */
typedef struct Out {
    const Schema *schema;
    Arena *arena; /* of the schema: for names */
    GString *text;
} Out;

void emit(Out *out, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The comment that a file starts with. */
void emit_head(Out *out, const char *file, const char *about);

/* #if and #endif around what depends on it; NULL: nothing. */
void emit_if(Out *out, const Cond *cond);
void emit_endif(Out *out, const Cond *cond);

/* ", TEXT", in a new line if this one would be too long. */
void emit_next(Out *out, const char *text);

/* A comment of as many lines as it needs. */
void emit_comment(Out *out, const char *indent, const char *text);

/* As a C literal, with the quotes. */
const char *c_string(Arena *arena, const char *text);

/* What a member of the type is, with the blank or star before its name: "char *", "QmpRunState ". */
const char *c_type(const Out *out, const Definition *type);

/* qmp_type_SYMBOL. */
const char *type_symbol(const Definition *type);

/* QMP_RUN_STATE_PAUSED. */
const char *value_symbol(const Out *out, const Definition *type, const Member *value);

/* Is it a pointer in C, so that NULL tells that it is missing? */
bool is_pointer(const Definition *type);

/* Has the member a bool has_NAME? */
bool has_presence(const Member *member);

/* ",\n .features = (const char *const[]){...}", if there are any. */
void emit_features(Out *out, const char *indent, const GPtrArray *features);

/* ",\n .about = ...", if there is any. */
void emit_about(Out *out, const char *indent, const char *about);

/* How a function of a command gives its result. */
typedef enum Result {
    RESULT_NONE,    /* true: done */
    RESULT_POINTER, /* NULL: failed */
    RESULT_STORED,  /* it goes where `result` points; true: done */
} Result;

Result result_of(const Definition *command);

/* The C type of the result, as a member of it would be. */
const char *result_type(const Out *out, const Definition *command);

/* Tables of commands and events, PREFIX_commands and PREFIX_events; the commands with what calls handlers if `run`. */
void emit_command_table(Out *out, const char *prefix, bool run);
void emit_event_table(Out *out, const char *prefix);

typedef void Generate(Out *out);

Generate generate_types_h, generate_types_c, generate_commands_h, generate_commands_c, generate_events_h,
    generate_events_c;
Generate generate_client_h, generate_client_c, generate_introspect_h, generate_introspect_c;
Generate generate_manual, generate_html, generate_completion;

/* What is made of a schema. */
typedef struct GeneratedFile {
    const char *name;
    Generate *generate;
} GeneratedFile;

extern const GeneratedFile generated_files[]; /* name NULL ends them */

#endif
