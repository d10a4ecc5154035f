/*
 * live.h: what the peer says about its own commands: the reply to query-qmp-schema, with an index.
 *
 * A description is an entity of that reply: borrowed, and NULL if there is none. All of it comes from the peer: nothing
 * here relies on its being sound.
 */
#ifndef TOOLS_QMP_LIVE_H
#define TOOLS_QMP_LIVE_H

#include <glib.h>
#include <stdbool.h>

struct json_t;
typedef struct Live Live;

typedef enum LiveKind {
    LIVE_NONE, /* it is not known */
    LIVE_STRING,
    LIVE_INTEGER,
    LIVE_NUMBER,
    LIVE_BOOLEAN,
    LIVE_NULL,
    LIVE_ANY,
    LIVE_ENUM,
    LIVE_ARRAY,
    LIVE_OBJECT,
    LIVE_ALTERNATE,
} LiveKind;

/* Takes the reply. */
Live *live_new(struct json_t *reply);
void live_free(Live *live);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Live, live_free)

/* Names of all commands, or all events, sorted. The array is new, the names are borrowed. */
GPtrArray *live_names(const Live *live, const char *meta_type);

const struct json_t *live_command(const Live *live, const char *name);
const struct json_t *live_event(const Live *live, const char *name);
const struct json_t *live_type(const Live *live, const char *name);
/* The type that a member of a description names: "arg-type", "ret-type", "element-type", "type". */
const struct json_t *live_type_of(const Live *live, const struct json_t *description, const char *key);

LiveKind live_kind(const struct json_t *type);

/* The members of an object: common ones, and those that come with this value of the tag (NULL: none). New array. */
GPtrArray *live_members(const Live *live, const struct json_t *object, const char *tag_value);
/* The name of the member that is its tag, or NULL. */
const char *live_tag(const struct json_t *object);
bool live_is_optional(const struct json_t *member);

/* Names of an enum's values. New array, the names are borrowed. */
GPtrArray *live_values(const struct json_t *enumeration);

/* What a type takes, in a few words. New. */
char *live_type_text(const Live *live, const struct json_t *type);

#endif
