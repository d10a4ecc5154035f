/*
 * match.h: does a field, or a struct, fit one that it was not written for? (vmstate/FORMAT.md section 3)
 *
 * The loader and the verdict both ask here, so that the one cannot promise what the other will not do.
 */
#ifndef VMSTATE_MATCH_H
#define VMSTATE_MATCH_H

#include "vmstate/desc.h"

typedef enum VmsMatch {
    VMS_MATCH_IDENTICAL,
    VMS_MATCH_WIDENED,   /* every value fits */
    VMS_MATCH_NARROWED,  /* the value decides */
    VMS_MATCH_CONVERTED, /* differs in what does not matter */
    VMS_MATCH_UNJUDGED,  /* octets nobody described, and not as many */
    VMS_MATCH_INCOMPATIBLE,
} VmsMatch;

/* Do `from` (the stream's) and `to` (the destination's) fit, what is inside a struct apart? `why` gets a new string
 * unless identical. */
VmsMatch vms_match_field(const VMStateField *to, const VMStateField *from, char **why);

/* What a field holds, in words: "uint32", "uint8[16]", "buffer of 256 octets", "struct segment[6]". New string. */
char *vms_field_describe(const VMStateField *f);

enum { VMS_NO_FIELD = -1 };

/* Which field of the stream goes to which of the destination. */
typedef struct VmsPlan {
    const VMStateDescription *to, *from;
    int *from_of; /* for each field of `to`: its number in `from`, or VMS_NO_FIELD */
    bool *wanted; /* for each field of `from`: is it the source of one in `to`? */
    size_t wanted_count;
} VmsPlan;

VmsPlan *vms_plan_new(const VMStateDescription *to, const VMStateDescription *from);
void vms_plan_free(VmsPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VmsPlan, vms_plan_free)

/* May a stream lack this field of the destination? version: of the stream's struct. */
bool vms_may_be_missing(const VMStateField *to, int version);

/* May a destination lack this field of the stream? */
bool vms_may_be_skipped(const VMStateField *from);

/* The number of the subsection of that name, or VMS_NO_FIELD. */
int vms_subsection_find(const VMStateDescription *desc, const char *name);

#endif
