/*
 * schema.h: descriptions built at run time, and the sections of a stream that they describe.
 *
 * A Schema owns its descriptions and all they point to. Two descriptions that say the same are one, so that a machine
 * of 288 vCPUs has one description of a vCPU, and comparing pointers compares types. In memory a described struct is
 * packed: its fields one after the other, then a bool for each subsection, then the fields of the subsections.
 */
#ifndef VMSTATE_SCHEMA_H
#define VMSTATE_SCHEMA_H

#include "visitors/bytes.h"
#include "vmstate/desc.h"

typedef struct Schema Schema;

typedef struct SchemaSection {
    const char *name; /* the section's idstr */
    uint32_t instance;
    int version;
    const VMStateDescription *desc; /* NULL: not described */
    int64_t octets;                 /* then: how many, or -1 if that is not known */
} SchemaSection;

/* Counted references: whoever keeps a description longer than it was lent keeps its schema. */
Schema *schema_new(void);
Schema *schema_ref(Schema *schema);
void schema_unref(Schema *schema);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Schema, schema_unref)

size_t schema_section_count(const Schema *schema);
const SchemaSection *schema_section(const Schema *schema, size_t i);

/* The section of that name and instance; `nth` of them (from 0) if it comes more than once. NULL if there is none. */
const SchemaSection *schema_find(const Schema *schema, const char *name, uint32_t instance, unsigned nth);

/* Adds a section (copied); its description must be one of this schema. False beyond the limit. */
bool schema_add_section(Schema *schema, const SchemaSection *section, GError **error);

/*
 * Gives the sections from number `first` on that are not described the description that `from`, which must live longer,
 * has of a section of that name, instance and version.
 */
void schema_borrow(Schema *schema, size_t first, const Schema *from);

/* --- building descriptions -------------------------------------------------------------------------------------- */

typedef struct TypeBuilder TypeBuilder;

/* All names are copied. minimum: the oldest version that loads; -1 if nobody says. */
TypeBuilder *type_builder_new(Schema *schema, const char *name, int version, int minimum);

/*
 * Appends a field. Of *field, these count: name, type, kind, scalar, size, count, flags, since, index, counted_by
 * (which must name an earlier field), and desc, one of this schema.
 */
void type_builder_field(TypeBuilder *builder, const VMStateField *field);

/* Appends a subsection whose fields are described by `desc`, one of this schema. */
void type_builder_subsection(TypeBuilder *builder, const VMStateDescription *desc, uint32_t flags);

/* Frees the builder and returns the description, or NULL with an error if it is not sound or beyond the limits. */
const VMStateDescription *type_builder_finish(TypeBuilder *builder, GError **error);

void type_builder_free(TypeBuilder *builder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TypeBuilder, type_builder_free)

/*
 * One description for elements of an array that agree but for their subsections: the fields of both, the subsections of
 * either. NULL if they do not agree. Both are of this schema.
 */
const VMStateDescription *schema_merge(Schema *schema, const VMStateDescription *a, const VMStateDescription *b);

/* The description that a subsection was added as (the one in `subsections` is laid out for its struct). */
const VMStateDescription *schema_subsection_origin(const Schema *schema, const VMStateDescription *laid_out);

#endif
