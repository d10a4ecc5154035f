/*
 * fdc-impl.h: the floppy controller's state and phases, for fdc.c (the registers) and fdc-command.c (the commands).
 */
#ifndef EMU_DEV_FDC_IMPL_H
#define EMU_DEV_FDC_IMPL_H

#include "emu/core/machine.h"

enum { SRA_NO_DRIVE_2 = 1 << 6, SRA_INTERRUPT = 1 << 7 };
enum { SRB_MOTORS = 0x03, SRB_DRIVE = 1 << 5, SRB_ONES = 0xc0 };
enum { DOR_NO_RESET = 1 << 2, DOR_DMA = 1 << 3, DOR_MOTORS = 4 }; /* the last: a shift */
enum { TDR_BOOT = 1 << 2 };
enum { DSR_RATE = 0x03, DSR_POWER_DOWN = 1 << 6, DSR_RESET = 1 << 7 };
enum { MSR_BUSY = 1 << 4, MSR_NON_DMA = 1 << 5, MSR_TO_HOST = 1 << 6, MSR_READY = 1 << 7 };
enum { DIR_CHANGED = 1 << 7 };
enum { ST0_HEAD = 1 << 2, ST0_SEEK_END = 0x20, ST0_ABNORMAL = 0x40, ST0_INVALID = 0x80, ST0_POLLED = 0xc0 };
enum { ST1_NO_ADDRESS_MARK = 1 << 0, ST1_NOT_WRITABLE = 1 << 1 };
enum { ST3_ONES = 0x28, ST3_TRACK_0 = 1 << 4, ST3_PROTECTED = 1 << 6 }; /* ready, two sides */
enum { CONFIG_DEFAULT = 0x60 };                                         /* implied seek off, FIFO off, polling on */
enum { DRIVES = 2, FIFO_SIZE = 512, TRACK_MOST = 84, RESULT_N = 2, POLLED_DRIVES = 4 };
enum { READ_ID_NS = NS_PER_SECOND / 50 };

/* As on the wire; 0: to be told from the main status. */
enum { PHASE_COMMAND = 1, PHASE_EXECUTION, PHASE_RESULT };

typedef struct FdcDrive {
    uint8_t head, track, sect;
    uint8_t media_changed, media_rate, perpendicular;
} FdcDrive;

typedef struct FdcController {
    uint8_t sra, srb, dor_vmstate, tdr, dsr, msr;
    uint8_t status0, status1, status2;
    uint8_t fifo[FIFO_SIZE];     /* a command's octets, or a result's */
    uint32_t data_pos, data_len; /* below FIFO_SIZE, and up to it, but for a transfer */
    uint8_t data_state, data_dir;
    uint8_t eot, timer0, timer1, precomp_trk, config, lock, pwrd;
    uint8_t num_floppies;
    uint8_t dor, drive; /* what was written, and the drive of the last command; together they are dor_vmstate */
    FdcDrive drives[DRIVES];
    int32_t reset_sensei; /* drives whose ready line was not told since the reset */
    int64_t result_timer; /* virtual ns */
    uint8_t phase;
    bool has_phase; /* the stream has or needs it */
} FdcController;

/* The stream has the same name twice. */
typedef struct FdcState {
    FdcController state;
} FdcState;

typedef struct Fdc {
    Device dev;
    Irq irq;
    bool attached[DRIVES]; /* options */
    Timer result;
    SpaceId ports, input_port;
    FdcState s;
} Fdc;

typedef struct FdcCommand {
    uint8_t code, mask, octets; /* after the first */
    void (*run)(Fdc *f);
} FdcCommand;

/* The command that begins with the octet; there is always one. */
const FdcCommand *fdc_find_command(uint8_t octet);

/* Is the octet, not the first, the last of a command that can end early? */
bool fdc_ends_early(uint8_t command, uint8_t octet);

void fdc_to_command(FdcController *s);
void fdc_lower(Fdc *f);

/* The reset by DSR, and when the one by DOR ends. */
void fdc_reset(Fdc *f);

/* READ ID's time is over. */
void fdc_track_passed(void *opaque);

#endif
