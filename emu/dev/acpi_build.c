/*
 * acpi_build.c: the one bit that a stream has of the making of the ACPI tables, no chip at all.
 *
 * Source: streams of QEMU 7.2. The tables themselves are in RAM blocks, and their sizes in the section of fw_cfg.
 * Ports and lines: none.
 */
#include "emu/dev/acpi_build.h"

#include "emu/dev/dev.h"

typedef struct AcpiBuildState {
    uint8_t patched; /* the guest has read them */
} AcpiBuildState;

typedef struct AcpiBuild {
    Device dev;
    AcpiBuildState s;
} AcpiBuild;

bool acpi_build_first_read(Device *dev)
{
    AcpiBuild *a = (AcpiBuild *)dev;
    bool first = !a->s.patched;

    a->s.patched = 1;
    return first;
}

bool acpi_build_is_patched(const Device *dev)
{
    return ((const AcpiBuild *)dev)->s.patched;
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool check(const void *state, GError **error)
{
    const AcpiBuildState *s = state;

    if (s->patched <= 1)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "patched: 0x%x is neither 0 nor 1", s->patched);
    return false;
}

static const VMStateField fields[] = {
    VMS_FIELD(AcpiBuildState, patched),
    VMS_END,
};

static const VMStateDescription acpi_build_state = {
    .name = "acpi_build",
    .version = 1,
    .minimum = 1,
    .size = sizeof(AcpiBuildState),
    .fields = fields,
    .check = check,
};

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    AcpiBuild *a = (AcpiBuild *)dev;

    a->s = (AcpiBuildState){.patched = 0};
}

const DeviceType acpi_build_type = {
    .name = "acpi_build",
    .about = "whether the ACPI tables have been read",
    .size = sizeof(AcpiBuild),
    .state = &acpi_build_state,
    .state_offset = offsetof(AcpiBuild, s),
    .reset = reset,
};
