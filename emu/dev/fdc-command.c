/*
 * fdc-command.c: the commands of the floppy controller, and the phases that they pass through. See fdc.c.
 *
 * Source: Intel 82078 data sheet, "Controller phases", "Command set/descriptions", "Status register encoding".
 */
#include "emu/dev/fdc-impl.h"

/* --- phases ----------------------------------------------------------------------------------------------------- */

static unsigned current(const FdcController *s)
{
    return s->drive & (DRIVES - 1);
}

/* Which of the drives is called so: the tape register's boot bit swaps them. */
static unsigned place(const FdcController *s, unsigned drive)
{
    return s->tdr & TDR_BOOT ? drive ^ 1 : drive;
}

static FdcDrive *current_drive(FdcController *s)
{
    return &s->drives[place(s, current(s))];
}

static void select_drive(FdcController *s, uint8_t octet)
{
    s->drive = octet & (DRIVES - 1);
}

/* What moves the arm does not choose a head; what reads or writes does, and SENSE DRIVE STATUS. */
static void select_head(FdcController *s, uint8_t octet)
{
    select_drive(s, octet);
    current_drive(s)->head = octet & ST0_HEAD ? 1 : 0;
}

void fdc_lower(Fdc *f)
{
    f->s.state.sra &= (uint8_t)~SRA_INTERRUPT;
    f->s.state.status0 = 0;
    irq_set(&f->irq, false);
}

static void interrupt(Fdc *f, uint8_t status0)
{
    f->s.state.sra |= SRA_INTERRUPT;
    f->s.state.status0 = status0;
    f->s.state.reset_sensei = 0;
    irq_set(&f->irq, true);
}

void fdc_to_command(FdcController *s)
{
    s->phase = PHASE_COMMAND;
    s->data_dir = 0;
    s->data_pos = 0;
    s->data_len = 1;
    s->msr = MSR_READY;
}

static void to_result(FdcController *s, uint32_t octets)
{
    s->phase = PHASE_RESULT;
    s->data_dir = 1;
    s->data_pos = 0;
    s->data_len = octets;
    s->msr = MSR_READY | MSR_TO_HOST | MSR_BUSY;
}

static void to_result_of_one(FdcController *s, uint8_t octet)
{
    s->fifo[0] = octet;
    to_result(s, 1);
}

/* A seek has come to its end: no result, but an interrupt that SENSE INTERRUPT asks about. */
static void end_seek(Fdc *f)
{
    fdc_to_command(&f->s.state);
    interrupt(f, ST0_SEEK_END | (uint8_t)current(&f->s.state));
}

/* What needs a disk has failed. `where`: cylinder, head, sector. */
static void fail(Fdc *f, uint8_t status1, const uint8_t where[3])
{
    FdcController *s = &f->s.state;
    const FdcDrive *d = current_drive(s);
    uint8_t status0 = (uint8_t)(ST0_ABNORMAL | (d->head ? ST0_HEAD : 0) | current(s));
    const uint8_t result[] = {status0, status1, 0, where[0], where[1], where[2], RESULT_N};

    for (size_t i = 0; i < sizeof(result); i++)
        s->fifo[i] = result[i];
    s->status1 = s->status2 = 0;
    to_result(s, sizeof(result));
    interrupt(f, status0);
}

static void fail_here(Fdc *f, uint8_t status1)
{
    const FdcDrive *d = current_drive(&f->s.state);

    fail(f, status1, (const uint8_t[]){d->track, d->head, d->sect});
}

/* A track has passed, and no address mark with it. */
void fdc_track_passed(void *opaque)
{
    Fdc *f = opaque;

    if (f->s.state.phase == PHASE_EXECUTION)
        fail_here(f, ST1_NO_ADDRESS_MARK);
}

/* The reset by DSR, and when the one by DOR ends. Then it polls four drives: their ready lines seem to have changed. */
void fdc_reset(Fdc *f)
{
    FdcController *s = &f->s.state;

    timer_disarm(&f->result);
    fdc_lower(f);
    if (current(s)) /* as QEMU has it; where a guest could read it there is no port */
        s->sra &= (uint8_t)~SRA_NO_DRIVE_2;
    s->srb = SRB_ONES;
    s->dor = DOR_NO_RESET | DOR_DMA;
    s->drive = 0;
    s->status1 = s->status2 = 0;
    s->data_state = 0;
    for (unsigned i = 0; i < DRIVES; i++)
        if (f->attached[i]) {
            s->drives[i].head = s->drives[i].track = 0;
            s->drives[i].sect = 1;
        }
    fdc_to_command(s);
    interrupt(f, ST0_POLLED);
    s->reset_sensei = POLLED_DRIVES;
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static void read_data(Fdc *f)
{
    FdcController *s = &f->s.state;

    select_head(s, s->fifo[1]);
    s->eot = s->fifo[6];
    fail(f, ST1_NO_ADDRESS_MARK, s->fifo + 2);
}

static void write_data(Fdc *f)
{
    FdcController *s = &f->s.state;

    select_head(s, s->fifo[1]);
    s->eot = s->fifo[6];
    fail(f, ST1_NOT_WRITABLE, s->fifo + 2);
}

static void format_track(Fdc *f)
{
    select_head(&f->s.state, f->s.state.fifo[1]);
    fail_here(f, ST1_NOT_WRITABLE);
}

static void read_id(Fdc *f)
{
    FdcController *s = &f->s.state;

    select_head(s, s->fifo[1]);
    s->phase = PHASE_EXECUTION;
    s->msr = MSR_BUSY;
    timer_arm(&f->result, clock_now(f->dev.machine->virtual_clock) + READ_ID_NS);
}

/* The drive's arm stops before the last track that a number can have; one that is not there never moves. */
static void seek_to(Fdc *f, int track)
{
    FdcController *s = &f->s.state;

    if (f->attached[place(s, current(s))])
        current_drive(s)->track = (uint8_t)CLAMP(track, 0, TRACK_MOST);
    end_seek(f);
}

static void recalibrate(Fdc *f)
{
    FdcController *s = &f->s.state;

    select_drive(s, s->fifo[1]);
    if (f->attached[place(s, current(s))])
        current_drive(s)->head = 0;
    current_drive(s)->track = 0;
    end_seek(f);
}

static void seek(Fdc *f)
{
    select_drive(&f->s.state, f->s.state.fifo[1]);
    seek_to(f, f->s.state.fifo[2]);
}

static void seek_out(Fdc *f)
{
    FdcController *s = &f->s.state;

    select_drive(s, s->fifo[1]);
    seek_to(f, current_drive(s)->track - s->fifo[2]);
}

static void seek_in(Fdc *f)
{
    FdcController *s = &f->s.state;

    select_drive(s, s->fifo[1]);
    seek_to(f, current_drive(s)->track + s->fifo[2]);
}

static void sense_interrupt(Fdc *f)
{
    FdcController *s = &f->s.state;
    uint8_t status0 = s->status0;

    if (s->reset_sensei > 0)
        status0 = (uint8_t)(ST0_POLLED | (POLLED_DRIVES - s->reset_sensei--));
    else if (!(s->sra & SRA_INTERRUPT)) {
        to_result_of_one(s, ST0_INVALID);
        return;
    }
    s->fifo[0] = status0;
    s->fifo[1] = current_drive(s)->track;
    to_result(s, 2);
    fdc_lower(f);
    s->status0 = ST0_POLLED; /* until the result is read, as in QEMU's stream */
}

static void sense_drive(Fdc *f)
{
    FdcController *s = &f->s.state;

    select_head(s, s->fifo[1]);
    const FdcDrive *d = current_drive(s);
    to_result_of_one(
        s, (uint8_t)(ST3_ONES | ST3_PROTECTED | (d->track ? 0 : ST3_TRACK_0) | (d->head ? ST0_HEAD : 0) | current(s)));
}

static void specify(Fdc *f)
{
    FdcController *s = &f->s.state;

    s->timer0 = s->fifo[1] >> 4;
    s->timer1 = s->fifo[2] >> 1;
    s->dor = (uint8_t)(s->fifo[2] & 1 ? s->dor & ~DOR_DMA : s->dor | DOR_DMA);
    fdc_to_command(s);
}

static void configure(Fdc *f)
{
    FdcController *s = &f->s.state;

    s->config = s->fifo[2];
    s->precomp_trk = s->fifo[3];
    fdc_to_command(s);
}

static void perpendicular(Fdc *f)
{
    FdcController *s = &f->s.state;

    if (s->fifo[1] & 0x80)
        current_drive(s)->perpendicular = s->fifo[1] & 0x07;
    fdc_to_command(s);
}

/* What DUMPREG and SAVE tell alike: timers, last sector, lock, configuration. */
static void put_settings(FdcController *s, uint8_t *octets, uint8_t timer1)
{
    octets[0] = s->timer0;
    octets[1] = timer1;
    octets[2] = s->eot;
    octets[3] = (uint8_t)((s->lock & 1) << 7 | current_drive(s)->perpendicular << 2);
    octets[4] = s->config;
    octets[5] = s->precomp_trk;
}

static void dump_registers(Fdc *f)
{
    FdcController *s = &f->s.state;

    for (unsigned i = 0; i < 4; i++)
        s->fifo[i] = i < DRIVES ? s->drives[place(s, i)].track : 0;
    put_settings(s, s->fifo + 4, (uint8_t)(s->timer1 << 1 | (s->dor & DOR_DMA ? 1 : 0)));
    to_result(s, 10);
}

static void save(Fdc *f)
{
    FdcController *s = &f->s.state;

    for (unsigned i = 0; i < 15; i++)
        s->fifo[i] = 0;
    for (unsigned i = 0; i < DRIVES; i++)
        s->fifo[2 + i] = s->drives[place(s, i)].track;
    put_settings(s, s->fifo + 6, s->timer1);
    s->fifo[12] = s->pwrd;
    to_result(s, 15);
}

static void restore(Fdc *f)
{
    FdcController *s = &f->s.state;
    const uint8_t *octets = s->fifo + 3;

    for (unsigned i = 0; i < DRIVES; i++)
        s->drives[place(s, i)].track = MIN(octets[i], TRACK_MOST);
    s->timer0 = octets[4];
    s->timer1 = octets[5];
    s->eot = octets[6];
    s->lock = octets[7] >> 7;
    current_drive(s)->perpendicular = octets[7] >> 2 & 0x07;
    s->config = octets[8];
    s->precomp_trk = octets[9];
    s->pwrd = octets[10];
    fdc_to_command(s);
}

static void version(Fdc *f)
{
    to_result_of_one(&f->s.state, 0x90);
}

static void part_id(Fdc *f)
{
    to_result_of_one(&f->s.state, 0x41);
}

static void lock(Fdc *f)
{
    FdcController *s = &f->s.state;

    s->lock = s->fifo[0] >> 7;
    to_result_of_one(s, (uint8_t)(s->lock << 4));
}

static void power_down_mode(Fdc *f)
{
    f->s.state.pwrd = f->s.state.fifo[1];
    to_result_of_one(&f->s.state, f->s.state.pwrd);
}

static void option(Fdc *f)
{
    fdc_to_command(&f->s.state);
}

/* The octet that ends it says whether there is a result. What it told of drives makes no difference here. */
static void drive_specification(Fdc *f)
{
    FdcController *s = &f->s.state;

    if (s->fifo[(s->data_pos - 1) % FIFO_SIZE] & 0x40) {
        fdc_to_command(s);
        return;
    }
    for (unsigned i = 0; i < 4; i++)
        s->fifo[i] = 0;
    to_result(s, 4);
}

static void invalid(Fdc *f)
{
    to_result_of_one(&f->s.state, ST0_INVALID);
}

enum { CMD_DRIVE_SPECIFICATION = 0x8e, DRIVE_SPECIFICATION_DONE = 0x80 };

/* The first that fits. Bits outside the mask: multi-track, MFM, skip. */
static const FdcCommand commands[] = {
    {0x06, 0x1f, 8, read_data},
    {0x0c, 0x1f, 8, read_data}, /* deleted */
    {0x02, 0x9f, 8, read_data}, /* a track */
    {0x16, 0x1f, 8, read_data}, /* verify */
    {0x11, 0x1f, 8, read_data}, /* scan equal, low or equal, high or equal */
    {0x19, 0x1f, 8, read_data},
    {0x1d, 0x1f, 8, read_data},
    {0x05, 0x3f, 8, write_data},
    {0x09, 0x3f, 8, write_data}, /* deleted */
    {0x0d, 0xbf, 5, format_track},
    {0x0a, 0xbf, 1, read_id},
    {0x07, 0xff, 1, recalibrate},
    {0x0f, 0xff, 2, seek},
    {0x8f, 0xff, 2, seek_out},
    {0xcf, 0xff, 2, seek_in},
    {0x08, 0xff, 0, sense_interrupt},
    {0x04, 0xff, 1, sense_drive},
    {0x03, 0xff, 2, specify},
    {0x13, 0xff, 3, configure},
    {0x12, 0xff, 1, perpendicular},
    {0x0e, 0xff, 0, dump_registers},
    {0x2e, 0xff, 0, save},
    {0x4e, 0xff, 17, restore},
    {0x10, 0xff, 0, version},
    {0x18, 0xff, 0, part_id},
    {0x14, 0x7f, 0, lock},
    {0x17, 0xff, 2, power_down_mode},
    {0x33, 0xff, 1, option},
    {CMD_DRIVE_SPECIFICATION, 0xff, 5, drive_specification},
    {0x00, 0x00, 0, invalid},
};

const FdcCommand *fdc_find_command(uint8_t octet)
{
    const FdcCommand *c = commands;

    while ((octet & c->mask) != c->code)
        c++;
    return c;
}

bool fdc_ends_early(uint8_t command, uint8_t octet)
{
    return command == CMD_DRIVE_SPECIFICATION && (octet & DRIVE_SPECIFICATION_DONE);
}
