/*
 * manual.c: writes qmp-reference.7: the manual as a page of mdoc(7).
 */
#include <string.h>

#include "tools/qapi-gen/emit.h"
#include "tools/qapi-gen/text.h"

enum { FILL_COLUMNS = 78 };

/* Text that is filled: each sentence begins a line, and no line is long. */
typedef struct Fill {
    Out *out;
    size_t column;
    bool sentence; /* one has ended */
} Fill;

/* What an argument of a macro would mean is taken from it. */
static const char *quote(Arena *arena, const char *text)
{
    GString *quoted = g_string_new("\\&");

    for (; *text; text++) {
        if (*text == '\\')
            g_string_append(quoted, "\\e");
        else if (*text == '"')
            g_string_append(quoted, "\\(dq");
        else if (*text == ' ')
            g_string_append(quoted, "\\ ");
        else if (*text == '-')
            g_string_append(quoted, "\\-");
        else
            g_string_append_c(quoted, *text);
    }
    return arena_take(arena, g_string_free(quoted, FALSE));
}

/* A title: its words apart, as arguments. */
static const char *quote_words(Arena *arena, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    GString *line = g_string_new(NULL);

    for (unsigned i = 0; words[i]; i++) {
        if (words[i][0])
            g_string_append_printf(line, "%s%s", line->len ? " " : "", quote(arena, words[i]));
    }
    return arena_take(arena, g_string_free(line, FALSE));
}

/* --- filled text ------------------------------------------------------------------------------------------------- */

static bool ends_sentence(const char *word)
{
    size_t length = strlen(word);

    while (length > 0 && strchr("'\")]", word[length - 1]))
        length--;
    return length > 0 && strchr(".!?", word[length - 1]);
}

static void put_word(Fill *f, const char *word)
{
    size_t length = strlen(word);
    bool begin = f->column == 0;

    if (!begin && (f->sentence || f->column + 1 + length > FILL_COLUMNS)) {
        emit(f->out, "\n");
        f->column = 0;
        begin = true;
    }
    emit(f->out, "%s%s%s", begin ? "" : " ", begin && (word[0] == '.' || word[0] == '\'') ? "\\&" : "", word);
    f->column += length + !begin;
    f->sentence = ends_sentence(word);
}

/* The text of a span, with its font; blanks within the font of a name do not matter. */
static void append_span(GString *line, const Span *span)
{
    const char *font = span->kind == SPAN_NAME      ? "\\fI"
                       : span->kind == SPAN_LITERAL ? "\\fB"
                       : span->kind == SPAN_TEXT    ? ""
                                                    : "\\fI";

    g_string_append(line, font);
    for (size_t i = 0; i < span->length; i++) {
        char c = span->text[i];
        if (c == '\\')
            g_string_append(line, "\\e");
        else if (c == '-' && span->kind != SPAN_TEXT)
            g_string_append(line, "\\-");
        else
            g_string_append_c(line, c);
    }
    g_string_append(line, font[0] ? "\\fP" : "");
}

/* A text of one line, filled; ends with a new line. */
static void put_line(Out *out, const char *text)
{
    g_autoptr(GString) line = g_string_new(NULL);
    Fill fill = {.out = out};
    Span span;

    while (text_next(&text, &span))
        append_span(line, &span);
    g_auto(GStrv) words = g_strsplit(line->str, " ", -1);
    for (unsigned i = 0; words[i]; i++) {
        if (words[i][0])
            put_word(&fill, words[i]);
    }
    emit(out, "\n");
}

static void put_verbatim(Out *out, const char *text)
{
    emit(out, ".Bd -literal -offset indent\n");
    for (bool start = true; *text; text++) {
        if (start && (*text == '.' || *text == '\''))
            emit(out, "\\&");
        if (*text == '\\')
            emit(out, "\\e");
        else if (*text == '-')
            emit(out, "\\-");
        else
            g_string_append_c(out->text, *text);
        start = *text == '\n';
    }
    emit(out, "\n.Ed\n");
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

/* What comes first stands without a paragraph before it. */
typedef struct Flow {
    Out *out;
    bool first;
    const char *list; /* the one that is open */
} Flow;

static void end_list(Flow *flow)
{
    if (flow->list)
        emit(flow->out, ".El\n");
    flow->list = NULL;
}

static void put_item(Flow *flow, const Block *block)
{
    const char *list = block->kind == BLOCK_BULLET ? "bullet" : "enum";

    if (flow->list != list) {
        end_list(flow);
        emit(flow->out, ".Bl -%s -compact\n", list);
    }
    flow->list = list;
    emit(flow->out, ".It\n");
    put_line(flow->out, block->text);
}

static void put_block(Flow *flow, const Block *block)
{
    Out *out = flow->out;

    if (block->kind == BLOCK_BULLET || block->kind == BLOCK_NUMBER) {
        put_item(flow, block);
        flow->first = false;
        return;
    }
    end_list(flow);
    if (block->kind >= BLOCK_TITLE) {
        emit(out, ".Sh %s\n", quote_words(out->arena, block->text));
        flow->first = true;
        return;
    }
    if (block->kind == BLOCK_VERBATIM) {
        put_verbatim(out, block->text);
    } else {
        emit(out, flow->first ? "" : ".Pp\n");
        put_line(out, block->text);
    }
    flow->first = false;
}

static void put_blocks(Out *out, const GPtrArray *blocks, bool first)
{
    Flow flow = {.out = out, .first = first};

    for (unsigned i = 0; i < blocks->len; i++)
        put_block(&flow, g_ptr_array_index(blocks, i));
    end_list(&flow);
}

static void put_doc(Out *out, const char *text, bool first)
{
    put_blocks(out, text_blocks(out->arena, text), first);
}

/* --- definitions ------------------------------------------------------------------------------------------------- */

static void put_member(Out *out, const Member *member)
{
    g_autoptr(GString) notes = g_string_new(member->ref.name ? type_text(out->arena, &member->ref) : "");

    g_string_append(notes, member->optional ? ", optional" : "");
    if (member->cond)
        g_string_append_printf(notes, "%sif %s", notes->len ? ", " : "", member->cond->text);
    for (unsigned i = 0; i < member->features->len; i++)
        g_string_append_printf(notes, "%s%s", notes->len ? ", " : "",
                               ((const Feature *)g_ptr_array_index(member->features, i))->name);
    emit(out, ".It Cm %s", quote(out->arena, member->name));
    if (notes->len)
        emit(out, " Pq %s", quote_words(out->arena, notes->str));
    emit(out, "\n");
    if (member->about[0])
        put_doc(out, member->about, true);
}

static void put_label(Out *out, const char *label)
{
    emit(out, ".Pp\n%s:\n", label);
}

static void put_members(Out *out, const char *label, const GPtrArray *members)
{
    if (members->len == 0)
        return;
    put_label(out, label);
    emit(out, ".Bl -tag -width Ds -compact\n");
    for (unsigned i = 0; i < members->len; i++)
        put_member(out, member_at(members, i));
    emit(out, ".El\n");
}

static void put_ref(Out *out, const char *label, const TypeRef *ref)
{
    if (ref->name)
        emit(out, ".Pp\n%s:\n.Vt %s\n", label, quote(out->arena, type_text(out->arena, ref)));
}

static void put_features(Out *out, const Doc *doc)
{
    if (!doc || doc->features->len == 0)
        return;
    put_label(out, "Features");
    emit(out, ".Bl -tag -width Ds -compact\n");
    for (unsigned i = 0; i < doc->features->len; i++) {
        const DocSection *feature = g_ptr_array_index(doc->features, i);
        emit(out, ".It Cm %s\n", quote(out->arena, feature->name));
        put_doc(out, feature->text, true);
    }
    emit(out, ".El\n");
}

static void put_sections(Out *out, const Doc *doc)
{
    for (unsigned i = 0; doc && i < doc->sections->len; i++) {
        const DocSection *section = g_ptr_array_index(doc->sections, i);
        if (section->name[0])
            put_label(out, section->name);
        if (g_str_has_prefix(section->name, "Example"))
            put_verbatim(out, section->text);
        else
            put_doc(out, section->text, section->name[0] != 0);
    }
}

static void put_flags(Out *out, const Definition *d)
{
    if (d->allow_oob || d->allow_preconfig || d->no_reply || d->cond)
        emit(out, ".Pp\n");
    if (d->allow_oob)
        emit(out, "It may be executed out of band.\n");
    if (d->allow_preconfig)
        emit(out, "It may be executed before the machine is made.\n");
    if (d->no_reply)
        emit(out, "It does not reply if it succeeds.\n");
    if (d->cond)
        emit(out, "It is there only if %s.\n", d->cond->text);
}

static void put_definition(Out *out, const Definition *d)
{
    const char *label = d->kind == KIND_ENUM        ? "Values"
                        : d->kind == KIND_COMMAND   ? "Arguments"
                        : d->kind == KIND_EVENT     ? "Data"
                        : d->kind == KIND_ALTERNATE ? "One of"
                                                    : "Members";

    emit(out, ".Ss %s Pq %s\n", quote(out->arena, d->name), quote(out->arena, kind_name(d->kind)));
    put_doc(out, d->doc ? d->doc->body : "Not documented.", true);
    put_ref(out, "All of", &d->base);
    put_members(out, label, d->members);
    put_ref(out, label, &d->data);
    if (d->kind == KIND_UNION)
        put_members(out, arena_print(out->arena, "And, depending on \\fI%s\\fP", d->tag_name), d->branches);
    put_features(out, d->doc);
    put_ref(out, "Result", &d->returns);
    put_sections(out, d->doc);
    put_flags(out, d);
}

static const char head[] = ".\\\" Made by qapi-gen from the schema: do not edit.\n"
                           ".Dd November 22, 2026\n.Dt QMP-REFERENCE 7\n.Os\n.Sh NAME\n.Nm qmp-reference\n"
                           ".Nd commands, events and types of the control plane\n.Sh DESCRIPTION\n"
                           "What can be said over QMP.\n"
                           "Of each member the type is told;\n"
                           ".Vt \\&[type]\n"
                           "is a list.\n";

static void put_builtins(Out *out)
{
    emit(out, "The language has these types:\n.Bl -tag -width Ds -compact\n");
    for (unsigned i = 0; i < out->schema->types->len; i++) {
        const Definition *d = definition_at(out->schema->types, i);
        if (d->kind == KIND_BUILTIN)
            emit(out, ".It Cm %s\n%s\n", quote(out->arena, d->name), d->builtin->about);
    }
    emit(out, ".El\n");
}

void generate_manual(Out *out)
{
    emit(out, "%s", head);
    put_builtins(out);
    for (unsigned i = 0; i < out->schema->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(out->schema->entries, i);
        if (entry->definition)
            put_definition(out, entry->definition);
        else
            put_doc(out, entry->doc->body, false);
    }
}
