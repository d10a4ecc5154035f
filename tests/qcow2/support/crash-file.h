/*
 * crash-file.h: a file in memory that remembers what was written to it and when it was synced, and tells what could be
 * left of it, had the power gone at some moment.
 *
 * A write is certain to be there if it had ended when a sync was submitted that has ended, too. Of any other, each
 * sector is there or not, in whatever order they were written.
 */
#ifndef TESTS_QCOW2_SUPPORT_CRASH_FILE_H
#define TESTS_QCOW2_SUPPORT_CRASH_FILE_H

#include "qcow2/host-file.h"

/* A file that starts with these octets. */
HostFile *crash_file_new(const void *data, size_t len);

/* Events (writes, zeros, syncs, changes of the length) so far. */
size_t crash_file_events(HostFile *file);

typedef enum CrashKeep {
    CRASH_DROP, /* nothing but what is certain */
    CRASH_KEEP, /* all of it */
    CRASH_TEAR, /* each sector by chance */
    CRASH_SOME, /* each write whole, by chance */
} CrashKeep;

/* What may be there if the power goes just before the event with this number is submitted. New. */
GByteArray *crash_file_left(HostFile *file, size_t before, CrashKeep keep, GRand *random);

/* The n-th event from now on, and all that follow, fail with EIO and do nothing; SIZE_MAX: none. */
void crash_file_fail(HostFile *file, size_t n);

#endif
