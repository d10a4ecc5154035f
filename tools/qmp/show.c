/* show.c: results and events on standard output. */
#include "tools/qmp/show.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEP = 2 };

static void put_blanks(int count)
{
    printf("%*s", count, "");
}

/* Text of a peer: lines stay lines, with so many blanks in front of all but the first. */
static void put_text(const char *text, int indent)
{
    const char *end = text + strlen(text);

    while (end > text && strchr("\r\n", end[-1]))
        end--;
    for (; text < end; text = g_utf8_next_char(text)) {
        gunichar c = g_utf8_get_char(text);
        if (c == '\n') {
            putchar('\n');
            put_blanks(indent);
        } else if (c == '\t' || g_unichar_isprint(c)) {
            fwrite(text, 1, (size_t)(g_utf8_next_char(text) - text), stdout);
        } else if (c != '\r') {
            printf("\\u%04x", c);
        }
    }
}

static bool is_plain(const json_t *value)
{
    return !json_object_size(value) && !json_array_size(value);
}

static void put_plain(const json_t *value, int indent)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        put_text(json_string_value(value), indent);
        break;
    case JSON_INTEGER:
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        printf("%.17g", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        fputs(json_is_true(value) ? "true" : "false", stdout);
        break;
    case JSON_NULL:
        fputs("null", stdout);
        break;
    default:
        fputs(json_is_array(value) ? "(none)" : "{}", stdout);
    }
}

static void put_value(const json_t *value, int indent);

static void put_object(const json_t *object, int indent)
{
    bool first = true;
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        if (!first)
            put_blanks(indent);
        first = false;
        put_text(key, indent);
        putchar(':');
        if (is_plain(value)) {
            putchar(' ');
            put_plain(value, indent + STEP);
            putchar('\n');
        } else {
            putchar('\n');
            put_blanks(indent + STEP);
            put_value(value, indent + STEP);
        }
    }
}

static void put_array(const json_t *array, int indent)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        if (i)
            put_blanks(indent);
        fputs("- ", stdout);
        put_value(json_array_get(array, i), indent + STEP);
    }
}

/* Stands where it begins, and ends the line. */
static void put_value(const json_t *value, int indent)
{
    if (is_plain(value)) {
        put_plain(value, indent);
        putchar('\n');
    } else if (json_is_object(value)) {
        put_object(value, indent);
    } else {
        put_array(value, indent);
    }
}

void show_text(const struct json_t *value)
{
    /* an empty object is what commands without a result have; an empty text has no line */
    if (json_is_object(value) && !json_object_size(value))
        return;
    if (!json_is_string(value) || json_string_length(value))
        put_value(value, 0);
    fflush(stdout);
}

void show_json(const struct json_t *value, bool lines)
{
    g_autofree char *text = json_dumps(value, JSON_ENCODE_ANY | (lines ? JSON_INDENT(2) : 0));

    puts(text ? text : "null");
    fflush(stdout);
}

static void show_event_json(const LibqmpEvent *event)
{
    json_t *all = json_pack("{s:s,s:O*}", "event", event->name, "data", event->data);

    if (event->seconds >= 0)
        json_object_set_new(all, "timestamp",
                            json_pack("{s:I,s:I}", "seconds", (json_int_t)event->seconds, "microseconds",
                                      (json_int_t)event->microseconds));
    show_json(all, false);
    json_decref(all);
}

void show_event(const LibqmpEvent *event, bool json)
{
    if (event->dropped)
        fprintf(stderr, "%s: %" PRIu64 " events were dropped\n", g_get_prgname(), event->dropped);
    if (json) {
        show_event_json(event);
        return;
    }
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(event->seconds);
    g_autofree char *when = time && event->seconds >= 0 ? g_date_time_format(time, "%F %T") : g_strdup("-");
    printf("%s.%06d ", when, (int)(event->microseconds % 1000000));
    put_text(event->name, 0);
    putchar('\n');
    if (json_object_size(event->data)) {
        put_blanks(STEP);
        put_value(event->data, STEP);
    }
    fflush(stdout);
}
