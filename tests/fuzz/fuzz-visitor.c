/*
 * fuzz-visitor.c: loads into structs that are described by hand, with every kind of field, from both wires, by position
 * and by name.
 *
 * The first octet of an input says how (see the enum), the rest is what is loaded. What loads must come back; what the
 * verdict says of the way from one of the descriptions to the other, the loader must do.
 */
#include "tests/fuzz/support/beasts.h"
#include "tests/fuzz/support/ber-tree.h"
#include "tests/fuzz/support/fuzz.h"
#include "tests/fuzz/support/state.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "vmstate/section.h"
#include "vmstate/state.h"
#include "vmstate/trailer.h"
#include "vmstate/verdict.h"
#include "vmstate/walk.h"

enum {
    MODE_BER = 1,
    MODE_OTHER = 2,   /* the other description */
    MODE_FOREIGN = 4, /* the stream was written with the one that is not loaded into */
    MODE_OLD = 8,     /* the stream has version 1 */
    MODE_SECTION = 16,
    MODE_LIMIT = 32, /* a part of the octets is not really there */
};

static const VMStateDescription *description(unsigned mode)
{
    return mode & MODE_OTHER ? &other_beast_state : &beast_state;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    GError *error = NULL;

    (void)argc;
    (void)argv;
    fuzz_check(vms_desc_check(&beast_state, &error) && vms_desc_check(&other_beast_state, &error), "%s",
               fuzz_message(error));
    return 0;
}

/* --- from one to the other --------------------------------------------------------------------------------------- */

static Visitor *ber_in(const ByteOut *ber, const VMStateDescription *desc)
{
    return ber_in_new(ber->data, ber->len, 0, desc->name, BER_CONTEXT, 0);
}

static void save_ber(const VMStateDescription *desc, const void *state, ByteOut *out)
{
    g_autoptr(Visitor) v = ber_out_new(out, desc->name, BER_CONTEXT, 0);

    vmstate_save(v, desc, state);
    fuzz_check(visit_finish(v, NULL), "a state does not save to BER");
}

/* The verdict, and what it says where it is worst. */
static VerdictLevel judge(const VMStateDescription *to, const VMStateDescription *from, const void *state, char **why)
{
    VerdictSection there = {.name = "beast", .version = to->version, .desc = to};
    VerdictSection here = {.name = "beast", .version = from->version, .desc = from, .state = state};
    VerdictSide source = {.sections = &here, .section_count = 1},
                destination = {.sections = &there, .section_count = 1};
    g_autoptr(Verdict) verdict = verdict_new(&source, &destination, VERDICT_BY_NAME);

    verdict_free(verdict_new(&source, &destination, VERDICT_BY_POSITION));
    *why = g_strdup("nothing");
    for (guint i = 0; i < verdict->findings->len; i++) {
        const VerdictFinding *f = g_ptr_array_index(verdict->findings, i);
        if (f->level != verdict->level)
            continue;
        g_free(*why);
        *why = g_strdup_printf("%s: %s", f->path, f->text);
    }
    return verdict->level;
}

static void cross(const VMStateDescription *to, const VMStateDescription *from, const void *state)
{
    void *loaded = beast_reset(), *reset = beast_reset();
    g_autofree char *why = NULL;
    GError *error = NULL;
    ByteOut ber = {0};

    save_ber(from, state, &ber);
    g_autoptr(Visitor) v = ber_in(&ber, from);
    VerdictLevel level = judge(to, from, state, &why);
    vmstate_load(v, to, loaded, from->version, from);
    bool ok = visit_finish(v, &error);
    fuzz_check(ok == (level != VERDICT_INCOMPATIBLE), "the verdict is %s (%s), the loader says: %s",
               verdict_level_name(level), why, fuzz_message(error));
    if (ok)
        fuzz_state_round_trip(to, loaded, reset, beast_wire_is_plain(to, loaded));
    g_clear_error(&error);
    byte_out_done(&ber);
    vms_state_free(to, loaded);
    vms_state_free(to, reset);
}

/* The description's JSON text, made from the state, must read. */
static void describe(const VMStateDescription *desc, const void *state)
{
    g_autoptr(TrailerWriter) w = trailer_writer_new();
    g_autoptr(Schema) schema = schema_new();
    GError *error = NULL;

    trailer_writer_add(w, "beast", 0, desc, state, 0);
    const GString *text = trailer_writer_end(w);
    fuzz_check(trailer_parse(schema, text->str, text->len, 0, &error), "%s\n%s", fuzz_message(error), text->str);
}

/* --- loading ----------------------------------------------------------------------------------------------------- */

/* Loads through `v`, taken. */
static bool load_plain(Visitor *v, const VMStateDescription *desc, void *state, int version,
                       const VMStateDescription *stream)
{
    g_autoptr(Visitor) visitor = v;

    vmstate_load(visitor, desc, state, version, stream);
    return visit_finish(visitor, NULL);
}

/* The same as a section: all or nothing. */
static bool load_section(Visitor *v, const VMStateDescription *desc, void *state, int version,
                         const VMStateDescription *stream)
{
    Section section = {.name = "beast", .alias_instance = -1, .desc = desc, .state = state};
    g_autoptr(SectionList) list = section_list_new();
    void *before = vms_state_new(desc);

    vms_state_copy(desc, before, state);
    section_list_add(list, &section);
    g_autoptr(SectionLoad) load = section_load_new(list);
    bool ok = section_load_one(load, section_list_find(list, "beast", 0), v, version, stream, NULL);
    fuzz_check(vms_state_equal(desc, before, state), "a load that was not committed has changed the state");
    ok = ok && section_load_commit(load, NULL);
    vms_state_free(desc, before);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    unsigned mode = len ? data[0] : 0;
    const VMStateDescription *desc = description(mode), *opposite = description(mode ^ MODE_OTHER);
    const VMStateDescription *stream = mode & MODE_FOREIGN ? opposite : NULL;
    int version = mode & MODE_OLD ? 1 : 2;
    Visitor *v;

    if (len == 0)
        return 0;
    data++;
    len--;
    g_autoptr(ChanIn) in = fuzz_in(data, len, fuzz_choice(data, len));
    if (mode & MODE_BER)
        v = ber_in_new(data, len, 0, "beast", BER_CONTEXT, 0);
    else
        v = qemufile_in_new(in, "beast");
    if (mode & MODE_BER && mode & MODE_LIMIT)
        ber_in_limit(v, len * 3 / 4);
    void *state = beast_reset(), *reset = beast_reset();
    bool ok = (mode & MODE_SECTION ? load_section : load_plain)(v, desc, state, version, stream);
    if (ok) {
        fuzz_state_round_trip(desc, state, reset, beast_wire_is_plain(desc, state));
        describe(desc, state);
        beast_obey(state);
        cross(opposite, desc, state);
    }
    vms_state_free(desc, state);
    vms_state_free(desc, reset);
    return 0;
}

/* --- making inputs ----------------------------------------------------------------------------------------------- */

/* Makes BER of an input that loads from the QEMUFile wire; the new length, or 0. */
static size_t to_ber(uint8_t *data, size_t len, size_t most)
{
    const VMStateDescription *desc = description(data[0]);
    g_autoptr(ChanIn) in = chan_in_new_memory(data + 1, len - 1, 0);
    void *state = beast_reset();
    ByteOut ber = {0};
    size_t made = 0;

    if (load_plain(qemufile_in_new(in, "beast"), desc, state, desc->version, NULL))
        save_ber(desc, state, &ber);
    if (ber.len && ber.len < most) {
        data[0] |= MODE_BER;
        memcpy(data + 1, ber.data, ber.len);
        made = 1 + ber.len;
    }
    byte_out_done(&ber);
    vms_state_free(desc, state);
    return made;
}

/* BER is changed as BER; and now and then made, as no seed has any. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t most, unsigned seed)
{
    if (len < 2 || seed % 16 == 0)
        return LLVMFuzzerMutate(data, len, most);
    if (data[0] & MODE_BER) {
        if (seed % 8 == 1) /* the octet that says how */
            data[0] ^= (uint8_t)(seed >> 8 & 0x3e);
        return 1 + ber_tree_mutate_bytes(data + 1, len - 1, most - 1, seed, false);
    }
    size_t made = seed % 16 == 1 ? to_ber(data, len, most) : 0;
    return made ? made : LLVMFuzzerMutate(data, len, most);
}
