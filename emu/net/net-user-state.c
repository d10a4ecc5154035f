/*
 * net-user-state.c: what is saved of libslirp: the section "slirp".
 *
 * Its octets are libslirp's own (version 4): connections of services that are character devices, of which there are
 * none here and none are taken; the number of the next IP packet; and who has got an address from DHCP. Other
 * connections are not saved: their peers are told, when they send more, that there is none.
 */
#include <slirp/libslirp.h>
#include <string.h>

#include "emu/core/machine.h"
#include "emu/net/net-user-impl.h"
#include "visitors/bytes.h"

enum { CLIENTS = 16, MAC = 6, VERSION = 4, OCTETS = 1 + 2 + CLIENTS * (2 + MAC) };

typedef struct SlirpClient {
    uint16_t allocated;
    uint8_t mac[MAC];
} SlirpClient;

typedef struct SlirpState {
    uint8_t sockets; /* is one of a list of them next? */
    uint16_t ip_id;
    SlirpClient clients[CLIENTS]; /* the first has the first address */
} SlirpState;

typedef struct UserDevice {
    Device dev;
    User *u;
    SlirpState s;
} UserDevice;

/* --- libslirp's octets ------------------------------------------------------------------------------------------ */

typedef struct Octets {
    uint8_t data[OCTETS];
    size_t len;
    bool ok;
} Octets;

static ssize_t put_octets(const void *data, size_t len, void *opaque)
{
    Octets *o = opaque;

    if (!o->ok || len > sizeof o->data - o->len) {
        o->ok = false;
        return (ssize_t)len; /* nobody has asked what an error does there */
    }
    memcpy(o->data + o->len, data, len);
    o->len += len;
    return (ssize_t)len;
}

static ssize_t take_octets(void *data, size_t len, void *opaque)
{
    Octets *o = opaque;
    size_t n = MIN(len, sizeof o->data - o->len);

    memset(data, 0, len);
    memcpy(data, o->data + o->len, n);
    o->len += n;
    return (ssize_t)len;
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static bool pull(void *opaque, GError **error)
{
    UserDevice *d = opaque;
    Octets o = {.ok = true};

    slirp_state_save(d->u->slirp, put_octets, &o);
    if (!o.ok || o.len != OCTETS || o.data[0] || slirp_state_version() != VERSION) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "slirp: libslirp %s saves %zu octets of version %d, known are %d of version %d",
                    slirp_version_string(), o.len, slirp_state_version(), OCTETS, VERSION);
        return false;
    }
    d->s = (SlirpState){.ip_id = get16(o.data + 1)};
    for (unsigned n = 0; n < CLIENTS; n++) {
        const uint8_t *at = o.data + 3 + n * (2 + MAC);
        d->s.clients[n].allocated = get16(at);
        memcpy(d->s.clients[n].mac, at + 2, MAC);
    }
    return true;
}

static bool check(const void *state, GError **error)
{
    const SlirpState *s = state;

    if (!s->sockets)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "sockets: the stream has connections of guestfwd, the destination takes none");
    return false;
}

static void push(void *opaque)
{
    UserDevice *d = opaque;
    Octets o = {.ok = true};

    put16(o.data + 1, d->s.ip_id);
    for (unsigned n = 0; n < CLIENTS; n++) {
        uint8_t *at = o.data + 3 + n * (2 + MAC);
        put16(at, d->s.clients[n].allocated);
        memcpy(at + 2, d->s.clients[n].mac, MAC);
    }
    slirp_state_load(d->u->slirp, VERSION, take_octets, &o);
}

/* --- description ------------------------------------------------------------------------------------------------ */

static const VMStateField client_fields[] = {
    VMS_FIELD(SlirpClient, allocated),
    VMS_BYTES(SlirpClient, mac),
    VMS_END,
};

static const VMStateDescription client_description = {
    .name = "slirp-bootp-client",
    .version = 1,
    .minimum = 1,
    .size = sizeof(SlirpClient),
    .fields = client_fields,
};

/* QEMU's description has all of it as octets that nobody described. */
static const VMStateField fields[] = {
    VMS_FIELD(SlirpState, sockets),
    VMS_FIELD(SlirpState, ip_id),
    VMS_SUB_ARRAY(SlirpState, clients, &client_description),
    VMS_END,
};

static const VMStateDescription slirp_state = {
    .name = "slirp",
    .version = VERSION,
    .minimum = VERSION,
    .size = sizeof(SlirpState),
    .fields = fields,
    .pull = pull,
    .check = check,
    .push = push,
};

/* --- life ------------------------------------------------------------------------------------------------------- */

static void unrealize(Device *dev)
{
    user_detach(((UserDevice *)dev)->u);
}

static const DeviceType user_type = {
    .name = "slirp",
    .about = "what is saved of a network of its own",
    .size = sizeof(UserDevice),
    .state = &slirp_state,
    .state_offset = offsetof(UserDevice, s),
    .unrealize = unrealize,
};

bool user_device_add(User *u, GError **error)
{
    Device *dev = device_new(&user_type);

    ((UserDevice *)dev)->u = u;
    if (!device_realize(dev, u->port.machine, error)) {
        device_free(dev);
        return false;
    }
    u->device = dev;
    return true;
}

void user_device_remove(User *u)
{
    machine_remove_device(u->port.machine, u->device);
}
