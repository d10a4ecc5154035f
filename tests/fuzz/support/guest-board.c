/* guest-board.c: what happens to a PC without processors; its state out and in. */
#include "tests/fuzz/support/guest-board.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emu/block/blk-memory.h"
#include "emu/dev/dev.h"
#include "emu/dev/fdc-impl.h"
#include "emu/dev/i8254.h"
#include "emu/dev/i8257-impl.h"
#include "emu/dev/ide.h"
#include "emu/dev/lapic.h"
#include "emu/pci/chipset.h"
#include "tests/fuzz/support/fuzz.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "vmstate/state.h"

enum { GUEST_PAGE = 4096 };

/* --- disks ------------------------------------------------------------------------------------------------------- */

/* One may make the other's drive begin something, too. */
static void finish_disks(GuestBoard *b)
{
    block_drain(b->disk);
    block_drain(b->cd);
}

static void was_flushed(void *opaque, int error)
{
    (void)opaque;
    (void)error;
}

/* A failure that is still to come happens to nobody: the next request's it would be, and another board has not got it.
 */
static void spend_failures(Block *block)
{
    block_submit(block, &(BlockRequest){.op = BLOCK_FLUSH, .done = was_flushed});
    block_drain(block);
}

static void put_medium(GuestBoard *b, bool out)
{
    b->cd_out = out;
    piix3_ide_change_medium(b->chips[CHIP_IDE], GUEST_CD_BUS, 0, out ? NULL : b->cd);
}

void guest_board_disk_event(GuestBoard *b, unsigned event)
{
    enum { NOTHING, MEDIUM_OUT, MEDIUM_IN, BUTTON, DISK_FAILS, CD_FAILS, EVENTS };

    finish_disks(b);
    switch (event % EVENTS) {
    case MEDIUM_OUT:
    case MEDIUM_IN:
        put_medium(b, event % EVENTS == MEDIUM_OUT);
        break;
    case BUTTON:
        piix3_ide_press_eject(b->chips[CHIP_IDE], GUEST_CD_BUS, 0);
        break;
    case DISK_FAILS:
        blk_memory_fail(b->disk, 0, EIO);
        break;
    case CD_FAILS:
        blk_memory_fail(b->cd, 0, EIO);
        break;
    default:
        break;
    }
}

/* --- processors and power ----------------------------------------------------------------------------------------- */

/* What they would take, if there were some. */
uint64_t guest_board_take(GuestBoard *b, unsigned cpu)
{
    Device *lapic = b->chips[CHIP_LAPIC + cpu % GUEST_CPUS];
    uint8_t start = 0;
    uint64_t signals = lapic_vcpu.take_signals(lapic, &start);

    return signals << 16 | (uint64_t)start << 8 | (lapic_pending(lapic) ? (uint8_t)lapic_take(lapic) : 0U);
}

void guest_board_power_event(GuestBoard *b, unsigned event, unsigned n)
{
    enum { BUTTON_DOWN, BUTTON_UP, SLOT_COMES, SLOT_GOES, CPU_COMES, CPU_GOES, WAKES, EVENTS };
    Device *pm = b->chips[CHIP_PIIX4_PM];
    Irq button = device_input(pm, "power-button", 0);

    switch (event % EVENTS) {
    case SLOT_COMES:
        piix4_pm_slot_plugged(pm, n % PCI_SLOTS);
        break;
    case SLOT_GOES:
        piix4_pm_slot_unplug(pm, n % PCI_SLOTS);
        break;
    case CPU_COMES:
        guest_board_set_cpu(b, n % GUEST_CPUS, true);
        piix4_pm_cpu_plugged(pm, n % GUEST_CPUS);
        break;
    case CPU_GOES:
        piix4_pm_cpu_unplug(pm, n % GUEST_CPUS);
        break;
    case WAKES:
        piix4_pm_wake(pm, (uint16_t)(n << 8));
        break;
    default:
        irq_set(&button, event % EVENTS == BUTTON_DOWN);
    }
}

/* --- running ----------------------------------------------------------------------------------------------------- */

void guest_board_obey(GuestBoard *b)
{
    if (b->reset_wanted)
        machine_reset(b->machine);
    b->reset_wanted = false;
}

void guest_board_jump(GuestBoard *b, int64_t ns)
{
    b->virtual_ns += ns;
    b->host_ns += ns;
    clock_run(b->machine->virtual_clock);
    clock_run(b->machine->host_clock);
    finish_disks(b);
}

void guest_board_step(GuestBoard *b, int64_t ns, unsigned steps)
{
    for (; ns > 0 && steps; steps--) {
        int64_t to_virtual = clock_deadline(b->machine->virtual_clock) - b->virtual_ns;
        int64_t to_host = clock_deadline(b->machine->host_clock) - b->host_ns;
        int64_t step = MIN(ns, MAX(MIN(to_virtual, to_host), 1));
        guest_board_jump(b, step);
        ns -= step;
    }
    guest_board_jump(b, ns);
}

/* --- saving and loading ------------------------------------------------------------------------------------------ */

const Section *guest_board_section(const GuestBoard *b, GuestChip chip)
{
    for (size_t i = 0; i < section_list_length(b->machine->sections); i++)
        if (section_list_get(b->machine->sections, i)->opaque == b->chips[chip])
            return section_list_get(b->machine->sections, i);
    return NULL;
}

void guest_board_save(GuestBoard *b, GuestChip chip, GuestFormat format, ByteOut *octets)
{
    const Section *s = guest_board_section(b, chip);
    GError *error = NULL;
    Visitor *v =
        format == GUEST_QEMUFILE ? qemufile_out_new(octets, s->name) : ber_out_new(octets, s->name, BER_CONTEXT, 0);

    fuzz_check(section_save(s, v, &error), "%s does not save: %s", s->name, fuzz_message(error));
}

bool guest_board_load(GuestBoard *b, GuestChip chip, GuestFormat format, int version, const ByteOut *octets,
                      GError **error)
{
    const Section *s = guest_board_section(b, chip);
    g_autoptr(SectionLoad) load = section_load_new(b->machine->sections);
    g_autoptr(ChanIn) in = chan_in_new_memory(octets->data, octets->len, 0);
    Visitor *v = format == GUEST_QEMUFILE ? qemufile_in_new(in, s->name)
                                          : ber_in_new(octets->data, octets->len, 0, s->name, BER_CONTEXT, 0);
    /* A drive whose status says so has its buffer, which the stream may have left out. */
    size_t room = chip == CHIP_IDE ? 4 * (256 * 512 + 4096) : 4096;
    void *before = vms_state_new(s->desc);

    vms_state_copy(s->desc, before, s->state);
    bool ok = section_load_one(load, s, v, version, format == GUEST_BER_BY_NAME ? s->desc : NULL, error) &&
              section_load_commit(load, error);
    fuzz_check(ok || vms_state_equal(s->desc, before, s->state), "%s was refused, and has changed", s->name);
    fuzz_check(!ok || format != GUEST_QEMUFILE || vms_state_wire_size(s->desc, s->state) <= octets->len + room,
               "%s is larger than what was loaded", s->name);
    vms_state_free(s->desc, before);
    return ok;
}

static void check_same(const char *name, const ByteOut *once, const ByteOut *twice)
{
    size_t i = 0;

    while (i < once->len && i < twice->len && once->data[i] == twice->data[i])
        i++;
    if (i < once->len || i < twice->len) {
        g_autofree char *a = bytes_show(once->data, once->len), *b2 = bytes_show(twice->data, twice->len);
        fprintf(stderr, "%s\n%s\n", a, b2);
    }
    fuzz_check(i == once->len && i == twice->len,
               "%s is another one when it is loaded again: octet 0x%zx of 0x%zx and 0x%zx is 0x%02x, then 0x%02x", name,
               i, once->len, twice->len, i < once->len ? once->data[i] : 0, i < twice->len ? twice->data[i] : 0);
}

void guest_board_save_and_load(GuestBoard *b, GuestChip chip, GuestFormat format)
{
    const Section *s = guest_board_section(b, chip);
    ByteOut once = {0}, twice = {0};
    GError *error = NULL;

    guest_board_save(b, chip, format, &once);
    fuzz_check(guest_board_load(b, chip, format, s->desc->version, &once, &error), "what is saved does not load: %s",
               fuzz_message(error));
    guest_board_save(b, chip, format, &twice);
    check_same(s->name, &once, &twice);
    byte_out_done(&once);
    byte_out_done(&twice);
}

/*
 * What QEMU's sections have no place for. DMA: requests by software; when a channel that starts over is to be served
 * again. PIT: whether a count has yet to come, if a status is latched. FDC: the drive of the output register, if it is
 * not that of the last command.
 */
static bool loses_something(const GuestBoard *b)
{
    const PitState *pit = guest_board_section(b, CHIP_PIT)->state;
    const FdcController *fdc = &((const Fdc *)b->chips[CHIP_FDC])->s.state;

    for (unsigned n = 0; n < PIT_CHANNELS; n++)
        if (pit->channels[n].status_latched)
            return true;
    if ((fdc->dor & 1) != fdc->drive)
        return true;
    for (GuestChip chip = CHIP_DMA_FIRST; chip <= CHIP_DMA_SECOND; chip++) {
        const I8257 *dma = (const I8257 *)b->chips[chip];
        if (dma->software || (timer_armed(&dma->again) && timer_expiry(&dma->again) > b->virtual_ns))
            return true;
    }
    return false;
}

/* Who is at the other end of a line is no part of the state, and goes on where it was. */
static void copy_peers(GuestBoard *to, const GuestBoard *from)
{
    chardev_memory_copy(to->chardev, from->chardev);
    to->registers = from->registers;
    to->dma_supply = from->dma_supply;
    to->dma_step = from->dma_step;
    to->dma_lines = from->dma_lines;
    for (unsigned i = 0; i < GUEST_CPUS; i++)
        guest_board_set_cpu(to, i, from->cpus & 1U << i);
}

GuestBoard *guest_board_copy(GuestBoard *b)
{
    GuestBoard *other = guest_board_new(b->virtual_ns, b->host_ns);
    ByteOut saved[CHIPS] = {{0}};
    GError *error = NULL;

    finish_disks(b);
    spend_failures(b->disk);
    spend_failures(b->cd);
    memcpy(blk_memory_data(other->disk), blk_memory_data(b->disk), GUEST_DISK);
    if (b->cd_out)
        put_medium(other, true);
    for (size_t at = 0; at < GUEST_RAM; at += GUEST_PAGE)
        if (!bytes_are_zero(b->ram->host + at, GUEST_PAGE))
            memcpy(other->ram->host + at, b->ram->host + at, GUEST_PAGE);
    copy_peers(other, b);
    g_autoptr(SectionLoad) load = section_load_new(other->machine->sections);
    for (GuestChip chip = 0; chip < CHIPS; chip++) {
        const Section *s = guest_board_section(other, chip);
        if (!s)
            continue;
        guest_board_save(b, chip, GUEST_QEMUFILE, &saved[chip]);
        g_autoptr(ChanIn) in = chan_in_new_memory(saved[chip].data, saved[chip].len, 0);
        fuzz_check(section_load_one(load, s, qemufile_in_new(in, s->name), s->desc->version, NULL, &error), "%s",
                   fuzz_message(error));
    }
    fuzz_check(section_load_commit(load, &error), "what is saved does not load: %s", fuzz_message(error));
    for (GuestChip chip = 0; chip < CHIPS; chip++) {
        ByteOut twice = {0};
        if (!guest_board_section(other, chip))
            continue;
        guest_board_save(other, chip, GUEST_QEMUFILE, &twice);
        if (!b->patched)
            check_same(other->chips[chip]->type->name, &saved[chip], &twice);
        byte_out_done(&twice);
        byte_out_done(&saved[chip]);
    }
    other->patched = b->patched;
    other->lossy = loses_something(b);
    for (unsigned n = 0; n < ISA_DMA_CHANNELS; n++)
        if (other->dma_lines & 1U << n)
            guest_board_request(other, n, true);
    return other;
}
