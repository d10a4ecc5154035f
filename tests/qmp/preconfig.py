"""preconfig.py: a machine that is not there until commands have said what it is (-preconfig). Cases for
test-preconfig.sh; speaks TAP.
"""
import json
import os
import re
import socket
import sys
import time

import server
from server import PATIENCE, with_machine

server.CASES.clear()
case = server.case
NOTHING = ["-preconfig"]
EARLY = "is not permitted before the machine is there (x-exit-preconfig makes it)"
LATE = "The command is permitted only before machine initialization"


def refused(client, command, **arguments):
    return client.refused({"execute": command, "arguments": arguments})["desc"]


# cli; xor ax, ax; mov ds, ax; mov si, 0x7c00 + text; 1: lodsb; test al, al; jz 2f; mov dx, 0x3f8; out dx, al; jmp 1b;
# 2: hlt; jmp 2b; text
HELLO = bytes.fromhex("fa31c08ed8be187cac84c07406baf803eeebf5f4ebfd")
HELLO = HELLO.replace(bytes.fromhex("be187c"), b"\xbe" + (0x7c00 + len(HELLO)).to_bytes(2, "little"))
HELLO += b"the boot sector runs\n\0"


def boot_sector(folder):
    path = os.path.join(folder, "boot.img")
    with open(path, "wb") as file:
        file.write(HELLO.ljust(510, b"\0") + b"\x55\xaa")
        file.truncate(1 << 20)
    return path


def wait_file(path, pattern):
    end = time.time() + PATIENCE
    while time.time() < end:
        if os.path.exists(path):
            with open(path, errors="replace", encoding="utf-8") as file:
                if re.search(pattern, file.read()):
                    return
        time.sleep(0.02)
    raise AssertionError("waited in vain for " + pattern)


@case("nothing is there, and all but what configures is refused, also in words")
@with_machine(options=NOTHING)
def _(machine):
    client = machine.client()
    assert client.ask("query-status") == {"running": False, "singlestep": False, "status": "prelaunch"}
    assert client.ask("query-block") == [] and client.ask("query-chardev") == []
    for command in ("cont", "stop", "system_reset", "query-cpus-fast", "query-pci", "screendump", "query-memory-size-summary"):
        assert refused(client, command) == "The command %s %s" % (command, EARLY), command
    assert refused(client, "blockdev-del", **{"node-name": "x"}).endswith(EARLY)
    assert refused(client, "human-monitor-command", **{"command-line": "cont"}).endswith(EARLY)
    assert client.ask("quit") == {}
    assert client.event("SHUTDOWN")["data"] == {"guest": False, "reason": "host-qmp-quit"}
    machine.process.wait(PATIENCE)


class People:
    """A monitor for people."""

    def __init__(self, path):
        end = time.time() + PATIENCE
        while not os.path.exists(path) and time.time() < end:
            time.sleep(0.02)
        self.line = socket.socket(socket.AF_UNIX)
        self.line.settimeout(PATIENCE)
        self.line.connect(path)
        self.answer()

    def answer(self):
        got = b""
        while not got.endswith(b"(ferry) "):
            more = self.line.recv(65536)
            assert more, "the monitor has gone"
            got += more
        return got.decode()

    def say(self, text):
        self.line.sendall(text.encode() + b"\n")
        return self.answer()


@case("people are told the same, and can say what is wanted")
def _(folder):
    path = os.path.join(folder, "people")
    machine = server.Machine(folder, options=NOTHING + ["-monitor", "unix:%s,server=on,wait=off" % path])
    people = People(path)
    assert EARLY in people.say("cont")
    assert "(prelaunch)" in people.say("info status")
    assert "Error: -netdev.type" in people.say("netdev_add none,id=n0")
    assert "Error" not in people.say("netdev_add user,id=n0")
    assert "Error" not in people.say("device_add virtio-net-pci,netdev=n0,romfile=,id=card")
    assert "Error" not in people.say("configure pc,memory.size=24M,smp.cpus=2")
    assert "Error" not in people.say("exit_preconfig")
    assert "CPU #1" in people.say("info cpus")
    assert "n0: type=user, used by card" in people.say("info network")
    people.line.close()
    machine.end()


@case("every command that is allowed then does without a machine")
@with_machine(options=NOTHING)
def _(machine):
    client = machine.client()
    alone = {"qmp_capabilities", "quit", "x-exit-preconfig"}
    wanted = {"typename": "virtio-blk-pci", "path": "/machine", "property": "type", "value": 1, "id": "x", "fdname": "x",
              "fdset-id": 1, "events": [], "driver": "virtio-rng-pci", "node-name": "x",
              "filename": "/dev/null", "qom-type": "iothread", "type": "user", "backend": {"type": "null", "data": {}}}
    needs = {"device_add": ["driver"], "blockdev-add": ["driver", "node-name", "filename"], "netdev_add": ["type", "id"],
             "object-add": ["qom-type", "id"], "chardev-add": ["id", "backend"], "subscribe-events": ["events"],
             "getfd": ["fdname"], "closefd": ["fdname"], "remove-fd": ["fdset-id"], "qom-list": ["path"],
             "qom-get": ["path", "property"], "qom-set": ["path", "property", "value"],
             "device-list-properties": ["typename"], "qom-list-properties": ["typename"], "query-cpu-definitions": []}
    done = 0
    for info in client.ask("query-commands"):
        name = info["name"]
        if name in alone:
            continue
        arguments = {key: wanted[key] for key in needs.get(name, [])}
        if name == "blockdev-add":
            arguments["driver"] = "file"
        client.send({"execute": name, "arguments": arguments})
        got = client.answer()
        if "error" in got and got["error"]["desc"].endswith(EARLY):
            continue
        assert "return" in got or got["error"]["desc"], got
        assert "is missing" not in json.dumps(got), got
        done += 1
    assert done > 30, done
    assert client.ask("query-status")["status"] == "prelaunch"


@case("a machine is made of commands only, and boots")
@with_machine(options=NOTHING)
def _(machine):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return
    client = machine.client()
    serial, disk = os.path.join(machine.folder, "serial"), boot_sector(machine.folder)
    client.ask("chardev-add", id="text", backend={"type": "file", "data": {"out": serial}})
    client.ask("configure", accel={"accel": "kvm"}, memory={"size": 32 << 20}, smp={"cpus": 2},
               serial=["chardev:text"], name={"guest": "made"}, stopped=False)
    client.ask("blockdev-add", **{"driver": "raw", "node-name": "d0", "file": {"driver": "file", "filename": disk}})
    client.ask("device_add", driver="virtio-blk-pci", drive="d0", id="disk")
    client.ask("object-add", **{"qom-type": "rng-builtin", "id": "r0"})
    client.ask("device_add", driver="virtio-rng-pci", rng="r0", id="random")
    client.ask("netdev_add", type="user", id="n0")
    client.ask("device_add", driver="virtio-net-pci", netdev="n0", romfile="", id="card")
    assert not os.path.exists(serial), "nothing of the host is opened yet"
    assert client.ask("x-exit-preconfig") == {}
    client.event("RESUME")
    assert client.ask("query-status")["status"] == "running"
    wait_file(serial, "the boot sector runs")
    assert client.ask("query-name") == {"name": "made"}
    assert len(client.ask("query-cpus-fast")) == 2
    assert client.ask("query-memory-size-summary")["base-memory"] == 32 << 20
    assert [b["qdev"] for b in client.ask("query-block")] == ["/machine/peripheral/disk/virtio-backend"]
    assert [n["peer"] for n in client.ask("query-netdev")] == ["card"]
    assert refused(client, "configure", memory={"size": 1}) == LATE
    assert refused(client, "x-exit-preconfig") == LATE


@case("with -S it stands until it is told to go on; what the command line has said counts, too")
@with_machine(options=NOTHING + ["-smp", "2", "-netdev", "user,id=n0"])
def _(machine):
    client = machine.client()
    client.ask("configure", smp={"maxcpus": 4})
    client.ask("device_add", driver="virtio-net-pci", netdev="n0", romfile="", id="card")
    client.ask("set-action", reboot="shutdown")
    client.ask("x-exit-preconfig")
    assert client.ask("query-status")["status"] == "prelaunch"
    smp = client.ask("qom-get", path="/machine", property="smp")
    assert (smp["cpus"], smp["maxcpus"]) == (2, 4), smp
    assert [n["peer"] for n in client.ask("query-netdev")] == ["card"]


@case("what is wrong is told with its path, and changes nothing")
@with_machine(options=NOTHING)
def _(machine):
    client = machine.client()
    client.ask("netdev_add", type="user", id="n0")
    wrong = [
        ("configure", {"memroy": {"size": 1}}, "configure: unknown key 'memroy'; did you mean 'memory'?"),
        ("configure", {"memory": {"size": "many"}}, "configure.memory.size: 'many' is no number"),
        ("configure", {"smp": {"cpus": 0}}, "-smp.cpus: 0 is out of range, at least 1 is wanted"),
        ("configure", {"smp": {"cpus": 3, "cores": 2}}, "-smp: sockets (1) * dies (1) * cores (2) * threads (1) is not"),
        ("configure", {"machine": {"type": "q35"}}, "-machine.type: unknown machine 'q35' (accepted: pc, "),
        ("configure", {"drive": [{"if": "scsi"}]}, "configure.drive[0].if: unknown value 'scsi' (accepted: ide, "),
        ("configure", {"netdev": [{"type": "user", "id": "n1"}, {"type": "user", "id": "n0"}]},
         "-netdev.id: 'n0' is there twice"),
        ("configure", {"serial": ["chardev:none"]}, "-serial: unknown chardev 'none' (there is no -chardev)"),
        ("configure", {"preconfig": False}, "configure.preconfig: it is for the command line only"),
        ("configure", {"incoming": "udp:1"}, "-incoming: unknown protocol 'udp' (accepted: defer, "),
        ("device_add", {"driver": "virtio-blk"}, "-device: unknown driver 'virtio-blk' (accepted: ide-cd, "),
        ("device_add", {"driver": "virtio-rng-pci", "speed": 1}, "-device virtio-rng-pci: unknown key 'speed'"),
        ("device_add", {"id": "x"}, "-device: the key 'driver' is missing"),
        ("netdev_add", {"type": "socket", "id": "s"}, "-netdev.type: a socket needs exactly one of"),
        ("object-add", {"qom-type": "iothread", "id": "1"}, "-object.id: '1' is no identifier"),
        ("blockdev-add", {"driver": "raw", "node-name": "a", "file": "b"}, "-blockdev.file: unknown blockdev 'b'"),
        ("chardev-add", {"id": "1", "backend": {"type": "null", "data": {}}}, "chardev-add.id: '1' is no identifier"),
    ]
    for command, arguments, text in wrong:
        said = refused(client, command, **arguments)
        assert said.startswith(text), (command, arguments, said)
    client.ask("netdev_add", type="user", id="n1")  # which was not added with the wrong one
    client.ask("x-exit-preconfig")
    assert [n["device"] for n in client.ask("query-netdev")] == ["n0", "n1"]
    assert len(client.ask("query-cpus-fast")) == 1


@case("a machine that cannot be made leaves what was said, and nothing else; the next attempt may do")
@with_machine(options=NOTHING + ["-chardev", "ringbuf,id=ring", "-serial", "chardev:ring"])
def _(machine):
    client = machine.client()
    client.ask("chardev-add", id="pty", backend={"type": "pty", "data": {}})
    client.ask("netdev_add", type="user", id="n0", hostfwd=[{"str": "tcp:127.0.0.1:0-:22"}])
    client.ask("device_add", driver="virtio-net-pci", netdev="n0", romfile="", id="card")
    client.ask("device_add", driver="virtio-blk-pci", drive="d0", id="disk")
    descriptors = None
    for _ in range(3):
        assert refused(client, "x-exit-preconfig").startswith("there is no disk 'd0'")
        assert client.ask("query-status")["status"] == "prelaunch"
        assert refused(client, "cont").endswith(EARLY)
        assert descriptors in (None, machine.descriptors()), "descriptors are left open"
        descriptors = machine.descriptors()
    disk = os.path.join(machine.folder, "disk")
    client.ask("blockdev-add", **{"driver": "raw", "node-name": "d0", "file": {"driver": "file", "filename": disk}})
    assert "No such file" in refused(client, "x-exit-preconfig")
    with open(disk, "wb") as file:
        file.truncate(1 << 20)
    client.ask("x-exit-preconfig")
    assert [b["qdev"] for b in client.ask("query-block")] == ["/machine/peripheral/disk/virtio-backend"]
    assert "pty" in [line["label"] for line in client.ask("query-chardev")]
    machine.log.truncate(0)  # where the pty is


@case("monitors that are asked for later come with the machine")
@with_machine(options=NOTHING)
def _(machine):
    client = machine.client()
    path = os.path.join(machine.folder, "second")
    client.ask("configure", mon=[{"line": "unix:%s,server=on,wait=off" % path, "mode": "control"}])
    client.ask("x-exit-preconfig")
    second = server.Client(path)
    assert second.ask("query-status")["status"] == "prelaunch"
    second.close()


if __name__ == "__main__":
    sys.exit(server.main())
