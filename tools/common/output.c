/* output.c: output files that get their name when they are complete. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/common/cli.h"

struct CliOutput {
    int fd;
    char *path;      /* NULL: standard output, or written to directly */
    char *temporary; /* what it is called until it is complete; NULL: it has no name yet */
};

static bool is_special(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static bool cannot(GError **error, const char *path, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: %s: %s", path, what, g_strerror(errno));
    return false;
}

/* A file without a name vanishes with the program; not all file systems have such. */
static void open_new(CliOutput *o)
{
    g_autofree char *directory = g_path_get_dirname(o->path);

    o->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (o->fd >= 0)
        return;
    o->temporary = g_strdup_printf("%s.XXXXXX", o->path);
    o->fd = g_mkstemp_full(o->temporary, O_RDWR | O_CLOEXEC, 0666);
}

/* Gives a file without a name one that nobody has. */
static bool name_temporarily(CliOutput *o)
{
    g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", o->fd);

    do {
        g_free(o->temporary);
        o->temporary = g_strdup_printf("%s.%06x", o->path, g_random_int() & 0xffffff);
        if (linkat(AT_FDCWD, self, AT_FDCWD, o->temporary, AT_SYMLINK_FOLLOW) == 0)
            return true;
    } while (errno == EEXIST);
    g_clear_pointer(&o->temporary, g_free);
    return false;
}

static void free_output(CliOutput *o)
{
    g_free(o->path);
    g_free(o->temporary);
    g_free(o);
}

CliOutput *cli_output_open(const char *path, GError **error)
{
    CliOutput *o = g_new0(CliOutput, 1);

    if (strcmp(path, "-") == 0) {
        o->fd = dup(STDOUT_FILENO);
    } else if (is_special(path)) {
        o->fd = open(path, O_WRONLY | O_CLOEXEC);
    } else {
        o->path = g_strdup(path);
        open_new(o);
    }
    if (o->fd >= 0)
        return o;
    cannot(error, path, "cannot create");
    free_output(o);
    return NULL;
}

Chan *cli_output_chan(CliOutput *o)
{
    return chan_fd_new(dup(o->fd));
}

int cli_output_fd(CliOutput *o)
{
    return o->path ? o->fd : -1;
}

bool cli_output_close(CliOutput *o, bool keep, GError **error)
{
    bool ok = true;

    if (keep && o->path && !o->temporary && !name_temporarily(o))
        ok = cannot(error, o->path, "cannot give the file its name");
    if (close(o->fd) != 0 && keep && ok)
        ok = cannot(error, o->path ? o->path : "standard output", "writing failed");
    if (o->temporary && keep && ok && g_rename(o->temporary, o->path) != 0)
        ok = cannot(error, o->path, "cannot give the file its name");
    if (o->temporary && (!keep || !ok))
        g_unlink(o->temporary);
    free_output(o);
    return ok;
}
