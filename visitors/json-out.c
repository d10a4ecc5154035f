/* json-out.c: saves to JSON. */
#include <inttypes.h>
#include <math.h>

#include "visitors/json-out.h"
#include "visitors/text-out.h"
#include "visitors/visitor-impl.h"

typedef struct JsonOut {
    Visitor v;
    JsonWrite *json;
    const char *key; /* of the outermost value */
} JsonOut;

static JsonWrite *json_of(Visitor *v)
{
    return ((JsonOut *)v)->json;
}

/* Of the outermost value, or a value in it. `depth` is what is open around it. */
static const char *key_of(const Visitor *v, const char *name, unsigned depth)
{
    return depth == 0 ? ((const JsonOut *)v)->key : name;
}

static void out_struct_start(Visitor *v, const char *name)
{
    json_write_object_start(json_of(v), key_of(v, name, v->depth - 1));
}

static void out_struct_end(Visitor *v)
{
    json_write_object_end(json_of(v));
}

static void out_list_start(Visitor *v, const char *name, size_t count, size_t elem_size)
{
    (void)count;
    (void)elem_size;
    json_write_array_start(json_of(v), key_of(v, name, v->depth - 1));
}

static void out_list_end(Visitor *v)
{
    json_write_array_end(json_of(v));
}

static void out_subsection_start(Visitor *v, int index, const char *name, int version)
{
    (void)index;
    (void)version;
    json_write_object_start(json_of(v), name);
}

static void out_float(JsonWrite *json, const char *name, const void *value)
{
    char text[40];
    double number;
    uint64_t bits;

    memcpy(&number, value, 8);
    memcpy(&bits, value, 8);
    if (isfinite(number)) {
        g_ascii_dtostr(text, sizeof text, number);
        json_write_number(json, name, text);
    } else {
        g_snprintf(text, sizeof text, "0x%016" PRIx64, bits);
        json_write_string(json, name, text);
    }
}

static void out_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    JsonWrite *json = json_of(v);

    name = key_of(v, name, v->depth);
    if (scalar == SCALAR_FLOAT64) {
        out_float(json, name, value);
        return;
    }
    Integer n = scalar_get(scalar, value);
    if (scalar == SCALAR_BOOL)
        json_write_bool(json, name, n.bits);
    else if (n.negative)
        json_write_int(json, name, (int64_t)n.bits);
    else
        json_write_uint(json, name, n.bits);
}

static void out_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    JsonWrite *json = json_of(v);

    json_write_array_start(json, name);
    for (size_t i = 0; i < count; i++)
        out_scalar(v, NULL, scalar, (uint8_t *)values + i * scalar_width(scalar));
    json_write_array_end(json);
}

static void out_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    json_write_hex(json_of(v), name, data, len);
}

static void out_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    JsonWrite *json = json_of(v);

    json_write_object_start(json, name);
    json_write_string(json, "octets-of", type);
    json_write_hex(json, "hex", data, len);
    json_write_object_end(json);
}

static void out_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    JsonWrite *json = json_of(v);
    g_autofree char *ranges = text_bit_ranges(words, bits);

    json_write_object_start(json, name);
    json_write_uint(json, "bits", bits);
    json_write_string(json, "set", ranges);
    json_write_object_end(json);
}

static void out_string(Visitor *v, const char *name, char **text)
{
    json_write_string(json_of(v), key_of(v, name, v->depth), *text ? *text : "");
}

static void out_any(Visitor *v, const char *name, struct json_t **value)
{
    json_write_tree(json_of(v), key_of(v, name, v->depth), *value);
}

static void out_null(Visitor *v, const char *name)
{
    json_write_null(json_of(v), key_of(v, name, v->depth));
}

static void out_free(Visitor *v)
{
    g_free(v);
}

static const VisitorOps ops = {
    .struct_start = out_struct_start,
    .struct_end = out_struct_end,
    .list_start = out_list_start,
    .list_end = out_list_end,
    .subsection_start = out_subsection_start,
    .subsection_end = out_struct_end,
    .scalar = out_scalar,
    .array = out_array,
    .buffer = out_buffer,
    .unused = out_buffer,
    .octets = out_octets,
    .bitmap = out_bitmap,
    .string = out_string,
    .any = out_any,
    .null = out_null,
    .free = out_free,
};

Visitor *json_out_new(JsonWrite *json, const char *key)
{
    JsonOut *j = g_new0(JsonOut, 1);

    visitor_init(&j->v, &ops, NULL);
    j->json = json;
    j->key = key;
    return &j->v;
}
