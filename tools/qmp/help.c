/* help.c: what a command takes and gives, by the peer's schema. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tools/qmp/keys.h"
#include "tools/qmp/qmp.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static bool is_deprecated(const json_t *description)
{
    const json_t *features = json_object_get(description, "features");

    for (size_t i = 0; i < json_array_size(features); i++)
        if (g_strcmp0(json_string_value(json_array_get(features, i)), "deprecated") == 0)
            return true;
    return false;
}

static void show_members(const Live *live, const json_t *type, const Keys *keys)
{
    const char *tag = live_tag(type);
    const Keys *tagged = tag ? keys_find(keys, tag) : NULL;
    const char *value = tagged && tagged->texts->len ? g_ptr_array_index(tagged->texts, 0) : NULL;
    g_autoptr(GPtrArray) members = live_members(live, type, value);

    for (guint i = 0; i < members->len; i++) {
        const json_t *member = g_ptr_array_index(members, i);
        g_autofree char *what = live_type_text(live, live_type_of(live, member, "type"));
        g_autofree char *name = g_strdup_printf(live_is_optional(member) ? "[%s]" : "%s", text_of(member, "name"));
        printf("    %-24s %s%s\n", name, what, is_deprecated(member) ? " (deprecated)" : "");
    }
    if (tag && !value)
        printf("    and more, by %s: help ... %s=VALUE\n", tag, tag);
}

static void show_command(const Live *live, const json_t *command, const Keys *keys)
{
    const json_t *arguments = live_type_of(live, command, "arg-type");
    const json_t *result = live_type_of(live, command, "ret-type");
    bool has_arguments = json_array_size(json_object_get(arguments, "members")) > 0;
    g_autofree char *what = live_type_text(live, result);

    printf("%s%s%s\n", text_of(command, "name"), is_deprecated(command) ? " (deprecated)" : "",
           json_is_true(json_object_get(command, "allow-oob")) ? " (may be executed out of band)" : "");
    puts(has_arguments ? "  takes" : "  takes nothing");
    if (has_arguments)
        show_members(live, arguments, keys);
    if (live_kind(result) == LIVE_OBJECT && !json_array_size(json_object_get(result, "members"))) {
        puts("  gives nothing");
    } else if (live_kind(result) == LIVE_OBJECT) {
        puts("  gives");
        show_members(live, result, NULL);
    } else {
        printf("  gives %s\n", what);
    }
}

static void show_commands(const Live *live)
{
    g_autoptr(GPtrArray) names = live_names(live, "command");

    for (guint i = 0; i < names->len; i++)
        puts(g_ptr_array_index(names, i));
}

int help_show(Qmp *qmp, char *const *words)
{
    const Live *live = qmp_live(qmp);

    if (!live)
        return qmp_fail(
            g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_UNSUPPORTED, "the peer does not say what its commands are"));
    if (!words[0]) {
        show_commands(live);
        return 0;
    }
    const json_t *command = live_command(live, words[0]);
    if (!command)
        return qmp_fail(
            g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_COMMAND_NOT_FOUND, "The command %s has not been found", words[0]));
    g_autoptr(Keys) keys = keys_parse(words + 1, true, NULL);
    show_command(live, command, keys);
    fflush(stdout);
    return 0;
}
