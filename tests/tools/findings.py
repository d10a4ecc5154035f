#!/usr/bin/env python3
"""findings.py DIRECTORY VERDICT: holds the two forms of a verdict against what is wanted, and against each other.

In the directory are `pretty` and `out` (JSON), and `wanted`, with a line for each finding: level, kind, path. In a kind
"_" stands for a space, in a path "*" for anything. There must be no other finding.
"""
import fnmatch
import json
import re
import sys


def fits(found, wanted):
    def plain(path):
        return path.replace("[", "(").replace("]", ")")
    return found[:2] == tuple(wanted[:2]) and fnmatch.fnmatchcase(plain(found[2]), plain(wanted[2]))


def lines(name):
    with open(f"{sys.argv[1]}/{name}") as file:
        return file.read().splitlines()


def compare(wanted, found):
    extra = []
    for one in found:
        match = next((w for w in wanted if fits(one, w)), None)
        if match:
            wanted.remove(match)
        else:
            extra.append(one)
    if wanted:
        yield f"not found: {wanted}"
    if extra:
        yield f"not expected: {extra}"


def problems(verdict):
    j, pretty = json.loads("\n".join(lines("out"))), lines("pretty")
    findings = [(f["level"], f["kind"].replace(" ", "_"), f["path"], f["text"]) for f in j["findings"]]
    yield from compare([line.split(" ", 2) for line in lines("wanted")], [f[:3] for f in findings])
    shown = [re.fullmatch(r"(\S+) +(\S.*?)  +(.*?): (.*)", line).groups() for line in pretty[2:-1]]
    if sorted((f[0], f[1].replace(" ", "_"), *f[2:]) for f in shown) != sorted(findings):
        yield f"text and JSON differ: {shown}, {findings}"
    levels = [f[0] for f in shown]
    if levels != sorted(levels, reverse=True):
        yield f"the order is {levels}"
    counts = [levels.count(level) for level in ("incompatible", "convertible")]
    if not pretty[-1].startswith(f"verdict: {verdict} ({counts[0]} incompatible, {counts[1]} convertible"):
        yield f"the last line is {pretty[-1]}"
    if j["verdict"] != verdict:
        yield f"the verdict is {j['verdict']}"
    if not all(f[3] for f in findings):
        yield "a finding has no text"


sys.exit("; ".join(problems(sys.argv[2])) or 0)
