/* board.c: a machine without processors. */
#include "tests/emu/support/board.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/recordings.h"
#include "tests/support/zoo.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "vmstate/state.h"
#include "vmstate/trailer.h"
#include "vmstate/walk.h"

static int64_t virtual_time(void *opaque)
{
    return ((Board *)opaque)->virtual_ns;
}

static int64_t host_time(void *opaque)
{
    return ((Board *)opaque)->host_ns;
}

static void probe(void *opaque, unsigned n, bool level)
{
    Board *board = opaque;

    board->rises[n] += level && !board->level[n];
    board->level[n] = level;
}

Irq board_probe(Board *board, unsigned n)
{
    cr_assert_lt(n, BOARD_PROBES);
    return (Irq){.handler = probe, .opaque = board, .n = n};
}

Board *board_new(void)
{
    Board *board = g_new0(Board, 1);

    board->host_ns = INT64_C(1700000000) * NS_PER_SECOND;
    board->machine = machine_new(&(MachineClocks){virtual_time, host_time, board});
    for (unsigned n = 0; n < ISA_IRQS; n++)
        board->isa.irq[n] = board_probe(board, n);
    return board;
}

void board_free(Board *board)
{
    if (!board)
        return;
    machine_free(board->machine);
    g_free(board);
}

Device *board_add(Board *board, Device *dev)
{
    g_autoptr(GError) error = NULL;

    cr_assert(device_realize(dev, board->machine, &error), "%s: %s", dev->type->name, error->message);
    return dev;
}

void board_advance(Board *board, int64_t ns)
{
    Machine *m = board->machine;

    while (ns > 0) {
        int64_t to_virtual = clock_deadline(m->virtual_clock) - board->virtual_ns;
        int64_t to_host = clock_deadline(m->host_clock) - board->host_ns;
        int64_t step = MIN(ns, MAX(MIN(to_virtual, to_host), 1));
        board->virtual_ns += step;
        board->host_ns += step;
        ns -= step;
        clock_run(m->virtual_clock);
        clock_run(m->host_clock);
    }
}

/* --- ports ------------------------------------------------------------------------------------------------------ */

uint8_t board_in8(Board *board, uint16_t port)
{
    return (uint8_t)space_read(board->machine->ports, port, 1);
}

uint16_t board_in16(Board *board, uint16_t port)
{
    return (uint16_t)space_read(board->machine->ports, port, 2);
}

uint32_t board_in32(Board *board, uint16_t port)
{
    return (uint32_t)space_read(board->machine->ports, port, 4);
}

void board_out8(Board *board, uint16_t port, uint8_t value)
{
    space_write(board->machine->ports, port, value, 1);
}

void board_out16(Board *board, uint16_t port, uint16_t value)
{
    space_write(board->machine->ports, port, value, 2);
}

void board_out32(Board *board, uint16_t port, uint32_t value)
{
    space_write(board->machine->ports, port, value, 4);
}

/* --- save and load ---------------------------------------------------------------------------------------------- */

static const Section *section_of(const Board *board, const Device *dev)
{
    for (size_t i = 0; i < section_list_length(board->machine->sections); i++)
        if (section_list_get(board->machine->sections, i)->opaque == dev)
            return section_list_get(board->machine->sections, i);
    cr_assert_fail("%s has no section", dev->type->name);
    return NULL;
}

void board_save(Board *board, Device *dev, ByteOut *octets)
{
    const Section *s = section_of(board, dev);
    g_autoptr(GError) error = NULL;

    cr_assert(section_save(s, qemufile_out_new(octets, s->name), &error), "%s", error->message);
}

static bool load_through(Board *board, const Section *s, Visitor *v, int version, const VMStateDescription *stream,
                         GError **error)
{
    g_autoptr(SectionLoad) load = section_load_new(board->machine->sections);

    return section_load_one(load, s, v, version, stream, error) && section_load_commit(load, error);
}

bool board_load(Board *board, Device *dev, const void *octets, size_t len, int version, GError **error)
{
    const Section *s = section_of(board, dev);
    g_autoptr(ChanIn) in = chan_in_new_memory(octets, len, 0);

    if (!load_through(board, s, qemufile_in_new(in, s->name), version, NULL, error))
        return false;
    cr_assert(chan_in_at_end(in), "%s: not all octets were loaded", s->name);
    return true;
}

/* --- recordings ------------------------------------------------------------------------------------------------- */

/* A sink that takes one section out of a stream. */
typedef struct Catch {
    StreamSink sink;
    const Section *wanted;
    bool found;
    int version;
    ByteOut octets;
    GString *description;
} Catch;

static char *describe(const Section *s, const VMStateDescription *desc, const void *state, size_t octets)
{
    g_autoptr(TrailerWriter) w = trailer_writer_new();

    trailer_writer_add(w, s->name, s->instance, desc, state, octets);
    return g_strdup(trailer_writer_end(w)->str);
}

static bool catch_section(StreamSink *sink, const StreamSection *section, GError **error)
{
    Catch *c = (Catch *)sink;

    (void)error;
    if (section->configuration || strcmp(section->name, c->wanted->name) != 0 ||
        section->instance != c->wanted->instance)
        return true;
    c->found = true;
    c->version = section->version;
    if (section->octets) {
        byte_out_put(&c->octets, section->octets, section->len);
    } else {
        g_autoptr(Visitor) v = qemufile_out_new(&c->octets, section->name);
        vmstate_save(v, section->desc, section->state);
        cr_assert(visit_finish(v, NULL));
    }
    g_autofree char *text = describe(c->wanted, section->desc, section->state, section->len);
    g_string_assign(c->description, text);
    return true;
}

static void catch_recorded(const Section *s, const char *recording, Catch *c)
{
    static const StreamSinkOps ops = {.section = catch_section};
    g_autofree char *file = g_strconcat(recording, ".mig", NULL);
    g_autoptr(GError) error = NULL;
    ByteOut stream = {0};

    *c = (Catch){.sink.ops = &ops, .wanted = s, .description = g_string_new(NULL)};
    recording_read(file, &stream);
    cr_assert(load_stream(&stream, STREAM_MACHINE, &c->sink, &error), "%s: %s", recording, error->message);
    cr_assert(c->found, "%s has no %s", recording, s->name);
    byte_out_done(&stream);
}

void board_load_recorded(Board *board, Device *dev, const char *recording, bool loose)
{
    const Section *s = section_of(board, dev);
    g_autoptr(GError) error = NULL;
    ByteOut saved = {0};
    Catch c;

    catch_recorded(s, recording, &c);
    cr_assert_eq(c.version, s->desc->version, "%s: version %d, QEMU has %d", s->name, s->desc->version, c.version);
    cr_assert(board_load(board, dev, c.octets.data, c.octets.len, c.version, &error), "%s", error->message);
    board_save(board, dev, &saved);
    g_autofree char *description = describe(s, s->desc, s->state, saved.len);
    cr_assert_str_eq(description, c.description->str, "%s is not described as QEMU does it", s->name);
    cr_assert_eq(saved.len, c.octets.len, "%s: %zu octets, QEMU has %zu", s->name, saved.len, c.octets.len);
    for (size_t i = 0; !loose && i < saved.len; i++)
        cr_assert_eq(saved.data[i], c.octets.data[i], "%s: octet 0x%zx is 0x%02x, QEMU has 0x%02x", s->name, i,
                     saved.data[i], c.octets.data[i]);
    byte_out_done(&saved);
    byte_out_done(&c.octets);
    g_string_free(c.description, TRUE);
}

/* --- random states ---------------------------------------------------------------------------------------------- */

void *section_random_state(const Section *s, GRand *rand)
{
    void *all = vms_state_new(s->desc), *some = vms_state_new(s->desc);
    int share = g_rand_int_range(rand, 1, 5); /* of 4 */

    zoo_fill(s->desc, all, rand);
    if (share == 4) {
        vms_state_free(s->desc, some);
        return all;
    }
    vms_state_copy(s->desc, some, s->reset_state);
    for (const VMStateField *f = s->desc->fields; f->name; f++)
        if (f->offset != VMS_NOWHERE && g_rand_int_range(rand, 0, 4) < share)
            memcpy((char *)some + f->offset, (char *)all + f->offset,
                   f->kind == VMS_BITMAP ? (f->size + 63) / 64 * 8 : f->size * f->count);
    vms_state_free(s->desc, all);
    return some;
}

static void walk_there_and_back(const Section *s, const void *state, bool ber, bool by_name)
{
    void *again = vms_state_new(s->desc);
    ByteOut octets = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(Visitor) out = ber ? ber_out_new(&octets, s->name, BER_CONTEXT, 0) : qemufile_out_new(&octets, s->name);

    vmstate_save(out, s->desc, state);
    cr_assert(visit_finish(out, &error), "%s: %s", s->name, error->message);
    g_autoptr(ChanIn) in = chan_in_new_memory(octets.data, octets.len, 0);
    g_autoptr(Visitor) v =
        ber ? ber_in_new(octets.data, octets.len, 0, s->name, BER_CONTEXT, 0) : qemufile_in_new(in, s->name);
    vms_state_copy(s->desc, again, s->reset_state);
    vmstate_load(v, s->desc, again, s->desc->version, by_name ? s->desc : NULL);
    cr_assert(visit_finish(v, &error), "%s: %s", s->name, error->message);
    cr_assert(vms_state_equal(s->desc, state, again), "%s is another one from %s", s->name, ber ? "BER" : "QEMUFile");
    vms_state_free(s->desc, again);
    byte_out_done(&octets);
}

void section_walk_there_and_back(const Section *s, const void *state)
{
    walk_there_and_back(s, state, false, false);
    walk_there_and_back(s, state, true, false);
    walk_there_and_back(s, state, true, true);
}

/* What is saved after a load is saved again after it was loaded. */
static void save_and_load_again(Board *board, Device *dev)
{
    ByteOut once = {0}, twice = {0};
    g_autoptr(GError) error = NULL;

    board_save(board, dev, &once);
    cr_assert(board_load(board, dev, once.data, once.len, dev->type->state->version, &error), "%s", error->message);
    board_save(board, dev, &twice);
    cr_assert(same_octets(&once, &twice), "%s is another one when it is loaded again", dev->type->name);
    byte_out_done(&once);
    byte_out_done(&twice);
}

/* Loads it into the device; false if it was refused, without having changed anything. */
static bool try_state(Board *board, Device *dev, const void *state)
{
    const Section *s = section_of(board, dev);
    void *before = vms_state_new(s->desc);
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};
    g_autoptr(Visitor) out = qemufile_out_new(&octets, s->name);

    vms_state_copy(s->desc, before, s->state);
    vmstate_save(out, s->desc, state);
    cr_assert(visit_finish(out, NULL));
    bool ok = board_load(board, dev, octets.data, octets.len, s->desc->version, &error);
    cr_assert(ok || g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED) ||
                  g_error_matches(error, FERRY_ERROR, FERRY_ERROR_MISMATCH),
              "%s", error->message);
    if (ok)
        save_and_load_again(board, dev);
    else
        cr_assert(vms_state_equal(s->desc, before, s->state), "%s has changed though it refused", s->name);
    vms_state_free(s->desc, before);
    byte_out_done(&octets);
    return ok;
}

void board_try_states(Board *board, Device *dev, unsigned count)
{
    const Section *s = section_of(board, dev);
    GRand *rand = g_rand_new_with_seed(count);
    g_autoptr(GError) error = NULL;
    unsigned taken = 0;

    cr_assert(vms_desc_check(s->desc, &error), "%s", error->message);
    for (unsigned i = 0; i < count; i++) {
        void *state = section_random_state(s, rand);
        section_walk_there_and_back(s, state);
        taken += try_state(board, dev, state);
        vms_state_free(s->desc, state);
    }
    cr_assert_geq(taken * 10, count, "%s took only %u of %u states", s->name, taken, count);
    g_rand_free(rand);
}

void board_abuse_ports(Board *board, Device *dev, uint16_t first, uint16_t count, unsigned accesses)
{
    GRand *rand = g_rand_new_with_seed(accesses);

    for (unsigned i = 0; i < accesses; i++) {
        uint16_t port = (uint16_t)(first + g_rand_int_range(rand, 0, count));
        unsigned size = 1U << g_rand_int_range(rand, 0, 3);
        if (g_rand_boolean(rand))
            space_write(board->machine->ports, port, g_rand_int(rand), size);
        else
            space_read(board->machine->ports, port, size);
        if (g_rand_int_range(rand, 0, 16) == 0)
            board_advance(board, g_rand_int_range(rand, 0, 20 * NS_PER_MS));
        if (g_rand_int_range(rand, 0, 64) == 0)
            save_and_load_again(board, dev);
    }
    save_and_load_again(board, dev);
    g_rand_free(rand);
}
