"""A reader of QEMU's stream that shares nothing with Ferry's: octets, cut by the JSON description at the stream's end."""

import json
import re
from dataclasses import dataclass

KNOWN = {"bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8, "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8}


@dataclass(frozen=True)
class Leaf:
    """One value: where, what QEMU calls its type, its octets. `whole`: it is one value, not an unknown thing."""
    path: str
    type: str
    octets: bytes
    whole: bool


@dataclass
class Section:
    name: str
    instance: int
    version: int
    leaves: list
    octets: bytes
    described: bool


class Damaged(Exception):
    """The stream is not what its description says."""


class Cursor:
    def __init__(self, data, at):
        self.data, self.at = data, at

    def take(self, count):
        if self.at + count > len(self.data):
            raise Damaged(f"cut at {self.at:#x}")
        self.at += count
        return self.data[self.at - count:self.at]


def description(data):
    """The JSON text's content, and where its marker is."""
    at = data.rfind(b'{"page_size"')
    if at < 5 or data[at - 5] != 6:
        raise Damaged("there is no description at the end")
    length = int.from_bytes(data[at - 4:at], "big")
    return json.loads(data[at:at + length]), at - 5


def read_field(cursor, field, prefix, first, leaves):
    """`first`: it is the first of its struct, whose base it may be."""
    index, count, size, kind = field.get("index"), field.get("array_len"), field["size"], field["type"]
    struct = field.get("struct") or (field if "fields" in field else None)  # a field of type tmp is one itself
    name = field["name"]
    if struct and first and index is None and count is None:
        name = struct["vmsd_name"]  # as dumps call a base
    for i in range(count if count is not None else 1):
        element = i if count is not None else index
        path = f"{prefix}.{name}" + (f"[{element}]" if element is not None else "")
        if struct:
            read_struct(cursor, struct, path, leaves)
        elif kind in ("buffer", "unused_buffer"):
            leaves += [Leaf(f"{path}[{n}]", "uint8", bytes([o]), True) for n, o in enumerate(cursor.take(size))]
        elif kind == "bitmap":
            leaves.append(Leaf(path, kind, cursor.take(size), True))
        else:
            leaves.append(Leaf(path, kind, cursor.take(size), size in (1, 2, 4, 8)))


def read_struct(cursor, struct, prefix, leaves):
    for number, field in enumerate(struct["fields"]):
        read_field(cursor, field, prefix, number == 0, leaves)
    for sub in struct.get("subsections", []):
        head = cursor.take(2 + len(sub["vmsd_name"]) + 4)
        if head != b"\x05" + bytes([len(sub["vmsd_name"])]) + sub["vmsd_name"].encode() + sub["version"].to_bytes(4, "big"):
            raise Damaged(f"{prefix}: {sub['vmsd_name']} is described, and not there")
        read_struct(cursor, sub, f"{prefix}.{sub['vmsd_name']}", leaves)


def read(path):
    """The devices of the stream, in its order."""
    data = path.read_bytes()
    text, end = description(data)
    devices, at = [], 0
    for device in text["devices"]:
        name, instance = device["name"].encode(), device["instance_id"]
        head = re.compile(b"\x04(.{4})" + re.escape(bytes([len(name)]) + name + instance.to_bytes(4, "big")) + b"(.{4})",
                          re.DOTALL)
        match = head.search(data, at, end)
        if not match:
            raise Damaged(f"{device['name']} is described, and not there")
        cursor, leaves, described = Cursor(data, match.end()), [], "vmsd_name" in device
        version = int.from_bytes(match[2], "big")
        if described:
            if device["version"] != version:
                raise Damaged(f"{device['name']}: version {version}, described as {device['version']}")
            read_struct(cursor, device, "", leaves)
        else:
            leaves.append(Leaf("", "undescribed", cursor.take(device["size"]), False))
        at = cursor.at
        if data[at:at + 1] == b"\x7e" and data[at + 1:at + 5] != match[1]:
            raise Damaged(f"{device['name']}: the footer is another section's")
        devices.append(Section(device["name"], instance, version, leaves, data[match.end():at], described))
    return devices
