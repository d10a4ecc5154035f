/* test-machine-state.c: a whole machine's state, through streams of both formats. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/dev/dev.h"
#include "emu/machine/state.h"
#include "tests/emu/support/mock-cpu.h"
#include "tests/support/recordings.h"
#include "vmstate/berstream-load.h"
#include "vmstate/berstream-save.h"
#include "vmstate/state.h"
#include "vmstate/stream-load.h"
#include "vmstate/stream-save.h"

enum { RAM = 2 << 20, ROM = 64 << 10 };

static const MachineIdentity identity = {.type = "pc-i440fx-7.2", .writer = "ferry", .writer_version = "test"};

/* A board with memory, a chip and a processor. */
typedef struct Box {
    Board *board;
    RamArea *ram, *rom;
    Device *port92;
    Mock *cpu;
    MockApic *apic;
} Box;

static void box_init(Box *box)
{
    *box = (Box){.board = board_new()};
    Machine *m = box->board->machine;
    box->ram = ram_area_new("pc.ram", RAM, 0, NULL);
    box->rom = ram_area_new("/rom@etc/acpi/tables", ROM / 2, ROM, NULL);
    machine_add_ram(m, box->ram);
    machine_add_ram(m, box->rom);
    box->port92 = board_add(box->board, device_new(&port92_type));
    box->cpu = (Mock *)mock_add(box->board, &mock_cpu, 0);
    box->apic = (MockApic *)mock_add(box->board, &mock_apic, 0);
}

static void box_done(Box *box)
{
    board_free(box->board);
}

/* Something to be found again. */
static void box_fill(Box *box)
{
    for (size_t page = 0; page < RAM / 4096; page += 3)
        memset(box->ram->host + page * 4096, (int)page, 4096);
    memset(box->rom->host, 0x5a, 100);
    board_out8(box->board, 0x92, 0x02);
    box->cpu->s.rip = 0x123456789;
    box->cpu->s.tsc_deadline = 77;
    box->apic->s.irr[3] = 0x80;
}

static void save(Box *box, bool ber, ByteOut *out)
{
    g_autoptr(ChanOut) to = chan_out_new(chan_buf_new(out));
    g_autoptr(GError) error = NULL;
    const BerstreamOptions options = {.writer = "ferry", .writer_version = "test", .zstd = true};
    StreamSink *sink = ber ? berstream_save_new(to, &options) : stream_save_new(to, NULL);

    cr_assert(machine_save(box->board->machine, &identity, sink, &error), "%s", error ? error->message : "");
    cr_assert(chan_out_finish(to, &error), "%s", error ? error->message : "");
    ber ? berstream_save_free(sink) : stream_save_free(sink);
}

static bool load_as(Box *box, const MachineIdentity *as, const void *data, size_t len, GError **error)
{
    g_autoptr(MachineLoad) load = machine_load_new(box->board->machine, as);
    g_autoptr(ChanIn) in = chan_in_new(chan_mem_new(data, len), 0);
    const StreamSource source = {.kind = STREAM_MACHINE, .borrowed = machine_load_schema(load)};
    bool ok;

    if (berstream_probe(data, MIN(len, 32)))
        ok = berstream_load(in, NULL, machine_load_sink(load), error);
    else
        ok = stream_load(in, &source, machine_load_sink(load), error);
    return ok && machine_load_commit(load, error);
}

static bool load(Box *box, const void *data, size_t len, GError **error)
{
    return load_as(box, &identity, data, len, error);
}

static bool same(const Box *a, const Box *b)
{
    return a->rom->size == b->rom->size && memcmp(a->ram->host, b->ram->host, RAM) == 0 &&
           memcmp(a->rom->host, b->rom->host, ROM) == 0 && vms_state_equal(&cpu_state, &a->cpu->s, &b->cpu->s) &&
           vms_state_equal(&apic_state, &a->apic->s, &b->apic->s) &&
           board_in8(a->board, 0x92) == board_in8(b->board, 0x92);
}

static void check_there_and_back(bool ber)
{
    g_autoptr(GError) error = NULL;
    ByteOut stream = {0}, again = {0};
    Box from, to;

    box_init(&from);
    box_init(&to);
    box_fill(&from);
    memset(to.ram->host, 0xee, RAM); /* what was there before goes */
    uint8_t *host = to.ram->host;
    save(&from, ber, &stream);
    cr_assert(load(&to, stream.data, stream.len, &error), "%s", error ? error->message : "");
    cr_assert(same(&from, &to));
    cr_assert_eq(to.ram->host, host, "memory stays where it is: KVM and devices know its address");
    save(&to, ber, &again);
    cr_assert(same_octets(&stream, &again));
    byte_out_done(&stream);
    byte_out_done(&again);
    box_done(&from);
    box_done(&to);
}

Test(machine_state, what_is_saved_as_qemufile_is_loaded)
{
    check_there_and_back(false);
}

Test(machine_state, what_is_saved_as_ber_is_loaded)
{
    check_there_and_back(true);
}

Test(machine_state, both_formats_are_one_conversion_apart)
{
    ByteOut legacy = {0}, ber = {0}, converted = {0};
    g_autoptr(GError) error = NULL;
    Box box, to;

    box_init(&box);
    box_init(&to);
    box_fill(&box);
    save(&box, false, &legacy);
    cr_assert(convert_to_ber(&legacy, STREAM_MACHINE, true, &ber, &error), "%s", error ? error->message : "");
    cr_assert(convert_to_qemufile(&ber, &converted, &error), "%s", error ? error->message : "");
    cr_assert(same_octets(&legacy, &converted));
    cr_assert(load(&to, ber.data, ber.len, &error), "%s", error ? error->message : "");
    cr_assert(same(&box, &to));
    byte_out_done(&legacy);
    byte_out_done(&ber);
    byte_out_done(&converted);
    box_done(&box);
    box_done(&to);
}

Test(machine_state, memory_that_may_grow_takes_the_size_of_the_stream)
{
    ByteOut stream = {0};
    Box from, to;

    box_init(&from);
    box_init(&to);
    from.rom->size = ROM;
    from.rom->host[ROM - 1] = 0x77;
    save(&from, false, &stream);
    cr_assert(load(&to, stream.data, stream.len, NULL));
    cr_assert_eq(to.rom->size, ROM);
    cr_assert_eq(to.rom->host[ROM - 1], 0x77);
    byte_out_done(&stream);
    box_done(&from);
    box_done(&to);
}

/* --- all or nothing --------------------------------------------------------------------------------------------- */

/* The load fails with that message (or part of it), and the machine is what it was. */
static void check_refused(const MachineIdentity *as, const void *data, size_t len, const char *message)
{
    g_autoptr(GError) error = NULL;
    Box to, untouched;

    box_init(&to);
    box_init(&untouched);
    memset(to.ram->host, 0x11, 5000);
    memset(untouched.ram->host, 0x11, 5000);
    board_out8(to.board, 0x92, 0x04);
    board_out8(untouched.board, 0x92, 0x04);
    cr_assert_not(load_as(&to, as, data, len, &error), "accepted");
    cr_assert(!message || strstr(error->message, message), "%s", error->message);
    cr_assert(same(&to, &untouched), "changed, though: %s", error->message);
    box_done(&to);
    box_done(&untouched);
}

static void make(bool ber, ByteOut *stream)
{
    Box box;

    box_init(&box);
    memset(box.ram->host + 8192, 0x22, 4096);
    box.cpu->s.rip = 99;
    board_out8(box.board, 0x92, 0x02);
    save(&box, ber, stream);
    box_done(&box);
}

Test(machine_state, a_stream_cut_anywhere_changes_nothing)
{
    for (int ber = 0; ber < 2; ber++) {
        ByteOut stream = {0};
        make(ber, &stream);
        for (size_t len = 0; len < stream.len; len += 1 + stream.len / 97)
            check_refused(&identity, stream.data, len, NULL);
        check_refused(&identity, stream.data, stream.len - 1, NULL);
        byte_out_done(&stream);
    }
}

Test(machine_state, a_flipped_bit_of_ber_changes_nothing)
{
    ByteOut stream = {0};

    make(true, &stream);
    for (size_t i = 0; i < stream.len; i += 1 + stream.len / 211) {
        stream.data[i] ^= 0x10;
        check_refused(&identity, stream.data, stream.len, NULL);
        stream.data[i] ^= 0x10;
    }
    byte_out_done(&stream);
}

Test(machine_state, another_machine_type_is_refused)
{
    const MachineIdentity other = {.type = "pc-q35-7.2"};

    for (int ber = 0; ber < 2; ber++) {
        ByteOut stream = {0};
        make(ber, &stream);
        check_refused(&other, stream.data, stream.len,
                      "the stream is of machine type pc-i440fx-7.2, this machine is pc-q35-7.2");
        byte_out_done(&stream);
    }
}

static void save_changed(void (*change)(Box *box), bool ber, ByteOut *stream)
{
    Box box;

    box_init(&box);
    change(&box);
    save(&box, ber, stream);
    box_done(&box);
}

static void one_device_more(Box *box)
{
    mock_add(box->board, &mock_common, 7);
}

static void one_area_more(Box *box)
{
    machine_add_ram(box->board->machine, ram_area_new("vga.vram", 4096, 0, NULL));
}

static void more_memory(Box *box)
{
    box->ram->size = RAM / 2;
}

static void unsound(Box *box)
{
    box->apic->s.dest_mode = 16;
}

Test(machine_state, what_this_machine_does_not_have_is_named)
{
    static const struct {
        void (*change)(Box *box);
        const char *message;
    } changes[] = {
        {one_device_more, "this machine has no such device"},
        {one_area_more, "RAM block \"vga.vram\": this machine has none of that name"},
        {more_memory, "RAM block \"pc.ram\": the stream has 0x100000 octets, this machine 0x200000"},
        {unsound, "apic: dest_mode is 16, it has four bits"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        for (int ber = 0; ber < 2; ber++) {
            ByteOut stream = {0};
            save_changed(changes[i].change, ber, &stream);
            check_refused(&identity, stream.data, stream.len, changes[i].message);
            byte_out_done(&stream);
        }
    }
}

/* --- another version of a device, by name ------------------------------------------------------------------------- */

typedef struct OtherState {
    uint16_t outport;
    uint8_t lamp;
} OtherState;

typedef struct Other {
    Device dev;
    OtherState s;
} Other;

static const VMStateField wide_fields[] = {VMS_FIELD(OtherState, outport), VMS_END};
static const VMStateField more_fields[] = {VMS_FIELD(OtherState, outport), VMS_FIELD(OtherState, lamp), VMS_END};

/* In the place of port 92: the same name, other fields. */
static void replace(Box *box, const VMStateField *fields, uint16_t value)
{
    static const char *const name = "port92";
    const VMStateDescription state = {
        .name = name, .version = 1, .minimum = 1, .size = sizeof(OtherState), .fields = fields};
    const DeviceType type = {.name = name, .size = sizeof(Other), .state = &state, .state_offset = offsetof(Other, s)};
    ByteOut stream = {0};

    machine_remove_device(box->board->machine, box->port92);
    Other *other = (Other *)board_add(box->board, device_new(&type));
    other->s.outport = value;
    save(box, true, &stream);
    if (fields == wide_fields && value <= UINT8_MAX) {
        Box to;
        box_init(&to);
        cr_assert(load(&to, stream.data, stream.len, NULL));
        cr_assert_eq(board_in8(to.board, 0x92), value, "a value that fits is taken");
        box_done(&to);
    } else {
        check_refused(&identity, stream.data, stream.len, fields == wide_fields ? "outport" : "lamp");
    }
    byte_out_done(&stream);
    box_done(box);
}

Test(machine_state, a_value_that_does_not_fit_changes_nothing_and_neither_does_a_field_nobody_knows)
{
    Box box;

    box_init(&box);
    replace(&box, wide_fields, 0x02);
    box_init(&box);
    replace(&box, wide_fields, 0x1ff);
    box_init(&box);
    replace(&box, more_fields, 0x02);
}

static bool cannot(void *opaque, GError **error)
{
    (void)opaque;
    g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_IO, "it does not answer");
    return false;
}

Test(machine_state, a_device_that_cannot_be_saved_leaves_nothing_written)
{
    const VMStateDescription stubborn = {
        .name = "stubborn", .version = 1, .size = 1, .fields = port92_type.state->fields, .pull = cannot};
    DeviceType type = port92_type;
    g_autoptr(GError) error = NULL;
    ByteOut out = {0};
    Box box;

    type.state = &stubborn;
    box_init(&box);
    board_add(box.board, device_new(&type));
    g_autoptr(ChanOut) to = chan_out_new(chan_buf_new(&out));
    StreamSink *sink = stream_save_new(to, NULL);
    cr_assert_not(machine_save(box.board->machine, &identity, sink, &error));
    cr_assert_str_eq(error->message, "stubborn: it does not answer");
    cr_assert(chan_out_finish(to, NULL));
    cr_assert_eq(out.len, 0);
    stream_save_free(sink);
    byte_out_done(&out);
    box_done(&box);
}
