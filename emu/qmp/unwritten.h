/* unwritten.h: in the place of a handler that nobody has written yet. */
#ifndef EMU_QMP_UNWRITTEN_H
#define EMU_QMP_UNWRITTEN_H

#include <stdbool.h>

bool qmp_unwritten(void);

#endif
