/* test-rights.c: which command gets a descriptor, and that none is left open. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <unistd.h>

#include "emu/qmp/rights.h"

enum { MADE = 80 };

static int made[MADE];

static int *new_fds(int count)
{
    for (int i = 0; i < count; i++) {
        made[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        cr_assert_geq(made[i], 0);
    }
    return made;
}

static bool is_open(int i)
{
    return fcntl(made[i], F_GETFD) >= 0;
}

static void come(QmpRights *r, int first_fd, uint64_t first, uint64_t end)
{
    qmp_rights_came(r, &made[first_fd], 1, first);
    qmp_rights_end(r, end);
}

static int taken_by(QmpRights *r, uint64_t begin, uint64_t end)
{
    int fd = qmp_rights_take(r, &(QmpExtent){begin, end});

    for (int i = 0; i < MADE; i++)
        if (fd >= 0 && made[i] == fd)
            return i;
    return -1;
}

Test(rights, each_command_gets_what_came_with_its_octets)
{
    QmpRights *r = qmp_rights_new();

    new_fds(2);
    come(r, 0, 0, 10);
    come(r, 1, 10, 30);
    cr_expect_eq(taken_by(r, 10, 30), 1);
    cr_expect_eq(taken_by(r, 10, 30), -1);
    cr_expect_eq(taken_by(r, 0, 10), 0);
    qmp_rights_free(r);
    cr_expect(is_open(0) && is_open(1), "they are somebody else's now");
}

/* A message may be several commands, and a command several messages. */
Test(rights, the_first_command_of_a_message_that_wants_it_gets_it)
{
    QmpRights *r = qmp_rights_new();

    new_fds(3);
    come(r, 0, 5, 50);
    cr_expect_eq(taken_by(r, 20, 40), 0);
    come(r, 1, 50, 60);
    come(r, 2, 60, 70);
    cr_expect_eq(taken_by(r, 50, 70), 1);
    cr_expect_eq(taken_by(r, 50, 70), 2);
    qmp_rights_free(r);
}

Test(rights, what_nobody_has_taken_is_closed_with_the_answer_to_the_last_of_its_octets)
{
    QmpRights *r = qmp_rights_new();

    new_fds(2);
    come(r, 0, 0, 20);
    come(r, 1, 20, 30);
    qmp_rights_answered(r, 19);
    cr_expect(is_open(0));
    qmp_rights_answered(r, 20);
    cr_expect(!is_open(0) && is_open(1));
    cr_expect_eq(taken_by(r, 0, 20), -1);
    qmp_rights_answered(r, UINT64_MAX);
    cr_expect_not(is_open(1));
    qmp_rights_free(r);
}

Test(rights, more_than_can_wait_are_closed_at_once)
{
    QmpRights *r = qmp_rights_new();

    qmp_rights_came(r, new_fds(MADE), MADE, 0);
    qmp_rights_end(r, 5);
    cr_expect(is_open(QMP_RIGHTS_WAITING - 1));
    for (int i = QMP_RIGHTS_WAITING; i < MADE; i++)
        cr_expect_not(is_open(i));
    qmp_rights_free(r);
    for (int i = 0; i < MADE; i++)
        cr_expect_not(is_open(i));
}

Test(rights, a_name_has_one_descriptor_and_is_free_when_it_was_found)
{
    QmpRights *r = qmp_rights_new();

    new_fds(3);
    qmp_rights_keep(r, "a", made[0]);
    qmp_rights_keep(r, "b", made[1]);
    qmp_rights_keep(r, "a", made[2]);
    cr_expect(!is_open(0) && is_open(2));
    cr_expect_eq(qmp_rights_find(r, "a"), made[2]);
    cr_expect_eq(qmp_rights_find(r, "a"), -1);
    cr_expect_eq(qmp_rights_find(r, "c"), -1);
    qmp_rights_free(r);
    cr_expect(!is_open(1) && is_open(2));
}
