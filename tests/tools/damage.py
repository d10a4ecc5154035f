#!/usr/bin/env python3
"""damage.py WHAT PROGRAM FILE [ARGUMENT...]: runs vmstate-dump on what a file becomes when it is damaged.

cut PROGRAM FILE [OPTION...]   at a hundred places; what stands before the cut is shown, and it is told where it ends
flip PROGRAM FILE              a bit at a hundred places of a BER stream; it is told where, and all before it is shown
clean PROGRAM FILE             nothing that a terminal would obey is put out, in any form
"""
import json
import os
import random
import re
import subprocess
import sys
import tempfile

PLACE = tempfile.mkdtemp(dir=os.environ["TMP"])
BROKEN = os.path.join(PLACE, "broken")


def run(program, *arguments, data=None):
    if data is not None:
        with open(BROKEN, "wb") as file:
            file.write(data)
        arguments += (BROKEN,)
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")


def fail(where, why, *shown):
    sys.exit("\n".join([f"{where}: {why}", *(text[:1500] for text in shown)]))


def values(text):
    """Lines of devices: heads of sections without what is added for a cut, and values."""
    lines = [line for line in text.splitlines()[1:] if not line.startswith("ram.")]
    return [line for line in lines if not line.startswith("#")]


def sections(program, path, options):
    """(where it ends or later, head of its line in the text) of each section in the whole file."""
    status, out, err = run(program, *options, "--format=json", path)
    if status:
        fail(path, "the whole file cannot be read", err)
    there = [e for e in json.loads(out)["elements"] if "offset" in e]
    size = os.path.getsize(path)
    for element, after in zip(there, [*there[1:], {"offset": size}]):
        if "section" in element and element["section"] != "configuration":
            title = element["section"] + (f"[{element['instance']}]" if element["instance"] else "")
            yield after["offset"], (f"# {title}, version {element['version']}, id {element['id']}, "
                                    f"@{element['offset']:#x}, {element['size']} octets")


def cut(program, path, *options):
    with open(path, "rb") as file:
        data = file.read()
    _, whole, _ = run(program, *options, path)
    wanted = list(sections(program, path, options))
    described = bool(options) or data[:4] != b"QEVM"  # or sections are octets, as the description stands at the end
    rng = random.Random(4711)
    edges = {at for end, _ in wanted[:8] for at in (end - 1, end, end + 1)}
    places = {*range(65), *edges, *(len(data) - n for n in (1, 2, 3, 4, 5, 6, 100)),
              *(rng.randrange(len(data)) for _ in range(25))}
    for at in sorted(places & {*range(len(data))}):
        status, out, err = run(program, *options, data=data[:at])
        if status != 3 or err.count("\n") != 1 or not err.startswith(f"vmstate-dump: {BROKEN}: "):
            fail(at, f"exit status {status}", err)
        if at > 8 and not re.search(rf"the input ends at {at:#x}\b", err):
            fail(at, "it is not told where", err)
        lines = out.splitlines()
        for end, head in wanted:
            # the end of octets is known by what comes behind them
            if end + (0 if described else 64) <= at and not any(line.startswith(head) for line in lines):
                fail(at, f"this is not shown: {head}", err)
        shown = values(out)
        if described and shown != values(whole)[:len(shown)]:
            first = next(i for i, line in enumerate(shown) if line != values(whole)[i])
            fail(at, "another value before the cut", shown[first], values(whole)[first])
    print(f"{len(places)} places")


def records(data):
    """(start, end, tag) of each record of a BER stream, which are in definite form."""
    at = 2
    while data[at:at + 2] != b"\0\0":
        start, length, at = at, data[at + 1], at + 2
        if length & 0x80:
            octets = length & 0x7F
            length, at = int.from_bytes(data[at:at + octets], "big"), at + octets
        at += length
        yield start, at, data[start]


def flip(program, path):
    with open(path, "rb") as file:
        data = file.read()
    names = [head.split(",")[0][2:] for _, head in sections(program, path, ())]
    names.insert(0, "configuration")
    all_records = list(records(data))
    device = iter(names[-sum(tag == 0x66 for _, _, tag in all_records):])
    rng, count = random.Random(42), 0
    _, whole, _ = run(program, path)
    for start, end, tag in all_records:
        name = next(device) if tag == 0x66 else ""
        for at in {start, start + 1, rng.randrange(start, end), end - 1} if tag != 0x66 or rng.random() < 0.3 else ():
            broken = bytearray(data)
            broken[at] ^= 1 << rng.randrange(8)
            status, out, err = run(program, data=bytes(broken))
            if status != 3 or err.count("\n") != 1:
                fail(f"{at:#x}", f"exit status {status}", err)
            if f", record @{start:#x}: " not in err or name not in err:
                fail(f"{at:#x}", f"in {name or hex(tag)}, record @{start:#x}", err)
            told = re.search(r"bit \d of the octet at (0x[0-9a-f]+) is flipped", err)
            if told and int(told[1], 16) != at:
                fail(f"{at:#x}", "it is told elsewhere", err)
            shown = values(out)
            if shown != values(whole)[:len(shown)]:
                fail(f"{at:#x}", "another value before it", err)
            count += 1
    print(f"{count} places")


def clean(program, path):
    """In the directory `PLACE`, where nothing may be made."""
    path, before = os.path.abspath(path), os.listdir(PLACE)
    base = os.path.dirname(os.path.abspath(program))
    commands = [[f"{base}/vmstate-dump", *options, path] for options in (
        [], ["--format=json"], ["--format=summary"], ["--schema"], ["--schema", "--format=json"])]
    for other in ("vmstate-diff", "vmstate-check"):
        for form in ("--format=pretty", "--format=json"):
            commands += [[f"{base}/{other}", form, path, os.environ["OTHER"]],
                         [f"{base}/{other}", form, os.environ["OTHER"], path]]
    commands += [[f"{base}/vmstate-convert", "--to=ber", path, "/dev/null"]]
    statuses = set()
    for command in commands:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=PLACE)
        statuses.add(done.returncode)
        for out in (done.stdout, done.stderr):
            text = out.decode("utf-8", "surrogateescape")
            bad = re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\udc80-\udcff]", text)
            if bad or "\nEVIL" in text:
                bad = bad or re.search("\nEVIL", text)
                fail(" ".join(command[:2]), f"puts out {bad[0]!r}: {text[max(0, bad.start() - 60):bad.end() + 20]!r}")
        may_be_one = command[0].endswith(("diff", "check"))
        if done.returncode not in ((0, 1, 3) if may_be_one else (0, 3)) or done.stderr.count(b"\n") > 1:
            fail(" ".join(command[:2]), f"exit status {done.returncode}", done.stderr.decode("latin-1"))
        if os.listdir(PLACE) != before:
            fail(" ".join(command[:2]), f"makes {os.listdir(PLACE)}")
    print(f"exit statuses {sorted(statuses)}")


globals()[sys.argv[1]](*sys.argv[2:])
