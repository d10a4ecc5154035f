/*
 * vm-migration-options.c: parameters and capabilities of migrations.
 *
 * Names, values and bounds: QEMU 7.2's (query-migrate-parameters, and what migrate-set-parameters refuses there).
 */
#include <string.h>

#include "emu/machine/vm-impl.h"
#include "emu/machine/vm-migration.h"
#include "qapi/types.h"

enum { TIME_MAX_MS = 2000 * 1000, ANNOUNCE_MAX_MS = 100 * 1000, STEP_MAX_MS = 10 * 1000 };

/* A member of MigrationNumbers. Of what is not there yet only the usual value can be set. */
typedef struct Parameter {
    const char *name;
    int64_t usual, least, most; /* least > most: any value will do */
    bool there;
} Parameter;

static const Parameter parameters[] = {
    {"announce-initial", 50, 0, ANNOUNCE_MAX_MS, false},
    {"announce-max", 550, 0, ANNOUNCE_MAX_MS, false},
    {"announce-rounds", 5, 0, 1000, false},
    {"announce-step", 100, 1, STEP_MAX_MS, false},
    {"compress-level", 1, 0, 9, false},
    {"compress-threads", 8, 1, 255, false},
    {"compress-wait-thread", true, 0, 1, false},
    {"decompress-threads", 2, 1, 255, false},
    {"throttle-trigger-threshold", 50, 1, 100, true},
    {"cpu-throttle-initial", 20, 1, 99, true},
    {"cpu-throttle-increment", 10, 1, 99, true},
    {"cpu-throttle-tailslow", false, 0, 1, false},
    {"max-cpu-throttle", 99, 1, 99, true}, /* and no less than cpu-throttle-initial */
    {"max-bandwidth", 128 << 20, 1, 0, true},
    {"max-postcopy-bandwidth", 0, 1, 0, false},
    {"downtime-limit", 300, 0, TIME_MAX_MS, true},
    {"x-checkpoint-delay", 20000, 0, UINT32_MAX, false},
    {"block-incremental", false, 0, 1, false},
    {"multifd-channels", 2, 1, 255, true},
    {"multifd-compression", QMP_MULTI_FD_COMPRESSION_NONE, 0, QMP_MULTI_FD_COMPRESSION__MAX - 1, true},
    {"multifd-zlib-level", 1, 0, 9, false},
    {"multifd-zstd-level", 1, 0, 20, false},
    {"xbzrle-cache-size", 64 << 20, 1, 0, false},
};

static const QmpMigrationCapability capabilities[] = {
    QMP_MIGRATION_CAPABILITY_AUTO_CONVERGE, QMP_MIGRATION_CAPABILITY_EVENTS, QMP_MIGRATION_CAPABILITY_RETURN_PATH,
    QMP_MIGRATION_CAPABILITY_PAUSE_BEFORE_SWITCHOVER, QMP_MIGRATION_CAPABILITY_MULTIFD};

static const Parameter *find(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(parameters); i++)
        if (g_str_equal(parameters[i].name, name))
            return &parameters[i];
    return NULL;
}

/* --- values of any kind ------------------------------------------------------------------------------------------- */

static bool is_given(const QapiMember *m, const void *numbers)
{
    return *(const bool *)((const char *)numbers + m->presence - 1);
}

/* Integers have eight octets here, so one that is larger than an int64_t is below zero. */
static int64_t value_of(const QapiMember *m, const void *numbers)
{
    const void *at = (const char *)numbers + m->offset;

    if (m->type->kind == QAPI_ENUM)
        return *(const int *)at;
    return m->type->size == sizeof(bool) ? *(const bool *)at : *(const int64_t *)at;
}

static void set_value(const QapiMember *m, void *numbers, int64_t value)
{
    void *at = (char *)numbers + m->offset;

    *(bool *)((char *)numbers + m->presence - 1) = true;
    if (m->type->kind == QAPI_ENUM)
        *(int *)at = (int)value;
    else if (m->type->size == sizeof(bool))
        *(bool *)at = value;
    else
        *(int64_t *)at = value;
}

static char *value_text(const QapiMember *m, int64_t value)
{
    if (m->type->kind == QAPI_ENUM)
        return g_strdup(m->type->names[value]);
    if (m->type->size == sizeof(bool))
        return g_strdup(value ? "true" : "false");
    return m->type->octets ? g_strdup_printf("%" G_GUINT64_FORMAT, (uint64_t)value)
                           : g_strdup_printf("%" G_GINT64_FORMAT, value);
}

/* --- parameters --------------------------------------------------------------------------------------------------- */

void vm_migration_options_init(Vm *vm)
{
    QmpMigrationParameters *p = g_new0(QmpMigrationParameters, 1);

    for (const QapiMember *m = qmp_type_MigrationNumbers.members; m->name; m++)
        set_value(m, p, find(m->name)->usual);
    p->tls_creds = g_strdup("");
    p->tls_hostname = g_strdup("");
    p->tls_authz = g_strdup("");
    vm->migration_parameters = p;
}

void vm_migration_options_done(Vm *vm)
{
    qmp_MigrationParameters_free(vm->migration_parameters);
}

const QmpMigrationParameters *vm_migration_parameters(const Vm *vm)
{
    return vm->migration_parameters;
}

static bool check_number(const QapiMember *m, int64_t value, GError **error)
{
    const Parameter *p = find(m->name);
    bool within = p->least > p->most || (value >= p->least && value <= p->most);
    g_autofree char *text = value_text(m, value), *usual = value_text(m, p->usual);

    if (within && (p->there || value == p->usual))
        return true;
    if (!within)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "Parameter '%s' expects a value between %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT ", not %s",
                    m->name, p->least, p->most, text);
    else
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "Parameter '%s': %s is not there yet (accepted: %s)",
                    m->name, text, usual);
    return false;
}

static bool check_numbers(const void *numbers, GError **error)
{
    for (const QapiMember *m = qmp_type_MigrationNumbers.members; m->name; m++)
        if (is_given(m, numbers) && !check_number(m, value_of(m, numbers), error))
            return false;
    return true;
}

static bool check_text(const char *name, const QmpStrOrNull *value, GError **error)
{
    if (!value || value->kind == QMP_STR_OR_NULL_KIND_N || !*value->u.s)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "Parameter '%s': '%s' is not there yet: no TLS", name,
                value->u.s);
    return false;
}

bool vm_set_migration_parameters(Vm *vm, const QmpMigrateSetParameters *wanted, GError **error)
{
    QmpMigrationParameters *new = NULL;

    if (!check_numbers(wanted, error) || !check_text("tls-creds", wanted->tls_creds, error) ||
        !check_text("tls-hostname", wanted->tls_hostname, error) || !check_text("tls-authz", wanted->tls_authz, error))
        return false;
    new = qapi_copy(&qmp_type_MigrationParameters, vm->migration_parameters);
    for (const QapiMember *m = qmp_type_MigrationNumbers.members; m->name; m++)
        if (is_given(m, wanted))
            set_value(m, new, value_of(m, wanted));
    if (new->max_cpu_throttle < new->cpu_throttle_initial) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "Parameter 'max-cpu-throttle' expects a value between cpu-throttle-initial (%" G_GINT64_FORMAT
                    ") and 99, not %" G_GINT64_FORMAT,
                    new->cpu_throttle_initial, new->max_cpu_throttle);
        qmp_MigrationParameters_free(new);
        return false;
    }
    qmp_MigrationParameters_free(vm->migration_parameters);
    vm->migration_parameters = new;
    vm_migration_limit(vm);
    return true;
}

/* --- capabilities ------------------------------------------------------------------------------------------------- */

bool vm_migration_has(QmpMigrationCapability capability)
{
    for (size_t i = 0; i < G_N_ELEMENTS(capabilities); i++)
        if (capabilities[i] == capability)
            return true;
    return false;
}

bool vm_migration_wants(const Vm *vm, QmpMigrationCapability capability)
{
    return vm->migration_capabilities & UINT32_C(1) << capability;
}

static char *all_names(void)
{
    GString *names = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(capabilities); i++)
        g_string_append_printf(names, "%s%s", i ? ", " : "", qmp_MigrationCapability_name(capabilities[i]));
    return g_string_free(names, FALSE);
}

bool vm_set_migration_capabilities(Vm *vm, const QmpMigrationCapabilityStatusList *list, GError **error)
{
    uint32_t wanted = vm->migration_capabilities;

    if (vm_is_moving(vm, error))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        const QmpMigrationCapabilityStatus *one = list->items[i];
        uint32_t bit = UINT32_C(1) << one->capability;
        if (one->state && !vm_migration_has(one->capability)) {
            g_autofree char *names = all_names();
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                        "migrate-set-capabilities.capabilities[%zu]: '%s' is not there (accepted: %s)", i,
                        qmp_MigrationCapability_name(one->capability), names);
            return false;
        }
        wanted = one->state ? wanted | bit : wanted & ~bit;
    }
    vm->migration_capabilities = wanted;
    return true;
}
