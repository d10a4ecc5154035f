"""rig.py: a machine with disks, its monitor, and what is seen of its images from outside."""
import json
import os
import re
import socket
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds that anything may take on a busy machine


class Ended(Exception):
    """The machine has."""


class Machine:
    """A ferry with two or more disks, d0 and so on, one of each image."""

    def __init__(self, ferry, folder, images, options=(), kvm=False, faults=None):
        self.folder = tempfile.mkdtemp(dir=folder)
        path = os.path.join(self.folder, "qmp")
        command = [ferry, "-accel", "kvm" if kvm else "none", "-m", "16", "-nodefaults", "-display", "none",
                   "-qmp", "unix:%s,server=on,wait=off" % path]
        for number, image in enumerate(images):
            command += ["-blockdev", "driver=qcow2,node-name=d%d,file.driver=file,file.filename=%s" % (number, image),
                        "-device", "ide-hd,drive=d%d" % number if kvm else "virtio-blk-pci,drive=d%d" % number]
        environment = dict(os.environ, TMPDIR=self.folder)
        if faults:
            environment.update(LD_PRELOAD=faults.library, FAULTS=faults.path)
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.process = subprocess.Popen(command + list(options), stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, env=environment)
        self.jobs = 0
        end = time.time() + PATIENCE
        while True:
            try:
                self.line = socket.socket(socket.AF_UNIX)
                self.line.settimeout(PATIENCE)
                self.line.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                self.line.close()
                assert self.process.poll() is None and time.time() < end, self.said()
                time.sleep(0.002)
        self.file = self.line.makefile("rb")
        self.events = []
        self.read()
        self.ask("qmp_capabilities")

    def read(self):
        try:
            line = self.file.readline()
        except ConnectionResetError:
            line = b""
        if not line:
            raise Ended()
        return json.loads(line)

    def ask(self, command, **arguments):
        try:
            self.line.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        except BrokenPipeError:
            raise Ended() from None
        while True:
            got = self.read()
            if "event" not in got:
                assert "return" in got, (command, arguments, got)
                return got["return"]
            self.events.append(got)

    def job(self, command, **arguments):
        """Its error; None: it has gone well."""
        self.jobs += 1
        name = "job%d" % self.jobs
        self.ask(command, **{"job-id": name}, **arguments)

        def concluded():
            return any(e["event"] == "JOB_STATUS_CHANGE" and e["data"] == {"id": name, "status": "concluded"}
                       for e in self.events)
        while not concluded():
            self.events.append(self.read())
        info = [j for j in self.ask("query-jobs") if j["id"] == name][0]
        self.ask("job-dismiss", id=name)
        return info.get("error")

    def status(self):
        return self.ask("query-status")["status"]

    def said(self):
        self.log.flush()
        with open(self.log.name, errors="replace", encoding="utf-8") as file:
            return file.read()

    def quit(self):
        self.ask("quit")
        self.gone(0)

    def gone(self, status):
        got = self.process.wait(PATIENCE)
        assert got == status, "exit status %d: %s" % (got, self.said())
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.file.close()
        self.line.close()
        self.log.close()


class Looked:
    """What one image has: the disk, and the snapshots by their UUIDs."""

    def __init__(self, lines):
        self.current, self.disk = re.fullmatch(r"image current=(\S+) disk=(\S+)", lines[0]).groups()
        self.snapshots = {}
        for line in lines[1:]:
            name, uuid, parent, disk, state = re.fullmatch(
                r"snapshot name=(.*) uuid=(\S+) parent=(\S+) disk=(\S+) state=(\S+)", line).groups()
            self.snapshots[uuid] = (name, parent, disk, state)

    def named(self, name):
        return [uuid for uuid, s in self.snapshots.items() if s[0] == name]


def look(program, images):
    done = subprocess.run([program] + images, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parts = re.split(r"^(?=image )", done.stdout, flags=re.M)[1:]
    return [Looked(p.splitlines()) for p in parts]


def check(images):
    """By qemu-img. True: there are leaks."""
    leaks = False
    for image in images:
        done = subprocess.run(["qemu-img", "check", "-q", image], capture_output=True, text=True, check=False)
        assert done.returncode in (0, 3), "qemu-img check %s: %s%s" % (image, done.stdout, done.stderr)
        leaks |= done.returncode == 3
    return leaks


def workplace():
    """In memory, where there is such a place: what is tested here are failures, not disks."""
    return tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None)
