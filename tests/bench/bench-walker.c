/*
 * bench-walker.c: how long it takes to save the devices of a whole PC, as one stream's worth of visits.
 *
 * The peer is a loop that was told all values beforehand and only writes them, big-endian, one after the other: what is
 * left when there are no descriptions, paths or visits. Prints medians in microseconds, and the ratio.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/recordings.h"
#include "visitors/ber-out.h"
#include "visitors/leaf-out.h"
#include "visitors/qemufile-out.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

enum { RUNS = 2001 };

typedef struct Device {
    const VMStateDescription *desc;
    void *state;
} Device;

typedef struct Pc {
    StreamSink sink;
    Schema *schema;
    GArray *devices; /* of Device */
    GArray *leaves;
} Pc;

static bool take_schema(StreamSink *sink, Schema *schema, size_t first, GError **error)
{
    Pc *pc = (Pc *)sink;

    (void)first;
    (void)error;
    if (!pc->schema)
        pc->schema = schema_ref(schema);
    return true;
}

static bool take_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    Device d = {.desc = s->desc};

    (void)error;
    if (!s->desc || !s->state || s->configuration)
        return true;
    d.state = vms_state_new(s->desc);
    vms_state_copy(s->desc, d.state, s->state);
    g_array_append_val(((Pc *)sink)->devices, d);
    return true;
}

static void save_all(Pc *pc, Visitor *(*open)(ByteOut *), ByteOut *out)
{
    out->len = 0;
    for (guint i = 0; i < pc->devices->len; i++) {
        const Device *d = &g_array_index(pc->devices, Device, i);
        g_autoptr(Visitor) v = open(out);
        vmstate_save(v, d->desc, d->state);
        if (!visit_finish(v, NULL))
            g_error("the device does not save");
    }
}

static Visitor *open_qemufile(ByteOut *out)
{
    return qemufile_out_new(out, NULL);
}

static Visitor *open_ber(ByteOut *out)
{
    return ber_out_new(out, NULL, BER_CONTEXT, 0);
}

static void peer(Pc *pc, ByteOut *out)
{
    out->len = 0;
    for (guint i = 0; i < pc->leaves->len; i++) {
        const Leaf *leaf = &g_array_index(pc->leaves, Leaf, i);
        unsigned width = leaf->kind == LEAF_SCALARS ? scalar_width(leaf->scalar) : 1;
        size_t len = leaf->kind == LEAF_STRING ? 0 : leaf->kind == LEAF_BITMAP ? (leaf->count + 7) / 8 : leaf->count;
        if (width > 1)
            bytes_swap_be(byte_out_room(out, len * width), leaf->data, width, len);
        else
            byte_out_put(out, leaf->data, len);
    }
}

static int by_value(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double median(double *times)
{
    qsort(times, RUNS, sizeof *times, by_value);
    return times[RUNS / 2];
}

static void keep_leaf(void *leaves, const Leaf *leaf)
{
    g_array_append_vals(leaves, leaf, 1);
}

int main(void)
{
    static const StreamSinkOps ops = {.schema = take_schema, .section = take_section};
    static double qemufile[RUNS], ber[RUNS], plain[RUNS];
    Pc pc = {.sink.ops = &ops,
             .devices = g_array_new(FALSE, FALSE, sizeof(Device)),
             .leaves = g_array_new(FALSE, FALSE, sizeof(Leaf))};
    ByteOut recording = {0}, out = {0};
    size_t scalars = 0, legacy, self_describing;

    recording_read("b3-kvm-pc-alldefaults.mig", &recording);
    if (!load_stream(&recording, STREAM_MACHINE, &pc.sink, NULL))
        g_error("the recording does not load");
    for (guint i = 0; i < pc.devices->len; i++) {
        const Device *d = &g_array_index(pc.devices, Device, i);
        g_autoptr(Visitor) v = leaf_out_new(keep_leaf, pc.leaves);
        vmstate_save(v, d->desc, d->state);
        visit_finish(v, NULL);
    }
    for (guint i = 0; i < pc.leaves->len; i++)
        scalars += g_array_index(pc.leaves, Leaf, i).count;
    for (int run = 0; run < RUNS; run++) {
        gint64 t0 = g_get_monotonic_time();
        for (int i = 0; i < 10; i++)
            save_all(&pc, open_qemufile, &out);
        gint64 t1 = g_get_monotonic_time();
        legacy = out.len;
        for (int i = 0; i < 10; i++)
            save_all(&pc, open_ber, &out);
        gint64 t2 = g_get_monotonic_time();
        self_describing = out.len;
        for (int i = 0; i < 10; i++)
            peer(&pc, &out);
        gint64 t3 = g_get_monotonic_time();
        qemufile[run] = (double)(t1 - t0) / 10;
        ber[run] = (double)(t2 - t1) / 10;
        plain[run] = (double)(t3 - t2) / 10;
    }
    double q = median(qemufile), b = median(ber), p = median(plain);
    printf("walker: a PC of %u sections, %u visits, %zu values; medians of %d runs\n", pc.devices->len, pc.leaves->len,
           scalars, RUNS);
    printf("  saved as QEMUFile  %8.1f us  %7zu octets  %5.2f x the peer\n", q, legacy, q / p);
    printf("  saved as BER       %8.1f us  %7zu octets  %5.2f x the peer\n", b, self_describing, b / p);
    printf("  peer: bare writes  %8.1f us\n", p);
    return EXIT_SUCCESS;
}
