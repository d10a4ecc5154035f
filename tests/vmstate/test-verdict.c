/*
 * test-verdict.c: what is said of two schemas, line by line of the table in vmstate/FORMAT.md part 3. Wherever fields
 * are found by name the loader must do what the verdict says.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "vmstate/state.h"
#include "vmstate/verdict.h"
#include "vmstate/walk.h"

typedef struct Inner {
    uint16_t x, y;
} Inner;

typedef struct Thing {
    uint32_t a;
    int32_t s;
    bool gate;
    double level;
    uint8_t bytes[8];
    uint16_t list[4];
    uint32_t used;
    uint64_t bits[2];
    char *text;
    Inner inner;
    Inner inners[3];
    bool has_sub;
    uint8_t extra;
} Thing;

static const VMStateField inner_fields[] = {VMS_FIELD(Inner, x), VMS_FIELD(Inner, y), VMS_END};
static const VMStateDescription inner_state = {
    .name = "inner", .version = 1, .minimum = 1, .size = sizeof(Inner), .fields = inner_fields};

static VMStateDescription describe(const VMStateField *fields)
{
    return (VMStateDescription){.name = "thing", .version = 2, .minimum = 1, .size = sizeof(Thing), .fields = fields};
}

/* Does the state load by name into `to`? */
static bool loads(const VMStateDescription *to, const VMStateDescription *from, const Thing *thing)
{
    Thing copy = *thing;
    void *loaded = vms_state_new(to);
    ByteOut out = {0};
    g_autoptr(Visitor) writer = ber_out_new(&out, "dev", BER_CONTEXT, 0);

    vmstate_save(writer, from, &copy);
    cr_assert(visit_finish(writer, NULL));
    g_autoptr(Visitor) reader = ber_in_new(out.data, out.len, 0, "dev", BER_CONTEXT, 0);
    vmstate_load(reader, to, loaded, from->version, from);
    bool ok = visit_finish(reader, NULL);
    vms_state_free(to, loaded);
    byte_out_done(&out);
    return ok;
}

static Verdict *judge_desc(const VMStateDescription *to, const VMStateDescription *from, const Thing *thing,
                           VerdictLoader loader)
{
    VerdictSection a = {.name = "dev", .version = from->version, .desc = from, .state = thing},
                   b = {.name = "dev", .version = to->version, .desc = to};
    VerdictSide source = {.sections = &a, .section_count = 1}, dest = {.sections = &b, .section_count = 1};
    Verdict *v = verdict_new(&source, &dest, loader);

    if (loader == VERDICT_BY_NAME && thing)
        cr_assert_eq(loads(to, from, thing), v->level != VERDICT_INCOMPATIBLE, "the loader does something else");
    return v;
}

static Verdict *judge(const VMStateField *to, const VMStateField *from, const Thing *thing, VerdictLoader loader)
{
    VMStateDescription a = describe(from), b = describe(to);

    return judge_desc(&b, &a, thing, loader);
}

static const VerdictFinding *finding(const Verdict *v, guint i)
{
    cr_assert_lt(i, v->findings->len);
    return g_ptr_array_index(v->findings, i);
}

/* Exactly this finding. */
static void assert_only(const Verdict *v, VerdictLevel level, const char *kind, const char *path, const char *text)
{
    cr_assert_eq(v->findings->len, 1, "%u findings", v->findings->len);
    const VerdictFinding *f = finding(v, 0);
    cr_assert_str_eq(f->kind, kind, "%s: %s", f->kind, f->text);
    cr_assert_str_eq(f->path, path);
    cr_assert_str_eq(f->text, text);
    cr_assert_eq(f->level, level);
    cr_assert_eq(v->level, level);
}

/* One finding in a struct of one field each. */
static void assert_pair(VMStateField to, VMStateField from, const Thing *thing, VerdictLevel level, const char *kind,
                        const char *text)
{
    VMStateField a[] = {from, VMS_END}, b[] = {to, VMS_END};
    g_autofree char *path = g_strdup_printf("dev.%s", to.name);
    g_autoptr(Verdict) v = judge(b, a, thing, VERDICT_BY_NAME);

    assert_only(v, level, kind, path, text);
}

static VMStateField as(VMStateField f, Scalar scalar)
{
    f.scalar = (uint8_t)scalar;
    f.size = scalar_width(scalar);
    return f;
}

static VMStateField renamed(VMStateField f, const char *name)
{
    f.name = name;
    return f;
}

#define F(...) ((VMStateField)__VA_ARGS__)
#define A      F(VMS_FIELD(Thing, a))
#define S      F(VMS_FIELD(Thing, s))
#define GATE   F(VMS_FIELD(Thing, gate))
#define LIST   F(VMS_ARRAY(Thing, list))

/* --- by name: one field ----------------------------------------------------------------------------------------- */

Test(verdict, the_same_description_is_identical)
{
    static const VMStateField fields[] = {VMS_FIELD(Thing, a),
                                          VMS_ARRAY(Thing, list),
                                          VMS_BITS(Thing, bits, 70),
                                          VMS_TEXT(Thing, text),
                                          VMS_SUB(Thing, inner, &inner_state),
                                          VMS_SUB_ARRAY(Thing, inners, &inner_state),
                                          VMS_END};
    Thing thing = {.a = 5};

    for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
        g_autoptr(Verdict) v = judge(fields, fields, &thing, loader);
        cr_assert_eq(v->level, VERDICT_IDENTICAL);
        cr_assert_eq(v->findings->len, 0);
    }
}

Test(verdict, an_integer_of_a_range_within_the_others_is_widened)
{
    Thing thing = {.a = 77};

    assert_pair(as(A, SCALAR_UINT64), A, &thing, VERDICT_CONVERTIBLE, "widened",
                "widened: the stream has uint32, the destination uint64");
    assert_pair(as(A, SCALAR_INT64), A, &thing, VERDICT_CONVERTIBLE, "widened",
                "widened: the stream has uint32, the destination int64");
}

Test(verdict, an_integer_that_is_narrowed_is_decided_by_its_value)
{
    Thing fits = {.a = 255}, not = {.a = 256};

    assert_pair(as(A, SCALAR_UINT8), A, &fits, VERDICT_CONVERTIBLE, "narrowed",
                "narrowed: the stream has uint32, the destination uint8; the value fits");
    assert_pair(as(A, SCALAR_UINT8), A, &not, VERDICT_INCOMPATIBLE, "narrowed",
                "narrowed: the stream has uint32, the destination uint8; 256 does not fit");
    assert_pair(as(A, SCALAR_UINT8), A, NULL, VERDICT_CONVERTIBLE, "narrowed",
                "narrowed: the stream has uint32, the destination uint8; the value decides");
}

Test(verdict, an_integer_of_other_sign_is_decided_by_its_value)
{
    Thing fits = {.a = 0x7fffffff, .s = 0}, not = {.a = 0x80000000, .s = -3};

    assert_pair(as(A, SCALAR_INT32), A, &fits, VERDICT_CONVERTIBLE, "sign changed",
                "sign changed: the stream has uint32, the destination int32; the value fits");
    assert_pair(as(A, SCALAR_INT32), A, &not, VERDICT_INCOMPATIBLE, "sign changed",
                "sign changed: the stream has uint32, the destination int32; 2147483648 does not fit");
    assert_pair(as(S, SCALAR_UINT64), S, &not, VERDICT_INCOMPATIBLE, "sign changed",
                "sign changed: the stream has int32, the destination uint64; -3 does not fit");
}

Test(verdict, every_element_of_an_array_is_looked_at)
{
    Thing thing = {.list = {1, 2, 300, 4}};

    assert_pair(as(LIST, SCALAR_UINT8), LIST, &thing, VERDICT_INCOMPATIBLE, "narrowed",
                "narrowed: the stream has uint16[4], the destination uint8[4]; 300 does not fit");
    thing.list[2] = 3;
    assert_pair(as(LIST, SCALAR_UINT8), LIST, &thing, VERDICT_CONVERTIBLE, "narrowed",
                "narrowed: the stream has uint16[4], the destination uint8[4]; the value fits");
}

Test(verdict, another_kind_is_incompatible)
{
    static const VMStateField kinds[] = {
        VMS_FIELD(Thing, gate),
        VMS_FIELD(Thing, a),
        VMS_FIELD(Thing, level),
        VMS_BYTES(Thing, bytes),
        VMS_BITS(Thing, bits, 70),
        VMS_TEXT(Thing, text),
        VMS_SUB(Thing, inner, &inner_state),
    };
    char words[] = "words";
    Thing thing = {.text = words};

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
            VMStateField a[] = {renamed(kinds[i], "f"), VMS_END}, b[] = {renamed(kinds[k], "f"), VMS_END};
            g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_NAME);
            cr_assert_eq(v->level, i == k ? VERDICT_IDENTICAL : VERDICT_INCOMPATIBLE, "%zu to %zu", i, k);
            if (i != k)
                cr_assert_str_eq(finding(v, 0)->kind, "kind");
        }
    }
}

Test(verdict, a_buffer_and_an_array_of_uint8_are_both_octets)
{
    Thing thing = {.a = 0};
    VMStateField a[] = {VMS_ARRAY(Thing, bytes), VMS_END}, b[] = {VMS_BYTES(Thing, bytes), VMS_END};
    g_autoptr(Verdict) there = judge(b, a, &thing, VERDICT_BY_NAME);
    g_autoptr(Verdict) back = judge(a, b, &thing, VERDICT_BY_NAME);

    cr_assert(there->level == VERDICT_IDENTICAL && back->level == VERDICT_IDENTICAL);
}

Test(verdict, an_array_of_buffers_has_the_octets_of_all)
{
    Thing thing = {.a = 0};
    VMStateField whole = F(VMS_BYTES(Thing, bytes)), four = whole, three;

    cr_assert_eq(whole.size, 8);
    four.size = 2;
    four.array = true;
    four.count = 4;
    three = four;
    three.count = 3;
    assert_pair(three, four, &thing, VERDICT_INCOMPATIBLE, "count",
                "count changed: the stream has buffer of 2 octets[4], the destination buffer of 2 octets[3]");
    for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
        VMStateField a[] = {four, VMS_END}, b[] = {whole, VMS_END}, c[] = {three, VMS_END};
        g_autoptr(Verdict) same = judge(b, a, &thing, loader);
        g_autoptr(Verdict) fewer = judge(c, a, &thing, loader);
        cr_assert_eq(same->level, VERDICT_IDENTICAL);
        cr_assert_eq(fewer->level, VERDICT_INCOMPATIBLE);
    }
}

Test(verdict, another_number_of_elements_is_incompatible)
{
    Thing thing = {.a = 0};
    VMStateField three = LIST, bytes = F(VMS_BYTES(Thing, bytes)), single = F(VMS_FIELD(Thing, list[0]));

    three.count = 3;
    single.name = "list";
    assert_pair(three, LIST, &thing, VERDICT_INCOMPATIBLE, "count",
                "count changed: the stream has uint16[4], the destination uint16[3]");
    assert_pair(LIST, three, &thing, VERDICT_INCOMPATIBLE, "count",
                "count changed: the stream has uint16[3], the destination uint16[4]");
    assert_pair(single, LIST, &thing, VERDICT_INCOMPATIBLE, "count",
                "one is an array: the stream has uint16[4], the destination uint16");
    bytes.size = 7;
    assert_pair(bytes, F(VMS_BYTES(Thing, bytes)), &thing, VERDICT_INCOMPATIBLE, "count",
                "count changed: the stream has buffer of 8 octets, the destination buffer of 7 octets");
}

Test(verdict, elements_in_use_decide_where_there_is_less_room)
{
    VMStateField a[] = {VMS_FIELD(Thing, used), VMS_COUNTED(Thing, list, used), VMS_END};
    VMStateField b[] = {VMS_FIELD(Thing, used), VMS_COUNTED(Thing, list, used), VMS_END};
    Thing two = {.used = 2}, three = {.used = 3};

    b[1].count = 2;
    g_autoptr(Verdict) fits = judge(b, a, &two, VERDICT_BY_NAME);
    assert_only(fits, VERDICT_CONVERTIBLE, "narrowed", "dev.list",
                "there may be more than there is room for: the stream has uint16[at most 4], the destination "
                "uint16[at most 2]; the value fits");
    g_autoptr(Verdict) not = judge(b, a, &three, VERDICT_BY_NAME);
    assert_only(not, VERDICT_INCOMPATIBLE, "count", "dev.list",
                "there may be more than there is room for: the stream has uint16[at most 4], the destination "
                "uint16[at most 2]: 3 are in use, there is room for 2");
    g_autoptr(Verdict) more_room = judge(a, b, &two, VERDICT_BY_NAME);
    cr_assert_eq(more_room->level, VERDICT_IDENTICAL);
}

Test(verdict, a_struct_of_a_type_of_another_name_is_convertible)
{
    VMStateDescription other = inner_state;
    Thing thing = {.a = 0};

    other.name = "outer";
    assert_pair(F(VMS_SUB(Thing, inner, &other)), F(VMS_SUB(Thing, inner, &inner_state)), &thing, VERDICT_CONVERTIBLE,
                "type name", "the type has another name: the stream has struct inner, the destination struct outer");
}

/* --- by name: fields -------------------------------------------------------------------------------------------- */

Test(verdict, a_field_that_the_destination_lacks_is_unknown_or_skipped)
{
    VMStateField both[] = {A, GATE, VMS_END}, one[] = {A, VMS_END};
    Thing thing = {.gate = true};
    g_autoptr(Verdict) unknown = judge(one, both, &thing, VERDICT_BY_NAME);

    assert_only(unknown, VERDICT_INCOMPATIBLE, "unknown", "dev.gate",
                "the stream has this bool, the destination does not know it");
    both[1].flags = VMS_SKIPPABLE;
    g_autoptr(Verdict) skipped = judge(one, both, &thing, VERDICT_BY_NAME);
    assert_only(skipped, VERDICT_CONVERTIBLE, "skipped", "dev.gate",
                "the destination does not know this bool; it is left out");
}

Test(verdict, a_field_that_the_stream_lacks_is_missing_or_defaulted)
{
    VMStateField both[] = {A, GATE, VMS_END}, one[] = {A, VMS_END};
    Thing thing = {.gate = true};
    g_autoptr(Verdict) missing = judge(both, one, &thing, VERDICT_BY_NAME);

    assert_only(missing, VERDICT_INCOMPATIBLE, "missing", "dev.gate",
                "the destination needs this bool, the stream does not have it");
    both[1].flags = VMS_DEFAULTABLE;
    g_autoptr(Verdict) defaulted = judge(both, one, &thing, VERDICT_BY_NAME);
    assert_only(defaulted, VERDICT_CONVERTIBLE, "defaulted", "dev.gate",
                "the stream does not have this bool; it keeps its reset value");
}

Test(verdict, a_field_that_is_newer_than_the_stream_is_defaulted)
{
    VMStateField both[] = {A, GATE, VMS_END}, one[] = {A, VMS_END};
    VMStateDescription from = describe(one), to = describe(both);
    Thing thing = {.gate = true};

    both[1].since = 3;
    to.version = 3;
    g_autoptr(Verdict) v = judge_desc(&to, &from, &thing, VERDICT_BY_NAME);
    cr_assert_eq(v->level, VERDICT_CONVERTIBLE);
    cr_assert_eq(v->findings->len, 2);
    cr_assert_str_eq(finding(v, 0)->kind, "version");
    cr_assert_str_eq(finding(v, 1)->kind, "defaulted");
}

Test(verdict, another_name_is_missing_and_unknown_and_the_text_tells_of_the_namesake)
{
    VMStateField a[] = {A, GATE, VMS_END}, b[] = {A, renamed(GATE, "door"), VMS_END};
    Thing thing = {.gate = true};
    g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_NAME);

    cr_assert_eq(v->level, VERDICT_INCOMPATIBLE);
    cr_assert_eq(v->findings->len, 2);
    cr_assert_str_eq(finding(v, 0)->path, "dev.door");
    cr_assert_str_eq(finding(v, 0)->text,
                     "the destination needs this bool, the stream does not have it (was it called gate?)");
    cr_assert_str_eq(finding(v, 1)->path, "dev.gate");
    cr_assert_str_eq(finding(v, 1)->kind, "unknown");
}

Test(verdict, another_order_is_told_once_and_convertible)
{
    VMStateField a[] = {A, GATE, S, VMS_END}, b[] = {GATE, S, A, VMS_END};
    Thing thing = {.gate = true};
    g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_NAME);

    cr_assert_eq(v->level, VERDICT_CONVERTIBLE);
    cr_assert_eq(v->findings->len, 1);
    cr_assert_str_eq(finding(v, 0)->kind, "reordered");
}

Test(verdict, structs_in_structs_have_their_path)
{
    VMStateField narrow[] = {VMS_FIELD(Inner, x), as(F(VMS_FIELD(Inner, y)), SCALAR_UINT8), VMS_END};
    VMStateDescription small = inner_state;
    Thing thing = {.inners = {{1, 2}, {3, 4}, {5, 600}}};

    small.fields = narrow;
    VMStateField a[] = {VMS_SUB_ARRAY(Thing, inners, &inner_state), VMS_END},
                 b[] = {VMS_SUB_ARRAY(Thing, inners, &small), VMS_END};
    g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_NAME);
    assert_only(v, VERDICT_INCOMPATIBLE, "narrowed", "dev.inners.y",
                "narrowed: the stream has uint16, the destination uint8; 600 does not fit");
}

/* --- subsections ------------------------------------------------------------------------------------------------ */

static const VMStateField sub_fields[] = {VMS_FIELD(Thing, extra), VMS_END};
static const VMStateDescription sub_state = {.name = "thing/sub", .version = 3, .minimum = 2, .fields = sub_fields};
static const VMStateSubsection subs[] = {{.desc = &sub_state, .presence = offsetof(Thing, has_sub) + 1},
                                         {.desc = NULL}};

Test(verdict, a_subsection_that_the_destination_does_not_know_matters_if_it_is_there)
{
    VMStateField fields[] = {A, VMS_END};
    VMStateDescription with = describe(fields), without = describe(fields);
    Thing there = {.has_sub = true}, not_there = {.a = 1};

    with.subsections = subs;
    for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
        g_autoptr(Verdict) unknown = judge_desc(&without, &with, &there, loader);
        cr_assert_eq(unknown->level, VERDICT_INCOMPATIBLE);
        cr_assert_str_eq(finding(unknown, 0)->kind, "unknown");
        cr_assert_str_eq(finding(unknown, 0)->path, "dev.thing/sub");
        g_autoptr(Verdict) fine = judge_desc(&without, &with, &not_there, loader);
        cr_assert_eq(fine->level, VERDICT_IDENTICAL);
        g_autoptr(Verdict) defaulted = judge_desc(&with, &without, &there, loader);
        cr_assert_eq(defaulted->level, VERDICT_CONVERTIBLE);
        cr_assert_str_eq(finding(defaulted, 0)->kind, "defaulted");
    }
}

Test(verdict, a_subsection_that_may_be_left_out_is_skipped)
{
    VMStateField fields[] = {A, VMS_END};
    VMStateDescription with = describe(fields), without = describe(fields);
    VMStateSubsection skippable[2] = {subs[0]};
    Thing there = {.has_sub = true};

    skippable[0].flags = VMS_SKIPPABLE;
    with.subsections = skippable;
    g_autoptr(Verdict) v = judge_desc(&without, &with, &there, VERDICT_BY_NAME);
    cr_assert_eq(v->level, VERDICT_CONVERTIBLE);
    cr_assert_str_eq(finding(v, 0)->kind, "skipped");
}

Test(verdict, a_subsections_version_is_judged_like_a_sections)
{
    VMStateField fields[] = {A, VMS_END};
    VMStateDescription with = describe(fields), other = describe(fields), changed = sub_state;
    VMStateSubsection other_subs[2] = {subs[0]};
    Thing there = {.has_sub = true};
    static const struct {
        int version;
        VerdictLevel level;
    } cases[] = {
        {1, VERDICT_INCOMPATIBLE}, {2, VERDICT_CONVERTIBLE}, {3, VERDICT_IDENTICAL}, {4, VERDICT_INCOMPATIBLE}};

    with.subsections = subs;
    other_subs[0].desc = &changed;
    other.subsections = other_subs;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        changed.version = cases[i].version;
        for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
            g_autoptr(Verdict) v = judge_desc(&with, &other, &there, loader);
            cr_assert_eq(v->level, cases[i].level, "version %d", cases[i].version);
        }
    }
}

/* --- by position ------------------------------------------------------------------------------------------------ */

static void assert_by_position(const VMStateField *to, const VMStateField *from, VerdictLevel level, const char *kind,
                               const char *path)
{
    Thing thing = {.a = 1};
    g_autoptr(Verdict) v = judge(to, from, &thing, VERDICT_BY_POSITION);

    cr_assert_eq(v->level, level);
    cr_assert_str_eq(finding(v, 0)->kind, kind);
    cr_assert_str_eq(finding(v, 0)->path, path);
}

Test(verdict, by_position_another_width_or_number_is_incompatible_whatever_the_value)
{
    VMStateField plain[] = {A, GATE, VMS_END}, wide[] = {as(A, SCALAR_UINT64), GATE, VMS_END}, list[] = {LIST, VMS_END},
                 short_list[] = {LIST, VMS_END};

    short_list[0].count = 3;
    assert_by_position(wide, plain, VERDICT_INCOMPATIBLE, "kind", "dev.a");
    assert_by_position(plain, wide, VERDICT_INCOMPATIBLE, "kind", "dev.a");
    assert_by_position(short_list, list, VERDICT_INCOMPATIBLE, "count", "dev.list");
}

Test(verdict, by_position_another_order_is_incompatible_for_each_field_that_moved)
{
    VMStateField a[] = {A, S, GATE, VMS_END}, b[] = {S, A, GATE, VMS_END};
    Thing thing = {.a = 1};
    g_autoptr(Verdict) v = judge(b, a, &thing, VERDICT_BY_POSITION);

    cr_assert_eq(v->level, VERDICT_INCOMPATIBLE);
    cr_assert_eq(v->findings->len, 2);
    cr_assert_str_eq(finding(v, 0)->kind, "reordered");
    cr_assert_str_eq(finding(v, 1)->path, "dev.a");
}

Test(verdict, by_position_another_name_or_sign_is_convertible)
{
    VMStateField a[] = {A, GATE, VMS_END}, b[] = {renamed(A, "b"), GATE, VMS_END},
                 c[] = {as(A, SCALAR_INT32), GATE, VMS_END};

    assert_by_position(b, a, VERDICT_CONVERTIBLE, "renamed", "dev.b");
    assert_by_position(c, a, VERDICT_CONVERTIBLE, "sign changed", "dev.a");
}

Test(verdict, by_position_a_field_more_or_less_is_incompatible_even_if_it_may_be_skipped)
{
    VMStateField one[] = {A, VMS_END}, two[] = {A, GATE, VMS_END};

    two[1].flags = VMS_SKIPPABLE | VMS_DEFAULTABLE;
    assert_by_position(two, one, VERDICT_INCOMPATIBLE, "missing", "dev.gate");
    assert_by_position(one, two, VERDICT_INCOMPATIBLE, "unknown", "dev.gate");
}

Test(verdict, octets_that_nobody_described_are_not_judged)
{
    VMStateField a[] = {{.name = "virtio", .kind = VMS_OCTETS, .type = "virtio", .size = 8, .count = 1}, VMS_END};
    VMStateField b[] = {{.name = "virtio", .kind = VMS_OCTETS, .type = "virtio", .size = 9, .count = 1}, VMS_END};

    for (VerdictLoader loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
        g_autoptr(Verdict) v = judge(b, a, NULL, loader);
        cr_assert_eq(v->level, VERDICT_CONVERTIBLE);
        cr_assert_str_eq(finding(v, 0)->kind, "not judged");
    }
}

/* --- sections and the machine ----------------------------------------------------------------------------------- */

static const VMStateField one_field[] = {VMS_FIELD(Thing, a), VMS_END};
static const VMStateDescription small_state = {
    .name = "small", .version = 1, .minimum = 1, .size = sizeof(Thing), .fields = one_field};

static Verdict *judge_sections(const VerdictSection *to, size_t to_count, const VerdictSection *from, size_t from_count)
{
    VerdictSide source = {.sections = from, .section_count = from_count},
                dest = {.sections = to, .section_count = to_count};

    return verdict_new(&source, &dest, VERDICT_BY_NAME);
}

Test(verdict, sections_that_one_side_lacks)
{
    VerdictSection rtc = {.name = "rtc", .version = 1, .desc = &small_state};
    g_autoptr(Verdict) unknown = judge_sections(NULL, 0, &rtc, 1);
    g_autoptr(Verdict) defaulted = judge_sections(&rtc, 1, NULL, 0);

    assert_only(unknown, VERDICT_INCOMPATIBLE, "unknown", "rtc",
                "the stream has this section, the destination does not");
    assert_only(defaulted, VERDICT_CONVERTIBLE, "defaulted", "rtc",
                "the stream does not have this section; the device keeps its reset state");
}

Test(verdict, instances_are_different_sections)
{
    VerdictSection both[] = {{.name = "cpu", .instance = 0, .version = 1, .desc = &small_state},
                             {.name = "cpu", .instance = 1, .version = 1, .desc = &small_state}};
    g_autoptr(Verdict) v = judge_sections(both, 1, both, 2);

    assert_only(v, VERDICT_INCOMPATIBLE, "unknown", "cpu[1]", "the stream has this section, the destination does not");
}

Test(verdict, a_device_in_another_slot_is_told_of)
{
    VerdictSection here = {.name = "0000:00:03.0/virtio-blk", .version = 1, .desc = &small_state},
                   there = {.name = "0000:00:05.0/virtio-blk", .version = 1, .desc = &small_state},
                   other = {.name = "0000:00:03.0/e1000", .version = 1, .desc = &small_state};
    g_autoptr(Verdict) moved = judge_sections(&there, 1, &here, 1);
    g_autoptr(Verdict) replaced = judge_sections(&other, 1, &here, 1);

    cr_assert_str_eq(finding(moved, 0)->text,
                     "the stream has this section, the destination does not (it has a virtio-blk at 0000:00:05.0)");
    cr_assert_str_eq(finding(replaced, 0)->text,
                     "the stream has this section, the destination does not (it has a e1000 at 0000:00:03.0)");
}

Test(verdict, versions_of_sections)
{
    VMStateDescription desc = small_state;
    static const struct {
        int from;
        VerdictLevel level;
        const char *text;
    } cases[] = {
        {1, VERDICT_INCOMPATIBLE, "the stream has version 1, the destination needs at least 2"},
        {2, VERDICT_CONVERTIBLE, "the stream has version 2, the destination 3"},
        {4, VERDICT_INCOMPATIBLE, "the stream has version 4, the destination only knows up to 3"},
    };

    desc.version = 3;
    desc.minimum = 2;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        VerdictSection from = {.name = "rtc", .version = cases[i].from, .desc = &desc},
                       to = {.name = "rtc", .version = 3, .desc = &desc};
        g_autoptr(Verdict) v = judge_sections(&to, 1, &from, 1);
        assert_only(v, cases[i].level, "version", "rtc", cases[i].text);
    }
}

Test(verdict, what_nobody_described_is_not_judged)
{
    VerdictSection known = {.name = "slirp", .version = 1, .desc = &small_state},
                   unknown = {.name = "slirp", .version = 1, .octets = 12};
    g_autoptr(Verdict) neither = judge_sections(&unknown, 1, &unknown, 1);
    g_autoptr(Verdict) stream = judge_sections(&known, 1, &unknown, 1);
    g_autoptr(Verdict) destination = judge_sections(&unknown, 1, &known, 1);

    assert_only(neither, VERDICT_CONVERTIBLE, "not judged", "slirp",
                "neither side describes it (12 octets in the stream)");
    assert_only(stream, VERDICT_CONVERTIBLE, "not judged", "slirp", "the stream does not describe it");
    assert_only(destination, VERDICT_CONVERTIBLE, "not judged", "slirp", "the destination does not describe it");
}

static RamBlocks blocks_of(const char *name, uint64_t length)
{
    RamBlock block = {.name = (char *)name, .length = length, .address = -1};
    RamBlocks blocks;

    ram_blocks_init(&blocks);
    cr_assert(ram_blocks_add(&blocks, &block, NULL));
    return blocks;
}

static void assert_blocks(const char *to_name, uint64_t to_length, const char *from_name, uint64_t from_length,
                          VerdictLevel level, const char *text)
{
    RamBlocks from = blocks_of(from_name, from_length), to = blocks_of(to_name, to_length);
    VerdictSide source = {.blocks = &from}, dest = {.blocks = &to};
    g_autoptr(Verdict) v = verdict_new(&source, &dest, VERDICT_BY_NAME);

    cr_assert_eq(v->level, level);
    if (level != VERDICT_IDENTICAL)
        cr_assert_str_eq(finding(v, 0)->text, text);
    ram_blocks_done(&from);
    ram_blocks_done(&to);
}

Test(verdict, ram_blocks_must_be_there_and_as_long_unless_they_can_be_resized)
{
    assert_blocks("pc.ram", 1 << 20, "pc.ram", 1 << 20, VERDICT_IDENTICAL, NULL);
    assert_blocks("pc.ram", 1 << 20, "pc.ram", 2 << 20, VERDICT_INCOMPATIBLE,
                  "the stream has 2 MiB, the destination 1 MiB");
    assert_blocks("pc.ram", 1 << 20, "vga.vram", 1 << 20, VERDICT_INCOMPATIBLE,
                  "the stream has this block (1 MiB), the destination does not");
    assert_blocks("/rom@etc/acpi/tables", 64 << 10, "/rom@etc/acpi/tables", 128 << 10, VERDICT_CONVERTIBLE,
                  "the stream has 128 KiB, the destination 64 KiB; it can be resized");
}

Test(verdict, machine_type_and_shared_memory_must_agree)
{
    VerdictSide a = {.machine = "pc-i440fx-7.2"}, b = {.machine = "pc-q35-7.2"}, unknown = {.machine = NULL},
                shared = {.shared = true};
    g_autoptr(Verdict) machine = verdict_new(&a, &b, VERDICT_BY_NAME);
    g_autoptr(Verdict) not_told = verdict_new(&unknown, &b, VERDICT_BY_NAME);
    g_autoptr(Verdict) capability = verdict_new(&shared, &unknown, VERDICT_BY_NAME);

    assert_only(machine, VERDICT_INCOMPATIBLE, "machine", "machine",
                "the stream is of machine type pc-i440fx-7.2, the destination pc-q35-7.2");
    cr_assert_eq(not_told->level, VERDICT_IDENTICAL);
    assert_only(capability, VERDICT_INCOMPATIBLE, "capability", "configuration",
                "capability x-ignore-shared is on in the stream, off at the destination");
}

Test(verdict, sections_that_do_not_tell_themselves_apart_are_taken_in_order)
{
    VMStateField fields[] = {A, GATE, VMS_END};
    VMStateDescription large = describe(fields);
    VerdictSection both[] = {{.name = "isa-ide", .version = 1, .desc = &small_state},
                             {.name = "isa-ide", .version = 1, .desc = &large}};
    g_autoptr(Verdict) same = judge_sections(both, 2, both, 2);
    g_autoptr(Verdict) fewer = judge_sections(both, 1, both, 2);

    cr_assert_eq(same->level, VERDICT_IDENTICAL);
    assert_only(fewer, VERDICT_INCOMPATIBLE, "unknown", "isa-ide",
                "the stream has this section, the destination does not");
}
