/*
 * berstream-record.c: takes one record of a BER stream after the other, and proves each.
 *
 * If a record does not prove right, it is looked at as damaged by one flipped bit: if flipping it back makes the check
 * right, the message tells the bit, and what the record was meant to be can be trusted.
 */
#include <string.h>

#include "vmstate/berstream-load-impl.h"

enum {
    HEAD_MAX = 16,
    SEARCH_WHOLE = 2048, /* octets up to which every bit of a record is tried */
    SEARCH_HEAD = 32,    /* octets at its start that are tried in longer ones */
    FIRST_WINDOW = 64 << 10,
    SEARCH_WINDOW = 1 << 20,      /* what a longer record than its length says may be found in */
    SEARCH_INDEFINITE = 16 << 10, /* the same, of indefinite form: looking for its end takes time */
};

/* Octets of a record whose head is at p, 0 if that cannot be told from `avail` octets. */
static uint64_t extent(const uint8_t *p, size_t avail)
{
    unsigned form;
    uint32_t tag;
    int64_t len;
    int head = ber_read_head(p, avail, &form, &tag, &len);
    ByteIn in;
    BerElement e;

    if (head <= 0)
        return 0;
    if (len >= 0)
        return (uint64_t)head + (uint64_t)len;
    byte_in_init(&in, p, avail);
    return ber_next(&in, &e) ? 0 : in.pos;
}

/* Where the check of a record of that extent stands: behind it there may be end-of-contents octets. */
static size_t check_position(const uint8_t *p, uint64_t size)
{
    size_t behind = p[1] == 0x80 ? 2 : 0;

    return size < BERSTREAM_CHECK + behind + 2 ? 0 : size - BERSTREAM_CHECK - behind;
}

static uint64_t stated_check(const uint8_t *p)
{
    return load_be64(p + BERSTREAM_CHECK - 8);
}

static bool proves_right(const uint8_t *p, uint64_t size, uint64_t ordinal)
{
    size_t at = check_position(p, size);

    return at && p[at] == (BER_CONTEXT | BERSTREAM_CHECK_TAG) && p[at + 1] == 9 && p[at + 2] == 0 &&
           stated_check(p + at) == berstream_check(p, at, ordinal);
}

/* What the extent of a record may be looked for in while bits of it are flipped. */
static size_t search_window(const uint8_t *p, size_t avail)
{
    return avail > 1 && p[1] == 0x80 ? MIN(avail, SEARCH_INDEFINITE) : avail;
}

/* Flips each bit of an octet. True if one makes the record right; it stays flipped. */
static bool try_octet(uint8_t *p, size_t avail, size_t i, uint64_t ordinal, unsigned *bit)
{
    for (*bit = 0; *bit < 8; ++*bit) {
        p[i] ^= (uint8_t)(1u << *bit);
        uint64_t size = extent(p, search_window(p, avail));
        bool right = size && size <= avail && proves_right(p, size, ordinal);
        if (right)
            return true;
        p[i] ^= (uint8_t)(1u << *bit);
    }
    return false;
}

/*
 * Finds the one bit whose flipping makes the record at p prove right, and leaves it flipped back. Returns the octet's
 * position or -1. The head is tried first, then the check, then the rest.
 */
static int64_t find_flipped_bit(uint8_t *p, size_t avail, uint64_t ordinal, unsigned *bit)
{
    uint64_t size = extent(p, search_window(p, avail));

    for (size_t i = 0; i < MIN(avail, SEARCH_HEAD); i++)
        if (try_octet(p, avail, i, ordinal, bit))
            return (int64_t)i;
    if (size == 0 || size > avail)
        return -1;
    for (size_t i = check_position(p, size); i && i < size; i++)
        if (try_octet(p, avail, i, ordinal, bit))
            return (int64_t)i;
    for (size_t i = SEARCH_HEAD; size <= SEARCH_WHOLE && i < size; i++)
        if (try_octet(p, avail, i, ordinal, bit))
            return (int64_t)i;
    return -1;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static char *section_title(const BerLoad *l, uint64_t number)
{
    if (number >= schema_section_count(l->schema))
        return g_strdup("section");
    const SchemaSection *s = schema_section(l->schema, number);
    return s->instance ? g_strdup_printf("%s[%u]", s->name, s->instance) : g_strdup(s->name);
}

/* The number of the section in a Section record; `otherwise` if it cannot be told. */
static uint64_t section_number(const uint8_t *p, size_t avail, uint64_t otherwise)
{
    BerElement number;
    Integer n;
    ByteIn in;
    unsigned form;
    uint32_t tag;
    int64_t len;
    int head = ber_read_head(p, avail, &form, &tag, &len);

    if (head <= 0)
        return otherwise;
    byte_in_init(&in, p + head, avail - (size_t)head);
    if (ber_next(&in, &number) || !ber_is(&number, BER_UNIVERSAL, BER_INTEGER) || !ber_get_integer(&number, &n))
        return otherwise;
    return n.bits;
}

/* What the record at p is, in words; `proven`: its octets can be believed. New string. */
static char *record_name(const BerLoad *l, const uint8_t *p, size_t avail, bool proven)
{
    static const char *const application[] = {
        [BERSTREAM_HEADER] = "header",
        [BERSTREAM_SCHEMA] = "schema",
        [BERSTREAM_RAM_BLOCKS] = "ram",
        [BERSTREAM_RAM_PAGES] = "ram",
        [BERSTREAM_RAM_PIECES] = "ram",
        [BERSTREAM_COMMAND] = "command",
        [BERSTREAM_GREETING] = "multifd greeting",
        [BERSTREAM_PACKET] = "multifd packet",
        [BERSTREAM_MESSAGE] = "return path message",
        [BERSTREAM_END] = "end",
    };
    static const char *const private[] = {
        [BERSTREAM_ORIGIN] = "origin",
        [BERSTREAM_TAIL] = "tail",
        [BERSTREAM_RESIDUE] = "residue",
    };
    unsigned form = 0;
    uint32_t tag = 0;
    int64_t len;

    if (ber_read_head(p, avail, &form, &tag, &len) <= 0)
        return g_strdup("record");
    if (form == (BER_APPLICATION | BER_CONSTRUCTED)) {
        if (tag == BERSTREAM_SECTION)
            return section_title(l, proven ? section_number(p, avail, l->next_section) : l->next_section);
        if (tag == BERSTREAM_SLICE || tag == BERSTREAM_OCTETS)
            return g_strdup(l->slice ? l->slice : "slice");
        if (tag < G_N_ELEMENTS(application) && application[tag])
            return g_strdup(application[tag]);
    }
    if (form == (BER_PRIVATE | BER_CONSTRUCTED) && tag < G_N_ELEMENTS(private) && private[tag])
        return g_strdup(private[tag]);
    if (form == BER_UNIVERSAL && tag == BER_EOC)
        return g_strdup("end");
    return g_strdup("record");
}

/* --- taking ----------------------------------------------------------------------------------------------------- */

/*
 * The record is not right. Says so, and what can be found out: `why` is what is wrong on the face of it. Octets that
 * are there are in the input's buffer.
 */
static bool fail_damaged(BerLoad *l, uint64_t offset, const char *why, FerryError code, GError **error)
{
    size_t got;
    const uint8_t *p = chan_in_peek(l->in, SEARCH_WINDOW, &got);
    uint64_t size = extent(p, got);
    unsigned bit = 0;

    if (size > got && size <= BERSTREAM_RECORD_MAX)
        p = chan_in_peek(l->in, (size_t)size, &got);
    g_autofree uint8_t *copy = g_memdup2(p, got); /* NULL if nothing is there, and then nothing is tried */
    int64_t position = find_flipped_bit(copy, got, l->ordinal, &bit);
    if (position >= 0) {
        g_autofree char *name = record_name(l, copy, got, true);
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                    "%s, record @0x%" G_GINT64_MODIFIER "x: bit %u of the octet at 0x%" G_GINT64_MODIFIER
                    "x is flipped: it is 0x%02x, and was 0x%02x",
                    name, offset, bit, offset + (uint64_t)position, p[position], copy[position]);
        return false;
    }
    g_autofree char *name = record_name(l, p, got, false);
    g_set_error(error, FERRY_ERROR, (int)code, "%s, record @0x%" G_GINT64_MODIFIER "x: %s", name, offset, why);
    return false;
}

static bool fail_cut(BerLoad *l, uint64_t offset, GError **error)
{
    size_t got;
    const uint8_t *p = chan_in_peek(l->in, BERSTREAM_RECORD_MAX, &got);
    g_autofree char *why = g_strdup_printf("the input ends at 0x%" G_GINT64_MODIFIER "x", offset + got);
    GError *later = NULL;

    if (!fail_damaged(l, offset, why, FERRY_ERROR_CUT, error) && error &&
        !g_error_matches(*error, FERRY_ERROR, FERRY_ERROR_CUT))
        return false;
    /* a cut, then: p is still valid, as all octets that there are were in the buffer */
    p = chan_in_peek(l->in, BERSTREAM_RECORD_MAX, &got);
    if (!berload_cut_section(l, p, got, offset, &later)) {
        g_clear_error(error);
        g_propagate_error(error, later);
    }
    return false;
}

/* The whole record, in the buffer; NULL with an error. */
static const uint8_t *take_octets(BerLoad *l, uint64_t offset, uint64_t *size, GError **error)
{
    size_t got, window = HEAD_MAX;

    for (;;) {
        const uint8_t *p = chan_in_peek(l->in, window, &got);
        unsigned form;
        uint32_t tag;
        int64_t len;
        int head = ber_read_head(p, got, &form, &tag, &len);
        if (head < 0) {
            fail_damaged(l, offset, "bad identifier or length octets", FERRY_ERROR_DAMAGED, error);
            return NULL;
        }
        *size = head ? extent(p, got) : 0;
        if (*size > BERSTREAM_RECORD_MAX || window > BERSTREAM_RECORD_MAX) {
            fail_damaged(l, offset, "it is longer than 64 MiB", FERRY_ERROR_LIMIT, error);
            return NULL;
        }
        if (*size && *size <= got)
            return p;
        if (got < window) {
            fail_cut(l, offset, error);
            return NULL;
        }
        window = *size ? (size_t)*size : MAX(window * 2, FIRST_WINDOW);
    }
}

static bool at_end_of_contents(BerLoad *l)
{
    size_t got;
    const uint8_t *p = chan_in_peek(l->in, 2, &got);

    return got == 2 && p[0] == 0 && p[1] == 0;
}

/* After the End record: what closes the stream, and nothing more. */
static bool take_end(BerLoad *l, uint64_t offset, GError **error)
{
    size_t got;

    if (l->indefinite && !at_end_of_contents(l)) {
        chan_in_peek(l->in, 2, &got);
        if (got < 2)
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT,
                        "end @0x%" G_GINT64_MODIFIER "x: the input ends at 0x%" G_GINT64_MODIFIER "x", offset,
                        offset + got);
        else
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                        "end @0x%" G_GINT64_MODIFIER "x: end-of-contents octets should be here", offset);
        return false;
    }
    chan_in_skip(l->in, l->indefinite ? 2 : 0);
    if (chan_in_at_end(l->in))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                "end @0x%" G_GINT64_MODIFIER "x: there are octets behind the end of the stream", chan_in_tell(l->in));
    return false;
}

bool berload_take_record(BerLoad *l, BerRecord *r, bool *end, char **what, GError **error)
{
    uint64_t offset = chan_in_tell(l->in), size;
    int64_t len;

    chan_in_pin(l->in);
    *end = l->ended;
    if (*end)
        return take_end(l, offset, error);
    if (at_end_of_contents(l))
        return fail_damaged(l, offset, "the stream ends here, without an End record", FERRY_ERROR_DAMAGED, error);
    const uint8_t *p = take_octets(l, offset, &size, error);
    if (!p)
        return false;
    if (!proves_right(p, size, l->ordinal)) {
        size_t at = check_position(p, size);
        g_autofree char *why =
            at ? g_strdup_printf("its check is %016" G_GINT64_MODIFIER "x, its octets give %016" G_GINT64_MODIFIER "x",
                                 stated_check(p + at), berstream_check(p, at, l->ordinal))
               : g_strdup("it is too short for a record");
        return fail_damaged(l, offset, why, FERRY_ERROR_DAMAGED, error);
    }
    int head = ber_read_head(p, (size_t)size, &r->form, &r->tag, &len);
    size_t members = check_position(p, size) - (size_t)head;
    r->offset = offset;
    r->len = (size_t)size;
    g_free(*what);
    *what = record_name(l, p, (size_t)size, true);
    XXH3_128bits_update(l->checks, p + check_position(p, size) + BERSTREAM_CHECK - 8, 8);
    chan_in_take(l->in, (size_t)size);
    p = chan_in_at(l->in, offset);
    ber_cursor_init(&r->members, p + head, members, offset + (uint64_t)head, *what, error);
    return true;
}
