"""ferry.py: the program ferry, as its users see it. Cases for test-ferry.sh; speaks TAP."""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

BIN, WITNESS = sys.argv[1], sys.argv[2]
FERRY = os.path.join(BIN, "ferry")
PATIENCE = 60  # seconds that anything may take on a busy machine
CASES = []
ONLY = sys.argv[3:]  # cases that are run, by a piece of their name; all
NEEDS_KVM = set()


def case(sentence, kvm=True):
    def add(function):
        CASES.append((sentence, function))
        if kvm:
            NEEDS_KVM.add(function)
        return function
    return add


def wait_for(what, condition):
    end = time.time() + PATIENCE
    while time.time() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("waited in vain for " + what)


def connected(path):
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(PATIENCE)
    try:
        line.connect(path)
    except ConnectionRefusedError:  # it is about to listen
        line.close()
        return None
    return line


class Skipped(Exception):
    """A case that cannot be tried here, and why."""


class Machine:
    """A ferry with a monitor on a socket and a serial port in a file."""

    def __init__(self, folder, *options, wait=True, defaults=False, serial=None):
        self.folder = tempfile.mkdtemp(dir=folder)
        self.serial = os.path.join(self.folder, "serial")
        self.monitor = os.path.join(self.folder, "monitor")
        command = [FERRY] + ([] if defaults else ["-nodefaults"]) + [
            "-accel", "kvm", "-m", "32", "-display", "none", "-serial", serial or "file:" + self.serial,
            "-monitor", "unix:" + self.monitor + ",server=on,wait=off"] + list(options)
        self.log = open(os.path.join(self.folder, "log"), "w+b")
        environment = dict(os.environ, TMPDIR=self.folder)
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env=environment)
        self.line = None
        if wait:
            wait_for("the monitor", lambda: os.path.exists(self.monitor) or self.process.poll() is not None)
            self.line = wait_for("the monitor", lambda: connected(self.monitor))
            self.answer()

    def answer(self):
        got = b""
        while not got.endswith(b"(ferry) "):
            more = self.line.recv(65536)
            assert more, "the monitor has gone: " + self.said()
            got += more
        return got.decode().replace("\r\n", "\n")[:-len("(ferry) ")]

    def do(self, command):
        self.line.sendall(command.encode() + b"\n")
        return self.answer().split("\n", 1)[1]

    def out(self):
        try:
            with open(self.serial, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def said(self):
        self.log.flush()
        with open(self.log.name, errors="replace") as file:
            return file.read()

    def wait_out(self, pattern):
        try:
            return wait_for(pattern, lambda: re.search(pattern, self.out()))
        except AssertionError as error:
            raise AssertionError("%s; it wrote: %s %s" % (error, self.out()[-500:], self.said())) from None

    def status(self):
        return self.do("info status").strip()

    def end(self):
        if self.line:
            self.line.close()
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(PATIENCE)
        self.log.close()
        return status


def fails(*options):
    """Runs it with options that are wrong; returns what it says."""
    done = subprocess.run([FERRY] + list(options), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == 1, "exit status %d: %s" % (done.returncode, done.stderr)
    assert done.stdout == "", done.stdout
    return done.stderr


def boot_sector(folder, code, name="boot.img"):
    """A disk whose first sector runs the code."""
    path = os.path.join(folder, name)
    with open(path, "wb") as file:
        file.write(code.ljust(510, b"\0") + b"\x55\xaa")
        file.truncate(1 << 20)
    return path


# cli; xor ax, ax; mov ds, ax; mov si, 0x7c00 + text; 1: lodsb; test al, al; jz 2f; mov dx, 0x3f8; out dx, al; jmp 1b;
# 2: hlt; jmp 2b; text
HELLO = bytes.fromhex("fa31c08ed8be187cac84c07406ba f803eeebf5f4ebfd".replace(" ", ""))
HELLO = HELLO.replace(bytes.fromhex("be187c"), b"\xbe" + (0x7c00 + len(HELLO)).to_bytes(2, "little"))
HELLO += b"the boot sector runs\n\0"


def boots(folder, *options):
    disk = boot_sector(folder, HELLO)
    machine = Machine(folder, *[o.replace("DISK", disk) for o in options])
    machine.wait_out("the boot sector runs")
    assert machine.end() == 0


@case("SeaBIOS starts a boot sector from an IDE disk")
def _(folder):
    boots(folder, "-hda", "DISK")


@case("SeaBIOS starts a boot sector from a virtio disk")
def _(folder):
    boots(folder, "-drive", "file=DISK,format=raw,if=virtio")


def boot_cd(folder, code):
    """A CD whose El Torito entry (Phoenix and IBM, version 1.0) has no emulation and runs the code at 0x7c00."""
    sectors = [bytearray(2048) for _ in range(24)]
    sectors[16][0:7] = b"\x01CD001\x01"
    sectors[17][0:30] = b"\x00CD001\x01EL TORITO SPECIFICATION".ljust(30, b"\0")
    sectors[17][0x47:0x4b] = (19).to_bytes(4, "little")  # the catalog
    sectors[18][0:7] = b"\xffCD001\x01"
    entry = bytearray(32)
    entry[0], entry[30], entry[31] = 1, 0x55, 0xaa
    checksum = -sum(int.from_bytes(entry[i:i + 2], "little") for i in range(0, 32, 2)) & 0xffff
    entry[28:30] = checksum.to_bytes(2, "little")
    sectors[19][0:32] = entry
    sectors[19][32:44] = b"\x88\0\0\0\0\0" + (4).to_bytes(2, "little") + (20).to_bytes(4, "little")
    sectors[20][0:len(code)] = code
    path = os.path.join(folder, "cd.iso")
    with open(path, "wb") as file:
        file.write(b"".join(sectors))
    return path


@case("SeaBIOS starts a CD")
def _(folder):
    machine = Machine(folder, "-cdrom", boot_cd(folder, HELLO))
    machine.wait_out("the boot sector runs")
    assert machine.end() == 0


@case("with the devices of the default machine, an empty CD drive among them, the disk is started")
def _(folder):
    machine = Machine(folder, "-hda", boot_sector(folder, HELLO), defaults=True)
    machine.wait_out("the boot sector runs")
    assert machine.end() == 0


@case("of several disks the one with the lowest bootindex is started")
def _(folder):
    other = boot_sector(folder, HELLO.replace(b"the boot", b"THE BOOT"), "other.img")
    boots(folder, "-drive", "file=%s,format=raw,id=a,if=none" % other, "-device", "ide-hd,drive=a,bootindex=2",
          "-blockdev", "driver=raw,node-name=b,file.driver=file,file.filename=DISK", "-device",
          "virtio-blk-pci,drive=b,bootindex=1")


def through_grub(folder, *options):
    """Its menu, on the serial port: the second entry starts the machine again, the first switches it off."""
    images = os.environ.get("GRUB_IMAGES")
    if not images:
        raise Skipped("GRUB_IMAGES names no folder that grub.py has filled; `make testbed` does, where KVM is quicker")
    path = os.path.join(folder, "line")
    machine = Machine(folder, *[o.replace("IMAGES", images) for o in options],
                      serial="unix:%s,server=on,wait=off" % path)
    line, got = wait_for("the serial port", lambda: connected(path)), b""
    line.settimeout(5 * PATIENCE)  # software KVM takes half a minute to the menu
    for keys, pattern in ((b"\x1b[B\r", b"the second entry"), (None, b"THE-SECOND on (hd0,msdos1|[ch]d)"),
                          (b"\r", b"the second entry"), (None, b"THE-FIRST on ")):
        while not (found := re.search(pattern, got)):
            more = line.recv(65536)
            assert more, "the machine has gone: %r %s" % (got[-500:], machine.said())
            got += more
        got = got[found.end():]
        if keys:
            line.sendall(keys)
    assert machine.process.wait(PATIENCE) == 0, machine.said()
    assert machine.said() == "", machine.said()


@case("GRUB on an IDE disk shows its menu, takes keys, starts the machine again and switches it off")
def _(folder):
    through_grub(folder, "-drive", "file=IMAGES/disk.img,format=raw,if=ide")


@case("GRUB on a virtio disk does the same")
def _(folder):
    through_grub(folder, "-drive", "file=IMAGES/disk.img,format=raw,if=virtio")


@case("GRUB on a CD does the same")
def _(folder):
    through_grub(folder, "-cdrom", "IMAGES/cd.iso")


@case("SeaBIOS starts a boot sector, and a second processor, with the interrupt controllers outside of KVM or partly so")
def _(folder):
    boots(folder, "-machine", "kernel-irqchip=off", "-smp", "2", "-hda", "DISK")
    boots(folder, "-machine", "kernel-irqchip=split", "-smp", "2", "-drive", "file=DISK,format=raw,if=virtio")


@case("a kernel is started without firmware, and finds the machine that the firmware leaves")
def _(folder):
    machine = Machine(folder, "-kernel", WITNESS, "-append", "iopl=3")
    machine.wait_out(r"witness begins .*kbd=there fw_cfg=there.* hpet=there pmtimer=there")
    machine.wait_out(r"round=30 .* ok")
    assert "FAILED" not in machine.out(), machine.out()
    machine.end()


@case("the monitor stops the machine and lets it go on")
def _(folder):
    machine = Machine(folder, "-kernel", WITNESS, "-append", "iopl=3")
    machine.wait_out(r"round=10 .* ok")
    assert machine.status() == "VM status: running"
    machine.do("stop")
    assert machine.status() == "VM status: paused"
    before = machine.out()
    assert "RIP=" in machine.do("info registers")
    time.sleep(0.3)
    assert machine.out() == before, "it stands"
    machine.do("c")
    assert machine.status() == "VM status: running"
    wait_for("the guest to go on", lambda: machine.out() != before)
    machine.end()


@case("the monitor tells what is there, and what can be said")
def _(folder):
    disk = boot_sector(folder, HELLO)
    machine = Machine(folder, "-drive", "file=%s,format=raw,if=virtio,id=d,readonly=on" % disk, "-name", "Anna", "-S",
                      "-uuid", "00112233-4455-6677-8899-aabbccddeeff")
    assert machine.status() == "VM status: paused (prelaunch)"
    assert machine.do("info name") == "Anna\n"
    assert machine.do("info uuid") == "00112233-4455-6677-8899-aabbccddeeff\n"
    assert re.search(r"d \(#block\d+\): %s \(raw, read-only\)\n" % re.escape(disk), machine.do("info block"))
    assert "SCSI controller: PCI device 1af4:1001\n" in machine.do("info pci")
    assert "serial0: filename=file\n" in machine.do("info chardev")
    assert re.fullmatch(r"ferry \S+, with the machine of QEMU 7\.2\n", machine.do("info version"))
    assert re.fullmatch("kvm support: enabled\nsystem management mode: (yes|no)\n"
                        "interrupt controllers: in the kernel\n", machine.do("info kvm"))
    assert "migrate" in machine.do("help")
    assert machine.do("info").count("\n") >= 8
    assert "unknown command 'frobnicate'" in machine.do("frobnicate now")
    assert machine.do("migrate") == "Error: migrate: 'uri' is missing (it is: migrate [-d] [-b] [-z] uri)\n"
    assert "unknown question 'weather'" in machine.do("info weather")
    assert machine.do("stpo\x08\x08op") == "", "letters can be taken back"
    assert machine.do("info uu\t") == "00112233-4455-6677-8899-aabbccddeeff\n", "words are completed"
    assert machine.do("\x1b[A") == "00112233-4455-6677-8899-aabbccddeeff\n", "the last line comes again"
    machine.end()


@case("a disk that another program has is refused, unless file.locking=off says that they share it")
def _(folder):
    disk = boot_sector(folder, HELLO)
    other = os.path.join(folder, "other")
    os.mkdir(other)
    machine = Machine(folder, "-S", "-drive", "file=%s,format=raw" % disk)
    assert "is in use by another program" in fails("-nodefaults", "-accel", "none", "-drive", "file=%s,format=raw" % disk)
    sharer = Machine(other, "-S", "-drive", "file=%s,format=raw,file.locking=off" % disk)
    assert sharer.status() == "VM status: paused (prelaunch)"
    sharer.end()
    machine.end()


def counts(line):
    """What the witness has counted."""
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}


def after(machine, number):
    """Its first line from that round on; None: it has not come."""
    for line in re.findall(r"round=\d+ .* ok", machine.out()):
        if counts(line)["round"] >= number or "FAILED" in machine.out():
            return line
    return None


def moves(folder, option):
    """A guest that checks itself, from one machine to another one through a file, and on to a third by a socket."""
    first = Machine(folder, "-kernel", WITNESS, "-append", "iopl=3")
    first.wait_out(r"round=10 .* ok")
    path = os.path.join(folder, "state")
    assert first.do('migrate %s "exec:cat >%s"' % (option, path)) == ""
    assert first.status() == "VM status: paused (postmigrate)"
    first.end()
    summary = subprocess.run([os.path.join(BIN, "vmstate-dump"), "--format=summary", path], capture_output=True,
                             text=True, check=True).stdout
    assert "pc-i440fx-7.2" in summary and "globalstate" in summary, summary
    second = Machine(folder, "-incoming", "file:" + path)
    second.wait_out(r"round=\d+ .* hops=\d+ .* ok")
    place = os.path.join(folder, "socket")
    third = Machine(folder, "-incoming", "unix:" + place)
    assert third.status() == "VM status: paused (inmigrate)"
    wait_for("the socket", lambda: os.path.exists(place))
    wait_for("its listener", lambda: second.do("migrate %s unix:%s" % (option, place)) == "")
    third.wait_out(r"round=\d+ .* ok")
    wait_for("it to run", lambda: third.status() == "VM status: running")
    for machine in (second, third):
        assert "FAILED" not in machine.out(), machine.out()
        assert machine.said() == "", machine.said()
        machine.end()


@case("a running guest goes on in another process, by a file and a socket, in QEMU's form")
def _(folder):
    moves(folder, "")


@case("interrupts go on when it moves between machines whose controllers are in KVM, partly so, and outside")
def _(folder):
    places = {"off": "in this program", "split": "LAPICs in the kernel, the others in this program", "on": "in the kernel"}
    options = ["-smp", "2", "-machine"]
    machine = Machine(folder, "-kernel", WITNESS, "-append", "iopl=3 pit_once=1", *options, "kernel-irqchip=off")
    machine.wait_out(r"lapic=[1-9].* ok")  # its timer begins after a second
    for number, place in enumerate(("off", "split", "split", "on", "off")):
        path = os.path.join(folder, "state%u" % number)
        assert machine.do('migrate "exec:cat >%s"' % path) == ""
        assert machine.said() == "", machine.said()
        machine.end()
        machine = Machine(folder, "-incoming", "file:" + path, *options, "kernel-irqchip=" + place)
        assert machine.do("info kvm").endswith("interrupt controllers: %s\n" % places[place])
        first = counts(machine.wait_out(r"round=(\d+) .* ok").group(0))
        later = counts(wait_for("the guest", lambda: after(machine, first["round"] + 60)))
        for name in ("pit", "pit_ioapic", "rtc", "hpet", "lapic", "ipi", "second", "lapic1"):
            assert later[name] > first[name], "%s stands in %s: %s" % (name, place, later)
        assert "FAILED" not in machine.out(), machine.out()
    machine.end()


@case("the same as BER")
def _(folder):
    moves(folder, "-b")


@case("the same as compressed BER")
def _(folder):
    moves(folder, "-z")


@case("a state that does not arrive leaves the guest running, and says why")
def _(folder):
    machine = Machine(folder, "-kernel", WITNESS, "-append", "iopl=3")
    machine.wait_out(r"round=10 .* ok")
    said = machine.do('migrate "exec:head -c 1000 >/dev/null; exit 7"')
    assert said.startswith("Error: exec:head -c 1000"), said
    assert machine.status() == "VM status: running"
    assert "Error: migrate: there is no option '-x'" in machine.do("migrate -x file:a")
    assert "Error: ftp:x:" in machine.do("migrate ftp:x")
    before = len(machine.out())
    wait_for("the guest to go on", lambda: len(machine.out()) > before + 200)
    assert "FAILED" not in machine.out()
    machine.end()


def state_of(folder):
    machine = Machine(folder, "-kernel", WITNESS, "-append", "iopl=3")
    machine.wait_out(r"round=10 .* ok")
    path = os.path.join(folder, "state")
    assert machine.do("migrate file:" + path) == ""
    machine.end()
    with open(path, "rb") as file:
        return path, bytearray(file.read())


UUID = "00112233-4455-6677-8899-aabbccddeeff"
DISK = ["-drive", "file=DISK,format=raw,if=none,id=h"]

BLK, OWN = DISK + ["-device", "virtio-blk-pci,drive=h"], ["-bios", "BIOS"]
HD, CD = DISK + ["-device", "ide-hd,drive=h,bus=ide.0,unit=0"], ["-device", "ide-cd,bus=ide.1,unit=0"]
HD2 = [o.replace("id=h", "id=i").replace("drive=h", "drive=i").replace("unit=0", "unit=1") for o in HD]
NET = ["-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n"]

# Recordings of QEMU's pc-i440fx-7.2, whether under KVM, and the options that make the same machine.
RECORDINGS = [
    ("a-kvm-min", True, ["-m", "32"]), ("a2-kvm-min-ownbios", True, ["-m", "32"] + OWN),
    ("d-kvm-smp2", True, ["-m", "32", "-smp", "2"]), ("e-tcg-min", False, ["-m", "32"]),
    ("f1-kvm-min-10s", True, ["-m", "16"]), ("f4-tcg-min-10s", False, ["-m", "16"]),
    ("g01-return-path", True, ["-m", "16"] + OWN), ("g02-postcopy-cap-precopy-finish", True, ["-m", "16"] + OWN),
    ("g08-xbzrle", True, ["-m", "16"] + OWN), ("g09-compress", True, ["-m", "16"] + OWN),
    ("g11-validate-uuid", True, ["-m", "16", "-uuid", UUID] + OWN),
    ("g12-background-snapshot", True, ["-m", "16"] + OWN), ("g13-late-block-events", True, ["-m", "16"] + OWN),
    ("i1-savevm", True, ["-m", "16"] + OWN + BLK),
    ("l1-ide-pio", False, ["-m", "8"] + OWN + HD + CD), ("l2-ide-dma", False, ["-m", "8"] + OWN + HD + HD2 + CD),
    ("l3-ide-failed", False, ["-m", "8"] + OWN + HD + [o.replace("ide.0", "ide.1") for o in HD2]),
    ("m1-virtio-blk-queues", False, ["-m", "8", "-smp", "2"] + OWN + BLK),
    ("m2-virtio-blk-queues8", False, ["-m", "8", "-smp", "8"] + OWN + BLK), ("n1-smbus", False, ["-m", "8"] + OWN),
]

# Those of machines that this one cannot be, or that are not all in one stream: options as near as can be, and why.
VGA = 'RAM block "0000:00:02.0/vga.vram": this machine has none of that name'
CONSOLE = r"section 0000:00:04.0/virtio-console\[0\] .* no such device|virtio-net-pci.rom"
REFUSED = [
    ("b1-kvm-pc-std-usboff", ["-m", "32"], VGA), ("b2-kvm-pc-std-usbon", ["-m", "32"], VGA),
    ("b3-kvm-pc-alldefaults", ["-m", "32"], VGA), ("f3-kvm-pc-10s", ["-m", "16"] + HD, VGA),
    ("c1-kvm-virtio", ["-m", "32"] + BLK + NET, CONSOLE), ("c2-kvm-virtio-modern", ["-m", "32"] + BLK + NET, CONSOLE),
    ("f2-kvm-virtio-10s", ["-m", "16"] + BLK + NET, CONSOLE),
    ("j1-tcg-linux-virtio", ["-m", "128"] + BLK + NET[:3] + [NET[3] + ",romfile="], CONSOLE),
    ("j2-kvm-linux-virtio", ["-m", "128"] + BLK + NET[:3] + [NET[3] + ",romfile="], CONSOLE),
    ("g03-postcopy-run", ["-m", "16"] + OWN, "postcopy"), ("g04-postcopy-preempt", ["-m", "16"] + OWN, "postcopy"),
    ("g05-multifd-none", ["-m", "16"] + OWN, '"pc.ram": 64 of its 4096 pages are not in the stream'),
    ("g06-multifd-zlib", ["-m", "16"] + OWN, '"pc.ram": 64 of its 4096 pages are not in the stream'),
    ("g07-multifd-zstd", ["-m", "16"] + OWN, '"pc.ram": 64 of its 4096 pages are not in the stream'),
    ("g10-x-ignore-shared", ["-m", "16"] + OWN, 'RAM block "m0"'),
    ("g14-block-migration", ["-m", "16"] + OWN + BLK, "section block "),
    ("g14-block-migration-zero-blocks", ["-m", "16"] + OWN + BLK, "section block "),
    ("g15-dirty-bitmaps", ["-m", "16"] + OWN + BLK, "section dirty-bitmap "),
    ("g16-postcopy-recover", ["-m", "16"] + OWN, "postcopy"), ("k1-chipset", ["-m", "8"] + OWN, "piix4_pm"),
]

# What time, or another program, changes; and what QEMU's schema shows as octets, ours as fields.
MAY_DIFFER = re.compile(r"[-+~] (\S+/virtio-\S+|apic\S*\.(timer_expiry|next_time|initial_count_load_time)|configuration|"
                        r"cpu\S*\.env\.tsc|globalstate|hpet\.timer|hpet\.hpet|kvmclock|mc146818rtc|timer)\b")


# Where nobody runs the machine, its clocks stand, and what came of its processors is kept.
STANDS = re.compile(r"[-+~] (\S+/virtio-\S+|configuration|globalstate|hpet\.timer|hpet\.hpet|mc146818rtc|timer)\b")


@case("states that QEMU recorded load, and nothing but time has changed when they are saved again", kvm=False)
def _(folder):
    kvm = os.access("/dev/kvm", os.R_OK | os.W_OK)
    with open(folder + "/bios", "wb") as file:
        file.write(bytes(65536))
    disk = boot_sector(folder, HELLO)
    for name, needs_kvm, options in RECORDINGS:
        options = [o.replace("BIOS", folder + "/bios").replace("DISK", disk) for o in options]
        for accel in ("kvm", "none") if needs_kvm and kvm else ("none",):
            again = os.path.join(folder, name)
            machine = Machine(folder, *options, "-accel", accel, "-S", "-incoming",
                              "exec:xz -dc traces/%s.mig.xz" % name, serial="null")
            wait_for(name, lambda: "inmigrate" not in machine.status())
            assert machine.do("migrate file:" + again) == ""
            assert machine.said() == "", machine.said()
            machine.end()
            difference = subprocess.run([os.path.join(BIN, "vmstate-diff"), "traces/%s.mig.xz" % name, again],
                                        capture_output=True, text=True, check=False).stdout
            wrong = [line for line in difference.splitlines() if line[:1] in "-+~" and
                     not (MAY_DIFFER if accel == "kvm" else STANDS).match(line)]
            assert not wrong, name + " with " + accel + ": " + "\n".join(wrong[:10])


@case("a recorded machine that has what this one has not is refused, by the name of that", kvm=False)
def _(folder):
    with open(folder + "/bios", "wb") as file:
        file.write(bytes(65536))
    disk = boot_sector(folder, HELLO)
    for name, options, message in REFUSED:
        options = [o.replace("BIOS", folder + "/bios").replace("DISK", disk) for o in options]
        said = fails("-nodefaults", "-accel", "none", "-display", "none", "-serial", "null", *options, "-incoming",
                     "exec:xz -dc traces/%s.mig.xz" % name)
        assert said.count("\n") == 1 and re.search(message, said), name + ": " + said


@case("every recorded machine of this type is loaded or refused above", kvm=False)
def _(folder):
    del folder
    known = {recording[0] for recording in RECORDINGS + REFUSED}
    for name in sorted(os.listdir("traces")):
        if name.endswith(".mig.xz"):
            with open("traces/" + name.replace(".mig.xz", ".cmd")) as file:
                assert (name[:-7] in known) == ("pc-i440fx-7.2" in file.read().split("\n")[1]), name


@case("a state of another machine, by its UUID, is refused", kvm=False)
def _(folder):
    with open(folder + "/bios", "wb") as file:
        file.write(bytes(65536))
    said = fails("-nodefaults", "-accel", "none", "-m", "16", "-bios", folder + "/bios", "-display", "none", "-serial",
                 "null", "-uuid", UUID.replace("ff", "fe"), "-incoming", "exec:xz -dc traces/g11-validate-uuid.mig.xz")
    assert "UUID " + UUID in said and UUID.replace("ff", "fe") in said, said


@case("a damaged state ends the program with one message that names the place")
def _(folder):
    path, octets = state_of(folder)
    for what, change, message in (
            ("cut", lambda o: o[:len(o) // 2], "ends"),
            ("another machine's", lambda o: o.replace(b"pc-i440fx-7.2", b"pc-i440fx-6.0"), "pc-i440fx-6.0"),
            ("a device that is not there", lambda o: o.replace(b"\x0emc146818rtc"[1:], b"mc146818xyz", 1), "mc146818"),
            ("no state at all", lambda o: b"what?" * 100, "magic")):
        with open(path, "wb") as file:
            file.write(change(bytes(octets)))
        done = fails("-nodefaults", "-accel", "kvm", "-m", "32", "-display", "none", "-serial", "null", "-incoming",
                     "file:" + path)
        assert done.count("\n") == 1 and message in done, "%s: %s" % (what, done)


@case("with -incoming defer a wrong state is no end: the next may be right")
def _(folder):
    path, octets = state_of(folder)
    with open(path + ".bad", "wb") as file:
        file.write(octets[:1000])
    machine = Machine(folder, "-incoming", "defer")
    assert "(inmigrate)" in machine.status()
    machine.do("migrate_incoming file:%s.bad" % path)
    wait_for("the message", lambda: "-incoming: " in machine.said())
    assert "(inmigrate)" in machine.status()
    machine.do("migrate_incoming file:" + path)
    machine.wait_out(r"round=\d+ .* ok")
    assert "Error: the machine does not wait" in machine.do("migrate_incoming file:" + path)
    machine.end()


@case("a machine that KVM cannot go on with stands, tells its registers, and leaves a dump that vmstate-dump reads")
def _(folder):
    disk = boot_sector(folder, bytes.fromhex(
        "fa31c08ed8"        # cli; ds = 0
        "0f01161a7c"        # lgdt [0x7c1a]
        "0f20c00c010f22c0"  # protected mode
        "66ea000000e00800"  # to where nothing is
        "0f00207c0000"      # the table: 2 entries at 0x7c20
        "0000000000000000ffff0000009acf00"))
    machine = Machine(folder, "-hda", disk)
    wait_for("the report", lambda: "vmstate-dump shows its state" in machine.said())
    said = machine.said()
    assert "KVM cannot go on with processor 0" in said and "RIP=00000000e0000000" in said and "Code:" in said, said
    assert machine.status() == "VM status: paused (internal-error)"
    assert "needs a reset" in machine.do("c")
    dump = re.search(r"its state: (\S+)", said).group(1)
    shown = subprocess.run([os.path.join(BIN, "vmstate-dump"), "--section=cpu", dump], capture_output=True, text=True,
                           check=True).stdout
    assert "rip" in shown or "eip" in shown, shown[:500]
    machine.end()


@case("in the background it tells when it is ready, and where it is")
def _(folder):
    pid = os.path.join(folder, "pid")
    subprocess.run([FERRY, "-nodefaults", "-accel", "kvm", "-m", "16", "-display", "none", "-daemonize", "-pidfile", pid,
                    "-monitor", "unix:%s/m,server=on,wait=off" % folder], stdin=subprocess.DEVNULL,
                   check=True, timeout=PATIENCE)
    with open(pid) as file:
        number = int(file.read())
    line = connected(folder + "/m")
    line.sendall(b"quit\n")
    wait_for("its end", lambda: not os.path.exists("/proc/%d" % number) and not os.path.exists(pid))
    done = subprocess.run([FERRY, "-accel", "kvm", "-daemonize", "-hda", folder + "/none", "-display", "none"],
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1 and "none: " in done.stderr, done.stderr


@case("the guest's power off ends the program, and so does the user's")
def _(folder):
    # ports 0x604 (PM1a control) is not set up by a boot sector: it asks APM of the firmware
    code = bytes.fromhex("b80153 31db cd15 b80e53 31db b90201 cd15 b80753 bb0100 b90300 cd15 f4 ebfd".replace(" ", ""))
    machine = Machine(folder, "-hda", boot_sector(folder, code))
    assert machine.process.wait(PATIENCE) == 0, machine.said()
    machine = Machine(folder, "-S")
    machine.line.sendall(b"quit\n")
    assert machine.process.wait(PATIENCE) == 0


@case("a reset starts again; with -no-reboot it is the end")
def _(folder):
    machine = Machine(folder, "-hda", boot_sector(folder, HELLO))
    machine.wait_out("runs\n")
    machine.do("system_reset")
    machine.wait_out("runs\n(.*\n)*.*runs\n")
    machine.end()
    reset = bytes.fromhex("b0fee664f4ebfd")  # the keyboard controller pulls the line
    machine = Machine(folder, "-no-reboot", "-hda", boot_sector(folder, reset))
    assert machine.process.wait(PATIENCE) == 0


@case("what is wrong with the command line is said with its key", kvm=False)
def _(folder):
    missing = os.path.join(folder, "missing")
    for options, message in (
            (["-frobnicate"], "-frobnicate"),
            (["-device", "virtio-blk"], "virtio-blk-pci"),
            (["-drive", "file=a,cachee=none"], "cachee"),
            (["-smp", "9"], "9"),
            (["-hda", missing], missing),
            (["-kernel", missing], missing),
            (["-bios", missing], missing),
            (["-device", "virtio-blk-pci,drive=x"], "there is no disk 'x'"),
            (["-device", "virtio-rng-pci,addr=20"], "addr"),
            (["-device", "virtio-rng-pci,addr=2", "-device", "virtio-rng-pci,addr=2"], "taken"),
            (["-chardev", "null,id=a", "-chardev", "null,id=a"], "a"),
            (["-qmp", "udp:1"], "-qmp"),
            (["-incoming", "ftp:x"], "'ftp'")):
        said = fails("-accel", "none", "-display", "none", "-nodefaults", *options)
        assert said.count("\n") == 1 and said.startswith("ferry: ") and message in said, "%s: %s" % (options, said)


@case("help tells options, devices and what can be set", kvm=False)
def _(folder):
    del folder
    for options, words in ((["-help"], ["-incoming", "-device", "-nodefaults"]), (["-version"], ["ferry"]),
                           (["-device", "help"], ["virtio-blk-pci", "ide-cd", "isa-serial"]),
                           (["-device", "virtio-blk-pci,help"], ["drive", "serial", "bootindex"])):
        done = subprocess.run([FERRY] + options, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0 and done.stderr == "", done
        for word in words:
            assert word in done.stdout, (options, word)


@case("the manual tells of no option, and of no key, that is not there", kvm=False)
def _(folder):
    del folder
    with open("emu/ferry.1", encoding="utf-8") as file:
        page = file.read()
    done = subprocess.run([FERRY, "-help"], capture_output=True, text=True, timeout=PATIENCE, check=True)
    options = set(re.findall(r"^  -([\w-]+)", done.stdout, re.M))
    monitor = {"b", "d", "l", "s", "z", "Ns"}  # flags of the monitor's commands, and -OPTION
    told = set(re.findall(r"\bFl ([\w-]+)", page)) - monitor
    assert len(told) > 20 and told <= options, (told - options, len(told))
    for option, keys in re.findall(r"^\.It Fl (machine|drive|mon) (.*)$", page, re.M):
        done = subprocess.run([FERRY, "-" + option, "help"], capture_output=True, text=True, timeout=PATIENCE, check=True)
        for key in re.findall(r"([\w-]+)=", keys):
            assert "\n  %s=" % key in done.stdout, (option, key)


def main():
    kvm = os.access("/dev/kvm", os.R_OK | os.W_OK)
    failed = 0
    chosen = [c for c in CASES if not ONLY or any(o in c[0] for o in ONLY)]
    for number, (sentence, function) in enumerate(chosen, 1):
        if function in NEEDS_KVM and not kvm:
            print("ok %d - %s # SKIP no /dev/kvm" % (number, sentence))
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                function(folder)
                print("ok %d - %s" % (number, sentence), flush=True)
            except Skipped as reason:
                print("ok %d - %s # SKIP %s" % (number, sentence, reason), flush=True)
            except Exception as error:  # whatever it is, the other cases are tried
                failed += 1
                print("not ok %d - %s" % (number, sentence))
                print("\n".join("# " + line for line in ("%s: %s" % (type(error).__name__, error)).split("\n")),
                      flush=True)
            if shutil.which("pkill"):
                subprocess.run(["pkill", "-f", folder], check=False)
    print("1..%d" % len(chosen))
    return failed > 0


sys.exit(main())
