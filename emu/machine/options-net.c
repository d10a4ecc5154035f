/* options-net.c: -netdev and -nic. */
#include "emu/machine/options-impl.h"
#include "emu/net/net.h"

static const char *const type_names[] = {"user", "tap", "socket", "vde", "none", NULL};
static const VmsChoice type_choice = VMS_CHOICE_OF(type_names);

#define NETDEV VMS_CHOICE(OptionsNet, type, &type_choice), VMS_TEXT(OptionsNet, id, .flags = VMS_REQUIRED)
#define NIC                                                                                                            \
    VMS_CHOICE(OptionsNet, type, &type_choice), VMS_TEXT(OptionsNet, id), VMS_TEXT(OptionsNet, model),                 \
        VMS_TEXT(OptionsNet, mac)

#define USER                                                                                                           \
    VMS_TEXT(OptionsNet, net), VMS_TEXT(OptionsNet, host), VMS_TEXT(OptionsNet, hostname),                             \
        VMS_TEXT(OptionsNet, dhcpstart), VMS_TEXT(OptionsNet, dns), VMS_TEXT(OptionsNet, domainname),                  \
        VMS_TEXT(OptionsNet, tftp), VMS_TEXT(OptionsNet, tftp_server, .name = "tftp-server-name"),                     \
        VMS_TEXT(OptionsNet, bootfile), VMS_TEXT(OptionsNet, ipv6_prefix, .name = "ipv6-prefix"),                      \
        VMS_FIELD(OptionsNet, ipv6_bits, .name = "ipv6-prefixlen"),                                                    \
        VMS_TEXT(OptionsNet, ipv6_host, .name = "ipv6-host"), VMS_TEXT(OptionsNet, ipv6_dns, .name = "ipv6-dns"),      \
        VMS_LINES(OptionsNet, dnssearch), VMS_LINES(OptionsNet, hostfwd), VMS_LINES(OptionsNet, guestfwd),             \
        VMS_FIELD(OptionsNet, restricted, .name = "restrict"), VMS_FIELD(OptionsNet, ipv4),                            \
        VMS_FIELD(OptionsNet, ipv6)

#define TAP                                                                                                            \
    VMS_TEXT(OptionsNet, ifname), VMS_TEXT(OptionsNet, script), VMS_TEXT(OptionsNet, downscript),                      \
        VMS_TEXT(OptionsNet, bridge, .name = "br"), VMS_TEXT(OptionsNet, helper), VMS_TEXT(OptionsNet, fd),            \
        VMS_FIELD(OptionsNet, vhost)

#define SOCKET                                                                                                         \
    VMS_TEXT(OptionsNet, fd), VMS_TEXT(OptionsNet, listen), VMS_TEXT(OptionsNet, connect),                             \
        VMS_TEXT(OptionsNet, mcast), VMS_TEXT(OptionsNet, localaddr), VMS_TEXT(OptionsNet, udp)

#define VDE                                                                                                            \
    VMS_TEXT(OptionsNet, sock), VMS_TEXT(OptionsNet, group), VMS_FIELD(OptionsNet, port), VMS_FIELD(OptionsNet, mode)

static bool check_mac(const void *state, GError **error)
{
    const OptionsNet *n = state;
    uint8_t mac[6];

    if (!n->mac || net_read_mac(n->mac, mac))
        return true;
    return options_fail(error, "mac", "'%s' is no address like 52:54:00:12:34:56", n->mac);
}

static bool check_tap(const void *state, GError **error)
{
    const OptionsNet *n = state;

    if (n->fd && (n->ifname || n->script || n->downscript || n->bridge || n->helper))
        return options_fail(error, "fd", "what is open already has no ifname, script, downscript, br or helper");
    return check_mac(state, error);
}

static bool check_socket(const void *state, GError **error)
{
    const OptionsNet *n = state;
    int ways = !!n->fd + !!n->listen + !!n->connect + !!n->mcast + !!n->udp;

    if (ways != 1)
        return options_fail(error, "type", "a socket needs exactly one of fd, listen, connect, mcast and udp");
    if (n->localaddr && !n->mcast && !n->udp)
        return options_fail(error, "localaddr", "it goes with mcast or udp only");
    if (n->udp && !n->localaddr)
        return options_fail(error, "udp", "it needs localaddr, too");
    return check_mac(state, error);
}

#define VARIANT(kind, NAME, check_)                                                                                    \
    static const VMStateField kind##_fields[] = {NETDEV, NAME, VMS_END};                                               \
    static const VMStateField kind##_nic_fields[] = {NIC, NAME, VMS_END};                                              \
    static const VMStateDescription kind##_netdev = {                                                                  \
        .name = #kind,                                                                                                 \
        .version = 1,                                                                                                  \
        .minimum = 1,                                                                                                  \
        .size = sizeof(OptionsNet),                                                                                    \
        .fields = kind##_fields,                                                                                       \
        .check = (check_),                                                                                             \
    };                                                                                                                 \
    static const VMStateDescription kind##_nic = {                                                                     \
        .name = #kind,                                                                                                 \
        .version = 1,                                                                                                  \
        .minimum = 1,                                                                                                  \
        .size = sizeof(OptionsNet),                                                                                    \
        .fields = kind##_nic_fields,                                                                                   \
        .check = (check_),                                                                                             \
    }

VARIANT(user, USER, check_mac);
VARIANT(tap, TAP, check_tap);
VARIANT(socket, SOCKET, check_socket);
VARIANT(vde, VDE, check_mac);

static const VMStateField none_fields[] = {VMS_CHOICE(OptionsNet, type, &type_choice), VMS_END};

static const VMStateDescription none_nic = {
    .name = "none",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsNet),
    .fields = none_fields,
};

const OptionsVariant options_netdev[] = {
    {"user", &user_netdev}, {"tap", &tap_netdev}, {"socket", &socket_netdev}, {"vde", &vde_netdev}, {NULL, NULL},
};

const OptionsVariant options_nic[] = {
    {"user", &user_nic}, {"tap", &tap_nic},   {"socket", &socket_nic},
    {"vde", &vde_nic},   {"none", &none_nic}, {NULL, NULL},
};

OptionsNet *options_net_new(const OptionsVariant *variants, const char *text, const char *root, GError **error)
{
    OptionsNet *n = g_new0(OptionsNet, 1);

    n->ipv4 = n->ipv6 = true;
    if (options_load_variant(variants, n, text, "type", root, error))
        return n;
    options_net_free(n);
    return NULL;
}

void options_net_free(OptionsNet *n)
{
    if (!n)
        return;
    char *texts[] = {
        n->id,        n->model,    n->mac,         n->net,       n->host,   n->hostname, n->dhcpstart, n->ipv6_prefix,
        n->ipv6_host, n->ipv6_dns, n->tftp_server, n->dnssearch, n->dns,    n->tftp,     n->bootfile,  n->ifname,
        n->script,    n->bridge,   n->domainname,  n->hostfwd,   n->listen, n->guestfwd, n->helper,    n->downscript,
        n->fd,        n->connect,  n->mcast,       n->localaddr, n->udp,    n->sock,     n->group};

    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++)
        g_free(texts[i]);
    g_free(n);
}
