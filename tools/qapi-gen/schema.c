/*
 * schema.c: reads files, with those they include.
 */
#include <string.h>

#include "tools/qapi-gen/schema-impl.h"

/* One file that is being read; those that include it are behind it. */
typedef struct Reading Reading;
struct Reading {
    const char *path;
    Where included; /* there */
    const Reading *outer;
};

typedef struct Reader {
    Schema *schema;
    SchemaRead *read;
    void *context;
    GHashTable *done; /* paths */
} Reader;

const Builtin schema_builtins[] = {
    {"str", "Str", "char *", "QAPI_STRING", NULL, "string", "str", "a string"},
    {"number", "Number", "double ", "QAPI_SCALAR", "SCALAR_FLOAT64", "number", "number", "a number"},
    {"int", "Int", "int64_t ", "QAPI_SCALAR", "SCALAR_INT64", "int", "int", "an integer of 64 bits"},
    {"int8", "Int8", "int8_t ", "QAPI_SCALAR", "SCALAR_INT8", "int", "int", "an integer of 8 bits"},
    {"int16", "Int16", "int16_t ", "QAPI_SCALAR", "SCALAR_INT16", "int", "int", "an integer of 16 bits"},
    {"int32", "Int32", "int32_t ", "QAPI_SCALAR", "SCALAR_INT32", "int", "int", "an integer of 32 bits"},
    {"int64", "Int64", "int64_t ", "QAPI_SCALAR", "SCALAR_INT64", "int", "int", "an integer of 64 bits"},
    {"uint8", "Uint8", "uint8_t ", "QAPI_SCALAR", "SCALAR_UINT8", "int", "int", "an integer of 8 bits, not negative"},
    {"uint16", "Uint16", "uint16_t ", "QAPI_SCALAR", "SCALAR_UINT16", "int", "int",
     "an integer of 16 bits, not negative"},
    {"uint32", "Uint32", "uint32_t ", "QAPI_SCALAR", "SCALAR_UINT32", "int", "int",
     "an integer of 32 bits, not negative"},
    {"uint64", "Uint64", "uint64_t ", "QAPI_SCALAR", "SCALAR_UINT64", "int", "int",
     "an integer of 64 bits, not negative"},
    {"size", "Size", "uint64_t ", "QAPI_SCALAR", "SCALAR_UINT64", "int", "int", "a number of octets"},
    {"bool", "Bool", "bool ", "QAPI_SCALAR", "SCALAR_BOOL", "boolean", "bool", "true or false"},
    {"null", "Null", "QapiNull ", "QAPI_NULL", NULL, "null", "null", "null"},
    {"any", "Any", "struct json_t *", "QAPI_ANY", NULL, "value", "any", "any JSON value"},
    {.name = NULL},
};

const char *kind_name(Kind kind)
{
    static const char *const names[] = {"builtin type", "enum", "struct",  "union",
                                        "alternate",    "list", "command", "event"};

    return names[kind];
}

static bool read_file(Reader *r, const Reading *reading, GError **error);

/* The path of an included file: it is relative to the file that includes it. */
static const char *include_path(Arena *arena, const char *outer, const char *name)
{
    g_autofree char *folder = g_path_get_dirname(outer);

    if (g_path_is_absolute(name) || strcmp(folder, ".") == 0)
        return arena_print(arena, "%s", name);
    return arena_print(arena, "%s/%s", folder, name);
}

static bool same_file(const char *a, const char *b)
{
    g_autofree char *whole_a = g_canonicalize_filename(a, NULL), *whole_b = g_canonicalize_filename(b, NULL);

    return strcmp(whole_a, whole_b) == 0;
}

static bool read_include(Reader *r, const Reading *reading, const Node *node, GError **error)
{
    static const char *const keys[] = {"!include", NULL};
    const Node *name = node_get(node, "include");

    if (!build_keys(node, "an include", keys, error) || !node_expect(name, NODE_STRING, "'include'", error))
        return false;
    Reading inner = {include_path(r->schema->arena, reading->path, name->text), node->where, reading};
    for (const Reading *outer = reading; outer; outer = outer->outer) {
        if (same_file(outer->path, inner.path))
            return wrong(error, node->where, "'%s' includes itself: it is being read%s%s", name->text,
                         outer == reading ? "" : ", and includes ", outer == reading ? "" : reading->path);
    }
    return read_file(r, &inner, error);
}

/* One expression; `doc` is what stands just before it. */
static bool read_expression(Reader *r, const Reading *reading, const Node *node, Doc *doc, GError **error)
{
    bool include = node_get(node, "include") != NULL;

    if (!include && !node_get(node, "pragma"))
        return build_definition(r->schema, node, doc, error);
    if (doc)
        return wrong(error, doc->where, "documentation of '%s' is followed by %s at line %u", doc->symbol,
                     include ? "an include" : "a pragma", node->where.line);
    return include ? read_include(r, reading, node, error) : build_pragma(r->schema, node, error);
}

static void add_text(Schema *schema, Doc *doc)
{
    Entry *entry = ARENA_NEW(schema->arena, Entry);

    entry->doc = doc;
    g_ptr_array_add(schema->entries, entry);
}

static bool read_doc(Reader *r, const Token *token, Doc **doc, GError **error)
{
    if (*doc)
        return wrong(error, (*doc)->where, "documentation of '%s' is followed by other documentation at line %u",
                     (*doc)->symbol, token->where.line);
    *doc = doc_parse(r->schema->arena, token->text, token->where, error);
    if (!*doc)
        return false;
    if ((*doc)->symbol)
        return true;
    add_text(r->schema, *doc);
    *doc = NULL;
    return true;
}

static bool read_text(Reader *r, const Reading *reading, const char *text, size_t length, GError **error)
{
    Lexer lexer;
    Token token;
    Doc *doc = NULL;

    if (!lexer_init(&lexer, r->schema->arena, reading->path, text, length, error))
        return false;
    while (lexer_next(&lexer, &token, error)) {
        if (token.kind == TOKEN_END)
            return !doc ||
                   wrong(error, doc->where, "documentation of '%s' is followed by the end of the file", doc->symbol);
        if (token.kind == TOKEN_DOC) {
            if (!read_doc(r, &token, &doc, error))
                return false;
            continue;
        }
        if (token.kind != TOKEN_MARK || token.mark != '{')
            return wrong(error, token.where, "'{' expected, not %s", token_name(r->schema->arena, &token));
        Node *node = node_read(&lexer, &token, error);
        if (!node || !read_expression(r, reading, node, doc, error))
            return false;
        doc = NULL;
    }
    return false;
}

static bool read_file(Reader *r, const Reading *reading, GError **error)
{
    g_autoptr(GError) reason = NULL;
    size_t length = 0;

    if (!g_hash_table_add(r->done, g_canonicalize_filename(reading->path, NULL)))
        return true;
    g_autofree char *text = r->read(r->context, reading->path, &length, &reason);
    if (text)
        return read_text(r, reading, text, length, error);
    if (reading->outer)
        return wrong(error, reading->included, "%s", reason->message);
    g_propagate_error(error, g_steal_pointer(&reason));
    return false;
}

static void add_builtins(Schema *schema)
{
    for (const Builtin *builtin = schema_builtins; builtin->name; builtin++) {
        Definition *type = ARENA_NEW(schema->arena, Definition);
        type->kind = KIND_BUILTIN;
        type->name = builtin->name;
        type->camel = builtin->camel;
        type->builtin = builtin;
        type->features = arena_array(schema->arena);
        g_ptr_array_add(schema->types, type);
        g_hash_table_insert(schema->by_name, (void *)type->name, type);
    }
}

bool schema_add(Schema *schema, Definition *definition, GError **error)
{
    const Definition *before = g_hash_table_lookup(schema->by_name, definition->name);

    if (before && before->kind == KIND_BUILTIN)
        return wrong(error, definition->where, "'%s' is a type of the language, and cannot be the name of %s %s",
                     definition->name, strchr("aeiou", kind_name(definition->kind)[0]) ? "an" : "a",
                     kind_name(definition->kind));
    if (before)
        return wrong(error, definition->where, "'%s' is defined again: it is already %s %s at %s:%u", definition->name,
                     strchr("aeiou", kind_name(before->kind)[0]) ? "an" : "a", kind_name(before->kind),
                     before->where.file, before->where.line);
    g_hash_table_insert(schema->by_name, (void *)definition->name, definition);
    return true;
}

static GHashTable *new_set(void)
{
    return g_hash_table_new(g_str_hash, g_str_equal);
}

static Schema *new_schema(void)
{
    Schema *schema = g_new0(Schema, 1);

    schema->arena = arena_new();
    schema->entries = arena_array(schema->arena);
    schema->types = arena_array(schema->arena);
    schema->lists = arena_array(schema->arena);
    schema->commands = arena_array(schema->arena);
    schema->events = arena_array(schema->arena);
    schema->by_name = new_set();
    schema->pragma = (Pragma){true, new_set(), new_set(), new_set(), new_set()};
    add_builtins(schema);
    return schema;
}

void schema_free(Schema *schema)
{
    g_hash_table_unref(schema->by_name);
    g_hash_table_unref(schema->pragma.command_names);
    g_hash_table_unref(schema->pragma.command_returns);
    g_hash_table_unref(schema->pragma.member_names);
    g_hash_table_unref(schema->pragma.undocumented);
    arena_free(schema->arena);
    g_free(schema);
}

static int by_name(const void *a, const void *b)
{
    const Definition *const *left = a, *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

Schema *schema_load(const char *path, SchemaRead *read, void *context, GError **error)
{
    g_autoptr(Schema) schema = new_schema();
    g_autoptr(GHashTable) done = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Reader r = {schema, read, context, done};
    Reading reading = {.path = arena_print(schema->arena, "%s", path)};

    if (!read_file(&r, &reading, error))
        return NULL;
    g_ptr_array_sort(schema->commands, by_name);
    g_ptr_array_sort(schema->events, by_name);
    if (!check_schema(schema, error) || !check_docs(schema, error) || !check_symbols(schema, error))
        return NULL;
    return g_steal_pointer(&schema);
}
