/* recordings.c: the recorded streams in traces/, and conversions between formats in memory. */
#include "tests/support/recordings.h"

#include <string.h>

#include "visitors/chan.h"
#include "vmstate/berstream-load.h"
#include "vmstate/berstream-save.h"
#include "vmstate/channel-load.h"
#include "vmstate/stream-load.h"
#include "vmstate/stream-save.h"

static void read_all(Chan *chan, ByteOut *out)
{
    GError *error = NULL;
    gssize n;

    do {
        uint8_t *room = byte_out_room(out, 1 << 16);
        n = chan_read_full(chan, room, 1 << 16, &error);
        out->len -= (1 << 16) - (size_t)MAX(n, 0);
    } while (n > 0);
    if (error)
        g_error("%s", error->message);
}

void recording_read(const char *name, ByteOut *out)
{
    g_autofree char *path = g_strdup_printf("traces/%s.xz", name);
    GError *error = NULL;
    Chan *file = chan_file_open(path, &error);

    if (!file)
        g_error("%s (tests run from the root of the project)", error->message);
    g_autoptr(Chan) chan = chan_unpack_new(file, PACK_XZ);
    read_all(chan, out);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **recording_names(void)
{
    GPtrArray *names = g_ptr_array_new();
    GDir *dir = g_dir_open("traces", 0, NULL);
    const char *entry;

    while (dir && (entry = g_dir_read_name(dir)))
        if (g_str_has_suffix(entry, ".xz") && !g_str_has_suffix(entry, ".dump.xz") &&
            !g_str_has_suffix(entry, ".qcow2.xz"))
            g_ptr_array_add(names, g_strndup(entry, strlen(entry) - 3));
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(names, by_name);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

StreamKind recording_kind(const char *name)
{
    if (g_str_has_suffix(name, ".returnpath"))
        return STREAM_RETURN_PATH;
    if (!strstr(name, ".chan"))
        return STREAM_MACHINE;
    if (strstr(name, "multifd"))
        return STREAM_MULTIFD;
    return strstr(name, "recover") ? STREAM_RECOVERY : STREAM_PREEMPT;
}

static bool load_qemufile(const ByteOut *in, StreamKind kind, StreamSink *sink, GError **error)
{
    Trailer trailer = {.text = NULL};
    StreamSource source = {.kind = kind, .trailer = &trailer};

    if (kind == STREAM_MACHINE) {
        g_autoptr(Chan) seekable = chan_mem_new(in->data, in->len);
        if (!trailer_find(seekable, 0, &trailer, error))
            return false;
    }
    g_autoptr(ChanIn) reader = chan_in_new(chan_mem_new(in->data, in->len), 0);
    bool ok = kind == STREAM_MACHINE || kind == STREAM_RECOVERY ? stream_load(reader, &source, sink, error)
                                                                : channel_load(reader, kind, sink, error);
    trailer_clear(&trailer);
    return ok;
}

bool load_stream(const ByteOut *in, StreamKind kind, StreamSink *sink, GError **error)
{
    if (!berstream_probe(in->data, in->len))
        return load_qemufile(in, kind, sink, error);
    g_autoptr(ChanIn) reader = chan_in_new(chan_mem_new(in->data, in->len), 0);
    return berstream_load(reader, NULL, sink, error);
}

/* The digest of the input must be known before the sink asks for it; so the input is read through it once before. */
bool convert_to_ber(const ByteOut *in, StreamKind kind, bool zstd, ByteOut *out, GError **error)
{
    g_autoptr(Chan) digest = chan_digest_new(chan_mem_new(in->data, in->len));
    g_autofree uint8_t *all = g_malloc(in->len + 1);
    BerstreamOptions options = {.writer = "test", .writer_version = "1", .zstd = zstd, .origin = digest};
    g_autoptr(ChanOut) writer = chan_out_new(chan_buf_new(out));
    StreamSink *sink = berstream_save_new(writer, &options);

    chan_read_full(digest, all, in->len + 1, NULL);
    bool ok = load_qemufile(in, kind, sink, error);
    berstream_save_free(sink);
    return chan_out_finish(writer, ok ? error : NULL) && ok;
}

bool convert_to_qemufile(const ByteOut *in, ByteOut *out, GError **error)
{
    Chan *digest = chan_digest_new(chan_buf_new(out));
    g_autoptr(ChanOut) writer = chan_out_new(digest);
    StreamSink *sink = stream_save_new(writer, digest);
    bool ok = load_stream(in, STREAM_MACHINE, sink, error);

    stream_save_free(sink);
    return chan_out_finish(writer, ok ? error : NULL) && ok;
}

bool same_octets(const ByteOut *a, const ByteOut *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}
