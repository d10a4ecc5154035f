/* frame-impl.h: JSON as QMP's clients spell it, made JSON as everybody reads it. Only for this folder. */
#ifndef EMU_QMP_FRAME_IMPL_H
#define EMU_QMP_FRAME_IMPL_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* How many octets the string, word or other character at the start of `text` has. A string that does not end: len. */
size_t qmp_token_length(const char *text, size_t len);

/*
 * Strings in quotation marks; integers that json_int_t does not hold as strings, if they have 64 bits, and otherwise as
 * numbers that are not whole. `places`: of gint64, pairs of an offset in what is returned and one in `text` that are
 * the same place, where text and what is returned go different ways. New string.
 */
char *qmp_spell(const char *text, size_t len, size_t *out_len, GArray *places);

/* Which octet of the text it was. */
size_t qmp_spelled_at(const GArray *places, size_t offset);

/*
 * The member "id" of an object that has been parsed: in one line, numbers as they are. New string; NULL: its name is
 * spelled in some other way.
 */
char *qmp_spell_id(const char *object, size_t len);

#endif
