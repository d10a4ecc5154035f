/* boot-memory.h: memory of a guest that a kernel is put into, with a map of it. */
#ifndef TESTS_EMU_BOOT_MEMORY_H
#define TESTS_EMU_BOOT_MEMORY_H

#include <criterion/criterion.h>
#include <string.h>

#include "emu/boot/kernel.h"

enum { GUEST_SIZE = 8 << 20 };

typedef struct Guest {
    uint8_t *memory;
    E820Entry map[E820_ENTRIES];
    BootKernel boot;
    CpuState cpu;
} Guest;

static inline void store(uint8_t *at, uint64_t value, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++)
        at[i] = (uint8_t)(value >> i * 8);
}

static inline uint64_t le(const uint8_t *at, unsigned octets)
{
    uint64_t value = 0;

    while (octets--)
        value = value << 8 | at[octets];
    return value;
}

/* The last 128 KiB are for ACPI. The rest is not zeros, as what a kernel is told must be. */
static inline Guest *guest_new(const void *kernel, size_t len)
{
    Guest *g = g_new0(Guest, 1);
    BootPc pc = {.below_4g = GUEST_SIZE, .cpus = 1, .max_cpus = 1};

    g->memory = g_malloc(GUEST_SIZE);
    memset(g->memory, 0xee, GUEST_SIZE);
    g->boot = (BootKernel){.kernel = g_bytes_new(kernel, len),
                           .map = g->map,
                           .map_count = e820_for_kernel(&pc, 0x20000, g->map),
                           .memory = g->memory,
                           .size = GUEST_SIZE - 0x20000};
    return g;
}

static inline void guest_free(Guest *g)
{
    g_bytes_unref(g->boot.kernel);
    g_free(g->memory);
    g_free(g);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Guest, guest_free)

typedef bool GuestBoot(const BootKernel *boot, CpuState *cpu, GError **error);

static inline void guest_start(Guest *g, GuestBoot *start)
{
    g_autoptr(GError) error = NULL;

    cr_assert(start(&g->boot, &g->cpu, &error), "%s", error ? error->message : "");
}

static inline void guest_refused(Guest *g, GuestBoot *start, const char *message)
{
    g_autoptr(GError) error = NULL;
    const CpuState before = g->cpu;

    cr_assert(!start(&g->boot, &g->cpu, &error), "%s", message);
    cr_assert_str_eq(error->message, message);
    cr_assert_eq(memcmp(&before, &g->cpu, sizeof(before)), 0);
}

/* What begins at `addr` in the guest. */
static inline const uint8_t *guest_at(const Guest *g, uint64_t addr)
{
    cr_assert_lt(addr, GUEST_SIZE);
    return g->memory + addr;
}

/* Octets changed at random: any may be refused, and none may do harm. */
static inline void guest_abuse(const void *kernel, size_t len, size_t header, GuestBoot *start)
{
    for (unsigned seed = 0; seed < 3000; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autofree uint8_t *copy = g_memdup2(kernel, len);
        g_autoptr(Guest) g = NULL;
        for (int n = g_rand_int_range(rand, 1, 5); n > 0; n--)
            copy[g_rand_int_range(rand, 0, (gint32)header)] = (uint8_t)g_rand_int(rand);
        g = guest_new(copy, seed % 8 ? len : (size_t)g_rand_int_range(rand, 0, (gint32)len));
        start(&g->boot, &g->cpu, NULL);
    }
}

#endif
