/* test-hotplug.c: cards that come and go while a machine runs, as its guest sees it: by ports. It has no processors. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "emu/core/machine.h"
#include "emu/machine/devices.h"
#include "emu/pci/pci.h"

/* As QEMU's docs/specs/acpi_pci_hotplug has them, and the PIIX4's registers of general purpose events. */
enum { UP = 0xae00, DOWN = 0xae04, EJECT = 0xae08, REMOVABLE = 0xae0c, BUS = 0xae10, GPE_STATUS = 0xafe0, GPE_PCI = 2 };
enum { CONFIG_ADDRESS = 0xcf8, CONFIG_DATA = 0xcfc, NOBODY = -1 };

typedef struct Rig {
    GMainContext *context;
    Options *options;
    Vm *vm;
    GString *gone; /* the ids of those that went */
} Rig;

static void device_goes(void *opaque, const VmDevice *device)
{
    g_string_append_printf(((Rig *)opaque)->gone, "%s ", device->id);
}

static void rig_init(Rig *r, bool runs)
{
    static const char *const words[] = {"-accel", "none", "-m", "16", "-nodefaults", "-display", "none", NULL};
    const VmEvents events = {.device_goes = device_goes, .opaque = r};
    g_autoptr(GError) error = NULL;

    r->context = g_main_context_new();
    r->gone = g_string_new(NULL);
    r->options = options_parse(words, vm_device_types(), &error);
    r->vm = r->options ? vm_new(r->options, &events, r->context, &error) : NULL;
    cr_assert(r->vm, "%s", error ? error->message : "");
    if (runs)
        vm_launch(r->vm);
}

static void rig_done(Rig *r)
{
    vm_free(r->vm);
    options_free(r->options);
    g_string_free(r->gone, TRUE);
    g_main_context_unref(r->context);
}

static Space *ports(const Rig *r)
{
    return pc_machine(vm_pc(r->vm))->ports;
}

static uint32_t in(const Rig *r, uint16_t port)
{
    machine_lock(pc_machine(vm_pc(r->vm)));
    uint32_t value = (uint32_t)space_read(ports(r), port, port == GPE_STATUS ? 1 : 4);
    machine_unlock(pc_machine(vm_pc(r->vm)));
    return value;
}

/* What it causes happens on the loop. */
static void out(const Rig *r, uint16_t port, uint32_t value)
{
    machine_lock(pc_machine(vm_pc(r->vm)));
    space_write(ports(r), port, value, port == GPE_STATUS ? 1 : 4);
    machine_unlock(pc_machine(vm_pc(r->vm)));
    while (g_main_context_iteration(r->context, FALSE))
        continue;
}

static int vendor_at(const Rig *r, unsigned slot)
{
    out(r, CONFIG_ADDRESS, 1U << 31 | slot << 11);
    uint32_t id = in(r, CONFIG_DATA);
    return id == UINT32_MAX ? NOBODY : (int)(id & 0xffff);
}

static bool add(const Rig *r, const char *id, const char *addr, GError **error)
{
    json_t *options = json_pack("{s:s,s:s,s:s}", "driver", "virtio-rng-pci", "id", id, "addr", addr);
    bool ok = vm_add_device(r->vm, options, error);

    json_decref(options);
    return ok;
}

static void remove_card(const Rig *r, const char *id)
{
    g_autoptr(GError) error = NULL;

    cr_assert(vm_remove_device(r->vm, vm_device_of_id(r->vm, id), &error), "%s", error ? error->message : "");
}

Test(hotplug, a_card_that_comes_is_told_by_an_event_and_its_slot_once)
{
    Rig r;

    rig_init(&r, true);
    cr_expect_eq(vendor_at(&r, 7), NOBODY);
    cr_expect_eq(in(&r, GPE_STATUS), 0);
    cr_assert(add(&r, "a", "7", NULL));
    cr_expect_eq(in(&r, GPE_STATUS), GPE_PCI);
    out(&r, BUS, 0);
    cr_expect_eq(in(&r, UP), 1U << 7);
    cr_expect_eq(in(&r, UP), 0);
    cr_expect_eq(in(&r, DOWN), 0);
    cr_expect_eq(vendor_at(&r, 7), 0x1af4);
    rig_done(&r);
}

Test(hotplug, a_card_that_shall_go_stays_until_the_guest_lets_it)
{
    Rig r;

    rig_init(&r, true);
    cr_assert(add(&r, "a", "7", NULL) && add(&r, "b", "8", NULL));
    in(&r, UP);
    out(&r, GPE_STATUS, GPE_PCI);
    for (int asked = 0; asked < 2; asked++) { /* once more is the same */
        remove_card(&r, "a");
        cr_expect_eq(in(&r, GPE_STATUS), GPE_PCI);
        cr_expect_eq(in(&r, DOWN), 1U << 7);
        cr_expect_eq(vendor_at(&r, 7), 0x1af4);
    }
    cr_expect_str_eq(r.gone->str, "");
    cr_expect_not(add(&r, "a", "9", NULL), "its name is in use as long as it is there");
    out(&r, EJECT, 1U << 7);
    cr_expect_str_eq(r.gone->str, "a ");
    cr_expect_eq(in(&r, DOWN), 0);
    cr_expect_eq(vendor_at(&r, 7), NOBODY);
    cr_expect_eq(vendor_at(&r, 8), 0x1af4);
    cr_expect_null(vm_device_of_id(r.vm, "a"));
    cr_assert(add(&r, "a", "7", NULL), "name and slot are free");
    cr_expect_eq(in(&r, UP), 1U << 7);
    rig_done(&r);
}

Test(hotplug, a_guest_that_does_not_answer_loses_it_when_it_is_reset)
{
    Rig r;

    rig_init(&r, true);
    cr_assert(add(&r, "a", "7", NULL) && add(&r, "b", "8", NULL));
    remove_card(&r, "a");
    vm_reset(r.vm);
    while (g_main_context_iteration(r.context, FALSE))
        continue;
    cr_expect_str_eq(r.gone->str, "a ");
    cr_expect_eq(vendor_at(&r, 7), NOBODY);
    cr_expect_eq(vendor_at(&r, 8), 0x1af4);
    cr_expect(in(&r, UP) == 0 && in(&r, DOWN) == 0, "a guest that begins looks by itself");
    rig_done(&r);
}

Test(hotplug, a_guest_may_let_go_what_nobody_has_asked_for)
{
    Rig r;

    rig_init(&r, true);
    cr_assert(add(&r, "a", "1f", NULL));
    out(&r, EJECT, 1U << 31);
    cr_expect_str_eq(r.gone->str, "a ");
    rig_done(&r);
}

Test(hotplug, what_is_the_boards_own_stays)
{
    Rig r;

    rig_init(&r, true);
    cr_expect_eq(in(&r, REMOVABLE) & 3, 0);
    for (unsigned slot = 0; slot < 32; slot++)
        out(&r, EJECT, 1U << slot);
    out(&r, BUS, 1);
    out(&r, EJECT, 1);
    cr_expect_eq(vendor_at(&r, 0), 0x8086);
    cr_expect_eq(vendor_at(&r, 1), 0x8086);
    cr_expect_str_eq(r.gone->str, "");
    rig_done(&r);
}

Test(hotplug, a_slot_that_the_guest_may_have_looked_at_takes_no_more_functions)
{
    g_autoptr(GError) error = NULL, other = NULL;
    Rig r;

    rig_init(&r, false);
    cr_assert(add(&r, "a", "7.0", NULL) && add(&r, "b", "7.1", NULL) && add(&r, "c", "8.1", NULL));
    vm_launch(r.vm);
    cr_expect_not(add(&r, "d", "7.2", &error));
    cr_expect(strstr(error->message, "only function 0"), "%s", error->message);
    cr_expect_not(add(&r, "d", "8.0", &other));
    cr_expect_str_eq(other->message, "PCI: slot 8 has a card already");
    cr_expect(add(&r, "d", "9", NULL), "what was refused has left nothing");
    remove_card(&r, "a");
    out(&r, EJECT, 1U << 7);
    cr_expect_str_eq(r.gone->str, "b a ", "a slot goes as a whole");
    rig_done(&r);
}

Test(hotplug, before_it_runs_nobody_is_asked)
{
    Rig r;

    rig_init(&r, false);
    cr_assert(add(&r, "a", "7", NULL));
    cr_expect_eq(in(&r, UP), 0);
    remove_card(&r, "a");
    cr_expect_str_eq(r.gone->str, "a ");
    cr_expect_eq(vendor_at(&r, 7), NOBODY);
    rig_done(&r);
}
