/* test-chardev-mux.c: several on one line. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/chardev/chardev.h"

typedef struct User {
    Chardev *c;
    GString *got;
    size_t room;
    unsigned opened, breaks;
} User;

typedef struct Rig {
    Chardev *line;
    ChardevMux *mux;
    User users[2];
    unsigned quits;
} Rig;

static size_t can_receive(void *opaque)
{
    return ((User *)opaque)->room;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    g_string_append_len(((User *)opaque)->got, (const char *)data, (gssize)len);
}

static void event(void *opaque, ChardevEvent what)
{
    ((User *)opaque)->opened += what == CHARDEV_OPENED;
    ((User *)opaque)->breaks += what == CHARDEV_BREAK;
}

static void quit(void *opaque)
{
    ((Rig *)opaque)->quits++;
}

static const ChardevFront user_front = {.can_receive = can_receive, .receive = receive, .event = event};

static void rig_init(Rig *rig)
{
    *rig = (Rig){.line = chardev_new_memory(&(ChardevHome){.label = "line"}, &(ChardevMemory){.size = 4096})};
    rig->mux = chardev_mux_new(rig->line, quit, rig);
    for (int i = 0; i < 2; i++) {
        User *u = &rig->users[i];
        u->room = SIZE_MAX;
        u->got = g_string_new(NULL);
        u->c = chardev_mux_add(rig->mux, &(ChardevHome){.label = i ? "monitor" : "serial0"});
        chardev_set_front(u->c, &user_front, u);
    }
}

static void rig_done(Rig *rig)
{
    for (int i = 0; i < 2; i++) {
        chardev_free(rig->users[i].c);
        g_string_free(rig->users[i].got, TRUE);
    }
    chardev_mux_free(rig->mux);
    chardev_free(rig->line);
}

static void type(Rig *rig, const char *keys)
{
    chardev_memory_feed(rig->line, keys, strlen(keys));
}

static char *shown(Rig *rig)
{
    char text[4096] = {0};

    chardev_memory_read(rig->line, text, sizeof text - 1);
    return g_strdup(text);
}

Test(chardev_mux, keys_go_to_the_first_until_control_a_c_gives_them_to_the_next_and_in_a_circle)
{
    Rig rig;

    rig_init(&rig);
    type(&rig, "ab\001ccd\001cef");
    cr_assert_str_eq(rig.users[0].got->str, "abef");
    cr_assert_str_eq(rig.users[1].got->str, "cd");
    rig_done(&rig);
}

Test(chardev_mux, an_end_is_open_from_when_it_first_has_the_keys)
{
    Rig rig;

    rig_init(&rig);
    cr_assert_eq(rig.users[0].opened, 1);
    cr_assert_eq(rig.users[1].opened, 0);
    chardev_write(rig.users[1].c, "early", 5);
    g_autofree char *before = shown(&rig);
    cr_assert_str_eq(before, "");
    type(&rig, "\001c\001c");
    cr_assert_eq(rig.users[0].opened, 1);
    cr_assert_eq(rig.users[1].opened, 1);
    chardev_write(rig.users[1].c, "late", 4);
    g_autofree char *after = shown(&rig);
    cr_assert_not_null(strstr(after, "late"), "also without the keys");
    rig_done(&rig);
}

Test(chardev_mux, control_a_has_a_help_a_break_an_end_and_itself)
{
    Rig rig;

    rig_init(&rig);
    type(&rig, "\001\001");
    cr_assert_str_eq(rig.users[0].got->str, "\001");
    type(&rig, "\001b");
    cr_assert_eq(rig.users[0].breaks, 1);
    cr_assert_eq(rig.users[1].breaks, 0);
    type(&rig, "\001h");
    g_autofree char *help = shown(&rig);
    cr_assert_not_null(strstr(help, "Ctrl-A x"));
    type(&rig, "\001x");
    cr_assert_eq(rig.quits, 1);
    rig_done(&rig);
}

Test(chardev_mux, an_end_that_takes_nothing_does_not_keep_the_keys)
{
    Rig rig;

    rig_init(&rig);
    rig.users[0].room = 0;
    type(&rig, "kept\001cmonitor");
    cr_assert_str_eq(rig.users[0].got->str, "");
    cr_assert_str_eq(rig.users[1].got->str, "monitor");
    rig.users[0].room = 3;
    chardev_accept_input(rig.users[0].c);
    cr_assert_str_eq(rig.users[0].got->str, "kept");
    rig_done(&rig);
}

Test(chardev_mux, more_than_an_end_keeps_waits_in_the_line)
{
    g_autoptr(GString) many = g_string_new(NULL);
    Rig rig;

    rig_init(&rig);
    rig.users[0].room = 0;
    for (int i = 0; i < 100; i++)
        g_string_append_c(many, (char)('A' + i % 26));
    type(&rig, many->str);
    rig.users[0].room = SIZE_MAX;
    chardev_accept_input(rig.users[0].c);
    cr_assert_str_eq(rig.users[0].got->str, many->str);
    rig_done(&rig);
}

Test(chardev_mux, there_is_room_for_four)
{
    Rig rig;

    rig_init(&rig);
    Chardev *third = chardev_mux_add(rig.mux, &(ChardevHome){.label = "3"});
    Chardev *fourth = chardev_mux_add(rig.mux, &(ChardevHome){.label = "4"});
    cr_assert_not_null(fourth);
    cr_assert_null(chardev_mux_add(rig.mux, &(ChardevHome){.label = "5"}));
    chardev_free(third);
    type(&rig, "\001c\001cx");
    cr_assert_eq(rig.users[1].got->len, 0, "the third is gone, the fourth is next");
    chardev_free(fourth);
    rig_done(&rig);
}
