/*
 * kill-workload.c: a program that writes to an image is killed (SIGKILL), again and again, and nothing that it had been
 * told is lost.
 *
 *   kill-workload [--kills=N] [--each=N] [--seed=N]
 *
 * A child works on the image: writes, zeros, flushes, snapshots, many at a time. It tells of each operation before it
 * begins it and after it has ended; its parent kills it at some moment, opens the image, and finds no corruption
 * (clusters may leak), and in each sector what the last operation wrote that had ended, or one that had begun. After
 * --each kills the image is a new one with other options. Works in the current directory.
 *
 * What was written is in the host's cache when the child dies, so this is not what happens when the power goes: see
 * test-data-crash.c for that. It is what happens to people.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "qcow2/header.h"
#include "qcow2/qcow2.h"

enum { SECTOR = 512, DISK = 8 << 20, SECTORS = DISK / SECTOR, DEPTH = 16, OPS_MAX = 4096, LEN_MAX = 300 };

static struct {
    int kills, each, seed;
} opt = {.kills = 20, .each = 10, .seed = 1};

typedef struct Op {
    uint32_t first, count;    /* sectors */
    uint32_t stamp;           /* what is in them afterwards; 0: zeros */
    bool begun, ended, lasts; /* lasts: a flush that came after its end has ended */
} Op;

/* Shared with the child: what it has told survives it. */
typedef struct Story {
    uint32_t count;
    Op ops[OPS_MAX];
} Story;

static void fail(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void fail(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    exit(1);
}

/* The kernel takes an io_uring of who is dead apart some time later, and then only is the file nobody's. */
static Image *open_image(void)
{
    for (unsigned tries = 0;; tries++) {
        g_autoptr(GError) error = NULL;
        Image *image = image_open(&(ImagePath){.path = "image", .format = "qcow2"}, &error);
        if (image)
            return image;
        if (tries == 1000 || !strstr(error->message, "in use"))
            fail("%s", error->message);
        usleep(10000);
    }
}

/* --- the child ---------------------------------------------------------------------------------------------------- */

typedef struct Flight {
    ImageRequest request; /* first */
    Op *op;               /* NULL: a flush, */
    Story *story;
    bool *covers; /* which makes these last */
    uint32_t *data;
    struct iovec iov;
} Flight;

static void flight_ended(ImageRequest *request, int error)
{
    Flight *f = (Flight *)request;

    if (error)
        fail("operation %d: %s", request->op, strerror(error));
    if (f->op)
        f->op->ended = true;
    for (uint32_t i = 0; f->covers && i < f->story->count; i++)
        f->story->ops[i].lasts |= f->covers[i];
    g_clear_pointer(&f->covers, g_free);
    g_free(f->data);
    f->data = NULL;
    f->request.len = 0;
    f->request.done = NULL;
}

static bool overlaps(const Flight *flights, uint64_t offset, uint64_t len)
{
    for (int i = 0; i < DEPTH; i++)
        if (flights[i].request.done && offset < flights[i].request.offset + flights[i].request.len &&
            flights[i].request.offset < offset + len)
            return true;
    return false;
}

static Flight *idle(Image *image, Flight *flights)
{
    for (;; image_poll(image, true))
        for (int i = 0; i < DEPTH; i++)
            if (!flights[i].request.done)
                return &flights[i];
}

static void start(Image *image, Flight *f, ImageOp op, unsigned flags, Op *story)
{
    f->op = story;
    f->request = (ImageRequest){.op = op, .flags = flags, .done = flight_ended};
    if (story) {
        f->request.offset = (uint64_t)story->first * SECTOR;
        f->request.len = (uint64_t)story->count * SECTOR;
        story->begun = true;
    }
    if (op == IMAGE_WRITE) {
        f->data = g_new(uint32_t, f->request.len / 4);
        for (uint64_t i = 0; i < f->request.len / 4; i++)
            f->data[i] = story->stamp;
        f->iov = (struct iovec){f->data, f->request.len};
        f->request.iov = &f->iov;
        f->request.iov_count = 1;
    }
    image_submit(image, &f->request);
}

static void change_snapshots(Image *image, GRand *random, unsigned serial)
{
    g_autofree char *name = g_strdup_printf("s%u", serial);
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    image_drain(image);
    if (count > 3)
        qcow2_snapshot_delete(image, all[(unsigned)g_rand_int_range(random, 0, (gint32)count)], QCOW2_ORPHANS_REPARENT,
                              NULL);
    else
        qcow2_snapshot_create(image, &(Qcow2SnapshotNew){.name = name, .icount = UINT64_MAX}, NULL);
}

static void work(Story *story, GRand *random, uint32_t stamp)
{
    Image *image = open_image();
    Flight flights[DEPTH] = {0};

    while (story->count < OPS_MAX) {
        int kind = g_rand_int_range(random, 0, 40);
        if (kind == 0) {
            change_snapshots(image, random, stamp + story->count);
            continue;
        }
        Flight *f = idle(image, flights);
        if (kind < 4) {
            f->story = story;
            f->covers = g_new0(bool, OPS_MAX);
            for (uint32_t i = 0; i < story->count; i++)
                f->covers[i] = story->ops[i].ended;
            start(image, f, IMAGE_FLUSH, 0, NULL);
            continue;
        }
        Op *op = &story->ops[story->count];
        op->count = (uint32_t)g_rand_int_range(random, 1, kind < 12 ? LEN_MAX : 16);
        op->first = (uint32_t)g_rand_int_range(random, 0, (gint32)(SECTORS - op->count));
        op->stamp = kind < 10 ? 0 : stamp + story->count;
        while (overlaps(flights, (uint64_t)op->first * SECTOR, (uint64_t)op->count * SECTOR))
            image_poll(image, true);
        story->count++;
        start(image, f, kind < 10 ? IMAGE_ZERO : IMAGE_WRITE, kind % 2 && kind < 10 ? IMAGE_UNMAP : 0, op);
        image_poll(image, false);
    }
    /* Nobody came: it waits to be killed in the middle of nothing. */
    image_drain(image);
    pause();
}

/* --- the parent --------------------------------------------------------------------------------------------------- */

static void corruption(void *opaque, const char *message)
{
    (void)opaque;
    fprintf(stderr, "%s\n", message);
}

/* What a sector may have: what was there, or what came to it, from the last operation that lasts on. */
static void verify_sector(const Story *story, uint32_t *shadow, uint32_t sector, const uint32_t *now)
{
    bool known = *now == shadow[sector];

    for (uint32_t i = 0; i < story->count; i++) {
        const Op *op = &story->ops[i];
        if (!op->begun || sector < op->first || sector >= op->first + op->count)
            continue;
        if (op->lasts)
            known = false;
        known |= *now == op->stamp;
    }
    if (!known)
        fail("sector %u has %u, which it cannot", sector, *now);
    for (unsigned i = 1; i < SECTOR / 4; i++)
        if (now[i] != *now)
            fail("sector %u is torn: %u and %u", sector, *now, now[i]);
    shadow[sector] = *now;
}

static void verify(const Story *story, uint32_t *shadow)
{
    g_autoptr(GError) error = NULL;
    g_autofree uint32_t *now = g_malloc(DISK);
    Qcow2Check result = {.found = NULL};
    Image *image = open_image(); /* which repairs what says that it is dirty */

    if (!qcow2_check(image, 0, &result, &error))
        fail("%s", error->message);
    if (result.corruptions || result.check_errors) {
        result = (Qcow2Check){.found = corruption};
        qcow2_check(image, 0, &result, NULL);
        fail("%" G_GUINT64_FORMAT " corruptions", result.corruptions);
    }
    if (!image_read(image, 0, now, DISK, &error) || !qcow2_check(image, QCOW2_REPAIR_LEAKS, &result, &error))
        fail("%s", error->message);
    for (uint32_t i = 0; i < SECTORS; i++)
        verify_sector(story, shadow, i, now + i * (SECTOR / 4));
    image_close(image);
}

static void make(GRand *random)
{
    g_autoptr(GError) error = NULL;
    Qcow2Create options = {.size = DISK, .cluster_size = UINT64_C(512) << g_rand_int_range(random, 0, 9)};

    options.version = g_rand_int_range(random, 0, 4) ? 3 : 2;
    if (options.version == 3) {
        options.refcount_bits = 4u << g_rand_int_range(random, 0, 5);
        options.lazy_refcounts = g_rand_boolean(random);
        options.extended_l2 = options.cluster_size >= 16384 && g_rand_boolean(random);
    }
    g_autoptr(HostFile) file = host_file_open(&(HostFilePosix){.path = "image", .create = true}, &error);
    if (!file || !qcow2_create(file, NULL, &options, &error))
        fail("%s", error->message);
    printf("version %u, clusters of %u octets, counts of %u bits%s%s\n", options.version,
           (unsigned)options.cluster_size, options.refcount_bits ? options.refcount_bits : 16,
           options.lazy_refcounts ? ", lazy" : "", options.extended_l2 ? ", extended" : "");
}

static void kill_one(Story *story, GRand *random, uint32_t *shadow, uint32_t stamp)
{
    memset(story, 0, sizeof *story);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        g_rand_set_seed(random, stamp);
        work(story, random, stamp);
        _exit(0);
    }
    int status;
    usleep((useconds_t)g_rand_int_range(random, 2000, 60000));
    if (child < 0 || kill(child, SIGKILL) != 0 || waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
        fail("the child was not killed");
    verify(story, shadow);
}

int main(int argc, char **argv)
{
    const GOptionEntry entries[] = {{"kills", 0, 0, G_OPTION_ARG_INT, &opt.kills, "How often (20)", "N"},
                                    {"each", 0, 0, G_OPTION_ARG_INT, &opt.each, "How often one image (10)", "N"},
                                    {"seed", 0, 0, G_OPTION_ARG_INT, &opt.seed, "Of all that is random (1)", "N"},
                                    {0}};
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    Story *story = mmap(NULL, sizeof *story, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint32_t *shadow = g_new0(uint32_t, SECTORS), stamp = 1;
    uint64_t operations = 0;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || story == MAP_FAILED)
        fail("%s", error ? error->message : strerror(errno));
    GRand *random = g_rand_new_with_seed((guint32)opt.seed);
    for (int i = 0; i < opt.kills; i++, stamp += OPS_MAX) {
        if (i % MAX(opt.each, 1) == 0) {
            make(random);
            memset(shadow, 0, SECTORS * sizeof *shadow);
        }
        kill_one(story, random, shadow, stamp);
        operations += story->count;
    }
    printf("%d kills, %" G_GUINT64_FORMAT " operations: nothing lost\n", opt.kills, operations);
    g_rand_free(random);
    g_free(shadow);
    return 0;
}
