/* test-page-set.c: a set of page numbers, against a list of bools. */
#include <criterion/criterion.h>

/* A tool is no library to link with. */
#include "tools/common/page-set.c"

enum { PAGES = 3 * 4096 + 100, ROUNDS = 2000 };

/* What the set takes out must be what the list has, stretch by stretch. */
static void take_all(PageSet *set, bool *list, uint64_t from, uint64_t to)
{
    uint64_t page, n;

    while (page_set_take(set, from, to, &page, &n)) {
        cr_assert(page >= from && n > 0 && page + n <= to);
        for (; from < page; from++)
            cr_assert_not(list[from], "page %zu was left out", (size_t)from);
        for (; from < page + n; from++) {
            cr_assert(list[from], "page %zu was no member", (size_t)from);
            list[from] = false;
        }
    }
    for (; from < to; from++)
        cr_assert_not(list[from], "page %zu was left", (size_t)from);
}

static void check(const PageSet *set, const bool *list)
{
    uint64_t count = 0, missing = 0;

    for (unsigned i = 0; i < PAGES; i++)
        count += list[i];
    while (missing < PAGES && list[missing])
        missing++;
    cr_assert_eq(page_set_count(set), count);
    cr_assert_eq(page_set_first_missing(set, 0), missing);
}

Test(page_set, has_what_was_added_and_not_taken)
{
    GRand *rand = g_rand_new_with_seed(1);
    PageSet *set = page_set_new();
    bool list[PAGES] = {false};

    for (int i = 0; i < ROUNDS; i++) {
        uint64_t from = (uint64_t)g_rand_int_range(rand, 0, PAGES), to = (uint64_t)g_rand_int_range(rand, 0, PAGES);
        if (i % 3)
            to = MIN(PAGES, from + to % 50);
        if (from < to && g_rand_boolean(rand)) {
            page_set_add(set, from, to - from);
            for (uint64_t page = from; page < to; page++)
                list[page] = true;
        } else {
            take_all(set, list, from, to);
        }
        check(set, list);
    }
    page_set_free(set);
    g_rand_free(rand);
}

Test(page_set, pages_far_from_each_other_take_little_room)
{
    PageSet *set = page_set_new();
    uint64_t page, n;

    for (uint64_t i = 0; i < 1000; i++)
        page_set_add(set, i << 28, 1);
    cr_assert_eq(page_set_count(set), 1000);
    cr_assert_eq(g_tree_nnodes(set->pieces), 1000);
    cr_assert(page_set_take(set, 1, UINT64_C(1) << 40, &page, &n));
    cr_assert(page == 1 << 28 && n == 1);
    cr_assert_eq(g_tree_nnodes(set->pieces), 999, "a piece without members is kept");
    cr_assert_not(page_set_take(set, 1, 1 << 29, &page, &n));
    page_set_free(set);
}
