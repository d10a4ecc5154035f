/*
 * client.h: what client-h.c and client-c.c have in common: how a function of libqmp is called.
 */
#ifndef TOOLS_QAPI_GEN_CLIENT_H
#define TOOLS_QAPI_GEN_CLIENT_H

#include "tools/qapi-gen/emit.h"

/*
 * How arguments are given. Those of a union, of a boxed struct and without 'gen' are one; otherwise those that must be
 * given are one each, and the rest is a struct that may grow.
 */
bool is_unpacked(const Definition *command);
bool has_options(const Definition *command);

/* The name of the parameter. */
const char *parameter_name(const Out *out, const Member *member);

/* The name of the member of the options; `size` is the struct's own. */
const char *option_name(const Out *out, const Member *member);

/* The C type of a value that is given, and stays the caller's. */
const char *borrowed_type(const Out *out, const Definition *type);

typedef enum Form { FORM_CALL, FORM_START, FORM_FINISH } Form;

/* Without the semicolon. */
void emit_call_prototype(Out *out, const Definition *command, Form form);

/* ", TYPE NAME" for each argument; with `names_only` ", NAME". */
void emit_parameters(Out *out, const Definition *command, bool names_only);

#endif
