/* qemufile-in.h: loads from QEMU's untagged wire (vmstate/FORMAT.md section 1.6). */
#ifndef VISITORS_QEMUFILE_IN_H
#define VISITORS_QEMUFILE_IN_H

#include "visitors/chan.h"
#include "visitors/visitor.h"

/* Reads from `in`, borrowed, and leaves it after the last value. `root` names what is loaded, for messages. */
Visitor *qemufile_in_new(ChanIn *in, const char *root);

#endif
