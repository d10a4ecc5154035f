/*
 * test-boot-options.c: what -boot tells the firmware, against what QEMU 7.2 was measured to tell with the same options:
 * files of fw_cfg, and the order in the CMOS memory.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "emu/core/space.h"
#include "tests/emu/support/whole-pc.h"

enum { DIRECTORY = 0x19, SELECTOR = 0x510, DATA = 0x511, ENTRY = 64, NAME = 8, CMOS_THIRD = 0x38, CMOS_FIRST = 0x3d };

static uint8_t in(const WholePc *p, uint16_t port)
{
    return (uint8_t)space_read(p->machine->ports, port, 1);
}

static uint64_t number(const WholePc *p, unsigned octets)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < octets; i++)
        value = value << 8 | in(p, DATA);
    return value;
}

/* The directory as the guest reads it: "KEY NAME SIZE", a line each. */
static char *directory(const WholePc *p)
{
    GString *text = g_string_new(NULL);
    char name[ENTRY - NAME];

    space_write(p->machine->ports, SELECTOR, DIRECTORY, 2);
    for (uint64_t left = number(p, 4); left > 0; left--) {
        unsigned size = (unsigned)number(p, 4), key = (unsigned)number(p, 4) >> 16;
        for (size_t i = 0; i < sizeof name; i++)
            name[i] = (char)in(p, DATA);
        g_string_append_printf(text, "%x %s %u\n", key, name, size);
    }
    return g_string_free(text, FALSE);
}

/* What a file has, in hexadecimal; NULL: there is none. */
static char *file(const WholePc *p, const char *name)
{
    g_autofree char *text = directory(p), *wanted = g_strdup_printf(" %s ", name);
    const char *at = strstr(text, wanted);
    GString *octets = g_string_new(NULL);
    unsigned key;

    if (!at)
        return g_string_free(octets, TRUE);
    while (at > text && at[-1] != '\n')
        at--;
    key = (unsigned)strtoul(at, NULL, 16);
    space_write(p->machine->ports, SELECTOR, key, 2);
    for (long left = strtol(strstr(at, wanted) + strlen(wanted), NULL, 10); left > 0; left--)
        g_string_append_printf(octets, "%02x", in(p, DATA));
    return g_string_free(octets, FALSE);
}

static unsigned order(const WholePc *p)
{
    unsigned value;

    machine_lock(p->machine);
    space_write(p->machine->ports, 0x70, CMOS_THIRD, 1);
    value = (unsigned)in(p, 0x71) << 8;
    space_write(p->machine->ports, 0x70, CMOS_FIRST, 1);
    value |= in(p, 0x71);
    machine_unlock(p->machine);
    return value;
}

/* As on a machine of QEMU's without any option: keys, order and sizes. */
Test(boot_options, the_directory_is_the_one_of_qemu)
{
    static const char *const words[] = {"-accel", "none", "-m", "32", NULL};
    WholePc p;

    whole_pc_init(&p, words, NULL);
    g_autofree char *text = directory(&p);
    char *rom = strstr(text, "2b genroms/kvmvapic.bin 9216\n");
    if (rom) /* where it is installed */
        *rom = 0;
    cr_assert_str_eq(text, "20 bios-geometry 0\n21 bootorder 0\n22 etc/acpi/rsdp 20\n23 etc/acpi/tables 131072\n"
                           "24 etc/boot-fail-wait 4\n25 etc/e820 40\n26 etc/smbios/smbios-anchor 31\n"
                           "27 etc/smbios/smbios-tables 321\n28 etc/system-states 6\n29 etc/table-loader 4096\n"
                           "2a etc/tpm/log 0\n");
    whole_pc_done(&p);
}

Test(boot_options, they_reach_the_firmware)
{
    static const struct {
        const char *boot, *file, *octets;
    } all[] = {
        {"menu=on", "etc/boot-menu-wait", NULL},
        {"menu=on,splash-time=1000", "etc/boot-menu-wait", "e803"},
        {"splash-time=7", "etc/boot-menu-wait", "0700"},
        {"splash-time=0", "etc/boot-menu-wait", "0000"},
        {"menu=on", "etc/boot-fail-wait", "ffffffff"},
        {"reboot-timeout=-1", "etc/boot-fail-wait", "ffffffff"},
        {"reboot-timeout=0", "etc/boot-fail-wait", "00000000"},
        {"reboot-timeout=500", "etc/boot-fail-wait", "f4010000"},
        {"strict=on", "bootorder", ""},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        const char *const words[] = {"-accel", "none", "-m", "4", "-boot", all[i].boot, NULL};
        WholePc p;
        whole_pc_init(&p, words, NULL);
        g_autofree char *octets = file(&p, all[i].file);
        cr_assert(g_strcmp0(octets, all[i].octets) == 0, "%s: %s has %s", all[i].boot, all[i].file, octets);
        whole_pc_done(&p);
    }
}

Test(boot_options, strictly_the_list_is_all)
{
    static const char *const words[] = {"-accel",  "none",
                                        "-m",      "4",
                                        "-boot",   "strict=on",
                                        "-drive",  "file={}/disk,format=raw,if=none,id=h",
                                        "-device", "ide-hd,drive=h,bus=ide.0,unit=0,bootindex=1",
                                        NULL};
    WholePc p;

    whole_pc_init(&p, words, NULL);
    g_autofree char *octets = file(&p, "bootorder");
    cr_assert_str_eq(octets, "2f7063694069306366382f69646540312c312f647269766540302f6469736b40300a48414c5400");
    whole_pc_done(&p);
}

/* The loop does a reset when it is asked to. */
static void reset(const WholePc *p)
{
    pc_press_reset(p->pc);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

Test(boot_options, the_order_for_once_ends_with_the_first_reset)
{
    static const struct {
        const char *boot;
        unsigned first, later;
    } all[] = {{"order=dc", 0x0023, 0x0023}, {"order=dc,once=n", 0x0004, 0x0023}, {"once=d", 0x0003, 0x3012}};

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        const char *const words[] = {"-accel", "none", "-m", "4", "-boot", all[i].boot, NULL};
        WholePc p;
        whole_pc_init(&p, words, NULL);
        cr_assert_eq(order(&p), all[i].first, "%s: 0x%x", all[i].boot, order(&p));
        reset(&p);
        cr_assert_eq(order(&p), all[i].later, "%s: 0x%x", all[i].boot, order(&p));
        reset(&p);
        cr_assert_eq(order(&p), all[i].later, "%s: 0x%x", all[i].boot, order(&p));
        whole_pc_done(&p);
    }
}
