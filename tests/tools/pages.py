"""pages.py IMAGE BELOW BLOCK STREAM [CHANNEL...]: has the image the block's memory, as it is in the stream?

An independent reading of guest memory in QEMU's stream and in its multifd channels.
"""
import struct
import sys
import zlib

PAGE = 4096


def records(data, start=None):
    """(block, offset, kind, position of the content) of each RAM record; sections are found by their heads.

    It reads START, and then all PART and END sections, and commands, that follow one another.
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
            while data[at] == 8:  # a command; a package has all devices in it, and more commands
                number, n = struct.unpack_from(">HH", data, at + 1)
                at += 5 + n + (int.from_bytes(data[at + 5:at + 9], "big") if number == 7 else 0)
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


def channel_pages(data):
    """(block, offset, page) of a multifd channel, plain or with zlib; one stream runs through all packets."""
    unpack = zlib.decompressobj()
    for _, block, offsets, at, size in packets(data):
        flags, = struct.unpack_from(">I", data, at - 1344 + 8)
        content = data[at:at + size]
        content = unpack.decompress(content) if flags & 2 else content
        assert len(content) == len(offsets) * PAGE
        for i, offset in enumerate(offsets):
            yield block, offset, content[i * PAGE:(i + 1) * PAGE]


def _main(image, below, block, stream, *channels):
    """Is this the memory of the block, with the part from `below` on at 4 GiB?"""
    below, blocks = int(below), {}
    with open(stream, "rb") as file:
        blocks = memory(file.read())
    for channel in channels:
        with open(channel, "rb") as file:
            for name, offset, page in channel_pages(file.read()):
                blocks.setdefault(name, {})[offset] = page
    filled = 0
    with open(image, "rb") as file:
        for offset, page in sorted(blocks[block].items()):
            file.seek(offset if offset < below else (4 << 30) + offset - below)
            if file.read(PAGE) != page:
                sys.exit(f"{block}, page {offset:#x} is another")
            filled += any(page)
    print(f"{len(blocks[block])} pages, {filled} of them not zero")
    return 0 if filled else "all pages are zero"


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
