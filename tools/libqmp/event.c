/* event.c: events, from when they come until callbacks have seen them. */
#include "tools/libqmp/session-impl.h"

#include <jansson.h>

static bool concerns(const Subscription *subscription, const char *name)
{
    return !subscription->name || g_str_equal(subscription->name, name);
}

static bool is_wanted(const QmpSession *session, const char *name)
{
    for (guint i = 0; i < session->subscriptions->len; i++)
        if (concerns(g_ptr_array_index(session->subscriptions, i), name))
            return true;
    return false;
}

static Event *make(QmpSession *session, json_t *message)
{
    const json_t *data = json_object_get(message, "data");
    const json_t *time = json_object_get(message, "timestamp");
    const json_t *seconds = json_object_get(time, "seconds");
    Event *event = g_new0(Event, 1);

    event->message = json_incref(message);
    event->order = ++session->order;
    event->event = (LibqmpEvent){
        .name = json_string_value(json_object_get(message, "event")),
        .seconds = seconds ? json_integer_value(seconds) : -1,
        .microseconds = json_integer_value(json_object_get(time, "microseconds")),
        .data = json_is_object(data) ? data : NULL,
    };
    return event;
}

void session_event(QmpSession *session, json_t *message)
{
    if (!is_wanted(session, json_string_value(json_object_get(message, "event"))))
        return;
    if (session->events.length >= session->event_max) {
        session_event_free(g_queue_pop_head(&session->events));
        session->dropped++;
    }
    g_queue_push_tail(&session->events, make(session, message));
    session_wake_loop(session);
    if (session->followers)
        g_cond_broadcast(&session->changed);
}

void session_event_free(Event *event)
{
    json_decref(event->message);
    g_free(event);
}

/* A callback may change the subscriptions: this goes by their numbers, which only grow. */
static bool next_subscription(QmpSession *session, const char *name, unsigned behind, Subscription *found)
{
    bool is_found = false;

    g_mutex_lock(&session->lock);
    for (guint i = 0; i < session->subscriptions->len && !is_found; i++) {
        const Subscription *subscription = g_ptr_array_index(session->subscriptions, i);
        is_found = subscription->number > behind && concerns(subscription, name);
        if (is_found)
            *found = *subscription;
    }
    g_mutex_unlock(&session->lock);
    return is_found;
}

void session_event_deliver(QmpSession *session, Event *event)
{
    Subscription subscription = {.number = 0};

    while (next_subscription(session, event->event.name, subscription.number, &subscription))
        subscription.callback(session, &event->event, subscription.data);
}

unsigned libqmp_event_subscribe(QmpSession *session, const char *name, LibqmpEventFn *callback, void *data)
{
    Subscription *subscription = g_new0(Subscription, 1);

    subscription->name = g_strdup(name);
    subscription->callback = callback;
    subscription->data = data;
    g_mutex_lock(&session->lock);
    unsigned number = ++session->last_subscription;
    subscription->number = number;
    g_ptr_array_add(session->subscriptions, subscription);
    g_mutex_unlock(&session->lock);
    return number;
}

void libqmp_event_unsubscribe(QmpSession *session, unsigned subscription)
{
    g_mutex_lock(&session->lock);
    for (guint i = 0; i < session->subscriptions->len; i++) {
        if (((Subscription *)g_ptr_array_index(session->subscriptions, i))->number == subscription) {
            g_ptr_array_remove_index(session->subscriptions, i);
            break;
        }
    }
    g_mutex_unlock(&session->lock);
}
