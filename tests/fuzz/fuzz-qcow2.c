/*
 * fuzz-qcow2.c: a qcow2 image that somebody else has made: opened, mapped, read, checked; repaired, and written to.
 *
 * The input is the image up to its last octet that is not zero; the first two octets say how many sectors the file has.
 * Most of an image is data, where nothing is to be found: so the mutator knows where its tables are. Time is that of
 * the processor, since others may want it, too.
 */
#include <time.h>

#include "tests/fuzz/support/fuzz.h"
#include "tests/qcow2/support/exercise.h"
#include "visitors/bytes.h"

enum { LONGEST = 1 << 20, FIRST = 2, HEADER = 104, SECONDS = 3 };

static double processor_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    Exercise x = {.broken = fuzz_broken};

    if (len < FIRST)
        return 0;
    size_t length = MIN(LONGEST, (size_t)(data[0] << 8 | data[1]) * 512);
    length = MAX(length, len - FIRST);
    g_autofree uint8_t *image = g_malloc0(length + 1);
    memcpy(image, data + FIRST, len - FIRST);
    double before = processor_seconds();
    exercise_image(&x, image, length);
    fuzz_check(processor_seconds() - before < SECONDS, "it takes more than %d s", SECONDS);
    return 0;
}

/* --- mutations ---------------------------------------------------------------------------------------------------- */

typedef struct Mutation {
    uint8_t *image;
    size_t len, most;
    unsigned bits; /* of a cluster */
    GRand *random;
} Mutation;

static unsigned any(Mutation *m, unsigned end)
{
    return g_rand_int(m->random) % end;
}

/* Zeros at the end are not in the input. */
static uint64_t number_at(const Mutation *m, uint64_t at)
{
    return at + 8 <= m->len ? load_be64(m->image + at) & UINT64_C(0x00fffffffffffe00) : 0;
}

/* A field of the header, an entry of a table, a count, a field of the snapshot table. */
static uint64_t place(Mutation *m, unsigned *size)
{
    static const uint8_t fields[] = {8, 16, 20, 24, 36, 40, 48, 56, 60, 64, 72, 80, 88, 96, 100, 104, 108, 112};
    uint64_t l1 = number_at(m, 40), table = number_at(m, 48),
             entry = any(m, 2) ? any(m, 4) : any(m, 1u << (m->bits - 3));

    *size = 8;
    switch (any(m, 6)) {
    case 0:
        *size = 4;
        return fields[any(m, sizeof fields)] + 4 * any(m, 2);
    case 1:
        return l1 + 8 * entry;
    case 2:
        return table + 8 * entry;
    case 3:
        return number_at(m, l1 + 8 * any(m, 4)) + 8 * entry;
    case 4:
        *size = 2;
        return number_at(m, table + 8 * any(m, 2)) + 2 * entry;
    default:
        *size = 1u << any(m, 4);
        return number_at(m, 64) + *size * any(m, 160 / *size);
    }
}

/* Clusters of the file and just behind it, with flags; and what is hard to guess. */
static uint64_t value(Mutation *m, uint64_t old)
{
    static const uint64_t flags[] = {0, UINT64_C(1) << 63, UINT64_C(1) << 62, 1, UINT64_C(1) << 63 | 1, 512};
    uint64_t clusters = (m->len >> m->bits) + 3;

    switch (any(m, 6)) {
    case 0:
        return old ^ UINT64_C(1) << any(m, 64);
    case 1:
        return old + any(m, 5) - 2;
    case 2:
        return any(m, 2) ? 0 : UINT64_MAX >> any(m, 64);
    default:
        return (uint64_t)any(m, (unsigned)clusters) << m->bits | flags[any(m, G_N_ELEMENTS(flags))];
    }
}

static bool mutate(Mutation *m)
{
    unsigned size;
    uint64_t at = place(m, &size), old = 0;

    if (at > m->most || m->most - at < 8)
        return false;
    if (at + 8 > m->len) {
        memset(m->image + m->len, 0, at + 8 - m->len);
        m->len = at + 8;
    }
    for (unsigned i = 0; i < size; i++)
        old = old << 8 | m->image[at + i];
    uint64_t new = value(m, old);
    for (unsigned i = size; i-- > 0; new >>= 8)
        m->image[at + i] = (uint8_t) new;
    return true;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t most, unsigned seed)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    Mutation m = {.random = random};
    bool done = false;

    if (len < FIRST + HEADER || most < FIRST + HEADER || any(&m, 4) == 0)
        return LLVMFuzzerMutate(data, len, most);
    m.image = data + FIRST;
    m.len = len - FIRST;
    m.most = most - FIRST;
    m.bits = CLAMP(load_be32(m.image + 20), 9, 16);
    for (unsigned n = 1 + any(&m, 4); n > 0; n--)
        done |= mutate(&m);
    if (!done)
        return LLVMFuzzerMutate(data, len, most);
    while (m.len > HEADER && m.image[m.len - 1] == 0)
        m.len--;
    return m.len + FIRST;
}
