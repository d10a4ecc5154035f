/* options-impl.h: what the files that read the command line share. Only included in emu/machine/. */
#ifndef EMU_MACHINE_OPTIONS_IMPL_H
#define EMU_MACHINE_OPTIONS_IMPL_H

#include "emu/machine/options.h"

/* Sets an error, `root: ...`. Always false. */
bool options_fail(GError **error, const char *root, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* --- options-load.c: text into a configuration ------------------------------------------------------------------- */

/* The member of QmpConfiguration that an option is; NULL: none. */
const QapiMember *options_find(const char *name);

/* What one value of it is: of a list, an element. */
const QapiType *options_type(const QapiMember *option);

/* What starts the path of its errors: "-drive". New string. */
char *options_root(const QapiMember *option);

/* What follows it, for people: "[type=]TEXT[,KEY=VALUE...]"; NULL: nothing. New string. */
char *options_argument(const QapiType *type);

/* A configuration that has nothing but this option, and it is sound. New. */
QmpConfiguration *options_load(const QapiMember *option, const char *text, const DeviceType *const *types,
                               GError **error);

/* The same; `value` is as it is for `key`, and `preset` text in front of it. */
QmpConfiguration *options_load_short(const QapiMember *option, const char *preset, const char *key, const char *value,
                                     GError **error);

/* --- options-file.c ----------------------------------------------------------------------------------------------- */

/* A group of a file of options: an option, and the text that would follow it. */
typedef struct OptionsGroup {
    const QapiMember *option;
    GString *text;
    unsigned line;
} OptionsGroup;

/* All groups of a file (-readconfig), in their order. New, of OptionsGroup, which it owns. */
GArray *options_file_read(const char *path, GError **error);

/* --- options-value.c: an option by itself ------------------------------------------------------------------------- */

/* `value` is of the option's type, as a member of a struct has it. */
bool options_check_value(const QapiMember *option, const void *value, const DeviceType *const *types, GError **error);

/* All that there is. */
bool options_check_values(const QmpConfiguration *c, const DeviceType *const *types, GError **error);

bool options_check_id(const char *id, const char *root, GError **error);

/* The first of "kvm:none" that is there; who says "kvm:tcg" is content with KVM. */
bool options_accel(const char *names, OptionsAccel *accel, const char *root, GError **error);
bool options_rtc_base(const char *text, OptionsRtc *rtc, GError **error);

/* --- options-make.c: what it all means ---------------------------------------------------------------------------- */

/* Takes the configuration. */
Options *options_make(QmpConfiguration *said, const DeviceType *const *types, GError **error);

/* --- others ------------------------------------------------------------------------------------------------------- */

void options_feature_free(void *feature); /* OptionsFeature */
bool options_cpu(OptionsCpu *cpu, const char *text, GError **error);
bool options_smp(OptionsSmp *s, const QmpSmpOptions *given, GError **error);

/* -serial, -monitor, -qmp: "stdio", "unix:PATH,server=on", "chardev:ID". `own` gets what the line borrows from. */
bool options_line(OptionsChar *c, const char *text, const char *root, QmpChardevOptions **own, GError **error);

/* Gives it the place that it asks for, or the next one that is free. */
bool options_drive_place(const GPtrArray *drives, QmpDriveOptions *d, GError **error);

/* Finds what does not go together. */
bool options_check(Options *o, GError **error);

char *options_cpus_help(void);

#endif
