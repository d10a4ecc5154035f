/* test-frame.c: values of JSON out of a stream of octets. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "emu/qmp/frame.h"
#include "visitors/error.h"

/* What was found, a line each: JSON with the keys in order and its id behind a bar, or "error" and its message. */
static char *found_text(QmpInput *found)
{
    if (found->error) {
        char *text = g_strconcat("error ", found->error->message, NULL);
        qmp_input_clear(found);
        return text;
    }
    char *dumped = json_dumps(found->json, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
    char *text = g_strconcat(dumped, found->id ? "|" : NULL, found->id, NULL);
    free(dumped);
    qmp_input_clear(found);
    return text;
}

static char *read_with(QmpFrame *f, const char *data, size_t len, size_t piece)
{
    g_autoptr(GString) all = g_string_new(NULL);

    for (size_t at = 0; at < len;) {
        QmpInput found;
        at += qmp_frame_push(f, data + at, MIN(piece, len - at), &found);
        if (!found.json && !found.error)
            continue;
        g_autofree char *text = found_text(&found);
        g_string_append_printf(all, "%s%s", all->len ? "\n" : "", text);
    }
    return g_strdup(all->str);
}

/* However the octets come, the same is found. */
static void check(const char *data, size_t len, const char *wanted)
{
    for (size_t piece = 1; piece <= len; piece = piece < 8 ? piece + 1 : piece * 2) {
        g_autoptr(QmpFrame) f = qmp_frame_new(NULL);
        g_autofree char *got = read_with(f, data, len, piece);
        cr_assert_str_eq(got, wanted, "in pieces of %zu: %s", piece, got);
    }
}

#define FINDS(data, wanted) check(data, strlen(data), wanted)

Test(frame, values_need_nothing_between_them)
{
    FINDS("{\"a\":1}{\"b\":2}[3]\"x\"", "{\"a\":1}\n{\"b\":2}\n[3]\n\"x\"");
    FINDS("{}\r\n\t {}", "{}\n{}");
}

Test(frame, a_word_ends_where_something_else_begins)
{
    FINDS("1 true null{}", "1\ntrue\nnull\n{}");
    FINDS("-1.5e3\n", "-1500.0");
    FINDS("1", "");
    FINDS("nul true\n", "error JSON parse error at octet 3: invalid token near 'nul'\ntrue");
}

Test(frame, strings_may_be_in_apostrophes)
{
    FINDS("{'a':'b\"c','d':\"e'f\"}", "{\"a\":\"b\\\"c\",\"d\":\"e'f\"}");
    FINDS("['it\\'s', \"it\\'s\", 'a\\\\', 'b\\n\\u0041']", "[\"it's\",\"it's\",\"a\\\\\",\"b\\nA\"]");
    FINDS("['}', \"]\", '{\\\\']", "[\"}\",\"]\",\"{\\\\\"]");
}

Test(frame, integers_that_do_not_fit_become_strings_and_larger_ones_reals)
{
    FINDS("[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]");
    FINDS("[9223372036854775808,18446744073709551615]", "[\"9223372036854775808\",\"18446744073709551615\"]");
    FINDS("[18446744073709551616]", "[1.8446744073709552e19]");
    FINDS("[-9223372036854775809]", "[-9.2233720368547758e18]");
    FINDS("['18446744073709551615']", "[\"18446744073709551615\"]");
    FINDS("[1234567890123456789, 0.1234567890123456789]", "[1234567890123456789,0.12345678901234568]");
}

Test(frame, an_id_is_kept_as_it_was_spelled)
{
    FINDS("{'id':18446744073709551615}", "{\"id\":\"18446744073709551615\"}|18446744073709551615");
    FINDS("{'id' : 1.50e1 ,'a':{'id':2}}", "{\"a\":{\"id\":2},\"id\":15.0}|1.50e1");
    FINDS("{'a':{'id':2}}", "{\"a\":{\"id\":2}}");
    FINDS("{'a':'id','id':\n{'b' : [ 1, 'x y\"' ]\n} }",
          "{\"a\":\"id\",\"id\":{\"b\":[1,\"x y\\\"\"]}}|{\"b\":[1,\"x y\\\"\"]}");
    FINDS("{'id':null}", "{\"id\":null}|null");
    FINDS("{'id':''}", "{\"id\":\"\"}|\"\"");
    FINDS("{'\\u0069d':[7]}", "{\"id\":[7]}|[7]");
}

Test(frame, what_is_wrong_inside_a_value_is_told_once_and_the_next_is_found)
{
    FINDS("{'a' 1}{'b':2}", "error JSON parse error at octet 6: ':' expected near '1'\n{\"b\":2}");
    FINDS("{'a':@}{'b':2}", "error JSON parse error at octet 6: invalid token near '@'\n{\"b\":2}");
    FINDS("{'a':cont}[]", "error JSON parse error at octet 9: invalid token near 'cont'\n[]");
    FINDS("[01][]", "error JSON parse error at octet 2: invalid token near '0'\n[]");
    FINDS("[1,][]", "error JSON parse error at octet 4: unexpected token near ']'\n[]");
    FINDS("{'a':1,'a':2}[]", "error JSON parse error at octet 10: duplicate object key near '\"a\"'\n[]");
}

Test(frame, offsets_are_those_of_what_came)
{
    FINDS("{'a\"\"\"\"':@}", "error JSON parse error at octet 10: invalid token near '@'");
    FINDS("['\\'\\'\\'',@]", "error JSON parse error at octet 11: invalid token near '@'");
    FINDS("[18446744073709551615,@]", "error JSON parse error at octet 23: invalid token near '@'");
    FINDS("   {'a':1}  [ @ ]", "{\"a\":1}\nerror JSON parse error at octet 3: invalid token near '@'");
}

Test(frame, brackets_that_do_not_fit_are_told_at_once)
{
    FINDS("{]{}", "error JSON parse error at octet 1: ']' closes what was opened otherwise\n{}");
    FINDS("[[}[]", "error JSON parse error at octet 2: '}' closes what was opened otherwise\n[]");
    FINDS("}{}", "error JSON parse error at octet 0: no value starts with '}'\n{}");
    FINDS(",:[]", "error JSON parse error at octet 0: no value starts with ','\n"
                  "error JSON parse error at octet 0: no value starts with ':'\n[]");
}

Test(frame, garbage_is_told_once)
{
    FINDS("@@@@{}", "error JSON parse error at octet 0: no value starts with '@'\n{}");
    FINDS("// not here\n{}", "error JSON parse error at octet 0: no value starts with '/'\n{}");
    check("\0\0{}", 4,
          "error JSON parse error at octet 0: no value starts with octet 0x00\n"
          "error JSON parse error at octet 0: no value starts with octet 0x00\n{}");
    check("\xc3\xa9\n{}", 5, "error JSON parse error at octet 0: no value starts with octet 0xc3\n{}");
}

Test(frame, a_string_has_no_end_of_a_line_in_it)
{
    FINDS("{'a':'b\n{'c':1}", "error JSON parse error at octet 7: a string has the end of a line in it\n{\"c\":1}");
    FINDS("{'a':'b\\\n{'c':1}", "error JSON parse error at octet 8: a string has the end of a line in it\n{\"c\":1}");
}

Test(frame, octets_that_are_no_text_are_refused)
{
    g_autoptr(QmpFrame) f = qmp_frame_new(NULL);
    static const char *const wrong[] = {
        "{'a':'\xc3'}", "{'a':'\xc0\x80'}", "{'a':'\xed\xa0\x80'}", "{'a':'\xf5\x80\x80\x80'}",
        "{'a':'\x01'}", "{'a':'\\u0000'}",  "{'a':'\\ud800'}",      "{'a':'\\q'}"};

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        QmpInput found;
        size_t len = strlen(wrong[i]);
        cr_assert_eq(qmp_frame_push(f, wrong[i], len, &found), len);
        cr_assert(found.error && !found.json, "%zu", i);
        cr_assert(g_error_matches(found.error, FERRY_ERROR, FERRY_ERROR_DAMAGED));
        qmp_input_clear(&found);
    }
    FINDS("['\xc3\xa9\xf0\x9f\x98\x80']", "[\"\xc3\xa9\xf0\x9f\x98\x80\"]");
}

Test(frame, an_octet_ff_gives_up_what_was_begun)
{
    FINDS("{'a':\xff{}", "error JSON parse error at octet 5: octet 0xff gives up what was begun\n{}");
    FINDS("{'a':'b\xff{}", "error JSON parse error at octet 7: octet 0xff gives up what was begun\n{}");
    FINDS("tru\xff{}", "error JSON parse error at octet 3: octet 0xff gives up what was begun\n{}");
    FINDS("\xff{}", "error JSON parse error at octet 0: no value starts with octet 0xff\n{}");
    FINDS("@@\xff{}", "error JSON parse error at octet 0: no value starts with '@'\n"
                      "error JSON parse error at octet 0: no value starts with octet 0xff\n{}");
}

/* --- limits ----------------------------------------------------------------------------------------------------- */

static void check_limits(const QmpFrameLimits *limits, const char *data, const char *wanted)
{
    for (size_t piece = 1; piece <= strlen(data); piece += piece < 8 ? 1 : piece) {
        g_autoptr(QmpFrame) f = qmp_frame_new(limits);
        g_autofree char *got = read_with(f, data, strlen(data), piece);
        cr_assert_str_eq(got, wanted, "in pieces of %zu: %s", piece, got);
    }
}

Test(frame, what_is_too_deep_is_told_once_and_its_end_is_found)
{
    const QmpFrameLimits limits = {.octets = 1000, .tokens = 1000, .depth = 3};

    check_limits(&limits, "[[[]]][]", "[[[]]]\n[]");
    check_limits(&limits, "[[[[[['a}',{}]]]]],{}][]", "error JSON is too large: more than 3 levels\n[]");
    check_limits(&limits, "[[[[\xff[]",
                 "error JSON is too large: more than 3 levels\n"
                 "error JSON parse error at octet 4: octet 0xff gives up what was begun\n[]");
}

Test(frame, what_is_too_long_is_told_once_and_its_end_is_found)
{
    const QmpFrameLimits limits = {.octets = 12, .tokens = 1000, .depth = 100};

    check_limits(&limits, "['12345678'][]", "[\"12345678\"]\n[]");
    check_limits(&limits, "['123456789'][]", "error JSON is too large: more than 12 octets\n[]");
    check_limits(&limits, "['1234567890123456',{}][]", "error JSON is too large: more than 12 octets\n[]");
    check_limits(&limits, "'1234567890123456'[]", "error JSON is too large: more than 12 octets\n[]");
}

Test(frame, what_has_too_many_parts_is_told_once_and_its_end_is_found)
{
    const QmpFrameLimits limits = {.octets = 1000, .tokens = 6, .depth = 100};

    check_limits(&limits, "[1,2,3][]", "[1,2,3]\n[]");
    check_limits(&limits, "[1,2,3,'4',[5]][]", "error JSON is too large: more than 6 tokens\n[]");
}

Test(frame, the_usual_limits_are_qemus)
{
    g_autoptr(QmpFrame) f = qmp_frame_new(NULL);
    g_autoptr(GString) deep = g_string_new(NULL);
    QmpInput found;

    for (int i = 0; i < 1024; i++)
        g_string_append_c(deep, '[');
    for (int i = 0; i < 1024; i++)
        g_string_append_c(deep, ']');
    cr_assert_eq(qmp_frame_push(f, deep->str, deep->len, &found), deep->len);
    cr_assert(found.json);
    qmp_input_clear(&found);
    g_string_prepend_c(deep, '[');
    qmp_frame_push(f, deep->str, deep->len, &found);
    cr_assert(g_error_matches(found.error, FERRY_ERROR, FERRY_ERROR_LIMIT));
    qmp_input_clear(&found);
}

Test(frame, somebody_else_starts_afresh)
{
    g_autoptr(QmpFrame) f = qmp_frame_new(NULL);
    QmpInput found;

    cr_assert_eq(qmp_frame_push(f, "{'a':", 5, &found), 5);
    qmp_frame_reset(f);
    cr_assert_eq(qmp_frame_push(f, "{}", 2, &found), 2);
    cr_assert(found.json && json_object_size(found.json) == 0);
    qmp_input_clear(&found);
}
