/*
 * compare.h: finds the fields in which two states differ.
 */
#ifndef TOOLS_VMSTATE_DIFF_COMPARE_H
#define TOOLS_VMSTATE_DIFF_COMPARE_H

#include "tools/common/model.h"

typedef enum DiffSide { DIFF_ONLY_A, DIFF_ONLY_B, DIFF_CHANGED } DiffSide;

/* Where the two differ. a, b: the values in words; NULL where there is none. */
typedef void DiffFn(void *data, DiffSide side, const char *path, const char *a, const char *b);

/* Calls fn for every difference between two states of (perhaps different) descriptions. `title` starts every path. */
void compare_states(const char *title, const ModelSection *a, const ModelSection *b, DiffFn *fn, void *data);

#endif
