/*
 * chardev.h: a line of characters to somewhere outside of the machine, and the chip (its front) that uses it.
 *
 * A Chardev lives on a GMainContext: there its callbacks are called, and nothing happens unless that context runs. It
 * belongs to a lock (the machine's): who calls a function here holds it, and it is held in the callbacks.
 *
 * No call waits for a peer. Where nobody is at the other end (the Chardev is closed), all that is written goes nowhere.
 */
#ifndef EMU_CHARDEV_CHARDEV_H
#define EMU_CHARDEV_CHARDEV_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Chardev Chardev;

typedef enum ChardevEvent {
    CHARDEV_OPENED, /* somebody is at the other end now */
    CHARDEV_CLOSED, /* nobody any more */
    CHARDEV_BREAK,  /* the peer sends a break */
} ChardevEvent;

/* What the chip is told. Any may be NULL. A callback may call any function here but chardev_free. */
typedef struct ChardevFront {
    size_t (*can_receive)(void *opaque); /* how many characters it takes now; more than that never come at once */
    void (*receive)(void *opaque, const uint8_t *data, size_t len);
    void (*event)(void *opaque, ChardevEvent event);
    void (*writable)(void *opaque); /* once after a write that did not take all: more goes now */
    /* Open descriptors (taken) came over a unix socket, with the characters that are received next. NULL: nobody wants
     * them. */
    void (*descriptors)(void *opaque, const int *fds, size_t count);
} ChardevFront;

/* How characters look on a line of copper. */
typedef struct ChardevLine {
    unsigned speed;     /* baud */
    unsigned data_bits; /* 5 to 8 */
    unsigned stop_bits; /* 1 or 2 */
    char parity;        /* 'N', 'E', 'O', 'M' (always 1), 'S' (always 0) */
} ChardevLine;

/* --- for the front ---------------------------------------------------------------------------------------------- */

/* Makes it the front (borrowed); NULL: there is none. It is told at once if somebody is at the other end. */
void chardev_set_front(Chardev *c, const ChardevFront *front, void *opaque);

/* Writes as much as goes now, and returns how much that was. */
size_t chardev_write(Chardev *c, const void *data, size_t len);

/* can_receive gives more than when it was last asked. */
void chardev_accept_input(Chardev *c);

/* For back ends that have a line of copper; the others know no such thing. */
void chardev_set_break(Chardev *c, bool on);
void chardev_set_line(Chardev *c, const ChardevLine *line);

/* --- for who makes it ------------------------------------------------------------------------------------------- */

/* Where it lives. */
typedef struct ChardevHome {
    const char *label;     /* what messages call it; copied */
    GMainContext *context; /* NULL: the default one */
    GRecMutex *lock;       /* borrowed, outlives it; NULL: only one thread knows of it */
} ChardevHome;

/* Closes it. It has no front any more. NULL is nothing. */
void chardev_free(Chardev *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Chardev, chardev_free)

bool chardev_is_open(const Chardev *c);
bool chardev_has_front(const Chardev *c);
const char *chardev_label(const Chardev *c);

/* Where its peer finds it: "/dev/pts/3", "unix:/run/serial", "tcp:127.0.0.1:4555"; what it writes to. Borrowed. */
const char *chardev_address(const Chardev *c);

/* The front gets a break, as if the peer had sent one. */
void chardev_send_break(Chardev *c);

/* Nobody is there. */
Chardev *chardev_new_null(const ChardevHome *home);

typedef struct ChardevMemory {
    size_t size;  /* characters of output that are kept; 0: 65536 */
    bool patient; /* what finds no room is not taken until somebody reads; otherwise the oldest are lost */
} ChardevMemory;

Chardev *chardev_new_memory(const ChardevHome *home, const ChardevMemory *options);
size_t chardev_memory_read(Chardev *c, void *data, size_t len);     /* takes the oldest output */
void chardev_memory_feed(Chardev *c, const void *data, size_t len); /* input, kept until the front takes it */

/* What waits in `from`, input and output, waits in `to` as well: the same peer. `to` has no less room; tells nobody. */
void chardev_memory_copy(Chardev *to, const Chardev *from);

typedef struct ChardevFile {
    const char *path;  /* for output: made, or emptied */
    bool append;       /* not emptied */
    const char *input; /* a file that is read; NULL: none */
} ChardevFile;

Chardev *chardev_new_file(const ChardevHome *home, const ChardevFile *options, GError **error);

/* Takes the descriptor, which may be anything that can be read and written. A terminal gets the line's settings. */
Chardev *chardev_new_fd(const ChardevHome *home, int fd, GError **error);

typedef struct ChardevStdio {
    int input, output; /* borrowed: STDIN_FILENO and STDOUT_FILENO */
    bool signal;       /* Ctrl-C is a signal; otherwise it is a character */
} ChardevStdio;

/* A terminal at the input becomes raw, and what it was when the Chardev is freed. */
Chardev *chardev_new_stdio(const ChardevHome *home, const ChardevStdio *options, GError **error);

/* A new pseudoterminal, raw; chardev_address is its name. Open while somebody has opened that. */
Chardev *chardev_new_pty(const ChardevHome *home, GError **error);

typedef struct ChardevSocket {
    const char *path;     /* of a unix socket; NULL: tcp */
    const char *host;     /* a name or an address; a server's may be NULL: all of this host's */
    const char *port;     /* a number or a service's name; a server's may be "0": any that is free */
    bool server;          /* others connect, one at a time; otherwise it connects */
    bool wait;            /* a server: until the first has connected, it is not made */
    unsigned reconnect_s; /* a client: tries again so often; 0: it must succeed at once, and is not repeated */
    bool delay;           /* tcp may gather small pieces (Nagle's algorithm) */
    bool has_fd;          /* it is open already, in the place of path, host and port: */
    int fd;               /* a server's listens, a client's is connected; taken if it is one */
} ChardevSocket;

/* Host names are looked up here, once: this may take its time. */
Chardev *chardev_new_socket(const ChardevHome *home, const ChardevSocket *options, GError **error);

/* Ends the connection to a socket's peer, as if that had gone. */
void chardev_socket_cut(Chardev *c);

/* --- another end ------------------------------------------------------------------------------------------------ */

/* A line in front of another (taken), which can be replaced while the front stays: that sees it close, and open. */
Chardev *chardev_switch_new(const ChardevHome *home, Chardev *line);
void chardev_switch_to(Chardev *c, Chardev *line); /* frees the one before; takes the other */
Chardev *chardev_switch_line(Chardev *c);          /* what is behind it now; borrowed. Of others: itself */

/* --- several on one line ------------------------------------------------------------------------------------------ */

/* What Ctrl-A x does. */
typedef void ChardevMuxQuit(void *opaque);

/*
 * Shares a line among Chardevs, of which one has the keys; Ctrl-A c gives them to the next. The first that is added has
 * them first. The line is borrowed, and outlives the mux, which may be freed before or after what was added to it. NULL
 * from chardev_mux_add: there are four already.
 */
typedef struct ChardevMux ChardevMux;

ChardevMux *chardev_mux_new(Chardev *line, ChardevMuxQuit *quit, void *opaque);
Chardev *chardev_mux_add(ChardevMux *mux, const ChardevHome *home);
void chardev_mux_free(ChardevMux *mux);

#endif
