/* vm-lines.c: a Vm's lines of characters: -chardev, -serial. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "emu/machine/vm-impl.h"

static Chardev *find(const Vm *vm, const char *id)
{
    for (unsigned i = 0; i < vm->chardevs->len; i++)
        if (g_str_equal(chardev_label(vm->chardevs->pdata[i]), id))
            return vm->chardevs->pdata[i];
    return NULL;
}

/* --- shared lines ----------------------------------------------------------------------------------------------- */

void vm_mux_free(void *data)
{
    VmMux *m = data;

    chardev_mux_free(m->mux);
    g_free(m->id);
    g_free(m);
}

/* The ends before the lines that they share. */
void vm_close_lines(Vm *vm, unsigned first)
{
    for (unsigned i = vm->muxes->len; i > 0; i--) {
        const VmMux *m = vm->muxes->pdata[i - 1];
        guint line;
        if (g_ptr_array_find(vm->chardevs, find(vm, m->id), &line) && line >= first)
            g_ptr_array_remove_index(vm->muxes, i - 1);
    }
    while (vm->chardevs->len > first) {
        Chardev *c = g_ptr_array_steal_index(vm->chardevs, vm->chardevs->len - 1);
        g_hash_table_remove(vm->line_kinds, chardev_label(c));
        chardev_free(c);
    }
}

static void end_program(void *opaque)
{
    Vm *vm = opaque;

    if (vm->events.quit)
        vm->events.quit(vm->events.opaque, 0);
}

static VmMux *find_mux(const Vm *vm, const char *id)
{
    for (unsigned i = 0; i < vm->muxes->len; i++)
        if (g_str_equal(((VmMux *)vm->muxes->pdata[i])->id, id))
            return vm->muxes->pdata[i];
    return NULL;
}

static void share(Vm *vm, Chardev *line, const char *id)
{
    VmMux *m = g_new0(VmMux, 1);

    m->id = g_strdup(id);
    m->mux = chardev_mux_new(line, end_program, vm);
    g_ptr_array_add(vm->muxes, m);
}

static Chardev *add_end(Vm *vm, VmMux *m, const ChardevHome *home, GError **error)
{
    Chardev *end = chardev_mux_add(m->mux, home);

    if (end)
        g_ptr_array_add(vm->chardevs, end);
    else
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%s: too many share the line '%s'", home->label, m->id);
    return end;
}

Chardev *vm_chardev(Vm *vm, const char *id)
{
    VmMux *m = find_mux(vm, id);
    g_autofree char *label = g_strdup_printf("%s.%u", id, vm->chardevs->len);
    const ChardevHome home = {.label = label, .context = vm->context, .lock = vm_lock(vm)};

    return m ? add_end(vm, m, &home, NULL) : find(vm, id);
}

static Chardev *new_socket(const ChardevHome *home, const OptionsChar *c, GError **error)
{
    const ChardevSocket socket = {.path = c->path,
                                  .host = c->host,
                                  .port = c->port,
                                  .server = c->server,
                                  .wait = c->server && c->wait,
                                  .reconnect_s = c->reconnect,
                                  .delay = c->delay,
                                  .has_fd = c->has_fd,
                                  .fd = c->fd};

    return chardev_new_socket(home, &socket, error);
}

/* Two users of the terminal would take each other's keys. */
static Chardev *new_stdio(const Vm *vm, const ChardevHome *home, const OptionsChar *c, GError **error)
{
    const ChardevStdio stdio = {.input = STDIN_FILENO, .output = STDOUT_FILENO, .signal = c->signal};

    for (unsigned i = 0; i < vm->chardevs->len; i++)
        if (g_str_equal(chardev_address(vm->chardevs->pdata[i]), "stdio")) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: standard input and output are %s's already",
                        home->label, chardev_label(vm->chardevs->pdata[i]));
            return NULL;
        }
    return chardev_new_stdio(home, &stdio, error);
}

static Chardev *new_file(const Vm *vm, const ChardevHome *home, const OptionsChar *c, GError **error)
{
    g_autofree char *path = fd_sets_path(vm->fd_sets, c->path, O_WRONLY, error);
    g_autofree char *input = path && c->input ? fd_sets_path(vm->fd_sets, c->input, O_RDONLY, error) : NULL;

    if (!path || (c->input && !input))
        return NULL;
    return chardev_new_file(home, &(ChardevFile){.path = path, .append = c->append, .input = input}, error);
}

static Chardev *open_line(const Vm *vm, const ChardevHome *home, const OptionsChar *c, GError **error)
{
    switch ((OptionsCharType)c->type) {
    case OPTIONS_CHAR_STDIO:
        return new_stdio(vm, home, c, error);
    case OPTIONS_CHAR_PTY:
        return chardev_new_pty(home, error);
    case OPTIONS_CHAR_FILE:
        return new_file(vm, home, c, error);
    case OPTIONS_CHAR_SOCKET:
        return new_socket(home, c, error);
    case OPTIONS_CHAR_RINGBUF:
        return chardev_new_memory(home, &(ChardevMemory){.size = c->size});
    case OPTIONS_CHAR_NULL:
    case OPTIONS_CHAR_NONE:
    case OPTIONS_CHAR_REFERENCE:
        break;
    }
    return chardev_new_null(home);
}

enum { LINE_IS_SERVER = 1 << 8 };

static void remember_kind(Vm *vm, const char *label, const OptionsChar *line)
{
    unsigned kind = line->type + 1u + (line->type == OPTIONS_CHAR_SOCKET && line->server ? LINE_IS_SERVER : 0);

    g_hash_table_insert(vm->line_kinds, g_strdup(label), GUINT_TO_POINTER(kind));
}

static Chardev *open_or_find(Vm *vm, const OptionsChar *line, const char *label, GError **error)
{
    const ChardevHome home = {.label = label, .context = vm->context, .lock = vm_lock(vm)};
    Chardev *c;

    if (line->type == OPTIONS_CHAR_REFERENCE) {
        VmMux *m = find_mux(vm, line->id);
        c = m ? NULL : find(vm, line->id);
        if (m)
            return add_end(vm, m, &home, error);
        if (!c)
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: there is no -chardev '%s'", label, line->id);
        return c;
    }
    if (find(vm, label) || find_mux(vm, label)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "-chardev %s: there are two of that id", label);
        return NULL;
    }
    g_rec_mutex_lock(vm_lock(vm));
    c = open_line(vm, &home, line, error);
    if (c)
        c = chardev_switch_new(&home, c);
    if (c && line->mux)
        share(vm, c, label);
    g_rec_mutex_unlock(vm_lock(vm));
    if (!c)
        return NULL;
    g_ptr_array_add(vm->chardevs, c);
    remember_kind(vm, label, line);
    if (line->type == OPTIONS_CHAR_PTY)
        vm_say(vm, "%s is at %s", label, chardev_address(c));
    return c;
}

Chardev *vm_line_new(Vm *vm, const OptionsChar *line, const char *label, GError **error)
{
    Chardev *c = open_or_find(vm, line, label, error);
    VmMux *m = c && line->mux && line->type != OPTIONS_CHAR_REFERENCE ? find_mux(vm, label) : NULL;
    g_autofree char *end = g_strdup_printf("%s.0", label);

    return m ? add_end(vm, m, &(ChardevHome){end, vm->context, vm_lock(vm)}, error) : c;
}

bool vm_add_serial(Vm *vm, Chardev *line, GError **error)
{
    if (vm->serials == PC_SERIAL_PORTS) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "more than %d serial ports", PC_SERIAL_PORTS);
        return false;
    }
    pc_options(vm->pc)->serial[vm->serials++] = line;
    return true;
}

/* Those that are not there yet. They are this program's from now on. */
static bool add_descriptors(Vm *vm, const QmpAddFdOptionsList *all, GError **error)
{
    for (; vm->fds_added < all->count; vm->fds_added++) {
        const QmpAddFdOptions *o = all->items[vm->fds_added];
        int flags = fcntl(o->fd, F_GETFD);
        if (flags < 0 || fcntl(o->fd, F_SETFD, flags | FD_CLOEXEC) < 0) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "-add-fd.fd: %d: %s", o->fd, g_strerror(errno));
            return false;
        }
        fd_sets_add(vm->fd_sets, o->set, o->fd, o->opaque);
    }
    return true;
}

bool vm_open_lines(Vm *vm, const Options *o, GError **error)
{
    if (!add_descriptors(vm, &o->said->add_fd, error))
        return false;
    for (unsigned i = 0; i < o->chardevs->len; i++) {
        const OptionsChar *c = o->chardevs->pdata[i];
        if (!find(vm, c->id) && !open_or_find(vm, c, c->id, error))
            return false;
    }
    return true;
}

bool vm_make_lines(Vm *vm, GError **error)
{
    const Options *o = vm->options;

    if (!vm_open_lines(vm, o, error))
        return false;
    for (unsigned i = 0; i < o->serials->len; i++) {
        g_autofree char *label = g_strdup_printf("serial%u", i);
        const OptionsChar *c = o->serials->pdata[i];
        if (c->type == OPTIONS_CHAR_NONE) {
            vm->serials++; /* the port is not there */
            continue;
        }
        Chardev *line = vm_line_new(vm, c, label, error);
        if (!line || !vm_add_serial(vm, line, error))
            return false;
    }
    return true;
}

/* --- while it runs ------------------------------------------------------------------------------------------------ */

static unsigned kind_of(const Vm *vm, unsigned n)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(vm->line_kinds, chardev_label(vm->chardevs->pdata[n])));
}

unsigned vm_line_count(const Vm *vm)
{
    unsigned count = 0;

    for (unsigned i = 0; i < vm->chardevs->len; i++)
        count += kind_of(vm, i) != 0;
    return count;
}

static const char *user_of(const Vm *vm, const Chardev *c)
{
    static const char *const ports[] = {"serial port 0", "serial port 1", "serial port 2", "serial port 3"};
    const PcOptions *pc = pc_options(vm->pc);

    if (find_mux(vm, chardev_label(c)))
        return "those that share it (mux)";
    for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++)
        if (pc->serial[i] == c)
            return ports[i];
    if (pc->debug == c)
        return "the debug console";
    return chardev_has_front(c) ? "a monitor, or another device" : NULL;
}

VmLine vm_line(const Vm *vm, unsigned n)
{
    for (unsigned i = 0; i < vm->chardevs->len; i++) {
        Chardev *c = vm->chardevs->pdata[i];
        unsigned kind = kind_of(vm, i);
        if (!kind || n--)
            continue;
        return (VmLine){.chardev = c,
                        .label = chardev_label(c),
                        .type = (uint8_t)((kind & 0xff) - 1),
                        .server = kind & LINE_IS_SERVER,
                        .user = user_of(vm, c)};
    }
    return (VmLine){.chardev = NULL};
}

Chardev *vm_add_line(Vm *vm, const char *id, const OptionsChar *options, GError **error)
{
    return open_or_find(vm, options, id, error);
}

/* NULL: none of that name; the error says so. */
static Chardev *find_line(const Vm *vm, const char *id, GError **error)
{
    Chardev *c = g_hash_table_contains(vm->line_kinds, id) ? find(vm, id) : NULL;

    if (!c)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "there is no line '%s'", id);
    return c;
}

Chardev *vm_change_line(Vm *vm, const char *id, const OptionsChar *options, GError **error)
{
    const ChardevHome home = {.label = id, .context = vm->context, .lock = vm_lock(vm)};
    Chardev *c = find_line(vm, id, error);

    if (!c)
        return NULL;
    g_rec_mutex_lock(vm_lock(vm));
    Chardev *line = open_line(vm, &home, options, error);
    if (line)
        chardev_switch_to(c, line);
    g_rec_mutex_unlock(vm_lock(vm));
    if (!line)
        return NULL;
    remember_kind(vm, id, options);
    return c;
}

bool vm_remove_line(Vm *vm, const char *id, GError **error)
{
    Chardev *c = find_line(vm, id, error);
    const char *user = c ? user_of(vm, c) : NULL;

    if (!c)
        return false;
    if (user) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the line '%s' is used by %s", id, user);
        return false;
    }
    g_hash_table_remove(vm->line_kinds, id);
    g_ptr_array_remove(vm->chardevs, c);
    g_rec_mutex_lock(vm_lock(vm));
    chardev_free(c);
    g_rec_mutex_unlock(vm_lock(vm));
    return true;
}
