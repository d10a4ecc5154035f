/*
 * return-path.h: what a destination answers on the main channel (vmstate/FORMAT.md section 1.5). channel-load.h reads
 * it.
 */
#ifndef VMSTATE_RETURN_PATH_H
#define VMSTATE_RETURN_PATH_H

#include "visitors/chan.h"

/* To PING, with its number. */
bool return_path_pong(Chan *chan, uint32_t number, GError **error);

/* The last message. 0: the machine goes on here; otherwise it does not. */
bool return_path_shut(Chan *chan, uint32_t status, GError **error);

#endif
