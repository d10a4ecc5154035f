/* sample.h: a struct that has a value of every kind, and its walk: what one visitor saves, another can load. */
#ifndef TESTS_VISITORS_SAMPLE_H
#define TESTS_VISITORS_SAMPLE_H

#include "tests/visitors/support.h"
#include "visitors/visitor.h"

enum { SAMPLE_BITS = 70 };

typedef struct SamplePart {
    uint16_t low;
    int32_t delta;
} SamplePart;

typedef struct Sample {
    bool on;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    double number;
    bool flags[3];
    int16_t signs[4];
    uint8_t bytes[6];
    uint64_t words[3];
    double numbers[2];
    uint8_t buffer[7], pad[4], octets[40];
    uint64_t bits[2];
    char *text;
    uint32_t extra; /* is there if `on` */
    SamplePart parts[3];
    bool has_sub;
    uint32_t sub;
} Sample;

static inline void sample_visit_parts(Visitor *v, Sample *s)
{
    visit_list_start(v, "parts", 3, sizeof s->parts[0]);
    for (int i = 0; i < 3; i++) {
        visit_struct_start(v, NULL);
        visit_uint16(v, "low", &s->parts[i].low);
        visit_int32(v, "delta", &s->parts[i].delta);
        visit_struct_end(v);
    }
    visit_list_end(v);
}

static inline void sample_visit_sub(Visitor *v, Sample *s)
{
    visit_subsection_start(v, 1, "sample/sub", 3);
    visit_uint32(v, "value", &s->sub);
    visit_subsection_end(v);
}

/* For a load, what is left of `found` that was not expected stays with the caller. */
static inline void sample_visit_subsections(Visitor *v, Sample *s)
{
    VisitSubsection found;

    if (!visit_is_load(v)) {
        if (s->has_sub)
            sample_visit_sub(v, s);
        return;
    }
    s->has_sub = false;
    while (visit_subsection_next(v, "sample", &found)) {
        cr_assert(found.index == 1 || (found.name && strcmp(found.name, "sample/sub") == 0));
        cr_assert_not(s->has_sub);
        s->has_sub = true;
        sample_visit_sub(v, s);
    }
}

static inline void sample_visit(Visitor *v, Sample *s)
{
    visit_struct_start(v, NULL);
    visit_bool(v, "on", &s->on);
    visit_int8(v, "i8", &s->i8);
    visit_int16(v, "i16", &s->i16);
    visit_int32(v, "i32", &s->i32);
    visit_int64(v, "i64", &s->i64);
    visit_uint8(v, "u8", &s->u8);
    visit_uint16(v, "u16", &s->u16);
    visit_uint32(v, "u32", &s->u32);
    visit_uint64(v, "u64", &s->u64);
    visit_float64(v, "number", &s->number);
    visit_array(v, "flags", SCALAR_BOOL, s->flags, 3);
    visit_array(v, "signs", SCALAR_INT16, s->signs, 4);
    visit_array(v, "bytes", SCALAR_UINT8, s->bytes, 6);
    visit_array(v, "words", SCALAR_UINT64, s->words, 3);
    visit_array(v, "numbers", SCALAR_FLOAT64, s->numbers, 2);
    visit_buffer(v, "buffer", s->buffer, sizeof s->buffer);
    visit_unused(v, "pad", s->pad, sizeof s->pad);
    visit_octets(v, "octets", "thing", s->octets, sizeof s->octets);
    visit_bitmap(v, "bits", s->bits, SAMPLE_BITS);
    visit_string(v, "text", &s->text);
    bool present = s->on;
    visit_optional(v, "extra", &present);
    if (present)
        visit_uint32(v, "extra", &s->extra);
    sample_visit_parts(v, s);
    sample_visit_subsections(v, s);
    visit_struct_end(v);
}

static inline void sample_done(Sample *s)
{
    g_clear_pointer(&s->text, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Sample, sample_done)

/* One random octet string for all that has no unused values; every seed has other parts that are there. */
static inline void sample_fill(Sample *s, uint32_t seed)
{
    g_autofree uint8_t *random = pattern_new(sizeof *s, seed);

    sample_done(s);
    memcpy(s, random, sizeof *s);
    s->on = seed & 1;
    s->has_sub = seed & 2;
    for (int i = 0; i < 3; i++)
        s->flags[i] = random[i] & 1;
    if (seed & 4)
        memset(s->pad, 0, sizeof s->pad);
    s->bits[1] &= (1 << (SAMPLE_BITS - 64)) - 1;
    s->text = g_strdup_printf("text %u: \303\244 \"\\\n", seed & 8 ? seed : 0);
    if (!s->on)
        s->extra = 0;
    if (!s->has_sub)
        s->sub = 0;
}

/* Value by value, and of the numbers their bits. */
static inline void assert_same_sample(const Sample *a, const Sample *b)
{
    cr_assert_eq(a->on, b->on);
    cr_assert_eq(a->i8, b->i8);
    cr_assert_eq(a->i16, b->i16);
    cr_assert_eq(a->i32, b->i32);
    cr_assert_eq(a->i64, b->i64);
    cr_assert_eq(a->u8, b->u8);
    cr_assert_eq(a->u16, b->u16);
    cr_assert_eq(a->u32, b->u32);
    cr_assert_eq(a->u64, b->u64);
    cr_assert_arr_eq(&a->number, &b->number, sizeof a->number);
    cr_assert_arr_eq(a->flags, b->flags, sizeof a->flags);
    cr_assert_arr_eq(a->signs, b->signs, sizeof a->signs);
    cr_assert_arr_eq(a->bytes, b->bytes, sizeof a->bytes);
    cr_assert_arr_eq(a->words, b->words, sizeof a->words);
    cr_assert_arr_eq(a->numbers, b->numbers, sizeof a->numbers);
    cr_assert_arr_eq(a->buffer, b->buffer, sizeof a->buffer);
    cr_assert_arr_eq(a->pad, b->pad, sizeof a->pad);
    cr_assert_arr_eq(a->octets, b->octets, sizeof a->octets);
    cr_assert_arr_eq(a->bits, b->bits, sizeof a->bits);
    cr_assert_str_eq(a->text, b->text);
    cr_assert_eq(a->extra, b->extra);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(a->parts[i].low, b->parts[i].low);
        cr_assert_eq(a->parts[i].delta, b->parts[i].delta);
    }
    cr_assert_eq(a->has_sub, b->has_sub);
    cr_assert_eq(a->sub, b->sub);
}

#endif
