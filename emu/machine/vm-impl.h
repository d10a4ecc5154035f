/* vm-impl.h: what the files of the Vm share. Only included by them. */
#ifndef EMU_MACHINE_VM_IMPL_H
#define EMU_MACHINE_VM_IMPL_H

#include "emu/machine/devices.h"
#include "emu/machine/incoming.h"
#include "emu/machine/vm-snapshot.h"
#include "emu/net/net.h"
#include "vmstate/live-source.h"
#include "vmstate/transport.h"

typedef struct VmNet {
    NetBackend *net;
    QmpNetdev *options; /* what it was made of; owned */
    bool used;
} VmNet;

/* A line that several share, under its name. */
typedef struct VmMux {
    char *id;
    ChardevMux *mux;
} VmMux;

typedef struct VmBoot {
    int32_t index;
    char *path; /* Open Firmware's */
} VmBoot;

struct Vm {
    const Options *options; /* NULL: it is not made yet */
    GRecMutex lock;         /* of its lines and its machine */
    VmEvents events;
    GMainContext *context;
    Pc *pc; /* NULL: it is not made yet */
    VmState state;
    bool goes_on; /* after a state has come, or a reset */
    bool reset_pressed;
    VmActions actions;
    Jobs *jobs;
    bool made; /* all that the options say is there */

    FdSets *fd_sets;
    size_t fds_added; /* of -add-fd */

    GPtrArray *chardevs;    /* of Chardev, by their labels */
    GHashTable *line_kinds; /* by labels: OptionsCharType + 1, and that it is a server */
    GPtrArray *muxes;       /* of VmMux */
    GPtrArray *disks;       /* of VmDisk */
    unsigned node_names;    /* that were made up so far */
    unsigned drive_cards;   /* of drives without a -device */
    unsigned first_drive;   /* among the disks: that of the first -drive */
    GPtrArray *nets;        /* of VmNet */
    GArray *boots;          /* of VmBoot */
    GPtrArray *devices;     /* of VmDevice */
    char *boot_paths;
    unsigned serials, cards; /* serial ports and network cards so far */

    char *snapshot_job; /* who is at work on snapshots; NULL: nobody */
    bool held;          /* it needs the machine to stand */
    RamFill *fill;      /* brings memory of a snapshot while the machine runs; NULL: all is there. Borrowed */
    VmLoad last_load;

    VmMigration migration;
    struct QmpMigrationParameters *migration_parameters;
    uint32_t migration_capabilities; /* that are wanted: a bit for each of QmpMigrationCapability */
    Incoming *incoming;              /* while a state is waited for, and comes; NULL: not now */
    Jobs *moves;                     /* of which there is one at a time, and nobody is told */
    struct VmMove *move;             /* NULL: it stays */
    bool has_moved;                  /* it did, or tried, and then: */
    LiveProgress moved;
    int64_t moved_downtime_ms; /* -1: it was not completed */
};

void vm_set_state(Vm *vm, VmState state);
void vm_quit(const Vm *vm, int status); /* as the event has it */

void vm_say(const Vm *vm, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* vm.c: a file's path; a name without a folder is looked for in these of the system's data. New; NULL: not there. */
char *vm_find_file(const char *name, const char *const *folders);

/* vm-lines.c */
void vm_mux_free(void *mux);
void vm_close_lines(Vm *vm, unsigned first); /* all but the first so many */
bool vm_make_lines(Vm *vm, GError **error);
bool vm_add_serial(Vm *vm, Chardev *line, GError **error);

/* vm-disks.c */
void vm_disk_free(void *disk);
VmDisk *vm_disk_new(Vm *vm, const char *id, const char *path);
VmDisk *vm_find_disk(const Vm *vm, const char *id);                   /* NULL: there is none */
char *vm_disk_user(const VmDisk *disk);                               /* "the device 'x'"; NULL: nobody. New */
char *vm_disk_path(const Vm *vm, const VmDisk *disk, GError **error); /* to be opened (fd-set.h). New */
char *vm_node_name(Vm *vm);                                           /* one that nobody has. New */
bool vm_make_disks(Vm *vm, GError **error);
bool vm_set_disks_active(Vm *vm, bool active, GError **error); /* all or none */
VmDisk *vm_take_disk(Vm *vm, const char *id, GError **error);  /* it must not be in use yet */
void vm_release_disk(Vm *vm, const char *id);

/* vm-nodes.c */
bool vm_make_nodes(Vm *vm, GError **error);

/* vm-nets.c */
void vm_net_free(void *net);
bool vm_make_nets(Vm *vm, GError **error);
VmNet *vm_net_new(Vm *vm, const QmpNetdev *o, GError **error);
VmNet *vm_take_net(Vm *vm, const char *id, GError **error); /* it must not have a card yet */
void vm_release_net(Vm *vm, const char *id);

/* vm-devices.c: also those that drives without a device imply. */
bool vm_make_devices(Vm *vm, GError **error);
void vm_boot_done(void *boot);
bool vm_plug(Vm *vm, const OptionsDevice *o, Device *dev, GError **error); /* gives it to the PC */

/* vm.c: another step of a migration; `error` NULL: it has not failed. */
void vm_migration_is(Vm *vm, VmMigrationStatus status, const GError *error);

/* vm-migrate.c: there are other limits; it is not to run if it stays; cancels it, and waits for it. */
void vm_migration_limit(Vm *vm);
void vm_migration_stay(Vm *vm);
void vm_end_migration(Vm *vm);

/* vm-migration-options.c */
void vm_migration_options_init(Vm *vm);
void vm_migration_options_done(Vm *vm);

/* vm-hotplug.c */
void vm_slots_ejected(void *vm, uint32_t slots); /* of PcEvents */

/* vm-plugged.c. A refusal; always false. */
bool vm_refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* `o` NULL: the board's own; otherwise it may have an id. */
VmDevice *vm_note_device(Vm *vm, const DeviceType *type, Device *dev, const OptionsDevice *o, const char *bus);
void vm_forget_device(Vm *vm, VmDevice *device);
void vm_device_free(void *device);

#endif
