/*
 * front.h: the front of a Chardev, which keeps what it is told, and a context that runs when it is asked to.
 */
#ifndef TESTS_SUPPORT_FRONT_H
#define TESTS_SUPPORT_FRONT_H

#include "emu/chardev/chardev.h"

enum { PATIENCE_MS = 8000, QUIET_MS = 30, LARGE = 3 << 20 };

/* A front that keeps what it is told. */
typedef struct Front {
    GMainContext *context;
    GRecMutex lock;
    ChardevHome home;
    Chardev *c;
    char *folder;
    size_t room;        /* how much it takes at once */
    bool one_at_a_time; /* room becomes 0 with what came */
    GByteArray *got;
    unsigned opened, closed, breaks, writable;
    size_t most; /* that came at once */
    bool wants_descriptors;
    GArray *descriptors;  /* of int: the test's to close */
    guint descriptors_at; /* how much had come before the last ones */
} Front;

Front *front_new(void);
void front_free(Front *f); /* and its Chardev, and its folder */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Front, front_free)

/* Takes the Chardev. */
Chardev *front_attach(Front *f, Chardev *c);

/* A path in a folder of its own. */
char *front_path(const Front *f, const char *name);

/* Lets the context run for some time. */
void front_run(Front *f, unsigned ms);

/* Lets it run until the condition holds. */
#define FRONT_RUN_UNTIL(f, condition)                                                                                  \
    do {                                                                                                               \
        for (int waited_ = 0; !(condition) && waited_ < PATIENCE_MS / 4; waited_++)                                    \
            front_run((f), 4);                                                                                         \
        cr_assert(condition, "it never happens: %s", #condition);                                                      \
    } while (0)

/* What came is this, and nothing else. */
void front_assert_got(const Front *f, const char *text);

/* Reads that many characters from a descriptor, while the context runs. */
void front_read(Front *f, int fd, void *data, size_t len);
void front_assert_reads(Front *f, int fd, const char *text);

/* The octet at that place of a long text. */
uint8_t front_pattern(size_t i);

/* Writes much to a peer that does not read at first; then it reads, and all comes, in order. */
void front_assert_back_pressure(Front *f, int peer);

/* Some characters in both directions. */
void front_talk(Front *f, int peer);

#endif
