/* new-image.c: options of new images, and their files. */
#include "tools/qcow2-tool/new-image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "visitors/error.h"

/* --- options ---------------------------------------------------------------------------------------------------- */

static bool flag_value(const char *key, const char *value)
{
    if (strcmp(value, "on") == 0 || strcmp(value, "yes") == 0 || strcmp(value, "true") == 0)
        return true;
    if (strcmp(value, "off") != 0 && strcmp(value, "no") != 0 && strcmp(value, "false") != 0)
        cli_usage("-o %s takes on or off, not '%s'", key, value);
    return false;
}

static void set_size(NewImage *n, const char *key, const char *value)
{
    n->create.size = tool_size(value, key);
    n->has_size = true;
}

static void set_preallocation(NewImage *n, const char *key, const char *value)
{
    static const char *const names[] = {
        [QCOW2_PREALLOCATE_OFF] = "off",
        [QCOW2_PREALLOCATE_METADATA] = "metadata",
        [QCOW2_PREALLOCATE_FALLOCATE] = "falloc",
        [QCOW2_PREALLOCATE_FULL] = "full",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (strcmp(value, names[i]) == 0 && !(n->raw && i == QCOW2_PREALLOCATE_METADATA)) {
            n->create.preallocation = (Qcow2Preallocation)i;
            return;
        }
    }
    cli_usage("-o %s takes off, %sfalloc or full, not '%s'", key, n->raw ? "" : "metadata, ", value);
}

static void set_compat(NewImage *n, const char *key, const char *value)
{
    if (strcmp(value, "0.10") == 0 || strcmp(value, "v2") == 0)
        n->create.version = 2;
    else if (strcmp(value, "1.1") == 0 || strcmp(value, "v3") == 0)
        n->create.version = 3;
    else
        cli_usage("-o %s takes 0.10 (v2) or 1.1 (v3), not '%s'", key, value);
}

static void set_compression(NewImage *n, const char *key, const char *value)
{
    if (strcmp(value, "zlib") != 0 && strcmp(value, "zstd") != 0)
        cli_usage("-o %s takes zlib or zstd, not '%s'", key, value);
    n->create.zstd = strcmp(value, "zstd") == 0;
}

static const char *keep(NewImage *n, const char *value)
{
    return g_string_chunk_insert(n->texts, value);
}

static void set_backing_file(NewImage *n, const char *key, const char *value)
{
    (void)key;
    n->create.backing = keep(n, value);
}

static void set_backing_format(NewImage *n, const char *key, const char *value)
{
    if (strcmp(value, "raw") != 0 && strcmp(value, "qcow2") != 0)
        cli_usage("-o %s takes raw or qcow2, not '%s'", key, value);
    n->create.backing_format = keep(n, value);
}

static void set_data_file(NewImage *n, const char *key, const char *value)
{
    (void)key;
    n->create.data_file = keep(n, value);
}

static void set_data_file_raw(NewImage *n, const char *key, const char *value)
{
    n->create.data_file_raw = flag_value(key, value);
}

static void set_cluster_size(NewImage *n, const char *key, const char *value)
{
    n->create.cluster_size = tool_size(value, key);
    if (!n->create.cluster_size)
        cli_usage("-o %s: 0 is no power of 2 from 512 to 2097152", key);
}

static void set_refcount_bits(NewImage *n, const char *key, const char *value)
{
    n->create.refcount_bits = (unsigned)tool_count(value, 1, 64, key);
}

static void set_lazy_refcounts(NewImage *n, const char *key, const char *value)
{
    n->create.lazy_refcounts = flag_value(key, value);
}

static void set_extended_l2(NewImage *n, const char *key, const char *value)
{
    n->create.extended_l2 = flag_value(key, value);
}

static const struct {
    const char *key, *value;
    bool raw; /* goes with raw images, too */
    void (*set)(NewImage *n, const char *key, const char *value);
    const char *what;
} keys[] = {
    {"backing_file", "NAME", false, set_backing_file, "What is read where the image has nothing"},
    {"backing_fmt", "FMT", false, set_backing_format, "Its format: raw or qcow2"},
    {"cluster_size", "SIZE", false, set_cluster_size, "512 to 2M, by default 64k"},
    {"compat", "LEVEL", false, set_compat, "0.10 (v2) or 1.1 (v3, the default)"},
    {"compression_type", "TYPE", false, set_compression, "zlib (default) or zstd"},
    {"data_file", "NAME", false, set_data_file, "Where the clusters of the disk lie, not in the image itself"},
    {"data_file_raw", "on|off", false, set_data_file_raw, "The data file is a raw image at any time"},
    {"extended_l2", "on|off", false, set_extended_l2, "Allocate by the 32nd part of a cluster"},
    {"lazy_refcounts", "on|off", false, set_lazy_refcounts, "Write refcounts late; a crash makes a repair necessary"},
    {"preallocation", "MODE", true, set_preallocation, "off (default), metadata, falloc or full"},
    {"refcount_bits", "N", false, set_refcount_bits, "1, 2, 4, 8, 16 (default), 32 or 64"},
    {"size", "SIZE", true, set_size, "Of the disk"},
};

static void show_keys(const NewImage *n)
{
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autofree char *both = g_strconcat(keys[i].key, "=", keys[i].value, NULL);
        if (keys[i].raw || !n->raw)
            printf("  %-24s %s\n", both, keys[i].what);
    }
    exit(EXIT_FINE);
}

static void set_option(NewImage *n, const char *text)
{
    const char *equals = strchr(text, '=');
    g_autofree char *key = equals ? g_strndup(text, (gsize)(equals - text)) : g_strdup(text);

    if (strcmp(text, "help") == 0 || strcmp(text, "?") == 0)
        show_keys(n);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (strcmp(key, keys[i].key) != 0)
            continue;
        if (n->raw && !keys[i].raw)
            cli_usage("-o %s: raw images have no such option", key);
        if (!equals && !strstr(keys[i].value, "on|off"))
            cli_usage("-o %s needs a value", key);
        keys[i].set(n, key, equals ? equals + 1 : "on");
        return;
    }
    if (g_str_has_prefix(key, "encrypt"))
        cli_usage("-o %s: encryption is not supported", key);
    cli_usage("-o %s: there is no such option (-o help lists them)", key);
}

/* Parts between commas; ",," is a comma. */
static void set_options(NewImage *n, const char *text)
{
    g_autoptr(GString) part = g_string_new(NULL);

    for (const char *p = text;; p++) {
        if (*p && (*p != ',' || p[1] == ',')) {
            g_string_append_c(part, *p);
            p += *p == ',';
            continue;
        }
        if (part->len)
            set_option(n, part->str);
        g_string_truncate(part, 0);
        if (!*p)
            return;
    }
}

void new_image_init(NewImage *new, const char *format, char **options)
{
    *new = (NewImage){.texts = g_string_chunk_new(256)};
    if (format && strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0)
        cli_usage("the format of a new image is raw or qcow2, not '%s'", format);
    new->raw = format &&strcmp(format, "raw") == 0;
    for (; options && *options; options++)
        set_options(new, *options);
}

void new_image_done(NewImage *new)
{
    g_string_chunk_free(new->texts);
}

void new_image_backing(NewImage *new, const char *name, const char *format)
{
    if ((name || format) && new->raw)
        cli_usage("raw images have no backing file");
    if ((name && new->create.backing) || (format && new->create.backing_format))
        cli_usage("the backing file, or its format, is given twice");
    if (name)
        set_backing_file(new, "backing_file", name);
    if (format)
        set_backing_format(new, "backing_fmt", format);
    if (new->create.backing_format && !new->create.backing)
        cli_usage("a backing format goes with a backing file");
    if (new->create.backing && !new->create.backing_format)
        cli_usage("the format of the backing file must be given (-F): to guess it would let its guest choose");
}

bool new_image_judge(const NewImage *new, const char *path, GError **error)
{
    uint64_t least, most;

    if (new->raw || qcow2_measure(&new->create, &least, &most, error))
        return true;
    g_prefix_error(error, "%s: ", path);
    return false;
}

/* --- the file --------------------------------------------------------------------------------------------------- */

/* It will be replaced, which nobody who has it open would notice. */
static bool nobody_uses(const char *path, GError **error)
{
    HostFilePosix options = {.path = path, .resizes = true, .engine = HOST_ENGINE_THREADS};
    struct stat status;

    if (stat(path, &status) != 0 || !S_ISREG(status.st_mode) || access(path, R_OK | W_OK) != 0)
        return true;
    g_autoptr(HostFile) file = host_file_open(&options, error);
    return file;
}

static HostFile *open_host(CliOutput *output, const char *path, const NewFileHow *how, bool raw, GError **error)
{
    int fd = cli_output_fd(output);
    g_autofree char *name = fd >= 0 ? g_strdup_printf("/proc/self/fd/%d", fd) : g_strdup(path);
    HostFilePosix options = {.path = name,
                             .resizes = !raw,
                             .events = how->events,
                             .event = how->event,
                             .cache = how->cache,
                             .engine = how->engine};
    HostFile *file = host_file_open(&options, error);

    if (file) {
        g_free(file->path);
        file->path = g_strdup(path);
    }
    return file;
}

static HostFile *open_data_file(const NewImage *new, const char *path, const NewFileHow *how, GError **error)
{
    g_autofree char *name = image_relative(path, new->create.data_file, error);
    HostFilePosix options = {.path = name,
                             .create = true,
                             .events = how->events,
                             .event = how->event,
                             .cache = how->cache,
                             .engine = how->engine};

    return name ? host_file_open(&options, error) : NULL;
}

static Image *open_backing(const NewImage *new, const char *path, const NewFileHow *how, GError **error)
{
    g_autofree char *name = image_relative(path, new->create.backing, error);
    ImagePath options = {.path = name,
                         .format = new->create.backing_format,
                         .read_only = true,
                         .events = how->events,
                         .event = how->event,
                         .engine = how->engine,
                         .probe_backing = how->probe_backing};

    return name ? image_open(&options, error) : NULL;
}

static Image *make_qcow2(HostFile *file, const NewImage *new, const NewFileHow *how, GError **error)
{
    g_autofree char *path = g_strdup(file->path);
    Qcow2Open options = {0};

    if (new->create.data_file && !(options.data_file = open_data_file(new, path, how, error)))
        goto failed;
    if (!qcow2_create(file, options.data_file, &new->create, error))
        goto failed;
    if (new->create.backing && !how->no_backing && !(options.backing = open_backing(new, path, how, error)))
        goto failed;
    return qcow2_open(file, &options, error);
failed:
    g_clear_pointer(&options.data_file, host_file_close);
    host_file_close(file);
    return NULL;
}

static bool fill_zeros(HostFile *file, uint64_t len, GError **error)
{
    enum { CHUNK = 1 << 20 };
    g_autofree uint8_t *zeros = g_malloc0(CHUNK);

    for (uint64_t at = 0; at < len; at += CHUNK)
        if (!host_file_write(file, at, zeros, (size_t)MIN(CHUNK, len - at), error))
            return false;
    return true;
}

static Image *make_raw(HostFile *file, const NewImage *new, GError **error)
{
    uint64_t size = (new->create.size + HOST_SECTOR - 1) / HOST_SECTOR * HOST_SECTOR;
    Qcow2Preallocation mode = new->create.preallocation;

    if (host_file_truncate(file, size, error) &&
        (mode != QCOW2_PREALLOCATE_FALLOCATE || host_file_zero(file, 0, size, error)) &&
        (mode != QCOW2_PREALLOCATE_FULL || fill_zeros(file, size, error)))
        return image_raw_new(file);
    host_file_close(file);
    return NULL;
}

bool new_file_open(NewFile *file, const NewImage *new, const char *path, const NewFileHow *how, GError **error)
{
    *file = (NewFile){0};
    if (!new_image_judge(new, path, error) || !nobody_uses(path, error) ||
        !(file->output = cli_output_open(path, error)))
        return false;
    HostFile *host = open_host(file->output, path, how, new->raw, error);
    if (host)
        file->image = new->raw ? make_raw(host, new, error) : make_qcow2(host, new, how, error);
    if (!file->image)
        new_file_close(file, false, NULL);
    return file->image;
}

bool new_file_close(NewFile *file, bool keep, GError **error)
{
    bool ok = !keep || image_flush(file->image, error);

    g_clear_pointer(&file->image, image_close);
    if (file->output && !cli_output_close(file->output, keep && ok, keep && ok ? error : NULL))
        ok = false;
    file->output = NULL;
    return ok;
}
