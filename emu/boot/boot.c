/*
 * boot.c: the items of fw_cfg and the CMOS memory, as the firmware of a PC finds them.
 *
 * Sources: the specification of fw_cfg; SeaBIOS's document "Runtime configuration" (names and meaning of the files);
 * Ralf Brown's CMOS memory list; measurements on QEMU 7.2 (which of it all there is, and which is empty).
 * Not told: the geometry of disks in the CMOS memory (0x12, 0x19 to 0x2c), which is only for translations that no
 * firmware uses by itself any more; NUMA nodes.
 */
#include "emu/boot/boot.h"

#include <inttypes.h>

#include "emu/boot/e820.h"
#include "emu/boot/octets-impl.h"
#include "emu/dev/fw_cfg.h"
#include "emu/dev/mc146818rtc.h"
#include "visitors/error.h"

enum { KIB = 1024, MIB = 1024 * 1024, CMOS_UNIT = 64 * 1024 };

static const uint64_t gib = UINT64_C(1) << 30;

void boot_split_memory(uint64_t size, uint64_t *below_4g, uint64_t *above_4g)
{
    *below_4g = size >= 7 * gib / 2 ? 3 * gib : size;
    *above_4g = size - *below_4g;
}

static bool refuse(GError **error, const char *member, uint64_t value, const char *wanted)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: 0x%" PRIx64 " is not %s", member, value, wanted);
    return false;
}

bool boot_check(const BootPc *pc, GError **error)
{
    if (pc->below_4g < 2 * MIB || pc->below_4g > 7 * gib / 2 || pc->below_4g % 4096)
        return refuse(error, "below_4g", pc->below_4g, "pages from 0x200000 to 0xe0000000");
    if (pc->above_4g > UINT64_C(1) << 48 || pc->above_4g % 4096)
        return refuse(error, "above_4g", pc->above_4g, "pages up to 0x1000000000000");
    if (pc->cpus < 1 || pc->cpus > BOOT_CPUS_MAX)
        return refuse(error, "cpus", pc->cpus, "1 to 0xff");
    if (pc->max_cpus < pc->cpus || pc->max_cpus > BOOT_CPUS_MAX)
        return refuse(error, "max_cpus", pc->max_cpus, "from cpus to 0xff");
    for (unsigned i = 0; i < BOOT_FLOPPIES; i++)
        if (pc->floppies[i] > BOOT_FLOPPY_288)
            return refuse(error, "floppies", pc->floppies[i], "a type of drive up to 5");
    for (const char *c = pc->boot_order; c && *c; c++)
        if (!strchr("acdn", *c))
            return refuse(error, "boot_order", (uint8_t)*c, "one of the letters acdn");
    if (pc->boot_order && strlen(pc->boot_order) > BOOT_DEVICES)
        return refuse(error, "boot_order", strlen(pc->boot_order), "up to 0x3 letters");
    return true;
}

/* --- fw_cfg ----------------------------------------------------------------------------------------------------- */

static bool add_file(Device *fw_cfg, const char *name, GBytes *octets, GError **error)
{
    return fw_cfg_add_file(fw_cfg, &(FwCfgFile){.name = name, .octets = octets}, error);
}

/* A number of 32 bits. */
static bool add_fail_wait(const BootPc *pc, Device *fw_cfg, GError **error)
{
    uint8_t le[4];
    g_autoptr(GBytes) octets = NULL;

    store_le(le, (uint32_t)pc->boot_fail_wait, sizeof(le));
    octets = g_bytes_new(le, sizeof(le));
    return add_file(fw_cfg, "etc/boot-fail-wait", octets, error);
}

static bool add_menu_wait(const BootPc *pc, Device *fw_cfg, GError **error)
{
    uint8_t le[2];
    g_autoptr(GBytes) octets = NULL;

    if (!pc->has_menu_wait)
        return true;
    store_le(le, pc->menu_wait, sizeof(le));
    octets = g_bytes_new(le, sizeof(le));
    return add_file(fw_cfg, "etc/boot-menu-wait", octets, error);
}

/* For S0 to S5: 0x80 if there is such a state, and what goes into SLP_TYP (PIIX4 of this machine). */
static bool add_system_states(const BootPc *pc, Device *fw_cfg, GError **error)
{
    const uint8_t states[6] = {0x80, 0, 0, pc->s3_off ? 0x01 : 0x81, pc->s4_off ? 0x02 : 0x82, 0x80};
    g_autoptr(GBytes) octets = g_bytes_new(states, sizeof(states));

    return add_file(fw_cfg, "etc/system-states", octets, error);
}

static bool add_e820(const BootPc *pc, Device *fw_cfg, GError **error)
{
    E820Entry entries[E820_ENTRIES];
    g_autoptr(GBytes) octets = e820_octets(entries, e820_for_firmware(pc, entries));

    return add_file(fw_cfg, "etc/e820", octets, error);
}

/* One block or 0xff; then room for eight: id, address, minimum tick, page protection. */
static void set_hpet(const BootPc *pc, Device *fw_cfg)
{
    enum { BLOCKS = 8, BLOCK_SIZE = 15 };
    uint8_t octets[1 + BLOCKS * BLOCK_SIZE] = {0xff};
    g_autoptr(GBytes) bytes = NULL;

    if (pc->hpet) {
        octets[0] = 1;
        store_le(octets + 1, 0x8086a201, 4);
        store_le(octets + 5, 0xfed00000, 8);
    }
    bytes = g_bytes_new(octets, sizeof(octets));
    fw_cfg_set(fw_cfg, FW_CFG_HPET, bytes);
}

/* Nodes: none; and none for each processor. */
static void set_numa(const BootPc *pc, Device *fw_cfg)
{
    size_t size = (1 + (size_t)pc->max_cpus) * sizeof(uint64_t);
    g_autoptr(GBytes) octets = g_bytes_new_take(g_malloc0(size), size);

    fw_cfg_set(fw_cfg, FW_CFG_NUMA, octets);
}

static void set_items(const BootPc *pc, Device *fw_cfg)
{
    g_autoptr(GBytes) uuid = g_bytes_new(pc->uuid, sizeof(pc->uuid));

    fw_cfg_set(fw_cfg, FW_CFG_UUID, uuid);
    fw_cfg_set_u64(fw_cfg, FW_CFG_RAM_SIZE, pc->below_4g + pc->above_4g);
    fw_cfg_set_u16(fw_cfg, FW_CFG_NOGRAPHIC, 0);
    fw_cfg_set_u16(fw_cfg, FW_CFG_NB_CPUS, (uint16_t)pc->cpus);
    fw_cfg_set_u16(fw_cfg, FW_CFG_MAX_CPUS, (uint16_t)pc->max_cpus);
    fw_cfg_set_u16(fw_cfg, FW_CFG_BOOT_MENU, pc->boot_menu);
    fw_cfg_set_u32(fw_cfg, FW_CFG_IRQ0_OVERRIDE, 1);
    set_hpet(pc, fw_cfg);
    set_numa(pc, fw_cfg);
}

bool boot_fill_fw_cfg(const BootPc *pc, Device *fw_cfg, GError **error)
{
    if (!boot_check(pc, error))
        return false;
    set_items(pc, fw_cfg);
    return add_file(fw_cfg, "bios-geometry", pc->disk_geometry, error) &&
           add_file(fw_cfg, "bootorder", pc->boot_paths, error) && add_fail_wait(pc, fw_cfg, error) &&
           add_menu_wait(pc, fw_cfg, error) && add_e820(pc, fw_cfg, error) && add_system_states(pc, fw_cfg, error) &&
           add_file(fw_cfg, "etc/tpm/log", NULL, error) &&
           (!pc->vapic_rom || add_file(fw_cfg, "genroms/kvmvapic.bin", pc->vapic_rom, error));
}

/* --- CMOS memory ------------------------------------------------------------------------------------------------ */

enum {
    CMOS_FLOPPIES = 0x10,
    CMOS_EQUIPMENT = 0x14,
    CMOS_BASE_MEMORY = 0x15,       /* KiB below 640 KiB */
    CMOS_EXTENDED = 0x17,          /* KiB from 1 MiB on, up to 65535 */
    CMOS_EXTENDED_AGAIN = 0x30,    /* as the firmware has found it */
    CMOS_ABOVE_16M = 0x34,         /* 64 KiB */
    CMOS_BOOT_THIRD = 0x38,        /* in the upper half; bit 0: do not look at the signature of a floppy disk */
    CMOS_BOOT_FIRST = 0x3d,        /* the second in the upper half */
    CMOS_ABOVE_4G = 0x5b,          /* 64 KiB, 24 bits */
    CMOS_CPUS = 0x5f,              /* but the first */
    CMOS_EQUIPMENT_FPU = 1 << 1,   /* 0x14 */
    CMOS_EQUIPMENT_MOUSE = 1 << 2, /* PS/2 */
};

static void set_number(Device *rtc, unsigned index, uint64_t value, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++)
        mc146818rtc_set_cmos(rtc, index + i, (uint8_t)(value >> i * 8));
}

static void set_memory(const BootPc *pc, Device *rtc)
{
    uint64_t extended = MIN(pc->below_4g / KIB - KIB, UINT16_MAX);
    uint64_t above_16m = pc->below_4g > 16 * MIB ? (pc->below_4g - 16 * MIB) / CMOS_UNIT : 0;

    set_number(rtc, CMOS_BASE_MEMORY, 640, 2);
    set_number(rtc, CMOS_EXTENDED, extended, 2);
    set_number(rtc, CMOS_EXTENDED_AGAIN, extended, 2);
    set_number(rtc, CMOS_ABOVE_16M, MIN(above_16m, UINT16_MAX), 2);
    set_number(rtc, CMOS_ABOVE_4G, MIN(pc->above_4g / CMOS_UNIT, 0xffffff), 3);
}

/* Bits 6 and 7 count the drives but one, bit 0 says that there are some. */
static void set_equipment(const BootPc *pc, Device *rtc)
{
    uint8_t equipment = CMOS_EQUIPMENT_FPU | CMOS_EQUIPMENT_MOUSE;
    unsigned drives = (pc->floppies[0] != 0) + (pc->floppies[1] != 0);

    if (drives)
        equipment |= (uint8_t)(1 | (drives - 1) << 6);
    mc146818rtc_set_cmos(rtc, CMOS_EQUIPMENT, equipment);
    mc146818rtc_set_cmos(rtc, CMOS_FLOPPIES, (uint8_t)(pc->floppies[0] << 4 | pc->floppies[1]));
}

/* Bit 0 of 0x38 stays 0: a floppy disk without a signature is not booted from. */
void boot_set_order(Device *rtc, const char *order)
{
    unsigned codes[BOOT_DEVICES] = {0};

    if (!order)
        order = "cad";
    for (unsigned i = 0; i < BOOT_DEVICES && order[i]; i++)
        codes[i] = order[i] == 'a' ? 1 : order[i] == 'c' ? 2 : order[i] == 'd' ? 3 : 4;
    mc146818rtc_set_cmos(rtc, CMOS_BOOT_FIRST, (uint8_t)(codes[0] | codes[1] << 4));
    mc146818rtc_set_cmos(rtc, CMOS_BOOT_THIRD, (uint8_t)(codes[2] << 4));
}

bool boot_fill_cmos(const BootPc *pc, Device *rtc, GError **error)
{
    if (!boot_check(pc, error))
        return false;
    set_memory(pc, rtc);
    set_equipment(pc, rtc);
    boot_set_order(rtc, pc->boot_order);
    mc146818rtc_set_cmos(rtc, CMOS_CPUS, (uint8_t)(pc->cpus - 1));
    return true;
}
