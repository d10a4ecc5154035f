/* progress.c: tells how far long work is, on terminals only. */
#include <stdio.h>
#include <unistd.h>

#include "tools/common/cli.h"

enum {
    FIRST_US = 500 * 1000, /* work that takes less is not long */
    STEP_US = 100 * 1000,
    WIDTH = 30,
};

static struct {
    gint64 started, shown;
    bool visible;
} state;

void cli_progress_tick(const char *what, uint64_t done, int64_t total)
{
    gint64 now = g_get_monotonic_time();

    if (!state.started)
        state.started = now;
    if (now - state.started < FIRST_US || now - state.shown < STEP_US || !isatty(STDERR_FILENO))
        return;
    state.shown = now;
    state.visible = true;
    double mib = (double)done / (1 << 20), seconds = (double)(now - state.started) / G_USEC_PER_SEC;
    fprintf(stderr, "\r%s ", what);
    if (total > 0) {
        int full = (int)(WIDTH * MIN((double)done / (double)total, 1.0));
        fputc('[', stderr);
        for (int i = 0; i < WIDTH; i++)
            fputc(i < full ? '#' : '.', stderr);
        fprintf(stderr, "] %3.0f %% ", 100 * MIN((double)done / (double)total, 1.0));
    }
    fprintf(stderr, "%.0f MiB, %.0f MiB/s\033[K", mib, mib / seconds);
}

void cli_progress_end(void)
{
    if (state.visible)
        fprintf(stderr, "\r\033[K");
    state.visible = false;
    state.started = 0;
}

/* --- as a channel ----------------------------------------------------------------------------------------------- */

typedef struct ProgressChan {
    Chan chan;
    ChanOps ops; /* can what the inner one can */
    Chan *inner;
    const char *what;
    uint64_t done;
} ProgressChan;

static gssize progress_read(Chan *chan, void *data, size_t len, GError **error)
{
    ProgressChan *p = (ProgressChan *)chan;
    gssize n = p->inner->ops->read(p->inner, data, len, error);

    if (n > 0)
        p->done += (uint64_t)n;
    cli_progress_tick(p->what, p->done, chan_size(p->inner));
    return n;
}

static bool progress_seek(Chan *chan, uint64_t pos, GError **error)
{
    ProgressChan *p = (ProgressChan *)chan;

    p->done = pos;
    return chan_seek(p->inner, pos, error);
}

static int64_t progress_size(Chan *chan)
{
    return chan_size(((ProgressChan *)chan)->inner);
}

static void progress_free(Chan *chan)
{
    cli_progress_end();
    chan_free(((ProgressChan *)chan)->inner);
    g_free(chan);
}

Chan *cli_progress_new(Chan *inner, const char *what)
{
    ProgressChan *p = g_new0(ProgressChan, 1);

    p->ops = (ChanOps){
        .read = progress_read,
        .seek = chan_can_seek(inner) ? progress_seek : NULL,
        .size = progress_size,
        .free = progress_free,
    };
    p->chan.ops = &p->ops;
    p->inner = inner;
    p->what = what;
    return &p->chan;
}
