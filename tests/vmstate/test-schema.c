/* test-schema.c: descriptions built at run time, and their way through a Schema record. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/zoo.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "vmstate/berstream.h"
#include "vmstate/state.h"
#include "vmstate/verdict.h"
#include "vmstate/walk.h"

static const VMStateDescription *build(Schema *schema, const char *name, const VMStateField *fields)
{
    g_autoptr(GError) error = NULL;
    TypeBuilder *b = type_builder_new(schema, name, 1, 1);

    for (; fields->name; fields++)
        type_builder_field(b, fields);
    const VMStateDescription *desc = type_builder_finish(b, &error);
    cr_assert_not_null(desc, "%s", error ? error->message : "");
    return desc;
}

/* Why a description with these fields is not one. */
static char *refusal(const VMStateField *fields)
{
    g_autoptr(Schema) schema = schema_new();
    TypeBuilder *b = type_builder_new(schema, "thing", 1, 1);
    GError *error = NULL;

    for (; fields->name; fields++)
        type_builder_field(b, fields);
    cr_assert_null(type_builder_finish(b, &error));
    char *message = g_strdup(error->message);
    g_error_free(error);
    return message;
}

static VMStateField scalar(const char *name, Scalar type)
{
    return (VMStateField){.name = name, .kind = VMS_SCALAR, .scalar = (uint8_t)type, .count = 1};
}

/* The schema that another program reads. */
static Schema *through_octets(const Schema *schema)
{
    SchemaWriter *writer = schema_writer_new();
    Schema *again = schema_new();
    SchemaReader *reader = schema_reader_new(again);
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};
    BerCursor cursor;

    cr_assert(schema_writer_put(writer, &out, schema, 0, &error));
    ber_cursor_init(&cursor, out.data, out.len, 0, "schema", &error);
    cr_assert(schema_reader_take(reader, &cursor), "%s", error ? error->message : "");
    cr_assert_not(ber_cursor_more(&cursor));
    schema_reader_free(reader);
    schema_writer_free(writer);
    byte_out_done(&out);
    return again;
}

static Schema *schema_of(const VMStateDescription *desc)
{
    Schema *schema = schema_new();
    SchemaSection section = {.name = "zoo", .instance = 3, .version = desc->version, .desc = desc, .octets = -1};

    cr_assert(schema_add_section(schema, &section, NULL));
    return schema;
}

/* Differences between two descriptions, as the verdict finds them. */
static guint differences(const VMStateDescription *a, const VMStateDescription *b)
{
    VerdictSection from = {.name = "zoo", .version = a->version, .desc = a},
                   to = {.name = "zoo", .version = b->version, .desc = b};
    VerdictSide source = {.sections = &from, .section_count = 1}, dest = {.sections = &to, .section_count = 1};
    g_autoptr(Verdict) v = verdict_new(&source, &dest, VERDICT_BY_NAME);

    for (guint i = 0; i < v->findings->len; i++) {
        const VerdictFinding *f = g_ptr_array_index(v->findings, i);
        cr_log_warn("%s: %s: %s", f->kind, f->path, f->text);
    }
    return v->findings->len;
}

Test(schema, a_description_of_every_kind_of_field_comes_through_as_it_is)
{
    g_autoptr(Schema) schema = schema_of(&zoo_state);
    g_autoptr(Schema) again = through_octets(schema);

    cr_assert_eq(schema_section_count(again), 1);
    const SchemaSection *s = schema_section(again, 0);
    cr_assert_str_eq(s->name, "zoo");
    cr_assert_eq(s->instance, 3);
    cr_assert_eq(s->version, zoo_state.version);
    cr_assert_eq(s->desc->version, zoo_state.version);
    cr_assert_eq(s->desc->minimum, zoo_state.minimum);
    cr_assert_eq(differences(&zoo_state, s->desc), 0);
    cr_assert_eq(differences(s->desc, &zoo_state), 0);
}

Test(schema, a_description_from_a_schema_loads_what_the_constant_one_saved)
{
    g_autoptr(Schema) schema = schema_of(&zoo_state);
    g_autoptr(Schema) again = through_octets(schema);
    const VMStateDescription *built = schema_section(again, 0)->desc;

    for (guint32 seed = 0; seed < 200; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(GError) error = NULL;
        void *original = vms_state_new(&zoo_state), *loaded = vms_state_new(built);
        ByteOut first = {0}, second = {0};
        zoo_fill(&zoo_state, original, rand);
        g_autoptr(Visitor) w1 = ber_out_new(&first, "zoo", BER_CONTEXT, 0);
        vmstate_save(w1, &zoo_state, original);
        cr_assert(visit_finish(w1, &error));
        g_autoptr(Visitor) r1 = ber_in_new(first.data, first.len, 0, "zoo", BER_CONTEXT, 0);
        vmstate_load(r1, built, loaded, zoo_state.version, NULL);
        cr_assert(visit_finish(r1, &error), "seed %u: %s", seed, error->message);
        g_autoptr(Visitor) w2 = ber_out_new(&second, "zoo", BER_CONTEXT, 0);
        vmstate_save(w2, built, loaded);
        cr_assert(visit_finish(w2, &error));
        cr_assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0, "seed %u", seed);
        vms_state_free(&zoo_state, original);
        vms_state_free(built, loaded);
        byte_out_done(&first);
        byte_out_done(&second);
    }
}

Test(schema, two_types_that_say_the_same_are_one)
{
    g_autoptr(Schema) schema = schema_new();
    VMStateField fields[] = {scalar("a", SCALAR_UINT8), scalar("b", SCALAR_INT64), VMS_END};
    const VMStateDescription *one = build(schema, "thing", fields), *two = build(schema, "thing", fields);

    fields[1].name = "c";
    cr_assert_eq(one, two);
    cr_assert_neq(build(schema, "thing", fields), one);
    cr_assert_str_eq(one->fields[1].name, "b", "names are copied");
}

Test(schema, fields_are_laid_out_without_gaps)
{
    g_autoptr(Schema) schema = schema_new();
    VMStateField fields[] = {scalar("a", SCALAR_UINT8), scalar("b", SCALAR_UINT64), scalar("c", SCALAR_UINT16),
                             VMS_END};
    const VMStateDescription *desc = build(schema, "thing", fields);

    cr_assert_eq(desc->fields[0].offset, 0);
    cr_assert_eq(desc->fields[1].offset, 1);
    cr_assert_eq(desc->fields[2].offset, 9);
    cr_assert_eq(desc->size, 11);
}

Test(schema, what_makes_no_sense_is_not_built)
{
    VMStateField twice[] = {scalar("a", SCALAR_UINT8), scalar("a", SCALAR_UINT8), VMS_END};
    VMStateField many[] = {scalar("a", SCALAR_UINT64), VMS_END};
    VMStateField counter[] = {scalar("a", SCALAR_UINT8), VMS_END};
    g_autofree char *same = refusal(twice);

    cr_assert_str_eq(same, "type thing.a: two fields have that name");
    many[0].array = true;
    many[0].count = VMS_COUNT_MAX + 1;
    g_autofree char *too_many = refusal(many);
    cr_assert_not_null(strstr(too_many, "thing.a"), "%s", too_many);
    counter[0].array = true;
    counter[0].count = 4;
    counter[0].counted_by = "n";
    g_autofree char *nobody = refusal(counter);
    cr_assert_not_null(strstr(nobody, "thing.a"), "%s", nobody);
}

static VMStateField buffer(const char *name, size_t size, uint32_t flags)
{
    return (VMStateField){.name = name, .kind = VMS_BUFFER, .size = size, .count = 1, .flags = flags};
}

/* The octet that tells whether a field is there comes on top of a struct that is full. */
Test(schema, a_struct_that_is_full_takes_no_more)
{
    VMStateField full[] = {buffer("a", VMS_STATE_MAX, 0), VMS_END};
    VMStateField more[] = {buffer("a", VMS_STATE_MAX, 0), buffer("b", 1, 0), VMS_END};
    VMStateField optional[] = {buffer("a", VMS_STATE_MAX, VMS_OPTIONAL), VMS_END};
    VMStateField behind[] = {buffer("a", VMS_STATE_MAX, VMS_OPTIONAL), buffer("b", VMS_STATE_MAX, 0), VMS_END};
    g_autoptr(Schema) schema = schema_new();
    g_autofree char *of_more = refusal(more), *of_optional = refusal(optional), *of_behind = refusal(behind);

    cr_assert_eq(build(schema, "thing", full)->size, VMS_STATE_MAX);
    cr_assert_str_eq(of_more, "type thing.b: the struct is larger than 64 MiB");
    cr_assert_str_eq(of_optional, "type thing: the struct is larger than 64 MiB");
    cr_assert_str_eq(of_behind, "type thing.b: the struct is larger than 64 MiB");
}

Test(schema, the_first_integer_of_a_name_is_the_counter)
{
    VMStateField list = {.name = "list", .kind = VMS_SCALAR, .scalar = SCALAR_UINT8, .count = 3, .array = true};
    VMStateField fields[] = {scalar("n", SCALAR_FLOAT64), scalar("n", SCALAR_UINT16), scalar("n", SCALAR_UINT8), list,
                             VMS_END};
    g_autoptr(Schema) schema = schema_new();

    for (int i = 0; i < 3; i++)
        fields[i].index = i + 1; /* elements of one name */
    fields[3].counted_by = "n";
    const VMStateDescription *desc = build(schema, "thing", fields);
    cr_assert_eq(desc->fields[3].counter, 8);
    cr_assert_eq(desc->fields[3].counter_scalar, SCALAR_UINT16);
}

Test(schema, a_section_that_comes_again_is_found_by_its_number)
{
    g_autoptr(Schema) schema = schema_new();
    SchemaSection a = {.name = "slot", .instance = 0, .version = 1, .octets = 5}, b = a;

    b.octets = 6;
    cr_assert(schema_add_section(schema, &a, NULL));
    cr_assert(schema_add_section(schema, &b, NULL));
    cr_assert_eq(schema_find(schema, "slot", 0, 0)->octets, 5);
    cr_assert_eq(schema_find(schema, "slot", 0, 1)->octets, 6);
    cr_assert_null(schema_find(schema, "slot", 0, 2));
    cr_assert_null(schema_find(schema, "slot", 1, 0));
    cr_assert_null(schema_find(schema, "slo", 0, 0));
}

Test(schema, what_is_not_described_can_borrow_a_description_of_its_version)
{
    g_autoptr(Schema) lender = schema_of(&zoo_state);
    g_autoptr(Schema) schema = schema_new();
    SchemaSection sections[] = {
        {.name = "zoo", .instance = 3, .version = zoo_state.version, .octets = -1},
        {.name = "zoo", .instance = 4, .version = zoo_state.version, .octets = -1},
        {.name = "zoo", .instance = 3, .version = zoo_state.version + 1, .octets = -1},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(sections); i++)
        cr_assert(schema_add_section(schema, &sections[i], NULL));
    schema_borrow(schema, 1, lender);
    cr_assert_null(schema_section(schema, 0)->desc, "it was not among the new ones");
    schema_borrow(schema, 0, lender);
    cr_assert_eq(schema_section(schema, 0)->desc, schema_section(lender, 0)->desc);
    cr_assert_null(schema_section(schema, 1)->desc);
    cr_assert_null(schema_section(schema, 2)->desc);
}

Test(schema, lives_as_long_as_somebody_holds_it)
{
    Schema *schema = schema_of(&zoo_state), *held = schema_ref(schema);

    schema_unref(schema);
    cr_assert_str_eq(schema_section(held, 0)->name, "zoo");
    schema_unref(held);
}
