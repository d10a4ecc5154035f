/*
 * dsdt.c: makes the compiled DSDT that of a machine.
 *
 * Source: ACPI Specification 6.3, sections 6.4.3.5 (address space descriptors: minimum, maximum, translation, length)
 * and 20.2 (encoding of packages, scopes, and of Processor, which 19.6.108 of version 6.2 still has).
 */
#include <string.h>

#include "emu/boot/dsdt-impl.h"
#include "emu/boot/octets-impl.h"
#include "visitors/error.h"

/* As dsdt.asl has them. */
enum {
    PRES_COM1 = 1 << 0,
    PRES_COM2 = 1 << 1,
    PRES_FLOPPIES = 1 << 2,
    PRES_HPET = 1 << 3,
    PRES_PCI64 = 1 << 5,
    HEADER_LENGTH = 4,
    HEADER_CHECKSUM = 9,
};

static const uint64_t io_apic = 0xfec00000; /* where the window of PCI below 4 GiB ends */

/* Where these octets are, of which there must be one. */
static uint8_t *find(GByteArray *dsdt, const void *octets, size_t len, GError **error)
{
    uint8_t *at = memmem(dsdt->data, dsdt->len, octets, len);

    if (at && !memmem(at + 1, dsdt->len - (size_t)(at + 1 - dsdt->data), octets, len))
        return at;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                "dsdt.asl: one of the places to change is not there, or twice");
    return NULL;
}

static bool set_number(GByteArray *dsdt, uint64_t there, uint64_t value, GError **error)
{
    uint8_t le[4], *at;

    store_le(le, there, sizeof(le));
    at = find(dsdt, le, sizeof(le), error);
    if (at)
        store_le(at, value, sizeof(le));
    return at;
}

/* A window whose minimum is `there`, `width` octets wide. */
static bool set_window(GByteArray *dsdt, uint64_t there, unsigned width, const uint64_t window[2], GError **error)
{
    uint8_t le[8] = {0}, *at;

    store_le(le, there, width);
    at = find(dsdt, le, width, error);
    if (!at)
        return false;
    store_le(at, window[0], width);
    store_le(at + width, window[0] + window[1] - 1, width);
    store_le(at + 3 * width, window[1], width);
    return true;
}

static bool set_sleep(const BootPc *pc, GByteArray *dsdt, GError **error)
{
    uint8_t *s3 = find(dsdt, "_S3_", 4, error), *s4 = s3 ? find(dsdt, "_S4_", 4, error) : NULL;

    if (!s4)
        return false;
    if (pc->s3_off)
        memcpy(s3, "NOS3", 4);
    if (pc->s4_off)
        memcpy(s4, "NOS4", 4);
    return true;
}

static bool set_places(const AcpiPc *acpi, GByteArray *dsdt, GError **error)
{
    uint64_t low[2] = {acpi->pc.below_4g, io_apic - acpi->pc.below_4g};
    uint64_t high[2] = {acpi->pci64, acpi->pci64_length};
    unsigned pres = (acpi->com1 ? PRES_COM1 : 0) | (acpi->com2 ? PRES_COM2 : 0) | (acpi->floppies ? PRES_FLOPPIES : 0) |
                    (acpi->pc.hpet ? PRES_HPET : 0) | (acpi->pci64_length ? PRES_PCI64 : 0);

    return set_number(dsdt, 0xb0075001, pres, error) &&
           set_number(dsdt, 0xb018b017, acpi->pm_base | (uint32_t)acpi->pm_base << 16, error) &&
           set_window(dsdt, 0xb0070000, 4, low, error) &&
           (!acpi->pci64_length || set_window(dsdt, UINT64_C(0xb007500200000000), 8, high, error)) &&
           set_sleep(&acpi->pc, dsdt, error);
}

/* PkgLength of two octets with what follows, or three (20.2.4): the length counts its own. */
static void put_package(GByteArray *to, const GByteArray *body)
{
    unsigned len = body->len + 2;

    if (len < 1 << 12) {
        put_le(to, 1 << 6 | (len & 0xf), 1);
        put_le(to, len >> 4, 1);
    } else {
        len++;
        put_le(to, 2 << 6 | (len & 0xf), 1);
        put_le(to, len >> 4, 2);
    }
    put_octets(to, body->data, body->len);
}

/* Scope (\_SB) { Processor (C000, 0, 0, 0) {} ... }: ids are those of the MADT. */
static void put_cpus(GByteArray *dsdt, unsigned count)
{
    g_autoptr(GByteArray) body = g_byte_array_new();

    put_octets(body, "\\_SB_", 5);
    for (unsigned n = 0; n < count; n++) {
        char name[5];
        g_snprintf(name, sizeof(name), "C%03X", n & 0xfff);
        put_octets(body, "\x5b\x83\x0b", 3); /* 11 octets with this one */
        put_octets(body, name, 4);
        put_le(body, n, 1);
        put_zeros(body, 5); /* no block of ports */
    }
    put_le(dsdt, 0x10, 1);
    put_package(dsdt, body);
}

GByteArray *dsdt_make(const AcpiPc *acpi, GError **error)
{
    g_autoptr(GByteArray) dsdt = g_byte_array_new();

    put_octets(dsdt, boot_dsdt, boot_dsdt_size);
    if (!set_places(acpi, dsdt, error))
        return NULL;
    put_cpus(dsdt, acpi->pc.max_cpus);
    store_le(dsdt->data + HEADER_LENGTH, dsdt->len, 4);
    dsdt->data[HEADER_CHECKSUM] = 0;
    return g_steal_pointer(&dsdt);
}
