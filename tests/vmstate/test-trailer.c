/* test-trailer.c: QEMU's JSON description, read to descriptions and written again octet for octet. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/recordings.h"
#include "visitors/chan.h"
#include "vmstate/match.h"
#include "vmstate/trailer.h"

static Schema *parse(const char *devices, GError **error)
{
    g_autofree char *text = g_strdup_printf("{\"page_size\": 4096, \"devices\": [%s]}", devices);
    g_autoptr(Schema) schema = schema_new();

    return trailer_parse(schema, text, strlen(text), 0, error) ? g_steal_pointer(&schema) : NULL;
}

#define FIELD(name, type, size) "{\"name\": \"" name "\", \"type\": \"" type "\", \"size\": " #size "}"
#define DEVICE(fields)                                                                                                 \
    "{\"name\": \"d\", \"instance_id\": 0, \"vmsd_name\": \"d\", \"version\": 1, \"fields\": [" fields "]}"

static const VMStateDescription *only_device(const Schema *schema)
{
    cr_assert_eq(schema_section_count(schema), 1);
    return schema_section(schema, 0)->desc;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

Test(trailer, known_types_become_fields_and_others_octets)
{
    g_autoptr(Schema) s = parse(
        DEVICE(FIELD("a", "uint32", 4) ", " FIELD("b", "timer", 8) ", " FIELD("c", "pci irq state", 16) ", " FIELD(
            "d", "virtio", 45526) ", " FIELD("e", "uint64", 1) ", " FIELD("f", "bitmap", 16) ", " FIELD("g", "buffer",
                                                                                                        3)),
        NULL);
    const VMStateField *f = only_device(s)->fields;

    cr_assert(f[0].kind == VMS_SCALAR && f[0].scalar == SCALAR_UINT32);
    cr_assert(f[1].kind == VMS_SCALAR && f[1].scalar == SCALAR_INT64);
    cr_assert_str_eq(f[1].type, "timer");
    cr_assert(f[2].kind == VMS_SCALAR && f[2].count == 4 && vms_is_array(&f[2]));
    cr_assert(f[3].kind == VMS_OCTETS && f[3].size == 45526);
    cr_assert(f[4].kind == VMS_OCTETS && f[4].size == 1, "a type in another size than its own is octets");
    cr_assert(f[5].kind == VMS_BITMAP && f[5].size == 128);
    cr_assert(f[6].kind == VMS_BUFFER && f[6].size == 3);
}

Test(trailer, elements_listed_one_by_one_become_an_array)
{
    g_autoptr(Schema) s = parse(DEVICE("{\"name\": \"x\", \"index\": 0, \"type\": \"uint8\", \"size\": 1}, "
                                       "{\"name\": \"x\", \"index\": 1, \"type\": \"uint8\", \"size\": 1}, "
                                       "{\"name\": \"y\", \"type\": \"uint8\", \"size\": 1}"),
                                NULL);
    const VMStateDescription *d = only_device(s);

    cr_assert_eq(vms_field_count(d), 2);
    cr_assert(vms_is_array(&d->fields[0]) && d->fields[0].count == 2 && d->fields[0].flags & VMS_LISTED);
    cr_assert_eq(d->size, 3);
}

#define ELEMENT(index, subsections)                                                                                    \
    "{\"name\": \"x\", \"index\": " #index                                                                             \
    ", \"type\": \"struct\", \"struct\": {\"vmsd_name\": \"e\", \"version\": 1, \"fields\": [" FIELD(                  \
        "v", "uint8", 1) "]" subsections "}, \"size\": 1}"
#define SUBSECTION(name) "{\"vmsd_name\": \"e/" name "\", \"version\": 1, \"fields\": [" FIELD("w", "uint8", 1) "]}"

Test(trailer, elements_that_differ_in_subsections_have_those_of_all)
{
    g_autoptr(Schema) s =
        parse(DEVICE(ELEMENT(0, ", \"subsections\": [" SUBSECTION("b") "]") ", " ELEMENT(1, "") ", " ELEMENT(
                  2, ", \"subsections\": [" SUBSECTION("a") ", " SUBSECTION("b") ", " SUBSECTION("c") "]")),
              NULL);
    const VMStateDescription *d = only_device(s);

    cr_assert_eq(vms_field_count(d), 1);
    cr_assert_eq(d->fields[0].count, 3);
    const VMStateDescription *e = d->fields[0].desc;
    cr_assert_eq(vms_subsection_count(e), 3);
    cr_assert_eq(vms_subsection_find(e, "e/a"), 0);
    cr_assert_eq(vms_subsection_find(e, "e/b"), 1);
    cr_assert_eq(vms_subsection_find(e, "e/c"), 2);
}

Test(trailer, subsections_in_contradicting_order_are_not_joined)
{
    g_autoptr(Schema) s =
        parse(DEVICE(ELEMENT(0, ", \"subsections\": [" SUBSECTION("a") ", " SUBSECTION("b") "]") ", " ELEMENT(
                  1, ", \"subsections\": [" SUBSECTION("b") ", " SUBSECTION("a") "]")),
              NULL);

    cr_assert_eq(vms_field_count(only_device(s)), 2);
}

Test(trailer, numbers_of_equal_names_are_dropped_from_labels_where_not_needed)
{
    g_autoptr(Schema) s = parse(
        DEVICE(FIELD("config[0]", "uint8", 1) ", " FIELD("r[0]", "uint8", 1) ", " FIELD("r[1]", "uint8", 1)), NULL);
    const VMStateDescription *d = only_device(s);

    cr_assert_str_eq(vms_field_label(d, &d->fields[0]), "config");
    cr_assert_str_eq(vms_field_label(d, &d->fields[1]), "r[0]");
    cr_assert_str_eq(vms_field_label(d, &d->fields[2]), "r[1]");
}

Test(trailer, a_device_nobody_described_has_a_size)
{
    g_autoptr(Schema) s = parse(
        "{\"name\": \"slirp\", \"instance_id\": 0, \"size\": 131, \"fields\": [{\"name\": \"data\", \"size\": 131, "
        "\"type\": \"buffer\"}]}",
        NULL);

    cr_assert_null(schema_section(s, 0)->desc);
    cr_assert_eq(schema_section(s, 0)->octets, 131);
}

Test(trailer, two_devices_that_say_the_same_share_a_description)
{
    g_autoptr(Schema) s = parse(DEVICE(FIELD("a", "uint8", 1)) ", " DEVICE(FIELD("a", "uint8", 1)), NULL);

    cr_assert_eq(schema_section(s, 0)->desc, schema_section(s, 1)->desc);
    cr_assert_eq(schema_find(s, "d", 0, 1), schema_section(s, 1));
    cr_assert_null(schema_find(s, "d", 0, 2));
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

static void check_refused(const char *devices, const char *wanted)
{
    g_autoptr(GError) error = NULL;
    Schema *s = parse(devices, &error);

    cr_assert_null(s, "accepted: %s", devices);
    cr_assert_not_null(strstr(error->message, wanted), "%s", error->message);
}

Test(trailer, what_is_wrong_is_named_with_the_device_and_the_place)
{
    check_refused("{\"name\": \"d\"}", "JSON description @0x20: \"instance_id\" is missing or not an integer");
    check_refused(DEVICE("{\"name\": \"a\", \"type\": \"uint8\"}"), "JSON description, device d @0x");
    check_refused(DEVICE("{\"name\": \"a\", \"type\": \"uint8\"}"), "\"size\" is missing or not an integer");
    check_refused(DEVICE("{\"name\": \"a\", \"type\": \"uint8\", \"size\": -1}"),
                  "\"size\" is -1, not between 0 and 67108864");
    check_refused(DEVICE(FIELD("a\\u001b[1m", "uint8", 1)), "\"name\" has control characters in it");
    check_refused(DEVICE(FIELD("a", "t\\u009bm", 1)), "\"type\" has control characters in it");
    check_refused("{\"name\": 5", "JSON description @0x");
    check_refused("7", "\"name\" is missing");
    check_refused(DEVICE(FIELD("a", "uint8", 1) ", " FIELD("a", "uint8", 1)), "type d.a: two fields have that name");
}

Test(trailer, sizes_that_multiply_beyond_the_limit_are_refused)
{
    check_refused(DEVICE("{\"name\": \"a\", \"array_len\": 16777216, \"type\": \"buffer\", \"size\": 1000}"),
                  "larger than 64 MiB");
    check_refused(DEVICE("{\"name\": \"a\", \"array_len\": 16777217, \"type\": \"uint8\", \"size\": 1}"),
                  "not between 0 and 16777216");
}

Test(trailer, structs_nested_without_end_are_refused)
{
    g_autoptr(GString) s = g_string_new(FIELD("v", "uint8", 1));

    for (int i = 0; i < 40; i++) {
        g_autofree char *inner = g_string_free(g_steal_pointer(&s), FALSE);
        s = g_string_new(NULL);
        g_string_printf(
            s,
            "{\"name\": \"s\", \"type\": \"struct\", \"struct\": {\"vmsd_name\": \"t%d\", \"version\": 1, \"fields\": [%s]}, \"size\": 1}",
            i, inner);
    }
    g_autofree char *device = g_strdup_printf(
        "{\"name\": \"d\", \"instance_id\": 0, \"vmsd_name\": \"d\", \"version\": 1, \"fields\": [%s]}", s->str);
    check_refused(device, "structs are nested");
}

/* A device whose subsections have subsections that have subsections, 26 of each: they are counted at every level. */
static char *multiplying_device(int number)
{
    g_autofree char *inner = g_strdup(FIELD("v", "uint8", 1));
    g_autofree char *subs = g_strdup("");

    for (int level = 0; level < 3; level++) {
        GString *list = g_string_new(NULL);
        for (int i = 0; i < 26; i++)
            g_string_append_printf(list, "%s{\"vmsd_name\": \"d%d/%d\", \"version\": %d, \"fields\": [%s]%s}",
                                   i ? ", " : "", number, i, level + 1, inner, subs);
        g_free(subs);
        subs = g_strdup_printf(", \"subsections\": [%s]", list->str);
        g_string_free(list, TRUE);
    }
    return g_strdup_printf(
        "{\"name\": \"d%d\", \"instance_id\": 0, \"vmsd_name\": \"d\", \"version\": 1, \"fields\": [%s]%s}", number,
        inner, subs);
}

Test(trailer, subsections_that_multiply_are_refused)
{
    g_autoptr(GString) devices = g_string_new(NULL);

    for (int i = 0; i < 4; i++) {
        g_autofree char *device = multiplying_device(i);
        g_string_append_printf(devices, "%s%s", i ? ", " : "", device);
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(Schema) s = parse(devices->str, &error);
    cr_assert(!s && strstr(error->message, "JSON description, device d3 @0x") &&
                  strstr(error->message, "more fields than the format allows"),
              "%s", error ? error->message : "accepted");
}

Test(trailer, a_device_of_too_many_octets_or_objects_is_refused_before_it_is_read)
{
    g_autofree char *blanks = g_strnfill(4 << 20, ' ');
    g_autofree char *large = g_strdup_printf("{\"name\": %s}", blanks);
    g_autoptr(GString) objects = g_string_new("{\"fields\": [");

    for (int i = 0; i < (1 << 17) - 1; i++)
        g_string_append(objects, "{},");
    g_string_append(objects, "{}], \"brackets\": \"[[[\\\"{{{\"}");
    check_refused(large, "JSON description @0x20: a device takes more than 4194304 octets");
    check_refused(objects->str,
                  "JSON description @0x20: a device has 131074 objects and arrays, at most 131072 are allowed");
}

Test(trailer, many_devices_may_have_more_of_both_together)
{
    g_autoptr(GString) devices = g_string_new(NULL);

    for (int i = 0; i < 50000; i++)
        g_string_append_printf(devices, "%s{\"name\": \"d%d\", \"instance_id\": 0, \"size\": 1, \"fields\": [{}, {}]}",
                               i ? ", " : "", i);
    g_autoptr(GError) error = NULL;
    g_autoptr(Schema) s = parse(devices->str, &error);
    cr_assert_not_null(s, "%s", error->message);
    cr_assert_eq(schema_section_count(s), 50000);
}

/* --- limits of a walk -------------------------------------------------------------------------------------------- */

#define EMPTY "{\"vmsd_name\": \"e\", \"version\": 1, \"fields\": []}"
#define ARRAY_OF_EMPTY(count)                                                                                          \
    "{\"name\": \"a\", \"array_len\": " #count ", \"type\": \"struct\", \"struct\": " EMPTY ", \"size\": 0}"

Test(trailer, structs_without_octets_are_counted)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Schema) s = parse(DEVICE(ARRAY_OF_EMPTY(262143)), &error);

    cr_assert_not_null(s, "%s", error->message);
    check_refused(DEVICE(ARRAY_OF_EMPTY(262144)),
                  "type d.a: 262144 visits, together with 1 in front of it; at most 262144 are allowed");
}

/* 100 octets of description make another section of the same type. */
Test(trailer, visits_and_octets_of_all_sections_are_counted_together)
{
    g_autoptr(GString) visits = g_string_new(DEVICE(ARRAY_OF_EMPTY(262143)));
    g_autoptr(GString) octets = g_string_new(DEVICE(FIELD("b", "buffer", 67108864)));

    for (int i = 1; i < 16; i++)
        g_string_append(visits, ", " DEVICE(ARRAY_OF_EMPTY(262143)));
    for (int i = 1; i < 4; i++)
        g_string_append(octets, ", " DEVICE(FIELD("b", "buffer", 67108864)));
    g_autoptr(Schema) all_visits = parse(visits->str, NULL);
    g_autoptr(Schema) all_octets = parse(octets->str, NULL);
    cr_assert(all_visits && all_octets);
    g_string_append(visits, ", " DEVICE(FIELD("v", "uint8", 1)));
    g_string_append(octets, ", " DEVICE(FIELD("v", "uint8", 1)));
    check_refused(visits->str, "section d[0]: 4194306 visits of all sections, at most 4194304 are allowed");
    check_refused(octets->str,
                  "section d[0]: 268435457 octets of state of all sections, at most 268435456 are allowed");
}

/* Zeros that cost nothing in BER: pads of structs, of arrays, and of more sections of the same type. */
Test(trailer, octets_of_pads_are_counted_together)
{
    const char *array =
        DEVICE("{\"name\": \"unused\", \"array_len\": 256, \"type\": \"unused_buffer\", \"size\": 256}");
    const char *in_structs =
        DEVICE("{\"name\": \"a\", \"array_len\": 4096, \"type\": \"struct\", \"struct\": {\"vmsd_name\": \"e\", "
               "\"version\": 1, \"fields\": [" FIELD("unused", "unused_buffer", 16) "]}, \"size\": 16}");
    g_autofree char *most = g_strjoin(", ", array, in_structs, array, in_structs, NULL);
    g_autofree char *more = g_strjoin(", ", most, DEVICE(FIELD("unused", "unused_buffer", 1)), NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(Schema) s = parse(most, &error);

    cr_assert_not_null(s, "%s", error->message);
    check_refused(more, "section d[0]: 262145 octets of pads of all sections, at most 262144 are allowed");
}

Test(trailer, a_path_that_is_too_long_is_refused)
{
    g_autofree char *name = g_strnfill(600, 'n');
    g_autofree char *device = g_strdup_printf(
        "{\"name\": \"d\", \"instance_id\": 0, \"vmsd_name\": \"d\", \"version\": 1, \"fields\": [" FIELD(
            "v", "uint8",
            1) ", {\"name\": \"%s\", \"type\": \"struct\", \"struct\": {\"vmsd_name\": \"e\", \"version\": 1, "
               "\"fields\": [{\"name\": \"%s\", \"type\": \"uint8\", \"size\": 1}]}, \"size\": 1}]}",
        name, name);

    check_refused(device, "a path of 1201 octets, at most 1023 are allowed");
}

/* Names are looked up by their beginnings, however many there are. */
Test(trailer, numbers_are_dropped_among_many_names)
{
    g_autoptr(GString) fields = g_string_new(FIELD("x", "uint8", 1) ", " FIELD("x[0]", "uint8", 1));

    for (int i = 0; i < 20000; i++)
        g_string_append_printf(fields, ", {\"name\": \"a%d[0]\", \"type\": \"uint8\", \"size\": 1}", i);
    for (int i = 0; i < 20000; i++)
        g_string_append_printf(fields, ", {\"name\": \"b[0][%d]\", \"type\": \"uint8\", \"size\": 1}", i);
    g_autofree char *device = g_strdup_printf(
        "{\"name\": \"d\", \"instance_id\": 0, \"vmsd_name\": \"d\", \"version\": 1, \"fields\": [%s]}", fields->str);
    g_autoptr(Schema) s = parse(device, NULL);
    const VMStateDescription *d = only_device(s);
    cr_assert_str_eq(vms_field_label(d, &d->fields[1]), "x[0]");
    for (int i = 0; i < 20000; i++) {
        g_autofree char *alone = g_strdup_printf("a%d", i), *one_of_many = g_strdup_printf("b[0][%d]", i);
        cr_assert_str_eq(vms_field_label(d, &d->fields[2 + i]), alone);
        cr_assert_str_eq(vms_field_label(d, &d->fields[20002 + i]), one_of_many);
    }
}

/* --- finding ---------------------------------------------------------------------------------------------------- */

static void find_in(const ByteOut *octets, Trailer *trailer)
{
    g_autoptr(Chan) chan = chan_mem_new(octets->data, octets->len);

    cr_assert(trailer_find(chan, 0, trailer, NULL));
}

Test(trailer, is_found_behind_whatever_comes_before)
{
    static const size_t before[] = {1, 7, 1000, (1 << 20) - 20, (1 << 20) - 6, 1 << 20, (1 << 20) + 1, 5 << 20};
    const char *text = "{\"page_size\": 4096, \"devices\": []}";

    for (size_t i = 0; i < G_N_ELEMENTS(before); i++) {
        ByteOut octets = {0};
        Trailer t;
        memset(byte_out_room(&octets, before[i]), 'x', before[i]);
        byte_out_u8(&octets, 6);
        byte_out_be32(&octets, (uint32_t)strlen(text));
        byte_out_put(&octets, text, strlen(text));
        find_in(&octets, &t);
        cr_assert_not_null(t.text, "%zu octets before it", before[i]);
        cr_assert_eq(t.start, before[i]);
        cr_assert_eq(t.len, strlen(text));
        cr_assert_eq(t.end, octets.len);
        trailer_clear(&t);
        byte_out_done(&octets);
    }
}

Test(trailer, text_that_only_looks_like_it_is_passed_over)
{
    ByteOut octets = {0};
    Trailer t;

    byte_out_put(&octets, "guest memory: {\"page_size\": 4096", 32);
    find_in(&octets, &t);
    cr_assert_null(t.text);
    byte_out_done(&octets);
}
