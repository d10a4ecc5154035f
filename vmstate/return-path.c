/* return-path.c: what a destination answers. Source: vmstate/FORMAT.md section 1.5, recording g01. */
#include "vmstate/return-path.h"

enum { SHUT = 1, PONG = 2 };

static bool send_number(Chan *chan, uint16_t type, uint32_t number, GError **error)
{
    uint8_t message[8];

    store_be16(message, type);
    store_be16(message + 2, sizeof number);
    store_be32(message + 4, number);
    if (chan_write(chan, message, sizeof message, error))
        return true;
    g_prefix_error(error, "return path: ");
    return false;
}

bool return_path_pong(Chan *chan, uint32_t number, GError **error)
{
    return send_number(chan, PONG, number, error);
}

bool return_path_shut(Chan *chan, uint32_t status, GError **error)
{
    return send_number(chan, SHUT, status, error);
}
