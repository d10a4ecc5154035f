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


def compare(bin_folder, one, other):
    """Lines that say what differs: sections, their order, versions, lengths, RAM blocks. In BER lengths are not equal."""
    (a, a_ram), (b, b_ram) = sections(bin_folder, one), sections(bin_folder, other)
    lines = []
    for key in a.keys() | b.keys():
        name = f"{key[0]}/{key[1]}"
        if key not in a or key not in b:
            lines.append(f"{name}: only in {one.name if key in a else other.name}")
        elif a[key] != b[key]:
            lines.append(f"{name}: version {a[key][0]}, {a[key][1]} octets in {one.name}, "
                         f"version {b[key][0]}, {b[key][1]} octets in {other.name}")
    if not lines and list(a) != list(b):
        at = next(i for i, (x, y) in enumerate(zip(a, b)) if x != y)
        lines.append(f"order: from section {at} on it is {list(a)[at:at + 4]} in {one.name}, {list(b)[at:at + 4]} in "
                     f"{other.name}")
    for block in a_ram.keys() | b_ram.keys():
        if a_ram.get(block) != b_ram.get(block):
            lines.append(f"RAM block {block}: {a_ram.get(block)} and {b_ram.get(block)}")
    return sorted(lines)


def differing_fields(bin_folder, one, other):
    """Fields whose values differ; memory is compared, too."""
    run = subprocess.run([bin_folder / "vmstate-diff", "--ram", "--color=never", one, other], capture_output=True,
                         check=False)
    if run.returncode > 1:
        raise ValueError(f"vmstate-diff: {run.stderr.decode(errors='replace').strip()}")
    return [line for line in run.stdout.decode(errors="replace").splitlines() if line[:1] in "~+-"]
