/* new-image.h: images that are made: their options, as qemu-img has them, and the file, which is there when it is done.
 */
#ifndef TOOLS_QCOW2_TOOL_NEW_IMAGE_H
#define TOOLS_QCOW2_TOOL_NEW_IMAGE_H

#include "tools/qcow2-tool/tool.h"

typedef struct NewImage {
    bool raw; /* otherwise qcow2 */
    Qcow2Create create;
    bool has_size;
    GStringChunk *texts; /* what `create` points to */
} NewImage;

/*
 * format: raw, qcow2 or NULL (qcow2). options: the arguments of -o, "KEY=VALUE,..." with ",," for a comma in a value;
 * NULL: none. Ends the program if they make no sense; "help" lists them and ends it, too.
 */
void new_image_init(NewImage *new, const char *format, char **options);
void new_image_done(NewImage *new);

/* The backing file, whose name is relative to where the image will be. Ends the program if it is given twice. */
void new_image_backing(NewImage *new, const char *name, const char *format);

/* Could it be made? It says so before anything is written. */
bool new_image_judge(const NewImage *new, const char *path, GError **error);

/* An image under construction: a file without its name. */
typedef struct NewFile {
    CliOutput *output;
    Image *image; /* to write to; NULL after new_file_close */
} NewFile;

typedef struct NewFileHow {
    HostCache cache;
    HostEngine engine;
    bool events;
    int event; /* as of HostFilePosix */
    bool probe_backing;
    bool no_backing; /* it is never read: nothing smaller than a cluster is written */
} NewFileHow;

/* Refused if somebody uses the file that is there now. */
bool new_file_open(NewFile *file, const NewImage *new, const char *path, const NewFileHow *how, GError **error);

/* keep: syncs it (unless the cache is unsafe) and gives it its name; otherwise it is gone. */
bool new_file_close(NewFile *file, bool keep, GError **error);

#endif
