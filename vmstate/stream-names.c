/* stream-names.c: what things in a stream are called. Source: vmstate/FORMAT.md sections 1.4 and 1.5. */
#include <glib.h>

#include "vmstate/stream.h"

static const char *name_of(const char *const *names, size_t n, unsigned i)
{
    return i < n ? names[i] : NULL;
}

const char *stream_kind_name(StreamKind kind)
{
    static const char *const names[] = {
        [STREAM_MACHINE] = "machine",   [STREAM_MULTIFD] = "multifd",         [STREAM_PREEMPT] = "preempt",
        [STREAM_RECOVERY] = "recovery", [STREAM_RETURN_PATH] = "return-path",
    };
    return name_of(names, G_N_ELEMENTS(names), kind);
}

const char *stream_command_name(uint16_t id)
{
    static const char *const names[] = {
        [STREAM_OPEN_RETURN_PATH] = "OPEN_RETURN_PATH",
        [STREAM_PING] = "PING",
        [STREAM_POSTCOPY_ADVISE] = "POSTCOPY_ADVISE",
        [STREAM_POSTCOPY_LISTEN] = "POSTCOPY_LISTEN",
        [STREAM_POSTCOPY_RUN] = "POSTCOPY_RUN",
        [STREAM_POSTCOPY_RAM_DISCARD] = "POSTCOPY_RAM_DISCARD",
        [STREAM_PACKAGED] = "PACKAGED",
        [STREAM_ENABLE_COLO] = "ENABLE_COLO",
        [STREAM_POSTCOPY_RESUME] = "POSTCOPY_RESUME",
        [STREAM_RECV_BITMAP] = "RECV_BITMAP",
    };
    return name_of(names, G_N_ELEMENTS(names), id);
}

const char *stream_message_name(uint16_t type)
{
    static const char *const names[] = {
        [1] = "SHUT", [2] = "PONG", [3] = "REQ_PAGES_ID", [4] = "REQ_PAGES", [5] = "RECV_BITMAP", [6] = "RESUME_ACK",
    };
    return name_of(names, G_N_ELEMENTS(names), type);
}
