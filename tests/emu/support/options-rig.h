/* options-rig.h: command lines for tests, and types of devices that exist only here. */
#ifndef TESTS_SUPPORT_OPTIONS_RIG_H
#define TESTS_SUPPORT_OPTIONS_RIG_H

#include <criterion/criterion.h>

#include "emu/machine/options.h"

typedef struct Gadget {
    Device dev;
    char *drive, *serial;
    uint16_t vectors;
    uint64_t size;
    bool fast, has_index;
    int32_t index;
} Gadget;

typedef struct Lamp {
    Device dev;
    uint8_t colour;
} Lamp;

extern const DeviceType gadget_type, lamp_type;

/* A command line, given as words up to NULL. */
#define PARSE(...) options_rig_parse((const char *const[]){__VA_ARGS__, NULL})
Options *options_rig_parse(const char *const *words);

/* It must fail with this message. */
#define REFUSE(message, ...) options_rig_refuse(message, (const char *const[]){__VA_ARGS__, NULL})
void options_rig_refuse(const char *message, const char *const *words);

#endif
