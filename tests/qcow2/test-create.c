/* test-create.c: new images, judged by qemu-img. */
#include "qcow2/header.h"
#include "qcow2/qcow2.h"
#include "visitors/error.h"

#include "tests/qcow2/qemu.h"

#define MIB (UINT64_C(1) << 20)

static bool try_create(const Qcow2Create *options, GError **error)
{
    g_autoptr(HostFile) file = open_host("image", true);
    g_autoptr(HostFile) data = options->data_file ? open_host(options->data_file, true) : NULL;

    return qcow2_create(file, data, options, error);
}

static void create(const Qcow2Create *options)
{
    g_autoptr(GError) error = NULL;

    cr_assert(try_create(options, &error), "%s", error->message);
}

static void is_number(json_t *info, const char *path, uint64_t value)
{
    json_t *found = member(info, path);

    cr_assert(json_is_integer(found) && (uint64_t)json_integer_value(found) == value, "%s: %lld, not %llu", path,
              (long long)json_integer_value(found), (unsigned long long)value);
}

static void is_text(json_t *info, const char *path, const char *value)
{
    const char *found = json_string_value(member(info, path));

    cr_assert_str_eq(found ? found : "(none)", value ? value : "(none)");
}

static void is_flag(json_t *info, const char *path, bool value)
{
    cr_assert_eq(json_is_true(member(info, path)), value, "%s", path);
}

/* What qemu-img says of it is what was wanted, and it finds nothing wrong. */
static void judge(const Qcow2Create *o)
{
    json_t *info = qemu_json("qemu-img info --output=json image");
    bool three = o->version != 2;

    is_text(info, "format", "qcow2");
    is_number(info, "virtual-size", (o->size + 511) & ~UINT64_C(511));
    is_number(info, "cluster-size", o->cluster_size ? o->cluster_size : 65536);
    is_text(info, "format-specific.data.compat", three ? "1.1" : "0.10");
    is_number(info, "format-specific.data.refcount-bits", o->refcount_bits ? o->refcount_bits : 16);
    is_flag(info, "format-specific.data.lazy-refcounts", o->lazy_refcounts);
    is_flag(info, "format-specific.data.extended-l2", o->extended_l2);
    is_flag(info, "format-specific.data.corrupt", false);
    is_text(info, "format-specific.data.compression-type", o->zstd ? "zstd" : "zlib");
    is_text(info, "format-specific.data.data-file", o->data_file);
    is_flag(info, "format-specific.data.data-file-raw", o->data_file_raw);
    is_text(info, "backing-filename", o->backing);
    is_text(info, "backing-filename-format", o->backing_format);
    is_flag(info, "dirty-flag", false);
    json_decref(info);
    g_free(qemu("qemu-img check -q image"));
}

static void reads_as_zeros(uint64_t size)
{
    g_free(qemu("qemu-img create -q -f raw zeros %llu", (unsigned long long)size));
    g_free(qemu("qemu-img compare -q -s -f qcow2 -F raw image zeros || qemu-img compare -f qcow2 -F raw image zeros"));
}

/* QEMU writes into it, finds it there again, and nothing wrong. */
static void qemu_writes(void)
{
    g_free(
        qemu("qemu-io -f qcow2 -c 'write -P 7 3k 70k' -c 'write -z 1k 5k' -c 'discard 20k 64k' -c 'read -P 7 6k 10k' "
             "-c 'read -P 0 2k 4k' image | grep -vE '^(wrote|read|discard) |ops;' | (! grep .)"));
    g_free(qemu("qemu-img check -q image"));
}

Test(qcow2_create, all_cluster_sizes_and_refcount_widths)
{
    Place place = place_new();

    for (unsigned bits = 9; bits <= 21; bits++) {
        for (unsigned order = 0; order <= 6; order++) {
            Qcow2Create o = {.size = 33 * MIB + 512 * order, .cluster_size = 1u << bits, .refcount_bits = 1u << order};
            create(&o);
            judge(&o);
        }
        reads_as_zeros(33 * MIB + 512 * 6);
        qemu_writes();
    }
    place_done(&place);
}

Test(qcow2_create, all_preallocations_with_all_cluster_sizes)
{
    Place place = place_new();

    for (unsigned bits = 9; bits <= 21; bits++) {
        for (unsigned p = QCOW2_PREALLOCATE_OFF; p <= QCOW2_PREALLOCATE_FULL; p++) {
            Qcow2Create o = {.size = 5 * MIB + 1024, .cluster_size = 1u << bits, .preallocation = p};
            o.version = bits % 2 ? 2 : 3;
            o.refcount_bits = o.version == 3 ? 1u << (bits + p) % 7 : 16;
            o.extended_l2 = o.version == 3 && bits >= 14;
            create(&o);
            judge(&o);
            reads_as_zeros(o.size);
        }
        qemu_writes();
    }
    place_done(&place);
}

Test(qcow2_create, preallocation_takes_the_room_that_it_says)
{
    Place place = place_new();
    const struct {
        Qcow2Preallocation preallocation;
        bool tables, room;
    } all[] = {
        {QCOW2_PREALLOCATE_OFF, false, false},
        {QCOW2_PREALLOCATE_METADATA, true, false},
        {QCOW2_PREALLOCATE_FALLOCATE, true, true},
        {QCOW2_PREALLOCATE_FULL, true, true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        create(&(Qcow2Create){.size = 8 * MIB, .preallocation = all[i].preallocation});
        json_t *info = qemu_json("qemu-img info --output=json image");
        uint64_t room = (uint64_t)json_integer_value(member(info, "actual-size"));
        cr_assert_eq(room >= 8 * MIB, all[i].room, "%zu: %llu", i, (unsigned long long)room);
        json_decref(info);
        json_t *check = qemu_json("qemu-img check --output=json image");
        cr_assert_eq(json_integer_value(member(check, "allocated-clusters")), all[i].tables ? 128 : 0);
        json_decref(check);
    }
    place_done(&place);
}

Test(qcow2_create, features_of_version_3_in_all_combinations)
{
    Place place = place_new();

    for (unsigned set = 0; set < 64; set++) {
        Qcow2Create o = {
            .size = 3 * MIB,
            .lazy_refcounts = set & 1,
            .extended_l2 = set & 2,
            .zstd = set & 4,
            .data_file = set & 8 ? "data" : NULL,
            .data_file_raw = (set & 24) == 24,
            .preallocation = set & 32 ? QCOW2_PREALLOCATE_METADATA : QCOW2_PREALLOCATE_OFF,
        };
        create(&o);
        judge(&o);
        reads_as_zeros(o.size);
        qemu_writes();
        if (o.data_file_raw)
            g_free(qemu("qemu-img compare -q -f qcow2 -F raw image data"));
    }
    place_done(&place);
}

Test(qcow2_create, what_a_backing_file_has_is_read)
{
    Place place = place_new();

    g_free(qemu("qemu-img create -q -f qcow2 base 3M && qemu-io -f qcow2 -c 'write -P 5 1M 1M' base"));
    for (unsigned set = 0; set < 8; set++) {
        Qcow2Create o = {
            .size = 4 * MIB,
            .version = set & 1 ? 2 : 3,
            .backing = "base",
            .backing_format = "qcow2",
            .extended_l2 = (set & 3) == 2,
            .data_file = (set & 5) == 4 ? "data" : NULL,
        };
        o.preallocation = o.extended_l2 ? QCOW2_PREALLOCATE_METADATA : QCOW2_PREALLOCATE_OFF;
        create(&o);
        judge(&o);
        g_free(qemu("qemu-img compare -q -f qcow2 -F qcow2 image base"));
        qemu_writes();
    }
    place_done(&place);
}

Test(qcow2_create, sizes_from_nothing_to_the_limit)
{
    Place place = place_new();
    const struct {
        uint64_t size, cluster;
    } all[] = {
        {0, 0},
        {1, 0},
        {512, 512},
        {UINT64_C(128) << 30, 512},
        {UINT64_C(2) << 50, 65536},
        {UINT64_C(2) << 60, 2 * MIB},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        Qcow2Create o = {.size = all[i].size, .cluster_size = all[i].cluster};
        create(&o);
        judge(&o);
    }
    place_done(&place);
}

Test(qcow2_create, what_was_in_the_file_is_gone)
{
    Place place = place_new();
    g_autoptr(GError) error = NULL;

    g_free(qemu("head -c 9M /dev/urandom >image"));
    g_autoptr(HostFile) file = open_host("image", false);
    Qcow2Create o = {.size = 4 * MIB, .preallocation = QCOW2_PREALLOCATE_METADATA};
    cr_assert(qcow2_create(file, NULL, &o, &error));
    g_clear_pointer(&file, host_file_close);
    judge(&o);
    reads_as_zeros(o.size);
    place_done(&place);
}

Test(qcow2_create, a_device_is_not_empty_but_its_image_is)
{
    enum { SIZE = 6 << 20 };
    g_autofree uint8_t *old = g_malloc(SIZE);
    Place place = place_new();
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < SIZE; i++)
        old[i] = (uint8_t)(i * 7 + 1);
    for (unsigned p = QCOW2_PREALLOCATE_OFF; p <= QCOW2_PREALLOCATE_FULL; p++) {
        g_autoptr(HostFile) device = host_file_memory(old, SIZE);
        device->fresh_is_zero = false;
        Qcow2Create o = {.size = 4 * MIB, .preallocation = p};
        cr_assert(qcow2_create(device, NULL, &o, &error), "%s", error ? error->message : "");
        GByteArray *now = host_file_memory_data(device);
        cr_assert_eq(now->len, SIZE);
        cr_assert(g_file_set_contents("image", (char *)now->data, SIZE, NULL));
        judge(&o);
        reads_as_zeros(o.size);
    }
    place_done(&place);
}

/* --- what does not go ------------------------------------------------------------------------------------------- */

static void refused(const Qcow2Create *options, FerryError code, const char *message)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *whole = g_strconcat("image: ", message, NULL);

    cr_assert_not(try_create(options, &error), "not refused: %s", message);
    cr_assert_str_eq(error->message, whole);
    cr_assert_eq(error->code, (int)code, "%s", message);
}

Test(qcow2_create, version_2_has_none_of_the_new_features)
{
    Place place = place_new();

    refused(&(Qcow2Create){.version = 2, .lazy_refcounts = true}, FERRY_ERROR_REFUSED,
            "version 2 (compat=0.10) has no lazy refcounts: they need version 3");
    refused(&(Qcow2Create){.version = 2, .extended_l2 = true}, FERRY_ERROR_REFUSED,
            "version 2 (compat=0.10) has no extended L2 entries: they need version 3");
    refused(&(Qcow2Create){.version = 2, .zstd = true}, FERRY_ERROR_REFUSED,
            "version 2 (compat=0.10) has no compression type zstd: it needs version 3");
    refused(&(Qcow2Create){.version = 2, .data_file = "data"}, FERRY_ERROR_REFUSED,
            "version 2 (compat=0.10) has no data files: they need version 3");
    refused(&(Qcow2Create){.version = 2, .refcount_bits = 8}, FERRY_ERROR_REFUSED,
            "version 2 (compat=0.10) has no refcounts of other than 16 bits: they need version 3");
    refused(&(Qcow2Create){.version = 4}, FERRY_ERROR_UNSUPPORTED, "version 4 is not known, only 2 and 3");
    place_done(&place);
}

Test(qcow2_create, numbers_that_the_format_cannot_have_are_refused)
{
    Place place = place_new();

    refused(&(Qcow2Create){.cluster_size = 256}, FERRY_ERROR_UNSUPPORTED,
            "cluster size 256 is no power of 2 from 512 to 2097152");
    refused(&(Qcow2Create){.cluster_size = 4 * MIB}, FERRY_ERROR_UNSUPPORTED,
            "cluster size 4194304 is no power of 2 from 512 to 2097152");
    refused(&(Qcow2Create){.cluster_size = 65537}, FERRY_ERROR_UNSUPPORTED,
            "cluster size 65537 is no power of 2 from 512 to 2097152");
    refused(&(Qcow2Create){.refcount_bits = 128}, FERRY_ERROR_UNSUPPORTED,
            "refcounts of 128 bits: no power of 2 from 1 to 64");
    refused(&(Qcow2Create){.refcount_bits = 12}, FERRY_ERROR_UNSUPPORTED,
            "refcounts of 12 bits: no power of 2 from 1 to 64");
    refused(&(Qcow2Create){.cluster_size = 8192, .extended_l2 = true}, FERRY_ERROR_REFUSED,
            "extended L2 entries need a cluster size of at least 16384, not 8192");
    refused(&(Qcow2Create){.size = (UINT64_C(128) << 30) + 1, .cluster_size = 512}, FERRY_ERROR_LIMIT,
            "a size of 137438953984 octets needs an L1 table of 33554440 octets, at most 33554432: with a cluster size "
            "of 512 a disk has at most 137438953472 octets");
    refused(&(Qcow2Create){.size = (UINT64_C(2) << 50) + 1}, FERRY_ERROR_LIMIT,
            "a size of 2251799813685760 octets needs an L1 table of 33554440 octets, at most 33554432: with a "
            "cluster size of 65536 a disk has at most 2251799813685248 octets");
    refused(&(Qcow2Create){.size = UINT64_MAX}, FERRY_ERROR_LIMIT,
            "a size of 18446744073709551615 octets: at most 9223372036854775296");
    refused(&(Qcow2Create){.size = UINT64_C(128) << 30,
                           .cluster_size = 512,
                           .refcount_bits = 64,
                           .preallocation = QCOW2_PREALLOCATE_METADATA},
            FERRY_ERROR_LIMIT,
            "a file of 141871369216 octets needs a refcount table of 34636800 octets, at most 8388608");
    place_done(&place);
}

Test(qcow2_create, files_that_contradict_each_other_are_refused)
{
    Place place = place_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *longest = g_strnfill(1024, 'x');

    refused(&(Qcow2Create){.backing_format = "raw"}, FERRY_ERROR_REFUSED,
            "a backing format (raw) goes with a backing file");
    refused(&(Qcow2Create){.backing = ""}, FERRY_ERROR_REFUSED, "the name of the backing file is empty");
    refused(&(Qcow2Create){.backing = longest}, FERRY_ERROR_LIMIT,
            "the name of the backing file has 1024 octets, at most 1023");
    refused(&(Qcow2Create){.data_file_raw = true}, FERRY_ERROR_REFUSED, "data_file_raw goes with a data file");
    refused(&(Qcow2Create){.data_file = "data", .data_file_raw = true, .backing = "base"}, FERRY_ERROR_REFUSED,
            "a data file that is raw has no place for what a backing file has");
    refused(&(Qcow2Create){.backing = "base", .preallocation = QCOW2_PREALLOCATE_FULL}, FERRY_ERROR_REFUSED,
            "preallocation would hide the backing file, but with extended L2 entries");
    longest[800] = 0;
    cr_assert_not(try_create(&(Qcow2Create){.backing = longest, .cluster_size = 512}, &error));
    g_autoptr(HostFile) file = open_host("image", true);
    cr_assert_not(qcow2_create(file, NULL, &(Qcow2Create){.data_file = "data"}, NULL));
    cr_assert_not(qcow2_create(file, file, &(Qcow2Create){.size = 512}, NULL));
    place_done(&place);
}

/* Nothing is written when the options are wrong: what the file had is still there. */
Test(qcow2_create, a_refusal_leaves_the_file_alone)
{
    g_autoptr(HostFile) file = host_file_memory("what was there", 14);
    g_autofree char *name = g_strnfill(800, 'x');

    cr_assert_not(qcow2_create(file, NULL, &(Qcow2Create){.cluster_size = 1}, NULL));
    cr_assert_not(qcow2_create(file, NULL, &(Qcow2Create){.cluster_size = 512, .backing = name}, NULL));
    cr_assert_eq(host_file_length(file), 14);
}

Test(qcow2_create, the_measure_is_that_of_qemu_img)
{
    Place place = place_new();
    const uint64_t sizes[] = {0, 512, 65536, 100000 * 512, MIB << 10, UINT64_C(8) << 30, UINT64_C(1) << 40};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        for (unsigned set = 0; set < 24; set++) {
            Qcow2Create o = {.size = sizes[i],
                             .cluster_size = UINT64_C(65536) >> set % 3 * 2,
                             .refcount_bits = 16u >> set / 6,
                             .extended_l2 = set % 6 == 3};
            uint64_t required, full;
            g_autofree char *line = g_strdup_printf(
                "qemu-img measure --output=json -O qcow2 -o cluster_size=%llu,refcount_bits=%u,extended_l2=%s --size %llu",
                (unsigned long long)o.cluster_size, o.refcount_bits, o.extended_l2 ? "on" : "off",
                (unsigned long long)o.size);
            json_t *json = qemu_json(line);
            cr_assert(qcow2_measure(&o, &required, &full, NULL));
            cr_assert_eq(required, (uint64_t)json_integer_value(member(json, "required")), "%s: %llu", line,
                         (unsigned long long)required);
            cr_assert_eq(full, (uint64_t)json_integer_value(member(json, "fully-allocated")), "%s: %llu", line,
                         (unsigned long long)full);
            json_decref(json);
        }
    }
    place_done(&place);
}
