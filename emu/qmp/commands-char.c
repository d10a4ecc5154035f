/* commands-char.c: lines of characters; schema/char.json, yank.json. */
#include <string.h>
#include <unistd.h>

#include "emu/machine/pc.h"
#include "emu/machine/vm.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/rights.h"
#include "qapi/commands.h"

static unsigned line_count(const QmpCall *call)
{
    return qmp_call_vm(call) ? vm_line_count(qmp_call_vm(call)) : 0;
}

/* Its chardev is NULL, and the error says so: there is none. */
static VmLine find(QmpCall *call, const char *id, GError **error)
{
    for (unsigned i = 0; i < line_count(call); i++) {
        const VmLine line = vm_line(qmp_call_vm(call), i);
        if (g_str_equal(line.label, id))
            return line;
    }
    qmp_refuse(error, QMP_ERROR_GENERIC, "there is no line '%s'", id);
    return (VmLine){.chardev = NULL};
}

/* --- what there is ------------------------------------------------------------------------------------------------ */

/* As QEMU tells of it. New. */
static char *filename(const VmLine *line)
{
    const char *address = chardev_address(line->chardev);

    switch ((OptionsCharType)line->type) {
    case OPTIONS_CHAR_SOCKET:
        return g_strdup_printf("%s%s%s", chardev_is_open(line->chardev) ? "" : "disconnected:", address,
                               line->server ? ",server=on" : "");
    case OPTIONS_CHAR_PTY:
        return g_strconcat("pty:", address, NULL);
    case OPTIONS_CHAR_FILE:
        return g_strdup("file");
    case OPTIONS_CHAR_RINGBUF:
        return g_strdup("ringbuf");
    default:
        return g_strdup(address);
    }
}

bool qmp_query_chardev(QmpCall *call, QmpChardevInfoList *result, GError **error)
{
    (void)error;
    result->items = g_new0(QmpChardevInfo *, line_count(call));
    for (; result->count < line_count(call); result->count++) {
        QmpChardevInfo *info = result->items[result->count] = g_new0(QmpChardevInfo, 1);
        const VmLine line = vm_line(qmp_call_vm(call), (unsigned)result->count);
        info->label = g_strdup(line.label);
        info->filename = filename(&line);
        info->frontend_open = chardev_has_front(line.chardev);
    }
    return true;
}

bool qmp_query_chardev_backends(QmpCall *call, QmpChardevBackendInfoList *result, GError **error)
{
    (void)call;
    (void)error;
    result->items = g_new0(QmpChardevBackendInfo *, QMP_CHARDEV_BACKEND_KIND__MAX);
    for (; result->count < QMP_CHARDEV_BACKEND_KIND__MAX; result->count++) {
        QmpChardevBackendInfo *info = result->items[result->count] = g_new0(QmpChardevBackendInfo, 1);
        info->name = g_strdup(qmp_ChardevBackendKind_name((QmpChardevBackendKind)result->count));
    }
    return true;
}

/* --- to make them ------------------------------------------------------------------------------------------------- */

static bool read_address(const QmpCall *call, QmpChardevSocketOptions *o, const QmpChardevSocket *s, GError **error)
{
    const QmpSocketAddressLegacy *addr = s->addr;

    switch (addr->type) {
    case QMP_SOCKET_ADDRESS_TYPE_INET:
        o->host = *addr->u.inet->data->host || !o->server ? g_strdup(addr->u.inet->data->host) : NULL;
        o->port = g_strdup(addr->u.inet->data->port);
        return true;
    case QMP_SOCKET_ADDRESS_TYPE_UNIX:
        o->path = g_strdup(addr->u.q_unix->data->path);
        return true;
    default:
        o->fd = qmp_call_find_fd(call, addr->u.fd->data->str, error);
        return o->has_fd = o->fd >= 0;
    }
}

/* The command has other defaults than -chardev. */
static bool read_socket(const QmpCall *call, QmpChardevSocketOptions *o, const QmpChardevSocket *s, GError **error)
{
    bool server = !s->has_server || s->server;

    if (s->has_reconnect && (server || s->reconnect < 0 || s->reconnect > UINT32_MAX))
        return qmp_refuse(error, QMP_ERROR_GENERIC,
                          "backend.data.reconnect: it is of clients only, a number of seconds");
    if (s->has_wait && !server)
        return qmp_refuse(error, QMP_ERROR_GENERIC, "backend.data.wait: it is of servers only");
    *o = (QmpChardevSocketOptions){.has_server = true,
                                   .server = server,
                                   .has_wait = true,
                                   .wait = s->wait,
                                   .has_nodelay = true,
                                   .nodelay = s->nodelay,
                                   .has_reconnect = s->has_reconnect,
                                   .reconnect = (uint32_t)s->reconnect};
    return read_address(call, o, s, error);
}

static QmpChardevFileOptions *read_file(const QmpChardevFile *f)
{
    QmpChardevFileOptions *o = g_new0(QmpChardevFileOptions, 1);

    *o = (QmpChardevFileOptions){
        .path = g_strdup(f->out), .input_path = g_strdup(f->in), .has_append = f->has_append, .append = f->append};
    return o;
}

static bool read_ringbuf(QmpChardevRingbufOptions *o, const QmpChardevRingbuf *r, GError **error)
{
    *o = (QmpChardevRingbufOptions){.has_size = r->has_size, .size = (uint64_t)r->size};
    return !r->has_size || (r->size > 0 && (r->size & (r->size - 1)) == 0) ||
           qmp_refuse(error, QMP_ERROR_GENERIC, "backend.data.size: %" G_GINT64_FORMAT " is no power of 2", r->size);
}

/* As -chardev would have it. New; NULL: it is wrong. */
static QmpChardevOptions *read_backend(const QmpCall *call, const char *id, const QmpChardevBackend *b, GError **error)
{
    g_autoptr(QmpChardevOptions) o = g_new0(QmpChardevOptions, 1);
    bool ok = true;

    o->id = g_strdup(id);
    o->backend = b->type;
    switch (b->type) {
    case QMP_CHARDEV_BACKEND_KIND_FILE:
        o->u.file = read_file(b->u.file->data);
        break;
    case QMP_CHARDEV_BACKEND_KIND_SOCKET:
        o->u.socket = g_new0(QmpChardevSocketOptions, 1);
        ok = read_socket(call, o->u.socket, b->u.socket->data, error);
        break;
    case QMP_CHARDEV_BACKEND_KIND_STDIO:
        o->u.stdio = qapi_copy(&qmp_type_ChardevStdio, b->u.stdio->data);
        break;
    case QMP_CHARDEV_BACKEND_KIND_RINGBUF:
        o->u.ringbuf = g_new0(QmpChardevRingbufOptions, 1);
        ok = read_ringbuf(o->u.ringbuf, b->u.ringbuf->data, error);
        break;
    default:
        break;
    }
    return ok && options_check_chardev(o, call->command->name, error) ? g_steal_pointer(&o) : NULL;
}

/* What had a name is nobody's any more. */
static void close_unused(const QmpChardevBackend *b, const QmpChardevOptions *o)
{
    if (b->type == QMP_CHARDEV_BACKEND_KIND_SOCKET && o->u.socket->has_fd &&
        !g_ascii_isdigit(*b->u.socket->data->addr->u.fd->data->str))
        close(o->u.socket->fd);
}

typedef Chardev *Make(Vm *vm, const char *id, const OptionsChar *options, GError **error);

static QmpChardevReturn *make(QmpCall *call, const char *id, const QmpChardevBackend *b, Make *how, GError **error)
{
    g_autoptr(QmpChardevOptions) said = read_backend(call, id, b, error);
    if (!said)
        return NULL;
    if (!qmp_call_vm(call)) {
        const QmpConfiguration more = {.has_chardev = true, .chardev = {1, &said}};
        if (qmp_call_configure(call, &more, error))
            return g_new0(QmpChardevReturn, 1);
        close_unused(b, said);
        return NULL;
    }
    const OptionsChar options = options_char_of(said);
    const Chardev *line = how(qmp_call_vm(call), id, &options, error);
    if (!line) {
        close_unused(b, said);
        return NULL;
    }
    QmpChardevReturn *made = g_new0(QmpChardevReturn, 1);
    made->pty = b->type == QMP_CHARDEV_BACKEND_KIND_PTY ? g_strdup(chardev_address(line)) : NULL;
    return made;
}

QmpChardevReturn *qmp_chardev_add(QmpCall *call, const QmpChardevAddArguments *arguments, GError **error)
{
    return make(call, arguments->id, arguments->backend, vm_add_line, error);
}

QmpChardevReturn *qmp_chardev_change(QmpCall *call, const QmpChardevChangeArguments *arguments, GError **error)
{
    return make(call, arguments->id, arguments->backend, vm_change_line, error);
}

bool qmp_chardev_remove(QmpCall *call, const QmpChardevRemoveArguments *arguments, GError **error)
{
    return find(call, arguments->id, error).chardev && vm_remove_line(qmp_call_vm(call), arguments->id, error);
}

bool qmp_chardev_send_break(QmpCall *call, const QmpChardevSendBreakArguments *arguments, GError **error)
{
    const VmLine line = find(call, arguments->id, error);

    if (!line.chardev)
        return false;
    machine_lock(pc_machine(vm_pc(qmp_call_vm(call))));
    chardev_send_break(line.chardev);
    machine_unlock(pc_machine(vm_pc(qmp_call_vm(call))));
    return true;
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

static Chardev *find_memory(QmpCall *call, const char *id, GError **error)
{
    const VmLine line = find(call, id, error);

    if (line.chardev && line.type != OPTIONS_CHAR_RINGBUF)
        qmp_refuse(error, QMP_ERROR_GENERIC, "the line '%s' is no ringbuf", id);
    return line.chardev && line.type == OPTIONS_CHAR_RINGBUF ? chardev_switch_line(line.chardev) : NULL;
}

bool qmp_ringbuf_write(QmpCall *call, const QmpRingbufWriteArguments *arguments, GError **error)
{
    Chardev *c = find_memory(call, arguments->device, error);
    bool base64 = arguments->has_format && arguments->format == QMP_DATA_FORMAT_BASE64;
    gsize len = strlen(arguments->data);

    if (!c)
        return false;
    if (base64 && (len % 4 || strspn(arguments->data, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "+/=") != len))
        return qmp_refuse(error, QMP_ERROR_GENERIC, "ringbuf-write.data: it is no base64");
    g_autofree guchar *octets = base64 ? g_base64_decode(arguments->data, &len) : NULL;
    machine_lock(pc_machine(vm_pc(qmp_call_vm(call))));
    chardev_write(c, octets ? (const void *)octets : arguments->data, len);
    machine_unlock(pc_machine(vm_pc(qmp_call_vm(call))));
    return true;
}

/* Text in a JSON string cannot have a NUL. */
static char *text_of(uint8_t *octets, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!octets[i])
            octets[i] = 0xff;
    return g_utf8_make_valid((const char *)octets, (gssize)len);
}

char *qmp_ringbuf_read(QmpCall *call, const QmpRingbufReadArguments *arguments, GError **error)
{
    Chardev *c = find_memory(call, arguments->device, error);
    enum { AT_ONCE = 16 << 20 };

    if (!c)
        return NULL;
    if (arguments->size <= 0) {
        qmp_refuse(error, QMP_ERROR_GENERIC, "ringbuf-read.size: %" G_GINT64_FORMAT "; at least 1", arguments->size);
        return NULL;
    }
    size_t size = (size_t)MIN(arguments->size, AT_ONCE);
    g_autofree uint8_t *octets = g_malloc(size);
    machine_lock(pc_machine(vm_pc(qmp_call_vm(call))));
    size_t len = chardev_memory_read(c, octets, size);
    machine_unlock(pc_machine(vm_pc(qmp_call_vm(call))));
    return arguments->has_format && arguments->format == QMP_DATA_FORMAT_BASE64 ? g_base64_encode(octets, len)
                                                                                : text_of(octets, len);
}

/* --- peers that do not answer ------------------------------------------------------------------------------------- */

bool qmp_query_yank(QmpCall *call, QmpYankInstanceList *result, GError **error)
{
    (void)error;
    result->items = g_new0(QmpYankInstance *, line_count(call));
    for (unsigned i = 0; i < line_count(call); i++) {
        const VmLine line = vm_line(qmp_call_vm(call), i);
        if (line.type != OPTIONS_CHAR_SOCKET)
            continue;
        QmpYankInstance *instance = result->items[result->count++] = g_new0(QmpYankInstance, 1);
        instance->type = QMP_YANK_INSTANCE_TYPE_CHARDEV;
        instance->u.chardev = g_new0(QmpYankInstanceChardev, 1);
        instance->u.chardev->id = g_strdup(line.label);
    }
    return true;
}

/* NULL: there is no such thing. */
static Chardev *find_peer(QmpCall *call, const QmpYankInstance *instance, GError **error)
{
    const char *what = instance->type == QMP_YANK_INSTANCE_TYPE_CHARDEV ? instance->u.chardev->id : NULL;

    if (what) {
        const VmLine line = find(call, what, NULL);
        if (line.chardev && line.type == OPTIONS_CHAR_SOCKET)
            return chardev_switch_line(line.chardev);
    }
    g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "there is no %s%s%s%s that has a peer",
                what                                                 ? "line"
                : instance->type == QMP_YANK_INSTANCE_TYPE_MIGRATION ? "migration"
                                                                     : "node",
                what ? " '" : "", what ? what : "", what ? "'" : "");
    return NULL;
}

bool qmp_yank(QmpCall *call, const QmpYankArguments *arguments, GError **error)
{
    const QmpYankInstanceList *list = &arguments->instances;

    for (size_t i = 0; i < list->count; i++)
        if (!find_peer(call, list->items[i], error))
            return false;
    for (size_t i = 0; i < list->count; i++)
        chardev_socket_cut(find_peer(call, list->items[i], NULL));
    return true;
}
