/* test-keyval.c: options as a command line has them. */
#include "tests/visitors/options.h"
#include "tests/visitors/support.h"
#include "tests/visitors/zoo-json.h"
#include "visitors/words.h"

static bool load(Drive *d, const char *text, GError **error)
{
    return vms_options_from_text(&drive_options, d, text, "file", "-drive", error);
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

/* --- what is there ---------------------------------------------------------------------------------------------- */

Test(keyval, what_is_given_is_stored_and_all_else_keeps_its_value)
{
    g_auto(Drive) d = {.index = 9, .readonly = true, .format = g_strdup("raw")};

    load_ok(&d, "file=a.img,cache=none,unit=-3");
    cr_assert_str_eq(d.file, "a.img");
    cr_assert_str_eq(d.format, "raw");
    cr_assert_eq(d.cache, 1);
    cr_assert_eq(d.unit, -3);
    cr_assert(d.has_unit);
    cr_assert_eq(d.index, 9);
    cr_assert(d.readonly);
}

Test(keyval, an_optional_field_tells_that_it_was_not_given)
{
    g_auto(Drive) d = {.has_unit = true, .unit = 4};

    load_ok(&d, "x");
    cr_assert(!d.has_unit);
    cr_assert_eq(d.unit, 4);
}

Test(keyval, the_first_part_may_be_without_its_key_and_commas_are_doubled)
{
    g_auto(Drive) d = {0};

    load_ok(&d, "a,,b,,,format=x,,");
    cr_assert_str_eq(d.file, "a,b,");
    cr_assert_str_eq(d.format, "x,");
}

Test(keyval, a_comma_too_many_at_the_end_and_an_empty_value_do_no_harm)
{
    g_auto(Drive) d = {0};

    load_ok(&d, "file=,format=a=b,");
    cr_assert_str_eq(d.file, "");
    cr_assert_str_eq(d.format, "a=b");
}

Test(keyval, keys_have_parts_and_lists_have_numbers)
{
    g_auto(Drive) d = {0};

    load_ok(&d, "f,geometry.heads=16,halves.1.cylinders=7,halves.0.heads=3,lengths.1=2,lengths.0=1");
    cr_assert_eq(d.geometry.heads, 16);
    cr_assert_eq(d.halves[0].heads, 3);
    cr_assert_eq(d.halves[1].cylinders, 7);
    cr_assert_eq(d.lengths[0], 1);
    cr_assert_eq(d.lengths[1], 2);
}

Test(keyval, truth_values_have_several_words_and_short_forms)
{
    static const struct {
        const char *text;
        bool value;
    } cases[] = {
        {"f,readonly=on", true},   {"f,readonly=off", false},   {"f,readonly=yes", true}, {"f,readonly=no", false},
        {"f,readonly=true", true}, {"f,readonly=false", false}, {"f,readonly=y", true},   {"f,readonly=n", false},
        {"f,readonly", true},      {"f,noreadonly", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Drive) d = {.readonly = !cases[i].value};
        load_ok(&d, cases[i].text);
        cr_assert_eq(d.readonly, cases[i].value, "%s", cases[i].text);
    }
}

Test(keyval, numbers_have_three_bases_and_sizes_units)
{
    static const struct {
        const char *text;
        uint64_t size;
    } cases[] = {
        {"0", 0},
        {"4096", 4096},
        {"0x10", 16},
        {"010", 8},
        {"0xffffffffffffffff", UINT64_MAX},
        {"18446744073709551615", UINT64_MAX},
        {"3B", 3},
        {"4k", 4096},
        {"4K", 4096},
        {"0K", 0},
        {"1M", 1048576},
        {"1.5G", 1610612736},
        {"0.5k", 512},
        {"2T", UINT64_C(2) << 40},
        {"1P", UINT64_C(1) << 50},
        {"15E", UINT64_C(15) << 60},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Drive) d = {0};
        g_autofree char *text = g_strdup_printf("f,size=%s", cases[i].text);
        load_ok(&d, text);
        cr_assert_eq(d.size, cases[i].size, "%s", text);
    }
    g_auto(Drive) d = {0};
    load_ok(&d, "f,unit=-0x80,index=017");
    cr_assert_eq(d.unit, -128);
    cr_assert_eq(d.index, 15);
}

/* --- what is wrong ---------------------------------------------------------------------------------------------- */

Test(keyval, an_unknown_key_comes_with_the_nearest_and_with_all)
{
    assert_refused("fiel=x", "-drive: unknown key 'fiel'; did you mean 'file'? (accepted: " DRIVE_KEYS ")");
    assert_refused("x,surprise=1", "-drive: unknown key 'surprise' (accepted: " DRIVE_KEYS ")");
    assert_refused("x,geometry.head=1",
                   "-drive.geometry: unknown key 'head'; did you mean 'heads'? (accepted: cylinders, heads)");
    assert_refused("x,halves.0.heads=1,halves.1.haeds=1",
                   "-drive.halves[1]: unknown key 'haeds'; did you mean 'heads'? (accepted: cylinders, heads)");
    assert_refused("x,nofile", "-drive: unknown key 'nofile'; did you mean 'file'? (accepted: " DRIVE_KEYS ")");
}

Test(keyval, a_key_that_is_needed_is_missed_only_where_no_other_is_unknown)
{
    assert_refused("format=raw", "-drive: the key 'file' is missing");
    assert_refused("", "-drive: the key 'file' is missing");
}

Test(keyval, a_name_comes_with_all_that_are_accepted)
{
    assert_refused("x,cache=nome",
                   "-drive.cache: unknown value 'nome'; did you mean 'none'? (accepted: writeback, none, unsafe)");
    assert_refused("x,cache=", "-drive.cache: unknown value '' (accepted: writeback, none, unsafe)");
}

Test(keyval, a_number_out_of_range_comes_with_the_range)
{
    assert_refused("x,unit=128", "-drive.unit: 128 is out of range (accepted: -128 to 127)");
    assert_refused("x,unit=-129", "-drive.unit: -129 is out of range (accepted: -128 to 127)");
    assert_refused("x,index=-1", "-drive.index: -1 is out of range (accepted: 0 to 4294967295)");
    assert_refused("x,index=0x100000000", "-drive.index: 0x100000000 is out of range (accepted: 0 to 4294967295)");
    assert_refused("x,size=16E", "-drive.size: 16E is out of range (accepted: 0 to 18446744073709551615)");
    assert_refused("x,size=18446744073709551616",
                   "-drive.size: 18446744073709551616 is out of range (accepted: 0 to 18446744073709551615)");
    assert_refused("x,size=-1", "-drive.size: -1 is out of range (accepted: 0 to 18446744073709551615)");
    assert_refused("x,geometry.heads=256", "-drive.geometry.heads: 256 is out of range (accepted: 0 to 255)");
    assert_refused("x,lengths.0=1,lengths.1=65536", "-drive.lengths[1]: 65536 is out of range (accepted: 0 to 65535)");
}

Test(keyval, what_is_no_number_is_said)
{
    static const char *const none[] = {"", "-", "0x", "1.5", "ten", "1 ", " 1", "4KB", "4Q", "0x1.8K", "1.K", "--1"};

    for (size_t i = 0; i < G_N_ELEMENTS(none); i++) {
        g_autofree char *text = g_strdup_printf("x,size=%s", none[i]);
        g_autofree char *message = g_strdup_printf(
            "-drive.size: '%s' is no number (with or without one of the units K, M, G, T, P, E)", none[i]);
        assert_refused(text, message);
    }
    assert_refused("x,index=1K", "-drive.index: '1K' is no number");
    assert_refused("x,index=09", "-drive.index: '09' is no number");
    assert_refused("x,readonly=maybe", "-drive.readonly: 'maybe' is neither on nor off");
}

Test(keyval, a_key_of_another_kind_is_told_apart)
{
    assert_refused("x,geometry=3", "-drive.geometry: a group of keys is wanted here, not '3'");
    assert_refused("x,index.0=3", "-drive.index: a number is wanted here, it has no keys of its own");
    assert_refused("x,index", "-drive.index: a number is wanted here, the key has no value");
    assert_refused("x,format", "-drive.format: a string is wanted here, the key has no value");
    assert_refused("x,lengths=1", "-drive.lengths: a list (.0, .1 and so on) is wanted here, not '1'");
    assert_refused("x,lengths.0=1", "-drive.lengths: 1 elements are given, there must be 2");
    assert_refused("x,lengths.0=1,lengths.2=1", "-drive.lengths: element 1 is missing");
    assert_refused("x,halves.0.heads=1", "-drive.halves: 1 elements are given, there must be 2");
}

Test(keyval, a_key_given_twice_is_refused)
{
    assert_refused("x,format=raw,format=qcow2", "-drive.format: the key is given twice");
    assert_refused("x,index=1,index=1", "-drive.index: the key is given twice");
    assert_refused("x,cache=none,cache=none", "-drive.cache: the key is given twice");
    assert_refused("x,readonly=on,readonly", "-drive.readonly: the key is given twice");
    assert_refused("x,geometry=1,geometry.heads=1",
                   "-drive: the key 'geometry' is given both a value and keys of its own");
    assert_refused("x,geometry.heads=1,geometry=1",
                   "-drive: the key 'geometry' is given both a value and keys of its own");
}

Test(keyval, text_without_keys_is_refused)
{
    assert_refused("x,=1", "-drive: '=1' does not start with a key");
    assert_refused("x,a b=1", "-drive: 'a b=1' does not start with a key");
}

Test(keyval, keys_with_empty_parts_or_too_many_are_refused)
{
    GString *deep = g_string_new("x,a");

    assert_refused("x,a..b=1", "-drive: a part of the key 'a..b' is empty");
    assert_refused("x,.a=1", "-drive: a part of the key '.a' is empty");
    assert_refused("x,a.=1", "-drive: a part of the key 'a.' is empty");
    for (int i = 0; i < 40; i++)
        g_string_append(deep, ".a");
    g_string_append(deep, "=1");
    assert_refused(deep->str, "-drive: a key has more than 32 parts");
    g_string_free(deep, TRUE);
}

/* --- everything -------------------------------------------------------------------------------------------------- */

/* The tree as text: every leaf with its dotted key. */
static void flatten(GString *text, const char *prefix, const json_t *value)
{
    const char *key;
    json_t *member;
    size_t i;

    if (json_is_object(value) || json_is_array(value)) {
        json_object_foreach ((json_t *)value, key, member) {
            g_autofree char *path = g_strconcat(prefix, *prefix ? "." : "", key, NULL);
            flatten(text, path, member);
        }
        json_array_foreach (value, i, member) {
            g_autofree char *path = g_strdup_printf("%s.%zu", prefix, i);
            flatten(text, path, member);
        }
        return;
    }
    g_string_append_printf(text, ",%s=", prefix);
    if (json_is_boolean(value))
        g_string_append(text, json_is_true(value) ? "on" : "off");
    else if (json_is_integer(value))
        g_string_append_printf(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        g_string_append_printf(text, "%.17g", json_real_value(value));
    for (const char *p = json_is_string(value) ? json_string_value(value) : ""; *p; p++)
        g_string_append(text, *p == ',' ? ",," : (char[]){*p, 0});
}

Test(keyval, any_struct_is_what_its_text_says)
{
    const VMStateDescription desc = zoo_options();

    for (uint32_t seed = 0; seed < 200; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(GError) error = NULL;
        void *zoo = vms_state_new(&desc), *back = vms_state_new(&desc);
        GString *text = g_string_new(NULL);
        zoo_fill(&desc, zoo, rand);
        json_t *tree = zoo_json(&desc, zoo);
        flatten(text, "", tree);
        cr_assert(vms_options_from_text(&desc, back, text->str + 1, NULL, "zoo", &error), "%s\n%s", error->message,
                  text->str);
        cr_assert(vms_state_equal(&desc, zoo, back), "%s", text->str);
        json_decref(tree);
        g_string_free(text, TRUE);
        vms_state_free(&desc, zoo);
        vms_state_free(&desc, back);
    }
}

Test(keyval, any_text_is_loaded_or_refused)
{
    static const char letters[] = "file=,.01onyrgcahelvs-K";
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (int i = 0; i < 20000; i++) {
        g_auto(Drive) d = {0};
        g_autoptr(GError) error = NULL;
        char text[32] = "";
        for (int k = g_rand_int_range(rand, 0, 31); k-- > 0;)
            text[k] = letters[g_rand_int_range(rand, 0, sizeof letters - 1)];
        cr_assert_eq(load(&d, text, &error), error == NULL);
    }
}

/* --- words ------------------------------------------------------------------------------------------------------ */

Test(keyval, the_distance_of_words_counts_letters)
{
    cr_assert_eq(words_distance("file", "file"), 0);
    cr_assert_eq(words_distance("fiel", "file"), 1);
    cr_assert_eq(words_distance("fil", "file"), 1);
    cr_assert_eq(words_distance("ffile", "file"), 1);
    cr_assert_eq(words_distance("fire", "file"), 1);
    cr_assert_eq(words_distance("", "file"), 4);
    cr_assert_eq(words_distance("kitten", "sitting"), 3);
    cr_assert_eq(words_distance("ca", "abc"), 3);
}

Test(keyval, the_nearest_word_is_near)
{
    static const char *const words[] = {"id", "file", "format", NULL};

    cr_assert_str_eq(words_nearest(words, "fromat"), "format");
    cr_assert_str_eq(words_nearest(words, "if"), "id");
    cr_assert_null(words_nearest(words, "xy"));
    cr_assert_null(words_nearest(words, ""));
    cr_assert_null(words_nearest(words, "completely"));
}
