/*
 * ide-command.c: what a drive does with a command: those that only set or tell something, and which is which.
 *
 * Source: ATA/ATAPI-6 (T13/1410D) chapter 8 (commands, by number in annex), ATA-3 for those that were dropped since
 * (RECALIBRATE, SEEK, INITIALIZE DEVICE PARAMETERS, the numbers from 0x94), ACS-2 7.10 (DATA SET MANAGEMENT).
 *
 * Not modelled: queued and streaming commands, security, host protected area (the native maximum can be read), power
 * (a drive is always active), logs and self-tests of SMART, microcode, media that fail by themselves.
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

enum {
    ATA_NOP = 0x00,
    ATA_TRIM = 0x06,
    ATA_DEVICE_RESET = 0x08,
    ATA_RECALIBRATE = 0x10, /* to 0x1f */
    ATA_READ = 0x20,
    ATA_READ_ONCE = 0x21,
    ATA_READ_EXT = 0x24,
    ATA_READ_DMA_EXT = 0x25,
    ATA_READ_NATIVE_MAX_EXT = 0x27,
    ATA_READ_MULTIPLE_EXT = 0x29,
    ATA_WRITE = 0x30,
    ATA_WRITE_ONCE = 0x31,
    ATA_WRITE_EXT = 0x34,
    ATA_WRITE_DMA_EXT = 0x35,
    ATA_WRITE_MULTIPLE_EXT = 0x39,
    ATA_WRITE_VERIFY = 0x3c,
    ATA_WRITE_DMA_FUA_EXT = 0x3d,
    ATA_VERIFY = 0x40,
    ATA_VERIFY_ONCE = 0x41,
    ATA_VERIFY_EXT = 0x42,
    ATA_SEEK = 0x70, /* to 0x7f */
    ATA_DIAGNOSTIC = 0x90,
    ATA_SET_GEOMETRY = 0x91,
    ATA_STANDBY_NOW_OLD = 0x94, /* to 0x99: as 0xe0 to 0xe6 */
    ATA_CHECK_POWER_OLD = 0x98,
    ATA_SLEEP_OLD = 0x99,
    ATA_PACKET = 0xa0,
    ATA_IDENTIFY_PACKET = 0xa1,
    ATA_SMART = 0xb0,
    ATA_READ_MULTIPLE = 0xc4,
    ATA_WRITE_MULTIPLE = 0xc5,
    ATA_SET_MULTIPLE = 0xc6,
    ATA_READ_DMA = 0xc8,
    ATA_READ_DMA_ONCE = 0xc9,
    ATA_WRITE_DMA = 0xca,
    ATA_WRITE_DMA_ONCE = 0xcb,
    ATA_STANDBY_NOW = 0xe0, /* then IDLE IMMEDIATE, STANDBY, IDLE */
    ATA_READ_BUFFER = 0xe4,
    ATA_CHECK_POWER = 0xe5,
    ATA_SLEEP = 0xe6,
    ATA_FLUSH = 0xe7,
    ATA_FLUSH_EXT = 0xea,
    ATA_IDENTIFY = 0xec,
    ATA_SET_FEATURES = 0xef,
    ATA_READ_NATIVE_MAX = 0xf8,
};

enum { POWER_ACTIVE = 0xff }; /* in the count, of CHECK POWER MODE */

/* --- what is set and told --------------------------------------------------------------------------------------- */

static void read_native_max(IdeDrive *d, bool ext)
{
    uint64_t total = ide_sectors(d);

    d->s->lba48 = ext;
    if (total == 0 || !(d->s->select & SELECT_LBA)) {
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    ide_set_sector(d, ext ? total - 1 : MIN(total, IDE_LBA28_MAX + 1) - 1);
    ide_succeed(d);
}

static void set_multiple(IdeDrive *d)
{
    uint8_t count = (uint8_t)d->s->nsector;

    if (count > IDE_MULTIPLE || (count & (count - 1))) {
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    d->s->mult_sectors = count;
    if (d->s->identify_set)
        ide_identify_put(d, 59, count ? 0x100 | count : 0);
    ide_succeed(d);
}

static void set_geometry(IdeDrive *d)
{
    uint8_t sectors = (uint8_t)d->s->nsector;

    if (sectors == 0) {
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    ide_identify(d);
    ide_identify_put_geometry(d, (d->s->select & SELECT_HEAD) + 1U, sectors);
    ide_succeed(d);
}

/* Table 44: how data is to go. It goes the same way always, but the drive says what was chosen. */
static bool set_transfer_mode(IdeDrive *d, uint8_t value)
{
    unsigned mode = value & 7;
    uint16_t single = 0x07, multi = 0x07, ultra = 0x3f;

    switch (value >> 3) {
    case 0: /* PIO */
    case 1:
        break;
    case 2:
        single |= (uint16_t)(1U << (mode + 8));
        break;
    case 4:
        multi |= (uint16_t)(1U << (mode + 8));
        break;
    case 8:
        ultra |= (uint16_t)(1U << (mode + 8));
        break;
    default:
        return false;
    }
    if ((value >> 3 == 2 || value >> 3 == 4) && mode > 2)
        return false;
    if (value >> 3 == 8 && mode > 5)
        return false;
    ide_identify(d);
    ide_identify_put(d, 62, single);
    ide_identify_put(d, 63, multi);
    ide_identify_put(d, 88, ultra);
    return true;
}

static void set_write_cache(IdeDrive *d, bool on)
{
    uint16_t word;

    ide_identify(d);
    word = ide_identify_get(d, 85);
    ide_identify_put(d, 85, on ? word | 0x20 : word & (uint16_t)~0x20);
    if (on)
        ide_succeed(d);
    else
        ide_flush(d);
}

static void set_features(IdeDrive *d)
{
    switch (d->s->feature) {
    case 0x02:
    case 0x82: /* write cache */
        if (d->kind == IDE_DISK) {
            set_write_cache(d, d->s->feature == 0x02);
            return;
        }
        break;
    case 0x03:
        if (set_transfer_mode(d, (uint8_t)d->s->nsector)) {
            ide_succeed(d);
            return;
        }
        break;
    case 0x05: /* advanced power management, acoustics, look-ahead, defaults after resets: nothing to see of them */
    case 0x42:
    case 0x55:
    case 0x66:
    case 0x85:
    case 0xaa:
    case 0xc2:
    case 0xcc:
        ide_succeed(d);
        return;
    default:
        break;
    }
    ide_fail(d, ERROR_ABORTED);
}

/* Section 8.41: only whether all is well, and it is. */
static void smart(IdeDrive *d)
{
    bool key = d->s->lcyl == 0x4f && d->s->hcyl == 0xc2;

    switch (key ? d->s->feature : 0) {
    case 0xd2: /* autosave of attributes */
    case 0xd8: /* enable */
    case 0xd9: /* disable */
    case 0xda: /* return status: the key comes back, no threshold was exceeded */
        ide_succeed(d);
        break;
    default:
        ide_fail(d, ERROR_ABORTED);
        break;
    }
}

/* Both drives, whichever is selected; drive 0 answers. */
static void diagnose(IdeBus *bus)
{
    for (unsigned i = 0; i < IDE_UNITS; i++) {
        IdeDrive *d = &bus->drives[i];
        ide_give_up(d);
        ide_set_signature(d);
        d->s->error = ERROR_DIAGNOSED;
        d->s->status = d->kind == IDE_CD ? 0 : STATUS_READY | STATUS_SEEK;
        d->s->select &= (uint8_t)~SELECT_UNIT;
    }
    bus->s->unit = 0;
    ide_raise_irq(bus);
}

static void identify(IdeDrive *d)
{
    ide_identify(d);
    memcpy(d->s->io_buffer, d->s->identify_data, sizeof d->s->identify_data);
    ide_transfer_start(d, 0, sizeof d->s->identify_data, IDE_END_STOP);
    ide_raise_irq(d->bus);
}

/* --- which command ---------------------------------------------------------------------------------------------- */

/* Commands that both kinds of drives have; false: it is none of them. */
static bool common_command(IdeDrive *d, uint8_t command)
{
    switch (command) {
    case ATA_DIAGNOSTIC:
        diagnose(d->bus);
        return true;
    case ATA_SET_FEATURES:
        set_features(d);
        return true;
    case ATA_FLUSH:
    case ATA_FLUSH_EXT:
        ide_flush(d);
        return true;
    case ATA_CHECK_POWER:
    case ATA_CHECK_POWER_OLD:
        d->s->nsector = POWER_ACTIVE;
        ide_succeed(d);
        return true;
    default:
        break;
    }
    if ((command >= ATA_STANDBY_NOW && command <= ATA_SLEEP && command != ATA_READ_BUFFER) ||
        (command >= ATA_STANDBY_NOW_OLD && command <= ATA_SLEEP_OLD)) {
        ide_succeed(d);
        return true;
    }
    return false;
}

static void packet_command(IdeDrive *d)
{
    if (d->s->feature & 0x02) { /* overlapped */
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    d->s->nsector = 1; /* interrupt reason: a packet is wanted */
    ide_transfer_start(d, 0, IDE_PACKET, IDE_END_PACKET);
}

static void cd_command(IdeDrive *d, uint8_t command)
{
    switch (command) {
    case ATA_PACKET:
        packet_command(d);
        break;
    case ATA_IDENTIFY_PACKET:
        identify(d);
        break;
    case ATA_DEVICE_RESET: /* section 8.10: no interrupt */
        ide_give_up(d);
        ide_set_signature(d);
        d->s->error = ERROR_DIAGNOSED;
        d->s->status = 0;
        break;
    case ATA_IDENTIFY:
    case ATA_READ:
        ide_set_signature(d); /* sections 8.15.5, 8.27.5: so that the host knows what to ask */
        ide_fail(d, ERROR_ABORTED);
        break;
    default:
        ide_fail(d, ERROR_ABORTED);
        break;
    }
}

/* Reads and writes; false: it is none of them. */
static bool data_command(IdeDrive *d, uint8_t command)
{
    switch (command) {
    case ATA_READ:
    case ATA_READ_ONCE:
    case ATA_READ_EXT:
        ide_start_pio(d, false, command == ATA_READ_EXT, 1);
        return true;
    case ATA_WRITE:
    case ATA_WRITE_ONCE:
    case ATA_WRITE_VERIFY:
    case ATA_WRITE_EXT:
        ide_start_pio(d, true, command == ATA_WRITE_EXT, 1);
        return true;
    case ATA_READ_MULTIPLE:
    case ATA_READ_MULTIPLE_EXT:
        ide_start_pio(d, false, command == ATA_READ_MULTIPLE_EXT, d->s->mult_sectors);
        return true;
    case ATA_WRITE_MULTIPLE:
    case ATA_WRITE_MULTIPLE_EXT:
        ide_start_pio(d, true, command == ATA_WRITE_MULTIPLE_EXT, d->s->mult_sectors);
        return true;
    case ATA_READ_DMA:
    case ATA_READ_DMA_ONCE:
    case ATA_READ_DMA_EXT:
        ide_start_dma(d, IDE_DMA_READ, command == ATA_READ_DMA_EXT, false);
        return true;
    case ATA_WRITE_DMA:
    case ATA_WRITE_DMA_ONCE:
        ide_start_dma(d, IDE_DMA_WRITE, false, false);
        return true;
    case ATA_WRITE_DMA_EXT:
    case ATA_WRITE_DMA_FUA_EXT:
        ide_start_dma(d, IDE_DMA_WRITE, true, command == ATA_WRITE_DMA_FUA_EXT);
        return true;
    case ATA_VERIFY:
    case ATA_VERIFY_ONCE:
    case ATA_VERIFY_EXT:
        ide_verify(d, command == ATA_VERIFY_EXT);
        return true;
    case ATA_TRIM:
        ide_trim(d);
        return true;
    default:
        return false;
    }
}

static void disk_command(IdeDrive *d, uint8_t command)
{
    if (data_command(d, command))
        return;
    if (command >> 4 == ATA_RECALIBRATE >> 4 || command >> 4 == ATA_SEEK >> 4) {
        ide_succeed(d);
        return;
    }
    switch (command) {
    case ATA_READ_NATIVE_MAX:
    case ATA_READ_NATIVE_MAX_EXT:
        read_native_max(d, command == ATA_READ_NATIVE_MAX_EXT);
        break;
    case ATA_SET_GEOMETRY:
        set_geometry(d);
        break;
    case ATA_SET_MULTIPLE:
        set_multiple(d);
        break;
    case ATA_SMART:
        smart(d);
        break;
    case ATA_IDENTIFY:
        identify(d);
        break;
    default: /* ATA_NOP, too: section 8.23 */
        ide_fail(d, ERROR_ABORTED);
        break;
    }
}

void ide_command(IdeDrive *d, uint8_t command)
{
    if (d->s->status & (STATUS_BUSY | STATUS_DRQ) && !(command == ATA_DEVICE_RESET && d->kind == IDE_CD))
        return;
    d->s->error = 0;
    d->bus->s->error_status = 0;
    if (common_command(d, command))
        return;
    if (d->kind == IDE_CD)
        cd_command(d, command);
    else
        disk_command(d, command);
}
