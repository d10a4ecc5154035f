/*
 * start.S: the ways into the payload: multiboot 1, PVH, the second processor's start, interrupts, ring 3.
 *
 * Sources: Multiboot Specification 0.6.96; Xen's "x86/HVM direct boot ABI"; Intel SDM volume 3, 9.8.5 (to long mode),
 * 8.4 (start of further processors), 6.14 (interrupts in long mode).
 */
#define CODE64 0x08
#define DATA 0x10
#define USER_DATA 0x23
#define USER_CODE 0x2b
#define TRAMPOLINE 0x8000
#define STACK 0x4000

    .section .multiboot, "a"
    .balign 4
    .long 0x1badb002, 2, -(0x1badb002 + 2) /* flags: tell of memory */

    .section .note.Xen, "a"
    .balign 4
    .long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long start32

/* --- the boot processor, in 32 bits: EAX is multiboot's magic number, EBX says where we are told things */
    .text
    .code32
    .globl start32
start32:
    cli
    cld
    movl %eax, boot_magic
    movl %ebx, boot_info
    movl $boot_stack + STACK, %esp
    call make_tables
    movl $start64, %edi
long_mode: /* on to EDI */
    movl %cr4, %eax
    orl $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $page_map, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax /* EFER.LME */
    wrmsr
    movl %cr0, %eax
    andl $~0x6000000c, %eax /* caches on, no x87 emulation, no task switch pending */
    orl $0x80000003, %eax   /* paging, protection, monitor coprocessor */
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $CODE64, $1f
    .code64
1:  movl $DATA, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movl %eax, %ss
    movl %edi, %edi
    jmp *%rdi
    .code32

/* 4 GiB one to one in pages of 2 MiB, for ring 3; the fourth is not cached. */
make_tables:
    movl $page_directories, %edi
    movl $0x87, %eax
    xorl %edx, %edx
1:  cmpl $0xc0000000, %eax
    jb 2f
    orl $0x18, %eax
2:  movl %eax, (%edi)
    movl %edx, 4(%edi)
    addl $8, %edi
    addl $0x200000, %eax
    jnc 1b
    movl $page_directories + 7, %eax
    movl $page_pointers, %edi
    movl $4, %ecx
3:  movl %eax, (%edi)
    movl %edx, 4(%edi)
    addl $8, %edi
    addl $0x1000, %eax
    loop 3b
    movl $page_pointers + 7, page_map
    ret

    .code64
start64:
    movq $boot_stack + STACK, %rsp
    call boot_main /* does not come back */

/* --- the second processor: begins in real mode at TRAMPOLINE, whereto this is copied */
    .code16
    .globl trampoline, trampoline_end
trampoline:
    cli
    cld
    xorl %eax, %eax
    movw %ax, %ds
    lgdtl %ds:(TRAMPOLINE + trampoline_gdt - trampoline)
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $0x18, $ap32
    .balign 4
trampoline_gdt:
    .word 6 * 8 - 1
    .long gdt
trampoline_end:

    .code32
ap32:
    movl $DATA, %eax
    movl %eax, %ds
    movl %eax, %ss
    movl $ap64, %edi
    jmp long_mode
    .code64
ap64:
    movq $second_stack + STACK, %rsp
    call second_main

/* --- to ring 3: RDI is where, RSI its stack, RDX its flags */
    .globl enter_user
enter_user:
    pushq $USER_DATA
    pushq %rsi
    pushq %rdx
    pushq $USER_CODE
    pushq %rdi
    iretq

/* --- interrupts: those of the processor which have no error code get one */
    .altmacro
    .macro entry vector
    .balign 16
    .if !(\vector == 8 || (\vector >= 10 && \vector <= 14) || \vector == 17 || \vector == 30)
    pushq $0
    .endif
    pushq $\vector
    jmp common
    .endm

    .balign 16
    .globl interrupt_entries
interrupt_entries:
    .set number, 0
    .rept 256
    entry %number
    .set number, number + 1
    .endr

common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    cld
    movq %rsp, %rdi
    call interrupt
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

/* --- what is known when ring 3 begins */
    .data
    .globl boot_magic, boot_info, gdt, gdt_pointer
boot_magic: .long 0
boot_info: .long 0
    .balign 16
gdt:
    .quad 0
    .quad 0x00af9a000000ffff /* 0x08 code, 64 bits */
    .quad 0x00cf92000000ffff /* 0x10 data */
    .quad 0x00cf9a000000ffff /* 0x18 code, 32 bits */
    .quad 0x00cff2000000ffff /* 0x20 data, ring 3 */
    .quad 0x00affa000000ffff /* 0x28 code, 64 bits, ring 3 */
    .quad 0, 0, 0, 0         /* 0x30, 0x40: task states */
    .globl gdt_ldt
gdt_ldt:
    .quad 0, 0               /* 0x50: a local table */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .bss
    .globl page_directories
    .balign 4096
page_map: .skip 4096
page_pointers: .skip 4096
page_directories: .skip 4 * 4096
    .balign STACK
    .globl boot_stack, second_stack
boot_stack: .skip STACK
second_stack: .skip STACK

    .section .note.GNU-stack, "", @progbits
