/*
 * berrecords.h: takes a BER stream apart into records, and puts changed ones together again with checks that are right,
 * so that tests reach what lies behind the checks.
 */
#ifndef TESTS_SUPPORT_BERRECORDS_H
#define TESTS_SUPPORT_BERRECORDS_H

#include "visitors/ber.h"

typedef struct BerRecordOctets {
    unsigned form;
    uint32_t tag;
    ByteOut members; /* without the check */
} BerRecordOctets;

/* An array of BerRecordOctets; freed by g_array_unref. */
GArray *berrecords_split(const ByteOut *stream);

static inline BerRecordOctets *berrecords_get(GArray *records, guint i)
{
    return &g_array_index(records, BerRecordOctets, i);
}

/* The number of the first record of that kind from `from` on. */
guint berrecords_find(GArray *records, unsigned form, uint32_t tag, guint from);

/* A new record, put in at that place. */
ByteOut *berrecords_insert(GArray *records, guint at, unsigned form, uint32_t tag);

enum { BERRECORDS_INDEFINITE = 1, BERRECORDS_DEFINITE_STREAM = 2 };

/*
 * Puts them together: checks, the number of records and the digest in End are made anew. With BERRECORDS_INDEFINITE
 * every constructed element has the indefinite form.
 */
void berrecords_join(GArray *records, unsigned how, ByteOut *stream);

#endif
