/*
 * fuzz-qmp-server.c: what clients of QMP send. The first octet says how it comes, the rest is what comes.
 *
 * However it is cut into pieces, the same requests are found in it. Whatever comes, what is answered is JSON, a value a
 * line, and is an answer or an event; and after an octet 0xff and a line's end the next request is understood.
 */
#include <string.h>

#include "tests/fuzz/support/fuzz.h"
#include "tests/qmp/table.h"

static const char last[] = "\xff\n{'execute':'nothing','id':'after'}";
static const char last_answer[] = "{\"return\": {}, \"id\": \"after\"}";

/* --- requests --------------------------------------------------------------------------------------------------- */

/* What is found, a line each. */
static char *find_all(const uint8_t *data, size_t len, size_t piece)
{
    const QmpFrameLimits limits = {.octets = 4096, .tokens = 256, .depth = 32};
    g_autoptr(QmpFrame) f = qmp_frame_new(&limits);
    GString *all = g_string_new(NULL);

    for (size_t at = 0; at < len;) {
        QmpInput found;
        size_t taken = qmp_frame_push(f, data + at, MIN(piece, len - at), &found);
        fuzz_check((taken || found.json || found.error) && taken <= MIN(piece, len - at),
                   "%zu octets of %zu were taken", taken, MIN(piece, len - at));
        at += taken;
        fuzz_check(!found.json || !found.error, "it is a value and none");
        fuzz_check(!found.id || json_object_get(found.json, "id"), "an id of nothing");
        if (found.error) {
            g_string_append_printf(all, "%s\n", found.error->message);
        } else if (found.json) {
            char *text = json_dumps(found.json, JSON_ENCODE_ANY);
            g_string_append_printf(all, "%s|%s\n", text, found.id ? found.id : "");
            free(text);
        }
        qmp_input_clear(&found);
    }
    return g_string_free(all, FALSE);
}

/* Octets beyond the limit are seen where a piece ends. */
static void judge_frames(const uint8_t *data, size_t len)
{
    if (len > 4096)
        return;
    g_autofree char *whole = find_all(data, len, len + 1), *octets = find_all(data, len, 1),
                    *some = find_all(data, len, 7);

    fuzz_check(strcmp(whole, octets) == 0, "octet by octet it is\n%s and at once\n%s", octets, whole);
    fuzz_check(strcmp(whole, some) == 0, "by seven octets it is\n%s and at once\n%s", some, whole);
}

/* --- a session --------------------------------------------------------------------------------------------------- */

typedef struct Talk {
    GMainContext *context;
    Chardev *line;
    QmpServer *server;
    GString *got;
    unsigned answers;
    bool pretty, done;
} Talk;

static void judge_line(Talk *t, const char *line, size_t len)
{
    json_error_t wrong;
    json_t *value = json_loadb(line, len, JSON_ALLOW_NUL, &wrong);
    static const char *const kinds[] = {"QMP", "return", "error", "event"};
    unsigned count = 0;

    fuzz_check(json_is_object(value) || strstr(wrong.text, "big"), "%.*s: %s", (int)len, line, wrong.text);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        count += json_object_get(value, kinds[i]) != NULL;
    fuzz_check(count == 1 || !value, "%.*s is of %u kinds", (int)len, line, count);
    t->done = len == sizeof last_answer - 1 && memcmp(line, last_answer, len) == 0;
    json_decref(value);
}

static void take(Talk *t)
{
    char data[4096], *end;
    size_t len;

    while ((len = chardev_memory_read(t->line, data, sizeof data)))
        g_string_append_len(t->got, data, (gssize)len);
    while ((end = strstr(t->got->str, "\r\n"))) {
        judge_line(t, t->got->str, (size_t)(end - t->got->str));
        g_string_erase(t->got, 0, end + 2 - t->got->str);
    }
}

static void work(Talk *t)
{
    for (int i = 0; i < 64 && g_main_context_iteration(t->context, FALSE); i++)
        take(t);
    take(t);
}

static void say(Talk *t, const void *data, size_t len, size_t piece)
{
    for (size_t at = 0; at < len; at += piece) {
        chardev_memory_feed(t->line, (const char *)data + at, MIN(piece, len - at));
        work(t);
    }
}

static void judge_session(const uint8_t *data, size_t len, unsigned choice)
{
    static const char plain[] = "{'execute':'qmp_capabilities'}",
                      oob[] = "{'execute':'qmp_capabilities','arguments':{'enable':['oob']}}";
    Talk t = {.context = g_main_context_new(), .got = g_string_new(NULL)};
    const QmpServerConfig config = {
        .table = table, .events = table_events, .event_count = G_N_ELEMENTS(table_events), .context = t.context};
    const ChardevHome home = {.label = "qmp", .context = t.context};

    t.line = chardev_new_memory(&home, &(ChardevMemory){.size = 4096, .patient = true});
    t.server = qmp_server_new(&config);
    qmp_server_add(t.server, &(QmpLine){.chardev = t.line});
    if (choice & 1)
        say(&t, oob, sizeof oob - 1, sizeof oob);
    else if (choice & 2)
        say(&t, plain, sizeof plain - 1, sizeof plain);
    say(&t, data, len, choice & 4 ? 1 + choice / 8 : len + 1);
    if (!(choice & 3))
        say(&t, plain, sizeof plain - 1, sizeof plain);
    say(&t, last, sizeof last - 1, sizeof last);
    for (int i = 0; i < 100000 && !t.done; i++)
        work(&t);
    fuzz_check(t.done || !(choice & 3), "nobody answers any more");
    qmp_server_free(t.server);
    chardev_free(t.line);
    g_main_context_unref(t.context);
    g_string_free(t.got, TRUE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    judge_frames(data + 1, len - 1);
    judge_session(data + 1, len - 1, data[0]);
    return 0;
}
