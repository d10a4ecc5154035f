/* test-linux.c: bzImages made by hand, started by the 64-bit boot protocol as its document has it. */
#include "tests/emu/support/boot-memory.h"

enum { SETUP = 5 * 512, BODY = 0x1000, FILE_SIZE = SETUP + BODY };

/* 2.15, four sectors of setup, 64 bits, may be moved; likes to be at 2 MiB, and needs 64 KiB there. */
static void make_image(uint8_t image[FILE_SIZE])
{
    memset(image, 0, FILE_SIZE);
    image[0x1f1] = 4;
    store(image + 0x1f4, BODY / 16, 4);
    store(image + 0x1fe, 0xaa55, 2);
    store(image + 0x200, 0x6aeb, 2);
    memcpy(image + 0x202, "HdrS", 4);
    store(image + 0x206, 0x020f, 2);
    image[0x211] = 1;
    store(image + 0x22c, 0x7fffffff, 4);
    store(image + 0x230, 0x200000, 4);
    image[0x234] = 1;
    store(image + 0x236, 1, 2);
    store(image + 0x238, 2047, 4);
    store(image + 0x258, 0x200000, 8);
    store(image + 0x260, 0x10000, 4);
    for (unsigned i = 0; i < BODY; i++)
        image[SETUP + i] = (uint8_t)(i * 7);
}

static Guest *linux_new(uint8_t image[FILE_SIZE])
{
    return guest_new(image, FILE_SIZE);
}

Test(boot_linux, it_is_known_by_its_header)
{
    uint8_t image[FILE_SIZE];
    g_autoptr(GBytes) bytes = NULL, other = g_bytes_new("", 0);

    make_image(image);
    bytes = g_bytes_new(image, sizeof(image));
    cr_assert(kernel_is_linux(bytes));
    cr_assert_not(kernel_is_multiboot(bytes));
    cr_assert_not(kernel_is_pvh(bytes));
    cr_assert_not(kernel_is_linux(other));
}

Test(boot_linux, the_processor_is_in_long_mode_at_the_entry_of_64_bits)
{
    uint8_t image[FILE_SIZE];
    g_autoptr(Guest) g = NULL;

    make_image(image);
    g = linux_new(image);
    guest_start(g, kernel_boot_linux);
    cr_assert_eq(g->cpu.rip, 0x200200);
    cr_assert_eq(memcmp(guest_at(g, 0x200000), image + SETUP, BODY), 0);
    cr_assert_eq(g->cpu.cr0, 0x80000011);
    cr_assert_eq(g->cpu.cr4, 0x20);
    cr_assert_eq(g->cpu.efer, 0x500);
    cr_assert_eq(g->cpu.rflags, 2, "interrupts are off");
    cr_assert_eq(g->cpu.segs[CPU_CS].selector, 0x10);
    cr_assert(g->cpu.segs[CPU_CS].flags >> CPU_SEG_L_SHIFT & 1);
    cr_assert_not(g->cpu.segs[CPU_CS].flags >> CPU_SEG_DB_SHIFT & 1);
    cr_assert_eq(g->cpu.segs[CPU_DS].selector, 0x18);
    cr_assert_eq(g->cpu.segs[CPU_SS].selector, 0x18);
    cr_assert(g->cpu.hflags & CPU_HFLAGS_CS64);
    cr_assert_eq(le(guest_at(g, g->cpu.gdt.base + 0x10), 8), UINT64_C(0x00af9b000000ffff));
    cr_assert_eq(le(guest_at(g, g->cpu.gdt.base + 0x18), 8), UINT64_C(0x00cf93000000ffff));
}

/* As a processor walks them. */
Test(boot_linux, the_lowest_4_gib_are_mapped_as_they_are)
{
    uint8_t image[FILE_SIZE];
    g_autoptr(Guest) g = NULL;

    make_image(image);
    g = linux_new(image);
    guest_start(g, kernel_boot_linux);
    for (uint64_t addr = 0; addr < UINT64_C(1) << 32; addr += 1 << 21) {
        uint64_t l4 = le(guest_at(g, g->cpu.cr3), 8);
        uint64_t l3 = le(guest_at(g, (l4 & ~UINT64_C(0xfff)) + (addr >> 30) * 8), 8);
        uint64_t l2 = le(guest_at(g, (l3 & ~UINT64_C(0xfff)) + (addr >> 21 & 511) * 8), 8);
        cr_assert((l4 & 3) == 3 && (l3 & 3) == 3);
        cr_assert_eq(l2, addr | 0x83);
    }
    cr_assert_eq(le(guest_at(g, g->cpu.cr3 + 8), 8), 0);
}

Test(boot_linux, boot_params_have_the_header_the_map_the_command_line_and_the_initrd)
{
    uint8_t image[FILE_SIZE], data[5000];
    g_autoptr(Guest) g = NULL;
    g_autoptr(GBytes) initrd = NULL;
    BootModule module;
    const uint8_t *params;

    memset(data, 0x5a, sizeof(data));
    make_image(image);
    g = linux_new(image);
    initrd = g_bytes_new(data, sizeof(data));
    module = (BootModule){.octets = initrd};
    g->boot.modules = &module;
    g->boot.module_count = 1;
    g->boot.command_line = "console=ttyS0 quiet";
    g->boot.rsdp = 0x9fc10;
    guest_start(g, kernel_boot_linux);
    params = guest_at(g, g->cpu.regs[6]);
    cr_assert_eq(le(params + 0x70, 8), 0x9fc10);
    cr_assert_eq(le(params + 0x206, 2), 0x20f);
    cr_assert_eq(params[0x210], 0xff);
    cr_assert_eq(le(params + 0x214, 4), 0x200000);
    cr_assert_str_eq((const char *)guest_at(g, le(params + 0x228, 4)), "console=ttyS0 quiet");
    cr_assert_eq(le(params + 0x218, 4), (0x7e0000 - 5000) & ~0xfff);
    cr_assert_eq(le(params + 0x21c, 4), 5000);
    cr_assert_eq(memcmp(guest_at(g, le(params + 0x218, 4)), data, sizeof(data)), 0);
    cr_assert_eq(params[0x1e8], 5);
    cr_assert_eq(le(params + 0x2d0 + 40, 8), 0x100000);
    cr_assert_eq(le(params + 0x2d0 + 48, 8), 0x6e0000);
    cr_assert_eq(le(params + 0x2d0 + 56, 4), 1);
    cr_assert_eq(le(params + 0x2d0 + 76, 4), 3);
    cr_assert_eq(params[0x1ef], 0, "the sentinel");
}

Test(boot_linux, the_initrd_stays_below_its_limit)
{
    uint8_t image[FILE_SIZE];
    g_autoptr(Guest) g = NULL;
    g_autoptr(GBytes) initrd = g_bytes_new("initrd", 6);
    BootModule module = {.octets = initrd};

    make_image(image);
    store(image + 0x22c, 0x3fffff, 4);
    g = linux_new(image);
    g->boot.modules = &module;
    g->boot.module_count = 1;
    guest_start(g, kernel_boot_linux);
    cr_assert_eq(le(guest_at(g, g->cpu.regs[6]) + 0x218, 4), 0x3ff000);
}

Test(boot_linux, a_kernel_without_room_where_it_likes_to_be_is_moved)
{
    uint8_t image[FILE_SIZE];
    g_autoptr(Guest) g = NULL;

    make_image(image);
    store(image + 0x258, 0x1000000, 8);
    g = linux_new(image);
    guest_start(g, kernel_boot_linux);
    cr_assert_eq(g->cpu.rip, 0x200200);
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

static void expect_refused(unsigned offset, uint64_t value, unsigned octets, const char *message)
{
    uint8_t image[FILE_SIZE];
    g_autoptr(Guest) g = NULL;

    make_image(image);
    store(image + offset, value, octets);
    g = linux_new(image);
    guest_refused(g, kernel_boot_linux, message);
}

Test(boot_linux, headers_of_another_kind_are_refused)
{
    expect_refused(0x1fe, 0, 2, "kernel: at 0x1fe: boot_flag: 0x0 is not 0xaa55");
    expect_refused(0x202, 0, 4, "kernel: at 0x202: header: 0x0 is not 0x53726448");
    expect_refused(0x206, 0x20b, 2, "kernel: at 0x206: boot protocol: 0x20b is older than 0x20c");
    expect_refused(0x211, 0, 1, "kernel: at 0x211: loadflags: 0x0 is without 0x1");
    expect_refused(0x236, 2, 2, "kernel: at 0x236: xloadflags: 0x2 is without 0x1");
    expect_refused(0x201, 0xff, 1, "kernel: at 0x201: end of the setup header: 0x301 is not from 0x264 to 0x290");
}

Test(boot_linux, what_is_not_in_the_file_or_has_no_room_is_refused)
{
    expect_refused(0x1f1, 64, 1,
                   "kernel: at 0x8200: kernel behind its setup: 0x201 is beyond the end of the file at 0x1a00");
    expect_refused(0x1f4, 0x102, 4,
                   "kernel: at 0xa00: octets of syssize: 0x1011 is beyond the end of the file at 0x1a00");
    expect_refused(0x1f4, 1, 4, "kernel: at 0x1f4: octets of syssize: 0x10 is not above 0x200");
    expect_refused(0x260, 0x800000, 4, "kernel: at 0x260: end in memory: 0xa00000 is beyond its end at 0x7e0000");
    expect_refused(0x258, 0x1000, 8, "kernel: at 0x260: address: 0x1000 is below 0x100000");
}

Test(boot_linux, a_command_line_and_an_initrd_that_are_too_long_are_refused)
{
    uint8_t image[FILE_SIZE];
    g_autoptr(Guest) g = NULL;
    g_autofree char *text = g_strnfill(2048, 'x');
    g_autoptr(GBytes) initrd = g_bytes_new_take(g_malloc0(0x5d0001), 0x5d0001);
    BootModule modules[2] = {{.octets = initrd}, {.octets = initrd}};

    make_image(image);
    g = linux_new(image);
    g->boot.command_line = text;
    guest_refused(g, kernel_boot_linux, "kernel: at 0x238: command line's length: 0x800 is more than 0x7ff");
    g->boot.command_line = NULL;
    g->boot.modules = modules;
    g->boot.module_count = 1;
    guest_refused(g, kernel_boot_linux, "initrd: at 0x0: octets: 0x5d0001 is more than there are below 0x7e0000");
    g->boot.module_count = 2;
    guest_refused(g, kernel_boot_linux, "initrd: at 0x0: number: 0x2 is more than 0x1");
}

Test(boot_linux, a_kernel_with_changed_octets_does_no_harm)
{
    uint8_t image[FILE_SIZE];

    make_image(image);
    guest_abuse(image, FILE_SIZE, 0x270, kernel_boot_linux);
}
