/*
 * elf.c: ELF files of 32 and 64 bits, as kernels are: what is to be loaded, and notes.
 *
 * Source: Tool Interface Standard, Executable and Linking Format 1.2, book I (header, program headers, notes); its
 * form of 64 bits from the System V ABI, chapters 4 and 5.
 * Not done: sections, relocation, files with more than 64 program headers.
 */
#include "emu/boot/kernel-impl.h"

enum {
    IDENT_CLASS = 4, /* 1: 32 bits, 2: 64 */
    IDENT_DATA = 5,  /* 1: lowest octet first */
    MACHINE = 18,
    MACHINE_386 = 3,
    MACHINE_X86_64 = 62,
    HEADER_SIZE = 52, /* at least */
    HEADER_SIZE_64 = 64,
    PART_SIZE = 32,
    PART_SIZE_64 = 56,
    PART_LOAD = 1,
    PART_NOTE = 4,
    NOTE_SIZE = 12,
    PARTS_MAX = 64, /* kernels have some ten */
};

typedef struct Header {
    bool wide;
    uint64_t entry, parts; /* where the program headers are */
    unsigned part_size, count;
} Header;

typedef struct Part {
    uint32_t type;
    uint64_t offset, addr, in_file, in_memory, alignment;
} Part;

bool elf_is(const KernelFile *file)
{
    return file->size >= HEADER_SIZE && memcmp(file->data, "\177ELF", 4) == 0;
}

/* --- headers ---------------------------------------------------------------------------------------------------- */

static bool read_header(const KernelFile *file, Header *h, GError **error)
{
    const uint8_t *d = file->data;
    unsigned kind = elf_is(file) ? d[IDENT_CLASS] : 0;

    if (kind != 1 && kind != 2)
        return kernel_refuse(error, file->name, IDENT_CLASS, "ELF class", kind, "neither 1 nor", 2);
    if (d[IDENT_DATA] != 1)
        return kernel_refuse(error, file->name, IDENT_DATA, "ELF order of octets", d[IDENT_DATA], "not", 1);
    h->wide = kind == 2;
    if (!kernel_in_file(file, 0, h->wide ? HEADER_SIZE_64 : HEADER_SIZE, "ELF header", error))
        return false;
    if (load_le(d + MACHINE, 2) != MACHINE_386 && load_le(d + MACHINE, 2) != MACHINE_X86_64)
        return kernel_refuse(error, file->name, MACHINE, "ELF machine", load_le(d + MACHINE, 2), "neither 0x3 nor",
                             MACHINE_X86_64);
    h->entry = h->wide ? load_le(d + 24, 8) : load_le(d + 24, 4);
    h->parts = h->wide ? load_le(d + 32, 8) : load_le(d + 28, 4);
    h->part_size = (unsigned)load_le(d + (h->wide ? 54 : 42), 2);
    h->count = (unsigned)load_le(d + (h->wide ? 56 : 44), 2);
    if (h->count && h->part_size < (h->wide ? PART_SIZE_64 : PART_SIZE))
        return kernel_refuse(error, file->name, h->wide ? 54 : 42, "ELF size of program headers", h->part_size, "below",
                             h->wide ? PART_SIZE_64 : PART_SIZE);
    if (h->count > PARTS_MAX)
        return kernel_refuse(error, file->name, h->wide ? 56 : 44, "ELF number of program headers", h->count,
                             "more than", PARTS_MAX);
    return kernel_in_file(file, h->parts, (uint64_t)h->count * h->part_size, "ELF program headers", error);
}

/* They are in the file. */
static Part read_part(const KernelFile *file, const Header *h, unsigned n)
{
    const uint8_t *d = file->data + h->parts + (uint64_t)n * h->part_size;

    if (h->wide)
        return (Part){.type = (uint32_t)load_le(d, 4),
                      .offset = load_le(d + 8, 8),
                      .addr = load_le(d + 24, 8),
                      .in_file = load_le(d + 32, 8),
                      .in_memory = load_le(d + 40, 8),
                      .alignment = load_le(d + 48, 8)};
    return (Part){.type = (uint32_t)load_le(d, 4),
                  .offset = load_le(d + 4, 4),
                  .addr = load_le(d + 12, 4),
                  .in_file = load_le(d + 16, 4),
                  .in_memory = load_le(d + 20, 4),
                  .alignment = load_le(d + 28, 4)};
}

/* --- loading ---------------------------------------------------------------------------------------------------- */

static bool load_part(const BootKernel *boot, const KernelFile *file, const Part *p, GError **error)
{
    if (p->in_file > p->in_memory)
        return kernel_refuse(error, file->name, p->offset, "ELF octets in the file", p->in_file, "more than in memory,",
                             p->in_memory);
    if (!kernel_in_file(file, p->offset, p->in_file, "ELF part", error) ||
        !kernel_in_memory(boot, p->offset, p->addr, p->in_memory, error))
        return false;
    memcpy(boot->memory + p->addr, file->data + p->offset, p->in_file);
    memset(boot->memory + p->addr + p->in_file, 0, p->in_memory - p->in_file);
    return true;
}

bool elf_load(const BootKernel *boot, KernelElf *elf, GError **error)
{
    KernelFile file = kernel_file(boot->kernel);
    Header h;

    if (!read_header(&file, &h, error))
        return false;
    *elf = (KernelElf){.entry = h.entry};
    for (unsigned n = 0; n < h.count; n++) {
        Part p = read_part(&file, &h, n);
        if (p.type != PART_LOAD || !p.in_memory)
            continue;
        if (!load_part(boot, &file, &p, error))
            return false;
        elf->end = MAX(elf->end, p.addr + p.in_memory);
    }
    if (!elf->end)
        return kernel_refuse(error, file.name, h.parts, "ELF parts to load", 0, "none of", h.count);
    return true;
}

/* --- notes ------------------------------------------------------------------------------------------------------ */

/* In a part of the file, which is in it: three numbers, the owner, the contents, each aligned. */
static uint64_t find_in_part(const KernelFile *file, const Part *p, const char *owner, const uint32_t wanted[2])
{
    uint64_t mask = p->alignment == 8 ? 7 : 3, at = 0;

    while (p->in_file - at >= NOTE_SIZE) {
        const uint8_t *note = file->data + p->offset + at;
        uint64_t name = load_le(note, 4), size = load_le(note + 4, 4);
        uint64_t contents = at + ((NOTE_SIZE + name + mask) & ~mask);
        if (contents > p->in_file || size > p->in_file - contents)
            return 0;
        if (load_le(note + 8, 4) == wanted[0] && name == wanted[1] && memcmp(note + NOTE_SIZE, owner, name) == 0)
            return p->offset + at;
        at = (contents + size + mask) & ~mask;
        if (at > p->in_file)
            return 0;
    }
    return 0;
}

uint64_t elf_find_note(const KernelFile *file, const char *owner, uint32_t type, uint64_t *len)
{
    const uint32_t wanted[2] = {type, (uint32_t)strlen(owner) + 1};
    Header h;

    if (!read_header(file, &h, NULL))
        return 0;
    for (unsigned n = 0; n < h.count; n++) {
        Part p = read_part(file, &h, n);
        uint64_t mask = p.alignment == 8 ? 7 : 3, found = 0;
        if (p.type == PART_NOTE && kernel_in_file(file, p.offset, p.in_file, "note", NULL))
            found = find_in_part(file, &p, owner, wanted);
        if (!found)
            continue;
        *len = load_le(file->data + found + 4, 4);
        return found + ((NOTE_SIZE + wanted[1] + mask) & ~mask);
    }
    return 0;
}
