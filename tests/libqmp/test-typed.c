/* test-typed.c: commands whose arguments and results are C values. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stddef.h>

#include "tests/libqmp/support/peer.h"

/* --- a command as the generator makes it -------------------------------------------------------------------------- */

typedef struct Where {
    char *name;
    bool has_size;
    uint64_t size;
} Where;

typedef struct Found {
    bool running;
    uint64_t size;
    bool has_since;
    int64_t since;
} Found;

static const QapiType type_bool = {.name = "bool", .scalar = SCALAR_BOOL, .size = 1},
                      type_int = {.name = "int", .scalar = SCALAR_INT64, .size = 8},
                      type_size = {.name = "size", .scalar = SCALAR_UINT64, .octets = true, .size = 8},
                      type_str = {.name = "str", .kind = QAPI_STRING, .size = sizeof(char *)},
                      type_any = {.name = "any", .kind = QAPI_ANY, .size = sizeof(void *)};
static const QapiMember where_members[] = {{.name = "name", .type = &type_str, .offset = offsetof(Where, name)},
                                           {.name = "size",
                                            .type = &type_size,
                                            .offset = offsetof(Where, size),
                                            .presence = offsetof(Where, has_size) + 1,
                                            .optional = true},
                                           {.name = NULL}};
static const QapiType type_where = {
    .name = "Where", .kind = QAPI_STRUCT, .members = where_members, .size = sizeof(Where)};
static const QapiMember found_members[] = {{.name = "running", .type = &type_bool, .offset = offsetof(Found, running)},
                                           {.name = "size", .type = &type_size, .offset = offsetof(Found, size)},
                                           {.name = "since",
                                            .type = &type_int,
                                            .offset = offsetof(Found, since),
                                            .presence = offsetof(Found, has_since) + 1,
                                            .optional = true},
                                           {.name = NULL}};
static const QapiType type_found = {
    .name = "Found", .kind = QAPI_STRUCT, .members = found_members, .size = sizeof(Found)};
static const QapiCommand find = {.name = "find", .arguments = &type_where, .result = &type_found},
                         stop = {.name = "stop"}, any = {.name = "any", .arguments = &type_any, .result = &type_any},
                         gone = {.name = "gone", .flags = QAPI_NO_REPLY};
static const QapiEvent found_event = {.name = "FOUND", .data = &type_found}, bare_event = {.name = "BARE"};

/* --- a server that says what it is told to ------------------------------------------------------------------------ */

typedef struct Script {
    const char *reply;
    char *heard; /* the last request but for its id */
} Script;

static void reply(Peer *peer, void *data)
{
    Script *script = data;
    const json_t *request;
    int64_t id;

    peer_greet(peer, true);
    while ((request = peer_hear(peer, &id))) {
        json_object_del((json_t *)request, "id");
        g_free(script->heard);
        script->heard = json_dumps(request, JSON_COMPACT);
        if (script->reply)
            peer_say(peer, "{\"return\": %s, \"id\": %d}\r\n", script->reply, (int)id);
    }
}

static void expect_heard(Script *script, const char *want)
{
    cr_expect_str_eq(script->heard, want);
    g_clear_pointer(&script->heard, g_free);
}

Test(typed, values_go_there_and_come_back)
{
    Script script = {.reply = "{\"size\": 18446744073709551615, \"running\": true}"};
    g_autoptr(QmpSession) session = peer_session(reply, &script, NULL);
    const Where where = {.name = (char *)"a\nb", .has_size = true, .size = 9223372036854775807};
    Found *found = NULL;
    GError *error = NULL;

    cr_assert(libqmp_call(session, &find, &where, &found, &error), "%s", error->message);
    expect_heard(&script, "{\"execute\":\"find\",\"arguments\":{\"name\":\"a\\nb\",\"size\":9223372036854775807}}");
    cr_expect(found->running && !found->has_since);
    cr_expect_eq(found->size, UINT64_MAX);
    qapi_free(&type_found, found);
}

static void hear_raw(Peer *peer, void *data)
{
    (void)data;
    peer_greet(peer, true);
    /* jansson cannot read it: that it was heard at all is seen by its being no JSON for jansson */
    cr_expect_null(peer_hear(peer, NULL));
    peer_say(peer, "{\"return\": {}, \"id\": 2}");
    peer_answer_all(peer);
}

Test(typed, a_size_of_64_bits_is_sent_as_a_number)
{
    g_autoptr(QmpSession) session = peer_session(hear_raw, NULL, NULL);
    const Where where = {.name = (char *)"a", .has_size = true, .size = UINT64_MAX};

    cr_expect(libqmp_call(session, &find, &where, NULL, NULL));
}

Test(typed, what_a_newer_server_says_besides_is_no_error)
{
    Script script = {.reply = "{\"size\": 1, \"running\": false, \"since\": -1, \"colour\": {\"red\": [1]}}"};
    g_autoptr(QmpSession) session = peer_session(reply, &script, NULL);
    Found *found = NULL;

    cr_assert(libqmp_call(session, &find, &(Where){.name = (char *)"x"}, &found, NULL));
    cr_expect(found->has_since && found->since == -1);
    qapi_free(&type_found, found);
    g_free(script.heard);
}

Test(typed, what_a_reply_lacks_is_named_with_its_path)
{
    Script script = {.reply = "{\"size\": 1}"};
    g_autoptr(QmpSession) session = peer_session(reply, &script, NULL);
    Found *found = NULL;
    GError *error = NULL;

    cr_expect(!libqmp_call(session, &find, &(Where){.name = (char *)"x"}, &found, &error));
    cr_expect_null(found);
    peer_expect_error(error, LIBQMP_ERROR_REPLY, "find: the key 'running' is missing");
    script.reply = "{\"size\": \"much\", \"running\": true}";
    error = NULL;
    cr_expect(!libqmp_call(session, &find, &(Where){.name = (char *)"x"}, &found, &error));
    cr_expect(strstr(error->message, "find.size"), "%s", error->message);
    peer_expect_error(error, LIBQMP_ERROR_REPLY, NULL);
    script.reply = "[]";
    error = NULL;
    cr_expect(!libqmp_call(session, &find, &(Where){.name = (char *)"x"}, &found, &error));
    peer_expect_error(error, LIBQMP_ERROR_REPLY, NULL);
    g_free(script.heard);
}

Test(typed, a_command_may_have_neither_arguments_nor_a_result)
{
    Script script = {.reply = "{}"};
    g_autoptr(QmpSession) session = peer_session(reply, &script, NULL);

    cr_expect(libqmp_call(session, &stop, NULL, NULL, NULL));
    expect_heard(&script, "{\"execute\":\"stop\"}");
    cr_expect(libqmp_call_finish(libqmp_call_start_oob(session, &stop, NULL, NULL), NULL, NULL));
    expect_heard(&script, "{\"exec-oob\":\"stop\"}");
}

Test(typed, any_is_json)
{
    Script script = {.reply = "[1, {\"a\": null}]"};
    g_autoptr(QmpSession) session = peer_session(reply, &script, NULL);
    json_t *arguments = json_pack("{s:[i,s]}", "x", 1, "y"), *result = NULL;

    cr_expect(libqmp_call(session, &any, arguments, &result, NULL));
    expect_heard(&script, "{\"execute\":\"any\",\"arguments\":{\"x\":[1,\"y\"]}}");
    cr_expect_eq(json_array_size(result), 2);
    json_decref(result);
    json_decref(arguments);
}

Test(typed, a_command_that_says_nothing_if_it_works_is_not_waited_for)
{
    Script script = {.reply = NULL};
    g_autoptr(QmpSession) session = peer_session(reply, &script, LIBQMP_SESSION_OPTIONS(.timeout_ms = 5000));

    cr_expect(libqmp_call(session, &gone, NULL, NULL, NULL));
    script.reply = "{}";
    cr_expect(libqmp_call(session, &stop, NULL, NULL, NULL));
    g_free(script.heard);
}

/* --- events ------------------------------------------------------------------------------------------------------- */

static void say_events(Peer *peer, void *data)
{
    (void)data;
    peer_greet(peer, true);
    peer_hear(peer, NULL);
    peer_say(peer, "{\"event\": \"FOUND\", \"data\": {\"running\": true, \"size\": 7, \"new\": 1}}"
                   "{\"event\": \"FOUND\"}{\"event\": \"BARE\", \"data\": {\"a\": 1}}{\"return\": {}, \"id\": 2}");
    peer_answer_all(peer);
}

static void check_event(QmpSession *session, const LibqmpEvent *event, void *data)
{
    int *number = data;
    Found *found = NULL;
    GError *error = NULL;

    (void)session;
    cr_expect_eq(event->seconds, -1);
    bool ok = libqmp_event_value(event, *number < 2 ? &found_event : &bare_event, &found, &error);
    cr_expect_eq(ok, *number != 1);
    if (*number == 0)
        cr_expect_eq(found->size, 7);
    if (*number == 1)
        peer_expect_error(error, LIBQMP_ERROR_REPLY, "FOUND: the key 'running' is missing");
    qapi_free(&type_found, found);
    ++*number;
}

Test(typed, the_data_of_an_event_are_a_value)
{
    g_autoptr(QmpSession) session = peer_session(say_events, NULL, NULL);
    int number = 0;

    libqmp_event_subscribe(session, NULL, check_event, &number);
    cr_expect(libqmp_call(session, &stop, NULL, NULL, NULL));
    libqmp_session_pump(session, 0, NULL);
    cr_expect_eq(number, 3);
}
