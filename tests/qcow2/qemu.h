/*
 * qemu.h: what qemu-img and qemu-io say of an image, and a directory for images, for the tests of qcow2/.
 *
 * Include it last. The tests are skipped where there is no qemu-img.
 */
#ifndef TESTS_QCOW2_QEMU_H
#define TESTS_QCOW2_QEMU_H

#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <jansson.h>
#include <string.h>
#include <sys/wait.h>

#include "qcow2/host-file.h"

/* A directory of its own, emptied and removed at the end; relative names are in it. */
typedef struct Place {
    char *old, *path;
} Place;

static inline Place place_new(void)
{
    Place place = {.old = g_get_current_dir(), .path = g_dir_make_tmp("ferry-qcow2-XXXXXX", NULL)};

    cr_assert(place.path && g_chdir(place.path) == 0);
    return place;
}

static inline void place_done(Place *place)
{
    GDir *dir = g_dir_open(".", 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)))
        g_unlink(name);
    g_dir_close(dir);
    cr_assert_eq(g_chdir(place->old), 0);
    g_rmdir(place->path);
    g_free(place->old);
    g_free(place->path);
}

/* Runs a line of shell, with the words quoted as they need. Its exit status; *out: new string, both outputs. */
static inline int run_line(const char *line, char **out)
{
    const char *argv[] = {"sh", "-c", line, NULL};
    g_autoptr(GError) error = NULL;
    g_autofree char *all = g_strdup_printf("{ %s; } 2>&1", line);
    int status;

    argv[2] = all;
    cr_assert(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, out, NULL, &status, &error),
              "%s", error ? error->message : "");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        cr_skip_test("%s", out ? *out : line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* It must succeed. New string: what it put out. */
static inline char *qemu(const char *format, ...) G_GNUC_PRINTF(1, 2);
static inline char *qemu(const char *format, ...)
{
    g_autofree char *line = NULL;
    char *out = NULL;
    va_list ap;

    va_start(ap, format);
    line = g_strdup_vprintf(format, ap);
    va_end(ap);
    int status = run_line(line, &out);
    cr_assert_eq(status, 0, "%s: exit status %d: %s", line, status, out);
    return out;
}

/* The same, whose output is JSON: new reference. */
static inline json_t *qemu_json(const char *line)
{
    g_autofree char *out = qemu("%s", line);
    json_error_t error;
    json_t *json = json_loads(out, 0, &error);

    cr_assert(json, "%s: %s: %s", line, error.text, out);
    return json;
}

/* The member at the end of a path: "format-specific.data.compat". Borrowed; NULL: there is none. */
static inline json_t *member(json_t *json, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, ".", -1);

    for (char **name = names; *name && json; name++)
        json = json_object_get(json, *name);
    return json;
}

static inline HostFile *open_host(const char *path, bool create)
{
    g_autoptr(GError) error = NULL;
    HostFilePosix options = {.path = path, .create = create, .resizes = true};
    HostFile *file = host_file_open(&options, &error);

    cr_assert(file, "%s", error ? error->message : "");
    return file;
}

#endif
