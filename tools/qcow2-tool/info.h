/* info.h: what is told of snapshots, by info and by snapshot list. */
#ifndef TOOLS_QCOW2_TOOL_INFO_H
#define TOOLS_QCOW2_TOOL_INFO_H

#include "tools/qcow2-tool/tool.h"

/* The table as qemu-img has it, with the UUID at the end of each line. */
void info_snapshots_text(ChanOut *out, const Image *image);

/* An array of objects, with qemu-img's members and ours. */
void info_snapshots_json(JsonWrite *json, const char *key, const Image *image);

/* The tree that UUIDs and parents make; json NULL: as text. */
void tree_put(const Image *image, ChanOut *out, JsonWrite *json);

/* "2026-11-21 20:20:56", in local time. New string. */
char *info_date(uint32_t seconds);

#endif
