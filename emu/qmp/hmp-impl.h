/* hmp-impl.h: the rows of the table of commands for people. Only for this folder. */
#ifndef EMU_QMP_HMP_IMPL_H
#define EMU_QMP_HMP_IMPL_H

#include "emu/qmp/hmp.h"
#include "qapi/types.h"

/* Shows a result: where a member of the command's type would be. */
typedef void HmpPrint(GString *out, const void *result);

/*
 * `arguments` are words: "key" must be given, "[key]" may be; "[-d:key=value,...]" is a letter that stands for keys and
 * values, "!key=value" is always said; "word:key" is shown as "word"; "@word" are two words, a key and its value;
 * "+key" is a word of keys of a keyboard, "ctrl-alt-f1"; a last "key..." takes the rest of the line, and "*key" the
 * rest as keys and values, of which the first may be without a key.
 */
typedef struct HmpCommand {
    const char *name;  /* NULL ends them; with "info " in front what info tells */
    const char *alias; /* NULL: none */
    const char *qmp;
    const char *arguments;
    HmpPrint *print;   /* NULL: as it is */
    const char *about; /* NULL: what the schema says */
} HmpCommand;

extern const HmpCommand hmp_commands[];

HmpPrint hmp_print_status, hmp_print_name, hmp_print_uuid, hmp_print_version, hmp_print_kvm, hmp_print_text,
    hmp_print_block, hmp_print_network, hmp_print_chardev, hmp_print_pci, hmp_print_snapshots, hmp_print_jobs,
    hmp_print_migrate, hmp_print_parameters, hmp_print_capabilities, hmp_print_cpus, hmp_print_string,
    hmp_print_qom_list, hmp_print_qdm;

/* Any value, as indented lines. */
void hmp_print_tree(GString *out, const struct json_t *tree, unsigned indent);

#endif
