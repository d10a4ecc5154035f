"""commands-fd.py: descriptors that clients send along with commands, and who uses them. Cases for test-commands-fd.sh;
speaks TAP. Names and errors of getfd, closefd, add-fd, remove-fd are QEMU 7.2's.

No guest runs: the machine stands at its start, without processors.
"""
import array
import json
import os
import socket
import subprocess
import sys
import threading

import server
from server import with_machine

server.CASES.clear()
case = server.case
NOTHING_CAME = "No file descriptor supplied via SCM_RIGHTS"


def send(client, fds, *requests):
    """All in one message."""
    data = "".join(json.dumps(r) for r in requests).encode()
    client.line.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])


def ask_with(client, fds, command, **arguments):
    send(client, fds, {"execute": command, "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}})
    answer = client.answer()
    return answer["return"] if "return" in answer else answer["error"]["desc"]


def ask(client, command, **arguments):
    client.send({"execute": command, "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}})
    answer = client.answer()
    return answer["return"] if "return" in answer else answer["error"]["desc"]


def file_of(machine, name, size=1 << 20, mode=os.O_RDWR):
    """Opened, and without any rights for others to do so."""
    path = os.path.join(machine.folder, name)
    with open(path, "wb") as f:
        f.truncate(size)
    fd = os.open(path, mode)
    os.chmod(path, 0)
    return fd


@case("a descriptor is kept under its name, and replaced, and closed")
@with_machine()
def _(machine):
    client = machine.client()
    before = machine.descriptors()
    fd = file_of(machine, "f")
    assert ask(client, "getfd", fdname="a") == NOTHING_CAME
    assert ask_with(client, [fd], "getfd", fdname="1a") == "Parameter 'fdname' expects a name not starting with a digit"
    assert machine.descriptors() == before
    for _ in range(3):
        assert ask_with(client, [fd], "getfd", fdname="a") == {}
        assert machine.descriptors() == before + 1
    assert ask(client, "closefd", fdname="a") == {}
    assert ask(client, "closefd", fdname="a") == "File descriptor named 'a' not found"
    assert machine.descriptors() == before


@case("what a command does not want is closed, and the next one does not get it")
@with_machine()
def _(machine):
    client = machine.client()
    before = machine.descriptors()
    fd = file_of(machine, "f")
    assert "status" in ask_with(client, [fd], "query-status")
    assert ask(client, "getfd", fdname="a") == NOTHING_CAME
    assert ask_with(client, [fd, fd, fd], "getfd", fdname="a") == {}
    assert ask(client, "getfd", fdname="b") == NOTHING_CAME
    assert machine.descriptors() == before + 1


@case("commands that are sent together get each its own")
@with_machine()
def _(machine):
    client = machine.client()
    one, two = file_of(machine, "one"), file_of(machine, "two")
    send(client, [one], {"execute": "query-name"}, {"execute": "add-fd", "arguments": {"opaque": "one"}})
    send(client, [two], {"execute": "add-fd", "arguments": {"opaque": "two"}})
    client.answer()
    where = [client.answer()["return"], client.answer()["return"]]
    for name, told in zip(("one", "two"), where):
        link = os.readlink("/proc/%d/fd/%d" % (machine.process.pid, told["fd"]))
        assert link == os.path.join(machine.folder, name), link


@case("sets are told as they are filled and emptied")
@with_machine()
def _(machine):
    client = machine.client()
    before = machine.descriptors()
    fd = file_of(machine, "f")
    assert ask_with(client, [fd], "add-fd", fdset_id=-1) == "Parameter 'fdset-id' expects a non-negative value"
    first = ask_with(client, [fd], "add-fd", opaque="text")
    second = ask_with(client, [fd], "add-fd", fdset_id=4)
    third = ask_with(client, [fd], "add-fd", fdset_id=4)
    assert (first["fdset-id"], second["fdset-id"]) == (0, 4)
    assert ask(client, "query-fdsets") == [
        {"fdset-id": 4, "fds": [{"fd": second["fd"]}, {"fd": third["fd"]}]},
        {"fdset-id": 0, "fds": [{"fd": first["fd"], "opaque": "text"}]}]
    assert ask(client, "remove-fd", fdset_id=4, fd=first["fd"]) == \
        "File descriptor named 'fdset-id:4, fd:%d' not found" % first["fd"]
    assert ask(client, "remove-fd", fdset_id=3) == "File descriptor named 'fdset-id:3' not found"
    assert ask(client, "remove-fd", fdset_id=4, fd=second["fd"]) == {}
    assert ask(client, "remove-fd", fdset_id=4) == {}
    assert ask(client, "remove-fd", fdset_id=0) == {}
    assert ask(client, "query-fdsets") == []
    assert machine.descriptors() == before


@case("a disk is opened out of a set, read-only if that is all it was opened for, and outlives it")
@with_machine()
def _(machine):
    client = machine.client()
    ask_with(client, [file_of(machine, "disk", 3 << 20)], "add-fd", fdset_id=1)
    node = {"driver": "file", "node-name": "d", "filename": "/dev/fdset/1"}
    assert ask(client, "blockdev-add", **node) == {}
    assert ask(client, "remove-fd", fdset_id=1) == {}
    told = [n for n in ask(client, "query-named-block-nodes") if n["node-name"] == "d"][0]
    assert told["file"] == "/dev/fdset/1" and told["image"]["virtual-size"] == 3 << 20, told
    assert not told["ro"]
    assert ask(client, "blockdev-del", node_name="d") == {}
    assert "no such set" in ask(client, "blockdev-add", **node)
    ask_with(client, [file_of(machine, "cd", mode=os.O_RDONLY)], "add-fd", fdset_id=1)
    assert "opened for what is asked" in ask(client, "blockdev-add", **node)
    assert ask(client, "blockdev-add", **node, auto_read_only=True) == {}
    assert ask(client, "query-named-block-nodes")[0]["ro"]


@case("the lock of a disk is gone with it, though its descriptor stays in the set")
@with_machine()
def _(machine):
    client = machine.client()
    fd = file_of(machine, "disk")
    path = os.path.join(machine.folder, "disk")
    ask_with(client, [fd], "add-fd", fdset_id=1)
    os.chmod(path, 0o600)
    first = {"driver": "file", "node-name": "a", "filename": "/dev/fdset/1"}
    second = {"driver": "file", "node-name": "b", "filename": path}
    assert ask(client, "blockdev-add", **first) == {}
    assert "node 'b'" in ask(client, "blockdev-add", **second)
    assert ask(client, "blockdev-del", node_name="a") == {}
    assert ask(client, "blockdev-add", **second) == {}


@case("an image and what is behind it are opened out of sets")
@with_machine()
def _(machine):
    client = machine.client()
    tool = os.path.join(os.path.dirname(server.FERRY), "qcow2-tool")
    base, top = (os.path.join(machine.folder, name) for name in ("base", "top"))
    with open(base, "wb") as f:
        f.truncate(1 << 20)
    subprocess.run([tool, "create", "-f", "qcow2", top, "1M"], check=True, stdout=subprocess.DEVNULL)
    for number, path, mode in ((1, top, os.O_RDWR), (2, base, os.O_RDONLY)):
        ask_with(client, [os.open(path, mode)], "add-fd", fdset_id=number)
        os.chmod(path, 0)
    image = {"driver": "qcow2", "node-name": "q", "file": {"driver": "file", "filename": "/dev/fdset/1"},
             "backing": {"driver": "raw", "read-only": True,
                         "file": {"driver": "file", "read-only": True, "filename": "/dev/fdset/2"}}}
    assert ask(client, "blockdev-add", **image) == {}
    assert ask(client, "blockdev-del", node_name="q") == {}


@case("what a line writes goes to a set's descriptor")
@with_machine()
def _(machine):
    client = machine.client()
    fd = file_of(machine, "log", size=5)
    ask_with(client, [fd], "add-fd", fdset_id=1)
    backend = {"type": "file", "data": {"out": "/dev/fdset/1"}}
    assert ask(client, "chardev-add", id="c", backend=backend) == {}
    assert os.fstat(fd).st_size == 0, "it was not emptied"


@case("a line is a socket that came along, whether it is connected or listens")
@with_machine()
def _(machine):
    client = machine.client()
    ours, theirs = socket.socketpair()
    backend = {"type": "socket", "data": {"addr": {"type": "fd", "data": {"str": "s"}}, "server": False}}
    assert ask(client, "chardev-add", id="c", backend=backend) == "File descriptor named 's' has not been found"
    assert ask_with(client, [theirs.fileno()], "getfd", fdname="s") == {}
    theirs.close()
    assert ask(client, "chardev-add", id="c", backend=backend) == {}
    assert ask(client, "closefd", fdname="s") == "File descriptor named 's' not found"
    assert ask(client, "chardev-remove", id="c") == {}
    assert ours.recv(1) == b""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(machine.folder, "line"))
    listener.listen(1)
    assert ask_with(client, [listener.fileno()], "getfd", fdname="s") == {}
    backend["data"].update(server=True, wait=False)
    assert ask(client, "chardev-add", id="l", backend=backend) == {}


@case("a descriptor that is no socket is no line, and is not left open")
@with_machine()
def _(machine):
    client = machine.client()
    before = machine.descriptors()
    ask_with(client, [file_of(machine, "f")], "getfd", fdname="s")
    backend = {"type": "socket", "data": {"addr": {"type": "fd", "data": {"str": "s"}}, "server": False}}
    assert isinstance(ask(client, "chardev-add", id="c", backend=backend), str)
    ask_with(client, [file_of(machine, "g")], "getfd", fdname="n")
    for kind in ("tap", "socket"):
        assert isinstance(ask(client, "netdev_add", type=kind, id="n", fd="n"), str)
    assert machine.descriptors() == before


@case("a network is a socket that came along")
@with_machine()
def _(machine):
    client = machine.client()
    ours, theirs = socket.socketpair()
    assert ask(client, "netdev_add", type="socket", id="n", fd="s") == "File descriptor named 's' has not been found"
    assert ask_with(client, [theirs.fileno()], "getfd", fdname="s") == {}
    theirs.close()
    assert ask(client, "netdev_add", type="socket", id="n", fd="s") == {}
    assert ask(client, "netdev_del", id="n") == {}
    assert ours.recv(1) == b""


@case("a machine's state goes through descriptors from one program to another")
@with_machine()
def _(source):
    reads, writes = os.pipe()
    into = server.Machine(source.folder, options=["-incoming", "defer"])
    try:
        one, two = source.client(), into.client()
        assert ask(one, "migrate", uri="fd:m") == "File descriptor named 'm' has not been found"
        assert ask_with(one, [writes], "getfd", fdname="m") == {}
        assert ask_with(two, [reads], "getfd", fdname="m") == {}
        os.close(writes)
        os.close(reads)
        assert ask(two, "migrate-incoming", uri="fd:m") == {}
        assert ask(one, "migrate", uri="fd:m") == {}
        end = threading.Event()
        for _ in range(600):
            if ask(two, "query-migrate").get("status") == "completed":
                break
            end.wait(0.05)
        assert ask(two, "query-migrate")["status"] == "completed"
        assert ask(one, "closefd", fdname="m") == "File descriptor named 'm' not found"
    finally:
        into.end()


@case("a dump goes where a descriptor goes")
@with_machine()
def _(machine):
    client = machine.client()
    fd = file_of(machine, "core")
    assert ask(client, "dump-guest-memory", paging=False, protocol="fd:d") == \
        "File descriptor named 'd' has not been found"
    assert ask_with(client, [fd], "getfd", fdname="d") == {}
    assert ask(client, "dump-guest-memory", paging=False, protocol="fd:d", begin=0, length=4096) == {}
    assert os.pread(fd, 4, 0) == b"\x7fELF"


@case("a program is started with descriptors for sets")
def _(folder):
    fd = os.memfd_create("disk")
    os.truncate(fd, 1 << 20)
    os.set_inheritable(fd, True)
    options = ["-add-fd", "fd=%d,set=2,opaque=x:y" % fd, "-drive", "if=virtio,format=raw,file=/dev/fdset/2"]

    def look(machine):
        client = machine.client()
        assert ask(client, "query-fdsets") == [{"fdset-id": 2, "fds": [{"fd": fd, "opaque": "x:y"}]}]
        assert ask(client, "query-block")[0]["inserted"]["image"]["virtual-size"] == 1 << 20

    server.run_with(server.Machine(folder, options=options, pass_fds=[fd]), look)


if __name__ == "__main__":
    sys.exit(server.main())
