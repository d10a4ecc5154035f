/*
 * io.c: qcow2-tool io: requests to a disk, one by one or many at the same time, as commands.
 *
 * The commands and their options are those of qemu-io, and so is what they say, as far as both have them.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qcow2/header.h"
#include "tools/qcow2-tool/tool.h"
#include "visitors/error.h"

enum { ALIGNMENT = 4096, ALLOC_LEN = 512 };

/* The most that one request reads or writes; zeros need no memory. */
static const uint64_t memory_max = (UINT64_C(2) << 30) - HOST_SECTOR;

static struct {
    char **commands, *l2_cache, *refcount_cache;
    gboolean read_only;
} opt;

static const GOptionEntry entries[] = {
    TOOL_IMAGE_FORMAT,
    {"command", 'c', 0, G_OPTION_ARG_STRING_ARRAY, &opt.commands, "Run it; may be given again. None: standard input",
     "COMMAND"},
    {"read-only", 'r', 0, G_OPTION_ARG_NONE, &opt.read_only, "Nothing is written", NULL},
    {"cache", 't', 0, G_OPTION_ARG_STRING, &tool.cache, "writeback (default), writethrough, none, directsync or unsafe",
     "MODE"},
    {"aio", 'i', 0, G_OPTION_ARG_STRING, &tool.engine, "io_uring or threads; by default what there is", "ENGINE"},
    {"l2-cache", 0, 0, G_OPTION_ARG_STRING, &opt.l2_cache, "Memory for the disk's tables", "SIZE"},
    {"refcount-cache", 0, 0, G_OPTION_ARG_STRING, &opt.refcount_cache, "Memory for counts", "SIZE"},
    TOOL_SHARE,
    TOOL_PROBE,
    TOOL_END,
};

static const char summary[] = "Sends requests to the disk in IMAGE.";

typedef struct Io {
    Image *image;
    ChanOut *out;
    bool through; /* a write ends when it is on stable storage */
    int status;   /* the worst so far */
} Io;

/* A command, read. */
typedef struct Words {
    const char *verb; /* what it says that it has done */
    const char *line; /* as it was given */
    ImageOp op;
    bool later; /* nobody waits for it */
    bool zero, unmap, compressed, fua, quiet, dump, verify;
    int pattern; /* -1: none was given */
    uint64_t skip, some;
    bool has_skip, has_some;
    const char *file; /* what is written, again and again; NULL: the pattern */
    uint64_t *numbers;
    unsigned count;
} Words;

static void say(Io *io, int status, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* What is wrong with a command: it was not run, or has failed. */
static void say(Io *io, int status, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    chan_out_flush(io->out);
    cli_complain("%s", text);
    io->status = MAX(io->status, status);
}

/* --- reading and writing ---------------------------------------------------------------------------------------- */

typedef struct IoRequest {
    ImageRequest request; /* first */
    Io *io;
    Words own; /* but for the numbers */
    bool ended;
    uint8_t *memory;
    struct iovec *iov;
} IoRequest;

static void transfer_free(IoRequest *t)
{
    free(t->memory);
    g_free(t->iov);
    g_free((char *)t->own.line);
    g_free(t);
}

static void dump(Io *io, const uint8_t *data, uint64_t len, uint64_t offset)
{
    enum { WIDTH = 16 };

    for (uint64_t at = 0; at < len; at += WIDTH) {
        uint64_t n = MIN(WIDTH, len - at);
        tool_print(io->out, "%08" PRIx64 ":  ", offset + at);
        for (uint64_t i = 0; i < n; i++)
            tool_print(io->out, "%02x ", data[at + i]);
        tool_print(io->out, " ");
        for (uint64_t i = 0; i < n; i++)
            tool_print(io->out, "%c", g_ascii_isalnum(data[at + i]) ? data[at + i] : '.');
        tool_print(io->out, "\n");
    }
}

static void verify(const IoRequest *t)
{
    const Words *w = &t->own;
    uint64_t len = w->has_some ? w->some : t->request.len - w->skip;
    const uint8_t *data = t->memory + w->skip;

    for (uint64_t i = 0; i < len; i++)
        if (data[i] != w->pattern) {
            tool_print(t->io->out, "Pattern verification failed at offset %" PRIu64 ", %" PRIu64 " bytes\n",
                       t->request.offset + w->skip, len);
            t->io->status = MAX(t->io->status, EXIT_DIFFERS);
            return;
        }
}

static void done(Io *io, const Words *w, uint64_t offset, uint64_t len)
{
    if (!w->quiet)
        tool_print(io->out, "%s %" PRIu64 "/%" PRIu64 " bytes at offset %" PRIu64 "\n", w->verb, len, len, offset);
}

static void transfer_ended(ImageRequest *request, int error)
{
    IoRequest *t = (IoRequest *)request;
    const char *corruption = error ? qcow2_corruption(t->io->image) : NULL;

    if (error) {
        say(t->io, EXIT_DAMAGED, "%s: %s: %s%s%s", t->io->image->file->path, t->own.line, g_strerror(error),
            corruption ? ": " : "", corruption ? corruption : "");
    } else {
        if (t->own.op == IMAGE_READ && t->own.pattern >= 0)
            verify(t);
        if (t->own.dump)
            dump(t->io, t->memory, request->len, request->offset);
        done(t->io, &t->own, request->offset, request->len);
    }
    t->ended = true;
    if (t->own.later)
        transfer_free(t);
}

/* Fills the memory of a write. */
static bool fill(uint8_t *memory, uint64_t len, const Words *w, GError **error)
{
    g_autofree char *data = NULL;
    gsize size;

    if (!w->file) {
        memset(memory, w->pattern < 0 ? 0xcd : w->pattern, len);
        return true;
    }
    if (!g_file_get_contents(w->file, &data, &size, error))
        return false;
    for (uint64_t at = 0; size && at < len; at += size)
        memcpy(memory + at, data, MIN(size, len - at));
    if (!size)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: is empty", w->file);
    return size > 0;
}

/* In memory that is aligned for images without the host's cache. NULL: it cannot be had. */
static uint8_t *memory_new(uint64_t len)
{
    uint64_t room = (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;

    return aligned_alloc(ALIGNMENT, MAX(room, ALIGNMENT));
}

static IoRequest *transfer_new(Io *io, const Words *w, uint64_t len)
{
    IoRequest *t = g_new0(IoRequest, 1);
    unsigned pieces = w->count - 1;

    t->io = io;
    t->own = *w;
    t->own.line = g_strdup(w->line);
    t->request = (ImageRequest){.op = w->op, .offset = w->numbers[0], .len = len, .done = transfer_ended};
    bool through = w->fua || (io->through && (w->op == IMAGE_WRITE || w->op == IMAGE_ZERO));
    t->request.flags = (through ? IMAGE_FUA : 0u) | (w->unmap ? IMAGE_UNMAP : 0u);
    if (w->op != IMAGE_READ && w->op != IMAGE_WRITE)
        return t;
    t->memory = memory_new(len);
    t->iov = g_new(struct iovec, pieces);
    t->request.iov = t->iov;
    t->request.iov_count = (int)pieces;
    uint8_t *at = t->memory;
    for (unsigned i = 0; i < pieces; at += w->numbers[++i])
        t->iov[i] = (struct iovec){at, w->numbers[i + 1]};
    return t;
}

/* One request for each cluster: that is what the image takes. */
static void write_compressed(Io *io, const Words *w, uint64_t len)
{
    const Qcow2Header *header = qcow2_header(io->image);
    uint64_t offset = w->numbers[0], step = header ? qcow2_cluster_size(header) : len;
    uint8_t *memory = memory_new(MIN(step, len));
    g_autoptr(GError) error = NULL;
    bool fine = fill(memory, MIN(step, len), w, &error);

    for (uint64_t at = 0; fine && at < len; at += step)
        fine = image_write(io->image, offset + at, memory, (size_t)MIN(step, len - at), IMAGE_COMPRESSED, &error);
    if (fine && io->through)
        fine = image_flush(io->image, &error);
    if (fine)
        done(io, w, offset, len);
    else
        say(io, EXIT_DAMAGED, "%s", error->message);
    free(memory);
}

static bool bounds(Io *io, const Words *w, uint64_t *len)
{
    bool memory = w->op == IMAGE_READ || w->op == IMAGE_WRITE;

    *len = 0;
    for (unsigned i = 1; i < w->count; i++) {
        if (memory && w->numbers[i] > memory_max - *len) {
            say(io, EXIT_USAGE, "'%s': a request has at most %" PRIu64 " octets", w->line, memory_max);
            return false;
        }
        *len += w->numbers[i];
    }
    if (w->skip > *len || (w->has_some && w->some > *len - w->skip)) {
        say(io, EXIT_USAGE, "'%s': -s and -l go beyond what is read", w->line);
        return false;
    }
    /* such reads are no error for the emulator */
    if (w->op == IMAGE_READ && (w->numbers[0] > io->image->length || *len > io->image->length - w->numbers[0])) {
        say(io, EXIT_DAMAGED, "%s: %s: the disk ends at %" PRIu64, io->image->file->path, w->line, io->image->length);
        return false;
    }
    return true;
}

static void run_transfer(Io *io, const Words *w)
{
    g_autoptr(GError) error = NULL;
    uint64_t len;

    if (!bounds(io, w, &len))
        return;
    if (w->compressed) {
        write_compressed(io, w, len);
        return;
    }
    IoRequest *t = transfer_new(io, w, len);
    if (t->iov && !t->memory)
        g_set_error(&error, FERRY_ERROR, FERRY_ERROR_LIMIT, "no memory for %" PRIu64 " octets", len);
    if (error || (w->op == IMAGE_WRITE && !fill(t->memory, len, w, &error))) {
        say(io, EXIT_DAMAGED, "%s: %s", w->line, error->message);
        transfer_free(t);
        return;
    }
    bool later = w->later;
    image_submit(io->image, &t->request);
    if (later)
        return;
    while (!t->ended)
        image_poll(io->image, true);
    transfer_free(t);
}

/* --- the other commands ----------------------------------------------------------------------------------------- */

static void failed(Io *io, GError *error)
{
    say(io, EXIT_DAMAGED, "%s", error->message);
    g_error_free(error);
}

static void run_flush(Io *io, const Words *w)
{
    GError *error = NULL;

    (void)w;
    if (!image_flush(io->image, &error))
        failed(io, error);
}

static void run_drain(Io *io, const Words *w)
{
    (void)w;
    image_drain(io->image);
}

/* Octets from `from` on, up to `to`, that are all the image's own, or all not. 0: an error, which was told. */
static uint64_t own_extent(Io *io, uint64_t from, uint64_t to, bool *own)
{
    GError *error = NULL;
    ImageExtent e;
    uint64_t at = from;

    for (; at < to; at += e.len) {
        if (!image_map(io->image, at, to - at, &e, &error)) {
            failed(io, error);
            return 0;
        }
        if (at > from && (e.kind != IMAGE_UNALLOCATED) != *own)
            break;
        *own = e.kind != IMAGE_UNALLOCATED;
    }
    return at - from;
}

static void run_alloc(Io *io, const Words *w)
{
    uint64_t offset = w->numbers[0], len = w->count > 1 ? w->numbers[1] : ALLOC_LEN, sum = 0, now;
    bool own = false;

    if (offset > io->image->length || len > io->image->length - offset) {
        say(io, EXIT_DAMAGED, "%s: %s: the disk ends at %" PRIu64, io->image->file->path, w->line, io->image->length);
        return;
    }
    for (uint64_t at = offset; at < offset + len; at += now) {
        if (!(now = own_extent(io, at, offset + len, &own)))
            return;
        sum += own ? now : 0;
    }
    tool_print(io->out, "%" PRIu64 "/%" PRIu64 " bytes allocated at offset %" PRIu64 "\n", sum, len, offset);
}

static void run_map(Io *io, const Words *w)
{
    bool own = false;
    uint64_t now;

    (void)w;
    for (uint64_t at = 0; at < io->image->length; at += now) {
        if (!(now = own_extent(io, at, io->image->length, &own)))
            return;
        tool_print(io->out, "%" PRIu64 " bytes %sallocated at offset %" PRIu64 "\n", now, own ? "" : "not ", at);
    }
}

static void run_length(Io *io, const Words *w)
{
    (void)w;
    tool_print(io->out, "%" PRIu64 "\n", io->image->length);
}

static void run_truncate(Io *io, const Words *w)
{
    GError *error = NULL;

    image_drain(io->image);
    if (!image_resize(io->image, (w->numbers[0] + HOST_SECTOR - 1) / HOST_SECTOR * HOST_SECTOR, &error))
        failed(io, error);
}

/* What is not written then is lost, as it would be without power but for what the host keeps. */
static void run_signal(Io *io, const Words *w)
{
    chan_out_flush(io->out);
    raise((int)w->numbers[0]);
}

/* --- commands as text ------------------------------------------------------------------------------------------- */

typedef struct Command {
    const char *name;
    void (*run)(Io *io, const Words *w);
    const char *verb;
    ImageOp op;
    bool later;
    const char *letters;  /* of its options; with ':', one that has a value */
    unsigned least, most; /* numbers */
    const char *how;
} Command;

#define READS  "P:s:l:vq"
#define WRITES "P:s:zucfq"

static const Command commands[] = {
    {"read", run_transfer, "read", IMAGE_READ, false, READS, 2, 2, "[-qv] [-P N [-s SKIP] [-l LEN]] OFFSET LEN"},
    {"readv", run_transfer, "read", IMAGE_READ, false, READS, 2, 1024, "[-qv] [-P N] OFFSET LEN..."},
    {"aio_read", run_transfer, "read", IMAGE_READ, true, READS, 2, 1024, "[-qv] [-P N] OFFSET LEN..."},
    {"write", run_transfer, "wrote", IMAGE_WRITE, false, WRITES, 2, 2,
     "[-fq] [-c | -z [-u]] [-P N | -s FILE] OFFSET LEN"},
    {"writev", run_transfer, "wrote", IMAGE_WRITE, false, WRITES, 2, 1024, "[-fq] [-P N | -s FILE] OFFSET LEN..."},
    {"aio_write", run_transfer, "wrote", IMAGE_WRITE, true, WRITES, 2, 1024,
     "[-fq] [-z [-u]] [-P N | -s FILE] OFFSET LEN..."},
    {"discard", run_transfer, "discard", IMAGE_DISCARD, false, "q", 2, 2, "[-q] OFFSET LEN"},
    {"aio_flush", run_drain, NULL, IMAGE_FLUSH, false, "", 0, 0, ""},
    {"flush", run_flush, NULL, IMAGE_FLUSH, false, "", 0, 0, ""},
    {"alloc", run_alloc, NULL, IMAGE_FLUSH, false, "", 1, 2, "OFFSET [LEN]"},
    {"map", run_map, NULL, IMAGE_FLUSH, false, "", 0, 0, ""},
    {"length", run_length, NULL, IMAGE_FLUSH, false, "", 0, 0, ""},
    {"truncate", run_truncate, NULL, IMAGE_FLUSH, false, "", 1, 1, "SIZE"},
    {"sigraise", run_signal, NULL, IMAGE_FLUSH, false, "", 1, 1, "SIGNAL"},
};

/* A number, decimal or with 0x; then maybe k, M, G, T, P or E. */
static bool number(const char *text, uint64_t *value)
{
    static const char suffixes[] = "bkmgtpe";
    bool hex = text[0] == '0' && g_ascii_tolower(text[1]) == 'x';
    char *end;

    if (!g_ascii_isdigit(*text))
        return false;
    *value = g_ascii_strtoull(text, &end, hex ? 16 : 10);
    const char *suffix = *end && !hex ? strchr(suffixes, g_ascii_tolower(*end)) : NULL;
    unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes) : 0;
    if (end[suffix ? 1 : 0] || *value > (uint64_t)INT64_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

static bool set_option(Words *w, char letter, const char *value)
{
    uint64_t n = 0;

    switch (letter) {
    case 'P':
        if (!number(value, &n) || n > UINT8_MAX || strspn(value, "0123456789abcdefxABCDEFX") != strlen(value))
            return false;
        w->pattern = (int)n;
        return true;
    case 's':
        if (w->op == IMAGE_WRITE) {
            w->file = value;
            return true;
        }
        return (w->has_skip = number(value, &w->skip));
    case 'l':
        return (w->has_some = number(value, &w->some));
    default:
        break;
    }
    bool *const flags[] = {&w->zero, &w->unmap, &w->compressed, &w->fua, &w->quiet, &w->dump};
    *flags[strchr("zucfqv", letter) - "zucfqv"] = true;
    return true;
}

/* Options, as getopt takes them. NULL: fine; otherwise which is wrong. */
static const char *read_options(const Command *c, Words *w, char ***at)
{
    for (; **at && ***at == '-' && !g_ascii_isdigit((**at)[1]); ++*at) {
        for (const char *o = **at + 1; *o; o++) {
            const char *known = *o == ':' ? NULL : strchr(c->letters, *o);
            if (!known)
                return **at;
            if (known[1] != ':') {
                set_option(w, *o, NULL);
                continue;
            }
            const char *value = o[1] ? o + 1 : *++*at;
            if (!value)
                return "what is missing at the end";
            if (!set_option(w, *o, value))
                return value;
            break;
        }
    }
    return NULL;
}

static bool options_fit(const Words *w)
{
    if (w->op == IMAGE_READ)
        return w->pattern >= 0 || (!w->has_skip && !w->has_some);
    bool content = w->pattern >= 0 || w->file;
    return !(w->pattern >= 0 && w->file) && !(w->zero && (content || w->compressed)) && (w->zero || !w->unmap) &&
           !(w->compressed && (w->fua || w->later));
}

static void run_words(Io *io, const Command *c, const char *line, char **words)
{
    Words w = {.verb = c->verb, .line = line, .op = c->op, .later = c->later, .pattern = -1};
    char **at = words;
    const char *wrong = read_options(c, &w, &at);
    g_autofree uint64_t *numbers = g_new0(uint64_t, g_strv_length(at) + 1);

    for (w.numbers = numbers; !wrong && at[w.count]; w.count++)
        if (!number(at[w.count], &numbers[w.count]))
            wrong = at[w.count];
    if (wrong)
        say(io, EXIT_USAGE, "'%s': not '%s': %s %s", line, wrong, c->name, c->how);
    else if (w.count < c->least || w.count > c->most || !options_fit(&w))
        say(io, EXIT_USAGE, "'%s' is none of: %s %s", line, c->name, c->how);
    else {
        w.op = w.zero ? IMAGE_ZERO : w.op;
        c->run(io, &w);
    }
}

static void run_line(Io *io, const char *line)
{
    g_auto(GStrv) words = NULL;
    g_autofree char *stripped = g_strstrip(g_strdup(line));

    if (!g_shell_parse_argv(stripped, NULL, &words, NULL)) {
        if (*stripped && *stripped != '#')
            say(io, EXIT_USAGE, "'%s': a quote has no end", stripped);
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        if (strcmp(words[0], commands[i].name) == 0) {
            run_words(io, &commands[i], stripped, words + 1);
            chan_out_flush(io->out);
            return;
        }
    say(io, EXIT_USAGE, "'%s' is no command of io", words[0]);
}

static void run_input(Io *io)
{
    g_autofree char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) >= 0)
        run_line(io, line);
}

static char *more(void)
{
    GString *text = g_string_new("Commands:\n");

    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        g_string_append_printf(text, "  %-*s%s\n", *commands[i].how ? 11 : 0, commands[i].name, commands[i].how);
    g_string_append(text, "\nExit status: 0 done, 1 what was read is not the pattern, 2 wrong usage, 3 a request has "
                          "failed.\nSee qcow2-tool(1).\n");
    return g_string_free(text, FALSE);
}

int io_main(int argc, char **argv)
{
    static char *volatile text; /* until the end, which may come while options are read */
    text = more();
    char **rest = cli_parse_some(&argc, &argv, entries, "IMAGE", 1, 1, summary, text);
    ImagePath options = {.read_only = opt.read_only,
                         .cache = tool_cache(tool.cache, HOST_CACHE_WRITEBACK),
                         .engine = tool_engine(tool.engine)};
    GError *error = NULL;

    bool through = options.cache == HOST_CACHE_WRITETHROUGH || options.cache == HOST_CACHE_DIRECTSYNC;
    options.l2_cache = opt.l2_cache ? tool_size(opt.l2_cache, "--l2-cache") : 0;
    options.refcount_cache = opt.refcount_cache ? tool_size(opt.refcount_cache, "--refcount-cache") : 0;
    Io io = {.out = tool_out(), .through = through, .image = tool_open(rest[0], &options, &error)};
    if (io.image && opt.commands)
        for (char **c = opt.commands; *c; c++)
            run_line(&io, *c);
    else if (io.image)
        run_input(&io);
    if (io.image) {
        image_drain(io.image);
        if (!io.image->read_only && !qcow2_corruption(io.image))
            image_flush(io.image, &error);
        image_close(io.image);
    }
    return tool_finish(io.out, io.status, error);
}
