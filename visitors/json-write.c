/* json-write.c: writes JSON text as it goes. Source: RFC 8259. */
#include <inttypes.h>
#include <jansson.h>

#include "visitors/json-write.h"

struct JsonWrite {
    ChanOut *out;
    unsigned depth, lines;
    bool first;    /* nothing yet in what is open */
    GString *open; /* the closing bracket of each level */
};

JsonWrite *json_write_new(ChanOut *out, unsigned lines)
{
    JsonWrite *json = g_new0(JsonWrite, 1);

    json->out = out;
    json->lines = lines;
    json->first = true;
    json->open = g_string_new(NULL);
    return json;
}

void json_write_free(JsonWrite *json)
{
    if (!json)
        return;
    g_string_free(json->open, TRUE);
    g_free(json);
}

static void put(JsonWrite *json, const char *text)
{
    chan_out_put(json->out, text, strlen(text));
}

static void new_line(JsonWrite *json)
{
    static const char blanks[] = "\n                                ";

    if (json->depth <= json->lines)
        chan_out_put(json->out, blanks, 1 + MIN(json->depth, sizeof blanks - 2));
}

static void put_quoted(JsonWrite *json, const char *text)
{
    g_autoptr(GString) s = g_string_new("\"");

    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            g_string_append_printf(s, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            g_string_append_printf(s, "\\u%04x", c);
        else
            g_string_append_c(s, (char)c);
    }
    g_string_append_c(s, '"');
    chan_out_put(json->out, s->str, s->len);
}

static void start_value(JsonWrite *json, const char *key)
{
    if (json->depth) {
        if (!json->first)
            put(json, json->depth <= json->lines ? "," : ", ");
        new_line(json);
    }
    json->first = false;
    if (key) {
        put_quoted(json, key);
        put(json, ": ");
    }
}

static void open_level(JsonWrite *json, const char *key, const char *bracket, char closing)
{
    start_value(json, key);
    put(json, bracket);
    g_string_append_c(json->open, closing);
    json->depth++;
    json->first = true;
}

static void close_level(JsonWrite *json)
{
    bool empty = json->first;
    unsigned depth = json->depth--;

    if (!empty && depth <= json->lines)
        new_line(json);
    put(json, json->open->str + json->depth);
    g_string_truncate(json->open, json->depth);
    json->first = false;
    if (json->depth == 0)
        put(json, "\n");
}

unsigned json_write_depth(const JsonWrite *json)
{
    return json->depth;
}

void json_write_close_to(JsonWrite *json, unsigned depth)
{
    while (json->depth > depth)
        close_level(json);
}

void json_write_object_start(JsonWrite *json, const char *key)
{
    open_level(json, key, "{", '}');
}

void json_write_object_end(JsonWrite *json)
{
    close_level(json);
}

void json_write_array_start(JsonWrite *json, const char *key)
{
    open_level(json, key, "[", ']');
}

void json_write_array_end(JsonWrite *json)
{
    close_level(json);
}

void json_write_string(JsonWrite *json, const char *key, const char *text)
{
    start_value(json, key);
    if (g_utf8_validate(text, -1, NULL)) {
        put_quoted(json, text);
    } else {
        g_autofree char *shown = bytes_show(text, strlen(text));
        put_quoted(json, shown);
    }
}

void json_write_number(JsonWrite *json, const char *key, const char *spelling)
{
    start_value(json, key);
    put(json, spelling);
}

void json_write_uint(JsonWrite *json, const char *key, uint64_t value)
{
    char text[24];

    g_snprintf(text, sizeof text, "%" PRIu64, value);
    json_write_number(json, key, text);
}

void json_write_int(JsonWrite *json, const char *key, int64_t value)
{
    char text[24];

    g_snprintf(text, sizeof text, "%" PRId64, value);
    json_write_number(json, key, text);
}

void json_write_bool(JsonWrite *json, const char *key, bool value)
{
    json_write_number(json, key, value ? "true" : "false");
}

void json_write_null(JsonWrite *json, const char *key)
{
    json_write_number(json, key, "null");
}

void json_write_hex(JsonWrite *json, const char *key, const void *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    char text[512];
    size_t n = 0;

    start_value(json, key);
    put(json, "\"");
    for (size_t i = 0; i < len; i++) {
        text[n++] = digits[p[i] >> 4];
        text[n++] = digits[p[i] & 15];
        if (n == sizeof text) {
            chan_out_put(json->out, text, n);
            n = 0;
        }
    }
    chan_out_put(json->out, text, n);
    put(json, "\"");
}

static void tree_object(JsonWrite *json, const char *key, json_t *object)
{
    const char *name;
    json_t *value;

    json_write_object_start(json, key);
    json_object_foreach (object, name, value)
        json_write_tree(json, name, value);
    json_write_object_end(json);
}

static void tree_array(JsonWrite *json, const char *key, const json_t *array)
{
    json_write_array_start(json, key);
    for (size_t i = 0; i < json_array_size(array); i++)
        json_write_tree(json, NULL, json_array_get(array, i));
    json_write_array_end(json);
}

void json_write_tree(JsonWrite *json, const char *key, const struct json_t *tree)
{
    char text[40];

    switch (tree ? json_typeof(tree) : JSON_NULL) {
    case JSON_OBJECT:
        tree_object(json, key, (json_t *)tree);
        break;
    case JSON_ARRAY:
        tree_array(json, key, tree);
        break;
    case JSON_STRING:
        json_write_string(json, key, json_string_value(tree));
        break;
    case JSON_INTEGER:
        json_write_int(json, key, json_integer_value(tree));
        break;
    case JSON_REAL:
        json_write_number(json, key, g_ascii_dtostr(text, sizeof text, json_real_value(tree)));
        break;
    case JSON_NULL:
        json_write_null(json, key);
        break;
    default:
        json_write_bool(json, key, json_is_true(tree));
    }
}
