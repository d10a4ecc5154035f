/* options-check.c: what does not go together, and where drives are. */
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/words.h"

enum { SERIAL_PORTS_MAX = 4 };

#define MEMORY_UNIT (8ULL << 10) /* to which the size is rounded up */

/* --- names ----------------------------------------------------------------------------------------------------- */

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

/* --- drives ----------------------------------------------------------------------------------------------------- */

typedef struct Interface {
    const char *name;
    uint32_t units;  /* of a bus; 0: as many as there are */
    uint32_t drives; /* on the machine; 0: as many as there are */
} Interface;

static const Interface interfaces[] = {
    [QMP_DRIVE_INTERFACE_IDE] = {"IDE", 2, 4},       [QMP_DRIVE_INTERFACE_FLOPPY] = {"the floppy controller", 0, 2},
    [QMP_DRIVE_INTERFACE_VIRTIO] = {"virtio", 0, 0}, [QMP_DRIVE_INTERFACE_PFLASH] = {"pflash", 0, 2},
    [QMP_DRIVE_INTERFACE_NONE] = {"", 0, 0},
};

static const QmpDriveOptions *drive_at(const GPtrArray *drives, const QmpDriveOptions *place)
{
    for (guint i = 0; i < drives->len; i++) {
        const QmpDriveOptions *d = g_ptr_array_index(drives, i);
        if (d->q_if == place->q_if && d->bus == place->bus && d->unit == place->unit)
            return d;
    }
    return NULL;
}

/* The first unit from there on that is free. */
static void find_place(const GPtrArray *drives, QmpDriveOptions *d, uint32_t units)
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

bool options_drive_place(const GPtrArray *drives, QmpDriveOptions *d, GError **error)
{
    const Interface *interface = &interfaces[d->q_if];
    const char *file = options_drive_file(d);
    g_autofree char *root = file ? g_strdup_printf("-drive (%s)", file) : g_strdup("-drive");
    uint32_t units = interface->units;

    if (d->q_if == QMP_DRIVE_INTERFACE_NONE)
        return true;
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
    const QmpDriveOptions *other = drive_at(drives, d);
    const char *there = other ? options_drive_file(other) : NULL;
    if (other)
        return options_fail(error, root, "there is a drive with bus %u, unit %u already: %s", d->bus, d->unit,
                            there ? there : "an empty one");
    d->index = (uint32_t)index;
    return true;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static bool check_node(GHashTable *ids, const QmpBlockdevOptions *b, const char *root, GError **error);

/* One of them is there, or none. */
static bool check_part(GHashTable *ids, const QmpBlockdevOptions *definition, const char *reference, const char *root,
                       const char *key, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s.%s", root, key);

    if (definition)
        return check_node(ids, definition, path, error);
    return !reference || !*reference || find_id(ids, reference, "blockdev", path, error);
}

static bool check_ref(GHashTable *ids, const QmpBlockdevRef *ref, const char *root, const char *key, GError **error)
{
    bool made = ref && ref->kind == QMP_BLOCKDEV_REF_KIND_DEFINITION;

    return !ref || check_part(ids, made ? ref->u.definition : NULL, made ? NULL : ref->u.reference, root, key, error);
}

static bool check_qcow2(GHashTable *ids, const QmpBlockdevOptionsQcow2 *q, const char *root, GError **error)
{
    const QmpBlockdevRefOrNull *backing = q->backing;
    int kind = backing ? backing->kind : QMP_BLOCKDEV_REF_OR_NULL_KIND_NULL;

    return check_ref(ids, q->file, root, "file", error) &&
           check_part(ids, kind == QMP_BLOCKDEV_REF_OR_NULL_KIND_DEFINITION ? backing->u.definition : NULL,
                      kind == QMP_BLOCKDEV_REF_OR_NULL_KIND_REFERENCE ? backing->u.reference : NULL, root, "backing",
                      error) &&
           check_ref(ids, q->data_file, root, "data-file", error);
}

static bool check_node(GHashTable *ids, const QmpBlockdevOptions *b, const char *root, GError **error)
{
    g_autofree char *path = g_strconcat(root, ".node-name", NULL);
    bool ok = b->driver == QMP_BLOCKDEV_DRIVER_RAW     ? check_ref(ids, b->u.raw->file, root, "file", error)
              : b->driver == QMP_BLOCKDEV_DRIVER_QCOW2 ? check_qcow2(ids, b->u.qcow2, root, error)
                                                       : true;

    return ok && add_id(ids, b->node_name, path, error);
}

static bool check_blockdevs(const Options *o, GHashTable *ids, GError **error)
{
    const QmpBlockdevOptionsList *all = &o->said->blockdev;

    for (size_t i = 0; i < all->count; i++)
        if (!check_node(ids, all->items[i], "-blockdev", error))
            return false;
    return true;
}

/* The drives' names and those of nodes are one kind. */
static bool check_disks(Options *o, GError **error)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < o->drives->len; i++)
        if (!add_id(ids, ((QmpDriveOptions *)g_ptr_array_index(o->drives, i))->id, "-drive.id", error))
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
        if (g_str_equal(object->id, id) && !object->size)
            return options_fail(error, root, "'%s' is of type %s, which is no memory", id,
                                qmp_ObjectType_name(object->type));
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
        ok = add_id(devices, ((OptionsDevice *)g_ptr_array_index(o->devices, i))->common.id, "-device.id", error);
    for (size_t i = 0; ok && i < o->said->netdev.count; i++)
        ok = add_id(nets, o->said->netdev.items[i]->id, "-netdev.id", error);
    for (guint i = 0; ok && i < o->nics->len; i++) {
        const OptionsNic *nic = g_ptr_array_index(o->nics, i);
        ok = !nic->net || add_id(nets, nic->net->id, "-nic.id", error);
    }
    for (guint i = 0; ok && i < o->objects->len; i++)
        ok = add_id(objects, ((OptionsObject *)g_ptr_array_index(o->objects, i))->id, "-object.id", error);
    return ok && check_memory_backend(o, objects, error);
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

bool options_check(Options *o, GError **error)
{
    if (!check_memory(&o->memory, error))
        return false;
    if (o->initrd && !o->kernel)
        return options_fail(error, "-initrd", "it goes with -kernel only");
    if (o->append && !o->kernel)
        return options_fail(error, "-append", "it goes with -kernel only");
    if (o->incoming && o->loadvm)
        return options_fail(error, "-loadvm", "it does not go with -incoming, which brings a state, too");
    return check_disks(o, error) && check_names(o, error) && check_lines(o, error);
}
