/*
 * events.c: writes events.h and events.c: a function that sends it for each event, and their table.
 */
#include "tools/qapi-gen/emit.h"
#include "tools/qapi-gen/names.h"

static const char *function_of(const Out *out, const Definition *d)
{
    return arena_take(out->arena, g_ascii_strdown(name_c(out->arena, d->name, false), -1));
}

static void emit_prototype(Out *out, const Definition *d)
{
    emit(out, "void qmp_event_%s(QmpEvents *events", function_of(out, d));
    if (d->arguments)
        emit(out, ", const Qmp%s *data", d->arguments->camel);
    emit(out, ")");
}

static void emit_numbers(Out *out)
{
    const GPtrArray *events = out->schema->events;

    emit(out, "/* Where they are in the table. */\nenum {\n");
    for (unsigned i = 0; i < events->len; i++) {
        const Definition *d = definition_at(events, i);
        emit_if(out, d->cond);
        emit(out, "    QMP_EVENT_%s,\n", name_upper(out->arena, d->name));
        emit_endif(out, d->cond);
    }
    emit(out, "    QMP_EVENT__MAX\n};\n");
}

void generate_events_h(Out *out)
{
    const GPtrArray *events = out->schema->events;

    emit_head(out, "events.h", "what sends events.");
    emit(out, "#ifndef QAPI_EVENTS_H\n#define QAPI_EVENTS_H\n\n#include \"qapi/types.h\"\n\n");
    emit(out, "/* Who listens: emu/qmp/ knows more. */\ntypedef struct QmpEvents QmpEvents;\n\n");
    emit(out, "/* In the order of strcmp; name NULL ends them. */\n"
              "extern const QapiEvent qmp_events[];\nextern const size_t qmp_event_count;\n\n");
    emit_numbers(out);
    emit(out, "\n/* Is given each event, with its data (NULL: none), which it borrows. emu/qmp/ has it. */\n"
              "void qmp_events_emit(QmpEvents *events, const QapiEvent *event, const void *data);\n");
    for (unsigned i = 0; i < events->len; i++) {
        const Definition *d = definition_at(events, i);
        emit(out, "\n");
        emit_if(out, d->cond);
        if (d->doc)
            emit_comment(out, "", doc_summary(out->arena, d->doc->body));
        emit_prototype(out, d);
        emit(out, ";\n");
        emit_endif(out, d->cond);
    }
    emit(out, "\n#endif\n");
}

void emit_event_table(Out *out, const char *prefix)
{
    const GPtrArray *events = out->schema->events;

    emit(out, "\nconst QapiEvent %s_events[] = {\n", prefix);
    for (unsigned i = 0; i < events->len; i++) {
        const Definition *d = definition_at(events, i);
        emit_if(out, d->cond);
        emit(out, "    {\n        .name = \"%s\"", d->name);
        if (d->arguments)
            emit(out, ",\n        .data = &qmp_type_%s", d->arguments->camel);
        emit_features(out, "        ", d->features);
        emit_about(out, "        ", d->doc ? d->doc->body : "");
        emit(out, ",\n    },\n");
        emit_endif(out, d->cond);
    }
    emit(out, "    {.name = NULL},\n};\n");
    emit(out, "const size_t %s_event_count = sizeof(%s_events) / sizeof(%s_events[0]) - 1;\n", prefix, prefix, prefix);
}

void generate_events_c(Out *out)
{
    const GPtrArray *events = out->schema->events;

    emit_head(out, "events.c", "the table of events, and what sends them.");
    emit(out, "#include \"qapi/events.h\"\n");
    emit_event_table(out, "qmp");
    for (unsigned i = 0; i < events->len; i++) {
        const Definition *d = definition_at(events, i);
        emit(out, "\n");
        emit_if(out, d->cond);
        emit_prototype(out, d);
        emit(out, "\n{\n    qmp_events_emit(events, &qmp_events[QMP_EVENT_%s], %s);\n}\n",
             name_upper(out->arena, d->name), d->arguments ? "data" : "NULL");
        emit_endif(out, d->cond);
    }
}
