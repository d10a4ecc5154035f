/*
 * words.h: words that a person has written, and those that would have been right.
 */
#ifndef VISITORS_WORDS_H
#define VISITORS_WORDS_H

#include <glib.h>
#include <stdbool.h>

/* How many letters have to be put in, taken out, changed or swapped with their neighbour to make one of the other. */
unsigned words_distance(const char *a, const char *b);

/* The one of `words` (ended by NULL) that is near enough to be what was meant; NULL: none is. Borrowed. */
const char *words_nearest(const char *const *words, const char *word);

/*
 * What is wrong: "unknown key 'fiel'; did you mean 'file'? (accepted: cache, file, format)". `what` is "key". New
 * string.
 */
char *words_unknown(const char *what, const char *word, const char *const *accepted);

/* Is it an identifier, as QEMU and QMP have them: a letter, then letters, digits, '-', '.' and '_'? */
bool words_is_identifier(const char *word);

#endif
