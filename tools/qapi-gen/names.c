/*
 * names.c: see names.h.
 */
#include <string.h>

#include "tools/qapi-gen/names.h"

/* Words of C up to C23, and macros that compilers and common headers define in lower case. */
static const char *const taken[] = {
    "alignas",   "alignof",       "asm",      "auto",     "bool",     "break",  "case",     "char",         "const",
    "constexpr", "continue",      "default",  "do",       "double",   "else",   "enum",     "errno",        "extern",
    "false",     "float",         "for",      "goto",     "i386",     "if",     "inline",   "int",          "linux",
    "long",      "nullptr",       "register", "restrict", "return",   "short",  "signed",   "sizeof",       "static",
    "stderr",    "static_assert", "stdin",    "stdout",   "struct",   "switch", "true",     "thread_local", "typedef",
    "typeof",    "typeof_unqual", "union",    "unix",     "unsigned", "void",   "volatile", "while",
};

const char *name_c(Arena *arena, const char *name, bool protect)
{
    g_autofree char *c = g_strdup(name);
    bool prefix = g_ascii_isdigit(name[0]);

    for (char *p = c; *p; p++) {
        if (!g_ascii_isalnum(*p))
            *p = '_';
    }
    for (size_t i = 0; i < G_N_ELEMENTS(taken); i++)
        prefix = prefix || strcmp(c, taken[i]) == 0;
    return arena_print(arena, "%s%s", prefix && protect ? "q_" : "", c);
}

const char *name_upper(Arena *arena, const char *name)
{
    return arena_take(arena, g_ascii_strup(name_c(arena, name, false), -1));
}

const char *name_split(Arena *arena, const char *name)
{
    GString *split = g_string_new(NULL);

    for (size_t i = 0; name[i]; i++) {
        bool upper = g_ascii_isupper(name[i]), after_upper = i > 0 && g_ascii_isupper(name[i - 1]);
        if (upper && i > 0 && g_ascii_isalnum(name[i - 1]) && (!after_upper || g_ascii_islower(name[i + 1])))
            g_string_append_c(split, '_');
        g_string_append_c(split, g_ascii_isalnum(name[i]) ? g_ascii_toupper(name[i]) : '_');
    }
    return arena_take(arena, g_string_free(split, FALSE));
}

const char *name_camel(Arena *arena, const char *name)
{
    GString *camel = g_string_new(NULL);
    bool start = true;

    for (; *name; name++) {
        if (g_ascii_isalnum(*name))
            g_string_append_c(camel, start ? g_ascii_toupper(*name) : g_ascii_tolower(*name));
        start = !g_ascii_isalnum(*name);
    }
    return arena_take(arena, g_string_free(camel, FALSE));
}

/* The name without "__org.example_"; NULL: something is there that is none. */
static const char *skip_vendor(const char *name)
{
    if (name[0] != '_')
        return name;
    if (name[1] != '_' || !g_ascii_isalpha(name[2]))
        return NULL;
    for (name += 2; g_ascii_isalnum(*name) || *name == '.' || *name == '-'; name++)
        continue;
    return *name == '_' ? name + 1 : NULL;
}

static bool is_good(char c, NameStyle style)
{
    switch (style) {
    case NAME_LOWER:
    case NAME_VALUE:
        return g_ascii_islower(c) || g_ascii_isdigit(c) || c == '-';
    case NAME_UNDERSCORE:
        return g_ascii_islower(c) || g_ascii_isdigit(c) || c == '-' || c == '_';
    case NAME_MIXED:
    case NAME_VALUE_MIXED:
        return g_ascii_isalnum(c) || c == '-' || c == '_';
    case NAME_TYPE:
        return g_ascii_isalnum(c);
    case NAME_EVENT:
        return g_ascii_isupper(c) || g_ascii_isdigit(c) || c == '_';
    }
    return false;
}

static const char *const style_faults[] = {
    [NAME_LOWER] = "has lower case letters, digits and '-' only",
    [NAME_UNDERSCORE] = "has lower case letters, digits, '-' and '_' only",
    [NAME_MIXED] = "has letters, digits, '-' and '_' only",
    [NAME_VALUE] = "has lower case letters, digits and '-' only",
    [NAME_VALUE_MIXED] = "has letters, digits, '-' and '_' only",
    [NAME_TYPE] = "has letters and digits only",
    [NAME_EVENT] = "has upper case letters, digits and '_' only",
};

const char *name_fault(const char *name, NameStyle style)
{
    const char *plain = skip_vendor(name);

    if (!plain)
        return "begins with '_', but not with '__DOMAIN_'";
    if (plain[0] == 0)
        return "is not empty";
    if (style == NAME_TYPE && !g_ascii_isupper(plain[0]))
        return "begins with an upper case letter";
    if (style != NAME_VALUE && style != NAME_VALUE_MIXED && !g_ascii_isalpha(plain[0]))
        return "begins with a letter";
    if (style < NAME_TYPE && !g_ascii_isalnum(plain[0]))
        return "begins with a letter or a digit";
    for (const char *p = plain; *p; p++) {
        if (!is_good(*p, style))
            return style_faults[style];
    }
    return g_str_has_prefix(plain, "q_") ? "does not begin with 'q_', which C names have" : NULL;
}
