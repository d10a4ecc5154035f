/*
 * ide-state.c: what is saved of the IDE controller and its drives, as QEMU has it.
 *
 * The wire has the bus master's status in an octet that once had flags of failed requests, too. A disk's command that
 * waits for its DMA to be started is there as one that failed. Which part of a long read a CD drive is in, and which of
 * its commands waits so, and that what a disk writes must go through, have no field of their own: they are behind
 * what is in use of the drive's buffer, where QEMU does not look; what comes without that mark ends with an error, and
 * the guest asks again.
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

enum {
    STATE_VERSION = 3,
    FAILED = 0x78, /* bits of migration_compat_status that are not the status */
    NOTE = IDE_BUFFER - 32,
};

/* At NOTE in the buffer. */
typedef struct Note {
    uint8_t mark[8];
    uint8_t dma_kind, through, reads, raw;
    uint32_t cd_end; /* little-endian, as all */
    uint64_t left;
    uint32_t sum; /* of the block and what is left: who went on with the state in between has others */
    uint32_t reserved;
} Note;

static const uint8_t mark[8] = "FerryIDE";

/* --- hooks ------------------------------------------------------------------------------------------------------ */

/* FNV-1a. */
static uint32_t block_sum(const IdeDriveState *s)
{
    uint32_t sum = 2166136261U ^ (uint32_t)s->packet_transfer_size;

    for (int32_t i = 0; i < MIN(s->cur_io_buffer_offset + s->cur_io_buffer_len, NOTE); i++)
        sum = (sum ^ s->io_buffer[i]) * 16777619U;
    return (sum ^ (uint32_t)s->cur_io_buffer_len) * 16777619U;
}

static bool is_reply(const IdeDriveState *s)
{
    return s->end_transfer_fn_idx == IDE_END_REPLY && s->packet_transfer_size > 0;
}

static void write_note(IdeDrive *d)
{
    Note note = {.dma_kind = (uint8_t)d->dma.kind,
                 .through = d->dma.through,
                 .reads = d->reads,
                 .raw = d->raw,
                 .cd_end = GUINT32_TO_LE(d->cd_end),
                 .left = GUINT64_TO_LE(d->dma.left),
                 .sum = GUINT32_TO_LE(block_sum(d->s))};

    if (!(d->s->status & STATUS_DRQ) || (d->dma.kind == IDE_DMA_NONE && (!is_reply(d->s) || d->place_lost)))
        return;
    memcpy(note.mark, mark, sizeof mark);
    memcpy(d->s->io_buffer + NOTE, &note, sizeof note);
}

/* So many octets are in front of the sector that the reading ends at. */
static bool is_on_cd(const IdeDrive *d, uint64_t octets)
{
    return octets <= (uint64_t)d->cd_end * ide_cd_sector_size(d);
}

/* A DMA that is as it can be asked for now; what is out of bounds of the disk is not there. */
static bool dma_is_sound(const IdeDrive *d, const IdeDma *dma)
{
    uint64_t sector = ide_get_sector(d), total = ide_sectors(d);

    switch (dma->kind) {
    case IDE_DMA_READ:
    case IDE_DMA_WRITE:
        return d->kind == IDE_DISK && dma->left == (uint64_t)d->s->nsector * IDE_SECTOR && sector < total &&
               d->s->nsector <= total - sector;
    case IDE_DMA_TRIM:
        return d->kind == IDE_DISK && dma->left % IDE_SECTOR == 0 && dma->left <= 65536 * IDE_SECTOR;
    case IDE_DMA_CD:
        return d->kind == IDE_CD && dma->left % ide_cd_sector_size(d) == 0 && is_on_cd(d, dma->left);
    case IDE_DMA_REPLY:
        return d->kind == IDE_CD && dma->left <= NOTE;
    default:
        return false;
    }
}

static void take_note(IdeDrive *d, const Note *note)
{
    IdeEnd end = d->s->end_transfer_fn_idx;
    IdeDma dma = {.kind = note->dma_kind, .through = note->through, .left = GUINT64_FROM_LE(note->left)};

    d->reads = note->reads;
    d->raw = note->raw;
    d->cd_end = GUINT32_FROM_LE(note->cd_end);
    if (end == IDE_END_NONE && dma.left && dma_is_sound(d, &dma))
        d->dma = dma;
    if (is_reply(d->s) && (!d->reads || is_on_cd(d, (uint32_t)d->s->packet_transfer_size)))
        d->place_lost = false;
}

/* One of an earlier transfer may be there, too: only one that fits counts. */
static void read_note(IdeDrive *d)
{
    Note note;

    d->reads = d->raw = false;
    d->cd_end = 0;
    d->place_lost = is_reply(d->s);
    d->dma = (IdeDma){.kind = IDE_DMA_NONE};
    memcpy(&note, d->s->io_buffer + NOTE, sizeof note);
    if (d->s->status & STATUS_DRQ && memcmp(note.mark, mark, sizeof mark) == 0 &&
        GUINT32_FROM_LE(note.sum) == block_sum(d->s))
        take_note(d, &note);
}

/* A disk's command that waits for the guest to start the master is one to be tried again. */
static void note_waiting(IdeBus *bus)
{
    static const uint8_t what[] = {
        [IDE_DMA_READ] = RETRY_DMA | RETRY_READ, [IDE_DMA_WRITE] = RETRY_DMA, [IDE_DMA_TRIM] = RETRY_DMA | RETRY_TRIM};

    for (unsigned i = 0; i < IDE_UNITS; i++) {
        const IdeDrive *d = &bus->drives[i];
        if (d->dma.kind >= G_N_ELEMENTS(what) || !what[d->dma.kind])
            continue;
        bus->s->error_status = what[d->dma.kind];
        ide_remember(d);
    }
}

static bool pull(void *opaque, GError **error)
{
    Piix3Ide *p = opaque;

    (void)error;
    for (unsigned n = 0; n < IDE_BUSES; n++) {
        IdeBus *bus = &p->buses[n];
        IdeMasterState *m = bus->master;
        ide_drain(bus);
        note_waiting(bus);
        for (unsigned i = 0; i < IDE_UNITS; i++) {
            write_note(&bus->drives[i]);
            bus->drives[i].s->retries_pio = bus->s->error_status & RETRY_PIO;
        }
        m->migration_compat_status = (uint8_t)((m->status & ~FAILED) | (bus->s->error_status & FAILED));
        m->migration_retry_sector_num = bus->s->retry_sector_num;
        m->migration_retry_nsector = bus->s->retry_nsector;
        m->migration_retry_unit = bus->s->retry_unit;
    }
    return true;
}

static void push_bus(IdeBus *bus)
{
    IdeMasterState *m = bus->master;

    if (m->status == 0) {
        m->status = m->migration_compat_status & (uint8_t)~FAILED;
        bus->s->error_status |= m->migration_compat_status & FAILED;
    }
    if (m->cur_prd_len == 0) { /* the stream has no place in the table: it is where the guest put it */
        m->cur_addr = m->addr;
        m->cur_prd_last = m->cur_prd_addr = 0;
    }
    bus->s->retry_sector_num = m->migration_retry_sector_num;
    bus->s->retry_nsector = m->migration_retry_nsector;
    bus->s->retry_unit = m->migration_retry_unit;
    for (unsigned i = 0; i < IDE_UNITS; i++) {
        ide_request_forget(&bus->drives[i]);
        read_note(&bus->drives[i]);
    }
}

/* Lines stay as they are: the interrupt controllers have their own levels. */
static void push(void *opaque)
{
    Piix3Ide *p = opaque;

    pci_device_push(&p->pci);
    for (unsigned n = 0; n < IDE_BUSES; n++)
        push_bus(&p->buses[n]);
}

/* at: which cable, and which drive; IDE_UNITS: of the cable itself. */
static bool refuse(const char *what, const unsigned *at, int64_t has, int64_t takes, GError **error)
{
    g_autofree char *path = at[1] < IDE_UNITS ? g_strdup_printf("bus[%u].ifs[%u].pio_state", at[0], at[1])
                                              : g_strdup_printf("bus[%u]", at[0]);

    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "ide.%s.%s: the stream has %" G_GINT64_FORMAT ", the destination takes 0 to %" G_GINT64_FORMAT, path,
                what, has, takes);
    return false;
}

static bool check_drive(const IdeDriveState *s, const unsigned *at, GError **error)
{
    if (!(s->status & STATUS_DRQ))
        return true;
    if (s->end_transfer_fn_idx >= IDE_ENDS)
        return refuse("end_transfer_fn_idx", at, s->end_transfer_fn_idx, IDE_ENDS - 1, error);
    if (s->cur_io_buffer_len < 0 || s->cur_io_buffer_len > IDE_BUFFER)
        return refuse("cur_io_buffer_len", at, s->cur_io_buffer_len, IDE_BUFFER, error);
    if (s->cur_io_buffer_offset < 0 || s->cur_io_buffer_offset > IDE_BUFFER - s->cur_io_buffer_len)
        return refuse("cur_io_buffer_offset", at, s->cur_io_buffer_offset, IDE_BUFFER - s->cur_io_buffer_len, error);
    if (s->req_nb_sectors < 0 || s->req_nb_sectors > IDE_MULTIPLE)
        return refuse("req_nb_sectors", at, s->req_nb_sectors, IDE_MULTIPLE, error);
    if (s->elementary_transfer_size < 0)
        return refuse("elementary_transfer_size", at, s->elementary_transfer_size, INT32_MAX, error);
    if (s->packet_transfer_size < 0)
        return refuse("packet_transfer_size", at, s->packet_transfer_size, INT32_MAX, error);
    return true;
}

static bool check(const void *state, GError **error)
{
    const Piix3IdeState *s = state;

    if (!pci_check(&s->dev, "ide", error))
        return false;
    for (unsigned n = 0; n < IDE_BUSES; n++) {
        if (s->bus[n].unit >= IDE_UNITS)
            return refuse("unit", (unsigned[]){n, IDE_UNITS}, s->bus[n].unit, IDE_UNITS - 1, error);
        for (unsigned i = 0; i < IDE_UNITS; i++)
            if (!check_drive(&s->drive[n][i], (unsigned[]){n, i}, error))
                return false;
    }
    return true;
}

/* --- a drive ---------------------------------------------------------------------------------------------------- */

static bool is_identified(const void *state, int version)
{
    (void)version;
    return ((const IdeDriveState *)state)->identify_set != 0;
}

static bool has_data(const void *state)
{
    const IdeDriveState *s = state;

    return s->status & STATUS_DRQ || s->retries_pio;
}

static bool has_tray(const void *state)
{
    const IdeDriveState *s = state;

    return s->tray_open || s->tray_locked;
}

static bool has_events(const void *state)
{
    const IdeDriveState *s = state;

    return s->new_media || s->eject_request;
}

static const VMStateField pio_fields[] = {
    VMS_FIELD(IdeDriveState, req_nb_sectors),       VMS_ARRAY(IdeDriveState, io_buffer),
    VMS_FIELD(IdeDriveState, cur_io_buffer_offset), VMS_FIELD(IdeDriveState, cur_io_buffer_len),
    VMS_FIELD(IdeDriveState, end_transfer_fn_idx),  VMS_FIELD(IdeDriveState, elementary_transfer_size),
    VMS_FIELD(IdeDriveState, packet_transfer_size), VMS_END,
};

static const VMStateDescription pio_state = {
    .name = "ide_drive/pio_state",
    .version = 1,
    .minimum = 1,
    .fields = pio_fields,
};

static const VMStateField tray_fields[] = {
    VMS_FIELD(IdeDriveState, tray_open),
    VMS_FIELD(IdeDriveState, tray_locked),
    VMS_END,
};

static const VMStateDescription tray_state = {
    .name = "ide_drive/tray_state",
    .version = 1,
    .minimum = 1,
    .fields = tray_fields,
};

static const VMStateField event_fields[] = {
    VMS_FIELD(IdeDriveState, new_media, .name = "events.new_media"),
    VMS_FIELD(IdeDriveState, eject_request, .name = "events.eject_request"),
    VMS_END,
};

static const VMStateDescription event_state = {
    .name = "ide_drive/atapi/gesn_state",
    .version = 1,
    .minimum = 1,
    .fields = event_fields,
};

static const VMStateSubsection drive_subsections[] = {
    {.desc = &pio_state, .needed = has_data},
    {.desc = &tray_state, .needed = has_tray},
    {.desc = &event_state, .needed = has_events},
    {.desc = NULL},
};

static const VMStateField drive_fields[] = {
    VMS_FIELD(IdeDriveState, mult_sectors),
    VMS_FIELD(IdeDriveState, identify_set),
    VMS_BYTES(IdeDriveState, identify_data, .present = is_identified, .flags = VMS_OPTIONAL),
    VMS_FIELD(IdeDriveState, feature),
    VMS_FIELD(IdeDriveState, error),
    VMS_FIELD(IdeDriveState, nsector),
    VMS_FIELD(IdeDriveState, sector),
    VMS_FIELD(IdeDriveState, lcyl),
    VMS_FIELD(IdeDriveState, hcyl),
    VMS_FIELD(IdeDriveState, hob_feature),
    VMS_FIELD(IdeDriveState, hob_sector),
    VMS_FIELD(IdeDriveState, hob_nsector),
    VMS_FIELD(IdeDriveState, hob_lcyl),
    VMS_FIELD(IdeDriveState, hob_hcyl),
    VMS_FIELD(IdeDriveState, select),
    VMS_FIELD(IdeDriveState, status),
    VMS_FIELD(IdeDriveState, lba48),
    VMS_FIELD(IdeDriveState, sense_key),
    VMS_FIELD(IdeDriveState, asc),
    VMS_FIELD(IdeDriveState, cdrom_changed, .since = 3),
    VMS_END,
};

static const VMStateDescription drive_state = {
    .name = "ide_drive",
    .version = STATE_VERSION,
    .minimum = 0,
    .size = sizeof(IdeDriveState),
    .fields = drive_fields,
    .subsections = drive_subsections,
};

/* --- a cable ---------------------------------------------------------------------------------------------------- */

static bool has_failed(const void *state)
{
    return ((const IdeBusState *)state)->error_status != 0;
}

static const VMStateField error_fields[] = {
    VMS_FIELD(IdeBusState, error_status),
    VMS_FIELD(IdeBusState, retry_sector_num, .since = 2),
    VMS_FIELD(IdeBusState, retry_nsector, .since = 2),
    VMS_FIELD(IdeBusState, retry_unit, .since = 2),
    VMS_END,
};

static const VMStateDescription error_state = {
    .name = "ide_bus/error",
    .version = 2,
    .minimum = 1,
    .fields = error_fields,
};

static const VMStateSubsection bus_subsections[] = {
    {.desc = &error_state, .needed = has_failed},
    {.desc = NULL},
};

static const VMStateField bus_fields[] = {
    VMS_FIELD(IdeBusState, cmd),
    VMS_FIELD(IdeBusState, unit),
    VMS_END,
};

static const VMStateDescription bus_state = {
    .name = "ide_bus",
    .version = 1,
    .minimum = 1,
    .size = sizeof(IdeBusState),
    .fields = bus_fields,
    .subsections = bus_subsections,
};

/* --- a bus master ----------------------------------------------------------------------------------------------- */

static bool has_descriptor(const void *state)
{
    return ((const IdeMasterState *)state)->cur_prd_len != 0;
}

static bool has_status(const void *state)
{
    return ((const IdeMasterState *)state)->status & FAILED;
}

static const VMStateField current_fields[] = {
    VMS_FIELD(IdeMasterState, cur_addr),
    VMS_FIELD(IdeMasterState, cur_prd_last),
    VMS_FIELD(IdeMasterState, cur_prd_addr),
    VMS_FIELD(IdeMasterState, cur_prd_len),
    VMS_END,
};

static const VMStateDescription current_state = {
    .name = "ide bmdma_current",
    .version = 1,
    .minimum = 1,
    .fields = current_fields,
};

static const VMStateField status_fields[] = {
    VMS_FIELD(IdeMasterState, status),
    VMS_END,
};

static const VMStateDescription status_state = {
    .name = "ide bmdma/status",
    .version = 1,
    .minimum = 1,
    .fields = status_fields,
};

static const VMStateSubsection master_subsections[] = {
    {.desc = &current_state, .needed = has_descriptor},
    {.desc = &status_state, .needed = has_status},
    {.desc = NULL},
};

static const VMStateField master_fields[] = {
    VMS_FIELD(IdeMasterState, cmd),
    VMS_FIELD(IdeMasterState, migration_compat_status),
    VMS_FIELD(IdeMasterState, addr),
    VMS_FIELD(IdeMasterState, migration_retry_sector_num),
    VMS_FIELD(IdeMasterState, migration_retry_nsector),
    VMS_FIELD(IdeMasterState, migration_retry_unit),
    VMS_END,
};

static const VMStateDescription master_state = {
    .name = "ide bmdma",
    .version = STATE_VERSION,
    .minimum = 0,
    .size = sizeof(IdeMasterState),
    .fields = master_fields,
    .subsections = master_subsections,
};

/* --- all of it -------------------------------------------------------------------------------------------------- */

#define DRIVES(n)                                                                                                      \
    {                                                                                                                  \
        .name = "bus[" #n "].ifs", .kind = VMS_STRUCT, .array = true, .offset = offsetof(Piix3IdeState, drive[n]),     \
        .size = sizeof(IdeDriveState), .count = IDE_UNITS, .desc = &drive_state, .flags = VMS_LISTED                   \
    }

static const VMStateField fields[] = {
    VMS_SUB(Piix3IdeState, dev, &pci_device_state, .name = "parent_obj"),
    VMS_SUB_ARRAY(Piix3IdeState, bmdma, &master_state, .flags = VMS_LISTED),
    VMS_SUB_ARRAY(Piix3IdeState, bus, &bus_state, .flags = VMS_LISTED),
    DRIVES(0),
    DRIVES(1),
    VMS_END,
};

const VMStateDescription piix3_ide_state = {
    .name = "ide",
    .version = STATE_VERSION,
    .minimum = 0,
    .size = sizeof(Piix3IdeState),
    .fields = fields,
    .subsections = NULL,
    .pull = pull,
    .check = check,
    .push = push,
};
