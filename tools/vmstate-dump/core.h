/*
 * core.h: writes guest memory and registers as an ELF core file, which gdb and crash open.
 */
#ifndef TOOLS_VMSTATE_DUMP_CORE_H
#define TOOLS_VMSTATE_DUMP_CORE_H

#include "tools/common/ramfile.h"

/* Collects the vCPUs' registers from their sections, and has the head and tail of the file. */
typedef struct Core Core;

Core *core_new(void);
void core_free(Core *core);
StreamSink *core_sink(Core *core);

/* Where memory lies in the file: as ramfile_map_physical, but behind room for the headers, without holes between
 * ranges. */
RamFileMap core_map;

/* After the stream: writes headers and notes to `fd`, in which the memory is already. */
bool core_finish(Core *core, int fd, const GArray *ranges, GError **error);

#endif
