/*
 * options.h: the command line of the PC, as users of QEMU know it, and what it makes of a machine.
 *
 * What can be said is QmpConfiguration (emu/qmp/schema/options.json), from the words of a command line, a file, or
 * commands before the machine is there. Options are what that means: checked, with all defaults, numbers as QEMU's pc
 * has them. Nothing is opened, made or printed here. Strings are the configuration's, and NULL where nothing was given;
 * a list is never NULL.
 */
#ifndef EMU_MACHINE_OPTIONS_H
#define EMU_MACHINE_OPTIONS_H

#include "emu/core/device.h"
#include "qapi/types.h"

struct json_t;

typedef enum OptionsAccel { OPTIONS_ACCEL_KVM, OPTIONS_ACCEL_NONE } OptionsAccel;

typedef struct OptionsMachine {
    const char *type;  /* "none": it never runs */
    const char *accel; /* as it was given: "kvm:none" */
    bool usb, graphics, hpet, i8042, mem_merge, dump_guest_core;
    QmpOnOffAuto acpi, smm, vmport;
    QmpOnOffSplit irqchip;
    uint64_t max_ram_below_4g;  /* octets; 0: the machine's own */
    const char *memory_backend; /* the -object that is its memory */
} OptionsMachine;

/* A feature that is added to or taken from the model: "vmx", "on". Later ones win. */
typedef struct OptionsFeature {
    char *name, *value;
} OptionsFeature;

typedef struct OptionsCpu {
    char *model;         /* NULL: the machine's own */
    GPtrArray *features; /* OptionsFeature */
} OptionsCpu;

/* cpus <= maxcpus = sockets * dies * cores * threads */
typedef struct OptionsSmp {
    uint32_t cpus, maxcpus, sockets, dies, cores, threads;
} OptionsSmp;

typedef struct OptionsMemory {
    uint64_t size; /* octets */
    uint64_t maxmem;
    uint32_t slots;
} OptionsMemory;

typedef struct OptionsDevice {
    QmpDeviceOptions common;
    const DeviceType *type;
    struct json_t *all; /* that was given, for options_device_apply */
} OptionsDevice;

typedef struct OptionsObject {
    QmpObjectType type;
    char *id;
    /* memory-backend-ram, -memfd, -file */
    uint64_t size, hugetlbsize;
    bool share, prealloc, merge, dump, reserve, hugetlb, readonly;
    char *path; /* of a file: "mem-path"; of rng-random: "filename" */
} OptionsObject;

/* A card, and its network. */
typedef struct OptionsNic {
    const char *model, *mac;
    QmpNetdev *net; /* NULL: there is none */
} OptionsNic;

typedef enum OptionsCharType {
    OPTIONS_CHAR_FILE = QMP_CHARDEV_BACKEND_KIND_FILE,
    OPTIONS_CHAR_SOCKET = QMP_CHARDEV_BACKEND_KIND_SOCKET,
    OPTIONS_CHAR_PTY = QMP_CHARDEV_BACKEND_KIND_PTY,
    OPTIONS_CHAR_NULL = QMP_CHARDEV_BACKEND_KIND_NULL,
    OPTIONS_CHAR_STDIO = QMP_CHARDEV_BACKEND_KIND_STDIO,
    OPTIONS_CHAR_RINGBUF = QMP_CHARDEV_BACKEND_KIND_RINGBUF,
    OPTIONS_CHAR_NONE = QMP_CHARDEV_BACKEND_KIND__MAX, /* of -serial and others: there is no such thing */
    OPTIONS_CHAR_REFERENCE,                            /* of -serial and others: the -chardev with this id */
} OptionsCharType;

typedef struct OptionsChar {
    uint8_t type;
    const char *id;
    const char *path, *input, *host, *port;
    bool append, server, wait, delay, signal, mux; /* mux: the monitor is behind the same line */
    bool has_fd;
    int32_t fd;
    uint32_t reconnect;
    uint64_t size;
} OptionsChar;

typedef struct OptionsMonitor {
    const char *id;
    OptionsChar line;
    QmpMonitorMode mode;
    bool pretty;
} OptionsMonitor;

typedef enum OptionsRtcBase { OPTIONS_RTC_UTC, OPTIONS_RTC_LOCALTIME, OPTIONS_RTC_DATE } OptionsRtcBase;

typedef struct OptionsRtc {
    OptionsRtcBase base;
    int64_t start_s; /* of a date: seconds since 1970 */
    QmpRtcClock clock;
    QmpRtcDriftfix driftfix;
} OptionsRtc;

typedef struct Options {
    char *help; /* not NULL: this was asked for; the rest was not looked at */

    QmpConfiguration *said; /* all that was; -blockdev and -netdev are only there */

    OptionsMachine machine;
    OptionsAccel accel;
    OptionsCpu cpu;
    OptionsSmp smp;
    OptionsMemory memory;
    const char *kernel, *initrd, *append, *bios;
    QmpBootOptions boot;
    OptionsRtc rtc;
    QmpNameOptions name;
    bool has_uuid;
    uint8_t uuid[16];

    GPtrArray *drives;             /* QmpDriveOptions: bus, unit and index are there, if it has an interface */
    GPtrArray *devices;            /* OptionsDevice */
    GPtrArray *objects;            /* OptionsObject */
    GPtrArray *nics;               /* OptionsNic */
    GPtrArray *chardevs, *serials; /* OptionsChar */
    GPtrArray *monitors;           /* OptionsMonitor */
    GPtrArray *lines;              /* QmpChardevOptions, of lines' short forms */

    const char *incoming, *loadvm, *pidfile;
    bool stopped, preconfig, no_defaults, no_reboot, no_shutdown, daemonize, no_graphic;
    bool mem_lock;                   /* -overcommit */
    bool message_time, message_name; /* -msg: what is in front of messages */
} Options;

/*
 * Reads a command line, without the program's name. `types` (ended by NULL) are those that -device knows. New; NULL: it
 * is wrong, and the error says which option and what would be right.
 */
Options *options_parse(const char *const *words, const DeviceType *const *types, GError **error);

/* With what else is said, which is checked, too. New; NULL: that is wrong, or does not go together. */
Options *options_with(const Options *before, const QmpConfiguration *more, const DeviceType *const *types,
                      GError **error);

void options_free(Options *o);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Options, options_free)

/* A device of its own, as -device has it: `all` is an object, and borrowed. `root` starts the path of errors. */
OptionsDevice *options_device_new(struct json_t *all, const DeviceType *const *types, const char *root, GError **error);
void options_device_free(OptionsDevice *d);

/*
 * Sets what the option says in a device of its type that is not realized yet. Strings that the type's options describe
 * are owned by the device. If it fails the device is as it was.
 */
bool options_device_apply(const OptionsDevice *d, Device *dev, GError **error);

/* The file's name; NULL: there is none. */
const char *options_drive_file(const QmpDriveOptions *d);

/* Which line it is; borrows from it. */
OptionsChar options_char_of(const QmpChardevOptions *c);

/* One option's value by itself: is it sound? `root` starts the path of errors. */
bool options_check_chardev(const QmpChardevOptions *c, const char *root, GError **error);
bool options_check_netdev(const QmpNetdev *n, const char *root, GError **error);
bool options_check_object(const QmpObjectOptions *o, const char *root, GError **error);

OptionsObject *options_object_new(const QmpObjectOptions *o);
void options_object_free(OptionsObject *object);

/* Which options have keys, by the names that query-command-line-options of QEMU's has for them. NULL ends them. */
typedef struct OptionsKnown {
    const char *name;
    const QapiType *keys; /* NULL: they depend on what it makes */
} OptionsKnown;

const OptionsKnown *options_known(void);

/* What -device help and -device TYPE,help say, and --help. New strings. */
char *options_devices_help(const DeviceType *const *types);
char *options_device_help(const DeviceType *type);
char *options_help(void);

#endif
