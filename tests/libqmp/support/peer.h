/*
 * peer.h: the other side of a session, which does what a test's script says, on a thread of its own.
 */
#ifndef TESTS_LIBQMP_SUPPORT_PEER_H
#define TESTS_LIBQMP_SUPPORT_PEER_H

#include "tools/libqmp/libqmp.h"

typedef struct Peer Peer;
typedef void PeerScript(Peer *peer, void *data);

/* A socket whose other end the script has; it is closed when the script returns. */
int peer_start(PeerScript *script, void *data);

/* Says it; what is said may have %d and so on. */
void peer_say(Peer *peer, const char *format, ...) G_GNUC_PRINTF(2, 3);
void peer_say_octets(Peer *peer, const void *data, size_t size);

/* The next request; NULL: there is none. Borrowed until the next one. `id` may be NULL. */
const struct json_t *peer_hear(Peer *peer, int64_t *id);
/* The first descriptor that came with what was heard; the caller's. -1: none. */
int peer_take_fd(Peer *peer);
/* The name of the command that was heard last. */
const char *peer_command(const Peer *peer);

/* The greeting; and what capabilities are enabled then. */
void peer_greet(Peer *peer, bool oob);

/* Says {"return": {}} to all that comes. */
void peer_answer_all(Peer *peer);

/* The session with a script; the test fails if there is none. */
QmpSession *peer_session(PeerScript *script, void *data, const LibqmpSessionOptions *options);

/* The error has this code and this message (NULL: any), and is freed. */
void peer_expect_error(GError *error, int code, const char *message);

#endif
