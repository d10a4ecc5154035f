/*
 * ide-transfer.c: how a drive's data goes: blocks through the data register, and DMA in pieces.
 *
 * Source: ATA/ATAPI-6 (T13/1410D) sections 9.5 to 9.10 (protocols), 8.11 (ranges of TRIM: ACS-2 7.10).
 * A request has memory of its own: what was given up may still be in flight, and end into nothing.
 */
#include <errno.h>
#include <string.h>

#include "emu/dev/ide-impl.h"

enum {
    CHUNK = IDE_CHUNK_SECTORS * IDE_SECTOR,
    TRIM_ENTRY = 8,
    NO_UNIT = 0xff,
};

/* --- requests --------------------------------------------------------------------------------------------------- */

IdeRequest *ide_request_new(IdeDrive *d, size_t len)
{
    IdeRequest *r = g_malloc0(sizeof *r + len);

    r->drive = d;
    r->machine = d->bus->pci->dev.machine;
    r->len = len;
    return r;
}

static void submit(IdeRequest *r);

/* A request that its `done` has submitted again lives on. */
static void request_done(void *opaque, int error)
{
    IdeRequest *r = opaque;
    IdeDrive *d = r->drive;
    Machine *machine = r->machine;

    machine_lock(machine);
    d->in_flight--;
    if (d->request == r) {
        d->request = NULL;
        r->done(d, r, error);
    }
    if (d->request != r)
        g_free(r);
    if (d->held && d->in_flight == 0) {
        r = d->held;
        d->held = NULL;
        submit(r);
    }
    machine_unlock(machine);
}

static void submit(IdeRequest *r)
{
    bool with_data = r->op == BLOCK_READ || r->op == BLOCK_WRITE || r->op == BLOCK_WRITE_THROUGH;

    r->drive->in_flight++;
    r->iov = (struct iovec){.iov_base = r->data + r->start, .iov_len = r->count};
    block_submit(r->drive->block, &(BlockRequest){
                                      .op = r->op,
                                      .offset = r->offset,
                                      .len = r->count,
                                      .iov = with_data ? &r->iov : NULL,
                                      .iov_count = with_data,
                                      .done = request_done,
                                      .opaque = r,
                                  });
}

void ide_request_submit(IdeRequest *r, BlockOp op, uint64_t offset, uint64_t count)
{
    IdeDrive *d = r->drive;

    r->op = op;
    r->offset = offset;
    r->count = count;
    d->request = r;
    if (d->in_flight)
        d->held = r;
    else
        submit(r);
}

void ide_request_forget(IdeDrive *d)
{
    d->request = NULL;
    g_clear_pointer(&d->held, g_free);
}

/* --- the data register ------------------------------------------------------------------------------------------ */

void ide_transfer_start(IdeDrive *d, unsigned offset, unsigned len, IdeEnd end)
{
    d->s->cur_io_buffer_offset = (int32_t)offset;
    d->s->cur_io_buffer_len = (int32_t)len;
    d->s->end_transfer_fn_idx = (uint8_t)end;
    d->s->status = STATUS_READY | STATUS_SEEK | STATUS_DRQ;
    ide_remember(d);
}

static void transfer_ended(IdeDrive *d)
{
    IdeEnd end = d->s->end_transfer_fn_idx;

    d->s->status &= (uint8_t)~STATUS_DRQ;
    d->s->end_transfer_fn_idx = IDE_END_NONE;
    if (end == IDE_END_READ)
        ide_read_sectors(d);
    else if (end == IDE_END_WRITE)
        ide_write_sectors(d);
    else if (end == IDE_END_REPLY)
        ide_packet_next(d);
    else if (end == IDE_END_PACKET)
        ide_packet_arrived(d);
}

/* The octets that an access is for: how many are left of them, and where. */
static unsigned next_octets(IdeDrive *d, unsigned size, bool to_host, uint8_t **octets)
{
    IdeDriveState *s = d->s;
    IdeEnd end = s->end_transfer_fn_idx;
    bool reads = end == IDE_END_READ || end == IDE_END_STOP || end == IDE_END_REPLY;
    bool writes = end == IDE_END_WRITE || end == IDE_END_PACKET;

    if (!ide_is_there(d) || !(s->status & STATUS_DRQ) || s->cur_io_buffer_len <= 0 || !(to_host ? reads : writes))
        return 0;
    *octets = s->io_buffer + s->cur_io_buffer_offset;
    size = MIN(size, (unsigned)s->cur_io_buffer_len);
    s->cur_io_buffer_offset += (int32_t)size;
    s->cur_io_buffer_len -= (int32_t)size;
    return size;
}

uint32_t ide_data_read(IdeDrive *d, unsigned size)
{
    uint8_t *octets = NULL;
    unsigned n = next_octets(d, size, true, &octets);
    uint32_t value = 0;

    for (unsigned i = 0; i < n; i++)
        value |= (uint32_t)octets[i] << 8 * i;
    if (n && d->s->cur_io_buffer_len == 0)
        transfer_ended(d);
    return value;
}

void ide_data_write(IdeDrive *d, uint32_t value, unsigned size)
{
    uint8_t *octets = NULL;
    unsigned n = next_octets(d, size, false, &octets);

    for (unsigned i = 0; i < n; i++)
        octets[i] = (uint8_t)(value >> 8 * i);
    if (n && d->s->cur_io_buffer_len == 0)
        transfer_ended(d);
}

/* --- DMA -------------------------------------------------------------------------------------------------------- */

static bool is_packet(IdeDmaKind kind)
{
    return kind == IDE_DMA_CD || kind == IDE_DMA_REPLY;
}

static void forget_place(IdeDrive *d)
{
    d->bus->s->retry_unit = NO_UNIT;
    d->bus->s->retry_sector_num = 0;
    d->bus->s->retry_nsector = 0;
}

static void dma_done(IdeDrive *d)
{
    IdeDmaKind kind = d->dma.kind;

    d->dma.kind = IDE_DMA_NONE;
    forget_place(d);
    ide_master_end(d->bus);
    if (is_packet(kind))
        ide_packet_done(d);
    else
        ide_succeed(d);
}

/* The table had less than the drive: the engine stops, and nobody is told (PIIX3 data sheet, table of BMISX). */
static void dma_starved(IdeDrive *d)
{
    d->dma.kind = IDE_DMA_NONE;
    forget_place(d);
    d->bus->master->status &= (uint8_t)~MASTER_ACTIVE;
    d->s->status = STATUS_READY | STATUS_SEEK;
}

static void dma_failed(IdeDrive *d, uint8_t error)
{
    IdeDmaKind kind = d->dma.kind;

    d->dma.kind = IDE_DMA_NONE;
    forget_place(d);
    ide_master_end(d->bus);
    if (is_packet(kind))
        ide_packet_fail(d, d->block ? SENSE_MEDIUM : SENSE_NOT_READY, d->block ? ASC_UNRECOVERED_READ : ASC_NO_MEDIUM);
    else
        ide_fail(d, error);
}

/* So many octets have gone: the task file follows. */
static void dma_advance(IdeDrive *d, size_t len)
{
    unsigned sectors = (unsigned)(len / IDE_SECTOR);

    d->dma.left -= MIN(d->dma.left, len);
    if (d->dma.kind == IDE_DMA_READ || d->dma.kind == IDE_DMA_WRITE) {
        ide_set_sector(d, ide_get_sector(d) + sectors);
        d->s->nsector -= MIN(d->s->nsector, sectors);
    }
    if (d->dma.left)
        ide_dma_start(d);
    else
        dma_done(d);
}

static void dma_was_read(IdeDrive *d, IdeRequest *r, int error)
{
    if (error)
        dma_failed(d, ERROR_UNCORRECTABLE);
    else if (ide_master_move(d->bus, r->data, r->len, true) < r->len)
        dma_starved(d);
    else
        dma_advance(d, r->len);
}

static void dma_cd_was_read(IdeDrive *d, IdeRequest *r, int error)
{
    if (!error)
        ide_cd_dress(d, r);
    dma_was_read(d, r, error);
}

static void dma_was_written(IdeDrive *d, IdeRequest *r, int error)
{
    if (error)
        dma_failed(d, ERROR_ABORTED);
    else
        dma_advance(d, r->len);
}

/* Entries of 48 bits of address and 16 of length, until one is submitted; false: there are no more, or *error. */
static bool trim_submit(IdeDrive *d, IdeRequest *r, int *error)
{
    uint64_t total = ide_sectors(d);

    while (!*error && r->pos < r->len) {
        uint64_t entry, sector, count;
        memcpy(&entry, r->data + r->pos, TRIM_ENTRY);
        entry = GUINT64_FROM_LE(entry);
        sector = entry & (UINT64_MAX >> 16);
        count = entry >> 48;
        r->pos += TRIM_ENTRY;
        if (count && (sector > total || count > total - sector)) {
            *error = EINVAL;
        } else if (count && block_can_discard(d->block)) {
            ide_request_submit(r, BLOCK_DISCARD, sector * IDE_SECTOR, count * IDE_SECTOR);
            return true;
        }
    }
    return false;
}

static void trim_next(IdeDrive *d, IdeRequest *r, int error)
{
    if (trim_submit(d, r, &error))
        return;
    if (error)
        dma_failed(d, ERROR_ABORTED);
    else
        dma_advance(d, r->len);
}

/* If there is nothing to be done it ends later nevertheless: a list of any length is no recursion. */
static void trim_start(IdeDrive *d, IdeRequest *r)
{
    int error = 0;

    r->done = trim_next;
    if (trim_submit(d, r, &error))
        return;
    if (!error) {
        ide_request_submit(r, BLOCK_FLUSH, 0, 0);
        return;
    }
    dma_failed(d, ERROR_ABORTED);
    g_free(r);
}

static void dma_from_memory(IdeDrive *d, IdeRequest *r)
{
    if (ide_master_move(d->bus, r->data, r->len, false) < r->len) {
        dma_starved(d);
        g_free(r);
    } else if (d->dma.kind == IDE_DMA_TRIM) {
        trim_start(d, r);
    } else {
        r->done = dma_was_written;
        ide_request_submit(r, d->dma.through ? BLOCK_WRITE_THROUGH : BLOCK_WRITE, ide_get_sector(d) * IDE_SECTOR,
                           r->len);
    }
}

void ide_dma_start(IdeDrive *d)
{
    IdeDma *dma = &d->dma;
    size_t len = MIN(dma->left, CHUNK);

    if (d->request || dma->kind == IDE_DMA_NONE)
        return;
    d->bus->s->error_status = 0;
    if (dma->kind == IDE_DMA_REPLY) {
        if (ide_master_move(d->bus, d->s->io_buffer, len, true) < len)
            dma_starved(d);
        else
            dma_done(d);
        return;
    }
    if (!d->block) {
        dma_failed(d, ERROR_ABORTED);
        return;
    }
    if (dma->kind == IDE_DMA_CD) {
        len = MIN(dma->left, CHUNK - CHUNK % ide_cd_sector_size(d));
        ide_cd_submit(d, dma->left, len, dma_cd_was_read);
        return;
    }
    IdeRequest *r = ide_request_new(d, len);
    if (dma->kind == IDE_DMA_WRITE || dma->kind == IDE_DMA_TRIM) {
        dma_from_memory(d, r);
    } else {
        r->done = dma_was_read;
        ide_request_submit(r, BLOCK_READ, ide_get_sector(d) * IDE_SECTOR, len);
    }
}

void ide_remember(const IdeDrive *d)
{
    d->bus->s->retry_unit = (uint8_t)d->unit;
    d->bus->s->retry_sector_num = (int64_t)ide_get_sector(d);
    d->bus->s->retry_nsector = d->s->nsector;
}

void ide_dma_ask(IdeDrive *d, const IdeDma *dma)
{
    d->dma = *dma;
    d->s->status = STATUS_READY | STATUS_SEEK | STATUS_DRQ;
    d->s->cur_io_buffer_len = 0;
    d->s->end_transfer_fn_idx = IDE_END_NONE;
    ide_remember(d);
    if (d->bus->master->status & MASTER_ACTIVE)
        ide_dma_start(d);
}

/* --- once more -------------------------------------------------------------------------------------------------- */

static void retry_dma(IdeDrive *d, int32_t what)
{
    IdeDma dma = {.kind = what & RETRY_TRIM ? IDE_DMA_TRIM : what & RETRY_READ ? IDE_DMA_READ : IDE_DMA_WRITE};
    uint64_t sector = ide_get_sector(d);

    if (d->kind != IDE_DISK || sector > ide_sectors(d) || d->s->nsector > ide_sectors(d) - sector || !d->s->nsector) {
        ide_fail(d, ERROR_ABORTED);
        return;
    }
    dma.left = (uint64_t)d->s->nsector * IDE_SECTOR;
    dma.through = !ide_write_cache_on(d) || (d->dma.kind == dma.kind && d->dma.through);
    ide_master_rewind(d->bus);
    ide_dma_ask(d, &dma);
}

void ide_retry(IdeBus *bus)
{
    int32_t what = bus->s->error_status;
    IdeDrive *d = &bus->drives[bus->s->retry_unit % IDE_UNITS];

    bus->s->error_status = 0;
    if (!what || bus->s->retry_unit >= IDE_UNITS || !ide_is_there(d))
        return;
    if (what & RETRY_FLUSH) {
        ide_flush(d);
        return;
    }
    if (what & RETRY_DMA && d->kind == IDE_DISK) { /* a block's place is in the task file */
        ide_set_sector(d, (uint64_t)bus->s->retry_sector_num);
        d->s->nsector = bus->s->retry_nsector;
    }
    if (what & RETRY_DMA)
        retry_dma(d, what);
    else if (what & RETRY_PIO && d->kind == IDE_DISK && what & RETRY_READ)
        ide_read_sectors(d);
    else if (what & RETRY_PIO && d->kind == IDE_DISK)
        ide_write_sectors(d);
    else if (d->kind == IDE_CD) /* which packet it was the stream does not say: the guest sends it again */
        ide_packet_fail(d, SENSE_ABORTED, 0);
}
