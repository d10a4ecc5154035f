#!/usr/bin/env python3
"""edit.py IN OUT ACTION...: changes a migration stream of QEMU (packed with xz or not) and its description.

text OLD NEW                   in the description, where OLD is exactly once
octets SECTION AT OLD NEW      in the body of the section, from octet AT; hexadecimal, may be of no length
version SECTION NEW            in the head of the section, and in its description
drop SECTION LENGTH            the section, whose body has so many octets, and its description
machine OLD NEW                in the configuration
ram BLOCK OLD NEW              length of a RAM block, in octets
name SECTION NEW               of the section, in its head and its description; the new one in hexadecimal
block OLD NEW                  the same for the first mention of a RAM block

SECTION is a name, and stands for instance 0. That it is the right place is checked by what is there before.
"""
import json
import lzma
import sys


def once(data, what):
    if data.count(what) != 1:
        sys.exit(f"edit.py: {what!r} is there {data.count(what)} times")
    return data.index(what)


def replace(data, at, old, new):
    if data[at:at + len(old)] != old:
        sys.exit(f"edit.py: at {at:#x} there is {data[at:at + len(old)].hex()}, not {old.hex()}")
    return data[:at] + new + data[at + len(old):]


def body_of(data, section):
    head = bytes([len(section)]) + section.encode() + bytes(4)
    return once(data, head) + len(head) + 4


def described(text, section):
    """Where the section is in the description: start and end."""
    start = once(text, b'{"name": "%s", "instance_id": 0,' % section.encode())
    return start, start + json.JSONDecoder().raw_decode(text[start:].decode())[1]


def change_version(data, text, section, new):
    at = body_of(data, section) - 4
    was = b'"version": %d' % int.from_bytes(data[at:at + 4], "big")
    start, _ = described(text, section)
    return (replace(data, at, data[at:at + 4], new.to_bytes(4, "big")),
            replace(text, text.index(was, start), was, b'"version": %d' % new))


def drop(data, text, section, length):
    start, end = body_of(data, section) - 14 - len(section), body_of(data, section) + length + 5
    if data[start] != 4 or data[end - 5:end] != b"\x7e" + data[start + 1:start + 5]:
        sys.exit(f"edit.py: {section} does not have {length} octets")
    first, last = described(text, section)
    return data[:start] + data[end:], text[:first] + text[last:].removeprefix(b", ")


def block_list(data):
    return once(data, b"\3ram" + bytes(7) + b"\4") + 12


def change_ram(data, block, old, new):
    head = block_list(data)
    total = int.from_bytes(data[head:head + 8], "big")
    data = replace(data, head, total.to_bytes(8, "big"), (total + new - old).to_bytes(8, "big"))
    at = data.index(bytes([len(block)]) + block.encode(), head) + 1 + len(block)
    return replace(data, at, old.to_bytes(8, "big"), new.to_bytes(8, "big"))


def change_name(data, text, old, new):
    """JSON has no way to say octets that are no UTF-8: they stand there as they are."""
    at = body_of(data, old) - 8 - len(old) - 1
    start, _ = described(text, old)
    quoted = b"".join(b"\\u%04x" % c if c < 32 or c in b'"\\' else bytes([c]) for c in new)
    return (replace(data, at, bytes([len(old)]) + old.encode(), bytes([len(new)]) + new),
            replace(text, start, b'{"name": "%s"' % old.encode(), b'{"name": "%s"' % quoted))


def change_block(data, old, new):
    old = old.encode()
    start = block_list(data)
    parts = data[start:].split(bytes([len(old)]) + old)
    return data[:start] + (bytes([len(new)]) + new).join(parts)


def edit(data, text, actions):
    match actions:
        case ["text", old, new, *rest]:
            text = replace(text, once(text, old.encode()), old.encode(), new.encode())
        case ["octets", section, at, old, new, *rest]:
            data = replace(data, body_of(data, section) + int(at), bytes.fromhex(old), bytes.fromhex(new))
        case ["version", section, new, *rest]:
            data, text = change_version(data, text, section, int(new))
        case ["drop", section, length, *rest]:
            data, text = drop(data, text, section, int(length))
        case ["machine", old, new, *rest]:
            head = [b"\7" + len(name.encode()).to_bytes(4, "big") + name.encode() for name in (old, new)]
            data = replace(data, 8, *head)
        case ["ram", block, old, new, *rest]:
            data = change_ram(data, block, int(old), int(new))
        case ["name", section, new, *rest]:
            data, text = change_name(data, text, section, bytes.fromhex(new))
        case ["block", old, new, *rest]:
            data = change_block(data, old, bytes.fromhex(new))
        case []:
            return data, text
        case _:
            sys.exit(f"edit.py: what is {actions[0]}?")
    return edit(data, text, rest)


with open(sys.argv[1], "rb") as file:
    stream = file.read()
if stream[:6] == b"\xfd7zXZ\0":
    stream = lzma.decompress(stream)
end = stream.rindex(b'{"page_size"')
data, text = edit(stream[:end - 5], stream[end:], sys.argv[3:])
with open(sys.argv[2], "wb") as file:
    file.write(data + b"\6" + len(text).to_bytes(4, "big") + text)
