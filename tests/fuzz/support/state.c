/* state.c: what must hold for any state that a description can say. */
#include "tests/fuzz/support/state.h"

#include <string.h>

#include "tests/fuzz/support/fuzz.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/json-out.h"
#include "visitors/leaf-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "visitors/text-out.h"
#include "visitors/trace.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

/* Saves through `v`, taken; must work. */
static void save(Visitor *v, const VMStateDescription *desc, const void *state, const char *what)
{
    GError *error = NULL;

    vmstate_save(v, desc, state);
    fuzz_check(visit_finish(v, &error), "%s does not save to %s: %s", desc->name, what, fuzz_message(error));
    visit_free(v);
}

static char *text_of(const VMStateDescription *desc, const void *state)
{
    ByteOut text = {0};
    g_autoptr(ChanOut) out = chan_out_new(chan_buf_new(&text));

    save(text_out_new(out, desc->name, false), desc, state, "text");
    chan_out_finish(out, NULL);
    char *copy = g_strndup((const char *)text.data, text.len);
    byte_out_done(&text);
    return copy;
}

/* Says in which line two states differ. */
static void broken_difference(const VMStateDescription *desc, const void *a, const void *b, const char *what)
{
    g_auto(GStrv) x = g_strsplit(text_of(desc, a), "\n", -1);
    g_auto(GStrv) y = g_strsplit(text_of(desc, b), "\n", -1);
    size_t i = 0;

    while (x[i] && y[i] && strcmp(x[i], y[i]) == 0)
        i++;
    fuzz_broken("%s is another one after %s:\n    %s\n    %s", desc->name, what, x[i] ? x[i] : "nothing",
                y[i] ? y[i] : "nothing");
}

static void *new_state(const VMStateDescription *desc, const void *reset)
{
    void *state = vms_state_new(desc);

    if (reset)
        vms_state_copy(desc, state, reset);
    return state;
}

/* Loads through `v`, taken; must give `state`. */
static void load(Visitor *v, const VMStateDescription *desc, const void *state, const void *reset,
                 const VMStateDescription *stream, const char *what)
{
    void *again = new_state(desc, reset);
    GError *error = NULL;

    vmstate_load(v, desc, again, desc->version, stream);
    fuzz_check(visit_finish(v, &error), "%s does not load from the %s that it was saved to: %s", desc->name, what,
               fuzz_message(error));
    if (!vms_state_equal(desc, state, again))
        broken_difference(desc, state, again, what);
    visit_free(v);
    vms_state_free(desc, again);
}

static void touch_leaf(void *data, const Leaf *leaf)
{
    (void)data;
    fuzz_touch(leaf->path, strlen(leaf->path));
}

/* Text, JSON and leaves: nothing to compare them with, but they must read what is there and nothing else. */
static void show(const VMStateDescription *desc, const void *state)
{
    g_autoptr(ChanOut) out = chan_out_new(fuzz_chan_nowhere());
    g_autoptr(JsonWrite) json = json_write_new(out, 1);

    save(text_out_new(out, desc->name, true), desc, state, "text");
    json_write_object_start(json, NULL);
    save(json_out_new(json, "state"), desc, state, "JSON");
    json_write_object_end(json);
    save(leaf_out_new(touch_leaf, NULL), desc, state, "leaves");
    chan_out_finish(out, NULL);
}

/* What the witness shows of a save and of a load must be the same text. */
static void trace(const VMStateDescription *desc, const void *state, const void *reset)
{
    ByteOut ber = {0}, saved = {0}, loaded = {0};
    g_autoptr(ChanOut) saved_to = chan_out_new(chan_buf_new(&saved));
    g_autoptr(ChanOut) loaded_to = chan_out_new(chan_buf_new(&loaded));
    g_autoptr(Visitor) saved_text = text_out_new(saved_to, desc->name, false);
    g_autoptr(Visitor) loaded_text = text_out_new(loaded_to, desc->name, false);
    Visitor *out = ber_out_new(&ber, desc->name, BER_CONTEXT, 0);

    save(trace_new(out, saved_text), desc, state, "a traced BER");
    visit_free(out);
    Visitor *in = ber_in_new(ber.data, ber.len, 0, desc->name, BER_CONTEXT, 0);
    load(trace_new(in, loaded_text), desc, state, reset, NULL, "a traced BER");
    visit_free(in);
    chan_out_finish(saved_to, NULL);
    chan_out_finish(loaded_to, NULL);
    fuzz_check(saved.len == loaded.len && (!saved.len || memcmp(saved.data, loaded.data, saved.len) == 0),
               "save and load of %s are not symmetrical:\n%.*s---\n%.*s", desc->name, (int)MIN(saved.len, 2000),
               (char *)saved.data, (int)MIN(loaded.len, 2000), (char *)loaded.data);
    byte_out_done(&ber);
    byte_out_done(&saved);
    byte_out_done(&loaded);
}

static void legacy_round_trip(const VMStateDescription *desc, const void *state, const void *reset)
{
    ByteOut wire = {0};

    save(qemufile_out_new(&wire, desc->name), desc, state, "QEMUFile");
    size_t told = vms_state_wire_size(desc, state);
    fuzz_check(told == wire.len, "%s has %zu octets on the wire, it says %zu", desc->name, wire.len, told);
    g_autoptr(ChanIn) in = chan_in_new_memory(wire.data, wire.len, 0);
    load(qemufile_in_new(in, desc->name), desc, state, reset, NULL, "QEMUFile");
    fuzz_check(chan_in_at_end(in), "%s leaves octets of its own over", desc->name);
    byte_out_done(&wire);
}

void fuzz_state_round_trip(const VMStateDescription *desc, const void *state, const void *reset, bool legacy)
{
    void *copy = vms_state_new(desc);
    ByteOut ber = {0};

    vms_state_copy(desc, copy, state);
    fuzz_check(vms_state_equal(desc, state, copy), "a copy of %s is another one", desc->name);
    vms_state_free(desc, copy);
    save(ber_out_new(&ber, desc->name, BER_CONTEXT, 0), desc, state, "BER");
    load(ber_in_new(ber.data, ber.len, 0, desc->name, BER_CONTEXT, 0), desc, state, reset, NULL, "BER");
    load(ber_in_new(ber.data, ber.len, 0, desc->name, BER_CONTEXT, 0), desc, state, reset, desc, "BER by name");
    byte_out_done(&ber);
    if (legacy)
        legacy_round_trip(desc, state, reset);
    show(desc, state);
    trace(desc, state, reset);
}
