/* cd-rig.h: packets for the CD drive of an IDE rig, the secondary cable's master. */
#ifndef TESTS_EMU_CD_RIG_H
#define TESTS_EMU_CD_RIG_H

#include "tests/emu/ide-rig.h"

enum { CD = 4 * MIB, CD_SECTORS = CD / 2048, REPLY = 64 * 1024, LIMIT = 0xfffe };

typedef struct Reply {
    uint8_t data[REPLY];
    size_t len;
    unsigned blocks;
} Reply;

static inline Rig cd_rig(uint64_t cd)
{
    Rig rig = rig_new(DISK, cd);

    use_second_cable(&rig);
    return rig;
}

static inline Rig empty_drive(void)
{
    Rig rig = rig_with(NULL, NULL, true);

    use_second_cable(&rig);
    return rig;
}

static inline unsigned byte_count(Rig *rig)
{
    return (unsigned)(in(rig, CYL_LOW) | in(rig, CYL_HIGH) << 8);
}

/* The command and the packet; its reply goes in blocks of `limit` octets, or by DMA if that is 0. */
static inline void send_packet(Rig *rig, const uint8_t *packet, unsigned limit)
{
    out(rig, SELECT, 0xa0);
    out(rig, ERROR, limit == 0);
    out(rig, CYL_LOW, (uint8_t)limit);
    out(rig, CYL_HIGH, (uint8_t)(limit >> 8));
    out(rig, STATUS, 0xa0);
    cr_assert_eq(board_in8(rig->board, rig->control), 0x58);
    cr_assert_eq(in(rig, COUNT) & 7, 1); /* a command is wanted */
    write_data(rig, packet, 12);
}

/* Takes the blocks of a reply. True if the command has ended well. */
static inline bool take_reply(Rig *rig, Reply *reply)
{
    uint8_t status;

    for (;;) {
        finish(rig);
        cr_assert(rig->board->level[IRQ_1]);
        status = in(rig, STATUS);
        if (!(status & 0x08))
            break;
        unsigned len = byte_count(rig);
        cr_assert_eq(in(rig, COUNT) & 7, 2); /* to the host */
        cr_assert_leq(reply->len + len, REPLY);
        read_data(rig, reply->data + reply->len, len);
        reply->len += len;
        reply->blocks++;
    }
    cr_assert_eq(in(rig, COUNT) & 7, 3);
    cr_assert(status == 0x50 || status == 0x41, "the status is 0x%02x", status);
    return status == 0x50;
}

static inline bool ask(Rig *rig, const uint8_t *packet, Reply *reply)
{
    reply->len = reply->blocks = 0;
    send_packet(rig, packet, LIMIT);
    return take_reply(rig, reply);
}

/* Key << 8 | ASC, as the drive says; and forgets. */
static inline unsigned sense(Rig *rig)
{
    static const uint8_t packet[12] = {0x03, 0, 0, 0, 18};
    Reply reply;

    cr_assert(ask(rig, packet, &reply));
    cr_assert_eq(reply.len, 18);
    cr_assert_eq(reply.data[0] & 0x7f, 0x70);
    cr_assert_eq(reply.data[7], 10);
    return (unsigned)(reply.data[2] << 8 | reply.data[12]);
}

/* What the command fails of: key << 8 | ASC; 0 if it does not. */
static inline unsigned failure(Rig *rig, const uint8_t *packet)
{
    Reply reply;
    unsigned why, error;

    if (ask(rig, packet, &reply))
        return 0;
    error = in(rig, ERROR);
    why = sense(rig);
    cr_assert_eq(error >> 4, why >> 8);
    return why;
}

static inline bool reply_is(const Reply *reply, const uint8_t *expected, size_t len)
{
    return reply->len == len && memcmp(reply->data, expected, len) == 0;
}

#define PACKET(...)                                                                                                    \
    (const uint8_t[12])                                                                                                \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

#define assert_reply(rig, packet, ...)                                                                                 \
    do {                                                                                                               \
        static const uint8_t expected_[] = {__VA_ARGS__};                                                              \
        Reply reply_;                                                                                                  \
        cr_assert(ask(rig, packet, &reply_));                                                                          \
        cr_assert(reply_is(&reply_, expected_, sizeof expected_));                                                     \
    } while (0)

#define assert_fails(rig, packet, why) cr_assert_eq(failure(rig, packet), why)

#define UNIT_READY PACKET(0x00)

#endif
