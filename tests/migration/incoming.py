"""incoming.py: states that come from a QEMU whose guest runs on, and writes to memory. Cases for test-incoming.sh; speaks
TAP. A second argument: only the cases that have it in their names; a third: so many runs of each way (1).
"""
import os
import random
import shutil
import socket
import struct
import sys
import threading
import time
import traceback

from rig import Rig, capabilities, free_port, lines, move, outcome, parameters, words

BIN, ONLY, RUNS = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "", int(sys.argv[3]) if len(sys.argv) > 3 else 1
GUEST = "build/release/guest/witness.elf"
WAYS = [(0, "none"), (2, "none"), (4, "none"), (2, "zlib"), (4, "zlib"), (2, "zstd"), (4, "zstd")]
CUTS = 12 * RUNS
CASES = []


def case(sentence):
    def add(function):
        CASES.append((sentence, function))
        return function
    return add


def setting(machine, channels=0, method="none", **more):
    """The guest may stand for long: on a busy machine it writes faster than its memory moves."""
    capabilities(machine, multifd=channels > 0, **more)
    parameters(machine, multifd_channels=channels or 2, multifd_compression=method, downtime_limit=2000)


def place(rig, number):
    return f"tcp:127.0.0.1:{free_port()}" if number % 2 else f"unix:{rig.folder}/m"


def comes(number, channels, method, heard):
    with Rig(BIN, GUEST) as rig:
        source, target = rig.start("qemu"), rig.make("ferry", incoming="defer")
        for machine in (source, target):
            setting(machine, channels, method, return_path=heard)
        said = move(source, target, place(rig, number))
        assert said == "completed", f"{said}; there: {target.said()}"
        target.wait_until("loading", target.has_loaded)
        assert outcome(target) == "completed"
        target.cont()
        lines(target, 2)
        words(source)
        assert not target.said(), target.said()


def add_way(channels, method, heard):
    how = f"over {channels} channels, packed with {method}" if channels else "over one connection"

    @case(f"a running guest comes from QEMU {how}{', and QEMU is told that it did' if heard else ''}")
    def _():
        for number in range(RUNS):
            comes(number, channels, method, heard)


for way in WAYS:
    add_way(*way, False)
    add_way(*way, True)


# --- what does not agree -------------------------------------------------------------------------------------------

def refused(here, there, *said, heard=True):
    """Both have other settings: the target says so, and waits on; the source's guest goes on."""
    with Rig(BIN, GUEST) as rig:
        source, target = rig.start("qemu"), rig.make("ferry", incoming="defer")
        setting(source, *there, return_path=heard)
        setting(target, *here)
        uri = place(rig, 0)
        target.command("migrate-incoming", uri=uri)
        source.command("migrate", uri=uri)
        info = outcome(target)
        assert info.startswith("failed: ") and all(word in info for word in said), info
        assert target.said() == f"-incoming: {info[8:]}" or target.said() == f"ferry: -incoming: {info[8:]}", target.said()
        assert target.command("query-status")["status"] == "inmigrate"
        if heard:
            assert outcome(source).startswith("failed"), outcome(source)
            lines(source, 1)
            assert source.is_running()
        source.quit()
        # the target is as it was: another one can come
        second = rig.start("qemu")
        setting(second, *here, return_path=True)
        assert move(second, target, place(rig, 1)) == "completed"
        target.wait_until("loading", target.has_loaded)
        target.cont()
        lines(target, 1)


@case("multifd that is on there and off here is refused")
def _():
    refused((0,), (2,), "the capability multifd is off here")


@case("multifd that is on here and off there is refused")
def _():
    refused((3,), (0,), "has opened 0 channels", "multifd-channels is 3 here")


@case("fewer channels than here are refused, with both numbers")
def _():
    refused((4,), (2,), "has opened 2 channels", "multifd-channels is 4 here")


@case("more channels than here are refused, with both numbers")
def _():
    refused((2,), (4,), "has at least ", "multifd-channels is 2 here")


@case("pages that are packed otherwise than here are refused, with both words")
def _():
    refused((2, "zlib"), (2, "zstd"), "packs with zstd", "multifd-compression is zlib here")


@case("a way that only one can connect by has no channels")
def _():
    with Rig(BIN, GUEST) as rig:
        target = rig.make("ferry", incoming="defer")
        setting(target, 2)
        try:
            target.command("migrate-incoming", uri="exec:cat /dev/null")
            raise AssertionError("it was accepted")
        except Exception as error:  # MachineError
            assert "multifd is on" in str(error) and "only tcp: and unix:" in str(error), error
        setting(target, 0)
        target.command("migrate-incoming", uri=f"unix:{rig.folder}/m")


# --- answers -------------------------------------------------------------------------------------------------------

@case("QEMU is told when a machine cannot take what it sends, and its guest goes on")
def _():
    with Rig(BIN, GUEST) as rig:
        source, target = rig.start("qemu"), rig.make("ferry", mib=256, incoming="defer")
        setting(source, return_path=True)
        said = move(source, target, place(rig, 0))
        assert said.startswith("failed"), said
        assert "RAM block" in outcome(target), outcome(target)
        lines(source, 1)
        assert source.is_running() and "Sibling indicated error 1" in source.said(), source.said()
        assert target.command("query-status")["status"] == "inmigrate"


@case("a connection that is given by its number goes both ways")
def _():
    with Rig(BIN, GUEST) as rig:
        ours, theirs = socket.socketpair()
        os.set_inheritable(theirs.fileno(), True)
        source = rig.start("qemu")
        setting(source, return_path=True)
        import machines
        usual = machines.subprocess.Popen
        machines.subprocess.Popen = lambda *a, **k: usual(*a, **k, pass_fds=[theirs.fileno()])
        try:
            target = rig.make("ferry", incoming=f"fd:{theirs.fileno()}")
        finally:
            machines.subprocess.Popen = usual
        theirs.close()
        source.monitor.sendmsg([b'{"execute": "getfd", "arguments": {"fdname": "m"}, "id": 0}'],
                               [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", ours.fileno()))])
        ours.close()
        source.command("migrate", uri="fd:m")
        assert outcome(source) == "completed"
        target.wait_until("loading", target.has_loaded)
        target.cont()
        lines(target, 1)


@case("commands are answered while a state comes, and the machine can be ended then")
def _():
    with Rig(BIN, GUEST) as rig:
        target = rig.make("ferry", incoming="defer")
        target.command("migrate-incoming", uri=f"unix:{rig.folder}/m")
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(f"{rig.folder}/m")
            peer.sendall(b"QEVM\0\0\0\3")
            end = time.monotonic() + 20
            while target.command("query-migrate").get("status") != "active":
                assert time.monotonic() < end, "it has not noticed"
                time.sleep(0.01)
            assert target.command("query-status")["status"] == "inmigrate"
            target.quit()
        assert target.process.returncode == 0 and not target.said(), (target.process.returncode, target.said())


@case("a stranger who connects, too, disturbs nobody")
def _():
    with Rig(BIN, GUEST) as rig:
        source, target = rig.start("qemu"), rig.make("ferry", incoming="defer")
        port = free_port()
        setting(source, return_path=True)
        parameters(source, max_bandwidth=64 << 20)
        target.command("migrate-incoming", uri=f"tcp:127.0.0.1:{port}")
        source.command("migrate", uri=f"tcp:127.0.0.1:{port}")
        time.sleep(0.1)
        strangers = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        strangers[0].sendall(b"GET / HTTP/1.0\r\n\r\n")
        strangers[1].close()
        parameters(source, max_bandwidth=1 << 40)
        assert outcome(source) == "completed", target.said()
        target.wait_until("loading", target.has_loaded)
        target.cont()
        lines(target, 1)


# --- streams that break off ----------------------------------------------------------------------------------------

class Tap:
    """Between a source and a target: keeps what each connection of the source has said."""

    def __init__(self, rig):
        self.path, self.said, self.threads = f"{rig.folder}/tap", [], []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(9)

    def forward(self, number, here, there):
        while data := here.recv(1 << 20):
            self.said[number] += data
            there.sendall(data)
        there.close()

    def run(self, connections, target):
        for number in range(connections):
            here, _ = self.listener.accept()
            there = socket.socket(socket.AF_UNIX)
            there.connect(target)
            self.said.append(bytearray())
            self.threads.append(threading.Thread(target=self.forward, args=(number, here, there)))
            self.threads[-1].start()


def send_some(path, said, most):
    """Each connection says as much as it may, and ends."""
    def say(line, data):
        try:
            line.sendall(data)
        except OSError:
            pass  # it was ended there
        line.close()
    threads = []
    for data, limit in zip(said, most):
        line = socket.socket(socket.AF_UNIX)
        try:
            line.connect(path)
        except OSError:
            break  # what was said before was enough
        threads.append(threading.Thread(target=say, args=(line, data[:limit])))
        threads[-1].start()
        time.sleep(0.002)  # the first is the main channel
    for thread in threads:
        thread.join()


@case("a live stream that breaks off anywhere is refused in a line, and the machine waits on")
def _():
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    choose = random.Random(seed)
    with Rig(BIN, GUEST) as rig:
        source, target = rig.start("qemu", mib=96, dirty=8), rig.make("ferry", mib=96, incoming="defer")
        tap, path = Tap(rig), f"{rig.folder}/m"
        for machine in (source, target):
            setting(machine, 2)
        target.command("migrate-incoming", uri=f"unix:{path}")
        source.command("migrate", uri=f"unix:{tap.path}")
        tap.run(3, path)
        assert outcome(source) == "completed" == outcome(target)
        target.quit()
        target = rig.make("ferry", mib=96, incoming="defer")
        setting(target, 2)
        said = 0
        for number in range(CUTS):
            target.command("migrate-incoming", uri=f"unix:{path}")
            most = [len(data) for data in tap.said]
            which = number % 3
            most[which] = choose.choice((choose.randrange(most[which]), choose.randrange(min(most[which], 3000))))
            if which:  # what comes behind the last sync nobody waits for
                most[which] = min(most[which], len(tap.said[which]) - 3000)
            send_some(path, tap.said, most)
            info = outcome(target)
            assert info.startswith("failed: "), (info, seed, number, which, most)
            assert target.command("query-status")["status"] == "inmigrate"
            said += 1
            assert len(target.said().splitlines()) == said, (target.said(), seed)
        target.command("migrate-incoming", uri=f"unix:{path}")
        send_some(path, tap.said, [len(data) for data in tap.said])
        assert outcome(target) == "completed"
        target.cont()
        lines(target, 2)


def main():
    lacking = None
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        lacking = "/dev/kvm cannot be used"
    elif not shutil.which("qemu-system-x86_64") or not os.path.exists(GUEST):
        lacking = "QEMU, or the guest, is not there"
    failed = 0
    chosen = [one for one in CASES if ONLY in one[0]]
    for number, (sentence, function) in enumerate(chosen, 1):
        if lacking:
            print(f"ok {number} - {sentence} # SKIP {lacking}")
            continue
        try:
            function()
            print(f"ok {number} - {sentence}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {sentence}")
            print("".join("# " + line + "\n" for line in traceback.format_exc().splitlines()), end="", flush=True)
    print(f"1..{len(chosen)}")
    return 1 if failed else 0


sys.exit(main())
