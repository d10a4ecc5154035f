/*
 * random-workload.c: does what users do to an image, at random, and holds it against a flat copy and against qemu-img.
 *
 *   random-workload [--steps=N] [--run=N] [--check=N] [--seed=N] [--verbose]
 *
 * A run is an image with options of its own; each has so many steps, until there were --steps in all. After every
 * --check of them, and at the end of a run, the image is closed: qemu-img check must find nothing at all (no leak
 * either), and qemu-img must read what the copy has, of snapshots, too. Works in the current directory.
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "qcow2/header.h"
#include "qcow2/qcow2.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

enum {
    DISK_MAX = 6 << 20,
    SNAPSHOTS_MAX = 5,
    FLIGHT_MAX = 8,
    VM_STATE_MAX = 300000,
};

static struct {
    int steps, run, check, seed;
    gboolean verbose;
} opt = {.steps = 1000, .run = 250, .check = 25, .seed = 1};

typedef struct Kept {
    char *name;
    uint8_t *data, *vm_state;
    uint64_t len, vm_state_len;
} Kept;

typedef struct Flight {
    ImageRequest request; /* first */
    uint8_t *data, *before;
    struct iovec iov[2];
    bool ended;
    int error;
} Flight;

typedef struct Run {
    GRand *random;
    unsigned seed;
    int step;
    Qcow2Create options;
    Image *image;
    uint8_t *disk; /* DISK_MAX */
    uint64_t len;
    GPtrArray *kept; /* of Kept */
    GPtrArray *flights;
    unsigned names;
    uint64_t refused;
} Run;

static void die(const Run *r, const char *format, ...) G_GNUC_PRINTF(2, 3) G_GNUC_NORETURN;
static void die(const Run *r, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    fprintf(stderr, "random-workload --seed=%u --run=%d: step %d: %s\n", r->seed, opt.run, r->step, text);
    exit(1);
}

static void say(const Run *r, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void say(const Run *r, const char *format, ...)
{
    va_list ap;

    if (!opt.verbose)
        return;
    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    printf("%d: %s\n", r->step, text);
    fflush(stdout);
}

/* It may be refused, but not for other reasons. */
static bool allowed(Run *r, bool ok, GError **trouble, const char *what)
{
    GError *error = *trouble;

    if (ok)
        return true;
    if (error->code != FERRY_ERROR_REFUSED && error->code != FERRY_ERROR_LIMIT &&
        error->code != FERRY_ERROR_UNSUPPORTED)
        die(r, "%s: %s", what, error->message);
    say(r, "%s: refused: %s", what, error->message);
    g_error_free(error);
    r->refused++;
    return false;
}

static uint64_t up_to(Run *r, uint64_t most)
{
    return most ? (uint64_t)g_rand_int(r->random) % (most + 1) : 0;
}

/* --- qemu-img --------------------------------------------------------------------------------------------------- */

static void qemu_img(const Run *r, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void qemu_img(const Run *r, const char *format, ...)
{
    g_autofree char *out = NULL, *errors = NULL;
    g_autoptr(GError) error = NULL;
    va_list ap;
    int status;

    va_start(ap, format);
    g_autofree char *line = g_strdup_vprintf(format, ap);
    va_end(ap);
    if (!g_spawn_command_line_sync(line, &out, &errors, &status, &error))
        die(r, "%s", error->message);
    if (status)
        die(r, "%s: status %d: %s%s", line, WEXITSTATUS(status), out, errors);
}

static void want(const Run *r, const uint8_t *data, uint64_t len)
{
    if (!g_file_set_contents("wanted", (const char *)data, (gssize)len, NULL))
        die(r, "cannot write");
}

static void judge(const Run *r)
{
    qemu_img(r, "qemu-img check -q image");
    want(r, r->disk, r->len);
    qemu_img(r, "qemu-img compare -q -f qcow2 -F raw image wanted");
    for (guint i = 0; i < r->kept->len; i++) {
        const Kept *k = r->kept->pdata[i];
        want(r, k->data, k->len);
        qemu_img(r, "qemu-img convert -f qcow2 -O raw -l %s image got", k->name);
        /* it takes the length of the disk as it is now */
        qemu_img(r, "cmp -n %" PRIu64 " got wanted", MIN(k->len, r->len));
    }
}

/* --- requests --------------------------------------------------------------------------------------------------- */

static void ended(ImageRequest *request, int error)
{
    Flight *f = (Flight *)request;

    f->ended = true;
    f->error = error;
}

/* What is discarded reads as what it was, or as zeros; which of them, is known now. */
static void after_discard(Run *r, const Flight *f)
{
    g_autofree uint8_t *now = g_malloc(f->request.len + 1);
    g_autoptr(GError) error = NULL;

    if (!image_read(r->image, f->request.offset, now, f->request.len, &error))
        die(r, "%s", error->message);
    for (uint64_t i = 0; i < f->request.len; i++)
        if (now[i] && now[i] != r->disk[f->request.offset + i])
            die(r, "offset 0x%" PRIx64 " is 0x%02x after a discard, was 0x%02x", f->request.offset + i, now[i],
                r->disk[f->request.offset + i]);
    memcpy(r->disk + f->request.offset, now, f->request.len);
}

static void judge_flight(Run *r, Flight *f)
{
    const ImageRequest *q = &f->request;
    bool compressed = q->flags & IMAGE_COMPRESSED;

    if (!f->ended)
        die(r, "a request has not ended");
    if (f->error && !(compressed && f->error == EINVAL))
        die(r, "request %d at 0x%" PRIx64 ", 0x%" PRIx64 " octets: %s", q->op, q->offset, q->len, g_strerror(f->error));
    if (q->op == IMAGE_READ && memcmp(f->data, f->before, q->len) != 0) {
        uint64_t i = 0;
        while (f->data[i] == f->before[i])
            i++;
        die(r, "offset 0x%" PRIx64 " reads as 0x%02x, not 0x%02x", q->offset + i, f->data[i], f->before[i]);
    }
    if (compressed && !f->error)
        memcpy(r->disk + q->offset, f->data, q->len);
    if (q->op == IMAGE_DISCARD)
        after_discard(r, f);
}

static void free_flight(void *data)
{
    Flight *f = data;

    g_free(f->data);
    g_free(f->before);
    g_free(f);
}

static void drain(Run *r)
{
    image_drain(r->image);
    for (guint i = 0; i < r->flights->len; i++)
        judge_flight(r, r->flights->pdata[i]);
    g_ptr_array_set_size(r->flights, 0);
}

/* Requests that are under way together do not overlap: nobody says which wins. */
static void make_room(Run *r, uint64_t offset, uint64_t len)
{
    bool clash = r->flights->len >= FLIGHT_MAX;

    for (guint i = 0; i < r->flights->len && !clash; i++) {
        const Flight *f = r->flights->pdata[i];
        clash = offset < f->request.offset + f->request.len && f->request.offset < offset + len;
    }
    if (clash)
        drain(r);
}

static void fill(Run *r, uint8_t *data, uint64_t len)
{
    uint32_t kind = g_rand_int(r->random);

    for (uint64_t i = 0; i < len; i++)
        data[i] = kind % 4 ? (uint8_t)(kind + i / 97) : (uint8_t)g_rand_int(r->random);
}

static void submit(Run *r, ImageOp op, unsigned flags, uint64_t offset, uint64_t len)
{
    Flight *f = g_new0(Flight, 1);
    uint64_t first = len ? up_to(r, len) : 0;

    make_room(r, offset, len);
    f->request = (ImageRequest){.op = op, .flags = flags, .offset = offset, .len = len, .done = ended};
    if (op == IMAGE_READ || op == IMAGE_WRITE) {
        f->data = g_malloc(len + 1);
        f->iov[0] = (struct iovec){f->data, first};
        f->iov[1] = (struct iovec){f->data + first, len - first};
        f->request.iov = f->iov;
        f->request.iov_count = 2;
    }
    if (op == IMAGE_READ)
        f->before = g_memdup2(r->disk + offset, len + 1);
    if (op == IMAGE_WRITE)
        fill(r, f->data, len);
    if (op == IMAGE_WRITE && !(flags & IMAGE_COMPRESSED))
        memcpy(r->disk + offset, f->data, len);
    if (op == IMAGE_ZERO)
        memset(r->disk + offset, 0, len);
    say(r, "request %d flags %u at 0x%" PRIx64 ", 0x%" PRIx64 " octets", op, flags, offset, len);
    g_ptr_array_add(r->flights, f);
    image_submit(r->image, &f->request);
    if (up_to(r, 2) == 0)
        image_poll(r->image, up_to(r, 1));
}

/* Small and large, aligned to something or not, and often near the last one. */
static void range(Run *r, uint64_t *offset, uint64_t *len)
{
    static const uint32_t units[] = {1, 512, 4096, 65536};
    uint32_t unit = units[up_to(r, 3)], cluster = (uint32_t)r->options.cluster_size;

    unit = up_to(r, 3) ? unit : cluster;
    *len = up_to(r, up_to(r, 3) ? 20000 : 600000) / unit * unit;
    *len = MIN(*len ? *len : unit, r->len);
    *offset = up_to(r, r->len) / unit * unit;
    *offset = MIN(*offset, r->len - *len);
}

static void do_request(Run *r, ImageOp op)
{
    unsigned flags = 0;
    uint64_t offset, len;

    range(r, &offset, &len);
    if (op == IMAGE_ZERO || op == IMAGE_WRITE)
        flags |= up_to(r, 9) == 0 ? IMAGE_FUA : 0;
    if (op == IMAGE_ZERO)
        flags |= up_to(r, 1) ? IMAGE_UNMAP : 0;
    submit(r, op, flags, offset, len);
}

/* --- snapshots -------------------------------------------------------------------------------------------------- */

static void free_kept(void *data)
{
    Kept *k = data;

    g_free(k->name);
    g_free(k->data);
    g_free(k->vm_state);
    g_free(k);
}

/* While its VM state is written, the guest goes on. */
static bool with_vm_state(Run *r, Kept *k, const Qcow2SnapshotNew *new, GError **error)
{
    Qcow2Pending *p = qcow2_snapshot_prepare(r->image, error);

    if (!p)
        return false;
    k->vm_state_len = 1 + up_to(r, VM_STATE_MAX);
    k->vm_state = g_malloc0(k->vm_state_len);
    for (uint64_t at = 0, len; at < k->vm_state_len; at += len) {
        len = 1 + up_to(r, 90000);
        len = MIN(k->vm_state_len - at, len);
        bool hole = up_to(r, 4) == 0;
        if (!hole)
            fill(r, k->vm_state + at, len);
        if (!hole && !qcow2_pending_write(p, at, k->vm_state + at, len, error))
            die(r, "%s", (*error)->message);
        do_request(r, up_to(r, 1) ? IMAGE_WRITE : IMAGE_ZERO);
    }
    drain(r);
    if (up_to(r, 3))
        return qcow2_snapshot_publish(p, new, k->vm_state_len, error);
    say(r, "abandoned");
    qcow2_snapshot_abandon(p);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "abandoned");
    return false;
}

static void snapshot_create(Run *r)
{
    Kept *k = g_new0(Kept, 1);
    Qcow2SnapshotNew new = {.icount = UINT64_MAX, .date_ns = g_get_real_time() * 1000};
    GError *error = NULL;

    if (r->kept->len >= SNAPSHOTS_MAX) {
        free_kept(k);
        return;
    }
    drain(r);
    new.name = k->name = g_strdup_printf("s%u", r->names++);
    k->len = r->len;
    k->data = g_memdup2(r->disk, r->len);
    say(r, "snapshot create %s", k->name);
    bool ok = up_to(r, 1) ? qcow2_snapshot_create(r->image, &new, &error) : with_vm_state(r, k, &new, &error);
    if (allowed(r, ok, &error, "snapshot create"))
        g_ptr_array_add(r->kept, k);
    else
        free_kept(k);
}

static const Qcow2Snapshot *any_snapshot(Run *r, guint *index)
{
    GError *error = NULL;

    drain(r);
    if (!r->kept->len)
        return NULL;
    *index = (guint)up_to(r, r->kept->len - 1);
    const Kept *k = r->kept->pdata[*index];
    const Qcow2Snapshot *s = qcow2_snapshot_find(r->image, k->name, &error);
    if (!s)
        die(r, "%s", error->message);
    return s;
}

static void snapshot_goto(Run *r)
{
    guint index;
    const Qcow2Snapshot *s = any_snapshot(r, &index);
    GError *error = NULL;

    if (!s)
        return;
    const Kept *k = r->kept->pdata[index];
    say(r, "snapshot goto %s", k->name);
    if (!allowed(r, qcow2_snapshot_goto(r->image, s, &error), &error, "snapshot goto"))
        return;
    r->len = k->len;
    memcpy(r->disk, k->data, k->len);
    if (r->image->length != k->len)
        die(r, "the disk has %" PRIu64 " octets, not %" PRIu64, r->image->length, k->len);
}

static void snapshot_delete(Run *r)
{
    guint index;
    const Qcow2Snapshot *s = any_snapshot(r, &index);
    GError *error = NULL;

    if (!s)
        return;
    say(r, "snapshot delete %s", s->name);
    if (allowed(r, qcow2_snapshot_delete(r->image, s, (Qcow2Orphans)up_to(r, 1), &error), &error, "snapshot delete"))
        g_ptr_array_remove_index(r->kept, index);
}

static void snapshot_read(Run *r)
{
    guint index;
    const Qcow2Snapshot *s = any_snapshot(r, &index);
    g_autoptr(GError) error = NULL;

    if (!s)
        return;
    const Kept *k = r->kept->pdata[index];
    say(r, "snapshot read %s", k->name);
    if (s->vm_state_size != k->vm_state_len)
        die(r, "VM state of %" PRIu64 " octets, not %" PRIu64, s->vm_state_size, k->vm_state_len);
    g_autofree uint8_t *data = g_malloc(MAX(k->len, k->vm_state_len) + 1);
    if (!qcow2_vm_state_read(r->image, s, 0, data, k->vm_state_len, &error))
        die(r, "%s", error->message);
    if (k->vm_state_len && memcmp(data, k->vm_state, k->vm_state_len) != 0)
        die(r, "the VM state of %s is another", k->name);
    g_autoptr(Image) disk = qcow2_snapshot_image(r->image, s, &error);
    if (!disk || !image_read(disk, 0, data, k->len, &error))
        die(r, "%s", error->message);
    if (disk->length != k->len || memcmp(data, k->data, k->len) != 0)
        die(r, "the disk of %s is another", k->name);
}

/* --- the image -------------------------------------------------------------------------------------------------- */

static void resize(Run *r)
{
    uint64_t len = (1 + up_to(r, DISK_MAX / 512 - 1)) * 512;
    GError *error = NULL;

    drain(r);
    say(r, "resize to %" PRIu64, len);
    if (!allowed(r, image_resize(r->image, len, &error), &error, "resize"))
        return;
    if (len > r->len)
        memset(r->disk + r->len, 0, len - r->len);
    r->len = len;
}

static void open_image(Run *r)
{
    ImagePath options = {.path = "image", .format = "qcow2", .cache = HOST_CACHE_UNSAFE};
    GError *error = NULL;

    options.engine = up_to(r, 1) ? HOST_ENGINE_AUTO : HOST_ENGINE_THREADS;
    /* small caches have to make room */
    options.l2_cache = up_to(r, 1) ? r->options.cluster_size * (1 + up_to(r, 3)) : 0;
    options.refcount_cache = up_to(r, 1) ? r->options.cluster_size : 0;
    r->image = image_open(&options, &error);
    if (!r->image)
        die(r, "open: %s", error->message);
}

static void close_image(Run *r)
{
    g_autoptr(GError) error = NULL;

    drain(r);
    if (up_to(r, 1) && !image_flush(r->image, &error))
        die(r, "flush: %s", error->message);
    if (qcow2_corruption(r->image))
        die(r, "corrupt: %s", qcow2_corruption(r->image));
    g_clear_pointer(&r->image, image_close);
}

static void step(Run *r)
{
    uint64_t cluster = r->options.cluster_size, at = up_to(r, r->len - 1) / cluster * cluster;
    unsigned what = (unsigned)up_to(r, 99);
    bool snapshots = !r->options.data_file;

    if (what < 40)
        do_request(r, IMAGE_WRITE);
    else if (what < 58)
        do_request(r, IMAGE_READ);
    else if (what < 66)
        do_request(r, IMAGE_ZERO);
    else if (what < 73)
        do_request(r, IMAGE_DISCARD);
    else if (what < 78 && snapshots)
        submit(r, IMAGE_WRITE, IMAGE_COMPRESSED, at, MIN(cluster, r->len - at));
    else if (what < 82)
        submit(r, IMAGE_FLUSH, 0, 0, 0);
    else if (what < 86 && snapshots)
        snapshot_create(r);
    else if (what < 89)
        snapshot_goto(r);
    else if (what < 92)
        snapshot_delete(r);
    else if (what < 94)
        snapshot_read(r);
    else if (what < 97)
        resize(r);
    else {
        say(r, "reopen");
        close_image(r);
        open_image(r);
    }
}

/* --- a run ------------------------------------------------------------------------------------------------------ */

static void choose_options(Run *r)
{
    Qcow2Create *o = &r->options;

    r->len = (1 + up_to(r, DISK_MAX / 512 - 1)) * 512;
    *o = (Qcow2Create){.size = r->len, .version = up_to(r, 4) ? 3 : 2, .cluster_size = 512u << up_to(r, 12)};
    if (o->version == 3) {
        o->refcount_bits = 1u << up_to(r, 6);
        o->lazy_refcounts = up_to(r, 3) == 0;
        o->extended_l2 = o->cluster_size >= 16384 && up_to(r, 2) == 0;
        o->zstd = up_to(r, 2) == 0;
        o->data_file = up_to(r, 7) == 0 ? "data" : NULL;
        o->data_file_raw = o->data_file && up_to(r, 1);
    }
    if (up_to(r, 2) == 0 && !o->data_file_raw) {
        o->backing = "base";
        o->backing_format = "raw";
    }
    if (!o->backing && up_to(r, 5) == 0)
        o->preallocation = (Qcow2Preallocation)up_to(r, 3);
}

static void make_base(Run *r)
{
    uint64_t len = up_to(r, 1) ? r->len : (1 + up_to(r, DISK_MAX / 512 - 1)) * 512;
    g_autofree uint8_t *data = g_malloc(len);
    g_autoptr(GError) error = NULL;

    fill(r, data, len);
    memset(data + len / 3, 0, len / 4);
    memcpy(r->disk, data, MIN(len, r->len));
    if (!g_file_set_contents("base", (char *)data, (gssize)len, &error))
        die(r, "%s", error->message);
}

static void make_image(Run *r)
{
    HostFilePosix path = {.path = "image", .create = true, .resizes = true, .cache = HOST_CACHE_UNSAFE};
    g_autoptr(GError) error = NULL;
    g_autoptr(HostFile) file = host_file_open(&path, &error);

    path.path = "data";
    g_autoptr(HostFile) data = file && r->options.data_file ? host_file_open(&path, &error) : NULL;
    if (!file || !qcow2_create(file, data, &r->options, &error))
        die(r, "create: %s", error->message);
}

static void one_run(unsigned seed, int steps)
{
    Run r = {.seed = seed, .random = g_rand_new_with_seed(seed), .disk = g_malloc0(DISK_MAX + 1)};
    const Qcow2Create *o = &r.options;

    r.kept = g_ptr_array_new_with_free_func(free_kept);
    r.flights = g_ptr_array_new_with_free_func(free_flight);
    choose_options(&r);
    if (o->backing)
        make_base(&r);
    make_image(&r);
    say(&r, "version %u, clusters %" PRIu64 ", refcounts %u, lazy %d, extended %d, zstd %d, data %s %d, backing %s, %d",
        o->version, o->cluster_size, o->refcount_bits, o->lazy_refcounts, o->extended_l2, o->zstd, o->data_file,
        o->data_file_raw, o->backing, o->preallocation);
    open_image(&r);
    while (r.step++ < steps) {
        step(&r);
        if (r.step % opt.check == 0 || r.step == steps) {
            close_image(&r);
            judge(&r);
            open_image(&r);
        }
    }
    close_image(&r);
    g_ptr_array_unref(r.kept);
    g_ptr_array_unref(r.flights);
    g_rand_free(r.random);
    g_free(r.disk);
}

int main(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        {"steps", 0, 0, G_OPTION_ARG_INT, &opt.steps, "How many in all", "N"},
        {"run", 0, 0, G_OPTION_ARG_INT, &opt.run, "With one image", "N"},
        {"check", 0, 0, G_OPTION_ARG_INT, &opt.check, "Between two checks", "N"},
        {"seed", 0, 0, G_OPTION_ARG_INT, &opt.seed, "Of the first run", "N"},
        {"verbose", 0, 0, G_OPTION_ARG_NONE, &opt.verbose, "Tell each step", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 2;
    }
    unsigned seed = (unsigned)opt.seed;
    for (int done = 0; done < opt.steps; done += opt.run)
        one_run(seed++, MIN(opt.run, opt.steps - done));
    printf("%d steps with %u images: qemu-img and the copy agree\n", opt.steps, seed - (unsigned)opt.seed);
    return 0;
}
