"""An independent reader of QEMU's stream, led by nothing but the JSON description at the stream's own end.

It shares no code, and no way of going about it, with the programs that are tested: read() takes the stream apart,
decode() turns the octets of a device into values, and compare() holds them against what vmstate-dump says in JSON.
"""

import json
import struct
from dataclasses import dataclass, field

PAGE = 4096
START, PART, END, FULL, SUBSECTION, DESCRIPTION, CONFIGURATION, COMMAND, FOOTER = 1, 2, 3, 4, 5, 6, 7, 8, 0x7E

SCALARS = {"bool": ">?", "int8": ">b", "uint8": ">B", "int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I",
           "int64": ">q", "uint64": ">Q", "int32 equal": ">i", "int32 le": ">i", "int64 equal": ">q",
           "uint8 equal": ">B", "uint16 equal": ">H", "uint32 equal": ">I", "uint64 equal": ">Q", "timer": ">q",
           "CPU_Double_U": ">d"}
LISTS = ("qtailq", "qlist")  # each element behind an octet 1, and an octet 0 at the end


class Disagreement(Exception):
    """The stream is not what its description says, or somebody reads it differently."""


class Pairs(list):
    """A JSON object with its members in order, those with the same name, too."""

    def get(self, key, default=None):
        return next((value for name, value in self if name == key), default)

    def __contains__(self, key):
        return any(name == key for name, _ in self)


def parse_json(text):
    return json.loads(text, object_pairs_hook=Pairs)


# --- the stream -------------------------------------------------------------------------------------------------------


class Reader:
    def __init__(self, data, pos=0):
        self.data, self.pos = data, pos

    def take(self, count):
        if self.pos + count > len(self.data):
            raise Disagreement(f"the stream ends in the {count} octets at {self.pos:#x}")
        self.pos += count
        return self.data[self.pos - count:self.pos]

    def number(self, width):
        return int.from_bytes(self.take(width), "big")

    def text(self):
        return self.take(self.number(1)).decode("latin-1")

    def peek(self):
        return self.data[self.pos] if self.pos < len(self.data) else -1


@dataclass
class Section:
    name: str
    instance: int
    version: int
    offset: int
    body: bytes
    device: Pairs  # what describes it


@dataclass
class Stream:
    machine: str = None
    sections: list = field(default_factory=list)
    commands: list = field(default_factory=list)  # (id, payload)
    ram: dict = field(default_factory=dict)  # block name -> {kind of record: how many}


def find_description(data):
    """The devices in the JSON text at the end, or None."""
    at = data.rfind(b'{"page_size"')
    if at < 6 or data[at - 6:at - 4] != b"\0\6" or int.from_bytes(data[at - 4:at], "big") != len(data) - at:
        return None
    return parse_json(data[at:]).get("devices")


class _Parser:
    def __init__(self, data, devices):
        self.r, self.stream = Reader(data), Stream()
        self.devices = iter(devices)
        self.live = {}  # section id -> function that reads its records
        self.footers = None  # not known before the first section has ended
        self.block = None  # of the RAM record before
        self.shared = False  # x-ignore-shared: addresses in the block list

    def parse(self):
        r = self.r
        if r.take(8) != b"QEVM\0\0\0\3":
            raise Disagreement("it does not start as a stream does")
        if r.peek() == CONFIGURATION:
            self._configuration()
        while mark := r.number(1):
            if mark == COMMAND:
                self.stream.commands.append((r.number(2), r.take(r.number(2))))
            elif mark in (START, PART, END, FULL):
                self._section(mark)
            else:
                raise Disagreement(f"octet {mark:#x} at {r.pos - 1:#x} starts nothing")
        if (left := next(self.devices, None)) is not None:
            raise Disagreement(f"{left.get('name')} is described, but not there")
        return self.stream

    def _configuration(self):
        r = self.r
        r.take(1)
        self.stream.machine = r.take(r.number(4)).decode()
        while r.peek() == SUBSECTION:
            r.take(1)
            name, _ = r.text(), r.number(4)
            if name == "configuration/capabilities":
                self.shared = "x-ignore-shared" in [r.text() for _ in range(r.number(4))]
            else:
                r.take({"configuration/uuid": 16, "configuration/target-page-bits": 4}[name])

    def _section(self, mark):
        r, offset = self.r, self.r.pos - 1
        number = r.number(4)
        if mark in (START, FULL):
            name, instance, version = r.text(), r.number(4), r.number(4)
            readers = {"ram": self._ram_record, "block": self._block_record, "dirty-bitmap": self._bitmap_record}
            if name in readers:
                self.live[number] = readers[name]
            else:
                self._device(name, instance, version, offset)
        if mark != FULL or number in self.live:
            while self.live[number]():
                pass
        if self.footers is None:
            self.footers = r.peek() == FOOTER
        if self.footers and r.take(5) != bytes([FOOTER]) + number.to_bytes(4, "big"):
            raise Disagreement(f"section {number} does not end at {r.pos - 5:#x}, where its description ends")

    def _device(self, name, instance, version, offset):
        device = next(self.devices, Pairs())
        if (device.get("name"), device.get("instance_id")) != (name, instance):
            raise Disagreement(f"{name}[{instance}] comes where {device.get('name')} is described")
        start = self.r.pos
        skip_device(self.r, device)
        self.stream.sections.append(Section(name, instance, version, offset, self.r.data[start:self.r.pos], device))

    # Each of these reads one record, and tells whether it was not the one that ends the slice.

    def _ram_record(self):
        r = self.r
        word = r.number(8)
        flags, kinds = word & 0xFDF, {0x002: "zero", 0x008: "normal", 0x040: "xbzrle", 0x100: "compressed"}
        if flags == 0x010:
            return False
        if flags == 0x004:
            self._ram_blocks(word & ~0xFFF)
            return True
        if not word & 0x020:
            self.block = r.text()
        if flags not in kinds:
            raise Disagreement(f"RAM flags {flags:#x} at {r.pos:#x}")
        kind, count = kinds[flags], self.stream.ram[self.block]
        if kind == "zero":
            kind = "filled" if r.number(1) else kind
        elif kind == "normal":
            r.take(PAGE)
        elif kind == "xbzrle":
            r.take(1)
            r.take(r.number(2))
        else:
            r.take(r.number(4))
        count[kind] += 1
        return True

    def _ram_blocks(self, total):
        while total > 0:
            name, length = self.r.text(), self.r.number(8)
            self.r.take(8 if self.shared else 0)
            self.stream.ram[name] = dict.fromkeys(("zero", "filled", "normal", "xbzrle", "compressed"), 0)
            total -= length

    def _block_record(self):
        word = self.r.number(8)
        if word & 1:
            self.r.text()
            self.r.take(0 if word & 8 else 1 << 20)
        return not word & 2

    def _bitmap_record(self):
        r, flags = self.r, self.r.number(1)
        for present in (0x08, 0x04):
            if flags & present:
                r.text()
        if flags & 0x10:
            r.take(5)
        if flags & 0x40:
            r.take(12)
            if not flags & 0x02:
                r.take(r.number(8))
        return not flags & 0x01


def read(data, describing):
    """Takes apart a stream, by the description in `describing`: the stream itself, or one of the same machine."""
    devices = find_description(describing)
    if devices is None:
        raise Disagreement("there is no description at the end")
    return _Parser(data, devices).parse()


# --- devices ----------------------------------------------------------------------------------------------------------


@dataclass
class Node:
    """One field, or one element of an array: a value, or octets, and the members that are in them."""

    names: tuple  # under which it may be shown
    type: str
    octets: bytes
    value: object = None
    members: list = None


def _subsections(r, parent):
    """Reads the subsections that the description says were sent; returns their nodes."""
    nodes = []
    for sub in parent.get("subsections", []):
        if r.number(1) != SUBSECTION or r.text() != sub.get("vmsd_name") or r.number(4) != sub.get("version"):
            raise Disagreement(f"subsection {sub.get('vmsd_name')} is not at {r.pos:#x}")
        start = r.pos
        members = _struct(r, sub)
        nodes.append(Node((sub.get("vmsd_name"),), "subsection", r.data[start:r.pos], members=members))
    return nodes


def _struct(r, parent):
    nodes, fields = [], parent.get("fields", [])
    for i, item in enumerate(fields):
        names = _names(item, fields, i == 0)
        for _ in range(item.get("array_len", 1)):
            nodes.append(_field(r, item, names))
    return nodes + _subsections(r, parent)


def _names(item, fields, first):
    """Names that a field may be shown under (FORMAT.md, 3.1). One of many that are not alike has its number with it."""
    names = _plain_names(item, fields, first)
    return names + tuple(f"{name}[{item.get('index')}]" for name in names if "index" in item)


def _plain_names(item, fields, first):
    name, nested = item.get("name"), item.get("struct")
    stem, bracket, rest = name.rpartition("[")
    if stem and rest[-1:] == "]" and rest[:-1].isdigit():
        others = {other.get("name") for other in fields} - {name}
        if not any(other == stem or other.startswith(stem + "[") for other in others):
            return (stem, name) if "index" in item else (stem,)
    if first and "array_len" not in item and "index" not in item:
        if nested or item.get("type") == "tmp":
            return ((nested or item).get("vmsd_name"),)
    return (name,)


def _field(r, item, names):
    start, kind, size = r.pos, item.get("type"), item.get("size")
    node = Node(names, kind, b"")
    if item.get("struct"):
        node.members = _struct(r, item.get("struct"))
    elif kind in LISTS:
        _list(r, item)
    elif "fields" in item and kind != "gtree":
        node.members = _struct(r, item)
    else:
        r.take(size)
    node.octets = r.data[start:r.pos]
    if len(node.octets) != size and not _grows(item):
        raise Disagreement(f"{item.get('name')} at {start:#x} has {len(node.octets)} octets, not {size}")
    if kind in SCALARS and struct.calcsize(SCALARS[kind]) == size:
        node.value = struct.unpack(SCALARS[kind], node.octets)[0]
    elif kind == "pci irq state" and size == 16:
        node.value = list(struct.unpack(">4I", node.octets))
    elif kind == "bitmap" and size % 8 == 0:
        words = struct.unpack(f">{size // 8}Q", node.octets)
        node.value = {64 * i + bit for i, word in enumerate(words) for bit in range(64) if word >> bit & 1}
    return node


def _grows(item):
    """Elements of an array that is described by its first one may differ in size, if there are arrays in them."""
    return "array_len" in item and item.get("struct")


def _list(r, item):
    """A linked list: QEMU repeats the members of the description for each element, in the same JSON object."""
    elements, element = [], None
    for name, value in item:
        if name == "vmsd_name":
            element = Pairs()
            elements.append(element)
        if element is not None:
            element.append((name, value))
    for element in elements:
        if r.number(1) != 1:
            raise Disagreement(f"no element of a list at {r.pos:#x}")
        _struct(r, element)
    if r.number(1) != 0:
        raise Disagreement(f"a list does not end at {r.pos:#x}")


def decode(section):
    """The fields of a device that is described."""
    return _struct(Reader(section.body), section.device)


def skip_device(r, device):
    if "vmsd_name" in device:
        _struct(r, device)
    else:
        r.take(device.get("size"))


# --- against vmstate-dump ---------------------------------------------------------------------------------------------


def _ranges(text):
    """ "0-2,7" """
    bits = set()
    for part in filter(None, text.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        bits.update(range(int(first), int(last or first) + 1))
    return bits


def _same(node, shown):
    if isinstance(shown, Pairs) and "octets-of" in shown:
        return shown.get("octets-of") == node.type and shown.get("hex") == node.octets.hex()
    if isinstance(node.value, set):
        return isinstance(shown, Pairs) and _ranges(shown.get("set")) == node.value
    if isinstance(node.value, float) and isinstance(shown, str):  # no number
        return shown == "0x" + node.octets.hex()
    if isinstance(node.value, float):
        return float(shown) == node.value
    if node.value is not None:
        return type(shown) is type(node.value) and shown == node.value
    return shown == node.octets.hex()


def twice_named(value, path="", within=""):
    """Members whose name comes twice in one object. Pads may: nobody looks at them."""
    if isinstance(value, Pairs):
        within = value.get("section", within)
        seen = set()
        for name, member in value:
            if name in seen and name != "unused":
                yield f"{within}{path}.{name}"
            seen.add(name)
            yield from twice_named(member, f"{path}.{name}" if within else "", within)
    elif isinstance(value, list):
        for member in value:
            yield from twice_named(member, path, within)


class Comparison:
    """Counts the values that agree; the first that does not is a Disagreement."""

    def __init__(self):
        self.values = 0

    def members(self, path, nodes, shown):
        if not isinstance(shown, Pairs):
            raise Disagreement(f"{path} has members, but is shown as {str(shown)[:60]}")
        nodes = iter(nodes)
        for name, value in shown:
            # an array is one list, or its elements come one by one
            values = value if isinstance(value, list) and not isinstance(value, Pairs) else [value]
            values = [value] if not values else values
            while values:
                node = next(nodes, None)
                if node is None or name not in node.names:
                    raise Disagreement(f"{path}.{name} is shown where {node and node.names} is described")
                count = len(node.value) if isinstance(node.value, list) else 1
                self.one(f"{path}.{name}", node, values[:count] if isinstance(node.value, list) else values[0])
                values = values[count:]
        if (node := next(nodes, None)) is not None:
            raise Disagreement(f"{path}.{node.names[0]} is not shown")

    def one(self, path, node, shown):
        octets = isinstance(shown, Pairs) and "octets-of" in shown
        if node.members is not None and not (octets and node.type == "vstruct"):
            self.members(path, node.members, shown)
            return
        self.values += 1
        if not _same(node, shown):
            raise Disagreement(f"{path} ({node.type}) is {node.octets[:40].hex()}, but is shown as {str(shown)[:90]}")

    def section(self, section, element):
        name = f"{section.name}[{section.instance}]"
        for key, value in (("section", section.name), ("instance", section.instance), ("version", section.version),
                           ("offset", section.offset), ("size", len(section.body))):
            if element.get(key) != value:
                raise Disagreement(f"{name}: {key} is {value}, but is shown as {element.get(key)}")
        if "vmsd_name" in section.device:
            self.members(name, decode(section), element.get("fields"))
        elif element.get("octets") != section.body.hex():
            raise Disagreement(f"{name}, which nobody describes, is shown with other octets")

    @staticmethod
    def places(stream, dump):
        """Where sections are, and how long: for a dump that knows no more of them."""
        there = [(s.name, s.instance, s.offset, len(s.body)) for s in stream.sections]
        shown = [tuple(e.get(key) for key in ("section", "instance", "offset", "size"))
                 for e in dump.get("elements") if "section" in e and e.get("section") != "configuration"]
        for one, other in zip(there, shown):
            if one != other:
                raise Disagreement(f"{one} is shown as {other}")
        if len(there) != len(shown):
            raise Disagreement(f"{len(there)} sections, but {len(shown)} are shown")

    def stream(self, stream, dump):
        """Everything in the stream against the JSON of vmstate-dump."""
        elements = dump.get("elements")
        if dump.get("stream").get("machine") != stream.machine:
            raise Disagreement(f"the machine is {stream.machine}")
        commands = [(e.get("id"), bytes.fromhex(e.get("payload"))) for e in elements if "command" in e]
        if commands != stream.commands:
            raise Disagreement(f"the commands are {stream.commands}, but are shown as {commands}")
        shown = [e for e in elements if "section" in e and e.get("section") != "configuration"]
        if len(shown) != len(stream.sections):
            raise Disagreement(f"there are {len(stream.sections)} sections, but {len(shown)} are shown")
        for section, element in zip(stream.sections, shown):
            self.section(section, element)
        self.ram(stream, dump.get("ram", []))

    @staticmethod
    def ram(stream, shown):
        counts = {b.get("block"): {kind: b.get(kind) for kind in ("zero", "filled", "normal", "xbzrle", "compressed")}
                  for b in shown}
        if counts != stream.ram:
            raise Disagreement(f"RAM records are {stream.ram}, but are shown as {counts}")
