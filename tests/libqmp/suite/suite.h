/*
 * suite.h: commands that both Ferry and QEMU have, asked through libqmp's typed functions: once each way, with
 * arguments that work and with such that do not. Nothing is judged here: all that is said goes to standard output, line
 * by line, for judge.py.
 *
 *     > TEXT     what was sent
 *     < TEXT     what came
 *     ! NAME: TEXT   a reply of which libqmp could not make the C value that its function returns
 *
 * Every machine is asked the same in the same order; what waits for something to happen is not written down.
 */
#ifndef TESTS_LIBQMP_SUITE_SUITE_H
#define TESTS_LIBQMP_SUITE_SUITE_H

#include <jansson.h>
#include <stdio.h>

#include "qapi/client.h"
#include "tools/libqmp/libqmp.h"

typedef struct Suite {
    QmpSession *session;
    const char *folder; /* of the machine's files; absolute */
    bool quiet;         /* nothing is written down */
    bool libvirt;       /* it has started the machine */
    GError *error;      /* of the command that was asked last, until suite_settle() */
} Suite;

/* What became of a command. An error of the server's is an answer; any other ends the program. */
void suite_settle(Suite *suite, const char *name, bool ok);

/* Commands without a result; with an object; with a list. */
#define TRY(name, ...) suite_settle(s, #name, libqmp_##name(s->session, ##__VA_ARGS__, &s->error))
#define GET(Type, name, ...)                                                                                           \
    do {                                                                                                               \
        Qmp##Type *got = libqmp_##name(s->session, ##__VA_ARGS__, &s->error);                                          \
        suite_settle(s, #name, got != NULL);                                                                           \
        qmp_##Type##_free(got);                                                                                        \
    } while (0)
#define LIST(Type, name, ...)                                                                                          \
    do {                                                                                                               \
        Qmp##Type##List got = {0};                                                                                     \
        suite_settle(s, #name, libqmp_##name(s->session, ##__VA_ARGS__, &got, &s->error));                             \
        qmp_##Type##List_clear(&got);                                                                                  \
    } while (0)
#define TEXT(name, ...)                                                                                                \
    do {                                                                                                               \
        g_autofree char *got = libqmp_##name(s->session, ##__VA_ARGS__, &s->error);                                    \
        suite_settle(s, #name, got != NULL);                                                                           \
    } while (0)

/* Commands that take a union as it is, of "key=value,...", or of JSON with apostrophes; "@" in front of a name is the
 * folder. */
#define BOXED(Type, name, text)                                                                                        \
    do {                                                                                                               \
        Qmp##Type *given = suite_value(s, &qmp_type_##Type, text);                                                     \
        TRY(name, given);                                                                                              \
        qmp_##Type##_free(given);                                                                                      \
    } while (0)
void *suite_value(const Suite *suite, const QapiType *type, const char *text);

/* The name of a file there. Kept until the program ends. */
const char *suite_file(const Suite *suite, const char *name);

/* The next command takes one along: an open file; one end of a pair of sockets. Not through libvirt. */
void suite_send_file(Suite *suite);
void suite_send_socket(Suite *suite);

/* A device, of JSON with apostrophes. */
void suite_add_device(Suite *suite, const char *text);

void suite_control(Suite *suite);
void suite_machine(Suite *suite);
void suite_objects(Suite *suite);
void suite_disks(Suite *suite);
void suite_lines(Suite *suite);
void suite_networks(Suite *suite);
void suite_run(Suite *suite);
void suite_terminal(Suite *suite);

#endif
