/*
 * smbios.c: SMBIOS structures of types 0, 1, 3, 4, 16, 17, 19, 32 and 127.
 *
 * Source: DMTF DSP0134, System Management BIOS Reference Specification 2.8.0, sections 5.2.1 (entry point), 6.1 (texts)
 * and 7.
 * Not told: caches, slots, connectors, baseboard (type 2), vendor texts (type 11).
 */
#include "emu/boot/smbios.h"

#include <inttypes.h>

#include "emu/boot/octets-impl.h"
#include "emu/dev/fw_cfg.h"
#include "visitors/error.h"

enum { TEXTS_MAX = 8, TEXT_MAX = 1024, SOCKETS_MAX = 255 };

/* Handles: the type, and a number. */
enum { HANDLE_ARRAY = 0x1000, HANDLE_NONE = 0xfffe };

static const uint64_t kib = 1024, mib = 1 << 20, dimm = UINT64_C(16) << 30;

typedef struct Build {
    GByteArray *tables;
    unsigned count;   /* of structures */
    unsigned longest; /* of them */
    guint start;      /* of the one that is made */
    const char *texts[TEXTS_MAX];
    unsigned text_count; /* of it */
} Build;

/* --- structures ------------------------------------------------------------------------------------------------- */

static void start(Build *b, uint8_t type, unsigned number)
{
    b->start = b->tables->len;
    b->text_count = 0;
    put_le(b->tables, type, 1);
    put_le(b->tables, 0, 1);
    put_le(b->tables, (unsigned)type << 8 | number, 2);
}

static void put(Build *b, uint64_t value, unsigned octets)
{
    put_le(b->tables, value, octets);
}

/* Its number, from 1 on; 0 for none. */
static void put_text(Build *b, const char *text)
{
    if (text)
        b->texts[b->text_count++] = text;
    put(b, text ? b->text_count : 0, 1);
}

/* The texts follow what has been put, and a 0; two of them if there are none. */
static void end(Build *b)
{
    b->tables->data[b->start + 1] = (uint8_t)(b->tables->len - b->start);
    for (unsigned i = 0; i < b->text_count; i++)
        put_octets(b->tables, b->texts[i], strlen(b->texts[i]) + 1);
    put(b, 0, b->text_count ? 1 : 2);
    b->longest = MAX(b->longest, b->tables->len - b->start);
    b->count++;
}

/* 7.1 */
static void put_bios(Build *b, const SmbiosPc *s)
{
    start(b, 0, 0);
    put_text(b, s->bios.vendor);
    put_text(b, s->bios.version);
    put(b, 0xe800, 2); /* its segment */
    put_text(b, s->bios.date);
    put(b, 0, 1);               /* 64 KiB */
    put(b, 1 << 3, 8);          /* characteristics are not told */
    put(b, 0, 1);               /* more of them: */
    put(b, 1 << 2 | 1 << 4, 1); /* targeted content distribution; a virtual machine */
    put(b, 0xffffffff, 4);      /* no releases of BIOS and embedded controller */
    end(b);
}

static const char *manufacturer(const SmbiosPc *s)
{
    return s->system.manufacturer ? s->system.manufacturer : SMBIOS_MANUFACTURER;
}

static const char *version(const SmbiosPc *s)
{
    return s->system.version ? s->system.version : SMBIOS_VERSION;
}

/* 7.2; of the UUID, the first three numbers have their lowest octet first (7.2.1). */
static void put_system(Build *b, const SmbiosPc *s)
{
    static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

    start(b, 1, 0);
    put_text(b, manufacturer(s));
    put_text(b, s->system.product ? s->system.product : SMBIOS_PRODUCT);
    put_text(b, version(s));
    put_text(b, s->system.serial);
    for (unsigned i = 0; i < sizeof(order); i++)
        put(b, s->pc.uuid[order[i]], 1);
    put(b, 6, 1); /* woken by the power switch */
    put_text(b, s->system.sku);
    put_text(b, s->system.family);
    end(b);
}

/* 7.4 */
static void put_chassis(Build *b, const SmbiosPc *s)
{
    start(b, 3, 0);
    put_text(b, manufacturer(s));
    put(b, 1, 1); /* other */
    put_text(b, version(s));
    put_text(b, s->chassis.serial);
    put_text(b, s->chassis.asset);
    put(b, 0x02030303, 4); /* safe at start, power supply and temperature; security: unknown */
    put(b, 0, 8);          /* of the maker; height, cords; no elements, of no octets */
    put_text(b, s->chassis.sku);
    end(b);
}

/* 7.5 */
static void put_cpu(Build *b, const SmbiosPc *s, unsigned socket)
{
    char name[16];
    unsigned threads = s->cores * s->threads;

    g_snprintf(name, sizeof(name), "CPU %u", socket);
    start(b, 4, socket);
    put_text(b, name);
    put(b, 0x0103, 2); /* a central processor, of another family */
    put_text(b, manufacturer(s));
    put(b, s->cpuid_version, 4);
    put(b, s->cpuid_features, 4);
    put_text(b, version(s));
    put(b, 0, 3);              /* voltage; external clock */
    put(b, 2000, 2);           /* MHz at most */
    put(b, 2000, 2);           /* now */
    put(b, 0x0141, 2);         /* in its socket, enabled; which cannot be upgraded */
    put(b, 0xffffffffffff, 6); /* no caches told */
    put(b, 0, 3);              /* serial number, asset tag, part number */
    put(b, MIN(s->cores, 255), 1);
    put(b, MIN(s->cores, 255), 1);
    put(b, MIN(threads, 255), 1);
    put(b, 1 << 1, 2); /* characteristics: unknown */
    put(b, 1, 2);      /* the family again */
    end(b);
}

/* 7.17: memory in modules, without correction of errors; the size in KiB, or from 2 TiB on in octets. */
static void put_array(Build *b, uint64_t memory, unsigned dimms)
{
    const uint32_t extended = UINT32_C(1) << 31;

    start(b, 16, 0);
    put(b, 0x060301, 3); /* other place; system memory; errors are corrected in many bits */
    put(b, memory / kib < extended ? memory / kib : extended, 4);
    put(b, HANDLE_NONE, 2);
    put(b, dimms, 2);
    put(b, memory / kib < extended ? 0 : memory, 8);
    end(b);
}

/* 7.18; the size in MiB, or beyond 15 bits as another number. */
static void put_dimm(Build *b, const SmbiosPc *s, unsigned number, uint64_t size)
{
    enum { EXTENDED = 0x7fff };
    char name[16];

    g_snprintf(name, sizeof(name), "DIMM %u", number);
    start(b, 17, number);
    put(b, HANDLE_ARRAY, 2);
    put(b, HANDLE_NONE, 2);
    put(b, 0xffffffff, 4); /* widths: unknown */
    put(b, MIN(size / mib, EXTENDED), 2);
    put(b, 0x0009, 2); /* a DIMM, of no set */
    put_text(b, name);
    put(b, 0, 1);        /* bank */
    put(b, 0x000207, 3); /* RAM; its detail: other */
    put(b, 0, 2);        /* speed: unknown */
    put_text(b, manufacturer(s));
    put(b, 0, 4); /* serial number, asset tag, part number, ranks */
    put(b, size / mib < EXTENDED ? 0 : size / mib, 4);
    put(b, 0, 8); /* speed, voltages */
    end(b);
}

/* 7.20; in KiB, or in octets if that is too much for 32 bits. */
static void put_addresses(Build *b, unsigned number, uint64_t base, uint64_t size)
{
    uint64_t last = base + size - 1;
    bool extended = last / kib >= UINT32_MAX;

    start(b, 19, number);
    put(b, extended ? UINT32_MAX : base / kib, 4);
    put(b, extended ? UINT32_MAX : last / kib, 4);
    put(b, HANDLE_ARRAY, 2);
    put(b, 1, 1);
    put(b, extended ? base : 0, 8);
    put(b, extended ? last : 0, 8);
    end(b);
}

static void put_memory(Build *b, const SmbiosPc *s)
{
    uint64_t memory = s->pc.below_4g + s->pc.above_4g;
    unsigned dimms = (unsigned)((memory + dimm - 1) / dimm);

    put_array(b, memory, dimms);
    for (unsigned i = 0; i < dimms; i++)
        put_dimm(b, s, i, MIN(dimm, memory - i * dimm));
    put_addresses(b, 0, 0, s->pc.below_4g);
    if (s->pc.above_4g)
        put_addresses(b, 1, UINT64_C(1) << 32, s->pc.above_4g);
}

/* 7.33: no error has been seen at the start; 7.45. */
static void put_last(Build *b)
{
    start(b, 32, 0);
    put(b, 0, 7);
    end(b);
    start(b, 127, 0);
    end(b);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static bool check_text(const char *what, const char *text, GError **error)
{
    if (!text || (*text && strlen(text) <= TEXT_MAX))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "SMBIOS %s: 0x%zx octets are not 0x1 to 0x%x", what,
                strlen(text), TEXT_MAX);
    return false;
}

static bool check(const SmbiosPc *s, GError **error)
{
    const uint64_t most = UINT64_C(1) << 42; /* 256 modules: their handles have an octet */
    uint64_t memory = s->pc.below_4g + s->pc.above_4g;

    if (!boot_check(&s->pc, error))
        return false;
    if (!s->cores || !s->threads || s->cores > BOOT_CPUS_MAX || s->threads > BOOT_CPUS_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "SMBIOS: 0x%x cores of 0x%x threads are not 1 to 0xff",
                    s->cores, s->threads);
        return false;
    }
    if (memory > most) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "SMBIOS: 0x%" PRIx64 " octets of memory are more than 0x%" PRIx64, memory, most);
        return false;
    }
    return check_text("bios vendor", s->bios.vendor, error) && check_text("bios version", s->bios.version, error) &&
           check_text("bios date", s->bios.date, error) && check_text("manufacturer", s->system.manufacturer, error) &&
           check_text("product", s->system.product, error) && check_text("version", s->system.version, error) &&
           check_text("serial", s->system.serial, error) && check_text("sku", s->system.sku, error) &&
           check_text("family", s->system.family, error) && check_text("chassis serial", s->chassis.serial, error) &&
           check_text("chassis asset", s->chassis.asset, error) && check_text("chassis sku", s->chassis.sku, error);
}

/* 5.2.1, with what is told of all structures. */
static GBytes *make_anchor(const Build *b)
{
    GByteArray *a = g_byte_array_new();

    put_octets(a, "_SM_", 4);
    put_le(a, 0, 1);
    put_le(a, 0x1f, 1); /* octets of this */
    put_le(a, 0x0802, 2);
    put_le(a, b->longest, 2);
    put_zeros(a, 6);
    put_octets(a, "_DMI_", 5);
    put_le(a, 0, 1);
    put_le(a, b->tables->len, 2);
    put_le(a, 0, 4);
    put_le(a, b->count, 2);
    put_le(a, 0x28, 1);
    return g_byte_array_free_to_bytes(a);
}

bool smbios_make(const SmbiosPc *s, GBytes **tables, GBytes **anchor, GError **error)
{
    g_autoptr(GByteArray) octets = g_byte_array_new();
    Build b = {.tables = octets};
    unsigned per_socket, sockets;

    if (!check(s, error))
        return false;
    per_socket = s->cores * s->threads;
    sockets = (s->pc.max_cpus + per_socket - 1) / per_socket;
    if (s->bios.vendor || s->bios.version || s->bios.date)
        put_bios(&b, s);
    put_system(&b, s);
    put_chassis(&b, s);
    for (unsigned i = 0; i < MIN(sockets, SOCKETS_MAX); i++)
        put_cpu(&b, s, i);
    put_memory(&b, s);
    put_last(&b);
    if (octets->len > UINT16_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "SMBIOS: 0x%x octets are more than 0xffff", octets->len);
        return false;
    }
    *anchor = make_anchor(&b);
    *tables = g_bytes_new(octets->data, octets->len);
    return true;
}

bool smbios_install(const SmbiosPc *smbios, Device *fw_cfg, GError **error)
{
    g_autoptr(GBytes) tables = NULL, anchor = NULL;

    return smbios_make(smbios, &tables, &anchor, error) &&
           fw_cfg_add_file(fw_cfg, &(FwCfgFile){.name = SMBIOS_ANCHOR_FILE, .octets = anchor}, error) &&
           fw_cfg_add_file(fw_cfg, &(FwCfgFile){.name = SMBIOS_TABLES_FILE, .octets = tables}, error);
}

enum { ANCHOR_CHECKSUM = 4, ANCHOR_DMI = 0x10, DMI_CHECKSUM = 0x15, DMI_ADDRESS = 0x18, ANCHOR_SIZE = 0x20 };

static uint8_t complement(const uint8_t *octets, size_t len)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum += octets[i];
    return (uint8_t)-sum;
}

bool smbios_place(const SmbiosPc *smbios, uint8_t *memory, uint32_t address, size_t size, GError **error)
{
    g_autoptr(GBytes) tables = NULL, anchor = NULL;

    if (!smbios_make(smbios, &tables, &anchor, error))
        return false;
    gsize tables_len, anchor_len;
    const void *structures = g_bytes_get_data(tables, &tables_len), *entry = g_bytes_get_data(anchor, &anchor_len);
    if (ANCHOR_SIZE + tables_len > size) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "SMBIOS: 0x%zx octets have no room in 0x%zx",
                    ANCHOR_SIZE + (size_t)tables_len, size);
        return false;
    }
    memcpy(memory, entry, anchor_len);
    memcpy(memory + ANCHOR_SIZE, structures, tables_len);
    store_le(memory + DMI_ADDRESS, address + ANCHOR_SIZE, 4);
    memory[DMI_CHECKSUM] = complement(memory + ANCHOR_DMI, anchor_len - ANCHOR_DMI);
    memory[ANCHOR_CHECKSUM] = complement(memory, anchor_len);
    return true;
}
