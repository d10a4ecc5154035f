/* options-line.c: lines of characters, and the short forms that -serial, -monitor and -qmp have for them. */
#include <jansson.h>
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/keyval-in.h"
#include "visitors/words.h"

/* --- what is meant ------------------------------------------------------------------------------------------------ */

static void set_socket(OptionsChar *o, const QmpChardevSocketOptions *s)
{
    o->path = s->path;
    o->host = s->host;
    o->port = s->port;
    o->has_fd = s->has_fd;
    o->fd = s->fd;
    o->server = s->server;
    o->wait = !s->has_wait || s->wait;
    o->delay = s->has_nodelay ? !s->nodelay : !s->has_delay || s->delay;
    o->reconnect = s->reconnect;
}

OptionsChar options_char_of(const QmpChardevOptions *c)
{
    OptionsChar o = {.type = (uint8_t)c->backend, .id = c->id, .mux = c->mux};

    switch (c->backend) {
    case QMP_CHARDEV_BACKEND_KIND_FILE:
        o.path = c->u.file->path;
        o.input = c->u.file->input_path;
        o.append = c->u.file->append;
        break;
    case QMP_CHARDEV_BACKEND_KIND_SOCKET:
        set_socket(&o, c->u.socket);
        break;
    case QMP_CHARDEV_BACKEND_KIND_STDIO:
        o.signal = !c->u.stdio->has_signal || c->u.stdio->signal;
        break;
    case QMP_CHARDEV_BACKEND_KIND_RINGBUF:
        o.size = c->u.ringbuf->has_size ? c->u.ringbuf->size : 65536;
        break;
    default:
        break;
    }
    return o;
}

/* --- short forms -------------------------------------------------------------------------------------------------- */

static bool set(json_t *keys, const char *key, const char *value, size_t len, const char *root, GError **error)
{
    if (!json_object_get(keys, key)) {
        json_object_set_new_nocheck(keys, key, json_stringn_nocheck(value, len));
        return true;
    }
    g_autofree char *path = g_strdup_printf("%s.%s", root, key);
    return options_fail(error, path, "the key is given twice");
}

/* "HOST:PORT", "[::1]:PORT", ":PORT" for a server. */
static bool set_tcp(json_t *keys, const char *both, const char *root, GError **error)
{
    const char *colon = strrchr(both, ':');

    if (!colon || !colon[1])
        return options_fail(error, root, "'%s' is not HOST:PORT", both);
    size_t len = (size_t)(colon - both);
    bool brackets = len > 2 && both[0] == '[' && both[len - 1] == ']';
    return (!len || set(keys, "host", both + brackets, len - 2 * (size_t)brackets, root, error)) &&
           set(keys, "port", colon + 1, strlen(colon + 1), root, error);
}

static bool set_unix(json_t *keys, const char *path, const char *root, GError **error)
{
    if (!*path)
        return options_fail(error, root, "unix: is followed by a path");
    return set(keys, "path", path, strlen(path), root, error);
}

/* A socket's address, and what a socket takes behind the first comma. As keys of a -chardev; NULL: it is wrong. */
static json_t *socket_keys(const char *text, const char *root, GError **error)
{
    const char *comma = strchr(text, ','), *colon = strchr(text, ':');
    g_autofree char *address = comma ? g_strndup(colon + 1, (size_t)(comma - colon - 1)) : g_strdup(colon + 1);
    g_autofree char *wrong = NULL;
    json_t *keys = keyval_tree(comma ? comma + 1 : "", NULL, &wrong);

    if (!keys) {
        options_fail(error, root, "%s", wrong);
        return NULL;
    }
    if (set(keys, "backend", "socket", 6, root, error) &&
        (*text == 't' ? set_tcp : set_unix)(keys, address, root, error))
        return keys;
    json_decref(keys);
    return NULL;
}

static json_t *keys_of(const char *text, const char *root, GError **error)
{
    static const char *const accepted[] = {"none",  "null",  "stdio", "mon:stdio", "pty",
                                           "file:", "unix:", "tcp:",  "chardev:",  NULL};

    if (g_str_has_prefix(text, "tcp:") || g_str_has_prefix(text, "unix:"))
        return socket_keys(text, root, error);
    if (g_str_has_prefix(text, "file:") && text[5])
        return json_pack("{s:s,s:o}", "backend", "file", "path", json_string_nocheck(text + 5));
    if (g_str_equal(text, "null") || g_str_equal(text, "stdio") || g_str_equal(text, "pty"))
        return json_pack("{s:s}", "backend", text);
    g_autofree char *why = words_unknown("line", text, accepted);
    options_fail(error, root, "%s", why);
    return NULL;
}

bool options_line(OptionsChar *c, const char *text, const char *root, QmpChardevOptions **own, GError **error)
{
    bool mux = g_str_has_prefix(text, "mon:");
    const char *line = mux ? text + 4 : text;

    *own = NULL;
    if (g_str_equal(line, "none")) {
        *c = (OptionsChar){.type = OPTIONS_CHAR_NONE, .mux = mux};
        return true;
    }
    if (g_str_has_prefix(line, "chardev:") && line[8]) {
        *c = (OptionsChar){.type = OPTIONS_CHAR_REFERENCE, .id = line + 8, .mux = mux};
        return true;
    }
    json_t *keys = keys_of(line, root, error);
    if (!keys || !set(keys, "id", "line", 4, root, error)) {
        json_decref(keys);
        return false;
    }
    if (!qapi_from_tree(&qmp_type_ChardevOptions, own, keys, root, error) || !options_check_chardev(*own, root, error))
        return false;
    *c = options_char_of(*own);
    c->mux |= mux;
    return true;
}
