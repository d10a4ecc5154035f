/* vm-nets.c: a Vm's networks: -netdev, and the first half of -nic. */
#include <stdlib.h>
#include <string.h>

#include "emu/machine/networks.h"
#include "emu/machine/vm-impl.h"

void vm_net_free(void *data)
{
    VmNet *n = data;

    net_free(n->net);
    qmp_Netdev_free(n->options);
    g_free(n);
}

static VmNet *find(const Vm *vm, const char *id)
{
    for (unsigned i = 0; i < vm->nets->len; i++) {
        VmNet *n = vm->nets->pdata[i];
        if (g_str_equal(n->options->id, id))
            return n;
    }
    return NULL;
}

static void *refuse(GError **error, const char *id, const char *key, const char *value, const char *right)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "-netdev %s.%s: '%s'; %s", id, key, value, right);
    return NULL;
}

static bool read_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    *port = (uint16_t)n;
    return end != text && *end == 0 && n <= UINT16_MAX;
}

/* "HOST:PORT", cut at the last colon; HOST may be empty, then it is NULL. Changes the text. */
static bool cut_address(char *text, const char **host, char **port)
{
    char *colon = strrchr(text, ':');

    if (!colon)
        return false;
    *colon = 0;
    *host = *text ? text : NULL;
    *port = colon + 1;
    return true;
}

/* --- user ------------------------------------------------------------------------------------------------------- */

/* What the lists of a NetUser are made of; strings live in `texts`. */
typedef struct UserLists {
    GArray *forwards, *services;
    GPtrArray *texts;
} UserLists;

static void lists_done(UserLists *l)
{
    g_array_unref(l->forwards);
    g_array_unref(l->services);
    g_ptr_array_unref(l->texts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UserLists, lists_done)

/* "tcp:127.0.0.1:2222-10.0.2.15:22", "tcp::2222-:22" */
static bool add_forward(UserLists *l, const char *id, const char *rule, GError **error)
{
    static const char right[] = "a forward is [tcp|udp]:[HOST]:PORT-[GUEST]:PORT";
    char *text = g_strdup(rule), *dash = strchr(text, '-'), *first = strchr(text, ':'), *ports[2];
    NetForward f = {.udp = g_str_has_prefix(text, "udp:")};
    bool ok = dash && first && first < dash && (f.udp || text[0] == ':' || g_str_has_prefix(text, "tcp:"));

    g_ptr_array_add(l->texts, text);
    if (ok)
        *dash = 0;
    ok = ok && cut_address(first + 1, &f.host, &ports[0]) && cut_address(dash + 1, &f.guest, &ports[1]) &&
         read_port(ports[0], &f.host_port) && read_port(ports[1], &f.guest_port);
    if (!ok)
        return refuse(error, id, "hostfwd", rule, right);
    g_array_append_val(l->forwards, f);
    return true;
}

/* "tcp:10.0.2.100:1234-cmd:PROGRAM", "...-unix:PATH" */
static bool add_service(UserLists *l, const char *id, const char *rule, GError **error)
{
    static const char right[] = "a service is [tcp]:[ADDRESS]:PORT-cmd:COMMAND, or -unix:PATH";
    char *text = g_strdup(rule), *dash = strchr(text, '-'), *first = strchr(text, ':'), *port;
    NetService s = {.port = 0};

    g_ptr_array_add(l->texts, text);
    if (!dash || !first || first > dash || !(text[0] == ':' || g_str_has_prefix(text, "tcp:")))
        return refuse(error, id, "guestfwd", rule, right);
    *dash = 0;
    s.command = g_str_has_prefix(dash + 1, "cmd:") ? dash + 5 : NULL;
    s.path = g_str_has_prefix(dash + 1, "unix:") ? dash + 6 : NULL;
    if (!cut_address(first + 1, &s.address, &port) || !read_port(port, &s.port) || !(s.command || s.path))
        return refuse(error, id, "guestfwd", rule, right);
    g_array_append_val(l->services, s);
    return true;
}

static bool add_rules(UserLists *l, const char *id, const QmpStringList *rules,
                      bool (*add)(UserLists *, const char *, const char *, GError **), GError **error)
{
    for (size_t i = 0; i < rules->count; i++)
        if (!add(l, id, rules->items[i]->str, error))
            return false;
    return true;
}

static NetBackend *new_user(const NetHome *home, const QmpNetdev *netdev, GError **error)
{
    const QmpNetdevUserOptions *o = netdev->u.user;
    g_auto(UserLists) l = {g_array_new(FALSE, FALSE, sizeof(NetForward)), g_array_new(FALSE, FALSE, sizeof(NetService)),
                           g_ptr_array_new_with_free_func(g_free)};

    if (!add_rules(&l, home->id, &o->hostfwd, add_forward, error) ||
        !add_rules(&l, home->id, &o->guestfwd, add_service, error))
        return NULL;
    g_autoptr(GPtrArray) search = g_ptr_array_new();
    for (size_t i = 0; i < o->dnssearch.count; i++)
        g_ptr_array_add(search, o->dnssearch.items[i]->str);
    g_ptr_array_add(search, NULL);
    g_autofree char *prefix =
        o->has_ipv6_prefixlen
            ? g_strdup_printf("%s/%u", o->ipv6_prefix ? o->ipv6_prefix : "fec0::", (unsigned)o->ipv6_prefixlen)
            : g_strdup(o->ipv6_prefix);
    const NetUser user = {.no_ipv4 = o->has_ipv4 && !o->ipv4,
                          .no_ipv6 = o->has_ipv6 && !o->ipv6,
                          .net = o->net,
                          .host = o->host,
                          .dns = o->dns,
                          .dhcp_start = o->dhcpstart,
                          .ipv6_prefix = prefix,
                          .ipv6_host = o->ipv6_host,
                          .ipv6_dns = o->ipv6_dns,
                          .hostname = o->hostname,
                          .domain = o->domainname,
                          .dns_search = o->dnssearch.count ? (const char *const *)search->pdata : NULL,
                          .restricted = o->q_restrict,
                          .tftp = o->tftp,
                          .tftp_server = o->tftp_server_name,
                          .bootfile = o->bootfile,
                          .forwards = (const NetForward *)(const void *)l.forwards->data,
                          .forward_count = l.forwards->len,
                          .services = (const NetService *)(const void *)l.services->data,
                          .service_count = l.services->len};
    return net_user_new(home, &user, error);
}

/* --- others ----------------------------------------------------------------------------------------------------- */

static bool read_fd(const char *id, const char *text, int *fd, GError **error)
{
    char *end;
    long n = strtol(text, &end, 10);

    *fd = (int)n;
    if (end != text && *end == 0 && n > 2 && n <= G_MAXINT)
        return true;
    refuse(error, id, "fd", text, "the number of an open descriptor is needed");
    return false;
}

static const char *script_of(const char *text)
{
    return text && !g_str_equal(text, "no") ? text : NULL;
}

static NetBackend *new_tap(const NetHome *home, const QmpNetdev *netdev, GError **error)
{
    const QmpNetdevTapOptions *o = netdev->u.tap;
    NetTap tap = {
        .ifname = o->ifname, .use_fd = o->fd, .script = script_of(o->script), .downscript = script_of(o->downscript)};

    return o->fd && !read_fd(home->id, o->fd, &tap.fd, error) ? NULL : net_tap_new(home, &tap, error);
}

static NetBackend *new_socket(const NetHome *home, const QmpNetdev *netdev, GError **error)
{
    const QmpNetdevSocketOptions *o = netdev->u.socket;
    const char *text = o->listen ? o->listen : o->connect ? o->connect : o->mcast ? o->mcast : o->udp;
    NetSocket s = {.mode = o->listen    ? NET_SOCKET_LISTEN
                           : o->connect ? NET_SOCKET_CONNECT
                           : o->mcast   ? NET_SOCKET_MCAST
                           : o->udp     ? NET_SOCKET_UDP
                                        : NET_SOCKET_FD};
    g_autofree char *address = g_strdup(text), *local = g_strdup(o->localaddr);
    char *port = NULL, *local_port = NULL;

    if (o->fd)
        return read_fd(home->id, o->fd, &s.fd, error) ? net_socket_new(home, &s, error) : NULL;
    if (!cut_address(address, &s.host, &port))
        return refuse(error, home->id, "address", text, "HOST:PORT is needed");
    s.port = port;
    if (local && s.mode == NET_SOCKET_MCAST)
        s.local_host = local;
    else if (local && !cut_address(local, &s.local_host, &local_port))
        return refuse(error, home->id, "localaddr", o->localaddr, "HOST:PORT is needed");
    s.local_port = local_port;
    return net_socket_new(home, &s, error);
}

static NetBackend *new_vde(const NetHome *home, const QmpNetdev *netdev, GError **error)
{
    const QmpNetdevVdeOptions *o = netdev->u.vde;
    const NetVde vde = {.sock = o->sock, .port = o->port, .group = o->group, .mode = o->mode};

    return net_vde_new(home, &vde, error);
}

/* --- all -------------------------------------------------------------------------------------------------------- */

VmNet *vm_net_new(Vm *vm, const QmpNetdev *o, GError **error)
{
    static NetBackend *(*const makers[])(const NetHome *, const QmpNetdev *, GError **) = {
        [QMP_NET_CLIENT_DRIVER_USER] = new_user,
        [QMP_NET_CLIENT_DRIVER_TAP] = new_tap,
        [QMP_NET_CLIENT_DRIVER_SOCKET] = new_socket,
        [QMP_NET_CLIENT_DRIVER_VDE] = new_vde,
    };
    const NetHome home = {.id = o->id, .context = vm->context, .machine = pc_machine(vm->pc)};

    if (find(vm, o->id)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "-netdev: there are two networks called '%s'", o->id);
        return NULL;
    }
    NetBackend *net = makers[o->type](&home, o, error);
    if (!net)
        return NULL;
    VmNet *n = g_new0(VmNet, 1);
    n->net = net;
    n->options = qapi_copy(&qmp_type_Netdev, o);
    g_ptr_array_add(vm->nets, n);
    return n;
}

bool vm_make_nets(Vm *vm, GError **error)
{
    const QmpNetdevList *all = &vm->options->said->netdev;

    for (size_t i = 0; i < all->count; i++)
        if (!vm_net_new(vm, all->items[i], error))
            return false;
    return true;
}

VmNet *vm_take_net(Vm *vm, const char *id, GError **error)
{
    VmNet *n = find(vm, id);

    if (!n || n->used) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    n ? "the network '%s' is another card's" : "there is no network '%s' (-netdev)", id);
        return NULL;
    }
    n->used = true;
    return n;
}

void vm_release_net(Vm *vm, const char *id)
{
    VmNet *n = find(vm, id);

    if (n)
        n->used = false;
}

/* --- while the machine is there --------------------------------------------------------------------------------- */

size_t vm_network_count(const Vm *vm)
{
    return vm->nets->len;
}

VmNetwork vm_network(const Vm *vm, size_t index)
{
    const VmNet *n = vm->nets->pdata[index];

    return (VmNetwork){.options = n->options, .used = n->used};
}

bool vm_add_network(Vm *vm, const QmpNetdev *o, GError **error)
{
    return options_check_netdev(o, "netdev_add", error) && vm_net_new(vm, o, error);
}

bool vm_remove_network(Vm *vm, const char *id, GError **error)
{
    VmNet *n = find(vm, id);

    if (n && !n->used) {
        machine_lock(pc_machine(vm->pc));
        g_ptr_array_remove(vm->nets, n);
        machine_unlock(pc_machine(vm->pc));
        return true;
    }
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                n ? "the network '%s' is in use by a card" : "there is no network '%s'", id);
    return false;
}
