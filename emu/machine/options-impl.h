/* options-impl.h: what the files that read the command line share. Only included in emu/machine/. */
#ifndef EMU_MACHINE_OPTIONS_IMPL_H
#define EMU_MACHINE_OPTIONS_IMPL_H

#include "emu/machine/options.h"
#include "vmstate/options.h"

/* One description of several, by the value of a key: "socket" of "-chardev socket,path=...". */
typedef struct OptionsVariant {
    const char *name; /* NULL ends them */
    const VMStateDescription *desc;
} OptionsVariant;

/* Text: keys and values, or a JSON object. `root` starts the path of errors. Changes nothing if it fails. */
bool options_load(const VMStateDescription *desc, void *state, const char *text, const char *implied, const char *root,
                  GError **error);

/* The same, the description being the variant that the value of `key` (the implied one) names. */
bool options_load_variant(const OptionsVariant *variants, void *state, const char *text, const char *key,
                          const char *root, GError **error);

/* The value of a key, without judging the others; NULL: it is not there, or is a group. New string. */
char *options_peek(const char *text, const char *key, const char *implied);

/* Sets an error, `root: ...`. Always false. */
bool options_fail(GError **error, const char *root, const char *format, ...) G_GNUC_PRINTF(3, 4);

extern const VMStateDescription options_machine, options_accel_keys, options_memory, options_drive, options_name,
    options_boot, options_rtc, options_display, options_overcommit, options_messages, options_monitor, options_smp;
extern const VMStateDescription options_blockdev_group, options_blockdev_reference;
extern const OptionsVariant options_netdev[], options_nic[], options_chardev[], options_object[];

/* A group of a file of options: an option, and the text that would follow it. */
typedef struct OptionsGroup {
    char *option;
    GString *text;
    unsigned line;
} OptionsGroup;

/* All groups of a file (-readconfig), in their order. New, of OptionsGroup, which it owns. */
GArray *options_file_read(const char *path, GError **error);

/* What -smp has said so far. */
typedef struct OptionsSmpGiven {
    uint32_t cpus, maxcpus, sockets, dies, clusters, cores, threads;
    bool has_cpus, has_maxcpus, has_sockets, has_dies, has_clusters, has_cores, has_threads;
} OptionsSmpGiven;

/* A command line being read. */
typedef struct OptionsReader {
    Options *o;
    const DeviceType *const *types;
    OptionsSmpGiven smp;
    bool accel_option; /* -accel has said what runs it, not -machine */
} OptionsReader;

#define OPTIONS_MEMORY_DEFAULT (128ULL << 20)
#define OPTIONS_MACHINE_DEFAULTS                                                                                       \
    {                                                                                                                  \
        .graphics = true, .hpet = true, .i8042 = true, .mem_merge = true, .dump_guest_core = true                      \
    }

Options *options_new(void);

/* -serial, -monitor, -qmp: "stdio", "unix:PATH,server=on", "chardev:ID". */
bool options_line(OptionsChar *c, const char *text, const char *root, GError **error);

OptionsDrive *options_drive_new(void);
bool options_drive_load(OptionsDrive *d, const char *text, GError **error);
void options_drive_free(OptionsDrive *d);
OptionsBlockdev *options_blockdev_new(const char *text, GError **error);
void options_blockdev_free(OptionsBlockdev *b);
OptionsNet *options_net_new(const OptionsVariant *variants, const char *text, const char *root, GError **error);
OptionsChar *options_char_new(void);
void options_char_done(OptionsChar *c);
void options_char_free(OptionsChar *c);
OptionsDevice *options_device_new(const char *text, const DeviceType *const *types, GError **error);
void options_device_free(OptionsDevice *d);

void options_object_free(OptionsObject *object);

bool options_cpu(OptionsCpu *cpu, const char *text, GError **error);
bool options_smp_load(OptionsSmpGiven *given, const char *text, GError **error);
bool options_smp_complete(OptionsSmp *s, const OptionsSmpGiven *given, GError **error);
bool options_machine_type(OptionsMachine *machine, GError **error);
bool options_accel(Options *o, const char *root, GError **error);
bool options_rtc_base(OptionsRtc *rtc, GError **error);
bool options_uuid(Options *o, const char *text, GError **error);
bool options_incoming(const char *text, GError **error);

bool options_check_id(const char *id, const char *root, GError **error);

/* Gives it the place that it asks for, or the next one that is free. */
bool options_drive_place(const GPtrArray *drives, OptionsDrive *d, const char *root, GError **error);

/* Completes what was left open, and finds what does not go together. */
bool options_check(OptionsReader *r, GError **error);

/* What is asked for with "help". New strings. */
char *options_machines_help(void);
char *options_accels_help(void);

/* -audiodev: there is none. */
bool options_no_sound(const char *text, GError **error);
char *options_cpus_help(void);

#endif
