/*
 * shuffle-file.h: a file in memory whose requests end in any order, each of them doing what it does when it ends and
 * not before: as late and as badly sorted as a disk may be.
 */
#ifndef TESTS_QCOW2_SUPPORT_SHUFFLE_FILE_H
#define TESTS_QCOW2_SUPPORT_SHUFFLE_FILE_H

#include "qcow2/host-file.h"

/* Takes the file that has the octets, which ends its requests at once (host_file_memory). seed: of the order. */
HostFile *shuffle_file_new(HostFile *file, uint32_t seed);

/* The n-th request from now on (0: the next) fails with this errno and does nothing. Once. */
void shuffle_file_fail(HostFile *file, HostOp op, unsigned n, int error);

/* How many requests there were. */
unsigned shuffle_file_count(const HostFile *file, HostOp op);

#endif
