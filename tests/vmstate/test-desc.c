/* test-desc.c: descriptions that are sound, and what is wrong with those that are not. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/zoo.h"
#include "vmstate/configuration.h"
#include "vmstate/state.h"

Test(desc, the_constant_descriptions_are_sound)
{
    static const VMStateDescription *const all[] = {&zoo_state, &configuration_state};

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        g_autoptr(GError) error = NULL;
        cr_assert(vms_desc_check(all[i], &error), "%s", error ? error->message : "");
    }
}

typedef struct Thing {
    uint32_t a, b;
    uint8_t list[4];
} Thing;

/* Descriptions with one thing wrong: the macros do not let one write them at once. */
static void check_unsound(const VMStateField *fields, const char *wanted)
{
    VMStateDescription desc = {.name = "thing", .version = 1, .minimum = 1, .size = sizeof(Thing), .fields = fields};
    g_autoptr(GError) error = NULL;

    cr_assert_not(vms_desc_check(&desc, &error), "%s is not noticed", wanted);
    cr_assert_str_eq(error->message, wanted);
}

Test(desc, two_fields_of_one_name_are_unsound)
{
    VMStateField fields[] = {VMS_FIELD(Thing, a), VMS_FIELD(Thing, b), VMS_END};

    fields[1].name = "a";
    check_unsound(fields, "description thing.a: another field has the same name");
}

Test(desc, a_member_outside_the_struct_is_unsound)
{
    VMStateField fields[] = {VMS_FIELD(Thing, b), VMS_END};

    fields[0].offset = sizeof(Thing) - 3;
    check_unsound(fields, "description thing.b: the member is not inside the struct");
}

Test(desc, a_pad_of_more_octets_than_a_state_may_have_is_unsound)
{
    VMStateField fields[] = {VMS_PAD(1 << 20), VMS_END};

    fields[0].array = true;
    fields[0].count = 65;
    check_unsound(fields, "description thing.unused: more elements or octets than the format allows");
}

Test(desc, a_counter_behind_what_it_counts_is_unsound)
{
    VMStateField fields[] = {VMS_COUNTED(Thing, list, a), VMS_FIELD(Thing, a), VMS_END};

    check_unsound(fields, "description thing.list: its counter is not a field in front of it");
}

Test(desc, a_counter_that_is_another_member_is_unsound)
{
    VMStateField fields[] = {VMS_FIELD(Thing, a), VMS_COUNTED(Thing, list, a), VMS_END};

    fields[1].counter = offsetof(Thing, b);
    check_unsound(fields, "description thing.list: its counter is not the integer field of that name");
}

Test(desc, a_field_newer_than_its_description_is_unsound)
{
    VMStateField fields[] = {VMS_FIELD(Thing, a, .since = 2), VMS_END};

    check_unsound(fields, "description thing.a: it is newer than the description's version");
}

Test(desc, a_scalar_of_another_width_than_its_member_is_unsound)
{
    VMStateField fields[] = {VMS_FIELD(Thing, a), VMS_END};

    fields[0].scalar = SCALAR_UINT16;
    check_unsound(fields, "description thing.a: the member is not as wide as the scalar");
}

Test(desc, a_struct_that_holds_itself_is_unsound)
{
    VMStateField fields[] = {VMS_FIELD(Thing, a), VMS_END};
    VMStateDescription desc = {.name = "thing", .version = 1, .minimum = 1, .size = sizeof(Thing), .fields = fields};
    g_autoptr(GError) error = NULL;

    fields[0] = (VMStateField){.name = "self", .kind = VMS_STRUCT, .count = 1, .size = sizeof(Thing), .desc = &desc};
    cr_assert_not(vms_desc_check(&desc, &error));
    cr_assert_str_eq(error->message, "description thing: it is nested too deep");
}

Test(desc, the_base_is_called_by_its_type_and_all_else_by_name)
{
    cr_assert_str_eq(vms_field_label(&zoo_state, &zoo_state.fields[0]), "ZooBase");
    cr_assert_str_eq(vms_field_label(&zoo_state, vms_field_find(&zoo_state, "cage", 0, NULL)), "cage");
}

/* --- copies of states ------------------------------------------------------------------------------------------- */

Test(state, a_copy_is_equal_and_independent)
{
    GRand *rand = g_rand_new_with_seed(7);

    for (int i = 0; i < 100; i++) {
        Zoo *zoo = vms_state_new(&zoo_state), copy;
        zoo_fill(&zoo_state, zoo, rand);
        zoo->flag = true;
        vms_state_copy(&zoo_state, &copy, zoo);
        cr_assert(vms_state_equal(&zoo_state, zoo, &copy));
        cr_assert_neq(copy.text, zoo->text);
        copy.text[0] ^= 1;
        cr_assert_not(vms_state_equal(&zoo_state, zoo, &copy));
        copy.text[0] ^= 1;
        copy.extra++;
        cr_assert_not(vms_state_equal(&zoo_state, zoo, &copy));
        vms_state_free(&zoo_state, zoo);
        vms_state_done(&zoo_state, &copy);
    }
    g_rand_free(rand);
}

Test(state, what_is_not_in_use_does_not_count)
{
    Zoo a = {.used = 1}, b = {.used = 1};

    b.fifo[1] = 9;
    cr_assert(vms_state_equal(&zoo_state, &a, &b));
    b.fifo[0] = 9;
    cr_assert_not(vms_state_equal(&zoo_state, &a, &b));
}

Test(state, values_are_found_by_name)
{
    Zoo zoo = {.i32s = {1, -2, 3}, .cages = {[2] = {.number = 5}}};
    const VMStateDescription *cage;
    Integer value;

    cr_assert(vms_state_get(&zoo_state, &zoo, "i32s", 1, &value));
    cr_assert(value.negative && (int64_t)value.bits == -2);
    cr_assert_not(vms_state_get(&zoo_state, &zoo, "i32s", 3, &value));
    cr_assert_not(vms_state_get(&zoo_state, &zoo, "i33s", 0, &value));
    cr_assert_not(vms_state_get(&zoo_state, &zoo, "f64", 0, &value));
    const void *third = vms_state_struct(&zoo_state, &zoo, "cages", 2, &cage);
    cr_assert_eq(third, &zoo.cages[2]);
    cr_assert(vms_state_get(cage, third, "number", 0, &value));
    cr_assert_eq(value.bits, 5);
}
