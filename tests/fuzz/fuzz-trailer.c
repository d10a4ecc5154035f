/*
 * fuzz-trailer.c: the JSON description, and descriptions made of it.
 *
 * An input is the text, a NUL, and the octets of the sections it describes, one after the other. A section that loads
 * must come back from every format.
 */
#include <string.h>

#include "tests/fuzz/support/fuzz.h"
#include "tests/fuzz/support/state.h"
#include "visitors/qemufile-in.h"
#include "vmstate/state.h"
#include "vmstate/trailer.h"
#include "vmstate/verdict.h"
#include "vmstate/walk.h"

enum { SECTIONS = 32 };

/* The sections that loaded, to be judged. */
typedef struct Loaded {
    VerdictSection sections[SECTIONS];
    size_t count;
} Loaded;

static void load_section(const SchemaSection *section, ChanIn *in, Loaded *loaded)
{
    void *state = vms_state_new(section->desc);
    g_autoptr(Visitor) v = qemufile_in_new(in, section->name);

    vmstate_load(v, section->desc, state, section->desc->version, NULL);
    if (!visit_finish(v, NULL)) {
        vms_state_free(section->desc, state);
        return;
    }
    fuzz_state_round_trip(section->desc, state, NULL, true);
    loaded->sections[loaded->count++] = (VerdictSection){
        .name = section->name,
        .instance = section->instance,
        .version = section->version,
        .desc = section->desc,
        .state = state,
    };
}

/* Against themselves they are identical; against half of them, whatever it is, it is found out. */
static void judge(const Loaded *loaded)
{
    VerdictSide all = {.sections = loaded->sections, .section_count = loaded->count};
    VerdictSide half = {.sections = loaded->sections + loaded->count / 2, .section_count = loaded->count / 2};

    for (int loader = VERDICT_BY_NAME; loader <= VERDICT_BY_POSITION; loader++) {
        verdict_free(verdict_new(&all, &all, (VerdictLoader)loader));
        verdict_free(verdict_new(&all, &half, (VerdictLoader)loader));
        verdict_free(verdict_new(&half, &all, (VerdictLoader)loader));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *nul = len ? memchr(data, 0, len) : NULL;
    size_t text_len = nul ? (size_t)(nul - data) : len;
    g_autoptr(Schema) schema = schema_new();
    GError *error = NULL;
    Loaded loaded = {.count = 0};

    bool ok = trailer_parse(schema, (const char *)data, text_len, 0, &error);
    fuzz_check(ok == !error, "the result is %d, and the error: %s", ok, fuzz_message(error));
    g_clear_error(&error);
    g_autoptr(ChanIn) in = nul ? fuzz_in(nul + 1, len - text_len - 1, fuzz_choice(data, len)) : NULL;
    for (size_t i = 0; ok && nul && i < MIN(schema_section_count(schema), SECTIONS); i++)
        if (schema_section(schema, i)->desc)
            load_section(schema_section(schema, i), in, &loaded);
    judge(&loaded);
    for (size_t i = 0; i < loaded.count; i++)
        vms_state_free(loaded.sections[i].desc, (void *)loaded.sections[i].state);
    return 0;
}
