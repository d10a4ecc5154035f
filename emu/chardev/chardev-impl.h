/*
 * chardev-impl.h: what a back end is, and what it is given. Only for this folder.
 */
#ifndef EMU_CHARDEV_CHARDEV_IMPL_H
#define EMU_CHARDEV_CHARDEV_IMPL_H

#include "emu/chardev/chardev.h"

/* A back end. All but size, write and close may be NULL. */
typedef struct ChardevOps {
    size_t size; /* of its struct, whose first member is a Chardev */
    /* As much as goes. If that is not all, it calls chardev_writable later. Calls nothing of the front. */
    size_t (*write)(Chardev *c, const uint8_t *data, size_t len);
    void (*accept_input)(Chardev *c);
    void (*set_break)(Chardev *c, bool on);
    void (*set_line)(Chardev *c, const ChardevLine *line);
    void (*close)(Chardev *c); /* stops all watches and gives back all that it has, but the struct */
} ChardevOps;

struct Chardev {
    const ChardevOps *ops;
    char *label, *address;
    GMainContext *context;
    GRecMutex *lock;
    int references; /* the owner's, and one for each watch */
    bool open;
    bool starved; /* a write was short, and the front has not been told that more goes */
    const ChardevFront *front;
    void *opaque;
};

/* New, of ops->size, closed. */
Chardev *chardev_new(const ChardevOps *ops, const ChardevHome *home);

/* Tells the front what is new. */
void chardev_set_open(Chardev *c, bool open);
void chardev_writable(Chardev *c);
void chardev_receive(Chardev *c, const uint8_t *data, size_t len);
void chardev_take_descriptors(Chardev *c, const int *fds, size_t count); /* closes them if nobody takes them */

/* How many characters the front takes. */
size_t chardev_room(Chardev *c);

/* Gives the front as much of what is kept as it takes. It may take more while it receives, which `feeding` is for. */
void chardev_feed(Chardev *c, GByteArray *kept, bool *feeding);

/* An error of the host's, with what it is about. Returns NULL, for callers to return. */
void *chardev_fail(const ChardevHome *home, const char *what, int cause, GError **error);

/* --- watches ---------------------------------------------------------------------------------------------------- */

/* The peer has closed its direction. GLib hands conditions to poll as they are. */
enum { CHARDEV_IO_PEER_CLOSED = 0x2000 /* POLLRDHUP */ };

/* Called on the context, with the lock; until it is unwatched. */
typedef void ChardevReady(Chardev *c, GIOCondition condition);

GSource *chardev_watch(Chardev *c, int fd, GIOCondition condition, ChardevReady *ready);
GSource *chardev_watch_time(Chardev *c, unsigned ms, ChardevReady *ready); /* each so many ms */
void chardev_unwatch(GSource **watch);                                     /* and makes it NULL */

/* --- descriptors ------------------------------------------------------------------------------------------------ */

typedef enum ChardevReading { CHARDEV_IDLE, CHARDEV_READING, CHARDEV_STALLED } ChardevReading;

typedef enum ChardevSort {
    CHARDEV_SORT_UNKNOWN,
    CHARDEV_SORT_SOCKET,
    CHARDEV_SORT_PIPE,
    CHARDEV_SORT_OTHER,
} ChardevSort;

/* Moves characters between descriptors and the front. Embedded in back ends. */
typedef struct ChardevPump {
    Chardev *c;
    int in, out; /* borrowed, may be the same; -1: none */
    GSource *input, *output;
    ChardevReading reading;
    ChardevSort sort;                         /* of `out` */
    bool brings_descriptors;                  /* `in` is a unix socket */
    ChardevReady *input_ready, *output_ready; /* the back end's: they call pump_read and pump_written */
    void (*ended)(Chardev *c);                /* nothing more comes */
    void (*left)(Chardev *c);                 /* nothing more will, but the front has not taken all; NULL: who cares */
} ChardevPump;

void pump_stop(ChardevPump *p); /* forgets the descriptors */
size_t pump_write(ChardevPump *p, const uint8_t *data, size_t len);
void pump_accept_input(ChardevPump *p);
void pump_read(ChardevPump *p, GIOCondition condition);
void pump_written(ChardevPump *p);

/* Returns false with errno. */
bool pump_make_nonblocking(int fd, int *flags_before);

#endif
