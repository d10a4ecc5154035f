/*
 * ide-impl.h: a drive and its cable, for the files that they are made of: ide-bus.c (the task file), ide-transfer.c
 * (how data goes), ide-command.c and ide-identify.c (what all drives do), ide-disk.c, ide-atapi.c (packets), ide-cd.c
 * and ide-cd-info.c (what they ask for), ide-state.c (what is saved), piix3-ide.c (PCI).
 */
#ifndef EMU_DEV_IDE_IMPL_H
#define EMU_DEV_IDE_IMPL_H

#include "emu/core/machine.h"
#include "emu/dev/ide.h"

enum {
    IDE_SECTOR = 512,
    IDE_CD_SECTOR = 2048,
    IDE_CD_RAW = 2352, /* with header and error correction */
    IDE_CHUNK_SECTORS = 256,
    IDE_BUFFER = IDE_CHUNK_SECTORS * IDE_SECTOR + 4, /* as the stream has it */
    IDE_MULTIPLE = 16,
    IDE_PACKET = 12,
    IDE_SERIAL = 20,
    IDE_MODEL = 40,
    IDE_IDENTIFY_WORDS = 256,
    IDE_LBA28_MAX = 0x0fffffff,
};

enum { STATUS_ERROR = 0x01, STATUS_DRQ = 0x08, STATUS_SEEK = 0x10, STATUS_READY = 0x40, STATUS_BUSY = 0x80 };
enum { ERROR_DIAGNOSED = 0x01, ERROR_ABORTED = 0x04, ERROR_UNCORRECTABLE = 0x40 };
enum { SELECT_HEAD = 0x0f, SELECT_UNIT = 0x10, SELECT_LBA = 0x40, SELECT_ONES = 0xa0 };
enum { CONTROL_NO_IRQ = 0x02, CONTROL_RESET = 0x04, CONTROL_HOB = 0x80 };
enum { MASTER_START = 0x01, MASTER_TO_MEMORY = 0x08 };
enum { MASTER_ACTIVE = 0x01, MASTER_ERROR = 0x02, MASTER_INTERRUPT = 0x04, MASTER_CAPABLE = 0x60 };

/* What a stream says of a request that failed (error_status). */
enum {
    RETRY_DMA = 0x08,
    RETRY_PIO = 0x10,
    RETRY_READ = 0x20,
    RETRY_FLUSH = 0x40,
    RETRY_TRIM = 0x80,
};

/* What a packet command failed of: sense keys and additional sense codes (SPC-2, REQUEST SENSE). */
enum { SENSE_NOT_READY = 2, SENSE_MEDIUM = 3, SENSE_ILLEGAL = 5, SENSE_ATTENTION = 6, SENSE_ABORTED = 11 };
enum {
    ASC_UNRECOVERED_READ = 0x11,
    ASC_NO_SUCH_COMMAND = 0x20,
    ASC_OUT_OF_RANGE = 0x21,
    ASC_INVALID_FIELD = 0x24,
    ASC_MEDIUM_CHANGED = 0x28,
    ASC_INCOMPATIBLE_MEDIUM = 0x30,
    ASC_NOT_SAVED = 0x39,
    ASC_NO_MEDIUM = 0x3a,
    ASC_REMOVAL_PREVENTED = 0x53,
    ASC_WRONG_MODE = 0x64,
};

/* cdrom_changed: the guest is told first that there is no medium, then that it may be another. */
enum { CD_CHANGED = 1, CD_ABSENCE_TOLD = 2 };

/* What happens when all octets of a block have gone through the data register: numbers of the stream's. */
typedef enum IdeEnd {
    IDE_END_READ,   /* the next sectors are read */
    IDE_END_WRITE,  /* the sectors are written */
    IDE_END_STOP,   /* the command is done */
    IDE_END_REPLY,  /* the next part of a packet's reply */
    IDE_END_PACKET, /* a packet is there */
    IDE_END_NONE,
    IDE_ENDS,
} IdeEnd;

typedef struct IdeDriveState {
    int32_t mult_sectors; /* of a block of READ and WRITE MULTIPLE */
    int32_t identify_set; /* identify_data is there */
    uint8_t identify_data[2 * IDE_IDENTIFY_WORDS];
    uint8_t feature, error;
    uint32_t nsector; /* what is left of a command */
    uint8_t sector, lcyl, hcyl;
    uint8_t hob_feature, hob_sector, hob_nsector, hob_lcyl, hob_hcyl; /* what was written before the last */
    uint8_t select, status, lba48;
    uint8_t sense_key, asc, cdrom_changed;

    int32_t req_nb_sectors; /* of a block */
    uint8_t io_buffer[IDE_BUFFER];
    int32_t cur_io_buffer_offset, cur_io_buffer_len; /* what is left of the block */
    uint8_t end_transfer_fn_idx;                     /* IdeEnd */
    int32_t elementary_transfer_size;                /* at most, of a block of a packet's reply */
    int32_t packet_transfer_size;                    /* what is left of the reply */

    bool tray_open, tray_locked;
    bool new_media, eject_request; /* events that the guest has not asked for yet */
    bool retries_pio; /* not on the wire: the cable has a request to be tried again that needs the buffer */
} IdeDriveState;

typedef struct IdeBusState {
    uint8_t cmd; /* the device control register */
    uint8_t unit;
    int32_t error_status; /* a request that failed, to be tried again when the machine starts */
    int64_t retry_sector_num;
    uint32_t retry_nsector;
    uint8_t retry_unit;
} IdeBusState;

typedef struct IdeMasterState {
    uint8_t cmd, migration_compat_status;
    uint32_t addr;
    int64_t migration_retry_sector_num;
    uint32_t migration_retry_nsector;
    uint8_t migration_retry_unit;
    uint32_t cur_addr, cur_prd_last, cur_prd_addr, cur_prd_len; /* where it is in the table */
    uint8_t status;
} IdeMasterState;

typedef struct Piix3IdeState {
    PciState dev;
    IdeMasterState bmdma[IDE_BUSES];
    IdeBusState bus[IDE_BUSES];
    IdeDriveState drive[IDE_BUSES][IDE_UNITS];
} Piix3IdeState;

typedef struct IdeBus IdeBus;
typedef struct IdeDrive IdeDrive;
typedef struct IdeRequest IdeRequest;

/* What goes by DMA: asked for by a command, and started by the guest in the bus master. */
typedef enum IdeDmaKind {
    IDE_DMA_NONE,
    IDE_DMA_READ,
    IDE_DMA_WRITE,
    IDE_DMA_TRIM,
    IDE_DMA_CD,
    IDE_DMA_REPLY
} IdeDmaKind;

typedef struct IdeDma {
    IdeDmaKind kind;
    bool through;  /* written data must be on stable storage */
    uint64_t left; /* octets */
} IdeDma;

struct IdeDrive {
    IdeBus *bus;
    IdeDriveState *s;
    unsigned unit;
    IdeKind kind;
    Block *block;
    char serial[IDE_SERIAL + 1], model[IDE_MODEL + 1];
    IdeRequest *request; /* the one that it waits for */
    IdeRequest *held;    /* the same, if it waits itself until what was given up has ended */
    unsigned in_flight;
    IdeDma dma;

    /* Of a packet's reply. */
    bool reads, raw; /* it comes from the medium and not from the buffer; in sectors of 2352 octets */
    bool place_lost; /* a stream does not have the place on the medium */
    uint32_t cd_end; /* the sector behind the last that is read */
};

struct IdeBus {
    IdeDrive drives[IDE_UNITS];
    IdeBusState *s;
    IdeMasterState *master;
    PciDevice *pci;
    Irq *irq;
};

struct IdeRequest {
    IdeDrive *drive;
    Machine *machine;
    void (*done)(IdeDrive *d, IdeRequest *r, int error);
    size_t len, pos; /* octets of data; how far it has been looked at */
    size_t start;    /* where in the data it is to read or write */
    BlockOp op;
    uint64_t offset, count; /* on the disk, octets */
    struct iovec iov;
    uint8_t data[];
};

static inline bool ide_is_there(const IdeDrive *d)
{
    return d->kind != IDE_NONE;
}

static inline uint64_t ide_sectors(const IdeDrive *d)
{
    return d->block ? block_length(d->block) / IDE_SECTOR : 0;
}

/* --- ide-bus.c -------------------------------------------------------------------------------------------------- */

extern const IoOps ide_command_ops, ide_control_ops; /* the opaque is the IdeBus */

void ide_bus_reset(IdeBus *bus);
void ide_drive_reset(IdeDrive *d);

/* The command is forgotten. */
void ide_give_up(IdeDrive *d);
void ide_set_signature(IdeDrive *d);
void ide_raise_irq(IdeBus *bus);

/* The command is done; or it is not, and `error` says why. Raises the interrupt. */
void ide_succeed(IdeDrive *d);
void ide_fail(IdeDrive *d, uint8_t error);

/* --- ide-transfer.c --------------------------------------------------------------------------------------------- */

/* A request with room for that many octets, to be filled and submitted. */
IdeRequest *ide_request_new(IdeDrive *d, size_t len);

/*
 * Submits it; `done` is called with the machine's lock, unless the drive has given up. What was given up and is still
 * in flight ends first: an old write does not come behind a new one.
 */
void ide_request_submit(IdeRequest *r, BlockOp op, uint64_t offset, uint64_t count);

/* Nothing is awaited any more. */
void ide_request_forget(IdeDrive *d);

/* So many octets from `offset` of the buffer are to go through the data register. */
void ide_transfer_start(IdeDrive *d, unsigned offset, unsigned len, IdeEnd end);
uint32_t ide_data_read(IdeDrive *d, unsigned size);
void ide_data_write(IdeDrive *d, uint32_t value, unsigned size);

/* DMA is asked for, and begins as soon as the bus master is started. */
void ide_dma_ask(IdeDrive *d, const IdeDma *dma);
void ide_dma_start(IdeDrive *d);

/* The place that a request is for, if it is to be tried again. */
void ide_remember(const IdeDrive *d);

/* A request of an earlier life, which the stream says has failed. */
void ide_retry(IdeBus *bus);

/* --- ide-disk.c ------------------------------------------------------------------------------------------------- */

/* Number of the sector that the task file says, and back. */
uint64_t ide_get_sector(const IdeDrive *d);
void ide_set_sector(IdeDrive *d, uint64_t sector);

void ide_read_sectors(IdeDrive *d);
void ide_write_sectors(IdeDrive *d);
void ide_flush(IdeDrive *d);
void ide_trim(IdeDrive *d);
void ide_verify(IdeDrive *d, bool ext);

/* `ext`: the task file is of 48 bits. `sectors`: of a block, 0 being none that there is. */
void ide_start_pio(IdeDrive *d, bool write, bool ext, int32_t sectors);
void ide_start_dma(IdeDrive *d, IdeDmaKind kind, bool ext, bool through);
bool ide_write_cache_on(const IdeDrive *d);

/* --- ide-command.c ---------------------------------------------------------------------------------------------- */

void ide_command(IdeDrive *d, uint8_t command);

/* --- ide-identify.c --------------------------------------------------------------------------------------------- */

/* Makes identify_data, if that is not there yet. */
void ide_identify(IdeDrive *d);
uint16_t ide_identify_get(const IdeDrive *d, unsigned word);
void ide_identify_put(IdeDrive *d, unsigned word, uint16_t value);
void ide_identify_put_geometry(IdeDrive *d, unsigned heads, unsigned sectors);

/* Heads, sectors of a track: what the guest has set, or by default. */
void ide_geometry(const IdeDrive *d, unsigned *heads, unsigned *sectors);

/* --- ide-atapi.c ------------------------------------------------------------------------------------------------ */

void ide_packet_arrived(IdeDrive *d);
void ide_packet_next(IdeDrive *d); /* part of the reply */
void ide_packet_done(IdeDrive *d);
void ide_packet_fail(IdeDrive *d, uint8_t key, uint8_t asc);

/* The reply is in the buffer, len octets; the host takes `room` of them. */
void ide_packet_reply(IdeDrive *d, size_t len, size_t room);

/* So many octets of a longer reply are in the buffer, from `offset`: the host is told. */
void ide_packet_block(IdeDrive *d, unsigned offset, unsigned len);

/* --- ide-cd.c: reading, and what the tray does ------------------------------------------------------------------ */

typedef void IdePacketCommand(IdeDrive *d, const uint8_t *packet);

uint32_t ide_cd_sectors(const IdeDrive *d);
bool ide_cd_is_ready(const IdeDrive *d); /* there is a medium, and the tray is closed */
bool ide_cd_is_dvd(const IdeDrive *d);
unsigned ide_cd_sector_size(const IdeDrive *d);

IdePacketCommand ide_cd_read_10, ide_cd_read_12, ide_cd_read_cd, ide_cd_read_cd_msf, ide_cd_seek, ide_cd_start_stop,
    ide_cd_prevent;

/*
 * Reads the next len octets of a command that has `left` of them left. When it is done, and the request is dressed,
 * they are in r->data from r->pos.
 */
void ide_cd_submit(IdeDrive *d, uint64_t left, size_t len, void (*done)(IdeDrive *d, IdeRequest *r, int error));
void ide_cd_dress(const IdeDrive *d, IdeRequest *r);

/* Puts the next octets of the reply into the buffer, and tells the host. */
void ide_cd_fill(IdeDrive *d, unsigned len);

/* Minute, second and frame of a sector, as on the disc (MMC-3 chapter 4). */
void ide_cd_put_msf(uint8_t *to, uint32_t sector);

/* --- ide-cd-info.c, ide-cd-inquiry.c: what there is to be known -------------------------------------------------- */

IdePacketCommand ide_cd_capacity, ide_cd_toc, ide_cd_disc, ide_cd_dvd_structure, ide_cd_mechanism;
IdePacketCommand ide_cd_inquiry, ide_cd_sense, ide_cd_configuration, ide_cd_events, ide_cd_mode_sense;

static inline unsigned ide_be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static inline uint32_t ide_be32(const uint8_t *p)
{
    return (uint32_t)ide_be16(p) << 16 | ide_be16(p + 2);
}

static inline void ide_put_be16(uint8_t *p, unsigned value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
}

static inline void ide_put_be32(uint8_t *p, uint32_t value)
{
    ide_put_be16(p, value >> 16);
    ide_put_be16(p + 2, value);
}

/* --- ide-state.c ------------------------------------------------------------------------------------------------ */

extern const VMStateDescription piix3_ide_state;

/* --- piix3-ide.c ------------------------------------------------------------------------------------------------ */

/* Moves octets as the table says; returns how many there was room for. */
size_t ide_master_move(IdeBus *bus, void *data, size_t len, bool to_memory);

/* From the first descriptor on, once more. */
void ide_master_rewind(IdeBus *bus);

/* The transfer is at its end; the engine stops, unless the table has more. */
void ide_master_end(IdeBus *bus);

/* Waits until nothing is in flight that a drive waits for. */
void ide_drain(IdeBus *bus);

typedef struct Piix3Ide {
    PciDevice pci;
    Irq irq[IDE_BUSES];
    SpaceId command[IDE_BUSES], control[IDE_BUSES];
    IdeBus buses[IDE_BUSES];
    Piix3IdeState s;
} Piix3Ide;

#endif
