"""A host of the test bed: a QEMU that emulates a processor with SVM, and the frames that it talks with (agent.c)."""

import ctypes
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from image import FOLDER, ROOT, SCRATCH, STANDARD_PATH, BedError, Tree, find, make_disk

BED = "/.testbed"
PIECE = 32 * 1024
ADDRESSES = ("192.168.77.1", "192.168.77.2")


def die_with_parent():
    """However this ends, QEMU ends, too."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def entries(strings):
    return b"".join(os.fsencode(string) + b"\0" for string in strings)


def locate(name):
    """Where a command is on this machine, or None: with a slash as it stands, otherwise among the built programs and in
    the usual folders, which is also where the bed looks for it."""
    path = os.path.abspath(name) if "/" in name else shutil.which(name, path=f"{ROOT}/build/bin:{STANDARD_PATH}")
    return path if path and os.path.isfile(path) else None


def job_tree(command, options):
    """What this run needs over the system: programs, the files that are put in, and what is to be done."""
    tree = Tree()
    wanted = [*sorted(map(str, (ROOT / "build/bin").glob("*"))), *map(os.path.abspath, options.add)]
    found = locate(command[0])
    for path in [*wanted, *([found] if found else [])]:
        tree.program(path)
    for path in [*wanted, os.getcwd()]:
        tree.folders.add(tree.place(path if os.path.isdir(path) else os.path.dirname(path)))
    for local, place in options.put:
        tree.put(local, os.path.join("/", place))
    path = os.pathsep.join([str(ROOT / "build/bin"), STANDARD_PATH])
    environment = {"PATH": path, "HOME": "/root", "LC_ALL": "C.UTF-8", "TMPDIR": "/tmp", **options.env}
    lists = {"command": command, "environment": [f"{k}={v}" for k, v in environment.items()],
             "directory": [os.path.realpath(os.getcwd())],
             "files": [os.path.join("/", place) for place, _ in options.get]}
    for name, strings in lists.items():
        tree.entries[f"{BED}/{name}"] = entries(strings)
    return tree


class Host:
    """One QEMU. `sink(kind, data)` gets what the command writes, kind "O" or "E", from another thread."""

    def __init__(self, parts, number, command, options, sink):
        self.parts, self.number, self.options, self.sink = parts, number, options, sink
        self.status = self.failure = self.started = self.process = None
        self.done = threading.Event()  # the status has come, or never will
        self.saving, self.tree = None, job_tree(command, options)
        self.link, self.far = socket.socketpair()
        self.folder = tempfile.mkdtemp(dir=FOLDER, prefix=SCRATCH)
        self.console = Path(self.folder, "console")

    def start(self, network=None, stdin=None):
        """Starts QEMU, and the threads that talk with it. The network is a socket, and goes to QEMU."""
        make_disk(self.tree, f"{self.folder}/job.img")
        parameters = f"console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on name=bed{self.number}"
        if network:
            parameters += f" address={ADDRESSES[self.number - 1]}"
        arguments = [
            find("qemu-system-x86_64", "qemu-system-x86"), "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "EPYC,+svm",
            "-m", self.options.mem, "-smp", str(self.options.smp), "-kernel", str(self.parts.kernel),
            "-initrd", str(self.parts.initramfs), "-append", parameters, "-serial", f"file:{self.console}",
            *self._disk("system", self.parts.system), *self._disk("job", f"{self.folder}/job.img"),
            "-chardev", f"socket,id=agent,fd={self.far.fileno()}", "-device", "virtio-serial-pci",
            "-device", "virtserialport,chardev=agent,name=testbed", "-device", "virtio-rng-pci"]
        handed = [self.far.fileno()]
        if network:
            handed.append(network.fileno())
            arguments += ["-netdev", f"socket,id=net,fd={network.fileno()}",
                          "-device", f"virtio-net-pci,netdev=net,romfile=,mac=52:54:00:77:00:0{self.number}"]
        with open(f"{self.folder}/qemu", "wb") as log:
            self.process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=handed, preexec_fn=die_with_parent, start_new_session=True)
        self.far.close()
        self.receiver = threading.Thread(target=self._receive, daemon=True)
        self.receiver.start()
        threading.Thread(target=self._send, args=(stdin,), daemon=True).start()

    @staticmethod
    def _disk(name, path):
        return ["-drive", f"if=none,id={name},file={path},format=raw,readonly=on,file.locking=off",
                "-device", f"virtio-blk-pci,drive={name}"]

    def end(self):
        """Ends this QEMU. All that it has said before is still received."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.receiver.join(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def last_words(self):
        """What QEMU, or else the console, said last."""
        for name in ("qemu", "console"):
            try:
                text = Path(self.folder, name).read_text(errors="replace")
            except OSError:
                continue
            lines = [line.strip() for line in text.splitlines() if line.strip() and "warning:" not in line]
            panic = [line for line in lines if "Kernel panic" in line]
            if lines:
                return (panic or lines)[-1][-200:]
        return "nothing on its console"

    # --- the frames

    def _send(self, stdin):
        try:
            while stdin is not None and (data := os.read(stdin, PIECE)):
                self.link.sendall(b"I" + struct.pack("<I", len(data)) + data)
            self.link.sendall(b"I" + struct.pack("<I", 0))
        except OSError:
            pass  # it has ended; the receiver tells how

    def _read(self, length):
        data = b""
        while len(data) < length:
            piece = self.link.recv(length - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _receive(self):
        try:
            while self.status is None:
                header = self._read(5)
                self._frame(chr(header[0]), self._read(struct.unpack("<I", header[1:])[0]))
        except (EOFError, OSError) as error:
            if isinstance(error, BrokenPipeError):
                self.failure = error
            elif not self.failure:
                self.failure = BedError(f"host {self.number} died before the command had ended: {self.last_words()}")
        except BedError as error:
            self.failure = error
        self.done.set()

    def _frame(self, kind, data):
        if kind in "OE":
            self.sink(kind, data)
        elif kind == "R":
            self.started = time.monotonic()
        elif kind == "S":
            self.status = struct.unpack("<I", data)[0]
            self._close()
        elif kind == "F":
            self._close()
            local = self.options.get[struct.unpack("<I", data)[0]][1]
            try:
                self.saving = open(local, "wb")
            except OSError as error:
                raise BedError(f"cannot write {local}: {error.strerror}") from error
        elif kind == "D":
            self.saving.write(data)
        elif kind == "N":
            place = self.options.get[struct.unpack("<I", data[:4])[0]][0]
            raise BedError(f"cannot get {place} from host {self.number}: {data[4:].decode()}")

    def _close(self):
        if self.saving:
            self.saving.close()
        self.saving = None
