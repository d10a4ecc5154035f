/* exact.c: does a state say all that its octets on the legacy wire say? */
#include "vmstate/exact.h"

#include <string.h>

#include "visitors/qemufile-out.h"
#include "vmstate/walk.h"

bool vmstate_is_exact(const VMStateDescription *desc, const void *state, const uint8_t *octets, size_t len)
{
    ByteOut again = {0};
    g_autoptr(Visitor) v = qemufile_out_new(&again, desc->name);

    vmstate_save(v, desc, state);
    bool exact = visit_finish(v, NULL) && again.len == len && memcmp(again.data, octets, len) == 0;
    byte_out_done(&again);
    return exact;
}
