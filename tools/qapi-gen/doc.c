/*
 * doc.c: documentation in the schema.
 */
#include <stdint.h>
#include <string.h>

#include "tools/qapi-gen/doc.h"

static const char *const tags[] = {"Returns", "Errors",   "Since",    "Note", "Notes",
                                   "Example", "Examples", "See also", NULL};

typedef struct DocReader {
    Arena *arena;
    Doc *doc;
    Where where;
    GString *text; /* of what is being read */
    DocSection body;
    DocSection *section; /* NULL: a feature must come */
    bool in_features, blank;
    size_t indent; /* of the first line that continues the section; SIZE_MAX: not seen yet */
} DocReader;

DocSection *doc_find(const GPtrArray *sections, const char *name)
{
    for (unsigned i = 0; i < sections->len; i++) {
        DocSection *section = g_ptr_array_index(sections, i);
        if (strcmp(section->name, name) == 0)
            return section;
    }
    return NULL;
}

/* Ends what is being read. */
static void finish(DocReader *r)
{
    g_autofree char *text = g_strdup(r->text->str);

    g_strchomp(text);
    if (r->section)
        r->section->text = arena_print(r->arena, "%s", text + strspn(text, "\n"));
    g_string_truncate(r->text, 0);
    r->indent = SIZE_MAX;
}

static bool begin(DocReader *r, GPtrArray *sections, const char *name, const char *text, GError **error)
{
    const DocSection *before = doc_find(sections, name);
    bool repeats = sections == r->doc->sections && strcmp(name, "Returns") != 0 && strcmp(name, "Since") != 0;

    if (before && !repeats)
        return wrong(error, r->where, "'%s' is documented again: it is already at line %u", name, before->where.line);
    finish(r);
    r->section = ARENA_NEW(r->arena, DocSection);
    r->section->where = r->where;
    r->section->name = name;
    g_ptr_array_add(sections, r->section);
    g_string_append(r->text, text + strspn(text, " "));
    g_string_append_c(r->text, '\n');
    return true;
}

/* "@name: text": the length of the name; 0: it is no such line. */
static size_t name_length(const char *line)
{
    if (line[0] != '@')
        return 0;
    size_t length = strcspn(line + 1, ": \t");
    return line[1 + length] == ':' ? length : 0;
}

static const char *tag_of(const char *line)
{
    for (size_t i = 0; tags[i]; i++) {
        size_t length = strlen(tags[i]);
        if (strncmp(line, tags[i], length) == 0 && line[length] == ':')
            return tags[i];
    }
    return NULL;
}

static bool is_free(const DocSection *section)
{
    return section->name[0] == 0 || g_str_has_prefix(section->name, "Note") ||
           g_str_has_prefix(section->name, "Example");
}

/* A line that continues what is being read, or, after an empty one and without indentation, is about the whole again.
 */
static bool read_text(DocReader *r, const char *line, GError **error)
{
    size_t indent = strspn(line, " ");

    if (!r->section)
        return wrong(error, r->where, "after 'Features:' comes '@NAME: text', not '%s'", line);
    if (indent == 0 && r->blank && r->section != &r->body && !is_free(r->section))
        return begin(r, r->doc->sections, "", line, error);
    if (r->indent == SIZE_MAX)
        r->indent = r->section == &r->body ? 0 : indent;
    g_string_append(r->text, line + MIN(indent, r->indent));
    g_string_append_c(r->text, '\n');
    return true;
}

static bool read_line(DocReader *r, const char *line, GError **error)
{
    size_t length = name_length(line);
    const char *tag = tag_of(line);

    if (line[0] == 0) {
        g_string_append_c(r->text, '\n');
        return true;
    }
    if (length > 0) {
        GPtrArray *sections = r->in_features ? r->doc->features : r->doc->members;
        return begin(r, sections, arena_text(r->arena, line + 1, length), line + length + 2, error);
    }
    if (strcmp(line, "Features:") == 0) {
        if (r->in_features)
            return wrong(error, r->where, "'Features:' is here again");
        r->in_features = true;
        finish(r);
        r->section = NULL;
        return true;
    }
    if (tag)
        return begin(r, r->doc->sections, tag, line + strlen(tag) + 1, error);
    return read_text(r, line, error);
}

/* "@name:" in the first line that is not empty. */
static bool read_symbol(DocReader *r, const char *line, GError **error)
{
    size_t length = name_length(line);

    if (line[0] != '@')
        return true;
    if (length == 0)
        return wrong(error, r->where, "documentation begins with '@NAME:', not with '%s'", line);
    if (line[length + 2] != 0)
        return wrong(error, r->where, "'@%.*s:' is alone on its line, its text begins in the next one", (int)length,
                     line + 1);
    r->doc->symbol = arena_text(r->arena, line + 1, length);
    return true;
}

static bool check_texts(const GPtrArray *sections, const char *mark, GError **error)
{
    for (unsigned i = 0; i < sections->len; i++) {
        const DocSection *section = g_ptr_array_index(sections, i);
        if (section->text[0] == 0)
            return wrong(error, section->where, "'%s%s:' has no text", mark, section->name);
    }
    return true;
}

static bool read_lines(DocReader *r, char **lines, GError **error)
{
    bool first = true;

    for (unsigned i = 0; lines[i]; i++) {
        char *line = lines[i];
        r->where.line = r->doc->where.line + 1 + i;
        g_strchomp(line);
        if (first && line[0]) {
            first = false;
            if (!read_symbol(r, line, error))
                return false;
            if (r->doc->symbol)
                continue;
        }
        if (r->doc->symbol) {
            if (!read_line(r, line, error))
                return false;
            r->blank = line[0] == 0;
        } else {
            g_string_append(r->text, line);
            g_string_append_c(r->text, '\n');
        }
    }
    finish(r);
    r->doc->body = r->body.text;
    return check_texts(r->doc->members, "@", error) && check_texts(r->doc->features, "@", error) &&
           check_texts(r->doc->sections, "", error);
}

Doc *doc_parse(Arena *arena, const char *text, Where where, GError **error)
{
    Doc *doc = ARENA_NEW(arena, Doc);
    g_autoptr(GString) buffer = g_string_new(NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    DocReader r = {.arena = arena, .doc = doc, .where = where, .text = buffer, .indent = SIZE_MAX};

    r.body.text = "";
    r.body.name = "";
    r.section = &r.body;
    doc->where = where;
    doc->members = arena_array(arena);
    doc->features = arena_array(arena);
    doc->sections = arena_array(arena);
    return read_lines(&r, lines, error) ? doc : NULL;
}

const char *doc_summary(Arena *arena, const char *text)
{
    GString *line = g_string_new(NULL);

    for (const char *p = text; *p && !(p[0] == '\n' && (p[1] == '\n' || p[1] == 0)); p++) {
        if (g_ascii_isspace(*p)) {
            if (line->len && line->str[line->len - 1] != ' ')
                g_string_append_c(line, ' ');
        } else if (!(*p == '@' && g_ascii_isalnum(p[1])) && *p != '`') {
            g_string_append_c(line, *p);
        }
    }
    return arena_take(arena, g_string_free(line, FALSE));
}
