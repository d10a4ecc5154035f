/* net-user-options.c: addresses, forwards and services of the backend "user": what QEMU's -netdev user has as options.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "emu/net/net-user-impl.h"

enum { SLIRP_CONFIG = 1, NET_BITS_MIN = 4, NET_BITS_MAX = 29, PREFIX6_BITS = 64, PREFIX6_BITS_MAX = 126 };

static bool wrong(const NetHome *home, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool wrong(const NetHome *home, GError **error, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    g_autofree char *text = g_strdup_vprintf(format, list);
    va_end(list);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: %s", home->id, text);
    return false;
}

/* --- IPv4 ------------------------------------------------------------------------------------------------------- */

/* "10.0.2.0/24", "10.0.2.0/255.255.255.0", or with the class's mask. */
static bool parse_net(const char *text, struct in_addr *net, struct in_addr *mask)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    uint64_t bits;

    if (!parts[0] || inet_pton(AF_INET, parts[0], net) != 1)
        return false;
    if (!parts[1]) {
        uint32_t addr = ntohl(net->s_addr);
        mask->s_addr = htonl(!(addr & 0x80000000)                ? 0xff000000
                             : (addr & 0xc0000000) == 0x80000000 ? 0xffff0000
                                                                 : 0xffffff00);
    } else if (g_ascii_string_to_unsigned(parts[1], 10, 0, 32, &bits, NULL)) {
        mask->s_addr = htonl(bits ? UINT32_MAX << (32 - bits) : 0);
    } else if (inet_pton(AF_INET, parts[1], mask) != 1) {
        return false;
    }
    uint32_t host_bits = ~ntohl(mask->s_addr);
    net->s_addr &= mask->s_addr;
    return (host_bits & (host_bits + 1)) == 0 && host_bits >= (UINT32_MAX >> NET_BITS_MAX) &&
           host_bits <= (UINT32_MAX >> NET_BITS_MIN);
}

/* An address in the net; `n`: the one that it is if nobody has said so. */
static bool parse_host(const SlirpConfig *c, const char *text, uint32_t n, struct in_addr *addr)
{
    if (!text) {
        addr->s_addr = c->vnetwork.s_addr | htonl(n & ~ntohl(c->vnetmask.s_addr));
        return true;
    }
    return inet_pton(AF_INET, text, addr) == 1 && (addr->s_addr & c->vnetmask.s_addr) == c->vnetwork.s_addr;
}

static bool plan_ipv4(const NetHome *home, const NetUser *o, SlirpConfig *c, GError **error)
{
    const char *net = o->net ? o->net : "10.0.2.0/24";
    /* In a net of eight addresses DHCP begins below 15. */
    uint32_t dhcp = 15;

    if (!parse_net(net, &c->vnetwork, &c->vnetmask))
        return wrong(home, error, "net: %s is no network of IPv4 with %d to %d bits", net, NET_BITS_MIN, NET_BITS_MAX);
    if (~ntohl(c->vnetmask.s_addr) <= dhcp)
        dhcp = 4;
    if (!parse_host(c, o->host, 2, &c->vhost))
        return wrong(home, error, "host: %s is not in the network %s", o->host, net);
    if (!parse_host(c, o->dns, 3, &c->vnameserver) || c->vnameserver.s_addr == c->vhost.s_addr)
        return wrong(home, error, "dns: %s is not in the network %s, or is the host", o->dns ? o->dns : "3", net);
    if (!parse_host(c, o->dhcp_start, dhcp, &c->vdhcp_start) || c->vdhcp_start.s_addr == c->vhost.s_addr ||
        c->vdhcp_start.s_addr == c->vnameserver.s_addr)
        return wrong(home, error, "dhcpstart: %s is not in the network %s, or is another's",
                     o->dhcp_start ? o->dhcp_start : "the usual one", net);
    return true;
}

/* --- IPv6 ------------------------------------------------------------------------------------------------------- */

static bool parse_host6(const SlirpConfig *c, const char *text, uint8_t n, struct in6_addr *addr)
{
    unsigned octets = c->vprefix_len / 8, bits = c->vprefix_len % 8;

    if (!text) {
        *addr = c->vprefix_addr6;
        addr->s6_addr[15] |= n;
        return true;
    }
    return inet_pton(AF_INET6, text, addr) == 1 && memcmp(addr, &c->vprefix_addr6, octets) == 0 &&
           (bits == 0 || (addr->s6_addr[octets] ^ c->vprefix_addr6.s6_addr[octets]) >> (8 - bits) == 0);
}

static bool plan_ipv6(const NetHome *home, const NetUser *o, SlirpConfig *c, GError **error)
{
    const char *prefix = o->ipv6_prefix ? o->ipv6_prefix : "fec0::/64";
    g_auto(GStrv) parts = g_strsplit(prefix, "/", 2);
    uint64_t bits = PREFIX6_BITS;

    if (!parts[0] || inet_pton(AF_INET6, parts[0], &c->vprefix_addr6) != 1 ||
        (parts[1] && !g_ascii_string_to_unsigned(parts[1], 10, 0, PREFIX6_BITS_MAX, &bits, NULL)))
        return wrong(home, error, "ipv6-prefix: %s is no prefix of IPv6 with at most %d bits", prefix,
                     PREFIX6_BITS_MAX);
    c->vprefix_len = (uint8_t)bits;
    if (!parse_host6(c, o->ipv6_host, 2, &c->vhost6))
        return wrong(home, error, "ipv6-host: %s does not begin with %s", o->ipv6_host, prefix);
    if (!parse_host6(c, o->ipv6_dns, 3, &c->vnameserver6))
        return wrong(home, error, "ipv6-dns: %s does not begin with %s", o->ipv6_dns, prefix);
    return true;
}

/* --- all -------------------------------------------------------------------------------------------------------- */

bool user_plan(const NetHome *home, const NetUser *o, UserPlan *plan, GError **error)
{
    SlirpConfig *c = &plan->config;
    size_t most = UINT8_MAX; /* what an option of DHCP has room for */

    memset(plan, 0, sizeof *plan);
    c->version = SLIRP_CONFIG;
    c->restricted = o->restricted;
    c->in_enabled = !o->no_ipv4;
    c->in6_enabled = !o->no_ipv6;
    c->vhostname = o->hostname;
    c->vdomainname = o->domain;
    c->vdnssearch = (const char **)o->dns_search;
    c->tftp_server_name = o->tftp_server;
    c->tftp_path = o->tftp;
    c->bootfile = o->bootfile;
    if (!home->machine)
        return wrong(home, error, "it needs a machine");
    if (o->no_ipv4 && o->no_ipv6)
        return wrong(home, error, "ipv4 and ipv6 are both off");
    if (o->hostname && strlen(o->hostname) > 32)
        return wrong(home, error, "hostname: longer than 32 octets");
    if (o->domain && strlen(o->domain) > most)
        return wrong(home, error, "domainname: longer than %zu octets", most);
    if (o->bootfile && strlen(o->bootfile) > 127)
        return wrong(home, error, "bootfile: longer than 127 octets");
    if (o->tftp_server && strlen(o->tftp_server) > most)
        return wrong(home, error, "tftp-server-name: longer than %zu octets", most);
    return plan_ipv4(home, o, c, error) && plan_ipv6(home, o, c, error);
}

bool user_add_forwards(User *u, const NetUser *o, const UserPlan *plan, GError **error)
{
    const NetHome home = {.id = u->port.id};

    for (size_t i = 0; i < o->forward_count; i++) {
        const NetForward *f = &o->forwards[i];
        struct in_addr host = {.s_addr = INADDR_ANY}, guest;
        const char *protocol = f->udp ? "udp" : "tcp";
        if (f->host && inet_pton(AF_INET, f->host, &host) != 1)
            return wrong(&home, error, "hostfwd %s:%u: %s is no address of IPv4", protocol, f->host_port, f->host);
        if (!f->guest)
            guest = plan->config.vdhcp_start;
        else if (inet_pton(AF_INET, f->guest, &guest) != 1)
            return wrong(&home, error, "hostfwd %s:%u: %s is no address of IPv4", protocol, f->host_port, f->guest);
        if (f->guest_port == 0)
            return wrong(&home, error, "hostfwd %s:%u: the guest has no port 0", protocol, f->host_port);
        if (slirp_add_hostfwd(u->slirp, f->udp, host, f->host_port, guest, f->guest_port) < 0)
            return wrong(&home, error, "hostfwd %s:%u: the host does not give this port", protocol, f->host_port);
    }
    return true;
}

bool user_add_services(User *u, const NetUser *o, const UserPlan *plan, GError **error)
{
    const NetHome home = {.id = u->port.id};

    for (size_t i = 0; i < o->service_count; i++) {
        const NetService *s = &o->services[i];
        struct in_addr addr = plan->config.vhost;
        if (s->port == 0 || !s->command == !s->path)
            return wrong(&home, error, "guestfwd %u: it needs a port, and a command or a path", s->port);
        if (s->address && inet_pton(AF_INET, s->address, &addr) != 1)
            return wrong(&home, error, "guestfwd %u: %s is no address of IPv4", s->port, s->address);
        if ((s->command ? slirp_add_exec(u->slirp, s->command, &addr, s->port)
                        : slirp_add_unix(u->slirp, s->path, &addr, s->port)) < 0)
            return wrong(&home, error, "guestfwd %u: %s is not in the network, or another's", s->port,
                         s->address ? s->address : "the host");
    }
    return true;
}
