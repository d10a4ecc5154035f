"""An independent reading of guest memory in QEMU's stream and in its multifd channels, for the tests."""
import struct
import zlib

PAGE = 4096


def records(data, start=None):
    """(block, offset, kind, position of the content) of each RAM record; sections are found by their heads.

    It reads START, and then all PART and END sections that follow one another, as `ram` is the only live section.
    """
    at = data.index(b"\x01\0\0\0\x02\x03ram") + 17 if start is None else start
    block = None
    while True:
        word, = struct.unpack_from(">Q", data, at)
        at += 8
        flags, offset = word & 0xFFF, word & ~0xFFF
        if flags == 0x10:  # the end of a slice
            if data[at] == 0x7E:
                at += 5
            if data[at] not in (2, 3) or data[at + 1:at + 5] != b"\0\0\0\x02":
                return
            at += 5
            continue
        if flags == 0x04:
            while offset > 0:
                n = data[at]
                offset -= int.from_bytes(data[at + 1 + n:at + 9 + n], "big")
                at += 9 + n
            continue
        if not flags & 0x20:
            n = data[at]
            block = data[at + 1:at + 1 + n].decode()
            at += 1 + n
        kind = {2: "zero", 8: "normal", 0x40: "xbzrle", 0x100: "compressed"}[flags & ~0x20]
        yield block, offset, kind, at
        if kind == "zero":
            at += 1
        elif kind == "normal":
            at += PAGE
        elif kind == "xbzrle":
            at += 3 + int.from_bytes(data[at + 1:at + 3], "big")
        else:
            at += 4 + int.from_bytes(data[at:at + 4], "big")


def _xbzrle(page, coded):
    at = pos = 0

    def length():
        nonlocal at
        n, shift = 0, 0
        while True:
            octet = coded[at]
            at += 1
            n |= (octet & 0x7F) << shift
            shift += 7
            if not octet & 0x80:
                return n
    while at < len(coded):
        pos += length()
        if at >= len(coded):
            break
        n = length()
        page[pos:pos + n] = coded[at:at + n]
        at, pos = at + n, pos + n


def memory(data):
    """Block name -> {offset: page}; what is not there is zero."""
    blocks = {}
    for block, offset, kind, at in records(data):
        pages = blocks.setdefault(block, {})
        if kind == "zero":
            pages[offset] = bytearray([data[at]]) * PAGE
        elif kind == "normal":
            pages[offset] = bytearray(data[at:at + PAGE])
        elif kind == "xbzrle":
            n = int.from_bytes(data[at + 1:at + 3], "big")
            _xbzrle(pages[offset], data[at + 3:at + 3 + n])
        else:
            n = int.from_bytes(data[at:at + 4], "big")
            pages[offset] = bytearray(zlib.decompress(data[at + 4:at + 4 + n]))
    return blocks


def packets(data):
    """(number, block, offsets, position of the content, its length) of each packet of a multifd channel with pages."""
    at = 64
    while at < len(data):
        _, _, flags, _, n, size, number = struct.unpack_from(">IIIIIIQ", data, at)
        if n:
            name = data[at + 64:at + 320].split(b"\0")[0].decode()
            yield number, name, struct.unpack_from(f">{n}Q", data, at + 320), at + 1344, size
        at += 1344 + (size if n else 0)
