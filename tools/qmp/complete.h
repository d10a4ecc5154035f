/* complete.h: how a line of the shell may go on. */
#ifndef TOOLS_QMP_COMPLETE_H
#define TOOLS_QMP_COMPLETE_H

#include "tools/qmp/live.h"

/*
 * What the last word of the line may become, sorted; *start: where in the line it begins. A candidate that is complete
 * ends in a blank; one that is not ends in '=' or '.'. New array of new texts.
 */
GPtrArray *complete_line(const Live *live, const char *line, size_t *start);

/* How many octets all candidates have in common. */
size_t complete_common(const GPtrArray *candidates);

#endif
