/* test-section.c: a load is all or nothing, and the hooks are called when they should be. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/zoo.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "vmstate/section.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

/* A device whose state lives elsewhere, and who remembers what was done to it. */
typedef struct Lamp {
    uint32_t brightness; /* at most 100 */
    char *label;
} Lamp;

typedef struct LampDevice {
    Lamp state;
    uint32_t hardware;
    unsigned pulls, pushes;
    bool broken;
} LampDevice;

static bool lamp_pull(void *opaque, GError **error)
{
    LampDevice *d = opaque;

    d->pulls++;
    d->state.brightness = d->hardware;
    if (d->broken)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "the lamp does not answer");
    return !d->broken;
}

static bool lamp_check(const void *state, GError **error)
{
    const Lamp *lamp = state;

    if (lamp->brightness <= 100)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "brightness: %u is more than 100", lamp->brightness);
    return false;
}

static void lamp_push(void *opaque)
{
    LampDevice *d = opaque;

    d->pushes++;
    d->hardware = d->state.brightness;
}

static const VMStateField lamp_fields[] = {
    VMS_FIELD(Lamp, brightness),
    VMS_TEXT(Lamp, label, .flags = VMS_DEFAULTABLE),
    VMS_END,
};

static const VMStateDescription lamp_state = {
    .name = "lamp",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Lamp),
    .fields = lamp_fields,
    .pull = lamp_pull,
    .check = lamp_check,
    .push = lamp_push,
};

typedef struct Board {
    LampDevice lamps[2];
    SectionList *sections;
} Board;

static void board_init(Board *board)
{
    *board = (Board){.sections = section_list_new()};
    for (uint32_t i = 0; i < 2; i++) {
        Section s = {
            .name = "lamp",
            .instance = i,
            .alias_instance = 0x20 + i,
            .desc = &lamp_state,
            .state = &board->lamps[i].state,
            .opaque = &board->lamps[i],
        };
        section_list_add(board->sections, &s);
    }
}

static void board_done(Board *board)
{
    for (int i = 0; i < 2; i++)
        vms_state_done(&lamp_state, &board->lamps[i].state);
    section_list_free(board->sections);
}

static bool load_octets(SectionLoad *load, const Section *section, const ByteOut *octets, GError **error)
{
    g_autoptr(ChanIn) in = chan_in_new_memory(octets->data, octets->len, 0);

    return section_load_one(load, section, qemufile_in_new(in, section->name), 1, NULL, error);
}

static void lamp_octets(ByteOut *out, uint32_t brightness, const char *label)
{
    byte_out_be32(out, brightness);
    byte_out_str8(out, label);
}

Test(section, is_found_by_instance_and_by_alias)
{
    Board board;

    board_init(&board);
    cr_assert_eq(section_list_find(board.sections, "lamp", 1), section_list_get(board.sections, 1));
    cr_assert_eq(section_list_find(board.sections, "lamp", 0x21), section_list_get(board.sections, 1));
    cr_assert_null(section_list_find(board.sections, "lamp", 2));
    cr_assert_null(section_list_find(board.sections, "torch", 0));
    board_done(&board);
}

Test(section, a_save_pulls_first)
{
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};
    Board board;

    board_init(&board);
    board.lamps[0].hardware = 42;
    cr_assert(section_save(section_list_get(board.sections, 0), qemufile_out_new(&out, "lamp"), &error));
    cr_assert_eq(board.lamps[0].pulls, 1);
    cr_assert_eq(load_be32(out.data), 42);
    board.lamps[1].broken = true;
    cr_assert_not(section_save(section_list_get(board.sections, 1), qemufile_out_new(&out, "lamp"), &error));
    cr_assert_str_eq(error->message, "lamp: the lamp does not answer");
    byte_out_done(&out);
    board_done(&board);
}

Test(section, a_load_changes_nothing_before_the_commit)
{
    ByteOut octets = {0};
    Board board;

    board_init(&board);
    board.lamps[0].state.label = g_strdup("old");
    lamp_octets(&octets, 50, "new");
    SectionLoad *load = section_load_new(board.sections);
    cr_assert(load_octets(load, section_list_get(board.sections, 0), &octets, NULL));
    cr_assert_eq(board.lamps[0].state.brightness, 0);
    cr_assert_str_eq(board.lamps[0].state.label, "old");
    section_load_free(load); /* thought better of it */
    cr_assert_str_eq(board.lamps[0].state.label, "old");
    cr_assert_eq(board.lamps[0].pushes, 0);

    load = section_load_new(board.sections);
    cr_assert(load_octets(load, section_list_get(board.sections, 0), &octets, NULL));
    cr_assert(section_load_commit(load, NULL));
    section_load_free(load);
    cr_assert_str_eq(board.lamps[0].state.label, "new");
    cr_assert_eq(board.lamps[0].hardware, 50);
    cr_assert_eq(board.lamps[0].pushes, 1);
    byte_out_done(&octets);
    board_done(&board);
}

Test(section, one_unsound_copy_leaves_all_as_they_were)
{
    ByteOut fine = {0}, unsound = {0};
    g_autoptr(GError) error = NULL;
    Board board;

    board_init(&board);
    lamp_octets(&fine, 50, "fine");
    lamp_octets(&unsound, 101, "too bright");
    SectionLoad *load = section_load_new(board.sections);
    cr_assert(load_octets(load, section_list_get(board.sections, 0), &fine, NULL));
    cr_assert(load_octets(load, section_list_get(board.sections, 1), &unsound, NULL));
    cr_assert_not(section_load_commit(load, &error));
    cr_assert_str_eq(error->message, "lamp: brightness: 101 is more than 100");
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(board.lamps[i].state.brightness, 0);
        cr_assert_null(board.lamps[i].state.label);
        cr_assert_eq(board.lamps[i].pushes, 0);
    }
    byte_out_done(&fine);
    byte_out_done(&unsound);
    section_load_free(load);
    board_done(&board);
}

Test(section, a_section_that_does_not_come_is_told_and_keeps_its_state)
{
    ByteOut octets = {0};
    Board board;

    board_init(&board);
    board.lamps[1].state.brightness = 7;
    lamp_octets(&octets, 50, "");
    SectionLoad *load = section_load_new(board.sections);
    cr_assert(load_octets(load, section_list_get(board.sections, 0), &octets, NULL));
    g_autofree const Section **missing = section_load_missing(load);
    cr_assert_eq(missing[0], section_list_get(board.sections, 1));
    cr_assert_null(missing[1]);
    cr_assert(section_load_commit(load, NULL));
    cr_assert_eq(board.lamps[1].state.brightness, 7);
    cr_assert_eq(board.lamps[1].pushes, 0, "what did not come is not pushed");
    byte_out_done(&octets);
    section_load_free(load);
    board_done(&board);
}

Test(section, what_the_stream_lacks_has_its_reset_value)
{
    static const VMStateField dim_fields[] = {VMS_FIELD(Lamp, brightness), VMS_END};
    static const VMStateDescription dim_state = {
        .name = "lamp", .version = 1, .minimum = 1, .size = sizeof(Lamp), .fields = dim_fields};
    Lamp reset = {.brightness = 1, .label = (char *)"reset"}, live = {.brightness = 3, .label = g_strdup("live")};
    Section s = {.name = "lamp", .alias_instance = -1, .desc = &lamp_state, .state = &live, .reset_state = &reset};
    LampDevice device = {.hardware = 0};
    ByteOut out = {0};

    s.opaque = &device;
    g_autoptr(SectionList) list = section_list_new();
    section_list_add(list, &s);
    g_autoptr(Visitor) writer = ber_out_new(&out, "lamp", BER_CONTEXT, 0);
    vmstate_save(writer, &dim_state, &(Lamp){.brightness = 9});
    cr_assert(visit_finish(writer, NULL));
    g_autoptr(SectionLoad) load = section_load_new(list);
    cr_assert(section_load_one(load, section_list_get(list, 0),
                               ber_in_new(out.data, out.len, 0, "lamp", BER_CONTEXT, 0), 1, &dim_state, NULL));
    cr_assert(section_load_commit(load, NULL));
    cr_assert_eq(live.brightness, 9);
    cr_assert_str_eq(live.label, "reset");
    byte_out_done(&out);
    vms_state_done(&lamp_state, &live);
}

Test(section, a_section_that_comes_again_replaces_the_first)
{
    ByteOut first = {0}, second = {0};
    Board board;

    board_init(&board);
    lamp_octets(&first, 1, "first");
    lamp_octets(&second, 2, "second");
    SectionLoad *load = section_load_new(board.sections);
    cr_assert(load_octets(load, section_list_get(board.sections, 0), &first, NULL));
    cr_assert(load_octets(load, section_list_get(board.sections, 0), &second, NULL));
    cr_assert(section_load_commit(load, NULL));
    cr_assert_str_eq(board.lamps[0].state.label, "second");
    byte_out_done(&first);
    byte_out_done(&second);
    section_load_free(load);
    board_done(&board);
}
