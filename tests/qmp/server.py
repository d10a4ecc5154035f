"""server.py: QMP as its clients see it, of the program ferry. Cases for test-server.sh; speaks TAP.

No guest runs: the machine stands at its start, without processors.
"""
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

FERRY = os.path.join(sys.argv[1], "ferry")
ONLY = sys.argv[2:]  # cases that are run, by a piece of their name; all
PATIENCE = 60  # seconds that anything may take on a busy machine
CASES = []


class Skipped(Exception):
    """A case that is not run, for the reason that it has."""


def case(sentence):
    def add(function):
        CASES.append((sentence, function))
        return function
    return add


class Client:
    """One end of a monitor. Reads line by line, as clients do."""

    def __init__(self, path, negotiate=True, **enable):
        end = time.time() + PATIENCE
        while True:
            try:
                self.line = socket.socket(socket.AF_UNIX)
                self.line.settimeout(PATIENCE)
                self.line.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):
                self.line.close()
                assert time.time() < end, "nobody listens at " + path
                time.sleep(0.01)
        self.file = self.line.makefile("rb")
        self.events = []
        self.greeting = self.read()
        if negotiate:
            assert self.ask("qmp_capabilities", **enable) == {}

    def send(self, data):
        self.line.sendall(data if isinstance(data, bytes) else json.dumps(data).encode())

    def read(self):
        line = self.file.readline()
        assert line.endswith(b"\r\n"), "the connection has ended: %r" % line
        return json.loads(line)

    def answer(self):
        """The next line that is no event."""
        while True:
            got = self.read()
            if "event" not in got:
                return got
            self.events.append(got)

    def event(self, name):
        while True:
            for i, event in enumerate(self.events):
                if event["event"] == name:
                    return self.events.pop(i)
            got = self.read()
            assert "event" in got, got
            self.events.append(got)

    def ask(self, command, **arguments):
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        self.send(request)
        got = self.answer()
        assert "return" in got, "%s: %s" % (command, got)
        return got["return"]

    def refused(self, data):
        """What the error of that request is."""
        self.send(data)
        got = self.answer()
        assert "error" in got, got
        assert set(got["error"]) == {"class", "desc"} and got["error"]["desc"], got
        return got["error"]

    def close(self):
        self.file.close()
        self.line.close()


class Machine:
    """A ferry with so many monitors."""

    def __init__(self, folder, monitors=1, options=(), pass_fds=()):
        self.folder = tempfile.mkdtemp(dir=folder)
        self.paths = [os.path.join(self.folder, "qmp%d" % i) for i in range(monitors)]
        command = [FERRY, "-accel", "none", "-m", "16", "-nodefaults", "-display", "none", "-S"] + list(options)
        for path in self.paths:
            command += ["-qmp", "unix:%s,server=on,wait=off" % path]
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        pass_fds=pass_fds)

    def client(self, number=0, **options):
        assert self.process.poll() is None, self.said()
        return Client(self.paths[number], **options)

    def last_words(self):
        if not self.log.closed:
            time.sleep(0.5)  # it may be about to end
            return "it has ended with %s: %s" % (self.process.poll(), self.said())
        return ""

    def said(self):
        self.log.seek(0)
        return self.log.read().decode()

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.process.pid))

    def memory(self):
        """Octets that it has of its own; 0 where a sanitizer keeps what was freed."""
        if "asan" in FERRY:
            return 0
        with open("/proc/%d/statm" % self.process.pid, encoding="ascii") as f:
            fields = f.read().split()
        return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE")

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(PATIENCE)
        said = self.said()
        self.log.close()
        assert status == 0 and said == "", (status, said)


def run_with(machine, function):
    """The machine must end well; if it does not, what it has said is told."""
    try:
        function(machine)
        machine.end()
    except Exception as error:
        raise AssertionError("%s: %s\n%s" % (type(error).__name__, error, machine.last_words())) from error
    finally:
        if machine.process.poll() is None:
            machine.process.kill()
            machine.process.wait()


def with_machine(monitors=1, options=()):
    """The case gets a machine, which must end well."""
    def add(function):
        def run(folder):
            run_with(Machine(folder, monitors, options), function)
        return run
    return add


# --- what every client does -------------------------------------------------------------------------------------------

@case("a client is greeted as QEMU 7.2 greets")
@with_machine()
def _(machine):
    client = machine.client(negotiate=False)
    greeting = client.greeting["QMP"]
    assert greeting["version"]["qemu"] == {"major": 7, "minor": 2, "micro": 0}, greeting
    assert greeting["version"]["package"].startswith("ferry "), greeting
    assert greeting["capabilities"] == ["oob"], greeting
    assert client.refused({"execute": "query-status"})["class"] == "CommandNotFound"
    assert client.refused({"execute": "qmp_capabilities", "arguments": {"enable": ["x"]}})["class"] == "GenericError"
    assert client.ask("qmp_capabilities", enable=["oob"]) == {}
    assert client.refused({"execute": "qmp_capabilities"})["class"] == "CommandNotFound"
    assert client.ask("query-version") == greeting["version"]


@case("the first questions of a client are answered")
@with_machine(options=["-name", "boat", "-uuid", "0a1b2c3d-0011-2233-4455-66778899aabb"])
def _(machine):
    client = machine.client()
    assert client.ask("query-status") == {"running": False, "singlestep": False, "status": "prelaunch"}
    assert client.ask("query-name") == {"name": "boat"}
    assert client.ask("query-uuid") == {"UUID": "0a1b2c3d-0011-2233-4455-66778899aabb"}
    assert client.ask("query-kvm") == {"enabled": False, "present": True}
    commands = [c["name"] for c in client.ask("query-commands")]
    assert commands == sorted(commands) and "query-status" in commands, commands
    schema = {s["name"]: s for s in client.ask("query-qmp-schema")}
    assert set(commands) == {s for s in schema if schema[s]["meta-type"] == "command"}
    assert schema[schema["query-status"]["ret-type"]]["meta-type"] == "object"
    assert schema["STOP"]["meta-type"] == "event"


@case("stop and cont change what the machine does, and all sessions learn it before the answer")
@with_machine(monitors=2)
def _(machine):
    client, other = machine.client(0), machine.client(1)
    client.send({"execute": "cont", "id": 1})
    event = client.read()
    assert event["event"] == "RESUME" and set(event["timestamp"]) == {"seconds", "microseconds"}, event
    assert abs(event["timestamp"]["seconds"] - time.time()) < PATIENCE and "data" not in event, event
    assert client.read() == {"return": {}, "id": 1}
    assert client.ask("query-status")["running"]
    assert client.ask("cont") == {}
    assert client.ask("stop") == {} and client.event("STOP")
    assert client.ask("query-status")["status"] == "paused"
    assert other.read()["event"] == "RESUME" and other.read()["event"] == "STOP"
    assert other.ask("query-status")["status"] == "paused"


@case("reset, the power button and the end are told, and why")
@with_machine()
def _(machine):
    client = machine.client()
    client.ask("system_reset")
    assert client.event("RESET")["data"] == {"guest": False, "reason": "host-qmp-system-reset"}
    client.ask("system_powerdown")
    assert client.event("POWERDOWN")
    client.ask("quit")
    assert client.event("SHUTDOWN")["data"] == {"guest": False, "reason": "host-qmp-quit"}
    assert machine.process.wait(PATIENCE) == 0
    assert client.file.read() == b""


@case("a signal that ends the program is told")
@with_machine()
def _(machine):
    client = machine.client()
    machine.process.send_signal(signal.SIGTERM)
    assert client.event("SHUTDOWN")["data"] == {"guest": False, "reason": "host-signal"}


@case("events of our own come to sessions that subscribe, and any can be put off")
@with_machine(monitors=2)
def _(machine):
    client, other = machine.client(0), machine.client(1)
    known = {e["name"]: e for e in client.ask("query-events")}
    assert known["STOP"] == {"name": "STOP", "masked": False, "subscribed": True}, known
    assert known["RUN_STATE_CHANGE"] == {"name": "RUN_STATE_CHANGE", "masked": True, "subscribed": False}, known
    client.ask("subscribe-events", events=["RUN_STATE_CHANGE"])
    client.ask("subscribe-events", events=["RESUME", "STOP"], enable=False)
    error = client.refused({"execute": "subscribe-events", "arguments": {"events": ["STOP", "NOTHING"]}})
    assert "NOTHING" in error["desc"], error
    client.ask("cont")
    assert [e["event"] for e in client.events] == ["RUN_STATE_CHANGE"], client.events
    assert client.events[0]["data"] == {"status": "running", "previous": "prelaunch"}
    assert other.read()["event"] == "RESUME"
    other.ask("stop")
    assert [e["event"] for e in other.events] == ["STOP"], other.events


@case("an id of any kind comes back")
@with_machine()
def _(machine):
    client = machine.client()
    for text in ("0", "-1", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1.5", "1e300",
                 '"x"', '""', '"\\u00e9\\n\\"\\\\"', '"é😀"', "null", "true", "false", "[]", "{}",
                 '[1,[2,{"a":null}]]', '{"id":{"id":1},"b":18446744073709551615}'):
        client.send(('{"execute":"query-name","id":%s}' % text).encode())
        got = client.answer()
        assert got == {"return": {}, "id": json.loads(text)}, (text, got)
        client.send(('{"id":%s,"execute":"nonsense"}' % text).encode())
        got = client.answer()
        assert got["id"] == json.loads(text) and got["error"]["class"] == "CommandNotFound", (text, got)


@case("requests may be sent before answers come, which are in order")
@with_machine()
def _(machine):
    client = machine.client()
    client.send(b"".join(b'{"execute":"%s","id":%d}' % (b"query-uuid" if i % 3 else b"nonsense", i)
                         for i in range(3000)))
    for i in range(3000):
        assert client.answer()["id"] == i


@case("what is out of band needs the capability, and a command that allows it")
@with_machine(monitors=2)
def _(machine):
    plain, client = machine.client(0), machine.client(1, enable=["oob"])
    assert "exec-oob" in plain.refused({"exec-oob": "query-status"})["desc"]
    assert "OOB" in client.refused({"exec-oob": "query-status"})["desc"]
    assert client.refused({"exec-oob": "nonsense"})["class"] == "CommandNotFound"
    assert "clashes" in client.refused({"exec-oob": "query-status", "execute": "query-status"})["desc"]


# --- what no client should do -----------------------------------------------------------------------------------------

MALFORMED = [
    b"{]", b"}", b"[", b"[1,2]", b"1 ", b"nul ", b"true\n", b"'text'", b"@", b"\x00", b"\x80\x80 ", b"{}", b"{'execute':1}",
    b"{'execute':null}", b"{'execute':''}", b"{'execute':'stop','execute':'cont'}", b"{'execute':'stop','arguments':[]}",
    b"{'execute':'stop','arguments':null}", b"{'execute':'stop','arguments':{'a':1}}", b"{'execute':'stop','x':1}",
    b"{'arguments':{}}", b"{'id':1}", b"{'execute':'stop',}", b"{'execute' 'stop'}", b"{'execute':stop}", b"{1:2}",
    b"{'execute':'st\xc3op'}", b"{'execute':'st\xed\xa0\x80op'}", b"{'execute':'st\x01op'}", b"{'execute':'st\\u0000op'}",
    b"{'execute':'st\\ud800op'}", b"{'execute':'st\\qop'}", b"{'execute':'st\nop", b"{'id':01}", b"{'id':+1}", b"{'id':1e999}",
    b"{'id':1.}", b"{'id':.5}", b"{'id':0x10}", b"{'id':NaN}", b"{'id':- 1}", b"//\n", b"/* */\n", b"[" * 1025 + b"]" * 1025,
    b"{'execute':'subscribe-events'}", b"{'execute':'subscribe-events','arguments':{'events':'STOP'}}",
    b"{'execute':'subscribe-events','arguments':{'events':[1]}}", b"{'execute':'set-action','arguments':{'reboot':'x'}}",
    b"{'execute':'" + b"x" * 100000 + b"'}", b"\xff", b"{'execute':\xff", b"{'execute':'sto\xff", b"[[[[\xff",
]


@case("malformed input of every kind gets an error, and what follows is understood")
@with_machine()
def _(machine):
    client = machine.client()
    for data in MALFORMED:
        # A bracket that nobody closes is closed by what gives it up.
        client.send(data + (b"\xff" if data == b"[" else b""))
        client.send(b"\n{'execute':'query-name','id':'after'}\n")
        errors = 0
        while True:
            got = client.answer()
            if got.get("id") == "after":
                break
            assert got["error"]["class"] in ("GenericError", "CommandNotFound"), (data, got)
            errors += 1
        assert 1 <= errors <= 2, (data, errors)


@case("random octets are no request")
@with_machine()
def _(machine):
    chance = random.Random(1)
    alphabet = [b"{", b"}", b"[", b"]", b",", b":", b"'", b'"', b"\\", b"\xff", b"\x80", b"\xc3\xa9", b"1", b"true", b" ", b"\n",
                b"'execute'", b"'stop'", b"\x00", b"'id'", b"-", b"e", b"'arguments'"]
    client = machine.client()
    for _ in range(300):
        client.send(b"".join(chance.choice(alphabet) for _ in range(chance.randrange(200))))
        client.send(b"\xff\n{'execute':'query-name','id':'after'}\n")
        while client.answer().get("id") != "after":
            continue


@case("a request of 63 MiB is understood, and one of 65 MiB is refused")
@with_machine()
def _(machine):
    client = machine.client()
    client.send(b"{'execute':'query-name','id':1,'arguments':{'x':'" + b"y" * (63 << 20) + b"'}}")
    got = client.answer()
    assert got["id"] == 1 and "'x'" in got["error"]["desc"], got
    error = client.refused(b"{'execute':'query-name','arguments':{'x':'" + b"y" * (65 << 20) + b"'}}")
    assert "67108864 octets" in error["desc"], error
    error = client.refused(b"[" + b"1," * (2 << 20) + b"1]")
    assert "2097152 tokens" in error["desc"], error
    assert client.ask("query-name") == {}
    assert machine.memory() < 300 << 20, machine.memory()


@case("a thousand clients come and go in the middle of a command")
@with_machine()
def _(machine):
    session = b"{'execute':'qmp_capabilities'}{'execute':'query-commands','id':[1,{'a':'b\\u0041'}]}{'execute':'stop'}"
    for i in range(20):
        machine.client(negotiate=i % 2 == 0).close()
    descriptors, memory = machine.descriptors(), machine.memory()
    for i in range(1000):
        client = machine.client(negotiate=False)
        client.send(session[:1 + i % len(session)])
        client.close()
    client = machine.client()
    assert client.ask("query-name") == {}
    client.close()
    assert machine.descriptors() <= descriptors + 1, (descriptors, machine.descriptors())
    assert machine.memory() < memory + (8 << 20), (memory, machine.memory())


@case("what a client asked for before it went is done")
@with_machine()
def _(machine):
    client = machine.client(negotiate=False)
    client.send(b"{'execute':'qmp_capabilities'}{'execute':'cont'}")
    client.close()
    client = machine.client()
    assert client.ask("query-status")["running"]


@case("64 clients, of whom one never reads, are answered at once")
@with_machine(monitors=64)
def _(machine):
    clients = [machine.client(i) for i in range(64)]
    lazy = clients.pop(17)
    lazy.line.setblocking(False)
    sent = 0
    for _ in range(2000):  # until nobody takes what it says
        try:
            sent += lazy.line.send(b"{'execute':'query-commands'}" * 50)
        except BlockingIOError:
            time.sleep(0.001)
    memory = machine.memory()
    took = []
    for _ in range(20):
        for client in clients:
            start = time.perf_counter()
            assert client.ask("query-name") == {}
            took.append(time.perf_counter() - start)
        clients[0].ask("cont")
        clients[0].ask("stop")
    took.sort()
    assert took[len(took) // 2] < 0.01, "the median is %.1f ms" % (took[len(took) // 2] * 1000)
    assert sent < 1 << 20 and machine.memory() < memory + (4 << 20), (sent, memory, machine.memory())
    for client in clients:
        assert client.ask("query-name") == {}
        assert len(client.events) == 40, len(client.events)


@case("a client that reads again gets its answers, and learns how many events it has missed")
@with_machine(monitors=2)
def _(machine):
    lazy, client = machine.client(0), machine.client(1)
    for _ in range(6000):
        client.send(b"{'execute':'cont'}{'execute':'stop'}")
        client.answer()
        client.answer()
        client.events.clear()
    lazy.send({"execute": "query-name"})
    got = lost = 0
    while got + lost < 12000:
        event = lazy.read()
        if event.get("event") == "EVENTS_LOST":
            lost += event["data"]["count"]
        elif "event" in event:
            got += 1
    assert got > 1000 and lost > 100 and got + lost == 12000, (got, lost)


# --- other lines ------------------------------------------------------------------------------------------------------

@case("monitors can be on standard input and output, on tcp, and on a chardev")
def _(folder):
    folder = tempfile.mkdtemp(dir=folder)
    path = os.path.join(folder, "socket")
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    process = subprocess.Popen([FERRY, "-accel", "none", "-m", "16", "-nodefaults", "-display", "none", "-S", "-qmp", "stdio",
                                "-qmp-pretty", "tcp:127.0.0.1:%d,server=on,wait=off" % port,
                                "-chardev", "socket,id=line,path=%s,server=on,wait=off" % path,
                                "-mon", "chardev=line,id=monitor,mode=control"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert b'"QMP"' in process.stdout.readline()
        process.stdin.write(b"{'execute':'qmp_capabilities'}{'execute':'query-name','id':'stdio'}")
        process.stdin.flush()
        assert json.loads(process.stdout.readline()) == {"return": {}}
        assert json.loads(process.stdout.readline()) == {"return": {}, "id": "stdio"}
        assert Client(path).ask("query-name") == {}
        line = socket.create_connection(("127.0.0.1", port), PATIENCE)
        got = b""
        while not got.endswith(b"}\r\n"):
            got += line.recv(4096)
        assert got.startswith(b'{\n "QMP": {\n') and json.loads(got)["QMP"]["capabilities"] == ["oob"], got
        process.stdin.write(b"{'execute':'quit'}")
        process.stdin.flush()
        assert process.wait(PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()
        process.stdin.close()
        process.stdout.close()


@case("a monitor can be on a socket that who starts it has opened, as libvirt does")
def _(folder):
    path = os.path.join(tempfile.mkdtemp(dir=folder), "socket")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)
    process = subprocess.Popen([FERRY, "-accel", "none", "-m", "16", "-nodefaults", "-display", "none", "-S",
                                "-chardev", "socket,id=charmonitor,fd=%d,server=on,wait=off" % listener.fileno(),
                                "-mon", "chardev=charmonitor,id=monitor,mode=control"], pass_fds=[listener.fileno()])
    listener.close()
    try:
        for _ in range(2):
            client = Client(path)
            assert client.ask("query-name") == {}
            client.close()
        Client(path).ask("quit")
        assert process.wait(PATIENCE) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def main():
    failed = 0
    chosen = [c for c in CASES if not ONLY or any(o in c[0] for o in ONLY)]
    print("1..%d" % len(chosen))
    folder = tempfile.mkdtemp()
    for number, (sentence, function) in enumerate(chosen, 1):
        try:
            function(folder)
            print("ok %d - %s" % (number, sentence), flush=True)
        except Skipped as reason:
            print("ok %d - %s # SKIP %s" % (number, sentence, reason), flush=True)
        except Exception as error:  # whatever it is, the case has failed
            failed += 1
            print("not ok %d - %s" % (number, sentence))
            print("\n".join("# " + line for line in str(error).splitlines()), flush=True)
    shutil.rmtree(folder)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
