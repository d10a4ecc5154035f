/*
 * test-stream.c: QEMUFile streams that were changed, and what is said of them.
 *
 * The cases are those of which it was measured what QEMU 7.2 does (most of them it takes without a word).
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/recordings.h"

static const char *const recording = "a2-kvm-min-ownbios.mig";

/* Where a section's marker is: its head has the name behind marker, id and length. */
static size_t section_at(const ByteOut *s, const char *name)
{
    size_t len = strlen(name);

    for (size_t i = 6; i + len < s->len; i++)
        if (s->data[i - 1] == len && memcmp(s->data + i, name, len) == 0 &&
            (s->data[i - 6] == 1 || s->data[i - 6] == 4))
            return i - 6;
    g_error("no section %s", name);
}

/* Replaces `old` octets at `at` with `len` others. */
static void splice(ByteOut *s, size_t at, size_t old, const void *octets, size_t len)
{
    ByteOut out = {0};

    byte_out_put(&out, s->data, at);
    byte_out_put(&out, octets, len);
    byte_out_put(&out, s->data + at + old, s->len - at - old);
    byte_out_done(s);
    *s = out;
}

/* --- the changes ------------------------------------------------------------------------------------------------ */

static void magic(ByteOut *s)
{
    s->data[0] = 'X';
}

static void old_version(ByteOut *s)
{
    s->data[7] = 2;
}

static void new_version(ByteOut *s)
{
    s->data[7] = 4;
}

static void no_configuration(ByteOut *s)
{
    splice(s, 8, 1 + 4 + 13, "", 0);
}

static void machine_name_of_4_gib(ByteOut *s)
{
    memset(s->data + 9, 0xff, 4);
}

static void unknown_configuration_subsection(ByteOut *s)
{
    splice(s, 8 + 1 + 4 + 13, 0,
           "\x05\x11"
           "configuration/foo"
           "\0\0\0\x01",
           2 + 17 + 4);
}

static void newer_configuration_subsection(ByteOut *s)
{
    splice(s, 8 + 1 + 4 + 13, 0,
           "\x05\x1e"
           "configuration/target-page-bits"
           "\0\0\0\x02\0\0\0\x0c",
           2 + 30 + 8);
}

static void ram_version_5(ByteOut *s)
{
    s->data[section_at(s, "ram") + 6 + 3 + 4 + 3] = 5;
}

static void ram_not_started(ByteOut *s)
{
    /* START: head, list of blocks, EOS, footer; PART follows */
    size_t at = section_at(s, "ram"), len = 0;

    while (!(s->data[at + len] == 0x7e && load_be32(s->data + at + len + 1) == 2 && s->data[at + len + 5] == 2))
        len++;
    splice(s, at, len + 5, "", 0);
}

static void unknown_part(ByteOut *s)
{
    size_t at = section_at(s, "ram");

    while (!(s->data[at] == 0x7e && load_be32(s->data + at + 1) == 2 && s->data[at + 5] == 2))
        at++;
    s->data[at + 9] = 99;
}

static void footer_mark(ByteOut *s)
{
    s->data[section_at(s, "pcspk") - 5] = 0x7f; /* of the section in front of it */
}

static void footer_id(ByteOut *s)
{
    s->data[section_at(s, "pcspk") - 1] ^= 0x40;
}

static void section_mark(ByteOut *s)
{
    s->data[section_at(s, "i8254")] = 9;
}

static void name_length(ByteOut *s)
{
    s->data[section_at(s, "i8254") + 5] = 0;
}

static void no_end_mark(ByteOut *s)
{
    char *text = memmem(s->data, s->len, "{\"page_size\"", 12);

    splice(s, (size_t)(text - (char *)s->data) - 6, 1, "", 0);
}

static void unknown_command(ByteOut *s)
{
    splice(s, section_at(s, "timer"), 0, "\x08\0\x63\0\0", 5);
}

static void short_ping(ByteOut *s)
{
    splice(s, section_at(s, "timer"), 0,
           "\x08\0\x02\0\x03"
           "abc",
           8);
}

static void package_in_package(ByteOut *s)
{
    splice(s, section_at(s, "timer"), 0, "\x08\0\x07\0\x04\0\0\x10\0\x08\0\x07\0\x04\0\0\0\0", 18);
}

static void package_too_large(ByteOut *s)
{
    splice(s, section_at(s, "timer"), 0, "\x08\0\x07\0\x04\xff\0\0\0", 9);
}

static void package_too_small(ByteOut *s)
{
    splice(s, section_at(s, "timer"), 0, "\x08\0\x07\0\x04\0\0\0\x08", 9);
}

static void no_device_id(ByteOut *s)
{
    s->data[section_at(s, "i8254") + 6 + 5 + 4] = 0xff;
}

static void empty(ByteOut *s)
{
    s->len = 0;
}

static void check_refused(void (*change)(ByteOut *), FerryError code, const char *wanted)
{
    static const StreamSinkOps nobody = {.header = NULL};
    StreamSink sink = {.ops = &nobody};
    g_autoptr(GError) error = NULL;
    ByteOut s = {0};

    recording_read(recording, &s);
    change(&s);
    cr_assert_not(load_stream(&s, STREAM_MACHINE, &sink, &error), "accepted; wanted: %s", wanted);
    cr_assert_str_eq(error->message, wanted);
    cr_assert(g_error_matches(error, FERRY_ERROR, (int)code), "%s has code %d", error->message, error->code);
    byte_out_done(&s);
}

Test(stream, what_is_wrong_with_the_header_is_named)
{
    check_refused(magic, FERRY_ERROR_DAMAGED, "header @0x0: the magic is 0x5845564d, not 0x5145564d (\"QEVM\")");
    check_refused(old_version, FERRY_ERROR_UNSUPPORTED, "header @0x0: the stream has version 2, this program reads 3");
    check_refused(new_version, FERRY_ERROR_UNSUPPORTED, "header @0x0: the stream has version 4, this program reads 3");
    check_refused(empty, FERRY_ERROR_CUT, "header @0x0: the input ends at 0x0");
}

Test(stream, what_is_wrong_with_the_configuration_is_named)
{
    check_refused(machine_name_of_4_gib, FERRY_ERROR_DAMAGED,
                  "configuration.name @0x9: len says 4294967295 elements, there is room for 256");
    check_refused(
        unknown_configuration_subsection, FERRY_ERROR_MISMATCH,
        "configuration.configuration/foo @0x1a: the stream has this subsection, the destination does not know it");
    check_refused(
        newer_configuration_subsection, FERRY_ERROR_MISMATCH,
        "configuration.configuration/target-page-bits @0x1a: the stream has version 2, the destination only knows up to 1");
}

Test(stream, what_is_wrong_with_the_frame_is_named_with_the_section)
{
    check_refused(ram_version_5, FERRY_ERROR_UNSUPPORTED, "ram @0x1a: the section has version 5, this program reads 4");
    check_refused(ram_not_started, FERRY_ERROR_DAMAGED, "section @0x1a: a part of section id 2, which was not started");
    check_refused(unknown_part, FERRY_ERROR_DAMAGED, "section @0xc4: a part of section id 99, which was not started");
    check_refused(section_mark, FERRY_ERROR_DAMAGED, "section @0x18460: octet 0x09 starts no section");
    check_refused(name_length, FERRY_ERROR_DAMAGED, "section @0x18460: \"\" is no section's name");
    check_refused(footer_mark, FERRY_ERROR_DAMAGED, "i8254 @0x18460: no footer at 0x184df, but octet 0x7f");
    check_refused(footer_id, FERRY_ERROR_DAMAGED, "i8254 @0x18460: the footer at 0x184df is of section id 85, not 21");
    check_refused(no_device_id, FERRY_ERROR_DAMAGED, "i8254 @0x18460: version 0xff000003 is none");
    check_refused(no_end_mark, FERRY_ERROR_DAMAGED, "section @0x1a6b1: octet 0x06 starts no section");
}

Test(stream, what_is_wrong_with_a_command_is_named)
{
    check_refused(unknown_command, FERRY_ERROR_DAMAGED, "command @0x17419: there is no command 99");
    check_refused(short_ping, FERRY_ERROR_DAMAGED, "PING @0x17419: the command has 3 octets, not 4");
    check_refused(package_in_package, FERRY_ERROR_DAMAGED, "PACKAGED @0x17422: a package inside a package");
    check_refused(package_too_large, FERRY_ERROR_LIMIT,
                  "PACKAGED @0x17419: the package has 4278190080 octets, at most 33554432 are allowed");
    check_refused(package_too_small, FERRY_ERROR_DAMAGED,
                  "PACKAGED @0x17422: an element goes past the package's end at 0x1742a");
}

Test(stream, without_a_configuration_the_rest_is_read)
{
    static const StreamSinkOps nobody = {.header = NULL};
    StreamSink sink = {.ops = &nobody};
    g_autoptr(GError) error = NULL;
    ByteOut s = {0};

    recording_read(recording, &s);
    no_configuration(&s);
    cr_assert(load_stream(&s, STREAM_MACHINE, &sink, &error), "%s", error ? error->message : "");
    byte_out_done(&s);
}

/* --- changes that leave a stream that can be read, and must come back ------------------------------------------- */

static void check_comes_back(void (*change)(ByteOut *))
{
    ByteOut s = {0}, ber = {0}, back = {0};
    g_autoptr(GError) error = NULL;

    recording_read(recording, &s);
    change(&s);
    cr_assert(convert_to_ber(&s, STREAM_MACHINE, false, &ber, &error), "%s", error ? error->message : "");
    cr_assert(convert_to_qemufile(&ber, &back, &error), "%s", error ? error->message : "");
    cr_assert(same_octets(&s, &back));
    byte_out_done(&s);
    byte_out_done(&ber);
    byte_out_done(&back);
}

static void bool_of_two(ByteOut *s)
{
    char *p = memmem(s->data, s->len, "kvmclock/clock_is_reliable", 26);

    p[26 + 4] = 2;
}

static void pad_not_zero(ByteOut *s)
{
    memset(s->data + section_at(s, "timer") + 6 + 5 + 8 + 8, 0xff, 8);
}

static void fill_not_zero(ByteOut *s)
{
    uint8_t *p = memmem(s->data, s->len, "\x02\x06pc.ram\0", 9);

    p[8] = 0x41;
}

static void description_of_garbage(ByteOut *s)
{
    char *text = memmem(s->data, s->len, "{\"page_size\": 4096, \"devices\": [", 32);

    text[31] = ' ';
    memset(text + 32, ' ', 10);
}

static void description_with_blanks(ByteOut *s)
{
    char *text = memmem(s->data, s->len, "\"devices\": [", 12);

    text[-1] = '\n';
}

static void octets_behind_the_end(ByteOut *s)
{
    byte_out_put(s, "and more", 8);
}

static void section_twice(ByteOut *s)
{
    size_t at = section_at(s, "i8254"), next = section_at(s, "pcspk");
    g_autofree uint8_t *copy = g_memdup2(s->data + at, next - at);

    splice(s, next, 0, copy, next - at);
}

static void section_left_out(ByteOut *s)
{
    size_t at = section_at(s, "i8254"), next = section_at(s, "pcspk");

    splice(s, at, next - at, "", 0);
}

static void section_renamed(ByteOut *s)
{
    s->data[section_at(s, "i8254") + 6 + 4] = '5';
}

static void section_of_another_version(ByteOut *s)
{
    s->data[section_at(s, "i8254") + 6 + 5 + 4 + 3] = 2;
}

static void section_longer(ByteOut *s)
{
    splice(s, section_at(s, "pcspk") - 5, 0, "x", 1);
}

Test(stream, odd_but_readable_streams_come_back_octet_for_octet)
{
    check_comes_back(bool_of_two);
    check_comes_back(pad_not_zero);
    check_comes_back(fill_not_zero);
    check_comes_back(description_with_blanks);
    check_comes_back(octets_behind_the_end);
    check_comes_back(section_twice);
    check_comes_back(section_left_out);
    check_comes_back(section_renamed);
    check_comes_back(section_of_another_version);
    check_comes_back(section_longer);
    check_comes_back(no_configuration);
}

Test(stream, a_description_that_cannot_be_read_is_told_at_the_end)
{
    ByteOut s = {0}, ber = {0}, back = {0};
    g_autoptr(GError) error = NULL;

    recording_read(recording, &s);
    description_of_garbage(&s);
    cr_assert_not(convert_to_ber(&s, STREAM_MACHINE, false, &ber, &error));
    cr_assert_not_null(strstr(error->message, "JSON description @0x"), "%s", error->message);
    cr_assert(convert_to_qemufile(&ber, &back, NULL));
    cr_assert(same_octets(&s, &back), "and nothing is lost");
    byte_out_done(&s);
    byte_out_done(&ber);
    byte_out_done(&back);
}
