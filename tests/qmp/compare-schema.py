#!/usr/bin/env python3
"""compare-schema.py: what two programs say of the commands and events that both have (query-qmp-schema).

    compare-schema.py [--all] OURS QEMUS [ALLOWED]

OURS and QEMUS are files with the replies. Every difference in structure is a line: where, and what. ALLOWED (otherwise
schema-differences.txt beside this program) has those that are meant, each with its reason:

    query-pci return[].devices[].pci_bridge: only in QEMU  # Ferry has no bridges

A "*" there stands for anything. The status is 1 if there is a difference without a reason, or a reason without a
difference. --all also prints what is allowed.

Where: arguments are "args", what is returned "return", an event's data "data"; "[]" is an element of a list,
"(driver=file)" the branch that a tag chooses, "='word'" a word of an enumeration, "!name" a feature. A type that
contains itself is compared once.
"""
import json
import os
import re
import sys

EMPTY = {"meta-type": "object", "members": []}


class Schema:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            reply = json.load(file)
        entries = reply["return"] if isinstance(reply, dict) else reply
        tops = ("command", "event")
        self.types = {e["name"]: e for e in entries if e["meta-type"] not in tops}
        self.tops = {(e["meta-type"], e["name"]): e for e in entries if e["meta-type"] in tops}

    def kind(self, name):
        """What it looks like in JSON."""
        type_ = self.types[name]
        return type_["json-type"] if type_["meta-type"] == "builtin" else type_["meta-type"]


def variants(type_):
    """The empty object is no branch."""
    return {v["case"]: v["type"] for v in type_.get("variants", [])}


class Comparison:
    def __init__(self, ours, qemus):
        self.ours, self.qemus = ours, qemus
        self.found = []  # lines

    def say(self, where, what):
        self.found.append(f"{where}: {what}")

    def sets(self, where, ours, qemus):
        """Names that only one of them has; the others are returned."""
        for name in ours:
            if name not in qemus:
                self.say(where(name), "only in Ferry")
        for name in qemus:
            if name not in ours:
                self.say(where(name), "only in QEMU")
        return [name for name in ours if name in qemus]

    def features(self, where, ours, qemus):
        self.sets(lambda name: f"{where}!{name}", ours.get("features", []), qemus.get("features", []))

    def top(self, key):
        ours, qemus = self.ours.tops[key], self.qemus.tops[key]
        command = key[0] == "command"
        self.features(key[1], ours, qemus)
        if ours.get("allow-oob", False) != qemus.get("allow-oob", False):
            self.say(key[1], "out of band only in " + ("Ferry" if ours.get("allow-oob") else "QEMU"))
        self.done = set()  # pairs of types
        self.waiting = [(key[1] + (" args" if command else " data"), ours["arg-type"], qemus["arg-type"])]
        if command:
            self.waiting.append((key[1] + " return", ours["ret-type"], qemus["ret-type"]))
        while self.waiting:  # the shortest way to a type is the first
            where, our, qemu = self.waiting.pop(0)
            self.values(where, our, qemu)

    def values(self, where, our, qemu):
        if (our, qemu) in self.done:
            return
        ours, qemus = self.ours.types[our], self.qemus.types[qemu]
        kinds = self.ours.kind(our), self.qemus.kind(qemu)
        if kinds[0] != kinds[1]:
            self.say(where, f"{kinds[0]} in Ferry, {kinds[1]} in QEMU")
            return
        compare = {"enum": self.enums, "array": self.arrays, "object": self.objects, "alternate": self.alternates}
        if kinds[0] in compare and "json-type" not in ours:
            if kinds[0] != "array":
                self.done.add((our, qemu))
            compare[kinds[0]](where, ours, qemus)

    def enums(self, where, ours, qemus):
        ours, qemus = ({m["name"]: m for m in e["members"]} for e in (ours, qemus))
        for word in self.sets(lambda name: f"{where}='{name}'", ours, qemus):
            self.features(f"{where}='{word}'", ours[word], qemus[word])

    def arrays(self, where, ours, qemus):
        self.waiting.append((where + "[]", ours["element-type"], qemus["element-type"]))

    def alternates(self, where, ours, qemus):
        def kinds(schema, type_):
            return {schema.kind(m["type"]): m["type"] for m in type_["members"]}

        our, qemu = kinds(self.ours, ours), kinds(self.qemus, qemus)
        for kind in self.sets(lambda name: f"{where}|{name}", our, qemu):
            self.waiting.append((f"{where}|{kind}" if kind != "object" else where, our[kind], qemu[kind]))

    def members(self, where, ours, qemus):
        ours, qemus = ({m["name"]: m for m in type_["members"]} for type_ in (ours, qemus))
        for name in self.sets(lambda name: f"{where}.{name}", ours, qemus):
            our, qemu, path = ours[name], qemus[name], f"{where}.{name}"
            if ("default" in our) != ("default" in qemu):
                self.say(path, "optional only in " + ("Ferry" if "default" in our else "QEMU"))
            self.features(path, our, qemu)
            self.waiting.append((path, our["type"], qemu["type"]))

    def objects(self, where, ours, qemus):
        self.features(where, ours, qemus)
        self.members(where, ours, qemus)
        tags = ours.get("tag"), qemus.get("tag")
        if tags[0] and tags[1] and tags[0] != tags[1]:
            self.say(where, f"the tag is {tags[0]} in Ferry, {tags[1]} in QEMU")
            return
        our, qemu = variants(ours), variants(qemus)
        for case in dict.fromkeys([*our, *qemu]):
            if tags[0] and tags[1] and (case not in our or case not in qemu):
                continue  # the enumeration says so
            branch = [schema.types[of[case]] if case in of else EMPTY
                      for schema, of in ((self.ours, our), (self.qemus, qemu))]
            self.objects(f"{where}({tags[0] or tags[1]}={case})", *branch)


class Allowed:
    """Lines "DIFFERENCE  # reason"."""

    def __init__(self, path):
        self.lines = []  # number, text, pattern, reason, how often it was met
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip() or line.startswith("#"):
                    continue
                text, mark, reason = (part.strip() for part in line.partition(" # "))
                if not mark or not reason:
                    sys.exit(f"{path}:{number}: no reason is given")
                pattern = re.compile(".*".join(re.escape(piece) for piece in text.split("*")))
                self.lines.append([number, text, pattern, reason, 0])

    def reason(self, difference):
        for line in self.lines:
            if line[2].fullmatch(difference):
                line[4] += 1
                return line[3]
        return None


def main(words):
    everything = "--all" in words
    words = [word for word in words if word != "--all"]
    if not 2 <= len(words) <= 3:
        sys.exit("usage: compare-schema.py [--all] OURS QEMUS [ALLOWED]")
    ours, qemus = Schema(words[0]), Schema(words[1])
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schema-differences.txt")
    path = words[2] if len(words) > 2 else beside
    allowed = Allowed(path)
    comparison = Comparison(ours, qemus)
    both = [key for key in sorted(ours.tops) if key in qemus.tops]
    for key in both:
        comparison.top(key)
    unexplained = 0
    for difference in dict.fromkeys(comparison.found):
        reason = allowed.reason(difference)
        unexplained += reason is None
        if reason is None:
            print(difference)
        elif everything:
            print(f"{difference}  # {reason}")
    stale = [line for line in allowed.lines if not line[4]]
    for number, text, *_ in stale:
        print(f"{path}:{number}: there is no such difference: {text}")
    for kind in ("command", "event"):
        print(f"# {kind}s: {sum(key[0] == kind for key in both)} in both, "
              f"{sum(key[0] == kind and key not in qemus.tops for key in ours.tops)} only in Ferry, "
              f"{sum(key[0] == kind and key not in ours.tops for key in qemus.tops)} only in QEMU")
    print(f"# differences: {len(set(comparison.found))}, without a reason {unexplained}; "
          f"reasons without a difference: {len(stale)}")
    return 1 if unexplained or stale or not both else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
