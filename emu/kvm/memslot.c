/*
 * memslot.c: keeps the memory slots of KVM like the flat view of a machine's memory.
 *
 * KVM does not let a slot change its place in the host or become writable, so what is not the same any more goes, and
 * then what is new comes. Meanwhile a processor that gets there exits, and finds the memory through the machine's
 * space.
 * In system management mode a processor sees a second set of slots: the same, but for SMRAM (Linux,
 * Documentation/virt/kvm/api.rst, 4.35, KVM_CAP_MULTI_ADDRESS_SPACE).
 */
#include "emu/kvm/memslot.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "visitors/error.h"

enum { SLOT_PAGE = 4096 };

static KvmSlot *slot(const Kvm *kvm, unsigned space, guint i)
{
    return &g_array_index(kvm->slots[space], KvmSlot, i);
}

static bool same(const KvmSlot *a, const KvmSlot *b)
{
    return a->base == b->base && a->size == b->size && a->host == b->host && a->read_only == b->read_only;
}

static bool tell_slot(const Kvm *kvm, unsigned number, const KvmSlot *s)
{
    struct kvm_userspace_memory_region region = {
        .slot = number,
        .flags = (s->read_only && s->size ? KVM_MEM_READONLY : 0) | (s->log ? KVM_MEM_LOG_DIRTY_PAGES : 0),
        .guest_phys_addr = s->base,
        .memory_size = s->size,
        .userspace_addr = (uintptr_t)s->host,
    };

    return ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &region) == 0;
}

bool kvm_set_slot_flags(const Kvm *kvm, unsigned space, unsigned i)
{
    return tell_slot(kvm, kvm_slot_number(space, i), slot(kvm, space, i));
}

/* Makes slot number i of KVM what *s says. The first refusal is kept: the listener has nobody to tell. */
static void set_slot(Kvm *kvm, unsigned space, guint i, const KvmSlot *s)
{
    KvmSlot now = *s;

    if (kvm_slot_is_logged(kvm, &now))
        kvm_slot_comes(&now);
    if (!tell_slot(kvm, kvm_slot_number(space, i), &now) && !kvm->failure)
        kvm->failure = g_strdup_printf("KVM: memory of %" G_GUINT64_FORMAT " octets at 0x%" G_GINT64_MODIFIER "x: %s",
                                       s->size, s->base, g_strerror(errno));
    kvm_slot_goes(slot(kvm, space, i)); /* now nobody writes by it any more */
    *slot(kvm, space, i) = now;
}

/* Whole pages of guest memory: the rest is reached through exits. */
static bool slot_of(const SpaceRange *r, KvmSlot *s)
{
    uint64_t skipped = -r->base % SLOT_PAGE;

    if (!r->ram || r->size < skipped + SLOT_PAGE)
        return false;
    *s = (KvmSlot){.base = r->base + skipped,
                   .size = (r->size - skipped) / SLOT_PAGE * SLOT_PAGE,
                   .host = r->ram->host + r->offset + skipped,
                   .ram = r->ram,
                   .offset = r->offset + skipped,
                   .read_only = r->read_only};
    return (r->offset + skipped) % SLOT_PAGE == 0;
}

static void want(GArray *wanted, const SpaceRange *r)
{
    KvmSlot s;

    if (slot_of(r, &s))
        g_array_append_val(wanted, s);
}

/* What is left of a range in front of the SMRAM and behind it. */
static void want_around(GArray *wanted, const SpaceRange *r, const KvmSmram *smram)
{
    uint64_t end = r->base + r->size, smram_end = smram->base + smram->size;
    SpaceRange part = *r;

    part.size = MIN(end, smram->base) - r->base;
    if (r->base < smram->base)
        want(wanted, &part);
    part.base = MAX(r->base, smram_end);
    part.offset = r->offset + (part.base - r->base);
    part.size = end - part.base;
    if (end > smram_end)
        want(wanted, &part);
}

static GArray *wanted_slots(const KvmSmram *smram, const SpaceRange *ranges, size_t count)
{
    GArray *wanted = g_array_new(FALSE, FALSE, sizeof(KvmSlot));

    for (size_t i = 0; i < count; i++) {
        if (smram->ram)
            want_around(wanted, &ranges[i], smram);
        else
            want(wanted, &ranges[i]);
    }
    if (smram->ram)
        want(wanted, &(SpaceRange){.base = smram->base, .size = smram->size, .ram = smram->ram, .offset = smram->base});
    return wanted;
}

/* Takes a slot out of the wanted ones if it is there. */
static bool take(GArray *wanted, const KvmSlot *s)
{
    for (guint i = 0; i < wanted->len; i++) {
        if (!same(&g_array_index(wanted, KvmSlot, i), s))
            continue;
        g_array_remove_index_fast(wanted, i);
        return true;
    }
    return false;
}

static guint free_slot(Kvm *kvm, unsigned space)
{
    const KvmSlot empty = {.size = 0};
    guint i = 0;

    while (i < kvm->slots[space]->len && slot(kvm, space, i)->size)
        i++;
    if (i == kvm->slots[space]->len)
        g_array_append_val(kvm->slots[space], empty);
    return i;
}

static void follow_in(Kvm *kvm, unsigned space, const SpaceRange *ranges, size_t count)
{
    const KvmSmram none = {.ram = NULL};
    g_autoptr(GArray) wanted = wanted_slots(space == KVM_SPACE_SMM ? &kvm->smram : &none, ranges, count);

    for (guint i = 0; i < kvm->slots[space]->len; i++) {
        const KvmSlot *s = slot(kvm, space, i);
        if (s->size && !take(wanted, s))
            set_slot(kvm, space, i, &(KvmSlot){.base = s->base, .host = s->host});
    }
    for (guint i = 0; i < wanted->len; i++)
        set_slot(kvm, space, free_slot(kvm, space), &g_array_index(wanted, KvmSlot, i));
}

static void follow(void *opaque, const SpaceRange *ranges, size_t count)
{
    Kvm *kvm = opaque;

    follow_in(kvm, KVM_SPACE_NORMAL, ranges, count);
    if (kvm->smm)
        follow_in(kvm, KVM_SPACE_SMM, ranges, count);
}

void kvm_set_smram(Kvm *kvm, const KvmSmram *smram)
{
    size_t count;
    const SpaceRange *ranges = space_flat(kvm->machine->memory, &count);

    if (kvm->smram.ram == smram->ram)
        return;
    kvm->smram = *smram;
    if (kvm->smm)
        follow_in(kvm, KVM_SPACE_SMM, ranges, count);
}

uint8_t *kvm_find_smram(const Kvm *kvm, uint64_t addr, unsigned size)
{
    const KvmSmram *s = &kvm->smram;

    return s->ram && addr >= s->base && addr - s->base < s->size && size <= s->size - (addr - s->base)
               ? s->ram->host + addr
               : NULL;
}

bool kvm_attach(Kvm *kvm, Machine *machine, GError **error)
{
    kvm->machine = machine;
    space_add_listener(machine->memory, follow, kvm);
    if (!kvm->failure)
        return true;
    g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_IO, kvm->failure);
    return false;
}

void kvm_detach(Kvm *kvm)
{
    if (kvm->machine)
        space_remove_listener(kvm->machine->memory, kvm);
    kvm->machine = NULL;
}

bool kvm_imitate_memory(Kvm *kvm, const Kvm *like, GError **error)
{
    for (guint i = 0; i < like->slots[KVM_SPACE_NORMAL]->len && !kvm->failure; i++) {
        KvmSlot s = *slot(like, KVM_SPACE_NORMAL, i);
        if (!s.size || s.read_only)
            continue;
        s.host = mmap(NULL, s.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        s.own = true;
        if (s.host == MAP_FAILED)
            kvm_keep_failure(kvm, "room for memory that is never used");
        else
            set_slot(kvm, KVM_SPACE_NORMAL, free_slot(kvm, KVM_SPACE_NORMAL), &s);
    }
    if (!kvm->failure)
        return true;
    g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_IO, kvm->failure);
    return false;
}

void kvm_free_slots(Kvm *kvm)
{
    for (unsigned space = 0; space < KVM_SPACES; space++) {
        for (guint i = 0; i < kvm->slots[space]->len; i++) {
            KvmSlot *s = slot(kvm, space, i);
            if (s->own)
                munmap(s->host, s->size);
            kvm_slot_end_log(s);
        }
        g_array_unref(kvm->slots[space]);
    }
}
