/*
 * ide-atapi.c: a CD or DVD drive: packets, and what they ask for.
 *
 * Source: ATA/ATAPI-6 (T13/1410D) section 8.24 (PACKET) and 9.7, 9.8 (protocols); SFF-8020i; MMC-3 chapters 5 and 6;
 * SPC-2 for INQUIRY, REQUEST SENSE and the like.
 * The medium is one track of data, of sectors of 2048 octets; one above 80 minutes is a DVD of one layer or two.
 *
 * So far every packet is refused. Not modelled: audio, raw sectors other than with the header of mode 1 (READ CD),
 * writing, more than one session, copy protection, the speed.
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

enum { REASON_COMMAND = 1, REASON_TO_HOST = 2 }; /* of an interrupt: in the count register */

void ide_packet_done(IdeDrive *d)
{
    d->s->nsector = REASON_COMMAND | REASON_TO_HOST;
    ide_succeed(d);
}

void ide_packet_fail(IdeDrive *d, uint8_t key, uint8_t asc)
{
    d->s->sense_key = key;
    d->s->asc = asc;
    d->s->nsector = REASON_COMMAND | REASON_TO_HOST;
    ide_fail(d, (uint8_t)(key << 4 | (key ? ERROR_ABORTED : 0)));
}

void ide_packet_next(IdeDrive *d)
{
    ide_packet_done(d);
}

void ide_packet_arrived(IdeDrive *d)
{
    ide_packet_fail(d, 5, 0x20);
}
