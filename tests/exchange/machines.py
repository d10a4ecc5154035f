"""Two programs that run the same PC, behind one interface: QEMU, driven over QMP, and Ferry, over its monitor."""

import json
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

PATIENCE = int(__import__("os").environ.get("EXCHANGE_PATIENCE", "180"))  # seconds for anything that a machine is asked to do

running = set()  # every process that was started and not yet ended


class MachineError(Exception):
    """It did not start, refused a command, or failed to move."""


class Lacking(MachineError):
    """The program is not there, or has not got something that the configuration needs."""


class Console:
    """What came on a machine's serial line. The socket is connected before the guest runs, so nothing is lost."""

    def __init__(self, path, alive):
        self.text, self.arrived, self.ended = bytearray(), [], False  # arrived: (time, length so far)
        self.changed = threading.Condition()
        self.socket = connect(path, alive)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:
                data = b""
            with self.changed:
                self.text += data
                self.arrived.append((time.monotonic(), len(self.text)))
                self.ended = not data
                self.changed.notify_all()
            if not data:
                return

    def send(self, data):
        self.socket.sendall(data)

    def finish(self):
        """Everything is read after this; the machine has ended."""
        self.thread.join(PATIENCE)
        self.socket.close()


def connect(path, alive):
    end = time.monotonic() + PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
            return connection
        except OSError as error:
            connection.close()
            if not alive():
                raise MachineError("it ended before it could be asked anything") from error
            if time.monotonic() > end:
                raise MachineError(f"it does not listen: {error}") from error
            time.sleep(0.005)


class Machine:
    """One process. It starts with the guest standing; `incoming` is where its state comes from, if anywhere."""

    kind = None
    LACKS = re.compile(r"unknown (driver|option|object|key)|has no \w+ yet|not a valid device model|not compiled in")

    def __init__(self, program, arguments, folder, name, incoming=None):
        self.folder, self.name = Path(folder), name
        self.log = self.folder / f"{name}.stderr"
        serial, monitor = self.folder / f"{name}.ser", self.folder / f"{name}.mon"
        line = [str(program), *arguments, "-S", "-display", "none", "-serial", f"unix:{serial},server=on,wait=off",
                *self.monitor_arguments(monitor), *(["-incoming", incoming] if incoming else [])]
        self.command_line = line
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        running.add(self.process)
        try:
            self.console = Console(serial, self.alive)
            self.monitor = connect(monitor, self.alive)
            self.monitor.settimeout(PATIENCE)
            self.greet()
        except (OSError, MachineError) as error:
            self.kill()
            if self.LACKS.search(self.said()):
                raise Lacking(f"{self.kind} lacks something: {self.said().splitlines()[-1]}") from error
            raise self.explain(error) from error

    def alive(self):
        return self.process.poll() is None

    def said(self):
        """What it printed: nothing, if all is well."""
        return self.log.read_text(errors="replace").strip()

    def explain(self, error):
        how = ""
        if not self.alive() and self.process.returncode:
            code = self.process.returncode
            how = f" (died of {signal.Signals(-code).name})" if code < 0 else f" (ended with status {code})"
        return MachineError(f"{self.name}, {self.kind}{how}: {error}: {' / '.join(self.said().splitlines()[-3:])}")

    def quit(self):
        """Ends it politely, and reads its line to the end."""
        try:
            self.ask_to_quit()
            self.process.wait(PATIENCE)
        except (OSError, MachineError, subprocess.TimeoutExpired):
            pass
        self.kill()
        self.console.finish()

    def kill(self):
        """Ends this process, and no other."""
        self.process.kill()
        self.process.wait()
        running.discard(self.process)

    def wait_until(self, what, condition):
        end = time.monotonic() + PATIENCE
        while not condition():
            if not self.alive():
                raise self.explain(MachineError(f"ended instead of: {what}"))
            if time.monotonic() > end:
                raise self.explain(MachineError(f"{what}: not in {PATIENCE} s"))
            time.sleep(0.004)


class Qemu(Machine):
    kind = "qemu"

    def monitor_arguments(self, path):
        return ["-qmp", f"unix:{path},server=on,wait=off"]

    def greet(self):
        self.lines, self.next_id = self.monitor.makefile("rb"), 0
        self.lines.readline()
        self.command("qmp_capabilities")
        self.command("migrate-set-parameters", **{"max-bandwidth": 1 << 40})

    def command(self, name, /, **arguments):
        self.next_id += 1
        try:
            self.monitor.sendall(json.dumps({"execute": name, "arguments": arguments, "id": self.next_id}).encode())
            while line := self.lines.readline():
                answer = json.loads(line)
                if answer.get("id") != self.next_id:
                    continue
                if "error" in answer:
                    raise MachineError(f"{name}: {answer['error']['desc']}")
                return answer["return"]
        except OSError as error:
            raise self.explain(error) from error
        raise self.explain(MachineError(f"{name}: no answer"))

    def cont(self):
        self.command("cont")

    def stop(self):
        self.command("stop")

    def is_running(self):
        return self.command("query-status")["running"]

    def has_loaded(self):
        return self.command("query-status")["status"] != "inmigrate"

    def start_migration(self, uri, ber=False):
        if ber:
            raise Lacking("QEMU has no BER format")
        self.command("migrate", uri=uri)

    def has_migrated(self):
        info = self.command("query-migrate")
        if info.get("status") in ("failed", "cancelled"):
            raise MachineError(f"migration {info['status']}: {info.get('error-desc', 'no reason given')}")
        return info.get("status") == "completed"

    def ask_to_quit(self):
        self.command("quit")


class Ferry(Machine):
    kind = "ferry"
    PROMPT = b"(ferry) "

    def monitor_arguments(self, path):
        return ["-monitor", f"unix:{path},server=on,wait=off"]

    def greet(self):
        self.command("info status")
        self.command("migrate_set_parameter max-bandwidth 1T")

    def command(self, text):
        """The answer to a command, without its echo."""
        got = b""
        try:
            self.monitor.sendall(text.encode() + b"\n")
            while not (text.encode() in got and got.rstrip(b" ").endswith(self.PROMPT.strip())
                       and got.index(text.encode()) < got.rindex(self.PROMPT.strip())):
                data = self.monitor.recv(65536)
                if not data:
                    raise self.explain(MachineError(f"{text}: no answer"))
                got += data
        except OSError as error:
            raise self.explain(MachineError(f"{text}: {error}, after {got!r}")) from error
        lines = got.decode(errors="replace").replace("\r", "").split("\n")
        answer = "\n".join(lines[1:-1])
        if "Error:" in answer:
            raise MachineError(f"{text}: {answer}")
        return answer

    def status(self):
        return self.command("info status")

    def cont(self):
        self.command("cont")

    def stop(self):
        self.command("stop")

    def is_running(self):
        return "VM status: running" in self.status()

    def has_loaded(self):
        return "(inmigrate)" not in self.status()

    def start_migration(self, uri, ber=False):
        self.command(f'migrate {"-b " if ber else ""}"{uri}"')

    def has_migrated(self):
        said = self.said()
        if re.search(r"migrat|cannot|fail", said, re.IGNORECASE):
            raise MachineError(said)
        return "completed" in self.command("info migrate")

    def ask_to_quit(self):
        self.monitor.sendall(b"quit\n")
