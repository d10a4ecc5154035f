/*
 * ide-cd.c: reading a disc, and its tray.
 *
 * Source: MMC-3 chapters 4 (sectors) and 6 (READ, READ CD, READ CD MSF, SEEK, START STOP UNIT); SPC-2 (PREVENT ALLOW
 * MEDIUM REMOVAL). The disc is one track of data, of sectors of 2048 octets. What is longer than 80 minutes is a DVD.
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

enum {
    FRAMES = 75, /* of a second */
    SECONDS = 60,
    PREGAP = 150,
    CD_MOST = 80 * SECONDS * FRAMES,
    RAW_HEADER = 16,
    MODE_1 = 1,
};

/* --- the medium ------------------------------------------------------------------------------------------------- */

bool ide_cd_is_ready(const IdeDrive *d)
{
    return d->block && !d->s->tray_open;
}

uint32_t ide_cd_sectors(const IdeDrive *d)
{
    return d->block ? (uint32_t)MIN(block_length(d->block) / IDE_CD_SECTOR, UINT32_MAX) : 0;
}

bool ide_cd_is_dvd(const IdeDrive *d)
{
    return ide_cd_sectors(d) > CD_MOST;
}

unsigned ide_cd_sector_size(const IdeDrive *d)
{
    return d->raw ? IDE_CD_RAW : IDE_CD_SECTOR;
}

void ide_cd_put_msf(uint8_t *to, uint32_t sector)
{
    uint64_t frame = (uint64_t)sector + PREGAP;

    to[0] = (uint8_t)(frame / FRAMES / SECONDS);
    to[1] = (uint8_t)(frame / FRAMES % SECONDS);
    to[2] = (uint8_t)(frame % FRAMES);
}

/* --- pieces of it ----------------------------------------------------------------------------------------------- */

void ide_cd_submit(IdeDrive *d, uint64_t left, size_t len, void (*done)(IdeDrive *d, IdeRequest *r, int error))
{
    unsigned size = ide_cd_sector_size(d);
    uint64_t whole = (left + size - 1) / size, skip = whole * size - left;
    size_t count = (size_t)(skip + len + size - 1) / size;
    IdeRequest *r = ide_request_new(d, count * size);

    r->pos = (size_t)skip;
    r->start = count * (size - IDE_CD_SECTOR); /* at the end of the room: dressed from the first on they all fit */
    r->done = done;
    ide_request_submit(r, BLOCK_READ, (d->cd_end - whole) * IDE_CD_SECTOR, count * IDE_CD_SECTOR);
}

/* MMC-3 chapter 4: twelve octets to synchronize, the header, data, and the correction. */
void ide_cd_dress(const IdeDrive *d, IdeRequest *r)
{
    static const uint8_t sync[] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};

    if (!d->raw)
        return;
    for (size_t i = 0; i < r->len / IDE_CD_RAW; i++) {
        uint8_t *to = r->data + i * IDE_CD_RAW;
        memmove(to + RAW_HEADER, r->data + r->start + i * IDE_CD_SECTOR, IDE_CD_SECTOR);
        memcpy(to, sync, sizeof sync);
        ide_cd_put_msf(to + sizeof sync, (uint32_t)(r->offset / IDE_CD_SECTOR + i));
        to[RAW_HEADER - 1] = MODE_1;
        memset(to + RAW_HEADER + IDE_CD_SECTOR, 0, IDE_CD_RAW - RAW_HEADER - IDE_CD_SECTOR);
    }
}

static void was_filled(IdeDrive *d, IdeRequest *r, int error)
{
    size_t len = MIN((size_t)(d->s->lcyl | d->s->hcyl << 8), r->len - r->pos);

    if (error) {
        ide_packet_fail(d, SENSE_MEDIUM, ASC_UNRECOVERED_READ);
        return;
    }
    ide_cd_dress(d, r);
    memcpy(d->s->io_buffer, r->data + r->pos, len);
    ide_packet_block(d, 0, (unsigned)len);
}

void ide_cd_fill(IdeDrive *d, unsigned len)
{
    if (!ide_cd_is_ready(d)) { /* taken out between two blocks */
        ide_packet_fail(d, SENSE_NOT_READY, ASC_NO_MEDIUM);
        return;
    }
    d->s->status = STATUS_READY | STATUS_SEEK | STATUS_BUSY;
    d->s->lcyl = (uint8_t)len;
    d->s->hcyl = (uint8_t)(len >> 8);
    ide_cd_submit(d, (uint64_t)d->s->packet_transfer_size, len, was_filled);
}

/* --- commands --------------------------------------------------------------------------------------------------- */

/* More than the wire has room for is refused. */
static void read_sectors(IdeDrive *d, uint32_t first, uint32_t count, bool raw)
{
    uint32_t total = ide_cd_sectors(d);
    uint64_t octets = (uint64_t)count * (raw ? IDE_CD_RAW : IDE_CD_SECTOR);

    if (first > total || count > total - first) {
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_OUT_OF_RANGE);
        return;
    }
    if (octets > INT32_MAX) {
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
        return;
    }
    if (count == 0) {
        ide_packet_done(d);
        return;
    }
    d->reads = true;
    d->raw = raw;
    d->cd_end = first + count;
    if (d->s->feature & 1) {
        d->s->nsector = 2; /* the reason: to the host */
        ide_dma_ask(d, &(IdeDma){.kind = IDE_DMA_CD, .left = octets});
    } else {
        d->s->packet_transfer_size = (int32_t)octets;
        ide_packet_next(d);
    }
}

void ide_cd_read_10(IdeDrive *d, const uint8_t *packet)
{
    read_sectors(d, ide_be32(packet + 2), ide_be16(packet + 7), false);
}

void ide_cd_read_12(IdeDrive *d, const uint8_t *packet)
{
    read_sectors(d, ide_be32(packet + 2), ide_be32(packet + 6), false);
}

/* Which sectors are expected, and which parts of them are wanted. */
static void read_cd(IdeDrive *d, const uint8_t *packet, uint32_t first, uint32_t count)
{
    enum { ANY = 0, EXPECT_MODE_1 = 2, NOTHING = 0x00, DATA = 0x10, EVERYTHING = 0xf8, POINTERS = 0x06, CHANNEL = 7 };
    unsigned expected = packet[1] >> 2 & 7;

    if (packet[9] & POINTERS || packet[10] & CHANNEL)
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
    else if (expected != ANY && expected != EXPECT_MODE_1)
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_WRONG_MODE);
    else if ((packet[9] & EVERYTHING) == DATA)
        read_sectors(d, first, count, false);
    else if ((packet[9] & EVERYTHING) == EVERYTHING)
        read_sectors(d, first, count, true);
    else if ((packet[9] & EVERYTHING) == NOTHING)
        ide_packet_done(d);
    else
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
}

void ide_cd_read_cd(IdeDrive *d, const uint8_t *packet)
{
    read_cd(d, packet, ide_be32(packet + 2), ide_be32(packet + 5) & 0xffffff);
}

/* From one place to another, which is not read. */
void ide_cd_read_cd_msf(IdeDrive *d, const uint8_t *packet)
{
    uint32_t from = ((uint32_t)packet[3] * SECONDS + packet[4]) * FRAMES + packet[5];
    uint32_t to = ((uint32_t)packet[6] * SECONDS + packet[7]) * FRAMES + packet[8];

    if (from > to)
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
    else if (from < PREGAP)
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_OUT_OF_RANGE);
    else
        read_cd(d, packet, from - PREGAP, to - from);
}

void ide_cd_seek(IdeDrive *d, const uint8_t *packet)
{
    if (ide_be32(packet + 2) >= ide_cd_sectors(d))
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_OUT_OF_RANGE);
    else
        ide_packet_done(d);
}

/* --- the tray --------------------------------------------------------------------------------------------------- */

static void load(IdeDrive *d)
{
    if (d->s->tray_open && d->block) {
        d->s->cdrom_changed = CD_ABSENCE_TOLD; /* it was open, and the guest knows */
        d->s->new_media = true;
    }
    d->s->tray_open = false;
    ide_packet_done(d);
}

/* A change of the power state has no effect on anything. */
void ide_cd_start_stop(IdeDrive *d, const uint8_t *packet)
{
    enum { START = 1, LOAD_EJECT = 2, POWER = 0xf0 };

    if (packet[4] & POWER || !(packet[4] & LOAD_EJECT)) {
        ide_packet_done(d);
    } else if (packet[4] & START) {
        load(d);
    } else if (d->s->tray_locked && !d->s->tray_open) {
        ide_packet_fail(d, d->block ? SENSE_NOT_READY : SENSE_ILLEGAL, ASC_REMOVAL_PREVENTED);
    } else {
        d->s->tray_open = true;
        d->s->eject_request = false;
        ide_packet_done(d);
    }
}

void ide_cd_prevent(IdeDrive *d, const uint8_t *packet)
{
    d->s->tray_locked = packet[4] & 1;
    ide_packet_done(d);
}
