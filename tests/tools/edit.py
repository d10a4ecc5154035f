#!/usr/bin/env python3
"""edit.py IN OUT ACTION...: changes a migration stream of QEMU (packed with xz or not) and its description.

text OLD NEW                   in the description, where OLD is exactly once
octets SECTION AT OLD NEW      in the body of the section, from octet AT; hexadecimal, may be of no length
version SECTION NEW            in the head of the section
drop SECTION LENGTH            the section, whose body has so many octets, but not its description
machine OLD NEW                in the configuration

SECTION is a name, and stands for instance 0. That it is the right place is checked by what is there before.
"""
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


def edit(data, text, actions):
    match actions:
        case ["text", old, new, *rest]:
            text = replace(text, once(text, old.encode()), old.encode(), new.encode())
        case ["octets", section, at, old, new, *rest]:
            data = replace(data, body_of(data, section) + int(at), bytes.fromhex(old), bytes.fromhex(new))
        case ["version", section, new, *rest]:
            at = body_of(data, section) - 4
            data = replace(data, at, data[at:at + 4], int(new).to_bytes(4, "big"))
        case ["drop", section, length, *rest]:
            start, end = body_of(data, section) - 14 - len(section), body_of(data, section) + int(length) + 5
            if data[start] != 4 or data[end - 5:end] != b"\x7e" + data[start + 1:start + 5]:
                sys.exit(f"edit.py: {section} does not have {length} octets")
            data = data[:start] + data[end:]
        case ["machine", old, new, *rest]:
            head = [b"\7" + len(name).to_bytes(4, "big") + name.encode() for name in (old, new)]
            data = replace(data, 8, *head)
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
