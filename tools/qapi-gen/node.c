/*
 * node.c: see node.h.
 */
#include <string.h>

#include "tools/qapi-gen/node.h"

enum { NESTING_MAX = 32 };

static Node *read_value(Lexer *lexer, const Token *first, unsigned depth, GError **error);

Node *node_get(const Node *object, const char *key)
{
    for (unsigned i = 0; i < object->items->len; i++) {
        if (strcmp(node_item(object, i)->key, key) == 0)
            return node_item(object, i);
    }
    return NULL;
}

static const char *const kind_names[] = {"a string", "true or false", "a list", "an object"};

const char *node_name(const Node *node)
{
    return kind_names[node->kind];
}

bool node_expect(const Node *node, NodeKind kind, const char *what, GError **error)
{
    if (node->kind == kind)
        return true;
    return wrong(error, node->where, "%s must be %s, and is %s", what, kind_names[kind], node_name(node));
}

static bool is_mark(const Token *token, char mark)
{
    return token->kind == TOKEN_MARK && token->mark == mark;
}

static bool expected(Lexer *lexer, const Token *token, const char *what, GError **error)
{
    return wrong(error, token->where, "%s expected, not %s", what, token_name(lexer->arena, token));
}

/* One member or element, up to the value. */
static bool read_item(Lexer *lexer, Node *node, Token *token, unsigned depth, GError **error)
{
    const char *key = NULL;
    Where where = token->where;

    if (node->kind == NODE_OBJECT) {
        if (token->kind != TOKEN_STRING)
            return expected(lexer, token, "the name of a member", error);
        key = token->text;
        const Node *before = node_get(node, key);
        if (before)
            return wrong(error, where, "'%s' is here again: it is already at line %u", key, before->where.line);
        if (!lexer_next(lexer, token, error))
            return false;
        if (!is_mark(token, ':'))
            return expected(lexer, token, "':'", error);
        if (!lexer_next(lexer, token, error))
            return false;
    }
    Node *item = read_value(lexer, token, depth, error);
    if (!item)
        return false;
    if (key)
        item->where = where;
    item->key = key;
    g_ptr_array_add(node->items, item);
    return true;
}

static bool read_items(Lexer *lexer, Node *node, unsigned depth, GError **error)
{
    char close = node->kind == NODE_LIST ? ']' : '}';
    Token token;

    node->items = arena_array(lexer->arena);
    if (depth >= NESTING_MAX)
        return wrong(error, node->where, "nested deeper than %d", NESTING_MAX);
    if (!lexer_next(lexer, &token, error))
        return false;
    if (is_mark(&token, close))
        return true;
    for (;;) {
        if (!read_item(lexer, node, &token, depth + 1, error) || !lexer_next(lexer, &token, error))
            return false;
        if (is_mark(&token, close))
            return true;
        if (!is_mark(&token, ','))
            return expected(lexer, &token, close == ']' ? "',' or ']'" : "',' or '}'", error);
        if (!lexer_next(lexer, &token, error))
            return false;
    }
}

static Node *read_value(Lexer *lexer, const Token *first, unsigned depth, GError **error)
{
    Node *node = ARENA_NEW(lexer->arena, Node);

    node->where = first->where;
    switch (first->kind) {
    case TOKEN_STRING:
        node->kind = NODE_STRING;
        node->text = first->text;
        return node;
    case TOKEN_TRUE:
    case TOKEN_FALSE:
        node->kind = NODE_BOOL;
        node->truth = first->kind == TOKEN_TRUE;
        return node;
    case TOKEN_MARK:
        if (first->mark != '{' && first->mark != '[')
            break;
        node->kind = first->mark == '{' ? NODE_OBJECT : NODE_LIST;
        return read_items(lexer, node, depth, error) ? node : NULL;
    default:
        break;
    }
    expected(lexer, first, "a string, true, false, '{' or '['", error);
    return NULL;
}

Node *node_read(Lexer *lexer, const Token *first, GError **error)
{
    return read_value(lexer, first, 0, error);
}
