"""commands-snapshot.py: snapshots of the machine over QMP and for people. Cases for test-commands-snapshot.sh."""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

import server
from server import Client, Machine, case

server.CASES.clear()
TOOL = os.path.join(sys.argv[1], "qcow2-tool")
WITNESS = os.path.join(os.environ.get("BUILD", "build/release"), "guest/witness.elf")
QEMU = shutil.which("qemu-system-x86_64")
DISKS = ["disk0", "disk1"]


def tool(*words):
    return subprocess.run([TOOL] + list(words), check=True, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True).stdout


def blockdev(name, driver="qcow2"):
    return ["-blockdev", "driver=%s,node-name=%s,file.driver=file,file.filename=@%s" % (driver, name, name)]


class Snapped(Machine):
    """A machine with disks in its folder, and what one asks of it."""

    def __init__(self, folder, options, prepare=None):
        self.images = tempfile.mkdtemp(dir=folder)
        for name in DISKS:
            tool("create", self.path_of(name), "8M")
        with open(self.path_of("raw0"), "wb") as file:
            file.truncate(1 << 20)
        if prepare:
            prepare(self)
        self.options = options
        super().__init__(folder, 1, [o.replace("@", self.images + "/") for o in options])

    def path_of(self, name):
        return os.path.join(self.images, name)

    def again(self, options):
        """Another machine with the same disks; this one has ended."""
        other = object.__new__(Snapped)
        other.images = self.images
        Machine.__init__(other, self.images, 1, [o.replace("@", self.images + "/") for o in options])
        return other


def with_disks(options=tuple(blockdev("disk0") + blockdev("disk1")), prepare=None):
    def add(function):
        def run(folder):
            server.run_with(Snapped(folder, list(options), prepare), function)
        return run
    return add


def job(client, what, tag="snap0", **arguments):
    """Does it as a job; its error, or None."""
    arguments.setdefault("devices", DISKS)
    if what != "delete":
        arguments.setdefault("vmstate", arguments["devices"][0] if arguments["devices"] else "disk0")
    client.ask("snapshot-" + what, **{"job-id": "job", "tag": tag, **arguments})
    end = time.time() + server.PATIENCE
    while True:
        info = next(j for j in client.ask("query-jobs") if j["id"] == "job")
        if info["status"] == "concluded":
            break
        assert time.time() < end, info
        time.sleep(0.01)
    assert info["type"] == "snapshot-" + what, info
    client.ask("job-dismiss", id="job")
    return info.get("error")


def events(client):
    """What has come, in words; they are forgotten."""
    words = [e["data"]["status"] if e["event"] == "JOB_STATUS_CHANGE" else e["event"] for e in client.events]
    client.events.clear()
    return words


def names(machine, disk):
    listed = json.loads(tool("snapshot", "list", "-U", "--format=json", machine.path_of(disk)))
    return [s["name"] for s in listed]


def check_images(machine):
    for disk in DISKS:
        subprocess.run([TOOL, "check", machine.path_of(disk)], check=True, stdout=subprocess.DEVNULL)


def hmp(client, line):
    return client.ask("human-monitor-command", **{"command-line": line})


# --- what QEMU's own test of these commands has (and what it had to say) ---------------------------------------------

FINE = ["created", "running", "waiting", "pending", "concluded", "null"]
BAD = ["created", "running", "aborting", "concluded", "null"]


@case("the machine is saved, loaded and the snapshot deleted, on one disk and on two")
@with_disks()
def _(machine):
    client = machine.client()
    for devices in (["disk0"], DISKS):
        for what in ("save", "load", "delete"):
            assert job(client, what, devices=devices) is None
            assert events(client) == FINE
            assert [bool(names(machine, d)) for d in devices] == [what != "delete"] * len(devices)
    client.ask("quit")
    machine.process.wait(server.PATIENCE)
    check_images(machine)


@case("what cannot have snapshots is refused with a table of all disks, and nothing has changed")
@with_disks(blockdev("disk0") + blockdev("disk1") + blockdev("raw0", "raw"))
def _(machine):
    client = machine.client()
    wrong = [
        (dict(devices=[]), "devices: at least one disk is needed"),
        (dict(devices=["disk0", "disk1729"], vmstate="disk0"),
         "there is no disk 'disk1729' (disks: disk0, disk1, raw0)"),
        (dict(devices=["disk0", "disk0"]), "devices: 'disk0' is there twice"),
        (dict(devices=["disk1"], vmstate="disk0"), "vmstate: 'disk0' is not one of the devices"),
        (dict(devices=["disk0", "raw0"]),
         "snapshot 'snap0' cannot be %s: disk 'disk0': nothing against it; disk 'raw0': it is writable, and raw: it can "
         "have no snapshots"),
    ]
    for what in ("save", "load", "delete"):
        for arguments, error in wrong:
            if what == "delete" and "vmstate:" in error:
                continue
            expected = error % {"save": "saved", "load": "loaded", "delete": "deleted"}[what] if "%s" in error else error
            arguments = {k: v for k, v in arguments.items() if what != "delete" or k != "vmstate"}
            assert job(client, what, **arguments) == expected, (what, arguments)
            assert events(client) == BAD
    assert names(machine, "disk0") == names(machine, "disk1") == []
    assert job(client, "save") is None and job(client, "load") is None
    info, = client.ask("query-snapshots")
    assert info["loadable"] and info["devices"] == DISKS and info["excluded"] == ["raw0"] and not info["missing"], info


@case("the file below a disk is not the disk")
@with_disks(["-blockdev", "driver=file,node-name=file0,filename=@disk0", "-blockdev",
             "driver=qcow2,node-name=disk0,file=file0"])
def _(machine):
    assert job(machine.client(), "save", devices=["file0"]) == \
        "snapshot 'snap0' cannot be saved: disk 'file0': it is a part of another disk"


@case("a name that is there already is refused, also if only one disk has it, unless it is to be replaced")
@with_disks(prepare=lambda machine: tool("snapshot", "create", machine.path_of("disk1"), "half"))
def _(machine):
    client = machine.client()
    assert job(client, "save") is None
    taken = "it has one of that name already, with id %s (overwrite=true replaces it)"
    assert job(client, "save") == "snapshot 'snap0' cannot be saved: disk 'disk0': %s; disk 'disk1': %s" % (
        taken % "1", taken % "2")
    assert job(client, "save", "half") == \
        "snapshot 'half' cannot be saved: disk 'disk0': nothing against it; disk 'disk1': " + taken % "1"
    before = {s["name"]: s["uuid"] for s in client.ask("query-snapshots") if s["loadable"]}
    for name in ("snap0", "half"):
        assert job(client, "save", name, overwrite=True) is None
    after = {s["name"]: s["uuid"] for s in client.ask("query-snapshots") if s["loadable"]}
    assert set(after) == {"snap0", "half"} and after["snap0"] != before["snap0"], (before, after)
    assert job(client, "delete") is None and job(client, "save") is None
    client.ask("quit")
    machine.process.wait(server.PATIENCE)
    check_images(machine)


@case("a name that is not there cannot be loaded, which does not stop the machine, and need not be deleted")
@with_disks()
def _(machine):
    client = machine.client()
    assert job(client, "save", "other") is None
    events(client)
    assert job(client, "load") == ("snapshot 'snap0' cannot be loaded: disk 'disk0': it does not have it (it has: 1 "
                                   "'other'); disk 'disk1': it does not have it (it has: 1 'other')")
    assert events(client) == BAD
    assert job(client, "delete") is None
    assert events(client) == FINE
    assert job(client, "delete", "other", devices=["disk1"]) is None
    assert job(client, "load", "other") == ("snapshot 'other' cannot be loaded: disk 'disk0': nothing against it; disk "
                                            "'disk1': it does not have it (it has: none)")
    info, = client.ask("query-snapshots")
    assert not info["loadable"] and info["reason"] == "it is not on 'disk1'", info


@case("a state of another machine is refused before a disk changes, with the device that differs")
@with_disks(blockdev("disk0") + blockdev("disk1") + ["-device", "virtio-rng-pci"])
def _(machine):
    client = machine.client()
    assert job(client, "save") is None
    client.ask("quit")
    machine.process.wait(server.PATIENCE)
    server.run_with(machine.again(other_options()), refuse_to_load)
    said = subprocess.run([server.FERRY, "-accel", "none", "-m", "16", "-nodefaults", "-display", "none", "-loadvm",
                           "snap0"] + [o.replace("@", machine.images + "/") for o in other_options()],
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=server.PATIENCE)
    assert said.returncode == 1 and said.stderr.startswith("ferry: -loadvm: snapshot 'snap0', the machine's state on "
                                                           "'disk0': "), said


def other_options():
    return blockdev("disk0") + blockdev("disk1")


def refuse_to_load(other):
    client = other.client()
    error = job(client, "load")
    assert error.startswith("snapshot 'snap0', the machine's state on 'disk0': ") and \
        "0000:00:02.0/virtio-rng" in error, error
    assert "STOP" not in events(client)
    assert names(other, "disk0") == ["snap0"]
    assert client.ask("query-status")["status"] == "prelaunch"


@case("what has another UUID, or no state of the machine, is no part of a snapshot of it")
@with_disks(prepare=lambda machine: [tool("snapshot", "create", machine.path_of(d), "disks") for d in DISKS])
def _(machine):
    client = machine.client()
    error = job(client, "load", "disks")
    assert re.fullmatch("snapshot 'disks' cannot be loaded: disk 'disk0': it has it without a state of the machine: it "
                        "is of disks only; disk 'disk1': its 'disks' is of another moment: its UUID is [0-9a-f-]{36}, "
                        "not [0-9a-f-]{36}", error), error


@case("a snapshot is called by its name, else its id, else its UUID; without a name it gets the date")
@with_disks()
def _(machine):
    client = machine.client()
    uuid = "11111111-2222-4333-8444-555555555555"
    assert job(client, "save", "2") is None
    assert job(client, "save", "b", uuid=uuid) is None
    assert job(client, "save", "c", uuid=uuid) == "uuid: disk 'disk0' has it already: snapshot 'b'"
    assert server_error(client, "snapshot-save", **{"job-id": "x", "uuid": "none"}) == "uuid: 'none' is no UUID"
    for tag in ("2", "1", "b", uuid):
        assert job(client, "load", tag) is None, tag
    current = {s["name"]: s.get("parent-uuid") for s in client.ask("query-snapshots")}
    client.ask("snapshot-save")
    made = [s for s in client.ask("query-snapshots") if s["name"] not in current]
    assert len(made) == 1 and re.fullmatch(r"vm-\d{14}", made[0]["name"]) and made[0]["parent-uuid"] == uuid, made


def server_error(client, command, **arguments):
    return client.refused({"execute": command, "arguments": arguments})["desc"]


@case("children are kept: their parent is not deleted, or they get another one")
@with_disks()
def _(machine):
    client = machine.client()
    for name in "abc":
        assert job(client, "save", name) is None
    error = job(client, "delete", "b", orphans="refuse")
    assert error == ("snapshot 'b' cannot be deleted: disk 'disk0': it has children there: 3 'c'; disk 'disk1': it has "
                     "children there: 3 'c'")
    assert job(client, "delete", "b") is None
    found = {s["name"]: s for s in client.ask("query-snapshots")}
    assert found["c"]["parent-uuid"] == found["a"]["uuid"], found
    assert job(client, "delete", "c", orphans="refuse") is None


@case("people save, load and delete as they are used to, and replace what has that name")
@with_disks()
def _(machine):
    client = machine.client()
    assert hmp(client, "savevm one") == hmp(client, "savevm one") == hmp(client, "savevm -z two") == ""
    assert hmp(client, "loadvm one") == hmp(client, "delvm two") == ""
    assert hmp(client, "loadvm two").startswith("Error: snapshot 'two' cannot be loaded: disk 'disk0': it does not")
    assert [s["name"] for s in client.ask("query-snapshots")] == ["one"]
    assert "one" in hmp(client, "info snapshots")


@case("while one job is at work others wait for their turn, and a cancelled one leaves nothing")
@with_disks()
def _(machine):
    client = machine.client()
    client.send({"execute": "snapshot-save", "arguments": {"job-id": "a", "tag": "a"}})
    client.send({"execute": "job-pause", "arguments": {"id": "a"}})
    assert client.answer() == client.answer() == {"return": {}}
    while client.ask("query-jobs")[0]["status"] not in ("paused", "concluded"):
        time.sleep(0.01)
    if client.ask("query-jobs")[0]["status"] == "paused":  # it may have been too quick
        client.ask("job-cancel", id="a")
        while client.ask("query-jobs")[0]["status"] != "concluded":
            time.sleep(0.01)
        assert client.ask("query-jobs")[0]["error"] == "the job 'a' was cancelled"
        assert names(machine, "disk0") == names(machine, "disk1") == []
    client.ask("job-dismiss", id="a")
    assert job(client, "save", "b") is None
    client.ask("quit")
    machine.process.wait(server.PATIENCE)
    for disk in DISKS:
        subprocess.run([TOOL, "check", machine.path_of(disk)], check=False, stdout=subprocess.DEVNULL)


@case("only what says what it is can be compressed")
@with_disks()
def _(machine):
    client = machine.client()
    assert server_error(client, "snapshot-save", **{"job-id": "x", "compress": "zstd"}) == \
        "compress: only format 'ber' can be compressed, QEMU could not read the other one"
    assert job(client, "save", format="ber", compress="zstd") is None and job(client, "load") is None


# --- a guest that checks itself --------------------------------------------------------------------------------------

def drives():
    """The same for both programs."""
    return ["-cpu", "qemu64,-sse3", "-m", "64", "-nodefaults", "-display", "none", "-no-reboot",
            "-drive", "file=@disk0,if=ide,format=qcow2", "-drive", "file=@disk1,if=none,id=disk1,format=qcow2",
            "-device", "virtio-blk-pci,drive=disk1", "-kernel", WITNESS, "-append", "every=10",
            "-bios", "qboot.rom", "-serial", "file:@serial"]


class Guest:
    """ferry or QEMU with the witness in it."""

    def __init__(self, program, folder, more=()):
        self.folder = folder
        self.socket = os.path.join(folder, "qmp")
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        words = [o.replace("@", folder + "/") for o in drives() + list(more)]
        if program == QEMU:
            words += ["-machine", "pc-i440fx-7.2", "-vga", "none"]
        self.log = open(os.path.join(folder, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([program, "-accel", "kvm", "-qmp", "unix:%s,server=on,wait=off" % self.socket] +
                                        words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.client = Client(self.socket)

    def lines(self):
        with open(os.path.join(self.folder, "serial"), encoding="latin-1") as file:
            lines = [l for l in file.read().splitlines() if l.startswith("witness")]
        assert not [l for l in lines if "FAILED" in l], lines[-1]
        return [l for l in lines if l.endswith(" ok")]

    def works(self, rounds=3):
        """So many more lines come."""
        before, end = len(self.lines()), time.time() + server.PATIENCE
        while len(self.lines()) < before + rounds:
            assert time.time() < end and self.process.poll() is None, (self.lines()[-1:], self.said())
            time.sleep(0.05)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def end(self):
        self.client.ask("quit")
        assert self.process.wait(server.PATIENCE) == 0 and self.said() == "", self.said()
        self.log.close()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def guests(*programs):
    """The case gets a function that starts a program in a folder of its own."""
    def add(function):
        def run(folder):
            folder = tempfile.mkdtemp(dir=folder)
            for name in DISKS:
                tool("create", os.path.join(folder, name), "64M")
            started = []

            def start(program, *more):
                started.append(Guest(program, folder, more))
                return started[-1]
            try:
                function(start)
            finally:
                for guest in started:
                    guest.kill()
            for name in DISKS:
                subprocess.run([TOOL, "check", os.path.join(folder, name)], check=True, stdout=subprocess.DEVNULL)
        return run
    return add


def kvm_case(sentence):
    if os.access("/dev/kvm", os.R_OK | os.W_OK) and os.path.exists(WITNESS):
        return case(sentence)
    return lambda function: function


@kvm_case("a guest at work is saved while it goes on, loaded, and finds nothing amiss, in both formats")
@guests()
def _(start):
    guest = start(server.FERRY)
    guest.works()
    for number, options in enumerate(({}, {"format": "ber"}, {"format": "ber", "compress": "zstd"}, {"live": False})):
        name = "s%d" % number
        guest.client.events.clear()
        assert job(guest.client, "save", name, devices=["disk1"] + [guest_disk(guest)], **options) is None
        stopped = [e for e in events(guest.client) if e in ("STOP", "RESUME")]
        assert stopped == (["STOP", "RESUME"] if options.get("live") is False else []), stopped
        guest.works(2)
    for number in (1, 0, 3, 2):
        assert job(guest.client, "load", "s%d" % number, devices=["disk1"] + [guest_disk(guest)]) is None
        assert [e for e in events(guest.client) if e in ("STOP", "RESUME")] == ["STOP", "RESUME"]
        guest.works(2)
    guest.end()
    guest = start(server.FERRY, "-loadvm", "s2")
    guest.works()
    guest.end()


def guest_disk(guest):
    return next(b["device"] for b in guest.client.ask("query-block") if b["device"] != "disk1" and "inserted" in b)


def clocks(guest, tag):
    """(what kvmclock, the RTC show) when that was saved, in seconds."""
    said = subprocess.run([os.path.join(sys.argv[1], "vmstate-dump"), "--format=json",
                           "--snapshot=" + tag, os.path.join(guest.folder, "disk1")], check=True, capture_output=True, text=True).stdout
    kvm = re.search(r'"clock": "?(\d+)', said)
    rtc = [int(re.search(r'"%s": "?(-?\d+)' % name, said).group(1)) for name in ("base_rtc", "last_update", "offset")]
    date = next(s["date-sec"] + s["date-nsec"] / 1e9 for s in guest.client.ask("query-snapshots") if s["name"] == tag)
    return int(kvm.group(1)) / 1e9, rtc[0] + date - (rtc[1] - rtc[2]) / 1e9


@kvm_case("the guest's clocks stand, go on, or go on as QEMU has them, by what is asked for")
@guests()
def _(start):
    guest = start(server.FERRY)
    disks = ["disk1", guest_disk(guest)]
    guest.works()
    guest.client.ask("stop")
    assert job(guest.client, "save", "s", devices=disks) is None
    kvm, rtc = clocks(guest, "s")
    begin = time.time()
    time.sleep(3)
    for clock, kvm_goes, rtc_goes in (("keep", False, False), ("advance", True, True), (None, False, True)):
        options = {"clock": clock} if clock else {}
        assert job(guest.client, "load", "s", devices=disks, **options) is None
        loaded = time.time() - begin
        assert job(guest.client, "save", "after", devices=disks, overwrite=True) is None
        saved = time.time() - begin
        now = clocks(guest, "after")
        for shown, before, goes in ((now[0], kvm, kvm_goes), (now[1], rtc, rtc_goes)):
            least = 2.5 if goes else 0
            most = saved + 0.5 if goes else saved - loaded + 2  # from the load on the RTC goes
            assert least <= shown - before <= most, (clock, shown, before, loaded, saved)
        guest.client.ask("cont")
        guest.works()
        guest.client.ask("stop")
    guest.end()


if QEMU:
    @kvm_case("QEMU loads what was saved here, and what QEMU has saved is loaded here, the guest going on")
    @guests()
    def _(start):
        guest = start(server.FERRY)
        guest.works()
        assert hmp(guest.client, "savevm ours") == ""
        guest.end()
        guest = start(QEMU, "-loadvm", "ours")
        guest.works()
        assert hmp(guest.client, "savevm theirs") == ""
        guest.works(1)
        guest.end()
        guest = start(server.FERRY, "-loadvm", "theirs")
        guest.works()
        assert {s["name"]: s["loadable"] for s in guest.client.ask("query-snapshots")} == {"ours": True, "theirs": True}
        assert hmp(guest.client, "loadvm ours") == ""
        guest.works()
        guest.end()


if __name__ == "__main__":
    sys.exit(server.main())
