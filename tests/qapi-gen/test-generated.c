/*
 * test-generated.c: what qapi-gen makes of tests/qapi-gen/schema/: values of its types go through vmstate/qapi.h, its
 * commands to handlers, its events to listeners, its functions of libqmp to calls.
 */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "qapi/client.h"
#include "qapi/commands.h"
#include "qapi/events.h"
#include "qapi/introspect.h"
#include "qapi/types.h"

/* --- values ------------------------------------------------------------------------------------------------------ */

static json_t *json_of(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, JSON_DECODE_ANY, &error);

    cr_assert_not_null(json, "%s: %s", text, error.text);
    return json;
}

/* Loads a value; it must be one. */
static void load(const QapiType *type, void *value, const char *text)
{
    g_autoptr(GError) error = NULL;
    json_t *json = json_of(text);

    cr_assert(qapi_from_json(type, value, json, "value", &error), "%s: %s", text, error ? error->message : "");
    json_decref(json);
}

/* It is no value, and what is said has that in it. */
static void refuse(const QapiType *type, void *value, const char *text, const char *what)
{
    g_autoptr(GError) error = NULL;
    json_t *json = json_of(text);

    cr_assert_not(qapi_from_json(type, value, json, "value", &error), "%s is taken", text);
    cr_assert_not_null(strstr(error->message, what), "%s", error->message);
    json_decref(json);
}

static void expect_json(const QapiType *type, const void *value, const char *text)
{
    json_t *json = qapi_to_json(type, value), *wanted = json_of(text);
    g_autofree char *is = json_dumps(json, JSON_ENCODE_ANY);

    cr_assert(json_equal(json, wanted), "%s, not %s", is, text);
    json_decref(json);
    json_decref(wanted);
}

static const char crate[] =
    "{\"name\": \"a\", \"weight\": -5, \"i8\": -128, \"i16\": -32768, \"i32\": -2147483648, \"i64\": -9, \"u8\": 255,"
    " \"u16\": 65535, \"u32\": 4294967295, \"u64\": 7, \"volume\": 4096, \"price\": 0.5, \"nothing\": null,"
    " \"extra\": {\"x\": [1]}, \"unix\": true, \"default\": \"d\", \"names\": [\"b\", \"c\"], \"numbers\": [1, -2],"
    " \"prices\": [0.25], \"colours\": [\"grey\", \"red\"],"
    " \"inside\": [{\"name\": \"i\", \"i8\": 0, \"i32\": 0, \"u8\": 0, \"u32\": 0, \"names\": []}],"
    " \"parent\": {\"name\": \"p\", \"i8\": 1, \"i32\": 1, \"u8\": 1, \"u32\": 1, \"names\": []},"
    " \"where\": \"shelf\", \"shape\": {\"type\": \"box\", \"label\": \"l\", \"width\": 3, \"height\": 4},"
    " \"old-name\": \"o\"}";

Test(generated, a_struct_has_all_that_its_json_has)
{
    g_autoptr(QmpCrateInfo) info = NULL;

    load(&qmp_type_CrateInfo, &info, crate);
    cr_assert_str_eq(info->name, "a");
    cr_assert(info->has_weight && info->weight == -5 && info->i8 == -128 && info->has_i16 && info->i16 == -32768);
    cr_assert(info->i32 == INT32_MIN && info->has_i64 && info->i64 == -9 && info->u8 == 255 && info->u16 == 65535);
    cr_assert(info->u32 == UINT32_MAX && info->has_u64 && info->u64 == 7 && info->has_volume && info->volume == 4096);
    cr_assert(info->has_price && info->price == 0.5 && info->has_nothing && json_is_object(info->extra));
    cr_assert(info->has_unix && info->q_unix && strcmp(info->q_default, "d") == 0);
    cr_assert(info->names.count == 2 && strcmp(info->names.items[1], "c") == 0);
    cr_assert(info->has_numbers && info->numbers.count == 2 && info->numbers.items[1] == -2);
    cr_assert(info->has_prices && info->prices.count == 1 && info->prices.items[0] == 0.25);
    cr_assert(info->has_colours && info->colours.items[0] == QMP_COLOUR_GREY &&
              info->colours.items[1] == QMP_COLOUR_RED);
    cr_assert(info->has_inside && info->inside.count == 1 && strcmp(info->inside.items[0]->name, "i") == 0);
    cr_assert_str_eq(info->parent->name, "p");
    cr_assert(info->where->kind == QMP_SHELF_REF_KIND_REFERENCE && strcmp(info->where->u.reference, "shelf") == 0);
    cr_assert(info->shape->type == QMP_SHAPE_TYPE_BOX && strcmp(info->shape->label, "l") == 0);
    cr_assert(info->shape->u.box->width == 3 && info->shape->u.box->has_height && info->shape->u.box->height == 4);
    cr_assert_str_eq(info->old_name, "o");
    expect_json(&qmp_type_CrateInfo, &info, crate);
}

Test(generated, what_is_missing_is_missing)
{
    static const char small[] = "{\"name\": \"i\", \"i8\": 0, \"i32\": 0, \"u8\": 0, \"u32\": 0, \"names\": []}";
    g_autoptr(QmpCrateInfo) info = NULL;

    load(&qmp_type_CrateInfo, &info, small);
    cr_assert_not(info->has_weight || info->has_i16 || info->has_volume || info->has_price || info->has_nothing);
    cr_assert_not(info->has_unix || info->has_numbers || info->has_inside || info->names.count);
    cr_assert(!info->extra && !info->q_default && !info->parent && !info->where && !info->shape && !info->old_name);
    expect_json(&qmp_type_CrateInfo, &info, small);
}

Test(generated, a_copy_is_like_it_and_its_own)
{
    g_autoptr(QmpCrateInfo) info = NULL;

    load(&qmp_type_CrateInfo, &info, crate);
    g_autoptr(QmpCrateInfo) copy = qapi_copy(&qmp_type_CrateInfo, info);
    cr_assert(copy->name != info->name && copy->shape != info->shape && copy->inside.items != info->inside.items);
    qmp_CrateInfo_free(g_steal_pointer(&info));
    expect_json(&qmp_type_CrateInfo, &copy, crate);
}

Test(generated, what_does_not_fit_is_refused)
{
    g_autoptr(QmpBox) box = NULL;
    g_autoptr(QmpCrateInfo) info = NULL;

    refuse(&qmp_type_Box, &box, "{}", "width");
    refuse(&qmp_type_Box, &box, "{\"width\": -1}", "width");
    refuse(&qmp_type_Box, &box, "{\"width\": \"1\"}", "width");
    refuse(&qmp_type_Box, &box, "{\"width\": 1, \"depth\": 1}", "depth");
    refuse(&qmp_type_CrateInfo, &info, "{\"name\": \"i\", \"i8\": 128}", "i8");
    cr_assert(!box && !info);
}

Test(generated, an_alternate_is_what_its_json_is)
{
    static const struct {
        const char *json;
        int kind;
    } cases[] = {
        {"{\"colour\": \"red\"}", QMP_SHELF_REF_KIND_DEFINITION},
        {"\"s\"", QMP_SHELF_REF_KIND_REFERENCE},
        {"12", QMP_SHELF_REF_KIND_NUMBER},
        {"true", QMP_SHELF_REF_KIND_ANYWHERE},
        {"[\"a\", \"b\"]", QMP_SHELF_REF_KIND_PATH},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(QmpShelfRef) ref = NULL;
        load(&qmp_type_ShelfRef, &ref, cases[i].json);
        cr_assert_eq(ref->kind, cases[i].kind, "%s", cases[i].json);
        expect_json(&qmp_type_ShelfRef, &ref, cases[i].json);
    }
    g_autoptr(QmpShelfRef) none = NULL;
    refuse(&qmp_type_ShelfRef, &none, "null", "value");
}

Test(generated, a_union_has_the_branch_of_its_tag)
{
    g_autoptr(QmpShape) circle = NULL, point = NULL, thing = NULL;
    g_autoptr(QmpPaint) paint = NULL;

    load(&qmp_type_Shape, &circle, "{\"type\": \"circle\", \"radius\": 2}");
    cr_assert(circle->type == QMP_SHAPE_TYPE_CIRCLE && circle->u.circle->radius == 2);
    load(&qmp_type_Shape, &point, "{\"type\": \"point\"}");
    cr_assert_eq(point->type, QMP_SHAPE_TYPE_POINT);
    expect_json(&qmp_type_Shape, &point, "{\"type\": \"point\"}");
    load(&qmp_type_Shape, &thing, "{\"label\": \"l\", \"type\": \"3d-thing\"}");
    cr_assert_not_null(thing->u.q_3d_thing);
    load(&qmp_type_Paint, &paint, "{\"radius\": 1, \"colour\": \"red\"}");
    cr_assert(paint->colour == QMP_COLOUR_RED && paint->u.red->radius == 1);
    g_autoptr(QmpShape) wrong = NULL;
    refuse(&qmp_type_Shape, &wrong, "{\"type\": \"box\", \"radius\": 2}", "radius");
    refuse(&qmp_type_Shape, &wrong, "{\"type\": \"ball\"}", "type");
    refuse(&qmp_type_Shape, &wrong, "{\"radius\": 2}", "type");
}

Test(generated, lists_are_values)
{
    g_auto(QmpColourList) colours = {0};
    g_auto(QmpSizeList) sizes = {0};

    load(&qmp_type_ColourList, &colours, "[\"red\", \"grey\"]");
    cr_assert(colours.count == 2 && colours.items[1] == QMP_COLOUR_GREY);
    load(&qmp_type_SizeList, &sizes, "[1, 2, 3]");
    expect_json(&qmp_type_SizeList, &sizes, "[1, 2, 3]");
}

Test(generated, enums_have_names)
{
    cr_assert_str_eq(qmp_Colour_name(QMP_COLOUR_GREY), "grey");
    cr_assert_str_eq(qmp_ShapeType_name(QMP_SHAPE_TYPE_3D_THING), "3d-thing");
    cr_assert_str_eq(qmp_ErrorClass_name(QMP_ERROR_CLASS_OF_GENERIC_ERROR), "GenericError");
    cr_assert_str_eq(qmp_Colour_name(QMP_COLOUR__MAX), "?");
    cr_assert_str_eq(qmp_Colour_name((QmpColour)-1), "?");
    cr_assert_eq(qapi_enum_find(&qmp_type_Colour, "grey"), QMP_COLOUR_GREY);
    cr_assert_eq(qapi_enum_find(&qmp_type_Colour, "infra-red"), -1, "CONFIG_SECRETS is not there");
    cr_assert_eq(QMP_COLOUR__MAX, 2);
}

Test(generated, keys_and_values_make_a_struct)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QmpCrateInfo) info = NULL;

    cr_assert(qapi_from_text(&qmp_type_CrateInfo, &info,
                             "a,i8=1,i32=2,u8=3,u32=4,names.0=x,names.1=y,volume=4K,shape.type=circle,shape.radius=2.5",
                             "name", "crate", &error),
              "%s", error ? error->message : "");
    cr_assert(strcmp(info->name, "a") == 0 && info->names.count == 2 && info->volume == 4096);
    cr_assert_eq(info->shape->u.circle->radius, 2.5);
}

Test(generated, types_tell_what_they_are_about)
{
    const QapiMember *last = qmp_type_CrateInfo.members;

    while (last[1].name)
        last++;
    cr_assert_str_eq(last->name, "old-name");
    cr_assert_str_eq(last->about, "what it was called");
    cr_assert(strcmp(last->features[0], "deprecated") == 0 && !last->features[1], "unstable needs CONFIG_SECRETS");
    cr_assert_str_eq(qmp_type_CrateInfo.features[0], "json-cli");
    cr_assert_str_eq(qmp_type_CrateInfo.about, "What is known of one crate. It has a member of each type.");
    cr_assert_str_eq(qmp_type_Colour.abouts[QMP_COLOUR_RED], "as blood");
    cr_assert(qmp_type_size.octets && !qmp_type_uint64.octets);
    cr_assert_gt(qmp_type_Nothing.size, 0, "a pointer to it is not NULL");
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

struct QmpCall {
    const char *done; /* the command */
    const void *arguments;
    bool fails;
};

/* What every handler does. */
static bool done(QmpCall *call, const char *name, const void *arguments, GError **error)
{
    call->done = name;
    call->arguments = arguments;
    if (call->fails)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s failed", name);
    return !call->fails;
}

#define PLAIN(name, ...)                                                                                               \
    {                                                                                                                  \
        return done(call, name, __VA_ARGS__, error);                                                                   \
    }
#define STORED(name, arguments, value)                                                                                 \
    {                                                                                                                  \
        *result = value;                                                                                               \
        return done(call, name, arguments, error);                                                                     \
    }
#define POINTER(name, arguments, value)                                                                                \
    {                                                                                                                  \
        return done(call, name, arguments, error) ? value : NULL;                                                      \
    }

/* clang-format off */
bool qmp___org_example_x_try(QmpCall *call, GError **error) PLAIN("try", NULL)
bool qmp_add_crate(QmpCall *call, const QmpAddCrateArguments *arguments, GError **error) PLAIN("add-crate", arguments)
bool qmp_answer_anything(QmpCall *call, json_t **result, GError **error) STORED("any", NULL, json_null())
bool qmp_close_down(QmpCall *call, GError **error) PLAIN("close-down", NULL)
bool qmp_colour_of(QmpCall *call, const QmpColourOfArguments *arguments, QmpColour *result, GError **error)
    STORED("colour-of", arguments, QMP_COLOUR_GREY)
bool qmp_count_crates(QmpCall *call, int64_t *result, GError **error) STORED("count-crates", NULL, 12)
QmpShelfRef *qmp_crate_reference(QmpCall *call, GError **error) POINTER("reference", NULL, g_new0(QmpShelfRef, 1))
bool qmp_device_add(QmpCall *call, json_t *arguments, GError **error) PLAIN("device_add", arguments)
QmpShape *qmp_draw(QmpCall *call, const QmpShape *arguments, GError **error)
    POINTER("draw", arguments, qapi_copy(&qmp_type_Shape, arguments))
bool qmp_list_names(QmpCall *call, QmpStrList *result, GError **error) STORED("list-names", NULL, (QmpStrList){0})
QmpCircle *qmp_measure(QmpCall *call, const QmpBox *arguments, GError **error)
    POINTER("measure", arguments, g_new0(QmpCircle, 1))
char *qmp_name_crate(QmpCall *call, GError **error) POINTER("name-crate", NULL, g_strdup("it"))
bool qmp_paint_crate(QmpCall *call, const QmpBox *arguments, GError **error) PLAIN("paint-crate", arguments)
bool qmp_qmp_capabilities(QmpCall *call, GError **error) PLAIN("qmp_capabilities", NULL)
QmpCrateInfo *qmp_query_crate(QmpCall *call, const QmpQueryCrateArguments *arguments, GError **error)
    POINTER("query-crate", arguments, g_new0(QmpCrateInfo, 1))
bool qmp_query_crates(QmpCall *call, QmpCrateInfoList *result, GError **error)
    STORED("query-crates", NULL, (QmpCrateInfoList){0})
json_t *qmp_raw_reply(QmpCall *call, GError **error) POINTER("raw-reply", NULL, json_array())
    /* clang-format on */

    static const QapiCommand *command(const char *name)
{
    const QapiCommand *found = qapi_command_find(qmp_commands, qmp_command_count, name);

    cr_assert_not_null(found, "%s", name);
    return found;
}

Test(generated, the_table_of_commands_is_in_order)
{
    cr_assert_eq(qmp_command_count, 17);
    cr_assert_null(qmp_commands[qmp_command_count].name);
    for (size_t i = 1; i < qmp_command_count; i++)
        cr_assert_lt(strcmp(qmp_commands[i - 1].name, qmp_commands[i].name), 0);
    cr_assert_null(qapi_command_find(qmp_commands, qmp_command_count, "tell-secret"));
}

Test(generated, commands_tell_what_they_take_and_give)
{
    cr_assert_eq(command("query-crate")->flags, QAPI_ALLOW_OOB | QAPI_ALLOW_PRECONFIG);
    cr_assert_eq(command("close-down")->flags, QAPI_NO_REPLY);
    cr_assert_eq(command("query-crate")->arguments, &qmp_type_QueryCrateArguments);
    cr_assert_eq(command("query-crates")->result, &qmp_type_CrateInfoList);
    cr_assert_eq(command("paint-crate")->arguments, &qmp_type_Box);
    cr_assert_eq(command("draw")->arguments, &qmp_type_Shape);
    cr_assert_eq(command("device_add")->arguments, &qmp_type_any);
    cr_assert_eq(command("raw-reply")->result, &qmp_type_any);
    cr_assert(!command("close-down")->arguments && !command("close-down")->result);
    cr_assert_str_eq(command("device_add")->features[0], "json-cli");
    cr_assert_str_eq(command("count-crates")->about, "Returns a scalar.");
}

Test(generated, a_command_runs_its_handler)
{
    g_autoptr(GError) error = NULL;
    QmpCall call = {0};
    QmpBox box = {.width = 1};
    int64_t count = 0;

    cr_assert(command("paint-crate")->run(&call, &box, NULL, &error));
    cr_assert(strcmp(call.done, "paint-crate") == 0 && call.arguments == &box);
    cr_assert(command("count-crates")->run(&call, NULL, &count, &error));
    cr_assert_eq(count, 12);
    g_autofree char *name = NULL;
    cr_assert(command("name-crate")->run(&call, NULL, &name, &error));
    cr_assert_str_eq(name, "it");
    g_autoptr(QmpShape) shape = NULL, drawn = NULL;
    load(&qmp_type_Shape, &shape, "{\"type\": \"circle\", \"radius\": 2}");
    cr_assert(command("draw")->run(&call, shape, &drawn, &error));
    cr_assert_eq(drawn->u.circle->radius, 2);
    json_t *reply = NULL, *arguments = json_object();
    cr_assert(command("raw-reply")->run(&call, NULL, &reply, &error));
    cr_assert(json_is_array(reply));
    cr_assert(command("device_add")->run(&call, arguments, NULL, &error));
    cr_assert_eq(call.arguments, arguments);
    json_decref(reply);
    json_decref(arguments);
}

Test(generated, a_command_that_fails_says_so)
{
    for (size_t i = 0; i < qmp_command_count; i++) {
        g_autoptr(GError) error = NULL;
        QmpCall call = {.fails = true};
        void *result[8] = {NULL};
        cr_assert_not(qmp_commands[i].run(&call, &call, result, &error), "%s", qmp_commands[i].name);
        cr_assert_not_null(error);
    }
}

/* --- events ------------------------------------------------------------------------------------------------------ */

struct QmpEvents {
    const QapiEvent *event;
    const void *data;
};

void qmp_events_emit(QmpEvents *events, const QapiEvent *event, const void *data)
{
    *events = (QmpEvents){event, data};
}

Test(generated, an_event_goes_out_with_its_data)
{
    QmpEvents events = {.event = NULL};
    QmpCrateFellData data = {.name = (char *)"a"};

    qmp_event_crate_fell(&events, &data);
    cr_assert_str_eq(events.event->name, "CRATE_FELL");
    cr_assert(events.data == &data && events.event->data == &qmp_type_CrateFellData);
    const QmpCrateFellData *fell = &data;
    expect_json(&qmp_type_CrateFellData, &fell, "{\"name\": \"a\"}");
    qmp_event_closed(&events);
    cr_assert(strcmp(events.event->name, "CLOSED") == 0 && !events.data && !events.event->data);
    cr_assert(qmp_event_count == QMP_EVENT__MAX && qmp_event_count == 4);
    cr_assert_eq(&qmp_events[QMP_EVENT_DRAWN], events.event + (QMP_EVENT_DRAWN - QMP_EVENT_CLOSED));
    cr_assert_str_eq(qmp_events[QMP_EVENT_BOXED].features[0], "unstable");
}

/* --- libqmp ------------------------------------------------------------------------------------------------------ */

/* A session that tells what was asked, as JSON, and answers what it is told to. */
struct QmpSession {
    char *asked;
    const char *answer;
};
struct LibqmpCall {
    QmpSession *session;
    const QapiCommand *command;
};

LibqmpCall *libqmp_call_start(QmpSession *session, const QapiCommand *what, const void *arguments, GError **error)
{
    LibqmpCall *call = g_new0(LibqmpCall, 1);
    json_t *json = arguments && what->arguments ? qapi_to_json(what->arguments, &arguments) : NULL;
    g_autofree char *text = json ? json_dumps(json, JSON_COMPACT) : g_strdup("-");

    (void)error;
    json_decref(json);
    g_free(session->asked);
    session->asked = g_strdup_printf("%s %s", what->name, text);
    *call = (LibqmpCall){session, what};
    return call;
}

bool libqmp_call_finish(LibqmpCall *call, void *result, GError **error)
{
    json_t *json = call->session->answer ? json_of(call->session->answer) : NULL;
    bool ok = json != NULL;

    if (!json)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "gone");
    if (json && result)
        ok = qapi_from_json(call->command->result, result, json, "reply", error);
    json_decref(json);
    g_free(call);
    return ok;
}

bool libqmp_call(QmpSession *session, const QapiCommand *what, const void *arguments, void *result, GError **error)
{
    return libqmp_call_finish(libqmp_call_start(session, what, arguments, error), result, error);
}

static const char *const answers[] = {"1", "2"};
static const QmpCrateBase inside = {.name = (char *)"in"};
static const QmpStrList names = {2, (char **)(uintptr_t)answers};

Test(generated, what_must_be_given_is_a_parameter_and_the_rest_options)
{
    g_autoptr(GError) error = NULL;
    QmpSession session = {.answer = "{}"};
    json_t *extra = json_integer(5);

    cr_assert(libqmp_add_crate(&session, "n", 3, &names, QMP_COLOUR_RED, extra, QAPI_IS_NULL, &inside, NULL, &error));
    cr_assert_str_eq(session.asked, "add-crate {\"name\":\"n\",\"count\":3,\"names\":[\"1\",\"2\"],\"colour\":\"red\","
                                    "\"extra\":5,\"nothing\":null,\"inside\":{\"name\":\"in\"}}");
    cr_assert(libqmp_add_crate(&session, "n", 3, NULL, QMP_COLOUR_RED, extra, QAPI_IS_NULL, &inside,
                               LIBQMP_ADD_CRATE_OPTIONS(.note = "x", .has_size = true, .q_size = 7, .has_fast = true),
                               &error));
    cr_assert_str_eq(session.asked,
                     "add-crate {\"name\":\"n\",\"note\":\"x\",\"count\":3,\"names\":[],\"colour\":\"red\","
                     "\"extra\":5,\"nothing\":null,\"inside\":{\"name\":\"in\"},\"size\":7,\"fast\":false}");
    json_decref(extra);
    g_free(session.asked);
}

Test(generated, options_beyond_their_size_are_not_looked_at)
{
    g_autoptr(GError) error = NULL;
    QmpSession session = {.answer = "\"red\""};
    LibqmpColourOfOptions options = {.size = offsetof(LibqmpColourOfOptions, name), .name = (const char *)1};
    QmpColour colour;

    cr_assert(libqmp_colour_of(&session, &options, &colour, &error));
    cr_assert_str_eq(session.asked, "colour-of {}");
    cr_assert_eq(colour, QMP_COLOUR_RED);
    g_free(session.asked);
    /* An option never lies where a struct without it would have had padding. */
    cr_assert_eq(offsetof(LibqmpAddCrateOptions, has_fast) % 8, 0);
}

Test(generated, results_come_back)
{
    g_autoptr(GError) error = NULL;
    QmpSession session = {.answer = "{\"radius\": 3}"};
    QmpBox box = {.width = 2};
    g_autoptr(QmpCircle) circle = libqmp_measure(&session, &box, &error);

    cr_assert_eq(circle->radius, 3);
    cr_assert_str_eq(session.asked, "measure {\"width\":2}");
    session.answer = "[\"a\"]";
    g_auto(QmpStrList) list = {0};
    cr_assert(libqmp_list_names(&session, &list, &error));
    cr_assert_str_eq(list.items[0], "a");
    session.answer = "\"name\"";
    g_autofree char *name = libqmp_name_crate(&session, &error);
    cr_assert_str_eq(name, "name");
    g_free(session.asked);
}

Test(generated, a_call_that_fails_gives_nothing)
{
    g_autoptr(GError) error = NULL;
    QmpSession session = {0};

    cr_assert_null(libqmp_query_crate(&session, "n", &error));
    cr_assert_str_eq(error->message, "gone");
    g_clear_error(&error);
    cr_assert_not(libqmp_paint_crate(&session, 1, NULL, &error));
    cr_assert_str_eq(session.asked, "paint-crate {\"width\":1}");
    g_free(session.asked);
}

Test(generated, a_call_that_was_started_is_finished)
{
    g_autoptr(GError) error = NULL;
    QmpSession session = {.answer = "12"};
    int64_t count = 0;
    LibqmpCall *call = libqmp_count_crates_start(&session, &error);

    cr_assert_str_eq(session.asked, "count-crates -");
    cr_assert(libqmp_count_crates_finish(call, &count, &error));
    cr_assert_eq(count, 12);
    session.answer = "{\"radius\": 3}";
    g_autoptr(QmpCircle) circle =
        libqmp_measure_finish(libqmp_measure_start(&session, &(QmpBox){.width = 2}, &error), &error);
    cr_assert_eq(circle->radius, 3);
    g_free(session.asked);
}

Test(generated, the_client_knows_the_commands_and_events_of_the_server)
{
    cr_assert(libqmp_command_count == qmp_command_count && libqmp_event_count == qmp_event_count);
    for (size_t i = 0; i < qmp_command_count; i++) {
        cr_assert_str_eq(libqmp_commands[i].name, qmp_commands[i].name);
        cr_assert(libqmp_commands[i].arguments == qmp_commands[i].arguments && !libqmp_commands[i].run);
    }
}

/* --- introspection ----------------------------------------------------------------------------------------------- */

static json_t *find(json_t *schema, const char *name)
{
    size_t i;
    json_t *info;

    json_array_foreach (schema, i, info) {
        if (strcmp(json_string_value(json_object_get(info, "name")), name) == 0)
            return info;
    }
    cr_assert_fail("there is no %s", name);
    return NULL;
}

static void expect_info(json_t *schema, const char *name, const char *wanted)
{
    json_t *info = json_of(wanted);
    g_autofree char *is = json_dumps(find(schema, name), 0);

    cr_assert(json_equal(find(schema, name), info), "%s, not %s", is, wanted);
    json_decref(info);
}

Test(generated, introspection_is_as_qemu_documents_it)
{
    json_t *schema = json_of(qmp_introspection);

    expect_info(schema, "query-crate",
                "{\"name\": \"query-crate\", \"meta-type\": \"command\", \"allow-oob\": true,"
                " \"arg-type\": \"query-crate-arguments\", \"ret-type\": \"CrateInfo\"}");
    expect_info(
        schema, "close-down",
        "{\"name\": \"close-down\", \"meta-type\": \"command\", \"arg-type\": \"q_empty\", \"ret-type\": \"q_empty\"}");
    expect_info(schema, "CLOSED", "{\"name\": \"CLOSED\", \"meta-type\": \"event\", \"arg-type\": \"q_empty\"}");
    expect_info(schema, "q_empty", "{\"name\": \"q_empty\", \"meta-type\": \"object\", \"members\": []}");
    expect_info(schema, "[CrateInfo]",
                "{\"name\": \"[CrateInfo]\", \"meta-type\": \"array\", \"element-type\": \"CrateInfo\"}");
    expect_info(schema, "int", "{\"name\": \"int\", \"meta-type\": \"builtin\", \"json-type\": \"int\"}");
    expect_info(schema, "Colour",
                "{\"name\": \"Colour\", \"meta-type\": \"enum\", \"members\": [{\"name\": \"red\"},"
                " {\"name\": \"grey\", \"features\": [\"deprecated\"]}], \"values\": [\"red\", \"grey\"]}");
    expect_info(schema, "Box",
                "{\"name\": \"Box\", \"meta-type\": \"object\", \"members\": [{\"name\": \"width\", \"type\": \"int\"},"
                " {\"name\": \"height\", \"default\": null, \"type\": \"int\"}]}");
    expect_info(
        schema, "Shape",
        "{\"name\": \"Shape\", \"meta-type\": \"object\", \"tag\": \"type\", \"members\": [{\"name\": \"type\","
        " \"type\": \"ShapeType\"}, {\"name\": \"label\", \"default\": null, \"type\": \"str\"}], \"variants\": ["
        "{\"case\": \"circle\", \"type\": \"Circle\"}, {\"case\": \"box\", \"type\": \"Box\"},"
        " {\"case\": \"3d-thing\", \"type\": \"Nothing\"}, {\"case\": \"point\", \"type\": \"q_empty\"}]}");
    expect_info(schema, "ShelfRef",
                "{\"name\": \"ShelfRef\", \"meta-type\": \"alternate\", \"members\": [{\"type\": \"ShelfInfo\"},"
                " {\"type\": \"str\"}, {\"type\": \"int\"}, {\"type\": \"bool\"}, {\"type\": \"[str]\"}]}");
    json_decref(schema);
}
