/*
 * tracer.c: a PC whose every visit is written down, for the driver `symmetry`.
 *
 *     tracer COMMAND... -- OPTIONS OF FERRY
 *
 * makes the machine, which stands, and does the commands in turn:
 *
 *     fields=FILE            every field that its sections describe, with the reset value
 *     load=STREAM,TRACE      loads the stream, as ferry does
 *     peek=STREAM,TRACE      reads those sections of the stream that the machine has, and judges them; nothing changes
 *     save=STREAM,TRACE      saves, as ferry does; ber=STREAM,TRACE: in that format
 *     random=SEED,SAVES,LOADS,TAKEN   a random state for each section, through both formats; what its check takes
 *
 * A trace has a line "@ SECTION INSTANCE VERSION" for each section, and then text-out's lines, one for each visit of a
 * value.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/machine/vm.h"
#include "tests/support/zoo.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "visitors/text-out.h"
#include "visitors/trace.h"
#include "vmstate/berstream-load.h"
#include "vmstate/berstream-save.h"
#include "vmstate/state.h"
#include "vmstate/stream-load.h"
#include "vmstate/stream-save.h"
#include "vmstate/walk.h"

enum { PROBE = 32 };

static Machine *machine_of(Vm *vm)
{
    return pc_machine(vm_pc(vm));
}

/* --- traces ----------------------------------------------------------------------------------------------------- */

static ChanOut *trace_open(const char *path, GError **error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

    if (fd < 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s cannot be written", path);
        return NULL;
    }
    return chan_out_new(chan_fd_new(fd));
}

static void put_title(ChanOut *trace, const char *name, uint32_t instance, int version)
{
    g_autofree char *title = g_strdup_printf("@ %s %u %d\n", name, instance, version);

    chan_out_put(trace, title, strlen(title));
}

/* Saves a struct through `inner`, taken; each visit is shown to the trace. */
static bool save_traced(const VMStateDescription *desc, const void *state, Visitor *inner, ChanOut *trace,
                        GError **error)
{
    g_autoptr(Visitor) to = inner, witness = text_out_new(trace, NULL, false), v = trace_new(to, witness);

    vmstate_save(v, desc, state);
    return visit_finish(v, error);
}

/* How a section's value is on a wire. */
typedef enum Wire { WIRE_POSITION, WIRE_BER, WIRE_BER_NAME } Wire;

static bool encode(const char *name, const VMStateDescription *desc, const void *state, Wire wire, ChanOut *trace,
                   ByteOut *octets, GError **error)
{
    return save_traced(
        desc, state, wire == WIRE_POSITION ? qemufile_out_new(octets, name) : ber_out_new(octets, name, BER_CONTEXT, 0),
        trace, error);
}

typedef struct Source {
    const ByteOut *octets;
    Wire wire;
    int version;
    const VMStateDescription *desc; /* that it was written by; for WIRE_BER_NAME */
} Source;

static bool load_traced(SectionLoad *load, const Section *to, const Source *from, ChanOut *trace, GError **error)
{
    const ByteOut *o = from->octets;
    g_autoptr(ChanIn) in = chan_in_new_memory(o->data, o->len, 0);
    g_autoptr(Visitor) inner = from->wire == WIRE_POSITION ? qemufile_in_new(in, to->name)
                                                           : ber_in_new(o->data, o->len, 0, to->name, BER_CONTEXT, 0);
    g_autoptr(Visitor) witness = text_out_new(trace, NULL, false);

    if (!section_load_one(load, to, trace_new(inner, witness), from->version,
                          from->wire == WIRE_BER_NAME ? from->desc : NULL, error))
        return false;
    if (from->wire != WIRE_POSITION || chan_in_at_end(in))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s: its %zu octets are more than its fields", to->name,
                o->len);
    return false;
}

/* --- load ------------------------------------------------------------------------------------------------------- */

/* A sink that loads each section as machine_load does, through a trace; and by position, which must be the same. */
typedef struct Reader {
    StreamSink sink;
    Machine *machine;
    SectionLoad *load;
    ChanOut *trace;
    bool lenient, ber;
    char *data; /* the stream */
    gsize len;
} Reader;

/* The first line that differs. */
static bool same_visits(const char *title, const ByteOut *a, const ByteOut *b, GError **error)
{
    g_autofree char *one = g_strndup((char *)a->data, a->len), *other = g_strndup((char *)b->data, b->len);
    g_auto(GStrv) ones = g_strsplit(one, "\n", -1), others = g_strsplit(other, "\n", -1);
    size_t i = 0;

    while (ones[i] && others[i] && strcmp(ones[i], others[i]) == 0)
        i++;
    if (!ones[i] && !others[i])
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "%s, visit %zu: by name \"%s\", by position \"%s\"", title, i,
                ones[i] ? ones[i] : "(none)", others[i] ? others[i] : "(none)");
    return false;
}

/* The visits of a load, as text. */
static bool load_visits(const Reader *r, const Section *to, const Source *from, ByteOut *visits, GError **error)
{
    g_autoptr(ChanOut) out = chan_out_new(chan_buf_new(visits));

    return load_traced(r->load, to, from, out, error) && chan_out_finish(out, error);
}

static bool plain(Visitor *visitor, const StreamSection *s, GError **error)
{
    g_autoptr(Visitor) v = visitor;

    vmstate_save(v, s->desc, s->state);
    return visit_finish(v, error);
}

/* By name, as ferry loads what the stream describes; the visits must be those of `visits`. */
static bool load_by_name(const Reader *r, const Section *to, const StreamSection *s, const ByteOut *visits,
                         GError **error)
{
    ByteOut ber = {0}, again = {0};
    bool ok = plain(ber_out_new(&ber, s->name, BER_CONTEXT, 0), s, error) &&
              load_visits(r, to, &(Source){&ber, WIRE_BER_NAME, s->version, s->desc}, &again, error) &&
              same_visits(s->name, &again, visits, error);

    byte_out_done(&ber);
    byte_out_done(&again);
    return ok;
}

/* The section's own octets in QEMU's stream, or what they would be. */
static bool find_octets(const Reader *r, const StreamSection *s, ByteOut *octets, GError **error)
{
    if (s->octets) {
        byte_out_put(octets, s->octets, s->len);
        return true;
    }
    if (r->ber)
        return plain(qemufile_out_new(octets, s->name), s, error);
    byte_out_put(octets, r->data + s->body, MIN(vms_state_wire_size(s->desc, s->state), r->len - s->body));
    return true;
}

/* By position, from the octets that are on QEMU's wire, and by name. */
static bool read_section(Reader *r, const Section *to, const StreamSection *s, GError **error)
{
    ByteOut octets = {0}, visits = {0};
    bool ok = find_octets(r, s, &octets, error) &&
              load_visits(r, to, &(Source){&octets, WIRE_POSITION, s->version, NULL}, &visits, error) &&
              (s->octets || load_by_name(r, to, s, &visits, error));

    put_title(r->trace, s->name, s->instance, s->version);
    chan_out_put(r->trace, visits.data, visits.len);
    byte_out_done(&octets);
    byte_out_done(&visits);
    return ok;
}

static bool take_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    Reader *r = (Reader *)sink;
    const Section *to =
        s->cut || s->configuration ? NULL : section_list_find(r->machine->sections, s->name, s->instance);

    if (to)
        return read_section(r, to, s, error);
    if (r->lenient || s->configuration)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "%s[%u]: this machine has no such device", s->name,
                s->instance);
    return false;
}

/* As migrate_in: what the stream says of itself is not asked. */
static bool read_file(Reader *r, const char *path, GError **error)
{
    g_autoptr(MachineLoad) own = machine_load_new(r->machine, pc_identity());
    const StreamSource source = {.kind = STREAM_MACHINE, .borrowed = machine_load_schema(own)};

    if (!g_file_get_contents(path, &r->data, &r->len, error))
        return false;
    g_autoptr(ChanIn) in = chan_in_new_memory(r->data, r->len, 0);
    r->ber = berstream_probe((uint8_t *)r->data, MIN(r->len, PROBE));
    return r->ber ? berstream_load(in, NULL, &r->sink, error) : stream_load(in, &source, &r->sink, error);
}

static bool read_stream(Vm *vm, const char *path, const char *trace, bool lenient, GError **error)
{
    static const StreamSinkOps ops = {.section = take_section};
    Reader r = {.sink.ops = &ops, .machine = machine_of(vm), .trace = trace_open(trace, error), .lenient = lenient};
    g_autoptr(ChanOut) out = r.trace;

    if (!out)
        return false;
    r.load = section_load_new(r.machine->sections);
    bool ok = read_file(&r, path, error) && section_load_check(r.load, error);
    section_load_free(r.load);
    g_free(r.data);
    return chan_out_finish(out, ok ? error : NULL) && ok;
}

static bool do_load(Vm *vm, char **a, GError **error)
{
    Chan *file = NULL;

    return read_stream(vm, a[0], a[1], false, error) && (file = chan_file_open(a[0], error)) != NULL &&
           migrate_in(vm_pc(vm), file, error);
}

static bool do_peek(Vm *vm, char **a, GError **error)
{
    return read_stream(vm, a[0], a[1], true, error);
}

/* --- save ------------------------------------------------------------------------------------------------------- */

/*
 * Between machine_save and the writer of the stream: a section is saved once more, through a trace, before the writer
 * gets it. That the writer wrote just that is what a load shows.
 */
typedef struct Writer {
    StreamSink sink, *to;
    ChanOut *trace;
    Wire wire;
} Writer;

static bool tee_header(StreamSink *sink, const StreamHeader *header, GError **error)
{
    return SINK(((Writer *)sink)->to, header, header, error);
}

static bool tee_schema(StreamSink *sink, Schema *schema, size_t first, GError **error)
{
    return SINK(((Writer *)sink)->to, schema, schema, first, error);
}

static bool tee_slice_start(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    return SINK(((Writer *)sink)->to, slice_start, slice, error);
}

static bool tee_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    return SINK(((Writer *)sink)->to, ram_blocks, blocks, first, error);
}

static bool tee_run(StreamSink *sink, const RamRun *run, GError **error)
{
    return SINK(((Writer *)sink)->to, ram_run, run, error);
}

static bool tee_slice_end(StreamSink *sink, GError **error)
{
    return SINK(((Writer *)sink)->to, slice_end, error);
}

static bool tee_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    Writer *w = (Writer *)sink;
    ByteOut octets = {0};
    bool ok = true;

    if (!s->configuration) {
        put_title(w->trace, s->name, s->instance, s->version);
        ok = encode(s->name, s->desc, s->state, w->wire, w->trace, &octets, error);
        byte_out_done(&octets);
    }
    return ok && SINK(w->to, section, s, error);
}

static bool tee_eof(StreamSink *sink, const StreamTrailer *trailer, GError **error)
{
    return SINK(((Writer *)sink)->to, eof, trailer, error);
}

static bool tee_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    return SINK(((Writer *)sink)->to, end, end, error);
}

static bool save(Vm *vm, char **a, Wire wire, GError **error)
{
    static const StreamSinkOps ops = {.header = tee_header,
                                      .schema = tee_schema,
                                      .slice_start = tee_slice_start,
                                      .ram_blocks = tee_blocks,
                                      .ram_run = tee_run,
                                      .slice_end = tee_slice_end,
                                      .section = tee_section,
                                      .eof = tee_eof,
                                      .end = tee_end};
    const MachineIdentity *id = pc_identity();
    const BerstreamOptions options = {.writer = id->writer, .writer_version = id->writer_version};
    g_autoptr(ChanOut) out = trace_open(a[0], error), trace = trace_open(a[1], error);

    if (!out || !trace)
        return false;
    StreamSink *to = wire == WIRE_BER ? berstream_save_new(out, &options) : stream_save_new(out, NULL);
    Writer w = {.sink.ops = &ops, .to = to, .trace = trace, .wire = wire};
    machine_lock(machine_of(vm));
    bool ok = machine_save(machine_of(vm), id, &w.sink, error);
    machine_unlock(machine_of(vm));
    wire == WIRE_BER ? berstream_save_free(to) : stream_save_free(to);
    return ok && chan_out_finish(out, error) && chan_out_finish(trace, error);
}

static bool do_save(Vm *vm, char **a, GError **error)
{
    return save(vm, a, WIRE_POSITION, error);
}

static bool do_ber(Vm *vm, char **a, GError **error)
{
    return save(vm, a, WIRE_BER, error);
}

/* --- random states ---------------------------------------------------------------------------------------------- */

/* Some fields of the struct random, the others as after reset. */
static void *random_state(const Section *s, GRand *rand)
{
    void *all = vms_state_new(s->desc), *some = vms_state_new(s->desc);

    zoo_fill(s->desc, all, rand);
    vms_state_copy(s->desc, some, s->reset_state ? s->reset_state : s->state);
    for (const VMStateField *f = s->desc->fields; f->name; f++)
        if (f->offset != VMS_NOWHERE && !f->pointer && f->kind != VMS_STRING && f->kind != VMS_STRUCT &&
            g_rand_int_range(rand, 0, 4) == 0)
            memcpy((char *)some + f->offset, (char *)all + f->offset,
                   f->kind == VMS_BITMAP ? (f->size + 63) / 64 * 8 : f->size * f->count);
    if (g_rand_int_range(rand, 0, 4)) {
        vms_state_free(s->desc, all);
        return some;
    }
    vms_state_free(s->desc, some);
    return all;
}

typedef struct Random {
    SectionList *list;
    const Section *s;
    ChanOut *saves, *loads, *taken;
} Random;

static bool there_and_back(const Random *r, const void *state, Wire wire, GError **error)
{
    g_autoptr(SectionLoad) load = section_load_new(r->list);
    int version = r->s->desc->version;
    ByteOut octets = {0};
    g_autoptr(GError) refused = NULL;

    put_title(r->saves, r->s->name, r->s->instance, version);
    bool ok = encode(r->s->name, r->s->desc, state, wire, r->saves, &octets, error);
    put_title(r->loads, r->s->name, r->s->instance, version);
    if (ok && !load_traced(load, r->s, &(Source){&octets, wire, version, r->s->desc}, r->loads, &refused)) {
        /* a field that must have, or not exceed, the destination's value */
        ok = g_error_matches(refused, FERRY_ERROR, FERRY_ERROR_MISMATCH);
        if (!ok)
            g_propagate_error(error, g_steal_pointer(&refused));
        put_title(r->saves, "refused", 0, 0);
        put_title(r->loads, "refused", 0, 0);
    } else if (ok && wire == WIRE_POSITION && section_load_check(load, NULL)) {
        byte_out_done(&octets);
        octets = (ByteOut){0};
        put_title(r->taken, r->s->name, r->s->instance, version);
        ok = encode(r->s->name, r->s->desc, section_load_state(load, r->s), wire, r->taken, &octets, error);
    }
    byte_out_done(&octets);
    return ok;
}

static bool do_random(Vm *vm, char **a, GError **error)
{
    GRand *rand = g_rand_new_with_seed((guint32)strtoul(a[0], NULL, 10));
    g_autoptr(ChanOut) saves = trace_open(a[1], error), loads = trace_open(a[2], error),
                       taken = trace_open(a[3], error);
    Random r = {.list = machine_of(vm)->sections, .saves = saves, .loads = loads, .taken = taken};
    bool ok = saves && loads && taken;

    for (size_t i = 0; ok && i < section_list_length(r.list); i++) {
        r.s = section_list_get(r.list, i);
        void *state = random_state(r.s, rand);
        ok = there_and_back(&r, state, WIRE_POSITION, error) && there_and_back(&r, state, WIRE_BER, error) &&
             there_and_back(&r, state, WIRE_BER_NAME, error);
        vms_state_free(r.s->desc, state);
    }
    g_rand_free(rand);
    return ok && chan_out_finish(saves, error) && chan_out_finish(loads, error) && chan_out_finish(taken, error);
}

/* --- what there is ---------------------------------------------------------------------------------------------- */

static bool list_fields(ChanOut *out, const char *prefix, const VMStateDescription *desc, const void *state);

/* As it would be visited, if nothing stood in the way: no condition, all elements. */
static bool list_value(ChanOut *out, const char *prefix, const VMStateDescription *desc, const VMStateField *f,
                       const void *state)
{
    VMStateField fields[2] = {*f, {.name = NULL}};
    const VMStateDescription alone = {.name = desc->name, .version = desc->version, .fields = fields};
    g_autofree char *title = g_strdup_printf("%% %s.%s\n", prefix, vms_field_label(desc, f));
    g_autoptr(Visitor) v = text_out_new(out, prefix, false);

    chan_out_put(out, title, strlen(title));
    fields[0].label = vms_field_label(desc, f);
    fields[0].present = NULL;
    fields[0].presence = 0;
    fields[0].flags = 0;
    fields[0].since = 0;
    if (f->pointer)
        return true; /* how many there are nobody knows */
    fields[0].counted_by = NULL;
    vmstate_save(v, &alone, state);
    return visit_finish(v, NULL);
}

static bool list_field(ChanOut *out, const char *prefix, const VMStateDescription *desc, const VMStateField *f,
                       const void *state)
{
    const char *label = vms_field_label(desc, f);

    if (f->kind == VMS_UNUSED)
        return true; /* octets of the wire, not of the machine */
    if (f->kind != VMS_STRUCT || f->shape)
        return list_value(out, prefix, desc, f, state);
    for (size_t i = 0; i < (f->pointer ? 0 : f->count); i++) {
        g_autofree char *inner = vms_is_array(f)
                                     ? g_strdup_printf("%s.%s(%zu)(%zu).[%zu]", prefix, label, f->count, f->size, i)
                                     : g_strdup_printf("%s.%s", prefix, label);
        if (!list_fields(out, inner, f->desc, (const char *)state + f->offset + i * f->size))
            return false;
    }
    if (!f->pointer)
        return true;
    g_autofree char *inner = g_strdup_printf("%s.%s(0)(%zu).[0]", prefix, label, f->size);
    void *empty = vms_state_new(f->desc);
    bool ok = list_fields(out, inner, f->desc, empty);
    vms_state_free(f->desc, empty);
    return ok;
}

static bool list_fields(ChanOut *out, const char *prefix, const VMStateDescription *desc, const void *state)
{
    for (const VMStateField *f = desc->fields; f->name; f++)
        if (!list_field(out, prefix, desc, f, state))
            return false;
    for (const VMStateSubsection *sub = vms_subsections(desc); sub->desc; sub++) {
        g_autofree char *inner = g_strdup_printf("%s.%s", prefix, sub->desc->name);
        if (!list_fields(out, inner, sub->desc, state))
            return false;
    }
    return true;
}

static bool do_fields(Vm *vm, char **a, GError **error)
{
    const SectionList *list = machine_of(vm)->sections;
    g_autoptr(ChanOut) out = trace_open(a[0], error);

    for (size_t i = 0; out && i < section_list_length(list); i++) {
        const Section *s = section_list_get(list, i);
        put_title(out, s->name, s->instance, s->desc->version);
        if (!list_fields(out, "", s->desc, s->reset_state ? s->reset_state : s->state)) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s cannot be listed", s->name);
            return false;
        }
    }
    return out && chan_out_finish(out, error);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static void message(void *opaque, const char *text)
{
    (void)opaque;
    fprintf(stderr, "tracer: %s\n", text);
}

static bool obey(Vm *vm, const char *command, GError **error)
{
    static const struct {
        const char *name;
        guint arguments;
        bool (*act)(Vm *vm, char **arguments, GError **error);
    } commands[] = {{"fields=", 1, do_fields}, {"load=", 2, do_load}, {"peek=", 2, do_peek},
                    {"save=", 2, do_save},     {"ber=", 2, do_ber},   {"random=", 4, do_random}};

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (!g_str_has_prefix(command, commands[i].name))
            continue;
        g_auto(GStrv) arguments = g_strsplit(command + strlen(commands[i].name), ",", -1);
        if (g_strv_length(arguments) != commands[i].arguments)
            break;
        if (commands[i].act(vm, arguments, error))
            return true;
        g_prefix_error(error, "%s: ", command);
        return false;
    }
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "unknown command, or wrong arguments: %s", command);
    return false;
}

static bool run(char **commands, char **options, GError **error)
{
    const VmEvents events = {.message = message};
    g_autoptr(Options) o = options_parse((const char *const *)options, vm_device_types(), error);

    if (!o)
        return false;
    g_autoptr(Vm) vm = vm_new(o, &events, g_main_context_default(), error);
    if (!vm)
        return false;
    for (char **c = commands; strcmp(*c, "--") != 0; c++)
        if (!obey(vm, *c, error))
            return false;
    return true;
}

int main(int argc, char **argv)
{
    GError *error = NULL;
    int options = 1;

    while (options < argc && strcmp(argv[options], "--") != 0)
        options++;
    if (options == argc) {
        fprintf(stderr, "usage: tracer COMMAND... -- OPTIONS OF FERRY (see tracer.c)\n");
        return 2;
    }
    if (run(argv + 1, argv + options + 1, &error))
        return EXIT_SUCCESS;
    fprintf(stderr, "tracer: %s\n", error->message);
    g_error_free(error);
    return EXIT_FAILURE;
}
