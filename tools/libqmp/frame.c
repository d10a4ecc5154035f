/* frame.c: cuts what a peer sends into JSON values. */
#include "tools/libqmp/frame.h"

#include <jansson.h>
#include <string.h>

#include "tools/libqmp/libqmp.h"

enum {
    ROOM_LEAST = 16 << 10,
    ROOM_KEPT = 1 << 20, /* more than that is given back */
    INT64_DIGITS = 19,
    SHOWN = 40, /* octets of garbage in a message */
};

void frame_init(Frame *frame, size_t size_max, unsigned depth_max)
{
    *frame = (Frame){.size_max = size_max, .depth_max = depth_max};
}

void frame_done(Frame *frame)
{
    g_free(frame->data);
    *frame = (Frame){.size_max = frame->size_max, .depth_max = frame->depth_max};
}

void *frame_room(Frame *frame, size_t *size)
{
    if (frame->start == frame->end && frame->capacity > ROOM_KEPT)
        frame_done(frame);
    if (frame->start && (frame->start == frame->end || frame->capacity - frame->end < ROOM_LEAST)) {
        memmove(frame->data, frame->data + frame->start, frame->end - frame->start);
        frame->end -= frame->start;
        frame->scanned -= frame->start;
        frame->start = 0;
    }
    if (frame->capacity - frame->end < ROOM_LEAST) {
        frame->capacity = MAX(frame->capacity * 2, (size_t)4 * ROOM_LEAST);
        frame->data = g_realloc(frame->data, frame->capacity);
    }
    *size = frame->capacity - frame->end;
    return frame->data + frame->end;
}

void frame_added(Frame *frame, size_t size)
{
    frame->end += size;
}

const char *frame_text(const Frame *frame, size_t *size)
{
    *size = frame->taken;
    return frame->data + frame->start - frame->taken;
}

size_t frame_pending(const Frame *frame)
{
    return frame->end - frame->start;
}

/* Octets of a peer, for a message. New. */
static char *shown(const char *data, size_t size)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < MIN(size, SHOWN); i++) {
        if (data[i] == '\n')
            break;
        if (g_ascii_isprint(data[i]))
            g_string_append_c(text, data[i]);
        else
            g_string_append_printf(text, "\\x%02x", (unsigned char)data[i]);
    }
    return g_string_free(text, FALSE);
}

static bool fail_garbage(const Frame *frame, const char *what, GError **error)
{
    g_autofree char *text = shown(frame->data + frame->start, frame->end - frame->start);

    g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_PROTOCOL, "the peer does not speak QMP: %s: %s", what, text);
    return false;
}

/* A number that jansson has no integer for becomes a string: so many octets from `at` on are it. */
static bool is_too_large(const char *at, size_t size)
{
    g_autofree char *digits = g_strndup(at, size);

    errno = 0;
    (void)strtoll(digits, NULL, 10);
    return errno == ERANGE;
}

static bool is_of_number(char c)
{
    return g_ascii_isdigit(c) || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* The text, with quotes around such numbers. New. */
static GString *quote_numbers(const char *data, size_t size)
{
    GString *text = g_string_sized_new(size + 64);
    bool in_string = false;
    size_t run = 0;

    for (size_t i = 0; i < size; i += run) {
        run = 1;
        if (in_string || !is_of_number(data[i])) {
            if (in_string && data[i] == '\\' && i + 1 < size)
                run = 2;
            in_string ^= data[i] == '"';
            g_string_append_len(text, data + i, (gssize)run);
            continue;
        }
        while (i + run < size && is_of_number(data[i + run]))
            run++;
        bool quoted = strspn(data + i, "-0123456789") >= run && is_too_large(data + i, run);
        g_string_append_printf(text, quoted ? "\"%.*s\"" : "%.*s", (int)run, data + i);
    }
    return text;
}

static json_t *parse(const char *data, size_t size, json_error_t *why)
{
    return json_loadb(data, size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, why);
}

/* The value from `start` on to what was scanned. */
static json_t *take_value(Frame *frame, GError **error)
{
    const char *data = frame->data + frame->start;
    size_t size = frame->scanned - frame->start;
    g_autoptr(GString) quoted = frame->long_number ? quote_numbers(data, size) : NULL;
    json_error_t why;
    json_t *value = quoted ? parse(quoted->str, quoted->len, &why) : parse(data, size, &why);

    if (!value) {
        g_autofree char *text = g_utf8_make_valid(why.text, -1);
        fail_garbage(frame, text, error);
    }
    frame->start = frame->scanned;
    frame->taken = size;
    frame->long_number = false;
    return value;
}

static void scan_in_string(Frame *frame, char c)
{
    if (frame->escaped)
        frame->escaped = false;
    else if (c == '\\')
        frame->escaped = true;
    else if (c == '"')
        frame->in_string = false;
}

static void scan_outside(Frame *frame, char c)
{
    if (g_ascii_isdigit(c)) {
        frame->long_number |= ++frame->digits >= INT64_DIGITS;
        return;
    }
    frame->digits = 0;
    if (c == '"')
        frame->in_string = true;
    else if (c == '{' || c == '[')
        frame->depth++;
    else if (c == '}' || c == ']')
        frame->depth--;
}

static bool check_limits(const Frame *frame, GError **error)
{
    if (frame->depth > frame->depth_max) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_LIMIT, "what the peer sends is nested deeper than %u levels",
                    frame->depth_max);
        return false;
    }
    if (frame->scanned - frame->start > frame->size_max) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_LIMIT, "what the peer sends is larger than %zu octets",
                    frame->size_max);
        return false;
    }
    return true;
}

struct json_t *frame_next(Frame *frame, GError **error)
{
    while (frame->scanned < frame->end) {
        char c = frame->data[frame->scanned];
        if (frame->depth == 0 && strchr(" \t\r\n", c) && c) {
            frame->start = ++frame->scanned;
            continue;
        }
        if (frame->depth == 0 && c != '{') {
            fail_garbage(frame, "a JSON object is expected", error);
            return NULL;
        }
        frame->scanned++;
        if (frame->in_string)
            scan_in_string(frame, c);
        else
            scan_outside(frame, c);
        if (!check_limits(frame, error))
            return NULL;
        if (frame->depth == 0)
            return take_value(frame, error);
    }
    return NULL;
}
