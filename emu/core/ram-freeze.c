/*
 * ram-freeze.c: guest memory as it was at one moment.
 *
 * A thread answers the faults of those who write. Each page is in one of five states, which the lock guards: FREE (it
 * may be written), HELD (it is protected, and nobody has read it), ABSENT (it has never been touched, so it is of
 * zeros; who touches it, waits), CLAIMED (the reader is about to copy it; who writes waits for that), ASIDE (there is a
 * copy, and it may be written). Before the moment ASIDE and CLAIMED are not used: what is FREE again then was written,
 * or touched, since it was protected. The thread takes no other lock, and asks nobody for anything: any other thread
 * may be the one that waits for it.
 *
 * Source: Linux' Documentation/admin-guide/mm/userfaultfd.rst, pagemap.rst.
 */
#include "emu/core/ram-freeze.h"

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

#include "visitors/bytes.h"
#include "visitors/error.h"

enum {
    STEP = 512,        /* pages that are protected in one go, while others wait */
    FAULTS = 64,       /* that are read in one go */
    ASIDE_MANY = 8192, /* copies: if there are more, they are read first */
};

typedef enum PageState { PAGE_FREE, PAGE_HELD, PAGE_ABSENT, PAGE_CLAIMED, PAGE_ASIDE } PageState;

typedef struct FrozenArea {
    uint8_t *host;
    uint64_t pages;
    uint8_t *state;  /* PageState of each page */
    uint8_t **aside; /* copies of those that are ASIDE; NULL: of zeros */
    uint64_t cursor; /* the reader has taken what is before it */
    bool registered;
} FrozenArea;

/* A page of which there is a copy, or was. */
typedef struct KeptPage {
    unsigned area;
    uint64_t page;
} KeptPage;

struct RamFreeze {
    FrozenArea *areas;
    unsigned count;
    int fd, wake; /* the userfaultfd; an eventfd that ends the thread */
    int pagemap;  /* /proc/self/pagemap; -1: it cannot be read */
    GThread *thread;

    GMutex lock; /* of the next five, and of the pages' states and copies */
    bool frozen; /* the moment is over */
    unsigned copies;
    GArray *kept;    /* of KeptPage, as they came; */
    guint kept_read; /* so many of them were looked at */
    int error;       /* an errno: the thread cannot go on */
    uint64_t faults;

    /* the reader's */
    uint8_t *buffer;  /* RAM_FREEZE_FULL pages */
    GPtrArray *given; /* copies in the last run, which are freed by the next call */
};

static uint8_t *page_at(const FrozenArea *a, uint64_t page)
{
    return a->host + page * RAM_FREEZE_PAGE;
}

/* False: errno says why. */
static bool protect(const RamFreeze *f, const FrozenArea *a, uint64_t first, uint64_t count, bool on)
{
    struct uffdio_writeprotect wp = {.range = {.start = (uintptr_t)page_at(a, first), .len = count * RAM_FREEZE_PAGE},
                                     .mode = on ? UFFDIO_WRITEPROTECT_MODE_WP : 0};

    while (ioctl(f->fd, UFFDIO_WRITEPROTECT, &wp) < 0)
        if (errno != EAGAIN && errno != EINTR)
            return false;
    return true;
}

/* --- who writes, waits ------------------------------------------------------------------------------------------- */

static FrozenArea *area_of(const RamFreeze *f, uint64_t address, uint64_t *page)
{
    for (unsigned i = 0; i < f->count; i++) {
        FrozenArea *a = &f->areas[i];
        *page = (address - (uintptr_t)a->host) / RAM_FREEZE_PAGE;
        if (address >= (uintptr_t)a->host && *page < a->pages)
            return a;
    }
    return NULL;
}

static void set_aside(RamFreeze *f, FrozenArea *a, uint64_t page)
{
    const KeptPage kept = {(unsigned)(a - f->areas), page};

    a->aside[page] = g_memdup2(page_at(a, page), RAM_FREEZE_PAGE);
    a->state[page] = PAGE_ASIDE;
    g_array_append_val(f->kept, kept);
    f->copies++;
}

/* What CLAIMED is will be let go by the reader. */
static bool answer_write(RamFreeze *f, FrozenArea *a, uint64_t page)
{
    f->faults++;
    if (a->state[page] == PAGE_HELD && f->frozen)
        set_aside(f, a, page);
    else if (a->state[page] == PAGE_HELD)
        a->state[page] = PAGE_FREE;
    return a->state[page] == PAGE_CLAIMED || protect(f, a, page, 1, false);
}

/* It is there from now on, of zeros. */
static bool answer_touch(const RamFreeze *f, FrozenArea *a, uint64_t page)
{
    struct uffdio_zeropage zero = {.range = {.start = (uintptr_t)page_at(a, page), .len = RAM_FREEZE_PAGE}};

    if (a->state[page] == PAGE_ABSENT)
        a->state[page] = f->frozen ? PAGE_ASIDE : PAGE_FREE;
    while (ioctl(f->fd, UFFDIO_ZEROPAGE, &zero) < 0) {
        if (errno == EEXIST)
            return ioctl(f->fd, UFFDIO_WAKE, &zero.range) == 0;
        if (errno != EAGAIN && errno != EINTR)
            return false;
    }
    return true;
}

static void answer(RamFreeze *f, const struct uffd_msg *message)
{
    bool writes = message->arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP;
    uint64_t page;
    FrozenArea *a = area_of(f, message->arg.pagefault.address, &page);

    if (!a)
        return;
    g_mutex_lock(&f->lock);
    if (!(writes ? answer_write(f, a, page) : answer_touch(f, a, page)))
        f->error = errno;
    g_mutex_unlock(&f->lock);
}

static void *serve(void *opaque)
{
    RamFreeze *f = opaque;
    struct pollfd fds[] = {{.fd = f->fd, .events = POLLIN}, {.fd = f->wake, .events = POLLIN}};
    struct uffd_msg messages[FAULTS];

    for (;;) {
        if (poll(fds, G_N_ELEMENTS(fds), -1) < 0 && errno != EINTR)
            return NULL;
        ssize_t got = read(f->fd, messages, sizeof messages);
        for (size_t i = 0; got > 0 && i < (size_t)got / sizeof *messages; i++)
            if (messages[i].event == UFFD_EVENT_PAGEFAULT)
                answer(f, &messages[i]);
        if (got < 0 && fds[1].revents)
            return NULL;
    }
}

/* --- making it ---------------------------------------------------------------------------------------------------- */

static bool cannot(GError **error, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "memory cannot be frozen while the guest runs: %s: %s%s",
                what, g_strerror(errno),
                errno == EPERM ? " (vm.unprivileged_userfaultfd or CAP_SYS_PTRACE would allow it)" : "");
    return false;
}

static bool open_fd(RamFreeze *f, GError **error)
{
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};

    f->fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0)
        return cannot(error, "userfaultfd");
    return ioctl(f->fd, UFFDIO_API, &api) == 0 || cannot(error, "userfaultfd write protection");
}

/* Where nobody tells which pages were never touched, all become at least a shared page of zeros. */
static bool populate(const FrozenArea *a, GError **error)
{
    for (uint64_t page = 0; page < a->pages; page += STEP) {
        uint64_t count = MIN(STEP, a->pages - page);
        if (madvise(page_at(a, page), count * RAM_FREEZE_PAGE, MADV_POPULATE_READ) == 0)
            continue;
        if (errno != EINVAL)
            return cannot(error, "MADV_POPULATE_READ");
        for (uint64_t i = 0; i < count; i++) /* a kernel before 5.14 */
            (void)*(volatile uint8_t *)page_at(a, page + i);
    }
    return true;
}

static bool add(RamFreeze *f, FrozenArea *a, GError **error)
{
    struct uffdio_register range = {.range = {.start = (uintptr_t)a->host, .len = a->pages * RAM_FREEZE_PAGE},
                                    .mode = UFFDIO_REGISTER_MODE_WP | UFFDIO_REGISTER_MODE_MISSING};

    if (ioctl(f->fd, UFFDIO_REGISTER, &range) < 0)
        return cannot(error, "UFFDIO_REGISTER");
    a->registered = true;
    return range.ioctls & 1ULL << _UFFDIO_WRITEPROTECT || (errno = ENOTSUP, cannot(error, "UFFDIO_WRITEPROTECT"));
}

/* With the lock. */
static bool hold(RamFreeze *f, FrozenArea *a, uint64_t first, uint64_t count, GError **error)
{
    memset(a->state + first, PAGE_HELD, count);
    return protect(f, a, first, count, true) || cannot(error, "UFFDIO_WRITEPROTECT");
}

/* Which of these were never touched? Nobody can do so meanwhile without waiting for the lock. */
static void survey(const RamFreeze *f, FrozenArea *a, uint64_t first, uint64_t count)
{
    enum { ANYWHERE = 3 }; /* bits 62 and 63: in memory, or swapped out */
    uint64_t entries[STEP];
    off_t at = (off_t)((uintptr_t)page_at(a, first) / RAM_FREEZE_PAGE * sizeof *entries);
    size_t len = count * sizeof *entries;

    if (f->pagemap < 0 || pread(f->pagemap, entries, len, at) != (ssize_t)len)
        memset(entries, 0xff, len);
    for (uint64_t i = 0; i < count; i++)
        a->state[first + i] = entries[i] >> 62 & ANYWHERE ? PAGE_FREE : PAGE_ABSENT;
}

/* With the lock: protects those that may be written. */
static bool hold_free(RamFreeze *f, FrozenArea *a, uint64_t first, uint64_t count, GError **error)
{
    for (uint64_t page = first, end; page < first + count; page = end) {
        uint8_t state = a->state[page];
        for (end = page + 1; end < first + count && a->state[end] == state; end++)
            continue;
        if (state == PAGE_FREE && !hold(f, a, page, end - page, error))
            return false;
    }
    return true;
}

static bool hold_all(RamFreeze *f, FrozenArea *a, GError **error)
{
    bool ok = true;

    for (uint64_t page = 0; ok && page < a->pages; page += STEP) {
        uint64_t count = MIN(STEP, a->pages - page);
        g_mutex_lock(&f->lock);
        survey(f, a, page, count);
        ok = hold_free(f, a, page, count, error);
        g_mutex_unlock(&f->lock);
    }
    return ok;
}

static bool start(RamFreeze *f, GError **error)
{
    f->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    f->wake = eventfd(0, EFD_CLOEXEC);
    if (f->wake < 0)
        return cannot(error, "eventfd");
    f->thread = g_thread_new("freeze", serve, f);
    for (unsigned i = 0; i < f->count; i++) {
        FrozenArea *a = &f->areas[i];
        if ((f->pagemap < 0 && !populate(a, error)) || !add(f, a, error) || !hold_all(f, a, error))
            return false;
    }
    return true;
}

RamFreeze *ram_freeze_new(const GPtrArray *areas, GError **error)
{
    g_autoptr(RamFreeze) f = g_new0(RamFreeze, 1);

    f->wake = f->pagemap = -1;
    g_mutex_init(&f->lock);
    f->kept = g_array_new(FALSE, FALSE, sizeof(KeptPage));
    f->buffer = g_malloc(RAM_FREEZE_FULL * RAM_FREEZE_PAGE);
    f->given = g_ptr_array_new_with_free_func(g_free);
    f->areas = g_new0(FrozenArea, areas->len + 1);
    if (!open_fd(f, error))
        return NULL;
    for (; f->count < areas->len; f->count++) {
        const RamArea *area = areas->pdata[f->count];
        uint64_t pages = area->size / RAM_FREEZE_PAGE;
        f->areas[f->count] = (FrozenArea){
            .host = area->host, .pages = pages, .state = g_malloc0(pages), .aside = g_new0(uint8_t *, pages)};
    }
    return start(f, error) ? g_steal_pointer(&f) : NULL;
}

static void release(const RamFreeze *f, FrozenArea *a)
{
    struct uffdio_range range = {.start = (uintptr_t)a->host, .len = a->pages * RAM_FREEZE_PAGE};

    if (a->registered)
        ioctl(f->fd, UFFDIO_UNREGISTER, &range);
    for (uint64_t i = 0; f->copies && i < a->pages; i++)
        g_free(a->aside[i]);
    g_free(a->aside);
    g_free(a->state);
}

void ram_freeze_free(RamFreeze *f)
{
    if (!f)
        return;
    if (f->thread) {
        eventfd_write(f->wake, 1);
        g_thread_join(f->thread);
    }
    for (unsigned i = 0; i < f->count; i++)
        release(f, &f->areas[i]);
    if (f->fd >= 0)
        close(f->fd);
    if (f->wake >= 0)
        close(f->wake);
    if (f->pagemap >= 0)
        close(f->pagemap);
    g_ptr_array_unref(f->given);
    g_array_unref(f->kept);
    g_mutex_clear(&f->lock);
    g_free(f->buffer);
    g_free(f->areas);
    g_free(f);
}

/* --- the moment --------------------------------------------------------------------------------------------------- */

bool ram_freeze_now(RamFreeze *f, GError **error)
{
    bool ok = true;

    g_mutex_lock(&f->lock);
    for (unsigned i = 0; ok && i < f->count; i++)
        ok = hold_free(f, &f->areas[i], 0, f->areas[i].pages, error);
    f->frozen = ok;
    g_mutex_unlock(&f->lock);
    return ok;
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* The copy that was set aside goes into the run. With the lock. */
static const uint8_t *take_copy(RamFreeze *f, FrozenArea *a, uint64_t page)
{
    uint8_t *copy = g_steal_pointer(&a->aside[page]);

    a->state[page] = PAGE_FREE;
    if (!copy)
        return NULL;
    f->copies--;
    g_ptr_array_add(f->given, copy);
    return bytes_are_zero(copy, RAM_FREEZE_PAGE) ? NULL : copy;
}

/* So many of them that others are served first. */
static bool read_kept(RamFreeze *f, RamFrozen *run)
{
    bool found = false;

    g_mutex_lock(&f->lock);
    while (!found && f->copies > ASIDE_MANY && f->kept_read < f->kept->len) {
        const KeptPage *k = &g_array_index(f->kept, KeptPage, f->kept_read++);
        FrozenArea *a = &f->areas[k->area];
        found = a->aside[k->page];
        if (!found)
            continue;
        run->area = k->area;
        run->first = k->page;
        run->count = 1;
        run->pages[0] = take_copy(f, a, k->page);
    }
    g_mutex_unlock(&f->lock);
    return found;
}

static FrozenArea *next_area(RamFreeze *f, RamFrozen *run)
{
    for (unsigned i = 0; i < f->count; i++) {
        FrozenArea *a = &f->areas[i];
        /* What is FREE was read, as a copy. */
        while (a->cursor < a->pages && a->state[a->cursor] == PAGE_FREE)
            a->cursor++;
        run->area = i;
        if (a->cursor < a->pages)
            return a;
    }
    return NULL;
}

/*
 * Claims what comes next; copies are taken at once, and what was never touched is zeros. How many there are to be
 * copied. With the lock.
 */
static unsigned claim(RamFreeze *f, FrozenArea *a, RamFrozen *run)
{
    unsigned full = 0, claimed = 0;

    run->first = a->cursor;
    run->count = 0;
    while (run->count < RAM_FREEZE_PAGES && full < RAM_FREEZE_FULL && a->cursor < a->pages) {
        uint8_t *state = &a->state[a->cursor];
        if (*state == PAGE_FREE)
            break;
        run->pages[run->count++] = *state == PAGE_ASIDE ? take_copy(f, a, a->cursor) : NULL;
        full += *state != PAGE_ABSENT;
        claimed += *state == PAGE_HELD;
        *state = *state == PAGE_HELD ? PAGE_CLAIMED : PAGE_FREE;
        a->cursor++;
    }
    return claimed;
}

/* Copies what was claimed. */
static void copy_claimed(RamFreeze *f, const FrozenArea *a, RamFrozen *run)
{
    uint8_t *to = f->buffer;

    for (unsigned i = 0; i < run->count; i++) {
        const uint8_t *page = page_at(a, run->first + i);
        if (a->state[run->first + i] != PAGE_CLAIMED || bytes_are_zero(page, RAM_FREEZE_PAGE))
            continue;
        memcpy(to, page, RAM_FREEZE_PAGE);
        run->pages[i] = to;
        to += RAM_FREEZE_PAGE;
    }
}

static bool let_go(RamFreeze *f, FrozenArea *a, const RamFrozen *run)
{
    g_mutex_lock(&f->lock);
    memset(a->state + run->first, PAGE_FREE, run->count);
    bool ok = protect(f, a, run->first, run->count, false);
    if (!ok)
        f->error = errno;
    g_mutex_unlock(&f->lock);
    return ok;
}

bool ram_freeze_read(RamFreeze *f, RamFrozen *run, GError **error)
{
    g_ptr_array_set_size(f->given, 0);
    if (read_kept(f, run))
        return true;
    g_mutex_lock(&f->lock);
    FrozenArea *a = next_area(f, run);
    unsigned claimed = a ? claim(f, a, run) : 0;
    int code = f->error;
    g_mutex_unlock(&f->lock);
    if (a && !code) {
        if (claimed)
            copy_claimed(f, a, run);
        if (!claimed || let_go(f, a, run))
            return true;
        code = f->error;
    }
    errno = code;
    if (code)
        cannot(error, "UFFDIO_WRITEPROTECT");
    return false;
}

uint64_t ram_freeze_total(const RamFreeze *f)
{
    uint64_t pages = 0;

    for (unsigned i = 0; i < f->count; i++)
        pages += f->areas[i].pages;
    return pages;
}

uint64_t ram_freeze_faults(RamFreeze *f)
{
    g_mutex_lock(&f->lock);
    uint64_t faults = f->faults;
    g_mutex_unlock(&f->lock);
    return faults;
}
