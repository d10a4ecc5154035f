/*
 * ram-fill.c: guest memory that is read while the guest runs.
 *
 * A thread answers the faults of those who touch what is missing: it reads the run of pages that has the one. Another
 * reads run after run. Both hold the lock meanwhile, so that each run is read once; who waits for a page goes first.
 * The first thread takes no other lock, and asks nobody for anything: any other thread may be the one that waits for
 * it.
 *
 * Source: Linux' Documentation/admin-guide/mm/userfaultfd.rst, mremap(2).
 */
#include "emu/core/ram-fill.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "visitors/error.h"

enum {
    FAULTS = 64, /* that are read in one go */
    RETRY_MS = 1000,
    DROP = 16 << 20, /* octets that are given back in one go, while others wait */
};

#define GIB (UINT64_C(1) << 30)

typedef struct FillArea {
    uint8_t *host;
    uint64_t size;
    uint8_t *old; /* what was there before; NULL: it is gone */
    bool registered;
} FillArea;

/* A page that somebody waits for, and that could not be read. */
typedef struct OwedPage {
    unsigned area;
    uint64_t page;
    uint32_t thread;
} OwedPage;

struct RamFill {
    StreamSink sink; /* to which runs are told that were read */
    RamIndex *index;
    Chan *chan;
    RamFillFailed *tell_failed;
    void *opaque;
    FillArea *areas;
    unsigned count;
    int fd, wake; /* the userfaultfd; an eventfd for the thread */
    GThread *thread;
    bool *come;      /* of each run: it was read */
    uint8_t *gather; /* RAM_RUN_FULL pages */
    int urgent;      /* atomic: somebody waits for a page */
    uint32_t cursor; /* of who reads all: what is before it has come */

    GMutex lock; /* of all that follow, of `come`, and of who reads */
    GCond calm;  /* nobody waits for a page; or it is tried again */
    bool ends, given_up;
    GArray *owed; /* of OwedPage */
    char *why;
    uint64_t done, faults;
    bool all;
};

static bool cannot(GError **error, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "memory cannot be read while the guest runs: %s: %s%s",
                what, g_strerror(errno),
                errno == EPERM ? " (vm.unprivileged_userfaultfd or CAP_SYS_PTRACE would allow it)" : "");
    return false;
}

/* --- pages into place --------------------------------------------------------------------------------------------- */

/* What is there already stays; of an area that has gone nobody needs it. */
static bool put_pages(const RamFill *f, uint8_t *at, const uint8_t *from, uint64_t len, GError **error)
{
    uint64_t done = 0;

    while (done < len) {
        struct uffdio_copy copy = {
            .dst = (uintptr_t)at + done, .src = (uintptr_t)from + done, .len = len - done, .mode = 0};
        if (ioctl(f->fd, UFFDIO_COPY, &copy) == 0 || errno == ENOENT)
            return true;
        int code = errno;
        if (copy.copy > 0)
            done += (uint64_t)copy.copy;
        else if (code == EEXIST)
            done += RAM_PAGE;
        else if (code != EAGAIN && code != EINTR) {
            errno = code;
            return cannot(error, "UFFDIO_COPY");
        }
    }
    return true;
}

static bool put_zeros(const RamFill *f, uint8_t *at, GError **error)
{
    struct uffdio_zeropage zero = {.range = {.start = (uintptr_t)at, .len = RAM_PAGE}};

    while (ioctl(f->fd, UFFDIO_ZEROPAGE, &zero) < 0) {
        if (errno == ENOENT)
            return true;
        if (errno == EEXIST)
            return ioctl(f->fd, UFFDIO_WAKE, &zero.range) == 0 || cannot(error, "UFFDIO_WAKE");
        if (errno != EAGAIN && errno != EINTR)
            return cannot(error, "UFFDIO_ZEROPAGE");
    }
    return true;
}

/* Those of zeros are put there when they are touched. */
static bool take_run(StreamSink *sink, const RamRun *run, GError **error)
{
    RamFill *f = (RamFill *)sink;
    uint8_t *host = f->areas[run->block].host + run->first * RAM_PAGE;

    for (uint32_t i = 0, n; i < run->count; i += n + 1) {
        for (n = 0; i + n < run->count && run->pages[i + n]; n++)
            memcpy(f->gather + (uint64_t)n * RAM_PAGE, run->pages[i + n], RAM_PAGE);
        if (n && !put_pages(f, host + (uint64_t)i * RAM_PAGE, f->gather, (uint64_t)n * RAM_PAGE, error))
            return false;
    }
    return true;
}

/* With the lock. */
static bool fetch(RamFill *f, const RamIndexRun *run, GError **error)
{
    bool *come = &f->come[run - f->index->runs];

    if (*come || run->full == 0)
        return true;
    *come = ram_index_fetch(f->index, run, f->chan, &f->sink, error);
    if (*come) {
        f->done += run->len;
        g_clear_pointer(&f->why, g_free);
    }
    return *come;
}

/* --- who touches them, waits -------------------------------------------------------------------------------------- */

/* With the lock. */
static bool bring(RamFill *f, const OwedPage *p, GError **error)
{
    const RamIndexRun *run = ram_index_find(f->index, p->area, p->page);

    return (!run || fetch(f, run, error)) && put_zeros(f, f->areas[p->area].host + p->page * RAM_PAGE, error);
}

/* Who has touched it fails, as with memory that is not there. */
static void poison(const RamFill *f, const OwedPage *p)
{
    uint8_t *at = f->areas[p->area].host + p->page * RAM_PAGE;
    struct uffdio_range range = {.start = (uintptr_t)at, .len = RAM_PAGE};

    mprotect(at, RAM_PAGE, PROT_NONE);
    ioctl(f->fd, UFFDIO_WAKE, &range);
}

/* With the lock, which is free while it is told. */
static void note_failure(RamFill *f, GError *error)
{
    bool told = f->why;

    g_free(f->why);
    f->why = g_strdup(error->message);
    g_autofree char *why = g_strdup(f->why);
    g_error_free(error);
    if (told || !f->tell_failed)
        return;
    g_mutex_unlock(&f->lock);
    f->tell_failed(f->opaque, why);
    g_mutex_lock(&f->lock);
}

static bool find_page(const RamFill *f, uint64_t address, OwedPage *p)
{
    for (p->area = 0; p->area < f->count; p->area++) {
        const FillArea *a = &f->areas[p->area];
        if (address < (uintptr_t)a->host || address - (uintptr_t)a->host >= a->size)
            continue;
        p->page = (address - (uintptr_t)a->host) / RAM_PAGE;
        return true;
    }
    return false;
}

/* A thread that is to be stopped asks again and again. With the lock. */
static bool is_owed(const RamFill *f, const OwedPage *p)
{
    for (guint i = 0; i < f->owed->len; i++) {
        const OwedPage *o = &g_array_index(f->owed, OwedPage, i);
        if (o->area == p->area && o->page == p->page && o->thread == p->thread)
            return true;
    }
    return false;
}

/* With the lock. */
static void answer_page(RamFill *f, const OwedPage *p)
{
    GError *error = NULL;

    if (is_owed(f, p) || bring(f, p, &error))
        return;
    if (f->given_up)
        poison(f, p);
    else
        g_array_append_val(f->owed, *p);
    note_failure(f, error);
}

static void answer(RamFill *f, const struct uffd_msg *message)
{
    OwedPage p = {.thread = message->arg.pagefault.feat.ptid};

    if (!find_page(f, message->arg.pagefault.address, &p))
        return;
    g_atomic_int_inc(&f->urgent);
    g_mutex_lock(&f->lock);
    f->faults++;
    answer_page(f, &p);
    g_atomic_int_add(&f->urgent, -1);
    g_cond_broadcast(&f->calm);
    g_mutex_unlock(&f->lock);
}

/* True: there is nobody any more who waits. */
static bool answer_owed(RamFill *f)
{
    GError *error = NULL;

    g_mutex_lock(&f->lock);
    while (f->owed->len && bring(f, &g_array_index(f->owed, OwedPage, f->owed->len - 1), &error))
        g_array_set_size(f->owed, f->owed->len - 1);
    if (error)
        note_failure(f, error);
    bool none = f->owed->len == 0;
    g_mutex_unlock(&f->lock);
    return none;
}

/* True: it is to end. */
static bool is_woken(RamFill *f)
{
    eventfd_t times;

    (void)eventfd_read(f->wake, &times);
    g_mutex_lock(&f->lock);
    bool ends = f->ends;
    g_mutex_unlock(&f->lock);
    return ends;
}

static void *serve(void *opaque)
{
    RamFill *f = opaque;
    struct pollfd fds[] = {{.fd = f->fd, .events = POLLIN}, {.fd = f->wake, .events = POLLIN}};
    struct uffd_msg messages[FAULTS];
    int64_t next_us = 0; /* when those that are owed are tried again, whoever comes meanwhile */
    bool none = true;

    for (;;) {
        if (poll(fds, G_N_ELEMENTS(fds), none ? -1 : RETRY_MS) < 0 && errno != EINTR)
            return NULL;
        if (fds[1].revents && is_woken(f))
            return NULL;
        ssize_t got = read(f->fd, messages, sizeof messages);
        for (size_t i = 0; got > 0 && i < (size_t)got / sizeof *messages; i++)
            if (messages[i].event == UFFD_EVENT_PAGEFAULT)
                answer(f, &messages[i]);
        if (none || got <= 0 || g_get_monotonic_time() > next_us) {
            none = answer_owed(f);
            next_us = g_get_monotonic_time() + RETRY_MS * G_TIME_SPAN_MILLISECOND;
        }
    }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

RamFill *ram_fill_new(RamIndex *index, Chan *chan, RamFillFailed *failed, void *opaque, GError **error)
{
    static const StreamSinkOps ops = {.ram_run = take_run};
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_THREAD_ID};
    g_autoptr(RamFill) f = g_new0(RamFill, 1);

    *f = (RamFill){.sink = {&ops}, .index = index, .chan = chan, .tell_failed = failed, .opaque = opaque};
    g_mutex_init(&f->lock);
    g_cond_init(&f->calm);
    f->owed = g_array_new(FALSE, FALSE, sizeof(OwedPage));
    f->come = g_new0(bool, index->run_count);
    f->gather = g_malloc(RAM_RUN_FULL * RAM_PAGE);
    f->areas = g_new0(FillArea, index->blocks.list->len);
    f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    f->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0 || f->wake < 0) {
        cannot(error, f->fd < 0 ? "userfaultfd" : "eventfd");
        return NULL;
    }
    if (ioctl(f->fd, UFFDIO_API, &api) < 0) {
        cannot(error, "userfaultfd");
        return NULL;
    }
    f->thread = g_thread_new("fill", serve, f);
    return g_steal_pointer(&f);
}

static void unregister(const RamFill *f, FillArea *a)
{
    struct uffdio_range range = {.start = (uintptr_t)a->host, .len = a->size};

    if (a->registered)
        ioctl(f->fd, UFFDIO_UNREGISTER, &range);
    a->registered = false;
}

void ram_fill_free(RamFill *f)
{
    if (!f)
        return;
    if (f->thread) {
        g_mutex_lock(&f->lock);
        f->ends = true;
        g_mutex_unlock(&f->lock);
        eventfd_write(f->wake, 1);
        g_thread_join(f->thread);
    }
    for (unsigned i = 0; i < f->count; i++)
        unregister(f, &f->areas[i]);
    ram_fill_drop_old(f);
    if (f->fd >= 0)
        close(f->fd);
    if (f->wake >= 0)
        close(f->wake);
    g_free(f->areas);
    g_free(f->gather);
    g_free(f->come);
    g_free(f->why);
    g_array_unref(f->owed);
    g_cond_clear(&f->calm);
    g_mutex_clear(&f->lock);
    ram_index_free(f->index);
    chan_free(f->chan);
    g_free(f);
}

const RamIndex *ram_fill_index(const RamFill *f)
{
    return f->index;
}

/* --- the moment --------------------------------------------------------------------------------------------------- */

/*
 * What is there goes elsewhere, and can come back; the place stays, and is empty. Whole tables of pages are moved where
 * both places lie alike in a GiB. NULL: it cannot be done.
 */
static uint8_t *move_away(const FillArea *a)
{
    uint64_t room = a->size + GIB;
    uint8_t *base = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (base == MAP_FAILED)
        return NULL;
    uint64_t before = ((uintptr_t)a->host - (uintptr_t)base) % GIB;
    uint8_t *to = base + before;
    void *moved = mremap(a->host, a->size, a->size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
    if (before)
        munmap(base, before);
    if (before < GIB)
        munmap(to + a->size, GIB - before);
    if (moved == to)
        return to;
    munmap(to, a->size);
    return NULL;
}

static bool begin_area(const RamFill *f, FillArea *a, GError **error)
{
    struct uffdio_register range = {.range = {.start = (uintptr_t)a->host, .len = a->size},
                                    .mode = UFFDIO_REGISTER_MODE_MISSING};

    if (ioctl(f->fd, UFFDIO_REGISTER, &range) < 0)
        return cannot(error, "UFFDIO_REGISTER");
    a->registered = true;
    if (!(range.ioctls & 1ULL << _UFFDIO_COPY && range.ioctls & 1ULL << _UFFDIO_ZEROPAGE)) {
        errno = ENOTSUP;
        return cannot(error, "UFFDIO_COPY");
    }
    a->old = move_away(a);
    return a->old || cannot(error, "mremap");
}

static void undo_area(const RamFill *f, FillArea *a)
{
    unregister(f, a);
    if (a->old)
        mremap(a->old, a->size, a->size, MREMAP_MAYMOVE | MREMAP_FIXED, a->host);
    a->old = NULL;
}

bool ram_fill_begin(RamFill *f, const GPtrArray *areas, GError **error)
{
    for (unsigned i = 0; i < areas->len; i++) {
        const RamArea *area = areas->pdata[i];
        f->areas[i] = (FillArea){.host = area->host, .size = area->maximum};
    }
    f->count = areas->len;
    for (unsigned i = 0; i < f->count; i++) {
        if (begin_area(f, &f->areas[i], error))
            continue;
        for (unsigned n = 0; n <= i; n++)
            undo_area(f, &f->areas[n]);
        return false;
    }
    return true;
}

/* --- who reads all ------------------------------------------------------------------------------------------------ */

void ram_fill_drop_old(RamFill *f)
{
    for (unsigned i = 0; i < f->count; i++) {
        FillArea *a = &f->areas[i];
        for (uint64_t at = 0; a->old && at < a->size; at += DROP)
            madvise(a->old + at, MIN(DROP, a->size - at), MADV_DONTNEED);
        if (a->old)
            munmap(a->old, a->size);
        a->old = NULL;
    }
}

/* With the lock. */
static RamFillStep fetch_next(RamFill *f)
{
    GError *error = NULL;

    while (g_atomic_int_get(&f->urgent))
        g_cond_wait(&f->calm, &f->lock);
    while (f->cursor < f->index->run_count && (f->come[f->cursor] || f->index->runs[f->cursor].full == 0))
        f->cursor++;
    if (f->cursor == f->index->run_count)
        return RAM_FILL_ALL;
    if (fetch(f, &f->index->runs[f->cursor], &error))
        return RAM_FILL_MORE;
    note_failure(f, error);
    g_cond_wait_until(&f->calm, &f->lock, g_get_monotonic_time() + RETRY_MS * G_TIME_SPAN_MILLISECOND);
    return RAM_FILL_FAILED;
}

RamFillStep ram_fill_next(RamFill *f)
{
    g_mutex_lock(&f->lock);
    RamFillStep step = fetch_next(f);
    g_mutex_unlock(&f->lock);
    if (step != RAM_FILL_ALL)
        return step;
    /* who waits for a page of zeros is woken by this, and finds one */
    for (unsigned i = 0; i < f->count; i++)
        unregister(f, &f->areas[i]);
    g_mutex_lock(&f->lock);
    f->all = true;
    g_mutex_unlock(&f->lock);
    return step;
}

/* --- others ------------------------------------------------------------------------------------------------------- */

void ram_fill_retry(RamFill *f)
{
    g_mutex_lock(&f->lock);
    g_clear_pointer(&f->why, g_free);
    g_cond_broadcast(&f->calm);
    g_mutex_unlock(&f->lock);
    eventfd_write(f->wake, 1);
}

bool ram_fill_owes(RamFill *f, int thread)
{
    bool owes = false;

    g_mutex_lock(&f->lock);
    for (guint i = 0; i < f->owed->len; i++)
        owes |= g_array_index(f->owed, OwedPage, i).thread == (uint32_t)thread;
    g_mutex_unlock(&f->lock);
    return owes;
}

void ram_fill_give_up(RamFill *f)
{
    g_mutex_lock(&f->lock);
    f->given_up = true;
    for (guint i = 0; i < f->owed->len; i++)
        poison(f, &g_array_index(f->owed, OwedPage, i));
    g_array_set_size(f->owed, 0);
    g_mutex_unlock(&f->lock);
}

RamFillProgress ram_fill_progress(RamFill *f)
{
    g_mutex_lock(&f->lock);
    RamFillProgress p = {
        .done = f->done, .total = f->index->content, .faults = f->faults, .why = g_strdup(f->why), .all = f->all};
    g_mutex_unlock(&f->lock);
    return p;
}
