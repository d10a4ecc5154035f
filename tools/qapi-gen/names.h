/*
 * names.h: what names of the schema are called in C, and which names are good.
 */
#ifndef TOOLS_QAPI_GEN_NAMES_H
#define TOOLS_QAPI_GEN_NAMES_H

#include <stdbool.h>

#include "tools/qapi-gen/arena.h"

/* "host-device" is host_device; with `protect` "unix" is q_unix, and so are C's own words. */
const char *name_c(Arena *arena, const char *name, bool protect);

/* "host-device" is HOST_DEVICE. */
const char *name_upper(Arena *arena, const char *name);

/* Of a type: "ACPISlotType" is ACPI_SLOT_TYPE. */
const char *name_split(Arena *arena, const char *name);

/* Of a command or an event: "query-block" and "QUERY_BLOCK" are QueryBlock. */
const char *name_camel(Arena *arena, const char *name);

typedef enum NameStyle {
    NAME_LOWER,      /* members, features: a-b2 */
    NAME_UNDERSCORE, /* the same, and _ */
    NAME_MIXED,      /* the same, and upper case */
    NAME_VALUE,      /* values: as members, and may begin with a digit */
    NAME_VALUE_MIXED,
    NAME_TYPE,  /* CamelCase */
    NAME_EVENT, /* UPPER_CASE */
} NameStyle;

/* NULL: the name is good. Otherwise what is wrong with it. "__org.example_" may stand in front. */
const char *name_fault(const char *name, NameStyle style);

#endif
