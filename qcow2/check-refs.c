/* check-refs.c: references to clusters, counted: two octets a cluster, and a table for the few that have very many. */
#include <inttypes.h>

#include "qcow2/check-impl.h"
#include "visitors/error.h"

/* 2^32 clusters are a file of 256 TiB with clusters of 64 KiB. */
#define CLUSTERS_MAX (UINT64_C(1) << 32)

bool refs_init(Refs *refs, uint64_t size, const char *path, GError **error)
{
    if (size > CLUSTERS_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "%s: the file has %" PRIu64 " clusters, at most %" PRIu64 " can be checked", path, size,
                    CLUSTERS_MAX);
        return false;
    }
    /* Pages of it that nothing is counted in are never touched. */
    refs->counts = g_try_malloc0_n(size, sizeof *refs->counts);
    if (!refs->counts) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "%s: no memory to count the references to %" PRIu64 " clusters", path, size);
        return false;
    }
    refs->size = size;
    refs->more = g_hash_table_new(g_direct_hash, g_direct_equal);
    return true;
}

void refs_done(Refs *refs)
{
    g_clear_pointer(&refs->counts, g_free);
    g_clear_pointer(&refs->more, g_hash_table_unref);
}

void refs_add_slowly(Refs *refs, uint64_t cluster, uint64_t times)
{
    uint64_t count = refs_get(refs, cluster);
    uint64_t sum = times > UINT64_MAX - count ? UINT64_MAX : count + times;

    refs->counts[cluster] |= REF_COUNT;
    g_hash_table_insert(refs->more, GSIZE_TO_POINTER(cluster), GSIZE_TO_POINTER(sum));
}

uint64_t refs_get_slowly(const Refs *refs, uint64_t cluster)
{
    return GPOINTER_TO_SIZE(g_hash_table_lookup(refs->more, GSIZE_TO_POINTER(cluster)));
}

void refs_drop(Refs *refs, uint64_t cluster)
{
    uint64_t count = refs_get(refs, cluster);

    if ((refs->counts[cluster] & REF_COUNT) == REF_COUNT)
        g_hash_table_insert(refs->more, GSIZE_TO_POINTER(cluster), GSIZE_TO_POINTER(count ? count - 1 : 0));
    else if (count)
        refs->counts[cluster]--;
}
