/*
 * net-tap.c: a network interface of the host's (/dev/net/tun).
 *
 * Source: Linux, Documentation/networking/tuntap.rst. Without privilege it needs an open descriptor, or an interface
 * that was made for the user. Not done: several queues, vhost, and the helper that asks for a bridge.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "emu/net/net-impl.h"

enum { HEADER_LEGACY = 10 };

typedef struct Tap {
    NetFrames frames;
    char name[IFNAMSIZ];
    char *downscript;
} Tap;

/* --- frames ----------------------------------------------------------------------------------------------------- */

static ssize_t tap_read(NetFrames *f, void *frame, size_t size)
{
    return read(f->fd, frame, size);
}

static ssize_t tap_write(NetFrames *f, const void *frame, size_t len)
{
    return write(f->fd, frame, len);
}

static ssize_t tap_write_pieces(NetFrames *f, const struct iovec *iov, int count)
{
    return writev(f->fd, iov, count);
}

static bool run_script(const char *script, const char *name, GError **error)
{
    const char *argv[] = {script, name, NULL};
    int status;

    return g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status, error) &&
           g_spawn_check_wait_status(status, error);
}

static void tap_close(NetFrames *f)
{
    Tap *t = (Tap *)f;

    /* There is nobody any more to tell that it failed. */
    if (t->downscript)
        run_script(t->downscript, t->name, NULL);
    g_free(t->downscript);
    close(f->fd);
}

static void tap_set_header(NetBackend *backend, unsigned octets)
{
    Tap *t = (Tap *)backend;
    int size = octets ? (int)octets : HEADER_LEGACY;

    if (ioctl(t->frames.fd, TUNSETVNETHDRSZ, &size) == 0) {
        t->frames.inner = (unsigned)size;
        t->frames.header = octets;
    }
}

static void tap_set_offloads(NetBackend *backend, unsigned offloads)
{
    Tap *t = (Tap *)backend;
    unsigned long known = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN;

    if (backend->has_ufo)
        known |= NET_OFFLOAD_UFO;
    /* Segments without their checksums are of no use, and are not taken. */
    ioctl(t->frames.fd, TUNSETOFFLOAD, offloads & NET_OFFLOAD_CSUM ? offloads & known : 0);
}

static const NetFramesOps frames_ops = {
    .read = tap_read, .write = tap_write, .write_pieces = tap_write_pieces, .close = tap_close};

static const NetBackendOps plain_ops = {.send = net_frames_send, .flush = net_frames_flush, .free = net_frames_free};

static const NetBackendOps header_ops = {
    .send = net_frames_send,
    .flush = net_frames_flush,
    .free = net_frames_free,
    .set_header = tap_set_header,
    .set_offloads = tap_set_offloads,
};

/* --- making one ------------------------------------------------------------------------------------------------- */

/* A descriptor with the name it has got, or -1 with errno. */
static int open_tun(const char *ifname, bool header, char *name)
{
    struct ifreq request = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (header ? IFF_VNET_HDR : 0))};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), cause;

    if (fd < 0)
        return -1;
    g_strlcpy(request.ifr_name, ifname ? ifname : "tap%d", sizeof request.ifr_name);
    if (ioctl(fd, TUNSETIFF, &request) == 0) {
        g_strlcpy(name, request.ifr_name, IFNAMSIZ);
        return fd;
    }
    cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

/* Is it a tap's, and has it headers? False with errno. */
static bool look_at(int fd, char *name, bool *header)
{
    struct ifreq request = {.ifr_flags = 0};
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || ioctl(fd, TUNGETIFF, &request) != 0)
        return false;
    if (!(request.ifr_flags & IFF_TAP) || !(request.ifr_flags & IFF_NO_PI)) {
        errno = EINVAL;
        return false;
    }
    g_strlcpy(name, request.ifr_name, IFNAMSIZ);
    *header = request.ifr_flags & IFF_VNET_HDR;
    return true;
}

static bool knows_ufo(int fd)
{
    bool knows = ioctl(fd, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_UFO)) == 0;

    ioctl(fd, TUNSETOFFLOAD, 0UL);
    return knows;
}

static Tap *tap_new(const NetHome *home, int fd, const char *name, bool header)
{
    Tap *t = g_new0(Tap, 1);
    int size = HEADER_LEGACY;

    t->frames.ops = &frames_ops;
    t->frames.fd = fd;
    net_port_init(&t->frames.port, header ? &header_ops : &plain_ops, "tap", home);
    g_strlcpy(t->name, name, sizeof t->name);
    if (header) {
        ioctl(fd, TUNSETVNETHDRSZ, &size);
        t->frames.inner = HEADER_LEGACY;
        t->frames.port.backend.has_ufo = knows_ufo(fd);
    }
    return t;
}

NetBackend *net_tap_new(const NetHome *home, const NetTap *options, GError **error)
{
    bool header = !options->no_header;
    char name[IFNAMSIZ] = "";
    int fd = options->use_fd ? options->fd : -1;
    Tap *t;

    if (!options->use_fd && options->ifname && strlen(options->ifname) >= IFNAMSIZ)
        return net_fail(home, options->ifname, ENAMETOOLONG, error);
    if (!options->use_fd)
        fd = open_tun(options->ifname, header, name);
    if (fd < 0)
        return net_fail(home, options->ifname ? options->ifname : "/dev/net/tun", errno, error);
    if (options->use_fd && !look_at(fd, name, &header)) {
        return net_fail(home, "the descriptor is no tap's", errno, error);
    }
    t = tap_new(home, fd, name, header);
    if (!options->use_fd && options->script && !run_script(options->script, name, error)) {
        g_prefix_error(error, "%s: %s: ", home->id, options->script);
        net_frames_free(&t->frames.port.backend);
        return NULL;
    }
    t->downscript = options->use_fd ? NULL : g_strdup(options->downscript);
    return &t->frames.port.backend;
}

const char *net_tap_name(const NetBackend *backend)
{
    return ((const Tap *)backend)->name;
}
