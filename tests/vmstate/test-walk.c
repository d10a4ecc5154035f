/* test-walk.c: one walker, every kind of field, every format, both directions. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/zoo.h"
#include "tests/vmstate/walk-format.h"
#include "visitors/text-out.h"
#include "visitors/trace.h"

enum { ROUNDS = 300 };

static Zoo *random_zoo(GRand *rand)
{
    Zoo *zoo = vms_state_new(&zoo_state);

    zoo_fill(&zoo_state, zoo, rand);
    return zoo;
}

/* --- there and back --------------------------------------------------------------------------------------------- */

static void check_round_trip(Format format, const VMStateDescription *stream)
{
    GRand *rand = g_rand_new_with_seed(1);

    for (int i = 0; i < ROUNDS; i++) {
        Zoo *zoo = random_zoo(rand), *again = vms_state_new(&zoo_state);
        g_autoptr(GError) error = NULL;
        ByteOut out = {0};
        save(&zoo_state, zoo, format, &out);
        cr_assert(load(&zoo_state, again, 3, format, &out, stream, &error), "round %d: %s", i,
                  error ? error->message : "");
        cr_assert(vms_state_equal(&zoo_state, zoo, again), "round %d: the state changed", i);
        byte_out_done(&out);
        vms_state_free(&zoo_state, zoo);
        vms_state_free(&zoo_state, again);
    }
    g_rand_free(rand);
}

Test(walk, a_random_state_survives_qemufile)
{
    check_round_trip(QEMUFILE, NULL);
}

Test(walk, a_random_state_survives_ber_by_position)
{
    check_round_trip(BER, NULL);
}

Test(walk, a_random_state_survives_ber_by_name)
{
    check_round_trip(BER, &zoo_state);
}

Test(walk, the_legacy_size_is_what_is_written)
{
    GRand *rand = g_rand_new_with_seed(2);

    for (int i = 0; i < ROUNDS; i++) {
        Zoo *zoo = random_zoo(rand);
        ByteOut out = {0};
        save(&zoo_state, zoo, QEMUFILE, &out);
        cr_assert_eq(out.len, vms_state_wire_size(&zoo_state, zoo));
        byte_out_done(&out);
        vms_state_free(&zoo_state, zoo);
    }
    g_rand_free(rand);
}

/* What one side saved and the other loaded leave the same record. */
static void check_symmetry(Format format)
{
    GRand *rand = g_rand_new_with_seed(3);

    for (int i = 0; i < ROUNDS; i++) {
        Zoo *zoo = random_zoo(rand), *again = vms_state_new(&zoo_state);
        ByteOut wire = {0}, saved = {0}, loaded = {0};
        g_autoptr(ChanOut) save_lines = chan_out_new(chan_buf_new(&saved));
        g_autoptr(ChanOut) load_lines = chan_out_new(chan_buf_new(&loaded));
        g_autoptr(Visitor) save_witness = text_out_new(save_lines, "zoo", false);
        g_autoptr(Visitor) load_witness = text_out_new(load_lines, "zoo", false);
        g_autoptr(Visitor) out = out_visitor(format, &wire);
        g_autoptr(Visitor) save_trace = trace_new(out, save_witness);

        vmstate_save(save_trace, &zoo_state, zoo);
        cr_assert(visit_finish(save_trace, NULL));
        g_autoptr(ChanIn) in = chan_in_new_memory(wire.data, wire.len, 0);
        g_autoptr(Visitor) reader = in_visitor(format, &wire, in);
        g_autoptr(Visitor) load_trace = trace_new(reader, load_witness);
        vmstate_load(load_trace, &zoo_state, again, 3, NULL);
        cr_assert(visit_finish(load_trace, NULL));
        chan_out_flush(save_lines);
        chan_out_flush(load_lines);
        cr_assert_gt(saved.len, 1000);
        cr_assert(saved.len == loaded.len && memcmp(saved.data, loaded.data, saved.len) == 0, "round %d", i);
        byte_out_done(&wire);
        byte_out_done(&saved);
        byte_out_done(&loaded);
        vms_state_free(&zoo_state, zoo);
        vms_state_free(&zoo_state, again);
    }
    g_rand_free(rand);
}

Test(walk, saving_and_loading_qemufile_make_the_same_visits)
{
    check_symmetry(QEMUFILE);
}

Test(walk, saving_and_loading_ber_make_the_same_visits)
{
    check_symmetry(BER);
}

/* An array of octets is one visit, of all elements. */
typedef struct Pads {
    uint8_t buffers[3][4], octets[2][3], unused[2][2];
    uint8_t last;
} Pads;

static const VMStateField pads_fields[] = {
    {.name = "buffers", .kind = VMS_BUFFER, .array = true, .offset = offsetof(Pads, buffers), .size = 4, .count = 3},
    {.name = "octets", .kind = VMS_OCTETS, .array = true, .offset = offsetof(Pads, octets), .size = 3, .count = 2},
    {.name = "unused", .kind = VMS_UNUSED, .array = true, .offset = offsetof(Pads, unused), .size = 2, .count = 2},
    {.name = "pads", .kind = VMS_UNUSED, .array = true, .offset = VMS_NOWHERE, .size = 2, .count = 5},
    VMS_FIELD(Pads, last),
    VMS_END,
};

static const VMStateDescription pads_state = {
    .name = "pads",
    .version = 1,
    .size = sizeof(Pads),
    .fields = pads_fields,
};

Test(walk, arrays_of_octets_have_all_their_elements)
{
    Pads pads, again = {.last = 0};

    memset(&pads, 0xab, sizeof pads);
    cr_assert(vms_desc_check(&pads_state, NULL));
    for (Format format = QEMUFILE; format <= BER; format++) {
        g_autoptr(GError) error = NULL;
        ByteOut out = {0};
        save(&pads_state, &pads, format, &out);
        if (format == QEMUFILE)
            cr_assert(out.len == 12 + 6 + 4 + 10 + 1 && out.len == vms_state_wire_size(&pads_state, &pads));
        memset(&again, 0, sizeof again);
        cr_assert(load(&pads_state, &again, 1, format, &out, NULL, &error), "%s", error ? error->message : "");
        cr_assert_arr_eq(&again, &pads, sizeof pads);
        byte_out_done(&out);
    }
}

/* --- input that is wrong ---------------------------------------------------------------------------------------- */

/* Saved with a state that the destination's copy then gets; returns the message of the load. */
static char *message_after(Format format, void (*spoil)(ByteOut *))
{
    GRand *rand = g_rand_new_with_seed(4);
    Zoo *zoo = random_zoo(rand), *again = vms_state_new(&zoo_state);
    GError *error = NULL;
    ByteOut out = {0};

    save(&zoo_state, zoo, format, &out);
    spoil(&out);
    cr_assert_not(load(&zoo_state, again, 3, format, &out, NULL, &error));
    char *message = g_strdup(error->message);
    g_error_free(error);
    byte_out_done(&out);
    vms_state_free(&zoo_state, zoo);
    vms_state_free(&zoo_state, again);
    g_rand_free(rand);
    return message;
}

/* Offsets in the legacy wire of a zoo: 20 base, 1 flag, 1, 2, 4, 8 signed, 1, 2, 4, 8 unsigned, ... */
static void spoil_flag(ByteOut *out)
{
    out->data[20] = 2;
}

Test(walk, a_bool_of_two_is_refused_with_path_and_offset)
{
    g_autofree char *message = message_after(QEMUFILE, spoil_flag);

    cr_assert_str_eq(message, "zoo.flag @0x14: a bool is 0x02, not 0 or 1");
}

Test(walk, a_counter_beyond_the_room_is_refused)
{
    Zoo zoo = {.used = 8}, again = {0};
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};

    save(&zoo_state, &zoo, BER, &out);
    uint8_t *p = memmem(out.data, out.len, "\x02\x01\x08\x30\x18", 5); /* used, and the head of eight zeros */
    cr_assert_not_null(p);
    p[2] = 9;
    cr_assert_not(load(&zoo_state, &again, 3, BER, &out, NULL, &error));
    cr_assert_not_null(strstr(error->message, "zoo.fifo @0x"), "%s", error->message);
    cr_assert_not_null(strstr(error->message, "used says 9 elements, there is room for 8"), "%s", error->message);
    byte_out_done(&out);
    vms_state_done(&zoo_state, &again);
}

Test(walk, every_cut_of_a_state_is_refused_and_leaks_nothing)
{
    GRand *rand = g_rand_new_with_seed(5);
    Zoo *zoo = random_zoo(rand);

    zoo->has_moat = zoo->has_tower = zoo->has_flag_on_tower = true;
    for (Format format = QEMUFILE; format <= BER; format++) {
        ByteOut out = {0};
        save(&zoo_state, zoo, format, &out);
        size_t fields = format == QEMUFILE ? out.len - (2 + 8 + 4 + 4) - (2 + 9 + 4 + 4) - (2 + 14 + 4 + 1) : out.len;
        for (size_t len = 0; len < fields; len++) {
            Zoo *again = vms_state_new(&zoo_state);
            ByteOut part = {.data = out.data, .len = len};
            g_autoptr(GError) error = NULL;
            cr_assert_not(load(&zoo_state, again, 3, format, &part, NULL, &error), "cut at %zu of %zu", len, out.len);
            cr_assert(g_str_has_prefix(error->message, "zoo"), "%s", error->message);
            vms_state_free(&zoo_state, again);
        }
        byte_out_done(&out);
    }
    vms_state_free(&zoo_state, zoo);
    g_rand_free(rand);
}

Test(walk, versions_outside_what_is_known_are_refused)
{
    Zoo zoo = {0}, again = {0};
    g_autoptr(GError) new = NULL;
    g_autoptr(GError) old = NULL;
    ByteOut out = {0};

    save(&zoo_state, &zoo, QEMUFILE, &out);
    cr_assert_not(load(&zoo_state, &again, 4, QEMUFILE, &out, NULL, &new));
    cr_assert_not_null(strstr(new->message, "the stream has version 4, the destination only knows up to 3"), "%s",
                       new->message);
    cr_assert_not(load(&zoo_state, &again, 1, QEMUFILE, &out, NULL, &old));
    cr_assert_not_null(strstr(old->message, "the stream has version 1, the destination needs at least 2"), "%s",
                       old->message);
    byte_out_done(&out);
}

Test(walk, a_field_newer_than_the_stream_keeps_its_value)
{
    Zoo zoo = {.late = 7}, again = {.late = 5};
    ByteOut out = {0};

    save(&zoo_state, &zoo, QEMUFILE, &out);
    /* version 2 has no `late`, which are the last four octets */
    out.len -= 4;
    cr_assert(load(&zoo_state, &again, 2, QEMUFILE, &out, NULL, NULL));
    cr_assert_eq(again.late, 5);
    byte_out_done(&out);
}

/* --- subsections ------------------------------------------------------------------------------------------------ */

static const VMStateField plain_fields[] = {VMS_FIELD(Zoo, u8), VMS_END};

static const VMStateDescription plain_zoo = {
    .name = "zoo",
    .version = 3,
    .minimum = 2,
    .size = sizeof(Zoo),
    .fields = plain_fields,
};

static void check_foreign_subsection(const char *name, const char *wanted)
{
    Zoo again = {0};
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};

    byte_out_u8(&out, 1);
    byte_out_u8(&out, 5);
    byte_out_str8(&out, name);
    byte_out_be32(&out, 1);
    bool ok = load(&plain_zoo, &again, 3, QEMUFILE, &out, NULL, &error);
    cr_assert_eq(ok, !wanted, "%s", error ? error->message : name);
    if (wanted)
        cr_assert_not_null(strstr(error->message, wanted), "%s", error->message);
    byte_out_done(&out);
}

Test(walk, an_unknown_subsection_is_named)
{
    check_foreign_subsection("zoo/aviary",
                             "zoo.zoo/aviary @0x1: the stream has this subsection, the destination does not know it");
}

Test(walk, a_subsection_of_an_outer_struct_is_left_for_it)
{
    check_foreign_subsection("park/aviary", NULL);
}

Test(walk, a_subsection_that_comes_twice_is_refused)
{
    Zoo zoo = {.has_moat = true, .moat_depth = 3}, again = {0};
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};

    save(&zoo_state, &zoo, QEMUFILE, &out);
    g_autofree uint8_t *sub = g_memdup2(out.data + out.len - 18, 18);
    byte_out_put(&out, sub, 18);
    cr_assert_not(load(&zoo_state, &again, 3, QEMUFILE, &out, NULL, &error));
    cr_assert_not_null(strstr(error->message, "the subsection is there twice"), "%s", error->message);
    byte_out_done(&out);
    vms_state_done(&zoo_state, &again);
}

/* --- rules ------------------------------------------------------------------------------------------------------ */

typedef struct Ruled {
    int32_t same, most;
} Ruled;

static const VMStateField ruled_fields[] = {
    VMS_FIELD(Ruled, same, .rule = VMS_EQUAL),
    VMS_FIELD(Ruled, most, .rule = VMS_AT_MOST),
    VMS_END,
};

static const VMStateDescription ruled = {
    .name = "ruled",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Ruled),
    .fields = ruled_fields,
};

static char *ruled_message(Ruled from, Ruled to)
{
    GError *error = NULL;
    ByteOut out = {0};

    save(&ruled, &from, QEMUFILE, &out);
    bool ok = load(&ruled, &to, 1, QEMUFILE, &out, NULL, &error);
    char *message = g_strdup(ok ? "" : error->message);
    g_clear_error(&error);
    byte_out_done(&out);
    return message;
}

Test(walk, a_field_that_must_be_equal_tells_both_values)
{
    g_autofree char *fine = ruled_message((Ruled){2, 1}, (Ruled){2, 2});
    g_autofree char *other = ruled_message((Ruled){2, 1}, (Ruled){1, 2});
    g_autofree char *more = ruled_message((Ruled){2, 3}, (Ruled){2, 2});
    g_autofree char *negative = ruled_message((Ruled){2, -1}, (Ruled){2, 2});

    cr_assert_str_eq(fine, "");
    cr_assert_str_eq(other, "zoo.same @0x0: the stream has 2, the destination 1");
    cr_assert_str_eq(more, "zoo.most @0x4: the stream has 3, the destination takes 0 to 2");
    cr_assert_str_eq(negative, "zoo.most @0x4: the stream has -1, the destination takes 0 to 2");
}
