/*
 * visitor-impl.h: for those who write a visitor. Only included in visitors/.
 *
 * A back end embeds Visitor as its first member, fills a VisitorOps and calls visitor_init. Its entries are called only
 * while there is no error. Entries for one direction only may be NULL in a back end for the other, and those that the
 * comments call optional in any.
 */
#ifndef VISITORS_VISITOR_IMPL_H
#define VISITORS_VISITOR_IMPL_H

#include "visitors/visitor.h"

typedef struct VisitorOps {
    bool load;
    void (*struct_start)(Visitor *v, const char *name); /* optional, as are the ends */
    void (*struct_end)(Visitor *v);
    void (*list_start)(Visitor *v, const char *name, size_t count, size_t elem_size);
    void (*list_end)(Visitor *v);
    void (*optional)(Visitor *v, const char *name, bool *present); /* optional */
    void (*require)(Visitor *v, const char *name);                 /* optional */
    bool (*subsection_next)(Visitor *v, const char *parent, VisitSubsection *found);
    void (*subsection_start)(Visitor *v, int index, const char *name, int version); /* optional, as is the end */
    void (*subsection_end)(Visitor *v);
    void (*select)(Visitor *v, size_t index); /* optional, with skip_fields: values in any order */
    void (*skip_fields)(Visitor *v);
    void (*scalar)(Visitor *v, const char *name, Scalar scalar, void *value);
    void (*array)(Visitor *v, const char *name, Scalar scalar, void *values, size_t count);
    void (*buffer)(Visitor *v, const char *name, void *data, size_t len);
    void (*unused)(Visitor *v, const char *name, void *data, size_t len);
    void (*octets)(Visitor *v, const char *name, const char *type, void *data, size_t len);
    void (*bitmap)(Visitor *v, const char *name, uint64_t *words, size_t bits);
    void (*string)(Visitor *v, const char *name, char **text);
    VisitKind (*peek)(Visitor *v, const char *name, const char **text); /* optional, as are the next three */
    size_t (*list_length)(Visitor *v, const char *name);
    void (*any)(Visitor *v, const char *name, struct json_t **value);
    void (*null)(Visitor *v, const char *name);
    int64_t (*offset)(const Visitor *v); /* optional */
    void (*finish)(Visitor *v);          /* optional: the last call was made and all went well */
    void (*free)(Visitor *v);
} VisitorOps;

/* One level of what is open. */
typedef struct VisitFrame {
    const char *name; /* NULL: an element of the list below */
    bool list;
    bool leaf;               /* an element that is no struct and no list */
    size_t count, elem_size; /* of a list */
    size_t index;            /* of the next element of a list; of an element: its own */
} VisitFrame;

struct Visitor {
    const VisitorOps *ops;
    GError *error;
    unsigned depth;
    VisitFrame frames[VISIT_DEPTH_MAX];
    char *root;   /* what the path starts with */
    bool unknown; /* what nobody here knows is no error */
};

/* `root` (copied; may be NULL) names what is visited. */
void visitor_init(Visitor *v, const VisitorOps *ops, const char *root);

#endif
