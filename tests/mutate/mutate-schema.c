/*
 * mutate-schema.c: changes every field of every device of recorded streams in every way, and counts how often the
 * verdict is right.
 *
 * The destination is the recorded machine with one field renamed, widened, narrowed, of other sign, moved, dropped,
 * added or of another count. Right: the level that the rules give, at the right path, and nothing else said; and what
 * the loader then does with the state is what the verdict promised.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/changes.h"
#include "tests/support/recordings.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/chan.h"
#include "vmstate/state.h"
#include "vmstate/stream-load.h"
#include "vmstate/walk.h"

typedef struct Count {
    unsigned runs, right;
} Count;

typedef struct Mutate {
    StreamSink sink;
    Count count[CHANGES];
    unsigned complaints;
} Mutate;

/* Does the state load into the changed description, by name? */
static bool loads(const StreamSection *s, const VMStateDescription *to)
{
    void *state = vms_state_new(to);
    ByteOut out = {0};
    g_autoptr(Visitor) writer = ber_out_new(&out, s->name, BER_CONTEXT, 0);

    vmstate_save(writer, s->desc, s->state);
    visit_finish(writer, NULL);
    g_autoptr(Visitor) reader = ber_in_new(out.data, out.len, 0, s->name, BER_CONTEXT, 0);
    vmstate_load(reader, to, state, s->version, s->desc);
    bool ok = visit_finish(reader, NULL);
    vms_state_free(to, state);
    byte_out_done(&out);
    return ok;
}

static bool judged_right(const StreamSection *s, const VMStateDescription *to, const FieldPlace *place, Change change,
                         char **why)
{
    g_autofree char *title = stream_section_title(s->name, s->instance);
    VerdictSection a = {.name = s->name,
                        .instance = s->instance,
                        .version = s->version,
                        .desc = s->desc,
                        .state = s->state},
                   b = a;
    VerdictSide from = {.sections = &a, .section_count = 1}, dest = {.sections = &b, .section_count = 1};
    Expectation e = changes_expect(title, s->desc, s->state, place, change);

    b.desc = to;
    b.state = NULL;
    g_autoptr(Verdict) verdict = verdict_new(&from, &dest, VERDICT_BY_NAME);
    bool right = changes_judged_right(verdict, &e, why);
    if (right && loads(s, to) != (verdict->level != VERDICT_INCOMPATIBLE)) {
        *why = g_strdup("the loader does not do what the verdict says");
        right = false;
    }
    g_free(e.path);
    return right;
}

static bool change_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    Mutate *m = (Mutate *)sink;

    (void)error;
    if (!s->desc || !s->state || s->configuration)
        return true;
    g_autoptr(GArray) places = changes_places(s->desc);
    for (guint i = 0; i < places->len; i++) {
        for (Change change = 0; change < CHANGES; change++) {
            const FieldPlace *place = &g_array_index(places, FieldPlace, i);
            g_autoptr(Schema) schema = schema_new();
            g_autofree char *why = NULL;
            const VMStateDescription *to = changes_apply(schema, s->desc, place, change);
            if (!to)
                continue;
            m->count[change].runs++;
            if (judged_right(s, to, place, change, &why))
                m->count[change].right++;
            else if (m->complaints++ < 20)
                printf("wrong: %s of field %u of %s: %s\n", change_name(change), i, s->name, why);
        }
    }
    return true;
}

static const StreamSinkOps ops = {.section = change_section};

int main(void)
{
    static const char *const recordings[] = {"b3-kvm-pc-alldefaults.mig", "c1-kvm-virtio.mig", "f3-kvm-pc-10s.mig",
                                             "h7-pc-q35-7.2-full.mig"};
    Mutate m = {.sink.ops = &ops};
    Count all = {0};

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++) {
        GError *error = NULL;
        ByteOut octets = {0};
        recording_read(recordings[i], &octets);
        if (!load_stream(&octets, STREAM_MACHINE, &m.sink, &error))
            g_error("%s", error->message);
        byte_out_done(&octets);
    }
    printf("schema mutations, one field of one device each (%zu recordings)\n", G_N_ELEMENTS(recordings));
    for (Change c = 0; c < CHANGES; c++) {
        printf("  %-14s %6u runs, %6u judged right: %.2f %%\n", change_name(c), m.count[c].runs, m.count[c].right,
               100.0 * m.count[c].right / MAX(m.count[c].runs, 1));
        all.runs += m.count[c].runs;
        all.right += m.count[c].right;
    }
    printf("  %-14s %6u runs, %6u judged right: %.2f %%\n", "all", all.runs, all.right,
           100.0 * all.right / MAX(all.runs, 1));
    return all.right == all.runs ? EXIT_SUCCESS : EXIT_FAILURE;
}
