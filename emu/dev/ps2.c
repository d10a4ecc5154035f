/*
 * ps2.c: what PS/2 devices have in common: a queue of octets for the host, and a line that says that there are some.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller".
 * Not modelled: the serial protocol on the cable (parity, timeouts), and the time it takes.
 */
#include <string.h>

#include "emu/dev/ps2-impl.h"

static const VMStateField fields[] = {
    VMS_FIELD(Ps2State, write_cmd),   VMS_FIELD(Ps2State, queue.rptr), VMS_FIELD(Ps2State, queue.wptr),
    VMS_FIELD(Ps2State, queue.count), VMS_BYTES(Ps2State, queue.data), VMS_END,
};

const VMStateDescription ps2_state = {
    .name = "PS2 Common State",
    .version = 3,
    .minimum = 2,
    .size = sizeof(Ps2State),
    .fields = fields,
};

static unsigned replies(const Ps2Queue *q)
{
    return q->cwptr == PS2_NO_REPLY ? 0 : (uint8_t)(q->cwptr - q->rptr);
}

bool ps2_check(const Ps2State *s, const char *section, GError **error)
{
    const Ps2Queue *q = &s->queue;
    const struct {
        const char *name;
        int32_t value, least, most;
    } limits[] = {
        {"write_cmd", s->write_cmd, PS2_NO_COMMAND, UINT8_MAX},
        {"queue.rptr", q->rptr, 0, PS2_QUEUE_ROOM - 1},
        {"queue.wptr", q->wptr, 0, PS2_QUEUE_ROOM - 1},
        {"queue.count", q->count, 0, PS2_QUEUE_ROOM},
        {"queue.cwptr", q->cwptr, PS2_NO_REPLY, PS2_QUEUE_ROOM - 1},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++)
        if (limits[i].value < limits[i].least || limits[i].value > limits[i].most) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s/parent_obj.%s is %d, it can be %d to %d", section,
                        limits[i].name, limits[i].value, limits[i].least, limits[i].most);
            return false;
        }
    if (replies(q) > PS2_REPLY_MOST || (int32_t)replies(q) > q->count) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "%s/parent_obj.queue.cwptr is %d: a reply of %u octets, of %d in the queue", section, q->cwptr,
                    replies(q), q->count);
        return false;
    }
    return true;
}

void ps2_push(Ps2 *p)
{
    Ps2Queue *q = &ps2_state_of(p)->queue;

    q->count = MIN(q->count, PS2_QUEUE_MOST + (int32_t)replies(q));
    q->wptr = (uint8_t)(q->rptr + q->count);
    if (q->cwptr == q->rptr)
        q->cwptr = PS2_NO_REPLY;
    ps2_update(p);
}

void ps2_update(Ps2 *p)
{
    irq_set(&p->irq, ps2_state_of(p)->queue.count > 0);
}

void ps2_queue_clear(Ps2State *s)
{
    s->queue.rptr = s->queue.wptr = s->queue.count = 0;
    s->queue.cwptr = PS2_NO_REPLY;
}

static void put(Ps2Queue *q, uint8_t octet)
{
    q->data[(uint8_t)q->wptr] = octet;
    q->wptr = (uint8_t)(q->wptr + 1);
    q->count++;
}

bool ps2_queue_all(Ps2 *p, const uint8_t *octets, unsigned count)
{
    Ps2Queue *q = &ps2_state_of(p)->queue;

    if (q->count + (int32_t)count > PS2_QUEUE_MOST)
        return false;
    for (unsigned i = 0; i < count; i++)
        put(q, octets[i]);
    ps2_update(p);
    return true;
}

void ps2_queue_one(Ps2 *p, uint8_t octet)
{
    Ps2Queue *q = &ps2_state_of(p)->queue;

    if (q->count < PS2_QUEUE_MOST)
        put(q, octet);
    ps2_update(p);
}

void ps2_queue_reply(Ps2 *p, const uint8_t *octets, unsigned count)
{
    Ps2Queue *q = &ps2_state_of(p)->queue;
    int32_t end = q->cwptr == PS2_NO_REPLY ? q->rptr : q->cwptr;

    q->count += (int32_t)count - (int32_t)replies(q);
    q->cwptr = end;
    q->rptr = (uint8_t)(end - (int32_t)count);
    for (unsigned i = 0; i < count; i++)
        q->data[(uint8_t)(q->rptr + (int32_t)i)] = octets[i];
    ps2_update(p);
}

uint8_t ps2_read(Device *dev)
{
    Ps2 *p = (Ps2 *)dev;
    Ps2Queue *q = &ps2_state_of(p)->queue;

    if (q->count <= 0)
        return q->data[(uint8_t)(q->rptr - 1)];
    uint8_t octet = q->data[(uint8_t)q->rptr];
    q->rptr = (uint8_t)(q->rptr + 1);
    q->count--;
    if (q->rptr == q->cwptr)
        q->cwptr = PS2_NO_REPLY;
    /* Down and perhaps up again, each time: so the controller takes from two busy devices by turns. */
    irq_set(&p->irq, false);
    ps2_update(p);
    return octet;
}

void ps2_write(Device *dev, uint8_t value)
{
    Ps2 *p = (Ps2 *)dev;

    p->write(p, value);
}
