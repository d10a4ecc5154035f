/*
 * node.h: what one file of the schema says, before anybody asks what it means.
 */
#ifndef TOOLS_QAPI_GEN_NODE_H
#define TOOLS_QAPI_GEN_NODE_H

#include "tools/qapi-gen/lexer.h"

typedef enum NodeKind { NODE_STRING, NODE_BOOL, NODE_LIST, NODE_OBJECT } NodeKind;

typedef struct Node Node;
struct Node {
    NodeKind kind;
    Where where;
    const char *key;  /* as a member of an object */
    const char *text; /* of a string */
    bool truth;       /* of a bool */
    GPtrArray *items; /* Node, of a list and an object */
};

/* Reads the value that starts with the token. Borrows nothing of the text. */
Node *node_read(Lexer *lexer, const Token *first, GError **error);

/* The member of an object; NULL: it has none. */
Node *node_get(const Node *object, const char *key);

/* "a string", "true or false", "a list", "an object". */
const char *node_name(const Node *node);

/* Fails if the node is something else; `what` is what it is for. */
bool node_expect(const Node *node, NodeKind kind, const char *what, GError **error);

static inline Node *node_item(const Node *node, unsigned i)
{
    return g_ptr_array_index(node->items, i);
}

#endif
