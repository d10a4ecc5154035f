/* test-dirty.c: which pages were written: by this program, and by processors on KVM. */
#include <stdio.h>
#include <sys/ioctl.h>

#include "emu/core/dirty.h"
#include "emu/kvm/dirty.h"
#include "emu/kvm/memslot.h"
#include "tests/emu/vcpu-rig.h"

enum { PAGE = DIRTY_PAGE, LARGE = 70 * DIRTY_WORD * PAGE };

/* Of two areas, of which the second is mapped a second time where no word of its bitmap begins. */
typedef struct Memory {
    Board *board;
    RamArea *first, *second;
    uint64_t *bits;
} Memory;

static RamArea *add(Board *board, const char *name, uint64_t base, uint64_t size)
{
    RamArea *area = ram_area_new(name, size, 0, NULL);

    machine_add_ram(board->machine, area);
    space_map(board->machine->memory, &(SpaceMapping){.base = base, .size = size, .ram = area});
    return area;
}

static void setup(Memory *m)
{
    m->board = board_new();
    m->first = add(m->board, "first", 0, 16 * PAGE);
    m->second = add(m->board, "second", 1 << 30, LARGE);
    m->bits = g_malloc0(dirty_octets(m->second));
}

static void teardown(Memory *m)
{
    g_free(m->bits);
    board_free(m->board);
}

/* The numbers of the pages that are marked: "0 5 6". They are taken. */
static const char *marked(Memory *m, RamArea *area, char *text)
{
    char *to = text;

    *text = 0;
    memset(m->bits, 0, dirty_octets(m->second));
    dirty_take(area, m->bits, dirty_pages(area));
    for (uint64_t page = 0; page < dirty_pages(area); page++)
        if (m->bits[page / DIRTY_WORD] >> page % DIRTY_WORD & 1)
            to += sprintf(to, "%s%u", to == text ? "" : " ", (unsigned)page);
    return text;
}

Test(dirty, what_goes_through_a_space_is_marked)
{
    uint8_t octets[2 * PAGE] = {1};
    char text[4096];
    Memory m;

    setup(&m);
    Space *space = m.board->machine->memory;
    dirty_start(m.board->machine->areas);
    cr_assert_str_eq(marked(&m, m.first, text), "");
    space_write(space, 3 * PAGE - 2, 0, 4);
    space_write_octets(space, 5 * PAGE + 1, octets, sizeof octets);
    cr_assert_str_eq(marked(&m, m.first, text), "2 3 5 6 7");
    cr_assert_str_eq(marked(&m, m.first, text), "", "what was taken is not there any more");
    cr_assert_str_eq(marked(&m, m.second, text), "");
    size_t len = 100;
    cr_assert_not_null(space_map_octets(space, (1 << 30) + 65 * PAGE, &len, true));
    len = 100;
    cr_assert_not_null(space_map_octets(space, (1 << 30) + 66 * PAGE, &len, false));
    space_read_octets(space, 1 << 30, octets, sizeof octets);
    cr_assert_str_eq(marked(&m, m.second, text), "65");
    teardown(&m);
}

Test(dirty, memory_is_marked_by_its_place_in_the_program)
{
    char text[4096], outside[8];
    Memory m;

    setup(&m);
    const GPtrArray *areas = m.board->machine->areas;
    dirty_start(areas);
    dirty_mark_host(areas, m.first->host + 15 * PAGE, PAGE);
    dirty_mark_host(areas, m.second->host + 2 * PAGE - 1, 2);
    dirty_mark_host(areas, m.second->host + 7 * PAGE, 0);
    dirty_mark_host(areas, outside, sizeof outside);
    cr_assert_str_eq(marked(&m, m.first, text), "15");
    cr_assert_str_eq(marked(&m, m.second, text), "1 2");
    dirty_mark(m.first, 15 * PAGE, 4 * PAGE);
    dirty_mark(m.first, 16 * PAGE, 1);
    cr_assert_str_eq(marked(&m, m.first, text), "15", "an area ends where it ends");
    teardown(&m);
}

Test(dirty, nothing_is_kept_while_nobody_asks)
{
    char text[4096];
    Memory m;

    setup(&m);
    dirty_start(m.board->machine->areas);
    dirty_mark(m.first, 0, 1);
    dirty_stop(m.board->machine->areas);
    dirty_mark(m.first, 0, 1);
    dirty_mark_host(m.board->machine->areas, m.first->host, 1);
    cr_assert_null(m.first->dirty);
    cr_assert_str_eq(marked(&m, m.first, text), "");
    dirty_start(m.board->machine->areas);
    cr_assert_str_eq(marked(&m, m.first, text), "", "of what was before nothing is left");
    teardown(&m);
}

/* --- on KVM ------------------------------------------------------------------------------------------------------- */

/*
 * Real mode. Writes to a page and says so, for ever: 4 pages from 0x20000 on, one after the other, each when it is told
 * to by what it reads from a port.
 *     again: mov ax, 0x2000
 *     next:  mov es, ax;  mov byte [es:0], 1;  out 0x10, al;  add ax, 0x100;  cmp ax, 0x2400;  jb next
 *            mov al, 0x55;  out 0x11, al;  hlt
 */
static const uint8_t writes_four[] = {0xb8, 0x00, 0x20, 0x8e, 0xc0, 0x26, 0xc6, 0x06, 0x00, 0x00, 0x01, 0xe6, 0x10,
                                      0x05, 0x00, 0x01, 0x3d, 0x00, 0x24, 0x72, 0xee, 0xb0, 0x55, 0xe6, 0x11, 0xf4};

enum { FOUR = 0x20 /* the first of the pages */ };

typedef struct Logged {
    Rig *rig;
    uint64_t bits[RAM / PAGE / DIRTY_WORD];
} Logged;

static void start_log(Logged *l)
{
    g_autoptr(GError) error = NULL;

    memset(l, 0, sizeof *l);
    l->rig = rig_new(false, 1);
    dirty_start(l->rig->board->machine->areas);
    cr_assert(kvm_dirty_start(l->rig->kvm, &error), "%s", error ? error->message : "");
}

static void end_log(Logged *l)
{
    kvm_dirty_stop(l->rig->kvm);
    dirty_stop(l->rig->board->machine->areas);
    rig_free(l->rig);
}

/* Takes what is marked. */
static void report(Logged *l)
{
    g_autoptr(GError) error = NULL;
    Machine *m = l->rig->board->machine;

    memset(l->bits, 0, sizeof l->bits);
    machine_lock(m);
    cr_assert(kvm_dirty_sync(l->rig->kvm, &error), "%s", error ? error->message : "");
    dirty_take(l->rig->ram, l->bits, RAM / PAGE);
    machine_unlock(m);
}

static bool is_marked(const Logged *l, unsigned page)
{
    return l->bits[page / DIRTY_WORD] >> page % DIRTY_WORD & 1;
}

static void clear(Logged *l)
{
    machine_lock(l->rig->board->machine);
    kvm_dirty_clear(l->rig->kvm, l->rig->ram, 0, RAM / PAGE);
    machine_unlock(l->rig->board->machine);
}

static void run_four(Logged *l)
{
    g_string_set_size(l->rig->out, 0);
    load_program(l->rig, writes_four, sizeof writes_four);
    vcpu_start(l->rig->vcpus[0]);
    expect(l->rig, "1/1=55");
    vcpu_stop(l->rig->vcpus[0]);
    vcpu_set_halted(l->rig->vcpus[0], false);
}

/* What is marked of a few pages around those that are written. */
static void expect_four(Logged *l, bool marked)
{
    report(l);
    for (unsigned page = FOUR - 8; page < FOUR + 12; page++)
        cr_assert_eq(is_marked(l, page), marked && page >= FOUR && page < FOUR + 4, "page 0x%x", page);
}

Test(dirty_kvm, what_a_processor_writes_is_reported_until_it_is_cleared)
{
    Logged l;

    start_log(&l);
    report(&l);
    clear(&l);
    expect_four(&l, false);
    run_four(&l);
    expect_four(&l, true);
    if (l.rig->kvm->clears_logs)
        expect_four(&l, true);
    clear(&l);
    expect_four(&l, false);
    run_four(&l);
    expect_four(&l, true);
    end_log(&l);
}

Test(dirty_kvm, what_is_written_after_a_report_survives_the_clearing)
{
    Logged l;

    start_log(&l);
    report(&l);
    clear(&l);
    run_four(&l);
    report(&l);
    run_four(&l); /* again, and of these pages the report has heard already */
    space_write(l.rig->board->machine->memory, (FOUR + 5) * PAGE, 1, 1);
    clear(&l);
    report(&l);
    cr_assert(is_marked(&l, FOUR + 5));
    run_four(&l);
    expect_four(&l, true);
    end_log(&l);
}

Test(dirty_kvm, a_log_that_cannot_be_cleared_is_cleared_by_reading_it)
{
    struct kvm_enable_cap off = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2};
    Logged l;

    start_log(&l);
    kvm_dirty_stop(l.rig->kvm);
    cr_assert_eq(ioctl(l.rig->kvm->vm, KVM_ENABLE_CAP, &off), 0);
    l.rig->kvm->logs = true; /* as kvm_dirty_start does it where KVM has nothing better */
    l.rig->kvm->clears_logs = false;
    KvmSlot *slot = &g_array_index(l.rig->kvm->slots[0], KvmSlot, 0);
    kvm_slot_comes(slot);
    cr_assert(kvm_set_slot_flags(l.rig->kvm, 0, 0));
    report(&l);
    run_four(&l);
    expect_four(&l, true);
    expect_four(&l, false);
    run_four(&l);
    expect_four(&l, true);
    end_log(&l);
}

Test(dirty_kvm, what_was_written_by_a_slot_that_goes_is_not_lost)
{
    Logged l;

    start_log(&l);
    report(&l);
    clear(&l);
    run_four(&l);
    SpaceId id = space_map(l.rig->board->machine->memory,
                           &(SpaceMapping){.base = FOUR * PAGE, .size = PAGE, .priority = 1, .ops = &port_ops});
    report(&l);
    for (unsigned page = FOUR; page < FOUR + 4; page++)
        cr_assert(is_marked(&l, page), "page 0x%x", page);
    clear(&l);
    space_unmap(l.rig->board->machine->memory, id);
    report(&l);
    clear(&l);
    expect_four(&l, false);
    run_four(&l); /* by a slot that has come while it was on */
    expect_four(&l, true);
    end_log(&l);
}

Test(dirty_kvm, a_slot_that_begins_inside_a_word_marks_the_pages_that_it_is)
{
    Logged l;

    start_log(&l);
    space_map(
        l.rig->board->machine->memory,
        &(SpaceMapping){.base = 0x5000, .size = PAGE, .priority = 1, .ops = &port_ops}); /* two slots, at 0 and 6 */
    report(&l);
    clear(&l);
    expect_four(&l, false);
    run_four(&l);
    expect_four(&l, true);
    clear(&l);
    expect_four(&l, false);
    end_log(&l);
}

Test(dirty_kvm, nothing_is_lost_while_a_processor_writes_and_pages_are_copied)
{
    /* again: mov es:[0], cx;  inc cx;  jmp again, of the page at 0x30000 */
    static const uint8_t counts[] = {0xb8, 0x00, 0x30, 0x8e, 0xc0, 0x31, 0xc9, 0x26,
                                     0x89, 0x0e, 0x00, 0x00, 0x41, 0xeb, 0xf8};
    uint16_t copy = 0, *there;
    unsigned rounds = 0;
    Logged l;

    start_log(&l);
    report(&l);
    there = (uint16_t *)(void *)(l.rig->ram->host + 0x30000);
    load_program(l.rig, counts, sizeof counts);
    vcpu_start(l.rig->vcpus[0]);
    for (gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND; rounds < 300 && g_get_monotonic_time() < end;) {
        report(&l);
        if (!is_marked(&l, 0x30))
            continue;
        clear(&l);
        copy = __atomic_load_n(there, __ATOMIC_RELAXED);
        rounds++;
    }
    vcpu_stop(l.rig->vcpus[0]);
    report(&l);
    if (is_marked(&l, 0x30))
        copy = *there;
    cr_assert_gt(rounds, 10);
    cr_assert_eq(copy, *there, "the copy has %u, the page %u, after %u rounds", copy, *there, rounds);
    end_log(&l);
}
