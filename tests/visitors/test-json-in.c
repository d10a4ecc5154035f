/* test-json-in.c: the same options as JSON. */
#include "tests/visitors/options.h"
#include "tests/visitors/support.h"
#include "tests/visitors/zoo-json.h"
#include "visitors/enum.h"
#include "visitors/json-in.h"

static bool load(Drive *d, const char *text, GError **error)
{
    json_error_t why;
    json_t *root = json_loads(text, JSON_DECODE_ANY, &why);

    cr_assert_not_null(root, "%s: %s", text, why.text);
    bool ok = vms_options_from_json(&drive_options, d, root, "-drive", error);
    json_decref(root);
    return ok;
}

static void load_ok(Drive *d, const char *text)
{
    g_autoptr(GError) error = NULL;

    cr_assert(load(d, text, &error), "%s: %s", text, error->message);
}

static void assert_refused(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_auto(Drive) d = {.index = 77, .format = g_strdup("before")}, before = {.index = 77, .format = g_strdup("before")};

    cr_assert(!load(&d, text, &error), "%s was accepted", text);
    cr_assert_str_eq(error->message, message);
    cr_assert(vms_state_equal(&drive_options, &d, &before), "%s has changed something", text);
}

Test(json_in, members_are_found_by_name_and_all_else_keeps_its_value)
{
    g_auto(Drive) d = {.index = 9, .format = g_strdup("raw")};

    load_ok(&d, "{\"unit\": -3, \"file\": \"a,b\", \"cache\": \"unsafe\", \"readonly\": true, \"lengths\": [1, 2],"
                "\"geometry\": {\"heads\": 16}, \"halves\": [{}, {\"cylinders\": 7}], \"size\": 4096}");
    cr_assert_str_eq(d.file, "a,b");
    cr_assert_str_eq(d.format, "raw");
    cr_assert_eq(d.cache, 2);
    cr_assert_eq(d.unit, -3);
    cr_assert(d.has_unit);
    cr_assert(d.readonly);
    cr_assert_eq(d.index, 9);
    cr_assert_eq(d.size, 4096);
    cr_assert_eq(d.lengths[1], 2);
    cr_assert_eq(d.geometry.heads, 16);
    cr_assert_eq(d.halves[1].cylinders, 7);
}

Test(json_in, unknown_members_come_with_the_nearest_and_with_all)
{
    assert_refused("{\"fiel\": \"x\"}", "-drive: unknown key 'fiel'; did you mean 'file'? (accepted: " DRIVE_KEYS ")");
    assert_refused("{\"file\": \"x\", \"geometry\": {\"head\": 1}}",
                   "-drive.geometry: unknown key 'head'; did you mean 'heads'? (accepted: cylinders, heads)");
    assert_refused("{\"file\": \"x\", \"halves\": [{}, {\"x\": 1}]}",
                   "-drive.halves[1]: unknown key 'x' (accepted: cylinders, heads)");
    assert_refused("{\"file\": \"x\", \"nofile\": true}",
                   "-drive: unknown key 'nofile'; did you mean 'file'? (accepted: " DRIVE_KEYS ")");
    assert_refused("{}", "-drive: the key 'file' is missing");
}

Test(json_in, a_value_of_another_kind_is_refused_and_both_kinds_are_named)
{
    assert_refused("[]", "-drive: an object is wanted here, not an array");
    assert_refused("3", "-drive: an object is wanted here, not a number");
    assert_refused("{\"file\": 1}", "-drive.file: a string is wanted here, not a number");
    assert_refused("{\"file\": null}", "-drive.file: a string is wanted here, not null");
    assert_refused("{\"file\": [\"a\", \"b\"]}", "-drive.file: a string is wanted here, not an array");
    assert_refused("{\"file\": []}", "-drive.file: a string is wanted here, not an array");
    assert_refused("{\"file\": \"x\", \"index\": \"1\"}", "-drive.index: a number is wanted here, not a string");
    assert_refused("{\"file\": \"x\", \"index\": 1.5}", "-drive.index: a whole number is wanted here, not a number");
    assert_refused("{\"file\": \"x\", \"readonly\": \"on\"}",
                   "-drive.readonly: a truth value is wanted here, not a string");
    assert_refused("{\"file\": \"x\", \"readonly\": 1}", "-drive.readonly: a truth value is wanted here, not a number");
    assert_refused("{\"file\": \"x\", \"geometry\": []}", "-drive.geometry: an object is wanted here, not an array");
    assert_refused("{\"file\": \"x\", \"lengths\": {}}", "-drive.lengths: an array is wanted here, not an object");
    assert_refused("{\"file\": \"x\", \"lengths\": [1, true]}",
                   "-drive.lengths[1]: a number is wanted here, not a truth value");
    assert_refused("{\"file\": \"x\", \"lengths\": [1]}", "-drive.lengths: 1 elements are given, there must be 2");
    assert_refused("{\"file\": \"x\", \"halves\": [1, 2]}", "-drive.halves[0]: an object is wanted here, not a number");
    assert_refused("{\"file\": \"x\", \"cache\": 1}", "-drive.cache: a string is wanted here, not a number");
}

Test(json_in, numbers_keep_to_their_range)
{
    assert_refused("{\"file\": \"x\", \"unit\": 128}", "-drive.unit: 128 is out of range (accepted: -128 to 127)");
    assert_refused("{\"file\": \"x\", \"size\": -1}",
                   "-drive.size: -1 is out of range (accepted: 0 to 18446744073709551615)");
    assert_refused("{\"file\": \"x\", \"cache\": \"unsave\"}",
                   "-drive.cache: unknown value 'unsave'; did you mean 'unsafe'? (accepted: writeback, none, unsafe)");
}

Test(json_in, any_struct_is_what_its_json_says)
{
    const VMStateDescription desc = zoo_options();

    for (uint32_t seed = 0; seed < 200; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(GError) error = NULL;
        void *zoo = vms_state_new(&desc), *back = vms_state_new(&desc);
        zoo_fill(&desc, zoo, rand);
        json_t *tree = zoo_json(&desc, zoo);
        cr_assert(vms_options_from_json(&desc, back, tree, "zoo", &error), "%s", error->message);
        cr_assert(vms_state_equal(&desc, zoo, back), "seed %u", seed);
        json_decref(tree);
        vms_state_free(&desc, zoo);
        vms_state_free(&desc, back);
    }
}

Test(json_in, bits_and_octets_are_refused_where_they_do_not_fit)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"bits\": \"0-70\"}", "zoo.bits: '0-70' is no list of bits 0 to 69, like 0-3,17"},
        {"{\"bits\": \"3-1\"}", "zoo.bits: '3-1' is no list of bits 0 to 69, like 0-3,17"},
        {"{\"bits\": \"1,\"}", "zoo.bits: '1,' is no list of bits 0 to 69, like 0-3,17"},
        {"{\"bits\": {\"bits\": 71, \"set\": \"1\"}}", "zoo.bits: 71 bits are given, there must be 70"},
        {"{\"bytes\": \"00\"}", "zoo.bytes: '00' is not 7 octets of two hexadecimal digits"},
        {"{\"bytes\": \"0011223344556g\"}", "zoo.bytes: '0011223344556g' is not 7 octets of two hexadecimal digits"},
    };
    const VMStateDescription desc = zoo_options();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        void *zoo = vms_state_new(&desc);
        json_t *tree = json_loads(cases[i].text, 0, NULL);
        cr_assert(!vms_options_from_json(&desc, zoo, tree, "zoo", &error), "%s", cases[i].text);
        cr_assert_str_eq(error->message, cases[i].message);
        json_decref(tree);
        vms_state_free(&desc, zoo);
    }
}

/* --- what people are told --------------------------------------------------------------------------------------- */

Test(json_in, the_help_has_each_key_with_what_it_takes_and_its_default)
{
    static const Drive defaults = {.format = (char *)"raw", .index = 4, .unit = -1, .readonly = true};
    g_autofree char *text = vms_options_help(&drive_options, &defaults);

    cr_assert_str_eq(text, "  file=<str> (required)\n"
                           "  format=<str> (default: raw)\n"
                           "  cache=<writeback|none|unsafe> (default: writeback)\n"
                           "  readonly=<on|off> (default: on)\n"
                           "  unit=<int8> (default: -1)\n"
                           "  index=<uint32> (default: 4)\n"
                           "  size=<size> (default: 0)\n"
                           "  lengths=<uint16[2]>\n"
                           "  geometry.cylinders=<uint16> (default: 0)\n"
                           "  geometry.heads=<uint8> (default: 0)\n"
                           "  halves=<struct geometry[2]>\n");
}
