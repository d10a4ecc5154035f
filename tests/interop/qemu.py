"""QEMU as a child process that is driven over QMP, and a relay that records what two of them say to each other."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

PROGRAM = "qemu-system-x86_64"
PATIENCE = 90  # seconds for anything that QEMU does; a migration takes less than one on an idle machine

# What QEMU says when something is not in this build of it, or cannot be migrated. Anything else that it complains of is
# a mistake in the table of configurations, and fails.
LACKING = re.compile(
    r"is not a valid device model name|unsupported machine type|module .* not found|no such file or directory: '/dev"
    r"|could not access kvm|invalid accelerator|failed to initialize kvm|not compiled in|not supported (by|in) this"
    r"|non-migratable|migration is (not )?(disabled|allowed|supported)|not migratable|state blocked|does not accept value"
    r"|itself died of|is not supported by the host|not supported by host kernel|userfault",
    re.IGNORECASE)

running = set()  # every process that was started and not yet ended


class QemuError(Exception):
    """QEMU did not start, refused a command, or failed to migrate."""

    def lacks(self):
        return LACKING.search(str(self)) is not None


class Qemu:
    """One QEMU process. The monitor's socket is in `folder`, and handed over as a descriptor: no need to wait."""

    def __init__(self, arguments, folder, name="source"):
        self.folder, self.events, self.next_id = Path(folder), [], 0
        self.log = self.folder / f"{name}.stderr"
        path = str(self.folder / f"{name}.qmp")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)
            monitor = ["-chardev", f"socket,id=qmp,fd={listener.fileno()},server=on,wait=off",
                       "-mon", "chardev=qmp,mode=control"]
            with open(self.log, "wb") as log:
                self.process = subprocess.Popen([PROGRAM, *arguments, *monitor], stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log, pass_fds=[listener.fileno()], cwd=self.folder)
            running.add(self.process)
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(path)
        self.lines = self.socket.makefile("rb")
        try:
            self._read()
            self.command("qmp_capabilities")
        except BaseException:
            self.end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Ends this process, and no other."""
        self.lines.close()
        self.socket.close()
        self.process.kill()
        self.process.wait()
        running.discard(self.process)

    def _read(self):
        try:
            line = self.lines.readline()
        except ConnectionResetError:
            line = b""
        except OSError as error:
            raise QemuError(f"QEMU's monitor does not answer: {error}") from error
        if line:
            return json.loads(line)
        status = self.process.wait(PATIENCE)
        how = f"itself died of {signal.Signals(-status).name}" if status < 0 else "has ended"
        said = [text for text in self.log.read_text(errors="replace").splitlines() if "warning:" not in text]
        raise QemuError(f"QEMU {how}: " + " / ".join(said[-3:])[:400])

    def command(self, name, /, **arguments):
        self.next_id += 1
        request = {"execute": name, "arguments": arguments, "id": self.next_id}
        try:
            self.socket.sendall(json.dumps(request).encode())
        except OSError:
            pass  # it has ended; reading tells why
        while True:
            answer = self._read()
            if answer.get("id") != self.next_id:
                continue  # an event
            if "error" in answer:
                raise QemuError(f"{name}: {answer['error']['desc']}")
            return answer["return"]

    def human(self, line):
        return self.command("human-monitor-command", **{"command-line": line})

    def set_capabilities(self, names):
        self.command("migrate-set-capabilities", capabilities=[{"capability": n, "state": True} for n in names])

    def wait_migration(self, wanted, failed=("failed", "cancelled")):
        """Waits until query-migrate fits the predicate, and returns it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            info = self.command("query-migrate")
            if wanted(info):
                return info
            if info.get("status") in failed:
                raise QemuError(f"migration {info['status']}: {info.get('error-desc', 'no reason given')}")
            time.sleep(0.02)
        raise QemuError(f"migration did not get on in {PATIENCE} s: {info}")

    def wait_completed(self):
        return self.wait_migration(lambda info: info.get("status") == "completed")


class Channel:
    """One connection through a relay: what went forward and what came back are files."""

    def __init__(self, source, target, stem):
        self.ends = (source, target)
        self.forward, self.back = Path(f"{stem}.forward"), Path(f"{stem}.back")
        self.threads = [threading.Thread(target=self._copy, args=arguments, daemon=True) for arguments in
                        ((source, target, self.forward), (target, source, self.back))]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def _copy(source, target, path):
        with open(path, "wb") as record:
            listening = True
            while data := Channel._receive(source):
                record.write(data)
                try:
                    if listening:
                        target.sendall(data)
                except OSError:
                    listening = False  # gone; the rest is recorded all the same
            try:
                target.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # gone

    @staticmethod
    def _receive(source):
        try:
            return source.recv(1 << 16)
        except OSError:
            return b""  # reset, or cut by us

    def cut(self):
        for end in self.ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # not connected any more

    def finish(self):
        for thread in self.threads:
            thread.join(PATIENCE)
        for end in self.ends:
            end.close()


class Relay:
    """Connects whoever comes to `target`, one after the other, so that the first connection stays the first."""

    def __init__(self, folder, target):
        self.folder, self.target, self.channels = Path(folder), str(target), []
        self.path = self.folder / f"{Path(target).name}.relay"
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(16)
        self.listener.settimeout(0.1)  # close() from another thread does not wake accept()
        self.open = True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while self.open:
            try:
                source, _ = self.listener.accept()
            except TimeoutError:
                continue
            source.settimeout(None)
            target = socket.socket(socket.AF_UNIX)
            try:
                target.connect(self.target)
            except OSError:
                source.close()
                continue
            stem = self.folder / f"{self.path.name}-{len(self.channels)}"
            self.channels.append(Channel(source, target, stem))

    def finish(self):
        """All there was to record is in the files after this."""
        self.open = False
        self.thread.join()
        self.listener.close()
        for channel in self.channels:
            channel.finish()

    def close(self):
        for channel in self.channels:
            channel.cut()
        self.finish()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
