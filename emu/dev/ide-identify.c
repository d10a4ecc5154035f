/*
 * ide-identify.c: what a drive says of itself.
 *
 * Source: ATA/ATAPI-6 (T13/1410D) sections 8.15 (IDENTIFY DEVICE) and 8.16 (IDENTIFY PACKET DEVICE); ACS-2 for words
 * 69, 106 and 169. Values are those of QEMU's drives, as its recorded state has them, so that a guest that goes from
 * one to the other keeps the drive that it knows.
 *
 * Not modelled: a geometry that is guessed from a partition table.
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

enum { HEADS = 16, SECTORS = 63, CYLINDERS_MIN = 2, CYLINDERS_MAX = 16383 };

enum {
    WORD_SERIAL = 10,
    WORD_FIRMWARE = 23,
    WORD_MODEL = 27,
    WORD_CURRENT_CYLINDERS = 54,
    WORD_CURRENT_HEADS = 55,
    WORD_CURRENT_SECTORS = 56,
    WORD_CURRENT_CAPACITY = 57, /* and 58 */
    WORD_SECTORS_28 = 60,
    WORD_SECTORS_48 = 100,
    WORD_FEATURES_ON = 85,
    WRITE_CACHE_ON = 1 << 5,
};

typedef struct IdentifyWord {
    uint8_t word;
    uint16_t value;
} IdentifyWord;

uint16_t ide_identify_get(const IdeDrive *d, unsigned word)
{
    const uint8_t *p = d->s->identify_data + 2 * word;

    return (uint16_t)(p[0] | p[1] << 8);
}

void ide_identify_put(IdeDrive *d, unsigned word, uint16_t value)
{
    d->s->identify_data[2 * word] = (uint8_t)value;
    d->s->identify_data[2 * word + 1] = (uint8_t)(value >> 8);
}

/* The first character is in the upper half of a word; blanks behind. */
static void put_text(IdeDrive *d, unsigned word, const char *text, unsigned room)
{
    uint8_t *to = d->s->identify_data + 2 * word;
    size_t len = strlen(text);

    for (unsigned i = 0; i < room; i++)
        to[i ^ 1] = (uint8_t)(i < len ? text[i] : ' ');
}

static void put_words(IdeDrive *d, const IdentifyWord *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ide_identify_put(d, words[i].word, words[i].value);
    put_text(d, WORD_SERIAL, d->serial, IDE_SERIAL);
    put_text(d, WORD_FIRMWARE, "2.5+", 8);
    put_text(d, WORD_MODEL, d->model, IDE_MODEL);
}

/* --- geometry --------------------------------------------------------------------------------------------------- */

void ide_geometry(const IdeDrive *d, unsigned *heads, unsigned *sectors)
{
    *heads = HEADS;
    *sectors = SECTORS;
    if (d->kind == IDE_DISK && d->s->identify_set) {
        unsigned h = ide_identify_get(d, WORD_CURRENT_HEADS), s = ide_identify_get(d, WORD_CURRENT_SECTORS);
        if (h >= 1 && h <= 16 && s >= 1 && s <= 255) {
            *heads = h;
            *sectors = s;
        }
    }
}

void ide_identify_put_geometry(IdeDrive *d, unsigned heads, unsigned sectors)
{
    uint64_t cylinders = CLAMP(ide_sectors(d) / (heads * sectors), CYLINDERS_MIN, CYLINDERS_MAX);
    uint64_t capacity = cylinders * heads * sectors;

    ide_identify_put(d, WORD_CURRENT_CYLINDERS, (uint16_t)cylinders);
    ide_identify_put(d, WORD_CURRENT_HEADS, (uint16_t)heads);
    ide_identify_put(d, WORD_CURRENT_SECTORS, (uint16_t)sectors);
    ide_identify_put(d, WORD_CURRENT_CAPACITY, (uint16_t)capacity);
    ide_identify_put(d, WORD_CURRENT_CAPACITY + 1, (uint16_t)(capacity >> 16));
}

/* --- drives ----------------------------------------------------------------------------------------------------- */

static void identify_disk(IdeDrive *d)
{
    static const IdentifyWord words[] = {
        {0, 0x0040}, /* not removable */
        {3, HEADS},      {4, SECTORS * IDE_SECTOR},
        {5, IDE_SECTOR}, {6, SECTORS},
        {20, 3},         {21, 512}, /* cache, in sectors */
        {22, 4},         {47, 0x8000 | IDE_MULTIPLE},
        {48, 1},      /* 32 bits at a time */
        {49, 0x0b00}, /* IORDY, LBA, DMA */
        {51, 0x0200},    {52, 0x0200},
        {53, 0x0007},                  /* words 54 to 58, 64 to 70 and 88 count */
        {62, 0x0007},    {63, 0x0007}, /* multi-word DMA 0 to 2 */
        {64, 0x0003},                  /* PIO 3 and 4 */
        {65, 120},       {66, 120},
        {67, 120},       {68, 120},
        {69, 1 << 14},                 /* what is trimmed reads as the same each time */
        {80, 0x00f0},                  /* ATA-4 to ATA-7 */
        {81, 0x0016},    {82, 0x4021}, /* NOP, write cache, SMART */
        {83, 0x7400},                  /* FLUSH CACHE (EXT), 48 bits */
        {84, 0x4000},    {WORD_FEATURES_ON, 0x4001 | WRITE_CACHE_ON},
        {86, 0x3400},    {87, 0x4000},
        {88, 0x203f},  /* Ultra DMA 0 to 5, 5 is chosen */
        {93, 0x6001},  /* result of the hardware reset */
        {106, 0x6000}, /* sectors of 512 octets */
        {169, 1},      /* TRIM */
    };
    uint64_t total = ide_sectors(d);
    uint32_t total_28 = (uint32_t)MIN(total, IDE_LBA28_MAX);

    put_words(d, words, G_N_ELEMENTS(words));
    ide_identify_put_geometry(d, HEADS, SECTORS);
    ide_identify_put(d, 1, ide_identify_get(d, WORD_CURRENT_CYLINDERS));
    ide_identify_put(d, 59, (uint16_t)(d->s->mult_sectors ? 0x100 | (uint8_t)d->s->mult_sectors : 0));
    for (unsigned i = 0; i < 2; i++)
        ide_identify_put(d, WORD_SECTORS_28 + i, (uint16_t)(total_28 >> 16 * i));
    for (unsigned i = 0; i < 4; i++)
        ide_identify_put(d, WORD_SECTORS_48 + i, (uint16_t)(total >> 16 * i));
}

static void identify_cd(IdeDrive *d)
{
    static const IdentifyWord words[] = {
        {0, 0x85c0}, /* packets of 12 octets, DRQ within 50 us, removable, CD */
        {20, 3},      {21, 512},    {22, 4},      {48, 1},      {49, 0x0300}, /* LBA, DMA */
        {53, 0x0007}, {62, 0x0007}, {63, 0x0007}, {64, 0x0003}, {65, 180},
        {66, 180},    {67, 300},    {68, 180},    {71, 30}, /* ns from the packet to the release of the bus */
        {72, 30},     {80, 0x001e},                         /* ATA-1 to ATA/ATAPI-4 */
        {88, 0x203f},
    };

    put_words(d, words, G_N_ELEMENTS(words));
}

void ide_identify(IdeDrive *d)
{
    if (d->s->identify_set)
        return;
    memset(d->s->identify_data, 0, sizeof d->s->identify_data);
    if (d->kind == IDE_CD)
        identify_cd(d);
    else
        identify_disk(d);
    d->s->identify_set = 1;
}

bool ide_write_cache_on(const IdeDrive *d)
{
    return !d->s->identify_set || ide_identify_get(d, WORD_FEATURES_ON) & WRITE_CACHE_ON;
}
