/* images.c: the files that vmstate-dump writes beside its text. */
#include "tools/vmstate-dump/images.h"

enum { IMAGES_MAX = 2 };

struct Images {
    struct {
        CliOutput *output;
        RamFile *ram;
    } image[IMAGES_MAX];
    size_t count;
    Core *core; /* belongs to the last image; NULL: it is raw */
};

static bool add_image(Images *m, const char *path, char **channels, PhysWish *wish, RamFileMap *map, GError **error)
{
    CliOutput *output = cli_output_open(path, error);

    if (!output)
        return false;
    int fd = cli_output_fd(output);
    m->image[m->count].output = output;
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
    images_close(m, false, NULL);
    return NULL;
}

void images_add_to(Images *m, Fan *fan)
{
    for (size_t i = 0; i < m->count; i++)
        fan_add(fan, ramfile_sink(m->image[i].ram));
    if (m->core)
        fan_add(fan, core_sink(m->core));
}

bool images_close(Images *m, bool complete, GError **error)
{
    bool ok = complete;

    for (size_t i = 0; i < m->count; i++) {
        RamFile *ram = m->image[i].ram;
        bool is_core = m->core && i + 1 == m->count;
        ok = ok && ramfile_finish(ram, error);
        if (ok && is_core)
            ok = core_finish(m->core, cli_output_fd(m->image[i].output), ramfile_ranges(ram), error);
        if (!cli_output_close(m->image[i].output, ok, ok ? error : NULL))
            ok = false;
        ramfile_free(ram);
    }
    core_free(m->core);
    g_free(m);
    return ok;
}
