/* commands-net.c: networks, and what cards take of them; schema/net.json. */
#include <string.h>
#include <unistd.h>

#include "emu/machine/devices.h"
#include "emu/machine/networks.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/rights.h"
#include "emu/virtio/virtio-devices.h"
#include "emu/virtio/virtio-net-filter.h"
#include "qapi/commands.h"

/* --- what there is ----------------------------------------------------------------------------------------------- */

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

/* Also what was not said. */
static QmpNetdevUserOptions *tell_user(const QmpNetdevUserOptions *o)
{
    QmpNetdevUserOptions *u = qapi_copy(&qmp_type_NetdevUserOptions, o);

    u->ipv4 = !o->has_ipv4 || o->ipv4;
    u->ipv6 = !o->has_ipv6 || o->ipv6;
    u->has_restrict = u->has_ipv4 = u->has_ipv6 = true;
    return u;
}

static QmpNetdevInfo *tell_network(const Vm *vm, const VmNetwork *n)
{
    QmpNetdevInfo *info = g_new0(QmpNetdevInfo, 1);
    const QmpNetdev *o = n->options;
    const VmDevice *card = card_of(vm, o->id);

    info->device = g_strdup(o->id);
    info->peer = card ? g_strdup(name_of(card)) : NULL;
    info->type = o->type;
    switch (o->type) {
    case QMP_NET_CLIENT_DRIVER_USER:
        info->u.user = g_new0(QmpNetdevInfoUser, 1);
        info->u.user->info = tell_user(o->u.user);
        break;
    case QMP_NET_CLIENT_DRIVER_TAP:
        info->u.tap = g_new0(QmpNetdevInfoTap, 1);
        info->u.tap->info = qapi_copy(&qmp_type_NetdevTapOptions, o->u.tap);
        break;
    case QMP_NET_CLIENT_DRIVER_SOCKET:
        info->u.socket = g_new0(QmpNetdevInfoSocket, 1);
        info->u.socket->info = qapi_copy(&qmp_type_NetdevSocketOptions, o->u.socket);
        break;
    default:
        info->u.vde = g_new0(QmpNetdevInfoVde, 1);
        info->u.vde->info = qapi_copy(&qmp_type_NetdevVdeOptions, o->u.vde);
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

/* Where it says a descriptor; NULL: nowhere. */
static char **fd_of(QmpNetdev *n)
{
    return n->type == QMP_NET_CLIENT_DRIVER_TAP      ? &n->u.tap->fd
           : n->type == QMP_NET_CLIENT_DRIVER_SOCKET ? &n->u.socket->fd
                                                     : NULL;
}

bool qmp_netdev_add(QmpCall *call, const QmpNetdev *arguments, GError **error)
{
    g_autoptr(QmpNetdev) one = qapi_copy(&qmp_type_Netdev, arguments);
    const QmpConfiguration more = {.has_netdev = true, .netdev = {1, &one}};
    char **said = fd_of(one);
    int fd = -1;

    if (said && *said) {
        g_autofree char *name = *said;
        *said = qmp_call_find_fd_in(call, "", name, &fd, error);
        if (!*said)
            return false;
    }
    bool ok =
        qmp_call_vm(call) ? vm_add_network(qmp_call_vm(call), one, error) : qmp_call_configure(call, &more, error);
    if (!ok && fd >= 0)
        close(fd);
    return ok;
}

bool qmp_netdev_del(QmpCall *call, const QmpNetdevDelArguments *arguments, GError **error)
{
    Vm *vm = qmp_call_vm(call);

    for (size_t i = 0; i < vm_network_count(vm); i++)
        if (strcmp(vm_network(vm, i).options->id, arguments->id) == 0)
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
