/*
 * fdc.c: Intel 82078, the floppy disk controller, with up to two drives that hold no disk.
 *
 * Source: Intel 82078 data sheet (order number 290474), "Register set", "Controller phases", "Command set".
 * Ports: 0x3f1 to 0x3f5, 0x3f7 (0x3f0 belongs to PS/2 mode and answers nothing, as in QEMU). Outputs: "irq".
 * Options: "drive-a", "drive-b": is one attached?
 * Not modelled: disks. What would read finds no address mark, what would write finds the drive write-protected; so
 * there is never a DMA request. Steps and motors take no time; only READ ID waits, for as long as a track takes to
 * pass. As in QEMU: one specified rate for both drives; SPECIFY's non-DMA bit is the DMA gate of the output register;
 * reading the main status ends a reset by that register; reset keeps what CONFIGURE set, locked or not; an interrupt
 * ends when the last octet of a result is read.
 * Lost in a move, as there is one field for both: the drive in the output register, if it is not the last command's.
 */
#include "emu/dev/dev.h"
#include "emu/dev/fdc-impl.h"

enum { PORT_FIRST = 0x3f1, PORT_COUNT = 5, PORT_DIGITAL_INPUT = 0x3f7 };
enum { REG_STATUS_B = 0x3f1, REG_OUTPUT, REG_TAPE, REG_MAIN_STATUS, REG_FIFO };

/* --- state ------------------------------------------------------------------------------------------------------ */

static uint8_t phase_by_status(uint8_t msr)
{
    if ((msr & MSR_NON_DMA) || !(msr & MSR_READY))
        return PHASE_EXECUTION;
    return msr & MSR_TO_HOST ? PHASE_RESULT : PHASE_COMMAND;
}

static bool pull(void *opaque, GError **error)
{
    Fdc *f = opaque;
    FdcController *s = &f->s.state;

    (void)error;
    s->dor_vmstate = s->dor | s->drive;
    s->result_timer = timer_expiry(&f->result);
    s->has_phase = s->phase != phase_by_status(s->msr);
    return true;
}

static bool refuse(GError **error, const char *field, unsigned value, unsigned most)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "fdc/state.%s is %u, it can be %u at most", field, value,
                most);
    return false;
}

static bool check(const void *state, GError **error)
{
    const FdcController *s = &((const FdcState *)state)->state;
    uint8_t phase = s->has_phase ? s->phase : phase_by_status(s->msr);

    if (s->num_floppies != DRIVES) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "fdc/state.num_floppies is %u, here it is %d",
                    s->num_floppies, DRIVES);
        return false;
    }
    if (phase < PHASE_COMMAND || phase > PHASE_RESULT)
        return refuse(error, "phase", phase, PHASE_RESULT);
    if (s->reset_sensei < 0 || s->reset_sensei > POLLED_DRIVES)
        return refuse(error, "reset_sensei", (unsigned)s->reset_sensei, POLLED_DRIVES);
    if (phase == PHASE_EXECUTION) /* a transfer's numbers, which end with it */
        return true;
    if (s->data_len > FIFO_SIZE)
        return refuse(error, "data_len", s->data_len, FIFO_SIZE);
    if (s->data_pos >= s->data_len)
        return refuse(error, "data_pos", s->data_pos, s->data_len ? s->data_len - 1 : 0);
    return true;
}

static void push(void *opaque)
{
    Fdc *f = opaque;
    FdcController *s = &f->s.state;

    s->drive = s->dor_vmstate & (DRIVES - 1);
    s->dor = s->dor_vmstate;
    if (!s->has_phase)
        s->phase = phase_by_status(s->msr);
    timer_arm(&f->result, s->result_timer);
    /* A transfer between a disk and memory was on its way: there is no disk here, and it fails. */
    if (s->phase == PHASE_EXECUTION && !timer_armed(&f->result))
        timer_arm(&f->result, clock_now(f->dev.machine->virtual_clock));
    irq_set(&f->irq, s->sra & SRA_INTERRUPT);
}

static bool has_media_changed(const void *state)
{
    return ((const FdcDrive *)state)->media_changed != 1;
}

static bool has_perpendicular(const void *state)
{
    return ((const FdcDrive *)state)->perpendicular != 0;
}

static bool has_sensei(const void *state)
{
    return ((const FdcController *)state)->reset_sensei != 0;
}

static bool has_timer(const void *state)
{
    return ((const FdcController *)state)->result_timer != TIMER_NEVER;
}

/* A subsection of one field. */
#define SUBSECTION(variable, wire_name, Struct, member, ...)                                                           \
    static const VMStateField variable##_fields[] = {                                                                  \
        VMS_FIELD(Struct, member, ##__VA_ARGS__),                                                                      \
        VMS_END,                                                                                                       \
    };                                                                                                                 \
    static const VMStateDescription variable##_state = {                                                               \
        .name = (wire_name), .version = 1, .minimum = 1, .fields = variable##_fields}

SUBSECTION(media_changed, "fdrive/media_changed", FdcDrive, media_changed);
SUBSECTION(media_rate, "fdrive/media_rate", FdcDrive, media_rate);
SUBSECTION(perpendicular, "fdrive/perpendicular", FdcDrive, perpendicular);
SUBSECTION(sensei, "fdc/reset_sensei", FdcController, reset_sensei);
SUBSECTION(timer, "fdc/result_timer", FdcController, result_timer, .type = "timer");
SUBSECTION(phase, "fdc/phase", FdcController, phase);

static const VMStateField drive_fields[] = {
    VMS_FIELD(FdcDrive, head),
    VMS_FIELD(FdcDrive, track),
    VMS_FIELD(FdcDrive, sect),
    VMS_END,
};

static const VMStateSubsection drive_subsections[] = {
    {.desc = &media_changed_state, .needed = has_media_changed},
    {.desc = &media_rate_state},
    {.desc = &perpendicular_state, .needed = has_perpendicular},
    {.desc = NULL},
};

static const VMStateDescription drive_state = {
    .name = "fdrive",
    .version = 1,
    .minimum = 1,
    .size = sizeof(FdcDrive),
    .fields = drive_fields,
    .subsections = drive_subsections,
};

static const VMStateField controller_fields[] = {
    VMS_FIELD(FdcController, sra),
    VMS_FIELD(FdcController, srb),
    VMS_FIELD(FdcController, dor_vmstate),
    VMS_FIELD(FdcController, tdr),
    VMS_FIELD(FdcController, dsr),
    VMS_FIELD(FdcController, msr),
    VMS_FIELD(FdcController, status0),
    VMS_FIELD(FdcController, status1),
    VMS_FIELD(FdcController, status2),
    VMS_ARRAY(FdcController, fifo),
    VMS_FIELD(FdcController, data_pos),
    VMS_FIELD(FdcController, data_len),
    VMS_FIELD(FdcController, data_state),
    VMS_FIELD(FdcController, data_dir),
    VMS_FIELD(FdcController, eot),
    VMS_FIELD(FdcController, timer0),
    VMS_FIELD(FdcController, timer1),
    VMS_FIELD(FdcController, precomp_trk),
    VMS_FIELD(FdcController, config),
    VMS_FIELD(FdcController, lock),
    VMS_FIELD(FdcController, pwrd),
    VMS_FIELD(FdcController, num_floppies, .type = "uint8 equal"),
    VMS_SUB_ARRAY(FdcController, drives, &drive_state, .flags = VMS_LISTED),
    VMS_END,
};

static const VMStateSubsection controller_subsections[] = {
    {.desc = &sensei_state, .needed = has_sensei},
    {.desc = &timer_state, .needed = has_timer},
    {.desc = &phase_state, .presence = offsetof(FdcController, has_phase) + 1},
    {.desc = NULL},
};

static const VMStateDescription controller_state = {
    .name = "fdc",
    .version = 2,
    .minimum = 2,
    .size = sizeof(FdcController),
    .fields = controller_fields,
    .subsections = controller_subsections,
};

static const VMStateField fields[] = {
    VMS_SUB(FdcState, state, &controller_state),
    VMS_END,
};

static const VMStateDescription fdc_state = {
    .name = "fdc",
    .version = 2,
    .minimum = 2,
    .size = sizeof(FdcState),
    .fields = fields,
    .pull = pull,
    .check = check,
    .push = push,
};

#define OPTION(member, name_)                                                                                          \
    {                                                                                                                  \
        .name = (name_), .kind = VMS_SCALAR, .scalar = SCALAR_BOOL, .offset = offsetof(Fdc, member),                   \
        .size = sizeof(bool), .count = 1                                                                               \
    }

static const VMStateField options[] = {
    OPTION(attached[0], "drive-a"),
    OPTION(attached[1], "drive-b"),
    VMS_END,
};

static const VMStateDescription fdc_options = {
    .name = "isa-fdc",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Fdc),
    .fields = options,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

static bool in_reset(const FdcController *s)
{
    return !(s->dor & DOR_NO_RESET);
}

static void write_output(Fdc *f, uint8_t value)
{
    FdcController *s = &f->s.state;

    if (in_reset(s) && (value & DOR_NO_RESET))
        fdc_reset(f);
    s->dor = value;
    s->drive = value & (DRIVES - 1);
    s->srb = (uint8_t)(SRB_ONES | (value >> DOR_MOTORS & SRB_MOTORS) | (value & 1 ? SRB_DRIVE : 0));
}

static void write_rate(Fdc *f, uint8_t value)
{
    if (value & (DSR_RESET | DSR_POWER_DOWN))
        fdc_reset(f);
    f->s.state.dsr = value;
}

static uint8_t read_main_status(FdcController *s)
{
    s->dsr &= (uint8_t)~DSR_POWER_DOWN;
    s->dor |= DOR_NO_RESET;
    return s->msr;
}

static uint8_t read_fifo(Fdc *f)
{
    FdcController *s = &f->s.state;

    if (in_reset(s) || s->phase != PHASE_RESULT)
        return 0;
    uint8_t octet = s->fifo[s->data_pos++ % FIFO_SIZE];
    if (s->data_pos >= s->data_len) {
        fdc_to_command(s);
        fdc_lower(f);
    }
    return octet;
}

static void write_fifo(Fdc *f, uint8_t value)
{
    FdcController *s = &f->s.state;

    if (s->phase != PHASE_COMMAND)
        return;
    if (s->data_pos == 0) {
        s->data_len = 1U + fdc_find_command(value)->octets;
        s->msr |= MSR_BUSY;
    }
    bool last = s->data_pos > 0 && fdc_ends_early(s->fifo[0], value);
    s->fifo[s->data_pos++ % FIFO_SIZE] = value;
    if (last || s->data_pos >= s->data_len)
        fdc_find_command(s->fifo[0])->run(f);
}

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    Fdc *f = opaque;
    FdcController *s = &f->s.state;

    (void)size;
    switch (PORT_FIRST + addr) {
    case REG_STATUS_B:
        return s->srb;
    case REG_OUTPUT:
        return s->dor | s->drive;
    case REG_TAPE:
        return s->tdr;
    case REG_MAIN_STATUS:
        return read_main_status(s);
    default:
        return read_fifo(f);
    }
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Fdc *f = opaque;

    (void)size;
    if (PORT_FIRST + addr == REG_OUTPUT) {
        write_output(f, (uint8_t)value);
        return;
    }
    if (in_reset(&f->s.state))
        return;
    switch (PORT_FIRST + addr) {
    case REG_TAPE:
        f->s.state.tdr = value & TDR_BOOT;
        break;
    case REG_MAIN_STATUS: /* writes go to the data rate select register */
        write_rate(f, (uint8_t)value);
        break;
    case REG_FIFO:
        write_fifo(f, (uint8_t)value);
        break;
    default: /* status B is read only */
        break;
    }
}

/* A drive without a disk tells for ever that its disk was changed. */
static uint64_t read_input(void *opaque, uint64_t addr, unsigned size)
{
    (void)opaque;
    (void)addr;
    (void)size;
    return DIR_CHANGED;
}

static void write_configuration(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    FdcController *s = &((Fdc *)opaque)->s.state;

    (void)addr;
    (void)size;
    if (!in_reset(s))
        s->dsr = (uint8_t)((s->dsr & ~DSR_RATE) | (value & DSR_RATE));
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 1};
static const IoOps input_ops = {.read = read_input, .write = write_configuration, .max = 1};

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    Fdc *f = (Fdc *)dev;
    FdcController *s = &f->s.state;

    timer_disarm(&f->result);
    f->s = (FdcState){.state = {.sra = SRA_NO_DRIVE_2,
                                .srb = SRB_ONES,
                                .dor = DOR_NO_RESET | DOR_DMA,
                                .config = CONFIG_DEFAULT,
                                .num_floppies = DRIVES,
                                .result_timer = TIMER_NEVER}};
    for (unsigned i = 0; i < DRIVES; i++)
        s->drives[i] = (FdcDrive){.sect = f->attached[i], .media_changed = 1};
    fdc_to_command(s);
    irq_set(&f->irq, false);
}

static bool realize(Device *dev, GError **error)
{
    Fdc *f = (Fdc *)dev;
    Space *ports = dev->machine->ports;

    (void)error;
    timer_init(&f->result, dev->machine->virtual_clock, fdc_track_passed, f);
    f->ports = space_map(ports, &(SpaceMapping){.base = PORT_FIRST, .size = PORT_COUNT, .ops = &ops, .opaque = f});
    f->input_port =
        space_map(ports, &(SpaceMapping){.base = PORT_DIGITAL_INPUT, .size = 1, .ops = &input_ops, .opaque = f});
    return true;
}

static void unrealize(Device *dev)
{
    Fdc *f = (Fdc *)dev;

    space_unmap(dev->machine->ports, f->input_port);
    space_unmap(dev->machine->ports, f->ports);
    timer_done(&f->result);
}

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Fdc, irq, "irq"),
    {.name = NULL},
};

const DeviceType fdc_type = {
    .name = "isa-fdc",
    .about = "floppy disk controller, with drives that are empty",
    .size = sizeof(Fdc),
    .options = &fdc_options,
    .state = &fdc_state,
    .state_offset = offsetof(Fdc, s),
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
