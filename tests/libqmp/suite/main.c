/* main.c: suite ADDRESS FOLDER machine|libvirt|incoming: asks the machine at that address (libqmp_session_connect). */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/libqmp/suite/suite.h"

enum { PATIENCE_MS = 60000 };

static void trace(bool sent, const char *text, size_t size, void *data)
{
    if (!((const Suite *)data)->quiet)
        printf("%c %.*s\n", sent ? '>' : '<', (int)size, text);
}

void suite_settle(Suite *s, const char *name, bool ok)
{
    g_autoptr(GError) error = g_steal_pointer(&s->error);

    if (ok || libqmp_error_class(error) || g_error_matches(error, LIBQMP_ERROR, LIBQMP_ERROR_OTHER_CLASS))
        return;
    printf("! %s: %s\n", name, error ? error->message : "it has failed and does not say why");
    if (!g_error_matches(error, LIBQMP_ERROR, LIBQMP_ERROR_REPLY))
        exit(EXIT_FAILURE);
}

const char *suite_file(const Suite *s, const char *name)
{
    g_autofree char *path = g_build_filename(s->folder, name, NULL);

    return g_intern_string(path);
}

/* The suite's own mistakes end it. */
static void insist(bool ok, const char *text, const char *why)
{
    if (ok)
        return;
    printf("! %s: %s\n", text, why);
    exit(EXIT_FAILURE);
}

/* JSON with apostrophes in place of quotes. New. */
static json_t *json_of(const char *text)
{
    g_autofree char *quoted = g_strdelimit(g_strdup(text), "'", '"');
    json_t *value = json_loads(quoted, 0, NULL);

    insist(value != NULL, text, "this is no JSON");
    return value;
}

void *suite_value(const Suite *s, const QapiType *type, const char *text)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) pieces = g_strsplit(text, "@", -1);
    g_autofree char *folder = g_strconcat(s->folder, "/", NULL), *whole = g_strjoinv(folder, pieces);
    json_t *json = *whole == '{' ? json_of(whole) : NULL;
    void *value = NULL;
    bool ok = json ? qapi_from_json(type, &value, json, type->name, &error)
                   : qapi_from_text(type, &value, whole, NULL, type->name, &error);

    json_decref(json);
    insist(ok, whole, ok ? "" : error->message);
    return value;
}

/* libvirt, which has the monitor, takes none. */
static void send_fd(Suite *s, int fd)
{
    if (!s->libvirt)
        insist(libqmp_session_send_fd(s->session, fd, NULL), "a descriptor", "it does not go along");
    close(fd);
}

void suite_send_file(Suite *s)
{
    int fd = open(suite_file(s, "sent"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    insist(fd >= 0, "sent", "it cannot be made");
    send_fd(s, fd);
}

void suite_send_socket(Suite *s)
{
    int fds[2];

    insist(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0, "sockets", "they cannot be made");
    send_fd(s, fds[0]);
    /* the other end stays open as long as this program runs */
}

void suite_add_device(Suite *s, const char *text)
{
    json_t *arguments = json_of(text);

    TRY(device_add, arguments);
    json_decref(arguments);
}

/* --- a machine that waits for its state --------------------------------------------------------------------------- */

static void incoming(Suite *s)
{
    g_autofree char *uri = g_strconcat("unix:", suite_file(s, "in"), NULL);

    GET(StatusInfo, query_status);
    GET(MigrationInfo, query_migrate);
    TRY(stop);
    TRY(migrate_incoming, "nonsense");
    TRY(migrate_incoming, uri);
    TRY(migrate_incoming, uri);
    TRY(cont);
    GET(StatusInfo, query_status);
    TRY(quit);
}

static void machine(Suite *s)
{
    suite_control(s);
    suite_machine(s);
    suite_objects(s);
    suite_disks(s);
    suite_lines(s);
    suite_networks(s);
    suite_run(s);
}

/* What answers are held against. */
static void schema(Suite *s)
{
    json_t *got = libqmp_query_qmp_schema(s->session, &s->error);

    suite_settle(s, "query_qmp_schema", got != NULL);
    json_decref(got);
}

int main(int argc, char **argv)
{
    static const char *const scenes[] = {"machine", "libvirt", "incoming", NULL};
    Suite suite = {.folder = argc == 4 ? argv[2] : NULL};
    g_autoptr(GError) error = NULL;

    if (argc != 4 || !g_strv_contains(scenes, argv[3])) {
        fputs("usage: suite ADDRESS FOLDER machine|libvirt|incoming\n", stderr);
        return 2;
    }
    suite.libvirt = strcmp(argv[3], "libvirt") == 0;
    suite.session = libqmp_session_connect(
        argv[1], LIBQMP_SESSION_OPTIONS(.timeout_ms = PATIENCE_MS, .trace = trace, .trace_data = &suite), &error);
    if (!suite.session) {
        fprintf(stderr, "suite: %s\n", error->message);
        return EXIT_FAILURE;
    }
    schema(&suite);
    if (strcmp(argv[3], "incoming") == 0)
        incoming(&suite);
    else
        machine(&suite);
    libqmp_session_free(suite.session);
    return EXIT_SUCCESS;
}
