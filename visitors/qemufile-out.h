/* qemufile-out.h: saves to QEMU's untagged wire (vmstate/FORMAT.md section 1.6). */
#ifndef VISITORS_QEMUFILE_OUT_H
#define VISITORS_QEMUFILE_OUT_H

#include "visitors/bytes.h"
#include "visitors/visitor.h"

/* Appends to `out`, borrowed. `root` names what is saved, for messages. */
Visitor *qemufile_out_new(ByteOut *out, const char *root);

#endif
