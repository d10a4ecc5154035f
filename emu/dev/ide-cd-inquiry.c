/*
 * ide-cd-inquiry.c: what a CD drive tells of itself: who it is, what it can do, how it is, what has happened.
 *
 * Source: SPC-2 (INQUIRY and its pages of vital product data, REQUEST SENSE, MODE SENSE(10)); MMC-3 chapters 5
 * (features) and 6 (GET CONFIGURATION, GET EVENT STATUS NOTIFICATION, mode pages); SFF-8020i; SAT (the
 * names of a unit).
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

/* Blanks behind. */
static void put_text(uint8_t *to, const char *text, size_t room)
{
    memset(to, ' ', room);
    memcpy(to, text, MIN(strlen(text), room));
}

/* --- INQUIRY ---------------------------------------------------------------------------------------------------- */

enum { CD_DEVICE = 5, VERSION = 0x00, REMOVABLE = 0x80, ATAPI_FORMAT = 0x21 };

static void inquiry_standard(IdeDrive *d, size_t room)
{
    static const uint8_t head[] = {CD_DEVICE, REMOVABLE, VERSION, ATAPI_FORMAT, 31, 0, 0, 0};
    uint8_t *reply = d->s->io_buffer;

    memcpy(reply, head, sizeof head);
    put_text(reply + 8, "QEMU", 8);
    put_text(reply + 16, d->model, 16);
    put_text(reply + 32, "2.5+", 4);
    ide_packet_reply(d, 36, room);
}

/* A designator: ASCII, of the unit. Returns where the next comes. */
static uint8_t *designator(uint8_t *to, unsigned type, unsigned len)
{
    to[0] = 2;
    to[1] = (uint8_t)type;
    to[2] = 0;
    to[3] = (uint8_t)len;
    return to + 4;
}

/* Its serial number alone, and as ATA drives are called. */
static size_t page_of_names(const IdeDrive *d, uint8_t *to)
{
    enum { OF_VENDOR = 0, OF_T10 = 1, VENDOR = 8 };
    uint8_t *p = designator(to, OF_VENDOR, IDE_SERIAL);

    put_text(p, d->serial, IDE_SERIAL);
    p = designator(p + IDE_SERIAL, OF_T10, VENDOR + IDE_MODEL + IDE_SERIAL);
    put_text(p, "ATA", VENDOR);
    put_text(p + VENDOR, d->model, IDE_MODEL);
    put_text(p + VENDOR + IDE_MODEL, d->serial, IDE_SERIAL);
    return (size_t)(p + VENDOR + IDE_MODEL + IDE_SERIAL - to);
}

static void inquiry_page(IdeDrive *d, uint8_t page, size_t room)
{
    enum { PAGES = 0x00, NAMES = 0x83 };
    static const uint8_t pages[] = {PAGES, NAMES};
    uint8_t *reply = d->s->io_buffer;
    size_t len;

    switch (page) {
    case PAGES:
        memcpy(reply + 4, pages, sizeof pages);
        len = sizeof pages;
        break;
    case NAMES:
        len = page_of_names(d, reply + 4);
        break;
    default:
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
        return;
    }
    reply[0] = CD_DEVICE;
    reply[1] = page;
    ide_put_be16(reply + 2, (unsigned)len);
    ide_packet_reply(d, 4 + len, room);
}

void ide_cd_inquiry(IdeDrive *d, const uint8_t *packet)
{
    bool of_page = packet[1] & 1;

    if (of_page)
        inquiry_page(d, packet[2], packet[4]);
    else
        inquiry_standard(d, packet[4]);
}

/* --- REQUEST SENSE ---------------------------------------------------------------------------------------------- */

/* Once told it is forgotten. */
void ide_cd_sense(IdeDrive *d, const uint8_t *packet)
{
    uint8_t *reply = d->s->io_buffer;

    memset(reply, 0, 18);
    reply[0] = 0x80 | 0x70; /* valid; of the current command */
    reply[2] = d->s->sense_key;
    reply[7] = 10; /* octets behind this one */
    reply[12] = d->s->asc;
    d->s->sense_key = d->s->asc = 0;
    ide_packet_reply(d, 18, packet[4]);
}

/* --- GET CONFIGURATION ------------------------------------------------------------------------------------------ */

enum { PROFILE_CD = 0x08, PROFILE_DVD = 0x10, FEATURE_DATA = 8, PERSISTENT = 2 };
enum { FEATURE_PROFILES = 0x00, FEATURE_RANDOM_READ = 0x10, FEATURE_CD_READ = 0x1e, FEATURE_DVD_READ = 0x1f };

typedef struct Feature {
    uint16_t code;
    uint8_t flags, len; /* version << 2 and PERSISTENT */
    uint8_t data[FEATURE_DATA];
} Feature;

/* In the order of their codes. */
static const Feature features[] = {
    {FEATURE_PROFILES, PERSISTENT, 8, {0, PROFILE_DVD, 0, 0, 0, PROFILE_CD, 0, 0}},
    {0x01, PERSISTENT, 4, {0, 0, 0, 2}}, /* core: ATAPI */
    {0x02, PERSISTENT, 4, {0}},          /* morphing: events must be asked for */
    {0x03, PERSISTENT, 4, {0x29}},       /* removable medium: a tray that opens, closes and locks */
    {FEATURE_RANDOM_READ, 0, 8, {0, 0, IDE_CD_SECTOR >> 8, 0, 0, 1, 1}},
    {FEATURE_CD_READ, 0, 4, {0}},
    {FEATURE_DVD_READ, 0, 0, {0}},
};

static unsigned current_profile(const IdeDrive *d)
{
    if (!ide_cd_is_ready(d))
        return 0;
    return ide_cd_is_dvd(d) ? PROFILE_DVD : PROFILE_CD;
}

static bool feature_is_current(const IdeDrive *d, const Feature *f)
{
    unsigned profile = current_profile(d);

    if (f->code == FEATURE_CD_READ)
        return profile == PROFILE_CD;
    if (f->code == FEATURE_DVD_READ)
        return profile == PROFILE_DVD;
    return f->flags & PERSISTENT || profile;
}

static size_t put_feature(const IdeDrive *d, const Feature *f, uint8_t *to)
{
    ide_put_be16(to, f->code);
    to[2] = f->flags | (feature_is_current(d, f) ? 1 : 0);
    to[3] = f->len;
    memcpy(to + 4, f->data, f->len);
    if (f->code == FEATURE_PROFILES)
        for (unsigned i = 4; i < 4U + f->len; i += 4)
            to[i + 2] = to[i + 1] == current_profile(d);
    return 4U + f->len;
}

/* RT: all features from that one on; only current ones; only that one. */
void ide_cd_configuration(IdeDrive *d, const uint8_t *packet)
{
    enum { ALL, CURRENT, ONE, RESERVED, HEAD = 8 };
    unsigned which = packet[1] & 3, from = ide_be16(packet + 2);
    uint8_t *reply = d->s->io_buffer;
    size_t len = HEAD;

    if (which == RESERVED) {
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
        return;
    }
    memset(reply, 0, HEAD);
    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        const Feature *f = &features[i];
        bool wanted = which == ONE ? f->code == from : f->code >= from;
        if (wanted && (which != CURRENT || feature_is_current(d, f)))
            len += put_feature(d, f, reply + len);
    }
    ide_put_be32(reply, (uint32_t)len - 4);
    ide_put_be16(reply + 6, current_profile(d));
    ide_packet_reply(d, len, ide_be16(packet + 7));
}

/* --- GET EVENT STATUS NOTIFICATION ------------------------------------------------------------------------------ */

/* The event that is told is over. */
static void put_media_event(IdeDrive *d, uint8_t *to)
{
    enum { NO_CHANGE, EJECT_REQUEST, NEW_MEDIA, TRAY_OPEN = 1, MEDIUM_PRESENT = 2 };

    to[0] = NO_CHANGE;
    if (d->s->new_media) {
        to[0] = NEW_MEDIA;
        d->s->new_media = false;
    } else if (d->s->eject_request) {
        to[0] = EJECT_REQUEST;
        d->s->eject_request = false;
    }
    to[1] = d->s->tray_open ? TRAY_OPEN : d->block ? MEDIUM_PRESENT : 0;
    to[2] = to[3] = 0;
}

/* One class of events is supported, and it is always ready to tell. */
void ide_cd_events(IdeDrive *d, const uint8_t *packet)
{
    enum { POLLED = 1, NONE_AVAILABLE = 0x80, MEDIA = 4, HEAD = 4, EVENT = 4 };
    uint8_t *reply = d->s->io_buffer;
    bool media = packet[4] & 1 << MEDIA;
    size_t len = media ? HEAD + EVENT : HEAD;

    if (!(packet[1] & POLLED)) { /* would have to wait for one */
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
        return;
    }
    ide_put_be16(reply, (unsigned)len - HEAD);
    reply[2] = media ? MEDIA : NONE_AVAILABLE;
    reply[3] = 1 << MEDIA;
    if (media && ide_be16(packet + 7) > HEAD) /* an event that there is no room for is not told */
        put_media_event(d, reply + HEAD);
    ide_packet_reply(d, len, ide_be16(packet + 7));
}

/* --- MODE SENSE ------------------------------------------------------------------------------------------------- */

enum { PAGE_ERRORS = 0x01, PAGE_CAPABILITIES = 0x2a, PAGE_ALL = 0x3f, SPEED = 4 * 176 /* KB/s */, CACHE = 512 };

/* How often a sector is tried. */
static size_t put_page_errors(uint8_t *to)
{
    static const uint8_t page[] = {PAGE_ERRORS, 6, 0, 5, 0, 0, 0, 0};

    memcpy(to, page, sizeof page);
    return sizeof page;
}

/*
 * Reads all kinds of CDs and DVDs, and modes and forms of data; the tray locks and opens. What it says of audio, which
 * is not there, is what QEMU's drive says: a guest that comes from there keeps the drive that it knows.
 */
static size_t put_page_capabilities(const IdeDrive *d, uint8_t *to)
{
    enum { LEN = 20, LOCKED = 2 };

    memset(to, 0, 2 + LEN);
    to[0] = PAGE_CAPABILITIES;
    to[1] = LEN;
    to[2] = 0x3b;
    to[4] = 0x71;
    to[5] = 0x60;
    to[6] = 0x29 | (d->s->tray_locked ? LOCKED : 0);
    ide_put_be16(to + 8, SPEED);
    ide_put_be16(to + 10, 2); /* levels of volume */
    ide_put_be16(to + 12, CACHE);
    ide_put_be16(to + 14, SPEED);
    return 2 + LEN;
}

/* Nothing can be changed, so that the mask of what can be is all zeros but for page and length. */
static size_t put_pages(const IdeDrive *d, uint8_t page, bool mask, uint8_t *to)
{
    uint8_t *p = to;

    for (unsigned i = 0; i < 2; i++) {
        uint8_t code = i ? PAGE_CAPABILITIES : PAGE_ERRORS;
        if (page != code && page != PAGE_ALL)
            continue;
        size_t len = i ? put_page_capabilities(d, p) : put_page_errors(p);
        if (mask)
            memset(p + 2, 0, len - 2);
        p += len;
    }
    return (size_t)(p - to);
}

void ide_cd_mode_sense(IdeDrive *d, const uint8_t *packet)
{
    enum { CHANGEABLE = 1, SAVED = 3, HEAD = 8, NO_TYPE = 0x70 /* of the medium: SFF-8020i */ };
    unsigned control = packet[2] >> 6;
    uint8_t *reply = d->s->io_buffer;
    size_t len;

    if (control == SAVED) {
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_NOT_SAVED);
        return;
    }
    memset(reply, 0, HEAD);
    reply[2] = NO_TYPE;
    len = put_pages(d, packet[2] & PAGE_ALL, control == CHANGEABLE, reply + HEAD);
    if (len == 0) {
        ide_packet_fail(d, SENSE_ILLEGAL, ASC_INVALID_FIELD);
        return;
    }
    ide_put_be16(reply, (unsigned)(HEAD - 2 + len));
    ide_packet_reply(d, HEAD + len, ide_be16(packet + 7));
}
