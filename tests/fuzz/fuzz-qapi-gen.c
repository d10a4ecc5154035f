/*
 * fuzz-qapi-gen.c: schemas in the QAPI language. An input is schema.json; a line "+++ NAME" begins another file.
 *
 * What is wrong is told with a line that is there. What is taken makes the same text each time, in which every #if has
 * its #endif and nothing is left out.
 */
#include <string.h>

#include "tests/fuzz/support/fuzz.h"
#include "tools/qapi-gen/emit.h"

static const char MAIN[] = "schema.json";

typedef struct Input {
    const char *text;
    size_t length;
} Input;

/* Where the next file begins, behind `at`: at its "+++ "; NULL: there is none. */
static const char *next_file(const Input *input, const char *at)
{
    const char *end = input->text + input->length;

    for (; at && at < end; at = memchr(at, '\n', (size_t)(end - at))) {
        at += *at == '\n';
        if (end - at > 4 && memcmp(at, "+++ ", 4) == 0)
            return at;
        if (at == end)
            break;
    }
    return NULL;
}

/* The text of a file; NULL: there is none of that name. */
static const char *find_file(const Input *input, const char *name, size_t *length)
{
    const char *end = input->text + input->length, *start = input->text, *next = next_file(input, start);

    if (strcmp(name, MAIN) == 0) {
        *length = (size_t)((next ? next : end) - start);
        return start;
    }
    for (const char *at = next; at; at = next) {
        const char *line = memchr(at, '\n', (size_t)(end - at));
        next = line ? next_file(input, line) : NULL;
        if (!line || (size_t)(line - at) != strlen(name) + 4 || memcmp(at + 4, name, strlen(name)) != 0)
            continue;
        *length = (size_t)((next ? next : end) - (line + 1));
        return line + 1;
    }
    return NULL;
}

static char *read_file(void *context, const char *path, size_t *length, GError **error)
{
    const char *text = find_file(context, path, length);

    if (!text) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "there is no '%s'", path);
        return NULL;
    }
    char *copy = g_malloc(MAX(*length, 1)); /* of which nothing is behind the text */
    if (*length > 0)
        memcpy(copy, text, *length);
    return copy;
}

/* "FILE:LINE: " of a line that the file has. */
static void check_message(Input *input, const char *message)
{
    const char *colon = strchr(message, ':');
    size_t length = 0, lines = 1;

    fuzz_check(colon, "no place: %s", message);
    g_autofree char *file = g_strndup(message, (size_t)(colon - message));
    const char *text = find_file(input, file, &length);
    fuzz_check(text, "no file: %s", message);
    for (size_t i = 0; i < length; i++)
        lines += text[i] == '\n';
    unsigned long long line = g_ascii_strtoull(colon + 1, NULL, 10);
    fuzz_check(line >= 1 && line <= lines, "no line: %s", message);
}

static unsigned count(const char *text, const char *what)
{
    unsigned n = 0;

    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}

static void check_text(const char *name, const GString *text, bool null)
{
    fuzz_check(text->len > 0 && strlen(text->str) == text->len, "%s has a NUL", name);
    fuzz_check(null || !strstr(text->str, "(null)"), "%s lacks something", name);
    if (g_str_has_suffix(name, ".c"))
        fuzz_check(count(text->str, "\n#if ") == count(text->str, "\n#endif"), "%s has #if without #endif", name);
}

static void check_files(const Schema *schema, bool null)
{
    for (size_t i = 0; generated_files[i].name; i++) {
        g_autoptr(GString) once = g_string_new(NULL);
        g_autoptr(GString) again = g_string_new(NULL);
        Out out = {schema, schema->arena, once};
        generated_files[i].generate(&out);
        check_text(generated_files[i].name, once, null);
        out.text = again;
        generated_files[i].generate(&out);
        fuzz_check(g_string_equal(once, again), "%s is another each time", generated_files[i].name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autoptr(GError) error = NULL;
    Input input = {(const char *)data, len};
    g_autoptr(Schema) schema = schema_load(MAIN, read_file, &input, &error);

    fuzz_check(!schema == !!error, "an error and none");
    if (schema)
        check_files(schema, g_strstr_len(input.text, (gssize)len, "null)") != NULL);
    else
        check_message(&input, error->message);
    return 0;
}
