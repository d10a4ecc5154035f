#!/usr/bin/env python3
"""dumps.py WHAT FILE...: holds dumps against a stream, and against each other.

oracle STREAM JSON [OTHER]
                        the JSON has what tests/interop/oracle.py reads in the stream (unpacked), by the description in it
                        or in the other stream
pretty JSON TEXT        the text has the same values, in the same order
summary JSON TEXT SIZE  the summary has the same sections and RAM, and its sums are right
schema JSON TEXT        the description as JSON refers only to types that are there, and the text has the same
"""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import oracle  # noqa: E402

VALUE = re.compile(r"(.*?) = \(([^()]*|octets of .*?)\) (.*)")
DIMENSIONS = re.compile(r"\(\d+\)\(\d+\)(?=\.\[)")


def parsed(path):
    with open(path, encoding="latin-1") as file:
        return oracle.parse_json(file.read())


def lines(path):
    with open(path, encoding="latin-1") as file:
        return file.read().splitlines()


def octets(path):
    with open(path, "rb") as file:
        return file.read()


def against_oracle(stream, dump, describing=None):
    comparison = oracle.Comparison()
    comparison.stream(oracle.read(octets(stream), octets(describing or stream)), parsed(dump))
    print(f"{comparison.values} values")


class Pretty:
    """The values of a dump, one after the other."""

    def __init__(self, path):
        self.values = iter([line for line in lines(path) if not line.startswith("#")])
        self.line = None

    def next(self, path):
        """The kind and the text of the next value, which has this path."""
        self.line = next(self.values, None)
        match = VALUE.fullmatch(self.line or "")
        if not match or DIMENSIONS.sub("", match[1]) != path:
            sys.exit(f"JSON has {path}, the text: {self.line}")
        return match[2], match[3]

    def want(self, path, good):
        if not good:
            sys.exit(f"JSON has something else than the text: {self.line}")

    def hexadecimal(self, path, text, octets_of=None):
        data = bytes.fromhex(text)
        if octets_of is None:  # a buffer
            for i, octet in enumerate(data):
                self.want(path, self.next(f"{path}.[{i}]") == ("uint8", f"{octet:#x}"))
            return
        for i in range(0, len(data), 32):
            part = data[i:i + 32]
            self.want(path, self.next(f"{path}.[{i}]") == (f"octets of {octets_of}", part.hex(" ")))

    def value(self, path, value):
        if isinstance(value, oracle.Pairs):
            if "octets-of" in value:
                self.hexadecimal(path, value.get("hex"), value.get("octets-of"))
            elif "bits" in value and "set" in value:
                kind, text = self.next(f"{path}({value.get('bits')})")
                self.want(path, kind == "bitmap" and text == f"{{{value.get('set')}}}")
            else:
                for name, member in value:
                    self.value(f"{path}.{name}", member)
        elif isinstance(value, list):
            for i, member in enumerate(value):
                self.value(f"{path}.[{i}]", member)
        elif isinstance(value, bool):
            self.want(path, self.next(path) == ("bool", "true" if value else "false"))
        elif isinstance(value, int):
            kind, text = self.next(path)
            self.want(path, re.fullmatch("u?int(8|16|32|64)", kind) and re.fullmatch("-?0x[0-9a-f]+", text))
            self.want(path, int(text, 16) == value)
        elif isinstance(value, float):
            kind, text = self.next(path)
            self.want(path, kind == "float64" and float(text.split()[0]) == value)
        elif path.startswith("configuration.configuration/capabilities"):  # the only strings there are
            self.want(path, self.next(path) == ("string", json.dumps(value)))
        else:
            self.hexadecimal(path, value)


def title(element):
    return element.get("section") + (f"[{element.get('instance')}]" if element.get("instance") else "")


def against_pretty(dump, text):
    pretty, count = Pretty(text), 0
    for element in parsed(dump).get("elements"):
        if "section" in element and "fields" in element:
            pretty.value(title(element), element.get("fields"))
            count += 1
        elif "section" in element:
            pretty.hexadecimal(title(element), element.get("octets"), element.get("section"))
            count += 1
        elif "records" in element:
            for record in element.get("records"):
                name = element.get("live")
                pretty.want(name, pretty.next(name) == (f"octets of {name}", record))
    rest = [line for line in pretty.values if not line.startswith("ram.")]
    if rest or not count:
        sys.exit(f"JSON does not have: {rest[:3]}")


def against_summary(dump, text, size):
    j, shown = parsed(dump), lines(text)
    rows = [line.split() for line in shown]
    sections = [(e.get("section"), e.get("instance"), e.get("version"), e.get("id"), e.get("offset"), e.get("size"))
                for e in j.get("elements") if "section" in e]
    there = [(r[0], int(r[1]), int(r[2]), int(r[3]), int(r[4], 16), int(r[5]))
             for r in rows if len(r) >= 6 and re.fullmatch("0x[0-9a-f]+", r[4])]
    if there != sections:
        sys.exit(f"sections: {set(there) ^ set(sections)}")
    bare = sum("section" in e and "fields" not in e for e in j.get("elements"))
    if f"{len(sections)} sections, {bare} of them not described" not in shown:
        sys.exit(f"it should count {len(sections)} sections, {bare} of them not described")
    blocks = [(b.get("block"), *(b.get(k) for k in ("zero", "normal", "compressed", "xbzrle", "filled")))
              for b in j.get("ram", [])]
    there = [(r[0], *map(int, r[3:])) for r in rows if len(r) == 8 and r[2] in ("KiB", "MiB") and r[3] != "zero"]
    if there != blocks:
        sys.exit(f"RAM: {set(there) ^ set(blocks)}")
    sums = [int(r[0]) for r in rows[rows.index(["octets"]) + 1:]]
    if sum(sums[:-1]) != sums[-1] or sums[-1] != int(size):
        sys.exit(f"the octets {sums} should be {size} in all")


def check_schema(dump, text):
    types, sections, shown = {}, 0, lines(text)
    for item in parsed(dump):
        if "section" in item:
            sections += 1
            line = f"type {item.get('type')}" if "type" in item else "not described"
            line = f"version {item.get('version')}, {line}" if "version" in item else line
            if not any(s.startswith(f"section {title(item)} ") and s.endswith(f" {line}") for s in shown):
                sys.exit(f"the text lacks: section {title(item)} {line}")
        else:
            if f"type {item.get('type')} {item.get('name')}, version {item.get('version')}" not in shown:
                sys.exit(f"the text lacks type {item.get('type')}")
            for field in item.get("fields"):
                words = rf"    {re.escape(field.get('name'))} +{re.escape(field.get('holds'))}(\[| |,|$).*"
                if ("type" in field) == ("octets" in field) or not any(re.match(words, s) for s in shown):
                    sys.exit(f"field {field.get('name')} of type {item.get('type')}: {field}")
        used = [f.get("type") for f in item.get("fields", []) if "type" in f] + item.get("subsections", [])
        used += [item.get("type")] if "section" in item and "type" in item else []
        if (lost := [n for n in used if n not in types]):
            sys.exit(f"types {lost} come behind {item.get('name') or title(item)}")
        if "section" not in item:
            types[item.get("type")] = item.get("name")
    if not sections:
        sys.exit("no section is described")


globals()[{"oracle": "against_oracle", "pretty": "against_pretty", "summary": "against_summary",
           "schema": "check_schema"}[sys.argv[1]]](*sys.argv[2:])
