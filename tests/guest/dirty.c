/*
 * dirty.c: writes to all of some memory as fast as it can, and says how long it had to stand.
 *
 * A word of each page, page after page, again and again; every half second a line: how many pages were written, and the
 * longest time between two of them since the line before ("witness dirty pages=N longest_us=N"). Once all pages have
 * been written, so that the host has given its memory. Each pass checks what the one before has left.
 */
#include "tests/guest/guest.h"

enum { FIRST = 64 << 20, PAGE_SIZE = 4096, LINE_MS = 500 };

static void report(uint64_t pages, uint64_t longest)
{
    put_text("witness dirty");
    put_item("pages", pages);
    put_item("longest_us", scale(longest, 1000, tsc_per_ms()));
    put_text("\n");
}

static volatile uint64_t *word(uint64_t page)
{
    return (volatile uint64_t *)(uintptr_t)(FIRST + page * PAGE_SIZE);
}

void dirty_main(uint64_t mib)
{
    uint64_t pages = mib << 8, done = 0, longest = 0;

    for (uint64_t page = 0; page < pages; page++)
        *word(page) = 0;
    uint64_t last = rdtsc(), line = last + LINE_MS * tsc_per_ms();
    for (uint64_t pass = 0;; pass++)
        for (uint64_t page = 0; page < pages; page++) {
            expect("dirty.word", pass, *word(page));
            *word(page) = pass + 1;
            uint64_t now = rdtsc();
            longest = now - last > longest ? now - last : longest;
            last = now;
            done++;
            if (now < line)
                continue;
            report(done, longest);
            longest = 0;
            last = rdtsc(); /* to say it takes its time */
            line = last + LINE_MS * tsc_per_ms();
        }
}
