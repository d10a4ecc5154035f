/*
 * smm-probe.S: a firmware of 64 KiB that says on COM1 what system management mode does on a PC with a 440FX: which
 * registers it finds, what can be seen at 0xa0000 for each value of SMRAM, which writes to the APM ports bring an SMI and
 * to whom, what INIT and a reset leave of it. After WAIT it is in the handler for seconds, with an SMI and an INIT
 * waiting: the time to move it elsewhere. DONE is its last line.
 *
 * Source: Intel 440FX data sheet, 3.2.23; 82371AB data sheet, 7.1 and 7.2; AMD64 APM volume 2, chapter 10.
 */
    .intel_syntax noprefix
    .code16
    .section .text

    .set COUNT, 0x500        /* SMIs taken by the handler at 0x38000; */
    .set COUNT_HIGH, 0x502   /* by the one at 0xa8000 */
    .set REVISION, 0x504
    .set BASE, 0x508
    .set SEEN, 0x50c         /* at 0xa0000 */
    .set KEPT, 0x50d         /* at 0xa0010, after a write of 0x5a */
    .set TASK, 0x510
    .set APIC, 0x514
    .set STAGE, 0x520
    .set FAULT, 0x530

    .set TASK_RELOCATE, 1
    .set TASK_AGAIN, 2
    .set TASK_RESET, 4
    .set TASK_INIT, 8
    .set TASK_WAIT, 16
    .set TASK_SIPI, 32
    .set WAIT_SECONDS, 10

    .macro say text
    mov si, offset 1f
    call print
    .section .rodata
1:  .asciz "\text"
    .section .text
    .endm
    .macro say_octet at
    mov al, [\at]
    call print_octet
    .endm
    .macro say_word at
    mov ax, [\at]
    call print_word
    .endm
    .macro set_smram value
    mov al, \value
    call write_smram
    .endm
    .macro smi value
    mov al, \value
    out 0xb2, al
    call pause
    .endm

print_char: /* al */
    push dx
    push ax
    mov dx, 0x3fd
1:  in al, dx
    test al, 0x20
    jz 1b
    pop ax
    mov dx, 0x3f8
    out dx, al
    pop dx
    ret
print: /* cs:si */
    mov al, cs:[si]
    inc si
    test al, al
    jz 1f
    call print_char
    jmp print
1:  ret
print_digit:
    and al, 15
    cmp al, 10
    jb 1f
    add al, 39
1:  add al, 48
    jmp print_char
print_octet:
    push ax
    shr al, 4
    call print_digit
    pop ax
    push ax
    call print_digit
    pop ax
    ret
print_word:
    push ax
    mov al, ah
    call print_octet
    pop ax
    jmp print_octet
print_long:
    push eax
    shr eax, 16
    call print_word
    pop eax
    jmp print_word

pause: /* long enough for an SMI that comes by way of another thread */
    mov cx, 200
1:  in al, 0x61
    loop 1b
    ret

/* PCI configuration: bus 0, devfn bh, register bl; al */
select:
    push eax
    movzx eax, bx
    or eax, 0x80000000
    and al, 0xfc
    mov dx, 0xcf8
    out dx, eax
    pop eax
    mov dx, 0xcfc
    mov cl, bl
    and cl, 3
    add dl, cl
    ret
write_config:
    call select
    out dx, al
    ret
read_config:
    call select
    in al, dx
    ret
write_smram:
    mov bx, 0x0072
    jmp write_config
read_smram:
    mov bx, 0x0072
    jmp read_config
enable: /* APMC_EN := al */
    mov bx, 0x0b5b
    jmp write_config

say_counts:
    say " count "
    say_word COUNT
    say " high "
    say_word COUNT_HIGH
    say "\n"
    ret
say_registers:
    say "smram "
    call read_smram
    call print_octet
    say " apmc_en "
    mov bx, 0x0b5b
    call read_config
    call print_octet
    say " apmc "
    in al, 0xb2
    call print_octet
    say " apms "
    in al, 0xb3
    call print_octet
    mov bx, 0x0b41 /* PMBA := 0x600 */
    mov al, 0x06
    call write_config
    mov bx, 0x0b80
    mov al, 1
    call write_config
    say " pm1 "
    mov dx, 0x604
    in ax, dx
    call print_word
    say " "
    ret
try_control: /* what PM1 control keeps of 0 and of SCI_EN */
    say "pm1 control: "
    mov dx, 0x604
    in ax, dx
    push ax
    mov ax, 0
    out dx, ax
    in ax, dx
    call print_word
    say " "
    mov dx, 0x604
    mov ax, 1
    out dx, ax
    in ax, dx
    call print_word
    say "\n"
    mov dx, 0x604
    pop ax
    out dx, ax
    ret
say_msr: /* ecx */
    mov byte ptr [FAULT], 0
    push ecx
    rdmsr
    push eax
    say " msr "
    pop ebx
    pop ecx
    mov eax, ecx
    call print_octet
    cmp byte ptr [FAULT], 0
    jne 1f
    say " = "
    mov eax, ebx
    jmp print_long
1:  say " #GP"
    ret
say_count_msr:
    mov ecx, 0x34
    call say_msr
    say "\n"
    ret

fault: /* #GP of rdmsr */
    push bp
    mov bp, sp
    add word ptr [bp + 2], 2
    pop bp
    mov byte ptr [FAULT], 1
    iret

/* al: SMRAM. Writes the same value, inverted, to 0xa0000 and 0xb8000, says what can be read then, and in memory */
try_smram:
    push ax
    call write_smram
    say "smram "
    call read_smram
    call print_octet
    pop ax
    mov bx, 0xa000
    call try_segment
    mov bx, 0xb800
    call try_segment
    say "\n"
    ret
try_segment:
    push ax
    say " "
    mov ax, bx
    call print_word
    say ": was "
    mov es, bx
    mov al, es:[0]
    call print_octet
    say " is "
    pop ax
    push ax
    mov es:[0], al
    mov al, es:[0]
    call print_octet
    pop ax
    ret

say_seen:
    say " revision "
    mov eax, [REVISION]
    call print_long
    say " base "
    mov eax, [BASE]
    call print_long
    say " seen "
    say_octet SEEN
    say " kept "
    say_octet KEPT
    say " lapic "
    mov eax, [APIC]
    call print_long
    jmp say_counts

/* bx: segment */
copy_handler:
    mov es, bx
    mov di, 0x8000
    mov si, offset handler
    mov cx, offset handler_end - handler
    rep movsb es:[di], cs:[si]
    ret

    .globl start
start:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    mov word ptr [13 * 4], offset fault
    mov word ptr [13 * 4 + 2], 0xf000
    cmp word ptr [STAGE], 0x1111
    je stage2
    cmp word ptr [STAGE], 0x2222
    je stage3
    cmp word ptr [STAGE], 0x3333
    je stage4
    mov di, COUNT
    mov es, ax
    mov cx, 64
    rep stosb

    say "BEGIN "
    call say_registers
    call say_count_msr
    mov al, 0x02
    call try_smram
    mov al, 0x0a
    call try_smram
    mov al, 0x42
    call try_smram
    mov al, 0x4a
    call try_smram
    mov al, 0x49
    call try_smram
    mov al, 0x02
    call try_smram

    mov bx, 0x3000
    call copy_handler
    say "as found:"
    smi 0x12
    call say_counts
    mov al, 0
    call enable
    say "disabled:"
    smi 0x12
    call say_counts
    mov al, 2
    call enable
    say "enabled:"
    smi 0x12
    call say_seen
    say "acpi on: "
    smi 0xf1
    call say_registers
    call say_counts
    say "acpi off: "
    smi 0xf0
    call say_registers
    call say_counts
    call try_control
    say "status:"
    mov al, 0x77
    out 0xb3, al
    call pause
    call say_counts
    say "again:"
    mov byte ptr [TASK], TASK_AGAIN
    smi 0x13
    call say_counts
    call say_count_msr

    /* in SMRAM */
    set_smram 0x0a
    say "smram on:"
    smi 0x14
    call say_seen
    set_smram 0x4a
    mov bx, 0xa000
    call copy_handler
    mov ax, 0xa000
    mov es, ax
    mov byte ptr es:[0], 0x99
    say "smram open:"
    smi 0x14
    call say_seen
    set_smram 0x0a
    say "smram closed:"
    mov byte ptr [TASK], TASK_RELOCATE
    smi 0x15
    call say_seen
    say "relocated:"
    smi 0x16
    call say_seen
    set_smram 0x1a
    say "locked: smram "
    set_smram 0x5a
    call read_smram
    call print_octet
    say " "
    set_smram 0x02
    call read_smram
    call print_octet
    smi 0x16
    call say_seen
    mov ax, 0xa000
    mov es, ax
    say "outside: "
    mov al, es:[0]
    call print_octet
    say " "
    mov al, es:[0x8000]
    call print_octet
    say "\n"

    say "sipi: "
    mov byte ptr [TASK], TASK_SIPI
    smi 0x17
    mov cx, 20
1:  push cx
    call pause
    pop cx
    loop 1b
    call say_seen

    mov word ptr [STAGE], 0x1111
    mov byte ptr [TASK], TASK_INIT
    smi 0x18
    say "no INIT\n"

stage2: /* behind INIT, with the old SMBASE */
    say "INIT: "
    call say_registers
    call say_counts
    say "after INIT:"
    smi 0x19
    call say_seen
    mov word ptr [STAGE], 0x2222
    mov byte ptr [TASK], TASK_RESET
    smi 0x1a
    say "no reset\n"
    call pause
    mov dx, 0xcf9
    mov al, 2
    out dx, al
    mov al, 6
    out dx, al
1:  jmp 1b

stage3:
    say "RESET "
    call say_registers
    call say_counts
    call say_count_msr
    mov al, 2
    call enable
    set_smram 0x0a
    say "after reset:"
    smi 0x1b
    call say_seen
    call say_count_msr
    mov word ptr [STAGE], 0x3333
    mov byte ptr [TASK], TASK_WAIT
    say "WAIT\n"
    smi 0x1c
    say "no INIT\n"

stage4:
    say "END "
    call say_registers
    call say_seen
    call say_count_msr
    say "DONE\n"
1:  hlt
    jmp 1b

/* The handler: copied, so without a fixed place. Segments but CS have base 0, and all 4 GiB. No stack. */
handler:
    mov ax, cs
    cmp ax, 0x3000
    jne 1f
    inc word ptr ds:[COUNT]
    jmp 2f
1:  inc word ptr ds:[COUNT_HIGH]
2:  mov eax, cs:[0xfefc]
    mov ds:[REVISION], eax
    mov bx, 0xff00
    cmp al, 0x64
    je 3f
    mov bx, 0xfef8
3:  mov eax, cs:[bx]
    mov ds:[BASE], eax
    mov esi, 0xa0000
    mov al, [esi]
    mov ds:[SEEN], al
    mov byte ptr [esi + 0x10], 0x5a
    mov al, [esi + 0x10]
    mov ds:[KEPT], al
    mov esi, 0xfee00000
    mov eax, [esi + 0x20]
    mov ds:[APIC], eax
    mov dl, ds:[TASK]
    mov byte ptr ds:[TASK], 0
    test dl, TASK_RELOCATE
    jz 4f
    mov dword ptr cs:[bx], 0xa0000
4:  test dl, TASK_AGAIN
    jz 5f
    mov al, 0x21
    out 0xb2, al
5:  test dl, TASK_RESET
    jz 6f
    mov dx, 0xcf9
    mov al, 2
    out dx, al
    mov al, 6
    out dx, al
7:  jmp 7b
6:  test dl, TASK_INIT
    jz 8f
    mov dword ptr [esi + 0x310], 0
    mov dword ptr [esi + 0x300], 0x4500
8:  test dl, TASK_SIPI
    jz 9f
    mov dword ptr [esi + 0x300], 0xc4500
    mov cx, 100
10: in al, 0x61
    loop 10b
    mov dword ptr [esi + 0x300], 0xc46f8 /* page 0xf8 */
9:  test dl, TASK_WAIT
    jz 11f
    mov dword ptr [esi + 0x310], 0
    mov dword ptr [esi + 0x300], 0x4500 /* and INIT */
    mov al, 0x22
    out 0xb2, al /* one more SMI waits */
    mov cx, WAIT_SECONDS
12: mov al, 0
    out 0x70, al
    in al, 0x71
    mov ah, al
13: mov al, 0
    out 0x70, al
    in al, 0x71
    cmp al, ah
    je 13b
    loop 12b
11: rsm
handler_end:

    .section .ap, "ax"
    /* the other processor, at 0xf8000 */
    mov al, 0x31
    out 0xb2, al
1:  cli
    hlt
    jmp 1b

    .section .reset, "ax"
    .byte 0xea
    .word start, 0xf000
