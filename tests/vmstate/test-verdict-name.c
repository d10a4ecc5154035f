/* test-verdict-name.c: fields and subsections that are found by name, as in the table of vmstate/FORMAT.md part 3. */
#include "tests/vmstate/verdict-thing.h"

/* --- by name: one field ----------------------------------------------------------------------------------------- */

Test(verdict, the_same_description_is_identical)
{
    static const VMStateField fields[] = {VMS_FIELD(Thing, a),
                                          VMS_ARRAY(Thing, list),
                                          VMS_BITS(Thing, bits, 70),
                                          VMS_TEXT(Thing, text),
                                          VMS_SUB(Thing, inner, &inner_state),
                                          VMS_SUB_ARRAY(Thing, inners, &inner_state),
                                          VMS_END};
    Thing thing = {.a = 5};

    for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
        g_autoptr(Verdict) v = judge(fields, fields, &thing, loader);
        cr_assert_eq(v->level, VERDICT_IDENTICAL);
        cr_assert_eq(v->findings->len, 0);
    }
}

Test(verdict, an_integer_of_a_range_within_the_others_is_widened)
{
    Thing thing = {.a = 77};

    assert_pair(as(A, SCALAR_UINT64), A, &thing, VERDICT_CONVERTIBLE, "widened",
                "widened: the stream has uint32, the destination uint64");
    assert_pair(as(A, SCALAR_INT64), A, &thing, VERDICT_CONVERTIBLE, "widened",
                "widened: the stream has uint32, the destination int64");
}

Test(verdict, an_integer_that_is_narrowed_is_decided_by_its_value)
{
    Thing fits = {.a = 255}, not = {.a = 256};

    assert_pair(as(A, SCALAR_UINT8), A, &fits, VERDICT_CONVERTIBLE, "narrowed",
                "narrowed: the stream has uint32, the destination uint8; the value fits");
    assert_pair(as(A, SCALAR_UINT8), A, &not, VERDICT_INCOMPATIBLE, "narrowed",
                "narrowed: the stream has uint32, the destination uint8; 256 does not fit");
    assert_pair(as(A, SCALAR_UINT8), A, NULL, VERDICT_CONVERTIBLE, "narrowed",
                "narrowed: the stream has uint32, the destination uint8; the value decides");
}

Test(verdict, an_integer_of_other_sign_is_decided_by_its_value)
{
    Thing fits = {.a = 0x7fffffff, .s = 0}, not = {.a = 0x80000000, .s = -3};

    assert_pair(as(A, SCALAR_INT32), A, &fits, VERDICT_CONVERTIBLE, "sign changed",
                "sign changed: the stream has uint32, the destination int32; the value fits");
    assert_pair(as(A, SCALAR_INT32), A, &not, VERDICT_INCOMPATIBLE, "sign changed",
                "sign changed: the stream has uint32, the destination int32; 2147483648 does not fit");
    assert_pair(as(S, SCALAR_UINT64), S, &not, VERDICT_INCOMPATIBLE, "sign changed",
                "sign changed: the stream has int32, the destination uint64; -3 does not fit");
}

Test(verdict, every_element_of_an_array_is_looked_at)
{
    Thing thing = {.list = {1, 2, 300, 4}};

    assert_pair(as(LIST, SCALAR_UINT8), LIST, &thing, VERDICT_INCOMPATIBLE, "narrowed",
                "narrowed: the stream has uint16[4], the destination uint8[4]; 300 does not fit");
    thing.list[2] = 3;
    assert_pair(as(LIST, SCALAR_UINT8), LIST, &thing, VERDICT_CONVERTIBLE, "narrowed",
                "narrowed: the stream has uint16[4], the destination uint8[4]; the value fits");
}

Test(verdict, another_kind_is_incompatible)
{
    static const VMStateField kinds[] = {
        VMS_FIELD(Thing, gate),
        VMS_FIELD(Thing, a),
        VMS_FIELD(Thing, level),
        VMS_BYTES(Thing, bytes),
        VMS_BITS(Thing, bits, 70),
        VMS_TEXT(Thing, text),
        VMS_SUB(Thing, inner, &inner_state),
    };
    char words[] = "words";
    Thing thing = {.text = words};

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
            VMStateField a[] = {renamed(kinds[i], "f"), VMS_END}, b[] = {renamed(kinds[k], "f"), VMS_END};
            g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_NAME);
            cr_assert_eq(v->level, i == k ? VERDICT_IDENTICAL : VERDICT_INCOMPATIBLE, "%zu to %zu", i, k);
            if (i != k)
                cr_assert_str_eq(finding(v, 0)->kind, "kind");
        }
    }
}

Test(verdict, a_buffer_and_an_array_of_uint8_are_both_octets)
{
    Thing thing = {.a = 0};
    VMStateField a[] = {VMS_ARRAY(Thing, bytes), VMS_END}, b[] = {VMS_BYTES(Thing, bytes), VMS_END};
    g_autoptr(Verdict) there = judge(b, a, &thing, VERDICT_BY_NAME);
    g_autoptr(Verdict) back = judge(a, b, &thing, VERDICT_BY_NAME);

    cr_assert(there->level == VERDICT_IDENTICAL && back->level == VERDICT_IDENTICAL);
}

Test(verdict, an_array_of_buffers_has_the_octets_of_all)
{
    Thing thing = {.a = 0};
    VMStateField whole = F(VMS_BYTES(Thing, bytes)), four = whole, three;

    cr_assert_eq(whole.size, 8);
    four.size = 2;
    four.array = true;
    four.count = 4;
    three = four;
    three.count = 3;
    assert_pair(three, four, &thing, VERDICT_INCOMPATIBLE, "count",
                "count changed: the stream has buffer of 2 octets[4], the destination buffer of 2 octets[3]");
    for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
        VMStateField a[] = {four, VMS_END}, b[] = {whole, VMS_END}, c[] = {three, VMS_END};
        g_autoptr(Verdict) same = judge(b, a, &thing, loader);
        g_autoptr(Verdict) fewer = judge(c, a, &thing, loader);
        cr_assert_eq(same->level, VERDICT_IDENTICAL);
        cr_assert_eq(fewer->level, VERDICT_INCOMPATIBLE);
    }
}

Test(verdict, another_number_of_elements_is_incompatible)
{
    Thing thing = {.a = 0};
    VMStateField three = LIST, bytes = F(VMS_BYTES(Thing, bytes)), single = F(VMS_FIELD(Thing, list[0]));

    three.count = 3;
    single.name = "list";
    assert_pair(three, LIST, &thing, VERDICT_INCOMPATIBLE, "count",
                "count changed: the stream has uint16[4], the destination uint16[3]");
    assert_pair(LIST, three, &thing, VERDICT_INCOMPATIBLE, "count",
                "count changed: the stream has uint16[3], the destination uint16[4]");
    assert_pair(single, LIST, &thing, VERDICT_INCOMPATIBLE, "count",
                "one is an array: the stream has uint16[4], the destination uint16");
    bytes.size = 7;
    assert_pair(bytes, F(VMS_BYTES(Thing, bytes)), &thing, VERDICT_INCOMPATIBLE, "count",
                "count changed: the stream has buffer of 8 octets, the destination buffer of 7 octets");
}

Test(verdict, elements_in_use_decide_where_there_is_less_room)
{
    VMStateField a[] = {VMS_FIELD(Thing, used), VMS_COUNTED(Thing, list, used), VMS_END};
    VMStateField b[] = {VMS_FIELD(Thing, used), VMS_COUNTED(Thing, list, used), VMS_END};
    Thing two = {.used = 2}, three = {.used = 3};

    b[1].count = 2;
    g_autoptr(Verdict) fits = judge(b, a, &two, VERDICT_BY_NAME);
    assert_only(fits, VERDICT_CONVERTIBLE, "narrowed", "dev.list",
                "there may be more than there is room for: the stream has uint16[at most 4], the destination "
                "uint16[at most 2]; the value fits");
    g_autoptr(Verdict) not = judge(b, a, &three, VERDICT_BY_NAME);
    assert_only(not, VERDICT_INCOMPATIBLE, "count", "dev.list",
                "there may be more than there is room for: the stream has uint16[at most 4], the destination "
                "uint16[at most 2]: 3 are in use, there is room for 2");
    g_autoptr(Verdict) more_room = judge(a, b, &two, VERDICT_BY_NAME);
    cr_assert_eq(more_room->level, VERDICT_IDENTICAL);
}

Test(verdict, a_struct_of_a_type_of_another_name_is_convertible)
{
    VMStateDescription other = inner_state;
    Thing thing = {.a = 0};

    other.name = "outer";
    assert_pair(F(VMS_SUB(Thing, inner, &other)), F(VMS_SUB(Thing, inner, &inner_state)), &thing, VERDICT_CONVERTIBLE,
                "type name", "the type has another name: the stream has struct inner, the destination struct outer");
}

/* --- by name: fields -------------------------------------------------------------------------------------------- */

Test(verdict, a_field_that_the_destination_lacks_is_unknown_or_skipped)
{
    VMStateField both[] = {A, GATE, VMS_END}, one[] = {A, VMS_END};
    Thing thing = {.gate = true};
    g_autoptr(Verdict) unknown = judge(one, both, &thing, VERDICT_BY_NAME);

    assert_only(unknown, VERDICT_INCOMPATIBLE, "unknown", "dev.gate",
                "the stream has this bool, the destination does not know it");
    both[1].flags = VMS_SKIPPABLE;
    g_autoptr(Verdict) skipped = judge(one, both, &thing, VERDICT_BY_NAME);
    assert_only(skipped, VERDICT_CONVERTIBLE, "skipped", "dev.gate",
                "the destination does not know this bool; it is left out");
}

Test(verdict, a_field_that_the_stream_lacks_is_missing_or_defaulted)
{
    VMStateField both[] = {A, GATE, VMS_END}, one[] = {A, VMS_END};
    Thing thing = {.gate = true};
    g_autoptr(Verdict) missing = judge(both, one, &thing, VERDICT_BY_NAME);

    assert_only(missing, VERDICT_INCOMPATIBLE, "missing", "dev.gate",
                "the destination needs this bool, the stream does not have it");
    both[1].flags = VMS_DEFAULTABLE;
    g_autoptr(Verdict) defaulted = judge(both, one, &thing, VERDICT_BY_NAME);
    assert_only(defaulted, VERDICT_CONVERTIBLE, "defaulted", "dev.gate",
                "the stream does not have this bool; it keeps its reset value");
}

Test(verdict, a_field_that_is_newer_than_the_stream_is_defaulted)
{
    VMStateField both[] = {A, GATE, VMS_END}, one[] = {A, VMS_END};
    VMStateDescription from = describe(one), to = describe(both);
    Thing thing = {.gate = true};

    both[1].since = 3;
    to.version = 3;
    g_autoptr(Verdict) v = judge_desc(&to, &from, &thing, VERDICT_BY_NAME);
    cr_assert_eq(v->level, VERDICT_CONVERTIBLE);
    cr_assert_eq(v->findings->len, 2);
    cr_assert_str_eq(finding(v, 0)->kind, "version");
    cr_assert_str_eq(finding(v, 1)->kind, "defaulted");
}

Test(verdict, another_name_is_missing_and_unknown_and_the_text_tells_of_the_namesake)
{
    VMStateField a[] = {A, GATE, VMS_END}, b[] = {A, renamed(GATE, "door"), VMS_END};
    Thing thing = {.gate = true};
    g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_NAME);

    cr_assert_eq(v->level, VERDICT_INCOMPATIBLE);
    cr_assert_eq(v->findings->len, 2);
    cr_assert_str_eq(finding(v, 0)->path, "dev.door");
    cr_assert_str_eq(finding(v, 0)->text,
                     "the destination needs this bool, the stream does not have it (was it called gate?)");
    cr_assert_str_eq(finding(v, 1)->path, "dev.gate");
    cr_assert_str_eq(finding(v, 1)->kind, "unknown");
}

Test(verdict, another_order_is_told_once_and_convertible)
{
    VMStateField a[] = {A, GATE, S, VMS_END}, b[] = {GATE, S, A, VMS_END};
    Thing thing = {.gate = true};
    g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_NAME);

    cr_assert_eq(v->level, VERDICT_CONVERTIBLE);
    cr_assert_eq(v->findings->len, 1);
    cr_assert_str_eq(finding(v, 0)->kind, "reordered");
}

Test(verdict, structs_in_structs_have_their_path)
{
    VMStateField narrow[] = {VMS_FIELD(Inner, x), as(F(VMS_FIELD(Inner, y)), SCALAR_UINT8), VMS_END};
    VMStateDescription small = inner_state;
    Thing thing = {.inners = {{1, 2}, {3, 4}, {5, 600}}};

    small.fields = narrow;
    VMStateField a[] = {VMS_SUB_ARRAY(Thing, inners, &inner_state), VMS_END},
                 b[] = {VMS_SUB_ARRAY(Thing, inners, &small), VMS_END};
    g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_NAME);
    assert_only(v, VERDICT_INCOMPATIBLE, "narrowed", "dev.inners.y",
                "narrowed: the stream has uint16, the destination uint8; 600 does not fit");
}

/* --- subsections ------------------------------------------------------------------------------------------------ */

static const VMStateField sub_fields[] = {VMS_FIELD(Thing, extra), VMS_END};
static const VMStateDescription sub_state = {.name = "thing/sub", .version = 3, .minimum = 2, .fields = sub_fields};
static const VMStateSubsection subs[] = {{.desc = &sub_state, .presence = offsetof(Thing, has_sub) + 1},
                                         {.desc = NULL}};

Test(verdict, a_subsection_that_the_destination_does_not_know_matters_if_it_is_there)
{
    VMStateField fields[] = {A, VMS_END};
    VMStateDescription with = describe(fields), without = describe(fields);
    Thing there = {.has_sub = true}, not_there = {.a = 1};

    with.subsections = subs;
    for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
        g_autoptr(Verdict) unknown = judge_desc(&without, &with, &there, loader);
        cr_assert_eq(unknown->level, VERDICT_INCOMPATIBLE);
        cr_assert_str_eq(finding(unknown, 0)->kind, "unknown");
        cr_assert_str_eq(finding(unknown, 0)->path, "dev.thing/sub");
        g_autoptr(Verdict) fine = judge_desc(&without, &with, &not_there, loader);
        cr_assert_eq(fine->level, VERDICT_IDENTICAL);
        g_autoptr(Verdict) defaulted = judge_desc(&with, &without, &there, loader);
        cr_assert_eq(defaulted->level, VERDICT_CONVERTIBLE);
        cr_assert_str_eq(finding(defaulted, 0)->kind, "defaulted");
    }
}

Test(verdict, a_subsection_that_may_be_left_out_is_skipped)
{
    VMStateField fields[] = {A, VMS_END};
    VMStateDescription with = describe(fields), without = describe(fields);
    VMStateSubsection skippable[2] = {subs[0]};
    Thing there = {.has_sub = true};

    skippable[0].flags = VMS_SKIPPABLE;
    with.subsections = skippable;
    g_autoptr(Verdict) v = judge_desc(&without, &with, &there, VERDICT_BY_NAME);
    cr_assert_eq(v->level, VERDICT_CONVERTIBLE);
    cr_assert_str_eq(finding(v, 0)->kind, "skipped");
}

Test(verdict, a_subsections_version_is_judged_like_a_sections)
{
    VMStateField fields[] = {A, VMS_END};
    VMStateDescription with = describe(fields), other = describe(fields), changed = sub_state;
    VMStateSubsection other_subs[2] = {subs[0]};
    Thing there = {.has_sub = true};
    static const struct {
        int version;
        VerdictLevel level;
    } cases[] = {
        {1, VERDICT_INCOMPATIBLE}, {2, VERDICT_CONVERTIBLE}, {3, VERDICT_IDENTICAL}, {4, VERDICT_INCOMPATIBLE}};

    with.subsections = subs;
    other_subs[0].desc = &changed;
    other.subsections = other_subs;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        changed.version = cases[i].version;
        for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
            g_autoptr(Verdict) v = judge_desc(&with, &other, &there, loader);
            cr_assert_eq(v->level, cases[i].level, "version %d", cases[i].version);
        }
    }
}
