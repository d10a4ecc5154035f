/* judge.c: counts all references of a qcow2 image. Source: the qcow2 specification. */
#include "tests/qcow2/support/judge.h"

#include <stdbool.h>
#include <string.h>

#include "visitors/bytes.h"

#define OFFSET   UINT64_C(0x00fffffffffffe00)
#define COPIED   (UINT64_C(1) << 63)
#define COMPRESS (UINT64_C(1) << 62)

typedef enum Kind { NOTHING, HEADER, REFTABLE, REFBLOCK, L1, L2, SNAPSHOTS, BITMAPS, DATA } Kind;

typedef struct Judge {
    const uint8_t *data;
    size_t len;
    unsigned bits, order, entry;
    uint64_t cluster, clusters;
    uint64_t *refs; /* of each cluster */
    uint8_t *kinds;
    Judgement result;
} Judge;

static void corrupt(Judge *j, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void corrupt(Judge *j, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!j->result.first)
        j->result.first = g_strdup_vprintf(format, args);
    va_end(args);
    j->result.corruptions++;
}

static bool refer(Judge *j, Kind kind, uint64_t offset, uint64_t len, const char *what)
{
    bool ok = true;

    if (kind != DATA && offset % j->cluster) {
        corrupt(j, "%s at %#lx is not aligned", what, (unsigned long)offset);
        return false;
    }
    for (uint64_t c = offset >> j->bits; len && c <= (offset + len - 1) >> j->bits; c++) {
        if (c >= j->clusters) {
            corrupt(j, "%s at %#lx lies out of the file", what, (unsigned long)offset);
            return false;
        }
        if (j->kinds[c] != NOTHING && (j->kinds[c] != kind || (kind != L2 && kind != DATA))) {
            corrupt(j, "%s at %#lx lies where there is something of kind %u", what, (unsigned long)offset, j->kinds[c]);
            ok = false;
        }
        j->kinds[c] = (uint8_t)kind;
        j->refs[c]++;
    }
    return ok;
}

static uint64_t count_of(const Judge *j, uint64_t cluster)
{
    unsigned per_bits = j->bits + 3 - j->order;
    uint64_t table = load_be64(j->data + 48), entries = (uint64_t)load_be32(j->data + 56) << (j->bits - 3);
    uint64_t index = cluster >> per_bits, in = cluster & ((UINT64_C(1) << per_bits) - 1);

    if (index >= entries || table + index * 8 + 8 > j->len)
        return 0;
    uint64_t block = load_be64(j->data + table + index * 8), width = UINT64_C(1) << j->order, value = 0;
    if (!block)
        return 0;
    for (uint64_t bit = 0; bit < width; bit += MIN(8, width)) {
        uint64_t at = block + ((in << j->order) + bit) / 8;
        uint8_t octet = at < j->len ? j->data[at] : 0;
        if (width < 8)
            return octet >> ((in << j->order) & 7) & ((1u << width) - 1);
        value = value << 8 | octet;
    }
    return value;
}

/* --- trees ------------------------------------------------------------------------------------------------------ */

static void judge_flag(Judge *j, uint64_t entry, const char *what, uint64_t where)
{
    uint64_t count = count_of(j, (entry & OFFSET) >> j->bits);

    if (!!(entry & COPIED) != (count == 1))
        corrupt(j, "%s %#lx: entry %#lx, but the refcount is %lu", what, (unsigned long)where, (unsigned long)entry,
                (unsigned long)count);
}

static void judge_l2(Judge *j, uint64_t table, bool active)
{
    for (uint64_t i = 0; i < j->cluster / j->entry; i++) {
        const uint8_t *at = j->data + table + i * j->entry;
        uint64_t entry = at + 8 <= j->data + j->len ? load_be64(at) : 0;
        if (entry & COMPRESS) {
            unsigned x = 62 - (j->bits - 8);
            uint64_t host = entry & ((UINT64_C(1) << x) - 1), sectors = ((entry & ~(COPIED | COMPRESS)) >> x) + 1;
            refer(j, DATA, host, sectors * 512 - host % 512, "a compressed cluster");
            if (entry & COPIED)
                corrupt(j, "a compressed cluster at %#lx has the flag COPIED", (unsigned long)host);
        } else if (entry & OFFSET) {
            if ((entry & OFFSET) % j->cluster)
                corrupt(j, "a cluster at %#lx is not aligned", (unsigned long)(entry & OFFSET));
            else if (refer(j, DATA, entry & OFFSET, j->cluster, "a cluster") && active)
                judge_flag(j, entry, "L2 table", table);
        }
    }
}

static void judge_tree(Judge *j, uint64_t offset, uint64_t size, bool active)
{
    if (!size || !refer(j, L1, offset, size * 8, "an L1 table"))
        return;
    for (uint64_t i = 0; i < size && offset + i * 8 + 8 <= j->len; i++) {
        uint64_t entry = load_be64(j->data + offset + i * 8);
        if (!(entry & OFFSET) || !refer(j, L2, entry & OFFSET, j->cluster, "an L2 table"))
            continue;
        if (active)
            judge_flag(j, entry, "L1 table", offset);
        judge_l2(j, entry & OFFSET, active);
    }
}

static void judge_snapshots(Judge *j)
{
    uint64_t start = load_be64(j->data + 64), at = start;
    uint32_t count = load_be32(j->data + 60);

    for (uint32_t i = 0; i < count; i++) {
        at = (at + 7) & ~UINT64_C(7);
        if (at + 40 > j->len) {
            corrupt(j, "the snapshot table is cut");
            return;
        }
        const uint8_t *entry = j->data + at;
        judge_tree(j, load_be64(entry), load_be32(entry + 8), false);
        at += 40 + load_be32(entry + 36) + load_be16(entry + 12) + load_be16(entry + 14);
    }
    if (count)
        refer(j, SNAPSHOTS, start, at - start, "the snapshot table");
}

/* --- bitmaps ---------------------------------------------------------------------------------------------------- */

static void judge_bitmaps(Judge *j, const uint8_t *extension)
{
    uint32_t count = load_be32(extension);
    uint64_t size = load_be64(extension + 8), at = load_be64(extension + 16);

    refer(j, BITMAPS, at, size, "the bitmap directory");
    for (uint32_t i = 0; i < count && at + 24 <= j->len; i++) {
        const uint8_t *entry = j->data + at;
        uint64_t table = load_be64(entry), entries = load_be32(entry + 8);
        refer(j, BITMAPS, table, entries * 8, "a bitmap table");
        for (uint64_t k = 0; k < entries && table + k * 8 + 8 <= j->len; k++) {
            uint64_t host = load_be64(j->data + table + k * 8) & OFFSET;
            if (host)
                refer(j, BITMAPS, host, j->cluster, "a part of a bitmap");
        }
        at = (at + 24 + load_be32(entry + 20) + load_be16(entry + 18) + 7) & ~UINT64_C(7);
    }
}

static void judge_extensions(Judge *j)
{
    uint32_t version = load_be32(j->data + 4);
    uint64_t at = version >= 3 ? load_be32(j->data + 100) : 72;

    while (at + 8 <= MIN(j->cluster, j->len) && load_be32(j->data + at)) {
        uint32_t type = load_be32(j->data + at), len = load_be32(j->data + at + 4);
        if (len > j->cluster - at - 8) {
            corrupt(j, "an extension at %#lx goes too far", (unsigned long)at);
            return;
        }
        if (type == 0x23852875 && version >= 3 && load_be64(j->data + 88) & 1)
            judge_bitmaps(j, j->data + at + 8);
        at += 8 + ((len + 7) & ~7u);
    }
}

/* ---------------------------------------------------------------------------------------------------------------- */

static void judge_counts(Judge *j)
{
    uint64_t table = load_be64(j->data + 48), entries = (uint64_t)load_be32(j->data + 56) << (j->bits - 3);

    refer(j, REFTABLE, table, entries * 8, "the refcount table");
    for (uint64_t i = 0; i < entries && table + i * 8 + 8 <= j->len; i++)
        if (load_be64(j->data + table + i * 8))
            refer(j, REFBLOCK, load_be64(j->data + table + i * 8), j->cluster, "a refcount block");
}

Judgement judge_image(const uint8_t *data, size_t len)
{
    Judge j = {.data = data, .len = len};

    if (len < 104 || load_be32(data) != 0x514649fb) {
        corrupt(&j, "it has no header");
        return j.result;
    }
    bool three = load_be32(data + 4) >= 3;
    j.bits = load_be32(data + 20);
    j.cluster = UINT64_C(1) << j.bits;
    j.order = three ? load_be32(data + 96) : 4;
    j.entry = three && load_be64(data + 72) & 16 ? 16 : 8;
    j.clusters = (len + j.cluster - 1) >> j.bits;
    j.refs = g_new0(uint64_t, j.clusters + 1);
    j.kinds = g_new0(uint8_t, j.clusters + 1);
    refer(&j, HEADER, 0, j.cluster, "the header");
    judge_counts(&j);
    judge_extensions(&j);
    judge_tree(&j, load_be64(data + 40), load_be32(data + 36), true);
    judge_snapshots(&j);
    for (uint64_t c = 0; c < j.clusters; c++) {
        uint64_t count = count_of(&j, c);
        if (count < j.refs[c])
            corrupt(&j, "cluster at %#lx of kind %u: refcount %lu, but %lu references", (unsigned long)(c << j.bits),
                    j.kinds[c], (unsigned long)count, (unsigned long)j.refs[c]);
        j.result.leaks += count > j.refs[c];
    }
    g_free(j.refs);
    g_free(j.kinds);
    return j.result;
}
