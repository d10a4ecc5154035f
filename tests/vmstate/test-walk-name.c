/* test-walk-name.c: fields that are found by name. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/zoo.h"
#include "tests/vmstate/walk-format.h"

enum { ROUNDS = 300 };

typedef struct Old {
    uint8_t a;
    uint32_t b;
    int16_t c[2];
    uint16_t gone;
} Old;

typedef struct New {
    int16_t c[2];
    uint64_t b;
    uint16_t a;
    uint32_t fresh;
} New;

static const VMStateField old_fields[] = {
    VMS_FIELD(Old, a), VMS_FIELD(Old, b), VMS_ARRAY(Old, c), VMS_FIELD(Old, gone, .flags = VMS_SKIPPABLE), VMS_END,
};

static const VMStateDescription old_state = {
    .name = "thing",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Old),
    .fields = old_fields,
};

static const VMStateField new_fields[] = {
    VMS_ARRAY(New, c), VMS_FIELD(New, b), VMS_FIELD(New, a), VMS_FIELD(New, fresh, .since = 2), VMS_END,
};

static const VMStateDescription new_state = {
    .name = "thing",
    .version = 2,
    .minimum = 1,
    .size = sizeof(New),
    .fields = new_fields,
};

Test(walk, fields_are_found_by_name_in_another_order_and_width)
{
    Old old = {.a = 200, .b = 0xdeadbeef, .c = {-1, 2}, .gone = 9};
    New new = {.fresh = 77};
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};

    save(&old_state, &old, BER, &out);
    cr_assert(load(&new_state, &new, 1, BER, &out, &old_state, &error), "%s", error ? error->message : "");
    cr_assert_eq(new.a, 200);
    cr_assert_eq(new.b, 0xdeadbeef);
    cr_assert_eq(new.c[0], -1);
    cr_assert_eq(new.c[1], 2);
    cr_assert_eq(new.fresh, 77);
    byte_out_done(&out);
}

static void check_narrow(uint64_t value, const char *wanted)
{
    New new = {.b = value};
    Old old = {0};
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};

    save(&new_state, &new, BER, &out);
    /* the old one needs `gone`, which the new one has not; as if it were defaultable */
    VMStateField fields[5];
    memcpy(fields, old_fields, sizeof fields);
    fields[3].flags = VMS_DEFAULTABLE;
    VMStateField source[5];
    memcpy(source, new_fields, sizeof source);
    source[3].flags = VMS_SKIPPABLE;
    VMStateDescription to = old_state, from = new_state;
    to.fields = fields;
    from.fields = source;
    bool ok = load(&to, &old, 1, BER, &out, &from, &error);
    cr_assert_eq(ok, !wanted, "%s", error ? error->message : "it fits");
    if (wanted)
        cr_assert_not_null(strstr(error->message, wanted), "%s", error->message);
    else
        cr_assert_eq(old.b, value);
    byte_out_done(&out);
}

Test(walk, a_narrowed_value_loads_if_it_fits)
{
    check_narrow(0xffffffff, NULL);
    check_narrow(UINT64_C(0x100000000), "zoo.b @0x");
    check_narrow(UINT64_C(0x100000000), "the value 4294967296 does not fit uint32");
}

Test(walk, a_field_that_only_one_side_has_is_named)
{
    Old old = {0};
    New new = {0};
    g_autoptr(GError) missing = NULL;
    g_autoptr(GError) unknown = NULL;
    ByteOut from_old = {0}, from_new = {0};

    save(&old_state, &old, BER, &from_old);
    save(&new_state, &new, BER, &from_new);
    cr_assert_not(load(&new_state, &new, 2, BER, &from_old, &old_state, &missing));
    cr_assert_not_null(strstr(missing->message, "zoo.fresh"), "%s", missing->message);
    cr_assert_not_null(strstr(missing->message, "the destination needs it, the stream does not have it"), "%s",
                       missing->message);
    VMStateField fields[5];
    memcpy(fields, old_fields, sizeof fields);
    fields[3].flags = VMS_DEFAULTABLE;
    VMStateDescription to = old_state;
    to.fields = fields;
    cr_assert_not(load(&to, &old, 1, BER, &from_new, &new_state, &unknown));
    cr_assert_not_null(strstr(unknown->message, "zoo.fresh"), "%s", unknown->message);
    cr_assert_not_null(strstr(unknown->message, "the stream has it, the destination does not know it"), "%s",
                       unknown->message);
    byte_out_done(&from_old);
    byte_out_done(&from_new);
}

Test(walk, a_random_description_missing_subsections_loads_by_name)
{
    GRand *rand = g_rand_new_with_seed(6);
    static const VMStateSubsection none[] = {{.desc = NULL}};
    VMStateDescription bare = zoo_state;

    bare.subsections = none;
    for (int i = 0; i < ROUNDS; i++) {
        Zoo *zoo = vms_state_new(&zoo_state), *again = vms_state_new(&zoo_state);
        zoo_fill(&zoo_state, zoo, rand);
        g_autoptr(GError) error = NULL;
        ByteOut out = {0};
        save(&bare, zoo, BER, &out);
        cr_assert(load(&zoo_state, again, 3, BER, &out, &bare, &error), "%s", error ? error->message : "");
        cr_assert_not(again->has_moat || again->has_tower);
        cr_assert(vms_state_equal(&bare, zoo, again));
        byte_out_done(&out);
        /* the other way round the subsections are unknown, unless they are skippable */
        save(&zoo_state, zoo, BER, &out);
        bool ok = load(&bare, again, 3, BER, &out, &zoo_state, NULL);
        cr_assert_eq(ok, !zoo->has_moat && !zoo->has_tower);
        byte_out_done(&out);
        vms_state_free(&zoo_state, zoo);
        vms_state_free(&zoo_state, again);
    }
    g_rand_free(rand);
}

Test(walk, a_skippable_subsection_is_left_out_with_all_that_is_in_it)
{
    VMStateSubsection subs[3];
    VMStateDescription from = zoo_state, bare = zoo_state;
    Zoo zoo = {.has_moat = true, .has_tower = true, .has_flag_on_tower = true}, again = {0};
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};

    memcpy(subs, zoo_state.subsections, sizeof subs);
    subs[0].flags = subs[1].flags = VMS_SKIPPABLE;
    from.subsections = subs;
    bare.subsections = NULL;
    save(&from, &zoo, BER, &out);
    cr_assert(load(&bare, &again, 3, BER, &out, &from, &error), "%s", error ? error->message : "");
    byte_out_done(&out);
    vms_state_done(&zoo_state, &again);
}
