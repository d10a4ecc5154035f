/* outside.c: a program outside the tree, which test-outside.sh compiles against what is installed. */
#include <jansson.h>
#include <libqmp.h>
#include <qapi/client.h>
#include <stdio.h>
#include <string.h>

static void on_event(QmpSession *session, const LibqmpEvent *event, void *data)
{
    (void)session;
    (void)data;
    printf("%s\n", event->name);
}

/* By name and as JSON, with a function of its own, and in two steps. */
static int ask(QmpSession *session, GError **error)
{
    json_t *said = libqmp_execute(session, "query-status", NULL, 0, error);
    QmpStatusInfo *status = libqmp_query_status(session, error);
    LibqmpCall *call = libqmp_query_version_start(session, error);
    QmpVersionInfo *version = call ? libqmp_query_version_finish(call, error) : NULL;
    int wrong = !said || !status || !version;

    if (!wrong)
        printf("%s %s %d\n", json_string_value(json_object_get(said, "status")), qmp_RunState_name(status->status),
               (int)version->qemu->major);
    json_decref(said);
    qmp_StatusInfo_free(status);
    qmp_VersionInfo_free(version);
    return wrong;
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
    int wrong = ask(session, &error) || !libqmp_stop(session, &error);
    while (libqmp_session_pump(session, 0, NULL) > 0)
        ;
    if (wrong)
        printf("%s\n", error->message);
    return wrong;
}
