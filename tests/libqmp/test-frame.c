/* test-frame.c: JSON values are cut out of what comes, in whatever pieces. */
#include "tools/libqmp/frame.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

#include "tests/libqmp/support/peer.h"

static void put(Frame *frame, const char *data, size_t size)
{
    while (size) {
        size_t room;
        void *to = frame_room(frame, &room);
        size_t n = MIN(size, room);
        memcpy(to, data, n);
        frame_added(frame, n);
        data += n;
        size -= n;
    }
}

/* The values in `text`, which comes `step` octets at a time, as one line of JSON each. New. */
static char *values(const char *text, size_t step)
{
    GString *all = g_string_new(NULL);
    GError *error = NULL;
    Frame frame;
    size_t size = strlen(text);

    frame_init(&frame, 1 << 20, 64);
    for (size_t at = 0; at < size; at += step) {
        put(&frame, text + at, MIN(step, size - at));
        for (json_t *value; (value = frame_next(&frame, &error));) {
            g_autofree char *line = json_dumps(value, JSON_COMPACT);
            g_string_append_printf(all, "%s\n", line);
            json_decref(value);
        }
        cr_assert_null(error);
    }
    cr_expect_eq(frame_pending(&frame), 0);
    frame_done(&frame);
    return g_string_free(all, FALSE);
}

/* The error that the text leads to. */
static GError *wrong(const char *text, size_t size_max, unsigned depth_max)
{
    GError *error = NULL;
    Frame frame;

    frame_init(&frame, size_max, depth_max);
    put(&frame, text, strlen(text));
    for (json_t *value; (value = frame_next(&frame, &error));)
        json_decref(value);
    frame_done(&frame);
    return error;
}

Test(frame, values_come_out_whatever_pieces_they_come_in)
{
    const char *text =
        "\r\n {\"a\": [1, {\"b\": \"}{][\\\"\\\\\"}]}{\"c\":null} \t\n{\"d\":\"\\u00e4\xc3\xa4\"}\r\n{}\n";
    const char *want = "{\"a\":[1,{\"b\":\"}{][\\\"\\\\\"}]}\n{\"c\":null}\n{\"d\":\"\xc3\xa4\xc3\xa4\"}\n{}\n";

    for (size_t step = 1; step <= strlen(text); step++) {
        g_autofree char *got = values(text, step);
        cr_expect_str_eq(got, want, "in pieces of %zu octets: %s", step, got);
    }
}

Test(frame, a_number_that_is_too_large_for_an_integer_is_a_string_of_its_digits)
{
    g_autofree char *got = values("{\"a\":18446744073709551615,\"b\":[9223372036854775807,-9223372036854775808,"
                                  "-9223372036854775809],\"c\":\"18446744073709551615\",\"d\":0.12345678901234567890}",
                                  7);

    cr_expect(g_str_has_prefix(got, "{\"a\":\"18446744073709551615\",\"b\":[9223372036854775807,-9223372036854775808,"
                                    "\"-9223372036854775809\"],\"c\":\"18446744073709551615\",\"d\":0.12345"),
              "%s", got);
}

Test(frame, what_is_no_object_is_refused_at_its_first_octet)
{
    static const char *const texts[] = {"hello", "[]", "\"a\"", "1", "}", "\xff", "{}]", "\x01"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        peer_expect_error(wrong(texts[i], 1000, 10), LIBQMP_ERROR_PROTOCOL, NULL);
    peer_expect_error(wrong("SSH-2.0-x\r\nmore", 1000, 10), LIBQMP_ERROR_PROTOCOL,
                      "the peer does not speak QMP: a JSON object is expected: SSH-2.0-x\\x0d");
}

Test(frame, what_is_no_json_is_refused_when_it_ends)
{
    static const char *const texts[] = {"{a}",
                                        "{\"a\":}",
                                        "{\"a\":1,}",
                                        "{\"a\" 1}",
                                        "{\"a\":[1}]",
                                        "{\"a\":1,\"a\":2}",
                                        "{\"a\":\"\xff\"}",
                                        "{\"a\":01}",
                                        "{\"a\":\"\\ud800\"}"};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        peer_expect_error(wrong(texts[i], 1000, 10), LIBQMP_ERROR_PROTOCOL, NULL);
}

Test(frame, a_value_may_be_as_large_and_as_deep_as_allowed_and_not_more)
{
    cr_expect_null(wrong("{\"a\":\"345\"}", 11, 1));
    peer_expect_error(wrong("{\"a\":\"3456\"}", 11, 1), LIBQMP_ERROR_LIMIT,
                      "what the peer sends is larger than 11 octets");
    cr_expect_null(wrong("{\"a\":[{}]}", 100, 3));
    peer_expect_error(wrong("{\"a\":[{\"b\":[", 100, 3), LIBQMP_ERROR_LIMIT,
                      "what the peer sends is nested deeper than 3 levels");
}

Test(frame, the_room_of_a_large_value_is_given_back)
{
    Frame frame;
    size_t room;
    g_autofree char *many = g_strnfill(4 << 20, ' ');

    frame_init(&frame, 8 << 20, 10);
    put(&frame, "{", 1);
    put(&frame, many, 4 << 20);
    cr_expect_null(frame_next(&frame, NULL));
    put(&frame, "}", 1);
    json_t *value = frame_next(&frame, NULL);
    cr_expect(json_is_object(value));
    json_decref(value);
    frame_room(&frame, &room);
    cr_expect_lt(frame.capacity, 1 << 20);
    frame_done(&frame);
}
