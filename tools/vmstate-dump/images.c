/* images.c: the files that vmstate-dump writes beside its text. */
#include "tools/vmstate-dump/images.h"

enum { IMAGES_MAX = 2 };

struct Images {
    struct {
        CliOutput *output;
        const char *path;
        RamFile *ram;
    } image[IMAGES_MAX];
    size_t count, finished;
    Core *core; /* belongs to the last image; NULL: it is raw */
};

static bool add_image(Images *m, const char *path, char **channels, PhysWish *wish, RamFileMap *map, GError **error)
{
    CliOutput *output = cli_output_open(path, error);

    if (!output)
        return false;
    int fd = cli_output_fd(output);
    m->image[m->count].output = output;
    m->image[m->count].path = path;
    m->image[m->count].ram = ramfile_new(fd, map, wish);
    m->count++;
    if (fd < 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: a memory image must be a regular file", path);
        return false;
    }
    for (size_t i = 0; channels && channels[i]; i++)
        if (!ramfile_add_channel(m->image[m->count - 1].ram, channels[i], error))
            return false;
    return true;
}

Images *images_new(const char *raw, const char *core, char **channels, PhysWish *wish, GError **error)
{
    Images *m = g_new0(Images, 1);

    if ((!raw || add_image(m, raw, channels, wish, ramfile_map_physical, error)) &&
        (!core || add_image(m, core, channels, wish, core_map, error))) {
        m->core = core ? core_new() : NULL;
        return m;
    }
    images_close(m, NULL);
    return NULL;
}

void images_add_to(Images *m, Fan *fan)
{
    for (size_t i = 0; i < m->count; i++)
        fan_add(fan, ramfile_sink(m->image[i].ram));
    if (m->core)
        fan_add(fan, core_sink(m->core));
}

/* Pages that never came are an error, or, if the user knows (partial), worth a word. */
static bool check_missing(const RamFile *ram, const char *path, bool partial, GError **error)
{
    uint64_t total, first = 0, missing = ramfile_missing(ram, &total, &first);

    if (!missing)
        return true;
    g_autofree char *text =
        g_strdup_printf("%s: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                        " pages of memory never came, the first of them for 0x%" G_GINT64_MODIFIER "x of the image",
                        path, missing, total, first);
    if (partial)
        cli_complain("%s: zeros stand for them", text);
    else
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT, "%s (is there another --channel? --partial keeps the image)",
                    text);
    return partial;
}

static bool finish_image(Images *m, size_t i, bool partial, GError **error)
{
    RamFile *ram = m->image[i].ram;
    bool is_core = m->core && i + 1 == m->count;

    return ramfile_finish(ram, error) && check_missing(ram, m->image[i].path, partial, error) &&
           (!is_core || core_finish(m->core, cli_output_fd(m->image[i].output), ramfile_ranges(ram), error));
}

bool images_finish(Images *m, bool partial, GError **error)
{
    for (; m->finished < m->count; m->finished++)
        if (!finish_image(m, m->finished, partial, error))
            return false;
    return true;
}

bool images_close(Images *m, GError **error)
{
    bool ok = true;

    if (!m)
        return true;
    for (size_t i = 0; i < m->count; i++) {
        if (!cli_output_close(m->image[i].output, i < m->finished, ok ? error : NULL))
            ok = false;
        ramfile_free(m->image[i].ram);
    }
    core_free(m->core);
    g_free(m);
    return ok;
}
