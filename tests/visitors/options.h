/* options.h: a struct of options, for tests of visitors that find them by name; and a zoo without subsections. */
#ifndef TESTS_VISITORS_OPTIONS_H
#define TESTS_VISITORS_OPTIONS_H

#include <criterion/criterion.h>

#include "tests/support/zoo.h"
#include "vmstate/options.h"
#include "vmstate/state.h"

typedef struct DriveGeometry {
    uint16_t cylinders;
    uint8_t heads;
} DriveGeometry;

typedef struct Drive {
    char *file, *format;
    uint8_t cache;
    bool readonly, has_unit;
    int8_t unit;
    uint32_t index;
    uint64_t size;
    uint16_t lengths[2];
    DriveGeometry geometry;
    DriveGeometry halves[2];
} Drive;

static const char *const drive_caches[] = {"writeback", "none", "unsafe", NULL};
static const VmsChoice drive_cache = VMS_CHOICE_OF(drive_caches);

static const VMStateField drive_geometry_fields[] = {
    VMS_FIELD(DriveGeometry, cylinders),
    VMS_FIELD(DriveGeometry, heads),
    VMS_END,
};

static const VMStateDescription drive_geometry = {
    .name = "geometry",
    .version = 1,
    .minimum = 1,
    .size = sizeof(DriveGeometry),
    .fields = drive_geometry_fields,
};

static const VMStateField drive_fields[] = {
    VMS_TEXT(Drive, file, .flags = VMS_REQUIRED),
    VMS_TEXT(Drive, format),
    VMS_CHOICE(Drive, cache, &drive_cache),
    VMS_FIELD(Drive, readonly),
    VMS_FIELD(Drive, unit, .presence = 1 + offsetof(Drive, has_unit)),
    VMS_FIELD(Drive, index),
    VMS_FIELD(Drive, size),
    VMS_ARRAY(Drive, lengths),
    VMS_SUB(Drive, geometry, &drive_geometry),
    VMS_SUB_ARRAY(Drive, halves, &drive_geometry),
    VMS_END,
};

static const VMStateDescription drive_options = {
    .name = "drive",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Drive),
    .fields = drive_fields,
};

#define DRIVE_KEYS "cache, file, format, geometry, halves, index, lengths, readonly, size, unit"

static inline void drive_done(Drive *d)
{
    vms_state_done(&drive_options, d);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Drive, drive_done)

/* The zoo as one level of options can say it. */
static inline VMStateDescription zoo_options(void)
{
    VMStateDescription desc = zoo_state;

    desc.subsections = NULL;
    return desc;
}

#endif
