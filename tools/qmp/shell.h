/* shell.h: commands from standard input, one a line; on a terminal with editing and completion. */
#ifndef TOOLS_QMP_SHELL_H
#define TOOLS_QMP_SHELL_H

#include "tools/qmp/qmp.h"

/* What the shell itself knows, to NULL. */
extern const char *const shell_words[];

/* Until the end of input, or of the session. Returns the exit status. */
int shell_run(Qmp *qmp);

#endif
