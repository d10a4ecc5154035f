/* berrecords.c: takes a BER stream apart into records, and puts changed ones together again. */
#include "tests/support/berrecords.h"

#include <xxhash.h>

#include "vmstate/berstream.h"

static void clear_record(void *record)
{
    byte_out_done(&((BerRecordOctets *)record)->members);
}

GArray *berrecords_split(const ByteOut *stream)
{
    GArray *records = g_array_new(FALSE, TRUE, sizeof(BerRecordOctets));
    BerElement e;
    ByteIn in;

    g_array_set_clear_func(records, clear_record);
    byte_in_init(&in, stream->data, stream->len);
    g_assert(!ber_next(&in, &e));
    byte_in_init(&in, e.content, e.len);
    while (byte_in_left(&in)) {
        g_assert(!ber_next(&in, &e));
        BerRecordOctets r = {.form = e.form, .tag = e.tag};
        byte_out_put(&r.members, e.content, e.len - BERSTREAM_CHECK);
        g_array_append_val(records, r);
    }
    return records;
}

guint berrecords_find(GArray *records, unsigned form, uint32_t tag, guint from)
{
    for (guint i = from; i < records->len; i++)
        if (berrecords_get(records, i)->form == (form | BER_CONSTRUCTED) && berrecords_get(records, i)->tag == tag)
            return i;
    g_error("no record %u of that kind", tag);
}

ByteOut *berrecords_insert(GArray *records, guint at, unsigned form, uint32_t tag)
{
    BerRecordOctets r = {.form = form | BER_CONSTRUCTED, .tag = tag};

    g_array_insert_val(records, at, r);
    return &berrecords_get(records, at)->members;
}

/* Copies elements, constructed ones in the indefinite form. */
static void put_indefinite(ByteOut *out, const uint8_t *p, size_t len)
{
    BerElement e;
    ByteIn in;

    byte_in_init(&in, p, len);
    while (byte_in_left(&in)) {
        g_assert(!ber_next(&in, &e));
        if (!(e.form & BER_CONSTRUCTED)) {
            ber_put_octets_as(out, e.form, e.tag, e.content, e.len);
            continue;
        }
        ber_put_head(out, e.form, e.tag, 0);
        out->data[out->len - 1] = 0x80;
        put_indefinite(out, e.content, e.len);
        byte_out_put(out, "\0", 2);
    }
}

static void put_record(ByteOut *out, const BerRecordOctets *r, uint64_t ordinal, unsigned how, XXH3_state_t *checks)
{
    size_t start = out->len;
    uint8_t check[8];

    if (how & BERRECORDS_INDEFINITE) {
        ber_put_head(out, r->form, r->tag, 0);
        out->data[out->len - 1] = 0x80;
        put_indefinite(out, r->members.data, r->members.len);
    } else {
        ber_put_head(out, r->form, r->tag, r->members.len + BERSTREAM_CHECK);
        byte_out_put(out, r->members.data, r->members.len);
    }
    store_be64(check, berstream_check(out->data + start, out->len - start, ordinal));
    ber_put_opaque(out, BERSTREAM_CHECK_TAG, check, sizeof check);
    XXH3_128bits_update(checks, check, sizeof check);
    if (how & BERRECORDS_INDEFINITE)
        byte_out_put(out, "\0", 2);
}

/* End: number of records, complete, digest, and what else it has. */
static void renew_end(BerRecordOctets *end, uint64_t ordinal, XXH3_state_t *checks)
{
    BerElement number, complete, digest;
    XXH128_canonical_t value;
    ByteOut renewed = {0};
    ByteIn in;

    byte_in_init(&in, end->members.data, end->members.len);
    g_assert(!ber_next(&in, &number) && !ber_next(&in, &complete) && !ber_next(&in, &digest));
    XXH128_canonicalFromHash(&value, XXH3_128bits_digest(checks));
    ber_put_uint(&renewed, ordinal);
    ber_put_octets_as(&renewed, complete.form, complete.tag, complete.content, complete.len);
    ber_put_opaque(&renewed, 0, value.digest, sizeof value.digest);
    byte_out_put(&renewed, in.data + in.pos, byte_in_left(&in));
    byte_out_done(&end->members);
    end->members = renewed;
}

void berrecords_join(GArray *records, unsigned how, ByteOut *stream)
{
    XXH3_state_t *checks = XXH3_createState();
    ByteOut out = {0};

    XXH3_128bits_reset(checks);
    for (guint i = 0; i < records->len; i++) {
        BerRecordOctets *r = berrecords_get(records, i);
        if (r->form == (BER_APPLICATION | BER_CONSTRUCTED) && r->tag == BERSTREAM_END)
            renew_end(r, i, checks);
        put_record(&out, r, i, how, checks);
    }
    XXH3_freeState(checks);
    stream->len = 0;
    if (how & BERRECORDS_DEFINITE_STREAM) {
        ber_put_head(stream, BER_APPLICATION | BER_CONSTRUCTED, BERSTREAM_STREAM, out.len);
        byte_out_put(stream, out.data, out.len);
    } else {
        byte_out_put(stream, "\x60\x80", 2);
        byte_out_put(stream, out.data, out.len);
        byte_out_put(stream, "\0", 2);
    }
    byte_out_done(&out);
}
