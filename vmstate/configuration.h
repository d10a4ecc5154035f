/*
 * configuration.h: the section with which QEMU's stream starts (vmstate/FORMAT.md section 1.1).
 */
#ifndef VMSTATE_CONFIGURATION_H
#define VMSTATE_CONFIGURATION_H

#include "vmstate/desc.h"

enum { CONFIGURATION_CAPABILITIES = 64 };

typedef struct ConfigurationCapability {
    char *name;
} ConfigurationCapability;

typedef struct Configuration {
    uint32_t len;
    uint8_t name[256]; /* machine type, len octets */
    bool has_page_bits, has_capabilities, has_uuid;
    uint32_t page_bits;
    uint32_t capability_count;
    ConfigurationCapability capabilities[CONFIGURATION_CAPABILITIES];
    uint8_t uuid[16];
} Configuration;

extern const VMStateDescription configuration_state;

/* Is that capability listed as on? */
bool configuration_has(const Configuration *configuration, const char *capability);

#endif
