/* tool.c: options, sizes, output. */
#include "tools/qcow2-tool/tool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "visitors/error.h"

ToolOptions tool;

/* --- options ---------------------------------------------------------------------------------------------------- */

bool tool_json(void)
{
    if (!tool.format || strcmp(tool.format, "text") == 0 || strcmp(tool.format, "human") == 0)
        return false;
    if (strcmp(tool.format, "json") != 0)
        cli_usage("--format takes text or json, not '%s'", tool.format);
    return true;
}

const char *tool_image_format(void)
{
    const char *format = tool.image_format;

    if (format && strcmp(format, "raw") != 0 && strcmp(format, "qcow2") != 0)
        cli_usage("--image-format takes raw or qcow2, not '%s'", format);
    return format;
}

uint64_t tool_size(const char *text, const char *what)
{
    static const char suffixes[] = "bkmgtpe";
    size_t digits = strspn(text, "0123456789");
    char *end = NULL;
    double value = g_ascii_strtod(text, &end);
    bool whole = digits && end == text + digits; /* exactly, which a double is not */
    const char *suffix = *end ? strchr(suffixes, g_ascii_tolower(*end)) : NULL;
    unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes) : 0;

    if (!digits || *(end + (suffix ? 1 : 0)))
        cli_usage("%s: '%s' is no size: a number, and b, k, M, G, T, P or E", what, text);
    uint64_t number = whole ? g_ascii_strtoull(text, NULL, 10) : (uint64_t)CLAMP(ldexp(value, (int)shift), 0, 9.3e18);
    if (number > (whole ? (uint64_t)INT64_MAX >> shift : (uint64_t)INT64_MAX))
        cli_usage("%s: '%s' is too large", what, text);
    return whole ? number << shift : number;
}

uint64_t tool_count(const char *text, uint64_t min, uint64_t max, const char *what)
{
    char *end;

    errno = 0;
    uint64_t value = g_ascii_strtoull(text, &end, 10);
    if (!g_ascii_isdigit(*text) || *end || errno || value < min || value > max)
        cli_usage("%s takes %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT ", not '%s'", what, min, max, text);
    return value;
}

HostCache tool_cache(const char *text, HostCache otherwise)
{
    static const char *const names[] = {
        [HOST_CACHE_WRITEBACK] = "writeback", [HOST_CACHE_WRITETHROUGH] = "writethrough",
        [HOST_CACHE_NONE] = "none",           [HOST_CACHE_DIRECTSYNC] = "directsync",
        [HOST_CACHE_UNSAFE] = "unsafe",
    };

    for (size_t i = 0; text && i < G_N_ELEMENTS(names); i++)
        if (strcmp(text, names[i]) == 0)
            return (HostCache)i;
    if (text)
        cli_usage("--cache takes writeback, writethrough, none, directsync or unsafe, not '%s'", text);
    return otherwise;
}

HostEngine tool_engine(const char *text)
{
    if (!text)
        return HOST_ENGINE_AUTO;
    if (strcmp(text, "threads") == 0)
        return HOST_ENGINE_THREADS;
    if (strcmp(text, "io_uring") != 0)
        cli_usage("--aio takes io_uring or threads, not '%s'", text);
    return HOST_ENGINE_URING;
}

/* --- images ----------------------------------------------------------------------------------------------------- */

Image *tool_open(const char *path, const ImagePath *more, GError **error)
{
    ImagePath options = *more;

    options.path = path;
    options.format = options.format ? options.format : tool_image_format();
    options.shared = options.shared || tool.share;
    options.probe_backing = tool.probe_backing;
    if (tool.share && !options.read_only)
        cli_usage("--force-share goes with reading only");
    return image_open(&options, error);
}

/* --- output ----------------------------------------------------------------------------------------------------- */

ChanOut *tool_out(void)
{
    return chan_out_new(chan_fd_new(dup(STDOUT_FILENO)));
}

void tool_print(ChanOut *out, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    chan_out_put(out, text, strlen(text));
}

int tool_finish(ChanOut *out, int status, GError *error)
{
    g_autoptr(GError) later = NULL;

    tool_progress_end();
    bool written = !out || chan_out_finish(out, &later);
    if (out)
        chan_out_free(out);
    if (error)
        return cli_fail(error);
    return written ? status : cli_fail(g_steal_pointer(&later));
}

/* Three digits, as qemu-img has them. */
char *tool_size_text(uint64_t octets)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)octets;
    size_t unit = 0;

    /* from 1000 on, three digits are not enough for the smaller unit */
    for (; value >= 999.5 && unit + 1 < G_N_ELEMENTS(units); unit++)
        value /= 1024;
    return g_strdup_printf("%.3g %s", value, units[unit]);
}

static struct {
    gint64 shown;
    bool visible;
} progress;

void tool_progress(uint64_t done, uint64_t total)
{
    gint64 now = g_get_monotonic_time();

    if (!tool.progress || (done < total && now - progress.shown < G_USEC_PER_SEC / 10))
        return;
    progress.shown = now;
    progress.visible = true;
    fprintf(stderr, "    (%.2f/100%%)\r", total ? 100.0 * (double)MIN(done, total) / (double)total : 100.0);
}

void tool_progress_end(void)
{
    if (progress.visible)
        fputc('\n', stderr);
    progress.visible = false;
}
