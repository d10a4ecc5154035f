/* show.h: results and events on standard output. */
#ifndef TOOLS_QMP_SHOW_H
#define TOOLS_QMP_SHOW_H

#include "tools/libqmp/libqmp.h"

/* A tree for people: "key: value" lines. What a terminal would obey is made visible. */
void show_text(const struct json_t *value);

/* `lines`: on lines of their own. */
void show_json(const struct json_t *value, bool lines);

void show_event(const LibqmpEvent *event, bool json);

#endif
