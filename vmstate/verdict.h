/*
 * verdict.h: would the state of one machine load where another's schema is? (vmstate/FORMAT.md part 3)
 *
 * All findings at once, each with its path and reason. Descriptions are compared as data; where a value decides, the
 * state is looked at, if there is one.
 */
#ifndef VMSTATE_VERDICT_H
#define VMSTATE_VERDICT_H

#include "vmstate/ram.h"
#include "vmstate/schema.h"

typedef enum VerdictLevel { VERDICT_IDENTICAL, VERDICT_CONVERTIBLE, VERDICT_INCOMPATIBLE } VerdictLevel;

/* "identical", "convertible", "incompatible". */
const char *verdict_level_name(VerdictLevel level);

/* How the destination finds a field: by name (BER), or by position (QEMUFile, QEMU). */
typedef enum VerdictLoader { VERDICT_BY_NAME, VERDICT_BY_POSITION } VerdictLoader;

typedef struct VerdictFinding {
    VerdictLevel level;
    /* "widened", "narrowed", "sign changed", "defaulted", "skipped", "renamed", "reordered", "unknown", "missing",
       "kind", "count", "version", "type name", "not judged", "ram", "machine", "capability" */
    const char *kind;
    char *path;
    char *text;
} VerdictFinding;

enum { VERDICT_FINDINGS_MAX = 65536 };

typedef struct Verdict {
    VerdictLevel level;  /* the worst of the findings, and of those beyond the limit */
    GPtrArray *findings; /* of VerdictFinding */
    size_t unlisted;     /* how many are beyond the limit */
    VerdictLevel unlisted_level;
} Verdict;

/* One side. All is borrowed. */
typedef struct VerdictSection {
    const char *name;
    uint32_t instance;
    int version;
    const VMStateDescription *desc; /* NULL: not described */
    const void *state;              /* NULL: only the description is known */
    size_t octets;                  /* of a section that is not described */
} VerdictSection;

typedef struct VerdictSide {
    const char *machine; /* NULL: not known */
    const VerdictSection *sections;
    size_t section_count;
    const RamBlocks *blocks; /* NULL: not known */
    bool shared;             /* capability x-ignore-shared */
} VerdictSide;

/* from: what would be loaded; to: where. */
Verdict *verdict_new(const VerdictSide *from, const VerdictSide *to, VerdictLoader loader);
void verdict_free(Verdict *verdict);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Verdict, verdict_free)

#endif
