/* options-drive.c: -drive and -blockdev. */
#include <string.h>

#include "emu/machine/options-impl.h"

static const char *const locking_names[] = {"auto", "on", "off", NULL};
static const VmsChoice locking_choice = VMS_CHOICE_OF(locking_names);

/* --- -drive ----------------------------------------------------------------------------------------------------- */

static const char *const interface_names[] = {"ide", "floppy", "virtio", "pflash", "none", NULL};
static const char *const format_names[] = {"auto", "raw", "qcow2", NULL};
static const char *const media_names[] = {"disk", "cdrom", NULL};
static const char *const cache_names[] = {"writeback", "none", "writethrough", "directsync", "unsafe", NULL};
static const char *const aio_names[] = {"threads", "native", "io_uring", NULL};
static const char *const discard_names[] = {"ignore", "unmap", "off", "on", NULL};
static const char *const zeroes_names[] = {"off", "on", "unmap", NULL};
static const char *const on_error_names[] = {"auto", "ignore", "report", "stop", "enospc", NULL};
static const VmsChoice interface_choice = VMS_CHOICE_OF(interface_names);
static const VmsChoice format_choice = VMS_CHOICE_OF(format_names);
static const VmsChoice media_choice = VMS_CHOICE_OF(media_names);
static const VmsChoice cache_choice = VMS_CHOICE_OF(cache_names);
static const VmsChoice aio_choice = VMS_CHOICE_OF(aio_names);
static const VmsChoice discard_choice = VMS_CHOICE_OF(discard_names);
static const VmsChoice zeroes_choice = VMS_CHOICE_OF(zeroes_names);
static const VmsChoice on_error_choice = VMS_CHOICE_OF(on_error_names);

/* All but the file, which is a name, or a group of keys. */
#define DRIVE_FIELDS                                                                                                   \
    VMS_TEXT(OptionsDrive, id), VMS_CHOICE(OptionsDrive, interface, &interface_choice, .name = "if"),                  \
        VMS_CHOICE(OptionsDrive, format, &format_choice), VMS_CHOICE(OptionsDrive, media, &media_choice),              \
        VMS_CHOICE(OptionsDrive, cache, &cache_choice), VMS_CHOICE(OptionsDrive, aio, &aio_choice),                    \
        VMS_CHOICE(OptionsDrive, discard, &discard_choice),                                                            \
        VMS_CHOICE(OptionsDrive, detect_zeroes, &zeroes_choice, .name = "detect-zeroes"),                              \
        VMS_CHOICE(OptionsDrive, werror, &on_error_choice), VMS_CHOICE(OptionsDrive, rerror, &on_error_choice),        \
        VMS_FIELD(OptionsDrive, index, .presence = 1 + offsetof(OptionsDrive, has_index)),                             \
        VMS_FIELD(OptionsDrive, bus, .presence = 1 + offsetof(OptionsDrive, has_bus)),                                 \
        VMS_FIELD(OptionsDrive, unit, .presence = 1 + offsetof(OptionsDrive, has_unit)),                               \
        VMS_FIELD(OptionsDrive, readonly), VMS_FIELD(OptionsDrive, readonly, .name = "read-only"),                     \
        VMS_FIELD(OptionsDrive, snapshot)

static const VMStateField drive_fields[] = {
    VMS_TEXT(OptionsDrive, file),
    DRIVE_FIELDS,
    VMS_END,
};

const VMStateDescription options_drive = {
    .name = "drive",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsDrive),
    .fields = drive_fields,
};

static const VMStateField drive_file_fields[] = {
    VMS_TEXT(OptionsDrive, file, .name = "filename"),
    VMS_CHOICE(OptionsDrive, locking, &locking_choice),
    VMS_END,
};

static const VMStateDescription drive_file = {
    .name = "file",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsDrive),
    .fields = drive_file_fields,
};

static const VMStateField drive_group_fields[] = {
    {.name = "file", .kind = VMS_STRUCT, .offset = 0, .size = sizeof(OptionsDrive), .count = 1, .desc = &drive_file},
    DRIVE_FIELDS,
    VMS_END,
};

static const VMStateDescription drive_group = {
    .name = "drive",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsDrive),
    .fields = drive_group_fields,
};

/* "file=NAME,file.locking=off": beside keys of the file's its name is one of them. New; NULL: there are none. */
static char *with_file_group(const char *text)
{
    bool group = false;
    GString *all = g_string_new(NULL);

    for (const char *key = text; *key;) {
        size_t len = strcspn(key, ",");
        while (key[len] && key[len + 1] == ',') /* a comma in a value */
            len += 2 + strcspn(key + len + 2, ",");
        group |= g_str_has_prefix(key, "file.");
        bool name = g_str_has_prefix(key, "file=");
        len += key[len] == ',';
        g_string_append(all, name ? "file.filename" : "");
        g_string_append_len(all, name ? key + strlen("file") : key, (gssize)(name ? len - strlen("file") : len));
        key += len;
    }
    return g_string_free(all, !group);
}

/* --- -blockdev -------------------------------------------------------------------------------------------------- */

static const char *const file_driver_names[] = {"file", "host_device", NULL};
static const char *const block_driver_names[] = {"raw", "qcow2", "file", "host_device", NULL};
static const VmsChoice file_driver_choice = VMS_CHOICE_OF(file_driver_names);
static const VmsChoice block_driver_choice = VMS_CHOICE_OF(block_driver_names);

/* Keys "cache.direct" and "cache.no-flush" are a group in JSON, too; the group's members are those of the node. */
#define CACHE_GROUP(Struct, name_)                                                                                     \
    static const VMStateField name_##_fields[] = {                                                                     \
        VMS_FIELD(Struct, direct),                                                                                     \
        VMS_FIELD(Struct, no_flush, .name = "no-flush"),                                                               \
        VMS_END,                                                                                                       \
    };                                                                                                                 \
    static const VMStateDescription name_ = {                                                                          \
        .name = "cache",                                                                                               \
        .version = 1,                                                                                                  \
        .minimum = 1,                                                                                                  \
        .size = sizeof(Struct),                                                                                        \
        .fields = name_##_fields,                                                                                      \
    }

CACHE_GROUP(OptionsBlockFile, file_cache);
CACHE_GROUP(OptionsBlockdev, node_cache);

#define NODE_FIELDS(Struct, drivers, cache_)                                                                           \
    VMS_CHOICE(Struct, driver, &(drivers), .flags = VMS_REQUIRED), VMS_TEXT(Struct, node_name, .name = "node-name"),   \
        VMS_TEXT(Struct, filename), VMS_CHOICE(Struct, aio, &aio_choice),                                              \
        VMS_CHOICE(Struct, locking, &locking_choice), VMS_CHOICE(Struct, discard, &discard_choice),                    \
        VMS_FIELD(Struct, read_only, .name = "read-only"),                                                             \
        VMS_FIELD(Struct, auto_read_only, .name = "auto-read-only"),                                                   \
    {                                                                                                                  \
        .name = "cache", .kind = VMS_STRUCT, .offset = 0, .size = sizeof(Struct), .count = 1, .desc = &(cache_)        \
    }

static const VMStateField block_file_fields[] = {
    NODE_FIELDS(OptionsBlockFile, file_driver_choice, file_cache),
    VMS_END,
};

static const VMStateDescription block_file = {
    .name = "file",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsBlockFile),
    .fields = block_file_fields,
};

static bool check_blockdev(const void *state, GError **error)
{
    const OptionsBlockdev *b = state;
    bool is_format = b->driver < 2;

    if (!b->node_name)
        return options_fail(error, "node-name", "the key is missing");
    if (is_format && b->filename)
        return options_fail(error, "filename", "it belongs to the node below: file.driver=file,file.filename=...");
    if (is_format && !b->file_node && !b->file.filename)
        return options_fail(error, b->file.node_name ? "file.filename" : "file", "the key is missing");
    if (!is_format && !b->filename)
        return options_fail(error, "filename", "the key is missing");
    if (!is_format && (b->file_node || b->file.filename || b->backing))
        return options_fail(error, b->backing ? "backing" : "file", "the driver %s has no node below it",
                            block_driver_names[b->driver]);
    return !b->backing || b->driver == 1 || options_fail(error, "backing", "only qcow2 has it");
}

static const VMStateField group_fields[] = {
    NODE_FIELDS(OptionsBlockdev, block_driver_choice, node_cache),
    VMS_CHOICE(OptionsBlockdev, detect_zeroes, &zeroes_choice, .name = "detect-zeroes"),
    VMS_TEXT(OptionsBlockdev, backing),
    VMS_SUB(OptionsBlockdev, file, &block_file),
    VMS_END,
};

static const VMStateField reference_fields[] = {
    NODE_FIELDS(OptionsBlockdev, block_driver_choice, node_cache),
    VMS_CHOICE(OptionsBlockdev, detect_zeroes, &zeroes_choice, .name = "detect-zeroes"),
    VMS_TEXT(OptionsBlockdev, backing),
    VMS_TEXT(OptionsBlockdev, file_node, .name = "file"),
    VMS_END,
};

/* `file` is a group of keys, or the name of a node. */
const VMStateDescription options_blockdev_group = {
    .name = "blockdev",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsBlockdev),
    .fields = group_fields,
    .check = check_blockdev,
};

const VMStateDescription options_blockdev_reference = {
    .name = "blockdev",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsBlockdev),
    .fields = reference_fields,
    .check = check_blockdev,
};

/* --- lives ------------------------------------------------------------------------------------------------------ */

OptionsDrive *options_drive_new(void)
{
    return g_new0(OptionsDrive, 1);
}

bool options_drive_load(OptionsDrive *d, const char *text, GError **error)
{
    g_autofree char *group = with_file_group(text);

    return options_load(group ? &drive_group : &options_drive, d, group ? group : text, NULL, "-drive", error);
}

OptionsBlockdev *options_blockdev_new(const char *text, GError **error)
{
    g_autofree char *reference = options_peek(text, "file", "driver");
    const VMStateDescription *desc = reference ? &options_blockdev_reference : &options_blockdev_group;
    OptionsBlockdev *b = g_new0(OptionsBlockdev, 1);

    if (options_load(desc, b, text, "driver", "-blockdev", error))
        return b;
    options_blockdev_free(b);
    return NULL;
}

void options_blockdev_free(OptionsBlockdev *b)
{
    g_free(b->node_name);
    g_free(b->filename);
    g_free(b->file_node);
    g_free(b->backing);
    g_free(b->file.node_name);
    g_free(b->file.filename);
    g_free(b);
}

void options_drive_free(OptionsDrive *d)
{
    g_free(d->file);
    g_free(d->id);
    g_free(d);
}
