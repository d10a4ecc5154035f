/* test-qapi.c: values of QMP's types: from JSON, from keys and values, to JSON, copied and freed. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>

#include "visitors/visitor.h"
#include "vmstate/qapi.h"

/* --- types as the generator makes them --------------------------------------------------------------------------- */

typedef enum Colour { COLOUR_RED, COLOUR_DARK_BLUE } Colour;
typedef struct Point {
    int64_t x;
    bool has_y;
    uint8_t y;
} Point;
typedef struct Points {
    size_t count;
    Point **items;
} Points;
typedef struct Words {
    size_t count;
    char **items;
} Words;
typedef struct Size {
    int kind;
    union {
        uint64_t octets;
        char *name;
        Point *point;
    } u;
} Size;
typedef struct Shape {
    char *id;
    Colour colour;
    union {
        Point *red;
    } u;
    bool has_points;
    Points points;
    bool has_words;
    Words words;
    Size *size;
    json_t *extra;
    bool has_ratio;
    double ratio;
    Point *origin;
} Shape;

static const QapiType type_int = {.name = "int", .scalar = SCALAR_INT64, .size = 8},
                      type_u8 = {.name = "uint8", .scalar = SCALAR_UINT8, .size = 1},
                      type_size = {.name = "size", .scalar = SCALAR_UINT64, .octets = true, .size = 8},
                      type_number = {.name = "number", .scalar = SCALAR_FLOAT64, .size = 8},
                      type_str = {.name = "str", .kind = QAPI_STRING, .size = sizeof(char *)},
                      type_any = {.name = "any", .kind = QAPI_ANY, .size = sizeof(void *)};
static const char *const colours[] = {"red", "dark-blue", NULL};
static const QapiType type_colour = {.name = "Colour", .kind = QAPI_ENUM, .names = colours, .size = sizeof(Colour)};
static const QapiMember point_members[] = {{.name = "x", .type = &type_int, .offset = offsetof(Point, x)},
                                           {.name = "y",
                                            .type = &type_u8,
                                            .offset = offsetof(Point, y),
                                            .presence = offsetof(Point, has_y) + 1,
                                            .optional = true},
                                           {.name = NULL}};
static const QapiType type_point = {
    .name = "Point", .kind = QAPI_STRUCT, .members = point_members, .size = sizeof(Point)};
static const QapiType type_points = {.name = "[Point]", .kind = QAPI_LIST, .element = &type_point, .size = 16},
                      type_words = {.name = "[str]", .kind = QAPI_LIST, .element = &type_str, .size = 16};
static const QapiMember size_members[] = {{.name = "octets", .type = &type_size, .offset = offsetof(Size, u)},
                                          {.name = "name", .type = &type_str, .offset = offsetof(Size, u)},
                                          {.name = "point", .type = &type_point, .offset = offsetof(Size, u)},
                                          {.name = NULL}};
static const QapiType type_alternate = {
    .name = "Size", .kind = QAPI_ALTERNATE, .members = size_members, .size = sizeof(Size), .tag = offsetof(Size, kind)};
static const QapiMember shape_members[] = {
    {.name = "id", .type = &type_str, .offset = offsetof(Shape, id)},
    {.name = "colour", .type = &type_colour, .offset = offsetof(Shape, colour)},
    {.name = "points",
     .type = &type_points,
     .offset = offsetof(Shape, points),
     .presence = offsetof(Shape, has_points) + 1,
     .optional = true},
    {.name = "words",
     .type = &type_words,
     .offset = offsetof(Shape, words),
     .presence = offsetof(Shape, has_words) + 1,
     .optional = true},
    {.name = "size", .type = &type_alternate, .offset = offsetof(Shape, size), .optional = true},
    {.name = "extra", .type = &type_any, .offset = offsetof(Shape, extra), .optional = true},
    {.name = "ratio",
     .type = &type_number,
     .offset = offsetof(Shape, ratio),
     .presence = offsetof(Shape, has_ratio) + 1,
     .optional = true},
    {.name = "origin", .type = &type_point, .offset = offsetof(Shape, origin), .optional = true},
    {.name = NULL}};
static const QapiType *const shape_variants[] = {&type_point, NULL, NULL};
static const QapiType type_shape = {.name = "Shape",
                                    .kind = QAPI_UNION,
                                    .members = shape_members,
                                    .size = sizeof(Shape),
                                    .tag = offsetof(Shape, colour),
                                    .tag_type = &type_colour,
                                    .variants = shape_variants,
                                    .variant = offsetof(Shape, u)};

/* --- helpers ----------------------------------------------------------------------------------------------------- */

static Shape *from_json(const char *text, GError **error)
{
    Shape *shape = NULL;
    json_t *tree = json_loads(text, JSON_DECODE_ANY, NULL);

    cr_assert(tree, "%s", text);
    bool ok = qapi_from_json(&type_shape, &shape, tree, "arguments", error);
    cr_assert_eq(ok, shape != NULL);
    json_decref(tree);
    return shape;
}

static void free_shape(Shape **shape)
{
    qapi_free(&type_shape, *shape);
}

static void expect_failure(const char *text, const char *message)
{
    g_autoptr(GError) error = NULL;

    cr_assert_null(from_json(text, &error), "%s", text);
    cr_assert_str_eq(error->message, message);
}

static void expect_json(const Shape *shape, const char *text)
{
    json_t *is = qapi_to_json(&type_shape, &shape), *wanted = json_loads(text, 0, NULL);
    g_autofree char *shown = json_dumps(is, JSON_SORT_KEYS);

    cr_assert(wanted);
    cr_assert(json_equal(is, wanted), "%s", shown);
    json_decref(is);
    json_decref(wanted);
}

static const char everything[] =
    "{'id': 'a', 'colour': 'red', 'x': -3, 'points': [{'x': 1}, {'x': 2, 'y': 255}], 'words': ['one', '', 'two'],"
    " 'size': {'x': 9}, 'extra': {'any': [1, null, {'deep': true}]}, 'ratio': 0.5, 'origin': {'x': 0}}";

static char *quoted(const char *text)
{
    return g_strdelimit(g_strdup(text), "'", '"');
}

/* --- cases ------------------------------------------------------------------------------------------------------- */

Test(qapi, json_goes_in_and_comes_out_as_it_was)
{
    g_autofree char *text = quoted(everything);
    __attribute__((cleanup(free_shape))) Shape *shape = from_json(text, NULL);

    cr_assert(shape);
    cr_assert_str_eq(shape->id, "a");
    cr_assert_eq(shape->u.red->x, -3);
    cr_assert_not(shape->u.red->has_y);
    cr_assert_eq(shape->points.count, 2);
    cr_assert(shape->points.items[1]->has_y && shape->points.items[1]->y == 255);
    cr_assert_str_eq(shape->words.items[2], "two");
    cr_assert_eq(shape->size->kind, 2);
    cr_assert_eq(shape->size->u.point->x, 9);
    expect_json(shape, text);
}

Test(qapi, a_copy_is_equal_and_has_nothing_in_common)
{
    g_autofree char *text = quoted(everything);
    __attribute__((cleanup(free_shape))) Shape *shape = from_json(text, NULL);
    __attribute__((cleanup(free_shape))) Shape *copy = qapi_copy(&type_shape, shape);

    g_free(shape->id);
    shape->id = g_strdup("b");
    shape->u.red->x = 7;
    g_free(shape->words.items[0]);
    shape->words.items[0] = g_strdup("other");
    json_object_clear(shape->extra);
    shape->points.items[0]->x = 99;
    expect_json(copy, text);
}

Test(qapi, what_may_be_missing_is_told_apart_from_what_is_zero)
{
    __attribute__((cleanup(free_shape))) Shape *shape =
        from_json("{\"id\": \"\", \"colour\": \"dark-blue\", \"points\": []}", NULL);

    cr_assert(shape->has_points && shape->points.count == 0);
    cr_assert_not(shape->has_words || shape->has_ratio || shape->size || shape->extra || shape->origin);
    expect_json(shape, "{\"id\": \"\", \"colour\": \"dark-blue\", \"points\": []}");
}

Test(qapi, what_is_wrong_is_told_with_its_path_and_leaves_nothing)
{
    expect_failure("{\"colour\": \"dark-blue\"}", "arguments: the key 'id' is missing");
    expect_failure("{\"id\": \"a\", \"x\": 1}", "arguments: the key 'colour' is missing (accepted: red, dark-blue)");
    expect_failure("{\"id\": \"a\", \"colour\": \"red\"}", "arguments: the key 'x' is missing");
    expect_failure("{\"id\": \"a\", \"colour\": \"blue\"}",
                   "arguments.colour: unknown value 'blue' (accepted: red, dark-blue)");
    expect_failure("{\"id\": 1, \"colour\": \"red\"}", "arguments.id: a string is wanted here, not a number");
    expect_failure("[]", "arguments: an object is wanted here, not an array");
    expect_failure("{\"id\": \"a\", \"colour\": \"dark-blue\", \"points\": [{\"x\": 1}, {\"x\": \"z\"}]}",
                   "arguments.points[1].x: 'z' is no number");
    expect_failure("{\"id\": \"a\", \"colour\": \"dark-blue\", \"points\": [{\"x\": 1}, {}]}",
                   "arguments.points[1]: the key 'x' is missing");
    expect_failure("{\"id\": \"a\", \"colour\": \"dark-blue\", \"points\": {}}",
                   "arguments.points: an array is wanted here, not an object");
    expect_failure("{\"id\": \"a\", \"colour\": \"dark-blue\", \"words\": [\"a\", 2]}",
                   "arguments.words[1]: a string is wanted here, not a number");
    expect_failure("{\"id\": \"a\", \"colour\": \"dark-blue\", \"size\": [1]}",
                   "arguments.size: this is none of what is wanted here: a size (octets, or with K, M, G, T), or text, "
                   "or Point (a group of keys)");
    expect_failure(
        "{\"id\": \"a\", \"colour\": \"dark-blue\", \"wrods\": [\"a\"]}",
        "arguments: unknown key 'wrods'; did you mean 'words'? (accepted: colour, extra, id, origin, points, "
        "ratio, size, words)");
    expect_failure("{\"id\": \"a\", \"colour\": \"red\", \"x\": 1, \"y\": 256}",
                   "arguments.y: 256 is out of range (accepted: 0 to 255)");
}

Test(qapi, a_failed_load_leaves_the_value_as_it_was)
{
    __attribute__((cleanup(free_shape))) Shape *shape = from_json("{\"id\": \"a\", \"colour\": \"dark-blue\"}", NULL);
    json_t *wrong = json_loads("{\"id\": \"b\", \"colour\": \"red\"}", 0, NULL);
    g_autoptr(GError) error = NULL;

    cr_assert_not(qapi_from_json(&type_shape, &shape, wrong, "arguments", &error));
    expect_json(shape, "{\"id\": \"a\", \"colour\": \"dark-blue\"}");
    json_decref(wrong);
}

Test(qapi, a_reply_may_have_more_than_is_known)
{
    Point *point = NULL;
    json_t *reply = json_loads("{\"x\": 1, \"z\": {\"new\": 1}}", 0, NULL);

    cr_assert_not(qapi_from_json(&type_point, &point, reply, "reply", NULL));
    cr_assert(qapi_from_reply(&type_point, &point, reply, "reply", NULL));
    cr_assert_eq(point->x, 1);
    qapi_free(&type_point, point);
    json_decref(reply);
}

Test(qapi, a_word_of_a_reply_that_nobody_knows_is_the_count)
{
    json_t *reply = json_pack("{s:s,s:s,s:i}", "id", "a", "colour", "mauve", "x", 6);
    Shape *shape = NULL;

    cr_assert_not(qapi_from_json(&type_shape, &shape, reply, "reply", NULL));
    cr_assert(qapi_from_reply(&type_shape, &shape, reply, "reply", NULL));
    cr_expect_str_eq(shape->id, "a");
    cr_expect_eq((int)shape->colour, (int)G_N_ELEMENTS(colours) - 1);
    cr_expect_null(shape->u.red, "of what follows such a tag nothing is known");
    Shape *copy = qapi_copy(&type_shape, shape);
    cr_expect_eq(copy->colour, shape->colour);
    qapi_free(&type_shape, copy);
    qapi_free(&type_shape, shape);
    json_decref(reply);
}

/* An alternate of a word and a struct. */
Test(qapi, a_word_that_nobody_knows_is_one_where_it_could_be_something_else)
{
    static const QapiMember members[] = {{.name = "point", .type = &type_point, .offset = offsetof(Size, u)},
                                         {.name = "colour", .type = &type_colour, .offset = offsetof(Size, u)},
                                         {.name = NULL}};
    QapiType type = type_alternate;
    json_t *reply = json_string("mauve");
    Size *size = NULL;

    type.members = members;
    cr_assert_not(qapi_from_json(&type, &size, reply, "reply", NULL));
    cr_assert(qapi_from_reply(&type, &size, reply, "reply", NULL));
    cr_expect_eq(size->kind, 1);
    qapi_free(&type, size);
    json_decref(reply);
}

Test(qapi, keys_and_values_are_read_by_the_same_types)
{
    Shape *shape = NULL;
    g_autoptr(GError) error = NULL;

    bool ok =
        qapi_from_text(&type_shape, &shape,
                       "circle,colour=red,x=0x10,points.0.x=1,points.1.x=2,points.1.y=3,words=a,,b,words=c,size=4K,"
                       "ratio=1.5,origin.x=-1",
                       "id", "-shape", &error);
    cr_assert(ok, "%s", error ? error->message : "");
    expect_json(shape,
                "{\"id\": \"circle\", \"colour\": \"red\", \"x\": 16, \"points\": [{\"x\": 1}, {\"x\": 2, \"y\": "
                "3}], \"words\": [\"a,b\", \"c\"], \"size\": 4096, \"ratio\": 1.5, \"origin\": {\"x\": -1}}");
    qapi_free(&type_shape, g_steal_pointer(&shape));
    cr_assert_not(qapi_from_text(&type_shape, &shape, "noid,colour=dark-blue", NULL, "-shape", &error));
    g_clear_error(&error);
    cr_assert(qapi_from_text(&type_shape, &shape, "id=a,colour=dark-blue,size=big,words=one", NULL, "-shape", &error));
    expect_json(shape, "{\"id\": \"a\", \"colour\": \"dark-blue\", \"size\": \"big\", \"words\": [\"one\"]}");
    qapi_free(&type_shape, g_steal_pointer(&shape));
    cr_assert_not(qapi_from_text(&type_shape, &shape, "id=a,colour=dark-blue,origin.y=300", NULL, "-shape", &error));
    cr_assert_str_eq(error->message, "-shape.origin.y: 300 is out of range (accepted: 0 to 255)");
}

Test(qapi, lists_and_scalars_can_be_the_whole_value)
{
    json_t *tree = json_loads("[\"a\", \"b\"]", 0, NULL), *number = json_integer(7);
    Words words = {0};
    int64_t n = 0;

    cr_assert(qapi_from_json(&type_words, &words, tree, "reply", NULL));
    cr_assert(words.count == 2 && g_str_equal(words.items[1], "b"));
    json_t *out = qapi_to_json(&type_words, &words);
    cr_assert(json_equal(out, tree));
    json_decref(out);
    cr_assert(qapi_from_json(&type_int, &n, number, "reply", NULL));
    cr_assert_eq(n, 7);
    out = qapi_to_json(&type_int, &n);
    cr_assert(json_equal(out, number));
    json_decref(out);
    qapi_clear(&type_words, &words);
    cr_assert(words.count == 0 && !words.items);
    json_decref(tree);
    json_decref(number);
}

Test(qapi, anything_is_anything)
{
    static const char *const texts[] = {"null", "[1, {\"a\": []}]", "-5", "1.25", "\"\\u0001\"", "true", "{}"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        json_t *tree = json_loads(texts[i], JSON_DECODE_ANY, NULL), *any = NULL;
        cr_assert(qapi_from_json(&type_any, &any, tree, "x", NULL), "%s", texts[i]);
        json_t *out = qapi_to_json(&type_any, &any);
        cr_assert(json_equal(out, tree), "%s", texts[i]);
        json_decref(out);
        qapi_clear(&type_any, &any);
        json_decref(tree);
    }
}

Test(qapi, commands_are_found_by_name)
{
    static const QapiCommand commands[] = {{.name = "a"}, {.name = "b-c"}, {.name = "d"}};

    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(qapi_command_find(commands, 3, commands[i].name), &commands[i]);
    cr_assert_null(qapi_command_find(commands, 3, "b"));
    cr_assert_null(qapi_command_find(commands, 0, "a"));
}

Test(qapi, the_help_has_every_key)
{
    g_autofree char *help = qapi_help(&type_shape, -1), *blue = qapi_help(&type_shape, COLOUR_DARK_BLUE);

    cr_assert(strstr(help, "  id=                    text; must be given\n"), "%s", help);
    cr_assert(strstr(help, "  colour=                one of: red, dark-blue; must be given\n"), "%s", help);
    cr_assert(strstr(help, "  origin.y=              a whole number\n"), "%s", help);
    cr_assert(strstr(help, "  with 'red':\n    x="), "%s", help);
    cr_assert_null(strstr(blue, "with 'red'"));
}

/* --- more of a struct --------------------------------------------------------------------------------------------- */

typedef struct Part {
    char *name;
    bool has_words;
    Words words;
    Point *point;
    Size *size;
} Part;

static const QapiMember part_members[] = {
    {.name = "name", .type = &type_str, .offset = offsetof(Part, name), .optional = true},
    {.name = "words",
     .type = &type_words,
     .offset = offsetof(Part, words),
     .presence = offsetof(Part, has_words) + 1,
     .optional = true},
    {.name = "point", .type = &type_point, .offset = offsetof(Part, point), .optional = true},
    {.name = "size", .type = &type_alternate, .offset = offsetof(Part, size), .optional = true},
    {.name = NULL}};
static const QapiType type_part = {.name = "Part", .kind = QAPI_STRUCT, .members = part_members, .size = sizeof(Part)};
static const QapiType type_parts = {.name = "[Part]", .kind = QAPI_LIST, .element = &type_part, .size = 16};

static void expect_merged(const char *one, const char *more, const char *both)
{
    Part *a = NULL, *b = NULL, *wanted = NULL;

    cr_assert(qapi_from_text(&type_part, &a, one, NULL, "a", NULL), "%s", one);
    cr_assert(qapi_from_text(&type_part, &b, more, NULL, "b", NULL), "%s", more);
    cr_assert(qapi_from_text(&type_part, &wanted, both, NULL, "c", NULL), "%s", both);
    qapi_merge(&type_part, a, b);
    qapi_free(&type_part, b);
    json_t *is = qapi_to_json(&type_part, &a), *json = qapi_to_json(&type_part, &wanted);
    g_autofree char *shown = json_dumps(is, JSON_SORT_KEYS);
    cr_assert(json_equal(is, json), "%s and %s: %s", one, more, shown);
    json_decref(is);
    json_decref(json);
    qapi_free(&type_part, a);
    qapi_free(&type_part, wanted);
}

Test(qapi, what_is_merged_adds_to_lists_and_structs_and_replaces_all_else)
{
    expect_merged("", "", "");
    expect_merged("name=a", "", "name=a");
    expect_merged("", "name=a,words.0=b,point.x=1,size=4K", "name=a,words.0=b,point.x=1,size=4K");
    expect_merged("name=a", "name=b", "name=b");
    expect_merged("words.0=a", "words.0=b,words.1=c", "words.0=a,words.1=b,words.2=c");
    expect_merged("point.x=1,point.y=2", "point.x=3", "point.x=3,point.y=2");
    expect_merged("size=1", "size.x=2", "size.x=2");
}

Test(qapi, text_where_a_struct_could_be_is_its_first_member)
{
    g_autoptr(GError) error = NULL;
    QapiList list = {0};

    json_t *tree = json_pack("[s,{s:s}]", "a", "name", "b");
    cr_assert(!qapi_from_json(&type_parts, &list, tree, "x", &error), "JSON says what it means");
    json_decref(tree);

    static const QapiMember members[] = {{.name = "part", .type = &type_parts, .offset = 0}, {.name = NULL}};
    static const QapiType type_all = {.name = "All", .kind = QAPI_STRUCT, .members = members, .size = sizeof(QapiList)};
    QapiList *all = NULL;
    cr_assert(qapi_from_text(&type_all, &all, "part=a,,1,part=b", NULL, "x", NULL));
    cr_assert_eq(all->count, 2);
    cr_assert_str_eq(((Part **)all->items)[0]->name, "a,1");
    cr_assert_str_eq(((Part **)all->items)[1]->name, "b");
    qapi_free(&type_all, all);
}
