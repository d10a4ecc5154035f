/*
 * test-data.c: the data path: what is written is read, in every kind of image, whatever order the file's requests end
 * in, and the image is sound whenever it is closed. What must hold when the power goes: test-data-crash.c.
 */
#include <errno.h>

#include "tests/qcow2/support/shuffle-file.h"

#include "tests/qcow2/snapshot-rig.h"

#define DEPTH 12
#define MEBI  (1u << 20)

typedef struct Kind {
    const char *name;
    Qcow2Create create;
    uint64_t backing; /* octets of a backing file; 0: none */
    uint64_t l2_cache, refcount_cache;
} Kind;

static const Kind kinds[] = {
    {"plain", {.size = 4 * MEBI}, 0, 0, 0},
    {"version 2", {.size = 4 * MEBI, .version = 2}, 0, 0, 0},
    {"version 2 with a backing file", {.size = 4 * MEBI, .version = 2}, 3 * MEBI + 1000, 0, 0},
    {"with a backing file", {.size = 4 * MEBI}, 3 * MEBI + 1000, 0, 0},
    {"with a longer backing file", {.size = 2 * MEBI + 512}, 3 * MEBI, 0, 0},
    {"the smallest clusters, small caches", {.size = MEBI, .cluster_size = 512}, 0, 512, 512},
    {"the widest counts", {.size = MEBI, .cluster_size = 512, .refcount_bits = 64}, 0, 512, 512},
    {"the narrowest counts", {.size = MEBI, .cluster_size = 4096, .refcount_bits = 1}, 0, 0, 0},
    {"counts of two bits", {.size = MEBI, .cluster_size = 4096, .refcount_bits = 2}, MEBI / 2, 0, 0},
    {"extended entries", {.size = 4 * MEBI, .extended_l2 = true, .cluster_size = 16384}, 0, 0, 0},
    {"extended entries with a backing file", {.size = 4 * MEBI, .extended_l2 = true}, 3 * MEBI + 1000, 0, 0},
    {"lazy counts", {.size = 4 * MEBI, .lazy_refcounts = true}, 0, 0, 0},
    {"preallocated", {.size = 4 * MEBI, .preallocation = QCOW2_PREALLOCATE_METADATA}, 0, 0, 0},
    {"zstd", {.size = 4 * MEBI, .zstd = true, .cluster_size = 8192}, 0, 0, 0},
    {"the largest clusters", {.size = 9 * MEBI, .cluster_size = 2 * MEBI}, 0, 0, 0},
};

typedef struct Rig Rig;

typedef struct Flight {
    ImageRequest request;
    Rig *rig;
    struct iovec iov[3];
    uint8_t *data;
    bool busy;
} Flight;

struct Rig {
    const Kind *kind;
    HostFile *file;
    Image *image;
    GByteArray *octets; /* of the image, when it is closed */
    uint8_t *shadow, *base;
    uint64_t size;
    GRand *random;
    Flight flights[DEPTH];
};

static uint32_t below(Rig *rig, uint64_t n)
{
    return (uint32_t)(g_rand_int(rig->random) % n);
}

static void open_rig(Rig *rig)
{
    HostFile *memory = host_file_memory(rig->octets->data, rig->octets->len);
    Qcow2Open o = {.l2_cache = rig->kind->l2_cache, .refcount_cache = rig->kind->refcount_cache};

    if (rig->base)
        o.backing = image_raw_new(host_file_memory(rig->base, rig->kind->backing));
    rig->file = shuffle_file_new(memory, g_rand_int(rig->random));
    g_byte_array_unref(rig->octets);
    rig->octets = g_byte_array_ref(host_file_memory_data(memory));
    OK(rig->image = qcow2_open(rig->file, &o, &error));
}

static void assert_sound(const Rig *rig)
{
    Judgement j = judge_image(rig->octets->data, rig->octets->len);

    cr_assert(!j.corruptions && !j.leaks, "%s: %u corruptions (%s), %u leaks", rig->kind->name, j.corruptions,
              j.first ? j.first : "", j.leaks);
}

static void close_rig(Rig *rig)
{
    image_close(rig->image);
    assert_sound(rig);
}

static void start_rig(Rig *rig, const Kind *kind, uint32_t seed)
{
    Qcow2Create create = kind->create;

    *rig = (Rig){.kind = kind, .size = kind->create.size, .random = g_rand_new_with_seed(seed)};
    rig->shadow = g_malloc0(rig->size);
    if (kind->backing) {
        rig->base = g_malloc(kind->backing);
        for (uint64_t i = 0; i < kind->backing; i++)
            rig->base[i] = (uint8_t)(i * 7 + i / 512) | 1;
        memcpy(rig->shadow, rig->base, MIN(kind->backing, rig->size));
        create.backing = "base";
        create.backing_format = "raw";
    }
    rig->octets = rig_create(&create);
    open_rig(rig);
}

static void stop_rig(Rig *rig)
{
    g_byte_array_unref(rig->octets);
    g_rand_free(rig->random);
    g_free(rig->shadow);
    g_free(rig->base);
}

/* --- random requests ---------------------------------------------------------------------------------------------- */

static void flight_ended(ImageRequest *request, int code)
{
    Flight *f = (Flight *)request;
    Rig *rig = f->rig;

    cr_assert_eq(code, 0, "%s: operation %d: %s", rig->kind->name, request->op, strerror(code));
    for (uint64_t i = 0; request->op == IMAGE_READ && i < request->len; i++)
        cr_assert_eq(f->data[i], rig->shadow[request->offset + i], "%s: disk offset %" G_GUINT64_FORMAT,
                     rig->kind->name, request->offset + i);
    /* Either is right, but it must not change any more. */
    if (request->op == IMAGE_DISCARD && request->len) {
        g_autofree uint8_t *now = g_malloc(request->len);
        OK(image_read(rig->image, request->offset, now, request->len, &error));
        for (uint64_t i = 0; i < request->len; i++)
            cr_assert(!now[i] || now[i] == rig->shadow[request->offset + i], "%s: what was discarded reads as else",
                      rig->kind->name);
        memcpy(rig->shadow + request->offset, now, request->len);
    }
    g_clear_pointer(&f->data, g_free);
    f->busy = false;
}

static bool overlaps(const Rig *rig, uint64_t offset, uint64_t len)
{
    for (int i = 0; i < DEPTH; i++) {
        const ImageRequest *r = &rig->flights[i].request;
        if (rig->flights[i].busy && offset < r->offset + r->len && r->offset < offset + len)
            return true;
    }
    return false;
}

static void choose_range(Rig *rig, uint64_t *offset, uint64_t *len)
{
    uint32_t cluster = qcow2_cluster_size(qcow2_header(rig->image));

    *offset = below(rig, 2) ? below(rig, rig->size) : below(rig, MIN(rig->size, 10 * cluster));
    *len = 1 + below(rig, below(rig, 4) ? 5000 : 3 * cluster);
    if (below(rig, 3) == 0) {
        *offset -= *offset % cluster;
        *len = (1 + below(rig, 3)) * cluster;
    }
    *len = MIN(*len, rig->size - *offset);
}

static Flight *idle(Rig *rig)
{
    for (;;) {
        for (int i = 0; i < DEPTH; i++)
            if (!rig->flights[i].busy)
                return &rig->flights[i];
        image_poll(rig->image, true);
    }
}

static void one_request(Rig *rig)
{
    static const ImageOp ops[] = {IMAGE_READ,  IMAGE_READ,  IMAGE_READ, IMAGE_WRITE,   IMAGE_WRITE,
                                  IMAGE_WRITE, IMAGE_WRITE, IMAGE_ZERO, IMAGE_DISCARD, IMAGE_FLUSH};
    ImageOp op = ops[below(rig, G_N_ELEMENTS(ops))];
    uint64_t offset = 0, len = 0;

    if (op != IMAGE_FLUSH)
        choose_range(rig, &offset, &len);
    while (overlaps(rig, offset, len))
        image_poll(rig->image, true);
    Flight *f = idle(rig);
    *f = (Flight){.rig = rig, .busy = true};
    f->request = (ImageRequest){.op = op, .offset = offset, .len = len, .iov = f->iov, .done = flight_ended};
    if (op == IMAGE_WRITE || op == IMAGE_READ) {
        size_t first = below(rig, len + 1), second = below(rig, len - first + 1);
        f->data = g_malloc(len);
        f->iov[0] = (struct iovec){f->data, first};
        f->iov[1] = (struct iovec){f->data + first, second};
        f->iov[2] = (struct iovec){f->data + first + second, len - first - second};
        f->request.iov_count = 3;
    }
    for (uint64_t i = 0; op == IMAGE_WRITE && i < len; i++)
        f->data[i] = (uint8_t)(g_rand_int(rig->random) | 1);
    if (op == IMAGE_WRITE)
        memcpy(rig->shadow + offset, f->data, len);
    else if (op == IMAGE_ZERO)
        memset(rig->shadow + offset, 0, len);
    if (op == IMAGE_WRITE || op == IMAGE_ZERO)
        f->request.flags = (below(rig, 8) ? 0 : IMAGE_FUA) | (op == IMAGE_ZERO && below(rig, 2) ? IMAGE_UNMAP : 0);
    image_submit(rig->image, &f->request);
    if (below(rig, 3) == 0)
        image_poll(rig->image, false);
}

static void assert_contents(Rig *rig)
{
    g_autofree uint8_t *now = g_malloc(rig->size);

    OK(image_read(rig->image, 0, now, rig->size, &error));
    for (uint64_t i = 0; i < rig->size; i++)
        cr_assert_eq(now[i], rig->shadow[i], "%s: disk offset %" G_GUINT64_FORMAT, rig->kind->name, i);
}

Test(data, what_is_written_is_read_in_every_kind_of_image)
{
    for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
        Rig rig;
        start_rig(&rig, &kinds[k], (uint32_t)k + 1);
        for (unsigned round = 0; round < 3; round++) {
            for (unsigned i = 0; i < 250; i++)
                one_request(&rig);
            image_drain(rig.image);
            assert_contents(&rig);
            close_rig(&rig);
            open_rig(&rig);
            assert_contents(&rig);
        }
        close_rig(&rig);
        stop_rig(&rig);
    }
}

/* --- allocation --------------------------------------------------------------------------------------------------- */

static void write_pattern(Image *image, uint64_t offset, size_t len, uint8_t value)
{
    g_autofree uint8_t *data = g_malloc(len);

    memset(data, value, len);
    OK(image_write(image, offset, data, len, 0, &error));
}

static void assert_map(Image *image, uint64_t offset, uint64_t len, ImageKind kind)
{
    ImageExtent e;

    OK(image_map(image, offset, INT64_MAX, &e, &error));
    cr_assert(e.kind == kind && e.len == len, "at %" G_GUINT64_FORMAT ": kind %d, %" G_GUINT64_FORMAT " octets", offset,
              e.kind, e.len);
}

Test(data, what_is_mapped_is_told_by_kind_and_extent)
{
    g_autoptr(GByteArray) octets = rig_create(&(Qcow2Create){.size = 64 * MEBI});
    g_autoptr(Image) image = rig_open_octets(octets, false);

    assert_map(image, 0, 64 * MEBI, IMAGE_UNALLOCATED);
    write_pattern(image, 65536, 3 * 65536, 1);
    OK(image_zero(image, 2 * 65536, 65536, 0, &error));
    assert_map(image, 0, 65536, IMAGE_UNALLOCATED);
    assert_map(image, 65536, 65536, IMAGE_DATA);
    assert_map(image, 2 * 65536, 65536, IMAGE_ZEROS);
    assert_map(image, 3 * 65536 + 100, 65536 - 100, IMAGE_DATA);
    assert_map(image, 64 * MEBI, INT64_MAX, IMAGE_ZEROS);
}

Test(data, room_that_is_given_back_is_used_again)
{
    g_autoptr(GByteArray) octets = rig_create(&(Qcow2Create){.size = 64 * MEBI});
    g_autoptr(Image) image = rig_open_octets(octets, false);

    write_pattern(image, 0, MEBI, 1);
    uint64_t full = host_file_length(image->file);
    for (unsigned i = 1; i < 20; i++) {
        OK(image_discard(image, (i - 1) * MEBI, MEBI, &error));
        OK(image_flush(image, &error));
        OK(image_flush(image, &error));
        write_pattern(image, i * MEBI, MEBI, (uint8_t)i);
    }
    cr_assert_leq(host_file_length(image->file), full + MEBI);
}

Test(data, room_of_zeros_stays_unless_it_may_go)
{
    g_autoptr(GByteArray) octets = rig_create(&(Qcow2Create){.size = MEBI});
    g_autoptr(Image) image = rig_open_octets(octets, false);
    ImageExtent e;

    write_pattern(image, 0, 2 * 65536, 1);
    OK(image_zero(image, 0, 65536, 0, &error));
    OK(image_zero(image, 65536, 65536, IMAGE_UNMAP, &error));
    OK(image_map(image, 0, 65536, &e, &error));
    cr_assert(e.kind == IMAGE_ZEROS && e.has_host);
    OK(image_map(image, 65536, 65536, &e, &error));
    cr_assert(!e.has_host);
}

/* --- what fails --------------------------------------------------------------------------------------------------- */

Test(data, a_write_that_fails_leaves_what_was_there_and_a_sound_image)
{
    for (unsigned n = 0; n < 6; n++) {
        Rig rig;
        g_autofree uint8_t *data = g_malloc0(100000);
        g_autoptr(GError) cause = NULL;
        start_rig(&rig, &kinds[3], n);
        shuffle_file_fail(rig.file, HOST_WRITE, n, ENOSPC);
        bool wrote = image_write(rig.image, 1000, data, 100000, 0, &cause);
        cr_assert(wrote || strstr(cause->message, "No space left on device"), "%s", wrote ? "" : cause->message);
        if (wrote)
            memset(rig.shadow + 1000, 0, 100000);
        else {
            /* What of it was written is there, cluster by cluster. */
            OK(image_read(rig.image, 0, data, 100000, &error));
            for (unsigned i = 0; i < 100000; i++)
                cr_assert(data[i] == rig.shadow[i] || (i >= 1000 && !data[i]), "octet %u", i);
            OK(image_read(rig.image, 0, rig.shadow, 101000, &error));
        }
        OK(image_flush(rig.image, &error) || image_flush(rig.image, &error));
        assert_contents(&rig);
        close_rig(&rig);
        stop_rig(&rig);
    }
}

Test(data, a_read_of_a_table_that_fails_is_told_and_tried_again_by_the_next)
{
    Rig rig;
    uint8_t octet;
    g_autoptr(GError) cause = NULL;

    start_rig(&rig, &kinds[0], 1);
    write_pattern(rig.image, 0, 1, 5);
    close_rig(&rig);
    open_rig(&rig);
    shuffle_file_fail(rig.file, HOST_READ, 0, EIO);
    cr_assert_not(image_read(rig.image, 0, &octet, 1, &cause));
    cr_assert_not_null(strstr(cause->message, "disk offset 0x0: 1 octets: cannot read: Input/output error"), "%s",
                       cause->message);
    OK(image_read(rig.image, 0, &octet, 1, &error));
    cr_assert_eq(octet, 5);
    close_rig(&rig);
    stop_rig(&rig);
}

Test(data, requests_beyond_the_end_read_zeros_and_write_nothing)
{
    g_autoptr(GByteArray) octets = rig_create(&(Qcow2Create){.size = MEBI});
    g_autoptr(Image) image = rig_open_octets(octets, false);
    g_autoptr(GError) cause = NULL;
    uint8_t data[1024];

    write_pattern(image, MEBI - 512, 512, 9);
    memset(data, 7, sizeof data);
    OK(image_read(image, MEBI - 512, data, sizeof data, &error));
    cr_assert(data[511] == 9 && data[512] == 0 && data[1023] == 0);
    cr_assert_not(image_write(image, MEBI - 512, data, sizeof data, 0, &cause));
    cr_assert_not(image_write(image, UINT64_MAX, data, sizeof data, 0, NULL));
    cr_assert_not(image_zero(image, MEBI, 1, 0, NULL));
}

Test(data, what_is_open_for_reading_is_not_written)
{
    g_autoptr(GByteArray) octets = rig_create(&(Qcow2Create){.size = MEBI});
    g_autoptr(Image) image = rig_open_octets(octets, true);
    g_autoptr(GError) cause = NULL;

    cr_assert_not(image_write(image, 0, "x", 1, 0, &cause));
    cr_assert_not_null(strstr(cause->message, "Read-only file system"), "%s", cause->message);
    cr_assert_not(image_discard(image, 0, 65536, NULL));
    OK(image_flush(image, &error));
}

/* --- resize ------------------------------------------------------------------------------------------------------- */

Test(data, a_disk_that_shrinks_and_grows_again_reads_zeros_there)
{
    for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
        Rig rig;
        uint64_t small;
        start_rig(&rig, &kinds[k], 99);
        for (unsigned i = 0; i < 60; i++)
            one_request(&rig);
        image_drain(rig.image);
        small = rig.size / 3 / 512 * 512;
        OK(image_resize(rig.image, small, &error));
        cr_assert_eq(rig.image->length, small);
        close_rig(&rig);
        open_rig(&rig);
        OK(image_resize(rig.image, rig.size, &error));
        memset(rig.shadow + small, 0, rig.size - small);
        assert_contents(&rig);
        close_rig(&rig);
        stop_rig(&rig);
    }
}

Test(data, a_disk_grows_beyond_its_l1_table)
{
    g_autoptr(GByteArray) octets = rig_create(&(Qcow2Create){.size = MEBI, .cluster_size = 512});
    Image *image = rig_open_octets(octets, false);
    uint8_t data[2];

    write_pattern(image, MEBI - 1, 1, 1);
    OK(image_resize(image, 100 * MEBI, &error));
    write_pattern(image, 100 * MEBI - 1, 1, 2);
    OK(image_flush(image, &error));
    GByteArray *now = rig_copy(host_file_memory_data(image->file));
    image_close(image);
    image = rig_open_octets(now, true);
    OK(image_read(image, MEBI - 1, data, 2, &error));
    cr_assert(data[0] == 1 && data[1] == 0);
    OK(image_read(image, 100 * MEBI - 2, data, 2, &error));
    cr_assert(data[0] == 0 && data[1] == 2);
    g_autoptr(GError) cause = NULL;
    image_close(image);
    image = rig_open_octets(now, false);
    cr_assert_not(image_resize(image, INT64_MAX / 2, &cause));
    cr_assert_not_null(strstr(cause->message, "at most 4194304"), "%s", cause->message);
    image_close(image);
    g_byte_array_unref(now);
}
