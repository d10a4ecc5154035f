/*
 * html.c: writes qmp-reference.html: the manual as one page that needs no other.
 */
#include <string.h>

#include "tools/qapi-gen/emit.h"
#include "tools/qapi-gen/text.h"

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>QMP reference</title>\n<style>\n"
    ":root { color-scheme: light dark; --line: #8884; --soft: #8881; --name: light-dark(#0b57a4, #8ab4f8); }\n"
    "body { margin: 0; font: 16px/1.5 system-ui, sans-serif; }\n"
    "nav { position: fixed; inset: 0 auto 0 0; width: 17rem; overflow: auto; padding: 1rem; box-sizing: border-box;\n"
    "      border-right: 1px solid var(--line); font-size: 14px; }\n"
    "nav ul { list-style: none; margin: 0 0 .5rem; padding: 0 0 0 .75rem; }\n"
    "main { margin-left: 17rem; padding: 1rem 2rem 6rem; max-width: 52rem; }\n"
    "a { color: var(--name); text-decoration: none; }\na:hover { text-decoration: underline; }\n"
    "code, pre { font: 14px/1.45 ui-monospace, monospace; }\n"
    "pre { padding: .6rem .8rem; overflow: auto; background: var(--soft); border-radius: 4px; }\n"
    "h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }\n"
    "section { margin-top: 2.2rem; }\nsection > h4 { margin: 0; font: 600 17px ui-monospace, monospace; }\n"
    "h4 .kind, dt .type, .since { font-weight: normal; font-size: 13px; opacity: .75; }\n"
    "h5 { margin: .8rem 0 .2rem; font-size: 14px; }\n"
    "dl { margin: .3rem 0; padding-left: .8rem; border-left: 3px solid var(--line); }\n"
    "dt { font: 14px ui-monospace, monospace; margin-top: .4rem; }\ndd { margin: 0 0 0 1.2rem; }\ndd p { margin: .2rem 0; }\n"
    "@media (max-width: 50rem) { nav { position: static; width: auto; max-height: 40vh; } main { margin: 0; padding: 1rem; } }\n"
    "</style>\n</head>\n<body>\n";

static void put_text(Out *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '<':
            emit(out, "&lt;");
            break;
        case '>':
            emit(out, "&gt;");
            break;
        case '&':
            emit(out, "&amp;");
            break;
        case '"':
            emit(out, "&quot;");
            break;
        default:
            g_string_append_c(out->text, text[i]);
        }
    }
}

/* A name, with a link if something is defined by it. */
static void put_name(Out *out, const char *text, size_t length)
{
    const char *name = arena_text(out->arena, text, length);
    const Definition *d = g_hash_table_lookup(out->schema->by_name, name);
    bool link = d && d->kind != KIND_BUILTIN && !d->implicit;

    emit(out, link ? "<a href=\"#%s\"><code>" : "<code>", name);
    put_text(out, text, length);
    emit(out, link ? "</code></a>" : "</code>");
}

static void put_line(Out *out, const char *text)
{
    Span span;

    while (text_next(&text, &span)) {
        if (span.kind == SPAN_NAME) {
            put_name(out, span.text, span.length);
            continue;
        }
        emit(out, span.kind == SPAN_LITERAL ? "<code>" : span.kind == SPAN_EMPHASIS ? "<em>" : "");
        put_text(out, span.text, span.length);
        emit(out, span.kind == SPAN_LITERAL ? "</code>" : span.kind == SPAN_EMPHASIS ? "</em>" : "");
    }
}

/* What a title is linked by. */
static const char *title_id(const Out *out, const char *title)
{
    GString *id = g_string_new("part-");

    for (; *title; title++)
        g_string_append_c(id, g_ascii_isalnum(*title) ? g_ascii_tolower(*title) : '-');
    return arena_take(out->arena, g_string_free(id, FALSE));
}

static void put_block(Out *out, const Block *block)
{
    static const char *const tags[] = {"p", "li", "li", "pre", "h2", "h3"};

    if (block->kind >= BLOCK_TITLE)
        emit(out, "<%s id=\"%s\">", tags[block->kind], title_id(out, block->text));
    else
        emit(out, "<%s>", tags[block->kind]);
    if (block->kind == BLOCK_VERBATIM)
        put_text(out, block->text, strlen(block->text));
    else
        put_line(out, block->text);
    emit(out, "</%s>\n", tags[block->kind]);
}

static void put_blocks(Out *out, const GPtrArray *blocks)
{
    static const char *const lists[] = {[BLOCK_BULLET] = "ul", [BLOCK_NUMBER] = "ol"};
    const char *list = NULL;

    for (unsigned i = 0; i < blocks->len; i++) {
        const Block *block = g_ptr_array_index(blocks, i);
        const char *now = block->kind == BLOCK_BULLET || block->kind == BLOCK_NUMBER ? lists[block->kind] : NULL;
        if (list && list != now)
            emit(out, "</%s>\n", list);
        if (now && list != now)
            emit(out, "<%s>\n", now);
        list = now;
        put_block(out, block);
    }
    if (list)
        emit(out, "</%s>\n", list);
}

static void put_doc(Out *out, const char *text)
{
    put_blocks(out, text_blocks(out->arena, text));
}

static void put_type(Out *out, const TypeRef *ref)
{
    emit(out, ref->list ? "[" : "");
    put_name(out, ref->name, strlen(ref->name));
    emit(out, ref->list ? "]" : "");
}

/* ", WORDS", without the comma if nothing is before it. */
static void put_note(Out *out, bool *first, const char *words)
{
    emit(out, "%s%s", *first ? "" : ", ", words);
    *first = false;
}

static void put_member(Out *out, const Member *member)
{
    bool first = !member->ref.name;

    emit(out, "<dt>");
    put_text(out, member->name, strlen(member->name));
    emit(out, " <span class=\"type\">");
    if (member->ref.name)
        put_type(out, &member->ref);
    if (member->optional)
        put_note(out, &first, "optional");
    if (member->cond)
        put_note(out, &first, arena_print(out->arena, "if %s", member->cond->text));
    for (unsigned i = 0; i < member->features->len; i++)
        put_note(out, &first, ((const Feature *)g_ptr_array_index(member->features, i))->name);
    emit(out, "</span></dt>\n<dd>");
    put_doc(out, member->about);
    emit(out, "</dd>\n");
}

static void put_members(Out *out, const char *title, const GPtrArray *members)
{
    if (members->len == 0)
        return;
    emit(out, "<h5>%s</h5>\n<dl>\n", title);
    for (unsigned i = 0; i < members->len; i++)
        put_member(out, member_at(members, i));
    emit(out, "</dl>\n");
}

static void put_features(Out *out, const Doc *doc)
{
    if (!doc || doc->features->len == 0)
        return;
    emit(out, "<h5>Features</h5>\n<dl>\n");
    for (unsigned i = 0; i < doc->features->len; i++) {
        const DocSection *feature = g_ptr_array_index(doc->features, i);
        emit(out, "<dt>%s</dt>\n<dd>", feature->name);
        put_doc(out, feature->text);
        emit(out, "</dd>\n");
    }
    emit(out, "</dl>\n");
}

static void put_sections(Out *out, const Doc *doc)
{
    for (unsigned i = 0; doc && i < doc->sections->len; i++) {
        const DocSection *section = g_ptr_array_index(doc->sections, i);
        if (strcmp(section->name, "Since") == 0) {
            emit(out, "<p class=\"since\">Since ");
            put_text(out, section->text, strlen(section->text));
            emit(out, "</p>\n");
            continue;
        }
        if (section->name[0])
            emit(out, "<h5>%s</h5>\n", section->name);
        bool example = g_str_has_prefix(section->name, "Example");
        put_blocks(out, example ? text_verbatim(out->arena, section->text) : text_blocks(out->arena, section->text));
    }
}

/* "Label: TYPE" */
static void put_ref(Out *out, const char *label, const TypeRef *ref)
{
    if (!ref->name)
        return;
    emit(out, "<h5>%s</h5>\n<p>", label);
    put_type(out, ref);
    emit(out, "</p>\n");
}

static void put_flags(Out *out, const Definition *d)
{
    if (d->allow_oob)
        emit(out, "<p>It may be executed out of band.</p>\n");
    if (d->allow_preconfig)
        emit(out, "<p>It may be executed before the machine is made.</p>\n");
    if (d->no_reply)
        emit(out, "<p>It does not reply if it succeeds.</p>\n");
    if (d->cond)
        emit(out, "<p>Only if %s.</p>\n", d->cond->text);
}

static void put_definition(Out *out, const Definition *d)
{
    const char *title = d->kind == KIND_ENUM        ? "Values"
                        : d->kind == KIND_COMMAND   ? "Arguments"
                        : d->kind == KIND_EVENT     ? "Data"
                        : d->kind == KIND_ALTERNATE ? "One of"
                                                    : "Members";

    emit(out, "<section id=\"%s\">\n<h4><a href=\"#%s\">%s</a> <span class=\"kind\">%s</span></h4>\n", d->name, d->name,
         d->name, kind_name(d->kind));
    put_doc(out, d->doc ? d->doc->body : "");
    put_ref(out, "All of", &d->base);
    put_members(out, title, d->members);
    put_ref(out, title, &d->data);
    if (d->kind == KIND_UNION)
        put_members(out, arena_print(out->arena, "And, depending on <code>%s</code>", d->tag_name), d->branches);
    put_features(out, d->doc);
    put_ref(out, "Result", &d->returns);
    put_sections(out, d->doc);
    put_flags(out, d);
    emit(out, "</section>\n");
}

/* Titles and definitions, in their order. */
static void put_contents(Out *out)
{
    bool open = false;

    emit(out, "<nav>\n<strong>QMP reference</strong>\n");
    for (unsigned i = 0; i < out->schema->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(out->schema->entries, i);
        const GPtrArray *blocks = entry->definition ? NULL : text_blocks(out->arena, entry->doc->body);
        for (unsigned b = 0; blocks && b < blocks->len; b++) {
            const Block *block = g_ptr_array_index(blocks, b);
            if (block->kind < BLOCK_TITLE)
                continue;
            emit(out, "%s<p><a href=\"#%s\">%s", open ? "</ul>\n" : "", title_id(out, block->text),
                 block->kind == BLOCK_TITLE ? "<b>" : "");
            put_text(out, block->text, strlen(block->text));
            emit(out, "%s</a></p>\n", block->kind == BLOCK_TITLE ? "</b>" : "");
            open = false;
        }
        if (!entry->definition)
            continue;
        emit(out, "%s<li><a href=\"#%s\">%s</a></li>\n", open ? "" : "<ul>\n", entry->definition->name,
             entry->definition->name);
        open = true;
    }
    emit(out, "%s</nav>\n", open ? "</ul>\n" : "");
}

static void put_builtins(Out *out)
{
    emit(out, "<h2 id=\"part-types-of-the-language\">Types of the language</h2>\n<dl>\n");
    for (unsigned i = 0; i < out->schema->types->len; i++) {
        const Definition *d = definition_at(out->schema->types, i);
        if (d->kind == KIND_BUILTIN)
            emit(out, "<dt>%s</dt>\n<dd>%s</dd>\n", d->name, d->builtin->about);
    }
    emit(out, "</dl>\n");
}

void generate_html(Out *out)
{
    emit(out, "%s", head);
    put_contents(out);
    emit(out, "<main>\n<h1>QMP reference</h1>\n");
    for (unsigned i = 0; i < out->schema->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(out->schema->entries, i);
        if (entry->definition)
            put_definition(out, entry->definition);
        else
            put_doc(out, entry->doc->body);
    }
    put_builtins(out);
    emit(out, "</main>\n</body>\n</html>\n");
}
