#!/usr/bin/env python3
"""faults.py: each operation on images fails, in each way, while a machine with two disks is saved, loaded, deleted.

    faults.py BIN BUILD [--sample=N] [--job=NAME] [--mode=NAME] [--at=N] [--running=N]

--sample: about so many points in all, spread evenly; otherwise all of them. --running: so many with a guest that runs on
/dev/kvm and checks itself; the others are of a machine without processors. Prints how many points there were.
"""
import argparse
import collections
import mmap
import os
import re
import shutil
import struct
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rig import Ended, Machine, check, look, workplace  # pylint: disable=wrong-import-position

# In the order of faults.c: an error once; the disk is gone from then on; no space once; none from then on; done in part,
# which is no failure; done in part, and the rest fails; killed before it; killed when it is done in part.
MODES = ["error", "gone", "no-space", "full", "short", "torn", "kill", "torn-kill"]
KILLS = ("kill", "torn-kill")
LASTING = ("gone", "full")
SYNC = 2
NEW = "cccccccc-0000-0000-0000-000000000000"
DISKS = ["d0", "d1"]
ALL = {"devices": DISKS, "vmstate": "d0"}
JOBS = {
    "save": ("snapshot-save", dict(ALL, tag="new", uuid=NEW)),
    "save-zstd": ("snapshot-save", dict(ALL, tag="new", uuid=NEW, format="ber", compress="zstd", live=False)),
    "overwrite": ("snapshot-save", dict(ALL, tag="one", uuid=NEW, overwrite=True)),
    "load": ("snapshot-load", dict(ALL, tag="one")),
    "delete": ("snapshot-delete", {"devices": DISKS, "tag": "one"}),
}


class Faults:
    """The page that is shared with faults.c."""

    def __init__(self, library, path):
        self.library, self.path = os.path.abspath(library), path
        with open(path, "wb") as file:
            file.write(bytes(4096))
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def arm(self, mode, at):
        self.page[:32] = struct.pack("<IIQQII", 0, mode, at, 0, 0, 0)
        self.page[:4] = struct.pack("<I", 1)

    def disarm(self):
        self.page[:4] = struct.pack("<I", 0)

    def seen(self):
        """How many operations there were, whether one has failed, and of which kind that was."""
        _, _, _, count, hit, op = struct.unpack("<IIQQII", self.page[:32])
        return count, bool(hit), op


class Rig:
    def __init__(self, options, folder, running):
        self.folder, self.running = folder, running
        self.ferry = os.path.join(options.bin, "ferry")
        self.looker = os.path.join(options.build, "tests/snapshot/look")
        self.library = os.path.join(options.build, "tests/snapshot/faults.so")
        self.guest = os.path.join(options.build, "guest/witness.elf")
        self.base = [os.path.join(folder, "base%d.qcow2" % i) for i in range(2)]
        self.images = [os.path.join(folder, "d%d.qcow2" % i) for i in range(2)]
        self.serial = os.path.join(folder, "serial")
        self.faults = Faults(self.library, os.path.join(folder, "faults"))
        self.make_base()
        self.old = look(self.looker, self.base)
        self.one = self.old[0].named("one")[0]
        self.two = self.old[0].named("two")[0]

    def machine(self, images, tag=None):
        options = ["-loadvm", tag] if tag else []
        if self.running:
            if os.path.exists(self.serial):
                os.unlink(self.serial)
            options += ["-cpu", "qemu64,-sse3", "-kernel", self.guest, "-append", "every=20",
                        "-serial", "file:" + self.serial]
        machine = Machine(self.ferry, self.folder, images, options, self.running, self.faults)
        return machine

    def goes_on(self, machine):
        """The guest does: three more lines, and nothing that it complains of."""
        if not self.running:
            return
        def lines():
            with open(self.serial, encoding="utf-8", errors="replace") as file:
                return file.read()
        first, end = len(re.findall(" ok\n", lines())), time.time() + 60
        while len(re.findall(" ok\n", lines())) < first + 3:
            if "FAILED" in lines():
                time.sleep(0.5)  # it is about to say what
                raise AssertionError(lines()[-1000:])
            assert machine.process.poll() is None and time.time() < end, "the guest says nothing: " + lines()[-1000:]
            time.sleep(0.01)

    def complains(self):
        """Has the guest been told that its disk has failed?"""
        time.sleep(0.1)
        with open(self.serial, encoding="utf-8", errors="replace") as file:
            return "witness FAILED ide." in file.read()

    def make_base(self):
        """Snapshot 'one', its child 'two', and something written since."""
        for number, image in enumerate(self.base):
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", "cluster_size=%d" % (65536 >> 2 * number),
                            image, "%dM" % (8 + number)], check=True)
        for step, name in enumerate(("one", "two", None)):
            if not self.running:
                for number, image in enumerate(self.base):
                    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -q -P %d 0 1M" % (step * 16 + number + 1), "-c",
                                    "write -q -P %d %dK 192K" % (step * 16 + number + 8, 512 * (step + 2)), image],
                                   check=True, stdout=subprocess.DEVNULL)
            if not name:
                break
            machine = self.machine(self.base, "one" if step else None)
            self.goes_on(machine)
            if not self.running:
                machine.ask("cont")
            assert machine.job("snapshot-save", tag=name, **ALL) is None
            machine.quit()

    def fresh(self):
        for base, image in zip(self.base, self.images):
            shutil.copyfile(base, image)

    def count(self, job):
        """How many operations the job has."""
        self.fresh()
        machine = self.machine(self.images)
        machine.ask("cont")
        self.goes_on(machine)
        command, arguments = JOBS[job]
        self.faults.arm(0, 0)
        error = machine.job(command, **arguments)
        self.faults.disarm()
        assert error is None, error
        machine.quit()
        return self.faults.seen()[0]


# --- what may be left -------------------------------------------------------------------------------------------------

def judge_error(text, folder):
    """It says what has failed, and on what; never a bare number."""
    assert text and len(text) > 30, "the error is no error: %r" % text
    assert re.search(r"disk '?d[01]|d[01]\.qcow2", text), "the error does not say on which disk: " + text
    assert not re.search(r"\b[Ee]rror -?\d|errno|\(null\)", text), text
    assert text.isprintable(), text
    assert folder not in text or ".qcow2" in text, text


def judge_others(rig, job, now, images=(0, 1)):
    """What the job is not about is as it was."""
    for i in images:
        for uuid, snapshot in rig.old[i].snapshots.items():
            if uuid == rig.one and job in ("overwrite", "delete"):
                continue
            got = now[i].snapshots.get(uuid)
            assert got, "disk %d: snapshot '%s' is gone" % (i, snapshot[0])
            parents = (snapshot[1],) if job not in ("overwrite", "delete") else (snapshot[1], "0" * 8 + snapshot[1][8:],
                       rig.old[i].snapshots[rig.one][1])
            assert (got[0], got[2], got[3]) == (snapshot[0], snapshot[2], snapshot[3]) and got[1] in parents, (
                i, got, snapshot)
        assert set(now[i].snapshots) - set(rig.old[i].snapshots) <= {NEW, NEW.replace("c", "d")}, now[i].snapshots


def state_of(rig, job, now, i):
    """Of one image: old, new, or something on the way that is allowed."""
    old, got = rig.old[i], now[i]
    if job == "load":
        target = old.snapshots[rig.one]
        if got.current == rig.one and (rig.running or got.disk == target[2]):
            return "new"
        assert rig.running or (got.disk == old.disk and got.current == old.current), "disk %d is neither" % i
        return "old"
    if not rig.running:
        assert got.disk == old.disk, "disk %d has changed" % i
    if job == "delete":
        return "old" if rig.one in got.snapshots else "new"
    if NEW not in got.snapshots:
        assert job != "overwrite" or rig.one in got.snapshots
        return "old"
    name, _, disk, state = got.snapshots[NEW]
    assert rig.running or disk == old.disk, "disk %d: the new snapshot has another disk" % i
    assert (state != "none") == (i == 0), (i, state)
    if job != "overwrite":
        assert name == "new", name
        return "new"
    if rig.one in got.snapshots:
        assert name.startswith("one (new: "), name
        return "between"
    assert name == "one", name
    return "new"


def judge_images(rig, job, now):
    judge_others(rig, job, now)
    return tuple(state_of(rig, job, now, i) for i in range(2))


# What is left by a job that has failed, on (d0, which has the state, and d1), and by one that was killed.
FAILED = {
    "save": {("old", "old")},
    "overwrite": {("old", "old"), ("between", "between"), ("new", "between"), ("between", "new")},
    "load": {("old", "old")},
    "delete": {("old", "old"), ("old", "new")},
}
KILLED = {
    "save": {("old", "old"), ("old", "new"), ("new", "new")},
    "overwrite": {("old", "old"), ("old", "between"), ("between", "between"), ("new", "between"), ("new", "new")},
    "load": {("old", "old"), ("new", "old"), ("new", "new")},
    "delete": {("old", "old"), ("old", "new"), ("new", "new")},
}


def loads(rig, tag):
    """Really: in a machine, from these images."""
    machine = rig.machine(rig.images, tag)
    try:
        if not rig.running:
            machine.ask("cont")
        rig.goes_on(machine)
        assert machine.status() == "running", machine.status()
        machine.quit()
    finally:
        machine.close()


# --- one point --------------------------------------------------------------------------------------------------------

class Point:
    def __init__(self, rig, job, mode, at):
        self.rig, self.job, self.mode, self.at = rig, job, mode, at
        self.kind = "save" if job == "save-zstd" else job

    def run(self, thorough):
        """What came of it: a word; None: that operation does not fail so."""
        rig = self.rig
        rig.fresh()
        machine = rig.machine(rig.images)
        try:
            machine.ask("cont")
            rig.goes_on(machine)
            return self.go(machine, thorough)
        finally:
            rig.faults.disarm()
            machine.close()

    def go(self, machine, thorough):
        rig = self.rig
        command, arguments = JOBS[self.job]
        machine.events.clear()
        rig.faults.arm(MODES.index(self.mode), self.at)
        try:
            error = machine.job(command, **arguments)
        except Ended:
            assert rig.faults.seen()[1] and self.mode in KILLS, "it has ended: %s, %s" % (
                machine.process.wait(), machine.said())
            machine.gone(-9)
            return self.killed(thorough)
        hit = rig.faults.seen()[1]
        rig.faults.disarm()
        if not hit:
            assert error is None, error
            return None
        assert self.mode not in KILLS, "it was not killed"
        if self.rig.running and self.rig.complains():
            return self.met_guest(machine)
        return self.failed(machine, error, thorough) if error is not None else self.went_well(machine, thorough)

    def met_guest(self, machine):
        """It was an operation of the guest, which heard of it, and says so."""
        assert self.mode not in KILLS + ("short",)
        machine.quit()
        check(self.rig.images)
        judge_others(self.rig, self.kind, look(self.rig.looker, self.rig.images))
        return "the guest's own failed"

    def killed(self, thorough):
        check(self.rig.images)
        left = judge_images(self.rig, self.kind, look(self.rig.looker, self.rig.images))
        assert left in KILLED[self.kind], "it was killed, and there is %s" % (left,)
        if thorough:
            loads(self.rig, "two")
        return "killed: " + ", ".join(left)

    def failed(self, machine, error, thorough):
        self.last_error = error
        judge_error(error, self.rig.folder)
        stands = "the machine stands" in error
        assert not stands or self.mode in LASTING, error
        status = machine.status()
        assert status == "running" or stands, "the machine is %s after: %s" % (status, error)
        broken = self.again(machine, error)
        if not broken and not stands:
            self.rig.goes_on(machine)
        machine.quit()
        check(self.rig.images)
        now = look(self.rig.looker, self.rig.images)
        judge_others(self.rig, self.kind, now)
        assert broken or judge_images(self.rig, self.kind, now) == ("new", "new"), "it was tried again"
        if thorough:
            loads(self.rig, "two")
        return "failed, stands" if stands else "failed, and stays so" if broken else "failed, then done"

    def again(self, machine, error):
        """The same once more, without a fault. True: an image can no longer be changed, or the first has come half way."""
        left = judge_images(self.rig, self.kind, look(self.rig.looker, self.rig.images))
        command, arguments = JOBS[self.job]
        kept = re.search("(keeps what it has of it|so the machine stands)", error)
        half_way = self.kind in ("save", "overwrite") and left != ("old", "old")
        if half_way:
            arguments = dict(arguments, uuid=NEW.replace("c", "d"), overwrite=True)
        then = machine.job(command, **arguments)
        # What was not written when a sync failed may be lost: all that follow fail.
        lost = self.rig.faults.seen()[2] == SYNC or self.mode in LASTING
        stays = then is not None and ("nothing is written any more" in then or
                                      (lost and re.search("Input/output error|No space left", then)))
        # Of an image that stays so nobody knows which it has.
        assert left in FAILED[self.kind] or stays or (kept and left in KILLED[self.kind]), (
            "it has failed, and there is %s" % (left,))
        assert stays or then is None, "tried again: " + then
        return stays or half_way

    def went_well(self, machine, thorough):
        machine_status = machine.status()
        assert machine_status == "running", machine_status
        self.rig.goes_on(machine)
        machine.quit()
        check(self.rig.images)
        left = judge_images(self.rig, self.kind, look(self.rig.looker, self.rig.images))
        assert left == ("new", "new"), left
        if thorough:
            loads(self.rig, "new" if self.kind == "save" else "two")
        return "done all the same"


# --- all of them ------------------------------------------------------------------------------------------------------

class Tally:
    def __init__(self):
        self.points, self.failures = 0, 0
        self.came = collections.Counter()
        self.errors = collections.Counter()


def try_point(rig, tally, job, mode, at, thorough):
    point = Point(rig, job, mode, at)
    point.last_error = None
    try:
        came = point.run(thorough)
    except Exception as error:  # whatever it is, the point has failed
        tally.failures += 1
        tally.points += 1
        line = traceback.extract_tb(error.__traceback__)[-1].lineno
        print("FAILED --job=%s --mode=%s --at=%d: line %d: %s: %s (the job's error: %s)" % (
            job, mode, at, line, type(error).__name__, error, point.last_error), flush=True)
        return
    if came:
        tally.points += 1
        tally.came[(job, came)] += 1
    if point.last_error:
        tally.errors[(job, re.sub(r"\d+", "N", point.last_error.replace(rig.folder + "/", "")))] += 1


def all_points(rig, options, sample):
    points = []
    for job in JOBS:
        if options.job in (None, job):
            count = rig.count(job)
            points += [(job, mode, at) for mode in MODES if options.mode in (None, mode)
                       for at in range(1, count + 1) if options.at in (None, at)]
            print("%s: %d operations" % (job, count), flush=True)
    if sample and sample < len(points):
        points = [points[int((i + 0.5) * len(points) / sample)] for i in range(sample)]
    return points


def work(options, sample, running, tally):
    folder = workplace()
    try:
        rig = Rig(options, folder, running)
        for number, (job, mode, at) in enumerate(all_points(rig, options, sample)):
            try_point(rig, tally, job, mode, at, running or number % 16 == 0)
    finally:
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bin")
    parser.add_argument("build")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--running", type=int, default=40)
    parser.add_argument("--job")
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--at", type=int)
    parser.add_argument("--errors", action="store_true", help="print all messages of jobs")
    options = parser.parse_args()
    tally = Tally()
    work(options, options.sample, False, tally)
    if options.running and os.access("/dev/kvm", os.W_OK):
        work(options, options.running, True, tally)
    for (job, came), count in sorted(tally.came.items()):
        print("%-10s %-32s %5d" % (job, came, count))
    if options.errors:
        for (job, text), count in sorted(tally.errors.items()):
            print("%-10s %4d  %s" % (job, count, text))
    print("%d points, %d of them failed" % (tally.points, tally.failures))
    return tally.failures != 0


if __name__ == "__main__":
    sys.exit(main())
