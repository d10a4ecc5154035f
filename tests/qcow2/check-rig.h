/*
 * check-rig.h: images whose tables one knows the places of, and what a check says of them. Include it last.
 */
#ifndef TESTS_QCOW2_CHECK_RIG_H
#define TESTS_QCOW2_CHECK_RIG_H

#include "tests/qcow2/snapshot-rig.h"
#include "visitors/bytes.h"

#define COPIED (UINT64_C(1) << 63)
#define PLACE  UINT64_C(0x00fffffffffffe00)

static inline uint64_t l1_at(const GByteArray *o)
{
    return load_be64(o->data + 40);
}

static inline uint64_t l2_at(const GByteArray *o)
{
    return load_be64(o->data + l1_at(o)) & PLACE;
}

static inline uint64_t table_at(const GByteArray *o)
{
    return load_be64(o->data + 48);
}

static inline uint64_t block_at(const GByteArray *o)
{
    return load_be64(o->data + table_at(o)) & PLACE;
}

/* An image with clusters of 64 KiB: header, refcount table, block, L1, L2, then 3 clusters of data. */
static inline GByteArray *simple(void)
{
    g_autoptr(GByteArray) empty = rig_create(&(Qcow2Create){.size = 1 << 20});
    HostFile *file = host_file_memory(empty->data, empty->len);
    Image *image = rig_open(file, false);
    g_autofree uint8_t *data = g_malloc(3 << 16);

    memset(data, 0x5a, 3 << 16);
    OK(image_write(image, 0, data, 3 << 16, 0, &error));
    OK(image_set_active(image, false, &error));
    GByteArray *octets = rig_copy(host_file_memory_data(file));
    image_close(image);
    return octets;
}

static inline void put_count(GByteArray *o, unsigned cluster, uint16_t count)
{
    store_be16(o->data + block_at(o) + 2 * cluster, count);
}

static const Qcow2Create kinds[] = {
    {.size = 98304, .cluster_size = 512},
    {.size = 98304, .cluster_size = 512, .refcount_bits = 64},
    {.size = 98304, .cluster_size = 512, .refcount_bits = 4},
    {.size = 98304, .cluster_size = 512, .version = 2},
    {.size = 300000, .cluster_size = 4096, .refcount_bits = 32},
    {.size = 600064, .cluster_size = 65536},
    {.size = 600064, .cluster_size = 16384, .extended_l2 = true},
};

/* A disk with a snapshot, and something written since. */
static inline GByteArray *base(const Qcow2Create *kind)
{
    g_autoptr(GByteArray) empty = rig_create(kind);
    HostFile *file = host_file_memory(empty->data, empty->len);
    Image *image = rig_open(file, false);
    g_autoptr(GRand) random = g_rand_new_with_seed(3);

    rig_scribble(image, random, 20);
    rig_snapshot_new(image, "a", 0xaa);
    rig_scribble(image, random, 10);
    OK(image_set_active(image, false, &error)); /* what was freed is free then */
    GByteArray *octets = rig_copy(host_file_memory_data(file));
    image_close(image);
    return octets;
}

static inline Image *open_to_repair(HostFile *file)
{
    Image *image;

    OK(image = qcow2_open(file, &(Qcow2Open){.repair = true}, &error));
    return image;
}

static inline void note(void *opaque, const char *message)
{
    g_string_append_printf(opaque, "%s\n", message);
}

/* What the check says, in the order of the file's tables. */
static inline Qcow2Check check(const GByteArray *octets, GString *said)
{
    Image *image = open_to_repair(host_file_memory(octets->data, octets->len));
    Qcow2Check result = {.found = said ? note : NULL, .opaque = said};

    OK(qcow2_check(image, 0, &result, &error));
    cr_assert(octets->len == host_file_memory_data(image->file)->len &&
                  memcmp(octets->data, host_file_memory_data(image->file)->data, octets->len) == 0,
              "a check has written");
    image_close(image);
    return result;
}

static inline void says(const GByteArray *octets, uint64_t corruptions, uint64_t leaks, const char *what)
{
    g_autoptr(GString) said = g_string_new(NULL);
    Qcow2Check found = check(octets, said);

    cr_assert(found.corruptions == corruptions && found.leaks == leaks,
              "%" G_GUINT64_FORMAT " corruptions, %" G_GUINT64_FORMAT " leaks:\n%s", found.corruptions, found.leaks,
              said->str);
    cr_assert(strstr(said->str, what), "'%s' is not in:\n%s", what, said->str);
}

#endif
