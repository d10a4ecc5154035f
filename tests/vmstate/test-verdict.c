/* test-verdict.c: what is said of sections, RAM blocks and the machine (vmstate/FORMAT.md part 3). */
#include "tests/vmstate/verdict-thing.h"

/* --- sections and the machine ----------------------------------------------------------------------------------- */

static const VMStateField one_field[] = {VMS_FIELD(Thing, a), VMS_END};
static const VMStateDescription small_state = {
    .name = "small", .version = 1, .minimum = 1, .size = sizeof(Thing), .fields = one_field};

static Verdict *judge_sections(const VerdictSection *to, size_t to_count, const VerdictSection *from, size_t from_count)
{
    VerdictSide source = {.sections = from, .section_count = from_count},
                dest = {.sections = to, .section_count = to_count};

    return verdict_new(&source, &dest, VERDICT_BY_NAME);
}

Test(verdict, sections_that_one_side_lacks)
{
    VerdictSection rtc = {.name = "rtc", .version = 1, .desc = &small_state};
    g_autoptr(Verdict) unknown = judge_sections(NULL, 0, &rtc, 1);
    g_autoptr(Verdict) defaulted = judge_sections(&rtc, 1, NULL, 0);

    assert_only(unknown, VERDICT_INCOMPATIBLE, "unknown", "rtc",
                "the stream has this section, the destination does not");
    assert_only(defaulted, VERDICT_CONVERTIBLE, "defaulted", "rtc",
                "the stream does not have this section; the device keeps its reset state");
}

Test(verdict, instances_are_different_sections)
{
    VerdictSection both[] = {{.name = "cpu", .instance = 0, .version = 1, .desc = &small_state},
                             {.name = "cpu", .instance = 1, .version = 1, .desc = &small_state}};
    g_autoptr(Verdict) v = judge_sections(both, 1, both, 2);

    assert_only(v, VERDICT_INCOMPATIBLE, "unknown", "cpu[1]", "the stream has this section, the destination does not");
}

Test(verdict, a_device_in_another_slot_is_told_of)
{
    VerdictSection here = {.name = "0000:00:03.0/virtio-blk", .version = 1, .desc = &small_state},
                   there = {.name = "0000:00:05.0/virtio-blk", .version = 1, .desc = &small_state},
                   other = {.name = "0000:00:03.0/e1000", .version = 1, .desc = &small_state};
    g_autoptr(Verdict) moved = judge_sections(&there, 1, &here, 1);
    g_autoptr(Verdict) replaced = judge_sections(&other, 1, &here, 1);

    cr_assert_str_eq(finding(moved, 0)->text,
                     "the stream has this section, the destination does not (it has a virtio-blk at 0000:00:05.0)");
    cr_assert_str_eq(finding(replaced, 0)->text,
                     "the stream has this section, the destination does not (it has a e1000 at 0000:00:03.0)");
}

Test(verdict, of_several_devices_like_one_the_first_is_told_of)
{
    VerdictSection here = {.name = "a/x", .version = 1, .desc = &small_state};
    VerdictSection there[] = {{.name = "plain", .version = 1, .desc = &small_state},
                              {.name = "b/x", .version = 1, .desc = &small_state},
                              {.name = "a/y", .version = 1, .desc = &small_state},
                              {.name = "c/x", .version = 1, .desc = &small_state}};
    g_autoptr(Verdict) device_first = judge_sections(there, 4, &here, 1);
    g_autoptr(Verdict) place_first = judge_sections(there + 2, 2, &here, 1);

    cr_assert_str_eq(finding(device_first, 0)->text,
                     "the stream has this section, the destination does not (it has a x at b)");
    cr_assert_str_eq(finding(place_first, 0)->text,
                     "the stream has this section, the destination does not (it has a y at a)");
}

Test(verdict, findings_beyond_the_limit_count_but_are_not_listed)
{
    enum { SECTIONS = 40000 };
    g_autofree VerdictSection *from = g_new0(VerdictSection, SECTIONS), *to = g_new0(VerdictSection, SECTIONS);

    for (unsigned i = 0; i < SECTIONS; i++) {
        from[i] = (VerdictSection){.name = "from", .instance = i, .version = 1, .desc = &small_state};
        to[i] = (VerdictSection){.name = "to", .instance = i, .version = 1, .desc = &small_state};
    }
    g_autoptr(Verdict) v = judge_sections(to, SECTIONS, from, SECTIONS);
    cr_assert_eq(v->level, VERDICT_INCOMPATIBLE);
    cr_assert_eq(v->findings->len, VERDICT_FINDINGS_MAX);
    cr_assert_eq(v->unlisted, 2 * SECTIONS - VERDICT_FINDINGS_MAX);
    cr_assert_eq(v->unlisted_level, VERDICT_CONVERTIBLE);
}

Test(verdict, versions_of_sections)
{
    VMStateDescription desc = small_state;
    static const struct {
        int from;
        VerdictLevel level;
        const char *text;
    } cases[] = {
        {1, VERDICT_INCOMPATIBLE, "the stream has version 1, the destination needs at least 2"},
        {2, VERDICT_CONVERTIBLE, "the stream has version 2, the destination 3"},
        {4, VERDICT_INCOMPATIBLE, "the stream has version 4, the destination only knows up to 3"},
    };

    desc.version = 3;
    desc.minimum = 2;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        VerdictSection from = {.name = "rtc", .version = cases[i].from, .desc = &desc},
                       to = {.name = "rtc", .version = 3, .desc = &desc};
        g_autoptr(Verdict) v = judge_sections(&to, 1, &from, 1);
        assert_only(v, cases[i].level, "version", "rtc", cases[i].text);
    }
}

Test(verdict, what_nobody_described_is_not_judged)
{
    VerdictSection known = {.name = "slirp", .version = 1, .desc = &small_state},
                   unknown = {.name = "slirp", .version = 1, .octets = 12};
    g_autoptr(Verdict) neither = judge_sections(&unknown, 1, &unknown, 1);
    g_autoptr(Verdict) stream = judge_sections(&known, 1, &unknown, 1);
    g_autoptr(Verdict) destination = judge_sections(&unknown, 1, &known, 1);

    assert_only(neither, VERDICT_CONVERTIBLE, "not judged", "slirp",
                "neither side describes it (12 octets in the stream)");
    assert_only(stream, VERDICT_CONVERTIBLE, "not judged", "slirp", "the stream does not describe it");
    assert_only(destination, VERDICT_CONVERTIBLE, "not judged", "slirp", "the destination does not describe it");
}

static RamBlocks blocks_of(const char *name, uint64_t length)
{
    RamBlock block = {.name = (char *)name, .length = length, .address = -1};
    RamBlocks blocks;

    ram_blocks_init(&blocks);
    cr_assert(ram_blocks_add(&blocks, &block, NULL));
    return blocks;
}

static void assert_blocks(const char *to_name, uint64_t to_length, const char *from_name, uint64_t from_length,
                          VerdictLevel level, const char *text)
{
    RamBlocks from = blocks_of(from_name, from_length), to = blocks_of(to_name, to_length);
    VerdictSide source = {.blocks = &from}, dest = {.blocks = &to};
    g_autoptr(Verdict) v = verdict_new(&source, &dest, VERDICT_BY_NAME);

    cr_assert_eq(v->level, level);
    if (level != VERDICT_IDENTICAL)
        cr_assert_str_eq(finding(v, 0)->text, text);
    ram_blocks_done(&from);
    ram_blocks_done(&to);
}

Test(verdict, ram_blocks_must_be_there_and_as_long_unless_they_can_be_resized)
{
    assert_blocks("pc.ram", 1 << 20, "pc.ram", 1 << 20, VERDICT_IDENTICAL, NULL);
    assert_blocks("pc.ram", 1 << 20, "pc.ram", 2 << 20, VERDICT_INCOMPATIBLE,
                  "the stream has 2 MiB, the destination 1 MiB");
    assert_blocks("pc.ram", 1 << 20, "vga.vram", 1 << 20, VERDICT_INCOMPATIBLE,
                  "the stream has this block (1 MiB), the destination does not");
    assert_blocks("/rom@etc/acpi/tables", 64 << 10, "/rom@etc/acpi/tables", 128 << 10, VERDICT_CONVERTIBLE,
                  "the stream has 128 KiB, the destination 64 KiB; it can be resized");
}

Test(verdict, machine_type_and_shared_memory_must_agree)
{
    VerdictSide a = {.machine = "pc-i440fx-7.2"}, b = {.machine = "pc-q35-7.2"}, unknown = {.machine = NULL},
                shared = {.shared = true};
    g_autoptr(Verdict) machine = verdict_new(&a, &b, VERDICT_BY_NAME);
    g_autoptr(Verdict) not_told = verdict_new(&unknown, &b, VERDICT_BY_NAME);
    g_autoptr(Verdict) capability = verdict_new(&shared, &unknown, VERDICT_BY_NAME);

    assert_only(machine, VERDICT_INCOMPATIBLE, "machine", "machine",
                "the stream is of machine type pc-i440fx-7.2, the destination pc-q35-7.2");
    cr_assert_eq(not_told->level, VERDICT_IDENTICAL);
    assert_only(capability, VERDICT_INCOMPATIBLE, "capability", "configuration",
                "capability x-ignore-shared is on in the stream, off at the destination");
}

Test(verdict, sections_that_do_not_tell_themselves_apart_are_taken_in_order)
{
    VMStateField fields[] = {A, GATE, VMS_END};
    VMStateDescription large = describe(fields);
    VerdictSection both[] = {{.name = "isa-ide", .version = 1, .desc = &small_state},
                             {.name = "isa-ide", .version = 1, .desc = &large}};
    g_autoptr(Verdict) same = judge_sections(both, 2, both, 2);
    g_autoptr(Verdict) fewer = judge_sections(both, 1, both, 2);

    cr_assert_eq(same->level, VERDICT_IDENTICAL);
    assert_only(fewer, VERDICT_INCOMPATIBLE, "unknown", "isa-ide",
                "the stream has this section, the destination does not");
}
