/*
 * ide-disk.c: sectors: which ones a command means, and how they are read, written, flushed and trimmed.
 *
 * Source: ATA/ATAPI-6 (T13/1410D) sections 6.2 (addresses), 9.5 and 9.6 (PIO); ACS-2 7.10 (DATA SET MANAGEMENT).
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

/* --- which sector ----------------------------------------------------------------------------------------------- */

uint64_t ide_get_sector(const IdeDrive *d)
{
    const IdeDriveState *s = d->s;
    uint32_t low = (uint32_t)s->hcyl << 16 | (uint32_t)s->lcyl << 8 | s->sector;
    unsigned heads, sectors;

    if (s->select & SELECT_LBA && s->lba48)
        return (uint64_t)s->hob_hcyl << 40 | (uint64_t)s->hob_lcyl << 32 | (uint64_t)s->hob_sector << 24 | low;
    if (s->select & SELECT_LBA)
        return (uint64_t)(s->select & SELECT_HEAD) << 24 | low;
    ide_geometry(d, &heads, &sectors);
    if (s->sector == 0)
        return UINT64_MAX; /* sectors of a track are counted from 1: there is no such */
    return ((uint64_t)(low >> 8) * heads + (s->select & SELECT_HEAD)) * sectors + s->sector - 1;
}

void ide_set_sector(IdeDrive *d, uint64_t sector)
{
    IdeDriveState *s = d->s;
    unsigned heads, sectors;

    if (s->select & SELECT_LBA) {
        s->sector = (uint8_t)sector;
        s->lcyl = (uint8_t)(sector >> 8);
        s->hcyl = (uint8_t)(sector >> 16);
        if (s->lba48) {
            s->hob_sector = (uint8_t)(sector >> 24);
            s->hob_lcyl = (uint8_t)(sector >> 32);
            s->hob_hcyl = (uint8_t)(sector >> 40);
        } else {
            s->select = (uint8_t)((s->select & ~SELECT_HEAD) | (sector >> 24 & SELECT_HEAD));
        }
        return;
    }
    ide_geometry(d, &heads, &sectors);
    uint64_t track = sector / sectors;
    s->sector = (uint8_t)(sector % sectors + 1);
    s->lcyl = (uint8_t)(track / heads);
    s->hcyl = (uint8_t)(track / heads >> 8);
    s->select = (uint8_t)((s->select & ~SELECT_HEAD) | (track % heads & SELECT_HEAD));
}

static bool is_on_disk(const IdeDrive *d, uint64_t sector, uint64_t count)
{
    return d->block && sector < ide_sectors(d) && count <= ide_sectors(d) - sector;
}

/* A count of 0 stands for the most there can be. */
static void take_count(IdeDrive *d, bool ext)
{
    d->s->lba48 = ext;
    if (ext) {
        d->s->nsector = (uint32_t)d->s->hob_nsector << 8 | (uint8_t)d->s->nsector;
        d->s->nsector = d->s->nsector ? d->s->nsector : 65536;
    } else {
        d->s->nsector = (uint8_t)d->s->nsector ? (uint8_t)d->s->nsector : 256;
    }
}

/* --- sectors through the data register (sections 9.5, 9.6) ------------------------------------------------------ */

static unsigned block_sectors(const IdeDrive *d)
{
    unsigned most = (unsigned)CLAMP(d->s->req_nb_sectors, 1, IDE_MULTIPLE);

    return MIN(most, d->s->nsector);
}

static void advance(IdeDrive *d, unsigned sectors)
{
    ide_set_sector(d, ide_get_sector(d) + sectors);
    d->s->nsector -= sectors;
}

static void sectors_were_read(IdeDrive *d, IdeRequest *r, int error)
{
    if (error) {
        ide_fail(d, ERROR_UNCORRECTABLE);
        return;
    }
    memcpy(d->s->io_buffer, r->data, r->len);
    advance(d, (unsigned)(r->len / IDE_SECTOR));
    ide_transfer_start(d, 0, (unsigned)r->len, IDE_END_READ);
    ide_raise_irq(d->bus);
}

/* The next block, of which the guest is told; after the last it is not. */
void ide_read_sectors(IdeDrive *d)
{
    unsigned count = block_sectors(d);
    IdeRequest *r;

    d->s->status = STATUS_READY | STATUS_SEEK;
    if (count == 0)
        return;
    if (!is_on_disk(d, ide_get_sector(d), count)) {
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    d->s->status |= STATUS_BUSY;
    r = ide_request_new(d, (size_t)count * IDE_SECTOR);
    r->done = sectors_were_read;
    ide_request_submit(r, BLOCK_READ, ide_get_sector(d) * IDE_SECTOR, r->len);
}

static void sectors_were_written(IdeDrive *d, IdeRequest *r, int error)
{
    if (error) {
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    advance(d, (unsigned)(r->len / IDE_SECTOR));
    if (d->s->nsector == 0) {
        ide_succeed(d);
        return;
    }
    ide_transfer_start(d, 0, block_sectors(d) * IDE_SECTOR, IDE_END_WRITE);
    ide_raise_irq(d->bus);
}

/* The block is in the buffer. */
void ide_write_sectors(IdeDrive *d)
{
    unsigned count = block_sectors(d);
    IdeRequest *r;

    if (count == 0 || !is_on_disk(d, ide_get_sector(d), count)) {
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    d->s->status = STATUS_READY | STATUS_SEEK | STATUS_BUSY;
    r = ide_request_new(d, (size_t)count * IDE_SECTOR);
    memcpy(r->data, d->s->io_buffer, r->len);
    r->done = sectors_were_written;
    ide_request_submit(r, ide_write_cache_on(d) ? BLOCK_WRITE : BLOCK_WRITE_THROUGH, ide_get_sector(d) * IDE_SECTOR,
                       r->len);
}

void ide_start_pio(IdeDrive *d, bool write, bool ext, int32_t sectors)
{
    take_count(d, ext);
    if (sectors < 1 || sectors > IDE_MULTIPLE || !is_on_disk(d, ide_get_sector(d), d->s->nsector)) {
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    d->s->req_nb_sectors = sectors;
    if (write)
        ide_transfer_start(d, 0, block_sectors(d) * IDE_SECTOR, IDE_END_WRITE);
    else
        ide_read_sectors(d);
}

void ide_start_dma(IdeDrive *d, IdeDmaKind kind, bool ext, bool through)
{
    take_count(d, ext);
    if (!is_on_disk(d, ide_get_sector(d), d->s->nsector)) {
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    ide_dma_ask(d, &(IdeDma){.kind = kind,
                             .through = through || !ide_write_cache_on(d),
                             .left = (uint64_t)d->s->nsector * IDE_SECTOR});
}

void ide_verify(IdeDrive *d, bool ext)
{
    take_count(d, ext);
    if (is_on_disk(d, ide_get_sector(d), d->s->nsector))
        ide_succeed(d);
    else
        ide_fail(d, ERROR_ABORTED);
}

/* --- flush and trim -------------------------------------------------------------------------------------- */

static void was_flushed(IdeDrive *d, IdeRequest *r, int error)
{
    (void)r;
    if (error)
        ide_fail(d, ERROR_ABORTED);
    else
        ide_succeed(d);
}

void ide_flush(IdeDrive *d)
{
    IdeRequest *r;

    if (!d->block || d->kind == IDE_CD) {
        ide_succeed(d);
        return;
    }
    d->s->status = STATUS_READY | STATUS_SEEK | STATUS_BUSY;
    r = ide_request_new(d, 0);
    r->done = was_flushed;
    ide_request_submit(r, BLOCK_FLUSH, 0, 0);
}

void ide_trim(IdeDrive *d)
{
    if (d->s->feature != 1) { /* the only thing that can be managed */
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    take_count(d, true);
    ide_dma_ask(d, &(IdeDma){.kind = IDE_DMA_TRIM, .left = (uint64_t)d->s->nsector * IDE_SECTOR});
}
