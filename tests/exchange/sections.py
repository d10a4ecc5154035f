"""Two saves of one standing guest, held against each other, section by section, with vmstate-dump and vmstate-diff."""

import json
import subprocess


def sections(bin_folder, path):
    """(name, instance) -> (version, octets), in order, and the RAM blocks -> length."""
    run = subprocess.run([bin_folder / "vmstate-dump", "--format=json", path], capture_output=True, check=False)
    if run.returncode:
        raise ValueError(f"vmstate-dump {path.name}: {run.stderr.decode(errors='replace').strip()}")
    dump = json.loads(run.stdout)
    found = {(e["section"], e["instance"]): (e["version"], e["size"]) for e in dump["elements"] if "section" in e}
    return found, {block["block"]: block["length"] for block in dump["ram"]}


def names(keys):
    return ", ".join(f"{name}/{instance}" for name, instance in keys)


def compare(bin_folder, one, other):
    """Lines that say what differs: sections, their order, versions, lengths, RAM blocks. In BER lengths are not equal."""
    (a, a_ram), (b, b_ram) = sections(bin_folder, one), sections(bin_folder, other)
    lines = []
    for key in a.keys() | b.keys():
        name = f"{key[0]}/{key[1]}"
        if key not in a or key not in b:
            lines.append(f"{name}: only in the {'first' if key in a else 'second'} save")
        elif a[key] != b[key]:
            lines.append(f"{name}: version {a[key][0]}, {a[key][1]} octets, then version {b[key][0]}, "
                         f"{b[key][1]} octets")
    if not lines and list(a) != list(b):
        at = next(i for i, (x, y) in enumerate(zip(a, b)) if x != y)
        lines.append(f"order: from section {at} on it is {names(list(a)[at:at + 4])}, then {names(list(b)[at:at + 4])}")
    for block in a_ram.keys() | b_ram.keys():
        if a_ram.get(block) != b_ram.get(block):
            lines.append(f"RAM block {block}: {a_ram.get(block)} and {b_ram.get(block)}")
    return sorted(lines)


def octets(bin_folder, path):
    """(name, instance) -> what the section has, if the stream is QEMU's: type, id, name, instance, version, octets."""
    run = subprocess.run([bin_folder / "vmstate-dump", "--format=json", path], capture_output=True, check=True)
    dump, data = json.loads(run.stdout), path.read_bytes()
    if dump["stream"]["format"] != "qemufile":
        return {}
    found = {}
    for e in dump["elements"]:
        if "section" in e:
            begin = e["offset"] + 14 + len(e["section"])
            found[e["section"], e["instance"]] = data[begin:begin + e["size"]]
    return found


def undescribed(bin_folder, one, other, lines):
    """Sections that only one of the two programs describes: a line for each whose octets differ, and those to leave out."""
    partly = {line[2:].split(": ")[0] for line in lines if line.rstrip().endswith("octets)")}
    a, b = octets(bin_folder, one), octets(bin_folder, other)
    found = []
    for name in partly:
        key = next((k for k in a if name == k[0] or name.startswith(f"{k[0]}.")), None)
        if key and key in b and a[key] != b[key]:
            places = [i for i, (x, y) in enumerate(zip(a[key], b[key])) if x != y]
            found.append(f"~ {name}: {len(places)} of {len(a[key])} octets, at {' '.join(map(hex, places[:8]))}")
    return found, tuple(partly)


def differing_fields(bin_folder, one, other):
    """Fields whose values differ; memory is compared, too."""
    run = subprocess.run([bin_folder / "vmstate-diff", "--ram", "--color=never", one, other], capture_output=True,
                         check=False)
    if run.returncode > 1:
        raise ValueError(f"vmstate-diff: {run.stderr.decode(errors='replace').strip()}")
    lines = [line for line in run.stdout.decode(errors="replace").splitlines() if line[:2] in ("~ ", "+ ", "- ")]
    found, partly = undescribed(bin_folder, one, other, lines)
    return found + [line for line in lines if not partly or not line[2:].startswith(partly)]
