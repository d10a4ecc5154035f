/*
 * qapi-gen: makes C, introspection data and manuals from a QAPI schema.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/qapi-gen/emit.h"

static char *read_file(void *context, const char *path, size_t *length, GError **error)
{
    char *text = NULL;

    (void)context;
    if (g_access(path, R_OK) != 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot read '%s': %s", path, g_strerror(errno));
        return NULL;
    }
    return g_file_get_contents(path, &text, length, error) ? text : NULL;
}

/* A file whose text stays the same keeps its time, too. */
static bool write_file(const char *folder, const char *name, const GString *text, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL), *before = NULL;
    size_t length = 0;

    if (g_file_get_contents(path, &before, &length, NULL) && length == text->len &&
        memcmp(before, text->str, length) == 0)
        return true;
    return g_file_set_contents(path, text->str, (gssize)text->len, error);
}

static void free_text(gpointer text)
{
    g_string_free(text, TRUE);
}

/* All is made before anything is written. */
static bool generate(const Schema *schema, const char *folder, GError **error)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(free_text);

    for (size_t i = 0; generated_files[i].name; i++) {
        Out out = {schema, schema->arena, g_string_new(NULL)};
        g_ptr_array_add(texts, out.text);
        generated_files[i].generate(&out);
    }
    if (g_mkdir_with_parents(folder, 0777) != 0) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot make the directory '%s': %s", folder,
                    g_strerror(errno));
        return false;
    }
    for (size_t i = 0; generated_files[i].name; i++) {
        if (!write_file(folder, generated_files[i].name, g_ptr_array_index(texts, i), error))
            return false;
    }
    return true;
}

static int usage(const char *message)
{
    fprintf(stderr, "qapi-gen: %s\nTry 'qapi-gen --help'.\n", message);
    return 2;
}

static bool run(const char *path, const char *folder, GError **error)
{
    g_autoptr(Schema) schema = schema_load(path, read_file, NULL, error);

    return schema && (!folder || generate(schema, folder, error));
}

int main(int argc, char **argv)
{
    g_autofree char *folder = NULL;
    gboolean check = FALSE;
    const GOptionEntry entries[] = {
        {"output", 0, 0, G_OPTION_ARG_FILENAME, &folder, "Write the files into this directory", "DIR"},
        {"check", 0, 0, G_OPTION_ARG_NONE, &check, "Look for what is wrong, and write nothing", NULL},
        G_OPTION_ENTRY_NULL,
    };
    g_autoptr(GOptionContext) context = g_option_context_new("SCHEMA");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_set_summary(context, "Makes C, introspection data and manuals from a QAPI schema.");
    g_option_context_set_description(context, "Exit status: 0 fine, 1 the schema is wrong, 2 wrong usage.\n"
                                              "See tools/qapi-gen/qapi-gen.1.\n");
    if (!g_option_context_parse(context, &argc, &argv, &error))
        return usage(error->message);
    if (argc != 2)
        return usage(argc < 2 ? "which schema?" : "more than one schema");
    if (!check == !folder)
        return usage(folder ? "--check writes nothing: --output has no meaning" : "where to? --output=DIR");
    if (run(argv[1], folder, &error))
        return 0;
    fprintf(stderr, "%s\n", error->message);
    return 1;
}
