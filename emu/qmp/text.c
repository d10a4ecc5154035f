/* text.c: one value of JSON as text. */
#include "emu/qmp/text.h"

enum { PRETTY_LEVELS = 64, ROOM_KEPT = 1 << 20 };

struct QmpText {
    ByteOut bytes;
    ChanOut *out;
    JsonWrite *json;
};

QmpText *qmp_text_new(bool pretty)
{
    QmpText *t = g_new0(QmpText, 1);

    t->out = chan_out_new(chan_buf_new(&t->bytes));
    t->json = json_write_new(t->out, pretty ? PRETTY_LEVELS : 0);
    return t;
}

void qmp_text_free(QmpText *t)
{
    if (!t)
        return;
    json_write_free(t->json);
    chan_out_free(t->out);
    byte_out_done(&t->bytes);
    g_free(t);
}

JsonWrite *qmp_text_start(QmpText *t)
{
    if (t->bytes.cap > ROOM_KEPT) {
        byte_out_done(&t->bytes);
        t->bytes = (ByteOut){0};
    }
    t->bytes.len = 0;
    return t->json;
}

const uint8_t *qmp_text_end(QmpText *t, size_t *len)
{
    json_write_close_to(t->json, 0);
    chan_out_flush(t->out);
    /* The writer has ended the line. */
    if (t->bytes.len && t->bytes.data[t->bytes.len - 1] == '\n')
        t->bytes.len--;
    byte_out_put(&t->bytes, "\r\n", 2);
    *len = t->bytes.len;
    return t->bytes.data;
}
