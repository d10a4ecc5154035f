/* enum.c: a number that has names. */
#include "visitors/enum.h"

#include "visitors/words.h"

void visit_enum(Visitor *v, const char *name, const char *const *names, uint8_t *value)
{
    g_autofree char *text = NULL;

    if (!visit_is_load(v)) {
        g_assert(*value < g_strv_length((char **)names));
        text = g_strdup(names[*value]);
    }
    visit_string(v, name, &text);
    if (visit_failed(v) || !visit_is_load(v) || !text)
        return;
    for (unsigned i = 0; names[i]; i++) {
        if (g_str_equal(names[i], text)) {
            *value = (uint8_t)i;
            return;
        }
    }
    g_autofree char *why = words_unknown("value", text, names);
    visit_fail(v, FERRY_ERROR_MISMATCH, name, "%s", why);
}
