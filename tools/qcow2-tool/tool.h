/*
 * tool.h: what the commands of qcow2-tool share: options that several have, images, sizes, output.
 */
#ifndef TOOLS_QCOW2_TOOL_TOOL_H
#define TOOLS_QCOW2_TOOL_TOOL_H

#include "qcow2/qcow2.h"
#include "tools/common/cli.h"
#include "visitors/json-write.h"

/* The arguments begin with the command, which stands for the program's name in usage messages. */
int create_main(int argc, char **argv);
int info_main(int argc, char **argv);
int check_main(int argc, char **argv);
int map_main(int argc, char **argv);
int snapshot_main(int argc, char **argv);
int convert_main(int argc, char **argv);
int resize_main(int argc, char **argv);
int bench_main(int argc, char **argv);
int io_main(int argc, char **argv);

/* --- options ---------------------------------------------------------------------------------------------------- */

typedef struct ToolOptions {
    char *image_format, *format, *cache, *engine;
    gboolean share, probe_backing, progress, quiet;
} ToolOptions;

extern ToolOptions tool;

#define TOOL_IMAGE_FORMAT                                                                                              \
    {                                                                                                                  \
        "image-format", 'f', 0, G_OPTION_ARG_STRING, &tool.image_format,                                               \
            "What the image is: raw or qcow2; by default what it looks like", "FMT"                                    \
    }
#define TOOL_FORMAT                                                                                                    \
    {"format", 0, 0, G_OPTION_ARG_STRING, &tool.format, "text (default) or json; --output is the same", "FORMAT"},     \
    {                                                                                                                  \
        "output", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_STRING, &tool.format, NULL, "FORMAT"                           \
    }
#define TOOL_SHARE                                                                                                     \
    {                                                                                                                  \
        "force-share", 'U', 0, G_OPTION_ARG_NONE, &tool.share, "Also while another program writes the image", NULL     \
    }
#define TOOL_PROBE                                                                                                     \
    {                                                                                                                  \
        "probe-backing", 0, 0, G_OPTION_ARG_NONE, &tool.probe_backing,                                                 \
            "Find out the format of backing files whose image does not tell it", NULL                                  \
    }
#define TOOL_PROGRESS                                                                                                  \
    {                                                                                                                  \
        "progress", 'p', 0, G_OPTION_ARG_NONE, &tool.progress, "Show how far it is", NULL                              \
    }
#define TOOL_QUIET                                                                                                     \
    {                                                                                                                  \
        "quiet", 'q', 0, G_OPTION_ARG_NONE, &tool.quiet, "Say nothing but errors", NULL                                \
    }
#define TOOL_END                                                                                                       \
    {                                                                                                                  \
        NULL, 0, 0, 0, NULL, NULL, NULL                                                                                \
    }

/* --format is json. Ends the program if it is neither that nor text. */
bool tool_json(void);

/* --image-format, NULL or known. Ends the program if not. */
const char *tool_image_format(void);

/* A number of octets with a suffix (b, k, M, G, T, P, E), as qemu-img reads it. Ends the program if it is none. */
uint64_t tool_size(const char *text, const char *what);

/* A whole number of at most `max`. Ends the program if it is none. */
uint64_t tool_count(const char *text, uint64_t min, uint64_t max, const char *what);

HostCache tool_cache(const char *text, HostCache otherwise);
HostEngine tool_engine(const char *text);

/* --- images ----------------------------------------------------------------------------------------------------- */

/* With --image-format, --force-share and --probe-backing; the rest is in `more`. */
Image *tool_open(const char *path, const ImagePath *more, GError **error);

/* --- output ----------------------------------------------------------------------------------------------------- */

/* Standard output, to be closed by tool_finish. */
ChanOut *tool_out(void);
void tool_print(ChanOut *out, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Ends the output and the program's work: says what went wrong, if anything (error is freed), and returns the exit
 * status, which is `status` if all is well. */
int tool_finish(ChanOut *out, int status, GError *error);

/* "1.5 MiB". New string. */
char *tool_size_text(uint64_t octets);

/* With --progress: "    (12.50/100%)" on standard error. */
void tool_progress(uint64_t done, uint64_t total);
void tool_progress_end(void);

#endif
