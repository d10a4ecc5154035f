"""Traces: what the tracer wrote down of a save or a load, and what must agree with what."""

import functools
import re
import struct
from typing import NamedTuple

WIDTH = {"bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
         "float64": 8}
DIMENSIONS, ELEMENT = re.compile(r"\(\d+\)\(\d+\)(?=\.\[)"), re.compile(r"\.\[(\d+)\]")


class Visit(NamedTuple):
    path: str  # ".timer[2].config"
    kind: str
    text: str

    def octets(self):
        """As they are on QEMU's wire."""
        if self.kind == "bool":
            return bytes([self.text == "true"])
        if self.kind == "float64":
            return int(self.text.split("[")[1].rstrip("]"), 16).to_bytes(8, "big")
        if self.kind == "string":
            return bytes([len(self.text) - 2]) + self.text[1:-1].encode()
        if self.kind.startswith("octets"):
            return bytes.fromhex(self.text)
        if self.kind == "bitmap":
            return self.bitmap()
        return (int(self.text, 16) % (1 << 8 * WIDTH[self.kind])).to_bytes(WIDTH[self.kind], "big")

    def bitmap(self):
        count, bits = int(re.search(r"\((\d+)\)$", self.path)[1]), 0
        for part in filter(None, self.text.strip("{}").split(",")):
            first, last = (part.split("-") * 2)[:2]
            bits |= sum(1 << n for n in range(int(first), int(last) + 1))
        words = [bits >> 64 * n & (1 << 64) - 1 for n in range((count + 63) // 64)]
        return struct.pack(f">{len(words)}Q", *words)


@functools.lru_cache(1 << 20)
def parse_line(line):
    if line.startswith("% "):  # not a visit: a field that is described
        return Visit(ELEMENT.sub(r"[\1]", DIMENSIONS.sub("", line[2:])), "described", "")
    path, _, value = line.partition(" = (")
    kind, _, text = value.partition(") ")
    return Visit(ELEMENT.sub(r"[\1]", DIMENSIONS.sub("", path)), kind, text.strip())


class Trace:
    """A section's lines, which become visits when somebody wants to know."""

    def __init__(self, version):
        self.version, self.lines, self.parsed = version, [], None

    @property
    def visits(self):
        if self.parsed is None:
            self.parsed = [parse_line(line) for line in self.lines]
        return self.parsed


def read(path):
    """(section, instance) -> Trace, in order; one that comes again replaces what was before."""
    found, lines = {}, None
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        if line.startswith("@ "):
            _, name, instance, version = line.split()
            trace = found[name, int(instance)] = Trace(int(version))
            lines = trace.lines
        elif line:
            lines.append(line)
    return found


def title(key):
    return f"{key[0]}[{key[1]}]" if key[1] else key[0]


# --- two traces ---------------------------------------------------------------------------------------------------------


def same_traces(one, other):
    """Two files must be equal, line by line: what differs first, with both values; None: nothing."""
    if one.read_bytes() == other.read_bytes():
        return None
    section = "?"
    with open(one, encoding="utf-8") as a, open(other, encoding="utf-8") as b:
        for left, right in zip(a, b):
            if left.startswith("@ "):
                section = left[2:].strip()
            if left != right:
                return f"{section}: saved \"{left.strip()}\", loaded \"{right.strip()}\""
    return f"{section}: one of the two ends before the other"


def differing(one, other, excepted):
    """Two traces of the same machine, field by field: lines, and how often each exception was made use of."""
    lines, used = [], {}
    for key in one.keys() | other.keys():
        if key not in one or key not in other:
            lines.append(f"{title(key)}: only in the {'first' if key in one else 'second'}")
            continue
        if one[key].lines == other[key].lines and one[key].lines:
            continue
        a, b = ({v.path: v for v in side[key].visits} for side in (one, other))
        for path in a.keys() | b.keys():
            if a.get(path) == b.get(path):
                continue
            reason = excepted(key[0], path)
            if reason:
                used[reason] = used.get(reason, 0) + 1
            else:
                left, right = (f"({v.kind}) {v.text}" if v else "nothing" for v in (a.get(path), b.get(path)))
                lines.append(f"{title(key)}{path}: {left} -> {right}")
    return sorted(lines), used


# --- a trace, and what another reader finds in the stream -------------------------------------------------------------


def _value(octets, path, twin, kind="octets"):
    """The twin itself, if it has that value and a type of that kind."""
    kind = kind.split()[0]  # "int32 equal" is an int32 with a rule
    same = twin and twin.octets() == octets and (kind == twin.kind or kind not in WIDTH)
    return twin if same else Visit(path, kind, "0x" + octets.hex())


def _pieces(leaf, twins, found):
    """Something that QEMU describes as one: cut as the visits are, where heads of subsections are to be expected."""
    place, seen = 0, set()
    for twin in twins:
        for name in twin.path[len(leaf.path):].split("."):
            head = b"\x05" + bytes([len(name) % 256]) + name.encode()
            if "/" in name and name not in seen and leaf.octets[place:place + len(head)] == head:
                seen.add(name)
                place += len(head) + 4
        size = len(twin.octets())
        if place + size > len(leaf.octets):
            return
        found.append(_value(leaf.octets[place:place + size], twin.path, twin))
        place += size
    if place < len(leaf.octets):
        found.append(Visit(f"{leaf.path}@{place}", "octets", "0x" + leaf.octets[place:].hex()))


def decode(section, like):
    """A section of qemufile.py's as visits. `like`: the visits of such a section, for names within what QEMU's own
    description has as one."""
    by_path, found = {v.path: v for v in like}, []
    for leaf in section.leaves:
        if leaf.type == "bitmap":
            path = f"{leaf.path}({len(leaf.octets) * 8})"
            found.append(_value(leaf.octets, path, by_path.get(path)))
        elif leaf.whole:
            found.append(_value(leaf.octets, leaf.path, by_path.get(leaf.path), leaf.type))
        else:
            inside = (leaf.path + ".", leaf.path + "[")  # of what nobody describes, everything
            _pieces(leaf, [v for v in like if v.path == leaf.path or v.path.startswith(inside)], found)
    return found


def same_as_stream(section, visits):
    """What qemufile.py reads was visited, in the same order: the first difference, or None."""
    there = decode(section, visits)
    for a, b in zip(there, visits):
        if a != b:
            return f"the stream has {a.path} = ({a.kind}) {a.text}, visited was {b.path} = ({b.kind}) {b.text}"
    if len(there) != len(visits):
        longer = max(there, visits, key=len)[min(len(there), len(visits))]
        return f"{longer.path} is only {'in the stream' if len(there) > len(visits) else 'visited'}"
    return None
