/* options-value.c: what no schema says of an option's value: what it means, and what in it does not go together. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "emu/machine/options-impl.h"
#include "emu/net/net.h"
#include "visitors/uuid.h"
#include "visitors/words.h"

bool options_check_id(const char *id, const char *root, GError **error)
{
    if (!id || words_is_identifier(id))
        return true;
    return options_fail(error, root, "'%s' is no identifier: a letter, then letters, digits, '-', '.' and '_'", id);
}

/* `root.key: ...` Always false. */
static bool G_GNUC_PRINTF(4, 5) fail(GError **error, const char *root, const char *key, const char *format, ...)
{
    g_autofree char *path = g_strdup_printf("%s.%s", root, key);
    va_list ap;

    va_start(ap, format);
    g_autofree char *what = g_strdup_vprintf(format, ap);
    va_end(ap);
    return options_fail(error, path, "%s", what);
}

static bool check_id(const char *id, const char *root, const char *key, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s.%s", root, key);

    return options_check_id(id, path, error);
}

/* --- the machine -------------------------------------------------------------------------------------------------- */

bool options_accel(const char *names, OptionsAccel *accel, const char *root, GError **error)
{
    static const char *const known[] = {"kvm", "none", NULL};
    g_auto(GStrv) wanted = g_strsplit(names, ":", -1);

    for (size_t i = 0; wanted[i]; i++)
        for (unsigned n = 0; known[n]; n++) {
            *accel = (OptionsAccel)n;
            if (g_str_equal(known[n], wanted[i]))
                return true;
        }
    if (g_strv_contains((const char *const *)wanted, "tcg"))
        return options_fail(error, root, "tcg is not there: processors run on KVM only (accepted: kvm, none)");
    g_autofree char *why = words_unknown("accelerator", names, known);
    return options_fail(error, root, "%s", why);
}

static bool check_machine(const QmpMachineOptions *m, const char *root, GError **error)
{
    static const char *const types[] = {"pc", "pc-i440fx-7.2", "none", NULL};
    OptionsAccel accel;

    if (m->type && !g_strv_contains(types, m->type)) {
        g_autofree char *why = words_unknown("machine", m->type, types);
        return fail(error, root, "type", "%s", why);
    }
    g_autofree char *path = g_strconcat(root, ".accel", NULL);
    return !m->accel || options_accel(m->accel, &accel, path, error);
}

static bool check_accel(const QmpAccelOptions *a, const char *root, GError **error)
{
    OptionsAccel accel;

    return options_accel(a->accel, &accel, root, error);
}

static bool check_cpu(const char *text, GError **error)
{
    OptionsCpu cpu = {.features = g_ptr_array_new_with_free_func(options_feature_free)};
    bool ok = options_cpu(&cpu, text, error);

    g_ptr_array_unref(cpu.features);
    g_free(cpu.model);
    return ok;
}

static bool check_smp(const QmpSmpOptions *s, const char *root, GError **error)
{
    for (const QapiMember *m = qmp_type_SmpOptions.members; m->name; m++)
        if (*(const bool *)((const char *)s + m->presence - 1) && !*(const uint32_t *)((const char *)s + m->offset))
            return fail(error, root, m->name, "0 is out of range, at least 1 is wanted");
    return s->clusters <= 1 ||
           fail(error, root, "clusters", "a PC has no clusters, it must be 1 and not %u", s->clusters);
}

static bool check_order(const char *order, const char *root, const char *key, GError **error)
{
    for (const char *p = order; p && *p; p++) {
        if (*p < 'a' || *p > 'p')
            return fail(error, root, key, "'%c' is no drive (accepted: a to p)", *p);
        if (strchr(p + 1, *p))
            return fail(error, root, key, "drive '%c' is given twice", *p);
    }
    return true;
}

static bool check_boot(const QmpBootOptions *b, const char *root, GError **error)
{
    if (b->reboot_timeout < -1 || b->reboot_timeout > 0xffff)
        return fail(error, root, "reboot-timeout", "%" G_GINT64_FORMAT " is out of range (accepted: -1 to 65535)",
                    b->reboot_timeout);
    return check_order(b->order, root, "order", error) && check_order(b->once, root, "once", error);
}

static bool read_date(const char *text, int64_t *seconds)
{
    static const char form[] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2})?$";
    int year, month, day, hour = 0, minute = 0, second = 0;

    if (!g_regex_match_simple(form, text, G_REGEX_DOLLAR_ENDONLY, 0))
        return false;
    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second);
    g_autoptr(GDateTime) point = g_date_time_new_utc(year, month, day, hour, minute, second);
    if (point)
        *seconds = g_date_time_to_unix(point);
    return point;
}

bool options_rtc_base(const char *text, OptionsRtc *rtc, GError **error)
{
    rtc->base = OPTIONS_RTC_DATE;
    if (g_str_equal(text, "utc"))
        rtc->base = OPTIONS_RTC_UTC;
    else if (g_str_equal(text, "localtime"))
        rtc->base = OPTIONS_RTC_LOCALTIME;
    else if (!read_date(text, &rtc->start_s))
        return options_fail(error, "-rtc.base",
                            "'%s' is no time (accepted: utc, localtime, 2006-06-17, 2006-06-17T16:01:21)", text);
    return true;
}

static bool check_overcommit(const QmpOvercommitOptions *o, const char *root, GError **error)
{
    return !o->cpu_pm ||
           fail(error, root, "cpu-pm", "a guest cannot have the host's processors to itself (accepted: off)");
}

static bool check_uuid(const char *text, const char *root, GError **error)
{
    uint8_t uuid[16];

    return uuid_parse(text, uuid) ||
           options_fail(error, root, "'%s' is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", text);
}

static bool is_port(const char *text)
{
    return *text && text[strspn(text, G_CSET_DIGITS)] == 0 && strlen(text) <= 5 && atoi(text) <= 65535;
}

static bool check_incoming(const char *text, const char *root, GError **error)
{
    static const char *const schemes[] = {"defer", "tcp", "unix", "fd", "file", "exec", NULL};
    size_t len = strcspn(text, ":");
    g_autofree char *scheme = g_strndup(text, len);
    const char *behind = text[len] ? text + len + 1 : NULL, *port = behind ? strrchr(behind, ':') : NULL;

    if (!g_strv_contains(schemes, scheme)) {
        g_autofree char *why = words_unknown("protocol", scheme, schemes);
        return options_fail(error, root, "%s", why);
    }
    if (g_str_equal(scheme, "defer"))
        return !behind || options_fail(error, root, "nothing follows defer, '%s' does", behind);
    if (!behind || !*behind)
        return options_fail(error, root, "%s: is followed by where it comes from", scheme);
    if (g_str_equal(scheme, "tcp") && (!port || !is_port(port + 1)))
        return options_fail(error, root, "tcp: is followed by HOST:PORT, not by '%s'", behind);
    return true;
}

/* --- disks and objects -------------------------------------------------------------------------------------------- */

static bool check_drive(const QmpDriveOptions *d, const char *root, GError **error)
{
    if (d->has_index && (d->has_bus || d->has_unit))
        return options_fail(error, root, "a drive's place is its index, or its bus and unit, not both");
    return check_id(d->id, root, "id", error);
}

static bool check_blockdev(const QmpBlockdevOptions *b, const char *root, GError **error)
{
    return b->node_name ||
           fail(error, root, "node-name", "the key is missing: a node that others are to find needs one");
}

static bool check_size(uint64_t size, const char *root, GError **error)
{
    return size || fail(error, root, "size", "memory of no octets is none");
}

/* Nothing here is encrypted, so nobody asks for it: it is enough that it is there, as libvirt wants. */
static bool check_secret(const QmpSecretProperties *s, const char *root, GError **error)
{
    if (!s->data == !s->file)
        return fail(error, root, "qom-type", "a secret has either data or file");
    return !s->file || access(s->file, R_OK) == 0 || fail(error, root, "file", "%s: %s", s->file, g_strerror(errno));
}

bool options_check_object(const QmpObjectOptions *o, const char *root, GError **error)
{
    if (!check_id(o->id, root, "id", error))
        return false;
    switch (o->qom_type) {
    case QMP_OBJECT_TYPE_MEMORY_BACKEND_RAM:
        return check_size(o->u.memory_backend_ram->size, root, error);
    case QMP_OBJECT_TYPE_MEMORY_BACKEND_MEMFD:
        return check_size(o->u.memory_backend_memfd->size, root, error);
    case QMP_OBJECT_TYPE_MEMORY_BACKEND_FILE:
        return check_size(o->u.memory_backend_file->size, root, error);
    case QMP_OBJECT_TYPE_SECRET:
        return check_secret(o->u.secret, root, error);
    default:
        return true;
    }
}

static bool check_device(json_t *all, const DeviceType *const *types, const char *root, GError **error)
{
    OptionsDevice *d = options_device_new(all, types, root, error);

    options_device_free(d);
    return d;
}

/* --- networks ----------------------------------------------------------------------------------------------------- */

static bool check_user(const QmpNetdevUserOptions *u, const char *root, GError **error)
{
    enum { BITS_MAX = 126 };

    return !u->has_ipv6_prefixlen || (u->ipv6_prefixlen >= 1 && u->ipv6_prefixlen <= BITS_MAX) ||
           fail(error, root, "ipv6-prefixlen", "%" G_GINT64_FORMAT " (accepted: 1 to %d)", u->ipv6_prefixlen, BITS_MAX);
}

static bool check_tap(const QmpNetdevTapOptions *t, const char *root, GError **error)
{
    if (t->vhost)
        return fail(error, root, "vhost", "this version does not have it");
    if (t->fd && (t->ifname || t->script || t->downscript))
        return fail(error, root, "fd", "what is open already has no ifname, script or downscript");
    return true;
}

static bool check_net_socket(const QmpNetdevSocketOptions *s, const char *root, GError **error)
{
    if (!!s->fd + !!s->listen + !!s->connect + !!s->mcast + !!s->udp != 1)
        return fail(error, root, "type", "a socket needs exactly one of fd, listen, connect, mcast and udp");
    if (s->localaddr && !s->mcast && !s->udp)
        return fail(error, root, "localaddr", "it goes with mcast or udp only");
    return !s->udp || s->localaddr || fail(error, root, "udp", "it needs localaddr, too");
}

bool options_check_netdev(const QmpNetdev *n, const char *root, GError **error)
{
    switch (n->type) {
    case QMP_NET_CLIENT_DRIVER_USER:
        return check_id(n->id, root, "id", error) && check_user(n->u.user, root, error);
    case QMP_NET_CLIENT_DRIVER_TAP:
        return check_id(n->id, root, "id", error) && check_tap(n->u.tap, root, error);
    case QMP_NET_CLIENT_DRIVER_SOCKET:
        return check_id(n->id, root, "id", error) && check_net_socket(n->u.socket, root, error);
    case QMP_NET_CLIENT_DRIVER_VDE:
        return check_id(n->id, root, "id", error);
    default:
        return fail(error, root, "type", "'none' is no network (accepted: user, tap, socket, vde)");
    }
}

static bool check_nic(const QmpNicOptions *n, const char *root, GError **error)
{
    static const char *const models[] = {"virtio-net-pci", "virtio", NULL};
    uint8_t mac[6];

    if (n->mac && !net_read_mac(n->mac, mac))
        return fail(error, root, "mac", "'%s' is no address like 52:54:00:12:34:56", n->mac);
    if (n->model && !g_strv_contains(models, n->model)) {
        g_autofree char *why = words_unknown("model", n->model, models);
        return fail(error, root, "model", "%s", why);
    }
    if (!check_id(n->id, root, "id", error))
        return false;
    return n->type == QMP_NET_CLIENT_DRIVER_USER     ? check_user(n->u.user, root, error)
           : n->type == QMP_NET_CLIENT_DRIVER_TAP    ? check_tap(n->u.tap, root, error)
           : n->type == QMP_NET_CLIENT_DRIVER_SOCKET ? check_net_socket(n->u.socket, root, error)
                                                     : true;
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static bool check_char_socket(const QmpChardevSocketOptions *s, const char *root, GError **error)
{
    if (s->has_fd && (s->path || s->host || s->port || s->reconnect))
        return fail(error, root, "fd", "a socket that is open already has no path, host, port or reconnect");
    if (s->has_fd)
        return s->fd >= 0 || fail(error, root, "fd", "%d is no descriptor", s->fd);
    if (s->path && (s->host || s->port))
        return fail(error, root, "path", "a socket has a path, or a host and a port, not both");
    if (!s->path && !s->port)
        return fail(error, root, "path", "a socket needs a path, or a port");
    if (!s->path && !s->host && !s->server)
        return fail(error, root, "host", "a client needs to know to which host it connects");
    if (s->server && s->reconnect)
        return fail(error, root, "reconnect", "only a client connects again, and this is a server");
    return true;
}

static bool check_ringbuf(const QmpChardevRingbufOptions *r, const char *root, GError **error)
{
    if (!r->has_size || (r->size && r->size <= 1 << 30 && !(r->size & (r->size - 1))))
        return true;
    return fail(error, root, "size", "%" G_GUINT64_FORMAT " is not a power of 2 up to 1G", r->size);
}

bool options_check_chardev(const QmpChardevOptions *c, const char *root, GError **error)
{
    if (!check_id(c->id, root, "id", error))
        return false;
    if (c->backend == QMP_CHARDEV_BACKEND_KIND_SOCKET)
        return check_char_socket(c->u.socket, root, error);
    return c->backend != QMP_CHARDEV_BACKEND_KIND_RINGBUF || check_ringbuf(c->u.ringbuf, root, error);
}

static bool check_line(const char *text, const char *root, GError **error)
{
    g_autoptr(QmpChardevOptions) own = NULL;
    OptionsChar c;

    return options_line(&c, text, root, &own, error);
}

/* People know such a line by the option that is only for it. */
static bool check_monitor(const QmpMonitorOptions *m, const char *root, GError **error)
{
    if (!m->chardev == !m->line)
        return fail(error, root, "chardev", m->line ? "it is there, or line is, not both" : "the key is missing");
    return !m->line || check_line(m->line, m->mode ? "-qmp" : "-monitor", error);
}

/* The first three are the terminal. */
static bool check_add_fd(const QmpAddFdOptions *o, const char *root, GError **error)
{
    return o->fd > STDERR_FILENO || fail(error, root, "fd", "%d (accepted: %d and more)", o->fd, STDERR_FILENO + 1);
}

/* --- any ---------------------------------------------------------------------------------------------------------- */

static bool check_text(const char *option, const char *text, const char *root, GError **error)
{
    if (g_str_equal(option, "cpu"))
        return check_cpu(text, error);
    if (g_str_equal(option, "uuid"))
        return check_uuid(text, root, error);
    if (g_str_equal(option, "incoming"))
        return check_incoming(text, root, error);
    return !g_str_equal(option, "serial") || check_line(text, root, error);
}

static bool check_rtc(const QmpRtcOptions *r, const char *root, GError **error)
{
    OptionsRtc rtc;

    (void)root;
    return !r->base || options_rtc_base(r->base, &rtc, error);
}

typedef bool Check(const void *value, const char *root, GError **error);

#define CHECKS(X)                                                                                                      \
    X(MachineOptions, check_machine)                                                                                   \
    X(AccelOptions, check_accel)                                                                                       \
    X(SmpOptions, check_smp)                                                                                           \
    X(BootOptions, check_boot)                                                                                         \
    X(RtcOptions, check_rtc)                                                                                           \
    X(OvercommitOptions, check_overcommit)                                                                             \
    X(DriveOptions, check_drive)                                                                                       \
    X(BlockdevOptions, check_blockdev)                                                                                 \
    X(ObjectOptions, options_check_object)                                                                             \
    X(Netdev, options_check_netdev)                                                                                    \
    X(NicOptions, check_nic)                                                                                           \
    X(AddFdOptions, check_add_fd)                                                                                      \
    X(ChardevOptions, options_check_chardev)                                                                           \
    X(MonitorOptions, check_monitor)

#define DEFINE(Type, function)                                                                                         \
    static bool any_##Type(const void *value, const char *root, GError **error)                                        \
    {                                                                                                                  \
        return function(value, root, error);                                                                           \
    }
#define ROW(Type, function) {&qmp_type_##Type, any_##Type},

CHECKS(DEFINE)

static const struct {
    const QapiType *type;
    Check *check;
} checks[] = {CHECKS(ROW)};

bool options_check_value(const QapiMember *option, const void *value, const DeviceType *const *types, GError **error)
{
    const QapiType *type = options_type(option);
    g_autofree char *root = options_root(option);

    if (type->kind == QAPI_ANY)
        return check_device(*(json_t *const *)value, types, root, error);
    if (type->kind == QAPI_STRING)
        return check_text(option->name, *(char *const *)value, root, error);
    for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
        if (checks[i].type == type)
            return checks[i].check(*(void *const *)value, root, error);
    return true;
}

bool options_check_values(const QmpConfiguration *c, const DeviceType *const *types, GError **error)
{
    for (const QapiMember *m = qmp_type_Configuration.members; m->name; m++) {
        const void *place = (const char *)c + m->offset;
        const QapiList *list = place;
        bool pointer = m->type->kind != QAPI_LIST && !m->presence;
        if (pointer && *(void *const *)place && !options_check_value(m, place, types, error))
            return false;
        for (size_t i = 0; m->type->kind == QAPI_LIST && i < list->count; i++)
            if (!options_check_value(m, (void **)list->items + i, types, error))
                return false;
    }
    return true;
}
