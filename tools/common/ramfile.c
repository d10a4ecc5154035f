/*
 * ramfile.c: writes RAM to a file, as the pages come.
 *
 * A multifd channel's packets belong between the slices of the main channel: the sender closes every slice with one
 * SYNC on each channel, so at the end of a slice each channel is read up to its next SYNC. Between two of them no page
 * is sent twice. The other kinds of channel (preempt, recovery) carry pages that are newer than all of the main
 * channel.
 */
#include "tools/common/ramfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/input.h"
#include "tools/common/page-set.h"
#include "vmstate/channel-load.h"
#include "vmstate/multifd.h"

enum { IOV_MAX_HERE = 256 };

#define NO_RANGE G_MAXUINT32

struct RamFile {
    StreamSink sink;
    int fd;
    RamFileMap *map;
    void *map_data;
    char *machine;
    RamBlocks blocks; /* by name, over all channels */
    GArray *numbers;  /* of the channel that is read: its block number -> ours */
    GArray *ranges;
    GArray *first_range, *next_range; /* of each block; after each range, of the same block. NO_RANGE: none */
    PageSet *came;                    /* pages of the file */
    GPtrArray *channels;              /* of RamChannel */
    bool in_ram;                      /* the slice that is open is of RAM */
    bool main_done;
};

typedef struct RamChannel {
    RamFile *file;
    Input *input;
    ChannelReader *reader; /* multifd only */
    MultifdUnpack *unpack;
    StreamSink sink;
    bool synced, ended;
} RamChannel;

static RamFile *file_of(StreamSink *sink)
{
    return (RamFile *)sink;
}

static bool fail_io(GError **error, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s the memory image failed: %s", what, g_strerror(errno));
    return false;
}

GArray *ramfile_map_physical(const RamBlocks *blocks, const char *machine, void *data, GError **error)
{
    PhysWish wish = *(const PhysWish *)data;

    wish.machine = machine;
    GArray *ranges = physmap_make(blocks, &wish, error);
    for (guint i = 0; ranges && i < ranges->len; i++) {
        PhysRange *r = &g_array_index(ranges, PhysRange, i);
        r->file = r->address;
    }
    return ranges;
}

GArray *ramfile_map_all(const RamBlocks *blocks, const char *machine, void *data, GError **error)
{
    GArray *ranges = g_array_new(FALSE, TRUE, sizeof(PhysRange));
    uint64_t at = 0;

    (void)machine;
    (void)data;
    (void)error;
    for (guint i = 0; i < blocks->list->len; i++) {
        PhysRange range = {.block = i, .length = ram_block(blocks, i)->length, .file = at};
        g_array_append_val(ranges, range);
        at += (range.length + RAM_PAGE - 1) / RAM_PAGE * RAM_PAGE;
    }
    return ranges;
}

/* --- which pages have come -------------------------------------------------------------------------------------- */

static uint64_t pages_of(const PhysRange *r)
{
    return (r->length + RAM_PAGE - 1) / RAM_PAGE;
}

uint64_t ramfile_missing(const RamFile *f, uint64_t *total, uint64_t *first)
{
    uint64_t lowest = G_MAXUINT64;

    *total = 0;
    for (guint i = 0; f->ranges && i < f->ranges->len; i++) {
        const PhysRange *r = &g_array_index(f->ranges, PhysRange, i);
        uint64_t page = r->file / RAM_PAGE, missing = page_set_first_missing(f->came, page);
        *total += pages_of(r);
        if (missing - page < pages_of(r))
            lowest = MIN(lowest, missing);
    }
    *first = lowest * RAM_PAGE;
    return *total - page_set_count(f->came);
}

/* --- pages ------------------------------------------------------------------------------------------------------ */

/* The range that has this page, NULL if it is not guest memory. */
static const PhysRange *range_of(const RamFile *f, uint32_t block, uint64_t page)
{
    uint64_t offset = page * RAM_PAGE;
    guint i = block < f->first_range->len ? g_array_index(f->first_range, guint, block) : NO_RANGE;

    for (; i != NO_RANGE; i = g_array_index(f->next_range, guint, i)) {
        const PhysRange *r = &g_array_index(f->ranges, PhysRange, i);
        if (offset >= r->start && offset - r->start < r->length)
            return r;
    }
    return NULL;
}

static bool write_pages(RamFile *f, const uint8_t *const *pages, size_t count, uint64_t at, GError **error)
{
    struct iovec iov[IOV_MAX_HERE];

    while (count) {
        int n = (int)MIN(count, IOV_MAX_HERE);
        for (int i = 0; i < n; i++)
            iov[i] = (struct iovec){.iov_base = (void *)pages[i], .iov_len = RAM_PAGE};
        ssize_t done = pwritev(f->fd, iov, n, (off_t)at);
        if (done < RAM_PAGE)
            return fail_io(error, "writing");
        /* a short write is taken up at the page it stopped in */
        size_t whole = (size_t)done / RAM_PAGE;
        pages += whole;
        count -= whole;
        at += whole * RAM_PAGE;
    }
    return true;
}

/* Makes a hole, or, where the file system has none, writes zeros. */
static bool clear_pages(RamFile *f, uint64_t count, uint64_t at, GError **error)
{
    static const uint8_t zeros[RAM_PAGE];

    if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)(count * RAM_PAGE)) == 0)
        return true;
    for (uint64_t i = 0; i < count; i++)
        if (pwrite(f->fd, zeros, RAM_PAGE, (off_t)(at + i * RAM_PAGE)) != RAM_PAGE)
            return fail_io(error, "clearing");
    return true;
}

static bool put_run(RamFile *f, uint32_t block, uint64_t first, uint64_t count, const uint8_t *const *pages,
                    GError **error)
{
    for (uint64_t i = 0; i < count;) {
        const PhysRange *r = range_of(f, block, first + i);
        uint64_t n = 1, offset = (first + i) * RAM_PAGE;
        if (!r) {
            i++;
            continue;
        }
        while (i + n < count && !pages[i + n] == !pages[i] && offset + n * RAM_PAGE - r->start < r->length)
            n++;
        uint64_t at = r->file + (offset - r->start);
        page_set_add(f->came, at / RAM_PAGE, n);
        if (!(pages[i] ? write_pages(f, pages + i, n, at, error) : clear_pages(f, n, at, error)))
            return false;
        i += n;
    }
    return true;
}

/* Our number of a block of the channel that is read. */
static uint32_t number_of(const RamFile *f, uint32_t block)
{
    return block < f->numbers->len ? g_array_index(f->numbers, uint32_t, block) : G_MAXUINT32;
}

static bool file_run(StreamSink *sink, const RamRun *run, GError **error)
{
    RamFile *f = file_of(sink);

    return put_run(f, number_of(f, run->block), run->first, run->count, run->pages, error);
}

static bool file_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    RamFile *f = file_of(sink);
    const PhysRange *r = range_of(f, number_of(f, piece->block), piece->page);
    uint8_t page[RAM_PAGE];
    const uint8_t *one = page;

    if (!r)
        return true;
    uint64_t at = r->file + piece->page * RAM_PAGE - r->start;
    page_set_add(f->came, at / RAM_PAGE, 1);
    if (pread(f->fd, page, RAM_PAGE, (off_t)at) != RAM_PAGE)
        return fail_io(error, "reading");
    if (!ram_piece_apply(piece, page, error)) {
        g_prefix_error(error, "ram, page 0x%" G_GINT64_MODIFIER "x of block %s: ", piece->page,
                       ram_block(&f->blocks, r->block)->name);
        return false;
    }
    return write_pages(f, &one, 1, at, error);
}

/* --- the map ---------------------------------------------------------------------------------------------------- */

static bool make_map(RamFile *f, GError **error)
{
    uint64_t end = 0;

    f->ranges = f->map(&f->blocks, f->machine, f->map_data, error);
    if (!f->ranges)
        return false;
    for (guint i = 0, none = NO_RANGE; i < f->blocks.list->len; i++)
        g_array_append_val(f->first_range, none);
    for (guint i = 0; i < f->ranges->len; i++) {
        const PhysRange *r = &g_array_index(f->ranges, PhysRange, i);
        end = MAX(end, r->file + pages_of(r) * RAM_PAGE);
        g_array_append_val(f->next_range, g_array_index(f->first_range, guint, r->block));
        g_array_index(f->first_range, guint, r->block) = i;
    }
    if (ftruncate(f->fd, (off_t)end) == 0)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "the memory image cannot have %" G_GUINT64_FORMAT " octets: %s",
                end, g_strerror(errno));
    return false;
}

static bool file_header(StreamSink *sink, const StreamHeader *header, GError **error)
{
    RamFile *f = file_of(sink);

    (void)error;
    if (!f->main_done)
        f->machine = g_strdup(header->machine);
    return true;
}

static bool file_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    RamFile *f = file_of(sink);

    for (size_t i = first; i < blocks->list->len; i++) {
        const RamBlock *b = ram_block(blocks, i);
        int found = ram_blocks_find(&f->blocks, b->name, strlen(b->name));
        uint32_t number = found >= 0 ? (uint32_t)found : f->blocks.list->len;
        if (found < 0 && !ram_blocks_add(&f->blocks, b, error))
            return false;
        g_array_append_val(f->numbers, number);
    }
    return f->ranges || !blocks->listed || make_map(f, error);
}

/* --- other channels --------------------------------------------------------------------------------------------- */

static bool channel_packet(StreamSink *sink, const StreamPacket *packet, GError **error)
{
    RamChannel *c = (RamChannel *)(void *)((char *)sink - offsetof(RamChannel, sink));
    const uint8_t *pages[STREAM_PACKET_PAGES];
    int block = ram_blocks_find(&c->file->blocks, packet->block, strlen(packet->block));

    if (!multifd_unpack(c->unpack, packet, pages, error))
        return false;
    for (uint32_t i = 0; i < packet->count; i++)
        if (block >= 0 && !put_run(c->file, (uint32_t)block, packet->offsets[i] / RAM_PAGE, 1, &pages[i], error))
            return false;
    c->synced = packet->flags & STREAM_PACKET_SYNC;
    return true;
}

static const StreamSinkOps packet_ops = {
    .packet = channel_packet,
};

static bool read_to_sync(RamChannel *c, GError **error)
{
    c->synced = false;
    while (!c->synced && !c->ended) {
        if (!channel_reader_step(c->reader, &c->ended, error)) {
            g_prefix_error(error, "%s: ", c->input->path);
            return false;
        }
    }
    return true;
}

static bool file_slice_start(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    (void)error;
    file_of(sink)->in_ram = strcmp(slice->name, "ram") == 0;
    return true;
}

static bool file_slice_end(StreamSink *sink, GError **error)
{
    RamFile *f = file_of(sink);

    for (guint i = 0; f->in_ram && !f->main_done && i < f->channels->len; i++) {
        RamChannel *c = g_ptr_array_index(f->channels, i);
        if (c->reader && !read_to_sync(c, error))
            return false;
    }
    return true;
}

bool ramfile_add_channel(RamFile *f, const char *path, GError **error)
{
    Input *input = input_open(path, NULL, STREAM_KINDS, false, error);

    if (!input)
        return false;
    RamChannel *c = g_new0(RamChannel, 1);
    c->file = f;
    c->input = input;
    c->sink.ops = &packet_ops;
    g_ptr_array_add(f->channels, c);
    if (input->format == INPUT_QEMUFILE && input->kind == STREAM_MULTIFD) {
        c->reader = channel_reader_new(input->in, &c->sink);
        c->unpack = multifd_unpack_new();
    } else if (input->format == INPUT_QEMUFILE && (input->kind == STREAM_PREEMPT || input->kind == STREAM_RECOVERY)) {
        return true;
    } else {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "%s: a channel with pages is a recording of multifd, preempt or recovery", path);
        return false;
    }
    return true;
}

bool ramfile_finish(RamFile *f, GError **error)
{
    f->main_done = true;
    if (!f->ranges) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "the stream has no list of RAM blocks");
        return false;
    }
    for (guint i = 0; i < f->channels->len; i++) {
        RamChannel *c = g_ptr_array_index(f->channels, i);
        while (c->reader && !c->ended)
            if (!read_to_sync(c, error))
                return false;
        if (c->reader)
            continue;
        g_array_set_size(f->numbers, 0);
        if (!input_load(c->input, NULL, &f->sink, error))
            return false;
    }
    return true;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

/*
 * Postcopy discards pages that the guest has changed since they came: they come again, perhaps in another channel.
 * Until then they have not come.
 */
static bool discard(RamFile *f, uint32_t block, uint64_t first, uint64_t count, GError **error)
{
    guint i = block < f->first_range->len ? g_array_index(f->first_range, guint, block) : NO_RANGE;

    for (; i != NO_RANGE; i = g_array_index(f->next_range, guint, i)) {
        const PhysRange *r = &g_array_index(f->ranges, PhysRange, i);
        uint64_t start = r->start / RAM_PAGE, file = r->file / RAM_PAGE, page, n;
        uint64_t from = MAX(first, start), to = MIN(first + count, start + pages_of(r));
        while (from < to && page_set_take(f->came, file + (from - start), file + (to - start), &page, &n)) {
            if (!clear_pages(f, n, page * RAM_PAGE, error))
                return false;
            from = page + n - file + start;
        }
    }
    return true;
}

static bool file_command(StreamSink *sink, const StreamCommand *command, GError **error)
{
    RamFile *f = file_of(sink);
    ByteIn in;

    if (command->id != STREAM_POSTCOPY_RAM_DISCARD)
        return true;
    byte_in_init(&in, command->payload, command->len);
    byte_in_u8(&in);
    size_t len = byte_in_u8(&in);
    const uint8_t *name = byte_in_take(&in, len);
    byte_in_u8(&in);
    int block = in.cut ? -1 : ram_blocks_find(&f->blocks, name, len);
    while (block >= 0 && byte_in_left(&in) >= 16) {
        uint64_t start = byte_in_be64(&in) / RAM_PAGE, count = byte_in_be64(&in) / RAM_PAGE;
        uint64_t pages = (ram_block(&f->blocks, (size_t)block)->length + RAM_PAGE - 1) / RAM_PAGE;
        if (start < pages && !discard(f, (uint32_t)block, start, MIN(count, pages - start), error))
            return false;
    }
    return true;
}

static const StreamSinkOps ops = {
    .header = file_header,
    .command = file_command,
    .ram_blocks = file_blocks,
    .ram_run = file_run,
    .ram_piece = file_piece,
    .slice_start = file_slice_start,
    .slice_end = file_slice_end,
};

static void free_channel(void *data)
{
    RamChannel *c = data;

    channel_reader_free(c->reader);
    multifd_unpack_free(c->unpack);
    input_free(c->input);
    g_free(c);
}

RamFile *ramfile_new(int fd, RamFileMap *map, void *data)
{
    RamFile *f = g_new0(RamFile, 1);

    f->sink.ops = &ops;
    f->fd = fd;
    f->map = map;
    f->map_data = data;
    ram_blocks_init(&f->blocks);
    f->numbers = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    f->first_range = g_array_new(FALSE, FALSE, sizeof(guint));
    f->next_range = g_array_new(FALSE, FALSE, sizeof(guint));
    f->came = page_set_new();
    f->channels = g_ptr_array_new_with_free_func(free_channel);
    return f;
}

void ramfile_free(RamFile *f)
{
    if (!f)
        return;
    g_ptr_array_unref(f->channels);
    g_array_unref(f->numbers);
    page_set_free(f->came);
    g_array_unref(f->first_range);
    g_array_unref(f->next_range);
    g_clear_pointer(&f->ranges, g_array_unref);
    ram_blocks_done(&f->blocks);
    g_free(f->machine);
    g_free(f);
}

StreamSink *ramfile_sink(RamFile *f)
{
    return &f->sink;
}

const GArray *ramfile_ranges(const RamFile *f)
{
    return f->ranges;
}

const RamBlocks *ramfile_blocks(const RamFile *f)
{
    return &f->blocks;
}
