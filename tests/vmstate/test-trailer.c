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

/* A type that has 256 subsections of a type that has 256 subsections of ... would have more fields than atoms. */
Test(trailer, subsections_that_multiply_are_refused)
{
    g_autofree char *inner = g_strdup(FIELD("v", "uint8", 1));
    g_autofree char *subs = g_strdup("");

    for (int level = 0; level < 3; level++) {
        GString *list = g_string_new(NULL);
        for (int i = 0; i < 52; i++)
            g_string_append_printf(list, "%s{\"vmsd_name\": \"d/%d\", \"version\": %d, \"fields\": [%s]%s}",
                                   i ? ", " : "", i, level + 1, inner, subs);
        g_free(subs);
        subs = g_strdup_printf(", \"subsections\": [%s]", list->str);
        g_string_free(list, TRUE);
    }
    g_autofree char *device = g_strdup_printf(
        "{\"name\": \"d\", \"instance_id\": 0, \"vmsd_name\": \"d\", \"version\": 1, \"fields\": [%s]%s}", inner, subs);
    g_autoptr(GError) error = NULL;
    g_autoptr(Schema) s = parse(device, &error);
    cr_assert(!s && strstr(error->message, "more fields than the format allows"), "%s",
              error ? error->message : "accepted");
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
