/*
 * vmstate-convert: makes a BER stream of a QEMUFile stream, and the other way round, without losing an octet.
 */
#include <limits.h>
#include <string.h>

#include "tools/common/cli.h"
#include "tools/common/input.h"
#include "vmstate/berstream-save.h"
#include "vmstate/stream-save.h"

enum { LEVEL_OWN = INT_MIN /* not given: zstd's own */ };

static struct {
    char *to, *compress, *snapshot, *kind, *schema_from;
    int level;
    gboolean partial, verify;
} opt = {.level = LEVEL_OWN};

static const GOptionEntry entries[] = {
    {"to", 0, 0, G_OPTION_ARG_STRING, &opt.to, "Format to write: ber or qemufile", "FORMAT"},
    {"compress", 0, 0, G_OPTION_ARG_STRING, &opt.compress, "Pack RAM pages: none (default) or zstd; BER only",
     "METHOD"},
    {"level", 0, 0, G_OPTION_ARG_INT, &opt.level, "How hard zstd tries, 1 to 19 (3)", "N"},
    {"partial", 0, 0, G_OPTION_ARG_NONE, &opt.partial, "Keep the output when the input is cut", NULL},
    {"verify", 0, 0, G_OPTION_ARG_NONE, &opt.verify, "Read the output back and compare (to BER)", NULL},
    {"schema-from", 0, 0, G_OPTION_ARG_FILENAME, &opt.schema_from, "Describe what IN does not by the stream in FILE",
     "FILE"},
    {"snapshot", 0, 0, G_OPTION_ARG_STRING, &opt.snapshot, "Of a qcow2 image: which snapshot (name, id or UUID)",
     "WHICH"},
    {"channel-kind", 0, 0, G_OPTION_ARG_STRING, &opt.kind, "What IN is, if it does not tell", "KIND"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const char summary[] = "Converts the VM state stream IN to OUT; \"-\" stands for standard input or output.";
static const char more[] =
    "A BER stream that was made of a QEMUFile stream gives back the very same octets, which is checked.\n\n"
    "Exit status: 0 done, 2 wrong usage, 3 damaged or unreadable input.\nSee vmstate-convert(1).\n";

/* What became of a conversion that failed because the input is cut. */
typedef enum Cut {
    CUT_NOT,
    CUT_KEPT,  /* the output ends there, too */
    CUT_EMPTY, /* before anything could be written */
} Cut;

/* Converts; *cut: is the input cut? */
static bool convert(Input *input, const Schema *borrowed, Chan *to, bool ber, Cut *cut, GError **error)
{
    BerstreamOptions options = {
        .writer = "ferry vmstate-convert",
        .writer_version = FERRY_VERSION,
        .zstd = g_strcmp0(opt.compress, "zstd") == 0,
        .level = opt.level == LEVEL_OWN ? 0 : opt.level,
        .origin = input->format == INPUT_QEMUFILE ? input->digest : NULL,
    };
    /* what comes back from BER is held against what the BER stream says it was made of */
    Chan *digest = !ber && input->format == INPUT_BER ? chan_digest_new(to) : NULL;
    g_autoptr(ChanOut) out = chan_out_new(digest ? digest : to);
    StreamSink *sink = ber ? berstream_save_new(out, &options) : stream_save_new(out, digest);
    GError *wrong = NULL;

    input_load(input, borrowed, sink, &wrong);
    *cut = CUT_NOT;
    if (g_error_matches(wrong, FERRY_ERROR, FERRY_ERROR_CUT))
        *cut = chan_out_tell(out) ? CUT_KEPT : CUT_EMPTY;
    if (!wrong || *cut) {
        GError *later = NULL;
        if (!chan_out_finish(out, &later)) {
            g_clear_error(&wrong);
            wrong = later;
            *cut = CUT_NOT;
        }
    }
    if (ber)
        berstream_save_free(sink);
    else
        stream_save_free(sink);
    if (wrong)
        g_propagate_error(error, wrong);
    return !wrong;
}

/* Reads the BER stream in `output` back to what it was made of; the writer holds that against what it says it was. */
static bool verify(CliOutput *output, GError **error)
{
    Chan *written = chan_fd_new(dup(cli_output_fd(output)));
    g_autoptr(Input) input = input_open_chan(written, "the output, read back", STREAM_KINDS, false, error);
    CliOutput *nowhere = input ? cli_output_open("/dev/null", error) : NULL;
    Cut cut;

    if (!nowhere)
        return false;
    bool ok = convert(input, NULL, cli_output_chan(nowhere), false, &cut, error);
    return cli_output_close(nowhere, false, NULL) && ok;
}

static void check_options(void)
{
    if (!opt.to || (strcmp(opt.to, "ber") != 0 && strcmp(opt.to, "qemufile") != 0))
        cli_usage("--to takes ber or qemufile, not '%s'", opt.to ? opt.to : "");
    bool ber = strcmp(opt.to, "ber") == 0;
    if (opt.compress && strcmp(opt.compress, "none") != 0 && strcmp(opt.compress, "zstd") != 0)
        cli_usage("--compress takes none or zstd, not '%s'", opt.compress);
    if (!ber && (opt.compress || opt.level != LEVEL_OWN))
        cli_usage("--compress and --level go with --to=ber");
    if (opt.level != LEVEL_OWN && (opt.level < 1 || opt.level > 19))
        cli_usage("--level takes 1 to 19, not %d", opt.level);
    if (opt.verify && !ber)
        cli_usage("--verify goes with --to=ber");
}

int main(int argc, char **argv)
{
    char **paths = cli_parse(&argc, &argv, entries, "IN OUT", 2, summary, more);
    g_autoptr(Schema) borrowed = NULL;
    GError *error = NULL;
    Cut cut = CUT_NOT;

    check_options();
    bool ber = strcmp(opt.to, "ber") == 0;
    if (opt.schema_from && !(borrowed = input_schema(opt.schema_from, &error)))
        return cli_fail(error);
    g_autoptr(Input) input = input_open(paths[0], opt.snapshot, input_kind(opt.kind), ber, &error);
    CliOutput *output = input ? cli_output_open(paths[1], &error) : NULL;
    if (!output)
        return cli_fail(error);
    if (opt.verify && cli_output_fd(output) < 0)
        cli_usage("--verify needs a regular file to write to");
    bool ok =
        convert(input, borrowed, cli_output_chan(output), ber, &cut, &error) && (!opt.verify || verify(output, &error));
    bool kept = cli_output_close(output, ok || (cut == CUT_KEPT && opt.partial), ok ? &error : NULL);
    if (cut == CUT_EMPTY)
        g_prefix_error(&error, "nothing was written: ");
    else if (cut && !opt.partial)
        g_prefix_error(&error, "nothing was written (--partial would keep what there is): ");
    return ok && kept ? EXIT_FINE : cli_fail(error);
}
