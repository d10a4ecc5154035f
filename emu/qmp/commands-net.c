/* commands-net.c: networks, and what cards take of them; schema/net.json. */
#include <inttypes.h>
#include <string.h>

#include "emu/machine/devices.h"
#include "emu/machine/networks.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/virtio/virtio-devices.h"
#include "emu/virtio/virtio-net-filter.h"
#include "qapi/commands.h"

enum { IPV6_BITS_MAX = 126 };

/* --- what there is ----------------------------------------------------------------------------------------------- */

/* Rules, a line each, as a list. */
static void split_rules(const char *rules, bool *has, QmpStringList *list)
{
    g_auto(GStrv) lines = g_strsplit(rules ? rules : "", "\n", -1);

    *has = rules;
    list->items = g_new0(QmpString *, g_strv_length(lines));
    for (char **line = lines; *line; line++) {
        if (!**line)
            continue;
        QmpString *rule = g_new0(QmpString, 1);
        rule->str = g_strdup(*line);
        list->items[list->count++] = rule;
    }
}

static QmpNetdevUserOptions *tell_user(const OptionsNet *o)
{
    QmpNetdevUserOptions *u = g_new0(QmpNetdevUserOptions, 1);

    *u = (QmpNetdevUserOptions){.hostname = g_strdup(o->hostname),
                                .has_restrict = true,
                                .q_restrict = o->restricted,
                                .has_ipv4 = true,
                                .ipv4 = o->ipv4,
                                .has_ipv6 = true,
                                .ipv6 = o->ipv6,
                                .net = g_strdup(o->net),
                                .host = g_strdup(o->host),
                                .tftp = g_strdup(o->tftp),
                                .bootfile = g_strdup(o->bootfile),
                                .dhcpstart = g_strdup(o->dhcpstart),
                                .dns = g_strdup(o->dns),
                                .domainname = g_strdup(o->domainname),
                                .ipv6_prefix = g_strdup(o->ipv6_prefix),
                                .has_ipv6_prefixlen = o->ipv6_bits,
                                .ipv6_prefixlen = o->ipv6_bits,
                                .ipv6_host = g_strdup(o->ipv6_host),
                                .ipv6_dns = g_strdup(o->ipv6_dns),
                                .tftp_server_name = g_strdup(o->tftp_server)};
    split_rules(o->dnssearch, &u->has_dnssearch, &u->dnssearch);
    split_rules(o->hostfwd, &u->has_hostfwd, &u->hostfwd);
    split_rules(o->guestfwd, &u->has_guestfwd, &u->guestfwd);
    return u;
}

static QmpNetdevTapOptions *tell_tap(const OptionsNet *o)
{
    QmpNetdevTapOptions *t = g_new0(QmpNetdevTapOptions, 1);

    *t = (QmpNetdevTapOptions){.ifname = g_strdup(o->ifname),
                               .fd = g_strdup(o->fd),
                               .script = g_strdup(o->script),
                               .downscript = g_strdup(o->downscript)};
    return t;
}

static QmpNetdevSocketOptions *tell_socket(const OptionsNet *o)
{
    QmpNetdevSocketOptions *s = g_new0(QmpNetdevSocketOptions, 1);

    *s = (QmpNetdevSocketOptions){.fd = g_strdup(o->fd),
                                  .listen = g_strdup(o->listen),
                                  .connect = g_strdup(o->connect),
                                  .mcast = g_strdup(o->mcast),
                                  .localaddr = g_strdup(o->localaddr),
                                  .udp = g_strdup(o->udp)};
    return s;
}

static QmpNetdevVdeOptions *tell_vde(const OptionsNet *o)
{
    QmpNetdevVdeOptions *v = g_new0(QmpNetdevVdeOptions, 1);

    *v = (QmpNetdevVdeOptions){.sock = g_strdup(o->sock),
                               .has_port = o->port,
                               .port = o->port,
                               .group = g_strdup(o->group),
                               .has_mode = o->mode,
                               .mode = o->mode};
    return v;
}

/* The card's name; NULL: there is none. */
static const VmDevice *card_of(const Vm *vm, const char *network)
{
    const GPtrArray *devices = vm_devices(vm);

    for (guint i = 0; i < devices->len; i++) {
        const VmDevice *d = devices->pdata[i];
        if (g_strcmp0(d->netdev, network) == 0)
            return d;
    }
    return NULL;
}

static const char *name_of(const VmDevice *d)
{
    return d->id ? d->id : d->type->name;
}

static QmpNetdevInfo *tell_network(const Vm *vm, const VmNetwork *n)
{
    QmpNetdevInfo *info = g_new0(QmpNetdevInfo, 1);
    const VmDevice *card = card_of(vm, n->id);

    info->device = g_strdup(n->id);
    info->peer = card ? g_strdup(name_of(card)) : NULL;
    switch (n->options->type) {
    case OPTIONS_NET_USER:
        info->type = QMP_NET_CLIENT_DRIVER_USER;
        info->u.user = g_new0(QmpNetdevInfoUser, 1);
        info->u.user->info = tell_user(n->options);
        break;
    case OPTIONS_NET_TAP:
        info->type = QMP_NET_CLIENT_DRIVER_TAP;
        info->u.tap = g_new0(QmpNetdevInfoTap, 1);
        info->u.tap->info = tell_tap(n->options);
        break;
    case OPTIONS_NET_SOCKET:
        info->type = QMP_NET_CLIENT_DRIVER_SOCKET;
        info->u.socket = g_new0(QmpNetdevInfoSocket, 1);
        info->u.socket->info = tell_socket(n->options);
        break;
    default:
        info->type = QMP_NET_CLIENT_DRIVER_VDE;
        info->u.vde = g_new0(QmpNetdevInfoVde, 1);
        info->u.vde->info = tell_vde(n->options);
    }
    return info;
}

bool qmp_query_netdev(QmpCall *call, QmpNetdevInfoList *result, GError **error)
{
    const Vm *vm = qmp_call_vm(call);
    size_t count = vm ? vm_network_count(vm) : 0;

    (void)error;
    result->items = g_new0(QmpNetdevInfo *, count);
    for (size_t i = 0; i < count; i++) {
        VmNetwork n = vm_network(vm, i);
        result->items[result->count++] = tell_network(vm, &n);
    }
    return true;
}

/* --- they come and go -------------------------------------------------------------------------------------------- */

static char *join_rules(const QmpStringList *list)
{
    GString *rules = g_string_new(NULL);

    for (size_t i = 0; i < list->count; i++)
        g_string_append_printf(rules, "%s%s", i ? "\n" : "", list->items[i]->str);
    return g_string_free(rules, !rules->len);
}

static bool refuse(GError **error, const char *key)
{
    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "netdev_add.%s: this version does not have it", key);
    return false;
}

static bool take_user(OptionsNet *o, const QmpNetdevUserOptions *u, GError **error)
{
    o->type = OPTIONS_NET_USER;
    o->hostname = g_strdup(u->hostname);
    o->restricted = u->has_restrict && u->q_restrict;
    o->ipv4 = !u->has_ipv4 || u->ipv4;
    o->ipv6 = !u->has_ipv6 || u->ipv6;
    o->net = g_strdup(u->net);
    o->host = g_strdup(u->host);
    o->tftp = g_strdup(u->tftp);
    o->bootfile = g_strdup(u->bootfile);
    o->dhcpstart = g_strdup(u->dhcpstart);
    o->dns = g_strdup(u->dns);
    o->domainname = g_strdup(u->domainname);
    o->dnssearch = join_rules(&u->dnssearch);
    o->ipv6_prefix = g_strdup(u->ipv6_prefix);
    o->ipv6_host = g_strdup(u->ipv6_host);
    o->ipv6_dns = g_strdup(u->ipv6_dns);
    o->tftp_server = g_strdup(u->tftp_server_name);
    o->hostfwd = join_rules(&u->hostfwd);
    o->guestfwd = join_rules(&u->guestfwd);
    if (u->has_ipv6_prefixlen && (u->ipv6_prefixlen < 1 || u->ipv6_prefixlen > IPV6_BITS_MAX)) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "netdev_add.ipv6-prefixlen: %" PRId64 " (accepted: 1 to %d)",
                    u->ipv6_prefixlen, IPV6_BITS_MAX);
        return false;
    }
    o->ipv6_bits = (uint16_t)u->ipv6_prefixlen;
    return true;
}

static bool take_tap(OptionsNet *o, const QmpNetdevTapOptions *t, GError **error)
{
    o->type = OPTIONS_NET_TAP;
    o->ifname = g_strdup(t->ifname);
    o->fd = g_strdup(t->fd);
    o->script = g_strdup(t->script);
    o->downscript = g_strdup(t->downscript);
    return !(t->has_vhost && t->vhost) || refuse(error, "vhost");
}

/* One way to be connected, and only one. */
static bool take_socket(OptionsNet *o, const QmpNetdevSocketOptions *s, GError **error)
{
    o->type = OPTIONS_NET_SOCKET;
    o->fd = g_strdup(s->fd);
    o->listen = g_strdup(s->listen);
    o->connect = g_strdup(s->connect);
    o->mcast = g_strdup(s->mcast);
    o->localaddr = g_strdup(s->localaddr);
    o->udp = g_strdup(s->udp);
    if (!!s->fd + !!s->listen + !!s->connect + !!s->mcast + !!s->udp == 1)
        return true;
    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC,
                "netdev_add: a socket needs exactly one of fd, listen, connect, mcast and udp");
    return false;
}

static bool take_vde(OptionsNet *o, const QmpNetdevVdeOptions *v)
{
    o->type = OPTIONS_NET_VDE;
    o->sock = g_strdup(v->sock);
    o->port = v->has_port ? v->port : 0;
    o->group = g_strdup(v->group);
    o->mode = v->has_mode ? v->mode : 0700;
    return true;
}

static bool take_options(OptionsNet *o, const QmpNetdev *n, GError **error)
{
    o->id = g_strdup(n->id);
    switch (n->type) {
    case QMP_NET_CLIENT_DRIVER_USER:
        return take_user(o, n->u.user, error);
    case QMP_NET_CLIENT_DRIVER_TAP:
        return take_tap(o, n->u.tap, error);
    case QMP_NET_CLIENT_DRIVER_SOCKET:
        return take_socket(o, n->u.socket, error);
    case QMP_NET_CLIENT_DRIVER_VDE:
        return take_vde(o, n->u.vde);
    default:
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC,
                    "netdev_add.type: '%s' is no network (accepted: user, tap, socket, vde)",
                    qmp_NetClientDriver_name(n->type));
        return false;
    }
}

static bool needs_machine(const Vm *vm, GError **error)
{
    if (!vm)
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "the machine is not there yet");
    return vm;
}

bool qmp_netdev_add(QmpCall *call, const QmpNetdev *arguments, GError **error)
{
    Vm *vm = qmp_call_vm(call);

    if (!needs_machine(vm, error))
        return false;
    OptionsNet *o = g_new0(OptionsNet, 1);
    if (take_options(o, arguments, error))
        return vm_add_network(vm, o, error);
    options_net_free(o);
    return false;
}

bool qmp_netdev_del(QmpCall *call, const QmpNetdevDelArguments *arguments, GError **error)
{
    Vm *vm = qmp_call_vm(call);

    if (!needs_machine(vm, error))
        return false;
    for (size_t i = 0; i < vm_network_count(vm); i++)
        if (strcmp(vm_network(vm, i).id, arguments->id) == 0)
            return vm_remove_network(vm, arguments->id, error);
    return qmp_refuse(error, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", arguments->id);
}

/* --- cards ------------------------------------------------------------------------------------------------------- */

/* By its own name, or by its network's. */
static const VmDevice *find_card(const Vm *vm, const char *name, GError **error)
{
    const VmDevice *d = vm_device_of_id(vm, name);

    if (!d)
        d = card_of(vm, name);
    if (d && d->type == &virtio_net_type)
        return d;
    g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "there is no network card '%s', and no network with one",
                name);
    return NULL;
}

bool qmp_set_link(QmpCall *call, const QmpSetLinkArguments *arguments, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    const VmDevice *card = find_card(vm, arguments->name, error);

    if (!card)
        return false;
    machine_lock(pc_machine(vm_pc(vm)));
    virtio_net_set_link(card->dev, arguments->up);
    machine_unlock(pc_machine(vm_pc(vm)));
    return true;
}

static char *spell_mac(const uint8_t mac[6])
{
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void tell_macs(const VirtioNetFilter *f, bool multicast, QmpStrList *list)
{
    list->items = g_new0(char *, f->count + 1);
    for (unsigned i = 0; i < f->count; i++)
        if ((f->macs[i][0] & 1) == multicast)
            list->items[list->count++] = spell_mac(f->macs[i]);
}

static QmpRxState state_of(bool none, bool all)
{
    return none ? QMP_RX_STATE_NONE : all ? QMP_RX_STATE_ALL : QMP_RX_STATE_NORMAL;
}

static QmpRxFilterInfo *tell_filter(const VmDevice *card, const VirtioNetFilter *f)
{
    QmpRxFilterInfo *info = g_new0(QmpRxFilterInfo, 1);

    info->name = g_strdup(name_of(card));
    info->promiscuous = f->promiscuous;
    info->multicast = state_of(f->no_multicast, f->all_multicast);
    info->unicast = state_of(f->no_unicast, f->all_unicast);
    info->broadcast_allowed = !f->no_broadcast;
    info->multicast_overflow = f->multicast_overflow;
    info->unicast_overflow = f->unicast_overflow;
    info->main_mac = spell_mac(f->mac);
    info->vlan_table.items = g_new0(int64_t, VIRTIO_NET_FILTER_VLANS);
    for (unsigned i = 0; f->filters_vlans && i < VIRTIO_NET_FILTER_VLANS; i++)
        if (f->vlans[i / 8] >> i % 8 & 1)
            info->vlan_table.items[info->vlan_table.count++] = i;
    info->vlan = !f->filters_vlans        ? QMP_RX_STATE_ALL
                 : info->vlan_table.count ? QMP_RX_STATE_NORMAL
                                          : QMP_RX_STATE_NONE;
    tell_macs(f, false, &info->unicast_table);
    tell_macs(f, true, &info->multicast_table);
    return info;
}

bool qmp_query_rx_filter(QmpCall *call, const QmpQueryRxFilterArguments *arguments, QmpRxFilterInfoList *result,
                         GError **error)
{
    Vm *vm = qmp_call_vm(call);
    const VmDevice *one = arguments->name ? vm_device_of_id(vm, arguments->name) : NULL;
    const GPtrArray *devices = vm_devices(vm);
    VirtioNetFilter filter;

    if (arguments->name && (!one || one->type != &virtio_net_type)) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "there is no network card '%s'", arguments->name);
        return false;
    }
    result->items = g_new0(QmpRxFilterInfo *, devices->len);
    machine_lock(pc_machine(vm_pc(vm)));
    for (guint i = 0; i < devices->len; i++) {
        const VmDevice *d = devices->pdata[i];
        if (d->type != &virtio_net_type || (one && one != d))
            continue;
        virtio_net_get_filter(d->dev, &filter);
        result->items[result->count++] = tell_filter(d, &filter);
    }
    machine_unlock(pc_machine(vm_pc(vm)));
    return true;
}
