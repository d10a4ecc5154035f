/*
 * ide-atapi.c: a CD or DVD drive: packets, which of them may be obeyed now, and how their replies go.
 *
 * Source: ATA/ATAPI-6 (T13/1410D) sections 8.24 (PACKET) and 9.7, 9.8 (protocols); SFF-8020i; MMC-3 chapter 6; SPC-2.
 * A reply goes by DMA if the command asked for it. Otherwise it goes in blocks of at most the byte count limit that the
 * guest wrote to the cylinder registers, with an interrupt each.
 *
 * Not modelled: audio, writing, sub-channels, more than one session, copy protection, the speed, power states, and
 * READ CD other than of the user's data or of whole sectors (their error correction is zeros).
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

enum { REASON_COMMAND = 1, REASON_TO_HOST = 2, REASON = 7 }; /* of an interrupt: in the count register */
enum { WITH_DMA = 1, LIMIT_MOST = 0xfffe };

/* --- the reply -------------------------------------------------------------------------------------------------- */

static void set_reason(IdeDrive *d, unsigned reason)
{
    d->s->nsector = (d->s->nsector & ~(uint32_t)REASON) | reason;
}

void ide_packet_done(IdeDrive *d)
{
    set_reason(d, REASON_COMMAND | REASON_TO_HOST);
    ide_succeed(d);
}

void ide_packet_fail(IdeDrive *d, uint8_t key, uint8_t asc)
{
    d->s->sense_key = key;
    d->s->asc = asc;
    set_reason(d, REASON_COMMAND | REASON_TO_HOST);
    ide_fail(d, (uint8_t)(key << 4));
    d->s->status &= (uint8_t)~STATUS_SEEK; /* SERV of packet drives */
}

void ide_packet_block(IdeDrive *d, unsigned offset, unsigned len)
{
    d->s->packet_transfer_size -= (int32_t)len;
    d->s->elementary_transfer_size = 0;
    d->s->lcyl = (uint8_t)len;
    d->s->hcyl = (uint8_t)(len >> 8);
    set_reason(d, REASON_TO_HOST);
    ide_transfer_start(d, offset, len, IDE_END_REPLY);
    ide_raise_irq(d->bus);
}

/* ATA/ATAPI-6 8.24: all but the last block are of an even number of octets. */
static unsigned block_size(const IdeDrive *d)
{
    unsigned limit = MIN((unsigned)(d->s->lcyl | d->s->hcyl << 8), LIMIT_MOST),
             left = (unsigned)d->s->packet_transfer_size;

    if (left <= limit)
        return left;
    return limit > 1 ? limit & ~1U : limit;
}

void ide_packet_next(IdeDrive *d)
{
    unsigned len;

    if (d->s->packet_transfer_size <= 0) {
        ide_packet_done(d);
        return;
    }
    len = block_size(d);
    if (d->place_lost)
        ide_packet_fail(d, SENSE_ABORTED, 0);
    else if (len == 0) /* no room: the command itself is unsound (ATA8-ACS, PACKET) */
        ide_fail(d, ERROR_ABORTED);
    else if (d->reads)
        ide_cd_fill(d, len);
    else if ((unsigned)d->s->cur_io_buffer_offset > IDE_BUFFER - len)
        ide_packet_fail(d, SENSE_ABORTED, 0);
    else
        ide_packet_block(d, (unsigned)d->s->cur_io_buffer_offset, len);
}

void ide_packet_reply(IdeDrive *d, size_t len, size_t room)
{
    len = MIN(len, room);
    if (len == 0) {
        ide_packet_done(d);
    } else if (d->s->feature & WITH_DMA) {
        set_reason(d, REASON_TO_HOST);
        ide_dma_ask(d, &(IdeDma){.kind = IDE_DMA_REPLY, .left = len});
    } else {
        d->s->packet_transfer_size = (int32_t)len;
        d->s->cur_io_buffer_offset = 0;
        ide_packet_next(d);
    }
}

/* --- packets ---------------------------------------------------------------------------------------------------- */

enum { OF_ANY_STATE = 1, NEEDS_MEDIUM = 2 };
enum { REQUEST_SENSE = 0x03 };

typedef struct Packet {
    uint8_t code, when;
    IdePacketCommand *obey; /* NULL: there is nothing to do */
} Packet;

/* What is answered in any state says something of that state. */
static const Packet packets[] = {
    {0x00, NEEDS_MEDIUM, NULL}, /* TEST UNIT READY */
    {REQUEST_SENSE, OF_ANY_STATE, ide_cd_sense},
    {0x12, OF_ANY_STATE, ide_cd_inquiry},
    {0x1b, 0, ide_cd_start_stop},
    {0x1e, 0, ide_cd_prevent},
    {0x25, NEEDS_MEDIUM, ide_cd_capacity},
    {0x28, NEEDS_MEDIUM, ide_cd_read_10},
    {0x2b, NEEDS_MEDIUM, ide_cd_seek},
    {0x43, NEEDS_MEDIUM, ide_cd_toc},
    {0x46, OF_ANY_STATE, ide_cd_configuration},
    {0x4a, OF_ANY_STATE, ide_cd_events},
    {0x51, NEEDS_MEDIUM, ide_cd_disc},
    {0x5a, 0, ide_cd_mode_sense},
    {0xa8, NEEDS_MEDIUM, ide_cd_read_12},
    {0xad, NEEDS_MEDIUM, ide_cd_dvd_structure},
    {0xb9, NEEDS_MEDIUM, ide_cd_read_cd_msf},
    {0xbb, 0, NULL}, /* SET CD SPEED */
    {0xbd, 0, ide_cd_mechanism},
    {0xbe, NEEDS_MEDIUM, ide_cd_read_cd},
};

static const Packet *find_packet(uint8_t code)
{
    for (size_t i = 0; i < G_N_ELEMENTS(packets); i++)
        if (packets[i].code == code)
            return &packets[i];
    return NULL;
}

/*
 * Something that the guest must know before anything else. Attention once called for stays so until the guest asks for
 * the reason.
 */
static bool needs_attention(IdeDrive *d)
{
    IdeDriveState *s = d->s;

    if (s->sense_key == SENSE_ATTENTION) {
        ide_packet_fail(d, SENSE_ATTENTION, s->asc);
        return true;
    }
    if (!s->cdrom_changed || !ide_cd_is_ready(d))
        return false;
    if (s->cdrom_changed == CD_CHANGED) {
        s->cdrom_changed = CD_ABSENCE_TOLD;
        ide_packet_fail(d, SENSE_NOT_READY, ASC_NO_MEDIUM);
    } else {
        s->cdrom_changed = 0;
        ide_packet_fail(d, SENSE_ATTENTION, ASC_MEDIUM_CHANGED);
    }
    return true;
}

void ide_packet_arrived(IdeDrive *d)
{
    uint8_t octets[IDE_PACKET];
    const Packet *packet;

    memcpy(octets, d->s->io_buffer, sizeof octets);
    packet = find_packet(octets[0]);
    d->reads = d->raw = d->place_lost = false;
    d->s->packet_transfer_size = d->s->elementary_transfer_size = 0;
    if ((!packet || !(packet->when & OF_ANY_STATE)) && needs_attention(d))
        return;
    if (octets[0] != REQUEST_SENSE && d->s->sense_key != SENSE_ATTENTION)
        d->s->sense_key = d->s->asc = 0;
    if (!packet)
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_NO_SUCH_COMMAND);
    else if (packet->when & NEEDS_MEDIUM && !ide_cd_is_ready(d))
        ide_packet_fail(d, SENSE_NOT_READY, ASC_NO_MEDIUM);
    else if (packet->obey)
        packet->obey(d, octets);
    else
        ide_packet_done(d);
}
