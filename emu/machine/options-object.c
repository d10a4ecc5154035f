/* options-object.c: -object. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "emu/machine/options-impl.h"

static const char *const type_names[] = {"memory-backend-ram",
                                         "memory-backend-memfd",
                                         "memory-backend-file",
                                         "rng-random",
                                         "rng-builtin",
                                         "iothread",
                                         "secret",
                                         NULL};
static const VmsChoice type_choice = VMS_CHOICE_OF(type_names);

#define COMMON                                                                                                         \
    VMS_CHOICE(OptionsObject, type, &type_choice, .name = "qom-type"),                                                 \
        VMS_TEXT(OptionsObject, id, .flags = VMS_REQUIRED)

#define MEMORY                                                                                                         \
    VMS_FIELD(OptionsObject, size, .flags = VMS_REQUIRED), VMS_FIELD(OptionsObject, share),                            \
        VMS_FIELD(OptionsObject, prealloc), VMS_FIELD(OptionsObject, merge), VMS_FIELD(OptionsObject, dump),           \
        VMS_FIELD(OptionsObject, reserve)

static const VMStateField plain_fields[] = {COMMON, VMS_END};
static const VMStateField ram_fields[] = {COMMON, MEMORY, VMS_END};
static const VMStateField memfd_fields[] = {
    COMMON, MEMORY, VMS_FIELD(OptionsObject, hugetlb), VMS_FIELD(OptionsObject, hugetlbsize), VMS_END,
};
static const VMStateField file_fields[] = {
    COMMON,
    MEMORY,
    VMS_TEXT(OptionsObject, path, .name = "mem-path", .flags = VMS_REQUIRED),
    VMS_FIELD(OptionsObject, readonly),
    VMS_END,
};
static const VMStateField random_fields[] = {COMMON, VMS_TEXT(OptionsObject, path, .name = "filename"), VMS_END};

static const char *const format_names[] = {"raw", "base64", NULL};
static const VmsChoice format_choice = VMS_CHOICE_OF(format_names);
static const VMStateField secret_fields[] = {
    COMMON,
    VMS_TEXT(OptionsObject, data),
    VMS_TEXT(OptionsObject, path, .name = "file"),
    VMS_CHOICE(OptionsObject, format, &format_choice),
    VMS_END,
};

/* Nothing here is encrypted, so nobody asks for it: it is enough that it is there, as libvirt wants. */
static bool check_secret(const void *state, GError **error)
{
    const OptionsObject *o = state;

    if (!o->data == !o->path)
        return options_fail(error, "qom-type", "a secret has either data or file");
    if (o->path && access(o->path, R_OK) < 0)
        return options_fail(error, "file", "%s: %s", o->path, g_strerror(errno));
    return true;
}

static bool check_memory(const void *state, GError **error)
{
    const OptionsObject *o = state;

    return o->size || options_fail(error, "size", "memory of no octets is none");
}

#define DESC(name_, fields_, check_)                                                                                   \
    {                                                                                                                  \
        .name = (name_), .version = 1, .minimum = 1, .size = sizeof(OptionsObject), .fields = (fields_),               \
        .check = (check_)                                                                                              \
    }

static const VMStateDescription ram_desc = DESC("memory-backend-ram", ram_fields, check_memory);
static const VMStateDescription memfd_desc = DESC("memory-backend-memfd", memfd_fields, check_memory);
static const VMStateDescription file_desc = DESC("memory-backend-file", file_fields, check_memory);
static const VMStateDescription random_desc = DESC("rng-random", random_fields, NULL);
static const VMStateDescription builtin_desc = DESC("rng-builtin", plain_fields, NULL);
static const VMStateDescription iothread_desc = DESC("iothread", plain_fields, NULL);
static const VMStateDescription secret_desc = DESC("secret", secret_fields, check_secret);

const OptionsVariant options_object[] = {
    {"memory-backend-ram", &ram_desc},
    {"memory-backend-memfd", &memfd_desc},
    {"memory-backend-file", &file_desc},
    {"rng-random", &random_desc},
    {"rng-builtin", &builtin_desc},
    {"iothread", &iothread_desc},
    {"secret", &secret_desc},
    {NULL, NULL},
};

const VMStateDescription *options_object_desc(const char *type)
{
    for (const OptionsVariant *v = options_object; v->name; v++)
        if (strcmp(v->name, type) == 0)
            return v->desc;
    return NULL;
}

void options_object_free(OptionsObject *object)
{
    g_free(object->id);
    g_free(object->path);
    g_free(object->data);
    g_free(object);
}
