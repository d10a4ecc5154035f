/* options-line.c: -chardev, and the short forms that -serial, -monitor and -qmp have for the same. */
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/visitor.h"
#include "visitors/words.h"

static const char *const type_names[] = {"null", "stdio", "pty", "file", "socket", "ringbuf", "none", "chardev", NULL};
static const VmsChoice type_choice = VMS_CHOICE_OF(type_names);

#define COMMON                                                                                                         \
    VMS_CHOICE(OptionsChar, type, &type_choice, .name = "backend"), VMS_TEXT(OptionsChar, id, .flags = VMS_REQUIRED),  \
        VMS_FIELD(OptionsChar, mux)

/* Backwards: true is "delay" off. */
static void visit_inverse(Visitor *v, const VMStateField *f, void *value, size_t count)
{
    bool *delay = value, inverse = !*delay;

    (void)count;
    visit_bool(v, f->name, &inverse);
    *delay = !inverse;
}

static const VMStateShape inverse = {.name = "bool", .visit = visit_inverse};

static const OptionsChar options_char_defaults = {.signal = true, .wait = true, .delay = true, .size = 65536};

#define SOCKET                                                                                                         \
    VMS_FIELD(OptionsChar, server), VMS_FIELD(OptionsChar, wait), VMS_FIELD(OptionsChar, delay),                       \
        VMS_FIELD(OptionsChar, delay, .name = "nodelay", .shape = &inverse),                                           \
                                                                                                                       \
        VMS_FIELD(OptionsChar, reconnect)

static const VMStateField plain_fields[] = {COMMON, VMS_END};
static const VMStateField stdio_fields[] = {COMMON, VMS_FIELD(OptionsChar, signal), VMS_END};
static const VMStateField file_fields[] = {
    COMMON,
    VMS_TEXT(OptionsChar, path, .flags = VMS_REQUIRED),
    VMS_TEXT(OptionsChar, input, .name = "input-path"),
    VMS_FIELD(OptionsChar, append),
    VMS_END,
};
static const VMStateField socket_fields[] = {
    COMMON,
    SOCKET,
    VMS_TEXT(OptionsChar, path),
    VMS_TEXT(OptionsChar, host),
    VMS_TEXT(OptionsChar, port),
    VMS_FIELD(OptionsChar, fd, .presence = 1 + offsetof(OptionsChar, has_fd)),
    VMS_END,
};
static const VMStateField ringbuf_fields[] = {COMMON, VMS_FIELD(OptionsChar, size), VMS_END};

/* What may follow the address in a short form. */
static const VMStateField address_fields[] = {SOCKET, VMS_END};

static bool check_socket(const void *state, GError **error)
{
    const OptionsChar *c = state;

    if (c->has_fd && (c->path || c->host || c->port || c->reconnect))
        return options_fail(error, "fd", "a socket that is open already has no path, host, port or reconnect");
    if (c->has_fd)
        return c->fd >= 0 || options_fail(error, "fd", "%d is no descriptor", c->fd);
    if (c->path && (c->host || c->port))
        return options_fail(error, "path", "a socket has a path, or a host and a port, not both");
    if (!c->path && !c->port)
        return options_fail(error, "path", "a socket needs a path, or a port");
    if (!c->path && !c->host && !c->server)
        return options_fail(error, "host", "a client needs to know to which host it connects");
    if (c->server && c->reconnect)
        return options_fail(error, "reconnect", "only a client connects again, and this is a server");
    return true;
}

static bool check_ringbuf(const void *state, GError **error)
{
    const OptionsChar *c = state;

    if (!c->size || c->size > 1 << 30 || (c->size & (c->size - 1)))
        return options_fail(error, "size", "%" G_GUINT64_FORMAT " is not a power of 2 up to 1G", c->size);
    return true;
}

#define DESC(name_, fields_, check_)                                                                                   \
    {                                                                                                                  \
        .name = (name_), .version = 1, .minimum = 1, .size = sizeof(OptionsChar), .fields = (fields_),                 \
        .check = (check_)                                                                                              \
    }

static const VMStateDescription null_desc = DESC("null", plain_fields, NULL);
static const VMStateDescription stdio_desc = DESC("stdio", stdio_fields, NULL);
static const VMStateDescription pty_desc = DESC("pty", plain_fields, NULL);
static const VMStateDescription file_desc = DESC("file", file_fields, NULL);
static const VMStateDescription socket_desc = DESC("socket", socket_fields, check_socket);
static const VMStateDescription ringbuf_desc = DESC("ringbuf", ringbuf_fields, check_ringbuf);
static const VMStateDescription address_desc = DESC("address", address_fields, NULL);

const OptionsVariant options_chardev[] = {
    {"null", &null_desc},     {"stdio", &stdio_desc},     {"pty", &pty_desc}, {"file", &file_desc},
    {"socket", &socket_desc}, {"ringbuf", &ringbuf_desc}, {NULL, NULL},
};

/* --- short forms ------------------------------------------------------------------------------------------------ */

/* What follows the first comma. */
static bool options_behind(OptionsChar *c, const char *comma, const char *root, GError **error)
{
    return !comma || options_load(&address_desc, c, comma + 1, NULL, root, error);
}

/* "HOST:PORT", "[::1]:PORT", ":PORT" for a server. */
static bool tcp(OptionsChar *c, const char *address, const char *root, GError **error)
{
    const char *comma = strchr(address, ',');
    g_autofree char *both = comma ? g_strndup(address, (size_t)(comma - address)) : g_strdup(address);
    char *colon = strrchr(both, ':');

    if (!colon || !colon[1])
        return options_fail(error, root, "'%s' is not HOST:PORT", both);
    size_t len = (size_t)(colon - both);
    bool brackets = len > 2 && both[0] == '[' && both[len - 1] == ']';
    c->type = OPTIONS_CHAR_SOCKET;
    c->host = len ? g_strndup(both + brackets, len - 2 * (size_t)brackets) : NULL;
    c->port = g_strdup(colon + 1);
    return options_behind(c, comma, root, error);
}

static bool unix_socket(OptionsChar *c, const char *path, const char *root, GError **error)
{
    const char *comma = strchr(path, ',');

    c->type = OPTIONS_CHAR_SOCKET;
    c->path = comma ? g_strndup(path, (size_t)(comma - path)) : g_strdup(path);
    if (!*c->path)
        return options_fail(error, root, "unix: is followed by a path");
    return options_behind(c, comma, root, error);
}

static bool address(OptionsChar *c, const char *text, const char *root, GError **error)
{
    static const char *const accepted[] = {"none",  "null",  "stdio", "mon:stdio", "pty",
                                           "file:", "unix:", "tcp:",  "chardev:",  NULL};
    const char *colon = strchr(text, ':');
    const char *behind = colon ? colon + 1 : "";

    if (g_str_has_prefix(text, "tcp:"))
        return tcp(c, behind, root, error);
    if (g_str_has_prefix(text, "unix:"))
        return unix_socket(c, behind, root, error);
    if (g_str_has_prefix(text, "file:") && *behind) {
        c->type = OPTIONS_CHAR_FILE;
        c->path = g_strdup(behind);
    } else if (g_str_has_prefix(text, "chardev:") && *behind) {
        c->type = OPTIONS_CHAR_REFERENCE;
        c->id = g_strdup(behind);
    } else if (g_str_equal(text, "none")) {
        c->type = OPTIONS_CHAR_NONE;
    } else if (g_str_equal(text, "null")) {
        c->type = OPTIONS_CHAR_NULL;
    } else if (g_str_equal(text, "stdio")) {
        c->type = OPTIONS_CHAR_STDIO;
    } else if (g_str_equal(text, "pty")) {
        c->type = OPTIONS_CHAR_PTY;
    } else {
        g_autofree char *why = words_unknown("line", text, accepted);
        return options_fail(error, root, "%s", why);
    }
    return true;
}

bool options_line(OptionsChar *c, const char *text, const char *root, GError **error)
{
    bool mux = g_str_has_prefix(text, "mon:");

    *c = options_char_defaults;
    if (!address(c, mux ? text + 4 : text, root, error))
        return false;
    c->mux = mux;
    if (c->type != OPTIONS_CHAR_SOCKET || check_socket(c, error))
        return true;
    g_prefix_error(error, "%s.", root);
    return false;
}

OptionsChar *options_char_new(void)
{
    OptionsChar *c = g_new0(OptionsChar, 1);

    *c = options_char_defaults;
    return c;
}

void options_char_done(OptionsChar *c)
{
    g_free(c->id);
    g_free(c->path);
    g_free(c->input);
    g_free(c->host);
    g_free(c->port);
}

void options_char_free(OptionsChar *c)
{
    options_char_done(c);
    g_free(c);
}
