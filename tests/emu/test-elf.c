/* test-elf.c: kernels in ELF files or with addresses in a header, started by PVH and by multiboot. */
#include "tests/emu/support/boot-memory.h"

enum { SIZE = 0x1000, NOTE_AT = 0x200, CODE_AT = 0x400, CODE_SIZE = 0x300, IN_MEMORY = 0x500 };

/* 64 bits: a part at 2 MiB, and Xen's note after one of somebody else's. */
static void make_elf64(uint8_t elf[SIZE])
{
    memset(elf, 0, SIZE);
    memcpy(elf, "\177ELF\2\1\1", 7);
    store(elf + 18, 62, 2);
    store(elf + 24, 0x1000000, 8); /* the entry of 64 bits, which PVH does not use */
    store(elf + 32, 64, 8);
    store(elf + 54, 56, 2);
    store(elf + 56, 2, 2);
    store(elf + 64, 1, 4); /* to be loaded */
    store(elf + 72, CODE_AT, 8);
    store(elf + 80, UINT64_C(0xffffffff80200000), 8);
    store(elf + 88, 0x200000, 8);
    store(elf + 96, CODE_SIZE, 8);
    store(elf + 104, IN_MEMORY, 8);
    store(elf + 120, 4, 4); /* notes */
    store(elf + 128, NOTE_AT, 8);
    store(elf + 152, 40, 8);
    store(elf + 168, 4, 8);
    store(elf + NOTE_AT, 4, 4);
    store(elf + NOTE_AT + 4, 3, 4);
    store(elf + NOTE_AT + 8, 18, 4);
    memcpy(elf + NOTE_AT + 12, "GNU\0abc", 7);
    store(elf + NOTE_AT + 20, 4, 4);
    store(elf + NOTE_AT + 24, 4, 4);
    store(elf + NOTE_AT + 28, 18, 4);
    memcpy(elf + NOTE_AT + 32, "Xen", 4);
    store(elf + NOTE_AT + 36, 0x200040, 4);
    for (unsigned i = 0; i < CODE_SIZE; i++)
        elf[CODE_AT + i] = (uint8_t)(i * 5 + 1);
}

/* 32 bits, with a header of multiboot in front of the code. */
static void make_elf32(uint8_t elf[SIZE])
{
    memset(elf, 0, SIZE);
    memcpy(elf, "\177ELF\1\1\1", 7);
    store(elf + 18, 3, 2);
    store(elf + 24, 0x10000c, 4);
    store(elf + 28, 52, 4);
    store(elf + 42, 32, 2);
    store(elf + 44, 1, 2);
    store(elf + 52, 1, 4);
    store(elf + 56, CODE_AT, 4);
    store(elf + 60, 0xc0100000, 4);
    store(elf + 64, 0x100000, 4);
    store(elf + 68, CODE_SIZE, 4);
    store(elf + 72, IN_MEMORY, 4);
    for (unsigned i = 0; i < CODE_SIZE; i++)
        elf[CODE_AT + i] = (uint8_t)(i * 3 + 1);
    store(elf + CODE_AT, 0x1badb002, 4);
    store(elf + CODE_AT + 4, 3, 4);
    store(elf + CODE_AT + 8, -(0x1badb002U + 3), 4);
}

/* No ELF: the header is at 0x10 of the file, which is loaded from 0x8 on. */
static void make_flat(uint8_t image[SIZE])
{
    memset(image, 0x77, SIZE);
    store(image + 0x10, 0x1badb002, 4);
    store(image + 0x14, 0x10000, 4);
    store(image + 0x18, -(0x1badb002U + 0x10000), 4);
    store(image + 0x1c, 0x300008, 4);
    store(image + 0x20, 0x300000, 4);
    store(image + 0x24, 0x300100, 4);
    store(image + 0x28, 0x300200, 4);
    store(image + 0x2c, 0x300040, 4);
}

static void add_modules(Guest *g, BootModule modules[2])
{
    modules[0] = (BootModule){.octets = g_bytes_new_static("first", 5), .text = "one 1"};
    modules[1] = (BootModule){.octets = g_bytes_new_static("second!", 7), .text = NULL};
    g->boot.modules = modules;
    g->boot.module_count = 2;
    g->boot.command_line = "kernel arg";
}

static void modules_free(BootModule modules[2])
{
    g_bytes_unref(modules[0].octets);
    g_bytes_unref(modules[1].octets);
}

static void expect_32_bits(const Guest *g, uint32_t entry)
{
    cr_assert_eq(g->cpu.rip, entry);
    cr_assert_eq(g->cpu.cr0, 0x11);
    cr_assert_eq(g->cpu.cr4, 0);
    cr_assert_eq(g->cpu.efer, 0);
    cr_assert_eq(g->cpu.rflags, 2);
    for (unsigned i = 0; i < CPU_SEGS; i++) {
        cr_assert_eq(g->cpu.segs[i].base, 0);
        cr_assert_eq(g->cpu.segs[i].limit, UINT32_MAX);
        cr_assert(g->cpu.segs[i].flags >> CPU_SEG_DB_SHIFT & 1);
    }
    cr_assert_eq(le(guest_at(g, g->cpu.gdt.base + 0x10), 8), UINT64_C(0x00cf9b000000ffff));
    cr_assert_eq(le(guest_at(g, g->cpu.gdt.base + 0x18), 8), UINT64_C(0x00cf93000000ffff));
}

/* --- PVH -------------------------------------------------------------------------------------------------------- */

Test(pvh, the_note_says_where_it_begins)
{
    uint8_t elf[SIZE];
    g_autoptr(Guest) g = NULL;

    make_elf64(elf);
    g = guest_new(elf, SIZE);
    cr_assert(kernel_is_pvh(g->boot.kernel));
    cr_assert_not(kernel_is_linux(g->boot.kernel));
    guest_start(g, kernel_boot_pvh);
    expect_32_bits(g, 0x200040);
    cr_assert_eq(memcmp(guest_at(g, 0x200000), elf + CODE_AT, CODE_SIZE), 0);
    for (unsigned i = CODE_SIZE; i < IN_MEMORY; i++)
        cr_assert_eq(*guest_at(g, 0x200000 + i), 0);
    cr_assert_eq(*guest_at(g, 0x200000 + IN_MEMORY), 0xee);
}

Test(pvh, the_start_info_has_all_that_there_is)
{
    uint8_t elf[SIZE];
    g_autoptr(Guest) g = NULL;
    BootModule modules[2];
    const uint8_t *info, *list, *map;

    make_elf64(elf);
    g = guest_new(elf, SIZE);
    add_modules(g, modules);
    g->boot.rsdp = 0x9fc10;
    guest_start(g, kernel_boot_pvh);
    info = guest_at(g, g->cpu.regs[3]);
    cr_assert_eq(le(info, 4), 0x336ec578);
    cr_assert_eq(le(info + 4, 4), 1);
    cr_assert_eq(le(info + 8, 4), 0);
    cr_assert_eq(le(info + 12, 4), 2);
    list = guest_at(g, le(info + 16, 8));
    cr_assert_str_eq((const char *)guest_at(g, le(info + 24, 8)), "kernel arg");
    cr_assert_eq(le(info + 32, 8), 0x9fc10);
    map = guest_at(g, le(info + 40, 8));
    cr_assert_eq(le(info + 48, 4), 5);
    cr_assert_eq(le(list, 8), 0x201000);
    cr_assert_eq(le(list + 8, 8), 5);
    cr_assert_str_eq((const char *)guest_at(g, le(list + 16, 8)), "one 1");
    cr_assert_eq(le(list + 32, 8), 0x202000);
    cr_assert_eq(memcmp(guest_at(g, 0x201000), "first", 5), 0);
    cr_assert_eq(memcmp(guest_at(g, 0x202000), "second!", 7), 0);
    cr_assert_eq(le(map + 48, 8), 0x100000);
    cr_assert_eq(le(map + 56, 8), 0x6e0000);
    cr_assert_eq(le(map + 64, 4), 1);
    modules_free(modules);
}

static void elf_refused(unsigned offset, uint64_t value, unsigned octets, const char *message)
{
    uint8_t elf[SIZE];
    g_autoptr(Guest) g = NULL;

    make_elf64(elf);
    store(elf + offset, value, octets);
    g = guest_new(elf, SIZE);
    guest_refused(g, kernel_boot_pvh, message);
}

Test(pvh, what_is_not_in_the_file_or_has_no_room_is_refused)
{
    elf_refused(72, 0xe00, 8, "kernel: at 0xe00: ELF part: 0x300 is beyond the end of the file at 0x1000");
    elf_refused(72, UINT64_MAX, 8,
                "kernel: at 0xffffffffffffffff: ELF part: 0x300 is beyond the end of the file at 0x1000");
    elf_refused(88, 0x1000, 8, "kernel: at 0x400: address: 0x1000 is below 0x100000");
    elf_refused(88, 0x7dff00, 8, "kernel: at 0x400: end in memory: 0x7e0400 is beyond its end at 0x7e0000");
    elf_refused(104, 0x2ff, 8, "kernel: at 0x400: ELF octets in the file: 0x300 is more than in memory, 0x2ff");
    elf_refused(64, 2, 4, "kernel: at 0x40: ELF parts to load: 0x0 is none of 0x2");
    elf_refused(NOTE_AT + 36, 0x1000, 4, "kernel: at 0x224: address: 0x1000 is below 0x100000");
    elf_refused(NOTE_AT + 24, 3, 4, "kernel: at 0x0: octets of a PVH entry in the notes: 0x3 is neither 0x4 nor 0x8");
    elf_refused(NOTE_AT + 28, 17, 4, "kernel: at 0x0: octets of a PVH entry in the notes: 0x0 is neither 0x4 nor 0x8");
    elf_refused(56, 65, 2, "kernel: at 0x0: octets of a PVH entry in the notes: 0x0 is neither 0x4 nor 0x8");
}

Test(pvh, changed_octets_do_no_harm)
{
    uint8_t elf[SIZE];

    make_elf64(elf);
    guest_abuse(elf, SIZE, NOTE_AT + 40, kernel_boot_pvh);
}

/* --- multiboot -------------------------------------------------------------------------------------------------- */

Test(multiboot, an_ELF_file_is_loaded_where_it_says)
{
    uint8_t elf[SIZE];
    g_autoptr(Guest) g = NULL;

    make_elf32(elf);
    g = guest_new(elf, SIZE);
    cr_assert(kernel_is_multiboot(g->boot.kernel));
    guest_start(g, kernel_boot_multiboot);
    expect_32_bits(g, 0x10000c);
    cr_assert_eq(g->cpu.regs[0], 0x2badb002);
    cr_assert_eq(memcmp(guest_at(g, 0x100000), elf + CODE_AT, CODE_SIZE), 0);
    cr_assert_eq(*guest_at(g, 0x100000 + IN_MEMORY - 1), 0);
}

Test(multiboot, addresses_in_the_header_go_before_ELF)
{
    uint8_t image[SIZE];
    g_autoptr(Guest) g = NULL;

    make_flat(image);
    g = guest_new(image, SIZE);
    guest_start(g, kernel_boot_multiboot);
    expect_32_bits(g, 0x300040);
    cr_assert_eq(memcmp(guest_at(g, 0x300000), image + 8, 0x100), 0);
    cr_assert_eq(*guest_at(g, 0x300100), 0);
    cr_assert_eq(*guest_at(g, 0x3001ff), 0);
    cr_assert_eq(*guest_at(g, 0x300200), 0xee);
}

Test(multiboot, without_an_end_all_of_the_file_is_loaded)
{
    uint8_t image[SIZE];
    g_autoptr(Guest) g = NULL;

    make_flat(image);
    store(image + 0x24, 0, 8);
    g = guest_new(image, SIZE);
    guest_start(g, kernel_boot_multiboot);
    cr_assert_eq(memcmp(guest_at(g, 0x300000), image + 8, SIZE - 8), 0);
    cr_assert_eq(*guest_at(g, 0x300000 + SIZE - 8), 0xee);
}

Test(multiboot, the_information_has_all_that_there_is)
{
    uint8_t elf[SIZE];
    g_autoptr(Guest) g = NULL;
    BootModule modules[2];
    const uint8_t *info, *list, *map;

    make_elf32(elf);
    g = guest_new(elf, SIZE);
    add_modules(g, modules);
    guest_start(g, kernel_boot_multiboot);
    info = guest_at(g, g->cpu.regs[3]);
    cr_assert_eq(le(info, 4), 0x24d);
    cr_assert_eq(le(info + 4, 4), 639);
    cr_assert_eq(le(info + 8, 4), 0x6e0000 / 1024);
    cr_assert_str_eq((const char *)guest_at(g, le(info + 16, 4)), "kernel arg");
    cr_assert_eq(le(info + 20, 4), 2);
    list = guest_at(g, le(info + 24, 4));
    cr_assert_eq(le(list, 4), 0x101000);
    cr_assert_eq(le(list + 4, 4), 0x101005);
    cr_assert_str_eq((const char *)guest_at(g, le(list + 8, 4)), "one 1");
    cr_assert_eq(le(list + 16, 4), 0x102000);
    cr_assert_eq(le(list + 20, 4), 0x102007);
    cr_assert_str_eq((const char *)guest_at(g, le(list + 24, 4)), "");
    cr_assert_eq(le(info + 44, 4), 5 * 24);
    map = guest_at(g, le(info + 48, 4));
    cr_assert_eq(le(map + 48, 4), 20);
    cr_assert_eq(le(map + 52, 8), 0x100000);
    cr_assert_eq(le(map + 60, 8), 0x6e0000);
    cr_assert_eq(le(map + 68, 4), 1);
    cr_assert_str_eq((const char *)guest_at(g, le(info + 64, 4)), "ferry");
    modules_free(modules);
}

static void flat_refused(unsigned offset, uint64_t value, const char *message)
{
    uint8_t image[SIZE];
    g_autoptr(Guest) g = NULL;

    make_flat(image);
    store(image + offset, value, 4);
    store(image + 0x18, -(0x1badb002U + (uint32_t)le(image + 0x14, 4)), 4);
    g = guest_new(image, SIZE);
    guest_refused(g, kernel_boot_multiboot, message);
}

Test(multiboot, what_is_not_in_the_file_or_has_no_room_is_refused)
{
    flat_refused(0x14, 0x10004, "kernel: at 0x14: multiboot flags: 0x4 is more than 0x3");
    flat_refused(0x10, 0, "kernel: at 0x0: multiboot header: 0x1000 is not before 0x2000");
    flat_refused(0x20, 0x300010,
                 "kernel: at 0x20: multiboot load_addr: 0x300010 is not in the file before its header at 0x300008");
    flat_refused(0x20, 0x2fff00,
                 "kernel: at 0x20: multiboot load_addr: 0x2fff00 is not in the file before its header at 0x300008");
    flat_refused(0x24, 0x2fffff, "kernel: at 0x24: multiboot load_end_addr: 0x2fffff is below 0x300000");
    flat_refused(0x24, 0x302000, "kernel: at 0x28: multiboot bss_end_addr: 0x300200 is below 0x302000");
    flat_refused(0x28, 0xfff00000, "kernel: at 0x20: end in memory: 0xfff00000 is beyond its end at 0x7e0000");
    flat_refused(0x2c, 0x10, "kernel: at 0x10: address: 0x10 is below 0x100000");
}

Test(multiboot, modules_that_have_no_room_are_refused)
{
    uint8_t image[SIZE];
    g_autoptr(Guest) g = NULL;
    g_autoptr(GBytes) octets = g_bytes_new_take(g_malloc0(0x500000), 0x500000);
    BootModule module = {.octets = octets};

    make_flat(image);
    g = guest_new(image, SIZE);
    g->boot.modules = &module;
    g->boot.module_count = 1;
    guest_refused(g, kernel_boot_multiboot, "module: at 0x0: end in memory: 0x801000 is beyond its end at 0x7e0000");
    g->boot.module_count = 65;
    guest_refused(g, kernel_boot_multiboot, "modules: at 0x0: number: 0x41 is more than 0x40");
}

Test(multiboot, changed_octets_do_no_harm)
{
    uint8_t image[SIZE];

    make_flat(image);
    guest_abuse(image, SIZE, 0x30, kernel_boot_multiboot);
    make_elf32(image);
    guest_abuse(image, SIZE, 84, kernel_boot_multiboot);
}
