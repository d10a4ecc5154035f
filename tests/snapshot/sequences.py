#!/usr/bin/env python3
"""sequences.py: random sequences of save, load, delete, write and restart over three disks, held against a model.

    sequences.py BIN BUILD [--count=N] [--steps=N] [--seed=N] [--first=N]

The model knows what each sector group of each disk has, and what each snapshot had; UUIDs and parents, too. Half of the
sequences save in QEMU's format, half in our own. At the end of each, and at each restart, images are clean (qemu-img
check) and every snapshot has what the model has. Writes are qemu-io's, while the machine is off.
"""
import argparse
import hashlib
import os
import random
import shutil
import subprocess
import sys
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rig import Machine, look, workplace  # pylint: disable=wrong-import-position

DISKS, UNIT, NULL = 3, 65536, "0" * 8 + "-0000-0000-0000-" + "0" * 12
UNITS = (64, 40, 96)  # of which each disk has so many


class Snapshot:
    def __init__(self, identity, parent, disks):
        self.identity, self.parent, self.disks = identity, parent, disks


class Model:
    def __init__(self):
        self.disks = [[0] * count for count in UNITS]
        self.snapshots = {}  # by name
        self.current = NULL

    def save(self, name, identity):
        old = self.snapshots.get(name)
        made = Snapshot(identity, self.current, [list(d) for d in self.disks])
        self.current = identity
        self.snapshots[name] = made
        if old:
            self.forget(old)

    def load(self, name):
        self.disks = [list(d) for d in self.snapshots[name].disks]
        self.current = self.snapshots[name].identity

    def forget(self, gone):
        for s in self.snapshots.values():
            if s.parent == gone.identity:
                s.parent = gone.parent
        if self.current == gone.identity:
            self.current = gone.parent

    def delete(self, name):
        self.forget(self.snapshots.pop(name))


def sum_of(disk):
    made = hashlib.md5()
    for pattern in disk:
        made.update(bytes([pattern]) * UNIT)
    return made.hexdigest()


class Sequence:
    def __init__(self, options, number, folder):
        self.options, self.folder = options, tempfile_in(folder)
        self.chance = random.Random("%d/%d" % (options.seed, number))
        self.format = ("qemufile", "ber")[number % 2]
        self.model, self.machine = Model(), None
        self.images = [os.path.join(self.folder, "d%d.qcow2" % i) for i in range(DISKS)]
        self.done = []
        for image, units in zip(self.images, UNITS):
            cluster = self.chance.choice((4096, 65536, 1 << 20))
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=%d" % cluster, image,
                            str(units * UNIT)], check=True)

    # --- steps -----------------------------------------------------------------------------------------------------

    def on(self, tag=None):
        if not self.machine:
            self.machine = Machine(os.path.join(self.options.bin, "ferry"), self.folder, self.images,
                                   ["-loadvm", tag] if tag else [])
            if self.chance.randrange(2):
                self.machine.ask("cont")

    def off(self):
        if self.machine:
            if self.chance.randrange(4):
                self.machine.quit()
            else:
                self.machine.process.kill()
                self.machine.gone(-9)
            self.machine = None

    def disks(self):
        names = ["d%d" % i for i in range(DISKS)]
        self.chance.shuffle(names)
        return names

    def job(self, command, **arguments):
        self.on()
        error = self.machine.job("snapshot-" + command, **arguments)
        assert error is None, error

    def which(self, name):
        """Its name, or its UUID."""
        return self.chance.choice((name, name, self.model.snapshots[name].identity))

    def save(self):
        name = "s%d" % self.chance.randrange(6)
        there, identity = name in self.model.snapshots, str(uuid.UUID(int=self.chance.getrandbits(128)))
        if there and self.chance.randrange(2):
            self.on()
            error = self.machine.job("snapshot-save", tag=name, vmstate="d0", devices=self.disks())
            assert error and "has one of that name already" in error, error
            return "save %s, refused" % name
        options = {"format": self.format, "live": bool(self.chance.randrange(2)), "overwrite": there}
        if self.format == "ber" and self.chance.randrange(2):
            options["compress"] = "zstd"
        self.job("save", tag=name, vmstate=self.chance.choice(self.disks()), devices=self.disks(), uuid=identity,
                 **options)
        self.model.save(name, identity)
        return "save %s %s" % (name, options)

    def some(self):
        return self.chance.choice(sorted(self.model.snapshots)) if self.model.snapshots else None

    def load(self):
        name = self.some()
        if not name:
            return None
        if self.chance.randrange(3) == 0:
            self.off()
            self.on(self.which(name))
        else:
            self.on()
            everything = {"devices": self.disks()} if self.chance.randrange(2) else {}
            self.job("load", tag=self.which(name), lazy=self.chance.randrange(2) == 0, **everything)
        self.model.load(name)
        return "load " + name

    def load_none(self):
        self.on()
        error = self.machine.job("snapshot-load", tag="nothing", vmstate="d0", devices=self.disks())
        assert error and "nothing" in error, error
        return "load nothing"

    def delete(self):
        name = self.some()
        if not name:
            return None
        tag = self.which(name)
        self.job("delete", tag=tag, devices=self.disks())
        self.model.delete(name)
        assert self.machine.job("snapshot-delete", tag=tag, devices=self.disks()) is None
        return "delete " + name

    def write(self):
        self.off()
        words = []
        i = self.chance.randrange(DISKS)
        for _ in range(self.chance.randrange(1, 5)):
            first = self.chance.randrange(UNITS[i])
            count = self.chance.randrange(1, min(12, UNITS[i] - first) + 1)
            pattern = self.chance.choice((0, self.chance.randrange(1, 256)))
            self.model.disks[i][first:first + count] = [pattern] * count
            kind = "write -z -u" if pattern == 0 and self.chance.randrange(2) else "write -P %d" % pattern
            words += ["-c", "%s -q %dk %dk" % (kind, first * 64, count * 64)]
        subprocess.run(["qemu-io", "-f", "qcow2"] + words + [self.images[i]], check=True, stdout=subprocess.DEVNULL)
        return "write d%d %s" % (i, words)

    def restart(self):
        self.off()
        self.judge()
        return "restart"

    # --- against the model -----------------------------------------------------------------------------------------

    def judge(self):
        for image in self.images:
            got = subprocess.run(["qemu-img", "check", "-q", image], capture_output=True, text=True, check=False)
            assert got.returncode == 0, got.stdout + got.stderr
        for i, seen in enumerate(look(os.path.join(self.options.build, "tests/snapshot/look"), self.images)):
            assert seen.disk == sum_of(self.model.disks[i]), "the disk d%d is another" % i
            assert seen.current == self.model.current, "d%d comes from %s, not %s" % (i, seen.current, self.model.current)
            wanted = {s.identity: (name, s.parent, sum_of(s.disks[i])) for name, s in self.model.snapshots.items()}
            got = {identity: s[:3] for identity, s in seen.snapshots.items()}
            assert got == wanted, "d%d has snapshots %s, not %s" % (i, got, wanted)

    def query(self):
        self.on()
        got = {s["name"]: s for s in self.machine.ask("query-snapshots")}
        assert set(got) == set(self.model.snapshots), got
        for name, s in self.model.snapshots.items():
            assert got[name]["uuid"] == s.identity and got[name].get("parent-uuid", NULL) == s.parent, (got[name], s.parent)
            assert got[name]["loadable"] and not got[name]["missing"], got[name]
        return "query"

    def run(self):
        steps = [self.save, self.save, self.load, self.load, self.delete, self.write, self.write, self.restart, self.query,
                 self.load_none]
        try:
            while len(self.done) < self.options.steps:
                done = self.chance.choice(steps)()
                if done:
                    self.done.append(done)
            # All that is left can be loaded.
            self.off()
            self.judge()
            for name in sorted(self.model.snapshots):
                self.on(name)
                self.model.load(name)
                self.machine.quit()
                self.machine = None
            self.judge()
        finally:
            if self.machine:
                self.machine.close()
        return len(self.done)


def tempfile_in(folder):
    path = os.path.join(folder, "sequence")
    shutil.rmtree(path, ignore_errors=True)
    os.mkdir(path)
    return path


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("build")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    folder, failed, steps = workplace(), 0, 0
    try:
        for number in range(options.first, options.first + options.count):
            sequence = Sequence(options, number, folder)
            try:
                steps += sequence.run()
            except Exception as error:  # whatever it is, the sequence has failed
                failed += 1
                print("FAILED --seed=%d --first=%d --count=1: %s: %s\n  %s" % (
                    options.seed, number, type(error).__name__, error, "\n  ".join(sequence.done)), flush=True)
    finally:
        shutil.rmtree(folder)
    print("%d sequences, %d steps: %d failed" % (options.count, steps, failed))
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
