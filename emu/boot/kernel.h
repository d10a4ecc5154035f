/*
 * kernel.h: starting a kernel without firmware: it is put into guest memory, with what it is told, and the boot
 * processor's registers are those that its protocol asks for.
 *
 * All files come from outside: what does not fit is refused, with the place in the file and both numbers, and then the
 * registers are unchanged. Memory may have been written.
 */
#ifndef EMU_BOOT_KERNEL_H
#define EMU_BOOT_KERNEL_H

#include "emu/boot/e820.h"
#include "emu/kvm/cpu-state.h"

typedef struct BootModule {
    GBytes *octets;
    const char *text; /* multiboot: name and arguments; NULL: none */
} BootModule;

typedef struct BootKernel {
    GBytes *kernel;
    const char *command_line;  /* NULL: empty */
    const BootModule *modules; /* of them, Linux takes one: its initial RAM disk */
    unsigned module_count;

    const E820Entry *map; /* e820_for_kernel */
    unsigned map_count;
    uint64_t rsdp; /* of acpi_place; 0: there is none */

    uint8_t *memory; /* of the guest, from address 0 on, as it is seen when nothing is shadowed */
    uint64_t size;   /* where ACPI tables begin in it, or where it ends below 4 GiB */
} BootKernel;

enum {
    BOOT_LOW_FIRST = 0x10000, /* here is put what a kernel is told; kernels and modules go to 1 MiB and above */
    BOOT_LOW_END = 0x90000,
    BOOT_HIGH_FIRST = 0x100000,
    BOOT_MODULES_MAX = 64,
    BOOT_TEXT_MAX = 0x10000, /* octets of a command line with its 0 */
};

/* Which protocols the file knows. Linux's bzImage, the ELF note of PVH, the header of multiboot. */
bool kernel_is_linux(GBytes *kernel);
bool kernel_is_multiboot(GBytes *kernel);
bool kernel_is_pvh(GBytes *kernel);

/* linux.c: the 64-bit boot protocol. */
bool kernel_boot_linux(const BootKernel *boot, CpuState *cpu, GError **error);

/* pvh.c: 32 bits, hvm_start_info. */
bool kernel_boot_pvh(const BootKernel *boot, CpuState *cpu, GError **error);

/* multiboot.c: version 1, addresses in the header or an ELF file. */
bool kernel_boot_multiboot(const BootKernel *boot, CpuState *cpu, GError **error);

#endif
