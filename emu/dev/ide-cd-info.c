/*
 * ide-cd-info.c: what a CD drive tells of the disc in it.
 *
 * Source: MMC-3 chapter 6 (READ CAPACITY, READ TOC/PMA/ATIP, READ DISC INFORMATION, READ DVD STRUCTURE, MECHANISM
 * STATUS).
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

enum { MSF = 2, TRACK_OF_DATA = 0x14, TRACK_TO_COPY = 0x16, LEAD_OUT = 0xaa, SESSION = 1 };

void ide_cd_capacity(IdeDrive *d, const uint8_t *packet)
{
    (void)packet;
    ide_put_be32(d->s->io_buffer, MAX(ide_cd_sectors(d), 1) - 1);
    ide_put_be32(d->s->io_buffer + 4, IDE_CD_SECTOR);
    ide_packet_reply(d, 8, 8);
}

/* --- the table of contents -------------------------------------------------------------------------------------- */

static void put_address(uint8_t *to, bool msf, uint32_t sector)
{
    to[0] = 0;
    if (msf)
        ide_cd_put_msf(to + 1, sector);
    else
        ide_put_be32(to, sector);
}

static uint8_t *put_track(uint8_t *to, uint8_t track, bool msf, uint32_t sector)
{
    const uint8_t head[] = {0, track == LEAD_OUT ? TRACK_TO_COPY : TRACK_OF_DATA, track, 0};

    memcpy(to, head, sizeof head);
    put_address(to + sizeof head, msf, sector);
    return to + 8;
}

/* The header's length is without itself. */
static void reply_toc(IdeDrive *d, const uint8_t *end, size_t room)
{
    uint8_t *toc = d->s->io_buffer;
    size_t len = (size_t)(end - toc);

    ide_put_be16(toc, (unsigned)len - 2);
    toc[2] = toc[3] = 1; /* first and last track, or session */
    ide_packet_reply(d, len, room);
}

/* Format 0: from that track on; of one track and the lead-out. */
static void toc_of_tracks(IdeDrive *d, const uint8_t *packet, size_t room)
{
    uint8_t *to = d->s->io_buffer + 4, from = packet[6];
    bool msf = packet[1] & MSF;

    if (from > 1 && from != LEAD_OUT) {
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
        return;
    }
    if (from <= 1)
        to = put_track(to, 1, msf, 0);
    reply_toc(d, put_track(to, LEAD_OUT, msf, ide_cd_sectors(d)), room);
}

/* Format 2: as in the lead-in, always in minutes. */
static void toc_of_lead_in(IdeDrive *d, size_t room)
{
    static const uint8_t points[] = {0xa0, 0xa1, 0xa2, 1}; /* first track, last track, lead-out, track 1 */
    uint8_t *to = d->s->io_buffer + 4;

    for (size_t i = 0; i < sizeof points; i++, to += 11) {
        memset(to, 0, 11);
        to[0] = SESSION;
        to[1] = TRACK_OF_DATA;
        to[3] = points[i];
        if (i < 2)
            to[8] = 1;
        else
            ide_cd_put_msf(to + 8, i == 2 ? ide_cd_sectors(d) : 0);
    }
    reply_toc(d, to, room);
}

/* The format was in the last octet of packets before it had a place of its own (SFF-8020i). */
void ide_cd_toc(IdeDrive *d, const uint8_t *packet)
{
    unsigned format = packet[2] & 0x0f ? packet[2] & 0x0f : packet[9] >> 6;
    size_t room = ide_be16(packet + 7);

    if (format == 0)
        toc_of_tracks(d, packet, room);
    else if (format == 1) /* where the last session begins */
        reply_toc(d, put_track(d->s->io_buffer + 4, 1, packet[1] & MSF, 0), room);
    else if (format == 2)
        toc_of_lead_in(d, room);
    else
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
}

/* --- the disc --------------------------------------------------------------------------------------------------- */

/* Complete, one session, one track, to be used by anybody. */
void ide_cd_disc(IdeDrive *d, const uint8_t *packet)
{
    static const uint8_t info[] = {0, 32, 0x0e, 1, 1, 1, 1, 0x20};

    if (packet[1] & 7) { /* of resources for writing */
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
        return;
    }
    memset(d->s->io_buffer, 0, 34);
    memcpy(d->s->io_buffer, info, sizeof info);
    ide_packet_reply(d, 34, ide_be16(packet + 7));
}

/* One slot, without a changer. */
void ide_cd_mechanism(IdeDrive *d, const uint8_t *packet)
{
    uint8_t *status = d->s->io_buffer;

    memset(status, 0, 8);
    status[1] = d->s->tray_open ? 0x10 : 0;
    status[5] = 1;
    ide_packet_reply(d, 8, ide_be16(packet + 8));
}

/* --- a DVD ------------------------------------------------------------------------------------------------------ */

enum { DVD_FIRST = 0x30000, DVD_LAYER = 2295104 /* sectors that one has */, DVD_HEAD = 4, DVD_DATA = 2048 };

/* On two layers the second goes back from the end of the first. */
static size_t dvd_physical(const IdeDrive *d, uint8_t *to)
{
    uint32_t total = ide_cd_sectors(d);
    bool two = total > DVD_LAYER;

    to[0] = 0x01; /* DVD-ROM, version 1 */
    to[1] = 0x0f; /* 120 mm, of any rate */
    to[2] = two ? 0x31 : 0x01;
    ide_put_be32(to + 4, DVD_FIRST);
    ide_put_be32(to + 8, DVD_FIRST + total - 1);
    ide_put_be32(to + 12, two ? DVD_FIRST + (total + 1) / 2 - 1 : 0);
    return DVD_DATA;
}

/* What can be asked for: the code, whether it can be read, and its length. */
static size_t dvd_list(uint8_t *to)
{
    static const uint8_t list[] = {
        0x00, 0x40, 0x08, 0x04, 0x01, 0x40, 0x00, 0x08, 0x04, 0x40, 0x08, 0x04, 0xff, 0x40, 0x00, 0x14,
    };

    memcpy(to, list, sizeof list);
    return sizeof list;
}

void ide_cd_dvd_structure(IdeDrive *d, const uint8_t *packet)
{
    enum { PHYSICAL = 0x00, COPYRIGHT = 0x01, MANUFACTURER = 0x04, LIST = 0xff };
    unsigned media = packet[1] & 0x0f, layer = packet[6], format = packet[7];
    uint8_t *reply = d->s->io_buffer, *data = reply + DVD_HEAD;
    size_t len = 0;

    if (!ide_cd_is_dvd(d)) {
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INCOMPATIBLE_MEDIUM);
        return;
    }
    memset(reply, 0, DVD_HEAD + DVD_DATA);
    if (media == 0 && layer <= (ide_cd_sectors(d) > DVD_LAYER)) {
        if (format == PHYSICAL)
            len = dvd_physical(d, data);
        else if (format == COPYRIGHT) /* not protected, for all regions */
            len = 4;
        else if (format == MANUFACTURER)
            len = DVD_DATA;
        else if (format == LIST)
            len = dvd_list(data);
    }
    if (len == 0) {
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
        return;
    }
    ide_put_be16(reply, (unsigned)(DVD_HEAD - 2 + len));
    ide_packet_reply(d, DVD_HEAD + len, ide_be16(packet + 8));
}
