/* text.h: one value of JSON as text, a line of a monitor. It is used again and again. */
#ifndef EMU_QMP_TEXT_H
#define EMU_QMP_TEXT_H

#include "visitors/json-write.h"

typedef struct QmpText QmpText;

/* Pretty: a member a line. */
QmpText *qmp_text_new(bool pretty);
void qmp_text_free(QmpText *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpText, qmp_text_free)

/* One value is written there. */
JsonWrite *qmp_text_start(QmpText *t);

/* The value, and the end of the line as QMP has it. Lives until the next start. */
const uint8_t *qmp_text_end(QmpText *t, size_t *len);

#endif
