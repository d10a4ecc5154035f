/* schema-impl.h: what the files of the schema share. Only included by them. */
#ifndef VMSTATE_SCHEMA_IMPL_H
#define VMSTATE_SCHEMA_IMPL_H

#include "vmstate/schema.h"

/* What each description of a schema really is. */
typedef struct SchemaType {
    VMStateDescription desc;
    const VMStateDescription *origin; /* of a copy that was laid out for a parent */
    unsigned depth;                   /* of nesting, 0 without structs in it */
    bool aligned;                     /* there is a pointer in it */
    size_t subsection_fields;         /* in all subsections, theirs included */
    size_t visits;                    /* a walk makes at most, see VMS_VISITS_MAX */
    size_t pads;                      /* octets of pads */
    size_t path;                      /* octets of the longest path of a field in it */
} SchemaType;

struct Schema {
    unsigned refs;
    GArray *sections;    /* of SchemaSection */
    GHashTable *by_name; /* "instance/name" -> GArray of section numbers */
    GStringChunk *strings;
    GHashTable *interned; /* of strings */
    GPtrArray *owned;     /* descriptions, arrays of fields and of subsections */
    GHashTable *types;    /* GBytes that say all -> description */
    GHashTable *built;    /* of the descriptions that were built here */
    size_t fields_total;
    size_t visits, pads, octets; /* of all sections: visits a walk makes, octets of pads, octets of state */
};

static inline const SchemaType *schema_type(const VMStateDescription *desc)
{
    return (const SchemaType *)desc;
}

/* The schema's own copy of a text (or NULL): equal texts have one address. */
const char *schema_intern(Schema *schema, const char *text);

#endif
