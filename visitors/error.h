/*
 * error.h: the one error domain.
 *
 * Every failing function of the project reports through GError. The code says which kind of trouble it is, so that a
 * program can choose its exit status; the message says what, where (path, byte offset) and which two values disagree.
 */
#ifndef VISITORS_ERROR_H
#define VISITORS_ERROR_H

#include <glib.h>

#define FERRY_ERROR (ferry_error_quark())

typedef enum FerryError {
    FERRY_ERROR_IO,          /* the host refused to read or write */
    FERRY_ERROR_CUT,         /* the input ends before it should */
    FERRY_ERROR_DAMAGED,     /* a checksum, a length or a structure is wrong */
    FERRY_ERROR_UNSUPPORTED, /* well-formed, but of a kind nobody here knows */
    FERRY_ERROR_LIMIT,       /* larger than the format allows */
    FERRY_ERROR_MISMATCH,    /* sound, but made for something else */
    FERRY_ERROR_REFUSED,     /* a device judged the state unsound */
} FerryError;

GQuark ferry_error_quark(void);

#endif
