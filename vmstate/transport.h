/*
 * transport.h: where a stream goes to or comes from, by the names that QEMU's users give it:
 *
 *     file:PATH   exec:COMMAND   fd:NUMBER   unix:PATH   tcp:HOST:PORT ([HOST]:PORT for IPv6 addresses)
 *
 * Channels that write tell at the end (chan_out_finish) whether the other side has had all: a file is there only then,
 * under its name, as a whole; a command must have ended well. One that is freed before leaves no file behind.
 * Sockets go both ways, also one that is given by its number; nothing else does (chan_is_two_way).
 * Who writes to pipes and sockets ignores SIGPIPE.
 */
#ifndef VMSTATE_TRANSPORT_H
#define VMSTATE_TRANSPORT_H

#include "visitors/chan.h"

/* To write to: unix and tcp connect. NULL with an error that has the name in it. */
Chan *transport_open(const char *uri, GError **error);

/* The same; all waiting, also that of who writes, ends with an error as soon as the descriptor `stop` can be read. */
Chan *transport_open_until(const char *uri, int stop, GError **error);

/* Is that a name of a place, as far as can be told without going there? */
bool transport_check(const char *uri, GError **error);

/* To read from. unix and tcp wait for somebody to connect, the others are there at once. */
typedef struct Transport Transport;

Transport *transport_listen(const char *uri, GError **error);
void transport_free(Transport *transport);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transport, transport_free)

/* Where others can connect, as a name for transport_open: with the port that was chosen where 0 was asked for.
 * Borrowed. */
const char *transport_address(const Transport *transport);

/*
 * Waits, and returns the channel; where others can connect, the next one at each call. NULL with an error, which is of
 * FERRY_ERROR_CUT if it was cancelled, or nobody else can come.
 */
Chan *transport_accept(Transport *transport, GError **error);

/* Can there be more than one? */
bool transport_has_channels(const Transport *transport);

/* Ends the waiting, from any thread, also before it has begun. */
void transport_cancel(Transport *transport);

#endif
