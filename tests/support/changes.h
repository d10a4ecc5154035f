/*
 * changes.h: descriptions with one thing changed, and what a verdict should say of the change.
 */
#ifndef TESTS_SUPPORT_CHANGES_H
#define TESTS_SUPPORT_CHANGES_H

#include "vmstate/schema.h"
#include "vmstate/verdict.h"

typedef enum Change {
    CHANGE_RENAME,
    CHANGE_WIDEN,
    CHANGE_NARROW,
    CHANGE_RESIGN,
    CHANGE_REORDER, /* with the field behind it */
    CHANGE_DROP,
    CHANGE_ADD, /* a field behind it */
    CHANGE_COUNT,
    CHANGES,
} Change;

const char *change_name(Change change);

/* Where a field is: field numbers from the outermost struct in; -1 - n for subsection number n. */
typedef struct FieldPlace {
    int steps[64];
    unsigned depth;
} FieldPlace;

/* All fields of a description, in structs and subsections too. An array of FieldPlace. */
GArray *changes_places(const VMStateDescription *desc);

/*
 * What the destination's description would be with that change at that place: a description of `schema`. NULL if the
 * change makes no sense there (widening a buffer).
 */
const VMStateDescription *changes_apply(Schema *schema, const VMStateDescription *desc, const FieldPlace *place,
                                        Change change);

/*
 * What should be said: from the rules of vmstate/FORMAT.md part 3, looked up again here. kinds: what the findings may
 * be called, NULL at the end. The path that they should have, or one of them, is returned as a new string.
 */
typedef struct Expectation {
    VerdictLevel level;
    const char *kinds[3];
    char *path;
    unsigned findings; /* exactly so many */
} Expectation;

Expectation changes_expect(const char *title, const VMStateDescription *desc, const void *state,
                           const FieldPlace *place, Change change);

/* Is the verdict what was expected? Otherwise *why gets a new string. */
bool changes_judged_right(const Verdict *verdict, const Expectation *expectation, char **why);

#endif
