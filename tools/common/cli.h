/*
 * cli.h: what the programs share: options, messages, exit statuses, colour, output files.
 */
#ifndef TOOLS_COMMON_CLI_H
#define TOOLS_COMMON_CLI_H

#include <glib.h>

#include "visitors/chan.h"

#define FERRY_VERSION "0.1"

enum {
    EXIT_FINE = 0,
    EXIT_DIFFERS = 1, /* or is incompatible */
    EXIT_USAGE = 2,
    EXIT_DAMAGED = 3, /* or cannot be read or written */
};

/*
 * Parses the options that `entries` describe; --help and --version end the program. `arguments` is how the others are
 * called in the help ("A B"), `summary` and `more` stand above and below the options there. Exactly `count` others must
 * be left, which are returned (borrowed from argv). Ends the program with EXIT_USAGE if not.
 */
char **cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *arguments, size_t count,
                 const char *summary, const char *more);

/* The same with `least` to `most` others, for which NULL follows. The program is called argv[0], which may have a
 * command behind its name. */
char **cli_parse_some(int *argc, char ***argv, const GOptionEntry *entries, const char *arguments, size_t least,
                      size_t most, const char *summary, const char *more);

/* Says that the program was called wrongly, and ends it. */
void cli_usage(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

/* "program: message" on standard error. */
void cli_complain(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* The same for an error, which is freed; returns EXIT_DAMAGED. */
int cli_fail(GError *error);

/* Is colour wanted on standard output? `when` is "auto", "always", "never" or NULL (auto); NO_COLOR is honoured. */
bool cli_colour(const char *when);

/* --- output files ----------------------------------------------------------------------------------------------- */

/*
 * A file under construction: it gets its name when it is complete. "-" is standard output; something that exists and is
 * no regular file is written to directly.
 */
typedef struct CliOutput CliOutput;

CliOutput *cli_output_open(const char *path, GError **error);

/* The channel to write to, once; taken by the caller. */
Chan *cli_output_chan(CliOutput *output);

/* Its descriptor, to write and to read, owned by the output; -1 if it is no regular file. */
int cli_output_fd(CliOutput *output);

/* keep: gives the file its name; otherwise removes it. Frees the output. */
bool cli_output_close(CliOutput *output, bool keep, GError **error);

/* --- progress --------------------------------------------------------------------------------------------------- */

/* Passes reads of `inner` (taken) on and, if standard error is a terminal and it takes long, tells how far it is. */
Chan *cli_progress_new(Chan *inner, const char *what);

/* Progress of something that is not a channel: `done` of `total` octets, -1 if that is not known. */
void cli_progress_tick(const char *what, uint64_t done, int64_t total);
void cli_progress_end(void);

#endif
