/*
 * chips.c: small chips: keyboard controller, CMOS memory, fw_cfg, the serial port's spare register.
 *
 * Sources: IBM PS/2 Technical Reference, keyboard controller (commands AA, AB, 20, 60, A7, A8, D2); MC146818A data
 * sheet (memory from 0x0e on); QEMU docs/specs/fw_cfg (signature, directory).
 */
#include "tests/guest/guest.h"

enum {
    KBD_DATA = 0x60,
    KBD_COMMAND = 0x64,
    OUTPUT_FULL = 1,
    INPUT_FULL = 2,

    CMOS_FIRST = 0x60, /* nothing of the firmware's is from here on */
    CMOS_SIZE = 0x10,

    FW_CFG_SELECT = 0x510,
    FW_CFG_DATA = 0x511,
    FW_CFG_DIRECTORY = 0x19,
};

static struct {
    bool kbd, fw_cfg, cmos;
    uint8_t kbd_mode;
    uint32_t directory, directory_files, directory_changes;
    uint64_t kbd_tests, cmos_generation, seed;
} chips;

/* --- keyboard controller ------------------------------------------------------------------------------------------ */

static bool kbd_wait(uint8_t mask, uint8_t value)
{
    for (unsigned i = 0; i < 20000; i++)
        if ((inb(KBD_COMMAND) & mask) == value)
            return true;
    return false;
}

static void kbd_send(uint16_t port, uint8_t value)
{
    if (!kbd_wait(INPUT_FULL, 0))
        fail("kbd.input-full", 0, inb(KBD_COMMAND));
    outb(port, value);
}

static uint8_t kbd_get(const char *what)
{
    if (!kbd_wait(OUTPUT_FULL, OUTPUT_FULL))
        fail(what, OUTPUT_FULL, inb(KBD_COMMAND));
    return inb(KBD_DATA);
}

/* Its ports are off meanwhile, so what it says is the answer. */
static void kbd_init(void)
{
    if (inb(KBD_COMMAND) == 0xff)
        return;
    kbd_send(KBD_COMMAND, 0xad);
    kbd_send(KBD_COMMAND, 0xa7);
    for (unsigned i = 0; i < 64 && inb(KBD_COMMAND) & OUTPUT_FULL; i++)
        inb(KBD_DATA);
    kbd_send(KBD_COMMAND, 0xaa);
    expect("kbd.self-test", 0x55, kbd_get("kbd.self-test"));
    chips.kbd_mode = 0x30;
    kbd_send(KBD_COMMAND, 0x60);
    kbd_send(KBD_DATA, chips.kbd_mode);
    chips.kbd = true;
}

static void kbd_round(void)
{
    uint8_t echo = xorshift(&chips.seed);

    kbd_send(KBD_COMMAND, 0x20);
    expect("kbd.mode", chips.kbd_mode, kbd_get("kbd.mode"));
    kbd_send(KBD_COMMAND, 0xab);
    expect("kbd.port-test", 0, kbd_get("kbd.port-test"));
    kbd_send(KBD_COMMAND, 0xd2); /* as if the keyboard had sent it */
    kbd_send(KBD_DATA, echo);
    expect("kbd.echo", echo, kbd_get("kbd.echo"));
    chips.kbd_mode ^= 4; /* the system flag: a bit to keep */
    kbd_send(KBD_COMMAND, 0x60);
    kbd_send(KBD_DATA, chips.kbd_mode);
    chips.kbd_tests++;
}

/* --- CMOS --------------------------------------------------------------------------------------------------------- */

static uint8_t cmos_pattern(unsigned i, uint64_t generation)
{
    uint64_t state = generation * CMOS_SIZE + i + 1;

    xorshift(&state);
    return xorshift(&state) >> 11;
}

static void cmos_round(void)
{
    for (unsigned i = 0; i < CMOS_SIZE; i++) {
        if (chips.cmos)
            expect("cmos", cmos_pattern(i, chips.cmos_generation), cmos_read(CMOS_FIRST + i));
        cmos_write(CMOS_FIRST + i, cmos_pattern(i, chips.cmos_generation + 1));
    }
    chips.cmos_generation++;
    chips.cmos = true;
}

/* --- fw_cfg ------------------------------------------------------------------------------------------------------- */

static uint32_t fw_cfg_be32(void)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++)
        value = value << 8 | inb(FW_CFG_DATA);
    return value;
}

uint16_t fw_cfg_u16(uint16_t key)
{
    if (!chips.fw_cfg)
        return 0;
    outw(FW_CFG_SELECT, key);
    return inb(FW_CFG_DATA) | inb(FW_CFG_DATA) << 8;
}

/* Number of files, then 64 octets each: size, key, nothing, name. Half of it is read in each round, so it goes on in
   the middle of an item. */
static uint32_t directory_crc(unsigned entries, bool select)
{
    uint8_t entry[64];
    uint32_t crc = 0;

    if (select) {
        outw(FW_CFG_SELECT, FW_CFG_DIRECTORY);
        chips.directory_files = fw_cfg_be32();
    }
    for (unsigned i = 0; i < entries; i++) {
        for (unsigned at = 0; at < sizeof(entry); at++)
            entry[at] = inb(FW_CFG_DATA);
        crc = crc32_of(entry, sizeof(entry), crc);
    }
    return crc;
}

/* For people: list=1 prints the directory. */
static void list_directory(void)
{
    char name[57] = "";

    directory_crc(0, true);
    for (unsigned i = 0; i < chips.directory_files; i++) {
        uint32_t size = fw_cfg_be32(), key = fw_cfg_be32();
        for (unsigned at = 0; at < sizeof(name) - 1; at++)
            name[at] = inb(FW_CFG_DATA);
        put_text("\nfw_cfg ");
        put_hex(key >> 16);
        put_item(name, size);
    }
    put_text("\n");
}

static void fw_cfg_init(void)
{
    outw(FW_CFG_SELECT, 0);
    uint32_t signature = fw_cfg_be32();

    if (signature != 0x51454d55)
        return;
    chips.fw_cfg = true;
    directory_crc(0, true);
    if (!chips.directory_files || chips.directory_files > 256)
        fail("fw_cfg.files", 1, chips.directory_files);
    chips.directory = directory_crc(chips.directory_files, true);
    if (option_number("list", 0))
        list_directory();
}

static void fw_cfg_round(void)
{
    static uint64_t rounds;
    static uint32_t first;
    unsigned files = chips.directory_files;

    if (rounds++ % 16 == 0) {
        uint32_t crc = directory_crc(files, true);
        if (crc != chips.directory || chips.directory_files != files) {
            chips.directory_changes++; /* what a machine has there is not part of its state */
            if (!chips.directory_files || chips.directory_files > 256)
                fail("fw_cfg.files", 1, chips.directory_files);
            chips.directory = directory_crc(chips.directory_files, true);
        }
        directory_crc(0, true);
        first = directory_crc(1, false); /* stays selected until the next round */
    } else if (rounds % 16 == 2) {
        if (!directory_crc(1, false) && first)
            fail("fw_cfg.position", 1, 0);
        outw(FW_CFG_SELECT, 0);
        expect("fw_cfg.signature", 0x51454d55, fw_cfg_be32());
    }
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

void chips_init(void)
{
    chips.seed = 88172645463325252;
    if (option_has("parts", "kbd"))
        kbd_init();
    fw_cfg_init(); /* it knows how many processors there are */
    put_word("kbd", chips.kbd ? "there" : "absent");
    put_word("fw_cfg", chips.fw_cfg ? "there" : "absent");
}

void chips_round(void)
{
    if (chips.kbd)
        kbd_round();
    if (option_has("parts", "cmos"))
        cmos_round();
    if (chips.fw_cfg && option_has("parts", "fw_cfg"))
        fw_cfg_round();
    if (option_has("parts", "serial"))
        serial_scratch();
}

void chips_report(void)
{
    put_item("kbd", chips.kbd_tests);
    put_item("cmos", chips.cmos_generation);
    put_item("fw_cfg", chips.directory_changes);
}
