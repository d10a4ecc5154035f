/*
 * judge.h: is a qcow2 image sound? From the specification alone, by brute force, and with nothing of qcow2/: what holds
 * our own code, and its check, to account. Small images only.
 */
#ifndef TESTS_QCOW2_SUPPORT_JUDGE_H
#define TESTS_QCOW2_SUPPORT_JUDGE_H

#include <glib.h>
#include <stdint.h>

typedef struct Judgement {
    unsigned corruptions, leaks; /* leaks: clusters that count more than there are references */
    char *first;                 /* the first corruption; NULL: none. g_free */
} Judgement;

Judgement judge_image(const uint8_t *data, size_t len);

#endif
