/*
 * vm.h: a PC out of a command line: its backends (disks, lines, networks), its devices, and what happens to it.
 *
 * A Vm lives on a GMainContext, whose thread calls everything here, without the machine's lock.
 */
#ifndef EMU_MACHINE_VM_H
#define EMU_MACHINE_VM_H

#include "emu/block/blk-raw.h"
#include "emu/core/fd-set.h"
#include "emu/core/job.h"
#include "emu/machine/migrate.h"
#include "emu/machine/options.h"

typedef struct Vm Vm;

/* What the machine does, as QEMU's users call it. */
typedef enum VmState {
    VM_PRELAUNCH, /* it has not run yet */
    VM_RUNNING,
    VM_PAUSED,
    VM_INMIGRATE,      /* it waits for its state */
    VM_FINISH_MIGRATE, /* it stands, for the last of its state is on its way */
    VM_POSTMIGRATE,    /* somebody else goes on with it */
    VM_SHUTDOWN,       /* the guest has switched it off */
    VM_INTERNAL_ERROR, /* KVM cannot go on */
    VM_IO_ERROR        /* memory of a snapshot cannot be read */
} VmState;

const char *vm_state_name(VmState state);

/* Who wanted it. */
typedef enum VmCause {
    VM_CAUSE_GUEST_RESET,
    VM_CAUSE_GUEST_SHUTDOWN,
    VM_CAUSE_RESET, /* vm_reset */
    VM_CAUSE_QUIT,  /* a command ends the program */
    VM_CAUSE_SIGNAL,
} VmCause;

/* What has become of the last migration, out or in. */
typedef enum VmMigrationStatus {
    VM_MIGRATION_NONE,
    VM_MIGRATION_WAITS, /* for a state to come */
    VM_MIGRATION_SETUP, /* it begins */
    VM_MIGRATION_ACTIVE,
    VM_MIGRATION_PRE_SWITCHOVER, /* the machine stands, and it waits for a word */
    VM_MIGRATION_DEVICE,         /* and that has come */
    VM_MIGRATION_CANCELLING,
    VM_MIGRATION_CANCELLED,
    VM_MIGRATION_COMPLETED,
    VM_MIGRATION_FAILED,
} VmMigrationStatus;

typedef struct VmDevice VmDevice;

/* All may be NULL. */
typedef struct VmEvents {
    void (*state_changed)(void *opaque, VmState state, VmState before);
    void (*was_reset)(void *opaque, VmCause cause);
    void (*shut_down)(void *opaque, VmCause cause); /* by the guest: it was switched off, or is not to be reset */
    void (*powered_down)(void *opaque);             /* the power button was pressed */
    void (*device_goes)(void *opaque, const VmDevice *device);    /* one that was plugged in; it is still there */
    void (*migration_is)(void *opaque, VmMigrationStatus status); /* capability "events" */
    void (*migration_pass)(void *opaque, uint64_t number);        /* likewise; from any thread */
    void (*quit)(void *opaque, int status);                       /* nothing more to do here; exit status */
    void (*message)(void *opaque, const char *message);           /* for the user, without a line's end */
    void *opaque;
    JobEvents jobs; /* as job.h has it: from any thread */
} VmEvents;

/* The types that -device knows, NULL ends them; for options_parse. */
const DeviceType *const *vm_device_types(void);

/*
 * A Vm is made in two steps. After the first it can have lines, for who says what is to be made; the second makes
 * everything and opens everything. The options are borrowed until it is freed, or vm_make fails: then nothing is there
 * but what was there before. With -incoming it begins to listen; without, the machine is ready. Warnings are told by
 * `message`. vm_new does both.
 */
Vm *vm_begin(const VmEvents *events, GMainContext *context);
bool vm_make(Vm *vm, const Options *options, GError **error);
Vm *vm_new(const Options *options, const VmEvents *events, GMainContext *context, GError **error);
void vm_free(Vm *vm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Vm, vm_free)

/* Starts it, unless it waits for its state or is not to run (-S). */
void vm_launch(Vm *vm);

/* Until it is made there are no PC and no options. */
Pc *vm_pc(Vm *vm);
VmState vm_state(const Vm *vm);
const Options *vm_options(const Vm *vm);

/* The machine's, and its lines'. */
GRecMutex *vm_lock(Vm *vm);

/* Sets of descriptors: "/dev/fdset/SET". */
FdSets *vm_fd_sets(Vm *vm);

/* What takes its time. */
Jobs *vm_jobs(Vm *vm);

/* Cancels what still works, and waits for it: there are no jobs any more, and none is told of. NULL is nothing. */
void vm_end_jobs(Vm *vm);

/* Lines by their ids. NULL: there is none. Borrowed. */
Chardev *vm_chardev(Vm *vm, const char *id);

/* Takes all of -add-fd, and opens all of -chardev, that are not there yet. */
bool vm_open_lines(Vm *vm, const Options *options, GError **error);

/* Opens a line, or finds it (chardev:ID); of one that is shared (mux), another end. */
Chardev *vm_line_new(Vm *vm, const OptionsChar *line, const char *label, GError **error);

/* --- disks ------------------------------------------------------------------------------------------------------ */

typedef enum VmPart { VM_PART_FILE, VM_PART_BACKING, VM_PART_DATA, VM_PART_COUNT } VmPart;

/* A drive (-drive), with the nodes that it implies; or a node (-blockdev, blockdev-add). Only read. */
typedef struct VmDisk VmDisk;
struct VmDisk {
    char *id;          /* the drive's, or the node's; NULL: a device's own drive */
    char *path;        /* its file; NULL: none */
    Block *block;      /* NULL: a drive without a medium, or a node that another one uses */
    const char *about; /* its driver: "raw", "qcow2", "file", "host_device" */
    bool cd, used;
    bool has_tray;     /* it is in a CD drive: */
    uint8_t bus, unit; /* on an IDE cable */
    bool is_node;      /* it is a node, no drive */
    bool is_private;   /* a node that goes with the one that uses it */
    char *user;        /* the device that uses it, as query-block has it; NULL: none */
    char *job;         /* the job that uses it; NULL: none */
    BlkRaw options;    /* that it was opened with, or will be; but for its path */
    uint8_t detect_zeroes;
    char *node, *file_node;       /* of a drive: names of its nodes; of those behind it they are made of the first */
    VmDisk *parts[VM_PART_COUNT]; /* of a node: the nodes that it uses; NULL: what the image says */
    VmDisk *above;                /* the node that uses it */
    bool no_backing;              /* nothing is behind it, whatever the image says */
    uint64_t l2_cache, refcount_cache;
};

unsigned vm_disk_count(const Vm *vm);
VmDisk *vm_disk(const Vm *vm, unsigned n);

/* Makes a node, and opens it; closes one that nobody uses. */
typedef struct QmpBlockdevOptions QmpBlockdevOptions;
bool vm_add_node(Vm *vm, const QmpBlockdevOptions *options, GError **error);
bool vm_remove_node(Vm *vm, const char *name, GError **error);

/*
 * A node that is a file, for a job that writes an image into it: it is closed until it is given back, and gone then if
 * it cannot be opened any more.
 */
VmDisk *vm_borrow_node(Vm *vm, const char *name, const char *job, GError **error);
bool vm_return_node(Vm *vm, VmDisk *node, GError **error);

/* --- lines of characters ----------------------------------------------------------------------------------------- */

/* Without the ends of lines that are shared. */
typedef struct VmLine {
    Chardev *chardev;
    const char *label;
    uint8_t type; /* OptionsCharType */
    bool server;
    const char *user; /* what uses it; NULL: nothing */
} VmLine;

unsigned vm_line_count(const Vm *vm);
VmLine vm_line(const Vm *vm, unsigned n);

/*
 * Makes one under that name; puts another end in its place; closes one that nothing uses. A descriptor in the options
 * is taken.
 */
Chardev *vm_add_line(Vm *vm, const char *id, const OptionsChar *options, GError **error);
Chardev *vm_change_line(Vm *vm, const char *id, const OptionsChar *options, GError **error);
bool vm_remove_line(Vm *vm, const char *id, GError **error);

bool vm_stop(Vm *vm, GError **error);
bool vm_continue(Vm *vm, GError **error);

/* The reset button; a machine that has failed or is switched off can then run again. */
void vm_reset(Vm *vm);

/* The power button. */
void vm_press_power(Vm *vm);

/* What happens when the guest resets the machine, or switches it off: the program ends. At first as the options say. */
typedef struct VmActions {
    bool ends_at_reset, ends_at_shutdown;
} VmActions;

VmActions vm_actions(const Vm *vm);
void vm_set_actions(Vm *vm, VmActions actions);

typedef struct VmMigration {
    VmMigrationStatus status;
    int64_t start_us; /* of the monotonic clock */
    int64_t took_ms;  /* of one that has ended */
    char *error;      /* of one that has failed */
} VmMigration;

const VmMigration *vm_migration(const Vm *vm);

/* For a machine that waits for its state (-incoming defer). */
bool vm_incoming(Vm *vm, const char *uri, GError **error);

#endif
