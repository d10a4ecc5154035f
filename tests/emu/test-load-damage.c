/*
 * test-load-damage.c: a load that fails changes nothing. Each kind of damage is done to streams of both formats, which
 * a machine that stands is to load; then each section and each octet of its memory is what it was, and a machine on KVM
 * goes on where it stood.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "emu/core/space.h"
#include "tests/emu/support/whole-pc.h"
#include "tests/support/recordings.h"

/* --- where what is in a stream ---------------------------------------------------------------------------------- */

typedef struct Place {
    char *name;
    size_t offset, body, end; /* of a section: its first octet, its first field's, that of its footer */
} Place;

typedef struct Map {
    StreamSink sink;
    GArray *places; /* of Place */
    size_t eof;     /* of the end mark, with which all has come */
} Map;

static bool map_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    const Place place = {
        .name = g_strdup(s->name), .offset = s->offset, .body = s->body, .end = (size_t)(s->body + s->len)};

    (void)error;
    if (!s->configuration)
        g_array_append_val(((Map *)sink)->places, place);
    return true;
}

static bool map_eof(StreamSink *sink, const StreamTrailer *trailer, GError **error)
{
    (void)error;
    ((Map *)sink)->eof = trailer->offset;
    return true;
}

static void free_place(void *place)
{
    g_free(((Place *)place)->name);
}

static void map_init(Map *m, const ByteOut *stream)
{
    static const StreamSinkOps ops = {.section = map_section, .eof = map_eof};
    g_autoptr(GError) error = NULL;

    *m = (Map){.sink.ops = &ops, .places = g_array_new(FALSE, FALSE, sizeof(Place))};
    g_array_set_clear_func(m->places, free_place);
    cr_assert(load_stream(stream, STREAM_MACHINE, &m->sink, &error), "%s", error ? error->message : "");
}

static const Place *place_at(const Map *m, guint i)
{
    return &g_array_index(m->places, Place, i);
}

static const Place *find_place(const Map *m, const char *name)
{
    for (guint i = 0; i < m->places->len; i++)
        if (g_str_equal(place_at(m, i)->name, name))
            return place_at(m, i);
    cr_assert_fail("no section %s", name);
    return NULL;
}

/* --- the machines ----------------------------------------------------------------------------------------------- */

enum { FOOTER = 5, MODULES = 0x700 };

/* The machine that is to stay what it is, what it is, and a stream of one like it that has done other things. */
typedef struct Bed {
    WholePc pc;
    WholeState was;
    ByteOut good;
    unsigned refused, taken;
} Bed;

static void out(const WholePc *p, uint16_t port, uint8_t value)
{
    space_write(p->machine->ports, port, value, 1);
}

/* Something that is not as after a reset. */
static void use(const WholePc *p, uint8_t seed)
{
    RamArea *ram = machine_find_ram(p->machine, "pc.ram");

    machine_lock(p->machine);
    out(p, 0x70, 0x50);
    out(p, 0x71, seed);
    out(p, 0x61, 3);
    out(p, 0x43, 0xb6);
    out(p, 0x42, seed);
    out(p, 0x42, 1);
    out(p, 0x3ff, seed);
    out(p, 0x92, 2);
    for (size_t page = seed; page < ram->size / RAM_PAGE; page += 17)
        memset(ram->host + page * RAM_PAGE, seed, RAM_PAGE - 1);
    machine_unlock(p->machine);
}

static void bed_init(Bed *b, MigrateFormat format)
{
    WholePc other;

    *b = (Bed){.refused = 0};
    whole_pc_init_full(&other);
    use(&other, 5);
    whole_pc_save(&other, format, &b->good);
    whole_pc_done(&other);
    whole_pc_init_full(&b->pc);
    use(&b->pc, 3);
    whole_state_take(&b->pc, &b->was);
}

static void bed_done(Bed *b)
{
    whole_state_done(&b->pc, &b->was);
    whole_pc_done(&b->pc);
    byte_out_done(&b->good);
}

/* Is it refused? Then nothing has changed. Otherwise the machine is as the stream has it, and is made what it was. */
static bool is_refused(Bed *b, const uint8_t *data, size_t len, const char *what)
{
    g_autoptr(GError) error = NULL;

    if (migrate_in(b->pc.pc, chan_mem_new(data, len), &error)) {
        b->taken++;
        whole_state_done(&b->pc, &b->was);
        whole_state_take(&b->pc, &b->was);
        return false;
    }
    cr_assert(*error->message, "%s: no reason", what);
    const char *changed = whole_state_changed(&b->pc, &b->was);
    cr_assert_null(changed, "%s: %s has changed, though: %s", what, changed, error->message);
    b->refused++;
    return true;
}

static void expect_refused(Bed *b, const uint8_t *data, size_t len, const char *what, const char *message)
{
    g_autoptr(GError) error = NULL;

    cr_assert_not(migrate_in(b->pc.pc, chan_mem_new(data, len), &error), "%s: taken", what);
    cr_assert(!message || strstr(error->message, message), "%s: %s", what, error->message);
    const char *changed = whole_state_changed(&b->pc, &b->was);
    cr_assert_null(changed, "%s: %s has changed, though: %s", what, changed, error->message);
    b->refused++;
}

/* What is between the octets before `from` and those from `to` on is replaced. */
static ByteOut replaced(const ByteOut *in, size_t from, size_t to, const void *data, size_t len)
{
    ByteOut result = {0};

    byte_out_put(&result, in->data, from);
    byte_out_put(&result, data, len);
    byte_out_put(&result, in->data + to, in->len - to);
    return result;
}

/* --- QEMUFile --------------------------------------------------------------------------------------------------- */

static void cut_at(Bed *b, const Map *m, size_t at)
{
    g_autofree char *what = g_strdup_printf("cut at 0x%zx", at);

    if (at < m->eof + 1)
        expect_refused(b, b->good.data, at, what, NULL);
}

Test(load_damage, a_cut_stream_changes_nothing, .timeout = 300)
{
    Bed b;
    Map m;

    bed_init(&b, MIGRATE_QEMUFILE);
    map_init(&m, &b.good);
    for (guint i = 0; i < m.places->len; i++) {
        const Place *p = place_at(&m, i);
        const size_t at[] = {p->offset - 1, p->offset, p->offset + 1, p->body,        p->body + 1,
                             p->end - 1,    p->end,    p->end + 1,    p->end + FOOTER};
        for (size_t k = 0; k < G_N_ELEMENTS(at); k++)
            cut_at(&b, &m, at[k]);
    }
    for (size_t at = 0; at < 64; at++)
        cut_at(&b, &m, at);
    for (size_t at = 64; at < m.eof; at += 1 + m.eof / 150)
        cut_at(&b, &m, at);
    cut_at(&b, &m, m.eof);
    /* in the description, of which a load needs nothing: but it began */
    for (size_t at = m.eof + 2; at < b.good.len; at += 1 + (b.good.len - m.eof) / 20)
        expect_refused(&b, b.good.data, at, "cut in the description", NULL);
    cr_assert_gt(b.refused, 500);
    g_array_unref(m.places);
    bed_done(&b);
}

/* The machine takes the stream when nothing is wrong with it: the other cases mean something. */
Test(load_damage, the_stream_without_damage_is_taken)
{
    Bed b;

    for (int format = MIGRATE_QEMUFILE; format <= MIGRATE_BER_ZSTD; format++) {
        bed_init(&b, (MigrateFormat)format);
        cr_assert_not(is_refused(&b, b.good.data, b.good.len, "nothing"));
        bed_done(&b);
    }
}

static bool flip_is_refused(Bed *b, size_t at, uint8_t bits)
{
    g_autofree char *what = g_strdup_printf("bits 0x%02x at 0x%zx", bits, at);

    b->good.data[at] ^= bits;
    bool refused = is_refused(b, b->good.data, b->good.len, what);
    b->good.data[at] ^= bits;
    return refused;
}

/* Head and footer of each section: type, id, name, instance, version. */
Test(load_damage, a_flipped_bit_in_the_frame_changes_nothing, .timeout = 300)
{
    Bed b;
    Map m;

    bed_init(&b, MIGRATE_QEMUFILE);
    map_init(&m, &b.good);
    for (size_t at = 0; at < 8; at++)
        cr_assert(flip_is_refused(&b, at, 0x10), "magic and version");
    for (guint i = 0; i < m.places->len; i++) {
        const Place *p = place_at(&m, i);
        for (size_t at = p->offset; at < p->body; at++)
            cr_assert(flip_is_refused(&b, at, 0x40), "%s, octet %zu", p->name, at - p->offset);
        for (size_t at = p->end; at < p->end + FOOTER; at++)
            cr_assert(flip_is_refused(&b, at, 0x08), "%s's footer", p->name);
    }
    cr_assert_eq(b.taken, 0);
    g_array_unref(m.places);
    bed_done(&b);
}

/* A field may have any value that its device can have; what it cannot have is refused. */
Test(load_damage, a_flipped_bit_in_a_field_changes_all_or_nothing, .timeout = 300)
{
    GRand *rand = g_rand_new_with_seed(6);
    Bed b;
    Map m;

    bed_init(&b, MIGRATE_QEMUFILE);
    map_init(&m, &b.good);
    for (guint i = 0; i < m.places->len; i++) {
        const Place *p = place_at(&m, i);
        for (size_t at = p->body; at < p->end; at += 1 + (p->end - p->body) / 24)
            flip_is_refused(&b, at, (uint8_t)(1 << g_rand_int_range(rand, 0, 8)));
    }
    cr_assert_gt(b.refused, 50);
    cr_assert_gt(b.taken, 50);
    g_rand_free(rand);
    g_array_unref(m.places);
    bed_done(&b);
}

/* The list of blocks, their sizes, the heads of pages; in between pages, where any value is as good. */
Test(load_damage, a_flipped_bit_in_memory_changes_all_or_nothing, .timeout = 300)
{
    enum { LIST = 400 };
    Bed b;
    Map m;

    bed_init(&b, MIGRATE_QEMUFILE);
    map_init(&m, &b.good);
    const uint8_t head[] = {3, 'r', 'a', 'm', 0, 0, 0, 0, 0, 0, 0, 4};
    const uint8_t *ram = memmem(b.good.data, b.good.len, head, sizeof head);
    size_t first = (size_t)(ram - b.good.data) + sizeof head, end = place_at(&m, 0)->offset;
    for (size_t at = first - sizeof head - 5; at < first + LIST; at++)
        flip_is_refused(&b, at, 0x10);
    cr_assert_gt(b.refused, LIST / 2);
    for (size_t at = first + LIST; at < end; at += 1 + (end - first) / 700)
        flip_is_refused(&b, at, 0x04);
    cr_assert_gt(b.taken, 10);
    g_array_unref(m.places);
    bed_done(&b);
}

static void check_spliced(Bed *b, size_t from, size_t to, const void *data, size_t len, const char *message)
{
    ByteOut bad = replaced(&b->good, from, to, data, len);

    expect_refused(b, bad.data, bad.len, message, message);
    byte_out_done(&bad);
}

Test(load_damage, a_section_too_few_or_too_many_changes_nothing, .timeout = 300)
{
    Bed b;
    Map m;

    bed_init(&b, MIGRATE_QEMUFILE);
    map_init(&m, &b.good);
    for (guint i = 0; i < m.places->len; i++) {
        const Place *p = place_at(&m, i);
        g_autofree char *lacks = g_strdup_printf("the stream lacks what this machine has: %s", p->name);
        if (!g_str_equal(p->name, "globalstate")) /* which a stream may lack */
            check_spliced(&b, p->offset, p->end + FOOTER, "", 0, lacks);
        check_spliced(&b, p->offset, p->offset, b.good.data + p->offset, p->end + FOOTER - p->offset,
                      "it comes a second time");
    }
    /* the head of a section nobody knows, and its footer */
    const Place *p = find_place(&m, "port92");
    const uint8_t more[] = {4, 0, 0, 9, 9, 4, 'f', 'u', 'n', 'k', 0, 0, 0, 0, 0, 0, 0, 1, 7, 0x7e, 0, 0, 9, 9};
    check_spliced(&b, p->offset, p->offset, more, sizeof more, "section funk[0]");
    g_array_unref(m.places);
    bed_done(&b);
}

static void check_other(const char *option, const char *value, const char *message)
{
    static const char *const all[][2] = {{"-accel", "none"}, {"-m", "4"}, {"-smp", "2"}};
    const char *words[2 * G_N_ELEMENTS(all) + 3] = {NULL};
    ByteOut stream = {0};
    WholePc other;
    size_t n = 0;
    Bed b;

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        words[n++] = all[i][0];
        words[n++] = g_str_equal(all[i][0], option) ? value : all[i][1];
    }
    if (!g_str_equal(option, "-m") && !g_str_equal(option, "-smp")) {
        words[n++] = option;
        words[n++] = value;
    }
    whole_pc_init(&other, words, NULL);
    bed_init(&b, MIGRATE_QEMUFILE);
    for (int format = MIGRATE_QEMUFILE; format <= MIGRATE_BER_ZSTD; format++) {
        stream.len = 0;
        whole_pc_save(&other, (MigrateFormat)format, &stream);
        expect_refused(&b, stream.data, stream.len, option, message);
    }
    byte_out_done(&stream);
    whole_pc_done(&other);
    bed_done(&b);
}

Test(load_damage, another_machine_s_state_changes_nothing, .timeout = 300)
{
    Bed b;

    check_other("-m", "8", "RAM block \"pc.ram\": the stream has 0x800000 octets, this machine 0x400000");
    check_other("-smp", "3", "section cpu_common[2]");
    check_other("-smp", "1", "the stream lacks what this machine has");
    check_other("-device", "virtio-rng-pci,addr=9", "section 0000:00:09.0/virtio-rng[0]");
    bed_init(&b, MIGRATE_QEMUFILE);
    uint8_t *type = memmem(b.good.data, 64, "pc-i440fx-7.2", 13);
    type[12] = '1';
    expect_refused(&b, b.good.data, b.good.len, "type",
                   "the stream is of machine type pc-i440fx-7.1, this machine is pc-i440fx-7.2");
    bed_done(&b);
}

Test(load_damage, another_uuid_changes_nothing)
{
    static const char *const words[] = {"-accel", "none", "-m", "16", "-uuid", "00112233-4455-6677-8899-aabbccddeefe",
                                        NULL};
    g_autoptr(GError) error = NULL;
    ByteOut recorded = {0};
    WholeState was;
    WholePc p;

    recording_read("g11-validate-uuid.mig", &recorded);
    whole_pc_init(&p, words, NULL);
    use(&p, 3);
    whole_state_take(&p, &was);
    cr_assert_not(whole_pc_load(&p, &recorded, &error));
    cr_assert_not_null(strstr(error->message, "UUID 00112233-4455-6677-8899-aabbccddeeff"), "%s", error->message);
    cr_assert_null(whole_state_changed(&p, &was));
    whole_state_done(&p, &was);
    whole_pc_done(&p);
    byte_out_done(&recorded);
}

/* Recordings of QEMU's whose devices are not here, or of which not all is in the stream. */
Test(load_damage, a_recording_of_more_than_this_machine_has_changes_nothing, .timeout = 300)
{
    static const struct {
        const char *name, *memory, *message;
    } all[] = {
        {"b3-kvm-pc-alldefaults", "32", "vga.vram"},
        {"c1-kvm-virtio", "32", "pc.bios"},
        {"j1-tcg-linux-virtio", "128", "pc.bios"},
        {"k1-chipset", "8", "piix4_pm"},
        {"g03-postcopy-run", "16", "postcopy"},
        {"g05-multifd-none", "16", "\"pc.ram\": 64 of its 4096 pages are not in the stream"},
        {"g10-x-ignore-shared", "16", "\"m0\""},
        {"g14-block-migration", "16", "section block "},
        {"g15-dirty-bitmaps", "16", "section dirty-bitmap "},
        {"h2-pc-q35-7.2", "16", "machine type pc-q35-7.2"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        const char *const words[] = {"-accel", "none", "-m", all[i].memory, NULL};
        g_autofree char *file = g_strconcat(all[i].name, ".mig", NULL);
        Bed b = {.refused = 0};
        recording_read(file, &b.good);
        whole_pc_init(&b.pc, words, NULL);
        use(&b.pc, 3);
        whole_state_take(&b.pc, &b.was);
        expect_refused(&b, b.good.data, b.good.len, all[i].name, all[i].message);
        bed_done(&b);
    }
}

/* --- BER -------------------------------------------------------------------------------------------------------- */

/* Everything in it is under a checksum, so nothing is taken. */
Test(load_damage, damaged_ber_changes_nothing, .timeout = 300)
{
    GRand *rand = g_rand_new_with_seed(7);
    Bed b;

    for (int format = MIGRATE_BER; format <= MIGRATE_BER_ZSTD; format++) {
        bed_init(&b, (MigrateFormat)format);
        for (size_t at = 0; at < b.good.len; at += 1 + b.good.len / 500)
            cr_assert(flip_is_refused(&b, at, (uint8_t)(1 << g_rand_int_range(rand, 0, 8))), "0x%zx", at);
        for (size_t at = b.good.len - 40; at < b.good.len; at++) /* the digest, and the end of all */
            cr_assert(flip_is_refused(&b, at, 0x20), "0x%zx", at);
        for (size_t at = 0; at < b.good.len; at += 1 + b.good.len / 200)
            expect_refused(&b, b.good.data, at, "cut", NULL);
        for (size_t at = b.good.len - 60; at < b.good.len; at++)
            expect_refused(&b, b.good.data, at, "cut", NULL);
        bed_done(&b);
    }
    g_rand_free(rand);
}

/* --- on KVM ----------------------------------------------------------------------------------------------------- */

/* xor ax, ax; mov ds, ax; 1: inc dword [0x500]; jmp 1b */
static const uint8_t counter[16] = {0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xff, 0x06, 0x00, 0x05, 0xeb, 0xf9};
enum { COUNT = 0x500 };

static bool has_kvm(void)
{
    int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static uint32_t count_of(const WholePc *p)
{
    uint32_t count;

    memcpy(&count, machine_find_ram(p->machine, "pc.ram")->host + COUNT, sizeof count);
    return count;
}

/* Runs until it has counted on. */
static void run_a_little(WholePc *p)
{
    uint32_t before = count_of(p);

    pc_start(p->pc);
    for (int i = 0; i < 20000 && count_of(p) - before < 200; i++)
        g_usleep(1000);
    pc_stop(p->pc);
    cr_assert_gt(count_of(p), before, "it stands");
}

/* A field of the section "cpu": values that no processor here takes. */
static void break_cpu(ByteOut *stream, const Map *m, size_t offset, uint8_t value)
{
    stream->data[find_place(m, "cpu")->body + offset] = value;
}

Test(load_damage, a_machine_on_kvm_goes_on_after_each_load_that_failed, .timeout = 300)
{
    enum { LSTAR = 832, CR0 = 502, FRAME = 14 };
    static const char *const words[] = {"-accel", "kvm", "-m", "4", "-device", "virtio-rng-pci", NULL};
    WholePc other;
    Bed b = {.refused = 0};
    Map m;

    if (!has_kvm())
        cr_skip_test("no /dev/kvm");
    whole_pc_init(&other, words, counter);
    run_a_little(&other);
    whole_pc_save(&other, MIGRATE_QEMUFILE, &b.good);
    whole_pc_done(&other);
    map_init(&m, &b.good);
    whole_pc_init(&b.pc, words, counter);
    for (guint i = 0; i < m.places->len + 4; i++) {
        ByteOut bad = replaced(&b.good, 0, 0, "", 0);
        run_a_little(&b.pc);
        whole_state_take(&b.pc, &b.was);
        uint32_t before = count_of(&b.pc);
        if (i < m.places->len)
            bad.len = place_at(&m, i)->offset + FRAME;
        else if (i == m.places->len)
            break_cpu(&bad, &m, LSTAR, 0x80); /* no canonical address */
        else
            bad.data[place_at(&m, i - m.places->len)->offset + FRAME - 8] ^= 0x20; /* a name */
        expect_refused(&b, bad.data, bad.len, "on KVM", i == m.places->len ? "KVM refuses MSR 0xc0000082" : NULL);
        cr_assert_eq(count_of(&b.pc), before);
        cr_assert_str_eq(pc_run_state(b.pc.pc), "running");
        whole_state_done(&b.pc, &b.was);
        byte_out_done(&bad);
    }
    run_a_little(&b.pc);
    cr_assert(whole_pc_load(&b.pc, &b.good, NULL), "and a sound one is taken");
    run_a_little(&b.pc);
    whole_pc_done(&b.pc);
    byte_out_done(&b.good);
    g_array_unref(m.places);
}
