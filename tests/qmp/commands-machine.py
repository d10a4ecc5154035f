"""commands-machine.py: what clients ask of the machine, its processors, devices and objects. Cases for
test-commands-machine.sh; speaks TAP. What must be equal is what QEMU 7.2 answers for the same options.

No guest runs: the machine stands at its start, without processors.
"""
import os
import sys

import server
from server import with_machine

server.CASES.clear()
case = server.case
DEVICES = ["-smp", "2", "-chardev", "ringbuf,id=c0", "-device", "isa-serial,chardev=c0,id=ser0",
           "-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,id=net0,romfile=",
           "-object", "rng-random,id=r0,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=r0"]


def refused(client, command, **arguments):
    error = client.refused({"execute": command, "arguments": arguments})
    return error["class"], error["desc"]


@case("the machine tells what it is")
@with_machine()
def _(machine):
    client = machine.client()
    assert client.ask("query-target") == {"arch": "x86_64"}
    kinds = client.ask("query-machines")
    assert [(k["name"], k.get("alias"), k.get("is-default", False), k.get("default-ram-id")) for k in kinds] == [
        ("pc-i440fx-7.2", "pc", True, "pc.ram"), ("none", None, False, None)], kinds
    assert client.ask("query-memory-size-summary") == {"base-memory": 16 << 20, "plugged-memory": 0}
    assert client.ask("query-memdev") == [{
        "id": "pc.ram", "size": 16 << 20, "merge": True, "dump": True, "prealloc": False, "share": False,
        "reserve": True, "host-nodes": [], "policy": "default"}]
    assert client.ask("x-query-numa") == {"human-readable-text": "0 nodes\n"}
    text = client.ask("x-query-ramblock")["human-readable-text"]
    assert text.splitlines()[1] == ("                  pc.ram    4 KiB  0x0000000000000000 0x0000000001000000 "
                                    "0x0000000001000000"), text
    for command, arguments in (("query-balloon", {}), ("balloon", {"value": 1})):
        assert refused(client, command, **arguments) == ("DeviceNotActive", "No balloon device has been activated")
    assert client.ask("inject-nmi") == {}




@case("a machine that never runs answers what programs ask before they make one")
@with_machine(options=["-machine", "none"])
def _(machine):
    client = machine.client()
    assert client.ask("query-status")["status"] == "prelaunch"
    assert client.ask("qom-get", path="/machine", property="type") == "none-machine"
    assert {"capability": "events", "state": False} in client.ask("query-migrate-capabilities")
    assert client.ask("qom-list-properties", typename="none-machine") == [{"name": "type", "type": "string"}]
    assert "hugetlb" in [p["name"] for p in client.ask("qom-list-properties", typename="memory-backend-memfd")]
    assert refused(client, "cont") == ("GenericError", "a machine of type 'none' never runs")


@case("what libvirt always gives a machine is there")
@with_machine(options=["-object", "secret,id=key,data=x", "-object", "iothread,id=t0", "-overcommit", "mem-lock=off",
                       "-audiodev", '{"id": "audio1", "driver": "none"}', "-msg", "timestamp=on,guest-name=on"])
def _(machine):
    client = machine.client()
    assert client.ask("qom-get", path="/objects/key", property="type") == "secret"
    (thread,) = client.ask("query-iothreads")
    assert thread["id"] == "t0" and thread["thread-id"] == machine.process.pid, thread


@case("memory goes to a file, by physical and by linear addresses")
@with_machine()
def _(machine):
    client = machine.client()
    name = os.path.join(machine.folder, "memory")
    bios = b"\xea\x5b\xe0\x00\xf0"  # the jump at the reset vector of SeaBIOS
    for command in ("pmemsave", "memsave"):
        client.ask(command, val=0xffff0, size=5, filename=name)
        with open(name, "rb") as f:
            assert f.read() == bios, command
    client.ask("pmemsave", val=0xf0000000, size=4097, filename=name)
    with open(name, "rb") as f:
        assert f.read() == b"\xff" * 4097
    assert refused(client, "memsave", val=0, size=1, filename=name, **{"cpu-index": 1}) == (
        "GenericError", "Parameter 'cpu-index' expects a CPU number")
    assert refused(client, "pmemsave", val=0, size=1, filename="/nowhere/x") == (
        "GenericError", "Could not open '/nowhere/x': No such file or directory")
    assert refused(client, "pmemsave", val=0, size=-1, filename=name)[0] == "GenericError"


@case("processors are where QEMU has them")
@with_machine(options=["-smp", "4,sockets=2,cores=1,threads=2"])
def _(machine):
    client = machine.client()
    cpus = client.ask("query-cpus-fast")
    assert [c["qom-path"] for c in cpus] == ["/machine/unattached/device[%d]" % n for n in (0, 2, 3, 4)], cpus
    assert cpus[3]["props"] == {"socket-id": 1, "core-id": 0, "thread-id": 1} and cpus[3]["cpu-index"] == 3
    assert all(c["target"] == "x86_64" and c["thread-id"] for c in cpus)
    places = client.ask("query-hotpluggable-cpus")
    assert places[0] == {"type": "qemu64-x86_64-cpu", "vcpus-count": 1, "props": cpus[3]["props"],
                         "qom-path": cpus[3]["qom-path"]}, places
    models = {m["name"]: m for m in client.ask("query-cpu-definitions")}
    assert set(models) == {"base", "host", "kvm64", "max", "qemu64"} and models["base"]["static"]
    assert not models["host"]["migration-safe"] and models["kvm64"]["typename"] == "kvm64-x86_64-cpu"
    assert refused(client, "query-cpu-model-expansion", type="full", model={"name": "x"}) == (
        "GenericError", "CPU model 'x' not found")


@case("the PCI bus is told as QEMU tells it")
@with_machine(options=DEVICES)
def _(machine):
    bus, = machine.client().ask("query-pci")
    assert bus["bus"] == 0
    assert [(d["slot"], d["function"], d["qdev_id"]) for d in bus["devices"]] == [
        (0, 0, ""), (1, 0, ""), (1, 1, ""), (1, 3, ""), (2, 0, "net0"), (3, 0, "")]
    assert bus["devices"][4] == {
        "irq_pin": 1, "bus": 0, "qdev_id": "net0", "irq": 0, "slot": 2, "function": 0,
        "class_info": {"class": 512, "desc": "Ethernet controller"},
        "id": {"device": 4096, "subsystem-vendor": 6900, "vendor": 6900, "subsystem": 1},
        "regions": [{"bar": 0, "size": 32, "address": -1, "type": "io"},
                    {"prefetch": False, "mem_type_64": False, "bar": 1, "size": 4096, "address": -1, "type": "memory"},
                    {"prefetch": True, "mem_type_64": True, "bar": 4, "size": 16384, "address": -1,
                     "type": "memory"}]}, bus["devices"][4]


@case("objects have QEMU's paths, types and places")
@with_machine(options=DEVICES)
def _(machine):
    client = machine.client()

    def get(path, name):
        return client.ask("qom-get", path=path, property=name)

    assert [p["name"] for p in client.ask("qom-list", path="/machine/peripheral")] == ["type", "ser0", "net0"]
    assert get("/machine", "type") == "pc-i440fx-7.2-machine"
    assert get("/machine", "memory-backend") == "/objects/pc.ram"
    assert get("/machine/", "smp")["cpus"] == 2
    assert get("/machine//peripheral/net0", "parent_bus") == "/machine/i440fx/pci.0"
    assert get("net0", "legacy-addr") == "02.0" and get("net0", "addr") == 16 and get("net0", "realized") is True
    assert get("net0", "mac") == "52:54:00:12:34:56" and get("net0", "netdev") == "n0"
    assert get("/machine/peripheral-anon/device[0]", "type") == "virtio-rng-pci"
    assert get("/objects/r0", "filename") == "/dev/urandom" and get("/chardevs/c0", "type") == "chardev-ringbuf"
    assert get("/machine/peripheral/ser0", "parent_bus").endswith("/isa.0") and get("isa.0", "type") == "ISA"
    assert refused(client, "qom-list", path="/x") == ("DeviceNotFound", "Device '/x' not found")
    assert refused(client, "qom-list", path="") == ("GenericError", "Path '' is ambiguous")
    assert refused(client, "qom-get", path="/machine", property="x") == (
        "GenericError", "Property 'pc-i440fx-7.2-machine.x' not found")
    assert refused(client, "qom-set", path="/machine", property="type", value="x") == (
        "GenericError", "Property 'pc-i440fx-7.2-machine.type' is not writable")
    assert "after it was realized" in refused(client, "qom-set", path="net0", property="mac", value="x")[1]


@case("types have ancestors, and those that can be made have options")
@with_machine()
def _(machine):
    client = machine.client()
    types = {t["name"]: t for t in client.ask("qom-list-types", implements="pci-device")}
    assert types["virtio-net-pci"] == {"name": "virtio-net-pci", "parent": "virtio-net-pci-base"}
    assert "pci-device" not in types and "isa-serial" not in types
    assert client.ask("qom-list-types", implements="x") == []
    options = {p["name"]: p for p in client.ask("device-list-properties", typename="virtio-net-pci")}
    assert options["addr"]["default-value"] == -1 and options["bootindex"]["type"] == "int32", options
    assert refused(client, "device-list-properties", typename="x") == ("DeviceNotFound", "Device 'x' not found")
    assert refused(client, "device-list-properties", typename="machine") == (
        "GenericError", "Parameter 'typename' expects a non-abstract device type")
    assert refused(client, "qom-list-properties", typename="x") == ("DeviceNotFound", "Class 'x' not found")
    kinds = {d["name"]: d for d in client.ask("query-qdm")}
    assert kinds["ide-hd"]["bus"] == "IDE" and kinds["virtio-blk-pci"]["bus"] == "PCI", kinds
    assert client.ask("query-qdm", name="ide-cd") == [kinds["ide-cd"]]
    assert refused(client, "query-qdm", name="x")[0] == "DeviceNotFound"


@case("before the machine runs cards come and go")
@with_machine(options=DEVICES)
def _(machine):
    client = machine.client()
    before = client.ask("query-pci")
    for _ in range(3):
        client.ask("device_add", driver="virtio-rng-pci", id="more", addr="7")
        assert [d["slot"] for d in client.ask("query-pci")[0]["devices"]][-1] == 7
        assert client.ask("qom-get", path="more", property="hotplugged") is True
        assert refused(client, "device_add", driver="virtio-rng-pci", id="more") == (
            "GenericError", "Duplicate device ID 'more'")
        client.ask("device_del", id="more")
        assert client.event("DEVICE_DELETED")["data"] == {"device": "more", "path": "/machine/peripheral/more"}
    assert client.ask("query-pci") == before
    client.ask("device_del", id="net0")
    client.ask("device_add", driver="virtio-net-pci", id="net0", netdev="n0")
    assert refused(client, "device_del", id="x") == ("DeviceNotFound", "Device 'x' not found")
    assert refused(client, "device_del", id="ser0") == ("GenericError", "Bus 'isa.0' does not support hotplugging")
    assert refused(client, "device_add") == ("GenericError", "Parameter 'driver' is missing")
    assert refused(client, "device_add", driver="x") == ("GenericError", "'x' is not a valid device model name")
    assert refused(client, "device_add", driver="virtio-rng-pci", bus="b") == ("GenericError", "Bus 'b' not found")
    assert "taken" in refused(client, "device_add", driver="virtio-rng-pci", addr="1")[1]
    assert "there is no network" in refused(client, "device_add", driver="virtio-net-pci", netdev="x")[1]


@case("once the machine runs a card that shall go stays until the guest answers, or is reset")
@with_machine(options=DEVICES)
def _(machine):
    client = machine.client()
    client.ask("cont")
    client.ask("netdev_add", type="user", id="n9")
    client.ask("device_add", driver="virtio-net-pci", id="late", netdev="n9", addr="9", romfile="")
    assert [d["slot"] for d in client.ask("query-pci")[0]["devices"]][-1] == 9
    assert "function 0" in refused(client, "device_add", driver="virtio-rng-pci", addr="a.1")[1]
    client.ask("device_del", id="late")
    client.ask("device_del", id="late")  # QEMU, too, lets it be asked again
    assert refused(client, "netdev_del", id="n9") == ("GenericError", "the network 'n9' is in use by a card")
    assert not [e for e in client.events if e["event"] == "DEVICE_DELETED"]
    client.ask("system_reset")
    assert client.event("DEVICE_DELETED")["data"] == {"device": "late", "path": "/machine/peripheral/late"}
    client.ask("netdev_del", id="n9")
    assert refused(client, "device_del", id="late")[0] == "DeviceNotFound"


@case("objects come and go, unless they are used")
@with_machine(options=DEVICES)
def _(machine):
    client = machine.client()
    client.ask("object-add", id="m", size=1 << 20, **{"qom-type": "memory-backend-ram"})
    assert [m["id"] for m in client.ask("query-memdev")] == ["m", "pc.ram"]
    assert client.ask("qom-get", path="/objects/m", property="size") == 1 << 20
    assert "duplicate" in refused(client, "object-add", id="m", **{"qom-type": "iothread"})[1]
    for wrong in ({"qom-type": "rng-random", "filename": "/none/x"},
                  {"qom-type": "memory-backend-file", "size": 4096, "mem-path": "/none/x"}):
        assert refused(client, "object-add", id="n", **wrong) == (
            "GenericError", "Could not open '/none/x': No such file or directory")
    client.ask("object-del", id="m")
    assert refused(client, "object-del", id="m") == ("GenericError", "object 'm' not found")
    assert refused(client, "object-del", id="r0") == ("GenericError", "object 'r0' is in use, can not be deleted")


@case("virtio devices show what is in them")
@with_machine(options=DEVICES)
def _(machine):
    client = machine.client()
    devices = client.ask("x-query-virtio")
    assert devices == [{"name": "virtio-rng", "path": "/machine/peripheral-anon/device[0]/virtio-backend"},
                       {"name": "virtio-net", "path": "/machine/peripheral/net0/virtio-backend"}], devices
    status = client.ask("x-query-virtio-status", path=devices[1]["path"])
    assert status["num-vqs"] == 3 and status["device-id"] == 1 and status["status"] == {"statuses": []}, status
    assert not status["started"] and not status["broken"] and status["device-endian"] == "little"
    queue = client.ask("x-query-virtio-queue-status", path=devices[1]["path"], queue=1)
    assert queue == {"name": "virtio-net", "queue-index": 1, "inuse": 0, "vring-num": 256, "vring-num-default": 256,
                     "vring-align": 4096, "vring-desc": 0, "vring-avail": 0, "vring-used": 0, "last-avail-idx": 0,
                     "shadow-avail-idx": 0, "used-idx": 0, "signalled-used": 0, "signalled-used-valid": False}, queue
    assert refused(client, "x-query-virtio-queue-status", path=devices[1]["path"], queue=99) == (
        "GenericError", "Invalid virtqueue number 99")
    assert refused(client, "x-query-virtio-status", path="/machine") == (
        "GenericError", "Path /machine is not a VirtIODevice")
    assert "set it up" in refused(client, "x-query-virtio-queue-element", path=devices[1]["path"], queue=0)[1]


@case("keys are pressed and let go, and there is no screen")
@with_machine()
def _(machine):
    client = machine.client()
    client.ask("send-key", keys=[{"type": "qcode", "data": "ctrl"}, {"type": "number", "data": 30}], **{"hold-time": 1})
    client.ask("send-key", keys=[])
    name = os.path.join(machine.folder, "screen")
    assert refused(client, "screendump", filename=name) == (
        "GenericError", "There is no console to take a screendump from")
    assert refused(client, "screendump", filename=name, head=1) == (
        "GenericError", "'head' must be specified together with 'device'")


@case("memory goes to a core file")
@with_machine(options=["-smp", "2"])
def _(machine):
    client = machine.client()
    name = os.path.join(machine.folder, "core")
    assert client.ask("query-dump") == {"status": "none", "completed": 0, "total": 0}
    assert client.ask("query-dump-guest-memory-capability") == {"formats": ["elf"]}
    client.ask("dump-guest-memory", paging=False, protocol="file:" + name)
    done = client.event("DUMP_COMPLETED")["data"]["result"]
    assert client.ask("query-dump") == done and done["completed"] == done["total"] >= 16 << 20, done
    with open(name, "rb") as f:
        core = f.read()
    assert core[:6] == b"\x7fELF\x02\x01" and core[16] == 4 and core[18] == 62
    count = int.from_bytes(core[56:58], "little")
    segments = [[int.from_bytes(core[64 + 56 * n + at:][:size], "little") for at, size in
                 ((0, 4), (8, 8), (24, 8), (32, 8))] for n in range(count)]
    assert segments[0][0] == 4 and segments[0][3] == 2 * 356, segments
    place, = [s for s in segments[1:] if s[2] <= 0xffff0 < s[2] + s[3]]
    assert core[place[1] + 0xffff0 - place[2]:][:5] == b"\xea\x5b\xe0\x00\xf0"
    client.ask("dump-guest-memory", paging=False, protocol="file:" + name, begin=0x1000, length=4096)
    assert client.event("DUMP_COMPLETED")["data"]["result"]["total"] == 4096
    for arguments, text in (({"protocol": "x:y"}, "Invalid parameter 'protocol'"),
                            ({"protocol": "file:" + name, "begin": 0}, "Parameter 'length' is missing"),
                            ({"protocol": "file:/nowhere/x"}, "Could not open '/nowhere/x': No such file or directory"),
                            ({"protocol": "file:" + name, "begin": 1 << 40, "length": 1},
                             "dump: no guest memory to dump")):
        assert refused(client, "dump-guest-memory", paging=False, **arguments) == ("GenericError", text), text


@case("options of the command line are known, and descriptors do not come along")
@with_machine()
def _(machine):
    client = machine.client()
    options = {o["option"]: {p["name"]: p["type"] for p in o["parameters"]}
               for o in client.ask("query-command-line-options")}
    assert options["smp-opts"]["cores"] == "number" and options["machine"]["usb"] == "boolean", options
    assert options["memory"]["size"] == "size" and options["device"] == {}, options
    assert [o["option"] for o in client.ask("query-command-line-options", option="rtc")] == ["rtc"]
    assert refused(client, "query-command-line-options", option="x") == ("GenericError", "invalid option name: x")
    assert client.ask("query-fdsets") == []
    assert refused(client, "closefd", fdname="x") == ("GenericError", "File descriptor named 'x' not found")
    assert refused(client, "remove-fd", **{"fdset-id": 1}) == (
        "GenericError", "File descriptor named 'fdset-id:1' not found")
    assert "SCM_RIGHTS" in refused(client, "getfd", fdname="x")[1] and "SCM_RIGHTS" in refused(client, "add-fd")[1]


if __name__ == "__main__":
    sys.exit(server.main())
