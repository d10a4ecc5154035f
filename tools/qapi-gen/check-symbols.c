/*
 * check-symbols.c: have two things the same name in C?
 */
#include <string.h>

#include "tools/qapi-gen/names.h"
#include "tools/qapi-gen/schema-impl.h"

typedef struct Symbols {
    Arena *arena;
    GHashTable *owners; /* of names: Definition; NULL: generated code or the emulator */
    GError **error;
} Symbols;

static bool add(Symbols *s, const char *symbol, const Definition *d)
{
    gpointer owner = NULL;

    if (!g_hash_table_lookup_extended(s->owners, symbol, NULL, &owner)) {
        g_hash_table_insert(s->owners, (void *)symbol, (void *)d);
        return true;
    }
    const Definition *other = owner;
    if (!d)
        return true;
    if (!other || other->kind == KIND_BUILTIN)
        return wrong(s->error, d->where, "%s '%s' is '%s' in C, which is taken by what is always there",
                     kind_name(d->kind), d->name, symbol);
    return wrong(s->error, d->where, "%s '%s' is '%s' in C, and so is %s '%s' at %s:%u", kind_name(d->kind), d->name,
                 symbol, kind_name(other->kind), other->name, other->where.file, other->where.line);
}

static bool add_enum(Symbols *s, const Definition *d)
{
    bool fine = add(s, arena_print(s->arena, "QMP_%s__MAX", d->prefix), d);

    for (unsigned i = 0; fine && i < d->members->len; i++)
        fine = add(
            s, arena_print(s->arena, "QMP_%s_%s", d->prefix, name_split(s->arena, member_at(d->members, i)->name)), d);
    return fine;
}

static bool add_alternate(Symbols *s, const Definition *d)
{
    const char *prefix = name_split(s->arena, d->name);
    bool fine = true;

    for (unsigned i = 0; fine && i < d->members->len; i++)
        fine = add(
            s, arena_print(s->arena, "QMP_%s_KIND_%s", prefix, name_upper(s->arena, member_at(d->members, i)->name)),
            d);
    return fine;
}

static bool add_type(Symbols *s, const Definition *d)
{
    if (!add(s, arena_print(s->arena, "Qmp%s", d->camel), d))
        return false;
    if (d->kind == KIND_ENUM)
        return add_enum(s, d);
    return d->kind != KIND_ALTERNATE || add_alternate(s, d);
}

static bool add_command(Symbols *s, const Definition *d)
{
    const char *c = name_c(s->arena, d->name, false);

    return add(s, arena_print(s->arena, "qmp_%s", c), d) && add(s, arena_print(s->arena, "libqmp_%s", c), d) &&
           add(s, arena_print(s->arena, "libqmp_%s_start", c), d) &&
           add(s, arena_print(s->arena, "libqmp_%s_finish", c), d) &&
           add(s, arena_print(s->arena, "Libqmp%sOptions", d->camel), d);
}

static bool add_event(Symbols *s, const Definition *d)
{
    g_autofree char *lower = g_ascii_strdown(d->name, -1);

    return add(s, arena_print(s->arena, "qmp_event_%s", name_c(s->arena, lower, false)), d) &&
           add(s, arena_print(s->arena, "QMP_EVENT_%s", name_upper(s->arena, d->name)), d);
}

bool check_symbols(const Schema *schema, GError **error)
{
    static const char *const reserved[] = {
        "QmpCall",
        "QmpEvents",
        "QmpEvent",
        "QmpSession",
        "QmpCommand",
        "qmp_commands",
        "qmp_events",
        "qmp_command_count",
        "qmp_event_count",
        "qmp_events_emit",
        "libqmp_call",
        "libqmp_events",
        "libqmp_commands",
        "qmp_introspection",
        "QMP_EVENT__MAX",
        "libqmp_call_start",
        "libqmp_call_finish",
        "libqmp_command_count",
        "libqmp_event_count",
    };
    g_autoptr(GHashTable) owners = g_hash_table_new(g_str_hash, g_str_equal);
    Symbols s = {schema->arena, owners, error};
    bool fine = true;

    for (size_t i = 0; i < G_N_ELEMENTS(reserved); i++)
        add(&s, reserved[i], NULL);
    for (unsigned i = 0; fine && i < schema->types->len; i++)
        fine = add_type(&s, definition_at(schema->types, i));
    for (unsigned i = 0; fine && i < schema->lists->len; i++)
        fine = add_type(&s, definition_at(schema->lists, i));
    for (unsigned i = 0; fine && i < schema->commands->len; i++)
        fine = add_command(&s, definition_at(schema->commands, i));
    for (unsigned i = 0; fine && i < schema->events->len; i++)
        fine = add_event(&s, definition_at(schema->events, i));
    return fine;
}
