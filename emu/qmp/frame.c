/*
 * frame.c: finds where a value ends; what it is, jansson says.
 *
 * Only brackets, strings and words at the outermost level matter for that. So what is wrong inside of a value is found
 * when it is complete, and the next one is where it should be. A bracket that does not fit, a string with a line's end
 * in it and what is too large are told at once.
 */
#include "emu/qmp/frame.h"

#include <jansson.h>
#include <string.h>

#include "emu/qmp/frame-impl.h"
#include "visitors/error.h"

typedef enum State {
    STATE_BETWEEN,
    STATE_WORD,   /* of the outermost level */
    STATE_INSIDE, /* of brackets */
    STATE_STRING,
    STATE_GARBAGE, /* told already */
} State;

struct QmpFrame {
    QmpFrameLimits limits;
    GByteArray *kept; /* of the value, what came before */
    State state;
    char quote;
    bool escape; /* the next character of a string has no meaning */
    bool other_spelling;
    bool in_word;
    bool discards; /* it is too large, which was told; its end is looked for */
    unsigned depth, digits;
    size_t octets, tokens;                    /* octets: before what is pushed now */
    uint8_t squares[QMP_FRAME_DEPTH_MAX / 8]; /* a bit a level: it is an array */
};

static const QmpFrameLimits qemu_limits = {.octets = 64 << 20, .tokens = 2 << 20, .depth = QMP_FRAME_DEPTH_MAX};

QmpFrame *qmp_frame_new(const QmpFrameLimits *limits)
{
    QmpFrame *f = g_new0(QmpFrame, 1);

    f->limits = limits ? *limits : qemu_limits;
    f->limits.depth = MIN(f->limits.depth, QMP_FRAME_DEPTH_MAX);
    f->kept = g_byte_array_new();
    return f;
}

void qmp_frame_free(QmpFrame *f)
{
    if (!f)
        return;
    g_byte_array_unref(f->kept);
    g_free(f);
}

/* A large value has been; nobody wants to keep its room. */
static void forget(QmpFrame *f)
{
    enum { ROOM_KEPT = 65536 };

    if (f->kept->len > ROOM_KEPT) {
        g_byte_array_unref(f->kept);
        f->kept = g_byte_array_new();
    }
    g_byte_array_set_size(f->kept, 0);
}

static void begin(QmpFrame *f, State state)
{
    f->state = state;
    f->escape = f->other_spelling = f->in_word = f->discards = false;
    f->depth = f->digits = 0;
    f->octets = f->tokens = 0;
}

void qmp_frame_reset(QmpFrame *f)
{
    forget(f);
    begin(f, STATE_BETWEEN);
}

void qmp_input_clear(QmpInput *input)
{
    if (input->json)
        json_decref(input->json);
    g_free(input->id);
    g_clear_error(&input->error);
    *input = (QmpInput){0};
}

/* --- what is complete ------------------------------------------------------------------------------------------- */

static void parse(const QmpFrame *f, const char *text, size_t len, QmpInput *found)
{
    g_autoptr(GArray) places = NULL;
    g_autofree char *spelled = NULL;
    const char *json = text;
    size_t json_len = len;
    json_error_t wrong;

    if (f->other_spelling) {
        places = g_array_new(FALSE, FALSE, sizeof(gint64));
        json = spelled = qmp_spell(text, len, &json_len, places);
    }
    found->json = json_loadb(json, json_len, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &wrong);
    if (!found->json) {
        size_t at = MIN((size_t)wrong.position, json_len);
        g_set_error(&found->error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "JSON parse error at octet %zu: %s",
                    places ? qmp_spelled_at(places, at) : at, wrong.text);
        return;
    }
    json_t *id = json_object_get(found->json, "id");
    if (!id)
        return;
    found->id = qmp_spell_id(text, len);
    if (!found->id) { /* the name is spelled with escapes */
        char *dumped = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
        found->id = g_strdup(dumped);
        free(dumped);
    }
}

/* It is too large: nothing of it is kept, but where it ends matters. */
static void discard(QmpFrame *f, QmpInput *found, const char *what, size_t limit)
{
    g_set_error(&found->error, FERRY_ERROR, FERRY_ERROR_LIMIT, "JSON is too large: more than %zu %s", limit, what);
    forget(f);
    f->discards = true;
}

/* The value ends with these octets. */
static void complete(QmpFrame *f, const char *start, size_t len, QmpInput *found)
{
    if (!f->discards && f->octets + len > f->limits.octets)
        discard(f, found, "octets", f->limits.octets);
    if (!f->discards && f->kept->len == 0) {
        parse(f, start, len, found);
    } else if (!f->discards) {
        g_byte_array_append(f->kept, (const guint8 *)start, (guint)len);
        parse(f, (const char *)f->kept->data, f->kept->len, found);
    }
    qmp_frame_reset(f);
}

static void fail(QmpFrame *f, QmpInput *found, State next, const char *format, ...) G_GNUC_PRINTF(4, 5);

static void fail(QmpFrame *f, QmpInput *found, State next, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *why = g_strdup_vprintf(format, args);
    va_end(args);
    if (!f->discards)
        g_set_error(&found->error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "JSON parse error at %s", why);
    forget(f);
    begin(f, next);
}

/* --- character by character ------------------------------------------------------------------------------------- */

typedef enum Sort {
    SORT_OTHER,
    SORT_SPACE,
    SORT_OPEN,
    SORT_CLOSE,
    SORT_BETWEEN,
    SORT_QUOTE,
    SORT_WORD,
    SORT_STOP
} Sort;

static const uint8_t sorts[256] = {
    [' '] = SORT_SPACE,   ['\t'] = SORT_SPACE,       ['\r'] = SORT_SPACE,       ['\n'] = SORT_SPACE,
    ['{'] = SORT_OPEN,    ['['] = SORT_OPEN,         ['}'] = SORT_CLOSE,        [']'] = SORT_CLOSE,
    [','] = SORT_BETWEEN, [':'] = SORT_BETWEEN,      ['"'] = SORT_QUOTE,        ['\''] = SORT_QUOTE,
    ['-'] = SORT_WORD,    ['+'] = SORT_WORD,         ['.'] = SORT_WORD,         ['_'] = SORT_WORD,
    [0xff] = SORT_STOP,   ['0' ... '9'] = SORT_WORD, ['A' ... 'Z'] = SORT_WORD, ['a' ... 'z'] = SORT_WORD,
};

enum { LONG_NUMBER = 19 /* digits that json_int_t may not hold */ };

/* A string that starts, or a value. */
static void open_string(QmpFrame *f, char quote)
{
    f->state = STATE_STRING;
    f->quote = quote;
    f->escape = false;
    f->other_spelling |= quote == '\'';
    f->tokens++;
}

static void open_bracket(QmpFrame *f, char bracket, QmpInput *found)
{
    f->state = STATE_INSIDE;
    f->tokens++;
    if (f->depth < QMP_FRAME_DEPTH_MAX) {
        uint8_t *bits = &f->squares[f->depth / 8], bit = (uint8_t)(1 << f->depth % 8);
        *bits = bracket == '[' ? *bits | bit : *bits & (uint8_t)~bit;
    }
    f->depth++;
    if (f->depth > f->limits.depth && !f->discards)
        discard(f, found, "levels", f->limits.depth);
}

/* Does it close what is open? Levels that are too many are not known. */
static bool closes(const QmpFrame *f, char bracket)
{
    unsigned level = f->depth - 1;
    bool square = level < QMP_FRAME_DEPTH_MAX && f->squares[level / 8] >> level % 8 & 1;

    return f->discards || square == (bracket == ']');
}

/* Where a string goes on with something that matters. */
static size_t skip_plain(const uint8_t *p, size_t i, size_t len, char quote)
{
    while (i < len && p[i] != (uint8_t)quote && p[i] != '\\' && p[i] != '\n' && p[i] != '\r' && p[i] != 0xff)
        i++;
    return i;
}

/* What came, and how far it was looked at. */
typedef struct Scan {
    const uint8_t *p;
    size_t len, i;
    size_t start; /* of the value, or of its part */
} Scan;

static size_t offset_of(const QmpFrame *f, const Scan *s)
{
    return f->octets + s->i - s->start;
}

/* Each of these takes something from the scan, or changes the state. */
static void scan_string(QmpFrame *f, Scan *s, QmpInput *found)
{
    if (f->escape) {
        f->escape = false;
        f->other_spelling |= s->p[s->i] == '\'';
        if (s->p[s->i] != '\n' && s->p[s->i] != 0xff) {
            s->i++;
            return;
        }
    }
    s->i = skip_plain(s->p, s->i, s->len, f->quote);
    if (s->i == s->len)
        return;
    uint8_t c = s->p[s->i];
    if (c == '\\') {
        f->escape = true;
        s->i++;
    } else if (c == (uint8_t)f->quote) {
        s->i++;
        f->state = STATE_INSIDE;
        if (f->depth == 0)
            complete(f, (const char *)s->p + s->start, s->i - s->start, found);
    } else if (c != 0xff) {
        fail(f, found, STATE_BETWEEN, "octet %zu: a string has the end of a line in it", offset_of(f, s));
        s->i++;
    }
}

static void scan_word(QmpFrame *f, uint8_t c)
{
    f->tokens += !f->in_word;
    f->in_word = true;
    f->digits += g_ascii_isdigit(c);
    f->other_spelling |= f->digits >= LONG_NUMBER;
}

static void scan_inside(QmpFrame *f, Scan *s, QmpInput *found)
{
    uint8_t c = s->p[s->i];
    Sort sort = sorts[c];

    if (sort == SORT_WORD) {
        scan_word(f, c);
        s->i++;
        return;
    }
    f->in_word = false;
    f->digits = 0;
    f->tokens += sort == SORT_BETWEEN || sort == SORT_OTHER;
    if (sort == SORT_QUOTE) {
        open_string(f, (char)c);
    } else if (sort == SORT_OPEN) {
        open_bracket(f, (char)c, found);
    } else if (sort == SORT_CLOSE && !closes(f, (char)c)) {
        fail(f, found, STATE_BETWEEN, "octet %zu: '%c' closes what was opened otherwise", offset_of(f, s), c);
    } else if (sort == SORT_CLOSE && --f->depth == 0) {
        s->i++;
        complete(f, (const char *)s->p + s->start, s->i - s->start, found);
        return;
    }
    s->i++;
}

static void scan_between(QmpFrame *f, Scan *s, QmpInput *found)
{
    uint8_t c = s->p[s->i];

    s->start = s->i;
    switch ((Sort)sorts[c]) {
    case SORT_SPACE:
        break;
    case SORT_OPEN:
        begin(f, STATE_INSIDE);
        open_bracket(f, (char)c, found);
        break;
    case SORT_QUOTE:
        begin(f, STATE_STRING);
        open_string(f, (char)c);
        break;
    case SORT_WORD:
        begin(f, STATE_WORD);
        scan_word(f, c);
        break;
    case SORT_CLOSE:
    case SORT_BETWEEN:
    case SORT_OTHER:
    case SORT_STOP:
        fail(f, found, sorts[c] == SORT_OTHER ? STATE_GARBAGE : STATE_BETWEEN,
             g_ascii_isprint(c) ? "octet 0: no value starts with '%c'" : "octet 0: no value starts with octet 0x%02x",
             c);
        break;
    }
    s->i++;
}

/* A word at the outermost level ends before what is no part of it. */
static void scan_outer_word(QmpFrame *f, Scan *s, QmpInput *found)
{
    if (sorts[s->p[s->i]] == SORT_WORD) {
        scan_word(f, s->p[s->i++]);
        return;
    }
    complete(f, (const char *)s->p + s->start, s->i - s->start, found);
}

/* Up to what may be the start of something better. */
static void scan_garbage(QmpFrame *f, Scan *s)
{
    uint8_t c = s->p[s->i];
    Sort sort = sorts[c];

    if (c < ' ' || sort == SORT_OPEN || sort == SORT_QUOTE || sort == SORT_STOP)
        begin(f, STATE_BETWEEN);
    else
        s->i++;
}

static void scan(QmpFrame *f, Scan *s, QmpInput *found)
{
    if (s->p[s->i] == 0xff && f->state != STATE_BETWEEN && f->state != STATE_GARBAGE) {
        f->discards = false;
        fail(f, found, STATE_BETWEEN, "octet %zu: octet 0xff gives up what was begun", offset_of(f, s));
        s->i++;
        return;
    }
    switch (f->state) {
    case STATE_BETWEEN:
        scan_between(f, s, found);
        break;
    case STATE_WORD:
        scan_outer_word(f, s, found);
        break;
    case STATE_INSIDE:
        scan_inside(f, s, found);
        break;
    case STATE_STRING:
        scan_string(f, s, found);
        break;
    case STATE_GARBAGE:
        scan_garbage(f, s);
        break;
    }
}

/* What a value has so far is kept, unless that is too much. */
static void keep(QmpFrame *f, const Scan *s, QmpInput *found)
{
    if (f->state == STATE_BETWEEN || f->state == STATE_GARBAGE)
        return;
    size_t len = s->len - s->start;
    f->octets += len;
    if (f->discards)
        return;
    if (f->octets > f->limits.octets)
        discard(f, found, "octets", f->limits.octets);
    else
        g_byte_array_append(f->kept, s->p + s->start, (guint)len);
}

size_t qmp_frame_push(QmpFrame *f, const void *data, size_t len, QmpInput *found)
{
    Scan s = {.p = data, .len = len};

    *found = (QmpInput){0};
    while (s.i < s.len && !found->json && !found->error) {
        scan(f, &s, found);
        if (f->tokens > f->limits.tokens && !f->discards)
            discard(f, found, "tokens", f->limits.tokens);
    }
    s.len = s.i;
    keep(f, &s, found);
    return s.i;
}
