/*
 * words.c: words that a person has written, and those that would have been right.
 *
 * The distance is that of optimal string alignment (Damerau, with each pair of neighbours swapped at most once).
 */
#include "visitors/words.h"

#include <string.h>

enum { WORD_MAX = 48 }; /* longer ones are cut before they are compared */

unsigned words_distance(const char *a, const char *b)
{
    unsigned rows[3][WORD_MAX + 1];
    size_t a_len = MIN(strlen(a), WORD_MAX), b_len = MIN(strlen(b), WORD_MAX);

    for (unsigned j = 0; j <= b_len; j++)
        rows[0][j] = j;
    for (unsigned i = 1; i <= a_len; i++) {
        unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];
        now[0] = i;
        for (unsigned j = 1; j <= b_len; j++) {
            unsigned changed = before[j - 1] + (a[i - 1] != b[j - 1]);
            now[j] = MIN(changed, MIN(before[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                now[j] = MIN(now[j], earlier[j - 2] + 1);
        }
    }
    return rows[a_len % 3][b_len];
}

const char *words_nearest(const char *const *words, const char *word)
{
    unsigned best = (unsigned)MAX(1, strlen(word) / 3) + 1;
    const char *nearest = NULL;

    for (size_t i = 0; words[i]; i++) {
        unsigned distance = words_distance(word, words[i]);
        /* a word of which every letter had to be changed is not what was meant */
        if (distance < best && distance < strlen(words[i])) {
            best = distance;
            nearest = words[i];
        }
    }
    return nearest;
}

char *words_unknown(const char *what, const char *word, const char *const *accepted)
{
    const char *nearest = words_nearest(accepted, word);
    GString *text = g_string_new(NULL);

    g_string_printf(text, "unknown %s '%s'", what, word);
    if (nearest)
        g_string_append_printf(text, "; did you mean '%s'?", nearest);
    if (accepted[0]) {
        g_autofree char *all = g_strjoinv(", ", (char **)accepted);
        g_string_append_printf(text, " (accepted: %s)", all);
    }
    return g_string_free(text, FALSE);
}

bool words_is_identifier(const char *word)
{
    return g_ascii_isalpha(*word) && word[strspn(word, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-._")] == 0;
}
