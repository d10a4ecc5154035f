/*
 * stream-load.c: reads a QEMUFile stream.
 *
 * The frame only; what is inside is read by ram-load.c, live.c and stream-device.c. Source: vmstate/FORMAT.md part 1.
 */
#include "vmstate/stream-load.h"

#include <string.h>

#include "vmstate/configuration.h"
#include "vmstate/live.h"
#include "vmstate/ram-load.h"
#include "vmstate/stream-load-impl.h"

enum {
    MARK_EOF = 0x00,
    MARK_START = 0x01,
    MARK_PART = 0x02,
    MARK_END = 0x03,
    MARK_FULL = 0x04,
    MARK_VMDESCRIPTION = 0x06,
    MARK_CONFIGURATION = 0x07,
    MARK_COMMAND = 0x08,
    MARK_FOOTER = 0x7e,
};

enum {
    QEMUFILE_MAGIC = 0x5145564d,
    QEMUFILE_VERSION = 3,
    RAM_VERSION = 4,
    PACKAGE_MAX = 32 << 20,
    PEEK_MAX = 1 << 20,
    RESIDUE_PIECE = 256 << 10,
};

bool stream_fail(const StreamLoad *l, GError **error, FerryError code, const char *what, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, (int)code, "%s @0x%" G_GINT64_MODIFIER "x: %s", what, l->element, text);
    return false;
}

/* After reads that may have gone past the end: false, with an error that names what was read. */
static bool complete(StreamLoad *l, const char *what, GError **error)
{
    if (!chan_in_failed(l->in))
        return true;
    chan_in_error(l->in, error, "%s @0x%" G_GINT64_MODIFIER "x", what, l->element);
    return false;
}

static void start_element(StreamLoad *l)
{
    l->element = l->residue = chan_in_tell(l->in);
    chan_in_pin(l->in);
}

char *stream_section_title(const char *name, uint32_t instance)
{
    return instance ? g_strdup_printf("%s[%u]", name, instance) : g_strdup(name);
}

/* --- footers ---------------------------------------------------------------------------------------------------- */

bool stream_take_footer(StreamLoad *l, uint32_t id, const char *title, GError **error)
{
    if (!l->footers)
        return true;
    size_t got;
    const uint8_t *p = chan_in_peek(l->in, 5, &got);
    if (got && p[0] != MARK_FOOTER)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, title,
                           "no footer at 0x%" G_GINT64_MODIFIER "x, but octet 0x%02x", chan_in_tell(l->in), p[0]);
    if (got == 5 && load_be32(p + 1) != id)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, title,
                           "the footer at 0x%" G_GINT64_MODIFIER "x is of section id %u, not %u", chan_in_tell(l->in),
                           load_be32(p + 1), id);
    chan_in_take(l->in, 5);
    return complete(l, title, error);
}

static const StreamSinkOps nobody = {.header = NULL};

/* Is there a footer behind the first section? Reads it from a copy of the buffer, so that nothing is consumed. */
static bool detect_footers(ChanIn *stream, bool otherwise)
{
    StreamSink sink = {.ops = &nobody};
    uint64_t record;
    size_t got;
    const uint8_t *p = chan_in_peek(stream, PEEK_MAX, &got);
    g_autoptr(ChanIn) in = chan_in_new_memory(p, got, 0);
    uint8_t mark = chan_in_u8(in);
    bool read = false;

    while (mark == MARK_COMMAND) {
        chan_in_skip(in, 2);
        chan_in_skip(in, chan_in_be16(in));
        mark = chan_in_u8(in);
    }
    chan_in_skip(in, 4);
    size_t len = chan_in_u8(in);
    const uint8_t *text = chan_in_take(in, len);
    g_autofree char *name = text ? g_strndup((const char *)text, len) : g_strdup("");
    chan_in_skip(in, 8);
    if (mark == MARK_START && strcmp(name, "ram") == 0) {
        RamLoad *ram = g_new(RamLoad, 1);
        ram_load_init(ram, in, &sink, false);
        read = ram_load_body(ram, NULL);
        ram_load_done(ram);
        g_free(ram);
    } else if (mark == MARK_START && live_is_known(name)) {
        read = live_load_body(in, name, &sink, &record, NULL);
    }
    p = chan_in_peek(in, 1, &got);
    return read && got ? p[0] == MARK_FOOTER : otherwise;
}

/* --- the beginning ---------------------------------------------------------------------------------------------- */

static bool read_magic(StreamLoad *l, GError **error)
{
    uint32_t magic = chan_in_be32(l->in), version = chan_in_be32(l->in);

    if (!complete(l, "header", error))
        return false;
    if (magic != QEMUFILE_MAGIC)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, "header", "the magic is 0x%08x, not 0x%08x (\"QEVM\")", magic,
                           QEMUFILE_MAGIC);
    if (version != QEMUFILE_VERSION)
        return stream_fail(l, error, FERRY_ERROR_UNSUPPORTED, "header",
                           "the stream has version %u, this program reads %d", version, QEMUFILE_VERSION);
    return true;
}

/* The configuration section, if there is one. */
static bool read_configuration(StreamLoad *l, GError **error)
{
    size_t got;
    const uint8_t *p = chan_in_peek(l->in, 1, &got);

    if (got == 0 || p[0] != MARK_CONFIGURATION)
        return true;
    start_element(l);
    chan_in_u8(l->in);
    StreamSection s = {
        .name = "configuration", .version = configuration_state.version, .configuration = true, .offset = l->element};
    SchemaSection section = {.name = s.name, .version = s.version, .desc = &configuration_state, .octets = -1};
    if (!schema_add_section(l->schema, &section, error))
        return false;
    l->has_configuration = true;
    s.body = chan_in_tell(l->in);
    g_autoptr(Visitor) v = qemufile_in_new(l->in, s.name);
    vmstate_load(v, &configuration_state, &l->configuration, s.version, NULL);
    if (!visit_finish(v, error))
        return false;
    l->configuration_octets = chan_in_tell(l->in) - s.body;
    return true;
}

/* Tells the sink of the configuration, once header and schema have been told. */
static bool tell_configuration(StreamLoad *l, GError **error)
{
    uint64_t body = l->element + 1;
    StreamSection s = {
        .name = "configuration",
        .version = configuration_state.version,
        .configuration = true,
        .offset = l->element,
        .body = body,
        .desc = &configuration_state,
        .state = &l->configuration,
        .len = l->configuration_octets,
    };
    return SINK(l->sink, section, &s, error);
}

static bool tell_header(StreamLoad *l, GError **error)
{
    const Configuration *c = &l->configuration;
    g_autofree char *machine = l->has_configuration ? bytes_show(c->name, c->len) : NULL;
    StreamHeader header = {
        .kind = l->source->kind,
        .format = "qemufile",
        .machine = machine,
        .has_uuid = c->has_uuid,
        .from_qemufile = true,
        .footers = l->footers,
    };

    memcpy(header.uuid, c->uuid, sizeof header.uuid);
    return SINK(l->sink, header, &header, error);
}

/* A description that cannot be read is reported at the end; the octets of the devices are still there. */
static void read_trailer_ahead(StreamLoad *l)
{
    const Trailer *t = l->source->trailer;

    if (!t || !t->text)
        return;
    size_t before = schema_section_count(l->schema);
    if (!trailer_parse(l->schema, t->text, t->len, t->start + 5, &l->trailer_error))
        l->described = before;
    else
        l->described = schema_section_count(l->schema);
}

static bool read_beginning(StreamLoad *l, GError **error)
{
    start_element(l);
    if (l->source->kind == STREAM_MACHINE && (!read_magic(l, error) || !read_configuration(l, error)))
        return false;
    l->footers = l->has_configuration || l->source->kind == STREAM_RECOVERY;
    if (!l->source->live)
        l->footers = detect_footers(l->in, l->footers);
    l->ram->blocks.addressed = configuration_has(&l->configuration, "x-ignore-shared");
    read_trailer_ahead(l);
    return tell_header(l, error) && SINK(l->sink, schema, l->schema, 0, error) &&
           (!l->has_configuration || tell_configuration(l, error));
}

/* --- live sections ---------------------------------------------------------------------------------------------- */

static bool is_live(const void *data, uint32_t id)
{
    return g_hash_table_contains(((const StreamLoad *)data)->live, GUINT_TO_POINTER(id));
}

/* The body of a live section of a kind we do not know: its end is searched. */
static bool read_unknown_body(StreamLoad *l, const StreamSlice *slice, GError **error)
{
    StreamScan scan = {.id = slice->id, .footers = l->footers, .is_live = is_live, .data = l};
    uint64_t body = chan_in_tell(l->in);
    size_t len;

    if (!stream_scan_body(l->in, &scan, &len))
        return stream_fail(l, error, FERRY_ERROR_UNSUPPORTED, slice->name,
                           "a live section of an unknown kind, whose end cannot be found");
    return live_emit(l->sink, body, chan_in_take(l->in, len), len, error);
}

static bool read_slice_body(StreamLoad *l, const StreamSlice *slice, GError **error)
{
    bool ok;

    if (strcmp(slice->name, "ram") == 0) {
        chan_in_unpin(l->in);
        ok = ram_load_body(l->ram, error) && SINK(l->sink, ram_end, error);
        l->residue = l->ram->record;
        return ok;
    }
    if (live_is_known(slice->name)) {
        chan_in_unpin(l->in);
        ok = live_load_body(l->in, slice->name, l->sink, &l->residue, error);
        if (ok) {
            l->residue = chan_in_tell(l->in);
            chan_in_pin(l->in);
        }
        return ok;
    }
    ok = read_unknown_body(l, slice, error);
    l->residue = ok ? chan_in_tell(l->in) : l->residue;
    return ok;
}

static bool read_slice(StreamLoad *l, const StreamSlice *slice, GError **error)
{
    if (strcmp(slice->name, "ram") == 0 && slice->version != RAM_VERSION)
        return stream_fail(l, error, FERRY_ERROR_UNSUPPORTED, "ram",
                           "the section has version %d, this program reads %d", slice->version, RAM_VERSION);
    return SINK(l->sink, slice_start, slice, error) && read_slice_body(l, slice, error) &&
           stream_take_footer(l, slice->id, slice->name, error) && SINK(l->sink, slice_end, error);
}

static void free_slice(void *data)
{
    StreamSlice *slice = data;

    g_free((char *)slice->name);
    g_free(slice);
}

static bool start_live(StreamLoad *l, StreamSlice *slice, GError **error)
{
    StreamSlice *kept = g_memdup2(slice, sizeof *slice);

    kept->name = g_strdup(slice->name);
    g_hash_table_replace(l->live, GUINT_TO_POINTER(slice->id), kept);
    return read_slice(l, slice, error);
}

static bool continue_live(StreamLoad *l, SliceKind kind, GError **error)
{
    uint32_t id = chan_in_be32(l->in);
    /* a recovery channel goes on with what was started on the one that broke: RAM is all it can be */
    StreamSlice slice = {.id = id, .name = "ram", .version = RAM_VERSION};

    if (!complete(l, "section", error))
        return false;
    const StreamSlice *started = g_hash_table_lookup(l->live, GUINT_TO_POINTER(id));
    if (!started && l->source->kind != STREAM_RECOVERY)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, "section", "a %s of section id %u, which was not started",
                           kind == SLICE_PART ? "part" : "end", id);
    if (started)
        slice = *started;
    slice.kind = kind;
    slice.offset = l->element;
    return read_slice(l, &slice, error);
}

/* START and FULL: what is it? */
static bool read_section(StreamLoad *l, SliceKind kind, GError **error)
{
    uint32_t id = chan_in_be32(l->in);
    size_t len = chan_in_u8(l->in);
    const uint8_t *text = chan_in_take(l->in, len);
    g_autofree char *shown = text && len ? bytes_show(text, len) : g_strdup("section");
    uint32_t instance = chan_in_be32(l->in), version = chan_in_be32(l->in);

    if (!complete(l, shown, error))
        return false;
    if (len == 0 || strlen(shown) != len)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, "section", "\"%s\" is no section's name", len ? shown : "");
    if (version > G_MAXINT32)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, shown, "version 0x%x is none", version);
    StreamSlice slice = {
        .kind = kind, .id = id, .name = shown, .instance = instance, .version = (int)version, .offset = l->element};
    if (kind == SLICE_START || strcmp(shown, "ram") == 0 || live_is_known(shown))
        return start_live(l, &slice, error);
    return stream_read_device(l, &slice, error);
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static bool check_command(StreamLoad *l, const StreamCommand *c, GError **error)
{
    static const int lengths[] = {
        [STREAM_OPEN_RETURN_PATH] = 0, [STREAM_PING] = 4,         [STREAM_POSTCOPY_LISTEN] = 0,
        [STREAM_POSTCOPY_RUN] = 0,     [STREAM_PACKAGED] = 4,     [STREAM_ENABLE_COLO] = 0,
        [STREAM_POSTCOPY_RESUME] = 0,  [STREAM_RECV_BITMAP] = -1, [STREAM_POSTCOPY_RAM_DISCARD] = -1,
        [STREAM_POSTCOPY_ADVISE] = -1,
    };
    const char *name = stream_command_name(c->id);

    if (!name)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, "command", "there is no command %u", c->id);
    if (lengths[c->id] >= 0 && (size_t)lengths[c->id] != c->len)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, name, "the command has %zu octets, not %d", c->len,
                           lengths[c->id]);
    if (c->id == STREAM_POSTCOPY_ADVISE && c->len != 0 && c->len != 16)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, name, "the command has %zu octets, not 0 or 16", c->len);
    return true;
}

static bool open_package(StreamLoad *l, const StreamCommand *c, GError **error)
{
    uint32_t len = load_be32(c->payload);

    if (l->package_end)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, "PACKAGED", "a package inside a package");
    if (len > PACKAGE_MAX)
        return stream_fail(l, error, FERRY_ERROR_LIMIT, "PACKAGED", "the package has %u octets, at most %d are allowed",
                           len, PACKAGE_MAX);
    l->package_end = chan_in_tell(l->in) + len;
    return true;
}

static bool read_command(StreamLoad *l, GError **error)
{
    StreamCommand c = {.offset = l->element};

    c.id = chan_in_be16(l->in);
    c.len = chan_in_be16(l->in);
    c.payload = chan_in_take(l->in, c.len);
    if (!complete(l, "command", error) || !check_command(l, &c, error) || !SINK(l->sink, command, &c, error))
        return false;
    if (c.id == STREAM_POSTCOPY_ADVISE && c.len == 16)
        l->ram->page_sizes = load_be64(c.payload);
    return c.id != STREAM_PACKAGED || open_package(l, &c, error);
}

/* --- elements and the end --------------------------------------------------------------------------------------- */

static bool read_element(StreamLoad *l, bool *end, GError **error)
{
    start_element(l);
    uint8_t mark = chan_in_u8(l->in);

    if (!complete(l, "the next section, or the end mark", error))
        return false;
    switch (mark) {
    case MARK_EOF:
        *end = true;
        return true;
    case MARK_START:
    case MARK_FULL:
        return read_section(l, (SliceKind)mark, error);
    case MARK_PART:
    case MARK_END:
        return continue_live(l, (SliceKind)mark, error);
    case MARK_COMMAND:
        return read_command(l, error);
    default:
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, "section", "octet 0x%02x starts no section", mark);
    }
}

static bool check_package(StreamLoad *l, GError **error)
{
    uint64_t here = chan_in_tell(l->in);

    if (l->package_end && here > l->package_end)
        return stream_fail(l, error, FERRY_ERROR_DAMAGED, "PACKAGED",
                           "an element goes past the package's end at 0x%" G_GINT64_MODIFIER "x", l->package_end);
    if (here == l->package_end)
        l->package_end = 0;
    return true;
}

/* The description, where it should be. */
static bool read_trailer(StreamLoad *l, GError **error)
{
    StreamTrailer trailer = {.offset = l->element};
    size_t got;
    const uint8_t *p = chan_in_peek(l->in, 1, &got);

    if (got == 0 || p[0] != MARK_VMDESCRIPTION)
        return SINK(l->sink, eof, &trailer, error);
    chan_in_u8(l->in);
    trailer.present = true;
    trailer.len = chan_in_be32(l->in);
    if (!complete(l, "JSON description", error))
        return false;
    if (trailer.len > TRAILER_MAX)
        return stream_fail(l, error, FERRY_ERROR_LIMIT, "JSON description", "it has %zu octets, at most %d are allowed",
                           trailer.len, TRAILER_MAX);
    trailer.text = (const char *)chan_in_take(l->in, trailer.len);
    return complete(l, "JSON description", error) && SINK(l->sink, eof, &trailer, error);
}

static bool tell_rest(StreamLoad *l, GError **error)
{
    size_t got;
    const uint8_t *p;

    while (p = chan_in_peek(l->in, RESIDUE_PIECE, &got), got) {
        if (!SINK(l->sink, residue, false, p, got, error))
            return false;
        chan_in_take(l->in, got);
    }
    return true;
}

static bool read_end(StreamLoad *l, GError **error)
{
    StreamEnd end = {.complete = true};

    if (!read_trailer(l, error))
        return false;
    chan_in_unpin(l->in);
    if (!l->source->live && !tell_rest(l, error))
        return false;
    end.offset = chan_in_tell(l->in);
    if (!SINK(l->sink, end, &end, error))
        return false;
    if (l->trailer_error) {
        g_propagate_error(error, g_steal_pointer(&l->trailer_error));
        return false;
    }
    return true;
}

/* The input is cut, and *error says so: what is left goes to the sink as it is. */
static void tell_cut(StreamLoad *l, GError **error)
{
    StreamEnd end = {.complete = false};
    GError *later = NULL;
    size_t got;

    chan_in_rewind(l->in, l->residue);
    const uint8_t *p = chan_in_peek(l->in, G_MAXINT32, &got);
    end.offset = l->residue + got;
    if (!SINK(l->sink, residue, true, p, got, &later) || !SINK(l->sink, end, &end, &later)) {
        g_clear_error(error);
        g_propagate_error(error, later);
    }
}

static bool read_elements(StreamLoad *l, GError **error)
{
    bool end = false;

    while (!end)
        if (!read_element(l, &end, error) || !check_package(l, error))
            return false;
    return read_end(l, error);
}

bool stream_load(ChanIn *in, const StreamSource *source, StreamSink *sink, GError **error)
{
    StreamLoad l = {.in = in, .source = source, .sink = sink};
    GError *wrong = NULL;

    l.schema = schema_new();
    l.ram = g_new(RamLoad, 1);
    ram_load_init(l.ram, in, sink, false);
    l.live = g_hash_table_new_full(NULL, NULL, NULL, free_slice);
    l.seen = g_hash_table_new_full(bytes_hash_text, g_str_equal, g_free, NULL);
    l.scan = (StreamScan){.is_live = is_live, .data = &l};

    bool began = read_beginning(&l, &wrong);
    if (began)
        read_elements(&l, &wrong);
    if (began && g_error_matches(wrong, FERRY_ERROR, FERRY_ERROR_CUT) && chan_in_failed(in))
        tell_cut(&l, &wrong);

    vms_state_done(&configuration_state, &l.configuration);
    g_hash_table_unref(l.seen);
    g_hash_table_unref(l.live);
    ram_load_done(l.ram);
    g_free(l.ram);
    schema_unref(l.schema);
    g_clear_error(&l.trailer_error);
    if (wrong)
        g_propagate_error(error, wrong);
    return !wrong;
}
