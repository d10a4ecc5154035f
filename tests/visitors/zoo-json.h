/* zoo-json.h: any state as a tree that jansson reads. */
#ifndef TESTS_VISITORS_ZOO_JSON_H
#define TESTS_VISITORS_ZOO_JSON_H

/* json-write.h has functions of these names, too */
#define json_string jansson_string
#define json_null   jansson_null
#include <jansson.h>
#undef json_string
#undef json_null

#include "visitors/json-out.h"
#include "vmstate/walk.h"

/* Integers that jansson has no room for are strings. */
static inline json_t *zoo_json(const VMStateDescription *desc, const void *state)
{
    g_autoptr(GRegex) large = g_regex_new("(?<=[\\[ ])(\\d{19,})(?=[,\\]}])", 0, 0, NULL);
    ByteOut buf = {0};
    ChanOut *out = chan_out_new(chan_buf_new(&buf));
    JsonWrite *w = json_write_new(out, 0);
    g_autoptr(Visitor) v = json_out_new(w, NULL);

    vmstate_save(v, desc, state);
    cr_assert(visit_finish(v, NULL));
    json_write_free(w);
    chan_out_flush(out);
    byte_out_u8(&buf, 0);
    g_autofree char *text = g_regex_replace(large, (char *)buf.data, -1, 0, "\"\\1\"", 0, NULL);
    json_error_t why;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    cr_assert_not_null(root, "%s: %s", why.text, text);
    chan_out_free(out);
    byte_out_done(&buf);
    return root;
}

#endif
