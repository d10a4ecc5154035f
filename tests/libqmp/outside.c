/* outside.c: a program outside the tree, which test-outside.sh compiles against what is installed. */
#include <jansson.h>
#include <libqmp.h>
#include <stdio.h>
#include <string.h>

static void on_event(QmpSession *session, const LibqmpEvent *event, void *data)
{
    (void)session;
    (void)data;
    printf("%s\n", event->name);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(QmpSession) session =
        libqmp_session_connect(argc > 1 ? argv[1] : "", LIBQMP_SESSION_OPTIONS(.timeout_ms = 20000), &error);

    if (!session) {
        printf("%s\n", error->message);
        return 1;
    }
    libqmp_event_subscribe(session, NULL, on_event, NULL);
    json_t *status = libqmp_execute(session, "query-status", NULL, 0, &error);
    printf("%s\n", json_string_value(json_object_get(status, "status")));
    json_decref(status);
    json_decref(libqmp_execute(session, "stop", NULL, 0, &error));
    while (libqmp_session_pump(session, 0, &error) > 0)
        ;
    return 0;
}
