"""Seeds for fuzz-virtqueue: what sensible drivers do, in the fuzzer's instructions (see the enum there)."""
import struct

RNG, BLK, NET, NET_HEADER = range(4)
MORE_QUEUES = 0x40
BELLS = 0x20
NEXT, WRITE, INDIRECT = 1, 2, 4
START, DESC, OFFER, INDEX, KICK, COMMON, BAR, CONFIG, POKE, TIME, FRAME, BACKEND, SAVE, MUTATE, RUN, RESET = range(16)
TABLE = 3  # a table of descriptors that is no queue's
BUFFER = 0x20000


def op(code, how=0, *octets):
    return bytes([how << 4 | code, *octets])


def start(modern, msix=False, features=0xFFFFFFFF):
    return op(START, modern | msix << 1) + struct.pack("<I", features)


def desc(queue, n, flags, addr, length, following=0):
    return op(DESC, flags, queue, n, following) + struct.pack("<I", addr)[:3] + struct.pack("<H", length)


def offer(queue, head):
    return op(OFFER, queue | 4, head)


def poke(addr, octets):
    return op(POKE) + struct.pack("<I", addr)[:3] + bytes([len(octets)]) + octets


def request(kind, sector, length, extra=b"", queue=0):
    """A disk's request of three descriptors."""
    head = struct.pack("<IIQ", kind, 0, sector) + extra
    data = desc(queue, 1, NEXT | (0 if kind & 1 else WRITE), BUFFER + 0x100, length, 2) if length else b""
    return (
        poke(BUFFER, head)
        + desc(queue, 0, NEXT, BUFFER, len(head), 1 if length else 2)
        + data
        + desc(queue, 2, WRITE, BUFFER + 0x8000, 1)
        + offer(queue, 0)
    )


def control(cls, command, data):
    octets = bytes([cls, command]) + data
    return (
        poke(BUFFER, octets)
        + desc(2, 0, NEXT, BUFFER, len(octets), 1)
        + desc(2, 1, WRITE, BUFFER + 0x100, 1)
        + offer(2, 0)
    )


def frame(length, how=1):
    return op(FRAME, how) + struct.pack("<H", length)


def rng(modern):
    yield start(modern) + desc(0, 0, WRITE, BUFFER, 64) + offer(0, 0) + op(SAVE) + offer(0, 0)
    yield start(modern, True) + desc(TABLE, 0, WRITE | NEXT, BUFFER, 16, 1) + desc(TABLE, 1, WRITE, 0x3FFF0, 64) + desc(
        0, 1, INDIRECT, 0x30000, 32
    ) + offer(0, 1)
    yield start(modern) + desc(0, 0, WRITE | NEXT, BUFFER, 64, 0) + offer(0, 0) + op(SAVE, 1) + op(RESET)
    yield start(modern) + desc(0, 0, WRITE | 8, 0, 256) + op(OFFER, 0, 0) + op(KICK, 8, 0, 0) + op(INDEX, 4, 9, 0)


def blk(modern):
    yield start(modern) + request(0, 1, 1024) + request(1, 2, 512) + request(4, 0, 0) + op(SAVE)
    yield start(modern) + op(BACKEND, 0, 1) + request(0, 1, 512) + request(8, 0, 20) + op(BACKEND, 2, 0) + op(SAVE, 2)
    yield start(modern) + request(11, 0, 0, struct.pack("<QII", 4, 8, 0)) + op(BACKEND, 1, 0x80) + request(1, 0, 512)
    yield start(modern) + request(0, 63, 1024) + request(13, 0, 0, struct.pack("<QII", 4, 8, 1)) + op(BACKEND, 0, 1)


def queues(modern):
    one = request(0, 1, 1024, queue=1)
    yield start(modern) + request(1, 2, 512) + one + op(SAVE) + one
    yield start(modern, True) + op(BACKEND, 0, 1) + one + request(0, 3, 512) + op(BACKEND, 2, 1) + op(SAVE, 1) + one
    yield start(1) + op(BACKEND, 0, 1) + one + op(COMMON, 5, 0x16, 1, 0) + op(COMMON, 5, 0x3A, 1, 0) + op(BACKEND, 2, 0) + one


def net(modern):
    header = 12 if modern else 10
    rx = b"".join(desc(0, n, WRITE, BUFFER + 0x1000 * n, 1526) + offer(0, n) for n in range(3))
    small = b"".join(desc(0, n, WRITE, BUFFER + 0x1000 * n, 30) + offer(0, n) for n in range(4))
    tx = desc(1, 0, NEXT, BUFFER + 0x4000, header, 1) + desc(1, 1, 0, BUFFER + 0x5000, 60) + offer(1, 0) + op(TIME, 0, 9, 0)
    yield start(modern) + rx + frame(60) + tx + op(SAVE) + frame(1514, 0)
    yield start(modern) + small + frame(80) + frame(4000) + op(SAVE, 1)
    yield start(modern) + op(BACKEND, 0, 0) + tx + op(SAVE) + op(BACKEND, 0, 9) + op(BACKEND, 1, 0) + op(TIME, 0, 9, 0)
    yield (
        start(modern)
        + control(0, 0, b"\0")
        + control(1, 0, struct.pack("<I6sI6s", 1, b"RT\0\1\2\3", 1, b"\1\0^\0\0\1"))
        + control(2, 0, b"\1\0")
        + control(5, 0, struct.pack("<Q", 2))
        + rx
        + frame(60, 4)
        + frame(60, 2)
        + op(SAVE, 2)
        + op(TIME, 0, 1, 20)
        + control(3, 0, b"")
    )
    yield start(modern) + rx + op(RUN) + tx + frame(60) + op(RUN, 1) + frame(60) + op(BACKEND, 2, 0) + op(BACKEND, 3, 0)


def programs():
    for kind, make in ((RNG, rng), (BLK, blk), (BLK | MORE_QUEUES, queues), (NET, net), (NET_HEADER, net)):
        for modern in (0, 1):
            for n, program in enumerate(make(modern)):
                yield f"{make.__name__}{kind}-{modern}-{n}", bytes([kind]) + program
                yield f"{make.__name__}{kind}-{modern}-{n}-bells", bytes([kind | BELLS]) + program + op(TIME, 0, 1, 20)
        yield f"mutate{kind}", bytes([kind]) + start(1) + op(MUTATE, 0, 1, 0x60, 0, 1) + op(MUTATE, 2, 2, 9, 0, 1, 0, 2, 0)
