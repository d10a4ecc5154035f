/* test-uuid.c: UUIDs as octets and text. */
#include <criterion/criterion.h>
#include <string.h>

#include "visitors/uuid.h"

static const uint8_t octets[UUID_OCTETS] = {0xf8, 0x1d, 0x4f, 0xae, 0x7d, 0xec, 0x11, 0xd0,
                                            0xa7, 0x65, 0x00, 0xa0, 0xc9, 0x1e, 0x6b, 0xf6};

/* RFC 4122, section 3 */
Test(uuid, the_example_of_the_rfc_is_written_and_read_in_either_case)
{
    char text[UUID_TEXT];
    uint8_t back[UUID_OCTETS] = {0};

    uuid_text(octets, text);
    cr_assert_str_eq(text, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
    cr_assert(uuid_parse(text, back));
    cr_assert_arr_eq(back, octets, UUID_OCTETS);
    cr_assert(uuid_parse("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6", back));
    cr_assert_arr_eq(back, octets, UUID_OCTETS);
}

Test(uuid, other_text_is_none_and_changes_nothing)
{
    static const char *const wrong[] = {"",
                                        "f81d4fae",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6bf67",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6 ",
                                        "f81d4fae7dec11d0a76500a0c91e6bf6",
                                        "f81d4fae-7dec-11d0-a765_00a0c91e6bf6",
                                        "g81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                                        "{81d4fae-7dec-11d0-a765-00a0c91e6bf6"};
    uint8_t uuid[UUID_OCTETS];

    memcpy(uuid, octets, sizeof uuid);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert_not(uuid_parse(wrong[i], uuid), "%s", wrong[i]);
    cr_assert_arr_eq(uuid, octets, UUID_OCTETS);
}

Test(uuid, a_new_one_is_of_version_4_and_none_is_like_another)
{
    uint8_t a[UUID_OCTETS], b[UUID_OCTETS];
    static const uint8_t none[UUID_OCTETS];

    uuid_random(a);
    uuid_random(b);
    cr_assert_neq(memcmp(a, b, sizeof a), 0);
    cr_assert_eq(a[6] >> 4, 4);
    cr_assert_eq(a[8] >> 6, 2);
    cr_assert(uuid_is_null(none));
    cr_assert_not(uuid_is_null(a));
}
