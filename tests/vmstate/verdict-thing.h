/*
 * verdict-thing.h: a struct to describe in many ways, and what is said of two descriptions of it. Wherever fields are
 * found by name the loader must do what the verdict says; `judge` holds it to that.
 */
#ifndef TESTS_VMSTATE_VERDICT_THING_H
#define TESTS_VMSTATE_VERDICT_THING_H

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

static inline VMStateDescription describe(const VMStateField *fields)
{
    return (VMStateDescription){.name = "thing", .version = 2, .minimum = 1, .size = sizeof(Thing), .fields = fields};
}

/* Does the state load by name into `to`? */
static inline bool loads(const VMStateDescription *to, const VMStateDescription *from, const Thing *thing)
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

static inline Verdict *judge_desc(const VMStateDescription *to, const VMStateDescription *from, const Thing *thing,
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

static inline Verdict *judge(const VMStateField *to, const VMStateField *from, const Thing *thing, VerdictLoader loader)
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
static inline void assert_only(const Verdict *v, VerdictLevel level, const char *kind, const char *path,
                               const char *text)
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
static inline void assert_pair(VMStateField to, VMStateField from, const Thing *thing, VerdictLevel level,
                               const char *kind, const char *text)
{
    VMStateField a[] = {from, VMS_END}, b[] = {to, VMS_END};
    g_autofree char *path = g_strdup_printf("dev.%s", to.name);
    g_autoptr(Verdict) v = judge(b, a, thing, VERDICT_BY_NAME);

    assert_only(v, level, kind, path, text);
}

static inline VMStateField as(VMStateField f, Scalar scalar)
{
    f.scalar = (uint8_t)scalar;
    f.size = scalar_width(scalar);
    return f;
}

static inline VMStateField renamed(VMStateField f, const char *name)
{
    f.name = name;
    return f;
}

#define F(...) ((VMStateField)__VA_ARGS__)
#define A      F(VMS_FIELD(Thing, a))
#define S      F(VMS_FIELD(Thing, s))
#define GATE   F(VMS_FIELD(Thing, gate))
#define LIST   F(VMS_ARRAY(Thing, list))

#endif
