/* test-verdict-position.c: the same layout, and nothing else, passes for a loader that knows only positions. */
#include "tests/vmstate/verdict-thing.h"

/* --- by position ------------------------------------------------------------------------------------------------ */

static void assert_by_position(const VMStateField *to, const VMStateField *from, VerdictLevel level, const char *kind,
                               const char *path)
{
    Thing thing = {.a = 1};
    g_autoptr(Verdict) v = judge(to, from, &thing, VERDICT_BY_POSITION);

    cr_assert_eq(v->level, level);
    cr_assert_str_eq(finding(v, 0)->kind, kind);
    cr_assert_str_eq(finding(v, 0)->path, path);
}

Test(verdict, by_position_another_width_or_number_is_incompatible_whatever_the_value)
{
    VMStateField plain[] = {A, GATE, VMS_END}, wide[] = {as(A, SCALAR_UINT64), GATE, VMS_END}, list[] = {LIST, VMS_END},
                 short_list[] = {LIST, VMS_END};

    short_list[0].count = 3;
    assert_by_position(wide, plain, VERDICT_INCOMPATIBLE, "kind", "dev.a");
    assert_by_position(plain, wide, VERDICT_INCOMPATIBLE, "kind", "dev.a");
    assert_by_position(short_list, list, VERDICT_INCOMPATIBLE, "count", "dev.list");
}

Test(verdict, by_position_another_order_is_incompatible_for_each_field_that_moved)
{
    VMStateField a[] = {A, S, GATE, VMS_END}, b[] = {S, A, GATE, VMS_END};
    Thing thing = {.a = 1};
    g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_POSITION);

    cr_assert_eq(v->level, VERDICT_INCOMPATIBLE);
    cr_assert_eq(v->findings->len, 2);
    cr_assert_str_eq(finding(v, 0)->kind, "reordered");
    cr_assert_str_eq(finding(v, 1)->path, "dev.a");
}

Test(verdict, by_position_another_name_or_sign_is_convertible)
{
    VMStateField a[] = {A, GATE, VMS_END}, b[] = {renamed(A, "b"), GATE, VMS_END},
                 c[] = {as(A, SCALAR_INT32), GATE, VMS_END};

    assert_by_position(b, a, VERDICT_CONVERTIBLE, "renamed", "dev.b");
    assert_by_position(c, a, VERDICT_CONVERTIBLE, "sign changed", "dev.a");
}

Test(verdict, by_position_a_field_more_or_less_is_incompatible_even_if_it_may_be_skipped)
{
    VMStateField one[] = {A, VMS_END}, two[] = {A, GATE, VMS_END};

    two[1].flags = VMS_SKIPPABLE | VMS_DEFAULTABLE;
    assert_by_position(two, one, VERDICT_INCOMPATIBLE, "missing", "dev.gate");
    assert_by_position(one, two, VERDICT_INCOMPATIBLE, "unknown", "dev.gate");
}

Test(verdict, octets_that_nobody_described_are_not_judged)
{
    VMStateField a[] = {{.name = "virtio", .kind = VMS_OCTETS, .type = "virtio", .size = 8, .count = 1}, VMS_END};
    VMStateField b[] = {{.name = "virtio", .kind = VMS_OCTETS, .type = "virtio", .size = 9, .count = 1}, VMS_END};

    for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
        g_autoptr(Verdict) v = judge(b, a, NULL, loader);
        cr_assert_eq(v->level, VERDICT_CONVERTIBLE);
        cr_assert_str_eq(finding(v, 0)->kind, "not judged");
    }
}
