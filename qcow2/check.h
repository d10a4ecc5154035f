/*
 * check.h: the check of what lies in a file, whether or not it is open as an image.
 */
#ifndef QCOW2_CHECK_H
#define QCOW2_CHECK_H

#include "qcow2/header.h"
#include "qcow2/qcow2.h"

/*
 * As qcow2_check, of the file: nothing is cached, nothing under way. The header is that of the file; a repair changes
 * both. data_file is of no interest: its clusters have no counts.
 */
bool qcow2_check_file(HostFile *file, Qcow2Header *header, unsigned repair, Qcow2Check *result, GError **error);

#endif
