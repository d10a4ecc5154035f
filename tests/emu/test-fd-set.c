/* test-fd-set.c: sets of descriptors, and paths that stand for one of them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emu/core/fd-set.h"
#include "visitors/error.h"
#include "visitors/fd-path.h"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FdSets, fd_sets_free)

/* A file with that text, opened so. It has no name. */
static int file_with(const char *text, int access)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp(NULL, &path, NULL), again = open(path, access | O_CLOEXEC);

    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    g_unlink(path);
    return again;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static char first_of(int fd)
{
    char c = 0;

    cr_assert_eq(pread(fd, &c, 1, 0), 1, "%s", g_strerror(errno));
    return c;
}

Test(fd_set, a_new_set_has_the_first_number_that_is_free)
{
    g_autoptr(FdSets) sets = fd_sets_new();

    cr_expect_eq(fd_sets_add(sets, FD_SET_NEW, file_with("a", O_RDONLY), NULL), 0);
    cr_expect_eq(fd_sets_add(sets, 2, file_with("b", O_RDONLY), "text"), 2);
    cr_expect_eq(fd_sets_add(sets, FD_SET_NEW, file_with("c", O_RDONLY), NULL), 1);
    cr_expect_eq(fd_sets_add(sets, FD_SET_NEW, file_with("d", O_RDONLY), NULL), 3);
    for (guint i = 0; i < 4; i++)
        cr_expect_eq(((const FdSet *)fd_sets_all(sets)->pdata[i])->id, i);
    const FdSet *second = fd_sets_all(sets)->pdata[2];
    cr_expect_str_eq(((const FdSetMember *)second->members->pdata[0])->opaque, "text");
}

Test(fd_set, the_one_that_was_opened_for_it_is_taken)
{
    g_autoptr(FdSets) sets = fd_sets_new();
    g_autoptr(GError) error = NULL;
    int reads = file_with("r", O_RDONLY), writes = file_with("w", O_WRONLY), both = file_with("b", O_RDWR);

    fd_sets_add(sets, 7, reads, NULL);
    fd_sets_add(sets, 7, writes, NULL);
    cr_expect(fd_sets_only_read(sets, "/dev/fdset/7"));
    cr_expect_null(fd_sets_path(sets, "/dev/fdset/7", O_RDWR, &error));
    cr_expect_str_eq(error->message, "/dev/fdset/7: none of its descriptors was opened for what is asked");
    fd_sets_add(sets, 7, both, NULL);
    cr_expect_not(fd_sets_only_read(sets, "/dev/fdset/7"));
    const int accesses[] = {O_RDONLY, O_WRONLY, O_RDWR}, right[] = {reads, writes, both};
    for (size_t i = 0; i < 3; i++) {
        g_autofree char *path = fd_sets_path(sets, "/dev/fdset/7", accesses[i], NULL);
        cr_expect_eq(fd_path_number(path), right[i]);
    }
}

Test(fd_set, what_is_no_set_is_told_and_other_paths_are_themselves)
{
    static const char *const wrong[] = {
        "/dev/fdset/",   "/dev/fdset/1", "/dev/fdset/x", "/dev/fdset/-1", "/dev/fdset/18446744073709551616",
        "/dev/fdset/0/1"};
    g_autoptr(FdSets) sets = fd_sets_new();

    fd_sets_add(sets, 0, file_with("a", O_RDWR), NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        cr_expect_null(fd_sets_path(sets, wrong[i], O_RDONLY, &error));
        cr_expect(g_str_has_suffix(error->message, "there is no such set of descriptors"), "%s", error->message);
    }
    g_autofree char *other = fd_sets_path(sets, "/dev/fdsets/0", O_RDWR, NULL);
    cr_expect_str_eq(other, "/dev/fdsets/0");
    cr_expect_not(fd_sets_only_read(sets, "/dev/fdsets/0"));
}

Test(fd_set, what_is_taken_out_is_closed_and_an_empty_set_is_gone)
{
    FdSets *sets = fd_sets_new();
    int a = file_with("a", O_RDWR), b = file_with("b", O_RDWR), c = file_with("c", O_RDWR);

    fd_sets_add(sets, 0, a, NULL);
    fd_sets_add(sets, 0, b, NULL);
    fd_sets_add(sets, 1, c, NULL);
    cr_expect_not(fd_sets_remove(sets, 0, c));
    cr_expect_not(fd_sets_remove(sets, 2, FD_SET_ALL));
    cr_expect(fd_sets_remove(sets, 0, a));
    cr_expect(!is_open(a) && is_open(b));
    cr_expect(fd_sets_remove(sets, 0, b));
    cr_expect_eq(fd_sets_all(sets)->len, 1);
    cr_expect(is_open(c));
    fd_sets_free(sets);
    cr_expect_not(is_open(c));
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static int open_fd(int fd, int flags)
{
    g_autofree char *path = g_strdup_printf("/dev/fd/%d", fd);

    return fd_path_open(path, flags, 0);
}

/* Linux would open the file again, by its rights: this one nobody may open. */
Test(fd_path, a_descriptor_is_itself_and_stays_open_for_others)
{
    int fd = file_with("a", O_RDONLY);
    cr_assert_eq(fchmod(fd, 0), 0);
    int copy = open_fd(fd, O_RDONLY | O_CLOEXEC);

    cr_assert_geq(copy, 3);
    cr_expect_neq(copy, fd);
    cr_expect(fcntl(copy, F_GETFD) & FD_CLOEXEC);
    close(fd);
    cr_expect_eq(first_of(copy), 'a');
    cr_assert_eq(lseek(copy, 1, SEEK_SET), 1);
    int third = open_fd(copy, O_RDONLY);
    cr_expect_eq(lseek(third, 0, SEEK_CUR), 1, "it is another open file");
    close(copy);
    close(third);
}

Test(fd_path, more_than_it_was_opened_for_is_refused)
{
    const int access[] = {O_RDONLY, O_WRONLY, O_RDWR};

    for (size_t has = 0; has < 3; has++)
        for (size_t wanted = 0; wanted < 3; wanted++) {
            int fd = file_with("a", access[has]), got = open_fd(fd, access[wanted]);
            bool right = has == 2 || has == wanted;
            cr_expect_eq(got >= 0, right, "%zu as %zu", has, wanted);
            cr_expect(got >= 0 || errno == EACCES);
            if (got >= 0)
                close(got);
            close(fd);
        }
    cr_expect(open_fd(12345, O_RDONLY) < 0 && errno == EBADF);
}

Test(fd_path, it_can_be_emptied_and_appended_to)
{
    int fd = file_with("abc", O_RDWR), copy = open_fd(fd, O_WRONLY | O_TRUNC | O_APPEND);
    struct stat status;

    cr_expect(fstat(fd, &status) == 0 && status.st_size == 0);
    cr_assert_eq(write(copy, "x", 1), 1);
    cr_assert_eq(lseek(copy, 0, SEEK_SET), 0);
    cr_assert_eq(write(copy, "y", 1), 1);
    cr_expect(fstat(fd, &status) == 0 && status.st_size == 2);
    close(copy);
    close(fd);
}

Test(fd_path, other_paths_are_opened)
{
    static const char *const others[] = {"/dev/fd", "/dev/fd/", "/dev/fd/x", "/dev/fd/1/x", "dev/fd/1", ""};

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        cr_expect_eq(fd_path_number(others[i]), -1, "%s", others[i]);
    int fd = fd_path_open("/dev/null", O_RDONLY | O_CLOEXEC, 0);
    cr_expect_geq(fd, 0);
    close(fd);
}
