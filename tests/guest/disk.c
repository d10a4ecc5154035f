/*
 * disk.c: what is written to a disk: each sector has the disk's name, its own number, its generation, numbers made of
 * these and a CRC, so that one that is lost, stale, torn or misplaced is told from any other.
 */
#include "tests/guest/guest.h"

enum { FIRST_SECTOR = 64, WORDS = SECTOR / 8 };

static uint64_t name_of(const Disk *disk)
{
    uint64_t name = 0;

    for (const char *at = disk->name; *at; at++)
        name = name << 8 | (uint8_t)*at;
    return name;
}

uint64_t disk_sector(unsigned block)
{
    return FIRST_SECTOR + (uint64_t)block * BLOCK_SECTORS;
}

void disk_fill(const Disk *disk, unsigned block, uint32_t generation, void *data)
{
    uint64_t *word = data;

    for (unsigned s = 0; s < BLOCK_SECTORS; s++, word += WORDS) {
        uint64_t sector = disk_sector(block) + s,
                 state = sector * 0x10001 + generation * UINT64_C(0x9e3779b97f4a7c15) + 1;
        word[0] = name_of(disk);
        word[1] = sector;
        word[2] = generation;
        for (unsigned i = 3; i < WORDS - 1; i++)
            word[i] = xorshift(&state);
        word[WORDS - 1] = crc32_of(word, SECTOR - 8, 0);
    }
}

void disk_verify(const Disk *disk, unsigned block, uint32_t generation, const void *data)
{
    const uint64_t *word = data;

    for (unsigned s = 0; s < BLOCK_SECTORS; s++, word += WORDS) {
        expect("disk.name", name_of(disk), word[0]);
        expect("disk.sector", disk_sector(block) + s, word[1]);
        expect("disk.generation", generation, word[2]);
        expect("disk.crc", word[WORDS - 1], crc32_of(word, SECTOR - 8, 0));
    }
}

/* One that is not in `busy`; the same numbers each time the payload runs. */
unsigned disk_choose(Disk *disk, uint64_t busy)
{
    unsigned block;

    if (!disk->random)
        disk->random = 0x2545f4914f6cdd1d;
    do
        block = xorshift(&disk->random) % DISK_BLOCKS;
    while (busy >> block & 1);
    return block;
}
