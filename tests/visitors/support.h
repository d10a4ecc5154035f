/* support.h: octets in hexadecimal, assertions about them and about errors, and a channel that a test holds the strings
 * of. */
#ifndef TESTS_VISITORS_SUPPORT_H
#define TESTS_VISITORS_SUPPORT_H

#include <criterion/criterion.h>

#include "visitors/chan.h"

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ByteOut, byte_out_done)

/* --- octets ----------------------------------------------------------------------------------------------------- */

/* "05 03 61" as octets. */
static inline ByteOut octets_of(const char *hex)
{
    ByteOut out = {0};

    for (const char *p = hex; *p; p++) {
        if (*p == ' ')
            continue;
        byte_out_u8(&out, (uint8_t)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1])));
        p++;
    }
    return out;
}

/* Octets as "05 03 61". New string. */
static inline char *hex_of(const void *data, size_t len)
{
    const uint8_t *p = data;
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < len; i++)
        g_string_append_printf(text, "%s%02x", i ? " " : "", p[i]);
    return g_string_free(text, FALSE);
}

#define assert_octets(data, len, hex)                                                                                  \
    do {                                                                                                               \
        g_autofree char *octets_found = hex_of((data), len);                                                           \
        cr_assert_str_eq(octets_found, hex);                                                                           \
    } while (0)

#define assert_written(out, hex) assert_octets((out)->data, (out)->len, hex)

#define assert_same_octets(data, len, wanted, wanted_len)                                                              \
    do {                                                                                                               \
        cr_assert_eq((size_t)(len), (size_t)(wanted_len));                                                             \
        cr_assert_arr_eq((data), (wanted), (wanted_len));                                                              \
    } while (0)

/* Octets that repeat only after a long while, so that what is in the wrong place is noticed. */
static inline uint8_t *pattern_new(size_t len, uint32_t seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    uint8_t *data = g_malloc(len + 1);

    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)g_rand_int(rand);
    return data;
}

/* --- errors ----------------------------------------------------------------------------------------------------- */

#define assert_error(error, number, text)                                                                              \
    do {                                                                                                               \
        cr_assert_not_null(error);                                                                                     \
        cr_assert_str_eq((error)->message, text);                                                                      \
        cr_assert(g_error_matches((error), FERRY_ERROR, (int)number));                                                 \
    } while (0)

#define assert_no_error(done, error)                                                                                   \
    do {                                                                                                               \
        bool well_done = (done);                                                                                       \
        cr_assert(well_done && !(error), "%s", (error) ? (error)->message : "false, no error");                        \
    } while (0)

/* --- a channel as bad as a test needs it ------------------------------------------------------------------------ */

typedef struct TestLog {
    ByteOut written;
    size_t reads, seeks, writes, finishes, freed; /* calls */
    size_t octets_read;
} TestLog;

typedef struct TestChan {
    Chan chan;
    ByteIn in;
    size_t step;    /* octets of a read at most */
    size_t fail_at; /* position from which reading, or writing, fails */
    bool fail_finish;
    TestLog *log; /* borrowed, outlives the channel; may be NULL */
    TestLog own;
} TestChan;

static inline gssize test_chan_read(Chan *chan, void *data, size_t len, GError **error)
{
    TestChan *c = (TestChan *)chan;
    size_t n = MIN(MIN(len, c->step), byte_in_left(&c->in));

    c->log->reads++;
    if (c->in.pos >= c->fail_at) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "the line is dead");
        return -1;
    }
    if (n)
        memcpy(data, byte_in_take(&c->in, n), n);
    c->log->octets_read += n;
    return (gssize)n;
}

static inline bool test_chan_write(Chan *chan, struct iovec *iov, int count, GError **error)
{
    TestChan *c = (TestChan *)chan;

    c->log->writes++;
    for (int i = 0; i < count; i++) {
        if (c->log->written.len + iov[i].iov_len > c->fail_at) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "write number %zu failed", c->log->writes);
            return false;
        }
        byte_out_put(&c->log->written, iov[i].iov_base, iov[i].iov_len);
        iov[i] = (struct iovec){0}; /* the contract lets it */
    }
    return true;
}

static inline bool test_chan_seek(Chan *chan, uint64_t pos, GError **error)
{
    TestChan *c = (TestChan *)chan;

    c->log->seeks++;
    if (pos > c->in.len) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "no such place");
        return false;
    }
    c->in.pos = pos;
    return true;
}

static inline int64_t test_chan_size(Chan *chan)
{
    return (int64_t)((TestChan *)chan)->in.len;
}

static inline bool test_chan_finish(Chan *chan, GError **error)
{
    TestChan *c = (TestChan *)chan;

    c->log->finishes++;
    if (c->fail_finish)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "the disk is full");
    return !c->fail_finish;
}

static inline void test_chan_free(Chan *chan)
{
    TestChan *c = (TestChan *)chan;

    c->log->freed++;
    byte_out_done(&c->own.written);
    g_free(c);
}

static inline TestChan *test_chan_new(const ChanOps *ops, TestLog *log)
{
    TestChan *c = g_new0(TestChan, 1);

    c->chan.ops = ops;
    c->step = c->fail_at = SIZE_MAX;
    c->log = log ? log : &c->own;
    return c;
}

/* Reads from memory, borrowed, at most `step` octets at a time, as a pipe does. */
static inline TestChan *dribble_new(const void *data, size_t len, size_t step, TestLog *log)
{
    static const ChanOps ops = {.read = test_chan_read, .free = test_chan_free};
    TestChan *c = test_chan_new(&ops, log);

    byte_in_init(&c->in, data, len);
    c->step = step;
    return c;
}

/* The same, of a kind that can seek. */
static inline TestChan *seekable_new(const void *data, size_t len, size_t step, TestLog *log)
{
    static const ChanOps ops = {
        .read = test_chan_read, .seek = test_chan_seek, .size = test_chan_size, .free = test_chan_free};
    TestChan *c = dribble_new(data, len, step, log);

    c->chan.ops = &ops;
    return c;
}

/* Writes to the log. */
static inline TestChan *sink_new(TestLog *log)
{
    static const ChanOps ops = {.write = test_chan_write, .finish = test_chan_finish, .free = test_chan_free};

    return test_chan_new(&ops, log);
}

static inline void test_log_done(TestLog *log)
{
    byte_out_done(&log->written);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TestLog, test_log_done)

#endif
