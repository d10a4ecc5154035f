/*
 * hmp.h: commands for people: each is a QMP command, with its arguments as words and its answer as lines.
 *
 * Nothing is done here that QMP could not do: hmp-table.c says which command of QMP a word stands for and how its
 * arguments are called; hmp-print.c says how some answers look. All others are shown as they are.
 */
#ifndef EMU_QMP_HMP_H
#define EMU_QMP_HMP_H

#include "emu/qmp/server.h"

/* Does what a line says. What is to be shown: lines, also of errors ("Error: ..."). New string. */
char *hmp_run(QmpServer *server, const char *line);

/*
 * Is what the line has begun still at work, and the line's user to wait for it? When not any more: what is to be shown
 * of its end. New string.
 */
char *hmp_follow(QmpServer *server, const char *line, bool *goes_on);

/*
 * How the word could go on that ends at the end of `line`: names of commands, what "info" knows, names of enums,
 * devices and nodes. New, ended by NULL; what is there of the word comes first in each.
 */
char **hmp_complete(QmpServer *server, const char *line);

#endif
