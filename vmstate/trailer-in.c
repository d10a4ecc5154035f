/*
 * trailer-in.c: makes descriptions of the JSON text at the end of a QEMU stream.
 *
 * jansson reads the text one device at a time, so that memory is bounded by the largest device and not by the text; an
 * empty object takes it 80 times the room that it has in the text, so they are counted before. It keeps only the last
 * of several members with one name; QEMU writes such for linked lists, which therefore stay octets.
 */
#include <jansson.h>
#include <string.h>

#include "vmstate/match.h"
#include "vmstate/trailer-type.h"
#include "vmstate/trailer.h"

enum { DEVICE_TEXT_MAX = 4 << 20, DEVICE_VALUES_MAX = 1 << 17 /* objects and arrays */, PAGE_SIZE_TEXT_MAX = 64 };

typedef struct Parse {
    Schema *schema;
    const char *text;
    size_t len, pos;
    uint64_t offset;
    char *device;   /* name of the one being read */
    unsigned depth; /* of structs in it */
} Parse;

static void *fail(const Parse *p, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void *fail(const Parse *p, GError **error, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *what = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "JSON description%s%s @0x%" G_GINT64_MODIFIER "x: %s",
                p->device ? ", device " : "", p->device ? p->device : "", p->offset + p->pos, what);
    return NULL;
}

/* --- members of an object --------------------------------------------------------------------------------------- */

/* An integer member between 0 and max; absent gives `otherwise`, or fails if that is -1. */
static bool get_integer(Parse *p, json_t *object, const char *key, int64_t max, int64_t otherwise, int64_t *value,
                        GError **error)
{
    json_t *member = json_object_get(object, key);

    *value = otherwise;
    if (!member && otherwise >= 0)
        return true;
    if (!json_is_integer(member))
        return fail(p, error, "\"%s\" is missing or not an integer", key);
    *value = json_integer_value(member);
    if (*value < 0 || *value > max)
        return fail(p, error, "\"%s\" is %" G_GINT64_FORMAT ", not between 0 and %" G_GINT64_FORMAT, key, *value, max);
    return true;
}

static const char *get_string(Parse *p, json_t *object, const char *key, GError **error)
{
    json_t *member = json_object_get(object, key);
    const char *text = json_string_value(member);

    if (!text)
        return fail(p, error, "\"%s\" is missing or not a string", key);
    if (!bytes_are_printable(text, json_string_length(member)))
        return fail(p, error, "\"%s\" has control characters in it", key);
    return text;
}

/* --- types ------------------------------------------------------------------------------------------------------ */

static const VMStateDescription *read_struct(Parse *p, json_t *object, GError **error);

/* One field. For an element of an array, *index is its number, otherwise -1. */
static bool read_field(Parse *p, json_t *object, VMStateField *f, int64_t *index, GError **error)
{
    int64_t size, count;
    const char *type = get_string(p, object, "type", error);

    *f = (VMStateField){.count = 1};
    *index = -1;
    if (!type || !(f->name = get_string(p, object, "name", error)) ||
        !get_integer(p, object, "size", VMS_STATE_MAX, -1, &size, error))
        return false;
    if (json_object_get(object, "array_len")) {
        if (!get_integer(p, object, "array_len", VMS_COUNT_MAX, -1, &count, error))
            return false;
        f->array = true;
        f->count = (size_t)count;
    } else if (json_object_get(object, "index") && !get_integer(p, object, "index", VMS_COUNT_MAX, -1, index, error)) {
        return false;
    }
    json_t *nested = json_object_get(object, "struct");
    if (!nested && strcmp(type, "tmp") == 0 && json_object_get(object, "fields")) {
        nested = object;
        f->flags |= VMS_INLINE;
    }
    if (!nested) {
        trailer_type_read(type, (size_t)size, f);
        return true;
    }
    f->kind = VMS_STRUCT;
    f->desc = read_struct(p, nested, error);
    return f->desc;
}

/* Fields that came one by one are elements of one array: can `next` follow those collected in `array`? */
static bool joins(Parse *p, VMStateField *array, const VMStateField *next, int64_t index)
{
    if (!array->name || strcmp(array->name, next->name) || index != (int64_t)array->count ||
        array->kind != next->kind || array->scalar != next->scalar || g_strcmp0(array->type, next->type) ||
        vms_is_array(next) || array->kind == VMS_BITMAP || ((array->flags ^ next->flags) & VMS_INLINE))
        return false;
    if (array->kind != VMS_STRUCT)
        return array->size == next->size;
    const VMStateDescription *merged = schema_merge(p->schema, array->desc, next->desc);
    if (merged)
        array->desc = merged;
    return merged;
}

/* Appends what was collected; elements that could not be joined to all before them stay fields with an index. */
static void flush(TypeBuilder *b, VMStateField *array)
{
    if (array->name)
        type_builder_field(b, array);
    array->name = NULL;
}

static bool read_fields(Parse *p, json_t *list, TypeBuilder *b, GError **error)
{
    VMStateField array = {.name = NULL}; /* elements collected so far */
    json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        VMStateField f;
        int64_t index;
        if (!read_field(p, item, &f, &index, error))
            return false;
        if (index > 0 && joins(p, &array, &f, index)) {
            array.count++;
            continue;
        }
        flush(b, &array);
        if (index == 0 && f.kind != VMS_BITMAP && !vms_is_array(&f)) {
            array = f;
            array.array = true;
            array.flags |= VMS_LISTED;
            continue;
        }
        f.index = (int)(index + 1);
        type_builder_field(b, &f);
    }
    flush(b, &array);
    return true;
}

/* An object with vmsd_name, version, fields and perhaps subsections. */
static const VMStateDescription *read_struct(Parse *p, json_t *object, GError **error)
{
    const char *name = get_string(p, object, "vmsd_name", error);
    json_t *fields = json_object_get(object, "fields"), *subsections = json_object_get(object, "subsections"), *item;
    const VMStateDescription *desc = NULL;
    GError *wrong = NULL;
    int64_t version;
    size_t i;

    if (!name || !get_integer(p, object, "version", G_MAXINT32, -1, &version, error))
        return NULL;
    if (!json_is_array(fields) || (subsections && !json_is_array(subsections)))
        return fail(p, error, "\"fields\" or \"subsections\" of %s is not an array", name);
    if (++p->depth > VMS_DEPTH_MAX)
        return fail(p, error, "structs are nested deeper than %d", VMS_DEPTH_MAX);
    TypeBuilder *b = type_builder_new(p->schema, name, (int)version, -1);
    bool ok = read_fields(p, fields, b, error);
    json_array_foreach (subsections, i, item) {
        const VMStateDescription *sub = ok ? read_struct(p, item, error) : NULL;
        ok = sub;
        if (!ok)
            break;
        type_builder_subsection(b, sub, 0);
    }
    if (ok)
        desc = type_builder_finish(b, &wrong);
    else
        type_builder_free(b);
    if (wrong)
        g_propagate_prefixed_error(error, wrong, "JSON description, device %s @0x%" G_GINT64_MODIFIER "x: ", p->device,
                                   p->offset + p->pos);
    p->depth--;
    return desc;
}

/* --- devices ---------------------------------------------------------------------------------------------------- */

static bool read_device(Parse *p, json_t *object, GError **error)
{
    SchemaSection section = {.octets = -1};
    int64_t instance, size;

    section.name = get_string(p, object, "name", error);
    if (!section.name || !get_integer(p, object, "instance_id", G_MAXUINT32, -1, &instance, error))
        return false;
    if (strlen(section.name) == 0 || strlen(section.name) > VMS_NAME_MAX)
        return fail(p, error, "a device's name has no or more than 255 octets");
    g_free(p->device);
    p->device = g_strdup(section.name);
    section.instance = (uint32_t)instance;
    if (json_object_get(object, "vmsd_name")) {
        section.desc = read_struct(p, object, error);
        if (!section.desc)
            return false;
        section.version = section.desc->version;
    } else {
        if (!get_integer(p, object, "size", VMS_STATE_MAX, -1, &size, error))
            return false;
        section.octets = size;
    }
    if (!schema_add_section(p->schema, &section, error))
        return false;
    g_clear_pointer(&p->device, g_free);
    return true;
}

static void skip_blanks(Parse *p)
{
    while (p->pos < p->len && strchr(" \t\r\n", p->text[p->pos]) && p->text[p->pos])
        p->pos++;
}

/* Is this what comes next? Then it is taken. */
static bool take(Parse *p, const char *token)
{
    size_t n = strlen(token);

    skip_blanks(p);
    if (p->len - p->pos < n || memcmp(p->text + p->pos, token, n) != 0)
        return false;
    p->pos += n;
    return true;
}

/* Where the object at `text` ends, or `len` if it does not; *values: how many objects and arrays are in it. */
static size_t measure_object(const char *text, size_t len, size_t *values)
{
    size_t depth = 0;
    bool quoted = false;

    *values = 0;
    for (size_t i = 0; i < len; i++) {
        if (quoted && text[i] == '\\') {
            i++;
        } else if (text[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && (text[i] == '{' || text[i] == '[')) {
            ++*values;
            depth++;
        } else if (!quoted && (text[i] == '}' || text[i] == ']') && (depth == 0 || --depth == 0)) {
            return i + 1;
        }
    }
    return len;
}

/* The value that comes next; it must end within `window` octets. */
static json_t *take_value(Parse *p, size_t window, GError **error)
{
    json_error_t wrong;
    json_t *value = json_loadb(p->text + p->pos, window, JSON_DISABLE_EOF_CHECK | JSON_DECODE_ANY, &wrong);

    if (!value) {
        p->pos += MIN((size_t)MAX(wrong.position, 0), window);
        return fail(p, error, "%s", wrong.text);
    }
    p->pos += (size_t)wrong.position;
    return value;
}

static json_t *take_device(Parse *p, GError **error)
{
    size_t values;

    skip_blanks(p);
    size_t len = measure_object(p->text + p->pos, MIN(p->len - p->pos, DEVICE_TEXT_MAX + 1), &values);
    if (len > DEVICE_TEXT_MAX)
        return fail(p, error, "a device takes more than %d octets", DEVICE_TEXT_MAX);
    if (values > DEVICE_VALUES_MAX)
        return fail(p, error, "a device has %zu objects and arrays, at most %d are allowed", values, DEVICE_VALUES_MAX);
    return take_value(p, len, error);
}

static bool read_devices(Parse *p, GError **error)
{
    if (!take(p, "["))
        return fail(p, error, "\"devices\" is not an array");
    if (take(p, "]"))
        return true;
    do {
        size_t start = p->pos;
        json_t *device = take_device(p, error);
        size_t end = p->pos;
        p->pos = start; /* what is wrong is wrong with this device */
        bool ok = device && read_device(p, device, error);
        json_decref(device);
        if (!ok)
            return false;
        p->pos = end;
    } while (take(p, ","));
    return take(p, "]") || fail(p, error, "\"devices\" does not end");
}

static bool read_all(Parse *p, GError **error)
{
    json_t *page_size = NULL;

    if (!take(p, "{") || !take(p, "\"page_size\"") || !take(p, ":"))
        return fail(p, error, "it does not start with \"page_size\"");
    page_size = take_value(p, MIN(p->len - p->pos, PAGE_SIZE_TEXT_MAX), error);
    if (!page_size)
        return false;
    bool ok = json_integer_value(page_size) == 4096;
    json_decref(page_size);
    if (!ok)
        return fail(p, error, "\"page_size\" is not 4096");
    if (!take(p, ",") || !take(p, "\"devices\"") || !take(p, ":"))
        return fail(p, error, "\"devices\" is missing");
    if (!read_devices(p, error))
        return false;
    if (!take(p, "}"))
        return fail(p, error, "it does not end after \"devices\"");
    skip_blanks(p);
    return p->pos == p->len || fail(p, error, "there is more after its end");
}

bool trailer_parse(Schema *schema, const char *text, size_t len, uint64_t offset, GError **error)
{
    Parse p = {.schema = schema, .text = text, .len = len, .offset = offset};
    bool ok = len <= TRAILER_MAX ? read_all(&p, error) : (bool)fail(&p, error, "it is longer than 32 MiB");

    g_free(p.device);
    return ok;
}
