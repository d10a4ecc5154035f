/* options-check.c: what no description says: what an option's value means, and what does not go together. */
#include <stdio.h>
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/uuid.h"
#include "visitors/words.h"

enum { SERIAL_PORTS_MAX = 4 };

#define MEMORY_UNIT (8ULL << 10) /* to which the size is rounded up */

/* --- identifiers ------------------------------------------------------------------------------------------------ */

bool options_check_id(const char *id, const char *root, GError **error)
{
    if (!id || words_is_identifier(id))
        return true;
    return options_fail(error, root, "'%s' is no identifier: a letter, then letters, digits, '-', '.' and '_'", id);
}

/* Adds it to those that are there. */
static bool add_id(GHashTable *ids, const char *id, const char *root, GError **error)
{
    if (!options_check_id(id, root, error))
        return false;
    if (!id || g_hash_table_add(ids, (void *)id))
        return true;
    return options_fail(error, root, "'%s' is there twice", id);
}

static bool find_id(GHashTable *ids, const char *id, const char *what, const char *root, GError **error)
{
    g_autofree const char **names = NULL;

    if (g_hash_table_contains(ids, id))
        return true;
    names = (const char **)g_hash_table_get_keys_as_array(ids, NULL);
    if (!names[0])
        return options_fail(error, root, "unknown %s '%s' (there is no -%s)", what, id, what);
    g_autofree char *why = words_unknown(what, id, names);
    return options_fail(error, root, "%s", why);
}

/* --- values that are more than a number ------------------------------------------------------------------------- */

bool options_uuid(Options *o, const char *text, GError **error)
{
    if (!uuid_parse(text, o->uuid))
        return options_fail(error, "-uuid", "'%s' is not of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", text);
    o->has_uuid = true;
    return true;
}

static bool is_port(const char *text)
{
    return *text && text[strspn(text, G_CSET_DIGITS)] == 0 && strlen(text) <= 5 && atoi(text) <= 65535;
}

bool options_incoming(const char *text, GError **error)
{
    static const char *const schemes[] = {"defer", "tcp", "unix", "fd", "file", "exec", NULL};
    size_t len = strcspn(text, ":");
    g_autofree char *scheme = g_strndup(text, len);
    const char *behind = text[len] ? text + len + 1 : NULL, *port = behind ? strrchr(behind, ':') : NULL;

    if (!g_strv_contains(schemes, scheme)) {
        g_autofree char *why = words_unknown("protocol", scheme, schemes);
        return options_fail(error, "-incoming", "%s", why);
    }
    if (g_str_equal(scheme, "defer"))
        return !behind || options_fail(error, "-incoming", "nothing follows defer, '%s' does", behind);
    if (!behind || !*behind)
        return options_fail(error, "-incoming", "%s: is followed by where it comes from", scheme);
    if (g_str_equal(scheme, "tcp") && (!port || !is_port(port + 1)))
        return options_fail(error, "-incoming", "tcp: is followed by HOST:PORT, not by '%s'", behind);
    return true;
}

static bool read_date(const char *text, int64_t *seconds)
{
    static const char form[] = "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}:[0-9]{2})?$";
    int year, month, day, hour = 0, minute = 0, second = 0;

    if (!g_regex_match_simple(form, text, G_REGEX_DOLLAR_ENDONLY, 0))
        return false;
    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second);
    g_autoptr(GDateTime) point = g_date_time_new_utc(year, month, day, hour, minute, second);
    if (point)
        *seconds = g_date_time_to_unix(point);
    return point;
}

bool options_rtc_base(OptionsRtc *rtc, GError **error)
{
    if (!rtc->date)
        return true;
    rtc->base = OPTIONS_RTC_DATE;
    if (g_str_equal(rtc->date, "utc"))
        rtc->base = OPTIONS_RTC_UTC;
    else if (g_str_equal(rtc->date, "localtime"))
        rtc->base = OPTIONS_RTC_LOCALTIME;
    else if (!read_date(rtc->date, &rtc->start_s))
        return options_fail(error, "-rtc.base",
                            "'%s' is no time (accepted: utc, localtime, 2006-06-17, 2006-06-17T16:01:21)", rtc->date);
    if (rtc->base != OPTIONS_RTC_DATE)
        g_clear_pointer(&rtc->date, g_free);
    return true;
}

/* --- drives ----------------------------------------------------------------------------------------------------- */

typedef struct Interface {
    const char *name;
    uint32_t units;  /* of a bus; 0: as many as there are */
    uint32_t drives; /* on the machine; 0: as many as there are */
} Interface;

static const Interface interfaces[] = {
    [OPTIONS_IF_IDE] = {"IDE", 2, 4},       [OPTIONS_IF_FLOPPY] = {"the floppy controller", 0, 2},
    [OPTIONS_IF_VIRTIO] = {"virtio", 0, 0}, [OPTIONS_IF_PFLASH] = {"pflash", 0, 2},
    [OPTIONS_IF_NONE] = {"", 0, 0},
};

static const OptionsDrive *drive_at(const GPtrArray *drives, const OptionsDrive *place)
{
    for (guint i = 0; i < drives->len; i++) {
        const OptionsDrive *d = g_ptr_array_index(drives, i);
        if (d->interface == place->interface && d->bus == place->bus && d->unit == place->unit)
            return d;
    }
    return NULL;
}

/* The first unit from there on that is free. */
static void find_place(const GPtrArray *drives, OptionsDrive *d, uint32_t units)
{
    d->unit = 0;
    while (drive_at(drives, d)) {
        d->unit++;
        if (units && d->unit == units) {
            d->unit = 0;
            d->bus++;
        }
    }
}

bool options_drive_place(const GPtrArray *drives, OptionsDrive *d, const char *root, GError **error)
{
    const Interface *interface = &interfaces[d->interface];
    uint32_t units = interface->units;

    d->readonly |= d->media == 1;
    d->discard &= 1; /* "off" and "on" are "ignore" and "unmap" */
    if (d->interface == OPTIONS_IF_NONE)
        return true;
    if (d->has_index && (d->has_bus || d->has_unit))
        return options_fail(error, root, "a drive's place is its index, or its bus and unit, not both");
    if (d->has_unit && units && d->unit >= units)
        return options_fail(error, root, "unit %u is not there (accepted: 0 to %u)", d->unit, units - 1);
    if (d->has_index) {
        d->bus = units ? d->index / units : 0;
        d->unit = units ? d->index % units : d->index;
    } else if (!d->has_unit) {
        find_place(drives, d, units);
    }
    uint64_t index = (uint64_t)d->bus * units + d->unit;
    if ((interface->drives && index >= interface->drives) || (!units && d->bus))
        return options_fail(error, root, "%s has no drive with bus %u, unit %u", interface->name, d->bus, d->unit);
    const OptionsDrive *other = drive_at(drives, d);
    if (other)
        return options_fail(error, root, "there is a drive with bus %u, unit %u already: %s", d->bus, d->unit,
                            other->file ? other->file : "an empty one");
    d->index = (uint32_t)index;
    return true;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static bool check_blockdevs(Options *o, GHashTable *ids, GError **error)
{
    for (guint i = 0; i < o->blockdevs->len; i++) {
        OptionsBlockdev *b = g_ptr_array_index(o->blockdevs, i);
        if (!add_id(ids, b->file.node_name, "-blockdev.file.node-name", error))
            return false;
        if (b->file_node && !find_id(ids, b->file_node, "blockdev", "-blockdev.file", error))
            return false;
        if (b->backing && *b->backing && !find_id(ids, b->backing, "blockdev", "-blockdev.backing", error))
            return false;
        if (!add_id(ids, b->node_name, "-blockdev.node-name", error))
            return false;
    }
    return true;
}

/* The drives' names and those of nodes are one kind. */
static bool check_disks(Options *o, GError **error)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < o->drives->len; i++)
        if (!add_id(ids, ((OptionsDrive *)g_ptr_array_index(o->drives, i))->id, "-drive.id", error))
            return false;
    return check_blockdevs(o, ids, error);
}

static bool check_memory_backend(const Options *o, GHashTable *objects, GError **error)
{
    static const char root[] = "-machine.memory-backend";
    const char *id = o->machine.memory_backend;

    if (!id)
        return true;
    if (!find_id(objects, id, "object", root, error))
        return false;
    for (guint i = 0; i < o->objects->len; i++) {
        const OptionsObject *object = g_ptr_array_index(o->objects, i);
        if (object->id && g_str_equal(object->id, id) && object->type > OPTIONS_OBJECT_FILE)
            return options_fail(error, root, "'%s' is of type %s, which is no memory", id,
                                options_object[object->type].name);
    }
    return true;
}

static bool check_names(Options *o, GError **error)
{
    g_autoptr(GHashTable) devices = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) nets = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GHashTable) objects = g_hash_table_new(g_str_hash, g_str_equal);
    bool ok = true;

    for (guint i = 0; ok && i < o->devices->len; i++)
        ok = add_id(devices, ((OptionsDevice *)g_ptr_array_index(o->devices, i))->id, "-device.id", error);
    for (guint i = 0; ok && i < o->netdevs->len; i++)
        ok = add_id(nets, ((OptionsNet *)g_ptr_array_index(o->netdevs, i))->id, "-netdev.id", error);
    for (guint i = 0; ok && i < o->nics->len; i++)
        ok = add_id(nets, ((OptionsNet *)g_ptr_array_index(o->nics, i))->id, "-nic.id", error);
    for (guint i = 0; ok && i < o->objects->len; i++)
        ok = add_id(objects, ((OptionsObject *)g_ptr_array_index(o->objects, i))->id, "-object.id", error);
    return ok && check_memory_backend(o, objects, error);
}

static bool has_device(const Options *o, const char *name)
{
    for (guint i = 0; i < o->devices->len; i++)
        if (g_str_equal(((OptionsDevice *)g_ptr_array_index(o->devices, i))->type->name, name))
            return true;
    return false;
}

static OptionsChar *stdio_new(bool mux)
{
    OptionsChar *c = options_char_new();

    c->type = OPTIONS_CHAR_STDIO;
    c->mux = mux;
    return c;
}

/* The first serial port, where none was asked for and it was not said that there is none; it may be the terminal's. */
static void add_default_lines(Options *o)
{
    bool serial = !o->no_defaults && !o->serials->len && !has_device(o, "isa-serial");
    bool monitor = !o->no_defaults && !o->monitors->len;

    if (serial)
        g_ptr_array_add(o->serials, o->no_graphic ? stdio_new(monitor) : options_char_new());
    if (!serial && monitor && o->no_graphic) {
        g_autofree OptionsChar *line = stdio_new(false);
        OptionsMonitor m = {.line = *line};
        g_ptr_array_add(o->monitors, g_memdup2(&m, sizeof m));
    }
}

typedef struct Lines {
    GHashTable *ids; /* of -chardev */
    unsigned stdio;  /* how many of them use it */
} Lines;

static bool check_line(Lines *lines, const OptionsChar *c, const char *root, GError **error)
{
    if (c->type == OPTIONS_CHAR_STDIO && lines->stdio++)
        return options_fail(error, root, "stdio is in use already");
    return c->type != OPTIONS_CHAR_REFERENCE || find_id(lines->ids, c->id, "chardev", root, error);
}

static bool check_all_lines(Options *o, Lines *lines, GError **error)
{
    for (guint i = 0; i < o->chardevs->len; i++) {
        const OptionsChar *c = g_ptr_array_index(o->chardevs, i);
        if (!add_id(lines->ids, c->id, "-chardev.id", error) || !check_line(lines, c, "-chardev", error))
            return false;
    }
    for (guint i = 0; i < o->monitors->len; i++) {
        const OptionsMonitor *m = g_ptr_array_index(o->monitors, i);
        if (!check_line(lines, &m->line, m->mode ? "-qmp" : "-monitor", error))
            return false;
    }
    for (guint i = 0; i < o->serials->len; i++)
        if (!check_line(lines, g_ptr_array_index(o->serials, i), "-serial", error))
            return false;
    if (o->serials->len > SERIAL_PORTS_MAX)
        return options_fail(error, "-serial", "it is given %u times, a PC has %d ports", o->serials->len,
                            SERIAL_PORTS_MAX);
    return true;
}

static bool check_lines(Options *o, GError **error)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    Lines lines = {.ids = ids};

    add_default_lines(o);
    if (!check_all_lines(o, &lines, error))
        return false;
    if (!o->daemonize || !lines.stdio)
        return true;
    return o->no_graphic ? options_fail(error, "-nographic", "it does not go with -daemonize, which has no terminal")
                         : options_fail(error, "-daemonize", "it does not go with a line to stdio, which it closes");
}

static bool check_memory(OptionsMemory *m, GError **error)
{
    uint64_t size;

    if (__builtin_add_overflow(m->size, MEMORY_UNIT - 1, &size))
        return options_fail(error, "-m.size", "%" G_GUINT64_FORMAT " octets are too many", m->size);
    m->size = size & ~(MEMORY_UNIT - 1);
    if (m->maxmem && m->maxmem < m->size)
        return options_fail(error, "-m.maxmem",
                            "%" G_GUINT64_FORMAT " octets are less than size, %" G_GUINT64_FORMAT " (maxmem has units)",
                            m->maxmem, m->size);
    if (m->slots && !m->maxmem)
        return options_fail(error, "-m.slots", "they need maxmem, too");
    m->maxmem = m->maxmem ? m->maxmem : m->size;
    return true;
}

bool options_check(OptionsReader *r, GError **error)
{
    Options *o = r->o;

    if (!o->memory.size)
        o->memory.size = OPTIONS_MEMORY_DEFAULT;
    if (!options_smp_complete(&o->smp, &r->smp, error) || !check_memory(&o->memory, error))
        return false;
    if (o->initrd && !o->kernel)
        return options_fail(error, "-initrd", "it goes with -kernel only");
    if (o->append && !o->kernel)
        return options_fail(error, "-append", "it goes with -kernel only");
    if (o->incoming && o->loadvm)
        return options_fail(error, "-loadvm", "it does not go with -incoming, which brings a state, too");
    return check_disks(o, error) && check_names(o, error) && check_lines(o, error);
}
