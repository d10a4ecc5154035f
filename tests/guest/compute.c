/*
 * compute.c: a working set that is written anew in each pass, with what was written before verified on the way; the
 * registers of x87 and SSE, which no code here uses otherwise.
 *
 * Sources: Intel SDM volume 1, chapters 8, 10. CRC-32 as in IEEE 802.3, 3.2.9.
 */
#include "tests/guest/guest.h"

enum { PAGE_WORDS = 512, SIGNED = 2 };

uint32_t crc32_of(const void *data, size_t size, uint32_t crc)
{
    static uint32_t table[256];
    const uint8_t *d = data;

    if (!table[1]) { /* both processors may make it: they write the same */
        for (unsigned i = 0; i < 256; i++) {
            uint32_t r = i;
            for (unsigned bit = 0; bit < 8; bit++)
                r = r >> 1 ^ (r & 1 ? 0xedb88320 : 0);
            *(volatile uint32_t *)&table[i] = r;
        }
    }
    crc = ~crc;
    while (size--)
        crc = table[(crc ^ *d++) & 0xff] ^ crc >> 8;
    return ~crc;
}

/* Each page: numbers from its own seed, then their sum and their CRC. */
static uint64_t write_page(uint64_t *page, uint64_t seed)
{
    uint64_t state = seed | 1, sum = seed;

    for (unsigned i = 0; i < PAGE_WORDS - SIGNED; i++) {
        page[i] = xorshift(&state);
        sum = (sum << 7 | sum >> 57) + page[i];
    }
    page[PAGE_WORDS - 2] = sum;
    page[PAGE_WORDS - 1] = crc32_of(page, 64, seed);
    return sum;
}

static void verify_page(const Work *work, size_t at, uint64_t seed)
{
    const uint64_t *page = work->set + at;
    uint64_t state = seed | 1, sum = seed;

    for (unsigned i = 0; i < PAGE_WORDS - SIGNED; i++) {
        uint64_t want = xorshift(&state);
        if (page[i] != want)
            fail(work->name, want, page[i]);
        sum = (sum << 7 | sum >> 57) + page[i];
    }
    expect(work->name, sum, page[PAGE_WORDS - 2]);
    expect(work->name, crc32_of(page, 64, seed), page[PAGE_WORDS - 1]);
}

static uint64_t page_seed(const Work *work, size_t at, uint64_t pass)
{
    return (work->seed + at) * UINT64_C(0x9e3779b97f4a7c15) ^ pass * UINT64_C(0xd1342543de82ef95);
}

static void write_all(Work *work, bool verify)
{
    uint64_t sum = 0;

    for (size_t at = 0; at < work->words; at += PAGE_WORDS) {
        if (verify)
            verify_page(work, at, page_seed(work, at, work->passes));
        sum += write_page(work->set + at, page_seed(work, at, work->passes + 1));
    }
    work->passes++;
    work->sum = work->sum * 31 + sum;
}

void work_init(Work *work, const char *name, uint64_t *set, size_t words, uint64_t seed)
{
    *work = (Work){.name = name, .set = set, .words = words, .seed = seed};
    write_all(work, false);
}

void work_round(Work *work)
{
    write_all(work, true);
}

/*
 * Numbers are put into the registers and stay there for a while, in which interrupts come and the machine may be moved.
 */
void registers_round(uint64_t seed)
{
    uint64_t in[16][2], out[16][2], x87_in[8], x87_out[8], state = seed | 1, end = rdtsc() + tsc_per_ms() * 2;
    uint32_t mxcsr = 0x1f80 | (seed & 3) << 13, mxcsr_out;
    uint16_t control = 0x037f & ~((seed & 3) << 10), control_out;

    for (unsigned i = 0; i < 16; i++)
        in[i][0] = xorshift(&state), in[i][1] = xorshift(&state);
    for (unsigned i = 0; i < 8; i++)
        x87_in[i] = xorshift(&state) >> 1; /* below 2^63: integers of fild, exact in 64 bits */
    __asm__ volatile("fninit; fldcw %[control]; ldmxcsr %[mxcsr];"
                     "fildq 56(%[x87]); fildq 48(%[x87]); fildq 40(%[x87]); fildq 32(%[x87]);"
                     "fildq 24(%[x87]); fildq 16(%[x87]); fildq 8(%[x87]); fildq (%[x87]);"
                     "movups (%[in]), %%xmm0; movups 16(%[in]), %%xmm1; movups 32(%[in]), %%xmm2;"
                     "movups 48(%[in]), %%xmm3; movups 64(%[in]), %%xmm4; movups 80(%[in]), %%xmm5;"
                     "movups 96(%[in]), %%xmm6; movups 112(%[in]), %%xmm7; movups 128(%[in]), %%xmm8;"
                     "movups 144(%[in]), %%xmm9; movups 160(%[in]), %%xmm10; movups 176(%[in]), %%xmm11;"
                     "movups 192(%[in]), %%xmm12; movups 208(%[in]), %%xmm13; movups 224(%[in]), %%xmm14;"
                     "movups 240(%[in]), %%xmm15;"
                     :
                     : [in] "r"(in), [x87] "r"(x87_in), [control] "m"(control), [mxcsr] "m"(mxcsr)
                     : "memory");
    while (rdtsc() < end)
        pause();
    __asm__ volatile("movups %%xmm0, (%[out]); movups %%xmm1, 16(%[out]); movups %%xmm2, 32(%[out]);"
                     "movups %%xmm3, 48(%[out]); movups %%xmm4, 64(%[out]); movups %%xmm5, 80(%[out]);"
                     "movups %%xmm6, 96(%[out]); movups %%xmm7, 112(%[out]); movups %%xmm8, 128(%[out]);"
                     "movups %%xmm9, 144(%[out]); movups %%xmm10, 160(%[out]); movups %%xmm11, 176(%[out]);"
                     "movups %%xmm12, 192(%[out]); movups %%xmm13, 208(%[out]); movups %%xmm14, 224(%[out]);"
                     "movups %%xmm15, 240(%[out]); stmxcsr %[mxcsr]; fnstcw %[control];"
                     "fistpq (%[x87]); fistpq 8(%[x87]); fistpq 16(%[x87]); fistpq 24(%[x87]);"
                     "fistpq 32(%[x87]); fistpq 40(%[x87]); fistpq 48(%[x87]); fistpq 56(%[x87]);"
                     : [control] "=m"(control_out), [mxcsr] "=m"(mxcsr_out)
                     : [out] "r"(out), [x87] "r"(x87_out)
                     : "memory");
    expect("registers.mxcsr", mxcsr, mxcsr_out);
    expect("registers.x87-control", control, control_out);
    for (unsigned i = 0; i < 8; i++)
        expect("registers.x87", x87_in[i], x87_out[i]);
    for (unsigned i = 0; i < 16; i++) {
        expect("registers.xmm", in[i][0], out[i][0]);
        expect("registers.xmm", in[i][1], out[i][1]);
    }
}
