/* configuration.c: the section with which QEMU's stream starts. Source: vmstate/FORMAT.md section 1.1, recordings g10,
 * g11. */
#include "vmstate/configuration.h"

#include <string.h>

static const VMStateField page_bits_fields[] = {
    VMS_FIELD(Configuration, page_bits),
    VMS_END,
};

static const VMStateDescription page_bits = {
    .name = "configuration/target-page-bits",
    .version = 1,
    .minimum = 1,
    .fields = page_bits_fields,
};

static const VMStateField capability_fields[] = {
    VMS_TEXT(ConfigurationCapability, name),
    VMS_END,
};

static const VMStateDescription capability = {
    .name = "capability",
    .version = 1,
    .minimum = 1,
    .size = sizeof(ConfigurationCapability),
    .fields = capability_fields,
};

static const VMStateField capabilities_fields[] = {
    VMS_FIELD(Configuration, capability_count),
    VMS_SUB_ARRAY(Configuration, capabilities, &capability, VMS_COUNTED_BY(Configuration, capability_count)),
    VMS_END,
};

static const VMStateDescription capabilities = {
    .name = "configuration/capabilities",
    .version = 1,
    .minimum = 1,
    .fields = capabilities_fields,
};

static const VMStateField uuid_fields[] = {
    VMS_BYTES(Configuration, uuid),
    VMS_END,
};

static const VMStateDescription uuid = {
    .name = "configuration/uuid",
    .version = 1,
    .minimum = 1,
    .fields = uuid_fields,
};

static const VMStateField fields[] = {
    VMS_FIELD(Configuration, len),
    VMS_COUNTED(Configuration, name, len),
    VMS_END,
};

static const VMStateSubsection subsections[] = {
    {.desc = &page_bits, .presence = 1 + offsetof(Configuration, has_page_bits)},
    {.desc = &capabilities, .presence = 1 + offsetof(Configuration, has_capabilities)},
    {.desc = &uuid, .presence = 1 + offsetof(Configuration, has_uuid)},
    {.desc = NULL},
};

const VMStateDescription configuration_state = {
    .name = "configuration",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Configuration),
    .fields = fields,
    .subsections = subsections,
};

bool configuration_has(const Configuration *c, const char *name)
{
    for (uint32_t i = 0; c->has_capabilities && i < c->capability_count; i++)
        if (g_strcmp0(c->capabilities[i].name, name) == 0)
            return true;
    return false;
}
