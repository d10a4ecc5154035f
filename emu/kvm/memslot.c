/*
 * memslot.c: keeps the memory slots of KVM like the flat view of a machine's memory.
 *
 * KVM does not let a slot change its place in the host or become writable, so what is not the same any more goes, and
 * then what is new comes. Meanwhile a processor that gets there exits, and finds the memory through the machine's
 * space.
 */
#include "emu/kvm/memslot.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "visitors/error.h"

enum { SLOT_PAGE = 4096 };

static KvmSlot *slot(const Kvm *kvm, guint i)
{
    return &g_array_index(kvm->slots, KvmSlot, i);
}

static bool same(const KvmSlot *a, const KvmSlot *b)
{
    return a->base == b->base && a->size == b->size && a->host == b->host && a->read_only == b->read_only;
}

/* Makes slot number i of KVM what *s says. The first refusal is kept: the listener has nobody to tell. */
static void set_slot(Kvm *kvm, guint i, const KvmSlot *s)
{
    struct kvm_userspace_memory_region region = {
        .slot = i,
        .flags = s->read_only && s->size ? KVM_MEM_READONLY : 0,
        .guest_phys_addr = s->base,
        .memory_size = s->size,
        .userspace_addr = (uintptr_t)s->host,
    };

    if (ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &region) < 0 && !kvm->failure)
        kvm->failure = g_strdup_printf("KVM: memory of %" G_GUINT64_FORMAT " octets at 0x%" G_GINT64_MODIFIER "x: %s",
                                       s->size, s->base, g_strerror(errno));
    *slot(kvm, i) = *s;
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
                   .read_only = r->read_only};
    return (r->offset + skipped) % SLOT_PAGE == 0;
}

static GArray *wanted_slots(const SpaceRange *ranges, size_t count)
{
    GArray *wanted = g_array_new(FALSE, FALSE, sizeof(KvmSlot));
    KvmSlot s;

    for (size_t i = 0; i < count; i++)
        if (slot_of(&ranges[i], &s))
            g_array_append_val(wanted, s);
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

static guint free_slot(Kvm *kvm)
{
    const KvmSlot empty = {.size = 0};
    guint i = 0;

    while (i < kvm->slots->len && slot(kvm, i)->size)
        i++;
    if (i == kvm->slots->len)
        g_array_append_val(kvm->slots, empty);
    return i;
}

static void follow(void *opaque, const SpaceRange *ranges, size_t count)
{
    Kvm *kvm = opaque;
    g_autoptr(GArray) wanted = wanted_slots(ranges, count);

    for (guint i = 0; i < kvm->slots->len; i++)
        if (slot(kvm, i)->size && !take(wanted, slot(kvm, i)))
            set_slot(kvm, i, &(KvmSlot){.base = slot(kvm, i)->base, .host = slot(kvm, i)->host});
    for (guint i = 0; i < wanted->len; i++)
        set_slot(kvm, free_slot(kvm), &g_array_index(wanted, KvmSlot, i));
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
    for (guint i = 0; i < like->slots->len && !kvm->failure; i++) {
        KvmSlot s = *slot(like, i);
        if (!s.size || s.read_only)
            continue;
        s.host = mmap(NULL, s.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        s.own = true;
        if (s.host == MAP_FAILED)
            kvm_keep_failure(kvm, "room for memory that is never used");
        else
            set_slot(kvm, free_slot(kvm), &s);
    }
    if (!kvm->failure)
        return true;
    g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_IO, kvm->failure);
    return false;
}

void kvm_free_slots(Kvm *kvm)
{
    for (guint i = 0; i < kvm->slots->len; i++)
        if (slot(kvm, i)->own)
            munmap(slot(kvm, i)->host, slot(kvm, i)->size);
    g_array_unref(kvm->slots);
}
