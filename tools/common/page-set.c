/* page-set.c: a set of page numbers: bits, in pieces that are looked up by number. */
#include "tools/common/page-set.h"

#include <glib.h>

enum { PIECE = 4096 }; /* pages in a piece */

typedef struct Piece {
    uint64_t number; /* of its first page, divided by PIECE */
    unsigned count;  /* of members, at least 1 */
    uint64_t bits[PIECE / 64];
} Piece;

struct PageSet {
    GTree *pieces;
    uint64_t count;
};

static int compare_numbers(const void *a, const void *b, void *data)
{
    const uint64_t *x = a, *y = b;

    (void)data;
    return *x < *y ? -1 : *x > *y;
}

PageSet *page_set_new(void)
{
    PageSet *set = g_new0(PageSet, 1);

    set->pieces = g_tree_new_full(compare_numbers, NULL, NULL, g_free);
    return set;
}

void page_set_free(PageSet *set)
{
    if (!set)
        return;
    g_tree_unref(set->pieces);
    g_free(set);
}

static bool has(const Piece *piece, unsigned i)
{
    return piece->bits[i / 64] >> i % 64 & 1;
}

static Piece *make_piece(PageSet *set, uint64_t number)
{
    Piece *piece = g_tree_lookup(set->pieces, &number);

    if (!piece) {
        piece = g_new0(Piece, 1);
        piece->number = number;
        g_tree_insert(set->pieces, &piece->number, piece);
    }
    return piece;
}

void page_set_add(PageSet *set, uint64_t first, uint64_t count)
{
    for (uint64_t page = first; page - first < count;) {
        Piece *piece = make_piece(set, page / PIECE);
        for (unsigned i = page % PIECE; i < PIECE && page - first < count; i++, page++) {
            set->count += !has(piece, i);
            piece->count += !has(piece, i);
            piece->bits[i / 64] |= UINT64_C(1) << i % 64;
        }
    }
}

/* Takes out of one piece, from page `first` of it on; how many, 0 if there is none below `end`. */
static unsigned take_from(Piece *piece, unsigned first, unsigned end, unsigned *page)
{
    unsigned n = 0;

    for (*page = first; *page < end && !has(piece, *page);)
        ++*page;
    for (; *page + n < end && has(piece, *page + n); n++)
        piece->bits[(*page + n) / 64] &= ~(UINT64_C(1) << (*page + n) % 64);
    piece->count -= n;
    return n;
}

bool page_set_take(PageSet *set, uint64_t first, uint64_t end, uint64_t *page, uint64_t *n)
{
    uint64_t number = first / PIECE;

    for (GTreeNode *node = g_tree_lower_bound(set->pieces, &number); node; node = g_tree_node_next(node)) {
        Piece *piece = g_tree_node_value(node);
        uint64_t base = piece->number * PIECE;
        unsigned at;
        if (base >= end)
            return false;
        *n = take_from(piece, first > base ? (unsigned)(first - base) : 0, (unsigned)MIN(end - base, PIECE), &at);
        if (!*n)
            continue;
        *page = base + at;
        set->count -= *n;
        if (!piece->count)
            g_tree_remove(set->pieces, &piece->number);
        return true;
    }
    return false;
}

uint64_t page_set_count(const PageSet *set)
{
    return set->count;
}

uint64_t page_set_first_missing(const PageSet *set, uint64_t page)
{
    uint64_t number = page / PIECE;
    const Piece *piece;

    while ((piece = g_tree_lookup(set->pieces, &number))) {
        for (; page / PIECE == number; page++)
            if (!has(piece, page % PIECE))
                return page;
        number++;
    }
    return page;
}
