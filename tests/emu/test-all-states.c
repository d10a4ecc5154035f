/*
 * test-all-states.c: any state of anything that a machine can have survives every format. Devices have the same in
 * their own tests; here is all that is registered, so that nothing new can be forgotten.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/emu/support/board.h"
#include "tests/emu/support/whole-pc.h"
#include "tests/support/recordings.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

enum { STATES = 60, ROUNDS = 24, TRIES = 40 };

Test(all_states, every_section_of_a_full_machine_survives_the_walk, .timeout = 300)
{
    GRand *rand = g_rand_new_with_seed(4);
    g_autoptr(GError) error = NULL;
    WholePc p;

    whole_pc_init_full(&p);
    cr_assert_gt(section_list_length(p.machine->sections), 45);
    for (size_t i = 0; i < section_list_length(p.machine->sections); i++) {
        const Section *s = section_list_get(p.machine->sections, i);
        cr_assert(vms_desc_check(s->desc, &error), "%s: %s", s->name, error->message);
        for (int k = 0; k < STATES; k++) {
            void *state = section_random_state(s, rand);
            section_walk_there_and_back(s, state);
            vms_state_free(s->desc, state);
        }
    }
    g_rand_free(rand);
    whole_pc_done(&p);
}

/* Whatever -device knows that has a state is there, and the machine's own parts are. */
Test(all_states, a_full_machine_lacks_nothing)
{
    static const char *const own[] = {
        "timer",  "cpu_common", "cpu",     "kvm-tpr-opt", "apic",         "fw_cfg",      "PCIHost",
        "PCIBUS", "dma",        "i8259",   "ioapic",      "hpet",         "mc146818rtc", "i8254",
        "pcspk",  "serial",     "fdc",     "ps2kbd",      "ps2mouse",     "pckbd",       "vmmouse",
        "port92", "slirp",      "i2c_bus", "acpi_build",  "smbus-eeprom", "globalstate",
    };
    WholePc p;

    whole_pc_init_full(&p);
    for (const DeviceType *const *t = vm_device_types(); *t; t++) {
        bool there = !(*t)->state;
        for (size_t i = 0; i < section_list_length(p.machine->sections) && !there; i++)
            there = section_list_get(p.machine->sections, i)->desc == (*t)->state;
        cr_assert(there, "%s has a state, but the machine has no such section", (*t)->name);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
        cr_assert(section_list_find(p.machine->sections, own[i], 0), "%s", own[i]);
    whole_pc_done(&p);
}

/* --- the machine ------------------------------------------------------------------------------------------------ */

/* Loads random states until one is sound; leaves what is there if none is. Was one? */
static bool set_random(const WholePc *p, const Section *s, GRand *rand)
{
    bool loaded = false;

    for (int i = 0; i < TRIES && !loaded; i++) {
        g_autoptr(SectionLoad) load = section_load_new(p->machine->sections);
        void *state = section_random_state(s, rand);
        ByteOut octets = {0};
        g_autoptr(Visitor) out = qemufile_out_new(&octets, s->name);
        vmstate_save(out, s->desc, state);
        cr_assert(visit_finish(out, NULL));
        g_autoptr(ChanIn) in = chan_in_new_memory(octets.data, octets.len, 0);
        loaded = section_load_one(load, s, qemufile_in_new(in, s->name), s->desc->version, NULL, NULL) &&
                 section_load_commit(load, NULL);
        vms_state_free(s->desc, state);
        byte_out_done(&octets);
    }
    return loaded;
}

/* Some pages of each area. */
static void set_random_memory(const WholePc *p, GRand *rand)
{
    for (guint i = 0; i < p->machine->areas->len; i++) {
        RamArea *area = p->machine->areas->pdata[i];
        for (int k = 0; k < 8; k++) {
            size_t page = (size_t)g_rand_int_range(rand, 0, (gint32)(area->size / RAM_PAGE));
            memset(area->host + page * RAM_PAGE, g_rand_int_range(rand, 0, 3), RAM_PAGE);
            area->host[page * RAM_PAGE + (size_t)g_rand_int_range(rand, 0, RAM_PAGE)] = (uint8_t)g_rand_int(rand);
        }
    }
}

static void expect_load(WholePc *p, const ByteOut *stream)
{
    g_autoptr(GError) error = NULL;

    cr_assert(whole_pc_load(p, stream, &error), "%s", error ? error->message : "");
}

/* Loads the state of one into the other, in that format; then they are equal. */
static void move(WholePc *from, WholePc *to, MigrateFormat format)
{
    ByteOut stream = {0};
    WholeState before;

    whole_pc_save(from, format, &stream);
    whole_state_take(from, &before);
    expect_load(to, &stream);
    const char *changed = whole_state_changed(to, &before);
    cr_assert_null(changed, "%s is another one after the load", changed);
    whole_state_done(from, &before);
    byte_out_done(&stream);
}

Test(all_states, a_machine_in_a_random_state_is_the_same_after_a_load_in_every_format, .timeout = 300)
{
    static const MigrateFormat formats[] = {MIGRATE_QEMUFILE, MIGRATE_BER, MIGRATE_BER_ZSTD};
    GRand *rand = g_rand_new_with_seed(11);
    g_autofree unsigned *found = NULL;
    WholePc a, b;

    whole_pc_init_full(&a);
    whole_pc_init_full(&b);
    size_t count = section_list_length(a.machine->sections);
    found = g_new0(unsigned, count);
    for (int round = 0; round < ROUNDS; round++) {
        ByteOut stream = {0};
        for (size_t i = 0; i < count; i++)
            found[i] += set_random(&a, section_list_get(a.machine->sections, i), rand);
        set_random_memory(&a, rand);
        whole_pc_save(&a, MIGRATE_QEMUFILE, &stream);
        expect_load(&b, &stream); /* devices make of it what they can have */
        byte_out_done(&stream);
        move(&b, &a, formats[round % 3]);
        move(&a, &b, formats[(round + 1) % 3]);
    }
    for (size_t i = 0; i < count; i++)
        cr_assert_gt(found[i], 0, "%s never had a random state", section_list_get(a.machine->sections, i)->name);
    g_rand_free(rand);
    whole_pc_done(&a);
    whole_pc_done(&b);
}
