#!/usr/bin/env python3
"""facts.py COMMAND IMAGE [OPTION...]: does qcow2-tool (in $tool) tell what qemu-img tells of an image?

COMMAND is info, check, map or snapshots. Every member that qemu-img has must be there with the same value; there may be
more of them.
"""
import json
import os
import subprocess
import sys


def run(*line):
    return json.loads(subprocess.run(line, stdout=subprocess.PIPE, text=True).stdout)


def differences(theirs, ours, path=""):
    if isinstance(theirs, dict):
        for name, value in theirs.items():
            if name not in ours:
                yield f"{path}.{name} is missing: {value!r}"
            else:
                yield from differences(value, ours[name], f"{path}.{name}")
    elif isinstance(theirs, list):
        if len(theirs) != len(ours):
            yield f"{path}: {len(ours)} members, not {len(theirs)}: {ours} {theirs}"
        for i, (a, b) in enumerate(zip(theirs, ours)):
            yield from differences(a, b, f"{path}[{i}]")
    elif theirs != ours:
        yield f"{path} is {ours!r}, not {theirs!r}"


def merged(extents):
    """Neighbours that are alike count as one: where an extent is cut is no fact. And for images whose metadata was
    preallocated qemu-img looks for holes of the file, too."""
    out = []
    for e in extents:
        e["zero"] = e["zero"] and not e["data"]
        last = out[-1] if out else None
        if last and all(last.get(k) == e.get(k) for k in ("depth", "present", "zero", "data")) and (
                "offset" not in e and "offset" not in last or
                "offset" in e and "offset" in last and last["offset"] + last["length"] == e["offset"]):
            last["length"] += e["length"]
        else:
            out.append(dict(e))
    return out


def main():
    command, image, *options = sys.argv[1:]
    tool = os.environ["tool"]
    if command == "snapshots":
        theirs = run("qemu-img", "info", "--output=json", image).get("snapshots", [])
        ours = run(tool, "snapshot", "list", "--format=json", image)
    else:
        theirs = run("qemu-img", command, "--output=json", *options, image)
        ours = run(tool, command, "--format=json", *options, image)
    if command == "map":
        theirs, ours = merged(theirs), merged(ours)
    found = list(differences(theirs, ours))
    for line in found:
        print(line)
    return bool(found)


sys.exit(main())
