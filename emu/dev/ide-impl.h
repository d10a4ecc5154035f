/*
 * ide-impl.h: a drive and its cable, for the files that they are made of: ide-bus.c (the task file), ide-transfer.c
 * (how data goes), ide-command.c, ide-disk.c, ide-atapi.c (what drives do), ide-state.c (what is saved), piix3-ide.c
 * (PCI).
 */
#ifndef EMU_DEV_IDE_IMPL_H
#define EMU_DEV_IDE_IMPL_H

#include "emu/core/machine.h"
#include "emu/dev/ide.h"

enum {
    IDE_SECTOR = 512,
    IDE_CD_SECTOR = 2048,
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
    IdeRequest *request; /* the one that it waits for; others in flight were given up */
    IdeDma dma;
    uint32_t lba;  /* of the CD's next sector */
    bool lba_lost; /* a stream does not have it */
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

/* Nothing is awaited any more. */
void ide_give_up(IdeDrive *d);
void ide_set_signature(IdeDrive *d);
void ide_raise_irq(IdeBus *bus);

/* The command is done; or it is not, and `error` says why. Raises the interrupt. */
void ide_succeed(IdeDrive *d);
void ide_fail(IdeDrive *d, uint8_t error);

/* --- ide-transfer.c --------------------------------------------------------------------------------------------- */

/* A request with room for that many octets, to be filled and submitted. */
IdeRequest *ide_request_new(IdeDrive *d, size_t len);

/* Submits it; `done` is called with the machine's lock, unless the drive has given up. The offset is of len octets. */
void ide_request_submit(IdeRequest *r, BlockOp op, uint64_t offset, uint64_t len);

/* So many octets from `offset` of the buffer are to go through the data register. */
void ide_transfer_start(IdeDrive *d, unsigned offset, unsigned len, IdeEnd end);
uint32_t ide_data_read(IdeDrive *d, unsigned size);
void ide_data_write(IdeDrive *d, uint32_t value, unsigned size);

/* DMA is asked for, and begins as soon as the bus master is started. */
void ide_dma_ask(IdeDrive *d, const IdeDma *dma);
void ide_dma_start(IdeDrive *d);

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

/* --- ide-state.c ------------------------------------------------------------------------------------------------ */

extern const VMStateDescription piix3_ide_state;

/* --- piix3-ide.c ------------------------------------------------------------------------------------------------ */

/* Moves octets as the table says; returns how many there was room for. */
size_t ide_master_move(IdeBus *bus, void *data, size_t len, bool to_memory);

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
