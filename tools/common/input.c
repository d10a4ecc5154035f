/* input.c: finds out what a file is, and reads it. */
#include "tools/common/input.h"

#include <string.h>
#include <unistd.h>

#include "tools/common/cli.h"
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
    uint64_t start; /* where what we look at starts in the channel */
    uint8_t *look;
    size_t got;
} Opening;

static void spool_tick(uint64_t done, void *data)
{
    (void)data;
    cli_progress_tick("copying", done, -1);
}

/* Makes sure that the channel can seek, and reads what stands at `start`. */
static bool look_at(Opening *o, GError **error)
{
    if (!chan_can_seek(o->chan)) {
        o->chan = chan_spool(g_steal_pointer(&o->chan), spool_tick, NULL, error);
        cli_progress_end();
        if (!o->chan)
            return false;
        o->start = 0;
    }
    if (!chan_seek(o->chan, o->start, error))
        return false;
    gssize got = chan_read_full(o->chan, o->look, LOOK, error);
    o->got = got < 0 ? 0 : (size_t)got;
    return got >= 0;
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
    if (save) {
        o->input->libvirt = save;
        o->start += size;
        if (strcmp(save->packed, "lzop") == 0) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                        "the stream is packed with lzop: unpack it first (tail -c +%" G_GUINT64_FORMAT
                        " FILE | lzop -d)",
                        o->start + 1);
            return false;
        }
        return true;
    }
    PackFormat packed = chan_pack_format(o->look, o->got);
    *again = packed != PACK_NONE;
    if (packed == PACK_NONE)
        return true;
    o->input->packed = packed;
    if (!chan_seek(o->chan, o->start, error))
        return false;
    o->chan = chan_unpack_new(g_steal_pointer(&o->chan), packed);
    return true;
}

static bool not_a_stream(const Opening *o, GError **error)
{
    g_autofree char *shown = bytes_show(o->look, MIN(o->got, 16));

    if (o->got == 0)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT, "the file is empty");
    else if (o->got >= 4 && memcmp(o->look, "QFI\xfb", 4) == 0)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "this is a qcow2 image, not a stream");
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
    if (!classify(o, kind, error))
        return false;
    if (o->input->format == INPUT_QEMUFILE && o->input->kind == STREAM_MACHINE &&
        !trailer_find(o->chan, o->start, &o->input->trailer, error))
        return false;
    return chan_seek(o->chan, o->start, error);
}

Input *input_open(const char *path, StreamKind kind, bool digest, GError **error)
{
    g_autoptr(Input) input = g_new0(Input, 1);
    bool standard = strcmp(path, "-") == 0;
    Opening o = {.input = input};

    input->path = g_strdup(standard ? "standard input" : path);
    o.chan = standard ? chan_fd_new(dup(STDIN_FILENO)) : chan_file_open(path, error);
    if (!o.chan)
        return NULL;
    o.look = g_malloc(LOOK);
    bool ok = open_layers(&o, kind, error);
    g_free(o.look);
    if (!ok) {
        chan_free(o.chan);
        g_prefix_error(error, "%s: ", input->path);
        return NULL;
    }
    input->start = o.start;
    Chan *chan = cli_progress_new(o.chan, "reading");
    if (digest)
        chan = input->digest = chan_digest_new(chan);
    input->in = chan_in_new(chan, o.start);
    return g_steal_pointer(&input);
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
        ok = berstream_load(input->in, sink, error);
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
    g_autoptr(Input) input = input_open(path, STREAM_KINDS, false, error);

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
