/*
 * transport.h: one snapshot of a qcow2 image, with its VM state, as a file of its own.
 *
 * The file is a qcow2 image that other programs can open, too: its disk is the snapshot's, and it has that one internal
 * snapshot, with the VM state, under the same tag, id, UUID, parent and dates.
 */
#ifndef TOOLS_QCOW2_TOOL_TRANSPORT_H
#define TOOLS_QCOW2_TOOL_TRANSPORT_H

/* "snapshot export" and "snapshot import". */
int export_main(int argc, char **argv);
int import_main(int argc, char **argv);

#endif
