/*
 * whole-pc.h: the machine that a command line makes, in the test's process, and what can be said of all of it: its
 * sections and its memory.
 */
#ifndef TESTS_SUPPORT_WHOLE_PC_H
#define TESTS_SUPPORT_WHOLE_PC_H

#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <string.h>

#include "emu/kvm/cpu-state.h"
#include "emu/machine/vm.h"
#include "visitors/bytes.h"
#include "vmstate/state.h"

typedef struct WholePc {
    char *folder; /* with its firmware, "bios", and a disk, "disk" */
    Options *options;
    Vm *vm;
    Pc *pc;
    Machine *machine;
} WholePc;

enum { WHOLE_BIOS = 64 << 10, WHOLE_DISK = 1 << 20, WHOLE_START = 16 };

static inline void whole_pc_write(const char *folder, const char *name, const void *octets, size_t len)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GError) error = NULL;

    cr_assert(g_file_set_contents(path, octets, (gssize)len, &error), "%s", error->message);
}

static inline void whole_pc_fill_folder(const char *folder, const uint8_t *start)
{
    g_autofree uint8_t *octets = g_malloc(WHOLE_DISK);

    memset(octets, 0xf4, WHOLE_BIOS);
    if (start)
        memcpy(octets + WHOLE_BIOS - WHOLE_START, start, WHOLE_START);
    whole_pc_write(folder, "bios", octets, WHOLE_BIOS);
    memset(octets, 0, WHOLE_DISK);
    whole_pc_write(folder, "disk", octets, WHOLE_DISK);
}

static inline void whole_pc_complain(void *opaque, const char *message)
{
    (void)opaque;
    cr_log_warn("%s", message);
}

/*
 * Words up to NULL; {} in them stands for the folder. "-nodefaults -display none -serial null -bios {}/bios" come
 * first. The firmware is 64 KiB that end in `start`, 16 octets, which the processor runs first; NULL: hlt.
 */
static inline void whole_pc_init(WholePc *p, const char *const *words, const uint8_t *start)
{
    static const char *const first[] = {"-nodefaults", "-display", "none", "-serial", "null", "-bios", "{}/bios"};
    const VmEvents events = {.message = whole_pc_complain};
    g_autoptr(GPtrArray) line = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;

    *p = (WholePc){.folder = g_dir_make_tmp("ferry-XXXXXX", NULL)};
    whole_pc_fill_folder(p->folder, start);
    for (size_t i = 0; i < G_N_ELEMENTS(first) || *words; i++) {
        g_auto(GStrv) parts = g_strsplit(i < G_N_ELEMENTS(first) ? first[i] : *words++, "{}", -1);
        g_ptr_array_add(line, g_strjoinv(p->folder, parts));
    }
    g_ptr_array_add(line, NULL);
    p->options = options_parse((const char *const *)line->pdata, vm_device_types(), &error);
    cr_assert(p->options, "%s", error ? error->message : "");
    p->vm = vm_new(p->options, &events, g_main_context_default(), &error);
    cr_assert(p->vm, "%s", error ? error->message : "");
    p->pc = vm_pc(p->vm);
    p->machine = pc_machine(p->pc);
}

static inline void whole_pc_done(WholePc *p)
{
    static const char *const names[] = {"bios", "disk"};

    vm_free(p->vm);
    options_free(p->options);
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(p->folder, names[i], NULL);
        g_unlink(path);
    }
    g_rmdir(p->folder);
    g_free(p->folder);
}

/* What each type needs; a type that is not here fails the test. */
static const struct {
    const char *type, *more;
} whole_pc_full[] = {
    {"ide-cd", ",bus=ide.1,unit=0"}, {"ide-hd", ",bus=ide.0,unit=0,drive=a"}, {"isa-debugcon", ",chardev=c"},
    {"isa-serial", ",chardev=d"},    {"virtio-blk-pci", ",drive=b"},          {"virtio-net-pci", ",netdev=n,romfile="},
    {"virtio-rng-pci", ""},
};

static const char *whole_pc_needs(const char *type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(whole_pc_full); i++)
        if (g_str_equal(whole_pc_full[i].type, type))
            return whole_pc_full[i].more;
    cr_assert_fail("the device type %s is new: what does it need to be in a machine?", type);
    return NULL;
}

/* With every device that -device knows, and without KVM. */
static inline void whole_pc_init_full(WholePc *p)
{
    static const char *const first[] = {"-accel",   "none",
                                        "-m",       "4",
                                        "-smp",     "2",
                                        "-drive",   "file={}/disk,format=raw,if=none,id=a,readonly=on",
                                        "-drive",   "file={}/disk,format=raw,if=none,id=b,readonly=on",
                                        "-netdev",  "user,id=n",
                                        "-chardev", "null,id=c",
                                        "-chardev", "null,id=d"};
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
        g_ptr_array_add(words, g_strdup(first[i]));
    for (const DeviceType *const *t = vm_device_types(); *t; t++) {
        g_ptr_array_add(words, g_strdup("-device"));
        g_ptr_array_add(words, g_strconcat((*t)->name, whole_pc_needs((*t)->name), NULL));
    }
    g_ptr_array_add(words, NULL);
    whole_pc_init(p, (const char *const *)words->pdata, NULL);
}

/* --- streams ---------------------------------------------------------------------------------------------------- */

/* In either format; the machine stands, and does so afterwards. */
static inline bool whole_pc_load(WholePc *p, const ByteOut *stream, GError **error)
{
    return migrate_in(p->pc, chan_mem_new(stream->data, stream->len), error);
}

static inline void whole_pc_save(WholePc *p, MigrateFormat format, ByteOut *stream)
{
    g_autoptr(GError) error = NULL;

    cr_assert(migrate_save(p->pc, chan_buf_new(stream), format, &error), "%s", error ? error->message : "");
}

/* --- all that it is --------------------------------------------------------------------------------------------- */

/* All that it is: states of sections and octets of memory. What counts on by itself is left out (the clock on the wall,
 * the TSC). */
typedef struct WholeState {
    GPtrArray *states; /* of each section */
    GPtrArray *areas;  /* of GBytes, for each area */
} WholeState;

/* A copy; of KVM's part, what it has now. The clock on the wall goes on, and so may a processor's TSC. */
static inline void *whole_state_copy(const Section *s)
{
    void *copy = vms_state_new(s->desc);
    g_autoptr(GError) error = NULL;

    if (s->desc->pull && !g_str_equal(s->name, "mc146818rtc"))
        cr_assert(s->desc->pull(s->opaque, &error), "%s", error->message);
    vms_state_copy(s->desc, copy, s->state);
    if (g_str_equal(s->name, "cpu"))
        ((CpuState *)copy)->tsc = 0;
    return copy;
}

static inline void whole_state_take(WholePc *p, WholeState *s)
{
    *s = (WholeState){.states = g_ptr_array_new(),
                      .areas = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref)};
    machine_lock(p->machine);
    for (size_t i = 0; i < section_list_length(p->machine->sections); i++)
        g_ptr_array_add(s->states, whole_state_copy(section_list_get(p->machine->sections, i)));
    machine_unlock(p->machine);
    for (guint i = 0; i < p->machine->areas->len; i++) {
        const RamArea *area = p->machine->areas->pdata[i];
        g_ptr_array_add(s->areas, g_bytes_new(area->host, area->size));
    }
}

static inline void whole_state_done(const WholePc *p, WholeState *s)
{
    for (guint i = 0; i < s->states->len; i++)
        vms_state_free(section_list_get(p->machine->sections, i)->desc, s->states->pdata[i]);
    g_ptr_array_unref(s->states);
    g_ptr_array_unref(s->areas);
}

/* The name of the first thing that is not as it was; NULL: all is the same. Borrowed from the machine. */
static inline const char *whole_state_changed(WholePc *p, const WholeState *s)
{
    const char *changed = NULL;

    machine_lock(p->machine);
    for (guint i = 0; i < s->states->len && !changed; i++) {
        const Section *section = section_list_get(p->machine->sections, i);
        void *now = whole_state_copy(section);
        if (!vms_state_equal(section->desc, now, s->states->pdata[i]))
            changed = section->name;
        vms_state_free(section->desc, now);
    }
    machine_unlock(p->machine);
    for (guint i = 0; i < s->areas->len && !changed; i++) {
        const RamArea *area = p->machine->areas->pdata[i];
        gsize size;
        const void *was = g_bytes_get_data(s->areas->pdata[i], &size);
        if (size != area->size || memcmp(was, area->host, size) != 0)
            changed = area->name;
    }
    return changed;
}

#endif
