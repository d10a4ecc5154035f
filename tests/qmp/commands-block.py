"""commands-block.py: jobs, disks, lines of characters and networks over QMP. Cases for test-commands-block.sh."""
import os
import shutil
import subprocess
import sys
import tempfile
import time

import server
from server import Client, Machine, case, with_machine

server.CASES.clear()
QEMU = shutil.which("qemu-system-x86_64")
TOOL = os.path.join(sys.argv[1], "qcow2-tool")
UUID = "00000000-0000-0000-0000-000000000000"


def tool(*words):
    subprocess.run([TOOL] + list(words), check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def with_images(monitors=1, options=()):
    """The case gets a machine in whose folder there are base.qcow2, top.qcow2 in front of it with a snapshot, raw.img, cd.img."""
    def add(function):
        def run(folder):
            folder = tempfile.mkdtemp(dir=folder)
            images = {name: os.path.join(folder, name) for name in ("base.qcow2", "top.qcow2", "raw.img", "cd.img")}
            for name in ("raw.img", "cd.img"):
                with open(images[name], "wb") as file:
                    file.truncate(4 << 20)
            tool("create", images["base.qcow2"], "8M")
            tool("create", "-b", "base.qcow2", "-F", "qcow2", images["top.qcow2"])
            tool("snapshot", "create", images["top.qcow2"], "one")
            if any("other.qcow2" in o for o in options):
                tool("create", folder + "/other.qcow2", "8M")
                tool("snapshot", "create", folder + "/other.qcow2", "one")
                tool("snapshot", "create", folder + "/other.qcow2", "two")
            words = [o.replace("@", folder + "/") for o in options]
            machine = Machine(folder, monitors, words)
            machine.images = folder
            machine.words = words
            try:
                function(machine)
                machine.end()
            finally:
                if machine.process.poll() is None:
                    machine.process.kill()
                    machine.process.wait()
        return run
    return add


class Qemu:
    """The same in QEMU. No guest runs."""

    def __init__(self, words, folder):
        self.path = os.path.join(tempfile.mkdtemp(dir=folder), "qemu")
        self.process = subprocess.Popen([QEMU, "-accel", "tcg", "-m", "16", "-nodefaults", "-display", "none", "-S",
                                         "-qmp", "unix:%s,server=on,wait=off" % self.path] + list(words),
                                        stdin=subprocess.DEVNULL)

    def __enter__(self):
        return Client(self.path)

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


# What only one of the two has: members, each with its reason in schema-differences.txt.
OURS = {"uuid", "parent-uuid"}
QEMUS = {"driver-specific", "icount"}


def shape(ours, qemus, where=""):
    """Both have the same members, of the same types."""
    assert type(ours) is type(qemus), (where, ours, qemus)
    if isinstance(ours, dict):
        assert set(ours) - OURS == set(qemus) - QEMUS, (where, set(ours) ^ set(qemus))
        for key in set(ours) & set(qemus):
            shape(ours[key], qemus[key], where + "." + key)
    elif isinstance(ours, list):
        assert len(ours) == len(qemus), (where, ours, qemus)
        for i, (mine, theirs) in enumerate(zip(ours, qemus)):
            shape(mine, theirs, "%s[%d]" % (where, i))


def refused(client, command, **arguments):
    """The error's class and what it says."""
    error = client.refused({"execute": command, "arguments": arguments})
    return error["class"], error["desc"]


# --- jobs -------------------------------------------------------------------------------------------------------------

@case("there are no jobs at first, and a verb for one that is not there says which there are")
@with_machine()
def _(machine):
    client = machine.client()
    assert client.ask("query-jobs") == []
    for verb in ("pause", "resume", "cancel", "complete", "finalize", "dismiss"):
        assert refused(client, "job-" + verb, id="x") == ("GenericError", "there is no job 'x' (jobs: none)")


# --- disks ------------------------------------------------------------------------------------------------------------

DRIVES = ["-drive", "file=@top.qcow2,if=virtio,format=qcow2", "-drive", "file=@raw.img,if=ide,format=raw",
          "-blockdev", "raw,node-name=disc,read-only=on,file.driver=file,file.filename=@cd.img,file.node-name=below",
          "-device", "ide-cd,id=cd,drive=disc,bus=ide.1", "-drive", "if=none,id=empty"]


def tell_apart(blocks):
    return {b["device"] or b["qdev"]: b for b in blocks}


@case("disks are told of as QEMU tells of them")
@with_images(options=DRIVES)
def _(machine):
    client = machine.client()
    ours = tell_apart(client.ask("query-block"))
    assert set(ours) == {"virtio0", "ide0-hd0", "cd", "empty"}, set(ours)
    top = ours["virtio0"]["inserted"]
    assert top["drv"] == "qcow2" and top["file"] == machine.images + "/top.qcow2", top
    assert top["backing_file"] == machine.images + "/base.qcow2" and top["backing_file_depth"] == 1, top
    image = top["image"]
    assert image["backing-filename"] == "base.qcow2" and image["backing-filename-format"] == "qcow2", image
    assert image["backing-image"]["virtual-size"] == image["virtual-size"] == 8 << 20, image
    assert image["snapshots"][0]["name"] == "one" and len(image["snapshots"][0]["uuid"]) == len(UUID), image
    assert "inserted" not in ours["empty"] and ours["cd"]["inserted"]["node-name"] == "disc", ours
    assert ours["cd"]["tray_open"] is False and ours["cd"]["removable"] and ours["cd"]["qdev"] == "cd", ours["cd"]
    assert ours["virtio0"]["qdev"] == "/machine/peripheral-anon/device[0]/virtio-backend", ours["virtio0"]
    nodes = {n["node-name"]: n for n in client.ask("query-named-block-nodes")}
    assert len(nodes) == 8 and nodes["below"]["drv"] == "file" and nodes["below"]["image"]["format"] == "file", nodes
    assert nodes["disc"]["ro"] and nodes["below"]["ro"] and nodes["below"]["image"]["virtual-size"] == 4 << 20, nodes["below"]
    flat = client.ask("query-named-block-nodes", flat=True)
    assert [n["node-name"] for n in flat] == list(nodes) and not any("backing-image" in n["image"] for n in flat)
    stats = client.ask("query-blockstats")
    of_nodes = client.ask("query-blockstats", **{"query-nodes": True})
    assert {s["node-name"] for s in of_nodes} == set(nodes), of_nodes
    assert not any("backing" in s for s in of_nodes), of_nodes
    if not QEMU:
        return
    client.ask("quit")
    machine.process.wait()
    with Qemu(machine.words, machine.images) as qemu:
        theirs = tell_apart(qemu.ask("query-block"))
        shape(ours, theirs)
        shape({s["device"] or s["qdev"]: s for s in stats},
              {s["device"] or s["qdev"]: s for s in qemu.ask("query-blockstats")})
        def key(node):
            return node["file"], node["drv"]
        shape(sorted(nodes.values(), key=key), sorted(qemu.ask("query-named-block-nodes"), key=key))
        for name in ("virtio0", "ide0-hd0", "cd"):
            for member in ("file", "drv", "ro", "backing_file_depth", "cache", "encrypted", "detect_zeroes"):
                assert ours[name]["inserted"][member] == theirs[name]["inserted"][member], (name, member)
            for member in ("removable", "locked", "type", "io-status"):
                assert ours[name][member] == theirs[name][member], (name, member)


def file_node(path, name=None, **more):
    return dict({"driver": "file", "filename": path}, **({"node-name": name} if name else {}), **more)


@case("a node is made, opened, used by name, and closed again when nobody uses it")
@with_images()
def _(machine):
    client, folder = machine.client(), machine.images + "/"
    descriptors = machine.descriptors()
    assert client.ask("blockdev-add", **file_node(folder + "top.qcow2", "file0")) == {}
    assert client.ask("blockdev-add", **{"driver": "raw", "node-name": "back", "read-only": True,
                                         "file": file_node(folder + "raw.img")}) == {}
    assert client.ask("blockdev-add", **{"driver": "qcow2", "node-name": "top", "file": "file0", "backing": "back",
                                         "cache": {"no-flush": True}, "l2-cache-size": 65536}) == {}
    nodes = {n["node-name"]: n for n in client.ask("query-named-block-nodes")}
    assert nodes["top"]["backing_file"] == folder + "raw.img" and nodes["top"]["cache"]["no-flush"], nodes["top"]
    assert {"top", "file0", "back"} < set(nodes) and len(nodes) == 4, set(nodes)
    assert nodes["top"]["image"]["backing-image"]["format"] == "raw", nodes["top"]
    assert client.ask("query-block") == []
    for name in ("file0", "back"):
        assert refused(client, "blockdev-del", **{"node-name": name}) == \
            ("GenericError", "node '%s': it is used by the node 'top'" % name)
    assert client.ask("blockdev-del", **{"node-name": "top"}) == {}
    assert {n["node-name"] for n in client.ask("query-named-block-nodes")} == set(nodes) - {"top"}
    client.ask("blockdev-add", **{"driver": "qcow2", "node-name": "again", "backing": None, "file": "file0"})
    nodes = {n["node-name"]: n for n in client.ask("query-named-block-nodes")}
    assert "backing_file" not in nodes["again"] and nodes["again"]["backing_file_depth"] == 0, nodes["again"]
    for name in ("again", "back", "file0"):
        client.ask("blockdev-del", **{"node-name": name})
    assert client.ask("query-named-block-nodes") == []
    assert machine.descriptors() == descriptors, (descriptors, machine.descriptors())


@case("a node that cannot be is refused, and leaves nothing behind")
@with_images(options=["-blockdev", "raw,node-name=disk,file.driver=file,file.filename=@raw.img",
                      "-device", "virtio-blk-pci,id=vd,drive=disk"])
def _(machine):
    client, folder = machine.client(), machine.images + "/"
    before, descriptors = client.ask("query-named-block-nodes"), machine.descriptors()
    def add(**node):
        return refused(client, "blockdev-add", **{k.replace("_", "-"): v for k, v in node.items()})[1]
    assert add(driver="file", filename=folder + "cd.img") == "node-name: a node that others are to find needs a name"
    assert add(driver="file", filename=folder + "no", node_name="a") == \
        "node 'a': disk %sno: No such file or directory" % folder
    assert add(driver="file", filename=folder + "cd.img", node_name="disk") == \
        "node 'disk': there is a node of this name already"
    assert "this is no name" in add(driver="file", filename=folder + "cd.img", node_name="1")
    assert add(driver="host_device", filename=folder + "cd.img", node_name="a") == \
        "node 'a': '%scd.img' is no block device (driver 'file'?)" % folder
    assert add(driver="raw", node_name="a", file="disk") == \
        "node 'a': the node 'disk' is used by the device '/machine/peripheral/vd/virtio-backend'"
    assert add(driver="raw", node_name="a", file="none") == "node 'a': there is no node 'none'"
    assert add(driver="raw", node_name="a", file=file_node(folder + "raw.img")) == \
        "node 'a': 'disk' has the same file: disk %sraw.img: is in use by another program" % folder
    assert "header offset 0: no qcow2 image" in add(driver="qcow2", node_name="a", file=file_node(folder + "cd.img", "b"))
    assert add(driver="file", filename=folder + "cd.img", node_name="a", force_share=True) == \
        "node 'a': with force-share it must be read-only, too"
    assert add(driver="nbd", node_name="a") == \
        "blockdev-add.driver: unknown value 'nbd' (accepted: file, host_device, raw, qcow2)"
    assert refused(client, "blockdev-del", **{"node-name": "disk"})[1] == \
        "node 'disk': it is used by the device '/machine/peripheral/vd/virtio-backend'"
    assert refused(client, "blockdev-del", **{"node-name": "no"})[1] == "there is no node 'no'"
    assert client.ask("query-named-block-nodes") == before and machine.descriptors() == descriptors


# --- new images -------------------------------------------------------------------------------------------------------

def wait_for(client, job, status="concluded"):
    end = time.time() + server.PATIENCE
    while True:
        info = next(j for j in client.ask("query-jobs") if j["id"] == job)
        if info["status"] == status:
            return info
        assert time.time() < end, info
        time.sleep(0.01)


def statuses(client, job):
    return [e["data"]["status"] for e in client.events if e["event"] == "JOB_STATUS_CHANGE" and e["data"]["id"] == job]


@case("images are made by jobs, which are told of until they are dismissed")
@with_images()
def _(machine):
    client, folder = machine.client(), machine.images + "/"
    def create(job, **options):
        return client.ask("blockdev-create", **{"job-id": job, "options": options})
    assert create("file", driver="file", filename=folder + "new", size=1 << 20, preallocation="falloc") == {}
    job = wait_for(client, "file")
    assert job["type"] == "create" and "error" not in job, job
    assert statuses(client, "file") == ["created", "running", "waiting", "pending", "concluded"], client.events
    assert client.ask("job-dismiss", id="file") == {} and client.ask("query-jobs") == []
    assert os.path.getsize(folder + "new") == 1 << 20
    client.ask("blockdev-add", **file_node(folder + "new", "new"))
    create("image", driver="qcow2", file="new", size=64 << 20, **{"cluster-size": 4096, "backing-file": "base.qcow2",
                                                                  "backing-fmt": "qcow2", "compression-type": "zstd"})
    assert "error" not in wait_for(client, "image")
    client.ask("blockdev-add", **{"driver": "qcow2", "node-name": "top", "file": "new"})
    image = next(n for n in client.ask("query-named-block-nodes") if n["node-name"] == "top")["image"]
    assert image["virtual-size"] == 64 << 20 and image["cluster-size"] == 4096, image
    assert image["backing-image"]["virtual-size"] == 8 << 20, image
    assert image["format-specific"]["data"]["compression-type"] == "zstd", image
    create("raw", driver="raw", size=3 << 20, file=file_node(folder + "cd.img"))
    assert "error" not in wait_for(client, "raw") and os.path.getsize(folder + "cd.img") == 3 << 20
    create("bad", driver="qcow2", size=1 << 20, file=file_node(folder + "raw.img"), **{"cluster-size": 1000})
    assert "1000" in wait_for(client, "bad")["error"]
    assert statuses(client, "bad") == ["created", "running", "aborting", "concluded"], client.events
    assert refused(client, "blockdev-create", **{"job-id": "new", "options": {"driver": "qcow2", "size": 1, "file": "new"}}) \
        == ("GenericError", "node 'new': it is used by the node 'top'")
    assert "there is a job 'bad' already" in refused(
        client, "blockdev-create", **{"job-id": "bad", "options": {"driver": "file", "size": 1, "filename": "x"}})[1]
    client.ask("blockdev-del", **{"node-name": "top"})
    assert "there is a job 'bad' already" in refused(
        client, "blockdev-create", **{"job-id": "bad", "options": {"driver": "qcow2", "size": 1, "file": "new"}})[1]
    client.ask("blockdev-del", **{"node-name": "new"})


@case("a job is paused, goes on, tells how far it is, and is cancelled without a trace")
@with_images()
def _(machine):
    client, path = machine.client(), machine.images + "/large"
    client.ask("subscribe-events", events=["JOB_PROGRESS"])
    client.send({"execute": "blockdev-create", "arguments": {"job-id": "j", "options": {
        "driver": "file", "filename": path, "size": 256 << 20, "preallocation": "full"}}})
    client.send({"execute": "job-pause", "arguments": {"id": "j"}})
    assert client.answer() == client.answer() == {"return": {}}
    paused = wait_for(client, "j", "paused")
    assert paused["total-progress"] in (0, 256 << 20) and paused["current-progress"] < 256 << 20, paused
    time.sleep(0.2)
    assert wait_for(client, "j", "paused") == paused
    assert refused(client, "job-pause", id="j")[1] == "the job 'j' is paused already"
    assert refused(client, "job-dismiss", id="j")[1] == "the job 'j' is paused and cannot be asked to dismiss"
    client.ask("job-resume", id="j")
    progress = client.event("JOB_PROGRESS")["data"]
    assert progress["id"] == "j" and progress["total-progress"] == 256 << 20, progress
    client.ask("job-cancel", id="j")
    assert wait_for(client, "j")["error"] == "the job 'j' was cancelled"
    assert not os.path.exists(path)


@case("a program that ends cancels its jobs")
@with_images()
def _(machine):
    client, path = machine.client(), machine.images + "/large"
    client.ask("blockdev-create", **{"job-id": "j", "options": {
        "driver": "file", "filename": path, "size": 4 << 30, "preallocation": "full"}})
    client.ask("quit")
    assert machine.process.wait(server.PATIENCE) == 0 and not os.path.exists(path)


# --- snapshots --------------------------------------------------------------------------------------------------------

@case("snapshots of all disks are one list, with what each lacks")
@with_images(options=["-drive", "if=none,id=a,format=qcow2,file=@top.qcow2",
                      "-drive", "if=none,id=b,format=qcow2,file=@other.qcow2", "-drive", "if=none,id=c,format=raw,file=@raw.img"])
def _(machine):
    one, two = machine.client().ask("query-snapshots")
    assert (one["name"], one["devices"], one["missing"], one["excluded"]) == ("one", ["a", "b"], [], ["c"]), one
    assert not one["loadable"] and one["reason"] and one["vm-state-size"] == 0 and "vmstate" not in one, one
    assert "uuid" not in one, one  # each disk's own
    assert (two["name"], two["devices"], two["missing"], two["id"]) == ("two", ["b"], ["a"], "2"), two
    assert len(two["uuid"]) == len(UUID) and len(two["parent-uuid"]) == len(UUID), two


# --- lines of characters ----------------------------------------------------------------------------------------------

LINES = ["-chardev", "null,id=null", "-chardev", "ringbuf,id=ring,size=1024", "-chardev", "file,id=file,path=@out",
         "-chardev", "socket,id=unix,path=@socket,server=on,wait=off",
         "-chardev", "socket,id=tcp,host=127.0.0.1,port=0,server=on,wait=off", "-chardev", "pty,id=pty",
         "-device", "isa-serial,chardev=null", "-device", "isa-debugcon,chardev=ring"]


class Lines(Machine):
    """The pty's name is told to the user."""

    def said(self):
        return "".join(l for l in super().said().splitlines(True) if " is at /dev/pts/" not in l)


def with_lines(function):
    def run(folder):
        folder = tempfile.mkdtemp(dir=folder)
        words = [o.replace("@", folder + "/") for o in LINES]
        machine = Lines(folder, 1, words)
        machine.images, machine.words = folder, words
        try:
            function(machine)
            machine.end()
        finally:
            if machine.process.poll() is None:
                machine.process.kill()
                machine.process.wait()
    return run


@case("lines are told of as QEMU tells of them")
@with_lines
def _(machine):
    client = machine.client()
    ours = {line.pop("label"): line for line in client.ask("query-chardev")}
    backends = [b["name"] for b in client.ask("query-chardev-backends")]
    assert set(backends) == {"file", "socket", "pty", "null", "stdio", "ringbuf"}, backends
    yank = client.ask("query-yank")
    assert sorted(y["id"] for y in yank if y["type"] == "chardev") == ["compat_monitor0", "tcp", "unix"], yank
    client.ask("quit")
    machine.process.wait()
    if not QEMU:
        return
    with Qemu(machine.words, machine.images) as qemu:
        theirs = {line.pop("label"): line for line in qemu.ask("query-chardev")}
        assert set(ours) == set(theirs), (set(ours), set(theirs))
        for name in theirs:
            mine = ours[name]
            for each in (mine, theirs[name]):
                if name in ("tcp", "pty"):
                    each["filename"] = each["filename"].rstrip("0123456789").split(":1")[0].split("/pts")[0]
                if name == "compat_monitor0":
                    each["filename"] = each["filename"].split(":")[0]
            assert mine == theirs[name], (name, mine, theirs[name])
        assert set(backends) <= {b["name"] for b in qemu.ask("query-chardev-backends")}
        assert {y["id"] for y in yank} == {y["id"] for y in qemu.ask("query-yank")}


def backend(kind, **data):
    return {"type": kind, "data": data}


@case("lines are made, changed under their users, and removed when nobody uses them")
@with_lines
def _(machine):
    client, folder = machine.client(), machine.images + "/"
    descriptors = machine.descriptors()
    assert client.ask("chardev-add", id="more", backend=backend("pty"))["pty"].startswith("/dev/pts/")
    assert client.ask("chardev-add", id="text", backend=backend("file", out=folder + "text")) == {}
    assert refused(client, "chardev-add", id="text", backend=backend("null")) == \
        ("GenericError", "-chardev text: there are two of that id")
    assert refused(client, "chardev-add", id="3", backend=backend("null"))[1].startswith("chardev-add.id: '3' is no identifier")
    assert "no power of 2" in refused(client, "chardev-add", id="r", backend=backend("ringbuf", size=1000))[1]
    assert "No such file" in refused(client, "chardev-add", id="r", backend=backend("file", out=folder + "no/no"))[1]
    assert refused(client, "chardev-remove", id="null")[1] == "the line 'null' is used by serial port 0"
    assert refused(client, "chardev-remove", id="ring")[1] == "the line 'ring' is used by the debug console"
    assert "a monitor" in refused(client, "chardev-remove", id="compat_monitor0")[1]
    assert refused(client, "chardev-remove", id="none")[1] == "there is no line 'none'"
    assert refused(client, "chardev-change", id="null", backend=backend("file", out=folder + "no/no"))[1]
    assert client.ask("chardev-change", id="null", backend=backend("socket", server=True, addr={
        "type": "unix", "data": {"path": folder + "serial"}})) == {}
    lines = {line["label"]: line for line in client.ask("query-chardev")}
    assert lines["null"] == {"label": "null", "filename": "disconnected:unix:%sserial,server=on" % folder,
                             "frontend-open": True}, lines["null"]
    assert {"id": "null", "type": "chardev"} in client.ask("query-yank")
    client.ask("chardev-send-break", id="null")
    assert refused(client, "chardev-send-break", id="none")[1] == "there is no line 'none'"
    client.ask("chardev-change", id="null", backend=backend("null"))
    assert not os.path.exists(folder + "serial")
    for name in ("more", "text"):
        client.ask("chardev-remove", id=name)
    assert machine.descriptors() == descriptors, (descriptors, machine.descriptors())


@case("memory is written and read over QMP, as text and in base64")
@with_lines
def _(machine):
    client = machine.client()
    client.ask("ringbuf-write", device="ring", data="Hello, ")
    client.ask("ringbuf-write", device="ring", data="/wAK", format="base64")
    assert client.ask("ringbuf-read", device="ring", size=5) == "Hello"
    assert client.ask("ringbuf-read", device="ring", size=3, format="base64") == "LCD/"
    assert client.ask("ringbuf-read", device="ring", size=100) == "\ufffd\n"
    assert client.ask("ringbuf-read", device="ring", size=100) == ""
    assert refused(client, "ringbuf-read", device="null", size=1)[1] == "the line 'null' is no ringbuf"
    assert "at least 1" in refused(client, "ringbuf-read", device="ring", size=0)[1]
    assert "no base64" in refused(client, "ringbuf-write", device="ring", data="x", format="base64")[1]


@case("a peer that does not answer is cut off, out of band, too")
@with_lines
def _(machine):
    client = machine.client(enable=["oob"])
    peer = server.socket.socket(server.socket.AF_UNIX)
    peer.settimeout(server.PATIENCE)
    peer.connect(machine.images + "/socket")
    def filename():
        return next(line for line in client.ask("query-chardev") if line["label"] == "unix")["filename"]
    end = time.time() + server.PATIENCE
    while filename().startswith("disconnected:"):
        assert time.time() < end
    one = {"type": "chardev", "id": "unix"}
    for other in ({"type": "chardev", "id": "ring"}, {"type": "migration"}, {"type": "block-node", "node-name": "x"}):
        assert refused(client, "yank", instances=[one, other])[0] == "DeviceNotFound", other
    assert not filename().startswith("disconnected:")
    client.send({"exec-oob": "yank", "id": 1, "arguments": {"instances": [one]}})
    assert client.answer() == {"return": {}, "id": 1}
    assert peer.recv(1) == b""
    peer.close()


sys.exit(server.main())
