/*
 * print.c: text on COM1, the command line, the end.
 *
 * Source: PC16550D data sheet, section 8 (registers).
 */
#include "tests/guest/guest.h"

enum { COM1 = 0x3f8, LINE_STATUS = 5, DATA_READY = 1, THR_EMPTY = 0x20, SCRATCH = 7, TEXT_MAX = 1024 };

extern uint32_t boot_magic, boot_info;
static char command_line[TEXT_MAX];

/* --- the line ---------------------------------------------------------------------------------------------------- */

void serial_init(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80);
    outb(COM1 + 0, 1); /* 115200 */
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3); /* 8N1 */
    outb(COM1 + 2, 7); /* queues on and empty */
    outb(COM1 + 4, 3);
}

static void put(char c)
{
    while (!(inb(COM1 + LINE_STATUS) & THR_EMPTY))
        pause();
    outb(COM1, c);
}

int serial_get(void)
{
    return inb(COM1 + LINE_STATUS) & DATA_READY ? inb(COM1) : -1;
}

/* The register that nothing uses keeps what it was given in the round before. */
void serial_scratch(void)
{
    static uint8_t last;
    static bool set;

    if (set)
        expect("serial.scratch", last, inb(COM1 + SCRATCH));
    set = true;
    last = last * 29 + 71;
    outb(COM1 + SCRATCH, last);
}

/* --- text -------------------------------------------------------------------------------------------------------- */

void put_text(const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            put('\r');
        put(*text);
    }
}

static void put_digits(uint64_t value, unsigned base)
{
    char text[24];
    unsigned at = sizeof(text) - 1;

    text[at] = 0;
    do
        text[--at] = "0123456789abcdef"[value % base];
    while (value /= base);
    put_text(text + at);
}

void put_number(uint64_t value)
{
    put_digits(value, 10);
}

void put_hex(uint64_t value)
{
    put_text("0x");
    put_digits(value, 16);
}

void put_item(const char *name, uint64_t value)
{
    put_text(" ");
    put_text(name);
    put_text("=");
    put_number(value);
}

void put_word(const char *name, const char *word)
{
    put_text(" ");
    put_text(name);
    put_text("=");
    put_text(word);
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static uint64_t do_stand(uint64_t argument)
{
    __asm__ volatile("cli");
    while (argument == 0)
        __asm__ volatile("hlt");
    return 0;
}

void stand(void)
{
    uint16_t cs;

    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    while (cs & 3)
        ring0(do_stand, 0);
    for (;;)
        do_stand(0);
}

void fail(const char *what, uint64_t expected, uint64_t got)
{
    static uint32_t failed;

    if (__atomic_exchange_n(&failed, 1, __ATOMIC_SEQ_CST)) /* the first says it */
        stand();
    put_text("\nwitness FAILED ");
    put_text(what);
    put_text(" expected ");
    put_hex(expected);
    put_text(" got ");
    put_hex(got);
    put_text("\n");
    stand();
}

void expect(const char *what, uint64_t expected, uint64_t got)
{
    if (expected != got)
        fail(what, expected, got);
}

/* --- memory: the compiler calls these ----------------------------------------------------------------------------- */

void *memcpy(void *to, const void *from, size_t size)
{
    void *result = to;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
    return result;
}

void *memset(void *to, int value, size_t size)
{
    void *result = to;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
    return result;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] - y[i];
    return 0;
}

/* --- the command line --------------------------------------------------------------------------------------------- */

/* Multiboot 1, chapter 3.3: flags, and the address at 16; PVH: the address at 24 of hvm_start_info. */
void options_init(void)
{
    const uint8_t *info = (const uint8_t *)(uint64_t)boot_info;
    uint64_t at = 0;

    if (boot_magic == 0x2badb002) {
        if (read32(boot_info) & 4)
            at = read32(boot_info + 16);
    } else if (info && read32(boot_info) == 0x336ec578) {
        at = read32(boot_info + 24);
    }
    for (size_t i = 0; at && i < TEXT_MAX - 1; i++) {
        command_line[i] = read8(at + i);
        if (!command_line[i])
            break;
    }
}

static const char *find_option(const char *name)
{
    for (const char *at = command_line; *at;) {
        const char *n = name;
        while (*n && *at == *n)
            at++, n++;
        if (!*n && *at == '=')
            return at + 1;
        while (*at && *at != ' ')
            at++;
        while (*at == ' ')
            at++;
    }
    return NULL;
}

uint64_t option_number(const char *name, uint64_t otherwise)
{
    const char *text = find_option(name);
    uint64_t value = 0;

    if (!text || *text < '0' || *text > '9')
        return otherwise;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (*text - '0');
    return value;
}

static bool word_is(const char *at, const char *word)
{
    while (*word && *at == *word)
        at++, word++;
    return !*word && (!*at || *at == ' ' || *at == ',');
}

bool option_has(const char *list, const char *word)
{
    const char *at = find_option(list);

    if (!at || word_is(at, "all"))
        return true;
    while (*at && *at != ' ') {
        if (word_is(at, word))
            return true;
        while (*at && *at != ' ' && *at != ',')
            at++;
        if (*at == ',')
            at++;
    }
    return false;
}
