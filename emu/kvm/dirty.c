/*
 * dirty.c: KVM's log of what is written.
 *
 * A page is reported by each reading of the log until it is cleared. It must be cleared before it is read and sent:
 * what is written in between comes again. Only what was reported may be cleared, the rest has not been heard of yet;
 * so each slot keeps its last report. Pages are cleared in chunks, at the first of a chunk that is sent after a report.
 *
 * Source: Linux, Documentation/virt/kvm/api.rst, 4.8 KVM_GET_DIRTY_LOG, 4.117 KVM_CLEAR_DIRTY_LOG, 7.18
 * KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2.
 */
#include "emu/kvm/dirty.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "emu/core/dirty.h"
#include "emu/kvm/memslot.h"
#include "visitors/error.h"

enum { CHUNK = 4096 /* pages, a multiple of DIRTY_WORD */ };

/* The log of a slot. */
struct KvmLog {
    uint64_t *bits; /* the last report */
    bool *waits;    /* of each chunk: there is something to clear in it */
};

static uint64_t pages_of(const KvmSlot *s)
{
    return s->size / DIRTY_PAGE;
}

static uint64_t chunks_of(const KvmSlot *s)
{
    return (pages_of(s) + CHUNK - 1) / CHUNK;
}

bool kvm_slot_is_logged(const Kvm *kvm, const KvmSlot *s)
{
    return kvm->logs && s->size && s->ram && !s->read_only;
}

void kvm_slot_comes(KvmSlot *s)
{
    s->log = g_new0(KvmLog, 1);
    s->log->bits = g_malloc0((pages_of(s) + DIRTY_WORD - 1) / DIRTY_WORD * sizeof(uint64_t));
    s->log->waits = g_new0(bool, chunks_of(s));
}

void kvm_slot_end_log(KvmSlot *s)
{
    if (!s->log)
        return;
    g_free(s->log->bits);
    g_free(s->log->waits);
    g_clear_pointer(&s->log, g_free);
}

/* Other processors may have written since its log was read, and it goes together with the slot. */
void kvm_slot_goes(KvmSlot *s)
{
    if (!s->log)
        return;
    dirty_mark(s->ram, s->offset, s->size);
    kvm_slot_end_log(s);
}

/* --- on and off --------------------------------------------------------------------------------------------------- */

/* Reports are cleared by us, and at first all is reported: so to begin protects nothing. */
static void choose_manual(Kvm *kvm)
{
    uint64_t wanted = KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | KVM_DIRTY_LOG_INITIALLY_SET;
    struct kvm_enable_cap enable = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2};
    int has = kvm_capability(kvm, KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2);

    enable.args[0] = (uint64_t)has & wanted;
    kvm->clears_logs = has > 0 && (enable.args[0] & KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE) &&
                       ioctl(kvm->vm, KVM_ENABLE_CAP, &enable) == 0;
}

void kvm_dirty_stop(Kvm *kvm)
{
    kvm->logs = false;
    for (unsigned space = 0; space < KVM_SPACES; space++)
        for (guint i = 0; i < kvm->slots[space]->len; i++) {
            KvmSlot *s = &g_array_index(kvm->slots[space], KvmSlot, i);
            bool had = s->log;
            kvm_slot_end_log(s);
            if (had)
                kvm_set_slot_flags(kvm, space, i);
        }
}

bool kvm_dirty_start(Kvm *kvm, GError **error)
{
    bool ok = true;

    choose_manual(kvm);
    kvm->logs = true;
    for (unsigned space = 0; space < KVM_SPACES; space++)
        for (guint i = 0; ok && i < kvm->slots[space]->len; i++) {
            KvmSlot *s = &g_array_index(kvm->slots[space], KvmSlot, i);
            if (!kvm_slot_is_logged(kvm, s))
                continue;
            kvm_slot_comes(s);
            ok = kvm_set_slot_flags(kvm, space, i);
        }
    if (ok)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "KVM does not log what is written: %s", g_strerror(errno));
    kvm_dirty_stop(kvm);
    return false;
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

/* As a slot need not begin where a word of its area's bitmap does, bits are shifted. */
static void mark_words(const KvmSlot *s)
{
    uint64_t first = s->offset / DIRTY_PAGE, words = (pages_of(s) + DIRTY_WORD - 1) / DIRTY_WORD;
    uint64_t *to = s->ram->dirty + first / DIRTY_WORD;
    unsigned shift = (unsigned)(first % DIRTY_WORD);

    for (uint64_t i = 0; i < words; i++) {
        uint64_t word = s->log->bits[i];
        if (!word)
            continue;
        s->log->waits[i * DIRTY_WORD / CHUNK] = true;
        to[i] |= word << shift;
        if (shift && word >> (DIRTY_WORD - shift))
            to[i + 1] |= word >> (DIRTY_WORD - shift);
    }
}

bool kvm_dirty_sync(Kvm *kvm, GError **error)
{
    for (unsigned space = 0; space < KVM_SPACES; space++)
        for (guint i = 0; i < kvm->slots[space]->len; i++) {
            const KvmSlot *s = &g_array_index(kvm->slots[space], KvmSlot, i);
            if (!s->log)
                continue;
            struct kvm_dirty_log log = {.slot = kvm_slot_number(space, i), .dirty_bitmap = s->log->bits};
            if (ioctl(kvm->vm, KVM_GET_DIRTY_LOG, &log) < 0) {
                g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "KVM does not tell what was written: %s",
                            g_strerror(errno));
                return false;
            }
            if (s->ram->dirty)
                mark_words(s);
        }
    return true;
}

/* --- clearing ----------------------------------------------------------------------------------------------------- */

/* What is not cleared is reported again, and sent again: a failure costs time only. */
static void clear_chunk(Kvm *kvm, const KvmSlot *s, unsigned number, uint64_t chunk)
{
    uint64_t first = chunk * CHUNK;
    struct kvm_clear_dirty_log clear = {.slot = number,
                                        .first_page = first,
                                        .num_pages = (uint32_t)MIN(CHUNK, pages_of(s) - first),
                                        .dirty_bitmap = s->log->bits + first / DIRTY_WORD};

    if (s->log->waits[chunk] && ioctl(kvm->vm, KVM_CLEAR_DIRTY_LOG, &clear) == 0)
        s->log->waits[chunk] = false;
}

void kvm_dirty_clear(Kvm *kvm, const RamArea *area, uint64_t first, uint64_t count)
{
    for (unsigned space = 0; kvm->clears_logs && space < KVM_SPACES; space++)
        for (guint i = 0; i < kvm->slots[space]->len; i++) {
            const KvmSlot *s = &g_array_index(kvm->slots[space], KvmSlot, i);
            uint64_t begin = s->offset / DIRTY_PAGE, end = begin + pages_of(s);
            if (!s->log || s->ram != area || first >= end || first + count <= begin)
                continue;
            uint64_t from = MAX(first, begin) - begin, to = MIN(first + count, end) - begin;
            for (uint64_t chunk = from / CHUNK; chunk * CHUNK < to; chunk++)
                clear_chunk(kvm, s, kvm_slot_number(space, i), chunk);
        }
}
