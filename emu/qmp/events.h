/*
 * events.h: events of the machine on their way to all who listen.
 *
 * Any thread may emit one. They are handed on, in the order in which they were emitted, on the thread of a context:
 * at once if that is who emits. Some kinds come at most once a second, as QEMU's do: the first at once; of those that
 * follow within a second the last, when it is over. That is per kind, and of some kinds per object:
 *   BALLOON_CHANGE, RTC_CHANGE, WATCHDOG, QUORUM_FAILURE
 *   QUORUM_REPORT_BAD per "node-name", VSERPORT_CHANGE per "id", MEMORY_DEVICE_SIZE_CHANGE per "qom-path"
 */
#ifndef EMU_QMP_EVENTS_H
#define EMU_QMP_EVENTS_H

#include <glib.h>

#include "vmstate/qapi.h"

typedef struct QmpEvents QmpEvents;

/* One that is handed on: a line of a monitor, and the same with a member a line. Borrowed. */
typedef struct QmpEventText {
    const QapiEvent *event;
    const uint8_t *line, *pretty;
    size_t line_len, pretty_len;
} QmpEventText;

/* Called on the context's thread; does not emit events. */
typedef void QmpEventSink(void *opaque, const QmpEventText *text);

/* The context is borrowed; NULL: the default one. */
QmpEvents *qmp_events_new(GMainContext *context, QmpEventSink *sink, void *opaque);

/* What waits is lost. Nobody emits any more. */
void qmp_events_free(QmpEvents *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpEvents, qmp_events_free)

/* `data` is a struct of event->data, borrowed; NULL if it has none. `e` NULL: nobody listens. */
void qmp_events_emit(QmpEvents *e, const QapiEvent *event, const void *data);

/* Does it come only to who asks for it? (The feature "masked".) */
bool qmp_event_is_masked(const QapiEvent *event);

/* An event as it is written, now. `data` as above. */
typedef struct JsonWrite JsonWrite;
void qmp_event_write(JsonWrite *json, const QapiEvent *event, const void *data);

#endif
