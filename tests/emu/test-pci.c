/* test-pci.c: the PCI bus with a device that has some of everything. */
#include <criterion/criterion.h>

#include "emu/pci/msix.h"
#include "emu/pci/pci-bus.h"
#include "tests/emu/support/board.h"

enum { PIRQ = 20, VECTORS = 4, SLOT = 3, MSI_AT = 0x50, PM_AT = 0x40 };

typedef struct GadgetState {
    PciState dev;
    uint8_t table[MSIX_TABLE_SIZE(VECTORS)];
    uint8_t pending[MSIX_PBA_SIZE(VECTORS)];
} GadgetState;

typedef struct Gadget {
    PciDevice pci;
    RamArea *rom;
    uint64_t last_write;
    Msix msix;
    GadgetState s;
} Gadget;

static uint64_t read_gadget(void *opaque, uint64_t addr, unsigned size)
{
    (void)opaque;
    return addr + (size << 8);
}

static void write_gadget(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    (void)size;
    ((Gadget *)opaque)->last_write = addr << 32 | value;
}

static const IoOps gadget_ops = {.read = read_gadget, .write = write_gadget};

static void config_written(PciDevice *dev, unsigned addr, unsigned size)
{
    msix_config_written(&((Gadget *)dev)->msix, addr, size);
    pci_msi_config_written(dev, addr, size);
}

static bool realize_gadget(Device *dev, GError **error)
{
    Gadget *g = (Gadget *)dev;
    static const PciIdentity identity = {
        .vendor = 0x1234, .device = 0x5678, .class = 0x0280, .revision = 9, .interface = 1, .pin = 1};

    if (!pci_device_start(&g->pci, &identity, error))
        return false;
    g->pci.config_written = config_written;
    g->pci.hotpluggable = true;
    g->rom = ram_area_new("gadget.rom", 0x10000, 0x10000, NULL);
    g->rom->host[0] = 0x55;
    pci_add_bar(&g->pci, 0, &(PciBar){.size = 0x40, .type = PCI_BAR_PORTS, .ops = &gadget_ops, .opaque = g});
    pci_add_bar(&g->pci, 1, &(PciBar){.size = 0x1000, .ops = &msix_ops, .opaque = &g->msix});
    pci_add_bar(&g->pci, 2,
                &(PciBar){.size = 0x4000, .type = PCI_BAR_64_BIT | PCI_BAR_PREFETCH, .ops = &gadget_ops, .opaque = g});
    pci_add_bar(&g->pci, PCI_ROM, &(PciBar){.size = 0x10000, .ram = g->rom});
    cr_assert(pci_add_power_management(&g->pci, PM_AT));
    cr_assert(pci_add_msi(&g->pci, MSI_AT, 4, true));
    g->msix.dev = &g->pci;
    g->msix.vectors = VECTORS;
    g->msix.table = g->s.table;
    g->msix.pending = g->s.pending;
    cr_assert(msix_start(&g->msix, &(MsixPlace){.bar = 1, .pending_at = 0x800, .capability = 0x98}));
    return true;
}

static void unrealize_gadget(Device *dev)
{
    pci_device_stop((PciDevice *)dev);
    ram_area_free(((Gadget *)dev)->rom);
}

static void reset_gadget(Device *dev)
{
    pci_device_reset((PciDevice *)dev);
    msix_reset(&((Gadget *)dev)->msix);
}

static bool check_gadget(const void *state, GError **error)
{
    return pci_check(&((const GadgetState *)state)->dev, "gadget", error);
}

static void push_gadget(void *opaque)
{
    pci_device_push(opaque);
}

static const VMStateField gadget_fields[] = {
    VMS_SUB(GadgetState, dev, &pci_device_state),
    VMS_BYTES(GadgetState, table),
    VMS_BYTES(GadgetState, pending),
    VMS_END,
};

static const VMStateDescription gadget_state = {
    .name = "gadget",
    .version = 1,
    .minimum = 1,
    .size = sizeof(GadgetState),
    .fields = gadget_fields,
    .check = check_gadget,
    .push = push_gadget,
};

static const DeviceType gadget_type = {
    .name = "gadget",
    .about = "a PCI device with some of everything",
    .size = sizeof(Gadget),
    .state = &gadget_state,
    .state_offset = offsetof(Gadget, s),
    .realize = realize_gadget,
    .unrealize = unrealize_gadget,
    .reset = reset_gadget,
};

/* --- the bus of a test ------------------------------------------------------------------------------------------ */

typedef struct Sent {
    unsigned count;
    uint64_t address;
    uint32_t data;
} Sent;

static void catch_message(void *opaque, uint64_t address, uint32_t data)
{
    Sent *sent = opaque;

    *sent = (Sent){.count = sent->count + 1, .address = address, .data = data};
}

static PciBus *add_bus(Board *board, Sent *sent)
{
    Device *host = device_new(&pci_host_type), *bus = device_new(&pci_bus_type);

    for (unsigned i = 0; i < PCI_PINS; i++)
        device_connect_irq(bus, "pirq", i, board_probe(board, PIRQ + i));
    pci_host_set_bus(host, bus);
    board_add(board, host);
    ((PciBus *)bus)->send = catch_message;
    ((PciBus *)bus)->send_opaque = sent;
    return (PciBus *)board_add(board, bus);
}

static Gadget *add_gadget(Board *board, PciBus *bus, uint8_t devfn)
{
    Device *dev = device_new(&gadget_type);

    ((PciDevice *)dev)->bus = bus;
    ((PciDevice *)dev)->devfn = devfn;
    return (Gadget *)board_add(board, dev);
}

static void select_config(Board *board, uint8_t devfn, unsigned reg)
{
    board_out32(board, 0xcf8, 0x80000000U | (uint32_t)devfn << 8 | (reg & 0xfc));
}

static uint32_t config_in(Board *board, unsigned reg)
{
    select_config(board, PCI_DEVFN(SLOT, 0), reg);
    return board_in32(board, 0xcfc);
}

static void config_out(Board *board, unsigned reg, uint32_t value)
{
    select_config(board, PCI_DEVFN(SLOT, 0), reg);
    board_out32(board, 0xcfc, value);
}

/* --- configuration ---------------------------------------------------------------------------------------------- */

Test(pci, mechanism_1_reaches_octets_words_and_double_words)
{
    g_autoptr(Board) board = board_new();
    PciBus *bus = add_bus(board, NULL);

    add_gadget(board, bus, PCI_DEVFN(SLOT, 0));
    cr_assert_eq(config_in(board, 0), 0x56781234);
    cr_assert_eq(board_in16(board, 0xcfe), 0x5678);
    cr_assert_eq(board_in8(board, 0xcfd), 0x12);
    cr_assert_eq(config_in(board, 8), 0x02800109);
    cr_assert_eq(config_in(board, 0x2c), 0x11001af4);
    cr_assert_eq(board_in32(board, 0xcf8), 0x80001800 | 0x2c);
    board_out8(board, 0xcf8, 0); /* not a double word: not the register */
    board_out8(board, 0xcfb, 1);
    cr_assert_eq(board_in32(board, 0xcf8), 0x80001800 | 0x2c);
}

Test(pci, where_no_device_is_configuration_is_all_ones)
{
    g_autoptr(Board) board = board_new();
    PciBus *bus = add_bus(board, NULL);

    add_gadget(board, bus, PCI_DEVFN(SLOT, 0));
    select_config(board, PCI_DEVFN(SLOT, 1), 0);
    cr_assert_eq(board_in32(board, 0xcfc), UINT32_MAX);
    board_out32(board, 0xcfc, 0);
    board_out32(board, 0xcf8, 0x80010000 | SLOT << 11); /* bus 1 */
    cr_assert_eq(board_in32(board, 0xcfc), UINT32_MAX);
    board_out32(board, 0xcf8, SLOT << 11); /* not enabled */
    cr_assert_eq(board_in32(board, 0xcfc), UINT32_MAX);
}

Test(pci, only_what_can_be_written_is)
{
    g_autoptr(Board) board = board_new();
    Gadget *g = add_gadget(board, add_bus(board, NULL), PCI_DEVFN(SLOT, 0));

    config_out(board, 0, 0);
    config_out(board, 8, UINT32_MAX);
    config_out(board, 4, UINT32_MAX);
    config_out(board, 0x3c, UINT32_MAX);
    cr_assert_eq(config_in(board, 0), 0x56781234);
    cr_assert_eq(config_in(board, 8), 0x02800109);
    cr_assert_eq(config_in(board, 4), 0x00100507);
    cr_assert_eq(config_in(board, 0x3c), 0x000001ff);
    pci_put16(g->s.dev.config, PCI_STATUS, 0xf910); /* errors, which go when ones are written */
    config_out(board, 4, 0x80000000);
    cr_assert_eq(config_in(board, 4), 0x79100000);
}

/* --- BARs ------------------------------------------------------------------------------------------------------- */

Test(pci, a_bar_tells_its_size_and_is_where_the_guest_puts_it)
{
    g_autoptr(Board) board = board_new();
    Gadget *g = add_gadget(board, add_bus(board, NULL), PCI_DEVFN(SLOT, 0));
    Space *memory = board->machine->memory;

    config_out(board, 0x10, UINT32_MAX);
    config_out(board, 0x18, UINT32_MAX);
    config_out(board, 0x1c, UINT32_MAX);
    config_out(board, 0x30, UINT32_MAX);
    cr_assert_eq(config_in(board, 0x10), 0xffffffc1);
    cr_assert_eq(config_in(board, 0x18), 0xffffc00c);
    cr_assert_eq(config_in(board, 0x1c), 0xffffffff);
    cr_assert_eq(config_in(board, 0x30), 0xffff0001);
    config_out(board, 4, PCI_COMMAND_IO | PCI_COMMAND_MEMORY); /* nothing is mapped at the top */
    cr_assert_eq(board_in8(board, 0xffc0), 0xff);

    config_out(board, 0x10, 0xc000);
    cr_assert_eq(board_in8(board, 0xc005), 0x05);
    board_out32(board, 0xc008, 0x1234);
    cr_assert_eq(g->last_write, UINT64_C(0x800001234));
    config_out(board, 0x18, 0x4000);
    config_out(board, 0x1c, 0x23);
    cr_assert_eq(space_read(memory, UINT64_C(0x2300004010), 4), 0x410);
    config_out(board, 0x30, 0xfeb00001);
    cr_assert_eq(space_read(memory, 0xfeb00000, 1), 0x55);
    space_write(memory, 0xfeb00000, 0, 1);
    cr_assert_eq(space_read(memory, 0xfeb00000, 1), 0x55, "a ROM was written");
    config_out(board, 0x30, 0xfeb00000);
    cr_assert_eq(space_read(memory, 0xfeb00000, 1), 0xff);

    config_out(board, 4, PCI_COMMAND_MEMORY);
    cr_assert_eq(board_in8(board, 0xc005), 0xff);
    cr_assert_eq(space_read(memory, UINT64_C(0x2300004010), 4), 0x410);
    config_out(board, 4, 0);
    cr_assert_eq(space_read(memory, UINT64_C(0x2300004010), 4), UINT32_MAX);
}

Test(pci, memory_of_the_machine_lies_in_front_of_a_bar)
{
    g_autoptr(Board) board = board_new();
    RamArea *ram = ram_area_new("ram", 0x10000, 0x10000, NULL);

    machine_add_ram(board->machine, ram);
    space_map(board->machine->memory, &(SpaceMapping){.base = 0x10000, .size = 0x10000, .ram = ram});
    add_gadget(board, add_bus(board, NULL), PCI_DEVFN(SLOT, 0));
    config_out(board, 0x18, 0x1c000);
    config_out(board, 4, PCI_COMMAND_MEMORY);
    cr_assert_eq(space_read(board->machine->memory, 0x1c010, 4), 0);
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

Test(pci, the_lines_of_the_slots_are_turned)
{
    g_autoptr(Board) board = board_new();
    PciBus *bus = add_bus(board, NULL);

    for (unsigned slot = 1; slot <= 5; slot++) {
        Gadget *g = add_gadget(board, bus, PCI_DEVFN(slot, 0));
        pci_set_irq(&g->pci, true);
        for (unsigned i = 0; i < PCI_PINS; i++)
            cr_assert_eq(board->level[PIRQ + i], i == (slot - 1) % 4, "slot %u, PIRQ%c", slot, 'A' + i);
        pci_set_irq(&g->pci, false);
        cr_assert_not(board->level[PIRQ + (slot - 1) % 4]);
    }
}

Test(pci, a_shared_line_is_up_while_somebody_drives_it)
{
    g_autoptr(Board) board = board_new();
    PciBus *bus = add_bus(board, NULL);
    Gadget *a = add_gadget(board, bus, PCI_DEVFN(3, 0)), *b = add_gadget(board, bus, PCI_DEVFN(7, 0));

    pci_set_irq(&a->pci, true);
    pci_set_irq(&a->pci, true);
    pci_set_irq(&b->pci, true);
    cr_assert_eq(bus->s.irq_count[2], 2);
    pci_set_irq(&a->pci, false);
    cr_assert(board->level[PIRQ + 2]);
    pci_set_irq(&b->pci, false);
    cr_assert_not(board->level[PIRQ + 2]);
    cr_assert_eq(board->rises[PIRQ + 2], 1);
}

Test(pci, a_line_that_the_guest_has_turned_off_does_not_reach_the_bus)
{
    g_autoptr(Board) board = board_new();
    Gadget *g = add_gadget(board, add_bus(board, NULL), PCI_DEVFN(SLOT, 0));

    pci_set_irq(&g->pci, true);
    cr_assert(board->level[PIRQ + 2]);
    cr_assert_eq(config_in(board, 4), 0x00180000, "the status has a bit for it");
    cr_assert_not(g->s.dev.config[PCI_STATUS] & PCI_STATUS_INTX, "the stream has it in irq_state only, as QEMU's");
    config_out(board, 4, PCI_COMMAND_NO_INTX);
    cr_assert_not(board->level[PIRQ + 2]);
    cr_assert_eq(config_in(board, 4), 0x00180400);
    config_out(board, 4, 0);
    cr_assert(board->level[PIRQ + 2]);
    config_out(board, 4, PCI_COMMAND_NO_INTX);
    pci_set_irq(&g->pci, false);
    config_out(board, 4, 0);
    cr_assert_not(board->level[PIRQ + 2]);
}

Test(pci, a_reset_and_a_removal_take_the_line_back)
{
    g_autoptr(Board) board = board_new();
    PciBus *bus = add_bus(board, NULL);
    Gadget *g = add_gadget(board, bus, PCI_DEVFN(SLOT, 0));

    pci_set_irq(&g->pci, true);
    machine_reset(board->machine);
    cr_assert_not(board->level[PIRQ + 2]);
    cr_assert_eq(bus->s.irq_count[2], 0);
    pci_set_irq(&g->pci, true);
    machine_remove_device(board->machine, (Device *)g);
    cr_assert_not(board->level[PIRQ + 2]);
    cr_assert_eq(config_in(board, 0), UINT32_MAX);
}

/* --- messages --------------------------------------------------------------------------------------------------- */

Test(pci, the_capabilities_are_in_a_list)
{
    g_autoptr(Board) board = board_new();

    add_gadget(board, add_bus(board, NULL), PCI_DEVFN(SLOT, 0));
    cr_assert_eq(config_in(board, 0x34), 0x98);
    cr_assert_eq(config_in(board, 0x98), 0x00035011); /* MSI-X of 4 vectors, then 0x50 */
    cr_assert_eq(config_in(board, 0x9c), 1);
    cr_assert_eq(config_in(board, 0xa0), 0x801);
    cr_assert_eq(config_in(board, 0x50), 0x01844005); /* MSI: 64 bits, masks, 4 vectors, then 0x40 */
    cr_assert_eq(config_in(board, 0x40), 0x00030001);
    config_out(board, 0x44, UINT32_MAX);
    cr_assert_eq(config_in(board, 0x44), 0x0b);
    config_out(board, 0x98, UINT32_MAX);
    cr_assert_eq(config_in(board, 0x98), 0xc0035011);
}

Test(pci, msi_sends_the_vector_in_the_low_bits)
{
    g_autoptr(Board) board = board_new();
    Sent sent = {0};
    Gadget *g = add_gadget(board, add_bus(board, &sent), PCI_DEVFN(SLOT, 0));

    pci_msi_send(&g->pci, 1);
    cr_assert_eq(sent.count, 0, "it is not enabled");
    config_out(board, 4, PCI_COMMAND_MASTER);
    config_out(board, MSI_AT + 4, 0xfee01003);
    config_out(board, MSI_AT + 8, 1);
    config_out(board, MSI_AT + 12, 0x4044);
    config_out(board, MSI_AT, 1 << 16 | 2 << 20); /* four vectors */
    pci_msi_send(&g->pci, 3);
    cr_assert_eq(sent.address, UINT64_C(0x1fee01000));
    cr_assert_eq(sent.data, 0x4047);
    config_out(board, MSI_AT, 1 << 16 | 1 << 20); /* two */
    pci_msi_send(&g->pci, 3);
    cr_assert_eq(sent.data, 0x4045);
    config_out(board, MSI_AT + 16, 2); /* vector 1 is masked */
    pci_msi_send(&g->pci, 1);
    cr_assert_eq(sent.count, 2);
    cr_assert_eq(config_in(board, MSI_AT + 20), 2);
    config_out(board, MSI_AT + 16, 0);
    cr_assert_eq(sent.count, 3);
    cr_assert_eq(config_in(board, MSI_AT + 20), 0);
    config_out(board, 4, 0);
    pci_msi_send(&g->pci, 0);
    cr_assert_eq(sent.count, 3, "it is no master");
}

Test(pci, msix_sends_what_its_table_says_unless_it_is_masked)
{
    g_autoptr(Board) board = board_new();
    Space *memory = board->machine->memory;
    Sent sent = {0};
    Gadget *g = add_gadget(board, add_bus(board, &sent), PCI_DEVFN(SLOT, 0));

    config_out(board, 0x14, 0xfeb80000);
    config_out(board, 4, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
    cr_assert_eq(space_read(memory, 0xfeb8000c, 4), 1, "a vector is masked at first");
    msix_send(&g->msix, 2);
    cr_assert_eq(space_read(memory, 0xfeb80800, 1), 0, "it is not enabled: nothing is pending");
    config_out(board, 0x98, 0x80000000);
    space_write(memory, 0xfeb80020, UINT64_C(0x1fee02000), 8);
    space_write(memory, 0xfeb80028, 0x4055, 4);
    msix_send(&g->msix, 2);
    cr_assert_eq(sent.count, 0);
    cr_assert_eq(space_read(memory, 0xfeb80800, 1), 4);
    space_write(memory, 0xfeb80800, 0xff, 4);
    cr_assert_eq(space_read(memory, 0xfeb80800, 1), 4, "the guest has written pending bits");
    config_out(board, 0x98, 0xc0000000); /* all masked */
    space_write(memory, 0xfeb8002c, 0, 4);
    cr_assert_eq(sent.count, 0);
    config_out(board, 0x98, 0x80000000);
    cr_assert_eq(sent.count, 1);
    cr_assert_eq(sent.address, UINT64_C(0x1fee02000));
    cr_assert_eq(sent.data, 0x4055);
    cr_assert_eq(space_read(memory, 0xfeb80800, 1), 0);
    msix_send(&g->msix, 2);
    cr_assert_eq(sent.count, 2);
    msix_send(&g->msix, VECTORS);
    cr_assert_eq(sent.count, 2);
}

Test(pci, only_a_master_reads_and_writes_memory)
{
    g_autoptr(Board) board = board_new();
    RamArea *ram = ram_area_new("ram", 0x10000, 0x10000, NULL);
    Gadget *g = add_gadget(board, add_bus(board, NULL), PCI_DEVFN(SLOT, 0));
    uint32_t value = 0x11223344;

    machine_add_ram(board->machine, ram);
    space_map(board->machine->memory, &(SpaceMapping){.size = 0x10000, .ram = ram});
    pci_write_memory(&g->pci, 0x100, &value, 4);
    cr_assert_eq(ram->host[0x100], 0);
    config_out(board, 4, PCI_COMMAND_MASTER);
    pci_write_memory(&g->pci, 0x100, &value, 4);
    cr_assert_eq(ram->host[0x100], 0x44);
    value = 0;
    pci_read_memory(&g->pci, 0x100, &value, 4);
    cr_assert_eq(value, 0x11223344);
    config_out(board, 4, 0);
    pci_read_memory(&g->pci, 0x100, &value, 4);
    cr_assert_eq(value, UINT32_MAX);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

Test(pci, a_place_is_taken_once)
{
    g_autoptr(Board) board = board_new();
    PciBus *bus = add_bus(board, NULL);
    g_autoptr(Device) second = device_new(&gadget_type);
    g_autoptr(GError) error = NULL;

    add_gadget(board, bus, PCI_DEVFN(SLOT, 0));
    ((PciDevice *)second)->bus = bus;
    ((PciDevice *)second)->devfn = PCI_DEVFN(SLOT, 0);
    cr_assert_not(device_realize(second, board->machine, &error));
    cr_assert_str_eq(error->message, "gadget: the place 03.0 on the bus is taken by gadget");
    cr_assert_not_null(section_list_find(board->machine->sections, "0000:00:03.0/gadget", 0));
}

/* Loads the gadget's state with one octet changed. */
static bool load_changed(Board *board, Gadget *g, size_t at, uint8_t value, GError **error)
{
    ByteOut octets = {0};
    bool ok;

    board_save(board, &g->pci.dev, &octets);
    octets.data[at] = value;
    ok = board_load(board, &g->pci.dev, octets.data, octets.len, 1, error);
    byte_out_done(&octets);
    return ok;
}

Test(pci, a_stream_of_another_device_is_refused)
{
    static const struct {
        size_t at;
        uint8_t value;
    } refused[] = {{3, 3},           {4 + 0x00, 0x35}, {4 + 0x02, 0x55}, {4 + 0x06, 0x00}, {4 + 0x08, 0x08},
                   {4 + 0x0b, 0x03}, {4 + 0x0e, 0x80}, {4 + 0x10, 0x00}, {4 + 0x19, 0x20}, {4 + 0x34, 0x50},
                   {4 + 0x9a, 0x04}, {4 + 0x51, 0x98}, {263, 2},         {275, 2}};
    static const struct {
        size_t at;
        uint8_t value;
    } taken[] = {{3, 1},           {4 + 0x04, 0x03}, {4 + 0x07, 0xf9}, {4 + 0x0d, 0x40},
                 {4 + 0x11, 0xc0}, {4 + 0x21, 0x12}, {4 + 0x2e, 0x01}, {4 + 0x3c, 0x0b},
                 {4 + 0x3d, 0x04}, {4 + 0x9b, 0x80}, {4 + 0xf0, 0x55}, {263, 1}};
    g_autoptr(Board) board = board_new();
    Gadget *g = add_gadget(board, add_bus(board, NULL), PCI_DEVFN(SLOT, 0));

    for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        cr_assert_not(load_changed(board, g, refused[i].at, refused[i].value, &error), "octet %zx", refused[i].at - 4);
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
        device_reset(&g->pci.dev);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(taken); i++) {
        cr_assert(load_changed(board, g, taken[i].at, taken[i].value, NULL), "octet %zx", taken[i].at - 4);
        device_reset(&g->pci.dev);
    }
}

Test(pci, a_loaded_state_maps_its_bars_and_leaves_the_lines)
{
    g_autoptr(Board) board = board_new();
    PciBus *bus = add_bus(board, NULL);
    Gadget *g = add_gadget(board, bus, PCI_DEVFN(SLOT, 0));
    ByteOut octets = {0};

    config_out(board, 0x10, 0xc000);
    config_out(board, 4, PCI_COMMAND_IO);
    pci_set_irq(&g->pci, true);
    board_save(board, &g->pci.dev, &octets);
    machine_reset(board->machine);
    cr_assert_eq(board_in8(board, 0xc005), 0xff);
    cr_assert(board_load(board, &g->pci.dev, octets.data, octets.len, 1, NULL));
    cr_assert_eq(board_in8(board, 0xc005), 0x05);
    cr_assert_not(board->level[PIRQ + 2], "the bus has counts of its own");
    const uint8_t counts[] = {0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    cr_assert(board_load(board, &bus->dev, counts, sizeof counts, 1, NULL));
    pci_set_irq(&g->pci, false);
    cr_assert_eq(bus->s.irq_count[2], 0);
    byte_out_done(&octets);
}

Test(pci, bus_and_ports_are_the_ones_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    PciBus *bus = add_bus(board, NULL);
    Device *host = board->machine->devices->pdata[0];

    board_load_recorded(board, &bus->dev, "a-kvm-min", false);
    board_load_recorded(board, &bus->dev, "k1-chipset", false);
    cr_assert_eq(bus->s.irq_count[2], 1);
    cr_assert_not(board->level[PIRQ + 2]);
    board_load_recorded(board, host, "a-kvm-min", false);
    board_load_recorded(board, host, "f3-kvm-pc-10s", false);
    cr_assert_eq(board_in32(board, 0xcf8), 0x8000005c);
}

Test(pci, a_bus_of_other_lines_is_refused)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL;
    PciBus *bus = add_bus(board, NULL);
    const uint8_t counts[20] = {0, 0, 0, 8};

    cr_assert_not(board_load(board, &bus->dev, counts, sizeof counts, 1, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert_not_null(strstr(error->message, "PCIBUS.nirq: the stream has 8, the destination 4"));
}

Test(pci, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Sent sent = {0};
    PciBus *bus = add_bus(board, &sent);
    Gadget *g = add_gadget(board, bus, PCI_DEVFN(SLOT, 0));
    Device *host = board->machine->devices->pdata[0];

    board_try_states(board, &bus->dev, 300);
    board_try_states(board, host, 300);
    board_try_states(board, &g->pci.dev, 300);
    config_out(board, 0x10, 0xc000);
    config_out(board, 4, 7);
    board_abuse_ports(board, host, 0xcf8, 8, 3000);
    select_config(board, PCI_DEVFN(SLOT, 0), 0);
    for (unsigned reg = 0; reg < 256; reg += 4) {
        select_config(board, PCI_DEVFN(SLOT, 0), reg);
        board_abuse_ports(board, &g->pci.dev, 0xcfc, 4, 50);
    }
}
