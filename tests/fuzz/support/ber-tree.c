/* ber-tree.c: BER elements as a tree that can be changed at random and written again. */
#include "tests/fuzz/support/ber-tree.h"

#include <xxhash.h>

#include "tests/fuzz/support/fuzz.h"
#include "vmstate/berstream.h"

enum {
    DEPTH_MAX = 60,
    GROWTH = 64,        /* octets that a change may add to a content */
    INTEGER_HEAD = 2,   /* octets in front of the content of an INTEGER */
    NODES_MAX = 100000, /* copies of copies end here */
};

/* An element, or the root, which has only children. */
typedef struct Node {
    unsigned form;
    uint32_t tag;
    bool raw; /* content is no element */
    bool indefinite;
    GByteArray *content; /* of a primitive one, or raw */
    GPtrArray *children; /* of a constructed one */
} Node;

struct BerTree {
    Node *root;
    bool open; /* the first element has no end, as in a stream that is cut */
};

/* --- nodes ------------------------------------------------------------------------------------------------------- */

static void node_free(void *data)
{
    Node *n = data;

    if (n->content)
        g_byte_array_unref(n->content);
    if (n->children)
        g_ptr_array_unref(n->children);
    g_free(n);
}

static Node *node_new(unsigned form, uint32_t tag)
{
    Node *n = g_new0(Node, 1);

    n->form = form;
    n->tag = tag;
    if (form & BER_CONSTRUCTED)
        n->children = g_ptr_array_new_with_free_func(node_free);
    else
        n->content = g_byte_array_new();
    return n;
}

static Node *leaf_new(unsigned form, uint32_t tag, const void *data, size_t len)
{
    Node *n = node_new(form, tag);

    g_byte_array_append(n->content, data, (guint)len);
    return n;
}

static Node *child(const Node *n, size_t i)
{
    return g_ptr_array_index(n->children, i);
}

static Node *node_copy(const Node *n)
{
    Node *copy = node_new(n->form, n->tag);

    copy->raw = n->raw;
    copy->indefinite = n->indefinite;
    if (n->content)
        g_byte_array_append(copy->content, n->content->data, n->content->len);
    for (guint i = 0; n->children && i < n->children->len; i++)
        g_ptr_array_add(copy->children, node_copy(child(n, i)));
    return copy;
}

static size_t node_count(const Node *n)
{
    size_t count = 1;

    for (guint i = 0; n->children && i < n->children->len; i++)
        count += node_count(child(n, i));
    return count;
}

/* --- reading and writing ----------------------------------------------------------------------------------------- */

static void parse_children(Node *n, const uint8_t *data, size_t len, unsigned depth)
{
    BerElement e;
    ByteIn in;

    byte_in_init(&in, data, len);
    while (byte_in_left(&in)) {
        size_t start = in.pos;
        if (ber_next(&in, &e)) {
            Node *rest = leaf_new(BER_UNIVERSAL, 0, data + start, len - start);
            rest->raw = true;
            g_ptr_array_add(n->children, rest);
            return;
        }
        Node *item = node_new(depth < DEPTH_MAX ? e.form : e.form & ~(unsigned)BER_CONSTRUCTED, e.tag);
        item->indefinite = e.indefinite;
        if (item->children)
            parse_children(item, e.content, e.len, depth + 1);
        else
            g_byte_array_append(item->content, e.content, (guint)e.len);
        g_ptr_array_add(n->children, item);
    }
}

BerTree *ber_tree_parse(const uint8_t *data, size_t len)
{
    BerTree *t = g_new0(BerTree, 1);
    unsigned form = 0;
    uint32_t tag = 0;
    int64_t size = 0;
    int head = ber_read_head(data, len, &form, &tag, &size);
    BerElement e;
    ByteIn in;

    t->root = node_new(BER_CONSTRUCTED, 0);
    byte_in_init(&in, data, len);
    t->open = head > 0 && size < 0 && form & BER_CONSTRUCTED && ber_next(&in, &e);
    if (!t->open) {
        parse_children(t->root, data, len, 0);
        return t;
    }
    Node *stream = node_new(form, tag);
    stream->indefinite = true;
    g_ptr_array_add(t->root->children, stream);
    parse_children(stream, data + head, len - (size_t)head, 1);
    return t;
}

void ber_tree_free(BerTree *t)
{
    node_free(t->root);
    g_free(t);
}

static void node_write(const Node *n, ByteOut *out)
{
    size_t mark = 0;

    if (n->raw) {
        byte_out_put(out, n->content->data, n->content->len);
        return;
    }
    if (!n->children) {
        ber_put_octets_as(out, n->form, n->tag, n->content->data, n->content->len);
        return;
    }
    mark = ber_start(out, n->form, n->tag);
    if (n->indefinite)
        out->data[mark] = 0x80;
    for (guint i = 0; i < n->children->len; i++)
        node_write(child(n, i), out);
    if (n->indefinite)
        byte_out_put(out, "\0", 2);
    else
        ber_end(out, mark);
}

void ber_tree_write(const BerTree *t, ByteOut *out)
{
    for (guint i = 0; i < t->root->children->len; i++)
        node_write(child(t->root, i), out);
    if (t->open && out->len >= 2)
        out->len -= 2;
}

/* --- checks ------------------------------------------------------------------------------------------------------ */

static bool node_is(const Node *n, unsigned form, uint32_t tag)
{
    return !n->raw && n->form == form && n->tag == tag;
}

/* A BIT STRING of whole octets (type Opaque of vmstate.asn1). */
static void set_opaque(Node *n, const uint8_t *data, size_t len)
{
    static const uint8_t no_unused_bits[1] = {0};

    g_byte_array_set_size(n->content, 0);
    g_byte_array_append(n->content, no_unused_bits, 1);
    g_byte_array_append(n->content, data, (guint)len);
}

/* Count and digest of the End record, if it has places for them. */
static void repair_end(Node *end, uint64_t records, XXH3_state_t *checks)
{
    XXH128_canonical_t digest;
    ByteOut count = {0};

    XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(checks));
    for (guint i = 0; i < end->children->len; i++) {
        Node *n = child(end, i);
        if (i == 0 && node_is(n, BER_UNIVERSAL, BER_INTEGER)) {
            ber_put_uint(&count, records);
            g_byte_array_set_size(n->content, 0);
            g_byte_array_append(n->content, count.data + INTEGER_HEAD, (guint)(count.len - INTEGER_HEAD));
        } else if (node_is(n, BER_CONTEXT, 0)) {
            set_opaque(n, digest.digest, sizeof digest.digest);
        }
    }
    byte_out_done(&count);
}

static void repair_record(Node *record, uint64_t ordinal, XXH3_state_t *checks)
{
    guint n = record->children->len;
    uint8_t value[8] = {0};
    Node *check = n ? child(record, n - 1) : NULL;
    ByteOut out = {0};

    if (node_is(record, BER_APPLICATION | BER_CONSTRUCTED, BERSTREAM_END))
        repair_end(record, ordinal, checks);
    if (!check || !node_is(check, BER_CONTEXT, BERSTREAM_CHECK_TAG)) {
        check = node_new(BER_CONTEXT, BERSTREAM_CHECK_TAG);
        g_ptr_array_add(record->children, check);
    }
    set_opaque(check, value, sizeof value);
    node_write(record, &out);
    size_t at = out.len - BERSTREAM_CHECK - (record->indefinite ? 2 : 0);
    store_be64(value, berstream_check(out.data, at, ordinal));
    set_opaque(check, value, sizeof value);
    XXH3_128bits_update(checks, value, sizeof value);
    byte_out_done(&out);
}

void ber_tree_repair(BerTree *t)
{
    Node *stream = t->root->children->len ? child(t->root, 0) : NULL;
    XXH3_state_t *checks = XXH3_createState();

    XXH3_128bits_reset(checks);
    for (guint i = 0; stream && stream->children && i < stream->children->len; i++)
        if (child(stream, i)->children)
            repair_record(child(stream, i), i, checks);
    XXH3_freeState(checks);
}

/* --- changes ----------------------------------------------------------------------------------------------------- */

/* Where a node is: the place among its parent's children. */
typedef struct Place {
    Node *parent;
    guint index;
} Place;

/* The node number *number below n; counts down. */
static bool find_place(Node *n, size_t *number, Place *place)
{
    for (guint i = 0; n->children && i < n->children->len; i++) {
        if ((*number)-- == 0) {
            *place = (Place){n, i};
            return true;
        }
        if (find_place(child(n, i), number, place))
            return true;
    }
    return false;
}

/* Mostly any node; at times a record, of which there are few among so many fields. */
static bool random_place(const BerTree *t, GRand *rand, Place *place)
{
    Node *stream = t->root->children->len ? child(t->root, 0) : NULL;
    size_t nodes = node_count(t->root) - 1;

    if (nodes == 0)
        return false;
    if (stream->children && stream->children->len && g_rand_int_range(rand, 0, 4) == 0) {
        *place = (Place){stream, (guint)g_rand_int_range(rand, 0, (gint32)stream->children->len)};
        return true;
    }
    size_t number = (size_t)g_rand_int_range(rand, 0, (gint32)nodes);
    return find_place(t->root, &number, place);
}

static void change_content(Node *n)
{
    guint len = n->content->len;

    g_byte_array_set_size(n->content, len + GROWTH);
    memset(n->content->data + len, 0, GROWTH);
    size_t got = LLVMFuzzerMutate(n->content->data, len, len + GROWTH);
    g_byte_array_set_size(n->content, (guint)got);
}

static void change_number(Node *n, GRand *rand)
{
    static const uint64_t edges[] = {0,          1,          2,          3,         15,         16,       127,
                                     128,        255,        256,        4095,      4096,       65535,    65536,
                                     0x7fffffff, 0x80000000, UINT32_MAX, INT64_MAX, UINT64_MAX, 1u << 24, 64u << 20};
    Integer value = {.bits = edges[g_rand_int_range(rand, 0, G_N_ELEMENTS(edges))]};
    ByteOut out = {0};

    value.negative = g_rand_int_range(rand, 0, 8) == 0 && value.bits > INT64_MAX;
    ber_put_integer(&out, value);
    g_byte_array_set_size(n->content, 0);
    g_byte_array_append(n->content, out.data + INTEGER_HEAD, (guint)(out.len - INTEGER_HEAD));
    byte_out_done(&out);
}

static void change_identifier(Node *n, GRand *rand)
{
    static const unsigned classes[] = {BER_UNIVERSAL, BER_APPLICATION, BER_CONTEXT, BER_PRIVATE};
    static const uint32_t tags[] = {BER_BOOLEAN, BER_INTEGER,    BER_BIT_STRING,  BER_OCTET_STRING,
                                    BER_NULL,    BER_ENUMERATED, BER_UTF8_STRING, BER_SEQUENCE};

    switch (g_rand_int_range(rand, 0, 4)) {
    case 0:
        n->form = classes[g_rand_int_range(rand, 0, 4)] | (n->form & BER_CONSTRUCTED);
        break;
    case 1:
        n->form = (n->form & BER_CONSTRUCTED) | BER_UNIVERSAL;
        n->tag = n->children ? (uint32_t)BER_SEQUENCE : tags[g_rand_int_range(rand, 0, G_N_ELEMENTS(tags))];
        break;
    default:
        n->tag = (uint32_t)g_rand_int_range(rand, 0, 18);
    }
}

/* Puts something into the list of children of which the place is one. */
static void insert(Place place, Node *n)
{
    g_ptr_array_insert(place.parent->children, (gint)place.index, n);
}

static void insert_new(Place place, GRand *rand)
{
    switch (g_rand_int_range(rand, 0, 4)) {
    case 0:
        insert(place, leaf_new(BER_UNIVERSAL, BER_NULL, "", 0));
        break;
    case 1:
        insert(place, leaf_new(BER_UNIVERSAL, BER_BOOLEAN, "", 1));
        break;
    case 2:
        insert(place, leaf_new(BER_CONTEXT, (uint32_t)g_rand_int_range(rand, 0, 17), "\1", 1));
        break;
    default:
        insert(place, node_new(BER_UNIVERSAL | BER_CONSTRUCTED, BER_SEQUENCE));
    }
}

static void change_place(Place place, const BerTree *spare, GRand *rand)
{
    Node *n = child(place.parent, place.index);
    GPtrArray *all = place.parent->children;
    guint other = (guint)g_rand_int_range(rand, 0, (gint32)all->len);
    Place from;

    switch (g_rand_int_range(rand, 0, 8)) {
    case 0:
        g_ptr_array_remove_index(all, place.index);
        break;
    case 1:
        insert(place, node_copy(n));
        break;
    case 2:
        all->pdata[place.index] = all->pdata[other];
        all->pdata[other] = n;
        break;
    case 3:
        change_identifier(n, rand);
        break;
    case 4:
        n->indefinite = n->children && !n->indefinite;
        break;
    case 5:
        insert_new(place, rand);
        break;
    default:
        if (random_place(spare, rand, &from))
            insert(place, node_copy(child(from.parent, from.index)));
    }
}

/* Ends the stream behind a record. */
static void cut(BerTree *t, GRand *rand)
{
    Node *stream = t->root->children->len ? child(t->root, 0) : NULL;

    if (!stream || !stream->indefinite || t->root->children->len > 1 || !stream->children->len)
        return;
    g_ptr_array_set_size(stream->children, g_rand_int_range(rand, 0, (gint32)stream->children->len) + 1);
    t->open = true;
}

static void change(BerTree *t, const BerTree *spare, GRand *rand)
{
    Place place;

    if (node_count(t->root) > NODES_MAX || !random_place(t, rand, &place))
        return;
    Node *n = child(place.parent, place.index);
    /* content is what most changes should be about */
    if (n->content && g_rand_int_range(rand, 0, 4)) {
        if (!n->raw && n->content->len <= 9 && g_rand_int_range(rand, 0, 3) == 0)
            change_number(n, rand);
        else
            change_content(n);
        return;
    }
    change_place(place, spare, rand);
}

void ber_tree_mutate(BerTree *t, const BerTree *spare, GRand *rand)
{
    for (int i = g_rand_int_range(rand, 1, 4); i; i--)
        change(t, spare, rand);
    if (g_rand_int_range(rand, 0, 64) == 0)
        cut(t, rand);
}

/* --- custom mutators --------------------------------------------------------------------------------------------- */

/* Writes the tree, if there is room; the length, or 0. */
static size_t put_tree(BerTree *t, uint8_t *data, size_t most, bool repair)
{
    ByteOut out = {0};
    size_t len = 0;

    if (repair)
        ber_tree_repair(t);
    ber_tree_write(t, &out);
    if (out.len && out.len <= most) {
        len = out.len;
        memcpy(data, out.data, len);
    }
    byte_out_done(&out);
    return len;
}

size_t ber_tree_mutate_bytes(uint8_t *data, size_t len, size_t most, unsigned seed, bool repair)
{
    GRand *rand = g_rand_new_with_seed(seed);
    int way = g_rand_int_range(rand, 0, 16);

    /* 0: bytes; 1: bytes, then what can be repaired is; 2: a tree with wrong checks; 3: at times cut anywhere */
    if (way < 2)
        len = LLVMFuzzerMutate(data, len, most);
    if (way) {
        BerTree *t = ber_tree_parse(data, len);
        if (way > 1)
            ber_tree_mutate(t, t, rand);
        size_t got = put_tree(t, data, most, repair && way != 2);
        len = got ? got : LLVMFuzzerMutate(data, len, most);
        ber_tree_free(t);
    }
    if (way == 3 && len > 1 && g_rand_int_range(rand, 0, 4) == 0)
        len = (size_t)g_rand_int_range(rand, 1, (gint32)len);
    g_rand_free(rand);
    return len;
}

size_t ber_tree_cross(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len, uint8_t *out, size_t most,
                      unsigned seed, bool repair)
{
    GRand *rand = g_rand_new_with_seed(seed);
    BerTree *t = ber_tree_parse(a, a_len), *spare = ber_tree_parse(b, b_len);

    ber_tree_mutate(t, spare, rand);
    size_t len = put_tree(t, out, most, repair);
    ber_tree_free(t);
    ber_tree_free(spare);
    g_rand_free(rand);
    return len;
}
