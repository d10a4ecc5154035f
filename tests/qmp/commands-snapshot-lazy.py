"""commands-snapshot-lazy.py: snapshots whose memory comes while the guest runs. Cases for
test-commands-snapshot-lazy.sh."""
import importlib
import os
import sys
import time

import server
from server import case

snapshot = importlib.import_module("commands-snapshot")
server.CASES.clear()
Guest, guests, job, hmp, events, tool = (getattr(snapshot, n) for n in "Guest guests job hmp events tool".split())
kvm_case, guest_disk = snapshot.kvm_case, snapshot.guest_disk
BIOS = "/usr/share/qemu/qboot.rom"


def error_case(sentence):
    """
    While a device, or the kernel for a processor, waits for a page that cannot be read, the monitor may have to wait,
    too: then these fail, about one time in ten (emu/ferry.1, BUGS).
    """
    if os.environ.get("LAZY_ERRORS"):
        return kvm_case(sentence)

    def skip(_folder):
        raise server.Skipped("the monitor may have to wait for such a page; LAZY_ERRORS=1 runs it")
    return lambda _function: case(sentence)(skip)


def last_load(guest):
    return guest.client.ask("query-snapshot-load")


def wait(what, seconds=server.PATIENCE):
    end = time.time() + seconds
    while not what():
        assert time.time() < end
        time.sleep(0.01)


def disks(guest):
    return ["disk1", guest_disk(guest)]


def start_load(guest, tag, **arguments):
    guest.client.ask("snapshot-load", **{"job-id": "job", "tag": tag, "vmstate": "disk1", "devices": disks(guest),
                                         "lazy": True, **arguments})


def status(guest):
    return guest.client.ask("query-status")["status"]


class Damage:
    """A page of a state is not what it was: that of the guest's memory which has `octets`."""

    def __init__(self, guest, octets):
        self.path, self.octets = os.path.join(guest.folder, "disk1"), octets
        with open(self.path, "rb") as file:
            self.at = file.read().rindex(octets)
        self.write(bytes(x ^ 0xff for x in octets))

    def write(self, octets):
        with open(self.path, "r+b") as file:
            file.seek(self.at)
            file.write(octets)

    def repair(self):
        self.write(self.octets)


def untouched():
    """Something that the guest never looks at when it runs: the firmware."""
    with open(BIOS, "rb") as file:
        data = file.read()
    pieces = [data[at:at + 64] for at in range(0, len(data), 64)]
    return max(pieces, key=lambda piece: len(set(piece)))


def code():
    """A piece of the program that the guest's processor executes; it all comes at once."""
    with open(snapshot.WITNESS, "rb") as file:
        return file.read()[0x7000:0x7040]


def start_damaged(start, piece):
    """A guest is saved, and loaded while that piece of its memory is not as it was: it stands."""
    guest = start(server.FERRY)
    guest.works()
    assert job(guest.client, "save", "s", devices=disks(guest), vmstate="disk1") is None
    damage = Damage(guest, piece)
    guest.client.events.clear()
    start_load(guest, "s")
    wait(lambda: status(guest) == "io-error")
    return guest, damage


@kvm_case("memory comes while the guest runs and checks itself, in all formats, and again in a new process")
@guests()
def _(start):
    guest = start(server.FERRY)
    guest.works()
    assert last_load(guest) == {"status": "none", "lazy": False}
    for number, options in enumerate(({}, {"format": "ber"}, {"format": "ber", "compress": "zstd"})):
        assert job(guest.client, "save", "s%d" % number, devices=disks(guest), **options) is None
        guest.works(2)
    for number in (1, 0, 2):
        guest.client.events.clear()
        assert job(guest.client, "load", "s%d" % number, devices=disks(guest), lazy=True) is None
        assert [e for e in events(guest.client) if e in ("STOP", "RESUME")] == ["STOP", "RESUME"]
        info = last_load(guest)
        assert info["status"] == "completed" and info["lazy"] and "reason" not in info and "error" not in info, info
        assert info["octets-left"] == 0 < info["octets"] and info["faults"] > 0, info
        assert 0 < info["stood"] < info["first-instruction"] < info["last-page"], info
        guest.works(2)
    assert hmp(guest.client, "loadvm -l s1") == ""
    wait(lambda: last_load(guest)["status"] == "completed" and last_load(guest)["job-id"] == "loadvm")
    guest.works(2)
    guest.end()
    guest = start(server.FERRY, "-S")
    assert job(guest.client, "load", "s0", devices=disks(guest), lazy=True) is None
    assert status(guest) == "prelaunch"
    guest.client.ask("cont")
    guest.works()
    guest.end()


@kvm_case("what is loaded lazily and eagerly is the same, octet by octet")
@guests()
def _(start):
    guest = start(server.FERRY)
    guest.works()
    guest.client.ask("stop")
    for number, options in enumerate(({}, {"format": "ber", "compress": "zstd"})):
        found = []
        assert job(guest.client, "save", "s%d" % number, devices=disks(guest), **options) is None
        for lazy in (False, True):
            guest.client.ask("system_reset")
            assert job(guest.client, "load", "s%d" % number, devices=disks(guest), lazy=lazy) is None
            path = os.path.join(guest.folder, "memory")
            guest.client.ask("pmemsave", val=0, size=64 << 20, filename=path)
            with open(path, "rb") as file:
                found.append(file.read())
        assert found[0] == found[1] and any(found[0]), number
    guest.end()


@kvm_case("a page that cannot be read stops the machine, which goes on where it was when it can be")
@guests()
def _(start):
    guest, damage = start_damaged(start, untouched())
    info = last_load(guest)
    assert info["status"] == "filling" and info["octets-left"] > 0 and "last-page" not in info, info
    assert "have changed since they were written" in info["error"], info
    # nothing that needs all of the memory, or the snapshot
    busy = "'job' is at work on snapshots, and one is at a time"
    disk = disks(guest)
    for what, arguments in (("save", {"vmstate": "disk1"}), ("load", {"vmstate": "disk1"}), ("delete", {})):
        guest.client.ask("snapshot-" + what, **{"job-id": "other", "tag": "s", "devices": disk, **arguments})
        wait(lambda: [j for j in guest.client.ask("query-jobs") if j["id"] == "other"][0]["status"] == "concluded")
        error = [j for j in guest.client.ask("query-jobs") if j["id"] == "other"][0]["error"]
        assert error == busy, (what, error)
        guest.client.ask("job-dismiss", id="other")
    assert "'job' is at work on snapshots" in snapshot.server_error(guest.client, "migrate", uri="file:/dev/null")
    assert "cannot be cancelled any more" in snapshot.server_error(guest.client, "job-cancel", id="job")
    guest.client.ask("cont")
    wait(lambda: status(guest) == "io-error")
    assert last_load(guest)["status"] == "filling"
    damage.repair()
    guest.client.ask("cont")
    wait(lambda: last_load(guest)["status"] == "completed")
    assert status(guest) == "running" and "error" not in last_load(guest)
    guest.works()
    assert "pages of snapshot 's' cannot be read; 'cont' tries again" in guest.said()
    guest.client.ask("quit")
    assert guest.process.wait(server.PATIENCE) == 0


@error_case("a processor that needs a page that cannot be read waits for it, executing nothing else")
@guests()
def _(start):
    guest, damage = start_damaged(start, code())
    before = len(guest.lines())
    guest.client.ask("cont")
    wait(lambda: status(guest) == "io-error")
    assert len(guest.lines()) == before
    damage.repair()
    guest.client.ask("cont")
    guest.works()
    wait(lambda: last_load(guest)["status"] == "completed")
    guest.client.ask("quit")
    assert guest.process.wait(server.PATIENCE) == 0


@error_case("a program can end while pages are owed")
@guests()
def _(start):
    guest, damage = start_damaged(start, untouched())
    guest.client.ask("quit")
    assert guest.process.wait(server.PATIENCE) == 0
    damage.repair()
    damage = Damage(guest, code())
    guest = start(server.FERRY)
    start_load(guest, "s")
    guest.client.ask("cont")
    wait(lambda: status(guest) == "io-error")
    guest.client.ask("quit")
    assert guest.process.wait(server.PATIENCE) == 0
    damage.repair()
    guest = start(server.FERRY)
    start_load(guest, "s")
    guest.works()
    guest.end()


@kvm_case("without an index that is sound all is read first, and that is said")
@guests()
def _(start):
    guest = start(server.FERRY)
    guest.works()
    assert job(guest.client, "save", "s", devices=disks(guest), vmstate="disk1") is None
    damage = Damage(guest, b"FRRYRMAX\0\0\0\1")
    assert job(guest.client, "load", "s", devices=disks(guest), vmstate="disk1", lazy=True) is None
    info = last_load(guest)
    assert info["status"] == "completed" and not info["lazy"] and info["first-instruction"] == info["last-page"], info
    assert info["reason"] == ("the index of its pages: it has changed since it was written (its digest is another "
                              "one)"), info
    guest.works()
    damage.repair()
    guest.end()
    if snapshot.QEMU:
        guest = start(snapshot.QEMU)
        guest.works()
        assert hmp(guest.client, "savevm theirs") == ""
        guest.end()
        guest = start(server.FERRY)
        assert job(guest.client, "load", "theirs", devices=disks(guest)[::-1], lazy=True) is None
        assert last_load(guest)["reason"] == "the index of its pages: there is none"
        guest.works()
        guest.end()


@kvm_case("a state of another machine is refused before anything changes, lazily, too")
@guests()
def _(start):
    guest = start(server.FERRY)
    guest.works()
    assert job(guest.client, "save", "s", devices=disks(guest), vmstate="disk1") is None
    guest.end()
    guest = start(server.FERRY, "-device", "virtio-rng-pci")
    guest.works()
    error = job(guest.client, "load", "s", devices=disks(guest), vmstate="disk1", lazy=True)
    assert error.startswith("snapshot 's', the machine's state on 'disk1': ") and "virtio-rng" in error, error
    assert last_load(guest)["status"] == "failed"
    guest.works()
    assert "job-id is missing" in snapshot.server_error(guest.client, "snapshot-load", tag="s", lazy=True)
    guest.end()


if __name__ == "__main__":
    sys.exit(server.main())
