/*
 * options.h: the command line of the PC, as users of QEMU know it, as one struct.
 *
 * Only read, not acted upon: nothing is opened, made or printed. Numbers have the defaults of QEMU's pc; a char * is
 * NULL where nothing was given, and a list is never NULL. An option that is there once may be given several times: what
 * is given later adds to it, and replaces.
 */
#ifndef EMU_MACHINE_OPTIONS_H
#define EMU_MACHINE_OPTIONS_H

#include "emu/core/device.h"

struct json_t;

/* Numbers of the names in options-text.c. */
typedef enum OptionsAccel { OPTIONS_ACCEL_KVM, OPTIONS_ACCEL_NONE } OptionsAccel;
typedef enum OptionsAuto { OPTIONS_AUTO, OPTIONS_ON, OPTIONS_OFF } OptionsAuto;
typedef enum OptionsIrqchip { OPTIONS_IRQCHIP_ON, OPTIONS_IRQCHIP_SPLIT, OPTIONS_IRQCHIP_OFF } OptionsIrqchip;

typedef struct OptionsMachine {
    char *type;  /* "none": it never runs */
    char *accel; /* as it was given: "kvm:none" */
    bool usb, graphics, hpet, i8042, mem_merge, dump_guest_core;
    uint8_t acpi, smm, vmport; /* OptionsAuto */
    uint8_t irqchip;           /* OptionsIrqchip */
    uint64_t max_ram_below_4g; /* octets; 0: the machine's own */
    char *memory_backend;      /* the -object that is its memory */
} OptionsMachine;

/* A feature that is added to or taken from the model: "vmx", "on". Later ones win. */
typedef struct OptionsFeature {
    char *name, *value;
} OptionsFeature;

typedef struct OptionsCpu {
    char *model;         /* NULL: the machine's own */
    GPtrArray *features; /* OptionsFeature */
} OptionsCpu;

/* After parsing all are there: cpus <= maxcpus = sockets * dies * cores * threads. */
typedef struct OptionsSmp {
    uint32_t cpus, maxcpus, sockets, dies, cores, threads;
} OptionsSmp;

typedef struct OptionsMemory {
    uint64_t size; /* octets */
    uint64_t maxmem;
    uint32_t slots;
} OptionsMemory;

typedef enum OptionsInterface {
    OPTIONS_IF_IDE,
    OPTIONS_IF_FLOPPY,
    OPTIONS_IF_VIRTIO,
    OPTIONS_IF_PFLASH,
    OPTIONS_IF_NONE,
} OptionsInterface;
typedef enum OptionsFormat { OPTIONS_FORMAT_PROBE, OPTIONS_FORMAT_RAW, OPTIONS_FORMAT_QCOW2 } OptionsFormat;
typedef enum OptionsCache {
    OPTIONS_CACHE_WRITEBACK,
    OPTIONS_CACHE_NONE,
    OPTIONS_CACHE_WRITETHROUGH,
    OPTIONS_CACHE_DIRECTSYNC,
    OPTIONS_CACHE_UNSAFE,
} OptionsCache;
typedef enum OptionsOnError {
    OPTIONS_ON_ERROR_AUTO,
    OPTIONS_ON_ERROR_IGNORE,
    OPTIONS_ON_ERROR_REPORT,
    OPTIONS_ON_ERROR_STOP,
    OPTIONS_ON_ERROR_ENOSPC,
} OptionsOnError;

typedef struct OptionsDrive {
    char *file, *id;
    uint8_t interface, format, media /* 0 disk, 1 cdrom */, cache, aio, discard, detect_zeroes, werror, rerror;
    uint8_t locking; /* of the file: 0 auto, 1 on, 2 off */
    bool has_index, has_bus, has_unit;
    uint32_t index, bus, unit; /* after parsing bus and unit are there, if it has an interface */
    bool readonly, snapshot;
} OptionsDrive;

/* A node of -blockdev; with one protocol node in it, or a reference to another. */
typedef struct OptionsBlockFile {
    uint8_t driver; /* 0 file, 1 host_device */
    char *node_name, *filename;
    uint8_t aio, locking, discard;
    bool read_only, auto_read_only, direct, no_flush;
} OptionsBlockFile;

typedef struct OptionsBlockdev {
    uint8_t driver; /* 0 raw, 1 qcow2, 2 file, 3 host_device */
    char *node_name, *filename;
    char *file_node, *backing; /* nodes by their names; NULL: `file` has it, the image says it */
    OptionsBlockFile file;
    uint8_t aio, locking, discard, detect_zeroes;
    bool read_only, auto_read_only, direct, no_flush;
} OptionsBlockdev;

typedef struct OptionsDevice {
    char *driver, *id, *bus, *addr;
    const DeviceType *type;
    char *text; /* all that was given, for options_device_apply */
} OptionsDevice;

typedef enum OptionsObjectType {
    OPTIONS_OBJECT_RAM,
    OPTIONS_OBJECT_MEMFD,
    OPTIONS_OBJECT_FILE,
    OPTIONS_OBJECT_RNG_RANDOM,
    OPTIONS_OBJECT_RNG_BUILTIN,
    OPTIONS_OBJECT_IOTHREAD,
    OPTIONS_OBJECT_SECRET,
} OptionsObjectType;

typedef struct OptionsObject {
    uint8_t type;
    char *id;
    /* memory-backend-ram, -memfd, -file */
    uint64_t size, hugetlbsize;
    bool share, prealloc, merge, dump, reserve, hugetlb, readonly;
    char *path; /* of a file: "mem-path"; of rng-random: "filename"; of a secret: "file" */
    /* secret */
    char *data;
    uint8_t format; /* 0 raw, 1 base64 */
} OptionsObject;

typedef enum OptionsNetType {
    OPTIONS_NET_USER,
    OPTIONS_NET_TAP,
    OPTIONS_NET_SOCKET,
    OPTIONS_NET_VDE,
    OPTIONS_NET_NONE, /* of -nic only */
} OptionsNetType;

typedef struct OptionsNet {
    uint8_t type;
    char *id;
    char *model, *mac; /* of -nic only */
    /* user */
    char *net, *host, *hostname, *dhcpstart, *dns, *domainname, *tftp, *tftp_server, *bootfile;
    char *ipv6_prefix, *ipv6_host, *ipv6_dns;
    uint16_t ipv6_bits;       /* of the prefix; 0: as it says, or 64 */
    char *dnssearch;          /* a domain a line */
    char *hostfwd, *guestfwd; /* a rule a line */
    bool restricted, ipv4, ipv6;
    /* tap */
    char *ifname, *script, *downscript, *bridge, *helper, *fd;
    bool vhost;
    /* socket */
    char *listen, *connect, *mcast, *localaddr, *udp;
    /* vde */
    char *sock, *group;
    uint16_t port, mode;
} OptionsNet;

typedef enum OptionsCharType {
    OPTIONS_CHAR_NULL,
    OPTIONS_CHAR_STDIO,
    OPTIONS_CHAR_PTY,
    OPTIONS_CHAR_FILE,
    OPTIONS_CHAR_SOCKET,
    OPTIONS_CHAR_RINGBUF,
    OPTIONS_CHAR_NONE,      /* of -serial and others: there is no such thing */
    OPTIONS_CHAR_REFERENCE, /* of -serial and others: the -chardev with this id */
} OptionsCharType;

typedef struct OptionsChar {
    uint8_t type;
    char *id;
    char *path, *input, *host, *port;
    bool append, server, wait, delay, signal, mux; /* mux: the monitor is behind the same line */
    bool has_fd;
    int32_t fd;
    uint32_t reconnect;
    uint64_t size;
} OptionsChar;

typedef struct OptionsMonitor {
    char *id;
    OptionsChar line;
    uint8_t mode; /* 0 readline, 1 control (QMP) */
    bool pretty;
} OptionsMonitor;

typedef struct OptionsName {
    char *guest, *process;
    bool debug_threads;
} OptionsName;

typedef struct OptionsBoot {
    char *order, *once, *splash;
    bool menu, strict, has_splash_time, has_reboot_timeout;
    uint32_t splash_time;   /* ms */
    int32_t reboot_timeout; /* ms; -1: does not reboot */
} OptionsBoot;

typedef enum OptionsRtcBase { OPTIONS_RTC_UTC, OPTIONS_RTC_LOCALTIME, OPTIONS_RTC_DATE } OptionsRtcBase;

typedef struct OptionsRtc {
    char *date;       /* as it was given, if base is a date */
    uint8_t base;     /* OptionsRtcBase */
    int64_t start_s;  /* of a date: seconds since 1970 */
    uint8_t clock;    /* 0 host, 1 rt, 2 vm */
    uint8_t driftfix; /* 0 none, 1 slew */
} OptionsRtc;

typedef struct Options {
    char *help; /* not NULL: this was asked for; the rest was not looked at */

    OptionsMachine machine;
    uint8_t accel; /* OptionsAccel */
    OptionsCpu cpu;
    OptionsSmp smp;
    OptionsMemory memory;
    char *kernel, *initrd, *append, *bios;
    OptionsBoot boot;
    OptionsRtc rtc;
    OptionsName name;
    bool has_uuid;
    uint8_t uuid[16];

    GPtrArray *drives, *blockdevs, *devices; /* OptionsDrive, OptionsBlockdev, OptionsDevice */
    GPtrArray *objects;                      /* OptionsObject */
    GPtrArray *netdevs, *nics;               /* OptionsNet */
    GPtrArray *chardevs, *serials;           /* OptionsChar */
    GPtrArray *monitors;                     /* OptionsMonitor */

    char *incoming, *loadvm, *pidfile;
    bool stopped, no_defaults, no_reboot, no_shutdown, daemonize, no_graphic;
    uint8_t display;                 /* 0: none, the only one */
    bool mem_lock, cpu_pm;           /* -overcommit */
    bool message_time, message_name; /* -msg: what is in front of messages */
} Options;

/*
 * Reads a command line, without the program's name. `types` (ended by NULL) are those that -device knows. New; NULL: it
 * is wrong, and the error says which option and what would be right.
 */
Options *options_parse(const char *const *words, const DeviceType *const *types, GError **error);
void options_free(Options *o);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Options, options_free)

/*
 * Sets what the option says in a device of its type that is not realized yet. Strings that the type's options describe
 * are owned by the device. If it fails the device is as it was.
 */
bool options_device_apply(const OptionsDevice *d, Device *dev, GError **error);

/* An option that has keys. */
typedef struct OptionsKnown {
    const char *name;               /* as query-command-line-options of QEMU's has it; NULL ends them */
    const VMStateDescription *desc; /* of its keys; NULL: they depend on what it makes */
} OptionsKnown;

const OptionsKnown *options_known(void);

/* What an -object of that type takes; NULL: there is no such type. */
const VMStateDescription *options_object_desc(const char *type);

/* What -device help and -device TYPE,help say, and --help. New strings. */
char *options_devices_help(const DeviceType *const *types);
char *options_device_help(const DeviceType *type);
char *options_help(void);

/* Of g_malloc, with all in it. */
void options_net_free(OptionsNet *n);

#endif
