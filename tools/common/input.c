/* input.c: finds out what a file is, and reads it. */
#include "tools/common/input.h"

#include <string.h>
#include <unistd.h>

#include "tools/common/cli.h"
#include "tools/common/snapshot.h"
#include "vmstate/berstream-load.h"
#include "vmstate/channel-load.h"
#include "vmstate/stream-load.h"

enum {
    LOOK = 64 << 10, /* octets that tell what a file is */
    LAYERS_MAX = 4,  /* packed in packed in packed */
};

/* A file on the way to being a stream. */
typedef struct Opening {
    Input *input;
    Chan *chan;
    uint64_t start; /* where what we look at starts in the channel; one that cannot seek stands there */
    uint8_t *look;
    size_t got;
} Opening;

/* Reads what stands at `start`. */
static bool look_at(Opening *o, GError **error)
{
    if (chan_can_seek(o->chan) && !chan_seek(o->chan, o->start, error))
        return false;
    gssize got = chan_read_full(o->chan, o->look, LOOK, error);
    o->got = got < 0 ? 0 : (size_t)got;
    if (!chan_can_seek(o->chan))
        o->chan = chan_unread_new(o->chan, o->look, o->got);
    return got >= 0;
}

/* Goes on to what stands `n` octets further, as far as the channel goes. */
static bool step_over(Opening *o, uint64_t n, GError **error)
{
    o->start += n;
    while (n && !chan_can_seek(o->chan)) {
        gssize got = chan_read_full(o->chan, o->look, (size_t)MIN(n, LOOK), error);
        if (got <= 0)
            return got == 0;
        n -= (uint64_t)got;
    }
    return true;
}

static bool take_libvirt(Opening *o, LibvirtSave *save, uint64_t size, GError **error)
{
    o->input->libvirt = save;
    if (strcmp(save->packed, "lzop") == 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "the stream is packed with lzop: unpack it first (tail -c +%" G_GUINT64_FORMAT " FILE | lzop -d)",
                    o->start + size + 1);
        return false;
    }
    return step_over(o, size, error);
}

/* Takes off what is around a stream: a libvirt header, packing. *again: there was something. */
static bool unwrap(Opening *o, bool *again, GError **error)
{
    GError *wrong = NULL;
    uint64_t size = 0;
    LibvirtSave *save = o->input->libvirt ? NULL : libvirt_save_parse(o->look, o->got, &size, &wrong);

    *again = true;
    if (wrong) {
        g_propagate_error(error, wrong);
        return false;
    }
    if (save)
        return take_libvirt(o, save, size, error);
    PackFormat packed = chan_pack_format(o->look, o->got);
    *again = packed != PACK_NONE;
    if (packed == PACK_NONE)
        return true;
    o->input->packed = packed;
    if (chan_can_seek(o->chan) && !chan_seek(o->chan, o->start, error))
        return false;
    o->chan = chan_unpack_new(o->chan, packed);
    o->start = 0;
    return true;
}

static bool not_a_stream(const Opening *o, GError **error)
{
    g_autofree char *shown = bytes_show(o->look, MIN(o->got, 16));

    if (o->got == 0)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT, "the file is empty");
    else if (o->got >= 4 && memcmp(o->look, "QFI\xfb", 4) == 0)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "this is a qcow2 image: it can be read only from a file, and not packed");
    else
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "this is no VM state: it starts with \"%s\" (a QEMU stream starts with \"QEVM\")", shown);
    return false;
}

static bool classify(Opening *o, StreamKind kind, GError **error)
{
    Input *input = o->input;

    if (kind != STREAM_KINDS) {
        input->format = INPUT_QEMUFILE;
        input->kind = kind;
        return true;
    }
    if (berstream_probe(o->look, o->got)) {
        input->format = INPUT_BER;
        return true;
    }
    input->format = INPUT_QEMUFILE;
    input->kind = STREAM_MACHINE;
    if (o->got >= 4 && memcmp(o->look, "QEVM", 4) == 0)
        return true;
    input->kind = channel_probe(o->look, o->got, o->got < LOOK);
    return input->kind != STREAM_KINDS || not_a_stream(o, error);
}

/* The description of a QEMUFile stands at its end, and is wanted first. */
static bool needs_trailer(const Input *input)
{
    return input->format == INPUT_QEMUFILE && input->kind == STREAM_MACHINE;
}

static void spool_tick(uint64_t done, void *data)
{
    (void)data;
    cli_progress_tick("copying", done, -1);
}

static bool find_trailer(Opening *o, GError **error)
{
    if (!chan_can_seek(o->chan)) {
        o->chan = chan_spool(o->chan, o->start, spool_tick, NULL, error);
        cli_progress_end();
    }
    return o->chan && trailer_find(o->chan, o->start, &o->input->trailer, error);
}

static bool open_layers(Opening *o, StreamKind kind, GError **error)
{
    bool again = true;

    for (int layers = 0; again; layers++) {
        if (layers > LAYERS_MAX) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "the file is packed more than %d times over",
                        LAYERS_MAX);
            return false;
        }
        if (!look_at(o, error) || !unwrap(o, &again, error))
            return false;
    }
    return classify(o, kind, error) && (!needs_trailer(o->input) || find_trailer(o, error)) &&
           (!chan_can_seek(o->chan) || chan_seek(o->chan, o->start, error));
}

Input *input_open_chan(Chan *chan, const char *path, StreamKind kind, bool digest, GError **error)
{
    g_autoptr(Input) input = g_new0(Input, 1);
    Opening o = {.input = input, .chan = chan};

    input->path = g_strdup(path);
    o.look = g_malloc(LOOK);
    bool ok = open_layers(&o, kind, error);
    g_free(o.look);
    if (!ok) {
        chan_free(o.chan);
        g_prefix_error(error, "%s: ", path);
        return NULL;
    }
    input->start = o.start;
    chan = cli_progress_new(o.chan, "reading");
    if (digest)
        chan = input->digest = chan_digest_new(chan);
    input->in = chan_in_new(chan, o.start);
    return g_steal_pointer(&input);
}

Input *input_open(const char *path, const char *snapshot, StreamKind kind, bool digest, GError **error)
{
    bool standard = strcmp(path, "-") == 0;

    if (snapshot || (!standard && snapshot_is_image(path))) {
        g_autofree char *name = NULL;
        Chan *state = snapshot_chan_open(path, snapshot, &name, error);
        return state ? input_open_chan(state, name, kind, digest, error) : NULL;
    }
    Chan *chan = standard ? chan_fd_new(dup(STDIN_FILENO)) : chan_file_open(path, error);

    return chan ? input_open_chan(chan, standard ? "standard input" : path, kind, digest, error) : NULL;
}

void input_free(Input *input)
{
    if (!input)
        return;
    g_clear_pointer(&input->in, chan_in_free);
    trailer_clear(&input->trailer);
    g_free(input->libvirt);
    g_free(input->path);
    g_free(input);
}

bool input_load(Input *input, const Schema *borrowed, StreamSink *sink, GError **error)
{
    StreamSource source = {.kind = input->kind, .trailer = &input->trailer, .borrowed = borrowed};
    bool ok;

    if (input->format == INPUT_BER)
        ok = berstream_load(input->in, borrowed, sink, error);
    else if (input->kind == STREAM_MACHINE || input->kind == STREAM_RECOVERY)
        ok = stream_load(input->in, &source, sink, error);
    else
        ok = channel_load(input->in, input->kind, sink, error);
    if (!ok)
        g_prefix_error(error, "%s: ", input->path);
    return ok;
}

StreamKind input_kind(const char *name)
{
    if (!name)
        return STREAM_KINDS;
    for (int kind = 0; kind < STREAM_KINDS; kind++)
        if (strcmp(stream_kind_name((StreamKind)kind), name) == 0)
            return (StreamKind)kind;
    cli_usage("--channel-kind takes machine, multifd, preempt, recovery or return-path, not '%s'", name);
}

/* --- only the descriptions -------------------------------------------------------------------------------------- */

Schema *input_schema(const char *path, GError **error)
{
    g_autoptr(Input) input = input_open(path, NULL, STREAM_KINDS, false, error);

    if (!input)
        return NULL;
    if (input->format == INPUT_BER)
        return berstream_load_schema(input->in, error);
    if (!input->trailer.text) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "%s: the stream has no description", input->path);
        return NULL;
    }
    g_autoptr(Schema) schema = schema_new();
    if (!trailer_parse(schema, input->trailer.text, input->trailer.len, input->trailer.start + 5, error)) {
        g_prefix_error(error, "%s: ", input->path);
        return NULL;
    }
    return g_steal_pointer(&schema);
}
