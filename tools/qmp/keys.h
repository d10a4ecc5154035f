/*
 * keys.h: arguments as people write them: "key=value", with dotted keys into objects and lists; "key:=JSON".
 *
 * A value is what the peer's schema says it is; without one, or where that knows the key not, it is what it looks like.
 */
#ifndef TOOLS_QMP_KEYS_H
#define TOOLS_QMP_KEYS_H

#include "tools/qmp/live.h"

/* What has been written below a key. */
typedef struct Keys {
    GPtrArray *names, *below; /* of the keys in it: texts, Keys */
    GPtrArray *texts;         /* values; several: a list */
    struct json_t *json;      /* in their place */
} Keys;

/* Words, to NULL. One that has no '=' is an error, unless `lenient`, which leaves it out. */
Keys *keys_parse(char *const *words, bool lenient, GError **error);
void keys_free(Keys *keys);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Keys, keys_free)

/* What is below that name, or NULL. */
const Keys *keys_find(const Keys *keys, const char *name);

/* The type that lies at a path ("a.b", "") below one, as far as what is written tells; `keys` becomes what is there. */
const struct json_t *keys_type_at(const Live *live, const struct json_t *type, const Keys **keys, const char *path);

/* The object that the words are (live, type: may be NULL). New. */
struct json_t *keys_to_json(const Live *live, const struct json_t *type, const Keys *keys, GError **error);

#endif
