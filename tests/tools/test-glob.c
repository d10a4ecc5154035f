/* test-glob.c: patterns of names. */
#include <criterion/criterion.h>
#include <string.h>

/* A tool is no library to link with. */
#include "tools/common/glob.c"

Test(glob, stars_and_question_marks_stand_for_characters)
{
    static const char *const fits[][2] = {
        {"", ""},
        {"*", ""},
        {"*", "abc"},
        {"abc", "abc"},
        {"a?c", "abc"},
        {"a*", "a"},
        {"a*", "abc"},
        {"*c", "abc"},
        {"a*c", "abbbc"},
        {"*b*", "abc"},
        {"**", "abc"},
        {"a**c", "ac"},
        {"*ab", "aab"},
        {"*a?b*", "xaaybz"},
        {"?", "\303\244"},
        {"a?b", "a\303\244b"},
        {"*?b", "\303\244b"},
        {"cpu*.segs[*", "cpu[3].segs[1].base"},
    };
    static const char *const fits_not[][2] = {
        {"", "a"},    {"a", ""},     {"?", ""},      {"abc", "abcd"},    {"abcd", "abc"}, {"a?c", "ac"},
        {"*c", "ab"}, {"a*c", "ab"}, {"*b*", "aca"}, {"??", "\303\244"}, {"a[bc]", "ab"},
    };

    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++)
        cr_assert(glob_fits(fits[i][0], fits[i][1]), "%s does not fit %s", fits[i][0], fits[i][1]);
    for (size_t i = 0; i < sizeof fits_not / sizeof *fits_not; i++)
        cr_assert_not(glob_fits(fits_not[i][0], fits_not[i][1]), "%s fits %s", fits_not[i][0], fits_not[i][1]);
}

/* With a try for each way to share the text between the stars this would not end. */
Test(glob, many_stars_do_not_multiply, .timeout = 20)
{
    char text[1024];

    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    cr_assert_not(glob_fits("*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
    cr_assert(glob_fits("*a*a*a*a*a*a*a*a*a*a*a*a*", text));
}

Test(glob, octets_that_are_not_utf_8_do_not_lead_behind_the_end)
{
    cr_assert(glob_fits("a?", "a\360"));
    cr_assert_not(glob_fits("a??", "a\360"));
    cr_assert(glob_fits("*?", "\277\277\277"));
}
