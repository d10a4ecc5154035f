/*
 * check-rig.h: a small image whose tables one knows the places of. Include it last.
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

#endif
