/* kvm-probe.c: does /dev/kvm work? Makes a virtual machine, runs a few instructions in real mode, and prints each of
 * KVM's answers: the exits, in order, and the registers at the end. Ends with status 0 if the guest got to its HLT.
 *
 * The guest multiplies (42 goes to port 0xe9), writes where no memory is (MMIO), calls an interrupt above 0x7f, whose
 * handler writes to port 0xe9, too, computes with SSE, and halts. A KVM that emulates instructions stumbles over the
 * last two.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MEMORY = 0x10000, CODE = 0x1000, HANDLER = 0x1100, STACK = 0x8000, VECTOR = 0x80, EXITS_MAX = 16 };

/* Segment bases are 0, so offsets are addresses. */
static const unsigned char code[] = {
    0xb0, 6,                        /* mov al, 6 */
    0xb3, 7,                        /* mov bl, 7 */
    0xf6, 0xe3,                     /* mul bl */
    0xe6, 0xe9,                     /* out 0xe9, al */
    0xb8, 0,      0xf0,             /* mov ax, 0xf000 */
    0x8e, 0xd8,                     /* mov ds, ax */
    0xc6, 0x06,   0,    0,    0x5a, /* mov byte [0], 0x5a: address 0xf0000, where nothing is */
    0xcd, VECTOR,                   /* int 0x80 */
    0x66, 0x0f,   0x6e, 0xc0,       /* movd xmm0, eax */
    0x66, 0x0f,   0xfe, 0xc0,       /* paddd xmm0, xmm0 */
    0x66, 0x0f,   0x7e, 0xc1,       /* movd ecx, xmm0 */
    0xf4,                           /* hlt */
};
static const unsigned char handler[] = {
    0xb0, 'i',  /* mov al, 'i' */
    0xe6, 0xe9, /* out 0xe9, al */
    0xcf,       /* iret */
};

static int ask(int fd, unsigned long request, void *argument, const char *name)
{
    int answer = ioctl(fd, request, argument);
    if (answer < 0) {
        printf("%s: %s\n", name, strerror(errno));
        exit(1);
    }
    return answer;
}
#define ASK(fd, request, argument) ask(fd, request, argument, #request)

static void load(unsigned char *memory)
{
    memcpy(memory + CODE, code, sizeof(code));
    memcpy(memory + HANDLER, handler, sizeof(handler));
    memory[VECTOR * 4] = HANDLER & 0xff;
    memory[VECTOR * 4 + 1] = HANDLER >> 8;
}

static void set_registers(int vcpu)
{
    struct kvm_sregs special;
    ASK(vcpu, KVM_GET_SREGS, &special);
    special.cs.base = special.cs.selector = 0;
    special.cr4 |= 1 << 9; /* OSFXSR: SSE may be used */
    ASK(vcpu, KVM_SET_SREGS, &special);
    struct kvm_regs registers = {.rip = CODE, .rsp = STACK, .rflags = 2};
    ASK(vcpu, KVM_SET_REGS, &registers);
}

/* Prints an exit. Returns whether the guest goes on. */
static int show_exit(const struct kvm_run *run)
{
    switch (run->exit_reason) {
    case KVM_EXIT_IO:
        printf("exit: out of %u octet to port 0x%x: 0x%x\n", run->io.size, run->io.port,
               ((const unsigned char *)run)[run->io.data_offset]);
        return 1;
    case KVM_EXIT_MMIO:
        printf("exit: %s of %u octet at 0x%llx: 0x%x\n", run->mmio.is_write ? "write" : "read", run->mmio.len,
               (unsigned long long)run->mmio.phys_addr, run->mmio.data[0]);
        return 1;
    case KVM_EXIT_HLT:
        printf("exit: hlt\n");
        return 0;
    default:
        printf("exit: reason %u\n", run->exit_reason);
        return 0;
    }
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        printf("/dev/kvm: %s\n", strerror(errno));
        return 1;
    }
    printf("KVM API %d\n", ASK(kvm, KVM_GET_API_VERSION, 0));
    printf("irqchip %d, SMM %d\n", ASK(kvm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_IRQCHIP),
           ASK(kvm, KVM_CHECK_EXTENSION, (void *)KVM_CAP_X86_SMM));
    int vm = ASK(kvm, KVM_CREATE_VM, 0);
    unsigned char *memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        printf("memory: %s\n", strerror(errno));
        return 1;
    }
    load(memory);
    struct kvm_userspace_memory_region region = {.memory_size = MEMORY, .userspace_addr = (uintptr_t)memory};
    ASK(vm, KVM_SET_USER_MEMORY_REGION, &region);
    int vcpu = ASK(vm, KVM_CREATE_VCPU, 0);
    size_t size = (size_t)ASK(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED) {
        printf("kvm_run: %s\n", strerror(errno));
        return 1;
    }
    set_registers(vcpu);
    int exits = 0;
    do
        ASK(vcpu, KVM_RUN, 0);
    while (show_exit(run) && ++exits < EXITS_MAX);
    struct kvm_regs registers;
    ASK(vcpu, KVM_GET_REGS, &registers);
    printf("rip 0x%llx, al 0x%llx, cx 0x%llx\n", registers.rip, registers.rax & 0xff, registers.rcx & 0xffff);
    return run->exit_reason != KVM_EXIT_HLT;
}
