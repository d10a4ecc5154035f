/* test-dispatch.c: from a request to its answer. */
#include <criterion/criterion.h>

#include "tests/qmp/table.h"

/* The answer without the end of its line; "": it has none. */
static char *answer(const char *request, unsigned rules)
{
    g_autoptr(QmpFrame) frame = qmp_frame_new(NULL);
    g_autoptr(QmpText) text = qmp_text_new(false);
    QmpCall call = {0};
    QmpInput input;
    size_t len;

    qmp_frame_push(frame, request, strlen(request), &input);
    cr_assert(input.json || input.error, "%s", request);
    g_autoptr(QmpRequest) r = qmp_request_new(&input);
    if (!qmp_request_answer(r, &table, rules, &call, text))
        return g_strdup("");
    const uint8_t *line = qmp_text_end(text, &len);
    cr_assert(len > 2 && line[len - 2] == '\r' && line[len - 1] == '\n');
    return g_strndup((const char *)line, len - 2);
}

static void check(const char *request, unsigned rules, const char *wanted)
{
    g_autofree char *got = answer(request, rules);

    cr_assert_str_eq(got, wanted, "%s: %s", request, got);
}

static void check_refused(const char *request, unsigned rules, const char *class, const char *desc)
{
    g_autofree char *wanted = g_strdup_printf("{\"error\": {\"class\": \"%s\", \"desc\": \"%s\"}}", class, desc);

    check(request, rules, wanted);
}

Test(dispatch, a_command_without_a_result_returns_an_empty_object)
{
    check("{'execute':'nothing'}", 0, "{\"return\": {}}");
    check("{'execute':'nothing','arguments':{}}", 0, "{\"return\": {}}");
}

Test(dispatch, arguments_are_read_and_the_result_is_returned)
{
    check("{'execute':'add','arguments':{'a':-5,'b':7}}", 0, "{\"return\": 2}");
    check("{'arguments':{'a':5},'execute':'add'}", 0, "{\"return\": 6}");
    check("{'execute':'add','arguments':{'a':0,'b':18446744073709551615}}", 0, "{\"return\": -1}");
    check("{'execute':'echo','arguments':{'a':[1,null,{}]}}", 0, "{\"return\": {\"a\": [1, null, {}]}}");
}

Test(dispatch, an_id_comes_back_as_it_was)
{
    static const char *const ids[] = {"1",  "18446744073709551615", "-0", "1.5e3", "\"x\"", "null", "true", "[]",
                                      "{}", "[1,{\"a\":[]}]"};

    for (size_t i = 0; i < G_N_ELEMENTS(ids); i++) {
        g_autofree char *request = g_strdup_printf("{'execute':'nothing','id':%s}", ids[i]);
        g_autofree char *wanted = g_strdup_printf("{\"return\": {}, \"id\": %s}", ids[i]);
        check(request, 0, wanted);
    }
    check("{'execute':'fail','id':1}", 0,
          "{\"error\": {\"class\": \"GenericError\", \"desc\": \"it is \\\"refused\\\"\"}, \"id\": 1}");
    check("{'id':2,'x':1}", 0,
          "{\"error\": {\"class\": \"GenericError\", \"desc\": \"QMP input member 'x' is unexpected\"}, \"id\": 2}");
}

Test(dispatch, a_request_is_an_object_that_says_what_to_execute_and_nothing_else)
{
    static const char object[] = "QMP input must be a JSON object";

    check_refused("[1]", 0, "GenericError", object);
    check_refused("'x'", 0, "GenericError", object);
    check_refused("{}", 0, "GenericError", "QMP input lacks member 'execute'");
    check_refused("{'execute':1}", 0, "GenericError", "QMP input member 'execute' must be a string");
    check_refused("{'execute':'nothing','arguments':[]}", 0, "GenericError",
                  "QMP input member 'arguments' must be an object");
    check_refused("{'execute':'nothing','more':{}}", 0, "GenericError", "QMP input member 'more' is unexpected");
    check_refused("{'execute':nothing}", 0, "GenericError",
                  "JSON parse error at octet 18: invalid token near 'nothing'");
}

Test(dispatch, arguments_that_are_wrong_are_named_with_their_path)
{
    check_refused("{'execute':'add'}", 0, "GenericError", "add: the key 'a' is missing");
    check_refused("{'execute':'add','arguments':{'a':'x'}}", 0, "GenericError", "add.a: 'x' is no number");
    check_refused("{'execute':'nothing','arguments':{'a':1}}", 0, "GenericError",
                  "nothing: it takes no arguments, and 'a' is given");
}

Test(dispatch, errors_have_their_class)
{
    check_refused("{'execute':'emit','arguments':{'kind':'X'}}", 0, "DeviceNotFound", "there is no event 'X'");
    check_refused("{'execute':'fail-silently'}", 0, "GenericError", "fail-silently: it has failed");
    check_refused("{'execute':'nothin'}", 0, "CommandNotFound",
                  "The command nothin has not been found; did you mean 'nothing'?");
    check_refused("{'execute':'xyzzy-plugh'}", 0, "CommandNotFound", "The command xyzzy-plugh has not been found");
}

Test(dispatch, some_commands_say_only_that_they_have_failed)
{
    check("{'execute':'quiet','id':1}", 0, "");
    check_refused("{'execute':'quiet-failure'}", 0, "GenericError", "it is \\\"refused\\\"");
}

Test(dispatch, before_the_negotiation_nothing_else_is_known)
{
    check_refused("{'execute':'nothing'}", QMP_NEGOTIATES, "CommandNotFound",
                  "Expecting capabilities negotiation with 'qmp_capabilities' before the command nothing");
    check("{'execute':'qmp_capabilities'}", QMP_NEGOTIATES, "{\"return\": {}}");
    check("{'execute':'qmp_capabilities','arguments':{'enable':['oob']}}", QMP_NEGOTIATES, "{\"return\": {}}");
    check_refused("{'execute':'qmp_capabilities'}", 0, "CommandNotFound",
                  "Capabilities negotiation is already complete, command ignored");
}

Test(dispatch, out_of_band_is_for_who_has_asked_for_it_and_for_commands_that_can)
{
    check("{'exec-oob':'overtake'}", QMP_HAS_OOB, "{\"return\": {}}");
    check("{'execute':'overtake'}", QMP_HAS_OOB, "{\"return\": {}}");
    check_refused("{'exec-oob':'overtake'}", 0, "GenericError", "QMP input member 'exec-oob' is unexpected");
    check_refused("{'exec-oob':'nothing'}", QMP_HAS_OOB, "GenericError", "The command nothing does not support OOB");
    check_refused("{'exec-oob':'overtake','execute':'nothing'}", QMP_HAS_OOB, "GenericError",
                  "QMP input member 'execute' clashes with 'exec-oob'");
}

Test(dispatch, before_the_machine_is_there_some_commands_are_not_permitted)
{
    check("{'execute':'nothing'}", QMP_PRECONFIG, "{\"return\": {}}");
    check("{'execute':'needs-machine'}", 0, "{\"return\": {}}");
    check_refused("{'execute':'needs-machine'}", QMP_PRECONFIG, "GenericError",
                  "The command needs-machine is not permitted before the machine is there (x-exit-preconfig makes it)");
}
