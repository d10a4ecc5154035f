"""rig.py: two machines, and a guest that checks itself on its way from one to the other while it runs."""

import re
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/exchange"))
sys.dont_write_bytecode = True

import machines  # noqa: E402 (its folder must come first)
from machines import MachineError, Qemu  # noqa: E402

PATIENCE = 180  # seconds for anything, on a busy machine
DIRTY = re.compile(r"^witness dirty pages=\d+ longest_us=\d+$")
COMMON = "-nodefaults -machine pc-i440fx-7.2 -accel kvm -cpu qemu64,-sse3 -vga none -smp 1"


class Ferry(Qemu):
    """Over QMP, too."""
    kind = "ferry"

    def said_why(self):
        return " / ".join(self.said().splitlines())


class Rig:
    def __init__(self, bin_folder, guest):
        self.bin, self.guest, self.count = Path(bin_folder), Path(guest).resolve(), 0
        self.folder = Path(tempfile.mkdtemp(prefix="ferry-migration-"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in list(machines.running):
            process.kill()
            process.wait()
            machines.running.discard(process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self, which, mib=128, dirty=32, incoming=None, extra=()):
        """A machine whose guest writes to `dirty` MiB as fast as it can, and checks what it wrote."""
        self.count += 1
        kind, program = {"qemu": (Qemu, "qemu-system-x86_64"), "ferry": (Ferry, self.bin / "ferry")}[which]
        line = [*COMMON.split(), "-m", str(mib), "-bios", "qboot.rom", "-kernel", str(self.guest), "-append",
                f"dirty={dirty}", *extra]
        return kind(program, line, self.folder, f"{self.count:03}-{which}", incoming)

    def start(self, *args, **kwargs):
        machine = self.make(*args, **kwargs)
        machine.cont()
        lines(machine, 1)
        return machine


def words(machine):
    """What the guest has said in this machine; anything but its usual lines is a mistake that it found."""
    text = bytes(machine.console.text).decode(errors="replace").replace("\r", "")
    complete = text.split("\n")[:-1]
    found = [line for line in complete if DIRTY.match(line)]
    for line in complete:
        if "witness" in line and not DIRTY.match(line) and not line.startswith("witness begins"):
            # the first line in a machine may be the rest of one that began in another
            assert line is complete[0] and not line.startswith("witness"), f"{machine.name}: the guest says: {line}"
    assert "expected" not in text and "wrong" not in text, f"{machine.name}: the guest says: {text[-300:]}"
    return found


def lines(machine, more):
    """Waits until the guest has said so many more lines there."""
    before, end = len(words(machine)), time.monotonic() + PATIENCE
    while len(words(machine)) < before + more:
        assert machine.alive(), f"{machine.name} ended: {machine.said()}"
        assert time.monotonic() < end, f"the guest says nothing in {machine.name}: {bytes(machine.console.text)[-200:]}"
        time.sleep(0.02)


def capabilities(machine, **wanted):
    machine.command("migrate-set-capabilities", capabilities=[
        {"capability": name.replace("_", "-"), "state": state} for name, state in wanted.items()])


def parameters(machine, **wanted):
    machine.command("migrate-set-parameters", **{name.replace("_", "-"): value for name, value in wanted.items()})


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def outcome(machine):
    """How a migration has ended: "completed", or why it has not."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        info = machine.command("query-migrate")
        if info.get("status") == "completed":
            return "completed"
        if info.get("status") in ("failed", "cancelled"):
            return f"{info['status']}: {info.get('error-desc', 'no reason given')}"
        time.sleep(0.01)
    raise AssertionError(f"{machine.name}: it has not ended in {PATIENCE} s: {info}")


def move(source, target, uri):
    """Over there and on; what the source says of it."""
    target.command("migrate-incoming", uri=uri)
    source.command("migrate", uri=uri)
    return outcome(source)


__all__ = ["MachineError", "Rig", "capabilities", "free_port", "lines", "move", "outcome", "parameters", "words"]
