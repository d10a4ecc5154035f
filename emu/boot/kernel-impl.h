/*
 * kernel-impl.h: what the protocols have in common.
 */
#ifndef EMU_BOOT_KERNEL_IMPL_H
#define EMU_BOOT_KERNEL_IMPL_H

#include "emu/boot/kernel.h"
#include "emu/boot/octets-impl.h"
#include "visitors/error.h"

/* A file, and what it is called in messages. */
typedef struct KernelFile {
    const char *name;
    const uint8_t *data;
    uint64_t size;
} KernelFile;

KernelFile kernel_file(GBytes *octets);

/* "kernel: at 0x1f4: syssize: 0x10 is beyond 0x8". Returns false. */
bool kernel_refuse(GError **error, const char *name, uint64_t offset, const char *what, uint64_t got, const char *is,
                   uint64_t limit);

/* Are these octets in the file? */
bool kernel_in_file(const KernelFile *file, uint64_t offset, uint64_t len, const char *what, GError **error);

/* A place for `size` octets of the file at `offset`: from 1 MiB on, before the end of memory. */
bool kernel_in_memory(const BootKernel *boot, uint64_t offset, uint64_t addr, uint64_t size, GError **error);

/* Checks what is not in the kernel's file: memory, texts, number of modules. */
bool kernel_check(const BootKernel *boot, GError **error);

/* What is told goes to low memory, one after the other. */
typedef struct KernelLow {
    const BootKernel *boot;
    uint64_t next;
} KernelLow;

/* Room, of zeros, for which it returns the address; 0 with an error if there is none. `alignment`: a power of two. */
uint64_t kernel_low_room(KernelLow *low, uint64_t size, uint64_t alignment, GError **error);
uint64_t kernel_low_text(KernelLow *low, const char *text, GError **error);

/*
 * Puts all modules behind `end`, on pages; `addresses` has one for each. They go up, and end before the memory does.
 */
bool kernel_put_modules(const BootKernel *boot, uint64_t end, uint64_t *addresses, GError **error);

/* Protected mode with flat segments of 32 bits, no paging, interrupts off; or with pages, `pages` being CR3, 64. */
void kernel_cpu_32(CpuState *cpu, uint64_t gdt, uint32_t entry);
void kernel_cpu_64(CpuState *cpu, uint64_t gdt, uint64_t pages, uint64_t entry);

enum { KERNEL_GDT_SIZE = 5 * 8 };
void kernel_put_gdt(uint8_t *gdt, bool wide);

/* elf.c */
typedef struct KernelElf {
    uint64_t entry, end; /* end: of what it has in memory */
} KernelElf;

bool elf_is(const KernelFile *file);

/* Puts the parts that are to be loaded at their physical addresses. */
bool elf_load(const BootKernel *boot, KernelElf *elf, GError **error);

/* A note by owner and type: where its contents are in the file; 0 if it is not there. */
uint64_t elf_find_note(const KernelFile *file, const char *owner, uint32_t type, uint64_t *len);

#endif
