/* table.h: a small table of commands and events, as qapi-gen would make it. For tests and fuzzers. */
#ifndef TESTS_QMP_TABLE_H
#define TESTS_QMP_TABLE_H

#include <jansson.h>
#include <string.h>

#include "emu/qmp/error.h"
#include "emu/qmp/server.h"

/* --- types ------------------------------------------------------------------------------------------------------- */

typedef struct Sum {
    int64_t a;
    bool has_b;
    uint64_t b;
} Sum;

typedef struct Kind {
    char *kind;
    bool has_count, has_other_thread;
    int64_t count;
    bool other_thread;
} Kind;

typedef struct Capabilities {
    bool has_enable;
    QapiList enable; /* of int */
} Capabilities;

typedef struct Port {
    char *id;
    int64_t value;
} Port;

static const QapiType type_int = {.name = "int", .scalar = SCALAR_INT64, .size = 8},
                      type_u64 = {.name = "uint64", .scalar = SCALAR_UINT64, .size = 8},
                      type_bool = {.name = "bool", .scalar = SCALAR_BOOL, .size = 1},
                      type_str = {.name = "str", .kind = QAPI_STRING, .size = sizeof(char *)},
                      type_any = {.name = "any", .kind = QAPI_ANY, .size = sizeof(void *)};

#define MEMBER(struct_, name_, type_)                                                                                  \
    {                                                                                                                  \
        .name = #name_, .type = &(type_), .offset = offsetof(struct_, name_)                                           \
    }
#define OPTIONAL(struct_, name_, key_, type_)                                                                          \
    {                                                                                                                  \
        .name = (key_), .type = &(type_), .offset = offsetof(struct_, name_),                                          \
        .presence = offsetof(struct_, has_##name_) + 1, .optional = true                                               \
    }

static const QapiMember sum_members[] = {MEMBER(Sum, a, type_int), OPTIONAL(Sum, b, "b", type_u64), {.name = NULL}};
static const QapiType type_sum = {.name = "Sum", .kind = QAPI_STRUCT, .members = sum_members, .size = sizeof(Sum)};

static const QapiMember kind_members[] = {MEMBER(Kind, kind, type_str),
                                          OPTIONAL(Kind, count, "count", type_int),
                                          OPTIONAL(Kind, other_thread, "other-thread", type_bool),
                                          {.name = NULL}};
static const QapiType type_kind = {.name = "Kind", .kind = QAPI_STRUCT, .members = kind_members, .size = sizeof(Kind)};

static const char *const capabilities[] = {"oob", NULL};
static const QapiType type_capability = {
    .name = "Capability", .kind = QAPI_ENUM, .names = capabilities, .size = sizeof(int)};
static const QapiType type_capability_list = {
    .name = "[Capability]", .kind = QAPI_LIST, .element = &type_capability, .size = sizeof(QapiList)};
static const QapiMember capabilities_members[] = {OPTIONAL(Capabilities, enable, "enable", type_capability_list),
                                                  {.name = NULL}};
static const QapiType type_capabilities = {
    .name = "Capabilities", .kind = QAPI_STRUCT, .members = capabilities_members, .size = sizeof(Capabilities)};

static const QapiMember port_members[] = {MEMBER(Port, id, type_str), MEMBER(Port, value, type_int), {.name = NULL}};
static const QapiType type_port = {.name = "Port", .kind = QAPI_STRUCT, .members = port_members, .size = sizeof(Port)};

typedef struct Lost {
    int64_t count;
} Lost;
static const QapiMember lost_members[] = {MEMBER(Lost, count, type_int), {.name = NULL}};
static const QapiType type_lost = {.name = "Lost", .kind = QAPI_STRUCT, .members = lost_members, .size = sizeof(Lost)};

/* --- events ------------------------------------------------------------------------------------------------------ */

static const char *const masked[] = {"masked", NULL};
static const QapiEvent table_events[] = {
    {.name = "EVENTS_LOST", .data = &type_lost},     {.name = "OURS", .data = &type_port, .features = masked},
    {.name = "RTC_CHANGE", .data = &type_port},      {.name = "STOP"},
    {.name = "VSERPORT_CHANGE", .data = &type_port},
};

static inline const QapiEvent *table_event(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(table_events); i++)
        if (strcmp(table_events[i].name, name) == 0)
            return &table_events[i];
    return NULL;
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static bool run_add(void *call, const void *arguments, void *result, GError **error)
{
    const Sum *sum = arguments;

    (void)call;
    (void)error;
    *(int64_t *)result = (int64_t)((uint64_t)sum->a + (sum->has_b ? sum->b : 1));
    return true;
}

static bool run_capabilities(void *context, const void *arguments, void *result, GError **error)
{
    const Capabilities *wanted = arguments;
    QmpCall *call = context;

    (void)result;
    (void)error;
    if (call->session)
        qmp_session_negotiated(call->session, wanted->has_enable && wanted->enable.count);
    return true;
}

static bool run_echo(void *call, const void *arguments, void *result, GError **error)
{
    (void)call;
    (void)error;
    *(json_t **)result = json_incref((json_t *)arguments);
    return true;
}

typedef struct Emission {
    QmpEvents *events;
    const QapiEvent *event;
    int64_t count;
} Emission;

static void *emit(void *opaque)
{
    const Emission *e = opaque;

    for (int64_t i = 0; i < e->count; i++) {
        char id[] = "port";
        const Port port = {.id = id, .value = i};
        qmp_events_emit(e->events, e->event, e->event->data ? &port : NULL);
    }
    return NULL;
}

static bool run_emit(void *context, const void *arguments, void *result, GError **error)
{
    const Kind *kind = arguments;
    Emission e = {.event = table_event(kind->kind), .count = kind->has_count ? MIN(kind->count, 1000) : 1};
    QmpCall *call = context;

    (void)result;
    if (!e.event) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "there is no event '%s'", kind->kind);
        return false;
    }
    if (!call->server)
        return true;
    e.events = qmp_call_events(call);
    if (kind->has_other_thread && kind->other_thread)
        g_thread_join(g_thread_new("emits", emit, &e));
    else
        emit(&e);
    return true;
}

static bool run_hear(void *context, const void *arguments, void *result, GError **error)
{
    const Kind *kind = arguments;
    const QapiEvent *event = table_event(kind->kind);
    QmpCall *call = context;

    (void)result;
    (void)error;
    if (event && call->session)
        qmp_session_set_hears(call->session, event, !kind->has_count || kind->count);
    return true;
}

static bool run_fail(void *call, const void *arguments, void *result, GError **error)
{
    (void)call;
    (void)arguments;
    (void)result;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "it is \"refused\"");
    return false;
}

static bool run_nothing(void *call, const void *arguments, void *result, GError **error)
{
    (void)call;
    (void)arguments;
    (void)result;
    (void)error;
    return true;
}

static bool run_quit(void *context, const void *arguments, void *result, GError **error)
{
    const QmpCall *call = context;
    const QmpServerConfig *config = call->server ? qmp_server_get_config(call->server) : NULL;

    if (config && config->quit)
        config->quit(config->opaque);
    return run_nothing(context, arguments, result, error);
}

static bool run_silent_failure(void *call, const void *arguments, void *result, GError **error)
{
    return !run_nothing(call, arguments, result, error);
}

static const QapiCommand table_commands[] = {
    {.name = "add", .arguments = &type_sum, .result = &type_int, .run = run_add, .flags = QAPI_ALLOW_PRECONFIG},
    {.name = "echo", .arguments = &type_any, .result = &type_any, .run = run_echo, .flags = QAPI_ALLOW_PRECONFIG},
    {.name = "emit", .arguments = &type_kind, .run = run_emit, .flags = QAPI_ALLOW_PRECONFIG},
    {.name = "fail", .run = run_fail, .flags = QAPI_ALLOW_PRECONFIG},
    {.name = "fail-silently", .run = run_silent_failure, .flags = QAPI_ALLOW_PRECONFIG},
    {.name = "hear", .arguments = &type_kind, .run = run_hear, .flags = QAPI_ALLOW_PRECONFIG},
    {.name = "needs-machine", .run = run_nothing},
    {.name = "nothing", .run = run_nothing, .flags = QAPI_ALLOW_PRECONFIG},
    {.name = "overtake", .run = run_nothing, .flags = QAPI_ALLOW_OOB | QAPI_ALLOW_PRECONFIG},
    {.name = "qmp_capabilities",
     .arguments = &type_capabilities,
     .run = run_capabilities,
     .flags = QAPI_ALLOW_PRECONFIG},
    {.name = "quiet", .run = run_nothing, .flags = QAPI_NO_REPLY | QAPI_ALLOW_PRECONFIG},
    {.name = "quiet-failure", .run = run_fail, .flags = QAPI_NO_REPLY | QAPI_ALLOW_PRECONFIG},
    {.name = "quit", .run = run_quit, .flags = QAPI_ALLOW_PRECONFIG},
};
static const QmpTable table = {table_commands, G_N_ELEMENTS(table_commands)};

#endif
