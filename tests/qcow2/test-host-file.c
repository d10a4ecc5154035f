/* test-host-file.c: files and their lengths. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qcow2/host-file.h"

#define UNIT 65536u

static uint64_t size_of(const char *path)
{
    struct stat status;

    cr_assert_eq(stat(path, &status), 0);
    return (uint64_t)status.st_size;
}

static char *new_path(void)
{
    char *path = g_strdup("host-file-XXXXXX");
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
    return path;
}

/* NULL: this file system knows no O_DIRECT. */
static HostFile *open_direct(const char *path)
{
    g_autoptr(GError) error = NULL;
    HostFile *file = host_file_open(&(HostFilePosix){.path = path, .cache = HOST_CACHE_NONE}, &error);

    if (!file)
        cr_log_warn("skipped: %s", error->message);
    return file;
}

static void write_unit(HostFile *file, uint64_t offset)
{
    uint8_t *data = aligned_alloc(4096, UNIT);
    g_autoptr(GError) error = NULL;

    memset(data, 0x5a, UNIT);
    cr_assert(host_file_write(file, offset, data, UNIT, &error), "%s", error->message);
    free(data);
}

Test(host_file, a_file_that_grows_by_direct_writes_is_as_long_as_what_was_written)
{
    g_autofree char *path = new_path();
    HostFile *file = open_direct(path);

    for (uint64_t i = 0; file && i < 40; i++) {
        write_unit(file, i * UNIT);
        cr_assert_eq(host_file_length(file), (i + 1) * UNIT);
        cr_assert_geq(size_of(path), (i + 1) * UNIT);
    }
    if (file) {
        cr_assert(host_file_zero(file, 40 * UNIT, 3 * UNIT, NULL));
        cr_assert_eq(host_file_length(file), 43 * UNIT);
        host_file_close(file);
        cr_assert_eq(size_of(path), 43 * UNIT);
    }
    unlink(path);
}

Test(host_file, who_gets_the_file_next_finds_it_as_long_as_it_is_meant)
{
    g_autofree char *path = new_path();
    HostFile *file = open_direct(path);

    if (file) {
        write_unit(file, 0);
        cr_assert(host_file_set_active(file, false, NULL));
        cr_assert_eq(size_of(path), UNIT);
        /* Somebody else makes it longer: that is not cut off. */
        cr_assert_eq(truncate(path, 7 * UNIT), 0);
        cr_assert_eq(host_file_length(file), 7 * UNIT);
        cr_assert(host_file_set_active(file, true, NULL));
        write_unit(file, 3 * UNIT);
        cr_assert_eq(host_file_length(file), 7 * UNIT);
        host_file_close(file);
        cr_assert_eq(size_of(path), 7 * UNIT);
    }
    unlink(path);
}

Test(host_file, a_file_that_is_cut_stays_cut)
{
    g_autofree char *path = new_path();
    HostFile *file = open_direct(path);

    if (file) {
        write_unit(file, 10 * UNIT);
        cr_assert(host_file_truncate(file, 2 * UNIT, NULL));
        cr_assert_eq(host_file_length(file), 2 * UNIT);
        host_file_close(file);
        cr_assert_eq(size_of(path), 2 * UNIT);
    }
    unlink(path);
}
