/* verdict-impl.h: what the parts of a verdict share. Only included by them. */
#ifndef VMSTATE_VERDICT_IMPL_H
#define VMSTATE_VERDICT_IMPL_H

#include "vmstate/verdict.h"

typedef struct Judge {
    Verdict *verdict;
    VerdictLoader loader;
} Judge;

/* Adds a finding. `kind` is a constant. */
void verdict_find(Judge *j, VerdictLevel level, const char *kind, const char *path, const char *format, ...)
    G_GNUC_PRINTF(5, 6);

/* The path of a field of the struct at `path`. New string. */
char *verdict_join(const char *path, const VMStateDescription *desc, const VMStateField *f);

void verdict_version(Judge *j, const char *path, int to, int minimum, int from);

/* Of these states (or NULL): those in which the subsection is there; the structs behind a field. New arrays. */
GPtrArray *verdict_states_with(const VMStateSubsection *sub, const GPtrArray *states);
GPtrArray *verdict_inner_states(const VMStateField *from, const GPtrArray *states, int version);

/* Subsections of the destination that the stream does not have. */
void verdict_missing_subsections(Judge *j, const char *path, const VMStateDescription *to,
                                 const VMStateDescription *from, const GPtrArray *states);

/*
 * Judge a struct. states: all structs of that description whose values would be loaded (an array has several), or NULL
 * if only descriptions are compared.
 */
void verdict_by_name(Judge *j, const char *path, const VMStateDescription *to, const VMStateDescription *from,
                     int version, const GPtrArray *states);
void verdict_by_position(Judge *j, const char *path, const VMStateDescription *to, const VMStateDescription *from,
                         const GPtrArray *states);

#endif
