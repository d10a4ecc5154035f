/* commands-cpu.c: processors, and the models that they can be of; schema/cpu.json. */
#include <jansson.h>
#include <string.h>

#include "emu/machine/inspect.h"
#include "emu/machine/vm.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/qom-view.h"
#include "qapi/commands.h"

/* --- those that there are ----------------------------------------------------------------------------------------- */

/* Threads first, then cores, dies, sockets: the order of the APIC ids. */
static QmpCpuInstanceProperties *place_of(const CpuTopology *t, unsigned index)
{
    QmpCpuInstanceProperties *p = g_new0(QmpCpuInstanceProperties, 1);

    p->has_thread_id = p->has_core_id = p->has_socket_id = true;
    p->thread_id = index % t->threads;
    p->core_id = index / t->threads % t->cores;
    p->has_die_id = t->dies > 1;
    p->die_id = p->has_die_id ? index / (t->threads * t->cores) % t->dies : 0;
    p->socket_id = index / (t->threads * t->cores * t->dies);
    return p;
}

bool qmp_query_cpus_fast(QmpCall *call, QmpCpuInfoFastList *result, GError **error)
{
    const Vm *vm = qmp_call_vm(call);
    const Pc *pc = vm_pc((Vm *)vm);
    unsigned count = vm_options(vm)->smp.cpus;
    CpuTopology topology = pc_topology(pc);

    (void)error;
    result->items = g_new(QmpCpuInfoFast *, count);
    for (unsigned i = 0; i < count; i++) {
        QmpCpuInfoFast *info = result->items[result->count++] = g_new0(QmpCpuInfoFast, 1);
        info->cpu_index = i;
        info->qom_path = qom_cpu_path(i);
        info->thread_id = pc_thread_id(pc, i);
        info->props = place_of(&topology, i);
        info->target = QMP_SYS_EMU_TARGET_X86_64;
    }
    return true;
}

/* From the last to the first, as QEMU has them. Ferry has no places that are empty. */
bool qmp_query_hotpluggable_cpus(QmpCall *call, QmpHotpluggableCPUList *result, GError **error)
{
    const Vm *vm = qmp_call_vm(call);

    (void)error;
    unsigned count = vm_options(vm)->smp.cpus;
    CpuTopology topology = pc_topology(vm_pc((Vm *)vm));
    result->items = g_new(QmpHotpluggableCPU *, count);
    for (unsigned i = count; i-- > 0;) {
        QmpHotpluggableCPU *cpu = result->items[result->count++] = g_new0(QmpHotpluggableCPU, 1);
        cpu->type = qom_cpu_type(vm);
        cpu->vcpus_count = 1;
        cpu->props = place_of(&topology, i);
        cpu->qom_path = qom_cpu_path(i);
    }
    return true;
}

/* --- models ------------------------------------------------------------------------------------------------------- */

static bool is_host(const char *name)
{
    return g_str_equal(name, "host") || g_str_equal(name, "max");
}

static void tell_missing(const Kvm *kvm, QmpCpuDefinitionInfo *info)
{
    g_autoptr(CpuModel) model = kvm_make_cpu_model(kvm, info->name, NULL, 0, NULL);

    if (!model)
        return;
    const GPtrArray *missing = cpu_model_missing(model);
    info->has_unavailable_features = true;
    info->unavailable_features.items = g_new(char *, missing->len + 1);
    for (guint i = 0; i < missing->len; i++)
        info->unavailable_features.items[info->unavailable_features.count++] = g_strdup(missing->pdata[i]);
}

bool qmp_query_cpu_definitions(QmpCall *call, QmpCpuDefinitionInfoList *result, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    const Kvm *kvm = vm ? pc_kvm(vm_pc(vm)) : NULL;
    const char *const *names = cpu_model_names();

    (void)error;
    result->items = g_new(QmpCpuDefinitionInfo *, g_strv_length((char **)names));
    for (; *names; names++) {
        QmpCpuDefinitionInfo *info = result->items[result->count++] = g_new0(QmpCpuDefinitionInfo, 1);
        info->name = g_strdup(*names);
        info->typename = g_strconcat(*names, "-x86_64-cpu", NULL);
        info->has_migration_safe = true;
        info->migration_safe = !is_host(*names);
        info->q_static = g_str_equal(*names, "base");
        if (kvm)
            tell_missing(kvm, info);
    }
    return true;
}

/* --- what a model comes to ---------------------------------------------------------------------------------------- */

static void setting_done(void *setting)
{
    g_free((char *)((CpuSetting *)setting)->value);
}

/* Settings, which own their values, and borrow their names of the object. */
static GArray *settings_of(const char *model, json_t *props, GError **error)
{
    g_autoptr(GArray) settings = g_array_new(FALSE, FALSE, sizeof(CpuSetting));
    g_array_set_clear_func(settings, setting_done);
    const char *name;
    json_t *value;

    json_object_foreach (props, name, value) {
        CpuSetting s = {.name = name};
        if (json_is_boolean(value))
            s.value = g_strdup(json_is_true(value) ? "on" : "off");
        else if (json_is_integer(value))
            s.value = g_strdup_printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
        else if (json_is_string(value))
            s.value = g_strdup(json_string_value(value));
        if (!s.value) {
            g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "%s.%s: a truth value, a number or text is expected",
                        model, name);
            return NULL;
        }
        g_array_append_val(settings, s);
    }
    return g_steal_pointer(&settings);
}

static void tell_feature(void *opaque, const char *name, bool on)
{
    json_object_set_new(opaque, name, json_boolean(on));
}

static json_t *props_of(const CpuModel *model)
{
    json_t *props = json_object();
    CpuNumbers n = cpu_model_numbers(model);

    cpu_model_tell(model, tell_feature, props);
    json_object_set_new(props, "family", json_integer(n.family));
    json_object_set_new(props, "model", json_integer(n.model));
    json_object_set_new(props, "stepping", json_integer(n.stepping));
    json_object_set_new(props, "level", json_integer(n.level));
    json_object_set_new(props, "xlevel", json_integer(n.xlevel));
    json_object_set_new(props, "phys-bits", json_integer(cpu_model_physical_bits(model)));
    json_object_set_new(props, "vendor", json_string(n.vendor));
    json_object_set_new(props, "model-id", json_string(n.text));
    g_free(n.vendor);
    g_free(n.text);
    return props;
}

static bool check_model(const QmpCpuModelInfo *model, GError **error)
{
    if (!g_strv_contains(cpu_model_names(), model->name))
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "CPU model '%s' not found", model->name);
    else if (model->props && !json_is_object(model->props))
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "model.props: an object is expected");
    else
        return true;
    return false;
}

QmpCpuModelExpansionInfo *qmp_query_cpu_model_expansion(QmpCall *call,
                                                        const QmpQueryCpuModelExpansionArguments *arguments,
                                                        GError **error)
{
    const Kvm *kvm = pc_kvm(vm_pc(qmp_call_vm(call)));
    const QmpCpuModelInfo *wanted = arguments->model;

    if (!check_model(wanted, error))
        return NULL;
    if (!kvm) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_KVM_MISSING_CAP,
                    "What a CPU model comes to depends on KVM, and this machine does not use it (-accel kvm)");
        return NULL;
    }
    g_autoptr(GArray) settings = settings_of(wanted->name, wanted->props, error);
    if (!settings)
        return NULL;
    g_autoptr(CpuModel) model =
        kvm_make_cpu_model(kvm, wanted->name, (const CpuSetting *)(void *)settings->data, settings->len, error);
    if (!model)
        return NULL;
    QmpCpuModelExpansionInfo *info = g_new0(QmpCpuModelExpansionInfo, 1);
    info->model = g_new0(QmpCpuModelInfo, 1);
    info->model->name = g_strdup(arguments->type == QMP_CPU_MODEL_EXPANSION_TYPE_STATIC ? "base" : wanted->name);
    info->model->props = props_of(model);
    return info;
}
