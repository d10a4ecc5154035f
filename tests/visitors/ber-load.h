/* ber-load.h: loads from BER in hexadecimal, and what came of it. */
#ifndef TESTS_VISITORS_BER_LOAD_H
#define TESTS_VISITORS_BER_LOAD_H

#include "tests/visitors/support.h"
#include "visitors/ber-in.h"

enum { OFFSET = 0x100 };

/* One element to load from, its first octet at OFFSET, and the visitor that does. */
typedef struct Load {
    ByteOut data;
    Visitor *v;
} Load;

static inline Visitor *load_init(Load *l, const char *hex)
{
    l->data = octets_of(hex);
    l->v = ber_in_new(l->data.data, l->data.len, OFFSET, "root", BER_CONTEXT, 0);
    return l->v;
}

static inline void load_done(Load *l)
{
    visit_free(l->v);
    byte_out_done(&l->data);
}

#define assert_loaded(load)                                                                                            \
    do {                                                                                                               \
        g_autoptr(GError) failure = NULL;                                                                              \
        assert_no_error(visit_finish((load)->v, &failure), failure);                                                   \
        load_done(load);                                                                                               \
    } while (0)

#define assert_refused(load, code, text)                                                                               \
    do {                                                                                                               \
        g_autoptr(GError) failure = NULL;                                                                              \
        cr_assert_not(visit_finish((load)->v, &failure));                                                              \
        assert_error(failure, code, text);                                                                             \
        load_done(load);                                                                                               \
    } while (0)

#endif
